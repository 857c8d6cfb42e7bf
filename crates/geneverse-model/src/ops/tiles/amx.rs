//! The tiles themselves.

use std::arch::asm;
use std::arch::x86_64::*;
use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::{Into, Matrix, PANEL, Threads, With};
use crate::ops::few_rows::Output;
use crate::ops::numbers::{Bf16, F16, Slice};

/// Rows of a tile.
const ROWS: usize = 16;

/// Inputs that a tile holds.
const DEPTH: usize = 32;

/// Numbers of bf16 in a tile.
const TILE: usize = ROWS * DEPTH;

/// Inputs that panels hold at most: the more, the less often sums go to the output and back.
const INPUTS: usize = 512;

/// Numbers of a in a task: as many as stay in a second-level cache, taken apart.
const NUMBERS: usize = 1 << 18;

/// Tasks for each thread.
const TASKS: usize = 2;

/// Rows of a task, where there are so many: b is taken apart for each task again.
const LEAST: usize = 4 * PANEL;

/// How many tiles before its turn a number is asked for. What the last operation wrote lies in a far cache.
const AHEAD: usize = 2;

/// Asks the system for the tiles' state (`ARCH_REQ_XCOMP_PERM` of `XFEATURE_XTILEDATA`), where the machine has it and the
/// vectors that take numbers apart.
pub(super) fn permitted() -> bool {
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    /// CPUID 7.0, EDX: AMX-BF16 and AMX-TILE.
    const BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
    let vectors = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512bf16");
    if !vectors || __cpuid_count(7, 0).edx & BF16_AND_TILE != BF16_AND_TILE {
        return false;
    }
    // SAFETY: it reads two numbers and changes what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

/// Panels, each tile 64 bytes aligned.
#[derive(Default)]
struct Panels {
    tiles: Vec<Aligned>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Aligned([u16; TILE]);

impl Panels {
    fn start(&mut self, tiles: usize) -> *mut u16 {
        if self.tiles.len() < tiles {
            self.tiles.resize(tiles, Aligned([0; TILE]));
        }
        self.tiles.as_mut_ptr().cast()
    }
}

thread_local! {
    static SCRATCH: RefCell<[Panels; 2]> = RefCell::default();
}

/// `out (m, n) = scale · a (m, k) · b (k, n)`, or added to `out`, for each b.
///
/// # Safety
/// Operands and outputs have these shapes, nobody else touches the outputs, and [`super::worthwhile`] says so of each.
pub(crate) unsafe fn products((m, k): (usize, usize), a: Matrix<'_>, all: &[With<'_>], threads: Threads) {
    let panels: Vec<(&With<'_>, usize)> =
        all.iter().flat_map(|with| (0..with.n).step_by(PANEL).map(move |j| (with, j))).collect();
    let threads = if threads == Threads::All { rayon::current_num_threads() } else { 1 };
    let tasks = TASKS * threads;
    let most = NUMBERS / k.min(INPUTS) / PANEL * PANEL;
    let height = m.div_ceil(tasks).next_multiple_of(PANEL).clamp(LEAST.min(most), most);
    let down = m.div_ceil(height);
    let width = panels.len().div_ceil(tasks.div_ceil(down).min(panels.len()));
    let across = panels.len().div_ceil(width);
    let task = |index: usize| {
        let (i, j) = (index / across * height, index % across * width);
        let (rows, panels) = (i..m.min(i + height), &panels[j..panels.len().min(j + width)]);
        // SAFETY: the caller's promise; no other task has this part of an output. Nothing in it waits for another task of this
        // thread, so the scratch is nobody else's.
        SCRATCH.with_borrow_mut(|scratch| unsafe { part(rows, k, a, panels, scratch) });
    };
    match threads {
        1 => (0..across * down).for_each(task),
        _ => (0..across * down).into_par_iter().with_max_len(1).for_each(task),
    }
}

/// Some rows of some panels of the outputs.
///
/// # Safety
/// As [`products`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn part(
    rows: Range<usize>,
    k: usize,
    a: Matrix<'_>,
    panels: &[(&With<'_>, usize)],
    [of_a, of_b]: &mut [Panels; 2],
) {
    let mut sums = Sums([0.0; PANEL * PANEL]);
    // SAFETY: a configuration lies there; it is released below.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
    for first in (0..k).step_by(INPUTS) {
        let inputs = first..k.min(first + INPUTS);
        let steps = inputs.len().div_ceil(DEPTH);
        let a_panels = of_a.start(rows.len().div_ceil(PANEL) * steps * 4);
        let b_panel = of_b.start(steps * 4);
        // SAFETY: the caller's promise for what is read and written; the scratch has room for these tiles.
        unsafe {
            let a_panel = |i: usize| a_panels.add((i - rows.start) / PANEL * steps * 4 * TILE);
            for i in rows.clone().step_by(PANEL) {
                let lines = i..rows.end.min(i + PANEL);
                take_apart(a, Form::Rows, (lines, inputs.clone()), 2, a_panel(i));
            }
            for &(&With { b, n, out }, j) in panels {
                let into = if first == 0 { out.into } else { Into::Added };
                let parts = if matches!(b.data, Slice::Bf16(_)) { 1 } else { 2 };
                take_apart(b, Form::Pairs, (j..n.min(j + PANEL), inputs.clone()), parts, b_panel);
                for i in rows.clone().step_by(PANEL) {
                    match parts {
                        2 => multiply_both(a_panel(i), b_panel, steps, &mut sums),
                        _ => multiply_high(a_panel(i), b_panel, steps, &mut sums),
                    }
                    put(&sums, (PANEL.min(rows.end - i), PANEL.min(n - j)), out.at(i, j, into));
                }
            }
        }
    }
    // SAFETY: nothing in the tiles is needed any more.
    unsafe { asm!("tilerelease", options(nomem, nostack)) };
}

/// The sums of a panel of a with a panel of b.
#[repr(C, align(64))]
struct Sums([f32; PANEL * PANEL]);

/// Palette 1, and eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Defines a function that multiplies a panel of a with a panel of b, by what is done for each 32 inputs. Sums lie in tiles 0 to
/// 3; a's two row blocks go through tiles 4 and 5, b's two column blocks through 6 and 7.
macro_rules! multiply {
    ($(#[$doc:meta])* $name:ident: $($step:literal,)*) => {
        $(#[$doc])*
        unsafe fn $name(a: *const u16, b: *const u16, steps: usize, sums: &mut Sums) {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    $($step,)*
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {across}], tmm0",
                    "tilestored [{sums} + {across} + 64], tmm1",
                    "tilestored [{sums} + {across} + 2048], tmm2",
                    "tilestored [{sums} + {across} + 2112], tmm3",
                    a = inout(reg) a => _,
                    b = inout(reg) b => _,
                    steps = inout(reg) steps => _,
                    sums = in(reg) sums.0.as_mut_ptr(),
                    row = in(reg) 64usize,
                    across = in(reg) PANEL * 4,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

multiply! {
    /// `sums` = panel of a · panel of b, where both are in two parts.
    ///
    /// # Safety
    /// The panels hold `steps` times four tiles, and tiles are configured.
    multiply_both:
        "tileloadd tmm4, [{a} + {row}]",
        "tileloadd tmm6, [{b} + {row}]",
        "tileloadd tmm7, [{b} + {row} + 1024]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a} + {row} + 1024]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tileloadd tmm6, [{b} + {row} + 2048]",
        "tdpbf16ps tmm3, tmm5, tmm7",
        "tileloadd tmm7, [{b} + {row} + 3072]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tileloadd tmm4, [{a} + {row} + 2048]",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
        "tileloadd tmm5, [{a} + {row} + 3072]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "add {a}, 4096",
        "add {b}, 4096",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
}

multiply! {
    /// The same where b has only its high part.
    ///
    /// # Safety
    /// The panel of a holds `steps` times four tiles, that of b twice; tiles are configured.
    multiply_high:
        "tileloadd tmm4, [{a} + {row} + 2048]",
        "tileloadd tmm6, [{b} + {row}]",
        "tileloadd tmm7, [{b} + {row} + 1024]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a} + {row} + 3072]",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "tileloadd tmm4, [{a} + {row}]",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
        "tileloadd tmm5, [{a} + {row} + 1024]",
        "tdpbf16ps tmm0, tmm4, tmm6",
        "tdpbf16ps tmm1, tmm4, tmm7",
        "add {a}, 4096",
        "add {b}, 2048",
        "tdpbf16ps tmm2, tmm5, tmm6",
        "tdpbf16ps tmm3, tmm5, tmm7",
}

/// Writes the first rows and columns of `sums`.
///
/// # Safety
/// They are inside the output, whose columns are contiguous, and nobody else touches them.
#[target_feature(enable = "avx512f")]
unsafe fn put(sums: &Sums, (height, width): (usize, usize), out: Output) {
    let scale = _mm512_set1_ps(out.scale);
    for i in 0..height {
        for j in (0..width).step_by(ROWS) {
            let mask = lanes(width - j);
            // SAFETY: the mask leaves what is inside of the output.
            unsafe {
                let sum = _mm512_load_ps(&raw const sums.0[i * PANEL + j]);
                let place = out.start.add(i * out.row + j);
                let sum = match out.into {
                    Into::Fresh => _mm512_mul_ps(sum, scale),
                    Into::Added => _mm512_fmadd_ps(sum, scale, _mm512_maskz_loadu_ps(mask, place)),
                };
                _mm512_mask_storeu_ps(place, mask, sum);
            }
        }
    }
}

/// The first `count` of 16 lanes, or all.
fn lanes(count: usize) -> u16 {
    if count >= ROWS { u16::MAX } else { (1 << count) - 1 }
}

/// The order of numbers in a tile.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Of a: a row's inputs one after another.
    Rows,
    /// Of b: of each two inputs, the pairs of all columns.
    Pairs,
}

/// An operand: lines (rows of a, columns of b) of inputs.
#[derive(Clone, Copy)]
struct Source<'a, T> {
    data: &'a [T],
    line: usize,
    input: usize,
}

/// Copies up to 32 lines of a matrix into a panel, see [`Source::take_apart`].
///
/// # Safety
/// Lines and inputs are inside of the matrix, and the panel has room.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn take_apart(
    matrix: Matrix<'_>,
    form: Form,
    (lines, inputs): (Range<usize>, Range<usize>),
    parts: usize,
    panel: *mut u16,
) {
    let (line, input) = match form {
        Form::Rows => (matrix.row, matrix.column),
        Form::Pairs => (matrix.column, matrix.row),
    };
    // SAFETY: the caller's promise.
    unsafe {
        match matrix.data {
            Slice::F32(data) => Source { data, line, input }.take_apart(form, lines, inputs, parts, panel),
            Slice::Bf16(bits) => {
                Source { data: Bf16::all(bits), line, input }.take_apart(form, lines, inputs, parts, panel);
            }
            Slice::F16(bits) => {
                Source { data: F16::all(bits), line, input }.take_apart(form, lines, inputs, parts, panel);
            }
        }
    }
}

impl<T: Masked> Source<'_, T> {
    /// For each 32 inputs the two tiles of the first part, then those of the second. Of a the first part is the high one, of b
    /// the low one where there are two, as they are multiplied.
    ///
    /// # Safety
    /// Lines and inputs are inside of the data, and the panel has room.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn take_apart(
        self,
        form: Form,
        lines: Range<usize>,
        inputs: Range<usize>,
        parts: usize,
        panel: *mut u16,
    ) {
        for (step, first) in inputs.clone().step_by(DEPTH).enumerate() {
            let depth = DEPTH.min(inputs.end - first);
            for half in 0..2 {
                let start = lines.start + half * ROWS;
                let count = lines.end.saturating_sub(start).min(ROWS);
                // SAFETY: the caller's promise.
                unsafe {
                    let at = panel.add((step * 2 * parts + half) * TILE);
                    let other = at.add((parts - 1) * 2 * TILE);
                    // With one part both are the same place, where the high one is written last.
                    let places = if form == Form::Rows { [other, at] } else { [at, other] };
                    self.tile((start, count), (first, depth), form, places);
                }
            }
        }
    }

    /// One tile's low and high parts; what it has no numbers for is zero.
    ///
    /// # Safety
    /// As [`Source::take_apart`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    #[inline]
    unsafe fn tile(
        self,
        (line, lines): (usize, usize),
        (input, inputs): (usize, usize),
        form: Form,
        places: [*mut u16; 2],
    ) {
        let [mut lows, mut highs] = [[_mm512_setzero_si512(); ROWS]; 2];
        let rows = lows.iter_mut().zip(&mut highs).enumerate();
        // SAFETY: what the masks leave is inside of the data.
        unsafe {
            let found = if self.input == 1 {
                let masks = [lanes(inputs), lanes(inputs.saturating_sub(ROWS))];
                for (row, (low, high)) in rows.take(lines) {
                    let at = (line + row) * self.line + input;
                    self.prefetch(at + AHEAD * DEPTH);
                    self.prefetch(at + AHEAD * DEPTH + ROWS);
                    [*high, *low] = halves([self.load(at, masks[0]), self.load(at + ROWS, masks[1])]);
                }
                Form::Rows
            } else {
                let mask = lanes(lines);
                for (pair, (low, high)) in rows.take(inputs.div_ceil(2)) {
                    let at = (input + 2 * pair) * self.input + line;
                    let second = if 2 * pair + 1 < inputs { mask } else { 0 };
                    self.prefetch(at + AHEAD * DEPTH * self.input);
                    self.prefetch(at + (AHEAD * DEPTH + 1) * self.input);
                    let halves = halves([self.load(at, mask), self.load(at + self.input, second)]);
                    [*high, *low] = halves.map(|half| paired(half));
                }
                Form::Pairs
            };
            for (part, place) in [&lows, &highs].into_iter().zip(places) {
                if found == form {
                    store(part, place);
                } else {
                    store(&transpose(part), place);
                }
            }
        }
    }

    /// Asks for what lies there, or nowhere.
    #[inline]
    fn prefetch(self, at: usize) {
        // SAFETY: it is a hint, and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(self.data.as_ptr().wrapping_add(at).cast()) };
    }

    /// The numbers of some lanes, widened; zero in the others.
    ///
    /// # Safety
    /// Those of the mask lie there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn load(self, at: usize, mask: u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { T::load_masked(self.data.as_ptr().wrapping_add(at), mask) }
    }
}

/// Numbers of which some lanes can be loaded.
trait Masked: Copy {
    /// The numbers of a mask from `at` on, widened; zero in the other lanes, which are not read.
    ///
    /// # Safety
    /// Those of the mask lie there, and the machine has AVX-512.
    unsafe fn load_masked(at: *const Self, mask: u16) -> __m512;
}

impl Masked for f32 {
    #[inline(always)]
    unsafe fn load_masked(at: *const Self, mask: u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_maskz_loadu_ps(mask, at) }
    }
}

