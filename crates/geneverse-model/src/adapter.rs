//! LoRA adapters on disk as PEFT has them.
//!
//! An adapter folder holds `adapter_config.json` and `adapter_model.safetensors`, whose tensors are
//! `base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight` (rank, inputs), `…lora_B.weight` (outputs, rank)
//! and with DoRA `…lora_magnitude_vector` (outputs).

mod beside;
mod files;
mod projector;
mod tower;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geneverse_data::stage::{FileError, read_json, write_json};
use serde_json::{Map, Value, json};

use crate::arch::decoder::Decoder;
use crate::checkpoint::{Entry, Read, read_tensors, write_tensors};
use crate::config::ModelConfig;
use crate::config::fields::Fields;
use crate::error::{ModelError, Result};
use crate::families::{Family, Target};
use crate::ops::layer::Trained;
use crate::ops::lora::{Adapted, Layout, Update};
use crate::ops::slots::LayerShape;
use crate::weights::Precision;

pub use beside::Adapter;
pub use files::{Description, MapUpdate, Names, describe, export};
pub use tower::OfTower;

/// The settings of a LoRA adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// Rank of the update.
    pub rank: usize,
    /// The update is scaled by α / rank, or α / √rank with `rank_stabilised`.
    pub alpha: f64,
    /// Share of inputs dropped in training.
    pub dropout: f64,
    /// Scale by α / √rank (rsLoRA, Kalajdzievski 2023).
    pub rank_stabilised: bool,
    /// Scale each output to a trained magnitude (DoRA, Liu et al. 2024).
    pub dora: bool,
    /// The adapted maps, by the ends of their names; `all-linear` for all.
    pub targets: Vec<String>,
    /// Ranks of some maps, by the ends of their names.
    pub rank_pattern: BTreeMap<String, usize>,
    /// The α of some maps, by the ends of their names.
    pub alpha_pattern: BTreeMap<String, f64>,
    /// Which layers are adapted; all where it is `None`.
    pub layers: Option<Vec<usize>>,
    /// The regular expression that stands before the names of the targets where PEFT has them as one: which of several
    /// models in one they are looked for in.
    pub within: Option<String>,
    /// Whether LLaVA's projector is in the adapter, whole (PEFT's `modules_to_save`).
    pub projector: bool,
    /// What of LLaVA's tower is in the adapter.
    pub tower: OfTower,
}

/// Where PEFT is to look for the targets of a LLaVA: not in the tower, whose maps have the same names.
const LANGUAGE_MODEL: &str = r".*language_model.*\.";

/// The projector's module.
const PROJECTOR: &str = "multi_modal_projector";

/// The tower's module.
const TOWER: &str = "vision_tower";

/// Stands for every linear map of a layer.
pub const ALL_LINEAR: &str = "all-linear";

