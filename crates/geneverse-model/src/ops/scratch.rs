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

/// What is kept, and for packs of how many rows.
#[derive(Default)]
struct Shelf {
    buffers: Vec<Vec<f32>>,
    /// Rows of the pack at work, and of the largest so far.
    rows: usize,
    most: usize,
}

thread_local! {
    static KEPT: RefCell<Option<Shelf>> = const { RefCell::new(None) };
}

/// While it lives, buffers are kept on this thread; then all are freed.
pub(crate) struct Keeping(());

/// Begins to keep what is returned.
pub(crate) fn keeping() -> Keeping {
    KEPT.set(Some(Shelf::default()));
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
        KEPT.with_borrow_mut(|shelf| shelf.iter_mut().for_each(|shelf| shelf.buffers.clear()));
    }
}

/// The next buffers are for a pack of so many rows.
pub(crate) fn begin(rows: usize) {
    KEPT.with_borrow_mut(|shelf| {
        if let Some(shelf) = shelf {
            shelf.rows = rows;
            shelf.most = shelf.most.max(rows);
        }
    });
}

/// A buffer of `len` numbers, of whatever value: each is to be written before it is read.
pub(crate) fn take(len: usize) -> Vec<f32> {
    let of_shelf = |shelf: &mut Option<Shelf>| shelf.as_mut().and_then(|shelf| shelf.take(len));
    let mut buffer = KEPT.with_borrow_mut(of_shelf).unwrap_or_else(|| vec![0.0; len]);
    buffer.resize(len, 0.0);
    if cfg!(test) {
        // Whoever reads before writing learns of it.
        buffer.fill(f32::NAN);
    }
    buffer
}

/// A buffer of zeros.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut buffer = take(len);
    buffer.fill(0.0);
    buffer
}

/// Returns buffers that are not needed any more.
pub(crate) fn give(buffers: impl IntoIterator<Item = Vec<f32>>) {
    KEPT.with_borrow_mut(|shelf| {
        let Some(shelf) = shelf else { return };
        shelf.buffers.extend(buffers.into_iter().filter(|buffer| buffer.capacity() >= SMALLEST));
    });
}

impl Shelf {
    /// A buffer for `len` numbers. What has a number of columns for each row of the pack is taken as for the largest pack, so
    /// that packs of all lengths have the same buffers, and all of them what the largest alone would need.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        if len < SMALLEST {
            return None;
        }
        let whole = self.rows > 0 && len.is_multiple_of(self.rows);
        let room = if whole { len / self.rows * self.most } else { len };
        if let Some(found) = self.fitting(room) {
            return Some(found);
        }
        self.free(room);
        let mut buffer = vec![0.0; room];
        buffer.truncate(len);
        Some(buffer)
    }

    /// The smallest buffer that fits.
    fn fitting(&mut self, room: usize) -> Option<Vec<f32>> {
        let fits = |buffer: &Vec<f32>| (room..=room + room / SLACK).contains(&buffer.capacity());
        let all = self.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        let (place, _) = all.min_by_key(|(_, buffer)| buffer.capacity())?;
        Some(self.buffers.swap_remove(place))
    }

    /// Frees as much as will be allocated instead, so that buffers of an earlier size do not stand beside those of a later one:
    /// the next smaller first, which is most likely the same thing of a shorter pack.
    fn free(&mut self, room: usize) {
        let mut freed = 0;
        while freed < room {
            let nearest = |(_, buffer): &(usize, &Vec<f32>)| match buffer.capacity() {
                smaller if smaller < room => (0, usize::MAX - smaller),
                larger => (1, larger),
            };
            let Some((place, _)) = self.buffers.iter().enumerate().min_by_key(nearest) else { break };
            freed += self.buffers.swap_remove(place).capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<usize> {
        KEPT.with_borrow(|shelf| shelf.iter().flat_map(|shelf| &shelf.buffers).map(Vec::capacity).collect())
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
        give([vec![0.0; 50_000], vec![0.0; 4096], vec![0.0; 6000], vec![0.0; 5000]]);
        assert_eq!((take(9000).capacity(), kept()), (9000, vec![50_000, 4096]), "what is smaller goes first");
        keeping.free();
        assert!(kept().is_empty());
        give([vec![0.0; 8192]]);
        drop(keeping);
        assert!(kept().is_empty());
    }

    #[test]
    fn a_shorter_pack_has_the_buffers_of_a_longer_one() {
        let _keeping = keeping();
        begin(1000);
        give([take(1000 * 8), take(1000 * 32)]);
        begin(300);
        let (narrow, wide) = (take(300 * 16), take(300 * 32));
        assert_eq!(
            (narrow.len(), narrow.capacity()),
            (4800, 16_000),
            "as large as the longer pack's would be"
        );
        assert_eq!((wide.len(), wide.capacity()), (9600, 32_000));
        give([narrow, wide]);
        begin(1100);
        assert_eq!(take(1100 * 32).capacity(), 35_200);
        assert!(kept().is_empty(), "the shorter packs' went");
        begin(300);
        assert_eq!(take(4567).capacity(), 4567, "no multiple of the rows");
    }
}
