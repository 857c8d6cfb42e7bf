//! Matrix products over strided slices.
//!
//! Products of many rows are those of [`super::tiles`] where the machine has them, else of [`super::panels`]; with few rows or
//! columns [`super::few_rows`] is faster; what is left, and machines that have neither AVX2 nor AVX-512, the `gemm` crate
//! serves. A matrix in 16 bits is never widened as a whole, but a block at a time into a scratch that stays in the cache of the
//! thread that multiplies with it.

use std::cell::Cell;

use gemm::Parallelism;
use rayon::prelude::*;

use super::few_rows::{self, Output};
pub(crate) use super::numbers::Slice;
use super::panels;
use super::tiles::{self, With};

/// A matrix in a slice: element (i, j) lies at `i * row + j * column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(super) data: Slice<'a>,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Rows one after another, `stride` apart.
pub(crate) fn rows<'a>(data: impl std::convert::Into<Slice<'a>>, stride: usize) -> Matrix<'a> {
    strided(data, stride, 1)
}

/// The transpose of a matrix whose rows are `stride` apart.
pub(crate) fn transposed<'a>(data: impl std::convert::Into<Slice<'a>>, stride: usize) -> Matrix<'a> {
    strided(data, 1, stride)
}

/// Rows `row` apart, columns `column` apart.
pub(crate) fn strided<'a>(data: impl std::convert::Into<Slice<'a>>, row: usize, column: usize) -> Matrix<'a> {
    Matrix { data: data.into(), row, column }
}

impl Matrix<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }

    /// From element (i, j) on.
    fn part(self, i: usize, j: usize) -> Self {
        let (start, end) = (i * self.row + j * self.column, self.data.len());
        Self { data: self.data.part(start.min(end)..end), ..self }
    }

    /// Whether it is the same matrix, in the same place.
    fn is(self, other: Self) -> bool {
        let start = |matrix: Self| match matrix.data {
            Slice::F32(numbers) => numbers.as_ptr().cast::<u8>(),
            Slice::Bf16(bits) | Slice::F16(bits) => bits.as_ptr().cast(),
        };
        start(self) == start(other) && (self.row, self.column) == (other.row, other.column)
    }

    pub(super) fn transpose(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    /// Copies all of it into `out` as contiguous rows of f32.
    pub(super) fn copy_rows(&self, rows: usize, columns: usize, out: &mut Vec<f32>) {
        // What is left in it is overwritten.
        out.resize(rows * columns, 0.0);
        if rows == 0 || columns == 0 {
            return;
        }
        for (i, out) in out.chunks_exact_mut(columns).enumerate() {
            if self.column == 1 {
                self.data.widen(i * self.row..i * self.row + columns, out);
            } else {
                for (j, out) in out.iter_mut().enumerate() {
                    let at = i * self.row + j * self.column;
                    self.data.widen(at..at + 1, std::slice::from_mut(out));
                }
            }
        }
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

/// Where an element of an operand lies.
#[derive(Clone, Copy)]
struct Operand {
    start: *const f32,
    row: usize,
    column: usize,
}

// SAFETY: it is only read.
unsafe impl Send for Operand {}
// SAFETY: it is only read.
unsafe impl Sync for Operand {}

impl Operand {
    fn at(self, i: usize, j: usize) -> Self {
        Self { start: self.start.wrapping_add(i * self.row + j * self.column), ..self }
    }
}

/// A product smaller than this many multiply-adds is not worth waking threads for: one thread of AVX-512 is
/// done in 30 µs, and waking others takes 5 to 15.
const PARALLEL_FROM: usize = 1 << 22;

/// Columns and inputs of a block of `b`: 256 KiB, a quarter of a second-level cache. Larger blocks were no
/// faster.
const BLOCK: usize = 256;

/// Rows that a block is widened for: by count of bytes and multiply-adds, widening is then a few percent of the
/// time (not measured by itself), and a product of many rows still divides among many threads.
const BLOCK_ROWS: usize = 512;

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

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
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "matrix product outside of its output");
    let place = Output { start: out.as_mut_ptr(), row: stride, column: 1, scale, into };
    // SAFETY: the assertions above hold every element that is written inside its slice, and `out` is borrowed mutably, so
    // nothing aliases it.
    unsafe { product_at((m, n, k), a, b, place, threads) };
}

