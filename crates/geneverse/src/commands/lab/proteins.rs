//! `lab proteins`: ideal folds as PDB files.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use geneverse_data::structure::laboratory::{LabProteins, lab_proteins};

use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Writes 0001.pdb, …, names.tsv (file and name) and manifest.json. The sixteen classes come equally often.

Example:
  geneverse lab proteins --out lab/proteins --count 320 --seed 1")]
pub(crate) struct ProteinsArgs {
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many proteins
    #[arg(long, value_name = "N", default_value_t = 160)]
    count: usize,
    /// Chooses lengths, tilts and residues
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// Runs `lab proteins`.
pub(crate) fn run(args: ProteinsArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ProteinsArgs { out, count, seed } = args;
    anyhow::ensure!(count > 0, "--count is 0, expected at least 1");
    let options = LabProteins { out, count, seed };
    let report = lab_proteins(&options, ui)?;
    ui.result(&report, || {
        let done = if report.already_done { " (made earlier)" } else { "" };
        let (proteins, residues) = (report.proteins, report.residues);
        let mut text = format!("{}: {proteins} proteins, {residues} residues{done}\n", options.out.display());
        for (class, count) in &report.classes {
            let _ = writeln!(text, "  {count:>5} {class}");
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}
