//! How far two labellings of the same things agree: clusters with gene groups, one grader with another.
//!
//! With nᵢⱼ things of label i in one and j in the other, aᵢ and bⱼ the sums of rows and columns, and N of all:
//! - mutual information I = Σ nᵢⱼ/N · ln(N·nᵢⱼ / (aᵢ·bⱼ)), in nats, and *normalised* by an average of the two
//!   entropies (Strehl & Ghosh 2002; Vinh, Epps & Bailey 2010). 1 for the same partition, but not 0 by chance: many
//!   small clusters raise it;
//! - *adjusted* mutual information: what chance gives (random labels of the same sizes) is taken out (Vinh et al. 2010);
//! - adjusted Rand index (Hubert & Arabie 1985): pairs that are together or apart in both, chance taken out;
//! - Cohen's κ (1960): the share of equal labels, chance taken out. Here the labels themselves have to be equal.
//!
//! Limits (one label only, nothing at all) are as in scikit-learn.

use std::collections::BTreeMap;

/// Two labellings that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {first} labels in one labelling and {second} in the other, expected as many")]
pub struct LengthsDiffer {
    /// Labels in the first.
    pub first: usize,
    /// Labels in the second.
    pub second: usize,
}

/// Which average of the two entropies divides the mutual information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Average {
    /// Their mean, as scikit-learn does unless told otherwise.
    #[default]
    Arithmetic,
    /// The root of their product.
    Geometric,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
}

