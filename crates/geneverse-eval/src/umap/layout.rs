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
/// Points that are measured together: those that push, one that pulls, and idle ones.
const LANES: usize = 8;
/// An edge that is due in every epoch.
const WHOLE: f64 = (1u64 << 32) as f64;
/// The longest step along an axis.
const LONGEST: f32 = 4.0;
/// Points that move at once, each seeing the others as they were before.
const BLOCK: usize = 2048;
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
        // How often an edge is due, in units of 2⁻³² epochs: whole numbers add up without rounding.
        let shares: Vec<u64> = graph.values.iter().map(|w| (w / greatest * WHOLE).round() as u64).collect();
        let mut order: Vec<u32> = (0..n as u32).collect();
        Draw::at(self.seed, &[3]).shuffle(&mut order);
        let mut moved = vec![[0.0; 2]; BLOCK];
        for epoch in 1..self.epochs as u64 {
            let step = 1.0 - epoch as f32 / self.epochs as f32;
            for block in order.chunks(BLOCK) {
                let moved = &mut moved[..block.len()];
                moved.par_iter_mut().zip(block).with_min_len(PIECE).for_each(|(place, point)| {
                    let point = *point as usize;
                    let range = graph.starts[point]..graph.starts[point + 1];
                    let due = graph.columns[range.clone()]
                        .iter()
                        .zip(&shares[range])
                        .filter(|(_, share)| (epoch * **share) >> 32 > ((epoch - 1) * **share) >> 32)
                        .map(|(to, _)| *to as usize);
                    let draw = Draw::at(self.seed, &[4, epoch, point as u64]);
                    *place = self.moved(point, due, &places, step, draw);
                });
                block.iter().zip(moved).for_each(|(point, place)| places[*point as usize] = *place);
            }
            if !after(epoch as usize) {
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
            let near = places[other];
            let (dx, dy) = (own[0] - near[0], own[1] - near[1]);
            let square = dx * dx + dy * dy;
            let pull = self.pull(square, power(square, self.b));
            own[0] += step * clip(pull * dx);
            own[1] += step * clip(pull * dy);

            // The second pull and the pushes are measured together from there, which fills the processor's lanes.
            let mut others = [near; LANES];
            for pair in others[..OTHERS].chunks_mut(2) {
                let mut bits = draw.bits();
                for other in pair {
                    *other = places[(((bits & 0xffff_ffff) * places.len() as u64) >> 32) as usize];
                    bits >>= 32;
                }
            }
            let dx = others.map(|[x, _]| own[0] - x);
            let dy = others.map(|[_, y]| own[1] - y);
            let mut squares = [0.0f32; LANES];
            let mut powers = [0.0f32; LANES];
            let mut pushes = [0.0f32; LANES];
            for lane in 0..LANES {
                squares[lane] = dx[lane] * dx[lane] + dy[lane] * dy[lane];
            }
            for lane in 0..LANES {
                powers[lane] = power(squares[lane], self.b);
            }
            // A point at the same place, which may be the point itself, says nothing about where to go: dx and dy are 0.
            for lane in 0..LANES {
                pushes[lane] = 2.0 * self.b / ((0.001 + squares[lane]) * (1.0 + self.a * powers[lane]));
            }
            let pull = self.pull(squares[OTHERS], powers[OTHERS]);
            own[0] += step * clip(pull * dx[OTHERS]);
            own[1] += step * clip(pull * dy[OTHERS]);
            for lane in 0..OTHERS {
                own[0] += step * clip(pushes[lane] * dx[lane]);
                own[1] += step * clip(pushes[lane] * dy[lane]);
            }
        }
        own
    }

    /// The gradient of log 1/(1 + a d^2b) over the difference, from d² and d^2b.
    fn pull(&self, square: f32, power: f32) -> f32 {
        if square > 0.0 { -2.0 * self.a * self.b * power / (square * (1.0 + self.a * power)) } else { 0.0 }
    }
}

fn clip(x: f32) -> f32 {
    x.clamp(-LONGEST, LONGEST)
}

/// x^b to six digits for x of 0 or more and b of 0 to 4, in a few operations without a branch.
///
/// log₂ x is the exponent and twice the series of artanh for the mantissa, halved where it is above √2; 2^y is a power
/// of two and the series of the exponential function.
#[inline(always)]
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
