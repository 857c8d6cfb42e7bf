//! The `geneverse` program: arguments in, exit status out.

mod answer;
mod asking;
mod bundled;
mod chat;
mod cli;
mod commands;
mod config;
mod endpoint;
mod inputs;
mod pictures;
mod serve;
mod stop;
mod ui;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: geneverse_model::heap::LargePages = geneverse_model::heap::LargePages;

fn main() -> ExitCode {
    geneverse_model::heap::keep_freed_memory();
    let cli = cli::Cli::parse();
    stop::with_input();
    let ui = ui::Ui::new(cli.json, cli.quiet);
    match commands::run(cli.command, &ui) {
        Ok(code) => code,
        Err(error) => {
            ui.error(&error);
            ExitCode::FAILURE
        }
    }
}
