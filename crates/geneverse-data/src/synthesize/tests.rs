//! The stage against a local server that answers as models and networks do.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::chat::{Address, ChatClient, Key};
use crate::gene::GeneSymbol;
use crate::http::Settings;
use crate::progress::Silent;
use crate::store::GeneStore;

use crate::testing::NoWait;
use crate::testing::server::{Answer, Seen, Server};

const KEY: &str = "sk-not-to-be-seen-anywhere";

fn client(server: &Server, stop: &Arc<AtomicBool>) -> ChatClient {
    let stopped = stop.clone();
    let settings = Settings {
        attempts: 3,
        stop: Arc::new(move || stopped.load(Ordering::SeqCst)),
        clock: Arc::new(NoWait::default()),
        ..Settings::default()
    };
    let key = Key::new("MY_KEY", KEY).unwrap();
    ChatClient::new(settings, Address::parse(&server.url("/v1")).unwrap(), key).unwrap()
}

/// A database of protein-coding genes with these symbols, a microRNA and a pseudogene.
fn database(folder: &Path, symbols: &[&str]) -> Synthesis {
    let gene = |symbol: &str, kind| {
        GeneRecord::new(GeneSymbol::parse(symbol).unwrap(), format!("{symbol} factor"), kind)
    };
    let mut records: Vec<GeneRecord> =
        symbols.iter().map(|symbol| gene(symbol, GeneKind::ProteinCoding)).collect();
    records.push(gene("MIR21", GeneKind::MicroRna));
    records.push(gene("ZZP1", GeneKind::Pseudogene));
    let db = folder.join("genes.db");
    if !db.exists() {
        GeneStore::create(&db, &records, &[], &Silent).unwrap();
    }
    Synthesis {
        db,
        out: folder.join("synthetic.jsonl"),
        cache: None,
        model: "org/small-model".to_owned(),
        mode: Mode::Describe,
        symbols: None,
        hold_out: Vec::new(),
        only_with_summary: false,
        limit: None,
        sampling: Sampling { temperature: Some(0.0), top_p: None, max_tokens: Some(200), seed: Some(42) },
        retry_rejected: 0,
        concurrency: 4,
        limits: Limits::default(),
        requests_per_minute: None,
        skip_failed: false,
        rules: 1,
    }
}

/// Numbered genes: G100, G101, …
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("G{}", 100 + n)).collect()
}

fn many(folder: &Path, count: usize) -> Synthesis {
    let symbols = numbered(count);
    database(folder, &symbols.iter().map(String::as_str).collect::<Vec<_>>())
}

fn run_with(options: &Synthesis, client: &ChatClient) -> Result<Ended, SynthesisError> {
    let check = |gene: &GeneRecord, _: &Question, text: &str| {
        let named = text.contains(gene.symbol.as_str());
        if named { Ok(()) } else { Err(Rejection::new(Reason::OtherGene, "does not name it")) }
    };
    match plan(options.clone(), &Silent)? {
        Planned::Done(report) => Ok(Ended::Finished(report)),
        Planned::Plan(plan) => plan.run(client, &check, &Silent),
    }
}

fn run(options: &Synthesis, server: &Server) -> Result<SynthesisReport, SynthesisError> {
    match run_with(options, &client(server, &Arc::default()))? {
        Ended::Finished(report) => Ok(*report),
        Ended::Interrupted { .. } => panic!("nobody stopped it"),
    }
}

/// The gene that a question is about.
fn asked(seen: &Seen) -> String {
    let body: Value = serde_json::from_str(&seen.text()).unwrap();
    let question = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    let after = question.split("gene: ").nth(1).or_else(|| question.split("symbol: ").nth(1)).unwrap();
    after.chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}

fn reply(content: &Value, finish: &str, usage: bool) -> Answer {
    let message = json!({"role": "assistant", "content": content});
    let mut body = json!({"model": "small-1", "choices": [{"message": message, "finish_reason": finish}]});
    if usage {
        body["usage"] = json!({"prompt_tokens": 50, "completion_tokens": 20});
    }
    Answer::new(200, body.to_string())
}

fn good(symbol: &str) -> Answer {
    reply(&json!(format!("{symbol} encodes\na factor.")), "stop", true)
}

