//! How much memory a training run will need, before it takes any.
//!
//! | part | bytes |
//! |---|---|
//! | program | what the process holds before the weights are read: itself, tokenizer, data |
//! | frozen | weights as the checkpoint holds them, as far as they will be read |
//! | trained, gradients, optimizer | 4, 4 and 8 for each trained number |
//! | activations | what the largest micro-batch keeps from its forward to its backward pass |
//! | scratch | what comes and goes beside that at the worst moment |
//! | overhead | what threads, products and allocator take for themselves |
//!
//! Activations and scratch follow the buffers of `Decoder::gradients`, `ops/layer.rs` and `ops/cross_entropy.rs` one by one: who
//! adds a buffer there adds it here, and `tests/memory.rs` counts.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::arch::clip;
use crate::arch::decoder::{Decoder, Labelled};
use crate::arch::projector::{PICTURE, Projector};
use crate::batch::{Packing, Sequence, rows};
use crate::config::vision::{CHANNELS, ClipConfig, VisionConfig};
use crate::error::Result;
use crate::families::Top;
use crate::ops::cross_entropy::chunk_rows;
use crate::ops::layer::Trained;
use crate::ops::scratch::SLACK;
use crate::ops::slots::{Group, LayerShape};
use crate::recipe::{Kind, Recipe, TowerTraining};
use crate::train::Steps;

pub use machine::{available, resident};

mod machine;

/// What a run will need, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Held before the weights are read: program, tokenizer, data.
    pub program: usize,
    /// Weights that are not trained. They lie in the mapped checkpoint; pages of it count once they are read.
    pub frozen: usize,
    /// What is trained.
    pub trained: usize,
    /// Its gradients.
    pub gradients: usize,
    /// AdamW's two moments.
    pub optimizer: usize,
    /// Kept of a forward pass for its backward pass.
    pub activations: usize,
    /// Buffers that come and go, at the worst moment.
    pub scratch: usize,
    /// What threads, matrix products and the system's allocator take for themselves.
    pub overhead: usize,
    /// Rows of the largest micro-batch.
    pub rows: usize,
    /// Whether activations are computed again in the backward pass, which leaves only the inputs of layers.
    pub recompute: bool,
}

impl Memory {
    /// The most memory that the process will have resident.
    pub fn peak(&self) -> usize {
        self.program + self.further()
    }

    /// What it will take beyond what it has.
    pub fn further(&self) -> usize {
        let Self { frozen, trained, gradients, optimizer, activations, scratch, overhead, .. } = *self;
        frozen + trained + gradients + optimizer + activations + scratch + overhead
    }
}

/// Predicts the peak of training `model`, nothing of which is trained yet, as `recipe` says.
///
/// `program` is what the process holds without the weights. Every micro-batch of the run is looked at.
pub fn predict(
    model: &Decoder,
    recipe: &Recipe,
    (examples, validation): (&[Sequence], &[Sequence]),
    recompute: bool,
    program: usize,
) -> Result<Memory> {
    let plan = Plan::new(model, recipe)?;
    let all = recipe.method.kind == Kind::Full;
    let tokens = model.config().vision.as_ref().map_or(0, |vision| vision.tokens());
    let (training, evaluation) = largest(recipe, examples, validation, tokens);
    let pass = Pass { model, plan: &plan, batch: training };
    let activations = FLOAT * pass.kept(recompute);
    let of_evaluation = Pass { batch: evaluation, ..pass }.evaluation();
    // A parameter is copied on its way into a checkpoint; by then the activations are gone.
    let peak = pass.peak(recompute).max(of_evaluation).max(plan.largest_parameter);
    let trained = FLOAT * plan.trained;
    let scratch = (FLOAT * peak).saturating_sub(activations);
    let of_products = if plan.whole_layers() { 2 * PER_THREAD } else { PER_THREAD };
    // A tower looks at one more than a picture becomes.
    let keys = training.sequence.max(evaluation.sequence).max(tokens + 1);
    let threads = rayon::current_num_threads() * (of_products + 2 * FLOAT * TILE * keys);
    Ok(Memory {
        program,
        frozen: FLOAT * plan.tower.as_ref().map_or(0, |tower| tower.frozen)
            + if all { seen(model, recipe) } else { touched(model, examples, validation) },
        trained,
        gradients: trained,
        optimizer: 2 * trained,
        activations,
        scratch,
        overhead: threads + (4 * trained + activations + scratch) / HOLES,
        rows: pass.batch.rows,
        recompute,
    })
}

