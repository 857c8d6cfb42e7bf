//! The conversation of `chat`: what a person types, what the model says to it, and what the database says to that.
//!
//! Nothing here prints or reads a terminal: a line goes in, what is to be shown comes out piece by piece.

mod line;
mod transcript;
mod typist;

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use geneverse_data::dataset::{genes, markers, proteins};
use geneverse_data::picture::Picture;
use geneverse_data::prompt::Turn;
use geneverse_data::render::protein::{self, Settings};
use geneverse_data::store::Resolution;
use geneverse_data::structure;
use geneverse_eval::checked::check;
use geneverse_model::generate::{AnswerConfig, Choice};
use geneverse_model::serving::{Request, Told};

use crate::commands::genes::{candidates_text, record_text};
use crate::serve::{Conversation, Known, Models, Prompt, Speech, Stops, unpoisoned};
pub(crate) use line::Line;
pub(crate) use transcript::{Entry, Transcript};
pub(crate) use typist::{Typist, usual_file};

/// A conversation.
pub(crate) struct Chat {
    models: Models,
    /// The database, to look genes up in and to hold answers against.
    known: Option<Known>,
    max_new_tokens: usize,
    /// Whether the model hears what was said before.
    remembers: bool,
    transcript: Transcript,
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// This is to be shown.
    Text(String),
    /// The person goes.
    Bye,
}

/// What `/help` says.
const HELP: &str = "\
  /gene SYMBOL                      its record, and what the model says of it
  /protein FILE                     a structure (PDB, mmCIF) or a picture of one: its name, by a model that sees
  /marker GENE PICTURE CELL TYPE    whether it marks the type, by a picture as of `render spatial`
  /sources                          what the last answer rests on: identifiers, edits, claims
  /save FILE                        the conversation, as Markdown
  /clear                            forget what was said
  /quit                             or Ctrl-D
  Everything else is asked as it stands; Ctrl-C ends an answer.";

impl Chat {
    pub(crate) fn new(models: Models, known: Option<Known>, max_new_tokens: usize, remembers: bool) -> Self {
        Self { models, known, max_new_tokens, remembers, transcript: Transcript::default() }
    }

    /// Answers a line. `say` shows the answer as the model says it; `stopped` is asked whether to go on.
    pub(crate) fn hear(
        &mut self,
        line: Line,
        say: &mut dyn FnMut(&str),
        stopped: &dyn Fn() -> bool,
    ) -> Result<Reply> {
        Ok(Reply::Text(match line {
            Line::Nothing => String::new(),
            Line::Help => HELP.to_owned(),
            Line::Quit => return Ok(Reply::Bye),
            Line::Clear => {
                self.transcript = Transcript::default();
                "what was said is forgotten".to_owned()
            }
            Line::Sources => self.transcript.sources(),
            Line::Save(path) => {
                self.transcript.save(Path::new(&path))?;
                format!("{path}: {} answers", self.transcript.entries().len())
            }
            Line::Gene(symbol) => self.gene(&symbol, say, stopped)?,
            Line::Protein(path) => {
                let picture = portrait(Path::new(&path))?;
                self.ask(proteins::INSTRUCTION.to_owned(), vec![picture], say, stopped)?
            }
            Line::Marker { gene, picture, cell_type } => {
                let picture = Picture::read(Path::new(&picture))?;
                self.ask(markers::instruction(&gene, &cell_type), vec![picture], say, stopped)?
            }
            Line::Question(question) => self.ask(question, Vec::new(), say, stopped)?,
            Line::Wrong(why) => bail!(why),
        }))
    }

