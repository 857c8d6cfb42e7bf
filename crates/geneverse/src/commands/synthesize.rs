//! `dataset synthesize`: a model's texts about genes, from an OpenAI-compatible endpoint.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use geneverse_data::chat::Sampling;
use geneverse_data::progress::Progress;
use geneverse_data::synthesize::{
    Ended, Estimate, Mode, Plan, Planned, Range, Synthesis, SynthesisReport, plan, rejected_path,
};
use geneverse_eval::facts::GeneGrader;
use geneverse_eval::screen::{RULES, screen};
use serde_json::json;

use super::dataset::symbol_list;
use super::postprocess::read_index;
use crate::endpoint::{AskArgs, above_zero, address, not_negative};
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    /// The record's paragraph in other words
    Rephrase,
    /// A description from the model's own knowledge, by the task's question
    Describe,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Only protein-coding genes are asked about; others are used as their records are. Writes FILE, \
FILE.rejected.jsonl with every answer that may not be learned from and why, and FILE.manifest.json. Every answer is \
kept in a cache as it comes: the same command goes on after an interruption, and pays for nothing twice. The key is \
read from the environment variable OPENAI_API_KEY, and is written nowhere.

Examples:
  geneverse dataset synthesize --db genes.db --endpoint http://localhost:8000/v1 --model qwen3-8b \\
      --out synthetic.jsonl --only-with-summary --dry-run
  geneverse dataset synthesize --db genes.db --endpoint https://api.openai.com/v1 --model gpt-5-mini \\
      --out synthetic.jsonl --mode describe --hold-out GLI1,CASP10 --concurrency 16 \\
      --price-in 0.25 --price-out 2 --max-cost 5")]
pub(crate) struct SynthesizeArgs {
    /// The database, as made by `genes import`
    #[arg(long, value_name = "FILE", default_value = "genes.db")]
    db: PathBuf,
    /// The endpoint's address, which usually ends in /v1
    #[arg(long, value_name = "URL")]
    endpoint: String,
    /// The model's name at the endpoint
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The file to write, JSON Lines
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the model is asked for
    #[arg(long, value_enum, default_value = "rephrase")]
    mode: ModeArg,
    /// Only these genes: a comma-separated list, or a file with one symbol per line
    #[arg(long, value_name = "LIST|FILE")]
    symbols: Option<String>,
    /// Genes that are not asked about, the test set: a list or a file, as with --symbols
    #[arg(long, value_name = "LIST|FILE")]
    hold_out: Option<String>,
    /// Leave out genes without a functional summary
    #[arg(long)]
    only_with_summary: bool,
    /// At most so many genes, the first in symbol order
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// How freely answers are drawn; 0 takes the likeliest token each time
    #[arg(long, value_name = "T", default_value_t = 0.0, value_parser = not_negative)]
    temperature: f64,
    /// Draw from the tokens that have this probability together
    #[arg(long, value_name = "P", value_parser = above_zero)]
    top_p: Option<f64>,
    /// The longest answer in tokens, hidden reasoning included
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: u64,
    /// Chooses the phrasing of records, and is sent to the server
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Ask so many times again, with other seeds, where an answer was rejected
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry_rejected: u32,
    #[command(flatten)]
    ask: AskArgs,
    /// Print what it would cost and one question, and ask nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: SynthesizeArgs, ui: &Ui) -> anyhow::Result<ExitCode> {
    let SynthesizeArgs {
        db,
        endpoint,
        model,
        out,
        mode,
        symbols,
        hold_out,
        only_with_summary,
        limit,
        temperature,
        top_p,
        max_tokens,
        seed,
        retry_rejected,
        ask,
        dry_run,
    } = args;
    let address = address(&endpoint)?;
    ensure!(
        retry_rejected == 0 || temperature > 0.0,
        "--retry-rejected {retry_rejected} has no effect at --temperature 0, where a model answers the same again; \
         expected a temperature such as 0.7"
    );
    ensure!(
        top_p.is_none_or(|p| p <= 1.0),
        "--top-p is a probability: found {}, expected at most 1",
        top_p.unwrap_or_default()
    );
    let options = Synthesis {
        db: db.clone(),
        out: out.clone(),
        cache: ask.cache.clone(),
        model,
        mode: match mode {
            ModeArg::Rephrase => Mode::Rephrase,
            ModeArg::Describe => Mode::Describe,
        },
        symbols: symbols.as_deref().map(symbol_list).transpose()?,
        hold_out: hold_out.as_deref().map(symbol_list).transpose()?.unwrap_or_default(),
        only_with_summary,
        limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        sampling: Sampling {
            temperature: Some(temperature),
            top_p,
            max_tokens: Some(max_tokens),
            seed: Some(seed),
        },
        retry_rejected,
        concurrency: ask.at_once(),
        limits: ask.limits(),
        requests_per_minute: ask.requests_per_minute,
        skip_failed: ask.skip_failed,
        rules: RULES,
    };
    let plan = match plan(options, ui)? {
        Planned::Done(report) => {
            ui.result(&report, || report_text(&out, &report))?;
            return Ok(ExitCode::SUCCESS);
        }
        Planned::Plan(plan) => plan,
    };
    if dry_run {
        return show(&plan, ui);
    }
    ui.note(&estimate_text(plan.estimate()));
    let client = ask.client(address, ui)?;
    stop::listen();
    ui.start("reading genes to check answers by", None, "genes");
    let grader = GeneGrader::new(read_index(&db)?);
    ui.finish();
    let check = |gene: &_, question: &_, text: &str| screen(text, question, gene, &grader);
    match plan.run(&client, &check, ui)? {
        Ended::Finished(report) => {
            ui.result(&report, || report_text(&out, &report))?;
            Ok(ExitCode::SUCCESS)
        }
        Ended::Interrupted { done, genes } => {
            ui.note(&format!(
                "stopped: {done} of {genes} genes are done, and every answer is kept; the same command goes on"
            ));
            Ok(stop::exit())
        }
    }
}

