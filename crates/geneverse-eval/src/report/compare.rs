//! Intervals of scores and of the differences between runs, from the grades of each answer.
//!
//! The bootstrap is that of `scores.json` (see [`measure`](crate::measure)): the same number of resamples, the same seed.
//! Differences are *paired*: both runs are scored on the same drawn questions, so that what makes a question hard for both
//! does not widen the interval.

use std::collections::HashMap;

use rayon::prelude::*;

use super::{Difference, Grade, Row};
use crate::measure::{CONFIDENCE, Metric, RESAMPLES, SEED, rows, scores};
use crate::scores::Item;
use crate::stats::resample::{Rows, bootstrap, interval};

/// The scores compared, by their keys in `scores.json`.
const COMPARED: [(&str, Metric); 5] = [
    ("factual", Metric::Factual),
    ("structural", Metric::Structural),
    ("average", Metric::Average),
    ("bleu", Metric::Bleu),
    ("rouge1", Metric::Rouge1),
];

/// The grades of a row's answers by their ids.
pub(super) type Graded = HashMap<String, Item>;

/// What the bootstrap needs of grades.
pub(super) fn graded(items: &[Grade]) -> Graded {
    let of = |grade: &Grade| Item {
        factual: grade.factual,
        structural: grade.structural,
        bleu_counts: grade.bleu_counts.clone(),
        rouge1: grade.rouge1,
        ..Item::default()
    };
    items.iter().map(|grade| (grade.id.clone(), of(grade))).collect()
}

/// Adds the intervals that a row's file did not have.
pub(super) fn add_intervals(row: &mut Row, graded: &Graded) {
    let known: Vec<_> = known(&[graded], &ids(&[graded]));
    if known.iter().all(|(key, _)| row.intervals.contains_key(*key)) {
        return;
    }
    let drawn = draw(&[graded], &ids(&[graded]));
    for (key, metric) in known {
        if let Some(found) = percentiles(drawn.iter().map(|runs| of(metric, &runs[0]))) {
            row.intervals.entry(key.to_owned()).or_insert(found);
        }
    }
}

/// Differences between every two rows that share questions; with many rows, against the first only.
pub(super) fn differences(table: &[(String, Graded)]) -> Vec<Difference> {
    let firsts = if table.len() > 8 { 1 } else { table.len() };
    let pairs: Vec<(usize, usize)> =
        (0..firsts).flat_map(|a| (a + 1..table.len()).map(move |b| (a, b))).collect();
    // Where all rows answer the same questions, one drawing serves all pairs.
    let all: Vec<&Graded> = table.iter().map(|(_, graded)| graded).collect();
    let everywhere = ids(&all);
    let alike = all.iter().all(|graded| graded.len() == everywhere.len()) && table.len() > 1;
    let shared = if alike { draw(&all, &everywhere) } else { Vec::new() };
    pairs
        .into_iter()
        .filter_map(|(a, b)| {
            let ((against, before), (run, after)) = (&table[a], &table[b]);
            let ids = if alike { everywhere.clone() } else { ids(&[before, after]) };
            if ids.is_empty() {
                return None;
            }
            let own = if alike { Vec::new() } else { draw(&[before, after], &ids) };
            let (drawn, places) = if alike { (&shared, (a, b)) } else { (&own, (0, 1)) };
            let now = [before, after].map(|graded| score(graded, &ids));
            let scores = known(&[before, after], &ids).into_iter().filter_map(|(key, metric)| {
                let of_run = |runs: &Vec<Vec<f64>>| of(metric, &runs[places.1]) - of(metric, &runs[places.0]);
                let interval = percentiles(drawn.iter().map(of_run))?;
                Some((key, of(metric, &now[1]) - of(metric, &now[0]), interval))
            });
            Some(Difference {
                run: run.clone(),
                against: against.clone(),
                shared: ids.len(),
                scores: scores.collect(),
            })
        })
        .collect()
}

/// The questions that all of them answer, in order.
fn ids<'a>(runs: &[&'a Graded]) -> Vec<&'a str> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut ids: Vec<&str> = first.keys().map(String::as_str).collect();
    ids.retain(|id| others.iter().all(|other| other.contains_key(*id)));
    ids.sort_unstable();
    ids
}

/// The scores for which every answer has what they are computed from.
fn known(runs: &[&Graded], ids: &[&str]) -> Vec<(&'static str, Metric)> {
    let all = |metric: Metric| runs.iter().all(|graded| ids.iter().all(|id| metric.is_known(&graded[*id])));
    COMPARED.into_iter().filter(|(_, metric)| !ids.is_empty() && all(*metric)).collect()
}

fn sums_of(graded: &Graded, ids: &[&str]) -> Rows {
    rows(ids.iter().map(|id| &graded[*id]))
}

fn score(graded: &Graded, ids: &[&str]) -> Vec<f64> {
    scores(&sums_of(graded, ids).sums(), ids.len())
}

