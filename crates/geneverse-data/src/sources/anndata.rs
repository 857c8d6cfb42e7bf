//! AnnData files, `.h5ad`, as anndata writes them since 0.7 (<https://anndata.readthedocs.io/en/stable/fileformat-prose.html>).
//!
//! - `X`: a dataset (cells, genes), or a group with `data`, `indices`, `indptr` and the attributes `encoding-type`
//!   (`csr_matrix`, `csc_matrix`) and `shape`; in older files `h5sparse_format` and `h5sparse_shape`.
//! - `obs`, `var`: groups with a dataset for each column; the attribute `_index` names the one with the identifiers. A
//!   column of categories is a group of `codes` and `categories`, or, in the older encoding, a dataset of codes with its
//!   categories in `__categories`.
//! - Places: `obsm/spatial`, or two columns of `obs`.
//!
//! Of the matrix `X` is read, not `raw` or `layers`.

use super::cells::{TYPE, X, Y};
use super::counts::{
    Builder, ByCell, Genes, Matrix, check_starts, drop_no_numbers, is_value, keep_cells, unique_cells,
};
use super::hdf5::Hdf5;
use super::table::normal;
use super::{Reading, Skips, shorten};
use crate::stage::FileError;
use crate::tissue::Expression;

/// Where places of cells are kept in `obsm`.
const PLACES: [&str; 5] = ["spatial", "X_spatial", "coordinates", "X_coordinates", "centroids"];
/// Columns of `var` with symbols, where the identifiers are Ensembl's.
const SYMBOLS: [&str; 6] =
    ["feature_name", "gene_symbols", "gene_symbol", "gene_name", "gene_names", "symbol"];

/// Whether an HDF5 file is an AnnData.
pub(crate) fn is_anndata(file: &Hdf5) -> bool {
    ["obs", "var"].iter().all(|part| file.has_group(part) || file.has_dataset(part))
}

/// Reads cells, genes, the matrix, and places and cell types where there are any. `type_column` names the column of `obs`
/// with the types.
pub(crate) fn read(file: &Hdf5, type_column: Option<&str>) -> Result<(Matrix, Reading), FileError> {
    let path = file.path();
    let mut reading = Reading::default();
    if file.is_compound("obs") || file.is_compound("var") {
        let reason =
            "is in the encoding of anndata before 0.7; read it with anndata 0.7 to 0.11 and write it again";
        return Err(FileError::whole(path, reason));
    }
    let cells = file.texts(&index(file, "obs"))?;
    let mut features = file.texts(&index(file, "var"))?;
    if !features.is_empty() && features.iter().all(|feature| feature.starts_with("ENS")) {
        let column = SYMBOLS.iter().find_map(|name| find(file, "var", name));
        let symbols = column.map(|column| column_texts(file, "var", &column)).transpose()?;
        features = symbols.filter(|symbols| symbols.len() == features.len()).unwrap_or(features);
    }
    let genes = Genes::of(path, &features, None, &mut reading);
    let expression = matrix(file, cells.len(), genes, &mut reading.dropped_values)?;
    let types = types(file, cells.len(), type_column)?;
    let places = places(file, cells.len())?;

    reading.rows = cells.len();
    let (cells, kept) = unique_cells(path, cells, &mut reading.skipped);
    reading.used = cells.len();
    let keep = |at: &usize| kept[*at].is_some();
    let matrix = Matrix {
        expression: keep_cells(expression, &kept),
        places: places.map(|places| (0..places.len()).filter(keep).map(|at| places[at]).collect()),
        types: types.map(|types| (0..types.len()).filter(keep).map(|at| types[at].clone()).collect()),
        cells,
        ..Matrix::default()
    };
    Ok((matrix, reading))
}

