//! Readers of vectors. None trusts a number in a file: sizes are compared with what there is.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::Path;

use geneverse_data::stage::{FileError, open};
use serde_json::Value;

use super::{Embedding, ids_path};

/// Reads vectors; `ids` says where their ids lie if not beside them.
pub fn read(path: &Path, ids: Option<&Path>) -> Result<Embedding, FileError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let embedding = match extension.as_str() {
        "csv" | "tsv" if ids.is_some() => {
            let reason = "has its ids in the first column, expected no file of ids besides; leave --ids out";
            return Err(FileError::whole(path, reason));
        }
        "csv" => table(path, ',')?,
        "tsv" => table(path, '\t')?,
        "npy" | "safetensors" => {
            let mut bytes = Vec::new();
            open(path)?.read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
            let parsed = if extension == "npy" { npy(&bytes) } else { safetensors(&bytes) };
            let Array { rows, dimensions, values } =
                parsed.map_err(|reason| FileError::whole(path, reason))?;
            let beside = ids_path(path);
            let ids = read_ids(ids.unwrap_or(&beside), path, rows)?;
            Embedding { ids, vectors: values, dimensions }
        }
        other => {
            let reason = format!("found the extension {other:?}, expected npy, safetensors, csv or tsv");
            return Err(FileError::whole(path, reason));
        }
    };
    check(path, &embedding)?;
    Ok(embedding)
}

/// Ids are unique, numbers are numbers.
fn check(path: &Path, embedding: &Embedding) -> Result<(), FileError> {
    let Embedding { ids, vectors, dimensions } = embedding;
    if ids.is_empty() || *dimensions == 0 {
        let found = format!("found {} vectors of {dimensions} numbers, expected some of each", ids.len());
        return Err(FileError::whole(path, found));
    }
    let mut rows = HashMap::new();
    for (row, (id, vector)) in ids.iter().zip(vectors.chunks(*dimensions)).enumerate() {
        if let Some(earlier) = rows.insert(id.as_str(), row + 1) {
            let reason =
                format!("vector {} has the id {id:?} of vector {earlier}, expected each once", row + 1);
            return Err(FileError::whole(path, reason));
        }
        if let Some(wrong) = vector.iter().find(|x| !x.is_finite()) {
            let reason = format!("vector {} ({id:?}) holds {wrong}, expected finite numbers", row + 1);
            return Err(FileError::whole(path, reason));
        }
    }
    Ok(())
}

fn read_ids(path: &Path, of: &Path, rows: usize) -> Result<Vec<String>, FileError> {
    if !path.exists() {
        let reason = format!(
            "holds no ids, and {} is not there, expected an id a line in it; see --ids",
            path.display()
        );
        return Err(FileError::whole(of, reason));
    }
    let lines: Result<Vec<String>, _> = open(path)?.lines().collect();
    let mut ids = lines.map_err(|e| FileError::reading(path, e))?;
    ids.iter_mut().for_each(|id| *id = id.trim().to_owned());
    while ids.last().is_some_and(String::is_empty) {
        ids.pop();
    }
    if ids.len() != rows {
        let reason =
            format!("found {} ids, expected {rows}, one for each vector of {}", ids.len(), of.display());
        return Err(FileError::whole(path, reason));
    }
    Ok(ids)
}

/// Numbers row after row.
#[derive(Debug, PartialEq)]
pub(super) struct Array {
    pub(super) rows: usize,
    pub(super) dimensions: usize,
    pub(super) values: Vec<f32>,
}

impl Array {
    /// From bytes, little-endian.
    fn new(shape: &[usize], width: usize, bytes: &[u8]) -> Result<Self, String> {
        let [rows, dimensions] = *shape else {
            return Err(format!(
                "found an array of {} dimensions, expected 2: (vectors, numbers)",
                shape.len()
            ));
        };
        let expected = rows.checked_mul(dimensions).and_then(|n| n.checked_mul(width));
        if expected != Some(bytes.len()) {
            return Err(format!(
                "found {} bytes of numbers, expected {rows} × {dimensions} × {width}: it looks truncated",
                bytes.len()
            ));
        }
        let (fours, eights) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        let values = match width {
            4 => fours.iter().map(|four| f32::from_le_bytes(*four)).collect(),
            _ => eights.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect(),
        };
        Ok(Self { rows, dimensions, values })
    }
}

