//! `config.json` of a Hugging Face checkpoint: what a decoder computes, in words that are the same for every family.
//!
//! [`crate::families`] reads a family's own fields into a [`ModelConfig`]. A field that would change the
//! arithmetic and that this engine does not implement is refused by its name, never ignored.

pub(crate) mod fields;
pub mod generation;
pub mod moe;
pub mod qwen;
pub mod vision;

use std::path::Path;

use geneverse_data::stage::{FileError, read_json, write_json};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::families::Family;
use fields::Fields;

/// What a decoder computes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Whose fields and tensor names the checkpoint has.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Number of tokens.
    pub vocab_size: usize,
    /// How the residual stream is normalised.
    pub norm: Norm,
    /// Added under the norm's root.
    pub norm_eps: f64,
    /// How tokens know their place.
    pub positions: Positions,
    /// The feed-forward's activation.
    pub activation: Activation,
    /// Whether a gate is multiplied with the up-projection (`act(gate) · up`), or there is none (`act(up)`).
    pub gated: bool,
    /// Which linear maps have biases.
    pub bias: Biases,
    /// RMSNorm over each query and key head before the rotation (Qwen-3, Gemma-3).
    pub head_norms: bool,
    /// Norms also after attention and feed-forward, before the residual sum (Gemma-2, Gemma-3).
    pub sandwich_norms: bool,
    /// For each layer, how many tokens a token looks back at, itself included; `None` for all.
    pub windows: Vec<Option<usize>>,
    /// What scores are multiplied by.
    pub attention_scale: f64,
    /// Scores are divided by the layer's number, from 1, too (GPT-2's `scale_attn_by_inverse_layer_idx`).
    pub scale_by_layer: bool,
    /// Scores become `cap · tanh(score / cap)`.
    pub attention_cap: Option<f64>,
    /// Logits become `cap · tanh(logit / cap)`.
    pub logit_cap: Option<f64>,
    /// What embeddings are multiplied by.
    pub embedding_scale: f64,
    /// Longest sequence the model was made for.
    pub max_position_embeddings: usize,
    /// Whether the output layer is the transposed embedding.
    pub tie_word_embeddings: bool,
    /// Begin-of-sequence token.
    pub bos_token_id: Option<u32>,
    /// End-of-sequence tokens.
    pub eos_token_ids: Vec<u32>,
    /// Padding token.
    pub pad_token_id: Option<u32>,
    /// How it sees pictures; `None` where it reads text only.
    pub vision: Option<Box<vision::VisionConfig>>,
    /// The file's fields as they were read, to be written again.
    pub(crate) fields: Map<String, Value>,
}

/// How the residual stream is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// `w · x / rms(x)`
    Rms,
    /// `(1 + w) · x / rms(x)` (Gemma)
    RmsPlusOne,
    /// `w · (x − mean) / deviation + b`
    Layer,
}

/// How tokens know their place.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Rotary embedding of queries and keys; layers with a window may have their own.
    Rotary {
        /// Of layers that look at everything, and of the others where they have no rotation of their own.
        global: Rope,
        /// Of layers with a window.
        local: Option<Rope>,
    },
    /// A learned vector for each position is added to the embedding.
    Learned {
        /// Rows of the table.
        rows: usize,
        /// The row of position 0.
        offset: usize,
    },
}

/// A rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Base of the wavelengths.
    pub theta: f64,
    /// How many numbers of a head turn, the first ones; all where it is `None`.
    pub width: Option<usize>,
    /// How wavelengths are stretched.
    pub scaling: RopeScaling,
}

/// How wavelengths are stretched for contexts longer than those of the first training.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All by the same factor.
    Linear(f64),
    /// Long ones by `factor`, short ones not, those between by something between (Llama-3.1).
    Llama3 {
        /// For long wavelengths.
        factor: f64,
        /// Wavelengths above `original / low` are long.
        low: f64,
        /// Wavelengths below `original / high` are short.
        high: f64,
        /// Context length of the first training.
        original: f64,
    },
}

/// The feed-forward's activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x / (1 + e⁻ˣ)
    Silu,
    /// x · Φ(x)
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// Its approximation x / (1 + e⁻¹·⁷⁰²ˣ) (CLIP).
    QuickGelu,
}

