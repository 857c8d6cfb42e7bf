//! `serve`: a model behind OpenAI's API.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_data::progress::Progress;
use geneverse_data::stage::hash_bytes;
use geneverse_model::embed::Embedder;
use geneverse_model::serving::{Limits, PIECE};
use serde_json::json;

use crate::config::model_or_bundled;
use crate::serve::listen::{Reach, listen};
use crate::serve::{App, Known, Models, Plane, Runs, Shown, Sizes};
use crate::stop;
use crate::ui::Ui;

/// The environment variable of the keys that may ask.
const KEYS: &str = "GENEVERSE_API_KEYS";

/// Bytes of a request's headers.
const HEAD: usize = 16 << 10;

/// All bodies under way together may be so many times as large as one.
const BODIES: usize = 16;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
A browser finds a page at http://127.0.0.1:8080: ask, show, compare, look at runs. What speaks OpenAI's API asks it as it is: \
set its base address to http://127.0.0.1:8080/v1. Answers are greedy unless a \
request gives a temperature. Adapters stand beside the one base model, and a request takes one by its name as its model.

Others than this machine are served with --host 0.0.0.0, and then only with keys: GENEVERSE_API_KEYS holds them, separated \
by commas. Requests are logged to standard error, a JSON object on a line, without what they ask. Ctrl-C finishes the \
answers under way and ends the server; a second one ends it at once.

Examples:
  geneverse serve
  geneverse serve --model runs/nano/model --adapter genes=runs/lora/adapter --db genes.db --runs runs --clusters clusters
  curl http://127.0.0.1:8080/v1/chat/completions -d '{\"messages\": [{\"role\": \"user\", \"content\": \"What is GLI1?\"}]}'")]
pub(crate) struct ServeArgs {
    /// A checkpoint folder [default: the small model that the program carries, laid into $GENEVERSE_CACHE, else
    /// $XDG_CACHE_HOME/geneverse or ~/.cache/geneverse]
    #[arg(long, value_name = "DIR")]
    model: Option<String>,
    /// A LoRA adapter beside it, by the name that requests have for it; may be given several times
    #[arg(long, value_name = "NAME=DIR", value_parser = named)]
    adapter: Vec<(String, PathBuf)>,
    /// How the model is named [default: its folder's name]
    #[arg(long)]
    name: Option<String>,
    /// The text around a question [default: what each adapter was trained with, else what the model was]
    #[arg(long)]
    prompt: Option<String>,
    /// A model for /v1/embeddings
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// The gene database, as made by `genes import`: for /genes, and to hold answers against where a request says
    /// "geneverse": {"check": true}
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A folder of `analyze clusters`: the page shows where a gene lies in it, and what is near
    #[arg(long, value_name = "DIR")]
    clusters: Option<PathBuf>,
    /// A folder with runs: the page lists those below it, with their reports and how their loss goes while they train
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// The address to listen at
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen at; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Answers under way at once
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Requests that wait for their turn; one more is answered with 429
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    queue: u32,
    /// Memory for the keys and values of all answers under way, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    cache: usize,
    /// Longest answer in tokens where a request says none
    #[arg(long, value_name = "N", default_value_t = 384)]
    max_new_tokens: usize,
    /// Longest answer that a request may ask for
    #[arg(long, value_name = "N", default_value_t = 4096)]
    most_new_tokens: usize,
    /// Longest time of an answer in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Largest request in MiB; all under way together may be sixteen times as large
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    body: usize,
    /// Connections at once
    #[arg(long, default_value_t = 512)]
    connections: usize,
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(folder)))
        }
        _ => Err("expected NAME=DIR, such as genes=runs/lora/adapter".to_owned()),
    }
}

/// Runs `serve`.
pub(crate) fn run(args: &ServeArgs, ui: &Ui) -> Result<ExitCode> {
    let ServeArgs {
        model,
        adapter,
        name,
        prompt,
        embedder,
        db,
        clusters,
        runs,
        host,
        port,
        batch,
        queue,
        cache,
        max_new_tokens,
        most_new_tokens,
        timeout,
        body,
        connections,
    } = args;
    let keys = keys(&std::env::var(KEYS).unwrap_or_default());
    if keys.is_empty() && !host.is_loopback() {
        bail!("--host {host}: others than this machine are served with keys only; set {KEYS}=KEY,KEY");
    }
    let folder = model_or_bundled(model.as_deref())?;
    let limits = Limits {
        running: *batch as usize,
        waiting: *queue as usize,
        cache_bytes: cache.saturating_mul(1 << 20),
        piece: PIECE,
    };
    let known = db.as_deref().map(Known::read).transpose()?;
    let plane = clusters.as_deref().map(Plane::read).transpose()?;
    let shown = Shown { plane, runs: runs.as_deref().map(Runs::new).transpose()? };
    let read = |folder: &PathBuf| -> Result<_> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, Mutex::new(Embedder::read(folder, None, None)?)))
    };
    let embedder = embedder.as_ref().map(read).transpose()?;
    let models = Models::read(&folder, name.as_deref(), adapter, prompt.as_deref(), limits)?;
    models.settings.ignored.iter().for_each(|line| ui.note(&format!("note: {line}")));
    let names = models.names.clone();
    let app = Arc::new(App {
        models,
        known,
        embedder,
        keys,
        local: host.is_loopback(),
        usual_tokens: *max_new_tokens,
        most_tokens: *most_new_tokens,
        longest: Duration::from_secs(*timeout),
        looking: Mutex::default(),
        metrics: Default::default(),
        shown,
        number: AtomicU64::new(0),
    });
    let listener =
        TcpListener::bind((*host, *port)).with_context(|| format!("cannot listen at {host}:{port}"))?;
    let address = listener.local_addr()?;
    let body = body.saturating_mul(1 << 20);
    let sizes = Sizes { head: HEAD, body };
    let reach = Reach { connections: *connections, sizes, bodies: body.saturating_mul(BODIES) };
    stop::listen();
    let said = json!({"address": format!("http://{address}/v1"), "models": names});
    ui.result(&said, || format!("http://{address}/v1 serves {}", names.join(", ")))?;
    ui.note(&format!("the page is http://{address}/"));
    let ended = Arc::new(AtomicBool::new(false));
    let (log, lines) = mpsc::channel();
    std::thread::scope(|scope| -> Result<()> {
        let (of_thread, ending) = (app.clone(), ended.clone());
        let server = scope.spawn(move || listen(&listener, &of_thread, reach, &ending, &log));
        // This thread has the terminal to itself: it prints, and hears of Ctrl-C.
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => ui.note(&line),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if stop::asked() && !ended.swap(true, Ordering::Relaxed) {
                ui.note("finishing the answers under way; Ctrl-C once more ends at once");
                app.models.engine.close();
            }
        }
        match server.join() {
            Ok(result) => result.context("the server has ended"),
            Err(_) => bail!("the server's thread has ended with a fault; please report it"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Hashes of the keys in the environment's text.
fn keys(text: &str) -> Vec<String> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| hash_bytes(key.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_have_names_and_keys_are_separated_by_commas() {
        assert_eq!(named("genes=a/b=c"), Ok(("genes".to_owned(), PathBuf::from("a/b=c"))));
        let expected = Err("expected NAME=DIR, such as genes=runs/lora/adapter".to_owned());
        assert_eq!(named("runs/lora"), expected);
        assert_eq!(named("=x"), expected);
        assert_eq!(keys(" a, ,b,"), [hash_bytes(b"a"), hash_bytes(b"b")]);
        assert_eq!(keys(""), Vec::<String>::new());
    }
}
