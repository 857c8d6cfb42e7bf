//! The model that is served, with adapters beside it, each by a name of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use geneverse_data::dataset::Example;
use geneverse_data::picture::Picture;
use geneverse_data::prompt::Template;
use geneverse_model::Decoder;
use geneverse_model::adapter::Adapter;
use geneverse_model::batch::encode_rendered;
use geneverse_model::config::ModelConfig;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::pictures::{Album, Eyes, Seen};
use geneverse_model::serving::{Engine, Limits};
use geneverse_model::tokens::Tokenizer;

use super::asked::Conversation;
use super::error::ApiError;
use crate::answer::local::{template, usual_template};
use crate::asking::{Asking, Records};

/// What is served.
pub(crate) struct Models {
    /// The base's first, then the adapters'.
    pub(crate) names: Vec<String>,
    /// The text around a question, of each.
    templates: Vec<Template>,
    /// How records stand beside a question, of each.
    records: Vec<Records>,
    pub(crate) engine: Engine,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) settings: GenerationSettings,
    config: ModelConfig,
    /// Missing where the model reads text only.
    eyes: Option<Eyes>,
}

/// A prompt as the engine takes it.
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    pub(crate) pictures: Option<Album>,
}

impl Models {
    /// Reads a model and the adapters beside it, each with its name, and starts them.
    pub(crate) fn read(
        folder: &Path,
        name: Option<&str>,
        adapters: &[(String, PathBuf)],
        prompt: Option<&str>,
        limits: Limits,
    ) -> Result<Self> {
        let tokenizer = Tokenizer::read(folder)?;
        let model = Decoder::read(folder)?;
        let config = model.config().clone();
        let settings = GenerationSettings::read(folder, &config)?;
        let eyes = config.vision.is_some().then(|| Eyes::read(folder, &config)).transpose()?;
        let of_folder = || {
            let whole = folder.canonicalize().unwrap_or_default();
            whole.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
        };
        let mut names = vec![name.map_or_else(of_folder, str::to_owned)];
        let mut templates = vec![template(prompt, &[folder], usual_template(&config))?];
        let remembered = |folders: &[&Path]| -> Result<Records> {
            Ok(Asking::of(folders)?.and_then(|asking| asking.records).unwrap_or_default())
        };
        let mut records = vec![remembered(&[folder])?];
        let mut read = Vec::new();
        for (name, adapter) in adapters {
            ensure!(
                !names.contains(name),
                "--adapter {name}: is the name of another already; choose one of its own"
            );
            read.push(Adapter::read(adapter, &model).with_context(|| format!("--adapter {name}"))?);
            templates.push(template(prompt, &[adapter, folder], usual_template(&config))?);
            records.push(remembered(&[adapter, folder])?);
            names.push(name.clone());
        }
        let engine = Engine::start(model, read, limits)?;
        Ok(Self { names, templates, records, engine, tokenizer, settings, config, eyes })
    }

    /// Which one a request asks for; one that names none gets the base.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<usize, ApiError> {
        match name {
            None | Some("") => Ok(0),
            Some(name) => self
                .names
                .iter()
                .position(|known| known == name)
                .ok_or_else(|| ApiError::no_model(name, &self.names)),
        }
    }

    /// The prompt of a conversation.
    pub(crate) fn prompt(&self, which: usize, conversation: Conversation) -> Result<Prompt, ApiError> {
        let Conversation { system, turns, question, begun, pictures } = conversation;
        let text = self.templates[which].conversation(&system, &turns, &question) + &begun;
        self.encode(&text, pictures)
    }

    /// The prompt of a question beside which `input` is to be read, as in training.
    pub(crate) fn prompt_reading(
        &self,
        which: usize,
        conversation: Conversation,
        input: &str,
    ) -> Result<Prompt, ApiError> {
        let Conversation { system, turns, question, begun, pictures } = conversation;
        let text = match system.is_empty() && turns.is_empty() {
            true => self.templates[which].render(&question, input),
            false => self.templates[which].conversation(&system, &turns, &format!("{question}\n{input}")),
        };
        self.encode(&(text + &begun), pictures)
    }

    /// How records stand beside a question to one of them.
    pub(crate) fn records(&self, which: usize) -> Records {
        self.records[which]
    }

    /// Lets the base remember another way.
    #[cfg(test)]
    pub(crate) fn remember(&mut self, records: Records) {
        self.records[0] = records;
    }

    /// Whether it reads pictures.
    pub(crate) fn sees(&self) -> bool {
        self.eyes.is_some()
    }

    /// The prompt that is `text` as it stands.
    pub(crate) fn encode(&self, text: &str, pictures: Vec<Picture>) -> Result<Prompt, ApiError> {
        let refuse = |e: geneverse_model::ModelError| ApiError::new(400, e.to_string());
        let named = |(number, picture)| (PathBuf::from(format!("{number}")), picture);
        let pictures: Vec<(PathBuf, Picture)> = pictures.into_iter().enumerate().map(named).collect();
        let images = pictures.iter().map(|(name, _)| name.display().to_string()).collect();
        let example = Example { id: "of this request".to_owned(), images, ..Example::default() };
        let album = match (&self.eyes, pictures.is_empty()) {
            (_, true) => None,
            (Some(eyes), false) => Some(Album::of(eyes, pictures).map_err(refuse)?),
            (None, false) => {
                let message = "the request shows a picture, and this model reads text only; serve a LLaVA";
                return Err(ApiError::field("messages", message));
            }
        };
        let seen = album.as_ref().map(|album| Seen { album, file: Path::new("") });
        let ids = encode_rendered(&example, text, &self.tokenizer, &self.config, seen).map_err(refuse)?;
        Ok(Prompt { ids, pictures: album })
    }

    /// The adapter of one of them.
    pub(crate) fn adapter(&self, which: usize) -> Option<usize> {
        which.checked_sub(1)
    }
}
