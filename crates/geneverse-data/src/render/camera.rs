//! Where a structure is seen from: along its shortest axis, with the longest from left to right.
//!
//! The axes are those of inertia of its trace atoms, so a picture does not depend on the frame of the file. An axis's
//! sign is the one with the longer tail on the positive side (its third moment); where both sides are alike, the first
//! residue lies on the negative one. Then `rotate` turns the structure about the screen's x, y and z, in this order,
//! and the camera, with PyMOL's field of view of 20°, moves back until all of it is in the picture.

use crate::render::vector::{add, cross, dot, scale, sub};
use crate::structure::Point;

/// Half of the angle that the picture spans.
const HALF_ANGLE_TANGENT: f32 = 0.176_326_98; // tan 10°
/// The share of the picture's half that a structure fills at most.
const FILLED: f32 = 0.95;

/// Where fading would be complete, in half-depths behind the centre: what is farthest away keeps some colour.
const BEYOND: f32 = 1.4;

/// How points of the structure come to lie before the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// The screen's axes in the structure's frame: right, up, towards the eye.
    pub axes: [Point; 3],
    /// The point in the middle of the picture.
    pub centre: Point,
    /// From the eye to the centre.
    pub distance: f32,
    /// From which depth to which things fade, from the eye; all of the structure lies between.
    pub depths: [f32; 2],
}

impl Camera {
    /// The camera for `points`, whose axes are those of `trace`.
    pub fn fit(trace: &[Point], points: &[Point], rotate: [f32; 3]) -> Self {
        let axes = turned(principal_axes(trace), rotate);
        let seen: Vec<Point> = points.iter().map(|p| axes.map(|axis| dot(*p, axis))).collect();
        let mut bounds = [[f32::INFINITY, f32::NEG_INFINITY]; 3];
        for point in &seen {
            for (range, x) in bounds.iter_mut().zip(point) {
                *range = [range[0].min(*x), range[1].max(*x)];
            }
        }
        let mut middle = bounds.map(|[low, high]| 0.5 * (low + high));
        let widest = HALF_ANGLE_TANGENT * FILLED;
        let mut distance = 0.0;
        // Perspective makes what is near larger: move the middle until both margins are alike.
        for _ in 0..8 {
            distance = seen.iter().fold(0.0, |most: f32, p| {
                let side = (p[0] - middle[0]).abs().max((p[1] - middle[1]).abs());
                most.max(p[2] - middle[2] + side / widest)
            });
            for axis in 0..2 {
                let reach = seen.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], p| {
                    let x = (p[axis] - middle[axis]) / (distance + middle[2] - p[2]);
                    [low.min(x), high.max(x)]
                });
                middle[axis] += 0.5 * (reach[0] + reach[1]) * distance;
            }
        }
        distance = seen.iter().fold(distance, |most: f32, p| {
            let side = (p[0] - middle[0]).abs().max((p[1] - middle[1]).abs());
            most.max(p[2] - middle[2] + side / widest)
        });
        let half = 0.5 * (bounds[2][1] - bounds[2][0]);
        let centre = (0..3).fold([0.0; 3], |sum, i| add(sum, scale(axes[i], middle[i])));
        Self { axes, centre, distance, depths: [distance - half, distance + BEYOND * half] }
    }

    /// A point in the camera's frame: right, up, and depth from the eye.
    pub fn see(&self, point: Point) -> Point {
        let from_centre = sub(point, self.centre);
        let [x, y, z] = self.axes.map(|axis| dot(from_centre, axis));
        [x, y, self.distance - z]
    }

    /// A direction in the camera's frame.
    pub fn turn(&self, direction: Point) -> Point {
        self.axes.map(|axis| dot(direction, axis))
    }

    /// Pixels by which one unit of `x / depth` moves in a picture of `size` pixels.
    pub fn pixels(size: usize) -> f32 {
        size as f32 / (2.0 * HALF_ANGLE_TANGENT)
    }

    /// The eighteen numbers of PyMOL's `set_view` for the same view.
    pub fn pymol_view(&self) -> [f32; 18] {
        let [right, up, towards] = self.axes;
        let mut view = [0.0; 18];
        for i in 0..3 {
            view[3 * i..3 * i + 3].copy_from_slice(&[right[i], up[i], towards[i]]);
            view[12 + i] = self.centre[i];
        }
        view[11] = -self.distance;
        view[15..17].copy_from_slice(&self.depths);
        view[17] = -20.0;
        view
    }
}

/// `axes` of the screen after the structure is turned by `degrees` about x, then y, then z.
fn turned(mut axes: [Point; 3], degrees: [f32; 3]) -> [Point; 3] {
    for (about, angle) in degrees.into_iter().enumerate() {
        let (sin, cos) = angle.rem_euclid(360.0).to_radians().sin_cos();
        let (i, j) = ((about + 1) % 3, (about + 2) % 3);
        let (a, b) = (axes[i], axes[j]);
        axes[i] = sub(scale(a, cos), scale(b, sin));
        axes[j] = add(scale(a, sin), scale(b, cos));
    }
    axes
}

/// The principal axes of points, longest first, right-handed.
fn principal_axes(points: &[Point]) -> [Point; 3] {
    let n = points.len().max(1) as f64;
    let mut mean = [0.0f64; 3];
    for p in points {
        for i in 0..3 {
            mean[i] += f64::from(p[i]) / n;
        }
    }
    let away = |p: &Point| [0, 1, 2].map(|i| f64::from(p[i]) - mean[i]);
    let mut spread = [[0.0f64; 3]; 3];
    for p in points {
        let d = away(p);
        for i in 0..3 {
            for j in 0..3 {
                spread[i][j] += d[i] * d[j];
            }
        }
    }
    let vectors = eigenvectors(spread);
    let oriented = |axis: [f64; 3]| {
        let along = |p: &Point| -> f64 { away(p).iter().zip(axis).map(|(d, a)| d * a).sum() };
        let (mut third, mut size) = (0.0, 0.0);
        for p in points {
            let x = along(p);
            third += x.powi(3);
            size += x.abs().powi(3);
        }
        let start = points.first().map_or(0.0, along);
        let negative = if third.abs() > 1e-3 * size { third < 0.0 } else { start > 0.0 };
        axis.map(|x| if negative { -x } else { x })
    };
    let [x, y] = [oriented(vectors[0]), oriented(vectors[1])].map(|axis| axis.map(|x| x as f32));
    [x, y, cross(x, y)]
}

/// Eigenvectors of a symmetric matrix by Jacobi's rotations, that of the largest eigenvalue first.
fn eigenvectors(mut matrix: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    // Converges quadratically; more sweeps change nothing.
    for _ in 0..24 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if matrix[p][q].abs() <= 1e-300 {
                continue;
            }
            let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cos = 1.0 / t.hypot(1.0);
            let sin = t * cos;
            for row in &mut matrix {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
            let (a, b) = (matrix[p], matrix[q]);
            matrix[p] = [0, 1, 2].map(|k| cos * a[k] - sin * b[k]);
            matrix[q] = [0, 1, 2].map(|k| sin * a[k] + cos * b[k]);
            let (a, b) = (vectors[p], vectors[q]);
            vectors[p] = [0, 1, 2].map(|k: usize| cos * a[k] - sin * b[k]);
            vectors[q] = [0, 1, 2].map(|k: usize| sin * a[k] + cos * b[k]);
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|a, b| matrix[*b][*b].total_cmp(&matrix[*a][*a]));
    order.map(|i| vectors[i])
}
