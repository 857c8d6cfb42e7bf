//! mmCIF, the PDB's and AlphaFold's format (<https://mmcif.wwpdb.org>): categories of items, as single values or as loops,
//! columns in any order.
//!
//! Read are `_atom_site` of one model, `_struct_conf` and `_struct_sheet_range`, the entry's names, UniProt's accession,
//! and what says that the entry is a prediction. Chains and residues have the author's names and numbers where the file
//! has these. The first data block with atoms is taken.

mod token;

use std::collections::HashMap;
use std::path::Path;

use crate::gene::UniprotAccession;
use crate::stage::FileError;
use crate::structure::{AtomRow, Element, Entry, ModelSeen, Secondary};
use token::{Token, Tokens};

/// Reads a whole file's bytes. `wanted` is a model's number; without it the first one is taken.
pub(crate) fn parse(path: &Path, bytes: &[u8], wanted: Option<i64>) -> Result<Entry, FileError> {
    let mut tokens = Tokens::new(bytes);
    let mut block = Block::new(wanted);
    let mut next = tokens.next();
    while let Some(token) = next {
        next = match token {
            Token::Data => {
                if block.entry.atoms.seen > 0 || !block.single_atom().is_empty() {
                    break;
                }
                block = Block::new(wanted);
                tokens.next()
            }
            Token::Loop => block.read_loop(path, &mut tokens)?,
            Token::Tag(tag) => match tokens.next() {
                Some(Token::Value(value)) => {
                    block.single.insert(lower(tag), text(value));
                    tokens.next()
                }
                Some(Token::Null) => tokens.next(),
                Some(Token::Unfinished) => return Err(cut_off(path, &tokens, &lower(tag))),
                // A tag without a value: what follows is looked at as it is.
                other => other,
            },
            Token::Unfinished => return Err(cut_off(path, &tokens, "a value")),
            _ => tokens.next(),
        };
    }
    block.finish(path)
}

