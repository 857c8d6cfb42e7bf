//! Buffers that a training step is done with, for the next that needs one of their size.
//!
//! A step takes and returns some hundred megabytes of them. What the system's allocator gives a second time it must fill with
//! zeros first, on one thread: that was a fifth of a step's time, for numbers that are overwritten before anyone reads them.
//!
//! Nothing is kept outside of [`keeping`], and what is kept belongs to the thread. A buffer that is not returned costs only time.

use std::cell::RefCell;

/// Smaller ones the allocator has at hand.
const SMALLEST: usize = 1 << 12;

/// A buffer may be larger than what is asked for by one part in so many.
const SLACK: usize = 16;

thread_local! {
    static KEPT: RefCell<Option<Vec<Vec<f32>>>> = const { RefCell::new(None) };
}

/// While it lives, buffers are kept on this thread; then all are freed.
pub(crate) struct Keeping(());

/// Begins to keep what is returned.
pub(crate) fn keeping() -> Keeping {
    KEPT.set(Some(Vec::new()));
    Keeping(())
}

impl Drop for Keeping {
    fn drop(&mut self) {
        KEPT.set(None);
    }
}

impl Keeping {
    /// Frees what is kept, where memory is wanted for something else.
    pub(crate) fn free(&self) {
        KEPT.set(Some(Vec::new()));
    }
}

/// A buffer of `len` numbers, of whatever value: each is to be written before it is read.
pub(crate) fn take(len: usize) -> Vec<f32> {
    let found = KEPT.with_borrow_mut(|kept| kept.as_mut().and_then(|kept| fitting(kept, len)));
    let mut buffer = found.unwrap_or_else(|| vec![0.0; len]);
    buffer.resize(len, 0.0);
    if cfg!(test) {
        // Whoever reads before writing learns of it.
        buffer.fill(f32::NAN);
    }
    buffer
}

/// The smallest buffer of `kept` that fits. Where there is none, as much as will be allocated instead is freed, so that
/// buffers of an earlier size do not stand beside those of a later one.
fn fitting(kept: &mut Vec<Vec<f32>>, len: usize) -> Option<Vec<f32>> {
    if len < SMALLEST {
        return None;
    }
    let fits = |buffer: &Vec<f32>| (len..=len + len / SLACK).contains(&buffer.capacity());
    let best = kept.iter().enumerate().filter(|(_, buffer)| fits(buffer)).min_by_key(|(_, b)| b.capacity());
    if let Some((place, _)) = best {
        return Some(kept.swap_remove(place));
    }
    let mut freed = 0;
    while freed < len {
        let largest = kept.iter().enumerate().max_by_key(|(_, buffer)| buffer.capacity());
        let Some((place, _)) = largest else { break };
        freed += kept.swap_remove(place).capacity();
    }
    None
}

/// Returns buffers that are not needed any more.
pub(crate) fn give(buffers: impl IntoIterator<Item = Vec<f32>>) {
    KEPT.with_borrow_mut(|kept| {
        let Some(kept) = kept else { return };
        kept.extend(buffers.into_iter().filter(|buffer| buffer.capacity() >= SMALLEST));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<usize> {
        KEPT.with_borrow(|kept| kept.iter().flatten().map(Vec::capacity).collect())
    }

    #[test]
    fn a_returned_buffer_is_taken_again_and_no_other_stands_beside_it() {
        give([vec![0.0; 8192]]);
        assert!(kept().is_empty(), "nothing is kept before it is asked for");
        let keeping = keeping();
        give([vec![0.0; 8192], vec![0.0; 10_000], vec![0.0; 16]]);
        assert_eq!(kept(), [8192, 10_000], "small ones are not worth it");
        assert_eq!((take(8000).capacity(), kept()), (8192, vec![10_000]), "one that is a little larger");
        assert_eq!(
            (take(5000).capacity(), kept()),
            (5000, vec![]),
            "what is too large goes before more is taken"
        );
        give([vec![0.0; 8192], vec![0.0; 4096], vec![0.0; 4096]]);
        assert_eq!((take(9000).len(), kept()), (9000, vec![4096]));
        keeping.free();
        assert!(kept().is_empty());
        give([vec![0.0; 8192]]);
        drop(keeping);
        assert!(kept().is_empty());
    }
}
