//! What is known of items beforehand: labels from a table, or from gene records.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

use geneverse_data::gene::{GeneRecord, GoId};
use geneverse_data::stage::{FileError, open};
use geneverse_data::store::GeneStore;

use super::ClusterError;

/// A label for each of some items.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelling {
    /// What it is called in tables and figures.
    pub name: String,
    /// Id, or what the item is about, → label.
    pub labels: HashMap<String, String>,
}

impl Labelling {
    /// The name and the label of each item: that of its id, else of what it is about; empty where there is none.
    pub(super) fn of(&self, ids: &[String], subjects: &[String]) -> (String, Vec<String>) {
        let label = |(id, subject)| self.labels.get(id).or_else(|| self.labels.get(subject)).cloned();
        let labels = ids.iter().zip(subjects).map(|pair| label(pair).unwrap_or_default()).collect();
        (self.name.clone(), labels)
    }
}

/// Reads a table of ids and labels, separated by a tab (or in a `.csv` by a comma), under the file's name.
///
/// A header does no harm: it is the label of an id that no item has. An id with two labels is an error.
pub fn from_file(path: &Path) -> Result<Labelling, FileError> {
    let comma = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let separator = if comma { ',' } else { '\t' };
    let mut labels: HashMap<String, String> = HashMap::new();
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        let line = line.trim_start_matches('\u{feff}').trim_end_matches('\r');
        if line.trim().is_empty() {
            continue;
        }
        let error = |reason: String| FileError::row(path, index + 1, reason);
        let (id, label) = line
            .split_once(separator)
            .ok_or_else(|| error(format!("found one field, expected an id, {separator:?} and a label")))?;
        let (id, label) = (unquoted(id), unquoted(label));
        match labels.get(&id) {
            Some(earlier) if *earlier != label => {
                let reason = format!("found the label {label:?} for {id:?}, which has {earlier:?} already");
                return Err(error(reason));
            }
            _ => labels.insert(id, label),
        };
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Labelling { name, labels })
}

fn unquoted(field: &str) -> String {
    let field = field.trim();
    match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}

/// Labels that a record gives; genes without one are left out.
pub fn from_records<'a>(
    name: &str,
    records: impl IntoIterator<Item = &'a GeneRecord>,
    label: impl Fn(&GeneRecord) -> Option<String>,
) -> Labelling {
    let labels = records.into_iter().filter_map(|record| Some((record.symbol.to_string(), label(record)?)));
    Labelling { name: name.to_owned(), labels: labels.collect() }
}

/// The most telling term of a slim that each gene has.
///
/// `slim` is a file in which terms' ids stand: an OBO file (`goslim_generic.obo`), whose terms are taken, or a list. A
/// gene has a term if one of its annotations leads there by `is_a` and `part_of`; of several the one counts that the
/// fewest genes have, which says most. The three roots say nothing and are left out.
pub fn slim(store: &GeneStore, path: &Path) -> Result<Labelling, ClusterError> {
    let mut ids: Vec<GoId> = Vec::new();
    for line in open(path)?.lines() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        let line = line.trim();
        let id = line.strip_prefix("id:").map_or(line, str::trim);
        ids.extend(id.split(['\t', ' ', ',']).next().and_then(|id| GoId::parse(id).ok()));
    }
    ids.sort_unstable();
    ids.dedup();
    // (genes that have it, id) → name, so that later, more telling ones are written first.
    let mut terms: BTreeMap<(u32, GoId), String> = BTreeMap::new();
    for id in ids {
        if let Some(found) = store.go_term(id)? {
            let root = found.term.aspect.is_some_and(|aspect| aspect.root() == found.term.id);
            if !root && !found.term.obsolete && found.genes > 0 {
                terms.insert((found.genes, found.term.id), found.term.name);
            }
        }
    }
    if terms.is_empty() {
        let reason = format!(
            "found no GO term that a gene of {} has, expected ids such as GO:0003677 and a database made with --go \
             and --go-annotations",
            store.path().display()
        );
        return Err(FileError::whole(path, reason).into());
    }
    let mut labels = HashMap::new();
    for ((_, id), name) in terms {
        for symbol in store.genes_with_term(id)? {
            labels.entry(symbol.to_string()).or_insert_with(|| name.clone());
        }
    }
    Ok(Labelling { name: "go-slim".to_owned(), labels })
}
