//! A picture of any size as Qwen2.5-VL's image processor makes it ready (`preprocessor_config.json`, transformers'
//! `Qwen2VLImageProcessor`, its Pillow form).
//!
//! RGB, both sides made multiples of what a token covers, with as many pixels in all as are allowed, by Pillow's cubic
//! convolution; then (x / 255 − mean) / deviation for each channel. What comes out are patches, those of one token after
//! another, each channel by channel, the same twice where a patch is of two frames.

use geneverse_data::picture::Picture;
use geneverse_data::picture::resize::bicubic;

use super::processor::{DEVIATION, MEAN, colours};
use crate::config::fields::Fields;
use crate::config::qwen::AnySize;
use crate::config::vision::CHANNELS;
use crate::error::{ModelError, Result};

/// How a picture is made ready.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fitted {
    patch: usize,
    merge: usize,
    frames: usize,
    /// Fewest and most pixels.
    pixels: (usize, usize),
    scale: f64,
    mean: [f32; CHANNELS],
    deviation: [f32; CHANNELS],
}

/// A longer side is at most so many times the other.
const NARROWEST: usize = 200;

impl Fitted {
    pub(crate) fn from_fields(fields: &Fields<'_>, patch: usize, any: &AnySize) -> Result<Self> {
        for field in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
            fields.only(field, true)?;
        }
        // 3 is Pillow's number for cubic convolution.
        fields.only("resample", 3)?;
        fields.only("patch_size", patch)?;
        fields.only("merge_size", any.merge)?;
        fields.only("temporal_patch_size", any.frames)?;
        let size = fields.object("size")?;
        let of = |field: &str, old: &str, otherwise: usize| -> Result<usize> {
            let new = size.map(|size| size.size(field)).transpose()?.flatten();
            Ok(fields.size(old)?.or(new).unwrap_or(otherwise))
        };
        let side = patch * any.merge;
        let least = of("shortest_edge", "min_pixels", 56 * 56)?;
        let most = of("longest_edge", "max_pixels", 28 * 28 * 1280)?;
        if !(side * side..=1 << 28).contains(&most) || least > most {
            let expected =
                format!("min_pixels at most max_pixels, and that from {} to {}", side * side, 1 << 28);
            return Err(fields.refuse("max_pixels", format!("{most}, with min_pixels {least}"), expected));
        }
        let (mean, deviation) =
            (colours(fields, "image_mean", MEAN)?, colours(fields, "image_std", DEVIATION)?);
        if deviation.contains(&0.0) {
            return Err(fields.refuse_value("image_std", "numbers other than 0"));
        }
        let scale = fields.float("rescale_factor")?.unwrap_or(1.0 / 255.0);
        let (merge, frames) = (any.merge, any.frames);
        Ok(Self { patch, merge, frames, pixels: (least, most), scale, mean, deviation })
    }

    /// A picture's patches, and its tokens from top to bottom and from left to right.
    pub(crate) fn prepare(&self, picture: Picture) -> Result<(Vec<f32>, (usize, usize))> {
        let picture = picture.into_rgb();
        let (width, height) = self.size(picture.width, picture.height)?;
        let picture = bicubic(&picture, width, height);
        let Self { patch, merge, frames, .. } = *self;
        let (down, across) = (height / patch / merge, width / patch / merge);
        let values: Vec<[f32; 256]> = (0..CHANNELS)
            .map(|channel| {
                let value = |byte: usize| (byte as f64 * self.scale) as f32;
                std::array::from_fn(|byte| (value(byte) - self.mean[channel]) / self.deviation[channel])
            })
            .collect();
        let mut numbers = Vec::with_capacity(width * height * CHANNELS * frames);
        for token in 0..down * across {
            for number in 0..merge * merge {
                let top = (token / across * merge + number / merge) * patch;
                let left = (token % across * merge + number % merge) * patch;
                for (channel, values) in values.iter().enumerate() {
                    for _ in 0..frames {
                        for y in top..top + patch {
                            let row = &picture.bytes
                                [(y * width + left) * CHANNELS..(y * width + left + patch) * CHANNELS];
                            let of_channel = row.iter().skip(channel).step_by(CHANNELS);
                            numbers.extend(of_channel.map(|byte| values[usize::from(*byte)]));
                        }
                    }
                }
            }
        }
        Ok((numbers, (down, across)))
    }

    /// Width and height that a picture is made (`smart_resize`).
    fn size(&self, width: usize, height: usize) -> Result<(usize, usize)> {
        let (long, short) = (width.max(height), width.min(height).max(1));
        if long > NARROWEST * short {
            return Err(ModelError::Run(format!(
                "a picture of {width} × {height} pixels: the longer side is {:.0} times the other, expected at most {NARROWEST}; \
                 cut it",
                long as f64 / short as f64
            )));
        }
        let side = (self.patch * self.merge) as f64;
        let (w, h, (least, most)) = (width as f64, height as f64, self.pixels);
        // Python rounds a half to the even neighbour.
        let near = |x: f64| (x / side).round_ties_even() * side;
        let (mut wide, mut high) = (near(w), near(h));
        if wide * high > most as f64 {
            let beta = (w * h / most as f64).sqrt();
            let down = |x: f64| ((x / beta / side).floor() * side).max(side);
            (wide, high) = (down(w), down(h));
        } else if wide * high < least as f64 {
            let beta = (least as f64 / (w * h)).sqrt();
            let up = |x: f64| (x * beta / side).ceil() * side;
            (wide, high) = (up(w), up(h));
        }
        if wide < side || high < side {
            return Err(ModelError::Run(format!(
                "a picture of {width} × {height} pixels would become one of {wide} × {high}, expected at least {side} each way; \
                 raise min_pixels in preprocessor_config.json"
            )));
        }
        Ok((wide as usize, high as usize))
    }
}
