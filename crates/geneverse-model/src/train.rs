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

use crate::arch::decoder::Decoder;
use crate::arch::device::Place;
use crate::batch::{Pack, Packing, Sequence};
use crate::error::{ModelError, Result};
use crate::optim::{AdamW, clip};
use crate::recipe::Recipe;
use crate::rng::{Rng, mix};
use crate::run::{Checkpoint, Log, peak_rss_mib};

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
}

/// Where and how a run is carried out.
pub struct Run<'a> {
    /// What to do; checked.
    pub recipe: &'a Recipe,
    /// The run's folder.
    pub folder: &'a Path,
    /// Names the data and settings: a checkpoint of another run is not resumed.
    pub key: &'a str,
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
    let steps_per_epoch = examples.len().div_ceil(o.batch_size);
    let total_steps = o.max_steps.unwrap_or(usize::MAX).min(o.epochs * steps_per_epoch);
    let every = |n: usize| if n == 0 { steps_per_epoch } else { n };
    let (eval_every, save_every) = (every(r.eval_every), every(r.save_every));

    let packing = if recipe.data.pack { Packing::Shared } else { Packing::Padded };
    let mut optimizer = AdamW::new(model.parameters(), o.weight_decay, o.lora_plus_ratio);
    let mut state = Checkpoint::newest(run.folder, run.key)?
        .map(|checkpoint| checkpoint.restore(model, &mut optimizer))
        .transpose()?
        .unwrap_or_default();
    let place = Place::new(r.device, model)?;
    let mut log = Log::open(run.folder, state.step)?;
    if state.step > 0 {
        run.progress.note(&format!("  going on after step {} of {total_steps}", state.step));
    }

    let mut gradients: Vec<Vec<f32>> =
        model.parameters().iter().map(|p| vec![0.0; p.numbers.len()]).collect();
    let (mut tokens_done, begun, mut saved_at) = (0usize, Instant::now(), state.step);
    run.progress.start("train", Some(total_steps as u64), "steps");
    run.progress.set(state.step as u64);
    let mut finished = true;
    while state.step < total_steps && !state.stopped_early {
        let started = Instant::now();
        let (epoch, within) = (state.step / steps_per_epoch, state.step % steps_per_epoch);
        let order = order(examples.len(), recipe.data.shuffle.then_some(r.seed), epoch);
        let batch: Vec<&Sequence> = order
            [within * o.batch_size..examples.len().min((within + 1) * o.batch_size)]
            .iter()
            .map(|i| &examples[*i])
            .collect();
        let trained: usize = batch.iter().map(|s| s.trained()).sum();
        gradients.iter_mut().for_each(|g| g.fill(0.0));
        let (mut loss, mut tokens, mut interrupted) = (0f64, 0, false);
        if trained > 0 {
            for (number, micro) in batch.chunks(o.micro_batch).enumerate() {
                if (run.stop)() {
                    interrupted = true;
                    break;
                }
                let pack = Pack::new(micro.iter().copied(), model.config(), packing);
                tokens += pack.len();
                let mask = mix(r.seed ^ mix(((state.step as u64) << 16) | number as u64));
                loss += place.gradients(model, &pack, trained, mask, &mut gradients)?;
            }
        }
        if interrupted {
            finished = false;
            break;
        }
        let grad_norm = clip(&mut gradients, o.max_grad_norm);
        if !loss.is_finite() || !grad_norm.is_finite() {
            return Err(ModelError::Run(format!(
                "step {}: the loss is {loss} and the gradient's norm {grad_norm} (examples {} to {} of epoch {}); \
                 lower optim.learning_rate, or look at those examples",
                state.step + 1,
                within * o.batch_size + 1,
                within * o.batch_size + batch.len(),
                epoch + 1,
            )));
        }
        let lr = o.learning_rate * o.schedule.share(state.step, o.warmup_steps, total_steps);
        optimizer.step(model.parameters_mut(), &gradients, lr);
        state.step += 1;
        state.last_loss = loss;
        tokens_done += tokens;
        log.write(&StepLine {
            step: state.step,
            epoch: state.step as f64 / steps_per_epoch as f64,
            loss,
            lr,
            grad_norm,
            tokens,
            trained_tokens: trained,
            seconds: started.elapsed().as_secs_f64(),
            peak_rss_mib: peak_rss_mib(),
        })?;
        run.progress.set(state.step as u64);
        let rate = tokens_done as f64 / begun.elapsed().as_secs_f64();
        run.progress.state(&format!("loss {loss:.3} · {rate:.0} tokens/s"));

        let last = state.step == total_steps;
        if !validation.is_empty() && (state.step % eval_every == 0 || last) {
            let eval_loss = evaluate(&place, model, validation, o.micro_batch)?;
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
            Checkpoint::save(run.folder, run.key, model, &optimizer, &state, r.keep)?;
            saved_at = state.step;
        }
    }
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
        total_steps,
        last_loss: state.last_loss,
        best: state.best,
        stopped_early: state.stopped_early,
        tokens_per_second: tokens_done as f64 / begun.elapsed().as_secs_f64().max(1e-9),
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

/// The order of an epoch.
pub fn order(examples: usize, seed: Option<u64>, epoch: usize) -> Vec<usize> {
    match seed {
        Some(seed) => Rng::at(seed, &[0x0E0C, epoch as u64]).permutation(examples),
        None => (0..examples).collect(),
    }
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
