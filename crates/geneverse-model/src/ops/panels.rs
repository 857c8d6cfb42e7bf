//! Products of many rows by vectors.
//!
//! Panels of b, some vectors wide, are copied into the order in which they are multiplied; rows of a are read where they lie,
//! number by number. The sums of some rows with a panel stay in registers. A task copies the panels of its columns by itself
//! and multiplies them with all of its rows, so that a product is one loop of tasks which wait for nothing.
//!
//! The order of summation depends on the numbers of inputs only, not on the number of threads.
#![allow(clippy::needless_range_loop, reason = "r and c are a register tile's rows and vectors throughout")]

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::few_rows::Output;
use super::lanes::{Kernel, Lanes, Machine, machine, on};
use super::matmul::{Into, Matrix, Term, Threads};
use super::numbers::{Bf16, F16, Number, Slice};

/// Inputs that a panel holds at most: the more, the less often sums go to the output and back.
const INPUTS: usize = 384;

/// Numbers of b that a task has copied at once: half of a second-level cache.
const RESIDENT: usize = 1 << 17;

/// Rows of a product, at least. With fewer, copying b takes too large a part of the time.
const LEAST: usize = 32;

/// Rows of a that are copied at once, where they do not lie row after row.
const ROWS: usize = 96;

/// Tasks for each thread, so that one which is held up does not hold up the product.
const TASKS: usize = 2;

/// Multiply-adds of a task, at least: 20 µs.
const WORTH: usize = 1 << 20;

/// Rows of a task that shares its columns with others, at least: with fewer, copying b costs more than a tenth.
const LEAST_ROWS: usize = 128;

/// Rows that all kinds of register tiles divide.
const STEP: usize = 24;

/// Vectors across the widest panel.
const WIDEST: usize = 4;

/// Whether [`products`] takes such a product: the machine has vectors, both operands lie in contiguous rows or columns, and there
/// are enough rows.
pub(crate) fn worthwhile((m, n, k): (usize, usize, usize), a: Matrix<'_>, b: Matrix<'_>) -> bool {
    let contiguous = (a.row == 1 || a.column == 1) && (b.row == 1 || b.column == 1);
    contiguous
        && matches!(a.data, Slice::F32(_))
        && m >= LEAST
        && n >= 4
        && k >= 1
        && machine() > Machine::Plain
}

/// A sum of products, and where it goes.
pub(crate) struct Sums<'a> {
    pub(crate) terms: &'a [Term<'a>],
    pub(crate) n: usize,
    pub(crate) out: Output,
}

thread_local! {
    /// Panels of b, and rows of a. Taken, not borrowed: a thread that waits for others may begin another product.
    static SCRATCH: Cell<[Vec<f32>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// The sums, each of `m` rows.
///
/// # Safety
/// Operands and outputs have their shapes, nobody else touches the outputs, and [`worthwhile`] says so of each term.
pub(crate) unsafe fn products(m: usize, all: &[Sums<'_>], threads: Threads) {
    let inputs = |sums: &Sums<'_>| sums.terms.iter().map(|term| term.k).sum::<usize>();
    let work: usize = all.iter().map(|sums| m * sums.n * inputs(sums)).sum();
    let most = if threads == Threads::All { TASKS * rayon::current_num_threads() } else { 1 };
    let tasks = (work / WORTH).clamp(1, most);
    let machine = machine();
    let lanes = if machine == Machine::Avx512 { 16 } else { 8 };
    // Columns are shared out by vectors: as many for each task, within one.
    let vectors: Vec<Vector<'_>> = all
        .iter()
        .flat_map(|sums| (0..sums.n).step_by(lanes).map(move |first| Vector { sums, first }))
        .collect();
    let across = vectors.len().div_ceil(WIDEST).min(tasks);
    let down = tasks.div_ceil(across).min(m.div_ceil(LEAST_ROWS));
    let height = m.div_ceil(down).next_multiple_of(STEP);
    let down = m.div_ceil(height);
    let task = |index: usize| {
        let (i, part) = (index / across * height, index % across);
        let vectors = &vectors[vectors.len() * part / across..vectors.len() * (part + 1) / across];
        // SAFETY: it is the machine at hand.
        unsafe { on(machine, Task { rows: i..m.min(i + height), vectors }) };
    };
    if across * down == 1 {
        task(0);
    } else {
        (0..across * down).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Columns of a sum from one on, as many as a vector has.
struct Vector<'a> {
    sums: &'a Sums<'a>,
    first: usize,
}

/// Some rows of some columns.
struct Task<'a> {
    rows: Range<usize>,
    vectors: &'a [Vector<'a>],
}

/// Columns of a sum that are computed together.
struct Panel<'a> {
    sums: &'a Sums<'a>,
    first: usize,
    /// Columns that there are.
    width: usize,
    vectors: usize,
    /// Which pieces of its terms are summed at once.
    pieces: Range<usize>,
    /// Where its columns lie in the copy.
    start: usize,
    into: Into,
}

/// Some inputs of a term.
struct Piece<'a> {
    term: &'a Term<'a>,
    inputs: Range<usize>,
    /// Inputs of pieces that are summed before it.
    before: usize,
    /// Of the first of the task's rows, the first of these inputs.
    left: Left,
}

