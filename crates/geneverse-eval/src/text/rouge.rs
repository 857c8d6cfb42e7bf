//! ROUGE (Lin 2004) as rouge-score computes it: how many of a reference's n-grams (ROUGE-1, ROUGE-2), or of its longest
//! common subsequence (ROUGE-L), an answer has.
//!
//! Words are lower-cased runs of `[a-z0-9]`; with stemming those of more than three letters are stemmed. With `hits`
//! shared, precision is hits / answer, recall hits / reference, F their harmonic mean. ROUGE-Lsum takes lines for
//! sentences: for each of the reference's, the union of its longest common subsequences with all of the answer's, no word
//! counted more often than either text has it. (rouge-score can cut sentences by NLTK's Punkt model first; that is not
//! here.)

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::grams::{Vocabulary, matches};
use super::{lcs, porter};

/// Precision, recall and their harmonic mean, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RougeScore {
    /// The share of the answer that the reference has.
    pub precision: f64,
    /// The share of the reference that the answer has.
    pub recall: f64,
    /// 2·P·R / (P + R), 0 where nothing is shared.
    pub f1: f64,
}

impl RougeScore {
    fn new(hits: usize, answer: usize, reference: usize) -> Self {
        let precision = hits as f64 / answer.max(1) as f64;
        let recall = hits as f64 / reference.max(1) as f64;
        let f1 = if hits == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        Self { precision, recall, f1 }
    }
}

/// ROUGE-1, ROUGE-2 and ROUGE-L of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RougeScores {
    /// Words.
    pub rouge1: RougeScore,
    /// Pairs of words.
    pub rouge2: RougeScore,
    /// The longest common subsequence.
    pub rouge_l: RougeScore,
}

/// A way to count ROUGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rouge {
    /// Whether words of more than three letters are stemmed (Porter, with NLTK's extensions).
    pub stem: bool,
}

impl Rouge {
    /// The words that are counted.
    pub fn words(self, text: &str) -> Vec<String> {
        split(&self.line(text)).map(str::to_owned).collect()
    }

    /// A text with nothing but the words that are counted, and what is not counted between them.
    fn line(self, text: &str) -> String {
        let lower = text.to_lowercase();
        if !self.stem {
            return lower;
        }
        let mut line = String::with_capacity(lower.len());
        for word in split(&lower) {
            if word.len() > 3 {
                line.push_str(&porter::stem(word));
            } else {
                line.push_str(word);
            }
            line.push(' ');
        }
        line
    }

    /// ROUGE-1, ROUGE-2 and ROUGE-L, for the cost of cutting the texts once.
    pub fn scores(self, answer: &str, reference: &str) -> RougeScores {
        let (answer, reference) = numbered(&self.line(answer), &self.line(reference));
        let shared = matches(&answer, &[&reference], 2);
        let n_grams = |n: usize| {
            let count = |words: &[u32]| (words.len() + 1).saturating_sub(n);
            RougeScore::new(shared[n - 1] as usize, count(&answer), count(&reference))
        };
        RougeScores {
            rouge1: n_grams(1),
            rouge2: n_grams(2),
            rouge_l: RougeScore::new(lcs::length(&reference, &answer), answer.len(), reference.len()),
        }
    }

    /// ROUGE-N for n-grams of any length above 0.
    pub fn n_grams(self, answer: &str, reference: &str, n: usize) -> RougeScore {
        let n = n.max(1);
        let (answer, reference) = numbered(&self.line(answer), &self.line(reference));
        let count = |words: &[u32]| (words.len() + 1).saturating_sub(n);
        let shared = matches(&answer, &[&reference], n)[n - 1];
        RougeScore::new(shared as usize, count(&answer), count(&reference))
    }

    /// ROUGE-Lsum: lines are sentences.
    pub fn summary(self, answer: &str, reference: &str) -> RougeScore {
        let lines = |text: &str| -> Vec<String> {
            text.split('\n').filter(|line| !line.is_empty()).map(|line| self.line(line)).collect()
        };
        let (answer, reference) = (lines(answer), lines(reference));
        let mut vocabulary = Vocabulary::default();
        let answer: Vec<Vec<u32>> = answer.iter().map(|line| vocabulary.ids(split(line))).collect();
        let reference: Vec<Vec<u32>> = reference.iter().map(|line| vocabulary.ids(split(line))).collect();
        let count = |lines: &[Vec<u32>]| {
            let mut counts = vec![0_usize; vocabulary.len()];
            lines.iter().flatten().for_each(|&word| counts[word as usize] += 1);
            counts
        };
        let (mut left_in_answer, mut left_in_reference) = (count(&answer), count(&reference));
        let mut hits = 0;
        for line in &reference {
            let union: BTreeSet<usize> = answer.iter().flat_map(|other| lcs::places(line, other)).collect();
            for place in union {
                let word = line[place] as usize;
                if left_in_answer[word] > 0 && left_in_reference[word] > 0 {
                    left_in_answer[word] -= 1;
                    left_in_reference[word] -= 1;
                    hits += 1;
                }
            }
        }
        RougeScore::new(hits, answer.iter().map(Vec::len).sum(), reference.iter().map(Vec::len).sum())
    }

    /// Of several references the one with the highest F counts, for each measure by itself; all 0 without one.
    pub fn best_scores<R: AsRef<str>>(self, answer: &str, references: &[R]) -> RougeScores {
        let mut best: Option<RougeScores> = None;
        for reference in references {
            let new = self.scores(answer, reference.as_ref());
            let Some(best) = &mut best else {
                best = Some(new);
                continue;
            };
            let pairs = [
                (&mut best.rouge1, new.rouge1),
                (&mut best.rouge2, new.rouge2),
                (&mut best.rouge_l, new.rouge_l),
            ];
            for (best, new) in pairs {
                if new.f1 > best.f1 {
                    *best = new;
                }
            }
        }
        best.unwrap_or_default()
    }
}

/// Runs of `[a-z0-9]`.
fn split(lower: &str) -> impl Iterator<Item = &str> {
    lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).filter(|word| !word.is_empty())
}

/// The words of two lines as numbers, the same number for the same word.
fn numbered(answer: &str, reference: &str) -> (Vec<u32>, Vec<u32>) {
    let mut vocabulary = Vocabulary::default();
    let reference = vocabulary.ids(split(reference));
    (vocabulary.ids(split(answer)), reference)
}

/// Unigram F1 of an answer against its reference, in [0, 1], without stemming.
pub fn rouge1(answer: &str, reference: &str) -> f64 {
    Rouge::default().n_grams(answer, reference, 1).f1
}
