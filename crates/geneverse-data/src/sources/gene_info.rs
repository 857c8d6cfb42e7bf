//! NCBI Gene's `gene_info`: one gene per row, `-` for an empty field
//! (<https://ftp.ncbi.nlm.nih.gov/gene/DATA/GENE_INFO/>, described in its README; public domain).
//!
//! Used: `tax_id GeneID Symbol Synonyms dbXrefs map_location description type_of_gene
//! Symbol_from_nomenclature_authority Full_name_from_nomenclature_authority Other_designations`; only
//! `GeneID` and `Symbol` are needed, so that the files of 2009 with their 14 columns load as well. One species of a file
//! with all of them is read in the memory that its own genes take. Lists are separated by `|`; dbXrefs look like
//! `MIM:165220|HGNC:HGNC:4317|Ensembl:ENSG00000111087`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::tsv::{Column, Row, Tsv, list};
use crate::gene::{EnsemblId, EntrezId, GeneKind, GeneRecord, GeneSymbol, HgncId, OmimId};
use crate::stage::{FileError, open};

pub use crate::gene::HUMAN;

/// One gene as NCBI has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneInfo {
    /// The line in the file, from 1.
    pub line: usize,
    /// The gene as a record of its own. Its symbol and name are the nomenclature authority's where the
    /// row has them; its `hgnc_id` is what NCBI refers to, which may have been withdrawn since.
    pub record: GeneRecord,
}

