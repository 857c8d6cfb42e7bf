//! The feed-forward's activation: `act(gate) · up` where there is a gate (Shazeer, 2020), else `act(up)`.
//!
//! SiLU is x / (1 + e⁻ˣ); GELU is x · Φ(x) (Hendrycks & Gimpel, 2016), exact, by tanh, or as x / (1 + e⁻¹·⁷⁰²ˣ). Rows hold the gate's
//! numbers, where there is one, and then the up-projection's.

use rayon::prelude::*;

use super::math::{exp, multiply_add, tanh, vectorised};
use crate::config::Activation;

/// Rows per parallel task.
const ROWS: usize = 4;

/// What is computed between the up- and the down-projection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between {
    pub(crate) activation: Activation,
    pub(crate) gated: bool,
    /// Width of a gate, of an up-projection, of the result.
    pub(crate) width: usize,
}

impl Between {
    /// Width of a row that goes in.
    pub(crate) fn row(&self) -> usize {
        if self.gated { 2 * self.width } else { self.width }
    }

    /// `out` (n, width) from `rows` (n, row).
    pub(crate) fn forward(&self, rows: &[f32], out: &mut [f32]) {
        let rows = rows.par_chunks_exact(self.row()).with_min_len(ROWS);
        let gated = match self.activation {
            Activation::Silu => silu::gated,
            Activation::Gelu => gelu::gated,
            Activation::GeluTanh => gelu_tanh::gated,
            Activation::QuickGelu => quick_gelu::gated,
        };
        let plain = match self.activation {
            Activation::Silu => silu::plain,
            Activation::Gelu => gelu::plain,
            Activation::GeluTanh => gelu_tanh::plain,
            Activation::QuickGelu => quick_gelu::plain,
        };
        rows.zip(out.par_chunks_exact_mut(self.width)).for_each(|(row, out)| {
            if self.gated {
                let (gate, up) = row.split_at(self.width);
                gated(gate, up, out);
            } else {
                plain(row, out);
            }
        });
    }

    /// The same without a gate, on the caller's thread.
    pub(crate) fn rows(&self, rows: &[f32], out: &mut [f32]) {
        debug_assert!(!self.gated);
        match self.activation {
            Activation::Silu => silu::plain(rows, out),
            Activation::Gelu => gelu::plain(rows, out),
            Activation::GeluTanh => gelu_tanh::plain(rows, out),
            Activation::QuickGelu => quick_gelu::plain(rows, out),
        }
    }

    /// `d_rows` (n, row) from the same `rows` and `d_out` (n, width), in whose place stands then what [`Between::forward`] gives:
    /// both want the same exponentials.
    pub(crate) fn backward(&self, rows: &[f32], d_out: &mut [f32], d_rows: &mut [f32]) {
        let gated = match self.activation {
            Activation::Silu => silu::gated_backward,
            Activation::Gelu => gelu::gated_backward,
            Activation::GeluTanh => gelu_tanh::gated_backward,
            Activation::QuickGelu => quick_gelu::gated_backward,
        };
        let plain = match self.activation {
            Activation::Silu => silu::plain_backward,
            Activation::Gelu => gelu::plain_backward,
            Activation::GeluTanh => gelu_tanh::plain_backward,
            Activation::QuickGelu => quick_gelu::plain_backward,
        };
        let rows = rows.par_chunks_exact(self.row()).with_min_len(ROWS);
        let gradients = d_out.par_chunks_exact_mut(self.width).zip(d_rows.par_chunks_exact_mut(self.row()));
        rows.zip(gradients).for_each(|(row, (d_out, d_row))| {
            if self.gated {
                let (gate, up) = row.split_at(self.width);
                let (d_gate, d_up) = d_row.split_at_mut(self.width);
                gated(gate, up, d_out, d_gate, d_up);
            } else {
                plain(row, d_out, d_row);
            }
        });
    }
}

/// act(x) and its slope.
#[inline(always)]
fn silu_at<const FMA: bool>(x: f32) -> (f32, f32) {
    let sigmoid = 1.0 / (1.0 + exp::<FMA>(-x));
    let silu = x * sigmoid;
    (silu, multiply_add::<FMA>(silu, 1.0 - sigmoid, sigmoid))
}

#[inline(always)]
fn gelu_at<const FMA: bool>(x: f32) -> (f32, f32) {
    let density = exp::<FMA>(-0.5 * x * x);
    // erf(|x| / √2) by Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7.
    let t = 1.0 / multiply_add::<FMA>(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, x.abs(), 1.0);
    let mut p = 1.061_405_4;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = multiply_add::<FMA>(p, t, c);
    }
    let tail = 0.5 * p * t * density;
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    // φ(x) = e^(−x²/2) / √(2π)
    (x * below, multiply_add::<FMA>(x * 0.398_942_3, density, below))
}

#[inline(always)]
fn gelu_tanh_at<const FMA: bool>(x: f32) -> (f32, f32) {
    const SCALE: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    let t = tanh::<FMA>(SCALE * multiply_add::<FMA>(CUBIC * x * x, x, x));
    let half = 0.5 * (1.0 + t);
    let inner = SCALE * multiply_add::<FMA>(3.0 * CUBIC * x, x, 1.0);
    (x * half, multiply_add::<FMA>(0.5 * x * (1.0 - t * t), inner, half))
}

