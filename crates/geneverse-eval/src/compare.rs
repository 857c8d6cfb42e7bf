//! Runs compared on the same items: differences with intervals and p-values, and how overlap goes with grades.
//!
//! The first run is the baseline. Every run's items have to be the baseline's, by id and with the same references; where
//! that is not so it is told, and only on request are the items compared that all have. Methods: [`stats`](crate::stats).
//!
//! Geneverse's paper (arXiv 2406.15534) reports Pearson's r between BLEU or ROUGE-1 and the average score over the rows of
//! a table, one row a model. The same is computed here over the runs given, from three on, and over the items of each run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use geneverse_data::answers::Task;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{FileError, read_json};
use serde::{Deserialize, Serialize};

use crate::measure::{CONFIDENCE, Metric, rows, scores};
use crate::scores::{Item, Scores};
use crate::stats::correlation::{Correlation, fisher_interval, pearson, spearman};
use crate::stats::resample::{Rows, bootstrap, interval, paired_bootstrap_p, randomization};

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing to compare with.
    #[error(
        "found {found} file of scores, expected at least two: the baseline first, then what is compared with it"
    )]
    Few {
        /// How many there are.
        found: usize,
    },
    /// Two items of one run with the same id.
    #[error("{file}: found id {id:?} twice, expected every item once; grade answers with an id each")]
    Duplicate {
        /// The run.
        file: String,
        /// The id.
        id: String,
    },
    /// Another task.
    #[error("{file}: found scores of task {found:?}, expected {expected:?} as in {baseline}")]
    Task {
        /// The run.
        file: String,
        /// Its task.
        found: Task,
        /// The baseline's task.
        expected: Task,
        /// The baseline.
        baseline: String,
    },
    /// Graded by other rules.
    #[error(
        "{file}: found grades by rules of {found}, expected {expected} as in {baseline}; grade both anew with `evaluate`"
    )]
    Rules {
        /// The run.
        file: String,
        /// Their version, in words.
        found: String,
        /// The baseline's, in words.
        expected: String,
        /// The baseline.
        baseline: String,
    },
    /// Other items than the baseline's.
    #[error(
        "{file}: found {found} items, expected the {expected} of {baseline}{lacks}{more}; ask the runs the same \
         questions, or compare what they share with --shared"
    )]
    Items {
        /// The run.
        file: String,
        /// How many items it has.
        found: usize,
        /// How many the baseline has.
        expected: usize,
        /// The baseline.
        baseline: String,
        /// What it lacks, in words.
        lacks: String,
        /// What it has more, in words.
        more: String,
    },
    /// Nothing that all runs have.
    #[error("found no item that all files have, expected some: their ids differ throughout")]
    NoneShared,
    /// The same id, but another question or reference.
    #[error(
        "{file}: item {id:?} is about {found}, expected {expected} as in {baseline}; grade both against the same set"
    )]
    Other {
        /// The run.
        file: String,
        /// The item.
        id: String,
        /// What it is about.
        found: String,
        /// What the baseline's is about.
        expected: String,
        /// The baseline.
        baseline: String,
    },
}

/// Which paired test gives the p-values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// Paired approximate randomisation, exact for few items.
    #[default]
    Randomization,
    /// Paired bootstrap, as Moses and sacrebleu's `paired-bs`.
    Bootstrap,
}

/// How runs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The test.
    pub test: Test,
    /// Resamples for intervals, and trials of the test.
    pub samples: u64,
    /// The seed of both.
    pub seed: u64,
    /// Whether only the items are compared that all runs have.
    pub shared: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { test: Test::default(), samples: 10_000, seed: crate::measure::SEED, shared: false }
    }
}

/// Runs beside each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Items compared.
    pub items: usize,
    /// Items left out because not all runs have them.
    pub left_out: usize,
    /// How often an interval is meant to hold.
    pub confidence: f64,
    /// The test behind the p-values.
    pub test: Test,
    /// Whether all swaps were counted, so that p is exact.
    pub exact: bool,
    /// Resamples and trials.
    pub samples: u64,
    /// Their seed.
    pub seed: u64,
    /// The runs, the baseline first.
    pub runs: Vec<Run>,
    /// What not all runs have, because they were graded by an earlier version.
    pub not_compared: Vec<Metric>,
    /// How overlap goes with the average over runs, with three runs or more.
    pub over_runs: Vec<Association>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its file.
    pub file: String,
    /// Its model, as its answers name it.
    pub model: String,
    /// Its scores on the items compared.
    pub scores: BTreeMap<Metric, Score>,
    /// How overlap goes with the average over its items.
    pub over_items: Vec<Association>,
}

/// A score beside the baseline's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// In [0, 1].
    pub value: f64,
    /// Bootstrap interval.
    pub interval: [f64; 2],
    /// Less the baseline's; `None` for the baseline itself.
    pub difference: Option<Difference>,
}

/// What a run scores more than the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Negative where the baseline is better.
    pub value: f64,
    /// Bootstrap interval, both runs over the same draws.
    pub interval: [f64; 2],
    /// How often a difference as large arises where there is none: two-sided.
    pub p: f64,
}

