//! Ideal folds: proteins that nobody has, for what must run with no file at hand. A fold is helices and strands of textbook
//! geometry at the places that its class gives them, joined by loops; a seed draws lengths, tilts and residues.
//!
//! Helices have φ −57.8° and ψ −47° (3.6 residues a turn, 1.5 Å a residue: Arnott and Dover 1967), strands φ −128° and
//! ψ 125.5° (flat, 3.39 Å a residue), 4.8 Å apart and in register, so that DSSP finds the hydrogen bonds that were meant.
//! Sheets are twisted, barrels are the lattice of eight strands with a shear of eight residues (McLachlan 1979), and
//! connections of parallel strands are right-handed. The loops' torsions are nobody's: their atoms are for drawing.

mod backbone;
mod layout;

use super::{Chain, Point, Polymer, Residue, Secondary, Structure, residues::three_letters};
use crate::seeded::mix;
use backbone::join;

/// A class of folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Two to six helices side by side.
    Bundle(u8),
    /// Three to seven strands, each antiparallel to the one before.
    Meander(u8),
    /// Two sheets of antiparallel strands face to face.
    Sandwich,
    /// Eight antiparallel strands around a barrel.
    Barrel,
    /// Six parallel strands in the order 321456, helices on both sides.
    Rossmann,
    /// Eight parallel strands around a barrel, eight helices around these.
    TimBarrel,
    /// Four antiparallel strands in the order 4132, two helices on one side.
    Ferredoxin,
    /// No helix and no strand.
    Disordered,
}

impl Fold {
    /// Every class, with every number of helices and strands.
    pub fn all() -> Vec<Self> {
        let others = [
            Self::Sandwich,
            Self::Barrel,
            Self::Rossmann,
            Self::TimBarrel,
            Self::Ferredoxin,
            Self::Disordered,
        ];
        (2..=6).map(Self::Bundle).chain((3..=7).map(Self::Meander)).chain(others).collect()
    }

    /// The name that a sentence can use: "Four-helix bundle protein".
    pub fn name(self) -> String {
        const NUMBERS: [&str; 8] = ["Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven"];
        let number = |n: u8| NUMBERS.get(usize::from(n)).copied().unwrap_or("Many");
        match self {
            Self::Bundle(n) => format!("{}-helix bundle protein", number(n)),
            Self::Meander(n) => format!("{}-stranded beta-meander protein", number(n)),
            Self::Sandwich => "Beta-sandwich protein".to_owned(),
            Self::Barrel => "Beta-barrel protein".to_owned(),
            Self::Rossmann => "Rossmann-fold protein".to_owned(),
            Self::TimBarrel => "TIM-barrel protein".to_owned(),
            Self::Ferredoxin => "Ferredoxin-like protein".to_owned(),
            Self::Disordered => "Disordered protein".to_owned(),
        }
    }
}

/// Numbers that are functions of a seed and what they are for.
pub(super) struct Draw(u64);

impl Draw {
    /// A number from 0 to 1.
    fn share(&self, what: &str) -> f64 {
        (mix(self.0, what) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from `least` to `most`.
    fn real(&self, what: &str, least: f64, most: f64) -> f64 {
        least + (most - least) * self.share(what)
    }

    /// A whole number from `least` to `most`, both included.
    fn whole(&self, what: &str, least: usize, most: usize) -> usize {
        least + (self.share(what) * (most - least + 1) as f64) as usize
    }
}

/// A fold drawn from a seed: one chain, whose secondary structure is what was built. The first and the last residue of
/// each helix and strand lack a partner, and are counted as coil.
pub fn build(fold: Fold, seed: u64) -> Structure {
    let draw = Draw(mix(seed, &fold.name()));
    let pieces = layout::pieces(fold, &draw);
    let placed = join(&pieces, &draw);
    let residues = placed
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let letter = letter(one.secondary, &draw, place);
            let [n, ca, c, o] = one.atoms;
            let side = (letter != 'G').then(|| narrow(backbone::beta(n, ca, c)));
            Residue {
                name: three_letters(letter).unwrap_or("ALA").to_owned(),
                number: place as i32 + 1,
                insertion: None,
                polymer: Polymer::Protein,
                n: Some(narrow(n)),
                trace: Some(narrow(ca)),
                c: Some(narrow(c)),
                o: Some(narrow(o)),
                side,
                b_factor: 20.0,
                secondary: one.secondary,
                joined: place > 0,
            }
        })
        .collect();
    let chains = vec![Chain { id: "A".to_owned(), residues }];
    Structure { id: format!("LAB-{seed}"), title: Some(fold.name()), predicted: false, models: 1, chains }
}

fn narrow(p: [f64; 3]) -> Point {
    // As many decimals as a PDB file has, so that what is written is what is read.
    p.map(|v| ((v * 1000.0).round() / 1000.0) as f32)
}

/// Residues that like to be where they are; proline, which gives no hydrogen bond, in loops only.
fn letter(secondary: Secondary, draw: &Draw, place: usize) -> char {
    let letters: &[u8] = match secondary {
        Secondary::Helix => b"AAELKQRMLEAKIH",
        Secondary::Strand => b"VITYFWVTIQRVLC",
        Secondary::Coil => b"GNSDTGKSEPQNAS",
    };
    char::from(letters[draw.whole(&format!("letter {place}"), 0, letters.len() - 1)])
}

#[cfg(test)]
mod tests;
