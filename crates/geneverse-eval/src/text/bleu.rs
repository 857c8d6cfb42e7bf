//! BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018): the geometric mean of clipped n-gram precisions,
//! times the brevity penalty exp(1 − r/c) where the answers' c tokens are fewer than the references' r.
//!
//! Several references: an n-gram counts as often as in the reference that has it most often, and r is the length nearest
//! to the answer's, the smaller of two equally near.
//!
//! An order without a match would make the whole 0. Smoothing (Chen & Cherry 2014) is
//! - `exp`: the k-th such order counts 1 / 2^k matches (sacrebleu's default, mteval's and NIST's);
//! - `floor`: it counts a small number of matches, 0.1;
//! - `add-k`: matches and n-grams of every order above 1 are k more, 1;
//! - `none`.
//!
//! Scores are fractions in [0, 1]; sacrebleu prints them times 100.

use serde::{Deserialize, Serialize};

use super::grams::{Vocabulary, matches};
use super::tokenize::{Tokenizer, tokens};

/// What becomes of an order without a match.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// The score is 0.
    None,
    /// It counts so many matches; sacrebleu's usual value is 0.1.
    Floor(f64),
    /// So many matches and n-grams are added to every order above 1; sacrebleu's usual value is 1.
    AddK(f64),
    /// The k-th such order counts 1 / 2^k matches.
    #[default]
    Exponential,
}

/// A way to count BLEU. The default is sacrebleu's: `case:mixed|eff:no|tok:13a|smooth:exp`, orders 1 to 4.
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    /// How texts are cut.
    pub tokenizer: Tokenizer,
    /// Whether texts are put into lower case first.
    pub lowercase: bool,
    /// What becomes of an order without a match.
    pub smoothing: Smoothing,
    /// The longest n-gram that counts.
    pub max_order: usize,
    /// Whether orders longer than the answer are left out: meant for single sentences.
    pub effective_order: bool,
}

impl Default for Bleu {
    fn default() -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            lowercase: false,
            smoothing: Smoothing::default(),
            max_order: 4,
            effective_order: false,
        }
    }
}

/// What of an answer BLEU follows from; counts of several answers add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleuCounts {
    /// Tokens of the answer.
    pub answer_tokens: u64,
    /// Tokens of the reference, of several the one nearest in length.
    pub reference_tokens: u64,
    /// For each order the n-grams that stand in a reference.
    pub correct: Vec<u64>,
    /// For each order the n-grams of the answer.
    pub total: Vec<u64>,
}

impl BleuCounts {
    /// Adds another answer's counts.
    pub fn add(&mut self, other: &Self) {
        self.answer_tokens += other.answer_tokens;
        self.reference_tokens += other.reference_tokens;
        for (sums, more) in [(&mut self.correct, &other.correct), (&mut self.total, &other.total)] {
            sums.resize(sums.len().max(more.len()), 0);
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
}

/// A score with what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BleuScore {
    /// The score, in [0, 1].
    pub score: f64,
    /// For each order the share of n-grams that stand in a reference, smoothed; 0 from the first order without n-grams.
    pub precisions: Vec<f64>,
    /// What too short an answer costs, in [0, 1].
    pub brevity_penalty: f64,
}

impl Bleu {
    /// sacrebleu's `sentence_bleu`: the default with orders longer than the answer left out.
    pub fn sentence() -> Self {
        Self { effective_order: true, ..Self::default() }
    }

    /// Counts one answer against its references.
    pub fn count<R: AsRef<str>>(&self, answer: &str, references: &[R]) -> BleuCounts {
        let answer = self.line(answer);
        let references: Vec<String> = references.iter().map(|text| self.line(text.as_ref())).collect();
        let mut vocabulary = Vocabulary::default();
        let references: Vec<Vec<u32>> = references.iter().map(|line| vocabulary.ids(tokens(line))).collect();
        let answer = vocabulary.ids(tokens(&answer));
        let nearest = references.iter().map(Vec::len).min_by_key(|&n| (n.abs_diff(answer.len()), n));
        BleuCounts {
            answer_tokens: answer.len() as u64,
            reference_tokens: nearest.unwrap_or(0) as u64,
            correct: matches(&answer, &references, self.max_order),
            total: (1..=self.max_order).map(|n| (answer.len() + 1).saturating_sub(n) as u64).collect(),
        }
    }

