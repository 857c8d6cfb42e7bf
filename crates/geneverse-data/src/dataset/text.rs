//! The stage `dataset text`: plain text about genes, to pretrain a small base model on.
//!
//! Writes `train.txt` and `validation.txt`, one document per line, and `manifest.json` last. Each gene gives
//! [`DOCUMENTS_PER_GENE`] documents: two phrasings of the whole paragraph, its functional and its nominal
//! half, and the bare summary under its name. Lines are shuffled by the seed, so that a model which reads
//! them in order meets a gene's documents far apart.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::select::{Selection, prepare_folder, select};
use super::split::split;
use crate::gene::GeneRecord;
use crate::progress::Progress;
use crate::seeded::mix;
use crate::sentences::{Part, parts, sentences};
use crate::stage::{FileError, Found, atomic_write, finish, hash_file, look};
use crate::store::{GeneStore, StoreError};

/// The stage's name in manifests.
pub const STAGE: &str = "dataset text";
/// Documents for each gene with a summary.
pub const DOCUMENTS_PER_GENE: usize = 5;
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
    /// How many genes are for validation.
    pub validation_size: usize,
    /// Chooses the validation genes, the phrasings and the order.
    pub seed: u64,
    /// Leave out genes without a functional summary.
    pub only_with_summary: bool,
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
            only_with_summary: true,
            most_alike: 50,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextReport {
    /// Genes told of in `train.txt`.
    pub train_genes: usize,
    /// Lines of `train.txt`.
    pub train_documents: usize,
    /// Letters of `train.txt`.
    pub train_characters: usize,
    /// Genes told of in `validation.txt`.
    pub validation_genes: usize,
    /// Lines of `validation.txt`.
    pub validation_documents: usize,
    /// Genes held out.
    pub held_out: usize,
    /// Genes left out because they have no summary.
    pub without_summary: usize,
    /// Genes left out because their summary is boilerplate told of often enough.
    pub alike: usize,
    /// The text was there already, made from the same input: nothing was done.
    #[serde(skip)]
    pub already_done: bool,
}

/// Makes the text; does nothing where that was finished before with the same input.
pub fn text(options: &TextDataset, progress: &dyn Progress) -> Result<TextReport, StoreError> {
    let TextDataset { db, out, hold_out, validation_size, seed, only_with_summary, most_alike } = options;
    let store = GeneStore::open(db)?;
    let key = json!({
        "inputs": {"db": hash_file(db)?},
        "hold_out": hold_out,
        "validation_size": validation_size,
        "seed": seed,
        "only_with_summary": only_with_summary,
        "most_alike": most_alike,
    });
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: TextReport = serde_json::from_value(manifest.facts)
            .map_err(|e| FileError::whole(out, format!("its manifest cannot be read: {e}")))?;
        return Ok(TextReport { already_done: true, ..report });
    }

    progress.start("reading genes", None, "genes");
    let Selection { seen, held_out, skipped } = select(&store, None, hold_out, *only_with_summary)?;
    progress.finish();
    let selected = seen.len();
    let kept = at_most_alike(seen, *most_alike, *seed);
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

    prepare_folder(out, &["train.txt", "validation.txt"])?;
    progress.start("writing text", Some(genes.len() as u64), "genes");
    let train = documents(split.train.iter().map(|&place| genes[place]), *seed);
    let validation = documents(split.validation.iter().map(|&place| genes[place]), *seed);
    write_lines(&out.join("train.txt"), &train)?;
    if !validation.is_empty() {
        write_lines(&out.join("validation.txt"), &validation)?;
    }
    progress.finish();

    let report = TextReport {
        train_genes: split.train.len(),
        train_documents: train.len(),
        train_characters: train.iter().map(|line| line.chars().count() + 1).sum(),
        validation_genes: split.validation.len(),
        validation_documents: validation.len(),
        held_out: held_out.len(),
        without_summary: skipped.len(),
        alike: selected - kept.len(),
        already_done: false,
    };
    let facts: Value = serde_json::to_value(&report).map_err(|e| FileError::whole(out, e.to_string()))?;
    finish(out, STAGE, key, facts)?;
    Ok(report)
}

/// The documents of some genes, shuffled.
fn documents<'a>(genes: impl Iterator<Item = &'a GeneRecord>, seed: u64) -> Vec<String> {
    let mut documents: Vec<String> = genes.flat_map(|gene| documents_of(gene, seed)).collect();
    documents.sort_by_cached_key(|document| mix(seed, document));
    documents.dedup();
    documents
}

fn documents_of(gene: &GeneRecord, seed: u64) -> Vec<String> {
    let only = |phrasing: u64, wanted: &[Part]| -> String {
        let parts = parts(gene, seed.wrapping_add(phrasing));
        let told: Vec<&str> =
            parts.iter().filter(|(part, _)| wanted.contains(part)).map(|(_, text)| text.as_str()).collect();
        told.join(" ")
    };
    let mut documents = vec![
        sentences(gene, seed),
        sentences(gene, seed.wrapping_add(1)),
        only(2, &[Part::Name, Part::Identifiers, Part::Aliases, Part::Groups]),
    ];
    let summary = only(3, &[Part::Summary]);
    if !summary.is_empty() {
        documents
            .push(only(3, &[Part::Name, Part::Summary, Part::Pathways, Part::Annotations, Part::Expression]));
        documents.push(format!(
            "{} ({}): {summary}",
            gene.symbol,
            gene.name.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    documents
}

/// Keeps at most `most` genes whose summaries are alike, chosen by the seed; the order stays.
fn at_most_alike(genes: Vec<GeneRecord>, most: usize, seed: u64) -> Vec<GeneRecord> {
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
    genes.into_iter().zip(surplus).filter(|(_, surplus)| !surplus).map(|(gene, _)| gene).collect()
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
