//! Fisher's exact test on a table of genes, in logarithms, so that p = 1e-1000 is a number like any other.
//!
//! Of `N` genes `K` have a term; of `n` that were drawn `k` have it. Without an association `k` is hypergeometric,
//! P(k) = C(K, k)·C(N − K, n − k) / C(N, n). One-sided p sums P over k and above; two-sided p sums it over every table
//! that is no more probable than the one seen (Fisher 1935), as R and scipy do.
//!
//! ln P comes from three binomial probabilities by Loader's saddle-point expansion ("Fast and accurate computation of
//! binomial probabilities", 2000), whose error does not grow with `N`; differences of ln N! would lose digits that way.
//! A tail is summed outwards by the ratio of neighbours, all terms positive.

use serde::{Deserialize, Serialize};

/// Which tables speak against chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alternative {
    /// Those that are no more probable than the one seen.
    TwoSided,
    /// Those with at least as many genes.
    Greater,
    /// Those with at most as many genes.
    Less,
}

/// A table of genes: `k` of `n` drawn have the term, `K` of `N` have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table {
    drawn_with: u64,
    drawn: u64,
    with: u64,
    all: u64,
}

/// Two tables whose probabilities differ by less, relatively, are equally probable: their logarithms are computed to
/// about 1e-12, and tables that differ at all differ by far more.
const TIE: f64 = 1e-10;

impl Table {
    /// `k` of `n` drawn have the term, `K` of `N` have it; `None` where there is no such table.
    pub fn new(drawn_with: u64, drawn: u64, with: u64, all: u64) -> Option<Self> {
        let table = Self { drawn_with, drawn, with, all };
        let possible = drawn <= all && with <= all && (table.least()..=table.most()).contains(&drawn_with);
        possible.then_some(table)
    }

    /// ln of the p-value, at most 0.
    pub fn ln_p(self, alternative: Alternative) -> f64 {
        let Self { drawn_with: k, .. } = self;
        let (least, most, mode) = (self.least(), self.most(), self.mode());
        let ln_p = match alternative {
            Alternative::Greater if k <= least => 0.0,
            Alternative::Less if k >= most => 0.0,
            Alternative::Greater if k > mode => self.ln_up(k),
            Alternative::Greater => ln_one_minus(self.ln_down(k - 1)),
            Alternative::Less if k < mode => self.ln_down(k),
            Alternative::Less => ln_one_minus(self.ln_up(k + 1)),
            Alternative::TwoSided => {
                let seen = self.ln_probability(k) + TIE;
                if self.ln_probability(mode) <= seen {
                    0.0
                } else if k > mode {
                    // Probabilities rise from the least to the mode: the last that is no more probable.
                    let other = last(least, mode, |j| self.ln_probability(j) <= seen);
                    ln_sum(self.ln_up(k), other.map(|j| self.ln_down(j)))
                } else {
                    let other = last(0, most - mode, |j| self.ln_probability(most - j) <= seen);
                    ln_sum(self.ln_down(k), other.map(|j| self.ln_up(most - j)))
                }
            }
        };
        ln_p.min(0.0)
    }

    fn least(self) -> u64 {
        (self.drawn + self.with).saturating_sub(self.all)
    }

    fn most(self) -> u64 {
        self.drawn.min(self.with)
    }

    /// The most probable number.
    fn mode(self) -> u64 {
        let product = u128::from(self.drawn + 1) * u128::from(self.with + 1);
        let mode = u64::try_from(product / u128::from(self.all + 2)).unwrap_or(u64::MAX);
        mode.clamp(self.least(), self.most())
    }

    fn ln_probability(self, k: u64) -> f64 {
        let Self { drawn, with, all, .. } = self;
        if drawn == 0 || drawn == all || with == 0 || with == all {
            return 0.0;
        }
        let without = all - with;
        let (share, rest) = (drawn as f64 / all as f64, (all - drawn) as f64 / all as f64);
        ln_binomial(k, with, share, rest) + ln_binomial(drawn - k, without, share, rest)
            - ln_binomial(drawn, all, share, rest)
    }

    /// ln P(j ≥ k), for k above the mode.
    fn ln_up(self, k: u64) -> f64 {
        let Self { drawn, with, all, .. } = self;
        let mut ratio = Ratio { term: 1.0, sum: 1.0 };
        for j in k..self.most() {
            let fewer = (with - j) as f64 * (drawn - j) as f64;
            let more = (j + 1) as f64 * (all - with + j + 1 - drawn) as f64;
            if !ratio.times(fewer / more) {
                break;
            }
        }
        self.ln_probability(k) + ratio.sum.ln()
    }

    /// ln P(j ≤ k), for k below the mode.
    fn ln_down(self, k: u64) -> f64 {
        let Self { drawn, with, all, .. } = self;
        let mut ratio = Ratio { term: 1.0, sum: 1.0 };
        for j in ((self.least() + 1)..=k).rev() {
            let fewer = j as f64 * (all - with + j - drawn) as f64;
            let more = (with + 1 - j) as f64 * (drawn + 1 - j) as f64;
            if !ratio.times(fewer / more) {
                break;
            }
        }
        self.ln_probability(k) + ratio.sum.ln()
    }
}

