//! Pearson's and Spearman's correlation with two-sided p-values, as `scipy.stats.pearsonr` and `spearmanr`.
//!
//! Under the hypothesis of no correlation r √(n − 2) / √(1 − r²) has Student's t with n − 2 degrees of freedom, for Pearson
//! exactly where both are normal, for Spearman nearly so (scipy uses it too). Spearman's is Pearson's of the ranks, equal
//! numbers sharing the mean of theirs. The interval of Pearson's r is Fisher's: tanh(artanh r ± z / √(n − 3)).

use serde::{Deserialize, Serialize};

use super::{StatsError, student};

/// The normal distribution's 97.5 % quantile, for intervals of 95 %.
const Z_95: f64 = 1.959_963_984_540_054;

/// A correlation and how often chance alone gives one as strong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// In [−1, 1].
    pub r: f64,
    /// Two-sided p-value.
    pub p: f64,
}

/// Pearson's r of pairs of numbers, at least three of them.
pub fn pearson(first: &[f64], second: &[f64]) -> Result<Correlation, StatsError> {
    check(first, second)?;
    Ok(correlate(first, second))
}

/// Spearman's ρ of pairs of numbers, at least three of them.
pub fn spearman(first: &[f64], second: &[f64]) -> Result<Correlation, StatsError> {
    check(first, second)?;
    Ok(correlate(&ranks(first), &ranks(second)))
}

/// Fisher's interval of 95 % for Pearson's r of n pairs; with three pairs it is all of [−1, 1].
pub fn fisher_interval(r: f64, n: usize) -> [f64; 2] {
    if n <= 3 {
        return [-1.0, 1.0];
    }
    let half = Z_95 / ((n - 3) as f64).sqrt();
    [(r.atanh() - half).tanh(), (r.atanh() + half).tanh()]
}

/// Ranks from 1; equal numbers share the mean of theirs.
pub fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut from = 0;
    for equal in order.chunk_by(|&a, &b| numbers[a] == numbers[b]) {
        // Ranks from + 1 to from + k, of which this is the mean.
        let rank = from as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&place| ranks[place] = rank);
        from += equal.len();
    }
    ranks
}

fn check(first: &[f64], second: &[f64]) -> Result<(), StatsError> {
    if first.len() != second.len() {
        return Err(StatsError::Lengths { first: first.len(), second: second.len() });
    }
    if first.len() < 3 {
        return Err(StatsError::TooFew { found: first.len(), needed: 3 });
    }
    for (which, numbers) in [("first", first), ("second", second)] {
        if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(StatsError::NotFinite { which, place: place + 1, value: numbers[place] });
        }
        if numbers.iter().all(|&number| number == numbers[0]) {
            return Err(StatsError::Constant { which, n: numbers.len(), value: numbers[0] });
        }
    }
    Ok(())
}

/// Pearson's r of pairs that [`check`] let pass.
fn correlate(first: &[f64], second: &[f64]) -> Correlation {
    let first = unit(first);
    let second = unit(second);
    let r = first.iter().zip(&second).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0);
    let p = student::two_sided(r * r, (1.0 - r) * (1.0 + r), first.len() - 2);
    Correlation { r, p }
}

/// What is left without the mean, scaled to length 1; scaled by the largest first, so that no square overflows.
fn unit(numbers: &[f64]) -> Vec<f64> {
    // Half of each, so that the sum of numbers near the largest there are stays finite.
    let n = numbers.len() as f64;
    let mean = numbers.iter().map(|number| number / n).sum::<f64>();
    let mut rest: Vec<f64> = numbers.iter().map(|number| number - mean).collect();
    let largest = rest.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    rest.iter_mut().for_each(|number| *number /= largest);
    let length = rest.iter().map(|number| number * number).sum::<f64>().sqrt();
    rest.iter_mut().for_each(|number| *number /= length);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, -0.0, 0.0]), [4.5, 3.0, 4.5, 1.5, 1.5]);
        assert_eq!(ranks(&[]), Vec::<f64>::new());
    }

    #[test]
    fn what_cannot_be_correlated_is_told() {
        let error = |a: &[f64], b: &[f64]| pearson(a, b).unwrap_err().to_string();
        assert_eq!(error(&[1.0, 2.0], &[1.0, 2.0]), "found 2, expected at least 3");
        assert_eq!(
            error(&[1.0, 2.0, 3.0], &[1.0, 2.0]),
            "found 3 numbers in one list and 2 in the other, expected as many"
        );
        assert_eq!(
            error(&[1.0, 2.0, 3.0], &[0.5; 3]),
            "all 3 numbers of the second list are 0.5, expected some that differ: correlation is not defined"
        );
        assert_eq!(
            error(&[1.0, f64::NAN, 3.0], &[0.5; 3]),
            "number 2 of the first list is NaN, expected a finite one"
        );
    }

    #[test]
    fn extremes() {
        let perfect = pearson(&[1.0, 2.0, 3.0, 4.0], &[-2.0, -4.0, -6.0, -8.0]).unwrap();
        assert!((perfect.r + 1.0).abs() < 1e-15 && perfect.p < 1e-14, "{perfect:?}");
        let huge = pearson(&[1e300, -1e300, 0.5e300], &[1e-300, 3e-300, 2e-300]).unwrap();
        assert!(huge.r.is_finite() && huge.r < 0.0, "{huge:?}");
        assert_eq!(fisher_interval(0.3, 3), [-1.0, 1.0]);
        assert_eq!(fisher_interval(1.0, 10), [1.0, 1.0]);
    }
}
