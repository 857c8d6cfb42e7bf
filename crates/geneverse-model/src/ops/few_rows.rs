//! Products of a few rows with a whole matrix, read once and as it lies.
//!
//! A general product copies its operands into an order that suits its inner loop, which pays when every
//! number is used many times. With few rows (decoding one token of each sequence, the thin matrices of
//! adapters) the copy costs more than the product. Two kernels do without, one for each way a matrix can lie:
//! [`dots`] where every column is contiguous (x·Wᵀ, W being outputs by inputs), [`sums`] where every row is
//! (x·W, W being inputs by outputs).
//!
//! In both, the order of summation depends on the shape of the product only, not on the number of threads.

mod dots;
mod sums;

use std::cell::Cell;

use rayon::prelude::*;

use self::dots::Dots;
use self::sums::Sums;
use super::lanes::{Lanes, on_this_machine};
use super::matmul::{Into, Matrix, Threads};
use super::numbers::{Bf16, F16, Number, Slice};

/// Numbers of the matrix worth handing to another thread, up to eight rows; more rows make a number more
/// work. Waking a thread takes 5 to 15 µs, this many numbers 10 from the second-level cache.
const PIECE: usize = 1 << 18;

/// Pieces for each thread, so that one which is held up does not hold up the product.
const PIECES_PER_THREAD: usize = 4;

/// Inputs that a tile goes through before the next rows have their turn, when there are more rows than a tile
/// has: the tile's part of the matrix then stays in the first-level cache.
const DEPTH: usize = 1024;

thread_local! {
    // Taken, not borrowed: a thread that waits for others may begin another product.
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
    pub(crate) fn at(self, i: usize, j: usize, into: Into) -> Self {
        Self { start: self.start.wrapping_add(i * self.row + j * self.column), into, ..self }
    }

    /// Writes the element (i, j).
    ///
    /// # Safety
    /// It is inside the buffer, and no other thread touches it.
    #[inline(always)]
    unsafe fn put(&self, i: usize, j: usize, sum: f32) {
        // SAFETY: as the caller promises.
        unsafe {
            let place = self.start.add(i * self.row + j * self.column);
            *place = match self.into {
                Into::Fresh => self.scale * sum,
                Into::Added => *place + self.scale * sum,
            };
        }
    }

    /// Writes the first elements of row `i`.
    ///
    /// # Safety
    /// They are inside the buffer, and no other thread touches them.
    #[inline(always)]
    pub(super) unsafe fn put_row(&self, i: usize, sums: &[f32]) {
        if self.column != 1 {
            for (j, &sum) in sums.iter().enumerate() {
                // SAFETY: as the caller promises.
                unsafe { self.put(i, j, sum) };
            }
            return;
        }
        // SAFETY: these elements are contiguous, inside the buffer and nobody else's, as the caller promises.
        let places = unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.row), sums.len()) };
        let places = places.iter_mut().zip(sums);
        match self.into {
            Into::Fresh => places.for_each(|(place, sum)| *place = self.scale * sum),
            Into::Added => places.for_each(|(place, sum)| *place += self.scale * sum),
        }
    }
}

/// Whether [`product`] takes such a matrix and is faster than copying it.
///
/// The longer a dot product, the less it matters that its lanes have to be added up in the end; the more
/// rows, the less it matters that a general product copies the matrix. Measured against `gemm` and blocks of
/// it on AMD Zen 5, for matrices of 64 to 4096 inputs and 512 to 4096 outputs. Contiguous rows of f32 `gemm`
/// uses as they lie: it is slower only with one or two rows, which it leaves to one thread.
pub(crate) fn worthwhile(rows: usize, inputs: usize, b: Matrix<'_>) -> bool {
    match b.data {
        _ if b.row == 1 => rows <= long_enough(inputs).min(96),
        Slice::F32(_) => b.column == 1 && rows <= sums::STREAMED,
        Slice::Bf16(_) | Slice::F16(_) => b.column == 1 && rows <= 64,
    }
}

