//! Texts that a language model wrote about genes, as `dataset synthesize` leaves them: JSON Lines.
//!
//! ```json
//! {"symbol":"GLI1","kind":"protein_coding","mode":"rephrase","model":"…","text":"…","prompt":"…","sampling":{}}
//! ```

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::gene::{GeneKind, GeneRecord};
use crate::stage::{FileError, open};

/// A model's text; the fields that a dataset needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Synthetic {
    pub(super) symbol: String,
    #[serde(default)]
    pub(super) mode: String,
    pub(super) model: String,
    pub(super) text: String,
}

/// What became of a file of such texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyntheticReport {
    /// Lines of the file.
    pub lines: usize,
    /// Texts that became examples.
    pub used: usize,
    /// Those that did not, by reason.
    pub refused: BTreeMap<String, usize>,
    /// Which models wrote the texts that are used, in which mode, and how many.
    pub models: BTreeMap<String, usize>,
}

/// Reads the texts about `genes`, by symbol and in the file's order. Texts about genes of other kinds than
/// protein-coding, about other genes, empty ones and repeated ones are counted and left out.
pub(super) fn read(
    path: &Path,
    genes: &[GeneRecord],
) -> Result<(HashMap<String, Vec<Synthetic>>, SyntheticReport), FileError> {
    let kinds: HashMap<&str, GeneKind> = genes.iter().map(|gene| (gene.symbol.as_str(), gene.kind)).collect();
    let mut report = SyntheticReport::default();
    let mut texts: HashMap<String, Vec<Synthetic>> = HashMap::new();
    for (index, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::reading(path, e))?;
        if line.trim().is_empty() {
            continue;
        }
        let found: Synthetic = serde_json::from_str(&line).map_err(|e| {
            let reason = format!(
                "{e}; expected an object with symbol, model and text, as `dataset synthesize` writes"
            );
            FileError::row(path, index + 1, reason)
        })?;
        report.lines += 1;
        let reason = match kinds.get(found.symbol.as_str()) {
            None => Some("about a gene that is not in this dataset"),
            Some(kind) if *kind != GeneKind::ProteinCoding => {
                Some("about a gene that is not protein-coding, of which the record is used as it is")
            }
            Some(_) if found.text.trim().is_empty() => Some("empty"),
            Some(_) => None,
        };
        let of_gene = texts.get(&found.symbol).map(Vec::as_slice).unwrap_or_default();
        let repeated = of_gene.iter().any(|earlier| earlier.text == found.text);
        if let Some(reason) = reason.or(repeated.then_some("equal to an earlier one about its gene")) {
            *report.refused.entry(reason.to_owned()).or_default() += 1;
            continue;
        }
        report.used += 1;
        let by = if found.mode.is_empty() {
            found.model.clone()
        } else {
            format!("{} ({})", found.model, found.mode)
        };
        *report.models.entry(by).or_default() += 1;
        texts.entry(found.symbol.clone()).or_default().push(found);
    }
    Ok((texts, report))
}
