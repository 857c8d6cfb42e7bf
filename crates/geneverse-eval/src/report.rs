//! `report.html`: one page that opens from disk, with every number and every answer behind it.
//!
//! The page makes no request: styles and figures are inline. It follows the reader's light or dark setting and
//! prints. [`render`] is a function of [`ReportInput`]; nothing is read or written here.

mod collect;
mod diff;
mod html;
mod inputs;
mod svg;

use serde::{Deserialize, Serialize};

use crate::postprocess::Edit;
use crate::scores::Item;

pub use collect::{add_answers, collect};
pub use html::render;
pub use inputs::{read_curve, table_row};

/// All that the page shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Facts of the run: settings, time, memory, versions; name and value.
    pub facts: Vec<(String, String)>,
}

/// The scores of several models on one set of questions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitTable {
    /// "Genes held out".
    pub name: String,
    /// What the split means, in a sentence.
    pub note: String,
    /// One row per model.
    pub rows: Vec<Row>,
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Which split it belongs to.
    pub split: String,
    /// The gene asked about.
    pub subject: String,
    /// The question as asked.
    pub prompt: String,
    /// The reference answer.
    pub reference: String,
    /// What each model said.
    pub answers: Vec<ShownAnswer>,
}

/// One model's answer, before and after repair.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShownAnswer {
    /// The model.
    pub model: String,
    /// What it said.
    pub text: String,
    /// Its grades as said.
    pub grade: Option<Item>,
    /// The repaired answer, where there is one.
    pub repaired: Option<RepairedAnswer>,
}

/// An answer after repair.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RepairedAnswer {
    /// The text.
    pub text: String,
    /// What was changed.
    pub edits: Vec<Edit>,
    /// Its grades after repair.
    pub grade: Option<Item>,
}

#[cfg(test)]
mod tests;
