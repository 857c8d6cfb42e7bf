//! Instruction data as it is found: Alpaca, ShareGPT, messages, prompt and completion; a JSON array or JSON Lines.
//!
//! The form is told row by row from the field that has the text (`instruction`, `conversations`, `messages`,
//! `prompt`). A row that an [`Example`] cannot hold whole (a system prompt, a second turn, a tool) is an error, never cut
//! down, and so is one whose pictures are not as many as the places (`<image>`) that its question has for them.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Example, PLACEHOLDER};
use crate::answers::Task;
use crate::stage::{FileError, open};

/// What was expected of a row whose form is not known.
const FORMS: &str = "`instruction` and `output` (Alpaca), `conversations` (ShareGPT), `messages`, or `prompt` and `completion`";

/// Reads examples, gzip or plain. A row that cannot be read is an error that names the file, the example or line,
/// the field, what was found and what was expected; so is a file without any.
pub fn read_examples(path: &Path) -> Result<Vec<Example>, FileError> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        FileError::row(path, line, "found bytes that are not UTF-8, expected text in UTF-8; convert the file")
    })?;
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
    let values: Vec<Value> =
        serde_json::from_str(text).map_err(|e| FileError::row(path, e.line(), format!("not JSON: {e}")))?;
    let parse = |(index, value)| {
        example(value).map_err(|e| FileError::whole(path, format!("example {} of the array: {e}", index + 1)))
    };
    values.into_iter().enumerate().map(parse).collect()
}

fn read_lines(path: &Path, text: &str) -> Result<Vec<Example>, FileError> {
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(index, line)| {
            let value: Value = serde_json::from_str(line).map_err(|e| {
                let reason = format!("not JSON: {e}; expected one object per line, or an array in [ ]");
                FileError::row(path, index + 1, reason)
            })?;
            example(value).map_err(|e| FileError::row(path, index + 1, e.to_string()))
        })
        .collect()
}

/// What is wrong with a row.
struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// "`output` is a number (5), expected a text".
fn wrong(field: &str, found: &Value, expected: &str) -> Wrong {
    Wrong(format!("`{field}` is {}, expected {expected}", in_words(found)))
}

fn missing(field: &str, expected: &str) -> Wrong {
    Wrong(format!("`{field}` is missing, expected {expected}"))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(yes) => format!("{yes}"),
        Value::Number(number) => format!("a number ({number})"),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn example(value: Value) -> Result<Example, Wrong> {
    let Value::Object(mut row) = value else {
        return Err(Wrong(format!("found {}, expected an object with {FORMS}", in_words(&value))));
    };
    let mut images = images(&mut row)?;
    let (instruction, input, output) = if row.contains_key("instruction") {
        (text(&mut row, "instruction")?, optional(&mut row, "input")?, text(&mut row, "output")?)
    } else if let Some(turns) = row.remove("conversations") {
        let (question, answer) = two_turns(turns, "conversations", "from", "value", &mut images)?;
        (question, String::new(), answer)
    } else if let Some(turns) = row.remove("messages") {
        let (question, answer) = two_turns(turns, "messages", "role", "content", &mut images)?;
        (question, String::new(), answer)
    } else if row.contains_key("prompt") && row.contains_key("completion") {
        (text(&mut row, "prompt")?, String::new(), text(&mut row, "completion")?)
    } else if row.contains_key("text") {
        let reason = format!(
            "found `text` alone, which does not say where the answer begins; expected {FORMS}; \
             plain text is for `geneverse pretrain`"
        );
        return Err(Wrong(reason));
    } else {
        let keys: Vec<String> = row.keys().take(6).map(|key| format!("`{key}`")).collect();
        let found = if keys.is_empty() { "no field".to_owned() } else { keys.join(", ") };
        return Err(Wrong(format!("found {found}, expected {FORMS}")));
    };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Example {
        id: id(&mut row)?,
        task: task(&mut row)?,
        subject: optional(&mut row, "subject")?,
        instruction: placed(instruction, &input, images.len())?,
        input,
        output,
        images,
        cell_type: filled(optional(&mut row, "cell_type")?),
        label: filled(optional(&mut row, "label")?),
    })
}

/// A row's pictures: `image` (LLaVA) or `images` (LLaMA-Factory), a text or a list of texts.
fn images(row: &mut Map<String, Value>) -> Result<Vec<String>, Wrong> {
    let Some(field) = ["image", "images"].into_iter().find(|field| row.contains_key(*field)) else {
        return Ok(Vec::new());
    };
    match row.remove(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|value| match value {
                Value::String(one) => Ok(one),
                other => Err(wrong(field, &other, "the names of picture files")),
            })
            .collect(),
        Some(other) => Err(wrong(field, &other, "the name of a picture file")),
    }
}

/// The question without the places of its pictures, where they are all at the start; LLaVA's data has a single one before or
/// behind.
fn placed(question: String, input: &str, pictures: usize) -> Result<String, Wrong> {
    let places = question.matches(PLACEHOLDER).count() + input.matches(PLACEHOLDER).count();
    // Without pictures it is a word like any other, unless the question begins with it.
    if places == 0 || (pictures == 0 && !question.trim_start().starts_with(PLACEHOLDER)) {
        return Ok(question);
    }
    if places != pictures {
        let reason = format!(
            "the question has {places} × `{PLACEHOLDER}` and the row names {pictures} pictures in `image`, expected as many"
        );
        return Err(Wrong(reason));
    }
    // The places of all pictures at the start, or of the only one at the end, need not be kept.
    let mut bare = question.trim();
    for _ in 0..places {
        bare = bare.strip_prefix(PLACEHOLDER).map_or(bare, str::trim_start);
    }
    if places == 1 {
        bare = bare.strip_suffix(PLACEHOLDER).map_or(bare, str::trim_end);
    }
    Ok(if bare.contains(PLACEHOLDER) || input.contains(PLACEHOLDER) { question } else { bare.to_owned() })
}

