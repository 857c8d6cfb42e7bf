//! Triangles to pixels.
//!
//! Sixteen samples to a pixel, on a regular grid, know which triangle is nearest (`samples.rs`); then each triangle that
//! a pixel shows is lit once, at the middle of its samples there, and counts by their number. So edges are smooth and
//! the light is worked out for few more points than pixels. Bands of rows are independent of each other: threads change
//! no byte.

use rayon::prelude::*;

use crate::picture::{Channels, Picture};
use crate::render::camera::Camera;
use crate::render::light::{Shadows, fade, shade};
use crate::render::mesh::{Colour, Mesh};
use crate::render::samples::{Corner, NONE, Samples, bands};
use crate::render::vector::{add_scaled, scale, unit};
use crate::structure::Point;

/// Samples along a pixel's side.
const GRID: usize = 4;
/// Rows of pixels in a band: at 512 pixels its samples fit into a core's cache.
const BAND: usize = 8;
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
    /// Whether the lamp casts shadows.
    pub shadows: bool,
}

/// The picture of `mesh` from `camera`.
pub fn draw(mesh: &Mesh, camera: &Camera, look: &Look) -> Picture {
    let size = look.size;
    let scene = Scene::new(mesh, camera, look);
    let bands = bands(&mesh.triangles, &scene.corners, BAND * GRID, size.div_ceil(BAND));
    let channels = if look.transparent { Channels::Rgba } else { Channels::Rgb };
    let mut picture = Picture::filled(size, size, channels, [255, 255, 255, 0]);
    let row = size * channels.count();
    picture.bytes.par_chunks_mut(BAND * row).zip(&bands).enumerate().for_each_init(
        || Samples::new(size * GRID, BAND * GRID),
        |samples, (band, (bytes, triangles))| {
            if triangles.is_empty() {
                return;
            }
            samples.clear(band * BAND * GRID);
            for triangle in triangles {
                samples.mark(*triangle, scene.corners_of(*triangle));
            }
            for (line, pixels) in bytes.chunks_mut(row).enumerate() {
                for (column, pixel) in pixels.chunks_mut(channels.count()).enumerate() {
                    scene.pixel(samples, column, line, pixel);
                }
            }
        },
    );
    picture
}

struct Scene<'a> {
    mesh: &'a Mesh,
    look: &'a Look,
    /// On the screen, in samples from the upper left; how near is one over the depth, which is linear there.
    corners: Vec<Corner>,
    normals: Vec<Point>,
    depths: [f32; 2],
    /// Samples by which one unit of `x / depth` moves, and the middle of the screen.
    samples: f32,
    middle: f32,
    shadows: Option<Shadows>,
}

impl<'a> Scene<'a> {
    fn new(mesh: &'a Mesh, camera: &Camera, look: &'a Look) -> Self {
        let (samples, middle) = (Camera::pixels(look.size) * GRID as f32, (look.size * GRID) as f32 * 0.5);
        let seen: Vec<Point> = mesh.positions.par_iter().map(|position| camera.see(*position)).collect();
        let on_screen = |[x, y, depth]: &Point| {
            let near = 1.0 / depth;
            Corner { x: middle + samples * x * near, y: middle - samples * y * near, near }
        };
        Self {
            mesh,
            look,
            corners: seen.par_iter().map(on_screen).collect(),
            normals: mesh.normals.par_iter().map(|normal| camera.turn(*normal)).collect(),
            depths: camera.depths,
            samples,
            middle,
            shadows: look.shadows.then(|| Shadows::cast(&mesh.triangles, &seen, look.size)),
        }
    }

    fn corners_of(&self, triangle: u32) -> [Corner; 3] {
        self.mesh.triangles[triangle as usize].map(|i| self.corners[i as usize])
    }

    /// Works out a pixel: `column`, and `line` within the band.
    fn pixel(&self, samples: &Samples, column: usize, line: usize, out: &mut [u8]) {
        let rows: [&[u32]; GRID] =
            std::array::from_fn(|y| samples.owners(line * GRID + y, column * GRID, GRID));
        let first = rows[0][0];
        let mut shown = [(NONE, 0u32, 0.0f32, 0.0f32); GRID * GRID];
        let mut kinds = 0;
        if rows.iter().all(|row| row.iter().all(|id| *id == first)) {
            let all = (GRID * GRID) as f32;
            let middle = all * 0.5 * GRID as f32;
            shown[0] = (first, (GRID * GRID) as u32, middle, middle);
            kinds = usize::from(first != NONE);
        } else {
            for (y, row) in rows.iter().enumerate() {
                for (x, triangle) in row.iter().enumerate().filter(|(_, id)| **id != NONE) {
                    let known = shown[..kinds].iter().position(|(id, ..)| id == triangle);
                    let entry = &mut shown[known.unwrap_or(kinds)];
                    kinds += usize::from(known.is_none());
                    *entry = (*triangle, entry.1 + 1, entry.2 + x as f32 + 0.5, entry.3 + y as f32 + 0.5);
                }
            }
        }
        let (mut sum, mut covered) = ([0.0; 3], 0);
        for (triangle, count, x, y) in &shown[..kinds] {
            let n = *count as f32;
            let x = (column * GRID) as f32 + x / n;
            let y = (samples.top + line * GRID) as f32 + y / n;
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
        let near = shares[0] * a.near + shares[1] * b.near + shares[2] * c.near;
        let depth = 1.0 / near;
        let lit = self.shadows.as_ref().map_or(1.0, |shadows| {
            let from_eye = depth / self.samples;
            shadows.lit([(x - self.middle) * from_eye, (self.middle - y) * from_eye, depth], normal)
        });
        let colour = shade(blend(at.map(|i| self.mesh.colours[i])), normal, lit);
        if !self.look.depth_cue {
            return colour;
        }
        let [front, back] = self.depths;
        fade(colour, WHITE, (depth - front) / (back - front).max(1e-3))
    }
}
