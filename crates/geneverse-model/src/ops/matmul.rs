//! Matrix products over strided slices, by the `gemm` crate.

use gemm::Parallelism;

/// Numbers as a checkpoint holds them.
#[derive(Clone, Copy)]
pub(crate) enum Slice<'a> {
    F32(&'a [f32]),
    Bf16(&'a [u16]),
    F16(&'a [u16]),
}

impl<'a> From<&'a [f32]> for Slice<'a> {
    fn from(x: &'a [f32]) -> Self {
        Self::F32(x)
    }
}
impl<'a> From<&'a Vec<f32>> for Slice<'a> {
    fn from(x: &'a Vec<f32>) -> Self {
        Self::F32(x)
    }
}

impl Slice<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) | Self::F16(x) => x.len(),
        }
    }
    pub(crate) fn widen(&self, range: std::ops::Range<usize>, out: &mut [f32]) {
        match self {
            Self::F32(x) => out.copy_from_slice(&x[range]),
            Self::Bf16(x) => {
                out.iter_mut().zip(&x[range]).for_each(|(o, x)| *o = f32::from_bits((*x as u32) << 16))
            }
            Self::F16(x) => {
                out.iter_mut().zip(&x[range]).for_each(|(o, x)| *o = half::f16::from_bits(*x).to_f32())
            }
        }
    }
}

/// A matrix in a slice: element (i, j) lies at `i * row + j * column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: Slice<'a>,
    row: usize,
    column: usize,
}

pub(crate) fn strided(data: Slice<'_>, row: usize, column: usize) -> Matrix<'_> {
    Matrix { data, row, column }
}

/// Rows one after another, `stride` apart.
pub(crate) fn rows<'a>(data: impl std::convert::Into<Slice<'a>>, stride: usize) -> Matrix<'a> {
    Matrix { data: data.into(), row: stride, column: 1 }
}

/// The transpose of a matrix whose rows are `stride` apart.
pub(crate) fn transposed<'a>(data: impl std::convert::Into<Slice<'a>>, stride: usize) -> Matrix<'a> {
    Matrix { data: data.into(), row: 1, column: stride }
}

impl Matrix<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// What becomes of the numbers that stood in the output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// They are replaced.
    Fresh,
    /// The product is added to them.
    Added,
}

/// How many threads a product may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// All of rayon's.
    All,
    /// The caller's own (inside a parallel loop).
    One,
}

/// A product smaller than this many multiply-adds is not worth waking threads for.
const PARALLEL_FROM: usize = 1 << 17;

/// `out (m, n) = scale · a (m, k) · b (k, n)`, or added to `out`, whose rows are `stride` apart.
#[allow(clippy::too_many_arguments, reason = "the arguments of a matrix product, as BLAS has them")]
pub(crate) fn product(
    (m, n, k): (usize, usize, usize),
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    stride: usize,
    into: Into,
    threads: Threads,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n), "matrix product outside of its inputs");
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "matrix product outside of its output");
    let (mut wide_a, mut wide_b) = (Vec::new(), Vec::new());
    let widened = |m: Matrix<'_>, out: &mut Vec<f32>| -> *const f32 {
        match m.data {
            Slice::F32(x) => x.as_ptr(),
            other => {
                out.resize(other.len(), 0.0);
                other.widen(0..other.len(), out);
                out.as_ptr()
            }
        }
    };
    let (pa, pb) = (widened(a, &mut wide_a), widened(b, &mut wide_b));
    let parallelism = match threads {
        Threads::All if m * n * k >= PARALLEL_FROM => Parallelism::Rayon(0),
        _ => Parallelism::None,
    };
    // SAFETY: the assertions above hold every element that gemm reads (a, b) or writes (out) inside its
    // slice, and `out` is borrowed mutably, so nothing aliases it.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            into == Into::Added,
            pa,
            a.column as isize,
            a.row as isize,
            pb,
            b.column as isize,
            b.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_products_equal_the_sums_they_stand_for() {
        for (m, n, k) in [(1, 1, 1), (5, 3, 7), (33, 17, 64), (2, 300, 129), (4, 4, 0)] {
            let a: Vec<f32> = (0..m * k).map(|i| (i % 11) as f32 - 5.0).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i % 7) as f32 - 3.0).collect();
            let stride = n + 2;
            let mut out = vec![1.0; m * stride];
            let all = Threads::All;
            product((m, n, k), 0.5, rows(&a, k), transposed(&b, k), &mut out, stride, Into::Added, all);
            for i in 0..m {
                for j in 0..n {
                    let sum: f32 = (0..k).map(|p| a[i * k + p] * b[j * k + p]).sum();
                    assert!((out[i * stride + j] - (1.0 + 0.5 * sum)).abs() < 1e-3);
                }
                assert_eq!(&out[i * stride + n..(i + 1) * stride], [1.0, 1.0]);
            }
        }
    }
}
