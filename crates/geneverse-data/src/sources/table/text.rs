//! Tables as text.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

use super::Field;
use crate::sources::Skips;
use crate::sources::lines::Lines;
use crate::stage::FileError;

pub(super) struct Text {
    lines: Lines,
    delimiter: u8,
    columns: usize,
    /// The line that was read ahead.
    ahead: Option<(usize, Option<String>)>,
}

impl Text {
    /// Reads the header; `path` names the reader in errors.
    pub(super) fn new(path: &Path, reader: Box<dyn BufRead>) -> Result<(Self, Vec<String>), FileError> {
        let mut lines = Lines::new(path, reader);
        let Some(_) = lines.advance()? else {
            return Err(FileError::whole(path, "is empty, expected a header line with column names"));
        };
        let Some(header) = lines.text() else {
            let reason = "not UTF-8 text, expected a header line with column names";
            return Err(FileError::row(path, 1, reason));
        };
        let count = |delimiter: u8| header.bytes().filter(|byte| *byte == delimiter).count();
        // The one that is there most; a comma where none is.
        let delimiter =
            [b';', b'\t', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
        let mut names = Vec::new();
        split(header, delimiter, |_, field| names.push(field.into_owned()));
        let ahead = lines.advance()?.map(|line| (line, lines.text().map(str::to_owned)));
        if let Some((_, Some(first))) = &ahead {
            let mut fields = 0;
            split(first, delimiter, |_, _| fields += 1);
            if fields == names.len() + 1 {
                names.insert(0, String::new());
            }
        }
        Ok((Self { lines, delimiter, columns: names.len(), ahead }, names))
    }

    pub(super) fn first_row_is_number(&mut self) -> Result<Vec<bool>, FileError> {
        let mut numbers = vec![false; self.columns];
        if let Some((_, Some(row))) = &self.ahead {
            split(row, self.delimiter, |at, field| {
                if let Some(number) = numbers.get_mut(at) {
                    *number = field.parse::<f64>().is_ok();
                }
            });
        }
        Ok(numbers)
    }

    pub(super) fn rows(
        mut self,
        columns: &[usize],
        skips: &mut Skips,
        mut each: impl FnMut(usize, &[Field<'_>], &mut Skips),
    ) -> Result<usize, FileError> {
        let mut slots: Vec<Vec<usize>> = vec![Vec::new(); self.columns];
        for (slot, &column) in columns.iter().enumerate() {
            if let Some(slots) = slots.get_mut(column) {
                slots.push(slot);
            }
        }
        let path = self.lines.path().to_owned();
        let mut count = 0;
        let mut row = |line: usize, text: Option<&str>| {
            count += 1;
            let Some(text) = text else {
                skips.add(&path, line, "not UTF-8 text", "");
                return;
            };
            let (delimiter, width) = (self.delimiter, self.columns);
            // Quotes are rare, and a field without needs no place of its own.
            if !text.as_bytes().contains(&b'"') {
                let mut fields = vec![Field::Missing; columns.len()];
                let found = split_plain(text, delimiter, |at, field| put(&mut fields, &slots, at, field));
                return finish(found, width, line, &fields, skips, &path, &mut each);
            }
            let mut owned: Vec<Cow<'_, str>> = Vec::with_capacity(width);
            split(text, delimiter, |_, field| owned.push(field));
            let mut fields = vec![Field::Missing; columns.len()];
            owned.iter().enumerate().for_each(|(at, field)| put(&mut fields, &slots, at, field));
            finish(owned.len(), width, line, &fields, skips, &path, &mut each);
        };
        if let Some((line, text)) = self.ahead.take() {
            row(line, text.as_deref());
        }
        while let Some(line) = self.lines.advance()? {
            row(line, self.lines.text());
        }
        Ok(count)
    }
}

fn put<'a>(fields: &mut [Field<'a>], slots: &[Vec<usize>], at: usize, field: &'a str) {
    for &slot in slots.get(at).into_iter().flatten() {
        fields[slot] = if field.is_empty() { Field::Missing } else { Field::Text(field) };
    }
}

fn finish(
    found: usize,
    expected: usize,
    line: usize,
    fields: &[Field<'_>],
    skips: &mut Skips,
    path: &Path,
    each: &mut impl FnMut(usize, &[Field<'_>], &mut Skips),
) {
    if found == expected {
        return each(line, fields, skips);
    }
    let kind = if found < expected { "too few columns" } else { "too many columns" };
    skips.add(path, line, kind, format_args!("expected {expected} columns, found {found}"));
}

/// The fields of a line without quotes; how many there are.
fn split_plain<'a>(line: &'a str, delimiter: u8, mut each: impl FnMut(usize, &'a str)) -> usize {
    let mut count = 0;
    for field in line.split(char::from(delimiter)) {
        each(count, field.trim());
        count += 1;
    }
    count
}

/// The fields of a line. A quoted field may hold the delimiter, and `""` for a quote; what follows a closing quote belongs
/// to the field, as it is.
fn split<'a>(line: &'a str, delimiter: u8, mut each: impl FnMut(usize, Cow<'a, str>)) {
    let bytes = line.as_bytes();
    let (mut at, mut start) = (0, 0);
    loop {
        let quoted = line[start..].trim_start_matches(' ');
        let mut end = start;
        let field = if quoted.starts_with('"') {
            let mut field = String::new();
            end = line.len() - quoted.len() + 1;
            let mut from = end;
            loop {
                match bytes[from..].iter().position(|byte| *byte == b'"').map(|place| from + place) {
                    // A quote that is never closed ends with the line.
                    None => {
                        field.push_str(&line[from..]);
                        end = line.len();
                        break;
                    }
                    Some(quote) => {
                        field.push_str(&line[from..quote]);
                        end = quote + 1;
                        if bytes.get(end) != Some(&b'"') {
                            break;
                        }
                        field.push('"');
                        from = end + 1;
                    }
                }
            }
            let rest = bytes[end..]
                .iter()
                .position(|byte| *byte == delimiter)
                .map_or(line.len(), |place| end + place);
            field.push_str(line[end..rest].trim_end());
            end = rest;
            Cow::Owned(field)
        } else {
            end = bytes[end..]
                .iter()
                .position(|byte| *byte == delimiter)
                .map_or(line.len(), |place| end + place);
            Cow::Borrowed(line[start..end].trim())
        };
        each(at, field);
        if end >= line.len() {
            return;
        }
        at += 1;
        start = end + 1;
    }
}
