//! AdamW (Loshchilov & Hutter, 2019) and Muon (Jordan et al., 2024), as PyTorch computes them, and learning-rate
//! schedules.

mod muon;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::arch::decoder::Parameter;
use crate::ops::math::vectorised;

const BETA1: f32 = 0.9;
const EPS: f32 = 1e-8;

/// Numbers per parallel task, and per partial sum of the gradient's norm.
const CHUNK: usize = 1 << 14;

/// How a step is made of a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Every number by its own moments.
    #[default]
    Adamw,
    /// The linear maps of the layers by the nearest orthogonal matrix of their momentum, everything else by AdamW.
    Muon,
}

/// What an optimizer is told.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How a step is made.
    pub method: Method,
    /// Pulls matrices towards zero.
    pub weight_decay: f64,
    /// How much faster LoRA's B is trained than A (LoRA+, Hayou et al. 2024); 1 for plain LoRA.
    pub lora_plus_ratio: f64,
    /// How slowly AdamW's second moment changes.
    pub beta2: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { method: Method::Adamw, weight_decay: 0.0, lora_plus_ratio: 1.0, beta2: 0.999 }
    }
}

/// What the optimizer remembers.
pub struct Optimizer {
    /// First and second moments, a pair for each parameter. Of what Muon trains the second stays zero.
    pub(crate) moments: Vec<(Vec<f32>, Vec<f32>)>,
    /// Steps taken.
    pub(crate) steps: usize,
    settings: Settings,
}

impl Optimizer {
    /// An optimizer that has taken no step.
    pub fn new(parameters: &[Parameter], settings: Settings) -> Self {
        let zeros = |p: &Parameter| (vec![0.0; p.numbers.len()], vec![0.0; p.numbers.len()]);
        Self { moments: parameters.iter().map(zeros).collect(), steps: 0, settings }
    }

    /// One step against `gradients`, each the length of its parameter.
    pub fn step(&mut self, parameters: &mut [Parameter], gradients: &[Vec<f32>], learning_rate: f64) {
        self.steps += 1;
        let Settings { method, weight_decay, lora_plus_ratio, beta2 } = self.settings;
        let correction1 = 1.0 - f64::from(BETA1).powi(self.steps as i32);
        let correction2 = 1.0 - beta2.powi(self.steps as i32);
        let mut turned = Vec::new();
        for ((parameter, gradient), (first, second)) in
            parameters.iter_mut().zip(gradients).zip(&mut self.moments)
        {
            let mut rest = (parameter.numbers.as_mut_slice(), first.as_mut_slice());
            let mut at = 0;
            for part in &parameter.parts {
                let range = part.range.clone();
                let skipped = range.start - at;
                let (numbers, first) =
                    (take(&mut rest.0, skipped, range.len()), take(&mut rest.1, skipped, range.len()));
                at = range.end;
                let rate = learning_rate * part.rate * if part.is_lora_b { lora_plus_ratio } else { 1.0 };
                let keep = (1.0 - if part.decays { rate * weight_decay } else { 0.0 }) as f32;
                if let (Method::Muon, Some((rows, columns))) = (method, part.matrix) {
                    let gradient = &gradient[range];
                    turned.push(muon::Turn { rows, columns, numbers, gradient, momentum: first, rate, keep });
                    continue;
                }
                let update = Update {
                    rate: (rate / correction1) as f32,
                    keep,
                    root: (1.0 / correction2.sqrt()) as f32,
                    beta2: beta2 as f32,
                };
                update.step(numbers, &gradient[range.clone()], first, &mut second[range]);
            }
        }
        turned.into_par_iter().for_each(muon::Turn::step);
    }
}

/// Cuts `len` numbers off the front of a slice, after `skipped` others.
fn take<'a>(rest: &mut &'a mut [f32], skipped: usize, len: usize) -> &'a mut [f32] {
    let (taken, left) = std::mem::take(rest)[skipped..].split_at_mut(len);
    *rest = left;
    taken
}

/// The numbers of one step on a part of a parameter.
pub(crate) struct Update {
    /// Learning rate over the first moment's bias correction.
    rate: f32,
    /// What weight decay leaves.
    keep: f32,
    /// 1 / √ of the second moment's bias correction.
    root: f32,
    beta2: f32,
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
        *v = update.beta2 * *v + (1.0 - update.beta2) * g * g;
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
    use crate::arch::decoder::Part;

    #[test]
    fn schedules_rise_and_fall() {
        assert_eq!(Schedule::Linear.share(5, 10, 110), 0.5);
        assert_eq!(Schedule::Linear.share(60, 10, 110), 0.5);
        assert!((Schedule::Cosine.share(60, 10, 110) - 0.5).abs() < 1e-12);
        assert_eq!(Schedule::Constant.share(109, 0, 110), 1.0);
        assert_eq!(Schedule::Cosine.share(0, 0, 10), 1.0);
    }

    /// Of two optimizers that differ in their parts only.
    #[test]
    fn parts_do_not_change_what_adamw_does() {
        let parameter = |cuts: &[usize]| {
            let parts = cuts.windows(2).map(|cut| Part {
                rate: 1.0,
                range: cut[0]..cut[1],
                decays: true,
                is_lora_b: false,
                matrix: Some((1, cut[1] - cut[0])),
            });
            let numbers = (0..10).map(|n| n as f32 - 4.0).collect();
            vec![Parameter { name: String::new(), numbers, parts: parts.collect() }]
        };
        let (mut one, mut three) = (parameter(&[0, 10]), parameter(&[0, 3, 4, 10]));
        let settings = Settings { weight_decay: 0.1, beta2: 0.95, ..Settings::default() };
        for parameters in [&mut one, &mut three] {
            let mut optimizer = Optimizer::new(parameters, settings);
            for step in 0..4 {
                let gradient = (0..10).map(|n| (n * 7 + step * 3) as f32 % 5.0 - 2.0).collect();
                optimizer.step(parameters, &[gradient], 0.1);
            }
        }
        assert_eq!(one[0].numbers, three[0].numbers);
    }

    #[test]
    fn a_long_gradient_is_clipped_to_the_norm() {
        let mut gradients = vec![vec![3.0f32; 4], vec![4.0; 4]];
        assert!((clip(&mut gradients, 1.0) - 10.0).abs() < 1e-6);
        assert!((norm(&gradients) - 1.0).abs() < 1e-5);
        assert!((clip(&mut gradients, 0.0) - 1.0).abs() < 1e-5);
    }
}
