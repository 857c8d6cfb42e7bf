//! Gene product information, GPI 1.1, 1.2 and 2.0
//! (<https://geneontology.org/docs/gene-product-information-gpi-format/>): what the identifiers of a GPAD file are.
//!
//! `!gpi-version:` tells the columns apart. 1.1 has one database for the whole file, in `!namespace:`; 1.2 has a column
//! for it; 2.0 writes it before the identifier, `UniProtKB:P08151`. A file without a version is told by its rows.

use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::annotations::{Product, taxon_of};
use super::lines::Lines;
use crate::stage::{FileError, open};

/// A gene product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpiRow<'a> {
    /// The line, from 1.
    pub line: usize,
    /// Its identifier and symbol.
    pub product: Product<'a>,
    /// What it is a form or a part of, `UniProtKB:P08151`; empty where the file says nothing.
    pub parent: &'a str,
    /// Identifiers in other databases, `HGNC:4317|NCBIGene:2735`.
    pub xrefs: &'a str,
}

#[derive(Clone, Copy)]
enum Version {
    One,
    OneTwo,
    Two,
}

/// Reads a file, gzip or plain; `each` gets the products of `taxon`.
pub fn read(path: &Path, taxon: u32, each: impl FnMut(&GpiRow<'_>)) -> Result<Reading, FileError> {
    parse(path, open(path)?, taxon, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    taxon: u32,
    mut each: impl FnMut(&GpiRow<'_>),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    let mut version = None;
    let mut namespace = "UniProtKB".to_owned();
    while let Some(line) = lines.advance()? {
        let Some(text) = lines.text() else {
            reading.rows += 1;
            reading.skipped.add(path, line, "not UTF-8 text", "");
            continue;
        };
        if let Some(header) = text.strip_prefix('!') {
            match header.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("gpi-version", found)) => {
                    version = Some(version_of(found).ok_or_else(|| {
                        let reason = format!("found GPI version {found}, expected 1.1, 1.2 or 2.0");
                        FileError::row(path, line, reason)
                    })?);
                }
                Some(("gaf-version" | "gpa-version" | "gpad-version", _)) => {
                    let reason = "holds annotations, expected gene products; give it as --go-annotations";
                    return Err(FileError::row(path, line, reason));
                }
                Some(("namespace", found)) => found.clone_into(&mut namespace),
                _ => {}
            }
            continue;
        }
        reading.rows += 1;
        let fields: Vec<&str> = text.split('\t').map(str::trim).collect();
        let version = *version.get_or_insert_with(|| guess(&fields));
        match row(line, &fields, version, &namespace) {
            Err((kind, detail)) => reading.skipped.add(path, line, kind, detail),
            Ok((_, Some(other))) if other != taxon => {
                reading.skipped.add(path, line, "another species", format_args!("taxon {other}"));
            }
            Ok((row, _)) => {
                reading.used += 1;
                each(&row);
            }
        }
    }
    reading.refuse_empty(path)
}

fn version_of(text: &str) -> Option<Version> {
    match text {
        "1.0" | "1.1" | "1" => Some(Version::One),
        "1.2" => Some(Version::OneTwo),
        "2" | "2.0" | "2.1" => Some(Version::Two),
        _ => None,
    }
}

fn guess(fields: &[&str]) -> Version {
    let is_taxon = |at: usize| fields.get(at).is_some_and(|field| taxon_of(field).is_some());
    match fields.first() {
        Some(first) if first.contains(':') && is_taxon(5) => Version::Two,
        _ if is_taxon(6) => Version::OneTwo,
        _ => Version::One,
    }
}

type Refused<'a> = (&'static str, &'a str);

fn row<'a>(
    line: usize,
    fields: &[&'a str],
    version: Version,
    namespace: &'a str,
) -> Result<(GpiRow<'a>, Option<u32>), Refused<'a>> {
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    let (product, taxon, parent, xrefs) = match version {
        Version::One => {
            (Product { database: namespace, id: field(0), symbol: field(1) }, field(5), field(6), field(7))
        }
        Version::OneTwo => {
            (Product { database: field(0), id: field(1), symbol: field(2) }, field(6), field(7), field(8))
        }
        Version::Two => {
            let (database, id) = field(0).split_once(':').unwrap_or_default();
            let parent = if field(6).is_empty() { field(7) } else { field(6) };
            (Product { database, id, symbol: field(1) }, field(5), parent, field(9))
        }
    };
    if fields.len() < 6 {
        return Err(("too few columns", field(0)));
    }
    if product.id.is_empty() {
        return Err(("no identifier of a gene product", product.symbol));
    }
    let taxon =
        if taxon.is_empty() { None } else { Some(taxon_of(taxon).ok_or(("unreadable taxon", taxon))?) };
    Ok((GpiRow { line, product, parent, xrefs }, taxon))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn check(text: &str) -> Result<(Vec<[String; 5]>, Reading), String> {
        let mut rows = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading = parse(Path::new("x.gpi"), reader, 9606, |row| {
            let Product { database, id, symbol } = row.product;
            rows.push([database, id, symbol, row.parent, row.xrefs].map(str::to_owned));
        });
        Ok((rows, reading.map_err(|e| e.to_string())?))
    }

    #[test]
    fn all_versions_say_the_same() {
        let one = "!gpi-version: 1.1\n!namespace: UniProtKB\nP08151\tGLI1\tname\tGLI\tprotein\ttaxon:9606\tUniProtKB:P1\tHGNC:4317\tx=y\n";
        let one_two = "!gpi-version: 1.2\nUniProtKB\tP08151\tGLI1\tname\tGLI\tprotein\ttaxon:9606\tUniProtKB:P1\tHGNC:4317\tx=y\n";
        let two = "!gpi-version: 2.0\nUniProtKB:P08151\tGLI1\tname\tGLI\tPR:1\tNCBITaxon:9606\t\tUniProtKB:P1\t\tHGNC:4317\tx=y\n";
        let expected = [["UniProtKB", "P08151", "GLI1", "UniProtKB:P1", "HGNC:4317"].map(str::to_owned)];
        for text in [one, one_two, two] {
            assert_eq!(check(text).unwrap().0, expected, "{text}");
            let without_version = text.split_once('\n').unwrap().1;
            assert_eq!(check(without_version).unwrap().0, expected, "{without_version}");
        }
    }

    #[test]
    fn other_species_and_files_are_refused() {
        let (rows, reading) =
            check("!gpi-version: 1.2\nSGD\tS1\tA\t\t\tprotein\ttaxon:559292\nSGD\tS2\tB\t\t\tprotein\ttaxon:9606\nSGD\t\tC\t\t\tprotein\ttaxon:9606\nx\n").unwrap();
        assert_eq!((rows.len(), reading.skipped.total, reading.rows), (1, 3, 4));
        assert!(check("!gaf-version: 2.2\n").unwrap_err().contains("give it as --go-annotations"));
        assert!(check("!gpi-version: 9\n").unwrap_err().contains("expected 1.1, 1.2 or 2.0"));
    }
}