/// Whether a module's name ends with the name that is asked for.
fn is_named(module: &str, name: &str) -> bool {
    module == name || module.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

impl LoraConfig {
    /// Whether a map of the family has one of the names.
    fn targets(&self, target: &Target) -> bool {
        self.targets.iter().any(|name| name == ALL_LINEAR || is_named(target.path, name))
    }

    /// Every name must be one of the model's.
    pub fn check_targets(&self, config: &ModelConfig) -> Result<()> {
        let known = config.family.targets();
        let unknown =
            |name: &&String| *name != ALL_LINEAR && !known.iter().any(|target| is_named(target.path, name));
        let layers = config.num_hidden_layers;
        if let Some(layer) = self.layers.iter().flatten().find(|layer| **layer >= layers) {
            let reason = format!("the adapter is for layer {layer}, but the model has {layers} layers");
            return Err(ModelError::Run(reason + ": made for another base model"));
        }
        match self.targets.iter().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let names: Vec<&str> = known.iter().map(|target| last(target.path)).collect();
                let (family, names) = (config.family.name(), names.join(", "));
                Err(ModelError::Run(format!(
                    "the target module {name:?} is not in a {family} model, which has {names}"
                )))
            }
        }
    }

    fn update(&self, config: &ModelConfig, layer: usize, target: &Target) -> Option<Update> {
        if !self.targets(target) || self.layers.as_ref().is_some_and(|layers| !layers.contains(&layer)) {
            return None;
        }
        let (rank, scale) = self.rank_and_scale(&format!("{}.{}", config.layer_module(layer), target.path));
        Some(Update { rank, scale: scale as f32, magnitude: self.dora })
    }

    /// Rank and scale of a module's update.
    fn rank_and_scale(&self, module: &str) -> (usize, f64) {
        let rank = lookup(&self.rank_pattern, module).copied().unwrap_or(self.rank);
        let alpha = lookup(&self.alpha_pattern, module).copied().unwrap_or(self.alpha);
        (rank, alpha / if self.rank_stabilised { (rank as f64).sqrt() } else { rank as f64 })
    }

    pub(crate) fn layout(&self, config: &ModelConfig, shape: &LayerShape, layer: usize) -> Layout {
        let targets = config.family.targets();
        Layout::new(shape, targets, self.dropout as f32, |target| self.update(config, layer, target))
    }

    /// Reads `adapter_config.json`; what would change the arithmetic and is not implemented is refused by name.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("adapter_config.json");
        let map: Map<String, Value> = read_json(&path)?;
        let fields = Fields::new(&map, &path);
        if fields.text("peft_type")? != Some("LORA") {
            return Err(fields.refuse_value("peft_type", "\"LORA\""));
        }
        fields.only("bias", "none")?;
        let saved: Vec<&Value> = match fields.get("modules_to_save") {
            Some(Value::Array(names)) => names.iter().collect(),
            _ => {
                fields.nothing("modules_to_save")?;
                Vec::new()
            }
        };
        if saved.iter().any(|name| **name != PROJECTOR && **name != TOWER) {
            let expected = format!("no module but {PROJECTOR:?} and {TOWER:?}");
            return Err(fields.refuse_value("modules_to_save", expected));
        }
        let (projector, whole) = (saved.iter().any(|n| **n == PROJECTOR), saved.iter().any(|n| **n == TOWER));
        let mut tower = if whole { OfTower::Whole } else { OfTower::Nothing };
        for field in [
            "exclude_modules",
            "trainable_token_indices",
            "target_parameters",
            "layer_replication",
            "lora_bias",
            "use_qalora",
            "alora_invocation_tokens",
            "megatron_config",
        ] {
            fields.nothing(field)?;
        }
        // PiSSA, OLoRA and their like change the base model's weights.
        match fields.get("init_lora_weights") {
            None | Some(Value::Bool(_)) => {}
            Some(Value::String(kind)) if kind == "gaussian" => {}
            Some(_) => {
                let way = "true, false or \"gaussian\" (convert the adapter to a plain LoRA with PEFT)";
                return Err(fields.refuse_value("init_lora_weights", way));
            }
        }
        let mut within = None;
        let targets = match fields.get("target_modules") {
            Some(Value::Array(names)) => names.iter().map(|n| n.as_str().map(str::to_owned)).collect(),
            Some(Value::String(name)) if name == ALL_LINEAR => Some(vec![name.clone()]),
            Some(Value::String(expression)) => {
                let (of_decoder, and_tower) = apart(expression);
                if and_tower && !whole {
                    tower = OfTower::LowRank;
                }
                alternatives(&of_decoder).map(|(before, names)| {
                    within = Some(before);
                    names
                })
            }
            _ => None,
        };
        let mut targets: Vec<String> =
            targets.ok_or_else(|| fields.refuse_value("target_modules", "a list of module names"))?;
        targets.sort();
        let layers = match fields.get("layers_to_transform") {
            None => None,
            Some(Value::Array(layers)) if layers.is_empty() => None,
            Some(Value::Number(layer)) => layer.as_u64().map(|layer| vec![layer as usize]),
            Some(value) => Some(
                serde_json::from_value(value.clone())
                    .map_err(|_| fields.refuse_value("layers_to_transform", "a list of layer numbers"))?,
            ),
        };
        let positive = |field: &str, value: Option<usize>| {
            value.filter(|value| *value > 0).ok_or_else(|| fields.refuse_value(field, "at least 1"))
        };
        let rank_pattern = pattern(&fields, "rank_pattern", |value| value.as_u64().filter(|r| *r > 0))?;
        Ok(Self {
            rank: positive("r", fields.size("r")?)?,
            alpha: fields
                .float("lora_alpha")?
                .ok_or_else(|| fields.refuse_value("lora_alpha", "a number"))?,
            dropout: fields.float("lora_dropout")?.unwrap_or(0.0),
            rank_stabilised: fields.flag("use_rslora")?.unwrap_or(false),
            dora: fields.flag("use_dora")?.unwrap_or(false),
            targets,
            rank_pattern: rank_pattern.into_iter().map(|(name, rank)| (name, rank as usize)).collect(),
            alpha_pattern: pattern(&fields, "alpha_pattern", Value::as_f64)?,
            layers,
            within,
            projector,
            tower,
        })
    }

    /// Writes `adapter_config.json` as PEFT reads it.
    fn write(&self, folder: &Path, family: Family, base: &str) -> Result<(), FileError> {
        let mut names: Vec<&str> = Vec::new();
        for target in family.targets().iter().filter(|target| self.targets(target)) {
            // The last part where that is enough to tell the maps apart, else the whole path.
            let short = last(target.path);
            let alike = family.targets().iter().filter(|other| is_named(other.path, short));
            let all = alike.clone().all(|other| self.targets(other));
            let name = if all { short } else { target.path };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        self.write_naming(folder, &names, family.fan_in_fan_out(), base)
    }

    /// The same with the adapted maps as they are to be named.
    fn write_naming(
        &self,
        folder: &Path,
        targets: &[&str],
        fan_in_fan_out: bool,
        base: &str,
    ) -> Result<(), FileError> {
        // PEFT takes the word alone, not in a list.
        let targets = match &self.within {
            Some(within) => {
                let of_decoder = format!("{within}({})", targets.join("|"));
                match self.tower {
                    OfTower::LowRank => json!(joined(&of_decoder)),
                    OfTower::Nothing | OfTower::Whole => json!(of_decoder),
                }
            }
            None if targets == [ALL_LINEAR] => json!(ALL_LINEAR),
            None => json!(targets),
        };
        let of_tower = (self.tower == OfTower::Whole).then_some(TOWER);
        let whole: Vec<&str> = self.projector.then_some(PROJECTOR).into_iter().chain(of_tower).collect();
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "use_rslora": self.rank_stabilised,
            "use_dora": self.dora,
            "target_modules": targets,
            "rank_pattern": self.rank_pattern,
            "alpha_pattern": self.alpha_pattern,
            "layers_to_transform": self.layers,
            "modules_to_save": if whole.is_empty() { Value::Null } else { json!(whole) },
            "bias": "none",
            "fan_in_fan_out": fan_in_fan_out,
            "inference_mode": true,
            "init_lora_weights": true,
        });
        write_json(&folder.join("adapter_config.json"), &config)
    }
}

