//! The command line: one variant per command, each with its own arguments.

use clap::{Parser, Subcommand};

use crate::commands;

/// Adapts open language models to genes and proteins, and tells honestly how good they are.
#[derive(Debug, Parser)]
#[command(
    name = "geneverse",
    version,
    max_term_width = 100,
    after_help = "Start with:\n  geneverse quickstart"
)]
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
    /// The whole gene pipeline, offline, on the bundled records and base model
    Quickstart(commands::quickstart::QuickstartArgs),
    /// The gene database: import, show
    #[command(subcommand)]
    Genes(commands::genes::Command),
    /// Instruction data and pretraining text from the database
    #[command(subcommand)]
    Dataset(commands::dataset::Command),
    /// Pictures of protein structures and of tissue
    #[command(subcommand)]
    Render(commands::render::Command),
    /// Finetune a model as a recipe says
    #[command(
        after_help = "Example:\n  geneverse train recipes/lora-genes.toml --set optim.epochs=2 --out runs/lora"
    )]
    Train(commands::train::TrainArgs),
    /// Make a small base model from text
    #[command(after_help = "Example:\n  geneverse pretrain recipes/nano.toml --out runs/nano")]
    Pretrain(commands::train::TrainArgs),
    /// Answer questions with a model, here or behind an endpoint, with records or functions at hand or not
    Generate(Box<commands::generate::GenerateArgs>),
    /// What an adapter is, and a whole model or another copy made of it
    #[command(subcommand)]
    Adapter(commands::adapter::Command),
    /// What a model computes, and what it is trained on
    #[command(subcommand)]
    Inspect(commands::inspect::Command),
    /// Put identifiers and aliases in answers right from the database
    Postprocess(commands::postprocess::PostprocessArgs),
    /// Grade answers: truth, form, BLEU, ROUGE, identifiers
    Evaluate(commands::evaluate::EvaluateArgs),
    /// GeneTuring's and GeneHop's questions to any answerer, scored as published
    Benchmark(Box<commands::benchmark::BenchmarkArgs>),
    /// A table or a sweep: many rows, one report beside the published figures
    Experiment(commands::experiment::ExperimentArgs),
    /// Runs beside each other, texts as vectors and clusters, enriched GO terms, figures
    #[command(subcommand)]
    Analyze(commands::analyze::Command),
    /// Have another model grade answers by a published rubric, and see how far it agrees
    Judge(commands::judge::JudgeArgs),
    /// Data of our own, of which the truth is known
    #[command(subcommand)]
    Lab(commands::lab::Command),
    /// Talk with a model, its answers held against the database
    Chat(commands::chat::ChatArgs),
    /// A model behind OpenAI's API, adapters beside it, and genes of the database
    Serve(Box<commands::serve::ServeArgs>),
    /// Tables, curves and every answer as one HTML page
    Report(commands::report::ReportArgs),
}
