//! What was read before: keys and values of answers that are over, for requests that begin with the same tokens.
//!
//! A conversation is sent whole with each of its questions. Its earlier part, the last answer among it, has been read; so has a
//! long document that several questions are asked of.

use std::collections::VecDeque;

use crate::arch::projector::PICTURE;
use crate::generate::{Cache, Slot};

/// Fewer tokens than this are read again: that is as fast.
const LEAST: usize = 32;

/// How many are kept.
const MOST: usize = 64;

/// Keys and values of some tokens.
struct Past {
    ids: Vec<u32>,
    adapter: Option<usize>,
    layers: Vec<Cache>,
    bytes: usize,
}

/// All that is kept, what was used last at the end.
pub(super) struct Kept {
    /// Numbers of a head.
    dim: usize,
    all: VecDeque<Past>,
    bytes: usize,
}

impl Kept {
    /// Nothing yet, of a model whose heads have `dim` numbers.
    pub(super) fn new(dim: usize) -> Self {
        Self { dim, all: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps what an answer that is over has read and said, within `room` bytes in all. Rows of pictures are known by their
    /// places only, which are another picture's in another request, so that they are not kept.
    pub(super) fn keep<T>(&mut self, slot: Slot<T>, room: usize) {
        let (ids, adapter, layers) = slot.past();
        if ids.len() < LEAST || ids.iter().any(|id| *id >= PICTURE) {
            return;
        }
        // Keys and values lie in a cache with room for more: what is kept is cut to its size.
        let layers: Vec<Cache> =
            layers.iter().map(|cache| cache.part(ids.len(), ids.len(), self.dim)).collect();
        let bytes = layers.iter().map(Cache::bytes).sum();
        if bytes > room {
            return;
        }
        self.all.retain(|past| past.adapter != adapter || !ids.starts_with(&past.ids));
        self.all.push_back(Past { ids, adapter, layers, bytes });
        self.shrink(room);
    }

    /// Lets go of what was not used for longest until all takes at most `room` bytes.
    pub(super) fn shrink(&mut self, room: usize) {
        self.bytes = self.all.iter().map(|past| past.bytes).sum();
        while self.bytes > room || self.all.len() > MOST {
            let Some(past) = self.all.pop_front() else { return };
            self.bytes -= past.bytes;
        }
    }

    /// The longest beginning of `ids` that has been read, at least half of it, with room for `room` tokens: how many tokens that
    /// is, and their keys and values. The last token is always read again, for what follows it.
    pub(super) fn find(
        &mut self,
        ids: &[u32],
        adapter: Option<usize>,
        room: usize,
    ) -> Option<(usize, Vec<Cache>)> {
        let last = ids.len().checked_sub(1)?;
        let alike = |past: &Past| past.ids.iter().zip(&ids[..last]).take_while(|(a, b)| a == b).count();
        let own = self.all.iter().enumerate().filter(|(_, past)| past.adapter == adapter);
        let (length, at) = own.map(|(at, past)| (alike(past), at)).max()?;
        if length < LEAST || 2 * length < ids.len() {
            return None;
        }
        let past = self.all.remove(at)?;
        let layers = past.layers.iter().map(|cache| cache.part(length, room, self.dim)).collect();
        self.all.push_back(past);
        Some((length, layers))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::generate::AnswerConfig;
    use crate::ops::attention::Heads;

    const HEADS: Heads =
        Heads { query: 1, key_value: 2, dim: 2, scale: 1.0, cap: None, window: None, causal: true };

    /// An answer that has read `ids`, of whose keys and values the numbers are the tokens' own.
    fn read(ids: &[u32], adapter: Option<usize>) -> Slot<()> {
        let config = AnswerConfig::greedy(1);
        let mut cache = Cache::new(HEADS.key_value * HEADS.dim, ids.len() + 5);
        for id in ids {
            let numbers: Vec<f32> = (0..10).map(|at| (id.wrapping_mul(10) + at) as f32).collect();
            cache.append(&numbers, HEADS);
        }
        Slot::new((), ids, (0, 1), (Arc::new(config), adapter), vec![cache])
    }

    fn tokens(first: u32, count: u32) -> Vec<u32> {
        (first..first + count).collect()
    }

    /// Bytes of a token.
    const TOKEN: usize = 8 * size_of::<f32>();

    #[test]
    fn the_longest_beginning_is_found_with_its_keys_and_values() {
        let mut kept = Kept::new(HEADS.dim);
        kept.keep(read(&tokens(0, 40), None), 1 << 20);
        kept.keep(read(&[tokens(0, 50), tokens(90, 9)].concat(), None), 1 << 20);
        kept.keep(read(&tokens(0, 80), Some(0)), 1 << 20);
        assert_eq!(kept.bytes(), (59 + 80) * TOKEN, "the first is the beginning of the second");
        let (length, layers) = kept.find(&tokens(0, 70), None, 75).unwrap();
        let mut wanted = Cache::new(HEADS.key_value * HEADS.dim, 75);
        for id in 0..50 {
            let numbers: Vec<f32> = (0..10).map(|at| (id * 10 + at) as f32).collect();
            wanted.append(&numbers, HEADS);
        }
        assert_eq!((length, layers.len()), (50, 1));
        assert!(layers[0] == wanted);
        assert_eq!(kept.find(&tokens(0, 80), Some(0), 99).unwrap().0, 79, "the last token is read again");
        assert!(kept.find(&tokens(0, 70), Some(1), 75).is_none(), "another adapter has other keys");
        assert!(kept.find(&tokens(0, 101), None, 120).is_none(), "less than half");
        assert!(kept.find(&tokens(0, 32), None, 40).is_none(), "too few to be worth it");
        assert!(kept.find(&[], None, 40).is_none());
    }

    #[test]
    fn what_was_used_last_stays() {
        let mut kept = Kept::new(HEADS.dim);
        for first in [0, 100, 200] {
            kept.keep(read(&tokens(first, 40), None), 120 * TOKEN);
        }
        assert_eq!(kept.find(&tokens(0, 41), None, 50).map(|(length, _)| length), Some(40));
        kept.keep(read(&tokens(300, 40), None), 120 * TOKEN);
        assert!(kept.find(&tokens(100, 41), None, 50).is_none(), "not used for longest");
        assert!(kept.find(&tokens(0, 41), None, 50).is_some());
        kept.shrink(79 * TOKEN);
        assert_eq!(kept.bytes(), 40 * TOKEN);
        // Rows of pictures, what is larger than all may be, and what is short.
        let before = kept.bytes();
        kept.keep(read(&[tokens(400, 40), vec![PICTURE]].concat(), None), 120 * TOKEN);
        kept.keep(read(&tokens(400, 40), None), 39 * TOKEN);
        kept.keep(read(&tokens(400, 31), None), 120 * TOKEN);
        assert_eq!(kept.bytes(), before);
    }
}
