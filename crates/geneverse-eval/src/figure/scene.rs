//! A picture as a list of things with places, which `svg.rs` writes as SVG and `raster.rs` as pixels.
//!
//! Lengths are CSS pixels (96 to the inch), y downwards. Plots make scenes; they know nothing of formats.

use super::font::{self, Point};
use super::palette::{Colour, Hatch, INK, Shape, WHITE};

/// Where a text stands, seen from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// A text on one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Where: on the base line.
    pub at: Point,
    /// What it says.
    pub text: String,
    /// Its type size.
    pub size: f64,
    /// Whether it is bold.
    pub bold: bool,
    /// Where it stands.
    pub anchor: Anchor,
    /// Its colour.
    pub colour: Colour,
    /// Turned by a quarter to the left, to be read from the right.
    pub turned: bool,
    /// With a white seam, so that it is read on points.
    pub halo: bool,
}

impl Text {
    /// Ink of this size that begins at a place.
    pub fn new(at: Point, text: impl Into<String>, size: f64) -> Self {
        let (bold, anchor, colour, turned, halo) = (false, Anchor::Start, INK, false, false);
        Self { at, text: text.into(), size, bold, anchor, colour, turned, halo }
    }

    /// In bold.
    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// Standing otherwise.
    pub fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    /// In a colour.
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// How wide it is.
    pub fn width(&self) -> f64 {
        font::width(&self.text, self.size, self.bold)
    }
}

/// How points look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkStyle {
    /// Their form.
    pub shape: Shape,
    /// Their colour.
    pub colour: Colour,
    /// Half their width.
    pub radius: f64,
    /// How much they cover: 1 is all.
    pub opacity: f64,
    /// The colour of a seam around them.
    pub edge: Option<Colour>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// Its colour.
        colour: Colour,
        /// How thick it is.
        width: f64,
        /// Lengths of stroke and gap; none for a line without gaps.
        dashes: &'static [f64],
        /// How much it covers.
        opacity: f64,
    },
    /// A polygon that is filled.
    Area {
        /// Its corners.
        points: Vec<Point>,
        /// Its colour.
        colour: Colour,
        /// How much it covers.
        opacity: f64,
    },
    /// Points, in the order in which they are drawn, each with the number of its style.
    Marks {
        /// Places and styles.
        places: Vec<(Point, usize)>,
        /// The styles.
        styles: Vec<MarkStyle>,
    },
    /// A text.
    Text(Text),
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// What is drawn, in this order.
    pub items: Vec<Item>,
}

impl Scene {
    /// An empty picture.
    pub fn new(width: f64, height: f64, title: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), items: Vec::new() }
    }

    /// A text.
    pub fn text(&mut self, text: Text) {
        self.items.push(Item::Text(text));
    }

    /// A line without gaps.
    pub fn line(&mut self, points: &[Point], colour: Colour, width: f64) {
        self.dashed(points, colour, width, &[]);
    }

    /// A line with gaps.
    pub fn dashed(&mut self, points: &[Point], colour: Colour, width: f64, dashes: &'static [f64]) {
        self.items.push(Item::Line { points: points.to_vec(), colour, width, dashes, opacity: 1.0 });
    }

    /// A polygon.
    pub fn area(&mut self, points: Vec<Point>, colour: Colour, opacity: f64) {
        self.items.push(Item::Area { points, colour, opacity });
    }

    /// A rectangle: left, top, width, height.
    pub fn rectangle(&mut self, (left, top, width, height): (f64, f64, f64, f64), colour: Colour) {
        let (right, bottom) = (left + width, top + height);
        self.area(vec![(left, top), (right, top), (right, bottom), (left, bottom)], colour, 1.0);
    }

    /// A rectangle with white lines across it and a thin edge: a bar that is told from others without colour.
    pub fn hatched(&mut self, place: (f64, f64, f64, f64), colour: Colour, hatch: Hatch) {
        self.rectangle(place, colour);
        for (from, to) in hatch_lines(place, hatch) {
            self.line(&[from, to], WHITE, 1.4);
        }
        let (left, top, width, height) = place;
        let corners = [
            (left, top),
            (left + width, top),
            (left + width, top + height),
            (left, top + height),
            (left, top),
        ];
        self.line(&corners, colour.mix(INK, 0.35), 0.8);
    }

    /// One point.
    pub fn mark(&mut self, at: Point, style: MarkStyle) {
        self.items.push(Item::Marks { places: vec![(at, 0)], styles: vec![style] });
    }
}

