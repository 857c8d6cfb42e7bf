//! Genes that mark a cell type, found in expression: the Wilcoxon rank-sum test of each type against all other cells,
//! corrected by Benjamini and Hochberg over a type's genes.
//!
//! The conventions are those of scanpy 1.11 (`rank_genes_groups(method="wilcoxon")`), whose numbers these are
//! (`tests/marker_genes.rs`): ties do not count unless asked for; a cell without a type belongs to the rest; the fold change
//! takes means of logarithms back, log₂((e^m₁ − 1 + 10⁻⁹) / (e^m₂ − 1 + 10⁻⁹)), which presumes values ln(1 + x). scanpy
//! keeps scores in single precision and p-values below 10⁻³⁰⁸ as 0; here they are logarithms too.

use std::io::Write;

use geneverse_data::tissue::{Expression, Tissue};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::enrich::Correction;
use crate::stats::rank_sum::{RankSums, rank_sums};

/// What is added to both means before their ratio is taken, in scanpy.
const TINY: f64 = 1e-9;

/// A gene, as a cell type has it beside all other cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedGene {
    /// Its place among the tissue's genes.
    pub gene: usize,
    /// Its symbol, as the tissue has it.
    pub symbol: String,
    /// z of the sum of ranks: above 0 where the type's cells have more of it.
    pub score: f64,
    /// log₂ of the fold change.
    pub log2_fold: f64,
    /// Two-sided, of this test alone; 0 below 10⁻³⁰⁸.
    pub p: f64,
    /// After Benjamini and Hochberg over the type's genes.
    pub p_adjusted: f64,
    /// log₁₀ of `p_adjusted`, which has digits where that is 0.
    pub log10_p_adjusted: f64,
    /// Share of the type's cells that have it at all.
    pub share: f64,
    /// Share of the other cells.
    pub share_rest: f64,
}

/// All genes as one cell type has them, the highest score first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedGenes {
    /// The type's place among the tissue's cell types.
    pub index: usize,
    /// Its name.
    pub cell_type: String,
    /// Its cells.
    pub cells: usize,
    /// The genes.
    pub genes: Vec<RankedGene>,
}

/// What is tested, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Take ties into account in the variance.
    pub tie_correct: bool,
    /// Leave out cells without a type; else they belong to the rest of every type.
    pub labelled_only: bool,
}

/// What a marker must have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// At most this adjusted p.
    pub max_p: f64,
    /// At least this log₂ fold change.
    pub min_log2_fold: f64,
    /// At least this share of the type's cells have it.
    pub min_share: f64,
    /// At most so many markers of a type, the highest scores first.
    pub top: Option<usize>,
}

impl Default for Thresholds {
    /// One in a hundred found in error, twice the rest's expression, in a tenth of the cells.
    fn default() -> Self {
        Self { max_p: 0.01, min_log2_fold: 1.0, min_share: 0.1, top: None }
    }
}

impl Thresholds {
    /// The genes that mark the type.
    pub fn markers<'a>(&self, ranked: &'a RankedGenes) -> impl Iterator<Item = &'a RankedGene> + use<'a> {
        let Self { max_p, min_log2_fold, min_share, top } = *self;
        let marks = move |gene: &&RankedGene| {
            gene.score > 0.0
                && gene.log10_p_adjusted <= max_p.log10()
                && gene.log2_fold >= min_log2_fold
                && gene.share >= min_share
        };
        ranked.genes.iter().filter(marks).take(top.unwrap_or(usize::MAX))
    }
}

/// A tissue in which nothing can be tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RankError {
    /// Fewer than two cells of a type, or of the rest.
    #[error(
        "cell type {cell_type} has {cells} of {all} cells, expected at least 2 of it and 2 others; leave it out"
    )]
    TooFew {
        /// The type.
        cell_type: String,
        /// Its cells.
        cells: usize,
        /// All cells.
        all: usize,
    },
    /// A value that is no number.
    #[error("gene {gene} has the value {value} in cell {cell}, expected a number; leave the cell out")]
    NotANumber {
        /// The gene.
        gene: String,
        /// The cell.
        cell: String,
        /// The value.
        value: String,
    },
    /// Nothing to test.
    #[error("found no cell with a type, expected some of at least two types")]
    Unlabelled,
}

/// Cells by type: what a gene's values are sorted into.
struct Groups {
    /// Of each cell; a place behind all groups for cells without a type, `None` for cells that are left out.
    of_cell: Vec<Option<u32>>,
    sizes: Vec<usize>,
    /// Cells that are ranked.
    all: usize,
}

/// Ranks the genes of every cell type that has cells; `values` are the tissue's, or what was made of them.
pub fn rank_genes(
    tissue: &Tissue,
    values: &Expression,
    settings: Settings,
) -> Result<Vec<RankedGenes>, RankError> {
    let groups = Groups::new(tissue, settings)?;
    let genes: Vec<GeneSums> = (0..values.genes.len())
        .into_par_iter()
        .map(|gene| groups.sums(tissue, values, gene))
        .collect::<Result<_, _>>()?;
    let present: Vec<usize> = (0..groups.sizes.len()).filter(|group| groups.sizes[*group] > 0).collect();
    let rank = |index: &usize| groups.rank(tissue, values, &genes, *index, settings.tie_correct);
    Ok(present.par_iter().map(rank).collect())
}

/// A gene's sums over the cells of each type; the last entries are those of cells without a type.
struct GeneSums {
    ranks: RankSums,
    values: Vec<f64>,
    with_it: Vec<usize>,
}

