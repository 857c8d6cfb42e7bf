//! Annotations of genes with GO terms, in the formats in which they are given away. A file's first lines tell which:
//!
//! | format | begins with | a row |
//! |---|---|---|
//! | GAF 1.0 to 2.2 | `!gaf-version:` | 15 or 17 columns, of which GO's site has the list |
//! | GPAD 1.1, 1.2 | `!gpa-version:` | database, identifier, qualifiers, term, references, ECO class, … |
//! | GPAD 2.0 | `!gpad-version: 2.0` | database:identifier, `NOT`, relation, term, references, ECO class, … |
//! | NCBI's gene2go | `#tax_id GeneID GO_ID …` | columns by name |
//! | a table | nothing | a symbol or an accession, and its terms separated by `\|`, `;` or `,` |
//!
//! <https://geneontology.org/docs/go-annotations/> (CC BY 4.0). A file without its first line is told by its first row.
//! What a parser cannot decide, namely which gene is meant and whether a term is in use, it leaves to the import.

use std::io::BufRead;
use std::path::Path;

use super::lines::Lines;
use super::tsv::header_columns;
use super::{Reading, Skips};
use crate::annotation::{Evidence, Qualifier};
use crate::gene::GoId;
use crate::stage::{FileError, open};

/// What is annotated, as the row names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Product<'a> {
    /// The database of the identifier: `UniProtKB`, `MGI`, `NCBIGene`; empty where the row says only one thing.
    pub database: &'a str,
    /// The identifier; with an empty database a symbol or an accession.
    pub id: &'a str,
    /// The symbol; empty where the row has none.
    pub symbol: &'a str,
}

/// The annotations of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotationRow<'a> {
    /// The line, from 1.
    pub line: usize,
    /// What is annotated.
    pub product: Product<'a>,
    /// With which terms; one in all formats but the table.
    pub terms: &'a [GoId],
    /// In which way.
    pub qualifier: Qualifier,
    /// How it is known.
    pub evidence: Evidence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Gaf,
    GpadOne,
    GpadTwo,
    Gene2go(Columns),
    Table,
}

/// Where gene2go's columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns {
    count: usize,
    tax_id: Option<usize>,
    gene_id: usize,
    term: usize,
    evidence: Option<usize>,
    qualifier: Option<usize>,
}

