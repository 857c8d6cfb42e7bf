//! One OpenAI-compatible server: requests with its key, and what its refusals mean, whichever of its services is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::reply::{self, Fault};
use super::{Address, ChatError, Key};
use crate::http::{Client, HttpError, Request, Settings};

/// How often a question is asked whose answer cannot be read.
pub(crate) const READINGS: u32 = 3;
/// The pause before the second of them; before the third it is twice as long.
const READING_PAUSE: Duration = Duration::from_secs(1);

/// What is asked of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Chat,
    Embeddings,
}

impl Service {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Embeddings => "embeddings",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Chat => "chat completions",
            Self::Embeddings => "embeddings",
        }
    }
}

/// A server and who asks it. Threads may share one.
pub(crate) struct Endpoint {
    http: Client,
    address: Address,
    key: Option<Key>,
    left: Arc<AtomicBool>,
}

impl Endpoint {
    pub(crate) fn new(settings: Settings, address: Address, key: Option<Key>) -> Result<Self, ChatError> {
        let left = Arc::new(AtomicBool::new(false));
        let (stop, leaving) = (settings.stop.clone(), left.clone());
        let stop = Arc::new(move || leaving.load(Ordering::SeqCst) || stop());
        let http = Client::new(Settings { stop, ..settings }).map_err(ChatError::Http)?;
        Ok(Self { http, address, key, left })
    }

    /// Ends all that is under way, in every thread.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        (self.http.settings().stop)()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What a service answers, without the key in it.
    pub(crate) fn post(
        &self,
        service: Service,
        body: &Value,
        tell: &dyn Fn(&str),
    ) -> Result<String, HttpError> {
        let request = Request::post_json(self.address.to(service.path()), body)?;
        Ok(self.without_key(&self.http.bytes(&self.with_key(request), tell)?))
    }

    /// Waits before an answer that could not be read is asked for again, `reading` times so far; an error after the last.
    pub(crate) fn wait_to_reread(
        &self,
        reading: u32,
        found: String,
        tell: &dyn Fn(&str),
    ) -> Result<(), ChatError> {
        let endpoint = self.address.to_string();
        if reading >= READINGS {
            return Err(ChatError::Unreadable { endpoint, found });
        }
        let why = HttpError::Content { address: endpoint, reason: found };
        self.http.wait(READING_PAUSE * (1 << (reading - 1)), &why, tell).map_err(from_http)
    }

    /// The names of the endpoint's models; `None` where it does not tell.
    pub(crate) fn models(&self, tell: &dyn Fn(&str)) -> Option<Vec<String>> {
        let request = self.with_key(Request::get(self.address.to("models")));
        let bytes = self.http.bytes(&request, tell).ok()?;
        Some(reply::models(&self.without_key(&bytes))).filter(|models| !models.is_empty())
    }

    /// What a server that said no meant, for a person; `fault` is what [`fault`] read in it.
    pub(crate) fn refusal(
        &self,
        error: HttpError,
        fault: &Fault,
        service: Service,
        model: &str,
        tell: &dyn Fn(&str),
    ) -> ChatError {
        let HttpError::Status { status, .. } = error else { return from_http(error) };
        let endpoint = self.address.to_string();
        let said = if fault.message.is_empty() { format!("status {status}") } else { fault.message.clone() };
        match status {
            401 | 403 => {
                let way_out = match &self.key {
                    Some(key) => format!("is the key in {} the right one?", key.variable()),
                    None => "put the endpoint's key into OPENAI_API_KEY, or name another variable with \
                             --api-key-env"
                        .to_owned(),
                };
                ChatError::Unauthorized { endpoint, status, said, way_out }
            }
            404 | 400 | 422 if speaks_of_model(fault, status) => {
                let available = self.models(tell).unwrap_or_default();
                ChatError::NoModel { endpoint, model: model.to_owned(), said, available }
            }
            404 | 405 | 501 => {
                let way_out = match self.address.with_v1() {
                    Some(with_v1) => format!("an endpoint's address usually ends in /v1: try {with_v1}"),
                    None => format!("expected {} to answer", self.address.to(service.path())),
                };
                ChatError::NoService { endpoint, service: service.words(), said, way_out }
            }
            400 | 413 | 415 | 422 => {
                let filtered = fault.code.as_deref().is_some_and(|code| code.contains("content_filter"))
                    || said.to_lowercase().contains("content management policy");
                ChatError::Refused { endpoint, status, said, filtered }
            }
            _ => ChatError::Http(error),
        }
    }

    fn with_key(&self, request: Request) -> Request {
        match &self.key {
            Some(key) => request.header("Authorization", key.header()),
            None => request,
        }
    }

    fn without_key(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match &self.key {
            Some(key) => key.hidden_in(text),
            None => text,
        }
    }
}

/// What is read in a reply whose status says no, and whether it objects to what was asked.
pub(crate) fn fault(error: &HttpError) -> Option<(Fault, bool)> {
    let HttpError::Status { status, body, line, .. } = error else { return None };
    let fault = match body.trim() {
        "" => Fault { message: line.clone(), ..Fault::default() },
        _ => reply::fault(body),
    };
    Some((fault, matches!(status, 400 | 413 | 415 | 422)))
}

pub(crate) fn from_http(error: HttpError) -> ChatError {
    match error {
        HttpError::Stopped => ChatError::Stopped,
        other => ChatError::Http(other),
    }
}

/// Whether a server says that it has no such model. A path that is not there is told with 404 too.
fn speaks_of_model(fault: &Fault, status: u16) -> bool {
    let lower = fault.message.to_lowercase();
    let code = fault.code.as_deref().unwrap_or_default();
    let missing =
        ["not found", "does not exist", "not exist", "no such", "unknown", "not a valid", "invalid model"];
    code == "model_not_found"
        || (lower.contains("model") && missing.iter().any(|words| lower.contains(words)))
        || (status == 404 && lower.contains("model"))
}
