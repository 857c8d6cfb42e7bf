//! Tables of cells and transcripts, as text or as Parquet; columns are found by name.
//!
//! Text is comma-, tab- or semicolon-separated, plain or gzip; fields may be quoted, and hold no line ends. A table of R's
//! `write.table`, whose header is one name short, and one of pandas, whose first name is empty, have their first column
//! under the name `""`. Names are compared without case, and `.`, `-` and blanks equal `_`.

mod parquet;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Skips, shorten};
use crate::stage::{FileError, open};

pub(crate) use self::parquet::MAGIC as PARQUET;

/// An open table.
pub(crate) struct Table {
    path: PathBuf,
    names: Vec<String>,
    body: Body,
}

enum Body {
    Text(text::Text),
    Parquet(parquet::Parquet),
}

/// A field of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    /// As it is written, without quotes and surrounding blanks.
    Text(&'a str),
    /// A whole number of a typed column.
    Integer(i64),
    /// A number of a typed column.
    Number(f64),
    /// Nothing.
    Missing,
}

impl<'a> Field<'a> {
    /// The field as text; empty where it is missing.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(value) => Cow::Owned(value.to_string()),
            Self::Number(value) => Cow::Owned(value.to_string()),
            Self::Missing => Cow::Borrowed(""),
        }
    }

    /// The field as a number; `None` where it is none, or missing.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Integer(value) => Some(value as f64),
            Self::Number(value) => Some(value),
            Self::Missing => None,
        }
    }
}

impl Table {
    /// Opens a table and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let mut start = [0; 4];
        let mut file = std::fs::File::open(path).map_err(|e| FileError::io(path, "open", e))?;
        let parquet = file.read_exact(&mut start).is_ok() && start == *PARQUET;
        if parquet {
            let body = parquet::Parquet::open(path)?;
            return Ok(Self { path: path.to_owned(), names: body.names(), body: Body::Parquet(body) });
        }
        let (body, names) = text::Text::new(path, open(path)?)?;
        Ok(Self { path: path.to_owned(), names, body: Body::Text(body) })
    }

    /// The columns' names, as written.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The column with one of these names; the first name that is there wins.
    pub(crate) fn find(&self, names: &[&str]) -> Option<usize> {
        let columns: Vec<String> = self.names.iter().map(|name| normal(name)).collect();
        names.iter().find_map(|name| columns.iter().position(|column| *column == normal(name)))
    }

    /// The column with one of these names, or an error that says what is there instead.
    pub(crate) fn need(&self, what: &str, names: &[&str]) -> Result<usize, FileError> {
        self.find(names).ok_or_else(|| {
            let reason = format!(
                "found no column of {what} ({}); its columns are: {}",
                names.iter().filter(|name| !name.is_empty()).copied().collect::<Vec<_>>().join(", "),
                shorten(&self.names.join(", "), 600)
            );
            FileError::whole(&self.path, reason)
        })
    }

    /// The fields of the first row, in all columns, as far as they can be told: numbers or text.
    pub(crate) fn first_row_is_number(&mut self) -> Result<Vec<bool>, FileError> {
        match &mut self.body {
            Body::Text(text) => text.first_row_is_number(),
            Body::Parquet(parquet) => Ok(parquet.numeric()),
        }
    }

    /// Hands over these columns of all rows, in order, with the line (Parquet: the row, from 1). Returns how many rows there
    /// were; those that cannot be read are skipped.
    pub(crate) fn rows(
        self,
        columns: &[usize],
        skips: &mut Skips,
        each: impl FnMut(usize, &[Field<'_>], &mut Skips),
    ) -> Result<usize, FileError> {
        match self.body {
            Body::Text(text) => text.rows(columns, skips, each),
            Body::Parquet(parquet) => parquet.rows(columns, skips, each),
        }
    }
}

/// A name in the form in which names are compared.
pub(crate) fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace(['.', '-', ' '], "_")
}
