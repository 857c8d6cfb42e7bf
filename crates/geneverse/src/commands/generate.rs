//! `generate`: questions to `answers.jsonl`, an answer at a time, by a model here or elsewhere or by the database itself.
//!
//! Finished answers are appended to `OUT.part` at once, so that an interrupted run goes on where it was; at the
//! end they are put in the questions' order, written to OUT, and the part is removed.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use clap::Args;
use geneverse_data::answers;
use geneverse_data::dataset::read_examples;
use geneverse_data::stage::{self, Found, hash_file};
use serde::Serialize;
use serde_json::json;

use crate::answer::part::beside;
use crate::answer::{self, AnswerArgs, Answered};
use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "generate";

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(after_help = "\
A model's folder answers greedily, many questions at once. With --endpoint any OpenAI-compatible service is asked (OpenAI, \
vLLM, llama.cpp's server, Ollama, Gemini's compatible address), pictures too; answers are kept in a cache as they come, and \
the key is read from the environment variable OPENAI_API_KEY. With --retrieve records of the database are put before the \
model, with --tools it may look things up itself; OUT.trace.jsonl then tells what was found and called. With --grounded \
the database answers without a model. A question that gets no answer is listed in OUT.failed.jsonl and loses no other.

Examples:
  geneverse generate --model runs/nano/model --adapter runs/lora/adapter --prompts dataset/test.json --out answers.jsonl
  geneverse generate --model llama --retrieve symbol --db genes.db --top-k 2 --prompts dataset/test.json --out rag.jsonl
  geneverse generate --endpoint https://api.openai.com/v1 --model gpt-4o --prompts proteins/test.json --out gpt.jsonl
  geneverse generate --grounded --db genes.db --prompts dataset/test.json --out database.jsonl")]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) by: AnswerArgs,
    /// The questions: Alpaca JSON, such as a dataset's test.json
    #[arg(long)]
    pub(crate) prompts: PathBuf,
    /// The answers to write
    #[arg(long, default_value = "answers.jsonl")]
    pub(crate) out: PathBuf,
    /// Print answers to standard error as they come, one after another
    #[arg(long, conflicts_with_all = ["endpoint", "grounded", "tools"])]
    pub(crate) stream: bool,
    /// Only the first N questions
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// What a generation came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) out: PathBuf,
    pub(crate) answers: usize,
    pub(crate) finished: bool,
    /// Questions that got no answer; they are listed in OUT.failed.jsonl.
    pub(crate) failed: usize,
    pub(crate) new_tokens: usize,
    pub(crate) seconds: f64,
    /// Of which reading the model and the questions' tokens took so many.
    pub(crate) load_seconds: f64,
    /// And reading the questions and writing the answers so many.
    pub(crate) generate_seconds: f64,
    /// Answers that reached the longest length without ending.
    pub(crate) cut: usize,
}

/// Runs `generate`.
pub(crate) fn run(args: &GenerateArgs, ui: &Ui) -> Result<ExitCode> {
    let report = answer_all(args, ui)?;
    ui.result(&report, || match report.finished {
        true => {
            let failed = match report.failed {
                0 => String::new(),
                failed => format!(", {failed} questions without one"),
            };
            format!(
                "{} answers{failed}, {:.0} new tokens/s\n{}",
                report.answers,
                report.new_tokens as f64 / report.generate_seconds.max(1e-9),
                report.out.display()
            )
        }
        false => format!("stopped after {} answers; the same command goes on", report.answers),
    })?;
    Ok(if report.finished { ExitCode::SUCCESS } else { stop::exit() })
}

/// The stage `generate`.
pub(crate) fn answer_all(args: &GenerateArgs, ui: &Ui) -> Result<Report> {
    let GenerateArgs { by, prompts, out, stream, limit } = args;
    let mut examples = read_examples(prompts)?;
    examples.truncate(limit.unwrap_or(usize::MAX));
    let mut way = by.way(prompts, &examples, out, *stream, ui)?;
    way.inputs.insert("prompts".to_owned(), hash_file(prompts)?);
    way.key["inputs"] = json!(way.inputs);
    way.key["limit"] = json!(limit);
    let key = way.key.clone();
    if let Found::Done(_) = stage::look(out, STAGE, &key)? {
        let answers = answers::read(out)?.len();
        return Ok(Report { out: out.clone(), answers, finished: true, ..Report::default() });
    }
    if out.exists() {
        bail!(
            "{}: exists and was not finished by this program; choose another --out or remove it",
            out.display()
        );
    }
    let begun = Instant::now();
    let answered = answer::stage(&examples, prompts, out, way, &key, by.ask.skip_failed, ui)?;
    let Answered { answers, now: _, finished, failed, new_tokens, cut, load_seconds } = answered;
    let seconds = begun.elapsed().as_secs_f64();
    if finished {
        ensure!(answers > 0, "no question got an answer: {} says why", beside(out, "failed.jsonl").display());
        let facts = json!({
            "answers": answers, "failed": failed, "new_tokens": new_tokens, "seconds": seconds, "cut": cut,
        });
        stage::finish(out, STAGE, key, facts)?;
    }
    let (out, generate_seconds) = (out.clone(), seconds - load_seconds);
    Ok(Report { out, answers, finished, failed, new_tokens, seconds, load_seconds, generate_seconds, cut })
}
