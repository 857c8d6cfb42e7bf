//! Numbers in the three precisions of checkpoints: f32, bf16 (the upper half of an f32) and IEEE 754 f16.
//!
//! Weights stay as they lie in the file; a kernel widens them to f32 on their way into a register, or a block
//! at a time into a scratch that stays in the cache.

use std::ops::Range;

use super::lanes::{Kernel, Lanes, on_this_machine};

/// Numbers as a checkpoint holds them.
#[derive(Clone, Copy)]
pub(crate) enum Slice<'a> {
    /// IEEE 754 single precision.
    F32(&'a [f32]),
    /// The upper 16 bits of an f32.
    Bf16(&'a [u16]),
    /// IEEE 754 half precision.
    F16(&'a [u16]),
}

impl<'a> From<&'a [f32]> for Slice<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Self::F32(numbers)
    }
}

impl<'a> From<&'a Vec<f32>> for Slice<'a> {
    fn from(numbers: &'a Vec<f32>) -> Self {
        Self::F32(numbers)
    }
}

impl<'a> Slice<'a> {
    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(bits) | Self::F16(bits) => bits.len(),
        }
    }

    /// Some of the numbers, in the same precision.
    pub(crate) fn part(&self, range: Range<usize>) -> Slice<'a> {
        match self {
            Self::F32(numbers) => Self::F32(&numbers[range]),
            Self::Bf16(bits) => Self::Bf16(&bits[range]),
            Self::F16(bits) => Self::F16(&bits[range]),
        }
    }

    /// Writes some of the numbers, one f32 for each, exactly.
    pub(crate) fn widen(&self, range: Range<usize>, out: &mut [f32]) {
        assert_eq!(range.len(), out.len(), "numbers widened into a slice of another length");
        match self.part(range) {
            Slice::F32(numbers) => out.copy_from_slice(numbers),
            Slice::Bf16(bits) => on_this_machine(Widening { from: Bf16::all(bits), out }),
            Slice::F16(bits) => on_this_machine(Widening { from: F16::all(bits), out }),
        }
    }
}

/// A number as it is stored.
pub(crate) trait Number: Copy + Default + Send + Sync {
    /// Its value.
    fn widened(self) -> f32;

    /// The values of the numbers from `at` on.
    ///
    /// # Safety
    /// [`Lanes::COUNT`] numbers lie there, and the machine has `L`.
    unsafe fn load<L: Lanes>(at: *const Self) -> L::Vector;
}

impl Number for f32 {
    fn widened(self) -> f32 {
        self
    }

    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const Self) -> L::Vector {
        // SAFETY: as the caller promises.
        unsafe { L::load(at) }
    }
}

/// The upper half of an f32.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub(crate) struct Bf16(u16);

/// IEEE 754 half precision.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub(crate) struct F16(u16);

impl Bf16 {
    /// The numbers that these bits stand for.
    pub(crate) fn all(bits: &[u16]) -> &[Self] {
        // SAFETY: the type is a transparent u16.
        unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }
}

impl F16 {
    /// The numbers that these bits stand for.
    pub(crate) fn all(bits: &[u16]) -> &[Self] {
        // SAFETY: the type is a transparent u16.
        unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
    }
}

impl Number for Bf16 {
    #[inline(always)]
    fn widened(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const Self) -> L::Vector {
        // SAFETY: as the caller promises.
        unsafe { L::load_bf16(at) }
    }
}

impl Number for F16 {
    #[inline(always)]
    fn widened(self) -> f32 {
        // As an f32, the shifted bits are the value times 2^-112; that product is exact, below the least
        // normal f16 too. What had the largest exponent (infinities, NaN) must keep the largest.
        const SCALE: f32 = f32::from_bits((127 + 112) << 23);
        let magnitude = u32::from(self.0 & 0x7fff) << 13;
        let finite = (f32::from_bits(magnitude) * SCALE).to_bits();
        let special = if self.0 & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits(finite | special | (u32::from(self.0 & 0x8000) << 16))
    }

    #[inline(always)]
    unsafe fn load<L: Lanes>(at: *const Self) -> L::Vector {
        // SAFETY: as the caller promises.
        unsafe { L::load_f16(at) }
    }
}

struct Widening<'a, T> {
    from: &'a [T],
    out: &'a mut [f32],
}

impl<T: Number> Kernel for Widening<'_, T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut from = self.from.chunks_exact(L::COUNT);
        let mut out = self.out.chunks_exact_mut(L::COUNT);
        for (from, out) in (&mut from).zip(&mut out) {
            // SAFETY: both chunks hold `COUNT` numbers, and the caller promises the machine.
            unsafe { L::store(T::load::<L>(from.as_ptr()), out.as_mut_ptr()) };
        }
        for (from, out) in from.remainder().iter().zip(out.into_remainder()) {
            *out = from.widened();
        }
    }
}

#[cfg(test)]
mod tests;
