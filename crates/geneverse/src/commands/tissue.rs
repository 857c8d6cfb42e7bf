//! Which files make a tissue, and which genes mark its types: arguments that several commands share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use geneverse_data::dataset::pictures::InputFile;
use geneverse_data::progress::Progress;
use geneverse_data::provenance::Provenance;
use geneverse_data::render::tissue::Layout;
use geneverse_data::stage::hash_file;
use geneverse_data::store::GeneStore;
use geneverse_data::tissue::truth::{Truth, TruthReport, TypeNames, read_truth, read_type_names};
use geneverse_data::tissue::{FileReading, Inputs, Tissue, read};
use geneverse_eval::marker_genes::{RankedGenes, Settings, Thresholds, rank_genes};
use serde_json::{Value, json};

use crate::ui::Ui;

/// How pictures show the gene and the cell type.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LayoutArg {
    /// The cells of the type in warm colours, others in cold ones, stronger with more of the gene
    Hues,
    /// Two panels: expression, and the cells of the type
    Panels,
    /// Expression, and rings around the cells of the type; for sections of up to some 5,000 cells
    Outline,
}

impl From<LayoutArg> for Layout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Hues => Self::Hues,
            LayoutArg::Panels => Self::Panels,
            LayoutArg::Outline => Self::Outline,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TissueArgs {
    /// Counts and places: a Xenium output folder, a 10x matrix (folder or .h5), an .h5ad, or a table of cells × genes
    #[arg(long, visible_alias = "counts", value_name = "PATH")]
    pub(crate) tissue: PathBuf,
    /// A table with places of cells, and their types where it has them
    #[arg(long, value_name = "FILE")]
    cells: Option<PathBuf>,
    /// A table with types of cells
    #[arg(long, value_name = "FILE")]
    cell_types: Option<PathBuf>,
    /// The column with the types
    #[arg(long, value_name = "NAME")]
    type_column: Option<String>,
}

/// A tissue, and the files that it was read from.
pub(crate) struct Read {
    pub(crate) tissue: Tissue,
    pub(crate) inputs: Vec<InputFile>,
}

impl TissueArgs {
    /// A folder that has everything.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self { tissue: folder.to_owned(), cells: None, cell_types: None, type_column: None }
    }

    /// Reads the tissue; `unplaced` takes cells without a place too.
    pub(crate) fn read(&self, unplaced: bool, licence: Option<&str>, ui: &Ui) -> Result<Read> {
        let Self { tissue, cells, cell_types, type_column } = self;
        let inputs = Inputs {
            data: tissue.clone(),
            cells: cells.clone(),
            cell_types: cell_types.clone(),
            type_column: type_column.clone(),
            unplaced,
            ..Inputs::default()
        };
        ui.start("reading cells", None, "files");
        let read = read(&inputs);
        ui.finish();
        let (tissue, readings) = read?;
        if tissue.cell_types.is_empty() {
            bail!(
                "{}: found no cell types; name the table that has them with --cell-types, or their column with --type-column",
                self.tissue.display()
            );
        }
        for FileReading { file, what, reading } in &readings {
            for (reason, count) in reading.skipped.reasons.iter().chain(&reading.dropped_values.reasons) {
                ui.note(&format!("note: {}: {what}: {count} left out: {reason}", file.display()));
            }
        }
        let mut inputs: Vec<InputFile> = Vec::new();
        for FileReading { file, what, .. } in &readings {
            // The same file may give counts and places.
            let again = inputs.iter().filter(|input| input.what.starts_with(what.as_str())).count();
            let what = if again > 0 { format!("{what} {}", again + 1) } else { what.clone() };
            inputs.push(input(file, &what, licence)?);
        }
        Ok(Read { tissue, inputs })
    }
}

/// A file by its hash, and on what terms it may be used, where that stands beside it.
pub(crate) fn input(file: &Path, what: &str, licence: Option<&str>) -> Result<InputFile> {
    let hash = hash_file(file)?;
    let beside = Provenance::of(file, &hash)?.map(|provenance| provenance.licence);
    Ok(InputFile {
        what: what.to_owned(),
        file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        licence: licence.map(str::to_owned).or(beside),
        hash,
    })
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Take ties into account in the variance of the rank sums
    #[arg(long)]
    tie_correct: bool,
    /// Leave out cells without a type; else they belong to the rest of every type
    #[arg(long)]
    labelled_only: bool,
    /// Test values as they are, rather than ln(1 + counts brought to one total per cell)
    #[arg(long, conflicts_with = "target_sum")]
    as_is: bool,
    /// Bring each cell's counts to this total [default: the median total]
    #[arg(long, value_name = "N")]
    target_sum: Option<f64>,
    /// A marker has at most this p, corrected by Benjamini and Hochberg [default: 0.01]
    #[arg(long, value_name = "P")]
    max_p: Option<f64>,
    /// At least this log₂ of the fold change [default: 1]
    #[arg(long, value_name = "X")]
    min_log2_fold: Option<f64>,
    /// At least this share of the type's cells have it [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    min_share: Option<f64>,
    /// At most N markers of a type, the highest scores first [default: all]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

/// Genes as each type has them, and which of them mark it.
pub(crate) struct Ranking {
    pub(crate) types: Vec<RankedGenes>,
    pub(crate) normalised: bool,
    pub(crate) thresholds: Thresholds,
}

impl Ranking {
    /// Places of genes and the types that they mark, ascending.
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let of = |of: &RankedGenes| -> Vec<(usize, usize)> {
            self.thresholds.markers(of).map(|gene| (gene.gene, of.index)).collect()
        };
        let mut pairs: Vec<(usize, usize)> = self.types.iter().flat_map(of).collect();
        pairs.sort_unstable();
        pairs
    }
}

