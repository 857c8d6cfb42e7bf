//! Attention within each tree of a pack, causal or not, with grouped key/value heads (Ainslie et al., 2023).
//!
//! softmax(q·kᵀ · scale) · v, in tiles of [`TILE`] queries, so that no matrix of tokens × tokens is kept; the
//! backward pass recomputes the weights from the saved log of each row's sum (Dao et al., 2022). Scores may be
//! capped (`cap · tanh(score / cap)`, Gemma-2), and a token may look back at a window of tokens only (Mistral).
//!
//! A tree is one sequence, or several that begin alike: their common prefix is computed once, and each of them
//! attends to the prefix and to itself.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::buffer;
use super::few_rows::Output;
use super::math::{dot, exp_in_place, max, tanh_in_place};
use super::matmul::{Into, Threads, product, product_at, rows, transposed};

/// Queries handled together.
const TILE: usize = 64;

thread_local! {
    /// What a tile's queries give to its keys, and the gradients of that. Taken, not borrowed: a thread that waits for others may
    /// be given another tile.
    static SCRATCH: Cell<[Vec<f32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// So many numbers, of whatever value.
fn at_least(numbers: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if numbers.len() < len {
        numbers.resize(len, 0.0);
    }
    &mut numbers[..len]
}

/// How heads lie in a row (all queries, then all keys, then all values), and how they look at each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) query: usize,
    pub(crate) key_value: usize,
    pub(crate) dim: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
    /// Scores become `cap · tanh(score / cap)`.
    pub(crate) cap: Option<f32>,
    /// How many tokens a token looks back at, itself included.
    pub(crate) window: Option<usize>,
    /// Whether a token sees only itself and what is before it (decoders), or all of its tree, which then has no prefix and
    /// no window (encoders of pictures).
    pub(crate) causal: bool,
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
    /// The earliest position that a token at `position` sees.
    pub(crate) fn earliest(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
    /// Capped and scaled scores, up to the scale that [`exp_in_place`] is then given.
    fn cap_scores(&self, scores: &mut [f32]) -> f32 {
        match self.cap {
            None => self.scale,
            Some(cap) => {
                tanh_in_place(scores, self.scale / cap);
                cap
            }
        }
    }
    /// Scores, in place, to what attention weighs values by; returns the log of the sum of exponentials.
    pub(crate) fn softmax(&self, scores: &mut [f32]) -> f32 {
        let scale = self.cap_scores(scores);
        let largest = max(scores) * scale;
        let sum = exp_in_place(scores, scale, largest);
        scores.iter_mut().for_each(|w| *w /= sum);
        largest + sum.ln()
    }
}

/// Where the tokens of one sequence, or of several with a common prefix, lie in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The prefix: the first rows of the tree, empty for a sequence of its own.
    pub(crate) prefix: Range<usize>,
    /// What follows the prefix, for each sequence; right after the prefix and after each other.
    pub(crate) members: Vec<Range<usize>>,
}

impl Tree {
    /// One sequence by itself.
    pub(crate) fn alone(rows: Range<usize>) -> Self {
        Self { prefix: rows.start..rows.start, members: vec![rows] }
    }

    /// All its rows.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.start()..self.start() + self.len()
    }

    fn start(&self) -> usize {
        self.prefix.start
    }

    fn len(&self) -> usize {
        self.members.last().map_or(self.prefix.end, |last| last.end) - self.prefix.start
    }

    /// The prefix by itself, then each member with the prefix before it.
    fn branches(&self) -> impl Iterator<Item = Branch> {
        let none = self.prefix.start..self.prefix.start;
        let stem = Branch { prefix: none, own: self.prefix.clone() };
        let members = self.members.iter().map(|own| Branch { prefix: self.prefix.clone(), own: own.clone() });
        std::iter::once(stem).chain(members).filter(|branch| !branch.own.is_empty())
    }
}

/// Rows that attend to a prefix and to each other.
struct Branch {
    prefix: Range<usize>,
    own: Range<usize>,
}

