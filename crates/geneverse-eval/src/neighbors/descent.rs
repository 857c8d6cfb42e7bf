//! Nearly the nearest neighbours of many vectors: a neighbour of a neighbour is likely to be a neighbour.
//!
//! NN-descent (Dong, Moses and Li: "Efficient k-nearest neighbor graph construction for generic similarity measures",
//! WWW 2011). It starts from a few trees of random projections (Dasgupta and Freund 2008), whose leaves are compared each
//! with each. Then in every round each vector's neighbours, in both directions, are introduced to each other, those that
//! are new to all and the old ones to the new; it ends when hardly anything changes.
//!
//! What is kept of a vector is the set of the `kept` least by (distance, place) among everything offered, and that does
//! not depend on the order of the offers. So threads may offer in any order, and the result is a function of the seed.
//! More neighbours are kept while it runs than are asked for, which is what lifts the recall.

use rayon::prelude::*;

use super::{Neighbors, Prepared, dot};
use crate::draw::Draw;

/// Vectors of a leaf.
const LEAF: usize = 48;
/// Trees of the forest.
const TREES: u64 = 12;
/// A vector's new neighbours, and as many old ones, that are introduced to each other in a round.
const INTRODUCED: usize = 30;
/// Rounds at most; after six to nine little changes.
const ROUNDS: u64 = 14;
/// It ends when fewer than this share of all neighbours changed in a round.
const SETTLED: f64 = 0.001;
/// Vectors whose introductions are made before the offers are looked at; bounds the memory.
const BLOCK: usize = 8192;
/// Lists are owned by so many hands at most, each with a run of vectors.
const HANDS: usize = 64;

/// A neighbour while it runs.
#[derive(Debug, Clone, Copy)]
struct Entry {
    distance: f32,
    place: u32,
    /// Not yet introduced to the others.
    new: bool,
}

/// The nearest so far of one vector: ascending by (distance, place).
#[derive(Debug, Clone, Default)]
struct List(Vec<Entry>);

impl List {
    /// What an offer has to be below.
    fn bar(&self, kept: usize) -> f32 {
        if self.0.len() < kept { f32::INFINITY } else { self.0[kept - 1].distance }
    }

    /// Takes a neighbour in; whether that changed anything.
    fn offer(&mut self, distance: f32, place: u32, kept: usize) -> bool {
        let before =
            |entry: &Entry| entry.distance.total_cmp(&distance).then(entry.place.cmp(&place)).is_lt();
        let at = self.0.partition_point(before);
        if at == kept || self.0.get(at).is_some_and(|entry| entry.place == place) {
            return false;
        }
        self.0.insert(at, Entry { distance, place, new: true });
        self.0.truncate(kept);
        true
    }
}

/// An offer: to whom, whom, how far.
type Offer = (u32, u32, f32);

pub(super) fn nearest(
    vectors: &Prepared,
    count: usize,
    seed: u64,
    after: &mut dyn FnMut(usize) -> bool,
) -> Option<Neighbors> {
    let n = vectors.len();
    // How many rounds it takes is not known beforehand: a share of the work that can be at most.
    let mut done = 0;
    let mut step = || {
        done += 1;
        after(n * done / (TREES + ROUNDS) as usize)
    };
    let kept = (2 * count).max(30).min(n - 1);
    let mut lists = vec![List(Vec::with_capacity(kept + 1)); n];
    for tree in 0..TREES {
        let leaves = leaves(vectors, seed, tree);
        for some in leaves.chunks(BLOCK / LEAF) {
            let offers = some.par_iter().map(|leaf| within(vectors, &lists, leaf, &[], kept)).collect();
            accept(&mut lists, offers, kept);
        }
        if !step() {
            return None;
        }
    }
    top_up(vectors, &mut lists, kept, seed);
    for round in 0..ROUNDS {
        let (new, old) = introductions(&mut lists, seed, round);
        let mut changed = 0;
        for start in (0..n).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(n);
            let offers =
                block.into_par_iter().map(|v| within(vectors, &lists, &new[v], &old[v], kept)).collect();
            changed += accept(&mut lists, offers, kept);
        }
        if !step() {
            return None;
        }
        if (changed as f64) < SETTLED * (n * kept) as f64 {
            break;
        }
    }
    let mut places = vec![0; n * count];
    let mut distances = vec![0.0; n * count];
    places.par_chunks_mut(count).zip(distances.par_chunks_mut(count)).enumerate().for_each(
        |(vector, (places, distances))| {
            let candidates: Vec<u32> = lists[vector].0.iter().map(|entry| entry.place).collect();
            vectors.finish(vector, &candidates, places, distances);
        },
    );
    Some(Neighbors { count, places, distances })
}

/// All vectors in groups of neighbours: halved by random projections until groups are small.
fn leaves(vectors: &Prepared, seed: u64, tree: u64) -> Vec<Vec<u32>> {
    let all: Vec<u32> = (0..vectors.len() as u32).collect();
    let mut leaves = Vec::new();
    split(vectors, all, seed, &[tree, 1], &mut leaves);
    leaves
}

