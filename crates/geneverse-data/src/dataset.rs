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
//!
//! An example may show pictures. They lie where `image` says, below the folder of the file that names them, and come
//! before the question, or where `<image>` stands in it.

mod card;
pub mod compare;
pub mod content;
pub mod describe;
pub mod format;
pub mod genes;
pub mod inspect;
pub mod made_up;
pub mod markers;
pub mod near;
pub mod pictures;
pub mod proteins;
mod read;
pub mod retrieval;
pub(crate) mod select;
mod split;
mod synthetic;
pub mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::answers::Task;
use crate::stage::{FileError, atomic_write};

pub use read::read_examples;
pub use select::SkippedGene;
pub use synthetic::SyntheticReport;

/// What stands in a question where a picture is shown.
pub const PLACEHOLDER: &str = "<image>";

/// One question and the answer a model should learn to give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The pictures shown, as the file names them: below the folder that it lies in. A text where there is one, a list
    /// where there are several.
    #[serde(default, rename = "image", with = "pictures_form", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The cell type asked about (marker task).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_type: Option<String>,
    /// The true label (marker task): `yes` or `no`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Example {
    /// Where its pictures lie, if the example was read from `file`.
    pub fn picture_paths(&self, file: &Path) -> Vec<PathBuf> {
        let folder = file.parent().unwrap_or(Path::new(""));
        self.images.iter().map(|image| folder.join(image)).collect()
    }
}

/// One picture is a text, several are a list, as LLaVA's data has them.
mod pictures_form {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        None(()),
        One(String),
        Several(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(images: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match images {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::None(()) => Vec::new(),
            Form::One(one) => vec![one],
            Form::Several(several) => several,
        })
    }
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
