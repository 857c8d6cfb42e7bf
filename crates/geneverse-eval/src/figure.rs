//! Figures that can be published: as SVG, as PNG, and their data beside them as CSV.
//!
//! A plot ([`scatter`], [`terms`], [`lines`], [`bars`], [`table`]) is a function from numbers to a [`Figure`], which is a list of
//! things with places ([`scene`]) and a table. Both pictures are made of the same list: SVG keeps text as text, and pixels
//! are made here too, with outlines of a font whose widths are Arial's, so that nothing is asked of the system and the same
//! input gives the same bytes everywhere. Whatever a colour says is said by a form, a hatching, a dash or a word too.

pub mod axis;
pub mod bars;
pub mod csv;
pub mod font;
pub mod legend;
pub mod lines;
pub mod palette;
mod png;
mod raster;
pub mod scatter;
pub mod scene;
mod svg;
pub mod table;
pub mod terms;

use std::io::Write;
use std::path::{Path, PathBuf};

use geneverse_data::stage::{FileError, atomic_write};

pub use scene::Scene;
pub use svg::VECTOR_POINTS;

/// Pixels of a PNG to a CSS pixel: 288 to the inch.
const DOTS: f64 = 3.0;

/// A picture and the numbers in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The picture.
    pub scene: Scene,
    /// The numbers, as CSV with a header.
    pub data: String,
}

impl Figure {
    /// The picture as SVG.
    pub fn svg(&self) -> std::io::Result<String> {
        svg::render(&self.scene)
    }

    /// The picture as PNG, at 288 pixels to the inch.
    pub fn png(&self) -> std::io::Result<Vec<u8>> {
        let mut canvas = raster::Canvas::new(self.scene.width, self.scene.height, DOTS, Some(palette::WHITE));
        canvas.draw(&self.scene);
        png::encode(&canvas, false, DOTS)
    }

    /// Writes `NAME.svg`, `NAME.png` and `NAME.csv` into a folder, and says where.
    pub fn write(&self, folder: &Path, name: &str) -> Result<[PathBuf; 3], FileError> {
        let paths = ["svg", "png", "csv"].map(|ending| folder.join(format!("{name}.{ending}")));
        let [svg, png, csv] = &paths;
        atomic_write(svg, |out| out.write_all(self.svg()?.as_bytes()))?;
        atomic_write(png, |out| out.write_all(&self.png()?))?;
        atomic_write(csv, |out| out.write_all(self.data.as_bytes()))?;
        Ok(paths)
    }
}

/// Type size of a figure's title.
const HEADING_SIZE: f64 = 15.0;

/// The title, over the width of the picture in at most two lines; the height that it takes.
fn heading(scene: &mut Scene, left: f64, title: &str) -> f64 {
    let lines = font::wrap(title, HEADING_SIZE, true, scene.width - left - 16.0, 2);
    for (at, line) in lines.iter().enumerate() {
        scene.text(scene::Text::new((left, 26.0 + 19.0 * at as f64), line, HEADING_SIZE).bold());
    }
    if title.is_empty() { 10.0 } else { 20.0 + 19.0 * lines.len() as f64 }
}

#[cfg(test)]
mod tests;
