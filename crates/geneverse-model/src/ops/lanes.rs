//! The vectors of the machine at hand: AVX-512, AVX2 with FMA and F16C, or whatever the compiler makes of
//! arrays.
//!
//! A [`Kernel`] is written once over [`Lanes`] and compiled for each of them; [`on_this_machine`] picks one
//! when the program runs. Where a loop over arrays compiles to good vectors by itself, `vectorised!` in
//! [`super::math`] is shorter; the products want their sums in registers and every load under control.

use super::numbers::{Bf16, F16, Number};

/// A vector of f32 and what the products do with it.
///
/// The functions may be called only where the machine has the instructions: in [`Kernel::run`].
pub(crate) trait Lanes {
    /// Numbers in a vector.
    const COUNT: usize;
    /// Rows of a register tile of four columns: as many as leave no sum outside of the registers. At most 6.
    const ROWS: usize;
    /// A vector in a register.
    type Vector: Copy;

    /// The same number in every lane.
    unsafe fn splat(x: f32) -> Self::Vector;
    /// `COUNT` numbers from memory.
    unsafe fn load(at: *const f32) -> Self::Vector;
    /// `COUNT` numbers from memory, widened.
    unsafe fn load_bf16(at: *const Bf16) -> Self::Vector;
    /// `COUNT` numbers from memory, widened.
    unsafe fn load_f16(at: *const F16) -> Self::Vector;
    /// Writes `COUNT` numbers.
    unsafe fn store(x: Self::Vector, at: *mut f32);
    /// `a * b + c`.
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The sum of the lanes.
    unsafe fn sum(x: Self::Vector) -> f32;
    /// Exchanges rows and columns of the first `COUNT` vectors.
    unsafe fn transpose(rows: &mut [Self::Vector; super::math::LANES]);
}

/// Something to compute, in any vectors.
pub(crate) trait Kernel {
    /// Computes it. Implementations are `#[inline(always)]`, so that they are compiled for the machine of
    /// `L`.
    ///
    /// # Safety
    /// The machine has `L`.
    unsafe fn run<L: Lanes>(self);
}

/// Machines that kernels are compiled for, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "the others are of x86-64"))]
pub(crate) enum Machine {
    /// Any.
    Plain,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512F.
    Avx512,
}

#[cfg(test)]
thread_local! {
    /// The most that this thread may use, so that tests reach what lesser machines run.
    pub(crate) static AT_MOST: std::cell::Cell<Machine> = const { std::cell::Cell::new(Machine::Avx512) };
}

/// The machine at hand.
pub(crate) fn machine() -> Machine {
    #[cfg(test)]
    return found().min(AT_MOST.get());
    #[cfg(not(test))]
    found()
}

fn found() -> Machine {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return Machine::Avx512;
        }
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c")
        {
            return Machine::Avx2;
        }
    }
    Machine::Plain
}

/// Runs a kernel in the widest vectors there are.
pub(crate) fn on_this_machine(kernel: impl Kernel) {
    // SAFETY: it is the machine at hand.
    unsafe { on(machine(), kernel) }
}

/// Runs a kernel in the vectors of a machine.
///
/// # Safety
/// [`machine`] has said that it is the one at hand, on whichever thread.
pub(crate) unsafe fn on(machine: Machine, kernel: impl Kernel) {
    // SAFETY: `machine` has found the features that each is compiled for; arrays are everywhere.
    unsafe {
        match machine {
            #[cfg(target_arch = "x86_64")]
            Machine::Avx512 => x86::avx512(kernel),
            #[cfg(target_arch = "x86_64")]
            Machine::Avx2 => x86::avx2(kernel),
            _ => kernel.run::<Plain>(),
        }
    }
}

/// Arrays: SSE2, or NEON.
pub(crate) struct Plain;

