//! Weights as a checkpoint holds them: f32, bf16 or f16, in memory or in a mapped file.

use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use crate::ops::matmul::Slice;
use crate::ops::slots::Map;

/// How a number is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits, with f32's range.
    Bf16,
    /// 16 bits, with more digits and less range.
    F16,
}

impl Precision {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// `torch_dtype` in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
        }
    }

    /// `dtype` in a safetensors file.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::Bf16 => "BF16",
            Self::F16 => "F16",
        }
    }
}

/// Numbers that several owners may share; a clone copies nothing.
#[derive(Clone)]
pub(crate) struct Numbers {
    bytes: Bytes,
    /// In numbers, not bytes.
    range: Range<usize>,
    pub(crate) precision: Precision,
}

#[derive(Clone)]
enum Bytes {
    F32(Arc<Vec<f32>>),
    Half(Arc<Vec<u16>>),
    /// Numbers from this byte of the map on; aligned.
    Mapped(Arc<Mmap>, usize),
}

impl Numbers {
    pub(crate) fn new(numbers: Vec<f32>) -> Self {
        Self { range: 0..numbers.len(), bytes: Bytes::F32(Arc::new(numbers)), precision: Precision::F32 }
    }

    /// Numbers held in `precision`, each rounded to the nearest, ties to even.
    pub(crate) fn rounded(numbers: Vec<f32>, precision: Precision) -> Self {
        let half = |bits: fn(f32) -> u16| Bytes::Half(Arc::new(numbers.iter().map(|x| bits(*x)).collect()));
        let range = 0..numbers.len();
        let bytes = match precision {
            Precision::F32 => return Self::new(numbers),
            Precision::Bf16 => half(|x| half::bf16::from_f32(x).to_bits()),
            Precision::F16 => half(|x| half::f16::from_f32(x).to_bits()),
        };
        Self { bytes, range, precision }
    }

    /// The numbers that lie in these bytes of a mapped file, little-endian.
    pub(crate) fn mapped(map: &Arc<Mmap>, bytes: Range<usize>, precision: Precision) -> Self {
        let range = 0..bytes.len() / precision.bytes();
        let aligned = (map.as_ptr() as usize + bytes.start).is_multiple_of(precision.bytes());
        if aligned && cfg!(target_endian = "little") {
            return Self { bytes: Bytes::Mapped(map.clone(), bytes.start), range, precision };
        }
        let bytes = match precision {
            Precision::F32 => {
                let (numbers, _) = map[bytes].as_chunks::<4>();
                Bytes::F32(Arc::new(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()))
            }
            _ => {
                let (numbers, _) = map[bytes].as_chunks::<2>();
                Bytes::Half(Arc::new(numbers.iter().map(|b| u16::from_le_bytes(*b)).collect()))
            }
        };
        Self { bytes, range, precision }
    }

    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// A part of the numbers.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.len(), "a part beyond the end");
        let range = self.range.start + range.start..self.range.start + range.end;
        Self { bytes: self.bytes.clone(), range, precision: self.precision }
    }

    pub(crate) fn slice(&self) -> Slice<'_> {
        let range = self.range.clone();
        match &self.bytes {
            Bytes::F32(numbers) => Slice::F32(&numbers[range]),
            Bytes::Half(numbers) if self.precision == Precision::F16 => Slice::F16(&numbers[range]),
            Bytes::Half(numbers) => Slice::Bf16(&numbers[range]),
            Bytes::Mapped(map, start) => {
                let size = self.precision.bytes();
                let bytes = &map[start + range.start * size..start + range.end * size];
                // SAFETY: `mapped` has checked that the numbers are aligned; every bit pattern is a number; the
                // map lives as long as `self`, and nobody writes to a checkpoint that is in use.
                unsafe {
                    match self.precision {
                        Precision::F32 => {
                            Slice::F32(std::slice::from_raw_parts(bytes.as_ptr().cast(), range.len()))
                        }
                        Precision::Bf16 => {
                            Slice::Bf16(std::slice::from_raw_parts(bytes.as_ptr().cast(), range.len()))
                        }
                        Precision::F16 => {
                            Slice::F16(std::slice::from_raw_parts(bytes.as_ptr().cast(), range.len()))
                        }
                    }
                }
            }
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.len()];
        self.slice().widen(0..self.len(), &mut numbers);
        numbers
    }
}

/// A matrix of weights, or a vector as a matrix of one row.
#[derive(Clone)]
pub(crate) struct Held {
    numbers: Numbers,
    outputs: usize,
    inputs: usize,
    out_stride: usize,
    in_stride: usize,
}

impl Held {
    /// A matrix (outputs, inputs), row after row.
    pub(crate) fn new(numbers: Numbers, outputs: usize, inputs: usize) -> Self {
        Self { numbers, outputs, inputs, out_stride: inputs, in_stride: 1 }
    }

    /// Columns `first..first + outputs` of a matrix (inputs, `stride`), transposed.
    pub(crate) fn columns(
        numbers: &Numbers,
        first: usize,
        outputs: usize,
        inputs: usize,
        stride: usize,
    ) -> Self {
        let last = (inputs - 1) * stride + first + outputs;
        Self { numbers: numbers.part(first..last), outputs, inputs, out_stride: 1, in_stride: stride }
    }

    pub(crate) fn map(&self) -> Map<'_> {
        let Self { outputs, inputs, out_stride, in_stride, .. } = *self;
        Map { numbers: self.numbers.slice(), outputs, inputs, out_stride, in_stride }
    }

    /// The matrix (outputs, inputs) row after row, in f32.
    pub(crate) fn to_vec(&self) -> Vec<f32> {
        self.map().to_vec()
    }

    pub(crate) fn precision(&self) -> Precision {
        self.numbers.precision
    }

    pub(crate) fn len(&self) -> usize {
        self.outputs * self.inputs
    }
}
