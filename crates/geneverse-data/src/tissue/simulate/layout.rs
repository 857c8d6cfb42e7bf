//! Where cells lie and of which type they are.
//!
//! Cells stand on a grid of hexagons, a little beside their places, 10 µm apart. Structures are discs that do not overlap:
//! ducts, follicles and vessels, each with a core and a rim; their number grows with the tissue, not their size. What lies
//! outside of them is muscle at the lower edge, and else belongs to the nearest of some points (Voronoi), stroma or fat.
//! Of which type a cell is, is drawn from the composition of where it lies.

use rayon::prelude::*;

use crate::draw::Draw;

/// The cell types, in alphabetical order.
pub(super) const TYPES: [&str; 12] = [
    "Adipocytes",
    "B Cells",
    "Endothelial Cells",
    "Epithelial Cells",
    "Fibroblasts",
    "Macrophages",
    "Mast Cells",
    "Myoepithelial Cells",
    "Pericytes",
    "Plasma Cells",
    "Smooth Muscle Cells",
    "T Cells",
];
const ADIPOCYTE: usize = 0;
const B: usize = 1;
const ENDOTHELIAL: usize = 2;
const EPITHELIAL: usize = 3;
const FIBROBLAST: usize = 4;
const MACROPHAGE: usize = 5;
const MAST: usize = 6;
const MYOEPITHELIAL: usize = 7;
const PERICYTE: usize = 8;
const PLASMA: usize = 9;
const MUSCLE: usize = 10;
const T: usize = 11;

/// Types that share some of each other's genes: the first level at which bodies divide their cells.
pub(super) const LINEAGES: [&[usize]; 3] = [
    &[EPITHELIAL, MYOEPITHELIAL],
    &[ADIPOCYTE, ENDOTHELIAL, FIBROBLAST, PERICYTE, MUSCLE],
    &[B, MACROPHAGE, MAST, PLASMA, T],
];

/// Between two cells, µm.
const SPACING: f64 = 10.0;
/// Structures keep this far from each other, µm.
const GAP: f64 = 12.0;
/// A rim's width, µm.
const RIM: f64 = 13.0;

