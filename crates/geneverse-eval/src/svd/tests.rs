//! Singular values beside LAPACK's.

use serde::Deserialize;

use super::*;

/// A sparse matrix and its singular values as LAPACK computes them; see `tests/goldens/make_cluster_goldens.py`.
#[derive(Deserialize)]
struct Golden {
    height: usize,
    width: usize,
    entries: Vec<(usize, u32, f64)>,
    values: Vec<f64>,
    /// The first right singular vector, its largest entry positive.
    first: Vec<f64>,
}

fn matrix(height: usize, width: usize, entries: &[(usize, u32, f64)]) -> Sparse {
    let mut rows = vec![Vec::new(); height];
    entries.iter().for_each(|(row, column, value)| rows[*row].push((*column, *value)));
    Sparse::from_rows(width, &rows)
}

#[test]
fn singular_values_are_those_of_an_exact_decomposition() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/goldens/svd_goldens.json")).unwrap();
    let matrix = matrix(golden.height, golden.width, &golden.entries);
    let rank = golden.values.len();
    let effort = Effort { powers: 20, ..Effort::default() };
    let ours = truncated(&matrix, rank, effort);
    for (ours, exact) in ours.values.iter().zip(&golden.values) {
        assert!((ours / exact - 1.0).abs() < 1e-6, "{ours}, expected {exact}");
    }
    for (ours, exact) in ours.right.iter().step_by(rank).zip(&golden.first) {
        assert!((ours - exact).abs() < 1e-6, "{ours}, expected {exact}");
    }
    // U Σ = A V.
    let product = matrix.times(&ours.right, rank);
    for (scores, product) in ours.scores().iter().zip(&product) {
        assert!((scores - product).abs() < 1e-4, "{scores}, expected {product}");
    }
    // The default effort is within a hundredth.
    for (ours, exact) in truncated(&matrix, rank, Effort::default()).values.iter().zip(&golden.values) {
        assert!((ours / exact - 1.0).abs() < 1e-2, "{ours}, expected {exact}");
    }
}

#[test]
fn a_matrix_of_lower_rank_than_asked_has_zeros() {
    // Three kinds of rows, each with two numbers of their own: rank 6.
    let rows: Vec<Vec<(u32, f64)>> =
        (0..40).map(|row| vec![(row % 3, 1.0 + f64::from(row)), (3 + row % 3, 2.0)]).collect();
    let matrix = Sparse::from_rows(8, &rows);
    let svd = truncated(&matrix, 8, Effort::default());
    assert_eq!(svd.values.len(), 8);
    let positive = svd.values.iter().filter(|value| **value > 1e-9).count();
    assert_eq!(positive, 6, "{:?}", svd.values);
    assert!(svd.values.iter().chain(&svd.left).chain(&svd.right).all(|x| x.is_finite()));
    // It is put together again to the last digits.
    let k = svd.values.len();
    for row in 0..matrix.height() {
        let mut exact = vec![0.0; matrix.width()];
        matrix.row(row).for_each(|(column, value)| exact[column as usize] = value);
        for (column, exact) in exact.iter().enumerate() {
            let ours: f64 =
                (0..k).map(|i| svd.left[row * k + i] * svd.values[i] * svd.right[column * k + i]).sum();
            assert!((ours - exact).abs() < 1e-9, "{ours}, expected {exact}");
        }
    }
    assert!(truncated(&Sparse::from_rows(0, &[vec![], vec![]]), 3, Effort::default()).values.is_empty());
    let zero = truncated(&Sparse::from_rows(4, &[vec![], vec![], vec![]]), 2, Effort::default());
    assert_eq!(zero.values, [0.0, 0.0]);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut draw = Draw::at(3, &[]);
    let rows: Vec<Vec<(u32, f64)>> = (0..3000)
        .map(|_| {
            let mut columns: Vec<u32> = (0..6).map(|_| draw.below(500) as u32).collect();
            columns.sort_unstable();
            columns.dedup();
            columns.into_iter().map(|column| (column, draw.uniform())).collect()
        })
        .collect();
    let matrix = Sparse::from_rows(500, &rows);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| truncated(&matrix, 20, Effort::default()))
    };
    assert_eq!(on(1), on(3));
}
