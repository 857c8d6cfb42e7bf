//! Fast local moving: each node goes where it adds most, until none wants to move.
//!
//! Nodes wait in a queue, at first all of them in random order. One that moves puts its neighbours that are not in its new
//! community, and not waiting already, at the end.

use std::collections::VecDeque;

use super::graph::Graph;
use crate::draw::Draw;

/// A move has to add more than this share of what staying is worth, lest rounding moves nodes to and fro.
const LEAST: f64 = 1e-10;

/// Moves nodes between communities and numbers those that are left from 0; returns how many there are.
pub(super) fn move_nodes(graph: &Graph, communities: &mut [u32], penalty: f64, draw: &mut Draw) -> usize {
    let n = graph.len();
    let masses = graph.masses();
    let mut sums = vec![0.0; n];
    let mut sizes = vec![0u32; n];
    for (node, community) in communities.iter().enumerate() {
        sums[*community as usize] += masses[node];
        sizes[*community as usize] += 1;
    }
    let mut empty: Vec<u32> = (0..n as u32).rev().filter(|c| sizes[*c as usize] == 0).collect();

    let mut order: Vec<u32> = (0..n as u32).collect();
    draw.shuffle(&mut order);
    let mut queue: VecDeque<u32> = order.into();
    let mut waiting = vec![true; n];
    // The weight from the node at hand to each community, and those to which there is any.
    let mut to = vec![0.0; n];
    let mut met: Vec<u32> = Vec::new();
    while let Some(node) = queue.pop_front() {
        let node = node as usize;
        waiting[node] = false;
        let own = communities[node];
        for (other, weight) in graph.edges(node) {
            let community = communities[other];
            if to[community as usize] == 0.0 {
                met.push(community);
            }
            to[community as usize] += weight;
        }
        let mass = masses[node];
        let stay = to[own as usize] - penalty * mass * (sums[own as usize] - mass);
        // Alone it is worth nothing, which can be more than staying.
        let (mut best, mut most) = (own, stay);
        let least = LEAST * stay.abs().max(penalty * mass * mass);
        if sizes[own as usize] > 1
            && let Some(alone) = empty.last()
            && 0.0 > most + least
        {
            (best, most) = (*alone, 0.0);
        }
        for community in met.drain(..) {
            let weight = std::mem::take(&mut to[community as usize]);
            if community == own {
                continue;
            }
            let worth = weight - penalty * mass * sums[community as usize];
            if worth > most + least {
                (best, most) = (community, worth);
            }
        }
        if best == own {
            continue;
        }
        if empty.last() == Some(&best) {
            empty.pop();
        }
        sums[own as usize] -= mass;
        sizes[own as usize] -= 1;
        sums[best as usize] += mass;
        sizes[best as usize] += 1;
        communities[node] = best;
        if sizes[own as usize] == 0 {
            sums[own as usize] = 0.0;
            empty.push(own);
        }
        for (other, _) in graph.edges(node) {
            if communities[other] != best && !waiting[other] {
                waiting[other] = true;
                queue.push_back(other as u32);
            }
        }
    }
    number(communities, &sizes)
}

/// Numbers the communities that have nodes from 0.
fn number(communities: &mut [u32], sizes: &[u32]) -> usize {
    let mut next = 0;
    let numbers: Vec<u32> = sizes
        .iter()
        .map(|size| {
            let number = next;
            next += u32::from(*size > 0);
            number
        })
        .collect();
    communities.iter_mut().for_each(|community| *community = numbers[*community as usize]);
    next as usize
}
