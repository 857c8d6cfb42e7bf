//! What of a decoder is trained: nothing, adapters, every weight, or new blocks.

use std::sync::Arc;

use super::decoder::{Decoder, DecoderLayer, Parameter, Part};
use super::llava::Sight;
use crate::adapter::LoraConfig;
use crate::error::{ModelError, Result};
use crate::families::Top;
use crate::ops::layer::Trained;
use crate::ops::lora::{Adapted, Layout};
use crate::ops::slots::{LayerShape, Slot, Weights};
use crate::rng::Rng;
use crate::weights::{Held, Numbers, Precision};

impl Part {
    pub(super) fn new(range: std::ops::Range<usize>, decays: bool) -> Self {
        Self { range, decays, is_lora_b: false, rate: 1.0, matrix: None }
    }
}

impl DecoderLayer {
    /// Moves every weight into a flat vector.
    fn flatten(&mut self, number: usize, parameters: &mut Vec<Parameter>) {
        let (numbers, parts) = flat_layer(&self.shape, &mut self.held);
        self.trained = Trained::All;
        self.parameter = Some(parameters.len());
        parameters.push(Parameter { name: format!("layer {number}"), numbers, parts });
    }
}

impl Decoder {
    /// Refuses what has layers of which only the forward pass is here.
    pub(crate) fn check_trainable(&self) -> Result<()> {
        if self.experts.iter().flatten().next().is_none() {
            return Ok(());
        }
        let reason = "a decoder with experts is run as it is, and neither trained nor adapted; take a LLaVA without them";
        Err(ModelError::Run(reason.to_owned()))
    }

    /// Makes every weight trained.
    pub fn train_all(mut self) -> Self {
        let mut parameters = Vec::new();
        let mut train_top = |decoder: &mut Self, top: Top, name: &str| {
            let Some(held) = decoder.tops[top as usize].take() else { return };
            decoder.trained_tops[top as usize] = Some(parameters.len());
            let numbers = held.to_vec();
            let parts = vec![Part::new(0..numbers.len(), !matches!(top, Top::Norm | Top::NormBias))];
            parameters.push(Parameter { name: name.into(), numbers, parts });
        };
        train_top(&mut self, Top::Embedding, "embedding");
        train_top(&mut self, Top::Positions, "positions");
        train_top(&mut self, Top::Norm, "norm");
        train_top(&mut self, Top::NormBias, "norm bias");
        train_top(&mut self, Top::Head, "head");
        for (number, layer) in self.layers.iter_mut().enumerate() {
            layer.flatten(number, &mut parameters);
        }
        self.parameters = parameters;
        self
    }

    /// Freezes every weight and trains low-rank matrices beside the targets, freshly drawn from `seed`.
    pub fn train_lora(mut self, lora: &LoraConfig, seed: u64) -> Result<Self> {
        self.check_trainable()?;
        lora.check_targets(&self.config)?;
        let mut parameters = Vec::new();
        for number in 0..self.layers.len() {
            let layout = lora.layout(&self.config, &self.layers[number].shape, number);
            if layout.len == 0 {
                continue;
            }
            let mut rng = Rng::at(seed, &[0x10A, number as u64]);
            let numbers = layout.initialise(&mut rng, &self.weights(number));
            let layer = &mut self.layers[number];
            layer.parameter = Some(parameters.len());
            let parts = lora_parts(&layout);
            parameters.push(Parameter { name: format!("layer {number} lora"), numbers, parts });
            layer.trained = Trained::Lora(Arc::new(layout));
        }
        self.parameters = parameters;
        Ok(self)
    }

    /// Trains the projector besides what is trained already, with steps that are `rate` times as long.
    pub fn train_projector(mut self, rate: f64) -> Result<Self> {
        let Some(projector) = &mut self.projector else {
            let family = self.config.family.name();
            let reason = format!("a projector is to be trained, and this is a {family} that reads text only");
            return Err(ModelError::Run(reason + "; take a LLaVA"));
        };
        if projector.plain {
            let reason = "a projector is to be trained, and this model has none apart from its tower";
            return Err(ModelError::Run(reason.to_owned()));
        }
        let parameter = projector.train(self.parameters.len(), rate);
        self.parameters.push(parameter);
        Ok(self)
    }

    /// Gives it a tower that is trained with it, with steps that are `rate` times as long as others': the low-rank matrices of
    /// `lora`, freshly drawn from `seed`, or without it every weight. From then on it is shown pixels, not features.
    pub fn train_tower(mut self, sight: Sight, lora: Option<&LoraConfig>, seed: u64, rate: f64) -> Self {
        let sight = self.sight.insert(sight);
        match lora {
            Some(lora) => sight.tower.train_lora(lora, seed, &mut self.parameters, rate),
            None => sight.tower.train_all(&mut self.parameters, rate),
        }
        self
    }

    /// LLaMA-Pro's block expansion (Wu et al., 2024): after each of `blocks` groups of layers comes a copy of the
    /// group's last one, its maps back into the residual stream zero, so that it changes nothing at first. Only
    /// the copies are trained.
    pub fn expand(mut self, blocks: usize) -> Result<Self> {
        let layers = self.layers.len();
        let refuse = |reason: String| Err(ModelError::Run(reason));
        if blocks == 0 || !layers.is_multiple_of(blocks) {
            return refuse(format!(
                "recipe: method.blocks is {blocks}, expected a divisor of the model's {layers} layers"
            ));
        }
        let same = self.config.windows.windows(2).all(|pair| pair[0] == pair[1]);
        if !same || self.config.scale_by_layer {
            let family = self.config.family.name();
            return refuse(format!(
                "recipe: method.kind is \"expand\", which {family} cannot have here: its layers differ by their number"
            ));
        }
        let (size, mut grown, mut parameters) = (layers / blocks, Vec::new(), Vec::new());
        for (number, layer) in std::mem::take(&mut self.layers).into_iter().enumerate() {
            let copy = (number + 1).is_multiple_of(size).then(|| layer.identity());
            grown.push(layer);
            if let Some(mut copy) = copy {
                copy.flatten(grown.len(), &mut parameters);
                grown.push(copy);
            }
        }
        self.config.num_hidden_layers = grown.len();
        self.config.windows = vec![self.config.windows.first().copied().flatten(); grown.len()];
        self.layers = grown;
        self.parameters = parameters;
        Ok(self)
    }

