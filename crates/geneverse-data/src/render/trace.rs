//! The line that a cartoon follows: through the Cα atoms of a protein and the phosphorus atoms of a nucleic acid, with
//! a direction at each residue in which a ribbon is wide.
//!
//! The conventions are those that structural biologists know from PyMOL's default cartoon, found by measuring what it
//! draws (`benches/cartoon.py` measures how close this comes):
//!
//! - The line passes through every Cα, except in strands: there it is smoothed, four times by the mean of three
//!   neighbours, with the strand's ends held, because a strand's Cα atoms zigzag.
//! - A strand is wide along C=O, smoothed in the same way. Consecutive C=O point to opposite sides, so a direction is
//!   turned round where that brings it closer to the one before: a ribbon's two sides are the same.
//! - A helix is wide along its axis, Cα(i−2) → Cα(i+2), and at its ends along the mean of the nearest three of these.
//! - Between two residues the line is a blend of both neighbours' tangents, then evened out ([`sample`]).

use crate::render::vector::{
    add, add_scaled, any_perpendicular, cross, dot, finite, length, mix, perpendicular, scale, sub, unit,
};
use crate::structure::{Chain, Point, Polymer, Residue, Secondary};

/// How often a strand's line and its directions are smoothed.
const STRAND_CYCLES: usize = 4;
/// How often the line between two residues is evened out.
const REFINE_CYCLES: usize = 5;
/// How far a blended segment swings out, in lengths of the segment.
const THROW: f32 = 1.35;
/// How suddenly the position goes over from one residue to the next.
const POSITION_POWER: f32 = 2.0;
/// How suddenly the tangent does.
const TANGENT_POWER: f32 = 0.52;

/// A residue on the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Guide {
    /// Where the line passes.
    pub position: Point,
    /// Where it goes, a unit vector.
    pub tangent: Point,
    /// The direction in which a ribbon is wide, perpendicular to the tangent.
    pub wide: Point,
    /// Helix, strand or coil; a nucleotide is coil.
    pub secondary: Secondary,
    /// Which residue of the structure, counted through all chains.
    pub residue: u32,
    /// Where a nucleotide's base ends.
    pub base: Option<Point>,
}

/// Residues without a break between them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub polymer: Polymer,
    /// Along the polymer; the last nucleotide's O3′, where it is known, follows as a guide of its own.
    pub guides: Vec<Guide>,
    /// Whether nothing but Cα is known, neither other atoms nor helices and strands.
    pub bare: bool,
}

/// A place on the line between two guides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub position: Point,
    pub tangent: Point,
    pub wide: Point,
    /// The nearer residue.
    pub residue: u32,
}

/// The runs of a chain whose first residue is number `first` of the structure. A residue without a usable trace atom
/// ends a run.
pub(crate) fn runs(chain: &Chain, first: u32) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut open: Vec<(u32, &Residue, Point)> = Vec::new();
    for (residue, number) in chain.residues.iter().zip(first..) {
        let place = residue.trace.filter(|p| finite(*p));
        let goes_on =
            residue.joined && open.last().is_some_and(|(_, last, _)| last.polymer == residue.polymer);
        if (place.is_none() || !goes_on) && !open.is_empty() {
            runs.push(run(&open));
            open.clear();
        }
        open.extend(place.map(|place| (number, residue, place)));
    }
    if !open.is_empty() {
        runs.push(run(&open));
    }
    runs
}

