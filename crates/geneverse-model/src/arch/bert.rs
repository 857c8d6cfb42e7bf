//! BERT (Devlin et al., 2019) and RoBERTa (Liu et al., 2019): encoders, of which a sentence's vector is made.
//!
//! ```text
//! x = LN(word + position + type)
//! for each layer:  q,k,v = x·Wqkv + b;  a = attention(q, k, v)          every token sees every other
//!                  y = LN(x + a·Wo + b);  x = LN(y + act(y·Wup + b)·Wdown + b)
//! ```
//!
//! Fields, defaults and tensor names are those of transformers' `BertModel`; RoBERTa's positions begin after its padding
//! token's number. Weights stay in the mapped file, in its precision. Texts are token type 0, as one text alone is.

use std::ops::Range;
use std::path::Path;

use geneverse_data::stage::read_json;
use serde_json::{Map, Value};

use crate::checkpoint::Source;
use crate::config::fields::Fields;
use crate::config::{self, Activation};
use crate::error::Result;
use crate::families::{Stored, activation};
use crate::ops::activation::Between;
use crate::ops::attend_all::attend;
use crate::ops::buffer;
use crate::ops::matmul::{Into, Threads, product, rows};
use crate::ops::norm::Norm;
use crate::weights::Held;

/// `model_type` of what is read here. CamemBERT and XLM-RoBERTa are RoBERTa with other vocabularies.
pub(crate) const MODEL_TYPES: [&str; 4] = ["bert", "roberta", "xlm-roberta", "camembert"];

/// Sizes of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BertConfig {
    pub(crate) model_type: &'static str,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) vocab_size: usize,
    pub(crate) type_vocab_size: usize,
    /// Rows of the table of positions.
    pub(crate) max_position_embeddings: usize,
    /// The row of a sequence's first token.
    pub(crate) first_position: usize,
    pub(crate) layer_norm_eps: f64,
    pub(crate) activation: Activation,
}

impl BertConfig {
    /// Whether a configuration is an encoder's.
    pub(crate) fn is_encoder(fields: &Map<String, Value>) -> bool {
        fields.get("model_type").and_then(Value::as_str).is_some_and(|name| MODEL_TYPES.contains(&name))
    }

    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let map: Map<String, Value> = read_json(&path)?;
        Self::from_fields(&Fields::new(&map, &path))
    }

    fn from_fields(fields: &Fields<'_>) -> Result<Self> {
        let name = fields.text("model_type")?.unwrap_or_default();
        let model_type = MODEL_TYPES
            .into_iter()
            .find(|known| *known == name)
            .ok_or_else(|| fields.refuse_value("model_type", format!("one of {}", MODEL_TYPES.join(", "))))?;
        for (field, wanted) in [("is_decoder", false), ("add_cross_attention", false)] {
            fields.only(field, wanted)?;
        }
        fields.only("position_embedding_type", "absolute")?;
        fields.nothing("quantization_config")?;
        let pad = fields.size("pad_token_id")?.unwrap_or(1);
        let config = Self {
            model_type,
            hidden_size: fields.need("hidden_size")?,
            intermediate_size: fields.need("intermediate_size")?,
            num_hidden_layers: fields.need("num_hidden_layers")?,
            num_attention_heads: fields.need("num_attention_heads")?,
            vocab_size: fields.need("vocab_size")?,
            type_vocab_size: fields.size("type_vocab_size")?.unwrap_or(2),
            max_position_embeddings: fields.size("max_position_embeddings")?.unwrap_or(512),
            first_position: if model_type == "bert" { 0 } else { pad + 1 },
            layer_norm_eps: fields.float("layer_norm_eps")?.unwrap_or(1e-12),
            activation: activation(fields, "hidden_act")?.unwrap_or(Activation::Gelu),
        };
        let sizes = [
            ("hidden_size", config.hidden_size),
            ("intermediate_size", config.intermediate_size),
            ("num_attention_heads", config.num_attention_heads),
            ("vocab_size", config.vocab_size),
            ("type_vocab_size", config.type_vocab_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("max_position_embeddings", config.max_position_embeddings),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0 || *size > 1 << 28) {
            return Err(fields.refuse_value(field, "a number from 1 to 268435456"));
        }
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(fields.refuse_value("num_attention_heads", "a divisor of hidden_size"));
        }
        if config.first_position >= config.max_position_embeddings {
            let expected = format!("more than the {} before a first token", config.first_position);
            return Err(fields.refuse_value("max_position_embeddings", expected));
        }
        Ok(config)
    }

    /// The longest sequence, in tokens.
    pub(crate) fn longest(&self) -> usize {
        self.max_position_embeddings - self.first_position
    }
}

