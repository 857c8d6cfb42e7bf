//! Answers that were paid for, kept: JSON Lines, appended to as answers come.
//!
//! ```json
//! {"key":"9f3c…","symbol":"GLI1","attempt":0,"answer":{"text":"…","finish":"stop","usage":{…}}}
//! ```
//!
//! The key is the SHA-256 of model, messages and parameters, and says nothing of the endpoint: the same model elsewhere
//! is the same model. What the server said is kept as it was said; everything after that is done anew in each run. A
//! program that is killed leaves at most one torn line at the end, which is cut off when the file is opened again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::chat::ChatAnswer;
use crate::stage::FileError;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Entry<A> {
    key: String,
    symbol: String,
    attempt: u32,
    answer: A,
}

/// The answers of one model under one set of parameters.
#[derive(Debug)]
pub(crate) struct Cache<A = ChatAnswer> {
    path: PathBuf,
    answers: HashMap<String, A>,
    /// Open for appending once the first answer comes; locked, so that two runs do not pay for the same answers.
    file: Option<File>,
    unreadable: usize,
}

impl<A: Serialize + DeserializeOwned> Cache<A> {
    /// Reads what is there; nothing is written before the first answer.
    pub(crate) fn read(path: &Path) -> Result<Self, FileError> {
        let mut cache = Self { path: path.to_owned(), answers: HashMap::new(), file: None, unreadable: 0 };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(cache),
            Err(e) => return Err(FileError::io(path, "read", e)),
        };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            match serde_json::from_slice::<Entry<A>>(line) {
                Ok(entry) => drop(cache.answers.insert(entry.key, entry.answer)),
                Err(_) => cache.unreadable += 1,
            }
        }
        Ok(cache)
    }

    /// The answer to a question that was asked before.
    pub(crate) fn get(&self, key: &str) -> Option<&A> {
        self.answers.get(key)
    }

    /// Lines that could not be read: what a killed program was writing, or damage.
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// Makes it ready to be written to, and keeps other programs from that.
    pub(crate) fn lock(&mut self) -> Result<(), FileError> {
        let path = self.path.clone();
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| FileError::io(folder, "make the folder", e))?;
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = opened.map_err(|e| FileError::io(&path, "open", e))?;
        // Some file systems know no locks; there the user has to see to it.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let reason =
                "another run is asking the same model and writes here; wait for it, or give another --cache";
            return Err(FileError::whole(&path, reason));
        }
        end_last_line::<A>(&mut file).map_err(|e| FileError::io(&path, "repair the last line", e))?;
        // The other program may have written since this one read.
        *self = Self { file: Some(file), ..Self::read(&path)? };
        Ok(())
    }

    /// Keeps an answer. After this a killed program does not lose it.
    pub(crate) fn keep(&mut self, key: &str, symbol: &str, attempt: u32, answer: A) -> Result<(), FileError> {
        let entry = Entry { key: key.to_owned(), symbol: symbol.to_owned(), attempt, answer };
        let mut line = serde_json::to_vec(&entry).map_err(|e| FileError::whole(&self.path, e.to_string()))?;
        line.push(b'\n');
        if self.file.is_none() {
            self.lock()?;
        }
        if let Some(file) = &mut self.file {
            // In one call: a reader sees the line or nothing of it.
            file.write_all(&line).map_err(|e| FileError::io(&self.path, "write", e))?;
        }
        self.answers.insert(entry.key, entry.answer);
        Ok(())
    }
}

/// Ends a file with a line end: a torn line goes, a whole one that only lacks its end stays.
fn end_last_line<A: DeserializeOwned>(file: &mut File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = &bytes[start..];
    if last.is_empty() {
        return Ok(());
    }
    if serde_json::from_slice::<Entry<A>>(last).is_ok() {
        return file.write_all(b"\n");
    }
    file.set_len(start as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> ChatAnswer {
        ChatAnswer { text: text.to_owned(), ..ChatAnswer::default() }
    }

    #[test]
    fn a_torn_last_line_costs_that_line_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/m.jsonl");
        let mut cache = Cache::<ChatAnswer>::read(&path).unwrap();
        assert!(!path.exists(), "reading writes nothing");
        cache.keep("a", "GLI1", 0, answer("one")).unwrap();
        cache.keep("b", "TP53", 0, answer("two\nlines")).unwrap();
        drop(cache);
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Killed at every byte of the second line.
        for length in first..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut cache = Cache::<ChatAnswer>::read(&path).unwrap();
            assert_eq!(cache.get("a"), Some(&answer("one")), "{length}");
            cache.keep("c", "KDR", 1, answer("three")).unwrap();
            drop(cache);
            let cache = Cache::<ChatAnswer>::read(&path).unwrap();
            assert_eq!(cache.unreadable(), 0, "{length}");
            assert_eq!(cache.get("c"), Some(&answer("three")), "{length}");
            assert_eq!(cache.get("b").is_some(), length + 1 == whole.len(), "{length}");
        }
    }

    #[test]
    fn a_second_program_is_told_to_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        let mut first = Cache::read(&path).unwrap();
        let mut second = Cache::read(&path).unwrap();
        first.keep("a", "GLI1", 0, answer("one")).unwrap();
        let refused = second.lock().unwrap_err().to_string();
        assert!(refused.contains("another run is asking the same model"), "{refused}");
        drop(first);
        second.lock().unwrap();
        assert_eq!(second.get("a"), Some(&answer("one")), "what the first wrote is known now");
    }
}
