//! A matrix of genes and cells on its way from a file: rows of cells, or single entries, become columns of genes.

use std::collections::HashMap;
use std::path::Path;

use super::{Reading, Skips};
use crate::stage::FileError;
use crate::tissue::Expression;

/// What a matrix holds.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Identifiers of the cells.
    pub(crate) cells: Vec<String>,
    /// The genes and their values.
    pub(crate) expression: Expression,
    /// Places and cell types that lie in the same file.
    pub(crate) places: Option<Vec<[f32; 2]>>,
    /// A name for each cell, empty where there is none.
    pub(crate) types: Option<Vec<String>>,
    /// Whether a cell's identifier is made of its field of view and its number there.
    pub(crate) by_field: bool,
    /// Whether a cell that is not named has no transcript, rather than being unknown.
    pub(crate) complete: bool,
}

/// Features that are no genes, by how their names begin: probes and code words that should find nothing, which Xenium,
/// CosMx and MERSCOPE list among the genes.
const CONTROLS: [&str; 13] = [
    "NegControlProbe_",
    "NegControlCodeword_",
    "UnassignedCodeword_",
    "DeprecatedCodeword_",
    "Intergenic_Region_",
    "BLANK_",
    "Blank-",
    "blank-",
    "antisense_",
    "NegPrb",
    "SystemControl",
    "FalseCode",
    "Negative Control",
];

/// Whether a feature's name is that of a control.
pub(crate) fn is_control(name: &str) -> bool {
    CONTROLS.iter().any(|start| name.starts_with(start))
}

/// Genes of a matrix: which features are kept, and under which names.
pub(crate) struct Genes {
    /// The names.
    pub(crate) names: Vec<String>,
    /// For each feature of the file the place in `names`; `None` where it is left out.
    pub(crate) place: Vec<Option<u32>>,
}

impl Genes {
    /// Takes names of features, with their kinds where the file has them. What is no gene is counted in `skips`; a name
    /// that was there before gets a number, `SYMBOL-1`, as scanpy's `var_names_make_unique` does.
    pub(crate) fn of(
        path: &Path,
        features: &[String],
        kinds: Option<&[String]>,
        reading: &mut Reading,
    ) -> Self {
        let mut seen: HashMap<&str, usize> = features.iter().map(|name| (name.as_str(), 0)).collect();
        let mut genes = Self { names: Vec::new(), place: Vec::with_capacity(features.len()) };
        for (at, feature) in features.iter().enumerate() {
            let kind = kinds.and_then(|kinds| kinds.get(at)).map_or("Gene Expression", String::as_str);
            if kind != "Gene Expression" {
                reading.skipped.add(
                    path,
                    at + 1,
                    "a feature that is no gene",
                    format_args!("{feature}, {kind}"),
                );
                genes.place.push(None);
                continue;
            }
            if is_control(feature) {
                reading.skipped.add(path, at + 1, "a control, no gene", feature);
                genes.place.push(None);
                continue;
            }
            let before = seen.get(feature.as_str()).copied().unwrap_or(0);
            let mut name = feature.clone();
            if before > 0 {
                let mut number = before;
                name = format!("{feature}-{number}");
                while seen.contains_key(name.as_str()) {
                    number += 1;
                    name = format!("{feature}-{number}");
                }
                reading.replaced_values.add(path, at + 1, "a symbol that was there before", &name);
            }
            seen.insert(feature, before + 1);
            genes.place.push(Some(genes.names.len() as u32));
            genes.names.push(name);
        }
        genes
    }
}

/// Entries of a matrix by cell: those of cell `i` lie from `starts[i]` to `starts[i + 1]`.
pub(crate) struct ByCell {
    pub(crate) starts: Vec<u64>,
    /// Features; a negative one is none.
    pub(crate) features: Vec<i32>,
    pub(crate) values: Vec<f32>,
}

impl ByCell {
    /// Checks that the entries fit the matrix, and sorts them by gene.
    pub(crate) fn by_gene(self, path: &Path, cells: usize, genes: Genes) -> Result<Expression, FileError> {
        let Self { starts, features, values } = self;
        let damaged =
            |what: String| Err(FileError::whole(path, format!("{what}; it is damaged, fetch it again")));
        check_starts(path, &starts, cells, "cells", features.len(), values.len())?;
        let known = genes.place.len();
        let mut builder = Builder::new(genes.names.len());
        for (at, (feature, value)) in features.iter().zip(&values).enumerate() {
            // A negative number is a large one without its sign.
            let Some(gene) = genes.place.get(*feature as u32 as usize) else {
                return damaged(format!("entry {at} is of feature {feature}, and there are {known}"));
            };
            if let Some(gene) = gene.filter(|_| is_value(*value)) {
                builder.count(gene);
            }
        }
        let mut filler = builder.fill();
        for cell in 0..cells {
            for entry in starts[cell] as usize..starts[cell + 1] as usize {
                if let Some(gene) = genes.place[features[entry] as usize].filter(|_| is_value(values[entry]))
                {
                    filler.put(gene, cell as u32, values[entry]);
                }
            }
        }
        Ok(filler.finish(genes.names))
    }
}

/// Refuses starts that do not ascend from 0 to the number of entries.
pub(crate) fn check_starts(
    path: &Path,
    starts: &[u64],
    lines: usize,
    what: &str,
    indices: usize,
    values: usize,
) -> Result<(), FileError> {
    let damaged =
        |reason: String| Err(FileError::whole(path, format!("{reason}; it is damaged, fetch it again")));
    if starts.len() != lines + 1 {
        return damaged(format!(
            "names {lines} {what}, and its matrix has {}",
            starts.len().saturating_sub(1)
        ));
    }
    if indices != values {
        return damaged(format!("has {indices} places of values, and {values} values"));
    }
    let ascending = starts.first() == Some(&0) && starts.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascending || starts.last() != Some(&(values as u64)) {
        return damaged(format!(
            "the starts of its {what} do not ascend from 0 to the {values} values it holds"
        ));
    }
    Ok(())
}