fn text(row: &mut Map<String, Value>, field: &str) -> Result<String, Wrong> {
    match row.remove(field) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong(field, &other, "a text")),
        None => Err(missing(field, "a text")),
    }
}

/// A text that may be absent or null.
fn optional(row: &mut Map<String, Value>, field: &str) -> Result<String, Wrong> {
    match row.remove(field) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong(field, &other, "a text or nothing")),
    }
}

/// Other programs number their rows.
fn id(row: &mut Map<String, Value>) -> Result<String, Wrong> {
    match row.remove("id") {
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(other) => {
            row.insert("id".to_owned(), other);
            optional(row, "id")
        }
        None => Ok(String::new()),
    }
}

fn task(row: &mut Map<String, Value>) -> Result<Task, Wrong> {
    match row.remove("task") {
        None | Some(Value::Null) => Ok(Task::Gene),
        Some(found) => serde_json::from_value(found.clone())
            .map_err(|_| wrong("task", &found, "\"gene\", \"protein\" or \"marker\"")),
    }
}

/// Question and answer of a conversation that has nothing else.
fn two_turns(
    turns: Value,
    list: &str,
    role: &str,
    said: &str,
    images: &mut Vec<String>,
) -> Result<(String, String), Wrong> {
    let Value::Array(turns) = turns else { return Err(wrong(list, &turns, "a list of turns")) };
    let mut told: Vec<(&'static str, String)> = Vec::new();
    for (index, turn) in turns.into_iter().enumerate() {
        let place = format!("{list}[{index}]");
        let Value::Object(mut turn) = turn else { return Err(wrong(&place, &turn, "an object")) };
        let speaker = match turn.remove(role) {
            Some(Value::String(name)) => speaker(&name).ok_or_else(|| {
                wrong(&format!("{place}.{role}"), &Value::String(name), "the user's or the assistant's role")
            })?,
            Some(other) => return Err(wrong(&format!("{place}.{role}"), &other, "a role")),
            None => return Err(missing(&format!("{place}.{role}"), "a role")),
        };
        if turn.get("tool_calls").is_some_and(|calls| !calls.is_null()) {
            return Err(Wrong(format!(
                "`{place}.tool_calls` is there, expected a conversation without tools"
            )));
        }
        let place = format!("{place}.{said}");
        let text = match turn.remove(said) {
            Some(Value::String(text)) => text,
            Some(Value::Array(parts)) => parts_text(&place, parts, images)?,
            Some(other) => return Err(wrong(&place, &other, "a text")),
            None => return Err(missing(&place, "a text")),
        };
        if speaker == "system" && !text.trim().is_empty() {
            let reason = format!(
                "`{place}` is a system prompt, expected none: prompts come from the recipe's template; put it before \
                 the question, or remove it"
            );
            return Err(Wrong(reason));
        }
        if speaker != "system" {
            told.push((speaker, text));
        }
    }
    let order: Vec<&str> = told.iter().map(|(speaker, _)| *speaker).collect();
    match (order.as_slice(), told.as_mut_slice()) {
        (["user", "assistant"], [(_, question), (_, answer)]) => {
            Ok((std::mem::take(question), std::mem::take(answer)))
        }
        _ => {
            let shown = if order.is_empty() { "nobody".to_owned() } else { order.join(", ") };
            let turns = if order.len() > 6 { format!("{} turns", order.len()) } else { shown };
            Err(Wrong(format!(
                "`{list}` has turns of {turns}, expected one of the user and one of the assistant; make an example of \
                 each pair"
            )))
        }
    }
}

fn speaker(name: &str) -> Option<&'static str> {
    match name {
        "human" | "user" => Some("user"),
        "gpt" | "assistant" | "model" | "chatgpt" | "bing" | "bard" => Some("assistant"),
        "system" | "developer" => Some("system"),
        _ => None,
    }
}

/// A message in parts, as models that see pictures have them. A picture is named in its part (`image`, `path`), or in
/// the row, in order.
fn parts_text(place: &str, parts: Vec<Value>, images: &mut Vec<String>) -> Result<String, Wrong> {
    let mut whole = String::new();
    let named_in_row = !images.is_empty();
    for (index, mut part) in parts.into_iter().enumerate() {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or("text").to_owned();
        if kind == "image" {
            let name = ["image", "path"].iter().find_map(|field| part.get(field)?.as_str());
            match name {
                Some(name) if !named_in_row => images.push(name.to_owned()),
                _ if named_in_row => {}
                _ => {
                    return Err(Wrong(format!(
                        "`{place}[{index}]` is a picture without a name, expected a file in `image`"
                    )));
                }
            }
            let leading = whole.is_empty() || whole.ends_with("<image>\n");
            whole.push_str(PLACEHOLDER);
            if leading {
                whole.push('\n');
            }
            continue;
        }
        match part.get_mut("text").map(Value::take) {
            Some(Value::String(text)) if kind == "text" => whole.push_str(&text),
            _ => {
                return Err(Wrong(format!("`{place}[{index}]` is of type {kind:?}, expected text or image")));
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests;
