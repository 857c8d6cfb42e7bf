//! `experiment`: a table or a sweep, every row of it: checked and estimated, run, and put beside the published figures.
//!
//! A row comes to commands of this program, which could be typed one by one and are told in the report. Each of them is a stage
//! that is found finished when it is, so an experiment goes on where it was, and rows that come to the same commands share
//! one run (`runs/HASH`). A row that fails is told and costs no other.

mod base;
mod estimate;
mod file;
mod jobs;
mod measure;
mod page;
mod plan;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, ValueEnum};
use geneverse_data::progress::Progress;
use geneverse_data::stage::write_json;
use geneverse_model::memory::available;

use crate::cli::Cli;
use crate::stop;
use crate::ui::{self, Ui};
use file::Experiment;
use jobs::Limits;
use plan::{Planned, Settings};

#[derive(Debug, Args)]
#[command(after_help = "\
The experiment's file says which rows there are (recipes/tables/): each is a model, finetuned as a recipe says or not, with \
records looked up or not, or a service that is asked, or other commands with what is read from their results. First every \
row is resolved and checked: what is missing (a checkpoint, and how large it is; a key), how long it will take and how much \
memory. Rows that lack something are left out and told. Then the rows are run; the same command goes on after Ctrl-C, and \
--only lets several machines share the rows of one folder. With --jobs several rows run at once, each as a process of its own \
(what it says is in logs/), as far as memory holds them; a stage that rows share is done once. Writes report.html, report.json \
and figures/.

--scale bundled puts the small model that is in this program in the place of every base model, and the records that are in \
it in the place of the public files: a table then runs offline in minutes, and says nothing of the models that it names.

Examples:
  geneverse experiment recipes/tables/table1.toml --scale bundled --out table1
  geneverse experiment recipes/tables/table1.toml --models /data/checkpoints --dry-run
  geneverse experiment recipes/tables/topk.toml --scale bundled --jobs 4 --out topk")]
pub(crate) struct ExperimentArgs {
    /// The experiment
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder to write [default: experiments/NAME-OF-THE-FILE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// With the models that the rows name, or all with the bundled one
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    scale: Scale,
    /// Where checkpoint folders lie; a row's base is a folder of this name in it
    #[arg(long, value_name = "DIR", default_value = "models")]
    models: PathBuf,
    /// Ask this OpenAI-compatible endpoint in the place of those that rows name
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Only these rows, by parts of their names
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    only: Vec<String>,
    /// Only the first N questions of each row
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// So many rows at once, as far as memory holds them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    jobs: usize,
    /// Resolve, check and estimate, and run nothing
    #[arg(long)]
    dry_run: bool,
}

/// With which models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// Those that the rows name
    Full,
    /// The bundled one
    Bundled,
}

/// Runs `experiment`.
pub(crate) fn run(args: &ExperimentArgs, ui: &Ui) -> Result<ExitCode> {
    let ExperimentArgs { file, out, scale, models, endpoint, only, limit, jobs, dry_run } = args;
    let experiment = Experiment::read(file)?;
    let stem = file.file_stem().unwrap_or_default();
    let out = out.clone().unwrap_or_else(|| Path::new("experiments").join(stem));
    let (models, endpoint) = (models.clone(), endpoint.clone());
    let recipes =
        file.parent().and_then(Path::parent).map_or_else(|| PathBuf::from("recipes"), Path::to_owned);
    let recipes = if recipes.as_os_str().is_empty() { PathBuf::from(".") } else { recipes };
    let settings = Settings { out: out.clone(), scale: *scale, models, endpoint, limit: *limit, recipes };
    let mut plan = plan::resolve(&experiment, &settings)?;
    if let Some(unknown) =
        only.iter().find(|part| !plan.rows.iter().any(|row| row.name.contains(part.as_str())))
    {
        bail!("--only {unknown}: no row of {} has it in its name", file.display());
    }
    plan.want(|name| only.is_empty() || only.iter().any(|part| name.contains(part.as_str())));
    ui.note(&plan.told(available()));
    if *dry_run {
        ui.result(&plan, || "nothing was run".to_owned())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(row) =
        plan.rows.iter().find(|row| row.wanted && row.missing.is_empty() && row.too_large(available()))
    {
        ui.note(&format!("warning: {} may need more memory than there is", row.name));
    }
    stop::listen();
    let begun = Instant::now();
    if *scale == Scale::Bundled {
        plan::lay_out_bundled(&out)?;
    }
    for command in &plan.prepare {
        ui.note(&format!("[data] {}", command.join(" ")));
        step(command, ui).with_context(|| command.join(" "))?;
        if stop::asked() {
            return stopped(ui);
        }
    }
    let count = plan.rows.len();
    let asked = |row: &Planned| row.wanted && row.missing.is_empty();
    if *jobs > 1 {
        let numbers: Vec<usize> = (0..count).filter(|number| asked(&plan.rows[*number])).collect();
        let limits =
            Limits { jobs: *jobs, memory: available(), threads: rayon::current_num_threads(), out: &out };
        if !jobs::run(&mut plan.rows, &numbers, &limits, ui)? {
            return stopped(ui);
        }
    } else {
        for (number, row) in plan.rows.iter_mut().enumerate().filter(|(_, row)| asked(row)) {
            ui.note(&format!("[{}/{count}] {}", number + 1, row.name));
            if !run_row(row, ui) {
                return stopped(ui);
            }
        }
    }
    for row in &mut plan.rows {
        row.read();
    }
    plan.seconds = begun.elapsed().as_secs_f64();
    let report = page::write(&out, &plan)?;
    write_json(&out.join("report.json"), &plan)?;
    ui.result(&plan, || format!("{}\nreport: {}", plan.table(), report.display()))?;
    let failed = plan.rows.iter().any(|row| row.failure.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A row's commands; what goes wrong with one is the row's. `false` where the user asked to stop.
fn run_row(row: &mut Planned, ui: &Ui) -> bool {
    let begun = Instant::now();
    for command in &row.commands {
        if let Err(error) = step(command, ui) {
            let failure = format!("{}: {}", command.first().map_or("", String::as_str), ui::in_words(&error));
            ui.note(&format!("  failed: {failure}"));
            row.failure = Some(failure);
            return !stop::asked();
        }
        if stop::asked() {
            return false;
        }
    }
    row.seconds = Some(begun.elapsed().as_secs_f64());
    true
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number from 1 on".to_owned())
}

fn stopped(ui: &Ui) -> Result<ExitCode> {
    ui.note("stopped; the same command goes on where it was");
    Ok(stop::exit())
}

/// Runs one of this program's own commands. What it would print is in the files that it writes.
fn step(command: &[String], ui: &Ui) -> Result<()> {
    super::run(parse(command)?.command, &ui.without_results())?;
    Ok(())
}

/// A command's arguments, as the command line takes them.
fn parse(command: &[String]) -> Result<Cli> {
    let words = std::iter::once("geneverse").chain(command.iter().map(String::as_str));
    Cli::try_parse_from(words).map_err(|e| {
        let text = e.to_string();
        anyhow::anyhow!("{}", text.lines().next().unwrap_or_default().trim_start_matches("error: "))
    })
}
