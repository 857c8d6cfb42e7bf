//! Counts made comparable between cells: each cell's counts divided by its total, times a target, then ln(1 + x).
//!
//! As scanpy's `normalize_total` and `log1p` in single precision, in the same order of operations, so that values equal
//! there are equal here: tests by ranks depend on it. Of the logarithm the last bit is the right one; NumPy's depends on the
//! processor, and so do scanpy's scores, by some 10⁻⁵ of their size (p-values by up to a hundredth).

use super::Expression;

impl Expression {
    /// Whether all values are whole numbers of 0 and more: counts, which want to be normalised.
    pub fn are_counts(&self) -> bool {
        self.values.iter().all(|value| *value >= 0.0 && value.fract() == 0.0)
    }

    /// Each cell's sum over all genes; `cells` of them.
    pub fn totals(&self, cells: usize) -> Vec<f64> {
        let mut totals = vec![0.0; cells];
        for (cell, value) in self.cells.iter().zip(&self.values) {
            if let Some(total) = totals.get_mut(*cell as usize) {
                *total += f64::from(*value);
            }
        }
        totals
    }

    /// ln(1 + target · value / total of the cell). Without a `target` it is the median of the totals above 0.
    pub fn normalised(&self, cells: usize, target: Option<f64>) -> Self {
        let totals = self.totals(cells);
        let target = target.unwrap_or_else(|| median(totals.iter().copied().filter(|total| *total > 0.0)));
        let divisors: Vec<f32> = totals.iter().map(|total| *total as f32 / target as f32).collect();
        let values = self.cells.iter().zip(&self.values).map(|(cell, value)| {
            match divisors.get(*cell as usize) {
                // By way of double precision, which rounds right but for one in half a billion.
                Some(divisor) if *divisor > 0.0 => f64::from(value / divisor).ln_1p() as f32,
                _ => 0.0,
            }
        });
        Self { values: values.collect(), ..self.clone() }
    }
}

/// Of an even number the mean of the two in the middle; 1 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => 1.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Expression {
        Expression {
            genes: vec!["A".into(), "B".into()],
            starts: vec![0, 2, 4],
            cells: vec![0, 1, 1, 2],
            values: vec![4.0, 3.0, 1.0, 8.0],
        }
    }

    #[test]
    fn every_cell_comes_to_the_target() {
        let counts = counts();
        assert!(counts.are_counts());
        assert_eq!(counts.totals(4), [4.0, 4.0, 8.0, 0.0]);
        let by_median = counts.normalised(4, None);
        let whole: Vec<f32> = by_median.values.iter().map(|value| value.exp_m1().round()).collect();
        assert_eq!(whole, [4.0, 3.0, 1.0, 4.0]);
        assert!(!by_median.are_counts());
        let to_eight = counts.normalised(4, Some(8.0));
        assert_eq!(to_eight.values[0], 8.0_f32.ln_1p());
    }

    #[test]
    fn a_cell_without_counts_stays_without() {
        let mut counts = counts();
        counts.values[3] = 0.0;
        assert_eq!(counts.normalised(4, None).values[3], 0.0);
        assert_eq!(Expression::default().normalised(0, None), Expression::default());
    }
}
