//! A training run's folder: the log of its steps, and checkpoints to go on from.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use geneverse_data::stage::{FileError, atomic_write, first_difference, read_json, write_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arch::decoder::Decoder;
use crate::checkpoint::{read_vectors, write_vectors};
use crate::error::{ModelError, Result};
use crate::optim::Optimizer;
use crate::train::EvalLine;

/// What of a run is not in its weights and moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) step: usize,
    pub(crate) last_loss: f64,
    pub(crate) best: Option<EvalLine>,
    /// Evaluations since the best one.
    pub(crate) since_best: usize,
    pub(crate) stopped_early: bool,
    /// Where the run went on with another recipe or other data, and what was different.
    #[serde(default)]
    pub(crate) changes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StateFile {
    key: Value,
    #[serde(flatten)]
    state: State,
}

/// A checkpoint folder that is whole.
pub(crate) struct Checkpoint {
    folder: PathBuf,
    state: State,
}

const STATE: &str = "state.json";
const WEIGHTS: &str = "trained.safetensors";
const MOMENTS: &str = "optimizer.safetensors";
const BEST: &str = "best.safetensors";

impl Checkpoint {
    /// The newest whole checkpoint of a run. One of another recipe or other data is an error unless such changes are
    /// to be ignored. What is not whole, left by a process that was killed, is removed.
    pub(crate) fn newest(run: &Path, key: &Value, ignore_changes: bool) -> Result<Option<Self>> {
        remove_fragments(run)?;
        let Some(folder) = steps(run).pop().map(|(_, folder)| folder) else { return Ok(None) };
        let StateFile { key: then, mut state } = read_json(&folder.join(STATE))?;
        // Numbers compare as they are read back.
        let now = serde_json::from_str(&key.to_string()).unwrap_or_default();
        match first_difference(&then, &now, "") {
            Some(change) if ignore_changes => {
                state.changes.push(format!("after step {}: {change}", state.step))
            }
            Some(change) => {
                let reason = format!(
                    "was left by a run of another recipe or other data ({change}); choose another --out, remove it to \
                     start anew, or go on all the same with --ignore-changes"
                );
                return Err(FileError::whole(&folder, reason).into());
            }
            None => {}
        }
        Ok(Some(Self { folder, state }))
    }

    /// Puts the weights and moments back.
    pub(crate) fn restore(self, model: &mut Decoder, optimizer: &mut Optimizer) -> Result<State> {
        load_weights(&self.folder.join(WEIGHTS), model)?;
        let path = self.folder.join(MOMENTS);
        let mut moments = read_vectors(&path)?;
        for (number, (first, second)) in optimizer.moments.iter_mut().enumerate() {
            for (name, place) in [("first", first), ("second", second)] {
                let numbers = moments.remove(&format!("{number}.{name}")).unwrap_or_default();
                if numbers.len() != place.len() {
                    return Err(ModelError::tensors(
                        &path,
                        format!("{name} moment of parameter {number} is missing"),
                    ));
                }
                *place = numbers;
            }
        }
        optimizer.steps = self.state.step;
        Ok(self.state)
    }

    /// Writes `checkpoints/step-N` beside its place, renames it in, and removes the oldest beyond `keep`.
    pub(crate) fn save(
        run: &Path,
        key: &Value,
        model: &Decoder,
        optimizer: &Optimizer,
        state: &State,
        keep: usize,
    ) -> Result<()> {
        let place = run.join("checkpoints").join(format!("step-{}", state.step));
        let beside = run.join("checkpoints").join(format!("writing-{}", state.step));
        if beside.exists() {
            remove(&beside)?;
        }
        save_weights(&beside.join(WEIGHTS), model)?;
        let moments = optimizer.moments.iter().enumerate().flat_map(|(number, (first, second))| {
            [(format!("{number}.first"), first.as_slice()), (format!("{number}.second"), second.as_slice())]
        });
        write_vectors(&beside.join(MOMENTS), &moments.collect::<Vec<_>>())?;
        write_json(&beside.join(STATE), &StateFile { key: key.clone(), state: state.clone() })?;
        if place.exists() {
            remove(&place)?;
        }
        fs::rename(&beside, &place).map_err(|e| FileError::io(&place, "rename", e))?;
        let mut old = steps(run);
        while old.len() > keep {
            let (_, folder) = old.remove(0);
            remove(&folder)?;
        }
        Ok(())
    }

