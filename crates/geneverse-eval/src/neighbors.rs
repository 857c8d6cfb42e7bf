//! The nearest neighbours of every vector among all others.
//!
//! | method | how | for |
//! |---|---|---|
//! | exact | products of blocks of vectors, the best kept | up to [`EXACT_UP_TO`] vectors |
//! | approximate | NN-descent from a forest of random projections (`descent.rs`) | more |
//!
//! Distances of the neighbours kept are computed once more in f64, number by number, and neighbours are in the order of
//! distance, then of place. So of many vectors that are equal, each has the same first ones as its neighbours: they hang
//! together, which a ring of nearest places would not.

mod descent;
mod exact;

use std::collections::BTreeSet;

use rayon::prelude::*;

/// So many vectors are still compared each with each: it takes seconds and misses nothing.
pub const EXACT_UP_TO: usize = 40_000;

/// What far means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// One minus the cosine of the angle. A zero vector is 1 from all but other zero vectors.
    Cosine,
    /// The length of the difference.
    Euclidean,
}

/// How neighbours are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Exact up to [`EXACT_UP_TO`] vectors, approximate beyond.
    Auto,
    /// Every pair is compared.
    Exact,
    /// NN-descent, with a seed.
    Approximate,
}

/// Vectors of equal length, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    values: &'a [f32],
    dimensions: usize,
}

impl<'a> Vectors<'a> {
    /// Vectors of `dimensions` numbers each; what is left over at the end is ignored.
    pub fn new(values: &'a [f32], dimensions: usize) -> Self {
        let whole = values.len().checked_div(dimensions).unwrap_or(0) * dimensions;
        Self { values: &values[..whole], dimensions }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.values.len().checked_div(self.dimensions).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// Numbers of a vector.
    pub fn dimensions(self) -> usize {
        self.dimensions
    }

    /// One of them.
    pub fn get(self, place: usize) -> &'a [f32] {
        &self.values[place * self.dimensions..(place + 1) * self.dimensions]
    }

    /// All numbers, one vector after the other.
    pub fn values(self) -> &'a [f32] {
        self.values
    }
}

/// The nearest others of each vector: the same number for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    /// How many each has.
    pub count: usize,
    /// Places of the neighbours, nearest first: (vectors, count).
    pub places: Vec<u32>,
    /// Their distances.
    pub distances: Vec<f32>,
}

