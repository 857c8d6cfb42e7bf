//! One decoder layer, forward and backward, the backward pass written by hand.
//!
//! ```text
//! h = norm(x);   q,k,v = h·Wqkv + b;  q,k = rope(headnorm(q,k));  a = attention(q, k, v)·Wo + b
//! x2 = x + norm?(a)
//! h = norm(x2);  y = x2 + norm?((act(h·Wgate + b) ⊙ (h·Wup + b))·Wdown + b)
//! ```
//!
//! What a family leaves out (biases, head norms, the norms marked with ?, the gate, the rotation) is not computed.
//! No gradient is computed for a frozen weight. Kept for the backward pass: q,k,v after rotation, the attention's
//! output and row sums, x2, gate and up; the other norms and the activation are computed again where they are
//! needed. Or nothing is kept, and the forward pass is run again first.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::activation::Between;
use super::attention::{self, Attended, Tree};
use super::beside::{self, Beside};
use super::lora::{Adaptation, Layout, Low};
use super::matmul::{Columns, Into, Term, Threads, product, rows, sums, transposed};
use super::norm::Norm;
use super::rope::{Rotation, Turn, rotate};
use super::scratch::{give, take, zeros};
use super::slots::{Group, LayerShape, Slot, Weights};

/// What of a layer is trained, and so what its flat vector holds.
#[derive(Debug, Clone)]
pub(crate) enum Trained {
    /// Nothing; the flat vector is empty.
    Nothing,
    /// Low-rank matrices.
    Lora(Arc<Layout>),
    /// Every weight; the flat vector holds them as [`LayerShape::place`] says.
    All,
}

/// How the tokens of a pack lie.
#[derive(Debug, Clone)]
pub(crate) struct Lay {
    pub(crate) trees: Vec<Tree>,
    pub(crate) rotations: Vec<Rotation>,
}

/// What the backward pass needs of the forward pass.
pub(crate) struct Saved {
    /// Queries and keys before their norms (n, (query + key heads) · dim), where there are such norms.
    raw: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    log_sums: Vec<f32>,
    /// The attention's output before its norm, where there is one.
    attended: Vec<f32>,
    x2: Vec<f32>,
    gate_up: Vec<f32>,
    /// The feed-forward's output before its norm, where there is one.
    fed: Vec<f32>,
    low: [Low; 4],
}

impl Saved {
    /// Returns its buffers.
    pub(crate) fn give(self) {
        let Self { raw, qkv, mixed, log_sums, attended, x2, gate_up, fed, low } = self;
        give([raw, qkv, mixed, log_sums, attended, x2, gate_up, fed]);
        low.into_iter().for_each(Low::give);
    }
}

/// A layer at work on a pack.
pub(crate) struct Layer<'a> {
    pub(crate) shape: &'a LayerShape,
    pub(crate) weights: &'a Weights<'a>,
    pub(crate) trained: &'a Trained,
    /// Whatever is trained.
    pub(crate) flat: &'a [f32],
    /// Names this layer's dropout masks in this pass; `None` outside of training.
    pub(crate) mask: Option<u64>,
    /// Adapters that nothing is trained of, each on rows of its own; for the forward pass only.
    pub(crate) beside: &'a [Beside<'a>],
    /// The rows whose outputs are wanted, in their order; `None`: all. What follows attention is computed for them alone.
    pub(crate) wanted: Option<&'a [usize]>,
}

