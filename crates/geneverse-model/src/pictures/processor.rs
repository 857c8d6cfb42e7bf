//! A picture as CLIP's image processor makes it ready for a tower (`preprocessor_config.json`, transformers'
//! `CLIPImageProcessor` and `LlavaImageProcessor`).
//!
//! RGB, where asked for made square with the mean colour around it, made smaller or larger by Pillow's cubic convolution, the
//! middle cut out, then (x / 255 − mean) / deviation for each channel.

use std::path::{Path, PathBuf};

use geneverse_data::picture::Picture;
use geneverse_data::picture::resize::{bicubic_part, centre_crop, pad_to_square};
use geneverse_data::stage::read_json;
use serde_json::{Map, Value};

use crate::config::ModelConfig;
use crate::config::fields::Fields;
use crate::config::vision::{CHANNELS, Layout};
use crate::error::{ModelError, Result};

/// How a picture is made ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Processor {
    pad: bool,
    resize: Option<Resize>,
    /// Width and height.
    crop: Option<(usize, usize)>,
    /// What pixels are multiplied by.
    scale: f64,
    mean: [f32; CHANNELS],
    deviation: [f32; CHANNELS],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Resize {
    /// The shorter side is to have so many pixels, the other in proportion.
    Shortest(usize),
    /// Width and height.
    To(usize, usize),
}

/// CLIP's own mean and deviation of red, green and blue.
pub(super) const MEAN: [f32; CHANNELS] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
pub(super) const DEVIATION: [f32; CHANNELS] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Largest side that a picture is made: a file with another is not one of a tower.
const LARGEST: usize = 1 << 14;

impl Processor {
    /// Reads `preprocessor_config.json`, or what `processor_config.json` says of pictures, in a model's folder, or in the
    /// folder of the tower that it names.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let (map, path, pad) = Self::fields(folder, config)?;
        let processor = Self::from_fields(&Fields::new(&map, &path))?;
        Ok(Self { pad: pad || processor.pad, ..processor })
    }

    /// The fields of the file, where it lies, and whether the model's own configuration makes pictures square.
    pub(super) fn fields(folder: &Path, config: &ModelConfig) -> Result<(Map<String, Value>, PathBuf, bool)> {
        let mut folders = vec![folder.to_owned()];
        let mut pad = false;
        if let Some(Layout::Original { tower, pad: padded }) =
            config.vision.as_ref().map(|vision| &vision.layout)
        {
            folders.push(tower.clone());
            pad = *padded;
        }
        let found = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        let (path, fields): (PathBuf, Map<String, Value>) = match found("preprocessor_config.json") {
            Some(path) => (path.clone(), read_json(&path)?),
            None => {
                let path =
                    found("processor_config.json").unwrap_or_else(|| folder.join("preprocessor_config.json"));
                let whole: Map<String, Value> = read_json(&path)?;
                let part = whole.get("image_processor").and_then(Value::as_object).cloned();
                let missing = || Fields::new(&whole, &path).refuse_value("image_processor", "an object");
                let part = part.ok_or_else(missing)?;
                (path, part)
            }
        };
        Ok((fields, path, pad))
    }

    pub(crate) fn from_fields(fields: &Fields<'_>) -> Result<Self> {
        let does = |field: &str| -> Result<bool> { Ok(fields.flag(field)?.unwrap_or(true)) };
        // 3 is Pillow's number for cubic convolution.
        fields.only("resample", 3)?;
        let resize = match does("do_resize")? {
            false => None,
            true => Some(match size(fields, "size", true)? {
                None => Resize::Shortest(224),
                Some(resize) => resize,
            }),
        };
        let crop = match does("do_center_crop")? {
            false => None,
            true => match size(fields, "crop_size", false)? {
                None => Some((224, 224)),
                Some(Resize::To(width, height)) => Some((width, height)),
                Some(Resize::Shortest(side)) => Some((side, side)),
            },
        };
        let scale = match does("do_rescale")? {
            true => fields.float("rescale_factor")?.unwrap_or(1.0 / 255.0),
            false => 1.0,
        };
        let (mean, deviation) = match does("do_normalize")? {
            true => (colours(fields, "image_mean", MEAN)?, colours(fields, "image_std", DEVIATION)?),
            false => ([0.0; CHANNELS], [1.0; CHANNELS]),
        };
        if deviation.contains(&0.0) {
            return Err(fields.refuse_value("image_std", "numbers other than 0"));
        }
        let pad = fields.flag("do_pad")?.unwrap_or(false);
        Ok(Self { pad, resize, crop, scale, mean, deviation })
    }

    /// What leaves bytes as they are, of the middle of a picture whose shorter side is made `side` pixels.
    pub(super) fn bytes(side: usize) -> Self {
        let (mean, deviation) = ([0.0; CHANNELS], [1.0; CHANNELS]);
        let resize = Some(Resize::Shortest(side));
        Self { pad: false, resize, crop: Some((side, side)), scale: 1.0, mean, deviation }
    }

    /// A picture's numbers, channel by channel: (channels, side, side). One that does not come out as a square of `side`
    /// pixels is refused.
    pub fn prepare(&self, picture: Picture, side: usize) -> Result<Vec<f32>> {
        let mut picture = picture.into_rgb();
        if self.pad {
            picture = pad_to_square(&picture, self.mean.map(|mean| (f64::from(mean) * 255.0) as u8));
        }
        if let Some(resize) = self.resize {
            let (width, height) = resize.of(&picture);
            // Of a long and narrow picture only the middle is needed, and only that is made.
            let part = |whole: usize, wanted: usize| match whole.checked_sub(wanted) {
                Some(surplus) => surplus / 2..surplus / 2 + wanted,
                None => 0..whole,
            };
            let (across, down) = match self.crop {
                Some((columns, rows)) => (part(width, columns), part(height, rows)),
                None => (0..width, 0..height),
            };
            if across.len().max(down.len()) > LARGEST {
                let (width, height) = (across.len(), down.len());
                return Err(ModelError::Run(format!(
                    "a picture of {} × {} pixels would become one of {width} × {height}, expected {side} × {side}",
                    picture.width, picture.height
                )));
            }
            picture = bicubic_part(&picture, (width, height), across, down);
        }
        if let Some((width, height)) = self.crop {
            picture = centre_crop(&picture, width, height);
        }
        if (picture.width, picture.height) != (side, side) {
            let (width, height) = (picture.width, picture.height);
            return Err(ModelError::Run(format!(
                "preprocessor_config.json makes a picture of {width} × {height} pixels, and the tower takes {side} × {side}"
            )));
        }
        let mut numbers = Vec::with_capacity(CHANNELS * side * side);
        for channel in 0..CHANNELS {
            let (mean, deviation) = (self.mean[channel], self.deviation[channel]);
            let of_channel = picture.bytes.iter().skip(channel).step_by(CHANNELS);
            numbers
                .extend(of_channel.map(|byte| ((f64::from(*byte) * self.scale) as f32 - mean) / deviation));
        }
        Ok(numbers)
    }
}

