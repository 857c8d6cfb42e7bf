//! `judge`: grades of answers by another model, and how they agree with those of `evaluate`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use clap::Args;
use geneverse_data::answers;
use geneverse_data::chat::Sampling;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{Found, finish, hash_file, look, read_json, write_json};
use geneverse_data::synthesize::{Query, ask_all};
use geneverse_eval::judge::{Agreement, Judgements, RUBRIC, judgements, question, rubric_hash};
use geneverse_eval::scores::Scores;
use serde_json::json;

use crate::endpoint::{AskArgs, address, cache_file};
use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "judge";
#[derive(Debug, Args)]
#[command(after_help = "\
Asks an OpenAI-compatible endpoint to grade each answer by a published rubric (--rubric prints it) against the reference
answer, 0 or 1 for truth and for form. Replies are kept in a cache as they come: the same command goes on after an
interruption and pays for nothing twice. With --scores the agreement with the grades of `evaluate` is told as Cohen's
kappa. The key is read from the environment variable OPENAI_API_KEY, and is written nowhere.

Examples:
  geneverse judge answers.jsonl --endpoint http://localhost:8000/v1 --model qwen3-8b \\
      --scores scores.json --out judged.json
  geneverse judge --rubric")]
pub(crate) struct JudgeArgs {
    /// The answers, as written by `generate` or `postprocess`
    #[arg(value_name = "ANSWERS", required_unless_present = "rubric")]
    answers: Option<PathBuf>,
    /// The endpoint's address, which usually ends in /v1
    #[arg(long, value_name = "URL", required_unless_present = "rubric")]
    endpoint: Option<String>,
    /// The judge's name at the endpoint
    #[arg(long, value_name = "NAME", required_unless_present = "rubric")]
    model: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE", required_unless_present = "rubric")]
    out: Option<PathBuf>,
    /// The grades to compare with, as written by `evaluate` for the same answers
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// The longest reply in tokens, hidden reasoning included
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: u64,
    #[command(flatten)]
    ask: AskArgs,
    /// Print the rubric, and ask nothing
    #[arg(long)]
    rubric: bool,
}

pub(crate) fn run(args: JudgeArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let JudgeArgs { answers, endpoint, model, out, scores, max_tokens, ask, rubric } = args;
    if rubric {
        ui.result(&json!({"rubric": RUBRIC, "sha256": rubric_hash()}), || RUBRIC.to_owned())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(input), Some(endpoint), Some(model), Some(out)) = (answers, endpoint, model, out) else {
        return Err(anyhow!("expected the answers, --endpoint, --model and --out"));
    };
    let address = address(&endpoint)?;
    // At 0 the same question gets the same reply, as far as the server can.
    let sampling = Sampling { temperature: Some(0.0), top_p: None, max_tokens: Some(max_tokens), seed: None };
    let stage_key = json!({
        "answers": hash_file(&input)?,
        "scores": scores.as_deref().map(hash_file).transpose()?,
        "model": model,
        "rubric": rubric_hash(),
        "sampling": sampling,
    });
    if let Found::Done(_) = look(&out, STAGE, &stage_key)?
        && out.is_file()
    {
        let judged: Judgements = read_json(&out)?;
        ui.result(&judged, || text(&out, &judged))?;
        return Ok(ExitCode::SUCCESS);
    }
    let answers = answers::read(&input)?;
    ensure!(!answers.is_empty(), "{}: found no answers, expected at least one line", input.display());
    let grades: Option<Scores> = scores.as_deref().map(read_json).transpose()?;
    if let (Some(grades), Some(path)) = (&grades, &scores) {
        let missing = answers.iter().find(|answer| !grades.items.iter().any(|item| item.id == answer.id));
        ensure!(
            missing.is_none(),
            "{}: found no grade of answer {}, expected the scores of these answers; evaluate them first",
            path.display(),
            missing.map_or("", |answer| answer.id.as_str())
        );
    }
    let queries: Vec<Query> = answers
        .iter()
        .map(|answer| Query { name: answer.id.clone(), request: question(answer, &model, sampling) })
        .collect();
    let client = ask.client(address, ui)?;
    stop::listen();
    let what = json!([model, rubric_hash(), sampling]).to_string();
    let cache = cache_file(&ask, &out, "judge-cache", &model, &what);
    let asked = ask_all(&client, &queries, &cache, ask.at_once(), ask.limits(), "asking the judge", ui)?;
    let there = asked.cached + asked.asked;
    if asked.stopped {
        ui.note(&format!(
            "stopped: {there} of {} answers are judged, and every reply is kept; the same command goes on",
            answers.len()
        ));
        return Ok(stop::exit());
    }
    ensure!(
        asked.failed == 0 || ask.skip_failed,
        "{} of {} questions got no reply, the last because of: {}. All others are kept: the same command asks these again, \
         and with --skip-failed it finishes without them",
        asked.failed,
        answers.len(),
        asked.last_failure
    );
    client.adjustments().iter().for_each(|line| ui.note(&format!("note: {line}")));
    let judged = judgements(&answers, &asked.answers, grades.as_ref().map(|g| g.items.as_slice()), &model);
    write_json(&out, &judged)?;
    let facts = json!({
        "n": judged.n, "malformed": judged.malformed, "unanswered": judged.unanswered,
        "asked": asked.asked, "cached": asked.cached, "usage": asked.usage, "cost": asked.cost,
    });
    finish(&out, STAGE, stage_key, facts)?;
    ui.result(&judged, || text(&out, &judged))?;
    Ok(ExitCode::SUCCESS)
}

fn text(out: &Path, judged: &Judgements) -> String {
    let Judgements {
        n,
        judged: with,
        malformed,
        unanswered,
        truth,
        form,
        truth_agreement,
        form_agreement,
        ..
    } = judged;
    let mean = |mean: &Option<f64>| mean.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.3}"));
    let mut text = format!("{}: {with} of {n} answers judged", out.display());
    for (count, what) in [(malformed, "malformed replies"), (unanswered, "without a reply")] {
        if *count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let _ = writeln!(text, "\n  truth       {}\n  form        {}", mean(truth), mean(form));
    for (what, agreement) in [("truth", truth_agreement), ("form", form_agreement)] {
        let Some(Agreement { both, judge_only, grader_only, neither, kappa }) = agreement else { continue };
        let _ = writeln!(
            text,
            "  {what:<11} kappa {}: both 1 {both}, judge only {judge_only}, grader only {grader_only}, both 0 {neither}",
            mean(kappa)
        );
    }
    text
}