/// An encoder.
pub(crate) struct Bert {
    pub(crate) config: BertConfig,
    words: Held,
    positions: Held,
    /// The vector of token type 0.
    kind: Vec<f32>,
    norm: Affine,
    layers: Vec<BertLayer>,
}

/// A norm's weight and bias.
struct Affine {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Linear {
    weight: Held,
    bias: Vec<f32>,
}

struct BertLayer {
    /// Query, key and value, which write side by side into one row.
    qkv: [Linear; 3],
    output: Linear,
    attention_norm: Affine,
    up: Linear,
    down: Linear,
    norm: Affine,
}

/// What a pass through the layers writes to, and writes to again in the next layer.
struct Buffers {
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    sum: Vec<f32>,
    up: Vec<f32>,
    active: Vec<f32>,
    weights: Vec<f32>,
}

impl Bert {
    /// Reads a checkpoint folder. Heads for tasks (`pooler`, `cls`, `lm_head`) are not needed and may be there.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let config = BertConfig::read(folder)?;
        let prefix = if config.model_type == "bert" { "bert." } else { "roberta." };
        let mut source = Source::open(folder, prefix)?;
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let mut tensors = Tensors { source: &mut source, prefix };
        let words = tensors.matrix("embeddings.word_embeddings", config.vocab_size, hidden)?;
        let positions =
            tensors.matrix("embeddings.position_embeddings", config.max_position_embeddings, hidden)?;
        let kinds = tensors.matrix("embeddings.token_type_embeddings", config.type_vocab_size, hidden)?;
        let mut kind = kinds.to_vec();
        kind.truncate(hidden);
        let norm = tensors.norm("embeddings.LayerNorm", hidden)?;
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let at = |name: &str| format!("encoder.layer.{number}.{name}");
            layers.push(BertLayer {
                qkv: [
                    tensors.linear(&at("attention.self.query"), hidden, hidden)?,
                    tensors.linear(&at("attention.self.key"), hidden, hidden)?,
                    tensors.linear(&at("attention.self.value"), hidden, hidden)?,
                ],
                output: tensors.linear(&at("attention.output.dense"), hidden, hidden)?,
                attention_norm: tensors.norm(&at("attention.output.LayerNorm"), hidden)?,
                up: tensors.linear(&at("intermediate.dense"), inner, hidden)?,
                down: tensors.linear(&at("output.dense"), hidden, inner)?,
                norm: tensors.norm(&at("output.LayerNorm"), hidden)?,
            });
        }
        source.refuse_surplus(|name| {
            let name = name.strip_prefix(prefix).unwrap_or(name);
            let heads = ["pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs."];
            heads.iter().any(|head| name.starts_with(head)) || name == "embeddings.position_ids"
        })?;
        Ok(Self { config, words, positions, kind, norm, layers })
    }

    /// Hidden states after the last layer, (n, hidden), of sequences that lie end to end in `ids`. Works on the caller's
    /// thread. Ids and lengths are the caller's to check.
    pub(crate) fn forward(&self, ids: &[u32], sequences: &[Range<usize>]) -> Vec<f32> {
        let (n, hidden, inner) = (ids.len(), self.config.hidden_size, self.config.intermediate_size);
        let mut buffers = Buffers {
            qkv: buffer(n * 3 * hidden),
            mixed: buffer(n * hidden),
            sum: self.embed(ids, sequences),
            up: buffer(n * inner),
            active: buffer(n * inner),
            weights: Vec::new(),
        };
        let mut x = buffer(n * hidden);
        self.normalise(&self.norm, &buffers.sum, &mut x);
        for layer in &self.layers {
            self.layer(layer, &mut x, sequences, &mut buffers);
        }
        x
    }

    /// word + position + type, before the norm: (n, hidden).
    fn embed(&self, ids: &[u32], sequences: &[Range<usize>]) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let (words, positions) = (self.words.map().numbers, self.positions.map().numbers);
        let mut sum = buffer(ids.len() * hidden);
        let mut place = vec![0.0; hidden];
        for sequence in sequences {
            for (position, row) in sequence.clone().enumerate() {
                let sum = &mut sum[row * hidden..(row + 1) * hidden];
                let word = ids[row] as usize;
                words.widen(word * hidden..(word + 1) * hidden, sum);
                let position = position + self.config.first_position;
                positions.widen(position * hidden..(position + 1) * hidden, &mut place);
                // In the order of transformers' sum: word and type, then position.
                let added = self.kind.iter().zip(&place);
                sum.iter_mut().zip(added).for_each(|(sum, (kind, place))| *sum = (*sum + kind) + place);
            }
        }
        sum
    }

    fn normalise(&self, affine: &Affine, x: &[f32], y: &mut [f32]) {
        let Affine { weight, bias } = affine;
        let norm = Norm { kind: config::Norm::Layer, eps: self.config.layer_norm_eps as f32, weight, bias };
        norm.rows(x, y);
    }

    /// `x` (n, hidden) through a layer, in place.
    fn layer(&self, layer: &BertLayer, x: &mut [f32], sequences: &[Range<usize>], buffers: &mut Buffers) {
        let BertConfig { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads, .. } =
            self.config;
        let Buffers { qkv, mixed, sum, up, active, weights } = buffers;
        for (i, linear) in layer.qkv.iter().enumerate() {
            linear.forward(x, &mut qkv[i * hidden..], 3 * hidden, None);
        }
        attend(qkv, sequences, (heads, hidden / heads), mixed, weights);
        layer.output.forward(mixed, sum, hidden, Some(x));
        self.normalise(&layer.attention_norm, sum, x);
        layer.up.forward(x, up, inner, None);
        Between { activation: self.config.activation, gated: false, width: inner }.rows(up, active);
        layer.down.forward(active, sum, hidden, Some(x));
        self.normalise(&layer.norm, sum, x);
    }
}

