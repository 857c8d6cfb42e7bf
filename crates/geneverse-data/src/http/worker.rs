//! One request on a thread of its own, which hands the answer over piece by piece. The caller looks between pieces
//! whether it is to stop, and leaves; the thread ends when nobody takes its pieces, or by its own timeouts.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use super::clean::{self, Secrets};
use super::clock::LOOK_EVERY;
use super::{HttpError, Request, Settings, Stop, pause};

/// Bytes of a piece, and how many pieces may lie ready.
const PIECE: usize = 1 << 16;
const READY: usize = 8;

/// How much of an error's answer is kept.
const ERROR_BODY: u64 = 8192;

enum Piece {
    Head { status: u16, headers: Vec<(String, String)>, address: String },
    Bytes(Vec<u8>),
    End,
    Failed { reason: String, passing: bool },
}

/// An answer: its head, and its body still to come.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Where the answer came from in the end, after redirects; without secrets.
    pub address: String,
    headers: Vec<(String, String)>,
    pieces: Receiver<Piece>,
    stop: Stop,
    secrets: Secrets,
}

impl Response {
    /// The value of a header; the first where it is there several times.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The values of a header that may be there several times.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let these = self.headers.iter().filter(move |(header, _)| header.eq_ignore_ascii_case(name));
        these.map(|(_, value)| value.as_str())
    }

    /// The size of the body, where the server says it.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The next bytes of the body; `None` at its end. A body that ends before its length is an error.
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        match take(&self.pieces, &self.stop) {
            Ok(Piece::Bytes(bytes)) => Ok(Some(bytes)),
            Ok(Piece::Head { .. } | Piece::End) => Ok(None),
            Ok(Piece::Failed { reason, passing }) => Err(self.broken(&reason, passing)),
            Err(Some(stopped)) => Err(stopped),
            Err(None) => Err(self.broken("the answer was lost", true)),
        }
    }

    fn broken(&self, reason: &str, passing: bool) -> HttpError {
        let reason = self.secrets.hide(reason);
        HttpError::Connection { address: self.address.clone(), reason, passing, attempts: 1 }
    }

    /// The rest of the body as a whole, at most `limit` bytes of it.
    pub fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next_bytes()? {
            if all.len() as u64 + bytes.len() as u64 > limit {
                let reason = format!("the answer has more than the {limit} bytes that are read of one");
                return Err(HttpError::Content { address: self.address.clone(), reason });
            }
            all.extend(bytes);
        }
        Ok(all)
    }

    /// The beginning of the body, for an error; a body that breaks off says what it has said.
    fn beginning(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut start = Vec::new();
        while (start.len() as u64) < ERROR_BODY {
            match self.next_bytes() {
                Ok(Some(bytes)) => start.extend(bytes),
                Err(HttpError::Stopped) => return Err(HttpError::Stopped),
                Ok(None) | Err(_) => break,
            }
        }
        start.truncate(ERROR_BODY as usize);
        Ok(start)
    }
}

/// The next piece; `Err(None)` where the thread has gone.
fn take(pieces: &Receiver<Piece>, stop: &Stop) -> Result<Piece, Option<HttpError>> {
    loop {
        if stop() {
            return Err(Some(HttpError::Stopped));
        }
        match pieces.recv_timeout(LOOK_EVERY) {
            Ok(piece) => return Ok(piece),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(None),
        }
    }
}

/// Asks once. Answers other than 2xx and 304 are errors.
pub(super) fn ask(
    agent: &ureq::Agent,
    settings: &Settings,
    request: &Request,
) -> Result<Response, HttpError> {
    let secrets = request.secrets();
    let failed = |reason: &str, passing| HttpError::Connection {
        address: clean::address(&request.address),
        reason: secrets.hide(reason),
        passing,
        attempts: 1,
    };
    let (sender, pieces) = sync_channel(READY);
    let (agent, request_there) = (agent.clone(), request.clone());
    let thread = thread::Builder::new().name("http".to_owned());
    thread
        .spawn(move || work(&agent, request_there, &sender))
        .map_err(|e| failed(&format!("cannot start a thread: {e}"), false))?;
    let (status, headers, address) = match take(&pieces, &settings.stop) {
        Ok(Piece::Head { status, headers, address }) => (status, headers, clean::address(&address)),
        Ok(Piece::Failed { reason, passing }) => return Err(failed(&reason, passing)),
        Ok(Piece::Bytes(_) | Piece::End) | Err(None) => return Err(failed("the request was lost", true)),
        Err(Some(stopped)) => return Err(stopped),
    };
    let stop = settings.stop.clone();
    let mut response = Response { status, address, headers, pieces, stop, secrets };
    if matches!(status, 200..300 | 304) {
        return Ok(response);
    }
    let retry_after = response.header("retry-after").map(str::to_owned);
    let body = response.beginning()?;
    Err(HttpError::Status {
        address: response.address,
        status,
        line: response.secrets.hide(&clean::first_line(&body)),
        body: response.secrets.hide(&String::from_utf8_lossy(&body)),
        retry_after: retry_after.and_then(|value| pause::retry_after(&value, settings.clock.date())),
        attempts: 1,
    })
}

