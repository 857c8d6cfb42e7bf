//! The tiles themselves.
//!
//! Of b some panels are taken apart by all threads into a scratch that all read; then each thread takes rows of a apart, as many
//! as stay in its second-level cache, and multiplies them with the panels, a few that stay there too at a time.

use std::arch::asm;
use std::arch::x86_64::*;
use std::cell::{Cell, RefCell};
use std::ops::Range;

use rayon::prelude::*;

use self::pack::{Form, To, lanes, pack};
use super::{Into, Matrix, PANEL, Threads, With};
use crate::ops::few_rows::Output;
use crate::ops::numbers::Slice;

mod pack;

/// Rows of a tile.
const ROWS: usize = 16;

/// Inputs that a tile holds.
const DEPTH: usize = 32;

/// Numbers of bf16 in a tile.
const TILE: usize = ROWS * DEPTH;

/// Inputs of a block: the more, the less often sums go to the output and back.
const INPUTS: usize = 512;

/// Numbers of a, and of b, that stay in a second-level cache together with what is written: a quarter of a MiB each, taken apart.
const RESIDENT: usize = 1 << 16;

/// Numbers of b that are taken apart at once: 4 MiB. The more, the less often a is.
const GROUP: usize = 1 << 20;

/// Inputs of those, at most.
const GROUP_INPUTS: usize = 2048;

/// Tasks for each thread, at least.
const TASKS: usize = 2;

/// Panels of b in a task that takes them apart.
const TOGETHER: usize = 8;

/// Asks the system for the tiles' state (`ARCH_REQ_XCOMP_PERM` of `XFEATURE_XTILEDATA`), where the machine has it and the
/// vectors that take numbers apart.
pub(super) fn permitted() -> bool {
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    /// CPUID 7.0, EDX: AMX-BF16 and AMX-TILE.
    const BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
    let vectors = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl");
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
    fn start(&mut self, tiles: usize) -> Place {
        if self.tiles.len() < tiles {
            self.tiles.resize(tiles, Aligned([0; TILE]));
        }
        Place(self.tiles.as_mut_ptr().cast())
    }
}

/// Where a tile begins.
#[derive(Clone, Copy)]
struct Place(*mut u16);

// SAFETY: who writes or reads there says why they may.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    fn tile(self, index: usize) -> Self {
        Self(self.0.wrapping_add(index * TILE))
    }
}

/// Tiles of two parts of two times sixteen lines, for each 32 inputs.
const TILES: usize = 4;

thread_local! {
    static OF_A: RefCell<Panels> = RefCell::default();
    /// Taken while a product goes on: a thread that waits for others may be given another one.
    static OF_B: Cell<Panels> = const { Cell::new(Panels { tiles: Vec::new() }) };
}

/// A panel of an output: of which b, from which column on.
type Panel<'a> = (&'a With<'a>, usize);

/// `out (m, n) = scale · a (m, k) · b (k, n)`, or added to `out`, for each b.
///
/// # Safety
/// Operands and outputs have these shapes, nobody else touches the outputs, and [`super::worthwhile`] says so of each.
pub(crate) unsafe fn products((m, k): (usize, usize), a: Matrix<'_>, all: &[With<'_>], threads: Threads) {
    let panels: Vec<Panel<'_>> =
        all.iter().flat_map(|with| (0..with.n).step_by(PANEL).map(move |j| (with, j))).collect();
    let threads = if threads == Threads::All { rayon::current_num_threads() } else { 1 };
    let mut scratch = OF_B.take();
    for first in (0..k).step_by(GROUP_INPUTS) {
        let inputs = first..k.min(first + GROUP_INPUTS);
        for panels in panels.chunks((GROUP / inputs.len() / PANEL).max(1)) {
            // SAFETY: the caller's promise.
            unsafe { group((m, inputs.clone()), a, panels, threads, &mut scratch) };
        }
    }
    OF_B.set(scratch);
}

