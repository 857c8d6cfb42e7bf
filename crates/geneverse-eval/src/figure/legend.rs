//! The legend of a tissue's picture, as a strip below it: under the left half the gene, its unit and its colours, under the
//! right half what marks the cell type.
//!
//! The picture itself stays as it is, to the byte: what a person reads with a legend is what a model is shown without one.

use geneverse_data::picture::Picture;
use geneverse_data::render::tissue::Layout;
use geneverse_data::render::tissue::legend::Legend;

use super::axis::{count, short};
use super::font;
use super::palette::{Colour, INK, Shape, WHITE};
use super::raster::Canvas;
use super::scene::{Anchor, MarkStyle, Scene, Text};

/// The picture's side at which lengths below are pixels; larger pictures have a larger legend, smaller ones the same.
const SIDE: f64 = 336.0;
/// Height of the strip.
const HEIGHT: f64 = 58.0;
/// Free space at the sides.
const MARGIN: f64 = 8.0;
/// Type size of names, and of all else.
const SIZES: (f64, f64) = (12.0, 10.0);
/// Base lines of the two lines of text.
const LINES: (f64, f64) = (18.0, 49.0);
/// Top and bottom of the bar.
const BAR: (f64, f64) = (25.0, 36.0);
/// Width of the patch for cells without the gene, and the gap to the bar.
const NONE: (f64, f64) = (13.0, 5.0);

/// The picture with its legend below.
pub fn below(mut picture: Picture, legend: &Legend) -> Picture {
    let scale = (picture.width as f64 / SIDE).max(1.0);
    let height = (HEIGHT * scale).round();
    let mut strip = Strip { scene: Scene::new(picture.width as f64, height, ""), scale, legend };
    strip.draw();
    let mut canvas = Canvas::new(picture.width as f64, height, 1.0, Some(colour(legend.ground())));
    canvas.draw(&strip.scene);
    for pixel in &canvas.pixels {
        picture.bytes.extend_from_slice(&pixel[..picture.channels.count()]);
    }
    picture.height += canvas.height;
    picture
}

fn colour([red, green, blue]: [u8; 3]) -> Colour {
    Colour(red, green, blue)
}

/// What is drawn, in lengths of a picture of [`SIDE`] pixels.
struct Strip<'a> {
    scene: Scene,
    scale: f64,
    legend: &'a Legend,
}

