//! An experiment's file.
//!
//! ```toml
//! title = "Table 1: …"
//!
//! [full]                                   # and [bundled]: what the rows have in common at either scale
//! prepare = ["genes import …"]             # commands that make the data, before any row
//! questions = "{out}/dataset/test.json"    # {out} is the experiment's folder
//! db = "{out}/genes.db"
//! recipe = "{recipes}/lora-genes.toml"     # how a row with `train = true` is finetuned
//! data = "{out}/dataset"                   # on what
//! answer = "--max-new-tokens 384"          # arguments of `generate` for every row
//!
//! [[row]]
//! name = "Mistral-7B RAG"
//! base = "Mistral-7B-v0.1"                 # a folder in --models
//! hub = "mistralai/Mistral-7B-v0.1"        # where it is downloaded from
//! gib = 13.5                               # how much
//! parameters = 7.24e9
//! prompt = "plain"                         # how it is asked, where it is not finetuned [alpaca]
//! stop = [2]                               # what ends its answers: the checkpoint's files have to say so too
//! train = false
//! answer = "--retrieve baseline"           # more arguments
//! paper = { structural = 0.05 }            # published figures that are known, by the score's name
//! ```
//!
//! A row asks a service instead with `endpoint`, `model` and `key` (the name of the variable that holds it), or runs any
//! `steps` and reads `scores` (a file of `evaluate`) or `measures` (name = "FILE#/pointer/into/its/json"). What is in a row's
//! `bundled` takes the place of what is in the row at that scale. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Experiment {
    pub(super) title: String,
    /// What a reader has to know.
    #[serde(default)]
    pub(super) note: String,
    #[serde(default)]
    pub(super) full: Common,
    #[serde(default)]
    pub(super) bundled: Common,
    /// What the rows' `x` is, where they are points of curves.
    #[serde(default)]
    pub(super) setting: Option<String>,
    /// Published correlations of BLEU and ROUGE-1 with the average.
    #[serde(default)]
    pub(super) paper_correlation: BTreeMap<String, f64>,
    pub(super) row: Vec<Row>,
}

/// What rows have in common.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Common {
    pub(super) prepare: Vec<String>,
    pub(super) questions: Option<String>,
    pub(super) db: Option<String>,
    pub(super) recipe: Option<String>,
    pub(super) data: Option<String>,
    pub(super) answer: String,
}

/// A row.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) base: Option<String>,
    /// Its name at Hugging Face, from where it is downloaded.
    pub(super) hub: Option<String>,
    /// The text around a question to it, and the tokens that end its answers, as it is published. A model that is finetuned
    /// is asked as its recipe says.
    pub(super) prompt: Option<String>,
    pub(super) stop: Vec<u32>,
    pub(super) parameters: Option<f64>,
    pub(super) gib: Option<f64>,
    /// Whether it is finetuned.
    pub(super) train: Option<bool>,
    /// A recipe of its own.
    pub(super) recipe: Option<String>,
    /// Laid over the recipe: `section.key=value`.
    pub(super) set: Vec<String>,
    /// A training set of its own.
    pub(super) data: Option<String>,
    pub(super) answer: String,
    pub(super) endpoint: Option<String>,
    pub(super) model: Option<String>,
    pub(super) key: Option<String>,
    /// Whether the database answers by itself.
    pub(super) grounded: bool,
    pub(super) steps: Vec<String>,
    pub(super) scores: Option<String>,
    pub(super) measures: BTreeMap<String, String>,
    pub(super) paper: BTreeMap<String, f64>,
    /// A row's curve, and its place on it.
    pub(super) series: Option<String>,
    pub(super) x: Option<f64>,
    /// Why it cannot be run at this scale.
    pub(super) missing: Option<String>,
    /// What it is at the bundled scale.
    pub(super) bundled: Option<Box<Row>>,
}

