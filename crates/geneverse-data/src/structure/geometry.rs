//! Vectors of three numbers, and the angles of chains.

/// A point or a vector.
pub(crate) type Vector = [f64; 3];

pub(crate) fn wide(p: [f32; 3]) -> Vector {
    p.map(f64::from)
}

pub(crate) fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn sub(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: Vector, by: f64) -> Vector {
    a.map(|v| v * by)
}

pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// Of length 1; a vector of no length stays as it is.
pub(crate) fn unit(a: Vector) -> Vector {
    let length = length(a);
    if length > 0.0 { scale(a, 1.0 / length) } else { a }
}

pub(crate) fn distance(a: Vector, b: Vector) -> f64 {
    length(sub(a, b))
}

/// The angle between two vectors, in degrees.
pub(crate) fn angle(a: Vector, b: Vector) -> f64 {
    length(cross(a, b)).atan2(dot(a, b)).to_degrees()
}

/// The dihedral angle of four points, in degrees from −180 to 180.
pub(crate) fn dihedral(a: Vector, b: Vector, c: Vector, d: Vector) -> f64 {
    let (first, axis, last) = (sub(b, a), sub(c, b), sub(d, c));
    let (m, n) = (cross(first, axis), cross(axis, last));
    dot(cross(m, n), unit(axis)).atan2(dot(m, n)).to_degrees()
}

/// Pairs `i < j` of points that are nearer than `most`, ascending. A grid: the time is that of the points and the pairs.
pub(crate) fn near_pairs(points: &[Vector], most: f64) -> Vec<(u32, u32)> {
    use std::collections::HashMap;
    let cell = |p: &Vector| p.map(|v| (v / most).floor() as i32);
    let mut cells: HashMap<[i32; 3], Vec<u32>> = HashMap::new();
    for (place, point) in points.iter().enumerate() {
        cells.entry(cell(point)).or_default().push(place as u32);
    }
    let mut pairs = Vec::new();
    let mut found = Vec::new();
    for (i, point) in points.iter().enumerate() {
        let [x, y, z] = cell(point);
        found.clear();
        for dx in -1..=1 {
            for dy in -1..=1 {
                for dz in -1..=1 {
                    let Some(there) = cells.get(&[x + dx, y + dy, z + dz]) else { continue };
                    let after = there.partition_point(|&j| j as usize <= i);
                    let near =
                        there[after..].iter().filter(|&&j| distance(*point, points[j as usize]) < most);
                    found.extend(near.copied());
                }
            }
        }
        found.sort_unstable();
        pairs.extend(found.iter().map(|&j| (i as u32, j)));
    }
    pairs
}
