//! PDB files (wwPDB's format, version 3.3, <https://www.wwpdb.org/documentation/file-format>), and what programs
//! and forty years have made of it: records cut short, without chain names, element or occupancy, residue numbers beyond
//! 9,999 in hybrid-36, names of nucleotides and atoms from before 2007, the entry's name in columns 73 to 80, any line end.
//!
//! Read are the atoms of one model, `HEADER`, `TITLE`, `COMPND`, `DBREF`, `HELIX`, `SHEET`, and of `REMARK` nothing. A
//! record that cannot be read is counted and left out.

use std::path::Path;

use crate::gene::UniprotAccession;
use crate::structure::{AtomRow, Element, Entry, ModelSeen, Secondary, is_polymer};

/// `HELIX` records of this class are left-handed polyproline, no helix of the three states.
const POLYPROLINE: &str = "10";

/// Whether a line begins with a record that only this format has.
pub(crate) fn is_record(line: &[u8]) -> bool {
    const RECORDS: [&[u8]; 22] = [
        b"HEADER", b"TITLE ", b"COMPND", b"SOURCE", b"KEYWDS", b"EXPDTA", b"AUTHOR", b"REVDAT", b"REMARK",
        b"DBREF ", b"SEQRES", b"HELIX ", b"SHEET ", b"SSBOND", b"CRYST1", b"ORIGX1", b"SCALE1", b"MODEL ",
        b"ATOM  ", b"HETATM", b"NUMMDL", b"MODRES",
    ];
    RECORDS.iter().any(|record| line.starts_with(record))
}

/// Reads a whole file's bytes. `wanted` is a model's number; without it the first one is taken.
pub(crate) fn parse(path: &Path, bytes: &[u8], wanted: Option<i64>) -> Entry {
    let mut entry = Entry { models: ModelSeen::wanting(wanted), ..Entry::default() };
    let mut text = Words::default();
    let mut models = 0;
    let mut taken = true;
    let mut atoms_before_models = false;
    for (line, bytes) in lines(bytes) {
        let Ok(row) = std::str::from_utf8(bytes) else {
            if bytes.starts_with(b"ATOM") || bytes.starts_with(b"HETATM") {
                entry.atoms.seen += 1;
                entry.atoms.skipped.add(path, line, "an atom's record is not UTF-8", "");
            } else {
                text.take(&String::from_utf8_lossy(bytes));
            }
            continue;
        };
        let record = row.get(..6).unwrap_or(row).trim_end();
        match record {
            "ATOM" | "HETATM" => {
                if models == 0 && !atoms_before_models {
                    atoms_before_models = true;
                    taken = entry.models.enter(1);
                }
                if taken {
                    atom(path, line, row, record == "HETATM", &mut entry);
                }
            }
            "TER" if taken => entry.atoms.end_chain(),
            "MODEL" => {
                models += 1;
                let number = field(row, 6, row.len()).parse().unwrap_or(models);
                taken = entry.models.enter(number);
            }
            "ENDMDL" => taken = false,
            "HELIX" => entry.elements.extend(helix(row)),
            "SHEET" => entry.elements.extend(strand(row)),
            "HEADER" => entry.id = Some(field(row, 62, 66)).filter(|id| id.len() == 4).map(str::to_owned),
            "EXPDTA" => entry.measured |= !row.contains("THEORETICAL"),
            "DBREF" | "DBREF1" | "DBREF2" => reference(row, record, &mut entry),
            _ => text.take(row),
        }
    }
    text.finish(&mut entry);
    entry
}

