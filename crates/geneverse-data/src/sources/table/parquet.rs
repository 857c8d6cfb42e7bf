//! Parquet: tables in columns (Apache Parquet format 2.11), as pyarrow, polars and the Xenium software write them.
//!
//! Read are columns of truth values, numbers and texts that are not nested; pages of either version; values plain or by a
//! dictionary; packed by nothing, Snappy, gzip or Zstandard. What else a file may hold is refused by name. The crate
//! `parquet` reads all of it, and takes 70 seconds of a processor to compile, half of what all our own code takes; so the
//! part that cell tables use is here.

mod thrift;
mod unpack;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::thrift::Value;
use super::Field;
use crate::sources::Skips;
use crate::stage::FileError;

/// What a file begins and ends with.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";

/// A page is a megabyte or so; one that claims more than this is damaged.
const LARGEST_PAGE: usize = 1 << 30;

/// Rows that a group may have in a file of a few bytes. Runs of one value take no place, so that a damaged number of rows
/// could make us allocate anything.
const FEW_ROWS: u64 = 1 << 20;
/// Beyond that, rows to a byte of the file.
const ROWS_TO_A_BYTE: u64 = 64;

/// An open file.
pub(super) struct Parquet {
    path: PathBuf,
    columns: Vec<Column>,
    groups: Vec<Group>,
}

/// A column that can be read.
struct Column {
    name: String,
    kind: Kind,
    optional: bool,
    /// Its place among the leaves of the schema.
    leaf: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int32,
    Int64,
    Float,
    Double,
    Text,
}

/// Some rows of all columns.
struct Group {
    rows: usize,
    chunks: Vec<Option<Chunk>>,
}

/// A column's part of a group: where it lies.
struct Chunk {
    codec: i64,
    start: u64,
    length: usize,
}

/// Values of a column; beside them which are missing, where any is.
#[derive(Default)]
struct Values {
    numbers: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<String>,
    /// Places in `texts`.
    codes: Vec<u32>,
    /// Where in `texts` the dictionary begins, once a page has used it.
    dictionary: Option<u32>,
    /// For each row the place of its value; `u32::MAX` where it is missing.
    rows: Option<Vec<u32>>,
    count: usize,
}

impl Parquet {
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let damaged =
            || FileError::whole(path, "is not whole as a Parquet file, it may be truncated: fetch it again");
        let reading = |e| FileError::io(path, "read", e);
        let mut file = File::open(path).map_err(|e| FileError::io(path, "open", e))?;
        let size = file.metadata().map_err(reading)?.len();
        if size < 12 {
            return Err(damaged());
        }
        let mut end = [0; 8];
        file.seek(SeekFrom::End(-8)).and_then(|_| file.read_exact(&mut end)).map_err(reading)?;
        let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
        if end[4..] != *MAGIC || length + 12 > size {
            return Err(damaged());
        }
        let mut footer = vec![0; length as usize];
        file.seek(SeekFrom::Start(size - 8 - length))
            .and_then(|_| file.read_exact(&mut footer))
            .map_err(reading)?;
        let footer = Value::read(&mut footer.as_slice()).ok_or_else(damaged)?;
        let columns = columns(footer.list(2));
        let groups = footer.list(4).iter().map(|group| read_group(group, size)).collect::<Option<_>>();
        Ok(Self { path: path.to_owned(), columns, groups: groups.ok_or_else(damaged)? })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    pub(super) fn numeric(&self) -> Vec<bool> {
        self.columns.iter().map(|column| !matches!(column.kind, Kind::Text | Kind::Bool)).collect()
    }

