//! Norms over rows of `w.len()` numbers: RMSNorm (Zhang & Sennrich, 2019), LayerNorm (Ba et al., 2016).
//!
//! ```text
//! rms    y = w · x / √(mean(x²) + ε)           (Gemma: 1 + w in the place of w)
//! layer  y = w · (x − mean) / √(var + ε) + b
//! ```

use rayon::prelude::*;

use super::math::{dot, multiply_add, sum, vectorised};
use crate::config;

/// Rows per parallel task.
const ROWS: usize = 16;

/// A norm and its weights.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) kind: config::Norm,
    pub(crate) eps: f32,
    pub(crate) weight: &'a [f32],
    /// Of a LayerNorm; empty otherwise.
    pub(crate) bias: &'a [f32],
}

impl Norm<'_> {
    fn width(&self) -> usize {
        self.weight.len()
    }

    /// What is added to each weight.
    fn offset(&self) -> f32 {
        if self.kind == config::Norm::RmsPlusOne { 1.0 } else { 0.0 }
    }

    /// What is taken from a row's numbers, and what they are then multiplied by.
    fn moments(&self, x: &[f32]) -> (f32, f32) {
        let width = x.len() as f32;
        let mean = if self.kind == config::Norm::Layer { sum(x) / width } else { 0.0 };
        // Around the mean, not by the difference of two large sums.
        let square = if mean == 0.0 { dot(x, x) } else { deviations(x, mean) };
        (mean, 1.0 / (square / width + self.eps).sqrt())
    }

    fn row(&self, x: &[f32], y: &mut [f32]) {
        let (mean, inverse) = self.moments(x);
        normalise(x, self.weight, self.offset(), mean, inverse, y);
        if !self.bias.is_empty() {
            y.iter_mut().zip(self.bias).for_each(|(y, b)| *y += b);
        }
    }

    /// `y` = normalised `x`, on the caller's thread.
    pub(crate) fn rows(&self, x: &[f32], y: &mut [f32]) {
        let rows = x.chunks_exact(self.width()).zip(y.chunks_exact_mut(self.width()));
        rows.for_each(|(x, y)| self.row(x, y));
    }

    /// `y` = normalised `x`.
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let block = self.width() * ROWS;
        x.par_chunks(block).zip(y.par_chunks_mut(block)).for_each(|(x, y)| self.rows(x, y));
    }

    /// `dx` += gradient through the norm.
    pub(crate) fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let width = self.width();
        dx.par_chunks_mut(width * ROWS).enumerate().for_each(|(block, dx)| {
            for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
                let at = (block * ROWS + row) * width;
                self.row_backward(&x[at..at + width], &dy[at..at + width], dx);
            }
        });
    }

    /// Adds one row's gradient to `dx`.
    fn row_backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let (mean, inverse) = self.moments(x);
        let width = x.len() as f32;
        let (along, sum) = weighted(x, dy, self.weight, self.offset(), mean);
        let through = along * inverse * inverse * inverse / width;
        let shift = if self.kind == config::Norm::Layer { sum * inverse / width } else { 0.0 };
        let terms = Terms { offset: self.offset(), mean, inverse, through, shift };
        add_gradient(x, dy, self.weight, &terms, dx);
    }

    /// `dw` += Σ over rows of dy · normalised x; `db` += Σ dy where there is a bias.
    pub(crate) fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32]) {
        for (x, dy) in x.chunks_exact(self.width()).zip(dy.chunks_exact(self.width())) {
            let (mean, inverse) = self.moments(x);
            for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
                *dw += dy * (x - mean) * inverse;
            }
            db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
        }
    }

    /// Normalises `heads` heads side by side from column `first` of each row in place; rows are `stride` apart.
    pub(crate) fn heads(&self, x: &mut [f32], stride: usize, first: usize, heads: usize) {
        let dim = self.width();
        x.par_chunks_mut(stride).with_min_len(ROWS).for_each(|row| {
            for head in row[first..first + heads * dim].chunks_exact_mut(dim) {
                let (mean, inverse) = self.moments(head);
                for (x, w) in head.iter_mut().zip(self.weight) {
                    *x = (w + self.offset()) * ((*x - mean) * inverse);
                }
            }
        });
    }

    /// The gradient of [`Norm::heads`] in place of `d`, from what stood in `x` (n, `x_stride`) before it; `dw`, where
    /// it is wanted, gets its gradient added.
    #[allow(
        clippy::too_many_arguments,
        reason = "two matrices with strides of their own, and a place in them"
    )]
    pub(crate) fn heads_backward(
        &self,
        x: &[f32],
        x_stride: usize,
        d: &mut [f32],
        stride: usize,
        first: usize,
        heads: usize,
        dw: Option<&mut [f32]>,
    ) {
        let dim = self.width();
        let columns = first..first + heads * dim;
        if let Some(dw) = dw {
            for (x, d) in x.chunks_exact(x_stride).zip(d.chunks_exact(stride)) {
                self.backward_weight(&x[columns.clone()], &d[columns.clone()], dw, &mut []);
            }
        }
        let rows = x.par_chunks_exact(x_stride).zip(d.par_chunks_exact_mut(stride)).with_min_len(ROWS);
        rows.for_each(|(x, d)| {
            let mut dx = vec![0.0; dim];
            for (x, d) in x[columns.clone()].chunks_exact(dim).zip(d[columns.clone()].chunks_exact_mut(dim)) {
                dx.fill(0.0);
                self.row_backward(x, d, &mut dx);
                d.copy_from_slice(&dx);
            }
        });
    }
}

