//! `train` and `pretrain`: a recipe to an adapter or a model.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_data::dataset::{Example, read_examples};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{self, Found, atomic_write, hash_bytes, hash_file, write_json};
use geneverse_model::adapter::{LoraConfig, OfTower, write_adapter};
use geneverse_model::batch::{EncodingReport, Sequence, encode_documents, encode_examples};
use geneverse_model::config::ModelConfig;
use geneverse_model::heap::peak_rss_mib;
use geneverse_model::memory::resident;
use geneverse_model::pictures::{PictureFile, Seen};
use geneverse_model::recipe::{Kind, Recipe, TowerTraining};
use geneverse_model::run::{check_checkpoint, has_checkpoint};
use geneverse_model::tokens::Tokenizer;
use geneverse_model::train::{Outcome, Run, Steps, remove_checkpoints, train};
use geneverse_model::{Decoder, Precision, Sight};
use serde::Serialize;
use serde_json::{Value, json};

use crate::asking::{ASKING, Asking};
use crate::commands::adapter::write_chat_template;
use crate::commands::preflight::Preflight;
use crate::config::{base_folder, read_recipe, write_recipe};
use crate::inputs::model_inputs;
use crate::pictures::{self, Looked, Through};
use crate::stop;
use crate::ui::Ui;

/// Arguments of `train` and `pretrain`.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// The recipe, a TOML file
    recipe: PathBuf,
    /// Lay a setting over the recipe: section.key=value
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The run's folder [default: runs/NAME-OF-THE-RECIPE]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the newest checkpoint in the run's folder
    #[arg(long)]
    resume: bool,
    /// Go on although the recipe or the data has changed; the manifest will say what was different
    #[arg(long, requires = "resume")]
    ignore_changes: bool,
}

/// What to do with a checkpoint in the run's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Refuse: the folder holds an unfinished run.
    Never,
    /// Go on if it is of the same recipe and data.
    Same,
    /// Go on whatever it is of.
    Changed,
}

impl TrainArgs {
    fn folder(&self) -> PathBuf {
        let stem = self.recipe.file_stem().unwrap_or_default();
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(stem))
    }

    fn resume(&self) -> Resume {
        match (self.resume, self.ignore_changes) {
            (false, _) => Resume::Never,
            (true, false) => Resume::Same,
            (true, true) => Resume::Changed,
        }
    }
}

/// Runs `train`.
pub(crate) fn run(args: &TrainArgs, ui: &Ui) -> Result<ExitCode> {
    let recipe = read_recipe(&args.recipe, &args.set)?;
    report(&finetune(&recipe, &args.folder(), args.resume(), ui)?, &args.folder(), ui)
}

/// Runs `pretrain`.
pub(crate) fn run_pretrain(args: &TrainArgs, ui: &Ui) -> Result<ExitCode> {
    let recipe = read_recipe(&args.recipe, &args.set)?;
    report(&pretrain(&recipe, &args.folder(), args.resume(), ui)?, &args.folder(), ui)
}

/// How a training stage ended.
#[derive(Debug, Serialize)]
pub(crate) struct Trained {
    /// Where the adapter or the model lies.
    pub(crate) result: PathBuf,
    /// Whether an earlier process had finished it.
    pub(crate) found_done: bool,
    /// How it went.
    pub(crate) outcome: Outcome,
}

fn report(trained: &Trained, folder: &Path, ui: &Ui) -> Result<ExitCode> {
    let outcome = &trained.outcome;
    ui.result(trained, || match (outcome.finished, trained.found_done) {
        (true, true) => format!("already finished: {}", trained.result.display()),
        (true, false) => {
            let best = outcome.best.as_ref();
            let best = best.map(|b| format!(", best validation loss {:.4} at step {}", b.eval_loss, b.step));
            format!(
                "{} steps, loss {:.4}{}, {:.0} tokens/s\n{}",
                outcome.steps,
                outcome.last_loss,
                best.unwrap_or_default(),
                outcome.tokens_per_second,
                trained.result.display()
            )
        }
        (false, _) => format!(
            "stopped after step {} of {}; go on with the same command and --resume (or remove {})",
            outcome.steps,
            outcome.total_steps,
            folder.display()
        ),
    })?;
    Ok(if outcome.finished { ExitCode::SUCCESS } else { stop::exit() })
}

/// What the tower sees of the pictures, in a run's folder.
const FEATURES: &str = "features";

