//! Large products by the matrix tiles of recent x86 servers (Intel's AMX), which multiply bf16 sixteen times as fast as
//! vectors multiply f32.
//!
//! A number is taken apart into two of bf16, the nearest and the nearest to what that leaves: `x = high + low`, to within
//! 2⁻¹⁶ of it. A product is then `high·high + high·low + low·high`, summed in f32; what is left out is another 2⁻¹⁶. A term of a
//! sum is thus exact to 5e-5 at the worst, and as errors are of both signs, sums to one or two parts in a million of their terms'
//! magnitudes (tests). TF32, which graphics cards multiply f32 with where they may, leaves 5e-4 of a term. A weight that is stored
//! as bf16 is its own high part: two thirds of the work, and half of the error.
//!
//! Panels of 32 rows of a and 32 columns of b are copied, taken apart, into the order that tiles are loaded in: sixteen rows of
//! 32 numbers of a, sixteen rows of 16 pairs of b.

use std::sync::OnceLock;

use super::few_rows::Output;
use super::matmul::{Into, Matrix, Threads};

/// Rows of a panel of a, columns of a panel of b.
const PANEL: usize = 32;

/// Whether products of this shape are faster here: the machine has the tiles, both operands lie in contiguous rows or
/// columns, and there is enough to multiply.
pub(crate) fn worthwhile((m, n, k): (usize, usize, usize), a: Matrix<'_>, b: Matrix<'_>) -> bool {
    let contiguous = (a.row == 1 || a.column == 1) && (b.row == 1 || b.column == 1);
    contiguous && m >= PANEL && n >= PANEL / 2 && k >= LEAST && m * n * k >= WORTH && present()
}

/// Inputs from which on tiles are faster: a quarter of what one holds. Most of such a product is reading and writing its output.
const LEAST: usize = 8;

/// Multiply-adds from which on tiles are faster.
const WORTH: usize = 1 << 18;

/// Turns tiles off (`0`): what a machine without them computes, to compare with.
const VARIABLE: &str = "GENEVERSE_TILES";

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[path = "tiles/none.rs"]
mod amx;
pub(crate) use self::amx::products;

/// One of the products of the same rows: with `b` (k, n), into `out` (m, n).
#[derive(Clone, Copy)]
pub(crate) struct With<'a> {
    pub(crate) b: Matrix<'a>,
    pub(crate) n: usize,
    pub(crate) out: Output,
}

/// Whether the machine has tiles and the system lets this process use them; asked once.
fn present() -> bool {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    *PRESENT.get_or_init(|| std::env::var_os(VARIABLE).is_none_or(|set| set != "0") && amx::permitted())
}

#[cfg(test)]
mod tests;