impl TestArgs {
    /// What the result depends on, in JSON.
    pub(crate) fn key(&self) -> Value {
        let Self { tie_correct, labelled_only, as_is, target_sum, .. } = self;
        let Thresholds { max_p, min_log2_fold, min_share, top } = self.thresholds();
        json!({
            "tie_correct": tie_correct, "labelled_only": labelled_only, "as_is": as_is, "target_sum": target_sum,
            "max_p": max_p, "min_log2_fold": min_log2_fold, "min_share": min_share, "top": top,
        })
    }

    fn thresholds(&self) -> Thresholds {
        let Self { max_p, min_log2_fold, min_share, top, .. } = *self;
        let default = Thresholds::default();
        Thresholds {
            max_p: max_p.unwrap_or(default.max_p),
            min_log2_fold: min_log2_fold.unwrap_or(default.min_log2_fold),
            min_share: min_share.unwrap_or(default.min_share),
            top,
        }
    }

    /// The first of these options that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let Self { tie_correct, labelled_only, as_is, target_sum, max_p, min_log2_fold, min_share, top } =
            self;
        let given = [
            (*tie_correct, "--tie-correct"),
            (*labelled_only, "--labelled-only"),
            (*as_is, "--as-is"),
            (target_sum.is_some(), "--target-sum"),
            (max_p.is_some(), "--max-p"),
            (min_log2_fold.is_some(), "--min-log2-fold"),
            (min_share.is_some(), "--min-share"),
            (top.is_some(), "--top"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, option)| option)
    }

    /// Ranks the genes of every type.
    pub(crate) fn rank(&self, tissue: &Tissue, ui: &Ui) -> Result<Ranking> {
        let Self { tie_correct, labelled_only, as_is, target_sum, .. } = *self;
        let thresholds = self.thresholds();
        let max_p = thresholds.max_p;
        if !(max_p > 0.0 && max_p <= 1.0) {
            bail!("--max-p is {max_p}, expected more than 0 and at most 1");
        }
        if target_sum.is_some_and(|sum| !(sum > 0.0 && sum.is_finite())) {
            bail!("--target-sum is {}, expected a number above 0", target_sum.unwrap_or_default());
        }
        let counts = tissue.expression.are_counts();
        if !counts && target_sum.is_some() {
            bail!("--target-sum has no effect: the values are not counts, they are tested as they are");
        }
        if !counts && !as_is {
            ui.note("note: the values are not counts: they are taken for logarithms and tested as they are");
        }
        ui.start("ranking genes", None, "genes");
        let normalised = counts && !as_is;
        let values = match normalised {
            true => &tissue.expression.normalised(tissue.cells.len(), target_sum),
            false => &tissue.expression,
        };
        let ranked = rank_genes(tissue, values, Settings { tie_correct, labelled_only });
        ui.finish();
        Ok(Ranking { types: ranked?, normalised, thresholds })
    }
}

/// Reads a table of known markers for a tissue.
pub(crate) fn truth(
    path: &Path,
    type_names: Option<&Path>,
    tissue: &Tissue,
    store: Option<&GeneStore>,
) -> Result<Truth> {
    let names = type_names.map(read_type_names).transpose()?.unwrap_or_else(TypeNames::new);
    Ok(read_truth(path, tissue, &names, store)?)
}

/// What became of a table of known markers, in words.
pub(crate) fn truth_text(report: &TruthReport) -> String {
    use std::fmt::Write as _;
    /// Changes that are printed; all are in the result.
    const SHOWN: usize = 6;
    let TruthReport {
        rows, used, repeated, genes, cell_types, unknown_genes, left_out, without_marker, ..
    } = report;
    let mut text = format!("  truth: {used} of {rows} rows name a gene and a cell type of the tissue");
    if *repeated > 0 {
        let _ = write!(text, ", {repeated} of them again");
    }
    text.push('\n');
    for (what, changes) in [("genes", genes), ("cell types", cell_types)] {
        if changes.is_empty() {
            continue;
        }
        let rows: usize = changes.iter().map(|change| change.rows).sum();
        let some: Vec<String> =
            changes.iter().take(SHOWN).map(|change| format!("{} → {}", change.from, change.to)).collect();
        let more = if changes.len() > SHOWN { ", …" } else { "" };
        let _ = writeln!(text, "  {what} renamed in {rows} rows: {}{more}", some.join(", "));
    }
    for (reason, count) in left_out {
        let _ = writeln!(text, "  left out {count} rows: {reason}");
    }
    for (what, names) in
        [("genes unknown to the database", unknown_genes), ("types that no gene marks", without_marker)]
    {
        if !names.is_empty() {
            let more = if names.len() > SHOWN { ", …" } else { "" };
            let _ = writeln!(
                text,
                "  {} {what}: {}{more}",
                names.len(),
                names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ")
            );
        }
    }
    text
}

/// HGNC groups of the tissue's genes.
pub(crate) fn groups(tissue: &Tissue, store: &GeneStore) -> Result<BTreeMap<usize, Vec<String>>> {
    let mut groups = BTreeMap::new();
    for (place, symbol) in tissue.expression.genes.iter().enumerate() {
        if let Some(record) = store.resolve(symbol)?.into_record()
            && !record.groups.is_empty()
        {
            groups.insert(place, record.groups);
        }
    }
    Ok(groups)
}
