//! A structure file, whatever its format and however it is packed, as a [`Structure`].

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use super::name::stem;
use super::{Element, Entry, ProteinName, Structure, calpha, dssp};
use crate::sources::{Skips, mmcif, pdb};
use crate::stage::{FileError, open};

/// More than this no structure file has unpacked; the largest entry of the PDB has 0.6 GB.
const LARGEST: u64 = 2 << 30;
/// Bytes in which a format shows itself.
const HEAD: usize = 1 << 16;

/// The format of a structure file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The PDB's old format of 80 columns.
    Pdb,
    /// Its dictionary's successor.
    Mmcif,
}

/// Where secondary structure came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondaryFrom {
    /// The file's own records.
    File,
    /// Hydrogen bonds ([`dssp`]).
    HydrogenBonds,
    /// The path of the Cα atoms ([`calpha`]), in at least one chain that has no more.
    Calpha,
    /// Nothing: there is no protein.
    None,
}

/// Which secondary structure is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondaryWanted {
    /// The file's, else computed.
    #[default]
    FileElseComputed,
    /// Computed, whatever the file says.
    Computed,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// The number of the model; the first one unless it is given.
    pub model: Option<i64>,
    /// Which secondary structure is wanted.
    pub secondary: SecondaryWanted,
}

/// What a reader may want to know of a file besides its structure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notes {
    /// The file's format.
    pub format: Format,
    /// Accession, fragment and name.
    pub name: ProteinName,
    /// Where helices and strands came from.
    pub secondary: SecondaryFrom,
    /// Residues that are no part of a polymer, by name.
    pub left_out: BTreeMap<String, usize>,
    /// Atoms and residues that could not be used.
    pub skipped: Skips,
}

/// Reads the first model of a file, plain or gzip, PDB or mmCIF. Its secondary structure is the file's, else computed.
///
/// # Errors
/// A file that cannot be read, is neither format, is cut off, or holds no residue of a protein or a nucleic acid.
pub fn read(path: &Path) -> Result<(Structure, Notes), FileError> {
    read_with(path, &ReadOptions::default())
}

/// Reads a file as asked.
///
/// # Errors
/// As [`read`], and a model that the file does not have.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<(Structure, Notes), FileError> {
    let mut bytes = Vec::new();
    open(path)?.take(LARGEST).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
    if bytes.len() as u64 == LARGEST {
        return Err(FileError::whole(
            path,
            "has 2 GiB or more unpacked, expected less: no structure is so large",
        ));
    }
    read_bytes(path, &bytes, options)
}

/// Reads a file's unpacked bytes; `path` names it in errors and in the structure's name.
///
/// # Errors
/// As [`read_with`].
pub fn read_bytes(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<(Structure, Notes), FileError> {
    let format = format_of(path, bytes)?;
    let mut entry = match format {
        Format::Pdb => pdb::parse(path, bytes, options.model),
        Format::Mmcif => mmcif::parse(path, bytes, options.model)?,
    };
    let chains = entry.atoms.finish(path);
    if chains.is_empty() {
        return Err(FileError::whole(path, empty(&entry, options)));
    }
    let from_file = ProteinName::from_file_name(path);
    let named_by_alphafold = from_file.accession.is_some() && from_file.fragment.is_some();
    let predicted = !entry.measured && (entry.predicted || named_by_alphafold);
    let title = entry.title.as_deref().map(ProteinName::clean_title).filter(|t| !t.is_empty());
    let mut molecules = entry.molecules.iter().map(|m| ProteinName::clean_title(m)).filter(|m| !m.is_empty());
    let molecule = molecules.next();
    // Of an entry of several molecules the title tells more than one of their names.
    let what = if molecules.next().is_some() {
        title.clone().or_else(|| molecule.clone())
    } else {
        molecule.clone().or_else(|| title.clone())
    };
    let in_file = ProteinName {
        accession: entry.accession.take(),
        entry_name: entry.entry_name.take(),
        molecule: molecule.or(title),
        ..ProteinName::default()
    };
    let id = match entry.id.take() {
        Some(id) => id,
        None if named_by_alphafold => alphafold_id(&from_file),
        None => stem(path),
    };
    let mut structure = Structure { id, title: what, predicted, models: entry.models.count(), chains };
    if predicted {
        confidence_in_percent(&mut structure);
    }
    let from = secondary(&mut structure, &entry.elements, options.secondary);
    let notes = Notes {
        format,
        name: from_file.or(in_file),
        secondary: from,
        left_out: std::mem::take(&mut entry.atoms.left_out),
        skipped: std::mem::take(&mut entry.atoms.skipped),
    };
    Ok((structure, notes))
}

fn alphafold_id(name: &ProteinName) -> String {
    let accession = name.accession.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("AF-{accession}-F{}", name.fragment.unwrap_or(1))
}

/// Tells the format by content.
fn format_of(path: &Path, bytes: &[u8]) -> Result<Format, FileError> {
    let head = &bytes[..bytes.len().min(HEAD)];
    let lines = || head.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii_start);
    let begins =
        |line: &[u8], with: &[u8]| line.len() >= with.len() && line[..with.len()].eq_ignore_ascii_case(with);
    for line in lines() {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if pdb::is_record(line) {
            return Ok(Format::Pdb);
        }
        if begins(line, b"data_") || begins(line, b"_atom_site.") {
            return Ok(Format::Mmcif);
        }
    }
    if bytes.is_empty() {
        return Err(FileError::whole(path, "is empty, expected a PDB or mmCIF file"));
    }
    let first: String = String::from_utf8_lossy(head).trim_start().chars().take(40).collect();
    let reason = format!(
        "begins with {:?}, expected a PDB file (HEADER, ATOM, …) or an mmCIF file (data_…); other formats can be \
         converted by the PDB's or your modelling program",
        first.lines().next().unwrap_or_default()
    );
    Err(FileError::whole(path, reason))
}