/// A tile of queries and the rows of the keys that any of them sees, in order of position.
struct Tile {
    /// Rows of the pack.
    queries: Range<usize>,
    /// Position of the first query.
    position: usize,
    /// Position of the first key.
    earliest: usize,
    /// Rows of keys in the prefix, then rows of keys in the branch itself.
    keys: [Range<usize>; 2],
}

impl Branch {
    fn tiles(&self, heads: Heads) -> impl Iterator<Item = Tile> {
        (0..self.own.len()).step_by(TILE).map(move |first| {
            let queries = self.own.start + first..(self.own.start + first + TILE).min(self.own.end);
            let position = self.prefix.len() + first;
            let earliest = heads.earliest(position);
            let in_prefix = self.prefix.start + earliest.min(self.prefix.len())..self.prefix.end;
            let end = if heads.causal { queries.end } else { self.own.end };
            let in_own = self.own.start + earliest.saturating_sub(self.prefix.len())..end;
            Tile { queries, position, earliest, keys: [in_prefix, in_own] }
        })
    }
}

impl Tile {
    fn keys(&self) -> usize {
        self.keys[0].len() + self.keys[1].len()
    }

    /// Which keys of the tile the query of a row sees.
    fn seen(&self, row: usize, heads: Heads) -> Range<usize> {
        if !heads.causal {
            return 0..self.keys();
        }
        let position = self.position + row;
        heads.earliest(position) - self.earliest..position + 1 - self.earliest
    }

    /// The keys' row ranges, each with the column where its scores begin.
    fn parts(&self) -> impl Iterator<Item = (usize, &Range<usize>)> {
        let columns = [0, self.keys[0].len()];
        columns.into_iter().zip(&self.keys).filter(|(_, keys)| !keys.is_empty())
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

    /// `count` rows of `width` at `at`, `at + stride`, …
    fn rows(&self, (count, width): (usize, usize), at: usize, stride: usize) -> Output {
        let end = if count == 0 { at } else { at + (count - 1) * stride + width };
        assert!(end <= self.len, "attention writes outside of its output");
        Output { start: self.start.wrapping_add(at), row: stride, column: 1, scale: 1.0, into: Into::Fresh }
    }
}

/// `out` (n, query heads · dim) from rotated `qkv` (n, row); `log_sums` (n, query heads) is kept for [`backward`].
pub(crate) fn forward(qkv: &[f32], trees: &[Tree], heads: Heads, out: &mut [f32], log_sums: &mut [f32]) {
    let (stride, dim, one) = (heads.row(), heads.dim, Threads::One);
    let (shared_out, shared_sums) = (Shared::new(out), Shared::new(log_sums));
    let mut branches: Vec<Branch> = trees.iter().flat_map(Tree::branches).collect();
    // The longest work first leaves no thread waiting at the end; a head's tiles one after another find its keys in a cache.
    branches.sort_by_key(|branch| std::cmp::Reverse(branch.own.len()));
    let mut tasks: Vec<(Tile, usize)> = Vec::new();
    for branch in &branches {
        for head in 0..heads.query {
            tasks.extend(branch.tiles(heads).map(|tile| (tile, head)));
        }
    }
    tasks.into_par_iter().with_max_len(1).for_each(|(tile, head)| {
        let key_head = head / heads.group();
        let (m, n) = (tile.queries.len(), tile.keys());
        let q = &qkv[tile.queries.start * stride + heads.query_at(head)..];
        let mut scratch = SCRATCH.take();
        let [of_weights, _] = &mut scratch;
        let weights = at_least(of_weights, m * n);
        for (column, keys) in tile.parts() {
            let k = &qkv[keys.start * stride + heads.key_at(key_head)..];
            let (a, b) = (rows(q, stride), transposed(k, stride));
            product((m, keys.len(), dim), 1.0, a, b, &mut weights[column..], n, Into::Fresh, one);
        }
        let mut sums = [0f32; TILE];
        for (row, weights) in weights.chunks_exact_mut(n).enumerate() {
            let seen = tile.seen(row, heads);
            sums[row] = heads.softmax(&mut weights[seen.clone()]);
            weights[..seen.start].fill(0.0);
            weights[seen.end..].fill(0.0);
        }
        let at = tile.queries.start * heads.out() + heads.query_at(head);
        let mixed = shared_out.rows((m, dim), at, heads.out());
        for (column, keys) in tile.parts() {
            let v = &qkv[keys.start * stride + heads.value_at(key_head)..];
            let (a, b) = (rows(&weights[column..], n), rows(v, stride));
            let into = if column == 0 { Into::Fresh } else { Into::Added };
            // SAFETY: a tile alone writes its head's columns of its own rows.
            unsafe { product_at((m, dim, keys.len()), a, b, mixed.at(0, 0, into), one) };
        }
        // SAFETY: as above.
        unsafe {
            shared_sums.write_rows(&sums[..m], 1, tile.queries.start * heads.query + head, heads.query);
        }
        SCRATCH.set(scratch);
    });
}

/// What the backward pass needs of the forward pass.
#[derive(Clone, Copy)]
pub(crate) struct Attended<'a> {
    /// Rotated, (n, row).
    pub(crate) qkv: &'a [f32],
    /// (n, query heads · dim)
    pub(crate) out: &'a [f32],
    /// (n, query heads)
    pub(crate) log_sums: &'a [f32],
}