fn matrix(file: &Hdf5, cells: usize, genes: Genes, dropped: &mut Skips) -> Result<Expression, FileError> {
    let path = file.path();
    let features = genes.place.len();
    let check = |shape: &[usize]| match shape {
        [rows, columns] if [*rows, *columns] == [cells, features] => Ok(()),
        shape => {
            let reason = format!(
                "names {cells} cells and {features} genes, and X is of {shape:?}; it is damaged, fetch it again"
            );
            Err(FileError::whole(path, reason))
        }
    };
    if file.has_dataset("X") {
        check(&file.shape("X")?)?;
        let values = file.floats("X")?;
        drop_no_numbers(path, values.iter().copied(), dropped);
        let mut builder = Builder::new(genes.names.len());
        let entries = || {
            let rows = values.chunks_exact(features.max(1)).enumerate();
            rows.flat_map(|(cell, row)| {
                let kept = row.iter().zip(&genes.place).filter(|(value, _)| is_value(**value));
                kept.filter_map(move |(value, place)| Some(((*place)?, cell as u32, *value)))
            })
        };
        entries().for_each(|(gene, _, _)| builder.count(gene));
        let mut filler = builder.fill();
        entries().for_each(|(gene, cell, value)| filler.put(gene, cell, value));
        return Ok(filler.finish(genes.names));
    }
    if !file.has_group("X") {
        // A file of annotations alone.
        return Ok(Builder::new(genes.names.len()).fill().finish(genes.names));
    }
    let attribute = |names: [&str; 2]| names.iter().find_map(|name| file.text_attribute("X", name));
    let format = attribute(["encoding-type", "h5sparse_format"]).unwrap_or_default();
    let shape = ["shape", "h5sparse_shape"].iter().find_map(|name| file.integer_attribute("X", name));
    let shape = shape
        .ok_or_else(|| FileError::whole(path, "X has no attribute `shape`, expected cells and genes"))?;
    check(&shape.iter().map(|side| usize::try_from(*side).unwrap_or(usize::MAX)).collect::<Vec<_>>())?;
    let (starts, (indices, values)) = rayon::join(
        || file.indexes("X/indptr"),
        || rayon::join(|| file.places("X/indices"), || file.floats("X/data")),
    );
    let (starts, indices, values) = (starts?, indices?, values?);
    drop_no_numbers(path, values.iter().copied(), dropped);
    match format.as_str() {
        "csr_matrix" | "csr" => ByCell { starts, features: indices, values }.by_gene(path, cells, genes),
        "csc_matrix" | "csc" => by_gene(file, cells, genes, &starts, &indices, &values),
        other => {
            let reason = format!("X is encoded as `{other}`, expected a dense, CSR or CSC matrix");
            Err(FileError::whole(path, reason))
        }
    }
}

/// A matrix that is by gene already.
fn by_gene(
    file: &Hdf5,
    cells: usize,
    genes: Genes,
    starts: &[u64],
    indices: &[i32],
    values: &[f32],
) -> Result<Expression, FileError> {
    let path = file.path();
    check_starts(path, starts, genes.place.len(), "genes", indices.len(), values.len())?;
    // A negative number is a large one without its sign.
    if let Some(at) = indices.iter().position(|cell| *cell as u32 as usize >= cells) {
        let reason = format!(
            "entry {at} is of cell {}, and there are {cells}; it is damaged, fetch it again",
            indices[at]
        );
        return Err(FileError::whole(path, reason));
    }
    let mut builder = Builder::new(genes.names.len());
    let entries = || {
        genes.place.iter().enumerate().filter_map(|(feature, place)| Some((feature, (*place)?))).flat_map(
            |(feature, gene)| {
                let range = starts[feature] as usize..starts[feature + 1] as usize;
                range.filter(|at| is_value(values[*at])).map(move |at| (gene, indices[at] as u32, values[at]))
            },
        )
    };
    entries().for_each(|(gene, _, _)| builder.count(gene));
    let mut filler = builder.fill();
    entries().for_each(|(gene, cell, value)| filler.put(gene, cell, value));
    Ok(filler.finish(genes.names))
}

fn types(file: &Hdf5, cells: usize, wanted: Option<&str>) -> Result<Option<Vec<String>>, FileError> {
    let column = match wanted {
        Some(wanted) => match find(file, "obs", wanted) {
            Some(column) => column,
            None => {
                let mut there = file.datasets("obs");
                there.extend(file.groups("obs"));
                there.sort_unstable();
                let reason =
                    format!("obs has no column {wanted}; it has {}", shorten(&there.join(", "), 600));
                return Err(FileError::whole(file.path(), reason));
            }
        },
        None => match TYPE.iter().find_map(|name| find(file, "obs", name)) {
            Some(column) => column,
            None => return Ok(None),
        },
    };
    let types = column_texts(file, "obs", &column)?;
    same_length(file, &format!("obs/{column}"), types.len(), cells)?;
    Ok(Some(types))
}

