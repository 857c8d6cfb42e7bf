//! Backbone atoms: of ideal helices and strands, and of the loops between pieces that have their places.

use super::super::geometry::{Vector, add, cross, distance, dot, scale, sub, unit};
use super::{Draw, Secondary};

/// N, Cα, C and O.
pub(super) type Atoms = [Vector; 4];

/// Residues in a row that have their places.
pub(super) struct Piece {
    pub(super) secondary: Secondary,
    pub(super) residues: Vec<Atoms>,
}

/// A residue of the finished chain.
pub(super) struct Placed {
    pub(super) secondary: Secondary,
    pub(super) atoms: Atoms,
}

/// Ångström from residue to residue along a strand, and from a helix's axis to its Cα atoms.
pub(super) const STRAND_RISE: f64 = 3.3856;
const HELIX_RADIUS: f64 = 2.3;
/// Cα to Cα over a peptide bond in trans.
const STEP: f64 = 3.81;

// Bond lengths and angles of Engh and Huber (1991).
const N_CA: f64 = 1.458;
const CA_C: f64 = 1.525;
const C_N: f64 = 1.329;
const C_O: f64 = 1.231;
const AT_CA: f64 = 111.0;
const AT_C: f64 = 117.2;
const AT_N: f64 = 121.7;
const CA_C_O: f64 = 120.1;

/// The atom that is bound to `c`, by length, angle and dihedral in degrees.
fn place(a: Vector, b: Vector, c: Vector, bond: f64, angle: f64, dihedral: f64) -> Vector {
    let along = unit(sub(c, b));
    let normal = unit(cross(sub(b, a), along));
    let across = cross(normal, along);
    let (angle, dihedral) = (angle.to_radians(), dihedral.to_radians());
    let parts = [
        scale(along, -bond * angle.cos()),
        scale(across, bond * angle.sin() * dihedral.cos()),
        scale(normal, bond * angle.sin() * dihedral.sin()),
    ];
    parts.into_iter().fold(c, add)
}

/// A chain with the same torsions throughout.
fn regular(count: usize, phi: f64, psi: f64) -> Vec<Atoms> {
    let mut n = [0.0, 0.0, 0.0];
    let mut ca = [N_CA, 0.0, 0.0];
    let mut c = place([0.0, 1.0, 0.0], n, ca, CA_C, AT_CA, -60.0);
    let mut residues = Vec::with_capacity(count);
    for _ in 0..count {
        let o = place(n, ca, c, C_O, CA_C_O, psi + 180.0);
        residues.push([n, ca, c, o]);
        let next_n = place(n, ca, c, C_N, AT_C, psi);
        let next_ca = place(ca, c, next_n, N_CA, AT_N, 180.0);
        let next_c = place(c, next_n, next_ca, CA_C, AT_CA, phi);
        (n, ca, c) = (next_n, next_ca, next_c);
    }
    residues
}

/// In the frame of an origin and three axes.
fn framed(residues: &[Atoms], origin: Vector, axes: [Vector; 3]) -> Vec<Atoms> {
    let turn = |p: Vector| axes.map(|axis| dot(sub(p, origin), axis));
    residues.iter().map(|atoms| atoms.map(turn)).collect()
}

/// A helix of `count` residues along x, its middle at the origin, turned by `phase` degrees about its axis.
pub(super) fn helix(count: usize, phase: f64) -> Vec<Atoms> {
    let residues = regular(count.max(4), -57.8, -47.0);
    let ca = |i: usize| residues[i][1];
    let inward = |i: usize| unit(sub(add(ca(i - 1), ca(i + 1)), scale(ca(i), 2.0)));
    let mut axis = unit(cross(inward(1), inward(2)));
    if dot(axis, sub(ca(3), ca(0))) < 0.0 {
        axis = scale(axis, -1.0);
    }
    let start = add(ca(1), scale(inward(1), HELIX_RADIUS));
    let far = dot(sub(ca(residues.len() - 1), ca(1)), axis);
    let near = dot(sub(ca(0), ca(1)), axis);
    let middle = add(start, scale(axis, (far + near) / 2.0));
    let side = unit(inward(1));
    let (sin, cos) = phase.to_radians().sin_cos();
    let other = cross(axis, side);
    let y = add(scale(side, cos), scale(other, sin));
    framed(&residues, middle, [axis, y, cross(axis, y)])
}

