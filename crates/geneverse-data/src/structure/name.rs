//! What a structure file calls its protein: UniProt's accession, the fragment of a long protein, the molecule's name.
//!
//! AlphaFold's files are named `AF-P12345-F1-model_v4.pdb`, and a protein of more than 2,700 residues comes in
//! overlapping fragments F1, F2, …, each a file of its own. The accession is in the file as well: `DBREF` in PDB,
//! `_struct_ref` or `_ma_target_ref_db_details` in mmCIF.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::gene::UniprotAccession;

/// Words that AlphaFold and ESMFold put before a name.
const PREDICTION_FOR: &str = "prediction for ";

/// What is known of a structure's protein by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProteinName {
    /// UniProt's accession, from the file's name or from the file.
    pub accession: Option<UniprotAccession>,
    /// UniProt's entry name ("PED1B_HUMAN"), where the file has it.
    pub entry_name: Option<String>,
    /// Which fragment of the protein, from 1: the 11 of "F11".
    pub fragment: Option<u32>,
    /// The release of a predicted model: the 4 of "model_v4".
    pub version: Option<u32>,
    /// The molecule as the file calls it, without what a program put around it
    /// ("PC-ESTERASE DOMAIN-CONTAINING PROTEIN 1B").
    pub molecule: Option<String>,
}

impl ProteinName {
    /// What a file's name says: accession, fragment and version of `AF-P12345-F1-model_v4.pdb.gz`, or the accession of
    /// `P12345.cif`.
    pub fn from_file_name(path: &Path) -> Self {
        let stem = stem(path);
        let mut name = Self::default();
        let mut words = stem.split(['-', '_']).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let accession =
            if first.eq_ignore_ascii_case("AF") { words.next().unwrap_or_default() } else { first };
        name.accession = UniprotAccession::parse(&accession.to_ascii_uppercase()).ok();
        if name.accession.is_some() {
            for word in words {
                let number = |letter: char| {
                    let rest = word.strip_prefix([letter, letter.to_ascii_lowercase()])?;
                    rest.parse::<u32>().ok()
                };
                name.fragment = name.fragment.or(number('F'));
                name.version = name.version.or(number('V'));
            }
        }
        name
    }

    /// A title without "ALPHAFOLD MONOMER V2.0 PREDICTION FOR" and the accession in brackets at the end.
    pub fn clean_title(title: &str) -> String {
        let mut text = title.split_whitespace().collect::<Vec<_>>().join(" ");
        // ASCII lower case keeps the places of bytes.
        if let Some(at) = text.to_ascii_lowercase().find(PREDICTION_FOR) {
            text.drain(..at + PREDICTION_FOR.len());
        }
        if let Some((name, last)) = text.rsplit_once(" (")
            && last.strip_suffix(')').is_some_and(|inner| UniprotAccession::parse(inner).is_ok())
        {
            text.truncate(name.len());
        }
        text.trim_matches([' ', ';', '.']).to_owned()
    }

    /// Fills what is not known from another source.
    pub fn or(self, other: Self) -> Self {
        Self {
            accession: self.accession.or(other.accession),
            entry_name: self.entry_name.or(other.entry_name),
            fragment: self.fragment.or(other.fragment),
            version: self.version.or(other.version),
            molecule: self.molecule.or(other.molecule),
        }
    }
}

/// The files of each protein, as places in `names`: by accession, fragments in order. Files without an accession are
/// proteins of their own, at the end.
pub fn proteins(names: &[ProteinName]) -> Vec<Vec<usize>> {
    let mut by_accession: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match &name.accession {
            Some(accession) => by_accession.entry(accession.as_str()).or_default().push(place),
            None => alone.push(vec![place]),
        }
    }
    let mut groups: Vec<Vec<usize>> = by_accession.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|&place| (names[place].fragment.unwrap_or(1), place));
    }
    groups.extend(alone);
    groups
}

/// A file's name without the endings of structure files.
pub(crate) fn stem(path: &Path) -> String {
    let mut name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for ending in [".gz", ".pdb", ".ent", ".cif", ".mmcif", ".pdb1"] {
        let cut = name.len().saturating_sub(ending.len());
        if cut > 0 && name.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(ending)) {
            name.truncate(cut);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str) -> (Option<String>, Option<u32>, Option<u32>) {
        let name = ProteinName::from_file_name(Path::new(file));
        (name.accession.map(|a| a.to_string()), name.fragment, name.version)
    }

    #[test]
    fn file_names() {
        let p = |accession: &str, fragment, version| (Some(accession.to_owned()), fragment, version);
        assert_eq!(of("x/AF-Q96HM7-F1-model_v4.pdb"), p("Q96HM7", Some(1), Some(4)));
        assert_eq!(of("AF-Q8WZ42-F11-model_v6.cif.gz"), p("Q8WZ42", Some(11), Some(6)));
        assert_eq!(of("AF-A0A024R1R8-F1-model_v1.pdb"), p("A0A024R1R8", Some(1), Some(1)));
        assert_eq!(of("af-q96hm7-f2-model_v3.PDB"), p("Q96HM7", Some(2), Some(3)));
        assert_eq!(of("O15552.cif"), p("O15552", None, None));
        assert_eq!(of("1ubq.pdb"), (None, None, None));
        assert_eq!(of("pdb1gdr.ent"), (None, None, None));
        assert_eq!(of(""), (None, None, None));
    }

    #[test]
    fn stems_lose_endings_only() {
        assert_eq!(stem(Path::new("a/1lzh.pdb.gz")), "1lzh");
        assert_eq!(stem(Path::new("model.v1.CIF")), "model.v1");
        assert_eq!(stem(Path::new(".pdb")), ".pdb");
    }

    #[test]
    fn titles() {
        for (title, clean) in [
            (
                "ALPHAFOLD MONOMER V2.0 PREDICTION FOR PC-ESTERASE DOMAIN-CONTAINING  PROTEIN 1B (Q96HM7)",
                "PC-ESTERASE DOMAIN-CONTAINING PROTEIN 1B",
            ),
            ("Alphafold Prediction for Free fatty acid receptor 2 (O15552)", "Free fatty acid receptor 2"),
            ("ESMFOLD V1 PREDICTION FOR INPUT", "INPUT"),
            ("CRYSTAL STRUCTURE OF RNASE LE", "CRYSTAL STRUCTURE OF RNASE LE"),
            ("Kinesin (fragment)", "Kinesin (fragment)"),
        ] {
            assert_eq!(ProteinName::clean_title(title), clean);
        }
    }

    #[test]
    fn fragments_are_one_protein() {
        let files = [
            "AF-Q8WZ42-F11-model_v4.pdb",
            "1ubq.pdb",
            "AF-O15552-F1-model_v4.pdb",
            "AF-Q8WZ42-F2-model_v4.pdb",
        ];
        let names: Vec<_> = files.iter().map(|f| ProteinName::from_file_name(Path::new(f))).collect();
        assert_eq!(proteins(&names), [vec![2], vec![3, 0], vec![1]]);
    }
}
