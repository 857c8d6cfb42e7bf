//! Low-rank adaptation (Hu et al., 2021): y += s · (x · Aᵀ) · Bᵀ beside a frozen product.
//!
//! With DoRA (Liu et al., 2024) the sum is then scaled, output by output, by m / ‖W + s·B·A‖; as in PEFT the norm is
//! held constant in the backward pass. Dropout acts on what goes into A only.
//!
//! A layer's adapted maps that share an input share one product with their A matrices, laid one below the
//! other. All of a layer's A, B and m lie in one flat vector, group after group: first the group's A, then its
//! B, then its m, one map after another.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::buffer;
use super::math::dot;
use super::matmul::{Columns, Into, Term, Threads, product, rows, sums, transposed};
use super::scratch::{give, take};
use super::slots::{Group, LayerShape, Map, Weights};
use super::thin::{self, Lies, Thin};
use crate::families::Target;
use crate::rng::{Rng, mix};

/// How one map is adapted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Update {
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// DoRA.
    pub(crate) magnitude: bool,
}

/// Where one map's matrices lie in a layer's flat vector.
#[derive(Debug, Clone)]
pub(crate) struct Adapted {
    pub(crate) target: Target,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Where the map's output begins in its group's row.
    pub(crate) column: usize,
    pub(crate) rank: usize,
    pub(crate) scale: f32,
    /// A (rank, inputs)
    pub(crate) a: Range<usize>,
    /// B (outputs, rank)
    pub(crate) b: Range<usize>,
    /// m (outputs), with DoRA.
    pub(crate) magnitude: Option<Range<usize>>,
}

/// The adapted maps that share an input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maps {
    pub(crate) maps: Vec<Adapted>,
    inputs: usize,
    /// The sum of ranks.
    width: usize,
}

/// How a layer's flat vector is laid out.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Share of inputs dropped before A, in training.
    pub(crate) dropout: f32,
    groups: [Maps; 4],
    /// Length of the flat vector.
    pub(crate) len: usize,
}

impl Layout {
    /// The layout of the maps for which `update` has something.
    pub(crate) fn new(
        shape: &LayerShape,
        targets: &[Target],
        dropout: f32,
        update: impl Fn(&Target) -> Option<Update>,
    ) -> Self {
        let mut at = 0;
        let mut take = |len: usize| {
            at += len;
            at - len..at
        };
        let groups = Group::ALL.map(|group| {
            let inputs = shape.inputs(group);
            let members = targets.iter().filter(|t| group.slots().contains(&t.slots[0]));
            let updates: Vec<(Target, Update)> = members.filter_map(|t| Some((*t, update(t)?))).collect();
            let mut maps: Vec<Adapted> = Vec::new();
            for (target, update) in &updates {
                let outputs = target.slots.iter().filter_map(|slot| shape.size(*slot)).map(|(rows, _)| rows);
                maps.push(Adapted {
                    target: *target,
                    inputs,
                    outputs: outputs.sum(),
                    column: shape.column(target.slots[0]),
                    rank: update.rank,
                    scale: update.scale,
                    a: take(update.rank * inputs),
                    b: 0..0,
                    magnitude: None,
                });
            }
            maps.iter_mut().for_each(|map| map.b = take(map.outputs * map.rank));
            for (map, (_, update)) in maps.iter_mut().zip(&updates) {
                map.magnitude = update.magnitude.then(|| take(map.outputs));
            }
            Maps { width: maps.iter().map(|map| map.rank).sum(), inputs, maps }
        });
        Self { dropout, groups, len: at }
    }

    pub(crate) fn maps(&self) -> impl Iterator<Item = &Adapted> {
        self.groups.iter().flat_map(|group| &group.maps)
    }

    /// The norms of a group's maps where they have magnitudes, and nothing where they have none: see [`Adaptation::norms`].
    pub(crate) fn norms(&self, group: Group, flat: &[f32], weights: &Weights<'_>) -> Vec<Vec<f32>> {
        let maps = &self.groups[group as usize].maps;
        match maps.iter().any(|map| map.magnitude.is_some()) {
            true => maps.iter().map(|map| map.norms(flat, weights)).collect(),
            false => Vec::new(),
        }
    }

