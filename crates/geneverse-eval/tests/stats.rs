//! Correlations, percentiles, paired tests and agreement against scipy, NumPy, sacrebleu and scikit-learn.

#![allow(clippy::unwrap_used, reason = "tests")]

use geneverse_eval::agreement::{
    Average, adjusted_mutual_information, adjusted_rand_index, cohens_kappa, normalized_mutual_information,
};
use geneverse_eval::stats::correlation::{fisher_interval, pearson, spearman};
use geneverse_eval::stats::resample::{Rows, bootstrap, interval, paired_bootstrap_p, randomization};
use geneverse_eval::text::{Bleu, BleuCounts};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("goldens/stats_goldens.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn near(found: f64, wanted: f64, tolerance: f64, what: &str) {
    assert!((found - wanted).abs() <= tolerance, "{what}: {found}, expected {wanted}");
}

#[test]
fn correlations_equal_scipys() {
    let golden = golden();
    let cases: Vec<&Value> = list(&golden["correlations"]).iter().chain(list(&golden["reported"])).collect();
    assert_eq!(cases.len(), 15);
    for case in cases {
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        for (kind, found) in [("pearson", pearson(&x, &y)), ("spearman", spearman(&x, &y))] {
            let (found, wanted) = (found.unwrap(), numbers(&case[kind]));
            let what = format!("{kind} of {} pairs", x.len());
            near(found.r, wanted[0], 1e-12, &what);
            // Small p-values too, to nine digits; where r is so near to 1 that p hangs on its last digit, absolutely.
            near(found.p, wanted[1], (1e-9 * wanted[1]).max(1e-14), &what);
        }
        let (found, wanted) =
            (fisher_interval(pearson(&x, &y).unwrap().r, x.len()), numbers(&case["fisher"]));
        near(found[0], wanted[0], 1e-9, "Fisher's interval");
        near(found[1], wanted[1], 1e-9, "Fisher's interval");
    }
}

/// The correlations that arXiv 2406.15534 reports between BLEU, ROUGE-1 and the average score over the 20 rows of its
/// Table 1: what that many rows say. Its rows are not at hand; these are 20 pairs with that r.
#[test]
fn the_reported_correlations_over_twenty_rows() {
    let golden = golden();
    for (case, (r, p, low)) in
        list(&golden["reported"]).iter().zip([(0.76, 1.0e-4, 0.48), (0.80, 2.3e-5, 0.55)])
    {
        let found = pearson(&numbers(&case["x"]), &numbers(&case["y"])).unwrap();
        near(found.r, r, 1e-12, "r");
        near(found.p, p, 0.05 * p, "p");
        near(fisher_interval(found.r, 20)[0], low, 0.01, "the interval's lower end");
    }
}

#[test]
fn percentiles_are_numpys() {
    let golden = golden();
    for case in list(&golden["percentiles"]) {
        let found = interval(numbers(&case["numbers"]), case["confidence"].as_f64().unwrap()).unwrap();
        for (found, wanted) in found.into_iter().zip(numbers(&case["interval"])) {
            near(found, wanted, 1e-12, "percentile");
        }
    }
}

#[test]
fn all_swaps_are_scipys_permutation_test() {
    let golden = golden();
    for case in list(&golden["permutations"]) {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let n = a.len() as f64;
        let rows = |values: &[f64]| Rows::new(values.iter().map(|value| [*value]));
        let mean = |sums: &[f64]| vec![sums[0] / n];
        let (p, exact) = randomization(&rows(&a), &rows(&b), &mean, 10_000, 1, &|_| true).unwrap();
        assert!(exact);
        near(p[0], case["p"].as_f64().unwrap(), 1e-12, &format!("{n} items"));
    }
}

