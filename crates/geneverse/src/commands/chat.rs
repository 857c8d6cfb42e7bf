//! `chat`: a conversation with a model of this machine, its answers held against the database.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use geneverse_data::progress::Progress;
use geneverse_model::serving::{Limits, PIECE};

use crate::chat::{Chat, Line, Reply};
use crate::config::model_folder;
use crate::serve::{Known, Models};
use crate::stop;
use crate::ui::Ui;

/// Arguments of `chat`.
#[derive(Debug, Args)]
#[command(after_help = "\
Answers are greedy, and shown as they come. With --db they are repaired from the database when they are whole, each \
identifier is looked up or struck out, and /sources shows which claims the record supports. /help lists the commands.

Example:
  geneverse chat --model runs/nano/model --adapter runs/lora/adapter --db genes.db")]
pub(crate) struct ChatArgs {
    /// A checkpoint folder
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A LoRA adapter for it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The gene database, as made by `genes import`
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// The text around a question [default: what the adapter was trained with, else what the model was]
    #[arg(long)]
    prompt: Option<String>,
    /// Longest answer in tokens
    #[arg(long, value_name = "N", default_value_t = 384)]
    max_new_tokens: usize,
    /// Put what was said before in front of every question; a model that was trained on single questions answers those better
    #[arg(long)]
    remember: bool,
}

/// Bytes of keys and values of a conversation; what a model reads is the narrower limit.
const CACHE: usize = 64 << 30;

/// Runs `chat`.
pub(crate) fn run(args: &ChatArgs, ui: &Ui) -> Result<ExitCode> {
    let ChatArgs { model, adapter, db, prompt, max_new_tokens, remember } = args;
    let folder = model_folder(model)?;
    let known = db.as_deref().map(Known::read).transpose()?;
    let adapters: Vec<(String, PathBuf)> =
        adapter.iter().map(|folder| ("adapter".to_owned(), folder.clone())).collect();
    let limits = Limits { running: 1, waiting: 1, cache_bytes: CACHE, piece: PIECE };
    let models = Models::read(&folder, None, &adapters, prompt.as_deref(), limits)?;
    models.settings.ignored.iter().for_each(|line| ui.note(&format!("note: {line}")));
    let mut chat = Chat::new(models, known, *max_new_tokens, *remember);
    stop::listen();
    let lines = lines();
    ui.note("ask about a gene; /help lists what else there is");
    loop {
        ui.say("> ");
        let Some(line) = next(&lines) else {
            ui.say("\n");
            return Ok(ExitCode::SUCCESS);
        };
        // Ctrl-C ends an answer, not the conversation.
        match chat.hear(Line::parse(&line), &mut |text| ui.tell(text), &stop::asked) {
            Ok(Reply::Bye) => return Ok(ExitCode::SUCCESS),
            Ok(Reply::Text(text)) if text.is_empty() => {}
            Ok(Reply::Text(text)) => ui.tell(&format!("\n{}\n", text.trim_end())),
            Err(e) => ui.error(&e),
        }
        stop::forget();
    }
}

/// The lines that are typed, read on a thread of its own: while it waits Ctrl-C is heard.
fn lines() -> Receiver<String> {
    let (typed, lines) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if typed.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The next line; nothing at the end of all, or where Ctrl-C is pressed.
fn next(lines: &Receiver<String>) -> Option<String> {
    loop {
        match lines.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => return Some(line),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if stop::asked() => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