/// Bytes of a number.
const FLOAT: usize = size_of::<f32>();

/// What a thread took for itself in runs that were measured (30 million parameters, 900 and 2048 rows): its stack, its
/// share of the allocator, the blocks of its products. Products that make the gradients of whole matrices took twice that.
const PER_THREAD: usize = 4 << 20;

/// Queries that attention handles together. What they give to their keys, and the gradient of that, each thread keeps.
const TILE: usize = 64;

/// Freed buffers leave holes that the next do not fill: in the same runs about one part in 32.
const HOLES: usize = 32;

/// Bytes of what a model reads of pictures where all of its decoder is trained: features, and the projector that is not.
fn seen(model: &Decoder, recipe: &Recipe) -> usize {
    let Some(projector) = &model.projector else { return 0 };
    let features = FLOAT * projector.shown() * projector.width();
    if recipe.projector_rate().is_some() { features } else { projector.frozen_bytes() }
}

/// Bytes of the frozen weights that a run reads: all but rows of the embedding for tokens that do not occur.
fn touched(model: &Decoder, examples: &[Sequence], validation: &[Sequence]) -> usize {
    let Some(embedding) = &model.tops[Top::Embedding as usize] else { return model.frozen_bytes() };
    if model.config().tie_word_embeddings {
        return model.frozen_bytes();
    }
    // Linux maps 64 KiB around a page that is read.
    const AROUND: usize = 64 << 10;
    let whole = embedding.len() * embedding.precision().bytes();
    let row = model.config().hidden_size * embedding.precision().bytes();
    let ids = examples.iter().chain(validation).flat_map(|sequence| &sequence.ids);
    let ids = ids.filter(|id| **id < PICTURE);
    let places: HashSet<usize> = ids.map(|id| *id as usize * row / AROUND).collect();
    model.frozen_bytes() - whole + whole.min(places.len() * row.max(AROUND))
}

/// The sizes of a micro-batch that decide.
#[derive(Clone, Copy, Default)]
struct Batch {
    rows: usize,
    labels: usize,
    /// Rows that the last layer computes of what follows attention.
    asked: usize,
    /// Rows of the longest sequence, or of the longest tree of sequences with a common prefix.
    longest: usize,
    /// Tokens of the longest sequence.
    sequence: usize,
    /// Rows of pictures, and pictures, each once.
    seen: usize,
    pictures: usize,
}

impl Batch {
    /// `tokens` is how many a picture becomes.
    fn of(sequences: &[&Sequence], packing: Packing, tokens: usize) -> Self {
        let (rows, longest) = rows(sequences, packing);
        let ids =
            sequences.iter().flat_map(|sequence| &sequence.ids).filter_map(|id| id.checked_sub(PICTURE));
        let (mut seen, mut pictures) = (0, HashSet::new());
        for row in ids {
            seen += 1;
            pictures.insert(row as usize / tokens.max(1));
        }
        let labels = sequences.iter().map(|s| s.trained()).sum::<usize>().min(rows);
        let asked = if Labelled::pays(labels, rows) { labels } else { rows };
        let sequence = sequences.iter().map(|sequence| sequence.ids.len()).max().unwrap_or(0);
        Self { rows, longest, sequence, labels, asked, seen: seen.min(rows), pictures: pictures.len() }
    }

    /// At least as large as both in everything.
    fn with(self, other: Self) -> Self {
        Self {
            rows: self.rows.max(other.rows),
            labels: self.labels.max(other.labels),
            asked: self.asked.max(other.asked),
            longest: self.longest.max(other.longest),
            sequence: self.sequence.max(other.sequence),
            seen: self.seen.max(other.seen),
            pictures: self.pictures.max(other.pictures),
        }
    }
}

