//! A small blocking HTTP client: JSON and streams, tried again where that helps, and stopped where it is asked to.
//!
//! A request is tried again, with pauses that double and are drawn at random, after a failed connection, a broken
//! answer, and the statuses 429, 500, 502, 503 and 504; a server's `Retry-After` (RFC 9110, 10.2.3) is obeyed. It runs
//! on a thread of its own, so that the caller can leave it at any time. Proxies come from the environment
//! (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), and so do the certificates trusted, where `SSL_CERT_FILE`
//! names a file of them. No error holds a password or a key ([`clean`]).

pub mod clean;
mod clock;
mod pause;
mod worker;

pub use clock::{Clock, SystemClock, utc};
pub use pause::RateLimit;
pub use worker::Response;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use clean::Secrets;

/// The largest answer that is taken into memory as a whole.
const LARGEST_ANSWER: u64 = 64 << 20;

/// What a server sees of the program.
pub const USER_AGENT: &str = concat!("geneverse/", env!("CARGO_PKG_VERSION"));

/// Whether the work under way is to stop.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// How requests are made.
#[derive(Clone)]
pub struct Settings {
    /// The longest that a connection may take to come about.
    pub connect: Duration,
    /// The longest silence of a server, before its answer and within it.
    pub silence: Duration,
    /// How often a request is tried in all.
    pub attempts: u32,
    /// The first pause before another attempt; each further one is twice as long.
    pub first_pause: Duration,
    /// Pauses grow no longer than this.
    pub longest_pause: Duration,
    /// A `Retry-After` beyond this is not waited for: the person may prefer to come back.
    pub longest_wait: Duration,
    /// How often requests may be made.
    pub limit: Option<RateLimit>,
    /// Asked at every wait.
    pub stop: Stop,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            longest_wait: Duration::from_secs(300),
            limit: None,
            stop: Arc::new(|| false),
            clock: Arc::new(SystemClock::default()),
        }
    }
}

/// What is asked of a server.
#[derive(Clone)]
pub struct Request {
    pub(crate) address: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    /// A GET.
    pub fn get(address: impl Into<String>) -> Self {
        Self { address: address.into(), headers: Vec::new(), body: None }
    }

    /// A POST of JSON.
    pub fn post_json(address: impl Into<String>, value: &impl Serialize) -> Result<Self, HttpError> {
        let address = address.into();
        let body = serde_json::to_vec(value).map_err(|e| HttpError::Content {
            address: clean::address(&address),
            reason: format!("the question cannot be put into JSON: {e}"),
        })?;
        let request = Self { address, headers: Vec::new(), body: Some(body) };
        Ok(request.header("Content-Type", "application/json"))
    }

    /// The request with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn secrets(&self) -> Secrets {
        Secrets::of(&self.address, &self.headers)
    }
}

/// Without passwords and keys, as errors show it.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        write!(f, "{method} {}", clean::address(&self.address))
    }
}

/// Why there is no answer. Names the address, without passwords and keys.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HttpError {
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// No connection came about, or it broke.
    #[error("{address}: {reason}{}", attempts_in_words(*.attempts))]
    Connection {
        /// The address.
        address: String,
        /// What happened.
        reason: String,
        /// Whether another attempt may help.
        passing: bool,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server says no.
    #[error("{address}: the server answers {}{}{}", status_in_words(*.status), after_colon(.line),
        attempts_in_words(*.attempts))]
    Status {
        /// The address.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The first line of the answer, or the title of a page.
        line: String,
        /// The answer, as far as a few thousand characters tell it.
        body: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer is not what it should be.
    #[error("{address}: {reason}")]
    Content {
        /// The address.
        address: String,
        /// What was found and what was expected.
        reason: String,
    },
}

impl HttpError {
    /// The status, where the server said no.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connection { passing, .. } => *passing,
            Self::Status { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            Self::Stopped | Self::Content { .. } => false,
        }
    }

    pub(crate) fn after(mut self, tried: u32) -> Self {
        if let Self::Connection { attempts, .. } | Self::Status { attempts, .. } = &mut self {
            *attempts = tried;
        }
        self
    }
}

