//! The largest singular values of a sparse matrix, with their vectors.
//!
//! Randomised subspace iteration (Halko, Martinsson and Tropp: "Finding structure with randomness", SIAM Review 53,
//! 2011, algorithms 4.4 and 5.1): A times a few more random vectors than are wanted spans nearly what the largest
//! singular vectors span, and multiplying that in turn by Aᵀ and A brings it nearer. Between the products the columns are
//! made orthonormal, lest all turn towards the first. The small matrix that is left is taken apart by one-sided Jacobi.

pub(crate) mod dense;

use rayon::prelude::*;

use crate::draw::Draw;
use crate::product::{View, multiply};
use crate::sparse::Sparse;
use dense::{Columns, orthonormal};

/// Rows that a thread multiplies at once.
const PIECE: usize = 1024;

/// How close the result comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Random vectors beyond those wanted.
    pub surplus: usize,
    /// How often Aᵀ and A are applied to them.
    pub powers: usize,
    /// Where the random vectors come from.
    pub seed: u64,
}

impl Default for Effort {
    /// As scikit-learn's `TruncatedSVD`: 10 more vectors, 5 times.
    fn default() -> Self {
        Self { surplus: 10, powers: 5, seed: 0 }
    }
}

/// A ≈ U Σ Vᵀ with the largest singular values.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// The singular values, falling.
    pub values: Vec<f64>,
    /// U, row after row: (height, values).
    pub left: Vec<f64>,
    /// V, row after row: (width, values).
    pub right: Vec<f64>,
}

impl Svd {
    /// U Σ, row after row: each row of A in the coordinates of the right singular vectors.
    pub fn scores(&self) -> Vec<f64> {
        let rank = self.values.len().max(1);
        self.left.chunks(rank).flat_map(|row| row.iter().zip(&self.values).map(|(u, s)| u * s)).collect()
    }
}

/// The `rank` largest singular values, or all where the matrix has fewer.
///
/// Signs are such that in each right vector the entry of the largest size is positive. One that the matrix does not
/// have (it is of lower rank than asked) is 0, and so are its vectors.
pub fn truncated(matrix: &Sparse, rank: usize, effort: Effort) -> Svd {
    let Effort { surplus, powers, seed } = effort;
    let (height, width) = (matrix.height(), matrix.width());
    let rank = rank.min(height).min(width);
    if rank == 0 {
        return Svd { values: Vec::new(), left: Vec::new(), right: Vec::new() };
    }
    let count = (rank + surplus).min(height).min(width);
    let turned = matrix.transposed();

    let mut random = vec![0.0; width * count];
    random.par_chunks_mut(count).enumerate().for_each(|(row, numbers)| {
        let mut draw = Draw::at(seed, &[row as u64]);
        numbers.iter_mut().for_each(|number| *number = draw.normal());
    });
    let mut left = orthonormal(Columns::new(matrix.times(&random, count), count)).0;
    for _ in 0..powers {
        let right = orthonormal(Columns::new(turned.times(left.values(), count), count)).0;
        left = orthonormal(Columns::new(matrix.times(right.values(), count), count)).0;
    }
    // A ≈ Q Qᵀ A with Q = left, and (Qᵀ A)ᵀ = Aᵀ Q = P R, so that A ≈ Q Rᵀ Pᵀ; with R = X Σ Yᵀ it is (Q Y) Σ (P X)ᵀ.
    let (right, triangle) = orthonormal(Columns::new(turned.times(left.values(), count), count));
    let (x, values, y) = dense::jacobi(triangle, count);
    let mut left = rotated(&left, &y, count, rank);
    let mut right = rotated(&right, &x, count, rank);

    for vector in 0..rank {
        let column = || right.iter().skip(vector).step_by(rank);
        let largest = column().fold(0.0_f64, |most, x| if x.abs() > most.abs() { *x } else { most });
        if largest < 0.0 {
            left.iter_mut().skip(vector).step_by(rank).for_each(|x| *x = -*x);
            right.iter_mut().skip(vector).step_by(rank).for_each(|x| *x = -*x);
        }
    }
    Svd { values: values[..rank].to_vec(), left, right }
}

/// The first `rank` columns of a tall matrix times a square one (`count` × `count`, row after row).
fn rotated(tall: &Columns, square: &[f64], count: usize, rank: usize) -> Vec<f64> {
    let first: Vec<f64> = square.chunks(count).flat_map(|row| row[..rank].iter().copied()).collect();
    let height = tall.values().len() / count;
    let mut out = vec![0.0; height * rank];
    out.par_chunks_mut(PIECE * rank).zip(tall.values().par_chunks(PIECE * count)).for_each(|(out, rows)| {
        multiply(View::new(rows, rows.len() / count, count), View::new(&first, count, rank), out);
    });
    out
}

#[cfg(test)]
mod tests;
