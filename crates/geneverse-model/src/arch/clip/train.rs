//! What of a tower is trained: every weight of the layers that are computed, or low-rank matrices beside their linear maps.
//!
//! The embeddings' flat vector holds the patches' map, the class token, the positions, and the norm's weight and bias.

use std::ops::Range;
use std::sync::Arc;

use super::{Embeddings, Tower};
use crate::adapter::LoraConfig;
use crate::arch::decoder::{Parameter, Part};
use crate::arch::grow::{flat_layer, lora_parts};
use crate::config::vision::{CHANNELS, ClipConfig};
use crate::families::Target;
use crate::ops::layer::Trained;
use crate::ops::slots::{Slot, Weights};
use crate::rng::Rng;
use crate::weights::{Held, Numbers};

pub(super) const PATCHES: &str = "embeddings.patch_embedding.weight";
pub(super) const CLASS: &str = "embeddings.class_embedding";
pub(super) const POSITIONS: &str = "embeddings.position_embedding.weight";
pub(super) const NORM: [&str; 2] = ["pre_layrnorm.weight", "pre_layrnorm.bias"];

/// The linear maps of a layer, by their names below it.
pub(crate) const TARGETS: [Target; 6] = [
    Target { path: "self_attn.q_proj", slots: &[Slot::Query] },
    Target { path: "self_attn.k_proj", slots: &[Slot::Key] },
    Target { path: "self_attn.v_proj", slots: &[Slot::Value] },
    Target { path: "self_attn.out_proj", slots: &[Slot::Output] },
    Target { path: "mlp.fc1", slots: &[Slot::Up] },
    Target { path: "mlp.fc2", slots: &[Slot::Down] },
];

/// A tensor of a tower that is trained: its name, its dimensions, and its numbers' parameter and place in it.
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) parameter: usize,
    pub(crate) place: Range<usize>,
}

/// Where the patches' map, class token, positions and the norm's weight and bias lie in the embeddings' flat vector.
pub(super) fn places(config: &ClipConfig) -> [Range<usize>; 5] {
    let hidden = config.hidden_size;
    let mut end = 0;
    [hidden * config.patch_numbers(), hidden, (1 + config.patches()) * hidden, hidden, hidden].map(|len| {
        end += len;
        end - len..end
    })
}

/// The name of a layer's tensor.
pub(crate) fn layer_tensor(number: usize, slot: Slot) -> String {
    format!("encoder.layers.{number}.{}", name(slot))
}

/// The module in which a layer's maps are.
pub(crate) fn layer_module(number: usize) -> String {
    format!("encoder.layers.{number}")
}

impl Tower {
    /// Numbers of the embeddings.
    pub(crate) fn embeddings_len(config: &ClipConfig) -> usize {
        places(config)[4].end
    }

    /// Numbers of its weights, as far as they are computed.
    pub(crate) fn len(&self) -> usize {
        Self::embeddings_len(&self.config) + self.layers.len() * self.shape.len()
    }