/// Whether [`product`] with exchanged roles, the few columns of b as its rows, is faster than `gemm`.
///
/// Over contiguous rows it is twice as fast at 8 columns and no faster at 24, over contiguous columns two and
/// a half times as fast at 8 and still faster at 24.
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
/// The slices hold these shapes, the output is inside one buffer that nobody else touches, and the columns or
/// the rows of b are contiguous.
pub(crate) unsafe fn product(
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: Output,
    threads: Threads,
) {
    let mut scratch = ROWS.take();
    let few = match a.data {
        // Sums read rows number by number, dot products by vectors.
        Slice::F32(numbers) if a.column == 1 || b.row != 1 => {
            Few { numbers: numbers.as_ptr(), rows: m, inputs: k, row: a.row, column: a.column }
        }
        _ => {
            a.copy_rows(m, k, &mut scratch);
            Few { numbers: scratch.as_ptr(), rows: m, inputs: k, row: k, column: 1 }
        }
    };
    // SAFETY: the caller's promises, and the copy has the same shape.
    unsafe {
        match b.data {
            Slice::F32(numbers) => spread(few, Many::new(numbers, b), n, out, threads),
            Slice::Bf16(bits) => spread(few, Many::new(Bf16::all(bits), b), n, out, threads),
            Slice::F16(bits) => spread(few, Many::new(F16::all(bits), b), n, out, threads),
        }
    }
    ROWS.set(scratch);
}

/// Rows of f32, each contiguous for dot products.
#[derive(Clone, Copy)]
struct Few {
    numbers: *const f32,
    rows: usize,
    inputs: usize,
    row: usize,
    column: usize,
}

/// A matrix of which columns or rows are contiguous.
#[derive(Clone, Copy)]
struct Many<T> {
    numbers: *const T,
    row: usize,
    column: usize,
}

// SAFETY: it is only read.
unsafe impl Sync for Few {}
// SAFETY: it is only read.
unsafe impl<T: Number> Sync for Many<T> {}

impl Few {
    /// From row `i` and input `p` on.
    fn at(self, i: usize, p: usize) -> *const f32 {
        self.numbers.wrapping_add(i * self.row + p * self.column)
    }
}

impl<T: Number> Many<T> {
    fn new(numbers: &[T], strides: Matrix<'_>) -> Self {
        Self { numbers: numbers.as_ptr(), row: strides.row, column: strides.column }
    }

    /// From input `p` and column `j` on.
    fn at(self, p: usize, j: usize) -> *const T {
        self.numbers.wrapping_add(p * self.row + j * self.column)
    }
}

/// Divides the columns among threads.
///
/// # Safety
/// As [`product`] says.
unsafe fn spread<T: Number>(few: Few, many: Many<T>, n: usize, out: Output, threads: Threads) {
    let pieces = match threads {
        Threads::One => 1,
        Threads::All => {
            let work = n * few.inputs * few.rows.div_ceil(8);
            (work / PIECE).clamp(1, rayon::current_num_threads() * PIECES_PER_THREAD)
        }
    };
    // A multiple of every tile's width.
    let width = n.div_ceil(pieces).next_multiple_of(64);
    // Whole structs, so that the closure borrows these and not the pointers in them.
    let (few, many, out) = (&few, &many, &out);
    let piece = |first: usize| {
        let columns = first..(first + width).min(n);
        if many.row == 1 {
            on_this_machine(Dots { few: *few, many: *many, columns, out: *out });
        } else {
            on_this_machine(Sums { few: *few, many: *many, columns, out: *out });
        }
    };
    if width >= n {
        piece(0);
    } else {
        (0..n.div_ceil(width)).into_par_iter().for_each(|i| piece(i * width));
    }
}

/// The numbers from `at` on, fewer than a vector, and zeros.
///
/// # Safety
/// `count` numbers lie there, and the machine has `L`.
#[inline(always)]
pub(super) unsafe fn load_first<L: Lanes, T: Number>(at: *const T, count: usize) -> L::Vector {
    let mut padded = [T::default(); super::math::LANES];
    // SAFETY: the caller's promise; the array is as long as the longest vector.
    unsafe {
        std::ptr::copy_nonoverlapping(at, padded.as_mut_ptr(), count);
        T::load::<L>(padded.as_ptr())
    }
}
