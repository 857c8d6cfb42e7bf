//! Pictures of many genes and cell types of one tissue: a file for each pair, `GENE__TYPE.png`, and `pictures.jsonl` with
//! what each shows. A stage: the manifest is written last, and what an interrupted run has drawn is not drawn again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::legend::AddLegend;
use super::{Canvas, Settings};
use crate::picture::{Picture, is_named_like_one};
use crate::progress::Progress;
use crate::stage::{FileError, Found, finish, hash_file, look, read_json, write_json, write_lines};
use crate::tissue::{FileReading, Inputs, Tissue, read};

#[cfg(test)]
mod tests;

const STAGE: &str = "render spatial";
/// The key of a run that has not finished.
const BEGUN: &str = "unfinished.json";
/// Pictures between two looks at whether to stop.
const BATCH: usize = 32;

/// A gene that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedGene {
    /// Its symbol, as asked for.
    pub symbol: String,
    /// What else it goes by; the first that the tissue has is taken.
    pub others: Vec<String>,
}

/// What to draw.
#[derive(Debug, Clone)]
pub struct Series<'a> {
    /// The tissue's files.
    pub inputs: &'a Inputs,
    /// The genes.
    pub genes: &'a [WantedGene],
    /// The cell types; all of the tissue where none is named.
    pub cell_types: &'a [String],
    /// What a picture looks like.
    pub settings: Settings,
    /// Puts a legend to each picture, for people.
    pub legend: Option<AddLegend>,
    /// The folder to write, or a `.png` where there is one picture.
    pub out: &'a Path,
    /// Draw the others where the tissue has not all of the genes.
    pub skip_missing: bool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    /// The file's name.
    pub file: String,
    /// The gene, as the tissue's files write it.
    pub gene: String,
    /// The cell type.
    pub cell_type: String,
    /// Cells that have the gene.
    pub cells_with_gene: usize,
    /// Cells of the type.
    pub cells_of_type: usize,
    /// Cells of the type that have the gene.
    pub cells_of_type_with_gene: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesReport {
    /// Pictures of the series.
    pub pictures: usize,
    /// Those that an interrupted run had drawn.
    pub kept: usize,
    /// Cells in each.
    pub cells: usize,
    /// Genes that the tissue has under another symbol.
    pub renamed: BTreeMap<String, String>,
    /// Genes that the tissue has not.
    pub missing: Vec<String>,
    /// What was read.
    pub readings: Vec<FileReading>,
    /// How long reading took.
    pub seconds_reading: f64,
    /// How long drawing and writing took.
    pub seconds_drawing: f64,
    /// Stopped before all were drawn.
    pub stopped: bool,
    /// Finished earlier from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// Draws all of a series. `stop` is asked now and then; what is drawn by then stays.
pub fn render_series(
    series: &Series<'_>,
    progress: &dyn Progress,
    stop: &dyn Fn() -> bool,
) -> Result<SeriesReport, FileError> {
    let Series { inputs, genes, cell_types, settings, legend, out, skip_missing } = series;
    let is_picture = out.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"));
    if !is_picture && is_named_like_one(out) {
        let reason = "pictures are written as PNG; name a file ending in .png for one, or a folder";
        return Err(FileError::whole(out, reason));
    }
    let begun = Instant::now();
    let (tissue, readings) = read(inputs)?;
    let seconds_reading = begun.elapsed().as_secs_f64();
    let mut report =
        SeriesReport { cells: tissue.cells.len(), readings, seconds_reading, ..SeriesReport::default() };
    let genes = choose_genes(&tissue, genes, *skip_missing, &inputs.data, &mut report)?;
    let types = choose_types(&tissue, cell_types, &inputs.data)?;

    let begun = Instant::now();
    let pairs: Vec<(usize, usize)> =
        genes.iter().flat_map(|gene| types.iter().map(|cell_type| (*gene, *cell_type))).collect();
    report.pictures = pairs.len();
    let canvas = Canvas::new(&tissue, settings);
    let draw = |gene: usize, cell_type: usize| -> Picture {
        let picture = canvas.draw(&tissue, gene, cell_type);
        match legend {
            Some(add) => add(picture, &canvas.legend(&tissue, gene, cell_type)),
            None => picture,
        }
    };
    if is_picture {
        let [(gene, cell_type)] = pairs[..] else {
            let reason = format!("one file for {} pictures; name a folder by --out", pairs.len());
            return Err(FileError::whole(out, reason));
        };
        draw(gene, cell_type).write_png(out)?;
        report.seconds_drawing = begun.elapsed().as_secs_f64();
        return Ok(report);
    }

    let drawn = describe(&tissue, &pairs);
    let key = key(series, &report.readings, &drawn)?;
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let unreadable = |e| FileError::whole(out, format!("its manifest is not one of this program: {e}"));
        let report: SeriesReport = serde_json::from_value(manifest.facts).map_err(unreadable)?;
        return Ok(SeriesReport { already_done: true, ..report });
    }
    let marker = out.join(BEGUN);
    let same = marker.exists() && read_json::<Value>(&marker).is_ok_and(|begun| begun == key);
    if !same {
        write_json(&marker, &key)?;
    }
    progress.start("pictures", Some(pairs.len() as u64), "pictures");
    let mut done = 0;
    for (pairs, drawn) in pairs.chunks(BATCH).zip(drawn.chunks(BATCH)) {
        if stop() {
            progress.finish();
            report.pictures = done;
            report.stopped = true;
            return Ok(report);
        }
        let kept: Result<Vec<bool>, FileError> = pairs
            .par_iter()
            .zip(drawn)
            .map(|(&(gene, cell_type), drawn)| {
                let path = out.join(&drawn.file);
                // Files are renamed into their place, so one that is there is whole.
                let there = same && path.is_file();
                if !there {
                    draw(gene, cell_type).write_png(&path)?;
                }
                Ok(there)
            })
            .collect();
        report.kept += kept?.into_iter().filter(|kept| *kept).count();
        done += pairs.len();
        progress.set(done as u64);
    }
    progress.finish();
    write_lines(&out.join("pictures.jsonl"), &drawn)?;
    report.seconds_drawing = begun.elapsed().as_secs_f64();
    let facts = serde_json::to_value(&report).unwrap_or_default();
    fs::remove_file(&marker).map_err(|e| FileError::io(&marker, "remove", e))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// The genes that are asked for, by their places in the tissue.
fn choose_genes(
    tissue: &Tissue,
    wanted: &[WantedGene],
    skip_missing: bool,
    data: &Path,
    report: &mut SeriesReport,
) -> Result<Vec<usize>, FileError> {
    let places: BTreeMap<&str, usize> = tissue
        .expression
        .genes
        .iter()
        .enumerate()
        .rev()
        .map(|(place, gene)| (gene.as_str(), place))
        .collect();
    let mut chosen = Vec::new();
    for WantedGene { symbol, others } in wanted {
        let mut names = std::iter::once(symbol).chain(others);
        match names.find_map(|name| Some((name, *places.get(name.as_str())?))) {
            None => report.missing.push(symbol.clone()),
            Some((name, place)) => {
                if name != symbol {
                    report.renamed.insert(symbol.clone(), name.clone());
                }
                if !chosen.contains(&place) {
                    chosen.push(place);
                }
            }
        }
    }
    if chosen.is_empty() || (!report.missing.is_empty() && !skip_missing) {
        let genes = &tissue.expression.genes;
        let missing = report.missing.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
        let reason = format!(
            "has no gene {missing}; it has {} genes, {}, …; name them as they are there{}",
            genes.len(),
            genes.iter().take(5).cloned().collect::<Vec<_>>().join(", "),
            if chosen.is_empty() {
                ", or give --db genes.db to find aliases"
            } else {
                ", or say --skip-missing"
            }
        );
        return Err(FileError::whole(data, reason));
    }
    Ok(chosen)
}

/// The cell types that are asked for, by their places in the tissue; case does not matter where it is not needed.
fn choose_types(tissue: &Tissue, wanted: &[String], data: &Path) -> Result<Vec<usize>, FileError> {
    let known = &tissue.cell_types;
    if known.is_empty() {
        let reason = "has no cell types; give a table with them by --cell-types, or name their column by --type-column";
        return Err(FileError::whole(data, reason));
    }
    if wanted.is_empty() {
        return Ok((0..known.len()).collect());
    }
    let find = |name: &String| {
        let exact = known.iter().position(|known| known == name);
        let place = exact.or_else(|| known.iter().position(|known| known.eq_ignore_ascii_case(name)));
        place.ok_or_else(|| {
            FileError::whole(data, format!("has no cell type {name}; it has {}", known.join(", ")))
        })
    };
    wanted.iter().map(find).collect()
}

/// Names and counts of the pictures.
fn describe(tissue: &Tissue, pairs: &[(usize, usize)]) -> Vec<Drawn> {
    let mut of_type = vec![0; tissue.cell_types.len()];
    for cell_type in &tissue.types {
        if let Some(count) = of_type.get_mut(*cell_type as usize) {
            *count += 1;
        }
    }
    let mut names = HashSet::new();
    let mut counted: (usize, Vec<usize>, usize) = (usize::MAX, Vec::new(), 0);
    pairs
        .iter()
        .map(|&(gene, cell_type)| {
            if counted.0 != gene {
                let mut with_gene = vec![0; tissue.cell_types.len()];
                let mut all = 0;
                for (cell, _) in tissue.expression.gene(gene).filter(|(_, value)| *value > 0.0) {
                    all += 1;
                    let cell_type = tissue.types.get(cell as usize).copied().unwrap_or_default();
                    if let Some(count) = with_gene.get_mut(cell_type as usize) {
                        *count += 1;
                    }
                }
                counted = (gene, with_gene, all);
            }
            let (gene, name) = (&tissue.expression.genes[gene], &tissue.cell_types[cell_type]);
            let base = format!("{}__{}", file_name(gene), file_name(name));
            let mut file = format!("{base}.png");
            let mut number = 2;
            // On some systems case does not tell files apart.
            while !names.insert(file.to_lowercase()) {
                file = format!("{base}-{number}.png");
                number += 1;
            }
            Drawn {
                file,
                gene: gene.clone(),
                cell_type: name.clone(),
                cells_with_gene: counted.2,
                cells_of_type: of_type[cell_type],
                cells_of_type_with_gene: counted.1[cell_type],
            }
        })
        .collect()
}

/// A name as part of a file's name: letters, digits and `+ - .`, all else an underscore.
fn file_name(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '+' | '-' | '.') { c } else { '_' };
    name.chars().map(kept).collect()
}