/// The largest micro-batches of training and of evaluation.
fn largest(recipe: &Recipe, examples: &[Sequence], validation: &[Sequence], tokens: usize) -> (Batch, Batch) {
    let (packing, micro) = (recipe.packing(), recipe.optim.micro_batch);
    let steps = Steps::new(recipe, examples.len());
    let mut training = Batch::default();
    for epoch in 0..steps.total.div_ceil(steps.per_epoch.max(1)) {
        let order = steps.order(epoch);
        for step in epoch * steps.per_epoch..steps.total.min((epoch + 1) * steps.per_epoch) {
            for micro in steps.batch(&order, step).chunks(micro) {
                let sequences: Vec<&Sequence> = micro.iter().map(|i| &examples[*i]).collect();
                training = training.with(Batch::of(&sequences, packing, tokens));
            }
        }
    }
    let mut evaluation = Batch::default();
    for micro in validation.chunks(micro) {
        let sequences: Vec<&Sequence> = micro.iter().collect();
        evaluation = evaluation.with(Batch::of(&sequences, Packing::Shared, tokens));
    }
    // The loss alone is computed of every row.
    evaluation.asked = evaluation.rows;
    (training, evaluation)
}

/// Rows that the first epoch computes as the recipe packs, and if every sequence were padded to the longest of its
/// micro-batch.
pub fn packing_gain(recipe: &Recipe, examples: &[Sequence]) -> (usize, usize) {
    let steps = Steps::new(recipe, examples.len());
    let order = steps.order(0);
    let mut sums = (0, 0);
    for step in 0..steps.per_epoch {
        for micro in steps.batch(&order, step).chunks(recipe.optim.micro_batch) {
            let sequences: Vec<&Sequence> = micro.iter().map(|i| &examples[*i]).collect();
            sums.0 += rows(&sequences, recipe.packing()).0;
            sums.1 += rows(&sequences, Packing::Padded).0;
        }
    }
    sums
}

/// What of each layer will be trained.
struct Plan {
    layers: Vec<(LayerShape, Trained)>,
    /// Trained numbers.
    trained: usize,
    largest_parameter: usize,
    /// Whether anything is trained that makes the layers' input.
    input: bool,
    tower: Option<Tower>,
}

/// What of a tower will be trained.
struct Tower {
    clip: ClipConfig,
    layers: Vec<Trained>,
    /// Numbers of its weights that are not trained.
    frozen: usize,
}

impl Tower {
    /// Adds its trained numbers to `parameters`.
    fn new(vision: &VisionConfig, recipe: &Recipe, parameters: &mut Vec<usize>) -> Result<Option<Self>> {
        let of_tower = recipe.vision.as_ref().map_or(TowerTraining::Frozen, |section| section.tower);
        let clip = vision.tower.clone();
        let shape = clip.layer();
        let whole = clip::Tower::embeddings_len(&clip) + vision.layers * shape.len();
        let mut layers = Vec::new();
        for number in 0..vision.layers {
            layers.push(match (of_tower, recipe.lora()?) {
                (TowerTraining::Adapted, Some(lora)) => {
                    let layout = lora.tower_layout(&shape, number);
                    parameters.push(layout.len);
                    Trained::Lora(Arc::new(layout))
                }
                _ => {
                    parameters.extend((of_tower == TowerTraining::Trained).then_some(shape.len()));
                    Trained::All
                }
            });
        }
        let frozen = match of_tower {
            TowerTraining::Frozen => return Ok(None),
            TowerTraining::Adapted => whole,
            TowerTraining::Trained => {
                parameters.push(clip::Tower::embeddings_len(&clip));
                0
            }
        };
        Ok(Some(Self { clip, layers, frozen }))
    }

    fn embeds(&self) -> bool {
        self.frozen == 0
    }
}

