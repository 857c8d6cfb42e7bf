//! Secondary structure from hydrogen bonds: W. Kabsch and C. Sander, "Dictionary of protein secondary structure",
//! Biopolymers 22 (1983), 2577–2637, as the program DSSP 4 applies it.
//!
//! A bond from N–H to O=C has the energy 27.888 (1/ON + 1/CH − 1/OH − 1/CN) kcal/mol, distances in ångström; it is one
//! below −0.5, and each N–H and each O=C has two at most, the strongest. The hydrogen lies 1 Å from N, opposite to the
//! carbonyl before. Two bonds make a bridge, bridges in a row a ladder (E; a lone one is B), ladders with a bulge between
//! them one ladder. Two bonds of residues i+n to i in a row make a helix (H, G, I for n = 4, 3, 5), a single one a turn
//! (T); where the chain bends by more than 70° in five residues is a bend (S).
//!
//! Of DSSP 4 and not of the paper are: π helices go before α helices, and a left-handed polyproline helix (P) is three
//! residues or more with φ −75° ± 29° and ψ 145° ± 29°.

use std::collections::HashMap;

use super::geometry::{Vector, add, angle, dihedral, distance, near_pairs, sub, unit, wide};
use super::{Chain, Polymer, Residue, Secondary};

/// Farther apart no two Cα atoms are whose residues are bonded (ångström).
const NEAR: f64 = 9.0;
/// The energy below which there is a bond, the lowest there can be (kcal/mol), and the nearest distance (ångström).
const BOND: f64 = -0.5;
const LOWEST: f64 = -9.9;
const NEAREST: f64 = 0.5;
/// Charges of 0.42 and 0.20 electrons, and 332 kcal Å / mol.
const COUPLING: f64 = 27.888;
/// Curvature of a bend, in degrees.
const BEND: f64 = 70.0;

/// What DSSP says of a residue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum State {
    /// H: α helix.
    Alpha,
    /// B: a bridge alone.
    Bridge,
    /// E: a strand of a ladder.
    Strand,
    /// G: 3₁₀ helix.
    ThreeTen,
    /// I: π helix.
    Pi,
    /// P: left-handed polyproline helix.
    Polyproline,
    /// T: a turn with a hydrogen bond.
    Turn,
    /// S: a bend.
    Bend,
    /// None of these.
    #[default]
    Loop,
}

impl State {
    /// DSSP's letter; a loop's is blank.
    pub fn letter(self) -> char {
        match self {
            Self::Alpha => 'H',
            Self::Bridge => 'B',
            Self::Strand => 'E',
            Self::ThreeTen => 'G',
            Self::Pi => 'I',
            Self::Polyproline => 'P',
            Self::Turn => 'T',
            Self::Bend => 'S',
            Self::Loop => ' ',
        }
    }

    /// Helix for H, G and I, strand for E, coil for the rest: a bridge alone is no strand to draw.
    pub fn three(self) -> Secondary {
        match self {
            Self::Alpha | Self::ThreeTen | Self::Pi => Secondary::Helix,
            Self::Strand => Secondary::Strand,
            _ => Secondary::Coil,
        }
    }
}

/// Every residue's state, chain by chain. A residue without N, Cα, C and O is a loop, and the chain breaks at it.
pub fn assign(chains: &[Chain]) -> Vec<Vec<State>> {
    let backbone = Backbone::of(chains);
    let bonds = Bonds::of(&backbone);
    let mut states = vec![State::Loop; backbone.residues.len()];
    ladders(&backbone, &bonds, &mut states);
    helices(&backbone, &bonds, &mut states);
    polyproline(&backbone, &mut states);
    let mut all: Vec<Vec<State>> =
        chains.iter().map(|chain| vec![State::Loop; chain.residues.len()]).collect();
    for (residue, state) in backbone.residues.iter().zip(states) {
        all[residue.chain][residue.place] = state;
    }
    all
}

/// Whether the chain has what hydrogen bonds are reckoned from, in at least half of its amino acids.
pub fn has_backbone(chain: &Chain) -> bool {
    let amino = chain.residues.iter().filter(|r| r.polymer == Polymer::Protein);
    let (mut all, mut whole) = (0, 0);
    for residue in amino {
        all += 1;
        whole += usize::from(atoms(residue).is_some());
    }
    all > 0 && 2 * whole >= all
}

fn atoms(residue: &Residue) -> Option<[Vector; 4]> {
    if residue.polymer != Polymer::Protein {
        return None;
    }
    Some([residue.n?, residue.trace?, residue.c?, residue.o?].map(wide))
}

struct Whole {
    chain: usize,
    place: usize,
    n: Vector,
    ca: Vector,
    c: Vector,
    o: Vector,
    /// `None` of proline and after a break: it gives no bond.
    h: Option<Vector>,
    /// The unbroken stretch of chain that it is in.
    stretch: usize,
}

/// The residues with a whole backbone, of all chains.
struct Backbone {
    residues: Vec<Whole>,
}

