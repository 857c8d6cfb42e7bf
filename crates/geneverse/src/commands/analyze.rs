//! `analyze`: what a set of texts is made of.

mod embed;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Texts into vectors: by a sentence encoder, by any model's states, or by an endpoint
    Embed(embed::EmbedArgs),
}

/// Runs `analyze`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Embed(args) => embed::run(&args, ui),
    }
}
