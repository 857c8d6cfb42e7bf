//! The slowest ways in which a connected graph can swing: eigenvectors of its normalised Laplacian.
//!
//! Those of I − A with A = D^−½ W D^−½ that belong to the smallest eigenvalues belong to A's largest. The largest, 1, has
//! the vector D^½ 1, which is known and taken out. The next come from a block of random vectors that a Chebyshev
//! polynomial in A, small on the rest of the spectrum and steep above it, turns towards them (Zhou, Saad, Tiago and
//! Chelikowsky: "Self-consistent-field calculations using Chebyshev-filtered subspace iteration", 2006).

use rayon::prelude::*;

use crate::draw::Draw;
use crate::sparse::Sparse;
use crate::svd::dense::{Columns, jacobi, orthonormal};

/// Vectors of the block beyond those wanted: what they hold is not resolved, but makes the others converge.
const SURPLUS: usize = 4;
/// The degree of a polynomial.
const DEGREE: usize = 24;
/// Polynomials at most.
const ROUNDS: usize = 20;
/// ‖Ax − λx‖ that is good enough for a start.
const TOLERANCE: f64 = 1e-4;

/// The eigenvectors after the first, `count` for each node, row after row.
///
/// The graph has to be connected and to have more than `count` nodes.
pub(super) fn eigenvectors(graph: &Sparse, count: usize, seed: u64) -> Vec<f64> {
    let n = graph.height();
    let block = (count + SURPLUS).min(n - 1);
    let degrees: Vec<f64> = (0..n).map(|node| graph.row(node).map(|(_, w)| w).sum()).collect();
    let total: f64 = degrees.iter().sum();
    let first: Vec<f64> = degrees.iter().map(|d| (d / total).sqrt()).collect();
    let scaled = |node: usize| -> Vec<(u32, f64)> {
        graph.row(node).map(|(to, w)| (to, w / (degrees[node] * degrees[to as usize]).sqrt())).collect()
    };
    let rows: Vec<Vec<(u32, f64)>> = (0..n).into_par_iter().map(scaled).collect();
    let matrix = Sparse::from_rows(n, &rows);

    let mut draw = Draw::at(seed, &[0x5bec]);
    let mut basis: Vec<f64> = (0..n * block).map(|_| draw.normal()).collect();
    // Nothing is known of the spectrum at first but that it lies in [−1, 1].
    let mut cut = 0.0;
    for _ in 0..ROUNDS {
        basis = filtered(&matrix, basis, block, cut);
        without(&mut basis, &first, block);
        basis = orthonormal(Columns::new(basis, block)).0.values().to_vec();
        let image = matrix.times(&basis, block);
        // Rayleigh-Ritz: the eigenvectors of A within the block. A + 2 is positive, so that singular values are
        // eigenvalues.
        let mut small = vec![0.0; block * block];
        for (x, y) in basis.chunks(block).zip(image.chunks(block)) {
            for (row, x) in x.iter().enumerate() {
                for (column, y) in y.iter().enumerate() {
                    small[row * block + column] += x * y;
                }
            }
        }
        (0..block).for_each(|i| small[i * block + i] += 2.0);
        let (_, values, turn) = jacobi(small, block);
        basis = turned(&basis, &turn, block);
        let image = turned(&image, &turn, block);
        let worst = (0..count)
            .map(|vector| {
                let value = values[vector] - 2.0;
                let pairs =
                    basis.iter().skip(vector).step_by(block).zip(image.iter().skip(vector).step_by(block));
                pairs.map(|(x, y)| (y - value * x).powi(2)).sum::<f64>().sqrt()
            })
            .fold(0.0, f64::max);
        if worst < TOLERANCE {
            break;
        }
        cut = (values[block - 1] - 2.0).clamp(-0.5, 1.0 - 1e-9);
    }
    basis.chunks(block).flat_map(|row| row[..count].iter().copied()).collect()
}

/// The Chebyshev polynomial in A that is at most 1 on [−1, cut].
fn filtered(matrix: &Sparse, basis: Vec<f64>, block: usize, cut: f64) -> Vec<f64> {
    let (centre, half) = ((cut - 1.0) / 2.0, f64::midpoint(cut, 1.0));
    let step = |x: &[f64]| -> Vec<f64> {
        let mut image = matrix.times(x, block);
        image.par_iter_mut().zip(x).with_min_len(4096).for_each(|(y, x)| *y = (*y - centre * x) / half);
        image
    };
    let mut before = basis;
    let mut now = step(&before);
    for _ in 1..DEGREE {
        let mut next = step(&now);
        next.par_iter_mut().zip(&before).with_min_len(4096).for_each(|(y, x)| *y = 2.0 * *y - x);
        (before, now) = (now, next);
    }
    now
}

/// Takes the part along `first` out of every vector of a block.
fn without(basis: &mut [f64], first: &[f64], block: usize) {
    for vector in 0..block {
        let along: f64 = basis.iter().skip(vector).step_by(block).zip(first).map(|(x, f)| x * f).sum();
        basis.iter_mut().skip(vector).step_by(block).zip(first).for_each(|(x, f)| *x -= along * f);
    }
}

/// A block of vectors times a small square matrix.
fn turned(basis: &[f64], turn: &[f64], block: usize) -> Vec<f64> {
    let row = |row: &[f64]| -> Vec<f64> {
        let column =
            |column: usize| row.iter().zip(turn.iter().skip(column).step_by(block)).map(|(x, t)| x * t).sum();
        (0..block).map(column).collect()
    };
    basis.chunks(block).flat_map(row).collect()
}
