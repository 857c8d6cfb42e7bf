//! Fused operations: forward, backward by hand, and a reference in plain tensor operations.
//!
//! The kernels work on `f32` slices, row after row. `n` is always the number of tokens of a pack: several
//! sequences laid end to end with no padding between them. [`layer`] is one operation for a whole decoder
//! layer; [`reference`] is the same arithmetic in candle's own operations, the oracle in tests.

pub(crate) mod attention;
pub(crate) mod cross_entropy;
pub(crate) mod layer;
pub(crate) mod lora;
pub(crate) mod math;
pub(crate) mod matmul;
pub(crate) mod norm;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod rope;
pub(crate) mod swiglu;

use std::ops::Deref;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The numbers of a contiguous `f32` CPU storage.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused operation needs contiguous tensors, found strides {:?}", layout.stride()),
    }
}

/// A tensor's numbers, borrowed for as long as the view lives.
pub(crate) struct View<Guard> {
    storage: Guard,
    start: usize,
    end: usize,
}

/// Borrows the numbers of a contiguous `f32` CPU tensor.
pub(crate) fn view(tensor: &Tensor) -> Result<View<impl Deref<Target = Storage>>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(cpu) = &*storage else { bail!("a fused operation runs on the CPU only") };
    cpu.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(View { storage, start, end }),
        None => bail!("a fused operation needs contiguous tensors, found strides {:?}", layout.stride()),
    }
}

impl<Guard: Deref<Target = Storage>> Deref for View<Guard> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // `view` has checked both the device and the type.
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(numbers)) => &numbers[self.start..self.end],
            _ => &[],
        }
    }
}

/// A buffer whose every number is written before it is read.
pub(crate) fn buffer(len: usize) -> Vec<f32> {
    // Zeroed pages come from the system for free; the price is paid once, at the first touch.
    vec![0.0; len]
}
