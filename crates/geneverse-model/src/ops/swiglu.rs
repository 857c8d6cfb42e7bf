//! SwiGLU: silu(gate) · up, silu(x) = x / (1 + e⁻ˣ) (Shazeer, 2020).
//!
//! Rows hold the gate's numbers and then the up-projection's: (n, 2 · width).

use rayon::prelude::*;

use super::math::{exp, multiply_add, vectorised};

/// Rows per parallel task.
const ROWS: usize = 4;

/// `out` (n, width) from `gate_up` (n, 2 · width).
pub(crate) fn forward(gate_up: &[f32], width: usize, out: &mut [f32]) {
    let rows = gate_up.par_chunks_exact(2 * width).with_min_len(ROWS);
    rows.zip(out.par_chunks_exact_mut(width)).for_each(|(row, out)| {
        let (gate, up) = row.split_at(width);
        forward_row(gate, up, out);
    });
}

/// `d_gate_up` (n, 2 · width) from the same `gate_up` and `d_out` (n, width).
pub(crate) fn backward(gate_up: &[f32], width: usize, d_out: &[f32], d_gate_up: &mut [f32]) {
    let rows = gate_up.par_chunks_exact(2 * width).with_min_len(ROWS);
    let gradients = d_out.par_chunks_exact(width).zip(d_gate_up.par_chunks_exact_mut(2 * width));
    rows.zip(gradients).for_each(|(row, (d_out, d_row))| {
        let (gate, up) = row.split_at(width);
        let (d_gate, d_up) = d_row.split_at_mut(width);
        backward_row(gate, up, d_out, d_gate, d_up);
    });
}

vectorised! { fn forward_row = forward_body(gate: &[f32], up: &[f32], out: &mut [f32]) }

#[inline(always)]
fn forward_body<const FMA: bool>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((gate, up), out) in gate.iter().zip(up).zip(out) {
        *out = gate / (1.0 + exp::<FMA>(-gate)) * up;
    }
}

vectorised! {
    fn backward_row = backward_body(gate: &[f32], up: &[f32], d_out: &[f32], d_gate: &mut [f32], d_up: &mut [f32])
}

#[inline(always)]
fn backward_body<const FMA: bool>(
    gate: &[f32],
    up: &[f32],
    d_out: &[f32],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    let n = gate.len();
    let (up, d_out, d_gate, d_up) = (&up[..n], &d_out[..n], &mut d_gate[..n], &mut d_up[..n]);
    for i in 0..n {
        let sigmoid = 1.0 / (1.0 + exp::<FMA>(-gate[i]));
        let silu = gate[i] * sigmoid;
        d_up[i] = d_out[i] * silu;
        // d silu = σ + silu · (1 − σ)
        d_gate[i] = d_out[i] * up[i] * multiply_add::<FMA>(silu, 1.0 - sigmoid, sigmoid);
    }
}
