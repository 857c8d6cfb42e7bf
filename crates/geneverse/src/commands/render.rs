//! `render protein` and `render spatial`: pictures that a model is asked about.

mod protein;
mod spatial;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Cartoons of protein structures: helices as ribbons, strands as arrows, the rest as tubes
    Protein(protein::ProteinArgs),
    /// Cells of a tissue at their places: a gene's expression, and the cells of a type
    Spatial(spatial::SpatialArgs),
}

pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Protein(args) => protein::run(args, ui),
        Command::Spatial(args) => spatial::run(args, ui),
    }
}