fn lines<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn whatever_a_server_does_is_answered_for() {
    let folder = tempfile::tempdir().unwrap();
    let symbols = [
        "BUSY", "BROKEN", "CUT", "DROPPED", "EMPTY", "FILTER", "GOOD", "HTML", "LONG", "NOUSE", "NULL",
        "OTHER", "PARTS", "POLICY", "REFUSE", "THINK",
    ];
    let options = database(folder.path(), &symbols);
    let tries = std::sync::Mutex::new(std::collections::HashMap::<String, usize>::new());
    let server = Server::new(move |seen, _| {
        let symbol = asked(seen);
        let times = {
            let mut tries = tries.lock().unwrap();
            let times = tries.entry(symbol.clone()).or_default();
            *times += 1;
            *times
        };
        let text = format!("{symbol} encodes a factor.");
        match (symbol.as_str(), times) {
            ("BUSY", 1) => Answer::new(429, "{}").header("Retry-After", "2"),
            ("BUSY", 2) => Answer::new(500, "oops"),
            ("BROKEN", 1) => Answer::new(200, "{\"choices\": [{\"mess"),
            ("HTML", 1) => Answer::new(200, "<html><title>Please wait</title></html>"),
            ("DROPPED", 1) => good(&symbol).cut_after(20),
            ("CUT", _) => reply(&json!("CUT encodes a"), "length", true),
            ("EMPTY", _) => reply(&json!("  \n"), "stop", true),
            ("NULL", _) => reply(&Value::Null, "stop", true),
            ("FILTER", _) => reply(&json!("FILTER enc"), "content_filter", true),
            ("POLICY", _) => {
                let error = json!({"error": {"message": "no", "code": "content_filter"}});
                Answer::new(400, error.to_string())
            }
            ("LONG", _) => {
                let error = json!({"error": {"message": "maximum context length is 10 tokens"}});
                Answer::new(400, error.to_string())
            }
            ("OTHER", _) => reply(&json!("KDR encodes a receptor."), "stop", true),
            ("PARTS", _) => reply(&json!([{"type": "text", "text": text}]), "stop", true),
            ("REFUSE", _) => {
                let message = json!({"content": null, "refusal": "I will not."});
                let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
                Answer::new(200, body.to_string())
            }
            ("THINK", _) => reply(&json!(format!("<think>Hm, KDR?</think>\n{text}")), "stop", true),
            ("NOUSE", _) => reply(&json!(text), "stop", false),
            _ => good(&symbol),
        }
    });
    let report = run(&options, &server).unwrap();
    let texts: Vec<SyntheticText> = lines(&options.out);
    let got: Vec<&str> = texts.iter().map(|text| text.symbol.as_str()).collect();
    assert_eq!(got, ["BROKEN", "BUSY", "DROPPED", "GOOD", "HTML", "NOUSE", "PARTS", "THINK"]);
    assert!(texts.iter().all(|t| t.text == format!("{} encodes a factor.", t.symbol)), "{texts:?}");
    assert_eq!((texts[0].kind, texts[0].mode), (GeneKind::ProteinCoding, Mode::Describe));
    let rejected: Vec<RejectedText> = lines(&rejected_path(&options.out));
    let why: Vec<(&str, Reason)> = rejected.iter().map(|r| (r.symbol.as_str(), r.reason)).collect();
    let expected = [
        ("CUT", Reason::CutOff),
        ("EMPTY", Reason::Empty),
        ("FILTER", Reason::Refusal),
        ("LONG", Reason::RefusedByServer),
        ("NULL", Reason::Empty),
        ("OTHER", Reason::OtherGene),
        ("POLICY", Reason::Refusal),
        ("REFUSE", Reason::Refusal),
    ];
    assert_eq!(why, expected);
    assert_eq!((report.genes, report.accepted, report.rejected.values().sum::<usize>()), (16, 8, 8));
    assert_eq!(report.not_asked.values().sum::<usize>(), 2, "{:?}", report.not_asked);
    assert_eq!((report.with_thoughts, report.tokens_estimated), (1, 2), "REFUSE and NOUSE have no usage");
    assert_eq!(report.endpoint.as_deref(), Some(server.url("").trim_start_matches("http://")));
    assert!(!everything(folder.path()).contains(KEY), "the key is in a file");
    assert!(server.seen().iter().all(|seen| seen.header("authorization") == Some(&format!("Bearer {KEY}"))));
}

