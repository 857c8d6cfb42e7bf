//! LLaVA's `config.json`: a decoder that sees pictures through a CLIP tower and a projector (Liu et al., 2023, 2024).
//!
//! It is found in two layouts. transformers' has the decoder in `text_config`, the tower in `vision_config`, and the name
//! of LLaVA's parts as `vision_feature_layer`. The original one is the decoder's own configuration with `mm_…` fields
//! beside it; `mm_vision_tower` names the tower, which lies in a folder of its own.

use std::path::{Path, PathBuf};

use geneverse_data::stage::read_json;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::moe::{self, Experts};
use super::qwen::{self, AnySize};
use super::{Activation, Norm};
use crate::error::Result;
use crate::families::activation;
use crate::ops::attention::Heads;
use crate::ops::slots::LayerShape;

/// How a decoder sees pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Whose names the checkpoint's tensors have.
    pub layout: Layout,
    /// The sizes of the tower.
    pub tower: ClipConfig,
    /// How many of the tower's layers are computed: the states after the last of them are what is seen.
    pub layers: usize,
    /// Which rows of the tower become tokens.
    pub rows: Rows,
    /// The projector's activation.
    pub activation: Activation,
    /// Whether the projector's maps have biases.
    pub bias: bool,
    /// What a tower for pictures of any size has besides (Qwen2.5-VL); its tokens are the decoder's, without a projector.
    pub any_size: Option<AnySize>,
    /// Which of the decoder's layers have experts (MoE-LLaVA).
    pub experts: Option<Experts>,
}

/// Whose names a checkpoint's tensors have, and how text with pictures becomes tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// transformers': the tower is in the checkpoint, and this token stands where a picture comes.
    Transformers {
        /// `image_token_index`
        image_token: u32,
    },
    /// The original one: `<image>` is no token, and the tower lies in a folder of its own.
    Original {
        /// Where `mm_vision_tower` was found.
        tower: PathBuf,
        /// Whether pictures are made square by adding to them (`image_aspect_ratio = "pad"`).
        pad: bool,
    },
}

/// Which rows of the tower become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The patches' ("default", "patch").
    Patches,
    /// The class token's too, which comes first ("full", "cls_patch").
    All,
}

/// CLIP's vision tower (Radford et al., 2021): a transformer over a picture's patches.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipConfig {
    /// Width of a state.
    pub hidden_size: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate_size: usize,
    /// Layers that the checkpoint has.
    pub num_hidden_layers: usize,
    /// Heads of a layer.
    pub num_attention_heads: usize,
    /// Pixels of a picture's side.
    pub image_size: usize,
    /// Pixels of a patch's side.
    pub patch_size: usize,
    /// The feed-forward's activation.
    pub activation: Activation,
    /// Added under the norms' roots.
    pub layer_norm_eps: f64,
}

/// Channels of a picture.
pub(crate) const CHANNELS: usize = 3;

impl VisionConfig {
    /// The token that stands where a picture comes, in the layout that has one.
    pub fn image_token(&self) -> Option<u32> {
        match self.layout {
            Layout::Transformers { image_token } => Some(image_token),
            Layout::Original { .. } => None,
        }
    }

    /// Tokens that a picture becomes, where all become as many.
    pub fn tokens(&self) -> usize {
        self.tower.patches() + usize::from(self.rows == Rows::All)
    }
}

impl ClipConfig {
    /// Patches of a picture.
    pub fn patches(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
    }

    /// Numbers of a patch.
    pub(crate) fn patch_numbers(&self) -> usize {
        CHANNELS * self.patch_size * self.patch_size
    }

    /// What a layer computes.
    pub(crate) fn layer(&self) -> LayerShape {
        let dim = self.hidden_size / self.num_attention_heads;
        LayerShape {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            heads: Heads {
                query: self.num_attention_heads,
                key_value: self.num_attention_heads,
                dim,
                scale: 1.0 / (dim as f32).sqrt(),
                cap: None,
                window: None,
                causal: false,
            },
            norm: Norm::Layer,
            eps: self.layer_norm_eps as f32,
            activation: self.activation,
            gated: false,
            experts: false,
            qkv_bias: true,
            output_bias: true,
            mlp_bias: true,
            head_norms: false,
            sandwich_norms: false,
            rotation: None,
        }
    }

