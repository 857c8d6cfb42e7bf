//! The scores of a set of answers as functions of sums over answers, so that resampling answers resamples scores.
//!
//! A mean is a sum over how many there are; corpus BLEU follows from summed counts of n-grams. Means of 20 answers move by
//! 0.05 with one of them, so scores are shown with the interval between the 2.5 and 97.5 percentiles of bootstrap resamples.

use serde::{Deserialize, Serialize};

use crate::scores::Item;
use crate::stats::resample::{Rows, bootstrap, interval};
use crate::text::Bleu;

/// How often an interval is meant to hold.
pub const CONFIDENCE: f64 = 0.95;

/// Resamples behind the intervals of `scores.json`, as many as sacrebleu draws.
pub const RESAMPLES: u64 = 1000;

/// Their seed, sacrebleu's. A constant: the same answers have the same intervals.
pub const SEED: u64 = 12345;

/// A score of a set of answers, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean grade of truth.
    Factual,
    /// Mean grade of form.
    Structural,
    /// Mean of both.
    Average,
    /// Corpus BLEU.
    Bleu,
    /// Mean ROUGE-1 F1.
    Rouge1,
    /// Mean ROUGE-2 F1.
    Rouge2,
    /// Mean ROUGE-L F1.
    RougeL,
}

impl Metric {
    /// All of them, in the order in which [`scores`] gives them.
    pub const ALL: [Self; 7] = [
        Self::Factual,
        Self::Structural,
        Self::Average,
        Self::Bleu,
        Self::Rouge1,
        Self::Rouge2,
        Self::RougeL,
    ];

    /// Overlap with the reference, as opposed to grades.
    pub const OVERLAPS: [Self; 4] = [Self::Bleu, Self::Rouge1, Self::Rouge2, Self::RougeL];

    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Factual => "factual",
            Self::Structural => "structural",
            Self::Average => "average",
            Self::Bleu => "BLEU",
            Self::Rouge1 => "ROUGE-1",
            Self::Rouge2 => "ROUGE-2",
            Self::RougeL => "ROUGE-L",
        }
    }

    /// Of one answer: BLEU is sentence BLEU. `None` where the file of scores is older than the metric.
    pub fn of_item(self, item: &Item) -> Option<f64> {
        match self {
            Self::Factual => Some(item.factual),
            Self::Structural => Some(item.structural),
            Self::Average => Some(f64::midpoint(item.factual, item.structural)),
            Self::Bleu => item.bleu,
            Self::Rouge1 => Some(item.rouge1),
            Self::Rouge2 => item.rouge2,
            Self::RougeL => item.rouge_l,
        }
    }

    /// Whether an answer has what the score of a set is computed from.
    pub fn is_known(self, item: &Item) -> bool {
        if self == Self::Bleu { item.bleu_counts.is_some() } else { self.of_item(item).is_some() }
    }
}

/// Means in a row before the counts of BLEU: truth, form, ROUGE-1, ROUGE-2, ROUGE-L.
const MEANS: usize = 5;

/// Orders of n-grams in the counts of [`Bleu::default`].
const ORDERS: usize = 4;

/// Answers as rows that [`scores`] can be computed from when they are summed. What an answer lacks counts 0.
pub fn rows<'a>(items: impl IntoIterator<Item = &'a Item>) -> Rows {
    Rows::new(items.into_iter().map(|item| {
        let mut row = [0.0; MEANS + 2 + 2 * ORDERS];
        let means = [item.factual, item.structural, item.rouge1];
        let more = [item.rouge2, item.rouge_l].map(Option::unwrap_or_default);
        let counts = item.bleu_counts.iter().flat_map(|counts| {
            let tokens = [counts.answer_tokens, counts.reference_tokens];
            let correct = counts.correct.iter().take(ORDERS);
            tokens.into_iter().chain(correct.chain(counts.total.iter().take(ORDERS)).copied())
        });
        let values = means.into_iter().chain(more).chain(counts.map(|count| count as f64));
        row.iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
        row
    }))
}

/// The scores of `n` answers from the sums of their rows, in the order of [`Metric::ALL`].
pub fn scores(sums: &[f64], n: usize) -> Vec<f64> {
    let mean = |place: usize| sums.get(place).copied().unwrap_or(0.0) / n as f64;
    let bleu = match sums.split_at_checked(MEANS + 2) {
        Some((front, counts)) => {
            let (correct, total) = counts.split_at(ORDERS.min(counts.len()));
            Bleu::default().score_sums(front[MEANS], front[MEANS + 1], correct, total).score
        }
        None => 0.0,
    };
    vec![mean(0), mean(1), f64::midpoint(mean(0), mean(1)), bleu, mean(2), mean(3), mean(4)]
}