    pub(crate) fn adapts(&self, group: Group) -> bool {
        !self.groups[group as usize].maps.is_empty()
    }

    /// A fresh adapter: A uniform as PEFT's default (Kaiming with a = √5: ±1/√inputs), B zero, m the norms of W.
    pub(crate) fn initialise(&self, rng: &mut Rng, weights: &Weights<'_>) -> Vec<f32> {
        let mut flat = vec![0.0; self.len];
        for map in self.maps() {
            let bound = 1.0 / (map.inputs as f32).sqrt();
            flat[map.a.clone()].iter_mut().for_each(|x| *x = rng.within(bound));
        }
        for map in self.maps() {
            if let Some(place) = &map.magnitude {
                let norms = map.norms(&flat, weights);
                flat[place.clone()].copy_from_slice(&norms);
            }
        }
        flat
    }
}

impl Adapted {
    /// ‖W + s·B·A‖ of each output, from ‖W‖² + 2s·B·(A·Wᵀ) + s²·B·(A·Aᵀ)·Bᵀ: the sum is never formed.
    pub(crate) fn norms(&self, flat: &[f32], weights: &Weights<'_>) -> Vec<f32> {
        let (a, b, rank) = (&flat[self.a.clone()], &flat[self.b.clone()], self.rank);
        let mut gram = buffer(rank * rank);
        let all = Threads::All;
        let (left, right) = (rows(a, self.inputs), transposed(a, self.inputs));
        product((rank, rank, self.inputs), 1.0, left, right, &mut gram, rank, Into::Fresh, all);
        let (mut norms, mut crossed) = (Vec::with_capacity(self.outputs), Vec::new());
        for map in self.target.slots.iter().filter_map(|slot| weights.map(*slot)) {
            let outputs = map.outputs;
            crossed.resize(rank * outputs, 0.0);
            let shape = (rank, outputs, self.inputs);
            product(shape, 1.0, left, map.forward(), &mut crossed, outputs, Into::Fresh, all);
            let first = norms.len();
            for (output, square) in squares(&map).into_iter().enumerate() {
                let b = &b[(first + output) * rank..(first + output + 1) * rank];
                let (mut cross, mut update) = (0.0, 0.0);
                for i in 0..rank {
                    cross += b[i] * crossed[i * outputs + output];
                    update += b[i] * dot(b, &gram[i * rank..(i + 1) * rank]);
                }
                norms.push((square + self.scale * (2.0 * cross + self.scale * update)).max(0.0).sqrt());
            }
        }
        norms
    }
}

impl Adapted {
    /// Adds s·B·A of outputs `first..` to `sum` (rows, inputs).
    pub(crate) fn add_to(&self, flat: &[f32], first: usize, sum: &mut [f32]) {
        let (b, a) = (&flat[self.b.clone()][first * self.rank..], &flat[self.a.clone()]);
        let shape = (sum.len() / self.inputs, self.inputs, self.rank);
        let (b, a) = (rows(b, self.rank), rows(a, self.inputs));
        product(shape, self.scale, b, a, sum, self.inputs, Into::Added, Threads::All);
    }
}

/// Σ over inputs of W² for each output.
fn squares(map: &Map<'_>) -> Vec<f32> {
    let Map { outputs, inputs, .. } = *map;
    let mut squares = vec![0.0; outputs];
    if map.in_stride == 1 {
        squares.par_iter_mut().with_min_len(16).enumerate().for_each(|(output, square)| {
            let mut row = vec![0.0; inputs];
            map.numbers.widen(output * map.out_stride..output * map.out_stride + inputs, &mut row);
            *square = dot(&row, &row);
        });
    } else {
        let mut row = vec![0.0; outputs];
        for input in 0..inputs {
            map.numbers.widen(input * map.in_stride..input * map.in_stride + outputs, &mut row);
            squares.iter_mut().zip(&row).for_each(|(square, w)| *square += w * w);
        }
    }
    squares
}

