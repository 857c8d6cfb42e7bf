//! The command line: one variant per command, each with its own arguments.

use clap::{Parser, Subcommand};

use crate::commands;

/// Adapts open language models to genes and proteins, and tells honestly how good they are.
#[derive(Debug, Parser)]
#[command(name = "geneverse", version, max_term_width = 100, after_help = "Start with:\n  geneverse quickstart")]
pub(crate) struct Cli {
    /// Print results as JSON on standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The gene database: import, show
    #[command(subcommand)]
    Genes(commands::genes::Command),
    /// Instruction data and pretraining text from the database
    #[command(subcommand)]
    Dataset(commands::dataset::Command),
}
