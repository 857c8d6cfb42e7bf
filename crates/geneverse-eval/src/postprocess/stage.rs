//! `answers.jsonl` → `answers.clean.jsonl`, with every edit in a file beside it.

use std::io::Write;
use std::path::{Path, PathBuf};

use geneverse_data::answers::{self, Answer, Task};
use geneverse_data::stage::{FileError, atomic_write};
use serde::{Deserialize, Serialize};

use super::{Edit, Repaired, Status, repair_subject};
use crate::index::GeneIndex;

/// Why a file of answers was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum PostprocessError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Input and output are the same file.
    #[error("{0}: found as input and as --out, expected two files; choose another --out")]
    SameFile(PathBuf),
}

/// A line of the edits file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedAnswer {
    /// The answer's id.
    pub id: String,
    /// The gene asked about.
    pub subject: String,
    /// How the repair ended.
    pub status: Status,
    /// Every change.
    pub edits: Vec<Edit>,
    /// What was left alone, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a repair of a file came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Answers read.
    pub answers: usize,
    /// Answers with at least one edit.
    pub repaired: usize,
    /// Edits in all.
    pub edits: usize,
    /// Subjects that the database does not know.
    pub unknown: Vec<String>,
    /// Subjects that are an alias of several genes.
    pub ambiguous: Vec<String>,
}

/// Where the edits of `out` are written: `answers.clean.jsonl` → `answers.clean.jsonl.edits.jsonl`.
pub fn edits_path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".edits.jsonl");
    out.with_file_name(name)
}

/// Repairs every answer of the gene task in `input` and writes `out` with the same fields, in the same order.
pub fn postprocess_file(
    index: &GeneIndex,
    input: &Path,
    out: &Path,
) -> Result<RepairReport, PostprocessError> {
    if input == out || input.canonicalize().ok().is_some_and(|path| out.canonicalize().ok() == Some(path)) {
        return Err(PostprocessError::SameFile(out.to_owned()));
    }
    let mut answers = answers::read(input)?;
    let mut report = RepairReport { answers: answers.len(), ..RepairReport::default() };
    let mut edited = Vec::with_capacity(answers.len());
    for answer in &mut answers {
        let Repaired { text, edits, notes, status } = repair_answer(answer, index);
        answer.answer = text;
        report.repaired += usize::from(!edits.is_empty());
        report.edits += edits.len();
        match status {
            Status::UnknownGene => report.unknown.push(answer.subject.clone()),
            Status::AmbiguousGene => report.ambiguous.push(answer.subject.clone()),
            Status::Unchanged | Status::Repaired | Status::OtherTask => {}
        }
        let (id, subject) = (answer.id.clone(), answer.subject.clone());
        edited.push(EditedAnswer { id, subject, status, edits, notes });
    }
    atomic_write(&edits_path(out), |file| {
        for line in &edited {
            serde_json::to_writer(&mut *file, line)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    answers::write(out, &answers)?;
    Ok(report)
}

fn repair_answer(answer: &Answer, index: &GeneIndex) -> Repaired {
    match answer.task {
        Task::Gene => repair_subject(&answer.answer, &answer.subject, index),
        Task::Protein | Task::Marker => Repaired {
            text: answer.answer.clone(),
            edits: Vec::new(),
            notes: Vec::new(),
            status: Status::OtherTask,
        },
    }
}
