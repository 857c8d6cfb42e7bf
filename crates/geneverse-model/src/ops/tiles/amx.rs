//! The tiles themselves.
//!
//! A task takes rows of a apart, as many as stay in a second-level cache, and multiplies panels of b with all of them while they
//! are at hand.

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

/// Inputs that panels hold at most: the more, the less often sums go to the output and back.
const INPUTS: usize = 512;

/// Numbers of a in a task, as many as stay in a second-level cache together with panels of b and what is written: a quarter of a
/// MiB, taken apart.
const RESIDENT: usize = 1 << 16;

/// Numbers of b that a task takes apart at once, for itself.
const AT_HAND: usize = 1 << 14;

/// Rows from which on b is taken apart once for all tasks, which costs a wait and a way through a far cache. With fewer, each task
/// takes panels apart for itself and has them at hand: twice as fast for 64 rows and weights of 2048 x 5632.
const MANY: usize = 512;

/// Numbers of b that are taken apart for all, at most: 8 MiB.
const SHARED: usize = 1 << 21;

/// Panels in a task that takes them apart for all.
const TOGETHER: usize = 8;

/// Tasks for each thread, at least.
const TASKS: usize = 2;

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
    /// Of a and of b.
    static SCRATCH: RefCell<[Panels; 2]> = RefCell::default();
    /// What all tasks of a product read of b. Taken while it goes on: a thread that waits for others may be given another one.
    static SCRATCH_FOR_ALL: Cell<Panels> = const { Cell::new(Panels { tiles: Vec::new() }) };
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
    let steps = steps(&(0..k));
    let shared = m >= MANY && panels.len() * PANEL * k <= SHARED;
    let mut scratch = SCRATCH_FOR_ALL.take();
    let apart = shared.then(|| scratch.start(panels.len() * steps * TILES));
    // SAFETY: the caller's promise.
    unsafe { in_tasks((m, threads), a, &B { panels: &panels, inputs: 0..k, apart }) };
    SCRATCH_FOR_ALL.set(scratch);
}

/// Shares the work out.
///
/// # Safety
/// As [`products`].
unsafe fn in_tasks((m, threads): (usize, usize), a: Matrix<'_>, b: &B<'_>) {
    let (tasks, panels) = (TASKS * threads, b.panels.len());
    let parallel = threads > 1;
    if b.apart.is_some() {
        let together = panels.div_ceil(tasks).min(TOGETHER);
        let take = |index: usize| {
            let some = index * together..panels.min((index + 1) * together);
            for block in b.blocks() {
                let Some(start) = b.shared(&block, some.start) else { return };
                // SAFETY: the caller's promise; each task has panels of its own.
                unsafe { b.take_apart(some.clone(), block, start) };
            }
        };
        each(panels.div_ceil(together), parallel, take);
    }
    // Who takes panels apart for itself does so for as many rows as it can.
    let times = if b.apart.is_some() { 1 } else { 4 };
    let most = times * RESIDENT / b.inputs.len().min(INPUTS) / PANEL * PANEL;
    let least = (times * PANEL).min(most);
    let height = m.div_ceil(tasks).next_multiple_of(PANEL).clamp(least, most);
    // As many tasks for each thread, where there are several.
    let down = m.div_ceil(height).next_multiple_of(if height == least { 1 } else { threads });
    let height = m.div_ceil(down).next_multiple_of(PANEL);
    let down = m.div_ceil(height);
    let width = panels.div_ceil(tasks.div_ceil(down).min(panels));
    let across = panels.div_ceil(width);
    each(across * down, parallel, |index| {
        let (i, j) = (index / across * height, index % across * width);
        let part = (i..m.min(i + height), j..panels.min(j + width));
        // SAFETY: the caller's promise; no other task has this part of an output. Nothing in it waits for another task of this
        // thread, so the scratch is nobody else's.
        SCRATCH.with_borrow_mut(|scratch| unsafe { multiply(part, a, b, scratch) });
    });
}

