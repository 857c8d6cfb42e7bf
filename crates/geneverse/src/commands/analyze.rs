//! `analyze`: what scores and sets of texts are made of.

mod clusters;
mod compare;
mod embed;
mod enrich;
mod figures;
mod markers;

use std::process::ExitCode;

use clap::Subcommand;

use crate::ui::Ui;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs beside each other on the same items: differences, intervals, p-values, correlations
    Compare(compare::CompareArgs),
    /// Texts or vectors into clusters and onto a plane: neighbours, Leiden, UMAP
    Clusters(Box<clusters::ClustersArgs>),
    /// GO terms that a set of genes, or each cluster of genes, has more of than chance would give
    Enrich(Box<enrich::EnrichArgs>),
    /// Pictures with their data beside them: points, losses, scores, sweeps
    #[command(subcommand)]
    Figures(figures::Command),
    /// Texts into vectors: by a sentence encoder, by any model's states, or by an endpoint
    Embed(embed::EmbedArgs),
    /// Genes that mark cell types, found in expression: the Wilcoxon rank-sum test
    Markers(Box<markers::MarkersArgs>),
}

/// Runs `analyze`.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Compare(args) => compare::run(&args, ui),
        Command::Clusters(args) => clusters::run(&args, ui),
        Command::Enrich(args) => enrich::run(&args, ui),
        Command::Figures(command) => figures::run(command, ui),
        Command::Embed(args) => embed::run(&args, ui),
        Command::Markers(args) => markers::run(&args, ui),
    }
}
