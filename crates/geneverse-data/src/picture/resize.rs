//! Pictures made larger or smaller by cubic convolution, as Pillow computes it, to the bit.
//!
//! Keys' kernel with a = −0.5 (1981). Where the picture becomes smaller the kernel is stretched by the same factor, so
//! that every pixel has its part in the result. First rows, then columns; in between, and at the end, numbers are whole
//! and between 0 and 255. Weights are whole numbers of 2⁻²². Both are Pillow's (`Resample.c`), and so is the
//! order; Pillow 13 takes columns first for some sizes, which changes single pixels by a few steps.

use std::ops::Range;

use rayon::prelude::*;

use super::Picture;

/// Binary places of a weight: what 32 bits leave beside 8 of a pixel and 2 for overshoot.
const PLACES: u32 = 32 - 8 - 2;

/// Half the kernel's width, in pixels of the larger picture.
const REACH: f64 = 2.0;

/// The picture at another size. Of a picture with opacity the colours are not multiplied by it, so it should have none.
pub fn bicubic(picture: &Picture, width: usize, height: usize) -> Picture {
    bicubic_part(picture, (width, height), 0..width, 0..height)
}

/// Of the picture at another size these columns and rows, which alone are computed.
pub fn bicubic_part(
    picture: &Picture,
    (width, height): (usize, usize),
    columns: Range<usize>,
    down: Range<usize>,
) -> Picture {
    let Picture { channels, .. } = *picture;
    let whole = columns == (0..width) && picture.width == width;
    let wide = if whole { picture.clone() } else { rows(picture, width, columns.clone()) };
    if down == (0..height) && wide.height == height {
        return wide;
    }
    let (width, count) = (columns.len(), channels.count());
    let line = width * count;
    let mut bytes = vec![0; line * down.len()];
    let weights = Weights::new(wide.height, height, down.clone());
    let height = down.len();
    bytes.par_chunks_exact_mut(line.max(1)).enumerate().for_each(|(row, out)| {
        let (first, weights) = weights.of(row);
        for (column, out) in out.iter_mut().enumerate() {
            let pixels = (first..).map(|row| wide.bytes[row * line + column]);
            *out = weigh(weights, pixels);
        }
    });
    Picture { width, height, channels, bytes }
}

/// The middle of a picture, `width` × `height`; what the picture does not reach is black.
pub fn centre_crop(picture: &Picture, width: usize, height: usize) -> Picture {
    // As transformers' `center_crop`: of an odd remainder the smaller half is cut off at the top and on the left, and the
    // larger half is added there.
    let begin = |have: usize, want: usize| match have.checked_sub(want) {
        Some(surplus) => -((surplus / 2) as isize),
        None => (want - have).div_ceil(2) as isize,
    };
    let place = (begin(picture.width, width), begin(picture.height, height));
    laid(picture, (width, height), place, [0; 4])
}

/// The picture in the middle of a square of one colour, as wide as its longer side.
pub fn pad_to_square(picture: &Picture, colour: [u8; 3]) -> Picture {
    let side = picture.width.max(picture.height);
    let place = (((side - picture.width) / 2) as isize, ((side - picture.height) / 2) as isize);
    laid(picture, (side, side), place, [colour[0], colour[1], colour[2], 255])
}

/// The picture laid on another of one colour; `(x, y)` is where its first pixel comes to lie.
fn laid(
    picture: &Picture,
    (width, height): (usize, usize),
    (x, y): (isize, isize),
    colour: [u8; 4],
) -> Picture {
    let mut ground = Picture::filled(width, height, picture.channels, colour);
    let count = picture.channels.count();
    // Columns of the ground that the picture covers.
    let covered = x.max(0) as usize..((x + picture.width as isize).max(0) as usize).min(width);
    for row in 0..height {
        let from = row as isize - y;
        if covered.is_empty() || from < 0 || from >= picture.height as isize {
            continue;
        }
        let first = (from as usize * picture.width) + (covered.start as isize - x) as usize;
        let to = (row * width + covered.start) * count;
        let length = covered.len() * count;
        ground.bytes[to..to + length].copy_from_slice(&picture.bytes[first * count..first * count + length]);
    }
    ground
}

/// Each row at another width, of which these columns.
fn rows(picture: &Picture, width: usize, columns: Range<usize>) -> Picture {
    let Picture { height, channels, .. } = *picture;
    let count = channels.count();
    let weights = Weights::new(picture.width, width, columns.clone());
    let width = columns.len();
    let mut bytes = vec![0; width * height * count];
    let lines = bytes.par_chunks_exact_mut((width * count).max(1));
    lines.zip(picture.bytes.par_chunks_exact((picture.width * count).max(1))).for_each(|(out, line)| {
        for (column, out) in out.chunks_exact_mut(count).enumerate() {
            let (first, weights) = weights.of(column);
            for (channel, out) in out.iter_mut().enumerate() {
                *out = weigh(weights, (first..).map(|column| line[column * count + channel]));
            }
        }
    });
    Picture { width, height, channels, bytes }
}

fn weigh(weights: &[i32], pixels: impl Iterator<Item = u8>) -> u8 {
    let half = 1 << (PLACES - 1);
    let sum = weights
        .iter()
        .zip(pixels)
        .fold(half, |sum: i32, (weight, pixel)| sum.wrapping_add(weight * i32::from(pixel)));
    (sum >> PLACES).clamp(0, 255) as u8
}

/// For each pixel of a line, which pixels of the line it is made of weigh how much in it.
struct Weights {
    /// The first pixel, and how many.
    places: Vec<(usize, usize)>,
    /// As many as the longest has for each pixel.
    weights: Vec<i32>,
    longest: usize,
}

impl Weights {
    /// Of a line of `from` pixels that is to have `to`, for these.
    fn new(from: usize, to: usize, pixels: Range<usize>) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let reach = REACH * stretch;
        let longest = reach.ceil() as usize * 2 + 1;
        let mut weights = vec![0; longest * pixels.len()];
        let mut places = Vec::with_capacity(pixels.len());
        for (pixel, weights) in pixels.zip(weights.chunks_exact_mut(longest)) {
            let centre = (pixel as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            let raw: Vec<f64> =
                (first..end).map(|place| keys((place as f64 - centre + 0.5) * (1.0 / stretch))).collect();
            let sum: f64 = raw.iter().sum();
            for (weight, raw) in weights.iter_mut().zip(&raw) {
                let share = if sum == 0.0 { *raw } else { raw / sum };
                *weight = (share * f64::from(1 << PLACES)).round() as i32;
            }
            places.push((first, raw.len()));
        }
        Self { places, weights, longest }
    }

    fn of(&self, pixel: usize) -> (usize, &[i32]) {
        let (first, count) = self.places[pixel];
        let at = pixel * self.longest;
        (first, &self.weights[at..at + count])
    }
}

/// Keys' cubic with a = −0.5.
fn keys(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < REACH {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