/// Runs so many tasks, on this thread or on all.
fn each(count: usize, parallel: bool, task: impl Fn(usize) + Sync) {
    if parallel {
        (0..count).into_par_iter().with_max_len(1).for_each(&task);
    } else {
        (0..count).for_each(task);
    }
}

/// How often 32 inputs.
fn steps(inputs: &Range<usize>) -> usize {
    inputs.len().div_ceil(DEPTH)
}

/// Some panels of b, some inputs of each.
struct B<'a> {
    panels: &'a [Panel<'a>],
    inputs: Range<usize>,
    /// Where they lie taken apart for all tasks, block by block of inputs and panel by panel; `None`: each task does so.
    apart: Option<Place>,
}

impl B<'_> {
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        self.inputs.clone().step_by(INPUTS).map(|first| first..self.inputs.end.min(first + INPUTS))
    }

    /// Where a panel and those after it lie taken apart for all.
    fn shared(&self, block: &Range<usize>, panel: usize) -> Option<Place> {
        let before = (block.start - self.inputs.start) / DEPTH * self.panels.len();
        self.apart.map(|start| start.tile((before + panel * steps(block)) * TILES))
    }

    /// # Safety
    /// The panels lie inside of their matrices and have room, and nobody else touches that.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn take_apart(&self, panels: Range<usize>, block: Range<usize>, mut start: Place) {
        for run in self.panels[panels].chunk_by(|one, other| std::ptr::eq(one.0, other.0)) {
            let (&With { b, n, .. }, j) = run[0];
            let to = To { start, form: Form::Pairs, parts: parts(b) };
            // SAFETY: the caller's promise.
            unsafe { pack(b, j..n.min(j + run.len() * PANEL), block.clone(), to) };
            start = start.tile(run.len() * steps(&block) * TILES);
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
/// As [`products`]; panels for all are taken apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn multiply(
    (rows, panels): (Range<usize>, Range<usize>),
    a: Matrix<'_>,
    b: &B<'_>,
    [of_a, of_b]: &mut [Panels; 2],
) {
    // SAFETY: a configuration lies there; it is released below.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
    for block in b.blocks() {
        let tiles = steps(&block) * TILES;
        let of_a = of_a.start(rows.len().div_ceil(PANEL) * tiles);
        // SAFETY: the caller's promise for what is read; the scratch has room for these tiles.
        unsafe { pack(a, rows.clone(), block.clone(), To { start: of_a, form: Form::Rows, parts: 2 }) };
        let numbers = if b.apart.is_some() { RESIDENT } else { AT_HAND };
        let several = (numbers / block.len() / PANEL).max(1);
        for first in panels.clone().step_by(several) {
            let some = first..panels.end.min(first + several);
            let of_b = b.shared(&block, first).unwrap_or_else(|| {
                let start = of_b.start(some.len() * tiles);
                // SAFETY: as above.
                unsafe { b.take_apart(some.clone(), block.clone(), start) };
                start
            });
            for (index, i) in rows.clone().step_by(PANEL).enumerate() {
                for panel in some.clone() {
                    let (&With { b, n, out }, j) = b.panels[panel];
                    let into = if block.start == 0 { out.into } else { Into::Added };
                    let size = (PANEL.min(rows.end - i), PANEL.min(n - j));
                    let both = (of_a.tile(index * tiles), of_b.tile((panel - first) * tiles));
                    // SAFETY: the caller's promise for what is written; both panels hold these tiles.
                    unsafe { sum(both, steps(&block), parts(b), size, out.at(i, j, into)) };
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
#[inline]
unsafe fn sum((a, b): (Place, Place), steps: usize, parts: usize, size: (usize, usize), out: Output) {
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
                    // Two rows of the output, which a far cache fetches until they are written. Machines with tiles have this.
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
