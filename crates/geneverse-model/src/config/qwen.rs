//! Qwen2.5-VL's `config.json` (Bai et al., 2025): a Qwen2 decoder that sees pictures of any size.
//!
//! A picture is cut into patches of 14 pixels, `spatial_merge_size` squared of which become one token. Most of the tower's
//! layers look at windows only. The decoder's tokens have three coordinates, time, row and column, which turn different
//! parts of a head (`mrope_section`); those of words are all the same. Fields and defaults follow transformers'
//! `Qwen2_5_VLConfig`; files from before 4.52 have the decoder's fields beside `vision_config`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::vision::{CHANNELS, ClipConfig, Layout, Rows, VisionConfig};
use super::{Activation, Norm};
use crate::error::Result;
use crate::families::activation;
use crate::ops::slots::LayerShape;

/// What a tower for pictures of any size has that CLIP's has not.
#[derive(Debug, Clone, PartialEq)]
pub struct AnySize {
    /// Patches of a token along a side.
    pub merge: usize,
    /// Equal pictures, one after the other in time, that a patch is of.
    pub frames: usize,
    /// Tokens of a window along a side.
    pub window: usize,
    /// The layers in which every patch sees the whole picture.
    pub whole: Vec<usize>,
    /// Base of the wavelengths of the tower's rotation.
    pub theta: f64,
    /// How many numbers of half a head of the decoder turn with time, row and column.
    pub sections: [usize; 3],
    /// The pictures that the model has been shown, by their first rows.
    pub grids: Arc<Vec<Grid>>,
}

/// Where a picture lies among the rows that a decoder has been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Its first row.
    pub first: usize,
    /// Tokens from top to bottom.
    pub down: usize,
    /// Tokens from left to right.
    pub across: usize,
}

/// Added under the roots of the tower's norms; not in any file.
pub(crate) const EPS: f64 = 1e-6;

impl ClipConfig {
    /// What a layer of a tower for pictures of any size computes.
    pub(crate) fn any_size_layer(&self) -> LayerShape {
        LayerShape { norm: Norm::Rms, gated: true, rotation: Some(0), ..self.layer() }
    }
}

/// The decoder's fields and how it sees, of a configuration that is a Qwen2.5-VL's.
pub(super) fn read(fields: &Fields<'_>) -> Result<(Map<String, Value>, VisionConfig)> {
    let text = fields.object("text_config")?.unwrap_or(*fields);
    let part = fields.object("vision_config")?;
    let part =
        part.ok_or_else(|| fields.refuse_value("vision_config", "an object, as Qwen2_5_VLConfig has it"))?;
    let size = |field: &str, otherwise: usize| -> Result<usize> {
        let size = part.size(field)?.unwrap_or(otherwise);
        let allowed = (1..=1 << 20).contains(&size);
        if allowed { Ok(size) } else { Err(part.refuse_value(field, "a number from 1 to 1048576")) }
    };
    for field in ["in_channels", "in_chans"] {
        part.only(field, CHANNELS)?;
    }
    let tower = ClipConfig {
        hidden_size: size("hidden_size", 3584)?,
        intermediate_size: size("intermediate_size", 3420)?,
        num_hidden_layers: size("depth", 32)?,
        num_attention_heads: size("num_heads", 16)?,
        // There is no size that pictures have to have.
        image_size: 0,
        patch_size: size("patch_size", 14)?,
        activation: activation(&part, "hidden_act")?.unwrap_or(Activation::Silu),
        layer_norm_eps: EPS,
    };
    let ClipConfig { hidden_size: hidden, num_attention_heads: heads, patch_size: patch, .. } = tower;
    if !hidden.is_multiple_of(heads) || !(hidden / heads).is_multiple_of(4) {
        return Err(
            part.refuse_value("num_heads", "a divisor of hidden_size that leaves heads of a multiple of 4")
        );
    }
    let merge = size("spatial_merge_size", 2)?;
    let window = size("window_size", 112)? / merge / patch;
    if window == 0 {
        return Err(part.refuse_value("window_size", "at least patch_size times spatial_merge_size"));
    }
    let out = size("out_hidden_size", 3584)?;
    if text.size("hidden_size")?.unwrap_or(8192) != out {
        return Err(part.refuse_value("out_hidden_size", "the decoder's hidden_size"));
    }
    let whole = match part.get("fullatt_block_indexes") {
        None => Some(vec![7, 15, 23, 31]),
        Some(list) => serde_json::from_value(list.clone()).ok(),
    };
    let whole = whole.ok_or_else(|| part.refuse_value("fullatt_block_indexes", "a list of layers"))?;
    let theta = part.object("rope_parameters")?.map(|rope| rope.float("rope_theta")).transpose()?.flatten();
    let image_token = fields.size("image_token_id")?.unwrap_or(151_655) as u32;
    let any = AnySize {
        merge,
        frames: size("temporal_patch_size", 2)?,
        window,
        whole,
        theta: theta.unwrap_or(10_000.0),
        sections: sections(&text)?,
        grids: Arc::default(),
    };
    let vision = VisionConfig {
        layout: Layout::Transformers { image_token },
        layers: tower.num_hidden_layers,
        tower,
        rows: Rows::Patches,
        activation: Activation::Gelu,
        bias: true,
        any_size: Some(any),
        experts: None,
    };
    Ok((decoder(text, fields), vision))
}

/// `mrope_section`, which must be the whole of half a head.
fn sections(text: &Fields<'_>) -> Result<[usize; 3]> {
    let rope = match text.object("rope_parameters")? {
        Some(rope) => Some(rope),
        None => text.object("rope_scaling")?,
    };
    let list = rope.and_then(|rope| rope.get("mrope_section"));
    let sections = list.map_or(Some([16, 24, 24]), |list| serde_json::from_value(list.clone()).ok());
    let half = text.need("hidden_size")? / text.need("num_attention_heads")?.max(1) / 2;
    match sections {
        Some(sections) if sections.iter().sum::<usize>() == half => Ok(sections),
        _ => {
            let found = list.map_or("missing".to_owned(), Value::to_string);
            let expected = format!("three numbers that together are {half}, half of a head");
            Err(text.refuse("mrope_section", found, expected))
        }
    }
}

/// The decoder's fields as a Qwen2 has them.
fn decoder(text: Fields<'_>, whole: &Fields<'_>) -> Map<String, Value> {
    let mut map = text.map.clone();
    map.insert("model_type".to_owned(), json!("qwen2"));
    // Its tokenizer begins no text with it.
    map.insert("bos_token_id".to_owned(), Value::Null);
    let missing = json!({
        "rms_norm_eps": 1e-5, "rope_theta": 1e6, "max_position_embeddings": 32768, "eos_token_id": 151_645,
        "num_key_value_heads": 8, "max_window_layers": 80,
    });
    let beside = ["pad_token_id", "tie_word_embeddings"].into_iter();
    let beside = beside.filter_map(|key| Some((key.to_owned(), whole.map.get(key)?.clone())));
    for (key, value) in missing.as_object().cloned().unwrap_or_default().into_iter().chain(beside) {
        if map.get(&key).is_none_or(Value::is_null) {
            map.insert(key, value);
        }
    }
    map
}
