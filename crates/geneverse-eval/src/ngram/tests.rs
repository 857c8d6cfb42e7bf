//! Against an independent implementation, and as a distribution.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// See `tests/goldens/make_ngram_goldens.py`.
#[test]
fn probabilities_are_those_of_the_definitions() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/goldens/ngram_goldens.json")).unwrap();
    let documents: Vec<Vec<u32>> = golden["documents"].as_array().unwrap().iter().map(ids).collect();
    let vocabulary = golden["vocabulary"].as_u64().unwrap() as usize;
    let mut worst = 0f64;
    for case in golden["cases"].as_array().unwrap() {
        let order = case["order"].as_u64().unwrap() as usize;
        let model = KneserNey::train(documents.iter().map(Vec::as_slice), order, vocabulary);
        let ids = ids(&case["ids"]);
        let expected: Vec<f64> = serde_json::from_value(case["log_probabilities"].clone()).unwrap();
        for (at, expected) in (1..ids.len()).zip(&expected) {
            let found = model.log_probability(&ids[at.saturating_sub(order - 1)..at], ids[at]);
            worst = worst.max((found - expected).abs());
        }
        let (loss, tokens) = model.loss(&ids);
        assert_eq!(tokens, expected.len());
        assert!((loss + expected.iter().sum::<f64>()).abs() < 1e-9);
    }
    assert!(worst < 1e-12, "off by {worst}");
}

proptest! {
    #[test]
    fn what_may_follow_any_context_sums_to_one(
        documents in prop::collection::vec(prop::collection::vec(2u32..9, 0..12), 0..20),
        context in prop::collection::vec(1u32..10, 0..6),
        order in 1usize..=5,
    ) {
        let documents: Vec<Vec<u32>> =
            documents.into_iter().map(|ids| [vec![1], ids].concat()).collect();
        let model = KneserNey::train(documents.iter().map(Vec::as_slice), order, 10);
        let total: f64 = (0..10).map(|next| model.log_probability(&context, next).exp()).sum();
        prop_assert!((total - 1.0).abs() < 1e-9, "{}", total);
    }
}
