//! An adapter folder by itself, without the model that it is for: what it is, and a clean copy of it.
//!
//! The length of an update, ‖s·B·A‖ (Frobenius), is s·√(Σ (BᵀB) ∘ (AAᵀ)), both sums rank × rank: the update is never
//! formed.

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::stage::read_json;
use serde_json::{Map, Value};

use super::{LoraConfig, PROJECTOR, TOWER, projector};
use crate::arch::decoder::Decoder;
use crate::checkpoint::{Entry, read_tensors, write_tensors};
use crate::error::{ModelError, Result};
use crate::ops::layer::Trained;
use crate::weights::Precision;

/// What PEFT puts before the name of every module.
const PREFIX: &str = "base_model.model.";

/// What an adapter folder holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its settings.
    pub config: LoraConfig,
    /// The base model that it names.
    pub base: Option<String>,
    /// Numbers in it.
    pub parameters: usize,
    /// Its updates, by map and layer.
    pub updates: Vec<MapUpdate>,
}

/// The update of one map of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct MapUpdate {
    /// The map's name below its layer.
    pub target: String,
    /// The layer, from 0.
    pub layer: usize,
    /// Rank of the update.
    pub rank: usize,
    /// What B·A is multiplied by.
    pub scale: f64,
    /// ‖s·B·A‖
    pub norm: f64,
    /// ‖W‖ of the base model's map, where that is known.
    pub weight_norm: Option<f64>,
}

/// Reads an adapter folder by itself. Matrices that do not belong together are refused.
pub fn describe(folder: &Path) -> Result<Description> {
    let config = LoraConfig::read(folder)?;
    let fields: Map<String, Value> = read_json(&folder.join("adapter_config.json"))?;
    let base = fields.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
    let path = folder.join("adapter_model.safetensors");
    let (modules, whole) = read_modules(folder)?;
    let mut parameters = whole.values().map(|(_, numbers)| numbers.len()).sum::<usize>();
    parameters += projector::apart(folder)?.values().map(|(_, numbers)| numbers.len()).sum::<usize>();
    let mut updates = Vec::with_capacity(modules.len());
    for (name, module) in &modules {
        let refuse = |reason: String| Err(ModelError::tensors(&path, format!("{name}{reason}")));
        let (Some((a_dims, a)), Some((b_dims, b))) = (&module.a, &module.b) else {
            return refuse(" has only one of lora_A and lora_B".to_owned());
        };
        let (rank, scale) = config.rank_and_scale(name.strip_prefix(PREFIX).unwrap_or(name));
        let (&[of_a, inputs], &[outputs, of_b]) = (&a_dims[..], &b_dims[..]) else {
            return refuse(format!(
                ".lora_A and .lora_B have shapes {a_dims:?} and {b_dims:?}, not matrices"
            ));
        };
        if (of_a, of_b) != (rank, rank) {
            let reason = format!(".lora_A has shape {a_dims:?} and .lora_B {b_dims:?}");
            return refuse(format!("{reason}, expected rank {rank} by adapter_config.json"));
        }
        let magnitudes = module.magnitude.as_ref().map(|(dims, _)| dims.iter().product::<usize>());
        if magnitudes != config.dora.then_some(outputs) {
            let found = magnitudes.map_or("no magnitudes".to_owned(), |count| format!("{count} magnitudes"));
            let wanted = if config.dora { outputs } else { 0 };
            return refuse(format!(" has {found}, expected {wanted} by adapter_config.json's use_dora"));
        }
        let Some((layer, target)) = place(name) else {
            return refuse(" is not in a numbered layer".to_owned());
        };
        // The tower's maps have the decoder's names.
        let target = if name.contains(TOWER) { format!("{TOWER}.{target}") } else { target.to_owned() };
        parameters += a.len() + b.len() + magnitudes.unwrap_or(0);
        let norm = scale.abs() * product_norm(a, b, rank, inputs);
        updates.push(MapUpdate { target, layer, rank, scale, norm, weight_norm: None });
    }
    updates.sort_by(|a, b| (&a.target, a.layer).cmp(&(&b.target, b.layer)));
    Ok(Description { config, base, parameters, updates })
}

impl Description {
    /// Adds the lengths of the weights that are updated, read from `model`, which has this adapter beside it.
    pub fn measure_against(&mut self, model: &Decoder) {
        for (number, layer) in model.layers.iter().enumerate() {
            let Trained::Lora(layout) = &layer.trained else { continue };
            let weights = model.weights(number);
            for map in layout.maps() {
                let of_slot = |slot| {
                    let numbers = weights.map(slot).map(|map| map.to_vec()).unwrap_or_default();
                    numbers.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>()
                };
                let norm = map.target.slots.iter().map(|slot| of_slot(*slot)).sum::<f64>().sqrt();
                let is_this =
                    |update: &&mut MapUpdate| update.layer == number && update.target == map.target.path;
                if let Some(update) = self.updates.iter_mut().find(is_this) {
                    update.weight_norm = Some(norm);
                }
            }
        }
    }
}

/// Whose names an adapter is written under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those that it has.
    Kept,
    /// A LLaVA's in transformers, its projector among PEFT's `modules_to_save`.
    Transformers,
    /// A LLaVA's in the original code, its projector in a file of its own.
    Original,
}

