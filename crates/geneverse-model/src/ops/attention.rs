//! Causal attention within each sequence of a pack, with grouped key/value heads (Ainslie et al., 2023).
//!
//! softmax(q·kᵀ / √head_dim) · v, in tiles of [`TILE`] queries, so that no matrix of tokens × tokens is kept;
//! the backward pass recomputes the weights from the saved log of each row's sum (Dao et al., 2022).

use std::ops::Range;

use rayon::prelude::*;

use super::buffer;
use super::math::{dot, exp_in_place, max};
use super::matmul::{Into, Threads, product, rows, transposed};

/// Queries handled together.
const TILE: usize = 64;

/// How heads lie in a row: all queries, then all keys, then all values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) query: usize,
    pub(crate) key_value: usize,
    pub(crate) dim: usize,
}

impl Heads {
    /// Width of a row of queries, keys and values.
    pub(crate) fn row(&self) -> usize {
        (self.query + 2 * self.key_value) * self.dim
    }
    /// Width of a row of outputs.
    pub(crate) fn out(&self) -> usize {
        self.query * self.dim
    }
    fn query_at(&self, head: usize) -> usize {
        head * self.dim
    }
    fn key_at(&self, key_head: usize) -> usize {
        (self.query + key_head) * self.dim
    }
    fn value_at(&self, key_head: usize) -> usize {
        (self.query + self.key_value + key_head) * self.dim
    }
    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.query / self.key_value
    }
    fn scale(&self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }
}

/// A buffer that parallel tasks fill in places which do not overlap.
struct Shared {
    start: *mut f32,
    len: usize,
}

// SAFETY: tasks write to disjoint places only, which `Shared::write_rows` asks of its callers.
unsafe impl Sync for Shared {}

impl Shared {
    fn new(numbers: &mut [f32]) -> Self {
        Self { start: numbers.as_mut_ptr(), len: numbers.len() }
    }

    /// Copies rows of `width` numbers to `at`, `at + stride`, …
    ///
    /// # Safety
    /// No other task may write to any of these places.
    unsafe fn write_rows(&self, from: &[f32], width: usize, at: usize, stride: usize) {
        for (row, numbers) in from.chunks_exact(width).enumerate() {
            let place = at + row * stride;
            assert!(place + width <= self.len, "attention writes outside of its output");
            // SAFETY: inside the buffer by the assertion, and nobody else's by the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr(), self.start.add(place), width) };
        }
    }
}

/// One tile of queries of one head of one sequence.
struct Tile {
    sequence: Range<usize>,
    head: usize,
    /// Rows of the pack.
    queries: Range<usize>,
}

fn tiles(sequences: &[Range<usize>], heads: Heads) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for sequence in sequences {
        for head in 0..heads.query {
            for first in sequence.clone().step_by(TILE) {
                let queries = first..(first + TILE).min(sequence.end);
                tiles.push(Tile { sequence: sequence.clone(), head, queries });
            }
        }
    }
    // Late tiles see more keys: the longest work first leaves no thread waiting at the end.
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.queries.end - tile.sequence.start));
    tiles
}

/// `out` (n, query heads · dim) from rotated `qkv` (n, row); `log_sums` (n, query heads) is kept for [`backward`].
pub(crate) fn forward(
    qkv: &[f32],
    sequences: &[Range<usize>],
    heads: Heads,
    out: &mut [f32],
    log_sums: &mut [f32],
) {
    let (stride, dim, scale) = (heads.row(), heads.dim, heads.scale());
    let (shared_out, shared_sums) = (Shared::new(out), Shared::new(log_sums));
    tiles(sequences, heads).into_par_iter().with_max_len(1).for_each(|tile| {
        let key_head = tile.head / heads.group();
        let (m, n) = (tile.queries.len(), tile.queries.end - tile.sequence.start);
        let q = &qkv[tile.queries.start * stride + heads.query_at(tile.head)..];
        let k = &qkv[tile.sequence.start * stride + heads.key_at(key_head)..];
        let v = &qkv[tile.sequence.start * stride + heads.value_at(key_head)..];
        let mut weights = buffer(m * n);
        let one = Threads::One;
        product((m, n, dim), 1.0, rows(q, stride), transposed(k, stride), &mut weights, n, Into::Fresh, one);
        let mut sums = [0f32; TILE];
        for (row, weights) in weights.chunks_exact_mut(n).enumerate() {
            let (seen, unseen) = weights.split_at_mut(n - m + row + 1);
            unseen.fill(0.0);
            let largest = max(seen) * scale;
            let sum = exp_in_place(seen, scale, largest);
            seen.iter_mut().for_each(|w| *w /= sum);
            sums[row] = largest + sum.ln();
        }
        let mut mixed = buffer(m * dim);
        product((m, dim, n), 1.0, rows(&weights, n), rows(v, stride), &mut mixed, dim, Into::Fresh, one);
        let at = tile.queries.start * heads.out() + heads.query_at(tile.head);
        // SAFETY: a tile alone writes its head's columns of its own rows.
        unsafe {
            shared_out.write_rows(&mixed, dim, at, heads.out());
            shared_sums.write_rows(&sums[..m], 1, tile.queries.start * heads.query + tile.head, heads.query);
        }
    });
}

