//! Secondary structure from Cα atoms alone, for entries that have no others: distances and angles of the trace, after
//! G. Labesse, N. Colloc'h, J. Pothier and J.-P. Mornon, "P-SEA: a new efficient assignment of secondary structure from
//! Cα trace of proteins", CABIOS 13 (1997), 291–295.
//!
//! Of a residue i there are the distances from i−1 to i+1, i+2 and i+3, the angle at i, and the dihedral angle of i−1 to
//! i+2. How many residues in a row make a helix or a strand is not the paper's: chosen so that, on the eleven chains of
//! which DSSP's word is at hand, most residues agree (85 % in three states; with the paper's five in a row it is 78 %).
//! Two that look like a helix and the one after them are one. Three that look like a strand's and have another strand
//! beside them are a strand, and so is a neighbour that fits half.

use super::geometry::{Vector, angle, dihedral, distance, near_pairs, sub, wide};
use super::{Chain, Polymer, Secondary};

/// Middle and half width of what a helix and a strand have (ångström, degrees): the paper's table.
struct Shape {
    d2: (f64, f64),
    d3: (f64, f64),
    d4: (f64, f64),
    angle: (f64, f64),
    dihedral: (f64, f64),
}

const HELIX: Shape =
    Shape { d2: (5.5, 0.5), d3: (5.3, 0.5), d4: (6.4, 0.6), angle: (89.0, 12.0), dihedral: (50.0, 20.0) };
const STRAND: Shape =
    Shape { d2: (6.7, 0.6), d3: (9.9, 0.9), d4: (12.4, 1.1), angle: (124.0, 14.0), dihedral: (-170.0, 45.0) };
/// Cα atoms of strands side by side are 4.2 to 5.2 Å apart; a little more is allowed for.
const BESIDE: f64 = 5.5;

/// The three states of a chain's residues.
pub fn assign(chain: &Chain) -> Vec<Secondary> {
    let mut states = vec![Secondary::Coil; chain.residues.len()];
    let mut traces: Vec<(usize, Vec<Vector>)> = Vec::new();
    let mut before = None;
    for (place, residue) in chain.residues.iter().enumerate() {
        let Some(ca) = residue.trace.filter(|_| residue.polymer == Polymer::Protein) else { continue };
        let goes_on = residue.joined && before == Some(place.wrapping_sub(1));
        match traces.last_mut().filter(|_| goes_on) {
            Some((_, trace)) => trace.push(wide(ca)),
            None => traces.push((place, vec![wide(ca)])),
        }
        before = Some(place);
    }
    let fits: Vec<(usize, Vec<Fit>)> = traces
        .iter()
        .map(|(first, trace)| (*first, (0..trace.len()).map(|i| Fit::of(trace, i)).collect()))
        .collect();
    let beside = strands_beside(&traces, &fits);
    for (first, fits) in &fits {
        let states = &mut states[*first..*first + fits.len()];
        let strand: Vec<bool> = fits.iter().map(|fit| fit.strand).collect();
        for (from, to) in runs(&strand) {
            let with_another = (from..to).filter(|i| beside[first + i]).count() >= 2;
            if to - from >= 3 && with_another {
                extend(states, from, to, Secondary::Strand, |i| fits[i].nearly_strand);
            }
        }
        let helix: Vec<bool> = fits.iter().map(|fit| fit.helix).collect();
        for (from, to) in runs(&helix) {
            if to - from >= 2 {
                states[from..(to + 1).min(fits.len())].fill(Secondary::Helix);
            }
        }
    }
    states
}

/// What a residue looks like.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    helix: bool,
    strand: bool,
    nearly_strand: bool,
}

impl Fit {
    fn of(trace: &[Vector], i: usize) -> Self {
        let at = |offset: isize| i.checked_add_signed(offset).and_then(|place| trace.get(place)).copied();
        let far = |to: isize| Some(distance(at(-1)?, at(to)?));
        let (d2, d3, d4) = (far(1), far(2), far(3));
        let bend = || Some(angle(sub(at(-1)?, at(0)?), sub(at(1)?, at(0)?)));
        let turn = || Some(dihedral(at(-1)?, at(0)?, at(1)?, at(2)?));
        let (bend, turn) = (bend(), turn());
        let within = |value: Option<f64>, (middle, width): (f64, f64)| {
            value.is_some_and(|value| (value - middle).abs() <= width)
        };
        let round = |value: Option<f64>, (middle, width): (f64, f64)| {
            value.is_some_and(|value| ((value - middle + 540.0).rem_euclid(360.0) - 180.0).abs() <= width)
        };
        let angles = |shape: &Shape| within(bend, shape.angle) && round(turn, shape.dihedral);
        Self {
            helix: (within(d3, HELIX.d3) && within(d4, HELIX.d4)) || angles(&HELIX),
            strand: (within(d2, STRAND.d2) && within(d3, STRAND.d3) && within(d4, STRAND.d4))
                || angles(&STRAND),
            nearly_strand: within(d3, STRAND.d3),
        }
    }
}

/// Whether a residue that looks like a strand's has another such beside it, by its place in the chain.
fn strands_beside(traces: &[(usize, Vec<Vector>)], fits: &[(usize, Vec<Fit>)]) -> Vec<bool> {
    let last = traces.last().map_or(0, |(first, trace)| first + trace.len());
    let mut beside = vec![false; last];
    let (mut points, mut places) = (Vec::new(), Vec::new());
    for ((first, trace), (_, fits)) in traces.iter().zip(fits) {
        for (i, (point, fit)) in trace.iter().zip(fits).enumerate() {
            if fit.strand {
                points.push(*point);
                places.push(first + i);
            }
        }
    }
    for (a, b) in near_pairs(&points, BESIDE) {
        let (a, b) = (places[a as usize], places[b as usize]);
        if b >= a + 3 {
            beside[a] = true;
            beside[b] = true;
        }
    }
    beside
}

/// Runs of `true`, as from..to.
fn runs(of: &[bool]) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut from = None;
    for (i, value) in of.iter().chain([&false]).enumerate() {
        match (from, value) {
            (None, true) => from = Some(i),
            (Some(first), false) => {
                runs.push((first, i));
                from = None;
            }
            _ => {}
        }
    }
    runs
}

/// Marks a run, and the neighbour on each side that fits half.
fn extend(states: &mut [Secondary], from: usize, to: usize, state: Secondary, fits: impl Fn(usize) -> bool) {
    states[from..to].fill(state);
    if let Some(before) = from.checked_sub(1)
        && fits(before)
    {
        states[before] = state;
    }
    if to < states.len() && fits(to) {
        states[to] = state;
    }
}
