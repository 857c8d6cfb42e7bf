//! Answers so far, on disk as they come: the first line says what they belong to, each further one is an answer with how it
//! came about.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use geneverse_data::answers::{self, Answer};
use geneverse_data::dataset::Example;
use geneverse_data::stage::{self, write_lines};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Trace;

/// `OUT.END`
pub(crate) fn beside(out: &Path, end: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    out.with_file_name(name)
}

#[derive(Serialize, Deserialize)]
struct Kept {
    answer: Answer,
    trace: Trace,
}

/// The file and what is in it.
pub(super) struct Part {
    path: PathBuf,
    out: PathBuf,
    file: fs::File,
    answers: HashMap<String, Kept>,
}

impl Part {
    /// Opens what an interrupted run with the same key has left; what another one has left is dropped.
    pub(super) fn open(out: &Path, key: &str) -> Result<Self> {
        let path = beside(out, "part");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let mut answers = HashMap::new();
        if lines.next() == Some(key) {
            // The last line may be half written: it is asked again.
            for kept in lines.map_while(|line| serde_json::from_str::<Kept>(line).ok()) {
                answers.insert(kept.answer.id.clone(), kept);
            }
        }
        if let Some(folder) = out.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
        }
        stage::atomic_write(&path, |out| {
            writeln!(out, "{key}")?;
            answers.values().try_for_each(|answer| writeln!(out, "{}", serde_json::to_string(answer)?))
        })?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.with_context(|| format!("{}: cannot open", path.display()))?;
        Ok(Self { path, out: out.to_owned(), file, answers })
    }

    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.answers.contains_key(id)
    }

    pub(super) fn push(&mut self, answer: Answer, trace: Trace) -> Result<()> {
        let kept = Kept { answer, trace };
        let line = serde_json::to_string(&kept)?;
        writeln!(self.file, "{line}").with_context(|| format!("{}: cannot write", self.path.display()))?;
        self.answers.insert(kept.answer.id.clone(), kept);
        Ok(())
    }

    /// Writes the answers in the questions' order, and how they came about where that is more than a model's own doing.
    pub(super) fn finish(mut self, examples: &[Example]) -> Result<()> {
        let kept: Vec<Kept> = examples.iter().filter_map(|e| self.answers.remove(&e.id)).collect();
        if kept.iter().any(|kept| !kept.trace.sources.is_empty() || !kept.trace.calls.is_empty()) {
            let line = |kept: &Kept| -> Value {
                let mut line = json!({"id": kept.answer.id});
                if let (Value::Object(line), Ok(Value::Object(trace))) =
                    (&mut line, serde_json::to_value(&kept.trace))
                {
                    line.extend(trace);
                }
                line
            };
            write_lines(&beside(&self.out, "trace.jsonl"), kept.iter().map(line))?;
        }
        let answers: Vec<Answer> = kept.into_iter().map(|kept| kept.answer).collect();
        answers::write(&self.out, &answers)?;
        fs::remove_file(&self.path).with_context(|| format!("{}: cannot remove", self.path.display()))
    }
}
