//! Tab-separated tables whose columns are found by name, so that an older or newer release still loads.
//!
//! - The header is the first line that is no comment (`##`, `!`); one `#` before the first name is dropped, and
//!   so is a byte-order mark. NCBI's header of before 2016 (`#Format: tax_id GeneID … (tab is used …)`) is read too.
//! - Names are compared without case, and `_` equals a blank.
//! - A field that starts and ends with `"` is unquoted (HGNC quotes fields that hold `|`); a quote elsewhere
//!   is text. Fields hold no line ends.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

use super::lines::Lines;
use super::{Skips, shorten};
use crate::stage::{FileError, open};

/// A table being read.
pub struct Tsv {
    lines: Lines,
    columns: Vec<String>,
    rows: usize,
    skips: Skips,
    only: Option<(Column, String)>,
}

/// A column of a table, found by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(usize);

/// A row: its line and its fields.
pub struct Row<'a> {
    /// The line in the file, from 1.
    pub line: usize,
    fields: Vec<Cow<'a, str>>,
}

impl Row<'_> {
    /// The field's text without surrounding blanks.
    pub fn get(&self, column: Column) -> &str {
        self.fields.get(column.0).map_or("", |field| field.trim())
    }

    /// The field's text; empty where the table has no such column.
    pub fn get_or_empty(&self, column: Option<Column>) -> &str {
        column.map_or("", |column| self.get(column))
    }

    /// The first of these fields that is not empty; empty where all are.
    pub fn first_filled(&self, columns: &[Column]) -> &str {
        columns.iter().map(|column| self.get(*column)).find(|field| !field.is_empty()).unwrap_or_default()
    }
}

impl Tsv {
    /// Opens a table, gzip or plain, and reads its header.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::new(path, open(path)?)
    }

    /// Reads a table's header from a reader; `path` names it in errors.
    pub fn new(path: &Path, reader: Box<dyn BufRead>) -> Result<Self, FileError> {
        let mut lines = Lines::new(path, reader);
        loop {
            if lines.advance()?.is_none() {
                return Err(FileError::whole(path, "is empty, expected a header line with column names"));
            }
            let Some(header) = lines.text() else {
                return Err(FileError::row(
                    path,
                    1,
                    "not UTF-8 text, expected a header line with column names",
                ));
            };
            if header.starts_with("##") || header.starts_with('!') {
                continue;
            }
            let columns = header_columns(header);
            return Ok(Self { lines, columns, rows: 0, skips: Skips::default(), only: None });
        }
    }

    /// The column with one of these names; the first name that is there wins.
    pub fn column(&self, names: &[&str]) -> Option<Column> {
        names.iter().find_map(|name| self.columns.iter().position(|c| *c == normal(name))).map(Column)
    }

    /// All columns with one of these names, in the order of the names.
    pub fn columns(&self, names: &[&str]) -> Vec<Column> {
        names.iter().filter_map(|name| self.column(&[name])).collect()
    }

    /// The column with one of these names, or an error that names what is there instead.
    pub fn need(&self, names: &[&str]) -> Result<Column, FileError> {
        self.column(names).ok_or_else(|| {
            let expected = match names {
                [] => String::new(),
                [name] => format!("`{name}`"),
                [name, others @ ..] => format!("`{name}` (or {})", others.join(", ")),
            };
            let found = self.columns.join(", ");
            let reason = format!("found no column {expected}; its columns are: {}", shorten(&found, 900));
            FileError::whole(self.lines.path(), reason)
        })
    }

    /// From here on, rows with another text in `column` are skipped as of another species; an empty field is no other.
    /// They are not taken apart, so that the rows of one species among all are found at the speed of reading.
    pub fn only_species(&mut self, column: Option<Column>, taxon: u32) {
        self.only = column.map(|column| (column, taxon.to_string()));
    }

    /// The next row that has all the columns; rows that do not are skipped and counted.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, FileError> {
        let expected = self.columns.len();
        let line = loop {
            let Some(line) = self.lines.advance()? else { return Ok(None) };
            self.rows += 1;
            match self.lines.text() {
                None => self.skips.add(self.lines.path(), line, "not UTF-8 text", ""),
                Some(text) => {
                    if let Some((column, taxon)) = &self.only {
                        let field = text.split('\t').nth(column.0).unwrap_or_default().trim();
                        if !field.is_empty() && field != taxon {
                            let detail = format_args!("taxon {field}");
                            self.skips.add(self.lines.path(), line, "another species", detail);
                            continue;
                        }
                    }
                    let found = text.split('\t').count();
                    // A surplus tab at the end moves no column.
                    let surplus_is_empty = || text.split('\t').skip(expected).all(str::is_empty);
                    if found == expected || (found > expected && surplus_is_empty()) {
                        break line;
                    }
                    let kind = if found < expected { "too few columns" } else { "too many columns" };
                    let detail = format_args!("expected {expected} columns, found {found}");
                    self.skips.add(self.lines.path(), line, kind, detail);
                }
            }
        };
        let fields = self.lines.text().unwrap_or_default().split('\t').map(unquote).collect();
        Ok(Some(Row { line, fields }))
    }

    /// How many rows were read, and those that had the wrong number of columns.
    pub fn finish(self) -> (usize, Skips) {
        (self.rows, self.skips)
    }
}

