//! Grades of the gene task: truth and form, each 0 or 1 with its reasons in words. No model is asked.
//!
//! Truth (see [`facts`](crate::facts)): the answer names the gene, states its major function so that among all
//! genes of the database it is nearest to its own record, and contradicts nothing the record says.
//! Form (see [`form`](crate::form)): one finished paragraph of academic prose.

use serde::{Deserialize, Serialize};

/// A grade with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grade {
    /// 0 or 1.
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