impl Piece<'_> {
    /// Where its first input lies in the copy of a panel.
    fn start<L: Lanes>(&self, panel: &Panel<'_>) -> usize {
        panel.start + self.before * panel.vectors * L::COUNT
    }
}

/// Where numbers of a are read.
#[derive(Clone, Copy)]
struct Left {
    start: *const f32,
    row: usize,
    column: usize,
}

impl Left {
    fn at(self, i: usize, p: usize) -> *const f32 {
        self.start.wrapping_add(i * self.row + p * self.column)
    }
}

impl Kernel for Task<'_> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut scratch = SCRATCH.take();
        let mut vectors = self.vectors;
        while let Some(vector) = vectors.first() {
            // As many as are at hand at once.
            let inputs: usize = vector.sums.terms.iter().map(|term| term.k).sum();
            let several = RESIDENT / (inputs.clamp(1, INPUTS) * L::COUNT) / WIDEST * WIDEST;
            let (some, rest) = vectors.split_at(several.clamp(1, vectors.len()));
            vectors = rest;
            let passes = of_sums(some).map(|(sums, _)| passes(sums.terms).count()).max().unwrap_or(0);
            for pass in 0..passes {
                // SAFETY: the caller's promise.
                unsafe { self.multiply::<L>(some, pass, &mut scratch) };
            }
        }
        SCRATCH.set(scratch);
    }
}

/// Columns by the sums that they are of.
fn of_sums<'s, 'a>(vectors: &'s [Vector<'a>]) -> impl Iterator<Item = (&'a Sums<'a>, &'s [Vector<'a>])> {
    let chunks = vectors.chunk_by(|one, other| std::ptr::eq(one.sums, other.sums));
    chunks.map(|vectors| (vectors[0].sums, vectors))
}

/// What of the terms is summed before it goes to the output: some inputs of one, or some terms.
fn passes<'a>(terms: &'a [Term<'a>]) -> impl Iterator<Item = Vec<(&'a Term<'a>, Range<usize>)>> {
    let (mut number, mut from) = (0, 0);
    std::iter::from_fn(move || {
        let (mut pass, mut room) = (Vec::with_capacity(terms.len() - number), INPUTS);
        while room > 0 && number < terms.len() {
            let term = &terms[number];
            let end = term.k.min(from + room);
            room -= end - from;
            pass.push((term, from..end));
            (number, from) = if end < term.k { (number, end) } else { (number + 1, 0) };
        }
        (!pass.is_empty()).then_some(pass)
    })
}

