//! Which token comes next, by the logits of all.

use crate::error::{ModelError, Result};
use crate::rng::Rng;

/// How a token is chosen among the likely ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// The likeliest; the first of equals.
    Likeliest,
    /// One drawn by its probability, softmax(logits / temperature), among the likeliest that together have `top_p` of it
    /// (nucleus sampling, Holtzman et al., 2020). The same seed draws the same answer, whatever else is answered meanwhile.
    Drawn {
        /// Above 0; small is nearly the likeliest.
        temperature: f32,
        /// Above 0 and at most 1, which leaves all.
        top_p: f32,
        /// Names the draws.
        seed: u64,
    },
}

impl Choice {
    /// Refuses what cannot be drawn by.
    pub(super) fn check(self) -> Result<()> {
        let Self::Drawn { temperature, top_p, .. } = self else { return Ok(()) };
        let refuse = |field: &str, found: f32, expected: &str| {
            Err(ModelError::Run(format!("{field} is {found}, expected {expected}")))
        };
        if !(temperature > 0.0 && temperature.is_finite()) {
            return refuse("temperature", temperature, "a number above 0; the likeliest token needs none");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return refuse("top_p", top_p, "a number above 0 and at most 1");
        }
        Ok(())
    }

    /// The token chosen by `logits`, whose largest is given, for the `number`th place of an answer.
    pub(super) fn of(self, logits: &[f32], largest: f32, number: usize) -> u32 {
        let likeliest = || logits.iter().position(|x| *x == largest).unwrap_or(0);
        let chosen = match self {
            Self::Likeliest => likeliest(),
            Self::Drawn { temperature, top_p, seed } => {
                let draw = Rng::at(seed, &[0xD2A3, number as u64]).bits() >> 11;
                let share = draw as f64 / (1u64 << 53) as f64;
                drawn(logits, (largest, temperature), f64::from(top_p), share).unwrap_or_else(likeliest)
            }
        };
        chosen as u32
    }
}

/// The token at `share` of the probability of the nucleus, the likeliest first.
fn drawn(logits: &[f32], (largest, temperature): (f32, f32), top_p: f64, share: f64) -> Option<usize> {
    let weight = |logit: f32| f64::from((logit - largest) / temperature).exp();
    let total: f64 = logits.iter().map(|logit| weight(*logit)).sum();
    // Of the others not one in 10⁹ would be drawn, and few are left to sort.
    let mut likely: Vec<(usize, f64)> = (logits.iter().map(|logit| weight(*logit)).enumerate())
        .filter(|(_, weight)| *weight > total * 1e-9)
        .collect();
    likely.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
    let mut sum = 0.0;
    let count = likely.iter().take_while(|(_, weight)| {
        let inside = sum < top_p * total;
        sum += weight;
        inside
    });
    let nucleus = &likely[..count.count()];
    let mut left = share * nucleus.iter().map(|(_, weight)| weight).sum::<f64>();
    let found = nucleus.iter().find(|(_, weight)| {
        left -= weight;
        left < 0.0
    });
    found.or(nucleus.last()).map(|(token, _)| *token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(temperature: f32, top_p: f32, seed: u64, logits: &[f32]) -> u32 {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Choice::Drawn { temperature, top_p, seed }.of(logits, largest, 3)
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let logits = [0.0, 2f32.ln(), f32::NEG_INFINITY, 5f32.ln()];
        let mut counts = [0usize; 4];
        (0..8000).for_each(|seed| counts[draw(1.0, 1.0, seed, &logits) as usize] += 1);
        // 1, 2 and 5 of 8; three standard deviations of the rarest are 89.
        for (count, expected) in counts.into_iter().zip([1000, 2000, 0, 5000]) {
            assert!(count.abs_diff(expected) < 120, "{counts:?}");
        }
        assert_eq!(counts[2], 0);
    }

    #[test]
    fn a_nucleus_leaves_the_likeliest_and_a_cold_draw_takes_the_first() {
        let logits = [0.0, 2f32.ln(), 1.0, 5f32.ln()];
        assert!((0..500).all(|seed| draw(1.0, 0.4, seed, &logits) == 3));
        assert!((0..500).all(|seed| draw(1e-3, 1.0, seed, &logits) == 3));
        assert_eq!(Choice::Likeliest.of(&[1.0, 3.0, 3.0], 3.0, 0), 1, "the first of equals");
        assert_eq!(draw(0.7, 0.9, 5, &logits), draw(0.7, 0.9, 5, &logits));
    }

    #[test]
    fn what_cannot_be_drawn_by_is_refused() {
        let check = |temperature, top_p| {
            let choice = Choice::Drawn { temperature, top_p, seed: 0 };
            choice.check().map_err(|e| e.to_string())
        };
        let cold = "temperature is 0, expected a number above 0; the likeliest token needs none";
        assert_eq!(check(0.0, 1.0), Err(cold.to_owned()));
        let nothing = "top_p is 0, expected a number above 0 and at most 1";
        assert_eq!(check(1.0, 0.0), Err(nothing.to_owned()));
        assert_eq!(check(f32::NAN, 1.0).is_err(), check(1.0, f32::NAN).is_err());
        assert_eq!(check(0.5, 1.0), Ok(()));
    }
}
