//! Which genes mark which cell types, from a table: a row for each pair, columns found by name.
//!
//! | column | names |
//! |---|---|
//! | gene | `gene`, `symbol`, `gene_symbol`, `Name`, `panel_symbol`, `feature_name`, `marker` |
//! | cell type | `cell_type`, `celltype`, `group`, `cluster`, `Annotation`, `type` |
//!
//! Tab- or comma-separated, as the 10x panel files and marker databases are. Names seldom agree to the letter with those of
//! a tissue. A gene is the tissue's by its symbol, or by the gene database where both name the same gene (KARS is KARS1).
//! A cell type is the tissue's without regard to case, plural, "cells" and the marks between words; by a table of names
//! ([`TypeNames`]); or, where that leaves nothing, as a misspelling of one letter ("Firoblast"). Every change is counted and
//! listed, and so is every row that names nothing of the tissue: none is dropped unseen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, Cursor, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Tissue;
use crate::sources::tsv::Tsv;
use crate::stage::{FileError, open};
use crate::store::{GeneStore, Resolution, StoreError};

/// Names of the gene column, in the order in which they are looked for.
const GENE: [&str; 8] =
    ["gene", "symbol", "gene_symbol", "name", "panel_symbol", "feature_name", "marker", "marker_gene"];
const CELL_TYPE: [&str; 8] =
    ["cell_type", "celltype", "group", "cluster", "annotation", "type", "cell_name", "cell type"];
/// Misspellings of one letter are guessed only in names of this many letters and no digit: "CD4" is no slip for "CD8".
const LETTERS_TO_GUESS: usize = 6;

/// Which genes mark which types, and what had to be changed or left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Places of genes and cell types in the tissue, ascending, each pair once.
    pub pairs: Vec<(usize, usize)>,
    /// The approved symbol of each of the tissue's genes, where the database has it under another one.
    pub approved: BTreeMap<usize, String>,
    /// What became of the table.
    pub report: TruthReport,
}

/// What became of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthReport {
    /// Rows below the header.
    pub rows: usize,
    /// Rows that gave a pair.
    pub used: usize,
    /// Rows whose pair an earlier row had given.
    pub repeated: usize,
    /// Genes under another symbol than the table's.
    pub genes: Vec<Change>,
    /// Cell types under another name than the table's.
    pub cell_types: Vec<Change>,
    /// Genes of pairs that the database does not know; they are used as they are written.
    pub unknown_genes: Vec<String>,
    /// Rows that gave no pair, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// These rows.
    pub left_out_rows: Vec<LeftOut>,
    /// Cell types of the tissue that no gene marks.
    pub without_marker: Vec<String>,
}

/// A name that was taken for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// As the table has it.
    pub from: String,
    /// As the tissue has it.
    pub to: String,
    /// Why.
    pub how: String,
    /// In how many rows.
    pub rows: usize,
}

/// A row that gave no pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its line, from 1.
    pub line: usize,
    /// Its gene.
    pub gene: String,
    /// Its cell type.
    pub cell_type: String,
    /// Why.
    pub reason: String,
}

/// Names of cell types in a table, and what the tissue calls them.
pub type TypeNames = HashMap<String, String>;

/// Reads a table of two columns without a header: a name, and the tissue's name for it.
pub fn read_type_names(path: &Path) -> Result<TypeNames, FileError> {
    let mut names = TypeNames::new();
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        let line = line.trim_start_matches('\u{feff}').trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(['\t', ',']).map(str::trim).collect();
        let [from, to] = fields[..] else {
            let reason =
                format!("found {} fields, expected two: a name, and the tissue's name for it", fields.len());
            return Err(FileError::row(path, index + 1, reason));
        };
        names.insert(folded(from), to.to_owned());
    }
    Ok(names)
}

/// Reads a truth table for a tissue, gzip or plain.
pub fn read_truth(
    path: &Path,
    tissue: &Tissue,
    names: &TypeNames,
    store: Option<&GeneStore>,
) -> Result<Truth, StoreError> {
    let mut reader = open(path)?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(|e| FileError::reading(path, e))?;
    parse_truth(path, text, tissue, names, store)
}