/// What the pictures depend on.
fn key(series: &Series<'_>, readings: &[FileReading], drawn: &[Drawn]) -> Result<Value, FileError> {
    let Series { inputs, genes: _, cell_types: _, settings, legend, out: _, skip_missing: _ } = series;
    let mut hashes = BTreeMap::new();
    let mut files: Vec<PathBuf> = readings.iter().map(|reading| reading.file.clone()).collect();
    // A matrix in Matrix Market's form has its names in files beside it.
    for reading in readings.iter().filter(|reading| reading.what.contains("Matrix Market")) {
        let names = [
            "features.tsv",
            "features.tsv.gz",
            "genes.tsv",
            "genes.tsv.gz",
            "barcodes.tsv",
            "barcodes.tsv.gz",
        ];
        let beside = names.iter().map(|name| reading.file.with_file_name(name));
        files.extend(beside.filter(|path| path.is_file()));
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        hashes.insert(name, hash_file(&file)?);
    }
    let Settings { size, layout, dark } = settings;
    let pairs: Vec<[&str; 2]> =
        drawn.iter().map(|drawn| [drawn.gene.as_str(), drawn.cell_type.as_str()]).collect();
    let mut key = json!({
        "inputs": hashes,
        "type_column": inputs.type_column,
        "genome": inputs.genome,
        "pictures": pairs,
        "size": size,
        "layout": layout,
        "dark": dark,
    });
    // Only where there is one, so that folders made before there were legends are still known.
    if legend.is_some() {
        key["legend"] = true.into();
    }
    Ok(key)
}
