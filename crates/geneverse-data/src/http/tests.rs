//! The client against a server that misbehaves, without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

use crate::testing::clock::{self, FakeClock};
use crate::testing::server::{Answer, Server};

fn client(change: impl FnOnce(&mut Settings)) -> (Client, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let mut settings = Settings { clock: clock.clone(), ..Settings::default() };
    change(&mut settings);
    (Client::new(settings).unwrap(), clock)
}

fn seconds(waits: &[Duration]) -> Vec<f64> {
    waits.iter().map(Duration::as_secs_f64).collect()
}

#[test]
fn a_passing_failure_is_tried_again_with_longer_pauses() {
    let server = Server::scripted(vec![
        Answer::new(500, "one"),
        Answer::new(200, "{\"a\": 1").header("Content-Length", "100"),
        Answer::new(503, "three"),
        Answer::new(200, "{\"a\": 1}"),
    ]);
    let (client, clock) = client(|_| {});
    let told = std::cell::RefCell::new(Vec::new());
    let tell = |line: &str| told.borrow_mut().push(line.to_owned());
    let request = Request::post_json(server.url("/v1"), &json!({"q": 2})).unwrap().header("X-Api-Key", "k");
    assert_eq!(client.json::<Value>(&request, &tell).unwrap(), json!({"a": 1}));
    let waits = seconds(&clock.waits());
    assert_eq!(waits.len(), 3);
    let bounds = [0.25..=0.5, 0.5..=1.0, 1.0..=2.0];
    assert!(waits.iter().zip(bounds).all(|(wait, bound)| bound.contains(wait)), "{waits:?}");
    assert!(told.borrow()[0].contains("500 Internal Server Error: one; trying again in 0."));
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|s| s.method == "POST" && s.text() == "{\"q\":2}"));
    assert_eq!(seen[3].header("user-agent"), Some(USER_AGENT));
    assert_eq!(seen[3].header("x-api-key"), Some("k"));
}

#[test]
fn what_the_server_asks_to_wait_is_waited() {
    let later = httpdate::fmt_http_date(clock_date() + Duration::from_secs(9));
    let server = Server::scripted(vec![
        Answer::new(429, "").header("Retry-After", "7"),
        Answer::new(429, "").header("Retry-After", &later),
        Answer::new(200, "[]"),
        Answer::new(429, "tomorrow").header("Retry-After", "86400"),
    ]);
    let (client, clock) = client(|_| {});
    client.json::<Value>(&Request::get(server.url("/")), &|_| ()).unwrap();
    assert_eq!(seconds(&clock.waits()), [7.0, 2.0], "the date is nine seconds after the start");
    let error = client.bytes(&Request::get(server.url("/")), &|_| ()).unwrap_err();
    assert_eq!((error.status(), clock.waits().len()), (Some(429), 2), "a day is not waited for");
}

fn clock_date() -> std::time::SystemTime {
    std::time::UNIX_EPOCH + clock::BEGUN
}

#[test]
fn a_lasting_failure_is_told_at_once_and_without_secrets() {
    let server = Server::new(|_, n| match n {
        0 => Answer::new(404, "<!doctype html><html><title>Not here</title>"),
        1 => Answer::new(400, "{\"error\":\"API key invalid\",\"api-key\":\"0123456789\"}"),
        2 => Answer::new(200, "<html><title>Sign in</title></html>"),
        _ => Answer::new(502, "gone"),
    });
    let (client, clock) = client(|s| s.attempts = 3);
    let address = server.url("/x?db=gene&api_key=0123456789");
    let say = || client.json::<Value>(&Request::get(&address), &|_| ()).unwrap_err().to_string();
    let shown = server.url("/x?db=gene&api_key=…");
    assert_eq!(say(), format!("{shown}: the server answers 404 Not Found: Not here"));
    let said = say();
    assert!(said.contains("400 Bad Request: {\"error\":\"API key invalid\",\"api-key\":\"…\"}"), "{said}");
    let said = say();
    assert!(said.contains("not the JSON expected") && said.contains("Sign in"), "{said}");
    assert!(clock.waits().is_empty());
    assert_eq!(say(), format!("{shown}: the server answers 502 Bad Gateway: gone (3 attempts)"));
    assert_eq!(server.seen().len(), 6);

    let nobody = { Server::scripted(Vec::new()).url("/") };
    let error = client.bytes(&Request::get(&nobody), &|_| ()).unwrap_err().to_string();
    assert!(error.starts_with(&nobody) && error.ends_with("(3 attempts)"), "{error}");
    let error = client.bytes(&Request::get("no address"), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("expected one such as https://example.org/file"), "{error}");
}

#[test]
fn requests_are_spaced_between_threads() {
    let server = Server::new(|_, _| Answer::new(200, "1"));
    let (client, clock) = client(|s| s.limit = Some(RateLimit::per_second(4.0)));
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| client.bytes(&Request::get(server.url("/")), &|_| ()).unwrap());
        }
    });
    assert_eq!(server.seen().len(), 5);
    // Waits move this clock on, so each request but the first waits for a slot of its own at most once.
    let total: f64 = seconds(&clock.waits()).iter().sum();
    assert!(total >= 1.0, "five requests take at least four spacings: {total}");
}

#[test]
fn a_stop_ends_a_request_under_way() {
    let server = Server::new(|_, _| Answer::new(200, "late").delay(Duration::from_secs(20)));
    let stopped = Arc::new(AtomicBool::new(false));
    let asked = stopped.clone();
    let settings = Settings { stop: Arc::new(move || asked.load(Ordering::SeqCst)), ..Settings::default() };
    let client = Client::new(settings).unwrap();
    std::thread::scope(|scope| {
        let request = scope.spawn(|| client.bytes(&Request::get(server.url("/")), &|_| ()));
        while server.seen().is_empty() {
            std::thread::yield_now();
        }
        stopped.store(true, Ordering::SeqCst);
        assert!(matches!(request.join().unwrap(), Err(HttpError::Stopped)));
    });
}
