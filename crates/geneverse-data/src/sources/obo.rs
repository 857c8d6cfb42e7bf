//! Gene Ontology in OBO 1.2 and 1.4 (<https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html>).
//!
//! A file is a header and stanzas, `[Term]` and others; a stanza is lines `tag: value {modifiers} ! comment`. Used of a
//! term: `id name namespace alt_id is_a relationship is_obsolete replaced_by`, and `default-namespace` of the
//! header. `\n`, `\W`, `\!` … are escapes, and a backslash at a line's end joins the next line to it. Lines before the
//! first stanza may be anything: programs write their own words there.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::Reading;
use super::lines::Lines;
use super::ontology::TermRow;
use crate::gene::{GoAspect, GoId};
use crate::ontology::RelationKind;
use crate::stage::{FileError, open};

/// Reads a file, gzip or plain.
pub fn read(path: &Path, each: impl FnMut(TermRow)) -> Result<Reading, FileError> {
    parse(path, open(path)?, each)
}

/// Reads from a reader; `path` names it in errors. A row is a stanza.
pub fn parse(
    path: &Path,
    reader: Box<dyn BufRead>,
    mut each: impl FnMut(TermRow),
) -> Result<Reading, FileError> {
    let mut lines = Lines::new(path, reader);
    let mut reading = Reading::default();
    let mut lines_of_ids: HashMap<GoId, usize> = HashMap::new();
    let mut default_aspect = None;
    let mut stanza: Option<Stanza> = None;
    let mut joined = String::new();
    let mut begun_at = None;
    while let Some(line) = lines.advance()? {
        let Some(text) = lines.text() else {
            reading.dropped_values.add(path, line, "not UTF-8 text", "");
            continue;
        };
        joined.push_str(text);
        let first_line = *begun_at.get_or_insert(line);
        // An even number of backslashes is so many escaped ones.
        let backslashes = joined.bytes().rev().take_while(|b| *b == b'\\').count();
        if backslashes % 2 == 1 {
            joined.pop();
            continue;
        }
        statement(first_line, joined.trim(), &mut stanza, &mut default_aspect, &mut |finished| {
            close(path, finished, &mut lines_of_ids, &mut reading, &mut each);
        });
        joined.clear();
        begun_at = None;
    }
    if let Some(line) = begun_at {
        statement(line, joined.trim(), &mut stanza, &mut default_aspect, &mut |finished| {
            close(path, finished, &mut lines_of_ids, &mut reading, &mut each);
        });
    }
    if let Some(finished) = stanza {
        close(path, finished, &mut lines_of_ids, &mut reading, &mut each);
    }
    reading.refuse_empty(path)
}

/// A stanza being read.
struct Stanza {
    is_term: bool,
    id: String,
    named: bool,
    row: TermRow,
    dropped: Vec<(usize, &'static str, String)>,
}

/// One line of a file. `close` hears of the stanza that it ends.
fn statement(
    line: usize,
    text: &str,
    stanza: &mut Option<Stanza>,
    default_aspect: &mut Option<GoAspect>,
    close: &mut dyn FnMut(Stanza),
) {
    if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
        if let Some(finished) = stanza.take() {
            close(finished);
        }
        let row = TermRow {
            line,
            id: GoId(0),
            name: String::new(),
            aspect: *default_aspect,
            obsolete: false,
            successors: Vec::new(),
            alternatives: Vec::new(),
            relations: Vec::new(),
            kinds: &RelationKind::ALL,
        };
        let is_term = name.trim() == "Term";
        *stanza = Some(Stanza { is_term, id: String::new(), named: false, row, dropped: Vec::new() });
        return;
    }
    if text.starts_with('!') {
        return;
    }
    let tag_and_value = text.split_once(':').map(|(tag, value)| (tag.trim(), value.trim()));
    match (stanza, tag_and_value) {
        (None, Some(("default-namespace", value))) => *default_aspect = GoAspect::parse(&plain(value)),
        (None, _) => {}
        (Some(stanza), None) => stanza.dropped.push((line, "a line without a tag", text.to_owned())),
        (Some(stanza), Some((tag, value))) => stanza.take(line, tag, value),
    }
}

impl Stanza {
    fn take(&mut self, line: usize, tag: &str, value: &str) {
        let row = &mut self.row;
        let mut id = |text: &str, what| match GoId::parse(text) {
            Ok(id) => Some(id),
            Err(error) => {
                self.dropped.push((line, what, error.to_string()));
                None
            }
        };
        match tag {
            "id" => self.id = plain(value),
            // A second name is an error of the file; the first stands.
            "name" if !self.named => {
                row.name = plain(value);
                self.named = true;
            }
            "namespace" => row.aspect = GoAspect::parse(&plain(value)).or(row.aspect),
            "is_obsolete" => row.obsolete = plain(value).eq_ignore_ascii_case("true"),
            "alt_id" => row.alternatives.extend(id(first_word(value), "unreadable alt_id")),
            "replaced_by" => row.successors.extend(id(first_word(value), "unreadable replaced_by")),
            "is_a" => {
                let parent = id(first_word(value), "a relation to another ontology");
                row.relations.extend(parent.map(|parent| (RelationKind::IsA, parent)));
            }
            "relationship" => {
                let mut words = value.split_whitespace();
                let (kind, parent) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                match RelationKind::parse(kind) {
                    None => self.dropped.push((line, "an unknown relation", kind.to_owned())),
                    Some(kind) => {
                        let parent = id(parent, "a relation to another ontology");
                        row.relations.extend(parent.map(|parent| (kind, parent)));
                    }
                }
            }
            _ => {}
        }
    }
}