/// What some panels of b give for some inputs.
///
/// # Safety
/// As [`products`].
unsafe fn group(
    (m, inputs): (usize, Range<usize>),
    a: Matrix<'_>,
    panels: &[Panel<'_>],
    threads: usize,
    scratch: &mut Panels,
) {
    let of_b = OfB { start: scratch.start(panels.len() * steps(&inputs) * TILES), panels, inputs };
    let together = panels.len().div_ceil(TASKS * threads).min(TOGETHER);
    let takes = panels.len().div_ceil(together);
    // SAFETY: the caller's promise; each task has panels of its own.
    let take = |index: usize| unsafe {
        of_b.take_apart(index * together..panels.len().min((index + 1) * together));
    };

    let most = RESIDENT / of_b.inputs.len().min(INPUTS) / PANEL * PANEL;
    let down = m.div_ceil(most).max((TASKS * threads).min(m.div_ceil(PANEL))).next_multiple_of(threads);
    let height = m.div_ceil(down).next_multiple_of(PANEL);
    let down = m.div_ceil(height);
    let width = panels.len().div_ceil((TASKS * threads).div_ceil(down).min(panels.len()));
    let across = panels.len().div_ceil(width);
    let task = |index: usize| {
        let (i, j) = (index / across * height, index % across * width);
        let part = (i..m.min(i + height), j..panels.len().min(j + width));
        // SAFETY: the caller's promise; no other task has this part of an output. Nothing in it waits for another task of this
        // thread, so the scratch is nobody else's.
        OF_A.with_borrow_mut(|of_a| unsafe { multiply(part, a, &of_b, of_a) });
    };
    if threads == 1 {
        (0..takes).for_each(take);
        (0..across * down).for_each(task);
    } else {
        (0..takes).into_par_iter().with_max_len(1).for_each(take);
        (0..across * down).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// How often 32 inputs.
fn steps(inputs: &Range<usize>) -> usize {
    inputs.len().div_ceil(DEPTH)
}

/// Panels of b, taken apart: block by block of inputs, panel by panel.
struct OfB<'a> {
    start: Place,
    panels: &'a [Panel<'a>],
    inputs: Range<usize>,
}

impl OfB<'_> {
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        self.inputs.clone().step_by(INPUTS).map(|first| first..self.inputs.end.min(first + INPUTS))
    }

    /// Where a panel's inputs of a block lie.
    fn panel(&self, block: &Range<usize>, index: usize) -> Place {
        let before = (block.start - self.inputs.start) / DEPTH * self.panels.len();
        self.start.tile((before + index * steps(block)) * TILES)
    }

    /// # Safety
    /// The panels lie inside of their matrices and have room, and nobody else touches them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn take_apart(&self, panels: Range<usize>) {
        let mut first = panels.start;
        for run in self.panels[panels].chunk_by(|one, other| std::ptr::eq(one.0, other.0)) {
            let (&With { b, n, .. }, j) = run[0];
            let columns = j..n.min(j + run.len() * PANEL);
            for block in self.blocks() {
                let to = To { start: self.panel(&block, first), form: Form::Pairs, parts: parts(b) };
                // SAFETY: the caller's promise.
                unsafe { pack(b, columns.clone(), block, to) };
            }
            first += run.len();
        }
    }
}

/// In how many parts a matrix is multiplied.
fn parts(b: Matrix<'_>) -> usize {
    if matches!(b.data, Slice::Bf16(_)) { 1 } else { 2 }
}

