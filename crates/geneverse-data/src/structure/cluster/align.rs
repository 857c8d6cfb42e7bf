//! Alignments of two sequences near a diagonal: without gaps, to see whether there is anything, and with them, to judge.

use super::Kinship;
use super::residues::{BLOSUM62, UNKNOWN};

/// Diagonals as near as this are one, and an alignment may leave its diagonal by as much.
pub(super) const BAND: i32 = 48;

/// Of local alignments by chance with these scores: E = K m n exp(−λ S).
const LAMBDA: f64 = 0.267;
const K: f64 = 0.041;
const EXPECTED: f64 = 1e-3;

/// What the best piece without gaps must score. Chosen: of the relatives in the tests none is missed for it, and a sixth
/// of the pairs with words in common is left to align.
pub(super) const ALIKE: i32 = 45;

/// A piece without gaps stops growing where it has lost as much of its score (BLAST: 7 bits; this is nine).
const DROP: i32 = 20;

/// A piece of two sequences without gaps.
pub(super) struct Piece {
    pub(super) score: i32,
    /// Where it ends in the first sequence.
    pub(super) end: usize,
}

impl Piece {
    /// The piece that grows in both directions from the `length` residues at a place of `a`, on a diagonal.
    pub(super) fn about(a: &[u8], b: &[u8], position: usize, diagonal: i32, length: usize) -> Self {
        let there = (position as i32 - diagonal) as usize;
        let score = |(x, y): (&u8, &u8)| i32::from(BLOSUM62[usize::from(*x)][usize::from(*y)]);
        let grow = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| {
            let (mut here, mut most, mut far) = (0, 0, 0);
            for (steps, pair) in pairs.enumerate() {
                here += score(pair);
                if here > most {
                    (most, far) = (here, steps + 1);
                } else if here + DROP <= most {
                    break;
                }
            }
            (most, far)
        };
        let (a_end, b_end) = (position + length, there + length);
        let seed: i32 = a[position..a_end].iter().zip(&b[there..b_end]).map(score).sum();
        let (right, far) = grow(&mut a[a_end..].iter().zip(&b[b_end..]));
        let (left, _) = grow(&mut a[..position].iter().rev().zip(b[..there].iter().rev()));
        Self { score: seed + right + left, end: a_end + far }
    }
}

const GAP_OPEN: i32 = 11;
const GAP_LONGER: i32 = 1;

/// An alignment's score, and of its path the pairs, the identical ones, and how much of each sequence it covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) score: i32,
    pub(super) identical: u32,
    pub(super) pairs: u32,
    pub(super) covered: (u32, u32),
}

/// Whether two sequences are relatives; `total` is how many residues all sequences have together.
pub(super) fn kin(a: &[u8], b: &[u8], diagonal: i32, kinship: Kinship, total: usize) -> bool {
    let chance = |score: i32| K * a.len() as f64 * total as f64 * (-LAMBDA * f64::from(score)).exp();
    // Most pairs end here. Their path would take ten times as long.
    if chance(score(a, b, diagonal)) > EXPECTED {
        return false;
    }
    let path = align(a, b, diagonal);
    let shorter = a.len().min(b.len());
    let covered = if a.len() <= b.len() { path.covered.0 } else { path.covered.1 };
    path.pairs > 0
        && f64::from(path.identical) >= kinship.identity * f64::from(path.pairs)
        && f64::from(covered) >= kinship.coverage * shorter as f64
}

const WIDTH: usize = (2 * BAND + 1) as usize;

