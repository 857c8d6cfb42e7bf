//! The one training loop, for adapters and for every weight.
//!
//! A run's folder:
//!
//! ```text
//! metrics.jsonl             a line per optimizer step, and per evaluation
//! checkpoints/step-N/       everything that the rest of the run depends on
//! ```
//!
//! What a step does is a function of the recipe, the data and the step's number: orders and dropout are drawn
//! from the seed and the place. So a run that is stopped and resumed takes the steps it would have taken.

use std::fs;
use std::path::Path;
use std::time::Instant;

use geneverse_data::progress::Progress;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arch::decoder::Decoder;
use crate::arch::device::Place;
use crate::batch::{Pack, Packing, Sequence};
use crate::error::{ModelError, Result};
use crate::heap::peak_rss_mib;
use crate::ops::scratch::keeping;
use crate::optim::{Optimizer, clip};
use crate::recipe::Recipe;
use crate::run::{Checkpoint, Log};

use self::step::Batch;
pub use self::step::{Steps, order};

mod step;

/// A line of `metrics.jsonl`: one optimizer step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    /// From 1.
    pub step: usize,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Mean loss of the batch's trained tokens, before the step.
    pub loss: f64,
    /// Learning rate of the step.
    pub lr: f64,
    /// Length of the gradient before clipping.
    pub grad_norm: f64,
    /// Tokens computed.
    pub tokens: usize,
    /// Tokens with a label.
    pub trained_tokens: usize,
    /// Wall time of the step.
    pub seconds: f64,
    /// Peak resident memory so far.
    pub peak_rss_mib: u64,
}

/// A line of `metrics.jsonl`: one evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalLine {
    /// The step after which it was made.
    pub step: usize,
    /// Mean loss of the validation set's trained tokens.
    pub eval_loss: f64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it went to its end; `false` when it was asked to stop and can be resumed.
    pub finished: bool,
    /// Optimizer steps taken, those before a resume included.
    pub steps: usize,
    /// Steps of the whole run.
    pub total_steps: usize,
    /// Loss of the last step.
    pub last_loss: f64,
    /// Lowest validation loss and its step.
    pub best: Option<EvalLine>,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// Tokens per second over this process's steps.
    pub tokens_per_second: f64,
    /// Where it went on although the recipe or the data had changed, and what was different.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

impl Outcome {
    /// Of a run that was asked to stop before its first step.
    pub fn stopped_before(total_steps: usize) -> Self {
        Self {
            finished: false,
            steps: 0,
            total_steps,
            last_loss: 0.0,
            best: None,
            stopped_early: false,
            tokens_per_second: 0.0,
            changes: Vec::new(),
        }
    }
}

/// Where and how a run is carried out.
pub struct Run<'a> {
    /// What to do; checked.
    pub recipe: &'a Recipe,
    /// The run's folder.
    pub folder: &'a Path,
    /// The data and settings on which the result depends: a checkpoint of another run is not resumed.
    pub key: &'a Value,
    /// Goes on from a checkpoint of other data or settings all the same, and remembers what was different.
    pub ignore_changes: bool,
    /// Names of the examples, for errors; where one is missing, its number is told.
    pub names: &'a [String],
    /// Compute each layer again in the backward pass instead of keeping what it needs.
    pub recompute: bool,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// Asked after every micro-batch; `true` leaves a checkpoint and ends the process's part of the run.
    pub stop: &'a dyn Fn() -> bool,
}