/// `d_qkv` (n, row) from `d_out` (n, query heads · dim) and what the forward pass saw and gave.
pub(crate) fn backward(
    attended: Attended<'_>,
    trees: &[Tree],
    heads: Heads,
    d_out: &[f32],
    d_qkv: &mut [f32],
) {
    let (stride, dim, group) = (heads.row(), heads.dim, heads.group());
    let shared = Shared::new(d_qkv);
    let mut tasks: Vec<(&Tree, usize)> =
        trees.iter().flat_map(|tree| (0..heads.key_value).map(move |head| (tree, head))).collect();
    tasks.sort_by_key(|(tree, _)| std::cmp::Reverse(tree.len()));
    tasks.into_par_iter().with_max_len(1).for_each(|(tree, key_head)| {
        let (base, n) = (tree.start() * stride, tree.rows().len());
        let [at_keys, at_values] = [base + heads.key_at(key_head), base + heads.value_at(key_head)];
        let at_queries = |head: usize| base + heads.query_at(head);
        if group == 1 {
            let [queries, keys, values] =
                [at_queries(key_head), at_keys, at_values].map(|at| shared.rows((n, dim), at, stride));
            // SAFETY: a task alone writes the columns of its heads in the rows of its own tree.
            unsafe {
                backward_head(attended, tree, key_head, heads, d_out, &Places { queries, keys, values })
            };
            return;
        }
        // The query heads of a group add to the same keys and values: each makes its own, then they are summed
        // in order. With many tasks of this kind the heads of one run one after another anyway.
        let of_heads: Vec<[Vec<f32>; 2]> = (key_head * group..(key_head + 1) * group)
            .into_par_iter()
            .with_max_len(1)
            .map(|head| {
                let mut of_head = [buffer(n * dim), buffer(n * dim)];
                let [keys, values] =
                    of_head.each_mut().map(|numbers| Shared::new(numbers).rows((n, dim), 0, dim));
                let queries = shared.rows((n, dim), at_queries(head), stride);
                // SAFETY: the buffers are this task's, and so are the columns of its query head.
                unsafe {
                    backward_head(attended, tree, head, heads, d_out, &Places { queries, keys, values })
                };
                of_head
            })
            .collect();
        let sum = of_heads.into_iter().reduce(|mut sum, of_head| {
            for (sum, of_head) in sum.iter_mut().zip(&of_head) {
                sum.iter_mut().zip(of_head).for_each(|(sum, d)| *sum += d);
            }
            sum
        });
        if let Some([keys, values]) = sum {
            // SAFETY: as above.
            unsafe {
                shared.write_rows(&keys, dim, at_keys, stride);
                shared.write_rows(&values, dim, at_values, stride);
            }
        }
    });
}

/// Where a query head's gradients go, row by row of a tree.
struct Places {
    queries: Output,
    keys: Output,
    values: Output,
}