/// What the backward pass needs of one group's adaptation.
#[derive(Default)]
pub(crate) struct Low {
    /// x·Aᵀ (n, sum of ranks)
    low: Vec<f32>,
    /// With DoRA, of each map in turn: the sum before it is scaled (n, outputs), and ‖W + s·B·A‖ (outputs).
    sums: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Low {
    /// Returns its buffers.
    pub(crate) fn give(self) {
        give(self.sums.into_iter().map(|(sum, _)| sum).chain([self.low]));
    }
}

/// One group's work in one layer.
pub(crate) struct Adaptation<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) group: Group,
    /// Names the dropout mask; `None` where nothing is dropped.
    pub(crate) mask: Option<u64>,
    /// Which rows of the pack these are, in their order; `None`: all. They are dropped out as among all.
    pub(crate) rows: Option<&'a [usize]>,
    pub(crate) flat: &'a [f32],
    pub(crate) weights: &'a Weights<'a>,
    /// With DoRA ‖W + s·B·A‖ of the group's maps, where nothing changes them; empty where they are to be computed.
    pub(crate) norms: &'a [Vec<f32>],
}

impl Adaptation<'_> {
    fn maps(&self) -> &Maps {
        &self.layout.groups[self.group as usize]
    }

    fn dropped(&self, x: &[f32]) -> Option<Vec<f32>> {
        self.mask.map(|key| self.masked(x, key))
    }

    fn masked(&self, x: &[f32], key: u64) -> Vec<f32> {
        match self.rows {
            None => masked(x, key, self.layout.dropout),
            Some(rows) => masked_rows(x, (rows, self.maps().inputs), key, self.layout.dropout),
        }
    }

    /// x·Aᵀ of `x` (n, inputs).
    pub(crate) fn lower(&self, x: &[f32]) -> Low {
        let Maps { maps, inputs, width } = self.maps();
        let Some(first) = maps.first() else { return Low::default() };
        let (n, dropped) = (x.len() / inputs, self.dropped(x));
        let x = rows(dropped.as_deref().unwrap_or(x), *inputs);
        let mut low = take(n * width);
        let a = transposed(&self.flat[first.a.start..], *inputs);
        product((n, *width, *inputs), 1.0, x, a, &mut low, *width, Into::Fresh, Threads::All);
        give(dropped);
        Low { low, sums: Vec::new() }
    }

    /// What is added to the outputs of a frozen map that begin at `column` of the group's row, if anything.
    pub(crate) fn raise<'l>(&'l self, low: &'l Low, column: usize) -> Option<Term<'l>> {
        let Maps { maps, width, .. } = self.maps();
        let of_map = |map: &&Adapted| (map.column..map.column + map.outputs).contains(&column);
        let map = maps.iter().find(of_map)?;
        let at: usize = maps.iter().take_while(|other| other.column != map.column).map(|map| map.rank).sum();
        let b = transposed(&self.flat[map.b.clone()][(column - map.column) * map.rank..], map.rank);
        Some(Term { a: rows(&low.low[at..], *width), b, k: map.rank, scale: map.scale })
    }

    /// With DoRA, scales the sums in `y` (n, stride), and keeps them.
    pub(crate) fn rescale(&self, low: &mut Low, y: &mut [f32], stride: usize) {
        let n = y.len() / stride;
        for (number, map) in self.maps().maps.iter().enumerate() {
            let Some(magnitude) = &map.magnitude else { continue };
            let known = self.norms.get(number).cloned();
            let norms = known.unwrap_or_else(|| map.norms(self.flat, self.weights));
            let mut sum = take(n * map.outputs);
            for (y, sum) in y.chunks_exact_mut(stride).zip(sum.chunks_exact_mut(map.outputs)) {
                let y = &mut y[map.column..map.column + map.outputs];
                sum.copy_from_slice(y);
                scale_row(y, &self.flat[magnitude.clone()], &norms);
            }
            low.sums.push((sum, norms));
        }
    }

    /// Turns `y` (n, stride), the frozen product of `x` (n, inputs), into the adapted one.
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32], stride: usize) -> Low {
        let mut low = self.lower(x);
        for map in &self.maps().maps {
            let Some(Term { a, b, k, scale }) = self.raise(&low, map.column) else { continue };
            let (shape, place) = ((y.len() / stride, map.outputs, k), &mut y[map.column..]);
            product(shape, scale, a, b, place, stride, Into::Added, Threads::All);
        }
        self.rescale(&mut low, y, stride);
        low
    }

    /// The gradient before the scaling from `dy` (n, stride), which it is where there is no DoRA; m's own is added to
    /// `d_flat`.
    pub(crate) fn unscale<'d>(
        &self,
        low: &Low,
        dy: &'d [f32],
        stride: usize,
        d_flat: &mut [f32],
    ) -> Cow<'d, [f32]> {
        let mut scaled = Cow::Borrowed(dy);
        let with_magnitude = self.maps().maps.iter().filter(|map| map.magnitude.is_some());
        for (map, (sum, norms)) in with_magnitude.zip(&low.sums) {
            let Some(magnitude) = map.magnitude.clone() else { continue };
            let d_magnitude = &mut d_flat[magnitude.clone()];
            if let Cow::Borrowed(dy) = scaled {
                let mut copy = take(dy.len());
                copy.copy_from_slice(dy);
                scaled = Cow::Owned(copy);
            }
            for (dy, sum) in scaled.to_mut().chunks_exact_mut(stride).zip(sum.chunks_exact(map.outputs)) {
                let dy = &mut dy[map.column..map.column + map.outputs];
                for i in 0..map.outputs {
                    d_magnitude[i] += dy[i] * sum[i] / norms[i];
                }
                scale_row(dy, &self.flat[magnitude.clone()], norms);
            }
        }
        scaled
    }

    /// The gradient of x·Aᵀ (n, sum of ranks) from `dy` (n, stride); empty where nothing is adapted.
    pub(crate) fn low_gradient(&self, dy: &[f32], stride: usize) -> Vec<f32> {
        let Maps { maps, width, .. } = self.maps();
        let n = dy.len() / stride;
        let mut d_low = take(n * width);
        let mut first = 0;
        let columns = maps.iter().map(|map| {
            let (a, b) = (rows(&dy[map.column..], stride), rows(&self.flat[map.b.clone()], map.rank));
            let terms = vec![Term { a, b, k: map.outputs, scale: map.scale }];
            first += map.rank;
            Columns { first: first - map.rank, n: map.rank, terms }
        });
        sums(n, &columns.collect::<Vec<_>>(), &mut d_low, *width);
        d_low
    }

    /// Adds the gradients of A and B to `d_flat`.
    pub(crate) fn backward(
        &self,
        (x, low): (&[f32], &Low),
        (dy, stride): (&[f32], usize),
        d_low: &[f32],
        d_flat: &mut [f32],
    ) {
        let Maps { maps, inputs, width } = self.maps();
        let Some(of_a) = maps.first().map(|first| first.a.start) else { return };
        let dropped = self.dropped(x);
        let mut thin = vec![Thin {
            left: d_low,
            left_stride: *width,
            rank: *width,
            right: dropped.as_deref().unwrap_or(x),
            right_stride: *inputs,
            width: *inputs,
            scale: 1.0,
            out: Lies::Across,
            first: of_a,
        }];
        let mut at = 0;
        for map in maps {
            thin.push(Thin {
                left: &low.low[at..],
                left_stride: *width,
                rank: map.rank,
                right: &dy[map.column..],
                right_stride: stride,
                width: map.outputs,
                scale: map.scale,
                out: Lies::Down,
                first: map.b.start,
            });
            at += map.rank;
        }
        thin::add(x.len() / inputs, &thin, d_flat);
        give(dropped);
    }

    /// What is added to the gradient of `x`, where nothing is dropped out and anything is adapted.
    pub(crate) fn through<'d>(&'d self, d_low: &'d [f32]) -> Option<Term<'d>> {
        let Maps { maps, inputs, width } = self.maps();
        let first = maps.first().filter(|_| self.mask.is_none())?;
        let a = rows(&self.flat[first.a.start..], *inputs);
        Some(Term { a: rows(d_low, *width), b: a, k: *width, scale: 1.0 })
    }

    /// Adds it to the gradient of `x`, `dx`, where something is dropped out.
    pub(crate) fn through_dropout(&self, d_low: &[f32], dx: &mut [f32]) {
        let Maps { maps, inputs, width } = self.maps();
        let (Some(first), Some(key)) = (maps.first(), self.mask) else { return };
        let (n, a) = (dx.len() / inputs, rows(&self.flat[first.a.start..], *inputs));
        let mut through = take(n * inputs);
        let (shape, left) = ((n, *inputs, *width), rows(d_low, *width));
        product(shape, 1.0, left, a, &mut through, *inputs, Into::Fresh, Threads::All);
        let kept = self.masked(&through, key);
        dx.par_iter_mut().zip(&kept).with_min_len(1 << 12).for_each(|(dx, t)| *dx += t);
        give([through, kept]);
    }
}

