//! Texts with their ids: what is embedded, searched or clustered.
//!
//! | from | id | subject | text |
//! |---|---|---|---|
//! | a table, `id<TAB>text` a line | first column | the id | second column |
//! | JSON Lines | `id` | `subject`, else the id | `text` |
//! | answers, as `generate` writes them | `id` | `subject` | `answer` |
//! | a database | the symbol | the symbol | the summary; genes without one are left out |
//!
//! A table may have a header (`id<TAB>text`); gzip is unpacked. An id stands for one text: one that comes again is an
//! error that names both lines, since whatever is computed from the texts is looked up by it.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;

use crate::answers;
use crate::stage::{FileError, open};
use crate::store::{GeneStore, StoreError};

/// A text under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Unique among the texts read together.
    pub id: String,
    /// What the text is about, mostly a gene's symbol.
    pub subject: String,
    /// The text itself; may be empty.
    pub text: String,
}

/// A line of JSON.
#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    subject: Option<String>,
    text: String,
}

/// Reads a table or JSON Lines, told apart by the first character.
pub fn read(path: &Path) -> Result<Vec<Text>, FileError> {
    let mut texts = Vec::new();
    let mut lines_of = HashMap::new();
    let mut as_json = None;
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        let line = line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            continue;
        }
        let number = index + 1;
        let first = as_json.is_none();
        let text = if *as_json.get_or_insert(line.starts_with('{')) {
            from_json(line).map_err(|reason| FileError::row(path, number, reason))?
        } else if first && line.to_lowercase() == "id\ttext" {
            continue;
        } else {
            from_row(line).map_err(|reason| FileError::row(path, number, reason))?
        };
        if let Some(earlier) = lines_of.insert(text.id.clone(), number) {
            let reason =
                format!("found the id {:?} again (first on line {earlier}), expected each once", text.id);
            return Err(FileError::row(path, number, reason));
        }
        texts.push(text);
    }
    if texts.is_empty() {
        return Err(FileError::whole(path, "found no text, expected lines of id, tab, text, or of JSON"));
    }
    Ok(texts)
}

fn from_json(line: &str) -> Result<Text, String> {
    let Line { id, subject, text } = serde_json::from_str(line)
        .map_err(|e| format!("found no object with \"id\" and \"text\", as every line has to be: {e}"))?;
    Ok(Text { subject: subject.unwrap_or_else(|| id.clone()), id, text })
}

fn from_row(line: &str) -> Result<Text, String> {
    let (id, text) = line
        .split_once('\t')
        .ok_or("found no tab, expected an id, a tab and the text (or an object of JSON on each line)")?;
    if id.trim().is_empty() {
        return Err("found no id before the tab".to_owned());
    }
    let id = id.trim().to_owned();
    Ok(Text { subject: id.clone(), id, text: text.trim().to_owned() })
}

/// The answers of a file as texts.
pub fn of_answers(path: &Path) -> Result<Vec<Text>, FileError> {
    let answers = answers::read(path)?;
    let mut seen = HashMap::new();
    for (index, answer) in answers.iter().enumerate() {
        if let Some(earlier) = seen.insert(answer.id.as_str(), index + 1) {
            let reason = format!(
                "answer {} has the id {:?} of answer {earlier}, expected each once",
                index + 1,
                answer.id
            );
            return Err(FileError::whole(path, reason));
        }
    }
    if answers.is_empty() {
        return Err(FileError::whole(path, "found no answer, expected lines as `generate` writes them"));
    }
    Ok(answers.into_iter().map(|a| Text { id: a.id, subject: a.subject, text: a.answer }).collect())
}

/// The summaries of a database, in symbol order.
pub fn of_database(store: &GeneStore) -> Result<Vec<Text>, StoreError> {
    let mut texts = Vec::new();
    for record in store.iter() {
        let record = record?;
        let symbol = record.symbol.as_str();
        if let Some(summary) = record.summary.filter(|summary| !summary.text.trim().is_empty()) {
            texts.push(Text { id: symbol.to_owned(), subject: symbol.to_owned(), text: summary.text });
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(content: &str) -> Result<Vec<Text>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts");
        std::fs::write(&path, content).unwrap();
        let shown = folder.path().display().to_string() + "/";
        read(&path).map_err(|e| e.to_string().replace(&shown, ""))
    }

    #[test]
    fn a_table_and_json_lines_are_told_apart() {
        let table = read_text("id\ttext\nGLI1\tA zinc finger.\tOf note.\r\n\nTP53\t\n").unwrap();
        assert_eq!(table.len(), 2);
        assert_eq!((table[0].id.as_str(), table[0].text.as_str()), ("GLI1", "A zinc finger.\tOf note."));
        assert_eq!((table[1].subject.as_str(), table[1].text.as_str()), ("TP53", ""));

        let json = "{\"id\":\"a-1\",\"subject\":\"GLI1\",\"text\":\"x\\ty\"}\n{\"id\":\"a-2\",\"text\":\"\"}";
        let json = read_text(json).unwrap();
        assert_eq!((json[0].subject.as_str(), json[0].text.as_str()), ("GLI1", "x\ty"));
        assert_eq!(json[1].subject, "a-2");
    }

    #[test]
    fn errors_name_the_line() {
        let error = |content: &str| read_text(content).unwrap_err();
        assert_eq!(
            error("a\tx\nb\ty\na\tz\n"),
            "texts:3: found the id \"a\" again (first on line 1), expected each once"
        );
        assert!(error("a\tx\nno tab here\n").starts_with("texts:2: found no tab"));
        assert!(error("\tx\n").starts_with("texts:1: found no id"));
        assert!(error("{\"id\":\"a\",\"text\":\"t\"}\n{\"id\":1}\n").starts_with("texts:2: found no object"));
        assert!(error("\n\n").starts_with("texts: found no text"));
    }
}