/// A field that lists several values: split at `|`, quotes and blanks around each dropped.
pub fn list(field: &str) -> impl Iterator<Item = &str> {
    field.split('|').map(|item| item.trim().trim_matches('"').trim()).filter(|item| !item.is_empty())
}

/// The names in a header line, in the form in which they are compared.
pub(super) fn header_columns(header: &str) -> Vec<String> {
    let header = header.strip_prefix('#').unwrap_or(header);
    if let Some(names) = header.strip_prefix("Format:") {
        let names = names.split('(').next().unwrap_or_default();
        return names.split_whitespace().map(normal).collect();
    }
    header.split('\t').map(|name| normal(&unquote(name))).collect()
}

fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace(' ', "_")
}

fn unquote(field: &str) -> Cow<'_, str> {
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => Cow::Borrowed(field),
        Some(inner) if inner.contains("\"\"") => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn table(text: &[u8]) -> Result<Tsv, FileError> {
        Tsv::new(Path::new("t.tsv"), Box::new(Cursor::new(text.to_vec())))
    }

    #[test]
    fn mark_hash_crlf_and_quotes_are_seen_through() {
        let mut tsv = table(
            b"\xef\xbb\xbf## made today\r\n#Tax_ID\t\"Approved symbol\"\r\n9606\t\"A|\"\"B\"\"\"\t\r\n\r\n",
        )
        .unwrap();
        let (id, symbol) =
            (tsv.need(&["tax_id"]).unwrap(), tsv.need(&["symbol", "approved_symbol"]).unwrap());
        let row = tsv.next_row().unwrap().unwrap();
        assert_eq!((row.line, row.get(id), row.get(symbol)), (3, "9606", "A|\"B\""));
        assert!(tsv.next_row().unwrap().is_none());
    }

    #[test]
    fn a_missing_column_is_one_error_that_lists_the_columns() {
        let error = table(b"a\tb\n").unwrap().need(&["symbol", "approved symbol"]).unwrap_err().to_string();
        assert_eq!(error, "t.tsv: found no column `symbol` (or approved symbol); its columns are: a, b");
        assert!(table(b"").is_err_and(|e| e.to_string().starts_with("t.tsv: is empty")));
    }

    #[test]
    fn rows_of_the_wrong_length_or_not_text_are_skipped_with_their_line() {
        let mut tsv = table(b"a\tb\n1\n1\t2\t3\n1\t\xff\n1\t2\n").unwrap();
        assert_eq!(tsv.next_row().unwrap().unwrap().line, 5);
        assert!(tsv.next_row().unwrap().is_none());
        let (rows, skips) = tsv.finish();
        assert_eq!((rows, skips.total), (4, 3));
        assert_eq!(skips.listed[0].reason, "too few columns: expected 2 columns, found 1");
        assert_eq!(skips.listed.iter().map(|s| s.line).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn the_header_of_old_gene_info_files_is_read() {
        let tsv = table(
            b"#Format: tax_id GeneID Symbol (tab is used as a separator, pound sign - start of a comment)\n",
        );
        assert!(tsv.unwrap().column(&["geneid"]).is_some());
    }

    #[test]
    fn a_truncated_gzip_says_so() {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let row = "1\t2\n".repeat(1000);
        encoder.write_all(format!("a\tb\n{row}").as_bytes()).unwrap();
        let bytes = encoder.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.tsv.gz");
        std::fs::write(&path, &bytes[..bytes.len() - 12]).unwrap();
        let read_all = || -> Result<(), FileError> {
            let mut tsv = Tsv::open(&path)?;
            while tsv.next_row()?.is_some() {}
            Ok(())
        };
        let error = read_all().unwrap_err().to_string();
        assert!(error.contains("cut.tsv.gz") && error.contains("truncated, fetch it again"), "{error}");
    }
}