    /// Reads the fields of a tower; what is missing is what transformers takes it to be (ViT-B/32).
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        if let Some(found) = fields.text("model_type")?
            && found != "clip_vision_model"
        {
            return Err(
                fields.refuse_value("model_type", "\"clip_vision_model\", the tower that this engine runs")
            );
        }
        fields.only("num_channels", CHANNELS)?;
        let size = |field: &str, otherwise: usize| -> Result<usize> {
            let size = fields.size(field)?.unwrap_or(otherwise);
            match size {
                1..=0xff_ffff => Ok(size),
                _ => Err(fields.refuse_value(field, "a number from 1 to 16777215")),
            }
        };
        let config = Self {
            hidden_size: size("hidden_size", 768)?,
            intermediate_size: size("intermediate_size", 3072)?,
            num_hidden_layers: size("num_hidden_layers", 12)?,
            num_attention_heads: size("num_attention_heads", 12)?,
            image_size: size("image_size", 224)?,
            patch_size: size("patch_size", 32)?,
            activation: activation(fields, "hidden_act")?.unwrap_or(Activation::QuickGelu),
            layer_norm_eps: fields.float("layer_norm_eps")?.unwrap_or(1e-5),
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(fields.refuse_value("num_attention_heads", "a divisor of hidden_size"));
        }
        if config.patch_size > config.image_size || config.image_size > 1 << 12 {
            return Err(fields.refuse_value("image_size", "at least patch_size, and at most 4096"));
        }
        Ok(config)
    }
}

/// The decoder's fields and how it sees, of a configuration that is a LLaVA's; `None` of any other.
pub(super) fn read(fields: &Fields<'_>) -> Result<Option<(Map<String, Value>, VisionConfig)>> {
    let name = fields.text("model_type")?.unwrap_or_default();
    match (name, fields.get("mm_vision_tower").is_some()) {
        ("llava", false) => transformers(fields).map(Some),
        ("llava" | "llava_llama" | "llava_mistral" | "llama" | "mistral", true) => original(fields).map(Some),
        ("moe_llava_stablelm", _) => moe::read(fields).map(Some),
        ("qwen2_5_vl", false) => qwen::read(fields).map(Some),
        ("llava_llama" | "llava_mistral", false) => {
            Err(fields.refuse_value("mm_vision_tower", "the folder of a CLIP tower"))
        }
        _ => Ok(None),
    }
}

fn transformers(fields: &Fields<'_>) -> Result<(Map<String, Value>, VisionConfig)> {
    let part = |field: &str| {
        fields.object(field)?.ok_or_else(|| fields.refuse_value(field, "an object, as LlavaConfig has it"))
    };
    let (text, tower) = (part("text_config")?, part("vision_config")?);
    let tower = ClipConfig::read(&tower)?;
    let image_token = match fields.size("image_token_index")? {
        Some(id) => id,
        None => fields.size("image_token_id")?.unwrap_or(32_000),
    };
    let layer = layer(fields, "vision_feature_layer")?;
    let rows = match fields.text("vision_feature_select_strategy")? {
        None | Some("default") => Rows::Patches,
        Some("full") => Rows::All,
        Some(_) => {
            let expected = "\"default\" or \"full\"";
            return Err(fields.refuse_value("vision_feature_select_strategy", expected));
        }
    };
    let vision = VisionConfig {
        layout: Layout::Transformers { image_token: image_token as u32 },
        layers: layers_of(fields, "vision_feature_layer", layer, &tower)?,
        tower,
        rows,
        activation: activation(fields, "projector_hidden_act")?.unwrap_or(Activation::Gelu),
        bias: fields.flag("multimodal_projector_bias")?.unwrap_or(true),
        any_size: None,
        experts: None,
    };
    Ok((with_defaults(text.map, fields), vision))
}

/// A decoder's fields, with what they leave out: llava-hf's files have only what differs from transformers' defaults.
fn with_defaults(text: &Map<String, Value>, whole: &Fields<'_>) -> Map<String, Value> {
    let mut text = text.clone();
    let missing = match text.get("model_type").and_then(Value::as_str) {
        None | Some("llama") => json!({
            "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "vocab_size": 32000, "rms_norm_eps": 1e-6, "max_position_embeddings": 2048,
            "bos_token_id": 1, "eos_token_id": 2,
        }),
        Some("mistral") => json!({
            "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 8, "vocab_size": 32000, "rms_norm_eps": 1e-6,
            "max_position_embeddings": 131_072, "bos_token_id": 1, "eos_token_id": 2,
        }),
        Some(_) => json!({}),
    };
    // The pad token stands beside text_config where only LLaVA has one.
    let beside =
        ["pad_token_id"].into_iter().filter_map(|key| Some((key.to_owned(), whole.get(key)?.clone())));
    let missing = missing.as_object().cloned().unwrap_or_default();
    for (key, value) in missing.into_iter().chain(beside) {
        if !text.contains_key(&key) {
            text.insert(key, value);
        }
    }
    text
}

