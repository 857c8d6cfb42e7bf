//! Leiden on graphs whose best division is known, on planted ones, and on odd ones.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::*;

/// Zachary's karate club (1977): members who meet outside the club, and in how many contexts.
#[rustfmt::skip]
const KARATE: [(u32, u32, u8); 78] = [
    (0, 1, 4), (0, 2, 5), (0, 3, 3), (0, 4, 3), (0, 5, 3), (0, 6, 3), (0, 7, 2), (0, 8, 2), (0, 10, 2),
    (0, 11, 3), (0, 12, 1), (0, 13, 3), (0, 17, 2), (0, 19, 2), (0, 21, 2), (0, 31, 2), (1, 2, 6),
    (1, 3, 3), (1, 7, 4), (1, 13, 5), (1, 17, 1), (1, 19, 2), (1, 21, 2), (1, 30, 2), (2, 3, 3), (2, 7, 4),
    (2, 8, 5), (2, 9, 1), (2, 13, 3), (2, 27, 2), (2, 28, 2), (2, 32, 2), (3, 7, 3), (3, 12, 3), (3, 13, 3),
    (4, 6, 2), (4, 10, 3), (5, 6, 5), (5, 10, 3), (5, 16, 3), (6, 16, 3), (8, 30, 3), (8, 32, 3),
    (8, 33, 4), (9, 33, 2), (13, 33, 3), (14, 32, 3), (14, 33, 2), (15, 32, 3), (15, 33, 4), (18, 32, 1),
    (18, 33, 2), (19, 33, 1), (20, 32, 3), (20, 33, 1), (22, 32, 2), (22, 33, 3), (23, 25, 5), (23, 27, 4),
    (23, 29, 3), (23, 32, 5), (23, 33, 4), (24, 25, 2), (24, 27, 3), (24, 31, 2), (25, 31, 7), (26, 29, 4),
    (26, 33, 2), (27, 33, 4), (28, 31, 2), (28, 33, 2), (29, 32, 4), (29, 33, 2), (30, 32, 3), (30, 33, 3),
    (31, 32, 4), (31, 33, 4), (32, 33, 5),
];

/// Marriages among Florentine families (Padgett 1994).
#[rustfmt::skip]
const FLORENTINE: [(u32, u32); 20] = [
    (0, 8), (8, 2), (8, 11), (8, 14), (8, 1), (8, 12), (4, 10), (4, 13), (4, 2), (10, 13), (10, 3),
    (13, 11), (13, 3), (11, 14), (14, 6), (1, 5), (1, 6), (12, 9), (3, 6), (6, 7),
];

fn karate(weighted: bool) -> Graph {
    Graph::new(34, KARATE.map(|(a, b, weight)| (a, b, if weighted { f64::from(weight) } else { 1.0 })))
}

fn florentine() -> Graph {
    Graph::new(15, FLORENTINE.map(|(a, b)| (a, b, 1.0)))
}

/// Communities that are planted, with a few edges between them.
fn planted(groups: usize, size: usize, seed: u64) -> Graph {
    let mut draw = Draw::at(seed, &[]);
    let n = groups * size;
    let mut edges = Vec::new();
    for node in 0..n {
        for _ in 0..6 {
            let group = node / size;
            let other = if draw.uniform() < 0.8 { group * size + draw.below(size) } else { draw.below(n) };
            edges.push((node as u32, other as u32, 0.2 + draw.uniform()));
        }
    }
    Graph::new(n, edges)
}

fn assert_connected(graph: &Graph, communities: &[u32]) {
    let count = communities.iter().max().map_or(0, |most| *most as usize + 1);
    assert_eq!(graph.pieces(communities).1, count, "a community is in pieces");
}

#[test]
fn reaches_the_known_optimum_of_small_graphs() {
    // The optima of modularity by exhaustive search (igraph's community_optimal_modularity).
    for (graph, optimum, communities) in [
        (karate(false), 0.419_789_612_097_304_4, 4),
        (karate(true), 0.444_903_581_267_217_6, 4),
        (florentine(), 0.398_75, 3),
    ] {
        for seed in 0..5 {
            let found = Leiden { runs: 20, seed, ..Leiden::default() };
            let division = found.communities(&graph);
            let reached = found.measure(&graph, &division);
            assert!((reached - optimum).abs() < 1e-12, "seed {seed}: {reached}, expected {optimum}");
            assert_eq!(division.iter().max(), Some(&(communities - 1)));
            assert_connected(&graph, &division);
        }
    }
}

#[test]
fn constant_potts_is_not_improved_by_any_single_move() {
    let graph = karate(false);
    let leiden =
        |resolution| Leiden { quality: Quality::ConstantPotts, resolution, runs: 20, ..Leiden::default() };
    for resolution in [0.05, 0.2, 0.5] {
        let leiden = leiden(resolution);
        let division = leiden.communities(&graph);
        let reached = leiden.measure(&graph, &division);
        assert_connected(&graph, &division);
        let count = *division.iter().max().unwrap();
        for node in 0..graph.len() {
            for to in 0..=count + 1 {
                let mut moved = division.clone();
                moved[node] = to;
                assert!(leiden.measure(&graph, &moved) <= reached + 1e-9, "{resolution}: {node} to {to}");
            }
        }
    }
    // Nothing said against large communities: one. A penalty above every weight: single nodes.
    let most = |resolution| leiden(resolution).communities(&graph).into_iter().max();
    assert_eq!((most(0.0), most(2.0)), (Some(0), Some(33)));
}

