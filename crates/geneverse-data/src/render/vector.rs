//! Arithmetic on points and directions in space.

use crate::structure::Point;

pub(crate) fn add(a: Point, b: Point) -> Point {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(crate) fn sub(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn scale(a: Point, by: f32) -> Point {
    [a[0] * by, a[1] * by, a[2] * by]
}

/// `a + by · b`.
pub(crate) fn add_scaled(a: Point, b: Point, by: f32) -> Point {
    [a[0] + b[0] * by, a[1] + b[1] * by, a[2] + b[2] * by]
}

pub(crate) fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(crate) fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

/// The direction of `a`; `None` where it is too short to have one, or not a number.
pub(crate) fn unit(a: Point) -> Option<Point> {
    let length = length(a);
    (length.is_finite() && length > 1e-6).then(|| scale(a, 1.0 / length))
}

/// `from` at 0, `to` at 1.
pub(crate) fn mix(from: Point, to: Point, share: f32) -> Point {
    add_scaled(scale(from, 1.0 - share), to, share)
}

/// The part of `a` that is perpendicular to the unit vector `axis`, as a direction.
pub(crate) fn perpendicular(a: Point, axis: Point) -> Option<Point> {
    unit(add_scaled(a, axis, -dot(a, axis)))
}

/// Some direction that is perpendicular to the unit vector `axis`, always the same one.
pub(crate) fn any_perpendicular(axis: Point) -> Point {
    let least = (0..3).fold(0, |best, i| if axis[i].abs() < axis[best].abs() { i } else { best });
    let mut along = [0.0; 3];
    along[least] = 1.0;
    perpendicular(along, axis).unwrap_or(along)
}

/// No structure reaches so far, in ångström: what lies farther is a slip of the file.
const FARTHEST: f32 = 1e6;

/// Whether a point is one: no infinity, no NaN, nothing absurdly far away.
pub(crate) fn finite(a: Point) -> bool {
    a.iter().all(|x| x.abs() < FARTHEST)
}
