//! Rows at once: every step of a row is a process of this very program, so that a row that dies of memory costs no other.
//!
//! A step waits for each unfinished step of a row before it that writes what it names: rows that share a training have it
//! done once, and a row that reads another's result comes after it. What runs together fits, as estimated, into the memory
//! that was there at the beginning; a step alone may always run. The processor's threads are divided among the rows that
//! are left. A process stops, as at Ctrl-C, when its standard input ends ([`stop::with_input`]): when this one is asked to
//! stop, and also when this one is gone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use geneverse_data::progress::Progress;

use super::plan::Planned;
use crate::stop;
use crate::ui::Ui;

/// How long a stop that is asked for may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many rows run at once, and within what.
pub(super) struct Limits<'a> {
    pub(super) jobs: usize,
    /// Bytes at hand, where that is known.
    pub(super) memory: Option<usize>,
    /// Threads to divide.
    pub(super) threads: usize,
    /// The experiment's folder: what a row's processes say is kept in `logs/`.
    pub(super) out: &'a Path,
}

/// What a row's process tells.
enum Event {
    Line(String),
    Ended(std::io::Result<ExitStatus>),
}

/// How far rows are.
struct State<'a> {
    rows: &'a [Planned],
    /// Each row's next step; past its last where the row is over.
    next: Vec<usize>,
    running: BTreeMap<usize, Running>,
}

struct Running {
    /// Closed to ask for a stop.
    input: Option<ChildStdin>,
    begun: Instant,
    log: File,
    /// What it said from the last `error: ` on.
    error: Option<String>,
}

