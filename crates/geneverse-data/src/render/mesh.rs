//! Triangles with a normal and a colour at each corner, and the surfaces that a cartoon is made of: a section drawn
//! along a line, and the flat ends that close it.

use crate::render::trace::Sample;
use crate::render::vector::{add_scaled, cross, scale, unit};
use crate::structure::Point;

/// Red, green and blue, 0 to 1, sRGB.
pub type Colour = [f32; 3];

/// A surface. Seen from outside, a triangle's corners go counter-clockwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Corners.
    pub positions: Vec<Point>,
    /// Directions away from the surface, of length one.
    pub normals: Vec<Point>,
    /// What is seen there.
    pub colours: Vec<Colour>,
    /// Places in the lists above.
    pub triangles: Vec<[u32; 3]>,
}

/// A corner of a section: where it lies, across the ribbon and through it, and which way the surface looks there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corner {
    pub place: [f32; 2],
    pub normal: [f32; 2],
}

impl Mesh {
    /// Draws `section` along `line`. What `size` returns for a sample's place in the line is a factor on the section's
    /// width; colours come from `paint`.
    pub(crate) fn extrude(
        &mut self,
        line: &[Sample],
        section: &[Corner],
        size: impl Fn(usize) -> f32,
        paint: impl Fn(&Sample) -> Colour,
    ) {
        let sides = section.len() as u32;
        for (i, sample) in line.iter().enumerate() {
            let flat = cross(sample.tangent, sample.wide);
            let (width, colour) = (size(i), paint(sample));
            // Where a ribbon narrows, its edges look ahead by as much.
            let lean = match (line.get(i + 1), i.checked_sub(1)) {
                (Some(next), _) => (width - size(i + 1)) / distance(sample.position, next.position).max(1e-3),
                (None, Some(before)) => {
                    (size(before) - width) / distance(line[before].position, sample.position).max(1e-3)
                }
                (None, None) => 0.0,
            };
            let start = self.positions.len() as u32;
            for corner in section {
                let [across, through] = corner.place;
                let place = add_scaled(sample.position, sample.wide, across * width);
                self.positions.push(add_scaled(place, flat, through));
                let [n_across, n_through] = corner.normal;
                let normal = add_scaled(scale(sample.wide, n_across), flat, n_through);
                let normal = add_scaled(normal, sample.tangent, lean * across * n_across);
                self.normals.push(unit(normal).unwrap_or(flat));
                self.colours.push(colour);
            }
            if i > 0 {
                for side in 0..sides {
                    let next = (side + 1) % sides;
                    let [a, b, c, d] =
                        [start + side, start + next, start - sides + side, start - sides + next];
                    self.triangles.push([c, d, a]);
                    self.triangles.push([d, b, a]);
                }
            }
        }
    }

    /// Closes an end of a line with the flat section there; `ahead` tells a last end from a first.
    pub(crate) fn close(&mut self, end: &Sample, section: &[Corner], size: f32, ahead: bool, colour: Colour) {
        let flat = cross(end.tangent, end.wide);
        let normal = if ahead { end.tangent } else { scale(end.tangent, -1.0) };
        let start = self.positions.len() as u32;
        for corner in section {
            let place = add_scaled(end.position, end.wide, corner.place[0] * size);
            self.positions.push(add_scaled(place, flat, corner.place[1]));
            self.normals.push(normal);
            self.colours.push(colour);
        }
        for i in 1..section.len() as u32 - 1 {
            let (b, c) = (start + i, start + i + 1);
            self.triangles.push(if ahead { [start, b, c] } else { [start, c, b] });
        }
    }

    /// A ball of `rings` times twice as many sides.
    pub(crate) fn ball(&mut self, centre: Point, radius: f32, rings: u32, colour: Colour) {
        let sides = 2 * rings;
        let start = self.positions.len() as u32;
        for ring in 0..=rings {
            let (across, up) = (std::f32::consts::PI * ring as f32 / rings as f32).sin_cos();
            for side in 0..sides {
                let (y, x) = (std::f32::consts::TAU * side as f32 / sides as f32).sin_cos();
                let normal = [x * across, y * across, up];
                self.positions.push(add_scaled(centre, normal, radius));
                self.normals.push(normal);
                self.colours.push(colour);
            }
        }
        for ring in 0..rings {
            for side in 0..sides {
                let next = (side + 1) % sides;
                let [a, b] = [start + ring * sides + side, start + ring * sides + next];
                let [c, d] = [a + sides, b + sides];
                // At the poles one side of a cell is a point.
                if ring > 0 {
                    self.triangles.push([a, c, b]);
                }
                if ring + 1 < rings {
                    self.triangles.push([b, c, d]);
                }
            }
        }
    }
}

fn distance(a: Point, b: Point) -> f32 {
    crate::render::vector::length(crate::render::vector::sub(a, b))
}

/// An ellipse of half-axes `across` and `through`.
pub(crate) fn ellipse(across: f32, through: f32, corners: usize) -> Vec<Corner> {
    (0..corners)
        .map(|i| {
            let (sin, cos) = (std::f32::consts::TAU * i as f32 / corners as f32).sin_cos();
            let (x, y) = (cos * through, sin * across);
            let length = x.hypot(y);
            Corner { place: [across * cos, through * sin], normal: [x / length, y / length] }
        })
        .collect()
}

/// A rectangle of half-sides `across` and `through`; each side has corners of its own, so that edges are sharp.
pub(crate) fn rectangle(across: f32, through: f32) -> Vec<Corner> {
    let corners = [[across, -through], [across, through], [-across, through], [-across, -through]];
    let normals = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
    (0..4)
        .flat_map(|side| {
            [corners[side], corners[(side + 1) % 4]].map(|place| Corner { place, normal: normals[side] })
        })
        .collect()
}