/// The thread's work. A piece that nobody takes any more ends it.
fn work(agent: &ureq::Agent, request: Request, pieces: &SyncSender<Piece>) {
    let failed = |reason: String, passing| Piece::Failed { reason, passing };
    let response = match send(agent, request) {
        Ok(response) => response,
        Err(error) => {
            let _ = pieces.send(failed(in_words(&error), is_passing(&error)));
            return;
        }
    };
    let (head, body) = response.into_parts();
    let address = head.extensions.get::<FinalAddress>().map(|a| a.0.clone()).unwrap_or_default();
    let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    if pieces.send(Piece::Head { status: head.status.as_u16(), headers, address }).is_err() {
        return;
    }
    let mut reader = body.into_reader();
    loop {
        let mut buffer = vec![0; PIECE];
        let piece = match reader.read(&mut buffer) {
            Ok(0) => Piece::End,
            Ok(read) => {
                buffer.truncate(read);
                Piece::Bytes(buffer)
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => failed(format!("the connection broke off ({e})"), true),
        };
        let last = !matches!(piece, Piece::Bytes(_));
        if pieces.send(piece).is_err() || last {
            return;
        }
    }
}

#[derive(Clone)]
struct FinalAddress(String);

fn send(agent: &ureq::Agent, request: Request) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    use ureq::ResponseExt;
    let Request { address, headers, body } = request;
    let mut builder = ureq::http::Request::builder().uri(address);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let mut response = match body {
        Some(body) => agent.run(builder.method("POST").body(body)?)?,
        None => agent.run(builder.method("GET").body(())?)?,
    };
    let last = FinalAddress(response.get_uri().to_string());
    response.extensions_mut().insert(last);
    Ok(response)
}

fn in_words(error: &ureq::Error) -> String {
    // What the system's resolver says is different on each, and has no kind of its own.
    let no_name = |e: &std::io::Error| e.to_string().contains("lookup address");
    match error {
        ureq::Error::Io(error) if no_name(error) => in_words(&ureq::Error::HostNotFound),
        ureq::Error::HostNotFound => {
            "no such host is known; is there a connection to the network?".to_owned()
        }
        ureq::Error::Timeout(which) => format!("the server took too long ({which})"),
        ureq::Error::Io(error) => format!("the connection failed ({error})"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "not an address that can be asked; expected one such as https://example.org/file".to_owned()
        }
        other => other.to_string(),
    }
}

fn is_passing(error: &ureq::Error) -> bool {
    use ureq::Error::{ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
    matches!(error, ConnectionFailed | HostNotFound | Io(_) | Protocol(_) | Timeout(_))
}

/// The certificates in the file that `SSL_CERT_FILE` names, as OpenSSL and curl take them: a laboratory behind a
/// proxy of its own has its own authority.
pub(super) fn certificates() -> Result<Option<ureq::tls::RootCerts>, HttpError> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let refused = |reason: String| HttpError::Content {
        address: format!("SSL_CERT_FILE={}", std::path::Path::new(&path).display()),
        reason,
    };
    let pem = std::fs::read(&path).map_err(|e| refused(format!("cannot read: {e}")))?;
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let ureq::tls::PemItem::Certificate(certificate) =
            item.map_err(|e| refused(format!("not the PEM expected: {e}")))?
        {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(refused("found no certificate, expected PEM".to_owned()));
    }
    Ok(Some(ureq::tls::RootCerts::new_with_certs(&found)))
}
