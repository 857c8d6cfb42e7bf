//! Counts as text or Parquet: tables with a row for each cell and a column for each gene, and tables with a row for each
//! transcript.

use std::collections::HashMap;
use std::path::Path;

use super::cells::{CELL, FIELD, TYPE, X, Y};
use super::counts::{Builder, Genes, Ids, Matrix, is_control, is_value};
use super::table::{Table, normal};
use super::{Reading, Skips};
use crate::stage::FileError;

/// Columns with the gene of a transcript: Xenium, MERSCOPE, CosMx, others.
const GENE: [&str; 7] = ["feature_name", "gene", "target", "gene_name", "genename", "feature", "symbol"];
/// Xenium's quality of a transcript; 20 is what its own matrix begins with.
const QUALITY: &str = "qv";
const LEAST_QUALITY: f64 = 20.0;
/// What instruments write for a transcript that lies in no cell.
const NO_CELL: [&str; 6] = ["", "UNASSIGNED", "-1", "0", "None", "NA"];
/// Columns of a table of counts that are no genes, by name and by how names end.
const ABOUT_CELLS: [&str; 6] = ["fov", "area", "volume", "n_genes", "z", "z_centroid"];
const ABOUT_CELLS_END: [&str; 3] = ["_area", "_counts", "_count"];

/// Whether a table has a row for each transcript.
pub(crate) fn is_transcripts(table: &Table) -> bool {
    table.find(&GENE).is_some() && table.find(&CELL).is_some()
}

/// Reads a table with a row for each cell.
pub(crate) fn read_counts(path: &Path, type_column: Option<&str>) -> Result<(Matrix, Reading), FileError> {
    let mut table = Table::open(path)?;
    let cell = table.need("cells' identifiers", &CELL)?;
    let field = table.find(&FIELD).filter(|_| normal(&table.names()[cell]) == "cell_id");
    let place = table.find(&X).zip(table.find(&Y));
    let kind = match type_column {
        Some(name) => table.find(&[name]),
        None => table.find(&TYPE),
    };
    let mut reading = Reading::default();
    let numbers = table.first_row_is_number()?;
    let about: Vec<usize> =
        [Some(cell), field, place.map(|p| p.0), place.map(|p| p.1), kind].into_iter().flatten().collect();
    let mut features = Vec::new();
    for (column, name) in table.names().iter().enumerate().filter(|(column, _)| !about.contains(column)) {
        let compared = normal(name);
        let about_cells = ABOUT_CELLS.contains(&compared.as_str());
        if about_cells || ABOUT_CELLS_END.iter().any(|end| compared.ends_with(end)) {
            reading.skipped.add(path, 1, "a column that is no gene", name);
        } else if numbers.get(column) != Some(&true) {
            reading.skipped.add(path, 1, "a column without numbers", name);
        } else {
            features.push(column);
        }
    }
    if features.is_empty() {
        let reason = "found no column of counts, expected one for each gene; for places and types of cells say --cells";
        return Err(FileError::whole(path, reason));
    }
    let names: Vec<String> = features.iter().map(|column| table.names()[*column].clone()).collect();
    let genes = Genes::of(path, &names, None, &mut reading);
    // Where a table has controls the skips are about columns; those about rows are told apart by their reason.
    let columns: Vec<usize> = about.iter().chain(&features).copied().collect();
    let slot = |column: usize| about.iter().position(|about| *about == column);
    let (field, kind) = (field.and_then(slot), kind.and_then(slot));
    let place = place.and_then(|(x, y)| Some((slot(x)?, slot(y)?)));

    let mut cells = Ids::default();
    let mut entries: Vec<(u32, u32, f32)> = Vec::new();
    let mut places = place.map(|_| Vec::new());
    let mut types = kind.map(|_| Vec::new());
    let mut dropped = Skips::default();
    reading.rows = table.rows(&columns, &mut reading.skipped, |line, fields, skips| {
        let id = match field {
            Some(field) => format!("{}_{}", fields[field].text(), fields[0].text()),
            None => fields[0].text().into_owned(),
        };
        if id.is_empty() {
            return skips.add(path, line, "no cell identifier", "");
        }
        // CosMx writes what lies between the cells of a field as its cell 0.
        if field.is_some() && fields[0].text() == "0" {
            return skips.add(path, line, "in no cell", &id);
        }
        let Some(cell) = cells.add(&id) else {
            return skips.add(path, line, "a cell that was there before", &id);
        };
        if let (Some(places), Some((x, y))) = (&mut places, place) {
            places.push([x, y].map(|slot| fields[slot].number().map_or(f32::NAN, |value| value as f32)));
        }
        if let (Some(types), Some(kind)) = (&mut types, kind) {
            types.push(fields[kind].text().into_owned());
        }
        for (at, value) in fields[about.len()..].iter().enumerate() {
            let Some(gene) = genes.place[at] else { continue };
            match value.number() {
                Some(value) if is_value(value as f32) => entries.push((gene, cell, value as f32)),
                Some(0.0) => {}
                _ => dropped.add(
                    path,
                    line,
                    "a count that is no number",
                    format_args!("{}: `{}`", names[at], value.text()),
                ),
            }
        }
    })?;
    reading.used = cells.names.len();
    reading.dropped_values = dropped;
    let by_field = field.is_some();
    let matrix = assemble(cells.names, genes.names, &entries);
    Ok((Matrix { places, types, by_field, ..matrix }, reading))
}

