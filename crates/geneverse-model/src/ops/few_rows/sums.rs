//! Rows that are contiguous: multiples of the matrix's rows are added up.
//!
//! With one or two rows the time goes to reading the matrix, which is read row after row, as memory likes it;
//! the sums stay in the first-level cache. With more, the sums of a tile stay in registers, and the matrix is
//! read in strips as wide as the tile.
#![allow(clippy::needless_range_loop, reason = "r, c and q are rows, columns and inputs throughout")]

use std::cell::Cell;
use std::ops::Range;

use super::{DEPTH, Few, Into, Many, Output, load_first};
use crate::ops::lanes::{Kernel, Lanes};
use crate::ops::numbers::Number;

/// Rows up to which the matrix is read row after row.
pub(super) const STREAMED: usize = 2;

/// Columns of a strip that is read row after row: their sums take 16 KiB of the first-level cache.
const STREAM_WIDTH: usize = 2048;

/// Rows of the matrix that are added to the sums at once.
const STREAM_DEPTH: usize = 4;

/// Vectors across a register tile.
const VECTORS: usize = 4;

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The products with some of the columns.
pub(super) struct Sums<T> {
    pub(super) few: Few,
    pub(super) many: Many<T>,
    pub(super) columns: Range<usize>,
    pub(super) out: Output,
}

impl<T: Number> Kernel for Sums<T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut scratch = SCRATCH.take();
        // SAFETY: the caller's promise.
        unsafe {
            match self.few.rows {
                1 => self.stream::<L, 1>(&mut scratch),
                STREAMED => self.stream::<L, STREAMED>(&mut scratch),
                _ => self.tiles::<L>(&mut scratch),
            }
        }
        SCRATCH.set(scratch);
    }
}

impl<T: Number> Sums<T> {
    /// # Safety
    /// The machine has `L`; `ROWS` rows, columns and output are inside their buffers.
    #[inline(always)]
    unsafe fn stream<L: Lanes, const ROWS: usize>(&self, sums: &mut Vec<f32>) {
        let inputs = self.few.inputs;
        let whole = inputs - inputs % STREAM_DEPTH;
        for first in self.columns.clone().step_by(STREAM_WIDTH) {
            let width = STREAM_WIDTH.min(self.columns.end - first);
            let padded = width.next_multiple_of(L::COUNT);
            sums.clear();
            sums.resize(ROWS * padded, 0.0);
            // SAFETY: the sums are padded, the rest as the caller promises.
            unsafe {
                for p in (0..whole).step_by(STREAM_DEPTH) {
                    self.add_rows::<L, ROWS, STREAM_DEPTH>(p, first, width, sums);
                }
                for p in whole..inputs {
                    self.add_rows::<L, ROWS, 1>(p, first, width, sums);
                }
                for i in 0..ROWS {
                    let out = self.out.at(0, first, self.out.into);
                    out.put_row(i, &sums[i * padded..][..width]);
                }
            }
        }
    }

    /// Adds the multiples of some rows of the matrix, from row `p` on, to the sums.
    ///
    /// # Safety
    /// As for [`Self::stream`].
    #[inline(always)]
    unsafe fn add_rows<L: Lanes, const ROWS: usize, const INPUTS: usize>(
        &self,
        p: usize,
        first: usize,
        width: usize,
        sums: &mut [f32],
    ) {
        let padded = width.next_multiple_of(L::COUNT);
        assert!(sums.len() >= ROWS * padded);
        // Loops, not closures: a closure that is not inlined is compiled without the machine's vectors.
        // SAFETY: the sums by the assertion, rows and columns by the caller's promise.
        unsafe {
            let mut multiples = [[L::splat(0.0); INPUTS]; ROWS];
            for r in 0..ROWS {
                for q in 0..INPUTS {
                    multiples[r][q] = L::splat(*self.few.at(r, p + q));
                }
            }
            let mut rows = [self.many.numbers; INPUTS];
            for q in 0..INPUTS {
                rows[q] = self.many.at(p + q, first);
            }
            let mut numbers = [L::splat(0.0); INPUTS];
            let whole = width - width % L::COUNT;
            for at in (0..whole).step_by(L::COUNT) {
                for q in 0..INPUTS {
                    numbers[q] = T::load::<L>(rows[q].add(at));
                }
                add_to::<L, ROWS, INPUTS>(&multiples, &numbers, sums.as_mut_ptr().add(at), padded);
            }
            if whole < width {
                for q in 0..INPUTS {
                    numbers[q] = load_first::<L, T>(rows[q].add(whole), width - whole);
                }
                add_to::<L, ROWS, INPUTS>(&multiples, &numbers, sums.as_mut_ptr().add(whole), padded);
            }
        }
    }

