//! The scores that the page has a column for: their keys in `scores.json`, their names, and what they mean.

use super::Row;

/// One score.
#[derive(Debug)]
pub(super) struct Measure {
    /// The key in `scores.json`.
    pub(super) key: &'static str,
    /// The column's heading.
    pub(super) heading: &'static str,
    /// What it is, in half a sentence.
    pub(super) meaning: &'static str,
    /// Whether more is better.
    pub(super) more_is_better: bool,
    /// Whether the picture of the table shows it.
    pub(super) drawn: bool,
}

const fn measure(key: &'static str, heading: &'static str, meaning: &'static str, drawn: bool) -> Measure {
    Measure { key, heading, meaning, more_is_better: true, drawn }
}

/// The columns of the first table.
pub(super) const MAIN: [Measure; 6] = [
    measure("factual", "Factual", "mean grade of truth", true),
    measure("structural", "Structural", "mean grade of form", true),
    measure("average", "Average", "mean of factual and structural", false),
    measure("bleu", "BLEU", "wording, four words at a time, against the reference", true),
    measure("rouge1", "ROUGE-1", "words shared with the reference", true),
    measure(
        "identifiers_right",
        "Identifiers right",
        "share of written identifiers that are the gene’s own",
        false,
    ),
];

/// The columns of the second table, where any is known.
pub(super) const MORE: [Measure; 6] = [
    measure("rouge2", "ROUGE-2", "pairs of words shared with the reference", false),
    measure("rouge_l", "ROUGE-L", "longest common subsequence with the reference", false),
    measure(
        "claim_precision",
        "Claim precision",
        "share of claims that the record supports, of those that it decides",
        true,
    ),
    measure("claim_support", "Claim support", "share of claims that the record supports, of all", false),
    measure("claim_recall", "Claim recall", "share of the record’s facts that are stated", true),
    Measure {
        key: "hallucinated_identifiers",
        heading: "Hallucinated identifiers (less is better)",
        meaning: "share of written identifiers that do not exist or belong to another gene",
        more_is_better: false,
        drawn: false,
    },
];

/// A row's value of a measure.
pub(super) fn value(row: &Row, key: &str) -> Option<f64> {
    match key {
        "factual" => Some(row.factual),
        "structural" => Some(row.structural),
        "average" => Some(row.average),
        "bleu" => Some(row.bleu),
        "rouge1" => Some(row.rouge1),
        "identifiers_right" => row.identifiers_right,
        other => row.more.get(other).copied(),
    }
    .filter(|value| value.is_finite())
}
