//! Pictures as bytes: eight bits a channel, rows from the top, read from and written to files.
//!
//! PNG (W3C Recommendation, third edition) is written, without a time or any other text in it, so that the same
//! pixels are the same bytes.

mod jpeg;
mod read;
pub mod resize;

use std::io::Write;
use std::path::Path;

use crate::stage::{FileError, atomic_write};

pub use read::{LARGEST_SIDE, MOST_PIXELS};

/// Whether a path ends as files of pictures do: a person who names a folder so means something else.
pub(crate) fn is_named_like_one(path: &Path) -> bool {
    const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "svg", "pdf"];
    path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// The type of a picture's file from its first bytes, of those that browsers and endpoints take; pictures that could hold a
/// script are none.
pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// What a pixel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and opacity; colours are not multiplied by it.
    Rgba,
}

impl Channels {
    /// Bytes to a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// A picture, sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// What a pixel holds.
    pub channels: Channels,
    /// `height` × `width` × `channels.count()` bytes.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// A picture of one colour; of `colour` the first [`Channels::count`] values are taken.
    pub fn filled(width: usize, height: usize, channels: Channels, colour: [u8; 4]) -> Self {
        let pixel = &colour[..channels.count()];
        Self { width, height, channels, bytes: pixel.repeat(width * height) }
    }

    /// The picture without opacity, laid on white where it had some: to the bit what Pillow's `alpha_composite` makes of it,
    /// and transformers before a model sees it.
    pub fn into_rgb(self) -> Self {
        let Self { width, height, channels, bytes } = self;
        let bytes = match channels {
            Channels::Rgb => bytes,
            Channels::Rgba => {
                let (pixels, _) = bytes.as_chunks::<4>();
                let on_white = |[red, green, blue, opacity]: &[u8; 4]| {
                    [red, green, blue].map(|colour| {
                        let (colour, opacity) = (u32::from(*colour), u32::from(*opacity));
                        // The quotient by 255, with seven binary places more than are kept.
                        let sum = (colour * opacity + 255 * (255 - opacity) + 128) << 7;
                        ((((sum >> 8) + sum) >> 8) >> 7) as u8
                    })
                };
                pixels.iter().flat_map(on_white).collect()
            }
        };
        Self { width, height, channels: Channels::Rgb, bytes }
    }

    /// The picture as a PNG file's bytes.
    pub fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        self.encode(&mut file)?;
        Ok(file)
    }

    /// Writes a PNG file beside its place and renames it in.
    pub fn write_png(&self, path: &Path) -> Result<(), FileError> {
        atomic_write(path, |out| self.encode(out).map_err(std::io::Error::other))
    }

    fn encode(&self, out: &mut impl Write) -> Result<(), png::EncodingError> {
        // Sides beyond 32 bits cannot be in memory as pixels.
        let mut encoder = png::Encoder::new(out, self.width as u32, self.height as u32);
        encoder.set_color(match self.channels {
            Channels::Rgb => png::ColorType::Rgb,
            Channels::Rgba => png::ColorType::Rgba,
        });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.bytes)?;
        writer.finish()
    }
}
