//! MoE-LLaVA's `config.json` (Lin et al., 2024, arXiv 2401.15947): a LLaVA in the original layout whose decoder has several
//! feed-forward layers in the place of one, in some of its layers.
//!
//! It is run with StableLM underneath (`moe_llava_stablelm`). `moe` says which layers have experts, how many, and how many
//! tokens of a sequence each takes (`eval_capacity_factor`, `min_capacity`).

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::vision::{VisionConfig, original};
use crate::error::Result;

/// Which layers have experts, and how tokens go to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Experts {
    /// How many each layer has; 0 for a layer with one feed-forward.
    pub counts: Vec<usize>,
    /// How many times its fair share of the tokens an expert takes.
    pub factor: f64,
    /// How many tokens it takes at least.
    pub least: usize,
}

impl Experts {
    /// How many experts a layer has.
    pub(crate) fn of(&self, layer: usize) -> usize {
        self.counts.get(layer).copied().unwrap_or(0)
    }
}

/// The decoder's fields and how it sees, of a configuration that is a MoE-LLaVA's.
pub(super) fn read(fields: &Fields<'_>) -> Result<(Map<String, Value>, VisionConfig)> {
    fields.nothing("mm_video_tower")?;
    let mut map = fields.map.clone();
    for (there, here) in
        [("mm_image_tower", "mm_vision_tower"), ("image_projector_type", "mm_projector_type")]
    {
        if let Some(value) = fields.get(there) {
            map.insert(here.to_owned(), value.clone());
        }
    }
    let (mut text, mut vision) = original(&Fields::new(&map, fields.path))?;
    text.insert("model_type".to_owned(), json!("stablelm"));
    let moe = fields
        .object("moe")?
        .ok_or_else(|| fields.refuse_value("moe", "an object, as MoE-LLaVA writes it"))?;
    moe.nothing("use_residual")?;
    moe.only("top_k_experts", 2)?;
    let layers = fields.need("num_hidden_layers")?.min(1 << 16);
    let list = |field: &str| -> Result<Vec<usize>> {
        let list = moe.get(field).and_then(|list| serde_json::from_value(list.clone()).ok());
        list.ok_or_else(|| moe.refuse_value(field, "a list of whole numbers"))
    };
    let (places, counts) = (list("moe_layers_idx")?, list("num_experts")?);
    if let Some(place) = places.iter().find(|place| **place >= layers) {
        let expected = format!("layers below {layers}");
        return Err(moe.refuse("moe_layers_idx", place.to_string(), expected));
    }
    if counts.len() != 1 && counts.len() != places.len()
        || counts.iter().any(|count| !(2..=1 << 10).contains(count))
    {
        let expected = format!("one number, or one for each of {} layers, each from 2 to 1024", places.len());
        return Err(moe.refuse_value("num_experts", expected));
    }
    let factor = moe.float("eval_capacity_factor")?.unwrap_or(2.0);
    if !(factor > 0.0 && factor.is_finite()) {
        return Err(moe.refuse_value("eval_capacity_factor", "a number above 0"));
    }
    let least = moe.size("min_capacity")?.unwrap_or(0);
    let mut of_layers = vec![0; layers];
    for (number, place) in places.iter().enumerate() {
        of_layers[*place] = counts[if counts.len() == 1 { 0 } else { number }];
    }
    vision.experts = Some(Experts { counts: of_layers, factor, least });
    Ok((text, vision))
}