impl Average {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Arithmetic => f64::midpoint(a, b),
            Self::Geometric => (a * b).sqrt(),
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

/// Counts of pairs of labels, without the zeros.
struct Contingency {
    n: usize,
    /// (row, column, count), in order of row and column.
    cells: Vec<(usize, usize, usize)>,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Contingency {
    fn new<A: Ord, B: Ord>(first: &[A], second: &[B]) -> Result<Self, LengthsDiffer> {
        if first.len() != second.len() {
            return Err(LengthsDiffer { first: first.len(), second: second.len() });
        }
        let (row_of, rows) = places(first);
        let (column_of, columns) = places(second);
        let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for pair in row_of.into_iter().zip(column_of) {
            *cells.entry(pair).or_default() += 1;
        }
        let cells = cells.into_iter().map(|((row, column), count)| (row, column, count)).collect();
        Ok(Self { n: first.len(), cells, rows, columns })
    }

    /// Whether neither labelling parts anything.
    fn parts_nothing(&self) -> bool {
        self.rows.len() == self.columns.len() && self.rows.len() <= 1
    }

    fn mutual_information(&self) -> f64 {
        if self.rows.len() <= 1 || self.columns.len() <= 1 {
            return 0.0;
        }
        let n = self.n as f64;
        let of_cell = |&(row, column, count): &(usize, usize, usize)| {
            let outer = (self.rows[row] * self.columns[column]) as f64;
            let term = count as f64 / n * ((count as f64).ln() + n.ln() - outer.ln());
            if term.abs() < f64::EPSILON { 0.0 } else { term }
        };
        self.cells.iter().map(of_cell).sum::<f64>().max(0.0)
    }

    /// The mutual information to be expected of random labels with these sums of rows and columns.
    fn expected_mutual_information(&self) -> f64 {
        let ln_factorial = ln_factorials(self.n);
        let n = self.n;
        let mut expected = 0.0;
        for (a, rows) in sizes(&self.rows) {
            for (b, columns) in sizes(&self.columns) {
                let fixed = ln_factorial[a] + ln_factorial[b] + ln_factorial[n - a] + ln_factorial[n - b]
                    - ln_factorial[n];
                let mut of_pair = 0.0;
                for both in (a + b).saturating_sub(n).max(1)..=a.min(b) {
                    let ln_probability = fixed
                        - ln_factorial[both]
                        - ln_factorial[a - both]
                        - ln_factorial[b - both]
                        - ln_factorial[n + both - a - b];
                    let ratio = n as f64 * both as f64 / (a as f64 * b as f64);
                    of_pair += both as f64 / n as f64 * ratio.ln() * ln_probability.exp();
                }
                expected += (rows * columns) as f64 * of_pair;
            }
        }
        expected
    }
}

/// For each label its place among the sorted distinct ones, and how often each of these occurs.
fn places<T: Ord>(labels: &[T]) -> (Vec<usize>, Vec<usize>) {
    let mut distinct: BTreeMap<&T, usize> = BTreeMap::new();
    for label in labels {
        *distinct.entry(label).or_default() += 1;
    }
    let counts = distinct.values().copied().collect();
    for (place, slot) in distinct.values_mut().enumerate() {
        *slot = place;
    }
    (labels.iter().map(|label| distinct[label]).collect(), counts)
}

/// How many classes there are of each size.
fn sizes(counts: &[usize]) -> BTreeMap<usize, usize> {
    let mut sizes = BTreeMap::new();
    for &count in counts {
        *sizes.entry(count).or_default() += 1;
    }
    sizes
}

/// ln k! for k up to n, summed with the lost digits carried along (Kahan), since sums near N! are subtracted.
fn ln_factorials(n: usize) -> Vec<f64> {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    let mut table = Vec::with_capacity(n + 1);
    table.push(0.0);
    for k in 1..=n {
        let term = (k as f64).ln() - lost;
        let next = sum + term;
        lost = (next - sum) - term;
        sum = next;
        table.push(sum);
    }
    table
}

fn entropy(counts: &[usize], n: usize) -> f64 {
    if counts.len() <= 1 {
        return 0.0;
    }
    let n = n as f64;
    counts.iter().map(|&count| -(count as f64 / n) * ((count as f64).ln() - n.ln())).sum()
}

/// Normalised mutual information, in [0, 1].
pub fn normalized_mutual_information<A: Ord, B: Ord>(
    first: &[A],
    second: &[B],
    average: Average,
) -> Result<f64, LengthsDiffer> {
    let table = Contingency::new(first, second)?;
    if table.parts_nothing() {
        return Ok(1.0);
    }
    let information = table.mutual_information();
    if information == 0.0 {
        return Ok(0.0);
    }
    Ok(information / average.of(entropy(&table.rows, table.n), entropy(&table.columns, table.n)))
}

/// Mutual information adjusted for chance: about 0 for random labels, 1 for the same partition.
pub fn adjusted_mutual_information<A: Ord, B: Ord>(
    first: &[A],
    second: &[B],
    average: Average,
) -> Result<f64, LengthsDiffer> {
    let table = Contingency::new(first, second)?;
    if table.parts_nothing() {
        return Ok(1.0);
    }
    if table.rows.len() == 1 || table.columns.len() == 1 {
        return Ok(0.0);
    }
    let expected = table.expected_mutual_information();
    let whole = average.of(entropy(&table.rows, table.n), entropy(&table.columns, table.n));
    // Where nothing but rounding is left the sign is kept, and 0 / 0 becomes 1.
    let at_least_epsilon = |x: f64| if x < 0.0 { x.min(-f64::EPSILON) } else { x.max(f64::EPSILON) };
    Ok(at_least_epsilon(table.mutual_information() - expected) / at_least_epsilon(whole - expected))
}

/// The Rand index adjusted for chance: about 0 for random labels, 1 for the same partition, and negative below chance.
pub fn adjusted_rand_index<A: Ord, B: Ord>(first: &[A], second: &[B]) -> Result<f64, LengthsDiffer> {
    let table = Contingency::new(first, second)?;
    let square = |count: usize| (count as i128) * (count as i128);
    let n = table.n as i128;
    let cells: i128 = table.cells.iter().map(|&(_, _, count)| square(count)).sum();
    let rows: i128 = table.rows.iter().map(|&count| square(count)).sum();
    let columns: i128 = table.columns.iter().map(|&count| square(count)).sum();
    // Ordered pairs that are together in both, in the first only, in the second only, in neither.
    let (both, in_first, in_second) = (cells - n, rows - cells, columns - cells);
    let neither = n * n - in_first - in_second - cells;
    if in_first == 0 && in_second == 0 {
        return Ok(1.0);
    }
    // Products of two numbers of pairs pass 64 bits from 100,000 things on.
    let above = 2.0 * (both * neither - in_first * in_second) as f64;
    let below = (both + in_first) * (in_first + neither) + (both + in_second) * (in_second + neither);
    Ok(above / below as f64)
}

/// Cohen's κ of two graders, unweighted; `None` where it is not defined, as when both give all one and the same label.
pub fn cohens_kappa<T: Ord>(first: &[T], second: &[T]) -> Result<Option<f64>, LengthsDiffer> {
    if first.len() != second.len() {
        return Err(LengthsDiffer { first: first.len(), second: second.len() });
    }
    let mut counts: BTreeMap<&T, (usize, usize)> = BTreeMap::new();
    for (a, b) in first.iter().zip(second) {
        counts.entry(a).or_default().0 += 1;
        counts.entry(b).or_default().1 += 1;
    }
    let n = first.len() as f64;
    let apart = first.iter().zip(second).filter(|(a, b)| a != b).count() as f64;
    let equal_by_chance: f64 = counts.values().map(|&(a, b)| a as f64 * b as f64 / n).sum();
    let apart_by_chance = n - equal_by_chance;
    let one_label = counts.len() <= 1;
    Ok((!one_label).then(|| 1.0 - apart / apart_by_chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_do_not_matter_and_limits_are_scikit_learns() {
        let nmi = |a: &[u8], b: &[&str]| normalized_mutual_information(a, b, Average::default()).unwrap();
        assert!((nmi(&[0, 0, 1, 1], &["x", "x", "a", "a"]) - 1.0).abs() < 1e-15);
        assert_eq!(nmi(&[0, 0, 0, 0], &["a", "b", "c", "d"]), 0.0);
        assert_eq!(nmi(&[0, 0], &["a", "a"]), 1.0);
        assert_eq!(nmi(&[], &[]), 1.0);
        assert_eq!(adjusted_rand_index(&[0, 0, 1, 1], &[0, 1, 0, 1]).unwrap(), -0.5);
        assert_eq!(adjusted_rand_index::<u8, u8>(&[], &[]).unwrap(), 1.0);
        assert_eq!(adjusted_mutual_information(&[1, 1, 1], &[1, 2, 3], Average::Max).unwrap(), 0.0);
    }

    #[test]
    fn kappa_by_hand_and_where_there_is_none() {
        // 20 both say yes, 5 and 10 apart, 15 both say no (Cohen's own kind of table): (0.7 - 0.5) / (1 - 0.5).
        let pairs = [(1, 1, 20), (1, 0, 5), (0, 1, 10), (0, 0, 15)];
        let (first, second): (Vec<u8>, Vec<u8>) =
            pairs.iter().flat_map(|&(a, b, times)| std::iter::repeat_n((a, b), times)).unzip();
        assert!((cohens_kappa(&first, &second).unwrap().unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohens_kappa(&[1, 1], &[1, 1]).unwrap(), None);
        assert_eq!(cohens_kappa::<u8>(&[], &[]).unwrap(), None);
        let error = cohens_kappa(&[1], &[1, 2]).unwrap_err().to_string();
        assert_eq!(error, "found 1 labels in one labelling and 2 in the other, expected as many");
    }
}