/// The regular expression for maps of the decoder, and all maps of the tower.
fn joined(of_decoder: &str) -> String {
    format!("({of_decoder})|(.*{TOWER}.*\\.({}))", tower::target_names().join("|"))
}

/// What such an expression has for the decoder, and whether it has the tower.
fn apart(expression: &str) -> (String, bool) {
    let of_decoder = expression.strip_prefix('(').and_then(|rest| rest.split_once(&format!(")|(.*{TOWER}")));
    match of_decoder {
        Some((of_decoder, _)) if joined(of_decoder) == expression => (of_decoder.to_owned(), true),
        _ => (expression.to_owned(), false),
    }
}

/// The names that a regular expression ends with, as `…\.(q_proj|v_proj)`, and what stands before them. One that looks
/// at anything but the language model is none of these.
fn alternatives(expression: &str) -> Option<(String, Vec<String>)> {
    let (before, names) =
        expression.strip_suffix('$').unwrap_or(expression).strip_suffix(')')?.rsplit_once('(')?;
    let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let names: Vec<String> = names.trim_start_matches("?:").split('|').map(str::to_owned).collect();
    let everywhere = [r".*\.", r"^.*\.", ".*"].contains(&before);
    let in_decoder = before.contains("language_model") && !before.contains('(') && !before.contains('|');
    ((everywhere || in_decoder) && names.iter().all(|name| plain(name))).then(|| (before.to_owned(), names))
}

