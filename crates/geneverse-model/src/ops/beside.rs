//! Several adapters beside one frozen layer, each on rows of its own: y += s · (x · Aᵀ) · Bᵀ where a row's sequence
//! asks for it. The product with the layer's weights is one for all rows.
//!
//! A row's numbers are those that the layer has with this adapter alone: [`Adaptation`] does both.

use std::ops::Range;

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

impl Beside<'_> {
    /// Turns its rows of `y` (n, stride), the frozen product of `x` (n, inputs), into the adapted ones.
    pub(crate) fn forward(
        &self,
        group: Group,
        weights: &Weights<'_>,
        (x, inputs): (&[f32], usize),
        (y, stride): (&mut [f32], usize),
    ) {
        let (Range { start, end }, Fixed { layout, flat, norms }) = (self.rows.clone(), self.adapter);
        let norms = &norms[group as usize];
        let adaptation = Adaptation { layout, group, mask: None, flat, weights, norms };
        adaptation.forward(&x[start * inputs..end * inputs], &mut y[start * stride..end * stride], stride);
    }
}
