//! `generate` and `benchmark` by other than a model on this machine: an endpoint that fails, stalls, limits rates and answers
//! garbage; records looked up; functions called; the database alone.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json as value};

use super::server::{Answer, Seen, Server};
use super::{chat_reply, fail, geneverse, json, root, run, succeed};

const KEY: &str = "sk-answers-not-to-be-seen";

fn chat(content: &str) -> Answer {
    chat_reply("m-1", content, [100, 20])
}

/// The last message's words.
fn asked(seen: &Seen) -> String {
    let body = json(&seen.text());
    let content = &body["messages"].as_array().unwrap().last().unwrap()["content"];
    match content {
        Value::String(text) => text.clone(),
        parts => parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect(),
    }
}

/// Questions about genes.
fn questions(folder: &Path, symbols: &[&str]) {
    let question = |symbol: &&str| {
        value!({
            "id": format!("gene-{symbol}"), "task": "gene", "subject": symbol,
            "instruction": format!("Please summarize the major function of gene: {symbol}."), "input": "",
            "output": format!("{symbol} does something."),
        })
    };
    let all: Vec<Value> = symbols.iter().map(question).collect();
    fs::write(folder.join("questions.json"), Value::from(all).to_string()).unwrap();
}

/// `generate` of those questions by an endpoint.
fn asking<'a>(address: &'a str, model: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args =
        ["generate", "--endpoint", address, "--model", model, "--prompts", "questions.json", "--out", out];
    [&args[..], more].concat()
}

