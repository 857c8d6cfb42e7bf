//! Buffers that a training step is done with, for the next that needs one of their size.
//!
//! A step takes and returns some hundred megabytes of them. What the system's allocator gives a second time it must fill with
//! zeros first, on one thread: that was a fifth of a step's time, for numbers that are overwritten before anyone reads them.
//!
//! Nothing is kept outside of [`keeping`], and what is kept belongs to the thread. A buffer that is not returned costs only time.

use std::cell::RefCell;

/// Smaller ones the allocator has at hand.
const SMALLEST: usize = 1 << 12;

/// A buffer may be larger than what is asked for by one part in so many, and all there are than what is wanted at once.
pub(crate) const SLACK: usize = 16;

/// What is kept, and for packs of how many rows.
#[derive(Default)]
pub(crate) struct Shelf {
    /// What was returned longest ago comes first.
    buffers: Vec<Vec<f32>>,
    /// Rows of the pack at work, and those of its last layer.
    rows: [Rows; 2],
    /// Numbers that are lent, and the most that were at once.
    lent: usize,
    most: usize,
}

/// A number of rows, and the largest so far.
#[derive(Clone, Copy, Default)]
struct Rows {
    now: usize,
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

/// Puts what is kept for another thread in the place of what is kept for this one.
pub(crate) fn exchange(shelf: Option<Shelf>) -> Option<Shelf> {
    KEPT.replace(shelf)
}

/// The next buffers are for a pack of so many rows, of whose last layer so many are computed.
pub(crate) fn begin(rows: usize, of_last: usize) {
    KEPT.with_borrow_mut(|shelf| {
        let Some(shelf) = shelf else { return };
        // What was not returned is gone.
        shelf.lent = 0;
        for (rows, now) in shelf.rows.iter_mut().zip([rows, of_last]) {
            *rows = Rows { now, most: rows.most.max(now) };
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
        for buffer in buffers.into_iter().filter(|buffer| buffer.capacity() >= SMALLEST) {
            shelf.lent = shelf.lent.saturating_sub(buffer.capacity());
            shelf.buffers.push(buffer);
        }
    });
}

impl Shelf {
    /// A buffer for `len` numbers. What has a number of columns for each row of the pack is taken as for the largest pack, so
    /// that packs of all lengths have the same buffers, and all of them what the largest alone would need.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        if len < SMALLEST {
            return None;
        }
        let of_rows = self.rows.iter().find(|rows| rows.now > 0 && len.is_multiple_of(rows.now));
        let room = of_rows.map_or(len, |rows| len / rows.now * rows.most);
        let found = self.fitting(room);
        let buffer = found.unwrap_or_else(|| {
            self.free(room);
            let mut buffer = vec![0.0; room];
            buffer.truncate(len);
            buffer
        });
        self.lent += buffer.capacity();
        self.most = self.most.max(self.lent);
        Some(buffer)
    }

    /// The smallest buffer that fits.
    fn fitting(&mut self, room: usize) -> Option<Vec<f32>> {
        let fits = |buffer: &Vec<f32>| (room..=room + room / SLACK).contains(&buffer.capacity());
        let all = self.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        let (place, _) = all.min_by_key(|(_, buffer)| buffer.capacity())?;
        Some(self.buffers.remove(place))
    }

    /// Frees what was returned longest ago until, with as much as will be allocated, hardly more is there than was ever lent at
    /// once: not all sizes are wanted most at the same time.
    fn free(&mut self, room: usize) {
        let lent = self.lent + room;
        let most = self.most.max(lent);
        let mut idle: usize = self.buffers.iter().map(Vec::capacity).sum();
        let too_many = self.buffers.iter().take_while(|buffer| {
            let over = lent + idle > most + most / SLACK;
            idle -= buffer.capacity();
            over
        });
        let too_many = too_many.count();
        self.buffers.drain(..too_many);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Vec<usize> {
        KEPT.with_borrow(|shelf| shelf.iter().flat_map(|shelf| &shelf.buffers).map(Vec::capacity).collect())
    }

    #[test]
    fn a_returned_buffer_is_taken_again() {
        give([vec![0.0; 8192]]);
        assert!(kept().is_empty(), "nothing is kept before it is asked for");
        let keeping = keeping();
        give([vec![0.0; 8192], vec![0.0; 10_000], vec![0.0; 16]]);
        assert_eq!(kept(), [8192, 10_000], "small ones are not worth it");
        assert_eq!((take(8000).capacity(), kept()), (8192, vec![10_000]), "one that is a little larger");
        keeping.free();
        assert!(kept().is_empty());
        give([vec![0.0; 8192]]);
        drop(keeping);
        assert!(kept().is_empty());
    }

    #[test]
    fn hardly_more_is_kept_than_was_lent_at_once() {
        let _keeping = keeping();
        // 40,000 at once.
        give([take(10_000), take(10_000), take(20_000)]);
        assert_eq!((take(5000).capacity(), kept()), (5000, vec![10_000, 20_000]), "the oldest went");
        assert_eq!((take(5000).capacity(), kept()), (5000, vec![10_000, 20_000]), "there is room");
        assert_eq!((take(30_000).capacity(), kept()), (30_000, vec![]), "that is as much as ever");
    }

    #[test]
    fn a_shorter_pack_has_the_buffers_of_a_longer_one() {
        let _keeping = keeping();
        begin(1000, 180);
        give([take(1000 * 8), take(1000 * 32)]);
        begin(300, 170);
        let (narrow, wide) = (take(300 * 16), take(300 * 32));
        assert_eq!(
            (narrow.len(), narrow.capacity()),
            (4800, 16_000),
            "as large as the longer pack's would be"
        );
        assert_eq!((wide.len(), wide.capacity()), (9600, 32_000));
        give([narrow, wide]);
        begin(1100, 190);
        assert_eq!(take(1100 * 32).capacity(), 35_200);
        assert!(kept().is_empty(), "the shorter packs' went");
        begin(300, 170);
        assert_eq!(take(4567).capacity(), 4567, "no multiple of the rows");
        assert_eq!(take(170 * 32).capacity(), 190 * 32, "as large as the largest last layer's");
    }
}
