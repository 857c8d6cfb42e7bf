//! `adapter inspect`, `adapter merge` and `adapter export`: PEFT folders as they are, as whole models, as copies; and
//! `adapter gguf`, for other engines.

mod asked;
mod gguf;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use asked::Asked;
pub(crate) use asked::write as write_chat_template;
use clap::{Args, Subcommand, ValueEnum};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{self, FileError, hash_file, read_json};
use geneverse_model::adapter::{Description, MapUpdate, Names, describe, export};
use geneverse_model::config::ModelConfig;
use geneverse_model::merge::{Merged, merge};
use geneverse_model::{Decoder, Precision};
use serde::Serialize;
use serde_json::json;

use crate::asking::{ASKING, Asking};
use crate::commands::train::thousands;
use crate::config::model_folder;
use crate::inputs::TOKEN_FILES;
use crate::ui::Ui;

/// Beside the tokenizer's files, what says how a checkpoint is asked; weights and configuration are written anew.
const CARRIED: [&str; 2] = ["chat_template.jinja", ASKING];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what an adapter is and how much it changes
    Inspect(InspectArgs),
    /// Write base model and adapter as one checkpoint, and compare what it says
    Merge(MergeArgs),
    /// Write an adapter anew, with fewer digits or another base model's name
    Export(ExportArgs),
    /// Write a model, or a base and its adapter, as one file for llama.cpp and Ollama
    Gguf(gguf::GgufArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
An update is s·B·A, its length the root of the sum of its squares, over all layers of a map. With --model the length \
is also told as a share of the weights', and an adapter that does not fit is an error.

Example:
  geneverse adapter inspect runs/lora/adapter --model models/geneverse-nano")]
pub(crate) struct InspectArgs {
    /// A PEFT adapter folder
    #[arg(value_name = "DIR")]
    adapter: PathBuf,
    /// The checkpoint folder that it is for
    #[arg(long, value_name = "DIR")]
    model: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Before anything is written, the merged model in f32 must give the logits of base and adapter to 2e-4 of the largest; \
what is written is read back and may differ by what rounding to its precision explains. The tokenizer's files and the \
prompt template come along, of a LLaVA the tower too. The folder is in its place only when all is well. Takes four bytes of memory for each \
adapted weight.

Example:
  geneverse adapter merge --model models/geneverse-nano --adapter runs/lora/adapter --out merged")]
pub(crate) struct MergeArgs {
    /// The base model's checkpoint folder
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A PEFT adapter for it
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// The checkpoint folder to write; there must be nothing of that name
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How numbers are written [default: as the base model has them]
    #[arg(long)]
    precision: Option<Digits>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Only settings that mean something to this program are written; the prompt template comes along. An adapter of a LLaVA \
can be written for transformers or for LLaVA's own code, whichever it was made for; the latter reads the projector after \
torch.save(safetensors.torch.load_file('non_lora_trainables.safetensors'), 'non_lora_trainables.bin').

Example:
  geneverse adapter export --adapter runs/lora/adapter --out lora-genes --precision bf16 --base my/llama")]
pub(crate) struct ExportArgs {
    /// A PEFT adapter folder
    #[arg(long, value_name = "DIR")]
    adapter: PathBuf,
    /// The folder to write; there must be nothing of that name
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value = "peft")]
    format: Format,
    /// How numbers are written
    #[arg(long, value_enum, default_value = "f32")]
    precision: Digits,
    /// The base model's name in it [default: the one that it names]
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
}

/// How an adapter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A folder that PEFT reads, under the names that the adapter has.
    Peft,
    /// A LLaVA's under transformers' names, its projector among the modules that PEFT saves whole.
    Transformers,
    /// A LLaVA's under the original code's names, its projector in non_lora_trainables.safetensors.
    Llava,
}

impl Format {
    fn names(self) -> Names {
        match self {
            Self::Peft => Names::Kept,
            Self::Transformers => Names::Transformers,
            Self::Llava => Names::Original,
        }
    }
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Digits {
    /// 32 bits.
    F32,
    /// 16 bits, with f32's range.
    Bf16,
    /// 16 bits, with more digits and less range.
    F16,
}

impl Digits {
    fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
            Self::F16 => Precision::F16,
        }
    }
}

/// Runs `adapter`.
pub(crate) fn run(command: Command, ui: &Ui) -> Result<ExitCode> {
    match command {
        Command::Inspect(args) => inspect(args, ui),
        Command::Merge(args) => run_merge(args, ui),
        Command::Export(args) => run_export(args, ui),
        Command::Gguf(args) => gguf::run(args, ui),
    }
}

