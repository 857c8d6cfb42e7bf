//! Matrices as Cell Ranger and the Xenium software write them (10x Genomics, "Feature-barcode matrices").
//!
//! - HDF5, version 3: `/matrix/{barcodes, data, indices, indptr, shape, features/{id, name, feature_type, genome}}`.
//! - HDF5, version 2: `/GENOME/{barcodes, data, indices, indptr, shape, genes, gene_names}`, once for each genome.
//! - A folder of `matrix.mtx`, `barcodes.tsv` and `features.tsv` (id, name, type) or, before version 3, `genes.tsv` (id,
//!   name); each plain or gzip.
//!
//! In all of them a column of the matrix is a cell and a row a feature. Features of another type than `Gene Expression`
//! (controls, antibodies, guides) are left out and counted, as in scanpy.

use std::path::{Path, PathBuf};

use super::counts::{Builder, ByCell, Genes, Matrix, drop_no_numbers, is_value, keep_cells, unique_cells};
use super::hdf5::Hdf5;
use super::lines::Lines;
use super::{Reading, shorten};
use crate::stage::FileError;

/// Whether an HDF5 file is a 10x matrix.
pub(crate) fn is_matrix(file: &Hdf5) -> bool {
    file.has_dataset("matrix/indptr") || !genomes(file).is_empty()
}

/// Reads a matrix from HDF5. `genome` chooses among several; without it there must be one, but for version 3, where all
/// genomes are in one matrix.
pub(crate) fn read_h5(file: &Hdf5, genome: Option<&str>) -> Result<(Matrix, Reading), FileError> {
    let path = file.path();
    let mut reading = Reading::default();
    let (group, names, kinds) = if file.has_dataset("matrix/indptr") {
        let names = file.texts("matrix/features/name")?;
        let optional = |name: &str| file.has_dataset(name).then(|| file.texts(name)).transpose();
        let mut kinds = optional("matrix/features/feature_type")?.unwrap_or_default();
        kinds.resize(names.len(), "Gene Expression".to_owned());
        if let Some(wanted) = genome {
            let genomes = optional("matrix/features/genome")?.unwrap_or_default();
            if !genomes.iter().any(|genome| genome == wanted) {
                return Err(no_genome(path, wanted, &genomes));
            }
            for (kind, genome) in kinds.iter_mut().zip(&genomes).filter(|(_, genome)| *genome != wanted) {
                *kind = format!("genome {genome}");
            }
        }
        ("matrix".to_owned(), names, Some(kinds))
    } else {
        let genomes = genomes(file);
        let group = match (genome, genomes.as_slice()) {
            (None, [one]) => one.clone(),
            (None, several) => {
                let reason =
                    format!("holds several genomes, {}: choose one with --genome", several.join(", "));
                return Err(FileError::whole(path, reason));
            }
            (Some(wanted), genomes) => match genomes.iter().find(|genome| *genome == wanted) {
                Some(genome) => genome.clone(),
                None => return Err(no_genome(path, wanted, genomes)),
            },
        };
        let names = file.texts(&format!("{group}/gene_names"))?;
        (group, names, None)
    };
    let at = |name: &str| format!("{group}/{name}");
    let barcodes = file.texts(&at("barcodes"))?;
    let shape = file.indexes(&at("shape"))?;
    check_shape(path, &shape, names.len(), barcodes.len())?;
    let genes = Genes::of(path, &names, kinds.as_deref(), &mut reading);
    let (starts, (features, values)) = rayon::join(
        || file.indexes(&at("indptr")),
        || rayon::join(|| file.places(&at("indices")), || file.floats(&at("data"))),
    );
    let entries = ByCell { starts: starts?, features: features?, values: values? };
    drop_no_numbers(path, entries.values.iter().copied(), &mut reading.dropped_values);
    let expression = entries.by_gene(path, barcodes.len(), genes)?;
    reading.rows = barcodes.len();
    let (cells, places) = unique_cells(path, barcodes, &mut reading.skipped);
    reading.used = cells.len();
    let expression = keep_cells(expression, &places);
    Ok((Matrix { cells, expression, ..Matrix::default() }, reading))
}

