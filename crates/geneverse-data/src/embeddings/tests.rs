//! The client against a local server: batches, halving, what is kept, and what servers send instead of vectors.

use std::cell::RefCell;
use std::sync::Arc;

use super::*;
use crate::progress::Silent;
use crate::testing::NoWait;
use crate::testing::server::{Answer, Seen, Server};

fn client(server: &Server) -> EmbeddingsClient {
    let settings = Settings { clock: Arc::new(NoWait::default()), attempts: 2, ..Settings::default() };
    let key = Key::new("MY_KEY", "sk-secret").unwrap();
    EmbeddingsClient::new(settings, Address::parse(&server.url("/v1")).unwrap(), key).unwrap()
}

fn asking(folder: &tempfile::TempDir, batch: usize, concurrency: usize) -> Asking {
    let cache = folder.path().join("vectors.jsonl");
    Asking { model: "small".to_owned(), dimensions: None, batch, concurrency, cache }
}

fn texts(words: &[&str]) -> Vec<Text> {
    let text = |(i, word): (usize, &&str)| Text {
        id: format!("t{i}"),
        subject: String::new(),
        text: (*word).to_owned(),
    };
    words.iter().enumerate().map(text).collect()
}

fn body(seen: &Seen) -> Value {
    serde_json::from_str(&seen.text()).unwrap()
}

/// A vector of a text: its length, and its first letter.
fn vector(text: &str) -> Value {
    json!([text.len(), text.as_bytes()[0], 0.5])
}

/// What a good server says, its vectors in another order.
fn good(seen: &Seen) -> Answer {
    let body = body(seen);
    let inputs = body["input"].as_array().unwrap();
    let item = |(i, text): (usize, &Value)| json!({"index": i, "embedding": vector(text.as_str().unwrap())});
    let data: Vec<Value> = inputs.iter().enumerate().map(item).rev().collect();
    Answer::new(200, json!({"data": data, "usage": {"prompt_tokens": 10}}).to_string())
}

fn finished(ended: Ended) -> Embedded {
    let Ended::Finished(embedded) = ended else { panic!("{ended:?}") };
    embedded
}

#[test]
fn texts_go_in_batches_and_come_back_in_order() {
    let server = Server::new(|seen, _| good(seen));
    let words = ["one", "three", "", "seven", "eleven", "thirteen", "a", "bb"];
    let texts = texts(&words);
    for concurrency in [1, 4] {
        let folder = tempfile::tempdir().unwrap();
        let found = client(&server).embed(&asking(&folder, 3, concurrency), &texts, &Silent).unwrap();
        let found = finished(found);
        let wanted = words.iter().flat_map(|word| match word.as_bytes() {
            [] => [0.0; 3],
            bytes => [bytes.len() as f32, f32::from(bytes[0]), 0.5],
        });
        assert_eq!(found.numbers, wanted.collect::<Vec<f32>>());
        assert_eq!((found.width, found.asked, found.cached, found.tokens), (3, 7, 0, 30));
        assert_eq!(found.empty, [2]);
    }
    let first = &server.seen()[0];
    assert_eq!((first.method.as_str(), first.target.as_str()), ("POST", "/v1/embeddings"));
    assert_eq!(first.header("authorization"), Some("Bearer sk-secret"));
    let expected = json!({"model": "small", "input": ["one", "three", "seven"], "encoding_format": "float"});
    assert_eq!(body(first), expected);
    assert_eq!(server.seen().len(), 6);
}

#[test]
fn what_was_asked_is_kept_and_asked_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(&["one", "three", "seven", "eleven"]);
    let broken = Server::new(|seen, n| if n == 0 { good(seen) } else { Answer::new(403, "no more") });
    let error = client(&broken).embed(&asking(&folder, 2, 2), &texts, &Silent).unwrap_err().to_string();
    assert!(error.contains("is the key in MY_KEY the right one?") && !error.contains("secret"), "{error}");
    let server = Server::new(|seen, _| good(seen));
    let found = finished(client(&server).embed(&asking(&folder, 2, 2), &texts, &Silent).unwrap());
    assert_eq!((found.asked, found.cached, server.seen().len()), (2, 2, 1));
    let again = finished(client(&server).embed(&asking(&folder, 2, 2), &texts, &Silent).unwrap());
    assert_eq!((again.asked, again.cached, server.seen().len()), (0, 4, 1));
    assert_eq!(again.numbers, found.numbers);
    let other = Asking { dimensions: Some(3), ..asking(&folder, 8, 1) };
    assert_eq!(finished(client(&server).embed(&other, &texts, &Silent).unwrap()).asked, 4);
    assert_eq!(body(&server.seen()[1])["dimensions"], 3);
}

