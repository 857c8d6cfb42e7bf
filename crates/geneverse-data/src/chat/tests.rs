//! The client against a local server that answers in the forms of several makers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

use crate::testing::NoWait;
use crate::testing::server::{Answer, Server};

fn client(server: &Server, key: Option<&str>) -> ChatClient {
    let settings = Settings { clock: Arc::new(NoWait::default()), attempts: 2, ..Settings::default() };
    let key = key.and_then(|key| Key::new("MY_KEY", key).unwrap());
    ChatClient::new(settings, Address::parse(&server.url("/v1")).unwrap(), key).unwrap()
}

fn question() -> ChatRequest {
    let sampling = Sampling { temperature: Some(0.0), top_p: Some(0.9), max_tokens: Some(64), seed: Some(7) };
    let messages = vec![Message::system("Be brief."), Message::user("What is GLI1?")];
    ChatRequest { model: "small".to_owned(), messages, sampling }
}

fn good(text: &str) -> Answer {
    Answer::new(
        200,
        json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).to_string(),
    )
}

fn error(status: u16, message: &str) -> Answer {
    Answer::new(status, json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string())
}

#[test]
fn a_question_is_sent_as_endpoints_take_it() {
    let server = Server::scripted(vec![good("A gene.")]);
    let answer = client(&server, Some("sk-secret")).ask(&question(), &|_| ()).unwrap();
    assert_eq!(answer.text, "A gene.");
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.header("authorization"), Some("Bearer sk-secret"));
    let expected = json!({
        "model": "small", "stream": false, "temperature": 0.0, "top_p": 0.9, "max_tokens": 64, "seed": 7,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is GLI1?"},
        ],
    });
    assert_eq!(serde_json::from_str::<Value>(&seen.text()).unwrap(), expected);
}

#[test]
fn what_a_server_does_not_know_is_left_out_once_and_for_all() {
    let server = Server::new(|seen, _| {
        let body: Value = serde_json::from_str(&seen.text()).unwrap();
        if body.get("max_tokens").is_some() {
            let said = "Unknown parameter: 'max_tokens' is not supported with this model. Use \
                        'max_completion_tokens' instead.";
            return error(400, said);
        }
        if body.get("seed").is_some() {
            let detail = json!({"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]});
            return Answer::new(422, detail.to_string());
        }
        if body["messages"][0]["role"] == "system" {
            return error(400, "System role not supported");
        }
        assert_eq!(body["messages"][0]["content"], "Be brief.\n\nWhat is GLI1?");
        assert_eq!(body["max_completion_tokens"], 64);
        good("A gene.")
    });
    let client = client(&server, None);
    assert_eq!(client.ask(&question(), &|_| ()).unwrap().text, "A gene.");
    assert_eq!(server.seen().len(), 4);
    client.ask(&question(), &|_| ()).unwrap();
    assert_eq!(server.seen().len(), 5, "what was found out is remembered");
    assert_eq!(client.adjustments().len(), 3);
}

#[test]
fn errors_say_what_to_do_and_hold_no_key() {
    let say = |answer: Answer| {
        let server = Server::new(move |seen, _| match seen.target.as_str() {
            "/v1/models" => Answer::new(200, r#"{"data":[{"id":"large"},{"id":"tiny"}]}"#),
            _ => answer.clone(),
        });
        let host = server.url("");
        let error = client(&server, Some("sk-secret")).ask(&question(), &|_| ()).unwrap_err().to_string();
        assert!(!error.contains("sk-secret"), "{error}");
        error.replace(&host, "HOST")
    };
    assert_eq!(
        say(error(401, "Incorrect API key provided: sk-secret")),
        "HOST/v1: Incorrect API key provided: … (401); is the key in MY_KEY the right one?"
    );
    assert_eq!(
        say(error(404, "The model `small` does not exist")),
        "HOST/v1: has no model \"small\" (The model `small` does not exist); it has large, tiny"
    );
    assert!(
        say(Answer::new(404, r#"{"detail":"Not Found"}"#))
            .starts_with("HOST/v1: found no chat completions there")
    );
    let long =
        "This model's maximum context length is 512 tokens. However, your messages and max_tokens need 700.";
    assert_eq!(
        say(error(400, long)),
        format!("HOST/v1: the server does not take the question (400): {long}")
    );
    let page = Answer::new(200, "<html><head><title>Sign in</title></head></html>");
    assert_eq!(say(page), "HOST/v1: found a web page (Sign in), expected JSON (3 attempts)");
    assert!(say(error(503, "busy")).contains("busy"));

    let server = Server::new(|_, _| Answer::new(404, "{\"error\":\"File Not Found\"}"));
    let address = Address::parse(&server.url("/api")).unwrap();
    let client = ChatClient::new(Settings::default(), address, None).unwrap();
    let error = client.ask(&question(), &|_| ()).unwrap_err().to_string();
    assert!(error.ends_with(&format!("usually ends in /v1: try {}", server.url("/api/v1"))), "{error}");
}

#[test]
fn an_answer_that_cannot_be_read_is_asked_for_again() {
    let server = Server::scripted(vec![
        Answer::new(200, "{\"choices\": [{\"mess"),
        Answer::new(200, "<html>busy</html>"),
        good("A gene."),
    ]);
    let told = std::cell::RefCell::new(Vec::new());
    let answer = client(&server, None).ask(&question(), &|line| told.borrow_mut().push(line.to_owned()));
    assert_eq!(answer.unwrap().text, "A gene.");
    assert_eq!((server.seen().len(), told.borrow().len()), (3, 2));
}

#[test]
fn leaving_ends_a_question_under_way() {
    let server = Server::new(|_, _| good("late").delay(Duration::from_secs(30)));
    let client = client(&server, None);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| client.ask(&question(), &|_| ()));
        while server.seen().is_empty() {
            std::thread::yield_now();
        }
        client.leave();
        assert!(matches!(asked.join().unwrap(), Err(ChatError::Stopped)));
    });
}
