//! HTTP/1.1 (RFC 9112) as far as a server of short requests needs it: a request read whole, an answer written whole or as
//! server-sent events in chunks.
//!
//! The head is taken apart by `httparse`. A body comes with its length; one in chunks is asked for again with it (411), which
//! no client of the OpenAI API sends. Nothing here knows of sockets or of time: [`read`] is told when to give up.

use std::io::{self, ErrorKind, Read, Write};

/// Headers of a request.
const HEADERS: usize = 64;

/// How large a request may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Bytes of its first line and headers.
    pub(crate) head: usize,
    /// Bytes of its body.
    pub(crate) body: usize,
}

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it was sent, without what follows a `?`.
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether another request may follow on the connection.
    pub(crate) keep_alive: bool,
    /// Whether it can be answered in chunks: HTTP/1.1.
    pub(crate) chunks: bool,
}

impl Request {
    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The other side has closed the connection, or it was given up between two requests.
    Closed,
    /// It is no request, or none that is taken: the status to answer it with, and why.
    Refused(u16, String),
}

/// Where reading stands when it is asked whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing of the next request has come.
    Idle,
    /// A part of it has.
    Underway,
}

/// Reads the next request. `pending` holds what was read beyond the last one. `patient` is asked after every piece, and when
/// the connection's own time is over, whether to go on; `body` hears of a body's length before it is read, and whether the
/// other side waits to be told to send it.
pub(crate) fn read(
    stream: &mut impl Read,
    pending: &mut Vec<u8>,
    sizes: Sizes,
    patient: &mut dyn FnMut(Stage) -> bool,
    body: &mut dyn FnMut(usize, bool) -> Result<(), Unread>,
) -> Result<Request, Unread> {
    let (mut request, head) = loop {
        if let Some(found) = parse(pending)? {
            break found;
        }
        if pending.len() >= sizes.head {
            return Err(Unread::Refused(431, format!("the headers are longer than {} bytes", sizes.head)));
        }
        let stage = if pending.is_empty() { Stage::Idle } else { Stage::Underway };
        more(stream, pending, stage, patient)?;
    };
    if head > sizes.head {
        return Err(Unread::Refused(431, format!("the headers are longer than {} bytes", sizes.head)));
    }
    let length = length(&request)?;
    if length > sizes.body {
        let limit = sizes.body;
        return Err(Unread::Refused(413, format!("the body has {length} bytes, expected at most {limit}")));
    }
    if length > 0 {
        let expects =
            request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        body(length, expects && pending.len() < head + length)?;
    }
    while pending.len() < head + length {
        more(stream, pending, Stage::Underway, patient)?;
    }
    request.body = pending[head..head + length].to_vec();
    pending.drain(..head + length);
    Ok(request)
}

/// Reads a piece.
fn more(
    stream: &mut impl Read,
    pending: &mut Vec<u8>,
    stage: Stage,
    patient: &mut dyn FnMut(Stage) -> bool,
) -> Result<(), Unread> {
    let mut piece = [0; 16 << 10];
    let slow = || match stage {
        Stage::Idle => Unread::Closed,
        Stage::Underway => Unread::Refused(408, "the request took too long to come".to_owned()),
    };
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Err(Unread::Closed),
            Ok(count) => pending.extend_from_slice(&piece[..count]),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if patient(stage) {
                    continue;
                }
                return Err(slow());
            }
            Err(_) => return Err(Unread::Closed),
        }
        return if patient(Stage::Underway) { Ok(()) } else { Err(slow()) };
    }
}

/// A request without its body, and the length of its head; nothing where more has to come.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Unread::Refused(431, format!("there are more than {HEADERS} headers")));
        }
        Err(e) => return Err(Unread::Refused(400, format!("this is no HTTP request: {e}"))),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let named = |header: &httparse::Header<'_>| (header.name.to_ascii_lowercase(), text(header.value));
    let headers: Vec<(String, String)> = parsed.headers.iter().map(named).collect();
    let target = parsed.path.unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _)| path).to_owned();
    let chunks = parsed.version == Some(1);
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path,
        headers,
        body: Vec::new(),
        keep_alive: chunks,
        chunks,
    };
    if let Some(connection) = request.header("connection") {
        let says = |word: &str| connection.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
        request.keep_alive = (chunks || says("keep-alive")) && !says("close");
    }
    Ok(Some((request, head)))
}

