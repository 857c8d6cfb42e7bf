//! `lab`: data of our own, for what must run with nothing at hand.

mod tissue;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A tissue whose cell types and marker genes are known, in the form of a Xenium output folder
    Tissue(tissue::TissueArgs),
}

/// Runs `lab`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Tissue(args) => tissue::run(&args, ui),
    }
}
