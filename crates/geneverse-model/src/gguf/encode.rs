//! Numbers as GGUF holds them.
//!
//! `q8_0` cuts a row into blocks of 32: the scale d = max |x| / 127 as f16, then round(x / d) in a byte each, halves
//! away from zero; 8.5 bits a number. Bit for bit as `quantize_row_q8_0_ref` of ggml.

use geneverse_data::stage::FileError;
use half::{bf16, f16};
use rayon::prelude::*;

/// How a file's matrices are held; vectors are f32 in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// 32 bits.
    F32,
    /// 16 bits, up to 65,504.
    F16,
    /// 16 bits, with f32's range and fewer digits.
    Bf16,
    /// 8 bits, and a scale for each 32 numbers of a row.
    Q8_0,
}

impl NumberType {
    /// Its name, as llama.cpp has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// `general.file_type`.
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }

    /// How a matrix with rows of `columns` numbers is held: what is not a whole number of blocks stays f16, as in
    /// llama.cpp's own conversion.
    pub(super) fn of_matrix(self, columns: usize) -> Encoding {
        match self {
            Self::F32 => Encoding::F32,
            Self::Bf16 => Encoding::Bf16,
            Self::Q8_0 if columns.is_multiple_of(BLOCK) => Encoding::Q8_0,
            Self::F16 | Self::Q8_0 => Encoding::F16,
        }
    }
}

/// Numbers of a block of `q8_0`.
pub(super) const BLOCK: usize = 32;

/// How a tensor is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    F32,
    F16,
    Bf16,
    Q8_0,
}

impl Encoding {
    /// The number of the type (`ggml_type`).
    pub(super) fn tag(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Bf16 => 30,
        }
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(self, columns: usize) -> usize {
        match self {
            Self::F32 => 4 * columns,
            Self::F16 | Self::Bf16 => 2 * columns,
            Self::Q8_0 => columns / BLOCK * (2 + BLOCK),
        }
    }

    /// Writes rows of `columns` numbers into `bytes`; says why not where a number has no place in the type.
    pub(super) fn rows(self, numbers: &[f32], columns: usize, bytes: &mut [u8]) -> Result<(), String> {
        let rows = numbers.par_chunks_exact(columns);
        let places = bytes.par_chunks_exact_mut(self.row_bytes(columns));
        let refused = rows.zip(places).find_map_first(|(row, place)| self.row(row, place));
        refused.map_or(Ok(()), |number| {
            Err(format!("it holds {number}, which is not in the range of f16 (65504 on both sides)"))
        })
    }

    /// Writes a row; gives the number that has no place in the type, if there is one.
    fn row(self, row: &[f32], place: &mut [u8]) -> Option<f32> {
        match self {
            Self::F32 => {
                let places = place.as_chunks_mut::<4>().0;
                row.iter().zip(places).for_each(|(x, place)| *place = x.to_le_bytes());
                None
            }
            Self::Bf16 => {
                let places = place.as_chunks_mut::<2>().0;
                row.iter().zip(places).for_each(|(x, place)| *place = bf16::from_f32(*x).to_le_bytes());
                None
            }
            Self::F16 => {
                let places = place.as_chunks_mut::<2>().0;
                row.iter().zip(places).for_each(|(x, place)| *place = f16::from_f32(*x).to_le_bytes());
                row.iter().copied().find(|x| !f16::from_f32(*x).is_finite())
            }
            Self::Q8_0 => {
                let blocks = row.as_chunks::<BLOCK>().0.iter();
                let places = place.as_chunks_mut::<{ 2 + BLOCK }>().0;
                blocks.zip(places).find_map(|(block, place)| quantise(block, place))
            }
        }
    }
}

/// Writes a block of `q8_0`; gives the number that makes its scale none, if there is one.
fn quantise(block: &[f32; BLOCK], place: &mut [u8; 2 + BLOCK]) -> Option<f32> {
    let largest = block.iter().fold(0f32, |most, x| most.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let half = f16::from_f32(scale);
    place[..2].copy_from_slice(&half.to_le_bytes());
    for (x, place) in block.iter().zip(&mut place[2..]) {
        *place = (x * inverse).round() as i8 as u8;
    }
    // A comparison with NaN is never true: what is none hides from the maximum.
    let none = block.iter().copied().find(|x| !x.is_finite());
    none.or((!half.is_finite()).then_some(largest))
}

/// What to say of a tensor that cannot be held.
pub(super) fn refused(path: &std::path::Path, tensor: &str, reason: &str) -> FileError {
    let reason = format!("tensor {tensor} cannot be written: {reason}; take --type bf16 or f32");
    FileError::whole(path, reason)
}