/// What counts as a value: zeros are left out, and so is what is no number.
pub(crate) fn is_value(value: f32) -> bool {
    value != 0.0 && value.is_finite()
}

/// Counts the values of a matrix that are no numbers; they are left out, as zeros are.
pub(crate) fn drop_no_numbers(path: &Path, values: impl Iterator<Item = f32>, dropped: &mut Skips) {
    for (at, value) in values.enumerate().filter(|(_, value)| !value.is_finite()) {
        dropped.add(path, at + 1, "a count that is no number", value);
    }
}

/// Entries sorted by gene in two passes: how many each has, then where each goes.
pub(crate) struct Builder {
    starts: Vec<usize>,
}

impl Builder {
    pub(crate) fn new(genes: usize) -> Self {
        Self { starts: vec![0; genes + 1] }
    }

    pub(crate) fn count(&mut self, gene: u32) {
        self.starts[gene as usize + 1] += 1;
    }

    pub(crate) fn fill(mut self) -> Filler {
        for gene in 1..self.starts.len() {
            self.starts[gene] += self.starts[gene - 1];
        }
        let total = self.starts.last().copied().unwrap_or(0);
        let next = self.starts.clone();
        Filler { starts: self.starts, next, cells: vec![0; total], values: vec![0.0; total] }
    }
}

/// The second pass. What was counted in the first is put in its place, cells in any order.
pub(crate) struct Filler {
    starts: Vec<usize>,
    next: Vec<usize>,
    cells: Vec<u32>,
    values: Vec<f32>,
}

impl Filler {
    pub(crate) fn put(&mut self, gene: u32, cell: u32, value: f32) {
        let slot = &mut self.next[gene as usize];
        self.cells[*slot] = cell;
        self.values[*slot] = value;
        *slot += 1;
    }

    /// Cells ascend in each gene; entries of the same gene and cell are added up, as in SciPy.
    pub(crate) fn finish(self, genes: Vec<String>) -> Expression {
        let Self { starts, next: _, mut cells, mut values } = self;
        let mut ends = vec![0];
        let mut kept = 0;
        for gene in 0..genes.len() {
            let range = starts[gene]..starts[gene + 1];
            if !cells[range.clone()].is_sorted_by(|a, b| a < b) {
                let mut entries: Vec<(u32, f32)> =
                    cells[range.clone()].iter().copied().zip(values[range.clone()].iter().copied()).collect();
                // Stable, so that sums are the same whatever the machine.
                entries.sort_by_key(|entry| entry.0);
                for (at, (cell, value)) in range.clone().zip(entries) {
                    (cells[at], values[at]) = (cell, value);
                }
            }
            let first = kept;
            for at in range {
                if kept > first && cells[kept - 1] == cells[at] {
                    values[kept - 1] += values[at];
                } else {
                    (cells[kept], values[kept]) = (cells[at], values[at]);
                    kept += 1;
                }
            }
            ends.push(kept);
        }
        cells.truncate(kept);
        values.truncate(kept);
        Expression { genes, starts: ends, cells, values }
    }
}

/// Numbers given to identifiers in the order in which they come. One that comes twice is told.
#[derive(Default)]
pub(crate) struct Ids {
    places: HashMap<String, u32>,
    pub(crate) names: Vec<String>,
}

impl Ids {
    /// The number of an identifier that is new; `None` where it was there before.
    pub(crate) fn add(&mut self, name: &str) -> Option<u32> {
        if self.places.contains_key(name) {
            return None;
        }
        Some(self.get_or_add(name))
    }

    /// The number of an identifier.
    pub(crate) fn get_or_add(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.names.len() as u32;
        self.places.insert(name.to_owned(), place);
        self.names.push(name.to_owned());
        place
    }
}

/// Which cells are kept: identifiers that came before are skipped. For each cell of the file its new place.
pub(crate) fn unique_cells(
    path: &Path,
    cells: Vec<String>,
    skips: &mut Skips,
) -> (Vec<String>, Vec<Option<u32>>) {
    let mut ids = Ids::default();
    let places: Vec<Option<u32>> = cells
        .iter()
        .enumerate()
        .map(|(at, cell)| {
            let place = ids.add(cell);
            if place.is_none() {
                skips.add(path, at + 1, "a cell that was there before", cell);
            }
            place
        })
        .collect();
    (ids.names, places)
}

/// Leaves out cells, and gives the others new places, in ascending order.
pub(crate) fn keep_cells(expression: Expression, places: &[Option<u32>]) -> Expression {
    if places.iter().enumerate().all(|(at, place)| *place == Some(at as u32)) {
        return expression;
    }
    let Expression { genes, starts, cells, values } = expression;
    let mut kept = Expression { genes, starts: vec![0], cells: Vec::new(), values: Vec::new() };
    for range in starts.windows(2).map(|pair| pair[0]..pair[1]) {
        let mut entries: Vec<(u32, f32)> = range
            .filter_map(|at| Some((places.get(cells[at] as usize).copied().flatten()?, values[at])))
            .collect();
        entries.sort_by_key(|entry| entry.0);
        kept.cells.extend(entries.iter().map(|entry| entry.0));
        kept.values.extend(entries.iter().map(|entry| entry.1));
        kept.starts.push(kept.cells.len());
    }
    kept
}
