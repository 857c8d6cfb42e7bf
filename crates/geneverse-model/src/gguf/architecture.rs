//! Which of llama.cpp's architectures a decoder is, what its keys say, and what it cannot say there.
//!
//! Keys are those of `gguf-py/gguf/constants.py` in <https://github.com/ggml-org/llama.cpp>. A decoder that llama.cpp would
//! compute differently is refused by the field of `config.json` that makes the difference; what differs only for texts
//! longer than a window is told, and the longest text is made the window.

use std::path::Path;

use super::file::Value;
use crate::config::{Activation, ModelConfig, Norm, Positions, Rope, RopeScaling};
use crate::error::{ModelError, Result};
use crate::families::Family;

/// What a file's keys say of the decoder.
pub(super) struct Described {
    /// `general.architecture`.
    pub(super) name: &'static str,
    pub(super) keys: Vec<(String, Value)>,
    /// What a user should know.
    pub(super) notes: Vec<String>,
    /// Of a rotation that stretches wavelengths unevenly, by how much each: `rope_freqs.weight`.
    pub(super) rope_factors: Option<Vec<f32>>,
}

/// The name of a family's architecture; `None` where llama.cpp has none.
pub(super) fn name(family: Family) -> Option<&'static str> {
    match family {
        // Mistral is Llama there.
        Family::Llama | Family::Mistral => Some("llama"),
        Family::Qwen2 => Some("qwen2"),
        Family::Qwen3 => Some("qwen3"),
        Family::Gemma => Some("gemma"),
        Family::Gemma2 => Some("gemma2"),
        Family::Gemma3 => Some("gemma3"),
        Family::StableLm => Some("stablelm"),
        Family::Gpt2 => Some("gpt2"),
        Family::BioGpt => None,
    }
}

/// Whether llama.cpp turns neighbours in a head (0 and 1, 2 and 3) where transformers turns its halves (0 and d/2).
pub(super) fn turns_neighbours(family: Family) -> bool {
    matches!(family, Family::Llama | Family::Mistral)
}

/// Describes a decoder; `path` is its configuration, for errors.
pub(super) fn describe(config: &ModelConfig, text_only: bool, path: &Path) -> Result<Described> {
    let refuse = |field: &str, found: String, expected: &str| {
        let (path, field, expected) = (path.to_owned(), field.to_owned(), expected.to_owned());
        ModelError::Config { path, field, found, expected }
    };
    let family = config.family;
    let Some(name) = name(family) else {
        let expected = "a family that llama.cpp has (it has no BioGPT); the model's folder is served by `geneverse serve` \
                        and by transformers";
        return Err(refuse("model_type", format!("{:?}", family.name()), expected));
    };
    if let Some(vision) = &config.vision {
        if vision.experts.is_some() {
            let expected = "a decoder without experts; llama.cpp has no MoE-LLaVA, `geneverse serve` runs it";
            return Err(refuse("moe", "a list of experts".into(), expected));
        }
        if !text_only {
            let expected = "a model that reads text only; --text-only writes the language model without its eyes, \
                            `geneverse serve` and vLLM serve the whole from its folder";
            return Err(refuse("vision_config", "that of a model that sees".into(), expected));
        }
    }
    check(config).map_err(|(field, found, expected)| refuse(field, found, expected))?;
    let mut described = Described { name, keys: Vec::new(), notes: Vec::new(), rope_factors: None };
    described.sizes(config);
    described.windows(config);
    if let Positions::Rotary { global, local } = &config.positions {
        described.rotation(config, global, local.as_ref());
    }
    Ok(described)
}

/// What llama.cpp computes otherwise: the field, its value, what it should be.
fn check(config: &ModelConfig) -> Result<(), (&'static str, String, &'static str)> {
    use Family::{Gemma, Gemma2, Gemma3, Gpt2, Qwen2, StableLm};
    let ModelConfig { family, activation, bias, .. } = config;
    let wanted = match family {
        Gemma | Gemma2 | Gemma3 | Gpt2 => Activation::GeluTanh,
        _ => Activation::Silu,
    };
    if *activation != wanted {
        return Err((
            "hidden_act",
            format!("{activation:?}"),
            "the activation that llama.cpp has for the family",
        ));
    }
    let gemma = matches!(family, Gemma | Gemma2 | Gemma3);
    if gemma && bias.output {
        return Err(("attention_bias", "true".into(), "false: llama.cpp's Gemma has no biases"));
    }
    if gemma && !config.tie_word_embeddings {
        return Err((
            "tie_word_embeddings",
            "false".into(),
            "true: llama.cpp's Gemma has no output layer of its own",
        ));
    }
    let square = config.head_dim * config.num_attention_heads == config.hidden_size;
    if matches!(family, Qwen2 | StableLm) && !square {
        return Err((
            "head_dim",
            config.head_dim.to_string(),
            "hidden_size / num_attention_heads, as llama.cpp has it",
        ));
    }
    match (family, config.attention_cap) {
        (Gemma2, None) => {
            Err(("attn_logit_softcapping", "null".into(), "a number: llama.cpp's Gemma-2 always has one"))
        }
        (Gemma3, Some(cap)) => {
            Err(("attn_logit_softcapping", cap.to_string(), "null: llama.cpp's Gemma-3 has none"))
        }
        _ => Ok(()),
    }
}

