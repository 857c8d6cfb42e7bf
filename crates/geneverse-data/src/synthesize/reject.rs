//! Why an answer is not used.

use serde::{Deserialize, Serialize};

use crate::chat::ChatAnswer;

/// What is wrong with an answer, in classes that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The model declined, or said that it does not know.
    Refusal,
    /// There is no text.
    Empty,
    /// It ends before its end.
    CutOff,
    /// It is about another gene.
    OtherGene,
    /// It says that the gene is of another kind than it is.
    OtherKind,
    /// The gene is not named.
    SymbolLost,
    /// It gives identifiers that are not the gene's, or that cannot be checked.
    Identifiers,
    /// It is the question, or the record as it stood.
    Echo,
    /// It is not one paragraph of academic prose.
    Form,
    /// The server took other questions, and not this one.
    RefusedByServer,
    /// There was no answer in the end, and the user wanted to go on without it.
    NoAnswer,
}

impl Reason {
    /// The reason in words, of an answer.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refusal => "refused by the model",
            Self::Empty => "empty",
            Self::CutOff => "cut off",
            Self::OtherGene => "about another gene",
            Self::OtherKind => "contradicts the gene's kind",
            Self::SymbolLost => "does not name the gene",
            Self::Identifiers => "identifiers that are not the gene's",
            Self::Echo => "repeats what was asked",
            Self::Form => "not one paragraph of academic prose",
            Self::RefusedByServer => "refused by the server",
            Self::NoAnswer => "no answer",
        }
    }
}

/// The verdict on one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The class.
    pub reason: Reason,
    /// What was found.
    pub detail: String,
}

impl Rejection {
    /// A rejection with what was found.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What the server itself says is wrong with an answer; `text` is the answer without its thoughts.
pub(super) fn by_server(answer: &ChatAnswer, text: &str) -> Result<(), Rejection> {
    let finish = answer.finish.as_deref().unwrap_or_default();
    if let Some(words) = &answer.refusal {
        return Err(Rejection::new(Reason::Refusal, format!("the model declined: {words}")));
    }
    if finish == "content_filter" {
        return Err(Rejection::new(Reason::Refusal, "the server's content filter ended it"));
    }
    if finish == "length" {
        let detail = "ended at the limit of tokens: a larger --max-tokens lets it end";
        return Err(Rejection::new(Reason::CutOff, detail));
    }
    if !text.chars().any(char::is_alphanumeric) {
        let thoughts = answer.reasoned || !answer.text.trim().is_empty();
        let detail = if thoughts { "holds thoughts and no answer" } else { "holds no word" };
        return Err(Rejection::new(Reason::Empty, detail));
    }
    Ok(())
}
