//! The decoder: embedding, layers, final norm, output layer. What each computes is in its [`ModelConfig`].
//!
//! What is trained decides where a layer's numbers lie: frozen weights as the checkpoint holds them, trained ones
//! in one flat vector per layer (see `ops/layer.rs`), which is one parameter to the optimizer.

mod gradients;

pub(crate) use gradients::Labelled;

use std::ops::Range;

use super::clip::Looked;
use super::llava::Sight;
use super::projector::{PICTURE, Projector};
use crate::batch::Pack;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::families::Top;
use crate::ops::beside::Beside;
use crate::ops::buffer;
use crate::ops::cross_entropy::Head;
use crate::ops::experts::Experts;
use crate::ops::in_pool;
use crate::ops::layer::{Layer, Trained};
use crate::ops::matmul::Slice;
use crate::ops::norm::Norm;
use crate::ops::scratch::take;
use crate::ops::slots::{LayerShape, Map, Slot, Weights};
use crate::pictures::Album;
use crate::rng::{Rng, mix};
use crate::weights::{Held, Numbers};

/// A decoder and what of it is trained.
pub struct Decoder {
    pub(super) config: ModelConfig,
    pub(crate) layers: Vec<DecoderLayer>,
    /// By [`Top`]; the head is missing where it is tied.
    pub(crate) tops: [Option<Held>; 5],
    /// The parameter of each [`Top`] that is trained.
    pub(super) trained_tops: [Option<usize>; 5],
    pub(crate) parameters: Vec<Parameter>,
    /// What makes tokens of pictures; missing where the decoder reads text only.
    pub(crate) projector: Option<Projector>,
    /// The tower, where it is trained with the decoder; else pictures come as features that it has made.
    pub(crate) sight: Option<Sight>,
    /// Of each layer, what stands in the place of its feed-forward; empty where no layer has experts.
    pub(crate) experts: Vec<Option<Experts>>,
    /// Keep a layer's input only, and compute the rest again in the backward pass.
    pub(crate) recompute: bool,
}

/// One layer's numbers.
pub(crate) struct DecoderLayer {
    pub(crate) shape: LayerShape,
    /// By [`Slot`]; all missing where everything is trained.
    pub(crate) held: Vec<Option<Held>>,
    pub(crate) trained: Trained,
    /// Which parameter is the layer's flat vector.
    pub(crate) parameter: Option<usize>,
}

/// A trained vector or matrix, and how the optimizer treats its parts.
pub struct Parameter {
    /// A name for errors and checkpoints.
    pub name: String,
    /// The numbers.
    pub numbers: Vec<f32>,
    /// Parts that are treated differently; together they are the whole.
    pub parts: Vec<Part>,
}

/// A part of a parameter.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which numbers.
    pub range: Range<usize>,
    /// Whether weight decay applies (matrices, not norms and biases).
    pub decays: bool,
    /// Whether it is a LoRA B matrix, which LoRA+ trains faster.
    pub is_lora_b: bool,
    /// How much longer steps on it are than the learning rate says; 1 for most.
    pub rate: f64,
    /// Rows and columns, where it is a whole linear map of a layer.
    pub matrix: Option<(usize, usize)>,
}

/// What the backward pass needs of a pack's pictures.
struct Seeing {
    /// The rows of the pack that are pictures'.
    places: Vec<usize>,
    /// What the projector read: (places, width).
    features: Vec<f32>,
    /// Where the tower is trained: which of its states each place is, and what its own backward pass needs.
    looked: Option<(Vec<usize>, Looked)>,
}

/// The weights of a decoder by their parts.
pub(crate) struct AllWeights {
    /// By [`Top`].
    pub(crate) tops: [Option<Held>; 5],
    /// By [`Slot`], for each layer.
    pub(crate) layers: Vec<Vec<Option<Held>>>,
}

/// The dropout mask of a layer in a pass.
pub(super) fn layer_mask(pass: u64, layer: usize) -> u64 {
    mix(pass ^ ((layer as u64) << 8))
}

