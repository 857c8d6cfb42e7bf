//! Records looked up before another answerer is asked.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use geneverse_data::dataset::Example;
use geneverse_data::progress::Progress;
use geneverse_data::stage::{hash_bytes, hash_file};
use geneverse_eval::retriever::{Encoder, Form, Found, Latent, Place, Recipe, Retriever, Why, ask};
use geneverse_model::embed::{Embedder, sentence_files, transformer_folder};
use serde_json::{Value, json};

use super::part::beside;
use super::{Answerer, Hear, Source};
use crate::commands::postprocess::read_index;
use crate::inputs::model_inputs;
use crate::ui::Ui;

/// How records are looked up.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) db: PathBuf,
    pub(crate) recipe: Recipe,
    pub(crate) top_k: usize,
    /// Tokens of a passage.
    pub(crate) chunk: usize,
    /// Tokens that [`Recipe::Symbol`] keeps to.
    pub(crate) context: usize,
    pub(crate) embedder: Option<PathBuf>,
}

impl Lookup {
    /// What is found depends on, but for the database.
    pub(crate) fn key(&self) -> Result<Value> {
        let Self { db: _, recipe, top_k, chunk, context, embedder } = self;
        let context = (*recipe == Recipe::Symbol).then_some(context);
        let mut key = json!({"recipe": recipe, "top_k": top_k, "chunk": chunk, "context": context});
        if recipe.form() == Form::Lines {
            key["form"] = json!("lines");
        }
        if let Some(folder) = embedder {
            let mut inputs = model_inputs(&transformer_folder(folder)?)?;
            for path in sentence_files(folder)? {
                inputs.insert(
                    path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                    hash_file(&path)?,
                );
            }
            key["embedder"] = json!(inputs);
        }
        Ok(key)
    }

    /// Reads the database and looks at every passage; where a run before this one has, at what it kept beside the database.
    pub(crate) fn open(&self, ui: &Ui) -> Result<Retriever> {
        let index = read_index(&self.db)?;
        ui.start("passages", None, "passages");
        let encoder = |texts: &[&str], state: Option<&[u8]>| -> Result<Box<dyn Encoder>, String> {
            match (&self.embedder, state) {
                (None, None) => Ok(Box::new(Latent::new(texts))),
                (None, Some(state)) => Ok(Box::new(Latent::from_state(state)?)),
                (Some(folder), _) => {
                    let embedder = Embedder::read(folder, None, None).map_err(|e| e.to_string())?;
                    Ok(Box::new(OfModel(embedder)))
                }
            }
        };
        let place = self.place()?;
        let form = self.recipe.form();
        let progress: &dyn Progress = ui;
        let retriever = Retriever::new(index, form, self.chunk, Some((&place, progress)), encoder)
            .map_err(|why| anyhow!(why))?;
        ui.finish();
        Ok(retriever)
    }

    /// `genes.db.lines-512.vectors` beside the database, or with a model's hash in its name.
    fn place(&self) -> Result<Place> {
        let form = match self.recipe.form() {
            Form::Lines => "lines",
            Form::Document => "document",
        };
        let model = self.embedder.is_some().then(|| self.key().map(|key| key["embedder"].to_string()));
        let model = model.transpose()?;
        let named =
            model.as_ref().map_or(String::new(), |model| format!("-{}", &hash_bytes(model.as_bytes())[..8]));
        let encoder = model.unwrap_or_else(Latent::kind);
        Ok(Place { file: beside(&self.db, &format!("{form}-{}{named}.vectors", self.chunk)), encoder })
    }

    /// A question with what was found for it, without the records of some genes.
    pub(crate) fn ask(
        &self,
        retriever: &Retriever,
        example: &Example,
        k: usize,
        left_out: &BTreeSet<String>,
    ) -> Result<(Example, Vec<Source>)> {
        let found = retriever
            .find_without(&example.instruction, self.recipe, k, left_out)
            .map_err(|why| anyhow!("--embedder: {why}"))?;
        Ok((ask(example, &found, self.recipe, self.context), found.iter().map(source).collect()))
    }
}

fn source(found: &Found<'_>) -> Source {
    let Found { passage, why, score } = found;
    Source { symbol: passage.symbol.clone(), piece: passage.piece, score: *score, named: *why == Why::Named }
}

/// Vectors of a model.
struct OfModel(Embedder);

impl Encoder for OfModel {
    fn width(&self) -> usize {
        self.0.width()
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, String> {
        self.0.embed(texts).map(|vectors| vectors.numbers).map_err(|e| e.to_string())
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// Another answerer with records put before it.
pub(super) struct Retrieving<'a> {
    inner: Box<dyn Answerer + 'a>,
    lookup: Lookup,
    retriever: Option<Retriever>,
    ui: &'a Ui,
}

impl<'a> Retrieving<'a> {
    pub(super) fn new(inner: Box<dyn Answerer + 'a>, lookup: Lookup, ui: &'a Ui) -> Self {
        Self { inner, lookup, retriever: None, ui }
    }
}

impl Answerer for Retrieving<'_> {
    fn answer(&mut self, questions: &[Example], hear: &mut Hear<'_>) -> Result<()> {
        let retriever = match self.retriever.take() {
            Some(retriever) => retriever,
            None => self.lookup.open(self.ui)?,
        };
        let (mut asked, mut sources) = (Vec::new(), Vec::new());
        let all = BTreeSet::new();
        for example in questions {
            let (example, found) = self.lookup.ask(&retriever, example, self.lookup.top_k, &all)?;
            asked.push(example);
            sources.push(found);
        }
        self.retriever = Some(retriever);
        self.inner.answer(&asked, &mut |place, outcome| {
            let outcome = outcome.map(|mut said| {
                said.trace.sources.clone_from(&sources[place]);
                said
            });
            hear(place, outcome)
        })
    }

    fn load_seconds(&self) -> f64 {
        self.inner.load_seconds()
    }
}
