//! The output layer and cross-entropy in one: mean of −log softmax(x · Wᵀ)[label].
//!
//! Computed in chunks of rows, and only for rows that have a label, so that the logits of a whole pack
//! never exist at once. The gradients are computed in the forward pass, where the logits are at hand.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::math::{exp_in_place, max};
use super::matmul::{Into, Threads, product, rows, transposed};
use super::{buffer, slice};

/// Rows whose logits exist together.
const CHUNK: usize = 256;

/// x (n, hidden) and W (vocabulary, hidden) to a loss of no dimension.
pub(crate) struct LinearCrossEntropy {
    /// One for each row of x; `None` where nothing is asked of the model.
    pub(crate) labels: Vec<Option<u32>>,
    /// The sum of losses is divided by this: the trained tokens of the whole batch, not of this pack.
    pub(crate) divisor: f32,
    pub(crate) want_dx: bool,
    pub(crate) want_dw: bool,
    pub(crate) gradients: Mutex<Option<Gradients>>,
}

#[derive(Default)]
pub(crate) struct Gradients {
    dx: Vec<f32>,
    dw: Vec<f32>,
}

impl LinearCrossEntropy {
    fn compute(&self, x: &[f32], w: &[f32], hidden: usize, vocabulary: usize) -> Result<(f32, Gradients)> {
        let labelled: Vec<(usize, usize)> =
            self.labels.iter().enumerate().filter_map(|(row, l)| l.map(|l| (row, l as usize))).collect();
        if let Some((row, label)) = labelled.iter().find(|(_, label)| *label >= vocabulary) {
            bail!("label {label} of token {row} is outside of the vocabulary of {vocabulary}");
        }
        let mut gradients = Gradients::default();
        if self.want_dx {
            gradients.dx = buffer(x.len());
        }
        if self.want_dw {
            gradients.dw = buffer(w.len());
        }
        let (mut picked, mut logits, mut d_picked) = (Vec::new(), Vec::new(), Vec::new());
        let (all, mut loss) = (Threads::All, 0f64);
        for chunk in labelled.chunks(CHUNK) {
            let m = chunk.len();
            picked.clear();
            chunk.iter().for_each(|(row, _)| picked.extend_from_slice(&x[row * hidden..(row + 1) * hidden]));
            logits.resize(m * vocabulary, 0.0);
            let shape = (m, vocabulary, hidden);
            product(
                shape,
                1.0,
                rows(&picked, hidden),
                transposed(w, hidden),
                &mut logits,
                vocabulary,
                Into::Fresh,
                all,
            );
            let losses: Vec<f64> = logits
                .par_chunks_exact_mut(vocabulary)
                .zip(chunk)
                .map(|(row, (_, label))| self.row(row, *label))
                .collect();
            loss += losses.iter().sum::<f64>();
            if self.want_dx {
                d_picked.resize(m * hidden, 0.0);
                let shape = (m, hidden, vocabulary);
                product(
                    shape,
                    1.0,
                    rows(&logits, vocabulary),
                    rows(w, hidden),
                    &mut d_picked,
                    hidden,
                    Into::Fresh,
                    all,
                );
                for ((row, _), d) in chunk.iter().zip(d_picked.chunks_exact(hidden)) {
                    gradients.dx[row * hidden..(row + 1) * hidden].copy_from_slice(d);
                }
            }
            if self.want_dw {
                let shape = (vocabulary, hidden, m);
                let (d, x) = (transposed(&logits, vocabulary), rows(&picked, hidden));
                product(shape, 1.0, d, x, &mut gradients.dw, hidden, Into::Added, all);
            }
        }
        Ok(((loss / self.divisor as f64) as f32, gradients))
    }

    /// The loss of one row of logits, which become their own gradient.
    fn row(&self, logits: &mut [f32], label: usize) -> f64 {
        let (largest, target) = (max(logits), logits[label]);
        let sum = exp_in_place(logits, 1.0, largest);
        let scale = 1.0 / (sum * self.divisor);
        logits.iter_mut().for_each(|x| *x *= scale);
        logits[label] -= 1.0 / self.divisor;
        (sum.ln() + largest - target) as f64
    }
}

impl CustomOp2 for LinearCrossEntropy {
    fn name(&self) -> &'static str {
        "linear-cross-entropy"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (vocabulary, hidden) = lw.shape().dims2()?;
        let (loss, gradients) = self.compute(slice(x, lx)?, slice(w, lw)?, hidden, vocabulary)?;
        if let Ok(mut place) = self.gradients.lock() {
            *place = Some(gradients);
        }
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        d: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(mut gradients) = self.gradients.lock().ok().and_then(|mut g| g.take()) else {
            bail!("the gradient of a loss was asked for twice");
        };
        let d = d.to_scalar::<f32>()?;
        if d != 1.0 {
            gradients.dx.iter_mut().chain(&mut gradients.dw).for_each(|g| *g *= d);
        }
        let tensor = |wanted, numbers, like: &Tensor| match wanted {
            true => Tensor::from_vec(numbers, like.shape(), like.device()).map(Some),
            false => Ok(None),
        };
        Ok((tensor(self.want_dx, gradients.dx, x)?, tensor(self.want_dw, gradients.dw, w)?))
    }
}
