//! Every way a product can go against sums in f64, and the same numbers with one thread and with all.

use super::*;
use crate::ops::lanes::{AT_MOST, Machine};

/// Small whole numbers and halves, exact in every precision.
fn number(i: usize) -> f32 {
    ((i * 37 + i / 11) % 23) as f32 / 2.0 - 5.5
}

/// A matrix of one of the precisions, and its values.
struct Stored {
    f32: Vec<f32>,
    bits: Vec<u16>,
    precision: usize,
}

impl Stored {
    fn new(len: usize, precision: usize) -> Self {
        let f32: Vec<f32> = (0..len).map(number).collect();
        let bits = f32.iter().map(|x| (x.to_bits() >> 16) as u16);
        let bits = match precision {
            1 => bits.collect(),
            2 => f32.iter().map(|&x| half(x)).collect(),
            _ => Vec::new(),
        };
        Self { f32, bits, precision }
    }
    fn slice(&self) -> Slice<'_> {
        match self.precision {
            0 => Slice::F32(&self.f32),
            1 => Slice::Bf16(&self.bits),
            _ => Slice::F16(&self.bits),
        }
    }
}

/// A number that f16 holds and that is zero or normal in it.
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    if x == 0.0 { sign } else { sign | (((bits & 0x7fff_ffff) - (112 << 23)) >> 13) as u16 }
}

fn check(
    shape: (usize, usize, usize),
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    values: [&[f32]; 2],
    into: Into,
) {
    let (m, n, k) = shape;
    let stride = n + 3;
    let before: Vec<f32> = (0..(m - 1) * stride + n).map(|i| number(i + 5)).collect();
    let [mut one, mut all] = [before.clone(), before.clone()];
    product(shape, scale, a, b, &mut one, stride, into, Threads::One);
    product(shape, scale, a, b, &mut all, stride, into, Threads::All);
    assert!(one == all, "{shape:?}: threads change the product");
    for (at, (&found, &before)) in one.iter().zip(&before).enumerate() {
        let (i, j) = (at / stride, at % stride);
        if j >= n {
            assert_eq!(found, before, "{shape:?}: written between the rows");
            continue;
        }
        let sum: f64 = (0..k)
            .map(|p| {
                f64::from(values[0][i * a.row + p * a.column])
                    * f64::from(values[1][p * b.row + j * b.column])
            })
            .sum();
        let wanted = f64::from(scale) * sum + if into == Into::Added { f64::from(before) } else { 0.0 };
        // Sixteenths below 2^20 are exact in f32, in whatever order they are added.
        assert_eq!(f64::from(found), wanted, "{shape:?} at ({i}, {j})");
    }
}

/// Both layouts of b in all precisions, both layouts of a.
fn check_all(shape: (usize, usize, usize), into: Into) {
    let (m, n, k) = shape;
    let a = Stored::new(m.max(k) * (m.max(k) + 2), 0);
    for precision in 0..3 {
        let b = Stored::new(n.max(k) * (n.max(k) + 5), precision);
        for a_at in [rows(a.slice(), k + 2), transposed(a.slice(), m + 1)] {
            for b_at in
                [transposed(b.slice(), k + 5), rows(b.slice(), n + 4), strided(b.slice(), 2, k * 2 + 1)]
            {
                if a_at.holds(m, k) && b_at.holds(k, n) {
                    check(shape, 0.25, a_at, b_at, [&a.f32, &b.f32], into);
                }
            }
        }
    }
}

#[test]
fn few_rows_of_every_number() {
    for m in 1..=40 {
        check_all((m, 67, 83), if m % 2 == 0 { Into::Fresh } else { Into::Added });
        check_all((m, 21, 16), Into::Fresh);
    }
    check_all((7, 5, 0), Into::Fresh);
    check_all((1, 1, 1), Into::Added);
}

#[test]
fn deep_tiles_and_many_pieces() {
    // More inputs than a tile is deep, and enough work that several threads share it.
    for (m, n, k) in [(1, 601, 1301), (4, 333, 1501), (9, 530, 1100), (13, 1201, 1030), (33, 397, 1033)] {
        check_all((m, n, k), Into::Added);
    }
}