impl Neighbors {
    /// How many vectors have neighbours.
    pub fn len(&self) -> usize {
        self.places.len().checked_div(self.count).unwrap_or(0)
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Places and distances of one vector's neighbours.
    pub fn of(&self, vector: usize) -> (&[u32], &[f32]) {
        let range = vector * self.count..(vector + 1) * self.count;
        (&self.places[range.clone()], &self.distances[range])
    }

    /// The share of `exact`'s neighbours that are here too.
    pub fn recall(&self, exact: &Self) -> f64 {
        let shared = |vector: usize| {
            let found: BTreeSet<u32> = self.of(vector).0.iter().copied().collect();
            exact.of(vector).0.iter().filter(|place| found.contains(place)).count()
        };
        let all: usize = (0..exact.len()).map(shared).sum();
        all as f64 / exact.places.len().max(1) as f64
    }
}

/// The `count` nearest others of every vector, or all others where there are fewer. The seed matters only to the
/// approximate method.
pub fn nearest(vectors: Vectors<'_>, count: usize, metric: Metric, method: Method, seed: u64) -> Neighbors {
    // Nothing ends it early, so there is a result.
    let nothing = Neighbors { count: 0, places: Vec::new(), distances: Vec::new() };
    nearest_watched(vectors, count, metric, method, seed, &mut |_| true).unwrap_or(nothing)
}

/// As [`nearest`]; `after` is told now and then how many vectors are done, and ends the work by returning false.
pub fn nearest_watched(
    vectors: Vectors<'_>,
    count: usize,
    metric: Metric,
    method: Method,
    seed: u64,
    after: &mut dyn FnMut(usize) -> bool,
) -> Option<Neighbors> {
    let count = count.min(vectors.len().saturating_sub(1));
    if count == 0 {
        return Some(Neighbors { count, places: Vec::new(), distances: Vec::new() });
    }
    let prepared = Prepared::new(vectors, metric);
    match method {
        Method::Exact => exact::nearest(&prepared, count, after),
        Method::Approximate => descent::nearest(&prepared, count, seed, after),
        Method::Auto if vectors.len() <= EXACT_UP_TO => exact::nearest(&prepared, count, after),
        Method::Auto => descent::nearest(&prepared, count, seed, after),
    }
}

/// Vectors as they are compared: for the cosine each has length 1.
///
/// Between vectors of length 1 the squared distance is twice the cosine distance, so that both metrics have one order.
struct Prepared {
    values: Vec<f32>,
    dimensions: usize,
    /// Half of each vector's squared length.
    halves: Vec<f32>,
    metric: Metric,
}

impl Prepared {
    fn new(vectors: Vectors<'_>, metric: Metric) -> Self {
        let lengths: Vec<f64> =
            vectors.values().par_chunks(vectors.dimensions()).map(|v| squared(v).sqrt()).collect();
        // Zero vectors share a direction of their own, at right angles to every other.
        let apart = metric == Metric::Cosine && lengths.contains(&0.0);
        let dimensions = vectors.dimensions() + usize::from(apart);
        let mut values = vec![0.0; lengths.len() * dimensions];
        values.par_chunks_mut(dimensions).zip(&lengths).enumerate().for_each(|(place, (vector, length))| {
            let (vector, direction) = vector.split_at_mut(vectors.dimensions());
            vector.copy_from_slice(vectors.get(place));
            match metric {
                Metric::Euclidean => {}
                Metric::Cosine if *length > 0.0 => {
                    vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
                }
                Metric::Cosine => direction.fill(1.0),
            }
        });
        let halves = values.par_chunks(dimensions).map(|vector| (squared(vector) / 2.0) as f32).collect();
        Self { values, dimensions, halves, metric }
    }

    fn len(&self) -> usize {
        self.halves.len()
    }

    fn get(&self, place: usize) -> &[f32] {
        &self.values[place * self.dimensions..(place + 1) * self.dimensions]
    }

    /// Half the squared distance, as precisely as f32 products give it; its order is that of either metric.
    fn rough(&self, a: usize, b: usize) -> f32 {
        self.halves[a] + self.halves[b] - dot(self.get(a), self.get(b))
    }

    /// The distance in the metric, from differences in f64.
    fn exact(&self, a: usize, b: usize) -> f64 {
        let (x, y) = (self.get(a), self.get(b));
        let sum: f64 = x.iter().zip(y).map(|(x, y)| f64::from(x - y) * f64::from(x - y)).sum();
        match self.metric {
            Metric::Euclidean => sum.sqrt(),
            Metric::Cosine => sum / 2.0,
        }
    }

    /// The `count` nearest of some candidates, by exact distance and then by place, written into one row.
    fn finish(&self, vector: usize, candidates: &[u32], places: &mut [u32], distances: &mut [f32]) {
        let mut measured: Vec<(f64, u32)> = candidates
            .iter()
            .filter(|place| **place as usize != vector)
            .map(|place| (self.exact(vector, *place as usize), *place))
            .collect();
        measured.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for ((distance, place), (p, d)) in measured.iter().zip(places.iter_mut().zip(distances)) {
            (*p, *d) = (*place, *distance as f32);
        }
    }
}

fn squared(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

/// A product of vectors in sixteen sums, which the compiler puts side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_pieces, b_pieces) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_pieces.remainder().iter().zip(b_pieces.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_pieces.zip(b_pieces) {
        for lane in 0..16 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
