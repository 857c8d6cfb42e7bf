//! A client of OpenAI-compatible endpoints: OpenAI, vLLM, llama.cpp's server, Ollama, and others that answer
//! `POST …/v1/chat/completions`.
//!
//! Servers differ. A parameter that one does not know is left out and the question asked again, once for each; an
//! answer is read as text, as a list of parts, or as nothing; cost may be missing. What the client had to leave out is
//! told by [`ChatClient::adjustments`]. The key is in no error and in no answer.

mod address;
pub(crate) mod endpoint;
pub(crate) mod reply;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use address::{Address, Key};
pub use reply::{ChatAnswer, Usage};

use crate::http::{HttpError, Settings};
use crate::picture::media_type;
use crate::stage::FileError;
use endpoint::{Endpoint, READINGS, Service, fault};
use reply::Fault;

/// More models than these are not listed in an error.
const MODELS_SHOWN: usize = 12;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// How the model is to behave.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    ImageUrl {
        /// Where it is.
        image_url: ImageUrl,
    },
}

/// Where a picture is: in the address itself (`data:image/png;base64,…`), so that the endpoint need not fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageUrl {
    /// The address.
    pub url: String,
}

impl ImageUrl {
    /// A picture's file as an address that holds it.
    ///
    /// # Errors
    /// The file cannot be read, or is neither PNG, JPEG, WebP nor GIF, which are what endpoints take.
    pub fn of_file(path: &Path) -> Result<Self, FileError> {
        let bytes = std::fs::read(path).map_err(|e| FileError::io(path, "read", e))?;
        let none = || FileError::whole(path, "found no picture, expected PNG, JPEG, WebP or GIF");
        let kind = media_type(&bytes).ok_or_else(none)?;
        Ok(Self { url: format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes)) })
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
}

impl Message {
    /// A text on how the model is to behave.
    pub fn system(text: impl Into<String>) -> Self {
        Self::text(Role::System, text)
    }

    /// A text from the person.
    pub fn user(text: impl Into<String>) -> Self {
        Self::text(Role::User, text)
    }

    /// A text from the person, about pictures, which come first.
    pub fn user_about(pictures: Vec<ImageUrl>, text: impl Into<String>) -> Self {
        let shown = pictures.into_iter().map(|image_url| Part::ImageUrl { image_url });
        Self { role: Role::User, parts: shown.chain([Part::Text { text: text.into() }]).collect() }
    }

    /// What is said, for a person to read.
    pub fn words(&self) -> String {
        let words = self.parts.iter().filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            Part::ImageUrl { .. } => None,
        });
        words.collect()
    }

    fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text { text: text.into() }] }
    }

    /// As endpoints take it: one text is a string, which every server knows.
    fn body(&self) -> Value {
        match self.parts.as_slice() {
            [Part::Text { text }] => json!({"role": self.role, "content": text}),
            parts => json!({"role": self.role, "content": parts}),
        }
    }
}

/// How an answer is drawn. What is `None` is left to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the likeliest token each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Tokens are drawn from those that have this probability together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The longest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Makes a draw repeatable, on servers that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A question to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model's name at the endpoint.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// How the answer is drawn.
    pub sampling: Sampling,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChatError {
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// The endpoint does not know who asks.
    #[error("{endpoint}: {said} ({status}); {way_out}")]
    Unauthorized {
        /// The address.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        said: String,
        /// What to do: names the variable a key comes from, not what is in it.
        way_out: String,
    },
    /// There is no such service at the address.
    #[error("{endpoint}: found no {service} there ({said}); {way_out}")]
    NoService {
        /// The address.
        endpoint: String,
        /// What was asked for.
        service: &'static str,
        /// The server's words.
        said: String,
        /// What to do.
        way_out: String,
    },
    /// The endpoint has no such model.
    #[error("{endpoint}: has no model {model:?} ({said}); {}", models_in_words(.available))]
    NoModel {
        /// The address.
        endpoint: String,
        /// What was asked for.
        model: String,
        /// The server's words.
        said: String,
        /// What it has, where it tells.
        available: Vec<String>,
    },
    /// The server does not take this question.
    #[error("{endpoint}: the server does not take the question ({status}): {said}")]
    Refused {
        /// The address.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        said: String,
        /// Whether its content filter did it.
        filtered: bool,
    },
    /// What came is not an answer.
    #[error("{endpoint}: {found} ({READINGS} attempts)")]
    Unreadable {
        /// The address.
        endpoint: String,
        /// What was found.
        found: String,
    },
    /// No connection, a broken one, or a server in trouble, after all attempts.
    #[error(transparent)]
    Http(HttpError),
}

fn models_in_words(available: &[String]) -> String {
    match available.len() {
        0 => "see the server's list of models".to_owned(),
        n if n > MODELS_SHOWN => {
            format!("it has {}, … ({n} in all)", available[..MODELS_SHOWN].join(", "))
        }
        _ => format!("it has {}", available.join(", ")),
    }
}

/// What a server was found not to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dialect {
    /// It wants `max_completion_tokens` for `max_tokens`.
    completion_tokens: bool,
    no_seed: bool,
    no_temperature: bool,
    no_top_p: bool,
    /// Its chat template has no system message: that goes before the first question.
    no_system: bool,
}

/// Asks an endpoint. Threads may share one.
pub struct ChatClient {
    endpoint: Endpoint,
    dialect: Mutex<Dialect>,
}

impl ChatClient {
    /// A client for the endpoint at `address`. As answers come whole, `settings.silence` has to be as long as the
    /// longest answer takes.
    pub fn new(settings: Settings, address: Address, key: Option<Key>) -> Result<Self, ChatError> {
        Ok(Self { endpoint: Endpoint::new(settings, address, key)?, dialect: Mutex::new(Dialect::default()) })
    }

