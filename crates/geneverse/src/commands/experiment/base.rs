//! A row's base model as it is published: where it is, how large, how it is asked, and what ends its answers.

use std::path::Path;

use geneverse_model::config::ModelConfig;
use geneverse_model::config::generation::GenerationSettings;
use serde::Serialize;

use super::file::{Common, Row};
use super::plan::{Settings, one};
use crate::config::read_recipe;

/// A base model as it is published.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Base {
    name: String,
    hub: Option<String>,
    /// What is downloaded.
    gib: Option<f64>,
    /// The template that a question is asked by, where one is said, and the ids that end an answer.
    prompt: Option<String>,
    stop: Vec<u32>,
}

impl Base {
    pub(super) fn of(row: &Row, common: &Common, settings: &Settings) -> Option<Self> {
        let name = row.base.clone()?;
        // A model that is finetuned is asked as it was trained.
        let of_recipe = || {
            let recipe = one(row.recipe.as_deref().or(common.recipe.as_deref())?, settings);
            read_recipe(Path::new(&recipe), &row.set).ok().map(|recipe| recipe.data.prompt.name().to_owned())
        };
        let trained = if row.train == Some(true) { of_recipe() } else { None };
        let prompt = trained.or_else(|| row.prompt.clone());
        Some(Self { name, hub: row.hub.clone(), gib: row.gib, prompt, stop: row.stop.clone() })
    }

    /// What to download, how large it is, how it is asked and what ends its answers.
    pub(super) fn told(&self) -> String {
        let Self { name, hub, gib, prompt, stop } = self;
        let size = gib.map_or_else(String::new, |gib| format!(", {gib} GiB"));
        let stops: Vec<String> = stop.iter().map(u32::to_string).collect();
        let stops = if stops.is_empty() { "what its files name".to_owned() } else { stops.join(", ") };
        let prompt = prompt.as_deref().unwrap_or("as `generate` chooses");
        format!("{}{size}; prompt {prompt}, an answer ends with {stops}", hub.as_ref().unwrap_or(name))
    }
}

/// Why a checkpoint is not the one that a row means: it cannot be read, or its files name other tokens that end an answer.
pub(super) fn other_end(folder: &Path, stop: &[u32]) -> Option<String> {
    let read = ModelConfig::read(folder).and_then(|config| GenerationSettings::read(folder, &config));
    let said = match read {
        Ok(settings) => settings.stop_ids,
        Err(error) => return Some(format!("a checkpoint that can be read: {error}")),
    };
    let ids = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let differs = !stop.is_empty() && !stop.iter().any(|id| said.contains(id));
    let folder = folder.display();
    differs.then(|| {
        let (said, stop) = (ids(&said), ids(stop));
        format!(
            "the row's own checkpoint: {folder} ends answers with {said}, and the row's model with {stop}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_ends_answers_otherwise_is_not_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(
            path.join("config.json"),
            r#"{"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 9, "bos_token_id": 8, "eos_token_id": 8}"#,
        )
        .unwrap();
        assert_eq!(other_end(path, &[8]), None);
        assert_eq!(other_end(path, &[]), None);
        let why = other_end(path, &[28895]).unwrap();
        assert!(why.ends_with("ends answers with 8, and the row's model with 28895"), "{why}");
        std::fs::write(path.join("config.json"), "{}").unwrap();
        assert!(other_end(path, &[8]).unwrap().starts_with("a checkpoint that can be read: "));
    }
}
