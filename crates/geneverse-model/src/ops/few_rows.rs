//! Products of a few rows with a whole matrix, read once and as it lies.
//!
//! A general product copies its operands into an order that suits its inner loop, which pays when every number
//! is used many times. With few rows (decoding one token of each sequence, the thin matrices of adapters) the
//! copy costs more than the product. Two kernels do without, one for each way a matrix can lie:
//!
//! - [`Dots`]: every column is contiguous (x·Wᵀ with W as (outputs, inputs)). A register tile of dot products,
//!   some rows by some columns.
//! - [`Sums`]: every row is contiguous (x·W with W as (inputs, outputs)). Multiples of four matrix rows at a
//!   time are added to sums that stay in the first-level cache.
//!
//! In both, the order of summation depends on the shape of the product only, not on the number of threads.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::lanes::{Kernel, Lanes, on_this_machine};
use super::matmul::{Into, Matrix, Threads};
use super::numbers::{Bf16, F16, Number, Slice};

/// Numbers of the matrix worth handing to another thread, up to eight rows; more rows make a number more work.
const PIECE: usize = 1 << 17;

/// Pieces for each thread, so that one which is held up does not hold up the product.
const PIECES_PER_THREAD: usize = 4;

/// Inputs of a tile of [`Dots`] before the next rows have their turn: its columns stay in the first-level cache.
const DEPTH: usize = 1024;

/// Rows up to which [`Sums`] reads the matrix row after row. With more, the sums leave no time for memory.
const STREAMED: usize = 2;

/// Columns of [`Sums::stream`] at a time: the sums take 16 KiB of the first-level cache.
const STREAM_WIDTH: usize = 2048;

/// Vectors across a tile of [`Sums::tiles`].
const TILE_VECTORS: usize = 4;

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    static ROWS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Where the products go: element (i, j) to `start + i * row + j * column`.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) start: *mut f32,
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) scale: f32,
    pub(crate) into: Into,
}

// SAFETY: whoever writes through it promises that no other thread writes there.
unsafe impl Send for Output {}
// SAFETY: the same.
unsafe impl Sync for Output {}

impl Output {
    /// From element (i, j) on.
    pub(super) fn at(self, i: usize, j: usize, into: Into) -> Self {
        Self { start: self.start.wrapping_add(i * self.row + j * self.column), into, ..self }
    }

    /// Writes a piece of a row.
    ///
    /// # Safety
    /// The elements are inside the buffer, and no other thread touches them.
    #[inline(always)]
    unsafe fn put_row(&self, i: usize, j: usize, sums: &[f32], into: Into) {
        if self.column == 1 {
            // SAFETY: these elements are contiguous, inside the buffer and nobody else's, as the caller promises.
            let places =
                unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.row + j), sums.len()) };
            match into {
                Into::Fresh => places.iter_mut().zip(sums).for_each(|(place, sum)| *place = self.scale * sum),
                Into::Added => {
                    places.iter_mut().zip(sums).for_each(|(place, sum)| *place += self.scale * sum)
                }
            }
        } else {
            for (c, &sum) in sums.iter().enumerate() {
                // SAFETY: as the caller promises.
                unsafe { self.put(i, j + c, sum, into) };
            }
        }
    }

    #[inline(always)]
    unsafe fn put(&self, i: usize, j: usize, sum: f32, into: Into) {
        // SAFETY: as the caller promises.
        unsafe {
            let place = self.start.add(i * self.row + j * self.column);
            *place = match into {
                Into::Fresh => self.scale * sum,
                Into::Added => *place + self.scale * sum,
            };
        }
    }
}

/// Whether [`product`] takes such a matrix and is faster than copying it.
///
/// The longer a dot product, the less it matters that its lanes have to be added up in the end; the more rows,
/// the less that a general product copies the matrix. Measured against `gemm` and blocks of it on AMD Zen 5,
/// for matrices of 512 to 4096 inputs and as many outputs. Contiguous rows of f32 `gemm` uses as they lie: only
/// with one or two rows is it slower, because it leaves them to one thread.
pub(crate) fn worthwhile(rows: usize, inputs: usize, b: Matrix<'_>) -> bool {
    match b.data {
        _ if b.row == 1 => rows <= long_enough(inputs).min(96),
        Slice::F32(_) => b.column == 1 && rows <= STREAMED,
        Slice::Bf16(_) | Slice::F16(_) => b.column == 1 && rows <= 64,
    }
}