/// A strand in columns `first` to `first + count − 1` of a sheet, at [`STRAND_RISE`] times the column along x, that goes
/// along x or against it. Its O=C at even columns point along y if `up_at_even`, at odd ones against it.
pub(super) fn strand(first: i32, count: usize, forward: bool, up_at_even: bool) -> Vec<Atoms> {
    let all = regular(count + 6, -128.0, 125.5);
    let ca = |i: usize| all[i][1];
    // Every second residue is the same but for its place: between them is the axis.
    let axis = unit(sub(ca(4), ca(2)));
    let carbonyl = |i: usize| sub(all[i][3], all[i][2]);
    let across = sub(carbonyl(2), carbonyl(3));
    let y = unit(sub(across, scale(axis, dot(across, axis))));
    let z = cross(axis, y);
    // The middle across the chain is that of two neighbours.
    let middle = scale(add(ca(2), ca(3)), 0.5);
    let origin = sub(middle, scale(axis, dot(sub(middle, ca(2)), axis)));
    // Residue 2 is now at x = 0 and points along y; residue k stands at column k − 2.
    let template = framed(&all, origin, [axis, y, z]);
    let last = first + count as i32 - 1;
    let begin = if forward { first } else { last };
    // An even residue of the template points along y, or against it after the turn about z.
    let points_up_at_begin = (begin.rem_euclid(2) == 0) == up_at_even;
    let even = points_up_at_begin == forward;
    let skip = if even { 2 } else { 3 };
    let shift = f64::from(begin) * STRAND_RISE;
    let sense = if forward { 1.0 } else { -1.0 };
    template[skip..skip + count]
        .iter()
        .map(|atoms| {
            let back = f64::from(skip as i32 - 2) * STRAND_RISE;
            atoms.map(|p| [sense * (p[0] - back) + shift, sense * p[1], p[2]])
        })
        .collect()
}

/// Cβ of ideal geometry.
pub(super) fn beta(n: Vector, ca: Vector, c: Vector) -> Vector {
    let (b, c) = (sub(ca, n), sub(c, ca));
    let a = cross(b, c);
    [scale(a, -0.582_734_31), scale(b, 0.568_028_27), scale(c, -0.540_674_66)].into_iter().fold(ca, add)
}

/// Pieces in a row with loops between them. Ends of helices and strands become coil.
pub(super) fn join(pieces: &[Piece], draw: &Draw) -> Vec<Placed> {
    let mut chain: Vec<Placed> = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        if let (Some(last), Some(first)) = (chain.last().map(|p| p.atoms), piece.residues.first()) {
            let leaving = direction(&chain.iter().rev().take(3).map(|p| p.atoms[1]).collect::<Vec<_>>());
            let entering: Vec<Vector> = piece.residues.iter().take(3).map(|atoms| atoms[1]).collect();
            let entering = scale(direction(&entering), -1.0);
            let extra = draw.whole(&format!("loop {number}"), 0, 2);
            let path = path(last[1], leaving, first[1], entering, extra);
            link(&mut chain, &path, first, number);
        }
        let first = chain.len();
        chain.extend(piece.residues.iter().map(|atoms| Placed { secondary: piece.secondary, atoms: *atoms }));
        if let Some(joined) = first.checked_sub(1).and_then(|before| chain.get(before)).map(|p| p.atoms) {
            // The peptide bond before a piece decides where its first N is.
            let (_, n, _) =
                peptide(joined[1], chain[first].atoms[1], plane(number, 0, joined[1], chain[first].atoms[1]));
            chain[first].atoms[0] = n;
        }
        if piece.secondary != Secondary::Coil {
            chain[first].secondary = Secondary::Coil;
            if let Some(last) = chain.last_mut() {
                last.secondary = Secondary::Coil;
            }
        }
    }
    chain
}

