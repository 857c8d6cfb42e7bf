//! BLEU and ROUGE against sacrebleu, rouge-score and ROUGE-1.5.5.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::expect_used, reason = "tests")]

use std::path::Path;

use geneverse_eval::text::{
    Bleu, BleuCounts, BleuScore, Rouge, RougeScore, Smoothing, Tokenizer, corpus_bleu, rouge1, sentence_bleu,
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("goldens/text_goldens.json")).unwrap()
}

/// Answers, each with its references.
fn texts(golden: &Value) -> Vec<(&str, Vec<&str>)> {
    let references =
        list(&golden["references"]).iter().map(|of| list(of).iter().map(|r| r.as_str().unwrap()));
    list(&golden["answers"]).iter().zip(references).map(|(a, r)| (a.as_str().unwrap(), r.collect())).collect()
}

#[track_caller]
fn near(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    assert!((found - wanted).abs() < TOLERANCE, "{what} is {found}, expected {wanted}");
}

/// sacrebleu's arguments as ours.
fn bleu_of(configuration: &Value) -> Bleu {
    let value = configuration["smooth_value"].as_f64();
    let flag = |key: &str| configuration[key].as_bool().unwrap_or(false);
    Bleu {
        tokenizer: match configuration["tokenize"].as_str().unwrap_or("13a") {
            "13a" => Tokenizer::Mteval13a,
            "intl" => Tokenizer::International,
            "char" => Tokenizer::Character,
            other => {
                assert_eq!(other, "none");
                Tokenizer::Blank
            }
        },
        smoothing: match configuration["smooth_method"].as_str().unwrap_or("exp") {
            "none" => Smoothing::None,
            "floor" => Smoothing::Floor(value.unwrap_or(0.1)),
            "add-k" => Smoothing::AddK(value.unwrap_or(1.0)),
            other => {
                assert_eq!(other, "exp");
                Smoothing::Exponential
            }
        },
        lowercase: flag("lowercase"),
        effective_order: flag("effective_order"),
        max_order: configuration["max_ngram_order"].as_u64().map_or(4, |n| n as usize),
    }
}

fn check_bleu(counts: &BleuCounts, found: &BleuScore, wanted: &Value, what: &str) {
    near(found.score, &wanted["score"], what);
    near(found.brevity_penalty, &wanted["bp"], what);
    for (found, wanted) in found.precisions.iter().zip(list(&wanted["precisions"])) {
        near(*found, wanted, what);
    }
    let lengths = [counts.answer_tokens, counts.reference_tokens].map(Value::from);
    assert_eq!(lengths[..], *list(&wanted["lengths"]), "{what}");
}

#[test]
fn bleu_equals_sacrebleu_in_every_configuration() {
    let golden = golden();
    let texts = texts(&golden);
    assert_eq!(list(&golden["bleu"]).len(), 27);
    for case in list(&golden["bleu"]) {
        let bleu = bleu_of(&case["configuration"]);
        let (mut single, mut several) = (BleuCounts::default(), BleuCounts::default());
        for (place, (answer, references)) in texts.iter().enumerate() {
            let what = format!("{}, {}", case["configuration"], golden["names"][place]);
            let (one, all) = (bleu.count(answer, &references[..1]), bleu.count(answer, references));
            near(bleu.score(&one).score, &case["sentences"][place], &what);
            near(bleu.score(&all).score, &case["sentences_with_several"][place], &what);
            single.add(&one);
            several.add(&all);
        }
        let what = case["configuration"].to_string();
        check_bleu(&single, &bleu.score(&single), &case["single"], &what);
        check_bleu(&several, &bleu.score(&several), &case["several"], &what);
        assert_eq!(bleu.signature(Some(1)), text(&case["single"], "signature"));
        assert_eq!(bleu.signature(None), text(&case["several"], "signature"));
    }
}

#[test]
fn the_usual_bleu_is_sacrebleus_default() {
    let golden = golden();
    let case_of = |wanted: &str| {
        let cases = list(&golden["bleu"]);
        cases.iter().find(|case| case["single"]["signature"] == wanted).expect(wanted)
    };
    let texts = texts(&golden);
    let pairs = texts.iter().map(|(answer, references)| (*answer, references[0]));
    let corpus = case_of("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp");
    near(corpus_bleu(pairs.clone()), &corpus["single"]["score"], "corpus BLEU");
    let sentence = case_of("nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp");
    for ((answer, reference), wanted) in pairs.zip(list(&sentence["sentences"])) {
        near(sentence_bleu(answer, reference), wanted, answer);
    }
}

