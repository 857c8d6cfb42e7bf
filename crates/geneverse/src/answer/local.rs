//! A model on this machine: batched greedy answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use geneverse_data::dataset::Example;
use geneverse_data::progress::Progress;
use geneverse_data::prompt::Template;
use geneverse_eval::retriever::Recipe;
use geneverse_model::batch::encode_prompt;
use geneverse_model::config::ModelConfig;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::generate::{Event, GenerateConfig, generate};
use geneverse_model::pictures::Seen;
use geneverse_model::tokens::Tokenizer;
use geneverse_model::{Decoder, ModelError};
use serde_json::json;

use super::part::beside;
use super::{AnswerArgs, Answerer, Hear, RetrieveArg, Said, Trace, Way};
use crate::asking::{ASKING, Asking};
use crate::config::model_folder;
use crate::inputs::{adapter_inputs, model_inputs};
use crate::pictures::{self, Looked, Through};
use crate::ui::Ui;

/// A guard over the answer alone is not shorter than this: an identifier that comes twice is no loop.
const IN_ANSWER: usize = 16;

/// A model, read when the first question comes.
struct Local<'a> {
    folder: PathBuf,
    adapter: Option<&'a Path>,
    template: Template,
    ignored: Vec<String>,
    config: GenerateConfig,
    name: String,
    /// What the questions' pictures lie below.
    file: &'a Path,
    /// What is seen of many pictures is more than memory holds.
    features: PathBuf,
    all: Vec<Example>,
    stream: bool,
    loaded: Option<(Tokenizer, Decoder)>,
    load_seconds: f64,
    ui: &'a Ui,
}

/// The way of a local model.
pub(super) fn way<'a>(
    args: &'a AnswerArgs,
    model: &str,
    file: &'a Path,
    questions: &[Example],
    out: &Path,
    stream: bool,
    ui: &'a Ui,
) -> Result<Way<'a>> {
    let folder = model_folder(model)?;
    let config = ModelConfig::read(&folder)?;
    let folders: Vec<&Path> = args.adapter.iter().map(PathBuf::as_path).chain([folder.as_path()]).collect();
    let template = template(args.prompt.as_deref(), &folders, usual_template(&config))?;
    let settings = GenerationSettings::read(&folder, &config)?;
    let repetition_penalty = args.repetition_penalty.unwrap_or(settings.repetition_penalty);
    let [of_both, of_answer] = guards(settings.no_repeat_ngram_size, args.retrieve.map(RetrieveArg::recipe));
    let no_repeat_ngram_size = args.no_repeat_ngram_size.unwrap_or(of_both);
    let no_repeat_in_answer = args.no_repeat_in_answer.unwrap_or(of_answer);
    if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
        bail!("--repetition-penalty is {repetition_penalty}, expected a number above 0; 1 is no penalty");
    }
    let mut inputs: BTreeMap<String, String> = model_inputs(&folder)?;
    if let Some(adapter) = &args.adapter {
        inputs.extend(adapter_inputs(adapter)?);
    }
    if config.vision.is_some() {
        let shown = pictures::shown([(file, questions)])?;
        pictures::add_inputs(&config, &shown, &mut inputs)?;
    }
    let name = args.name.clone().unwrap_or_else(|| {
        let folder = args.adapter.as_deref().and_then(Path::parent).unwrap_or(&folder);
        folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    });
    let mut key = json!({
        "prompt": template, "max_new_tokens": args.max_new_tokens, "model": name,
        "repetition_penalty": repetition_penalty, "no_repeat_ngram_size": no_repeat_ngram_size,
    });
    if no_repeat_in_answer > 0 {
        key["no_repeat_in_answer"] = json!(no_repeat_in_answer);
    }
    let config = GenerateConfig {
        max_new_tokens: args.max_new_tokens,
        // A stream of several answers at once could not be read.
        batch: if stream { 1 } else { args.batch },
        stop_ids: settings.stop_ids,
        repetition_penalty: repetition_penalty as f32,
        no_repeat_ngram_size,
        no_repeat_in_answer,
    };
    let local = Local {
        folder,
        adapter: args.adapter.as_deref(),
        template,
        ignored: settings.ignored,
        config,
        name: name.clone(),
        file,
        features: beside(out, "features"),
        all: questions.to_vec(),
        stream,
        loaded: None,
        load_seconds: 0.0,
        ui,
    };
    Ok(Way { key, inputs, name, answerer: Box::new(local) })
}

/// The guards against loops over question and answer, and over the answer alone, where the command line says nothing. A guard
/// that counts the question's runs forbids to copy more than a word or two of a record.
pub(crate) fn guards(of_model: usize, retrieve: Option<Recipe>) -> [usize; 2] {
    match retrieve {
        Some(Recipe::Symbol) if of_model > 0 => [0, of_model.max(IN_ANSWER)],
        _ => [of_model, 0],
    }
}

