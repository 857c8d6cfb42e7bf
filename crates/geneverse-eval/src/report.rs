//! `report.html`: one page that opens from disk, with every number and every answer behind it.
//!
//! The page makes no request: styles, script, figures, pictures and answers are in it. It follows the reader's light or
//! dark setting and prints. What it says of scores and training needs no script; the script sorts tables and shows
//! questions as they are asked for, so that ten thousand of them open as fast as ten. [`collect`] reads run folders,
//! [`render`] is a function of [`ReportInput`].

mod bars;
mod baseline;
mod chunks;
mod collect;
mod compare;
mod context;
mod diff;
mod html;
mod items;
mod measures;
mod pictures;
mod read;
mod svg;
mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use geneverse_data::answers::Task;
use geneverse_data::dataset::compare::{Finding, Leakage};
use geneverse_data::dataset::retrieval::RetrievalScores;
use serde::{Deserialize, Serialize};

use crate::postprocess::Edit;
use crate::text::BleuCounts;

pub use collect::{Collect, collect};
pub use html::render;
pub use read::{read_curve, table_row};

/// A run's folder, and what is known of it beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// The file it was trained on, as its recipe names it; it need not be there any more.
    pub train: Option<PathBuf>,
}

/// All that the page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportInput {
    /// The title.
    pub title: String,
    /// What was done and what came of it, in plain language; a paragraph each.
    pub summary: Vec<String>,
    /// One table per split: "seen in finetuning", "held out".
    pub splits: Vec<SplitTable>,
    /// One figure per training run.
    pub curves: Vec<Curve>,
    /// Every question.
    pub questions: Vec<Question>,
    /// The questions' pictures as `data:` addresses, each once.
    pub pictures: Vec<String>,
    /// How each run was made: its name, and facts as name and value.
    pub runs: Vec<(String, Vec<(String, String)>)>,
}

/// The scores of several models on one set of questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SplitTable {
    /// "Genes held out".
    pub name: String,
    /// What the split means, in a sentence.
    pub note: String,
    /// One row per model.
    pub rows: Vec<Row>,
    /// Every two rows with questions in common.
    pub differences: Vec<Difference>,
    /// What of the questions was in training data, and what looking up a training answer would score; one per dataset.
    pub contexts: Vec<Context>,
    /// What constant and usual answers score, for the tasks with pictures.
    pub baselines: Vec<Row>,
}

/// The scores of one model, all in [0, 1].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// "base", "finetuned", "finetuned + repaired".
    pub model: String,
    /// How many answers.
    pub n: usize,
    /// Mean grade of truth.
    pub factual: f64,
    /// Mean grade of form.
    pub structural: f64,
    /// Mean of both.
    pub average: f64,
    /// Corpus BLEU.
    pub bleu: f64,
    /// Mean ROUGE-1.
    pub rouge1: f64,
    /// Share of identifiers that are right; `None` where none was written.
    pub identifiers_right: Option<f64>,
    /// Further scores by their key in `scores.json`: `rouge2`, `claim_precision`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
    /// 95 % intervals by the score's key in `scores.json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
}

/// By how much one row's scores differ from another's, on the questions that both answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// The row.
    pub run: String,
    /// The row that is subtracted.
    pub against: String,
    /// Questions in common.
    pub shared: usize,
    /// A score's key, the difference, and its 95 % interval.
    pub scores: Vec<(&'static str, f64, [f64; 2])>,
}

/// What training data has of a table's questions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// The dataset's folder, or the training file.
    pub dataset: String,
    /// The runs that were trained on it; empty where none of them is known to be.
    pub runs: Vec<String>,
    /// Questions of the table.
    pub questions: usize,
    /// How many of them are examples of each of the dataset's splits.
    pub places: Vec<(String, usize)>,
    /// What of the questions is in the training set; `None` where that was not measured.
    pub leakage: Option<Leakage>,
    /// Of the tasks with pictures: what of those asked about is asked about in training too.
    pub shared: Vec<(String, Finding)>,
    /// What looking up a training answer scores; `None` where that was not measured.
    pub retrieval: Option<RetrievalScores>,
    /// What a reader has to know beside: the file has changed since.
    pub warnings: Vec<String>,
}

/// Losses of a training run over its steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// "Finetuning".
    pub name: String,
    /// (step, loss) of training.
    pub train: Vec<(f64, f64)>,
    /// (step, loss) of validation.
    pub validation: Vec<(f64, f64)>,
}

/// One question with what each model said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Which split it belongs to.
    pub split: String,
    /// Its id.
    pub id: String,
    /// The task.
    pub task: Option<Task>,
    /// The gene or protein asked about.
    pub subject: String,
    /// The cell type asked about.
    pub cell_type: Option<String>,
    /// The true label.
    pub label: Option<String>,
    /// The question as asked.
    pub prompt: String,
    /// The picture shown with it.
    pub picture: Option<Picture>,
    /// The reference answer.
    pub reference: String,
    /// What each model said.
    pub answers: Vec<ShownAnswer>,
}

/// A question's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its path, as the answers name it.
    pub path: String,
    /// Its place in [`ReportInput::pictures`], or why it is not there.
    pub shown: Result<usize, String>,
}

/// One model's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShownAnswer {
    /// The model: a row of the tables.
    pub model: String,
    /// What it said, after repair where this is a repaired answer.
    pub text: String,
    /// What was said before the repair.
    pub before: Option<String>,
    /// What the repair changed.
    pub edits: Vec<Edit>,
    /// Its grades.
    pub grade: Option<Grade>,
}

/// The grades of one answer, as `scores.json` has them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Grade {
    /// The answer's id.
    pub id: String,
    /// Grade of truth.
    pub factual: f64,
    /// Grade of form.
    pub structural: f64,
    /// Sentence BLEU / 100.
    #[serde(default)]
    pub bleu: Option<f64>,
    /// What corpus BLEU adds up.
    #[serde(default)]
    pub bleu_counts: Option<BleuCounts>,
    /// ROUGE-1 F1.
    #[serde(default)]
    pub rouge1: f64,
    /// ROUGE-2 F1.
    #[serde(default)]
    pub rouge2: Option<f64>,
    /// ROUGE-L F1.
    #[serde(default)]
    pub rouge_l: Option<f64>,
    /// Why the grades are what they are.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Identifiers in this answer.
    #[serde(default)]
    pub identifiers: usize,
    /// How many of them are right.
    #[serde(default)]
    pub identifiers_right: usize,
    /// What the answer claims.
    #[serde(default, deserialize_with = "read::claims")]
    pub claims: Vec<ShownClaim>,
}

/// One claim of an answer and what the record says to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ShownClaim {
    /// What it is about: "location", "pathway".
    pub kind: String,
    /// The claim in the answer's words.
    pub text: String,
    /// "supported", "contradicted" or "not_in_record".
    pub verdict: String,
    /// The record's field that decides.
    pub field: Option<String>,
    /// What stands there, where it is not what the claim says.
    pub record: Option<String>,
    /// Why, in words, where the grader says so.
    pub why: Option<String>,
}

#[cfg(test)]
mod tests;
