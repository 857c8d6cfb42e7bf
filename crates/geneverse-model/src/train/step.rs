//! The steps of a run: which examples each takes, in which micro-batches, and what is said when one goes wrong.

use crate::arch::decoder::Decoder;
use crate::arch::device::Place;
use crate::batch::{Pack, Sequence};
use crate::error::{ModelError, Result};
use crate::optim::norm;
use crate::recipe::Recipe;
use crate::rng::{Rng, mix};
use crate::train::Run;

/// Which examples each step of a run takes.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    examples: usize,
    batch: usize,
    seed: Option<u64>,
    /// Steps of one pass over the data.
    pub per_epoch: usize,
    /// Steps of the whole run.
    pub total: usize,
}

impl Steps {
    /// The steps that a recipe asks for.
    pub fn new(recipe: &Recipe, examples: usize) -> Self {
        let o = &recipe.optim;
        let per_epoch = examples.div_ceil(o.batch_size);
        let total = o.max_steps.unwrap_or(usize::MAX).min(o.epochs * per_epoch);
        let seed = recipe.data.shuffle.then_some(recipe.run.seed);
        Self { examples, batch: o.batch_size, seed, per_epoch, total }
    }

    /// The order of the examples in an epoch.
    pub fn order(&self, epoch: usize) -> Vec<usize> {
        order(self.examples, self.seed, epoch)
    }

    /// The examples of a step, from 0, of an epoch with this order.
    pub fn batch<'o>(&self, order: &'o [usize], step: usize) -> &'o [usize] {
        let within = step % self.per_epoch;
        &order[within * self.batch..order.len().min((within + 1) * self.batch)]
    }
}

/// The order of an epoch.
pub fn order(examples: usize, seed: Option<u64>, epoch: usize) -> Vec<usize> {
    match seed {
        Some(seed) => Rng::at(seed, &[0x0E0C, epoch as u64]).permutation(examples),
        None => (0..examples).collect(),
    }
}

/// The examples of one step.
pub(super) struct Batch<'a> {
    run: &'a Run<'a>,
    place: &'a Place,
    examples: &'a [Sequence],
    members: &'a [usize],
    /// From 0.
    step: usize,
    /// Labels of the whole batch.
    pub(super) trained: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        place: &'a Place,
        examples: &'a [Sequence],
        members: &'a [usize],
        step: usize,
    ) -> Self {
        let trained = members.iter().map(|i| examples[*i].trained()).sum();
        Self { run, place, examples, members, step, trained }
    }

    /// The numbered micro-batches; none where nothing has a label.
    pub(super) fn micro_batches(&self) -> impl Iterator<Item = (usize, &'a [usize])> {
        let members = if self.trained > 0 { self.members } else { &[] };
        members.chunks(self.run.recipe.optim.micro_batch).enumerate()
    }

    /// Adds a micro-batch's gradients to `sums`; its part of the loss and the rows computed.
    pub(super) fn gradients(
        &self,
        model: &Decoder,
        number: usize,
        micro: &[usize],
        sums: &mut [Vec<f32>],
    ) -> Result<(f64, usize)> {
        let recipe = self.run.recipe;
        let sequences = micro.iter().map(|i| &self.examples[*i]);
        let pack = Pack::new(sequences, model.config(), recipe.packing());
        let mask = mix(recipe.run.seed ^ mix(((self.step as u64) << 16) | number as u64));
        Ok((self.place.gradients(model, &pack, self.trained, mask, sums)?, pack.len()))
    }

    /// The first micro-batch whose gradient alone is not finite.
    pub(super) fn culprit(
        &self,
        model: &Decoder,
        sums: &mut [Vec<f32>],
    ) -> Result<Option<(usize, &'a [usize])>> {
        for (number, micro) in self.micro_batches() {
            sums.iter_mut().for_each(|sum| sum.fill(0.0));
            self.gradients(model, number, micro, sums)?;
            if !norm(sums).is_finite() {
                return Ok(Some((number, micro)));
            }
        }
        Ok(None)
    }

    /// The error of a step whose numbers are not finite.
    pub(super) fn diverged(&self, found: &str, culprit: Option<(usize, &[usize])>) -> ModelError {
        let place = culprit.map_or("summed over the batch".to_owned(), |(number, micro)| {
            let number_of = |i: &usize| format!("number {}", i + 1);
            let name = |i: &usize| self.run.names.get(*i).cloned().unwrap_or_else(|| number_of(i));
            let names: Vec<String> = micro.iter().map(name).collect();
            format!("in micro-batch {} (examples {})", number + 1, names.join(", "))
        });
        let way = if self.step == 0 {
            "nothing has been trained yet: look at those examples, and at the weights of the base model"
        } else {
            "lower optim.learning_rate, or look at those examples"
        };
        ModelError::Run(format!("step {}: {found} {place}; {way}", self.step + 1))
    }
}
