//! `/runs`: the folders of runs below the one that `--runs` names, how their loss goes while they train, and their reports.
//!
//! A run has a name in the list that is made from its path. A request's name is looked up among those that the server itself
//! has listed; no path is ever made from what a request says, so none can lead out of the folder. Links are not followed.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, Metadata};
use std::hash::BuildHasher;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use geneverse_data::stage::hash_bytes;
use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::http::Response;
use super::super::unpoisoned;
use super::App;

/// How many folders below each other are looked into.
const DEPTH: usize = 5;
/// How many folders are looked into, and so many runs are listed at most.
const FOLDERS: usize = 5000;
const RUNS: usize = 500;
/// Bytes of a log that one answer tells of.
const PIECE: u64 = 1 << 20;
/// Bytes at a log's end among which its last line is looked for.
const TAIL: u64 = 4 << 10;
/// The longest recipe or manifest, and the longest report, that is shown.
const SMALL: u64 = 1 << 20;
const REPORT: u64 = 256 << 20;

/// What a browser lets a report do: it is a stranger to the page and to this server, and asks nobody anything.
const POLICY: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The folder of runs.
pub(crate) struct Runs {
    folder: PathBuf,
    /// Names and paths of those that were listed, by their ids: who looks at one asks every second.
    listed: Mutex<HashMap<String, (String, PathBuf)>>,
    /// Makes names of reports that cannot be guessed: a link cannot carry a key.
    secret: [RandomState; 2],
}

/// A run that was found.
struct Run {
    /// Made from its path.
    id: String,
    /// Its path below the folder; empty for the folder itself.
    name: String,
    path: PathBuf,
    log: Option<Metadata>,
    report: bool,
}

impl Runs {
    /// The runs below a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "--runs {}: expected a folder with runs", folder.display());
        let secret = [RandomState::new(), RandomState::new()];
        Ok(Self { folder: folder.to_owned(), listed: Mutex::default(), secret })
    }

    /// Every run, by its name.
    fn all(&self) -> Vec<Run> {
        let mut found = Vec::new();
        let mut left = FOLDERS;
        self.look(&self.folder, "", DEPTH, &mut left, &mut found);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.truncate(RUNS);
        let place = |run: &Run| (run.id.clone(), (run.name.clone(), run.path.clone()));
        *unpoisoned(self.listed.lock()) = found.iter().map(place).collect();
        found
    }

    fn look(&self, path: &Path, name: &str, depth: usize, left: &mut usize, found: &mut Vec<Run>) {
        found.extend(Run::at(path, name));
        let Ok(entries) = fs::read_dir(path) else { return };
        if depth == 0 {
            return;
        }
        // A link is no folder to `file_type`.
        let folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(folder)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        for below in names {
            let Some(fewer) = left.checked_sub(1) else { return };
            *left = fewer;
            let whole = if name.is_empty() { below.clone() } else { format!("{name}/{below}") };
            self.look(&path.join(below), &whole, depth - 1, left, found);
        }
    }

    fn find(&self, id: &str) -> Result<Run, ApiError> {
        let listed = unpoisoned(self.listed.lock()).get(id).cloned();
        let run = listed.and_then(|(name, path)| Run::at(&path, &name));
        let run = run.or_else(|| self.all().into_iter().find(|run| run.id == id));
        run.ok_or_else(|| ApiError::new(404, "there is no such run; /runs lists them").coded("run_not_found"))
    }

    /// The name of a run's report.
    fn report_name(&self, run: &Run) -> String {
        self.secret.iter().map(|secret| format!("{:016x}", secret.hash_one(&run.id))).collect()
    }
}

impl Run {
    /// The run in a folder, if one is there.
    fn at(path: &Path, name: &str) -> Option<Self> {
        let file = |name: &str| fs::symlink_metadata(path.join(name)).ok().filter(Metadata::is_file);
        let (log, report) = (file("metrics.jsonl"), file("report.html").is_some());
        let id = hash_bytes(name.as_bytes())[..16].to_owned();
        (log.is_some() || report).then(|| Self {
            id,
            name: name.to_owned(),
            path: path.to_owned(),
            log,
            report,
        })
    }

    fn value(&self, runs: &Runs) -> Value {
        let Self { id, name, path, log, report } = self;
        let changed = log.as_ref().and_then(|log| log.modified().ok());
        let age = changed.map(|time| SystemTime::now().duration_since(time).map_or(0, |age| age.as_secs()));
        let last = log.as_ref().and_then(|log| last(&path.join("metrics.jsonl"), log.len()));
        json!({
            "id": id, "name": name, "trains": log.is_some(), "finished": path.join("manifest.json").is_file(),
            "seconds_since": age, "last": last,
            "report": report.then(|| format!("/reports/{}", runs.report_name(self))),
        })
    }
}

