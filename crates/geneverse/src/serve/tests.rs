//! The server asked as a client asks it, without a socket but for one test; answers are those of `generate`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{OnceLock, mpsc};

use geneverse_data::gene::{GeneKind, GeneRecord, GeneSymbol, HgncId};
use geneverse_data::progress::Silent;
use geneverse_data::prompt::Template;
use geneverse_model::generate::{Event, GenerateConfig, generate};
use geneverse_model::serving::{Limits, PIECE};
use geneverse_model::tokens::Tokenizer;
use geneverse_model::{Decoder, ModelError};

use super::http::{Body, Sizes};
use super::listen::{Reach, listen};
use super::*;

const QUESTION: &str = "What is the gene GLI1?";
const TOKENS: usize = 24;

/// The bundled model's folder, once for all tests.
fn folder() -> &'static std::path::Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        crate::bundled::write_model(folder.path()).unwrap();
        folder
    });
    folder.path()
}

pub(super) fn app(change: impl FnOnce(&mut App)) -> Arc<App> {
    let limits = Limits { running: 4, waiting: 8, cache_bytes: 1 << 28, piece: PIECE };
    let mut app = App {
        models: Models::read(folder(), Some("nano"), &[], Some("plain"), limits).unwrap(),
        known: None,
        embedder: None,
        keys: Vec::new(),
        local: true,
        usual_tokens: TOKENS,
        most_tokens: 64,
        longest: Duration::from_secs(600),
        looking: Mutex::default(),
        metrics: Metrics::default(),
        shown: Shown::default(),
        number: AtomicU64::new(0),
    };
    change(&mut app);
    Arc::new(app)
}

/// A database of one gene.
pub(super) fn known(folder: &std::path::Path) -> Known {
    let gene = GeneRecord {
        hgnc_id: Some(HgncId(4317)),
        aliases: vec!["GLI".to_owned()],
        ..GeneRecord::new(
            GeneSymbol::parse("GLI1").unwrap(),
            "GLI family zinc finger 1",
            GeneKind::ProteinCoding,
        )
    };
    let db = folder.join("genes.db");
    GeneStore::create(&db, &[gene], &[], &Silent).unwrap();
    Known::read(&db).unwrap()
}

pub(super) fn request(method: &str, path: &str, body: &Value) -> Request {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Request {
        method: method.into(),
        path: path.into(),
        body,
        keep_alive: true,
        chunks: true,
        ..Request::default()
    }
}

/// Status and body of an answer.
fn told(app: &Arc<App>, request: &Request) -> (u16, String) {
    let (response, _) = answer(app, request, &|| false);
    let text = match response.body {
        Body::Whole { bytes, .. } => String::from_utf8(bytes).unwrap(),
        Body::Events(events) => events.collect(),
    };
    (response.status, text)
}

pub(super) fn json_of(app: &Arc<App>, request: &Request) -> (u16, Value) {
    let (status, text) = told(app, request);
    (status, serde_json::from_str(&text).unwrap())
}

fn post(app: &Arc<App>, path: &str, body: Value) -> (u16, Value) {
    json_of(app, &request("POST", path, &body))
}

fn question() -> Value {
    json!([{"role": "user", "content": QUESTION}])
}

/// What `generate` answers to the question, and the tokens of prompt and answer.
fn wanted() -> (String, usize, usize) {
    let (tokenizer, model) = (Tokenizer::read(folder()).unwrap(), Decoder::read(folder()).unwrap());
    let mut ids = tokenizer.encode(&Template::Plain.render(QUESTION, "")).unwrap();
    if let Some(bos) = model.config().bos_token_id
        && ids.first() != Some(&bos)
    {
        ids.insert(0, bos);
    }
    let settings =
        geneverse_model::config::generation::GenerationSettings::read(folder(), model.config()).unwrap();
    let config = GenerateConfig {
        max_new_tokens: TOKENS,
        batch: 1,
        stop_ids: settings.stop_ids,
        repetition_penalty: settings.repetition_penalty as f32,
        no_repeat_ngram_size: settings.no_repeat_ngram_size,
        no_repeat_in_answer: 0,
    };
    let (prompt, mut said) = (ids.len(), Vec::new());
    generate(&model, &[ids], &config, &mut |event| -> Result<bool, ModelError> {
        if let Event::Done(done) = event {
            said = done.ids;
        }
        Ok(true)
    })
    .unwrap();
    (tokenizer.decode(&said).unwrap().trim().to_owned(), prompt, said.len())
}

