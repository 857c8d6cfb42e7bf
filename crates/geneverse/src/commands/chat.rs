//! `chat`: a conversation with a model of this machine, its answers held against the database.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use geneverse_data::progress::Progress;
use geneverse_model::serving::{Limits, PIECE};

use crate::chat::{Chat, Line, Reply, Typist, usual_file};
use crate::config::model_or_bundled;
use crate::serve::{Known, Models};
use crate::stop;
use crate::ui::Ui;

/// Arguments of `chat`.
#[derive(Debug, Args)]
#[command(after_help = "\
Answers are greedy, and shown as they come. With --db they are repaired from the database when they are whole, each \
identifier is looked up or struck out, and /sources shows which claims the record supports. /help lists the commands.

At a terminal a line can be edited, the arrows go back to earlier ones, Ctrl-R searches them and the tabulator completes commands \
and symbols. Lines are kept in $XDG_STATE_HOME/geneverse/chat_history, unless --no-history is given; those that begin with a \
space are not.

Examples:
  geneverse chat --db genes.db
  geneverse chat --model runs/nano/model --adapter runs/lora/adapter --db genes.db")]
pub(crate) struct ChatArgs {
    /// A checkpoint folder [default: the small model that the program carries, laid into $GENEVERSE_CACHE, else
    /// $XDG_CACHE_HOME/geneverse or ~/.cache/geneverse]
    #[arg(long, value_name = "DIR")]
    model: Option<String>,
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
    /// Keep no lines, and read none of earlier days
    #[arg(long)]
    no_history: bool,
}

/// Bytes of keys and values of a conversation; what a model reads is the narrower limit.
const CACHE: usize = 64 << 30;

/// Runs `chat`.
pub(crate) fn run(args: &ChatArgs, ui: &Ui) -> Result<ExitCode> {
    let ChatArgs { model, adapter, db, prompt, max_new_tokens, remember, no_history } = args;
    let folder = model_or_bundled(model.as_deref())?;
    let known = db.as_deref().map(Known::read).transpose()?;
    let adapters: Vec<(String, PathBuf)> =
        adapter.iter().map(|folder| ("adapter".to_owned(), folder.clone())).collect();
    let limits = Limits { running: 1, waiting: 1, cache_bytes: CACHE, piece: PIECE };
    let models = Models::read(&folder, None, &adapters, prompt.as_deref(), limits)?;
    models.settings.ignored.iter().for_each(|line| ui.note(&format!("note: {line}")));
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut typist = match terminal {
        true => {
            let genes = known.iter().flat_map(|known| known.grader.index().genes());
            let mut symbols: Vec<String> = genes.map(|gene| gene.symbol.as_str().to_owned()).collect();
            symbols.sort_unstable();
            Typist::at_terminal(symbols, usual_file().filter(|_| !no_history))?
        }
        false => Typist::of_input(),
    };
    let mut chat = Chat::new(models, known, *max_new_tokens, *remember);
    stop::listen();
    ui.note("ask about a gene; /help lists what else there is");
    let ended = converse(&mut chat, &mut typist, ui);
    if let Err(e) = typist.keep() {
        ui.note(&format!("note: the lines of today could not be kept: {e}"));
    }
    ended
}

fn converse(chat: &mut Chat, typist: &mut Typist, ui: &Ui) -> Result<ExitCode> {
    loop {
        if let Typist::Lines(_) = typist {
            ui.say("> ");
        }
        let Some(line) = typist.next("> ", &stop::asked)? else {
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
