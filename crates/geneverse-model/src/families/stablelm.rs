//! StableLM: Llama's names with layer norms, and a rotation of a part of each head.
//!
//! Fields and defaults follow transformers' `StableLmConfig`; the names before that (`rope_pct`, `norm_eps`) are read too,
//! since MoE-LLaVA's checkpoints have them.

use super::{Family, activation, common};
use crate::config::fields::Fields;
use crate::config::{Activation, ModelConfig, Norm, Positions};
use crate::error::Result;

pub(super) fn read(fields: &Fields<'_>) -> Result<ModelConfig> {
    for field in ["qk_layernorm", "use_parallel_residual", "parallel_residual", "sliding_window"] {
        fields.nothing(field)?;
    }
    let mut config = common(Family::StableLm, fields)?;
    config.norm = Norm::Layer;
    let eps = fields.float("layer_norm_eps")?;
    config.norm_eps = eps.or(fields.float("norm_eps")?).unwrap_or(1e-5);
    config.activation = activation(fields, "hidden_act")?.unwrap_or(Activation::Silu);
    config.bias.qkv = fields.flag("use_qkv_bias")?.unwrap_or(false);
    if let Positions::Rotary { global, .. } = &mut config.positions {
        let inside = fields.object("rope_parameters")?;
        let inside = inside.map(|rope| rope.float("partial_rotary_factor")).transpose()?.flatten();
        let outside = fields.float("partial_rotary_factor")?.or(fields.float("rope_pct")?);
        let share = inside.or(outside).unwrap_or(0.25);
        let width = (config.head_dim as f64 * share) as usize;
        if width == 0 || width > config.head_dim || !width.is_multiple_of(2) {
            let found = format!("{share}, which is {width} of the {} numbers of a head", config.head_dim);
            return Err(fields.refuse("partial_rotary_factor", found, "an even number of them, at least 2"));
        }
        global.width = Some(width);
    }
    Ok(config)
}
