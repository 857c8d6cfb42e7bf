//! Colours of cells.
//!
//! Expression goes through viridis (Smith and van der Walt 2015, CC0; 33 of its 256 steps, between which it is straight to
//! within three levels). On white more is darker, on black more is lighter, so that what matters stands out. The chosen
//! type is in vermilion (Okabe and Ito 2008), which viridis does not have.

/// The colours of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    /// Where no cell is.
    pub(super) ground: [u8; 3],
    /// Cells that have nothing to show.
    pub(super) bare: [u8; 3],
    /// Cells of the type.
    pub(super) chosen: [u8; 3],
    /// Between two panels.
    pub(super) line: [u8; 3],
    /// Cells of other types, and of the type: without the gene, with little of it, with the most.
    hues: [[[u8; 3]; 3]; 2],
    dark: bool,
}

impl Ground {
    pub(super) const LIGHT: Self = Self {
        ground: [255, 255, 255],
        bare: [222, 222, 222],
        chosen: [213, 94, 0],
        line: [120, 120, 120],
        hues: [
            [[225, 231, 238], [170, 200, 228], [8, 48, 115]],
            [[253, 222, 190], [250, 170, 100], [125, 35, 0]],
        ],
        dark: false,
    };
    pub(super) const DARK: Self = Self {
        ground: [0, 0, 0],
        bare: [52, 52, 52],
        chosen: [255, 120, 30],
        line: [120, 120, 120],
        hues: [[[34, 40, 52], [52, 80, 120], [150, 210, 255]], [[84, 40, 12], [140, 72, 16], [255, 226, 90]]],
        dark: true,
    };

    pub(super) fn opaque(&self) -> [u8; 4] {
        let [red, green, blue] = self.ground;
        [red, green, blue, 255]
    }

    /// The colour of a cell where hue tells the type and strength the expression; no level without the gene. Blue and orange
    /// are told apart by the colour-blind.
    pub(super) fn hue(&self, chosen: bool, level: Option<f32>) -> [u8; 3] {
        let [bare, low, high] = self.hues[usize::from(chosen)];
        level.map_or(bare, |level| between(low, high, level))
    }

    /// The colour of a level: 0 is next to nothing, 1 the top of the scale. The end of viridis that is close to the ground
    /// is left out.
    pub(super) fn expression(&self, level: f32) -> [u8; 3] {
        let part = if self.dark { 0.25 + 0.75 * level } else { 0.9 - 0.9 * level };
        viridis(part)
    }
}

/// Where a value lies on a scale of log(1 + x) whose top is `top`, in 255ths: what another machine's logarithm might
/// differ by is not seen.
pub(super) fn scale(value: f32, top: f64) -> f32 {
    let level = if top > 0.0 { f64::from(value).ln_1p() / top } else { 1.0 };
    (level.clamp(0.0, 1.0) * 255.0).round() as f32 / 255.0
}

fn viridis(part: f32) -> [u8; 3] {
    let place = part.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
    let low = (place as usize).min(VIRIDIS.len() - 2);
    between(VIRIDIS[low], VIRIDIS[low + 1], place - low as f32)
}

/// The colour `part` of the way from one to another.
fn between(from: [u8; 3], to: [u8; 3], part: f32) -> [u8; 3] {
    [0, 1, 2].map(|channel| {
        let [from, to] = [from[channel], to[channel]].map(f32::from);
        (from + (to - from) * part).round() as u8
    })
}

#[rustfmt::skip]
const VIRIDIS: [[u8; 3]; 33] = [
    [68, 1, 84], [71, 13, 96], [72, 24, 106], [72, 35, 116], [71, 45, 123], [69, 55, 129],
    [66, 64, 134], [62, 73, 137], [59, 82, 139], [55, 91, 141], [51, 99, 141], [47, 107, 142],
    [44, 114, 142], [41, 122, 142], [38, 130, 142], [35, 137, 142], [33, 145, 140], [31, 152, 139],
    [31, 160, 136], [34, 167, 133], [40, 174, 128], [50, 182, 122], [63, 188, 115], [78, 195, 107],
    [94, 201, 98], [112, 207, 87], [132, 212, 75], [152, 216, 62], [173, 220, 48], [194, 223, 35],
    [216, 226, 25], [236, 229, 27], [253, 231, 37],
];
