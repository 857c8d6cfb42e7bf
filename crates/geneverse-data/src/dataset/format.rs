//! The forms in which instruction data is written, to be read by other programs too.
//!
//! | format | a file | a row |
//! |---|---|---|
//! | Alpaca | `train.json`, an array | `{"instruction", "input", "output"}` |
//! | ShareGPT | `train.sharegpt.json`, an array | `{"conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}]}` |
//! | messages | `train.messages.jsonl`, lines | `{"messages": [{"role": "user", "content"}, {"role": "assistant", "content"}]}` |
//! | Hugging Face | `data/train.jsonl`, lines | as Alpaca |
//!
//! Every row has `id`, `task` and `subject` besides. A conversation has no place for Alpaca's `input`: it follows the
//! instruction after an empty line. Which files are which split stands at the top of the dataset's `README.md`, where
//! `datasets.load_dataset` finds it.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Example, write_examples};
use crate::stage::{FileError, atomic_write};

/// A form of instruction data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Stanford Alpaca's JSON; what `train` reads by default.
    Alpaca,
    /// ShareGPT's conversations (LLaMA-Factory, axolotl, FastChat).
    Sharegpt,
    /// Messages as OpenAI's and TRL's finetuning take them.
    Messages,
    /// JSON Lines under `data/`, as datasets lie on the Hugging Face hub.
    Hf,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Alpaca, Self::Sharegpt, Self::Messages, Self::Hf];

    /// Its name: `alpaca`, `sharegpt`, `messages`, `hf`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Sharegpt => "sharegpt",
            Self::Messages => "messages",
            Self::Hf => "hf",
        }
    }

    /// The file of a split (`train`, `validation`, `test`), below the dataset's folder.
    pub fn file(self, split: &str) -> String {
        match self {
            Self::Alpaca => format!("{split}.json"),
            Self::Sharegpt => format!("{split}.sharegpt.json"),
            Self::Messages => format!("{split}.messages.jsonl"),
            Self::Hf => format!("data/{split}.jsonl"),
        }
    }

    /// Writes examples in this form, atomically.
    pub fn write(self, path: &Path, examples: &[Example]) -> Result<(), FileError> {
        let rows = |row: fn(&Example) -> Value| examples.iter().map(row);
        match self {
            Self::Alpaca => write_examples(path, examples),
            Self::Hf => write_lines(path, examples),
            Self::Messages => write_lines(path, rows(messages_row)),
            Self::Sharegpt => atomic_write(path, |out| {
                out.write_all(b"[")?;
                for (index, row) in rows(sharegpt_row).enumerate() {
                    out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
                    serde_json::to_writer(&mut *out, &row)?;
                }
                out.write_all(b"\n]\n")
            }),
        }
    }
}

fn write_lines<T: Serialize>(path: &Path, rows: impl IntoIterator<Item = T>) -> Result<(), FileError> {
    atomic_write(path, |out| {
        for row in rows {
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// The question as one text.
fn question(example: &Example) -> String {
    let Example { instruction, input, .. } = example;
    if input.is_empty() { instruction.clone() } else { format!("{instruction}\n\n{input}") }
}

fn sharegpt_row(example: &Example) -> Value {
    json!({
        "id": example.id, "task": example.task, "subject": example.subject,
        "conversations": [
            {"from": "human", "value": question(example)},
            {"from": "gpt", "value": example.output},
        ],
    })
}

fn messages_row(example: &Example) -> Value {
    json!({
        "id": example.id, "task": example.task, "subject": example.subject,
        "messages": [
            {"role": "user", "content": question(example)},
            {"role": "assistant", "content": example.output},
        ],
    })
}
