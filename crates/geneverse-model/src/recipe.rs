//! A recipe: one experiment, resolved and checked.
//!
//! The binary reads TOML, lays the command line's `--set` over it and hands it here. Unknown keys are errors;
//! so is every value that this engine would not act on.

mod vision;

use std::collections::BTreeMap;

use geneverse_data::prompt::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::adapter::{LoraConfig, OfTower};
use crate::batch::{Encoding, Packing};
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::families::new_llama;
use crate::optim::{Method, Schedule, Settings};

pub use vision::{ProjectorTraining, TowerTraining, VisionSection};

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What is trained upon.
    pub model: ModelSection,
    /// What it is trained with.
    pub data: DataSection,
    /// What of it is trained.
    #[serde(default)]
    pub method: MethodSection,
    /// What is trained of how it sees pictures (a LLaVA only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vision: Option<VisionSection>,
    /// How it is trained.
    #[serde(default)]
    pub optim: OptimSection,
    /// Seeds, places, pauses.
    #[serde(default)]
    pub run: RunSection,
}

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// A checkpoint folder; with `pretrain`, absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The shape of a new model (`pretrain` only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ShapeSection>,
}

/// `[model.shape]`: a new Llama-architecture model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeSection {
    /// Number of tokens.
    pub vocabulary: usize,
    /// Width.
    pub hidden: usize,
    /// Depth.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub key_value_heads: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate: usize,
    /// Longest sequence.
    #[serde(default = "default_positions")]
    pub positions: usize,
}

fn default_positions() -> usize {
    2048
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// Alpaca JSON; with `pretrain`, text with a document a line.
    pub train: String,
    /// The same for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
    /// Without a validation file: this many examples are drawn from `train` and held out.
    #[serde(default)]
    pub validation_size: usize,
    /// The text around an instruction.
    #[serde(default = "default_prompt")]
    pub prompt: Template,
    /// Longest sequence in tokens.
    #[serde(default = "default_cutoff")]
    pub cutoff: usize,
    /// Whether the prompt is trained too.
    #[serde(default)]
    pub train_on_prompt: bool,
    /// Sequences end to end (`true`) or padded to the longest of a micro-batch, as published (`false`).
    #[serde(default = "yes")]
    pub pack: bool,
    /// A new order every epoch.
    #[serde(default = "yes")]
    pub shuffle: bool,
}

fn default_prompt() -> Template {
    Template::Alpaca
}
fn default_cutoff() -> usize {
    512
}
fn yes() -> bool {
    true
}

/// `[method]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MethodSection {
    /// What is trained.
    pub kind: Kind,
    /// Which LoRA.
    pub variant: Variant,
    /// Rank of the update.
    pub rank: usize,
    /// Scale of the update.
    pub alpha: f64,
    /// Share of inputs dropped.
    pub dropout: f64,
    /// Adapted maps, by their names; `all-linear` for all.
    pub targets: Vec<String>,
    /// A PEFT adapter folder to start from, in the place of a fresh adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Blocks that are added (`kind = "expand"` only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
}

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Low-rank matrices beside frozen weights.
    Lora,
    /// Every weight.
    Full,
    /// New blocks between frozen layers (LLaMA-Pro).
    Expand,
}

/// Which LoRA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Scaled by α / rank.
    Lora,
    /// Scaled by α / √rank.
    Rslora,
    /// Scaled by α / rank, and each output to a trained magnitude.
    Dora,
}

impl Default for MethodSection {
    /// Alpaca-LoRA's published settings.
    fn default() -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj"].map(String::from).to_vec();
        Self {
            kind: Kind::Lora,
            variant: Variant::Lora,
            rank: 8,
            alpha: 16.0,
            dropout: 0.05,
            targets,
            init: None,
            blocks: None,
        }
    }
}

/// `[optim]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimSection {
    /// How a step is made of a gradient.
    pub kind: Method,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// After the warm-up.
    pub schedule: Schedule,
    /// Steps in which the learning rate rises from zero; with neither this nor a ratio, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// The same as a share of all steps, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_ratio: Option<f64>,
    /// Examples per step.
    pub batch_size: usize,
    /// Examples per forward pass.
    pub micro_batch: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Ends the run earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<usize>,
    /// AdamW's weight decay, on matrices.
    pub weight_decay: f64,
    /// Longest gradient; 0 for any.
    pub max_grad_norm: f64,
    /// How much faster B is trained than A.
    pub lora_plus_ratio: f64,
    /// How slowly AdamW's second moment changes; short runs from random weights want less than PyTorch's 0.999.
    pub beta2: f64,
}