/// The last part of a module's name.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A map from ends of module names to values, or from whole names that begin with `^`. PEFT takes other regular
/// expressions here too; those are refused.
fn pattern<T>(
    fields: &Fields<'_>,
    field: &str,
    value: impl Fn(&Value) -> Option<T>,
) -> Result<BTreeMap<String, T>> {
    let Some(map) = fields.object(field)? else { return Ok(BTreeMap::new()) };
    let plain = |name: &str| {
        let name = name.strip_prefix('^').unwrap_or(name);
        name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
    };
    let entry = |(name, found): (&String, &Value)| match value(found) {
        Some(value) if plain(name) => Ok((name.clone(), value)),
        _ => Err(fields.refuse_value(field, "module names (no regular expressions) with numbers")),
    };
    map.map.iter().map(entry).collect()
}

fn lookup<'a, T>(pattern: &'a BTreeMap<String, T>, module: &str) -> Option<&'a T> {
    let matches = |name: &str| match name.strip_prefix('^') {
        Some(whole) => module == whole,
        None => is_named(module, name),
    };
    pattern.iter().find(|(name, _)| matches(name)).map(|(_, value)| value)
}

/// A matrix of an adapter: its name in a PEFT file, its dimensions, and where it lies in its layer's flat vector.
struct Matrix {
    key: String,
    dims: Vec<usize>,
    place: std::ops::Range<usize>,
}

fn matrices(config: &ModelConfig, layer: usize, map: &Adapted) -> Vec<Matrix> {
    matrices_of(&format!("base_model.model.{}", config.layer_module(layer)), map)
}

/// The same of a layer by its module.
fn matrices_of(layer: &str, map: &Adapted) -> Vec<Matrix> {
    let module = format!("{layer}.{}", map.target.path);
    let matrix = |end: &str, dims: &[usize], place: &std::ops::Range<usize>| Matrix {
        key: format!("{module}.{end}"),
        dims: dims.to_vec(),
        place: place.clone(),
    };
    let mut all = vec![
        matrix("lora_A.weight", &[map.rank, map.inputs], &map.a),
        matrix("lora_B.weight", &[map.outputs, map.rank], &map.b),
    ];
    all.extend(map.magnitude.as_ref().map(|m| matrix("lora_magnitude_vector", &[map.outputs], m)));
    all
}

/// Writes a decoder's adapter. Fails where the decoder has none.
pub fn write_adapter(decoder: &Decoder, lora: &LoraConfig, folder: &Path, base: &str) -> Result<()> {
    let mut tensors = named_tensors(decoder);
    if tensors.is_empty() {
        return Err(ModelError::Run("this model has no adapter to write".into()));
    }
    let (of_tower, in_tower) = tower::of(decoder);
    tensors.extend(in_tower);
    let lora = &LoraConfig { tower: of_tower, ..projector::add(decoder, lora, folder, &mut tensors)? };
    let fills: Vec<_> = tensors.iter().map(|(_, _, numbers)| || numbers.to_vec()).collect();
    let entries: Vec<Entry<'_>> =
        (tensors.iter().zip(&fills)).map(|((name, dims, _), fill)| Entry { name, dims, fill }).collect();
    write_tensors(&folder.join("adapter_model.safetensors"), &entries, Precision::F32)?;
    Ok(lora.write(folder, decoder.config().family, base)?)
}

/// A decoder's low-rank matrices by their names in a PEFT adapter, with their dimensions.
pub(crate) fn named_tensors(decoder: &Decoder) -> Vec<(String, Vec<usize>, &[f32])> {
    let mut tensors = Vec::new();
    for (number, layer) in decoder.layers.iter().enumerate() {
        let Trained::Lora(layout) = &layer.trained else { continue };
        for matrix in layout.maps().flat_map(|map| matrices(decoder.config(), number, map)) {
            tensors.push((matrix.key, matrix.dims, &decoder.flat(number)[matrix.place]));
        }
    }
    tensors
}

/// What is trained of a decoder's tower, by its names in a PEFT adapter.
#[cfg(test)]
pub(crate) fn named_tower(decoder: &Decoder) -> Vec<(String, Vec<usize>, &[f32])> {
    tower::of(decoder).1
}

