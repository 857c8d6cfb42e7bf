//! `serve` and `chat` as their users meet them: another program asks the server, a person types.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{fail, geneverse, json, root, succeed, with_dataset};

fn nano() -> String {
    root().join("models/geneverse-nano").to_str().unwrap().to_owned()
}

/// A server at a free port.
struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
}

impl Server {
    /// Of the bundled model, which no argument names: it is laid into the cache.
    fn start(folder: &Path, more: &[&str], keys: &str) -> Self {
        let mut command =
            geneverse(folder, &[&["serve", "--prompt", "plain", "--port", "0"][..], more].concat());
        command.env("GENEVERSE_CACHE", folder.join("cache"));
        command.env("GENEVERSE_API_KEYS", keys).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("http://").and_then(|rest| rest.split_once("/v1 serves "));
        let (address, names) = address.unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(names.trim(), "geneverse-nano");
        Self { address: address.to_owned(), child }
    }

    /// Status and body of an answer, the connection closed after it.
    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Ends it as Ctrl-C does; what it has said on standard error.
    fn stop(mut self) -> String {
        // SAFETY: kill only sends a signal, to a child that has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(self.child.wait().unwrap().success(), "{errors}");
        errors
    }
}

#[test]
fn what_the_server_answers_is_what_generate_answers() {
    let folder = with_dataset();
    let path = folder.path();
    let server = Server::start(path, &["--db", "genes.db"], "");
    let nano = nano();
    let kept = fs::read(path.join("cache/geneverse-nano/model.safetensors")).unwrap();
    assert_eq!(kept, fs::read(Path::new(&nano).join("model.safetensors")).unwrap());
    let prompts = ["generate", "--prompts", "dataset/test.json", "--max-new-tokens", "40"];
    let local = ["--model", &nano, "--prompt", "plain", "--out", "local.jsonl"];
    succeed(path, &[&prompts[..], &local].concat());
    let endpoint = format!("http://{}/v1", server.address);
    let asked = ["--endpoint", &endpoint, "--model", "geneverse-nano", "--out", "asked.jsonl"];
    succeed(path, &[&prompts[..], &asked].concat());
    let answers = |file: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(path.join(file)).unwrap();
        let of = |line: &str| {
            let line = json(line);
            (line["id"].as_str().unwrap().to_owned(), line["answer"].as_str().unwrap().to_owned())
        };
        text.lines().map(of).collect()
    };
    assert!(answers("local.jsonl").len() > 1);
    assert_eq!(answers("asked.jsonl"), answers("local.jsonl"));

    let (status, gene) = server.ask("GET /genes/GLI1", "");
    assert_eq!((status, json(&gene)["record"]["hgnc_id"].as_str()), (200, Some("HGNC:4317")));
    assert_eq!(server.ask("GET /genes/../../etc/passwd", "").0, 404);
    let body =
        r#"{"messages": [{"role": "user", "content": "What is GLI1?"}], "geneverse": {"check": true}}"#;
    let (status, checked) = server.ask("POST /v1/chat/completions", body);
    let checked = json(&checked);
    assert_eq!((status, &checked["geneverse"]["genes"][0]), (200, &"GLI1".into()));
    assert_eq!(checked["choices"][0]["message"]["content"], checked["geneverse"]["text"]);
    assert_eq!(server.ask("POST /v1/chat/completions", "{").0, 400);
    let (_, metrics) = server.ask("GET /metrics", "");
    assert!(metrics.contains("\ngeneverse_requests_running 0\n"), "{metrics}");
    let log = server.stop();
    assert!(log.contains("\"route\":\"/genes/{symbol}\"") && !log.contains("GLI1"), "{log}");
}

#[test]
fn keys_are_asked_for_and_others_are_served_with_them_only() {
    let folder = tempfile::tempdir().unwrap();
    let nano = nano();
    let error = fail(folder.path(), &["serve", "--model", &nano, "--host", "0.0.0.0", "--port", "0"]);
    assert_eq!(
        error,
        "--host 0.0.0.0: others than this machine are served with keys only; set GENEVERSE_API_KEYS=KEY,KEY"
    );
    let server = Server::start(folder.path(), &[], "one,two");
    assert_eq!(server.ask("GET /healthz", "").0, 200);
    let (status, refused) = server.ask("GET /v1/models", "");
    assert_eq!((status, json(&refused)["error"]["code"].as_str()), (401, Some("missing_api_key")));
    assert_eq!(server.ask("GET /v1/models HTTP/1.1\r\nAuthorization: Bearer two\r\nX:", "").0, 200);
    let log = server.stop();
    assert!(!log.contains("two"), "{log}");
    let twice = ["serve", "--model", &nano, "--adapter", "geneverse-nano=x"];
    assert_eq!(
        fail(folder.path(), &twice),
        "--adapter geneverse-nano: is the name of another already; choose one of its own"
    );
}

#[test]
fn a_person_asks_sees_the_sources_and_keeps_the_talk() {
    let folder = with_dataset();
    let path = folder.path();
    let nano = nano();
    let args = ["chat", "--model", &nano, "--prompt", "plain", "--db", "genes.db", "--max-new-tokens", "30"];
    let mut child = geneverse(path, &args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let typed =
        "/sources\n/gene GLI1\n/sources\n/gene NOSUCH1\n/nonsense\n/save talk.md\n/quit\nnever heard\n";
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let (shown, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(shown.starts_with("\nnothing has been said yet\n"), "{shown}");
    assert!(shown.contains("GLI1: GLI family zinc finger 1\n"), "the record\n{shown}");
    assert!(shown.contains("[of its claims the record supports "), "{shown}");
    assert!(
        shown.contains("no gene of the database goes by \"NOSUCH1\", so the model is not asked"),
        "{shown}"
    );
    assert!(shown.ends_with("talk.md: 1 answers\n"), "{shown}");
    assert!(errors.contains("error: there is no /nonsense; /help lists what there is"), "{errors}");
    let saved = fs::read_to_string(path.join("talk.md")).unwrap();
    assert!(saved.starts_with("## Please summarize the major function of gene: GLI1. "), "{saved}");
}
