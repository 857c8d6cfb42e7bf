//! `report`: run folders as one HTML page.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use geneverse_data::stage::atomic_write;
use geneverse_eval::report::{collect, render};
use serde_json::json;

use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
A run's folder holds metrics.jsonl (losses), answers[.SPLIT][.clean].jsonl and scores[.SPLIT][.clean].json; what is
there is shown, under the folder's name. The page opens from disk and asks nothing of the network.

Example:
  geneverse report runs/base runs/finetuned --out report.html")]
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
}

pub(crate) fn run(args: ReportArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let ReportArgs { runs, out, title } = args;
    let mut input = collect(&runs)?;
    input.title = title;
    let (models, questions) =
        (input.splits.iter().map(|s| s.rows.len()).sum::<usize>(), input.questions.len());
    let page = render(&input);
    atomic_write(&out, |file| file.write_all(page.as_bytes()))?;
    let said = json!({"report": out, "rows": models, "questions": questions, "curves": input.curves.len()});
    ui.result(&said, || {
        format!(
            "{}: {models} rows, {questions} questions, {} loss curves\n",
            out.display(),
            input.curves.len()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
