//! UMAP beside umap-learn, and as a layout.

use serde::Deserialize;

use super::*;
use crate::draw::Draw;
use crate::neighbors::{Method, Metric, Neighbors, nearest};

/// What `tests/goldens/make_cluster_goldens.py` had umap-learn compute.
#[derive(Deserialize)]
struct Golden {
    count: usize,
    places: Vec<u32>,
    distances: Vec<f32>,
    sigmas: Vec<f64>,
    rhos: Vec<f64>,
    entries: Vec<(usize, u32, f64)>,
    /// spread, min_dist, a, b
    curves: Vec<[f64; 4]>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/goldens/umap_goldens.json")).unwrap()
}

#[test]
fn memberships_equal_umap_learn() {
    let Golden { count, places, distances, sigmas, rhos, entries, .. } = golden();
    let neighbors = Neighbors { count, places, distances };
    let scales = fuzzy::scales(&neighbors);
    for (ours, theirs) in scales.rho.iter().zip(&rhos) {
        assert!((ours - theirs).abs() < 1e-6, "ρ {ours}, expected {theirs}");
    }
    for (ours, theirs) in scales.sigma.iter().zip(&sigmas) {
        assert!((ours - theirs).abs() < 1e-4 * (1.0 + theirs), "σ {ours}, expected {theirs}");
    }
    let graph = fuzzy::graph(&neighbors);
    let ours: Vec<(usize, u32, f64)> =
        (0..graph.height()).flat_map(|i| graph.row(i).map(move |(j, w)| (i, j, w))).collect();
    assert_eq!(ours.len(), entries.len());
    for (ours, theirs) in ours.iter().zip(&entries) {
        assert_eq!((ours.0, ours.1), (theirs.0, theirs.1));
        assert!((ours.2 - theirs.2).abs() < 1e-4, "{ours:?}, expected {theirs:?}");
    }
    assert_eq!(graph, graph.transposed());
}

#[test]
fn curves_equal_umap_learn() {
    for [spread, min_dist, a, b] in golden().curves {
        let (our_a, our_b) = curve::fit(spread, min_dist);
        assert!((our_a - a).abs() < 1e-3 && (our_b - b).abs() < 1e-3, "{our_a} {our_b}, expected {a} {b}");
    }
}

/// Points on rings in many dimensions, linked or far apart.
fn rings(n: usize, rings: usize, apart: f64, seed: u64) -> Vec<f32> {
    let mut draw = Draw::at(seed, &[]);
    let plane: Vec<f64> = (0..4 * 10).map(|_| draw.normal()).collect();
    let mut values = Vec::new();
    for point in 0..n {
        let (ring, angle) = (point % rings, draw.uniform() * std::f64::consts::TAU);
        let inner = [angle.cos(), angle.sin(), apart * ring as f64, 0.05 * draw.normal()];
        values.extend((0..10).map(|d| {
            let far: f64 = (0..4).map(|i| inner[i] * plane[i * 10 + d]).sum();
            (far + 0.02 * draw.normal()) as f32
        }));
    }
    values
}

/// The share of near neighbours in the plane that are near in space (Venna and Kaski 2001), as scikit-learn computes it.
fn trustworthiness(vectors: Vectors<'_>, places: &[[f32; 2]], k: usize) -> f64 {
    let n = vectors.len();
    let flat: Vec<f32> = places.iter().flatten().copied().collect();
    let near = nearest(Vectors::new(&flat, 2), k, Metric::Euclidean, Method::Exact, 0);
    let all = nearest(vectors, n - 1, Metric::Euclidean, Method::Exact, 0);
    let mut penalty = 0.0;
    for point in 0..n {
        let order = all.of(point).0;
        for other in near.of(point).0 {
            let rank = order.iter().position(|place| place == other).unwrap() + 1;
            penalty += rank.saturating_sub(k) as f64;
        }
    }
    1.0 - 2.0 * penalty / (n * k * (2 * n - 3 * k - 1)) as f64
}

fn laid_out(values: &[f32], umap: Umap) -> Vec<[f32; 2]> {
    let vectors = Vectors::new(values, 10);
    let neighbors = nearest(vectors, 14, Metric::Euclidean, Method::Exact, 0);
    umap.places(&fuzzy::graph(&neighbors), vectors, |_| true).unwrap()
}

#[test]
fn neighbours_stay_together() {
    // One ring; two that hang together; five that do not; one with an island.
    for (rings_of, apart) in [(1, 0.0), (2, 0.3), (5, 30.0)] {
        let values = rings(600, rings_of, apart, 3);
        let places = laid_out(&values, Umap::default());
        assert!(places.iter().flatten().all(|x| x.is_finite()));
        let trust = trustworthiness(Vectors::new(&values, 10), &places, 10);
        assert!(trust > 0.97, "{rings_of} rings: {trust}");
    }
    let mut values = rings(500, 1, 0.0, 4);
    values.extend(rings(60, 1, 0.0, 5).iter().map(|x| x + 100.0));
    let places = laid_out(&values, Umap::default());
    let trust = trustworthiness(Vectors::new(&values, 10), &places, 10);
    assert!(trust > 0.97, "an island: {trust}");
}

#[test]
fn a_seed_decides_threads_do_not_and_it_can_be_stopped() {
    let values = rings(1200, 3, 0.4, 8);
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| laid_out(&values, Umap { seed, epochs: Some(60), ..Umap::default() }))
    };
    assert_eq!(on(1, 1), on(3, 1));
    assert_ne!(on(2, 1), on(2, 2));
    let vectors = Vectors::new(&values, 10);
    let graph = fuzzy::graph(&nearest(vectors, 14, Metric::Euclidean, Method::Exact, 0));
    assert_eq!(Umap::default().places(&graph, vectors, |epoch| epoch < 3), None);
}

#[test]
fn points_at_one_place_and_few_points_are_laid_out() {
    let mut values = rings(100, 1, 0.0, 2);
    for copy in 1..60 {
        values.copy_within(0..10, copy * 10);
    }
    assert!(laid_out(&values, Umap::default()).iter().flatten().all(|x| x.is_finite()));
    assert!(laid_out(&[1.0; 400], Umap::default()).iter().flatten().all(|x| x.is_finite()));
    for n in 2..8 {
        assert_eq!(laid_out(&rings(n, 1, 0.0, 2), Umap::default()).len(), n);
    }
}