    pub(super) fn rows(
        self,
        columns: &[usize],
        skips: &mut Skips,
        mut each: impl FnMut(usize, &[Field<'_>], &mut Skips),
    ) -> Result<usize, FileError> {
        let mut before = 0;
        for group in &self.groups {
            let values: Vec<Values> = columns
                .par_iter()
                .map(|&column| self.read_column(group, &self.columns[column]))
                .collect::<Result<_, _>>()?;
            let mut fields = vec![Field::Missing; columns.len()];
            for row in 0..group.rows {
                for (field, values) in fields.iter_mut().zip(&values) {
                    *field = values.get(row);
                }
                each(before + row + 1, &fields, skips);
            }
            before += group.rows;
        }
        Ok(before)
    }

    fn read_column(&self, group: &Group, column: &Column) -> Result<Values, FileError> {
        let broken = |what: &str| FileError::whole(&self.path, format!("column {}: {what}", column.name));
        let damaged = || broken("a page is damaged, fetch the file again");
        let Some(Some(chunk)) = group.chunks.get(column.leaf) else {
            return Err(broken("has no data in this file, expected it to be in one file with its footer"));
        };
        let mut bytes = vec![0; chunk.length];
        File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(chunk.start))?;
                file.read_exact(&mut bytes)
            })
            .map_err(|e| FileError::io(&self.path, "read", e))?;
        let mut rest = bytes.as_slice();
        let mut values = Values::default();
        // Plain values of a dictionary, which later pages point into.
        let mut dictionary: Option<Values> = None;
        while values.count < group.rows {
            let left = group.rows - values.count;
            let header = Value::read(&mut rest).ok_or_else(damaged)?;
            let (Some(packed), Some(unpacked)) = (header.size(3), header.size(2)) else {
                return Err(damaged());
            };
            let (page, after) = rest.split_at_checked(packed).ok_or_else(damaged)?;
            rest = after;
            if unpacked > LARGEST_PAGE {
                return Err(damaged());
            }
            let unpack = |page: &[u8], size: usize| match unpack::unpack(chunk.codec, page, size) {
                Ok(bytes) => bytes.ok_or_else(damaged),
                Err(name) => Err(broken(&format!(
                    "is packed by {name}; write the file again with compression=\"zstd\" or \"snappy\""
                ))),
            };
            match header.integer(1) {
                // Version 1: levels and values are packed together.
                Some(0) => {
                    let about = header.field(5).ok_or_else(damaged)?;
                    let count = about.size(1).filter(|count| *count <= left).ok_or_else(damaged)?;
                    let bytes = unpack(page, unpacked)?;
                    let mut body = bytes.as_slice();
                    let mut present = None;
                    if column.optional {
                        let (length, after) = body.split_at_checked(4).ok_or_else(damaged)?;
                        let length =
                            u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
                        let (levels, after) = after.split_at_checked(length).ok_or_else(damaged)?;
                        present = Some(unpack::hybrid(levels, 1, count).ok_or_else(damaged)?);
                        body = after;
                    }
                    let encoding = about.integer(2).ok_or_else(damaged)?;
                    values
                        .page(column.kind, encoding, body, count, present, dictionary.as_ref())
                        .map_err(|e| broken(&e))?;
                }
                Some(2) => {
                    let count = header.field(7).and_then(|about| about.size(1)).ok_or_else(damaged)?;
                    let bytes = unpack(page, unpacked)?;
                    let mut read = Values::default();
                    read.page(column.kind, 0, &bytes, count, None, None).map_err(|e| broken(&e))?;
                    dictionary = Some(read);
                }
                // Version 2: levels lie before the values, and are never packed.
                Some(3) => {
                    let about = header.field(8).ok_or_else(damaged)?;
                    let (Some(count), Some(levels)) = (about.size(1), about.size(5)) else {
                        return Err(damaged());
                    };
                    if count > left {
                        return Err(damaged());
                    }
                    let (levels, body) = page.split_at_checked(levels).ok_or_else(damaged)?;
                    let size = unpacked.checked_sub(levels.len()).ok_or_else(damaged)?;
                    let packed = about.field(7) != Some(&Value::Bool(false));
                    let bytes = if packed && size > 0 { unpack(body, size)? } else { body.to_vec() };
                    let present = match column.optional {
                        true => Some(unpack::hybrid(levels, 1, count).ok_or_else(damaged)?),
                        false => None,
                    };
                    let encoding = about.integer(4).ok_or_else(damaged)?;
                    values
                        .page(column.kind, encoding, &bytes, count, present, dictionary.as_ref())
                        .map_err(|e| broken(&e))?;
                }
                // An index, which nobody writes.
                Some(1) => {}
                _ => return Err(damaged()),
            }
        }
        if values.count != group.rows {
            return Err(damaged());
        }
        Ok(values)
    }
}

impl Values {
    /// Takes in a page of `count` rows.
    fn page(
        &mut self,
        kind: Kind,
        encoding: i64,
        bytes: &[u8],
        count: usize,
        present: Option<Vec<u32>>,
        dictionary: Option<&Values>,
    ) -> Result<(), String> {
        let damaged = || "a page is damaged, fetch the file again".to_owned();
        let held =
            present.as_ref().map_or(count, |present| present.iter().filter(|level| **level == 1).count());
        let first = self.held();
        match encoding {
            0 => self.plain(kind, bytes, held).ok_or_else(damaged)?,
            3 if kind == Kind::Bool => {
                let truths =
                    bytes.get(4..).and_then(|bytes| unpack::hybrid(bytes, 1, held)).ok_or_else(damaged)?;
                self.integers.extend(truths.into_iter().map(i64::from));
            }
            2 | 8 => {
                let dictionary = dictionary.ok_or_else(damaged)?;
                let codes = match bytes.split_first() {
                    None if held == 0 => Vec::new(),
                    None => return Err(damaged()),
                    Some((&width, packed)) => {
                        unpack::hybrid(packed, width.into(), held).ok_or_else(damaged)?
                    }
                };
                if codes.iter().any(|code| *code as usize >= dictionary.held()) {
                    return Err(damaged());
                }
                if kind == Kind::Text {
                    // A column falls back to plain texts where its dictionary grows large, so texts may be there.
                    let base = *self.dictionary.get_or_insert_with(|| {
                        let base = self.texts.len() as u32;
                        self.texts.extend(dictionary.texts.iter().cloned());
                        base
                    });
                    self.codes.extend(codes.into_iter().map(|code| base + code));
                } else if dictionary.integers.is_empty() {
                    self.numbers.extend(codes.into_iter().map(|code| dictionary.numbers[code as usize]));
                } else {
                    self.integers.extend(codes.into_iter().map(|code| dictionary.integers[code as usize]));
                }
            }
            other => {
                let name = match other {
                    4 | 5 => "DELTA_BINARY_PACKED",
                    6 => "DELTA_LENGTH_BYTE_ARRAY",
                    7 => "DELTA_BYTE_ARRAY",
                    9 => "BYTE_STREAM_SPLIT",
                    _ => "an unknown one",
                };
                return Err(format!(
                    "its encoding is {name}, expected plain or by a dictionary; write the file again with pyarrow"
                ));
            }
        }
        if self.rows.is_some() || held != count {
            let rows = self.rows.get_or_insert_with(|| (0..first as u32).collect());
            let mut next = first as u32;
            match present {
                None => rows.extend(next..next + held as u32),
                Some(present) => rows.extend(present.into_iter().map(|level| {
                    next += level;
                    if level == 1 { next - 1 } else { u32::MAX }
                })),
            }
        }
        self.count += count;
        Ok(())
    }

