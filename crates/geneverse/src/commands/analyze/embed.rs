//! `analyze embed`: texts → vectors, in NumPy's format.
//!
//! A model's vectors are kept in `OUT.part` as they are made, [`CHUNK`] texts to a line, so that an interrupted run goes
//! on where it was; an endpoint's in the cache. At the end OUT, its ids and its manifest are written, and the part goes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{ArgGroup, Args};
use geneverse_data::chat::Address;
use geneverse_data::embeddings::{Asking, EmbeddingsClient, Ended, Packed};
use geneverse_data::progress::Progress;
use geneverse_data::stage::{Found, atomic_write, finish, hash_bytes, hash_file, look};
use geneverse_data::store::GeneStore;
use geneverse_data::texts::{self, Text};
use geneverse_eval::embedding::{Embedding, ids_path, write_npy};
use geneverse_model::embed::{Embedder, sentence_files, transformer_folder};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::model_folder;
use crate::endpoint::{above_zero, key, settings};
use crate::inputs::model_inputs;
use crate::stop;
use crate::ui::Ui;

const STAGE: &str = "analyze embed";

/// Texts that are made into vectors together: a second or two of work, which is what an interruption costs.
const CHUNK: usize = 256;

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("source").required(true).args(["db", "texts", "answers"])),
    group(ArgGroup::new("maker").required(true).args(["model", "endpoint"])),
    after_help = "\
A sentence encoder (BERT or RoBERTa: all-MiniLM-L6-v2, bge-small-en-v1.5) is pooled as its folder says (modules.json, \
1_Pooling, sentence_bert_config.json); of any other model the states after the last norm are averaged over a text's \
tokens. Writes FILE as numpy.load reads it (f32, a row for each text), FILE.ids.txt with an id on each line, and \
FILE.manifest.json. The same command goes on after an interruption.

Examples:
  geneverse analyze embed --model all-MiniLM-L6-v2 --db genes.db --out embeddings.npy
  geneverse analyze embed --model models/geneverse-nano --adapter runs/lora-genes/adapter \\
      --answers answers.jsonl --out states.npy
  geneverse analyze embed --endpoint https://api.openai.com/v1 --endpoint-model text-embedding-3-small \\
      --texts texts.tsv --out embeddings.npy
  geneverse analyze clusters --embeddings embeddings.npy --out clusters"
)]
pub(crate) struct EmbedArgs {
    /// A checkpoint folder: a sentence encoder, or any decoder
    #[arg(long, value_name = "DIR")]
    model: Option<String>,
    /// A LoRA adapter for a decoder
    #[arg(long, value_name = "DIR", requires = "model")]
    adapter: Option<PathBuf>,
    /// Cut texts at so many tokens, those around a text included [default: what the model reads]
    #[arg(long, value_name = "N", requires = "model")]
    max_tokens: Option<usize>,
    /// An OpenAI-compatible endpoint's address, which usually ends in /v1
    #[arg(long, value_name = "URL", requires = "endpoint_model")]
    endpoint: Option<String>,
    /// The model's name at the endpoint
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
    /// Numbers of a vector, for endpoint models that let one choose
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = clap::value_parser!(u64).range(1..))]
    dimensions: Option<u64>,
    /// Texts of a request to the endpoint [default: 64]
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = clap::value_parser!(u64).range(1..=2048))]
    batch: Option<u64>,
    /// Requests under way at once [default: 4]
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = clap::value_parser!(u64).range(1..=512))]
    concurrency: Option<u64>,
    /// At most so many requests in a minute
    #[arg(long, value_name = "N", requires = "endpoint", value_parser = above_zero)]
    requests_per_minute: Option<f64>,
    /// The environment variable that holds the endpoint's key [default: OPENAI_API_KEY]
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    api_key_env: Option<String>,
    /// How long an answer of the endpoint may take, in seconds [default: 120]
    #[arg(long, value_name = "SECONDS", requires = "endpoint", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Where the endpoint's vectors are kept [default: FILE.cache.jsonl]
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    cache: Option<PathBuf>,
    /// The summaries of a database, as made by `genes import`
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Texts: a line `id<TAB>text` each, or JSON Lines with `id` and `text`
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Answers, as written by `generate` or `postprocess`
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// The file to write, .npy
    #[arg(long, value_name = "FILE", default_value = "embeddings.npy")]
    out: PathBuf,
}