impl Masked for Bf16 {
    #[inline(always)]
    unsafe fn load_masked(at: *const Self, mask: u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { widened(_mm256_maskz_loadu_epi16(mask, at.cast())) }
    }
}

impl Masked for F16 {
    #[inline(always)]
    unsafe fn load_masked(at: *const Self, mask: u16) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, at.cast())) }
    }
}

/// 32 numbers as 32 of bf16, and as many for what those leave.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
fn halves([left, right]: [__m512; 2]) -> [__m512i; 2] {
    let high = bits(_mm512_cvtne2ps_pbh(right, left));
    let left = _mm512_sub_ps(left, widened(_mm512_castsi512_si256(high)));
    let right = _mm512_sub_ps(right, widened(_mm512_extracti64x4_epi64::<1>(high)));
    [high, bits(_mm512_cvtne2ps_pbh(right, left))]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn widened(bits: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
}

#[inline]
fn bits(numbers: __m512bh) -> __m512i {
    // SAFETY: both are 64 bytes of numbers.
    unsafe { std::mem::transmute(numbers) }
}

/// Two rows of 16 numbers to 16 pairs.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn paired(rows: __m512i) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    // SAFETY: 64 bytes lie there.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, rows)
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

/// Writes a tile.
///
/// # Safety
/// It has room there, at a multiple of 64 bytes.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store(rows: &[__m512i; ROWS], at: *mut u16) {
    for (i, row) in rows.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm512_store_si512(at.add(i * DEPTH).cast(), *row) };
    }
}