/// Reads a file, gzip or plain; `each` gets the annotations of `taxon`, and those of which the file does not say it.
pub fn read(path: &Path, taxon: u32, each: impl FnMut(&AnnotationRow<'_>)) -> Result<Reading, FileError> {
    parse(path, open(path)?, taxon, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    taxon: u32,
    mut each: impl FnMut(&AnnotationRow<'_>),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    let mut format: Option<Format> = None;
    let mut terms = Vec::new();
    while let Some(line) = lines.advance()? {
        let Some(text) = lines.text() else {
            reading.rows += 1;
            reading.skipped.add(path, line, "not UTF-8 text", "");
            continue;
        };
        if let Some(header) = text.strip_prefix('!') {
            format = format_of_header(path, line, header)?.or(format);
            continue;
        }
        if text.starts_with('#') {
            if format.is_none() {
                format = gene2go_columns(path, text)?.map(Format::Gene2go);
            }
            continue;
        }
        let fields = Fields::of(text);
        if format.is_none() {
            // gene2go without its mark: a spreadsheet has been here.
            if let Some(columns) = gene2go_columns(path, text)? {
                format = Some(Format::Gene2go(columns));
                continue;
            }
        }
        reading.rows += 1;
        let format = match &mut format {
            Some(format) => format,
            None => format.insert(guess(path, line, &fields)?),
        };
        terms.clear();
        let dropped = &mut reading.dropped_values;
        match row(path, line, &fields, format, taxon, &mut terms, dropped) {
            Err(Refused(kind, detail)) => reading.skipped.add(path, line, kind, detail),
            Ok((product, qualifier, evidence)) => {
                reading.used += 1;
                each(&AnnotationRow { line, product, terms: &terms, qualifier, evidence });
            }
        }
    }
    reading.refuse_empty(path)
}

/// NCBI's number in `taxon:9606`, `NCBITaxon:9606` or `9606`; of `taxon:9606|taxon:5833`, a host and what lives in it,
/// the first is the gene's.
pub fn taxon_of(text: &str) -> Option<u32> {
    let first = text.split('|').next().unwrap_or_default().trim();
    let number = first.rsplit(':').next().unwrap_or_default();
    number.parse().ok()
}

/// The format that a header line names, if it names one.
fn format_of_header(path: &Path, line: usize, header: &str) -> Result<Option<Format>, FileError> {
    let Some((key, version)) = header.split_once(':').map(|(key, value)| (key.trim(), value.trim())) else {
        return Ok(None);
    };
    let unknown = |expected| {
        Err(FileError::row(
            path,
            line,
            format!("found {key} {version}, expected {expected}; convert it first"),
        ))
    };
    match key {
        "gaf-version" if version.starts_with("1.") || version.starts_with("2.") || version == "2" => {
            Ok(Some(Format::Gaf))
        }
        "gaf-version" => unknown("1.0, 2.0, 2.1 or 2.2"),
        "gpa-version" | "gpad-version" if version.starts_with('1') => Ok(Some(Format::GpadOne)),
        "gpa-version" | "gpad-version" if version.starts_with('2') => Ok(Some(Format::GpadTwo)),
        "gpa-version" | "gpad-version" => unknown("1.1, 1.2 or 2.0"),
        "gpi-version" => {
            let reason = "holds gene products, not annotations; give it as --gpi, and its GPAD file here";
            Err(FileError::row(path, line, reason))
        }
        _ => Ok(None),
    }
}

/// gene2go's columns, where the line is a header with the names of all three that are needed, or of two: then the third
/// is missing.
fn gene2go_columns(path: &Path, line: &str) -> Result<Option<Columns>, FileError> {
    let names = header_columns(line);
    let column = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
    let gene_id = column(&["geneid", "gene_id", "entrez_id"]);
    let term = column(&["go_id", "goid", "go_term_id"]);
    let tax_id = column(&["tax_id", "taxid"]);
    match (gene_id, term) {
        (Some(gene_id), Some(term)) => Ok(Some(Columns {
            count: names.len(),
            tax_id,
            gene_id,
            term,
            evidence: column(&["evidence"]),
            qualifier: column(&["qualifier"]),
        })),
        (None, None) => Ok(None),
        (found, _) => {
            let missing = if found.is_some() { "GO_ID" } else { "GeneID" };
            let reason = format!("found no column `{missing}`; its columns are: {}", names.join(", "));
            Err(FileError::whole(path, reason))
        }
    }
}

/// The format of a file that does not say it, by its first row.
fn guess(path: &Path, line: usize, fields: &Fields<'_>) -> Result<Format, FileError> {
    let is_term = |at: usize| GoId::parse(fields.get(at)).is_ok();
    match fields.0.len() {
        13.. if is_term(4) => Ok(Format::Gaf),
        8.. if is_term(3) && (fields.get(0).contains(':') || fields.get(1) == "NOT") => Ok(Format::GpadTwo),
        8.. if is_term(3) => Ok(Format::GpadOne),
        2 => Ok(Format::Table),
        found => {
            let reason = format!(
                "found a row of {found} columns and no header, expected GAF (17 columns), GPAD (12), gene2go with its \
                 header, or a symbol and its terms (2)"
            );
            Err(FileError::row(path, line, reason))
        }
    }
}

/// A row's fields, without surrounding blanks.
struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.split('\t').map(str::trim).collect())
    }

    fn get(&self, at: usize) -> &'a str {
        self.0.get(at).copied().unwrap_or_default()
    }

    /// A field that is there and is not NCBI's dash.
    fn optional(&self, at: Option<usize>) -> &'a str {
        at.map_or("", |at| self.get(at)).trim_matches('-')
    }
}

