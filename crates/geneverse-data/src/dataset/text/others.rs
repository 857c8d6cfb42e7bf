//! Other descriptions of genes: files of lines `SYMBOL: text`, such as synopses.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::documents::headed;
use crate::gene::GeneRecord;
use crate::sources::lines::Lines;
use crate::sources::summaries::without_credit;
use crate::stage::FileError;
use crate::store::{GeneStore, Resolution, StoreError};

/// Descriptions by the approved symbol of their gene.
pub(super) struct Others {
    by_symbol: HashMap<String, Vec<String>>,
    of_no_gene: usize,
    /// Descriptions that were taken.
    pub(super) used: usize,
}

impl Others {
    /// Reads the files. Lines of another form are passed over; a file that has none of this form is an error. Of several
    /// lines of one file about one gene the longest counts: such files have cut-off repeats.
    pub(super) fn read(files: &[PathBuf], store: &GeneStore) -> Result<Self, StoreError> {
        let mut others = Self { by_symbol: HashMap::new(), of_no_gene: 0, used: 0 };
        for path in files {
            let mut lines = Lines::open(path)?;
            let mut longest: BTreeMap<String, String> = BTreeMap::new();
            while lines.advance()?.is_some() {
                let Some((symbol, text)) = lines.text().and_then(|line| line.split_once(": ")) else {
                    continue;
                };
                let text = without_credit(text);
                let kept = longest.entry(symbol.trim().to_owned()).or_default();
                if text.len() > kept.len() {
                    text.clone_into(kept);
                }
            }
            if longest.is_empty() {
                return Err(FileError::whole(path, "found no line of the form `SYMBOL: text`").into());
            }
            for (symbol, text) in longest {
                match store.resolve(&symbol)? {
                    Resolution::Approved(gene) | Resolution::ByAlias { record: gene, .. } => {
                        // Many a synopsis is the summary itself.
                        if gene.summary.as_ref().is_none_or(|summary| summary.text != text) {
                            others.by_symbol.entry(gene.symbol.to_string()).or_default().push(text);
                        }
                    }
                    _ => others.of_no_gene += 1,
                }
            }
        }
        Ok(others)
    }

    /// Takes what is said of a gene, each text under a heading that names it.
    pub(super) fn take(&mut self, gene: &GeneRecord, seed: u64) -> Vec<String> {
        let texts = self.by_symbol.remove(gene.symbol.as_str()).unwrap_or_default();
        self.used += texts.len();
        let headed = |(place, text): (usize, &String)| headed(gene, text, seed, &format!("other {place}"));
        texts.iter().enumerate().map(headed).collect()
    }

    /// How many have not been taken.
    pub(super) fn left_out(&self) -> usize {
        self.of_no_gene + self.by_symbol.values().map(Vec::len).sum::<usize>()
    }
}
