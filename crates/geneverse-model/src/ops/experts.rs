//! Feed-forward layers of which each token uses two (GShard, Lepikhin et al., 2021, as DeepSpeed has it and MoE-LLaVA uses it),
//! forward only.
//!
//! ```text
//! p = softmax(h · Wg);   first, second = the two largest of p
//! y = Σ p_e / (p_first + p_second) · Wdown_e(act(h · Wgate_e) ⊙ (h · Wup_e))       over the two
//! ```
//!
//! An expert takes at most `ceil(2 · factor · tokens / experts)` tokens of a sequence, at least `least`: those that choose it
//! first in their order, then those that choose it second. A token that finds no room adds nothing there, and its other
//! expert counts for all. The published code asks a second time with noise when it chooses the second expert, in evaluation
//! too; here the second is the second, so that an answer is the same every time.

use std::ops::Range;

use super::activation::Between;
use super::buffer;
use super::math::max;
use super::matmul::{Into, Threads, product, rows};
use crate::weights::Held;

/// The experts of a layer.
pub(crate) struct Experts {
    /// (experts, hidden)
    pub(crate) router: Held,
    pub(crate) experts: Vec<Expert>,
    /// How many times its fair share of the tokens an expert takes.
    pub(crate) factor: f64,
    /// How many tokens it takes at least.
    pub(crate) least: usize,
}

/// One feed-forward layer.
pub(crate) struct Expert {
    /// (inner, hidden)
    pub(crate) gate: Held,
    /// (inner, hidden)
    pub(crate) up: Held,
    /// (hidden, inner)
    pub(crate) down: Held,
}

impl Experts {
    /// All weights.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Held> {
        let maps = self.experts.iter().flat_map(|expert| [&expert.gate, &expert.up, &expert.down]);
        std::iter::once(&self.router).chain(maps)
    }
}

/// An expert that a token goes to, and how much that counts.
type Choice = (usize, f32);

impl Experts {
    /// What the experts add for rows `h` (n, hidden), of sequences that lie at `sequences`; each row is one by itself where
    /// there are none.
    pub(crate) fn forward(&self, h: &[f32], sequences: &[Range<usize>], between: Between) -> Vec<f32> {
        let router = self.router.map();
        let (hidden, count) = (router.inputs, router.outputs);
        let n = h.len() / hidden.max(1);
        let mut scores = buffer(n * count);
        product(
            (n, count, hidden),
            1.0,
            rows(h, hidden),
            router.forward(),
            &mut scores,
            count,
            Into::Fresh,
            Threads::All,
        );
        let alone: Vec<Range<usize>>;
        let sequences = match sequences {
            [] => {
                alone = (0..n).map(|row| row..row + 1).collect();
                &alone
            }
            sequences => sequences,
        };
        // For each expert its rows and how much it counts in them.
        let mut taken: Vec<Vec<(usize, f32)>> = vec![Vec::new(); count];
        for sequence in sequences {
            let scores = &scores[sequence.start * count..sequence.end * count];
            for (row, choices) in self.route(scores, count).into_iter().enumerate() {
                for (expert, weight) in choices {
                    taken[expert].push((sequence.start + row, weight));
                }
            }
        }
        let mut y = buffer(h.len());
        for (expert, taken) in self.experts.iter().zip(&taken).filter(|(_, taken)| !taken.is_empty()) {
            let mut x = buffer(taken.len() * hidden);
            for (x, (row, _)) in x.chunks_exact_mut(hidden).zip(taken) {
                x.copy_from_slice(&h[row * hidden..(row + 1) * hidden]);
            }
            for (out, (row, weight)) in expert.forward(&x, between).chunks_exact(hidden).zip(taken) {
                let y = &mut y[row * hidden..(row + 1) * hidden];
                y.iter_mut().zip(out).for_each(|(y, out)| *y += weight * out);
            }
        }
        y
    }