impl Linear {
    /// `y` = x·Wᵀ + b, or with a `residual` r (n, outputs) r + x·Wᵀ + b, rows `stride` apart.
    fn forward(&self, x: &[f32], y: &mut [f32], stride: usize, residual: Option<&[f32]>) {
        let map = self.weight.map();
        let (inputs, outputs) = (map.inputs, map.outputs);
        // What is added goes first, and the product onto it: one pass over `y` less than adding it afterwards.
        for (row, y) in y.chunks_mut(stride).enumerate() {
            let y = &mut y[..outputs];
            match residual {
                None => y.copy_from_slice(&self.bias),
                Some(residual) => {
                    let added = residual[row * outputs..(row + 1) * outputs].iter().zip(&self.bias);
                    y.iter_mut().zip(added).for_each(|(y, (r, b))| *y = r + b);
                }
            }
        }
        let shape = (x.len() / inputs, outputs, inputs);
        product(shape, 1.0, rows(x, inputs), map.forward(), y, stride, Into::Added, Threads::One);
    }
}

/// Tensors by their names below the encoder.
struct Tensors<'s> {
    source: &'s mut Source,
    prefix: &'static str,
}

impl Tensors<'_> {
    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Held> {
        let name = format!("{}{name}.weight", self.prefix);
        self.source.take(&Stored::whole(name), outputs, inputs, false)
    }

    fn vector(&mut self, name: String, width: usize) -> Result<Vec<f32>> {
        Ok(self.source.take(&Stored::whole(name), 1, width, true)?.to_vec())
    }

    fn linear(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        let bias = format!("{}{name}.bias", self.prefix);
        Ok(Linear { weight: self.matrix(name, outputs, inputs)?, bias: self.vector(bias, outputs)? })
    }

    /// The first BERT's files call weight and bias `gamma` and `beta`.
    fn norm(&mut self, name: &str, width: usize) -> Result<Affine> {
        let name = format!("{}{name}", self.prefix);
        let old = self.source.has(&format!("{name}.gamma"));
        let (weight, bias) = if old { ("gamma", "beta") } else { ("weight", "bias") };
        Ok(Affine {
            weight: self.vector(format!("{name}.{weight}"), width)?,
            bias: self.vector(format!("{name}.{bias}"), width)?,
        })
    }
}

#[cfg(test)]
mod tests;
