//! What an adapter's folder holds of LLaVA's tower: low-rank matrices beside its linear maps, or the tower whole, as PEFT's
//! `modules_to_save`.
//!
//! transformers has called the tower's layers `model.vision_tower.vision_model.encoder.…` and, since its version 5,
//! `model.vision_tower.encoder.…`; both are read, the second is written.

use std::collections::BTreeMap;
use std::path::Path;

use super::{LoraConfig, Matrix, TOWER, matrices_of};
use crate::arch::clip::Tower;
use crate::arch::clip::train::{TARGETS, layer_module};
use crate::arch::decoder::{Decoder, Parameter};
use crate::arch::llava::Sight;
use crate::checkpoint::{Read, read_tensors};
use crate::error::{ModelError, Result};
use crate::ops::layer::Trained;
use crate::ops::lora::{Layout, Update};
use crate::ops::slots::LayerShape;

/// What an adapter has for a LLaVA's tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OfTower {
    /// Nothing.
    #[default]
    Nothing,
    /// Low-rank matrices beside every linear map of its layers.
    LowRank,
    /// Every weight.
    Whole,
}

/// What a module's name begins with.
const PREFIX: &str = "base_model.model.model.";

/// The names of the tower's maps, as PEFT is told them.
pub(super) fn target_names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| super::last(target.path)).collect()
}

impl LoraConfig {
    /// The layout of a layer of a tower, all of whose maps are adapted.
    pub(crate) fn tower_layout(&self, shape: &LayerShape, layer: usize) -> Layout {
        Layout::new(shape, &TARGETS, self.dropout as f32, |target| {
            let module = format!("model.{TOWER}.{}.{}", layer_module(layer), target.path);
            let (rank, scale) = self.rank_and_scale(&module);
            Some(Update { rank, scale: scale as f32, magnitude: self.dora })
        })
    }
}

/// What is trained of a tower, by its names in a PEFT adapter.
pub(crate) fn trained<'a>(
    tower: &Tower,
    parameters: &'a [Parameter],
) -> Vec<(String, Vec<usize>, &'a [f32])> {
    let mut tensors = Vec::new();
    for (number, layer) in tower.layers.iter().enumerate() {
        let (Trained::Lora(layout), Some(parameter)) = (&layer.trained, layer.parameter) else { continue };
        let module = format!("{PREFIX}{TOWER}.{}", layer_module(number));
        for Matrix { key, dims, place } in layout.maps().flat_map(|map| matrices_of(&module, map)) {
            tensors.push((key, dims, &parameters[parameter].numbers[place]));
        }
    }
    for tensor in tower.trained_tensors() {
        let numbers = &parameters[tensor.parameter].numbers[tensor.place];
        tensors.push((format!("{PREFIX}{TOWER}.{}", tensor.name), tensor.dims, numbers));
    }
    tensors
}

/// A tensor by its name, with its dimensions and numbers.
type Named<'a> = (String, Vec<usize>, &'a [f32]);

/// What is trained of a decoder's tower, and how.
pub(super) fn of(decoder: &Decoder) -> (OfTower, Vec<Named<'_>>) {
    let Some(sight) = &decoder.sight else { return (OfTower::Nothing, Vec::new()) };
    let tensors = trained(&sight.tower, decoder.parameters());
    let low = tensors.iter().any(|(name, ..)| name.contains(".lora_"));
    (if low { OfTower::LowRank } else { OfTower::Whole }, tensors)
}

/// Takes the tower's tensors from those of an adapter. One for a layer that LLaVA does not compute changes nothing.
pub(super) fn take(tensors: &mut BTreeMap<String, Read>) -> BTreeMap<String, Read> {
    let keys: Vec<String> =
        tensors.keys().filter(|key| key.contains(&format!(".{TOWER}."))).cloned().collect();
    keys.into_iter().filter_map(|key| tensors.remove_entry(&key)).collect()
}

/// Puts an adapter's numbers into what is trained of a tower.
pub(super) fn load(
    tower: &Tower,
    parameters: &mut [Parameter],
    tensors: &BTreeMap<String, Read>,
    path: &Path,
) -> Result<()> {
    let wanted: Vec<(String, Vec<usize>, usize, std::ops::Range<usize>)> = {
        let mut wanted = Vec::new();
        for (number, layer) in tower.layers.iter().enumerate() {
            let (Trained::Lora(layout), Some(parameter)) = (&layer.trained, layer.parameter) else {
                continue;
            };
            let module = format!("{PREFIX}{TOWER}.{}", layer_module(number));
            let all = layout.maps().flat_map(|map| matrices_of(&module, map));
            wanted.extend(all.map(|Matrix { key, dims, place }| (key, dims, parameter, place)));
        }
        let whole = tower.trained_tensors().into_iter();
        wanted.extend(whole.map(|t| (format!("{PREFIX}{TOWER}.{}", t.name), t.dims, t.parameter, t.place)));
        wanted
    };
    for (key, dims, parameter, place) in wanted {
        let older = key.replace(&format!(".{TOWER}."), &format!(".{TOWER}.vision_model."));
        let inside = |key: &str| key.replace(&format!(".{TOWER}."), &format!(".{TOWER}.modules_to_save."));
        let short = |key: &str| key.replacen("base_model.model.model.", "base_model.model.", 1);
        let names = [key.clone(), older.clone(), inside(&key), inside(&older), short(&key), short(&older)];
        let Some((found, numbers)) = names.iter().find_map(|name| tensors.get(name)) else {
            let reason = format!("{key} is missing; the adapter cannot be applied whole");
            return Err(ModelError::tensors(path, reason));
        };
        if *found != dims {
            let reason = format!("{key} has shape {found:?}, expected {dims:?}: made for another tower");
            return Err(ModelError::tensors(path, reason));
        }
        parameters[parameter].numbers[place].copy_from_slice(numbers);
    }
    Ok(())
}

impl Sight {
    /// The tower with what an adapter has for it.
    pub fn with_adapter(mut self, folder: &Path) -> Result<Self> {
        let lora = LoraConfig::read(folder)?;
        let mut parameters = Vec::new();
        match lora.tower {
            OfTower::Nothing => return Ok(self),
            OfTower::LowRank => self.tower.train_lora(&lora, 0, &mut parameters, 1.0),
            OfTower::Whole => self.tower.train_all(&mut parameters, 1.0),
        }
        let path = folder.join("adapter_model.safetensors");
        let tensors = take(&mut read_tensors(&path)?);
        load(&self.tower, &mut parameters, &tensors, &path)?;
        self.tower.freeze(&parameters);
        Ok(self)
    }
}
