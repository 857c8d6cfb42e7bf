//! Model families: how each names its configuration's fields and its checkpoint's tensors.
//!
//! What the families compute is one decoder ([`crate::arch`]). A new family is a file here and a golden.

mod biogpt;
mod gemma;
mod gpt2;
mod llama;
mod stablelm;

use serde_json::Value;

use crate::config::fields::Fields;
use crate::config::{Activation, Biases, ModelConfig, Norm, Positions, Rope, RopeScaling, token_ids};
use crate::error::Result;
use crate::ops::slots::Slot;

pub(crate) use llama::new_config as new_llama;

/// Whose configuration and tensor names a checkpoint has, by `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3.2, Vicuna, LLaMA-Pro.
    Llama,
    /// Mistral, BioMistral.
    Mistral,
    /// Qwen-2, Qwen-2.5.
    Qwen2,
    /// Qwen-3.
    Qwen3,
    /// Gemma-1.
    Gemma,
    /// Gemma-2.
    Gemma2,
    /// Gemma-3, text only.
    Gemma3,
    /// StableLM 2, and the decoder of a MoE-LLaVA.
    StableLm,
    /// GPT-2, BioMedLM.
    Gpt2,
    /// BioGPT.
    BioGpt,
}

/// A tensor in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) name: String,
    /// (inputs, outputs) rather than (outputs, inputs).
    pub(crate) transposed: bool,
    /// Which of how many equal parts along the outputs.
    pub(crate) part: (usize, usize),
}

impl Stored {
    pub(crate) fn whole(name: String) -> Self {
        Self { name, transposed: false, part: (0, 1) }
    }
}

/// A tensor outside of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    Embedding,
    Positions,
    Norm,
    NormBias,
    Head,
}

impl Top {
    pub(crate) const ALL: [Self; 5] =
        [Self::Embedding, Self::Positions, Self::Norm, Self::NormBias, Self::Head];
}

/// A linear map that can be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The module's name below the layer.
    pub(crate) path: &'static str,
    /// The slots that it covers, side by side.
    pub(crate) slots: &'static [Slot],
}

impl Family {
    pub(crate) const ALL: [Self; 10] = [
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma,
        Self::Gemma2,
        Self::Gemma3,
        Self::StableLm,
        Self::Gpt2,
        Self::BioGpt,
    ];

    /// `model_type` in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma => "gemma",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3_text",
            Self::StableLm => "stablelm",
            Self::Gpt2 => "gpt2",
            Self::BioGpt => "biogpt",
        }
    }

    pub(crate) fn of(fields: &Fields<'_>) -> Result<Self> {
        let name = fields.text("model_type")?.unwrap_or_default();
        let found = Self::ALL.into_iter().find(|family| family.name() == name);
        let known = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| fields.refuse_value("model_type", format!("one of {known}")))
    }

    pub(crate) fn read(self, fields: &Fields<'_>) -> Result<ModelConfig> {
        fields.nothing("quantization_config")?;
        match self {
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 => llama::read(self, fields),
            Self::Gemma | Self::Gemma2 | Self::Gemma3 => gemma::read(self, fields),
            Self::StableLm => stablelm::read(fields),
            Self::Gpt2 => gpt2::read(fields),
            Self::BioGpt => biogpt::read(fields),
        }
    }

    /// The field that holds the number of layers.
    pub(crate) fn layers_field(self) -> &'static str {
        if self == Self::Gpt2 { "n_layer" } else { "num_hidden_layers" }
    }

    /// What the names of all but the output layer begin with; some checkpoints leave it out.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Gpt2 => "transformer.",
            Self::BioGpt => "biogpt.",
            _ => "model.",
        }
    }

    /// The name of a layer's module.
    pub(crate) fn layer(self, number: usize) -> String {
        let layers = if self == Self::Gpt2 { "h" } else { "layers" };
        format!("{}{layers}.{number}", self.prefix())
    }

    /// Where a slot of a layer is stored. Slots that the configuration has no use for may have names too.
    pub(crate) fn stored(self, slot: Slot, layer: usize) -> Stored {
        let mut stored = match self {
            Self::Gpt2 => gpt2::stored(slot),
            Self::BioGpt => Stored::whole(biogpt::name(slot).to_owned()),
            Self::Gemma2 | Self::Gemma3 => Stored::whole(gemma::name(slot).to_owned()),
            _ => Stored::whole(llama::name(slot).to_owned()),
        };
        stored.name = format!("{}.{}", self.layer(layer), stored.name);
        stored
    }

    /// The name of a tensor outside of the layers.
    pub(crate) fn top(self, top: Top) -> String {
        let name = match (self, top) {
            (Self::BioGpt, Top::Head) => return "output_projection.weight".into(),
            (_, Top::Head) => return "lm_head.weight".into(),
            (Self::Gpt2, Top::Embedding) => "wte.weight",
            (Self::Gpt2, Top::Positions) => "wpe.weight",
            (Self::Gpt2, Top::Norm) => "ln_f.weight",
            (Self::Gpt2, Top::NormBias) => "ln_f.bias",
            (Self::BioGpt, Top::Norm) => "layer_norm.weight",
            (Self::BioGpt, Top::NormBias) => "layer_norm.bias",
            (_, Top::Embedding) => "embed_tokens.weight",
            (_, Top::Positions) => "embed_positions.weight",
            (_, Top::Norm) => "norm.weight",
            (_, Top::NormBias) => "norm.bias",
        };
        format!("{}{name}", self.prefix())
    }

    /// The linear maps of a layer that can be adapted, in the layer's order.
    pub(crate) fn targets(self) -> &'static [Target] {
        match self {
            Self::Gpt2 => &gpt2::TARGETS,
            Self::BioGpt => &biogpt::TARGETS,
            _ => &llama::TARGETS,
        }
    }

    /// Whether PEFT's adapters of this family are marked as made for transposed maps.
    pub(crate) fn fan_in_fan_out(self) -> bool {
        self == Self::Gpt2
    }
}