/// Bootstrap intervals of the scores of a set of answers: between these two lie the middle 95 % of resamples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// 0.95.
    pub confidence: f64,
    /// How many resamples were drawn.
    pub resamples: u64,
    /// From which seed.
    pub seed: u64,
    /// Of the mean grade of truth.
    pub factual: [f64; 2],
    /// Of the mean grade of form.
    pub structural: [f64; 2],
    /// Of the mean of both.
    pub average: [f64; 2],
    /// Of corpus BLEU.
    pub bleu: [f64; 2],
    /// Of mean ROUGE-1.
    pub rouge1: [f64; 2],
}

impl Intervals {
    /// Of these answers; `None` without any.
    pub fn of(items: &[Item]) -> Option<Self> {
        let rows = rows(items);
        let n = rows.len();
        let drawn = bootstrap(&[&rows], &|sums| scores(sums, n), RESAMPLES, SEED, &|_| true)?;
        let of = |metric: Metric| {
            let place = Metric::ALL.iter().position(|m| *m == metric)?;
            let values = drawn.iter().filter_map(|runs| runs.first()?.get(place).copied()).collect();
            interval(values, CONFIDENCE).filter(|_| n > 0)
        };
        Some(Self {
            confidence: CONFIDENCE,
            resamples: RESAMPLES,
            seed: SEED,
            factual: of(Metric::Factual)?,
            structural: of(Metric::Structural)?,
            average: of(Metric::Average)?,
            bleu: of(Metric::Bleu)?,
            rouge1: of(Metric::Rouge1)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{corpus_bleu, rouge1, sentence_bleu};

    fn items() -> Vec<(Item, &'static str, &'static str)> {
        let pairs = [
            (
                "GLI1 binds DNA and activates hedgehog targets.",
                "GLI1 binds DNA strongly and activates targets.",
            ),
            ("It is a kinase.", "It is a receptor of the cell membrane."),
            ("", "Something else."),
        ];
        let item = |place: usize, (answer, reference): (&'static str, &'static str)| {
            let item = Item {
                id: place.to_string(),
                factual: (place % 2) as f64,
                structural: 1.0,
                bleu: Some(sentence_bleu(answer, reference)),
                bleu_counts: Some(Bleu::default().count(answer, &[reference])),
                rouge1: rouge1(answer, reference),
                rouge2: Some(0.25),
                rouge_l: None,
                ..Item::default()
            };
            (item, answer, reference)
        };
        pairs.into_iter().enumerate().map(|(place, pair)| item(place, pair)).collect()
    }

    #[test]
    fn scores_from_sums_are_the_scores() {
        let all = items();
        let items: Vec<Item> = all.iter().map(|(item, ..)| item.clone()).collect();
        let found = scores(&rows(&items).sums(), 3);
        let mean_rouge = items.iter().map(|item| item.rouge1).sum::<f64>() / 3.0;
        let bleu = corpus_bleu(all.iter().map(|(_, answer, reference)| (answer, reference)));
        let wanted = [1.0 / 3.0, 1.0, 2.0 / 3.0, bleu, mean_rouge, 0.25, 0.0];
        assert!(
            found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12),
            "{found:?}, expected {wanted:?}"
        );
        assert!(bleu > 0.1);
        assert!(Metric::Bleu.is_known(&items[0]) && !Metric::RougeL.is_known(&items[0]));
    }

    #[test]
    fn intervals_enclose_their_scores_and_are_the_same_each_time() {
        let items: Vec<Item> = items().into_iter().map(|(item, ..)| item).collect();
        let found = Intervals::of(&items).unwrap();
        let scores = scores(&rows(&items).sums(), 3);
        let pairs = [
            (found.factual, scores[0]),
            (found.average, scores[2]),
            (found.bleu, scores[3]),
            (found.rouge1, scores[4]),
        ];
        for ([low, high], score) in pairs {
            assert!(low <= score && score <= high && low < high, "{low} {score} {high}");
        }
        assert_eq!(found.structural, [1.0, 1.0]);
        assert_eq!(Intervals::of(&items), Some(found));
        assert_eq!(Intervals::of(&[]), None);
    }
}
