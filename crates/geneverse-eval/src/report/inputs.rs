//! From a run's files to what the page shows.

use std::io::BufRead;
use std::path::Path;

use geneverse_data::stage::{FileError, open};
use serde_json::Value;

use super::{Curve, Row};
use crate::scores::Scores;

/// The losses in a `metrics.jsonl`. A line without a step or a finite loss adds no point; a last line that is cut
/// off (the run was killed while writing it) is left out.
pub fn read_curve(name: &str, path: &Path) -> Result<Curve, FileError> {
    let mut curve = Curve { name: name.to_owned(), ..Curve::default() };
    let mut broken = None;
    for (place, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::io(path, "read", e))?;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(error) = broken.take() {
            return Err(error);
        }
        let Ok(row) = serde_json::from_str::<Value>(&line) else {
            broken =
                Some(FileError::row(path, place + 1, "found a line that is no JSON, expected {\"step\": …}"));
            continue;
        };
        let Some(step) = row["step"].as_f64() else { continue };
        if let Some(loss) = row["loss"].as_f64() {
            curve.train.push((step, loss));
        }
        if let Some(loss) = row["eval_loss"].as_f64() {
            curve.validation.push((step, loss));
        }
    }
    Ok(curve)
}

/// A row of the table from a model's scores.
pub fn table_row(model: &str, scores: &Scores) -> Row {
    Row {
        model: model.to_owned(),
        n: scores.n,
        factual: scores.factual,
        structural: scores.structural,
        average: scores.average,
        bleu: scores.bleu,
        rouge1: scores.rouge1,
        identifiers_right: scores.identifiers_right,
    }
}
