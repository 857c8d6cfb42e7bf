//! `dataset markers`: pictures and questions of the marker task.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use geneverse_data::dataset::markers::{
    BlindScores, Known, MarkersDataset, MarkersReport, Negatives, SplitCounts, finished, markers,
};
use geneverse_data::store::GeneStore;
use geneverse_data::tissue::truth::TruthReport;
use serde_json::json;

use super::pictures::{PictureArgs, accept, leakage_text, tell};
use crate::commands::tissue::{LayoutArg, TestArgs, TissueArgs, groups, input, truth, truth_text};
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
    #[command(flatten)]
    pictures: PictureArgs,
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
    /// How gene and cell type are shown
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = LayoutArg::Hues)]
    layout: LayoutArg,
    /// Light cells on black
    #[arg(long)]
    dark: bool,
}

pub(super) fn run(args: &MarkersArgs, ui: &Ui) -> Result<ExitCode> {
    let MarkersArgs {
        tissue,
        truth: truth_file,
        type_names,
        find,
        test,
        db,
        pictures,
        negatives,
        hard_negatives,
        min_cells,
        phrasings,
        layout,
        dark,
    } = args;
    if !*find && let Some(option) = test.given() {
        bail!(
            "{option} is of the search for markers, and says nothing of a table; leave it out, or say --find"
        );
    }
    stop::listen();
    let read = tissue.read(false, pictures.licence.as_deref(), ui)?;
    let mut inputs = read.inputs;
    for (what, file) in [("truth", truth_file), ("names of cell types", type_names), ("gene database", db)] {
        if let Some(file) = file {
            inputs.push(input(file, what, None)?);
        }
    }
    let options = MarkersDataset {
        set: pictures.set(inputs)?,
        truth: if *find { test.key() } else { json!("table") },
        negatives_each: *negatives as usize,
        negatives: if *hard_negatives { Negatives::Hard } else { Negatives::Any },
        min_cells: *min_cells,
        phrasings: *phrasings,
        layout: (*layout).into(),
        dark: *dark,
    };
    let text = |report: &MarkersReport| text(&pictures.out, report);
    if let Some(report) = finished(&options)? {
        return tell(Some(&report), text, ui);
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
    tell(markers(&options, known, &accept, &stop::asked, ui)?.as_ref(), text, ui)
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
