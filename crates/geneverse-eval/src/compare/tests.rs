//! Runs of a few items: what differs by how much, what cannot be compared, and what is told of it.

use std::cell::Cell;

use geneverse_data::progress::Silent;
use serde_json::json;

use super::*;
use crate::text::{Bleu, Rouge};

const REFERENCE: &str = "It binds zinc and activates the hedgehog pathway.";

fn run(name: &str, grades: &[f64], share: usize) -> (String, Scores) {
    let items: Vec<Item> =
        grades.iter().enumerate().map(|(place, grade)| item(place, *grade, share)).collect();
    let scores = json!({
        "task": "gene", "n": items.len(), "factual": 0.0, "structural": 0.0, "average": 0.0, "bleu": 0.0, "rouge1": 0.0,
        "items": items, "identifiers": 0, "model": format!("model {name}"),
    });
    let scores = serde_json::from_value(scores).unwrap();
    (format!("{name}.json"), scores)
}

/// An item of a grade of truth, whose answer has the first words of the reference: the more the higher `share` is.
fn item(place: usize, grade: f64, share: usize) -> Item {
    let words: Vec<&str> = REFERENCE.split(' ').take((place + share) % 9).collect();
    let answer = words.join(" ");
    let rouge = Rouge::default().scores(&answer, REFERENCE);
    let counts = Bleu::default().count(&answer, &[REFERENCE]);
    Item {
        id: format!("q{place}"),
        subject: "GLI1".to_owned(),
        factual: grade,
        structural: 1.0,
        bleu: Some(Bleu::sentence().score(&counts).score),
        bleu_counts: Some(counts),
        rouge1: rouge.rouge1.f1,
        rouge2: Some(rouge.rouge2.f1),
        rouge_l: Some(rouge.rouge_l.f1),
        ..Item::default()
    }
}

fn settings(samples: u64) -> Settings {
    Settings { samples, ..Settings::default() }
}

fn compared(runs: &[(String, Scores)], settings: &Settings) -> Comparison {
    compare(runs, settings, &Silent, &|| false).unwrap().unwrap()
}

fn error(runs: &[(String, Scores)]) -> String {
    compare(runs, &settings(100), &Silent, &|| false).unwrap_err().to_string()
}

#[test]
fn differences_have_intervals_and_exact_p() {
    let base = run("base", &[0.0; 6], 1);
    let better = run("better", &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0], 1);
    let found = compared(&[base, better], &settings(1000));
    assert!(found.exact);
    let factual = &found.runs[1].scores[&Metric::Factual];
    let difference = factual.difference.as_ref().unwrap();
    assert!((factual.value - 5.0 / 6.0).abs() < 1e-12 && (difference.value - 5.0 / 6.0).abs() < 1e-12);
    // Five signs all alike: 2 of 32.
    assert_eq!(difference.p, 0.0625);
    assert!(difference.interval[0] < difference.value && difference.value < difference.interval[1]);
    let same = found.runs[1].scores[&Metric::Bleu].difference.as_ref().unwrap();
    assert_eq!((same.value, same.interval, same.p), (0.0, [0.0, 0.0], 1.0));
    assert_eq!(found.runs[0].scores[&Metric::Factual].difference, None);
    assert!(found.over_runs.is_empty() && found.not_compared.is_empty());
    assert_eq!((found.items, found.left_out), (6, 0));
}

#[test]
fn drawn_tests_agree_and_are_the_same_each_time() {
    let grades: Vec<f64> = (0..40).map(|i| f64::from(i % 3 == 0)).collect();
    let more: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 0)).collect();
    let runs = [run("a", &grades, 1), run("b", &more, 2)];
    let found = compared(&runs, &settings(5000));
    assert_eq!(compared(&runs, &settings(5000)), found);
    let p = |found: &Comparison| found.runs[1].scores[&Metric::Factual].difference.as_ref().unwrap().p;
    // 13 items got better, 7 worse: twice the binomial's tail of 20 is 0.263.
    assert!(!found.exact && (p(&found) - 0.263).abs() < 0.035, "{}", p(&found));
    let bootstrapped = compared(&runs, &Settings { test: Test::Bootstrap, ..settings(5000) });
    assert!(p(&bootstrapped) < 0.3 && !bootstrapped.exact, "{}", p(&bootstrapped));
    assert_eq!(
        bootstrapped.runs[1].scores[&Metric::Bleu].interval,
        found.runs[1].scores[&Metric::Bleu].interval
    );
}

