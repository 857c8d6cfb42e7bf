//! The stage `dataset markers`: pictures of genes and cell types in a tissue, with the question whether the one marks the
//! other, out of a tissue and the pairs that are known.
//!
//! Every known pair of a gene and a cell type is an example whose answer is yes. Beside it stands an example with the same
//! gene and a type that it does not mark, whose answer is no, so that the gene alone says nothing. Types are drawn so that
//! each has as many answers yes as no in each split, as far as the pairs allow: the type alone says nothing either. With hard
//! negatives they are the types whose expression is most like that of the type that the gene marks.
//!
//! All examples of a gene are in one split; each type has its share of every split. Written are the splits in LLaVA's form (or
//! others), `images/`, `skipped.jsonl`, a dataset card in `README.md`, and `manifest.json` last. A call that was broken off
//! goes on with the pictures that it lacks.

mod card;
mod pairs;
pub(super) mod profiles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Example;
use super::pictures::{self, Accept, Part, PictureLeakage, PictureSet, Stop};
use crate::answers::Task;
use crate::progress::Progress;
use crate::render::tissue::{Canvas, Layout, Settings};
use crate::seeded::mix;
use crate::stage::FileError;
use crate::tissue::Tissue;
use crate::tissue::truth::{TruthReport, spoken};

/// The stage's name in manifests.
pub const STAGE: &str = "dataset markers";
/// Ways to phrase an answer.
pub const PHRASINGS: usize = 3;

/// Which types the answers "no" are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Negatives {
    /// Any that the gene does not mark.
    #[default]
    Any,
    /// Those most like a type that it marks.
    Hard,
}

/// What to make a dataset of.
#[derive(Debug, Clone, Default)]
pub struct MarkersDataset {
    /// Folder, files, splits, size and forms.
    pub set: PictureSet,
    /// How the known pairs were come by, in a few words and numbers; part of what it depends on.
    pub truth: Value,
    /// Answers "no" for each answer "yes".
    pub negatives_each: usize,
    /// Which types they are about.
    pub negatives: Negatives,
    /// Types with fewer cells are not asked about.
    pub min_cells: usize,
    /// Answers are phrased in several ways rather than in one.
    pub phrasings: bool,
    /// How the gene and the cell type are shown.
    pub layout: Layout,
    /// Light cells on black.
    pub dark: bool,
}

/// What is known: a tissue, and the genes that mark its types.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The tissue.
    pub tissue: &'a Tissue,
    /// Places of genes and the types that they mark.
    pub pairs: &'a [(usize, usize)],
    /// Approved symbols of genes that the tissue has under others.
    pub approved: &'a BTreeMap<usize, String>,
    /// HGNC groups of genes, where a database is at hand.
    pub groups: &'a BTreeMap<usize, Vec<String>>,
    /// What became of the table of pairs, where they came from one.
    pub report: Option<&'a TruthReport>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MarkersReport {
    /// The splits.
    pub splits: BTreeMap<String, SplitCounts>,
    /// Pictures, one for each example.
    pub pictures: usize,
    /// Pairs that gave no example, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Cell types that are named otherwise in questions than in the tissue.
    pub renamed_types: BTreeMap<String, String>,
    /// Genes that are named by another symbol than the tissue's.
    pub renamed_genes: BTreeMap<String, String>,
    /// What became of the table of pairs.
    pub truth: Option<TruthReport>,
    /// What of a later split is in an earlier one.
    pub leakage: Vec<PictureLeakage>,
    /// What answers without looking would score.
    pub blind: Vec<BlindScores>,
    /// The files written, below the dataset's folder, without the pictures.
    pub files: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The dataset was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// Examples of a split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitCounts {
    /// All.
    pub examples: usize,
    /// Genes asked about.
    pub genes: usize,
    /// Answers "yes" and "no".
    pub labels: [usize; 2],
    /// The same by cell type.
    pub by_type: BTreeMap<String, [usize; 2]>,
}

/// Shares of a split's questions that are answered right without a look at the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlindScores {
    /// The split.
    pub split: String,
    /// By "yes" to everything.
    pub always_yes: f64,
    /// By the training set's more frequent label of the cell type; "yes" where they are as many.
    pub by_type: f64,
}

/// A question of the marker task.
pub fn instruction(gene: &str, cell_type: &str) -> String {
    format!(
        "Is gene {gene} a marker gene of cell type {cell_type}? Please summarize your answer in one sentence."
    )
}