#[test]
fn a_chat_is_answered_as_by_generate_whole_and_streamed() {
    let app = app(|_| {});
    let (text, prompt, tokens) = wanted();
    let (status, whole) =
        post(&app, "/v1/chat/completions", json!({"model": "nano", "messages": question()}));
    assert_eq!((status, &whole["object"]), (200, &json!("chat.completion")));
    assert_eq!(
        whole["choices"][0]["message"],
        json!({"role": "assistant", "content": text, "refusal": null})
    );
    let usage = json!({"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens,
            "prompt_tokens_details": {"cached_tokens": 0}});
    assert_eq!(whole["usage"], usage);

    let body = json!({"messages": question(), "stream": true, "stream_options": {"include_usage": true}});
    let (status, events) = told(&app, &request("POST", "/v1/chat/completions", &body));
    assert_eq!(status, 200);
    let events: Vec<&str> = events.split("\n\n").filter(|event| event.starts_with("data: ")).collect();
    let (last, parts) = events.split_last().unwrap();
    assert_eq!(*last, "data: [DONE]");
    let parts: Vec<Value> = parts.iter().map(|part| serde_json::from_str(&part[6..]).unwrap()).collect();
    assert_eq!(parts[0]["choices"][0]["delta"]["role"], "assistant");
    let pieces = parts.iter().filter_map(|part| part["choices"][0]["delta"]["content"].as_str());
    assert_eq!(pieces.collect::<String>().trim_end(), text);
    let finish = parts.iter().find_map(|part| part["choices"][0]["finish_reason"].as_str());
    assert_eq!(finish, whole["choices"][0]["finish_reason"].as_str());
    assert_eq!(parts.last().unwrap()["usage"], usage);
    assert!(
        parts.iter().all(|part| part["object"] == "chat.completion.chunk" && part["id"] == parts[0]["id"])
    );
}

#[test]
fn texts_are_continued_and_end_at_a_stop() {
    let app = app(|_| {});
    let body =
        |stop: Value| json!({"prompt": [format!("{QUESTION}\n"), "GLI1"], "max_tokens": 12, "stop": stop});
    let (status, whole) = post(&app, "/v1/completions", body(Value::Null));
    assert_eq!(status, 200);
    let text = whole["choices"][0]["text"].as_str().unwrap().to_owned();
    assert_eq!(
        (whole["choices"][1]["index"].as_u64(), &whole["object"]),
        (Some(1), &json!("text_completion"))
    );
    let word = text.split_whitespace().nth(2).unwrap();
    let (_, stopped) = post(&app, "/v1/completions", body(json!(word)));
    let before = text.split(word).next().unwrap();
    assert_eq!(stopped["choices"][0]["text"], before);
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
}

#[test]
fn usage_tells_what_of_a_prompt_had_been_read_before() {
    let app = app(|_| {});
    let body = json!({"prompt": "GLI1 is a gene. ".repeat(12), "max_tokens": 2});
    let usage = || post(&app, "/v1/completions", body.clone()).1["usage"].clone();
    let cached = |usage: &Value| usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    let (first, second) = (usage(), usage());
    assert_eq!((cached(&first), &first["prompt_tokens"]), (0, &second["prompt_tokens"]));
    assert_eq!(cached(&second), second["prompt_tokens"].as_u64().unwrap() - 1, "the last one is read again");
}

