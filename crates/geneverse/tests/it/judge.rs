//! `judge` against a local endpoint that wraps its replies, breaks off, is down for a while, and never sees a question twice.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json as value;

use super::server::{Answer, Server};
use super::{chat_reply, geneverse, json, run, succeed};

const KEY: &str = "sk-judge-not-to-be-seen";

/// Six answers of the marker task: four right, two wrong.
fn answers() -> String {
    let line = |n: usize, text: &str| {
        let line = value!({
            "id": format!("m{n}"), "task": "marker", "subject": "KDR", "cell_type": "Endothelial", "label": "yes",
            "prompt": "Is gene KDR a marker gene of cell type Endothelial?", "answer": text,
            "reference": "Yes, gene KDR is a marker gene of cell type Endothelial.", "model": "m",
        });
        format!("{line}\n")
    };
    let right = "Yes, gene KDR is a marker gene of cell type Endothelial.";
    let wrong = "No, gene KDR is not a marker gene of cell type Endothelial.";
    [right, right, right, "Yes.", wrong, wrong].iter().enumerate().map(|(n, text)| line(n, text)).collect()
}

fn chat(content: &str) -> Answer {
    chat_reply("judge-1", content, [500, 30])
}

#[test]
fn replies_are_kept_counted_and_compared_with_the_grades() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("answers.jsonl"), answers()).unwrap();
    succeed(path, &["evaluate", "answers.jsonl", "--out", "scores.json"]);
    let scores = json(&fs::read_to_string(path.join("scores.json")).unwrap());
    assert_eq!((scores["task"].as_str(), scores["factual"].as_f64()), (Some("marker"), Some(4.0 / 6.0)));

    // It refuses the second question until it is told to take all: what came before is kept.
    let open = Arc::new(AtomicBool::new(false));
    let ready = open.clone();
    let server = Server::new(move |seen, _| {
        if seen.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Answer::new(401, r#"{"error":{"message":"no key"}}"#);
        }
        let body = json(&seen.text());
        let question = body["messages"][1]["content"].as_str().unwrap();
        let graded = question.split("<answer>\n").nth(1).unwrap();
        if graded.starts_with("Yes.") && !ready.load(Ordering::SeqCst) {
            return Answer::new(422, r#"{"error":{"message":"not now"}}"#);
        }
        match graded {
            text if text.starts_with("Yes,") => {
                chat("```json\n{\"truth\": 1, \"form\": 1, \"reason\": \"says yes\"}\n```")
            }
            text if text.starts_with("Yes.") => chat("I would rather not grade this."),
            _ => chat("<think>no</think>{\"truth\": 0, \"form\": 0, \"reason\": \"says no\"}"),
        }
    });
    let address = server.url("/v1");
    let args = [
        "judge",
        "answers.jsonl",
        "--endpoint",
        &address,
        "--model",
        "judge",
        "--scores",
        "scores.json",
        "--out",
        "judged.json",
        "--api-key-env",
        "LAB_KEY",
        "--json",
    ];
    let judge = || geneverse(path, &args).env("LAB_KEY", KEY).output().unwrap();
    let first = judge();
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(!first.status.success() && said.contains("1 of 6 questions got no reply"), "{said}");
    assert!(!path.join("judged.json").exists());
    let asked = server.seen().len();

    open.store(true, Ordering::SeqCst);
    let second = judge();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(server.seen().len(), asked + 1, "only what had no reply is asked again");
    let judged = json(&String::from_utf8(second.stdout).unwrap());
    assert_eq!((judged["judged"].as_u64(), judged["malformed"].as_u64()), (Some(5), Some(1)));
    assert_eq!((judged["truth"].as_f64(), judged["form"].as_f64()), (Some(0.6), Some(0.6)));
    let truth = value!({"both": 3, "judge_only": 0, "grader_only": 0, "neither": 2, "kappa": 1.0});
    assert_eq!(judged["truth_agreement"], truth);
    // The grader gives all five their form, so there is nothing to agree on beyond chance.
    let form = &judged["form_agreement"];
    assert_eq!((form["both"].as_u64(), form["grader_only"].as_u64()), (Some(3), Some(2)));
    assert_eq!(form["kappa"].as_f64(), Some(0.0));
    assert!(judged["items"][3]["fault"].as_str().unwrap().contains("found no JSON with grades"));

    // Done is done, and the key is nowhere.
    let third = judge();
    assert_eq!(server.seen().len(), asked + 1);
    assert_eq!(json(&String::from_utf8(third.stdout).unwrap()), judged);
    let files =
        ["judged.json", "judged.json.manifest.json"].map(|name| fs::read_to_string(path.join(name)).unwrap());
    assert!(!files.concat().contains(KEY) && !said.contains(KEY));
    let rubric = succeed(path, &["judge", "--rubric"]);
    assert!(rubric.contains("0 if it says the other, both, neither, or leaves it open"));
    let missing = run(path, &["judge", "answers.jsonl"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("--endpoint"));
}