    /// Ends all that is under way, in every thread: no answer is wanted any more.
    pub fn leave(&self) {
        self.endpoint.leave();
    }

    /// Whether it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.endpoint.is_stopped()
    }

    /// The endpoint's address.
    pub fn address(&self) -> &Address {
        self.endpoint.address()
    }

    /// What the server was found not to know, and what is done instead.
    pub fn adjustments(&self) -> Vec<String> {
        let Dialect { completion_tokens, no_seed, no_temperature, no_top_p, no_system } = self.dialect();
        let told = [
            (completion_tokens, "the limit of tokens is sent as max_completion_tokens"),
            (no_seed, "the server takes no seed: none is sent"),
            (no_temperature, "the server takes no such temperature: its own is used"),
            (no_top_p, "the server takes no top_p: none is sent"),
            (no_system, "the server takes no system message: it is put before the question"),
        ];
        told.into_iter().filter(|(true_here, _)| *true_here).map(|(_, words)| words.to_owned()).collect()
    }

    /// Asks, and waits for the whole answer. `tell` hears of every failed attempt.
    pub fn ask(&self, request: &ChatRequest, tell: &dyn Fn(&str)) -> Result<ChatAnswer, ChatError> {
        let mut reading = 0;
        loop {
            let dialect = self.dialect();
            let body = body(request, dialect);
            let found = match self.endpoint.post(Service::Chat, &body, tell) {
                Ok(text) => match reply::answer(&text) {
                    Ok(answer) => return Ok(answer),
                    Err(found) => found,
                },
                Err(error) => {
                    self.in_other_words(error, request, dialect, tell)?;
                    continue;
                }
            };
            reading += 1;
            self.endpoint.wait_to_reread(reading, found, tell)?;
        }
    }

    /// The names of the endpoint's models; `None` where it does not tell.
    pub fn models(&self, tell: &dyn Fn(&str)) -> Option<Vec<String>> {
        self.endpoint.models(tell)
    }

    fn dialect(&self) -> Dialect {
        // A thread that panicked while it held the lock left a whole value behind.
        *self.dialect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a server meant that said no: other words are found for the next time, or an error that names a way out.
    fn in_other_words(
        &self,
        error: HttpError,
        request: &ChatRequest,
        used: Dialect,
        tell: &dyn Fn(&str),
    ) -> Result<(), ChatError> {
        let (fault, objects) = fault(&error).unwrap_or_default();
        match other_words(&fault, request, used).filter(|_| objects) {
            Some(change) => {
                // Another thread may have found out something else meanwhile, which stays.
                change(&mut self.dialect.lock().unwrap_or_else(PoisonError::into_inner));
                Ok(())
            }
            None => Err(self.endpoint.refusal(error, &fault, Service::Chat, &request.model, tell)),
        }
    }
}

/// The request as this server takes it.
fn body(request: &ChatRequest, dialect: Dialect) -> Value {
    let ChatRequest { model, messages, sampling } = request;
    let Sampling { temperature, top_p, max_tokens, seed } = *sampling;
    let mut messages: Vec<Value> = messages.iter().map(Message::body).collect();
    if dialect.no_system && messages.len() > 1 && messages[0]["role"] == "system" {
        let system = messages.remove(0);
        match &mut messages[0]["content"] {
            Value::Array(parts) => parts.insert(0, json!({"type": "text", "text": system["content"]})),
            content => {
                let both = [&system["content"], &*content].map(|c| c.as_str().unwrap_or_default());
                *content = both.join("\n\n").into();
            }
        }
    }
    let mut body = json!({"model": model, "messages": messages, "stream": false});
    let limit = if dialect.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
    for (name, value) in [
        ("temperature", temperature.filter(|_| !dialect.no_temperature).map(Value::from)),
        ("top_p", top_p.filter(|_| !dialect.no_top_p).map(Value::from)),
        (limit, max_tokens.map(Value::from)),
        ("seed", seed.filter(|_| !dialect.no_seed).map(Value::from)),
    ] {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    body
}

/// What may help with a server that objects to one of our words; `None` where it objects to something else, or to
/// what has been changed already.
fn other_words(fault: &Fault, request: &ChatRequest, used: Dialect) -> Option<fn(&mut Dialect)> {
    let lower = fault.message.to_lowercase();
    // A question that is too long is not made shorter by other words.
    if lower.contains("context length") || lower.contains("context size") {
        return None;
    }
    let parameter = fault.parameter.as_deref().unwrap_or_default();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    let objects_to = |name: &str| parameter == name || words.clone().any(|word| word == name);
    let Sampling { temperature, top_p, max_tokens, seed } = request.sampling;
    let sent = [
        (max_tokens.is_some() && !used.completion_tokens, "max_tokens"),
        (seed.is_some() && !used.no_seed, "seed"),
        (top_p.is_some() && !used.no_top_p, "top_p"),
        (temperature.is_some() && !used.no_temperature, "temperature"),
        (request.messages.len() > 1 && !used.no_system, "system"),
    ];
    let (_, name) = sent.into_iter().find(|(sent, name)| *sent && objects_to(name))?;
    Some(match name {
        "max_tokens" => |dialect| dialect.completion_tokens = true,
        "seed" => |dialect| dialect.no_seed = true,
        "top_p" => |dialect| dialect.no_top_p = true,
        "temperature" => |dialect| dialect.no_temperature = true,
        _ => |dialect| dialect.no_system = true,
    })
}

#[cfg(test)]
mod tests;