/// A sum of terms, each the one before it times something below 1.
struct Ratio {
    term: f64,
    sum: f64,
}

impl Ratio {
    /// Adds the next term; false once terms are too small to count.
    fn times(&mut self, factor: f64) -> bool {
        self.term *= factor;
        self.sum += self.term;
        // Factors fall from term to term, so what is left is below a geometric series with this one.
        self.term > self.sum * 1e-18 * (1.0 - factor).max(1e-9)
    }
}

/// The last number in `from..to` for which `is` holds, where it holds up to one and not beyond.
fn last(from: u64, to: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low.midpoint(high);
        if is(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low > from).then(|| low - 1)
}

/// ln(eᵃ + eᵇ).
fn ln_sum(a: f64, b: Option<f64>) -> f64 {
    match b {
        None => a,
        Some(b) => a.max(b) + (-(a - b).abs()).exp().ln_1p(),
    }
}

/// ln(1 − eᵃ) for a ≤ 0.
fn ln_one_minus(a: f64) -> f64 {
    // Either form loses digits where the other keeps them; they meet at ln 2 (Mächler 2012).
    if a > -std::f64::consts::LN_2 { (-a.exp_m1()).ln() } else { (-a.exp()).ln_1p() }
}

/// ln of the probability of `x` successes among `n` with `p` and `q = 1 − p`, both above 0.
fn ln_binomial(x: u64, n: u64, p: f64, q: f64) -> f64 {
    let (count, other, all) = (x as f64, (n - x) as f64, n as f64);
    match (x, n - x) {
        (0, _) if p < 0.1 => all * (-p).ln_1p(),
        (0, _) => all * q.ln(),
        (_, 0) if q < 0.1 => all * (-q).ln_1p(),
        (_, 0) => all * p.ln(),
        _ => {
            stirling_error(n)
                - stirling_error(x)
                - stirling_error(n - x)
                - deviance(count, all * p)
                - deviance(other, all * q)
                + 0.5 * (all / (std::f64::consts::TAU * count * other)).ln()
        }
    }
}

/// ln n! − ln(√(2πn)·(n/e)ⁿ).
fn stirling_error(n: u64) -> f64 {
    let x = n as f64;
    if n < 16 {
        // 15! is exact in 64 bits, and the logarithms are small.
        let factorial: u64 = (2..=n).product();
        let stirling = if n == 0 { 0.0 } else { 0.5 * (std::f64::consts::TAU * x).ln() + x * x.ln() - x };
        return (factorial as f64).ln() - stirling;
    }
    let square = x * x;
    let series = [1.0 / 1188.0, 1.0 / 1680.0, 1.0 / 1260.0, 1.0 / 360.0, 1.0 / 12.0];
    series.iter().fold(0.0, |sum, term| term - sum / square) / x
}

/// x·ln(x/m) + m − x, by a series where the two are close.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    for odd in (3..1000).step_by(2) {
        power *= v * v;
        let next = sum + power / f64::from(odd);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(table: Table, k: u64) -> f64 {
        let choose = |n: u64, k: u64| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        choose(table.with, k) * choose(table.all - table.with, table.drawn - k)
            / choose(table.all, table.drawn)
    }

    #[test]
    fn every_small_table_equals_the_sum_over_all_tables() {
        for all in 1..=14_u64 {
            for (drawn, with) in (0..=all).flat_map(|n: u64| (0..=all).map(move |k: u64| (n, k))) {
                let Some(any) = Table::new((drawn + with).saturating_sub(all), drawn, with, all) else {
                    panic!()
                };
                for k in any.least()..=any.most() {
                    let table = Table::new(k, drawn, with, all).unwrap();
                    let sum = |is: &dyn Fn(u64) -> bool| -> f64 {
                        (table.least()..=table.most()).filter(|j| is(*j)).map(|j| ways(table, j)).sum()
                    };
                    let seen = ways(table, k) * (1.0 + 1e-9);
                    for (alternative, wanted) in [
                        (Alternative::Greater, sum(&|j| j >= k)),
                        (Alternative::Less, sum(&|j| j <= k)),
                        (Alternative::TwoSided, sum(&|j| ways(table, j) <= seen)),
                    ] {
                        let found = table.ln_p(alternative).exp();
                        assert!(
                            (found - wanted).abs() < 1e-12,
                            "{table:?} {alternative:?}: {found} {wanted}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn tables_that_cannot_be_are_none() {
        assert!(Table::new(3, 2, 5, 10).is_none(), "more than were drawn");
        assert!(Table::new(0, 8, 5, 10).is_none(), "at least three of eight");
        assert!(Table::new(1, 11, 1, 10).is_none(), "more than there are");
    }
}
