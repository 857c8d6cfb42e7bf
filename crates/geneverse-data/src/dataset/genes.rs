//! The stage `dataset genes`: instruction data for the gene task out of `genes.db`.
//!
//! Writes `train`, `validation` and `test` in the formats asked for (each only where it has examples),
//! `skipped.jsonl`, a dataset card in `README.md`, and `manifest.json` last.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::card::card;
use super::compare::{Item, Kin, Leakage, join_alike, leakage};
use super::content::{Content, SHINGLE};
use super::describe::{Description, describe};
use super::format::Format;
use super::near::{NEAR, Sets};
use super::retrieval::{Asked, RetrievalScores, Score};
use super::select::{Selection, SkippedGene, prepare_folder, select};
use super::split::{Remainder, by_group, divide};
use super::synthetic::{self, Synthetic};
use super::{Example, SyntheticReport};
use crate::answers::Task;
use crate::gene::{GeneKind, GeneRecord};
use crate::progress::Progress;
use crate::seeded::mix;
use crate::sentences::sentences;
use crate::stage::{FileError, Found, atomic_write, finish, hash_bytes, hash_file, look, write_lines};
use crate::store::{GeneStore, StoreError};

/// The stage's name in manifests.
pub const STAGE: &str = "dataset genes";
/// The splits' names, in the order in which they are told.
pub const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// Whose words the answers are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerSource {
    /// The records', put into sentences.
    #[default]
    Records,
    /// A language model's, for protein-coding genes; of other genes the record's.
    Synthetic,
    /// Both: a protein-coding gene gives an example of each.
    Both,
}

/// What stays on one side of the split between training and validation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// A gene.
    Gene,
    /// Genes connected through HGNC groups.
    Group,
    /// Genes connected through HGNC groups or through nearly the same text.
    #[default]
    Cluster,
}

