//! One module per command. Each has its `Args` (or `Command` where it has subcommands) and a `run`.
//!
//! A command reads its arguments, calls one library function from files to files, and prints: results on
//! standard output (JSON with `--json`), talk and progress on standard error through [`Ui`].

pub(crate) mod adapter;
pub(crate) mod analyze;
pub(crate) mod benchmark;
pub(crate) mod chat;
pub(crate) mod continuations;
pub(crate) mod dataset;
pub(crate) mod evaluate;
pub(crate) mod experiment;
pub(crate) mod fetch;
pub(crate) mod generate;
pub(crate) mod genes;
pub(crate) mod inspect;
pub(crate) mod judge;
pub(crate) mod lab;
pub(crate) mod memory;
pub(crate) mod perplexity;
pub(crate) mod postprocess;
pub(crate) mod preflight;
pub(crate) mod quickstart;
pub(crate) mod render;
pub(crate) mod report;
pub(crate) mod serve;
pub(crate) mod synthesize;
pub(crate) mod tissue;
pub(crate) mod train;

use std::process::ExitCode;

use crate::cli::Command;
use crate::ui::Ui;

/// Runs one command.
pub(crate) fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitCode> {
    match command {
        Command::Genes(command) => genes::run(command, ui),
        Command::Dataset(command) => dataset::run(command, ui),
        Command::Quickstart(args) => quickstart::run(&args, ui),
        Command::Train(args) => train::run(&args, ui),
        Command::Pretrain(args) => train::run_pretrain(&args, ui),
        Command::Generate(args) => generate::run(&args, ui),
        Command::Adapter(command) => adapter::run(command, ui),
        Command::Inspect(command) => inspect::run(command, ui),
        Command::Postprocess(args) => postprocess::run(&args, ui),
        Command::Benchmark(args) => benchmark::run(&args, ui),
        Command::Experiment(args) => experiment::run(&args, ui),
        Command::Evaluate(args) => evaluate::run(&args, ui),
        Command::Analyze(command) => analyze::run(command, ui),
        Command::Judge(args) => judge::run(args, ui),
        Command::Render(command) => render::run(command, ui),
        Command::Lab(command) => lab::run(command, ui),
        Command::Report(args) => report::run(args, ui),
        Command::Chat(args) => chat::run(&args, ui),
        Command::Serve(args) => serve::run(&args, ui),
    }
}