struct Refused(&'static str, String);

fn refused<T>(kind: &'static str, detail: impl ToString) -> Result<T, Refused> {
    Err(Refused(kind, detail.to_string()))
}

/// One row; its terms go into `terms`.
fn row<'a>(
    path: &Path,
    line: usize,
    fields: &Fields<'a>,
    format: &Format,
    taxon: u32,
    terms: &mut Vec<GoId>,
    dropped: &mut Skips,
) -> Result<(Product<'a>, Qualifier, Evidence), Refused> {
    let (least, most) = match format {
        // Editors take off the tabs at the end, and with them the last columns, which may be empty.
        Format::Gaf => (14, 17),
        Format::GpadOne | Format::GpadTwo => (6, 12),
        Format::Gene2go(columns) => (columns.count.saturating_sub(2), columns.count),
        Format::Table => (2, 2),
    };
    let found = fields.0.len();
    if found < least {
        return refused("too few columns", format_args!("expected {most} columns, found {found}"));
    }
    if fields.0.iter().skip(most).any(|field| !field.is_empty()) {
        return refused("too many columns", format_args!("expected {most} columns, found {found}"));
    }
    let (product, species, qualifiers, term, evidence) = match format {
        Format::Gaf => {
            let product = Product { database: fields.get(0), id: fields.get(1), symbol: fields.get(2) };
            (product, fields.get(12), [fields.get(3), ""], fields.get(4), fields.get(6))
        }
        Format::GpadOne => {
            let product = Product { database: fields.get(0), id: fields.get(1), symbol: "" };
            let code = fields.get(11).split('|').find_map(|property| property.strip_prefix("go_evidence="));
            (product, "", [fields.get(2), ""], fields.get(3), code.unwrap_or(fields.get(5)))
        }
        Format::GpadTwo => {
            let (database, id) = fields.get(0).split_once(':').unwrap_or_default();
            let product = Product { database, id, symbol: "" };
            (product, "", [fields.get(1), fields.get(2)], fields.get(3), fields.get(5))
        }
        Format::Gene2go(columns) => {
            let product = Product { database: "NCBIGene", id: fields.get(columns.gene_id), symbol: "" };
            let (tax_id, qualifier) = (fields.optional(columns.tax_id), fields.optional(columns.qualifier));
            let (term, evidence) = (fields.get(columns.term), fields.optional(columns.evidence));
            (product, tax_id, [qualifier, ""], term, evidence)
        }
        Format::Table => {
            for term in fields.get(1).split(['|', ';', ',']).map(str::trim).filter(|term| !term.is_empty()) {
                match GoId::parse(term) {
                    Ok(id) if terms.contains(&id) => {}
                    Ok(id) => terms.push(id),
                    Err(error) => dropped.add(path, line, "unreadable term", error),
                }
            }
            if fields.get(0).is_empty() {
                return refused("no identifier of a gene product", "");
            }
            if terms.is_empty() {
                return refused("no terms", fields.get(1));
            }
            let product = Product { database: "", id: fields.get(0), symbol: "" };
            return Ok((product, Qualifier::NONE, Evidence::NONE));
        }
    };
    match taxon_of(species) {
        _ if species.is_empty() => {}
        None => return refused("unreadable taxon", species),
        Some(other) if other != taxon => return refused("another species", format_args!("taxon {other}")),
        Some(_) => {}
    }
    if product.id.is_empty() {
        return refused("no identifier of a gene product", product.symbol);
    }
    match GoId::parse(term) {
        Ok(id) => terms.push(id),
        Err(error) => return refused("unreadable term", error),
    }
    // gene2go joins NOT and the relation with a blank.
    let mut words = qualifiers.into_iter().flat_map(|field| field.split(['|', ' ']));
    if words.clone().any(|word| word.eq_ignore_ascii_case("not")) {
        return refused("the gene is said not to have the term", term);
    }
    let evidence = Evidence::parse(evidence).unwrap_or_else(|error| {
        dropped.add(path, line, "unknown evidence", error);
        Evidence::NONE
    });
    if evidence.is_no_data() {
        return refused("nothing is known of the gene (evidence ND)", term);
    }
    let qualifier = words.find(|word| !word.is_empty()).unwrap_or_default();
    let qualifier = Qualifier::parse(qualifier).unwrap_or_else(|error| {
        dropped.add(path, line, "unknown qualifier", error);
        Qualifier::NONE
    });
    Ok((product, qualifier, evidence))
}

#[cfg(test)]
mod tests;