impl Plan {
    fn new(model: &Decoder, recipe: &Recipe) -> Result<Self> {
        let lora = recipe.lora()?;
        let (mut layers, mut parameters) = (Vec::new(), Vec::new());
        let group = recipe.method.blocks.map(|blocks| (model.layers.len() / blocks.max(1)).max(1));
        for (number, layer) in model.layers.iter().enumerate() {
            let shape = layer.shape;
            let trained = match (&lora, recipe.method.kind) {
                (Some(lora), _) => {
                    let layout = lora.layout(model.config(), &shape, number);
                    parameters.push(layout.len);
                    if layout.len == 0 { Trained::Nothing } else { Trained::Lora(Arc::new(layout)) }
                }
                (None, Kind::Full) => {
                    parameters.push(shape.len());
                    Trained::All
                }
                (None, _) => Trained::Nothing,
            };
            layers.push((shape, trained));
            if group.is_some_and(|group| (number + 1).is_multiple_of(group)) {
                parameters.push(shape.len());
                layers.push((shape, Trained::All));
            }
        }
        if recipe.method.kind == Kind::Full {
            let tops = Top::ALL.into_iter().filter_map(|top| Decoder::top_size(model.config(), top));
            parameters.extend(tops.map(|(rows, columns)| rows * columns));
        }
        let projector = model.projector.as_ref().filter(|_| recipe.projector_rate().is_some());
        parameters.extend(projector.map(Projector::len));
        let vision = model.config().vision.as_deref();
        let tower = vision.map(|vision| Tower::new(vision, recipe, &mut parameters)).transpose()?.flatten();
        let largest_parameter = parameters.iter().copied().max().unwrap_or(0);
        let input = recipe.method.kind == Kind::Full || projector.is_some() || tower.is_some();
        Ok(Self { layers, trained: parameters.iter().sum(), largest_parameter, input, tower })
    }

    /// Whether there is a layer of which everything is trained.
    fn whole_layers(&self) -> bool {
        self.layers.iter().any(|(_, trained)| matches!(trained, Trained::All))
            || self.tower.as_ref().is_some_and(Tower::embeds)
    }
}

/// A micro-batch on its way through the layers. Everything is counted in numbers of 4 bytes.
#[derive(Clone, Copy)]
struct Pass<'a> {
    model: &'a Decoder,
    plan: &'a Plan,
    batch: Batch,
}

