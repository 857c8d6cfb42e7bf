//! Vectors with ids, read from files of other programs and written for them.
//!
//! | file | holds |
//! |---|---|
//! | `.npy` | NumPy's format 1 to 3 (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): an array of two dimensions, `<f4` or `<f8`, row after row |
//! | `.safetensors` | one tensor of two dimensions, or the one named `embeddings`; F32 or F64 |
//! | `.csv`, `.tsv` | an id and the numbers on each line; a first line whose second field is no number is a header |
//!
//! The first two say nothing of ids: these lie beside, in `FILE.ids.txt`, an id on each line.

mod read;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use geneverse_data::stage::{FileError, atomic_write};

pub use read::read;

/// Vectors of one length, each under its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// An id for each vector.
    pub ids: Vec<String>,
    /// `dimensions` numbers for each, one vector after the other.
    pub vectors: Vec<f32>,
    /// Numbers of a vector.
    pub dimensions: usize,
}

/// Where the ids of `FILE` lie unless said otherwise: `FILE.ids.txt`.
pub fn ids_path(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".ids.txt");
    name.into()
}

/// Writes vectors as NumPy's format 1.0, f32, row after row, and their ids beside them.
pub fn write_npy(path: &Path, embedding: &Embedding) -> Result<(), FileError> {
    let Embedding { ids, vectors, dimensions } = embedding;
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {dimensions}), }}", ids.len());
    // Magic, version and length are 10 bytes; the numbers begin at a multiple of 64.
    let padding = 63 - (10 + header.len()) % 64;
    header.push_str(&" ".repeat(padding));
    header.push('\n');
    atomic_write(&ids_path(path), |out| ids.iter().try_for_each(|id| writeln!(out, "{id}")))?;
    atomic_write(path, |out| {
        out.write_all(b"\x93NUMPY\x01\x00")?;
        out.write_all(&(header.len() as u16).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        vectors.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
    })
}

#[cfg(test)]
mod tests;
