//! Refinement: communities taken apart, and their nodes merged again with what they are well connected to.
//!
//! Within a community S a set C is well connected if the weight between C and the rest of S is at least what the penalty
//! asks for. A node that is still alone, and well connected, joins such a set that it has an edge to and to which it adds
//! nothing negative, at random: with a probability in proportion to exp(what it adds / θ), staying alone among the choices.

use super::graph::Graph;
use crate::draw::Draw;

/// How random the choice is, in units of the mean weight of an edge; the paper's 0.01.
const RANDOMNESS: f64 = 0.01;

/// The set of each node, numbered from 0, and how many sets there are.
pub(super) fn refine(
    graph: &Graph,
    communities: &[u32],
    count: usize,
    penalty: f64,
    draw: &mut Draw,
) -> (Vec<u32>, usize) {
    let n = graph.len();
    let masses = graph.masses();
    let theta = RANDOMNESS * graph.weight() / graph.edge_count().max(1) as f64;
    let mut totals = vec![0.0; count];
    for (node, community) in communities.iter().enumerate() {
        totals[*community as usize] += masses[node];
    }
    // At first every node is a set of its own, under its own number.
    let mut set: Vec<u32> = (0..n as u32).collect();
    let mut sums = masses.to_vec();
    let mut alone = vec![true; n];
    // The weight between a set and the rest of its community.
    let mut outward: Vec<f64> = (0..n)
        .map(|node| {
            graph
                .edges(node)
                .filter(|(other, _)| communities[*other] == communities[node])
                .map(|(_, weight)| weight)
                .sum()
        })
        .collect();
    let well_connected = |set: usize, sums: &[f64], outward: &[f64], community: usize| {
        outward[set] >= penalty * sums[set] * (totals[community] - sums[set])
    };

    let mut order: Vec<u32> = (0..n as u32).collect();
    draw.shuffle(&mut order);
    let mut to = vec![0.0; n];
    let mut met: Vec<u32> = Vec::new();
    let mut choices: Vec<(u32, f64)> = Vec::new();
    for node in order {
        let node = node as usize;
        let community = communities[node] as usize;
        if !alone[node] || !well_connected(node, &sums, &outward, community) {
            continue;
        }
        for (other, weight) in graph.edges(node) {
            if communities[other] as usize == community {
                let other = set[other];
                if to[other as usize] == 0.0 {
                    met.push(other);
                }
                to[other as usize] += weight;
            }
        }
        choices.clear();
        choices.push((node as u32, 0.0));
        for &other in &met {
            let adds = to[other as usize] - penalty * masses[node] * sums[other as usize];
            if adds >= 0.0 && well_connected(other as usize, &sums, &outward, community) {
                choices.push((other, adds));
            }
        }
        let chosen = choose(&choices, theta, draw);
        if chosen as usize != node {
            let joined = to[chosen as usize];
            outward[chosen as usize] += outward[node] - 2.0 * joined;
            sums[chosen as usize] += masses[node];
            (sums[node], outward[node]) = (0.0, 0.0);
            set[node] = chosen;
            alone[chosen as usize] = false;
        }
        met.drain(..).for_each(|other| to[other as usize] = 0.0);
    }
    numbered(set)
}

/// One of the choices, with a probability in proportion to exp(its worth / θ).
fn choose(choices: &[(u32, f64)], theta: f64, draw: &mut Draw) -> u32 {
    let most = choices.iter().map(|(_, worth)| *worth).fold(f64::NEG_INFINITY, f64::max);
    let share = |worth: f64| if theta > 0.0 { ((worth - most) / theta).exp() } else { 1.0 };
    let mut left = draw.uniform() * choices.iter().map(|(_, worth)| share(*worth)).sum::<f64>();
    for (choice, worth) in choices {
        left -= share(*worth);
        if left < 0.0 {
            return *choice;
        }
    }
    // Rounding can leave a rest: then it is the last, which has a share of it.
    choices.last().map_or(0, |(choice, _)| *choice)
}

fn numbered(mut set: Vec<u32>) -> (Vec<u32>, usize) {
    let mut numbers = vec![u32::MAX; set.len()];
    let mut next = 0;
    for set in &mut set {
        let number = &mut numbers[*set as usize];
        if *number == u32::MAX {
            *number = next;
            next += 1;
        }
        *set = *number;
    }
    (set, next as usize)
}
