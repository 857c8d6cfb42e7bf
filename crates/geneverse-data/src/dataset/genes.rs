//! The stage `dataset genes`: instruction data for the gene task out of `genes.db`.
//!
//! Writes `train.json`, `validation.json` and `test.json` (each only where it has examples), `skipped.jsonl`,
//! and `manifest.json` last.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::select::{Selection, prepare_folder, select};
use super::split::split;
use super::{Example, write_examples};
use crate::answers::Task;
use crate::gene::GeneRecord;
use crate::progress::Progress;
use crate::sentences::sentences;
use crate::stage::{FileError, Found, atomic_write, finish, hash_bytes, hash_file, look};
use crate::store::{GeneStore, StoreError};

/// The stage's name in manifests.
pub const STAGE: &str = "dataset genes";

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
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesReport {
    /// Examples in `train.json`.
    pub train: usize,
    /// Examples in `validation.json`.
    pub validation: usize,
    /// Examples in `test.json`.
    pub test: usize,
    /// Genes that gave none, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Examples whose answer equals an earlier one's.
    pub repeated_outputs: usize,
    /// Examples whose functional summary equals an earlier one's (microRNAs, olfactory receptors).
    pub repeated_summaries: usize,
    /// Clusters of genes with a common HGNC group that lie both in training and validation.
    pub clusters_split: usize,
    /// Training genes that share an HGNC group with a held-out gene: what a test may owe to relatives.
    pub train_relatives_of_test: usize,
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
    }
}

/// Makes the dataset; does nothing where that was finished before with the same input.
pub fn genes(options: &GenesDataset, progress: &dyn Progress) -> Result<GenesReport, StoreError> {
    let GenesDataset { db, out, symbols, hold_out, validation_size, seed, only_with_summary } = options;
    let store = GeneStore::open(db)?;
    let key = json!({
        "inputs": {"db": hash_file(db)?},
        "symbols": symbols.as_ref().map(|list| hash_bytes(list.join("\n").as_bytes())),
        "hold_out": hold_out,
        "validation_size": validation_size,
        "seed": seed,
        "only_with_summary": only_with_summary,
    });
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: GenesReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
        return Ok(GenesReport { already_done: true, ..report });
    }

    progress.start("reading genes", None, "genes");
    let Selection { seen, held_out, skipped } =
        select(&store, symbols.as_deref(), hold_out, *only_with_summary)?;
    progress.finish();
    if seen.len() <= *validation_size {
        let reason = format!(
            "found {} genes to learn from, expected more than the {validation_size} for validation; ask for a smaller \
             --validation-size or more genes",
            seen.len()
        );
        return Err(FileError::whole(db, reason).into());
    }
    let all: Vec<&GeneRecord> = seen.iter().collect();
    let split = split(&all, *validation_size, *seed);
    let chosen = |places: &[usize]| places.iter().map(|&place| all[place]).collect::<Vec<_>>();
    let (train, validation) = (chosen(&split.train), chosen(&split.validation));
    let test: Vec<&GeneRecord> = held_out.iter().collect();

    prepare_folder(out, &["train.json", "validation.json", "test.json", "skipped.jsonl"])?;
    let mut seen_outputs = HashSet::new();
    let mut repeated_outputs = 0;
    let parts = [("train.json", &train), ("validation.json", &validation), ("test.json", &test)];
    progress.start("writing examples", Some(parts.iter().map(|(_, g)| g.len() as u64).sum()), "examples");
    for (name, genes) in parts {
        let examples: Vec<Example> = genes.iter().map(|gene| example(gene, *seed)).collect();
        repeated_outputs +=
            examples.iter().filter(|e| !seen_outputs.insert(hash_bytes(e.output.as_bytes()))).count();
        if !examples.is_empty() {
            write_examples(&out.join(name), &examples)?;
        }
    }
    progress.finish();
    atomic_write(&out.join("skipped.jsonl"), |file| {
        for gene in &skipped {
            serde_json::to_writer(&mut *file, gene)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;

    let mut reasons = BTreeMap::new();
    for gene in &skipped {
        // "no such gene …; near it are …" counts as one reason.
        let reason = gene.reason.split([';', ',']).next().unwrap_or_default();
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    let test_groups: BTreeSet<&String> = test.iter().flat_map(|gene| &gene.groups).collect();
    let report = GenesReport {
        train: train.len(),
        validation: validation.len(),
        test: test.len(),
        skipped: reasons,
        repeated_outputs,
        repeated_summaries: repeated_summaries(train.iter().chain(&validation).chain(&test)),
        clusters_split: split.clusters_split,
        train_relatives_of_test: train
            .iter()
            .filter(|g| g.groups.iter().any(|group| test_groups.contains(group)))
            .count(),
        already_done: false,
    };
    let facts: Value = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

fn repeated_summaries<'a>(genes: impl Iterator<Item = &'a &'a GeneRecord>) -> usize {
    let mut seen = HashSet::new();
    genes
        .filter_map(|gene| gene.summary.as_ref())
        .filter(|summary| !seen.insert(summary.text.as_str()))
        .count()
}
