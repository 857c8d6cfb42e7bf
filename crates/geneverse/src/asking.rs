//! What an adapter or a finetuned model remembers of how it is to be asked: `geneverse.json` beside its weights, with the text
//! around a question, and how records stood beside the questions that it was trained on, where they did.

use std::path::Path;

use anyhow::Result;
use geneverse_data::prompt::Template;
use geneverse_data::stage::{Manifest, manifest_path, read_json};
use geneverse_eval::retriever::Recipe;
use serde::{Deserialize, Serialize};

/// The file that holds [`Asking`].
pub(crate) const ASKING: &str = "geneverse.json";

/// How a model is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asking {
    /// The template around an instruction.
    pub(crate) prompt: Template,
    /// Hash of the template's text: another program version's template of the same name may differ.
    pub(crate) prompt_hash: String,
    /// How records stood beside the training questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<Records>,
}

impl Asking {
    /// Of a model that is trained on a file.
    pub(crate) fn trained_on(file: &Path, prompt: Template) -> Self {
        Self { prompt, prompt_hash: prompt.hash(), records: Records::of_training(file) }
    }

    /// Of the first of `folders` (an adapter's, its base's) that has one.
    pub(crate) fn of(folders: &[&Path]) -> Result<Option<Self>> {
        let remembered = folders.iter().map(|folder| folder.join(ASKING)).find(|path| path.exists());
        Ok(remembered.map(|path| read_json(&path)).transpose()?)
    }
}

/// How records stand beside a question, as `dataset context` lays them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) recipe: Recipe,
    /// Tokens of a passage.
    pub(crate) chunk: usize,
    /// Tokens that [`Recipe::Symbol`] keeps to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<usize>,
}

impl Default for Records {
    /// For a model that has never been shown any: a document, and the question to be answered from it.
    fn default() -> Self {
        Self { recipe: Recipe::Own, chunk: CHUNK, context: None }
    }
}

/// Tokens of a passage, as `dataset context` has them.
const CHUNK: usize = 512;

impl Records {
    /// What the manifest beside a file of examples says, where `dataset context` wrote the file.
    fn of_training(file: &Path) -> Option<Self> {
        let folder = file.parent()?;
        // Anybody may have a manifest.json of his own beside his data.
        let manifest: Manifest = read_json(&manifest_path(folder)).ok()?;
        let name = file.file_name()?.to_str()?;
        let files: Vec<(String, usize)> =
            serde_json::from_value(manifest.facts.get("files")?.clone()).ok()?;
        let ours = manifest.stage == "dataset context" && files.iter().any(|(written, _)| written == name);
        serde_json::from_value(manifest.key.get("retrieve")?.clone()).ok().filter(|_| ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    #[test]
    fn what_a_context_was_made_with_goes_with_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let train = folder.path().join("train.json");
        let records = |manifest: serde_json::Value| {
            fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
            Asking::trained_on(&train, Template::Plain).records
        };
        assert_eq!(Asking::trained_on(&train, Template::Plain).records, None, "no manifest");
        let retrieve = json!({"recipe": "symbol", "top_k": 3, "chunk": 512, "context": 320, "form": "lines"});
        let manifest = |stage: &str, file: &str| json!({"stage": stage, "version": "0", "key": {"retrieve": retrieve}, "facts": {"files": [[file, 9]]}});
        let lines = Records { recipe: Recipe::Symbol, chunk: 512, context: Some(320) };
        assert_eq!(records(manifest("dataset context", "train.json")), Some(lines));
        assert_eq!(records(manifest("dataset context", "other.json")), None);
        assert_eq!(records(manifest("dataset genes", "train.json")), None);
        assert_eq!(records(json!(["somebody else's"])), None);
    }

    #[test]
    fn an_older_file_has_no_records_and_the_first_folder_is_asked() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [first.path(), second.path()];
        assert_eq!(Asking::of(&folders).unwrap(), None);
        fs::write(second.path().join(ASKING), r#"{"prompt": "plain", "prompt_hash": "x"}"#).unwrap();
        assert_eq!(Asking::of(&folders).unwrap().unwrap().records, None);
        let records = Records { recipe: Recipe::Symbol, chunk: 512, context: Some(320) };
        let asking = Asking { prompt: Template::Alpaca, prompt_hash: "y".into(), records: Some(records) };
        fs::write(first.path().join(ASKING), json!(asking).to_string()).unwrap();
        assert_eq!(Asking::of(&folders).unwrap(), Some(asking));
    }
}
