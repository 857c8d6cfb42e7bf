//! How much of each gene each cell has.
//!
//! A count is negative binomial, with a variance of μ + μ²/2 as in such data, around μ = size of the cell × (what its type
//! has of the gene × what its place adds + what swims between the cells). It is drawn by inversion: probabilities are summed
//! from 0 until they exceed a uniform number. With this variance P(0) = (2/(2 + μ))² and P(k + 1) = P(k) · q (k + 2)/(k + 1),
//! q = μ/(μ + 2), and no power or gamma function is needed.

use std::f64::consts::TAU;

use rayon::prelude::*;

use super::layout::{LINEAGES, Layout, TYPES};
use super::{Gene, Simulation};
use crate::draw::Draw;
use crate::tissue::Expression;

/// A marker in its types: most have 2 to 12 counts in a cell.
const MARKER: (f64, f64) = (5.0, 0.45);
/// In types of the same lineage, and in all others: less than twofold apart, for these are no markers.
const RELATED: f64 = 0.04;
const ELSEWHERE: f64 = 0.025;
/// A gene that marks nothing, and how much its types differ all the same (of ln μ).
const COMMON: (f64, f64) = (0.8, 0.7);
const TYPES_DIFFER: f64 = 0.12;
/// How much a gene of the place has where it has most, of ln μ.
const FIELD: f64 = 0.7;
/// Cells differ in size by this, of the logarithm.
const SIZES_DIFFER: f64 = 0.3;
/// No cell has more of one gene.
const MOST: usize = 10_000;

/// Genes between two looks at whether to go on.
const AT_ONCE: usize = 16;

/// Counts of all genes in all cells. `go_on` is told how many genes are done; `None` where it says no.
pub(super) fn count(
    genes: &[Gene],
    layout: &Layout,
    settings: &Simulation,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Option<Expression> {
    let Simulation { seed, .. } = *settings;
    let size = |cell: usize| (SIZES_DIFFER * Draw::at(seed, &[5, cell as u64]).normal()).exp();
    let sizes: Vec<f64> = (0..layout.types.len()).into_par_iter().map(size).collect();
    let mut shares = vec![0.0; TYPES.len()];
    for kind in &layout.types {
        shares[*kind as usize] += 1.0 / layout.types.len() as f64;
    }
    let mut expression =
        Expression { genes: genes.iter().map(|gene| gene.symbol.clone()).collect(), ..Expression::default() };
    expression.starts.push(0);
    for (nth, some) in genes.chunks(AT_ONCE).enumerate() {
        if !go_on(nth * AT_ONCE) {
            return None;
        }
        let one = |(at, gene)| column(nth * AT_ONCE + at, gene, layout, &sizes, &shares, settings);
        let columns: Vec<(Vec<u32>, Vec<f32>)> = some.par_iter().enumerate().map(one).collect();
        for (cells, values) in columns {
            expression.cells.extend(cells);
            expression.values.extend(values);
            expression.starts.push(expression.cells.len());
        }
    }
    Some(expression)
}

/// A gene's counts.
fn column(
    place: usize,
    gene: &Gene,
    layout: &Layout,
    sizes: &[f64],
    shares: &[f64],
    settings: &Simulation,
) -> (Vec<u32>, Vec<f32>) {
    let Simulation { ambient, dropout, seed, .. } = *settings;
    let mut draw = Draw::at(seed, &[6, place as u64]);
    let means = means(gene, &mut draw);
    let around: f64 = means.iter().zip(shares).map(|(mean, share)| mean * share).sum();
    // A third of the genes that mark nothing follow a wave through the tissue.
    let wave = gene.marks.is_empty() && draw.below(3) == 0;
    let field = [draw.within(-1.5, 1.5), draw.within(-1.5, 1.5), draw.uniform()];
    let (mut cells, mut values) = (Vec::new(), Vec::new());
    for (cell, (kind, at)) in layout.types.iter().zip(&layout.places).enumerate() {
        let mut own = means[*kind as usize];
        if wave {
            let [x, y] = [f64::from(at[0]) / layout.size[0], f64::from(at[1]) / layout.size[1]];
            own *= (FIELD * (TAU * (field[0] * x + field[1] * y + field[2])).sin()).exp();
        }
        let mean = sizes[cell] * ((1.0 - ambient) * own + ambient * around);
        let mut draw = Draw::at(seed, &[7, place as u64, cell as u64]);
        let count = negative_binomial(mean, draw.uniform());
        if count > 0 && draw.uniform() >= dropout {
            cells.push(cell as u32);
            values.push(count as f32);
        }
    }
    (cells, values)
}

/// What a cell of each type has of a gene, on average.
fn means(gene: &Gene, draw: &mut Draw) -> Vec<f64> {
    if gene.marks.is_empty() {
        let common = COMMON.0 * (COMMON.1 * draw.normal()).exp();
        return TYPES.iter().map(|_| common * (TYPES_DIFFER * draw.normal()).exp()).collect();
    }
    let strength = (MARKER.0 * (MARKER.1 * draw.normal()).exp()).clamp(1.5, 20.0);
    let related = |kind: usize| {
        LINEAGES.iter().any(|line| line.contains(&kind) && gene.marks.iter().any(|mark| line.contains(mark)))
    };
    (0..TYPES.len())
        .map(|kind| match kind {
            kind if gene.marks.contains(&kind) => strength,
            kind if related(kind) => strength * RELATED,
            _ => strength * ELSEWHERE,
        })
        .collect()
}

/// The count at which the distribution exceeds `uniform`.
fn negative_binomial(mean: f64, uniform: f64) -> usize {
    let q = mean / (mean + 2.0);
    let mut probability = (1.0 - q) * (1.0 - q);
    let mut sum = probability;
    let mut count = 0;
    while uniform >= sum && count < MOST {
        probability *= q * (count + 2) as f64 / (count + 1) as f64;
        sum += probability;
        count += 1;
        // Rounding may leave the sum short of 1.
        if probability < 1e-18 && uniform >= sum {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_the_variance_that_they_should() {
        for mean in [0.05, 1.0, 8.0] {
            let mut draw = Draw::at(9, &[]);
            let drawn: Vec<f64> =
                (0..40_000).map(|_| negative_binomial(mean, draw.uniform()) as f64).collect();
            let found = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|x| (x - found).powi(2)).sum::<f64>() / drawn.len() as f64;
            let wanted = mean + mean * mean / 2.0;
            // Five standard errors of the mean; a twelfth for the variance.
            assert!((found - mean).abs() < 5.0 * (wanted / 40_000.0).sqrt(), "{mean}: {found}");
            assert!((variance / wanted - 1.0).abs() < 0.08, "{mean}: {variance}, expected {wanted}");
        }
        assert_eq!(negative_binomial(0.0, 0.999), 0);
        assert!(negative_binomial(5.0, 1.0_f64.next_down()) < 200);
    }
}
