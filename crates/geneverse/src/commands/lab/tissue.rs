//! `lab tissue`: a simulated tissue.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use geneverse_data::progress::Progress;
use geneverse_data::tissue::simulate::{LabReport, Simulation, lab_tissue};

use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Twelve cell types in ducts, follicles, vessels, fat, muscle and stroma, and genes that mark them; counts are negative \
binomial, some lost, all stained by the rest of the tissue. Writes cells.csv.gz, cell_feature_matrix/, truth.tsv and \
README.md. The same settings give the same bytes. Ctrl-C stops; the same command begins anew.

Examples:
  geneverse lab tissue --out lab
  geneverse lab tissue --cells 100000 --genes 500 --seed 2 --out lab-large
  geneverse analyze markers --tissue lab --truth lab/truth.tsv --out markers.csv")]
pub(crate) struct TissueArgs {
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many cells
    #[arg(long, value_name = "N", default_value_t = Simulation::default().cells)]
    cells: usize,
    /// How many genes: known markers and housekeeping genes first, invented ones beyond
    #[arg(long, value_name = "N", default_value_t = Simulation::default().genes)]
    genes: usize,
    /// Invent all symbols, so that only the picture tells which type a gene marks
    #[arg(long)]
    invented: bool,
    /// Share of a count that comes from the whole tissue and not from the cell
    #[arg(long, value_name = "SHARE", default_value_t = Simulation::default().ambient)]
    ambient: f64,
    /// Share of the counts that are lost
    #[arg(long, value_name = "SHARE", default_value_t = Simulation::default().dropout)]
    dropout: f64,
    /// Chooses everything
    #[arg(long, value_name = "N", default_value_t = Simulation::default().seed)]
    seed: u64,
}

pub(super) fn run(args: &TissueArgs, ui: &Ui) -> Result<ExitCode> {
    let TissueArgs { out, cells, genes, invented, ambient, dropout, seed } = args;
    let settings = Simulation {
        cells: *cells,
        genes: *genes,
        invented: *invented,
        ambient: *ambient,
        dropout: *dropout,
        seed: *seed,
    };
    stop::listen();
    match lab_tissue(out, &settings, &stop::asked, ui)? {
        Some(report) => {
            ui.result(&report, || text(&report))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            ui.note("stopped; the same command begins anew");
            Ok(stop::exit())
        }
    }
}

fn text(report: &LabReport) -> String {
    let LabReport { out, cells, genes, entries, cell_types, pairs, seconds, already_done } = report;
    let done = if *already_done { ", made earlier with the same settings" } else { "" };
    let mut text = format!(
        "{}: {cells} cells, {genes} genes, {entries} counts that are not 0 ({seconds:.1} s{done})\n  {pairs} pairs of a gene and a \
         cell type that it marks, in truth.tsv\n",
        out.display()
    );
    for (name, count) in cell_types {
        let _ = writeln!(text, "  {name}: {count}");
    }
    text
}