impl Backbone {
    fn of(chains: &[Chain]) -> Self {
        let mut residues: Vec<Whole> = Vec::new();
        let mut stretch = 0;
        for (chain, of_chain) in chains.iter().enumerate() {
            for (place, residue) in of_chain.residues.iter().enumerate() {
                let Some([n, ca, c, o]) = atoms(residue) else { continue };
                let before =
                    residues.last().filter(|b| residue.joined && b.chain == chain && b.place + 1 == place);
                let h = before
                    .filter(|_| residue.letter() != 'P')
                    .map(|before| add(n, unit(sub(before.c, before.o))));
                stretch += usize::from(before.is_none());
                residues.push(Whole { chain, place, n, ca, c, o, h, stretch });
            }
        }
        Self { residues }
    }

    fn len(&self) -> usize {
        self.residues.len()
    }

    /// Whether the chain is whole from one to the other.
    fn unbroken(&self, a: usize, b: usize) -> bool {
        match (self.residues.get(a), self.residues.get(b)) {
            (Some(a), Some(b)) => a.stretch == b.stretch,
            _ => false,
        }
    }
}

/// The two strongest bonds of each N–H.
struct Bonds {
    near: Vec<(u32, u32)>,
    given: Vec<[(f64, usize); 2]>,
}

impl Bonds {
    fn of(backbone: &Backbone) -> Self {
        let residues = &backbone.residues;
        let points: Vec<Vector> = residues.iter().map(|r| r.ca).collect();
        let near = near_pairs(&points, NEAR);
        let none = (0.0, usize::MAX);
        let mut given = vec![[none; 2]; residues.len()];
        let mut offer = |donor: usize, acceptor: usize| {
            let (d, a) = (&residues[donor], &residues[acceptor]);
            let Some(h) = d.h else { return };
            let energy = energy(d.n, h, a.c, a.o);
            let best = &mut given[donor];
            if energy < best[0].0 {
                best[1] = best[0];
                best[0] = (energy, acceptor);
            } else if energy < best[1].0 {
                best[1] = (energy, acceptor);
            }
        };
        for &(i, j) in &near {
            let (i, j) = (i as usize, j as usize);
            offer(i, j);
            // The amide of the next residue is bound to this carbonyl already, by a bond of another kind.
            if j != i + 1 {
                offer(j, i);
            }
        }
        Self { near, given }
    }

    /// Whether the N–H of one is bonded to the O=C of the other.
    fn has(&self, donor: usize, acceptor: usize) -> bool {
        self.given[donor].iter().any(|(energy, to)| *to == acceptor && *energy < BOND)
    }
}

/// DSSP keeps three decimals.
fn energy(n: Vector, h: Vector, c: Vector, o: Vector) -> f64 {
    let (ho, hc, nc, no) = (distance(h, o), distance(h, c), distance(n, c), distance(n, o));
    if [ho, hc, nc, no].iter().any(|d| *d < NEAREST) {
        return LOWEST;
    }
    let energy = COUPLING * (1.0 / no + 1.0 / hc - 1.0 / ho - 1.0 / nc);
    ((energy * 1000.0).round() / 1000.0).max(LOWEST)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Parallel,
    Antiparallel,
}

/// The bridge of two residues, if there is one: the paper's four patterns of two bonds.
fn bridge(backbone: &Backbone, bonds: &Bonds, i: usize, j: usize) -> Option<Direction> {
    let (a, c, d, f) = (i.checked_sub(1)?, i + 1, j.checked_sub(1)?, j + 1);
    if !backbone.unbroken(a, c) || !backbone.unbroken(d, f) {
        return None;
    }
    let both = |x: (usize, usize), y: (usize, usize)| bonds.has(x.0, x.1) && bonds.has(y.0, y.1);
    if both((c, j), (j, a)) || both((f, i), (i, d)) {
        Some(Direction::Parallel)
    } else if both((c, d), (f, a)) || both((j, i), (i, j)) {
        Some(Direction::Antiparallel)
    } else {
        None
    }
}

/// Bridges in a row.
struct Ladder {
    direction: Direction,
    /// First and last residue of each side, the lower number first.
    i: (usize, usize),
    j: (usize, usize),
    bridges: usize,
}

