//! Communities of a graph by the Leiden algorithm.
//!
//! Traag, Waltman and van Eck: "From Louvain to Leiden: guaranteeing well-connected communities", Scientific Reports 9,
//! 2019. An iteration goes over three steps, from the graph to smaller and smaller ones, until every community is one
//! node:
//!
//! 1. nodes move to the community where they add most, in a queue: who moves calls the neighbours outside (`moving.rs`);
//! 2. each community is taken apart into its nodes, which merge again, at random, the better the likelier, and only with
//!    what they are well connected to (`refine.rs`). What does not hang together comes apart here;
//! 3. what merged becomes a node, and these nodes start in the communities of step 1 (`graph.rs`).
//!
//! Iterations go on until one improves nothing. Every community is connected.
//!
//! Two qualities, both with a resolution γ (the higher, the smaller the communities), A a matrix of weights:
//!
//! - *modularity* (Newman and Girvan 2004; Reichardt and Bornholdt 2006):
//!   Q = 1/2m Σᵢⱼ (Aᵢⱼ − γ kᵢkⱼ/2m) over pairs in one community, k the sums of weights at the nodes and 2m their sum;
//! - *constant Potts model* (Traag, Van Dooren and Nesterov 2011): Σ over communities of (weight inside − γ n(n−1)/2).

mod graph;
mod moving;
mod refine;

use rayon::prelude::*;

pub use graph::Graph;

use crate::draw::Draw;
use moving::move_nodes;
use refine::refine;

/// Improvements below this share of the graph's weight are rounding.
const ROUNDING: f64 = 1e-12;

/// What a good division is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// More weight inside than the nodes' sums of weights let expect.
    Modularity,
    /// More weight inside than γ for each pair of nodes.
    ConstantPotts,
}

/// What is looked for, and how hard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leiden {
    /// What is maximised.
    pub quality: Quality,
    /// γ.
    pub resolution: f64,
    /// Independent runs, of which the best is taken; more than one helps on small graphs.
    pub runs: u64,
    /// Chooses the order of nodes and the random merges.
    pub seed: u64,
}

impl Default for Leiden {
    fn default() -> Self {
        Self { quality: Quality::Modularity, resolution: 1.0, runs: 1, seed: 0 }
    }
}

impl Leiden {
    /// The community of each node. Community 0 is the largest; of equals the one whose first node comes first.
    pub fn communities(&self, graph: &Graph) -> Vec<u32> {
        self.communities_unless(graph, &|| false).unwrap_or_default()
    }

    /// As [`Self::communities`]; `None` where `stop` said so, which is asked before every iteration.
    pub fn communities_unless(&self, graph: &Graph, stop: &(dyn Fn() -> bool + Sync)) -> Option<Vec<u32>> {
        let run = |run: u64| {
            let communities = self.run(graph, run, stop)?;
            Some((self.measure(graph, &communities), communities))
        };
        let runs: Option<Vec<(f64, Vec<u32>)>> = (0..self.runs.max(1)).into_par_iter().map(run).collect();
        // The first of the best, so that the order in which threads finish does not matter.
        let best = runs?.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best });
        Some(by_size(best.map(|(_, communities)| communities).unwrap_or_default()))
    }

    /// How good a division of the graph is.
    pub fn measure(&self, graph: &Graph, communities: &[u32]) -> f64 {
        match self.quality {
            Quality::Modularity => modularity(graph, communities, self.resolution),
            Quality::ConstantPotts => {
                let (inside, sizes) = inside(graph, communities, &vec![1.0; graph.len()]);
                let pairs: f64 = sizes.iter().map(|n| n * (n - 1.0) / 2.0).sum();
                inside - self.resolution * pairs
            }
        }
    }

    fn run(&self, graph: &Graph, run: u64, stop: &(dyn Fn() -> bool + Sync)) -> Option<Vec<u32>> {
        // Both qualities are Σ (weight inside − penalty · W²/2), W the sum of the nodes' masses, but for a constant.
        let (level, penalty) = match self.quality {
            Quality::Modularity => {
                let strengths = graph.strengths();
                let total: f64 = strengths.iter().sum();
                let penalty = if total > 0.0 { self.resolution / total } else { 0.0 };
                (graph.clone().with_masses(strengths), penalty)
            }
            Quality::ConstantPotts => (graph.clone().with_masses(vec![1.0; graph.len()]), self.resolution),
        };
        let mut communities: Vec<u32> = (0..level.len() as u32).collect();
        let mut quality = penalised(&level, &communities, penalty);
        for iteration in 0.. {
            if stop() {
                return None;
            }
            let mut draw = Draw::at(self.seed, &[run, iteration]);
            let next = iterate(&level, communities.clone(), penalty, &mut draw);
            let reached = penalised(&level, &next, penalty);
            let improved = reached - quality > ROUNDING * level.weight();
            if improved || iteration == 0 {
                (communities, quality) = (next, reached);
            }
            if !improved {
                break;
            }
        }
        Some(communities)
    }
}