/// The answer, in one of [`PHRASINGS`] ways.
pub fn answer(gene: &str, cell_type: &str, is_marker: bool, phrasing: usize) -> String {
    match (phrasing % PHRASINGS, is_marker) {
        (0, true) => format!("Yes, gene {gene} is a marker gene of cell type {cell_type}."),
        (0, false) => format!("No, gene {gene} is not a marker gene of cell type {cell_type}."),
        (1, true) => format!("Gene {gene} is a marker gene of cell type {cell_type}."),
        (1, false) => format!("Gene {gene} is not a marker gene of cell type {cell_type}."),
        (_, true) => format!("Yes, {gene} can be considered a marker gene of cell type {cell_type}."),
        (_, false) => format!("No, {gene} cannot be considered a marker gene of cell type {cell_type}."),
    }
}

/// The report of a dataset that was finished before with the same input; an error where another one stands there.
pub fn finished(options: &MarkersDataset) -> Result<Option<MarkersReport>, FileError> {
    let report: Option<MarkersReport> = options.set.finished(STAGE, &key(options))?;
    Ok(report.map(|report| MarkersReport { already_done: true, ..report }))
}

/// Makes the dataset; pairs whose answer `accept` does not understand are skipped. `None` where it was stopped: the same call
/// goes on.
pub fn markers(
    options: &MarkersDataset,
    known: Known<'_>,
    accept: Accept<'_>,
    stop: Stop<'_>,
    progress: &dyn Progress,
) -> Result<Option<MarkersReport>, FileError> {
    let begun = Instant::now();
    let key = key(options);
    if let Some(report) = finished(options)? {
        return Ok(Some(report));
    }
    let MarkersDataset { set, layout, dark, .. } = options;
    let PictureSet { out, size, .. } = set;
    let names = Names::new(known);
    let plan = pairs::plan(options, known, &|gene, cell_type, is_marker| {
        accept(&names.example(options, gene, cell_type, is_marker))
    })?;
    names.check(out, &plan)?;

    let mut parts = pictures::empty_parts();
    let mut drawn: Vec<(usize, usize)> = Vec::new();
    for asked in &plan.asked {
        let part = &mut parts[asked.split];
        part.groups.push(known.groups.get(&asked.gene).cloned().unwrap_or_default());
        part.examples.push(names.example(options, asked.gene, asked.cell_type, asked.is_marker));
        drawn.push((asked.gene, asked.cell_type));
    }
    // In the order of the plan, as `drawn` is; the parts have another one.
    let files: Vec<String> = plan
        .asked
        .iter()
        .map(|asked| pictures::file_name(&[names.gene(asked.gene), names.cell_type(asked.cell_type)]))
        .collect();
    if files.iter().collect::<BTreeSet<_>>().len() < files.len() {
        return Err(FileError::whole(
            out,
            "two pairs would have a picture of the same name; rename a cell type",
        ));
    }

    let canvas = Canvas::new(known.tissue, &Settings { size: *size, layout: *layout, dark: *dark });
    let draw = |index: usize, path: &Path| {
        let (gene, cell_type) = drawn[index];
        canvas.draw(known.tissue, gene, cell_type).write_png(path)
    };
    if !set.draw(&key, &files, &draw, stop, progress)? {
        return Ok(None);
    }
    let (written, leakage) = set.write(&parts, &plan.skipped, false, progress)?;
    let mut report = MarkersReport {
        splits: parts.iter().filter(|part| !part.examples.is_empty()).map(counts).collect(),
        pictures: files.len(),
        skipped: plan.reasons(),
        renamed_types: names.renamed_types(),
        renamed_genes: names.renamed_genes(),
        truth: known.report.cloned(),
        leakage,
        blind: blind(&parts),
        files: written,
        ..MarkersReport::default()
    };
    report.seconds = begun.elapsed().as_secs_f64();
    set.finish(STAGE, key, &card::card(options, &parts, &report), &report)?;
    Ok(Some(report))
}

/// What the dataset depends on.
fn key(options: &MarkersDataset) -> Value {
    let MarkersDataset { set, truth, negatives_each, negatives, min_cells, phrasings, layout, dark } =
        options;
    set.key(json!({
        "truth": truth, "negatives_each": negatives_each, "negatives": negatives, "min_cells": min_cells,
        "phrasings": phrasings, "layout": layout, "dark": dark,
    }))
}

