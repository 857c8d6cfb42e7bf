//! Columns that are contiguous: a register tile of dot products, some rows by some columns.
#![allow(clippy::needless_range_loop, reason = "r and c are a tile's rows and columns throughout")]

use std::ops::Range;

use super::{DEPTH, Few, Into, Many, Output, load_first};
use crate::ops::lanes::{Kernel, Lanes};
use crate::ops::numbers::Number;

/// The products with some of the columns.
pub(super) struct Dots<T> {
    pub(super) few: Few,
    pub(super) many: Many<T>,
    pub(super) columns: Range<usize>,
    pub(super) out: Output,
}

impl<T: Number> Kernel for Dots<T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            // One or two rows need more columns to keep the multipliers busy.
            if self.few.rows <= 2 { self.tiles::<L, 8>() } else { self.tiles::<L, 4>() }
        }
    }
}

impl<T: Number> Dots<T> {
    /// # Safety
    /// The machine has `L`; rows, columns and output are inside their buffers.
    #[inline(always)]
    unsafe fn tiles<L: Lanes, const COLUMNS: usize>(&self) {
        let Few { rows, inputs, row: stride, .. } = self.few;
        let height = rows.div_ceil(rows.div_ceil(L::ROWS));
        let depth = if height == rows { inputs.max(1) } else { DEPTH };
        for first in self.columns.clone().step_by(COLUMNS) {
            let count = COLUMNS.min(self.columns.end - first);
            for p in (0..inputs.max(1)).step_by(depth) {
                let into = if p == 0 { self.out.into } else { Into::Added };
                let mut columns = [self.many.numbers; COLUMNS];
                for c in 0..COLUMNS {
                    // The last column stands in for those past it, whose products are not kept.
                    columns[c] = self.many.at(p, first + c.min(count - 1));
                }
                for i in (0..rows).step_by(height) {
                    let out = self.out.at(i, first, into);
                    let inputs = depth.min(inputs - p);
                    let tile = Tile { rows: self.few.at(i, p), stride, columns, inputs, count, out };
                    // SAFETY: as many rows as there are, the rest as the caller promises.
                    unsafe {
                        match height.min(rows - i) {
                            1 => tile.put::<L, 1>(),
                            2 => tile.put::<L, 2>(),
                            3 => tile.put::<L, 3>(),
                            4 => tile.put::<L, 4>(),
                            5 => tile.put::<L, 5>(),
                            _ => tile.put::<L, 6>(),
                        }
                    }
                }
            }
        }
    }
}

/// Dot products of some rows, `stride` apart, with some columns, of which `count` are kept.
struct Tile<T, const COLUMNS: usize> {
    rows: *const f32,
    stride: usize,
    columns: [*const T; COLUMNS],
    inputs: usize,
    count: usize,
    out: Output,
}

impl<T: Number, const COLUMNS: usize> Tile<T, COLUMNS> {
    /// # Safety
    /// The machine has `L`; `ROWS` rows and the columns have `inputs` numbers, the output has their place.
    #[inline(always)]
    unsafe fn put<L: Lanes, const ROWS: usize>(&self) {
        // SAFETY: no load ends after `inputs`, and the output is as the caller promises.
        unsafe {
            let mut sums = [[L::splat(0.0); COLUMNS]; ROWS];
            let mut columns = [L::splat(0.0); COLUMNS];
            let whole = self.inputs - self.inputs % L::COUNT;
            for p in (0..whole).step_by(L::COUNT) {
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
            let rest = self.inputs - whole;
            if rest > 0 {
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
            for r in 0..ROWS {
                for c in 0..COLUMNS {
                    if c < self.count {
                        self.out.put(r, c, L::sum(sums[r][c]));
                    }
                }
            }
        }
    }
}