#[inline(always)]
fn quick_gelu_at<const FMA: bool>(x: f32) -> (f32, f32) {
    const SCALE: f32 = 1.702;
    let sigmoid = 1.0 / (1.0 + exp::<FMA>(-SCALE * x));
    let value = x * sigmoid;
    (value, multiply_add::<FMA>(SCALE * value, 1.0 - sigmoid, sigmoid))
}

/// The four loops over a row, for each activation.
macro_rules! loops {
    ($module:ident, $at:ident) => {
        mod $module {
            use super::*;

            vectorised! { fn gated = gated_body(gate: &[f32], up: &[f32], out: &mut [f32]) }
            vectorised! { fn plain = plain_body(up: &[f32], out: &mut [f32]) }
            vectorised! {
                fn gated_backward = gated_backward_body(
                    gate: &[f32], up: &[f32], d_out: &mut [f32], d_gate: &mut [f32], d_up: &mut [f32]
                )
            }
            vectorised! {
                fn plain_backward = plain_backward_body(up: &[f32], d_out: &mut [f32], d_up: &mut [f32])
            }

            #[inline(always)]
            fn gated_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
                for ((gate, up), out) in gate.iter().zip(up).zip(out) {
                    *out = $at::<FMA>(*gate).0 * up;
                }
            }

            #[inline(always)]
            fn plain_body<const FMA: bool>(up: &[f32], out: &mut [f32]) {
                up.iter().zip(out).for_each(|(up, out)| *out = $at::<FMA>(*up).0);
            }

            #[inline(always)]
            fn gated_backward_body<const FMA: bool>(
                gate: &[f32],
                up: &[f32],
                d_out: &mut [f32],
                d_gate: &mut [f32],
                d_up: &mut [f32],
            ) {
                let n = gate.len();
                let (up, d_out, d_gate, d_up) = (&up[..n], &mut d_out[..n], &mut d_gate[..n], &mut d_up[..n]);
                for i in 0..n {
                    let (value, slope) = $at::<FMA>(gate[i]);
                    d_up[i] = d_out[i] * value;
                    d_gate[i] = d_out[i] * up[i] * slope;
                    d_out[i] = value * up[i];
                }
            }

            #[inline(always)]
            fn plain_backward_body<const FMA: bool>(up: &[f32], d_out: &mut [f32], d_up: &mut [f32]) {
                for ((up, d_out), d_up) in up.iter().zip(d_out).zip(d_up) {
                    let (value, slope) = $at::<FMA>(*up);
                    *d_up = *d_out * slope;
                    *d_out = value;
                }
            }
        }
    };
}

loops!(silu, silu_at);
loops!(gelu, gelu_at);
loops!(gelu_tanh, gelu_tanh_at);
loops!(quick_gelu, quick_gelu_at);

#[cfg(test)]
mod tests {
    use super::*;

    /// Values against f64, slopes against central differences.
    #[test]
    fn activations_and_their_slopes() {
        let erf = |x: f64| {
            // Taylor's series: enough for |x| < 3.
            let (mut term, mut sum) = (x, x);
            for n in 1..60 {
                term *= -x * x / n as f64;
                sum += term / (2 * n + 1) as f64;
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        };
        let exact = |activation: Activation, x: f64| match activation {
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
            Activation::GeluTanh => {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
            }
            Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        };
        let x: Vec<f32> = (-399..400).map(|i| i as f32 / 100.0 + 0.0031).collect();
        let width = x.len();
        let ones = vec![1.0; width];
        for activation in [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu] {
            let plain = Between { activation, gated: false, width };
            let (mut y, mut d) = (vec![0.0; width], vec![0.0; width]);
            plain.forward(&x, &mut y);
            let mut again = ones.clone();
            plain.backward(&x, &mut again, &mut d);
            assert_eq!(again, y);
            let gated = Between { activation, gated: true, width };
            let row = [x.as_slice(), &[2.0; 799]].concat();
            let (mut gated_y, mut gated_d) = (vec![0.0; width], vec![0.0; 2 * width]);
            gated.forward(&row, &mut gated_y);
            let mut again = ones.clone();
            gated.backward(&row, &mut again, &mut gated_d);
            assert_eq!(again, gated_y);
            for i in 0..width {
                let at = f64::from(x[i]);
                let (value, h) = (exact(activation, at), 1e-4);
                let slope = (exact(activation, at + h) - exact(activation, at - h)) / (2.0 * h);
                assert!((f64::from(y[i]) - value).abs() < 1e-6, "{activation:?}({at}) is {}", y[i]);
                assert!(
                    (f64::from(d[i]) - slope).abs() < 2e-6,
                    "slope of {activation:?} at {at} is {}",
                    d[i]
                );
                assert!((f64::from(gated_y[i]) - 2.0 * value).abs() < 2e-6);
                assert!((f64::from(gated_d[i]) - 2.0 * slope).abs() < 4e-6);
                assert!((f64::from(gated_d[width + i]) - value).abs() < 2e-6);
            }
        }
    }
}