/// y ← y · m / norm, output by output.
fn scale_row(y: &mut [f32], magnitude: &[f32], norms: &[f32]) {
    for ((y, m), norm) in y.iter_mut().zip(magnitude).zip(norms) {
        *y *= m / norm;
    }
}

/// Which numbers are dropped, and what the others are multiplied with.
#[derive(Clone, Copy)]
struct Dropout {
    key: u64,
    threshold: u64,
    kept: f32,
}

impl Dropout {
    /// One draw of 64 bits decides over so many numbers.
    const DRAWN: usize = 4;

    /// The share is a multiple of 2⁻¹⁶.
    fn new(key: u64, share: f32) -> Self {
        let threshold = (share * 65536.0).round() as u64;
        Self { key, threshold, kept: 65536.0 / (65536 - threshold.min(65535)) as f32 }
    }

    /// `out` from `x`, the numbers `first..` of all.
    fn run(&self, first: usize, x: &[f32], out: &mut [f32]) {
        let (mut draw, within) = (first / Self::DRAWN, first % Self::DRAWN);
        // Up to where a draw of its own begins.
        let head = x.len().min((Self::DRAWN - within) % Self::DRAWN);
        let mut some = |out: &mut [f32], x: &[f32], skipped: usize| {
            let mut drawn = mix(self.key ^ mix(draw as u64)) >> (16 * skipped);
            draw += 1;
            for (out, x) in out.iter_mut().zip(x) {
                *out = if drawn & 0xFFFF < self.threshold { 0.0 } else { x * self.kept };
                drawn >>= 16;
            }
        };
        if head > 0 {
            some(&mut out[..head], &x[..head], within);
        }
        for (out, x) in out[head..].chunks_mut(Self::DRAWN).zip(x[head..].chunks(Self::DRAWN)) {
            some(out, x, 0);
        }
    }
}