#[test]
fn lesser_machines_have_the_same_sums() {
    for machine in [Machine::Plain, Machine::Avx2] {
        AT_MOST.set(machine);
        for m in [1, 2, 3, 4, 5, 7, 16] {
            check_all((m, 67, 83), Into::Added);
        }
        check_all((9, 53, 1100), Into::Fresh);
        check_all((101, 5, 130), Into::Fresh);
        check_all((50, 70, 1100), Into::Added);
    }
    AT_MOST.set(Machine::Avx512);
}

#[test]
fn thin_products_of_adapters() {
    for rank in [1, 8, 13, 24] {
        check_all((301, rank, 130), Into::Added);
        check_all((rank, 301, 130), Into::Fresh);
        check_all((130, 301, rank), Into::Added);
    }
}

#[test]
fn blocks_of_large_matrices() {
    check_all((131, 300, 290), Into::Added);
    check_all((530, 259, 520), Into::Fresh);
}

#[test]
fn a_16_bit_matrix_on_either_side() {
    for (m, n, k) in [(3, 70, 40), (70, 3, 40), (150, 140, 40)] {
        let (a, b) = (Stored::new(m * k, 1), Stored::new(k * n, 2));
        check((m, n, k), 1.0, rows(a.slice(), k), transposed(b.slice(), k), [&a.f32, &b.f32], Into::Fresh);
        check((m, n, k), 1.0, transposed(a.slice(), m), rows(b.slice(), n), [&a.f32, &b.f32], Into::Fresh);
    }
}

#[test]
#[should_panic(expected = "outside of its inputs")]
fn an_input_that_is_too_short() {
    let a = [0.0; 5];
    product((2, 1, 3), 1.0, rows(&a[..], 3), rows(&a[..], 1), &mut [0.0; 2], 1, Into::Fresh, Threads::One);
}

#[test]
#[should_panic(expected = "outside of its output")]
fn an_output_that_is_too_short() {
    let a = [0.0; 6];
    product((2, 2, 3), 1.0, rows(&a[..], 3), rows(&a[..], 2), &mut [0.0; 3], 2, Into::Fresh, Threads::One);
}

#[test]
fn sums_side_by_side_are_their_products_one_after_another() {
    // Few rows; rows that are shared out; more inputs than are summed at once.
    for (m, k, ranks) in [(3, 8, [2, 1, 3]), (300, 344, [8, 4, 24]), (50, 2100, [1, 3, 2000])] {
        let widths = [64, 40, 100];
        let stored = |rows: usize, columns: usize| -> Vec<f32> { (0..rows * columns).map(number).collect() };
        let (x, low) = (stored(m, k), ranks.map(|rank| stored(m, rank)));
        let weights = widths.map(|n| stored(n, k));
        let b: Vec<Vec<f32>> = widths.iter().zip(ranks).map(|(n, rank)| stored(*n, rank)).collect();
        let stride = widths.iter().sum::<usize>() + 5;
        let [mut together, mut apart] = [vec![7.0; m * stride], vec![7.0; m * stride]];
        let (mut all, mut first) = (Vec::new(), 2);
        for i in 0..3 {
            let n = widths[i];
            let frozen = Term { a: rows(&x, k), b: transposed(&weights[i], k), k, scale: 1.0 };
            let added =
                Term { a: rows(&low[i], ranks[i]), b: transposed(&b[i], ranks[i]), k: ranks[i], scale: 0.5 };
            // The second has no more than one.
            let terms: Vec<Term<'_>> = [frozen, added].into_iter().take(if i == 1 { 1 } else { 2 }).collect();
            for (number, &Term { a, b, k, scale }) in terms.iter().enumerate() {
                let into = if number == 0 { Into::Fresh } else { Into::Added };
                product((m, n, k), scale, a, b, &mut apart[first..], stride, into, Threads::One);
            }
            all.push(Columns { first, n, terms });
            first += n;
        }
        sums(m, &all, &mut together, stride);
        assert!(together == apart, "{m} x {k} with {widths:?}");
    }
}