/// What is told of an adapter.
#[derive(Debug, Serialize)]
struct Told {
    adapter: PathBuf,
    method: &'static str,
    rank: usize,
    alpha: f64,
    /// α / rank, or α / √rank.
    scale: f64,
    dropout: f64,
    parameters: usize,
    layers: Vec<usize>,
    base: Option<String>,
    prompt: Option<Asking>,
    /// The model that it was held against, and fits.
    fits: Option<String>,
    targets: Vec<Target>,
}

/// One map in all its layers.
#[derive(Debug, Serialize)]
struct Target {
    name: String,
    layers: usize,
    ranks: BTreeSet<usize>,
    /// ‖s·B·A‖
    update: f64,
    /// ‖W‖
    weights: Option<f64>,
    /// ‖s·B·A‖ / ‖W‖
    relative: Option<f64>,
}

fn inspect(args: InspectArgs, ui: &Ui) -> Result<ExitCode> {
    let InspectArgs { adapter, model } = args;
    let mut description = describe(&adapter)?;
    if let Some(model) = &model {
        let decoder = Decoder::read(&model_folder(model)?)?.with_adapter(&adapter);
        let decoder = decoder.with_context(|| format!("the adapter does not fit {model}"))?;
        description.measure_against(&decoder);
    }
    let told = told(adapter, model, description)?;
    ui.result(&told, || told_text(&told))?;
    Ok(ExitCode::SUCCESS)
}

fn told(adapter: PathBuf, model: Option<String>, description: Description) -> Result<Told> {
    let Description { config, base, parameters, updates } = description;
    let asking = adapter.join(ASKING);
    let prompt = asking.exists().then(|| read_json(&asking)).transpose()?;
    let divisor = if config.rank_stabilised { (config.rank as f64).sqrt() } else { config.rank as f64 };
    let layers: BTreeSet<usize> = updates.iter().map(|update| update.layer).collect();
    let length = |squares: f64| squares.sqrt();
    let target = |updates: &[MapUpdate]| {
        let update = length(updates.iter().map(|u| u.norm.powi(2)).sum());
        let weights: Option<f64> = updates.iter().map(|u| u.weight_norm.map(|norm| norm.powi(2))).sum();
        let weights = weights.map(length);
        Target {
            name: updates[0].target.clone(),
            layers: updates.len(),
            ranks: updates.iter().map(|u| u.rank).collect(),
            update,
            weights,
            relative: weights.map(|weights| update / weights),
        }
    };
    Ok(Told {
        adapter,
        method: match (config.dora, config.rank_stabilised) {
            (false, false) => "LoRA",
            (false, true) => "rsLoRA",
            (true, false) => "DoRA",
            (true, true) => "DoRA, scaled as rsLoRA",
        },
        rank: config.rank,
        alpha: config.alpha,
        scale: config.alpha / divisor,
        dropout: config.dropout,
        parameters,
        layers: layers.into_iter().collect(),
        base,
        prompt,
        fits: model,
        targets: updates.chunk_by(|a, b| a.target == b.target).map(target).collect(),
    })
}

fn told_text(told: &Told) -> String {
    let Told { adapter, method, rank, alpha, scale, dropout, .. } = told;
    let mut text = format!(
        "{}: {method} of rank {rank}, alpha {alpha}, scale {scale:.4}, dropout {dropout}\n",
        adapter.display()
    );
    let ends = told.layers.first().zip(told.layers.last());
    let ends = ends.map(|(first, last)| format!("{first} to {last}")).unwrap_or_default();
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label:<11} {value}");
    };
    line("parameters", &thousands(told.parameters));
    line("layers", &format!("{} ({ends})", told.layers.len()));
    line("base", told.base.as_deref().unwrap_or("not named"));
    line(
        "prompt",
        &match &told.prompt {
            None => "not stored".to_owned(),
            Some(asking) if asking.prompt_hash == asking.prompt.hash() => format!("{:?}", asking.prompt),
            Some(asking) => format!("{:?}, with another text than this program has", asking.prompt),
        },
    );
    if let Some(model) = &told.fits {
        line("fits", model);
    }
    for Target { name, layers, ranks, update, relative, weights: _ } in &told.targets {
        let ranks: Vec<String> = ranks.iter().map(usize::to_string).collect();
        let relative = relative.map(|share| format!(", {:.3} % of the weights'", 100.0 * share));
        let _ = writeln!(
            text,
            "  {name:<22} {layers:>3} layers, rank {}, length of the update {update:.4}{}",
            ranks.join("/"),
            relative.unwrap_or_default()
        );
    }
    text
}