/// Reads a table with a row for each transcript, and counts them by cell and gene. Those that lie in no cell, are of a
/// control, or are of low quality are left out and counted.
pub(crate) fn read_transcripts(path: &Path) -> Result<(Matrix, Reading), FileError> {
    let table = Table::open(path)?;
    let gene = table.need("genes", &GENE)?;
    let cell = table.need("cells' identifiers", &CELL)?;
    let field = table.find(&FIELD).filter(|_| normal(&table.names()[cell]) == "cell_id");
    let quality = table.find(&[QUALITY]);
    let mut columns = vec![gene, cell];
    let mut slot = |column: Option<usize>| {
        column.map(|column| {
            columns.push(column);
            columns.len() - 1
        })
    };
    let (field, quality) = (slot(field), slot(quality));

    let mut reading = Reading::default();
    let (mut cells, mut genes) = (Ids::default(), Ids::default());
    let mut counts: HashMap<(u32, u32), u32> = HashMap::new();
    let mut used = 0;
    reading.rows = table.rows(&columns, &mut reading.skipped, |line, fields, skips| {
        let (name, id) = (fields[0].text(), fields[1].text());
        if name.is_empty() {
            return skips.add(path, line, "no gene", "");
        }
        if NO_CELL.contains(&id.as_ref()) {
            return skips.add(path, line, "in no cell", "");
        }
        if is_control(&name) {
            return skips.add(path, line, "a control, no gene", &name);
        }
        if quality.and_then(|quality| fields[quality].number()).is_some_and(|quality| quality < LEAST_QUALITY)
        {
            return skips.add(path, line, "of a quality below 20", "");
        }
        let cell = match field {
            Some(field) => cells.get_or_add(&format!("{}_{id}", fields[field].text())),
            None => cells.get_or_add(&id),
        };
        *counts.entry((genes.get_or_add(&name), cell)).or_default() += 1;
        used += 1;
    })?;
    reading.used = used;
    let reading = reading.refuse_empty(path)?;
    // Genes by name, so that the order does not depend on which transcript comes first.
    let mut order: Vec<u32> = (0..genes.names.len() as u32).collect();
    order.sort_by(|a, b| genes.names[*a as usize].cmp(&genes.names[*b as usize]));
    let mut rank = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, gene)| rank[*gene as usize] = at as u32);
    let names = order.iter().map(|gene| genes.names[*gene as usize].clone()).collect();
    let mut entries: Vec<(u32, u32, f32)> =
        counts.into_iter().map(|((gene, cell), count)| (rank[gene as usize], cell, count as f32)).collect();
    entries.sort_unstable_by_key(|(gene, cell, _)| (*gene, *cell));
    let matrix = assemble(cells.names, names, &entries);
    Ok((Matrix { by_field: field.is_some(), complete: true, ..matrix }, reading))
}

fn assemble(cells: Vec<String>, genes: Vec<String>, entries: &[(u32, u32, f32)]) -> Matrix {
    let mut builder = Builder::new(genes.len());
    entries.iter().for_each(|(gene, _, _)| builder.count(*gene));
    let mut filler = builder.fill();
    entries.iter().for_each(|(gene, cell, value)| filler.put(*gene, *cell, *value));
    Matrix { cells, expression: filler.finish(genes), ..Matrix::default() }
}