/// Some rows of some panels of the outputs.
///
/// # Safety
/// As [`products`]; the panels have been taken apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn multiply(
    (rows, panels): (Range<usize>, Range<usize>),
    a: Matrix<'_>,
    of_b: &OfB<'_>,
    of_a: &mut Panels,
) {
    // SAFETY: a configuration lies there; it is released below.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
    for block in of_b.blocks() {
        let steps = steps(&block);
        let start = of_a.start(rows.len().div_ceil(PANEL) * steps * TILES);
        // SAFETY: the caller's promise for what is read; the scratch has room for these tiles.
        unsafe { pack(a, rows.clone(), block.clone(), To { start, form: Form::Rows, parts: 2 }) };
        let several = (RESIDENT / block.len() / PANEL).max(1);
        for first in panels.clone().step_by(several) {
            for (index, i) in rows.clone().step_by(PANEL).enumerate() {
                let a_panel = start.tile(index * steps * TILES);
                for panel in first..panels.end.min(first + several) {
                    let (&With { b, n, out }, j) = of_b.panels[panel];
                    let into = if block.start == 0 { out.into } else { Into::Added };
                    let size = (PANEL.min(rows.end - i), PANEL.min(n - j));
                    let operands = (a_panel, of_b.panel(&block, panel), steps);
                    // SAFETY: the caller's promise for what is written; both panels hold these tiles.
                    unsafe { sum(operands, parts(b), size, out.at(i, j, into)) };
                }
            }
        }
    }
    // SAFETY: nothing in the tiles is needed any more.
    unsafe { asm!("tilerelease", options(nomem, nostack)) };
}

/// The product of two panels: right into the output where that is whole, or by a copy.
///
/// # Safety
/// The panels hold this many steps, tiles are configured, and nobody else touches this part of the output.
#[target_feature(enable = "avx512f")]
unsafe fn sum((a, b, steps): (Place, Place, usize), parts: usize, size: (usize, usize), out: Output) {
    let multiply = if parts == 2 { multiply_both } else { multiply_high };
    // SAFETY: the caller's promise.
    unsafe {
        if size == (PANEL, PANEL) && out.scale == 1.0 {
            multiply(a.0, b.0, steps, out.start, out.row, out.into == Into::Added);
        } else {
            let mut sums = Sums([0.0; PANEL * PANEL]);
            multiply(a.0, b.0, steps, sums.0.as_mut_ptr(), PANEL, false);
            put(&sums, size, out);
        }
    }
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
        unsafe fn $name(a: *const u16, b: *const u16, steps: usize, out: *mut f32, stride: usize, added: bool) {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    "test {added}, {added}",
                    "jz 3f",
                    "tileloadd tmm0, [{out} + {across}]",
                    "tileloadd tmm1, [{out} + {across} + 64]",
                    "tileloadd tmm2, [{lower} + {across}]",
                    "tileloadd tmm3, [{lower} + {across} + 64]",
                    "jmp 2f",
                    "3:",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    $($step,)*
                    // Two rows of the output, which a far cache fetches until they are written.
                    "prefetchw [{soon}]",
                    "prefetchw [{soon} + 64]",
                    "prefetchw [{soon} + {across}]",
                    "prefetchw [{soon} + {across} + 64]",
                    "lea {soon}, [{soon} + 2 * {across}]",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{out} + {across}], tmm0",
                    "tilestored [{out} + {across} + 64], tmm1",
                    "tilestored [{lower} + {across}], tmm2",
                    "tilestored [{lower} + {across} + 64], tmm3",
                    added = in(reg) usize::from(added),
                    a = inout(reg) a => _,
                    b = inout(reg) b => _,
                    steps = inout(reg) steps => _,
                    soon = inout(reg) out => _,
                    out = in(reg) out,
                    lower = in(reg) out.wrapping_add(ROWS * stride),
                    row = in(reg) 64usize,
                    across = in(reg) stride * 4,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

multiply! {
    /// `out` = panel of a · panel of b, or added to it, where both are in two parts; its rows are `stride` apart.
    ///
    /// # Safety
    /// The panels hold `steps` times four tiles, tiles are configured, and nobody else touches the output.
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
    /// The panel of a holds `steps` times four tiles, that of b twice; else the same.
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
