//! `evaluate` with its intervals, and `analyze compare` of what it writes.

use std::fmt::Write;
use std::path::Path;

use super::{fail, json, run, succeed};

const REFERENCE: &str = "The official symbol of this gene is GLI1 and its full name is GLI family zinc finger 1, provided \
    by HGNC. It is activated by sonic hedgehog signaling and regulates stem cell proliferation in embryonic tissues.";

/// Answers to `n` questions; those below `right` are the reference, the others another gene's text.
fn answers(folder: &Path, name: &str, n: usize, right: usize) {
    let mut lines = String::new();
    for id in 0..n {
        let answer = if id < right { REFERENCE } else { "It is a kinase of the liver that binds insulin." };
        let line = serde_json::json!({"id": format!("q{id}"), "task": "gene", "subject": "GLI1", "prompt": "p",
            "answer": answer, "reference": REFERENCE, "model": name});
        writeln!(lines, "{line}").unwrap();
    }
    std::fs::write(folder.join(format!("{name}.jsonl")), lines).unwrap();
    let (answers, scores) = (format!("{name}.jsonl"), format!("{name}.json"));
    succeed(folder, &["evaluate", &answers, "--out", &scores]);
}

#[test]
fn runs_are_compared_on_the_same_items() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, n, right) in [("base", 10, 1), ("tuned", 10, 9), ("other", 10, 5), ("fewer", 8, 8)] {
        answers(path, name, n, right);
    }
    let shown = succeed(path, &["evaluate", "base.jsonl", "--out", "base.json"]);
    assert!(shown.contains("factual     0.100 [0.000, 0.300]"), "{shown}");
    assert!(shown.contains("ROUGE-L     "), "{shown}");
    let scores = json(&std::fs::read_to_string(path.join("base.json")).unwrap());
    let keys: Vec<&str> = scores.as_object().unwrap().keys().map(String::as_str).collect();
    let first = ["task", "n", "factual", "structural", "average", "bleu", "rouge1", "items"];
    assert_eq!(keys[..8], first);
    assert_eq!(scores["intervals"]["factual"], serde_json::json!([0.0, 0.3]));

    let args = [
        "analyze",
        "compare",
        "base.json",
        "tuned.json",
        "--samples",
        "2000",
        "--out",
        "compare.json",
        "--json",
    ];
    let found = json(&succeed(path, &args));
    assert_eq!((&found["items"], &found["exact"]), (&10.into(), &true.into()));
    // Eight answers became right and none wrong: 2 of 2^8 swaps.
    assert_eq!(found["runs"][1]["scores"]["factual"]["difference"]["p"], 2.0 / 256.0);
    assert_eq!(found["runs"][0]["scores"]["bleu"]["value"], scores["bleu"]);
    assert_eq!(json(&succeed(path, &args)), found, "a finished comparison is read back");
    assert!(path.join("compare.json.manifest.json").exists());
    let another = ["analyze", "compare", "tuned.json", "base.json", "--out", "compare.json"];
    assert!(fail(path, &another).contains("finished earlier with other inputs"));

    let three =
        succeed(path, &["analyze", "compare", "base.json", "tuned.json", "other.json", "--samples", "200"]);
    assert!(
        three.contains("correlation with the average over 3 runs") && three.contains("p by paired"),
        "{three}"
    );
    assert!(three.contains("correlation with the average over the items of other.json"), "{three}");

    let error = fail(path, &["analyze", "compare", "base.json", "fewer.json"]);
    assert!(
        error.contains("fewer.json: found 8 items, expected the 10 of base.json, lacks 2: q8, q9"),
        "{error}"
    );
    let shared = [
        "analyze",
        "compare",
        "base.json",
        "fewer.json",
        "--shared",
        "--test",
        "bootstrap",
        "--samples",
        "200",
    ];
    let shown = succeed(path, &shared);
    assert!(shown.starts_with("8 items (2 left out)") && shown.contains("p by paired bootstrap"), "{shown}");
}

#[test]
fn what_compare_cannot_read_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    answers(path, "base", 3, 1);
    std::fs::write(path.join("list.json"), "[1, 2]").unwrap();
    let error = fail(path, &["analyze", "compare", "base.json", "list.json"]);
    assert!(error.starts_with("list.json: not the JSON expected"), "{error}");
    assert!(
        fail(path, &["analyze", "compare", "base.json", "absent.json"]).contains("absent.json: cannot open")
    );
    let one = run(path, &["analyze", "compare", "base.json"]);
    assert!(!one.status.success() && String::from_utf8_lossy(&one.stderr).contains("SCORES"));
    assert!(!run(path, &["analyze", "compare", "base.json", "base.json", "--samples", "1"]).status.success());
    let help = succeed(path, &["analyze", "compare", "--help"]);
    assert!(help.contains("Example") && help.contains("randomization"), "{help}");
}