/// All that lies in a folder, as one text.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&everything(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
        }
    }
    all
}

/// Every third answer is about another gene; answers come in any order.
fn unsteady() -> Server {
    Server::new(|seen, n| {
        let symbol = asked(seen);
        let number: usize = symbol[1..].parse().unwrap();
        let answer = if number.is_multiple_of(3) { good("KDR") } else { good(&symbol) };
        answer.delay(Duration::from_millis((n as u64 * 7) % 12))
    })
}

#[test]
fn how_many_at_once_and_in_how_many_runs_does_not_matter() {
    let (one, eight, parts) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = unsteady();
    run(&Synthesis { concurrency: 1, ..many(one.path(), 24) }, &server).unwrap();
    run(&Synthesis { concurrency: 8, ..many(eight.path(), 24) }, &server).unwrap();

    // Stopped after the tenth request, and gone on with.
    let options = many(parts.path(), 24);
    let stop = Arc::new(AtomicBool::new(false));
    let (stopping, count) = (stop.clone(), AtomicUsize::new(0));
    let interrupting = Server::new(move |seen, _| {
        if count.fetch_add(1, Ordering::SeqCst) == 9 {
            stopping.store(true, Ordering::SeqCst);
        }
        let symbol = asked(seen);
        let number: usize = symbol[1..].parse().unwrap();
        if number.is_multiple_of(3) { good("KDR") } else { good(&symbol) }
    });
    let ended = run_with(&options, &client(&interrupting, &stop)).unwrap();
    let Ended::Interrupted { done, genes } = ended else { panic!("it was not stopped") };
    assert!((5..=10).contains(&done) && genes == 24, "{done}");
    assert!(!options.out.exists(), "an unfinished output is not there");
    // By another server: what was on its way to the first when it was stopped may still arrive there.
    let again = unsteady();
    let report = run(&options, &again).unwrap();
    assert_eq!((report.cached, report.asked), (done, 24 - done));
    assert_eq!(again.seen().len(), 24 - done);

    let files = |folder: &Path| {
        ["synthetic.jsonl", "synthetic.jsonl.rejected.jsonl"].map(|name| fs::read(folder.join(name)).unwrap())
    };
    assert_eq!(files(one.path()), files(eight.path()));
    assert_eq!(files(one.path()), files(parts.path()));

    // Again: nothing is done. With the output gone: nothing is asked.
    let asked_so_far = again.seen().len();
    assert!(run(&options, &again).unwrap().already_done);
    fs::remove_file(&options.out).unwrap();
    fs::remove_file(crate::stage::manifest_path(&options.out)).unwrap();
    let report = run(&options, &again).unwrap();
    assert_eq!((report.asked, report.cached, report.endpoint), (0, 24, None));
    assert_eq!(again.seen().len(), asked_so_far);
    assert_eq!(files(one.path()), files(parts.path()));
    let error = run(&Synthesis { model: "larger".into(), ..options }, &again).unwrap_err().to_string();
    assert!(error.contains("model: then \"org/small-model\", now \"larger\""), "{error}");
    let nameless = Synthesis { out: one.path().join("synthetic"), ..many(one.path(), 24) };
    let error = run(&nameless, &again).unwrap_err().to_string();
    assert!(
        error.ends_with("with an ending, such as synthetic.jsonl"),
        "its manifest would have no place: {error}"
    );
}

#[test]
fn a_budget_is_kept_and_can_be_raised() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = many(folder.path(), 30);
    let server = unsteady();
    // Nothing is asked where the least is too much.
    options.limits.tokens = Some(100);
    let refused = run(&options, &server).unwrap_err().to_string();
    assert!(refused.starts_with("30 answers cost at least") && refused.contains("--limit"), "{refused}");
    assert_eq!(server.seen().len(), 0);

    // Each answer costs 70 tokens, and about 50 + 40 + 200 are set aside for it.
    options.limits.tokens = Some(1600);
    let stopped = run(&options, &server).unwrap_err();
    assert!(matches!(stopped, SynthesisError::Budget(_)), "{stopped}");
    let asked = server.seen().len();
    assert!((15..=22).contains(&asked), "70 · {asked} is at most 1600, and not far below");
    let said = stopped.to_string();
    assert!(said.contains(&format!("{} tokens are spent", asked * 70)), "{said}");
    assert!(said.contains(&format!("with --limit {asked} it finishes")), "{said}");
    assert!(!options.out.exists());

    // The same limit again buys nothing more; a higher one does, and pays for the rest only.
    assert!(run(&options, &server).is_err());
    assert_eq!(server.seen().len(), asked);
    options.limits =
        Limits { tokens: None, cost: Some(10.0), prices: Some(Prices { input: 1000.0, output: 10_000.0 }) };
    let report = run(&options, &server).unwrap();
    assert_eq!((report.asked, report.cached), (30 - asked, asked));
    let cost = 30.0 * (50.0 * 1000.0 + 20.0 * 10_000.0) / 1e6;
    assert!((report.cost.unwrap() - cost).abs() < 1e-9, "{:?}", report.cost);
}

