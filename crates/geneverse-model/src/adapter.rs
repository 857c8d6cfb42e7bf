//! LoRA adapters on disk as PEFT has them, and merged into their base.
//!
//! An adapter folder holds `adapter_config.json` and `adapter_model.safetensors`, whose tensors are
//! `base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight` (rank, inputs) and `…lora_B.weight`
//! (outputs, rank).

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use geneverse_data::stage::{FileError, read_json, write_json};
use serde_json::{Map, Value, json};

use crate::arch::decoder::{Decoder, joined};
use crate::checkpoint::write_tensors;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::lora::{Layout, Linear};

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
    /// The adapted maps.
    pub targets: Vec<Linear>,
}

impl LoraConfig {
    fn scale(&self) -> f32 {
        let rank = self.rank as f64;
        (self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }) as f32
    }

    pub(crate) fn layout(&self, config: &ModelConfig) -> Layout {
        Layout::new(config, &self.targets, self.rank, self.scale(), self.dropout as f32)
    }

    /// Reads `adapter_config.json`; what would change the arithmetic and is not implemented is refused by name.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("adapter_config.json");
        let fields: Map<String, Value> = read_json(&path)?;
        let refuse = |field: &str, expected: &str| ModelError::Config {
            path: path.clone(),
            field: field.to_owned(),
            found: fields.get(field).map_or("missing".to_owned(), Value::to_string),
            expected: expected.to_owned(),
        };
        if fields.get("peft_type") != Some(&json!("LORA")) {
            return Err(refuse("peft_type", "\"LORA\""));
        }
        for field in ["use_dora", "fan_in_fan_out"] {
            if fields.get(field) == Some(&json!(true)) {
                return Err(refuse(field, "false"));
            }
        }
        if !matches!(fields.get("bias"), None | Some(Value::Null))
            && fields.get("bias") != Some(&json!("none"))
        {
            return Err(refuse("bias", "\"none\""));
        }
        for field in ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform"] {
            let empty = match fields.get(field) {
                None | Some(Value::Null) => true,
                Some(Value::Object(map)) => map.is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                _ => false,
            };
            if !empty {
                return Err(refuse(field, "nothing"));
            }
        }
        let names = fields.get("target_modules").and_then(Value::as_array);
        let names = names.ok_or_else(|| refuse("target_modules", "a list of module names"))?;
        let mut targets = Vec::new();
        for name in names {
            let linear = name.as_str().and_then(Linear::from_name);
            targets
                .push(linear.ok_or_else(|| refuse("target_modules", "names such as q_proj or down_proj"))?);
        }
        targets.sort();
        let rank = fields.get("r").and_then(Value::as_u64).filter(|r| *r > 0);
        let alpha = fields.get("lora_alpha").and_then(Value::as_f64);
        Ok(Self {
            rank: rank.ok_or_else(|| refuse("r", "a rank of at least 1"))? as usize,
            alpha: alpha.ok_or_else(|| refuse("lora_alpha", "a number"))?,
            dropout: fields.get("lora_dropout").and_then(Value::as_f64).unwrap_or(0.0),
            rank_stabilised: fields.get("use_rslora") == Some(&json!(true)),
            targets,
        })
    }

    /// Writes `adapter_config.json` as PEFT reads it.
    fn write(&self, folder: &Path, base: &str) -> Result<(), FileError> {
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": self.dropout,
            "use_rslora": self.rank_stabilised,
            "target_modules": self.targets.iter().map(|t| t.name()).collect::<Vec<_>>(),
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
        });
        write_json(&folder.join("adapter_config.json"), &config)
    }
}

/// Where a map's matrices are named in a PEFT adapter.
fn key(layer: usize, linear: Linear, matrix: &str) -> String {
    format!("base_model.model.model.layers.{layer}.{}.lora_{matrix}.weight", linear.path())
}

/// Writes a decoder's adapter. Fails where the decoder has none.
pub fn write_adapter(decoder: &Decoder, lora: &LoraConfig, folder: &Path, base: &str) -> Result<()> {
    let tensors = named_tensors(decoder)?;
    if tensors.is_empty() {
        return Err(ModelError::Run("this model has no adapter to write".into()));
    }
    write_tensors(&folder.join("adapter_model.safetensors"), &tensors, DType::F32)?;
    Ok(lora.write(folder, base)?)
}