/// The last step in a log.
fn last(path: &Path, length: u64) -> Option<Value> {
    let from = length.saturating_sub(TAIL);
    let bytes = part(path, from, TAIL).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let step = lines.find(|line| line["loss"].is_number())?;
    Some(json!({"step": step["step"], "epoch": step["epoch"], "loss": step["loss"]}))
}

fn part(path: &Path, from: u64, most: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn runs(app: &App) -> Result<&Runs, ApiError> {
    let none = || ApiError::new(404, "this server was told of no runs; start it with --runs");
    app.shown.runs.as_ref().ok_or_else(none)
}

/// `/runs`.
pub(super) fn list(app: &App) -> Result<Response, ApiError> {
    let runs = runs(app)?;
    let all: Vec<Value> = runs.all().iter().map(|run| run.value(runs)).collect();
    Ok(Response::json(200, &json!({"runs": all})))
}

/// `/runs/{run}`: with its recipe, and what came of it.
pub(super) fn show(app: &App, id: &str) -> Result<Response, ApiError> {
    let runs = runs(app)?;
    let run = runs.find(id)?;
    let mut value = run.value(runs);
    let small = |name: &str| -> Option<String> {
        let path = run.path.join(name);
        let metadata = fs::symlink_metadata(&path).ok()?;
        (metadata.is_file() && metadata.len() <= SMALL).then(|| fs::read_to_string(path).ok())?
    };
    let manifest: Value =
        small("manifest.json").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    value["recipe"] = json!(small("recipe.toml"));
    value["stage"] = manifest["stage"].clone();
    value["facts"] = manifest["facts"].clone();
    Ok(Response::json(200, &value))
}

/// `/runs/{run}/losses/{from}`: the losses in its log from a byte on, and the byte to go on from. A log that has become
/// shorter was begun anew, and is told from its beginning.
pub(super) fn losses(app: &App, rest: &str) -> Result<Response, ApiError> {
    let asked = rest.split_once("/losses/").and_then(|(id, from)| Some((id, from.parse::<u64>().ok()?)));
    let Some((id, from)) = asked else {
        return Err(ApiError::new(
            400,
            "expected /runs/{run}/losses/{from}, with a number of bytes at its end",
        ));
    };
    let run = runs(app)?.find(id)?;
    let Some(log) = &run.log else {
        return Err(ApiError::new(404, "the run has no log of losses"));
    };
    let begun_anew = from > log.len();
    let from = if begun_anew { 0 } else { from };
    let failed = |e: std::io::Error| ApiError::new(500, format!("the log cannot be read: {e}"));
    let bytes = part(&run.path.join("metrics.jsonl"), from, PIECE).map_err(failed)?;
    // A line that is not whole yet is left for the next time, but one longer than all that is read is passed over.
    let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if bytes.len() as u64 == PIECE => bytes.len(),
        None => 0,
    };
    let (mut train, mut validation, mut epoch) = (Vec::new(), Vec::new(), Value::Null);
    for line in bytes[..whole].split(|byte| *byte == b'\n') {
        let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
        let Some(step) = line["step"].as_u64() else { continue };
        if let Some(loss) = line["loss"].as_f64() {
            train.push(json!([step, loss]));
            epoch = line["epoch"].clone();
        }
        if let Some(loss) = line["eval_loss"].as_f64() {
            validation.push(json!([step, loss]));
        }
    }
    let next = from + whole as u64;
    Ok(Response::json(
        200,
        &json!({
            "train": train, "validation": validation, "epoch": epoch, "next": next, "begun_anew": begun_anew,
            "more": whole > 0 && next < log.len(), "finished": run.path.join("manifest.json").is_file(),
        }),
    ))
}

/// `/reports/{name}`: the page of a report.
pub(super) fn report(app: &App, name: &str) -> Result<Response, ApiError> {
    let runs = runs(app)?;
    let run = runs.all().into_iter().find(|run| run.report && runs.report_name(run) == name);
    let Some(run) = run else {
        return Err(ApiError::new(404, "there is no such report; /runs names them"));
    };
    let failed = |e: std::io::Error| ApiError::new(500, format!("the report cannot be read: {e}"));
    let bytes = part(&run.path.join("report.html"), 0, REPORT).map_err(failed)?;
    let mut response = Response::whole(200, super::HTML, bytes);
    response.headers.extend([
        ("Content-Security-Policy", POLICY.to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ]);
    Ok(response)
}
