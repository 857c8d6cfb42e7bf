//! Random numbers that are a function of a seed and a place, so that a resumed run draws what it would have.
//!
//! The bits are [`Draw`]'s; what is made of them is in the engine's precision, and must stay as it is, for recipes to train
//! what they trained.

use geneverse_data::draw::Draw;

pub(crate) use geneverse_data::draw::mix;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rng(Draw);

impl Rng {
    /// The stream for a seed and a place in the program: `Rng::at(seed, &[epoch, 3])`.
    pub(crate) fn at(seed: u64, place: &[u64]) -> Self {
        Self(Draw::at(seed, place))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in [-bound, bound).
    pub(crate) fn within(&mut self, bound: f32) -> f32 {
        (2.0 * self.uniform() - 1.0) * bound
    }

    /// Normal with mean 0 and the given standard deviation (Box–Muller).
    pub(crate) fn normal(&mut self, deviation: f32) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos() * deviation
    }

    /// A permutation of `0..n` (Fisher–Yates).
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            // The bias of the remainder is below 2^-40 for any data set that fits in memory.
            order.swap(last, (self.bits() % (last as u64 + 1)) as usize);
        }
        order
    }
}
