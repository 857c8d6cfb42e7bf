//! Corrections of p-values for the number of tests, as `statsmodels.stats.multitest.multipletests` makes them.
//!
//! - Bonferroni: p·m.
//! - Holm (1979): the i-th smallest times m − i + 1, and at least what the one before it became.
//! - Benjamini and Hochberg (1995), the false discovery rate: the i-th smallest times m/i, and at most what the one after
//!   it became.
//!
//! All on ln p, and at most 0.

use serde::{Deserialize, Serialize};

/// A correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Bonferroni's.
    Bonferroni,
    /// Holm's.
    Holm,
    /// Benjamini and Hochberg's.
    FdrBh,
}

impl Correction {
    /// How it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bonferroni => "Bonferroni",
            Self::Holm => "Holm",
            Self::FdrBh => "Benjamini-Hochberg",
        }
    }

    /// ln of the corrected p-values, in the order of those given.
    pub fn correct(self, ln_p: &[f64]) -> Vec<f64> {
        let tests = ln_p.len() as f64;
        if self == Self::Bonferroni {
            return ln_p.iter().map(|p| (p + tests.ln()).min(0.0)).collect();
        }
        let mut order: Vec<usize> = (0..ln_p.len()).collect();
        order.sort_by(|a, b| ln_p[*a].total_cmp(&ln_p[*b]));
        let mut corrected = vec![0.0; ln_p.len()];
        if self == Self::Holm {
            let mut least = f64::NEG_INFINITY;
            for (before, &place) in order.iter().enumerate() {
                least = (ln_p[place] + (tests - before as f64).ln()).min(0.0).max(least);
                corrected[place] = least;
            }
        } else {
            let mut most = 0.0_f64;
            for (before, &place) in order.iter().enumerate().rev() {
                most = (ln_p[place] + (tests / (before + 1) as f64).ln()).min(most);
                corrected[place] = most;
            }
        }
        corrected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tests_by_hand() {
        let p = [0.01, 0.01, 0.03, 0.05, 0.005].map(f64::ln);
        let check = |correction: Correction, wanted: [f64; 5]| {
            for (found, wanted) in correction.correct(&p).iter().zip(wanted) {
                assert!((found.exp() - wanted).abs() < 1e-15, "{correction:?}: {} {wanted}", found.exp());
            }
        };
        check(Correction::Bonferroni, [0.05, 0.05, 0.15, 0.25, 0.025]);
        check(Correction::Holm, [0.04, 0.04, 0.06, 0.06, 0.025]);
        check(Correction::FdrBh, [0.05 / 3.0, 0.05 / 3.0, 0.0375, 0.05, 0.05 / 3.0]);
        assert!(Correction::Holm.correct(&[]).is_empty());
    }
}
