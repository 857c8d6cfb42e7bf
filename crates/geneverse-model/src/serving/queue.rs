//! Requests on their way to the engine's thread, and what is known of its work.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::{Figures, Limits, Refused, Told, unpoisoned};
use crate::generate::AnswerConfig;
use crate::pictures::Album;

/// A request that was taken on.
pub(super) struct Order {
    /// What of the prompt has not been read.
    pub(super) ids: Vec<u32>,
    pub(super) pictures: Option<Album>,
    pub(super) adapter: Option<usize>,
    pub(super) config: Arc<AnswerConfig>,
    /// Of its cache.
    pub(super) bytes: usize,
    pub(super) tell: Sender<Told>,
    /// Whether nobody listens any more.
    pub(super) left: Arc<AtomicBool>,
    /// Tokens of the prompt that had been read before.
    pub(super) reused: Arc<AtomicUsize>,
}

impl Order {
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }
}

/// What the engine and its thread share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Somebody has asked, or wants it to end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Order>,
    closed: bool,
    halted: bool,
    figures: Figures,
}

/// What the thread does next.
pub(super) enum Next {
    /// Reads these, if there are any, and goes on with what is under way.
    Read(Vec<Order>),
    /// Nothing more.
    End,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }

    pub(super) fn push(&self, order: Order, limits: &Limits) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed || state.halted {
            return Err(Refused::Closed);
        }
        let State { waiting, figures, .. } = &mut *state;
        let before = waiting.len();
        waiting.retain(|order| !order.is_left());
        figures.cancelled += (before - waiting.len()) as u64;
        if waiting.len() >= limits.waiting {
            return Err(Refused::Full { waiting: waiting.len() });
        }
        waiting.push_back(order);
        figures.asked += 1;
        self.changed.notify_one();
        Ok(())
    }

    /// Waits where there is nothing to do, with `running` answers under way that set `bytes` aside.
    pub(super) fn next(&self, (running, bytes): (usize, usize), limits: &Limits) -> Next {
        let mut state = self.lock();
        loop {
            let State { waiting, figures, closed, halted } = &mut *state;
            let before = waiting.len();
            waiting.retain(|order| !order.is_left());
            figures.cancelled += (before - waiting.len()) as u64;
            if *halted || (*closed && waiting.is_empty() && running == 0) {
                return Next::End;
            }
            let count = admitted(waiting.iter(), (running, bytes), limits);
            if count > 0 || running > 0 {
                return Next::Read(waiting.drain(..count).collect());
            }
            state = unpoisoned(self.changed.wait(state));
        }
    }

    /// Changes what is known of the work.
    pub(super) fn count(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.lock().figures);
    }

    pub(super) fn figures(&self) -> Figures {
        let state = self.lock();
        Figures { waiting: state.waiting.len(), ..state.figures }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Ends the work, whatever is under way; who waits hears that nothing more comes.
    pub(super) fn halt(&self) {
        let mut state = self.lock();
        (state.closed, state.halted) = (true, true);
        state.waiting.clear();
        self.changed.notify_all();
    }
}

/// How many of those that wait are read next, in their order: as many as there is room for and one pass reads. A prompt with pictures is read alone, for the model is shown those of one request.
fn admitted<'a>(
    waiting: impl Iterator<Item = &'a Order>,
    (running, mut bytes): (usize, usize),
    limits: &Limits,
) -> usize {
    let (mut count, mut tokens) = (0, 0);
    for order in waiting.take(limits.running.saturating_sub(running)) {
        bytes += order.bytes;
        tokens += order.ids.len();
        let fits = bytes <= limits.cache_bytes && (count == 0 || tokens <= limits.piece);
        if !fits || (count > 0 && order.pictures.is_some()) {
            break;
        }
        count += 1;
        if order.pictures.is_some() {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(tokens: usize, bytes: usize, adapter: Option<usize>, pictures: bool) -> Order {
        let config = AnswerConfig::greedy(1);
        let (tell, _) = std::sync::mpsc::channel();
        let (ids, config) = (vec![1; tokens], Arc::new(config));
        let (left, reused, pictures) = (Arc::default(), Arc::default(), pictures.then(Album::empty));
        Order { ids, pictures, adapter, config, bytes, tell, left, reused }
    }

    fn count(orders: &[Order], running: usize, bytes: usize) -> usize {
        let limits = Limits { running: 3, waiting: 9, cache_bytes: 100, piece: 50 };
        admitted(orders.iter(), (running, bytes), &limits)
    }

    #[test]
    fn those_are_read_together_that_there_is_room_for() {
        let plain = || order(5, 30, None, false);
        let four = [plain(), plain(), plain(), plain()];
        assert_eq!(count(&four, 0, 0), 3, "as many as may be under way");
        assert_eq!(count(&four, 2, 0), 1);
        assert_eq!(count(&four, 3, 0), 0);
        assert_eq!(count(&four, 1, 60), 1, "100 bytes in all");
        assert_eq!(count(&four, 1, 80), 0);
        // A large one is not passed by the small one behind it.
        assert_eq!(count(&[order(5, 90, None, false), plain()], 1, 30), 0);
        let long = |tokens| order(tokens, 1, None, false);
        assert_eq!(count(&[long(59), long(1)], 0, 0), 1, "a long prompt is read alone");
        assert_eq!(count(&[long(49), long(1), long(1)], 0, 0), 2);
    }

    #[test]
    fn those_with_pictures_are_read_alone() {
        let of = |adapter| order(5, 1, adapter, false);
        assert_eq!(count(&[of(Some(1)), of(Some(0)), of(None)], 0, 0), 3);
        let seeing = || order(5, 1, None, true);
        assert_eq!(count(&[seeing(), of(None)], 0, 0), 1);
        assert_eq!(count(&[of(None), seeing()], 0, 0), 1);
        assert_eq!(count(&[seeing(), seeing()], 0, 0), 1);
    }
}
