//! Gradients of an adapter's matrices: sums over many rows of products of a few numbers with a wide row, leftᵀ · right.
//!
//! The wide rows are read once and one after another, as memory likes it: some rows at a time are added to sums that stay in the
//! first-level cache. A general product reads them in strips, a row of which is on a page of its own, and fills half a vector with
//! eight columns.
//!
//! The order of summation depends on the number of rows only.
#![allow(clippy::needless_range_loop, reason = "r and q are sums and rows throughout")]

use rayon::prelude::*;

use super::few_rows::load_first;
use super::lanes::{Kernel, Lanes, Machine, machine, on};
use super::math::LANES;
use super::matmul::{Into, Threads, product, rows, transposed};
use super::tiles;

/// Numbers on the left, at most: with more, what is summed does not stay in the cache, and a general product is as good.
const MOST: usize = 32;

/// Rows that are added at once.
const ROWS: usize = 8;

/// Columns of a task are a multiple of these, so that no two tasks sum in one line of the cache.
const COLUMNS: usize = 64;

/// Tasks for each thread, so that one which is held up does not hold up the others.
const TASKS: usize = 2;

/// `scale · leftᵀ · right`, to be added to numbers that lie as `out` says.
pub(crate) struct Thin<'a> {
    /// (n, rank), rows `left_stride` apart.
    pub(crate) left: &'a [f32],
    pub(crate) left_stride: usize,
    pub(crate) rank: usize,
    /// (n, width), rows `right_stride` apart.
    pub(crate) right: &'a [f32],
    pub(crate) right_stride: usize,
    pub(crate) width: usize,
    pub(crate) scale: f32,
    pub(crate) out: Lies,
    /// Where the sums begin among all.
    pub(crate) first: usize,
}

/// How sums lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// (rank, width)
    Across,
    /// (width, rank)
    Down,
}

/// Adds sums over `n` rows to `all`.
pub(crate) fn add(n: usize, thin: &[Thin<'_>], all: &mut [f32]) {
    if n == 0 {
        return;
    }
    let (by_vectors, others): (Vec<&Thin<'_>>, Vec<_>) = thin.iter().partition(|thin| thin.by_vectors(n));
    for thin in others {
        thin.product(n, all);
    }
    let machine = machine();
    let work: usize = by_vectors.iter().map(|thin| thin.rank * thin.width).sum();
    let share = work.div_ceil(TASKS * rayon::current_num_threads());
    let tasks = by_vectors.into_iter().flat_map(|thin| {
        let columns = share.div_ceil(thin.rank).next_multiple_of(COLUMNS);
        (0..thin.width).step_by(columns).map(move |first| (thin, first, columns.min(thin.width - first)))
    });
    let tasks: Vec<_> = tasks.collect();
    let sums: Vec<_> = tasks
        .into_par_iter()
        .with_max_len(1)
        .map(|(thin, first, columns)| (thin, first, columns, thin.sums(machine, n, first, columns)))
        .collect();
    for (thin, first, columns, sums) in sums {
        for (r, sums) in sums.chunks_exact(columns.next_multiple_of(LANES)).enumerate() {
            let (place, step) = match thin.out {
                Lies::Across => (thin.first + r * thin.width + first, 1),
                Lies::Down => (thin.first + first * thin.rank + r, thin.rank),
            };
            let places = all[place..].iter_mut().step_by(step);
            places.zip(&sums[..columns]).for_each(|(sum, more)| *sum += thin.scale * more);
        }
    }
}

impl Thin<'_> {
    fn by_vectors(&self, n: usize) -> bool {
        let (a, b) = (transposed(self.left, self.left_stride), rows(self.right, self.right_stride));
        let tiles = tiles::worthwhile((self.width, self.rank, n), b.transpose(), a.transpose())
            || tiles::worthwhile((self.rank, self.width, n), a, b);
        self.rank <= MOST && machine() > Machine::Plain && !tiles
    }

    fn product(&self, n: usize, all: &mut [f32]) {
        let Self { rank, width, scale, .. } = *self;
        let (all, into, threads) = (&mut all[self.first..], Into::Added, Threads::All);
        match self.out {
            Lies::Across => {
                let (a, b) = (transposed(self.left, self.left_stride), rows(self.right, self.right_stride));
                product((rank, width, n), scale, a, b, all, width, into, threads);
            }
            Lies::Down => {
                let (a, b) = (transposed(self.right, self.right_stride), rows(self.left, self.left_stride));
                product((width, rank, n), scale, a, b, all, rank, into, threads);
            }
        }
    }

    /// The sums of some columns: a row for each number on the left, of a whole number of vectors.
    fn sums(&self, machine: Machine, n: usize, first: usize, columns: usize) -> Vec<f32> {
        let padded = columns.next_multiple_of(LANES);
        let mut sums = vec![0.0; self.rank * padded];
        let left = &self.left[..(n - 1) * self.left_stride + self.rank];
        let right = &self.right[first..(n - 1) * self.right_stride + first + columns];
        let part = Part { thin: self, n, left, right, columns, padded, sums: &mut sums };
        // SAFETY: it is the machine at hand.
        unsafe { on(machine, part) };
        sums
    }
}

/// Some columns.
struct Part<'a> {
    thin: &'a Thin<'a>,
    n: usize,
    left: &'a [f32],
    right: &'a [f32],
    columns: usize,
    padded: usize,
    sums: &'a mut [f32],
}

