//! A tissue of which the truth is known: cell types in niches, and genes that mark them.
//!
//! Ducts of epithelium within a rim of myoepithelium, lymph follicles with B cells inside T cells, vessels, fat, a band of
//! muscle, and a stroma through which immune cells are scattered, some kinds more to one side. A gene's
//! counts in a cell are negative binomial around a mean that the cell's type, its size and, of some genes, its place give;
//! some are lost, and all are stained by what swims between the cells.
//!
//! Cell types have real names, and as many genes as `data/lab_markers.tsv` lists have real symbols, of markers that textbooks
//! name. The rest are invented (`SIM1`, `SIM2`, …), two of three of them markers, so that nothing but the picture tells of
//! which type. The same settings give the same tissue, on any number of threads.

mod counts;
mod layout;
mod stage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use stage::{LabError, LabReport, STAGE, lab_tissue};

use super::Tissue;
use crate::draw::Draw;
use crate::sources::tsv::Tsv;
use crate::stage::FileError;

/// The known markers, and genes that mark nothing.
const KNOWN: &str = include_str!("../../../../data/lab_markers.tsv");

/// Fewer cells do not show every type, more have not been tried.
pub const CELLS: std::ops::RangeInclusive<usize> = 1_000..=2_000_000;
/// Fewer genes than cell types have types without a marker.
pub const GENES: std::ops::RangeInclusive<usize> = 24..=20_000;

/// What to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// Cells.
    pub cells: usize,
    /// Genes: the known ones first, invented ones behind them.
    pub genes: usize,
    /// All symbols are invented: nobody knows beforehand which type a gene marks.
    pub invented: bool,
    /// Share of a count that comes from the whole tissue and not from the cell.
    pub ambient: f64,
    /// Share of the counts that are lost.
    pub dropout: f64,
    /// Chooses everything.
    pub seed: u64,
}

impl Default for Simulation {
    fn default() -> Self {
        Self { cells: 10_000, genes: 240, invented: false, ambient: 0.05, dropout: 0.1, seed: 1 }
    }
}

/// A tissue, and which genes mark which of its types.
#[derive(Debug, Clone, PartialEq)]
pub struct Laboratory {
    /// The tissue.
    pub tissue: Tissue,
    /// Places of genes and of the cell types that they mark, in the order of the genes.
    pub truth: Vec<(usize, usize)>,
}

/// Settings that give no tissue.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// A number that is out of bounds.
    #[error("--{name} is {found}, expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// The list in the program is not what it should be.
    #[error("the list of known markers: {0}")]
    Known(String),
}

/// A gene to be simulated.
struct Gene {
    symbol: String,
    /// Places of the types that it marks.
    marks: Vec<usize>,
}

/// Makes the tissue.
///
/// # Errors
/// Settings that are out of bounds.
pub fn simulate(settings: &Simulation) -> Result<Laboratory, SimulationError> {
    simulate_while(settings, &mut |_| true)?
        .ok_or_else(|| SimulationError::Known("was not gone through".to_owned()))
}

/// Makes the tissue while `go_on` says so, which is told how many genes are done.
fn simulate_while(
    settings: &Simulation,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Laboratory>, SimulationError> {
    let Simulation { cells, genes, invented, ambient, dropout, seed } = *settings;
    let within = |name, found: usize, range: &std::ops::RangeInclusive<usize>| match range.contains(&found) {
        true => Ok(()),
        false => Err(SimulationError::Setting {
            name,
            found: found.to_string(),
            expected: format!("{} to {}", range.start(), range.end()),
        }),
    };
    within("cells", cells, &CELLS)?;
    within("genes", genes, &GENES)?;
    for (name, share) in [("ambient", ambient), ("dropout", dropout)] {
        if !(0.0..1.0).contains(&share) {
            let expected = "at least 0 and less than 1".to_owned();
            return Err(SimulationError::Setting { name, found: share.to_string(), expected });
        }
    }
    let cell_types: Vec<String> = layout::TYPES.iter().map(|name| (*name).to_owned()).collect();
    let genes = list(genes, invented, seed)?;
    let layout = layout::lay_out(cells, seed);
    let Some(expression) = counts::count(&genes, &layout, settings, go_on) else { return Ok(None) };
    let truth =
        genes.iter().enumerate().flat_map(|(gene, of)| of.marks.iter().map(move |kind| (gene, *kind)));
    let truth = truth.collect();
    let width = cells.to_string().len();
    let cells = (1..=cells).map(|n| format!("cell-{n:0width$}")).collect();
    let tissue = Tissue { cells, places: layout.places, types: layout.types, cell_types, expression };
    Ok(Some(Laboratory { tissue, truth }))
}

/// The genes: known ones, each type's in turn, then invented ones.
fn list(count: usize, invented: bool, seed: u64) -> Result<Vec<Gene>, SimulationError> {
    let known = if invented { Vec::new() } else { known()? };
    // A type's first gene, each type's second, …: however few there are, all types have some.
    let mut nth_of_type: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    let mut ordered: Vec<(usize, Gene)> = known
        .into_iter()
        .map(|gene| {
            let nth = nth_of_type.entry(gene.marks.first().copied()).or_default();
            *nth += 1;
            (*nth, gene)
        })
        .collect();
    ordered.sort_by_key(|(nth, _)| *nth);
    let mut genes: Vec<Gene> = ordered.into_iter().map(|(_, gene)| gene).take(count).collect();
    let mut draw = Draw::at(seed, &[1]);
    let types = layout::TYPES.len();
    let mut turn: Vec<usize> = (0..types).collect();
    for number in 1..=count - genes.len() {
        // Two of three mark a type, one in ten of these a second one; types take turns, in an order that changes.
        let place = number - 1 - number / 3;
        let mut marks = Vec::new();
        if number % 3 != 0 {
            if place.is_multiple_of(types) {
                draw.shuffle(&mut turn);
            }
            marks.push(turn[place % types]);
            let second = draw.below(10 * types);
            if second < types && second != marks[0] {
                marks.push(second);
            }
            marks.sort_unstable();
        }
        genes.push(Gene { symbol: format!("SIM{number}"), marks });
    }
    genes.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(genes)
}

fn known() -> Result<Vec<Gene>, SimulationError> {
    let wrong = |e: FileError| SimulationError::Known(e.to_string());
    let name = std::path::Path::new("lab_markers.tsv");
    let mut table = Tsv::new(name, Box::new(KNOWN.as_bytes())).map_err(wrong)?;
    let columns = (table.need(&["gene"]).map_err(wrong)?, table.need(&["cell_type"]).map_err(wrong)?);
    let mut genes: Vec<Gene> = Vec::new();
    while let Some(row) = table.next_row().map_err(wrong)? {
        let (symbol, kind) = (row.get(columns.0), row.get(columns.1));
        let mark = match layout::TYPES.iter().position(|name| *name == kind) {
            None if kind != "-" => {
                return Err(SimulationError::Known(format!("line {}: no cell type {kind}", row.line)));
            }
            mark => mark,
        };
        match genes.iter_mut().find(|gene| gene.symbol == symbol) {
            Some(gene) => gene.marks.extend(mark),
            None => genes.push(Gene { symbol: symbol.to_owned(), marks: mark.into_iter().collect() }),
        }
    }
    for gene in &mut genes {
        gene.marks.sort_unstable();
    }
    Ok(genes)
}

#[cfg(test)]
mod tests;
