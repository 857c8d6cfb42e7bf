//! Cells of a tissue: where each lies, what type it is, how much of each gene it has.
//!
//! `sources/` reads Xenium folders, 10x matrices, AnnData and tables into it; `tissue/` simulates one and reads which genes
//! mark which type; `render/` draws it.

mod normalise;
pub mod simulate;
pub mod truth;

mod read;
#[cfg(test)]
mod tests;

pub use self::read::{FileReading, Inputs, read};

/// A tissue section, or part of one. All vectors about cells have the same length and order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tissue {
    /// The cells' identifiers as the file writes them.
    pub cells: Vec<String>,
    /// Centroids, µm where the file says so, else its own unit; y grows downwards, as in the microscope's pictures.
    pub places: Vec<[f32; 2]>,
    /// Index into `cell_types` of each cell; [`UNLABELLED`] where there is none.
    pub types: Vec<u32>,
    /// Names of cell types, in alphabetical order.
    pub cell_types: Vec<String>,
    /// Expression, a column for each gene.
    pub expression: Expression,
}

/// The type of a cell whose type is not known.
pub const UNLABELLED: u32 = u32::MAX;

/// Counts (or other values) of genes in cells, by gene: only what is not zero. Compressed sparse columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expression {
    /// Symbols, as the file writes them, in its order.
    pub genes: Vec<String>,
    /// Where each gene's entries begin; one longer than `genes`.
    pub starts: Vec<usize>,
    /// Cells, ascending within a gene.
    pub cells: Vec<u32>,
    /// Values beside `cells`.
    pub values: Vec<f32>,
}

impl Expression {
    /// Cells that have the gene at `index`, and how much of it.
    pub fn gene(&self, index: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        };
        self.cells[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// The place of a gene in `genes`, by its symbol as the file writes it.
    pub fn index(&self, symbol: &str) -> Option<usize> {
        self.genes.iter().position(|gene| gene == symbol)
    }
}