/// The score of [`align`]'s best alignment, without its path; at most `i16::MAX`. A row of the band is computed at once:
/// what ends with a gap in `a` is the best of what lies to the left in the row, less what the gap costs.
pub(super) fn score(a: &[u8], b: &[u8], diagonal: i32) -> i32 {
    const LOW: i16 = i16::MIN / 2;
    let (open, longer) = (GAP_OPEN as i16, GAP_LONGER as i16);
    // Scores of each residue with all of `b`, with the band's width of what is not there before and after it.
    let edge = WIDTH + 1;
    let profile: Vec<Vec<i16>> = BLOSUM62
        .iter()
        .map(|scores| {
            let mut row = vec![LOW; b.len() + 2 * edge];
            for (score, y) in row[edge..].iter_mut().zip(b) {
                *score = i16::from(scores[usize::from(*y)]);
            }
            row
        })
        .collect();
    let mut best = [0_i16; WIDTH + 1];
    let mut gap_in_b = [LOW; WIDTH + 1];
    let mut gap_in_a = [LOW; WIDTH];
    let mut most = 0;
    for (i, &x) in a.iter().enumerate() {
        let first = i as i32 - diagonal - BAND + edge as i32;
        let Some(scores) =
            usize::try_from(first).ok().and_then(|at| profile[usize::from(x)].get(at..at + WIDTH))
        else {
            // The band is outside of `b` altogether.
            continue;
        };
        for offset in 0..WIDTH {
            let down = best[offset + 1]
                .saturating_sub(open + longer)
                .max(gap_in_b[offset + 1].saturating_sub(longer));
            best[offset] = best[offset].saturating_add(scores[offset]).max(down).max(0);
            gap_in_b[offset] = down;
        }
        // Opening a gap after a gap never pays, so a gap may begin at what the row has without one.
        let mut left = LOW;
        for offset in 0..WIDTH {
            gap_in_a[offset] = left - open;
            left = (left - longer).max(best[offset] - longer);
        }
        for offset in 0..WIDTH {
            best[offset] = best[offset].max(gap_in_a[offset]);
            most = most.max(best[offset]);
        }
    }
    i32::from(most)
}

/// The best local alignment within the band about a diagonal (place in `a` minus place in `b`). What is wanted of its path
/// is carried along, so that no matrix is kept.
pub(super) fn align(a: &[u8], b: &[u8], diagonal: i32) -> Path {
    const LOW: i32 = i32::MIN / 2;
    let width = (2 * BAND + 1) as usize;
    let none = Path { score: LOW, ..Path::default() };
    // By offset in the band: the best path that ends here, with a pair or a gap in `b`, of the row before.
    let mut best = vec![Path::default(); width + 2];
    let mut gap_in_b = vec![none; width + 2];
    let mut most = Path::default();
    for (i, &x) in a.iter().enumerate() {
        let mut gap_in_a = none;
        // In this row j = i − diagonal − BAND + offset; the row before, at the same j, has one offset more.
        for offset in 0..width {
            let j = i as i32 - diagonal - BAND + offset as i32;
            let Some(&y) = usize::try_from(j).ok().and_then(|j| b.get(j)) else {
                best[offset] = Path::default();
                gap_in_b[offset] = none;
                gap_in_a = none;
                continue;
            };
            let over = |from: Path, gap: Path, in_a: bool| {
                let opened = from.score - GAP_OPEN - GAP_LONGER;
                let longer = gap.score - GAP_LONGER;
                let (mut path, score) = if opened >= longer { (from, opened) } else { (gap, longer) };
                path.score = score;
                let covered = if in_a { &mut path.covered.1 } else { &mut path.covered.0 };
                *covered += 1;
                path
            };
            let diagonal_before = best[offset];
            let left = if offset > 0 { best[offset - 1] } else { none };
            gap_in_a = over(left, gap_in_a, true);
            let down = over(best[offset + 1], gap_in_b[offset + 1], false);
            let mut pair = diagonal_before;
            pair.score += i32::from(BLOSUM62[usize::from(x)][usize::from(y)]);
            pair.pairs += 1;
            pair.identical += u32::from(x == y && x != UNKNOWN);
            pair.covered = (pair.covered.0 + 1, pair.covered.1 + 1);
            let mut here = pair;
            for other in [gap_in_a, down] {
                if other.score > here.score {
                    here = other;
                }
            }
            if here.score <= 0 {
                here = Path::default();
            }
            if here.score > most.score {
                most = here;
            }
            best[offset] = here;
            gap_in_b[offset] = down;
        }
        best[width] = Path::default();
        gap_in_b[width] = none;
    }
    most
}