#[test]
fn what_cannot_be_answered_is_an_error_in_openais_shape() {
    let app = app(|_| {});
    let error = |path: &str, body: Value| {
        let (status, value) = post(&app, path, body);
        (status, value["error"]["message"].as_str().unwrap().to_owned())
    };
    let chat = "/v1/chat/completions";
    assert_eq!(
        error(chat, json!({"model": "gpt-4", "messages": question()})),
        (404, "the model \"gpt-4\" is not served here; there are nano".to_owned())
    );
    assert_eq!(
        error(chat, json!({"messages": question(), "max_tokens": 65})),
        (400, "max_tokens is 65, expected 1 to 64, which is this server's limit".to_owned())
    );
    let long = json!([{"role": "user", "content": "GLI1 ".repeat(20_000)}]);
    let (status, value) = post(&app, chat, json!({"messages": long}));
    assert_eq!((status, &value["error"]["code"]), (400, &json!("context_length_exceeded")));
    let picture = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url":
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}]}]);
    let (status, message) = error(chat, json!({"messages": picture}));
    assert_eq!(status, 400, "{message}");
    assert_eq!(
        error("/v1/completions", json!({"prompt": 3})),
        (400, "prompt is expected to be a text, or a list of texts".to_owned())
    );
    let empty = |prompt: Value| error("/v1/completions", json!({"prompt": prompt})).1;
    assert_eq!(empty(json!(["a", ""])), "prompt[1] is empty, expected a text");
    assert_eq!(empty(json!("")), "prompt is empty, expected a text");
    assert_eq!(
        error("/v1/embeddings", json!({"input": "a"})),
        (404, "this server makes no vectors; start it with --embedder".to_owned())
    );
    assert_eq!(error("/nowhere", Value::Null), (404, "there is nothing here; /v1/models is".to_owned()));
    assert_eq!(error("/healthz", Value::Null), (405, "/healthz takes GET only".to_owned()));
    assert_eq!(json_of(&app, &request("GET", "/genes/GLI1", &Value::Null)).0, 404);
    assert_eq!(json_of(&app, &request("GET", "/v1/models/%zz", &Value::Null)).0, 400);
}

#[test]
fn the_openapi_document_tells_of_every_route_and_of_no_other() {
    let app = app(|app| app.keys = vec![hash_bytes(b"secret")]);
    let (status, document) = json_of(&app, &request("GET", "/openapi.json", &Value::Null));
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.2.0")));
    for (path, operations) in document["paths"].as_object().unwrap() {
        let (method, _) = operations.as_object().unwrap().iter().next().unwrap();
        let asked = path.replace("{model}", "nano").replace("{symbol}", "GLI1");
        let (_, exchange) = answer(&app, &request(&method.to_uppercase(), &asked, &Value::Null), &|| false);
        assert_eq!(exchange.route, path);
        let (status, _) = told(&app, &request("DELETE", &asked, &Value::Null));
        assert_eq!(status, 405, "{path}");
    }
    // Of this server: no database, no embedder, no eyes.
    assert!(["/genes/{symbol}", "/v1/embeddings"].iter().all(|path| document["paths"].get(path).is_none()));
    let text = document.to_string();
    let named = text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    for name in named {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    assert_eq!(document["components"]["schemas"]["TextRequest"]["properties"]["max_tokens"]["maximum"], 64);
    let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
    let routes =
        include_str!("mod.rs").lines().filter_map(|line| line.split_once("=> (\"/")).map(|(_, rest)| rest);
    for route in routes {
        let path = format!("/{}", route.split('"').next().unwrap());
        assert!(document["paths"].get(&path).is_some(), "{path} is not in openapi.json");
    }
}

#[test]
fn keys_and_names_of_the_machine_are_asked_for() {
    let app = app(|app| app.keys = vec![hash_bytes(b"secret")]);
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        told(&app, &Request { headers, ..request("GET", path, &Value::Null) }).0
    };
    let key = ("authorization", "Bearer secret");
    assert_eq!(ask("/healthz", &[]), 200);
    assert_eq!(ask("/v1/models", &[]), 401);
    assert_eq!(ask("/v1/models", &[("authorization", "Bearer wrong")]), 401);
    assert_eq!(ask("/v1/models", &[("authorization", "secret")]), 401);
    assert_eq!(
        ask("/v1/models", &[key, ("host", "localhost:8080"), ("origin", "http://127.0.0.1:3000")]),
        200
    );
    assert_eq!(ask("/v1/models", &[key, ("host", "[::1]:8080")]), 200);
    assert_eq!(ask("/v1/models", &[key, ("host", "attacker.example")]), 403);
    assert_eq!(ask("/v1/models", &[key, ("origin", "https://attacker.example")]), 403);
}

