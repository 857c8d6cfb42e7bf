//! PNG and JPEG files to [`Picture`]s.
//!
//! Which of the two a file is its first bytes say, not its name. Whatever it holds (grey, palettes, 1 to 16 bits, CMYK)
//! becomes eight bits of red, green and blue, and opacity where there is one, as Pillow reads them; of 16 bits the upper
//! eight are taken, also of grey, which Pillow cuts off at 255. What a file says of the way its
//! picture is to be turned (EXIF) is not followed, which Pillow does not either.
//!
//! A file is looked at before it is unpacked: what would be larger than [`LARGEST_SIDE`] or [`MOST_PIXELS`] is refused.

use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use super::jpeg::Decoder;
use super::{Channels, Picture};
use crate::stage::FileError;

/// Most pixels in a row or a column.
pub const LARGEST_SIDE: usize = 1 << 15;

/// Most pixels altogether: what Pillow warns of, 256 MiB of red, green and blue.
pub const MOST_PIXELS: usize = 89_478_485;

/// Largest file that is read, in bytes: more than a PNG of that many pixels takes that was not packed at all.
const LARGEST_FILE: u64 = 1 << 29;

const PNG: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

impl Picture {
    /// Reads a PNG or a JPEG file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let file = std::fs::File::open(path).map_err(|e| FileError::io(path, "open", e))?;
        let length = file.metadata().map_err(|e| FileError::io(path, "read", e))?.len();
        if length > LARGEST_FILE {
            let reason = format!("has {length} bytes, expected a picture of at most {LARGEST_FILE}");
            return Err(FileError::whole(path, reason));
        }
        let mut bytes = Vec::new();
        BufReader::new(file).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
        Self::from_bytes(&bytes).map_err(|reason| FileError::whole(path, reason))
    }

    /// The picture that a PNG or a JPEG file's bytes hold; else what is wrong with them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.starts_with(&PNG) {
            read_png(Cursor::new(bytes))
        } else if bytes.starts_with(&JPEG) {
            read_jpeg(bytes)
        } else if bytes.is_empty() {
            Err("is empty, expected a PNG or a JPEG file".to_owned())
        } else {
            let begin: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            let begin = begin.join(" ");
            Err(format!("is no picture: it begins with the bytes {begin}, expected a PNG or a JPEG file"))
        }
    }
}

/// Refuses what would be too large before any of it is unpacked.
fn check_size(width: usize, height: usize) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err(format!("is a picture of {width} × {height} pixels, expected at least one"));
    }
    let pixels = width.saturating_mul(height);
    if width.max(height) > LARGEST_SIDE || pixels > MOST_PIXELS {
        return Err(format!(
            "is a picture of {width} × {height} pixels, expected at most {LARGEST_SIDE} to a side and {MOST_PIXELS} \
             in all; make it smaller"
        ));
    }
    Ok(())
}

fn read_png(bytes: impl std::io::BufRead + Seek) -> Result<Picture, String> {
    let broken = |e: png::DecodingError| format!("is no readable PNG file: {e}");
    let limits = png::Limits { bytes: 8 * MOST_PIXELS };
    let mut decoder = png::Decoder::new_with_limits(bytes, limits);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(broken)?;
    let (width, height) = (header.width as usize, header.height as usize);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().ok_or("is a PNG file that is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(broken)?;
    pixels.truncate(frame.buffer_size());
    let channels = if frame.color_type.samples().is_multiple_of(2) { Channels::Rgba } else { Channels::Rgb };
    let bytes = match frame.color_type {
        png::ColorType::Rgb | png::ColorType::Rgba => pixels,
        png::ColorType::Grayscale => pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
        png::ColorType::GrayscaleAlpha => {
            let (pairs, _) = pixels.as_chunks::<2>();
            pairs.iter().flat_map(|[grey, opacity]| [*grey, *grey, *grey, *opacity]).collect()
        }
        png::ColorType::Indexed => return Err("is a PNG file whose palette could not be used".to_owned()),
    };
    Ok(Picture { width, height, channels, bytes })
}

fn read_jpeg(bytes: &[u8]) -> Result<Picture, String> {
    let broken = |reason: String| format!("is no readable JPEG file: {reason}");
    let decoder = Decoder::new(bytes).map_err(broken)?;
    let (width, height) = (decoder.frame().width, decoder.frame().height);
    check_size(width, height)?;
    let bytes = decoder.decode().map_err(broken)?;
    Ok(Picture { width, height, channels: Channels::Rgb, bytes })
}

#[cfg(test)]
mod tests;
