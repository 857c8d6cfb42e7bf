//! `inspect logits` and `inspect batch`: what a model computes, and what it is trained on. `inspect memory` and
//! `inspect perplexity` are in `memory.rs` and `perplexity.rs`, `inspect continuations` in `continuations.rs`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use geneverse_data::dataset::{Example, PLACEHOLDER};
use geneverse_model::batch::{Encoding, Pack, Packing, Sequence, encode_examples};
use geneverse_model::config::ModelConfig;
use geneverse_model::pictures::{Album, PICTURE, PictureFile, Seen, place_ids};
use geneverse_model::recipe::Recipe;
use geneverse_model::tokens::Tokenizer;
use geneverse_model::train::order;
use geneverse_model::{Decoder, write_matrix};
use serde::Serialize;
use serde_json::json;

use crate::commands::continuations::{self, ContinuationsArgs};
use crate::commands::memory::{self, MemoryArgs};
use crate::commands::perplexity::{self, PerplexityArgs};
use crate::commands::train::read_data;
use crate::config::{model_folder, read_recipe};
use crate::pictures::{self, Looked, Through};
use crate::stop;
use crate::ui::Ui;

/// How many characters of what is cut off are shown; `--json` has all.
const LOST_SHOWN: usize = 160;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the logits of given tokens, to compare them with another program's
    Logits(LogitsArgs),
    /// Show the first micro-batch of a recipe as the model sees it
    Batch(BatchArgs),
    /// Predict the memory that a recipe's run will need
    Memory(MemoryArgs),
    /// Tell how well a model foresees a text
    Perplexity(PerplexityArgs),
    /// Show how a model goes on with texts that a seed chooses
    Continuations(ContinuationsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file is a safetensors file with one f32 tensor, `logits` (time, vocabulary): row i has the scores of the token \
after the first i + 1 ids. The ids are taken as they are: no begin-of-sequence token is added. The adapter is computed \
beside the weights, not merged. A file of that name is overwritten.

Example:
  geneverse inspect logits --model models/geneverse-nano --ids 1,15,27 --out logits.safetensors
  geneverse inspect logits --model llava --ids '1,<image>,13' --image protein.png --out logits.safetensors")]
pub(crate) struct LogitsArgs {
    /// A checkpoint folder
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A PEFT adapter for it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// Token ids with commas between; `<image>` stands for a picture, as the model's own token for it does
    #[arg(long, value_name = "ID,ID,…", value_parser = read_ids)]
    ids: Ids,
    /// A picture for a placeholder, PNG or JPEG; several in their order
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Stands for a picture among ids: a number that no token has.
const HERE: u32 = u32::MAX;

/// Token ids, at least one.
#[derive(Debug, Clone)]
struct Ids(Vec<u32>);

fn read_ids(text: &str) -> Result<Ids, String> {
    let way = "expected token ids with commas between, such as 1,15,27";
    if text.trim().is_empty() {
        return Err(format!("it holds no token id; {way}"));
    }
    let id = |part: &str| match part.trim() {
        PLACEHOLDER => Ok(HERE),
        part => part.parse(),
    };
    let id = |part: &str| id(part).map_err(|_| format!("{part:?} is no token id; {way}"));
    text.split(',').map(id).collect::<Result<_, _>>().map(Ids)
}

#[derive(Debug, Args)]
#[command(after_help = "\
The text that is trained stands between ⟦ and ⟧; the rest is read and not learnt. Special tokens are written out, line \
ends are ⏎. Rows are what the pack computes: what sequences begin with alike is computed once.

Example:
  geneverse inspect batch recipes/tiny.toml --set data.cutoff=256 --limit 2")]
pub(crate) struct BatchArgs {
    /// The recipe, a TOML file, as for `train`
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Lay a setting over the recipe: section.key=value
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Show only the first N sequences
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Runs `inspect`.
pub(crate) fn run(command: Command, ui: &Ui) -> Result<ExitCode> {
    match command {
        Command::Logits(args) => logits(args, ui),
        Command::Batch(args) => batch(args, ui),
        Command::Memory(args) => memory::run(args, ui),
        Command::Perplexity(args) => perplexity::run(&args, ui),
        Command::Continuations(args) => continuations::run(&args, ui),
    }
}

fn logits(args: LogitsArgs, ui: &Ui) -> Result<ExitCode> {
    let LogitsArgs { model, adapter, ids: Ids(ids), image, out } = args;
    let folder = model_folder(&model)?;
    let mut decoder = Decoder::read(&folder)?;
    let vocabulary = decoder.config().vocab_size;
    if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary && **id != HERE) {
        bail!(
            "--ids: {id} is outside of the vocabulary of {model}, expected ids from 0 to {}",
            vocabulary - 1
        );
    }
    if let Some(adapter) = &adapter {
        decoder = decoder.with_adapter(adapter)?;
    }
    let looked = {
        let (through, shown) = (Through::Tower(adapter.as_deref()), PictureFile::all(image.clone())?);
        pictures::look(&folder, through, &mut decoder, &shown, None, ui)?
    };
    if let Looked::Stopped = looked {
        return Ok(stop::exit());
    }
    let ids = with_pictures(&ids, &image, decoder.config(), looked.album())?;
    let logits = decoder.logits(&ids)?;
    write_matrix(&out, "logits", &logits, vocabulary)?;
    let said = json!({"out": out, "time": ids.len(), "vocabulary": vocabulary});
    ui.result(&said, || format!("{}: logits ({}, {vocabulary})", out.display(), ids.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// Ids with the tokens of pictures in their places.
fn with_pictures(
    ids: &[u32],
    image: &[PathBuf],
    config: &ModelConfig,
    album: Option<&Album>,
) -> Result<Vec<u32>> {
    let tokens: Vec<_> = image.iter().filter_map(|path| album?.ids(path)).collect();
    let token = config.vision.as_ref().and_then(|vision| vision.image_token());
    let ids: Vec<u32> = ids.iter().map(|id| if Some(*id) == token { HERE } else { *id }).collect();
    place_ids(&ids, HERE, &tokens).or_else(|places| {
        let pictures = image.len();
        bail!(
            "--image: {pictures} pictures, and --ids has {places} places for them; expected as many {PLACEHOLDER} in --ids, \
             or for each picture as many as it has tokens"
        )
    })
}

/// The first micro-batch of a recipe.
#[derive(Debug, Serialize)]
struct Batch {
    /// Sequences in it.
    sequences: usize,
    tokens: usize,
    trained_tokens: usize,
    rows: Rows,
    special: Special,
    /// The first of the sequences.
    shown: Vec<Shown>,
}

/// Rows that a pack of the batch computes.
#[derive(Debug, Serialize)]
struct Rows {
    /// What sequences begin with alike computed once.
    shared: usize,
    /// End to end.
    apart: usize,
    /// Each as long as the longest.
    padded: usize,
    /// Share of the padded rows that is padding.
    padding: f64,
    /// Which of them the recipe asks for.
    used: &'static str,
}

#[derive(Debug, Serialize)]
struct Special {
    bos: Option<Token>,
    eos: Vec<Token>,
    pad: Option<Token>,
}

#[derive(Debug, Serialize)]
struct Token {
    id: u32,
    text: String,
}

#[derive(Debug, Serialize)]
struct Shown {
    example: String,
    tokens: usize,
    trained_tokens: usize,
    cut: Option<Cut>,
    parts: Vec<Part>,
    ids: Vec<u32>,
    /// For each id the one it is trained to be followed by.
    labels: Vec<Option<u32>>,
}

/// What does not fit.
#[derive(Debug, Serialize)]
struct Cut {
    /// Tokens that are left.
    kept: usize,
    /// Tokens that there were.
    of: usize,
    lost: String,
}

/// Tokens on end that are all trained, or all not.
#[derive(Debug, Serialize)]
struct Part {
    trained: bool,
    text: String,
}

fn batch(args: BatchArgs, ui: &Ui) -> Result<ExitCode> {
    let BatchArgs { recipe, set, limit } = args;
    let recipe = read_recipe(&recipe, &set)?;
    let Some(batch) = first_batch(&recipe, limit.unwrap_or(usize::MAX), ui)? else { return Ok(stop::exit()) };
    ui.result(&batch, || batch_text(&batch))?;
    Ok(ExitCode::SUCCESS)
}

fn first_batch(recipe: &Recipe, limit: usize, ui: &Ui) -> Result<Option<Batch>> {
    let Some(base) = &recipe.model.base else {
        bail!(
            "recipe: model.base is missing, expected a checkpoint folder; there is no such batch in pretraining"
        )
    };
    let base = model_folder(base)?;
    let (config, tokenizer) = (ModelConfig::read(&base)?, Tokenizer::read(&base)?);
    let (examples, _) = read_data(recipe)?;
    let order = order(examples.len(), recipe.data.shuffle.then_some(recipe.run.seed), 0);
    let count = recipe.optim.micro_batch.min(recipe.optim.batch_size);
    let chosen: Vec<Example> = order.iter().take(count).map(|i| examples[*i].clone()).collect();
    let file = Path::new(&recipe.data.train);
    let shown = pictures::shown([(file, chosen.as_slice())])?;
    let looked = if shown.is_empty() {
        Looked::Nothing
    } else {
        pictures::look(&base, Through::Tower(None), &mut Decoder::read(&base)?, &shown, None, ui)?
    };
    if let Looked::Stopped = looked {
        return Ok(None);
    }
    let seen = looked.album().map(|album| Seen { album, file });
    let (sequences, encoded) = encode_examples(&chosen, &tokenizer, &config, &recipe.encoding(), seen)?;
    let rows = |packing| Pack::new(&sequences, &config, packing).len();
    let (apart, padded) = (rows(Packing::Apart), rows(Packing::Padded));
    let rows = Rows {
        shared: rows(Packing::Shared),
        apart,
        padded,
        padding: 1.0 - apart as f64 / padded.max(1) as f64,
        used: if recipe.data.pack { "shared" } else { "padded" },
    };
    let token = |id: &u32| Token { id: *id, text: tokenizer.token(*id).unwrap_or_default() };
    let special = Special {
        bos: config.bos_token_id.as_ref().map(token),
        eos: config.eos_token_ids.iter().map(token).collect(),
        pad: config.pad_token_id.as_ref().map(token),
    };
    let mut shown = Vec::new();
    for (example, sequence) in chosen.iter().zip(&sequences).take(limit) {
        let cut = match encoded.cut.contains(&example.id) {
            false => None,
            true => {
                let encoding = Encoding { cutoff: usize::MAX, ..recipe.encoding() };
                let whole =
                    encode_examples(std::slice::from_ref(example), &tokenizer, &config, &encoding, seen)?.0;
                let (ids, kept) = (&whole[0].ids, sequence.ids.len());
                Some(Cut { kept, of: ids.len(), lost: text(&tokenizer, &ids[..kept], &ids[kept..])? })
            }
        };
        shown.push(Shown {
            example: example.id.clone(),
            tokens: sequence.ids.len(),
            trained_tokens: sequence.trained(),
            cut,
            parts: parts(&tokenizer, sequence)?,
            ids: sequence.ids.clone(),
            labels: sequence.labels.clone(),
        });
    }
    let (tokens, trained_tokens) = (encoded.tokens, encoded.trained_tokens);
    Ok(Some(Batch { sequences: sequences.len(), tokens, trained_tokens, rows, special, shown }))
}

/// A sequence's text, where trained and untrained tokens meet taken apart.
fn parts(tokenizer: &Tokenizer, sequence: &Sequence) -> Result<Vec<Part>> {
    let Sequence { ids, labels } = sequence;
    // A label stands where the token before it is.
    let trained = |place: usize| place > 0 && labels[place - 1].is_some();
    let mut parts = Vec::new();
    let mut first = 0;
    for end in 1..=ids.len() {
        if end == ids.len() || trained(end) != trained(first) {
            let text = text(tokenizer, &ids[..first], &ids[first..end])?;
            parts.push(Part { trained: trained(first), text });
            first = end;
        }
    }
    Ok(parts)
}

/// The text of tokens that follow others, special tokens written out.
fn text(tokenizer: &Tokenizer, before: &[u32], ids: &[u32]) -> Result<String> {
    let (mut text, mut plain) = (String::new(), Vec::new());
    let before = &before.iter().copied().filter(|id| *id < PICTURE).collect::<Vec<u32>>();
    for id in ids {
        if *id >= PICTURE || tokenizer.decode(&[*id])?.is_empty() {
            text.push_str(&plain_text(tokenizer, before, &plain)?);
            plain.clear();
            match *id >= PICTURE {
                // A picture's tokens as one.
                true if text.ends_with(PLACEHOLDER) => {}
                true => text.push_str(PLACEHOLDER),
                false => text.push_str(&tokenizer.token(*id).unwrap_or_default()),
            }
        } else {
            plain.push(*id);
        }
    }
    text.push_str(&plain_text(tokenizer, before, &plain)?);
    Ok(text)
}

/// What tokens add to the text before them: a tokenizer that drops the first space of a text drops none in its middle.
fn plain_text(tokenizer: &Tokenizer, before: &[u32], ids: &[u32]) -> Result<String> {
    let (whole, begin) = (tokenizer.decode(&[before, ids].concat())?, tokenizer.decode(before)?);
    match whole.strip_prefix(&begin) {
        Some(text) => Ok(text.to_owned()),
        // A character that lies in tokens on both sides.
        None => Ok(tokenizer.decode(ids)?),
    }
}

fn batch_text(batch: &Batch) -> String {
    let Batch { sequences, tokens, trained_tokens, rows, special, shown } = batch;
    let mut text = format!(
        "first micro-batch: {sequences} sequences, {tokens} tokens, {trained_tokens} of them trained ({:.0} %)\n",
        100.0 * *trained_tokens as f64 / (*tokens).max(1) as f64
    );
    let Rows { shared, apart, padded, padding, used } = rows;
    let _ = writeln!(
        text,
        "rows computed: {shared} with what is alike computed once, {apart} apart, {padded} padded ({:.0} % padding); \
         this recipe: {used}",
        100.0 * padding
    );
    let name = |token: &Token| format!("{} {}", token.id, token.text);
    let one = |token: &Option<Token>| token.as_ref().map_or("none".to_owned(), name);
    let eos: Vec<String> = special.eos.iter().map(name).collect();
    let eos = if eos.is_empty() { "none".to_owned() } else { eos.join(", ") };
    let _ = writeln!(text, "begin {}, end {eos}, padding {}", one(&special.bos), one(&special.pad));
    for (number, sequence) in shown.iter().enumerate() {
        let Shown { example, tokens, trained_tokens, cut, parts, ids: _, labels: _ } = sequence;
        let _ = writeln!(text, "\n{} {example}: {tokens} tokens, {trained_tokens} trained", number + 1);
        for Part { trained, text: part } in parts {
            let part = part.replace('\n', "⏎");
            text.push_str(&if *trained { format!("⟦{part}⟧") } else { part });
        }
        text.push('\n');
        if let Some(Cut { kept, of, lost }) = cut {
            let lost = lost.replace('\n', "⏎");
            let more = if lost.chars().count() > LOST_SHOWN { "…" } else { "" };
            let _ = writeln!(
                text,
                "cut after {kept} of {of} tokens by data.cutoff; lost: {lost:.LOST_SHOWN$}{more}"
            );
        }
    }
    text
}
