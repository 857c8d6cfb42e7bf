//! `benchmark`: GeneTuring's and GeneHop's questions to any answerer, scored as published.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use geneverse_data::answers;
use geneverse_data::dataset::{Example, write_examples};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{self, Found, hash_file, read_json, write_json};
use geneverse_eval::benchmark::{BenchmarkScores, Question, Rule, read, scores};
use serde::Deserialize;
use serde_json::json;

use crate::answer::part::beside;
use crate::answer::{self, AnswerArgs};
use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "benchmark";

/// The version of the scoring.
const RULES: u32 = 1;

#[derive(Debug, Args)]
#[command(after_help = "\
The questions are GeneGPT's files (github.com/ncbi/GeneGPT, data/geneturing.json and data/genehop.json). Each module is scored \
as that repository's evaluate.py does, to the letter; beside it is told how much of what is wanted stands anywhere in the \
answer, for a model that answers in a sentence scores nothing there. A question without an answer scores 0, and why there is \
none is told. --grounded needs no model; variants and sequences are in no gene database. Writes answers.jsonl, \
answers.jsonl.trace.jsonl with the calls, and scores.json. Published means: GeneGPT 0.83, new Bing 0.44, GPT-3 0.16, \
ChatGPT 0.12, BioMedLM 0.08, BioGPT 0.04 (arXiv 2304.09667).

Examples:
  geneverse benchmark geneturing.json --grounded --db genes.db --out geneturing-database
  geneverse benchmark geneturing.json --tools --db genes.db --endpoint http://localhost:8000/v1 --model qwen3-8b \\
      --out geneturing-tools
  geneverse benchmark genehop.json --model models/geneverse-nano --limit 5 --out genehop-nano")]
pub(crate) struct BenchmarkArgs {
    /// The questions
    #[arg(value_name = "QUESTIONS")]
    questions: PathBuf,
    #[command(flatten)]
    by: AnswerArgs,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only these modules, by their names in the file
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    modules: Vec<String>,
    /// Only the first N questions of each module
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A line of the list of questions without an answer.
#[derive(Deserialize)]
struct Failed {
    id: String,
    failure: String,
}

/// Runs `benchmark`.
pub(crate) fn run(args: &BenchmarkArgs, ui: &Ui) -> Result<ExitCode> {
    let Some(scores) = ask_and_score(args, ui)? else { return Ok(stop::exit()) };
    ui.result(&scores, || text(&args.out, &scores))?;
    Ok(ExitCode::SUCCESS)
}

fn ask_and_score(args: &BenchmarkArgs, ui: &Ui) -> Result<Option<BenchmarkScores>> {
    let BenchmarkArgs { questions: file, by, out, modules, limit } = args;
    let questions = chosen(read(file)?, modules, *limit, file)?;
    let examples: Vec<Example> = questions.iter().map(example).collect();
    let (prompts, answered) = (out.join("questions.json"), out.join("answers.jsonl"));
    let mut way = by.way(&prompts, &examples, &answered, false, ui)?;
    way.inputs.insert("questions".to_owned(), hash_file(file)?);
    way.key["inputs"] = json!(way.inputs);
    way.key["modules"] = json!(modules);
    way.key["limit"] = json!(limit);
    way.key["rules"] = json!(RULES);
    let (key, name) = (way.key.clone(), way.name.clone());
    let path = out.join("scores.json");
    if let Found::Done(_) = stage::look(out, STAGE, &key)? {
        return Ok(Some(read_json(&path)?));
    }
    write_examples(&prompts, &examples)?;
    // What a database cannot answer it cannot answer tomorrow.
    let skip_failed = by.ask.skip_failed || by.grounded;
    let told = answer::stage(&examples, &prompts, &answered, way, &key, skip_failed, ui)?;
    if !told.finished {
        ui.note(&format!(
            "stopped after {} of {} answers; the same command goes on",
            told.answers,
            examples.len()
        ));
        return Ok(None);
    }
    let given: HashMap<String, String> =
        answers::read(&answered)?.into_iter().map(|answer| (answer.id, answer.answer)).collect();
    let failures = failures(&beside(&answered, "failed.jsonl"))?;
    let scores = scores(&name, &questions, |question| match given.get(&question.id) {
        Some(answer) => Ok(answer.clone()),
        None => Err(failures.get(&question.id).cloned().unwrap_or_else(|| "not asked".to_owned())),
    });
    write_json(&path, &scores)?;
    let facts = json!({"published": scores.published, "answers": told.answers, "failed": told.failed});
    stage::finish(out, STAGE, key, facts)?;
    Ok(Some(scores))
}

/// The questions asked for.
fn chosen(
    all: Vec<Question>,
    modules: &[String],
    limit: Option<usize>,
    file: &Path,
) -> Result<Vec<Question>> {
    let known = |name: &String| all.iter().any(|question| question.module == *name);
    if let Some(unknown) = modules.iter().find(|name| !known(name)) {
        let mut names: Vec<&str> = all.iter().map(|question| question.module.as_str()).collect();
        names.dedup();
        ensure!(false, "--modules {unknown}: not in {}, expected of {}", file.display(), names.join(", "));
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    let wanted = all.into_iter().filter(|question| {
        let count = counts.entry(question.module.clone()).or_default();
        *count += 1;
        (modules.is_empty() || modules.contains(&question.module)) && limit.is_none_or(|most| *count <= most)
    });
    Ok(wanted.collect())
}

fn example(question: &Question) -> Example {
    Example {
        id: question.id.clone(),
        subject: question.module.clone(),
        instruction: question.question.clone(),
        output: question.wanted.words(),
        ..Example::default()
    }
}

fn failures(path: &Path) -> Result<HashMap<String, String>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(e) => return Err(e).with_context(|| format!("{}: cannot read", path.display())),
    };
    let failed = |line: &str| -> Result<(String, String)> {
        let Failed { id, failure } = serde_json::from_str(line)?;
        Ok((id, failure))
    };
    text.lines().map(failed).collect()
}

fn text(out: &Path, scores: &BenchmarkScores) -> String {
    let BenchmarkScores { model, modules, published, attempted, items: _ } = scores;
    let mut text = format!("{}: {model}\n", out.join("scores.json").display());
    let _ = writeln!(
        text,
        "  {:<28} {:>9} {:>9} {:>9} {:>12}",
        "", "questions", "answered", "score", "somewhere in"
    );
    for module in modules {
        let ours = if module.rule == Rule::Ours { " (rule ours)" } else { "" };
        let _ = writeln!(
            text,
            "  {:<28} {:>9} {:>9} {:>9.3} {:>12.3}{ours}",
            module.module, module.questions, module.answered, module.score, module.contained
        );
        for (why, count) in &module.failures {
            let _ = writeln!(text, "    {count} without an answer: {why}");
        }
    }
    let mean = |mean: &Option<f64>| mean.map_or_else(|| "–".to_owned(), |mean| format!("{mean:.3}"));
    let _ = writeln!(
        text,
        "  mean over the modules with a published rule {}, over those of them with an answer {}",
        mean(published),
        mean(attempted)
    );
    text
}