impl Default for OptimSection {
    fn default() -> Self {
        Self {
            kind: Method::Adamw,
            learning_rate: 1e-4,
            schedule: Schedule::Linear,
            warmup_steps: None,
            warmup_ratio: None,
            batch_size: 128,
            micro_batch: 4,
            epochs: 3,
            max_steps: None,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            lora_plus_ratio: 1.0,
            beta2: 0.999,
        }
    }
}

impl OptimSection {
    /// What the optimizer is told.
    pub fn settings(&self) -> Settings {
        let Self { kind, weight_decay, lora_plus_ratio, beta2, .. } = *self;
        Settings { method: kind, weight_decay, lora_plus_ratio, beta2 }
    }

    /// Alpaca-LoRA's.
    const WARMUP_STEPS: usize = 100;

    /// Steps, of `total`, in which the learning rate rises.
    pub fn warmup(&self, total: usize) -> usize {
        match (self.warmup_steps, self.warmup_ratio) {
            (Some(steps), _) => steps,
            (None, Some(ratio)) => (ratio * total as f64).ceil() as usize,
            (None, None) => Self::WARMUP_STEPS,
        }
    }
}

/// `[run]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSection {
    /// Everything random follows from it.
    pub seed: u64,
    /// Arithmetic: "f32".
    pub dtype: String,
    /// Where losses and gradients are computed.
    pub device: Device,
    /// Steps between evaluations; 0 for one at the end of each epoch.
    pub eval_every: usize,
    /// Steps between checkpoints; 0 for one at the end of each epoch.
    pub save_every: usize,
    /// Checkpoints that are kept.
    pub keep: usize,
    /// Whether the result is the checkpoint of lowest validation loss rather than the last.
    pub load_best: bool,
    /// Evaluations without improvement after which the run ends; 0 for never.
    pub early_stopping: usize,
    /// Whether the backward pass computes a layer again from its input, which takes less memory and more time and gives
    /// the same numbers; where it is not said, only if the memory there is asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recompute: Option<bool>,
    /// Whether a run that is predicted to need more memory than there is, is refused.
    pub check_memory: bool,
}

/// Where losses and gradients are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// By the fused operations, on the CPU.
    Cpu,
    /// By plain tensor operations, on the first NVIDIA GPU.
    Cuda,
}

impl Default for RunSection {
    fn default() -> Self {
        Self {
            seed: 0,
            dtype: "f32".into(),
            device: Device::Cpu,
            eval_every: 0,
            save_every: 0,
            keep: 2,
            load_best: false,
            early_stopping: 0,
            recompute: None,
            check_memory: true,
        }
    }
}

fn refuse(key: &str, found: impl std::fmt::Display, expected: &str) -> ModelError {
    ModelError::Run(format!("recipe: {key} is {found}, expected {expected}"))
}