impl Layer<'_> {
    fn norm(&self, slot: Slot, bias: Option<Slot>) -> Norm<'_> {
        let bias = bias.map_or(&[][..], |bias| self.weights.vector(bias));
        Norm { kind: self.shape.norm, eps: self.shape.eps, weight: self.weights.vector(slot), bias }
    }

    fn input_norm(&self) -> Norm<'_> {
        self.norm(Slot::InputNorm, Some(Slot::InputNormBias))
    }

    fn mlp_input_norm(&self) -> Norm<'_> {
        self.norm(Slot::MlpInputNorm, Some(Slot::MlpInputNormBias))
    }

    fn between(&self) -> Between {
        let LayerShape { activation, gated, inner, .. } = *self.shape;
        Between { activation, gated, width: inner }
    }

    fn adaptation(&self, group: Group) -> Option<Adaptation<'_>> {
        let Trained::Lora(layout) = self.trained else { return None };
        let mask = self.mask.filter(|_| layout.dropout > 0.0).map(|key| key.wrapping_add(group as u64));
        let rows = self.wanted.filter(|_| group != Group::Qkv);
        Some(Adaptation { layout, group, mask, rows, flat: self.flat, weights: self.weights, norms: &[] })
    }

    /// Of `x` (n, width) the rows that are wanted: (wanted, width).
    fn picked<'x>(&self, x: &'x [f32], width: usize) -> Cow<'x, [f32]> {
        let Some(wanted) = self.wanted else { return Cow::Borrowed(x) };
        let mut picked = take(wanted.len() * width);
        for (row, picked) in wanted.iter().zip(picked.chunks_exact_mut(width)) {
            picked.copy_from_slice(&x[row * width..(row + 1) * width]);
        }
        Cow::Owned(picked)
    }

    /// A gradient of the rows that are wanted among those of all: (n, width), zero elsewhere.
    fn spread(&self, d: Vec<f32>, (n, width): (usize, usize)) -> Vec<f32> {
        let Some(wanted) = self.wanted else { return d };
        let mut all = zeros(n * width);
        for (row, d) in wanted.iter().zip(d.chunks_exact(width)) {
            all[row * width..(row + 1) * width].copy_from_slice(d);
        }
        give([d]);
        all
    }

    /// A group's maps of `x` (n, inputs), side by side: (n, outputs).
    fn group(&self, group: Group, x: &[f32]) -> (Vec<f32>, Low) {
        let (inputs, stride) = (self.shape.inputs(group), self.shape.outputs(group));
        let n = x.len() / inputs;
        let mut y = take(n * stride);
        let adaptation = self.adaptation(group);
        let mut low = adaptation.as_ref().map_or_else(Low::default, |adaptation| adaptation.lower(x));
        let columns = self.weights.maps(self.shape, group).map(|(map, column)| {
            let frozen = Term { a: rows(x, inputs), b: map.forward(), k: inputs, scale: 1.0 };
            let added = adaptation.as_ref().and_then(|adaptation| adaptation.raise(&low, column));
            Columns { first: column, n: map.outputs, terms: std::iter::once(frozen).chain(added).collect() }
        });
        sums(n, &columns.collect::<Vec<_>>(), &mut y, stride);
        if let Some(adaptation) = &adaptation {
            adaptation.rescale(&mut low, &mut y, stride);
        }
        if !self.beside.is_empty() {
            beside::forward(self.beside, (group, self.weights), (x, inputs), (&mut y, stride));
        }
        for slot in group.slots() {
            let bias = slot.bias().map_or(&[][..], |bias| self.weights.vector(bias));
            if !bias.is_empty() {
                let column = self.shape.column(*slot);
                y.par_chunks_exact_mut(stride).with_min_len(16).for_each(|row| {
                    row[column..].iter_mut().zip(bias).for_each(|(y, b)| *y += b);
                });
            }
        }
        (y, low)
    }

    /// The layer: `x` (n, hidden) → (n, hidden), or as many rows as are wanted. `attend` turns rotated q,k,v (n, row) into mixed values
    /// (n, query heads · dim) and the log sums of their weights.
    pub(crate) fn forward(
        &self,
        x: &[f32],
        lay: &Lay,
        attend: impl FnOnce(&[f32]) -> (Vec<f32>, Vec<f32>),
    ) -> (Vec<f32>, Saved) {
        let LayerShape { hidden, heads, head_norms, sandwich_norms, .. } = *self.shape;
        let (n, row) = (x.len() / hidden, heads.row());
        let mut h = take(x.len());
        self.input_norm().forward(x, &mut h);
        let (mut qkv, low_qkv) = self.group(Group::Qkv, &h);
        let (queries, both) = (heads.query * heads.dim, (heads.query + heads.key_value) * heads.dim);
        let mut raw = Vec::new();
        if head_norms {
            raw = take(n * both);
            let rows = raw.chunks_exact_mut(both).zip(qkv.chunks_exact(row));
            rows.for_each(|(raw, row)| raw.copy_from_slice(&row[..both]));
            self.norm(Slot::QueryNorm, None).heads(&mut qkv, row, 0, heads.query);
            self.norm(Slot::KeyNorm, None).heads(&mut qkv, row, queries, heads.key_value);
        }
        if let Some(rotation) = self.shape.rotation {
            rotate(&mut qkv, row, heads.query + heads.key_value, &lay.rotations[rotation], Turn::Forward);
        }
        let (mixed, log_sums) = attend(&qkv);

        let picked = self.picked(&mixed, heads.out());
        let (mut x2, low_output) = self.group(Group::Output, &picked);
        give([owned(picked)]);
        let mut attended = Vec::new();
        if sandwich_norms {
            attended = x2;
            x2 = take(attended.len());
            self.norm(Slot::AttentionNorm, None).forward(&attended, &mut x2);
        }
        let picked = self.picked(x, hidden);
        add(&mut x2, &picked);
        give([owned(picked)]);
        let n = x2.len() / hidden;
        h.truncate(n * hidden);

        self.mlp_input_norm().forward(&x2, &mut h);
        let (gate_up, low_up, mut y, low_down) = match self.weights.experts {
            Some(experts) => {
                let sequences: Vec<Range<usize>> = lay.trees.iter().map(Tree::rows).collect();
                let y = experts.forward(&h, &sequences, self.between());
                (Vec::new(), Low::default(), y, Low::default())
            }
            None => {
                let (gate_up, low_up) = self.group(Group::Up, &h);
                let mut active = take(n * self.shape.inner);
                self.between().forward(&gate_up, &mut active);
                let (y, low_down) = self.group(Group::Down, &active);
                give([active]);
                (gate_up, low_up, y, low_down)
            }
        };
        give([h]);
        let mut fed = Vec::new();
        if sandwich_norms {
            fed = y;
            y = take(fed.len());
            self.norm(Slot::MlpNorm, None).forward(&fed, &mut y);
        }
        add(&mut y, &x2);
        let low = [low_qkv, low_output, low_up, low_down];
        (y, Saved { raw, qkv, mixed, log_sums, attended, x2, gate_up, fed, low })
    }

    /// [`Layer::forward`] with the attention of training.
    pub(crate) fn forward_pack(&self, x: &[f32], lay: &Lay) -> (Vec<f32>, Saved) {
        let heads = self.shape.heads;
        self.forward(x, lay, |qkv| {
            let n = qkv.len() / heads.row();
            let (mut mixed, mut log_sums) = (take(n * heads.out()), take(n * heads.query));
            attention::forward(qkv, &lay.trees, heads, &mut mixed, &mut log_sums);
            (mixed, log_sums)
        })
    }

    /// Adds the gradients of what is trained to `d_flat`; the gradient of `x` from `dy`, of the rows that are wanted, where
    /// that of `x` is.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        lay: &Lay,
        saved: Saved,
        dy: Vec<f32>,
        want_dx: bool,
        d_flat: &mut [f32],
    ) -> Option<Vec<f32>> {
        let LayerShape { hidden, heads, .. } = *self.shape;
        let (n, row) = (x.len() / hidden, heads.row());
        let Saved { raw, qkv, mixed, log_sums, attended, x2, gate_up, fed, low } = saved;
        let [low_qkv, low_output, low_up, low_down] = low;
        let wanted = dy.len() / hidden;

        // y = x2 + norm?(active · Wdown)
        let d_fed = self.through_norm(Slot::MlpNorm, &fed, &dy, d_flat);
        let (mut active, down) = self.through_group(Group::Down, &low_down, &d_fed, d_flat, true);
        let mut d_gate_up = take(gate_up.len());
        // So far it is the gradient of what it will be.
        self.between().backward(&gate_up, &mut active, &mut d_gate_up);
        self.group_weights(Group::Down, &active, &low_down, down, d_flat);
        low_down.give();
        give([fed, owned(d_fed), gate_up, active]);

        // gate, up = norm(x2) · Wgate, Wup
        let mut h = Vec::new();
        if self.trains(Group::Up) {
            h = take(wanted * hidden);
            self.mlp_input_norm().forward(&x2, &mut h);
        }
        let dh = self.group_backward(Group::Up, &h, &low_up, &d_gate_up, d_flat, true);
        low_up.give();
        give([d_gate_up]);
        let mut dx2 = dy;
        let slots = (Slot::MlpInputNorm, Some(Slot::MlpInputNormBias));
        self.norm_backward(slots, &x2, &dh, d_flat);
        self.mlp_input_norm().backward(&x2, &dh, &mut dx2);
        give([x2, dh]);

        // x2 = x + norm?(mixed · Wo)
        let d_attended = self.through_norm(Slot::AttentionNorm, &attended, &dx2, d_flat);
        let picked = self.picked(&mixed, heads.out());
        let d_mixed = self.group_backward(Group::Output, &picked, &low_output, &d_attended, d_flat, true);
        low_output.give();
        give([attended, owned(picked), owned(d_attended)]);
        let d_mixed = self.spread(d_mixed, (n, heads.out()));
        let mut dx2 = self.spread(dx2, (n, hidden));
        if !want_dx && !self.trains(Group::Qkv) {
            return None;
        }
        let mut d_qkv = take(n * row);
        let attended = Attended { qkv: &qkv, out: &mixed, log_sums: &log_sums };
        attention::backward(attended, &lay.trees, heads, &d_mixed, &mut d_qkv);
        give([qkv, mixed, log_sums, d_mixed]);
        if let Some(rotation) = self.shape.rotation {
            rotate(&mut d_qkv, row, heads.query + heads.key_value, &lay.rotations[rotation], Turn::Back);
        }
        if self.shape.head_norms {
            let both = (heads.query + heads.key_value) * heads.dim;
            let keys = heads.query * heads.dim;
            for (slot, first, count) in
                [(Slot::QueryNorm, 0, heads.query), (Slot::KeyNorm, keys, heads.key_value)]
            {
                let dw = matches!(self.trained, Trained::All).then(|| &mut d_flat[self.shape.place(slot)]);
                self.norm(slot, None).heads_backward(&raw, both, &mut d_qkv, row, first, count, dw);
            }
        }

        // q, k, v = norm(x) · Wqkv
        if self.trains(Group::Qkv) {
            give([h]);
            h = take(n * hidden);
            self.input_norm().forward(x, &mut h);
        }
        let want_dh = want_dx || matches!(self.trained, Trained::All);
        let dh = self.group_backward(Group::Qkv, &h, &low_qkv, &d_qkv, d_flat, want_dh);
        self.norm_backward((Slot::InputNorm, Some(Slot::InputNormBias)), x, &dh, d_flat);
        low_qkv.give();
        give([raw, d_qkv, h]);
        if !want_dx {
            give([dh, dx2]);
            return None;
        }
        self.input_norm().backward(x, &dh, &mut dx2);
        give([dh]);
        Some(dx2)
    }

    /// Whether anything of this group has a gradient.
    fn trains(&self, group: Group) -> bool {
        match self.trained {
            Trained::Nothing => false,
            Trained::Lora(layout) => layout.adapts(group),
            Trained::All => true,
        }
    }

    /// Gradients of a group: of what is trained, added to `d_flat`, and of its input `x` where that is `wanted`.
    /// `x` may be empty where nothing of the group is trained.
    fn group_backward(
        &self,
        group: Group,
        x: &[f32],
        low: &Low,
        dy: &[f32],
        d_flat: &mut [f32],
        wanted: bool,
    ) -> Vec<f32> {
        let (dx, through) = self.through_group(group, low, dy, d_flat, wanted);
        self.group_weights(group, x, low, through, d_flat);
        dx
    }

    /// The gradient of a group's input, where that is `wanted`, before the input is at hand; and what [`Layer::group_weights`] will
    /// multiply the input with. Added to `d_flat` is what comes before: with DoRA, the gradient of its magnitudes.
    fn through_group<'d>(
        &self,
        group: Group,
        low: &Low,
        dy: &'d [f32],
        d_flat: &mut [f32],
        wanted: bool,
    ) -> (Vec<f32>, Through<'d>) {
        let (inputs, stride) = (self.shape.inputs(group), self.shape.outputs(group));
        let n = dy.len() / stride;
        let adaptation = self.adaptation(group);
        let dy = match &adaptation {
            Some(adaptation) => adaptation.unscale(low, dy, stride, d_flat),
            None => Cow::Borrowed(dy),
        };
        let d_low = adaptation.as_ref().map_or_else(Vec::new, |of| of.low_gradient(&dy, stride));
        let mut dx = take(if wanted { n * inputs } else { 0 });
        if wanted {
            let maps = self.weights.maps(self.shape, group).map(|(map, column)| {
                let (a, b) = (rows(&dy[column..], stride), map.backward());
                Term { a, b, k: map.outputs, scale: 1.0 }
            });
            let through = adaptation.as_ref().and_then(|adaptation| adaptation.through(&d_low));
            let terms = maps.chain(through).collect();
            sums(n, &[Columns { first: 0, n: inputs, terms }], &mut dx, inputs);
            if let Some(adaptation) = &adaptation {
                adaptation.through_dropout(&d_low, &mut dx);
            }
        }
        (dx, Through { dy, d_low })
    }

    /// Adds the gradients of a group's weights, or of its adapters, to `d_flat`. `x` may be anything where nothing of the group is
    /// trained.
    fn group_weights(&self, group: Group, x: &[f32], low: &Low, through: Through<'_>, d_flat: &mut [f32]) {
        let (Through { dy, d_low }, stride) = (through, self.shape.outputs(group));
        if let Some(adaptation) = self.adaptation(group) {
            adaptation.backward((x, low), (&dy, stride), &d_low, d_flat);
        }
        give([d_low]);
        if let Trained::All = self.trained {
            let n = dy.len() / stride;
            for slot in group.slots() {
                if let Some((outputs, inputs)) = self.shape.size(*slot) {
                    let d_weight = &mut d_flat[self.shape.place(*slot)];
                    let (a, b) = (transposed(&dy[self.shape.column(*slot)..], stride), rows(x, inputs));
                    let shape = (outputs, inputs, n);
                    product(shape, 1.0, a, b, d_weight, inputs, Into::Added, Threads::All);
                }
                let Some(bias) = slot.bias() else { continue };
                let d_bias = &mut d_flat[self.shape.place(bias)];
                for dy in dy.chunks_exact(stride) {
                    d_bias.iter_mut().zip(&dy[self.shape.column(*slot)..]).for_each(|(d, dy)| *d += dy);
                }
            }
        }
        give([owned(dy)]);
    }

    /// The gradient before a norm that follows attention or feed-forward; `dy` itself where there is no such norm.
    fn through_norm<'d>(&self, slot: Slot, x: &[f32], dy: &'d [f32], d_flat: &mut [f32]) -> Cow<'d, [f32]> {
        if !self.shape.sandwich_norms {
            return Cow::Borrowed(dy);
        }
        self.norm_backward((slot, None), x, dy, d_flat);
        let mut dx = zeros(dy.len());
        self.norm(slot, None).backward(x, dy, &mut dx);
        Cow::Owned(dx)
    }

    /// Adds the gradients of a norm's weights, where they are trained.
    fn norm_backward(&self, slots: (Slot, Option<Slot>), x: &[f32], dy: &[f32], d_flat: &mut [f32]) {
        if let Trained::All = self.trained {
            let bias = slots.1.map_or(0..0, |bias| self.shape.place(bias));
            let weight = self.shape.place(slots.0);
            // The two lie side by side, the weight first; or there is no bias.
            let end = bias.end.max(weight.end);
            let (dw, db) = d_flat[weight.start..end].split_at_mut(weight.len());
            self.norm(slots.0, slots.1).backward_weight(x, dy, dw, db);
        }
    }
}

/// Gradients of a group's outputs.
struct Through<'d> {
    /// Of the outputs (n, outputs), with DoRA before they are scaled.
    dy: Cow<'d, [f32]>,
    /// Of x·Aᵀ (n, sum of ranks); empty where nothing is adapted.
    d_low: Vec<f32>,
}

/// The numbers where they are owned; else nothing.
fn owned(numbers: Cow<'_, [f32]>) -> Vec<f32> {
    if let Cow::Owned(numbers) = numbers { numbers } else { Vec::new() }
}

/// `sum` += `x`.
pub(crate) fn add(sum: &mut [f32], x: &[f32]) {
    const CHUNK: usize = 1 << 14;
    sum.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(sum, x)| {
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    });
}