#[test]
fn agreement_equals_scikit_learns() {
    let golden = golden();
    assert_eq!(list(&golden["agreement"]).len(), 11);
    for case in list(&golden["agreement"]) {
        let labels =
            |key: &str| -> Vec<i64> { list(&case[key]).iter().map(|l| l.as_i64().unwrap()).collect() };
        let (first, second) = (labels("first"), labels("second"));
        let wanted = |key: &str| case[key].as_f64().unwrap();
        let what = format!("{} labels", first.len());
        let averages = [
            ("arithmetic", Average::Arithmetic),
            ("geometric", Average::Geometric),
            ("min", Average::Min),
            ("max", Average::Max),
        ];
        for (name, average) in averages {
            let nmi = normalized_mutual_information(&first, &second, average).unwrap();
            near(nmi, wanted(&format!("nmi_{name}")), 1e-12, &format!("NMI, {name}, {what}"));
            // Both subtract factorials of hundreds, and divide by a difference that is small where labels are many.
            let ami = adjusted_mutual_information(&first, &second, average).unwrap();
            near(ami, wanted(&format!("ami_{name}")), 1e-10, &format!("AMI, {name}, {what}"));
        }
        near(adjusted_rand_index(&first, &second).unwrap(), wanted("ari"), 1e-12, &format!("ARI, {what}"));
        match cohens_kappa(&first, &second).unwrap() {
            Some(kappa) => near(kappa, wanted("kappa"), 1e-12, &format!("kappa, {what}")),
            None => assert_eq!(case["kappa"], Value::Null),
        }
    }
}

/// Corpus BLEU of three systems: the same scores as sacrebleu's, and p-values that differ by what drawing makes of them.
#[test]
fn paired_tests_of_bleu_agree_with_sacrebleu() {
    let golden = golden();
    let paired = &golden["paired"];
    let texts = |value: &Value| -> Vec<String> {
        list(value).iter().map(|t| t.as_str().unwrap().to_owned()).collect()
    };
    let references = texts(&paired["references"]);
    let bleu = Bleu::default();
    let score = |sums: &[f64]| {
        let whole =
            |range: std::ops::Range<usize>| sums[range].iter().map(|&sum| sum as u64).collect::<Vec<u64>>();
        let [answer_tokens, reference_tokens] = [sums[0] as u64, sums[1] as u64];
        let counts =
            BleuCounts { answer_tokens, reference_tokens, correct: whole(2..6), total: whole(6..10) };
        vec![bleu.score(&counts).score]
    };
    let systems: Vec<Rows> = list(&paired["systems"])
        .iter()
        .map(|system| {
            Rows::new(texts(system).iter().zip(&references).map(|(answer, reference)| {
                let BleuCounts { answer_tokens, reference_tokens, correct, total } =
                    bleu.count(answer, &[reference]);
                let all = [vec![answer_tokens, reference_tokens], correct, total].concat();
                all.into_iter().map(|count| count as f64).collect::<Vec<f64>>()
            }))
        })
        .collect();
    let scores: Vec<f64> = systems.iter().map(|rows| score(&rows.sums())[0]).collect();
    for (found, wanted) in scores.iter().zip(numbers(&paired["scores"])) {
        near(*found, wanted, 1e-9, "corpus BLEU");
    }
    let drawn = bootstrap(&systems.iter().collect::<Vec<_>>(), &score, 4000, 1, &|_| true).unwrap();
    for (place, other) in [(0, 1), (1, 2)] {
        let (p, exact) = randomization(&systems[0], &systems[other], &score, 20_000, 1, &|_| true).unwrap();
        let wanted = numbers(&paired["ar"])[place];
        // Five standard errors of two estimates, and one trial for p near 0.
        let error = |p: f64, trials: f64| 5.0 * (2.0 * p * (1.0 - p) / trials).sqrt() + 1.0 / trials;
        assert!(!exact);
        near(p[0], wanted, error(wanted, 20_000.0), "paired randomisation");
        let differences: Vec<f64> = drawn.iter().map(|runs| runs[other][0] - runs[0][0]).collect();
        let found = paired_bootstrap_p(scores[other] - scores[0], &differences);
        let wanted = numbers(&paired["bs"])[place];
        near(found, wanted, error(wanted, 4000.0) + 0.005, "paired bootstrap");
    }
}