impl Pass<'_> {
    fn hidden(&self) -> usize {
        self.batch.rows * self.model.config().hidden_size
    }

    /// Ids, positions, labels of four words each, cosines and sines.
    fn pack(&self) -> usize {
        let config = self.model.config();
        let rotations = config.ropes().len() * config.head_dim;
        self.batch.rows * (2 + rotations) + 4 * self.batch.labels
    }

    fn layers(&self) -> impl DoubleEndedIterator<Item = Layer<'_>> + ExactSizeIterator {
        let layers = self.plan.layers.iter().enumerate();
        layers.map(|(number, (shape, trained))| {
            let last = number + 1 == self.plan.layers.len();
            let Batch { rows, longest, asked, .. } = self.batch;
            Layer { shape: *shape, trained, rows, asked: if last { asked } else { rows }, longest }
        })
    }

    /// The layers of a tower that is trained.
    fn tower(&self) -> impl DoubleEndedIterator<Item = (Layer<'_>, &Tower)> {
        let of = |tower: &'_ Tower| {
            let tokens = 1 + tower.clip.patches();
            (tower.clip.layer(), tokens, self.batch.pictures * tokens)
        };
        let shapes = self.plan.tower.iter().map(move |tower| (tower, of(tower)));
        shapes.flat_map(|(tower, (shape, longest, rows))| {
            tower
                .layers
                .iter()
                .map(move |trained| (Layer { shape, trained, rows, asked: rows, longest }, tower))
        })
    }

    /// What the projector and a tower that is trained keep.
    fn kept_of_pictures(&self, recompute: bool) -> usize {
        let Some(projector) = &self.model.projector else { return 0 };
        let features = self.batch.seen * (projector.width() + 1);
        let Some(tower) = &self.plan.tower else { return features };
        let (patches, hidden) = (tower.clip.patches(), tower.clip.hidden_size);
        let embeddings = if tower.embeds() {
            self.batch.pictures * (patches * tower.clip.patch_numbers() + (1 + patches) * hidden)
        } else {
            0
        };
        let layers =
            self.tower().map(|(layer, _)| layer.rows * hidden + if recompute { 0 } else { layer.saved() });
        // The places of the rows are numbers of eight bytes.
        features + self.batch.seen * 3 + embeddings + layers.sum::<usize>()
    }

    /// The worst moment in a tower that is trained, beside what it keeps.
    fn peak_of_tower(&self) -> usize {
        let of = |(layer, tower): (Layer<'_>, &Tower)| {
            let hidden = layer.rows * tower.clip.hidden_size;
            let pixels = self.batch.pictures * CHANNELS * tower.clip.image_size.pow(2);
            (pixels + hidden + layer.forward()).max(2 * hidden + layer.backward())
        };
        self.tower().map(of).max().unwrap_or(0)
    }

    /// The layer below which nothing is kept.
    fn lowest(&self) -> usize {
        let trained = |(_, trained): &(_, Trained)| !matches!(trained, Trained::Nothing);
        if self.plan.input {
            0
        } else {
            self.plan.layers.iter().position(trained).unwrap_or(self.plan.layers.len())
        }
    }

    /// What all layers keep.
    fn kept(&self, recompute: bool) -> usize {
        let of = |layer: Layer<'_>| self.hidden() + if recompute { 0 } else { layer.saved() };
        self.layers().skip(self.lowest()).map(of).sum::<usize>() + self.kept_of_pictures(recompute)
    }

    /// The head's logits, their rows' inputs and the gradients of these.
    fn head(&self) -> usize {
        let config = self.model.config();
        let rows = self.batch.labels.min(chunk_rows(config.vocab_size));
        let capped = config.logit_cap.map_or(0, |_| rayon::current_num_threads() * config.vocab_size);
        rows * (config.vocab_size + 2 * config.hidden_size) + capped
    }

    /// The worst moment of a forward pass, the head and a backward pass.
    fn peak(&self, recompute: bool) -> usize {
        let (hidden, lowest) = (self.hidden(), self.lowest());
        let mut kept = self.kept_of_pictures(recompute);
        // The projector's inner layer, forward and backward, and the tower's own passes, when the layers are not at work.
        let projector = 4 * self.batch.seen * self.model.config().hidden_size;
        let mut most = kept + self.hidden() + projector.max(self.peak_of_tower());
        for (number, layer) in self.layers().enumerate() {
            most = most.max(kept + hidden + layer.forward());
            if number >= lowest {
                kept += hidden + if recompute { 0 } else { layer.saved() };
            }
        }
        let asked = self.batch.asked * self.model.config().hidden_size;
        most = most.max(kept + 3 * asked + self.head()).max(kept + 4 * asked);
        for layer in self.layers().skip(lowest).rev() {
            if recompute {
                most = most.max(kept + hidden + layer.forward());
                most = most.max(kept + layer.saved() + layer.backward());
                kept -= hidden;
            } else {
                most = most.max(kept + layer.backward());
                kept -= hidden + layer.saved();
            }
        }
        // Buffers of a step are kept, and not all sizes are wanted most at the same time: of what is allowed for that
        // some half was found to be taken.
        let most = most + most / (2 * SLACK);
        let attention = self.layers().skip(lowest).map(|layer| layer.attention()).max().unwrap_or(0);
        most + attention + self.pack()
    }

    /// The worst moment of an evaluation.
    fn evaluation(&self) -> usize {
        let layers = self.layers().map(|layer| layer.forward()).max().unwrap_or(0);
        let hidden = self.hidden();
        let hidden = hidden.max(self.peak_of_tower());
        (hidden + layers).max(2 * hidden + self.head()) + self.pack()
    }
}

/// A layer at work.
struct Layer<'a> {
    shape: LayerShape,
    trained: &'a Trained,
    rows: usize,
    /// Those whose outputs are wanted.
    asked: usize,
    longest: usize,
}