impl Task<'_> {
    /// One pass of some columns.
    ///
    /// # Safety
    /// The machine has `L`; operands and outputs are as [`products`] asks.
    #[inline(always)]
    unsafe fn multiply<L: Lanes>(
        &self,
        vectors: &[Vector<'_>],
        pass: usize,
        [of_b, of_a]: &mut [Vec<f32>; 2],
    ) {
        let (mut panels, mut pieces, mut start) = (Vec::with_capacity(vectors.len()), Vec::new(), 0);
        let most = if L::ROWS == 6 { WIDEST } else { 2 };
        for (sums, vectors) in of_sums(vectors) {
            let Some(some) = passes(sums.terms).nth(pass) else { continue };
            let into = if pass == 0 { sums.out.into } else { Into::Added };
            let (of_pass, mut before) = (pieces.len()..pieces.len() + some.len(), 0);
            for (term, inputs) in some {
                let Slice::F32(a) = term.a.data else { unreachable!("only f32 is worthwhile") };
                let (row, column, depth) = (term.a.row, term.a.column, inputs.len());
                let at = a.as_ptr().wrapping_add(self.rows.start * row + inputs.start * column);
                pieces.push(Piece { term, inputs, before, left: Left { start: at, row, column } });
                before += depth;
            }
            for vectors in vectors.chunks(most) {
                let (first, across) = (vectors[0].first, vectors.len() * L::COUNT);
                let (width, pieces) = (across.min(sums.n - first), of_pass.clone());
                panels.push(Panel { sums, first, width, vectors: vectors.len(), pieces, start, into });
                start += across * before;
            }
        }
        if of_b.len() < start {
            of_b.resize(start, 0.0);
        }
        for panel in &panels {
            for piece in &pieces[panel.pieces.clone()] {
                let numbers = panel.vectors * L::COUNT * piece.inputs.len();
                let to = &mut of_b[piece.start::<L>(panel)..][..numbers];
                // SAFETY: the caller's promise.
                unsafe {
                    match piece.term.b.data {
                        Slice::F32(data) => pack::<L, f32>(data, panel, piece, to),
                        Slice::Bf16(bits) => pack::<L, Bf16>(Bf16::all(bits), panel, piece, to),
                        Slice::F16(bits) => pack::<L, F16>(F16::all(bits), panel, piece, to),
                    }
                }
                if piece.term.scale != 1.0 {
                    to.iter_mut().for_each(|number| *number *= piece.term.scale);
                }
            }
        }
        // Where inputs lie far apart, each is on a page of its own: that pays for a copy, unless they are read once or twice.
        let far = pieces.first().filter(|piece| piece.left.column != 1);
        let alike = |far: &&Piece<'_>| {
            panels.len() > 2
                && panels.iter().all(|panel| panel.pieces.len() == 1)
                && pieces.iter().all(|piece| std::ptr::eq(piece.left.start, far.left.start))
        };
        let copied = far.filter(alike).map(|far| (far.left, far.inputs.len()));
        let together = if copied.is_some() { ROWS } else { self.rows.len() };
        for first in (0..self.rows.len()).step_by(together) {
            let rows = first..self.rows.len().min(first + together);
            let mut copy = None;
            if let Some((far, depth)) = copied {
                if of_a.len() < ROWS * depth {
                    of_a.resize(ROWS * depth, 0.0);
                }
                for (to, i) in of_a.chunks_exact_mut(depth).zip(rows.clone()) {
                    for (p, to) in to.iter_mut().enumerate() {
                        // SAFETY: the caller's promise.
                        *to = unsafe { far.at(i, p).read_unaligned() };
                    }
                }
                // So that its rows are counted as those of a.
                let start = of_a.as_ptr().wrapping_sub(first * depth);
                copy = Some(Left { start, row: depth, column: 1 });
            }
            // SAFETY: the caller's promise; panels are copied.
            unsafe { self.rows_with::<L>(rows, copy, (&panels, &pieces), of_b) };
        }
    }

    /// # Safety
    /// As [`Task::multiply`].
    #[inline(always)]
    unsafe fn rows_with<L: Lanes>(
        &self,
        rows: Range<usize>,
        copy: Option<Left>,
        (panels, pieces): (&[Panel<'_>], &[Piece<'_>]),
        b: &[f32],
    ) {
        for i in rows.clone().step_by(STEP) {
            for panel in panels {
                let Panel { sums, first, width, into, .. } = *panel;
                let (out, pieces) =
                    (sums.out.at(self.rows.start + i, first, into), &pieces[panel.pieces.clone()]);
                let b = &b[panel.start..];
                let tile = Tile { first: i, rows: STEP.min(rows.end - i), pieces, copy, b, width, out };
                // SAFETY: the caller's promise.
                unsafe {
                    match panel.vectors {
                        4 => tile.put::<L, 4, 6>(),
                        3 => tile.put::<L, 3, 8>(),
                        2 if L::ROWS == 6 => tile.put::<L, 2, 8>(),
                        2 => tile.put::<L, 2, 6>(),
                        _ => tile.put::<L, 1, 8>(),
                    }
                }
            }
        }
    }
}

/// Some rows of a panel's sums, and where they go.
struct Tile<'a> {
    /// The first row, counted from the task's.
    first: usize,
    rows: usize,
    pieces: &'a [Piece<'a>],
    /// Where rows of a lie, if not in a.
    copy: Option<Left>,
    b: &'a [f32],
    width: usize,
    out: Output,
}

