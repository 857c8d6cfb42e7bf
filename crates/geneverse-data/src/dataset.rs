//! Instruction data: examples, read and written; [`genes`] and [`text`](mod@text) make it, [`inspect`] looks at it.
//!
//! ```json
//! [
//! {"id":"gene-GLI1","task":"gene","subject":"GLI1","instruction":"Please …","input":"","output":"…"}
//! ]
//! ```
//!
//! `instruction` and `output` are what Stanford Alpaca has; the rest is optional when reading, so that
//! files made elsewhere load too. [`format`](mod@format) lists the other forms that are read and written.

mod card;
pub mod compare;
pub mod content;
pub mod describe;
pub mod format;
pub mod genes;
pub mod inspect;
pub mod near;
mod read;
pub mod retrieval;
pub(crate) mod select;
mod split;
mod synthetic;
pub mod text;

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::answers::Task;
use crate::stage::{FileError, atomic_write};

pub use read::read_examples;
pub use select::SkippedGene;
pub use synthetic::SyntheticReport;

/// One question and the answer a model should learn to give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Unique within the file; `example-N` (N from 1) where the file has none.
    #[serde(default)]
    pub id: String,
    /// The task; `gene` where the file has none.
    #[serde(default = "gene_task")]
    pub task: Task,
    /// The gene symbol, protein accession or marker gene asked about; may be empty.
    #[serde(default)]
    pub subject: String,
    /// What is asked.
    pub instruction: String,
    /// Further context; usually empty.
    #[serde(default)]
    pub input: String,
    /// The answer.
    pub output: String,
}

fn gene_task() -> Task {
    Task::Gene
}

/// Writes examples as a JSON array with one object per line, atomically.
pub fn write_examples(path: &Path, examples: &[Example]) -> Result<(), FileError> {
    atomic_write(path, |out| {
        out.write_all(b"[")?;
        for (index, example) in examples.iter().enumerate() {
            out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, example)?;
        }
        out.write_all(b"\n]\n")
    })
}

#[cfg(test)]
#[path = "dataset/tests.rs"]
mod stage_tests;
