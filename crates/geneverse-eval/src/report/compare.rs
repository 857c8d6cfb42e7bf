//! Intervals of scores and of the differences between runs, from the grades of each answer.
//!
//! Percentile bootstrap (Efron 1979): questions are drawn with replacement as often as there are questions, 1,000 times;
//! the interval holds the middle 95 % of what comes out. Differences are *paired*: both runs are scored on the same drawn
//! questions, so that what makes a question hard for both does not widen the interval.

use std::collections::HashMap;

use rayon::prelude::*;

use super::{Difference, Grade, Row};

/// How often questions are drawn.
const RESAMPLES: u64 = 1000;
/// The scores that are means over answers.
const MEANS: [&str; 4] = ["factual", "structural", "average", "rouge1"];

/// The grades of a row's answers by their ids.
pub(super) type Graded = HashMap<String, [f64; 4]>;

/// What the bootstrap needs of grades.
pub(super) fn graded(items: &[Grade]) -> Graded {
    let of = |item: &Grade| {
        [item.factual, item.structural, f64::midpoint(item.factual, item.structural), item.rouge1]
    };
    items.iter().map(|item| (item.id.clone(), of(item))).collect()
}

/// Adds the intervals that a row's file did not have.
pub(super) fn add_intervals(row: &mut Row, graded: &Graded) {
    if graded.is_empty() || MEANS.iter().all(|key| row.intervals.contains_key(*key)) {
        return;
    }
    let mut ids: Vec<&String> = graded.keys().collect();
    ids.sort();
    let values: Vec<[f64; 4]> = ids.iter().map(|id| graded[*id]).collect();
    for (key, interval) in MEANS.iter().zip(intervals(&values)) {
        row.intervals.entry((*key).to_owned()).or_insert(interval);
    }
}

/// Differences between every two rows that share questions; with many rows, against the first only.
pub(super) fn differences(rows: &[(String, Graded)]) -> Vec<Difference> {
    let firsts = if rows.len() > 8 { 1 } else { rows.len() };
    let pairs: Vec<(usize, usize)> =
        (0..firsts).flat_map(|a| (a + 1..rows.len()).map(move |b| (a, b))).collect();
    pairs
        .into_par_iter()
        .filter_map(|(a, b)| {
            let ((against, before), (run, after)) = (&rows[a], &rows[b]);
            let mut ids: Vec<&String> = before.keys().filter(|id| after.contains_key(*id)).collect();
            ids.sort();
            let change: Vec<[f64; 4]> = ids
                .iter()
                .map(|id| std::array::from_fn(|place| after[*id][place] - before[*id][place]))
                .collect();
            let mean = |place: usize| change.iter().map(|c| c[place]).sum::<f64>() / change.len() as f64;
            let found = intervals(&change);
            let scores = MEANS.iter().enumerate().map(|(place, key)| (*key, mean(place), found[place]));
            (!ids.is_empty()).then(|| Difference {
                run: run.clone(),
                against: against.clone(),
                shared: ids.len(),
                scores: scores.collect(),
            })
        })
        .collect()
}

/// The intervals of the means of four columns; NaN for no rows.
fn intervals(values: &[[f64; 4]]) -> [[f64; 2]; 4] {
    let n = values.len();
    let means: Vec<[f64; 4]> = (0..RESAMPLES)
        .into_par_iter()
        .map(|resample| {
            let mut draws = Draws::new(resample);
            let mut sums = [0.0; 4];
            for _ in 0..n {
                let row = &values[draws.below(n)];
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            sums.map(|sum| sum / n as f64)
        })
        .collect();
    std::array::from_fn(|column| {
        let mut sorted: Vec<f64> = means.iter().map(|row| row[column]).collect();
        sorted.sort_by(f64::total_cmp);
        [quantile(&sorted, 0.025), quantile(&sorted, 0.975)]
    })
}

/// Linear interpolation between the two nearest of sorted numbers.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// SplitMix64 (Steele, Lea & Flood 2014), begun anew for each resample, so that threads change nothing.
struct Draws(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draws {
    fn new(resample: u64) -> Self {
        Self(finalise(resample.wrapping_add(1).wrapping_mul(GAMMA)))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(GAMMA);
        ((u128::from(finalise(self.0)) * n as u128) >> 64) as usize
    }
}

fn finalise(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(values: &[f64]) -> Graded {
        values
            .iter()
            .enumerate()
            .map(|(place, v)| (format!("q{place}"), [*v, 1.0, (v + 1.0) / 2.0, *v]))
            .collect()
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
        more.insert("only here".to_owned(), [1.0; 4]);
        let rows =
            [("a".to_owned(), grades(&before)), ("b".to_owned(), more), ("c".to_owned(), Graded::new())];
        let [found] = differences(&rows).try_into().unwrap();
        assert_eq!((found.run.as_str(), found.against.as_str(), found.shared), ("b", "a", 50));
        let (key, difference, [low, high]) = found.scores[0];
        assert_eq!(key, "factual");
        assert!((difference - 0.1).abs() < 1e-12 && (low - 0.1).abs() < 1e-12 && (high - 0.1).abs() < 1e-12);
        assert_eq!(found.scores[1].1, 0.0);
        assert_eq!(differences(&rows)[0], found, "the same draws each time");
    }
}
