//! Which genes of a database a dataset is made of, and which are held out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::gene::{GeneRecord, GeneSymbol};
use crate::stage::FileError;
use crate::store::{GeneStore, Resolution, StoreError};

/// A gene, or a text that names none, that gave no example; a line of `skipped.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedGene {
    /// The symbol, as asked for.
    pub symbol: String,
    /// Why.
    pub reason: String,
}

/// The genes of a dataset.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// For training and validation, in symbol order.
    pub(crate) seen: Vec<GeneRecord>,
    /// Held out, in symbol order.
    pub(crate) held_out: Vec<GeneRecord>,
    pub(crate) skipped: Vec<SkippedGene>,
}

/// Selects genes. A held-out gene is taken as asked, with or without a summary; one that cannot be found
/// is an error, because a misspelt one would stay in the training set.
pub(crate) fn select(
    store: &GeneStore,
    symbols: Option<&[String]>,
    hold_out: &[String],
    only_with_summary: bool,
) -> Result<Selection, StoreError> {
    let mut selection = Selection::default();
    let mut held_out = BTreeSet::new();
    for text in hold_out {
        let record = resolve(store, text)?
            .map_err(|reason| FileError::whole(store.path(), format!("cannot hold out {text}: {reason}")))?;
        if held_out.insert(record.symbol.clone()) {
            selection.held_out.push(record);
        }
    }
    selection.held_out.sort_by(|a, b| a.symbol.cmp(&b.symbol));

    let mut keep = |record: GeneRecord| {
        let symbol = record.symbol.to_string();
        if held_out.contains(&record.symbol) {
            // In the test set already.
        } else if only_with_summary && record.summary.is_none() {
            selection.skipped.push(SkippedGene { symbol, reason: "no functional summary".to_owned() });
        } else {
            selection.seen.push(record);
        }
    };
    match symbols {
        None => {
            for record in store.iter() {
                keep(record?);
            }
        }
        Some(symbols) => {
            let mut asked: BTreeSet<GeneSymbol> = BTreeSet::new();
            let mut unknown = Vec::new();
            for text in symbols {
                match resolve(store, text)? {
                    Ok(record) if asked.insert(record.symbol.clone()) => keep(record),
                    Ok(record) => {
                        let reason = format!("asked for twice, as {}", record.symbol);
                        unknown.push(SkippedGene { symbol: text.clone(), reason });
                    }
                    Err(reason) => unknown.push(SkippedGene { symbol: text.clone(), reason }),
                }
            }
            selection.skipped.extend(unknown);
            selection.seen.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        }
    }
    Ok(selection)
}

fn resolve(store: &GeneStore, text: &str) -> Result<Result<GeneRecord, String>, StoreError> {
    Ok(match store.resolve(text)? {
        Resolution::Approved(record) | Resolution::ByAlias { record, .. } => Ok(record),
        Resolution::Ambiguous { candidates } => {
            let symbols: Vec<&str> = candidates.iter().map(|c| c.symbol.as_str()).collect();
            Err(format!("ambiguous, it may be {}", symbols.join(" or ")))
        }
        Resolution::Unknown { near } if near.is_empty() => Err("no such gene in the database".to_owned()),
        Resolution::Unknown { near } => {
            Err(format!("no such gene in the database; near it are {}", near.join(", ")))
        }
    })
}

/// Makes the output folder ready: files of an unfinished attempt go, other files are an error. `ours` are paths
/// below it, with `/`.
pub(crate) fn prepare_folder(out: &Path, ours: &[&str]) -> Result<(), FileError> {
    if out.is_file() {
        return Err(FileError::whole(out, "is a file, expected a folder to write the dataset into"));
    }
    fs::create_dir_all(out).map_err(|e| FileError::io(out, "make the folder", e))?;
    let folders: BTreeSet<&str> =
        ours.iter().filter_map(|path| path.split_once('/')).map(|(folder, _)| folder).collect();
    for folder in std::iter::once("").chain(folders.iter().copied()) {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let there = out.join(folder);
        if !there.is_dir() {
            continue;
        }
        let entries = fs::read_dir(&there).map_err(|e| FileError::io(&there, "read the folder", e))?;
        for entry in entries {
            let entry = entry.map_err(|e| FileError::io(&there, "read the folder", e))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let is_ours = ours.contains(&name.trim_end_matches(".writing"));
            if !is_ours && !folders.contains(name.as_str()) {
                let reason = format!("holds other files ({name}); choose a new or an empty folder");
                return Err(FileError::whole(out, reason));
            }
        }
    }
    for name in ours {
        for path in [out.join(name), out.join(format!("{name}.writing"))] {
            if path.exists() {
                fs::remove_file(&path).map_err(|e| FileError::io(&path, "remove", e))?;
            }
        }
    }
    Ok(())
}
