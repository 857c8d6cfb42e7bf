//! Triangles to pixels.
//!
//! Sixteen samples to a pixel, on a regular grid, know which triangle is nearest; then each triangle that a pixel shows
//! is lit once, at the middle of its samples there, and counts by their number. So edges are smooth and the light is
//! worked out for few more points than pixels. Bands of rows are independent of each other: threads change no byte.
//!
//! Edges that triangles share are crossed at the same place for both, from the same end, so there are no cracks and no
//! doubly drawn samples. Of equally near triangles the first stays.

use rayon::prelude::*;

use crate::picture::{Channels, Picture};
use crate::render::camera::Camera;
use crate::render::light::{fade, shade};
use crate::render::mesh::{Colour, Mesh};
use crate::render::vector::{add_scaled, scale, unit};
use crate::structure::Point;

/// Samples along a pixel's side.
const GRID: usize = 4;
/// Rows of pixels in a band: at 512 pixels its samples fit into a core's cache.
const BAND: usize = 8;
/// No triangle.
const NONE: u32 = u32::MAX;
/// What is far away is white, on whatever ground.
const WHITE: Colour = [1.0; 3];

/// How a mesh is turned into a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Pixels along each side.
    pub size: usize,
    /// Whether the ground is see-through; else it is white.
    pub transparent: bool,
    /// Whether what is farther away is paler.
    pub depth_cue: bool,
}

/// A corner on the screen.
#[derive(Debug, Clone, Copy)]
struct Corner {
    /// In samples, from the upper left.
    x: f32,
    y: f32,
    /// One over the depth, which is linear on the screen.
    nearness: f32,
}

/// The picture of `mesh` from `camera`.
pub fn draw(mesh: &Mesh, camera: &Camera, look: &Look) -> Picture {
    let size = look.size;
    let scene = Scene::new(mesh, camera, look);
    let bands = scene.bands(size.div_ceil(BAND));
    let channels = if look.transparent { Channels::Rgba } else { Channels::Rgb };
    let mut picture = Picture::filled(size, size, channels, [255, 255, 255, 0]);
    let row = size * channels.count();
    picture.bytes.par_chunks_mut(BAND * row).zip(&bands).enumerate().for_each_init(
        || Samples::new(size),
        |samples, (band, (bytes, triangles))| {
            if triangles.is_empty() {
                return;
            }
            samples.clear();
            for triangle in triangles {
                scene.mark(*triangle, samples, band * BAND * GRID);
            }
            for (line, pixels) in bytes.chunks_mut(row).enumerate() {
                for (column, pixel) in pixels.chunks_mut(channels.count()).enumerate() {
                    scene.pixel(samples, column, line, band * BAND, pixel);
                }
            }
        },
    );
    picture
}

/// What the samples of a band see.
struct Samples {
    width: usize,
    nearness: Vec<f32>,
    triangle: Vec<u32>,
}

impl Samples {
    fn new(size: usize) -> Self {
        let width = size * GRID;
        Self { width, nearness: vec![0.0; width * BAND * GRID], triangle: vec![NONE; width * BAND * GRID] }
    }
    fn clear(&mut self) {
        self.nearness.fill(0.0);
        self.triangle.fill(NONE);
    }
}

struct Scene<'a> {
    mesh: &'a Mesh,
    look: &'a Look,
    corners: Vec<Corner>,
    normals: Vec<Point>,
    depths: [f32; 2],
}

impl<'a> Scene<'a> {
    fn new(mesh: &'a Mesh, camera: &Camera, look: &'a Look) -> Self {
        let (pixels, middle) = (Camera::pixels(look.size) * GRID as f32, (look.size * GRID) as f32 * 0.5);
        let corners = mesh.positions.par_iter().map(|position| {
            let [x, y, depth] = camera.see(*position);
            let nearness = 1.0 / depth;
            Corner { x: middle + pixels * x * nearness, y: middle - pixels * y * nearness, nearness }
        });
        let normals = mesh.normals.par_iter().map(|normal| camera.turn(*normal));
        Self { mesh, look, corners: corners.collect(), normals: normals.collect(), depths: camera.depths }
    }

    fn corners(&self, triangle: u32) -> [Corner; 3] {
        self.mesh.triangles[triangle as usize].map(|i| self.corners[i as usize])
    }

    /// The triangles that look towards the eye, by the bands of rows that they touch, in their order.
    fn bands(&self, count: usize) -> Vec<Vec<u32>> {
        let mut bands = vec![Vec::new(); count];
        let height = (BAND * GRID) as f32;
        for triangle in 0..self.mesh.triangles.len() as u32 {
            let [a, b, c] = self.corners(triangle);
            // The screen's y goes down, so counter-clockwise is negative. What is not a number is not drawn.
            let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
            if !(area < 0.0) || !area.is_finite() {
                continue;
            }
            let (low, high) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
            if high < 0.0 {
                continue;
            }
            let (from, to) = ((low.max(0.0) / height) as usize, (high / height) as usize);
            for band in bands.iter_mut().take(to + 1).skip(from) {
                band.push(triangle);
            }
        }
        bands
    }