impl Decoder {
    /// A decoder of given weights, nothing trained.
    pub(crate) fn frozen(config: ModelConfig, weights: AllWeights) -> Self {
        let layer = |(number, held)| {
            let shape = LayerShape::new(&config, number);
            DecoderLayer { shape, held, trained: Trained::Nothing, parameter: None }
        };
        let layers = weights.layers.into_iter().enumerate().map(layer).collect();
        let (trained_tops, parameters) = ([None; 5], Vec::new());
        let (tops, projector, sight) = (weights.tops, None, None);
        let experts = Vec::new();
        Self { config, layers, tops, trained_tops, parameters, projector, sight, experts, recompute: false }
    }

    /// A decoder of random weights: normal with deviation 0.02, the maps back into the residual stream
    /// smaller by √(2 · layers) (GPT-2's initialisation), norms 1, biases 0.
    pub fn random(config: ModelConfig, seed: u64) -> Self {
        let matrix = |(rows, columns): (usize, usize), deviation: f32, place: &[u64]| {
            let mut rng = Rng::at(seed, place);
            let numbers: Vec<f32> = (0..rows * columns).map(|_| rng.normal(deviation)).collect();
            Held::new(Numbers::new(numbers), rows, columns)
        };
        let vector = |width: usize, value: f32| Held::new(Numbers::new(vec![value; width]), 1, width);
        let one = if config.norm == crate::config::Norm::RmsPlusOne { 0.0 } else { 1.0 };
        let back = 0.02 / (2.0 * config.num_hidden_layers as f32).sqrt();
        let layers = (0..config.num_hidden_layers).map(|number| {
            let shape = LayerShape::new(&config, number);
            let fresh = |slot: Slot| {
                let (rows, columns) = shape.size(slot)?;
                let place = [1 + number as u64, slot as u64];
                Some(match slot {
                    Slot::Output | Slot::Down => matrix((rows, columns), back, &place),
                    _ if slot.is_matrix() => matrix((rows, columns), 0.02, &place),
                    _ if slot.is_bias() => vector(columns, 0.0),
                    _ => vector(columns, one),
                })
            };
            Slot::ALL.map(fresh).to_vec()
        });
        let layers = layers.collect();
        let top = |top: Top| {
            let (rows, columns) = Self::top_size(&config, top)?;
            Some(match top {
                Top::Embedding | Top::Positions | Top::Head => {
                    matrix((rows, columns), 0.02, &[0, top as u64])
                }
                Top::Norm => vector(columns, one),
                Top::NormBias => vector(columns, 0.0),
            })
        };
        let tops = Top::ALL.map(top);
        Self::frozen(config, AllWeights { tops, layers })
    }

    /// Rows and columns of a tensor outside of the layers; `None` where the decoder has none.
    pub(crate) fn top_size(config: &ModelConfig, top: Top) -> Option<(usize, usize)> {
        let hidden = config.hidden_size;
        match top {
            Top::Embedding => Some((config.vocab_size, hidden)),
            Top::Positions => match config.positions {
                crate::config::Positions::Learned { rows, .. } => Some((rows, hidden)),
                crate::config::Positions::Rotary { .. } => None,
            },
            Top::Norm => Some((1, hidden)),
            Top::NormBias => (config.norm == crate::config::Norm::Layer).then_some((1, hidden)),
            Top::Head => (!config.tie_word_embeddings).then_some((config.vocab_size, hidden)),
        }
    }

