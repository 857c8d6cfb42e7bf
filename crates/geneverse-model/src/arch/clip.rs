//! CLIP's vision tower (Radford et al., 2021): a transformer over the patches of a picture.
//!
//! ```text
//! x = LN([class, patches · W] + positions)
//! for each layer:  x = x + attention(LN(x));  x = x + act(LN(x) · W1 + b) · W2 + b     every token sees every other
//! ```
//!
//! Its layers are the decoder's (`ops/layer.rs`) with attention that is not causal. Only as many of them are computed as
//! are asked for. Tensor names are those of transformers' `CLIPVisionModel`. Weights stay in the mapped file.

use std::path::Path;

use crate::checkpoint::Source;
use crate::config::Norm as NormKind;
use crate::config::vision::{CHANNELS, ClipConfig};
use crate::error::Result;
use crate::families::Stored;
use crate::ops::attention::Tree;
use crate::ops::buffer;
use crate::ops::layer::{Lay, Layer, Trained};
use crate::ops::matmul::{Into, Threads, product, rows};
use crate::ops::norm::Norm;
use crate::ops::slots::{LayerShape, Slot, Weights};
use crate::weights::Held;

/// A tower, as far as it is computed.
pub(crate) struct Tower {
    pub(crate) config: ClipConfig,
    shape: LayerShape,
    /// (hidden, channels · side · side)
    patches: Held,
    /// (hidden)
    class: Vec<f32>,
    /// (1 + patches, hidden)
    positions: Vec<f32>,
    /// Weight and bias of the norm before the layers, misspelt in every checkpoint.
    norm: [Vec<f32>; 2],
    /// By [`Slot`].
    layers: Vec<Vec<Option<Held>>>,
}

impl Tower {
    /// Takes a tower's first `layers` layers from tensors whose names begin with `prefix`.
    pub(crate) fn read(
        source: &mut Source,
        prefix: &str,
        config: &ClipConfig,
        layers: usize,
    ) -> Result<Self> {
        let (shape, hidden, side) = (config.layer(), config.hidden_size, config.patch_size);
        let patches = source.take_flattened(
            &format!("{prefix}embeddings.patch_embedding.weight"),
            &[hidden, CHANNELS, side, side],
        )?;
        let mut vector = |name: &str| {
            source.take(&Stored::whole(format!("{prefix}{name}")), 1, hidden, true).map(|held| held.to_vec())
        };
        let class = vector("embeddings.class_embedding")?;
        let norm = [vector("pre_layrnorm.weight")?, vector("pre_layrnorm.bias")?];
        let rows = 1 + config.patches();
        let positions = Stored::whole(format!("{prefix}embeddings.position_embedding.weight"));
        let positions = source.take(&positions, rows, hidden, false)?.to_vec();
        let mut held_layers = Vec::new();
        for number in 0..layers {
            let mut held = vec![None; Slot::ALL.len()];
            for (slot, rows, columns) in shape.slots() {
                let stored = Stored::whole(format!("{prefix}encoder.layers.{number}.{}", name(slot)));
                held[slot as usize] = Some(source.take(&stored, rows, columns, !slot.is_matrix())?);
            }
            held_layers.push(held);
        }
        Ok(Self { config: config.clone(), shape, patches, class, positions, norm, layers: held_layers })
    }

    /// Reads the tower of a CLIP checkpoint folder, whole or the vision model alone.
    pub(crate) fn read_folder(folder: &Path, config: &ClipConfig, layers: usize) -> Result<Self> {
        let mut source = Source::open(folder, "vision_model.")?;
        Self::read(&mut source, "vision_model.", config, layers)
    }

    /// Tokens of a picture: its class token and its patches.
    pub(crate) fn tokens(&self) -> usize {
        1 + self.config.patches()
    }

