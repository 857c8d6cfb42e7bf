//! Neighbours as a fuzzy set: how much each point's neighbours belong to it.
//!
//! The membership of a neighbour at distance d is exp(−max(0, d − ρ)/σ), ρ the distance to the nearest that is not at the
//! same place, σ such that a point's memberships sum to log₂ k, k its neighbours with itself. The memberships p and q that
//! two points have in each other become p + q − pq, the probability that one of them holds.

use rayon::prelude::*;

use crate::neighbors::Neighbors;
use crate::sparse::Sparse;

/// The sum of memberships comes this near to what it should be.
const TOLERANCE: f64 = 1e-5;
/// σ is at least this share of the mean distance.
const LEAST_SHARE: f64 = 1e-3;
/// Halvings at most.
const HALVINGS: usize = 64;

/// ρ and σ of every point.
#[derive(Debug, Clone, PartialEq)]
pub struct Scales {
    /// The distance to the nearest other that is not at the same place.
    pub rho: Vec<f64>,
    /// How fast membership falls.
    pub sigma: Vec<f64>,
}

/// The scales of points from the distances to their neighbours.
pub fn scales(neighbors: &Neighbors) -> Scales {
    // umap-learn counts a point, at distance 0, among its neighbours, also in the means.
    let counted = neighbors.count as f64 + 1.0;
    let sum = |distances: &[f32]| distances.iter().map(|d| f64::from(*d)).sum::<f64>();
    let sums: Vec<f64> = neighbors.distances.par_chunks(neighbors.count.max(1)).map(sum).collect();
    let mean = sums.iter().sum::<f64>() / (counted * neighbors.len().max(1) as f64);
    let one = |point: usize| {
        let distances = neighbors.of(point).1;
        let rho = distances.iter().find(|d| **d > 0.0).map_or(0.0, |d| f64::from(*d));
        let sigma = sigma(distances, rho, counted.log2());
        let least = LEAST_SHARE * if rho > 0.0 { sums[point] / counted } else { mean };
        (rho, sigma.max(least))
    };
    let (rho, sigma) = (0..neighbors.len()).into_par_iter().map(one).unzip();
    Scales { rho, sigma }
}

/// σ by halving: the memberships' sum rises with it.
fn sigma(distances: &[f32], rho: f64, target: f64) -> f64 {
    let (mut low, mut high, mut middle) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..HALVINGS {
        let sum: f64 = distances.iter().map(|d| membership(f64::from(*d), rho, middle)).sum();
        if (sum - target).abs() < TOLERANCE {
            break;
        }
        if sum > target {
            high = middle;
            middle = f64::midpoint(low, high);
        } else {
            low = middle;
            middle = if high.is_infinite() { middle * 2.0 } else { f64::midpoint(low, high) };
        }
    }
    middle
}

fn membership(distance: f64, rho: f64, sigma: f64) -> f64 {
    let beyond = distance - rho;
    if beyond <= 0.0 || sigma == 0.0 { 1.0 } else { (-beyond / sigma).exp() }
}

/// The fuzzy graph: symmetric, weights in (0, 1], nothing on the diagonal.
pub fn graph(neighbors: &Neighbors) -> Sparse {
    let scales = scales(neighbors);
    let n = neighbors.len();
    let row = |point: usize| -> Vec<(u32, f64)> {
        let (places, distances) = neighbors.of(point);
        let (rho, sigma) = (scales.rho[point], scales.sigma[point]);
        let weights = distances.iter().map(|d| membership(f64::from(*d), rho, sigma));
        let mut row: Vec<(u32, f64)> = places.iter().copied().zip(weights).collect();
        row.sort_unstable_by_key(|(place, _)| *place);
        row
    };
    let rows: Vec<Vec<(u32, f64)>> = (0..n).into_par_iter().map(row).collect();
    let directed = Sparse::from_rows(n, &rows);
    let turned = directed.transposed();
    let rows: Vec<Vec<(u32, f64)>> =
        (0..n).into_par_iter().map(|point| joined(directed.row(point), turned.row(point))).collect();
    Sparse::from_rows(n, &rows)
}

/// p + q − pq of two rows.
fn joined(one: impl Iterator<Item = (u32, f64)>, other: impl Iterator<Item = (u32, f64)>) -> Vec<(u32, f64)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    let mut row = Vec::new();
    loop {
        let place = match (one.peek(), other.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((place, _)), None) | (None, Some((place, _))) => *place,
            (None, None) => return row,
        };
        let p = one.next_if(|(at, _)| *at == place).map_or(0.0, |(_, p)| p);
        let q = other.next_if(|(at, _)| *at == place).map_or(0.0, |(_, q)| q);
        let weight = p + q - p * q;
        // What is too far to be told from nothing in umap-learn's f32 is no edge there either.
        if weight as f32 > 0.0 {
            row.push((place, weight));
        }
    }
}