fn ladders(backbone: &Backbone, bonds: &Bonds, states: &mut [State]) {
    let mut ladders: Vec<Ladder> = Vec::new();
    // The bridge that would make a ladder longer.
    let mut open: HashMap<(Direction, usize, usize), usize> = HashMap::new();
    for &(i, j) in &bonds.near {
        let (i, j) = (i as usize, j as usize);
        // Three residues of each side take part, and none of both.
        let Some(direction) = (j >= i + 3).then(|| bridge(backbone, bonds, i, j)).flatten() else { continue };
        let place = match open.remove(&(direction, i, j)) {
            Some(place) => {
                let ladder = &mut ladders[place];
                ladder.i.1 = i;
                ladder.j = (ladder.j.0.min(j), ladder.j.1.max(j));
                ladder.bridges += 1;
                place
            }
            None => {
                ladders.push(Ladder { direction, i: (i, i), j: (j, j), bridges: 1 });
                ladders.len() - 1
            }
        };
        let next = match direction {
            Direction::Parallel => Some(j + 1),
            Direction::Antiparallel => j.checked_sub(1),
        };
        if let Some(next) = next {
            open.entry((direction, i + 1, next)).or_insert(place);
        }
    }
    ladders.sort_by_key(|ladder| ladder.i.0);
    join_bulges(backbone, &mut ladders);
    for ladder in ladders {
        let state = if ladder.bridges > 1 { State::Strand } else { State::Bridge };
        for (first, last) in [ladder.i, ladder.j] {
            for state_of in states.iter_mut().take(last + 1).skip(first) {
                if *state_of != State::Strand {
                    *state_of = state;
                }
            }
        }
    }
}

/// Two ladders of a direction are one if at most one residue is between them on one side and at most four on the other.
fn join_bulges(backbone: &Backbone, ladders: &mut Vec<Ladder>) {
    let mut i = 0;
    while i < ladders.len() {
        let mut j = i + 1;
        while j < ladders.len() {
            let (one, other) = (&ladders[i], &ladders[j]);
            if other.i.0 >= one.i.1 + 6 {
                break;
            }
            let overlap = one.i.1 >= other.i.0 && one.i.0 <= other.i.1;
            let whole = |a: (usize, usize), b: (usize, usize)| backbone.unbroken(a.0.min(b.0), a.1.max(b.1));
            let gap_i = other.i.0.saturating_sub(one.i.1);
            let gap_j = match one.direction {
                Direction::Parallel => other.j.0.checked_sub(one.j.1),
                Direction::Antiparallel => one.j.0.checked_sub(other.j.1),
            };
            let joins = one.direction == other.direction
                && !overlap
                && whole(one.i, other.i)
                && whole(one.j, other.j)
                && gap_j.is_some_and(|gap| gap < 3 || (gap < 6 && gap_i < 3));
            if joins {
                let other = ladders.remove(j);
                let one = &mut ladders[i];
                one.i.1 = one.i.1.max(other.i.1);
                one.j = (one.j.0.min(other.j.0), one.j.1.max(other.j.1));
                one.bridges += other.bridges;
            } else {
                j += 1;
            }
        }
        i += 1;
    }
}

fn helices(backbone: &Backbone, bonds: &Bonds, states: &mut [State]) {
    let n = backbone.len();
    // Where a turn of 3, 4 or 5 begins.
    let turns: Vec<Vec<bool>> = (3..=5)
        .map(|span| {
            let bonded = |i: usize| i + span < n && backbone.unbroken(i, i + span) && bonds.has(i + span, i);
            (0..n).map(bonded).collect()
        })
        .collect();
    let starts = |span: usize, i: usize| turns[span - 3][i] && turns[span - 3][i - 1];
    for i in 1..n.saturating_sub(4) {
        if starts(4, i) {
            states[i..i + 4].fill(State::Alpha);
        }
    }
    for (span, state, over) in [(3, State::ThreeTen, State::ThreeTen), (5, State::Pi, State::Alpha)] {
        for i in 1..n.saturating_sub(span) {
            let free = |s: &State| *s == State::Loop || *s == state || *s == over;
            if starts(span, i) && states[i..i + span].iter().all(free) {
                states[i..i + span].fill(state);
            }
        }
    }
    for i in 1..n.saturating_sub(1) {
        if states[i] != State::Loop {
            continue;
        }
        let turn = (3..=5).any(|span| (1..span).any(|k| i >= k && turns[span - 3][i - k]));
        let bends = || {
            i >= 2 && i + 2 < n && backbone.unbroken(i - 2, i + 2) && {
                let at = |k: usize| backbone.residues[k].ca;
                angle(sub(at(i), at(i - 2)), sub(at(i + 2), at(i))) > BEND
            }
        };
        if turn {
            states[i] = State::Turn;
        } else if bends() {
            states[i] = State::Bend;
        }
    }
}

fn polyproline(backbone: &Backbone, states: &mut [State]) {
    let residues = &backbone.residues;
    let within = |angle: f64, middle: f64| (angle - middle).abs() <= 29.0;
    let fits: Vec<bool> = (0..residues.len())
        .map(|i| {
            if i == 0 || !backbone.unbroken(i - 1, i + 1) {
                return false;
            }
            let (before, here, after) = (&residues[i - 1], &residues[i], &residues[i + 1]);
            let phi = dihedral(before.c, here.n, here.ca, here.c);
            let psi = dihedral(here.n, here.ca, here.c, after.n);
            within(phi, -75.0) && within(psi, 145.0)
        })
        .collect();
    for i in 0..fits.len().saturating_sub(3) {
        if fits[i..i + 3].iter().all(|fits| *fits) {
            for state in states[i..i + 3].iter_mut().filter(|state| **state == State::Loop) {
                *state = State::Polyproline;
            }
        }
    }
}