impl Experiment {
    /// Reads and checks a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let experiment: Self = toml::from_str(text)?;
        if experiment.row.is_empty() {
            bail!("found no [[row]], expected at least one");
        }
        for (number, row) in experiment.row.iter().enumerate() {
            if row.name.trim().is_empty() {
                bail!("row {} has no name", number + 1);
            }
            if experiment.row[..number].iter().any(|other| other.name == row.name) {
                bail!("found two rows {:?}, expected a name of its own for each", row.name);
            }
            let ways = [row.base.is_some(), row.endpoint.is_some(), row.grounded, !row.steps.is_empty()];
            if ways.iter().filter(|way| **way).count() != 1 {
                bail!("row {:?} has to have exactly one of base, endpoint, grounded and steps", row.name);
            }
            if row.endpoint.is_some() != row.model.is_some() {
                bail!("row {:?} has one of endpoint and model, expected both", row.name);
            }
        }
        Ok(experiment)
    }
}

impl Row {
    /// The row with what it is at the bundled scale in place of what it is else.
    pub(super) fn at_bundled_scale(&self) -> Self {
        let other = self.bundled.as_deref().cloned().unwrap_or_default();
        let list = |own: &[String], other: Vec<String>| if other.is_empty() { own.to_vec() } else { other };
        let text = |own: &str, other: String| if other.is_empty() { own.to_owned() } else { other };
        let own_way = !other.steps.is_empty();
        Self {
            name: self.name.clone(),
            base: if own_way { None } else { other.base.or_else(|| self.base.clone()) },
            hub: self.hub.clone(),
            // The bundled model has its own.
            prompt: other.prompt,
            stop: self.stop.clone(),
            parameters: self.parameters,
            gib: self.gib,
            train: other.train.or(self.train),
            recipe: other.recipe.or_else(|| self.recipe.clone()),
            set: list(&self.set, other.set),
            data: other.data.or_else(|| self.data.clone()),
            answer: text(&self.answer, other.answer),
            endpoint: if own_way { None } else { self.endpoint.clone() },
            model: self.model.clone(),
            key: self.key.clone(),
            grounded: self.grounded,
            steps: list(&self.steps, other.steps),
            scores: other.scores.or_else(|| self.scores.clone()),
            measures: if other.measures.is_empty() { self.measures.clone() } else { other.measures },
            paper: self.paper.clone(),
            series: self.series.clone(),
            x: other.x.or(self.x),
            missing: other.missing.or_else(|| self.missing.clone()),
            bundled: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let error = |text: &str| format!("{:#}", Experiment::parse(text).unwrap_err());
        assert!(error("title = 'x'\nrow = []").contains("found no [[row]]"));
        assert!(error("title = 'x'\n[[row]]\nname = 'a'\nbases = 'b'").contains("unknown field `bases`"));
        assert!(
            error("title = 'x'\n[[row]]\nname = 'a'")
                .contains("exactly one of base, endpoint, grounded and steps")
        );
        let twice = "title = 'x'\n[[row]]\nname = 'a'\nbase = 'b'\n[[row]]\nname = 'a'\nbase = 'b'";
        assert!(error(twice).contains("found two rows \"a\""));
        let half = "title = 'x'\n[[row]]\nname = 'a'\nendpoint = 'http://x'";
        assert!(error(half).contains("has one of endpoint and model"));
    }

    #[test]
    fn every_bundled_file_is_read_and_its_commands_are_commands() {
        let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tables");
        let mut files: Vec<_> =
            std::fs::read_dir(tables).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 9, "{files:?}");
        for path in files {
            let experiment = Experiment::read(&path).unwrap();
            for row in experiment.row.iter().filter(|row| row.base.is_some()) {
                assert!(row.hub.is_some() && row.gib.is_some(), "{}: {}", path.display(), row.name);
            }
            for scale in [super::super::Scale::Full, super::super::Scale::Bundled] {
                let settings = super::super::plan::Settings {
                    out: "out".into(),
                    scale,
                    models: "models".into(),
                    endpoint: Some("http://localhost:1/v1".into()),
                    limit: None,
                    recipes: "recipes".into(),
                };
                let plan = super::super::plan::resolve(&experiment, &settings).unwrap();
                assert_eq!(plan.rows.len(), experiment.row.len());
            }
        }
    }
}
