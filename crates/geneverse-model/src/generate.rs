//! Batched greedy decoding with a key/value cache.
//!
//! Prompts of any lengths are answered together with no padding: a prompt's keys and values lie in a cache of
//! its own, and when an answer is finished the next prompt takes its place. The products of a step are shared
//! by all answers under way; attention is each answer's own.
//!
//! [`generate`] answers prompts that are all known at once; [`crate::serving`] answers those that come at any time. Both do
//! so by the same two passes (`generate/pass.rs`): one reads prompts, one gives every answer its next token.

mod cache;
mod choice;
mod pass;
mod slot;

use std::sync::Arc;

use crate::arch::decoder::Decoder;
use crate::error::{ModelError, Result};
use crate::ops::in_pool;
pub(crate) use cache::Cache;
pub use choice::Choice;
pub(crate) use pass::{Asked, Passes};
pub(crate) use slot::{Slot, Turn};

/// Prompt tokens that are read in one pass.
const PREFILL_TOKENS: usize = 2048;

/// How answers are made.
#[derive(Debug, Clone)]
pub struct GenerateConfig {
    /// Longest answer in tokens. One that reaches the model's last position ends there, whatever the others' lengths.
    pub max_new_tokens: usize,
    /// Answers under way at once.
    pub batch: usize,
    /// Tokens that end an answer and are not part of it.
    pub stop_ids: Vec<u32>,
    /// The logit of every token that is in question or answer is divided by it where it is positive, else multiplied
    /// by it (Keskar et al., 2019); above 0, 1 for no penalty. As transformers' `repetition_penalty`.
    pub repetition_penalty: f32,
    /// No run of so many tokens comes twice in question and answer together; 0 for no such guard. As transformers'
    /// `no_repeat_ngram_size`.
    pub no_repeat_ngram_size: usize,
    /// No run of so many tokens comes twice in the answer, whatever the question says; 0 for no such guard. A record in the
    /// question may be said again then, and a loop may not. As transformers' `no_repeat_ngram_size` of a model with an encoder.
    pub no_repeat_in_answer: usize,
}

/// How one answer is made.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerConfig {
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
    /// Tokens that end an answer and are not part of it.
    pub stop_ids: Vec<u32>,
    /// As [`GenerateConfig::repetition_penalty`].
    pub repetition_penalty: f32,
    /// As [`GenerateConfig::no_repeat_ngram_size`].
    pub no_repeat_ngram_size: usize,
    /// As [`GenerateConfig::no_repeat_in_answer`].
    pub no_repeat_in_answer: usize,
    /// How a token is chosen among the likely ones.
    pub choice: Choice,
}

impl GenerateConfig {
    /// How each of the answers is made.
    pub fn of_each(&self) -> AnswerConfig {
        let Self {
            max_new_tokens,
            batch: _,
            stop_ids,
            repetition_penalty,
            no_repeat_ngram_size,
            no_repeat_in_answer,
        } = self.clone();
        AnswerConfig {
            max_new_tokens,
            stop_ids,
            repetition_penalty,
            no_repeat_ngram_size,
            no_repeat_in_answer,
            choice: Choice::Likeliest,
        }
    }
}

impl AnswerConfig {
    /// A greedy answer of at most so many tokens, without guard or end.
    #[cfg(test)]
    pub(crate) fn greedy(max_new_tokens: usize) -> Self {
        Self {
            max_new_tokens,
            stop_ids: Vec::new(),
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            no_repeat_in_answer: 0,
            choice: Choice::Likeliest,
        }
    }

    /// Refuses what no answer can be made by.
    pub(crate) fn check(&self) -> Result<()> {
        let found = self.repetition_penalty;
        if !(found > 0.0 && found.is_finite()) {
            let reason = format!("repetition_penalty is {found}, expected a number above 0; 1 is no penalty");
            return Err(ModelError::Run(reason));
        }
        self.choice.check()
    }

    fn penalises(&self) -> bool {
        self.repetition_penalty != 1.0
    }
}

/// A finished answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Which prompt it answers.
    pub prompt: usize,
    /// The answer's tokens.
    pub ids: Vec<u32>,
    /// Whether it ended by itself, not at the longest length.
    pub stopped: bool,
}

/// What happens on the way to the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An answer got its next token.
    Token {
        /// Which prompt is being answered.
        prompt: usize,
        /// The token.
        id: u32,
    },
    /// An answer is finished.
    Done(Generated),
}

/// Answers `prompts` (token ids, begin-of-sequence included). `on_event` is called with each token and each finished
/// answer, in no set order of prompts; when it returns `false` the rest is left unanswered.
pub fn generate(
    model: &Decoder,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    on_event: &mut dyn FnMut(Event) -> Result<bool>,
) -> Result<()> {
    if prompts.iter().any(Vec::is_empty) || config.batch == 0 || config.max_new_tokens == 0 {
        return Err(ModelError::Run(
            "generation needs prompts of at least one token, a batch and an answer length of at least 1"
                .into(),
        ));
    }
    let of_each = Arc::new(config.of_each());
    of_each.check()?;
    let mut waiting = prompts.iter().enumerate().peekable();
    let mut slots: Vec<Slot<usize>> = Vec::new();
    let passes = Passes { model, adapters: &[] };
    loop {
        let mut fresh: Vec<Asked<'_, usize>> = Vec::new();
        let mut tokens = 0;
        while slots.len() + fresh.len() < config.batch {
            let Some((_, ids)) = waiting.peek() else { break };
            if !fresh.is_empty() && tokens + ids.len() > PREFILL_TOKENS {
                break;
            }
            tokens += ids.len();
            fresh.extend(waiting.next().map(|(of, ids)| Asked {
                of,
                ids,
                later: 0,
                adapter: None,
                config: of_each.clone(),
            }));
        }
        if !fresh.is_empty() {
            slots.extend(in_pool(|| passes.read(fresh))?);
        } else if slots.is_empty() {
            return Ok(());
        } else {
            in_pool(|| passes.step(&mut slots))?;
        }
        let mut index = 0;
        while index < slots.len() {
            let Turn { token, end } = slots[index].turn();
            let prompt = slots[index].of;
            if let Some(id) = token
                && !on_event(Event::Token { prompt, id })?
            {
                return Ok(());
            }
            match end {
                None => index += 1,
                Some(stopped) => {
                    let ids = slots.swap_remove(index).answer(stopped);
                    if !on_event(Event::Done(Generated { prompt, ids, stopped }))? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
