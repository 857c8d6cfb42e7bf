//! Ways to answer questions, all behind one interface: a model on this machine, a model behind an endpoint, either with records
//! looked up first, either with functions that it may call, and the database by itself.
//!
//! An [`Answerer`] hands over each answer as it comes. [`stage`] keeps them on disk at once, so that whatever ends a run costs
//! the questions under way and no others; a question that gets no answer is told apart and loses nobody else's.

mod calls;
pub(crate) mod eutils;
mod grounded;
pub(crate) mod local;
pub(crate) mod part;
mod remote;
mod retrieving;
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum};
use geneverse_data::answers::Answer;
use geneverse_data::dataset::Example;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{hash_bytes, hash_file, write_lines};
use geneverse_eval::retriever::Recipe;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::endpoint::AskArgs;
use crate::stop;
use crate::ui::Ui;
use part::Part;

pub(crate) use retrieving::Lookup;

/// What was said to a question, and how it came about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// The answer.
    pub(crate) text: String,
    /// How it came about.
    pub(crate) trace: Trace,
}

/// How an answer came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// Tokens of the question as the model read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_tokens: Option<usize>,
    /// Tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<usize>,
    /// Whether it reached the longest length without ending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut: bool,
    /// The records that were put before the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Source>,
    /// The functions that it called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) calls: Vec<Call>,
}

/// A record that was put before the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// Whose.
    pub(crate) symbol: String,
    /// Which piece of it.
    pub(crate) piece: usize,
    /// How well it fits.
    pub(crate) score: f64,
    /// Whether the question names its gene.
    pub(crate) named: bool,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    /// What was called.
    pub(crate) url: String,
    /// What came back, or why nothing did.
    pub(crate) result: String,
}

/// An answer, or in words why there is none.
pub(crate) type Outcome = Result<Said, String>;

/// Hears of each answer, by the place of its question; `false` ends the work.
pub(crate) type Hear<'h> = dyn FnMut(usize, Outcome) -> Result<bool> + 'h;

/// Answers questions.
pub(crate) trait Answerer {
    /// Answers each question once, in any order. One that is not heard of was not reached: somebody asked to stop.
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()>;

    /// How long reading models and databases has taken, in seconds.
    fn load_seconds(&self) -> f64 {
        0.0
    }
}

/// How questions are answered.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct AnswerArgs {
    /// A checkpoint folder; with --endpoint the model's name there
    #[arg(long, value_name = "DIR|NAME", required_unless_present = "grounded")]
    pub(crate) model: Option<String>,
    /// A LoRA adapter for it
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    pub(crate) adapter: Option<PathBuf>,
    /// The text around an instruction [default: what the adapter was trained with, else
    /// vicuna_v1 for a LLaVA, qwen for a Qwen2.5-VL and alpaca for others; plain, llava, mistral and
    /// tulu are known too]
    #[arg(long, conflicts_with = "endpoint")]
    pub(crate) prompt: Option<String>,
    /// Longest answer in tokens
    #[arg(long, default_value_t = 384)]
    pub(crate) max_new_tokens: usize,
    /// Answers under way at once
    #[arg(long, default_value_t = 32)]
    pub(crate) batch: usize,
    /// Make tokens of the question and the answer so far less likely: X divides their logits, 1 is none [default: the
    /// model's generation_config.json, else 1]
    #[arg(long, value_name = "X", conflicts_with = "endpoint")]
    pub(crate) repetition_penalty: Option<f64>,
    /// Let no run of N tokens come twice in a question and its answer; 0 for no such guard [default: the model's
    /// generation_config.json, else 0; 0 with --retrieve symbol, where a record is to be said again]
    #[arg(long, value_name = "N", alias = "no-repeat-ngram", conflicts_with = "endpoint")]
    pub(crate) no_repeat_ngram_size: Option<usize>,
    /// Let no run of N tokens come twice in an answer, whatever the question says; 0 for no such guard [default: 0; 16 with
    /// --retrieve symbol where the model's generation_config.json has a guard]
    #[arg(long, value_name = "N", conflicts_with = "endpoint")]
    pub(crate) no_repeat_in_answer: Option<usize>,
    /// How the model is named in the answers [default: its folder's name, or its name at the endpoint]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Answer from the database alone, without a model
    #[arg(long, requires = "db", conflicts_with_all = ["model", "endpoint", "retrieve", "tools"])]
    pub(crate) grounded: bool,
    /// The gene database, as made by `genes import`, for --grounded, --retrieve and --tools
    #[arg(long, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Look records up in --db and put them before the model
    #[arg(long, value_enum, value_name = "RECIPE", requires = "db")]
    pub(crate) retrieve: Option<RetrieveArg>,
    /// How many passages are put before the model
    #[arg(long, value_name = "K", default_value_t = 1, requires = "retrieve")]
    pub(crate) top_k: usize,
    /// The length of a passage in tokens, of four characters each
    #[arg(long, value_name = "N", default_value_t = 512, requires = "retrieve", value_parser = clap::value_parser!(u64).range(16..))]
    pub(crate) chunk: u64,
    /// With --retrieve symbol: the longest input in tokens of four characters, whatever K is
    #[arg(long, value_name = "N", default_value_t = 512, requires = "retrieve")]
    pub(crate) context: usize,
    /// A model whose vectors passages are found by, such as all-MiniLM-L6-v2 [default: TF-IDF and singular vectors]
    #[arg(long, value_name = "DIR", requires = "retrieve")]
    pub(crate) embedder: Option<PathBuf>,
    /// Let the model call NCBI's functions (E-utilities, BLAST), answered from --db
    #[arg(long, requires = "db")]
    pub(crate) tools: bool,
    /// Let calls go to NCBI itself instead of --db
    #[arg(long, requires = "tools")]
    pub(crate) live: bool,
    /// Calls that a question may make at most
    #[arg(long, value_name = "N", default_value_t = 10, requires = "tools")]
    pub(crate) max_calls: usize,
    /// The address of an OpenAI-compatible endpoint to ask, which usually ends in /v1
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    #[command(flatten, next_help_heading = "Asking an endpoint")]
    pub(crate) ask: AskArgs,
}

