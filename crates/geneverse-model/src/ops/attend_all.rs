//! Attention in which every token of a sequence sees every other (Vaswani et al., 2017): that of encoders.
//!
//! softmax(q·kᵀ · scale) · v, head by head, in tiles of [`TILE`] queries. Sequences lie end to end and see nothing of
//! each other. It works on the caller's thread: an encoder shares out whole packs, not what is in them.

use std::ops::Range;

use super::math::{exp_in_place, max};
use super::matmul::{Into, Threads, product, rows, transposed};

/// Queries handled together: their weights for 512 keys fill an eighth of a second-level cache.
const TILE: usize = 64;

/// `out` (n, heads · dim) from `qkv` (n, 3 · heads · dim), whose rows hold all queries, then all keys, then all values.
/// `sequences` are the rows of each sequence.
pub(crate) fn attend(
    qkv: &[f32],
    sequences: &[Range<usize>],
    (heads, dim): (usize, usize),
    out: &mut [f32],
    weights: &mut Vec<f32>,
) {
    let (width, stride) = (heads * dim, 3 * heads * dim);
    let (scale, one) = (1.0 / (dim as f32).sqrt(), Threads::One);
    for sequence in sequences {
        let n = sequence.len();
        for head in 0..heads {
            let keys = &qkv[sequence.start * stride + width + head * dim..];
            let values = &qkv[sequence.start * stride + 2 * width + head * dim..];
            for first in (0..n).step_by(TILE) {
                let m = TILE.min(n - first);
                let at = sequence.start + first;
                let queries = &qkv[at * stride + head * dim..];
                weights.resize(m * n, 0.0);
                let (q, k) = (rows(queries, stride), transposed(keys, stride));
                product((m, n, dim), 1.0, q, k, weights, n, Into::Fresh, one);
                let mut inverse = [0f32; TILE];
                for (weights, inverse) in weights.chunks_exact_mut(n).zip(&mut inverse) {
                    let largest = max(weights) * scale;
                    *inverse = 1.0 / exp_in_place(weights, scale, largest);
                }
                let place = &mut out[at * width + head * dim..];
                let (w, v) = (rows(&weights[..], n), rows(values, stride));
                product((m, dim, n), 1.0, w, v, place, width, Into::Fresh, one);
                // Dividing what was mixed, not every weight.
                for (row, inverse) in place.chunks_mut(width).zip(&inverse[..m]) {
                    row[..dim].iter_mut().for_each(|x| *x *= inverse);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Against the definition in f64, over sequences of one token, of a tile and one more, and of several tiles.
    #[test]
    fn every_token_sees_its_own_sequence_and_nothing_else() {
        let (heads, dim) = (3, 5);
        let width = heads * dim;
        let lengths = [1, 65, 7, 150];
        let n: usize = lengths.iter().sum();
        let mut rng = Rng::at(7, &[0]);
        let qkv: Vec<f32> = (0..n * 3 * width).map(|_| rng.normal(1.0)).collect();
        let mut start = 0;
        let sequences: Vec<Range<usize>> = lengths
            .iter()
            .map(|length| {
                start += length;
                start - length..start
            })
            .collect();
        let mut out = vec![f32::NAN; n * width];
        attend(&qkv, &sequences, (heads, dim), &mut out, &mut Vec::new());
        let at = |row: usize, column: usize| f64::from(qkv[row * 3 * width + column]);
        for sequence in &sequences {
            for head in 0..heads {
                for row in sequence.clone() {
                    let score = |key: usize| -> f64 {
                        let terms =
                            (0..dim).map(|i| at(row, head * dim + i) * at(key, width + head * dim + i));
                        (terms.sum::<f64>() / (dim as f64).sqrt()).exp()
                    };
                    let sum: f64 = sequence.clone().map(score).sum();
                    for i in 0..dim {
                        let mixed =
                            sequence.clone().map(|key| score(key) * at(key, 2 * width + head * dim + i));
                        let wanted = mixed.sum::<f64>() / sum;
                        let found = f64::from(out[row * width + head * dim + i]);
                        assert!((found - wanted).abs() < 2e-6, "row {row}, head {head}: {found}, {wanted}");
                    }
                }
            }
        }
    }
}
