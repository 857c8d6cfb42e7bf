//! `config.json` of a Hugging Face Llama checkpoint: the shape of a decoder.
//!
//! Fields and defaults follow transformers' `LlamaConfig`. A field that would change the arithmetic and that
//! this engine does not implement is refused by its name, never ignored.

use std::path::Path;

use geneverse_data::stage::{FileError, read_json, write_json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{ModelError, Result};

/// The shape of a Llama decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
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
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding's wavelengths.
    pub rope_theta: f64,
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
}

impl ModelConfig {
    /// Reads `config.json` in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let fields: Map<String, Value> = read_json(&path)?;
        Self::from_fields(&fields, &path)
    }

    fn from_fields(fields: &Map<String, Value>, path: &Path) -> Result<Self> {
        let reader = Fields { fields, path };
        reader.only("model_type", &json!("llama"), "\"llama\", the family this engine runs today")?;
        for (field, neutral) in [
            ("hidden_act", json!("silu")),
            ("attention_bias", json!(false)),
            ("mlp_bias", json!(false)),
            ("rope_scaling", Value::Null),
            ("sliding_window", Value::Null),
            ("quantization_config", Value::Null),
        ] {
            if fields.contains_key(field) {
                reader.only(field, &neutral, &neutral.to_string())?;
            }
        }
        // transformers 5 writes the rotary settings as one object.
        let mut rope_theta = reader.float("rope_theta")?;
        if let Some(Value::Object(rope)) = fields.get("rope_parameters") {
            let rope = Fields { fields: rope, path };
            if rope.fields.contains_key("rope_type") {
                rope.only("rope_type", &json!("default"), "\"default\"")?;
            }
            rope_theta = rope.float("rope_theta")?.or(rope_theta);
        }
        let hidden_size = reader.need("hidden_size")?;
        let num_attention_heads = reader.need("num_attention_heads")?;
        let config = Self {
            hidden_size,
            intermediate_size: reader.need("intermediate_size")?,
            num_hidden_layers: reader.need("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: reader.size("num_key_value_heads")?.unwrap_or(num_attention_heads),
            head_dim: reader.size("head_dim")?.unwrap_or(hidden_size / num_attention_heads.max(1)),
            vocab_size: reader.need("vocab_size")?,
            rms_norm_eps: reader.float("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope_theta.unwrap_or(10_000.0),
            max_position_embeddings: reader.size("max_position_embeddings")?.unwrap_or(2048),
            tie_word_embeddings: fields.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
            bos_token_id: reader.size("bos_token_id")?.map(|id| id as u32),
            eos_token_ids: token_ids(fields.get("eos_token_id")),
            pad_token_id: reader.size("pad_token_id")?.map(|id| id as u32),
        };
        config.check().map_err(|(field, found, expected)| reader.refuse(field, found, expected))?;
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
        if !self.head_dim.is_multiple_of(2) {
            return Err(("head_dim", self.head_dim.to_string(), "an even number, for the rotary embedding"));
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            let found = self.num_key_value_heads.to_string();
            return Err(("num_key_value_heads", found, "a divisor of num_attention_heads"));
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
        let config = json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "hidden_act": "silu",
            "attention_bias": false,
            "mlp_bias": false,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "max_position_embeddings": self.max_position_embeddings,
            "tie_word_embeddings": self.tie_word_embeddings,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": eos.clone(),
            "pad_token_id": self.pad_token_id,
            "torch_dtype": dtype,
        });
        write_json(&folder.join("config.json"), &config)?;
        let generation = json!({
            "bos_token_id": self.bos_token_id,
            "eos_token_id": eos,
            "pad_token_id": self.pad_token_id,
            "do_sample": false,
        });
        write_json(&folder.join("generation_config.json"), &generation)
    }

    /// Width of the joined query, key and value projection.
    pub fn qkv_dim(&self) -> usize {
        (self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_dim
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        let head = if self.tie_word_embeddings { 1 } else { 2 };
        let attention = self.hidden_size * (self.qkv_dim() + self.num_attention_heads * self.head_dim);
        let layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size;
        head * self.vocab_size * self.hidden_size + self.num_hidden_layers * layer + self.hidden_size
    }
}

/// The ids that end an answer: those of `generation_config.json` where it names some, else of `config.json`.
pub fn stop_ids(folder: &Path, config: &ModelConfig) -> Result<Vec<u32>> {
    let path = folder.join("generation_config.json");
    if path.exists() {
        let fields: Map<String, Value> = read_json(&path)?;
        let ids = token_ids(fields.get("eos_token_id"));
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(config.eos_token_ids.clone())
}

fn token_ids(value: Option<&Value>) -> Vec<u32> {
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_u64).map(|id| id as u32).collect(),
        Some(id) => id.as_u64().map(|id| id as u32).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The fields of one JSON object, with errors that name the file and the field.
struct Fields<'a> {
    fields: &'a Map<String, Value>,
    path: &'a Path,
}

impl Fields<'_> {
    fn refuse(&self, field: &str, found: impl Into<String>, expected: impl Into<String>) -> ModelError {
        let (path, field) = (self.path.to_owned(), field.to_owned());
        ModelError::Config { path, field, found: found.into(), expected: expected.into() }
    }

    fn only(&self, field: &str, wanted: &Value, expected: &str) -> Result<()> {
        match self.fields.get(field) {
            Some(found) if found == wanted => Ok(()),
            found => {
                let found = found.map_or("missing".to_owned(), Value::to_string);
                Err(self.refuse(field, found, expected))
            }
        }
    }

    fn size(&self, field: &str) -> Result<Option<usize>> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(size) => Ok(Some(size as usize)),
                None => Err(self.refuse(field, value.to_string(), "a whole number")),
            },
        }
    }

    fn need(&self, field: &str) -> Result<usize> {
        self.size(field)?.ok_or_else(|| self.refuse(field, "missing", "a whole number"))
    }

    fn float(&self, field: &str) -> Result<Option<f64>> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.refuse(field, value.to_string(), "a number")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Map<String, Value> {
        let value = json!({"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100, "eos_token_id": [2, 7]});
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_changes_the_arithmetic_is_refused_by_name() {
        let path = Path::new("m/config.json");
        let config = ModelConfig::from_fields(&fields(), path).unwrap();
        assert_eq!((config.num_key_value_heads, config.head_dim), (4, 16));
        assert_eq!(config.eos_token_ids, [2, 7]);

        let refuse = |field: &str, value: Value| {
            let mut fields = fields();
            fields.insert(field.into(), value);
            ModelConfig::from_fields(&fields, path).unwrap_err().to_string()
        };
        assert_eq!(
            refuse("attention_bias", json!(true)),
            "m/config.json: attention_bias is true; expected false"
        );
        assert!(refuse("rope_scaling", json!({"rope_type": "llama3"})).contains("rope_scaling is"));
        assert!(refuse("model_type", json!("mamba")).contains("model_type is \"mamba\""));
        assert!(refuse("num_key_value_heads", json!(3)).contains("a divisor of num_attention_heads"));
    }
}
