//! What datasets with pictures have in common: what is asked of them, their folder, what of one split is in another, and the
//! parts of their cards.

mod card;
mod folder;
mod leakage;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Example;
use super::format::Format;
use super::genes::SPLITS;
use crate::progress::Progress;
use crate::stage::{FileError, Found, atomic_write, finish, hash_bytes, look, write_lines};

pub(super) use card::{end, front_matter, inputs_table, left_out};
pub(super) use folder::file_name;
pub use leakage::PictureLeakage;
pub(super) use leakage::leakage_table;

/// Whether the user wants to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);
/// Whether the grades of an example's task understand its own reference; else why not. `geneverse-eval` says.
pub type Accept<'a> = &'a (dyn Fn(&Example) -> Result<(), String> + Sync);

/// What is asked of a dataset with pictures, whatever they show.
#[derive(Debug, Clone, Default)]
pub struct PictureSet {
    /// The folder to write.
    pub out: PathBuf,
    /// The files it is made from; their hashes are part of what it depends on.
    pub inputs: Vec<InputFile>,
    /// What is kept for the test set (genes or proteins by name), with what `test_size` adds.
    pub hold_out: Vec<String>,
    /// How many others are for testing.
    pub test_size: usize,
    /// How many of the rest are for validation.
    pub validation_size: usize,
    /// Pixels of a picture's side.
    pub size: usize,
    /// Chooses the splits, and what else is drawn by lot.
    pub seed: u64,
    /// The forms to write; LLaVA's where empty.
    pub formats: Vec<Format>,
}

impl PictureSet {
    /// What a dataset depends on of this, and `more` that is its own.
    pub(super) fn key(&self, more: Value) -> Value {
        let Self { out: _, inputs, hold_out, test_size, validation_size, size, seed, formats } = self;
        let inputs: Map<String, Value> =
            inputs.iter().map(|input| (input.what.clone(), json!(input.hash))).collect();
        let mut key = json!({
            "inputs": inputs, "hold_out": hold_out, "test_size": test_size, "validation_size": validation_size,
            "size": size, "seed": seed, "formats": formats,
        });
        if let (Value::Object(key), Value::Object(more)) = (&mut key, more) {
            key.extend(more);
        }
        key
    }

    pub(super) fn formats(&self) -> Vec<Format> {
        if self.formats.is_empty() { vec![Format::Llava] } else { self.formats.clone() }
    }

    /// The report of a dataset that was finished before with the same key; an error where another one stands there.
    pub(super) fn finished<R: DeserializeOwned>(
        &self,
        stage: &str,
        key: &Value,
    ) -> Result<Option<R>, FileError> {
        let Found::Done(manifest) = look(&self.out, stage, key)? else { return Ok(None) };
        let unreadable = |e| FileError::whole(&self.out, format!("its manifest cannot be read: {e}"));
        serde_json::from_value(manifest.facts).map(Some).map_err(unreadable)
    }

    /// Draws the pictures that are not there; `false` where it was stopped. Those of an unfinished attempt with the same
    /// `key` stay.
    pub(super) fn draw(
        &self,
        key: &Value,
        files: &[String],
        draw: &(dyn Fn(usize, &Path) -> Result<(), FileError> + Sync),
        stop: Stop<'_>,
        progress: &dyn Progress,
    ) -> Result<bool, FileError> {
        folder::prepare(&self.out, &self.formats(), files, &hash_bytes(key.to_string().as_bytes()))?;
        folder::draw_all(&self.out, files, draw, stop, progress)
    }

    /// Writes the splits and what was skipped, and measures what the splits share (`by_answer` compares answers, else
    /// questions: the one of them that is not the same in all examples). The files' names, and what is shared.
    pub(super) fn write<S: Serialize>(
        &self,
        parts: &[Part],
        skipped: &[S],
        by_answer: bool,
        progress: &dyn Progress,
    ) -> Result<(Vec<String>, Vec<PictureLeakage>), FileError> {
        let mut files = Vec::new();
        for part in parts.iter().filter(|part| !part.examples.is_empty()) {
            for format in self.formats() {
                let file = format.file(part.name);
                format.write(&self.out.join(&file), &part.examples)?;
                files.push(file);
            }
        }
        write_lines(&self.out.join("skipped.jsonl"), skipped)?;
        progress.start("measuring leakage", None, "examples");
        let leakage = leakage::measure(&self.out, parts, by_answer);
        progress.finish();
        Ok((files, leakage?))
    }

    /// The last things: the card, and the manifest.
    pub(super) fn finish<R: Serialize>(
        &self,
        stage: &str,
        key: Value,
        card: &str,
        report: &R,
    ) -> Result<(), FileError> {
        atomic_write(&self.out.join("README.md"), |file| file.write_all(card.as_bytes()))?;
        folder::close(&self.out)?;
        let facts = serde_json::to_value(report).map_err(|e| FileError::whole(&self.out, e.to_string()))?;
        finish(&self.out, stage, key, facts)?;
        Ok(())
    }
}

/// Parts without examples, in the order of [`SPLITS`].
pub(super) fn empty_parts() -> Vec<Part> {
    SPLITS.iter().map(|name| Part { name, ..Part::default() }).collect()
}

/// One split of a dataset with pictures; the examples and what is beside them are in the same order.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) examples: Vec<Example>,
    /// What is related: a protein's cluster; empty where nothing is known.
    pub(super) clusters: Vec<String>,
    /// HGNC groups of each example's gene.
    pub(super) groups: Vec<Vec<String>>,
}

/// A file that a dataset is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// What it is: "tissue", "truth", "gene database".
    pub what: String,
    /// Its name, without its place.
    pub file: String,
    /// On what terms it may be used, where that was said.
    pub licence: Option<String>,
    /// SHA-256 of its bytes; of a folder, of its files' names and hashes.
    pub hash: String,
}

/// Places in `0..n`, ordered so that any number of them from the front has of each stratum its share: by how far along its
/// stratum each is, in an order that `order` gives.
pub(super) fn stratified(strata: &[usize], order: &[u64]) -> Vec<usize> {
    let mut of_stratum: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, stratum) in strata.iter().enumerate() {
        of_stratum.entry(*stratum).or_default().push(place);
    }
    let mut along: Vec<(f64, u64, usize)> = Vec::with_capacity(strata.len());
    for places in of_stratum.values_mut() {
        places.sort_by_key(|place| (order[*place], *place));
        let size = places.len() as f64;
        along.extend(
            places.iter().enumerate().map(|(nth, place)| ((nth as f64 + 0.5) / size, order[*place], *place)),
        );
    }
    along.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    along.into_iter().map(|(_, _, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_front_has_its_share_of_every_stratum(
            strata in prop::collection::vec(0_usize..5, 1..80),
            front in 0.0..1.0_f64,
            seed in any::<u64>(),
        ) {
            let order: Vec<u64> = (0..strata.len() as u64).map(|n| crate::draw::mix(seed ^ n)).collect();
            let places = stratified(&strata, &order);
            let mut sorted = places.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..strata.len()).collect::<Vec<_>>());
            let taken = (front * strata.len() as f64) as usize;
            for stratum in 0..5 {
                let all = strata.iter().filter(|of| **of == stratum).count();
                let some = places[..taken].iter().filter(|place| strata[**place] == stratum).count();
                let share = all as f64 * taken as f64 / strata.len() as f64;
                prop_assert!((some as f64 - share).abs() <= 3.1, "{some} of {all}, expected some {share}");
            }
        }
    }
}
