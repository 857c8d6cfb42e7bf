//! `/render/protein` and `/render/tissue`: files that a browser holds, drawn as `render` draws them and as models have seen
//! them in training.
//!
//! One is drawn at a time, and what a file unpacks to has a limit, as has what it may hold: a small file can be a large one.

use std::io::{Read, copy, sink};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use geneverse_data::picture::Picture;
use geneverse_data::render::colour::Colouring;
use geneverse_data::render::protein::{self, Settings};
use geneverse_data::render::tissue::{self, Layout};
use geneverse_data::stage::open;
use geneverse_data::structure::{self, ReadOptions, Secondary, Structure};
use geneverse_data::tissue::{Inputs, read as read_tissue};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::error::ApiError;
use super::super::http::Response;
use super::super::unpoisoned;
use super::App;

/// Bytes of a file, unpacked.
const UNPACKED: u64 = 128 << 20;
/// Residues of a structure, cells of a tissue, files of one.
const RESIDUES: usize = 20_000;
const CELLS: usize = 500_000;
const FILES: usize = 8;
/// Pixels of a side.
const SIZES: std::ops::RangeInclusive<usize> = 64..=1024;
/// What a picture has without being asked: as `render protein` and `render spatial` make it.
const PROTEIN_SIZE: usize = 512;
const TISSUE_SIZE: usize = 336;

/// A file as a browser sends it.
#[derive(Deserialize)]
struct Sent {
    name: String,
    /// Base64.
    data: String,
}

#[derive(Deserialize)]
struct ProteinAsked {
    file: Sent,
    color: Option<String>,
    rotate: Option<[f32; 3]>,
    size: Option<usize>,
}

#[derive(Deserialize)]
struct TissueAsked {
    files: Vec<Sent>,
    gene: Option<String>,
    #[serde(rename = "type")]
    cell_type: Option<String>,
    layout: Option<Layout>,
    size: Option<usize>,
}

fn asked<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|e| ApiError::new(400, format!("the body is not as expected: {e}")))
}

fn size(asked: Option<usize>, usual: usize) -> Result<usize, ApiError> {
    let size = asked.unwrap_or(usual);
    let (least, most) = (SIZES.start(), SIZES.end());
    match SIZES.contains(&size) {
        true => Ok(size),
        false => Err(ApiError::field("size", format!("size is {size}, expected {least} to {most}"))),
    }
}

