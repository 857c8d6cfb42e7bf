//! What a legend has to say of a picture: which colour stands for how much, and what marks the cell type.
//!
//! It is drawn elsewhere, where there are letters; pictures that a model is trained on stay free of text.

use super::colours::scale;
use super::{Canvas, Ground, Layout};
use crate::picture::Picture;
use crate::tissue::Tissue;

/// Puts a legend to a picture.
pub type AddLegend = fn(Picture, &Legend) -> Picture;

/// The scale and the marks of one picture.
#[derive(Debug, Clone)]
pub struct Legend {
    /// The gene, as the tissue's files write it.
    pub gene: String,
    /// The cell type.
    pub cell_type: String,
    /// How gene and type are shown.
    pub layout: Layout,
    /// Whether the gene's values are whole numbers: counts, rather than something reckoned from them.
    pub counts: bool,
    /// The value that the last colour stands for; none where no cell has the gene.
    pub top: Option<f32>,
    /// Whether a cell has more than that.
    pub beyond: bool,
    /// Cells that are drawn.
    pub cells: usize,
    /// Cells that have the gene.
    pub cells_with_gene: usize,
    /// Cells of the type.
    pub cells_of_type: usize,
    ground: Ground,
}

/// The level at which a hue is told best.
const KNOWN_BY: f32 = 0.6;

impl Legend {
    /// The colours of a value above zero: one, or that of the type's cells and that of others.
    pub fn colours(&self, value: f32) -> Vec<[u8; 3]> {
        let level = scale(value, f64::from(self.top.unwrap_or_default()).ln_1p());
        self.shown(Some(level))
    }

    /// The colours of cells without the gene: one, or that of the type's cells and that of others.
    pub fn bare(&self) -> Vec<[u8; 3]> {
        self.shown(None)
    }

    fn shown(&self, level: Option<f32>) -> Vec<[u8; 3]> {
        match (self.layout, level) {
            (Layout::Hues, level) => [true, false].map(|of_type| self.ground.hue(of_type, level)).to_vec(),
            (_, Some(level)) => vec![self.ground.expression(level)],
            (_, None) => vec![self.ground.bare],
        }
    }

    /// The colour that the cell type is known by.
    pub fn chosen(&self) -> [u8; 3] {
        match self.layout {
            Layout::Hues => self.ground.hue(true, Some(KNOWN_BY)),
            _ => self.ground.chosen,
        }
    }

    /// The colour that cells of other types are known by.
    pub fn others(&self) -> [u8; 3] {
        match self.layout {
            Layout::Hues => self.ground.hue(false, Some(KNOWN_BY)),
            _ => self.ground.bare,
        }
    }

    /// The colour where no cell is.
    pub fn ground(&self) -> [u8; 3] {
        self.ground.ground
    }

    /// The colour of the line between two panels.
    pub fn line(&self) -> [u8; 3] {
        self.ground.line
    }
}

impl Canvas {
    /// What a legend has to say of the picture of a gene and a cell type.
    pub fn legend(&self, tissue: &Tissue, gene: usize, cell_type: usize) -> Legend {
        let drawn =
            |cell: usize| self.places.get(cell).is_some_and(|place| place.iter().all(|x| x.is_finite()));
        let values = self.values(tissue, gene);
        let top = Self::top(&values);
        Legend {
            gene: tissue.expression.genes.get(gene).cloned().unwrap_or_default(),
            cell_type: tissue.cell_types.get(cell_type).cloned().unwrap_or_default(),
            layout: self.settings.layout,
            counts: values.iter().all(|(value, _)| value.fract() == 0.0),
            top,
            beyond: top.is_some_and(|top| values.last().is_some_and(|(value, _)| *value > top)),
            cells: (0..self.places.len()).filter(|cell| drawn(*cell)).count(),
            cells_with_gene: values.iter().filter(|(_, cell)| drawn(*cell as usize)).count(),
            cells_of_type: (0..tissue.types.len())
                .filter(|cell| drawn(*cell) && tissue.types[*cell] as usize == cell_type)
                .count(),
            ground: self.ground,
        }
    }
}
