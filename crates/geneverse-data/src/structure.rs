//! A macromolecule's structure as far as a cartoon, a sequence and a secondary structure need it.
//!
//! [`read`] makes it of a file (`sources/pdb.rs`, `sources/mmcif.rs`), `structure/` computes secondary structure,
//! `render/` draws it. Coordinates are in ångström, in the file's frame.

mod assemble;
pub mod calpha;
pub mod cluster;
pub mod dssp;
pub(crate) mod geometry;
pub mod ideal;
pub mod laboratory;
mod name;
mod read;
mod residues;
mod write;

pub(crate) use assemble::{AtomRow, Element, Entry, ModelSeen};
pub(crate) use name::stem;
pub use name::{ProteinName, proteins};
pub use read::{
    Format, Notes, ReadOptions, SecondaryFrom, SecondaryWanted, compute_secondary, read, read_bytes,
    read_with,
};
pub(crate) use residues::is_polymer;
pub use write::write_pdb;

/// A point or a vector, in ångström.
pub type Point = [f32; 3];

/// One model of a structure file: the first one, unless another was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// The entry's identifier ("1UBQ", "AF-O15552-F1"), or the file's name without its endings.
    pub id: String,
    /// What the file calls the molecule, where it says.
    pub title: Option<String>,
    /// Whether temperature factors are pLDDT, the confidence of a prediction, 0 to 100.
    pub predicted: bool,
    /// How many models the file holds.
    pub models: usize,
    /// Chains in file order.
    pub chains: Vec<Chain>,
}

/// A chain of residues, in the order of the polymer.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The author's name for it ("A"; empty in some old files).
    pub id: String,
    /// Its residues with coordinates; water and ligands are left out.
    pub residues: Vec<Residue>,
}

/// What kind of polymer a residue belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Polymer {
    /// An amino acid, modified ones too.
    Protein,
    /// A nucleotide.
    Nucleic,
}

/// The three states of secondary structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Secondary {
    /// Helices of any kind (DSSP's H, G and I).
    Helix,
    /// Strands of a sheet (DSSP's E).
    Strand,
    /// Everything else.
    #[default]
    Coil,
}

/// A residue: the atoms that a trace and hydrogen bonds need, each `None` where the file lacks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Residue {
    /// Three letters or fewer: "ALA", "MSE", "DG", "U".
    pub name: String,
    /// The author's number; may be negative.
    pub number: i32,
    /// The insertion code.
    pub insertion: Option<char>,
    /// What it is part of.
    pub polymer: Polymer,
    /// Backbone nitrogen.
    pub n: Option<Point>,
    /// Cα of an amino acid; of a nucleotide the phosphorus, or where there is none O5′, C5′ or C3′.
    pub trace: Option<Point>,
    /// Carbonyl carbon.
    pub c: Option<Point>,
    /// Carbonyl oxygen; of a nucleotide O3′.
    pub o: Option<Point>,
    /// Cβ of an amino acid; of a nucleotide the atom of the base farthest along the pairing edge (N1 of a purine,
    /// N3 of a pyrimidine).
    pub side: Option<Point>,
    /// The trace atom's temperature factor, or pLDDT in a prediction.
    pub b_factor: f32,
    /// As the file says, or as computed.
    pub secondary: Secondary,
    /// Whether the polymer is bound to the residue before it in the list (C–N at most 2.5 Å, or, with Cα only,
    /// Cα–Cα at most 4.2 Å; nucleotides: phosphorus within 9 Å).
    pub joined: bool,
}

impl Residue {
    /// The letter of the sequence: an amino acid's or a nucleotide's, of a modified one that of what it was made from,
    /// `X` (or `N` for a nucleotide) where that is not known.
    pub fn letter(&self) -> char {
        residues::letter(&self.name, self.polymer)
    }
}

impl Chain {
    /// The residues' letters, gaps not shown.
    pub fn sequence(&self) -> String {
        self.residues.iter().map(Residue::letter).collect()
    }

    /// Whether most of the residues are amino acids.
    pub fn is_protein(&self) -> bool {
        let amino = self.residues.iter().filter(|r| r.polymer == Polymer::Protein).count();
        2 * amino > self.residues.len()
    }
}

impl Structure {
    /// The sequence of the first chain of that name.
    pub fn sequence(&self, chain: &str) -> Option<String> {
        self.chains.iter().find(|c| c.id == chain).map(Chain::sequence)
    }

    /// How many residues there are.
    pub fn residue_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.residues.len()).sum()
    }
}

#[cfg(test)]
mod tests;
