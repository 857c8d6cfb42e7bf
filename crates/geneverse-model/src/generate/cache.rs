//! The keys and values of an answer under way, and attention to them.

use rayon::prelude::*;

use crate::ops::attention::Heads;
use crate::ops::buffer;
use crate::ops::matmul::{Into, Threads, product, rows, transposed};

/// Keys and values of one answer in one layer: (key heads, room, dim) each, so that a head reads what is its own from
/// one end to the other.
#[derive(PartialEq)]
pub(crate) struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
    /// Tokens that there is room for.
    room: usize,
    /// Tokens in it.
    time: usize,
}

impl Cache {
    pub(crate) fn new(width: usize, room: usize) -> Self {
        Self { keys: buffer(width * room), values: buffer(width * room), room, time: 0 }
    }

    /// Tokens in it.
    pub(crate) fn time(&self) -> usize {
        self.time
    }

    /// The first `time` tokens of `dim` numbers a head, with room for `room`.
    pub(crate) fn part(&self, time: usize, room: usize, dim: usize) -> Self {
        let (own, heads) = (self.room * dim, self.keys.len() / (self.room * dim).max(1));
        let cut = |numbers: &[f32]| {
            let mut part = buffer(heads * room * dim);
            for (part, own) in part.chunks_exact_mut(room * dim).zip(numbers.chunks_exact(own)) {
                part[..time * dim].copy_from_slice(&own[..time * dim]);
            }
            part
        };
        Self { keys: cut(&self.keys), values: cut(&self.values), room, time }
    }

    /// Bytes of its keys and values.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.keys.as_slice()) + size_of_val(self.values.as_slice())
    }

    /// Takes the keys and values of rotated rows (n, row).
    pub(crate) fn append(&mut self, qkv: &[f32], heads: Heads) {
        let (dim, width) = (heads.dim, heads.key_value * heads.dim);
        for row in qkv.chunks_exact(heads.row()) {
            let (keys, values) = row[heads.out()..].split_at(width);
            for (place, numbers) in [(&mut self.keys, keys), (&mut self.values, values)] {
                for (head, numbers) in numbers.chunks_exact(dim).enumerate() {
                    let at = (head * self.room + self.time) * dim;
                    place[at..at + dim].copy_from_slice(numbers);
                }
            }
            self.time += 1;
        }
    }
}

/// Attention of new tokens, each to the first so many tokens of a cache, of which it is the last: (n, query heads · dim).
pub(crate) fn attend_cached(qkv: &[f32], caches: &[(&Cache, usize)], heads: Heads) -> Vec<f32> {
    let (dim, group) = (heads.dim, heads.query / heads.key_value);
    let mut out = buffer(caches.len() * heads.out());
    out.par_chunks_exact_mut(group * dim).enumerate().for_each(|(task, out)| {
        let (row, key_head) = (task / heads.key_value, task % heads.key_value);
        let (Cache { keys, values, room, time: _ }, time) = caches[row];
        let earliest = heads.earliest(time - 1);
        let first = (key_head * room + earliest) * dim;
        let seen = time - earliest;
        let mut weights = buffer(group * seen);
        let at = row * heads.row() + key_head * group * dim;
        let (queries, one) = (rows(&qkv[at..at + group * dim], dim), Threads::One);
        let keys = transposed(&keys[first..], dim);
        product((group, seen, dim), 1.0, queries, keys, &mut weights, seen, Into::Fresh, one);
        weights.chunks_exact_mut(seen).for_each(|weights| {
            heads.softmax(weights);
        });
        let (weights, values) = (rows(&weights, seen), rows(&values[first..], dim));
        product((group, dim, seen), 1.0, weights, values, out, dim, Into::Fresh, one);
    });
    out
}