/// The same where several tasks write into one buffer. Columns of the output are contiguous.
///
/// # Safety
/// The output has room for (m, n), and nobody else touches that.
pub(crate) unsafe fn product_at(
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
    place: Output,
    threads: Threads,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n), "matrix product outside of its inputs");
    // SAFETY: the assertion holds what is read, and the caller what is written. Both hold for the transposed product too.
    unsafe {
        if tiles::worthwhile((m, n, k), a, b) {
            let threads = if m * n * k >= PARALLEL_FROM { threads } else { Threads::One };
            return tiles::products((m, k), a, &[With { b, n, out: place }], threads);
        }
        if panels::worthwhile((m, n, k), a, b) {
            let term = Term { a, b, k, scale: 1.0 };
            return panels::products(m, &[panels::Sums { terms: &[term], n, out: place }], threads);
        }
        if few_rows::worthwhile(m, k, b) {
            return few_rows::product((m, n, k), a, b, place, threads);
        }
        if few_rows::worthwhile_swapped(n, k, a) {
            let place = Output { row: 1, column: place.row, ..place };
            return few_rows::product((n, m, k), b.transpose(), a.transpose(), place, threads);
        }
    }
    let mut copy = Vec::new();
    let a = match a.data {
        Slice::F32(numbers) => Operand { start: numbers.as_ptr(), row: a.row, column: a.column },
        // Activations are f32; this is here so that every product has an answer.
        _ => {
            a.copy_rows(m, k, &mut copy);
            Operand { start: copy.as_ptr(), row: k, column: 1 }
        }
    };
    let threads = if m * n * k >= PARALLEL_FROM { threads } else { Threads::One };
    match b.data {
        // Contiguous columns gemm copies element by element: a block in the cache is the better source,
        // unless there are too few to pay for it.
        Slice::F32(numbers) if b.row != 1 || k < BLOCK || n < BLOCK / 4 => {
            let b = Operand { start: numbers.as_ptr(), row: b.row, column: b.column };
            let parallelism = match threads {
                Threads::All => Parallelism::Rayon(0),
                Threads::One => Parallelism::None,
            };
            // SAFETY: the assertions above, and a copied `a` is (m, k).
            unsafe { general((m, n, k), a, b, place, parallelism) };
        }
        // SAFETY: the assertions above, and a copied `a` is (m, k).
        _ => unsafe { in_blocks((m, n, k), a, b, place, threads) },
    }
}

/// One product of a sum: `scale · a (m, k) · b (k, n)`.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) a: Matrix<'a>,
    pub(crate) b: Matrix<'a>,
    pub(crate) k: usize,
    pub(crate) scale: f32,
}

/// Columns of an output, from one on, and the products whose sum they become.
pub(crate) struct Columns<'a> {
    pub(crate) first: usize,
    pub(crate) n: usize,
    pub(crate) terms: Vec<Term<'a>>,
}

