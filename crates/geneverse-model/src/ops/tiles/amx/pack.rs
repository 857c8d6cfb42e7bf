//! Copies operands into panels, taken apart into two numbers of bf16 each.
//!
//! Numbers are read in the order in which they lie in memory, whole rows of a block at a time, which machines fetch ahead by
//! themselves; each row of a tile is one line of a cache, and written at once. Where tiles want the other order, they are
//! turned over one by one, and what is next is asked for.

use std::arch::x86_64::*;
use std::ops::Range;

use super::{DEPTH, Matrix, PANEL, Place, ROWS, TILES, steps};
use crate::ops::numbers::{Bf16, F16, Slice};

/// How many tiles before its turn a number is asked for.
const AHEAD: usize = 2;

/// The order of numbers in a tile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Of a: a row's inputs one after another.
    Rows,
    /// Of b: of each two inputs, the pairs of all columns.
    Pairs,
}

/// Where panels of 32 lines begin. Each holds, for each 32 inputs, the two tiles of the first part and then those of the second.
/// Of a the first part is the high one, of b the low one where there are two, as they are multiplied.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub(super) start: Place,
    pub(super) form: Form,
    pub(super) parts: usize,
}

impl To {
    /// Tiles from a first part to its second; 0 where there is but one.
    fn second(self) -> usize {
        (self.parts - 1) * 2
    }
}

/// Copies lines (rows of a, columns of b) into panels one after another. What a tile has no numbers for is zero.
///
/// # Safety
/// Lines and inputs are inside of the matrix, which is contiguous in one of them, and the panels have room.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn pack(matrix: Matrix<'_>, lines: Range<usize>, inputs: Range<usize>, to: To) {
    let (line, input) = match to.form {
        Form::Rows => (matrix.row, matrix.column),
        Form::Pairs => (matrix.column, matrix.row),
    };
    // SAFETY: the caller's promise.
    unsafe {
        match matrix.data {
            Slice::F32(data) => Source { data, line, input, lines, inputs }.pack(to),
            Slice::Bf16(bits) => Source { data: Bf16::all(bits), line, input, lines, inputs }.pack(to),
            Slice::F16(bits) => Source { data: F16::all(bits), line, input, lines, inputs }.pack(to),
        }
    }
}

/// A part of an operand.
struct Source<'a, T> {
    data: &'a [T],
    /// Numbers from a line to the next, from an input to the next.
    line: usize,
    input: usize,
    lines: Range<usize>,
    inputs: Range<usize>,
}