#[test]
fn an_estimate_needs_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let options = Synthesis {
        requests_per_minute: Some(60.0),
        hold_out: vec!["G100".into()],
        limit: Some(5),
        mode: Mode::Rephrase,
        ..many(folder.path(), 12)
    };
    let Planned::Plan(plan) = plan(options, &Silent).unwrap() else { panic!("it was never run") };
    let estimate = plan.estimate();
    assert_eq!((estimate.genes, estimate.requests, estimate.cached), (5, 5, 0));
    assert_eq!(estimate.seconds_at_rate_limit, Some(5.0));
    let tokens = estimate.prompt_tokens;
    assert!(tokens.low < tokens.likely && tokens.likely < tokens.high, "{tokens:?}");
    assert!(plan.sample().unwrap().messages[1].words().contains("Gene symbol: G101"), "G100 is held out");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a plan writes nothing");
}

#[test]
fn questions_without_an_answer_are_asked_again_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = many(folder.path(), 6);
    let server = Server::new(|seen, _| match asked(seen).as_str() {
        "G103" => Answer::new(500, "out of memory"),
        symbol => good(symbol),
    });
    let error = run(&options, &server).unwrap_err().to_string();
    assert!(
        error.starts_with("1 of 6 questions got no answer") && error.contains("out of memory"),
        "{error}"
    );
    let before = server.seen().len();
    options.skip_failed = true;
    let report = run(&options, &server).unwrap();
    assert_eq!(server.seen().len() - before, 3, "the three attempts for the one gene");
    assert_eq!((report.accepted, report.rejected[&Reason::NoAnswer]), (5, 1));

    // A server that has gone is not asked about every gene.
    let folder = tempfile::tempdir().unwrap();
    let options = Synthesis { concurrency: 2, ..many(folder.path(), 40) };
    let server = Server::new(|seen, n| if n < 4 { good(&asked(seen)) } else { Answer::new(503, "gone") });
    let error = run(&options, &server).unwrap_err();
    assert!(matches!(error, SynthesisError::Down { .. }), "{error}");
    assert!(server.seen().len() < 4 + 3 * 11, "{}", server.seen().len());

    // Nor is one that does not take the first question; then it is asked once.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|_, _| Answer::new(401, r#"{"error":{"message":"who are you?"}}"#));
    let error = run(&many(folder.path(), 40), &server).unwrap_err().to_string();
    assert!(error.contains("who are you? (401); is the key in MY_KEY the right one?"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_rejected_answer_is_asked_for_again_with_another_seed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Synthesis { retry_rejected: 2, ..many(folder.path(), 4) };
    let server = Server::new(|seen, _| {
        let body: Value = serde_json::from_str(&seen.text()).unwrap();
        match (asked(seen).as_str(), body["seed"].as_u64().unwrap()) {
            ("G101", 42) | ("G102", _) => good("KDR"),
            (symbol, _) => good(symbol),
        }
    });
    let report = run(&options, &server).unwrap();
    assert_eq!((report.accepted, report.saved_by_retries, report.asked), (3, 1, 4 + 1 + 2));
    let rejected: Vec<RejectedText> = lines(&rejected_path(&options.out));
    let attempts: Vec<(&str, u32)> = rejected.iter().map(|r| (r.symbol.as_str(), r.attempt)).collect();
    assert_eq!(attempts, [("G101", 0), ("G102", 0), ("G102", 1), ("G102", 2)]);
    let texts: Vec<SyntheticText> = lines(&options.out);
    assert_eq!(texts[1].sampling.seed, Some(43), "the seed that gave the text");
}
