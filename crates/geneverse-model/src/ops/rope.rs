//! Rotary position embedding (Su et al., 2021), in the half-split layout of Hugging Face's Llama.
//!
//! Number `i` and number `i + head_dim/2` of a head turn together by the angle `position · θ^(-2i/head_dim)`.
//! Frequencies may be scaled for long contexts (linear; Llama-3.1's by wavelength).

use std::f32::consts::PI;

use rayon::prelude::*;

use crate::config::{Rope, RopeScaling};

/// The cosines and sines of a pack's positions, computed once and used by every layer.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// (n, head_dim / 2)
    pub(crate) cos: Vec<f32>,
    /// (n, head_dim / 2)
    pub(crate) sin: Vec<f32>,
    /// Pairs of numbers that turn; head_dim / 2, or fewer.
    pub(crate) half: usize,
    pub(crate) head_dim: usize,
}

impl Rotation {
    /// The rotation of tokens at the given positions.
    pub(crate) fn new(positions: &[u32], head_dim: usize, rope: &Rope) -> Self {
        let width = rope.width.unwrap_or(head_dim);
        let frequencies = frequencies(width, rope);
        // As transformers does it: the frequency in f32, the angle in f32.
        let angles = || positions.iter().flat_map(|p| frequencies.iter().map(move |f| *p as f32 * f));
        Self {
            cos: angles().map(f32::cos).collect(),
            sin: angles().map(f32::sin).collect(),
            half: width / 2,
            head_dim,
        }
    }
}

impl Rotation {
    /// The rotation of tokens that have three coordinates, which turn so many pairs of a head's numbers each: the first
    /// pairs, those after them, the last.
    pub(crate) fn in_space(places: &[[u32; 3]], sections: [usize; 3], head_dim: usize, rope: &Rope) -> Self {
        let frequencies = frequencies(head_dim, rope);
        let axes = (0..3).flat_map(|axis| std::iter::repeat_n(axis, sections[axis]));
        let turning: Vec<(usize, f32)> = axes.zip(frequencies).collect();
        let angles =
            || places.iter().flat_map(|place| turning.iter().map(move |(axis, f)| place[*axis] as f32 * f));
        Self {
            cos: angles().map(f32::cos).collect(),
            sin: angles().map(f32::sin).collect(),
            half: head_dim / 2,
            head_dim,
        }
    }
}

/// Radians per position of each pair of numbers.
fn frequencies(head_dim: usize, rope: &Rope) -> Vec<f32> {
    let theta = rope.theta as f32;
    let plain = (0..head_dim / 2).map(|i| 1.0 / theta.powf(2.0 * i as f32 / head_dim as f32));
    match rope.scaling {
        RopeScaling::None => plain.collect(),
        RopeScaling::Linear(factor) => plain.map(|f| f / factor as f32).collect(),
        RopeScaling::Llama3 { factor, low, high, original } => {
            let [factor, low, high, original] = [factor, low, high, original].map(|x| x as f32);
            let scaled = |frequency: f32| {
                let wavelength = 2.0 * PI / frequency;
                if wavelength < original / high {
                    frequency
                } else if wavelength > original / low {
                    frequency / factor
                } else {
                    let smooth = (original / wavelength - low) / (high - low);
                    (1.0 - smooth) * frequency / factor + smooth * frequency
                }
            };
            plain.map(scaled).collect()
        }
    }
}

/// Which way to turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The forward pass.
    Forward,
    /// The backward pass: the inverse rotation.
    Back,
}

/// Turns the first `heads` heads of each row in place; rows are `stride` apart.
pub(crate) fn rotate(x: &mut [f32], stride: usize, heads: usize, rotation: &Rotation, turn: Turn) {
    let (half, dim) = (rotation.half, rotation.head_dim);
    let sign = if turn == Turn::Forward { 1.0 } else { -1.0 };
    x.par_chunks_mut(stride).enumerate().with_min_len(32).for_each(|(token, row)| {
        let cos = &rotation.cos[token * half..(token + 1) * half];
        let sin = &rotation.sin[token * half..(token + 1) * half];
        for head in row[..heads * dim].chunks_exact_mut(dim) {
            // A part of a head may stay as it is.
            let (first, second) = head[..2 * half].split_at_mut(half);
            for i in 0..half {
                let (a, b, s) = (first[i], second[i], sign * sin[i]);
                first[i] = a * cos[i] - b * s;
                second[i] = b * cos[i] + a * s;
            }
        }
    });
}
