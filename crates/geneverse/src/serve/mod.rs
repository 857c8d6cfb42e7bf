//! The server: OpenAI's API over a model of this machine, and genes of the database.
//!
//! ```text
//! listen.rs   sockets and threads: a thread to a connection, as many as are allowed
//! http.rs     bytes to a request, an answer to bytes
//! mod.rs      who may ask, and who answers: [`answer`], which knows no socket
//! complete.rs, embeddings.rs, genes.rs, metrics.rs     the answers
//! openapi.rs  what can be asked, for programs
//! asked.rs    a request's JSON to what the engine takes
//! reading.rs  records read with a question, in the model's form
//! hearing.rs, speech.rs     the engine's tokens to text
//! page.rs     the page for a browser
//! ```
//!
//! It is synchronous: an answer is a thread that waits for tokens, of which there are far fewer than a machine has room for
//! threads, and the engine has one of its own. No prompt and no answer is ever logged.

mod asked;
mod complete;
mod embeddings;
mod error;
mod genes;
mod hearing;
mod http;
pub(crate) mod listen;
mod metrics;
mod models;
mod openapi;
mod page;
mod reading;
mod speech;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use geneverse_data::stage::hash_bytes;
use geneverse_data::store::GeneStore;
use geneverse_eval::facts::GeneGrader;
use geneverse_model::embed::Embedder;
use serde_json::{Value, json};

use crate::commands::postprocess::read_index;
pub(crate) use asked::Conversation;
use error::ApiError;
pub(crate) use http::Sizes;
use http::{Request, Response};
use metrics::Metrics;
pub(crate) use models::{Models, Prompt};
pub(crate) use page::{Plane, Runs, Shown};
pub(crate) use speech::{Speech, Stops};

/// All that answers are made of.
pub(crate) struct App {
    pub(crate) models: Models,
    pub(crate) known: Option<Known>,
    /// Makes vectors, by its name.
    pub(crate) embedder: Option<(String, Mutex<Embedder>)>,
    /// Hashes of the keys that may ask; anybody may where there is none.
    pub(crate) keys: Vec<String>,
    /// Whether only this machine is meant to ask: then only by its own name, so that no page of another makes a browser ask.
    pub(crate) local: bool,
    /// Longest answer where none is asked for.
    pub(crate) usual_tokens: usize,
    /// Longest answer.
    pub(crate) most_tokens: usize,
    /// Longest time of an answer.
    pub(crate) longest: Duration,
    /// Held by the one request whose pictures are unpacked and looked at: a picture is much larger than its file.
    pub(crate) looking: Mutex<()>,
    pub(crate) metrics: Metrics,
    /// What the page shows besides answers.
    pub(crate) shown: Shown,
    /// Requests so far, for their names.
    pub(crate) number: AtomicU64,
}

/// The database, to look genes up in and to hold answers against.
pub(crate) struct Known {
    pub(crate) store: Mutex<GeneStore>,
    pub(crate) grader: GeneGrader,
}

impl Known {
    /// Reads all of a database.
    pub(crate) fn read(db: &Path) -> anyhow::Result<Self> {
        Ok(Self { store: Mutex::new(GeneStore::open(db)?), grader: GeneGrader::new(read_index(db)?) })
    }
}

/// What is known of a request and its answer, for the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    /// The route, not the path: a path may say what is asked.
    pub(crate) route: &'static str,
    pub(crate) model: Option<String>,
    pub(crate) prompt_tokens: usize,
    /// Still growing where the answer is streamed.
    pub(crate) tokens: Arc<AtomicUsize>,
}

/// A route of no request.
const NOWHERE: &str = "none";

