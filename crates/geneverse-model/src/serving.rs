//! Answers to requests that come at any time (continuous batching, Yu et al., 2022).
//!
//! ```text
//! ask ─► waiting, in their order ─► read (a pass over prompts) ─► under way ─► a token each in every step ─► told
//! ```
//!
//! The model lives on a thread of its own. Between two steps of the answers under way it reads prompts that have come, or a
//! piece of a long one, so that neither keeps the other waiting for long; an answer that ends makes room at once. The
//! passes are those of [`crate::generate`]: a prompt gets the answer that it gets there, but where two tokens are as likely
//! as rounding tells, for a sum of another shape is rounded otherwise.
//!
//! Requests ask for any of several LoRA adapters beside the one base. A step computes the products with the base's weights
//! once for all of them, and each adapter's on the rows that are its own.
//!
//! A request is begun when its whole cache, prompt and longest answer, has room within [`Limits::cache_bytes`]: what is
//! begun is never thrown out again. Requests are begun in their order, so that a large one is not passed by small ones
//! for ever. What remains of that room holds the keys and values of answers that are over, so that a conversation that goes
//! on is read from where it was. Nothing here reads a clock: whoever asks decides how long to listen, and to stop listening is to cancel.

mod kept;
mod queue;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::adapter::Adapter;
use crate::arch::decoder::Decoder;
use crate::arch::projector::PICTURE;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::generate::AnswerConfig;
use crate::pictures::Album;
use queue::{Order, Shared};

/// How much an engine takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers under way at once.
    pub running: usize,
    /// Requests that wait for their turn; one more is refused.
    pub waiting: usize,
    /// Bytes of keys and values of all answers under way, and of those that are kept.
    pub cache_bytes: usize,
    /// Tokens of prompts that are read between two steps; a longer prompt is read in pieces. [`PIECE`] suits most machines.
    pub piece: usize,
}

/// Prompt tokens read between two steps: enough for the products to be as fast as with more, and for those whose answers are
/// under way no longer to wait than for a few steps.
pub const PIECE: usize = 512;

/// What is asked of the model.
pub struct Request {
    /// The prompt's tokens, begin-of-sequence included.
    pub ids: Vec<u32>,
    /// The pictures whose rows are in the prompt.
    pub pictures: Option<Album>,
    /// Which of the engine's adapters answers; none is the model as it is.
    pub adapter: Option<usize>,
    /// How the answer is made.
    pub config: AnswerConfig,
}

/// What is heard of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Its next token.
    Token(u32),
    /// It is finished. Nothing comes after this.
    Done {
        /// Whether it ended by itself, not at the longest length.
        stopped: bool,
    },
    /// It cannot be made, and why. Nothing comes after this.
    Failed(String),
}

/// Why a request is not taken on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// As many wait as may.
    #[error("{waiting} requests are waiting already; ask again later")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The engine takes on nothing more.
    #[error("shutting down; ask another server")]
    Closed,
    /// Prompt and longest answer are more than the model reads.
    #[error(
        "the prompt has {prompt} tokens and the answer may have {answer}, and the model reads {room} together"
    )]
    TooLong {
        /// Tokens of the prompt.
        prompt: usize,
        /// Longest answer.
        answer: usize,
        /// Tokens that the model has positions for.
        room: usize,
    },
    /// The cache of this request alone is more than there may be.
    #[error(
        "the request takes {bytes} bytes of keys and values, and all together may take {limit}; ask for fewer tokens"
    )]
    TooLarge {
        /// What it takes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// What is asked for makes no sense to the model.
    #[error("{0}")]
    Invalid(String),
}

/// How an engine stands, and what it has done since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests waiting.
    pub waiting: usize,
    /// Answers under way.
    pub running: usize,
    /// Bytes of keys and values that are set aside for them.
    pub cache_bytes: usize,
    /// Bytes of those that are kept of answers that are over.
    pub kept_bytes: usize,
    /// Requests taken on.
    pub asked: u64,
    /// Answers finished.
    pub finished: u64,
    /// Answers that nobody listened to any more.
    pub cancelled: u64,
    /// Answers that could not be made.
    pub failed: u64,
    /// Tokens of prompts that were read.
    pub prompt_tokens: u64,
    /// Tokens of prompts that had been read before.
    pub reused_tokens: u64,
    /// Tokens of answers.
    pub answer_tokens: u64,
    /// Steps, of each of which every answer under way got a token.
    pub steps: u64,
}

/// A model that answers, on a thread of its own. Dropped, it ends what is under way.
pub struct Engine {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    config: ModelConfig,
    adapters: usize,
    limits: Limits,
}

/// An answer as it comes. Dropped before its end, it is cancelled.
pub struct Answering {
    told: Receiver<Told>,
    left: Arc<AtomicBool>,
    reused: Arc<AtomicUsize>,
}