/// Whether [`product`] with exchanged roles, the few columns of b as its rows, is faster than `gemm`.
///
/// At 8 columns it is twice as fast, `gemm`'s inner loop being 16 wide; at 24 contiguous rows are no longer worth it.
pub(crate) fn worthwhile_swapped(columns: usize, inputs: usize, a: Matrix<'_>) -> bool {
    (a.column == 1 && columns <= long_enough(inputs).min(16)) || (a.row == 1 && columns <= 32)
}

/// Rows up to which dot products of this length are worthwhile.
fn long_enough(inputs: usize) -> usize {
    (inputs / 8).max(4)
}

/// `a (m, k) · b (k, n)` into `out`.
///
/// # Safety
/// The slices hold these shapes, the output is inside one buffer that nobody else touches, and the columns or the rows
/// of b are contiguous.
pub(crate) unsafe fn product(
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: Output,
    threads: Threads,
) {
    let mut scratch = Vec::new();
    let (few, stride) = match a.data {
        Slice::F32(numbers) if a.column == 1 => (numbers, a.row),
        _ => {
            scratch = ROWS.take();
            a.copy_rows(m, k, &mut scratch);
            (&scratch[..], k)
        }
    };
    let few = Few { numbers: few.as_ptr(), rows: m, inputs: k, stride };
    // SAFETY: the caller's promises; the rows are `stride` apart in either case.
    unsafe {
        match b.data {
            Slice::F32(numbers) => spread(few, numbers, b.row, b.column, n, out, threads),
            Slice::Bf16(bits) => spread(few, Bf16::all(bits), b.row, b.column, n, out, threads),
            Slice::F16(bits) => spread(few, F16::all(bits), b.row, b.column, n, out, threads),
        }
    }
    if scratch.capacity() > 0 {
        ROWS.set(scratch);
    }
}

/// Rows of f32, each contiguous.
#[derive(Clone, Copy)]
struct Few {
    numbers: *const f32,
    rows: usize,
    inputs: usize,
    stride: usize,
}

// SAFETY: it is only read.
unsafe impl Send for Few {}
// SAFETY: it is only read.
unsafe impl Sync for Few {}

/// Divides the columns among threads.
unsafe fn spread<T: Number>(
    few: Few,
    many: &[T],
    row: usize,
    column: usize,
    n: usize,
    out: Output,
    threads: Threads,
) {
    let piece = match threads {
        Threads::One => n,
        Threads::All => {
            let work = n * few.inputs * few.rows.div_ceil(8);
            let pieces = (work / PIECE).min(rayon::current_num_threads() * PIECES_PER_THREAD);
            // A multiple of every tile's width.
            n.div_ceil(pieces.max(1)).next_multiple_of(64)
        }
    };
    let one = |first: usize| {
        let columns = first..(first + piece).min(n);
        if row == 1 {
            on_this_machine(Dots { few, many, stride: column, columns, out });
        } else {
            on_this_machine(Sums { few, many, stride: row, columns, out });
        }
    };
    if piece >= n {
        one(0);
    } else {
        (0..n.div_ceil(piece)).into_par_iter().for_each(|i| one(i * piece));
    }
}

/// Columns that are contiguous, `stride` apart.
struct Dots<'a, T> {
    few: Few,
    many: &'a [T],
    stride: usize,
    columns: Range<usize>,
    out: Output,
}

impl<T: Number> Kernel for Dots<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            // One or two rows need more columns to keep the multipliers busy.
            if self.few.rows <= 2 { self.tiles::<L, 8>() } else { self.tiles::<L, 4>() }
        }
    }
}