fn cut_off(path: &Path, tokens: &Tokens<'_>, what: &str) -> FileError {
    let reason = format!(
        "{what} has a quote or a text field that does not end: the file looks cut off, fetch it again"
    );
    FileError::row(path, tokens.line(), reason)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lower(bytes: &[u8]) -> String {
    text(bytes).to_ascii_lowercase()
}

/// The categories that are read, with their rows as text.
const WANTED: [&str; 9] = [
    "_struct_conf.",
    "_struct_sheet_range.",
    "_entity.",
    "_struct_ref.",
    "_struct_ref_seq.",
    "_ma_qa_metric.",
    "_ma_target_ref_db_details.",
    "_struct.",
    "_exptl.",
];

type Row = HashMap<String, String>;

/// A data block.
struct Block {
    /// Items that stand alone, by their tags in small letters.
    single: HashMap<String, String>,
    /// Rows of wanted loops, by category.
    rows: Vec<Row>,
    entry: Entry,
}

impl Block {
    fn new(wanted: Option<i64>) -> Self {
        let entry = Entry { models: ModelSeen::wanting(wanted), ..Entry::default() };
        Self { single: HashMap::new(), rows: Vec::new(), entry }
    }

    /// Reads a loop, and returns the word after it.
    fn read_loop<'a>(
        &mut self,
        path: &Path,
        tokens: &mut Tokens<'a>,
    ) -> Result<Option<Token<'a>>, FileError> {
        let mut tags = Vec::new();
        let mut next = tokens.next();
        while let Some(Token::Tag(tag)) = next {
            tags.push(lower(tag));
            next = tokens.next();
        }
        let is_atoms = tags.iter().any(|tag| tag.starts_with("_atom_site."));
        let is_wanted = tags.iter().any(|tag| WANTED.iter().any(|category| tag.starts_with(category)));
        let columns = if is_atoms { Some(Columns::find(path, tokens.line(), &tags)?) } else { None };
        // A row's values; of an atom's only these are looked at, as they stand in the file.
        let mut row: Vec<Option<&[u8]>> = Vec::with_capacity(tags.len());
        let mut line = Lines { at: 0, line: 1 };
        loop {
            match next {
                Some(Token::Value(value)) => row.push(Some(value)),
                Some(Token::Null) => row.push(None),
                Some(Token::Unfinished) => {
                    return Err(cut_off(path, tokens, tags.first().map_or("a loop", String::as_str)));
                }
                _ => break,
            }
            if row.len() == tags.len() {
                if let Some(columns) = &columns {
                    self.atom(path, line.of(tokens), &row, columns);
                } else if is_wanted {
                    let cells = tags.iter().zip(&row);
                    let cells = cells.filter_map(|(tag, v)| v.map(|value| (tag.clone(), text(value))));
                    self.rows.push(cells.collect());
                }
                row.clear();
            }
            next = tokens.next();
        }
        if !row.is_empty() && !tags.is_empty() && (is_atoms || next.is_none()) {
            let reason = format!(
                "the last row of {} has {} of {} values: the file looks cut off, fetch it again",
                tags[0],
                row.len(),
                tags.len()
            );
            return Err(FileError::row(path, tokens.line(), reason));
        }
        Ok(next)
    }

    fn atom(&mut self, path: &Path, line: usize, row: &[Option<&[u8]>], columns: &Columns) {
        let get = |column: Option<usize>| {
            let value = column.and_then(|column| row.get(column).copied().flatten());
            value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
        };
        let entry = &mut self.entry;
        let model = get(columns.model).parse().unwrap_or(1);
        if !entry.models.enter(model) {
            return;
        }
        let number = |column| number(get(column));
        let (Some(x), Some(y), Some(z)) = (number(columns.x), number(columns.y), number(columns.z)) else {
            entry.atoms.seen += 1;
            let found = format!("{:?} {:?} {:?}", get(columns.x), get(columns.y), get(columns.z));
            entry.atoms.skipped.add(path, line, "an atom without three coordinates", found);
            return;
        };
        let sequence = get(columns.sequence).parse::<i32>().ok();
        let hetero = get(columns.group) == "HETATM";
        // Files that number nothing say nothing.
        let label = columns.sequence.filter(|_| sequence.is_some() || hetero);
        let label = label.map(|_| (get(columns.label), sequence));
        // Ligands and water may have no number at all.
        let residue_number = match get(columns.number).parse().ok().or(sequence) {
            Some(number) => number,
            None if hetero => i32::MIN,
            None => {
                entry.atoms.seen += 1;
                entry.atoms.skipped.add(path, line, "an atom without a residue number", get(columns.number));
                return;
            }
        };
        let element = get(columns.element);
        let upper;
        let element = if element.bytes().any(|b| b.is_ascii_lowercase()) {
            upper = element.to_ascii_uppercase();
            &upper
        } else {
            element
        };
        entry.atoms.add(
            path,
            &AtomRow {
                line,
                name: get(columns.name),
                element,
                alternate: get(columns.alternate),
                residue: get(columns.residue),
                chain: get(columns.chain),
                number: residue_number,
                insertion: get(columns.insertion).chars().next(),
                hetero,
                label,
                position: [x, y, z],
                occupancy: number(columns.occupancy).filter(|o| o.is_finite()).unwrap_or(1.0),
                b_factor: number(columns.b_factor).filter(|b| b.is_finite()).unwrap_or(0.0),
            },
        );
    }

    /// Rows of a category: those of its loop, or its single items as one.
    fn category(&self, name: &str) -> Vec<Row> {
        let looped = self.rows.iter().filter(|row| row.keys().any(|tag| tag.starts_with(name)));
        let mut rows: Vec<Row> = looped.cloned().collect();
        let single: Row = self
            .single
            .iter()
            .filter(|(tag, _)| tag.starts_with(name))
            .map(|(tag, value)| (tag.clone(), value.clone()))
            .collect();
        if !single.is_empty() {
            rows.push(single);
        }
        rows
    }

    fn single_atom(&self) -> Vec<(&String, &String)> {
        self.single.iter().filter(|(tag, _)| tag.starts_with("_atom_site.")).collect()
    }

    fn finish(mut self, path: &Path) -> Result<Entry, FileError> {
        let mut one: Vec<(String, String)> =
            self.single_atom().into_iter().map(|(tag, value)| (tag.clone(), value.clone())).collect();
        one.sort();
        if !one.is_empty() {
            let tags: Vec<String> = one.iter().map(|(tag, _)| tag.clone()).collect();
            let columns = Columns::find(path, 1, &tags)?;
            let row: Vec<Option<&[u8]>> = one.iter().map(|(_, value)| Some(value.as_bytes())).collect();
            self.atom(path, 1, &row, &columns);
        }
        let tidy = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let get = |row: &Row, tag: &str| row.get(tag).map(&tidy).filter(|value| !value.is_empty());
        let id = self.single.get("_entry.id").map(tidy);
        let title = self.category("_struct.").iter().find_map(|row| get(row, "_struct.title"));
        let polymers = self.category("_entity.");
        let polymers = polymers.iter().filter(|row| get(row, "_entity.type").is_none_or(|t| t == "polymer"));
        let molecules = polymers.filter_map(|row| get(row, "_entity.pdbx_description")).collect();
        let metrics = self.category("_ma_qa_metric.");
        let confident = metrics.iter().filter_map(|row| get(row, "_ma_qa_metric.name"));
        let predicted = confident.into_iter().any(|name| name.to_ascii_lowercase().contains("plddt"));
        let measured = self.category("_exptl.").iter().any(|row| {
            get(row, "_exptl.method").is_some_and(|m| !m.to_ascii_uppercase().contains("THEORETICAL"))
        });
        let references = self.category("_struct_ref.");
        let uniprot = references.iter().find(|row| get(row, "_struct_ref.db_name").as_deref() == Some("UNP"));
        let target = self.category("_ma_target_ref_db_details.");
        let accession = uniprot
            .and_then(|row| get(row, "_struct_ref.pdbx_db_accession"))
            .or_else(|| target.first().and_then(|row| get(row, "_ma_target_ref_db_details.db_accession")));
        let entry_name = uniprot
            .and_then(|row| get(row, "_struct_ref.db_code"))
            .or_else(|| target.first().and_then(|row| get(row, "_ma_target_ref_db_details.db_code")));
        let mut elements = Vec::new();
        for row in self.category("_struct_conf.") {
            let kind = get(&row, "_struct_conf.conf_type_id").unwrap_or_default().to_ascii_uppercase();
            let class = get(&row, "_struct_conf.pdbx_pdb_helix_class").unwrap_or_default();
            let secondary = match kind.as_str() {
                // Left-handed polyproline is no helix of the three states.
                "HELX_LH_PP_P" => continue,
                _ if kind.starts_with("HELX") && class != "10" => Secondary::Helix,
                _ if kind.starts_with("STRN") => Secondary::Strand,
                _ => continue,
            };
            elements.extend(self.element(&row, "_struct_conf.", secondary));
        }
        for row in self.category("_struct_sheet_range.") {
            elements.extend(self.element(&row, "_struct_sheet_range.", Secondary::Strand));
        }
        self.entry.id = id.filter(|id| !id.is_empty());
        self.entry.title = title;
        self.entry.molecules = molecules;
        self.entry.predicted = predicted;
        self.entry.measured = measured;
        self.entry.accession = accession.and_then(|text| UniprotAccession::parse(&text).ok());
        self.entry.entry_name = entry_name.filter(|name| name.contains('_'));
        self.entry.elements = elements;
        Ok(self.entry)
    }

    /// A range of residues, which the entity's numbers tell; without these the author's, which are all 0 in AlphaFold's
    /// first release.
    fn element(&self, row: &Row, category: &str, secondary: Secondary) -> Option<Element> {
        let get = |tag: &str| row.get(&format!("{category}{tag}")).map(String::as_str);
        let number = |tag: &str| get(tag).and_then(|number| number.parse::<i32>().ok());
        let label = (get("beg_label_asym_id"), number("beg_label_seq_id"), number("end_label_seq_id"));
        if let (Some(label), Some(first), Some(last)) = label
            && let Some((first, last)) = self.entry.atoms.author_range(label, first, last)
        {
            return Some(Element { secondary, chain: first.0.clone(), first: first.1, last: last.1 });
        }
        let insertion = |tag: &str| get(tag).and_then(|code| code.chars().next());
        Some(Element {
            secondary,
            chain: get("beg_auth_asym_id").or(label.0)?.to_owned(),
            first: (number("beg_auth_seq_id").or(label.1)?, insertion("pdbx_beg_pdb_ins_code")),
            last: (number("end_auth_seq_id").or(label.2)?, insertion("pdbx_end_pdb_ins_code")),
        })
    }
}