impl Tile<'_> {
    /// # Safety
    /// The machine has `L`; rows, the panel of `V` vectors and the output are as promised.
    #[inline(always)]
    unsafe fn put<L: Lanes, const V: usize, const R: usize>(&self) {
        for i in (0..self.rows).step_by(R) {
            let count = R.min(self.rows - i);
            // SAFETY: the caller's promise.
            unsafe {
                let mut sums = [[L::splat(0.0); V]; R];
                for piece in self.pieces {
                    let left = self.copy.unwrap_or(piece.left);
                    let mut rows = [left.start; R];
                    for r in 0..R {
                        // The last row stands in for those past it, whose sums are not kept.
                        rows[r] = left.at(self.first + i + r.min(count - 1), 0);
                    }
                    let b = self.b.as_ptr().wrapping_add(piece.before * V * L::COUNT);
                    sums = add::<L, V, R>(sums, &rows, left.column, b, piece.inputs.len());
                }
                if count == R && self.width == V * L::COUNT {
                    // Counted by constants, sums go from their registers right to the output.
                    for r in 0..R {
                        self.put_whole::<L, V>(i + r, &sums[r]);
                    }
                } else {
                    for r in 0..count {
                        self.put_row::<L, V>(i + r, &sums[r]);
                    }
                }
            }
        }
    }

    /// # Safety
    /// As [`Self::put`].
    #[inline(always)]
    unsafe fn put_whole<L: Lanes, const V: usize>(&self, i: usize, sums: &[L::Vector; V]) {
        let Output { start, row, scale, into, .. } = self.out;
        // SAFETY: the caller's promise.
        unsafe {
            let scale = L::splat(scale);
            for c in 0..V {
                let place = start.wrapping_add(i * row + c * L::COUNT);
                let before = if into == Into::Added { L::load(place) } else { L::splat(0.0) };
                L::store(L::multiply_add(sums[c], scale, before), place);
            }
        }
    }

    /// # Safety
    /// As [`Self::put`].
    #[inline(always)]
    unsafe fn put_row<L: Lanes, const V: usize>(&self, i: usize, sums: &[L::Vector; V]) {
        let mut padded = [0f32; WIDEST * super::math::LANES];
        // SAFETY: the caller's promise.
        unsafe {
            for c in 0..V {
                L::store(sums[c], padded.as_mut_ptr().wrapping_add(c * L::COUNT));
            }
            self.out.put_row(i, &padded[..self.width]);
        }
    }
}

/// Adds the products of `R` rows with `V` vectors of columns.
///
/// # Safety
/// The machine has `L`; rows have so many inputs, `column` apart, and so has the panel.
#[inline(always)]
unsafe fn add<L: Lanes, const V: usize, const R: usize>(
    mut sums: [[L::Vector; V]; R],
    rows: &[*const f32; R],
    column: usize,
    mut b: *const f32,
    inputs: usize,
) -> [[L::Vector; V]; R] {
    // SAFETY: the caller's promise. Reading without asking for alignment leaves the checks of a debug build out of the loop.
    unsafe {
        let mut columns = [L::splat(0.0); V];
        let mut at = 0;
        for _ in 0..inputs {
            for c in 0..V {
                columns[c] = L::load(b.wrapping_add(c * L::COUNT));
            }
            for r in 0..R {
                let multiple = L::splat(rows[r].wrapping_add(at).read_unaligned());
                for c in 0..V {
                    sums[r][c] = L::multiply_add(multiple, columns[c], sums[r][c]);
                }
            }
            at += column;
            b = b.wrapping_add(V * L::COUNT);
        }
        sums
    }
}

/// Copies a panel: for each input, its columns one after another, and zeros past them.
///
/// # Safety
/// The machine has `L`; columns and inputs are inside of the matrix, which is contiguous in one of them.
#[inline(always)]
unsafe fn pack<L: Lanes, T: Number>(data: &[T], panel: &Panel<'_>, piece: &Piece<'_>, to: &mut [f32]) {
    let (b, inputs) = (piece.term.b, piece.inputs.clone());
    let across = panel.vectors * L::COUNT;
    let from = |p: usize, j: usize| {
        data.as_ptr().wrapping_add((inputs.start + p) * b.row + (panel.first + j) * b.column)
    };
    // SAFETY: the caller's promise.
    unsafe {
        if b.column == 1 {
            for (p, to) in to.chunks_exact_mut(across).enumerate() {
                for j in (0..across).step_by(L::COUNT) {
                    let to = to.as_mut_ptr().wrapping_add(j);
                    if j + L::COUNT <= panel.width {
                        L::store(T::load::<L>(from(p, j)), to);
                    } else {
                        let left = panel.width.saturating_sub(j);
                        L::store(super::few_rows::load_first::<L, T>(from(p, j), left), to);
                    }
                }
            }
            return;
        }
        let whole = inputs.len() - inputs.len() % L::COUNT;
        for j in (0..across).step_by(L::COUNT) {
            let columns = L::COUNT.min(panel.width.saturating_sub(j));
            for p in (0..whole).step_by(L::COUNT) {
                let place = to.as_mut_ptr().wrapping_add(p * across + j);
                let mut lines = [L::splat(0.0); super::math::LANES];
                for c in 0..L::COUNT {
                    if c < columns {
                        lines[c] = T::load::<L>(from(p, j + c));
                    }
                }
                L::transpose(&mut lines);
                for q in 0..L::COUNT {
                    L::store(lines[q], place.wrapping_add(q * across));
                }
            }
            for p in whole..inputs.len() {
                for c in 0..L::COUNT {
                    let number = if c < columns { from(p, j + c).read_unaligned().widened() } else { 0.0 };
                    to.as_mut_ptr().wrapping_add(p * across + j + c).write_unaligned(number);
                }
            }
        }
    }
}
