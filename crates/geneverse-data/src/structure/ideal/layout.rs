//! Where a class of folds has its helices and strands.
//!
//! Sheets lie in the plane of x (along the strands) and y (from strand to strand); z is what is above and below.

use std::f64::consts::{PI, TAU};

use super::super::geometry::{Vector, add, cross, scale};
use super::backbone::{Atoms, Piece, STRAND_RISE, helix, strand};
use super::{Draw, Fold, Secondary};

/// Between strands of a sheet, between sheets face to face, between a sheet and its helices, between helices (ångström).
const STRANDS_APART: f64 = 4.8;
const SHEETS_APART: f64 = 10.5;
const HELIX_FROM_SHEET: f64 = 10.5;
const HELICES_APART: f64 = 9.6;
/// Strands and shear of a barrel: its strands are 36° off its axis.
const BARREL: usize = 8;

/// The pieces of a fold in the order of the chain.
pub(super) fn pieces(fold: Fold, draw: &Draw) -> Vec<Piece> {
    match fold {
        Fold::Bundle(count) => bundle(usize::from(count), draw),
        Fold::Meander(count) => {
            let length = draw.whole("length", 6, 9);
            let sheet = Sheet::flat(length, draw);
            (0..usize::from(count)).map(|k| sheet.strand(k as f64, k % 2 == 0, k % 2 == 0, 0)).collect()
        }
        Fold::Sandwich => sandwich(draw),
        Fold::Barrel => barrel(false, draw),
        Fold::TimBarrel => barrel(true, draw),
        Fold::Rossmann => {
            // Strand by strand: its place in the sheet. The helix after it is above while the chain goes down the sheet.
            open_sheet(
                &[(2, true), (1, true), (0, true), (3, true), (4, true), (5, true)],
                &[1, 1, -1, -1, -1],
                draw,
            )
        }
        Fold::Ferredoxin => open_sheet(&[(1, true), (3, true), (2, false), (0, false)], &[-1, 0, -1], draw),
        Fold::Disordered => disordered(draw),
    }
}

fn bundle(count: usize, draw: &Draw) -> Vec<Piece> {
    let length = draw.whole("length", 18, 30);
    let radius =
        if count == 2 { HELICES_APART / 2.0 } else { HELICES_APART / (2.0 * (PI / count as f64).sin()) };
    let tilt = draw.real("tilt", 6.0, 14.0).to_radians();
    (0..count)
        .map(|k| {
            let about = TAU * k as f64 / count as f64;
            let outward = [about.cos(), about.sin(), 0.0];
            let round = [-about.sin(), about.cos(), 0.0];
            let up = if k % 2 == 0 { 1.0 } else { -1.0 };
            // Leaning the same way round for all, so that the bundle is a coil.
            let axis = add(scale([0.0, 0.0, up], tilt.cos()), scale(round, up * tilt.sin()));
            let count = length + draw.whole(&format!("helix {k}"), 0, 3);
            let phase = draw.real(&format!("phase {k}"), 0.0, 360.0);
            placed_helix(count, phase, scale(outward, radius), axis, outward)
        })
        .collect()
}

fn placed_helix(count: usize, phase: f64, middle: Vector, axis: Vector, side: Vector) -> Piece {
    let other = cross(axis, side);
    let turn = |p: Vector| add(middle, add(scale(axis, p[0]), add(scale(side, p[1]), scale(other, p[2]))));
    let residues = helix(count, phase).into_iter().map(|atoms| atoms.map(turn)).collect();
    Piece { secondary: Secondary::Helix, residues }
}

/// A sheet whose strands are turned against each other.
struct Sheet {
    length: usize,
    /// Degrees from strand to strand, about y; below 0 strands twist to the right.
    twist: f64,
    /// Where the sheet is along z, its middle strand, and its turn about z.
    height: f64,
    middle: f64,
}

impl Sheet {
    fn flat(length: usize, draw: &Draw) -> Self {
        Self { length, twist: draw.real("twist", -11.0, -6.0), height: 0.0, middle: 0.0 }
    }

    /// Strand number `k` of the sheet; `up` as in [`strand`], `shift` in columns.
    fn strand(&self, k: f64, forward: bool, up: bool, shift: i32) -> Piece {
        let first = shift - (self.length as i32) / 2;
        let residues = strand(first, self.length, forward, up);
        let residues = residues
            .into_iter()
            .map(|atoms: Atoms| atoms.map(|p| self.bent([p[0], p[1] + k * STRANDS_APART, p[2]])))
            .collect();
        Piece { secondary: Secondary::Strand, residues }
    }

    fn bent(&self, p: Vector) -> Vector {
        let [x, y, z] = p;
        let turn = (self.twist * (y / STRANDS_APART - self.middle)).to_radians();
        let (sin, cos) = turn.sin_cos();
        [x * cos + z * sin, y, z * cos - x * sin + self.height]
    }

    /// A helix against the strands' direction, over the place `k` of the sheet.
    fn helix(&self, k: f64, forward: bool, side: f64, draw: &Draw, number: usize) -> Piece {
        let turn = (self.twist * (k - self.middle)).to_radians();
        let (sin, cos) = turn.sin_cos();
        let (along, up) = ([cos, 0.0, -sin], [sin, 0.0, cos]);
        let middle = add([0.0, k * STRANDS_APART, self.height], scale(up, side * HELIX_FROM_SHEET));
        let axis = scale(along, if forward { 1.0 } else { -1.0 });
        let count = (self.length as f64 * STRAND_RISE / 1.5 * 0.85) as usize;
        let phase = draw.real(&format!("phase {number}"), 0.0, 360.0);
        placed_helix(count, phase, middle, axis, up)
    }
}