    /// A gene's record, and what the model says of it. Of one that the database does not know the model is not asked: it
    /// would say something all the same.
    fn gene(
        &mut self,
        symbol: &str,
        say: &mut dyn FnMut(&str),
        stopped: &dyn Fn() -> bool,
    ) -> Result<String> {
        let Some(Known { store, .. }) = &self.known else {
            return self.ask(genes::instruction(symbol), Vec::new(), say, stopped);
        };
        let resolved = unpoisoned(store.lock()).resolve(symbol)?;
        let (record, remark) = match resolved {
            Resolution::Approved(record) => (record, None),
            Resolution::ByAlias { record, alias, role } => {
                let remark = format!("{alias} is {} of {}", role.words(), record.symbol);
                (record, Some(remark))
            }
            Resolution::Ambiguous { candidates } => return Ok(candidates_text(symbol, &candidates)),
            Resolution::Unknown { near } if near.is_empty() => {
                return Ok(format!("no gene of the database goes by {symbol:?}, so the model is not asked"));
            }
            Resolution::Unknown { near } => {
                let near = near.join(", ");
                return Ok(format!(
                    "no gene of the database goes by {symbol:?}, so the model is not asked; near it are {near}"
                ));
            }
        };
        say(&record_text(&record, remark.as_deref()));
        say("\n");
        let question = genes::instruction(record.symbol.as_str());
        self.ask(question, Vec::new(), say, stopped)
    }

    /// Asks the model, and holds what it says against the database.
    fn ask(
        &mut self,
        question: String,
        pictures: Vec<Picture>,
        say: &mut dyn FnMut(&str),
        stopped: &dyn Fn() -> bool,
    ) -> Result<String> {
        let turns = if self.remembers { self.transcript.turns() } else { Vec::new() };
        let answer = self.answer(question.clone(), turns, pictures, say, stopped)?;
        let checked = self.known.as_ref().map(|known| check(&question, &answer, &known.grader));
        let entry = Entry { question, answer, checked };
        let shown = entry.shown();
        self.transcript.push(entry);
        Ok(shown)
    }

    fn answer(
        &self,
        question: String,
        turns: Vec<Turn>,
        pictures: Vec<Picture>,
        say: &mut dyn FnMut(&str),
        stopped: &dyn Fn() -> bool,
    ) -> Result<String> {
        let models = &self.models;
        // With an adapter it is the adapter that is asked, the last of all.
        let which = models.names.len() - 1;
        let conversation = Conversation::new(turns, question, pictures);
        let prompt = models.prompt(which, conversation).map_err(|e| anyhow!(e.message))?;
        let Prompt { ids, pictures } = prompt;
        let room = models.engine.room(ids.len());
        let config = AnswerConfig {
            max_new_tokens: self.max_new_tokens.min(room).max(1),
            stop_ids: models.settings.stop_ids.clone(),
            repetition_penalty: models.settings.repetition_penalty as f32,
            no_repeat_ngram_size: models.settings.no_repeat_ngram_size,
            no_repeat_in_answer: 0,
            choice: Choice::Likeliest,
        };
        let request = Request { ids, pictures, adapter: models.adapter(which), config };
        let answering =
            models.engine.ask(request).context("the conversation cannot go on; /clear begins anew")?;
        let mut speech = Speech::new(Stops::default(), false);
        while !stopped() {
            let new = match answering.next() {
                Some(Told::Token(id)) => speech.push(id, &models.tokenizer)?.0,
                Some(Told::Done { .. }) => {
                    say(&speech.rest(&models.tokenizer)?);
                    break;
                }
                Some(Told::Failed(why)) => bail!(why),
                None => bail!("the engine has ended; start the program anew"),
            };
            say(&new);
        }
        Ok(speech.whole(&models.tokenizer)?)
    }
}

/// A picture file as it is, or a structure drawn as `render protein` draws it.
fn portrait(path: &Path) -> Result<Picture> {
    let ends = |end: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
    if ["png", "jpg", "jpeg"].into_iter().any(ends) {
        return Ok(Picture::read(path)?);
    }
    let (structure, _) = structure::read(path)?;
    protein::draw(&structure, &Settings::default()).with_context(|| path.display().to_string())
}
