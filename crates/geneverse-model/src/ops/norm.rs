//! RMSNorm: y = w · x / √(mean(x²) + ε) (Zhang & Sennrich, 2019), over rows of `w.len()` numbers.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::math::{dot, multiply_add, vectorised};
use super::{buffer, slice, view};

/// Rows per parallel task.
const ROWS: usize = 16;

fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + eps).sqrt()
}

/// `y` = normalised `x`.
pub(crate) fn forward(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let block = w.len() * ROWS;
    x.par_chunks(block).zip(y.par_chunks_mut(block)).for_each(|(x, y)| {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let inverse = inverse_rms(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = w * (x * inverse);
            }
        }
    });
}

/// `dx` = gradient through the norm, plus `residual` where the layer's input also goes around it.
pub(crate) fn backward(x: &[f32], w: &[f32], eps: f32, dy: &[f32], residual: Option<&[f32]>, dx: &mut [f32]) {
    let width = w.len();
    dx.par_chunks_mut(width * ROWS).enumerate().for_each(|(block, dx)| {
        for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
            let at = (block * ROWS + row) * width;
            let (x, dy) = (&x[at..at + width], &dy[at..at + width]);
            let inverse = inverse_rms(x, eps);
            let s = dot3(x, dy, w) * inverse * inverse * inverse / width as f32;
            for i in 0..width {
                dx[i] = inverse * w[i] * dy[i] - s * x[i];
            }
            if let Some(residual) = residual {
                for (dx, r) in dx.iter_mut().zip(&residual[at..at + width]) {
                    *dx += r;
                }
            }
        }
    });
}

/// `dw` += Σ over rows of dy · x / rms(x).
pub(crate) fn backward_weight(x: &[f32], eps: f32, dy: &[f32], dw: &mut [f32]) {
    let width = dw.len();
    for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
        let inverse = inverse_rms(x, eps);
        for ((dw, x), dy) in dw.iter_mut().zip(x).zip(dy) {
            *dw += dy * x * inverse;
        }
    }
}

vectorised! {
    /// Σ x·y·z.
    fn dot3 = dot3_body(x: &[f32], y: &[f32], z: &[f32]) -> f32
}

#[inline(always)]
fn dot3_body<const FMA: bool>(x: &[f32], y: &[f32], z: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    let ((xs, x_rest), (ys, y_rest), (zs, z_rest)) =
        (x.as_chunks::<16>(), y.as_chunks::<16>(), z.as_chunks::<16>());
    for ((x, y), z) in xs.iter().zip(ys).zip(zs) {
        for i in 0..16 {
            sums[i] = multiply_add::<FMA>(x[i] * y[i], z[i], sums[i]);
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).zip(z_rest).map(|((x, y), z)| x * y * z).sum();
    sums.iter().sum::<f32>() + rest
}

/// The norm as an operation on tensors: x (n, hidden), w (hidden).
pub(crate) struct RmsNorm {
    pub(crate) eps: f32,
    /// Whether `w` is trained.
    pub(crate) train_weight: bool,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (slice(x, lx)?, slice(w, lw)?);
        let mut y = buffer(x.len());
        forward(x, w, self.eps, &mut y);
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        xt: &Tensor,
        wt: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, w, dy) = (view(xt)?, view(wt)?, view(dy)?);
        let mut dx = buffer(x.len());
        backward(&x, &w, self.eps, &dy, None, &mut dx);
        let dw = if self.train_weight {
            let mut dw = buffer(w.len());
            backward_weight(&x, self.eps, &dy, &mut dw);
            Some(Tensor::from_vec(dw, wt.shape(), wt.device())?)
        } else {
            None
        };
        Ok((Some(Tensor::from_vec(dx, xt.shape(), xt.device())?), dw))
    }
}