/// One pass from the graph to the coarsest one and back.
fn iterate(graph: &Graph, mut communities: Vec<u32>, penalty: f64, draw: &mut Draw) -> Vec<u32> {
    // For each node of the whole graph, the node that it is part of on this level.
    let mut part: Vec<u32> = (0..graph.len() as u32).collect();
    let mut coarse: Option<Graph> = None;
    loop {
        let level = coarse.as_ref().unwrap_or(graph);
        let count = move_nodes(level, &mut communities, penalty, draw);
        if count == level.len() {
            // Each community is one node of this level, which is connected.
            return part.into_iter().map(|node| communities[node as usize]).collect();
        }
        let (mut merged, mut parts) = refine(level, &communities, count, penalty, draw);
        if parts == level.len() {
            // Nothing merged: the connected pieces of the communities are taken as they are.
            (merged, parts) = level.pieces(&communities);
            if parts == level.len() {
                return part.into_iter().map(|node| merged[node as usize]).collect();
            }
        }
        let mut above = vec![0; parts];
        for (node, piece) in merged.iter().enumerate() {
            above[*piece as usize] = communities[node];
        }
        let next = level.merged(&merged, parts);
        part.iter_mut().for_each(|node| *node = merged[*node as usize]);
        (communities, coarse) = (above, Some(next));
    }
}

/// Modularity with a resolution, of any division.
pub fn modularity(graph: &Graph, communities: &[u32], resolution: f64) -> f64 {
    let strengths = graph.strengths();
    let total: f64 = strengths.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let (inside, sums) = inside(graph, communities, &strengths);
    let expected: f64 = sums.iter().map(|sum| sum * sum / total).sum();
    (2.0 * inside - resolution * expected) / total
}

/// The weight inside communities, and the sum of the nodes' masses of each.
fn inside(graph: &Graph, communities: &[u32], masses: &[f64]) -> (f64, Vec<f64>) {
    let count = communities.iter().max().map_or(0, |most| *most as usize + 1);
    let mut sums = vec![0.0; count];
    let mut weight = 0.0;
    for node in 0..graph.len() {
        let own = communities[node];
        sums[own as usize] += masses[node];
        // Every edge is met from both ends.
        weight += graph.own_weight(node)
            + graph
                .edges(node)
                .filter(|(other, _)| communities[*other] == own)
                .map(|(_, w)| w / 2.0)
                .sum::<f64>();
    }
    (weight, sums)
}

fn penalised(graph: &Graph, communities: &[u32], penalty: f64) -> f64 {
    let (inside, sums) = inside(graph, communities, graph.masses());
    inside - penalty / 2.0 * sums.iter().map(|sum| sum * sum).sum::<f64>()
}

/// Numbers communities by size, the largest first; of equals the one whose first item comes first.
pub fn by_size(mut communities: Vec<u32>) -> Vec<u32> {
    let count = communities.iter().max().map_or(0, |most| *most as usize + 1);
    let mut sizes = vec![(0usize, usize::MAX); count];
    for (item, community) in communities.iter().enumerate() {
        let (size, first) = &mut sizes[*community as usize];
        *size += 1;
        *first = (*first).min(item);
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|community| (usize::MAX - sizes[*community].0, sizes[*community].1));
    let mut number = vec![0; count];
    order.iter().enumerate().for_each(|(rank, community)| number[*community] = rank as u32);
    communities.iter_mut().for_each(|community| *community = number[*community as usize]);
    communities
}

#[cfg(test)]
mod tests;