/// Which linear maps have biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Biases {
    /// Query, key and value.
    pub qkv: bool,
    /// The attention's output map.
    pub output: bool,
    /// The feed-forward's maps.
    pub mlp: bool,
}

impl ModelConfig {
    /// Reads `config.json` in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let fields: Map<String, Value> = read_json(&path)?;
        Self::from_fields(&fields, &path)
    }

    pub(crate) fn from_fields(fields: &Map<String, Value>, path: &Path) -> Result<Self> {
        let fields = Fields::new(fields, path);
        let seeing = vision::read(&fields)?;
        let config = match &seeing {
            None => Family::of(&fields)?.read(&fields)?,
            Some((text, _)) => {
                let text = Fields::new(text, path);
                Family::of(&text)?.read(&text)?
            }
        };
        let config = match seeing {
            None => config,
            // The whole file is written again, not the decoder's part of it.
            Some((_, vision)) => {
                Self { vision: Some(Box::new(vision)), fields: fields.map.clone(), ..config }
            }
        };
        config.check().map_err(|(field, found, expected)| fields.refuse(field, found, expected))?;
        Ok(config)
    }

    /// Whether the numbers fit together; else the field, its value and what it should be.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("vocab_size", self.vocab_size),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err((field, "0".into(), "at least 1"));
        }
        if let Some((field, size)) = sizes.iter().find(|(_, size)| *size > 1 << 28) {
            return Err((field, size.to_string(), "at most 268435456"));
        }
        if matches!(self.positions, Positions::Rotary { .. }) && !self.head_dim.is_multiple_of(2) {
            return Err(("head_dim", self.head_dim.to_string(), "an even number, for the rotary embedding"));
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            let found = self.num_key_value_heads.to_string();
            return Err(("num_key_value_heads", found, "a divisor of num_attention_heads"));
        }
        if self.windows.contains(&Some(0)) {
            return Err(("sliding_window", "0".into(), "at least 1"));
        }
        Ok(())
    }

    /// Writes `config.json` and `generation_config.json` into `folder`, as transformers reads them.
    pub fn write(&self, folder: &Path, dtype: &str) -> Result<(), FileError> {
        let eos = match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        };
        let mut fields = self.fields.clone();
        fields.remove("dtype");
        fields.insert("torch_dtype".into(), json!(dtype));
        match &self.vision {
            // Parts of it say nothing else than the whole.
            Some(_) => {
                for part in fields.values_mut().filter_map(Value::as_object_mut) {
                    for field in ["dtype", "torch_dtype"] {
                        part.remove(field);
                    }
                }
            }
            None => {
                fields.insert(self.family.layers_field().into(), json!(self.num_hidden_layers));
            }
        }
        write_json(&folder.join("config.json"), &fields)?;
        let generation = json!({
            "bos_token_id": self.bos_token_id,
            "eos_token_id": eos,
            "pad_token_id": self.pad_token_id,
            "do_sample": false,
        });
        write_json(&folder.join("generation_config.json"), &generation)
    }

    /// The row of the table of positions that belongs to position 0, where there is such a table.
    pub(crate) fn position_offset(&self) -> Option<usize> {
        match self.positions {
            Positions::Learned { offset, .. } => Some(offset),
            Positions::Rotary { .. } => None,
        }
    }

    /// The rotary embeddings, in the order in which layers refer to them.
    pub(crate) fn ropes(&self) -> Vec<&Rope> {
        match &self.positions {
            Positions::Learned { .. } => Vec::new(),
            Positions::Rotary { global, local } => std::iter::once(global).chain(local).collect(),
        }
    }

    /// The name of a layer's module, as PEFT names it.
    pub(crate) fn layer_module(&self, number: usize) -> String {
        let name = self.family.layer(number);
        match self.vision.as_ref().map(|vision| &vision.layout) {
            Some(vision::Layout::Transformers { .. }) => {
                format!("model.language_model.{}", name.strip_prefix("model.").unwrap_or(&name))
            }
            _ => name,
        }
    }

    /// Width of a row of queries, keys and values.
    pub fn qkv_dim(&self) -> usize {
        (self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_dim
    }
}

pub(crate) fn token_ids(value: Option<&Value>) -> Vec<u32> {
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_u64).map(|id| id as u32).collect(),
        Some(id) => id.as_u64().map(|id| id as u32).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