/// The scores of each resample, of each run.
fn draw(runs: &[&Graded], ids: &[&str]) -> Vec<Vec<Vec<f64>>> {
    let rows: Vec<Rows> = runs.par_iter().map(|graded| sums_of(graded, ids)).collect();
    let rows: Vec<&Rows> = rows.iter().collect();
    bootstrap(&rows, &|sums| scores(sums, ids.len()), RESAMPLES, SEED, &|_| true).unwrap_or_default()
}

fn of(metric: Metric, scores: &[f64]) -> f64 {
    let place = Metric::ALL.iter().position(|known| *known == metric);
    place.and_then(|place| scores.get(place)).copied().unwrap_or(f64::NAN)
}

fn percentiles(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    interval(values.collect(), CONFIDENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(values: &[f64]) -> Graded {
        let grade = |(place, value): (usize, &f64)| Grade {
            id: format!("q{place}"),
            factual: *value,
            structural: 1.0,
            rouge1: *value,
            ..Grade::default()
        };
        graded(&values.iter().enumerate().map(grade).collect::<Vec<_>>())
    }

    /// The normal interval of a share of 0.3 among 400 is 0.3 ± 1.96 · √(0.21 / 400) = 0.3 ± 0.0449; the bootstrap's ends
    /// are found to some 0.005 by 1,000 resamples.
    #[test]
    fn the_interval_of_a_share_is_the_normal_one() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(u8::from(i % 10 < 3))).collect();
        let mut row = Row::default();
        row.intervals.insert("structural".to_owned(), [0.1, 0.2]);
        add_intervals(&mut row, &grades(&values));
        let [low, high] = row.intervals["factual"];
        assert!((low - 0.2551).abs() < 0.008 && (high - 0.3449).abs() < 0.008, "{low} {high}");
        assert_eq!(row.intervals["structural"], [0.1, 0.2], "what the file has stands");
    }

    #[test]
    fn differences_are_paired_and_on_shared_questions_only() {
        // Every answer is better by the same 0.1: paired there is nothing to doubt, whatever the spread.
        let before: Vec<f64> = (0..50).map(|i| f64::from(i % 7) / 10.0).collect();
        let after: Vec<f64> = before.iter().map(|v| v + 0.1).collect();
        let mut more = grades(&after);
        more.insert("only here".to_owned(), Item::default());
        let rows =
            [("a".to_owned(), grades(&before)), ("b".to_owned(), more), ("c".to_owned(), Graded::new())];
        let [found] = differences(&rows).try_into().unwrap();
        assert_eq!((found.run.as_str(), found.against.as_str(), found.shared), ("b", "a", 50));
        let (key, difference, [low, high]) = found.scores[0];
        assert_eq!(key, "factual");
        assert!((difference - 0.1).abs() < 1e-12 && (low - 0.1).abs() < 1e-12 && (high - 0.1).abs() < 1e-12);
        assert_eq!(found.scores[1].1, 0.0);
        // Asked the same, they are drawn once for all: the same numbers.
        let alike = [("a".to_owned(), grades(&before)), ("b".to_owned(), grades(&after))];
        assert_eq!(differences(&alike), [found]);
    }

    #[test]
    fn corpus_bleu_is_compared_where_its_counts_are_known() {
        use crate::text::{Bleu, corpus_bleu};
        let reference = "GLI1 binds DNA and activates the targets of hedgehog.";
        let run = |answers: [&str; 3]| -> Graded {
            let grade = |(place, answer): (usize, &&str)| Grade {
                id: place.to_string(),
                bleu_counts: Some(Bleu::default().count(answer, &[reference])),
                ..Grade::default()
            };
            graded(&answers.iter().enumerate().map(grade).collect::<Vec<_>>())
        };
        let answers = [
            [reference, "GLI1 binds DNA.", "It activates the targets of hedgehog."],
            ["GLI1 binds DNA and more.", "", "It activates the targets of hedgehog."],
        ];
        let table = [("a".to_owned(), run(answers[0])), ("b".to_owned(), run(answers[1]))];
        let [found] = differences(&table).try_into().unwrap();
        let [a, b] = answers.map(|answers| corpus_bleu(answers.iter().map(|answer| (answer, reference))));
        let (_, difference, [low, high]) = found.scores.iter().find(|(key, ..)| *key == "bleu").unwrap();
        assert!(
            (difference - (b - a)).abs() < 1e-12 && *low < b - a && b - a <= *high,
            "{low} {difference} {high}"
        );
        // Files from before the counts have no BLEU to resample.
        let (_, old) = &table[0];
        let without: Graded =
            old.iter().map(|(id, item)| (id.clone(), Item { bleu_counts: None, ..item.clone() })).collect();
        let [found] = differences(&[("a".to_owned(), without), table[1].clone()]).try_into().unwrap();
        assert!(found.scores.len() == 4 && found.scores.iter().all(|(key, ..)| *key != "bleu"));
    }
}
