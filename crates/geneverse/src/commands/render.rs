//! `render protein` and `render spatial`: pictures that a model is asked about.

mod protein;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Cartoons of protein structures: helices as ribbons, strands as arrows, the rest as tubes
    Protein(protein::ProteinArgs),
}

pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Protein(args) => protein::run(args, ui),
    }
}
