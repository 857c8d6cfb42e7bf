//! `answers.jsonl`: what a model said, a JSON object per line.
//!
//! ```json
//! {"id":"gene-GLI1","task":"gene","subject":"GLI1","prompt":"Please …","answer":"…","reference":"…","model":"…"}
//! ```

use std::io::{BufRead, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::stage::{FileError, atomic_write, open};

/// Which of the three tasks an example belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Describe a gene.
    #[default]
    Gene,
    /// Name a protein from its structure's picture.
    Protein,
    /// Say whether a gene marks a cell type.
    Marker,
}

/// One question, the model's answer and the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Unique within the file.
    pub id: String,
    /// The task.
    pub task: Task,
    /// The gene symbol, protein accession or marker gene asked about.
    pub subject: String,
    /// The cell type (marker task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_type: Option<String>,
    /// The true label (marker task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The question as the user wrote it, before any template.
    pub prompt: String,
    /// The picture shown with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What the model said.
    pub answer: String,
    /// What it should have said.
    pub reference: String,
    /// Which model said it.
    pub model: String,
}

/// Reads a whole file; an unreadable line is an error that names the file and the line.
pub fn read(path: &Path) -> Result<Vec<Answer>, FileError> {
    let mut answers = Vec::new();
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer =
            serde_json::from_str(&line).map_err(|e| FileError::row(path, index + 1, e.to_string()))?;
        answers.push(answer);
    }
    Ok(answers)
}

/// Writes a whole file beside its place and renames it in.
pub fn write(path: &Path, answers: &[Answer]) -> Result<(), FileError> {
    atomic_write(path, |out| {
        for answer in answers {
            serde_json::to_writer(&mut *out, answer)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}
