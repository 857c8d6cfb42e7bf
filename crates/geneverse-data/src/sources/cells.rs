//! Tables about cells: an identifier, and a place or a type, or both. Columns go by the names that the instruments' and
//! analysts' programs give them; where a table has several, the first name of the list counts.

use std::collections::HashMap;
use std::path::Path;

use super::Reading;
use super::table::Table;
use crate::stage::FileError;

/// Columns with identifiers of cells. The empty name is a first column without one.
pub(crate) const CELL: [&str; 10] =
    ["cell_id", "barcode", "barcodes", "cell", "cells", "entityid", "entity_id", "cell_name", "id", ""];
/// Columns with fields of view, by which CosMx numbers its cells.
pub(crate) const FIELD: [&str; 1] = ["fov"];
/// Columns with places across: Xenium, MERSCOPE, CosMx (the whole slide first), Visium, Seurat.
pub(crate) const X: [&str; 15] = [
    "x_centroid",
    "center_x",
    "centerx_global_px",
    "x_global_px",
    "x_slide_mm",
    "x_location",
    "global_x",
    "pxl_col_in_fullres",
    "imagecol",
    "spatial_x",
    "x_coord",
    "coord_x",
    "centroid_x",
    "sdimx",
    "x",
];
/// Columns with places down, in the order of [`X`].
pub(crate) const Y: [&str; 15] = [
    "y_centroid",
    "center_y",
    "centery_global_px",
    "y_global_px",
    "y_slide_mm",
    "y_location",
    "global_y",
    "pxl_row_in_fullres",
    "imagerow",
    "spatial_y",
    "y_coord",
    "coord_y",
    "centroid_y",
    "sdimy",
    "y",
];
/// Columns with cell types. Clusters come last: a table that has both names its clusters.
pub(crate) const TYPE: [&str; 22] = [
    "cell_type",
    "celltype",
    "cell_types",
    "celltypes",
    "cell_type_name",
    "celltype_major",
    "predicted_celltype",
    "annotation",
    "annotations",
    "anno",
    "annot",
    "cell_label",
    "label",
    "type",
    "subclass",
    "class",
    "cluster",
    "clusters",
    "group",
    "ident",
    "leiden",
    "louvain",
];

/// What a table says of cells.
pub(crate) struct CellTable {
    /// Rows by identifier.
    pub(crate) rows: HashMap<String, usize>,
    /// Identifiers in the order of the file.
    pub(crate) cells: Vec<String>,
    /// Places, where the table has them.
    pub(crate) places: Option<Vec<[f32; 2]>>,
    /// Types, where the table has them; empty for a cell without one.
    pub(crate) types: Option<Vec<String>>,
}

/// Reads a table of cells. With `by_field` a cell's identifier is `FOV_CELL` where the table has a column of fields. A place
/// that is no number is kept as NaN, for the reader to count.
pub(crate) fn read(
    path: &Path,
    by_field: bool,
    type_column: Option<&str>,
) -> Result<(CellTable, Reading), FileError> {
    let table = Table::open(path)?;
    let cell = table.need("cells' identifiers", &CELL)?;
    let field = if by_field { table.find(&FIELD) } else { None };
    let place = table.find(&X).zip(table.find(&Y));
    let kind = match type_column {
        Some(name) => Some(table.need("cell types", &[name])?),
        None => table.find(&TYPE),
    };
    let mut columns = vec![cell];
    let mut slot = |column: Option<usize>| {
        column.map(|column| {
            columns.push(column);
            columns.len() - 1
        })
    };
    let (field, x, y, kind) = (slot(field), slot(place.map(|p| p.0)), slot(place.map(|p| p.1)), slot(kind));

    let mut reading = Reading::default();
    let (mut rows, mut cells) = (HashMap::new(), Vec::new());
    let mut places = place.map(|_| Vec::new());
    let mut types = kind.map(|_| Vec::new());
    let read = table.rows(&columns, &mut reading.skipped, |line, fields, skips| {
        let id = match field {
            Some(field) => format!("{}_{}", fields[field].text(), fields[0].text()),
            None => fields[0].text().into_owned(),
        };
        if id.is_empty() {
            return skips.add(path, line, "no cell identifier", "");
        }
        if rows.contains_key(&id) {
            return skips.add(path, line, "a cell that was there before", &id);
        }
        if let (Some(places), Some(x), Some(y)) = (&mut places, x, y) {
            places.push([x, y].map(|slot| fields[slot].number().map_or(f32::NAN, |value| value as f32)));
        }
        if let (Some(types), Some(kind)) = (&mut types, kind) {
            types.push(fields[kind].text().into_owned());
        }
        rows.insert(id.clone(), cells.len());
        cells.push(id);
    })?;
    reading.rows = read;
    reading.used = cells.len();
    let reading = reading.refuse_empty(path)?;
    Ok((CellTable { rows, cells, places, types }, reading))
}