fn attempts_in_words(attempts: u32) -> String {
    if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() }
}

fn after_colon(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

fn status_in_words(status: u16) -> String {
    let name = ureq::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    name.map_or_else(|| status.to_string(), |name| format!("{status} {name}"))
}

/// Makes requests. Clones share connections and the rate limit; threads may share one.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    settings: Settings,
}

impl Client {
    /// A client; an error where `SSL_CERT_FILE` names a file that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, HttpError> {
        let mut tls = ureq::tls::TlsConfig::builder();
        if let Some(roots) = worker::certificates()? {
            tls = tls.root_certs(roots);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .timeout_connect(Some(settings.connect))
            .timeout_resolve(Some(settings.connect))
            .timeout_per_read(Some(settings.silence))
            .timeout_per_write(Some(settings.silence))
            .tls_config(tls.build())
            .build();
        Ok(Self { agent: config.new_agent(), settings })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The answer as a stream: status 2xx or 304, any other is an error. `tell` hears of every failed attempt.
    pub fn stream(&self, request: &Request, tell: &dyn Fn(&str)) -> Result<Response, HttpError> {
        self.attempts(request, tell, Ok)
    }

    /// The whole answer, as bytes.
    pub fn bytes(&self, request: &Request, tell: &dyn Fn(&str)) -> Result<Vec<u8>, HttpError> {
        self.attempts(request, tell, |mut response| response.bytes(LARGEST_ANSWER))
    }

    /// The whole answer, as JSON.
    pub fn json<T: DeserializeOwned>(&self, request: &Request, tell: &dyn Fn(&str)) -> Result<T, HttpError> {
        let bytes = self.bytes(request, tell)?;
        serde_json::from_slice(&bytes).map_err(|error| HttpError::Content {
            address: clean::address(&request.address),
            reason: request.secrets().hide(&format!(
                "the answer is not the JSON expected ({error}); it begins {:?}",
                clean::first_line(&bytes)
            )),
        })
    }

    /// One attempt.
    pub fn once(&self, request: &Request) -> Result<Response, HttpError> {
        if let Some(limit) = &self.settings.limit {
            limit.wait(&*self.settings.clock, &*self.settings.stop)?;
        }
        worker::ask(&self.agent, &self.settings, request)
    }

    /// How long to wait after the failed attempt `attempt` (from 1); `None` where it was the last, or where another
    /// would not help.
    pub fn pause_after(&self, error: &HttpError, attempt: u32) -> Option<Duration> {
        let Settings { attempts, first_pause, longest_pause, longest_wait, .. } = &self.settings;
        if attempt >= *attempts || !error.is_passing() {
            return None;
        }
        if let HttpError::Status { retry_after: Some(wait), .. } = error {
            if let (Some(limit), true) = (&self.settings.limit, wait <= longest_wait) {
                limit.hold(self.settings.clock.now() + *wait);
            }
            return (wait <= longest_wait).then_some(*wait);
        }
        Some(pause::drawn(attempt, *first_pause, *longest_pause))
    }

    /// Waits, and says so; an error where it is stopped meanwhile.
    pub fn wait(&self, pause: Duration, why: &HttpError, tell: &dyn Fn(&str)) -> Result<(), HttpError> {
        tell(&format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
        let waited = self.settings.clock.wait(pause, &*self.settings.stop);
        if waited { Ok(()) } else { Err(HttpError::Stopped) }
    }

    /// The answer as `take` makes it, which may find that it is worth another attempt.
    pub(crate) fn attempts<T>(
        &self,
        request: &Request,
        tell: &dyn Fn(&str),
        take: impl Fn(Response) -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.once(request).and_then(&take) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match self.pause_after(&error, attempt) {
                Some(pause) => self.wait(pause, &error, tell)?,
                None => return Err(error.after(attempt)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