/// Writes a folder beside its place and renames it there; a failure leaves nothing.
fn written<T>(out: &Path, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if out.exists() {
        bail!("{}: exists; choose another --out or remove it", out.display());
    }
    let mut name = out.file_name().context("--out names no folder")?.to_owned();
    name.push(".writing");
    let beside = out.with_file_name(name);
    if beside.exists() {
        bail!("{}: left by a command that was cut short; remove it", beside.display());
    }
    fs::create_dir_all(&beside).map_err(|e| FileError::io(&beside, "make", e))?;
    let done = write(&beside).and_then(|value| match fs::rename(&beside, out) {
        Ok(()) => Ok(value),
        Err(e) => Err(FileError::io(out, "write", e).into()),
    });
    if done.is_err() {
        // What is half written is of no use to anybody; failing to remove it changes nothing.
        let _ = fs::remove_dir_all(&beside);
    }
    done
}

fn copy(file: &str, from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.join(file), to.join(file));
    if from.exists() {
        fs::copy(&from, &to).map_err(|e| FileError::io(&to, "write", e))?;
    }
    Ok(())
}

fn run_merge(args: MergeArgs, ui: &Ui) -> Result<ExitCode> {
    let MergeArgs { model, adapter, out, precision } = args;
    let base = model_folder(&model)?;
    let merged = written(&out, |folder| {
        let merged = merge(&base, &adapter, folder, precision.map(Digits::precision))?;
        for file in TOKEN_FILES.into_iter().chain(CARRIED) {
            copy(file, &base, folder)?;
        }
        copy(ASKING, &adapter, folder)?;
        let config = ModelConfig::read(&base)?;
        // A processor of pictures has a chat template of its own, of parts.
        match asked::asked(None, &[folder], &config) {
            Ok(Asked { template: Some(_), jinja: Some(jinja) }) if config.vision.is_none() => {
                asked::write(&jinja, folder)?;
            }
            Ok(_) => {}
            Err(e) => ui.note(&format!("  no chat template is written: {e:#}")),
        }
        let mut inputs = BTreeMap::new();
        let of_base =
            ["config.json", "model.safetensors", "model.safetensors.index.json"].map(|f| base.join(f));
        let of_adapter =
            ["adapter_config.json", "adapter_model.safetensors", "non_lora_trainables.safetensors"]
                .map(|f| adapter.join(f));
        for path in of_base.iter().chain(&of_adapter).filter(|path| path.exists()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            inputs.insert(name, hash_file(path)?);
        }
        let key = json!({"inputs": inputs, "precision": merged.precision});
        stage::finish(folder, "adapter merge", key, serde_json::to_value(&merged)?)?;
        Ok(merged)
    })?;
    let said = json!({"out": out, "comparison": merged});
    ui.result(&said, || merged_text(&out, &merged))?;
    Ok(ExitCode::SUCCESS)
}

fn merged_text(out: &Path, merged: &Merged) -> String {
    let Merged { probe, largest, without_adapter, in_f32, written, allowed, same_token, precision } = merged;
    format!(
        "{}: base and adapter as one checkpoint, {precision}\n  \
         logits of {probe} tokens against base and adapter, the largest being {largest:.3}:\n  \
         merged in f32     differs by {in_f32:.2e}\n  \
         written, read     differs by {written:.2e} (at most {allowed:.2e}), {:.0} % of the next tokens the same\n  \
         without adapter   differs by {without_adapter:.2e}",
        out.display(),
        100.0 * same_token
    )
}

fn run_export(args: ExportArgs, ui: &Ui) -> Result<ExitCode> {
    let ExportArgs { adapter, out, format, precision, base } = args;
    let precision = precision.precision();
    let description = written(&out, |folder| {
        let description = export(&adapter, folder, (precision, format.names()), base.as_deref())?;
        copy(ASKING, &adapter, folder)?;
        Ok(description)
    })?;
    let parameters = description.parameters;
    let base = base.or(description.base);
    let said = json!({"out": out, "parameters": parameters, "precision": precision.name(), "base": base});
    ui.result(&said, || {
        format!("{}: {} parameters, {}", out.display(), thousands(parameters), precision.name())
    })?;
    Ok(ExitCode::SUCCESS)
}
