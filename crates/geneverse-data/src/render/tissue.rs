//! The picture of the marker task: every cell of a tissue at its place, coloured by a gene's expression, and the cells of
//! one type.
//!
//! - A cell is a disc. Its radius follows from how close the cells lie, so that neighbours touch and do not cover each
//!   other; sections of other sizes and densities look alike.
//! - Expression is shown as log(1 + x), from 0 to the 99th percentile among the cells that have the gene, in the colours
//!   in orange for cells of the type and blue for others, which the colour-blind tell apart; in panels and under rings in those
//!   of *viridis* (Smith and van der Walt 2015, CC0). Lightness changes evenly. Cells with more of it are drawn later, so that nothing covers them.
//! - The picture is square, as vision models take it. The section keeps its proportions; two panels lie beside each other
//!   or one above the other, whichever leaves them larger.
//!
//! The same cells give the same bytes, whatever the number of threads: each piece of the picture is drawn by one thread, in
//! the order of the cells.

mod colours;
mod discs;
pub mod legend;
pub mod series;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::colours::{Ground, scale};
use self::discs::{Disc, paint};
use crate::picture::{Channels, Picture};
use crate::tissue::Tissue;

/// How the gene and the cell type are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Two panels: the gene's expression, and the cells of the type among all.
    Panels,
    /// One panel: the gene's expression, and a ring around each cell of the type. Rings need cells of a few pixels: at 336
    /// pixels up to some 5,000 cells, beyond that they run into each other.
    Outline,
    /// One panel: the cells of the type in warm colours and the others in cold ones, the stronger the more of the gene they
    /// have. It needs neither rings nor a look from one panel to the other, so that it is read from small pictures too, by people and by models.
    #[default]
    Hues,
}

/// What a picture looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Pixels of a side.
    pub size: usize,
    /// How the gene and the cell type are shown.
    pub layout: Layout,
    /// Light cells on black rather than dark ones on white.
    pub dark: bool,
}

impl Default for Settings {
    /// 336 pixels, which is what CLIP and LLaVA see.
    fn default() -> Self {
        Self { size: 336, layout: Layout::default(), dark: false }
    }
}

/// The picture of one gene, by its place in `expression.genes`, and one cell type, by its place in `cell_types`.
///
/// Who draws several pictures of one tissue makes a [`Canvas`] once.
pub fn draw(tissue: &Tissue, gene: usize, cell_type: usize, settings: &Settings) -> Picture {
    Canvas::new(tissue, settings).draw(tissue, gene, cell_type)
}

/// What all pictures of a tissue have in common: where its cells lie in the picture, and how large they are.
pub struct Canvas {
    settings: Settings,
    ground: Ground,
    /// The first panel's cells in pixels; NaN where a cell has no place.
    places: Vec<[f32; 2]>,
    /// From the first panel to the second; none with one panel.
    second: Option<[f32; 2]>,
    radius: f32,
    /// All cells in the colour of those that have nothing to show.
    bare: Picture,
}

/// Free pixels around a panel, as a share of the picture's side.
const MARGIN: f32 = 0.02;
/// Radius of a cell as a share of the distance between neighbours: a little less than touching.
const FILLED: f32 = 0.47;
/// The smallest radius in pixels. Below that cells fade into the ground instead of lying side by side.
const SMALLEST: f32 = 0.6;
/// The largest radius, as a share of a panel's side: a few cells are still points in a place.
const LARGEST: f32 = 0.03;
/// Where a ring begins and ends, in radii of a cell.
const RING: (f32, f32) = (0.75, 1.3);
/// The share of cells with the gene that lie below the top of the colour scale.
const TOP: f64 = 0.99;