/// NumPy's own format.
pub(super) fn npy(bytes: &[u8]) -> Result<Array, String> {
    let truncated = || "ends within its header: it looks truncated".to_owned();
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("does not begin as a file of NumPy does".to_owned());
    }
    let version = *bytes.get(6).ok_or_else(truncated)?;
    let (length, start) = match version {
        1 => (bytes.get(8..10).map(|b| usize::from(b[0]) | usize::from(b[1]) << 8), 10),
        2 | 3 => {
            let four = bytes.get(8..12).and_then(|b| b.first_chunk::<4>());
            (four.map(|b| u32::from_le_bytes(*b) as usize), 12)
        }
        other => return Err(format!("found version {other} of NumPy's format, expected 1 to 3")),
    };
    let end = start + length.ok_or_else(truncated)?;
    let header = bytes.get(start..end).ok_or_else(truncated)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text".to_owned())?;
    let width = match field(header, "descr").map(|d| d.trim_matches(['\'', '"'])) {
        Some("<f4") => 4,
        Some("<f8") => 8,
        found => {
            return Err(format!("found numbers of type {}, expected <f4 (or <f8)", found.unwrap_or("?")));
        }
    };
    if field(header, "fortran_order") != Some("False") {
        return Err(
            "found numbers column after column, expected rows; save numpy.ascontiguousarray(…)".to_owned()
        );
    }
    let shape = header.split_once("'shape':").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'));
    let (shape, _) = shape.ok_or_else(|| "found no shape in the header".to_owned())?;
    let shape: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| "found a shape that is not made of numbers".to_owned())?;
    Array::new(&shape, width, &bytes[end..])
}

/// The value of a key of a header that stands before the shape.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{key}':"))?;
    Some(rest.split([',', '}']).next()?.trim())
}

/// The tensor `embeddings`, else the only one.
pub(super) fn safetensors(bytes: &[u8]) -> Result<Array, String> {
    let truncated = || "ends within its header: it looks truncated".to_owned();
    let length = u64::from_le_bytes(*bytes.first_chunk().ok_or_else(truncated)?);
    let end = usize::try_from(length).ok().and_then(|l| l.checked_add(8)).ok_or_else(truncated)?;
    let header: Value = serde_json::from_slice(bytes.get(8..end).ok_or_else(truncated)?)
        .map_err(|e| format!("its header is no JSON: {e}"))?;
    let fields = header.as_object().ok_or("its header is no object of JSON")?;
    let names: Vec<&String> = fields.keys().filter(|name| *name != "__metadata__").collect();
    let name = match names.as_slice() {
        [only] => only.as_str(),
        _ if fields.contains_key("embeddings") => "embeddings",
        _ => return Err(format!("found {} tensors, expected one, or one named embeddings", names.len())),
    };
    let tensor = &fields[name];
    let width = match tensor["dtype"].as_str() {
        Some("F32") => 4,
        Some("F64") => 8,
        found => return Err(format!("{name}: found numbers of type {}, expected F32", found.unwrap_or("?"))),
    };
    let numbers = |value: &Value| -> Option<Vec<usize>> {
        value.as_array()?.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect()
    };
    let shape = numbers(&tensor["shape"]).ok_or_else(|| format!("{name}: found no shape"))?;
    let data = match numbers(&tensor["data_offsets"]).as_deref() {
        Some([from, to]) => bytes[end..].get(*from..*to),
        _ => None,
    };
    Array::new(&shape, width, data.ok_or_else(|| format!("{name}: its numbers lie outside the file"))?)
}

/// A table of ids and numbers.
fn table(path: &Path, comma: char) -> Result<Embedding, FileError> {
    let mut embedding = Embedding { ids: Vec::new(), vectors: Vec::new(), dimensions: 0 };
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
        if line.trim().is_empty() {
            continue;
        }
        let error = |reason: String| FileError::row(path, index + 1, reason);
        let (id, rest) = first_field(line, comma)
            .ok_or_else(|| error(format!("found one field, expected an id and numbers after {comma:?}")))?;
        let fields = || rest.split(comma).map(str::trim);
        let headed = embedding.ids.is_empty() && fields().next().is_some_and(|x| x.parse::<f32>().is_err());
        if headed && index == 0 {
            continue;
        }
        let before = embedding.vectors.len();
        for field in fields() {
            let number: f32 =
                field.parse().map_err(|_| error(format!("found {field:?}, expected a number")))?;
            embedding.vectors.push(number);
        }
        let found = embedding.vectors.len() - before;
        if embedding.ids.is_empty() {
            embedding.dimensions = found;
        } else if found != embedding.dimensions {
            let expected = embedding.dimensions;
            return Err(error(format!("found {found} numbers, expected {expected} as on the first line")));
        }
        embedding.ids.push(id);
    }
    Ok(embedding)
}

/// The first field, unquoted, and what follows it.
fn first_field(line: &str, comma: char) -> Option<(String, &str)> {
    match line.strip_prefix('"') {
        Some(rest) => {
            // A quote that is doubled is one of the text.
            let mut end = 0;
            loop {
                end += rest[end..].find('"')?;
                match rest[end + 1..].strip_prefix('"') {
                    Some(_) => end += 2,
                    None => break,
                }
            }
            let after = rest[end + 1..].strip_prefix(comma)?;
            Some((rest[..end].replace("\"\"", "\""), after))
        }
        None => line.split_once(comma).map(|(id, rest)| (id.trim().to_owned(), rest)),
    }
}
