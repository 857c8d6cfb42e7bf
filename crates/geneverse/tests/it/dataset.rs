//! `dataset genes` and `dataset inspect` from arguments to files.

use std::fs;

use super::{fail, json, root, succeed, with_dataset};

#[test]
fn a_dataset_says_what_it_is_and_inspect_finds_the_same() {
    let folder = with_dataset();
    let path = folder.path();
    let made = [
        "dataset",
        "genes",
        "--db",
        "genes.db",
        "--out",
        "all",
        "--hold-out",
        "GLI1,CASP10",
        "--validation-size",
        "20",
        "--format",
        "hf,alpaca,messages,sharegpt",
        "--json",
    ];
    let report = json(&succeed(path, &made));
    assert_eq!((report["validation"].as_u64(), report["test"].as_u64()), (Some(20), Some(2)));
    assert_eq!(report["leakage"][0]["near"]["count"], 0);
    let retrieval = report["retrieval"].as_array().unwrap();
    assert_eq!(retrieval.len(), 2);
    for scores in retrieval {
        let rouge = |way: &str| scores[way]["rouge1"].as_f64().unwrap();
        assert!(rouge("best") >= rouge("by_name") && rouge("best") >= rouge("by_question"));
        assert!(rouge("by_question") > 0.1 && rouge("best") < 1.0);
    }
    let card = fs::read_to_string(path.join("all/README.md")).unwrap();
    assert!(card.starts_with("---\n") && card.contains("## What retrieval alone scores"), "{card}");

    let found = json(&succeed(path, &["dataset", "inspect", "all", "--db", "genes.db", "--json"]));
    assert_eq!(found["leakage"], report["leakage"]);
    assert_eq!(found["sets"][0]["description"], report["splits"]["train"]);
    assert_eq!(found["retrieval"][0]["best"]["rouge1"], report["retrieval"][0]["best"]["rouge1"]);

    // The same rows in other forms; the test set within a training set is found.
    let model = root().join("models/geneverse-nano");
    let (messages, chats) = ("all/train.messages.jsonl", "all/test.sharegpt.json");
    let shown = succeed(path, &["dataset", "inspect", messages, chats, "--model", model.to_str().unwrap()]);
    for part in ["words", "tokens", "protein-coding gene", "leakage", "retrieval alone"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let same = json(&succeed(path, &["dataset", "inspect", messages, "all/data/train.jsonl", "--json"]));
    assert_eq!(same["leakage"][0]["same_gene"]["share"], 1.0);
    assert_eq!(same["retrieval"][0]["best"]["rouge1"], 1.0);

    fs::write(path.join("foreign.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"text\": \"c\"}\n")
        .unwrap();
    let error = fail(path, &["dataset", "inspect", "foreign.jsonl"]);
    assert!(error.starts_with("foreign.jsonl:2: found `text` alone"), "{error}");
    let error = fail(path, &["dataset", "inspect", "all", "foreign.jsonl"]);
    assert!(error.starts_with("all: is a folder, expected two files"), "{error}");
}

#[test]
fn other_settings_and_other_files_are_refused() {
    let folder = with_dataset();
    let path = folder.path();
    let genes = |more: &[&str]| {
        fail(path, &[&["dataset", "genes", "--db", "genes.db", "--out", "other"], more].concat())
    };
    assert!(genes(&["--source", "both"]).contains("need --synthetic FILE"));
    assert!(genes(&["--synthetic", "genes.db"]).contains("would not be used"));
    let error = fail(path, &["dataset", "genes", "--db", "genes.db", "--out", "dataset", "--split", "gene"]);
    assert!(error.contains("finished earlier with other inputs"), "{error}");
    let error = fail(path, &["dataset", "inspect", path.to_str().unwrap()]);
    assert!(error.contains("found no dataset in it, expected one of train.json"), "{error}");
}