fn show(plan: &Plan, ui: &Ui) -> anyhow::Result<ExitCode> {
    let sample = plan.sample();
    let said = json!({"estimate": plan.estimate(), "sample": sample});
    ui.result(&said, || {
        let mut text = estimate_text(plan.estimate());
        if let Some(sample) = &sample {
            text.push_str("\nThe first question:\n");
            for message in &sample.messages {
                let _ = writeln!(text, "\n{}", message.words());
            }
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn estimate_text(estimate: &Estimate) -> String {
    let Estimate { genes, cached, requests, prompt_tokens, completion_tokens, .. } = estimate;
    let mut text = format!("{genes} genes: {requests} requests");
    if *cached > 0 {
        let _ = write!(text, ", {cached} answers are there already");
    }
    if *requests == 0 {
        return text;
    }
    let range = |range: &Range<u64>| {
        format!("about {} tokens ({} to {})", short(range.likely), short(range.low), short(range.high))
    };
    let basis = if estimate.calibrated { "by the answers that are there" } else { "by their characters" };
    let _ = write!(text, "\n  questions: {}, {basis}", range(prompt_tokens));
    let _ = write!(text, "\n  answers:   {}", range(completion_tokens));
    if let Some(cost) = estimate.cost {
        let _ =
            write!(text, "\n  cost:      about ${:.2} (${:.2} to ${:.2})", cost.likely, cost.low, cost.high);
        if let Some(spent) = estimate.spent.filter(|spent| *spent > 0.0) {
            let _ = write!(text, ", and ${spent:.2} spent already");
        }
    }
    if let Some(seconds) = estimate.seconds_at_rate_limit {
        let _ = write!(text, "\n  time:      at least {} at this rate", time(seconds));
    }
    text
}

fn report_text(out: &std::path::Path, report: &SynthesisReport) -> String {
    let done = if report.already_done { " (made earlier from the same input)" } else { "" };
    let SynthesisReport { genes, accepted, asked, cached, .. } = report;
    let mut text = format!("{}: {accepted} texts about {genes} genes{done}\n", out.display());
    let _ =
        writeln!(text, "  {asked} answers asked for, {cached} from earlier runs, {}", time(report.seconds));
    let tokens = report.prompt_tokens + report.completion_tokens;
    let cost = report.cost.map(|cost| format!(", ${cost:.2}")).unwrap_or_default();
    let counted = match report.tokens_estimated {
        0 => String::new(),
        n => format!(", estimated for {n} answers"),
    };
    let _ = writeln!(text, "  {} tokens{cost}{counted}", short(tokens));
    for (reason, count) in &report.rejected {
        let _ = writeln!(text, "  rejected {count}: {}", reason.words());
    }
    if !report.rejected.is_empty() {
        let _ = writeln!(text, "  (every rejected answer is listed in {})", rejected_path(out).display());
    }
    for (reason, count) in &report.not_asked {
        let _ = writeln!(text, "  not asked about {count}: {reason}");
    }
    for words in &report.adjustments {
        let _ = writeln!(text, "  {words}");
    }
    text
}

/// A number as people read it: 950, 12.3 k, 4.5 M.
fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        _ => format!("{:.2} M", number as f64 / 1e6),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