impl App {
    fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Refuses who may not ask. What is `open` is for everybody on a machine that may ask.
    fn admit(&self, request: &Request, open: bool) -> Result<(), ApiError> {
        // A browser says for which page it asks.
        let origin =
            request.header("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
        if self.local && ![request.header("host"), origin].into_iter().flatten().all(is_local) {
            let message = "this server answers its own machine only; start it with --host for others";
            return Err(ApiError::new(403, message).coded("foreign_host"));
        }
        if open || self.keys.is_empty() {
            return Ok(());
        }
        let key = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let Some(key) = key else {
            let message = "no API key was sent, expected the header Authorization: Bearer KEY";
            return Err(ApiError::new(401, message).coded("missing_api_key"));
        };
        // Hashes are compared: how long that takes tells nothing of a key.
        let hash = hash_bytes(key.trim().as_bytes());
        match self.keys.contains(&hash) {
            true => Ok(()),
            false => Err(ApiError::new(401, "the API key is none of this server's").coded("invalid_api_key")),
        }
    }
}

/// Whether a Host header names this machine by itself.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Answers a request. `hung_up` says whether whoever asked has left.
pub(crate) fn answer(app: &Arc<App>, request: &Request, hung_up: &dyn Fn() -> bool) -> (Response, Exchange) {
    let mut exchange = Exchange { route: NOWHERE, ..Exchange::default() };
    let response = respond(app, request, &mut exchange, hung_up).unwrap_or_else(|e| e.response());
    (response, exchange)
}

fn respond(
    app: &Arc<App>,
    request: &Request,
    exchange: &mut Exchange,
    hung_up: &dyn Fn() -> bool,
) -> Result<Response, ApiError> {
    let (path, body) = (request.path.as_str(), request.body.as_slice());
    let mut open = false;
    let (route, method) = match path {
        "/healthz" => ("/healthz", "GET"),
        "/metrics" => ("/metrics", "GET"),
        "/openapi.json" => ("/openapi.json", "GET"),
        "/v1/models" => ("/v1/models", "GET"),
        "/v1/chat/completions" => ("/v1/chat/completions", "POST"),
        "/v1/completions" => ("/v1/completions", "POST"),
        "/v1/embeddings" => ("/v1/embeddings", "POST"),
        _ if path.starts_with("/v1/models/") => ("/v1/models/{model}", "GET"),
        _ if path.starts_with("/genes/") => ("/genes/{symbol}", "GET"),
        _ => {
            let Some((route, method, for_everybody)) = page::route(path) else {
                return Err(ApiError::new(404, "there is nothing here; /v1/models is"));
            };
            open = for_everybody;
            (route, method)
        }
    };
    exchange.route = route;
    let asked = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
    if asked != method {
        let mut response = ApiError::new(405, format!("{route} takes {method} only")).response();
        response.headers.push(("Allow", method.to_owned()));
        return Ok(response);
    }
    if route == "/healthz" {
        let lives = app.models.engine.lives();
        let (status, word) = if lives { (200, "ok") } else { (503, "the engine has ended") };
        return Ok(Response::json(status, &json!({"status": word})));
    }
    // It tells what a program can ask, not what is here, so that no key is asked for it.
    if route == "/openapi.json" {
        return Ok(Response::json(200, &openapi::document(app)));
    }
    app.admit(request, open)?;
    match route {
        "/metrics" => {
            let text = app.metrics.text(&app.models.engine.figures());
            Ok(Response::whole(200, "text/plain; version=0.0.4; charset=utf-8", text))
        }
        "/v1/models" => {
            let embedder = app.embedder.iter().map(|(name, _)| name);
            let all: Vec<Value> = app.models.names.iter().chain(embedder).map(|name| model(name)).collect();
            Ok(Response::json(200, &json!({"object": "list", "data": all})))
        }
        "/v1/models/{model}" => {
            let name = decoded(&path["/v1/models/".len()..])?;
            let which = app.models.find(Some(&name))?;
            Ok(Response::json(200, &model(&app.models.names[which])))
        }
        "/v1/chat/completions" => complete::chat(app, body, exchange, hung_up),
        "/v1/completions" => complete::text(app, body, exchange, hung_up),
        "/v1/embeddings" => embeddings::embed(app, body, exchange),
        "/genes/{symbol}" => genes::show(app, &decoded(&path["/genes/".len()..])?),
        _ => page::answer(app, route, path, body),
    }
}

fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "geneverse"})
}

/// A part of a path as it is meant: `%2D` is `-`.
fn decoded(part: &str) -> Result<String, ApiError> {
    let refuse = || ApiError::new(400, "the path is not percent-encoded text");
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match byte {
            b'%' => {
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(refuse());
                };
                bytes.push((high * 16 + low) as u8);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}

/// Seconds since 1970, as OpenAI's answers have them.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// What a lock holds, though a thread panicked with it: nothing here is left half changed.
pub(crate) fn unpoisoned<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}
