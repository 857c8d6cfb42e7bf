//! Files with terms of the Gene Ontology and how they are related, told apart by what is in them:
//!
//! - OBO, as `go-basic.obo` (see `obo`);
//! - a table with a header and the columns `go_id name aspect is_obsolete parents`, parents separated by `|` and
//!   related by `is_a`; only the first two are needed, and a table without aspects needs the terms' roots;
//! - a table without a header whose rows are parent, child, kind of relation and ontology
//!   (`GO:0048308 GO:0000001 is_a biological_process`). It has no names, so another file has to name its terms.
//!
//! The ontology is in OBO at <https://current.geneontology.org/ontology/> (CC BY 4.0).

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::lines::Lines;
use super::tsv::{Tsv, list};
use super::{Reading, obo, peek};
use crate::gene::{GoAspect, GoId};
use crate::ontology::RelationKind;
use crate::stage::{FileError, open};

/// A term as one file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermRow {
    /// The line where it begins, from 1.
    pub line: usize,
    /// Its identifier.
    pub id: GoId,
    /// Its name.
    pub name: String,
    /// Its ontology, where the file says.
    pub aspect: Option<GoAspect>,
    /// Out of use.
    pub obsolete: bool,
    /// What to use in its place.
    pub successors: Vec<GoId>,
    /// Other identifiers of the same term.
    pub alternatives: Vec<GoId>,
    /// What it leads to.
    pub relations: Vec<(RelationKind, GoId)>,
    /// Of which kinds these are all relations that it has.
    pub kinds: &'static [RelationKind],
}

/// A relation in a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRow {
    /// The line, from 1.
    pub line: usize,
    /// The more special term.
    pub child: GoId,
    /// What it leads to.
    pub parent: GoId,
    /// How.
    pub kind: RelationKind,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OntologyRow {
    /// A term.
    Term(TermRow),
    /// A relation.
    Relation(RelationRow),
}

/// Reads a file, gzip or plain, of any of the three formats.
pub fn read(path: &Path, each: impl FnMut(OntologyRow)) -> Result<Reading, FileError> {
    parse(path, open(path)?, each)
}

/// Reads from a reader; `path` names it in errors.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    mut each: impl FnMut(OntologyRow),
) -> Result<Reading, FileError> {
    let (start, reader) = peek(path, reader)?;
    let start = String::from_utf8_lossy(&start);
    let mut lines =
        start.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or_default();
    if lines.any(|line| line.starts_with("format-version:") || line.starts_with("[Term]")) {
        obo::parse(path, reader, |term| each(OntologyRow::Term(term)))
    } else if relation(first).is_some() {
        relations(path, reader, &mut each)
    } else if first.contains('\t') {
        terms(path, reader, &mut each)
    } else {
        let owl = if first.starts_with('<') || first.starts_with('{') {
            "; for OWL or JSON take go-basic.obo"
        } else {
            ""
        };
        let reason = format!(
            "found neither an OBO file nor a table, expected go-basic.obo, a table of terms (`go_id`, `name`, `aspect`, \
             `parents`) or rows of parent, child and relation{owl}"
        );
        Err(FileError::whole(path, reason))
    }
}

fn terms(
    path: &Path,
    reader: Box<dyn BufRead>,
    each: &mut dyn FnMut(OntologyRow),
) -> Result<Reading, FileError> {
    let mut tsv = Tsv::new(path, reader)?;
    let id = tsv.need(&["go_id", "id", "term"])?;
    let name = tsv.need(&["name", "term_name", "label"])?;
    let aspect = tsv.column(&["aspect", "namespace", "ontology"]);
    let obsolete = tsv.column(&["is_obsolete", "obsolete"]);
    let parents = tsv.column(&["parents", "is_a"]);
    let kinds: &[RelationKind] = if parents.is_some() { &[RelationKind::IsA] } else { &[] };
    let mut reading = Reading::default();
    let mut lines_of_ids: HashMap<GoId, usize> = HashMap::new();
    while let Some(row) = tsv.next_row()? {
        let line = row.line;
        let Ok(id) = GoId::parse(row.get(id)) else {
            reading.skipped.add(path, line, "not a GO term", row.get(id));
            continue;
        };
        let name = row.get(name);
        if name.is_empty() {
            reading.skipped.add(path, line, "no name", id);
        } else if let Some(first) = lines_of_ids.get(&id) {
            reading.skipped.add(path, line, "repeated term", format_args!("{id} is on line {first} already"));
        } else {
            lines_of_ids.insert(id, line);
            let mut relations = Vec::new();
            for parent in list(row.get_or_empty(parents)) {
                match GoId::parse(parent) {
                    Ok(parent) => relations.push((RelationKind::IsA, parent)),
                    Err(error) => reading.dropped_values.add(path, line, "unreadable parent", error),
                }
            }
            reading.used += 1;
            each(OntologyRow::Term(TermRow {
                line,
                id,
                name: name.to_owned(),
                aspect: GoAspect::parse(row.get_or_empty(aspect)),
                obsolete: matches!(row.get_or_empty(obsolete).to_lowercase().as_str(), "1" | "true" | "yes"),
                successors: Vec::new(),
                alternatives: Vec::new(),
                relations,
                kinds,
            }));
        }
    }
    let (rows, wrong) = tsv.finish();
    reading.rows = rows;
    reading.skipped.merge(wrong);
    reading.refuse_empty(path)
}