    /// Marks the samples whose nearest triangle this is; the band's first row of samples is `top`.
    fn mark(&self, triangle: u32, samples: &mut Samples, top: usize) {
        let [a, b, c] = self.corners(triangle);
        let edges = [(a, b), (b, c), (c, a)].map(|(p, q)| {
            let (p, q) = if (p.y, p.x) <= (q.y, q.x) { (p, q) } else { (q, p) };
            (p, q, (q.x - p.x) / (q.y - p.y))
        });
        let (low, high) = (a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y));
        let first = first_sample(low).max(top);
        let end = first_sample(high).min(top + BAND * GRID);
        // How nearness changes along the screen.
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        let (ab, ac) = (b.nearness - a.nearness, c.nearness - a.nearness);
        let right = (ab * (c.y - a.y) - ac * (b.y - a.y)) / area;
        let down = (ac * (b.x - a.x) - ab * (c.x - a.x)) / area;
        for y in first..end {
            let middle = y as f32 + 0.5;
            let (mut from, mut to) = (f32::INFINITY, f32::NEG_INFINITY);
            for (p, q, slope) in &edges {
                if p.y <= middle && middle < q.y {
                    let x = p.x + (middle - p.y) * slope;
                    (from, to) = (from.min(x), to.max(x));
                }
            }
            let (from, to) = (first_sample(from), first_sample(to).min(samples.width));
            if from >= to {
                continue;
            }
            let row = (y - top) * samples.width;
            let base = a.nearness + (middle - a.y) * down;
            let nearest = &mut samples.nearness[row + from..row + to];
            let owner = &mut samples.triangle[row + from..row + to];
            for (i, (nearest, owner)) in nearest.iter_mut().zip(owner).enumerate() {
                let nearness = base + ((from + i) as f32 + 0.5 - a.x) * right;
                if nearness > *nearest {
                    *nearest = nearness;
                    *owner = triangle;
                }
            }
        }
    }

    /// Works out a pixel of a band whose first row of pixels is `top`.
    fn pixel(&self, samples: &Samples, column: usize, line: usize, top: usize, out: &mut [u8]) {
        let mut shown = [(NONE, 0u32, 0.0f32, 0.0f32); GRID * GRID];
        let mut kinds = 0;
        for y in 0..GRID {
            let start = (line * GRID + y) * samples.width + column * GRID;
            for (x, triangle) in samples.triangle[start..start + GRID].iter().enumerate() {
                if *triangle == NONE {
                    continue;
                }
                let known = shown[..kinds].iter().position(|(id, ..)| id == triangle);
                let entry = &mut shown[known.unwrap_or(kinds)];
                if known.is_none() {
                    kinds += 1;
                }
                *entry = (*triangle, entry.1 + 1, entry.2 + x as f32 + 0.5, entry.3 + y as f32 + 0.5);
            }
        }
        let (mut sum, mut covered) = ([0.0; 3], 0);
        for (triangle, count, x, y) in &shown[..kinds] {
            let n = *count as f32;
            let x = (column * GRID) as f32 + x / n;
            let y = ((top + line) * GRID) as f32 + y / n;
            sum = add_scaled(sum, self.light(*triangle, x, y), n);
            covered += count;
        }
        if covered == 0 {
            return;
        }
        let all = (GRID * GRID) as f32;
        let colour = if self.look.transparent {
            scale(sum, 1.0 / covered as f32)
        } else {
            scale(add_scaled(sum, WHITE, all - covered as f32), 1.0 / all)
        };
        for (byte, value) in out.iter_mut().zip(colour) {
            *byte = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
        if let Some(alpha) = out.get_mut(3) {
            *alpha = (covered as f32 / all * 255.0 + 0.5) as u8;
        }
    }

    /// What is seen of a triangle at a place on the screen, in samples.
    fn light(&self, triangle: u32, x: f32, y: f32) -> Colour {
        let at = self.mesh.triangles[triangle as usize].map(|i| i as usize);
        let [a, b, c] = at.map(|i| self.corners[i]);
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        let of_b = ((x - a.x) * (c.y - a.y) - (y - a.y) * (c.x - a.x)) / area;
        let of_c = ((b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x)) / area;
        let shares = [1.0 - of_b - of_c, of_b, of_c].map(|share| share.clamp(0.0, 1.0));
        let blend = |values: [Point; 3]| {
            let sum = scale(values[0], shares[0]);
            add_scaled(add_scaled(sum, values[1], shares[1]), values[2], shares[2])
        };
        let normal = unit(blend(at.map(|i| self.normals[i]))).unwrap_or([0.0, 0.0, 1.0]);
        let colour = shade(blend(at.map(|i| self.mesh.colours[i])), normal, 1.0);
        if !self.look.depth_cue {
            return colour;
        }
        let nearness = shares[0] * a.nearness + shares[1] * b.nearness + shares[2] * c.nearness;
        let [front, back] = self.depths;
        fade(colour, WHITE, (1.0 / nearness - front) / (back - front).max(1e-3))
    }
}

/// The first sample, of those at the middles of their cells, that does not lie before `x`.
fn first_sample(x: f32) -> usize {
    // A cast takes what is negative to 0.
    (x - 0.5).ceil() as usize
}