/// Sums of products, side by side: each fills its columns of the `m` rows of `out`, `stride` apart.
pub(crate) fn sums(m: usize, all: &[Columns<'_>], out: &mut [f32], stride: usize) {
    if m == 0 || all.is_empty() {
        return;
    }
    for Columns { first, n, terms } in all {
        assert!(!terms.is_empty(), "a sum of nothing");
        assert!(first + n <= stride && (m - 1) * stride + first + n <= out.len(), "outside of its output");
        let inside = terms.iter().all(|Term { a, b, k, .. }| a.holds(m, *k) && b.holds(*k, *n));
        assert!(inside, "matrix product outside of its inputs");
    }
    let apart = |pair: &[Columns<'_>]| pair[0].first + pair[0].n <= pair[1].first;
    assert!(all.windows(2).all(apart), "products into the same columns");
    let whole = Output { start: out.as_mut_ptr(), row: stride, column: 1, scale: 1.0, into: Into::Fresh };
    let place = |columns: &Columns<'_>| whole.at(0, columns.first, Into::Fresh);
    let by_tiles = |columns: &Columns<'_>| {
        let Term { a, b, k, .. } = columns.terms[0];
        tiles::worthwhile((m, columns.n, k), a, b)
    };
    let by_panels = |columns: &Columns<'_>| {
        columns.terms.iter().all(|term| panels::worthwhile((m, columns.n, term.k), term.a, term.b))
    };
    let first = all[0].terms[0];
    let of_one = all.iter().all(|columns| columns.terms[0].a.is(first.a) && columns.terms[0].k == first.k);
    if !all.iter().any(by_tiles) && all.iter().all(by_panels) {
        let all: Vec<_> = all
            .iter()
            .map(|columns| panels::Sums { terms: &columns.terms, n: columns.n, out: place(columns) })
            .collect();
        // SAFETY: the assertions hold what is read and written inside its slice and sums apart, and `out` is borrowed mutably.
        return unsafe { panels::products(m, &all, Threads::All) };
    }
    let mut done = 0;
    if of_one && first.scale == 1.0 && all.iter().all(by_tiles) {
        let with: Vec<_> = all
            .iter()
            .map(|columns| With { b: columns.terms[0].b, n: columns.n, out: place(columns) })
            .collect();
        // SAFETY: as above.
        unsafe { tiles::products((m, first.k), first.a, &with, Threads::All) };
        done = 1;
    }
    for columns in all {
        for (number, &Term { a, b, k, scale }) in columns.terms.iter().enumerate().skip(done) {
            let into = if number == 0 { Into::Fresh } else { Into::Added };
            let shape = (m, columns.n, k);
            product(shape, scale, a, b, &mut out[columns.first..], stride, into, Threads::All);
        }
    }
}
/// The product, block by block of `b`, each widened (or copied) into a scratch.
///
/// # Safety
/// Operands and output have these shapes, and nobody else touches the output.
unsafe fn in_blocks(
    (m, n, k): (usize, usize, usize),
    a: Operand,
    b: Matrix<'_>,
    out: Output,
    threads: Threads,
) {
    let across = n.div_ceil(BLOCK);
    let tile = |index: usize| {
        let (i, j) = (index / across * BLOCK_ROWS, index % across * BLOCK);
        let (height, width) = (BLOCK_ROWS.min(m - i), BLOCK.min(n - j));
        let mut scratch = SCRATCH.take();
        for p in (0..k.max(1)).step_by(BLOCK) {
            let depth = BLOCK.min(k - p);
            let part = b.part(p, j);
            let (row, column) = if b.row == 1 { (1, depth) } else { (width, 1) };
            if b.row == 1 {
                part.transpose().copy_rows(width, depth, &mut scratch);
            } else {
                part.copy_rows(depth, width, &mut scratch);
            }
            let block = Operand { start: scratch.as_ptr(), row, column };
            let into = if p == 0 { out.into } else { Into::Added };
            // SAFETY: the part of `a`, the copied block and the part of the output have this shape; no other
            // tile has this part of the output.
            unsafe {
                general((height, width, depth), a.at(i, p), block, out.at(i, j, into), Parallelism::None);
            }
        }
        SCRATCH.set(scratch);
    };
    let tiles = across * m.div_ceil(BLOCK_ROWS);
    match threads {
        Threads::All => (0..tiles).into_par_iter().for_each(tile),
        Threads::One => (0..tiles).for_each(tile),
    }
}

/// The product, by the `gemm` crate.
///
/// # Safety
/// Operands and output have these shapes, and nobody else touches the output.
unsafe fn general(
    (m, n, k): (usize, usize, usize),
    a: Operand,
    b: Operand,
    out: Output,
    parallelism: Parallelism,
) {
    // SAFETY: as the caller promises; the slices are shorter than `isize::MAX`, so strides fit.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.start,
            out.column as isize,
            out.row as isize,
            out.into == Into::Added,
            a.start,
            a.column as isize,
            a.row as isize,
            b.start,
            b.column as isize,
            b.row as isize,
            1.0,
            out.scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests;