fn places(file: &Hdf5, cells: usize) -> Result<Option<Vec<[f32; 2]>>, FileError> {
    for name in PLACES.map(|name| format!("obsm/{name}")) {
        if file.has_dataset(&name) {
            let shape = file.shape(&name)?;
            let (rows, columns) = match shape.as_slice() {
                [rows, columns] if *columns >= 2 => (*rows, *columns),
                _ => {
                    let reason = format!("{name} is of {shape:?}, expected two or three numbers to a cell");
                    return Err(FileError::whole(file.path(), reason));
                }
            };
            same_length(file, &name, rows, cells)?;
            let values = file.floats(&name)?;
            return Ok(Some(values.chunks_exact(columns).map(|row| [row[0], row[1]]).collect()));
        }
        // A data frame.
        let columns: Vec<String> =
            file.datasets(&name).into_iter().filter(|column| !column.starts_with('_')).collect();
        if let Some([x, y]) = x_and_y(&columns) {
            return read_columns(file, &name, x, y, cells).map(Some);
        }
    }
    let columns = file.datasets("obs");
    match x_and_y(&columns) {
        Some([x, y]) => read_columns(file, "obs", x, y, cells).map(Some),
        None => Ok(None),
    }
}

fn x_and_y(columns: &[String]) -> Option<[&String; 2]> {
    let find = |names: &[&str]| {
        names.iter().find_map(|name| columns.iter().find(|column| normal(column) == normal(name)))
    };
    Some([find(&X)?, find(&Y)?])
}

fn read_columns(
    file: &Hdf5,
    group: &str,
    x: &str,
    y: &str,
    cells: usize,
) -> Result<Vec<[f32; 2]>, FileError> {
    let read = |column: &str| {
        let name = format!("{group}/{column}");
        let values = file.floats(&name)?;
        same_length(file, &name, values.len(), cells)?;
        Ok(values)
    };
    let (x, y) = (read(x)?, read(y)?);
    Ok(x.into_iter().zip(y).map(|(x, y)| [x, y]).collect())
}

fn same_length(file: &Hdf5, name: &str, found: usize, cells: usize) -> Result<(), FileError> {
    if found == cells {
        return Ok(());
    }
    let reason = format!("{name} has {found} rows for {cells} cells; the file is damaged, fetch it again");
    Err(FileError::whole(file.path(), reason))
}

/// The dataset with the identifiers of a table.
fn index(file: &Hdf5, table: &str) -> String {
    let named = file.text_attribute(table, "_index").unwrap_or_else(|| "_index".to_owned());
    let there = [named.as_str(), "_index", "index"]
        .into_iter()
        .find(|name| file.has_dataset(&format!("{table}/{name}")));
    format!("{table}/{}", there.unwrap_or(&named))
}

/// A column of a table, by its name in any spelling.
fn find(file: &Hdf5, table: &str, wanted: &str) -> Option<String> {
    let columns = file.datasets(table).into_iter().chain(file.groups(table));
    columns.filter(|column| !column.starts_with("__")).find(|column| normal(column) == normal(wanted))
}

/// A column as texts, whatever way it is encoded; missing values are empty.
fn column_texts(file: &Hdf5, table: &str, column: &str) -> Result<Vec<String>, FileError> {
    let name = format!("{table}/{column}");
    let decode = |codes: Vec<i64>, categories: &[String]| {
        let name = |code: i64| usize::try_from(code).ok().and_then(|code| categories.get(code)).cloned();
        codes.into_iter().map(|code| name(code).unwrap_or_default()).collect()
    };
    if file.has_dataset(&format!("{name}/codes")) {
        let categories = format!("{name}/categories");
        let categories =
            if file.has_group(&categories) { format!("{categories}/values") } else { categories };
        return Ok(decode(file.integers(&format!("{name}/codes"))?, &file.texts(&categories)?));
    }
    // Texts, some of which may be missing.
    if file.has_group(&name) {
        let mut texts = file.texts(&format!("{name}/values"))?;
        let mask = format!("{name}/mask");
        if file.has_dataset(&mask) {
            let mask = file.integers(&mask)?;
            texts
                .iter_mut()
                .zip(mask)
                .filter(|(_, missing)| *missing != 0)
                .for_each(|(text, _)| text.clear());
        }
        return Ok(texts);
    }
    let older = format!("{table}/__categories/{column}");
    if !file.is_text(&name) && file.has_dataset(&older) {
        return Ok(decode(file.integers(&name)?, &file.texts(&older)?));
    }
    file.texts(&name)
}
