//! `experiment`: rows that run, share a run, lack something, fail and go on.

use std::fs;
use std::path::Path;

use super::server::{Answer, Server};
use super::{fail, geneverse, json, root, run, succeed};

const FILE: &str = r#"
title = "A small table"
paper_correlation = { bleu = 0.76 }

[bundled]
prepare = [
    "genes import --records {out}/records.jsonl --out {out}/genes.db",
    "dataset genes --db {out}/genes.db --out {out}/dataset --hold-out GLI1,CASP10 --validation-size 5",
]
db = "{out}/genes.db"
data = "{out}/dataset"
questions = "{out}/dataset/test.json"
recipe = "{recipes}/tiny.toml"
answer = "--prompt plain --max-new-tokens 8"

[[row]]
name = "One-7B"
base = "one-7b"
hub = "someone/one-7b"
gib = 13.5
prompt = "mistral"
stop = [2, 5]
paper = { structural = 0.05 }

[[row]]
name = "Two-7B"
base = "two-7b"

[[row]]
name = "RAG"
base = "one-7b"
answer = "--retrieve baseline"

[[row]]
name = "remote"
endpoint = "http://localhost:9/v1"
model = "gpt"
key = "NO_SUCH_KEY"

[[row]]
name = "database"
grounded = true

[[row]]
name = "broken"
steps = ["evaluate {out}/nothing.jsonl --out {out}/nothing.json"]

[[row]]
name = "clusters"
steps = ["analyze clusters --texts {out}/texts.records.tsv --db {out}/genes.db --labels kind --out {out}/clusters"]
measures = { "Modularity" = "{out}/clusters/metrics.json#/modularity" }
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("recipes/tables");
    fs::create_dir_all(&tables).unwrap();
    fs::write(tables.join("small.toml"), text).unwrap();
    fs::copy(root().join("recipes/tiny.toml"), folder.path().join("recipes/tiny.toml")).unwrap();
    folder
}

fn report(path: &Path) -> serde_json::Value {
    json(&fs::read_to_string(path.join("out/report.json")).unwrap())
}