/// The stage `train`.
pub(crate) fn finetune(recipe: &Recipe, out: &Path, resume: Resume, ui: &Ui) -> Result<Trained> {
    let base = base_folder(recipe)?;
    let recipe = &recipe.clone().for_model(&ModelConfig::read(&base)?)?;
    let mut inputs = model_inputs(&base)?;
    inputs.insert("train".to_owned(), hash_file(Path::new(&recipe.data.train))?);
    if let Some(validation) = &recipe.data.validation {
        inputs.insert("validation".to_owned(), hash_file(Path::new(validation))?);
    }
    let shown = if recipe.vision.is_some() { pictures_of(recipe, &read_data(recipe)?)? } else { Vec::new() };
    pictures::add_inputs(&ModelConfig::read(&base)?, &shown, &mut inputs)?;
    let result = out.join(if recipe.method.kind == Kind::Lora { "adapter" } else { "model" });
    let stage = Stage { name: "train", out, recipe, inputs: json!(inputs), result, resume };
    if let Some(done) = stage.look()? {
        return Ok(done);
    }
    let tokenizer = Tokenizer::read(&base)?;
    let mut model = Decoder::read(&base)?;
    let lora = recipe.lora()?;
    if let Some(lora) = &lora {
        // Before anything is told of a run that cannot be.
        lora.check_targets(model.config()).context("recipe: method.targets")?;
    }
    let (train_set, validation_set) = read_data(recipe)?;
    let features = out.join(FEATURES);
    let kept = recipe.vision.as_ref().and_then(|vision| vision.features.as_deref()).map(Path::new);
    check_tower_of_init(recipe)?;
    let (through, place) = (Through::of(recipe), kept.unwrap_or(&features));
    let looked = pictures::look(&base, through, &mut model, &shown, Some(place), ui)?;
    if let Looked::Stopped = looked {
        let outcome = Outcome::stopped_before(Steps::new(recipe, train_set.len()).total);
        return Ok(Trained { result: stage.result, found_done: false, outcome });
    }
    let encode = |examples: &[Example], file: &str| {
        let seen = looked.album().map(|album| Seen { album, file: Path::new(file) });
        encode_examples(examples, &tokenizer, model.config(), &recipe.encoding(), seen)
            .with_context(|| file.to_owned())
    };
    let (sequences, encoded) = encode(&train_set, &recipe.data.train)?;
    let validation = match validation_set.is_empty() {
        true => Vec::new(),
        false => encode(&validation_set, validation_file(recipe))?.0,
    };
    let names: Vec<String> = train_set.into_iter().map(|example| example.id).collect();
    drop(validation_set);
    let recompute = Preflight {
        recipe,
        model: &model,
        tokenizer: &tokenizer,
        sequences: &sequences,
        validation: &validation,
        encoded: &encoded,
        program: resident(),
    }
    .check(ui)?;
    let mut model = match (&lora, recipe.method.blocks) {
        (Some(lora), _) => model.train_lora(lora, recipe.run.seed)?,
        (None, Some(blocks)) => model.expand(blocks)?,
        (None, None) => model.train_all(),
    };
    if let Some(rate) = recipe.projector_rate() {
        model = model.train_projector(rate)?;
    }
    if let Some(rate) = recipe.tower_rate() {
        let sight = Sight::read(&base, model.config())?;
        let whole = recipe.vision.as_ref().is_some_and(|vision| vision.tower == TowerTraining::Trained);
        let lora = lora.as_ref().filter(|_| !whole);
        model = model.train_tower(sight, lora, recipe.run.seed, rate);
        looked.album().into_iter().for_each(|album| model.show(album));
    }
    if let Some(init) = &recipe.method.init {
        model = model.load_adapter(Path::new(init))?;
    }
    ui.note(&format!(
        "  {} of {} parameters are trained",
        thousands(model.trained_len()),
        thousands(model.weights_len())
    ));
    let data = Data { sequences: &sequences, validation: &validation, names: &names };
    let outcome = stage.train(&mut model, &data, recompute, ui)?;
    if !outcome.finished {
        return Ok(Trained { result: stage.result, found_done: false, outcome });
    }
    let name = base.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match &lora {
        Some(lora) => write_adapter(&model, lora, &stage.result, &name)?,
        None => {
            model.write_beside(&base, &stage.result, Precision::F32)?;
            tokenizer.write(&stage.result)?;
            keep_generation(&base, &stage.result)?;
        }
    }
    let asking = Asking::trained_on(Path::new(&recipe.data.train), recipe.data.prompt);
    write_json(&stage.result.join(ASKING), &asking)?;
    if lora.is_none() && model.config().vision.is_none() {
        // A whole model is served by other programs as it lies here.
        write_chat_template(&asking.prompt.jinja(model.config().bos_token_id.is_some()), &stage.result)?;
    }
    let trained = stage.finish(&encoded, outcome)?;
    if kept.is_none() && features.exists() {
        // Nothing reads them any more.
        drop((model, looked));
        std::fs::remove_dir_all(&features)
            .with_context(|| format!("{}: cannot remove", features.display()))?;
    }
    Ok(trained)
}