/// The fields that the families with Llama's names share.
fn common(family: Family, fields: &Fields<'_>) -> Result<ModelConfig> {
    let (hidden_size, heads) = (fields.need("hidden_size")?, fields.need("num_attention_heads")?);
    let layers = fields.need(family.layers_field())?;
    let head_dim = fields.size("head_dim")?.unwrap_or(hidden_size / heads.max(1));
    Ok(ModelConfig {
        family,
        hidden_size,
        intermediate_size: fields.need("intermediate_size")?,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: fields.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        vocab_size: fields.need("vocab_size")?,
        norm: Norm::Rms,
        norm_eps: fields.float("rms_norm_eps")?.unwrap_or(1e-6),
        positions: Positions::Rotary { global: rope(family, fields, 10_000.0)?, local: None },
        activation: Activation::Silu,
        gated: true,
        bias: Biases::default(),
        head_norms: false,
        sandwich_norms: false,
        // A layer count that makes no sense is refused by `check`, not allocated.
        windows: vec![None; layers.min(1 << 16)],
        attention_scale: 1.0 / (head_dim as f64).sqrt(),
        scale_by_layer: false,
        attention_cap: None,
        logit_cap: None,
        embedding_scale: 1.0,
        max_position_embeddings: fields.size("max_position_embeddings")?.unwrap_or(2048),
        tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        bos_token_id: fields.size("bos_token_id")?.map(|id| id as u32),
        eos_token_ids: token_ids(fields.map.get("eos_token_id")),
        pad_token_id: fields.size("pad_token_id")?.map(|id| id as u32),
        vision: None,
        fields: fields.map.clone(),
    })
}

/// The activation that a field names.
pub(crate) fn activation(fields: &Fields<'_>, field: &str) -> Result<Option<Activation>> {
    Ok(match fields.text(field)? {
        None => None,
        Some("silu" | "swish") => Some(Activation::Silu),
        Some("gelu") => Some(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh") => Some(Activation::GeluTanh),
        Some("quick_gelu") => Some(Activation::QuickGelu),
        Some(_) => {
            let known = "\"silu\", \"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" or \"quick_gelu\"";
            return Err(fields.refuse_value(field, known));
        }
    })
}

/// The rotary embedding of `rope_parameters` (transformers 5), or of `rope_theta` and `rope_scaling` (4).
fn rope(family: Family, fields: &Fields<'_>, theta: f64) -> Result<Rope> {
    let parameters = fields.object("rope_parameters")?;
    let scaling = match parameters {
        Some(parameters) => Some(parameters),
        None => fields.object("rope_scaling")?,
    };
    // StableLM reads it by itself.
    for place in [Some(*fields), scaling].into_iter().flatten().filter(|_| family != Family::StableLm) {
        place.only("partial_rotary_factor", 1.0)?;
    }
    let theta = match parameters.map(|p| p.float("rope_theta")).transpose()?.flatten() {
        Some(theta) => theta,
        None => fields.float("rope_theta")?.unwrap_or(theta),
    };
    Ok(Rope { theta, width: None, scaling: scaling.map_or(Ok(RopeScaling::None), |s| rope_scaling(&s))? })
}

fn rope_scaling(fields: &Fields<'_>) -> Result<RopeScaling> {
    let number = |field: &str| -> Result<f64> {
        fields.float(field)?.ok_or_else(|| fields.refuse(field, "missing", "a number"))
    };
    let field = if fields.get("rope_type").is_some() { "rope_type" } else { "type" };
    match fields.text(field)?.unwrap_or("default") {
        // Qwen2-VL's three coordinates are those of `config/qwen.rs`; of words they are all the same.
        "default" | "mrope" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear(number("factor")?)),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: number("factor")?,
            low: number("low_freq_factor")?,
            high: number("high_freq_factor")?,
            original: number("original_max_position_embeddings")?,
        }),
        _ => Err(fields.refuse_value(field, "\"default\", \"linear\" or \"llama3\"")),
    }
}

/// The window of layers that have one: 4096 where the file does not say, none where it says null.
fn window(fields: &Fields<'_>) -> Result<Option<usize>> {
    if fields.map.contains_key("sliding_window") { fields.size("sliding_window") } else { Ok(Some(4096)) }
}

/// Windows by `layer_types`; `None` where the file has no such list.
fn layer_types(fields: &Fields<'_>, window: Option<usize>) -> Result<Option<Vec<Option<usize>>>> {
    let Some(Value::Array(types)) = fields.get("layer_types") else { return Ok(None) };
    let windows = types.iter().map(|kind| match kind.as_str() {
        Some("full_attention") => Ok(None),
        Some("sliding_attention") => Ok(window),
        _ => Err(fields.refuse("layer_types", kind.to_string(), "full_attention or sliding_attention")),
    });
    Ok(Some(windows.collect::<Result<_>>()?))
}

/// The list that a file gives must be as long as there are layers.
fn windows_for(
    fields: &Fields<'_>,
    layers: usize,
    listed: Option<Vec<Option<usize>>>,
    otherwise: impl Fn(usize) -> Option<usize>,
) -> Result<Vec<Option<usize>>> {
    match listed {
        Some(list) if list.len() == layers => Ok(list),
        Some(list) => {
            let found = format!("a list of {}", list.len());
            Err(fields.refuse("layer_types", found, format!("one for each of {layers} layers")))
        }
        None => Ok((0..layers.min(1 << 16)).map(otherwise).collect()),
    }
}