    /// # Safety
    /// The machine has `L`; rows, columns and output are inside their buffers.
    #[inline(always)]
    unsafe fn tiles<L: Lanes>(&self, scratch: &mut Vec<f32>) {
        let Few { rows, inputs, .. } = self.few;
        let height = rows.div_ceil(rows.div_ceil(L::ROWS));
        let depth = if height == rows { inputs.max(1) } else { DEPTH };
        let strip = VECTORS * L::COUNT;
        for first in self.columns.clone().step_by(strip) {
            let width = strip.min(self.columns.end - first);
            for p in (0..inputs.max(1)).step_by(depth) {
                let into = if p == 0 { self.out.into } else { Into::Added };
                let out = self.out.at(0, first, into);
                let few = Few { numbers: self.few.at(0, p), inputs: depth.min(inputs - p), ..self.few };
                let many = Many { numbers: self.many.at(p, first), ..self.many };
                // SAFETY: as the caller promises.
                unsafe {
                    if width == strip {
                        Strip { few, many, width, out }.put::<L>(height);
                    } else {
                        // What is left is not as wide as a tile: a copy with room on the right is.
                        copy_padded(many, few.inputs, width, strip, scratch);
                        let many = Many { numbers: scratch.as_ptr(), row: strip, column: 1 };
                        Strip { few, many, width, out }.put::<L>(height);
                    }
                }
            }
        }
    }
}

/// Adds the multiples of a vector of each input to the sums of each row, `stride` apart.
///
/// # Safety
/// The machine has `L`, and a vector of sums lies at each place.
#[inline(always)]
unsafe fn add_to<L: Lanes, const ROWS: usize, const INPUTS: usize>(
    multiples: &[[L::Vector; INPUTS]; ROWS],
    numbers: &[L::Vector; INPUTS],
    sums: *mut f32,
    stride: usize,
) {
    for r in 0..ROWS {
        // SAFETY: as the caller promises.
        unsafe {
            let place = sums.add(r * stride);
            let mut sum = L::load(place);
            for q in 0..INPUTS {
                sum = L::multiply_add(multiples[r][q], numbers[q], sum);
            }
            L::store(sum, place);
        }
    }
}

/// # Safety
/// The matrix has `inputs` rows of `width` numbers.
unsafe fn copy_padded<T: Number>(
    many: Many<T>,
    inputs: usize,
    width: usize,
    padded: usize,
    out: &mut Vec<f32>,
) {
    out.clear();
    out.resize(inputs * padded, 0.0);
    for (p, row) in out.chunks_exact_mut(padded).enumerate() {
        for (j, number) in row[..width].iter_mut().enumerate() {
            // SAFETY: as the caller promises.
            *number = unsafe { *many.at(p, j) }.widened();
        }
    }
}

/// All rows and as many columns as a tile is wide, of which `width` are kept.
struct Strip<T> {
    few: Few,
    many: Many<T>,
    width: usize,
    out: Output,
}

impl<T: Number> Strip<T> {
    /// `height` rows after another.
    ///
    /// # Safety
    /// The machine has `L`; the matrix is as wide as a tile, and the output has the place of what is kept.
    #[inline(always)]
    unsafe fn put<L: Lanes>(&self, height: usize) {
        for i in (0..self.few.rows).step_by(height) {
            // SAFETY: as many rows as there are, the rest as the caller promises.
            unsafe {
                match height.min(self.few.rows - i) {
                    1 => self.put_rows::<L, 1>(i),
                    2 => self.put_rows::<L, 2>(i),
                    3 => self.put_rows::<L, 3>(i),
                    4 => self.put_rows::<L, 4>(i),
                    5 => self.put_rows::<L, 5>(i),
                    _ => self.put_rows::<L, 6>(i),
                }
            }
        }
    }

    /// # Safety
    /// As for [`Self::put`], and there are `ROWS` rows from `i` on.
    #[inline(always)]
    unsafe fn put_rows<L: Lanes, const ROWS: usize>(&self, i: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
            let mut columns = [L::splat(0.0); VECTORS];
            for p in 0..self.few.inputs {
                let row = self.many.at(p, 0);
                for c in 0..VECTORS {
                    columns[c] = T::load::<L>(row.add(c * L::COUNT));
                }
                for r in 0..ROWS {
                    let multiple = L::splat(*self.few.at(i + r, p));
                    for c in 0..VECTORS {
                        sums[r][c] = L::multiply_add(multiple, columns[c], sums[r][c]);
                    }
                }
            }
            let mut row = [0f32; VECTORS * crate::ops::math::LANES];
            for r in 0..ROWS {
                for c in 0..VECTORS {
                    L::store(sums[r][c], row.as_mut_ptr().add(c * L::COUNT));
                }
                self.out.put_row(i + r, &row[..self.width]);
            }
        }
    }
}
