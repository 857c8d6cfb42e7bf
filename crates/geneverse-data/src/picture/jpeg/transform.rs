//! The inverse cosine transform of 8 × 8 coefficients, as libjpeg's slow integer one (Loeffler, Ligtenberg and Moschytz, 1989).

/// Where the i-th coefficient of a file lies in a block.
pub(super) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Binary places of the constants, and of what is kept between the passes.
const PLACES: u32 = 13;
const BETWEEN: u32 = 2;

/// Samples of a block, row after row `stride` apart, from its coefficients in natural order and the table in zigzag order.
pub(super) fn inverse(coefficients: &[i16; 64], table: &[u16; 64], out: &mut [u8], stride: usize) {
    let mut block = [0i32; 64];
    for (at, factor) in ZIGZAG.iter().zip(table) {
        block[*at] = i32::from(coefficients[*at]).wrapping_mul(i32::from(*factor));
    }
    for column in 0..8 {
        let line = std::array::from_fn(|row| block[8 * row + column]);
        let line = eight(line, PLACES - BETWEEN);
        (0..8).for_each(|row| block[8 * row + column] = line[row]);
    }
    for (row, line) in block.as_chunks::<8>().0.iter().enumerate() {
        let line = eight(*line, PLACES + BETWEEN + 3);
        for (out, x) in out[row * stride..row * stride + 8].iter_mut().zip(line) {
            *out = (x.wrapping_add(128)).clamp(0, 255) as u8;
        }
    }
}

/// One line of eight, rounded to `places` fewer. Files with coefficients beyond what samples can have wrap around.
fn eight(x: [i32; 8], places: u32) -> [i32; 8] {
    let times = |x: i32, constant: i32| x.wrapping_mul(constant);
    let sum = |a: i32, b: i32| a.wrapping_add(b);
    let less = |a: i32, b: i32| a.wrapping_sub(b);
    // Even.
    let z = times(sum(x[2], x[6]), 4433);
    let (t2, t3) = (less(z, times(x[6], 15137)), sum(z, times(x[2], 6270)));
    let (t0, t1) = (sum(x[0], x[4]).wrapping_shl(PLACES), less(x[0], x[4]).wrapping_shl(PLACES));
    let even = [sum(t0, t3), sum(t1, t2), less(t1, t2), less(t0, t3)];
    // Odd.
    let (a, b, c, d) = (x[7], x[5], x[3], x[1]);
    let z5 = times(sum(sum(a, c), sum(b, d)), 9633);
    let (z1, z2) = (times(sum(a, d), -7373), times(sum(b, c), -20995));
    let (z3, z4) = (sum(times(sum(a, c), -16069), z5), sum(times(sum(b, d), -3196), z5));
    let odd = [
        sum(times(d, 12299), sum(z1, z4)),
        sum(times(c, 25172), sum(z2, z3)),
        sum(times(b, 16819), sum(z2, z4)),
        sum(times(a, 2446), sum(z1, z3)),
    ];
    let round = |x: i32| sum(x, 1 << (places - 1)) >> places;
    std::array::from_fn(|i| match i {
        0..4 => round(sum(even[i], odd[i])),
        _ => round(less(even[7 - i], odd[7 - i])),
    })
}