/// Why a file has no chain.
fn empty(entry: &Entry, options: &ReadOptions) -> String {
    if let Some(model) = options.model
        && !entry.models.numbers().contains(&model)
    {
        let numbers = entry.models.numbers();
        let has = match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) if first != last => format!("models {first} to {last}"),
            (Some(only), _) => format!("model {only} only"),
            _ => "no model".to_owned(),
        };
        return format!("has {has}, not the model {model} that was asked for");
    }
    let atoms = &entry.atoms;
    if atoms.seen == 0 {
        return "holds no atom, expected coordinates of a protein or a nucleic acid".to_owned();
    }
    let mut found: Vec<String> =
        atoms.left_out.iter().take(5).map(|(name, count)| format!("{count} × {name}")).collect();
    found.extend(atoms.skipped.listed.first().map(|skip| format!("line {}: {}", skip.line, skip.reason)));
    let found = if found.is_empty() { "nothing that is known".to_owned() } else { found.join(", ") };
    format!(
        "holds {} atoms but no residue of a protein or a nucleic acid ({found}), expected at least one",
        atoms.seen
    )
}

/// Some programs write pLDDT as a share.
fn confidence_in_percent(structure: &mut Structure) {
    let residues = || structure.chains.iter().flat_map(|chain| &chain.residues);
    let largest = residues().map(|r| r.b_factor).fold(0.0, f32::max);
    if largest > 0.0 && largest <= 1.0 {
        for residue in structure.chains.iter_mut().flat_map(|chain| &mut chain.residues) {
            residue.b_factor *= 100.0;
        }
    }
}

fn secondary(structure: &mut Structure, elements: &[Element], wanted: SecondaryWanted) -> SecondaryFrom {
    if !structure.chains.iter().any(|chain| chain.is_protein()) {
        return SecondaryFrom::None;
    }
    let from_file = wanted == SecondaryWanted::FileElseComputed
        && elements.iter().map(|element| mark(structure, element)).sum::<usize>() > 0;
    if from_file { SecondaryFrom::File } else { compute_secondary(structure) }
}

/// Puts the secondary structure that is computed into a structure, and tells from what.
pub fn compute_secondary(structure: &mut Structure) -> SecondaryFrom {
    let states = dssp::assign(&structure.chains);
    let mut from = SecondaryFrom::None;
    for (chain, states) in structure.chains.iter_mut().zip(states) {
        let whole = dssp::has_backbone(chain);
        let states =
            if whole { states.into_iter().map(dssp::State::three).collect() } else { calpha::assign(chain) };
        for (residue, state) in chain.residues.iter_mut().zip(states) {
            residue.secondary = state;
        }
        from = match from {
            _ if !chain.is_protein() => from,
            SecondaryFrom::Calpha => SecondaryFrom::Calpha,
            _ if whole => SecondaryFrom::HydrogenBonds,
            _ => SecondaryFrom::Calpha,
        };
    }
    from
}

/// Marks an element's residues in the chains of its name; how many there were.
fn mark(structure: &mut Structure, element: &Element) -> usize {
    let mut marked = 0;
    for chain in structure.chains.iter_mut().filter(|chain| chain.id == element.chain) {
        let place =
            |end: (i32, Option<char>)| chain.residues.iter().position(|r| (r.number, r.insertion) == end);
        // An end that has no coordinates is between its neighbours.
        let first =
            place(element.first).or_else(|| chain.residues.iter().position(|r| r.number > element.first.0));
        let last =
            place(element.last).or_else(|| chain.residues.iter().rposition(|r| r.number < element.last.0));
        if let (Some(first), Some(last)) = (first, last)
            && let Some(residues) = chain.residues.get_mut(first..=last)
        {
            for residue in residues {
                residue.secondary = element.secondary;
                marked += 1;
            }
        }
    }
    marked
}
