//! Threads that stay awake between the loops of a training step.
//!
//! A step is hundreds of parallel loops, a tenth of a millisecond or two apart. A thread that finds nothing to do goes to sleep in
//! between, and is woken for the next: on a virtual machine, whose idle processors are given away, that takes as long as a short
//! loop itself. Here the others look for work until the step is done, and leave their processor to whoever else wants it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a thread looks for work before it lets others have its processor each time.
const AT_ONCE: usize = 64;

/// How often before it sleeps a little each time: after a millisecond or so, there are more threads than the work has tasks, and
/// those that look hinder those that work.
const AWAKE_FOR: usize = 1 << 11;

/// How long it sleeps.
const NAP: Duration = Duration::from_micros(50);

/// Whether the pool is kept awake. One that is twice would wait for itself: each work could be begun by a thread that is to stay
/// awake for the other.
static AWAKE: AtomicBool = AtomicBool::new(false);

/// Runs `work` on a thread of rayon's pool while the others stay awake.
pub(super) fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let done = &AtomicBool::new(false);
    let first = AWAKE.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
    rayon::scope(|scope| {
        let here = rayon::current_thread_index();
        // Set whatever becomes of the work.
        let _end = first.then(|| End(done));
        if first {
            scope.spawn_broadcast(move |_, thread| {
                if Some(thread.index()) != here {
                    look_for_work(done);
                }
            });
        }
        work()
    })
}

/// Does what there is to do until all is done.
fn look_for_work(done: &AtomicBool) {
    let mut looks = 0;
    while !done.load(Ordering::Acquire) {
        looks = if rayon::yield_now() == Some(rayon::Yield::Executed) { 0 } else { looks + 1 };
        match looks {
            0 => {}
            1..AT_ONCE => std::hint::spin_loop(),
            AT_ONCE..AWAKE_FOR => std::thread::yield_now(),
            _ => std::thread::sleep(NAP),
        }
    }
}

/// Ends the search for work.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        AWAKE.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::awake;

    fn sum() -> usize {
        (0..1000usize)
            .into_par_iter()
            .with_max_len(10)
            .map(|i| (0..i % 7).into_par_iter().sum::<usize>())
            .sum()
    }

    #[test]
    fn works_at_once_and_works_that_fail_all_end() {
        let wanted = sum();
        std::thread::scope(|scope| {
            for caller in 0..6 {
                scope.spawn(move || {
                    for round in 0..60 {
                        let fails = (caller + round) % 9 == 0;
                        let found = std::panic::catch_unwind(|| {
                            awake(|| {
                                // One within another is one more loop.
                                let found = awake(sum);
                                if fails {
                                    std::panic::resume_unwind(Box::new("as it is to be"));
                                }
                                found
                            })
                        });
                        assert_eq!(found.ok(), (!fails).then_some(wanted));
                    }
                });
            }
        });
        assert_eq!(awake(sum), wanted);
    }
}
