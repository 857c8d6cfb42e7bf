//! `adapter gguf`: a model, or a base and its adapter, as one file for llama.cpp and Ollama, with a Modelfile beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::stage;
use geneverse_model::Decoder;
use geneverse_model::gguf::{self, NumberType, Settings, Written};
use geneverse_model::tokens::Tokenizer;
use serde_json::json;

use super::asked::{self, Asked};
use crate::commands::train::thousands;
use crate::config::model_folder;
use crate::inputs::{adapter_inputs, model_inputs};
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
The file has the weights with the adapter's update, the tokenizer, and the chat template that the model was finetuned with. \
What llama.cpp would compute otherwise is refused or told. Beside FILE.gguf comes FILE.Modelfile, for `ollama create`. \
Memory does not grow with the model.

Example:
  geneverse adapter gguf --model models/geneverse-nano --adapter runs/lora/adapter --type q8_0 --out genes.gguf
  llama-server --model genes.gguf --jinja")]
pub(crate) struct GgufArgs {
    /// The model's checkpoint folder
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A PEFT adapter for it, merged into what is written
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The file to write; there must be nothing of that name
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// How matrices are held
    #[arg(long = "type", value_enum, default_value = "f16")]
    numbers: Numbers,
    /// The template that it is asked with [default: the one that it was finetuned with, else its own chat template]
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// llama.cpp's rule for cutting text, where the tokenizer's own is none of them
    #[arg(long, value_name = "NAME")]
    pre: Option<String>,
    /// Write the language model of one that sees pictures, without its eyes
    #[arg(long)]
    text_only: bool,
}

/// How matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Numbers {
    /// 32 bits.
    F32,
    /// 16 bits, with more digits and less range.
    F16,
    /// 16 bits, with f32's range.
    Bf16,
    /// 8 bits and a scale for each 32.
    #[value(name = "q8_0")]
    Q8,
}

impl Numbers {
    fn number_type(self) -> NumberType {
        match self {
            Self::F32 => NumberType::F32,
            Self::F16 => NumberType::F16,
            Self::Bf16 => NumberType::Bf16,
            Self::Q8 => NumberType::Q8_0,
        }
    }
}

pub(super) fn run(args: GgufArgs, ui: &Ui) -> Result<ExitCode> {
    let GgufArgs { model, adapter, out, numbers, prompt, pre, text_only } = args;
    let modelfile = out.with_extension("Modelfile");
    for file in [&out, &modelfile, &stage::manifest_path(&out)] {
        if file.exists() {
            bail!("{}: exists; choose another --out or remove it", file.display());
        }
    }
    let base = model_folder(&model)?;
    let decoder = Decoder::read(&base)?;
    let tokenizer = Tokenizer::read(&base)?;
    let decoder = match &adapter {
        Some(adapter) => decoder.with_adapter(adapter)?,
        None => decoder,
    };
    let folders: Vec<&Path> = adapter.as_deref().into_iter().chain([base.as_path()]).collect();
    let asked = asked::asked(prompt.as_deref(), &folders, decoder.config())?;
    let name = out.file_stem().context("--out names no file")?.to_string_lossy().into_owned();
    let settings = Settings {
        numbers: numbers.number_type(),
        name: &name,
        chat_template: asked.jinja.as_deref(),
        rule: pre.as_deref(),
        text_only,
    };
    stop::listen();
    let written = gguf::write((&decoder, &tokenizer), &base, &out, &settings, ui, &|| !stop::asked())?;
    let context = decoder.config().max_position_embeddings;
    let text = modelfile_text(&out, &asked, context);
    stage::atomic_write(&modelfile, |file| file.write_all(text.as_bytes()))?;

    let mut inputs = BTreeMap::from([("model", json!(model_inputs(&base)?))]);
    if let Some(adapter) = &adapter {
        inputs.insert("adapter", json!(adapter_inputs(adapter)?));
    }
    let prompt = asked.template.map(|template| template.name());
    let key = json!({"inputs": inputs, "type": written.numbers, "prompt": prompt, "pre": pre, "text_only": text_only});
    stage::finish(&out, "adapter gguf", key, serde_json::to_value(&written)?)?;
    let said = json!({"out": out, "modelfile": modelfile, "prompt": prompt, "written": written});
    ui.result(&said, || told(&out, &asked, &written))?;
    Ok(ExitCode::SUCCESS)
}

/// What Ollama makes a model of.
fn modelfile_text(file: &Path, asked: &Asked, context: usize) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut text = format!("# ollama create NAME -f {}\n", file.with_extension("Modelfile").display());
    let _ = writeln!(text, "FROM ./{name}");
    if let Some(template) = asked.template {
        let _ = writeln!(text, "TEMPLATE \"\"\"{}\"\"\"", template.ollama());
    }
    // The most likely token, always, as `geneverse generate` answers; Ollama's own are 0.8 and 1.1.
    let _ =
        writeln!(text, "PARAMETER temperature 0\nPARAMETER repeat_penalty 1\nPARAMETER num_ctx {context}");
    text
}

fn told(out: &Path, asked: &Asked, written: &Written) -> String {
    let Written { architecture, numbers, tensors, other_type, parameters, bytes, notes } = written;
    let mut text = format!(
        "{}: {architecture}, {numbers}, {} parameters in {tensors} tensors, {:.1} MB",
        out.display(),
        thousands(*parameters),
        *bytes as f64 / 1e6
    );
    if *other_type > 0 {
        let _ =
            write!(text, "\n  {other_type} matrices are f16: their rows are no whole number of blocks of 32");
    }
    let _ = match (asked.template, &asked.jinja) {
        (Some(template), _) => write!(text, "\n  asked with the template {:?}", template.name()),
        (None, Some(_)) => write!(text, "\n  asked with the chat template that it came with"),
        (None, None) => write!(
            text,
            "\n  no chat template: it remembers none and came with none; --prompt alpaca (or another) gives it one"
        ),
    };
    notes.iter().for_each(|note| {
        let _ = write!(text, "\n  {note}");
    });
    text
}
