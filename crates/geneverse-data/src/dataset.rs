//! Instruction data: Alpaca JSON, read and written; [`genes`] and [`text`](mod@text) make it.
//!
//! ```json
//! [
//! {"id":"gene-GLI1","task":"gene","subject":"GLI1","instruction":"Please …","input":"","output":"…"}
//! ]
//! ```
//!
//! `instruction` and `output` are what Stanford Alpaca has; the rest is optional when reading, so that
//! files made elsewhere load too.

pub mod genes;
pub(crate) mod select;
mod split;
pub mod text;

use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::answers::Task;
use crate::stage::{FileError, atomic_write, open};

pub use select::SkippedGene;

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

/// Reads examples from a JSON array or JSON Lines, gzip or plain. An example that cannot be read is an
/// error that names the file and which example or line; so is a file without any.
pub fn read_examples(path: &Path) -> Result<Vec<Example>, FileError> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).map_err(|e| FileError::reading(path, e))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut examples =
        if text.trim_start().starts_with('[') { read_array(path, text)? } else { read_lines(path, text)? };
    if examples.is_empty() {
        return Err(FileError::whole(
            path,
            "found no example, expected a JSON array or JSON Lines of examples",
        ));
    }
    for (index, example) in examples.iter_mut().enumerate() {
        if example.id.is_empty() {
            example.id = format!("example-{}", index + 1);
        }
    }
    Ok(examples)
}

fn read_array(path: &Path, text: &str) -> Result<Vec<Example>, FileError> {
    let values: Vec<serde_json::Value> =
        serde_json::from_str(text).map_err(|e| FileError::row(path, e.line(), format!("not JSON: {e}")))?;
    let parse = |(index, value)| {
        serde_json::from_value(value)
            .map_err(|e| FileError::whole(path, format!("example {} of the array: {e}", index + 1)))
    };
    values.into_iter().enumerate().map(parse).collect()
}

fn read_lines(path: &Path, text: &str) -> Result<Vec<Example>, FileError> {
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|e| FileError::row(path, index + 1, e.to_string()))
        })
        .collect()
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
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Example>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.json");
        std::fs::write(&path, text).unwrap();
        let place = format!("{}/", folder.path().display());
        read_examples(&path).map_err(|e| e.to_string().replace(&place, ""))
    }

    #[test]
    fn written_examples_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.json");
        let one = Example {
            id: "gene-GLI1".into(),
            task: Task::Gene,
            subject: "GLI1".into(),
            instruction: "Say \"GLI1\".\n".into(),
            input: String::new(),
            output: "GLI1 — yes".into(),
        };
        let two = Example { id: "gene-KDR".into(), subject: "KDR".into(), task: Task::Marker, ..one.clone() };
        write_examples(&path, &[one.clone(), two.clone()]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
        assert_eq!(read_examples(&path).unwrap(), [one, two]);
    }

    #[test]
    fn plain_alpaca_and_json_lines_load_with_defaults() {
        let array = "\u{feff}[{\"instruction\": \"a\", \"output\": \"b\"}, {\"instruction\": \"c\", \"output\": \"d\"}]";
        let lines = "{\"instruction\": \"a\", \"output\": \"b\"}\r\n\r\n{\"instruction\": \"c\", \"output\": \"d\"}\r\n";
        let examples = read(array).unwrap();
        assert_eq!(examples, read(lines).unwrap());
        assert_eq!(
            (examples[1].id.as_str(), examples[1].task, examples[1].subject.as_str()),
            ("example-2", Task::Gene, "")
        );
    }

    #[test]
    fn errors_name_the_file_and_the_place() {
        let error = read(r#"[{"instruction": "a", "output": "b"}, {"instruction": "c"}]"#).unwrap_err();
        assert_eq!(error, "train.json: example 2 of the array: missing field `output`");
        let error = read("{\"instruction\": \"a\", \"output\": \"b\"}\n{\"instruction\"").unwrap_err();
        assert!(error.starts_with("train.json:2: EOF"), "{error}");
        assert!(read("").unwrap_err().starts_with("train.json: found no example"));
        assert!(read("[]").unwrap_err().starts_with("train.json: found no example"));
        assert!(read("[\n{]").unwrap_err().starts_with("train.json:2: not JSON"));
    }
}

#[cfg(test)]
#[path = "dataset/tests.rs"]
mod stage_tests;
