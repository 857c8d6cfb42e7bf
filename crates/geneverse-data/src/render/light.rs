//! How bright a surface is: PyMOL's default lights, measured on a ball that it ray-traced.
//!
//! A little light from everywhere, some from the eye, as much again from a lamp at the upper right behind it, and the
//! latter's gloss (Blinn 1977). The farther part of the scene fades into the background. What the lamp does not reach is
//! found from a map of what it reaches (Williams 1978), whose edges are softened over three cells.

use rayon::prelude::*;

use crate::render::mesh::Colour;
use crate::render::samples::{Corner, Samples, bands};
use crate::render::vector::{add, add_scaled, dot, scale};
use crate::structure::Point;

/// Light from everywhere.
const AMBIENT: f32 = 0.14;
/// Light from the eye.
const EYE: f32 = 0.45;
/// Light from the lamp.
const LAMP: f32 = 0.48;
/// The gloss's strength.
const GLOSS: f32 = 0.5;
/// The gloss's exponent (`shininess`).
const SHININESS: i32 = 55;
/// Where fading begins, as a share of the depth.
const FADE_FROM: f32 = 0.45;

/// Towards the lamp: (0.4, 0.4, 1) made a unit vector.
pub(crate) const TO_LAMP: Point = [0.348_155_3, 0.348_155_3, 0.870_388_3];
/// Half-way between lamp and eye.
const HALF_WAY: Point = [0.180_008_1, 0.180_008_1, 0.967_054_4];

/// What the eye sees of a surface of `colour` that looks along `normal` (towards the eye is +z), of whose lamp light
/// the share `lit` arrives.
pub(crate) fn shade(colour: Colour, normal: Point, lit: f32) -> Colour {
    let lamp = dot(normal, TO_LAMP).max(0.0) * lit;
    let light = AMBIENT + EYE * normal[2].max(0.0) + LAMP * lamp;
    let gloss = if lamp > 0.0 { GLOSS * lit * dot(normal, HALF_WAY).max(0.0).powi(SHININESS) } else { 0.0 };
    add(scale(colour, light.min(1.0)), [gloss; 3])
}

/// `colour`, fading into `background` with `depth`, 0 at the front and 1 at the back of the scene.
pub(crate) fn fade(colour: Colour, background: Colour, depth: f32) -> Colour {
    let share = ((depth - FADE_FROM) / (1.0 - FADE_FROM)).clamp(0.0, 1.0);
    add(scale(colour, 1.0 - share), scale(background, share))
}

/// Axes across the lamp's rays, to the right and upwards.
const ACROSS: [Point; 2] = [[0.928_476_7, 0.0, -0.371_390_7], [-0.129_301_6, 0.937_436_9, -0.323_254_1]];
/// Cells of the shadow map for a pixel of the picture.
const CELLS_PER_PIXEL: usize = 2;
const LARGEST_MAP: usize = 4096;
/// Rows of cells that are filled at a time.
const BAND: usize = 64;
/// How far before a surface something has to be to shade it, in ångström: half of a ribbon's thickness.
const CLEARANCE: f32 = 0.25;

/// How near to the lamp the first surface is on each of its rays.
pub(crate) struct Shadows {
    width: usize,
    cells: Vec<f32>,
    /// The map's corner, and cells to an ångström.
    origin: [f32; 2],
    scale: f32,
    /// The lowest height, which is 1 in the map.
    floor: f32,
}

impl Shadows {
    /// The map of points that a picture of `size` pixels shows: right, up, and depth from the eye.
    pub(crate) fn cast(triangles: &[[u32; 3]], seen: &[Point], size: usize) -> Self {
        let width = (size * CELLS_PER_PIXEL).min(LARGEST_MAP);
        let flat: Vec<[f32; 3]> = seen.par_iter().map(|point| Self::flatten(*point)).collect();
        let mut bounds = [[f32::INFINITY, f32::NEG_INFINITY]; 3];
        for point in &flat {
            for (range, x) in bounds.iter_mut().zip(point) {
                *range = [range[0].min(*x), range[1].max(*x)];
            }
        }
        let widest = bounds.iter().take(2).fold(1.0f32, |most, [low, high]| most.max(high - low));
        let scale = (width - 2) as f32 / widest;
        let origin = [bounds[0][0] - 1.0 / scale, bounds[1][0] - 1.0 / scale];
        let floor = bounds[2][0];
        let corner = |[x, y, height]: &[f32; 3]| Corner {
            x: (x - origin[0]) * scale,
            // As on the screen, rows go down.
            y: width as f32 - (y - origin[1]) * scale,
            near: 1.0 + height - floor,
        };
        let corners: Vec<Corner> = flat.par_iter().map(corner).collect();
        let bands = bands(triangles, &corners, BAND, width.div_ceil(BAND));
        let mut cells = vec![0.0; width * width];
        cells.par_chunks_mut(BAND * width).zip(&bands).enumerate().for_each_init(
            || Samples::new(width, BAND),
            |samples, (band, (cells, near))| {
                samples.clear(band * BAND);
                for triangle in near {
                    samples.mark(*triangle, triangles[*triangle as usize].map(|i| corners[i as usize]));
                }
                cells.copy_from_slice(&samples.nearness()[..cells.len()]);
            },
        );
        Self { width, cells, origin, scale, floor }
    }

    /// Across the rays, and towards the lamp.
    fn flatten([x, y, depth]: Point) -> [f32; 3] {
        let point = [x, y, -depth];
        [dot(point, ACROSS[0]), dot(point, ACROSS[1]), dot(point, TO_LAMP)]
    }

    /// The share of the lamp's light that arrives at a point: right, up, and depth from the eye.
    pub(crate) fn lit(&self, point: Point, normal: Point) -> f32 {
        if dot(normal, TO_LAMP) <= 0.0 {
            return 1.0; // Turned away from it: there is no light to lose.
        }
        let [x, y, depth] = point;
        // From a little outside, so that a surface does not shade itself where it is seen at a low angle.
        let [x, y, minus_depth] = add_scaled([x, y, -depth], normal, CLEARANCE);
        let [u, v, height] = Self::flatten([x, y, -minus_depth]);
        let height = 1.0 + height - self.floor + CLEARANCE * 0.5;
        let column = ((u - self.origin[0]) * self.scale) as usize;
        let row = (self.width as f32 - (v - self.origin[1]) * self.scale) as usize;
        let last = self.width - 1;
        let mut lit = 0;
        for y in [row.saturating_sub(1), row, row + 1] {
            for x in [column.saturating_sub(1), column, column + 1] {
                lit += u32::from(self.cells[y.min(last) * self.width + x.min(last)] <= height);
            }
        }
        lit as f32 / 9.0
    }
}
