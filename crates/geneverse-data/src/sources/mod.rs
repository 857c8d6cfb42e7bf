//! Public files, one pure streaming parser per format.
//!
//! Every parser hands its records to a closure and returns a [`Reading`]: how many rows there were, how
//! many were used, and what was skipped where and why. Only a file that cannot be read at all (missing
//! column, truncated gzip, no usable row) is an error.

pub mod gene_info;
pub mod hgnc;
pub mod lines;
pub mod records;
pub mod summaries;
pub mod tsv;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::stage::FileError;

/// How many skipped rows of each kind are listed one by one; all are counted. Per kind, so that thousands
/// of rows of another species do not hide the one that is broken.
const SKIPS_LISTED: usize = 100;

/// A row that was not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What was found and what was expected.
    pub reason: String,
}

/// Skipped rows: all counted by kind of reason, the first hundred of each kind listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skips {
    /// How many.
    pub total: usize,
    /// How many for each kind of reason.
    pub reasons: BTreeMap<String, usize>,
    /// The first ones, with their places.
    pub listed: Vec<Skip>,
}

impl Skips {
    /// Notes one row: `kind` is what is counted, `detail` (may be empty) what was found there.
    pub fn add(&mut self, path: &Path, line: usize, kind: &str, detail: &str) {
        self.total += 1;
        let count = self.reasons.entry(kind.to_owned()).or_default();
        *count += 1;
        if *count <= SKIPS_LISTED {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let reason = if detail.is_empty() { kind.to_owned() } else { format!("{kind}: {detail}") };
            self.listed.push(Skip { file, line, reason });
        }
    }

    /// Takes over the rows that another step skipped for other reasons, in the order of their lines.
    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        self.listed.extend(other.listed);
        self.listed.sort_by_key(|skip| skip.line);
    }
}

/// What came of reading a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Rows below the header, empty lines not counted.
    pub rows: usize,
    /// Rows that gave a record.
    pub used: usize,
    /// Rows that gave none.
    pub skipped: Skips,
    /// Single values that could not be read and were left out of a record that was kept.
    pub dropped_values: Skips,
}

impl Reading {
    /// An error when rows were there and not one of them could be used, or none was there.
    pub fn refuse_empty(self, path: &Path) -> Result<Self, FileError> {
        if self.used > 0 {
            return Ok(self);
        }
        match self.skipped.listed.first() {
            None => Err(FileError::whole(path, "found no row below the header, expected at least one")),
            Some(first) => {
                let reason = format!("none of {} rows could be used; the first: {}", self.rows, first.reason);
                Err(FileError::row(path, first.line, reason))
            }
        }
    }
}
