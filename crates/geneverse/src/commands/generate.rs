//! `generate`: prompts to `answers.jsonl`, an answer at a time.
//!
//! Finished answers are appended to `OUT.part` at once, so that an interrupted run goes on where it was; at the
//! end they are put in the prompts' order, written to OUT, and the part is removed. What a LLaVA sees of the questions'
//! pictures lies in `OUT.features` till then.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_data::answers::{self, Answer};
use geneverse_data::dataset::{Example, read_examples};
use geneverse_data::progress::Progress;
use geneverse_data::prompt::Template;
use geneverse_data::stage::{self, Found, hash_bytes, hash_file, read_json};
use geneverse_model::batch::encode_prompt;
use geneverse_model::config::ModelConfig;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::generate::{Event, GenerateConfig, generate};
use geneverse_model::pictures::Seen;
use geneverse_model::tokens::Tokenizer;
use geneverse_model::{Decoder, ModelError};
use serde::Serialize;
use serde_json::json;

use crate::commands::train::{ASKING, Asking};
use crate::config::model_folder;
use crate::inputs::{adapter_inputs, model_inputs};
use crate::pictures::{self, Looked, Through};
use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "generate";

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// A checkpoint folder
    #[arg(long)]
    pub(crate) model: String,
    /// A LoRA adapter for it
    #[arg(long)]
    pub(crate) adapter: Option<PathBuf>,
    /// The questions: Alpaca JSON, such as a dataset's test.json
    #[arg(long)]
    pub(crate) prompts: PathBuf,
    /// The answers to write
    #[arg(long, default_value = "answers.jsonl")]
    pub(crate) out: PathBuf,
    /// The text around an instruction [default: what the adapter was trained with, else
    /// vicuna_v1 for a LLaVA, qwen for a Qwen2.5-VL and alpaca for others]
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// Longest answer in tokens
    #[arg(long, default_value_t = 384)]
    pub(crate) max_new_tokens: usize,
    /// Answers under way at once
    #[arg(long, default_value_t = 32)]
    pub(crate) batch: usize,
    /// Make tokens of the question and the answer so far less likely: X divides their logits, 1 is none [default: the
    /// model's generation_config.json, else 1]
    #[arg(long, value_name = "X")]
    pub(crate) repetition_penalty: Option<f64>,
    /// Let no run of N tokens come twice in a question and its answer; 0 for no such guard [default: the model's
    /// generation_config.json, else 0]
    #[arg(long, value_name = "N", alias = "no-repeat-ngram")]
    pub(crate) no_repeat_ngram_size: Option<usize>,
    /// Print answers to standard error as they come, one after another
    #[arg(long)]
    pub(crate) stream: bool,
    /// Only the first N questions
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// How the model is named in the answers [default: its folder's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// What a generation came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) out: PathBuf,
    pub(crate) answers: usize,
    pub(crate) finished: bool,
    pub(crate) new_tokens: usize,
    pub(crate) seconds: f64,
    /// Of which reading the model and the tokenizer took so many.
    pub(crate) load_seconds: f64,
    /// And reading the questions' tokens and writing the answers' so many.
    pub(crate) generate_seconds: f64,
    /// Answers that reached the longest length without ending.
    pub(crate) cut: usize,
}

/// Runs `generate`.
pub(crate) fn run(args: &GenerateArgs, ui: &Ui) -> Result<ExitCode> {
    let report = answer_all(args, ui)?;
    ui.result(&report, || match report.finished {
        true => format!(
            "{} answers, {:.0} new tokens/s\n{}",
            report.answers,
            report.new_tokens as f64 / report.generate_seconds.max(1e-9),
            report.out.display()
        ),
        false => format!("stopped after {} answers; the same command goes on", report.answers),
    })?;
    Ok(if report.finished { ExitCode::SUCCESS } else { stop::exit() })
}