fn database(folder: &Path) {
    let records = root().join("data/genes.jsonl");
    succeed(folder, &["genes", "import", "--records", records.to_str().unwrap(), "--out", "genes.db"]);
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(json).collect()
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

#[test]
fn an_endpoint_that_fails_stalls_limits_and_babbles_costs_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    questions(path, &["A1", "LIMITED", "FAILS", "STALLS", "GARBAGE", "B2"]);
    let (limited, failed, well) =
        (AtomicUsize::new(0), AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let healed = well.clone();
    let server = Server::new(move |seen, _| {
        if seen.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Answer::new(401, r#"{"error":{"message":"no key"}}"#);
        }
        let question = asked(seen);
        let is = |symbol: &str| question.contains(symbol);
        if is("LIMITED") && limited.fetch_add(1, Ordering::SeqCst) == 0 {
            return Answer::new(429, r#"{"error":{"message":"slow down"}}"#).header("Retry-After", "1");
        }
        if is("FAILS") && failed.fetch_add(1, Ordering::SeqCst) < 2 {
            return Answer::new(500, "oops");
        }
        if is("STALLS") && !healed.load(Ordering::SeqCst) {
            return chat("too late").delay(Duration::from_secs(30));
        }
        if is("GARBAGE") && !healed.load(Ordering::SeqCst) {
            return Answer::new(200, "<html>not what was asked</html>");
        }
        chat(&format!(
            "<think>hm</think>It is {}.",
            question.rsplit(' ').next().unwrap().trim_end_matches('.')
        ))
    });
    let address = server.url("/v1");
    let args =
        asking(&address, "big", "answers.jsonl", &["--api-key-env", "LAB_KEY", "--timeout", "1", "--json"]);
    let ask =
        |more: &[&str]| geneverse(path, &[&args[..], more].concat()).env("LAB_KEY", KEY).output().unwrap();
    let first = ask(&[]);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(!first.status.success(), "{said}");
    assert!(said.contains("2 of 6 questions got no answer (listed in answers.jsonl.failed.jsonl)"), "{said}");
    assert!(said.contains("the same command asks these again"), "{said}");
    assert!(!path.join("answers.jsonl").exists(), "it is not finished");
    let mut failed: Vec<String> = lines(&path.join("answers.jsonl.failed.jsonl"))
        .iter()
        .map(|line| format!("{}: {}", line["id"].as_str().unwrap(), line["failure"].as_str().unwrap()))
        .collect();
    failed.sort();
    assert!(failed[0].starts_with("gene-GARBAGE: ") && failed[1].starts_with("gene-STALLS: "), "{failed:?}");

    // Only those are asked again.
    well.store(true, Ordering::SeqCst);
    let before = server.seen().len();
    let second = ask(&[]);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(server.seen().len() - before, 2);
    assert!(!path.join("answers.jsonl.failed.jsonl").exists());
    let answers = lines(&path.join("answers.jsonl"));
    let texts: Vec<&str> = answers.iter().map(|line| line["answer"].as_str().unwrap()).collect();
    assert_eq!(
        texts,
        ["It is A1.", "It is LIMITED.", "It is FAILS.", "It is STALLS.", "It is GARBAGE.", "It is B2."]
    );
    assert_eq!(answers[0]["model"], "big");
    let printed = String::from_utf8_lossy(&second.stdout).into_owned();
    for text in [said, printed, everything(path)] {
        assert!(!text.contains(KEY), "the key is shown");
    }
    // Done is done.
    let before = server.seen().len();
    assert!(ask(&[]).status.success());
    assert_eq!(server.seen().len(), before);
}

#[test]
fn what_is_not_answered_can_be_left_out_and_a_wrong_key_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    questions(path, &["REFUSED", "A1"]);
    let server = Server::new(|seen, _| {
        if seen.header("authorization").is_some() {
            return Answer::new(401, r#"{"error":{"message":"wrong key"}}"#);
        }
        match asked(seen).contains("REFUSED") {
            true => Answer::new(400, r#"{"error":{"message":"filtered","code":"content_filter"}}"#),
            false => chat("It is A1."),
        }
    });
    let address = server.url("/v1");
    let args = asking(&address, "m", "a.jsonl", &[]);
    let wrong = geneverse(path, &args).env("OPENAI_API_KEY", KEY).output().unwrap();
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        said.contains("wrong key (401); is the key in OPENAI_API_KEY the right one?") && !said.contains(KEY),
        "{said}"
    );
    // The first question is refused, and the second is asked all the same.
    let skipping = [&args[..], &["--skip-failed", "--json"]].concat();
    let output = geneverse(path, &skipping).env_remove("OPENAI_API_KEY").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((report["answers"].as_u64(), report["failed"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn pictures_and_records_go_with_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    database(path);
    fs::copy(root().join("docs/tissue.png"), path.join("p.png")).unwrap();
    let question = value!([{
        "id": "q", "task": "gene", "subject": "KDR", "instruction": "<image>\nIs VEGFR2 here?", "input": "",
        "output": "Yes.", "image": "p.png",
    }]);
    fs::write(path.join("questions.json"), question.to_string()).unwrap();
    let server = Server::new(|_, _| chat("Yes."));
    let address = server.url("/v1");
    let args = ["generate", "--endpoint", &address, "--model", "m", "--prompts", "questions.json"];
    let with = ["--retrieve", "symbol", "--db", "genes.db", "--top-k", "2", "--out", "a.jsonl"];
    succeed(path, &[&args[..], &with].concat());
    let body = json(&server.seen().last().unwrap().text());
    let content = body["messages"][0]["content"].as_array().unwrap();
    assert_eq!(content[0]["type"], "image_url");
    assert!(content[0]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,iVBOR"));
    let text = content[1]["text"].as_str().unwrap();
    let begins = "Is VEGFR2 here?\n\nGene: KDR\nFull name: kinase insert domain receptor\n";
    assert!(text.starts_with(begins), "{text}");
    let trace = &lines(&path.join("a.jsonl.trace.jsonl"))[0];
    assert_eq!(
        (trace["sources"][0]["symbol"].as_str(), trace["sources"][0]["named"].as_bool()),
        (Some("KDR"), Some(true))
    );
    assert_eq!(trace["sources"].as_array().unwrap().len(), 2);

    let with = ["--retrieve", "baseline", "--db", "genes.db", "--out", "b.jsonl"];
    succeed(path, &[&args[..], &with].concat());
    assert!(
        asked(server.seen().last().unwrap())
            .starts_with("Context information is below.\n---------------------\n")
    );
}

#[test]
fn a_model_calls_functions_that_the_database_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    database(path);
    let benchmark = value!({"Gene alias": {"What is the official gene symbol of GLI?": "GLI1"}, "Gene SNP association":
        {"Which gene is SNP rs1 associated with?": "KDR"}});
    fs::write(path.join("q.json"), benchmark.to_string()).unwrap();
    let server = Server::new(|seen, _| {
        let text = asked(seen);
        let (talk, url) =
            (text.rsplit("Question: ").next().unwrap(), "https://eutils.ncbi.nlm.nih.gov/entrez/eutils");
        chat(&match (talk.contains("rs1"), talk.matches("]->[").count()) {
            (true, _) => format!("[{url}/esummary.fcgi?db=snp&id=1]"),
            (false, 0) => format!("[{url}/esearch.fcgi?db=gene&term=GLI]"),
            (false, 1) => format!("[{url}/esummary.fcgi?db=gene&id=2735]"),
            _ if talk.contains("Official Symbol: GLI1 and Name") => "Answer: GLI1".to_owned(),
            _ => "Answer: no idea".to_owned(),
        })
    });
    let address = server.url("/v1");
    let args = ["benchmark", "q.json", "--tools", "--db", "genes.db", "--endpoint", &address, "--model", "m"];
    let more = ["--max-calls", "3", "--skip-failed", "--out", "tools", "--json"];
    let scores = json(&succeed(path, &[&args[..], &more].concat()));
    assert_eq!(
        (scores["modules"][0]["score"].as_f64(), scores["published"].as_f64()),
        (Some(1.0), Some(0.5))
    );
    assert_eq!(scores["modules"][1]["failures"]["no answer after 3 calls"], 1);
    let trace = &lines(&path.join("tools/answers.jsonl.trace.jsonl"))[0];
    assert_eq!(trace["calls"].as_array().unwrap().len(), 2);
    assert!(trace["calls"][1]["result"].as_str().unwrap().contains("Chromosome: 12; Location: 12q13.3"));
}

#[test]
fn the_database_answers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    database(path);
    questions(path, &["GLI1", "NOT1SUCH"]);
    let args = ["generate", "--grounded", "--db", "genes.db", "--prompts", "questions.json", "--skip-failed"];
    succeed(path, &[&args[..], &["--out", "a.jsonl"]].concat());
    let answers = lines(&path.join("a.jsonl"));
    assert_eq!(answers.len(), 1);
    assert!(answers[0]["answer"].as_str().unwrap().contains("GLI family zinc finger 1"));
    let failed = lines(&path.join("a.jsonl.failed.jsonl"));
    assert_eq!(failed[0]["failure"], "the question names no gene of the database");
    let error =
        fail(path, &["generate", "--prompts", "questions.json", "--model", "nowhere", "--out", "b.jsonl"]);
    assert!(error.contains("nowhere: no such folder"), "{error}");
    let missing = run(path, &["generate", "--prompts", "questions.json"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--model"));
    let without = run(path, &["generate", "--prompts", "questions.json", "--grounded"]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("--db"));
}

/// GeneTuring and GeneHop by the public records; where those are at hand.
#[test]
fn geneturing_by_real_records() {
    let shared = root().join("../shared/data");
    if !shared.join("questions/geneturing.json").exists() {
        println!("skipped: ../shared/data is not there");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let file = |name: &str| shared.join(name).display().to_string();
    let (hgnc, info, summaries) = (
        file("genes/hgnc_complete_set.txt.gz"),
        file("genes/Homo_sapiens.gene_info.gz"),
        file("genes/refseq_summaries.tsv.gz"),
    );
    succeed(
        path,
        &[
            "genes",
            "import",
            "--hgnc",
            &hgnc,
            "--gene-info",
            &info,
            "--summaries",
            &summaries,
            "--out",
            "genes.db",
        ],
    );
    let args = |name: &str| file(&format!("questions/{name}.json"));
    for (name, least) in [("geneturing", 0.42), ("genehop", 0.0)] {
        let out = format!("{name}-out");
        let scores = json(&succeed(
            path,
            &["benchmark", &args(name), "--grounded", "--db", "genes.db", "--out", &out, "--json"],
        ));
        for module in scores["modules"].as_array().unwrap() {
            println!(
                "{} {} of {} answered, score {}",
                module["module"], module["answered"], module["questions"], module["score"]
            );
            assert_eq!(module["questions"], 50);
        }
        println!("{name}: published {} attempted {}", scores["published"], scores["attempted"]);
        let of = |name: &str| {
            let modules = scores["modules"].as_array().unwrap();
            modules.iter().find(|m| m["module"] == name).map_or(0.0, |m| m["score"].as_f64().unwrap())
        };
        assert!(scores["published"].as_f64().unwrap() > least, "{scores}");
        if name == "geneturing" {
            for (module, least) in [
                ("Gene alias", 0.7),
                ("Gene name conversion", 0.85),
                ("Gene location", 0.6),
                ("Protein-coding genes", 0.85),
            ] {
                assert!(of(module) >= least, "{module}: {}", of(module));
            }
        }
    }
}
