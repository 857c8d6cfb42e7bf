//! `dataset markers`: pictures and questions of the marker task.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::answers::Task;
use geneverse_data::dataset::Example;
use geneverse_data::dataset::format::Format;
use geneverse_data::dataset::markers::{
    BlindScores, Known, MarkersDataset, MarkersReport, Negatives, SplitCounts, finished, markers,
};
use geneverse_data::dataset::pictures::PictureLeakage;
use geneverse_data::dataset::proteins::name_in;
use geneverse_data::progress::Progress;
use geneverse_data::store::GeneStore;
use geneverse_data::tissue::truth::TruthReport;
use geneverse_eval::{marker, protein};
use serde_json::json;

use super::symbol_list;
use crate::commands::tissue::{TestArgs, TissueArgs, groups, input, truth, truth_text};
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
For each gene and each cell type that it marks a picture and the question whether it does (yes); beside it the same gene with \
a type that it does not mark (no), drawn so that neither the gene nor the type alone tells the answer. Which gene marks which \
type says a table (--truth), or the tissue itself (--find: Wilcoxon, as `analyze markers`).

Writes train.json, validation.json and test.json in LLaVA's form, images/, skipped.jsonl, a dataset card in README.md, and \
manifest.json. All examples of a gene are in one split. What a split has in common with another is measured, and what answers \
without a look at the picture would score. Ctrl-C leaves what is drawn; the same command goes on.

Examples:
  geneverse lab tissue --out lab
  geneverse dataset markers --tissue lab --truth lab/truth.tsv --test-size 40 --out markers
  geneverse dataset markers --tissue outs --cell-types types.csv --truth panel.tsv --db genes.db --hold-out KDR,CD3E \\
      --validation-size 20 --hard-negatives --out markers")]
pub(crate) struct MarkersArgs {
    #[command(flatten)]
    tissue: TissueArgs,
    /// Known markers: a table with a gene and a cell type in each row, such as a panel's annotation
    #[arg(long, value_name = "FILE", required_unless_present = "find", conflicts_with = "find")]
    truth: Option<PathBuf>,
    /// What the tissue calls the cell types of --truth: a table of two columns
    #[arg(long, value_name = "FILE", requires = "truth")]
    type_names: Option<PathBuf>,
    /// Take the markers that the tissue's own expression shows
    #[arg(long)]
    find: bool,
    #[command(flatten)]
    test: TestArgs,
    /// The gene database: genes go by approved symbols, and are found by their other ones
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Genes of the test set: a comma-separated list, or a file with one symbol per line
    #[arg(long, value_name = "LIST|FILE")]
    hold_out: Option<String>,
    /// How many other genes are for testing
    #[arg(long, value_name = "N", default_value_t = 0)]
    test_size: usize,
    /// How many of the rest are for validation
    #[arg(long, value_name = "N", default_value_t = 0)]
    validation_size: usize,
    /// Answers "no" for each "yes"
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=20))]
    negatives: u64,
    /// Ask about the types whose expression is most like that of the gene's own
    #[arg(long)]
    hard_negatives: bool,
    /// Do not ask about types with fewer cells
    #[arg(long, value_name = "N", default_value_t = 10)]
    min_cells: usize,
    /// Phrase answers in several ways
    #[arg(long)]
    phrasings: bool,
    /// Pixels of a picture's side
    #[arg(long, value_name = "N", default_value_t = 336, value_parser = clap::value_parser!(u64).range(16..=4096))]
    size: u64,
    /// One panel, the type's cells ringed, rather than two panels
    #[arg(long)]
    outline: bool,
    /// Light cells on black
    #[arg(long)]
    dark: bool,
    /// Chooses splits, negatives and phrasings
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The terms on which the tissue may be used, for the dataset card
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// The forms to write: a comma-separated list
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_value = "llava")]
    format: Vec<PictureFormat>,
}

/// Forms that hold pictures.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum PictureFormat {
    /// train.json: conversations and the picture's file
    Llava,
    /// train.messages.jsonl: messages with parts of text and pictures
    Messages,
    /// data/train.jsonl, as on the Hugging Face hub
    Hf,
}

/// The forms, each once.
pub(super) fn formats(list: &[PictureFormat]) -> Vec<Format> {
    let mut formats: Vec<Format> = list
        .iter()
        .map(|format| match format {
            PictureFormat::Llava => Format::Llava,
            PictureFormat::Messages => Format::Messages,
            PictureFormat::Hf => Format::Hf,
        })
        .collect();
    formats.sort_unstable();
    formats.dedup();
    formats
}