impl<T: Number> Dots<'_, T> {
    #[inline(always)]
    unsafe fn tiles<L: Lanes, const COLUMNS: usize>(&self) {
        let Few { numbers, rows, inputs, stride } = self.few;
        let height = rows.div_ceil(rows.div_ceil(L::ROWS));
        let depth = if height == rows { inputs.max(1) } else { DEPTH };
        for first in self.columns.clone().step_by(COLUMNS) {
            let count = COLUMNS.min(self.columns.end - first);
            let mut into = self.out.into;
            for start in (0..inputs.max(1)).step_by(depth) {
                let inputs = depth.min(inputs - start);
                // Past the last column its numbers stand in, and the products are not kept.
                let columns: [*const T; COLUMNS] = std::array::from_fn(|j| {
                    self.many.as_ptr().wrapping_add((first + j.min(count - 1)) * self.stride + start)
                });
                for i in (0..rows).step_by(height) {
                    let tile =
                        Tile { inputs, rows: numbers.wrapping_add(i * stride + start), stride, columns };
                    // SAFETY: rows and columns of the shapes that the caller promises.
                    unsafe {
                        match height.min(rows - i) {
                            1 => tile.put::<L, 1>(self.out, i, first, count, into),
                            2 => tile.put::<L, 2>(self.out, i, first, count, into),
                            3 => tile.put::<L, 3>(self.out, i, first, count, into),
                            4 => tile.put::<L, 4>(self.out, i, first, count, into),
                            5 => tile.put::<L, 5>(self.out, i, first, count, into),
                            _ => tile.put::<L, 6>(self.out, i, first, count, into),
                        }
                    }
                }
                into = Into::Added;
            }
        }
    }
}

/// Dot products of some rows with some columns.
struct Tile<T, const COLUMNS: usize> {
    inputs: usize,
    rows: *const f32,
    stride: usize,
    columns: [*const T; COLUMNS],
}

impl<T: Number, const COLUMNS: usize> Tile<T, COLUMNS> {
    #[inline(always)]
    unsafe fn put<L: Lanes, const ROWS: usize>(
        &self,
        out: Output,
        i: usize,
        j: usize,
        count: usize,
        into: Into,
    ) {
        // SAFETY: `inputs` numbers lie in every row and column; the output is the caller's promise.
        unsafe {
            let mut sums = [[L::splat(0.0); COLUMNS]; ROWS];
            let whole = self.inputs - self.inputs % L::COUNT;
            for p in (0..whole).step_by(L::COUNT) {
                let mut columns = [L::splat(0.0); COLUMNS];
                for c in 0..COLUMNS {
                    columns[c] = T::load::<L>(self.columns[c].add(p));
                }
                for r in 0..ROWS {
                    let row = L::load(self.rows.add(r * self.stride + p));
                    for c in 0..COLUMNS {
                        sums[r][c] = L::multiply_add(row, columns[c], sums[r][c]);
                    }
                }
            }
            if whole < self.inputs {
                let rest = self.inputs - whole;
                let mut columns = [L::splat(0.0); COLUMNS];
                for c in 0..COLUMNS {
                    columns[c] = load_first::<L, T>(self.columns[c].add(whole), rest);
                }
                for r in 0..ROWS {
                    let row = load_first::<L, f32>(self.rows.add(r * self.stride + whole), rest);
                    for c in 0..COLUMNS {
                        sums[r][c] = L::multiply_add(row, columns[c], sums[r][c]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (c, &sum) in sums.iter().enumerate().take(count) {
                    out.put(i + r, j + c, L::sum(sum), into);
                }
            }
        }
    }
}

/// The numbers from `at` on, fewer than a vector, and zeros.
///
/// # Safety
/// `count` numbers lie there, and the machine has `L`.
#[inline(always)]
unsafe fn load_first<L: Lanes, T: Number>(at: *const T, count: usize) -> L::Vector {
    let mut padded = [T::default(); 16];
    // SAFETY: the caller's promise; the array is as long as the longest vector.
    unsafe {
        std::ptr::copy_nonoverlapping(at, padded.as_mut_ptr(), count);
        T::load::<L>(padded.as_ptr())
    }
}

/// Rows that are contiguous, `stride` apart, of which some columns are wanted.
struct Sums<'a, T> {
    few: Few,
    many: &'a [T],
    stride: usize,
    columns: Range<usize>,
    out: Output,
}

impl<T: Number> Kernel for Sums<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        // SAFETY: the caller's promise.
        unsafe { if self.few.rows <= STREAMED { self.stream::<L>() } else { self.tiles::<L>() } }
    }
}

