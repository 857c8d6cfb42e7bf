//! Neighbours beside brute force.

use serde::Deserialize;

use super::*;
use crate::draw::Draw;

/// Vectors and their neighbours by numpy in f64; see `tests/goldens/make_cluster_goldens.py`.
#[derive(Deserialize)]
struct Golden {
    dimensions: usize,
    vectors: Vec<f32>,
    count: usize,
    cosine: Vec<u32>,
    cosine_distances: Vec<f64>,
    euclidean: Vec<u32>,
    euclidean_distances: Vec<f64>,
}

/// Clouds around some centres in a space of few dimensions inside one of many, as texts make them.
fn clouds(n: usize, dimensions: usize, seed: u64) -> Vec<f32> {
    let mut draw = Draw::at(seed, &[]);
    let plane: Vec<f64> = (0..12 * dimensions).map(|_| draw.normal()).collect();
    let mut values = Vec::with_capacity(n * dimensions);
    for item in 0..n {
        let mut centre = Draw::at(seed, &[1, item as u64 % 40]);
        let inner: Vec<f64> = (0..12).map(|_| centre.normal() + 0.4 * draw.normal()).collect();
        values.extend((0..dimensions).map(|d| {
            let far: f64 = inner.iter().enumerate().map(|(i, x)| x * plane[i * dimensions + d]).sum();
            (far + 0.1 * draw.normal()) as f32
        }));
    }
    values
}

#[test]
fn equals_brute_force_in_numpy() {
    let golden: Golden =
        serde_json::from_str(include_str!("../../tests/goldens/neighbor_goldens.json")).unwrap();
    let vectors = Vectors::new(&golden.vectors, golden.dimensions);
    for (metric, places, distances) in [
        (Metric::Cosine, &golden.cosine, &golden.cosine_distances),
        (Metric::Euclidean, &golden.euclidean, &golden.euclidean_distances),
    ] {
        for method in [Method::Exact, Method::Approximate] {
            let ours = nearest(vectors, golden.count, metric, method, 1);
            assert_eq!(&ours.places, places, "{metric:?} {method:?}");
            for (ours, theirs) in ours.distances.iter().zip(distances) {
                assert!(
                    (f64::from(*ours) - theirs).abs() < 1e-6 * (1.0 + theirs),
                    "{ours}, expected {theirs}"
                );
            }
        }
    }
}

#[test]
fn the_approximate_finds_nearly_all_of_the_exact() {
    let values = clouds(6000, 50, 5);
    let vectors = Vectors::new(&values, 50);
    for metric in [Metric::Cosine, Metric::Euclidean] {
        let exact = nearest(vectors, 15, metric, Method::Exact, 0);
        let approximate = nearest(vectors, 15, metric, Method::Approximate, 7);
        let recall = approximate.recall(&exact);
        assert!(recall >= 0.95, "{metric:?}: recall {recall}");
        assert!(exact.recall(&exact) == 1.0);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let values = clouds(3000, 20, 9);
    for method in [Method::Exact, Method::Approximate] {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| nearest(Vectors::new(&values, 20), 10, Metric::Cosine, method, 3))
        };
        assert_eq!(on(1), on(4), "{method:?}");
    }
}

#[test]
fn equal_vectors_share_their_neighbours_and_zero_ones_are_apart() {
    // Forty times the same, then two others, then two zeros.
    let mut values = [1.0, 2.0].repeat(40);
    values.extend([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let found = nearest(Vectors::new(&values, 2), 3, Metric::Cosine, Method::Exact, 0);
    assert_eq!(found.of(30).0, [0, 1, 2]);
    assert_eq!(found.of(30).1, [0.0; 3]);
    let (places, distances) = found.of(42);
    assert_eq!((places[0], distances[0], distances[1]), (43, 0.0, 1.0));
    assert!(found.distances.iter().all(|d| d.is_finite()));
    // More asked for than there are.
    let few = nearest(Vectors::new(&values[..4], 2), 5, Metric::Euclidean, Method::Auto, 0);
    assert_eq!((few.count, few.places), (1, vec![1, 0]));
    assert!(nearest(Vectors::new(&[], 2), 5, Metric::Euclidean, Method::Auto, 0).is_empty());
}
