//! UniProt's `idmapping.dat`: accession, kind of identifier, identifier
//! (<https://ftp.uniprot.org/pub/databases/uniprot/current_release/knowledgebase/idmapping/>; CC BY 4.0).
//!
//! ```text
//! P08151  UniProtKB-ID  GLI1_HUMAN
//! P08151  GeneID        2735
//! P08151  HGNC          HGNC:4317
//! ```
//!
//! Used are rows of HGNC and GeneID. An entry's name stands first: that of an entry which was not reviewed begins with
//! its accession.

use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::lines::Lines;
use crate::gene::{EntrezId, HgncId};
use crate::stage::{FileError, open};

/// The gene of an accession.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gene {
    /// By HGNC id.
    Hgnc(HgncId),
    /// By NCBI id.
    Entrez(EntrezId),
}

/// An accession and its gene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRow<'a> {
    /// The line, from 1.
    pub line: usize,
    /// The accession; an isoform's suffix is dropped.
    pub accession: &'a str,
    /// Its gene.
    pub gene: Gene,
    /// Whether the entry was reviewed (Swiss-Prot), as far as the rows before tell.
    pub reviewed: bool,
}

/// Reads a file, gzip or plain.
pub fn read(path: &Path, each: impl FnMut(&IdRow<'_>)) -> Result<Reading, FileError> {
    parse(path, open(path)?, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    mut each: impl FnMut(&IdRow<'_>),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    let mut reviewed = String::new();
    while let Some(line) = lines.advance()? {
        reading.rows += 1;
        let Some(text) = lines.text() else {
            reading.skipped.add(path, line, "not UTF-8 text", "");
            continue;
        };
        let mut fields = text.split('\t').map(str::trim);
        let (Some(accession), Some(kind), Some(id), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            reading.skipped.add(path, line, "not accession, kind and identifier", text);
            continue;
        };
        let accession = accession.split('-').next().unwrap_or_default();
        let gene = match kind {
            "HGNC" => HgncId::parse(id).map(Gene::Hgnc),
            "GeneID" => EntrezId::parse(id).map(Gene::Entrez),
            _ => {
                if kind == "UniProtKB-ID" && !id.starts_with(accession) {
                    accession.clone_into(&mut reviewed);
                }
                reading.skipped.add(path, line, "an identifier of another kind", kind);
                continue;
            }
        };
        match gene {
            Err(error) => reading.skipped.add(path, line, "unreadable identifier", error),
            Ok(gene) => {
                reading.used += 1;
                each(&IdRow { line, accession, gene, reviewed: accession == reviewed });
            }
        }
    }
    reading.refuse_empty(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn genes_of_accessions_are_read_and_reviewed_entries_told() {
        let text = "P08151\tUniProtKB-ID\tGLI1_HUMAN\nP08151\tGeneID\t2735\nP08151-2\tHGNC\tHGNC:4317\n\
            A0A024R161\tUniProtKB-ID\tA0A024R161_HUMAN\nA0A024R161\tGeneID\tx\nA0A024R161\tGeneID\t552891\nP1\tHGNC\n";
        let mut rows = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading = parse(Path::new("id.dat"), reader, |row| {
            rows.push((row.accession.to_owned(), row.gene, row.reviewed));
        })
        .unwrap();
        let gli1 = "P08151".to_owned();
        assert_eq!(rows[0], (gli1.clone(), Gene::Entrez(EntrezId(2735)), true));
        assert_eq!(rows[1], (gli1, Gene::Hgnc(HgncId(4317)), true));
        assert_eq!(rows[2], ("A0A024R161".to_owned(), Gene::Entrez(EntrezId(552_891)), false));
        assert_eq!((reading.rows, reading.used, reading.skipped.total), (7, 3, 4));
    }
}
