//! From the files of an instrument or an analysis to a [`Tissue`]. What a file is follows from what is in it, not from its
//! name.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Tissue, UNLABELLED};
use crate::sources::cells::{self, CellTable};
use crate::sources::counts::{Matrix, keep_cells};
use crate::sources::hdf5::{Hdf5, MAGIC};
use crate::sources::table::{PARQUET, Table};
use crate::sources::{Reading, anndata, spots, tenx};
use crate::stage::{FileError, open};

/// Which files make a tissue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Counts: a Xenium output folder, a folder with `matrix.mtx`, a 10x `.h5`, an `.h5ad`, a table of counts (cells ×
    /// genes) or of transcripts.
    pub data: PathBuf,
    /// A table with places of cells; types too, where it has them.
    pub cells: Option<PathBuf>,
    /// A table with types of cells, which goes before what other files say of types.
    pub cell_types: Option<PathBuf>,
    /// The column with the types, in that table, or else in `cells` or `data`.
    pub type_column: Option<String>,
    /// The genome, of a matrix that has several.
    pub genome: Option<String>,
    /// Take cells without a place too; theirs is NaN then. For what needs no picture.
    pub unplaced: bool,
}

/// What was read from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReading {
    /// The file.
    pub file: PathBuf,
    /// What it turned out to be.
    pub what: String,
    /// Rows, and what was left out.
    pub reading: Reading,
}

/// Reads a tissue. Cells are those of the counts that have a place (of a table of transcripts all of the table with the
/// places, since a cell without transcripts is not in it); the others are skipped and counted.
pub fn read(inputs: &Inputs) -> Result<(Tissue, Vec<FileReading>), FileError> {
    let Inputs { data, cells, cell_types, type_column, genome, unplaced } = inputs;
    let mut readings = Vec::new();
    let mut note = |file: &Path, what: &str, reading: Reading| {
        readings.push(FileReading { file: file.to_owned(), what: what.to_owned(), reading });
    };
    // A column that is asked for is looked for in the last file that was given.
    let column = type_column.as_deref();
    let (in_data, in_cells) = match (cells, cell_types) {
        (_, Some(_)) => (None, None),
        (Some(_), None) => (None, column),
        (None, None) => (column, None),
    };
    let found = find(data)?;
    let (mut matrix, what, reading) = read_matrix(&found.counts, genome.as_deref(), in_data)?;
    note(&found.counts, what, reading);
    let given_cells = matrix.cells.len();

    // Places, and types that lie beside them.
    let table = cells.as_ref().or(found.cells.as_ref());
    if let Some(path) = table {
        let (table, reading) = cells::read(path, matrix.by_field, in_cells)?;
        if table.places.is_none()
            && cells.is_some()
            && cell_types.is_none()
            && matrix.places.is_none()
            && !unplaced
        {
            return Err(no_places(path));
        }
        join(&mut matrix, &table, path)?;
        note(path, "cells", reading);
    }
    if let Some(path) = cell_types {
        let (mut table, mut reading) = cells::read(path, matrix.by_field, column)?;
        let Some(types) = &table.types else {
            let reason = "found no column of cell types (cell_type, annotation, cluster, …); name it with --type-column";
            return Err(FileError::whole(path, reason));
        };
        // Its own types replace all others, also where a cell has none.
        matrix.types = Some(vec![String::new(); matrix.cells.len()]);
        if types.iter().all(String::is_empty) {
            return Err(FileError::whole(path, "gives no cell a type, its column of types is empty"));
        }
        if matrix.places.is_some() {
            table.places = None;
        }
        let matched = join(&mut matrix, &table, path)?;
        reading.used = matched;
        let others = table.cells.len() - matched;
        if others > 0 {
            reading.skipped.total += others;
            *reading.skipped.reasons.entry("a cell without counts".to_owned()).or_default() += others;
        }
        note(path, "cell types", reading);
    }
    let Some(places) = &matrix.places else {
        if *unplaced {
            matrix.places = Some(vec![[f32::NAN; 2]; matrix.cells.len()]);
            return Ok((finish(matrix), readings));
        }
        return Err(no_places(&found.counts));
    };
    // Cells without a place cannot be drawn.
    if !unplaced {
        let mut kept = 0;
        let new: Vec<Option<u32>> = places
            .iter()
            .map(|place| {
                let placed = place.iter().all(|x| x.is_finite());
                kept += u32::from(placed);
                placed.then(|| kept - 1)
            })
            .collect();
        if let Some(first) = readings.first_mut() {
            let reading = &mut first.reading;
            for (at, _) in new.iter().enumerate().filter(|(_, new)| new.is_none()) {
                reading.skipped.add(&first.file, at + 1, "a cell without a place", &matrix.cells[at]);
                reading.used = reading.used.saturating_sub(usize::from(at < given_cells && !matrix.complete));
            }
        }
        let keep = |at: &usize| new[*at].is_some();
        let places = (0..new.len()).filter(keep).map(|at| places[at]).collect();
        let types =
            matrix.types.map(|types| (0..new.len()).filter(keep).map(|at| types[at].clone()).collect());
        matrix = Matrix {
            cells: (0..new.len()).filter(keep).map(|at| matrix.cells[at].clone()).collect(),
            expression: keep_cells(matrix.expression, &new),
            places: Some(places),
            types,
            ..matrix
        };
    }
    if matrix.cells.is_empty() {
        return Err(FileError::whole(&found.counts, "holds no cell with a place, expected at least one"));
    }
    Ok((finish(matrix), readings))
}

