//! `analyze`: what a set of texts is made of.

mod clusters;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Texts or vectors into clusters and onto a plane: neighbours, Leiden, UMAP
    Clusters(clusters::ClustersArgs),
}

/// Runs `analyze`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Clusters(args) => clusters::run(&args, ui),
    }
}
