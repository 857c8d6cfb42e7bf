//! Lines of a text file with their numbers: byte-order mark and CR dropped, bad UTF-8 told apart.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::stage::{FileError, open};

/// Reads line by line into one buffer.
pub struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    number: usize,
    buffer: Vec<u8>,
}

impl Lines {
    /// Opens a file, gzip or plain.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self::new(path, open(path)?))
    }

    /// Lines of a reader; `path` names it in errors.
    pub fn new(path: &Path, reader: Box<dyn BufRead>) -> Self {
        Self { path: path.to_owned(), reader, number: 0, buffer: Vec::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves to the next line that is not blank; its number from 1, or `None` at the end.
    pub fn advance(&mut self) -> Result<Option<usize>, FileError> {
        loop {
            self.buffer.clear();
            let read = self
                .reader
                .read_until(b'\n', &mut self.buffer)
                .map_err(|e| FileError::reading(&self.path, e))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            while matches!(self.buffer.last(), Some(b'\n' | b'\r')) {
                self.buffer.pop();
            }
            if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
            }
            if !self.buffer.iter().all(|b| b.is_ascii_whitespace()) {
                return Ok(Some(self.number));
            }
        }
    }

    /// The current line; `None` where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.buffer).ok()
    }
}