impl Engine {
    /// Starts an engine. `adapters` were read for this model.
    pub fn start(model: Decoder, adapters: Vec<Adapter>, limits: Limits) -> Result<Self> {
        if limits.running == 0 || limits.waiting == 0 || limits.piece == 0 {
            let reason = "an engine needs room for at least one answer under way, one request waiting and one token read";
            return Err(ModelError::Run(reason.to_owned()));
        }
        let (config, count) = (model.config().clone(), adapters.len());
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let work = move || worker::work(model, &adapters, limits, &of_thread);
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(work);
        let thread = thread.map_err(|e| ModelError::Run(format!("cannot start the engine's thread: {e}")))?;
        Ok(Self { shared, thread: Some(thread), config, adapters: count, limits })
    }

    /// Asks for an answer.
    pub fn ask(&self, request: Request) -> Result<Answering, Refused> {
        let bytes = self.check(&request)?;
        let (tell, told) = channel();
        let (left, reused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let Request { ids, pictures, adapter, config } = request;
        let config = Arc::new(config);
        let (of_order, read) = (left.clone(), reused.clone());
        let order = Order { ids, pictures, adapter, config, bytes, tell, left: of_order, reused: read };
        self.shared.push(order, &self.limits)?;
        Ok(Answering { told, left, reused })
    }

    /// Longest answer to a prompt of so many tokens; 0 where there is no room for any.
    pub fn room(&self, prompt: usize) -> usize {
        let by_memory = self.limits.cache_bytes / self.bytes_per_token().max(1);
        self.config.max_position_embeddings.min(by_memory).saturating_sub(prompt)
    }

    /// How it stands.
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// Whether it is at work, or ready for it.
    pub fn lives(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Takes on nothing more. What was asked before is answered.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Bytes of keys and values of a token.
    fn bytes_per_token(&self) -> usize {
        let ModelConfig { num_hidden_layers, num_key_value_heads, head_dim, .. } = self.config;
        2 * num_hidden_layers * num_key_value_heads * head_dim * size_of::<f32>()
    }

    /// Refuses what cannot be answered, so that it does not come to grief among others' requests; the bytes of its cache.
    fn check(&self, request: &Request) -> Result<usize, Refused> {
        let Request { ids, pictures, adapter, config } = request;
        let (prompt, answer) = (ids.len(), config.max_new_tokens);
        if prompt == 0 || answer == 0 {
            let reason = "a prompt of at least one token and an answer length of at least 1 are needed";
            return Err(Refused::Invalid(reason.to_owned()));
        }
        config.check().map_err(|e| Refused::Invalid(e.to_string()))?;
        if let Some(adapter) = adapter.filter(|adapter| *adapter >= self.adapters) {
            let reason = format!("adapter {adapter} is asked for, and there are {}", self.adapters);
            return Err(Refused::Invalid(reason));
        }
        let (vocabulary, shown) = (self.config.vocab_size, pictures.as_ref().map_or(0, Album::tokens));
        let known = |id: u32| match id.checked_sub(PICTURE) {
            Some(row) => (row as usize) < shown,
            None => (id as usize) < vocabulary,
        };
        if let Some(id) = ids.iter().find(|id| !known(**id)) {
            let reason = match id.checked_sub(PICTURE) {
                Some(row) => format!("row {row} of a picture is asked for, and {shown} rows are shown"),
                None => format!("token {id} is outside of the model's vocabulary of {vocabulary}"),
            };
            return Err(Refused::Invalid(reason));
        }
        let room = self.config.max_position_embeddings;
        let tokens = prompt.saturating_add(answer);
        if tokens > room {
            return Err(Refused::TooLong { prompt, answer, room });
        }
        let (bytes, limit) = (tokens.saturating_mul(self.bytes_per_token()), self.limits.cache_bytes);
        if bytes > limit { Err(Refused::TooLarge { bytes, limit }) } else { Ok(bytes) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.halt();
        if let Some(thread) = self.thread.take() {
            // It has told whoever listened; there is nobody to tell of a panic.
            let _ = thread.join();
        }
    }
}

impl Answering {
    /// Waits for what comes next; `None` where nothing more will.
    pub fn next(&self) -> Option<Told> {
        self.told.recv().ok()
    }

    /// The same for so long at most.
    pub fn next_within(&self, time: Duration) -> Result<Option<Told>, TookLonger> {
        match self.told.recv_timeout(time) {
            Ok(told) => Ok(Some(told)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(TookLonger),
        }
    }

    /// Tokens of the prompt that had been read before; known with the first token.
    pub fn reused(&self) -> usize {
        self.reused.load(Ordering::Relaxed)
    }
}

/// Nothing was heard in the time given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TookLonger;

impl Drop for Answering {
    fn drop(&mut self) {
        self.left.store(true, Ordering::Relaxed);
    }
}

/// What a lock holds, though a thread panicked with it: the engine's are never left half changed.
fn unpoisoned<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}