impl<T: Number> Sums<'_, T> {
    /// Row after row of the matrix, as memory likes it, into sums that stay in the first-level cache.
    #[inline(always)]
    unsafe fn stream<L: Lanes>(&self) {
        let Few { rows, inputs, .. } = self.few;
        let mut sums = SCRATCH.take();
        for first in self.columns.clone().step_by(STREAM_WIDTH) {
            let width = STREAM_WIDTH.min(self.columns.end - first);
            let padded = width.next_multiple_of(L::COUNT);
            sums.clear();
            sums.resize(rows * padded, 0.0);
            let whole = inputs - inputs % 4;
            // SAFETY: the shapes that the caller promises.
            unsafe {
                for p in (0..whole).step_by(4) {
                    self.add_rows::<L, 4>(p, first, width, &mut sums);
                }
                for p in whole..inputs {
                    self.add_rows::<L, 1>(p, first, width, &mut sums);
                }
                for (i, sums) in sums.chunks_exact(padded).enumerate() {
                    self.out.put_row(i, first, &sums[..width], self.out.into);
                }
            }
        }
        SCRATCH.set(sums);
    }

    /// Adds the multiples of `DEPTH` rows of the matrix, from row `p` on.
    #[inline(always)]
    unsafe fn add_rows<L: Lanes, const DEPTH: usize>(
        &self,
        p: usize,
        first: usize,
        width: usize,
        sums: &mut [f32],
    ) {
        let few = self.few.numbers.wrapping_add(p);
        let mut many = [self.many.as_ptr(); DEPTH];
        for (q, row) in many.iter_mut().enumerate() {
            *row = row.wrapping_add((p + q) * self.stride + first);
        }
        // SAFETY: rows and columns of the shapes that the caller promises.
        unsafe {
            match self.few.rows {
                1 => add_multiples::<L, T, 1, DEPTH>(few, self.few.stride, many, width, sums),
                _ => add_multiples::<L, T, STREAMED, DEPTH>(few, self.few.stride, many, width, sums),
            }
        }
    }

    /// Some rows by some columns at a time, their sums in registers.
    #[inline(always)]
    unsafe fn tiles<L: Lanes>(&self) {
        let Few { numbers, rows, inputs, stride } = self.few;
        let height = rows.div_ceil(rows.div_ceil(L::ROWS));
        let wide = TILE_VECTORS * L::COUNT;
        let depth = if height == rows { inputs.max(1) } else { DEPTH };
        let mut scratch = SCRATCH.take();
        for first in self.columns.clone().step_by(wide) {
            let width = wide.min(self.columns.end - first);
            let mut into = self.out.into;
            for start in (0..inputs.max(1)).step_by(depth) {
                let depth = depth.min(inputs - start);
                let many = self.many.as_ptr().wrapping_add(start * self.stride + first);
                if width < wide {
                    scratch.clear();
                    scratch.resize(depth * wide, 0.0);
                    for (p, row) in scratch.chunks_exact_mut(wide).enumerate() {
                        for (j, number) in row[..width].iter_mut().enumerate() {
                            // SAFETY: inside the matrix.
                            *number = unsafe { (*many.add(p * self.stride + j)).widened() };
                        }
                    }
                }
                for i in (0..rows).step_by(height) {
                    let few = Few {
                        numbers: numbers.wrapping_add(i * stride + start),
                        rows: height.min(rows - i),
                        inputs: depth,
                        stride,
                    };
                    // SAFETY: rows and columns of the shapes that the caller promises; the scratch is padded.
                    unsafe {
                        if width < wide {
                            sum_tile::<L, f32>(few, scratch.as_ptr(), wide, width, self.out, i, first, into);
                        } else {
                            sum_tile::<L, T>(few, many, self.stride, width, self.out, i, first, into);
                        }
                    }
                }
                into = Into::Added;
            }
        }
        SCRATCH.set(scratch);
    }
}