/// A number, with or without its standard uncertainty in brackets.
fn number(text: &str) -> Option<f32> {
    text.split('(').next().and_then(|number| number.parse().ok())
}

/// Where an atom's values stand in a row.
struct Columns {
    group: Option<usize>,
    element: Option<usize>,
    name: Option<usize>,
    alternate: Option<usize>,
    residue: Option<usize>,
    chain: Option<usize>,
    label: Option<usize>,
    number: Option<usize>,
    sequence: Option<usize>,
    insertion: Option<usize>,
    x: Option<usize>,
    y: Option<usize>,
    z: Option<usize>,
    occupancy: Option<usize>,
    b_factor: Option<usize>,
    model: Option<usize>,
}

impl Columns {
    fn find(path: &Path, line: usize, tags: &[String]) -> Result<Self, FileError> {
        let find = |names: &[&str]| {
            let tag =
                |name: &&str| tags.iter().position(|tag| tag.strip_prefix("_atom_site.") == Some(*name));
            names.iter().find_map(tag)
        };
        let need = |names: &[&str]| {
            find(names).map(Some).ok_or_else(|| {
                let reason = format!("the loop of atoms has no column _atom_site.{}, expected one", names[0]);
                FileError::row(path, line, reason)
            })
        };
        Ok(Self {
            group: find(&["group_pdb"]),
            element: find(&["type_symbol"]),
            name: need(&["label_atom_id", "auth_atom_id"])?,
            alternate: find(&["label_alt_id"]),
            residue: need(&["label_comp_id", "auth_comp_id"])?,
            chain: find(&["auth_asym_id", "label_asym_id"]),
            label: find(&["label_asym_id"]),
            number: need(&["auth_seq_id", "label_seq_id"])?,
            sequence: find(&["label_seq_id"]),
            insertion: find(&["pdbx_pdb_ins_code"]),
            x: need(&["cartn_x"])?,
            y: need(&["cartn_y"])?,
            z: need(&["cartn_z"])?,
            occupancy: find(&["occupancy"]),
            b_factor: find(&["b_iso_or_equiv"]),
            model: find(&["pdbx_pdb_model_num"]),
        })
    }
}

/// Line numbers that are counted on from the last one.
struct Lines {
    at: usize,
    line: usize,
}

impl Lines {
    fn of(&mut self, tokens: &Tokens<'_>) -> usize {
        self.line += tokens.ends_between(self.at);
        self.at = tokens.at();
        self.line
    }
}