#[test]
fn communities_are_connected_and_planted_ones_are_found() {
    for seed in 0..4 {
        let graph = planted(20, 60, seed);
        let leiden = Leiden { seed, ..Leiden::default() };
        let found = leiden.communities(&graph);
        assert_connected(&graph, &found);
        let planted: Vec<u32> = (0..1200).map(|node| node / 60).collect();
        let (ours, theirs) = (leiden.measure(&graph, &found), leiden.measure(&graph, &planted));
        assert!(ours >= theirs - 1e-9, "{ours}, planted {theirs}");
        for resolution in [0.3, 3.0, 20.0] {
            let leiden = Leiden { resolution, ..leiden };
            assert_connected(&graph, &leiden.communities(&graph));
        }
    }
}

#[test]
fn a_seed_decides_and_threads_do_not() {
    let graph = planted(12, 50, 1);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Leiden { seed: 7, runs: 4, ..Leiden::default() }.communities(&graph))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn odd_graphs_come_out_whole() {
    let leiden = Leiden::default();
    assert!(leiden.communities(&Graph::new(0, [])).is_empty());
    assert_eq!(leiden.communities(&Graph::new(3, [])), [0, 1, 2]);
    // An edge to itself, one said twice, one of no weight, one to nowhere, one that is no number.
    let edges = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 2.0), (2, 3, 0.0), (1, 9, 5.0), (2, 3, f64::NAN)];
    let graph = Graph::new(4, edges);
    assert_eq!((graph.edge_count(), graph.weight()), (1, 4.0));
    assert_eq!(graph.strengths(), [5.0, 3.0, 0.0, 0.0]);
    assert_eq!(leiden.communities(&graph), [0, 0, 1, 2]);
    assert_eq!(by_size(vec![5, 2, 2, 5, 0]), [0, 1, 1, 0, 2]);
}

/// `reference.json` of the shared data.
#[derive(Deserialize)]
struct References {
    graphs: HashMap<String, Reference>,
}

#[derive(Deserialize)]
struct Reference {
    n: usize,
    optimal_modularity: Option<f64>,
    optimal_membership: Option<Vec<u32>>,
    leiden_best_of_50_modularity: f64,
    #[serde(rename = "rb_res0.5")]
    half: Reached,
    #[serde(rename = "rb_res1.0")]
    one: Reached,
    #[serde(rename = "rb_res2.0")]
    two: Reached,
}

#[derive(Deserialize)]
struct Reached {
    /// Σ over communities of (twice the weight inside − γ K²/2m), which is modularity times 2m.
    quality: f64,
    membership: Vec<u32>,
}

#[test]
fn equals_leidenalg_on_the_reference_graphs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/metrics/graphs");
    let Ok(text) = std::fs::read_to_string(folder.join("reference.json")) else {
        println!("skipped: {} is absent", folder.display());
        return;
    };
    let references: References = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for (name, reference) in &references.graphs {
        let Ok(edges) = std::fs::read_to_string(folder.join(format!("{name}.edges.tsv"))) else {
            println!("skipped: {name} has no edges");
            continue;
        };
        let edges = edges.lines().map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            // The ends are places in the list of nodes.
            (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2].parse().unwrap())
        });
        let graph = Graph::new(reference.n, edges);
        let best = |resolution: f64| {
            let leiden = Leiden { resolution, runs: 50, ..Leiden::default() };
            let division = leiden.communities(&graph);
            assert_connected(&graph, &division);
            leiden.measure(&graph, &division)
        };
        if let (Some(optimum), Some(membership)) =
            (reference.optimal_modularity, &reference.optimal_membership)
        {
            assert!((modularity(&graph, membership, 1.0) - optimum).abs() < 1e-12, "{name}: the formula");
            assert!((best(1.0) - optimum).abs() < 1e-12, "{name}");
        }
        assert!(best(1.0) >= reference.leiden_best_of_50_modularity - 1e-12, "{name}");
        for (resolution, theirs) in [(0.5, &reference.half), (1.0, &reference.one), (2.0, &reference.two)] {
            let total = 2.0 * graph.weight();
            let formula = modularity(&graph, &theirs.membership, resolution) * total;
            assert!((formula - theirs.quality).abs() < 1e-9, "{name} at {resolution}: {formula}");
            let ours = best(resolution) * total;
            assert!(ours >= theirs.quality - 1e-9, "{name} at {resolution}: {ours}, {}", theirs.quality);
        }
        compared += 1;
    }
    assert!(compared >= 3, "compared {compared}");
}