/// # Safety
/// Each place has `dim` columns for each of the tree's rows, and nobody else touches them.
unsafe fn backward_head(
    attended: Attended<'_>,
    tree: &Tree,
    head: usize,
    heads: Heads,
    d_out: &[f32],
    places: &Places,
) {
    let Attended { qkv, out, log_sums } = attended;
    let (stride, out_stride, dim, one) = (heads.row(), heads.out(), heads.dim, Threads::One);
    let (start, key_head) = (tree.start(), head / heads.group());
    let (mut scratch, mut slopes) = (SCRATCH.take(), Vec::new());
    let mut tiles: Vec<Tile> = tree.branches().flat_map(|b| b.tiles(heads).collect::<Vec<_>>()).collect();
    // The last tile of a sequence by itself sees all keys: begun with it, nothing needs to be zero before.
    tiles.reverse();
    let sees_all = |tile: &Tile| tile.keys() == tree.len();
    if !tiles.first().is_some_and(sees_all) {
        for place in [places.keys, places.values] {
            for row in 0..tree.len() {
                // SAFETY: the caller's promise.
                unsafe { place.at(row, 0, Into::Fresh).start.write_bytes(0, dim) };
            }
        }
    }
    for (number, tile) in tiles.iter().enumerate() {
        let (m, n, token) = (tile.queries.len(), tile.keys(), tile.queries.start);
        let q = &qkv[token * stride + heads.query_at(head)..];
        let at = token * out_stride + heads.query_at(head);
        let (o, d_o) = (&out[at..], &d_out[at..]);
        let [weights, d_weights] = scratch.each_mut().map(|numbers| at_least(numbers, m * n));
        for (column, keys) in tile.parts() {
            let shape = (m, keys.len(), dim);
            let k = transposed(&qkv[keys.start * stride + heads.key_at(key_head)..], stride);
            product(shape, 1.0, rows(q, stride), k, &mut weights[column..], n, Into::Fresh, one);
            let v = transposed(&qkv[keys.start * stride + heads.value_at(key_head)..], stride);
            product(shape, 1.0, rows(d_o, out_stride), v, &mut d_weights[column..], n, Into::Fresh, one);
        }
        for (row, (weights, d_weights)) in
            weights.chunks_exact_mut(n).zip(d_weights.chunks_exact_mut(n)).enumerate()
        {
            let range = tile.seen(row, heads);
            let seen = &mut weights[range.clone()];
            let d_seen = &mut d_weights[range.clone()];
            let scale = heads.cap_scores(seen);
            if heads.cap.is_some() {
                slopes.clear();
                slopes.extend_from_slice(seen);
            }
            exp_in_place(seen, scale, log_sums[(token + row) * heads.query + head]);
            let at = row * out_stride;
            let carried = dot(&o[at..at + dim], &d_o[at..at + dim]);
            for (d, w) in d_seen.iter_mut().zip(&*seen) {
                *d = (*d - carried) * *w * heads.scale;
            }
            if heads.cap.is_some() {
                // d tanh(x) = 1 − tanh²(x)
                d_seen.iter_mut().zip(&slopes).for_each(|(d, tanh)| *d *= 1.0 - tanh * tanh);
            }
            for row in [weights, d_weights] {
                row[..range.start].fill(0.0);
                row[range.end..].fill(0.0);
            }
        }
        for (column, keys) in tile.parts() {
            let at = |place: Output, row: usize, fresh: bool| {
                place.at(row - start, 0, if fresh { Into::Fresh } else { Into::Added })
            };
            let all = number == 0 && sees_all(tile);
            let shape = (keys.len(), dim, m);
            let (of_values, d_o) = (transposed(&weights[column..], n), rows(d_o, out_stride));
            let of_keys = transposed(&d_weights[column..], n);
            let k = rows(&qkv[keys.start * stride + heads.key_at(key_head)..], stride);
            // SAFETY: these rows are the tree's, whose places are the caller's.
            unsafe {
                product_at(shape, of_values, d_o, at(places.values, keys.start, all), one);
                product_at(shape, of_keys, rows(q, stride), at(places.keys, keys.start, all), one);
                let of_queries = rows(&d_weights[column..], n);
                product_at((m, dim, keys.len()), of_queries, k, at(places.queries, token, column == 0), one);
            }
        }
    }
    SCRATCH.set(scratch);
}
