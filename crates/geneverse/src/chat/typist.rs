//! Lines as they come from a person: edited at a terminal, with those of earlier days to go back to, or read as they are from a
//! file or another program.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::line::COMMANDS;
use geneverse_data::stage::atomic_write;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::{History, MemHistory, SearchDirection};
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};

/// Lines that are kept from one day to the next.
const KEPT: usize = 1000;

/// Somebody who types.
pub(crate) enum Typist {
    /// At a terminal.
    Terminal {
        /// What edits the line.
        editor: Box<Editor<Names, MemHistory>>,
        /// Where lines are kept.
        file: Option<PathBuf>,
    },
    /// Somewhere else.
    Lines(Receiver<String>),
}

impl Typist {
    /// One at a terminal, where `symbols` (in their order) are completed after /gene. Lines of earlier days are read from
    /// `file`; one that cannot be read has none.
    pub(crate) fn at_terminal(symbols: Vec<String>, file: Option<PathBuf>) -> rustyline::Result<Self> {
        let config = Config::builder().max_history_size(KEPT)?.history_ignore_space(true).build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        editor.set_helper(Some(Names { symbols }));
        let text = file.as_deref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        for line in text.lines() {
            editor.add_history_entry(line)?;
        }
        Ok(Self::Terminal { editor: Box::new(editor), file })
    }

    /// Reads standard input on a thread of its own: while it waits a stop is heard.
    pub(crate) fn of_input() -> Self {
        let (typed, lines) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if typed.send(line).is_err() {
                    return;
                }
            }
        });
        Self::Lines(lines)
    }

    /// The next line, after `prompt` where one is shown; nothing at the end of all, or where a stop is asked for.
    pub(crate) fn next(
        &mut self,
        prompt: &str,
        stopped: &dyn Fn() -> bool,
    ) -> rustyline::Result<Option<String>> {
        match self {
            Self::Terminal { editor, .. } => match editor.readline(prompt) {
                Ok(line) => {
                    editor.add_history_entry(line.as_str())?;
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(e) => Err(e),
            },
            Self::Lines(lines) => loop {
                match lines.recv_timeout(Duration::from_millis(50)) {
                    Ok(line) => return Ok(Some(line)),
                    Err(RecvTimeoutError::Disconnected) => return Ok(None),
                    Err(RecvTimeoutError::Timeout) if stopped() => return Ok(None),
                    Err(RecvTimeoutError::Timeout) => {}
                }
            },
        }
    }

    /// Keeps the lines for another day.
    pub(crate) fn keep(&self) -> std::io::Result<()> {
        let Self::Terminal { editor, file: Some(file) } = self else { return Ok(()) };
        let lines: Vec<String> = (0..editor.history().len())
            .filter_map(|at| editor.history().get(at, SearchDirection::Forward).ok().flatten())
            .map(|found| found.entry.into_owned())
            .collect();
        write_lines(file, &lines)
    }
}

/// For its owner only: what a person asks is nobody else's.
fn write_lines(file: &Path, lines: &[String]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    atomic_write(file, |out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))
        .map_err(std::io::Error::other)?;
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// Where lines are kept: among what programs remember of their use, as the XDG base directory specification has it.
pub(crate) fn usual_file() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")))?;
    Some(folder.join("geneverse/chat_history"))
}

/// What the tabulator completes.
pub(crate) struct Names {
    symbols: Vec<String>,
}

impl Names {
    /// Where what may stand at the end of `line` begins, and what it may be.
    fn endings(&self, line: &str) -> (usize, Vec<String>) {
        for command in ["/gene ", "/marker "] {
            if let Some(begun) = line.strip_prefix(command).filter(|begun| !begun.contains(' ')) {
                let upper = begun.to_uppercase();
                let first = self.symbols.partition_point(|symbol| *symbol < upper);
                let found = self.symbols[first..].iter().take_while(|symbol| symbol.starts_with(&upper));
                return (command.len(), found.take(64).cloned().collect());
            }
        }
        let found = COMMANDS.iter().filter(|command| !line.is_empty() && command.starts_with(line));
        (0, found.map(|command| (*command).to_owned()).collect())
    }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (begin, endings) = self.endings(&line[..at]);
        let pair = |text: String| Pair { display: text.trim_end().to_owned(), replacement: text };
        Ok((begin, endings.into_iter().map(pair).collect()))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_symbols_are_completed() {
        let names = Names { symbols: ["GLI1", "GLI2", "TP53"].map(str::to_owned).to_vec() };
        let found = |line: &str| {
            let (begin, endings) = names.endings(line);
            (begin, endings.join(" "))
        };
        assert_eq!(found("/g"), (0, "/gene ".to_owned()));
        assert_eq!(found("/s"), (0, "/save  /sources".to_owned()));
        assert_eq!(found("/gene gl"), (6, "GLI1 GLI2".to_owned()));
        assert_eq!(found("/marker TP"), (8, "TP53".to_owned()));
        assert_eq!(found("/marker TP53 pic"), (0, String::new()));
        assert_eq!(found("What is"), (0, String::new()));
        assert_eq!(found(""), (0, String::new()));
    }

    #[test]
    fn lines_are_kept_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/geneverse/chat_history");
        write_lines(&file, &["/gene GLI1".to_owned(), "What is TP53?".to_owned()]).unwrap();
        let mut typist = Typist::at_terminal(Vec::new(), Some(file.clone())).unwrap();
        let Typist::Terminal { editor, .. } = &mut typist else { panic!("no terminal") };
        editor.add_history_entry("/sources").unwrap();
        typist.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "/gene GLI1\nWhat is TP53?\n/sources\n");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
            0o600
        );
    }
}