impl<T: Apart> Source<'_, T> {
    /// # Safety
    /// As [`pack`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn pack(&self, to: To) {
        let (steps, blocks) = (steps(&self.inputs), self.lines.len().next_multiple_of(PANEL) / ROWS);
        // Of sixteen lines, the first part's tile of 32 inputs.
        let tile = |block: usize, step: usize| {
            to.start.tile(block / 2 * steps * TILES + step * 2 * to.parts + block % 2)
        };
        let as_they_lie = if self.input == 1 { Form::Rows } else { Form::Pairs };
        if as_they_lie != to.form {
            for (block, step) in (0..blocks).flat_map(|block| (0..steps).map(move |step| (block, step))) {
                // SAFETY: the caller's promise.
                unsafe { self.turned_over((block * ROWS, step * DEPTH), tile(block, step), to) };
            }
        } else if self.input == 1 {
            for line in 0..blocks * ROWS {
                for step in 0..steps {
                    // SAFETY: the caller's promise.
                    unsafe { put(self.along(line, step * DEPTH), tile(line / ROWS, step), line % ROWS, to) };
                }
            }
        } else {
            for pair in 0..steps * ROWS {
                for block in 0..blocks {
                    // SAFETY: the caller's promise.
                    unsafe {
                        put(self.across(block * ROWS, 2 * pair), tile(block, pair / ROWS), pair % ROWS, to)
                    };
                }
            }
        }
    }

    /// A tile's numbers in the other order than they lie in.
    ///
    /// # Safety
    /// As [`pack`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn turned_over(&self, (line, input): (usize, usize), tile: Place, to: To) {
        let [mut highs, mut lows] = [[_mm512_setzero_si512(); ROWS]; 2];
        for (row, (high, low)) in highs.iter_mut().zip(&mut lows).enumerate() {
            // SAFETY: the caller's promise.
            [*high, *low] = unsafe {
                if self.input == 1 {
                    self.ask(line + row, input + AHEAD * DEPTH, ROWS);
                    self.along(line + row, input)
                } else {
                    self.ask(line, input + 2 * row + AHEAD * DEPTH, 1);
                    self.across(line, input + 2 * row)
                }
            };
        }
        let (highs, lows) = (transpose(&highs), transpose(&lows));
        for (row, (high, low)) in highs.into_iter().zip(lows).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { put([high, low], tile, row, to) };
        }
    }

    /// Asks for two numbers that are read soon, this many inputs apart; or for nothing, where there are none.
    #[inline]
    fn ask(&self, line: usize, input: usize, apart: usize) {
        for input in [input, input + apart] {
            // SAFETY: it is a hint, and faults nowhere.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.at(line, input).cast()) };
        }
    }

    fn at(&self, line: usize, input: usize) -> *const T {
        let at = (self.lines.start + line) * self.line + (self.inputs.start + input) * self.input;
        self.data.as_ptr().wrapping_add(at)
    }

    /// 32 inputs of a line.
    ///
    /// # Safety
    /// As [`pack`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn along(&self, line: usize, input: usize) -> [__m512i; 2] {
        let count = if line < self.lines.len() { self.inputs.len() - input } else { 0 };
        // SAFETY: what the count leaves is inside of the data.
        unsafe { T::along(self.at(line, input), count) }
    }

    /// Two inputs of sixteen lines.
    ///
    /// # Safety
    /// As [`pack`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn across(&self, line: usize, input: usize) -> [__m512i; 2] {
        let mask = lanes(self.lines.len().saturating_sub(line));
        let masks = [input, input + 1].map(|input| if input < self.inputs.len() { mask } else { 0 });
        // SAFETY: what the masks leave is inside of the data.
        unsafe { T::apart([self.at(line, input), self.at(line, input + 1)], masks) }
            .map(|part| in_pairs(part))
    }
}

/// Writes a row of a tile's high and low part.
///
/// # Safety
/// The tiles lie there.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn put([high, low]: [__m512i; 2], first: Place, row: usize, to: To) {
    let second = first.tile(to.second());
    let (at_high, at_low) = if to.form == Form::Rows { (first, second) } else { (second, first) };
    // SAFETY: the caller's promise.
    unsafe {
        _mm512_store_si512(at_high.0.add(row * DEPTH).cast(), high);
        if to.parts == 2 {
            _mm512_store_si512(at_low.0.add(row * DEPTH).cast(), low);
        }
    }
}

/// The first `count` of 16 lanes, or all.
pub(super) fn lanes(count: usize) -> u16 {
    if count >= ROWS { u16::MAX } else { (1 << count) - 1 }
}

/// Numbers that can be taken apart.
trait Apart: Copy {
    /// Twice 16 numbers, of which those of the masks are read and the others are zero: in the upper 16 bits of each lane the
    /// nearest number of bf16, and what that leaves.
    ///
    /// # Safety
    /// Those of the masks lie there, and the machine has AVX-512.
    unsafe fn apart(at: [*const Self; 2], masks: [u16; 2]) -> [[__m512i; 2]; 2];

    /// The high and low parts of 32 numbers, of which as many as are counted are read and the others are zero.
    ///
    /// # Safety
    /// They lie there, and the machine has AVX-512.
    #[inline(always)]
    unsafe fn along(at: *const Self, count: usize) -> [__m512i; 2] {
        let masks = [lanes(count), lanes(count.saturating_sub(ROWS))];
        // SAFETY: the caller's promise.
        unsafe { Self::apart([at, at.wrapping_add(ROWS)], masks).map(|part| in_line(part)) }
    }
}

