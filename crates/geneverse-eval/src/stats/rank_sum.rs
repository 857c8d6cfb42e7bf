//! The Wilcoxon rank-sum test of each group of a sample against the rest, on data most of which is zero.
//!
//! All values are ranked together, equal ones by the mean of their ranks. With W the sum of the ranks of a group of n₁ of
//! N, z = (W − n₁(N+1)/2) / √(c · n₁ (N − n₁) (N+1)/12) is nearly normal; c is 1, or with ties taken into account
//! 1 − Σ(t³ − t)/(N³ − N) over the sizes t of the groups of equal values. Zeros are one such group: they need not be
//! there. Ranks are multiples of ½ below 2³², so their sums are exact.

use super::normal::ln_two_sided;

/// Sums of ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct RankSums {
    /// Of each group.
    pub sums: Vec<f64>,
    /// Σ(t³ − t) over groups of t equal values.
    ties: f64,
    all: f64,
}

/// A group against the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSumTest {
    /// The standardised sum of ranks; above 0 where the group has the higher values.
    pub z: f64,
    /// ln of the two-sided p-value.
    pub ln_p: f64,
}

/// Ranks `all` values: those that are not zero, each with its group, and zeros. `sizes` are the groups' sizes; a group
/// outside of them has no sum, but is ranked. Values must be numbers.
pub fn rank_sums(values: impl Iterator<Item = (f32, u32)>, sizes: &[usize], all: usize) -> RankSums {
    let mut keys: Vec<u64> = values
        .filter(|(value, _)| *value != 0.0)
        .map(|(value, group)| (u64::from(ascending(value)) << 32) | u64::from(group))
        .collect();
    keys.sort_unstable();
    let zeros = all.saturating_sub(keys.len());
    let below = keys.partition_point(|key| ((key >> 32) as u32) < ascending(0.0));

    let mut sums = vec![0.0; sizes.len()];
    let mut not_zero = vec![0_usize; sizes.len()];
    let mut ties = cubed(zeros);
    let mut at = 0;
    while at < keys.len() {
        let value = keys[at] >> 32;
        let end = at + keys[at..].iter().take_while(|key| *key >> 32 == value).count();
        let before = if at < below { at } else { at + zeros };
        let rank = before as f64 + (end - at + 1) as f64 / 2.0;
        for key in &keys[at..end] {
            let group = (key & u64::from(u32::MAX)) as usize;
            if let Some(sum) = sums.get_mut(group) {
                *sum += rank;
                not_zero[group] += 1;
            }
        }
        ties += cubed(end - at);
        at = end;
    }
    let rank_of_zero = below as f64 + (zeros + 1) as f64 / 2.0;
    for (group, sum) in sums.iter_mut().enumerate() {
        *sum += sizes[group].saturating_sub(not_zero[group]) as f64 * rank_of_zero;
    }
    RankSums { sums, ties, all: all as f64 }
}

impl RankSums {
    /// Tests a group of `size`; nothing speaks against chance where it is empty, or all, or all values are equal.
    pub fn test(&self, group: usize, size: usize, tie_correct: bool) -> RankSumTest {
        let (all, size) = (self.all, size as f64);
        let correction = match tie_correct {
            true if all >= 2.0 => 1.0 - self.ties / (all * all * all - all),
            _ => 1.0,
        };
        let deviation = (correction * size * (all - size) * (all + 1.0) / 12.0).sqrt();
        let z = (self.sums.get(group).copied().unwrap_or_default() - size * (all + 1.0) / 2.0) / deviation;
        // 0/0 where nothing can differ. All equal and ties counted leaves rounding over 0.
        let z = if z.is_finite() { z } else { 0.0 };
        RankSumTest { z, ln_p: ln_two_sided(z) }
    }
}

fn cubed(count: usize) -> f64 {
    let t = count as f64;
    t * t * t - t
}

/// A number whose order among unsigned ones is the value's among all: the sign turned, and of negative values all bits.
fn ascending(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | (1 << 31) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every rank by counting.
    fn slow(values: &[(f32, u32)], groups: usize) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; groups];
        let mut ties = 0.0;
        for (value, group) in values {
            let below = values.iter().filter(|other| other.0 < *value).count() as f64;
            let equal = values.iter().filter(|other| other.0 == *value).count() as f64;
            ties += equal * equal - 1.0;
            if let Some(sum) = sums.get_mut(*group as usize) {
                *sum += below + (equal + 1.0) / 2.0;
            }
        }
        (sums, ties)
    }

    proptest! {
        #[test]
        fn sums_are_those_of_ranks_counted_one_by_one(
            values in prop::collection::vec((-3_i8..6, 0_u32..4), 0..60)
        ) {
            let values: Vec<(f32, u32)> = values.iter().map(|(v, g)| (f32::from(*v) / 2.0, *g)).collect();
            let sizes: Vec<usize> =
                (0..3).map(|group| values.iter().filter(|(_, g)| *g == group).count()).collect();
            let found = rank_sums(values.iter().copied(), &sizes, values.len());
            let (sums, ties) = slow(&values, 3);
            prop_assert_eq!(&found.sums, &sums);
            prop_assert_eq!(found.ties, ties);
            for (group, size) in sizes.iter().enumerate() {
                for tie_correct in [false, true] {
                    let test = found.test(group, *size, tie_correct);
                    prop_assert!(test.z.is_finite() && test.ln_p <= 0.0);
                }
            }
        }
    }

    #[test]
    fn two_groups_by_hand() {
        // Ranks 1, 2, 3 | 4, 5: W = 9 of the second group, mean 6, variance 3.
        let values = [(1.0, 0), (2.0, 0), (3.0, 0), (4.0, 1), (5.0, 1)];
        let test = rank_sums(values.into_iter(), &[3, 2], 5).test(1, 2, false);
        assert!((test.z - 3.0_f64.sqrt()).abs() < 1e-15);
        assert!((test.ln_p.exp() - 0.083_264_516_663_550_4).abs() < 1e-14, "{}", test.ln_p.exp());
        // Zeros that are not written are ranked below.
        let sparse = [(4.0, 1), (5.0, 1)];
        assert_eq!(rank_sums(sparse.into_iter(), &[3, 2], 5).sums, [6.0, 9.0]);
    }
}