/// Runs the rows whose numbers are given. `false` where the user asked to stop.
pub(super) fn run(rows: &mut [Planned], wanted: &[usize], limits: &Limits<'_>, ui: &Ui) -> Result<bool> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let logs = limits.out.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("{}: cannot make", logs.display()))?;
    let planned = rows.to_vec();
    let mut state = State::new(&planned, wanted);
    let (send, receive) = channel();
    loop {
        while !stop::asked() && state.running.len() < limits.jobs {
            let Some(row) = state.startable(limits.memory) else { break };
            let number = format!("{:02}.log", row + 1);
            let threads = limits.threads / limits.jobs.min(state.left()).max(1);
            let running = state.start(row, &program, &logs.join(number), threads.max(1), ui, &send)?;
            state.running.insert(row, running);
        }
        if state.running.is_empty() {
            return Ok(!stop::asked());
        }
        let event = receive.recv_timeout(LOOK_EVERY);
        if stop::asked() {
            state.running.values_mut().for_each(|running| running.input = None);
        }
        match event {
            Ok((row, Event::Line(line))) => state.hear(row, &line, ui),
            Ok((row, Event::Ended(status))) => {
                let Some(running) = state.running.remove(&row) else { continue };
                let took = running.begun.elapsed().as_secs_f64();
                *rows[row].seconds.get_or_insert(0.0) += took;
                match failure(status, running.error) {
                    // The steps that are left go on when the same command is given again.
                    _ if stop::asked() => state.next[row] = usize::MAX,
                    None => state.next[row] += 1,
                    Some(why) => {
                        let command = state.step(row).and_then(|step| step.first());
                        let failure = format!("{}: {why}", command.map_or("", String::as_str));
                        state.say(row, &format!("failed: {failure}"), ui);
                        (rows[row].failure, rows[row].seconds) = (Some(failure), None);
                        state.next[row] = usize::MAX;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

impl<'a> State<'a> {
    fn new(rows: &'a [Planned], wanted: &[usize]) -> Self {
        let next = (0..rows.len()).map(|row| if wanted.contains(&row) { 0 } else { usize::MAX }).collect();
        Self { rows, next, running: BTreeMap::new() }
    }

    /// A row's next step.
    fn step(&self, row: usize) -> Option<&'a [String]> {
        self.rows[row].commands.get(self.next[row]).map(Vec::as_slice)
    }

    /// How many rows are not over.
    fn left(&self) -> usize {
        (0..self.rows.len()).filter(|row| self.step(*row).is_some()).count()
    }

    /// The first row whose next step may begin beside those that run.
    fn startable(&self, memory: Option<usize>) -> Option<usize> {
        let gib = |row: usize| self.rows[row].estimated_gib;
        let used: f64 = self.running.keys().map(|row| gib(*row)).sum();
        let fits = |row: usize| {
            memory.is_none_or(|bytes| (used + gib(row)) * f64::from(1 << 30) <= bytes as f64)
                || self.running.is_empty()
        };
        (0..self.rows.len()).find(|row| {
            !self.running.contains_key(row)
                && self.step(*row).is_some_and(|step| fits(*row) && !self.waits(*row, step))
        })
    }

    /// Whether a row before this one has still to write what this step names.
    fn waits(&self, row: usize, step: &[String]) -> bool {
        (0..row).any(|before| {
            let unfinished = self.rows[before].commands.iter().skip(self.next[before]);
            unfinished.filter_map(|command| written(command)).any(|written| names(step, written))
        })
    }

    fn start(
        &self,
        row: usize,
        program: &Path,
        log: &Path,
        threads: usize,
        ui: &Ui,
        send: &Sender<(usize, Event)>,
    ) -> Result<Running> {
        let step = self.step(row).unwrap_or_default();
        let mut kept = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("{}: cannot write", log.display()))?;
        let _ = writeln!(kept, "{}\n$ geneverse {}", self.rows[row].name, step.join(" "));
        let mut child = Command::new(program)
            .args(ui.is_quiet().then_some("--quiet"))
            .args(step)
            .env(stop::WITH_INPUT, "1")
            .env("RAYON_NUM_THREADS", threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{}: cannot start", program.display()))?;
        if self.next[row] == 0 {
            self.say(row, "begins", ui);
        }
        let input = child.stdin.take();
        let send = send.clone();
        std::thread::spawn(move || listen(row, child, &send));
        Ok(Running { input, begun: Instant::now(), log: kept, error: None })
    }

    /// A line of a row's process.
    fn hear(&mut self, row: usize, line: &str, ui: &Ui) {
        if let Some(running) = self.running.get_mut(&row) {
            // Without its log a row is still run.
            let _ = writeln!(running.log, "{line}");
            match (line.strip_prefix("error: "), &mut running.error) {
                (Some(error), kept) => *kept = Some(error.to_owned()),
                (None, Some(error)) => *error = format!("{error}\n{line}"),
                (None, None) => {}
            }
            if running.error.is_none() {
                self.say(row, line.trim(), ui);
            }
        }
    }

    fn say(&self, row: usize, line: &str, ui: &Ui) {
        ui.note(&format!("[{}/{}] {}: {line}", row + 1, self.rows.len(), self.rows[row].name));
    }
}

/// Passes on what a process says until it has ended.
fn listen(row: usize, mut child: Child, send: &Sender<(usize, Event)>) {
    if let Some(errors) = child.stderr.take() {
        for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let _ = send.send((row, Event::Line(line)));
        }
    }
    let _ = send.send((row, Event::Ended(child.wait())));
}

/// Why a process has not done its work. One that ends with 1 and tells no error has: that is its answer.
fn failure(status: std::io::Result<ExitStatus>, error: Option<String>) -> Option<String> {
    match (status, error) {
        (Ok(status), _) if status.success() => None,
        (Ok(status), Some(error)) if status.code() == Some(1) => Some(error),
        (Ok(status), None) if status.code() == Some(1) => None,
        (Ok(status), _) if status.code() == Some(stop::INTERRUPTED.into()) => {
            Some("was stopped from outside".to_owned())
        }
        (Ok(status), error) => {
            let error = error.map_or_else(String::new, |error| format!(": {error}"));
            Some(format!("ended with {status}{error}; did it need more memory than there was?"))
        }
        (Err(error), _) => Some(format!("cannot tell how it ended: {error}")),
    }
}

/// What a command writes.
fn written(command: &[String]) -> Option<&Path> {
    let place = command.iter().position(|word| word == "--out")?;
    command.get(place + 1).map(Path::new)
}

/// Whether a command's words name a place, something in it, or what it is in.
fn names(command: &[String], written: &Path) -> bool {
    let of_words = command.iter().map(|word| word.split_once('=').map_or(word.as_str(), |(_, value)| value));
    of_words
        .filter(|word| !word.is_empty())
        .map(Path::new)
        .any(|word| word.starts_with(written) || written.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, gib: f64, commands: &[&str]) -> Planned {
        let words = |command: &&str| command.split(' ').map(str::to_owned).collect();
        Planned {
            name: name.to_owned(),
            estimated_gib: gib,
            commands: commands.iter().map(words).collect(),
            ..Planned::default()
        }
    }

    fn running() -> Running {
        let log = tempfile::tempfile().unwrap();
        Running { input: None, begun: Instant::now(), log, error: None }
    }

    #[test]
    fn a_step_waits_for_what_a_row_before_it_writes_and_no_longer() {
        let rows = [
            row("a", 1.0, &["train r.toml --out x/t1", "generate --adapter x/t1/adapter --out x/a"]),
            row("b", 1.0, &["train r.toml --out x/t1", "generate --adapter x/t1/adapter --out x/b"]),
            row("c", 1.0, &["evaluate x/a --out x/c"]),
            row("d", 1.0, &["inspect --set data.train=x/b/part.json --out x/d"]),
            row("e", 1.0, &["train r.toml --out x/t11"]),
        ];
        let mut state = State::new(&rows, &[0, 1, 2, 3, 4]);
        let next = |state: &State| state.startable(None);
        assert_eq!((next(&state), state.left()), (Some(0), 5));
        state.running.insert(0, running());
        assert_eq!(next(&state), Some(4), "t11 is not in t1");
        state.running.insert(4, running());
        assert_eq!(next(&state), None, "b shares the training, c and d read what a and b write");
        state.next[0] = 1;
        assert_eq!(next(&state), Some(1));
        state.running.insert(1, running());
        assert_eq!(next(&state), None);
        state.running.remove(&0);
        state.next[0] = 2;
        assert_eq!(next(&state), Some(2));
        // A row that has failed writes nothing any more.
        state.running.remove(&1);
        state.next[1] = usize::MAX;
        state.next[2] = 1;
        assert_eq!(next(&state), Some(3));
        assert_eq!(
            State::new(&rows, &[2]).startable(None),
            Some(2),
            "who is not asked for is not waited for"
        );
    }

    #[test]
    fn what_runs_together_fits_into_memory_and_one_alone_may_always_run() {
        let rows = [row("a", 2.0, &["x"]), row("b", 2.5, &["y"]), row("c", 1.0, &["z"])];
        let mut state = State::new(&rows, &[0, 1, 2]);
        let four = Some(4 << 30);
        assert_eq!(state.startable(Some(1)), Some(0));
        state.running.insert(0, running());
        assert_eq!(state.startable(four), Some(2));
        assert_eq!(state.startable(None), Some(1));
        assert_eq!(state.startable(Some(1)), None);
    }

    #[cfg(unix)]
    #[test]
    fn how_a_process_ended_is_told_apart() {
        use std::os::unix::process::ExitStatusExt;
        let end = |raw: i32, error: Option<&str>| {
            failure(Ok(ExitStatus::from_raw(raw)), error.map(str::to_owned)).unwrap_or_default()
        };
        assert_eq!(end(0, None), "");
        assert_eq!(end(1 << 8, None), "", "nothing drawn, nothing found: told, and no error");
        assert_eq!(end(1 << 8, Some("no such file")), "no such file");
        assert_eq!(end(130 << 8, None), "was stopped from outside");
        let killed = end(9, None);
        assert!(killed.contains("signal: 9") && killed.contains("more memory than there was"), "{killed}");
        assert!(end(101 << 8, Some("x")).starts_with("ended with exit status: 101: x"));
    }
}