/// The three files of a matrix in a folder; `None` where there is no matrix.
pub(crate) fn find_mtx(folder: &Path) -> Option<PathBuf> {
    either(folder, "matrix.mtx")
}

/// Reads a folder with `matrix.mtx`, or the files beside a `matrix.mtx`.
pub(crate) fn read_mtx(matrix: &Path) -> Result<(Matrix, Reading), FileError> {
    let folder = matrix.parent().unwrap_or(Path::new(""));
    let missing = |what: &str| {
        FileError::whole(folder, format!("has a {} and no {what}, expected it beside", name_of(matrix)))
    };
    let mut reading = Reading::default();
    let features = either(folder, "features.tsv").or_else(|| either(folder, "genes.tsv"));
    let features = features.ok_or_else(|| missing("features.tsv or genes.tsv"))?;
    let barcodes = either(folder, "barcodes.tsv").ok_or_else(|| missing("barcodes.tsv"))?;

    let (mut names, mut kinds) = (Vec::new(), Vec::new());
    read_lines(&features, |fields| {
        let name = fields.get(1).copied().filter(|name| !name.is_empty());
        names.push(name.or(fields.first().copied()).unwrap_or_default().to_owned());
        kinds.push(fields.get(2).copied().unwrap_or("Gene Expression").to_owned());
    })?;
    let mut cells = Vec::new();
    read_lines(&barcodes, |fields| cells.push(fields.first().copied().unwrap_or_default().to_owned()))?;

    let genes = Genes::of(&features, &names, Some(&kinds), &mut reading);
    reading.rows = cells.len();
    let (shape, entries) = read_entries(matrix)?;
    check_shape(matrix, &shape, names.len(), cells.len())?;
    drop_no_numbers(matrix, entries.iter().map(|entry| entry.2), &mut reading.dropped_values);
    let mut builder = Builder::new(genes.names.len());
    let kept = || {
        let value = entries.iter().filter(|(_, _, value)| is_value(*value));
        value.filter_map(|(feature, cell, value)| Some((genes.place[*feature as usize]?, *cell, *value)))
    };
    kept().for_each(|(gene, _, _)| builder.count(gene));
    let mut filler = builder.fill();
    kept().for_each(|(gene, cell, value)| filler.put(gene, cell, value));
    let expression = filler.finish(genes.names);
    let (cells, places) = unique_cells(&barcodes, cells, &mut reading.skipped);
    reading.used = cells.len();
    let expression = keep_cells(expression, &places);
    Ok((Matrix { cells, expression, ..Matrix::default() }, reading))
}

/// An entry of a matrix: feature, cell, value.
type Entry = (u32, u32, f32);

