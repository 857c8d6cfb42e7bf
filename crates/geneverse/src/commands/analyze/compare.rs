//! `analyze compare`: is one run better than another, or is it chance?

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use geneverse_data::stage::{Found, finish, hash_file, look, read_json, write_json};
use geneverse_eval::compare::{Association, Comparison, Settings, Test, compare_files};
use geneverse_eval::measure::{Metric, SEED};
use serde_json::json;

use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "analyze compare";

#[derive(Debug, Args)]
#[command(after_help = "\
The first file is the baseline. All files have to have the same items, by id; what differs is told, and --shared compares \
what all of them have. Intervals are the middle 95 % of bootstrap resamples, all runs over the same draws. p says how often \
a difference as large arises where there is none, two-sided:
  randomization  the two answers to each item are swapped at random (paired approximate randomisation, sacrebleu's \
paired-ar): the share of trials, the observed one counted among them, in which the difference is at least as large. Where \
2^items is no more than --samples every swap is counted once, and p is exact
  bootstrap      the share of resamples, one more counted, whose difference lies as far above the mean one as the observed \
one above 0 (Moses' test, sacrebleu's paired-bs); for small differences it is too small
With three files or more, correlation of BLEU and ROUGE with the average of truth and form over the runs; over the items of \
each run always. None of the p-values is corrected for how many of them there are.

Example:
  geneverse analyze compare base/scores.json finetuned/scores.json --out compare.json")]
pub(crate) struct CompareArgs {
    /// Scores as written by `evaluate`, the baseline first
    #[arg(value_name = "SCORES", required = true, num_args = 2..)]
    scores: Vec<PathBuf>,
    /// How p is computed
    #[arg(long, value_name = "TEST", value_enum, default_value_t = TestArg::Randomization)]
    test: TestArg,
    /// Resamples for intervals, and trials for p
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    samples: u64,
    /// What the draws are made from
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// Compare the items that all files have, and leave out the rest
    #[arg(long)]
    shared: bool,
    /// Write the comparison as JSON too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TestArg {
    Randomization,
    Bootstrap,
}

pub(crate) fn run(args: &CompareArgs, ui: &Ui) -> Result<ExitCode> {
    let CompareArgs { scores, test, samples, seed, shared, out } = args;
    let test = match test {
        TestArg::Randomization => Test::Randomization,
        TestArg::Bootstrap => Test::Bootstrap,
    };
    let settings = Settings { test, samples: *samples, seed: *seed, shared: *shared };
    let hashes = scores.iter().map(|path| hash_file(path)).collect::<Result<Vec<_>, _>>()?;
    let key = json!({"scores": hashes, "test": test, "samples": samples, "seed": seed, "shared": shared});
    let found = out.as_ref().map(|out| look(out, STAGE, &key)).transpose()?;
    let comparison = match (out, found) {
        (Some(out), Some(Found::Done(_))) if out.is_file() => read_json(out)?,
        _ => {
            stop::listen();
            let Some(comparison) = compare_files(scores, &settings, ui, &stop::asked)? else {
                return Ok(stop::exit());
            };
            if let Some(out) = out {
                write_json(out, &comparison)?;
                finish(out, STAGE, key, json!({"items": comparison.items, "runs": comparison.runs.len()}))?;
            }
            comparison
        }
    };
    ui.result(&comparison, || text(&comparison))?;
    Ok(ExitCode::SUCCESS)
}

fn text(comparison: &Comparison) -> String {
    let Comparison { items, left_out, test, exact, samples, runs, not_compared, over_runs, .. } = comparison;
    let mut text = format!("{items} items");
    if *left_out > 0 {
        let _ = write!(text, " ({left_out} left out)");
    }
    let how = match test {
        Test::Randomization if *exact => "paired randomisation, every swap".to_owned(),
        Test::Randomization => format!("paired randomisation, {samples} trials"),
        Test::Bootstrap => "paired bootstrap".to_owned(),
    };
    let _ = writeln!(text, "; in brackets the middle 95 % of {samples} resamples; p by {how}");
    for run in runs {
        let model = if run.model.is_empty() { String::new() } else { format!(" ({})", run.model) };
        let _ = writeln!(text, "\n{}{model}", run.file);
        for (metric, score) in &run.scores {
            let [low, high] = score.interval;
            let _ = write!(text, "  {:<11} {:.3} [{low:.3}, {high:.3}]", metric.title(), score.value);
            if let Some(difference) = &score.difference {
                let [low, high] = difference.interval;
                let p = p_value(difference.p);
                let _ = write!(text, "   {:+.3} [{low:+.3}, {high:+.3}]   p {p}", difference.value);
            }
            text.push('\n');
        }
    }
    if !over_runs.is_empty() {
        let _ = writeln!(text, "\ncorrelation with the average over {} runs", runs.len());
        associations(&mut text, over_runs);
    }
    for run in runs {
        let _ = writeln!(text, "\ncorrelation with the average over the items of {}", run.file);
        associations(&mut text, &run.over_items);
    }
    if !not_compared.is_empty() {
        let names: Vec<&str> = not_compared.iter().map(|metric| metric.title()).collect();
        let _ = writeln!(
            text,
            "\nnot compared: {}, which some file lacks; grade its answers again with `evaluate`",
            names.join(", ")
        );
    }
    text
}

fn associations(text: &mut String, all: &[Association]) {
    for Association { metric, pearson, interval, spearman, why_not, .. } in all {
        let _ = write!(text, "  {:<11} ", Metric::title(*metric));
        match (pearson, interval, spearman) {
            (Some(pearson), Some([low, high]), Some(spearman)) => {
                let _ = writeln!(
                    text,
                    "Pearson {:+.3} [{low:+.3}, {high:+.3}] p {}   Spearman {:+.3} p {}",
                    pearson.r,
                    p_value(pearson.p),
                    spearman.r,
                    p_value(spearman.p)
                );
            }
            _ => {
                let _ = writeln!(text, "none: {}", why_not.as_deref().unwrap_or("not defined"));
            }
        }
    }
}

/// Enough digits to see on which side of a limit it is.
fn p_value(p: f64) -> String {
    match p {
        // A double holds no smaller one.
        0.0 => "< 1e-300".to_owned(),
        _ if p < 0.001 => format!("{p:.0e}"),
        _ => format!("{p:.3}"),
    }
}
