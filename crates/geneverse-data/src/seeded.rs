//! Choices that look random and are a function of a seed and a text: no generator, no state.

use crate::draw::{GAMMA, finalise};

/// FNV-1a over the text, started from the seed, then SplitMix64's finaliser to spread the bits.
pub(crate) fn mix(seed: u64, text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(GAMMA);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    finalise(hash)
}