impl Strip<'_> {
    fn draw(&mut self) {
        let width = self.scene.width / self.scale;
        self.rectangle((0.0, 0.0, width, 1.0 / self.scale), colour(self.legend.line()));
        let half = (width / 2.0).floor();
        self.gene(MARGIN, half - MARGIN);
        self.cell_type(half + MARGIN, width - MARGIN);
    }

    /// The gene's name and unit, its colours, and which values they stand for.
    fn gene(&mut self, left: f64, right: f64) {
        let legend = self.legend;
        let unit = if legend.counts { "counts per cell" } else { "expression" };
        let shown = self.words(&legend.gene, (left, LINES.0), SIZES.0, true, right - left, Anchor::Start);
        self.words(
            unit,
            (left + shown + 5.0, LINES.0),
            SIZES.1,
            false,
            right - left - shown - 5.0,
            Anchor::Start,
        );
        let (top, bottom) = BAR;
        let bare = legend.bare();
        let high = (bottom - top) / bare.len() as f64;
        for (row, shade) in bare.into_iter().enumerate() {
            self.rectangle((left, top + row as f64 * high, NONE.0, high), colour(shade));
        }
        self.words("0", (left + NONE.0 / 2.0, LINES.1), SIZES.1, false, NONE.0, Anchor::Middle);
        let begin = left + NONE.0 + NONE.1;
        let length = right - begin;
        let Some(most) = legend.top.filter(|_| length > 0.0) else {
            self.words("in no cell", (begin, LINES.1), SIZES.1, false, length, Anchor::Start);
            return;
        };
        // The colours are evenly spaced in log(1 + x), so the bar is linear in that: a colour to a column of pixels.
        let whole = f64::from(most).ln_1p();
        let [first, end, above, below] = [begin, right, top, bottom].map(|at| (at * self.scale).round());
        let mut column = first;
        while column < end {
            let share = (column - first) / (end - first - 1.0).max(1.0);
            let shades = legend.colours((whole * share).exp_m1() as f32);
            let high = (below - above) / shades.len() as f64;
            for (row, shade) in shades.into_iter().enumerate() {
                self.scene.rectangle((column, above + row as f64 * high, 1.0, high), colour(shade));
            }
            column += 1.0;
        }
        let last = format!("{}{}", if legend.beyond { "≥" } else { "" }, number(most.into()));
        let mut free = right - self.words(&last, (right, LINES.1), SIZES.1, false, length, Anchor::End);
        self.tick(right);
        // Values that people count in, from the largest down, as far as there is room.
        let least = if legend.counts { 1.0 } else { 0.0 };
        for value in ticks(f64::from(most)).into_iter().rev().filter(|value| *value >= least) {
            let at = begin + length * value.ln_1p() / whole;
            let text = number(value);
            let wide = font::width(&text, SIZES.1, false);
            if at + wide / 2.0 + 4.0 > free || at - wide / 2.0 < begin - NONE.1 {
                continue;
            }
            self.words(&text, (at, LINES.1), SIZES.1, false, length, Anchor::Middle);
            self.tick(at);
            free = at - wide / 2.0;
        }
    }

    /// What marks the type, its name, and how many cells are of it.
    fn cell_type(&mut self, left: f64, right: f64) {
        let legend = self.legend;
        let (radius, at) = (5.0, (left + 5.0, LINES.0 - 4.5));
        let disc = |radius: f64, colour: Colour| MarkStyle {
            shape: Shape::Circle,
            colour,
            radius,
            opacity: 1.0,
            edge: None,
        };
        let scale = self.scale;
        let mut mark = |at: (f64, f64), style: MarkStyle| {
            let style = MarkStyle { radius: style.radius * scale, ..style };
            self.scene.mark((at.0 * scale, at.1 * scale), style);
        };
        mark(at, disc(radius, colour(legend.chosen())));
        match legend.layout {
            Layout::Outline => mark(at, disc(radius * 0.58, colour(legend.others()))),
            Layout::Panels | Layout::Hues => {
                mark((at.0, (BAR.0 + BAR.1) / 2.0 + 1.0), disc(radius, colour(legend.others())));
            }
        }
        let text = left + 2.0 * radius + 5.0;
        let room = right - text;
        self.words(&legend.cell_type, (text, LINES.0), SIZES.0, true, room, Anchor::Start);
        if legend.layout != Layout::Outline {
            let middle = (BAR.0 + BAR.1) / 2.0 + 4.5;
            self.words("other cells", (text, middle), SIZES.1, false, room, Anchor::Start);
        }
        let counts = format!("{} of {} cells", count(legend.cells_of_type), count(legend.cells));
        self.words(&counts, (text, LINES.1), SIZES.1, false, room, Anchor::Start);
    }

    /// Words, cut to the room there is; how wide they are.
    fn words(&mut self, text: &str, at: (f64, f64), size: f64, bold: bool, room: f64, anchor: Anchor) -> f64 {
        let shown = font::shorten(text, size, bold, room);
        let wide = font::width(&shown, size, bold);
        if wide > room {
            return 0.0;
        }
        let ground = colour(self.legend.ground());
        let ink = if ground.lightness() > 0.5 { INK } else { WHITE };
        let place = (at.0 * self.scale, at.1 * self.scale);
        let mut text = Text::new(place, shown, size * self.scale).anchor(anchor).colour(ink);
        text.bold = bold;
        self.scene.text(text);
        wide
    }

    /// A short line from the bar to its value.
    fn tick(&mut self, at: f64) {
        let (line, height) = (1.0 / self.scale, 3.0);
        self.rectangle((at - line, BAR.1, line, height), colour(self.legend.line()));
    }

    fn rectangle(&mut self, (left, top, width, height): (f64, f64, f64, f64), colour: Colour) {
        let place = [left, top, width, height].map(|length| length * self.scale);
        self.scene.rectangle((place[0], place[1], place[2], place[3]), colour);
    }
}

/// 1, 2, 5, 10 … and their tenths, below the top of a scale.
fn ticks(top: f64) -> Vec<f64> {
    let decades = (-3..=9).map(|power| 10_f64.powi(power));
    decades
        .flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * decade))
        .filter(|value| *value < top)
        .collect()
}

/// A value in as many digits as a person reads at a glance: whole numbers in full, others in two.
fn number(value: f64) -> String {
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    short(if value.fract() == 0.0 { value } else { (value / unit).round() * unit })
}

#[cfg(test)]
mod tests;
