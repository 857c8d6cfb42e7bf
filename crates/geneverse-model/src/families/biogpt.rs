//! BioGPT (Luo et al., 2022): GPT-2's shape with separate maps, scaled embeddings, positions from row 2.
//!
//! Fields and defaults follow transformers' `BioGptConfig`.

use super::{Family, Target, activation, common};
use crate::config::fields::Fields;
use crate::config::{Activation, Biases, ModelConfig, Norm, Positions};
use crate::error::Result;
use crate::ops::slots::Slot;

/// The table of positions begins with two rows that no position uses.
const OFFSET: usize = 2;

pub(super) const TARGETS: [Target; 6] = [
    Target { path: "self_attn.q_proj", slots: &[Slot::Query] },
    Target { path: "self_attn.k_proj", slots: &[Slot::Key] },
    Target { path: "self_attn.v_proj", slots: &[Slot::Value] },
    Target { path: "self_attn.out_proj", slots: &[Slot::Output] },
    Target { path: "fc1", slots: &[Slot::Up] },
    Target { path: "fc2", slots: &[Slot::Down] },
];

pub(super) fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::InputNorm => "self_attn_layer_norm.weight",
        Slot::InputNormBias => "self_attn_layer_norm.bias",
        Slot::Output => "self_attn.out_proj.weight",
        Slot::OutputBias => "self_attn.out_proj.bias",
        Slot::MlpInputNorm => "final_layer_norm.weight",
        Slot::MlpInputNormBias => "final_layer_norm.bias",
        Slot::Up => "fc1.weight",
        Slot::UpBias => "fc1.bias",
        Slot::Down => "fc2.weight",
        Slot::DownBias => "fc2.bias",
        other => super::llama::name(other),
    }
}

pub(super) fn read(fields: &Fields<'_>) -> Result<ModelConfig> {
    let mut config = common(Family::BioGpt, fields)?;
    // Its tokenizer puts </s> before a text, as fairseq trained it; `bos_token_id` of the file, <s>, begins nothing.
    config.bos_token_id = config.eos_token_ids.first().copied();
    config.num_key_value_heads = config.num_attention_heads;
    config.head_dim = config.hidden_size / config.num_attention_heads.max(1);
    if config.head_dim * config.num_attention_heads != config.hidden_size {
        return Err(fields.refuse_value("num_attention_heads", "a divisor of hidden_size"));
    }
    config.attention_scale = 1.0 / (config.head_dim as f64).sqrt();
    config.norm = Norm::Layer;
    // The reference ignores its own `layer_norm_eps` and takes PyTorch's default.
    config.norm_eps = 1e-5;
    config.max_position_embeddings = fields.size("max_position_embeddings")?.unwrap_or(1024);
    let rows = config.max_position_embeddings.saturating_add(OFFSET);
    config.positions = Positions::Learned { rows, offset: OFFSET };
    config.activation = activation(fields, "hidden_act")?.unwrap_or(Activation::Gelu);
    config.gated = false;
    config.bias = Biases { qkv: true, output: true, mlp: true };
    if fields.flag("scale_embedding")?.unwrap_or(true) {
        config.embedding_scale = (config.hidden_size as f64).sqrt();
    }
    config.tie_word_embeddings = fields.flag("tie_word_embeddings")?.unwrap_or(true);
    Ok(config)
}