impl Resize {
    fn of(self, picture: &Picture) -> (usize, usize) {
        let (width, height) = (picture.width.max(1), picture.height.max(1));
        match self {
            Self::To(width, height) => (width, height),
            Self::Shortest(side) if width <= height => (side, in_proportion(side, height, width)),
            Self::Shortest(side) => (in_proportion(side, width, height), side),
        }
    }
}

/// side · long / short, rounded down as Python rounds a quotient of floats.
fn in_proportion(side: usize, long: usize, short: usize) -> usize {
    ((side * long) as f64 / short as f64) as usize
}

/// `{"shortest_edge": n}`, `{"height": h, "width": w}`, or a number, which is the shorter side's or both sides'.
fn size(fields: &Fields<'_>, field: &str, shortest: bool) -> Result<Option<Resize>> {
    let expected = "{\"shortest_edge\": n} or {\"height\": h, \"width\": w}, each from 1 to 16384";
    let refuse = || fields.refuse_value(field, expected);
    let within = |size: usize| if (1..=LARGEST).contains(&size) { Ok(size) } else { Err(refuse()) };
    match fields.get(field) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let side = within(number.as_u64().ok_or_else(refuse)? as usize)?;
            Ok(Some(if shortest { Resize::Shortest(side) } else { Resize::To(side, side) }))
        }
        Some(Value::Object(map)) => {
            let sizes = Fields::new(map, fields.path);
            match (sizes.size("shortest_edge")?, sizes.size("width")?, sizes.size("height")?) {
                (Some(side), None, None) => Ok(Some(Resize::Shortest(within(side)?))),
                (None, Some(width), Some(height)) => Ok(Some(Resize::To(within(width)?, within(height)?))),
                _ => Err(refuse()),
            }
        }
        Some(_) => Err(refuse()),
    }
}

/// A number for each channel.
pub(super) fn colours(
    fields: &Fields<'_>,
    field: &str,
    otherwise: [f32; CHANNELS],
) -> Result<[f32; CHANNELS]> {
    let Some(value) = fields.get(field) else { return Ok(otherwise) };
    let numbers =
        value.as_array().map(|list| list.iter().filter_map(Value::as_f64).map(|x| x as f32).collect());
    let numbers: Option<Vec<f32>> = numbers;
    numbers
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| fields.refuse_value(field, "a list of three numbers"))
}