    /// Keeps the weights of the best evaluation so far.
    pub(crate) fn save_best(run: &Path, model: &Decoder) -> Result<()> {
        save_weights(&run.join("checkpoints").join(BEST), model)
    }

    /// Puts the weights of the best evaluation into the model.
    pub(crate) fn restore_best(run: &Path, model: &mut Decoder) -> Result<()> {
        load_weights(&run.join("checkpoints").join(BEST), model)
    }
}

/// Whether a run's folder holds a checkpoint to go on from.
pub fn has_checkpoint(run: &Path) -> bool {
    !steps(run).is_empty()
}

/// Refuses a run's folder whose newest checkpoint is of another recipe or other data.
pub fn check_checkpoint(run: &Path, key: &Value) -> Result<()> {
    Checkpoint::newest(run, key, false).map(|_| ())
}

/// The whole checkpoints of a run, oldest first.
fn steps(run: &Path) -> Vec<(usize, PathBuf)> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Vec::new() };
    let mut found: Vec<(usize, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
            entry.path().join(STATE).exists().then(|| (step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Removes a checkpoint, its state first: what is half removed is not whole.
fn remove(folder: &Path) -> Result<()> {
    let state = folder.join(STATE);
    if state.exists() {
        fs::remove_file(&state).map_err(|e| FileError::io(&state, "remove", e))?;
    }
    fs::remove_dir_all(folder).map_err(|e| FileError::io(folder, "remove", e))?;
    Ok(())
}

/// Removes checkpoints that a killed process was writing or removing.
fn remove_fragments(run: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else { return Ok(()) };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with("writing-") || (name.starts_with("step-") && !path.join(STATE).exists()) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn save_weights(path: &Path, model: &Decoder) -> Result<()> {
    let named: Vec<(String, &[f32])> =
        model.parameters().iter().map(|p| (p.name.clone(), p.numbers.as_slice())).collect();
    write_vectors(path, &named)
}

fn load_weights(path: &Path, model: &mut Decoder) -> Result<()> {
    let mut weights = read_vectors(path)?;
    for parameter in model.parameters_mut() {
        let numbers = weights.remove(&parameter.name).unwrap_or_default();
        if numbers.len() != parameter.numbers.len() {
            let name = &parameter.name;
            return Err(ModelError::tensors(path, format!("{name} is missing or has another length")));
        }
        parameter.numbers = numbers;
    }
    Ok(())
}

/// `metrics.jsonl`, appended to and flushed line by line.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Opens the log, dropping lines after `step`: they belong to steps that will be taken again.
    pub(crate) fn open(run: &Path, step: usize) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let kept: Vec<String> = match File::open(&path) {
            Err(_) => Vec::new(),
            Ok(file) => BufReader::new(file)
                .lines()
                .map_while(std::result::Result::ok)
                .filter(|line| line_step(line).is_some_and(|s| s <= step))
                .collect(),
        };
        atomic_write(&path, |out| kept.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        let file =
            OpenOptions::new().append(true).open(&path).map_err(|e| FileError::io(&path, "open", e))?;
        Ok(Self { path, file })
    }

    pub(crate) fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|e| FileError::whole(&self.path, e.to_string()))?;
        writeln!(self.file, "{text}").map_err(|e| FileError::io(&self.path, "write", e))?;
        Ok(())
    }
}

fn line_step(line: &str) -> Option<usize> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("step")?.as_u64().map(|s| s as usize)
}