/// The stage `generate`.
pub(crate) fn answer_all(args: &GenerateArgs, ui: &Ui) -> Result<Report> {
    let folder = model_folder(&args.model)?;
    let config = ModelConfig::read(&folder)?;
    let usual = match &config.vision {
        None => Template::Alpaca,
        Some(vision) if vision.any_size.is_some() => Template::Qwen,
        Some(_) => Template::VicunaV1,
    };
    let template = template(args, &folder, usual)?;
    let settings = GenerationSettings::read(&folder, &config)?;
    let repetition_penalty = args.repetition_penalty.unwrap_or(settings.repetition_penalty);
    let no_repeat_ngram_size = args.no_repeat_ngram_size.unwrap_or(settings.no_repeat_ngram_size);
    if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
        bail!("--repetition-penalty is {repetition_penalty}, expected a number above 0; 1 is no penalty");
    }
    let mut inputs = model_inputs(&folder)?;
    inputs.insert("prompts".to_owned(), hash_file(&args.prompts)?);
    if let Some(adapter) = &args.adapter {
        inputs.extend(adapter_inputs(adapter)?);
    }
    let questions = || -> Result<Vec<Example>> {
        let mut examples = read_examples(&args.prompts)?;
        examples.truncate(args.limit.unwrap_or(usize::MAX));
        Ok(examples)
    };
    if config.vision.is_some() {
        let shown = pictures::shown([(args.prompts.as_path(), questions()?.as_slice())])?;
        pictures::add_inputs(&config, &shown, &mut inputs)?;
    }
    let name = args.name.clone().unwrap_or_else(|| {
        let folder = args.adapter.as_deref().and_then(Path::parent).unwrap_or(&folder);
        folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    });
    let key = json!({
        "inputs": inputs, "prompt": template, "max_new_tokens": args.max_new_tokens, "limit": args.limit, "model": name,
        "repetition_penalty": repetition_penalty, "no_repeat_ngram_size": no_repeat_ngram_size,
    });
    if let Found::Done(_) = stage::look(&args.out, STAGE, &key)? {
        let answers = answers::read(&args.out)?.len();
        return Ok(Report { out: args.out.clone(), answers, finished: true, ..Report::default() });
    }
    if args.out.exists() {
        bail!(
            "{}: exists and was not finished by this program; choose another --out or remove it",
            args.out.display()
        );
    }

    let examples = questions()?;
    let mut part = Part::open(&args.out, &hash_bytes(key.to_string().as_bytes()))?;
    // What is seen of many pictures is more than memory holds.
    let features = beside(&args.out, "features");
    let waiting: Vec<&Example> = examples.iter().filter(|e| !part.answers.contains_key(&e.id)).collect();
    let begun = Instant::now();
    let (mut new_tokens, mut cut, mut load_seconds, mut generate_seconds) = (0, 0, 0.0, 0.0);
    if !waiting.is_empty() {
        let tokenizer = Tokenizer::read(&folder)?;
        let mut model = Decoder::read(&folder)?;
        if let Some(adapter) = &args.adapter {
            model = model.with_adapter(adapter)?.merged(None);
        }
        // Of all questions, so that an interrupted run finds what it has seen.
        let shown = pictures::shown([(args.prompts.as_path(), examples.as_slice())])?;
        let through = Through::Tower(args.adapter.as_deref());
        let looked = pictures::look(&folder, through, &mut model, &shown, Some(&features), ui)?;
        if let Looked::Stopped = looked {
            let answers = part.answers.len();
            return Ok(Report { out: args.out.clone(), answers, ..Report::default() });
        }
        let seen = looked.album().map(|album| Seen { album, file: &args.prompts });
        let mut prompts = Vec::new();
        for example in &waiting {
            prompts.push(encode_prompt(example, template, &tokenizer, model.config(), seen)?);
        }
        settings.ignored.iter().for_each(|line| ui.note(&format!("note: {line}")));
        let config = GenerateConfig {
            max_new_tokens: args.max_new_tokens,
            // A stream of several answers at once could not be read.
            batch: if args.stream { 1 } else { args.batch },
            stop_ids: settings.stop_ids,
            repetition_penalty: repetition_penalty as f32,
            no_repeat_ngram_size,
        };
        let mut stream = Stream::default();
        load_seconds = begun.elapsed().as_secs_f64();
        stop::listen();
        if !args.stream {
            ui.start(&format!("answer ({name})"), Some(examples.len() as u64), "answers");
            ui.set(part.answers.len() as u64);
        }
        generate(&model, &prompts, &config, &mut |event| {
            let generated = match event {
                Event::Token { id, .. } => {
                    if args.stream {
                        ui.say(&stream.push(id, &tokenizer)?);
                    }
                    return Ok(!stop::asked());
                }
                Event::Done(generated) => generated,
            };
            if args.stream {
                ui.say("\n\n");
                stream = Stream::default();
            }
            new_tokens += generated.ids.len();
            cut += usize::from(!generated.stopped);
            let text = tokenizer.decode(&generated.ids)?;
            let answer = answer(waiting[generated.prompt], &args.prompts, text.trim(), &name);
            part.push(answer).map_err(|e| ModelError::Run(format!("{e:#}")))?;
            ui.set(part.answers.len() as u64);
            ui.state(&format!(
                "{:.0} tokens/s",
                new_tokens as f64 / (begun.elapsed().as_secs_f64() - load_seconds)
            ));
            Ok(!stop::asked())
        })?;
        ui.finish();
        generate_seconds = begun.elapsed().as_secs_f64() - load_seconds;
    }
    let (answers, seconds, out) = (part.answers.len(), begun.elapsed().as_secs_f64(), args.out.clone());
    let finished = answers == examples.len();
    if finished {
        part.finish(&examples)?;
        if features.exists() {
            fs::remove_dir_all(&features)
                .with_context(|| format!("{}: cannot remove", features.display()))?;
        }
        let facts = json!({"answers": answers, "new_tokens": new_tokens, "seconds": seconds, "cut": cut});
        stage::finish(&args.out, STAGE, key, facts)?;
    }
    Ok(Report { out, answers, finished, new_tokens, seconds, load_seconds, generate_seconds, cut })
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

