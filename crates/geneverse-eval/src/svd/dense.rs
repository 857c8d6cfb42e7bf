//! Tall matrices made orthonormal, and small ones taken apart.
//!
//! Orthonormal columns come from the Cholesky factor of the columns' products, twice (Yamamoto et al.: "Roundoff error
//! analysis of the CholeskyQR2 algorithm", ETNA 44, 2015): nearly all of it is one product of matrices. Where columns
//! depend on each other so much that there is no such factor, Gram-Schmidt with a second pass does it column by column.
//!
//! One-sided Jacobi (Hestenes 1958; Demmel and Veselić 1992) rotates pairs of columns until all are at right angles; it
//! finds small singular values as exactly as large ones.

use rayon::prelude::*;

use super::PIECE;
use crate::product::{View, multiply};

/// A column this much shorter than it was, after what the others span is taken out, was spanned by them.
const NOTHING: f64 = 1e-13;

/// A tall matrix, row after row.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    values: Vec<f64>,
    count: usize,
}

impl Columns {
    pub(crate) fn new(values: Vec<f64>, count: usize) -> Self {
        debug_assert_eq!(values.len() % count, 0);
        Self { values, count }
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Q with orthonormal columns and R, upper triangular, row after row, such that Q R is the matrix. Columns of Q for which
/// nothing is left are zero.
pub(crate) fn orthonormal(matrix: Columns) -> (Columns, Vec<f64>) {
    let count = matrix.count;
    let once = |matrix: &Columns| -> Option<(Columns, Vec<f64>)> {
        let upper = cholesky(products(matrix), count)?;
        let inverse = inverse(&upper, count);
        Some((times(matrix, &inverse), upper))
    };
    match once(&matrix).and_then(|(first, outer)| Some((once(&first)?, outer))) {
        Some(((q, inner), outer)) => {
            let mut upper = vec![0.0; count * count];
            multiply(View::new(&inner, count, count), View::new(&outer, count, count), &mut upper);
            (q, upper)
        }
        None => gram_schmidt(matrix),
    }
}

/// Mᵀ M, summed in pieces of a fixed size.
fn products(matrix: &Columns) -> Vec<f64> {
    let count = matrix.count;
    let pieces: Vec<Vec<f64>> = matrix
        .values
        .par_chunks(PIECE * count)
        .map(|rows| {
            let view = View::new(rows, rows.len() / count, count);
            let mut out = vec![0.0; count * count];
            multiply(view.transposed(), view, &mut out);
            out
        })
        .collect();
    let mut sum = vec![0.0; count * count];
    for piece in pieces {
        sum.iter_mut().zip(piece).for_each(|(sum, x)| *sum += x);
    }
    sum
}

/// M times a square matrix.
fn times(matrix: &Columns, square: &[f64]) -> Columns {
    let count = matrix.count;
    let mut values = vec![0.0; matrix.values.len()];
    values.par_chunks_mut(PIECE * count).zip(matrix.values.par_chunks(PIECE * count)).for_each(
        |(out, rows)| {
            multiply(View::new(rows, rows.len() / count, count), View::new(square, count, count), out);
        },
    );
    Columns { values, count }
}

/// Upper triangular R with Rᵀ R = G; `None` where rounding leaves too little of a column.
fn cholesky(mut g: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    // Squaring halves the digits: what is left of a squared length has to stand clear of rounding.
    let least = (0..n).map(|i| g[i * n + i]).collect::<Vec<f64>>();
    for i in 0..n {
        for k in 0..i {
            let factor = g[k * n + i];
            for j in i..n {
                g[i * n + j] -= factor * g[k * n + j];
            }
        }
        let pivot = g[i * n + i];
        if pivot.is_nan() || pivot <= least[i] * 1e-11 {
            return None;
        }
        let root = pivot.sqrt();
        g[i * n + i..(i + 1) * n].iter_mut().for_each(|x| *x /= root);
        g[i * n..i * n + i].fill(0.0);
    }
    Some(g)
}

/// The inverse of an upper triangular matrix.
fn inverse(upper: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    for i in (0..n).rev() {
        let pivot = upper[i * n + i];
        out[i * n + i] = 1.0 / pivot;
        for k in i + 1..n {
            let factor = upper[i * n + k] / pivot;
            for j in k..n {
                out[i * n + j] -= factor * out[k * n + j];
            }
        }
    }
    out
}

/// Column by column, each freed twice of those before it.
fn gram_schmidt(matrix: Columns) -> (Columns, Vec<f64>) {
    let Columns { values, count } = matrix;
    let height = values.len() / count;
    // Column after column, so that each is one piece of memory.
    let mut columns: Vec<Vec<f64>> =
        (0..count).map(|column| values.iter().skip(column).step_by(count).copied().collect()).collect();
    let mut upper = vec![0.0; count * count];
    for at in 0..count {
        let (before, rest) = columns.split_at_mut(at);
        let column = &mut rest[0];
        let length = norm(column);
        for _pass in 0..2 {
            for (place, other) in before.iter().enumerate() {
                let shared: f64 = other.iter().zip(&*column).map(|(a, b)| a * b).sum();
                column.iter_mut().zip(other).for_each(|(x, y)| *x -= shared * y);
                upper[place * count + at] += shared;
            }
        }
        let left = norm(column);
        if left > NOTHING * length {
            column.iter_mut().for_each(|x| *x /= left);
            upper[at * count + at] = left;
        } else {
            column.fill(0.0);
        }
    }
    let mut values = vec![0.0; height * count];
    for (place, column) in columns.iter().enumerate() {
        values.iter_mut().skip(place).step_by(count).zip(column).for_each(|(out, x)| *out = *x);
    }
    (Columns { values, count }, upper)
}

fn norm(column: &[f64]) -> f64 {
    column.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// X, singular values (falling) and Y of a square matrix X Σ Yᵀ, row after row.
pub(crate) fn jacobi(matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    // Columns of the matrix and of Y, each one piece of memory: (column, row).
    let mut columns: Vec<Vec<f64>> =
        (0..n).map(|column| matrix.iter().skip(column).step_by(n).copied().collect()).collect();
    let mut turned: Vec<Vec<f64>> =
        (0..n).map(|column| (0..n).map(|row| f64::from(u8::from(row == column))).collect()).collect();
    // Each sweep squares what is left of the angles; six to ten are the rule.
    for _sweep in 0..60 {
        let mut rotated = false;
        for i in 0..n {
            for j in i + 1..n {
                let (a, b, c) = {
                    let (x, y) = (&columns[i], &columns[j]);
                    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                    (dot(x, x), dot(y, y), dot(x, y))
                };
                if c.abs() <= 1e-15 * (a * b).sqrt() || c == 0.0 {
                    continue;
                }
                rotated = true;
                let zeta = (b - a) / (2.0 * c);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                rotate(&mut columns, i, j, cosine, cosine * tangent);
                rotate(&mut turned, i, j, cosine, cosine * tangent);
            }
        }
        if !rotated {
            break;
        }
    }
    let lengths: Vec<f64> = columns.iter().map(|column| norm(column)).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    let longest = order.first().map_or(0.0, |first| lengths[*first]);
    let (mut x, mut y) = (vec![0.0; n * n], vec![0.0; n * n]);
    let mut values = Vec::with_capacity(n);
    for (place, &from) in order.iter().enumerate() {
        let length = lengths[from];
        // What rounding leaves of a column that is spanned by others is no singular value.
        let there = length > longest * 1e-15;
        values.push(if there { length } else { 0.0 });
        for row in 0..n {
            x[row * n + place] = if there { columns[from][row] / length } else { 0.0 };
            y[row * n + place] = if there { turned[from][row] } else { 0.0 };
        }
    }
    (x, values, y)
}

fn rotate(columns: &mut [Vec<f64>], i: usize, j: usize, cosine: f64, sine: f64) {
    let (head, tail) = columns.split_at_mut(j);
    for (x, y) in head[i].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}