/// Reads a truth table from its bytes; `path` names it in errors.
pub fn parse_truth(
    path: &Path,
    text: Vec<u8>,
    tissue: &Tissue,
    names: &TypeNames,
    store: Option<&GeneStore>,
) -> Result<Truth, StoreError> {
    let mut table = Tsv::new(path, Box::new(Cursor::new(as_tabs(text))))?;
    let (gene, cell_type) = (table.need(&GENE)?, table.need(&CELL_TYPE)?);
    let genes = Genes::new(tissue, store)?;
    let types = Types::new(tissue, names);
    let mut truth = Truth { approved: genes.approved.clone(), ..Truth::default() };
    let report = &mut truth.report;
    let mut pairs = BTreeSet::new();
    let (mut gene_changes, mut type_changes) = (BTreeMap::new(), BTreeMap::new());
    let mut unknown = BTreeSet::new();
    while let Some(row) = table.next_row()? {
        let (symbol, name) = (row.get(gene).to_owned(), row.get(cell_type).to_owned());
        let line = row.line;
        let found = genes.find(&symbol)?.and_then(|gene| Ok((gene, types.find(&name)?)));
        let (gene, kind) = match found {
            Ok(found) => found,
            Err(reason) => {
                *report.left_out.entry(reason.clone()).or_default() += 1;
                report.left_out_rows.push(LeftOut { line, gene: symbol, cell_type: name, reason });
                continue;
            }
        };
        report.used += 1;
        report.repeated += usize::from(!pairs.insert((gene.place, kind.place)));
        if !gene.known {
            unknown.insert(symbol.clone());
        }
        for (changes, from, to, how) in [
            (&mut gene_changes, symbol, &tissue.expression.genes[gene.place], gene.how),
            (&mut type_changes, name, &tissue.cell_types[kind.place], kind.how),
        ] {
            if let Some(how) = how {
                *changes.entry((from, to.clone(), how)).or_insert(0) += 1;
            }
        }
    }
    let (rows, skips) = table.finish();
    report.rows = rows;
    // All are counted; of each kind the first hundred are listed.
    for (reason, count) in skips.reasons {
        *report.left_out.entry(reason).or_default() += count;
    }
    for skip in skips.listed {
        let (gene, cell_type) = (String::new(), String::new());
        report.left_out_rows.push(LeftOut { line: skip.line, gene, cell_type, reason: skip.reason });
    }
    let listed = |changes: BTreeMap<(String, String, String), usize>| {
        changes.into_iter().map(|((from, to, how), rows)| Change { from, to, how, rows }).collect()
    };
    (report.genes, report.cell_types) = (listed(gene_changes), listed(type_changes));
    report.unknown_genes = unknown.into_iter().collect();
    truth.pairs = pairs.into_iter().collect();
    if truth.pairs.is_empty() {
        let reasons: Vec<String> =
            report.left_out.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        let reason = format!(
            "none of {rows} rows names a gene and a cell type of the tissue ({}); the tissue's cell types are {}; \
             rename them with --type-names",
            reasons.join(", "),
            tissue.cell_types.join(", ")
        );
        return Err(FileError::whole(path, reason).into());
    }
    let marked = |kind: &usize| truth.pairs.iter().any(|(_, of)| of == kind);
    let without = (0..tissue.cell_types.len()).filter(|kind| !marked(kind));
    report.without_marker = without.map(|kind| tissue.cell_types[kind].clone()).collect();
    Ok(truth)
}

/// A table with commas as one with tabs, if its header has no tab. Quotes around fields are undone, commas in them kept.
pub(crate) fn as_tabs(text: Vec<u8>) -> Vec<u8> {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if header.contains(&b'\t') || !header.contains(&b',') {
        return text;
    }
    let mut quoted = false;
    text.into_iter()
        .filter_map(|byte| {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' => quoted = false,
                _ => {}
            }
            match byte {
                b'"' => None,
                b',' if !quoted => Some(b'\t'),
                byte => Some(byte),
            }
        })
        .collect()
}

/// Something of the tissue that a name means, and how the name had to be changed.
struct Found {
    place: usize,
    how: Option<String>,
    /// Whether the gene database has it, or there is none.
    known: bool,
}

/// The tissue's genes by what they go by.
struct Genes<'a> {
    by_symbol: HashMap<&'a str, usize>,
    /// By approved symbol; only where a database is at hand.
    by_approved: HashMap<String, usize>,
    approved: BTreeMap<usize, String>,
    store: Option<&'a GeneStore>,
}

impl<'a> Genes<'a> {
    fn new(tissue: &'a Tissue, store: Option<&'a GeneStore>) -> Result<Self, StoreError> {
        let genes = &tissue.expression.genes;
        let mut by_symbol = HashMap::new();
        for (place, symbol) in genes.iter().enumerate() {
            by_symbol.entry(symbol.as_str()).or_insert(place);
        }
        let (mut by_approved, mut approved) = (HashMap::new(), BTreeMap::new());
        if let Some(store) = store {
            for (place, symbol) in genes.iter().enumerate() {
                if let Some(known) = store.symbol_of(symbol)? {
                    let known = known.to_string();
                    if known != *symbol {
                        approved.insert(place, known.clone());
                    }
                    by_approved.entry(known).or_insert(place);
                }
            }
        }
        Ok(Self { by_symbol, by_approved, approved, store })
    }