impl Canvas {
    /// Places the cells of a tissue.
    pub fn new(tissue: &Tissue, settings: &Settings) -> Self {
        let settings = Settings { size: settings.size.max(1), ..*settings };
        let Settings { size, layout, dark } = settings;
        let ground = if dark { Ground::DARK } else { Ground::LIGHT };
        let extent = Extent::of(&tissue.places);
        let side = size as f32;
        let margin = (MARGIN * side).max(1.0);
        let (panel, second) = match layout {
            Layout::Outline | Layout::Hues => ([side, side], None),
            Layout::Panels => {
                let half = (side / 2.0).floor();
                let beside = extent.scale_into([half, side], margin);
                let stacked = extent.scale_into([side, half], margin);
                if stacked > beside {
                    ([side, half], Some([0.0, side - half]))
                } else {
                    ([half, side], Some([side - half, 0.0]))
                }
            }
        };
        let scale = extent.scale_into(panel, margin);
        let largest = (LARGEST * panel[0].min(panel[1])).max(SMALLEST);
        let radius = (FILLED * spacing(&tissue.places, &extent) * scale).clamp(SMALLEST, largest);
        let centre = extent.centre();
        let places: Vec<[f32; 2]> = tissue
            .places
            .iter()
            .map(|place| [0, 1].map(|axis| (place[axis] - centre[axis]) * scale + panel[axis] / 2.0))
            .collect();

        let mut bare = Picture::filled(size, size, Channels::Rgb, ground.opaque());
        let nothing = if layout == Layout::Hues { ground.hue(false, None) } else { ground.bare };
        let discs: Vec<Disc> = places.iter().map(|at| Disc::at(*at, radius, nothing)).collect();
        paint(&mut bare, &discs);
        if let Some(second) = second {
            repeat(&mut bare, second);
            divide(&mut bare, second, ground.line);
        }
        Self { settings, ground, places, second, radius, bare }
    }

    /// The picture of a gene and a cell type of the tissue that the canvas was made for. A gene or type that the tissue
    /// has not shows no cell.
    pub fn draw(&self, tissue: &Tissue, gene: usize, cell_type: usize) -> Picture {
        let positives = self.positives(tissue, gene);
        let of_type = |cell: usize| tissue.types.get(cell).is_some_and(|&t| t as usize == cell_type);
        let mut discs: Vec<Disc> = Vec::with_capacity(positives.len());
        match (self.settings.layout, self.second) {
            (Layout::Panels, Some(shift)) => {
                discs.extend(
                    positives.iter().map(|(cell, level)| self.disc(*cell, self.ground.expression(*level))),
                );
                let cells = (0..self.places.len()).filter(|cell| of_type(*cell));
                discs.extend(cells.map(|cell| self.disc(cell, self.ground.chosen).moved(shift)));
            }
            (Layout::Hues, _) => {
                let chosen: Vec<bool> = (0..self.places.len()).map(of_type).collect();
                let hue = |cell: usize, level| self.ground.hue(chosen.get(cell) == Some(&true), level);
                let bare = (0..self.places.len()).filter(|cell| chosen[*cell]);
                discs.extend(bare.map(|cell| self.disc(cell, hue(cell, None))));
                discs.extend(positives.iter().map(|&(cell, level)| self.disc(cell, hue(cell, Some(level)))));
            }
            _ => {
                let mut levels = vec![self.ground.bare; self.places.len()];
                for &(cell, level) in &positives {
                    levels[cell] = self.ground.expression(level);
                    discs.push(self.disc(cell, levels[cell]));
                }
                // Rings lie above all cells, and in each the cell itself once more, so that a ring is never hidden.
                for (cell, colour) in levels.iter().enumerate().filter(|(cell, _)| of_type(*cell)) {
                    let ring = self.disc(cell, self.ground.chosen);
                    discs.push(Disc { radius: RING.1 * self.radius, ..ring });
                    discs.push(Disc { radius: RING.0 * self.radius, colour: *colour, ..ring });
                }
            }
        }
        let mut picture = self.bare.clone();
        paint(&mut picture, &discs);
        picture
    }

    /// Cells that have the gene, with its level on the scale, those with most of it last.
    fn positives(&self, tissue: &Tissue, gene: usize) -> Vec<(usize, f32)> {
        let cells = self.values(tissue, gene);
        let Some(top) = Self::top(&cells) else { return Vec::new() };
        let top = f64::from(top).ln_1p();
        cells.into_iter().map(|(value, cell)| (cell as usize, scale(value, top))).collect()
    }

    /// Cells that have the gene and how much of it, the least first.
    fn values(&self, tissue: &Tissue, gene: usize) -> Vec<(f32, u32)> {
        let known = self.places.len();
        let mut cells: Vec<(f32, u32)> = tissue
            .expression
            .gene(gene)
            .filter(|(cell, value)| *value > 0.0 && (*cell as usize) < known)
            .map(|(cell, value)| (value, cell))
            .collect();
        cells.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        cells
    }

