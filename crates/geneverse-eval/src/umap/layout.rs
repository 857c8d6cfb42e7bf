//! Members pull, others push, until all have a place.
//!
//! For every edge that is due a point goes towards its neighbour, by the gradient of log 1/(1 + a d^2b), and away from
//! [`OTHERS`] random points, by that of log(1 − 1/(1 + a d^2b)); no step is longer than [`LONGEST`] along an axis. An edge
//! is due in a share of the epochs that is its weight over the greatest. The step falls in a line from 1 to 0.
//!
//! umap-learn moves both ends of an edge when it is due, and every edge is in its list in both directions: a point is pulled
//! twice. Here each point goes through its own edges and is pulled twice by each.

use rayon::prelude::*;

use crate::draw::Draw;
use crate::sparse::Sparse;

/// Points that push for each pull.
const OTHERS: usize = 5;
/// The longest step along an axis.
const LONGEST: f32 = 4.0;
/// Points that move at once, each seeing the others as they were before.
const BLOCK: usize = 512;
/// Points that a thread takes at least.
const PIECE: usize = 32;

/// How points move.
pub(super) struct Layout {
    pub(super) a: f32,
    pub(super) b: f32,
    pub(super) epochs: usize,
    pub(super) seed: u64,
}

impl Layout {
    /// Moves points through all epochs; `None` where `after` ended it.
    pub(super) fn run(
        &self,
        graph: &Sparse,
        mut places: Vec<[f32; 2]>,
        after: &mut dyn FnMut(usize) -> bool,
    ) -> Option<Vec<[f32; 2]>> {
        let n = places.len();
        let greatest = graph.values.iter().copied().fold(0.0, f64::max);
        // An edge that would never be due, and with it those below that, is left out.
        let shares: Vec<f64> = graph.values.iter().map(|weight| weight / greatest).collect();
        let mut order: Vec<u32> = (0..n as u32).collect();
        Draw::at(self.seed, &[3]).shuffle(&mut order);
        let mut moved = vec![[0.0; 2]; BLOCK];
        for epoch in 1..self.epochs {
            let step = 1.0 - epoch as f32 / self.epochs as f32;
            for block in order.chunks(BLOCK) {
                let moved = &mut moved[..block.len()];
                moved.par_iter_mut().zip(block).with_min_len(PIECE).for_each(|(place, point)| {
                    let point = *point as usize;
                    let range = graph.starts[point]..graph.starts[point + 1];
                    let due = graph.columns[range.clone()]
                        .iter()
                        .zip(&shares[range])
                        .filter(|(_, share)| {
                            (epoch as f64 * **share).floor() > ((epoch - 1) as f64 * **share).floor()
                        })
                        .map(|(to, _)| *to as usize);
                    let draw = Draw::at(self.seed, &[4, epoch as u64, point as u64]);
                    *place = self.moved(point, due, &places, step, draw);
                });
                block.iter().zip(moved).for_each(|(point, place)| places[*point as usize] = *place);
            }
            if !after(epoch) {
                return None;
            }
        }
        Some(places)
    }

    /// Where a point goes that is pulled by some others.
    fn moved(
        &self,
        point: usize,
        due: impl Iterator<Item = usize>,
        places: &[[f32; 2]],
        step: f32,
        mut draw: Draw,
    ) -> [f32; 2] {
        let mut own = places[point];
        for other in due {
            for _ in 0..2 {
                let [dx, dy] = between(own, places[other]);
                let square = dx * dx + dy * dy;
                let pull = if square > 0.0 {
                    let power = power(square, self.b);
                    -2.0 * self.a * self.b * power / (square * (1.0 + self.a * power))
                } else {
                    0.0
                };
                own[0] += step * clip(pull * dx);
                own[1] += step * clip(pull * dy);
            }
            // The five are drawn and measured together, which keeps the processor's lanes full.
            let mut differences = [[0.0f32; 2]; OTHERS];
            for difference in &mut differences {
                *difference = between(own, places[draw.below(places.len())]);
            }
            let pushes = differences.map(|[dx, dy]| {
                let square = dx * dx + dy * dy;
                // A point at the same place, which may be the point itself, says nothing about where to go.
                let push = 2.0 * self.b / ((0.001 + square) * (1.0 + self.a * power(square, self.b)));
                [clip(push * dx), clip(push * dy)]
            });
            for [x, y] in pushes {
                own[0] += step * x;
                own[1] += step * y;
            }
        }
        own
    }
}

fn between(own: [f32; 2], other: [f32; 2]) -> [f32; 2] {
    [own[0] - other[0], own[1] - other[1]]
}

fn clip(x: f32) -> f32 {
    x.clamp(-LONGEST, LONGEST)
}

/// x^b to six digits for x of 0 or more and b of 0 to 4, in a few operations without a branch.
///
/// log₂ x is the exponent and twice the series of artanh for the mantissa, halved where it is above √2; 2^y is a power
/// of two and the series of the exponential function.
#[inline]
fn power(x: f32, b: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.max(1e-30).to_bits().wrapping_sub(SQRT_HALF);
    let exponent = (bits as i32 >> 23) as f32;
    let mantissa = f32::from_bits((bits & MANTISSA).wrapping_add(SQRT_HALF));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let tt = t * t;
    let series = t * (2.0 + tt * (2.0 / 3.0 + tt * (2.0 / 5.0 + tt * (2.0 / 7.0))));
    let y = (b * (exponent + series * std::f32::consts::LOG2_E)).clamp(-126.0, 126.0);
    // Adding and taking away 1.5 · 2²³ rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let whole = (y + ROUND) - ROUND;
    let z = (y - whole) * std::f32::consts::LN_2;
    let fraction = 1.0
        + z * (1.0 + z * (1.0 / 2.0 + z * (1.0 / 6.0 + z * (1.0 / 24.0 + z * (1.0 / 120.0 + z / 720.0)))));
    fraction * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_right_to_six_digits() {
        for b in [0.3_f32, 0.79, 0.895, 1.0, 1.5, 3.9] {
            for i in 0..4000 {
                let x = 10f32.powf(-9.0 + i as f32 * 0.0035);
                let (ours, exact) = (f64::from(power(x, b)), f64::from(x).powf(f64::from(b)));
                if (1e-30..1e30).contains(&exact) {
                    assert!((ours / exact - 1.0).abs() < 1e-5, "{x}^{b}: {ours}, expected {exact}");
                }
            }
        }
        assert!(power(0.0, 0.9) < 1e-20);
    }
}