/// A decoder's projector that is trained, by its names in a PEFT adapter.
#[cfg(test)]
pub(crate) fn named_projector(decoder: &Decoder) -> Vec<(String, Vec<usize>, &[f32])> {
    let tensors = projector::trained(decoder).into_iter();
    tensors.map(|(tensor, numbers)| (projector::joined(tensor.name), tensor.dims, numbers)).collect()
}

impl Decoder {
    /// The decoder with an adapter beside its weights, ready to be trained on. An adapter that cannot be applied
    /// whole is refused.
    pub fn with_adapter(self, folder: &Path) -> Result<Self> {
        let lora = LoraConfig::read(folder)?;
        let refuse = |e: ModelError| ModelError::tensors(folder, e.to_string());
        let mut decoder = self.train_lora(&lora, 0).map_err(refuse)?;
        if projector::is_in(folder, &lora)? {
            decoder = decoder.train_projector(1.0).map_err(refuse)?;
        }
        decoder.load_adapter(folder)
    }

    /// Puts an adapter's numbers into the one that is trained.
    pub fn load_adapter(mut self, folder: &Path) -> Result<Self> {
        let (path, mut tensors) = read_matrices(folder)?;
        for number in 0..self.layers.len() {
            let layer = &self.layers[number];
            let (Trained::Lora(layout), Some(parameter)) = (layer.trained.clone(), layer.parameter) else {
                continue;
            };
            let numbers = take_layer(&layout, self.config(), number, &mut tensors, &path)?;
            self.parameters_mut()[parameter].numbers = numbers;
        }
        projector::load(&mut self, folder, &mut tensors)?;
        // Where the tower is not trained it is read by itself, with what an adapter has for it.
        let of_tower =
            if self.config().vision.is_some() { tower::take(&mut tensors) } else { BTreeMap::new() };
        let Decoder { sight, parameters, .. } = &mut self;
        if let Some(sight) = sight {
            tower::load(&sight.tower, parameters, &of_tower, &path)?;
        }
        refuse_surplus(&tensors, &path)?;
        Ok(self)
    }
}

/// The tensors of an adapter's folder, and the file that they are from.
fn read_matrices(folder: &Path) -> Result<(PathBuf, BTreeMap<String, Read>)> {
    let path = folder.join("adapter_model.safetensors");
    if !path.exists() && folder.join("adapter_model.bin").exists() {
        let reason = "only adapter_model.bin is here; load it in PEFT and save_pretrained to convert it";
        return Err(ModelError::tensors(folder, reason));
    }
    let tensors = read_tensors(&path)?;
    Ok((path, tensors))
}

/// The flat vector of a layer's adapter, its matrices taken out of `tensors`.
fn take_layer(
    layout: &Layout,
    config: &ModelConfig,
    number: usize,
    tensors: &mut BTreeMap<String, Read>,
    path: &Path,
) -> Result<Vec<f32>> {
    let mut flat = vec![0.0; layout.len];
    for Matrix { key, dims, place } in layout.maps().flat_map(|map| matrices(config, number, map)) {
        // Before transformers 4.52 the decoder of a LLaVA was a model of its own.
        let older = key.replace("model.language_model.layers", "language_model.model.layers");
        let oldest = key.replace("model.language_model.layers", "model.layers");
        let names = [key.clone(), format!("{key}.weight"), older, oldest];
        let found = names.iter().find_map(|name| tensors.remove(name));
        let Some((found, numbers)) = found else {
            let reason = format!("{key} is missing; the adapter cannot be applied whole");
            return Err(ModelError::tensors(path, reason));
        };
        if found != dims {
            let reason = format!("{key} has shape {found:?}, expected {dims:?}: made for another base model");
            return Err(ModelError::tensors(path, reason));
        }
        flat[place].copy_from_slice(&numbers);
    }
    Ok(flat)
}

/// Refuses an adapter of which something is left.
fn refuse_surplus(tensors: &BTreeMap<String, Read>, path: &Path) -> Result<()> {
    match tensors.keys().next() {
        None => Ok(()),
        Some(surplus) => {
            let count = tensors.len();
            let reason = format!("{surplus} has no place in this base model ({count} such tensors)");
            Err(ModelError::tensors(path, reason))
        }
    }
}
