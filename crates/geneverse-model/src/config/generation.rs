//! `generation_config.json` of a Hugging Face checkpoint: how its answers are meant to be made.
//!
//! Read as transformers' `GenerationConfig` is: a folder without the file has the same fields in `config.json`, as old
//! checkpoints do. Answers here are greedy and as long as the caller says (`max_length` and `max_new_tokens` are not
//! read). What would make transformers answer otherwise and is not done here is told, never dropped in silence.

use std::path::Path;

use geneverse_data::stage::read_json;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::{ModelConfig, token_ids};
use crate::error::Result;

/// How a checkpoint's answers are meant to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationSettings {
    /// Tokens that end an answer: those of `generation_config.json` where it names some, else of `config.json`.
    pub stop_ids: Vec<u32>,
    /// Divides the logits of tokens that have been; 1 for no penalty.
    pub repetition_penalty: f64,
    /// No run of so many tokens comes twice; 0 for no such guard.
    pub no_repeat_ngram_size: usize,
    /// What the file asks for and is not done, a line each, for people to read.
    pub ignored: Vec<String>,
}

/// What matters only where tokens are drawn.
const SAMPLING: [&str; 8] =
    ["temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"];

/// What would change a greedy answer, or make it another way, each with the values that change nothing.
const OTHERWISE: [(&str, &[f64]); 19] = [
    ("num_beams", &[1.0]),
    ("penalty_alpha", &[0.0]),
    ("guidance_scale", &[1.0]),
    ("encoder_repetition_penalty", &[1.0]),
    ("encoder_no_repeat_ngram_size", &[0.0]),
    ("diversity_penalty", &[0.0]),
    ("min_length", &[0.0]),
    ("min_new_tokens", &[0.0]),
    ("max_time", &[]),
    ("stop_strings", &[]),
    ("bad_words_ids", &[]),
    ("suppress_tokens", &[]),
    ("begin_suppress_tokens", &[]),
    ("forced_bos_token_id", &[]),
    ("forced_eos_token_id", &[]),
    ("sequence_bias", &[]),
    ("exponential_decay_length_penalty", &[]),
    ("watermarking_config", &[]),
    ("token_healing", &[]),
];

impl GenerationSettings {
    /// Reads what `folder`, whose configuration is `config`, says.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let named = folder.join("generation_config.json");
        let path = if named.exists() { named } else { folder.join("config.json") };
        let fields: Map<String, Value> = read_json(&path)?;
        Self::from_fields(&Fields::new(&fields, &path), config)
    }

    fn from_fields(fields: &Fields<'_>, config: &ModelConfig) -> Result<Self> {
        let mut stop_ids = token_ids(fields.get("eos_token_id"));
        if stop_ids.is_empty() {
            stop_ids.clone_from(&config.eos_token_ids);
        }
        let repetition_penalty = fields.float("repetition_penalty")?.unwrap_or(1.0);
        if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
            return Err(fields.refuse_value("repetition_penalty", "a number above 0; 1 is no penalty"));
        }
        let no_repeat_ngram_size = fields.size("no_repeat_ngram_size")?.unwrap_or(0);
        let mut ignored = Vec::new();
        let path = fields.path.display();
        let said = |name: &&str| fields.get(name).map(|value| format!("{name} {value}"));
        if fields.flag("do_sample")? == Some(true) {
            let how: Vec<String> = SAMPLING.iter().filter_map(said).collect();
            let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
            ignored.push(format!(
                "{path}: do_sample asks for drawn tokens{how}; answers here take the likeliest each time"
            ));
        }
        let others = OTHERWISE.iter().filter(|(name, nothing)| changes(fields.get(name), nothing));
        let others: Vec<String> = others.filter_map(|(name, _)| said(name)).collect();
        if !others.is_empty() {
            ignored.push(format!("{path}: not done here: {}", others.join(", ")));
        }
        Ok(Self { stop_ids, repetition_penalty, no_repeat_ngram_size, ignored })
    }
}

/// Whether a value is there, and not one of those that change nothing.
fn changes(value: Option<&Value>, nothing: &[f64]) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(value) => !value.as_f64().is_some_and(|value| nothing.contains(&value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(fields: Value) -> Result<GenerationSettings> {
        let model = json!({"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 1, "vocab_size": 9, "eos_token_id": 2});
        let config = crate::families::new_llama(model.as_object().unwrap()).unwrap();
        let path = Path::new("m/generation_config.json");
        GenerationSettings::from_fields(&Fields::new(fields.as_object().unwrap(), path), &config)
    }

    #[test]
    fn the_files_penalty_guard_and_ends_are_taken() {
        let plain =
            read(json!({"temperature": 0.6, "do_sample": false, "num_beams": 1, "top_k": 50})).unwrap();
        let nothing = GenerationSettings {
            stop_ids: vec![2],
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            ignored: Vec::new(),
        };
        assert_eq!(plain, nothing);
        let asked = json!({"eos_token_id": [5, 7], "repetition_penalty": 1.1, "no_repeat_ngram_size": 3});
        let asked = read(asked).unwrap();
        assert_eq!((asked.stop_ids.as_slice(), asked.no_repeat_ngram_size), (&[5, 7][..], 3));
        assert_eq!(asked.repetition_penalty, 1.1);
        let null = read(json!({"repetition_penalty": null, "no_repeat_ngram_size": null})).unwrap();
        assert_eq!(null, nothing);
    }

    #[test]
    fn what_is_not_done_is_told() {
        let sampled = json!({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "min_new_tokens": 4,
            "suppress_tokens": [], "guidance_scale": 1.0, "num_beams": 3, "bad_words_ids": [[4]],
            "token_healing": false, "stop_strings": "END"});
        assert_eq!(
            read(sampled).unwrap().ignored,
            [
                "m/generation_config.json: do_sample asks for drawn tokens (temperature 0.6, top_p 0.9); answers \
                 here take the likeliest each time",
                "m/generation_config.json: not done here: num_beams 3, min_new_tokens 4, stop_strings \"END\", \
                 bad_words_ids [[4]]",
            ]
        );
        let error = read(json!({"repetition_penalty": 0})).unwrap_err().to_string();
        assert_eq!(
            error,
            "m/generation_config.json: repetition_penalty is 0; expected a number above 0; 1 is no penalty"
        );
        let error = read(json!({"no_repeat_ngram_size": -1})).unwrap_err().to_string();
        assert!(error.ends_with("no_repeat_ngram_size is -1; expected a whole number"), "{error}");
    }

    #[test]
    fn an_old_folder_has_the_fields_in_its_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let mut fields = json!({"model_type": "llama", "hidden_size": 8, "intermediate_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9, "eos_token_id": [3],
            "repetition_penalty": 1.3});
        let write = |name: &str, fields: &Value| {
            std::fs::write(folder.path().join(name), fields.to_string()).unwrap();
        };
        write("config.json", &fields);
        let config = ModelConfig::read(folder.path()).unwrap();
        let old = GenerationSettings::read(folder.path(), &config).unwrap();
        assert_eq!((old.stop_ids, old.repetition_penalty), (vec![3], 1.3));
        fields = json!({"no_repeat_ngram_size": 2});
        write("generation_config.json", &fields);
        let new = GenerationSettings::read(folder.path(), &config).unwrap();
        assert_eq!((new.stop_ids, new.repetition_penalty, new.no_repeat_ngram_size), (vec![3], 1.0, 2));
    }
}
