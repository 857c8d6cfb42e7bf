//! Public files, one pure streaming parser per format.
//!
//! Every parser hands its records to a closure and returns a [`Reading`]: how many rows there were, how
//! many were used, and what was skipped where and why. Only a file that cannot be read at all (missing
//! column, truncated gzip, no usable row) is an error.

pub(crate) mod anndata;
pub mod annotations;
pub(crate) mod cells;
pub(crate) mod counts;
pub mod gene_info;
pub mod gpi;
pub(crate) mod hdf5;
pub mod hgnc;
pub mod id_mapping;
pub mod lines;
pub(crate) mod mmcif;
pub mod obo;
pub mod ontology;
pub(crate) mod pdb;
pub mod records;
pub(crate) mod spots;
pub mod summaries;
pub(crate) mod table;
pub(crate) mod tenx;
pub mod tsv;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{BufRead, Cursor, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::stage::FileError;

/// How many skipped rows of each kind are listed one by one; all are counted. Per kind, so that thousands
/// of rows of another species do not hide the one that is broken.
const SKIPS_LISTED: usize = 100;
/// Letters of what was found that are told.
const DETAIL: usize = 300;
/// Bytes by which a format is told. Programs write some lines of their own before a header, not pages.
const PEEKED: usize = 1 << 16;

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
    pub fn add(&mut self, path: &Path, line: usize, kind: &str, detail: impl Display) {
        self.total += 1;
        // Tens of millions of rows may be skipped for one reason: nothing is allocated for those not listed.
        let count = match self.reasons.get_mut(kind) {
            Some(count) => count,
            None => self.reasons.entry(kind.to_owned()).or_default(),
        };
        *count += 1;
        if *count <= SKIPS_LISTED {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let detail = shorten(&detail.to_string(), DETAIL).into_owned();
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
    /// Single values that are out of use, with a successor that was taken in their place.
    pub replaced_values: Skips,
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

/// The first bytes of a reader, and a reader that still has them.
fn peek(path: &Path, mut reader: Box<dyn BufRead>) -> Result<(Vec<u8>, Box<dyn BufRead>), FileError> {
    let mut start = Vec::new();
    reader.by_ref().take(PEEKED as u64).read_to_end(&mut start).map_err(|e| FileError::reading(path, e))?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(reader))))
}

fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{} …", &text[..end])),
    }
}
