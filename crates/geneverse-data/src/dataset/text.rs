//! The stage `dataset text`: plain text about genes, to pretrain a small base model on.
//!
//! Writes `train.txt` and `validation.txt`, one document per line, and `manifest.json` last. What is told of a gene
//! (`documents`) depends on what is known of it: name, kind, place and family of every gene; paragraphs of all that
//! the record says where it has a functional summary; and other descriptions of it as they are. Lines are shuffled by
//! the seed, so that a model which reads them in order meets a gene's documents far apart.

mod documents;
mod others;

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::select::{Selection, prepare_folder, select};
use super::split::split;
use crate::gene::GeneRecord;
use crate::progress::Progress;
use crate::seeded::mix;
use crate::stage::{FileError, Found, atomic_write, finish, hash_file, look};
use crate::store::{GeneStore, StoreError};
use documents::{bare, disguised, told};
use others::Others;

/// The stage's name in manifests.
pub const STAGE: &str = "dataset text";
/// How many letters of a summary decide whether it is the same boilerplate as another.
const ALIKE_LETTERS: usize = 120;

/// What to make text of.
#[derive(Debug, Clone)]
pub struct TextDataset {
    /// The gene database.
    pub db: PathBuf,
    /// The folder to write.
    pub out: PathBuf,
    /// Genes of which nothing is told.
    pub hold_out: Vec<String>,
    /// How many genes with a functional summary are for validation.
    pub validation_size: usize,
    /// Chooses the validation genes, the phrasings and the order.
    pub seed: u64,
    /// Tell of genes without a functional summary too.
    pub bare_genes: bool,
    /// Other descriptions of genes: files of lines `SYMBOL: text`.
    pub texts: Vec<PathBuf>,
    /// The share of genes with a summary that are told of once more under a symbol that is made up, from 0 to 1. A
    /// symbol that no gene has can only be repeated, not remembered; this teaches a small model to do so.
    pub disguised: f64,
    /// How many genes with the same boilerplate for a summary are told of (some 1,900 microRNAs share one).
    pub most_alike: usize,
}

