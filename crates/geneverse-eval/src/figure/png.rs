//! PNG (W3C Recommendation, third edition): pixels filtered row by row, compressed, in chunks with checksums.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::raster::Canvas;

/// A canvas as a file; `transparent` keeps the coverage. `dots` are pixels to a CSS pixel, which says how large it prints.
pub(super) fn encode(canvas: &Canvas, transparent: bool, dots: f64) -> std::io::Result<Vec<u8>> {
    let channels = if transparent { 4 } else { 3 };
    let mut row = vec![0_u8; canvas.width * channels];
    let mut above = row.clone();
    let mut filtered = vec![0_u8; row.len() + 1];
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    for pixels in canvas.pixels.chunks(canvas.width) {
        for (bytes, pixel) in row.chunks_mut(channels).zip(pixels) {
            let [red, green, blue, alpha] = *pixel;
            if transparent {
                // The canvas holds colours times coverage, a PNG holds colours.
                let whole = |value: u8| {
                    let undone = u32::from(value) * 255 + u32::from(alpha) / 2;
                    undone.checked_div(u32::from(alpha)).unwrap_or(0).min(255) as u8
                };
                bytes.copy_from_slice(&[whole(red), whole(green), whole(blue), alpha]);
            } else {
                bytes.copy_from_slice(&[red, green, blue]);
            }
        }
        // "Up": figures are mostly like the row above.
        filtered[0] = 2;
        for (to, (now, then)) in filtered[1..].iter_mut().zip(row.iter().zip(&above)) {
            *to = now.wrapping_sub(*then);
        }
        compressed.write_all(&filtered)?;
        std::mem::swap(&mut row, &mut above);
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend((canvas.width as u32).to_be_bytes());
    header.extend((canvas.height as u32).to_be_bytes());
    header.extend([8, if transparent { 6 } else { 2 }, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &header);
    let per_metre = ((dots * 96.0 / 0.0254).round() as u32).to_be_bytes();
    chunk(&mut file, b"pHYs", &[&per_metre[..], &per_metre[..], &[1]].concat());
    chunk(&mut file, b"IDAT", &compressed.finish()?);
    chunk(&mut file, b"IEND", &[]);
    Ok(file)
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(content);
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(content);
    file.extend(sum.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::palette::Colour;

    #[test]
    fn a_file_has_its_chunks_and_all_its_rows() {
        let mut canvas = Canvas::new(3.0, 2.0, 1.0, Some(Colour(1, 2, 3)));
        canvas.pixels[4] = [100, 50, 0, 128];
        for transparent in [false, true] {
            let file = encode(&canvas, transparent, 1.0).unwrap();
            assert_eq!(&file[12..16], b"IHDR");
            let at = file.windows(4).position(|window| window == b"IDAT").unwrap();
            let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
            let mut rows = Vec::new();
            let mut reader = flate2::read::ZlibDecoder::new(&file[at + 4..at + 4 + length]);
            std::io::Read::read_to_end(&mut reader, &mut rows).unwrap();
            let channels = if transparent { 4 } else { 3 };
            assert_eq!(rows.len(), 2 * (1 + 3 * channels));
            // The second pixel of the second row, which is the difference to the one above.
            let pixel = &rows[1 + 3 * channels + 1 + channels..][..channels];
            let wanted: Vec<u8> =
                if transparent { vec![199 - 1, 100 - 2, 253, 129] } else { vec![99, 48, 253] };
            assert_eq!(pixel, wanted);
        }
    }
}
