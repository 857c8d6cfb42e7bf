//! Work that is done for each of many things: a thread for each thing.
//!
//! What is done for one thing may itself be shared over threads (rayon), which helps where there is one. Of many, sharing
//! each costs more than it gains: all threads wait for the slowest part of every one. So a thread takes a thing, does all of
//! it alone, and takes the next; only of fewer things than threads each is shared. Results are the same bytes either way.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` with each of `0..count`, in this order but several at once, until it says `false`.
pub(crate) fn for_each(count: usize, work: impl Fn(usize) -> bool + Sync) {
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count || !work(place) {
                break;
            }
        }
        // Nothing more is begun by the others either.
        next.store(count, Ordering::Relaxed);
    };
    let threads = rayon::current_num_threads();
    if count < threads {
        return take();
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
                Ok(alone) => alone.install(take),
                // Without a pool of its own the work is shared, which is slower and no more.
                Err(_) => take(),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn each_is_done_once_and_by_one_thread() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for count in [0, 2, 3, 100] {
            let done = Mutex::new(Vec::new());
            pool.install(|| {
                for_each(count, |place| {
                    done.lock().unwrap().push((place, rayon::current_num_threads()));
                    true
                });
            });
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            let each = if count < 3 { 3 } else { 1 };
            assert_eq!(done, (0..count).map(|place| (place, each)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_begun_after_a_no() {
        let begun = AtomicUsize::new(0);
        for_each(1000, |_| begun.fetch_add(1, Ordering::Relaxed) < 10);
        assert!(begun.into_inner() < 100);
    }
}
