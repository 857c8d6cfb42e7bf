//! `dataset genes`, `dataset proteins`, `dataset markers`, `dataset text`, `dataset synthesize`, `dataset context` and
//! `dataset inspect`: what a model learns from.

mod context;
mod inspect;
mod markers;
mod pictures;
mod proteins;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use geneverse_data::dataset::Example;
use geneverse_data::dataset::format::Format;
use geneverse_data::dataset::genes::{AnswerSource, GenesDataset, GenesReport, SplitBy, genes_scored};
use geneverse_data::dataset::retrieval::Asked;
use geneverse_data::dataset::text::{TextDataset, TextReport, text};

use crate::ui::Ui;
pub(crate) use pictures::accept;
pub(crate) use proteins::structure_files;

use inspect::{InspectArgs, duplicates_text, leakage_text, retrieval_text};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Instruction data for the gene task, split without leakage, with a dataset card
    Genes(GenesArgs),
    /// Pictures and questions of the protein task, from structure files and names
    Proteins(Box<proteins::ProteinsArgs>),
    /// Pictures and questions of the marker task, from a tissue and a table of known markers
    Markers(Box<markers::MarkersArgs>),
    /// A dataset whose questions come with records that were looked up
    Context(context::ContextArgs),
    /// Lengths, kinds, duplicates and odd answers of any instruction data, and what of one set is in another
    Inspect(InspectArgs),
    /// Plain text about genes, to pretrain a small base model on
    Text(TextArgs),
    /// Texts about genes by a model behind an OpenAI-compatible endpoint
    Synthesize(super::synthesize::SynthesizeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes train.json, validation.json, test.json (or other formats), skipped.jsonl, a dataset card in README.md, and \
manifest.json. What a split has in common with another is measured and printed, and what looking up the nearest \
training answer would score.

Genes with nearly the same text are found by MinHash over runs of five words, names and numbers left out, and stay with \
those of their HGNC group on one side of the split. Nothing is dropped unasked: some 1,900 microRNA summaries are one \
text, of which --most-alike 50 keeps 50.

Examples:
  geneverse dataset genes --db genes.db --out dataset --hold-out GLI1,CASP10,FGF7 --validation-size 500
  geneverse dataset genes --out dataset --only-with-summary --most-alike 50 --format alpaca,hf
  geneverse dataset genes --out dataset --source both --synthetic synthetic.jsonl --validation-size 500 --strict")]
pub(crate) struct GenesArgs {
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only these genes: a comma-separated list, or a file with one symbol per line
    #[arg(long, value_name = "LIST|FILE")]
    symbols: Option<String>,
    /// The test set, kept out of training and validation: a list or a file, as with --symbols
    #[arg(long, value_name = "LIST|FILE")]
    hold_out: Option<String>,
    /// How many of the other genes are for validation
    #[arg(long, value_name = "N", default_value_t = 0)]
    validation_size: usize,
    /// Chooses the validation genes and the phrasings
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Leave out genes without a functional summary
    #[arg(long)]
    only_with_summary: bool,
    /// Whose words the answers about protein-coding genes are in; other genes, and the test set, have their record's
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = SourceArg::Records)]
    source: SourceArg,
    /// A language model's texts, as `dataset synthesize` writes them
    #[arg(long, value_name = "FILE")]
    synthetic: Option<PathBuf>,
    /// What stays on one side of the split: a gene, genes of connected HGNC groups, or these and near-duplicates
    #[arg(long, value_enum, value_name = "BY", default_value_t = SplitArg::Cluster)]
    split: SplitArg,
    /// Drop relatives of held-out genes, and take no cluster apart even if validation becomes smaller
    #[arg(long)]
    strict: bool,
    /// Keep at most so many genes with the same summary but for names and numbers [default: all]
    #[arg(long, value_name = "N")]
    most_alike: Option<usize>,
    /// The forms to write: a comma-separated list
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_value = "alpaca")]
    format: Vec<FormatArg>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceArg {
    /// The gene's record, put into sentences
    Records,
    /// What a language model wrote
    Synthetic,
    /// An example of each
    Both,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SplitArg {
    Gene,
    Group,
    Cluster,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// train.json: instruction, input, output
    Alpaca,
    /// train.sharegpt.json: conversations
    Sharegpt,
    /// train.messages.jsonl: messages with roles
    Messages,
    /// data/train.jsonl, as on the Hugging Face hub
    Hf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Writes train.txt and validation.txt, one document per line, and manifest.json.

Example:
  geneverse dataset text --db genes.db --out text --hold-out GLI1,CASP10,FGF7 --validation-size 200")]
pub(crate) struct TextArgs {
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Genes of which nothing is told: a comma-separated list, or a file with one symbol per line
    #[arg(long, value_name = "LIST|FILE")]
    hold_out: Option<String>,
    /// How many genes are for validation
    #[arg(long, value_name = "N", default_value_t = 0)]
    validation_size: usize,
    /// Chooses the validation genes, the phrasings and the order
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Tell of genes without a functional summary too: their name, kind, place, other symbols and groups
    #[arg(long)]
    with_bare_genes: bool,
    /// Other descriptions of genes, a line `SYMBOL: text` each; may be given several times
    #[arg(long, value_name = "FILE")]
    texts: Vec<PathBuf>,
    /// Tell of this share of the genes once more under a symbol that is made up, which teaches a small model to repeat
    /// symbols
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    disguised: f64,
    /// Tell of at most so many genes whose summaries are the same boilerplate
    #[arg(long, value_name = "N", default_value_t = 50)]
    most_alike: usize,
}

pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Genes(args) => run_genes(args, ui),
        Command::Proteins(args) => proteins::run(&args, ui),
        Command::Markers(args) => markers::run(&args, ui),
        Command::Inspect(args) => inspect::run(args, ui),
        Command::Context(args) => context::run(args, ui),
        Command::Text(args) => run_text(args, ui),
        Command::Synthesize(args) => super::synthesize::run(args, ui),
    }
}