fn run(residues: &[(u32, &Residue, Point)]) -> Run {
    let polymer = residues[0].1.polymer;
    let mut states: Vec<Secondary> = match polymer {
        Polymer::Protein => residues.iter().map(|(_, residue, _)| residue.secondary).collect(),
        Polymer::Nucleic => vec![Secondary::Coil; residues.len()],
    };
    let mut atoms: Vec<Point> = residues.iter().map(|(.., place)| *place).collect();
    let mut residues = residues.to_vec();
    if let Some(last) = residues.last().copied().filter(|_| polymer == Polymer::Nucleic) {
        let end = last.1.o.filter(|p| finite(*p));
        atoms.extend(end);
        states.extend(end.map(|_| Secondary::Coil));
        residues.extend(end.map(|_| last));
    }
    let bare = polymer == Polymer::Protein
        && residues.iter().all(|(_, r, _)| r.c.is_none() && r.o.is_none() && r.secondary == Secondary::Coil);
    let mut places = atoms.clone();
    let mut wide = carbonyls(&residues, &atoms);
    for (state, from, to) in stretches(&states) {
        match state {
            Secondary::Helix => along_axis(&atoms, &mut wide, from, to),
            Secondary::Strand => {
                for _ in 0..STRAND_CYCLES {
                    smooth(&mut places[from..=to], |p| p);
                    smooth(&mut wide[from..=to], |p| unit(p).unwrap_or(p));
                }
            }
            Secondary::Coil => {}
        }
    }
    let tangents = tangents(&places);
    let mut before: Option<Point> = None;
    let mut guides = Vec::with_capacity(residues.len());
    for (i, (number, residue, _)) in residues.iter().enumerate() {
        let tangent = tangents[i];
        let turned = facing(perpendicular(wide[i], tangent), before, tangent);
        before = Some(turned);
        guides.push(Guide {
            position: places[i],
            tangent,
            wide: turned,
            secondary: states[i],
            residue: *number,
            base: residue.side.filter(|p| polymer == Polymer::Nucleic && finite(*p)),
        });
    }
    Run { polymer, guides, bare }
}

/// `direction`, or where there is none the one before it, turned to the side of the one before it.
fn facing(direction: Option<Point>, before: Option<Point>, tangent: Point) -> Point {
    match (direction, before) {
        (Some(now), Some(before)) if dot(now, before) < 0.0 => scale(now, -1.0),
        (Some(now), _) => now,
        (None, Some(before)) => perpendicular(before, tangent).unwrap_or_else(|| any_perpendicular(tangent)),
        (None, None) => any_perpendicular(tangent),
    }
}

/// The directions of C=O, each turned to the side of the one before; where atoms are missing, the binormal of the
/// trace, which in a strand is the same line.
fn carbonyls(residues: &[(u32, &Residue, Point)], places: &[Point]) -> Vec<Point> {
    let tangents = tangents(places);
    let mut wide: Vec<Point> = Vec::with_capacity(residues.len());
    for (i, (_, residue, _)) in residues.iter().enumerate() {
        let bond = match (residue.c, residue.o) {
            (Some(c), Some(o)) => perpendicular(sub(o, c), tangents[i]),
            _ => None,
        };
        let direction = bond.or_else(|| perpendicular(binormal(places, i)?, tangents[i]));
        wide.push(facing(direction, wide.last().copied(), tangents[i]));
    }
    // A last residue's oxygens point anywhere.
    if let [.., before, last] = wide.as_mut_slice() {
        *last = *before;
    }
    wide
}

/// Gives the residues `from..=to` of a helix their directions.
fn along_axis(places: &[Point], wide: &mut [Point], from: usize, to: usize) {
    let axis = |i: usize| sub(places[i + 2], places[i - 2]);
    let inside = from + 2..(to + 1).saturating_sub(2);
    for i in from..=to {
        let direction = if inside.contains(&i) {
            unit(axis(i))
        } else if inside.len() < 2 {
            binormal(places, i)
        } else {
            // Three steps are close to a turn, over which what is across the axis cancels; two are not.
            let near = if inside.len() < 3 { 1 } else { 3 };
            let steps = if i < inside.start {
                inside.start..inside.start + near
            } else {
                inside.end - near..inside.end
            };
            unit(steps.map(axis).fold([0.0; 3], add))
        };
        wide[i] = facing(direction, (i > from).then(|| wide[i - 1]), [0.0, 0.0, 1.0]);
    }
}

/// Perpendicular to the plane of a residue and its neighbours; at an end, of the next such.
fn binormal(places: &[Point], i: usize) -> Option<Point> {
    let last = places.len().checked_sub(2)?;
    let i = i.clamp(1, last.max(1));
    let [before, here, after] = [places.get(i - 1)?, places.get(i)?, places.get(i + 1)?];
    unit(cross(sub(*here, *before), sub(*after, *here)))
}

/// Where the trace goes at each residue: the mean of the directions to its neighbours.
fn tangents(places: &[Point]) -> Vec<Point> {
    let steps: Vec<Option<Point>> = places.windows(2).map(|pair| unit(sub(pair[1], pair[0]))).collect();
    let mut tangents = Vec::with_capacity(places.len());
    for i in 0..places.len() {
        let before = i.checked_sub(1).and_then(|i| steps[i]);
        let after = steps.get(i).copied().flatten();
        let mean = match (before, after) {
            (Some(a), Some(b)) => unit(add(a, b)),
            (one, other) => one.or(other),
        };
        let last = tangents.last().copied();
        tangents.push(mean.or(last).unwrap_or([0.0, 0.0, 1.0]));
    }
    tangents
}