/// Bytes of the body. Where it could be read in two ways, it is refused: a proxy before this server may read it in the other.
fn length(request: &Request) -> Result<usize, Unread> {
    let lengths: Vec<&str> = request
        .headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value.as_str())
        .collect();
    if request.header("transfer-encoding").is_some() {
        return Err(Unread::Refused(411, "a body comes with its Content-Length, not in chunks".to_owned()));
    }
    match lengths[..] {
        [] => Ok(0),
        [length] if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            // More digits than fit are more than any limit.
            Ok(length.parse().unwrap_or(usize::MAX / 2))
        }
        _ => Err(Unread::Refused(400, "Content-Length is no single number".to_owned())),
    }
}

/// An answer.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

/// What an answer holds.
pub(crate) enum Body {
    /// All of it.
    Whole {
        /// Its media type.
        kind: &'static str,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Server-sent events as they come, each with the empty line that ends it. Dropped where nobody reads them any more.
    Events(Box<dyn Iterator<Item = String> + Send>),
}

impl Response {
    /// A text or a JSON value that is there whole.
    pub(crate) fn whole(status: u16, kind: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole { kind, bytes: bytes.into() } }
    }

    /// A JSON value.
    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::whole(status, "application/json", value.to_string())
    }
}

/// Headers of every answer: nothing of it is kept on the way, and no browser takes it for something else than it says.
const ALWAYS: &str = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

