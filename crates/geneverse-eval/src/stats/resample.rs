//! Intervals and paired tests by resampling items.
//!
//! Every score here is a function of *sums over items*: a mean of its sum, corpus BLEU of its summed counts. So an item is a
//! row of numbers, and a resample is a row of sums.
//!
//! - *Bootstrap* (Efron 1979): n items are drawn with replacement, all runs over the same draws. An interval is between the
//!   percentiles of a score, or of a difference, over the resamples (interpolated, as NumPy's and scipy's).
//! - *Paired bootstrap test* (Koehn 2004, in the form of Moses and of sacrebleu's `paired-bs`): with d the difference
//!   observed and dᵦ that of resample b, p = (1 + #{b : |dᵦ| − mean|dᵦ| ≥ |d|}) / (1 + B).
//! - *Paired approximate randomisation* (Noreen 1989; Riezler & Maxwell 2005; sacrebleu's `paired-ar`): if the runs were
//!   equally good, each item's two answers could be swapped. p = (1 + #{trials : |dₜ| ≥ |d|}) / (1 + T). Where all 2ⁿ
//!   swaps are no more than the trials asked for, each is counted once and p is exact: #{|dₜ| ≥ |d|} / 2ⁿ.
//!
//! sacrebleu counts `>` where this counts `≥`. That differs for small or 0/1 grades, where many swaps change nothing, and
//! for two equal runs, to which `>` gives the smallest p there is.

use rayon::prelude::*;

use super::random::Draws;

/// Differences that differ by no more than rounding are equal. Scores are in [0, 1], sums of some 10,000 of them are exact
/// to 1e-12 of their size.
const ROUNDING: f64 = 1e-12;

/// Work between two questions whether to go on.
const CHUNK: u64 = 256;

/// Items as rows of numbers that add up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    width: usize,
    values: Vec<f64>,
}

impl Rows {
    /// Rows of as many numbers as the first has; a shorter one is filled with 0, a longer one cut.
    pub fn new<R: AsRef<[f64]>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut all = Self::default();
        for row in rows {
            let row = row.as_ref();
            if all.values.is_empty() {
                all.width = row.len();
            }
            all.values.extend(row.iter().copied().chain(std::iter::repeat(0.0)).take(all.width));
        }
        all
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The sums over all items.
    pub fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        self.values.chunks_exact(self.width.max(1)).for_each(|row| add(&mut sums, row));
        sums
    }

    fn row(&self, place: usize) -> &[f64] {
        &self.values[place * self.width..(place + 1) * self.width]
    }
}

fn add(sums: &mut [f64], row: &[f64]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
}

/// Scores from the sums of a run's items.
pub type Scores<'a> = &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync);

/// What is asked between chunks of work, with the resamples or trials done so far; `false` stops.
pub type GoOn<'a> = &'a dyn Fn(u64) -> bool;

/// The scores of bootstrap resamples: for each resample, for each run (over the same draws), its scores. Runs have as many
/// items each; where one has fewer the smallest number counts. `None` where it was stopped.
pub fn bootstrap(
    runs: &[&Rows],
    scores: Scores<'_>,
    resamples: u64,
    seed: u64,
    go_on: GoOn<'_>,
) -> Option<Vec<Vec<Vec<f64>>>> {
    let n = runs.iter().map(|rows| rows.len()).min().unwrap_or(0);
    in_chunks(resamples, go_on, |resample| {
        let mut draws = Draws::new(seed, resample);
        let mut sums: Vec<Vec<f64>> = runs.iter().map(|rows| vec![0.0; rows.width]).collect();
        for _ in 0..n {
            let place = draws.below(n);
            for (sums, rows) in sums.iter_mut().zip(runs) {
                add(sums, rows.row(place));
            }
        }
        sums.iter().map(|sums| scores(sums)).collect()
    })
}

