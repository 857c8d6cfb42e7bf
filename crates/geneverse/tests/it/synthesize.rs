//! `dataset synthesize` against a local endpoint that misbehaves, is interrupted, and is killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json as value};

use super::{chat_reply, geneverse, json, root, succeed};

use super::server::{Answer, Server};

const KEY: &str = "sk-not-to-be-seen-anywhere";
const GENES: &str = "CASP10,EGFR,FGF7,GLI1,KDR,PTEN,TP53,VWF,MIR21";

/// The record's paragraph out of the question, with other small words.
fn reworded(paragraph: &str) -> String {
    [
        (" the ", " this "),
        (" of ", " for "),
        (" and ", " as well as "),
        (" in ", " within "),
        (" is ", " was "),
    ]
    .iter()
    .fold(paragraph.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn chat(content: &str) -> Answer {
    chat_reply("small-1", content, [400, 150])
}

/// Answers well or badly by the gene; of the requests only the first `ready` are answered soon.
fn endpoint(ready: &Arc<AtomicUsize>) -> Server {
    let ready = ready.clone();
    Server::new(move |seen, n| {
        if seen.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Answer::new(401, r#"{"error":{"message":"no key"}}"#);
        }
        let body: Value = serde_json::from_str(&seen.text()).unwrap();
        if body.get("seed").is_some() {
            return Answer::new(400, r#"{"error":{"message":"unknown parameter: seed"}}"#);
        }
        let question = body["messages"][1]["content"].as_str().unwrap();
        let symbol = question.lines().next().unwrap().trim_start_matches("Gene symbol: ");
        let paragraph =
            reworded(question.split("Paragraph:\n").nth(1).unwrap().split("\n\n").next().unwrap());
        let answer = match symbol {
            "EGFR" => chat("I'm sorry, but I cannot rewrite this text."),
            "FGF7" => chat(
                "FGF10 encodes a growth factor of the fibroblasts, which the embryo needs for its limbs and lungs.",
            ),
            "KDR" => chat(&format!("{paragraph} KDR is a transcribed pseudogene.")),
            "PTEN" => chat(&format!("{paragraph} It is listed as HGNC:99999.")),
            _ => chat(&paragraph),
        };
        let soon = n < ready.load(Ordering::SeqCst);
        if soon { answer } else { answer.delay(Duration::from_secs(120)) }
    })
}

/// All that lies in a folder, as one text.
fn everything(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => everything(&path),
        false => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
    };
    entries.map(text).collect()
}

#[cfg(unix)]
#[test]
fn synthesis_survives_its_endpoint_an_interrupt_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let records = root().join("data/genes.jsonl");
    succeed(path, &["genes", "import", "--records", records.to_str().unwrap(), "--out", "genes.db"]);
    let ready = Arc::new(AtomicUsize::new(0));
    let server = endpoint(&ready);
    let address = server.url("/v1");
    let command =
        ["dataset", "synthesize", "--endpoint", &address, "--model", "small", "--out", "synthetic.jsonl"];
    let options = ["--symbols", GENES, "--concurrency", "2", "--api-key-env", "LAB_KEY", "--json"];
    let args = [&command[..], &options].concat();

    let dry = geneverse(path, &[&args[..], &["--dry-run"]].concat()).output().unwrap();
    let dry = json(&String::from_utf8(dry.stdout).unwrap());
    assert_eq!((dry["estimate"]["genes"].as_u64(), dry["estimate"]["requests"].as_u64()), (Some(8), Some(8)));
    assert!(dry["sample"]["messages"][1].to_string().contains("CASP10"));
    assert_eq!(server.seen().len(), 0);

    let with_key = || {
        let mut command = geneverse(path, &args);
        command.env("LAB_KEY", KEY).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    // One request is lost on `seed`, which this server does not know: three more are three answers.
    ready.store(4, Ordering::SeqCst);
    let mut child = with_key().spawn().unwrap();
    wait_for_answers(path, 3, &mut child);
    // SAFETY: the process is a child of this one that has not been waited for, so the id is its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("stopped: 3 of 8 genes are done") && said.contains("the same command goes on"),
        "{said}"
    );
    assert!(!path.join("synthetic.jsonl").exists());

    // Two more answers, and a kill that leaves half a line.
    ready.store(server.seen().len() + 3, Ordering::SeqCst);
    let mut child = with_key().spawn().unwrap();
    wait_for_answers(path, 5, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let cache = fs::read_dir(path.join("synthesize-cache")).unwrap().next().unwrap().unwrap().path();
    let torn = [fs::read(&cache).unwrap(), b"{\"key\":\"12".to_vec()].concat();
    fs::write(&cache, torn).unwrap();

    ready.store(usize::MAX, Ordering::SeqCst);
    let before = server.seen().len();
    let output = with_key().output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let report = json(&printed);
    assert_eq!((report["cached"].as_u64(), report["asked"].as_u64()), (Some(5), Some(3)));
    // Three answers and one request lost on `seed`; what the killed program sent last may be seen late.
    let requests = server.seen().len() - before;
    assert!((4..=6).contains(&requests), "{requests}");
    assert_eq!(report["accepted"], 4, "{report}");
    let expected = value!({"refusal": 1, "other_gene": 1, "other_kind": 1, "identifiers": 1});
    assert_eq!(
        report["rejected"],
        expected,
        "{}",
        fs::read_to_string(path.join("synthetic.jsonl.rejected.jsonl")).unwrap()
    );
    assert_eq!(report["not_asked"].as_object().unwrap().len(), 1, "MIR21");
    let texts = fs::read_to_string(path.join("synthetic.jsonl")).unwrap();
    let symbols: Vec<String> =
        texts.lines().map(|line| json(line)["symbol"].as_str().unwrap().to_owned()).collect();
    assert_eq!(symbols, ["CASP10", "GLI1", "TP53", "VWF"]);

    // Nothing is left to do, and nothing shows the key.
    let before = server.seen().len();
    let again = geneverse(path, &args).output().unwrap();
    assert_eq!(json(&String::from_utf8(again.stdout).unwrap())["accepted"], 4);
    assert_eq!(server.seen().len(), before);
    for text in [said, errors, printed, everything(path)] {
        assert!(!text.contains(KEY), "the key is shown");
    }
}

/// Waits until so many answers are in the cache.
fn wait_for_answers(folder: &Path, count: usize, child: &mut Child) {
    let kept = || -> usize {
        let entries = fs::read_dir(folder.join("synthesize-cache")).into_iter().flatten().flatten();
        entries.map(|e| fs::read_to_string(e.path()).unwrap_or_default().lines().count()).sum()
    };
    while kept() < count {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it had {count} answers");
        std::thread::sleep(Duration::from_millis(10));
    }
}