#[test]
fn who_hangs_up_is_not_answered_on() {
    let app = app(|_| {});
    let body = json!({"messages": question()});
    let (response, exchange) = answer(&app, &request("POST", "/v1/chat/completions", &body), &|| true);
    assert_eq!((response.status, exchange.model.as_deref()), (408, Some("nano")));
    // One that is streamed is dropped with what writes it.
    let body = json!({"messages": question(), "stream": true});
    let (response, _) = answer(&app, &request("POST", "/v1/chat/completions", &body), &|| false);
    drop(response);
    let (status, _) = post(&app, "/v1/chat/completions", json!({"messages": question(), "max_tokens": 2}));
    assert_eq!(status, 200);
    app.models.engine.close();
    while app.models.engine.lives() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let figures = app.models.engine.figures();
    assert_eq!(
        (figures.asked, figures.finished + figures.cancelled, figures.running),
        (3, 3, 0),
        "{figures:?}"
    );
    assert_eq!(json_of(&app, &request("GET", "/healthz", &Value::Null)).0, 503);
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let app = app(|app| app.longest = Duration::ZERO);
    let (status, value) = post(&app, "/v1/chat/completions", json!({"messages": question()}));
    assert_eq!((status, &value["error"]["code"]), (504, &json!("timeout")));
}

#[test]
fn a_socket_serves_one_request_after_another_until_it_is_stopped() {
    let app = app(|_| {});
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (log, lines) = mpsc::channel();
    let reach = Reach { connections: 4, sizes: Sizes { head: 1 << 14, body: 1 << 12 }, bodies: 1 << 14 };
    let server = {
        let (app, stop) = (app.clone(), stop.clone());
        std::thread::spawn(move || listen(&listener, &app, reach, &stop, &log))
    };
    let mut stream = TcpStream::connect(address).unwrap();
    let mut ask = |text: String, end: &str| {
        stream.write_all(text.as_bytes()).unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&answer).contains(end) {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                count => answer.extend_from_slice(&piece[..count]),
            }
        }
        String::from_utf8(answer).unwrap()
    };
    let health = ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "\"ok\"}");
    assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
    let body = json!({"messages": question(), "stream": true, "max_tokens": 4}).to_string();
    let chat = |body: &str| {
        let length = body.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let streamed = ask(chat(&body), "0\r\n\r\n");
    assert!(streamed.contains("data: [DONE]\n\n"), "{streamed}");
    let large = ask(chat(&"x".repeat(5000)), "}}");
    assert!(large.starts_with("HTTP/1.1 413 ") && large.contains("Connection: close"), "{large}");
    let broken = b"\x00\x01\r\n\r\n";
    let mut other = TcpStream::connect(address).unwrap();
    other.write_all(broken).unwrap();
    let mut text = String::new();
    other.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    stop.store(true, Ordering::Relaxed);
    server.join().unwrap().unwrap();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let routes: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| (line["route"].as_str().unwrap(), line["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(routes, [("/healthz", 200), ("/v1/chat/completions", 200), ("none", 413), ("none", 400)]);
    assert!(lines.iter().all(|line| !line.to_string().contains("GLI1")), "a prompt is in the log");
    assert_eq!(lines[1]["tokens"], 4);
}
