//! The stage `lab tissue`: a simulated tissue as a folder that is read like a Xenium output folder, and its truth.
//!
//! | file | what |
//! |---|---|
//! | `cells.csv.gz` | `cell_id, x_centroid, y_centroid, transcript_counts, cell_type`; places in µm |
//! | `cell_feature_matrix/` | `matrix.mtx.gz` (genes × cells), `features.tsv.gz`, `barcodes.tsv.gz`, as 10x Genomics writes them |
//! | `truth.tsv` | `gene, cell_type`: a row for each gene and each type that it marks |
//! | `README.md` | what it is |
//! | `manifest.json` | settings and counts |

use std::cell::Cell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Laboratory, Simulation, SimulationError, simulate_while};
use crate::dataset::select::prepare_folder;
use crate::progress::Progress;
use crate::stage::{FileError, Found, atomic_write, finish, look};

/// The stage's name in manifests.
pub const STAGE: &str = "lab tissue";
const FILES: [&str; 6] = [
    "README.md",
    "cell_feature_matrix/barcodes.tsv.gz",
    "cell_feature_matrix/features.tsv.gz",
    "cell_feature_matrix/matrix.mtx.gz",
    "cells.csv.gz",
    "truth.tsv",
];

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabReport {
    /// The folder.
    pub out: PathBuf,
    /// Cells.
    pub cells: usize,
    /// Genes.
    pub genes: usize,
    /// Counts that are not 0.
    pub entries: usize,
    /// Cells of each type.
    pub cell_types: std::collections::BTreeMap<String, usize>,
    /// Pairs of a gene and a type that it marks.
    pub pairs: usize,
    /// How long it took.
    pub seconds: f64,
    /// It was there already.
    #[serde(skip)]
    pub already_done: bool,
}

/// Why there is no laboratory.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The settings give none.
    #[error(transparent)]
    Settings(#[from] SimulationError),
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Simulates a tissue into a folder; does nothing where that was finished before with the same settings. `None` where it was
/// stopped: what is there is whole files, and the same call begins anew.
///
/// # Errors
/// Settings that give no tissue, a folder with other things in it, and what the file system refuses.
pub fn lab_tissue(
    out: &Path,
    settings: &Simulation,
    stop: &dyn Fn() -> bool,
    progress: &dyn Progress,
) -> Result<Option<LabReport>, LabError> {
    let begun = Instant::now();
    let key = json!(settings);
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: LabReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
        return Ok(Some(LabReport { out: out.to_owned(), already_done: true, ..report }));
    }
    progress.start("simulating", Some(settings.genes as u64), "genes");
    let lab = simulate_while(settings, &mut |genes| {
        progress.set(genes as u64);
        !stop()
    });
    progress.finish();
    let Some(lab) = lab? else { return Ok(None) };
    let tissue = &lab.tissue;
    let mut report = LabReport {
        cells: tissue.cells.len(),
        genes: tissue.expression.genes.len(),
        entries: tissue.expression.cells.len(),
        pairs: lab.truth.len(),
        ..LabReport::default()
    };
    for kind in &tissue.types {
        *report.cell_types.entry(tissue.cell_types[*kind as usize].clone()).or_default() += 1;
    }
    prepare_folder(out, &FILES)?;
    progress.start("writing", Some(report.cells as u64), "cells");
    let stopped = Cell::new(false);
    let written = write(out, &lab, settings, &|cell| {
        progress.set(cell as u64);
        stopped.set(stop());
        !stopped.get()
    });
    progress.finish();
    if stopped.get() {
        return Ok(None);
    }
    written?;
    report.seconds = begun.elapsed().as_secs_f64();
    let facts = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(Some(LabReport { out: out.to_owned(), ..report }))
}

/// Cells between two looks at whether to go on.
const AT_ONCE: usize = 4096;

