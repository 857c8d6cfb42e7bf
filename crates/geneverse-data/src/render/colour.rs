//! What colour a residue has.

use serde::Serialize;

use crate::render::cartoon::Shape;
use crate::render::mesh::Colour;
use crate::structure::Structure;

/// What colours tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Colouring {
    /// Helix, strand, coil.
    #[default]
    Secondary,
    /// Confidence of a prediction, in the four colours of the AlphaFold database.
    Plddt,
    /// Place in the chain, from blue at the N-terminus to red at the C-terminus.
    Rainbow,
    /// The chain.
    Chain,
}

/// Helix, strand, coil, nucleic acid: apart for the colour-blind too (after Okabe and Ito, 2008).
const SECONDARY: [u32; 4] = [0xD55E00, 0xE6B800, 0x8FA6B2, 0x0072B2];

/// From which pLDDT on a colour is meant: very high, confident, low, very low (<https://alphafold.ebi.ac.uk/>).
pub const PLDDT: [(f32, u32); 4] =
    [(90.0, 0x0053D6), (70.0, 0x65CBF3), (50.0, 0xFFDB13), (f32::NEG_INFINITY, 0xFF7D45)];

/// Chains in turn (Okabe and Ito, 2008, without black; then their lighter or darker relatives).
const CHAINS: [u32; 12] = [
    0x0072B2, 0xE69F00, 0x009E73, 0xCC79A7, 0x56B4E9, 0xD55E00, 0xF0E442, 0x7F7F7F, 0x004C78, 0xA65E00,
    0x66CDAA, 0x8E4585,
];

/// A rainbow whose steps are seen as alike and whose brightness does not jump: blue, cyan, green, yellow, red.
const RAINBOW: [u32; 7] = [0x2B4FC7, 0x2391E0, 0x1FB7B0, 0x4DBB53, 0xC7C62B, 0xF08A24, 0xD7301F];

fn rgb(hex: u32) -> Colour {
    [hex >> 16, hex >> 8, hex].map(|byte| (byte & 0xff) as f32 / 255.0)
}

impl Colouring {
    /// The colour of every residue of `structure`, counted through all chains; of secondary structure a shape tells,
    /// see [`of_shape`].
    pub(crate) fn residues(self, structure: &Structure) -> Vec<Colour> {
        let mut colours = Vec::new();
        for (number, chain) in structure.chains.iter().enumerate() {
            let last = chain.residues.len().saturating_sub(1).max(1) as f32;
            colours.extend(chain.residues.iter().enumerate().map(|(i, residue)| match self {
                Self::Secondary => rgb(SECONDARY[2]),
                Self::Plddt => plddt(residue.b_factor),
                Self::Rainbow => rainbow(i as f32 / last),
                Self::Chain => rgb(CHAINS[number % CHAINS.len()]),
            }));
        }
        colours
    }
}

/// The colour of a kind of secondary structure.
pub(crate) fn of_shape(shape: Shape) -> Colour {
    rgb(match shape {
        Shape::Helix => SECONDARY[0],
        Shape::Strand => SECONDARY[1],
        Shape::Coil => SECONDARY[2],
        Shape::Nucleic => SECONDARY[3],
    })
}

/// What is not a number is as good as no confidence.
fn plddt(value: f32) -> Colour {
    let [.., (_, lowest)] = PLDDT;
    rgb(PLDDT.into_iter().find(|(from, _)| value >= *from).map_or(lowest, |(_, colour)| colour))
}

fn rainbow(share: f32) -> Colour {
    let place = share.clamp(0.0, 1.0) * (RAINBOW.len() - 1) as f32;
    let below = (place as usize).min(RAINBOW.len() - 2);
    crate::render::vector::mix(rgb(RAINBOW[below]), rgb(RAINBOW[below + 1]), place - below as f32)
}
