//! Talk to the person: progress and notes on standard error, results on standard output.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the only place that prints")]

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use geneverse_data::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// How the program speaks: decided once from the arguments and the terminal.
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
    /// Whether results are printed; those of an experiment's commands are not.
    results: bool,
    colour: bool,
    bar: RefCell<Option<Piece>>,
}

/// The piece of work under way.
struct Piece {
    bar: ProgressBar,
    what: String,
    total: Option<u64>,
    unit: &'static str,
    /// How much was done when this process began with it, an earlier one's share; told by the first `set`.
    before: Option<u64>,
    begun: Instant,
    said: Instant,
}

/// Bytes are told in units that people read.
const BYTES_TEMPLATE: &str =
    "  {msg:<28} {bar:24} {bytes}/{total_bytes} · {bytes_per_sec} · {eta} left {prefix}";

/// Without a terminal a bar is of no use: a line this often tells a log where things are.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Ui {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, quiet, results: true, colour, bar: RefCell::new(None) }
    }

    /// The same, but for results, which stay in the files that commands write.
    pub(crate) fn without_results(&self) -> Self {
        let Self { json, quiet, results: _, colour, bar: _ } = *self;
        Self { json, quiet, results: false, colour, bar: RefCell::new(None) }
    }

    /// Whether results are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Whether progress is not shown.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a result: the JSON of `value` with `--json`, else `text`.
    pub(crate) fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        if !self.results {
            return Ok(());
        }
        let shown = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{}", shown.trim_end()) {
            // A reader such as `head` that has seen enough is no failure.
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// A piece of a result, as it comes.
    pub(crate) fn tell(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that has seen enough is no failure.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// A piece of running text, as it comes.
    pub(crate) fn say(&self, text: &str) {
        eprint!("{text}");
    }

    /// An error with its causes, on one or more lines.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.clear();
        let label = if self.colour { "\x1b[1;31merror\x1b[0m" } else { "error" };
        eprintln!("{label}: {}", in_words(error));
    }

    fn clear(&self) {
        if let Some(piece) = self.bar.borrow_mut().take() {
            piece.bar.finish_and_clear();
        }
    }
}

/// An error with its causes. Some library errors already end with their cause; saying it twice helps nobody.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

impl Progress for Ui {
    fn start(&self, what: &str, total: Option<u64>, unit: &'static str) {
        self.clear();
        if self.quiet {
            return;
        }
        let template = match total {
            _ if unit == "bytes" => BYTES_TEMPLATE.to_owned(),
            Some(_) => format!(
                "  {{msg:<28}} {{bar:24}} {{pos}}/{{len}} {unit} · {{per_sec}} · {{eta}} left {{prefix}}"
            ),
            None => {
                format!("  {{msg:<28}} {{spinner}} {{pos}} {unit} · {{per_sec}} · {{elapsed}} {{prefix}}")
            }
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style);
        bar.set_message(what.to_owned());
        let now = Instant::now();
        *self.bar.borrow_mut() =
            Some(Piece { bar, what: what.to_owned(), total, unit, before: None, begun: now, said: now });
    }

    fn set(&self, done: u64) {
        if let Some(piece) = self.bar.borrow_mut().as_mut() {
            piece.bar.set_position(done);
            if piece.before.is_none() {
                piece.before = Some(done);
                piece.bar.reset_eta();
            }
            if piece.bar.is_hidden() && piece.said.elapsed() >= LINE_EVERY {
                piece.said = Instant::now();
                eprintln!("{}", piece.line(done));
            }
        }
    }

    fn state(&self, words: &str) {
        if let Some(piece) = self.bar.borrow().as_ref() {
            piece.bar.set_prefix(format!("· {words}"));
        }
    }

    fn note(&self, line: &str) {
        if self.quiet {
            return;
        }
        match self.bar.borrow().as_ref() {
            Some(piece) if !piece.bar.is_hidden() => piece.bar.println(line),
            _ => eprintln!("{line}"),
        }
    }

    fn finish(&self) {
        self.clear();
    }
}

impl Piece {
    /// The bar as a line of a log: what, how far, how fast, how long still.
    fn line(&self, done: u64) -> String {
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
        let rate = done.saturating_sub(self.before.unwrap_or(0)) as f64 / seconds;
        let left = self.total.map(|total| total.saturating_sub(done) as f64 / rate.max(1e-9));
        let (what, unit, state) = (&self.what, self.unit, self.bar.prefix());
        match (self.total, left) {
            (Some(total), Some(left)) if unit == "bytes" => {
                let [done, total] = [done, total].map(|bytes| bytes as f64 / 1e6);
                format!("  {what}: {done:.1}/{total:.1} MB, {:.1} MB/s, {left:.0} s left {state}", rate / 1e6)
            }
            (Some(total), Some(left)) => {
                format!("  {what}: {done}/{total} {unit}, {rate:.1}/s, {left:.0} s left {state}")
            }
            _ => format!("  {what}: {done} {unit}, {rate:.1}/s {state}"),
        }
    }
}
