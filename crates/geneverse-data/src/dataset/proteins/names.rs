//! Names of proteins: from a list, from the gene database, from the structure files themselves.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::Path;

use crate::sources::tsv::Tsv;
use crate::stage::{FileError, open};
use crate::store::{GeneStore, StoreError};
use crate::structure::ProteinName;
use crate::tissue::truth::as_tabs;

const KEY: [&str; 8] =
    ["accession", "uniprot", "uniprot_id", "entry", "file", "id", "structure", "uniprot_accession"];
const NAME: [&str; 7] =
    ["name", "protein_name", "protein", "recommended_name", "protein_names", "fold", "class"];
const SYMBOL: [&str; 5] = ["symbol", "gene", "gene_symbol", "gene_names", "gene_names_(primary)"];

/// A protein's name, and what its gene is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// As the source writes it.
    pub name: String,
    /// The gene's symbol, where it is known.
    pub symbol: Option<String>,
    /// The gene's HGNC groups.
    pub groups: Vec<String>,
}

/// Names by UniProt accession or by file name without endings.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: HashMap<String, Named>,
    /// Where nothing else is known, the file's own name of the molecule.
    from_files: bool,
}

impl Names {
    /// No names but those that the structure files hold.
    pub fn of_files() -> Self {
        Self { known: HashMap::new(), from_files: true }
    }

    /// Takes the files' own names where no other is known.
    pub fn or_of_files(self) -> Self {
        Self { from_files: true, ..self }
    }

    /// Reads a list: a table with an accession or file name and a protein's name in each row, columns found by name (tabs or
    /// commas). UniProt's `Protein names` lists several: the first is the recommended one.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut bytes = Vec::new();
        open(path)?.read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
        let mut table = Tsv::new(path, Box::new(Cursor::new(as_tabs(bytes))))?;
        let (key, name) = (table.need(&KEY)?, table.need(&NAME)?);
        let symbol = table.column(&SYMBOL);
        let several = table.column(&["protein_names"]).is_some_and(|column| column == name);
        let mut known = HashMap::new();
        while let Some(row) = table.next_row()? {
            let text = if several { recommended(row.get(name)) } else { row.get(name) };
            if row.get(key).is_empty() || text.is_empty() {
                continue;
            }
            let symbol = row.get_or_empty(symbol).split_whitespace().next().map(str::to_owned);
            let named = Named { name: text.to_owned(), symbol, groups: Vec::new() };
            known.entry(stem(row.get(key)).to_owned()).or_insert(named);
        }
        if known.is_empty() {
            return Err(FileError::whole(
                path,
                "names no protein, expected an accession and a name in each row",
            ));
        }
        Ok(Self { known, from_files: false })
    }

    /// The names of the genes whose UniProt accession the database has. Of an accession of several genes the first counts,
    /// in symbol order.
    pub fn from_store(store: &GeneStore) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        for record in store.iter() {
            let record = record?;
            for accession in &record.uniprot_ids {
                known.entry(accession.to_string()).or_insert_with(|| Named {
                    name: record.name.clone(),
                    symbol: Some(record.symbol.to_string()),
                    groups: record.groups.clone(),
                });
            }
        }
        Ok(Self { known, from_files: false })
    }

    /// Fills symbols and groups from the database's names, and names where this has none.
    pub fn with(mut self, others: Self) -> Self {
        for (key, other) in others.known {
            let named = self.known.entry(key).or_insert_with(|| other.clone());
            if named.symbol.is_none() {
                named.symbol.clone_from(&other.symbol);
            }
            if named.groups.is_empty() {
                named.groups = other.groups;
            }
        }
        self
    }

    /// The name of a file's protein: by the file's name, by its accession, by what the file says.
    pub(super) fn find(&self, identity: &ProteinName, stem: &str) -> Option<Named> {
        let accession = identity.accession.as_ref().map(|accession| accession.as_str());
        let known = self.known.get(stem).or_else(|| self.known.get(accession?));
        let own = || identity.molecule.clone().filter(|_| self.from_files);
        known.cloned().or_else(|| Some(Named { name: own()?, ..Named::default() }))
    }
}

/// A file's name without the endings of structures, an accession as it is.
fn stem(text: &str) -> &str {
    let text = text.strip_suffix(".gz").unwrap_or(text);
    [".pdb", ".cif", ".ent", ".mmcif"].iter().find_map(|ending| text.strip_suffix(ending)).unwrap_or(text)
}

/// "Keratin, type I cytoskeletal 18 (Cytokeratin-18) (CK-18)" is called "Keratin, type I cytoskeletal 18".
fn recommended(names: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in names.char_indices() {
        match c {
            '(' | '[' if depth == 0 && names[..at].ends_with(' ') => return names[..at].trim_end(),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gene::UniprotAccession;

    #[test]
    fn lists_are_read_as_people_and_uniprot_have_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.tsv");
        let find = |text: &str, stem: &str, accession: &str| {
            std::fs::write(&path, text).unwrap();
            let accession = UniprotAccession::parse(accession).ok();
            let identity =
                ProteinName { accession, molecule: Some("MOLECULE".into()), ..ProteinName::default() };
            Names::read(&path).unwrap().find(&identity, stem).map(|named| named.name)
        };
        let uniprot = "Entry\tProtein names\tGene Names\n\
                       P05783\tKeratin, type I cytoskeletal 18 (CK-18) (Keratin-18 (K18))\tKRT18 CYK18\n\
                       P00001\t2-(3-amino)-ase (EC 1.1.1.1)\t\n";
        assert_eq!(find(uniprot, "AF-P05783-F1", "P05783").unwrap(), "Keratin, type I cytoskeletal 18");
        assert_eq!(find(uniprot, "x", "P00001").unwrap(), "2-(3-amino)-ase");
        assert_eq!(find(uniprot, "x", "Q00001"), None);
        let mine = "file,name\nbundle-1.pdb,\"three helix bundle, left\"\n";
        assert_eq!(find(mine, "bundle-1", "").unwrap(), "three helix bundle, left");
        std::fs::write(&path, "accession\tname\n\t\n").unwrap();
        let error = Names::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("names no protein, expected an accession and a name in each row"), "{error}");
        let own = ProteinName { molecule: Some("LYSOZYME C".into()), ..ProteinName::default() };
        assert_eq!(Names::of_files().find(&own, "1lzh").unwrap().name, "LYSOZYME C");
        assert_eq!(Names::of_files().find(&ProteinName::default(), "1lzh"), None);
    }
}