    /// Values that are held, missing ones not counted.
    fn held(&self) -> usize {
        self.numbers.len().max(self.integers.len()).max(self.codes.len())
    }

    fn plain(&mut self, kind: Kind, bytes: &[u8], count: usize) -> Option<()> {
        let whole = |size: usize| bytes.get(..count.checked_mul(size)?);
        match kind {
            Kind::Bool => {
                let packed = bytes.get(..count.div_ceil(8))?;
                self.integers.extend((0..count).map(|at| i64::from(packed[at / 8] >> (at % 8) & 1)));
            }
            Kind::Int32 => {
                self.integers
                    .extend(whole(4)?.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))));
            }
            Kind::Int64 => {
                self.integers.extend(whole(8)?.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)))
            }
            Kind::Float => {
                self.numbers
                    .extend(whole(4)?.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))));
            }
            Kind::Double => {
                self.numbers.extend(whole(8)?.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)))
            }
            Kind::Text => {
                let mut rest = bytes;
                for _ in 0..count {
                    let (length, after) = rest.split_first_chunk::<4>()?;
                    let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                    rest = after;
                    self.codes.push(u32::try_from(self.texts.len()).ok()?);
                    self.texts.push(String::from_utf8_lossy(text).into_owned());
                }
            }
        }
        Some(())
    }

    fn get(&self, row: usize) -> Field<'_> {
        let at = match &self.rows {
            None => row,
            Some(rows) if rows[row] == u32::MAX => return Field::Missing,
            Some(rows) => rows[row] as usize,
        };
        if let Some(value) = self.integers.get(at) {
            Field::Integer(*value)
        } else if let Some(value) = self.numbers.get(at) {
            Field::Number(*value)
        } else {
            Field::Text(self.codes.get(at).map_or("", |code| self.texts[*code as usize].trim()))
        }
    }
}

/// The columns right below the root that are not nested. Leaves are counted through all of the schema.
fn columns(schema: &[Value<'_>]) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut leaf = 0;
    let mut at = 1;
    while let Some(element) = schema.get(at) {
        let children = element.size(5).unwrap_or(0);
        if children > 0 {
            // Past all that is below it.
            let mut left = children;
            while left > 0 {
                at += 1;
                let Some(element) = schema.get(at) else { return columns };
                left -= 1;
                match element.size(5).unwrap_or(0) {
                    0 => leaf += 1,
                    children => left = left.saturating_add(children),
                }
            }
        } else {
            let kind = match element.integer(1) {
                Some(0) => Some(Kind::Bool),
                Some(1) => Some(Kind::Int32),
                Some(2) => Some(Kind::Int64),
                Some(4) => Some(Kind::Float),
                Some(5) => Some(Kind::Double),
                Some(6) => Some(Kind::Text),
                _ => None,
            };
            let repetition = element.integer(3).unwrap_or(0);
            if let (Some(kind), Some(name), 0 | 1) = (kind, element.text(4), repetition) {
                columns.push(Column { name, kind, optional: repetition == 1, leaf });
            }
            leaf += 1;
        }
        at += 1;
    }
    columns
}

fn read_group(group: &Value<'_>, size: u64) -> Option<Group> {
    let chunks = group.list(1).iter().map(|chunk| {
        let about = chunk.field(3)?;
        let data = about.integer(9)?;
        // Some writers give 0 for a dictionary that is not there.
        let start = about.integer(11).filter(|start| *start > 0 && *start < data).unwrap_or(data);
        let start = u64::try_from(start).ok()?;
        let length = about.size(7)?;
        let within = start.checked_add(length as u64).is_some_and(|end| end <= size);
        // A chunk may lie in another file.
        (within && chunk.field(1).is_none()).then_some(Chunk { codec: about.integer(4)?, start, length })
    });
    let rows =
        group.size(3).filter(|rows| *rows as u64 <= FEW_ROWS.max(size.saturating_mul(ROWS_TO_A_BYTE)))?;
    Some(Group { rows, chunks: chunks.collect() })
}