    fn line(&self, text: &str) -> String {
        if self.lowercase { self.tokenizer.line(&text.to_lowercase()) } else { self.tokenizer.line(text) }
    }

    /// BLEU of counts; of sums of counts it is corpus BLEU. No answers and no matches are 0.
    pub fn score(&self, counts: &BleuCounts) -> BleuScore {
        let numbers = |counts: &[u64]| -> Vec<f64> { counts.iter().map(|&n| n as f64).collect() };
        let (correct, total) = (numbers(&counts.correct), numbers(&counts.total));
        self.score_sums(counts.answer_tokens as f64, counts.reference_tokens as f64, &correct, &total)
    }

    /// BLEU of sums of counts, as resampling has them.
    pub(crate) fn score_sums(
        &self,
        answer: f64,
        reference: f64,
        correct: &[f64],
        total: &[f64],
    ) -> BleuScore {
        let brevity_penalty = match answer {
            _ if answer >= reference => 1.0,
            0.0 => 0.0,
            _ => (1.0 - reference / answer).exp(),
        };
        let mut precisions = vec![0.0; self.max_order];
        if correct.iter().all(|&count| count == 0.0) {
            return BleuScore { score: 0.0, precisions, brevity_penalty };
        }
        let mut orders = self.max_order;
        let mut halved = 1.0;
        for (place, precision) in precisions.iter_mut().enumerate() {
            let at = |counts: &[f64]| counts.get(place).copied().unwrap_or(0.0);
            let more = if let Smoothing::AddK(k) = self.smoothing
                && place > 0
            {
                k
            } else {
                0.0
            };
            let (correct, total) = (at(correct) + more, at(total) + more);
            if total == 0.0 {
                break;
            }
            if self.effective_order {
                orders = place + 1;
            }
            let matched = match self.smoothing {
                _ if correct > 0.0 => correct,
                Smoothing::Exponential => {
                    halved /= 2.0;
                    halved
                }
                Smoothing::Floor(matched) => matched,
                Smoothing::None | Smoothing::AddK(_) => 0.0,
            };
            *precision = matched / total;
        }
        // The logarithm of 0 is minus infinity, and its exponential 0 again.
        let mean = precisions[..orders].iter().map(|precision| precision.ln()).sum::<f64>() / orders as f64;
        let score = brevity_penalty * mean.exp();
        // Rounding alone must not make more than all of a perfect answer.
        let score = if score > 1.0 && score < 1.0 + 1e-12 { 1.0 } else { score };
        BleuScore { score, precisions, brevity_penalty }
    }

    /// What a reader needs to compute the same, in sacrebleu's words but for its version: `references` is how many each
    /// answer has, `None` where that varies.
    pub fn signature(&self, references: Option<usize>) -> String {
        let references = references.map_or_else(|| "var".to_owned(), |n| n.to_string());
        let smoothing = match self.smoothing {
            Smoothing::None => "none".to_owned(),
            Smoothing::Floor(value) => format!("floor[{value:.2}]"),
            Smoothing::AddK(value) => format!("add-k[{value:.2}]"),
            Smoothing::Exponential => "exp".to_owned(),
        };
        format!(
            "nrefs:{references}|case:{}|eff:{}|tok:{}|smooth:{smoothing}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenizer.name(),
        )
    }
}

/// BLEU over a whole set of (answer, reference) pairs, in [0, 1]; 0 for an empty set.
pub fn corpus_bleu<A: AsRef<str>, R: AsRef<str>>(pairs: impl IntoIterator<Item = (A, R)>) -> f64 {
    let bleu = Bleu::default();
    let mut sum = BleuCounts::default();
    for (answer, reference) in pairs {
        sum.add(&bleu.count(answer.as_ref(), &[reference]));
    }
    bleu.score(&sum).score
}

/// BLEU of one answer, in [0, 1], as sacrebleu's `sentence_bleu`: orders longer than the answer are left out.
pub fn sentence_bleu(answer: &str, reference: &str) -> f64 {
    let bleu = Bleu::sentence();
    bleu.score(&bleu.count(answer, &[reference])).score
}
