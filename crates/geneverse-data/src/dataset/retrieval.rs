//! What looking up the nearest training text alone would score: the numbers. `geneverse-eval` computes them.

use serde::{Deserialize, Serialize};

use super::Example;

/// Examples to be answered from the training set.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The split's name.
    pub name: &'a str,
    /// The examples.
    pub examples: &'a [Example],
    /// The full name of the gene of each; empty where it is not known.
    pub gene_names: &'a [String],
}

/// Overlap with the reference: corpus BLEU and mean ROUGE-1, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Corpus BLEU (sacrebleu, 13a) / 100.
    pub bleu: f64,
    /// Mean ROUGE-1 F1.
    pub rouge1: f64,
    /// Share of the answers that state the gene's function as the grade of truth asks for; `None` without a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<f64>,
}

/// What a split's questions score when each is answered with a training answer, as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetrievalScores {
    /// The split.
    pub split: String,
    /// Examples scored.
    pub scored: usize,
    /// Examples of the split; more than `scored` where a sample was taken.
    pub of: usize,
    /// The answer nearest to the question, which has the gene's symbol.
    pub by_question: Overlap,
    /// The answer nearest to the question with the gene's full name; `None` where no name is known.
    pub by_name: Option<Overlap>,
    /// The answer with the highest ROUGE-1 against the reference itself: no retrieval can score more.
    pub best: Overlap,
}

/// Scores retrieval: the training examples, and what is asked.
pub type Score<'a> = &'a dyn Fn(&[Example], &[Asked<'_>]) -> Vec<RetrievalScores>;