/// The stage `pretrain`: text, a document a line, to a new model and its tokenizer.
pub(crate) fn pretrain(recipe: &Recipe, out: &Path, resume: Resume, ui: &Ui) -> Result<Trained> {
    let Some(shape) = &recipe.model.shape else {
        bail!("recipe: [model.shape] is missing, expected the shape of the new model");
    };
    if recipe.method.kind != Kind::Full {
        bail!("recipe: method.kind is \"lora\", expected \"full\": a new model has no weights to adapt");
    }
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| format!("{path}: cannot read"));
    let text = read(&recipe.data.train)?;
    let validation = recipe.data.validation.as_deref().map(read).transpose()?.unwrap_or_default();
    let inputs =
        json!({"train": hash_bytes(text.as_bytes()), "validation": hash_bytes(validation.as_bytes())});
    let stage = Stage { name: "pretrain", out, recipe, inputs, result: out.join("model"), resume };
    if let Some(done) = stage.look()? {
        return Ok(done);
    }
    let config = shape.config()?;
    let tokenizer_folder = out.join("tokenizer");
    let tokenizer = if tokenizer_folder.join("tokenizer.json").exists() {
        Tokenizer::read(&tokenizer_folder)?
    } else {
        ui.note("  training the tokenizer");
        let tokenizer = Tokenizer::train(text.lines(), config.vocab_size)?;
        tokenizer.write(&tokenizer_folder)?;
        tokenizer
    };
    if tokenizer.vocabulary() > config.vocab_size {
        bail!(
            "recipe: model.shape.vocabulary is {}, expected at least {}",
            config.vocab_size,
            tokenizer.vocabulary()
        );
    }
    let cutoff = recipe.data.cutoff;
    let documents =
        |text: &str| text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (train_text, validation_text) = (documents(&text), documents(&validation));
    let (sequences, encoded) =
        encode_documents(train_text.iter().map(String::as_str), &tokenizer, &config, cutoff)
            .with_context(|| recipe.data.train.clone())?;
    let validation = match validation_text.is_empty() {
        true => Vec::new(),
        false => encode_documents(validation_text.iter().map(String::as_str), &tokenizer, &config, cutoff)?.0,
    };
    let program = resident();
    let model = Decoder::random(config, recipe.run.seed);
    let recompute = Preflight {
        recipe,
        model: &model,
        tokenizer: &tokenizer,
        sequences: &sequences,
        validation: &validation,
        encoded: &encoded,
        program,
    }
    .check(ui)?;
    let (mut model, names) = (model.train_all(), Vec::new());
    ui.note(&format!("  {} parameters are trained", thousands(model.weights_len())));
    let data = Data { sequences: &sequences, validation: &validation, names: &names };
    let outcome = stage.train(&mut model, &data, recompute, ui)?;
    if !outcome.finished {
        return Ok(Trained { result: stage.result, found_done: false, outcome });
    }
    model.write(&stage.result, Precision::Bf16)?;
    tokenizer.write(&stage.result)?;
    stage.finish(&encoded, outcome)
}

/// What the two stages share: a folder, a key, a loop, a manifest.
struct Stage<'a> {
    name: &'static str,
    out: &'a Path,
    recipe: &'a Recipe,
    inputs: Value,
    result: PathBuf,
    resume: Resume,
}

/// What a run is trained with.
struct Data<'a> {
    sequences: &'a [Sequence],
    validation: &'a [Sequence],
    /// Of the examples, for errors.
    names: &'a [String],
}