impl Groups {
    fn new(tissue: &Tissue, settings: Settings) -> Result<Self, RankError> {
        let types = tissue.cell_types.len();
        let mut sizes = vec![0; types];
        let mut all = 0;
        let of_cell = tissue.types.iter().map(|of| match sizes.get_mut(*of as usize) {
            Some(size) => {
                (*size, all) = (*size + 1, all + 1);
                Some(*of)
            }
            None if settings.labelled_only => None,
            None => {
                all += 1;
                Some(types as u32)
            }
        });
        let of_cell: Vec<Option<u32>> = of_cell.collect();
        for (index, &cells) in sizes.iter().enumerate() {
            if cells == 1 || (cells > 0 && all - cells < 2) {
                let cell_type = tissue.cell_types[index].clone();
                return Err(RankError::TooFew { cell_type, cells, all });
            }
        }
        if sizes.iter().all(|size| *size == 0) {
            return Err(RankError::Unlabelled);
        }
        Ok(Self { of_cell, sizes, all })
    }

    fn sums(&self, tissue: &Tissue, values: &Expression, gene: usize) -> Result<GeneSums, RankError> {
        let mut sums = vec![0.0; self.sizes.len() + 1];
        let mut with_it = vec![0; self.sizes.len() + 1];
        for (cell, value) in values.gene(gene) {
            if !value.is_finite() {
                return Err(RankError::NotANumber {
                    gene: values.genes[gene].clone(),
                    cell: tissue.cells.get(cell as usize).cloned().unwrap_or_default(),
                    value: value.to_string(),
                });
            }
            if let Some(Some(group)) = self.of_cell.get(cell as usize) {
                sums[*group as usize] += f64::from(value);
                with_it[*group as usize] += usize::from(value != 0.0);
            }
        }
        let grouped =
            values.gene(gene).filter_map(|(cell, value)| Some((value, (*self.of_cell.get(cell as usize)?)?)));
        Ok(GeneSums { ranks: rank_sums(grouped, &self.sizes, self.all), values: sums, with_it })
    }

    fn rank(
        &self,
        tissue: &Tissue,
        values: &Expression,
        genes: &[GeneSums],
        group: usize,
        tie_correct: bool,
    ) -> RankedGenes {
        let size = self.sizes[group];
        let rest = self.all - size;
        let tests = genes.iter().map(|gene| gene.ranks.test(group, size, tie_correct));
        let (scores, ln_p): (Vec<f64>, Vec<f64>) = tests.map(|test| (test.z, test.ln_p)).unzip();
        let ln_adjusted = Correction::FdrBh.correct(&ln_p);
        let ranked = genes.iter().enumerate().map(|(gene, sums)| {
            let others = |parts: f64, own: f64| (parts - own) / rest as f64;
            let mean = sums.values[group] / size as f64;
            let mean_rest = others(sums.values.iter().sum(), sums.values[group]);
            let with_it: usize = sums.with_it.iter().sum();
            RankedGene {
                gene,
                symbol: values.genes[gene].clone(),
                score: scores[gene],
                log2_fold: ((mean.exp_m1() + TINY) / (mean_rest.exp_m1() + TINY)).log2(),
                p: ln_p[gene].exp(),
                p_adjusted: ln_adjusted[gene].exp(),
                log10_p_adjusted: ln_adjusted[gene] / std::f64::consts::LN_10,
                share: sums.with_it[group] as f64 / size as f64,
                share_rest: others(with_it as f64, sums.with_it[group] as f64),
            }
        });
        let mut ranked: Vec<RankedGene> = ranked.collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.gene.cmp(&b.gene)));
        RankedGenes { index: group, cell_type: tissue.cell_types[group].clone(), cells: size, genes: ranked }
    }
}

/// Writes a table with a row for each of the genes given of each type, as comma-separated values.
pub fn write_csv<'a>(
    out: &mut impl Write,
    rows: impl Iterator<Item = (&'a RankedGenes, &'a RankedGene)>,
) -> std::io::Result<()> {
    writeln!(
        out,
        "cell_type,rank,gene,score,log2_fold,p,p_adjusted,log10_p_adjusted,share,share_rest,cells"
    )?;
    let (mut last, mut rank) = ("", 0);
    for (of, gene) in rows {
        rank = if of.cell_type == last { rank + 1 } else { 1 };
        last = &of.cell_type;
        writeln!(
            out,
            "{},{rank},{},{},{},{:e},{:e},{},{},{},{}",
            quoted(&of.cell_type),
            quoted(&gene.symbol),
            gene.score,
            gene.log2_fold,
            gene.p,
            gene.p_adjusted,
            gene.log10_p_adjusted,
            gene.share,
            gene.share_rest,
            of.cells
        )?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// How well found markers agree with known ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Pairs of gene and cell type that are known markers.
    pub known: usize,
    /// Pairs found.
    pub found: usize,
    /// Known ones among the found.
    pub both: usize,
    /// Share of the known that were found.
    pub sensitivity: f64,
    /// Share of the pairs that are no known markers that were not found.
    pub specificity: f64,
}

/// Compares pairs of gene and cell type (by their places) with known ones, among all pairs of `genes` and `types`.
pub fn recovery(found: &[(usize, usize)], known: &[(usize, usize)], genes: usize, types: usize) -> Recovery {
    let set = |pairs: &[(usize, usize)]| pairs.iter().copied().collect::<std::collections::BTreeSet<_>>();
    let (found, known) = (set(found), set(known));
    let both = found.intersection(&known).count();
    let others = (genes * types).saturating_sub(known.len());
    let wrong = found.len() - both;
    Recovery {
        known: known.len(),
        found: found.len(),
        both,
        sensitivity: both as f64 / known.len().max(1) as f64,
        specificity: 1.0 - wrong as f64 / others.max(1) as f64,
    }
}

#[cfg(test)]
mod tests;