/// What embedding came to.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    out: PathBuf,
    texts: usize,
    width: usize,
    /// What made the vectors.
    by: String,
    /// Tokens read, of all runs; those that an endpoint counted, of this one.
    tokens: u64,
    /// Ids of texts that were longer than the model reads.
    cut: Vec<String>,
    /// Ids of texts without a token, whose vector is zero.
    empty: Vec<String>,
    /// Texts of this run, and how long it took.
    texts_now: usize,
    seconds: f64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    found_done: bool,
}

/// Runs `analyze embed`.
pub(crate) fn run(args: &EmbedArgs, ui: &Ui) -> Result<ExitCode> {
    let EmbedArgs { model, adapter, max_tokens, out, .. } = args;
    ensure!(
        out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")),
        "--out {}: expected a name that ends in .npy, NumPy's format",
        out.display()
    );
    let mut key = json!({"inputs": BTreeMap::from([source(args)?])});
    let maker = match (model, &args.endpoint, &args.endpoint_model) {
        (Some(model), ..) => {
            let folder = model_folder_of(model)?;
            key["model"] = json!(inputs(&folder, adapter.as_deref())?);
            key["max_tokens"] = json!(max_tokens);
            Maker::Folder(folder)
        }
        (None, Some(address), Some(model)) => {
            let address = Address::parse(address).map_err(|reason| anyhow!("--endpoint: {reason}"))?;
            key["endpoint_model"] = json!(model);
            key["dimensions"] = json!(args.dimensions);
            Maker::Endpoint(address, model.clone())
        }
        _ => bail!("expected --model, or --endpoint with --endpoint-model"),
    };
    if let Found::Done(manifest) = look(out, STAGE, &key)? {
        let report: Report = serde_json::from_value(manifest.facts)
            .with_context(|| format!("{}: its manifest is not as this program writes it", out.display()))?;
        return told(&Report { out: out.clone(), texts_now: 0, found_done: true, ..report }, ui);
    }
    stop::listen();
    let texts = read_texts(args)?;
    let begun = Instant::now();
    let mut part = Part::open(out, &hash_bytes(key.to_string().as_bytes()))?;
    let made = match maker {
        Maker::Folder(folder) => by_model(args, &folder, &texts, &mut part, ui)?,
        Maker::Endpoint(address, model) => by_endpoint(args, address, model, &texts, ui)?,
    };
    let Some((mut report, vectors)) = made else { return Ok(stop::exit()) };
    report.out = out.clone();
    report.texts = texts.len();
    report.seconds = begun.elapsed().as_secs_f64();
    let ids = texts.into_iter().map(|text| text.id).collect();
    write_npy(out, &Embedding { ids, vectors, dimensions: report.width })?;
    finish(out, STAGE, key, serde_json::to_value(&report)?)?;
    part.remove()?;
    told(&report, ui)
}

enum Maker {
    Folder(PathBuf),
    Endpoint(Address, String),
}

