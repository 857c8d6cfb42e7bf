//! An answer under way.

use std::sync::Arc;

use super::AnswerConfig;
use super::cache::Cache;
use crate::arch::projector::PICTURE;

/// An answer under way, `of` whom it is for.
pub(crate) struct Slot<T> {
    pub(crate) of: T,
    pub(super) config: Arc<AnswerConfig>,
    /// Which of the adapters it is made by; none is the model as it is.
    pub(crate) adapter: Option<usize>,
    /// Where the next token stands: as far as there are tokens, or less far after pictures that take less room.
    pub(super) position: u32,
    /// The token that comes next into the model.
    pub(super) next: u32,
    /// Whether `next` has been told.
    told: bool,
    /// The question's tokens and the answer's, without `next`.
    pub(super) history: Vec<u32>,
    /// Each of them once, where they are penalised.
    pub(super) seen: Vec<u32>,
    /// How many of them are the question's.
    asked: usize,
    /// How many the answer may have: no more than the model has positions for.
    most: usize,
    pub(super) layers: Vec<Cache>,
}

/// What a pass has brought an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Its next token, once.
    pub(crate) token: Option<u32>,
    /// Where it is finished, whether it ended by itself.
    pub(crate) end: Option<bool>,
}

impl<T> Slot<T> {
    /// An answer of at most `most` tokens to `ids` that has none yet; its first will stand at `position`.
    pub(crate) fn new(
        of: T,
        ids: &[u32],
        (position, most): (u32, usize),
        (config, adapter): (Arc<AnswerConfig>, Option<usize>),
        layers: Vec<Cache>,
    ) -> Self {
        let history = ids.to_vec();
        let mut seen = if config.penalises() { history.clone() } else { Vec::new() };
        // Rows of pictures are never said.
        seen.retain(|id| *id < PICTURE);
        seen.sort_unstable();
        seen.dedup();
        Self {
            of,
            config,
            adapter,
            position,
            next: 0,
            told: false,
            asked: history.len(),
            most,
            history,
            seen,
            layers,
        }
    }

    /// The same for somebody else.
    pub(crate) fn made_for<U>(self, of: U) -> Slot<U> {
        let Self { of: _, config, adapter, position, next, told, history, seen, asked, most, layers } = self;
        Slot { of, config, adapter, position, next, told, history, seen, asked, most, layers }
    }

    /// Takes more of the question, which has been read.
    pub(super) fn lengthen(&mut self, ids: &[u32]) {
        self.history.extend_from_slice(ids);
        self.asked = self.history.len();
        if self.config.penalises() {
            self.seen.extend_from_slice(ids);
            self.seen.sort_unstable();
            self.seen.dedup();
        }
        self.position += ids.len() as u32;
    }

    /// Tokens of the question that have been read.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// Tokens that have come so far, `next` not among them.
    pub(super) fn said(&self) -> usize {
        self.history.len() - self.asked
    }

    /// Takes `next` for said, once the model has read it.
    pub(super) fn advance(&mut self) {
        self.history.push(self.next);
        if self.config.penalises() && !self.seen.contains(&self.next) {
            self.seen.push(self.next);
        }
        self.position += 1;
    }

    /// Takes the token that was chosen.
    pub(super) fn take(&mut self, next: u32) {
        (self.next, self.told) = (next, false);
    }

    /// What the last pass has brought.
    pub(crate) fn turn(&mut self) -> Turn {
        let stopped = self.config.stop_ids.contains(&self.next);
        let told = std::mem::replace(&mut self.told, true);
        let token = (!stopped && !told).then_some(self.next);
        let end = (stopped || self.said() + 1 >= self.most).then_some(stopped);
        Turn { token, end }
    }

    /// The tokens of a finished answer.
    pub(crate) fn answer(mut self, stopped: bool) -> Vec<u32> {
        let mut ids = self.history.split_off(self.asked);
        if !stopped {
            ids.push(self.next);
        }
        ids
    }

    /// The tokens that have been read, the adapter they were read by, and their keys and values.
    pub(crate) fn past(self) -> (Vec<u32>, Option<usize>, Vec<Cache>) {
        (self.history, self.adapter, self.layers)
    }

    /// Tokens that would complete a run that the guards do not let come again.
    pub(super) fn repeating(&self) -> Vec<u32> {
        let AnswerConfig { no_repeat_ngram_size, no_repeat_in_answer, .. } = &*self.config;
        let mut ids = completing(&self.history, *no_repeat_ngram_size);
        ids.extend(completing(&self.history[self.asked..], *no_repeat_in_answer));
        ids
    }
}

/// Tokens that would complete a run of `length` tokens that has been before.
fn completing(history: &[u32], length: usize) -> Vec<u32> {
    let Some(start) = (history.len() + 1).checked_sub(length).filter(|_| length > 0) else {
        return Vec::new();
    };
    let last = &history[start..];
    let runs = history.windows(length).filter(|run| run.starts_with(last));
    runs.map(|run| run[length - 1]).filter(|id| *id < PICTURE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_over_the_answer_lets_the_question_be_said_again_and_no_loop() {
        let slot = |both: usize, answer: usize| {
            let config = AnswerConfig {
                no_repeat_ngram_size: both,
                no_repeat_in_answer: answer,
                ..AnswerConfig::greedy(9)
            };
            // Asked 5 6 7 8; said so far 5 6 9 5 6.
            let mut slot = Slot::new((), &[5, 6, 7, 8], (4, 9), (Arc::new(config), None), Vec::new());
            for id in [5, 6, 9, 5, 6] {
                slot.take(id);
                slot.advance();
            }
            slot.repeating()
        };
        assert_eq!(slot(3, 0), [7, 9], "5 6 7 of the question, 5 6 9 of the answer");
        assert_eq!(slot(0, 3), [9]);
        assert_eq!(slot(0, 0), [0_u32; 0]);
        assert_eq!(slot(0, 4), [0_u32; 0], "9 5 6 has not been before");
        assert_eq!(slot(0, 1), [5, 6, 9, 5, 6]);
    }
}
