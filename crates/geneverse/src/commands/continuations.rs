//! `inspect continuations`: how a model goes on with texts that a seed has chosen, beside how they go on.
//!
//! Chosen by hand, examples tell what a model can do at its best; chosen by a seed, what it does.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_model::Decoder;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::generate::{Event, GenerateConfig, generate};
use geneverse_model::tokens::Tokenizer;
use geneverse_model::train::order;
use serde::Serialize;

use crate::config::model_folder;
use crate::stop;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
The text has a document per line. The seed chooses the documents, whatever the model; each is given up to its first words, \
and the model goes on greedily, with the penalty and the guard that its generation_config.json asks for.

Example:
  geneverse inspect continuations --model runs/nano/model --text text/validation.txt --count 10 --seed 1")]
pub(crate) struct ContinuationsArgs {
    /// A checkpoint folder with its tokenizer
    #[arg(long, value_name = "DIR")]
    model: String,
    /// A PEFT adapter for it
    #[arg(long, value_name = "DIR")]
    adapter: Option<PathBuf>,
    /// The text, a document per line
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// How many documents
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
    /// Chooses them
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many words of each are given
    #[arg(long, value_name = "N", default_value_t = 12)]
    words: usize,
    /// Longest continuation, in tokens
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_new_tokens: usize,
}

/// What is printed: a document each.
#[derive(Debug, Serialize)]
struct Continuation {
    /// Its line in the text, from 1.
    line: usize,
    given: String,
    /// How the model goes on.
    model: String,
    /// How the document goes on, for about as many characters.
    text: String,
}

/// Runs `inspect continuations`.
pub(crate) fn run(args: &ContinuationsArgs, ui: &Ui) -> Result<ExitCode> {
    let ContinuationsArgs { model, adapter, text, count, seed, words, max_new_tokens } = args;
    let folder = model_folder(model)?;
    let tokenizer = Tokenizer::read(&folder)?;
    let mut decoder = Decoder::read(&folder)?;
    if let Some(adapter) = adapter {
        decoder = decoder.with_adapter(adapter)?;
    }
    let settings = GenerationSettings::read(&folder, decoder.config())?;
    let read = std::fs::read_to_string(text).with_context(|| format!("{}: cannot read", text.display()))?;
    let lines: Vec<(usize, &str)> = (1..).zip(read.lines()).collect();
    let long_enough = |(_, line): &&(usize, &str)| first_words(line, *words).is_some();
    let lines: Vec<&(usize, &str)> = lines.iter().filter(long_enough).collect();
    if lines.is_empty() {
        bail!(
            "{}: found no line of more than {words} words, expected a document in each; say fewer --words",
            text.display()
        );
    }
    let mut told = Vec::new();
    let mut prompts = Vec::new();
    for at in order(lines.len(), Some(*seed), 0).into_iter().take(*count) {
        let (line, document) = *lines[at];
        let end = first_words(document, *words).unwrap_or(document.len());
        let bos = decoder.config().bos_token_id;
        let mut ids = tokenizer.encode(&document[..end])?;
        if bos.is_some() && ids.first() != bos.as_ref() {
            ids.splice(0..0, bos);
        }
        prompts.push(ids);
        let (given, rest) = (document[..end].to_owned(), document[end..].to_owned());
        told.push(Continuation { line, given, model: String::new(), text: rest });
    }
    let config = GenerateConfig {
        max_new_tokens: *max_new_tokens,
        batch: prompts.len(),
        stop_ids: settings.stop_ids,
        repetition_penalty: settings.repetition_penalty as f32,
        no_repeat_ngram_size: settings.no_repeat_ngram_size,
        no_repeat_in_answer: 0,
    };
    stop::listen();
    generate(&decoder, &prompts, &config, &mut |event| {
        if let Event::Done(answer) = event {
            let continuation: &mut Continuation = &mut told[answer.prompt];
            continuation.model = tokenizer.decode(&answer.ids)?;
            if !answer.stopped {
                continuation.model.push('…');
            }
            shorten(&mut continuation.text, continuation.model.chars().count().max(80));
        }
        Ok(!stop::asked())
    })?;
    if stop::asked() {
        return Ok(stop::exit());
    }
    ui.result(&told, || list(&told))?;
    Ok(ExitCode::SUCCESS)
}

/// Where the first `count` words end, where more words follow.
fn first_words(line: &str, count: usize) -> Option<usize> {
    let ends = line
        .char_indices()
        .filter(|(at, c)| c.is_whitespace() && !line[..*at].ends_with(char::is_whitespace));
    ends.filter(|(at, _)| *at > 0)
        .map(|(at, _)| at)
        .nth(count.checked_sub(1)?)
        .filter(|at| !line[*at..].trim().is_empty())
}

fn shorten(text: &mut String, most: usize) {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
}

fn list(told: &[Continuation]) -> String {
    let mut out = String::new();
    for (number, Continuation { line, given, model, text }) in (1..).zip(told) {
        let _ = writeln!(
            out,
            "{number}. line {line}\n   given: {given}\n   model: {}\n   text:  {}\n",
            model.trim(),
            text.trim()
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_where_more_follow() {
        assert_eq!(first_words("GLI1 is  a gene", 1), Some(4));
        assert_eq!(first_words("GLI1 is  a gene", 2), Some(7));
        assert_eq!(first_words("GLI1 is  a gene", 3), Some(10));
        assert_eq!(first_words("GLI1 is  a gene", 4), None);
        assert_eq!(first_words("β-catenin binds TCF", 1), Some(10));
        assert_eq!(first_words("GLI1 ", 1), None);
        assert_eq!(first_words("GLI1", 0), None);
    }
}
