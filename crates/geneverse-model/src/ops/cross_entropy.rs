//! The output layer and cross-entropy in one: Σ −log softmax(cap(x · Wᵀ))[label] over a divisor.
//!
//! Computed in chunks of rows, and only for rows that have a label, so that the logits of a whole pack
//! never exist at once. The gradients are computed in the same pass, where the logits are at hand.

use rayon::prelude::*;

use super::buffer;
use super::math::{exp_in_place, max, tanh_in_place};
use super::matmul::{Into, Threads, product, rows, transposed};
use super::scratch::{give, take};
use super::slots::Map;

/// Numbers of logits that exist together, and at least so many rows.
const CHUNK: usize = 1 << 21;
const ROWS: usize = 64;

/// Rows of logits that exist together.
pub(crate) fn chunk_rows(vocabulary: usize) -> usize {
    (CHUNK / vocabulary.max(1)).max(ROWS)
}

/// A row of a pack that has a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    pub(crate) row: usize,
    /// The token that follows.
    pub(crate) token: u32,
    /// How many sequences share the row and its label.
    pub(crate) count: f32,
}

/// Where gradients are added.
pub(crate) struct Gradients<'a> {
    /// Of x (n, hidden); rows without a label stay as they are.
    pub(crate) dx: &'a mut [f32],
    /// Of the output layer (vocabulary, hidden), where it is trained.
    pub(crate) dw: Option<&'a mut [f32]>,
}

/// The output layer.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// (vocabulary, hidden)
    pub(crate) map: Map<'a>,
    pub(crate) cap: Option<f32>,
}

impl Head<'_> {
    /// Logits of `x` (n, hidden): (n, vocabulary).
    pub(crate) fn logits(&self, x: &[f32]) -> Vec<f32> {
        let mut logits = buffer(x.len() / self.map.inputs * self.map.outputs);
        self.logits_into(x, &mut logits);
        if let Some(cap) = self.cap {
            logits.par_iter_mut().with_min_len(1 << 12).for_each(|x| *x *= cap);
        }
        logits
    }

    /// Logits, over the cap where there is one.
    fn logits_into(&self, x: &[f32], logits: &mut [f32]) {
        let Map { outputs: vocabulary, inputs: hidden, .. } = self.map;
        let shape = (x.len() / hidden, vocabulary, hidden);
        let (x, w) = (rows(x, hidden), self.map.forward());
        product(shape, 1.0, x, w, logits, vocabulary, Into::Fresh, Threads::All);
        if let Some(cap) = self.cap {
            logits.par_chunks_exact_mut(vocabulary).for_each(|row| tanh_in_place(row, 1.0 / cap));
        }
    }

    /// The sum of losses over `divisor`: the trained tokens of the whole batch, not of this pack.
    pub(crate) fn loss(
        &self,
        x: &[f32],
        labels: &[Label],
        divisor: f32,
        mut gradients: Option<Gradients<'_>>,
    ) -> f64 {
        let Map { outputs: vocabulary, inputs: hidden, .. } = self.map;
        let (all, mut loss) = (Threads::All, 0f64);
        let most = labels.len().min(chunk_rows(vocabulary));
        let mut of_chunk = [take(most * hidden), take(most * vocabulary), take(most * hidden)];
        for chunk in labels.chunks(chunk_rows(vocabulary)) {
            let m = chunk.len();
            let [picked, logits, d_picked] = &mut of_chunk;
            let (picked, logits) = (&mut picked[..m * hidden], &mut logits[..m * vocabulary]);
            for (label, picked) in chunk.iter().zip(picked.chunks_exact_mut(hidden)) {
                picked.copy_from_slice(&x[label.row * hidden..(label.row + 1) * hidden]);
            }
            self.logits_into(picked, logits);
            let losses: Vec<f64> = logits
                .par_chunks_exact_mut(vocabulary)
                .zip(chunk)
                .map(|(row, label)| self.row(row, label, divisor))
                .collect();
            loss += losses.iter().sum::<f64>();
            let Some(Gradients { dx, dw }) = &mut gradients else { continue };
            let d_picked = &mut d_picked[..m * hidden];
            let (d, w) = (rows(&*logits, vocabulary), self.map.backward());
            product((m, hidden, vocabulary), 1.0, d, w, d_picked, hidden, Into::Fresh, all);
            for (label, d) in chunk.iter().zip(d_picked.chunks_exact(hidden)) {
                dx[label.row * hidden..(label.row + 1) * hidden]
                    .iter_mut()
                    .zip(d)
                    .for_each(|(dx, d)| *dx += d);
            }
            if let Some(dw) = dw {
                let (d, x) = (transposed(&*logits, vocabulary), rows(&*picked, hidden));
                product((vocabulary, hidden, m), 1.0, d, x, dw, hidden, Into::Added, all);
            }
        }
        give(of_chunk);
        loss / f64::from(divisor)
    }

    /// The loss of one row of logits (over the cap), which become the gradient of the uncapped ones.
    fn row(&self, logits: &mut [f32], label: &Label, divisor: f32) -> f64 {
        let (scale, token, weight) = (self.cap.unwrap_or(1.0), label.token as usize, label.count / divisor);
        let slopes = self.cap.map(|_| logits.to_vec());
        let (largest, target) = (max(logits) * scale, logits[token] * scale);
        let sum = exp_in_place(logits, scale, largest);
        let share = weight / sum;
        logits.iter_mut().for_each(|x| *x *= share);
        logits[token] -= weight;
        if let Some(tanh) = slopes {
            logits.iter_mut().zip(&tanh).for_each(|(d, tanh)| *d *= 1.0 - tanh * tanh);
        }
        f64::from(label.count) * f64::from(sum.ln() + largest - target)
    }
}
