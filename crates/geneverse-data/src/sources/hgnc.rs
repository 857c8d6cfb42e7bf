//! HGNC's complete set: one approved gene per row, 54 columns in 2024
//! (<https://www.genenames.org/download/archive/>; CC0). HGNC's custom downloads load too.
//!
//! Used: `hgnc_id symbol name locus_group locus_type status location alias_symbol alias_name prev_symbol
//! prev_name gene_group entrez_id ensembl_gene_id omim_id uniprot_ids mgd_id rgd_id`; only the first
//! three are needed. Lists are separated by `|`.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::tsv::{Column, Row, Tsv, list};
use crate::gene::{EnsemblId, EntrezId, GeneKind, GeneRecord, GeneSymbol, HgncId, OmimId, UniprotAccession};
use crate::stage::{FileError, open};

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HgncRow {
    /// An approved gene.
    Approved(Box<GeneRecord>),
    /// A symbol that was withdrawn for another gene's, which went by it before.
    Withdrawn {
        /// The line, from 1.
        line: usize,
        /// The symbol.
        symbol: GeneSymbol,
        /// The gene that it now is.
        successor: Successor,
    },
}

/// How a withdrawn row names the gene that it now is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    /// By its symbol.
    Symbol(GeneSymbol),
    /// By its id.
    Id(HgncId),
}