/// Lines with their numbers from 1, whatever ends them: LF, CR LF, or CR alone.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    bytes
        .split(move |b| *b == end)
        .enumerate()
        .map(|(place, line)| (place + 1, line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Columns `from..to`, counted from 0, without blanks around; what the line lacks is empty.
fn field(row: &str, from: usize, to: usize) -> &str {
    row.get(from..to.min(row.len())).unwrap_or_default().trim()
}

fn atom(path: &Path, line: usize, row: &str, hetero: bool, entry: &mut Entry) {
    let atoms = &mut entry.atoms;
    let number = |from, to| field(row, from, to).parse::<f32>().ok();
    let (Some(x), Some(y), Some(z)) = (number(30, 38), number(38, 46), number(46, 54)) else {
        atoms.seen += 1;
        atoms.skipped.add(
            path,
            line,
            "an atom without three coordinates in columns 31 to 54",
            field(row, 0, 80),
        );
        return;
    };
    let Some(residue_number) = residue_number(field(row, 22, 26)) else {
        atoms.seen += 1;
        atoms.skipped.add(
            path,
            line,
            "an atom without a residue number in columns 23 to 26",
            field(row, 0, 80),
        );
        return;
    };
    // Old entries have their name and a line's number where the element is now.
    let element = field(row, 76, 78);
    let element = if element.bytes().all(|b| b.is_ascii_alphabetic()) { element } else { "" };
    // Carbon alpha begins in column 14, calcium in column 13.
    let element =
        if element.is_empty() && hetero && row.as_bytes().get(12) == Some(&b'C') { "CA" } else { element };
    let upper;
    let element = if element.bytes().any(|b| b.is_ascii_lowercase()) {
        upper = element.to_ascii_uppercase();
        &upper
    } else {
        element
    };
    // Force fields have residues of four letters, which take column 21; so do chains of two letters.
    let short = field(row, 17, 20);
    let two_letters = row.as_bytes().get(20).is_some_and(|b| *b != b' ') && is_polymer(short);
    let (residue, chain) =
        if two_letters { (short, field(row, 20, 22)) } else { (field(row, 17, 21), field(row, 21, 22)) };
    atoms.add(
        path,
        &AtomRow {
            line,
            name: field(row, 12, 16),
            element,
            alternate: field(row, 16, 17),
            residue,
            chain,
            number: residue_number,
            insertion: field(row, 26, 27).chars().next(),
            hetero,
            label: None,
            position: [x, y, z],
            occupancy: number(54, 60).filter(|o| o.is_finite()).unwrap_or(1.0),
            b_factor: number(60, 66).filter(|b| b.is_finite()).unwrap_or(0.0),
        },
    );
}

/// A residue's number; beyond 9,999 in hybrid-36 (<https://cci.lbl.gov/hybrid_36/>): A000 is 10,000.
fn residue_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let first = *text.as_bytes().first()?;
    if text.len() != 4 || !first.is_ascii_alphabetic() || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i32::from_str_radix(text, 36).ok()?;
    // 36³ numbers begin with each letter; those of small letters follow those of capitals.
    let letters = 10 * 36_i32.pow(3);
    Some(if first.is_ascii_uppercase() {
        value - letters + 10_000
    } else {
        value - letters + 10_000 + 26 * 36_i32.pow(3)
    })
}

fn place(row: &str, number: (usize, usize), insertion: usize) -> Option<(i32, Option<char>)> {
    let number = residue_number(field(row, number.0, number.1))?;
    Some((number, field(row, insertion, insertion + 1).chars().next()))
}

fn helix(row: &str) -> Option<Element> {
    let secondary = if field(row, 38, 40) == POLYPROLINE { Secondary::Coil } else { Secondary::Helix };
    let (first, last) = (place(row, (21, 25), 25)?, place(row, (33, 37), 37)?);
    Some(Element { secondary, chain: field(row, 19, 20).to_owned(), first, last })
}

fn strand(row: &str) -> Option<Element> {
    let (first, last) = (place(row, (22, 26), 26)?, place(row, (33, 37), 37)?);
    Some(Element { secondary: Secondary::Strand, chain: field(row, 21, 22).to_owned(), first, last })
}

/// `DBREF` has database, accession and name in a line; accessions too long for it have `DBREF1` and `DBREF2`.
fn reference(row: &str, record: &str, entry: &mut Entry) {
    if entry.accession.is_some() {
        return;
    }
    let (accession, name) = match record {
        "DBREF" if field(row, 26, 32) == "UNP" => (field(row, 33, 41), field(row, 42, 54)),
        "DBREF1" if field(row, 26, 32) == "UNP" => {
            entry.entry_name = Some(field(row, 47, 67).to_owned()).filter(|n| !n.is_empty());
            return;
        }
        "DBREF2" => (field(row, 18, 40), ""),
        _ => return,
    };
    entry.accession = UniprotAccession::parse(accession).ok();
    if !name.is_empty() {
        entry.entry_name = Some(name.to_owned());
    }
}

/// Records that go on over lines.
#[derive(Default)]
struct Words {
    title: String,
    compound: String,
}

impl Words {
    fn take(&mut self, row: &str) {
        let (to, from) = match row.get(..6) {
            Some("TITLE ") => (&mut self.title, 10),
            Some("COMPND") => (&mut self.compound, 10),
            _ => return,
        };
        // Old entries have their name in columns 73 to 80.
        let part = row.get(from..row.len().min(80)).unwrap_or_default();
        let part = match part.get(62..) {
            Some(end) if row.len() >= 76 && end.as_bytes().first().is_some_and(u8::is_ascii_digit) => {
                &part[..62]
            }
            _ => part,
        };
        if !to.is_empty() && !to.ends_with('-') {
            to.push(' ');
        }
        to.push_str(part.trim());
    }

    fn finish(self, entry: &mut Entry) {
        let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = tidy(&self.title);
        let upper = title.to_ascii_uppercase();
        entry.predicted = upper.contains("PREDICTION FOR") || upper.contains("ALPHAFOLD");
        entry.title = Some(title).filter(|t| !t.is_empty());
        let mut after = self.compound.as_str();
        while let Some(at) = after.find("MOLECULE:") {
            after = &after[at + "MOLECULE:".len()..];
            let end = after.find(';').unwrap_or(after.len());
            entry.molecules.push(tidy(&after[..end]));
            after = &after[end..];
        }
        // Before 1996 the record was the molecule's name alone.
        if entry.molecules.is_empty() && !self.compound.is_empty() && !self.compound.contains("MOL_ID") {
            entry.molecules.push(tidy(&self.compound));
        }
        entry.molecules.retain(|m| !m.is_empty());
    }
}
