//! `analyze`: what scores and sets of texts are made of.

mod compare;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs beside each other on the same items: differences, intervals, p-values, correlations
    Compare(compare::CompareArgs),
}

/// Runs `analyze`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Compare(args) => compare::run(&args, ui),
    }
}