impl Layer<'_> {
    /// The rows of which a group's maps are computed.
    fn rows_of(&self, group: Group) -> usize {
        if group == Group::Qkv { self.rows } else { self.asked }
    }

    fn inputs(&self, group: Group) -> usize {
        self.rows_of(group) * self.shape.inputs(group)
    }

    fn trains(&self, group: Group) -> bool {
        match self.trained {
            Trained::Nothing => false,
            Trained::Lora(layout) => layout.adapts(group),
            Trained::All => true,
        }
    }

    /// `count` copies of a group's input, where dropout acts on it.
    fn dropped(&self, group: Group, count: usize) -> usize {
        match self.trained {
            Trained::Lora(layout) if layout.dropout > 0.0 && layout.adapts(group) => {
                count * self.inputs(group)
            }
            _ => 0,
        }
    }

    /// With DoRA, the gradient of a group's outputs before they were scaled.
    fn unscaled(&self, group: Group) -> usize {
        let Trained::Lora(layout) = self.trained else { return 0 };
        let mut maps = layout.maps().filter(|map| group.slots().contains(&map.target.slots[0]));
        if maps.any(|map| map.magnitude.is_some()) {
            self.rows_of(group) * self.shape.outputs(group)
        } else {
            0
        }
    }

    /// The adapted maps' x·Aᵀ, and with DoRA their sums.
    fn low(&self) -> usize {
        let Trained::Lora(layout) = self.trained else { return 0 };
        let of = |group: Group| {
            let maps = layout.maps().filter(move |map| group.slots().contains(&map.target.slots[0]));
            let width = maps.map(|map| map.rank + map.magnitude.as_ref().map_or(0, |_| map.outputs));
            self.rows_of(group) * width.sum::<usize>()
        };
        Group::ALL.into_iter().map(of).sum()
    }

    /// Queries, keys and values, and queries and keys before their norms.
    fn queries(&self) -> usize {
        let heads = self.shape.heads;
        let raw = if self.shape.head_norms { (heads.query + heads.key_value) * heads.dim } else { 0 };
        self.rows * (heads.row() + raw)
    }

    /// What attention gives.
    fn mixed(&self) -> usize {
        self.rows * (self.shape.heads.out() + self.shape.heads.query)
    }

    fn hidden(&self) -> usize {
        self.rows * self.shape.hidden
    }

    /// Hidden states of the rows that are asked for.
    fn asked(&self) -> usize {
        self.asked * self.shape.hidden
    }

    /// What the outputs of attention and feed-forward take before a norm, where there is one.
    fn before_norm(&self) -> usize {
        if self.shape.sandwich_norms { self.asked() } else { 0 }
    }

    fn gate_up(&self) -> usize {
        self.asked * self.shape.outputs(Group::Up)
    }

    /// `Saved`.
    fn saved(&self) -> usize {
        self.queries() + self.mixed() + self.asked() + 2 * self.before_norm() + self.gate_up() + self.low()
    }

    /// The worst moment of a forward pass, what it gives included: the last product.
    fn forward(&self) -> usize {
        self.saved() + self.hidden() + self.asked() + self.inputs(Group::Down) + self.dropped(Group::Down, 1)
    }

    /// The worst moment of a backward pass over what is kept.
    fn backward(&self) -> usize {
        let (hidden, asked, gate_up, inner) =
            (self.hidden(), self.asked(), self.gate_up(), self.inputs(Group::Down));
        let when = |group: Group, buffer: usize| if self.trains(group) { buffer } else { 0 };
        let normed = when(Group::Up, asked);
        let heads = self.shape.heads;
        let (row, out) = (self.rows * heads.row(), self.rows * heads.out());
        // Rows that are picked out of those of all, where not all are asked for.
        let picked = if self.asked < self.rows { self.inputs(Group::Output) } else { 0 };
        // With dropout the gradient of what enters A is dropped out, before and after.
        let dropped = |group| self.dropped(group, 2);
        let fed = self.before_norm();
        let moments = [
            asked + fed + inner + dropped(Group::Down) + self.unscaled(Group::Down),
            // What is multiplied with the gradients that the down-projection has given.
            asked + fed + inner + gate_up + self.dropped(Group::Down, 1) + self.unscaled(Group::Down),
            (2 * asked + normed + dropped(Group::Up) + self.unscaled(Group::Up)).saturating_sub(fed),
            (normed
                + picked
                + self.inputs(Group::Output)
                + dropped(Group::Output)
                + self.unscaled(Group::Output))
            .saturating_sub(gate_up),
            (hidden + normed + out + row).saturating_sub(2 * fed + gate_up + asked),
            (3 * hidden + row + dropped(Group::Qkv) + self.unscaled(Group::Qkv))
                .saturating_sub(2 * fed + gate_up + asked + self.mixed() + row),
        ];
        moments.into_iter().max().unwrap_or(0)
    }

    /// What attention's backward pass takes beside the buffers of a step, which are kept while it is at work: gradients of the keys
    /// and values that heads share for a tree at once, on each thread.
    fn attention(&self) -> usize {
        let heads = self.shape.heads;
        let threads = rayon::current_num_threads().min(heads.query * self.rows.div_ceil(self.longest.max(1)));
        let of_heads =
            (threads * self.longest * (heads.query / heads.key_value)).min(self.rows * heads.query);
        if heads.query == heads.key_value { 0 } else { 2 * heads.dim * of_heads }
    }
}
