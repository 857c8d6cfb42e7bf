//! JPEG files (ITU-T T.81) as libjpeg-turbo reads them, to the bit: baseline and progressive, 8 bits, Huffman coding.
//!
//! A picture's pixels are fixed by the standard up to a step or two only; what programs that train models see is what
//! libjpeg makes of them, so its arithmetic is followed: the slow integer transform, chroma made larger with a triangle, and
//! colours in 16 binary places. [`scan`] reads coefficients, [`transform`] makes samples of them, [`colour`] pixels.

mod colour;
mod scan;
mod transform;

use std::ops::Range;

use scan::{Code, Scan};

/// What reads a file: how large it is, before anything is unpacked.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    /// Where the next marker is looked for.
    at: usize,
    frame: Frame,
    /// Quantisation tables, in zigzag order.
    quantisers: [Option<[u16; 64]>; 4],
    /// Huffman codes of differences and of coefficients.
    codes: [[Option<Code>; 4]; 2],
    restart: usize,
    jfif: bool,
    /// The colour transform that Adobe's marker names.
    adobe: Option<u8>,
}

/// A picture as its frame header has it.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    progressive: bool,
    components: Vec<Component>,
    /// The largest sampling factors.
    most: (usize, usize),
}

/// One of a picture's colours.
struct Component {
    id: u8,
    /// Sampling factors, across and down.
    sampling: (usize, usize),
    quantiser: usize,
    /// Samples that the picture has of it.
    size: (usize, usize),
    /// Blocks of 8 × 8 that are stored: whole units of all components.
    blocks: (usize, usize),
    /// The table that its first scan found.
    table: Option<[u16; 64]>,
    /// (blocks down · across, 64), of a progressive picture.
    coefficients: Vec<i16>,
    /// (8 · blocks down, 8 · blocks across)
    samples: Vec<u8>,
}

/// Scans that a picture may have: a progressive one has ten or so, and each costs a pass over the picture.
const MOST_SCANS: usize = 256;

type Result<T> = std::result::Result<T, String>;

impl<'a> Decoder<'a> {
    /// Reads a file up to its frame header.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let components = Vec::new();
        let frame = Frame { width: 0, height: 0, progressive: false, components, most: (1, 1) };
        let (quantisers, codes) = ([None; 4], Default::default());
        let mut decoder =
            Self { bytes, at: 2, frame, quantisers, codes, restart: 0, jfif: false, adobe: None };
        loop {
            let (marker, part) = decoder.segment()?;
            match marker {
                0xc0..=0xc2 => {
                    decoder.frame = frame_header(&bytes[part], marker == 0xc2)?;
                    return Ok(decoder);
                }
                0xda => return Err("its first scan comes before its size".to_owned()),
                _ => decoder.table(marker, part)?,
            }
        }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The picture as red, green and blue.
    pub(super) fn decode(mut self) -> Result<Vec<u8>> {
        for component in &mut self.frame.components {
            let blocks = component.blocks.0 * component.blocks.1;
            component.samples = vec![0; 64 * blocks];
            if self.frame.progressive {
                component.coefficients = vec![0; 64 * blocks];
            }
        }
        let mut scans = 0;
        loop {
            let (marker, part) = match self.segment() {
                Ok(found) => found,
                // A file whose last marker is missing is whole where every component has been read.
                Err(_) if scans > 0 && self.frame.components.iter().all(|c| c.table.is_some()) => break,
                Err(e) => return Err(e),
            };
            match marker {
                0xd9 => break,
                0xda => {
                    scans += 1;
                    if scans > MOST_SCANS {
                        return Err(format!("more than {MOST_SCANS} scans"));
                    }
                    self.scan(part)?;
                }
                0xc0..=0xc2 => return Err("two frames".to_owned()),
                _ => self.table(marker, part)?,
            }
        }
        for component in &mut self.frame.components {
            let Some(table) = &component.table else { return Err("a colour without a scan".to_owned()) };
            if self.frame.progressive {
                let stride = 8 * component.blocks.0;
                for (number, block) in component.coefficients.as_chunks::<64>().0.iter().enumerate() {
                    let at = number / component.blocks.0 * 8 * stride + number % component.blocks.0 * 8;
                    transform::inverse(block, table, &mut component.samples[at..], stride);
                }
                component.coefficients = Vec::new();
            }
        }
        colour::pixels(&self.frame, self.jfif, self.adobe)
    }