/// Reads a file, gzip or plain.
pub fn read(path: &Path, each: impl FnMut(HgncRow)) -> Result<Reading, FileError> {
    parse(path, open(path)?, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    mut each: impl FnMut(HgncRow),
) -> Result<Reading, FileError> {
    let mut tsv = Tsv::new(path, reader)?;
    let columns = Columns::find(&tsv)?;
    let mut reading = Reading::default();
    let mut lines_of_ids: HashMap<HgncId, usize> = HashMap::new();
    let mut lines_of_symbols: HashMap<GeneSymbol, usize> = HashMap::new();
    while let Some(row) = tsv.next_row()? {
        let line = row.line;
        let status = row.get_or_empty(columns.status);
        if !status.is_empty() && !status.eq_ignore_ascii_case("approved") {
            match withdrawn(row.get(columns.symbol), row.get(columns.name)) {
                Some((symbol, successor)) => {
                    reading.used += 1;
                    each(HgncRow::Withdrawn { line, symbol, successor });
                }
                None => reading.skipped.add(path, line, "not an approved gene", status),
            }
            continue;
        }
        match record(&row, &columns, &mut |what, detail| reading.dropped_values.add(path, line, what, detail))
        {
            Err(reason) => reading.skipped.add(path, line, reason.kind, reason.detail),
            Ok((id, record)) => {
                if let Some(first) = lines_of_ids.get(&id) {
                    let detail = format_args!("{id} is on line {first} already");
                    reading.skipped.add(path, line, "repeated HGNC id", detail);
                } else if let Some(first) = lines_of_symbols.get(&record.symbol) {
                    let detail = format!("{} is on line {first} already", record.symbol);
                    reading.skipped.add(path, line, "repeated symbol", detail);
                } else {
                    lines_of_ids.insert(id, line);
                    lines_of_symbols.insert(record.symbol.clone(), line);
                    reading.used += 1;
                    each(HgncRow::Approved(Box::new(record)));
                }
            }
        }
    }
    let (rows, wrong_length) = tsv.finish();
    reading.rows = rows;
    reading.skipped.merge(wrong_length);
    reading.refuse_empty(path)
}

/// `GLI~withdrawn`, "symbol withdrawn, see GLI1" (or "see [HGNC:4317](…)"): the old symbol and its one successor.
fn withdrawn(symbol: &str, name: &str) -> Option<(GeneSymbol, Successor)> {
    let symbol = GeneSymbol::parse(symbol.split('~').next().unwrap_or_default()).ok()?;
    let (_, successor) = name.split_once("withdrawn, see ")?;
    let successor = match successor.trim().strip_prefix('[') {
        Some(linked) => linked.split_once(']').filter(|(_, link)| !link.contains('['))?.0,
        None => successor.trim(),
    };
    let id = HgncId::parse(successor).ok().filter(|_| successor.starts_with("HGNC:")).map(Successor::Id);
    id.or_else(|| GeneSymbol::parse(successor).ok().map(Successor::Symbol))
        .map(|successor| (symbol, successor))
}

/// The first name of each column is the complete set's, the others those of custom downloads and of the sets before 2016,
/// which have HGNC's own ids and those that others supply in two columns.
struct Columns {
    hgnc_id: Column,
    symbol: Column,
    name: Column,
    locus_group: Option<Column>,
    locus_type: Option<Column>,
    status: Option<Column>,
    location: Option<Column>,
    alias_symbol: Option<Column>,
    alias_name: Option<Column>,
    prev_symbol: Option<Column>,
    prev_name: Option<Column>,
    gene_group: Option<Column>,
    entrez_id: Vec<Column>,
    ensembl_gene_id: Vec<Column>,
    omim_id: Vec<Column>,
    uniprot_ids: Vec<Column>,
    mgd_id: Vec<Column>,
    rgd_id: Vec<Column>,
}

impl Columns {
    fn find(tsv: &Tsv) -> Result<Self, FileError> {
        Ok(Self {
            hgnc_id: tsv.need(&["hgnc_id"])?,
            symbol: tsv.need(&["symbol", "approved_symbol"])?,
            name: tsv.need(&["name", "approved_name"])?,
            locus_group: tsv.column(&["locus_group"]),
            locus_type: tsv.column(&["locus_type"]),
            status: tsv.column(&["status"]),
            location: tsv.column(&["location", "chromosome_location", "chromosome"]),
            alias_symbol: tsv.column(&["alias_symbol", "alias_symbols", "synonyms"]),
            alias_name: tsv.column(&["alias_name", "alias_names", "name_synonyms"]),
            prev_symbol: tsv.column(&["prev_symbol", "previous_symbols", "previous_symbol"]),
            prev_name: tsv.column(&["prev_name", "previous_name", "previous_names"]),
            gene_group: tsv.column(&[
                "gene_group",
                "gene_group_name",
                "gene_family",
                "gene_family_name",
                "gene_family_description",
            ]),
            entrez_id: tsv.columns(&[
                "entrez_id",
                "ncbi_gene_id",
                "entrez_gene_id",
                "entrez_gene_id(supplied_by_ncbi)",
                "ncbi_gene_id(supplied_by_ncbi)",
            ]),
            ensembl_gene_id: tsv.columns(&[
                "ensembl_gene_id",
                "ensembl_id",
                "ensembl_id(supplied_by_ensembl)",
            ]),
            omim_id: tsv.columns(&["omim_id", "omim_id(supplied_by_omim)", "omim_id(supplied_by_ncbi)"]),
            uniprot_ids: tsv.columns(&["uniprot_ids", "uniprot_id", "uniprot_id(supplied_by_uniprot)"]),
            mgd_id: tsv.columns(&[
                "mgd_id",
                "mouse_genome_database_id",
                "mouse_genome_database_id(supplied_by_mgi)",
            ]),
            rgd_id: tsv.columns(&[
                "rgd_id",
                "rat_genome_database_id",
                "rat_genome_database_id(supplied_by_rgd)",
            ]),
        })
    }
}

struct Refused {
    kind: &'static str,
    detail: String,
}

fn refused(kind: &'static str, detail: impl Display) -> Refused {
    Refused { kind, detail: detail.to_string() }
}

/// One row as a record; `dropped` hears of single values that cannot be read.
fn record(
    row: &Row<'_>,
    columns: &Columns,
    dropped: &mut dyn FnMut(&'static str, &str),
) -> Result<(HgncId, GeneRecord), Refused> {
    let id = HgncId::parse(row.get(columns.hgnc_id)).map_err(|e| refused("unreadable HGNC id", e))?;
    let symbol = GeneSymbol::parse(row.get(columns.symbol)).map_err(|e| refused("unreadable symbol", e))?;
    let name = row.get(columns.name);
    if name.is_empty() {
        return Err(refused("no name", &symbol));
    }

    let locus_type = locus_type(row.get_or_empty(columns.locus_type));
    let kind = match locus_type.as_deref() {
        Some(locus_type) => GeneKind::from_hgnc_locus_type(locus_type),
        None => kind_of_group(row.get_or_empty(columns.locus_group)),
    };
    let mut record = GeneRecord::new(symbol, name, kind);
    record.locus_type = locus_type;
    record.location = Some(row.get_or_empty(columns.location)).filter(|l| !l.is_empty()).map(str::to_owned);
    record.hgnc_id = Some(id);
    record.entrez_id =
        ids(row.first_filled(&columns.entrez_id), EntrezId::parse, "unreadable Entrez id", dropped)
            .into_iter()
            .next();
    record.ensembl_id =
        ids(row.first_filled(&columns.ensembl_gene_id), EnsemblId::parse, "unreadable Ensembl id", dropped)
            .into_iter()
            .next();
    record.omim_ids =
        ids(row.first_filled(&columns.omim_id), OmimId::parse, "unreadable OMIM number", dropped);
    record.uniprot_ids = ids(
        row.first_filled(&columns.uniprot_ids),
        UniprotAccession::parse,
        "unreadable UniProt accession",
        dropped,
    );
    record.aliases = texts(symbols(row.get_or_empty(columns.alias_symbol)), &record.symbol);
    record.previous_symbols = texts(symbols(row.get_or_empty(columns.prev_symbol)), &record.symbol);
    let other_names =
        names(row.get_or_empty(columns.alias_name)).chain(names(row.get_or_empty(columns.prev_name)));
    record.other_names = texts(other_names, &record.symbol);
    record.groups = texts(list(row.get_or_empty(columns.gene_group)), &record.symbol);
    let orthologs =
        symbols(row.first_filled(&columns.mgd_id)).chain(symbols(row.first_filled(&columns.rgd_id)));
    record.orthologs = texts(orthologs, &record.symbol);
    Ok((id, record))
}

/// Custom downloads write "Gene with protein product" where the complete set writes "gene with …".
fn locus_type(text: &str) -> Option<String> {
    if text.is_empty() {
        None
    } else if text.starts_with("RNA") || text.starts_with("T cell") {
        Some(text.to_owned())
    } else {
        Some(text.to_lowercase())
    }
}

fn kind_of_group(locus_group: &str) -> GeneKind {
    match locus_group.to_lowercase().as_str() {
        "protein-coding gene" => GeneKind::ProteinCoding,
        "pseudogene" => GeneKind::Pseudogene,
        "non-coding rna" => GeneKind::OtherRna,
        _ => GeneKind::Other,
    }
}

/// Symbols and ids are also separated by ", " (custom downloads); names are not, they hold commas.
fn symbols(field: &str) -> impl Iterator<Item = &str> {
    list(field).flat_map(|item| item.split(", ")).map(str::trim).filter(|item| !item.is_empty())
}

/// Before 2016 names were listed as `"a, b", "c"`; the quotes at both ends of the field are gone by now.
fn names(field: &str) -> impl Iterator<Item = &str> {
    list(field).flat_map(|item| item.split("\", \"")).map(str::trim).filter(|item| !item.is_empty())
}

fn texts<'a>(items: impl Iterator<Item = &'a str>, symbol: &GeneSymbol) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        if item != symbol.as_str() && !kept.iter().any(|k| k == item) {
            kept.push(item.to_owned());
        }
    }
    kept
}

