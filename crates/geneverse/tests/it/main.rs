//! The program as a user meets it: arguments in; files, output and exit status out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod analyze;
mod analyze_clusters;
mod analyze_embed;
mod answers;
mod assistant;
mod bad_input;
mod bases;
mod compare;
mod dataset;
mod experiment;
mod fetch;
mod gguf;
mod inspect;
mod judge;
mod pictures;
mod pipeline;
mod real_files;
mod render;
mod render_spatial;
#[path = "../../../geneverse-data/tests/support/server.rs"]
mod server;
mod synthesize;
mod training;
mod vision;
mod vision_models;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The project's root.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The program, to be run in `folder`.
fn geneverse(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_geneverse"));
    command.current_dir(folder).args(args);
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    geneverse(folder, args).output().unwrap()
}

/// Standard output of a run that must succeed.
fn succeed(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "geneverse {args:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one error of a run that must fail: the last line of standard error, after "error: ".
fn fail(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert!(!output.status.success(), "geneverse {args:?} succeeded");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!errors.contains("panicked"), "{errors}");
    let found: Vec<&str> = errors.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!(found.len(), 1, "expected one error in:\n{errors}");
    found[0].to_owned()
}

/// What an endpoint's model says, and the tokens of question and answer.
fn chat_reply(model: &str, content: &str, [asked, answered]: [u64; 2]) -> server::Answer {
    let body = serde_json::json!({
        "model": model,
        "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": answered},
    });
    server::Answer::new(200, body.to_string())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A folder with the bundled records imported and made into a dataset.
fn with_dataset() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let records = root().join("data/genes.jsonl");
    succeed(folder.path(), &["genes", "import", "--records", records.to_str().unwrap(), "--out", "genes.db"]);
    let split = ["--hold-out", "GLI1,CASP10", "--validation-size", "10"];
    let dataset = ["dataset", "genes", "--db", "genes.db", "--out", "dataset"];
    succeed(folder.path(), &[&dataset[..], &split].concat());
    folder
}

/// `train` with the tiny recipe on that dataset and the bundled base model.
fn train_args<'a>(base: &'a str, recipe: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", recipe, "--set", base][..], more].concat()
}
