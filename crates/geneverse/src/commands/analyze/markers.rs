//! `analyze markers`: genes that mark cell types, found in expression.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use geneverse_data::stage::{Found, atomic_write, finish, hash_file, look};
use geneverse_data::store::GeneStore;
use geneverse_data::tissue::truth::TruthReport;
use geneverse_eval::marker_genes::{RankedGene, Recovery, recovery, write_csv};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commands::tissue::{TestArgs, TissueArgs, truth, truth_text};
use crate::ui::Ui;

const STAGE: &str = "analyze markers";
/// Markers of a type that are printed.
const SHOWN: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = "\
Each cell type is tested against all other cells by Wilcoxon's rank-sum test, gene by gene; p-values are corrected by \
Benjamini and Hochberg over a type's genes. The numbers are those of scanpy's rank_genes_groups(method=\"wilcoxon\"). Counts \
are first brought to one total per cell and to ln(1 + x), as scanpy's normalize_total and log1p do; other values are tested \
as they are. Cells need no places.

Writes a row for each marker (with --all for each gene) of each type: cell_type, rank, gene, score, log2_fold, p, p_adjusted, \
log10_p_adjusted, share, share_rest, cells. `dataset markers --truth` reads the file. With --truth it is told how many of the \
known markers were found, and how many others.

Examples:
  geneverse analyze markers --tissue outs --cell-types types.csv --out markers.csv
  geneverse analyze markers --counts counts.csv --cell-types clusters.csv --type-column cluster --top 10 --out markers.csv
  geneverse analyze markers --tissue lab --truth lab/truth.tsv --out markers.csv")]
pub(crate) struct MarkersArgs {
    #[command(flatten)]
    tissue: TissueArgs,
    #[command(flatten)]
    test: TestArgs,
    /// Known markers to compare with: a table with a gene and a cell type in each row
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// What the tissue calls the cell types of --truth: a table of two columns
    #[arg(long, value_name = "FILE", requires = "truth")]
    type_names: Option<PathBuf>,
    /// The gene database, to find genes of --truth by other symbols
    #[arg(long, value_name = "FILE", requires = "truth")]
    db: Option<PathBuf>,
    /// Every gene of every type, not the markers alone
    #[arg(long)]
    all: bool,
    /// The table to write
    #[arg(long, value_name = "FILE", default_value = "markers.csv")]
    out: PathBuf,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    cells: usize,
    genes: usize,
    /// Whether counts were normalised before.
    normalised: bool,
    types: Vec<TypeOutcome>,
    truth: Option<TruthReport>,
    recovery: Option<Recovery>,
    /// How long ranking took, and all of it.
    rank_seconds: f64,
    seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TypeOutcome {
    cell_type: String,
    cells: usize,
    markers: usize,
    /// The first of them.
    first: Vec<RankedGene>,
}

/// Runs `analyze markers`.
pub(crate) fn run(args: &MarkersArgs, ui: &Ui) -> Result<ExitCode> {
    let MarkersArgs { tissue: tissue_args, test, truth: truth_file, type_names, db, all, out } = args;
    let begun = Instant::now();
    let read = tissue_args.read(true, None, ui)?;
    let mut inputs: Vec<(String, String)> =
        read.inputs.iter().map(|input| (input.what.clone(), input.hash.clone())).collect();
    for (what, file) in [("truth", truth_file), ("type names", type_names), ("db", db)] {
        if let Some(file) = file {
            inputs.push((what.to_owned(), hash_file(file)?));
        }
    }
    let inputs: serde_json::Map<_, _> = inputs.into_iter().map(|(what, hash)| (what, json!(hash))).collect();
    let key = json!({"inputs": inputs, "test": test.key(), "all": all});
    if let Found::Done(manifest) = look(out, STAGE, &key)?
        && out.is_file()
    {
        let outcome: Outcome = serde_json::from_value(manifest.facts)?;
        return said(args, &outcome, ui);
    }
    let tissue = &read.tissue;
    let ranked_from = Instant::now();
    let ranking = test.rank(tissue, ui)?;
    let rank_seconds = ranked_from.elapsed().as_secs_f64();
    let store = db.as_deref().map(GeneStore::open).transpose()?;
    let known = truth_file
        .as_deref()
        .map(|path| truth(path, type_names.as_deref(), tissue, store.as_ref()))
        .transpose()?;
    let (genes, types) = (tissue.expression.genes.len(), tissue.cell_types.len());
    let thresholds = &ranking.thresholds;
    atomic_write(out, |file| {
        let rows = ranking.types.iter().flat_map(|of| {
            let rows: Box<dyn Iterator<Item = &RankedGene>> =
                if *all { Box::new(of.genes.iter()) } else { Box::new(thresholds.markers(of)) };
            rows.map(move |gene| (of, gene))
        });
        write_csv(file, rows)
    })?;
    let outcome = Outcome {
        cells: tissue.cells.len(),
        genes,
        normalised: ranking.normalised,
        types: ranking
            .types
            .iter()
            .map(|of| TypeOutcome {
                cell_type: of.cell_type.clone(),
                cells: of.cells,
                markers: thresholds.markers(of).count(),
                first: thresholds.markers(of).take(SHOWN).cloned().collect(),
            })
            .collect(),
        recovery: known.as_ref().map(|known| recovery(&ranking.pairs(), &known.pairs, genes, types)),
        truth: known.map(|known| known.report),
        rank_seconds,
        seconds: begun.elapsed().as_secs_f64(),
    };
    finish(out, STAGE, key, serde_json::to_value(&outcome)?)?;
    said(args, &outcome, ui)
}

fn said(args: &MarkersArgs, outcome: &Outcome, ui: &Ui) -> Result<ExitCode> {
    let mut value = serde_json::to_value(outcome)?;
    value["out"] = json!(args.out);
    ui.result(&value, || text(args, outcome))?;
    Ok(ExitCode::SUCCESS)
}

fn text(args: &MarkersArgs, outcome: &Outcome) -> String {
    let Outcome { cells, genes, normalised, types, truth, recovery, rank_seconds, seconds } = outcome;
    let markers: usize = types.iter().map(|of| of.markers).sum();
    let how = if *normalised { ", normalised" } else { "" };
    let mut text = format!(
        "{}: {markers} markers of {} cell types, in {cells} cells and {genes} genes{how} ({seconds:.2} s, {rank_seconds:.2} s of \
         them the tests)\n",
        args.out.display(),
        types.len()
    );
    for TypeOutcome { cell_type, cells, markers, first } in types {
        let names: Vec<&str> = first.iter().map(|gene| gene.symbol.as_str()).collect();
        let more = if *markers > first.len() { ", …" } else { "" };
        let _ = writeln!(text, "  {cell_type} ({cells} cells): {markers}: {}{more}", names.join(", "));
    }
    if let Some(report) = truth {
        text.push_str(&truth_text(report));
    }
    if let Some(Recovery { known, found, both, sensitivity, specificity }) = recovery {
        let _ = writeln!(
            text,
            "  {both} of {known} known markers found, and {} others (sensitivity {sensitivity:.3}, specificity {specificity:.4})",
            found - both
        );
    }
    text
}
