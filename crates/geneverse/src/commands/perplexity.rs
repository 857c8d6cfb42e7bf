//! `inspect perplexity`: how well a model foresees a text, beside models that know less.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_data::progress::Progress;
use geneverse_eval::ngram::{KneserNey, MAX_ORDER, MAX_VOCABULARY};
use geneverse_model::Decoder;
use geneverse_model::batch::{Pack, Packing, Sequence, encode_documents};
use geneverse_model::config::ModelConfig;
use geneverse_model::tokens::Tokenizer;
use serde::Serialize;

use crate::config::model_folder;
use crate::ui::Ui;

/// Sequences that are computed at once.
const BATCH: usize = 24;

#[derive(Debug, Args)]
#[command(after_help = "\
The text has a document per line. Perplexity is e to the mean loss in nats of a token, after the begin-of-sequence token \
and with the end of the document. It can be compared between models of one tokenizer only; bits per character can be \
compared between all. The n-gram model (modified Kneser-Ney smoothing) is counted on --ngram-text in tokens of the same \
tokenizer.

Example:
  geneverse inspect perplexity --model runs/nano/model --text text/validation.txt --ngram-text text/train.txt --untrained")]
pub(crate) struct PerplexityArgs {
    /// A checkpoint folder with its tokenizer
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A PEFT adapter for it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The text, a document per line
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Documents are cut into pieces of so many tokens
    #[arg(long, value_name = "N", default_value_t = 768)]
    cutoff: usize,
    /// Compare with an n-gram model of this text
    #[arg(long, value_name = "FILE")]
    ngram_text: Option<PathBuf>,
    /// Its order, 1 to 5
    #[arg(long, value_name = "N", default_value_t = MAX_ORDER)]
    ngram_order: usize,
    /// Compare with random weights in the model's shape
    #[arg(long)]
    untrained: bool,
    /// Take only the first N documents of the text
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    documents: usize,
    characters: usize,
    /// Predicted tokens.
    tokens: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Nats a token.
    loss: f64,
    perplexity: f64,
    bits_per_character: f64,
}

/// Runs `inspect perplexity`.
pub(crate) fn run(args: &PerplexityArgs, ui: &Ui) -> Result<ExitCode> {
    if !(1..=MAX_ORDER).contains(&args.ngram_order) {
        bail!("--ngram-order is {}, expected 1 to {MAX_ORDER}", args.ngram_order);
    }
    let folder = model_folder(&args.model)?;
    let tokenizer = Tokenizer::read(&folder)?;
    let mut model = Decoder::read(&folder)?;
    let config = model.config().clone();
    if config.vocab_size > MAX_VOCABULARY {
        bail!(
            "{}: found a vocabulary of {}, expected at most {MAX_VOCABULARY}",
            args.model,
            config.vocab_size
        );
    }
    if let Some(adapter) = &args.adapter {
        model = model.with_adapter(adapter)?;
    }
    let documents = read_lines(&args.text, args.limit)?;
    let encode =
        |path: &Path, documents: &[String]| encode(path, documents, &tokenizer, &config, args.cutoff);
    let sequences = encode(&args.text, &documents)?;
    let tokens: usize = sequences.iter().map(Sequence::trained).sum();
    let characters: usize = documents.iter().map(|line| line.chars().count()).sum();
    let row = |name: String, total: f64| {
        let loss = total / tokens as f64;
        let bits_per_character = total / std::f64::consts::LN_2 / characters as f64;
        Row { name, loss, perplexity: loss.exp(), bits_per_character }
    };

    let mut rows = vec![row(args.model.clone(), total_loss(&model, &sequences, "the model", ui)?)];
    if let Some(path) = &args.ngram_text {
        ui.start("counting n-grams", None, "tokens");
        let counted = encode(path, &read_lines(path, None)?)?;
        let ids = counted.iter().map(|sequence| sequence.ids.as_slice());
        let ngram = KneserNey::train(ids, args.ngram_order, config.vocab_size);
        let total = sequences.iter().map(|sequence| ngram.loss(&sequence.ids).0).sum();
        ui.finish();
        rows.push(row(format!("{}-gram, modified Kneser-Ney", args.ngram_order), total));
    }
    if args.untrained {
        let random = Decoder::random(config.clone(), 1);
        rows.push(row("untrained".to_owned(), total_loss(&random, &sequences, "random weights", ui)?));
    }
    let report = Report { documents: documents.len(), characters, tokens, rows };
    ui.result(&report, || table(&report))?;
    Ok(ExitCode::SUCCESS)
}

fn read_lines(path: &Path, limit: Option<usize>) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
    Ok(lines.take(limit.unwrap_or(usize::MAX)).collect())
}

fn encode(
    path: &Path,
    documents: &[String],
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    cutoff: usize,
) -> Result<Vec<Sequence>> {
    let encoded = encode_documents(documents.iter().map(String::as_str), tokenizer, config, cutoff);
    Ok(encoded.with_context(|| path.display().to_string())?.0)
}

fn total_loss(model: &Decoder, sequences: &[Sequence], what: &str, ui: &Ui) -> Result<f64> {
    ui.start(what, Some(sequences.len() as u64), "sequences");
    let mut total = 0.0;
    for (at, batch) in sequences.chunks(BATCH).enumerate() {
        total += model.loss(&Pack::new(batch, model.config(), Packing::Apart), 1)?;
        ui.set(((at + 1) * BATCH).min(sequences.len()) as u64);
    }
    ui.finish();
    Ok(total)
}

fn table(report: &Report) -> String {
    let mut text = format!(
        "{} documents, {} characters, {} tokens\n{:<40} {:>10} {:>11} {:>14}\n",
        report.documents, report.characters, report.tokens, "", "nats/token", "perplexity", "bits/character"
    );
    for row in &report.rows {
        let _ = writeln!(
            text,
            "{:<40} {:>10.4} {:>11.2} {:>14.4}",
            row.name, row.loss, row.perplexity, row.bits_per_character
        );
    }
    text
}
