//! Products by tiles against sums in f64, for every layout and precision. Where the machine has no tiles, nothing is checked, and
//! the test says so.

use super::*;
use crate::ops::matmul::{self, Slice, Threads, rows, transposed};
use crate::rng::Rng;

/// Numbers of all magnitudes between 2⁻¹² and 1, of both signs.
fn numbers(len: usize, rng: &mut Rng) -> Vec<f32> {
    (0..len).map(|_| rng.within(1.0) * (12.0 * rng.within(0.5) - 6.0).exp2()).collect()
}

/// The largest error of a product's elements and their root mean square, in parts of the sum of an element's terms' magnitudes.
fn error(
    (m, n, k): (usize, usize, usize),
    precision: usize,
    layout: usize,
    into: Into,
    rng: &mut Rng,
) -> (f64, f64) {
    let (a, mut b) = (numbers(m * k, rng), numbers(k * n, rng));
    let bits: Vec<u16> = match precision {
        0 => Vec::new(),
        1 => b.iter().map(|x| half::bf16::from_f32(*x).to_bits()).collect(),
        _ => b.iter().map(|x| half::f16::from_f32(*x).to_bits()).collect(),
    };
    // What they are once they are stored.
    for (b, bits) in b.iter_mut().zip(&bits) {
        let bits = *bits;
        *b = if precision == 1 {
            half::bf16::from_bits(bits).to_f32()
        } else {
            half::f16::from_bits(bits).to_f32()
        };
    }
    let slice = match precision {
        0 => Slice::F32(&b),
        1 => Slice::Bf16(&bits),
        _ => Slice::F16(&bits),
    };
    let a_matrix = if layout & 1 == 0 { rows(&a, k) } else { transposed(&a, m) };
    let b_matrix = if layout & 2 == 0 { rows(slice, n) } else { transposed(slice, k) };
    assert!(worthwhile((m, n, k), a_matrix, b_matrix), "{m} x {n} x {k} is for tiles");
    let (stride, scale) = (n + 3, 0.75);
    let before = numbers((m - 1) * stride + n, rng);
    let [mut one, mut all] = [before.clone(), before.clone()];
    matmul::product((m, n, k), scale, a_matrix, b_matrix, &mut one, stride, into, Threads::One);
    matmul::product((m, n, k), scale, a_matrix, b_matrix, &mut all, stride, into, Threads::All);
    assert!(one == all, "threads change the product");
    let at = |matrix: &[f32], transposed: bool, i: usize, j: usize, (height, width): (usize, usize)| {
        f64::from(matrix[if transposed { j * height + i } else { i * width + j }])
    };
    let (mut worst, mut squares, mut count) = (0f64, 0.0, 0.0);
    for i in 0..m {
        let between = i * stride + n..((i + 1) * stride).min(one.len());
        assert_eq!(one[between.clone()], before[between], "written between the rows");
        for j in (i % 7..n).step_by(7) {
            let term =
                |p: usize| at(&a, layout & 1 != 0, i, p, (m, k)) * at(&b, layout & 2 != 0, p, j, (k, n));
            let added = if into == Into::Added { f64::from(before[i * stride + j]) } else { 0.0 };
            let wanted = f64::from(scale) * (0..k).map(term).sum::<f64>() + added;
            let magnitude = f64::from(scale) * (0..k).map(|p| term(p).abs()).sum::<f64>() + added.abs();
            let error = (f64::from(one[i * stride + j]) - wanted).abs() / magnitude;
            (worst, squares, count) = (worst.max(error), squares + error * error, count + 1.0);
        }
    }
    (worst, f64::sqrt(squares / count))
}

#[test]
fn products_by_tiles_are_exact_to_a_few_parts_in_a_million() {
    if !present() {
        eprintln!("this machine has no tiles: nothing was checked");
        return;
    }
    let mut rng = Rng::at(7, &[]);
    // Whole panels; a part of each; more columns than a task; more inputs than a panel, an odd number of them.
    for shape in
        [(64, 64, 64), (70, 90, 51), (33, 1100, 97), (600, 17, 1031), (530, 300, 1031), (129, 161, 513)]
    {
        for precision in 0..3 {
            for layout in 0..4 {
                for into in [Into::Fresh, Into::Added] {
                    let (worst, mean) = error(shape, precision, layout, into, &mut rng);
                    let told =
                        format!("{shape:?}, precision {precision}, layout {layout}: {worst:e}, {mean:e}");
                    // Three terms of 2⁻¹⁶ are the most; they are of both signs.
                    assert!(worst < 5e-5 && mean < 3e-6, "{told}");
                }
            }
        }
    }
}

#[test]
fn infinities_and_nan_are_not_hidden() {
    let mut a = vec![1.0f32; 64 * 64];
    (a[0], a[64]) = (f32::INFINITY, f32::NAN);
    let b = vec![1.0f32; 64 * 64];
    let mut out = vec![0.0; 64 * 64];
    matmul::product((64, 64, 64), 1.0, rows(&a, 64), rows(&b, 64), &mut out, 64, Into::Fresh, Threads::One);
    assert!(out[..128].iter().all(|x| !x.is_finite()) && out[128..].iter().all(|x| *x == 64.0));
}