    fn find(&self, symbol: &str) -> Result<Result<Found, String>, StoreError> {
        if symbol.is_empty() {
            return Ok(Err("no gene in the row".to_owned()));
        }
        let resolution = self.store.map(|store| store.resolve(symbol)).transpose()?;
        if let Some(&place) = self.by_symbol.get(symbol) {
            let known = !matches!(resolution, Some(Resolution::Unknown { .. }));
            return Ok(Ok(Found { place, how: None, known }));
        }
        Ok(match resolution {
            None => Err("the tissue has no such gene".to_owned()),
            Some(Resolution::Unknown { .. }) => {
                Err("neither the tissue nor the gene database has such a gene".to_owned())
            }
            Some(Resolution::Ambiguous { .. }) => Err("the symbol is that of several genes".to_owned()),
            Some(Resolution::Approved(record) | Resolution::ByAlias { record, .. }) => {
                match self.by_approved.get(record.symbol.as_str()) {
                    Some(&place) => {
                        let how = format!("both are {} in the gene database", record.symbol);
                        Ok(Found { place, how: Some(how), known: true })
                    }
                    None => Err("the tissue has no such gene".to_owned()),
                }
            }
        })
    }
}

/// The tissue's cell types by what they go by.
struct Types<'a> {
    tissue: &'a Tissue,
    by_folded: HashMap<String, usize>,
    names: &'a TypeNames,
}

impl<'a> Types<'a> {
    fn new(tissue: &'a Tissue, names: &'a TypeNames) -> Self {
        let mut by_folded = HashMap::new();
        for (place, name) in tissue.cell_types.iter().enumerate() {
            by_folded.entry(folded(name)).or_insert(place);
        }
        Self { tissue, by_folded, names }
    }

    fn find(&self, name: &str) -> Result<Found, String> {
        let found = |place, how: Option<&str>| Ok(Found { place, how: how.map(str::to_owned), known: true });
        if name.is_empty() {
            return Err("no cell type in the row".to_owned());
        }
        if let Some(place) = self.tissue.cell_types.iter().position(|of| of == name) {
            return found(place, None);
        }
        let plain = folded(name);
        if let Some(to) = self.names.get(&plain) {
            return match self.by_folded.get(&folded(to)) {
                Some(&place) => found(place, Some("so --type-names says")),
                None => Err(format!("--type-names calls it {to}, which is no cell type of the tissue")),
            };
        }
        if let Some(&place) = self.by_folded.get(&plain) {
            return found(place, Some("case, plural or marks between words"));
        }
        if let Some(&place) = corrected(&plain).and_then(|right| self.by_folded.get(right)) {
            return found(place, Some("a known misspelling"));
        }
        let near: Vec<&usize> = self
            .by_folded
            .iter()
            .filter(|(of, _)| one_letter_apart(of, &plain))
            .map(|(_, place)| place)
            .collect();
        match near[..] {
            [&place] => found(place, Some("a misspelling of one letter")),
            _ => Err("the tissue has no such cell type".to_owned()),
        }
    }
}

/// "Firoblast" stands in the annotation of the Geneverse paper.
fn corrected(folded: &str) -> Option<&'static str> {
    (folded == "firoblast").then_some("fibroblast")
}

/// Whether a cell type's name says that the type is not known.
pub fn names_nothing(name: &str) -> bool {
    const NOTHING: [&str; 10] = [
        "unlabeled",
        "unlabelled",
        "unknown",
        "unassigned",
        "unclassified",
        "undefined",
        "na",
        "nan",
        "none",
        "",
    ];
    NOTHING.contains(&folded(name).as_str())
}

/// A cell type's name as questions have it: blanks for underscores, and the paper's "Firoblast" put right.
pub fn spoken(name: &str) -> String {
    let words: Vec<&str> = name.split(['_', ' ']).filter(|word| !word.is_empty()).collect();
    words.join(" ").replace("Firoblast", "Fibroblast").replace("firoblast", "fibroblast")
}

/// A name without what does not tell types apart: case, plural, "cell", and the marks between words. "+" and "-" at the end
/// of a word are kept: CD4+ is not CD4-.
fn folded(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut spaced = String::with_capacity(name.len() + 4);
    for (at, &c) in letters.iter().enumerate() {
        let behind_word = at > 0 && (letters[at - 1].is_alphanumeric());
        let before_word = letters.get(at + 1).is_some_and(|next| next.is_alphanumeric());
        match c {
            '+' if behind_word => spaced.push_str("+ "),
            // "T-cell" has a hyphen, "CD4-" a sign.
            '-' if behind_word && !before_word => spaced.push_str("- "),
            c if c.is_alphanumeric() => spaced.extend(c.to_lowercase()),
            _ => spaced.push(' '),
        }
    }
    let words: Vec<String> = spaced.split_whitespace().map(singular).filter(|word| word != "cell").collect();
    words.join(" ")
}

fn singular(word: &str) -> String {
    let bare = word.strip_suffix('s').filter(|rest| rest.len() > 1 && !rest.ends_with(['s', 'i', 'u']));
    bare.unwrap_or(word).to_owned()
}

fn one_letter_apart(a: &str, b: &str) -> bool {
    let guessable =
        |name: &str| name.len() >= LETTERS_TO_GUESS && !name.contains(|c: char| c.is_ascii_digit());
    if !guessable(a) || !guessable(b) {
        return false;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    match long.len() - short.len() {
        0 => same < short.len() && short[same + 1..] == long[same + 1..],
        1 => short[same..] == long[same + 1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests;