fn run_genes(args: GenesArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let GenesArgs {
        db,
        out,
        symbols,
        hold_out,
        validation_size,
        seed,
        only_with_summary,
        source,
        synthetic,
        split,
        strict,
        most_alike,
        format,
    } = args;
    let mut formats: Vec<Format> = format
        .into_iter()
        .map(|format| match format {
            FormatArg::Alpaca => Format::Alpaca,
            FormatArg::Sharegpt => Format::Sharegpt,
            FormatArg::Messages => Format::Messages,
            FormatArg::Hf => Format::Hf,
        })
        .collect();
    formats.sort_unstable();
    formats.dedup();
    let options = GenesDataset {
        db,
        out,
        symbols: symbols.as_deref().map(symbol_list).transpose()?,
        hold_out: hold_out.as_deref().map(symbol_list).transpose()?.unwrap_or_default(),
        validation_size,
        seed,
        only_with_summary,
        source: match source {
            SourceArg::Records => AnswerSource::Records,
            SourceArg::Synthetic => AnswerSource::Synthetic,
            SourceArg::Both => AnswerSource::Both,
        },
        synthetic,
        split: match split {
            SplitArg::Gene => SplitBy::Gene,
            SplitArg::Group => SplitBy::Group,
            SplitArg::Cluster => SplitBy::Cluster,
        },
        strict,
        most_alike,
        formats,
    };
    let score = |train: &[Example], asked: &[Asked<'_>]| geneverse_eval::retrieval::score(train, asked, None);
    let report = genes_scored(&options, Some(&score), ui)?;
    ui.result(&report, || genes_text(&options, &report))?;
    Ok(ExitCode::SUCCESS)
}

fn genes_text(options: &GenesDataset, report: &GenesReport) -> String {
    let done = if report.already_done { ", made earlier from the same input" } else { "" };
    let GenesReport { train, validation, test, seconds, .. } = report;
    let mut text = format!(
        "{}: {train} training, {validation} validation, {test} test examples ({seconds:.1} s{done})\n",
        options.out.display()
    );
    for (reason, count) in &report.skipped {
        let _ = writeln!(text, "  skipped {count}: {reason}");
    }
    if let Some(synthetic) = &report.synthetic {
        let _ = writeln!(text, "  {} of {} synthetic texts used", synthetic.used, synthetic.lines);
        for (reason, count) in &synthetic.refused {
            let _ = writeln!(text, "  refused {count} of them: {reason}");
        }
    }
    for (count, what) in [
        (
            report.train_relatives_of_test,
            "training genes are relatives of a test gene, by HGNC group or by text",
        ),
        (report.clusters_split, "clusters of related genes lie both in training and validation"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  {count} {what}");
        }
    }
    if options.split != SplitBy::Gene && *validation > 0 {
        let _ =
            writeln!(text, "  the largest cluster of related genes has {} of them", report.largest_cluster);
    }
    if let Some(train) = report.splits.get("train") {
        text.push_str("training set:\n");
        text.push_str(&duplicates_text(train));
    }
    text.push_str(&leakage_text(&report.leakage));
    text.push_str(&retrieval_text(&report.retrieval));
    text
}

fn run_text(args: TextArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let TextArgs { db, out, hold_out, validation_size, seed, with_bare_genes, texts, disguised, most_alike } =
        args;
    let hold_out = hold_out.as_deref().map(symbol_list).transpose()?.unwrap_or_default();
    let bare_genes = with_bare_genes;
    let options =
        TextDataset { db, out, hold_out, validation_size, seed, bare_genes, texts, disguised, most_alike };
    let report = text(&options, ui)?;
    ui.result(&report, || text_text(&options.out, &report))?;
    Ok(ExitCode::SUCCESS)
}

fn text_text(out: &Path, report: &TextReport) -> String {
    let done = if report.already_done { " (made earlier from the same input)" } else { "" };
    let mut text = format!(
        "{}: {} documents for training ({:.1} MB), {} for validation{done}\n  {} genes described, {} by name only, {} \
         once more under a made-up symbol, {} for validation\n",
        out.display(),
        report.train_documents,
        report.train_characters as f64 / 1e6,
        report.validation_documents,
        report.train_genes,
        report.bare_genes,
        report.disguised,
        report.validation_genes,
    );
    if report.other_texts + report.other_texts_left_out > 0 {
        let _ = writeln!(
            text,
            "  {} other descriptions, {} of genes that are not told of",
            report.other_texts, report.other_texts_left_out
        );
    }
    let _ = writeln!(
        text,
        "  left out: {} held out, {} without a summary of their own ({} of these: boilerplate told often enough)",
        report.held_out, report.without_summary, report.alike
    );
    text
}

/// A list as typed, or the first word of each line of a file; `#` starts a comment.
pub(crate) fn symbol_list(text: &str) -> anyhow::Result<Vec<String>> {
    let looks_like_a_file =
        text.contains('/') || [".txt", ".tsv", ".csv"].iter().any(|end| text.ends_with(end));
    if !Path::new(text).is_file() && !looks_like_a_file {
        return Ok(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect());
    }
    let lines =
        std::fs::read_to_string(text).with_context(|| format!("{text}: cannot read the list of genes"))?;
    let words = lines.trim_start_matches('\u{feff}').lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split([',', '\t', ' ']).map(str::trim).find(|word| !word.is_empty()).map(str::to_owned)
    });
    let words: Vec<String> = words.collect();
    anyhow::ensure!(!words.is_empty(), "{text}: found no gene in it, expected one symbol per line");
    Ok(words)
}