#[test]
fn overlap_goes_with_grades_over_runs_and_items() {
    let grades = |n: usize| -> Vec<f64> { (0..7).map(|i| f64::from(u8::from(i < n))).collect() };
    let runs = [run("a", &grades(1), 0), run("b", &grades(3), 1), run("c", &grades(7), 2)];
    let found = compared(&runs, &settings(100));
    let rouge1 = found.over_runs.iter().find(|a| a.metric == Metric::Rouge1).unwrap();
    assert_eq!(rouge1.n, 3);
    assert!((rouge1.spearman.unwrap().r - 1.0).abs() < 1e-12);
    assert!(rouge1.pearson.unwrap().r > 0.9 && rouge1.interval == Some([-1.0, 1.0]));
    // The first answers, with fewer words, are the ones graded true.
    let in_items = &found.runs[1].over_items;
    assert_eq!(in_items.len(), 4);
    assert!(in_items[1].pearson.unwrap().r < -0.5, "{in_items:?}");
    let none = &found.runs[2].over_items[0];
    let why = "all 7 numbers of the average are 1, expected some that differ: correlation is not defined";
    assert_eq!((none.pearson, none.why_not.as_deref()), (None, Some(why)));
}

#[test]
fn other_items_are_told_and_shared_ones_compared_on_request() {
    let base = run("base", &[1.0; 9], 1);
    let mut other = run("other", &[1.0; 9], 2);
    other.1.items.drain(0..7);
    other.1.items.push(Item { id: "extra".to_owned(), ..item(0, 1.0, 1) });
    let runs = [base, other];
    assert_eq!(
        error(&runs),
        "other.json: found 3 items, expected the 9 of base.json, lacks 7: q0, q1, q2, q3, q4 and 2 more, has besides 1: \
         extra; ask the runs the same questions, or compare what they share with --shared"
    );
    let found = compared(&runs, &Settings { shared: true, ..settings(100) });
    assert_eq!((found.items, found.left_out), (2, 8));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let base = run("base", &[1.0; 3], 1);
    let with = |change: fn(&mut Scores)| {
        let mut other = run("other", &[1.0; 3], 1);
        change(&mut other.1);
        error(&[base.clone(), other])
    };
    assert_eq!(
        error(std::slice::from_ref(&base)),
        "found 1 file of scores, expected at least two: the baseline first, then what is compared with it"
    );
    assert_eq!(
        with(|s| s.items[1].id = "q0".to_owned()),
        "other.json: found id \"q0\" twice, expected every item once; grade answers with an id each"
    );
    assert_eq!(
        with(|s| s.task = Task::Marker),
        "other.json: found scores of task Marker, expected Gene as in base.json"
    );
    assert_eq!(
        with(|s| s.rules = Some(7)),
        "other.json: found grades by rules of version 7, expected a version that it does not tell as in base.json; \
         grade both anew with `evaluate`"
    );
    assert_eq!(
        with(|s| s.items[2].subject = "GLI2".to_owned()),
        "other.json: item \"q2\" is about GLI2 with a reference of 9 tokens, expected GLI1 with a reference of 9 tokens \
         as in base.json; grade both against the same set"
    );
    let mut apart = run("apart", &[1.0], 1);
    apart.1.items[0].id = "z".to_owned();
    let runs = [base, apart];
    let found = compare(&runs, &Settings { shared: true, ..settings(100) }, &Silent, &|| false);
    assert!(found.unwrap_err().to_string().starts_with("found no item that all files have"));
}

#[test]
fn older_files_are_compared_by_what_they_have_and_work_can_be_stopped() {
    let mut base = run("base", &[1.0, 0.0, 1.0], 1);
    base.1
        .items
        .iter_mut()
        .for_each(|item| (item.bleu_counts, item.rouge2, item.rouge_l) = (None, None, None));
    let mut other = base.clone();
    other.1.items[1].factual = 1.0;
    let runs = [base, other];
    let found = compared(&runs, &settings(100));
    assert_eq!(found.not_compared, [Metric::Bleu, Metric::Rouge2, Metric::RougeL]);
    assert_eq!(found.runs[1].scores.len(), 4);

    let newer = run("newer", &[1.0, 0.0, 1.0], 1);
    let mixed = compared(&[runs[0].clone(), newer], &settings(100));
    assert_eq!(mixed.not_compared, found.not_compared);

    let asked = Cell::new(0);
    let second_time = || {
        asked.set(asked.get() + 1);
        asked.get() > 1
    };
    assert_eq!(compare(&runs, &settings(1000), &Silent, &second_time).unwrap(), None);
}
