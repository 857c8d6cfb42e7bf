//! How a model that is handed over is to be asked, for programs that have only a chat template to know it by.
//!
//! A model that was finetuned here remembers its template by name; it becomes the chat template, in the place of the one that
//! its base came with, because asked otherwise than it was trained it answers far worse. A model that remembers nothing
//! keeps the chat template that it came with.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use geneverse_data::prompt::Template;
use geneverse_data::stage::{atomic_write, read_json, write_json};
use geneverse_model::config::ModelConfig;
use serde_json::{Map, Value};

use crate::answer::local::template;
use crate::asking::ASKING;

/// The file that holds a chat template.
const JINJA: &str = "chat_template.jinja";

/// How a model is asked.
pub(super) struct Asked {
    /// The template that it was trained with, where it was trained here or `--prompt` says so.
    pub(super) template: Option<Template>,
    /// The chat template.
    pub(super) jinja: Option<String>,
}

/// How a model of `folders` (an adapter's, the model's) is asked; `asked` overrides what they remember.
pub(super) fn asked(asked: Option<&str>, folders: &[&Path], config: &ModelConfig) -> Result<Asked> {
    if asked.is_some() || folders.iter().any(|folder| folder.join(ASKING).exists()) {
        let template = template(asked, folders, Template::default())?;
        let jinja = template.jinja(config.bos_token_id.is_some());
        return Ok(Asked { template: Some(template), jinja: Some(jinja) });
    }
    let own = folders.last().map(|folder| own(folder)).transpose()?.flatten();
    Ok(Asked { template: None, jinja: own })
}

/// The chat template that a checkpoint came with.
fn own(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(JINJA);
    if path.exists() {
        let text = fs::read_to_string(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        return Ok(Some(text));
    }
    let path = folder.join("tokenizer_config.json");
    if !path.exists() {
        return Ok(None);
    }
    let config: Map<String, Value> = read_json(&path)?;
    Ok(config.get("chat_template").and_then(Value::as_str).map(str::to_owned))
}

/// Writes a chat template into a checkpoint folder: as a file of its own, which transformers reads from 4.43 on, and into the
/// tokenizer's configuration, where older versions look.
pub(crate) fn write(jinja: &str, folder: &Path) -> Result<()> {
    let path = folder.join(JINJA);
    atomic_write(&path, |file| file.write_all(jinja.as_bytes()))?;
    let path = folder.join("tokenizer_config.json");
    let mut config: Map<String, Value> = if path.exists() { read_json(&path)? } else { Map::new() };
    config.insert("chat_template".to_owned(), Value::from(jinja));
    Ok(write_json(&path, &config)?)
}
