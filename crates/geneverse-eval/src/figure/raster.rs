//! A scene as pixels: polygons by exact coverage, strokes as polygons, letters from their outlines.
//!
//! Coverage is accumulated along each row as signed area (as in Levien's font-rs), so that edges are smooth, and overlapping
//! parts of one thing count once. Only additions, multiplications and square roots: the same bytes on every machine.

use super::font::{self, Point};
use super::palette::{Colour, WHITE};
use super::scene::{Anchor, Item, MarkStyle, Scene, Text, disc, mark_outline};

/// Pixels, four bytes each: red, green, blue (times coverage) and coverage.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<[u8; 4]>,
    scale: f64,
    coverage: Vec<f32>,
}

impl Canvas {
    /// A canvas of a size in CSS pixels with `scale` dots to each; `paper` or nothing beneath.
    pub(super) fn new(width: f64, height: f64, scale: f64, paper: Option<Colour>) -> Self {
        let dots = |length: f64| ((length * scale).ceil() as usize).max(1);
        let (width, height) = (dots(width), dots(height));
        let pixel = paper.map_or([0; 4], |colour| [colour.0, colour.1, colour.2, 255]);
        Self { width, height, pixels: vec![pixel; width * height], scale, coverage: Vec::new() }
    }

    /// Draws all of a scene.
    pub(super) fn draw(&mut self, scene: &Scene) {
        for item in &scene.items {
            match item {
                Item::Area { points, colour, opacity } => {
                    self.fill(std::slice::from_ref(points), *colour, *opacity)
                }
                Item::Line { points, colour, width, dashes, opacity } => {
                    let contours: Vec<Vec<Point>> =
                        cut(points, dashes).iter().flat_map(|part| stroke(part, *width)).collect();
                    self.fill(&contours, *colour, *opacity);
                }
                Item::Marks { places, styles } => self.marks(places, styles, (0.0, 0.0)),
                Item::Text(text) => self.text(text),
            }
        }
    }

    /// Points; `corner` is the place of the canvas in the scene.
    pub(super) fn marks(&mut self, places: &[(Point, usize)], styles: &[MarkStyle], corner: Point) {
        for ((x, y), style) in places {
            let Some(MarkStyle { shape, colour, radius, opacity, edge }) = styles.get(*style).copied() else {
                continue;
            };
            let at = (x - corner.0, y - corner.1);
            if let Some(edge) = edge {
                self.fill(&[mark_outline(shape, at, radius + 0.6)], edge, opacity);
            }
            self.fill(&[mark_outline(shape, at, radius)], colour, opacity);
        }
    }

    fn text(&mut self, text: &Text) {
        let Text { at: (x, y), text: words, size, bold, anchor, colour, turned, halo } = text;
        let before = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => text.width() / 2.0,
            Anchor::End => text.width(),
        };
        let mut contours = font::outline(words, *size, *bold);
        for point in contours.iter_mut().flatten() {
            let along = (point.0 - before, point.1);
            *point = if *turned { (x + along.1, y - along.0) } else { (x + along.0, y + along.1) };
        }
        if *halo {
            let closed = contours.iter().map(|contour| {
                let mut line = contour.clone();
                line.extend(contour.first());
                line
            });
            let seam: Vec<Vec<Point>> = closed.flat_map(|line| stroke(&line, 3.2)).collect();
            self.fill(&seam, WHITE, 0.9);
        }
        self.fill(&contours, *colour, 1.0);
    }

    /// Fills what the contours enclose together.
    fn fill(&mut self, contours: &[Vec<Point>], colour: Colour, opacity: f64) {
        let scale = self.scale;
        let (mut left, mut top, mut right, mut bottom) =
            (f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
        for (x, y) in contours.iter().flatten() {
            (left, right) = (left.min(x * scale), right.max(x * scale));
            (top, bottom) = (top.min(y * scale), bottom.max(y * scale));
        }
        let within = |place: f64, most: usize| place.clamp(0.0, most as f64) as usize;
        let (x0, x1) = (within(left.floor(), self.width), within(right.ceil(), self.width));
        let (y0, y1) = (within(top.floor(), self.height), within(bottom.ceil(), self.height));
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let (columns, rows) = (x1 - x0, y1 - y0);
        let stride = columns + 2;
        self.coverage.clear();
        self.coverage.resize(stride * rows, 0.0);
        let mut patch = Patch { coverage: &mut self.coverage, stride, columns, rows };
        for contour in contours {
            let place = |(x, y): &Point| ((x * scale - x0 as f64) as f32, (y * scale - y0 as f64) as f32);
            let ends = contour.iter().skip(1).chain(contour.first());
            for (from, to) in contour.iter().zip(ends) {
                patch.line(place(from), place(to));
            }
        }
        let opacity = opacity.clamp(0.0, 1.0) as f32;
        for row in 0..rows {
            let mut sum = 0.0_f32;
            let coverage = &self.coverage[row * stride..row * stride + columns];
            let start = (y0 + row) * self.width + x0;
            for (pixel, part) in self.pixels[start..start + columns].iter_mut().zip(coverage) {
                sum += part;
                let covered = sum.abs().min(1.0) * opacity;
                if covered > 0.002 {
                    let over = |below: u8, above: u8| {
                        (f32::from(below) * (1.0 - covered) + f32::from(above) * covered + 0.5) as u8
                    };
                    let [red, green, blue, alpha] = *pixel;
                    *pixel =
                        [over(red, colour.0), over(green, colour.1), over(blue, colour.2), over(alpha, 255)];
                }
            }
        }
    }
}