/// Draws a structure.
pub(super) fn protein(app: &App, body: &[u8]) -> Result<Response, ApiError> {
    let _one_at_a_time = unpoisoned(app.looking.lock());
    let ProteinAsked { file, color, rotate, size: wanted } = asked(body)?;
    let colour = match color.as_deref() {
        None | Some("secondary") => Colouring::Secondary,
        Some("plddt") => Colouring::Plddt,
        Some("rainbow") => Colouring::Rainbow,
        Some("chain") => Colouring::Chain,
        Some(other) => {
            let message = format!("color is {other:?}, expected secondary, plddt, rainbow or chain");
            return Err(ApiError::field("color", message));
        }
    };
    let size = size(wanted, PROTEIN_SIZE)?;
    let settings = Settings { size, colour, rotate: rotate.unwrap_or_default(), ..Settings::default() };
    let refuse = |message: String| ApiError::field("file", message);
    let folder = folder()?;
    let name = keep(&folder, &file)?;
    let mut bytes = Vec::new();
    let unpacked = open(&folder.path().join(&name)).map_err(|e| ApiError::new(500, e.to_string()))?;
    let failed = |e: std::io::Error| refuse(format!("{name}: cannot be unpacked: {e}"));
    unpacked.take(UNPACKED + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > UNPACKED {
        return Err(refuse(too_long(&name)));
    }
    let read = structure::read_bytes(Path::new(&name), &bytes, &ReadOptions::default());
    drop(bytes);
    let (structure, _) = read.map_err(|e| refuse(e.to_string()))?;
    let residues = structure.residue_count();
    if residues > RESIDUES {
        return Err(refuse(format!("{name}: has {residues} residues, expected at most {RESIDUES}")));
    }
    let picture = protein::draw(&structure, &settings).map_err(|e| refuse(format!("{name}: {e}")))?;
    let mut value = told(&structure);
    value["picture"] = json!(url(&picture)?);
    Ok(Response::json(200, &value))
}

/// What a person is told of a structure.
fn told(structure: &Structure) -> Value {
    let Structure { id, title, predicted, models, chains } = structure;
    let count = |wanted: Secondary| {
        let residues = chains.iter().flat_map(|chain| &chain.residues);
        residues.filter(|residue| residue.secondary == wanted).count()
    };
    let chains: Vec<Value> = chains
        .iter()
        .map(|chain| json!({"id": chain.id, "residues": chain.residues.len(), "protein": chain.is_protein()}))
        .collect();
    json!({
        "id": id, "title": title, "predicted": predicted, "models": models, "chains": chains,
        "residues": structure.residue_count(), "helix": count(Secondary::Helix), "strand": count(Secondary::Strand),
    })
}

/// Draws a gene and a cell type of a tissue: the first ones, where none are named.
pub(super) fn tissue(app: &App, body: &[u8]) -> Result<Response, ApiError> {
    let _one_at_a_time = unpoisoned(app.looking.lock());
    let TissueAsked { files, gene, cell_type, layout, size: wanted } = asked(body)?;
    let size = size(wanted, TISSUE_SIZE)?;
    let refuse = |message: String| ApiError::field("files", message);
    if files.is_empty() || files.len() > FILES {
        return Err(refuse(format!("there are {} files, expected 1 to {FILES}", files.len())));
    }
    let folder = folder()?;
    let mut left = UNPACKED;
    let mut names = Vec::new();
    for file in &files {
        let name = keep(&folder, file)?;
        left = left.saturating_sub(length(&folder, &name, left)?);
        names.push(name);
    }
    // The names that a person knows, not the folder that the files were laid into.
    let own = format!("{}/", folder.path().display());
    let shown = |text: String| text.replace(&own, "").replace(&own[..own.len() - 1], "the files");
    let data = match &names[..] {
        [only] => folder.path().join(only),
        _ => folder.path().to_owned(),
    };
    let inputs = Inputs { data, ..Inputs::default() };
    let (tissue, _) = read_tissue(&inputs).map_err(|e| refuse(shown(e.to_string())))?;
    let (cells, genes) = (tissue.cells.len(), &tissue.expression.genes);
    if cells > CELLS {
        return Err(refuse(format!("there are {cells} cells, expected at most {CELLS}")));
    }
    let place = |field: &str, wanted: Option<&str>, all: &[String]| {
        let found = wanted
            .map_or((!all.is_empty()).then_some(0), |wanted| all.iter().position(|name| name == wanted));
        found.ok_or_else(|| match wanted {
            Some(wanted) => ApiError::field(field, format!("the tissue has no {field} {wanted:?}")),
            None => refuse(format!("the tissue has no {field}, expected some")),
        })
    };
    let gene = place("gene", gene.as_deref(), genes)?;
    let cell_type = place("type", cell_type.as_deref(), &tissue.cell_types)?;
    let settings = tissue::Settings { size, layout: layout.unwrap_or_default(), dark: false };
    let picture = tissue::draw(&tissue, gene, cell_type, &settings);
    Ok(Response::json(
        200,
        &json!({
            "cells": cells, "genes": genes, "types": tissue.cell_types, "gene": genes[gene],
            "type": tissue.cell_types[cell_type], "picture": url(&picture)?,
        }),
    ))
}

fn folder() -> Result<TempDir, ApiError> {
    tempfile::tempdir().map_err(|e| ApiError::new(500, format!("there is no room for the file: {e}")))
}

/// Lays a file into a folder under the last part of its name.
fn keep(folder: &TempDir, file: &Sent) -> Result<String, ApiError> {
    let last = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = last.chars().take(128).map(safe).collect();
    let name = if name.trim_matches('.').is_empty() { "file".to_owned() } else { name };
    let wrong = |e| ApiError::field("file", format!("{name}: is no base64: {e}"));
    let bytes = STANDARD.decode(&file.data).map_err(wrong)?;
    let kept = std::fs::write(folder.path().join(&name), bytes);
    kept.map_err(|e| ApiError::new(500, format!("there is no room for the file: {e}")))?;
    Ok(name)
}

/// The length of a table or matrix, unpacked. Formats that are packed inside are not taken: what they unpack to is not known
/// before they are read.
fn length(folder: &TempDir, name: &str, most: u64) -> Result<u64, ApiError> {
    let refuse = |message: String| ApiError::field("files", message);
    let mut unpacked = open(&folder.path().join(name)).map_err(|e| ApiError::new(500, e.to_string()))?;
    let failed = |e: std::io::Error| refuse(format!("{name}: cannot be unpacked: {e}"));
    let begin = unpacked.fill_buf().map_err(failed)?;
    if begin.starts_with(b"\x89HDF\r\n\x1a\n") || begin.starts_with(b"PAR1") {
        let way = "give tables as .csv and counts as .mtx (or use `render spatial`, which reads it)";
        return Err(refuse(format!(
            "{name}: is an HDF5 or Parquet file, which this page does not take; {way}"
        )));
    }
    let length = copy(&mut unpacked.take(most + 1), &mut sink()).map_err(failed)?;
    if length > most { Err(refuse(too_long(name))) } else { Ok(length) }
}

fn too_long(name: &str) -> String {
    format!("{name}: is too large unpacked, expected at most {} MiB", UNPACKED >> 20)
}

fn url(picture: &Picture) -> Result<String, ApiError> {
    let png =
        picture.to_png().map_err(|e| ApiError::new(500, format!("the picture cannot be packed: {e}")))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}