impl Default for TextDataset {
    fn default() -> Self {
        Self {
            db: PathBuf::new(),
            out: PathBuf::new(),
            hold_out: Vec::new(),
            validation_size: 0,
            seed: 0,
            bare_genes: false,
            texts: Vec::new(),
            disguised: 0.0,
            most_alike: 50,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextReport {
    /// Genes with a summary told of in `train.txt`.
    pub train_genes: usize,
    /// Genes told of by name, kind, place and family only.
    pub bare_genes: usize,
    /// Genes told of once more under a symbol that is made up.
    pub disguised: usize,
    /// Lines of `train.txt`.
    pub train_documents: usize,
    /// Letters of `train.txt`.
    pub train_characters: usize,
    /// Genes told of in `validation.txt`.
    pub validation_genes: usize,
    /// Lines of `validation.txt`.
    pub validation_documents: usize,
    /// Other descriptions used, of training and validation genes.
    pub other_texts: usize,
    /// Other descriptions of genes that are not told of, or of no gene in the database.
    pub other_texts_left_out: usize,
    /// Genes held out.
    pub held_out: usize,
    /// Genes without a summary that are not told of: all, or those without a name and those of a validation gene's
    /// family.
    pub without_summary: usize,
    /// Genes whose summary is boilerplate told of often enough; they count as without a summary.
    pub alike: usize,
    /// The text was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// Makes the text; does nothing where that was finished before with the same input.
pub fn text(options: &TextDataset, progress: &dyn Progress) -> Result<TextReport, StoreError> {
    let TextDataset { db, out, hold_out, validation_size, seed, bare_genes, texts, disguised: share, .. } =
        options;
    if !(0.0..=1.0).contains(share) {
        let reason = format!("the share of disguised genes is {share}, expected 0 to 1");
        return Err(FileError::whole(out, reason).into());
    }
    let store = GeneStore::open(db)?;
    let key = key(options)?;
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: TextReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
        return Ok(TextReport { already_done: true, ..report });
    }

    progress.start("reading genes", None, "genes");
    let Selection { seen, held_out, .. } = select(&store, None, hold_out, false)?;
    let mut others = Others::read(texts, &store)?;
    progress.finish();
    let (described, mut rest): (Vec<_>, Vec<_>) = seen.into_iter().partition(|g| g.summary.is_some());
    let (kept, surplus) = at_most_alike(described, options.most_alike, *seed);
    let alike = surplus.len();
    rest.extend(surplus);
    if kept.len() <= *validation_size {
        let reason = format!(
            "found {} genes to tell of, expected more than the {validation_size} for validation; ask for a smaller \
             --validation-size",
            kept.len()
        );
        return Err(FileError::whole(db, reason).into());
    }
    let genes: Vec<&GeneRecord> = kept.iter().collect();
    let split = split(&genes, *validation_size, *seed);
    let [train_genes, validation_genes] =
        [&split.train, &split.validation].map(|side| side.iter().map(|&at| genes[at]).collect::<Vec<_>>());
    let without_summary = rest.len();
    if *bare_genes {
        let families: HashSet<&String> = validation_genes.iter().flat_map(|gene| &gene.groups).collect();
        let is_related = |gene: &GeneRecord| gene.groups.iter().any(|group| families.contains(group));
        rest.retain(|gene| !is_related(gene) && !gene.name.starts_with("uncharacterized "));
    } else {
        rest.clear();
    }

    prepare_folder(out, &["train.txt", "validation.txt"])?;
    progress.start("writing text", Some(genes.len() as u64), "genes");
    let mut documents_of = |genes: &[&GeneRecord]| -> Vec<String> {
        let mut documents = Vec::new();
        for gene in genes {
            documents.extend(told(gene, *seed));
            documents.extend(others.take(gene, *seed));
        }
        documents
    };
    let validation = documents_of(&validation_genes);
    let mut train = documents_of(&train_genes);
    for gene in &rest {
        train.push(bare(gene, *seed));
        train.extend(others.take(gene, *seed));
    }
    let in_disguise = |gene: &&&GeneRecord| unit(mix(*seed, &format!("disguised {}", gene.symbol))) < *share;
    let mut disguises = 0;
    for gene in train_genes.iter().filter(in_disguise) {
        train.push(disguised(gene, *seed));
        disguises += 1;
    }
    let (train, validation) = (shuffled(train, *seed), shuffled(validation, *seed));
    write_lines(&out.join("train.txt"), &train)?;
    if !validation.is_empty() {
        write_lines(&out.join("validation.txt"), &validation)?;
    }
    progress.finish();

    let report = TextReport {
        train_genes: train_genes.len(),
        bare_genes: rest.len(),
        disguised: disguises,
        train_documents: train.len(),
        train_characters: train.iter().map(|line| line.chars().count() + 1).sum(),
        validation_genes: validation_genes.len(),
        validation_documents: validation.len(),
        other_texts: others.used,
        other_texts_left_out: others.left_out(),
        held_out: held_out.len(),
        without_summary: without_summary - rest.len(),
        alike,
        already_done: false,
    };
    let facts: Value = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

fn key(options: &TextDataset) -> Result<Value, FileError> {
    let TextDataset { db, hold_out, validation_size, seed, bare_genes, texts, disguised, most_alike, .. } =
        options;
    let texts = texts.iter().map(|path| hash_file(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({
        "inputs": {"db": hash_file(db)?, "texts": texts},
        "hold_out": hold_out,
        "validation_size": validation_size,
        "seed": seed,
        "bare_genes": bare_genes,
        "disguised": disguised,
        "most_alike": most_alike,
    }))
}

/// A number from 0 up to 1 out of a hash.
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

fn shuffled(mut documents: Vec<String>, seed: u64) -> Vec<String> {
    documents.sort_by_cached_key(|document| mix(seed, document));
    documents.dedup();
    documents
}

/// Keeps at most `most` genes whose summaries are alike, chosen by the seed; the order stays. The others come second.
fn at_most_alike(genes: Vec<GeneRecord>, most: usize, seed: u64) -> (Vec<GeneRecord>, Vec<GeneRecord>) {
    let mut by_likeness: HashMap<String, Vec<(u64, usize)>> = HashMap::new();
    for (place, gene) in genes.iter().enumerate() {
        if let Some(summary) = &gene.summary {
            let order = (mix(seed, gene.symbol.as_str()), place);
            by_likeness.entry(likeness(&summary.text)).or_default().push(order);
        }
    }
    let mut surplus = vec![false; genes.len()];
    for alike in by_likeness.values_mut() {
        alike.sort_unstable();
        for (_, place) in alike.iter().skip(most) {
            surplus[*place] = true;
        }
    }
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    for (gene, surplus) in genes.into_iter().zip(surplus) {
        if surplus { others.push(gene) } else { kept.push(gene) }
    }
    (kept, others)
}

/// What two summaries from one mould have in common: their first words, without names and numbers.
fn likeness(summary: &str) -> String {
    let words = summary
        .split_whitespace()
        .filter(|word| !word.chars().any(|c| c.is_ascii_digit() || c.is_uppercase()));
    let joined: String = words.collect::<Vec<_>>().join(" ");
    joined.chars().take(ALIKE_LETTERS).collect()
}

fn write_lines(path: &Path, lines: &[String]) -> Result<(), FileError> {
    atomic_write(path, |out| {
        for line in lines {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}