/// How a metric goes with the average of truth and form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The metric.
    pub metric: Metric,
    /// Pairs of numbers.
    pub n: usize,
    /// Pearson's r.
    pub pearson: Option<Correlation>,
    /// Fisher's interval of r.
    pub interval: Option<[f64; 2]>,
    /// Spearman's ρ.
    pub spearman: Option<Correlation>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// Compares files of scores. `None` where `stop` was answered with yes.
pub fn compare_files(
    files: &[PathBuf],
    settings: &Settings,
    progress: &dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Comparison>, CompareError> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), read_json::<Scores>(Path::new(path))?));
    let runs = files.iter().map(read).collect::<Result<Vec<_>, FileError>>()?;
    compare(&runs, settings, progress, stop)
}

/// Compares runs, each with the name of its file. `None` where `stop` was answered with yes.
pub fn compare(
    runs: &[(String, Scores)],
    settings: &Settings,
    progress: &dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Comparison>, CompareError> {
    if runs.len() < 2 {
        return Err(CompareError::Few { found: runs.len() });
    }
    let (matched, left_out) = match_items(runs, settings.shared)?;
    let n = matched[0].len();
    let rows: Vec<Rows> = matched.iter().map(|items| rows(items.iter().copied())).collect();
    let of_sums = |sums: &[f64]| scores(sums, n);
    let values: Vec<Vec<f64>> = rows.iter().map(|rows| of_sums(&rows.sums())).collect();

    let tests = if settings.test == Test::Randomization { runs.len() as u64 - 1 } else { 0 };
    progress.start("resampling", Some(settings.samples * (1 + tests)), "samples");
    let go_on_from = |before: u64| {
        move |done: u64| {
            progress.set(before + done);
            !stop()
        }
    };
    let all: Vec<&Rows> = rows.iter().collect();
    let Some(drawn) = bootstrap(&all, &of_sums, settings.samples, settings.seed, &go_on_from(0)) else {
        progress.finish();
        return Ok(None);
    };
    let mut exact = false;
    let mut p_values: Vec<Vec<f64>> = vec![Vec::new()];
    for (place, other) in rows.iter().enumerate().skip(1) {
        let p = match settings.test {
            Test::Randomization => {
                let go_on = go_on_from(place as u64 * settings.samples);
                let tested =
                    randomization(&rows[0], other, &of_sums, settings.samples, settings.seed, &go_on);
                let Some((p, all_swaps)) = tested else {
                    progress.finish();
                    return Ok(None);
                };
                exact = all_swaps;
                p
            }
            Test::Bootstrap => {
                let of_metric = |metric: usize| {
                    let differences: Vec<f64> =
                        drawn.iter().map(|runs| runs[place][metric] - runs[0][metric]).collect();
                    paired_bootstrap_p(values[place][metric] - values[0][metric], &differences)
                };
                (0..Metric::ALL.len()).map(of_metric).collect()
            }
        };
        p_values.push(p);
    }
    progress.finish();

    let known = |metric: Metric| matched.iter().flatten().all(|item| metric.is_known(item));
    let (compared, not_compared): (Vec<Metric>, Vec<Metric>) =
        Metric::ALL.into_iter().partition(|m| known(*m));
    let run = |place: usize| {
        let (file, run) = &runs[place];
        let score = |metric: &Metric| {
            let at = Metric::ALL.iter().position(|m| m == metric)?;
            let value = values[place][at];
            let drawn_value = drawn.iter().map(|runs| runs[place][at]).collect();
            let difference = || {
                Some(Difference {
                    value: value - values[0][at],
                    interval: interval(
                        drawn.iter().map(|runs| runs[place][at] - runs[0][at]).collect(),
                        CONFIDENCE,
                    )?,
                    p: *p_values[place].get(at)?,
                })
            };
            let difference = if place == 0 { None } else { difference() };
            Some((*metric, Score { value, interval: interval(drawn_value, CONFIDENCE)?, difference }))
        };
        Run {
            file: file.clone(),
            model: run.model.clone(),
            scores: compared.iter().filter_map(score).collect(),
            over_items: over_items(&matched[place]),
        }
    };
    let runs: Vec<Run> = (0..runs.len()).map(run).collect();
    Ok(Some(Comparison {
        items: n,
        left_out,
        confidence: CONFIDENCE,
        test: settings.test,
        exact,
        samples: settings.samples,
        seed: settings.seed,
        over_runs: over_runs(&runs),
        runs,
        not_compared,
    }))
}

/// For each run the items that are compared, in the baseline's order, and how many are left out.
fn match_items(runs: &[(String, Scores)], shared: bool) -> Result<(Vec<Vec<&Item>>, usize), CompareError> {
    let (baseline, first) = &runs[0];
    let mut by_id: Vec<HashMap<&str, &Item>> = Vec::new();
    for (file, run) in runs {
        if run.task != first.task {
            return Err(CompareError::Task {
                file: file.clone(),
                found: run.task,
                expected: first.task,
                baseline: baseline.clone(),
            });
        }
        if run.rules != first.rules {
            return Err(CompareError::Rules {
                file: file.clone(),
                found: version(run.rules),
                expected: version(first.rules),
                baseline: baseline.clone(),
            });
        }
        let mut items = HashMap::new();
        for item in &run.items {
            if items.insert(item.id.as_str(), item).is_some() {
                return Err(CompareError::Duplicate { file: file.clone(), id: item.id.clone() });
            }
        }
        by_id.push(items);
    }
    if !shared {
        for ((file, run), items) in runs.iter().zip(&by_id).skip(1) {
            let lacks = first.items.iter().filter(|item| !items.contains_key(item.id.as_str()));
            let more = run.items.iter().filter(|item| !by_id[0].contains_key(item.id.as_str()));
            let (lacks, more) = (named(", lacks", lacks), named(", has besides", more));
            if !lacks.is_empty() || !more.is_empty() {
                return Err(CompareError::Items {
                    file: file.clone(),
                    found: run.items.len(),
                    expected: first.items.len(),
                    baseline: baseline.clone(),
                    lacks,
                    more,
                });
            }
        }
    }
    let in_all = |item: &&Item| by_id.iter().all(|items| items.contains_key(item.id.as_str()));
    let ids: Vec<&Item> = first.items.iter().filter(in_all).collect();
    if ids.is_empty() {
        return Err(CompareError::NoneShared);
    }
    let mut matched = vec![ids.clone()];
    for ((file, _), items) in runs.iter().zip(&by_id).skip(1) {
        let same = ids.iter().filter_map(|item| items.get(item.id.as_str()).copied());
        let same: Vec<&Item> = same.collect();
        if let Some((item, expected)) = same.iter().zip(&ids).find(|(a, b)| !alike(a, b)) {
            return Err(CompareError::Other {
                file: file.clone(),
                id: item.id.clone(),
                found: about(item),
                expected: about(expected),
                baseline: baseline.clone(),
            });
        }
        matched.push(same);
    }
    let different: HashSet<&str> = by_id.iter().flat_map(|items| items.keys().copied()).collect();
    let left_out = different.len() - ids.len();
    Ok((matched, left_out))
}

/// The version of the rules behind some grades, in words.
fn version(rules: Option<u32>) -> String {
    rules.map_or_else(|| "a version that it does not tell".to_owned(), |rules| format!("version {rules}"))
}

/// Whether two items of one id are about the same. Files of earlier versions do not tell how long a reference is.
fn alike(a: &Item, b: &Item) -> bool {
    let tokens = |item: &Item| item.bleu_counts.as_ref().map(|counts| counts.reference_tokens);
    a.subject == b.subject && tokens(a).zip(tokens(b)).is_none_or(|(a, b)| a == b)
}

/// What an item is about, as far as its scores tell: the subject, and how long its reference is.
fn about(item: &Item) -> String {
    let tokens = item.bleu_counts.as_ref().map(|counts| counts.reference_tokens);
    match tokens {
        Some(tokens) => format!("{} with a reference of {tokens} tokens", item.subject),
        None => item.subject.clone(),
    }
}

/// At most five ids after `what`; nothing without items.
fn named<'a>(what: &str, items: impl Iterator<Item = &'a Item>) -> String {
    let ids: Vec<&str> = items.map(|item| item.id.as_str()).collect();
    let shown = ids.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match ids.len() {
        0 => String::new(),
        n @ 1..=5 => format!("{what} {n}: {shown}"),
        n => format!("{what} {n}: {shown} and {} more", n - 5),
    }
}