    /// Where the tokens of one sequence go, from their scores (tokens, experts).
    fn route(&self, scores: &[f32], count: usize) -> Vec<Vec<Choice>> {
        let tokens = scores.len() / count.max(1);
        let capacity = (tokens as f64 / count as f64 * (2.0 * self.factor)).ceil() as usize;
        let capacity = capacity.max(self.least);
        let chosen: Vec<[Choice; 2]> = scores.chunks_exact(count).map(two_largest).collect();
        let mut waiting = vec![0; count];
        let mut kept: Vec<Vec<Choice>> = vec![Vec::new(); tokens];
        // All first choices stand before all second ones, whether they found room or not.
        for place in 0..2 {
            for (kept, choices) in kept.iter_mut().zip(&chosen) {
                let (expert, weight) = choices[place];
                if waiting[expert] < capacity {
                    kept.push((expert, weight));
                }
                waiting[expert] += 1;
            }
        }
        for kept in &mut kept {
            let sum: f32 = kept.iter().map(|(_, weight)| weight).sum();
            kept.iter_mut().for_each(|(_, weight)| *weight /= sum.max(f32::EPSILON));
        }
        kept
    }
}

impl Expert {
    fn forward(&self, x: &[f32], between: Between) -> Vec<f32> {
        let (hidden, inner) = (self.gate.map().inputs, self.gate.map().outputs);
        let n = x.len() / hidden.max(1);
        let mut gate_up = buffer(n * 2 * inner);
        for (map, column) in [(&self.gate, 0), (&self.up, inner)] {
            let place = &mut gate_up[column..];
            product(
                (n, inner, hidden),
                1.0,
                rows(x, hidden),
                map.map().forward(),
                place,
                2 * inner,
                Into::Fresh,
                Threads::All,
            );
        }
        let mut active = buffer(n * inner);
        between.forward(&gate_up, &mut active);
        let mut y = buffer(n * hidden);
        let down = self.down.map().forward();
        product(
            (n, hidden, inner),
            1.0,
            rows(&active, inner),
            down,
            &mut y,
            hidden,
            Into::Fresh,
            Threads::All,
        );
        y
    }
}

/// The two likeliest experts of a token and their probabilities; of equals the first.
fn two_largest(scores: &[f32]) -> [Choice; 2] {
    let largest = max(scores);
    let sum: f32 = scores.iter().map(|score| (score - largest).exp()).sum();
    let best = |but: Option<usize>| {
        let others = (0..scores.len()).filter(|expert| Some(*expert) != but);
        others.fold(None, |best: Option<usize>, expert| match best {
            Some(best) if scores[best] >= scores[expert] => Some(best),
            _ => Some(expert),
        })
    };
    let first = best(None).unwrap_or(0);
    let second = best(Some(first)).unwrap_or(first);
    [first, second].map(|expert| (expert, (scores[expert] - largest).exp() / sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Numbers;

    fn experts(factor: f64, least: usize) -> Experts {
        let router = Held::new(Numbers::new(vec![0.0; 3]), 3, 1);
        Experts { router, experts: Vec::new(), factor, least }
    }

    #[test]
    fn an_expert_that_is_full_takes_no_more_and_the_other_counts_for_all() {
        // Four tokens whose first is expert 0; their seconds are 1, 1, 2, 1.
        let scores = [3.0, 2.0, 0.0, 3.0, 2.0, 0.0, 3.0, 0.0, 2.0, 3.0, 2.0, 0.0];
        let near = |found: f32, wanted: f32| assert!((found - wanted).abs() < 1e-6, "{found}, not {wanted}");
        let roomy = experts(2.0, 0).route(&scores, 3);
        assert!(roomy.iter().all(|choices| choices.len() == 2));
        near(roomy[0][0].1, 1.0 / (1.0 + (-1f32).exp()));
        // ceil(4 / 3 · 2 · 0.75) = 2 tokens each.
        let tight = experts(0.75, 0).route(&scores, 3);
        let whose: Vec<Vec<usize>> = tight.iter().map(|c| c.iter().map(|(e, _)| *e).collect()).collect();
        assert_eq!(whose, [vec![0, 1], vec![0, 1], vec![2], vec![]]);
        near(tight[2][0].1, 1.0);
        let least = experts(0.75, 4).route(&scores, 3);
        assert!(least.iter().all(|choices| choices.len() == 2));
    }
}
