//! `dataset inspect`: what a file of examples is like, and what of one set is in another.
//!
//! Anybody's files will do (see [`format`](super::format)). With a gene database aliases are resolved to one gene, and
//! kinds, groups and full names are known.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::compare::{Item, Leakage, leakage, subject};
use super::describe::{Description, describe};
use super::format::Format;
use super::genes::SPLITS;
use super::retrieval::{Asked, RetrievalScores, Score};
use super::{Example, read_examples};
use crate::gene::{GeneKind, GeneRecord};
use crate::progress::Progress;
use crate::stage::FileError;
use crate::store::{GeneStore, Resolution, StoreError};

/// One set of examples, read and made comparable.
#[derive(Debug)]
pub struct Set {
    /// What it is called: the split, or the file as it was named.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Its examples.
    pub examples: Vec<Example>,
    items: Vec<Item>,
    kinds: Vec<Option<GeneKind>>,
    gene_names: Vec<String>,
    /// Examples whose gene the database does not have.
    unknown: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Each set.
    pub sets: Vec<SetReport>,
    /// What of a later set is in an earlier one.
    pub leakage: Vec<Leakage>,
    /// What looking up the nearest answer of the first set scores on the later ones.
    pub retrieval: Vec<RetrievalScores>,
}

/// A set in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetReport {
    /// What it is called.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What it is like.
    pub description: Description,
    /// Examples about a gene that the database does not have; `None` without a database.
    pub unknown_genes: Option<usize>,
}

/// Reads the sets at one or two paths. One path is a file, or a dataset's folder, of which every split is a set; two
/// are files.
pub fn read_sets(paths: &[PathBuf], db: Option<&Path>) -> Result<Vec<Set>, StoreError> {
    let files: Vec<(String, PathBuf)> = match paths {
        [folder] if folder.is_dir() => splits_of(folder)?,
        _ => {
            if let Some(folder) = paths.iter().find(|path| path.is_dir()) {
                let reason = "is a folder, expected two files; name one of its files, as train.json";
                return Err(FileError::whole(folder, reason).into());
            }
            paths.iter().map(|path| (path.display().to_string(), path.clone())).collect()
        }
    };
    let store = db.map(GeneStore::open).transpose()?;
    let mut found = HashMap::new();
    files.into_iter().map(|(name, path)| read_set(name, path, store.as_ref(), &mut found)).collect()
}

/// A dataset's files by split, each in the first format that it has.
fn splits_of(folder: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let first = |split: &&str| {
        let mut files = Format::ALL.iter().map(|format| folder.join(format.file(split)));
        files.find(|path| path.is_file()).map(|path| ((*split).to_owned(), path))
    };
    let found: Vec<(String, PathBuf)> = SPLITS.iter().filter_map(first).collect();
    if found.is_empty() {
        let wanted = Format::ALL.map(|format| format.file("train")).join(", ");
        return Err(FileError::whole(folder, format!("found no dataset in it, expected one of {wanted}")));
    }
    Ok(found)
}

fn read_set(
    name: String,
    path: PathBuf,
    store: Option<&GeneStore>,
    found: &mut HashMap<String, Option<GeneRecord>>,
) -> Result<Set, StoreError> {
    let examples = read_examples(&path)?;
    if let Some(store) = store {
        for example in &examples {
            let symbol = subject(example);
            if !found.contains_key(symbol) {
                let record = match store.resolve(symbol)? {
                    Resolution::Approved(record) | Resolution::ByAlias { record, .. } => Some(record),
                    Resolution::Ambiguous { .. } | Resolution::Unknown { .. } => None,
                };
                found.insert(symbol.to_owned(), record);
            }
        }
    }
    let record = |example: &Example| found.get(subject(example)).and_then(Option::as_ref);
    Ok(Set {
        items: examples.par_iter().map(|example| Item::new(example, record(example))).collect(),
        kinds: examples.iter().map(|example| record(example).map(|gene| gene.kind)).collect(),
        gene_names: examples
            .iter()
            .map(|e| record(e).map(|gene| gene.name.clone()).unwrap_or_default())
            .collect(),
        unknown: examples.iter().filter(|example| record(example).is_none()).count(),
        name,
        path,
        examples,
    })
}

/// Describes sets, and measures what of each is in those before it. `score` measures what retrieval from the first set
/// would score on the others.
pub fn inspect(sets: &[Set], with_db: bool, score: Option<Score<'_>>, progress: &dyn Progress) -> Inspection {
    progress.start("measuring", Some(sets.len() as u64), "sets");
    let reports = sets.iter().enumerate().map(|(index, set)| {
        let description = describe(&set.examples, &set.items, &set.kinds);
        progress.set(index as u64 + 1);
        SetReport {
            name: set.name.clone(),
            path: set.path.clone(),
            description,
            unknown_genes: with_db.then_some(set.unknown),
        }
    });
    let reports = reports.collect();
    let mut leaks = Vec::new();
    for (place, from) in sets.iter().enumerate() {
        for into in &sets[place + 1..] {
            leaks.push(leakage((&from.name, &from.items), (&into.name, &into.items)));
        }
    }
    let retrieval = match (score, sets) {
        (Some(score), [train, asked @ ..]) if !asked.is_empty() => {
            let asked = asked.iter().map(|set| Asked {
                name: &set.name,
                examples: &set.examples,
                gene_names: &set.gene_names,
            });
            score(&train.examples, &asked.collect::<Vec<_>>())
        }
        _ => Vec::new(),
    };
    progress.finish();
    Inspection { sets: reports, leakage: leaks, retrieval }
}