#[track_caller]
fn check_rouge(found: RougeScore, wanted: &Value, what: &str) {
    near(found.precision, &wanted[0], &format!("precision of {what}"));
    near(found.recall, &wanted[1], &format!("recall of {what}"));
    near(found.f1, &wanted[2], &format!("F of {what}"));
}

#[test]
fn rouge_equals_rouge_score_with_and_without_stems() {
    let golden = golden();
    for (key, stem) in [("plain", false), ("stemmed", true)] {
        let rouge = Rouge { stem };
        let wanted = &golden["rouge"][key];
        for (place, (answer, references)) in texts(&golden).into_iter().enumerate() {
            let what = |kind: &str| format!("{kind}, {key}, {}", golden["names"][place]);
            let (single, several) = (&wanted["single"][place], &wanted["several"][place]);
            let found = rouge.scores(answer, references[0]);
            check_rouge(found.rouge1, &single["rouge1"], &what("rouge1"));
            check_rouge(found.rouge2, &single["rouge2"], &what("rouge2"));
            check_rouge(found.rouge_l, &single["rougeL"], &what("rougeL"));
            check_rouge(rouge.n_grams(answer, references[0], 3), &single["rouge3"], &what("rouge3"));
            check_rouge(rouge.summary(answer, references[0]), &single["rougeLsum"], &what("rougeLsum"));
            let best = rouge.best_scores(answer, &references);
            check_rouge(best.rouge1, &several["rouge1"], &what("rouge1 of several"));
            check_rouge(best.rouge2, &several["rouge2"], &what("rouge2 of several"));
            check_rouge(best.rouge_l, &several["rougeL"], &what("rougeL of several"));
            if !stem {
                near(rouge1(answer, references[0]), &single["rouge1"][2], &what("rouge1 alone"));
            }
        }
    }
}

#[test]
fn stems_are_nltks() {
    let golden = golden();
    let words: Vec<&str> = text(&golden, "stems").split(' ').collect();
    assert!(words.len() > 1600);
    let stems = Rouge { stem: true };
    for pair in words.chunks(2).filter(|pair| pair[0].len() > 3) {
        assert_eq!(stems.words(pair[0]), [pair[1]], "{}", pair[0]);
    }
}

/// Google's own test values, computed with ROUGE-1.5.5 (five decimals).
#[test]
fn rouge_equals_rouge_1_5_5() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/metrics/rouge");
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else {
        println!("skipped: {} is absent", folder.display());
        return;
    };
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let lines = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let of_kind = |kind: &str, stem: bool, answer: &str, reference: &str| {
        let rouge = Rouge { stem };
        let scores = rouge.scores(answer, reference);
        match kind {
            "rouge1" | "any" => scores.rouge1,
            "rouge2" => scores.rouge2,
            "rougeL" => scores.rouge_l,
            other => {
                assert_eq!(other, "rougeLsum");
                rouge.summary(answer, reference)
            }
        }
    };
    let check = |found: RougeScore, wanted: &Value, tolerance: f64| {
        let pairs = [("precision", found.precision), ("recall", found.recall), ("fmeasure", found.f1)];
        for (key, found) in pairs {
            assert!((found - wanted[key].as_f64().unwrap()).abs() < tolerance, "{key} is {found}: {wanted}");
        }
    };
    let (targets, predictions) = (lines("target.txt"), lines("prediction.txt"));
    for row in list(&expected["per_line"]) {
        let line = row["line"].as_u64().unwrap() as usize;
        let (answer, reference) =
            (predictions.lines().nth(line).unwrap(), targets.lines().nth(line).unwrap());
        check(of_kind(text(row, "type"), row["stemmer"].as_bool().unwrap(), answer, reference), row, 1e-5);
    }
    for row in list(&expected["inline"]) {
        check(of_kind(text(row, "type"), false, text(row, "prediction"), text(row, "target")), row, 1e-9);
    }
    let summary =
        Rouge { stem: true }.summary(&lines("prediction_multi.0.txt"), &lines("target_multi.0.txt"));
    check(summary, &expected["multi0_rougeLsum_stemmed"], 1e-5);
    assert_eq!((list(&expected["per_line"]).len(), list(&expected["inline"]).len()), (10, 7));
}