/// What llama.cpp multiplies scores by.
pub(super) fn usual_scale(config: &ModelConfig) -> f64 {
    // It knows the 27B models, whose scale is another one, by their number of layers.
    let large =
        matches!((config.family, config.num_hidden_layers), (Family::Gemma2, 46) | (Family::Gemma3, 62));
    let width = if large { config.hidden_size / config.num_attention_heads } else { config.head_dim };
    1.0 / (width as f64).sqrt()
}

impl Described {
    fn key(&mut self, key: &str, value: Value) {
        self.keys.push((format!("{}.{key}", self.name), value));
    }

    fn whole(&mut self, key: &str, value: usize) {
        self.key(key, Value::Whole(value as u32));
    }

    fn float(&mut self, key: &str, value: f64) {
        self.key(key, Value::Float(value as f32));
    }

    fn sizes(&mut self, config: &ModelConfig) {
        self.whole("block_count", config.num_hidden_layers);
        self.whole("context_length", longest(config));
        self.whole("embedding_length", config.hidden_size);
        self.whole("feed_forward_length", config.intermediate_size);
        self.whole("attention.head_count", config.num_attention_heads);
        self.whole("attention.head_count_kv", config.num_key_value_heads);
        self.whole("attention.key_length", config.head_dim);
        self.whole("attention.value_length", config.head_dim);
        self.whole("vocab_size", config.vocab_size);
        match config.norm {
            Norm::Layer => self.float("attention.layer_norm_epsilon", config.norm_eps),
            Norm::Rms | Norm::RmsPlusOne => self.float("attention.layer_norm_rms_epsilon", config.norm_eps),
        }
        if let Some(cap) = config.attention_cap {
            self.float("attn_logit_softcapping", cap);
        }
        if let Some(cap) = config.logit_cap {
            self.float("final_logit_softcapping", cap);
        }
        if config.family == Family::StableLm {
            self.key("use_parallel_residual", Value::Flag(false));
        }
    }

    fn windows(&mut self, config: &ModelConfig) {
        let Some(window) = config.windows.iter().flatten().min() else { return };
        let period = match config.family {
            Family::Gemma2 => 2,
            Family::Gemma3 => 6,
            _ => {
                if longest(config) < config.max_position_embeddings {
                    self.notes.push(format!(
                        "llama.cpp has no sliding window for this architecture: texts of up to {window} tokens are as in \
                         training, and context_length says so (config.json: {})",
                        config.max_position_embeddings
                    ));
                }
                return;
            }
        };
        self.whole("attention.sliding_window", *window);
        let has: Vec<bool> = config.windows.iter().map(Option::is_some).collect();
        if (0..has.len()).any(|layer| has[layer] != ((layer + 1) % period != 0)) {
            self.key("attention.sliding_window_pattern", Value::Flags(has));
            self.notes
                .push("the order of its layers' windows is unusual: llama.cpp from 2026 on reads it".into());
        }
    }

    fn rotation(&mut self, config: &ModelConfig, global: &Rope, local: Option<&Rope>) {
        self.whole("rope.dimension_count", global.width.unwrap_or(config.head_dim));
        self.float("rope.freq_base", global.theta);
        if let Some(local) = local {
            self.float("rope.freq_base_swa", local.theta);
        }
        match global.scaling {
            RopeScaling::None => {}
            RopeScaling::Linear(factor) => {
                self.key("rope.scaling.type", Value::Text("linear".into()));
                self.float("rope.scaling.factor", factor);
            }
            RopeScaling::Llama3 { .. } => self.rope_factors = Some(factors(global, config.head_dim)),
        }
    }
}

/// The longest text that llama.cpp computes as it was trained.
fn longest(config: &ModelConfig) -> usize {
    let windows = matches!(config.family, Family::Gemma2 | Family::Gemma3);
    let window = config.windows.iter().flatten().min().filter(|_| !windows);
    window.map_or(config.max_position_embeddings, |window| config.max_position_embeddings.min(*window))
}

/// By how much Llama-3.1's scaling stretches each wavelength.
fn factors(rope: &Rope, head_dim: usize) -> Vec<f32> {
    let RopeScaling::Llama3 { factor, low, high, original } = rope.scaling else { return Vec::new() };
    let stretch = |pair: usize| {
        let wavelength = 2.0 * std::f64::consts::PI * rope.theta.powf(2.0 * pair as f64 / head_dim as f64);
        if wavelength < original / high {
            1.0
        } else if wavelength > original / low {
            factor
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..head_dim / 2).map(|pair| stretch(pair) as f32).collect()
}
