//! Random numbers from a seed and a place: SplitMix64 (Steele, Lea & Flood 2014), started anew for each place.
//!
//! A resample is a place, so resamples can be drawn on any thread in any order.

use crate::draw::{GAMMA, finalise};

/// Random numbers of one place.
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The numbers that belong to a seed and a place.
    pub fn new(seed: u64, place: u64) -> Self {
        // Neighbouring seeds and places have to begin far apart in SplitMix64's single cycle.
        Self(finalise(finalise(seed.wrapping_add(GAMMA)) ^ place.wrapping_mul(GAMMA)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        finalise(self.0)
    }

    /// A number below `n`, each equally often but for one part in 2⁶⁴ / n (Lemire 2019, without the rejection).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60,000 draws of ten: each 6,000 times, give or take five standard deviations (73 each).
    #[test]
    fn every_number_comes_equally_often_and_places_differ() {
        let mut counts = [0_i32; 10];
        for place in 0..600 {
            let mut draws = Draws::new(1, place);
            (0..100).for_each(|_| counts[draws.below(10)] += 1);
        }
        assert!(counts.iter().all(|count| (count - 6000).abs() < 370), "{counts:?}");
        let first = |seed, place| Draws::new(seed, place).bits();
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 0), first(1, 1));
        assert_eq!(first(7, 7), first(7, 7));
    }
}
