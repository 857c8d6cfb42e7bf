//! One module per command. Each has its `Args` (or `Command` where it has subcommands) and a `run`.
//!
//! A command reads its arguments, calls one library function from files to files, and prints: results on
//! standard output (JSON with `--json`), talk and progress on standard error through [`Ui`].

use std::process::ExitCode;

use crate::cli::Command;
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
    }
}
