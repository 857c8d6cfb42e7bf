//! `inspect`: what a run will be.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::commands::memory;
use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How much memory a recipe's run will need
    Memory(memory::MemoryArgs),
}

/// Runs `inspect`.
pub(crate) fn run(command: Command, ui: &Ui) -> Result<ExitCode> {
    match command {
        Command::Memory(args) => memory::run(args, ui),
    }
}