/// Writes all files but the manifest. `go_on` is told how many cells of the matrix are written; where it says no, the matrix
/// is left out, which is an error.
fn write(
    out: &Path,
    lab: &Laboratory,
    settings: &Simulation,
    go_on: &dyn Fn(usize) -> bool,
) -> Result<(), FileError> {
    let Laboratory { tissue, truth } = lab;
    let expression = &tissue.expression;
    let gzip = |name: &str, fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| {
        atomic_write(&out.join(name), |file| {
            let mut packed = io::BufWriter::new(GzEncoder::new(file, Compression::fast()));
            fill(&mut packed)?;
            packed.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
            Ok(())
        })
    };
    // By cell, as 10x has it; within a cell by gene.
    let cells = tissue.cells.len();
    let mut starts = vec![0_usize; cells + 1];
    expression.cells.iter().for_each(|cell| starts[*cell as usize + 1] += 1);
    (0..cells).for_each(|cell| starts[cell + 1] += starts[cell]);
    let mut next = starts.clone();
    let mut by_cell = vec![(0_u32, 0_u32); expression.cells.len()];
    let mut totals = vec![0_u64; cells];
    for gene in 0..expression.genes.len() {
        for (cell, value) in expression.gene(gene) {
            let cell = cell as usize;
            by_cell[next[cell]] = (gene as u32 + 1, value as u32);
            next[cell] += 1;
            totals[cell] += value as u64;
        }
    }
    gzip("cells.csv.gz", &mut |file| {
        writeln!(file, "cell_id,x_centroid,y_centroid,transcript_counts,cell_type")?;
        for (cell, total) in totals.iter().enumerate() {
            let [x, y] = tissue.places[cell];
            let kind = &tissue.cell_types[tissue.types[cell] as usize];
            writeln!(file, "{},{x:.2},{y:.2},{total},{kind}", tissue.cells[cell])?;
        }
        Ok(())
    })?;
    gzip("cell_feature_matrix/barcodes.tsv.gz", &mut |file| {
        tissue.cells.iter().try_for_each(|cell| writeln!(file, "{cell}"))
    })?;
    gzip("cell_feature_matrix/features.tsv.gz", &mut |file| {
        expression.genes.iter().try_for_each(|gene| writeln!(file, "{gene}\t{gene}\tGene Expression"))
    })?;
    gzip("cell_feature_matrix/matrix.mtx.gz", &mut |file| {
        writeln!(file, "%%MatrixMarket matrix coordinate integer general")?;
        writeln!(file, "{} {cells} {}", expression.genes.len(), by_cell.len())?;
        let mut lines = Vec::new();
        for cell in 0..cells {
            if cell % AT_ONCE == 0 && !go_on(cell) {
                return Err(io::Error::other("stopped"));
            }
            lines.clear();
            for (gene, value) in &by_cell[starts[cell]..starts[cell + 1]] {
                for (number, end) in [(*gene, b' '), (cell as u32 + 1, b' '), (*value, b'\n')] {
                    write_number(&mut lines, number);
                    lines.push(end);
                }
            }
            file.write_all(&lines)?;
        }
        Ok(())
    })?;
    atomic_write(&out.join("truth.tsv"), |file| {
        writeln!(file, "gene\tcell_type")?;
        for (gene, kind) in truth {
            writeln!(file, "{}\t{}", expression.genes[*gene], tissue.cell_types[*kind])?;
        }
        Ok(())
    })?;
    let Simulation { seed, ambient, dropout, invented, .. } = settings;
    let symbols =
        if *invented { "All symbols are invented." } else { "Symbols SIM1, SIM2, … are invented." };
    let text = format!(
        "# A simulated tissue\n\nMade by `geneverse lab tissue`, version {}, seed {seed}: {cells} cells, {} genes. No measurement \
         is in it. {symbols} Of each count {:.0} % comes from the whole tissue and not from the cell, and {:.0} % of the counts are \
         lost.\n\n`truth.tsv` says which gene marks which cell type. The folder is read like a Xenium output folder.\n",
        env!("CARGO_PKG_VERSION"),
        expression.genes.len(),
        100.0 * ambient,
        100.0 * dropout,
    );
    atomic_write(&out.join("README.md"), |file| file.write_all(text.as_bytes()))
}

/// A number's digits. Tens of millions are written, and `write!` takes several times as long.
fn write_number(text: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0; 10];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use crate::tissue::simulate::simulate;
    use std::io::Read;

    #[test]
    fn the_folder_holds_what_was_simulated_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("lab");
        let settings = Simulation { cells: 1_000, genes: 30, ..Simulation::default() };
        let report = lab_tissue(&out, &settings, &|| false, &Silent).unwrap().unwrap();
        let lab = simulate(&settings).unwrap();
        assert_eq!(
            (report.cells, report.genes, report.entries),
            (1_000, 30, lab.tissue.expression.cells.len())
        );
        let read = |name: &str| {
            let mut text = String::new();
            crate::stage::open(&out.join(name)).unwrap().read_to_string(&mut text).unwrap();
            text
        };
        let matrix = read("cell_feature_matrix/matrix.mtx.gz");
        let mut lines = matrix.lines().skip(1);
        assert_eq!(lines.next().unwrap(), format!("30 1000 {}", report.entries));
        let (gene, value) = (0..30)
            .find_map(|gene| {
                lab.tissue.expression.gene(gene).find(|(cell, _)| *cell == 0).map(|(_, v)| (gene, v))
            })
            .unwrap();
        assert_eq!(lines.next().unwrap(), format!("{} 1 {value}", gene + 1));
        assert_eq!(lines.count() + 1, report.entries);
        let cells = read("cells.csv.gz");
        assert!(
            cells.starts_with("cell_id,x_centroid,y_centroid,transcript_counts,cell_type\ncell-0001,"),
            "{cells}"
        );
        assert_eq!(read("truth.tsv").lines().count(), 1 + lab.truth.len());
        let bytes = std::fs::read(out.join("cells.csv.gz")).unwrap();
        assert!(lab_tissue(&out, &settings, &|| false, &Silent).unwrap().unwrap().already_done);
        let error = lab_tissue(&out, &Simulation { seed: 2, ..settings.clone() }, &|| false, &Silent)
            .unwrap_err()
            .to_string();
        assert!(error.contains("seed: then 1, now 2"), "{error}");
        std::fs::remove_file(out.join("manifest.json")).unwrap();
        lab_tissue(&out, &settings, &|| false, &Silent).unwrap().unwrap();
        assert_eq!(std::fs::read(out.join("cells.csv.gz")).unwrap(), bytes);
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 7, 10, 99, 100, 167_780, u32::MAX] {
            let mut text = Vec::new();
            write_number(&mut text, number);
            assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }

    #[test]
    fn whenever_it_is_stopped_no_file_is_broken_and_the_same_call_makes_it_whole() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("lab");
        let settings = Simulation { cells: 1_000, genes: 30, ..Simulation::default() };
        // Two looks while simulating, one while writing.
        for looks in 0..4 {
            let seen = Cell::new(0);
            let stop = || seen.replace(seen.get() + 1) >= looks;
            assert_eq!(lab_tissue(&out, &settings, &stop, &Silent).unwrap().is_some(), looks == 3, "{looks}");
            assert_eq!(out.join("manifest.json").exists(), looks == 3);
            assert_eq!(out.join("cell_feature_matrix/matrix.mtx.gz").exists(), looks == 3);
        }
        let names: Vec<String> = std::fs::read_dir(out.join("cell_feature_matrix"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