/// The lines of a hatching within a rectangle.
fn hatch_lines((left, top, width, height): (f64, f64, f64, f64), hatch: Hatch) -> Vec<(Point, Point)> {
    const GAP: f64 = 5.0;
    let (right, bottom) = (left + width, top + height);
    let steps = |from: f64, to: f64| {
        let count = ((to - from) / GAP).floor().max(0.0) as usize;
        (1..=count).map(move |at| from + GAP * at as f64).filter(move |place| *place < to - 0.5)
    };
    let rising = || {
        // x + y = c, from the upper left corner to the lower right.
        steps(0.0, width + height).map(move |c| {
            let lower = if c <= height { (left, top + c) } else { (left + c - height, bottom) };
            let upper = if c <= width { (left + c, top) } else { (right, top + c - width) };
            (lower, upper)
        })
    };
    let falling = || rising().map(move |(a, b)| ((left + right - a.0, a.1), (left + right - b.0, b.1)));
    match hatch {
        Hatch::Plain => Vec::new(),
        Hatch::Rising => rising().collect(),
        Hatch::Falling => falling().collect(),
        Hatch::Crossed => rising().chain(falling()).collect(),
        Hatch::Level => steps(top, bottom).map(|y| ((left, y), (right, y))).collect(),
        Hatch::Upright => steps(left, right).map(|x| ((x, top), (x, bottom))).collect(),
    }
}

/// The corners of a mark, and of a disc enough points to be round.
pub(super) fn mark_outline(shape: Shape, (x, y): Point, radius: f64) -> Vec<Point> {
    let scaled = |corners: &[Point]| corners.iter().map(|(a, b)| (x + a * radius, y + b * radius)).collect();
    match shape {
        Shape::Circle => disc((x, y), radius),
        // Sizes such that all forms cover about the same area.
        Shape::Square => scaled(&[(-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)]),
        Shape::Triangle => scaled(&[(0.0, -1.35), (1.28, 0.88), (-1.28, 0.88)]),
        Shape::Wedge => scaled(&[(-1.28, -0.88), (1.28, -0.88), (0.0, 1.35)]),
        Shape::Diamond => scaled(&[(0.0, -1.3), (1.15, 0.0), (0.0, 1.3), (-1.15, 0.0)]),
        Shape::Plus => {
            let (long, short) = (1.2, 0.36);
            scaled(&[
                (-short, -long),
                (short, -long),
                (short, -short),
                (long, -short),
                (long, short),
                (short, short),
                (short, long),
                (-short, long),
                (-short, short),
                (-long, short),
                (-long, -short),
                (-short, -short),
            ])
        }
    }
}

/// A polygon that looks like a disc, clockwise as seen.
pub(super) fn disc((x, y): Point, radius: f64) -> Vec<Point> {
    // A quarter as a cubic curve whose radius errs by 0.03 %: no sine, whose last digit differs between machines.
    const HANDLE: f64 = 0.552_284_749_8;
    let steps = if radius < 3.0 { 3 } else { 7 };
    let quarter: Vec<Point> = (0..steps)
        .map(|step| {
            let t = f64::from(step) / f64::from(steps);
            let s = 1.0 - t;
            let (a, b, c, d) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
            (a + b + c * HANDLE + d * 0.0, b * HANDLE + c + d)
        })
        .collect();
    let turn = |quarters: u32, (a, b): Point| match quarters {
        0 => (a, b),
        1 => (-b, a),
        2 => (-a, -b),
        _ => (b, -a),
    };
    (0..4)
        .flat_map(|quarters| quarter.iter().map(move |point| turn(quarters, *point)))
        .map(|(a, b)| (x + a * radius, y + b * radius))
        .collect()
}