fn close(
    path: &Path,
    stanza: Stanza,
    lines_of_ids: &mut HashMap<GoId, usize>,
    reading: &mut Reading,
    each: &mut impl FnMut(TermRow),
) {
    let Stanza { is_term, id, named: _, mut row, dropped } = stanza;
    let line = row.line;
    reading.rows += 1;
    if !is_term {
        reading.skipped.add(path, line, "a stanza that is no term", id);
        return;
    }
    match GoId::parse(&id) {
        Err(_) if id.is_empty() => reading.skipped.add(path, line, "a term without an id", ""),
        Err(_) => reading.skipped.add(path, line, "not a GO term", id),
        Ok(id) if row.name.is_empty() => reading.skipped.add(path, line, "no name", id),
        Ok(id) => match lines_of_ids.get(&id) {
            Some(first) => {
                reading.skipped.add(
                    path,
                    line,
                    "repeated term",
                    format_args!("{id} is on line {first} already"),
                );
            }
            None => {
                lines_of_ids.insert(id, line);
                for (line, what, detail) in dropped {
                    reading.dropped_values.add(path, line, what, detail);
                }
                row.id = id;
                reading.used += 1;
                each(row);
            }
        },
    }
}

/// The first word of a value: an identifier, before its modifiers and its comment.
fn first_word(value: &str) -> &str {
    value.split_whitespace().next().unwrap_or_default()
}

/// A value without its comment and its modifiers, escapes resolved.
fn plain(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    // Modifiers stand in braces at the end, after a blank.
    let (mut open, mut closed) = (None, false);
    while let Some(letter) = letters.next() {
        if letter == '!' && (text.is_empty() || text.ends_with(' ')) {
            break;
        }
        if letter == '{' && text.ends_with(' ') {
            open = Some(text.len());
        }
        closed = letter == '}' || (closed && letter.is_whitespace());
        text.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('W') => ' ',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    if let Some(start) = open.filter(|start| closed && text[*start..].contains('=')) {
        text.truncate(start);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn check(text: &str) -> Result<(Vec<TermRow>, Reading), String> {
        let mut rows = Vec::new();
        let reader = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reading = parse(Path::new("go.obo"), reader, |row| rows.push(row)).map_err(|e| e.to_string())?;
        Ok((rows, reading))
    }

    #[test]
    fn a_term_is_read_with_all_that_leads_from_it() {
        let (terms, reading) = check(
            "Words of a program: anything\n\tGO:0000001\tx\nformat-version: 1.2\r\ndefault-namespace: gene_ontology\r\n\r\n\
             [Term]\r\nid: GO:0000018\r\nname: regulation of DNA recombination {xref=\"a\"} ! comment\r\nnamespace: biological_process\r\n\
             alt_id: GO:0000099\r\nis_a: GO:0051052 {source=\"x\"} ! regulation of DNA metabolic process\r\n\
             relationship: regulates GO:0006310 ! DNA recombination\r\nrelationship: OBO_REL:part_of GO:0000001\r\n\
             relationship: has_input CHEBI:1 ! x\r\nis_a: CHEBI:2\r\nno tag here\r\n\
             [Typedef]\r\nid: part_of\r\nname: part of\r\n",
        )
        .unwrap();
        let term = &terms[0];
        assert_eq!(
            (term.id, term.name.as_str(), term.line),
            (GoId(18), "regulation of DNA recombination", 6)
        );
        assert_eq!(term.alternatives, [GoId(99)]);
        let expected = [
            (RelationKind::IsA, GoId(51_052)),
            (RelationKind::Regulates, GoId(6310)),
            (RelationKind::PartOf, GoId(1)),
        ];
        assert_eq!(term.relations, expected);
        assert_eq!(
            (reading.rows, reading.used, reading.skipped.total, reading.dropped_values.total),
            (2, 1, 1, 3)
        );
    }

    #[test]
    fn escapes_joined_lines_and_braces_in_names_are_kept_apart_from_modifiers() {
        let name = |value: &str| {
            check(&format!("[Term]\nid: GO:0000001\nname: {value}\n")).unwrap().0[0].name.clone()
        };
        assert_eq!(name("N-\\{7-x\\}\\W\\!y"), "N-{7-x} !y");
        assert_eq!(name("binding of {a,b}"), "binding of {a,b}");
        assert_eq!(name("two \\\nlines"), "two lines");
        assert_eq!(name("a, b! c {d=\"e\"}"), "a, b! c");
        assert_eq!(name("ends in a backslash\\\\"), "ends in a backslash\\");
    }

    #[test]
    fn a_missing_namespace_is_the_headers_and_odd_stanzas_are_counted() {
        let (terms, reading) = check(
            "default-namespace: cellular_component\n[Term]\nid: GO:0000001\nname: a\n[Term]\nname: b\n[Term]\nid: CHEBI:1\nname: c\n\
             [Term]\nid: GO:0000001\nname: d\n[Term]\nid: GO:0000002\n[Term]\nid: GO:0000003\nname: obsolete e\nis_obsolete: true\nreplaced_by: GO:0000001\n",
        )
        .unwrap();
        assert_eq!(terms[0].aspect, Some(GoAspect::CellularComponent));
        assert!(terms[1].obsolete && terms[1].successors == [GoId(1)]);
        let reasons: Vec<_> = reading.skipped.reasons.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["a term without an id", "no name", "not a GO term", "repeated term"]);
    }
}
