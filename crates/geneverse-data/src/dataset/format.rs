//! The forms in which instruction data is written, to be read by other programs too.
//!
//! | format | a file | a row |
//! |---|---|---|
//! | Alpaca | `train.json`, an array | `{"instruction", "input", "output"}` |
//! | ShareGPT | `train.sharegpt.json`, an array | `{"conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}]}` |
//! | messages | `train.messages.jsonl`, lines | `{"messages": [{"role": "user", "content"}, {"role": "assistant", "content"}]}` |
//! | Hugging Face | `data/train.jsonl`, lines | as Alpaca |
//!
//! | LLaVA | `train.json`, an array | ShareGPT's conversations, and the picture in `image` |
//!
//! Every row has `id`, `task` and `subject` besides, and where there is one its picture in `image`, the cell type and the
//! label. A conversation has no place for Alpaca's `input`: it follows the instruction after an empty line. It has
//! `<image>` where a picture is shown; messages have a part of type `image` there. Which files are which split stands at the top of the dataset's `README.md`, where
//! `datasets.load_dataset` finds it.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Example, PLACEHOLDER, write_examples};
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
    /// What LLaVA is finetuned on: ShareGPT's conversations with pictures.
    Llava,
}

impl Format {
    /// Those that text alone is written in; LLaVA's files have the name of Alpaca's.
    pub const ALL: [Self; 4] = [Self::Alpaca, Self::Sharegpt, Self::Messages, Self::Hf];

    /// Its name: `alpaca`, `sharegpt`, `messages`, `hf`, `llava`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alpaca => "alpaca",
            Self::Sharegpt => "sharegpt",
            Self::Messages => "messages",
            Self::Hf => "hf",
            Self::Llava => "llava",
        }
    }

    /// The file of a split (`train`, `validation`, `test`), below the dataset's folder.
    pub fn file(self, split: &str) -> String {
        match self {
            Self::Alpaca | Self::Llava => format!("{split}.json"),
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
            Self::Sharegpt | Self::Llava => atomic_write(path, |out| {
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

/// The question as one text, with its pictures' places where the text does not have them.
fn question(example: &Example) -> String {
    let Example { instruction, input, images, .. } = example;
    let places =
        if instruction.contains(PLACEHOLDER) || input.contains(PLACEHOLDER) { 0 } else { images.len() };
    let places = format!("{PLACEHOLDER}\n").repeat(places);
    if input.is_empty() {
        format!("{places}{instruction}")
    } else {
        format!("{places}{instruction}\n\n{input}")
    }
}

/// What every row has beside its turns.
fn about(example: &Example) -> Map<String, Value> {
    let Example { id, task, subject, images, cell_type, label, instruction: _, input: _, output: _ } =
        example;
    let mut row = Map::new();
    for (field, value) in [("id", json!(id)), ("task", json!(task)), ("subject", json!(subject))] {
        row.insert(field.to_owned(), value);
    }
    match images.as_slice() {
        [] => {}
        [one] => drop(row.insert("image".to_owned(), json!(one))),
        several => drop(row.insert("image".to_owned(), json!(several))),
    }
    for (field, value) in [("cell_type", cell_type), ("label", label)] {
        if let Some(value) = value {
            row.insert(field.to_owned(), json!(value));
        }
    }
    row
}

fn sharegpt_row(example: &Example) -> Value {
    let mut row = about(example);
    let turns = json!([
        {"from": "human", "value": question(example)},
        {"from": "gpt", "value": example.output},
    ]);
    row.insert("conversations".to_owned(), turns);
    Value::Object(row)
}

fn messages_row(example: &Example) -> Value {
    let mut row = about(example);
    let content = if example.images.is_empty() { json!(question(example)) } else { parts(example) };
    let turns = json!([
        {"role": "user", "content": content},
        {"role": "assistant", "content": example.output},
    ]);
    row.insert("messages".to_owned(), turns);
    Value::Object(row)
}

/// The question in parts: text, and pictures in their places.
fn parts(example: &Example) -> Value {
    let question = question(example);
    let mut parts = Vec::new();
    let mut leading = true;
    for (index, text) in question.split(PLACEHOLDER).enumerate() {
        if index > 0 {
            parts.push(json!({"type": "image", "image": example.images.get(index - 1)}));
        }
        let text = if index > 0 && leading { text.strip_prefix('\n').unwrap_or(text) } else { text };
        leading &= text.is_empty();
        if !text.is_empty() {
            parts.push(json!({"type": "text", "text": text}));
        }
    }
    Value::Array(parts)
}