/// Writes an adapter anew as PEFT reads it: only the settings that mean something, numbers in `precision`, and
/// `base` as the name of the model it is for where one is given.
pub fn export(
    from: &Path,
    to: &Path,
    (precision, names): (Precision, Names),
    base: Option<&str>,
) -> Result<Description> {
    let mut description = describe(from)?;
    let fields: Map<String, Value> = read_json(&from.join("adapter_config.json"))?;
    let fan_in_fan_out = fields.get("fan_in_fan_out").and_then(Value::as_bool).unwrap_or(false);
    let mut tensors = Vec::new();
    let (modules, whole) = read_modules(from)?;
    for (name, Module { a, b, magnitude }) in modules {
        let ends = [("lora_A.weight", a), ("lora_B.weight", b), ("lora_magnitude_vector", magnitude)];
        let named = |(end, tensor): (&str, Option<Tensor>)| Some((format!("{name}.{end}"), tensor?));
        tensors.extend(ends.into_iter().filter_map(named));
    }
    tensors.extend(whole);
    projector::rename(from, to, (precision, names), &mut tensors, &mut description.config)?;
    let fills: Vec<_> = tensors.iter().map(|(_, (_, numbers))| || numbers.clone()).collect();
    let entries: Vec<Entry<'_>> =
        (tensors.iter().zip(&fills)).map(|((name, (dims, _)), fill)| Entry { name, dims, fill }).collect();
    write_tensors(&to.join("adapter_model.safetensors"), &entries, precision)?;
    let targets: Vec<&str> = description.config.targets.iter().map(String::as_str).collect();
    let base = base.or(description.base.as_deref()).unwrap_or_default();
    description.config.write_naming(to, &targets, fan_in_fan_out, base)?;
    Ok(description)
}

/// Dimensions and numbers.
type Tensor = (Vec<usize>, Vec<f32>);

/// What an adapter has for one module.
#[derive(Default)]
struct Module {
    /// (rank, inputs)
    a: Option<Tensor>,
    /// (outputs, rank)
    b: Option<Tensor>,
    /// (outputs)
    magnitude: Option<Tensor>,
}

/// The tensors of an adapter by the modules' full names, and those of modules that it holds whole.
fn read_modules(folder: &Path) -> Result<(BTreeMap<String, Module>, BTreeMap<String, Tensor>)> {
    let path = folder.join("adapter_model.safetensors");
    let mut whole = BTreeMap::new();
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for (key, tensor) in read_tensors(&path)? {
        if key.contains(PROJECTOR) || (key.contains(TOWER) && !key.contains(".lora_")) {
            whole.insert(key, tensor);
            continue;
        }
        let short = key.strip_suffix(".weight").unwrap_or(&key);
        let Some((module, end)) = short.rsplit_once('.') else {
            return Err(ModelError::tensors(&path, format!("{key} is not a matrix of a LoRA adapter")));
        };
        let module = modules.entry(module.to_owned()).or_default();
        match end {
            "lora_A" => module.a = Some(tensor),
            "lora_B" => module.b = Some(tensor),
            "lora_magnitude_vector" => module.magnitude = Some(tensor),
            _ => return Err(ModelError::tensors(&path, format!("{key} is not a matrix of a LoRA adapter"))),
        }
    }
    Ok((modules, whole))
}

/// Layer and name below it of a module: `…layers.3.mlp.up_proj` is `mlp.up_proj` of layer 3.
fn place(module: &str) -> Option<(usize, &str)> {
    let mut rest = module;
    while let Some((part, below)) = rest.split_once('.') {
        if let Ok(layer) = part.parse() {
            return Some((layer, below));
        }
        rest = below;
    }
    None
}

/// ‖B·A‖ of A (rank, inputs) and B (outputs, rank).
fn product_norm(a: &[f32], b: &[f32], rank: usize, inputs: usize) -> f64 {
    let mut square = 0.0;
    for i in 0..rank {
        for j in 0..rank {
            let (left, right) = (&a[i * inputs..(i + 1) * inputs], &a[j * inputs..(j + 1) * inputs]);
            let of_a: f64 = left.iter().zip(right).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let of_b: f64 = b.chunks_exact(rank).map(|row| f64::from(row[i]) * f64::from(row[j])).sum();
            square += of_a * of_b;
        }
    }
    square.max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_update_is_that_of_the_product() {
        // B·A of B = [[1, 2], [0, 1], [3, 0]] and A = [[1, 0], [2, 1]] is [[5, 2], [2, 1], [3, 0]].
        let norm = product_norm(&[1.0, 0.0, 2.0, 1.0], &[1.0, 2.0, 0.0, 1.0, 3.0, 0.0], 2, 2);
        assert!((norm - 43f64.sqrt()).abs() < 1e-12, "{norm}");
    }

    #[test]
    fn a_module_is_told_from_its_layer() {
        assert_eq!(place("base_model.model.transformer.h.11.attn.c_attn"), Some((11, "attn.c_attn")));
        assert_eq!(place("base_model.model.lm_head"), None);
    }
}
