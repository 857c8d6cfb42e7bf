//! Muon: a matrix is moved along the orthogonal matrix that is nearest to its momentum, so that every direction of it is
//! learnt at the same pace (Jordan et al., 2024), at a rate that fits AdamW's (Liu et al., 2025).

use crate::ops::matmul::{Into, Threads, product, rows, transposed};

const MOMENTUM: f32 = 0.95;
/// Of the quintic iteration that takes singular values towards 1: fast rather than exact, they end between 0.7 and 1.2.
const A: f32 = 3.4445;
/// See [`A`].
const B: f32 = -4.775;
/// See [`A`].
const C: f32 = 2.0315;
const ITERATIONS: usize = 5;
const EPS: f32 = 1e-7;
/// What an AdamW step's root mean square is about: with it one learning rate and one weight decay serve both.
const RMS: f64 = 0.2;

/// One matrix's step.
pub(super) struct Turn<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) numbers: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    pub(super) momentum: &'a mut [f32],
    /// Learning rate.
    pub(super) rate: f64,
    /// What weight decay leaves.
    pub(super) keep: f32,
}

impl Turn<'_> {
    pub(super) fn step(self) {
        let Self { rows, columns, numbers, gradient, momentum, rate, keep } = self;
        let mut update = vec![0f32; gradient.len()];
        for ((u, g), m) in update.iter_mut().zip(gradient).zip(momentum) {
            *m += (1.0 - MOMENTUM) * (g - *m);
            // Nesterov's: the gradient once more.
            *u = g + MOMENTUM * (*m - g);
        }
        let update = orthogonal(update, rows, columns);
        let rate = (rate * RMS * (rows.max(columns) as f64).sqrt()) as f32;
        for (x, u) in numbers.iter_mut().zip(&update) {
            *x = *x * keep - rate * u;
        }
    }
}

/// Nearly the orthogonal factor of a matrix, by Newton and Schulz's iteration.
fn orthogonal(mut x: Vec<f32>, row_count: usize, columns: usize) -> Vec<f32> {
    let length = x.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt() as f32;
    let scale = 1.0 / length.max(EPS);
    x.iter_mut().for_each(|v| *v *= scale);
    // The smaller of X·Xᵀ and Xᵀ·X: `flat` says that X has fewer rows than columns.
    let flat = row_count <= columns;
    let n = row_count.min(columns);
    let (mut gram, mut polynomial) = (vec![0f32; n * n], vec![0f32; n * n]);
    let mut next = vec![0f32; x.len()];
    let (fresh, added, one) = (Into::Fresh, Into::Added, Threads::One);
    for _ in 0..ITERATIONS {
        let (straight, turned) = (rows(&x[..], columns), transposed(&x[..], columns));
        let (left, right, k) = if flat { (straight, turned, columns) } else { (turned, straight, row_count) };
        product((n, n, k), 1.0, left, right, &mut gram, n, fresh, one);
        for (p, g) in polynomial.iter_mut().zip(&gram) {
            *p = B * g;
        }
        product((n, n, n), C, rows(&gram[..], n), rows(&gram[..], n), &mut polynomial, n, added, one);
        for (next, x) in next.iter_mut().zip(&x) {
            *next = A * x;
        }
        let polynomial = rows(&polynomial[..], n);
        if flat {
            product((n, columns, n), 1.0, polynomial, straight, &mut next, columns, added, one);
        } else {
            product((row_count, n, n), 1.0, straight, polynomial, &mut next, columns, added, one);
        }
        std::mem::swap(&mut x, &mut next);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        shape: (usize, usize),
        start: Vec<f32>,
        gradients: Vec<Vec<f32>>,
        rate: f64,
        keep: f64,
        after: Vec<f32>,
    }

    /// See `tests/goldens/make_muon_goldens.py`.
    #[test]
    fn steps_are_those_of_the_reference() {
        let goldens: Vec<Golden> =
            serde_json::from_str(include_str!("../../tests/goldens/muon.json")).unwrap();
        for golden in goldens {
            let (rows, columns) = golden.shape;
            let mut numbers = golden.start.clone();
            let mut momentum = vec![0.0; numbers.len()];
            for gradient in &golden.gradients {
                let (numbers, momentum) = (&mut numbers[..], &mut momentum[..]);
                let keep = golden.keep as f32;
                Turn { rows, columns, numbers, gradient, momentum, rate: golden.rate, keep }.step();
            }
            let off = numbers.iter().zip(&golden.after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 2e-5, "{rows} x {columns}: off by {off}");
        }
    }

    #[test]
    fn what_comes_out_is_nearly_orthogonal() {
        for (rows, columns) in [(8, 8), (5, 40), (40, 5), (1, 7)] {
            let mut rng = Rng::at(3, &[rows as u64]);
            let x: Vec<f32> = (0..rows * columns).map(|_| rng.normal(1.0)).collect();
            let o = orthogonal(x, rows, columns);
            let n = rows.min(columns);
            let squares: f32 = o.iter().map(|v| v * v).sum();
            assert!((0.4..1.5).contains(&(squares / n as f32)), "{rows} x {columns}: {squares}");
        }
    }
}