/// The direction in which the first of some points lies, seen from the others.
fn direction(points: &[Vector]) -> Vector {
    match points {
        [first, .., last] => unit(sub(*first, *last)),
        _ => [1.0, 0.0, 0.0],
    }
}

/// Cα atoms of a loop, one step from each other and from both ends: along a cubic curve that leaves and enters in the given
/// directions and is wide enough for a whole number of steps.
fn path(from: Vector, leaving: Vector, to: Vector, entering: Vector, extra: usize) -> Vec<Vector> {
    let curve = |wide: f64| {
        let (a, b) = (add(from, scale(leaving, wide)), sub(to, scale(entering, wide)));
        move |t: f64| {
            let u = 1.0 - t;
            let parts = [
                scale(from, u * u * u),
                scale(a, 3.0 * u * u * t),
                scale(b, 3.0 * u * t * t),
                scale(to, t * t * t),
            ];
            parts.into_iter().fold([0.0; 3], add)
        }
    };
    // How far the last of the steps is from the end, less than a step where the curve is too short; and the points.
    let walk = |wide: f64, steps: usize| {
        let at = curve(wide);
        let fine = 400 * steps;
        let mut points = vec![from];
        for k in 1..=fine {
            let point = at(k as f64 / fine as f64);
            if points.len() < steps && distance(points[points.len() - 1], point) >= STEP {
                points.push(point);
            }
        }
        let rest = if points.len() < steps { -1.0 } else { distance(points[points.len() - 1], to) - STEP };
        (rest, points)
    };
    let fewest = (distance(from, to) * 1.2 / STEP).ceil().max(3.0) as usize + extra;
    let mut nearest = (f64::INFINITY, Vec::new());
    // A step can leap over a sharp turn; then another number of them fits.
    for steps in fewest..fewest + 8 {
        let (mut low, mut high) = (0.0, 4.0 * STEP * steps as f64);
        for _ in 0..40 {
            let middle = (low + high) / 2.0;
            if walk(middle, steps).0 < 0.0 { low = middle } else { high = middle }
        }
        let (rest, points) = walk(high, steps);
        if rest.abs() < nearest.0 {
            nearest = (rest.abs(), points);
        }
        if nearest.0 < 0.05 {
            break;
        }
    }
    let mut points = nearest.1;
    points.drain(..1.min(points.len()));
    points
}

/// Which way the O=C of a peptide bond points: in turns to either side, as in an extended chain.
fn plane(number: usize, place: usize, a: Vector, b: Vector) -> Vector {
    let along = unit(sub(b, a));
    let reference = if along[2].abs() < 0.8 { [0.0, 0.0, 1.0] } else { [0.0, 1.0, 0.0] };
    let side = unit(cross(along, reference));
    if (number + place).is_multiple_of(2) { side } else { scale(side, -1.0) }
}

/// C, N and O of the peptide bond from one Cα to the next, in the plane that `side` gives.
fn peptide(a: Vector, b: Vector, side: Vector) -> (Vector, Vector, Vector) {
    let along = unit(sub(b, a));
    let side = unit(sub(side, scale(along, dot(side, along))));
    // From bond lengths and angles in a plane, Cα at 0 and the next one at 3.81 along x.
    let stretch = distance(a, b) / STEP;
    let at = |x: f64, y: f64| add(a, add(scale(along, x * stretch), scale(side, y)));
    (at(1.434, 0.518), at(2.407, -0.387), at(1.653, 1.730))
}

/// Adds a loop's residues, and gives the last residue before it the C and O of its bond.
fn link(chain: &mut Vec<Placed>, path: &[Vector], next: &Atoms, number: usize) {
    for (place, ca) in path.iter().copied().chain([next[1]]).enumerate() {
        let Some(before) = chain.last_mut() else { return };
        let from = before.atoms[1];
        let (c, n, o) = peptide(from, ca, plane(number, path.len() - place, from, ca));
        before.atoms[2] = c;
        before.atoms[3] = o;
        if place < path.len() {
            chain.push(Placed { secondary: Secondary::Coil, atoms: [n, ca, add(ca, [1.0, 1.0, 0.0]), ca] });
        }
    }
}