/// Cells with their places and types.
pub(super) struct Layout {
    pub(super) places: Vec<[f32; 2]>,
    pub(super) types: Vec<u32>,
    pub(super) size: [f64; 2],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Structure {
    Duct,
    Follicle,
    Vessel,
}

/// A kind of structure: cells of the tissue for each one, at least so many, and its share of the tissue.
const STRUCTURES: [(Structure, usize, usize, f64); 3] = [
    (Structure::Duct, 500, 4, 0.25),
    (Structure::Follicle, 1500, 2, 0.10),
    (Structure::Vessel, 220, 8, 0.09),
];

struct Disc {
    kind: Structure,
    centre: [f64; 2],
    radius: f64,
}

/// A point to which the tissue around it belongs.
struct Niche {
    centre: [f64; 2],
    fat: bool,
}

/// Where a cell lies.
enum Place<'a> {
    Core(&'a Disc),
    Rim(&'a Disc),
    Muscle,
    Fat,
    Stroma,
}

/// Lays out a tissue of so many cells.
pub(super) fn lay_out(cells: usize, seed: u64) -> Layout {
    let area = cells as f64 * SPACING * SPACING * 0.75_f64.sqrt();
    let size = [(area * 1.3).sqrt(), (area / 1.3).sqrt()];
    let places = grid(cells, size, seed);
    let ground = Ground::new(cells, size, seed);
    let types = places.par_iter().enumerate().map(|(cell, place)| {
        let draw = Draw::at(seed, &[3, cell as u64]).uniform();
        ground.draw_type(place.map(f64::from), draw)
    });
    Layout { types: types.collect(), places, size }
}

/// As many places as cells; of the grid's surplus some are left empty.
fn grid(cells: usize, size: [f64; 2], seed: u64) -> Vec<[f32; 2]> {
    let columns = (size[0] / SPACING).ceil().max(1.0) as usize;
    let rows = cells.div_ceil(columns);
    let mut taken: Vec<usize> = (0..rows * columns).collect();
    Draw::at(seed, &[2]).shuffle(&mut taken);
    taken.truncate(cells);
    taken.sort_unstable();
    let place = |slot: usize| {
        let mut draw = Draw::at(seed, &[2, slot as u64]);
        let (row, column) = (slot / columns, slot % columns);
        let shift = if row % 2 == 1 { 0.5 } else { 0.0 };
        let mut jitter = || draw.within(-0.3, 0.3);
        let x = (column as f64 + shift + 0.5 + jitter()) * SPACING;
        let y = (row as f64 + 0.5 + jitter()) * SPACING * 0.75_f64.sqrt();
        // Hundredths of a micrometre, as such tables are written.
        [x, y].map(|value| ((value * 100.0).round() / 100.0) as f32)
    };
    taken.into_iter().map(place).collect()
}

/// What lies where.
struct Ground {
    size: [f64; 2],
    discs: Vec<Disc>,
    niches: Vec<Niche>,
    /// Of the muscle's upper edge.
    phase: f64,
}

impl Ground {
    fn new(cells: usize, size: [f64; 2], seed: u64) -> Self {
        let mut draw = Draw::at(seed, &[4]);
        let mut ground = Self { size, discs: Vec::new(), niches: Vec::new(), phase: draw.uniform() };
        for (kind, each, least, share) in STRUCTURES {
            let count = (cells / each).max(least);
            let mean = (share * size[0] * size[1] / (std::f64::consts::PI * count as f64)).sqrt();
            for _ in 0..count {
                ground.place(kind, mean * draw.within(0.75, 1.2), &mut draw);
            }
        }
        for number in 0..(cells / 700).clamp(6, 400) {
            let centre = [draw.within(0.0, size[0]), draw.within(0.0, size[1])];
            // Every fourth: however few there are, some are fat.
            ground.niches.push(Niche { centre, fat: number % 4 == 0 });
        }
        ground
    }

    /// Puts a disc where there is room; where none is found, a smaller one.
    fn place(&mut self, kind: Structure, mut radius: f64, draw: &mut Draw) {
        for attempt in 1..=300 {
            let inside =
                |draw: &mut Draw, side: f64| draw.within(0.0, 1.0) * (side - 2.0 * radius).max(0.0) + radius;
            let centre = [inside(draw, self.size[0]), inside(draw, self.size[1])];
            let free = centre[1] + radius < self.muscle_at(centre[0])
                && self.discs.iter().all(|disc| distance(disc.centre, centre) > disc.radius + radius + GAP);
            if free {
                self.discs.push(Disc { kind, centre, radius });
                return;
            }
            if attempt % 50 == 0 {
                radius *= 0.85;
            }
        }
    }

    /// Where muscle begins at x.
    fn muscle_at(&self, x: f64) -> f64 {
        let turn = std::f64::consts::TAU * (1.5 * x / self.size[0] + self.phase);
        self.size[1] * (0.90 + 0.025 * turn.sin())
    }

    fn at(&self, place: [f64; 2]) -> Place<'_> {
        for disc in self.discs.iter().filter(|disc| least_distance(disc.centre, place) <= disc.radius) {
            let from_centre = distance(disc.centre, place);
            if from_centre <= disc.radius {
                let rim = match disc.kind {
                    Structure::Duct => RIM,
                    Structure::Follicle => 0.35 * disc.radius,
                    Structure::Vessel => RIM.min(0.42 * disc.radius),
                };
                return if from_centre > disc.radius - rim { Place::Rim(disc) } else { Place::Core(disc) };
            }
        }
        if place[1] > self.muscle_at(place[0]) {
            return Place::Muscle;
        }
        let (mut nearest, mut fat) = (f64::INFINITY, false);
        for niche in &self.niches {
            if least_distance(niche.centre, place) < nearest {
                let away = distance(niche.centre, place);
                if away < nearest {
                    (nearest, fat) = (away, niche.fat);
                }
            }
        }
        if fat { Place::Fat } else { Place::Stroma }
    }

    /// A type from what a place is made of; `draw` is uniform in [0, 1).
    fn draw_type(&self, place: [f64; 2], draw: f64) -> u32 {
        // From 0 at the left edge to 1 at the right one.
        let right = (place[0] / self.size[0]).clamp(0.0, 1.0);
        let stroma = [
            (PLASMA, 0.04 + 0.18 * right * right),
            (MAST, 0.03 + 0.12 * (1.0 - right)),
            (MACROPHAGE, 0.09),
            (T, 0.05),
            (ENDOTHELIAL, 0.02),
            (FIBROBLAST, 1.0),
        ];
        let parts: &[(usize, f64)] = match self.at(place) {
            Place::Core(disc) => match disc.kind {
                Structure::Duct => &[(T, 0.03), (MACROPHAGE, 0.03), (EPITHELIAL, 1.0)],
                Structure::Follicle => &[(T, 0.07), (MACROPHAGE, 0.03), (B, 1.0)],
                Structure::Vessel => &[(MACROPHAGE, 0.05), (ENDOTHELIAL, 1.0)],
            },
            Place::Rim(disc) => match disc.kind {
                Structure::Duct => &[(EPITHELIAL, 0.08), (T, 0.02), (MYOEPITHELIAL, 1.0)],
                Structure::Follicle => &[(B, 0.10), (MACROPHAGE, 0.06), (PLASMA, 0.04), (T, 1.0)],
                Structure::Vessel => &[(MUSCLE, 0.08), (FIBROBLAST, 0.07), (PERICYTE, 1.0)],
            },
            Place::Muscle => &[(FIBROBLAST, 0.06), (ENDOTHELIAL, 0.03), (PERICYTE, 0.01), (MUSCLE, 1.0)],
            Place::Fat => {
                &[(MACROPHAGE, 0.06), (FIBROBLAST, 0.06), (ENDOTHELIAL, 0.02), (MAST, 0.02), (ADIPOCYTE, 1.0)]
            }
            Place::Stroma => &stroma,
        };
        // The last of them takes what the others leave.
        let mut left = draw;
        for (kind, share) in parts {
            if left < *share {
                return *kind as u32;
            }
            left -= share;
        }
        FIBROBLAST as u32
    }
}

/// At most the distance of two points, found without a root: most structures of a tissue are far from a cell.
fn least_distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).abs().max((a[1] - b[1]).abs())
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
