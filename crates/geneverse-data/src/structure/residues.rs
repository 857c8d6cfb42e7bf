//! Names of residues: what kind each is, and its letter in a sequence.
//!
//! The twenty amino acids, nucleotides as the PDB, its old files and force fields name them, water, and the modified
//! residues that entries of the PDB have most often, with what they are made from (the Chemical Component
//! Dictionary's `one_letter_code`).

use super::Polymer;

/// What a residue's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A residue of a polymer.
    Polymer(Polymer),
    /// Water.
    Water,
    /// Anything else; its atoms have to say.
    Other,
}

pub(super) fn known(name: &str) -> Known {
    if amino_letter(name).is_some() {
        Known::Polymer(Polymer::Protein)
    } else if nucleotide(name).is_some() {
        Known::Polymer(Polymer::Nucleic)
    } else if matches!(name, "HOH" | "DOD" | "WAT" | "H2O" | "SOL" | "TIP" | "TIP3" | "TIP4" | "TP3" | "SPC")
    {
        Known::Water
    } else {
        Known::Other
    }
}

/// Whether the name is that of an amino acid or a nucleotide.
pub(crate) fn is_polymer(name: &str) -> bool {
    matches!(known(name), Known::Polymer(_))
}

pub(super) fn letter(name: &str, polymer: Polymer) -> char {
    match polymer {
        Polymer::Protein => amino_letter(name).unwrap_or('X'),
        Polymer::Nucleic => nucleotide(name).unwrap_or('N'),
    }
}

/// Three-letter code of a standard amino acid's letter.
pub(super) fn three_letters(letter: char) -> Option<&'static str> {
    STANDARD.iter().find(|(_, l)| *l == letter).map(|(name, _)| *name)
}

const STANDARD: [(&str, char); 20] = [
    ("ALA", 'A'),
    ("ARG", 'R'),
    ("ASN", 'N'),
    ("ASP", 'D'),
    ("CYS", 'C'),
    ("GLN", 'Q'),
    ("GLU", 'E'),
    ("GLY", 'G'),
    ("HIS", 'H'),
    ("ILE", 'I'),
    ("LEU", 'L'),
    ("LYS", 'K'),
    ("MET", 'M'),
    ("PHE", 'F'),
    ("PRO", 'P'),
    ("SER", 'S'),
    ("THR", 'T'),
    ("TRP", 'W'),
    ("TYR", 'Y'),
    ("VAL", 'V'),
];

fn amino_letter(name: &str) -> Option<char> {
    if let Some((_, letter)) = STANDARD.iter().find(|(standard, _)| *standard == name) {
        return Some(*letter);
    }
    // Of what the residue was made; protonation states of force fields among them.
    Some(match name {
        "DAL" | "AIB" | "MAA" | "ABA" | "ORN" => 'A',
        "CIR" | "AGM" | "DAR" | "2MR" | "DA2" => 'R',
        "MEN" | "DSG" | "SNN" => 'N',
        "ASH" | "DAS" | "PHD" | "BFD" | "IAS" | "ASL" => 'D',
        "CYX" | "CYM" | "CSO" | "CSS" | "CME" | "CSD" | "OCS" | "CSX" | "CAS" | "SMC" | "YCM" | "CAF"
        | "DCY" | "SCH" | "SCY" | "CSW" | "CXM" | "SNC" => 'C',
        "MEQ" | "DGN" => 'Q',
        "GLH" | "PCA" | "CGU" | "DGL" | "GMA" | "5HP" => 'E',
        "SAR" | "GL3" | "MPQ" => 'G',
        "HID" | "HIE" | "HIP" | "HSD" | "HSE" | "HSP" | "HIC" | "MHS" | "NEP" | "DHI" => 'H',
        "DIL" | "IIL" => 'I',
        "DLE" | "MLE" | "NLE" | "CLE" => 'L',
        "LYN" | "MLY" | "M3L" | "MLZ" | "ALY" | "KCX" | "LLP" | "DLY" | "LYZ" | "KPI" | "CLG" | "FAK" => 'K',
        "MSE" | "FME" | "MHO" | "SME" | "MED" | "OMT" => 'M',
        "DPN" | "PHI" | "MEA" | "HPQ" => 'F',
        "HYP" | "DPR" | "H5M" => 'P',
        "SEP" | "DSN" | "SAC" | "MIS" | "SVA" | "OSE" => 'S',
        "TPO" | "DTH" | "BMT" | "ALO" => 'T',
        "TRF" | "DTR" | "TRO" | "HTR" | "TRQ" | "TRW" => 'W',
        "PTR" | "TYS" | "DTY" | "TPQ" | "TYI" | "IYR" | "TYQ" => 'Y',
        "DVA" | "MVA" | "LVA" | "FVA" => 'V',
        "SEC" | "CSE" => 'U',
        "PYL" => 'O',
        "ASX" => 'B',
        "GLX" => 'Z',
        "UNK" => 'X',
        _ => return None,
    })
}

fn nucleotide(name: &str) -> Option<char> {
    Some(match name {
        "A" | "DA" | "RA" | "ADE" | "A3" | "A5" | "DA3" | "DA5" | "RA3" | "RA5" | "+A" | "1MA" | "MIA"
        | "6MZ" | "A2M" | "T6A" => 'A',
        "C" | "DC" | "RC" | "CYT" | "C3" | "C5" | "DC3" | "DC5" | "RC3" | "RC5" | "+C" | "5MC" | "OMC"
        | "5CM" | "CBR" | "CCC" => 'C',
        "G" | "DG" | "RG" | "GUA" | "G3" | "G5" | "DG3" | "DG5" | "RG3" | "RG5" | "+G" | "2MG" | "M2G"
        | "7MG" | "OMG" | "YG" | "GTP" | "GDP" | "8OG" | "1MG" | "G7M" => 'G',
        "U" | "RU" | "URA" | "URI" | "U3" | "U5" | "RU3" | "RU5" | "+U" | "PSU" | "H2U" | "5MU" | "4SU"
        | "OMU" | "DU" | "BRU" | "5BU" | "UR3" => 'U',
        "T" | "DT" | "THY" | "DT3" | "DT5" | "+T" => 'T',
        "I" | "DI" | "+I" => 'I',
        "N" | "DN" => 'N',
        _ => return None,
    })
}