/// What genes and cell types are called in questions.
struct Names<'a> {
    known: Known<'a>,
    types: Vec<String>,
}

impl<'a> Names<'a> {
    fn new(known: Known<'a>) -> Self {
        Self { known, types: known.tissue.cell_types.iter().map(|name| spoken(name)).collect() }
    }

    fn gene(&self, place: usize) -> &str {
        self.known.approved.get(&place).unwrap_or(&self.known.tissue.expression.genes[place])
    }

    fn cell_type(&self, place: usize) -> &str {
        &self.types[place]
    }

    fn example(&self, options: &MarkersDataset, gene: usize, cell_type: usize, is_marker: bool) -> Example {
        let (gene, cell_type) = (self.gene(gene), self.cell_type(cell_type));
        let phrasing = match options.phrasings {
            true => mix(options.set.seed, &format!("phrase {gene} {cell_type}")) as usize % PHRASINGS,
            false => 0,
        };
        Example {
            id: format!("marker-{gene}-{}", cell_type.replace(' ', "_")),
            task: Task::Marker,
            subject: gene.to_owned(),
            instruction: instruction(gene, cell_type),
            output: answer(gene, cell_type, is_marker, phrasing),
            images: vec![pictures::file_name(&[gene, cell_type])],
            cell_type: Some(cell_type.to_owned()),
            label: Some(if is_marker { "yes" } else { "no" }.to_owned()),
            ..Example::default()
        }
    }

    /// Two genes or types of one name could not be told apart.
    fn check(&self, out: &Path, plan: &pairs::Plan) -> Result<(), FileError> {
        let mut genes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut types: BTreeMap<&str, usize> = BTreeMap::new();
        for asked in &plan.asked {
            for (names, name, place) in [
                (&mut genes, self.gene(asked.gene), asked.gene),
                (&mut types, self.cell_type(asked.cell_type), asked.cell_type),
            ] {
                if *names.entry(name).or_insert(place) != place {
                    let reason =
                        format!("two genes or cell types of the tissue are both called {name}; rename one");
                    return Err(FileError::whole(out, reason));
                }
            }
        }
        Ok(())
    }

    fn renamed_types(&self) -> BTreeMap<String, String> {
        let all = self.known.tissue.cell_types.iter().zip(&self.types);
        all.filter(|(from, to)| from != to).map(|(from, to)| (from.clone(), to.clone())).collect()
    }

    fn renamed_genes(&self) -> BTreeMap<String, String> {
        let marking: BTreeSet<usize> = self.known.pairs.iter().map(|(gene, _)| *gene).collect();
        let renamed = self.known.approved.iter().filter(|(gene, _)| marking.contains(gene));
        renamed.map(|(gene, to)| (self.known.tissue.expression.genes[*gene].clone(), to.clone())).collect()
    }
}

fn counts(part: &Part) -> (String, SplitCounts) {
    let mut counts = SplitCounts { examples: part.examples.len(), ..SplitCounts::default() };
    for example in &part.examples {
        let label = usize::from(example.label.as_deref() != Some("yes"));
        counts.labels[label] += 1;
        counts.by_type.entry(example.cell_type.clone().unwrap_or_default()).or_default()[label] += 1;
    }
    counts.genes = part.examples.iter().map(|example| &example.subject).collect::<BTreeSet<_>>().len();
    (part.name.to_owned(), counts)
}

fn blind(parts: &[Part]) -> Vec<BlindScores> {
    let mut votes: BTreeMap<&str, i64> = BTreeMap::new();
    let yes = |example: &Example| example.label.as_deref() == Some("yes");
    let of = |example: &'_ Example| example.cell_type.clone().unwrap_or_default();
    let train = parts.first().map(|part| part.examples.as_slice()).unwrap_or_default();
    for example in train {
        *votes.entry(example.cell_type.as_deref().unwrap_or_default()).or_default() +=
            if yes(example) { 1 } else { -1 };
    }
    let filled = parts.iter().filter(|part| !part.examples.is_empty());
    filled
        .map(|part| {
            let share = |right: &dyn Fn(&Example) -> bool| {
                part.examples.iter().filter(|example| right(example)).count() as f64
                    / part.examples.len() as f64
            };
            let majority =
                |example: &Example| votes.get(of(example).as_str()).is_none_or(|votes| *votes >= 0);
            BlindScores {
                split: part.name.to_owned(),
                always_yes: share(&yes),
                by_type: share(&|example| majority(example) == yes(example)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