    /// Bytes of the weights that are held.
    pub(crate) fn frozen_bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(|layer| layer.held.iter().flatten());
        let bytes = |held: &Held| held.len() * held.precision().bytes();
        let embeddings = match &self.embeddings {
            Embeddings::Held { patches, vectors } => {
                bytes(patches) + vectors.iter().map(|vector| 4 * vector.len()).sum::<usize>()
            }
            Embeddings::Trained(_) => 0,
        };
        layers.map(bytes).sum::<usize>() + embeddings
    }

    /// Makes every weight trained, with steps that are `rate` times as long as others'; the parameters go to the end of
    /// `parameters`.
    pub(crate) fn train_all(&mut self, parameters: &mut Vec<Parameter>, rate: f64) {
        let places = places(&self.config);
        if let Embeddings::Held { patches, vectors } = &self.embeddings {
            let numbers: Vec<f32> = patches.to_vec().into_iter().chain(vectors.concat()).collect();
            let part = |(number, range): (usize, Range<usize>)| Part {
                rate,
                decays: number == 0 || number == 2,
                ..Part::new(range, false)
            };
            let parts = places.into_iter().enumerate().map(part).collect();
            self.embeddings = Embeddings::Trained(parameters.len());
            parameters.push(Parameter { name: "tower embeddings".to_owned(), numbers, parts });
        }
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let (numbers, mut parts) = flat_layer(&self.shape, &mut layer.held);
            parts.iter_mut().for_each(|part| part.rate = rate);
            layer.trained = Trained::All;
            layer.parameter = Some(parameters.len());
            parameters.push(Parameter { name: format!("tower layer {number}"), numbers, parts });
        }
    }

    /// Trains low-rank matrices beside the linear maps, freshly drawn from `seed`.
    pub(crate) fn train_lora(
        &mut self,
        lora: &LoraConfig,
        seed: u64,
        parameters: &mut Vec<Parameter>,
        rate: f64,
    ) {
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let layout = lora.tower_layout(&self.shape, number);
            if layout.len == 0 {
                continue;
            }
            let mut rng = Rng::at(seed, &[0x70E, number as u64]);
            let weights = Weights::new(&self.shape, |slot| Some(layer.held[slot as usize].as_ref()?.map()));
            let numbers = layout.initialise(&mut rng, &weights);
            let mut parts = lora_parts(&layout);
            parts.iter_mut().for_each(|part| part.rate = rate);
            layer.parameter = Some(parameters.len());
            layer.trained = Trained::Lora(Arc::new(layout));
            parameters.push(Parameter { name: format!("tower layer {number} lora"), numbers, parts });
        }
    }

    /// Adds low-rank matrices to the weights and trains nothing more; whole weights that were trained are held.
    pub(crate) fn freeze(&mut self, parameters: &[Parameter]) {
        for layer in &mut self.layers {
            let Some(flat) = layer.parameter.map(|parameter| &parameters[parameter].numbers) else {
                continue;
            };
            match &layer.trained {
                Trained::Nothing => {}
                Trained::All => {
                    for (slot, rows, columns) in self.shape.slots() {
                        let numbers = flat[self.shape.place(slot)].to_vec();
                        layer.held[slot as usize] = Some(Held::new(Numbers::new(numbers), rows, columns));
                    }
                }
                Trained::Lora(layout) => {
                    let held = &layer.held;
                    let weights = Weights::new(&self.shape, |slot| Some(held[slot as usize].as_ref()?.map()));
                    for (slot, numbers) in crate::arch::grow::merged_maps(&weights, flat, layout) {
                        let Some((rows, columns)) = self.shape.size(slot) else { continue };
                        layer.held[slot as usize] = Some(Held::new(Numbers::new(numbers), rows, columns));
                    }
                }
            }
            layer.trained = Trained::Nothing;
            layer.parameter = None;
        }
        if let Embeddings::Trained(parameter) = self.embeddings {
            let flat = &parameters[parameter].numbers;
            let [patches, vectors @ ..] = places(&self.config).map(|place| flat[place].to_vec());
            let (hidden, width) = (self.config.hidden_size, self.config.patch_numbers());
            let patches = Held::new(Numbers::new(patches), hidden, width);
            self.embeddings = Embeddings::Held { patches, vectors };
        }
    }

    /// The tensors that are trained whole.
    pub(crate) fn trained_tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        if let Embeddings::Trained(parameter) = self.embeddings {
            let ClipConfig { hidden_size: hidden, patch_size: side, .. } = self.config;
            let dims = [
                vec![hidden, CHANNELS, side, side],
                vec![hidden],
                vec![self.tokens(), hidden],
                vec![hidden],
                vec![hidden],
            ];
            let names = [PATCHES, CLASS, POSITIONS, NORM[0], NORM[1]];
            for ((name, dims), place) in names.into_iter().zip(dims).zip(places(&self.config)) {
                tensors.push(Tensor { name: name.to_owned(), dims, parameter, place });
            }
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let (Trained::All, Some(parameter)) = (&layer.trained, layer.parameter) else { continue };
            for (slot, rows, columns) in self.shape.slots() {
                let dims = if slot.is_matrix() { vec![rows, columns] } else { vec![columns] };
                let place = self.shape.place(slot);
                tensors.push(Tensor { name: layer_tensor(number, slot), dims, parameter, place });
            }
        }
        tensors
    }
}

/// A slot's name below its layer. Slots that the tower has no use for have none.
fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::InputNorm => "layer_norm1.weight",
        Slot::InputNormBias => "layer_norm1.bias",
        Slot::Query => "self_attn.q_proj.weight",
        Slot::Key => "self_attn.k_proj.weight",
        Slot::Value => "self_attn.v_proj.weight",
        Slot::QueryBias => "self_attn.q_proj.bias",
        Slot::KeyBias => "self_attn.k_proj.bias",
        Slot::ValueBias => "self_attn.v_proj.bias",
        Slot::Output => "self_attn.out_proj.weight",
        Slot::OutputBias => "self_attn.out_proj.bias",
        Slot::MlpInputNorm => "layer_norm2.weight",
        Slot::MlpInputNormBias => "layer_norm2.bias",
        Slot::Up => "mlp.fc1.weight",
        Slot::UpBias => "mlp.fc1.bias",
        Slot::Down => "mlp.fc2.weight",
        Slot::DownBias => "mlp.fc2.bias",
        Slot::QueryNorm
        | Slot::KeyNorm
        | Slot::AttentionNorm
        | Slot::Gate
        | Slot::GateBias
        | Slot::MlpNorm => "",
    }
}