pub(super) fn run(args: &MarkersArgs, ui: &Ui) -> Result<ExitCode> {
    let MarkersArgs {
        tissue,
        truth: truth_file,
        type_names,
        find,
        test,
        db,
        out,
        hold_out,
        test_size,
        validation_size,
        negatives,
        hard_negatives,
        min_cells,
        phrasings,
        size,
        outline,
        dark,
        seed,
        licence,
        format,
    } = args;
    stop::listen();
    let read = tissue.read(false, licence.as_deref(), ui)?;
    let mut inputs = read.inputs;
    for (what, file) in [("truth", truth_file), ("names of cell types", type_names), ("gene database", db)] {
        if let Some(file) = file {
            inputs.push(input(file, what, None)?);
        }
    }
    let options = MarkersDataset {
        out: out.clone(),
        inputs,
        truth: if *find { test.key() } else { json!("table") },
        hold_out: hold_out.as_deref().map(symbol_list).transpose()?.unwrap_or_default(),
        test_size: *test_size,
        validation_size: *validation_size,
        negatives_each: *negatives as usize,
        negatives: if *hard_negatives { Negatives::Hard } else { Negatives::Any },
        min_cells: *min_cells,
        phrasings: *phrasings,
        size: *size as usize,
        outline: *outline,
        dark: *dark,
        seed: *seed,
        formats: formats(format),
    };
    if let Some(report) = finished(&options)? {
        ui.result(&report, || text(out, &report))?;
        return Ok(ExitCode::SUCCESS);
    }
    let tissue = &read.tissue;
    let store = db.as_deref().map(GeneStore::open).transpose()?;
    let (pairs, approved, report): (_, _, Option<TruthReport>) = match truth_file {
        Some(file) => {
            let truth = truth(file, type_names.as_deref(), tissue, store.as_ref())?;
            (truth.pairs, truth.approved, Some(truth.report))
        }
        None => (test.rank(tissue, ui)?.pairs(), BTreeMap::new(), None),
    };
    if pairs.is_empty() {
        bail!("found no marker in the tissue; see --max-p, --min-log2-fold and --min-share");
    }
    let groups = store.as_ref().map(|store| groups(tissue, store)).transpose()?.unwrap_or_default();
    let known =
        Known { tissue, pairs: &pairs, approved: &approved, groups: &groups, report: report.as_ref() };
    match markers(&options, known, &accept, &stop::asked, ui)? {
        Some(report) => {
            ui.result(&report, || text(out, &report))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            ui.note("stopped; the same command goes on");
            Ok(stop::exit())
        }
    }
}

/// Whether the grades of truth and form give a reference all points.
pub(crate) fn accept(example: &Example) -> Result<(), String> {
    let Example { task, subject, output, cell_type, label, .. } = example;
    let grades = match task {
        Task::Marker => {
            let cell_type = cell_type.as_deref().unwrap_or_default();
            let is_marker = label.as_deref() == Some("yes");
            [
                marker::grade_truth(output, subject, cell_type, is_marker),
                marker::grade_form(output, subject, cell_type),
            ]
        }
        _ => {
            let name = name_in(output);
            [protein::grade_truth(output, name), protein::grade_form(output)]
        }
    };
    match grades.into_iter().find(|grade| grade.score < 1.0) {
        None => Ok(()),
        Some(grade) => Err(grade.reasons.join("; ")),
    }
}

fn text(out: &Path, report: &MarkersReport) -> String {
    let done = if report.already_done { ", made earlier from the same input" } else { "" };
    let mut text =
        format!("{}: {} pictures ({:.1} s{done})\n", out.display(), report.pictures, report.seconds);
    for split in geneverse_data::dataset::genes::SPLITS {
        if let Some(SplitCounts { examples, genes, labels: [yes, no], by_type }) = report.splits.get(split) {
            let _ = writeln!(
                text,
                "  {split}: {examples} examples of {genes} genes and {} cell types, {yes} yes, {no} no",
                by_type.len()
            );
        }
    }
    for (reason, count) in &report.skipped {
        let _ = writeln!(text, "  skipped {count} pairs: {reason}");
    }
    for (what, names) in [("cell types", &report.renamed_types), ("genes", &report.renamed_genes)] {
        if let Some((from, to)) = names.iter().next() {
            let _ = writeln!(
                text,
                "  {} {what} go by another name than the tissue's ({from} is {to})",
                names.len()
            );
        }
    }
    if let Some(truth) = &report.truth {
        text.push_str(&truth_text(truth));
    }
    text.push_str(&leakage_text(&report.leakage, "gene"));
    for BlindScores { split, always_yes, by_type } in &report.blind {
        let _ = writeln!(
            text,
            "  {split} without looking: {always_yes:.3} by \"yes\" to everything, {by_type:.3} by the type's usual answer"
        );
    }
    text
}

/// What of a split is in an earlier one, a line each.
pub(super) fn leakage_text(leakage: &[PictureLeakage], subject: &str) -> String {
    let mut text = String::new();
    for PictureLeakage {
        from,
        into,
        examples,
        same_subject,
        same_picture,
        same_text,
        same_cluster,
        same_group,
    } in leakage
    {
        let mut parts = vec![
            format!("{} by {subject}", same_subject.count),
            format!("{} by picture", same_picture.count),
            format!("{} by text", same_text.count),
        ];
        parts.extend(same_cluster.iter().map(|found| format!("{} by cluster", found.count)));
        parts.extend(same_group.iter().map(|found| format!("{} by HGNC group", found.count)));
        let _ = writeln!(text, "  of {examples} examples of {into} in {from}: {}", parts.join(", "));
    }
    text
}
