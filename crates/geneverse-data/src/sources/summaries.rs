//! RefSeq's functional summaries: NCBI's `gene_summary.gz` (`#tax_id GeneID Source Summary`), or a
//! table of `symbol`, `Gene_ID`, `summary` (public domain).
//!
//! A trailing "[provided by RefSeq, Jul 2008]" is dropped: it is not part of what the gene does.

use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::tsv::Tsv;
use crate::gene::{EntrezId, GeneSymbol};
use crate::stage::{FileError, open};

/// A summary and the gene it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// The line in the file, from 1.
    pub line: usize,
    /// The gene's NCBI id, where the table has one.
    pub entrez_id: Option<EntrezId>,
    /// The gene's symbol, where the table has one.
    pub symbol: Option<GeneSymbol>,
    /// One paragraph.
    pub text: String,
    /// Who wrote it; "RefSeq" unless the table says otherwise.
    pub source: String,
}

/// Reads a file, gzip or plain; `each` gets the summaries of genes of `taxon`, and those of a table without species.
pub fn read(path: &Path, taxon: u32, each: impl FnMut(SummaryRow)) -> Result<Reading, FileError> {
    parse(path, open(path)?, taxon, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    taxon: u32,
    mut each: impl FnMut(SummaryRow),
) -> Result<Reading, FileError> {
    let mut tsv = Tsv::new(path, reader)?;
    let summary = tsv.need(&["summary", "gene_summary"])?;
    let symbol = tsv.column(&["symbol", "gene_symbol", "gene"]);
    let gene_id = tsv.column(&["Gene_ID", "GeneID", "entrez_id", "ncbi_gene_id"]);
    if symbol.is_none() {
        // A table without either is told of the id, which is the better key.
        gene_id.map_or_else(|| tsv.need(&["Gene_ID", "GeneID", "symbol"]), Ok)?;
    }
    let tax_id = tsv.column(&["tax_id", "taxid"]);
    let source = tsv.column(&["source"]);

    tsv.only_species(tax_id, taxon);
    let mut reading = Reading::default();
    while let Some(row) = tsv.next_row()? {
        let line = row.line;
        let entrez_id = EntrezId::parse(row.get_or_empty(gene_id)).ok();
        let symbol = GeneSymbol::parse(row.get_or_empty(symbol)).ok();
        let text = without_credit(row.get(summary));
        if entrez_id.is_none() && symbol.is_none() {
            reading.skipped.add(path, line, "neither a readable Gene_ID nor a readable symbol", "");
        } else if text.is_empty() || text == "-" {
            reading.skipped.add(path, line, "an empty summary", "");
        } else {
            let source =
                Some(row.get_or_empty(source)).filter(|s| !s.is_empty()).unwrap_or("RefSeq").to_owned();
            reading.used += 1;
            each(SummaryRow { line, entrez_id, symbol, text: text.to_owned(), source });
        }
    }
    let (rows, wrong_length) = tsv.finish();
    reading.rows = rows;
    reading.skipped.merge(wrong_length);
    reading.refuse_empty(path)
}

/// The text without a trailing credit such as "[provided by RefSeq, Jul 2008]".
pub(crate) fn without_credit(text: &str) -> &str {
    let text = text.trim();
    match text.rfind("[provided by") {
        Some(start) if text.ends_with(']') || text.ends_with("].") => text[..start].trim_end(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gene::HUMAN;
    use std::io::Cursor;

    fn check(text: &str) -> Result<(Vec<SummaryRow>, Reading), String> {
        let mut rows = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading =
            parse(Path::new("s.tsv"), reader, HUMAN, |r| rows.push(r)).map_err(|e| e.to_string())?;
        Ok((rows, reading))
    }

    #[test]
    fn the_credit_is_dropped_and_both_tables_load() {
        let (rows, _) =
            check("symbol\tGene_ID\tsummary\nGLI1\t2735\tA factor. [provided by RefSeq, Jul 2008]\n")
                .unwrap();
        assert_eq!((rows[0].text.as_str(), rows[0].entrez_id), ("A factor.", Some(EntrezId(2735))));
        let ncbi = "#tax_id\tGeneID\tSource\tSummary\n9606\t2735\tRefSeq\tA factor.\n10090\t1\tMGI\tOther.\n";
        let (rows, reading) = check(ncbi).unwrap();
        assert_eq!((rows.len(), rows[0].source.as_str(), reading.skipped.total), (1, "RefSeq", 1));
    }

    #[test]
    fn a_table_without_key_or_text_is_refused_and_bad_rows_are_skipped() {
        assert!(check("summary\nx\n").unwrap_err().starts_with("s.tsv: found no column `Gene_ID`"));
        assert!(check("symbol\tGene_ID\n").unwrap_err().starts_with("s.tsv: found no column `summary`"));
        let (rows, reading) = check("symbol\tGene_ID\tsummary\n\t\tx\nA\t1\t\nB\tx\tText.\n").unwrap();
        assert_eq!((rows.len(), reading.skipped.total), (1, 2));
    }
}