#[test]
fn rows_are_checked_run_and_told_beside_the_papers_figures() {
    let folder = folder(FILE);
    let path = folder.path();
    let base = ["experiment", "recipes/tables/small.toml", "--out", "out"];
    let full = geneverse(path, &[&base[..], &["--dry-run"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(
        !full.status.success() && said.contains("row \"One-7B\": the file says no questions for this scale"),
        "{said}"
    );

    let bundled = [&base[..], &["--scale", "bundled"]].concat();
    let dry = geneverse(path, &[&bundled[..], &["--dry-run"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(dry.status.success() && said.contains("EVERY BASE MODEL IS THE BUNDLED ONE"), "{said}");
    let told = "stands for someone/one-7b, 13.5 GiB; prompt mistral, an answer ends with 2, 5";
    assert!(said.contains(told), "{said}");
    assert!(said.contains("the run of One-7B") && said.contains("variable NO_SUCH_KEY"), "{said}");
    assert!(!path.join("out").exists(), "nothing was run");
    // What is not asked for is not counted, and who is the first that is asked for does what rows share.
    let only = geneverse(path, &[&bundled[..], &["--dry-run", "--only", "Two"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&only.stderr).into_owned();
    let line = |name: &str| said.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert!(line("One-7B").contains("not asked for") && line("Two-7B").contains("about"), "{said}");
    assert!(line("what is asked for").contains("about"), "{said}");

    let output = geneverse(path, &bundled).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "a row failed: {said}");
    let told = report(path);
    let row = |name: &str| {
        let rows = told["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(row("One-7B")["measured"]["n"], 2);
    assert_eq!(row("Two-7B")["measured"], row("One-7B")["measured"]);
    assert!(row("RAG")["measured"]["lookup"]["found"].is_number());
    assert!(row("database")["measured"]["values"]["factual"].as_f64().unwrap() > 0.4);
    assert!(row("broken")["failure"].as_str().unwrap().contains("nothing.jsonl"));
    assert!(row("clusters")["measured"]["values"]["Modularity"].as_f64().unwrap() > 0.1);
    assert!(row("remote")["measured"].is_null());
    let page = fs::read_to_string(path.join("out/report.html")).unwrap();
    assert!(page.contains("EVERY BASE MODEL HERE IS THE BUNDLED ONE") && page.contains("paper 0.05"));
    assert!(page.contains("geneverse generate --prompts") && !page.contains("<script"));
    assert!(path.join("out/figures/table.svg").exists());

    // Again, nothing is run anew; a server in the place of what has no key is asked.
    let server = Server::new(|_, _| {
        Answer::new(200, r#"{"choices":[{"message":{"content":"GLI1 is a gene."},"finish_reason":"stop"}]}"#)
    });
    let address = server.url("/v1");
    let _ = geneverse(path, &[&bundled[..], &["--only", "remote", "--endpoint", &address]].concat())
        .output()
        .unwrap();
    assert_eq!(server.seen().len(), 2);
    let told = report(path);
    assert_eq!(told["rows"][3]["measured"]["n"], 2);
    assert_eq!(told["rows"][0]["measured"]["n"], 2, "what was run before is told again");
    let error = fail(path, &[&bundled[..], &["--only", "nobody"]].concat());
    assert!(
        error.starts_with("--only nobody: no row of recipes/tables/small.toml has it in its name"),
        "{error}"
    );
}

/// Three rows that share a training, one that comes to the same as another, and one that fails.
const AT_ONCE: &str = r#"
[[row]]
name = "LoRA"
base = "one-7b"
train = true

[[row]]
name = "LoRA of another"
base = "two-7b"
train = true

[[row]]
name = "LoRA, records"
base = "two-7b"
train = true
answer = "--retrieve baseline"
"#;

/// A report without times.
fn timeless(mut report: serde_json::Value) -> serde_json::Value {
    report.as_object_mut().unwrap().remove("seconds");
    for row in report["rows"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("seconds");
    }
    report
}

#[test]
fn rows_at_once_come_to_the_same_report() {
    let folders = [folder(&format!("{FILE}{AT_ONCE}")), folder(&format!("{FILE}{AT_ONCE}"))];
    let base = ["experiment", "recipes/tables/small.toml", "--out", "out", "--scale", "bundled"];
    let said = folders.iter().zip(["1", "3"]).map(|(folder, jobs)| {
        let output = geneverse(folder.path(), &[&base[..], &["--jobs", jobs]].concat()).output().unwrap();
        assert!(!output.status.success(), "a row failed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    let said: Vec<String> = said.collect();
    let [one, three] = folders.each_ref().map(|folder| timeless(report(folder.path())));
    assert_eq!(one, three);
    assert!(one["rows"][7]["measured"]["values"]["validation loss"].is_number(), "{one}");
    let [page, other] =
        folders.each_ref().map(|folder| fs::read_to_string(folder.path().join("out/report.html")).unwrap());
    assert_eq!(page, other);
    let [table, other] =
        folders.each_ref().map(|folder| fs::read(folder.path().join("out/figures/table.svg")).unwrap());
    assert_eq!(table, other);

    // What each row's processes said is named on the way, and kept.
    assert!(said[1].contains("[6/10] broken: failed: evaluate: out/nothing.jsonl"), "{}", said[1]);
    assert!(said[1].contains("[8/10] LoRA: begins"), "{}", said[1]);
    let path = folders[1].path().join("out");
    let log = fs::read_to_string(path.join("logs/06.log")).unwrap();
    assert!(
        log.starts_with("broken\n$ geneverse evaluate out/nothing.jsonl") && log.contains("\nerror: "),
        "{log}"
    );
    assert_eq!(fs::read_dir(path.join("trained")).unwrap().count(), 1, "trained once");
    let error = String::from_utf8(run(&path, &["experiment", "x.toml", "--jobs", "0"]).stderr).unwrap();
    assert!(error.contains("expected a whole number from 1 on"), "{error}");
}

#[cfg(unix)]
#[test]
fn rows_at_once_stop_with_the_program_and_go_on() {
    let folder = folder(&format!("{FILE}{AT_ONCE}").replace("--max-new-tokens 8", "--max-new-tokens 300"));
    let args =
        ["experiment", "recipes/tables/small.toml", "--out", "out", "--scale", "bundled", "--jobs", "2"];
    let child = geneverse(folder.path(), &args)
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let log = folder.path().join("out/logs/01.log");
    let begun = std::time::Instant::now();
    while !log.exists() {
        assert!(begun.elapsed().as_secs() < 120, "nothing was begun");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // To this process alone, not to those that it started.
    // SAFETY: `kill` takes a process and a signal and touches no memory.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped; the same command goes on where it was"), "{said}");
    assert!(!folder.path().join("out/report.json").exists());
    assert!(!said.contains("failed:"), "a row that was stopped has not failed: {said}");
    let _ = geneverse(folder.path(), &args).output().unwrap();
    assert_eq!(report(folder.path())["rows"][8]["measured"]["n"], 2);
}

#[test]
fn table_1_says_of_every_other_base_what_to_download_and_how_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let table = root().join("recipes/tables/table1.toml").display().to_string();
    for scale in ["full", "bundled"] {
        let args = ["experiment", &table, "--scale", scale, "--dry-run", "--out", "out"];
        let output = geneverse(folder.path(), &args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        for told in [
            "stanford-crfm/BioMedLM, 10 GiB; prompt plain, an answer ends with 28895",
            "microsoft/BioGPT-Large, 5.9 GiB; prompt plain, an answer ends with 2",
            "BioMistral/BioMistral-7B, 13.5 GiB; prompt mistral, an answer ends with 2",
            "TencentARC/LLaMA-Pro-8B, 15.6 GiB; prompt alpaca, an answer ends with 2",
            "meta-llama/Meta-Llama-3-8B, 15 GiB; prompt alpaca, an answer ends with 128001",
        ] {
            assert!(said.contains(told), "{scale}: {told} is not in\n{said}");
        }
        let missing =
            "models/BioMistral-7B (13.5 GiB to download from huggingface.co/BioMistral/BioMistral-7B)";
        assert_eq!(said.contains(missing), scale == "full", "{said}");
    }
    // A checkpoint of that name with another end is not asked in its place.
    let other = root().join("crates/geneverse-model/tests/goldens/bases/biogpt");
    let there = folder.path().join("models/BioMedLM");
    fs::create_dir_all(&there).unwrap();
    fs::copy(other.join("config.json"), there.join("config.json")).unwrap();
    let output =
        geneverse(folder.path(), &["experiment", &table, "--dry-run", "--out", "out"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ends answers with 2, and the row's model with 28895"), "{said}");
}

#[test]
fn a_step_that_is_no_command_is_told_before_anything_runs() {
    let folder = folder("title = 'x'\n[[row]]\nname = 'a'\nsteps = ['evaluate --nonsense']\n");
    let error = fail(folder.path(), &["experiment", "recipes/tables/small.toml", "--out", "out"]);
    assert!(
        error.starts_with("row \"a\": evaluate --nonsense: unexpected argument '--nonsense' found"),
        "{error}"
    );
    succeed(folder.path(), &["experiment", "--help"]);
}
