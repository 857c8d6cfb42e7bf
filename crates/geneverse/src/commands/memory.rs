//! `inspect memory`: what a recipe's run will need, without training.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use geneverse_data::dataset::Example;
use geneverse_model::Decoder;
use geneverse_model::batch::encode_examples;
use geneverse_model::memory::{Memory, available, predict, resident};
use geneverse_model::pictures::Seen;
use geneverse_model::tokens::Tokenizer;
use serde::Serialize;

use crate::commands::preflight::gib;
use crate::commands::train::{pictures_of, read_data, thousands, validation_file};
use crate::config::{base_folder, read_recipe};
use crate::pictures::{self, Looked, Through};
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Both ways are told: with activations kept, and with each layer computed again in the backward pass (run.recompute), \
which is slower and gives the same result. `train` chooses between them by what is available unless the recipe says.

Example:
  geneverse inspect memory recipes/lora-genes.toml --set optim.micro_batch=8")]
pub(crate) struct MemoryArgs {
    /// The recipe, a TOML file, as for `train`
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Lay a setting over the recipe: section.key=value
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What was predicted.
#[derive(Debug, Serialize)]
struct Predicted {
    /// Activations kept.
    keep: Memory,
    /// Activations computed again.
    recompute: Memory,
    keep_peak: usize,
    recompute_peak: usize,
    /// What the machine has left for the run, the program's own share apart; not known on every system.
    available: Option<usize>,
}

/// Runs `inspect memory`.
pub(crate) fn run(args: MemoryArgs, ui: &Ui) -> Result<ExitCode> {
    let MemoryArgs { recipe, set } = args;
    let recipe = read_recipe(&recipe, &set)?;
    let base = base_folder(&recipe)?;
    let tokenizer = Tokenizer::read(&base)?;
    let mut model = Decoder::read(&base)?;
    let recipe = recipe.for_model(model.config())?;
    let data = read_data(&recipe)?;
    let kept = recipe.vision.as_ref().and_then(|vision| vision.features.as_deref()).map(Path::new);
    let looked = {
        let shown = pictures_of(&recipe, &data)?;
        pictures::look(&base, Through::of(&recipe), &mut model, &shown, kept, ui)?
    };
    if let Looked::Stopped = looked {
        return Ok(stop::exit());
    }
    let (examples, validation) = data;
    let encode = |examples: &[Example], file: &str| {
        let seen = looked.album().map(|album| Seen { album, file: Path::new(file) });
        encode_examples(examples, &tokenizer, model.config(), &recipe.encoding(), seen)
            .with_context(|| file.to_owned())
    };
    let sequences = encode(&examples, &recipe.data.train)?.0;
    let validation =
        if validation.is_empty() { Vec::new() } else { encode(&validation, validation_file(&recipe))?.0 };
    drop(examples);
    let predict = |recompute| predict(&model, &recipe, (&sequences, &validation), recompute, resident());
    let (keep, recompute) = (predict(false)?, predict(true)?);
    let (keep_peak, recompute_peak) = (keep.peak(), recompute.peak());
    let predicted = Predicted { keep, recompute, keep_peak, recompute_peak, available: available() };
    ui.result(&predicted, || table(&predicted))?;
    Ok(ExitCode::SUCCESS)
}

fn table(predicted: &Predicted) -> String {
    let Predicted { keep, recompute, keep_peak, recompute_peak, available } = predicted;
    type Part = (&'static str, fn(&Memory) -> usize);
    let rows: [Part; 8] = [
        ("program, tokenizer, data", |m| m.program),
        ("frozen weights", |m| m.frozen),
        ("trained weights", |m| m.trained),
        ("gradients", |m| m.gradients),
        ("optimizer", |m| m.optimizer),
        ("activations", |m| m.activations),
        ("buffers", |m| m.scratch),
        ("threads and allocator", |m| m.overhead),
    ];
    let line = |name: &str, keep: String, recompute: String| format!("{name:<26}{keep:>12}{recompute:>12}\n");
    let mut text = line("", "kept".to_owned(), "recomputed".to_owned());
    for (name, of) in rows {
        text += &line(name, gib(of(keep)), gib(of(recompute)));
    }
    text += &line("peak", gib(*keep_peak), gib(*recompute_peak));
    text += &format!("largest micro-batch: {} rows", thousands(keep.rows));
    if let Some(available) = available {
        text += &format!("; available to the run: {}", gib(*available));
    }
    text
}