/// Rows and columns of a matrix in Matrix Market's coordinates (Boisvert, Pozo, Remington 1996), and its entries.
fn read_entries(path: &Path) -> Result<([u64; 2], Vec<Entry>), FileError> {
    let mut lines = Lines::open(path)?;
    let mut shape: Option<(u64, u64, u64)> = None;
    let mut entries = Vec::new();
    let mut pattern = false;
    while let Some(line) = lines.advance()? {
        let wrong = |what: &str| FileError::row(path, line, what);
        let text = lines.text().ok_or_else(|| wrong("not UTF-8 text"))?;
        if let Some(comment) = text.strip_prefix('%') {
            if let Some(kind) = comment.strip_prefix("%MatrixMarket") {
                let words: Vec<String> = kind.split_whitespace().map(str::to_lowercase).collect();
                pattern = words.get(2).is_some_and(|field| field == "pattern");
                let known = ["integer", "real", "double", "unsigned-integer", "pattern"];
                let plain = words.len() == 4
                    && words[..2] == ["matrix", "coordinate"]
                    && known.contains(&words[2].as_str())
                    && words[3] == "general";
                if !plain {
                    let found = words.join(" ");
                    return Err(wrong(&format!(
                        "a Matrix Market file of `{found}`, expected `matrix coordinate integer general`"
                    )));
                }
            }
            continue;
        }
        let mut words = text.split_ascii_whitespace();
        let mut whole = || words.next().and_then(|word| word.parse::<u64>().ok());
        match shape {
            None => {
                let (Some(rows), Some(columns), Some(count)) = (whole(), whole(), whole()) else {
                    return Err(wrong(&format!(
                        "found `{}`, expected rows, columns and entries",
                        shorten(text, 80)
                    )));
                };
                if rows > u64::from(u32::MAX) || columns > u64::from(u32::MAX) {
                    return Err(wrong("more than 4,294,967,295 rows or columns, expected genes and cells"));
                }
                // The header is not believed beyond what a few lines could hold.
                entries.reserve(count.min(1 << 20) as usize);
                shape = Some((rows, columns, count));
            }
            Some((rows, columns, _)) => {
                let (Some(row), Some(column)) = (whole(), whole()) else {
                    return Err(wrong(&format!(
                        "found `{}`, expected row, column and value",
                        shorten(text, 80)
                    )));
                };
                let value =
                    if pattern { Some(1.0) } else { words.next().and_then(|word| word.parse::<f32>().ok()) };
                let Some(value) = value else {
                    return Err(wrong(&format!(
                        "found `{}`, expected row, column and value",
                        shorten(text, 80)
                    )));
                };
                if row == 0 || row > rows || column == 0 || column > columns {
                    let reason = format!("an entry at {row}, {column} in a matrix of {rows} × {columns}");
                    return Err(wrong(&reason));
                }
                entries.push(((row - 1) as u32, (column - 1) as u32, value));
            }
        }
    }
    let Some((rows, columns, count)) = shape else {
        return Err(FileError::whole(path, "holds no matrix, expected a line of rows, columns and entries"));
    };
    if entries.len() as u64 != count {
        let reason = format!(
            "announces {count} entries and has {}; it may be truncated, fetch it again",
            entries.len()
        );
        return Err(FileError::whole(path, reason));
    }
    Ok(([rows, columns], entries))
}

fn genomes(file: &Hdf5) -> Vec<String> {
    let matrix = |group: &String| {
        file.has_dataset(&format!("{group}/indptr")) && file.has_dataset(&format!("{group}/genes"))
    };
    file.groups("").into_iter().filter(matrix).collect()
}

fn no_genome(path: &Path, wanted: &str, found: &[String]) -> FileError {
    let mut found = found.to_vec();
    found.sort_unstable();
    found.dedup();
    FileError::whole(path, format!("holds no genome {wanted}; it has {}", shorten(&found.join(", "), 300)))
}

fn check_shape(path: &Path, shape: &[u64], features: usize, cells: usize) -> Result<(), FileError> {
    if shape == [features as u64, cells as u64] {
        return Ok(());
    }
    let found: Vec<String> = shape.iter().map(u64::to_string).collect();
    let reason = format!(
        "names {features} features and {cells} cells, and its matrix has {}; the files do not belong together, or one is \
         truncated",
        found.join(" × ")
    );
    Err(FileError::whole(path, reason))
}

/// Tab-separated fields of all lines; a line that is no text is an error, since a line is a place in the matrix.
fn read_lines(path: &Path, mut each: impl FnMut(&[&str])) -> Result<(), FileError> {
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.advance()? {
        let text =
            lines.text().ok_or_else(|| FileError::row(path, line, "not UTF-8 text, expected a name"))?;
        let fields: Vec<&str> = text.split('\t').map(str::trim).collect();
        each(&fields);
    }
    Ok(())
}

fn either(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")].iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
