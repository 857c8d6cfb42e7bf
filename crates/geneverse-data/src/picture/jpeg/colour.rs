//! Samples to pixels: chroma made as large as the picture, and colours turned to red, green and blue, as libjpeg-turbo does it.

use super::{Component, Frame, Result};

/// The picture as red, green and blue, row after row.
pub(super) fn pixels(frame: &Frame, jfif: bool, adobe: Option<u8>) -> Result<Vec<u8>> {
    let (width, height) = (frame.width, frame.height);
    let planes =
        frame.components.iter().map(|component| whole(component, frame)).collect::<Result<Vec<_>>>()?;
    let mut pixels = Vec::with_capacity(3 * width * height);
    let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
    match &planes[..] {
        [grey] => grey.iter().for_each(|grey| pixels.extend([*grey; 3])),
        [y, cb, cr] => {
            // As libjpeg guesses where nothing is said.
            let rgb = !jfif && (adobe == Some(0) || (adobe.is_none() && ids == *b"RGB"));
            for ((y, cb), cr) in y.iter().zip(cb).zip(cr) {
                pixels.extend(if rgb { [*y, *cb, *cr] } else { to_rgb(*y, *cb, *cr) });
            }
        }
        [c, m, y, k] => {
            for (((c, m), y), k) in c.iter().zip(m).zip(y).zip(k) {
                // Programs that write such files store the inverse of the inks, and so they are read.
                let light = match adobe {
                    Some(2) => to_rgb(*c, *m, *y).map(|x| 255 - x),
                    _ => [*c, *m, *y],
                };
                pixels.extend(light.map(|light| on_black(255 - light, 255 - *k)));
            }
        }
        _ => return Err("colours that are not known here".to_owned()),
    }
    Ok(pixels)
}

/// Red, green and blue of luma and chroma, in 16 binary places.
fn to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|x| x.clamp(0, 255) as u8)
}

/// What an ink leaves under black, as Pillow has it: (255 − k) − ink · (255 − k) / 255.
fn on_black(ink: u8, black: u8) -> u8 {
    let left = 255 - u32::from(black);
    let product = u32::from(ink) * left + 128;
    (left - (((product >> 8) + product) >> 8)) as u8
}

/// A component's samples for every pixel: (height, width).
fn whole(component: &Component, frame: &Frame) -> Result<Vec<u8>> {
    let (across, down) = component.sampling;
    let (wide, high) = frame.most;
    if !wide.is_multiple_of(across) || !high.is_multiple_of(down) {
        return Err(format!("colours of {across} × {down} in {wide} × {high}, expected a divisor"));
    }
    let (stride, (columns, rows)) = (8 * component.blocks.0, component.size);
    let line = |row: usize| &component.samples[row * stride..row * stride + columns];
    let mut out = Vec::with_capacity(frame.width * frame.height);
    let mut sums = vec![0u32; columns];
    // A triangle needs a neighbour.
    let fancy = columns > 2;
    for y in 0..frame.height {
        let start = out.len();
        match (wide / across, high / down) {
            (1, 1) => out.extend_from_slice(line(y)),
            (2, 1) if fancy => {
                sums.iter_mut().zip(line(y)).for_each(|(sum, x)| *sum = u32::from(*x));
                doubled(&sums, (1, 2), 2, &mut out);
            }
            (1, 2) => {
                let (near, far) = neighbours(y, rows);
                let bias = 1 + (y % 2) as u32;
                let mixed =
                    |(near, far): (&u8, &u8)| ((3 * u32::from(*near) + u32::from(*far) + bias) >> 2) as u8;
                out.extend(line(near).iter().zip(line(far)).map(mixed));
            }
            (2, 2) if fancy => {
                let (near, far) = neighbours(y, rows);
                for (sum, (near, far)) in sums.iter_mut().zip(line(near).iter().zip(line(far))) {
                    *sum = 3 * u32::from(*near) + u32::from(*far);
                }
                doubled(&sums, (8, 7), 4, &mut out);
            }
            (h, v) => out.extend(line(y / v).iter().flat_map(|x| std::iter::repeat_n(*x, h))),
        }
        out.truncate(start + frame.width);
    }
    Ok(out)
}

/// The row of samples that a row of pixels lies in, and the other one that is nearest.
fn neighbours(y: usize, rows: usize) -> (usize, usize) {
    let near = y / 2;
    (near, if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(rows - 1) })
}

/// A line twice as long: three parts of the nearest and one of the other, rounded up and down in turn, to `places` fewer.
fn doubled(line: &[u32], (left, right): (u32, u32), places: u32, out: &mut Vec<u8>) {
    for (i, x) in line.iter().enumerate() {
        let before = if i == 0 { *x } else { line[i - 1] };
        let after = if i + 1 == line.len() { *x } else { line[i + 1] };
        out.push(((3 * x + before + left) >> places) as u8);
        out.push(((3 * x + after + right) >> places) as u8);
    }
}
