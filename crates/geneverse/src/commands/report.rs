//! `report`: run folders as one HTML page.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use geneverse_data::stage::atomic_write;
use geneverse_eval::report::{Collect, Run, collect, render};
use serde_json::json;

use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
A run's folder holds metrics.jsonl (losses), answers[.SPLIT][.clean].jsonl and scores[.SPLIT][.clean].json; what is
there is shown, under the folder's name. Runs are compared on the questions that they share. Beside every score the page
tells what of the questions is in the training data, and what looking up a training answer would score: the data is
that of --dataset, else the file that a run's recipe.toml names, else the folder `dataset` beside a run.

The page opens from disk, asks nothing of the network, and its tables need no script.

Example:
  geneverse report runs/base runs/finetuned --dataset dataset --out report.html")]
pub(crate) struct ReportArgs {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// The page's title
    #[arg(long, default_value = "Geneverse: how good are the answers?")]
    title: String,
    /// The dataset that the runs were trained on: its folder or its training file [default: found by the runs' recipes]
    #[arg(long, value_name = "DIR")]
    dataset: Option<PathBuf>,
    /// How many MiB of the questions' pictures are put into the page; the paths of the others are told
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    pictures: u64,
}

pub(crate) fn run(args: ReportArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ReportArgs { runs, out, title, dataset, pictures } = args;
    let runs = runs.into_iter().map(run_of).collect();
    let mut input = collect(&Collect { runs, dataset, pictures: pictures.saturating_mul(1 << 20) }, ui)?;
    input.title = title;
    let (models, questions) =
        (input.splits.iter().map(|s| s.rows.len()).sum::<usize>(), input.questions.len());
    let page = render(&input);
    atomic_write(&out, |file| file.write_all(page.as_bytes()))?;
    let leakage: Vec<_> = input.splits.iter().map(|table| !table.contexts.is_empty()).collect();
    let said = json!({
        "report": out, "rows": models, "questions": questions, "curves": input.curves.len(),
        "pictures": input.pictures.len(), "bytes": page.len(),
    });
    ui.result(&said, || {
        let unknown = if leakage.contains(&false) {
            "  no training data was found: leakage is not known; name it with --dataset\n"
        } else {
            ""
        };
        format!(
            "{}: {models} rows, {questions} questions, {} loss curves\n{unknown}",
            out.display(),
            input.curves.len()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A run's folder with the training file that its recipe names.
pub(crate) fn run_of(folder: PathBuf) -> Run {
    let train = recipe_train(&folder);
    Run { folder, train }
}

/// `data.train` of a `recipe.toml`, whatever else is in it: a recipe of another version is to be shown too.
fn recipe_train(folder: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(folder.join("recipe.toml")).ok()?;
    let recipe: toml::Table = text.parse().ok()?;
    Some(PathBuf::from(recipe.get("data")?.get("train")?.as_str()?))
}