/// Halves a group by the plane between two of its vectors; a branch's number is its place for the draw.
fn split(vectors: &Prepared, group: Vec<u32>, seed: u64, place: &[u64; 2], leaves: &mut Vec<Vec<u32>>) {
    if group.len() <= LEAF {
        leaves.push(group);
        return;
    }
    let mut draw = Draw::at(seed, place);
    let [a, b] = [0; 2].map(|_| group[draw.below(group.len())] as usize);
    let plane: Vec<f32> = vectors.get(a).iter().zip(vectors.get(b)).map(|(x, y)| x - y).collect();
    let side = |vector: u32| dot(&plane, vectors.get(vector as usize));
    let mut measured: Vec<(f32, u32)> = group.par_iter().map(|vector| (side(*vector), *vector)).collect();
    // At the median, so that a tree is never deep, not even where many vectors are the same.
    let middle = measured.len() / 2;
    measured.select_nth_unstable_by(middle, |x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
    let half = |range: &[(f32, u32)]| -> Vec<u32> { range.iter().map(|(_, vector)| *vector).collect() };
    let (below, above) = (half(&measured[..middle]), half(&measured[middle..]));
    drop(measured);
    split(vectors, below, seed, &[place[0], 2 * place[1]], leaves);
    split(vectors, above, seed, &[place[0], 2 * place[1] + 1], leaves);
}

/// Offers between all pairs of `new`, and between each of `new` and each of `old`, that would change a list.
fn within(vectors: &Prepared, lists: &[List], new: &[u32], old: &[u32], kept: usize) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (at, &a) in new.iter().enumerate() {
        for &b in new[at + 1..].iter().chain(old) {
            if a == b {
                continue;
            }
            let distance = vectors.rough(a.min(b) as usize, a.max(b) as usize);
            for (to, whom) in [(a, b), (b, a)] {
                if distance <= lists[to as usize].bar(kept) {
                    offers.push((to, whom, distance));
                }
            }
        }
    }
    offers
}

/// Gives the offers to the lists they are for; how many were taken.
fn accept(lists: &mut [List], offers: Vec<Vec<Offer>>, kept: usize) -> usize {
    let span = lists.len().div_ceil(HANDS).max(1);
    // First sorted by hand, so that each looks only at its own.
    let mut sorted: Vec<Vec<Offer>> = vec![Vec::new(); HANDS];
    for offer in offers.into_iter().flatten() {
        sorted[offer.0 as usize / span].push(offer);
    }
    let hands = lists.par_chunks_mut(span).zip(sorted).enumerate();
    let taken = hands.map(|(hand, (lists, offers))| {
        let first = hand * span;
        let take = |(to, whom, distance): Offer| lists[to as usize - first].offer(distance, whom, kept);
        offers.into_iter().map(take).filter(|taken| *taken).count()
    });
    taken.sum()
}

/// Fills lists that the forest left short with random others.
fn top_up(vectors: &Prepared, lists: &mut [List], kept: usize, seed: u64) {
    let n = vectors.len();
    lists.par_iter_mut().enumerate().for_each(|(vector, list)| {
        let mut draw = Draw::at(seed, &[u64::MAX, vector as u64]);
        while list.0.len() < kept {
            let other = draw.below(n);
            if other != vector {
                let distance = vectors.rough(vector.min(other), vector.max(other));
                list.offer(distance, other as u32, kept);
            }
        }
    });
}

/// For each vector, the new and the old neighbours (in both directions) to be introduced to each other in this round.
///
/// A vector that is near to many would be introduced to all of them: a random choice is made, by a number that each pair
/// has in a round. What is chosen is not new any more.
fn introductions(lists: &mut [List], seed: u64, round: u64) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let n = lists.len();
    let lot = |a: u32, b: u32| Draw::at(seed, &[round, u64::from(a) << 32 | u64::from(b)]).bits();
    let mut chosen: [Vec<Vec<(u64, u32)>>; 2] = [vec![Vec::new(); n], vec![Vec::new(); n]];
    for (vector, list) in lists.iter().enumerate() {
        for entry in &list.0 {
            let kind = usize::from(!entry.new);
            let lot = lot(vector as u32, entry.place);
            chosen[kind][vector].push((lot, entry.place));
            chosen[kind][entry.place as usize].push((lot, vector as u32));
        }
    }
    let [new, old] = chosen.map(|kind| -> Vec<Vec<u32>> {
        let cut = |mut list: Vec<(u64, u32)>| {
            list.sort_unstable();
            list.truncate(INTRODUCED);
            let mut places: Vec<u32> = list.into_iter().map(|(_, place)| place).collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        kind.into_par_iter().map(cut).collect()
    });
    lists.par_iter_mut().enumerate().for_each(|(vector, list)| {
        for entry in &mut list.0 {
            entry.new &= new[vector].binary_search(&entry.place).is_err();
        }
    });
    (new, old)
}