fn over_runs(runs: &[Run]) -> Vec<Association> {
    if runs.len() < 3 {
        return Vec::new();
    }
    let values = |metric: Metric| -> Option<Vec<f64>> {
        runs.iter().map(|run| run.scores.get(&metric).map(|score| score.value)).collect()
    };
    let averages = values(Metric::Average).unwrap_or_default();
    let associated = |metric: Metric| values(metric).map(|values| associate(metric, &values, &averages));
    Metric::OVERLAPS.into_iter().filter_map(associated).collect()
}

fn over_items(items: &[&Item]) -> Vec<Association> {
    let values =
        |metric: Metric| -> Option<Vec<f64>> { items.iter().map(|item| metric.of_item(item)).collect() };
    let averages = values(Metric::Average).unwrap_or_default();
    let associated = |metric: Metric| values(metric).map(|values| associate(metric, &values, &averages));
    Metric::OVERLAPS.into_iter().filter_map(associated).collect()
}

fn associate(metric: Metric, values: &[f64], averages: &[f64]) -> Association {
    let n = values.len();
    match (pearson(values, averages), spearman(values, averages)) {
        (Ok(pearson), Ok(spearman)) => Association {
            metric,
            n,
            interval: Some(fisher_interval(pearson.r, n)),
            pearson: Some(pearson),
            spearman: Some(spearman),
            why_not: None,
        },
        (Err(error), _) | (_, Err(error)) => {
            let why = error.to_string().replace("the first list", metric.title());
            let why_not = Some(why.replace("the second list", "the average"));
            Association { metric, n, pearson: None, interval: None, spearman: None, why_not }
        }
    }
}

#[cfg(test)]
mod tests;