    /// One map of a layer with its adapter's update added; `None` where nothing is added to it. Takes the memory of
    /// this one map, not of the model.
    pub(crate) fn merged_map(&self, number: usize, slot: Slot) -> Option<Vec<f32>> {
        let Trained::Lora(layout) = &self.layers.get(number)?.trained else { return None };
        let map = layout.maps().find(|map| map.target.slots.contains(&slot))?;
        let slots = merged_slots(&self.weights(number), self.flat(number), map);
        slots.into_iter().find(|(other, _)| *other == slot).map(|(_, numbers)| numbers)
    }

    /// The decoder with its adapter added to its weights, W + s · B · A (scaled to m with DoRA), and nothing trained.
    /// The sum is made in f32 and held in `precision`, or as f32 where it is `None`.
    pub fn merged(mut self, precision: Option<Precision>) -> Self {
        for number in 0..self.layers.len() {
            let Trained::Lora(layout) = self.layers[number].trained.clone() else { continue };
            let updates = merged_maps(&self.weights(number), self.flat(number), &layout);
            let layer = &mut self.layers[number];
            for (slot, numbers) in updates {
                let Some((rows, columns)) = layer.shape.size(slot) else { continue };
                let numbers = Numbers::rounded(numbers, precision.unwrap_or(Precision::F32));
                layer.held[slot as usize] = Some(Held::new(numbers, rows, columns));
            }
            layer.trained = Trained::Nothing;
            layer.parameter = None;
        }
        if let Some(projector) = &mut self.projector
            && let Some(parameter) = projector.trained
        {
            projector.freeze(&self.parameters[parameter].numbers);
        }
        if let Some(sight) = &mut self.sight {
            sight.tower.freeze(&self.parameters);
        }
        self.parameters.retain(|_| false);
        self
    }
}

impl DecoderLayer {
    /// A copy that adds nothing to the residual stream.
    fn identity(&self) -> Self {
        let zeros = |slot: Slot, held: &Held| {
            let map = held.map();
            match slot {
                Slot::Output | Slot::OutputBias | Slot::Down | Slot::DownBias => {
                    let numbers = Numbers::new(vec![0.0; map.outputs * map.inputs]);
                    Held::new(numbers, map.outputs, map.inputs)
                }
                _ => held.clone(),
            }
        };
        let copy = |slot: Slot| self.held[slot as usize].as_ref().map(|held| zeros(slot, held));
        let shape: LayerShape = self.shape;
        Self { shape, held: Slot::ALL.map(copy).to_vec(), trained: Trained::Nothing, parameter: None }
    }
}

/// Every weight of a layer in a flat vector, and its parts.
pub(super) fn flat_layer(shape: &LayerShape, held: &mut [Option<Held>]) -> (Vec<f32>, Vec<Part>) {
    let mut numbers = Vec::with_capacity(shape.len());
    let mut parts: Vec<Part> = Vec::new();
    for (slot, rows, columns) in shape.slots() {
        let first = numbers.len();
        numbers.extend(held[slot as usize].take().map(|held| held.to_vec()).unwrap_or_default());
        let matrix = slot.is_matrix().then_some((rows, columns));
        parts.push(Part { matrix, ..Part::new(first..numbers.len(), slot.is_matrix()) });
    }
    (numbers, parts)
}

/// The merged weights (outputs, inputs) of a layer's adapted maps.
pub(super) fn merged_maps(weights: &Weights<'_>, flat: &[f32], layout: &Layout) -> Vec<(Slot, Vec<f32>)> {
    layout.maps().flat_map(|map| merged_slots(weights, flat, map)).collect()
}

/// The merged weights of the slots that an adapted map covers.
fn merged_slots(weights: &Weights<'_>, flat: &[f32], map: &Adapted) -> Vec<(Slot, Vec<f32>)> {
    let factors = map.magnitude.clone().map(|place| {
        let norms = map.norms(flat, weights);
        flat[place].iter().zip(&norms).map(|(m, norm)| m / norm).collect::<Vec<f32>>()
    });
    let (mut merged, mut first) = (Vec::new(), 0);
    for slot in map.target.slots {
        let Some(base) = weights.map(*slot) else { continue };
        let mut sum = base.to_vec();
        map.add_to(flat, first, &mut sum);
        if let Some(factors) = &factors {
            let rows = sum.chunks_exact_mut(map.inputs).zip(&factors[first..]);
            rows.for_each(|(row, factor)| row.iter_mut().for_each(|w| *w *= factor));
        }
        first += base.outputs;
        merged.push((*slot, sum));
    }
    merged
}

/// A's, B's and m's of a layer's flat vector, told apart.
pub(super) fn lora_parts(layout: &Layout) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for map in layout.maps() {
        parts.push(Part::new(map.a.clone(), true));
        parts.push(Part { is_lora_b: true, ..Part::new(map.b.clone(), true) });
        parts.extend(map.magnitude.clone().map(|range| Part::new(range, false)));
    }
    parts.sort_by_key(|part| part.range.start);
    parts
}