/// Strands of one sheet by place and direction, and the helices after them: 1 above, −1 below, 0 where there is none.
fn open_sheet(strands: &[(i32, bool)], helices: &[i32], draw: &Draw) -> Vec<Piece> {
    let mut sheet = Sheet::flat(draw.whole("length", 6, 8), draw);
    sheet.middle = (strands.len() as f64 - 1.0) / 2.0;
    // In a sheet whose strands go both ways neighbours point at each other.
    let mixed = strands.iter().any(|(_, forward)| !forward);
    let mut pieces = Vec::new();
    for (number, &(k, forward)) in strands.iter().enumerate() {
        pieces.push(sheet.strand(f64::from(k), forward, !mixed || k % 2 == 0, 0));
        let (Some(&side), Some(&(next, _))) = (helices.get(number), strands.get(number + 1)) else {
            continue;
        };
        if side != 0 {
            let between = f64::from(k + next) / 2.0;
            pieces.push(sheet.helix(between, !forward, f64::from(side), draw, number));
        }
    }
    pieces
}

fn sandwich(draw: &Draw) -> Vec<Piece> {
    let count = draw.whole("strands", 3, 5);
    let length = draw.whole("length", 6, 9);
    let twist = draw.real("twist", -10.0, -6.0);
    let middle = (count as f64 - 1.0) / 2.0;
    let sheet = |height: f64| Sheet { length, twist, height, middle };
    let (lower, upper) = (sheet(-SHEETS_APART / 2.0), sheet(SHEETS_APART / 2.0));
    let there = (0..count).map(|k| lower.strand(k as f64, k % 2 == 0, k % 2 == 0, 0));
    // Back over the upper sheet.
    let back = (0..count).map(|k| {
        let forward = (count + k).is_multiple_of(2);
        upper.strand((count - 1 - k) as f64, forward, k % 2 == 0, 0)
    });
    there.chain(back).collect()
}

/// Eight strands around a barrel whose lattice closes after eight strands and eight residues.
fn barrel(helices: bool, draw: &Draw) -> Vec<Piece> {
    let length = if helices { draw.whole("length", 6, 7) } else { draw.whole("length", 9, 12) };
    let (round, shear) = (BARREL as f64 * STRANDS_APART, BARREL as f64 * STRAND_RISE);
    let circumference = round.hypot(shear);
    let radius = circumference / TAU;
    let lean = shear.atan2(round);
    // The chain goes on to the strand that is at lower y: to the right, seen from the helices.
    let wrapped = |p: Vector| {
        let (along, across) = (p[0] * lean.cos() + p[1] * lean.sin(), p[1] * lean.cos() - p[0] * lean.sin());
        let about = across / radius;
        let out = radius + p[2];
        [along, out * about.sin(), out * about.cos()]
    };
    let mut pieces = Vec::new();
    for k in 0..BARREL {
        let forward = helices || k % 2 == 0;
        let y = -(k as f64) * STRANDS_APART;
        // Every second strand is two columns on, so that all are at the same height of the barrel.
        let shift = 2 * ((k as i32 + 1) / 2);
        let first = shift - length as i32 / 2;
        let residues = strand(first, length, forward, helices || k % 2 == 0)
            .into_iter()
            .map(|atoms| atoms.map(|p| wrapped([p[0], p[1] + y, p[2]])))
            .collect();
        pieces.push(Piece { secondary: Secondary::Strand, residues });
        if helices && k + 1 < BARREL {
            let between = wrapped([f64::from(shift) * STRAND_RISE, y - STRANDS_APART / 2.0, 0.0]);
            let out = super::super::geometry::unit([0.0, between[1], between[2]]);
            let sideways = cross([1.0, 0.0, 0.0], out);
            let tilt = lean * 0.6;
            let axis = add(scale([-1.0, 0.0, 0.0], tilt.cos()), scale(sideways, -tilt.sin()));
            let middle = add(between, scale(out, HELIX_FROM_SHEET));
            let count = draw.whole(&format!("helix {k}"), 11, 14);
            pieces.push(placed_helix(count, draw.real(&format!("phase {k}"), 0.0, 360.0), middle, axis, out));
        }
    }
    pieces
}

/// Single residues far enough from each other that only loops are between them, on a walk that avoids itself.
fn disordered(draw: &Draw) -> Vec<Piece> {
    let count = draw.whole("points", 8, 14);
    let mut points: Vec<Vector> = vec![[0.0; 3]];
    let mut attempt = 0;
    while points.len() < count && attempt < 10_000 {
        attempt += 1;
        let z = draw.real(&format!("z {attempt}"), -1.0, 1.0);
        let about = draw.real(&format!("about {attempt}"), 0.0, TAU);
        let flat = (1.0 - z * z).sqrt();
        let step = scale(
            [flat * about.cos(), flat * about.sin(), z],
            draw.real(&format!("step {attempt}"), 14.0, 20.0),
        );
        let next = add(points[points.len() - 1], step);
        let free = |p: &Vector| super::super::geometry::distance(*p, next) > 12.0;
        if points.iter().all(free) {
            points.push(next);
        }
    }
    points
        .windows(2)
        .map(|pair| {
            let towards = super::super::geometry::unit(super::super::geometry::sub(pair[1], pair[0]));
            let reference = if towards[2].abs() < 0.8 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] };
            let side = super::super::geometry::unit(cross(towards, reference));
            let other = cross(towards, side);
            let residues = strand(0, 2, true, true).into_iter().map(|atoms: Atoms| {
                atoms.map(|p| {
                    add(pair[0], add(scale(towards, p[0]), add(scale(side, p[1]), scale(other, p[2]))))
                })
            });
            Piece { secondary: Secondary::Coil, residues: residues.collect() }
        })
        .collect()
}