/// Trains `model` on `examples`, going on from the folder's newest checkpoint where there is one.
pub fn train(
    model: &mut Decoder,
    examples: &[Sequence],
    validation: &[Sequence],
    run: &Run<'_>,
) -> Result<Outcome> {
    let (recipe, o, r) = (run.recipe, &run.recipe.optim, &run.recipe.run);
    let steps = Steps::new(recipe, examples.len());
    let every = |n: usize| if n == 0 { steps.per_epoch } else { n };
    let (eval_every, save_every) = (every(r.eval_every), every(r.save_every));

    model.recompute = run.recompute;
    let mut optimizer = Optimizer::new(model.parameters(), o.settings());
    let mut state = Checkpoint::newest(run.folder, run.key, run.ignore_changes)?
        .map(|checkpoint| checkpoint.restore(model, &mut optimizer))
        .transpose()?
        .unwrap_or_default();
    let place = Place::new(r.device, model)?;
    let mut log = Log::open(run.folder, state.step)?;
    if state.step > 0 {
        run.progress.note(&format!("  going on after step {} of {}", state.step, steps.total));
    }

    let mut gradients: Vec<Vec<f32>> =
        model.parameters().iter().map(|p| vec![0.0; p.numbers.len()]).collect();
    let (mut tokens_done, begun, mut saved_at) = (0usize, Instant::now(), state.step);
    run.progress.start("train", Some(steps.total as u64), "steps");
    run.progress.set(state.step as u64);
    let mut finished = true;
    let buffers = keeping();
    while state.step < steps.total && !state.stopped_early {
        let started = Instant::now();
        let order = steps.order(state.step / steps.per_epoch);
        let batch = Batch::new(run, &place, examples, steps.batch(&order, state.step), state.step);
        gradients.iter_mut().for_each(|g| g.fill(0.0));
        let (mut loss, mut tokens, mut interrupted) = (0f64, 0, false);
        for (number, micro) in batch.micro_batches() {
            if (run.stop)() {
                interrupted = true;
                break;
            }
            let (part, rows) = batch.gradients(model, number, micro, &mut gradients)?;
            if !part.is_finite() {
                return Err(batch.diverged(&format!("the loss is {part}"), Some((number, micro))));
            }
            loss += part;
            tokens += rows;
        }
        if interrupted {
            finished = false;
            break;
        }
        let grad_norm = clip(&mut gradients, o.max_grad_norm);
        if !grad_norm.is_finite() {
            let culprit = batch.culprit(model, &mut gradients)?;
            return Err(batch.diverged(&format!("the gradient's norm is {grad_norm}"), culprit));
        }
        let lr = o.learning_rate * o.schedule.share(state.step, o.warmup(steps.total), steps.total);
        optimizer.step(model.parameters_mut(), &gradients, lr);
        state.step += 1;
        state.last_loss = loss;
        tokens_done += tokens;
        log.write(&StepLine {
            step: state.step,
            epoch: state.step as f64 / steps.per_epoch as f64,
            loss,
            lr,
            grad_norm,
            tokens,
            trained_tokens: batch.trained,
            seconds: started.elapsed().as_secs_f64(),
            peak_rss_mib: peak_rss_mib(),
        })?;
        run.progress.set(state.step as u64);
        let rate = tokens_done as f64 / begun.elapsed().as_secs_f64();
        run.progress.state(&format!("loss {loss:.3} · {rate:.0} tokens/s"));

        let last = state.step == steps.total;
        if !validation.is_empty() && (state.step % eval_every == 0 || last) {
            buffers.free();
            let eval_loss = evaluate(&place, model, validation, o.micro_batch)?;
            if !eval_loss.is_finite() {
                let step = state.step;
                return Err(ModelError::Run(format!(
                    "step {step}: the validation loss is {eval_loss}; lower optim.learning_rate"
                )));
            }
            let line = EvalLine { step: state.step, eval_loss };
            log.write(&line)?;
            if state.best.as_ref().is_none_or(|best| eval_loss < best.eval_loss) {
                state.best = Some(line);
                state.since_best = 0;
                if r.load_best {
                    Checkpoint::save_best(run.folder, model)?;
                }
            } else {
                state.since_best += 1;
                state.stopped_early = r.early_stopping > 0 && state.since_best >= r.early_stopping;
            }
        }
        if state.step % save_every == 0 || last || state.stopped_early {
            buffers.free();
            Checkpoint::save(run.folder, run.key, model, &optimizer, &state, r.keep)?;
            saved_at = state.step;
        }
    }
    drop(buffers);
    if !finished && saved_at < state.step {
        Checkpoint::save(run.folder, run.key, model, &optimizer, &state, r.keep)?;
    }
    run.progress.finish();
    if finished && r.load_best {
        Checkpoint::restore_best(run.folder, model)?;
    }
    Ok(Outcome {
        finished,
        steps: state.step,
        total_steps: steps.total,
        last_loss: state.last_loss,
        best: state.best,
        stopped_early: state.stopped_early,
        tokens_per_second: tokens_done as f64 / begun.elapsed().as_secs_f64().max(1e-9),
        changes: state.changes,
    })
}

/// Mean loss over the trained tokens of a set.
fn evaluate(place: &Place, model: &Decoder, sequences: &[Sequence], micro_batch: usize) -> Result<f64> {
    let trained: usize = sequences.iter().map(Sequence::trained).sum();
    let mut loss = 0f64;
    for micro in sequences.chunks(micro_batch.max(1)) {
        let pack = Pack::new(micro, model.config(), Packing::Shared);
        loss += place.loss(model, &pack, trained.max(1))?;
    }
    Ok(loss)
}

/// Removes what a finished run does not need any more: the moments of its checkpoints are most of its size.
pub fn remove_checkpoints(folder: &Path) -> Result<()> {
    let checkpoints = folder.join("checkpoints");
    if checkpoints.exists() {
        fs::remove_dir_all(&checkpoints)
            .map_err(|e| geneverse_data::stage::FileError::io(&checkpoints, "remove", e))?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