fn ids<T, E: Display>(
    field: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    what: &'static str,
    dropped: &mut dyn FnMut(&'static str, &str),
) -> Vec<T> {
    let mut parsed = Vec::new();
    for item in symbols(field) {
        match parse(item) {
            Ok(id) => parsed.push(id),
            Err(error) => dropped(what, &error.to_string()),
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn check(text: &str) -> (Vec<GeneRecord>, Reading) {
        let mut records = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading = parse(Path::new("hgnc.txt"), reader, |row| match row {
            HgncRow::Approved(record) => records.push(*record),
            HgncRow::Withdrawn { symbol, successor, .. } => {
                assert_eq!(
                    (symbol.as_str(), successor),
                    ("GLI", Successor::Symbol(records[0].symbol.clone()))
                );
            }
        });
        (records, reading.unwrap())
    }

    const HEADER: &str = "hgnc_id\tsymbol\tname\tlocus_type\tstatus\talias_symbol\tprev_symbol\tentrez_id\tensembl_gene_id\tmgd_id\n";
    const GLI1: &str = "HGNC:4317\tGLI1\tGLI family zinc finger 1\tgene with protein product\tApproved\t\tGLI\t2735\tENSG00000111087\tMGI:95727\n";

    #[test]
    fn a_row_becomes_a_record_and_quoted_lists_are_split() {
        let mir =
            "HGNC:1\tMIR1\tmicroRNA 1\tRNA, micro\tApproved\t\"hsa-mir-1|MIRN1\"\t\t\tENSGR0000002586\t\n";
        let (records, reading) = check(&format!("{HEADER}{GLI1}{mir}"));
        assert_eq!(records[0].previous_symbols, ["GLI"]);
        assert_eq!(records[0].entrez_id, Some(EntrezId(2735)));
        assert_eq!(records[0].orthologs, ["MGI:95727"]);
        assert_eq!((records[1].kind, records[1].aliases.len()), (GeneKind::MicroRna, 2));
        assert_eq!(reading.dropped_values.reasons["unreadable Ensembl id"], 1);
    }

    #[test]
    fn withdrawn_repeated_and_broken_rows_are_skipped_and_counted() {
        let withdrawn = GLI1.replace("4317", "2").replace("Approved", "Entry Withdrawn");
        let bad_symbol = GLI1.replace("4317", "3").replace("\tGLI1\t", "\tGLI 1\t");
        let same_symbol = GLI1.replace("4317", "4");
        let (records, reading) =
            check(&format!("{HEADER}{GLI1}{withdrawn}{GLI1}{bad_symbol}{same_symbol}short\trow\n"));
        assert_eq!((records.len(), reading.rows, reading.used, reading.skipped.total), (1, 6, 1, 5));
        let kinds: Vec<_> = reading.skipped.reasons.keys().map(String::as_str).collect();
        assert_eq!(
            kinds,
            [
                "not an approved gene",
                "repeated HGNC id",
                "repeated symbol",
                "too few columns",
                "unreadable symbol"
            ]
        );
        assert_eq!(
            reading.skipped.listed.iter().find(|s| s.line == 4).unwrap().reason,
            "repeated HGNC id: HGNC:4317 is on line 2 already"
        );
    }

    #[test]
    fn a_withdrawn_symbol_names_its_one_successor() {
        let row = GLI1
            .replace("4317", "2")
            .replace("\tGLI1\t", "\tGLI~withdrawn\t")
            .replace("Approved", "Symbol Withdrawn");
        let named = |name: &str| row.replace("GLI family zinc finger 1", name);
        let (records, reading) = check(&format!("{HEADER}{GLI1}{}", named("symbol withdrawn, see GLI1")));
        assert_eq!((records.len(), reading.used), (1, 2));
        let linked = withdrawn(
            "GLI~withdrawn",
            "symbol withdrawn, see [HGNC:4317](/data/gene-symbol-report/#!/hgnc_id/HGNC:4317)",
        );
        assert_eq!(linked.unwrap().1, Successor::Id(HgncId(4317)));
        for several in [
            "symbol withdrawn, see GLI1 and GLI2",
            "entry withdrawn",
            "withdrawn, see [HGNC:1](x), [HGNC:2](y)",
        ] {
            assert_eq!(withdrawn("GLI~withdrawn", several), None);
        }
    }

    #[test]
    fn two_columns_of_one_id_and_quoted_names_of_old_sets_load() {
        let (records, _) = check(
            "HGNC ID\tApproved Symbol\tApproved Name\tName Synonyms\tEntrez Gene ID\tEntrez Gene ID(supplied by NCBI)\tEnsembl ID(supplied by Ensembl)\n\
             HGNC:4317\tGLI1\tGLI family zinc finger 1\t\"zinc finger, one\", \"oncogene GLI\"\t\t2735\tENSG00000111087\n",
        );
        assert_eq!(records[0].entrez_id, Some(EntrezId(2735)));
        assert!(records[0].ensembl_id.is_some());
        assert_eq!(records[0].other_names, ["zinc finger, one", "oncogene GLI"]);
    }

    #[test]
    fn reordered_renamed_and_extra_columns_load() {
        let (records, _) = check(
            "Approved name\tnew column\tApproved symbol\tHGNC ID\tPrevious symbols\tLocus type\nGLI family zinc finger 1\tx\tGLI1\tHGNC:4317\tGLI, GLI0\tGene with protein product\n",
        );
        assert_eq!(records[0].previous_symbols, ["GLI", "GLI0"]);
        assert_eq!(records[0].kind, GeneKind::ProteinCoding);
    }

    #[test]
    fn a_missing_column_and_a_table_without_genes_are_errors() {
        let error = |text: &str| {
            let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
            parse(Path::new("hgnc.txt"), reader, |_| {}).unwrap_err().to_string()
        };
        assert!(
            error("symbol\tname\n")
                .starts_with("hgnc.txt: found no column `hgnc_id`; its columns are: symbol, name")
        );
        assert!(error(HEADER).contains("found no row"));
        assert_eq!(
            error(&format!("{HEADER}short\n")),
            "hgnc.txt:2: none of 1 rows could be used; the first: too few columns: expected 10 columns, found 1"
        );
    }
}
