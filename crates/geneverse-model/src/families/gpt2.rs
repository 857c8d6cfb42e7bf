//! GPT-2 (Radford et al., 2019), and BioMedLM: learned positions, LayerNorm, biases, maps stored transposed.
//!
//! Fields and defaults follow transformers' `GPT2Config`. Its `Conv1D` stores (inputs, outputs), and queries,
//! keys and values as one map.

use super::{Family, Stored, Target, activation};
use crate::config::fields::Fields;
use crate::config::{Activation, Biases, ModelConfig, Norm, Positions, token_ids};
use crate::error::Result;
use crate::ops::slots::Slot;

pub(super) const TARGETS: [Target; 4] = [
    Target { path: "attn.c_attn", slots: &[Slot::Query, Slot::Key, Slot::Value] },
    Target { path: "attn.c_proj", slots: &[Slot::Output] },
    Target { path: "mlp.c_fc", slots: &[Slot::Up] },
    Target { path: "mlp.c_proj", slots: &[Slot::Down] },
];

pub(super) fn stored(slot: Slot) -> Stored {
    let (name, part) = match slot {
        Slot::InputNorm => ("ln_1.weight", 0),
        Slot::InputNormBias => ("ln_1.bias", 0),
        Slot::Query => ("attn.c_attn.weight", 0),
        Slot::Key => ("attn.c_attn.weight", 1),
        Slot::Value => ("attn.c_attn.weight", 2),
        Slot::QueryBias => ("attn.c_attn.bias", 0),
        Slot::KeyBias => ("attn.c_attn.bias", 1),
        Slot::ValueBias => ("attn.c_attn.bias", 2),
        Slot::QueryNorm => ("attn.q_norm.weight", 0),
        Slot::KeyNorm => ("attn.k_norm.weight", 0),
        Slot::Output => ("attn.c_proj.weight", 0),
        Slot::OutputBias => ("attn.c_proj.bias", 0),
        Slot::AttentionNorm => ("attn.norm.weight", 0),
        Slot::MlpInputNorm => ("ln_2.weight", 0),
        Slot::MlpInputNormBias => ("ln_2.bias", 0),
        Slot::Gate => ("mlp.gate.weight", 0),
        Slot::Up => ("mlp.c_fc.weight", 0),
        Slot::GateBias => ("mlp.gate.bias", 0),
        Slot::UpBias => ("mlp.c_fc.bias", 0),
        Slot::Down => ("mlp.c_proj.weight", 0),
        Slot::DownBias => ("mlp.c_proj.bias", 0),
        Slot::MlpNorm => ("mlp.norm.weight", 0),
    };
    let parts = if name.starts_with("attn.c_attn") { 3 } else { 1 };
    Stored { name: name.into(), transposed: slot.is_matrix(), part: (part, parts) }
}

pub(super) fn read(fields: &Fields<'_>) -> Result<ModelConfig> {
    fields.nothing("add_cross_attention")?;
    let (hidden_size, heads) = (fields.need("n_embd")?, fields.need("n_head")?);
    let (layers, rows) = (fields.need("n_layer")?, fields.size("n_positions")?.unwrap_or(1024));
    let head_dim = hidden_size / heads.max(1);
    if heads * head_dim != hidden_size {
        return Err(fields.refuse_value("n_head", "a divisor of n_embd"));
    }
    let scaled = fields.flag("scale_attn_weights")?.unwrap_or(true);
    Ok(ModelConfig {
        family: Family::Gpt2,
        hidden_size,
        intermediate_size: fields.size("n_inner")?.unwrap_or(hidden_size.saturating_mul(4)),
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: heads,
        head_dim,
        vocab_size: fields.need("vocab_size")?,
        norm: Norm::Layer,
        norm_eps: fields.float("layer_norm_epsilon")?.unwrap_or(1e-5),
        positions: Positions::Learned { rows, offset: 0 },
        activation: activation(fields, "activation_function")?.unwrap_or(Activation::GeluTanh),
        gated: false,
        bias: Biases { qkv: true, output: true, mlp: true },
        head_norms: false,
        sandwich_norms: false,
        windows: vec![None; layers.min(1 << 16)],
        attention_scale: if scaled { 1.0 / (head_dim as f64).sqrt() } else { 1.0 },
        scale_by_layer: fields.flag("scale_attn_by_inverse_layer_idx")?.unwrap_or(false),
        attention_cap: None,
        logit_cap: None,
        embedding_scale: 1.0,
        max_position_embeddings: rows,
        tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(true),
        bos_token_id: fields.size("bos_token_id")?.map(|id| id as u32),
        eos_token_ids: token_ids(fields.map.get("eos_token_id")),
        pad_token_id: fields.size("pad_token_id")?.map(|id| id as u32),
        vision: None,
        fields: fields.map.clone(),
    })
}
