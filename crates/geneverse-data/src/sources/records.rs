//! Our own format, in which the bundled genes come: a [`GeneRecord`] as JSON per line.
//!
//! ```json
//! {"symbol":"GLI1","name":"GLI family zinc finger 1","kind":"protein_coding","hgnc_id":"HGNC:4317"}
//! ```

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::lines::Lines;
use crate::gene::GeneRecord;
use crate::stage::{FileError, open};

/// Reads a file, gzip or plain; `each` gets a record and its line.
pub fn read(path: &Path, each: impl FnMut(usize, GeneRecord)) -> Result<Reading, FileError> {
    parse(path, open(path)?, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    mut each: impl FnMut(usize, GeneRecord),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    let mut lines_of_symbols: HashMap<String, usize> = HashMap::new();
    while let Some(line) = lines.advance()? {
        reading.rows += 1;
        let Some(text) = lines.text() else {
            reading.skipped.add(path, line, "not UTF-8 text", "");
            continue;
        };
        match serde_json::from_str::<GeneRecord>(text) {
            Err(error) => reading.skipped.add(path, line, "not a gene record", error),
            Ok(record) if record.name.trim().is_empty() => reading.skipped.add(path, line, "no name", ""),
            Ok(record) => match lines_of_symbols.get(record.symbol.as_str()) {
                Some(first) => {
                    let detail = format!("{} is on line {first} already", record.symbol);
                    reading.skipped.add(path, line, "repeated symbol", detail);
                }
                None => {
                    lines_of_symbols.insert(record.symbol.to_string(), line);
                    reading.used += 1;
                    each(line, record);
                }
            },
        }
    }
    reading.refuse_empty(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn records_are_read_and_odd_lines_skipped() {
        let good = r#"{"symbol":"GLI1","name":"GLI family zinc finger 1","kind":"protein_coding","hgnc_id":"HGNC:4317"}"#;
        let unknown_key = good.replace("hgnc_id", "hgnc");
        let text = format!("\u{feff}{good}\r\n\r\n{good}\n{unknown_key}\n{{\n");
        let mut records = Vec::new();
        let reading =
            parse(Path::new("genes.jsonl"), Box::new(Cursor::new(text.into_bytes())), |_, r| records.push(r));
        let reading = reading.unwrap();
        assert_eq!((records.len(), reading.rows, reading.skipped.total), (1, 4, 3));
        assert_eq!(reading.skipped.reasons["not a gene record"], 2);
        assert_eq!(reading.skipped.listed[0].line, 3);
    }
}