/// The part of a canvas that a thing is in, as signed differences of coverage along each row.
struct Patch<'a> {
    coverage: &'a mut [f32],
    stride: usize,
    columns: usize,
    rows: usize,
}

impl Patch<'_> {
    fn line(&mut self, from: (f32, f32), to: (f32, f32)) {
        if from.1 == to.1 {
            return;
        }
        let (sign, from, to) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        let slope = (to.0 - from.0) / (to.1 - from.1);
        let mut x = if from.1 < 0.0 { from.0 - from.1 * slope } else { from.0 };
        let most = self.columns as f32;
        let last = (to.1.ceil().max(0.0) as usize).min(self.rows);
        for row in (from.1.max(0.0) as usize)..last {
            let height = ((row + 1) as f32).min(to.1) - (row as f32).max(from.1);
            let next = x + slope * height;
            let part = height * sign;
            // What lies to the left of the box covers all of the row, what lies to the right nothing.
            let (low, high) = (x.min(next).clamp(0.0, most), x.max(next).clamp(0.0, most));
            let cells = &mut self.coverage[row * self.stride..(row + 1) * self.stride];
            let (first, end) = (low.floor(), high.ceil());
            let (first_cell, end_cell) = (first as usize, end as usize);
            if end_cell <= first_cell + 1 {
                let middle = 0.5 * (low + high) - first;
                cells[first_cell] += part - part * middle;
                cells[first_cell + 1] += part * middle;
            } else {
                let per = 1.0 / (high - low);
                let into = low - first;
                let begin = 0.5 * per * (1.0 - into) * (1.0 - into);
                let beyond = high - end + 1.0;
                let finish = 0.5 * per * beyond * beyond;
                cells[first_cell] += part * begin;
                if end_cell == first_cell + 2 {
                    cells[first_cell + 1] += part * (1.0 - begin - finish);
                } else {
                    let second = per * (1.5 - into);
                    cells[first_cell + 1] += part * (second - begin);
                    for cell in &mut cells[first_cell + 2..end_cell - 1] {
                        *cell += part * per;
                    }
                    let before = second + (end_cell - first_cell - 3) as f32 * per;
                    cells[end_cell - 1] += part * (1.0 - before - finish);
                }
                cells[end_cell] += part * finish;
            }
            x = next;
        }
    }
}

/// A line as polygons: a piece for each of its parts and a disc at each of its corners, all turned the same way.
fn stroke(points: &[Point], width: f64) -> Vec<Vec<Point>> {
    let half = width / 2.0;
    let mut pieces = Vec::new();
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        let (along, across) = (x1 - x0, y1 - y0);
        let length = (along * along + across * across).sqrt();
        if length > 1e-9 {
            let (a, b) = (-across / length * half, along / length * half);
            pieces.push(vec![(x0 - a, y0 - b), (x1 - a, y1 - b), (x1 + a, y1 + b), (x0 + a, y0 + b)]);
        }
    }
    if width > 1.2 && points.len() > 2 {
        pieces.extend(points[1..points.len() - 1].iter().map(|point| disc(*point, half)));
    }
    pieces
}

