//! Several adapters beside one frozen layer, each on rows of its own: y += s · (x · Aᵀ) · Bᵀ where a row's sequence
//! asks for it. The product with the layer's weights is one for all rows.
//!
//! A row's numbers are those that the layer has with this adapter alone, but for rounding: there the adapter's part may be summed
//! before it is written. [`Adaptation`] does both.

use std::ops::Range;

use rayon::prelude::*;

use super::lora::{Adaptation, Layout};
use super::slots::{Group, Weights};

/// One layer's part of an adapter of which nothing is trained.
pub(crate) struct Fixed {
    layout: Layout,
    flat: Vec<f32>,
    /// Of each group, ‖W + s·B·A‖ of its maps, with DoRA.
    norms: [Vec<Vec<f32>>; 4],
}

/// An adapter at work in a pass.
pub(crate) struct Beside<'a> {
    pub(crate) rows: Range<usize>,
    pub(crate) adapter: &'a Fixed,
}

impl Fixed {
    pub(crate) fn new(layout: Layout, flat: Vec<f32>, weights: &Weights<'_>) -> Self {
        let norms = Group::ALL.map(|group| layout.norms(group, &flat, weights));
        Self { layout, flat, norms }
    }

    /// Numbers that are held.
    pub(crate) fn len(&self) -> usize {
        self.flat.len() + self.norms.iter().flatten().map(Vec::len).sum::<usize>()
    }
}

/// Rows of an adapter that are one piece of work: those of a step are few for each, and small products leave all but one thread
/// idle. The order of sums hangs on them, so that they do not hang on how many threads there are.
const PIECE: usize = 16;

/// The same where there are many, as in reading a prompt.
const LARGE_PIECE: usize = 128;

/// Turns the adapters' rows of `y` (n, stride), the frozen product of `x` (n, inputs), into the adapted ones. The rows of `all`
/// follow each other and are nobody else's.
pub(crate) fn forward(
    all: &[Beside<'_>],
    (group, weights): (Group, &Weights<'_>),
    (x, inputs): (&[f32], usize),
    (y, stride): (&mut [f32], usize),
) {
    let (mut pieces, mut rest, mut at) = (Vec::new(), y, 0);
    for Beside { rows, adapter } in all {
        let (own, after) = rest[(rows.start - at) * stride..].split_at_mut(rows.len() * stride);
        (rest, at) = (after, rows.end);
        let count = if rows.len() > 4 * PIECE { LARGE_PIECE } else { PIECE };
        let x = &x[rows.start * inputs..rows.end * inputs];
        let own = x.chunks(count * inputs).zip(own.chunks_mut(count * stride));
        pieces.extend(own.map(|(x, y)| (*adapter, x, y)));
    }
    pieces.into_par_iter().for_each(|(Fixed { layout, flat, norms }, x, y)| {
        let norms = &norms[group as usize];
        Adaptation { layout, group, mask: None, rows: None, flat, weights, norms }.forward(x, y, stride);
    });
}