    /// The next marker and the bytes of its segment.
    fn segment(&mut self) -> Result<(u8, Range<usize>)> {
        let end = || "ends before its picture does".to_owned();
        loop {
            while *self.bytes.get(self.at).ok_or_else(end)? != 0xff {
                self.at += 1;
            }
            while *self.bytes.get(self.at).ok_or_else(end)? == 0xff {
                self.at += 1;
            }
            let marker = self.bytes[self.at];
            self.at += 1;
            match marker {
                0x00 | 0x01 | 0xd0..=0xd8 => continue,
                0xd9 => return Ok((marker, self.at..self.at)),
                0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    return Err(format!(
                        "coded in a way that is not read here (frame {marker:#x}); save it as a plain JPEG"
                    ));
                }
                _ => {}
            }
            let length =
                self.bytes.get(self.at..self.at + 2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]));
            let length = length.filter(|length| *length >= 2).ok_or_else(end)?;
            let part = self.at + 2..self.at + length;
            if part.end > self.bytes.len() {
                return Err(end());
            }
            self.at = part.end;
            return Ok((marker, part));
        }
    }

    /// A segment that is neither frame nor scan.
    fn table(&mut self, marker: u8, part: Range<usize>) -> Result<()> {
        let mut bytes = &self.bytes[part];
        match marker {
            0xdb => {
                while let [first, rest @ ..] = bytes {
                    let (wide, slot) = (first >> 4 != 0, usize::from(first & 15));
                    let size = if wide { 128 } else { 64 };
                    let (Some(numbers), true) = (rest.get(..size), slot < 4) else {
                        return Err("a quantisation table that is cut off".to_owned());
                    };
                    let number = |i: usize| match wide {
                        true => u16::from(numbers[2 * i]) << 8 | u16::from(numbers[2 * i + 1]),
                        false => u16::from(numbers[i]),
                    };
                    self.quantisers[slot] = Some(std::array::from_fn(number));
                    bytes = &rest[size..];
                }
            }
            0xc4 => {
                while let [first, rest @ ..] = bytes {
                    let (kind, slot) = (usize::from(first >> 4), usize::from(first & 15));
                    if kind > 1 || slot > 3 {
                        return Err("a Huffman table for nothing that there is".to_owned());
                    }
                    let (code, used) = Code::read(rest)?;
                    self.codes[kind][slot] = Some(code);
                    bytes = &rest[used..];
                }
            }
            0xdd => self.restart = bytes.get(..2).map_or(0, |b| usize::from(b[0]) << 8 | usize::from(b[1])),
            0xe0 => self.jfif |= bytes.starts_with(b"JFIF\0"),
            0xee if bytes.starts_with(b"Adobe") => self.adobe = bytes.get(11).copied(),
            _ => {}
        }
        Ok(())
    }

    fn scan(&mut self, part: Range<usize>) -> Result<()> {
        let scan = Scan::read(&self.bytes[part], &self.frame)?;
        for number in &scan.components {
            let component = &mut self.frame.components[number.component];
            if component.table.is_none() {
                let table = self.quantisers[component.quantiser];
                component.table = Some(table.ok_or("a quantisation table is missing")?);
            }
        }
        self.at += scan.decode(&self.bytes[self.at..], &mut self.frame, &self.codes, self.restart)?;
        Ok(())
    }
}

fn frame_header(bytes: &[u8], progressive: bool) -> Result<Frame> {
    let cut = || "a frame header that is cut off".to_owned();
    let [bits, h1, h0, w1, w0, count, rest @ ..] = bytes else { return Err(cut()) };
    if *bits != 8 {
        return Err(format!("{bits} bits a colour, expected 8"));
    }
    let both = |high: u8, low: u8| usize::from(high) << 8 | usize::from(low);
    let (width, height) = (both(*w1, *w0), both(*h1, *h0));
    if width == 0 || height == 0 || ![1, 3, 4].contains(count) {
        return Err(format!("{width} × {height} pixels of {count} colours, expected some of 1, 3 or 4"));
    }
    let count = usize::from(*count);
    let mut most = (1, 1);
    let mut found = Vec::new();
    for bytes in rest.get(..3 * count).ok_or_else(cut)?.as_chunks::<3>().0 {
        let [id, factors, quantiser] = *bytes;
        let sampling = (usize::from(factors >> 4), usize::from(factors & 15));
        if !(1..=4).contains(&sampling.0) || !(1..=4).contains(&sampling.1) || quantiser > 3 {
            return Err("sampling factors or tables that there are none of".to_owned());
        }
        most = (most.0.max(sampling.0), most.1.max(sampling.1));
        found.push((id, sampling, usize::from(quantiser)));
    }
    let units = (width.div_ceil(8 * most.0), height.div_ceil(8 * most.1));
    let component = |(id, sampling, quantiser): (u8, (usize, usize), usize)| Component {
        id,
        sampling,
        quantiser,
        size: ((width * sampling.0).div_ceil(most.0), (height * sampling.1).div_ceil(most.1)),
        blocks: (units.0 * sampling.0, units.1 * sampling.1),
        table: None,
        coefficients: Vec::new(),
        samples: Vec::new(),
    };
    let components = found.into_iter().map(component).collect();
    Ok(Frame { width, height, progressive, components, most })
}