    /// The value at the end of the colour scale, of those that [`Canvas::values`] gave.
    fn top(values: &[(f32, u32)]) -> Option<f32> {
        let top = (values.len() as f64 * TOP).ceil() as usize;
        values.get(top.saturating_sub(1)).map(|(value, _)| *value)
    }

    fn disc(&self, cell: usize, colour: [u8; 3]) -> Disc {
        Disc::at(self.places[cell], self.radius, colour)
    }
}

/// The smallest box around all places that are numbers.
struct Extent {
    low: [f32; 2],
    high: [f32; 2],
}

impl Extent {
    fn of(places: &[[f32; 2]]) -> Self {
        let mut extent = Self { low: [f32::INFINITY; 2], high: [f32::NEG_INFINITY; 2] };
        for place in places.iter().filter(|place| place.iter().all(|x| x.is_finite())) {
            for axis in [0, 1] {
                extent.low[axis] = extent.low[axis].min(place[axis]);
                extent.high[axis] = extent.high[axis].max(place[axis]);
            }
        }
        if extent.low[0] > extent.high[0] { Self { low: [0.0; 2], high: [0.0; 2] } } else { extent }
    }

    fn centre(&self) -> [f32; 2] {
        [0, 1].map(|axis| self.low[axis] / 2.0 + self.high[axis] / 2.0)
    }

    fn sides(&self) -> [f32; 2] {
        [0, 1].map(|axis| (self.high[axis] - self.low[axis]).max(f32::MIN_POSITIVE))
    }

    /// Pixels to a unit of length, so that all of it is within a panel.
    fn scale_into(&self, panel: [f32; 2], margin: f32) -> f32 {
        let [x, y] = [0, 1].map(|axis| (panel[axis] - 2.0 * margin).max(1.0) / self.sides()[axis]);
        x.min(y).min(f32::MAX)
    }
}

/// How far apart neighbours are: the root of the area to a cell, where cells are. The area is counted in squares that hold
/// four cells on average, so that holes of a section and the ground around it are left out.
fn spacing(places: &[[f32; 2]], extent: &Extent) -> f32 {
    let finite = || places.iter().filter(|place| place.iter().all(|x| x.is_finite()));
    let count = finite().count().max(1) as f32;
    let [width, height] = extent.sides();
    let longer = width.max(height);
    // Cells on a line, or in one place, have no area.
    let [width, height] = [width, height].map(|side| side.max(longer / count));
    let square = (width * height / count * 4.0).sqrt();
    if !square.is_normal() {
        return longer;
    }
    let columns = (width / square) as usize + 1;
    let rows = (height / square) as usize + 1;
    let mut filled = vec![false; columns * rows];
    for place in finite() {
        let column = ((place[0] - extent.low[0]) / square) as usize;
        let row = ((place[1] - extent.low[1]) / square) as usize;
        filled[row.min(rows - 1) * columns + column.min(columns - 1)] = true;
    }
    let filled = filled.iter().filter(|filled| **filled).count() as f32;
    (filled * square * square / count).sqrt()
}

/// Copies the first panel into the place of the second, which begins at whole pixels.
fn repeat(picture: &mut Picture, second: [f32; 2]) {
    let [right, down] = second.map(|pixels| pixels as usize);
    let row = picture.width * 3;
    let size = picture.height;
    for y in 0..size - down {
        let (from, to) = (y * row, (y + down) * row + right * 3);
        picture.bytes.copy_within(from..from + row - right * 3, to);
    }
}

/// A line between two panels.
fn divide(picture: &mut Picture, second: [f32; 2], colour: [u8; 3]) {
    let upright = second[0] > 0.0;
    let at = if upright { second[0] } else { second[1] } as usize;
    for along in 0..picture.width {
        let (x, y) = if upright { (at, along) } else { (along, at) };
        let pixel = (y.min(picture.height - 1) * picture.width + x.min(picture.width - 1)) * 3;
        picture.bytes[pixel..pixel + 3].copy_from_slice(&colour);
    }
}