impl Stage<'_> {
    fn key(&self) -> Value {
        // Where the files lie does not matter, only what is in them; neither does how often a run is saved, nor how
        // its memory is used.
        let mut recipe = json!(self.recipe);
        for (section, key) in [
            ("model", "base"),
            ("data", "train"),
            ("data", "validation"),
            ("run", "save_every"),
            ("run", "keep"),
            ("run", "recompute"),
            ("run", "check_memory"),
            ("vision", "features"),
        ] {
            if let Some(section) = recipe.get_mut(section).and_then(Value::as_object_mut) {
                section.remove(key);
            }
        }
        json!({"inputs": self.inputs, "seed": self.recipe.run.seed, "recipe": recipe})
    }

    fn look(&self) -> Result<Option<Trained>> {
        if let Found::Done(manifest) = stage::look(self.out, self.name, &self.key())? {
            let outcome = serde_json::from_value(manifest.facts["outcome"].clone())
                .with_context(|| format!("{}: not a manifest of this program", self.out.display()))?;
            return Ok(Some(Trained { result: self.result.clone(), found_done: true, outcome }));
        }
        if self.resume == Resume::Never && has_checkpoint(self.out) {
            bail!(
                "{}: holds an unfinished run; add --resume to go on with it, or choose another --out",
                self.out.display()
            );
        }
        if self.resume == Resume::Same {
            check_checkpoint(self.out, &self.key())?;
        }
        Ok(None)
    }

    fn train(&self, model: &mut Decoder, data: &Data<'_>, recompute: bool, ui: &Ui) -> Result<Outcome> {
        stop::listen();
        write_recipe(self.out, self.recipe)?;
        let key = self.key();
        let run = Run {
            recipe: self.recipe,
            folder: self.out,
            key: &key,
            ignore_changes: self.resume == Resume::Changed,
            names: data.names,
            recompute,
            progress: ui,
            stop: &stop::asked,
        };
        let begun = Instant::now();
        let outcome = train(model, data.sequences, data.validation, &run)?;
        ui.note(&format!(
            "  {:.0} s, {:.0} tokens/s",
            begun.elapsed().as_secs_f64(),
            outcome.tokens_per_second
        ));
        Ok(outcome)
    }

    fn finish(self, encoded: &EncodingReport, outcome: Outcome) -> Result<Trained> {
        let facts = json!({"outcome": outcome, "data": encoded, "peak_rss_mib": peak_rss_mib()});
        stage::finish(self.out, self.name, self.key(), facts)?;
        // The result is written and marked: optimizer states are of no more use.
        remove_checkpoints(self.out)?;
        Ok(Trained { result: self.result, found_done: false, outcome })
    }
}

/// The file that validation examples are from.
pub(crate) fn validation_file(recipe: &Recipe) -> &str {
    recipe.data.validation.as_deref().unwrap_or(&recipe.data.train)
}

/// The pictures of training and validation examples.
pub(crate) fn pictures_of(
    recipe: &Recipe,
    (train, validation): &(Vec<Example>, Vec<Example>),
) -> Result<Vec<PictureFile>> {
    let files = [(recipe.data.train.as_str(), train), (validation_file(recipe), validation)];
    pictures::shown(files.into_iter().map(|(file, examples)| (Path::new(file), examples.as_slice())))
}

/// Training and validation examples; without a validation file, the last `validation_size` in a drawn order.
pub(crate) fn read_data(recipe: &Recipe) -> Result<(Vec<Example>, Vec<Example>)> {
    let mut examples = read_examples(Path::new(&recipe.data.train))?;
    if let Some(path) = &recipe.data.validation {
        return Ok((examples, read_examples(Path::new(path))?));
    }
    let size = recipe.data.validation_size;
    if size >= examples.len() {
        bail!(
            "recipe: data.validation_size is {size}, expected less than the {} examples of {}",
            examples.len(),
            recipe.data.train
        );
    }
    if size == 0 {
        return Ok((examples, Vec::new()));
    }
    // Drawn by the hash of each example's text, so that the same examples are held out whatever the order.
    examples.sort_by_cached_key(|e| {
        hash_bytes(format!("{}\0{}{}", recipe.run.seed, e.instruction, e.output).as_bytes())
    });
    let validation = examples.split_off(examples.len() - size);
    Ok((examples, validation))
}

/// An adapter to start from must not have what of the tower the recipe does not train: pictures would be looked at without it.
fn check_tower_of_init(recipe: &Recipe) -> Result<()> {
    let (Some(init), Some(vision)) = (&recipe.method.init, &recipe.vision) else { return Ok(()) };
    let trained = match LoraConfig::read(Path::new(init))?.tower {
        OfTower::Nothing => return Ok(()),
        OfTower::LowRank => TowerTraining::Adapted,
        OfTower::Whole => TowerTraining::Trained,
    };
    if vision.tower != trained {
        bail!(
            "recipe: vision.tower is {}, expected {}, which is what the adapter of method.init has of the tower",
            json!(vision.tower),
            json!(trained)
        );
    }
    Ok(())
}

/// The base model's own ids that end an answer go with a model made of it.
fn keep_generation(base: &Path, model: &Path) -> Result<()> {
    let [from, to] = [base, model].map(|folder| folder.join("generation_config.json"));
    if from.exists() {
        let bytes = std::fs::read(&from).with_context(|| format!("{}: cannot read", from.display()))?;
        atomic_write(&to, |out| out.write_all(&bytes))?;
    }
    Ok(())
}

/// 1234567 → "1,234,567".
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