impl Lanes for Plain {
    const COUNT: usize = 8;
    const ROWS: usize = 3;
    type Vector = [f32; 8];

    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; 8] {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> [f32; 8] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[f32; 8]>().read() }
    }
    #[inline(always)]
    unsafe fn load_bf16(at: *const Bf16) -> [f32; 8] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[Bf16; 8]>().read() }.map(Bf16::widened)
    }
    #[inline(always)]
    unsafe fn load_f16(at: *const F16) -> [f32; 8] {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[F16; 8]>().read() }.map(F16::widened)
    }
    #[inline(always)]
    unsafe fn store(x: [f32; 8], at: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { at.cast::<[f32; 8]>().write(x) }
    }
    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        const FMA: bool = cfg!(target_arch = "aarch64");
        std::array::from_fn(|i| super::math::multiply_add::<FMA>(a[i], b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn sum(x: [f32; 8]) -> f32 {
        x.iter().sum()
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [[f32; 8]; super::math::LANES]) {
        let turned: [[f32; 8]; 8] = std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]));
        rows[..8].copy_from_slice(&turned);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The trait's functions inline into a function that is compiled for their features.
    #![allow(
        clippy::undocumented_unsafe_blocks,
        reason = "each is the caller's promise, one instruction long"
    )]

    use std::arch::x86_64::*;

    use super::super::math::LANES;
    use super::{Bf16, F16, Kernel, Lanes};

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(kernel: impl Kernel) {
        unsafe { kernel.run::<Avx512>() }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn avx2(kernel: impl Kernel) {
        unsafe { kernel.run::<Avx2>() }
    }

    struct Avx512;

    impl Lanes for Avx512 {
        const COUNT: usize = 16;
        const ROWS: usize = 6;
        type Vector = __m512;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn load_bf16(at: *const Bf16) -> __m512 {
            unsafe {
                let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
            }
        }
        #[inline(always)]
        unsafe fn load_f16(at: *const F16) -> __m512 {
            unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())) }
        }
        #[inline(always)]
        unsafe fn store(x: __m512, at: *mut f32) {
            unsafe { _mm512_storeu_ps(at, x) }
        }
        #[inline(always)]
        unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn sum(x: __m512) -> f32 {
            unsafe { _mm512_reduce_add_ps(x) }
        }
        #[inline(always)]
        unsafe fn transpose(rows: &mut [__m512; LANES]) {
            unsafe {
                let mut t = *rows;
                for i in (0..16).step_by(4) {
                    let [a, b, c, d] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
                    let [ab, cd] = [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)];
                    t[i] = _mm512_shuffle_ps::<0x44>(ab, cd);
                    t[i + 1] = _mm512_shuffle_ps::<0xee>(ab, cd);
                    let [ab, cd] = [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)];
                    t[i + 2] = _mm512_shuffle_ps::<0x44>(ab, cd);
                    t[i + 3] = _mm512_shuffle_ps::<0xee>(ab, cd);
                }
                // Squares of four by four, each turned over in its place; now the squares change places.
                for i in 0..4 {
                    let [a, b, c, d] = [t[i], t[i + 4], t[i + 8], t[i + 12]];
                    let [even, odd] =
                        [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b)];
                    let [even_2, odd_2] =
                        [_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d)];
                    rows[i] = _mm512_shuffle_f32x4::<0x88>(even, even_2);
                    rows[i + 4] = _mm512_shuffle_f32x4::<0x88>(odd, odd_2);
                    rows[i + 8] = _mm512_shuffle_f32x4::<0xdd>(even, even_2);
                    rows[i + 12] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_2);
                }
            }
        }
    }

    struct Avx2;

    impl Lanes for Avx2 {
        const COUNT: usize = 8;
        const ROWS: usize = 3;
        type Vector = __m256;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn load_bf16(at: *const Bf16) -> __m256 {
            unsafe {
                let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
            }
        }
        #[inline(always)]
        unsafe fn load_f16(at: *const F16) -> __m256 {
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
        }
        #[inline(always)]
        unsafe fn store(x: __m256, at: *mut f32) {
            unsafe { _mm256_storeu_ps(at, x) }
        }
        #[inline(always)]
        unsafe fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn sum(x: __m256) -> f32 {
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }
        #[inline(always)]
        unsafe fn transpose(rows: &mut [__m256; LANES]) {
            unsafe {
                let mut t = *rows;
                for i in (0..8).step_by(4) {
                    let [a, b, c, d] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
                    let [ab, cd] = [_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d)];
                    t[i] = _mm256_shuffle_ps::<0x44>(ab, cd);
                    t[i + 1] = _mm256_shuffle_ps::<0xee>(ab, cd);
                    let [ab, cd] = [_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d)];
                    t[i + 2] = _mm256_shuffle_ps::<0x44>(ab, cd);
                    t[i + 3] = _mm256_shuffle_ps::<0xee>(ab, cd);
                }
                for i in 0..4 {
                    rows[i] = _mm256_permute2f128_ps::<0x20>(t[i], t[i + 4]);
                    rows[i + 4] = _mm256_permute2f128_ps::<0x31>(t[i], t[i + 4]);
                }
            }
        }
    }
}
