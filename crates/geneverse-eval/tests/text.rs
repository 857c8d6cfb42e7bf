//! BLEU and ROUGE-1 against sacrebleu, rouge-score and ROUGE-1.5.5.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "tests")]

use std::path::Path;

use geneverse_eval::text::{corpus_bleu, rouge1, sentence_bleu};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[track_caller]
fn check(found: f64, value: &Value, key: &str, name: &str) {
    let wanted = value[key].as_f64().unwrap();
    assert!((found - wanted).abs() < TOLERANCE, "{name}: {key} is {found}, expected {wanted}");
}

#[test]
fn bleu_and_rouge_equal_their_references() {
    let golden: Value = serde_json::from_str(include_str!("goldens/text_goldens.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        let (name, answer, reference) = (text(case, "name"), text(case, "answer"), text(case, "reference"));
        check(corpus_bleu([(answer, reference)]), case, "corpus_bleu", name);
        check(sentence_bleu(answer, reference), case, "sentence_bleu", name);
        check(rouge1(answer, reference), case, "rouge1", name);
    }
    for corpus in golden["corpora"].as_array().unwrap() {
        let names = corpus["names"].as_array().unwrap();
        let pairs = names.iter().map(|name| {
            let case = cases.iter().find(|case| &case["name"] == name).unwrap();
            (text(case, "answer"), text(case, "reference"))
        });
        check(corpus_bleu(pairs), corpus, "corpus_bleu", "corpus");
    }
}

/// Google's own test values, computed with ROUGE-1.5.5 (five decimals).
#[test]
fn rouge1_equals_rouge_1_5_5() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/metrics/rouge");
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else {
        println!("skipped: {} is absent", folder.display());
        return;
    };
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let lines = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (targets, predictions) = (lines("target.txt"), lines("prediction.txt"));
    let mut checked = 0;
    for row in expected["per_line"].as_array().unwrap() {
        if row["type"] == "rouge1" && row["stemmer"] == false {
            let line = row["line"].as_u64().unwrap() as usize;
            let found = rouge1(predictions.lines().nth(line).unwrap(), targets.lines().nth(line).unwrap());
            assert!((found - row["fmeasure"].as_f64().unwrap()).abs() < 1e-5, "line {line}: {found}");
            checked += 1;
        }
    }
    for row in expected["inline"].as_array().unwrap() {
        if row["type"] == "rouge1" || row["type"] == "any" {
            let found = rouge1(text(row, "prediction"), text(row, "target"));
            assert!((found - row["fmeasure"].as_f64().unwrap()).abs() < 1e-9, "{row}: {found}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}