/// The parts of a line that dashes leave; the whole where there are none.
fn cut(points: &[Point], dashes: &[f64]) -> Vec<Vec<Point>> {
    if dashes.iter().sum::<f64>() <= 0.0 {
        return vec![points.to_vec()];
    }
    let mut parts = Vec::new();
    let (mut at, mut left) = (0, dashes[0]);
    let mut part: Vec<Point> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let (along, across) = (to.0 - from.0, to.1 - from.1);
            let length = (along * along + across * across).sqrt();
            if length <= left {
                left -= length;
                if at % 2 == 0 {
                    part.push(to);
                }
                break;
            }
            let share = left / length;
            from = (from.0 + along * share, from.1 + across * share);
            if at % 2 == 0 {
                part.push(from);
                parts.push(std::mem::take(&mut part));
            } else {
                part = vec![from];
            }
            at += 1;
            left = dashes[at % dashes.len()].max(0.1);
        }
    }
    if at % 2 == 0 && part.len() > 1 {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::palette::{INK, Shape};

    #[test]
    fn coverage_is_exact() {
        let mut canvas = Canvas::new(4.0, 4.0, 1.0, Some(WHITE));
        canvas.fill(&[vec![(0.5, 1.0), (2.0, 1.0), (2.0, 3.0), (0.5, 3.0)]], Colour(0, 0, 0), 1.0);
        let greys: Vec<u8> = canvas.pixels.iter().map(|pixel| pixel[0]).collect();
        let row = [128, 0, 255, 255];
        assert_eq!(greys, [[255; 4], row, row, [255; 4]].concat());
        // Half a square: half of each pixel on the diagonal.
        let mut canvas = Canvas::new(2.0, 2.0, 1.0, Some(WHITE));
        canvas.fill(&[vec![(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)]], Colour(0, 0, 0), 1.0);
        assert_eq!(canvas.pixels.iter().map(|pixel| pixel[0]).collect::<Vec<_>>(), [0, 128, 128, 255]);
    }

    #[test]
    fn every_mark_covers_about_the_same_and_holes_stay_open() {
        for shape in Shape::ALL {
            let mut canvas = Canvas::new(40.0, 40.0, 1.0, None);
            canvas.fill(&[mark_outline(shape, (20.0, 20.0), 10.0)], INK, 1.0);
            let area: f64 = canvas.pixels.iter().map(|pixel| f64::from(pixel[3]) / 255.0).sum();
            assert!((area - 295.0).abs() < 30.0, "{shape:?}: {area}");
        }
        let mut canvas = Canvas::new(20.0, 20.0, 1.0, Some(WHITE));
        canvas.text(&Text::new((2.0, 18.0), "O", 20.0));
        assert_eq!(canvas.pixels[11 * 20 + 10], [255; 4], "the middle of an O");
        assert!(canvas.pixels.iter().any(|pixel| pixel[0] < 60));
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(4.0, 3.0, 1.0, Some(WHITE));
        canvas.fill(&[vec![(-9.0, -9.0), (9.0, -9.0), (9.0, 9.0), (-9.0, 9.0)]], Colour(0, 0, 0), 1.0);
        assert!(canvas.pixels.iter().all(|pixel| pixel[0] == 0));
        canvas.fill(&[vec![(5.0, 5.0), (6.0, 5.0), (6.0, 6.0)], vec![]], WHITE, 1.0);
        assert!(canvas.pixels.iter().all(|pixel| pixel[0] == 0));
    }

    #[test]
    fn dashes_cut_a_line_where_they_should() {
        let parts = cut(&[(0.0, 0.0), (6.0, 0.0), (6.0, 6.0)], &[4.0, 3.0]);
        assert_eq!(parts, [vec![(0.0, 0.0), (4.0, 0.0)], vec![(6.0, 1.0), (6.0, 5.0)]]);
    }
}