/// Files that belong together.
struct Found {
    counts: PathBuf,
    cells: Option<PathBuf>,
}

/// Looks into a folder for what it is.
fn find(data: &Path) -> Result<Found, FileError> {
    if !data.is_dir() {
        return Ok(Found { counts: data.to_owned(), cells: None });
    }
    let there = |names: &[&str]| names.iter().map(|name| data.join(name)).find(|path| path.is_file());
    let cells =
        there(&["cells.parquet", "cells.csv.gz", "cells.csv", "cell_metadata.csv", "cell_metadata.csv.gz"]);
    let cells = cells.or_else(|| ending(data, &["metadata_file.csv", "metadata_file.csv.gz"]));
    let folder = data.join("cell_feature_matrix");
    let counts = there(&["cell_feature_matrix.h5"])
        .or_else(|| tenx::find_mtx(&folder))
        .or_else(|| tenx::find_mtx(data))
        .or_else(|| there(&["filtered_feature_bc_matrix.h5", "cell_by_gene.csv", "cell_by_gene.csv.gz"]))
        .or_else(|| ending(data, &["exprMat_file.csv", "exprMat_file.csv.gz"]))
        .or_else(|| there(&["transcripts.parquet", "transcripts.csv.gz", "transcripts.csv"]))
        .or_else(|| only_folder(data).and_then(|folder| tenx::find_mtx(&folder)));
    match counts {
        Some(counts) => Ok(Found { counts, cells }),
        None => Err(FileError::whole(
            data,
            "holds no counts, expected cell_feature_matrix.h5 (Xenium), matrix.mtx (10x), cell_by_gene.csv (MERSCOPE), \
             *exprMat_file.csv (CosMx) or transcripts.csv.gz",
        )),
    }
}

fn ending(folder: &Path, ends: &[&str]) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> =
        folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort_unstable();
    files.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ends.iter().any(|end| name.ends_with(end))
    })
}

/// Cell Ranger puts matrices of version 2 into a folder for each genome.
fn only_folder(folder: &Path) -> Option<PathBuf> {
    let mut folders =
        folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    folders.next().filter(|_| folders.next().is_none())
}