/// `x` with a share of its numbers zeroed and the rest scaled up, the same for the same key.
pub(crate) fn masked(x: &[f32], key: u64, share: f32) -> Vec<f32> {
    const CHUNK: usize = 1 << 12;
    let (dropout, mut out) = (Dropout::new(key, share), take(x.len()));
    let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(chunk, (out, x))| dropout.run(chunk * CHUNK, x, out));
    out
}

/// The same of some rows of a matrix (n, width), whose numbers fall as they do among all.
fn masked_rows(x: &[f32], (rows, width): (&[usize], usize), key: u64, share: f32) -> Vec<f32> {
    let (dropout, mut out) = (Dropout::new(key, share), take(x.len()));
    let chunks = out.par_chunks_exact_mut(width).zip(x.par_chunks_exact(width)).zip(rows);
    chunks.for_each(|((out, x), row)| dropout.run(row * width, x, out));
    out
}

#[cfg(test)]
mod tests {
    use super::{masked, masked_rows};

    #[test]
    fn some_rows_are_dropped_out_as_they_are_among_all() {
        for width in [3, 4, 7, 64] {
            let x: Vec<f32> = (0..40 * width).map(|i| 1.0 + i as f32).collect();
            let all = masked(&x, 9, 0.4);
            let rows = [0, 1, 5, 38, 39];
            let pick = |x: &[f32]| -> Vec<f32> {
                rows.iter().flat_map(|row| x[row * width..(row + 1) * width].to_vec()).collect()
            };
            assert_eq!(masked_rows(&pick(&x), (&rows, width), 9, 0.4), pick(&all));
            let dropped = all.iter().filter(|x| **x == 0.0).count();
            assert!(dropped > 0 && dropped < all.len());
        }
    }
}