/// A decoder's low-rank matrices by their names in a PEFT adapter; none where it has no adapter.
pub(crate) fn named_tensors(decoder: &Decoder) -> Result<Vec<(String, Tensor)>> {
    let mut tensors = Vec::new();
    let Some(layout) = decoder.lora_layout() else { return Ok(tensors) };
    for (number, layer) in decoder.layers.iter().enumerate() {
        for map in layout.maps() {
            let a =
                layer.flat.narrow(0, map.a, layout.rank * map.inputs)?.reshape((layout.rank, map.inputs))?;
            let b = layer
                .flat
                .narrow(0, map.b, map.outputs * layout.rank)?
                .reshape((map.outputs, layout.rank))?;
            tensors.push((key(number, map.linear, "A"), a));
            tensors.push((key(number, map.linear, "B"), b));
        }
    }
    Ok(tensors)
}

/// The flat vector of every layer, from an adapter folder. Missing, surplus and misshapen tensors are errors.
pub(crate) fn read_flat(folder: &Path, layout: &Layout, layers: usize) -> Result<Vec<Tensor>> {
    let path = folder.join("adapter_model.safetensors");
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load(&path, &Device::Cpu)
        .map_err(|e| ModelError::tensors(&path, e.to_string()))?;
    let mut flats = Vec::new();
    for number in 0..layers {
        let mut flat = vec![0f32; layout.len];
        for map in layout.maps() {
            let shapes = [("A", map.a, (layout.rank, map.inputs)), ("B", map.b, (map.outputs, layout.rank))];
            for (matrix, at, shape) in shapes {
                let key = key(number, map.linear, matrix);
                let tensor = tensors.remove(&key).ok_or_else(|| {
                    ModelError::tensors(
                        &path,
                        format!("{key} is missing; the adapter cannot be applied whole"),
                    )
                })?;
                if tensor.dims() != [shape.0, shape.1] {
                    let reason = format!(
                        "{key} has shape {:?}, expected {shape:?}: made for another base model",
                        tensor.dims()
                    );
                    return Err(ModelError::tensors(&path, reason));
                }
                let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                flat[at..at + numbers.len()].copy_from_slice(&numbers);
            }
        }
        flats.push(Tensor::from_vec(flat, layout.len, &Device::Cpu)?);
    }
    match tensors.keys().min() {
        None => Ok(flats),
        Some(surplus) => {
            let reason =
                format!("{surplus} has no place in this base model ({} such tensors)", tensors.len());
            Err(ModelError::tensors(&path, reason))
        }
    }
}

impl Decoder {
    /// The decoder with an adapter beside its weights, ready to be trained on.
    pub fn with_adapter(self, folder: &Path) -> Result<Self> {
        let lora = LoraConfig::read(folder)?;
        let layout = lora.layout(self.config());
        let flats = read_flat(folder, &layout, self.layers.len())?;
        let decoder = self.train_lora(&lora, 0)?;
        for (parameter, flat) in decoder.parameters().iter().zip(&flats) {
            parameter.var.set(flat)?;
        }
        Ok(decoder)
    }

    /// The decoder with its adapter added to its weights, W + s · B · A, and nothing trained.
    pub fn merged(mut self) -> Result<Self> {
        let Some(layout) = self.lora_layout().cloned() else { return Ok(self) };
        let nothing = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        for layer in &mut self.layers {
            let mut weights = layer.frozen.as_ref().clone();
            for (weight, linears) in joined() {
                for map in layout.maps().filter(|map| linears.contains(&map.linear)) {
                    let a = layer
                        .flat
                        .narrow(0, map.a, layout.rank * map.inputs)?
                        .reshape((layout.rank, map.inputs))?;
                    let b = layer
                        .flat
                        .narrow(0, map.b, map.outputs * layout.rank)?
                        .reshape((map.outputs, layout.rank))?;
                    let update = (b.matmul(&a)? * layout.scale as f64)?;
                    let place = &mut weights[weight as usize];
                    let rows = place.narrow(0, map.column(), map.outputs)?;
                    let rest = map.column() + map.outputs;
                    let after = place.dim(0)? - rest;
                    let mut parts = vec![place.narrow(0, 0, map.column())?, (rows + update)?];
                    parts.push(place.narrow(0, rest, after)?);
                    let parts: Vec<Tensor> = parts.into_iter().filter(|p| p.elem_count() > 0).collect();
                    *place = Tensor::cat(&parts, 0)?;
                }
            }
            layer.frozen = std::sync::Arc::new(weights);
            layer.flat = nothing.clone();
        }
        self.freeze();
        Ok(self)
    }
}