/// What to make a dataset of.
#[derive(Debug, Clone, Default)]
pub struct GenesDataset {
    /// The gene database.
    pub db: PathBuf,
    /// The folder to write.
    pub out: PathBuf,
    /// Only these genes (symbols, aliases or identifiers); all where `None`.
    pub symbols: Option<Vec<String>>,
    /// Genes kept out of training and validation, with or without a summary: the test set.
    pub hold_out: Vec<String>,
    /// How many of the other genes are for validation.
    pub validation_size: usize,
    /// Chooses the validation genes and the phrasings.
    pub seed: u64,
    /// Leave out genes without a functional summary.
    pub only_with_summary: bool,
    /// Whose words the answers are in.
    pub source: AnswerSource,
    /// A language model's texts, as `dataset synthesize` writes them.
    pub synthetic: Option<PathBuf>,
    /// What stays on one side of the split.
    pub split: SplitBy,
    /// Take no cluster apart, and leave out relatives of held-out genes.
    pub strict: bool,
    /// How many genes with the same summary but for names and numbers are kept; all where `None`.
    pub most_alike: Option<usize>,
    /// The forms to write; Alpaca where empty.
    pub formats: Vec<Format>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GenesReport {
    /// Examples of the training set.
    pub train: usize,
    /// Examples of the validation set.
    pub validation: usize,
    /// Examples of the test set.
    pub test: usize,
    /// Genes that gave none, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Examples whose answer equals an earlier one's.
    pub repeated_outputs: usize,
    /// Genes whose functional summary equals an earlier one's (microRNAs, olfactory receptors).
    pub repeated_summaries: usize,
    /// Clusters of related genes that lie both in training and validation.
    pub clusters_split: usize,
    /// Genes of the largest cluster: it is trained on whole.
    pub largest_cluster: usize,
    /// Training genes that are relatives of a held-out gene, by HGNC group or by text: what a test may owe to them.
    pub train_relatives_of_test: usize,
    /// What became of a language model's texts.
    pub synthetic: Option<SyntheticReport>,
    /// Each split that has examples.
    pub splits: BTreeMap<String, Description>,
    /// What of a later split is in an earlier one.
    pub leakage: Vec<Leakage>,
    /// What looking up the nearest training answer scores.
    pub retrieval: Vec<RetrievalScores>,
    /// The files written, below the dataset's folder.
    pub files: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// The dataset was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// The question of the gene task.
pub fn instruction(symbol: &str) -> String {
    format!(
        "Please summarize the major function of gene: {symbol}. Use academic language in one paragraph and include \
         pathway information."
    )
}

/// The example for one gene.
pub fn example(record: &GeneRecord, seed: u64) -> Example {
    Example {
        id: format!("gene-{}", record.symbol),
        task: Task::Gene,
        subject: record.symbol.to_string(),
        instruction: instruction(record.symbol.as_str()),
        input: String::new(),
        output: sentences(record, seed),
        ..Example::default()
    }
}

/// Makes the dataset; does nothing where that was finished before with the same input.
pub fn genes(options: &GenesDataset, progress: &dyn Progress) -> Result<GenesReport, StoreError> {
    genes_scored(options, None, progress)
}

/// As [`genes`]; `score` measures what retrieval alone would score, and the dataset's card says it.
pub fn genes_scored(
    options: &GenesDataset,
    score: Option<Score<'_>>,
    progress: &dyn Progress,
) -> Result<GenesReport, StoreError> {
    let begun = Instant::now();
    let GenesDataset { db, out, hold_out, validation_size, seed, source, strict, most_alike, .. } = options;
    let store = GeneStore::open(db)?;
    let synthetic_file = wanted_synthetic(options)?;
    let key = key(options, synthetic_file)?;
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: GenesReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
        return Ok(GenesReport { already_done: true, ..report });
    }

    progress.start("reading genes", None, "genes");
    let Selection { seen, held_out, mut skipped } =
        select(&store, options.symbols.as_deref(), hold_out, options.only_with_summary)?;
    progress.finish();
    let (mut texts, synthetic) = match synthetic_file {
        Some(file) => {
            let (texts, report) = synthetic::read(file, &seen)?;
            (texts, Some(report))
        }
        None => (HashMap::new(), None),
    };

    progress.start("comparing texts", None, "genes");
    let with_texts: Vec<(GeneRecord, Vec<Synthetic>)> = seen
        .into_iter()
        .map(|gene| {
            let texts = texts.remove(gene.symbol.as_str()).unwrap_or_default();
            (gene, texts)
        })
        .collect();
    let units: Vec<Unit> =
        with_texts.into_par_iter().map(|(gene, texts)| Unit::new(gene, texts, *source, *seed)).collect();
    // Of a test the record is the reference: a model's text is no truth.
    let tests: Vec<Unit> = held_out
        .into_par_iter()
        .map(|gene| Unit::new(gene, Vec::new(), AnswerSource::Records, *seed))
        .collect();
    let mut drop = |units: Vec<Unit>, reason: &str, dropped: &dyn Fn(usize, &Unit) -> bool| {
        let (mut kept, mut place) = (Vec::with_capacity(units.len()), 0);
        for unit in units {
            if dropped(place, &unit) {
                let symbol = unit.gene.symbol.to_string();
                skipped.push(SkippedGene { symbol, reason: reason.to_owned() });
            } else {
                kept.push(unit);
            }
            place += 1;
        }
        kept
    };
    let units = drop(units, "no synthetic text", &|_, unit| unit.examples.is_empty());
    let units = match most_alike {
        Some(most) => {
            let surplus = surplus(&units, *most, *seed);
            drop(units, "its summary is told of often enough", &|place, _| surplus[place])
        }
        None => units,
    };
    let units = if *strict {
        let items: Vec<Item> = tests.iter().flat_map(|unit| unit.items.clone()).collect();
        let kin = Kin::new(&items);
        drop(units, "a relative of a held-out gene", &|_, unit| {
            unit.items.iter().any(|item| kin.has_relative(item))
        })
    } else {
        units
    };
    if units.len() <= *validation_size {
        let reason = format!(
            "found {} genes to learn from, expected more than the {validation_size} for validation; ask for a smaller \
             --validation-size or more genes",
            units.len()
        );
        return Err(FileError::whole(db, reason).into());
    }
    let records: Vec<&GeneRecord> = units.iter().map(|unit| &unit.gene).collect();
    let clusters = clusters(&units, &records, options.split);
    let largest_cluster = clusters.iter().map(Vec::len).max().unwrap_or_default();
    let remainder = if *strict { Remainder::Leave } else { Remainder::Fill };
    let split = divide(&records, clusters, *validation_size, *seed, remainder);
    let chosen = |places: &[usize]| places.iter().map(|&place| &units[place]).collect::<Vec<_>>();
    let parts = [chosen(&split.train), chosen(&split.validation), tests.iter().collect()];
    let parts: Vec<Part> = SPLITS.iter().zip(parts).map(|(name, units)| Part::new(name, &units)).collect();
    progress.finish();

    let formats = if options.formats.is_empty() { vec![Format::Alpaca] } else { options.formats.clone() };
    prepare_folder(out, &all_files().iter().map(String::as_str).collect::<Vec<_>>())?;
    progress.start("writing examples", Some(parts.iter().map(|p| p.examples.len() as u64).sum()), "examples");
    let mut files = Vec::new();
    for part in parts.iter().filter(|part| !part.examples.is_empty()) {
        for format in &formats {
            let file = format.file(part.name);
            format.write(&out.join(&file), &part.examples)?;
            files.push(file);
        }
    }
    progress.finish();
    write_lines(&out.join("skipped.jsonl"), &skipped)?;

    progress.start("measuring leakage", None, "examples");
    let [train, validation, test] = parts.as_slice() else { return Ok(GenesReport::default()) };
    let asked: Vec<&Part> = [validation, test].into_iter().filter(|part| !part.examples.is_empty()).collect();
    let mut outputs = HashSet::new();
    let mut report = GenesReport {
        train: train.examples.len(),
        validation: validation.examples.len(),
        test: test.examples.len(),
        skipped: reasons(&skipped),
        repeated_outputs: parts
            .iter()
            .flat_map(|p| &p.examples)
            .filter(|e| !outputs.insert(&e.output))
            .count(),
        repeated_summaries: repeated_summaries(records.iter().copied().chain(tests.iter().map(|u| &u.gene))),
        clusters_split: split.clusters_split,
        largest_cluster,
        train_relatives_of_test: relatives(train, test),
        synthetic,
        leakage: measure_leakage(train, validation, test),
        files,
        ..GenesReport::default()
    };
    for part in parts.iter().filter(|part| !part.examples.is_empty()) {
        let description = describe(&part.examples, &part.items, &part.kinds);
        report.splits.insert(part.name.to_owned(), description);
    }
    if let Some(score) = score {
        let asked: Vec<Asked<'_>> = asked.iter().map(|part| part.asked()).collect();
        report.retrieval = score(&train.examples, &asked);
    }
    progress.finish();
    report.seconds = begun.elapsed().as_secs_f64();
    let text = card(options, &formats, &store.sources()?, &report);
    atomic_write(&out.join("README.md"), |file| file.write_all(text.as_bytes()))?;
    let facts: Value = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// The file of synthetic texts; an error where it is needed and not given, or given and not needed.
fn wanted_synthetic(options: &GenesDataset) -> Result<Option<&PathBuf>, FileError> {
    match (options.source, &options.synthetic) {
        (AnswerSource::Records, None) => Ok(None),
        (AnswerSource::Records, Some(file)) => {
            let reason =
                "would not be used; say --source synthetic or --source both, or leave --synthetic away";
            Err(FileError::whole(file, reason))
        }
        (_, Some(file)) => Ok(Some(file)),
        (_, None) => {
            let reason = "--source synthetic and both need --synthetic FILE, as `geneverse dataset synthesize` writes it";
            Err(FileError::whole(&options.out, reason))
        }
    }
}

/// What the dataset depends on.
fn key(options: &GenesDataset, synthetic: Option<&PathBuf>) -> Result<Value, FileError> {
    let GenesDataset {
        db,
        out: _,
        symbols,
        hold_out,
        validation_size,
        seed,
        only_with_summary,
        source,
        synthetic: _,
        split,
        strict,
        most_alike,
        formats,
    } = options;
    let mut inputs = json!({"db": hash_file(db)?});
    if let Some(file) = synthetic {
        inputs["synthetic"] = json!(hash_file(file)?);
    }
    Ok(json!({
        "inputs": inputs,
        "symbols": symbols.as_ref().map(|list| hash_bytes(list.join("\n").as_bytes())),
        "hold_out": hold_out,
        "validation_size": validation_size,
        "seed": seed,
        "only_with_summary": only_with_summary,
        "source": source,
        "split": split,
        "strict": strict,
        "most_alike": most_alike,
        "formats": formats,
        "near": {"shingle": SHINGLE, "jaccard": NEAR},
    }))
}

/// A gene with its examples: they stay on one side of the split.
struct Unit {
    gene: GeneRecord,
    examples: Vec<Example>,
    items: Vec<Item>,
}

impl Unit {
    fn new(gene: GeneRecord, texts: Vec<Synthetic>, source: AnswerSource, seed: u64) -> Self {
        let of_record = source != AnswerSource::Synthetic || gene.kind != GeneKind::ProteinCoding;
        let mut examples = Vec::new();
        if of_record {
            examples.push(example(&gene, seed));
        }
        for (index, text) in texts.into_iter().enumerate() {
            let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
            let symbol = gene.symbol.as_str();
            examples.push(Example {
                id: format!("gene-{symbol}-synthetic{number}"),
                task: Task::Gene,
                subject: symbol.to_owned(),
                instruction: instruction(symbol),
                input: String::new(),
                output: text.text,
                ..Example::default()
            });
        }
        let items = examples.iter().map(|example| Item::new(example, Some(&gene))).collect();
        Self { gene, examples, items }
    }
}

/// One split, flat.
struct Part {
    name: &'static str,
    examples: Vec<Example>,
    items: Vec<Item>,
    kinds: Vec<Option<GeneKind>>,
    gene_names: Vec<String>,
}

impl Part {
    fn new(name: &'static str, units: &[&Unit]) -> Self {
        let each = |unit: &&Unit| vec![(unit.gene.kind, unit.gene.name.clone()); unit.examples.len()];
        let (kinds, gene_names): (Vec<GeneKind>, Vec<String>) = units.iter().flat_map(each).unzip();
        Self {
            name,
            examples: units.iter().flat_map(|unit| unit.examples.clone()).collect(),
            items: units.iter().flat_map(|unit| unit.items.clone()).collect(),
            kinds: kinds.into_iter().map(Some).collect(),
            gene_names,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { name: self.name, examples: &self.examples, gene_names: &self.gene_names }
    }
}

/// Which genes are more than `most` of those with the same summary but for names and numbers; the seed chooses who
/// stays. By the summary, not by the answer: what else is told of two microRNAs may differ.
fn surplus(units: &[Unit], most: usize, seed: u64) -> Vec<bool> {
    let mut by_text: HashMap<u64, Vec<(u64, usize)>> = HashMap::new();
    for (place, unit) in units.iter().enumerate() {
        let symbol = unit.gene.symbol.as_str();
        if let Some(content) = unit.gene.summary.as_ref().and_then(|text| Content::of(&text.text, symbol)) {
            by_text.entry(content.whole).or_default().push((mix(seed, symbol), place));
        }
    }
    let mut surplus = vec![false; units.len()];
    for alike in by_text.values_mut() {
        alike.sort_unstable();
        alike.iter().skip(most).for_each(|(_, place)| surplus[*place] = true);
    }
    surplus
}

/// Clusters of genes that stay on one side, as places in `units`.
fn clusters(units: &[Unit], records: &[&GeneRecord], split: SplitBy) -> Vec<Vec<usize>> {
    let mut sets = match split {
        SplitBy::Gene => Sets::new(units.len()),
        SplitBy::Group | SplitBy::Cluster => by_group(records),
    };
    if split == SplitBy::Cluster {
        let items: Vec<&Item> = units.iter().flat_map(|unit| &unit.items).collect();
        let places: Vec<usize> = units
            .iter()
            .enumerate()
            .flat_map(|(place, unit)| unit.items.iter().map(move |_| place))
            .collect();
        join_alike(&mut sets, &items, &places);
    }
    sets.into_lists()
}

fn relatives(train: &Part, test: &Part) -> usize {
    let kin = Kin::new(&test.items);
    let found = train.items.par_iter().filter(|item| kin.has_relative(item));
    found.map(|item| item.gene.as_str()).collect::<HashSet<_>>().len()
}

fn measure_leakage(train: &Part, validation: &Part, test: &Part) -> Vec<Leakage> {
    let pairs = [(train, validation), (train, test), (validation, test)];
    let filled = pairs.iter().filter(|(from, into)| !from.items.is_empty() && !into.items.is_empty());
    filled.map(|(from, into)| leakage((from.name, &from.items), (into.name, &into.items))).collect()
}

/// Every file that a dataset may have, below its folder.
fn all_files() -> Vec<String> {
    let mut files: Vec<String> =
        Format::ALL.iter().flat_map(|format| SPLITS.map(|split| format.file(split))).collect();
    files.extend(["skipped.jsonl", "README.md"].map(str::to_owned));
    files
}

fn reasons(skipped: &[SkippedGene]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for gene in skipped {
        // "no such gene …; near it are …" counts as one reason.
        let reason = gene.reason.split([';', ',']).next().unwrap_or_default();
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    reasons
}

fn repeated_summaries<'a>(genes: impl Iterator<Item = &'a GeneRecord>) -> usize {
    let mut seen = HashSet::new();
    genes
        .filter_map(|gene| gene.summary.as_ref())
        .filter(|summary| !seen.insert(summary.text.as_str()))
        .count()
}

#[cfg(test)]
mod tests;
