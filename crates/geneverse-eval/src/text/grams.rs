//! Tokens and n-grams as numbers, and how many of an answer's stand in its references.
//!
//! An n-gram is known by the number of the (n−1)-gram that it begins with and its last token. An answer's n-gram whose
//! beginning is in no reference is in none either, and is not looked up.

use crate::hash::Map;

/// Words to numbers, in the order in which they come.
#[derive(Debug)]
pub(super) struct Vocabulary<'a> {
    ids: Map<&'a str, u32>,
}

impl Default for Vocabulary<'_> {
    fn default() -> Self {
        // As many as two paragraphs have.
        Self { ids: Map::with_capacity_and_hasher(256, Default::default()) }
    }
}

impl<'a> Vocabulary<'a> {
    /// The numbers of a text's tokens; new ones for tokens not met before.
    pub(super) fn ids(&mut self, tokens: impl Iterator<Item = &'a str>) -> Vec<u32> {
        let id = |token| {
            let next = self.ids.len() as u32;
            *self.ids.entry(token).or_insert(next)
        };
        tokens.map(id).collect()
    }

    /// How many different ones have come.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

/// For each order from 1 to `orders`, how many of the answer's n-grams stand in a reference, each at most as often as in
/// the reference that has it most often.
pub(super) fn matches<R: AsRef<[u32]>>(answer: &[u32], references: &[R], orders: usize) -> Vec<u64> {
    /// An n-gram of the answer that no reference has.
    const NOWHERE: u32 = u32::MAX;
    let longest = references.iter().map(|tokens| tokens.as_ref().len()).max().unwrap_or(0);
    let mut ids: Map<u64, u32> = Map::with_capacity_and_hasher(longest, Default::default());
    // The n-gram that begins at each place; of order 0 there is one.
    let mut in_answer = vec![0_u32; answer.len()];
    let mut in_references: Vec<Vec<u32>> = references.iter().map(|r| vec![0; r.as_ref().len()]).collect();
    let mut found = vec![0; orders];
    for order in 1..=orders {
        ids.clear();
        let mut left: Vec<u32> = Vec::with_capacity(longest);
        let mut counts: Vec<u32> = Vec::new();
        for (tokens, grams) in references.iter().zip(&mut in_references) {
            let tokens = tokens.as_ref();
            grams.truncate((tokens.len() + 1).saturating_sub(order));
            counts.clear();
            counts.resize(left.len(), 0);
            for (gram, &last) in grams.iter_mut().zip(&tokens[(order - 1).min(tokens.len())..]) {
                let next = ids.len() as u32;
                *gram = *ids.entry(key(*gram, last)).or_insert(next);
                if *gram == next {
                    counts.push(0);
                }
                counts[*gram as usize] += 1;
            }
            left.resize(counts.len(), 0);
            for (most, &count) in left.iter_mut().zip(&counts) {
                *most = count.max(*most);
            }
        }
        in_answer.truncate((answer.len() + 1).saturating_sub(order));
        for (gram, &last) in in_answer.iter_mut().zip(&answer[(order - 1).min(answer.len())..]) {
            if *gram == NOWHERE {
                continue;
            }
            *gram = ids.get(&key(*gram, last)).copied().unwrap_or(NOWHERE);
            if let Some(count) = left.get_mut(*gram as usize).filter(|count| **count > 0) {
                *count -= 1;
                found[order - 1] += 1;
            }
        }
    }
    found
}

fn key(beginning: u32, last: u32) -> u64 {
    u64::from(beginning) << 32 | u64::from(last)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn by_definition(answer: &[u32], references: &[Vec<u32>], order: usize) -> u64 {
        let count = |tokens: &[u32]| -> HashMap<Vec<u32>, u64> {
            let mut counts = HashMap::new();
            for gram in tokens.windows(order) {
                *counts.entry(gram.to_vec()).or_default() += 1;
            }
            counts
        };
        let of_references: Vec<_> = references.iter().map(|tokens| count(tokens)).collect();
        let clipped = |(gram, times): (Vec<u32>, u64)| {
            let most = of_references.iter().filter_map(|counts| counts.get(&gram)).max();
            times.min(most.copied().unwrap_or(0))
        };
        count(answer).into_iter().map(clipped).sum()
    }

    proptest! {
        #[test]
        fn matches_are_clipped_counts(
            answer in prop::collection::vec(0_u32..4, 0..20),
            references in prop::collection::vec(prop::collection::vec(0_u32..4, 0..20), 0..4),
        ) {
            let wanted: Vec<u64> = (1..=6).map(|order| by_definition(&answer, &references, order)).collect();
            prop_assert_eq!(matches(&answer, &references, 6), wanted);
        }
    }
}
