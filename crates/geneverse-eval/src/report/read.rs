//! A run's files, read for the page.
//!
//! `scores.json` is read leniently: what a grader of another version did not write is left out of the page, and what the
//! page does not know is passed over.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

use geneverse_data::stage::{FileError, open};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Curve, Grade, Row, ShownClaim};
use crate::postprocess::{Edit, EditedAnswer, edits_path};
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
        ..Row::default()
    }
}

/// `scores.json` as the page needs it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct ScoresFile {
    n: usize,
    factual: f64,
    structural: f64,
    average: f64,
    #[serde(default)]
    bleu: f64,
    #[serde(default)]
    rouge1: f64,
    #[serde(default)]
    identifiers_right: Option<f64>,
    #[serde(default)]
    intervals: BTreeMap<String, Value>,
    /// Each answer.
    #[serde(default)]
    pub(super) items: Vec<Grade>,
    /// Whatever else is there.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl ScoresFile {
    /// The row of the table.
    pub(super) fn row(&self, model: &str) -> Row {
        let number = |value: &Value| value.as_f64().filter(|number| number.is_finite());
        let pair = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => Some([number(low)?, number(high)?]),
            _ => None,
        };
        Row {
            model: model.to_owned(),
            n: self.n,
            factual: self.factual,
            structural: self.structural,
            average: self.average,
            bleu: self.bleu,
            rouge1: self.rouge1,
            identifiers_right: self.identifiers_right,
            more: self.rest.iter().filter_map(|(key, value)| Some((key.clone(), number(value)?))).collect(),
            intervals: self
                .intervals
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), pair(value)?)))
                .collect(),
        }
    }
}

/// An answer's claims: a list, or counts with a `list`; whatever is neither tells nothing.
pub(super) fn claims<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ShownClaim>, D::Error> {
    let mut value = Value::deserialize(deserializer)?;
    let list = match value.get_mut("list") {
        Some(list) => list.take(),
        None => value,
    };
    Ok(serde_json::from_value(list).unwrap_or_default())
}

/// The edits beside a repaired file; none where that file is gone.
pub(super) fn read_edits(clean: &Path) -> Result<HashMap<String, Vec<Edit>>, FileError> {
    let path = edits_path(clean);
    let mut edits = HashMap::new();
    if !path.is_file() {
        return Ok(edits);
    }
    for (place, line) in open(&path)?.lines().enumerate() {
        let line = line.map_err(|e| FileError::io(&path, "read", e))?;
        if line.trim().is_empty() {
            continue;
        }
        let edited: EditedAnswer =
            serde_json::from_str(&line).map_err(|e| FileError::row(&path, place + 1, e.to_string()))?;
        edits.insert(edited.id, edited.edits);
    }
    Ok(edits)
}

/// What a reader wants to know of how a run was made, from its manifest; nothing where it has none.
pub(super) fn run_facts(manifest: &Value) -> Vec<(String, String)> {
    let at = |pointer: &str| manifest.pointer(pointer).filter(|value| !value.is_null());
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    let recipe = |key: &str| at(&format!("/key/recipe/{key}")).map(&text);
    let method = [recipe("method/kind"), recipe("method/variant")].into_iter().flatten();
    let mut method: Vec<String> = method.collect();
    method.dedup();
    add("Method", (!method.is_empty()).then(|| method.join(", ")));
    for (name, key) in [
        ("Rank", "method/rank"),
        ("Alpha", "method/alpha"),
        ("Targets", "method/targets"),
        ("Optimizer", "optim/kind"),
        ("Learning rate", "optim/learning_rate"),
        ("Schedule", "optim/schedule"),
        ("Batch size", "optim/batch_size"),
        ("Epochs", "optim/epochs"),
        ("Prompt", "data/prompt"),
    ] {
        add(name, recipe(key));
    }
    let fact = |key: &str| at(&format!("/facts/{key}"));
    add("Seed", at("/key/seed").map(&text));
    add("Steps", fact("outcome/steps").map(&text));
    add("Training examples", fact("data/sequences").map(&text));
    add("Trained tokens", fact("data/trained_tokens").map(&text));
    let best = fact("outcome/best/eval_loss").and_then(Value::as_f64).zip(fact("outcome/best/step"));
    add("Best validation loss", best.map(|(loss, step)| format!("{loss:.4} at step {step}")));
    let rate = fact("outcome/tokens_per_second").and_then(Value::as_f64);
    add("Speed", rate.map(|rate| format!("{rate:.0} tokens/s")));
    add("Peak memory", fact("peak_rss_mib").map(|mib| format!("{} MiB", text(mib))));
    add("Program", at("/version").map(|version| format!("Geneverse {}", text(version))));
    facts
}