/// Writes the answer to `request`. Returns whether the connection can be used again.
pub(crate) fn write(stream: &mut impl Write, request: &Request, response: Response) -> io::Result<bool> {
    let Response { status, headers, body } = response;
    let keep = request.keep_alive && (request.chunks || matches!(body, Body::Whole { .. }));
    let mut head = format!("HTTP/1.1 {status} {}\r\n{ALWAYS}", reason(status));
    for (name, value) in headers {
        // A value with a line end in it would be a header of its own.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(if keep { "Connection: keep-alive\r\n" } else { "Connection: close\r\n" });
    match body {
        Body::Whole { kind, bytes } => {
            head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n", bytes.len()));
            let mut all = head.into_bytes();
            if request.method != "HEAD" {
                all.extend(bytes);
            }
            stream.write_all(&all)?;
        }
        Body::Events(events) => {
            head.push_str("Content-Type: text/event-stream; charset=utf-8\r\n");
            head.push_str(if request.chunks { "Transfer-Encoding: chunked\r\n\r\n" } else { "\r\n" });
            stream.write_all(head.as_bytes())?;
            for event in events.filter(|event| !event.is_empty()) {
                match request.chunks {
                    true => stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?,
                    false => stream.write_all(event.as_bytes())?,
                }
                stream.flush()?;
            }
            if request.chunks {
                stream.write_all(b"0\r\n\r\n")?;
            }
        }
    }
    stream.flush()?;
    Ok(keep)
}

/// The words of a status that this server answers with.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { head: 200, body: 20 };

    fn requests(bytes: &[u8]) -> (Vec<Request>, Unread) {
        // Byte after byte, as a slow network hands them over.
        struct Drip<'a>(&'a [u8]);
        impl Read for Drip<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(1);
                out[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let (mut stream, mut pending, mut found) = (Drip(bytes), Vec::new(), Vec::new());
        loop {
            match read(&mut stream, &mut pending, SIZES, &mut |_| true, &mut |_, _| Ok(())) {
                Ok(request) => found.push(request),
                Err(unread) => return (found, unread),
            }
        }
    }

    #[test]
    fn requests_follow_each_other_on_a_connection() {
        let (found, end) = requests(
            b"POST /v1/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{}\nGET / HTTP/1.1\r\n\
              Connection: Close\r\n\r\nGET /x HTTP/1.0\r\n\r\n",
        );
        assert_eq!(end, Unread::Closed);
        let told: Vec<(&str, &str, &[u8], bool, bool)> = found
            .iter()
            .map(|r| (r.method.as_str(), r.path.as_str(), r.body.as_slice(), r.keep_alive, r.chunks))
            .collect();
        assert_eq!(
            told,
            [
                ("POST", "/v1/completions", &b"{}\n"[..], true, true),
                ("GET", "/", b"", false, true),
                ("GET", "/x", b"", false, false)
            ]
        );
        assert_eq!(found[0].header("host"), Some("a"));
    }

    #[test]
    fn what_is_no_request_or_too_large_is_refused_with_its_status() {
        let refused = |bytes: &[u8]| match requests(bytes).1 {
            Unread::Refused(status, why) => (status, why),
            Unread::Closed => panic!("closed"),
        };
        assert_eq!(refused(b"\x16\x03\x01 hello\r\n\r\n").0, 400);
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(300));
        assert_eq!(refused(long.as_bytes()), (431, "the headers are longer than 200 bytes".to_owned()));
        let many = "GET / HTTP/1.1\r\n".to_owned() + &"a:\r\n".repeat(65);
        assert_eq!(refused(many.as_bytes()).0, 431);
        let body = |length: &str| refused(format!("POST / HTTP/1.1\r\n{length}\r\n\r\n").as_bytes());
        assert_eq!(
            body("Content-Length: 21"),
            (413, "the body has 21 bytes, expected at most 20".to_owned())
        );
        assert_eq!(body("Content-Length: 99999999999999999999999").0, 413);
        assert_eq!(body("Content-Length: -1"), (400, "Content-Length is no single number".to_owned()));
        assert_eq!(body("Content-Length: 1\r\nContent-Length: 2").0, 400);
        assert_eq!(
            body("Transfer-Encoding: chunked"),
            (411, "a body comes with its Content-Length, not in chunks".to_owned())
        );
    }

    #[test]
    fn a_connection_that_is_slow_is_given_up() {
        struct Stuck(Vec<u8>);
        impl Read for Stuck {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let bytes = std::mem::take(&mut self.0);
                out[..bytes.len()].copy_from_slice(&bytes);
                if bytes.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(bytes.len()) }
            }
        }
        let end = |bytes: &[u8]| {
            let (mut asked, mut stages) = (0, Vec::new());
            let mut patient = |stage| {
                asked += 1;
                stages.push(stage);
                asked < 4
            };
            let read =
                read(&mut Stuck(bytes.to_vec()), &mut Vec::new(), SIZES, &mut patient, &mut |_, _| Ok(()));
            (read.unwrap_err(), stages.last().copied())
        };
        assert_eq!(end(b""), (Unread::Closed, Some(Stage::Idle)));
        let slow = Unread::Refused(408, "the request took too long to come".to_owned());
        assert_eq!(end(b"POST / HT"), (slow, Some(Stage::Underway)));
    }

    #[test]
    fn a_body_is_told_of_before_it_is_read() {
        let bytes = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        let mut told = Vec::new();
        let mut body = |length, waits| {
            told.push((length, waits));
            Ok(())
        };
        let end = read(&mut &bytes[..], &mut Vec::new(), SIZES, &mut |_| true, &mut body);
        assert_eq!((end, told), (Err(Unread::Closed), vec![(2, true)]));
        let refused = || Unread::Refused(503, "no".to_owned());
        let end = read(&mut &bytes[..], &mut Vec::new(), SIZES, &mut |_| true, &mut |_, _| Err(refused()));
        assert_eq!(end, Err(refused()));
    }

    fn written(request: &Request, response: Response) -> (String, bool) {
        let mut out = Vec::new();
        let keep = write(&mut out, request, response).unwrap();
        (String::from_utf8(out).unwrap(), keep)
    }

    #[test]
    fn answers_are_written_whole_or_in_chunks() {
        let request = Request { keep_alive: true, chunks: true, ..Request::default() };
        let mut response = Response::whole(429, "text/plain", "no");
        response.headers.push(("Retry-After", "1\r\nSet-Cookie: x".to_owned()));
        let (text, keep) = written(&request, response);
        assert_eq!(
            text,
            "HTTP/1.1 429 Too Many Requests\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Retry-After: 1Set-Cookie: x\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\n\
             Content-Length: 2\r\n\r\nno"
        );
        assert!(keep);
        let events = || Response {
            status: 200,
            headers: Vec::new(),
            body: Body::Events(Box::new(
                ["data: a\n\n".to_owned(), String::new(), "data: bcd\n\n".to_owned()].into_iter(),
            )),
        };
        let (text, keep) = written(&request, events());
        assert!(text.ends_with("\r\n\r\n9\r\ndata: a\n\n\r\nb\r\ndata: bcd\n\n\r\n0\r\n\r\n"), "{text}");
        assert!(keep);
        // HTTP/1.0 knows no chunks: the end of the connection is the end of the answer.
        let old = Request { chunks: false, ..request };
        let (text, keep) = written(&old, events());
        assert!(text.ends_with("charset=utf-8\r\n\r\ndata: a\n\ndata: bcd\n\n"), "{text}");
        assert!(!keep && text.contains("Connection: close\r\n"));
        let head = Request { method: "HEAD".to_owned(), ..old };
        assert!(
            written(&head, Response::whole(200, "text/plain", "no")).0.ends_with("Content-Length: 2\r\n\r\n")
        );
    }
}