impl Apart for f32 {
    #[inline(always)]
    unsafe fn apart([first, second]: [*const Self; 2], masks: [u16; 2]) -> [[__m512i; 2]; 2] {
        // SAFETY: the caller's promise.
        unsafe { apart([_mm512_maskz_loadu_ps(masks[0], first), _mm512_maskz_loadu_ps(masks[1], second)]) }
    }
}

/// Twice 16 numbers of 16 bits, of which those of the masks are read and the others are zero.
///
/// # Safety
/// Those of the masks lie there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn bits([first, second]: [*const i16; 2], masks: [u16; 2]) -> [__m256i; 2] {
    // SAFETY: the caller's promise.
    unsafe { [_mm256_maskz_loadu_epi16(masks[0], first), _mm256_maskz_loadu_epi16(masks[1], second)] }
}

impl Apart for F16 {
    #[inline(always)]
    unsafe fn apart(at: [*const Self; 2], masks: [u16; 2]) -> [[__m512i; 2]; 2] {
        // SAFETY: the caller's promise.
        unsafe { apart(bits(at.map(|at| at.cast()), masks).map(|bits| _mm512_cvtph_ps(bits))) }
    }
}

impl Apart for Bf16 {
    /// It is its own high part.
    #[inline(always)]
    unsafe fn apart(at: [*const Self; 2], masks: [u16; 2]) -> [[__m512i; 2]; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let high = bits(at.map(|at| at.cast()), masks)
                .map(|bits| _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)));
            [high, [_mm512_setzero_si512(); 2]]
        }
    }

    #[inline(always)]
    unsafe fn along(at: *const Self, count: usize) -> [__m512i; 2] {
        let mask = if count >= DEPTH { u32::MAX } else { (1 << count) - 1 };
        // SAFETY: the caller's promise.
        unsafe { [_mm512_maskz_loadu_epi16(mask, at.cast()), _mm512_setzero_si512()] }
    }
}

/// Rounds by adding half of the last bit that is kept: exact ties go up, and it is faster than the instruction that converts.
#[target_feature(enable = "avx512f")]
#[inline]
fn apart(numbers: [__m512; 2]) -> [[__m512i; 2]; 2] {
    let (half, upper) = (_mm512_set1_epi32(0x8000), _mm512_set1_epi32(!0xffff));
    let rounded = |number: __m512| _mm512_add_epi32(_mm512_castps_si512(number), half);
    let high = numbers.map(rounded);
    let left = [0, 1].map(|i| {
        let high = _mm512_castsi512_ps(_mm512_and_si512(high[i], upper));
        rounded(_mm512_sub_ps(numbers[i], high))
    });
    [high, left]
}

/// The upper halves of 32 lanes, one after another.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn in_line([first, second]: [__m512i; 2]) -> __m512i {
    const UPPER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = 2 * i as u16 + 1;
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes lie there.
    let upper = unsafe { _mm512_loadu_si512(UPPER.as_ptr().cast()) };
    _mm512_permutex2var_epi16(first, upper, second)
}

/// The upper halves of two times 16 lanes, in pairs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn in_pairs([first, second]: [__m512i; 2]) -> __m512i {
    _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(first), second)
}

/// Sixteen rows of sixteen pairs, their rows and columns exchanged.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(r: &[__m512i; ROWS]) -> [__m512i; ROWS] {
    let mut t = *r;
    for i in (0..16).step_by(2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    let mut r = t;
    for i in (0..16).step_by(4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[i + 4]);
        t[i + 4] = _mm512_shuffle_i32x4::<0xdd>(r[i], r[i + 4]);
        t[i + 8] = _mm512_shuffle_i32x4::<0x88>(r[i + 8], r[i + 12]);
        t[i + 12] = _mm512_shuffle_i32x4::<0xdd>(r[i + 8], r[i + 12]);
    }
    for i in 0..8 {
        r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[i + 8]);
        r[i + 8] = _mm512_shuffle_i32x4::<0xdd>(t[i], t[i + 8]);
    }
    r
}