impl Recipe {
    /// Refuses values that make no sense, by their key.
    pub fn check(&self) -> Result<()> {
        let o = &self.optim;
        for (key, value) in [
            ("optim.batch_size", o.batch_size),
            ("optim.micro_batch", o.micro_batch),
            ("optim.epochs", o.epochs),
            ("run.keep", self.run.keep),
        ] {
            if value == 0 {
                return Err(refuse(key, 0, "at least 1"));
            }
        }
        if self.data.cutoff < 2 {
            return Err(refuse("data.cutoff", self.data.cutoff, "at least 2 tokens"));
        }
        if o.max_steps == Some(0) {
            return Err(refuse("optim.max_steps", 0, "at least 1, or no such key"));
        }
        for (key, value) in [
            ("optim.learning_rate", o.learning_rate),
            ("optim.lora_plus_ratio", o.lora_plus_ratio),
            ("method.alpha", self.method.alpha),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(refuse(key, value, "a positive number"));
            }
        }
        for (key, value) in [("optim.weight_decay", o.weight_decay), ("optim.max_grad_norm", o.max_grad_norm)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(refuse(key, value, "zero or a positive number"));
            }
        }
        if !(0.0..1.0).contains(&o.beta2) {
            return Err(refuse("optim.beta2", o.beta2, "at least 0 and below 1"));
        }
        if o.kind == Method::Muon && self.method.kind == Kind::Lora {
            return Err(refuse(
                "optim.kind",
                "\"muon\"",
                "\"adamw\" with method.kind = \"lora\": Muon is for whole linear maps",
            ));
        }
        match (o.warmup_steps, o.warmup_ratio) {
            (Some(steps), Some(_)) => {
                return Err(refuse("optim.warmup_steps", steps, "no such key beside optim.warmup_ratio"));
            }
            (_, Some(ratio)) if !(0.0..=1.0).contains(&ratio) => {
                return Err(refuse("optim.warmup_ratio", ratio, "a share of the steps, from 0 to 1"));
            }
            _ => {}
        }
        if !(0.0..1.0).contains(&self.method.dropout) {
            return Err(refuse("method.dropout", self.method.dropout, "at least 0 and below 1"));
        }
        self.vision.as_ref().map_or(Ok(()), VisionSection::check)?;
        if self.run.dtype != "f32" {
            return Err(refuse(
                "run.dtype",
                format!("{:?}", self.run.dtype),
                "\"f32\", the arithmetic of this engine today",
            ));
        }
        if self.run.device == Device::Cuda && self.run.recompute == Some(true) {
            return Err(refuse(
                "run.recompute",
                true,
                "no such key with run.device = \"cuda\", which keeps everything",
            ));
        }
        if self.run.device == Device::Cuda && !cfg!(feature = "cuda") {
            return Err(refuse(
                "run.device",
                "\"cuda\"",
                "\"cpu\": this program was built without the `cuda` feature; \
                 `cargo install --path crates/geneverse --features cuda` builds it with",
            ));
        }
        if self.run.early_stopping > 0 && self.data.validation.is_none() && self.data.validation_size == 0 {
            return Err(refuse(
                "run.early_stopping",
                self.run.early_stopping,
                "0 without validation data; set data.validation",
            ));
        }
        if self.run.load_best && self.data.validation.is_none() && self.data.validation_size == 0 {
            return Err(refuse("run.load_best", true, "false without validation data; set data.validation"));
        }
        self.lora().map(|_| ())
    }

    /// The adapter's settings; `None` where there is no adapter.
    pub fn lora(&self) -> Result<Option<LoraConfig>> {
        let m = &self.method;
        match (m.kind, m.blocks, &m.init) {
            (Kind::Expand, None, _) => {
                return Err(refuse("method.blocks", "missing", "the number of blocks to add"));
            }
            (Kind::Lora | Kind::Full, Some(blocks), _) => {
                return Err(refuse("method.blocks", blocks, "no such key without method.kind = \"expand\""));
            }
            (Kind::Full | Kind::Expand, _, Some(init)) => {
                return Err(refuse("method.init", init, "no such key without method.kind = \"lora\""));
            }
            (Kind::Full | Kind::Expand, _, None) => return Ok(None),
            (Kind::Lora, None, _) => {}
        }
        if m.rank == 0 {
            return Err(refuse(
                "method.rank",
                0,
                "at least 1; without an adapter say method.kind = \"full\"",
            ));
        }
        if m.targets.is_empty() {
            return Err(refuse(
                "method.targets",
                "empty",
                "at least one of q_proj, k_proj, v_proj, o_proj, …, or all-linear",
            ));
        }
        let mut targets = m.targets.clone();
        targets.sort();
        targets.dedup();
        Ok(Some(LoraConfig {
            rank: m.rank,
            alpha: m.alpha,
            dropout: m.dropout,
            rank_stabilised: m.variant == Variant::Rslora,
            dora: m.variant == Variant::Dora,
            targets,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            layers: None,
            within: None,
            projector: false,
            tower: OfTower::Nothing,
        }))
    }

    /// How sequences become packs.
    pub fn packing(&self) -> Packing {
        if self.data.pack { Packing::Shared } else { Packing::Padded }
    }

    /// How examples become tokens.
    pub fn encoding(&self) -> Encoding {
        let d = &self.data;
        Encoding { template: d.prompt, cutoff: d.cutoff, train_on_prompt: d.train_on_prompt }
    }
}

impl ShapeSection {
    /// The configuration of a new model with a tokenizer trained here.
    pub fn config(&self) -> Result<ModelConfig> {
        if self.heads == 0 || !self.hidden.is_multiple_of(self.heads) {
            return Err(refuse("model.shape.heads", self.heads, "a divisor of model.shape.hidden"));
        }
        let sizes = json!({
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.hidden / self.heads,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.positions,
            "bos_token_id": crate::tokens::BOS,
            "eos_token_id": crate::tokens::EOS,
            "pad_token_id": crate::tokens::PAD,
        });
        new_llama(sizes.as_object().unwrap_or(&Map::new()))
    }
}
