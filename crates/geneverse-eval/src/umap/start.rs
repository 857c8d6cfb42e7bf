//! Where points are before they move.
//!
//! A graph whose parts all hang together is laid out by its second and third eigenvector. Where one part has at least half
//! of the points, it is, and each other part is put, small, at the place of the vector of the large part that is nearest to
//! its centre, from where it is pushed to the side. Where no part is that large, all points have the first two principal
//! coordinates of their vectors.

use rayon::prelude::*;

use super::spectral;
use crate::draw::Draw;
use crate::leiden::Graph;
use crate::neighbors::Vectors;
use crate::sparse::Sparse;
use crate::svd::{Effort, truncated};

/// The side of the square that points start in.
const SIDE: f64 = 10.0;
/// The side of a small part, which is also how much chance is added to principal coordinates.
const SMALL: f64 = 0.2;
/// How much chance is added to every place, lest equal points stay equal.
const NOISE: f64 = 1e-3;
/// Fewer nodes than this have no eigenvectors worth looking at.
const FEWEST: usize = 5;

/// The first place of each node.
pub(super) fn start(graph: &Sparse, vectors: Vectors<'_>, seed: u64) -> Vec<[f32; 2]> {
    let n = graph.height();
    let pairs = Graph::new(n, edges(graph));
    let (part, parts) = pairs.pieces(&vec![0; n]);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); parts];
    part.iter().enumerate().for_each(|(node, part)| members[*part as usize].push(node as u32));
    let largest = (0..parts).max_by_key(|part| (members[*part].len(), parts - part));
    let places: Vec<[f64; 2]> = match largest.map(|part| &members[part]) {
        Some(large) if 2 * large.len() >= n && large.len() >= FEWEST => {
            let mut places = vec![[0.0; 2]; n];
            let eigenvectors = spectral::eigenvectors(&within(graph, large), 2, seed);
            let own: Vec<[f64; 2]> = squared(eigenvectors.chunks(2).map(|v| [v[0], v[1]]).collect());
            large.iter().zip(own).for_each(|(node, place)| places[*node as usize] = place);
            let others: Vec<&Vec<u32>> = members.iter().filter(|part| !std::ptr::eq(*part, large)).collect();
            let hosts: Vec<u32> = others.par_iter().map(|part| host(vectors, part, large)).collect();
            for (part, host) in others.iter().zip(hosts) {
                let [x, y] = places[host as usize];
                for node in *part {
                    let mut draw = Draw::at(seed, &[1, u64::from(*node)]);
                    let [dx, dy] = [0; 2].map(|_| SMALL * (draw.uniform() - 0.5));
                    places[*node as usize] = [x + dx, y + dy];
                }
            }
            places
        }
        _ => {
            let mut places = squared(principal(vectors, seed));
            for (node, place) in places.iter_mut().enumerate() {
                let mut draw = Draw::at(seed, &[1, node as u64]);
                place.iter_mut().for_each(|x| *x += SMALL * (draw.uniform() - 0.5));
            }
            places
        }
    };
    let noisy = |(node, place): (usize, &[f64; 2])| {
        let mut draw = Draw::at(seed, &[2, node as u64]);
        place.map(|x| (x + NOISE * draw.normal()) as f32)
    };
    places.iter().enumerate().map(noisy).collect()
}

/// Each pair of a symmetric matrix once.
pub(crate) fn edges(graph: &Sparse) -> impl Iterator<Item = (u32, u32, f64)> + '_ {
    (0..graph.height()).flat_map(|node| {
        graph
            .row(node)
            .filter(move |(to, _)| (*to as usize) > node)
            .map(move |(to, weight)| (node as u32, to, weight))
    })
}

/// The graph of some of the nodes, which are in ascending order.
fn within(graph: &Sparse, nodes: &[u32]) -> Sparse {
    let mut number = vec![u32::MAX; graph.height()];
    nodes.iter().enumerate().for_each(|(place, node)| number[*node as usize] = place as u32);
    let row = |node: &u32| -> Vec<(u32, f64)> {
        graph
            .row(*node as usize)
            .map(|(to, weight)| (number[to as usize], weight))
            .filter(|(to, _)| *to != u32::MAX)
            .collect()
    };
    let rows: Vec<Vec<(u32, f64)>> = nodes.iter().map(row).collect();
    Sparse::from_rows(nodes.len(), &rows)
}

/// The node of `large` whose vector is nearest in direction to the mean of a part's.
fn host(vectors: Vectors<'_>, part: &[u32], large: &[u32]) -> u32 {
    let mut centre = vec![0.0f32; vectors.dimensions()];
    for node in part {
        centre.iter_mut().zip(vectors.get(*node as usize)).for_each(|(sum, x)| *sum += x);
    }
    let alike = |node: u32| {
        let vector = vectors.get(node as usize);
        let product: f32 = vector.iter().zip(&centre).map(|(x, c)| x * c).sum();
        let length: f32 = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 { product / length } else { 0.0 }
    };
    let best = large.iter().map(|node| (alike(*node), *node));
    best.reduce(|best, next| if next.0 > best.0 { next } else { best }).map_or(0, |(_, node)| node)
}

/// The first two principal coordinates.
fn principal(vectors: Vectors<'_>, seed: u64) -> Vec<[f64; 2]> {
    let (n, dimensions) = (vectors.len(), vectors.dimensions());
    let mut mean = vec![0.0; dimensions];
    for vector in 0..n {
        mean.iter_mut().zip(vectors.get(vector)).for_each(|(sum, x)| *sum += f64::from(*x) / n as f64);
    }
    let row = |vector: usize| -> Vec<(u32, f64)> {
        let numbers = vectors.get(vector).iter().zip(&mean).enumerate();
        numbers.map(|(place, (x, mean))| (place as u32, f64::from(*x) - mean)).collect()
    };
    let rows: Vec<Vec<(u32, f64)>> = (0..n).map(row).collect();
    let svd = truncated(&Sparse::from_rows(dimensions, &rows), 2, Effort { seed, ..Effort::default() });
    let rank = svd.values.len();
    if rank == 0 {
        return vec![[0.0; 2]; n];
    }
    svd.scores().chunks(rank).map(|s| [s[0], s.get(1).copied().unwrap_or(0.0)]).collect()
}

/// Places stretched, each coordinate by itself, over the square.
fn squared(mut places: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    for axis in 0..2 {
        let (low, high) = places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place[axis]), high.max(place[axis]))
        });
        let scale = if high > low { SIDE / (high - low) } else { 0.0 };
        places.iter_mut().for_each(|place| place[axis] = (place[axis] - low) * scale);
    }
    places
}
