//! Gemma 1 to 3 (text): norms scaled by 1 + w, embeddings by √hidden, GELU.
//!
//! Fields and defaults follow transformers' `GemmaConfig`, `Gemma2Config`, `Gemma3TextConfig`. Gemma-2 and 3 have
//! norms on both sides of attention and feed-forward, and layers that look back at a window only.

use super::{Family, activation, common, layer_types, llama, rope, rope_scaling, window, windows_for};
use crate::config::fields::Fields;
use crate::config::{Activation, ModelConfig, Norm, Positions, Rope, RopeScaling};
use crate::error::Result;
use crate::ops::slots::Slot;

/// Names of Gemma-2 and 3; Gemma-1 has Llama's.
pub(super) fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::AttentionNorm => "post_attention_layernorm.weight",
        Slot::MlpInputNorm => "pre_feedforward_layernorm.weight",
        Slot::MlpNorm => "post_feedforward_layernorm.weight",
        other => llama::name(other),
    }
}

pub(super) fn read(family: Family, fields: &Fields<'_>) -> Result<ModelConfig> {
    fields.nothing("use_bidirectional_attention")?;
    let mut config = common(family, fields)?;
    config.head_dim = fields.size("head_dim")?.unwrap_or(256);
    config.attention_scale = 1.0 / (config.head_dim as f64).sqrt();
    config.norm = Norm::RmsPlusOne;
    config.embedding_scale = (config.hidden_size as f64).sqrt();
    config.tie_word_embeddings = fields.flag("tie_word_embeddings")?.unwrap_or(true);
    let attention = fields.flag("attention_bias")?.unwrap_or(false);
    (config.bias.qkv, config.bias.output) = (attention, attention);
    config.activation = activation(fields, "hidden_activation")?.unwrap_or(Activation::GeluTanh);
    if family == Family::Gemma {
        // The first Gemma files say "gelu" in hidden_act and mean its approximation by tanh.
        match activation(fields, "hidden_act")? {
            Some(Activation::Silu) => return Err(fields.refuse_value("hidden_act", "\"gelu_pytorch_tanh\"")),
            _ => return Ok(config),
        }
    }
    config.sandwich_norms = true;
    let cap = |field: &str, default: f64| match (fields.map.get(field), family) {
        (None, Family::Gemma2) => Ok(Some(default)),
        _ => fields.float(field),
    };
    config.attention_cap = cap("attn_logit_softcapping", 50.0)?;
    config.logit_cap = cap("final_logit_softcapping", 30.0)?;
    config.attention_scale = fields.float("query_pre_attn_scalar")?.unwrap_or(256.0).powf(-0.5);
    let window = window(fields)?;
    let pattern = match family {
        Family::Gemma2 => 2,
        _ => fields.size("sliding_window_pattern")?.or(fields.size("_sliding_window_pattern")?).unwrap_or(6),
    };
    let listed = layer_types(fields, window)?;
    let by_number = |layer: usize| window.filter(|_| !(layer + 1).is_multiple_of(pattern.max(1)));
    config.windows = windows_for(fields, config.num_hidden_layers, listed, by_number)?;
    if family == Family::Gemma3 {
        config.head_norms = true;
        config.positions = gemma3_positions(fields)?;
    }
    Ok(config)
}

/// Gemma-3 turns layers with a window by one rotation and the others by another.
fn gemma3_positions(fields: &Fields<'_>) -> Result<Positions> {
    let local_theta = fields.float("rope_local_base_freq")?.unwrap_or(10_000.0);
    let plain = |theta| Rope { theta, width: None, scaling: RopeScaling::None };
    let Some(parameters) = fields.object("rope_parameters")? else {
        let global = rope(Family::Gemma3, fields, 1_000_000.0)?;
        return Ok(Positions::Rotary { global, local: Some(plain(local_theta)) });
    };
    let named = |kind: &str, theta: f64| -> Result<Rope> {
        match parameters.object(kind)? {
            None => Ok(plain(theta)),
            Some(own) => {
                let theta = own.float("rope_theta")?.unwrap_or(theta);
                Ok(Rope { theta, width: None, scaling: rope_scaling(&own)? })
            }
        }
    };
    let global = named("full_attention", 1_000_000.0)?;
    Ok(Positions::Rotary { global, local: Some(named("sliding_attention", local_theta)?) })
}