impl Kernel for Part<'_> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let whole = self.n - self.n % ROWS;
        // SAFETY: the slices end where these rows do, and sums have room for whole vectors.
        unsafe {
            for p in (0..whole).step_by(ROWS) {
                add_rows::<L, ROWS>(&self, p);
            }
            for p in whole..self.n {
                add_rows::<L, 1>(&self, p);
            }
        }
    }
}

/// Adds some rows from row `p` on.
///
/// # Safety
/// There are so many, and the machine has `L`.
#[inline(always)]
unsafe fn add_rows<L: Lanes, const ROWS: usize>(part: &Part<'_>, p: usize) {
    let Thin { left_stride, right_stride, rank, .. } = *part.thin;
    let left = part.left.as_ptr().wrapping_add(p * left_stride);
    let right = part.right.as_ptr().wrapping_add(p * right_stride);
    let sums = part.sums.as_ptr().cast_mut();
    for at in (0..part.columns).step_by(L::COUNT) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut numbers = [L::splat(0.0); ROWS];
            for q in 0..ROWS {
                let place = right.wrapping_add(q * right_stride + at);
                numbers[q] = if at + L::COUNT <= part.columns {
                    L::load(place)
                } else {
                    load_first::<L, f32>(place, part.columns - at)
                };
            }
            for r in 0..rank {
                let place = sums.wrapping_add(r * part.padded + at);
                let mut sum = L::load(place);
                for q in 0..ROWS {
                    let multiple = L::splat(left.wrapping_add(q * left_stride + r).read_unaligned());
                    sum = L::multiply_add(multiple, numbers[q], sum);
                }
                L::store(sum, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::AT_MOST;
    use super::*;

    #[test]
    fn sums_are_those_in_f64_on_every_machine() {
        let numbers = |len: usize, salt: usize| -> Vec<f32> {
            (0..len).map(|i| ((i * 37 + i / 11 + salt) % 23) as f32 / 2.0 - 5.5).collect()
        };
        for machine in [Machine::Plain, Machine::Avx2, Machine::Avx512] {
            AT_MOST.set(machine);
            for (n, rank, width) in
                [(1, 1, 1), (7, 8, 16), (8, 3, 65), (77, 8, 300), (40, 32, 17), (33, 40, 70)]
            {
                let (left_stride, right_stride) = (rank + 2, width + 5);
                let (left, right) = (numbers(n * left_stride, 0), numbers(n * right_stride, 5));
                let thin = |out, first| Thin {
                    left: &left,
                    left_stride,
                    rank,
                    right: &right,
                    right_stride,
                    width,
                    scale: 0.5,
                    out,
                    first,
                };
                let before = numbers(3 + 2 * rank * width, 9);
                let mut all = before.clone();
                add(n, &[thin(Lies::Across, 3), thin(Lies::Down, 3 + rank * width)], &mut all);
                assert_eq!(all[..3], before[..3]);
                for r in 0..rank {
                    for c in 0..width {
                        let of_row = |p: usize| {
                            f64::from(left[p * left_stride + r]) * f64::from(right[p * right_stride + c])
                        };
                        let sum = 0.5 * (0..n).map(of_row).sum::<f64>();
                        for place in [3 + r * width + c, 3 + rank * width + c * rank + r] {
                            let wanted = f64::from(before[place]) + sum;
                            let found = f64::from(all[place]);
                            assert!((found - wanted).abs() < 1e-3, "{n} {rank} {width}: {found}, {wanted}");
                        }
                    }
                }
            }
        }
    }
}
