//! `lab`: data of our own, for what must run with nothing at hand.

pub(crate) mod llava;
mod proteins;
mod tissue;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A LLaVA of a text model and a small tower that has seen nothing yet
    Llava(llava::LlavaArgs),
    /// Ideal folds as PDB files, named by class: helix bundles, sheets, barrels, mixed and disordered ones
    Proteins(proteins::ProteinsArgs),
    /// A tissue whose cell types and marker genes are known, in the form of a Xenium output folder
    Tissue(tissue::TissueArgs),
}

/// Runs `lab`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Llava(args) => llava::run(&args, ui),
        Command::Proteins(args) => proteins::run(args, ui),
        Command::Tissue(args) => tissue::run(&args, ui),
    }
}