impl Default for AnswerArgs {
    /// What the command line has where it says nothing.
    fn default() -> Self {
        Self {
            model: None,
            adapter: None,
            prompt: None,
            max_new_tokens: 384,
            batch: 32,
            repetition_penalty: None,
            no_repeat_ngram_size: None,
            no_repeat_in_answer: None,
            name: None,
            grounded: false,
            db: None,
            retrieve: None,
            top_k: 1,
            chunk: 512,
            context: 512,
            embedder: None,
            tools: false,
            live: false,
            max_calls: 10,
            endpoint: None,
            ask: AskArgs::default(),
        }
    }
}

/// [`Recipe`] as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RetrieveArg {
    /// llama-index's defaults: vectors of the whole question, its question template
    Baseline,
    /// The genes that the question names first, then words and vectors fused; in the form of the task, within --context
    Symbol,
    /// The named genes' records only, in the baseline's form: a search that does not err
    Own,
}

impl RetrieveArg {
    pub(crate) fn recipe(self) -> Recipe {
        match self {
            Self::Baseline => Recipe::Baseline,
            Self::Symbol => Recipe::Symbol,
            Self::Own => Recipe::Own,
        }
    }
}

/// An answerer with all that its answers depend on.
pub(crate) struct Way<'a> {
    /// What the answers depend on, but for the questions.
    pub(crate) key: Value,
    /// Hashes of files that they depend on.
    pub(crate) inputs: BTreeMap<String, String>,
    /// The model's name in the answers.
    pub(crate) name: String,
    /// Nothing large is read before the first question.
    pub(crate) answerer: Box<dyn Answerer + 'a>,
}

impl AnswerArgs {
    /// The way that these arguments say. `file` is where the questions come from, `out` where answers go; `stream` shows a local
    /// model's tokens as they come.
    pub(crate) fn way<'a>(
        &'a self,
        file: &'a Path,
        questions: &[Example],
        out: &Path,
        stream: bool,
        ui: &'a Ui,
    ) -> Result<Way<'a>> {
        let db = || match &self.db {
            Some(db) => Ok(db.as_path()),
            None => bail!("expected --db, the gene database"),
        };
        let mut way = match (&self.endpoint, &self.model) {
            _ if self.grounded => grounded::way(self, db()?)?,
            (Some(endpoint), Some(model)) => remote::way(self, endpoint, model, file, out, ui)?,
            (None, Some(model)) => local::way(self, model, file, questions, out, stream, ui)?,
            (_, None) => bail!("expected --model, or --grounded with --db"),
        };
        if self.tools {
            let database = db()?;
            way.inputs.insert("db".to_owned(), hash_file(database)?);
            way.key["tools"] =
                json!({"live": self.live, "max_calls": self.max_calls, "prompt": tools::hash()});
            let service = eutils::service(self.live, database)?;
            way.answerer = Box::new(tools::Tools::new(way.answerer, service, self.max_calls, ui));
        }
        if let Some(recipe) = self.retrieve {
            let lookup = Lookup {
                db: db()?.to_owned(),
                recipe: recipe.recipe(),
                top_k: self.top_k,
                chunk: usize::try_from(self.chunk).unwrap_or(usize::MAX),
                context: self.context,
                embedder: self.embedder.clone(),
            };
            way.inputs.insert("db".to_owned(), hash_file(&lookup.db)?);
            way.key["retrieve"] = lookup.key()?;
            way.answerer = Box::new(retrieving::Retrieving::new(way.answerer, lookup, ui));
        }
        Ok(way)
    }
}

