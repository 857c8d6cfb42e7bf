//! Fused operations: forward, backward by hand, and a reference in plain tensor operations.
//!
//! The kernels work on `f32` slices, row after row. `n` is always the number of tokens of a pack: several
//! sequences laid end to end with no padding between them. [`layer`] is one operation for a whole decoder
//! layer; [`reference`] is the same arithmetic in candle's own operations: what runs on another device, and the
//! oracle in tests.

pub(crate) mod activation;
pub(crate) mod attend_all;
pub(crate) mod attention;
mod awake;
pub(crate) mod beside;
pub(crate) mod cross_entropy;
pub(crate) mod experts;
pub(crate) mod few_rows;
pub(crate) mod lanes;
pub(crate) mod layer;
pub(crate) mod lora;
pub(crate) mod math;
pub(crate) mod matmul;
pub(crate) mod norm;
pub(crate) mod numbers;
pub(crate) mod panels;
pub(crate) mod reference;
pub(crate) mod rope;
pub(crate) mod scratch;
pub(crate) mod slots;
pub(crate) mod thin;
pub(crate) mod tiles;

/// A buffer of zeros. Of what a training step takes and overwrites, [`scratch`] has some that are there already.
pub(crate) fn buffer(len: usize) -> Vec<f32> {
    // Zeroed pages come from the system for free; the price is paid once, at the first touch.
    vec![0.0; len]
}

/// Runs `work` on a thread of rayon's pool.
///
/// Every parallel loop that is begun outside of the pool wakes it and waits; begun inside, a loop that is too short to
/// share costs nothing. A token's step through a small model is hundreds of such loops. Buffers that are kept for the caller go
/// with the work, and come back.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let kept = scratch::exchange(None);
    let (result, kept) = rayon::scope(|_| with(kept, work));
    scratch::exchange(kept);
    result
}

/// The same, and the pool's other threads look for work until it is done: for work that is loop after loop.
pub(crate) fn in_pool_awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let kept = scratch::exchange(None);
    let (result, kept) = awake::awake(|| with(kept, work));
    scratch::exchange(kept);
    result
}

/// Runs `work` with buffers that are kept, and gives them back.
fn with<R>(kept: Option<scratch::Shelf>, work: impl FnOnce() -> R) -> (R, Option<scratch::Shelf>) {
    let others = scratch::exchange(kept);
    let result = work();
    (result, scratch::exchange(others))
}
