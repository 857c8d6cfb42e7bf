//! An answer under way, from the engine's tokens to text, for as long as somebody listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use geneverse_model::serving::{Answering, Request, Told, TookLonger};

use super::App;
use super::asked::Manner;
use super::error::ApiError;
use super::models::Prompt;
use super::speech::{Speech, Stops};

/// How often whoever waits for a token looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(500);

/// An answer under way.
pub(crate) struct Hearing {
    app: Arc<App>,
    /// Nothing once the answer has ended.
    answering: Option<Answering>,
    speech: Speech,
    until: Instant,
    pub(crate) prompt_tokens: usize,
    /// Of the prompt's tokens those that had been read before.
    pub(crate) reused: usize,
    /// Tokens so far, for the log too.
    tokens: Arc<AtomicUsize>,
}

/// What is heard next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A piece of text; may be empty.
    Text(String),
    /// Nothing yet.
    Waiting,
    /// The last piece, and why it is the last: `stop` or `length`.
    End(String, &'static str),
}

/// A whole answer.
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) finish: &'static str,
}

impl Hearing {
    /// Asks for an answer, or where it `continues` the prompt as a text, for that.
    pub(crate) fn ask(
        app: &Arc<App>,
        which: usize,
        prompt: Prompt,
        (manner, continues): (&Manner, bool),
        tokens: Arc<AtomicUsize>,
    ) -> Result<Self, ApiError> {
        let models = &app.models;
        let Prompt { ids, pictures } = prompt;
        let prompt_tokens = ids.len();
        let room = models.engine.room(prompt_tokens);
        let config = manner.config(&models.settings, (app.usual_tokens, app.most_tokens, room))?;
        let request = Request { ids, pictures, adapter: models.adapter(which), config };
        let answering = Some(models.engine.ask(request)?);
        let until = Instant::now() + app.longest;
        let speech = Speech::new(Stops::new(manner.stops()), continues);
        Ok(Self { app: app.clone(), answering, speech, until, prompt_tokens, reused: 0, tokens })
    }

    /// Tokens of the answer so far.
    pub(crate) fn tokens(&self) -> usize {
        self.speech.tokens()
    }

    /// The answer so far.
    pub(crate) fn text(&self) -> Result<String, ApiError> {
        let text = self.speech.whole(&self.app.models.tokenizer);
        text.map_err(|e| ApiError::new(500, e.to_string()))
    }

    /// Waits for what comes next, for a short while.
    pub(crate) fn next(&mut self) -> Result<Piece, ApiError> {
        let over = || ApiError::new(500, "the answer has ended already");
        let answering = self.answering.as_ref().ok_or_else(over)?;
        if Instant::now() >= self.until {
            self.answering = None;
            let seconds = self.app.longest.as_secs();
            let message = format!("the answer took longer than {seconds} s, which is this server's limit");
            return Err(ApiError::new(504, message).coded("timeout"));
        }
        let tokenizer = &self.app.models.tokenizer;
        let broken = |e: geneverse_model::ModelError| ApiError::new(500, e.to_string());
        match answering.next_within(LOOK) {
            Err(TookLonger) => Ok(Piece::Waiting),
            Ok(Some(Told::Token(id))) => {
                self.reused = answering.reused();
                let (text, ends) = self.speech.push(id, tokenizer).map_err(broken)?;
                self.tokens.store(self.speech.tokens(), Ordering::Relaxed);
                if ends {
                    // Nobody listens to what would come after it.
                    self.answering = None;
                    return Ok(Piece::End(text, "stop"));
                }
                Ok(Piece::Text(text))
            }
            Ok(Some(Told::Done { stopped })) => {
                self.answering = None;
                let rest = self.speech.rest(tokenizer).map_err(broken)?;
                Ok(Piece::End(rest, if stopped { "stop" } else { "length" }))
            }
            Ok(Some(Told::Failed(why))) => Err(ApiError::new(500, why)),
            Ok(None) => Err(ApiError::new(503, "the server is shutting down; ask again later")),
        }
    }

    /// The whole answer; nothing where whoever asked `hung_up`.
    pub(crate) fn whole(&mut self, hung_up: &dyn Fn() -> bool) -> Result<Option<Whole>, ApiError> {
        loop {
            match self.next()? {
                Piece::Text(_) | Piece::Waiting => {}
                Piece::End(_, finish) => return Ok(Some(Whole { text: self.text()?, finish })),
            }
            if hung_up() {
                return Ok(None);
            }
        }
    }
}