/// `d_qkv` (n, row) from `d_out` (n, query heads · dim) and what the forward pass saw and gave.
pub(crate) fn backward(
    qkv: &[f32],
    sequences: &[Range<usize>],
    heads: Heads,
    out: &[f32],
    log_sums: &[f32],
    d_out: &[f32],
    d_qkv: &mut [f32],
) {
    let shared = Shared::new(d_qkv);
    let mut tasks: Vec<(&Range<usize>, usize)> =
        sequences.iter().flat_map(|s| (0..heads.key_value).map(move |h| (s, h))).collect();
    tasks.sort_by_key(|(sequence, _)| std::cmp::Reverse(sequence.len()));
    tasks.into_par_iter().with_max_len(1).for_each(|(sequence, key_head)| {
        let gradients = backward_key_head(qkv, sequence, key_head, heads, out, log_sums, d_out);
        let (stride, dim, base) = (heads.row(), heads.dim, sequence.start * heads.row());
        // SAFETY: a task alone writes the columns of its key head, its value head and its group of queries
        // in the rows of its own sequence.
        unsafe {
            shared.write_rows(&gradients.keys, dim, base + heads.key_at(key_head), stride);
            shared.write_rows(&gradients.values, dim, base + heads.value_at(key_head), stride);
            for (i, queries) in gradients.queries.iter().enumerate() {
                let head = key_head * heads.group() + i;
                shared.write_rows(queries, dim, base + heads.query_at(head), stride);
            }
        }
    });
}

/// Gradients of one key head of one sequence: (len, dim) each.
struct KeyHeadGradients {
    keys: Vec<f32>,
    values: Vec<f32>,
    /// One for each query head of the group.
    queries: Vec<Vec<f32>>,
}

fn backward_key_head(
    qkv: &[f32],
    sequence: &Range<usize>,
    key_head: usize,
    heads: Heads,
    out: &[f32],
    log_sums: &[f32],
    d_out: &[f32],
) -> KeyHeadGradients {
    let (stride, out_stride, dim, scale) = (heads.row(), heads.out(), heads.dim, heads.scale());
    let len = sequence.len();
    let k = &qkv[sequence.start * stride + heads.key_at(key_head)..];
    let v = &qkv[sequence.start * stride + heads.value_at(key_head)..];
    let (mut d_keys, mut d_values) = (buffer(len * dim), buffer(len * dim));
    let (mut weights, mut d_weights) = (buffer(TILE * len), buffer(TILE * len));
    let mut d_queries = Vec::with_capacity(heads.group());
    let one = Threads::One;
    for head in key_head * heads.group()..(key_head + 1) * heads.group() {
        let mut d_query = buffer(len * dim);
        for first in (0..len).step_by(TILE) {
            let m = TILE.min(len - first);
            let n = first + m;
            let token = sequence.start + first;
            let q = &qkv[token * stride + heads.query_at(head)..];
            let at = token * out_stride + heads.query_at(head);
            let (o, d_o) = (&out[at..], &d_out[at..]);
            let (weights, d_weights) = (&mut weights[..m * n], &mut d_weights[..m * n]);
            product((m, n, dim), 1.0, rows(q, stride), transposed(k, stride), weights, n, Into::Fresh, one);
            product(
                (m, n, dim),
                1.0,
                rows(d_o, out_stride),
                transposed(v, stride),
                d_weights,
                n,
                Into::Fresh,
                one,
            );
            let pairs = weights.chunks_exact_mut(n).zip(d_weights.chunks_exact_mut(n));
            for (row, (weights, d_weights)) in pairs.enumerate() {
                let (seen, unseen) = weights.split_at_mut(first + row + 1);
                unseen.fill(0.0);
                exp_in_place(seen, scale, log_sums[(token + row) * heads.query + head]);
                let at = row * out_stride;
                let carried = dot(&o[at..at + dim], &d_o[at..at + dim]);
                let (d_seen, d_unseen) = d_weights.split_at_mut(first + row + 1);
                d_unseen.fill(0.0);
                for (d, w) in d_seen.iter_mut().zip(seen) {
                    *d = (*d - carried) * *w * scale;
                }
            }
            product(
                (n, dim, m),
                1.0,
                transposed(weights, n),
                rows(d_o, out_stride),
                &mut d_values,
                dim,
                Into::Added,
                one,
            );
            product(
                (n, dim, m),
                1.0,
                transposed(d_weights, n),
                rows(q, stride),
                &mut d_keys,
                dim,
                Into::Added,
                one,
            );
            let d_query = &mut d_query[first * dim..];
            product((m, dim, n), 1.0, rows(d_weights, n), rows(k, stride), d_query, dim, Into::Fresh, one);
        }
        d_queries.push(d_query);
    }
    KeyHeadGradients { keys: d_keys, values: d_values, queries: d_queries }
}