/// p-values of paired approximate randomisation, one per score, and whether they are exact; `None` where it was stopped.
pub fn randomization(
    baseline: &Rows,
    other: &Rows,
    scores: Scores<'_>,
    trials: u64,
    seed: u64,
    go_on: GoOn<'_>,
) -> Option<(Vec<f64>, bool)> {
    let n = baseline.len().min(other.len());
    let differences = Rows::new(
        (0..n)
            .map(|i| -> Vec<f64> { other.row(i).iter().zip(baseline.row(i)).map(|(b, a)| b - a).collect() }),
    );
    let (sums_a, sums_b) = (baseline.sums(), other.sums());
    let observed = difference(&scores(&sums_a), &scores(&sums_b));
    let exact = n < 64 && 1_u64 << n <= trials;
    let count = if exact { 1 << n } else { trials };
    let reached = in_chunks(count, go_on, |trial| {
        let mut draws = Draws::new(seed, trial);
        let mut swapped = vec![0.0; differences.width];
        for from in (0..n).step_by(64) {
            let mut bits = if exact { trial } else { draws.bits() };
            if n - from < 64 {
                bits &= (1 << (n - from)) - 1;
            }
            while bits != 0 {
                add(&mut swapped, differences.row(from + bits.trailing_zeros() as usize));
                bits &= bits - 1;
            }
        }
        let a: Vec<f64> = sums_a.iter().zip(&swapped).map(|(sum, moved)| sum + moved).collect();
        let b: Vec<f64> = sums_b.iter().zip(&swapped).map(|(sum, moved)| sum - moved).collect();
        let found = difference(&scores(&a), &scores(&b));
        found
            .iter()
            .zip(&observed)
            .map(|(found, observed)| reaches(found.abs(), *observed))
            .collect::<Vec<bool>>()
    })?;
    let p = |score: usize| {
        let times = reached.iter().filter(|trial| trial[score]).count() as u64;
        if exact { times as f64 / count as f64 } else { (times + 1) as f64 / (count + 1) as f64 }
    };
    Some(((0..observed.len()).map(p).collect(), exact))
}

/// The p-value of the paired bootstrap test, from the difference observed and those of the resamples.
pub fn paired_bootstrap_p(observed: f64, differences: &[f64]) -> f64 {
    let n = differences.len() as f64;
    let mean = differences.iter().map(|d| d.abs()).sum::<f64>() / n.max(1.0);
    let times = differences.iter().filter(|d| reaches(d.abs() - mean, observed)).count();
    (times + 1) as f64 / (n + 1.0)
}

/// The percentiles that leave `1 − confidence` outside, half of it on each side, linearly interpolated between numbers.
/// `None` without numbers.
pub fn interval(mut numbers: Vec<f64>, confidence: f64) -> Option<[f64; 2]> {
    numbers.sort_by(f64::total_cmp);
    let outside = (1.0 - confidence) / 2.0;
    Some([quantile(&numbers, outside)?, quantile(&numbers, 1.0 - outside)?])
}

/// Linear interpolation between the two nearest of sorted numbers: NumPy's default, Hyndman & Fan's seventh.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let (low, high) = (*sorted.get(below)?, *sorted.get(above)?);
    Some(low + (high - low) * (place - place.floor()))
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    b.iter().zip(a).map(|(b, a)| b - a).collect()
}

fn reaches(found: f64, observed: f64) -> bool {
    found >= observed.abs() - ROUNDING * observed.abs().max(1.0)
}

/// Computes places 0 to `count` in parallel, in order, a chunk at a time.
fn in_chunks<T: Send>(count: u64, go_on: GoOn<'_>, of_place: impl Fn(u64) -> T + Sync) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for from in (0..count).step_by(CHUNK as usize) {
        if !go_on(from) {
            return None;
        }
        all.par_extend((from..(from + CHUNK).min(count)).into_par_iter().map(&of_place));
    }
    Some(all)
}

#[cfg(test)]
mod tests;