/// `sums (ROWS, width) += few (ROWS, DEPTH) · many (DEPTH, width)`.
#[inline(always)]
unsafe fn add_multiples<L: Lanes, T: Number, const ROWS: usize, const DEPTH: usize>(
    few: *const f32,
    stride: usize,
    many: [*const T; DEPTH],
    width: usize,
    sums: &mut [f32],
) {
    let padded = width.next_multiple_of(L::COUNT);
    assert!(sums.len() >= ROWS * padded);
    // SAFETY: the sums by the assertion, rows and columns by the caller's promise.
    unsafe {
        let mut multiples = [[L::splat(0.0); DEPTH]; ROWS];
        for r in 0..ROWS {
            for q in 0..DEPTH {
                multiples[r][q] = L::splat(*few.add(r * stride + q));
            }
        }
        let sums = sums.as_mut_ptr();
        for at in (0..padded).step_by(L::COUNT) {
            let mut row = [L::splat(0.0); DEPTH];
            for q in 0..DEPTH {
                row[q] = if at + L::COUNT <= width {
                    T::load::<L>(many[q].add(at))
                } else {
                    load_first::<L, T>(many[q].add(at), width - at)
                };
            }
            for r in 0..ROWS {
                let place = sums.add(r * padded + at);
                let mut sum = L::load(place);
                for q in 0..DEPTH {
                    sum = L::multiply_add(multiples[r][q], row[q], sum);
                }
                L::store(sum, place);
            }
        }
    }
}

/// [`sum_tile_of`] with as many rows as there are.
#[allow(clippy::too_many_arguments, reason = "a tile's two inputs, its output and its place there")]
#[inline(always)]
unsafe fn sum_tile<L: Lanes, T: Number>(
    few: Few,
    many: *const T,
    stride: usize,
    width: usize,
    out: Output,
    i: usize,
    j: usize,
    into: Into,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match few.rows {
            1 => sum_tile_of::<L, T, 1>(few, many, stride, width, out, i, j, into),
            2 => sum_tile_of::<L, T, 2>(few, many, stride, width, out, i, j, into),
            3 => sum_tile_of::<L, T, 3>(few, many, stride, width, out, i, j, into),
            4 => sum_tile_of::<L, T, 4>(few, many, stride, width, out, i, j, into),
            5 => sum_tile_of::<L, T, 5>(few, many, stride, width, out, i, j, into),
            _ => sum_tile_of::<L, T, 6>(few, many, stride, width, out, i, j, into),
        }
    }
}

/// `out (ROWS, width) = few (ROWS, inputs) · many (inputs, TILE_VECTORS · COUNT)`.
#[allow(clippy::too_many_arguments, reason = "a tile's two inputs, its output and its place there")]
#[inline(always)]
unsafe fn sum_tile_of<L: Lanes, T: Number, const ROWS: usize>(
    few: Few,
    many: *const T,
    stride: usize,
    width: usize,
    out: Output,
    i: usize,
    j: usize,
    into: Into,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[L::splat(0.0); TILE_VECTORS]; ROWS];
        for p in 0..few.inputs {
            let row = many.add(p * stride);
            let mut columns = [L::splat(0.0); TILE_VECTORS];
            for c in 0..TILE_VECTORS {
                columns[c] = T::load::<L>(row.add(c * L::COUNT));
            }
            for r in 0..ROWS {
                let multiple = L::splat(*few.numbers.add(r * few.stride + p));
                for c in 0..TILE_VECTORS {
                    sums[r][c] = L::multiply_add(multiple, columns[c], sums[r][c]);
                }
            }
        }
        let mut numbers = [0f32; 64];
        for (r, sums) in sums.iter().enumerate() {
            for (c, &sum) in sums.iter().enumerate() {
                L::store(sum, numbers.as_mut_ptr().add(c * L::COUNT));
            }
            out.put_row(i + r, j, &numbers[..width], into);
        }
    }
}
