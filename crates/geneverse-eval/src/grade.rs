//! Grades of truth and form, each with its reasons in words. No model is asked.
//!
//! | task | truth | form |
//! |---|---|---|
//! | gene | 0 or 1: names the gene, states its major function, contradicts nothing ([`facts`](crate::facts)) | one finished paragraph of academic prose ([`form`](crate::form)) |
//! | protein | the share of the true name that is given in one piece ([`protein`]) | one sentence that names a protein |
//! | marker | 0 or 1: yes or no as annotated ([`marker`]) | one sentence on gene and cell type |

use geneverse_data::answers::{Answer, Task};
use serde::{Deserialize, Serialize};

use crate::{marker, protein};

/// A grade with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grade {
    /// 0 or 1; a share of the name for the truth of the protein task.
    pub score: f64,
    /// Why, in words; "the answer …" is understood before each.
    pub reasons: Vec<String>,
}

impl Grade {
    /// Full marks, for one reason.
    pub fn pass(reason: impl Into<String>) -> Self {
        Self { score: 1.0, reasons: vec![reason.into()] }
    }

    /// No marks, for one reason.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self { score: 0.0, reasons: vec![reason.into()] }
    }
}

/// What an answer of a task without records is graded by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// The protein's name: the label, else the name that the reference gives, else the whole reference.
    Protein(String),
    /// Whether the gene is a marker: the label, else what the reference says.
    Marker {
        /// The cell type.
        cell_type: String,
        /// Whether it is one.
        is_marker: bool,
    },
}

impl Truth {
    /// What an answer is graded by; `None` for the gene task, whose truth is a record. An error says what is missing.
    pub fn of(answer: &Answer) -> Option<Result<Self, String>> {
        match answer.task {
            Task::Gene => None,
            Task::Protein => {
                let label = answer.label.clone().filter(|label| !label.trim().is_empty());
                let name = label.or_else(|| protein::given_name(&answer.reference));
                let name = name.unwrap_or_else(|| answer.reference.trim().trim_end_matches('.').to_owned());
                let named = name.chars().any(char::is_alphanumeric);
                let missing = || "found neither label nor reference, expected the protein's name".to_owned();
                Some(if named { Ok(Self::Protein(name)) } else { Err(missing()) })
            }
            Task::Marker => Some(Self::of_marker(answer)),
        }
    }

    fn of_marker(answer: &Answer) -> Result<Self, String> {
        let Some(cell_type) = answer.cell_type.clone().filter(|kind| !kind.trim().is_empty()) else {
            return Err("found no cell_type, expected the cell type that was asked about".to_owned());
        };
        let is_marker = match &answer.label {
            Some(label) => marker::parse_label(label)
                .ok_or_else(|| format!("found label {label:?}, expected \"yes\" or \"no\""))?,
            None => match marker::said(&answer.reference, &answer.subject, &cell_type) {
                marker::Said::Yes => true,
                marker::Said::No => false,
                _ => return Err("found no label, and a reference that says neither yes nor no".to_owned()),
            },
        };
        Ok(Self::Marker { cell_type, is_marker })
    }

    /// Truth and form of an answer.
    pub fn grade(&self, answer: &Answer) -> (Grade, Grade) {
        let text = &answer.answer;
        match self {
            Self::Protein(name) => (protein::grade_truth(text, name), protein::grade_form(text)),
            Self::Marker { cell_type, is_marker } => (
                marker::grade_truth(text, &answer.subject, cell_type, *is_marker),
                marker::grade_form(text, &answer.subject, cell_type),
            ),
        }
    }
}