    /// The decoder's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What is trained.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What is trained, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [Parameter] {
        &mut self.parameters
    }

    /// Number of trained numbers.
    pub fn trained_len(&self) -> usize {
        self.parameters.iter().map(|p| p.numbers.len()).sum()
    }

    /// Number of weights, adapters not counted.
    pub fn weights_len(&self) -> usize {
        let tops = Top::ALL.into_iter().filter_map(|top| Self::top_size(&self.config, top));
        let layers: usize = self.layers.iter().map(|layer| layer.shape.len()).sum();
        let projector = self.projector.as_ref().map_or(0, Projector::len);
        let tower = self.sight.as_ref().map_or(0, |sight| sight.tower.len());
        let experts = self.experts.iter().flatten().flat_map(Experts::held).map(Held::len).sum::<usize>();
        tops.map(|(rows, columns)| rows * columns).sum::<usize>() + layers + projector + tower + experts
    }

    /// Bytes of the weights that are not trained, as they are held.
    pub fn frozen_bytes(&self) -> usize {
        let held = self.layers.iter().flat_map(|l| l.held.iter().flatten()).chain(self.tops.iter().flatten());
        let projector = self.projector.as_ref().map_or(0, Projector::frozen_bytes);
        let tower = self.sight.as_ref().map_or(0, |sight| sight.tower.frozen_bytes());
        let held = held.chain(self.experts.iter().flatten().flat_map(Experts::held));
        held.map(|held| held.len() * held.precision().bytes()).sum::<usize>() + projector + tower
    }

    /// Shows it pictures, whose tokens are then known to it; those it was shown before are forgotten.
    pub fn show(&mut self, album: &Album) {
        match (&mut self.sight, &mut self.projector) {
            (Some(sight), projector) => {
                sight.show(album.numbers());
                projector.iter_mut().for_each(|projector| projector.show(Numbers::new(Vec::new())));
            }
            (None, Some(projector)) => projector.show(album.numbers()),
            (None, None) => {}
        }
        if let Some(any) = self.config.vision.as_mut().and_then(|vision| vision.any_size.as_mut()) {
            any.grids = album.grids();
        }
    }

    /// A layer's weights, where they lie.
    pub(crate) fn weights(&self, number: usize) -> Weights<'_> {
        let layer = &self.layers[number];
        match layer.trained {
            Trained::All => Weights::of_flat(&layer.shape, self.flat(number)),
            _ => Weights::new(&layer.shape, |slot| Some(layer.held[slot as usize].as_ref()?.map())),
        }
    }

    /// A layer's flat vector; empty where nothing of the layer is trained.
    pub(crate) fn flat(&self, number: usize) -> &[f32] {
        self.layers[number].parameter.map_or(&[], |parameter| &self.parameters[parameter].numbers)
    }

    /// A tensor outside of the layers; the tied head is the embedding.
    pub(crate) fn top(&self, top: Top) -> Option<Map<'_>> {
        if let Some(parameter) = self.trained_tops[top as usize] {
            let (outputs, inputs) = Self::top_size(&self.config, top)?;
            let numbers = Slice::F32(&self.parameters[parameter].numbers);
            return Some(Map { numbers, outputs, inputs, out_stride: inputs, in_stride: 1 });
        }
        match &self.tops[top as usize] {
            None if top == Top::Head => self.top(Top::Embedding),
            held => held.as_ref().map(Held::map),
        }
    }

    /// How large the numbers of the embedding are: the root of their mean square.
    pub(super) fn embedding_deviation(&self) -> f32 {
        let numbers = self.top(Top::Embedding).map(Map::to_vec).unwrap_or_default();
        let squares: f64 = numbers.iter().map(|x| f64::from(*x).powi(2)).sum();
        (squares / numbers.len().max(1) as f64).sqrt() as f32
    }

    fn top_vector(&self, top: Top) -> &[f32] {
        match self.top(top) {
            Some(Map { numbers: Slice::F32(numbers), .. }) => numbers,
            _ => &[],
        }
    }

    pub(crate) fn final_norm(&self) -> Norm<'_> {
        let (weight, bias) = (self.top_vector(Top::Norm), self.top_vector(Top::NormBias));
        Norm { kind: self.config.norm, eps: self.config.norm_eps as f32, weight, bias }
    }

    pub(crate) fn head(&self) -> Option<Head<'_>> {
        let cap = self.config.logit_cap.map(|cap| cap as f32);
        self.top(Top::Head).map(|map| Head { map, cap })
    }

    /// Refuses tokens and positions that no row of the embeddings is for.
    pub(super) fn check_tokens(&self, ids: &[u32], positions: &[u32]) -> Result<()> {
        let vocabulary = self.config.vocab_size;
        let shown = match &self.sight {
            Some(sight) => sight.shown(),
            None => self.projector.as_ref().map_or(0, Projector::shown),
        };
        let known = |id: u32| match id.checked_sub(PICTURE) {
            Some(row) => (row as usize) < shown,
            None => (id as usize) < vocabulary,
        };
        if let Some(id) = ids.iter().find(|id| !known(**id)) {
            if *id >= PICTURE {
                let reason = format!(
                    "a prompt shows a picture, and the model has been shown {shown} rows of pictures, not its own"
                );
                return Err(ModelError::Run(reason));
            }
            let reason = format!("token {id} is outside of the model's vocabulary of {vocabulary}");
            return Err(ModelError::Run(reason + "; is this the model's own tokenizer?"));
        }
        if let (Some(table), Some(offset)) = (self.top(Top::Positions), self.config.position_offset()) {
            let rows = table.outputs - offset;
            if positions.iter().any(|position| *position as usize >= rows) {
                let reason = format!("a sequence has more than the {rows} tokens");
                return Err(ModelError::Run(
                    reason + " that this model has positions for; lower data.cutoff",
                ));
            }
        }
        Ok(())
    }

    /// Embeddings of tokens at their positions: (n, hidden).
    pub(crate) fn embed(&self, ids: &[u32], positions: &[u32]) -> Result<Vec<f32>> {
        Ok(self.embed_seeing(ids, positions, None)?.0)
    }

    /// The same, and with `kept`, which names the dropout masks, what the backward pass needs of the pictures.
    fn embed_seeing(
        &self,
        ids: &[u32],
        positions: &[u32],
        kept: Option<u64>,
    ) -> Result<(Vec<f32>, Option<Seeing>)> {
        self.check_tokens(ids, positions)?;
        let hidden = self.config.hidden_size;
        let Some(embedding) = self.top(Top::Embedding) else { return Ok((buffer(ids.len() * hidden), None)) };
        let mut x = take(ids.len() * hidden);
        let scale = self.config.embedding_scale as f32;
        for (id, row) in ids.iter().zip(x.chunks_exact_mut(hidden)) {
            if *id >= PICTURE {
                row.fill(0.0);
                continue;
            }
            let first = *id as usize * hidden;
            embedding.numbers.widen(first..first + hidden, row);
            if scale != 1.0 {
                row.iter_mut().for_each(|x| *x *= scale);
            }
        }
        let mut seeing = None;
        let places = Projector::places(ids);
        if let Some(projector) = self.projector.as_ref().filter(|_| !places.is_empty()) {
            let seen = self.see(projector, ids, places, kept);
            let tokens = projector.tokens(self.of_projector(projector), &seen.features);
            for (place, token) in seen.places.iter().zip(tokens.chunks_exact(hidden)) {
                x[place * hidden..(place + 1) * hidden].copy_from_slice(token);
            }
            seeing = kept.map(|_| seen);
        }
        if let (Some(table), Some(offset)) = (self.top(Top::Positions), self.config.position_offset()) {
            let mut learned = vec![0.0; hidden];
            for (position, row) in positions.iter().zip(x.chunks_exact_mut(hidden)) {
                let place = *position as usize + offset;
                table.numbers.widen(place * hidden..(place + 1) * hidden, &mut learned);
                row.iter_mut().zip(&learned).for_each(|(x, p)| *x += p);
            }
        }
        Ok((x, seeing))
    }

    /// The features of the pictures' rows of a pack, by the tower where that is trained. A picture is looked at once, however
    /// many of its rows there are.
    fn see(&self, projector: &Projector, ids: &[u32], places: Vec<usize>, kept: Option<u64>) -> Seeing {
        let Some(sight) = &self.sight else {
            let features = projector.features_of(ids, &places);
            return Seeing { places, features, looked: None };
        };
        let rows: Vec<usize> = places.iter().map(|place| (ids[*place] - PICTURE) as usize).collect();
        let (pixels, states) = sight.pixels_of(&rows);
        let (found, looked) = match kept {
            None => (sight.tower.forward(&self.parameters, &pixels), None),
            mask => {
                let (found, looked) =
                    sight.tower.forward_kept(&self.parameters, &pixels, mask, self.recompute);
                (found, Some(looked))
            }
        };
        let width = sight.tower.config.hidden_size;
        let mut features = buffer(states.len() * width);
        for (state, row) in states.iter().zip(features.chunks_exact_mut(width)) {
            row.copy_from_slice(&found[state * width..(state + 1) * width]);
        }
        Seeing { places, features, looked: looked.map(|looked| (states, looked)) }
    }

    /// A projector's numbers, where they are trained.
    pub(super) fn of_projector(&self, projector: &Projector) -> &[f32] {
        projector.trained.map_or(&[], |parameter| &self.parameters[parameter].numbers)
    }

    /// Whether anything is trained that makes the layers' input.
    fn trains_input(&self) -> bool {
        let tops = [Top::Embedding, Top::Positions].map(|top| self.trained_tops[top as usize]);
        let projector = self.projector.as_ref().is_some_and(|projector| projector.trained.is_some());
        tops != [None, None] || projector || self.sight.is_some()
    }

    /// The layer below which no gradient is wanted: the lowest with anything trained. The number of layers where
    /// nothing in them is trained; 0 with trained embeddings, or a trained projector.
    fn lowest_trained(&self) -> usize {
        if self.trains_input() {
            return 0;
        }
        let trained = |layer: &DecoderLayer| layer.parameter.is_some();
        self.layers.iter().position(trained).unwrap_or(self.layers.len())
    }

    /// Runs `work` on a layer.
    pub(crate) fn with_layer<R>(
        &self,
        number: usize,
        mask: Option<u64>,
        work: impl FnOnce(&Layer<'_>) -> R,
    ) -> R {
        self.with_layer_at(number, mask, (&[], None), work)
    }

    /// The same with adapters beside the layer, each on rows of its own, or for some of the rows only.
    pub(crate) fn with_layer_at<R>(
        &self,
        number: usize,
        mask: Option<u64>,
        (beside, wanted): (&[Beside<'_>], Option<&[usize]>),
        work: impl FnOnce(&Layer<'_>) -> R,
    ) -> R {
        let DecoderLayer { shape, trained, .. } = &self.layers[number];
        let mut weights = self.weights(number);
        weights.experts = self.experts.get(number).and_then(Option::as_ref);
        let mask = mask.map(|pass| layer_mask(pass, number));
        work(&Layer { shape, weights: &weights, trained, flat: self.flat(number), mask, beside, wanted })
    }

    /// Hidden states of a pack after the last norm: (n, hidden).
    pub(crate) fn hidden(&self, pack: &Pack) -> Result<Vec<f32>> {
        let mut x = self.embed(&pack.ids, &pack.positions)?;
        for number in 0..self.layers.len() {
            x = self.with_layer(number, None, |layer| layer.forward_pack(&x, &pack.lay).0);
        }
        let mut h = buffer(x.len());
        self.final_norm().forward(&x, &mut h);
        Ok(h)
    }

    /// The loss of a pack's labels over `divisor` labels (those of the whole batch).
    pub fn loss(&self, pack: &Pack, divisor: usize) -> Result<f64> {
        self.check_labels(pack)?;
        in_pool(|| {
            let h = self.hidden(pack)?;
            Ok(self.head().map_or(0.0, |head| head.loss(&h, &pack.labels, divisor as f32, None)))
        })
    }

    pub(super) fn check_labels(&self, pack: &Pack) -> Result<()> {
        let vocabulary = self.config.vocab_size;
        match pack.labels.iter().find(|label| label.token as usize >= vocabulary) {
            None => Ok(()),
            Some(label) => Err(ModelError::Run(format!(
                "label {} is outside of the model's vocabulary of {vocabulary}",
                label.token
            ))),
        }
    }

    /// Logits of every token of one sequence, row after row: (time, vocabulary).
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let labels = vec![None; ids.len()];
        let sequence = crate::batch::Sequence { ids: ids.to_vec(), labels };
        let h = self.hidden(&Pack::new([&sequence], &self.config, crate::batch::Packing::Apart))?;
        Ok(self.head().map_or_else(Vec::new, |head| head.logits(&h)))
    }
}