#[test]
fn a_batch_that_is_refused_is_halved_and_the_text_is_named() {
    let too_long = |seen: &Seen| {
        let said = json!({"error": {"message": "maximum context length is 8 tokens"}}).to_string();
        let body = body(seen);
        let long = body["input"].as_array().unwrap().iter().any(|text| text.as_str().unwrap().len() > 20);
        if long { Answer::new(400, said) } else { good(seen) }
    };
    let server = Server::new(move |seen, _| too_long(seen));
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(&["one", "three", "a text that is much too long", "seven"]);
    let error = client(&server).embed(&asking(&folder, 4, 1), &texts, &Silent).unwrap_err().to_string();
    assert!(error.starts_with("text \"t2\": http://127.0.0.1:"), "{error}");
    assert!(error.ends_with("maximum context length is 8 tokens; shorten it or leave it out"), "{error}");
    // Too many at once is no text's fault.
    let two = Server::new(|seen, _| match body(seen)["input"].as_array().unwrap().len() {
        1 | 2 => good(seen),
        n => Answer::new(413, json!({"error": format!("{n} inputs, at most 2")}).to_string()),
    });
    let folder = tempfile::tempdir().unwrap();
    let short = [&texts[..2], &texts[3..]].concat();
    assert_eq!(finished(client(&two).embed(&asking(&folder, 3, 1), &short, &Silent).unwrap()).asked, 3);
}

#[test]
fn a_server_that_does_not_know_the_format_is_asked_without_it() {
    let server = Server::new(|seen, _| match body(seen).get("encoding_format") {
        Some(_) => Answer::new(
            422,
            json!({"detail": [{"loc": ["body", "encoding_format"], "msg": "extra"}]}).to_string(),
        ),
        None => good(seen),
    });
    let folder = tempfile::tempdir().unwrap();
    let client = client(&server);
    client.embed(&asking(&folder, 1, 1), &texts(&["one", "three"]), &Silent).unwrap();
    assert_eq!(server.seen().len(), 3, "what was found out is remembered");
    let nowhere = Server::new(|_, _| Answer::new(404, "Not Found"));
    let error = self::client(&nowhere).embed(&asking(&folder, 1, 1), &texts(&["x"]), &Silent).unwrap_err();
    assert!(error.to_string().contains("found no embeddings there"), "{error}");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let server = Server::new(|seen, n| match n {
        0 => Answer::new(503, "busy").header("Retry-After", "2"),
        1 => Answer::new(200, "{\"data\": []}"),
        _ => good(seen),
    });
    let folder = tempfile::tempdir().unwrap();
    let told = Told::default();
    client(&server).embed(&asking(&folder, 4, 1), &texts(&["one"]), &told).unwrap();
    assert_eq!((server.seen().len(), told.0.borrow().len()), (3, 2));
    assert!(told.0.borrow()[1].contains("found 0 vectors for 1 texts"), "{:?}", told.0);
}

#[derive(Default)]
struct Told(RefCell<Vec<String>>);

impl Progress for Told {
    fn start(&self, _: &str, _: Option<u64>, _: &'static str) {}
    fn set(&self, _: u64) {}
    fn state(&self, _: &str) {}
    fn note(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
    fn finish(&self) {}
}

#[test]
fn what_is_no_vector_is_named() {
    let read = |value: Value| super::read(&value.to_string(), 2).unwrap_err();
    let item = |index: u64, embedding: Value| json!({"index": index, "embedding": embedding});
    assert!(read(json!({"object": "list"})).starts_with("found no \"data\" in it"));
    assert_eq!(read(json!({"data": [item(0, json!([1]))]})), "found 1 vectors for 2 texts");
    assert_eq!(read(json!({"data": [item(0, json!([1])), item(0, json!([1]))]})), "found vector 0 twice");
    assert_eq!(read(json!({"data": [item(2, json!([1]))]})), "found a vector 2 for 2 texts");
    let packed = read(json!({"data": [item(0, json!("AACAPw=="))]}));
    assert_eq!(packed, "found a text as vector 0, expected a list of numbers");
    assert_eq!(read(json!({"data": [item(0, json!([1, null]))]})), "found no finite numbers in vector 0");
    let uneven = json!({"data": [item(0, json!([1])), item(1, json!([1, 2]))]});
    assert_eq!(read(uneven), "found vectors of 1 and of 2 numbers");
    assert_eq!(read(json!({"error": {"message": "busy"}})), "busy");
    assert_eq!(Packed::of(&[1.5, -0.0]).numbers(), Some(vec![1.5, -0.0]));
    assert_eq!(Packed("AAA=".to_owned()).numbers(), None);
}