    /// States after the last of the layers, (pictures · tokens, hidden), of pictures (pictures, channels, side, side).
    pub(crate) fn forward(&self, pixels: &[f32]) -> Vec<f32> {
        let (hidden, tokens) = (self.config.hidden_size, self.tokens());
        let of_picture = CHANNELS * self.config.image_size.pow(2);
        let count = pixels.len() / of_picture;
        let mut sum = buffer(count * tokens * hidden);
        for (picture, rows) in pixels.chunks_exact(of_picture).zip(sum.chunks_exact_mut(tokens * hidden)) {
            self.embed(picture, rows);
        }
        let [weight, bias] = &self.norm;
        let norm = Norm { kind: NormKind::Layer, eps: self.shape.eps, weight, bias };
        let mut x = buffer(sum.len());
        norm.forward(&sum, &mut x);
        drop(sum);
        let trees = (0..count).map(|picture| Tree::alone(picture * tokens..(picture + 1) * tokens)).collect();
        let lay = Lay { trees, rotations: Vec::new() };
        for held in &self.layers {
            let weights = Weights::new(&self.shape, |slot| Some(held[slot as usize].as_ref()?.map()));
            let (shape, trained) = (&self.shape, &Trained::Nothing);
            let layer = Layer { shape, weights: &weights, trained, flat: &[], mask: None };
            x = layer.forward_pack(&x, &lay).0;
        }
        x
    }

    /// Class token and patches with their positions: (tokens, hidden), `out` being zero before.
    fn embed(&self, picture: &[f32], out: &mut [f32]) {
        let ClipConfig { image_size: side, patch_size: patch, hidden_size: hidden, .. } = self.config;
        let (across, width) = (side / patch, self.config.patch_numbers());
        // Each patch's numbers in a row, channel by channel: (patches, width). What is left over at the right and at the
        // bottom belongs to no patch.
        let mut cut = buffer(across * across * width);
        for (number, cut) in cut.chunks_exact_mut(width).enumerate() {
            let (top, left) = (number / across * patch, number % across * patch);
            for (line, cut) in cut.chunks_exact_mut(patch).enumerate() {
                let (channel, row) = (line / patch, top + line % patch);
                let at = (channel * side + row) * side + left;
                cut.copy_from_slice(&picture[at..at + patch]);
            }
        }
        let (class, patches) = out.split_at_mut(hidden);
        class.copy_from_slice(&self.class);
        let shape = (across * across, hidden, width);
        let map = self.patches.map().forward();
        product(shape, 1.0, rows(&cut, width), map, patches, hidden, Into::Fresh, Threads::All);
        out.iter_mut().zip(&self.positions).for_each(|(x, position)| *x += position);
    }
}

/// A slot's name below its layer. Slots that the tower has no use for have none.
fn name(slot: Slot) -> &'static str {
    match slot {
        Slot::InputNorm => "layer_norm1.weight",
        Slot::InputNormBias => "layer_norm1.bias",
        Slot::Query => "self_attn.q_proj.weight",
        Slot::Key => "self_attn.k_proj.weight",
        Slot::Value => "self_attn.v_proj.weight",
        Slot::QueryBias => "self_attn.q_proj.bias",
        Slot::KeyBias => "self_attn.k_proj.bias",
        Slot::ValueBias => "self_attn.v_proj.bias",
        Slot::Output => "self_attn.out_proj.weight",
        Slot::OutputBias => "self_attn.out_proj.bias",
        Slot::MlpInputNorm => "layer_norm2.weight",
        Slot::MlpInputNormBias => "layer_norm2.bias",
        Slot::Up => "mlp.fc1.weight",
        Slot::UpBias => "mlp.fc1.bias",
        Slot::Down => "mlp.fc2.weight",
        Slot::DownBias => "mlp.fc2.bias",
        Slot::QueryNorm
        | Slot::KeyNorm
        | Slot::AttentionNorm
        | Slot::Gate
        | Slot::GateBias
        | Slot::MlpNorm => "",
    }
}