impl Answerer for Local<'_> {
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
        let ui = self.ui;
        let loading = Instant::now();
        if self.loaded.is_none() {
            let tokenizer = Tokenizer::read(&self.folder)?;
            let mut model = Decoder::read(&self.folder)?;
            if let Some(adapter) = self.adapter {
                model = model.with_adapter(adapter)?.merged(None);
            }
            self.ignored.iter().for_each(|line| ui.note(&format!("note: {line}")));
            self.loaded = Some((tokenizer, model));
        }
        let Some((tokenizer, model)) = &mut self.loaded else { return Ok(()) };
        // Of all questions, so that an interrupted run finds what it has seen.
        let shown = pictures::shown([(self.file, self.all.as_slice())])?;
        let through = Through::Tower(self.adapter);
        let looked = pictures::look(&self.folder, through, model, &shown, Some(&self.features), ui)?;
        if let Looked::Stopped = looked {
            return Ok(());
        }
        let seen = looked.album().map(|album| Seen { album, file: self.file });
        let (mut places, mut prompts) = (Vec::new(), Vec::new());
        let room = model.config().max_position_embeddings;
        for (place, example) in questions.iter().enumerate() {
            let ids = encode_prompt(example, self.template, tokenizer, model.config(), seen)?;
            // The position of an answer's last token has to be one that the model knows.
            if ids.len() + 1 > room {
                let why = format!("the question has {} tokens, and the model reads {room}", ids.len());
                if !hear(place, Err(why))? {
                    return Ok(());
                }
                continue;
            }
            places.push(place);
            prompts.push(ids);
        }
        if prompts.is_empty() {
            return Ok(());
        }
        self.load_seconds += loading.elapsed().as_secs_f64();
        let mut stream = Stream::default();
        if !self.stream {
            ui.start(&format!("answer ({})", self.name), Some(questions.len() as u64), "answers");
            ui.set((questions.len() - prompts.len()) as u64);
        }
        let (begun, mut new_tokens) = (Instant::now(), 0);
        generate(model, &prompts, &self.config, &mut |event| {
            let generated = match event {
                Event::Token { id, .. } => {
                    if self.stream {
                        ui.say(&stream.push(id, tokenizer)?);
                    }
                    return Ok(!crate::stop::asked());
                }
                Event::Done(generated) => generated,
            };
            if self.stream {
                ui.say("\n\n");
                stream = Stream::default();
            }
            new_tokens += generated.ids.len();
            let trace = Trace {
                prompt_tokens: Some(prompts[generated.prompt].len()),
                tokens: Some(generated.ids.len()),
                cut: !generated.stopped,
                ..Trace::default()
            };
            let text = tokenizer.decode(&generated.ids)?.trim().to_owned();
            ui.state(&format!(
                "{:.0} tokens/s",
                f64::from(new_tokens as u32) / begun.elapsed().as_secs_f64()
            ));
            hear(places[generated.prompt], Ok(Said { text, trace }))
                .map_err(|e| ModelError::Run(format!("{e:#}")))
        })?;
        ui.finish();
        Ok(())
    }

    fn load_seconds(&self) -> f64 {
        self.load_seconds
    }
}

impl Drop for Local<'_> {
    /// What was seen is kept for as long as answers are missing, which their part tells.
    fn drop(&mut self) {
        let part = self.features.with_extension("part");
        if self.features.exists() && !part.exists() {
            let _ = std::fs::remove_dir_all(&self.features);
        }
    }
}

/// The text of an answer as its tokens come.
#[derive(Default)]
struct Stream {
    ids: Vec<u32>,
    shown: String,
}

impl Stream {
    /// What the next token adds to the text. A letter may take several tokens: it is shown when it is whole.
    fn push(&mut self, id: u32, tokenizer: &Tokenizer) -> geneverse_model::Result<String> {
        self.ids.push(id);
        let text = tokenizer.decode(&self.ids)?;
        if text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(String::new());
        }
        let new = text.strip_prefix(&self.shown).unwrap_or_default().to_owned();
        self.shown = text;
        Ok(new)
    }
}

/// The template that is asked for, else the one that the first of `folders` (an adapter's, the model's) with one was trained
/// with, else the `usual` one of the model.
pub(crate) fn template(asked: Option<&str>, folders: &[&Path], usual: Template) -> Result<Template> {
    let remembered = Asking::of(folders)?;
    if let Some(name) = asked {
        return serde_json::from_value(json!(name)).with_context(|| {
            let known = Template::ALL.map(Template::name).join(", ");
            format!("--prompt {name}: expected one of {known}")
        });
    }
    match remembered {
        Some(asking) if asking.prompt.hash() != asking.prompt_hash => bail!(
            "{ASKING}: trained with another text of the template {:?} than this program has; its answers would \
             suffer: say --prompt to use today's text all the same",
            asking.prompt
        ),
        Some(asking) => Ok(asking.prompt),
        None => Ok(usual),
    }
}

/// The template of a model that says nothing of one.
pub(crate) fn usual_template(config: &ModelConfig) -> Template {
    match &config.vision {
        None => Template::Alpaca,
        Some(vision) if vision.any_size.is_some() => Template::Qwen,
        Some(_) => Template::VicunaV1,
    }
}
