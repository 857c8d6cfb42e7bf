//! Llama's names, which Mistral and Qwen share.
//!
//! Fields and defaults follow transformers' `LlamaConfig`, `MistralConfig`, `Qwen2Config`, `Qwen3Config`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Family, Target, activation, common, layer_types, window, windows_for};
use crate::config::fields::Fields;
use crate::config::{Activation, ModelConfig};
use crate::error::Result;
use crate::ops::slots::Slot;

pub(super) const TARGETS: [Target; 7] = [
    Target { path: "self_attn.q_proj", slots: &[Slot::Query] },
    Target { path: "self_attn.k_proj", slots: &[Slot::Key] },
    Target { path: "self_attn.v_proj", slots: &[Slot::Value] },
    Target { path: "self_attn.o_proj", slots: &[Slot::Output] },
    Target { path: "mlp.gate_proj", slots: &[Slot::Gate] },
    Target { path: "mlp.up_proj", slots: &[Slot::Up] },
    Target { path: "mlp.down_proj", slots: &[Slot::Down] },
];

pub(super) fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::InputNorm => "input_layernorm.weight",
        Slot::InputNormBias => "input_layernorm.bias",
        Slot::Query => "self_attn.q_proj.weight",
        Slot::Key => "self_attn.k_proj.weight",
        Slot::Value => "self_attn.v_proj.weight",
        Slot::QueryBias => "self_attn.q_proj.bias",
        Slot::KeyBias => "self_attn.k_proj.bias",
        Slot::ValueBias => "self_attn.v_proj.bias",
        Slot::QueryNorm => "self_attn.q_norm.weight",
        Slot::KeyNorm => "self_attn.k_norm.weight",
        Slot::Output => "self_attn.o_proj.weight",
        Slot::OutputBias => "self_attn.o_proj.bias",
        Slot::AttentionNorm => "self_attn.norm.weight",
        Slot::MlpInputNorm => "post_attention_layernorm.weight",
        Slot::MlpInputNormBias => "post_attention_layernorm.bias",
        Slot::Gate => "mlp.gate_proj.weight",
        Slot::Up => "mlp.up_proj.weight",
        Slot::GateBias => "mlp.gate_proj.bias",
        Slot::UpBias => "mlp.up_proj.bias",
        Slot::Down => "mlp.down_proj.weight",
        Slot::DownBias => "mlp.down_proj.bias",
        Slot::MlpNorm => "mlp.norm.weight",
    }
}

pub(super) fn read(family: Family, fields: &Fields<'_>) -> Result<ModelConfig> {
    let mut config = common(family, fields)?;
    config.activation = activation(fields, "hidden_act")?.unwrap_or(Activation::Silu);
    let layers = config.num_hidden_layers;
    let window = window(fields)?;
    match family {
        Family::Llama => {
            let attention = fields.flag("attention_bias")?.unwrap_or(false);
            (config.bias.qkv, config.bias.output) = (attention, attention);
            config.bias.mlp = fields.flag("mlp_bias")?.unwrap_or(false);
            fields.nothing("sliding_window")?;
        }
        Family::Mistral => {
            let listed = layer_types(fields, window)?;
            config.windows = windows_for(fields, layers, listed, |_| window)?;
        }
        _ => {
            config.head_norms = family == Family::Qwen3;
            let attention = fields.flag("attention_bias")?.unwrap_or(false);
            config.bias.qkv = family == Family::Qwen2 || attention;
            config.bias.output = family == Family::Qwen3 && attention;
            let window = window.filter(|_| fields.map.get("use_sliding_window") == Some(&json!(true)));
            let first = fields.size("max_window_layers")?.unwrap_or(28);
            let listed = layer_types(fields, window)?;
            let by_number = |layer| window.filter(|_| layer >= first);
            config.windows = windows_for(fields, layers, listed, by_number)?;
        }
    }
    Ok(config)
}

/// The configuration of a new Llama: what `pretrain` makes.
pub(crate) fn new_config(sizes: &Map<String, Value>) -> Result<ModelConfig> {
    let mut fields = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": false,
        "mlp_bias": false,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": true,
    });
    if let Some(fields) = fields.as_object_mut() {
        fields.extend(sizes.clone());
    }
    ModelConfig::from_fields(fields.as_object().unwrap_or(sizes), Path::new("model.shape"))
}
