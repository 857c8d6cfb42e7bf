//! AdamW (Loshchilov & Hutter, 2019), as PyTorch computes it, and learning-rate schedules.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arch::decoder::Parameter;
use crate::ops::math::vectorised;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPS: f32 = 1e-8;

/// Numbers per parallel task, and per partial sum of the gradient's norm.
const CHUNK: usize = 1 << 14;

/// What the optimizer remembers.
pub struct AdamW {
    /// First and second moments, a pair for each parameter.
    pub(crate) moments: Vec<(Vec<f32>, Vec<f32>)>,
    /// Steps taken.
    pub(crate) steps: usize,
    /// Pulls matrices towards zero.
    pub weight_decay: f64,
    /// How much faster LoRA's B is trained than A (LoRA+, Hayou et al. 2024); 1 for plain LoRA.
    pub lora_plus_ratio: f64,
}

impl AdamW {
    /// An optimizer that has taken no step.
    pub fn new(parameters: &[Parameter], weight_decay: f64, lora_plus_ratio: f64) -> Self {
        let zeros = |p: &Parameter| (vec![0.0; p.numbers.len()], vec![0.0; p.numbers.len()]);
        Self { moments: parameters.iter().map(zeros).collect(), steps: 0, weight_decay, lora_plus_ratio }
    }

    /// One step against `gradients`, each the length of its parameter.
    pub fn step(&mut self, parameters: &mut [Parameter], gradients: &[Vec<f32>], learning_rate: f64) {
        self.steps += 1;
        let correction1 = 1.0 - f64::from(BETA1).powi(self.steps as i32);
        let correction2 = 1.0 - f64::from(BETA2).powi(self.steps as i32);
        for ((parameter, gradient), (first, second)) in
            parameters.iter_mut().zip(gradients).zip(&mut self.moments)
        {
            for part in &parameter.parts {
                let rate = learning_rate * if part.is_lora_b { self.lora_plus_ratio } else { 1.0 };
                let decay = if part.decays { rate * self.weight_decay } else { 0.0 };
                let update = Update {
                    rate: (rate / correction1) as f32,
                    keep: (1.0 - decay) as f32,
                    root: (1.0 / correction2.sqrt()) as f32,
                };
                let range = part.range.clone();
                update.step(
                    &mut parameter.numbers[range.clone()],
                    &gradient[range.clone()],
                    &mut first[range.clone()],
                    &mut second[range],
                );
            }
        }
    }
}

/// The numbers of one step on a part of a parameter.
pub(crate) struct Update {
    /// Learning rate over the first moment's bias correction.
    rate: f32,
    /// What weight decay leaves.
    keep: f32,
    /// 1 / √ of the second moment's bias correction.
    root: f32,
}

impl Update {
    fn step(&self, numbers: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let all = numbers.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let all = all.zip(first.par_chunks_mut(CHUNK)).zip(second.par_chunks_mut(CHUNK));
        all.for_each(|(((numbers, gradient), first), second)| {
            adamw(numbers, gradient, first, second, self);
        });
    }
}

vectorised! {
    fn adamw = adamw_body(
        numbers: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], update: &Update
    )
}

#[inline(always)]
fn adamw_body<const FMA: bool>(
    numbers: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    update: &Update,
) {
    for (((x, g), m), v) in numbers.iter_mut().zip(gradient).zip(first).zip(second) {
        *m += (1.0 - BETA1) * (g - *m);
        *v = BETA2 * *v + (1.0 - BETA2) * g * g;
        *x = *x * update.keep - update.rate * *m / (v.sqrt() * update.root + EPS);
    }
}

/// The gradient's length over all parameters.
pub fn norm(gradients: &[Vec<f32>]) -> f64 {
    let squares = |chunk: &[f32]| chunk.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
    // Partial sums in a fixed order: the same number whatever the thread count.
    let sums: Vec<f64> = gradients.par_iter().flat_map_iter(|g| g.chunks(CHUNK).map(squares)).collect();
    sums.iter().sum::<f64>().sqrt()
}

/// Shortens the gradient to `max_norm` where it is longer; returns its length before.
pub fn clip(gradients: &mut [Vec<f32>], max_norm: f64) -> f64 {
    let length = norm(gradients);
    if max_norm > 0.0 && length > max_norm {
        let scale = (max_norm / (length + 1e-6)) as f32;
        gradients.par_iter_mut().for_each(|g| g.iter_mut().for_each(|x| *x *= scale));
    }
    length
}

/// How the learning rate goes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Stays.
    Constant,
    /// Falls in a line to zero at the last step.
    Linear,
    /// Falls along half a cosine to zero at the last step.
    Cosine,
}

impl Schedule {
    /// The share of the peak learning rate at a step, from 0, of `total`, the first `warmup` of which rise.
    pub fn share(self, step: usize, warmup: usize, total: usize) -> f64 {
        if step < warmup {
            return step as f64 / warmup.max(1) as f64;
        }
        let progress = (step - warmup) as f64 / (total.saturating_sub(warmup)).max(1) as f64;
        match self {
            Self::Constant => 1.0,
            Self::Linear => (1.0 - progress).max(0.0),
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_and_fall() {
        assert_eq!(Schedule::Linear.share(5, 10, 110), 0.5);
        assert_eq!(Schedule::Linear.share(60, 10, 110), 0.5);
        assert!((Schedule::Cosine.share(60, 10, 110) - 0.5).abs() < 1e-12);
        assert_eq!(Schedule::Constant.share(109, 0, 110), 1.0);
        assert_eq!(Schedule::Cosine.share(0, 0, 10), 1.0);
    }

    #[test]
    fn a_long_gradient_is_clipped_to_the_norm() {
        let mut gradients = vec![vec![3.0f32; 4], vec![4.0; 4]];
        assert!((clip(&mut gradients, 1.0) - 10.0).abs() < 1e-6);
        assert!((norm(&gradients) - 1.0).abs() < 1e-5);
        assert!((clip(&mut gradients, 0.0) - 1.0).abs() < 1e-5);
    }
}