/// The numbers that a row's gradient is made with.
pub(crate) struct Terms {
    offset: f32,
    mean: f32,
    inverse: f32,
    through: f32,
    shift: f32,
}

vectorised! {
    /// Σ (x − mean)².
    fn deviations = deviations_body(x: &[f32], mean: f32) -> f32
}

#[inline(always)]
fn deviations_body<const FMA: bool>(x: &[f32], mean: f32) -> f32 {
    let mut sums = [0f32; 16];
    let (xs, rest) = x.as_chunks::<16>();
    for x in xs {
        for i in 0..16 {
            sums[i] = multiply_add::<FMA>(x[i] - mean, x[i] - mean, sums[i]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()
}

vectorised! {
    /// y = (w + offset) · (x − mean) · inverse.
    fn normalise = normalise_body(x: &[f32], w: &[f32], offset: f32, mean: f32, inverse: f32, y: &mut [f32])
}

#[inline(always)]
fn normalise_body<const FMA: bool>(
    x: &[f32],
    w: &[f32],
    offset: f32,
    mean: f32,
    inverse: f32,
    y: &mut [f32],
) {
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        *y = (w + offset) * ((x - mean) * inverse);
    }
}

vectorised! {
    /// Σ (x − mean) · dy · (w + offset) and Σ dy · (w + offset).
    fn weighted = weighted_body(x: &[f32], dy: &[f32], w: &[f32], offset: f32, mean: f32) -> (f32, f32)
}

#[inline(always)]
fn weighted_body<const FMA: bool>(x: &[f32], dy: &[f32], w: &[f32], offset: f32, mean: f32) -> (f32, f32) {
    let (mut along, mut sums) = ([0f32; 16], [0f32; 16]);
    let ((xs, x_rest), (ds, d_rest), (ws, w_rest)) =
        (x.as_chunks::<16>(), dy.as_chunks::<16>(), w.as_chunks::<16>());
    for ((x, d), w) in xs.iter().zip(ds).zip(ws) {
        for i in 0..16 {
            let weighted = d[i] * (w[i] + offset);
            along[i] = multiply_add::<FMA>(x[i] - mean, weighted, along[i]);
            sums[i] += weighted;
        }
    }
    let (mut first, mut second) = (along.iter().sum::<f32>(), sums.iter().sum::<f32>());
    for ((x, d), w) in x_rest.iter().zip(d_rest).zip(w_rest) {
        first += (x - mean) * d * (w + offset);
        second += d * (w + offset);
    }
    (first, second)
}

vectorised! {
    /// dx += inverse · (w + offset) · dy − through · (x − mean) − shift.
    fn add_gradient = add_gradient_body(x: &[f32], dy: &[f32], w: &[f32], terms: &Terms, dx: &mut [f32])
}

#[inline(always)]
fn add_gradient_body<const FMA: bool>(x: &[f32], dy: &[f32], w: &[f32], terms: &Terms, dx: &mut [f32]) {
    let Terms { offset, mean, inverse, through, shift } = *terms;
    for (((dx, x), dy), w) in dx.iter_mut().zip(x).zip(dy).zip(w) {
        *dx += inverse * (w + offset) * dy - through * (x - mean) - shift;
    }
}