/// What a stage of answers came to.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Answers there are.
    pub(crate) answers: usize,
    /// Of which this process made so many.
    pub(crate) now: usize,
    /// Whether all are there, or all that will be.
    pub(crate) finished: bool,
    /// Questions without an answer.
    pub(crate) failed: usize,
    /// Tokens of this process's answers.
    pub(crate) new_tokens: usize,
    /// Answers that reached the longest length.
    pub(crate) cut: usize,
    /// Seconds that reading models took.
    pub(crate) load_seconds: f64,
}

/// Answers what has no answer yet, and writes `out` when all is there; `OUT.trace.jsonl` tells how answers came about where
/// there is something to tell, `OUT.failed.jsonl` which questions got none.
pub(crate) fn stage(
    examples: &[Example],
    file: &Path,
    out: &Path,
    mut way: Way<'_>,
    key: &Value,
    skip_failed: bool,
    ui: &Ui,
) -> Result<Answered> {
    let mut part = Part::open(out, &hash_bytes(key.to_string().as_bytes()))?;
    let waiting: Vec<Example> = examples.iter().filter(|e| !part.has(&e.id)).cloned().collect();
    let (mut answered, mut failures) = (Answered::default(), Vec::new());
    if !waiting.is_empty() {
        stop::listen();
        way.answerer.answer(&waiting, &mut |place, outcome| {
            let example = &waiting[place];
            match outcome {
                Ok(Said { text, trace }) => {
                    answered.now += 1;
                    answered.new_tokens += trace.tokens.unwrap_or_default();
                    answered.cut += usize::from(trace.cut);
                    part.push(answer(example, file, text.trim(), &way.name), trace)?;
                }
                Err(why) => failures.push((example.id.clone(), why)),
            }
            ui.set((answered.now + failures.len()) as u64);
            Ok(!stop::asked())
        })?;
        ui.finish();
    }
    answered.load_seconds = way.answerer.load_seconds();
    answered.answers = part.len();
    answered.failed = failures.len();
    let failed = part::beside(out, "failed.jsonl");
    let reached = answered.answers + answered.failed == examples.len();
    if failures.is_empty() {
        if reached && failed.exists() {
            std::fs::remove_file(&failed)?;
        }
    } else {
        write_lines(&failed, failures.iter().map(|(id, why)| json!({"id": id, "failure": why})))?;
        let (count, last) = (failures.len(), failures.last().map_or("", |(_, why)| why.as_str()));
        ensure!(
            skip_failed || !reached,
            "{count} of {} questions got no answer (listed in {}), the last because of: {last}. All others are kept: the same \
             command asks these again, and with --skip-failed it finishes without them",
            examples.len(),
            failed.display()
        );
    }
    if reached {
        part.finish(examples)?;
        answered.finished = true;
    }
    Ok(answered)
}

fn answer(example: &Example, file: &Path, text: &str, model: &str) -> Answer {
    Answer {
        id: example.id.clone(),
        task: example.task,
        subject: example.subject.clone(),
        cell_type: example.cell_type.clone(),
        label: example.label.clone(),
        prompt: example.instruction.clone(),
        image: example.picture_paths(file).first().map(|path| path.display().to_string()),
        answer: text.to_owned(),
        reference: example.output.clone(),
        model: model.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn what_is_not_said_is_as_on_the_command_line() {
        let words = "geneverse generate --model m --prompts p.json --out o.jsonl".split(' ');
        let Command::Generate(args) = Cli::try_parse_from(words).unwrap().command else { panic!() };
        let said = AnswerArgs { model: Some("m".to_owned()), ..AnswerArgs::default() };
        assert_eq!(format!("{:?}", args.by), format!("{said:?}"));
    }
}