/// Parent, child and the kind's name, where a line is of that form.
fn relation(line: &str) -> Option<(GoId, GoId, &str)> {
    let mut fields = line.split('\t');
    let (parent, child) = (GoId::parse(fields.next()?).ok()?, GoId::parse(fields.next()?).ok()?);
    Some((parent, child, fields.next()?))
}

fn relations(
    path: &Path,
    reader: Box<dyn BufRead>,
    each: &mut dyn FnMut(OntologyRow),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    while let Some(line) = lines.advance()? {
        reading.rows += 1;
        let Some(text) = lines.text() else {
            reading.skipped.add(path, line, "not UTF-8 text", "");
            continue;
        };
        match relation(text) {
            None => reading.skipped.add(path, line, "not parent, child and relation", text),
            Some((parent, child, name)) => match RelationKind::parse(name) {
                None => reading.skipped.add(path, line, "an unknown relation", name),
                Some(kind) => {
                    reading.used += 1;
                    each(OntologyRow::Relation(RelationRow { line, child, parent, kind }));
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

    fn check(text: &str) -> Result<(Vec<OntologyRow>, Reading), String> {
        let mut rows = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading = parse(Path::new("go"), reader, |row| rows.push(row)).map_err(|e| e.to_string())?;
        Ok((rows, reading))
    }

    #[test]
    fn a_table_of_terms_loads_with_what_is_odd_counted() {
        let table = "\u{feff}go_id\tname\taspect\tis_obsolete\tparents\r\nGO:0000001\tmitochondrion inheritance\tP\t0\tGO:0048308|GO:48311\r\n\
            GO:0000005\tobsolete ribosomal chaperone activity\t-\t1\t\r\nregulates\tregulates\t-\t0\t\r\nGO:0000001\tagain\tP\t0\t\r\n";
        let (rows, reading) = check(table).unwrap();
        let OntologyRow::Term(first) = &rows[0] else { panic!() };
        assert_eq!(first.relations, [(RelationKind::IsA, GoId(48_308))]);
        assert_eq!(first.aspect, Some(GoAspect::BiologicalProcess));
        let OntologyRow::Term(second) = &rows[1] else { panic!() };
        assert!(second.obsolete && second.aspect.is_none());
        assert_eq!((rows.len(), reading.rows, reading.skipped.total), (2, 4, 2));
        assert_eq!(reading.dropped_values.reasons["unreadable parent"], 1);
    }

    #[test]
    fn a_table_of_relations_says_parent_first() {
        let (rows, reading) =
            check("GO:0051052\tGO:0000018\tis_a\tP\nGO:0006310\tGO:0000018\tregulates\tP\nGO:1\tx\tis_a\nGO:0000001\tGO:0000002\tlikes\n")
                .unwrap();
        let OntologyRow::Relation(second) = &rows[1] else { panic!() };
        assert_eq!(
            (second.child, second.parent, second.kind),
            (GoId(18), GoId(6310), RelationKind::Regulates)
        );
        assert_eq!((rows.len(), reading.skipped.total), (2, 2));
    }

    #[test]
    fn what_is_neither_is_refused_with_what_was_expected() {
        assert!(
            check("<?xml version=\"1.0\"?>\n").unwrap_err().contains("for OWL or JSON take go-basic.obo")
        );
        assert!(check("").unwrap_err().contains("found neither an OBO file nor a table"));
        assert_eq!(
            check("go_id\taspect\n").unwrap_err(),
            "go: found no column `name` (or term_name, label); its columns are: go_id, aspect"
        );
    }
}