/// Reads a file, gzip or plain; `each` gets the genes of `taxon`.
pub fn read(path: &Path, taxon: u32, each: impl FnMut(GeneInfo)) -> Result<Reading, FileError> {
    parse(path, open(path)?, taxon, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    taxon: u32,
    mut each: impl FnMut(GeneInfo),
) -> Result<Reading, FileError> {
    let mut tsv = Tsv::new(path, reader)?;
    let columns = Columns::find(&tsv)?;
    tsv.only_species(columns.tax_id, taxon);
    let mut reading = Reading::default();
    let mut lines_of_ids: HashMap<EntrezId, usize> = HashMap::new();
    while let Some(row) = tsv.next_row()? {
        let line = row.line;
        match record(&row, &columns, &mut |what, detail| reading.dropped_values.add(path, line, what, detail))
        {
            Err((kind, detail)) => reading.skipped.add(path, line, kind, detail),
            Ok((id, mut record)) => match lines_of_ids.entry(id) {
                Entry::Occupied(first) => {
                    let detail = format_args!("{id} is on line {} already", first.get());
                    reading.skipped.add(path, line, "repeated Entrez id", detail);
                }
                Entry::Vacant(place) => {
                    place.insert(line);
                    record.tax_id = taxon;
                    reading.used += 1;
                    each(GeneInfo { line, record });
                }
            },
        }
    }
    let (rows, wrong_length) = tsv.finish();
    reading.rows = rows;
    reading.skipped.merge(wrong_length);
    reading.refuse_empty(path)
}

struct Columns {
    tax_id: Option<Column>,
    gene_id: Column,
    symbol: Column,
    synonyms: Option<Column>,
    xrefs: Option<Column>,
    location: Option<Column>,
    description: Option<Column>,
    kind: Option<Column>,
    authority_symbol: Option<Column>,
    authority_name: Option<Column>,
    other_designations: Option<Column>,
}

impl Columns {
    fn find(tsv: &Tsv) -> Result<Self, FileError> {
        Ok(Self {
            tax_id: tsv.column(&["tax_id", "taxid"]),
            gene_id: tsv.need(&["GeneID", "gene_id", "entrez_id"])?,
            symbol: tsv.need(&["Symbol", "gene_symbol"])?,
            synonyms: tsv.column(&["Synonyms", "aliases"]),
            xrefs: tsv.column(&["dbXrefs", "db_xrefs"]),
            location: tsv.column(&["map_location"]),
            description: tsv.column(&["description"]),
            kind: tsv.column(&["type_of_gene", "gene_type"]),
            authority_symbol: tsv.column(&["Symbol_from_nomenclature_authority"]),
            authority_name: tsv.column(&["Full_name_from_nomenclature_authority"]),
            other_designations: tsv.column(&["Other_designations"]),
        })
    }
}

fn record(
    row: &Row<'_>,
    columns: &Columns,
    dropped: &mut dyn FnMut(&'static str, &str),
) -> Result<(EntrezId, GeneRecord), (&'static str, String)> {
    let field = |column: Option<Column>| Some(row.get_or_empty(column)).filter(|f| !matches!(*f, "" | "-"));
    let type_of_gene = field(columns.kind).unwrap_or_default();
    // Enhancers, silencers, recombination hot spots …: in gene_info since 2017, and no genes.
    if type_of_gene == "biological-region" {
        return Err(("a biological region, not a gene", String::new()));
    }
    let entrez =
        EntrezId::parse(row.get(columns.gene_id)).map_err(|e| ("unreadable Entrez id", e.to_string()))?;
    let ncbi_symbol = row.get(columns.symbol);
    if ncbi_symbol == "NEWENTRY" {
        return Err(("a placeholder, not a gene", ncbi_symbol.to_owned()));
    }
    let symbol = GeneSymbol::parse(field(columns.authority_symbol).unwrap_or(ncbi_symbol))
        .map_err(|e| ("unreadable symbol", e.to_string()))?;
    let description = field(columns.description);
    let name = field(columns.authority_name).or(description).unwrap_or(symbol.as_str());

    let mut record = GeneRecord::new(symbol.clone(), name, kind(type_of_gene, &symbol, name));
    record.entrez_id = Some(entrez);
    record.location = field(columns.location).map(str::to_owned);
    // "LOC51145" only repeats the Entrez id.
    let placeholder = format!("LOC{entrez}");
    let synonyms = std::iter::once(ncbi_symbol).chain(list(field(columns.synonyms).unwrap_or_default()));
    for synonym in synonyms {
        let known = synonym == symbol.as_str() || record.aliases.iter().any(|a| a == synonym);
        if !known && synonym != "-" && synonym != placeholder {
            record.aliases.push(synonym.to_owned());
        }
    }
    let designations =
        description.into_iter().chain(list(field(columns.other_designations).unwrap_or_default()));
    for designation in designations {
        let known = designation == record.name || record.other_names.iter().any(|n| n == designation);
        if !known && designation != "-" {
            record.other_names.push(designation.to_owned());
        }
    }
    for xref in list(field(columns.xrefs).unwrap_or_default()) {
        let problem = match xref.split_once(':') {
            Some(("HGNC", id)) => HgncId::parse(id).map(|id| record.hgnc_id = Some(id)).err(),
            Some(("MIM", id)) => OmimId::parse(id).map(|id| record.omim_ids.push(id)).err(),
            // The first is the gene on the primary assembly.
            Some(("Ensembl", id)) => {
                EnsemblId::parse(id).map(|id| _ = record.ensembl_id.get_or_insert(id)).err()
            }
            _ => None,
        };
        if let Some(error) = problem {
            dropped("unreadable cross-reference", &error.to_string());
        }
    }
    Ok((entrez, record))
}

/// NCBI calls every RNA without a class of its own "ncRNA"; microRNAs can be told by their name.
pub(crate) fn kind(type_of_gene: &str, symbol: &GeneSymbol, name: &str) -> GeneKind {
    let is_micro_rna =
        type_of_gene == "ncRNA" && symbol.as_str().starts_with("MIR") && name.starts_with("microRNA");
    if is_micro_rna { GeneKind::MicroRna } else { GeneKind::from_ncbi_type(type_of_gene) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const HEADER: &str = "#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tchromosome\tmap_location\tdescription\ttype_of_gene\tSymbol_from_nomenclature_authority\tFull_name_from_nomenclature_authority\tNomenclature_status\tOther_designations\tModification_date\tFeature_type\n";

    fn check(rows: &str) -> (Vec<GeneRecord>, Reading) {
        let mut records = Vec::new();
        let reader = Box::new(Cursor::new(format!("{HEADER}{rows}").into_bytes()));
        let reading = parse(Path::new("gene_info"), reader, HUMAN, |g| records.push(g.record)).unwrap();
        (records, reading)
    }

    #[test]
    fn a_row_becomes_a_record() {
        let (records, _) = check(
            "9606\t2735\tGLI1\t-\tGLI|PAPA8\tMIM:165220|HGNC:HGNC:4317|Ensembl:ENSG00000111087\t12\t12q13.3\tGLI family zinc finger 1\tprotein-coding\tGLI1\tGLI family zinc finger 1\tO\tzinc finger protein GLI1|oncogene GLI\t20200113\t-\n",
        );
        let gli1 = &records[0];
        assert_eq!((gli1.hgnc_id, gli1.entrez_id), (Some(HgncId(4317)), Some(EntrezId(2735))));
        assert_eq!(gli1.aliases, ["GLI", "PAPA8"]);
        assert_eq!(gli1.other_names, ["zinc finger protein GLI1", "oncogene GLI"]);
        assert_eq!(gli1.omim_ids, [OmimId(165220)]);
    }

    #[test]
    fn dashes_are_empty_and_the_authoritys_symbol_comes_first() {
        let (records, _) = check(
            "9606\t4535\tND1\t-\t-\t-\tMT\t-\tNADH dehydrogenase, subunit 1\tprotein-coding\tMT-ND1\t-\tO\t-\t20200113\t-\n",
        );
        let nd1 = &records[0];
        assert_eq!((nd1.symbol.as_str(), nd1.name.as_str()), ("MT-ND1", "NADH dehydrogenase, subunit 1"));
        assert_eq!(nd1.aliases, ["ND1"]);
        assert_eq!((&nd1.location, nd1.hgnc_id, nd1.other_names.len()), (&None, None, 0));
    }

    #[test]
    fn other_species_and_regions_are_skipped_and_counted() {
        let row = |tax, kind| format!("{tax}\t1\tA\t-\t-\t-\t1\t-\tname\t{kind}\t-\t-\t-\t-\t20200113\t-\n");
        let rows = row(63221, "pseudo") + &row(9606, "biological-region") + &row(9606, "pseudo");
        let (records, reading) = check(&rows);
        assert_eq!((records.len(), reading.rows, reading.skipped.total), (1, 3, 2));
        assert_eq!(reading.skipped.reasons["another species"], 1);
    }

    #[test]
    fn an_id_counts_once_and_another_species_is_read_on_demand() {
        let row = |tax, id, symbol| {
            format!(
                "{tax}\t{id}\t{symbol}\t-\t-\tEnsembl:ENSMUSG00000025407\t10\t-\tname\tprotein-coding\t-\t-\t-\t-\t20200113\t-\n"
            )
        };
        let text = format!(
            "{HEADER}{}{}{}",
            row(10090, 14632, "Gli1"),
            row(9606, 2735, "GLI1"),
            row(10090, 14632, "Gli9")
        );
        let mut records = Vec::new();
        let reader = Box::new(Cursor::new(text.into_bytes()));
        let reading = parse(Path::new("gene_info"), reader, 10090, |g| records.push(g.record)).unwrap();
        assert_eq!((records.len(), records[0].symbol.as_str(), records[0].tax_id), (1, "Gli1", 10090));
        assert_eq!(records[0].ensembl_id.unwrap().to_string(), "ENSMUSG00000025407");
        assert_eq!(reading.skipped.listed[1].reason, "repeated Entrez id: 14632 is on line 2 already");
    }

    #[test]
    fn the_header_and_the_columns_of_before_2016_load() {
        let old = "#Format: tax_id GeneID Symbol LocusTag Synonyms dbXrefs chromosome map_location description type_of_gene (tab is used as a separator, pound sign - start of a comment)\n\
            9606\t2735\tGLI1\t-\tGLI\tHGNC:4317|MIM:165220\t12\t12q13\tGLI family zinc finger 1\tprotein-coding\n";
        let mut records = Vec::new();
        let reader = Box::new(Cursor::new(old.as_bytes().to_vec()));
        parse(Path::new("gene_info"), reader, HUMAN, |g| records.push(g.record)).unwrap();
        assert_eq!(
            (records[0].hgnc_id, records[0].aliases.as_slice()),
            (Some(HgncId(4317)), &["GLI".to_owned()][..])
        );
    }
}
