//! Discs with smooth edges, drawn one above the other.

use rayon::prelude::*;

use crate::picture::Picture;

/// A disc. Places are in pixels: the first pixel's centre is at (0.5, 0.5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Disc {
    pub(super) at: [f32; 2],
    pub(super) radius: f32,
    pub(super) colour: [u8; 3],
}

impl Disc {
    pub(super) fn at(at: [f32; 2], radius: f32, colour: [u8; 3]) -> Self {
        Self { at, radius, colour }
    }

    pub(super) fn moved(self, by: [f32; 2]) -> Self {
        Self { at: [self.at[0] + by[0], self.at[1] + by[1]], ..self }
    }
}

/// Rows that one thread draws. Which rows they are changes no pixel, since each thread goes through all discs in order.
const BAND: usize = 16;

/// Draws discs in their order; of one whose place is no number, or outside, nothing is seen.
pub(super) fn paint(picture: &mut Picture, discs: &[Disc]) {
    let (width, height) = (picture.width, picture.height);
    let rows_of = |disc: &Disc| {
        let reach = disc.radius + 0.5;
        let top = (disc.at[1] - reach).floor().max(0.0);
        let bottom = (disc.at[1] + reach).ceil().min(height as f32);
        // NaN compares as false.
        (top < bottom && disc.at[0].is_finite()).then_some((top as usize, bottom as usize))
    };
    // Each band's discs, in order: counted, then put in place.
    let bands = height.div_ceil(BAND);
    let mut starts = vec![0_usize; bands + 1];
    for (top, bottom) in discs.iter().filter_map(rows_of) {
        (top / BAND..bottom.div_ceil(BAND)).for_each(|band| starts[band + 1] += 1);
    }
    (0..bands).for_each(|band| starts[band + 1] += starts[band]);
    let mut next = starts.clone();
    let mut members = vec![0_u32; starts[bands]];
    for (index, disc) in discs.iter().enumerate() {
        let Some((top, bottom)) = rows_of(disc) else { continue };
        for slot in &mut next[top / BAND..bottom.div_ceil(BAND)] {
            members[*slot] = index as u32;
            *slot += 1;
        }
    }
    picture.bytes.par_chunks_mut(BAND * width * 3).enumerate().for_each(|(band, pixels)| {
        for &index in &members[starts[band]..starts[band + 1]] {
            paint_one(pixels, width, band * BAND, &discs[index as usize]);
        }
    });
}

/// Draws the part of a disc that lies in the rows from `first` on.
fn paint_one(pixels: &mut [u8], width: usize, first: usize, disc: &Disc) {
    let Disc { at: [x, y], radius, colour } = *disc;
    let reach = radius + 0.5;
    let rows = pixels.len() / (width * 3);
    let clip = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
    let (left, right) = (clip((x - reach).floor(), width), clip((x + reach).ceil(), width));
    let above = first as f32;
    let (top, bottom) = (clip((y - reach).floor() - above, rows), clip((y + reach).ceil() - above, rows));
    for row in top..bottom {
        let dy = (first + row) as f32 + 0.5 - y;
        let line = &mut pixels[row * width * 3..][..width * 3];
        for (column, pixel) in line.chunks_exact_mut(3).enumerate().take(right).skip(left) {
            let dx = column as f32 + 0.5 - x;
            // How much of the pixel is covered, by its distance to the edge.
            let covered = (reach - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0);
            let weight = (covered * 256.0) as i32;
            for (old, new) in pixel.iter_mut().zip(colour) {
                let step = (i32::from(new) - i32::from(*old)) * weight;
                *old = (i32::from(*old) + ((step + 128) >> 8)) as u8;
            }
        }
    }
}
