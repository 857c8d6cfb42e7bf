//! The file itself: GGUF, version 3 (`docs/gguf.md` of <https://github.com/ggml-org/ggml>), little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `GGUF` |
//! | 4, 8, 8 | version 3, number of tensors, number of keys |
//! | for each key | its name, the type of its value, the value |
//! | for each tensor | name, number of dimensions, the dimensions (columns first), type, place in the data |
//! | to a multiple of 32 | zeros |
//! | the data | each tensor from a multiple of 32 on |
//!
//! A text is its length in eight bytes and its UTF-8; a list is the type of its entries, their number, and the entries.

use std::io::{self, Write};

use super::encode::Encoding;

/// Tensors begin at multiples of this; what readers take where `general.alignment` is not said.
pub(super) const ALIGNMENT: usize = 32;

/// A value of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Whole(u32),
    Float(f32),
    Flag(bool),
    Text(String),
    Floats(Vec<f32>),
    Wholes(Vec<i32>),
    Flags(Vec<bool>),
    Texts(Vec<String>),
}

/// A tensor's place in the header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Info {
    pub(super) name: String,
    /// Entries of a row first, as GGUF has them.
    pub(super) dims: Vec<usize>,
    pub(super) encoding: Encoding,
}

impl Info {
    /// Length of its data.
    pub(super) fn bytes(&self) -> usize {
        let rows: usize = self.dims[1..].iter().product();
        rows * self.encoding.row_bytes(self.dims[0])
    }
}

impl Value {
    /// The number of the type, as the format counts them.
    fn tag(&self) -> u32 {
        match self {
            Self::Whole(_) => 4,
            Self::Float(_) => 6,
            Self::Flag(_) => 7,
            Self::Text(_) => 8,
            Self::Floats(_) | Self::Wholes(_) | Self::Flags(_) | Self::Texts(_) => 9,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut list = |tag: u32, length: usize| {
            out.extend(tag.to_le_bytes());
            out.extend((length as u64).to_le_bytes());
        };
        match self {
            Self::Whole(x) => out.extend(x.to_le_bytes()),
            Self::Float(x) => out.extend(x.to_le_bytes()),
            Self::Flag(x) => out.push(u8::from(*x)),
            Self::Text(text) => write_text(text, out),
            Self::Floats(entries) => {
                list(6, entries.len());
                entries.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Self::Wholes(entries) => {
                list(5, entries.len());
                entries.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Self::Flags(entries) => {
                list(7, entries.len());
                out.extend(entries.iter().map(|x| u8::from(*x)));
            }
            Self::Texts(entries) => {
                list(8, entries.len());
                entries.iter().for_each(|text| write_text(text, out));
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Everything before the data, the zeros included.
pub(super) fn header(keys: &[(String, Value)], tensors: &[Info]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        write_text(key, &mut out);
        out.extend(value.tag().to_le_bytes());
        value.write(&mut out);
    }
    let mut place = 0usize;
    for info in tensors {
        write_text(&info.name, &mut out);
        out.extend((info.dims.len() as u32).to_le_bytes());
        info.dims.iter().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        out.extend(info.encoding.tag().to_le_bytes());
        out.extend((place as u64).to_le_bytes());
        place += info.bytes().next_multiple_of(ALIGNMENT);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out
}

/// The zeros after a tensor of so many bytes.
pub(super) fn pad(bytes: usize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; ALIGNMENT][..bytes.next_multiple_of(ALIGNMENT) - bytes])
}