pub(super) fn original(fields: &Fields<'_>) -> Result<(Map<String, Value>, VisionConfig)> {
    fields.only("mm_projector_type", "mlp2x_gelu")?;
    for field in ["mm_use_im_start_end", "mm_use_im_patch_token", "s2", "mm_resampler_type"] {
        fields.nothing(field)?;
    }
    let pad = match fields.text("image_aspect_ratio")? {
        Some("pad") => true,
        None | Some("square") => false,
        Some(_) => return Err(fields.refuse_value("image_aspect_ratio", "\"pad\" or \"square\"")),
    };
    let rows = match fields.text("mm_vision_select_feature")? {
        None | Some("patch") => Rows::Patches,
        Some("cls_patch") => Rows::All,
        Some(_) => return Err(fields.refuse_value("mm_vision_select_feature", "\"patch\" or \"cls_patch\"")),
    };
    let folder = tower_folder(fields)?;
    let path = folder.join("config.json");
    let map: Map<String, Value> = read_json(&path)?;
    let whole = Fields::new(&map, &path);
    let tower = ClipConfig::read(&whole.object("vision_config")?.unwrap_or(whole))?;
    if let Some(width) = fields.size("mm_hidden_size")?
        && width != tower.hidden_size
    {
        let expected = format!("{}, the width of the tower in {}", tower.hidden_size, folder.display());
        return Err(fields.refuse_value("mm_hidden_size", expected));
    }
    let layer = layer(fields, "mm_vision_select_layer")?;
    let vision = VisionConfig {
        layers: layers_of(fields, "mm_vision_select_layer", layer, &tower)?,
        tower,
        layout: Layout::Original { tower: folder, pad },
        rows,
        activation: Activation::Gelu,
        bias: true,
        any_size: None,
        experts: None,
    };
    let mut text = fields.map.clone();
    let family = if fields.text("model_type")?.is_some_and(|name| name.ends_with("mistral")) {
        "mistral"
    } else {
        "llama"
    };
    text.insert("model_type".to_owned(), json!(family));
    Ok((text, vision))
}

/// The layer whose states are seen, as the file counts: from 0 for the embeddings, or from the end.
fn layer(fields: &Fields<'_>, field: &str) -> Result<i64> {
    match fields.get(field) {
        None => Ok(-2),
        Some(value) => value.as_i64().ok_or_else(|| fields.refuse_value(field, "the number of one layer")),
    }
}

/// The same as a number of layers that are computed.
fn layers_of(fields: &Fields<'_>, field: &str, layer: i64, tower: &ClipConfig) -> Result<usize> {
    // There is one state more than there are layers.
    let states = tower.num_hidden_layers as i64 + 1;
    let counted = if layer < 0 { states + layer } else { layer };
    match usize::try_from(counted) {
        Ok(layers) if layers <= tower.num_hidden_layers => Ok(layers),
        _ => {
            let expected =
                format!("from {} to {}, for a tower of {} layers", -states, states - 1, states - 1);
            Err(fields.refuse(field, layer.to_string(), expected))
        }
    }
}

/// Where the tower lies that `mm_vision_tower` names: the path itself, from the checkpoint or from here, or a folder of its
/// last name in the checkpoint or beside it.
fn tower_folder(fields: &Fields<'_>) -> Result<PathBuf> {
    let name = fields.text("mm_vision_tower")?.unwrap_or_default();
    let own = fields.path.parent().unwrap_or(Path::new(""));
    let last = Path::new(name).file_name().map(Path::new).unwrap_or(Path::new(name));
    let places = [own.join(name), PathBuf::from(name), own.join(last), own.join("..").join(last)];
    places.into_iter().find(|place| place.join("config.json").is_file()).ok_or_else(|| {
        let expected = format!("a folder with CLIP's tower; put it in {}", own.join(last).display());
        fields.refuse_value("mm_vision_tower", expected)
    })
}