fn read_matrix(
    path: &Path,
    genome: Option<&str>,
    type_column: Option<&str>,
) -> Result<(Matrix, &'static str, Reading), FileError> {
    let mut start = [0; 1024];
    let mut filled = 0;
    let mut file = std::fs::File::open(path).map_err(|e| FileError::io(path, "open", e))?;
    while filled < start.len() {
        match file.read(&mut start[filled..]).map_err(|e| FileError::io(path, "read", e))? {
            0 => break,
            read => filled += read,
        }
    }
    let start = &start[..filled];
    if [0, 512].iter().any(|at| start.get(*at..).is_some_and(|bytes| bytes.starts_with(MAGIC))) {
        let file = Hdf5::open(path)?;
        if tenx::is_matrix(&file) {
            let (matrix, reading) = tenx::read_h5(&file, genome)?;
            return Ok((matrix, "10x matrix (HDF5)", reading));
        }
        if anndata::is_anndata(&file) {
            let (matrix, reading) = anndata::read(&file, type_column)?;
            return Ok((matrix, "AnnData", reading));
        }
        let reason =
            "is HDF5 of another kind, expected a 10x matrix (`matrix/indptr`) or AnnData (`obs`, `var`, `X`)";
        return Err(FileError::whole(path, reason));
    }
    if !start.starts_with(PARQUET) {
        let mut text = Vec::new();
        open(path)?.take(64).read_to_end(&mut text).map_err(|e| FileError::reading(path, e))?;
        if text.starts_with(b"%%MatrixMarket") {
            let (matrix, reading) = tenx::read_mtx(path)?;
            return Ok((matrix, "10x matrix (Matrix Market)", reading));
        }
    }
    if spots::is_transcripts(&Table::open(path)?) {
        let (matrix, reading) = spots::read_transcripts(path)?;
        return Ok((matrix, "transcripts", reading));
    }
    let (matrix, reading) = spots::read_counts(path, type_column)?;
    Ok((matrix, "counts of cells and genes", reading))
}

/// Brings what a table says to the cells of a matrix; how many it knows. None at all is an error: the files are of
/// different sections.
fn join(matrix: &mut Matrix, table: &CellTable, path: &Path) -> Result<usize, FileError> {
    if matrix.complete && table.places.is_some() {
        let known: BTreeSet<&String> = matrix.cells.iter().collect();
        let others = table.cells.iter().filter(|cell| !known.contains(cell));
        let others: Vec<String> = others.cloned().collect();
        // The cells of another section would all be without a transcript.
        if others.len() < table.cells.len() {
            matrix.types.iter_mut().for_each(|types| types.resize(types.len() + others.len(), String::new()));
            matrix.cells.extend(others);
        }
    }
    let rows: Vec<Option<usize>> = matrix.cells.iter().map(|cell| table.rows.get(cell).copied()).collect();
    let matched = rows.iter().flatten().count();
    if matched == 0 && !matrix.cells.is_empty() {
        let reason = format!(
            "none of its {} cells is among the {} with counts (the first here is {}, there {}); is it of the same section?",
            table.cells.len(),
            matrix.cells.len(),
            table.cells.first().map_or("", String::as_str),
            matrix.cells[0]
        );
        return Err(FileError::whole(path, reason));
    }
    if let Some(places) = &table.places {
        matrix.places = Some(rows.iter().map(|row| row.map_or([f32::NAN; 2], |row| places[row])).collect());
    }
    if let Some(types) = &table.types {
        matrix.types =
            Some(rows.iter().map(|row| row.map_or_else(String::new, |row| types[row].clone())).collect());
    }
    Ok(matched)
}

fn no_places(path: &Path) -> FileError {
    FileError::whole(
        path,
        "has no places of cells (x_centroid, center_x, x, … or obsm/spatial); give a table with them by --cells",
    )
}

/// Texts become places in a list of types.
fn finish(matrix: Matrix) -> Tissue {
    let Matrix { cells, expression, places, types, by_field: _, complete: _ } = matrix;
    let names = types.unwrap_or_else(|| vec![String::new(); cells.len()]);
    let unknown = |name: &str| ["", "NA", "nan", "NaN", "None"].contains(&name);
    let cell_types: BTreeSet<&str> = names.iter().map(String::as_str).filter(|name| !unknown(name)).collect();
    let cell_types: Vec<String> = cell_types.into_iter().map(str::to_owned).collect();
    let place = |name: &String| cell_types.binary_search(name).map_or(UNLABELLED, |place| place as u32);
    let types = names.iter().map(place).collect();
    Tissue { cells, places: places.unwrap_or_default(), types, cell_types, expression }
}
