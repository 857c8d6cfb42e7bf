//! A structure as a surface: helices as ribbons, strands as arrows, the rest as tubes, nucleic acids as a tube with a
//! rod for each base.
//!
//! Sizes are PyMOL's defaults, in ångström (`cartoon_oval_length`, `cartoon_oval_width`, `cartoon_rect_length`,
//! `cartoon_rect_width`, `cartoon_loop_radius`, `cartoon_tube_radius`, `cartoon_ladder_radius`).

use crate::render::mesh::{Colour, Corner, Mesh, ellipse, rectangle};
use crate::render::trace::{Guide, Run, Sample, runs, sample};
use crate::render::vector::{any_perpendicular, mix, sub, unit};
use crate::structure::{Point, Polymer, Secondary, Structure};

/// Half-axes of a helix's ribbon.
const HELIX: [f32; 2] = [1.35, 0.25];
/// Half-sides of a strand's ribbon: 1.4 and 0.4 along the diagonals' axes.
const STRAND: [f32; 2] = [1.4 * std::f32::consts::FRAC_1_SQRT_2, 0.4 * std::f32::consts::FRAC_1_SQRT_2];
/// How much wider than its strand an arrow's head begins.
const HEAD: f32 = 1.5;
/// A coil's radius.
const COIL: f32 = 0.2;
/// The radius of a chain of which nothing but the trace is known.
const BARE: f32 = 0.5;
/// A nucleic backbone's radius.
const BACKBONE: f32 = 0.5;
/// A base's radius.
const ROD: f32 = 0.25;
/// Where no two residues are joined each is a ball of this radius.
const ALONE: f32 = 0.5;

/// What a piece of a cartoon is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A helix's ribbon.
    Helix,
    /// A strand's arrow.
    Strand,
    /// A tube.
    Coil,
    /// A nucleic acid's backbone or base.
    Nucleic,
}

/// How finely a structure is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Detail {
    /// Samples from one residue to the next.
    steps: usize,
    helix: usize,
    coil: usize,
}

impl Detail {
    /// A structure of many residues is drawn so small that fewer corners are seen; memory stays bounded.
    fn of(residues: usize) -> Self {
        match residues {
            0..=3_000 => Self { steps: 7, helix: 16, coil: 10 },
            3_001..=10_000 => Self { steps: 5, helix: 10, coil: 8 },
            10_001..=50_000 => Self { steps: 3, helix: 8, coil: 6 },
            _ => Self { steps: 2, helix: 6, coil: 4 },
        }
    }
}

/// The cartoon of `structure`; `paint` gives the colour of a residue, counted through all chains, in a shape.
pub fn cartoon(structure: &Structure, paint: impl Fn(u32, Shape) -> Colour) -> Mesh {
    let residues = structure.chains.iter().map(|chain| chain.residues.len()).sum();
    let detail = Detail::of(residues);
    let mut mesh = Mesh::default();
    let mut first = 0;
    let mut single = Vec::new();
    for chain in &structure.chains {
        for run in runs(chain, first) {
            match (run.polymer, run.guides.as_slice()) {
                (_, [alone]) => single.push(*alone),
                (Polymer::Protein, _) => protein(&mut mesh, &run, detail, &paint),
                (Polymer::Nucleic, _) => nucleic(&mut mesh, &run, detail, &paint),
            }
        }
        first += chain.residues.len() as u32;
    }
    // Beside a fold, residues without a neighbour are solvent or remains of gaps: no cartoon shows them.
    if mesh.triangles.is_empty() {
        let rings = if single.len() > 100 { 4 } else { 16 };
        for guide in single {
            mesh.ball(guide.position, ALONE, rings, paint(guide.residue, Shape::Coil));
        }
    }
    mesh
}

fn protein(mesh: &mut Mesh, run: &Run, detail: Detail, paint: &impl Fn(u32, Shape) -> Colour) {
    let samples = sample(&run.guides, detail.steps);
    let (helix, strand) = (ellipse(HELIX[0], HELIX[1], detail.helix), rectangle(STRAND[0], STRAND[1]));
    let radius = if run.bare { BARE } else { COIL };
    let coil = ellipse(radius, radius, detail.coil);
    for (shape, from, to) in pieces(&run.guides) {
        let line = &samples[from * detail.steps..=to * detail.steps];
        let paint = |sample: &Sample| paint(sample.residue, shape);
        match shape {
            Shape::Helix => tube(mesh, line, &helix, paint),
            Shape::Strand => arrow(mesh, line, &strand, detail.steps, paint),
            Shape::Coil | Shape::Nucleic => tube(mesh, line, &coil, paint),
        }
    }
}

/// What lies between residues, in pieces of one shape, each from a guide to a guide.
fn pieces(guides: &[Guide]) -> Vec<(Shape, usize, usize)> {
    let mut pieces: Vec<(Shape, usize, usize)> = Vec::new();
    for (i, pair) in guides.windows(2).enumerate() {
        let shape = match (pair[0].secondary, pair[1].secondary) {
            (Secondary::Helix, Secondary::Helix) => Shape::Helix,
            (Secondary::Strand, Secondary::Strand) => Shape::Strand,
            _ => Shape::Coil,
        };
        match pieces.last_mut() {
            Some((last, _, to)) if *last == shape => *to = i + 1,
            _ => pieces.push((shape, i, i + 1)),
        }
    }
    pieces
}

/// A closed piece of one section.
fn tube(mesh: &mut Mesh, line: &[Sample], section: &[Corner], paint: impl Fn(&Sample) -> Colour) {
    let [first, .., last] = line else { return };
    mesh.extrude(line, section, |_| 1.0, &paint);
    mesh.close(first, section, 1.0, false, paint(first));
    mesh.close(last, section, 1.0, true, paint(last));
}

/// A strand, whose last segment is the arrow's head.
fn arrow(
    mesh: &mut Mesh,
    line: &[Sample],
    section: &[Corner],
    steps: usize,
    paint: impl Fn(&Sample) -> Colour,
) {
    let (shaft, head) = (&line[..line.len() - steps], &line[line.len() - 1 - steps..]);
    if shaft.len() > 1 {
        tube(mesh, shaft, section, &paint);
    }
    let narrowing = |i: usize| HEAD * (1.0 - i as f32 / steps as f32);
    mesh.extrude(head, section, narrowing, &paint);
    mesh.close(&head[0], section, HEAD, false, paint(&head[0]));
}

fn nucleic(mesh: &mut Mesh, run: &Run, detail: Detail, paint: &impl Fn(u32, Shape) -> Colour) {
    let samples = sample(&run.guides, detail.steps);
    let paint = |sample: &Sample| paint(sample.residue, Shape::Nucleic);
    tube(mesh, &samples, &ellipse(BACKBONE, BACKBONE, detail.coil + 2), paint);
    let rod = ellipse(ROD, ROD, detail.coil);
    for (i, guide) in run.guides.iter().enumerate() {
        // The O3′ at the end is no nucleotide.
        let first = i == 0 || run.guides[i - 1].residue != guide.residue;
        let Some(end) = guide.base.filter(|_| first) else { continue };
        // A nucleotide's sugar lies between its phosphorus and the next.
        let next = run.guides.get(i + 1).unwrap_or(guide);
        let sugar = mix(guide.position, next.position, 0.5);
        let at = |position: Point, tangent: Point| Sample {
            position,
            tangent,
            wide: any_perpendicular(tangent),
            residue: guide.residue,
        };
        let Some(along) = unit(sub(end, sugar)) else { continue };
        tube(mesh, &[at(sugar, along), at(end, along)], &rod, paint);
    }
}