/// One cycle of the mean of three; ends stay.
fn smooth(values: &mut [Point], then: impl Fn(Point) -> Point) {
    let Some(mut before) = values.first().copied() else { return };
    for i in 1..values.len().saturating_sub(1) {
        let here = values[i];
        values[i] = then(scale(add(add(before, here), values[i + 1]), 1.0 / 3.0));
        before = here;
    }
}

/// Stretches of equal state with their first and last place.
fn stretches(states: &[Secondary]) -> Vec<(Secondary, usize, usize)> {
    let mut found: Vec<(Secondary, usize, usize)> = Vec::new();
    for (i, state) in states.iter().enumerate() {
        match found.last_mut() {
            Some((last, _, to)) if last == state => *to = i,
            _ => found.push((*state, i, i)),
        }
    }
    found
}

/// `steps` places from each guide to the next, both ends included: `(guides − 1) × steps + 1` samples.
///
/// A segment goes from one residue to the next as `f₁ p₀ + f₀ p₁ + throw · L · f₂ f₃ (f₃ t₀ − f₂ t₁)`, where `f₀` eases
/// in and out, and `f₂`, `f₃` are `f₀`, `f₁` eased again. Then the samples within it are moved along the direction in
/// which both ends' ribbons are flat, each to the mean of its neighbours.
pub(crate) fn sample(guides: &[Guide], steps: usize) -> Vec<Sample> {
    let Some(start) = guides.first() else { return Vec::new() };
    let mut samples = Vec::with_capacity((guides.len() - 1) * steps + 1);
    let end = |guide: &Guide| Sample {
        position: guide.position,
        tangent: guide.tangent,
        wide: guide.wide,
        residue: guide.residue,
    };
    samples.push(end(start));
    for pair in guides.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let swing = THROW * length(sub(b.position, a.position));
        for step in 1..steps {
            let share = step as f32 / steps as f32;
            let near = ease(share, POSITION_POWER);
            let (f2, f3) = (ease(near, TANGENT_POWER), ease(1.0 - near, TANGENT_POWER));
            let bend = sub(scale(a.tangent, f3), scale(b.tangent, f2));
            samples.push(Sample {
                position: add_scaled(mix(a.position, b.position, near), bend, swing * f2 * f3),
                tangent: a.tangent,
                wide: mix(a.wide, b.wide, near),
                residue: if share <= 0.5 { a.residue } else { b.residue },
            });
        }
        samples.push(end(b));
        even_out(&mut samples, steps);
    }
    frames(&mut samples);
    samples
}

fn ease(x: f32, power: f32) -> f32 {
    if x <= 0.5 { 0.5 * (2.0 * x).powf(power) } else { 1.0 - 0.5 * (2.0 * (1.0 - x)).powf(power) }
}

/// Evens out the last segment of `samples`.
fn even_out(samples: &mut [Sample], steps: usize) {
    let from = samples.len() - 1 - steps;
    let segment = &mut samples[from..];
    let [first, .., last] = &*segment else { return };
    let flat = |sample: &Sample| cross(sample.tangent, sample.wide);
    let Some(along) = unit(cross(flat(first), flat(last))) else { return };
    let mut heights: Vec<f32> = segment.iter().map(|s| dot(s.position, along)).collect();
    let before = heights.clone();
    for _ in 0..REFINE_CYCLES {
        let mut left = heights[0];
        for i in 1..steps {
            let here = heights[i];
            heights[i] = 0.5 * (left + heights[i + 1]);
            left = here;
        }
    }
    for ((sample, now), then) in segment.iter_mut().zip(heights).zip(before) {
        sample.position = add_scaled(sample.position, along, now - then);
    }
}

/// Makes tangents those of the sampled line, and `wide` perpendicular to them.
fn frames(samples: &mut [Sample]) {
    let places: Vec<Point> = samples.iter().map(|s| s.position).collect();
    let mut before: Option<Point> = None;
    for (i, sample) in samples.iter_mut().enumerate() {
        let (from, to) = (places[i.saturating_sub(1)], places[(i + 1).min(places.len() - 1)]);
        sample.tangent = unit(sub(to, from)).unwrap_or(sample.tangent);
        sample.wide = facing(perpendicular(sample.wide, sample.tangent), before, sample.tangent);
        before = Some(sample.wide);
    }
}