fn answer(example: &Example, prompts: &Path, text: &str, model: &str) -> Answer {
    Answer {
        id: example.id.clone(),
        task: example.task,
        subject: example.subject.clone(),
        cell_type: example.cell_type.clone(),
        label: example.label.clone(),
        prompt: example.instruction.clone(),
        image: example.picture_paths(prompts).first().map(|path| path.display().to_string()),
        answer: text.to_owned(),
        reference: example.output.clone(),
        model: model.to_owned(),
    }
}

/// The template that is asked for, else the one that the adapter or the model was trained with, else the `usual` one of the
/// model.
fn template(args: &GenerateArgs, folder: &Path, usual: Template) -> Result<Template> {
    let remembered =
        args.adapter.iter().map(PathBuf::as_path).chain([folder]).find(|f| f.join(ASKING).exists());
    let remembered: Option<Asking> = remembered.map(|f| read_json(&f.join(ASKING))).transpose()?;
    if let Some(name) = &args.prompt {
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

/// `OUT.END`
fn beside(out: &Path, end: &str) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    out.with_file_name(name)
}

/// Answers so far, on disk as they come.
struct Part {
    path: PathBuf,
    out: PathBuf,
    file: fs::File,
    answers: HashMap<String, Answer>,
}

impl Part {
    /// Opens what an interrupted run with the same key has left; what another one has left is dropped.
    fn open(out: &Path, key: &str) -> Result<Self> {
        let path = beside(out, "part");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let mut answers = HashMap::new();
        if lines.next() == Some(key) {
            // The last line may be half written: it is asked again.
            for answer in lines.map_while(|line| serde_json::from_str::<Answer>(line).ok()) {
                answers.insert(answer.id.clone(), answer);
            }
        }
        if let Some(folder) = out.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("{}: cannot make the folder", folder.display()))?;
        }
        stage::atomic_write(&path, |out| {
            writeln!(out, "{key}")?;
            answers.values().try_for_each(|answer| writeln!(out, "{}", serde_json::to_string(answer)?))
        })?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.with_context(|| format!("{}: cannot open", path.display()))?;
        Ok(Self { path, out: out.to_owned(), file, answers })
    }

    fn push(&mut self, answer: Answer) -> Result<()> {
        let line = serde_json::to_string(&answer)?;
        writeln!(self.file, "{line}").with_context(|| format!("{}: cannot write", self.path.display()))?;
        self.answers.insert(answer.id.clone(), answer);
        Ok(())
    }

    fn finish(mut self, examples: &[Example]) -> Result<()> {
        let ordered: Vec<Answer> = examples.iter().filter_map(|e| self.answers.remove(&e.id)).collect();
        answers::write(&self.out, &ordered)?;
        fs::remove_file(&self.path).with_context(|| format!("{}: cannot remove", self.path.display()))
    }
}