fn told(report: &Report, ui: &Ui) -> Result<ExitCode> {
    ui.result(report, || {
        let Report { out, texts, width, by, cut, empty, texts_now, seconds, found_done, .. } = report;
        let mut lines = vec![format!("{}: {texts} vectors of {width} numbers, by {by}", out.display())];
        if !cut.is_empty() {
            lines.push(format!("  {} texts were longer than that and lost their ends", cut.len()));
        }
        if !empty.is_empty() {
            lines.push(format!("  {} texts are empty: their vectors are zero", empty.len()));
        }
        lines.push(match found_done {
            true => "  made earlier from the same input".to_owned(),
            false => format!("  {seconds:.1} s, {:.0} texts/s", *texts_now as f64 / seconds.max(1e-9)),
        });
        lines.push(format!("  ids: {}", ids_path(out).display()));
        lines.join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The name and hash of what texts are read from.
fn source(args: &EmbedArgs) -> Result<(&'static str, String)> {
    let EmbedArgs { db, texts, answers, .. } = args;
    match (db, texts, answers) {
        (Some(path), ..) => Ok(("db", hash_file(path)?)),
        (_, Some(path), _) => Ok(("texts", hash_file(path)?)),
        (.., Some(path)) => Ok(("answers", hash_file(path)?)),
        _ => bail!("expected --db, --texts or --answers"),
    }
}

fn read_texts(args: &EmbedArgs) -> Result<Vec<Text>> {
    let EmbedArgs { db, texts: table, answers, .. } = args;
    let texts = match (db, table, answers) {
        (Some(path), ..) => texts::of_database(&GeneStore::open(path)?)?,
        (_, Some(path), _) => texts::read(path)?,
        (.., Some(path)) => texts::of_answers(path)?,
        _ => Vec::new(),
    };
    if texts.is_empty() {
        let path = db.as_deref().unwrap_or(Path::new("--db"));
        bail!("{}: has no gene with a summary; import some with `genes import --summaries`", path.display());
    }
    Ok(texts)
}

/// The model's folder. That of a sentence encoder need not have its `config.json` at its top.
fn model_folder_of(name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(name);
    if folder.join("modules.json").exists() { Ok(folder) } else { model_folder(name) }
}

/// The files that vectors depend on, by what is in them.
fn inputs(folder: &Path, adapter: Option<&Path>) -> Result<BTreeMap<String, String>> {
    let mut inputs = model_inputs(&transformer_folder(folder)?)?;
    for path in sentence_files(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        inputs.insert(name, hash_file(&path)?);
    }
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        if let Some(adapter) = adapter {
            inputs.insert(file.to_owned(), hash_file(&adapter.join(file))?);
        }
    }
    Ok(inputs)
}

/// Vectors by a model on this machine; `None` where it was stopped.
fn by_model(
    args: &EmbedArgs,
    folder: &Path,
    texts: &[Text],
    part: &mut Part,
    ui: &Ui,
) -> Result<Option<(Report, Vec<f32>)>> {
    let embedder = Embedder::read(folder, args.adapter.as_deref(), args.max_tokens)?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let before = (part.chunks.len() * CHUNK).min(texts.len());
    ui.start(&format!("vectors ({name})"), Some(texts.len() as u64), "texts");
    ui.set(before as u64);
    let (begun, mut tokens_now) = (Instant::now(), 0);
    for (number, chunk) in texts.chunks(CHUNK).enumerate().skip(part.chunks.len()) {
        let words: Vec<&str> = chunk.iter().map(|text| text.text.as_str()).collect();
        let made = embedder.embed(&words)?;
        tokens_now += made.tokens;
        part.push(Chunk {
            tokens: made.tokens as u64,
            cut: made.cut,
            empty: made.empty,
            numbers: Packed::of(&made.numbers),
        })?;
        ui.set((number * CHUNK + chunk.len()) as u64);
        ui.state(&format!("{:.0} tokens/s", tokens_now as f64 / begun.elapsed().as_secs_f64()));
        if stop::asked() && number * CHUNK + chunk.len() < texts.len() {
            ui.finish();
            let done = number * CHUNK + chunk.len();
            ui.note(&format!("stopped after {done} of {} texts; the same command goes on", texts.len()));
            return Ok(None);
        }
    }
    ui.finish();
    let width = embedder.width();
    let mut report =
        Report { width, by: embedder.describe(), texts_now: texts.len() - before, ..Report::default() };
    let mut vectors = Vec::with_capacity(texts.len() * width);
    for (chunk, texts) in part.chunks.iter().zip(texts.chunks(CHUNK)) {
        let ids = |of: &[usize]| {
            of.iter().filter_map(|text| Some(texts.get(*text)?.id.clone())).collect::<Vec<_>>()
        };
        report.tokens += chunk.tokens;
        report.cut.extend(ids(&chunk.cut));
        report.empty.extend(ids(&chunk.empty));
        let numbers = chunk.numbers.numbers().filter(|numbers| numbers.len() == texts.len() * width);
        vectors.extend(numbers.with_context(|| {
            format!("{}: holds what is no vector; remove it and begin anew", part.path.display())
        })?);
    }
    Ok(Some((report, vectors)))
}

/// Vectors by an endpoint; `None` where it was stopped.
fn by_endpoint(
    args: &EmbedArgs,
    address: Address,
    model: String,
    texts: &[Text],
    ui: &Ui,
) -> Result<Option<(Report, Vec<f32>)>> {
    let key = key(args.api_key_env.as_deref(), &address, ui)?;
    let by = format!("{model} at {}", address.host());
    let settings = settings(Duration::from_secs(args.timeout.unwrap_or(120)), args.requests_per_minute);
    let beside = || {
        let mut name = args.out.as_os_str().to_owned();
        name.push(".cache.jsonl");
        name.into()
    };
    let asking = Asking {
        model,
        dimensions: args.dimensions,
        batch: usize::try_from(args.batch.unwrap_or(64)).unwrap_or(64),
        concurrency: usize::try_from(args.concurrency.unwrap_or(4)).unwrap_or(4),
        cache: args.cache.clone().unwrap_or_else(beside),
    };
    match EmbeddingsClient::new(settings, address, key)?.embed(&asking, texts, ui)? {
        Ended::Finished(made) => {
            let report = Report {
                width: made.width,
                by,
                tokens: made.tokens,
                empty: made.empty.iter().map(|text| texts[*text].id.clone()).collect(),
                texts_now: made.asked,
                ..Report::default()
            };
            Ok(Some((report, made.numbers)))
        }
        Ended::Interrupted { done } => {
            ui.note(&format!(
                "stopped: {done} of {} texts have their vectors, which are kept; the same command goes on",
                texts.len()
            ));
            Ok(None)
        }
    }
}

/// A line of the part.
#[derive(Debug, Serialize, Deserialize)]
struct Chunk {
    tokens: u64,
    /// Places in the chunk.
    cut: Vec<usize>,
    empty: Vec<usize>,
    numbers: Packed,
}

/// Vectors so far, on disk as they come.
struct Part {
    path: PathBuf,
    key: String,
    file: Option<File>,
    chunks: Vec<Chunk>,
}

impl Part {
    /// What an interrupted run with the same key has left; what another one has left is dropped at the first chunk.
    fn open(out: &Path, key: &str) -> Result<Self> {
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let path = out.with_file_name(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut lines = text.lines();
        let same = lines.next() == Some(key);
        // The last line may be half written: its texts are read again.
        let chunks =
            if same { lines.map_while(|line| serde_json::from_str(line).ok()).collect() } else { Vec::new() };
        if out.exists() && !same {
            bail!(
                "{}: exists and was not finished by this program; choose another --out or remove it",
                out.display()
            );
        }
        Ok(Self { path, key: key.to_owned(), file: None, chunks })
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let cannot = |action: &str| format!("{}: cannot {action}", self.path.display());
        if self.file.is_none() {
            atomic_write(&self.path, |out| {
                writeln!(out, "{}", self.key)?;
                self.chunks.iter().try_for_each(|chunk| writeln!(out, "{}", serde_json::to_string(chunk)?))
            })?;
            let file = OpenOptions::new().append(true).open(&self.path);
            self.file = Some(file.with_context(|| cannot("open"))?);
        }
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&chunk)?;
            writeln!(file, "{line}").with_context(|| cannot("write"))?;
        }
        self.chunks.push(chunk);
        Ok(())
    }

    fn remove(self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("{}: cannot remove", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}
