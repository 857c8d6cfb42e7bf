//! Repair: what a language model cannot know is replaced by what the database says.
//!
//! Two things are touched, and nothing else: identifiers (`HGNC:4317`, `ENSG…`, …) and lists of aliases
//! ("also known as A, B and C"). An identifier that is not the gene's own takes the gene's value in the style it
//! was written in; where the gene has none it goes, with the clause that held it. An identifier written beside
//! another gene's name is measured against that gene. Text with neither comes through byte for byte, and
//! repairing twice changes nothing more.

mod aliases;
mod clause;
mod identifiers;
mod stage;

use geneverse_data::gene::GeneRecord;
use serde::{Deserialize, Serialize};

use crate::index::{GeneIndex, Resolved};

pub(crate) use aliases::listed as listed_aliases;
pub(crate) use identifiers::{count_wrong as wrong_identifiers, wrong as wrong_mentions};
pub use stage::{EditedAnswer, PostprocessError, RepairReport, edits_path, postprocess_file};

/// Repairs are made until nothing changes. Each round puts something right or makes the text shorter, so it ends
/// long before this; the bound is there so that a mistake in that argument cannot hang a run.
const ROUNDS: usize = 1000;

/// One change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// What kind of thing was changed: "HGNC id", "alias list", …
    pub what: String,
    /// The text before.
    pub from: String,
    /// The text after; empty where it was removed.
    pub to: String,
}

/// How a repair ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing needed a change.
    Unchanged,
    /// Something was changed.
    Repaired,
    /// The gene asked about is not in the database: the text is as it was.
    UnknownGene,
    /// The name asked about is an alias of several genes: the text is as it was.
    AmbiguousGene,
    /// Not an answer of the gene task: the text is as it was.
    OtherTask,
}

/// A text after repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The text.
    pub text: String,
    /// Every change, in the order made.
    pub edits: Vec<Edit>,
    /// What was left alone, and why.
    pub notes: Vec<String>,
    /// How it ended.
    pub status: Status,
}

/// Repairs an answer about `gene`. `index` tells whose the other identifiers are.
pub fn repair(answer: &str, gene: &GeneRecord, index: &GeneIndex) -> Repaired {
    let mut text = answer.to_owned();
    let mut edits = Vec::new();
    let mut notes = Vec::new();
    for _ in 0..ROUNDS {
        let before = edits.len();
        notes.clear();
        text = aliases::repair(&text, gene, &mut edits);
        text = identifiers::repair(&text, gene, index, &mut edits, &mut notes);
        if edits.len() == before {
            break;
        }
    }
    let status = if edits.is_empty() { Status::Unchanged } else { Status::Repaired };
    Repaired { text, edits, notes, status }
}

/// Repairs an answer about a gene given by name; an unknown or ambiguous name leaves the text as it is.
pub fn repair_subject(answer: &str, subject: &str, index: &GeneIndex) -> Repaired {
    let untouched =
        |status, note| Repaired { text: answer.to_owned(), edits: Vec::new(), notes: vec![note], status };
    match index.resolve(subject) {
        Resolved::Gene(gene) => repair(answer, gene, index),
        Resolved::Unknown => {
            untouched(Status::UnknownGene, format!("{subject} is not in the database; the text is unchanged"))
        }
        Resolved::Ambiguous(genes) => {
            let symbols: Vec<&str> = genes.iter().map(|gene| gene.symbol.as_str()).collect();
            let note = format!("{subject} is an alias of {}; the text is unchanged", symbols.join(", "));
            untouched(Status::AmbiguousGene, note)
        }
    }
}

#[cfg(test)]
mod tests;
