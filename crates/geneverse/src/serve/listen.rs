//! Sockets and threads: connections are taken on, each on a thread of its own, until a stop is asked for.

use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::error::ApiError;
use super::http::{self, Request, Sizes, Stage, Unread};
use super::{App, Exchange, NOWHERE, answer, now};

/// How often a thread that waits looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(60);

/// How long a request may take to come.
const COMING: Duration = Duration::from_secs(30);

/// How long a piece of an answer may take to be taken.
const TAKING: Duration = Duration::from_secs(30);

/// What a server takes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Connections at once; one more is answered with 503.
    pub(crate) connections: usize,
    pub(crate) sizes: Sizes,
    /// Bytes of all bodies under way.
    pub(crate) bodies: usize,
}

/// Numbers of something of which there is only so much.
#[derive(Default)]
struct Stock(AtomicUsize);

/// A part of a stock, until it is dropped.
struct Taken(Arc<Stock>, usize);

impl Stock {
    /// Takes so much, where that leaves the sum within `most`.
    fn take(self: &Arc<Self>, count: usize, most: usize) -> Option<Taken> {
        let before = self.0.fetch_add(count, Ordering::Relaxed);
        // Given back by its drop, where it is too much.
        let taken = Taken(self.clone(), count);
        (before.saturating_add(count) <= most).then_some(taken)
    }

    fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// Takes connections on until `stop` is set, and waits for those under way. Lines of the log are sent to `log`.
pub(crate) fn listen(
    listener: &TcpListener,
    app: &Arc<App>,
    reach: Reach,
    stop: &Arc<AtomicBool>,
    log: &Sender<String>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let (open, bodies) = (Arc::new(Stock::default()), Arc::new(Stock::default()));
    while !stop.load(Ordering::Relaxed) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // Nobody is there, or whoever was has left, or the machine has no more room for a moment.
            Err(_) => {
                thread::sleep(LOOK / 10);
                continue;
            }
        };
        let Some(place) = open.take(1, reach.connections) else {
            turn_away(stream);
            continue;
        };
        let (app, stop, log, bodies) = (app.clone(), stop.clone(), log.clone(), bodies.clone());
        let work = move || {
            let _place = place;
            // What a connection comes to is in the log; its end by the other side is no error.
            let _ = converse(&stream, &app, (reach, &bodies), &stop, &log);
        };
        // Where no thread can be had the connection is closed.
        let _ = thread::Builder::new().name("connection".to_owned()).spawn(work);
    }
    while open.taken() > 0 {
        thread::sleep(LOOK / 10);
    }
    Ok(())
}

fn turn_away(mut stream: TcpStream) {
    let error = ApiError::new(503, "this server has as many connections as it takes; ask again later");
    let _ = stream.set_write_timeout(Some(LOOK));
    let _ = http::write(&mut stream, &Request::default(), error.response());
}

/// Answers the requests of a connection, one after another.
fn converse(
    stream: &TcpStream,
    app: &Arc<App>,
    (reach, bodies): (Reach, &Arc<Stock>),
    stop: &AtomicBool,
    log: &Sender<String>,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(TAKING))?;
    let (mut reader, mut writer, mut pending) = (stream, stream, Vec::new());
    loop {
        let waiting = Instant::now();
        let mut coming: Option<Instant> = None;
        let mut patient = |stage| match stage {
            Stage::Idle => waiting.elapsed() < IDLE && !stop.load(Ordering::Relaxed),
            Stage::Underway => coming.get_or_insert_with(Instant::now).elapsed() < COMING,
        };
        // For as long as the request is answered.
        let mut held: Option<Taken> = None;
        let mut body = |length, waits| {
            held = bodies.take(length, reach.bodies);
            if held.is_none() {
                let why = "the requests under way are as large as they may be together; ask again later";
                return Err(Unread::Refused(503, why.to_owned()));
            }
            match waits {
                true => {
                    (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| Unread::Closed)
                }
                false => Ok(()),
            }
        };
        let request = match http::read(&mut reader, &mut pending, reach.sizes, &mut patient, &mut body) {
            Ok(request) => request,
            Err(Unread::Closed) => return Ok(()),
            Err(Unread::Refused(status, why)) => {
                let refused = ApiError::new(status, why).response();
                app.metrics.count(NOWHERE, status, Duration::ZERO);
                let _ = log.send(line(
                    &Exchange { route: NOWHERE, ..Exchange::default() },
                    status,
                    Duration::ZERO,
                    true,
                ));
                http::write(&mut writer, &Request::default(), refused)?;
                return linger(stream);
            }
        };
        let begun = Instant::now();
        let hung_up = || has_left(stream);
        // A fault costs the request that brought it out, and no other.
        let answered = catch_unwind(AssertUnwindSafe(|| answer(app, &request, &hung_up)));
        let (response, exchange) = answered.unwrap_or_else(|_| {
            let error =
                ApiError::new(500, "this request brought out a fault of the server; please report it");
            (error.response(), Exchange { route: NOWHERE, ..Exchange::default() })
        });
        let status = response.status;
        let written = http::write(&mut writer, &request, response);
        drop(held);
        let time = begun.elapsed();
        app.metrics.count(exchange.route, status, time);
        let _ = log.send(line(&exchange, status, time, written.is_ok()));
        if !written? || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Whether the other side has closed the connection. Data that came early is no sign of it.
fn has_left(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let left = match stream.peek(&mut [0]) {
        Ok(count) => count == 0,
        Err(e) => e.kind() != ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).is_err() || left
}

/// Closes a connection of which not all was read: its end is read over, or the answer may be lost on the way.
fn linger(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(std::net::Shutdown::Write)?;
    let (begun, mut rest) = (Instant::now(), [0; 16 << 10]);
    while begun.elapsed() < 10 * LOOK {
        match io::Read::read(&mut &*stream, &mut rest) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// A request in the log: a JSON object on a line.
fn line(exchange: &Exchange, status: u16, time: Duration, written: bool) -> String {
    let Exchange { route, model, prompt_tokens, tokens } = exchange;
    json!({
        "time": now(), "route": route, "status": status, "seconds": (time.as_secs_f64() * 1e4).round() / 1e4,
        "model": model, "prompt_tokens": prompt_tokens, "tokens": tokens.load(Ordering::Relaxed),
        "whole": written,
    })
    .to_string()
}
