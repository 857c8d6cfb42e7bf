//! CLIP's vision tower (Radford et al., 2021): a transformer over the patches of a picture.
//!
//! ```text
//! x = LN([class, patches · W] + positions)
//! for each layer:  x = x + attention(LN(x));  x = x + act(LN(x) · W1 + b) · W2 + b     every token sees every other
//! ```
//!
//! Its layers are the decoder's (`ops/layer.rs`) with attention that is not causal, forward and backward. Only as many of
//! them are computed as are asked for. Tensor names are those of transformers' `CLIPVisionModel`. Frozen weights stay in the
//! mapped file; what is trained lies in flat vectors, one for the embeddings and one for each layer (`clip/train.rs`).

use std::path::Path;

use super::decoder::{Parameter, layer_mask};
use crate::checkpoint::Source;
use crate::config::Norm as NormKind;
use crate::config::vision::{CHANNELS, ClipConfig};
use crate::error::Result;
use crate::families::Stored;
use crate::ops::attention::Tree;
use crate::ops::buffer;
use crate::ops::layer::{Lay, Layer, Saved, Trained};
use crate::ops::matmul::{Into, Slice, Threads, product, rows, transposed};
use crate::ops::norm::Norm;
use crate::ops::slots::{LayerShape, Map, Slot, Weights};
use crate::weights::Held;

pub(crate) mod train;

/// A tower, as far as it is computed.
pub(crate) struct Tower {
    pub(crate) config: ClipConfig,
    pub(crate) shape: LayerShape,
    embeddings: Embeddings,
    pub(crate) layers: Vec<TowerLayer>,
}

/// What makes the layers' input.
enum Embeddings {
    Held {
        /// (hidden, channels · side · side)
        patches: Held,
        /// The others, in the order of [`Tensor`](train::Tensor)s.
        vectors: [Vec<f32>; 4],
    },
    /// In the flat vector of this parameter.
    Trained(usize),
}

/// One layer's numbers.
pub(crate) struct TowerLayer {
    /// By [`Slot`]; all missing where everything is trained.
    held: Vec<Option<Held>>,
    pub(crate) trained: Trained,
    /// Which parameter is the layer's flat vector.
    pub(crate) parameter: Option<usize>,
}

/// The numbers that make the layers' input.
struct Input<'a> {
    patches: Map<'a>,
    /// (hidden)
    class: &'a [f32],
    /// (1 + patches, hidden)
    positions: &'a [f32],
    /// Weight and bias of the norm before the layers, misspelt in every checkpoint.
    norm: [&'a [f32]; 2],
}

/// What the backward pass needs of the forward pass.
pub(crate) struct Looked {
    /// (pictures · patches, numbers of a patch), where the embeddings are trained.
    cut: Vec<f32>,
    /// What the norm before the layers read, where the embeddings are trained.
    sum: Vec<f32>,
    lay: Lay,
    /// Of each layer its input, and what its own backward pass needs, unless that is computed again.
    kept: Vec<(Vec<f32>, Option<Saved>)>,
    mask: Option<u64>,
}

impl Looked {
    /// How many pictures were looked at.
    pub(crate) fn pictures(&self) -> usize {
        self.lay.trees.len()
    }
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
        let patches =
            source.take_flattened(&format!("{prefix}{}", train::PATCHES), &[hidden, CHANNELS, side, side])?;
        let mut vector = |name: &str| {
            source.take(&Stored::whole(format!("{prefix}{name}")), 1, hidden, true).map(|held| held.to_vec())
        };
        let class = vector(train::CLASS)?;
        let norm = [vector(train::NORM[0])?, vector(train::NORM[1])?];
        let rows = 1 + config.patches();
        let positions = Stored::whole(format!("{prefix}{}", train::POSITIONS));
        let positions = source.take(&positions, rows, hidden, false)?.to_vec();
        let mut held_layers = Vec::new();
        for number in 0..layers {
            let mut held = vec![None; Slot::ALL.len()];
            for (slot, rows, columns) in shape.slots() {
                let stored = Stored::whole(format!("{prefix}{}", train::layer_tensor(number, slot)));
                held[slot as usize] = Some(source.take(&stored, rows, columns, !slot.is_matrix())?);
            }
            held_layers.push(TowerLayer { held, trained: Trained::Nothing, parameter: None });
        }
        let [weight, bias] = norm;
        let embeddings = Embeddings::Held { patches, vectors: [class, positions, weight, bias] };
        Ok(Self { config: config.clone(), shape, embeddings, layers: held_layers })
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

    /// Numbers of a picture.
    pub(crate) fn of_picture(&self) -> usize {
        CHANNELS * self.config.image_size.pow(2)
    }

    /// States after the last of the layers, (pictures · tokens, hidden), of pictures (pictures, channels, side, side).
    /// `parameters` are those among which is what is trained.
    pub(crate) fn forward(&self, parameters: &[Parameter], pixels: &[f32]) -> Vec<f32> {
        let (mut x, _, _) = self.input(parameters, pixels);
        let lay = self.lay(pixels.len() / self.of_picture());
        for number in 0..self.layers.len() {
            x = self.with_layer(parameters, number, None, |layer| layer.forward_pack(&x, &lay).0);
        }
        x
    }

    /// The same, with dropout as in training where `mask` names the masks, and what the backward pass needs.
    pub(crate) fn forward_kept(
        &self,
        parameters: &[Parameter],
        pixels: &[f32],
        mask: Option<u64>,
        recompute: bool,
    ) -> (Vec<f32>, Looked) {
        let (mut x, mut cut, mut sum) = self.input(parameters, pixels);
        if !self.trains_embeddings() {
            (cut, sum) = (Vec::new(), Vec::new());
        }
        let lay = self.lay(pixels.len() / self.of_picture());
        let mut kept = Vec::with_capacity(self.layers.len());
        for number in 0..self.layers.len() {
            let (y, saved) = self.with_layer(parameters, number, mask, |layer| layer.forward_pack(&x, &lay));
            kept.push((x, (!recompute).then_some(saved)));
            x = y;
        }
        (x, Looked { cut, sum, lay, kept, mask })
    }

    /// Adds the gradients of what is trained to `sums`, from `dx`, the gradient of what the forward pass gave.
    pub(crate) fn backward(
        &self,
        parameters: &[Parameter],
        looked: Looked,
        mut dx: Vec<f32>,
        sums: &mut [Vec<f32>],
    ) {
        let Looked { cut, sum, lay, mut kept, mask } = looked;
        for number in (0..self.layers.len()).rev() {
            let Some((x, saved)) = kept.pop() else { return };
            let d_flat: &mut [f32] = match self.layers[number].parameter {
                Some(parameter) => &mut sums[parameter],
                None => &mut [],
            };
            let wanted = number > 0 || self.trains_embeddings();
            let below = self.with_layer(parameters, number, mask, |layer| {
                let saved = saved.unwrap_or_else(|| layer.forward_pack(&x, &lay).1);
                layer.backward(&x, &lay, saved, std::mem::take(&mut dx), wanted, d_flat)
            });
            match below {
                Some(below) => dx = below,
                None => return,
            }
        }
        self.embedding_gradients(parameters, &cut, &sum, &dx, sums);
    }

    fn lay(&self, pictures: usize) -> Lay {
        let tokens = self.tokens();
        let alone = |picture| Tree::alone(picture * tokens..(picture + 1) * tokens);
        Lay { trees: (0..pictures).map(alone).collect(), rotations: Vec::new() }
    }

    /// Runs `work` on a layer.
    fn with_layer<R>(
        &self,
        parameters: &[Parameter],
        number: usize,
        mask: Option<u64>,
        work: impl FnOnce(&Layer<'_>) -> R,
    ) -> R {
        let TowerLayer { held, trained, parameter } = &self.layers[number];
        let flat: &[f32] = parameter.map_or(&[], |parameter| &parameters[parameter].numbers);
        let weights = match trained {
            Trained::All => Weights::of_flat(&self.shape, flat),
            _ => Weights::new(&self.shape, |slot| Some(held[slot as usize].as_ref()?.map())),
        };
        // Other masks than the decoder's layers have.
        let mask = mask.map(|pass| layer_mask(!pass, number));
        work(&Layer { shape: &self.shape, weights: &weights, trained, flat, mask, beside: &[], wanted: None })
    }

    fn trains_embeddings(&self) -> bool {
        matches!(self.embeddings, Embeddings::Trained(_))
    }

    fn numbers_of_input<'a>(&'a self, parameters: &'a [Parameter]) -> Input<'a> {
        let (hidden, width) = (self.config.hidden_size, self.config.patch_numbers());
        match &self.embeddings {
            Embeddings::Held { patches, vectors: [class, positions, weight, bias] } => {
                Input { patches: patches.map(), class, positions, norm: [weight, bias] }
            }
            Embeddings::Trained(parameter) => {
                let flat = &parameters[*parameter].numbers;
                let [patches, class, positions, weight, bias] =
                    train::places(&self.config).map(|place| &flat[place]);
                let numbers = Slice::F32(patches);
                let patches =
                    Map { numbers, outputs: hidden, inputs: width, out_stride: width, in_stride: 1 };
                Input { patches, class, positions, norm: [weight, bias] }
            }
        }
    }

    /// The layers' input, the pictures' patches, and what the norm read.
    fn input(&self, parameters: &[Parameter], pixels: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (hidden, width) = (self.config.hidden_size, self.config.patch_numbers());
        let (patches, of_picture) = (self.config.patches(), self.of_picture());
        let count = pixels.len() / of_picture;
        let mut cut = buffer(count * patches * width);
        for (picture, cut) in
            pixels.chunks_exact(of_picture).zip(cut.chunks_exact_mut((patches * width).max(1)))
        {
            self.cut(picture, cut);
        }
        let input = self.numbers_of_input(parameters);
        let mut sum = buffer(count * (1 + patches) * hidden);
        for (cut, sum) in
            cut.chunks_exact((patches * width).max(1)).zip(sum.chunks_exact_mut((1 + patches) * hidden))
        {
            let (first, others) = sum.split_at_mut(hidden);
            first.copy_from_slice(input.class);
            let map = input.patches.forward();
            let shape = (patches, hidden, width);
            product(shape, 1.0, rows(cut, width), map, others, hidden, Into::Fresh, Threads::All);
            sum.iter_mut().zip(input.positions).for_each(|(x, position)| *x += position);
        }
        let [weight, bias] = input.norm;
        let mut x = buffer(sum.len());
        self.norm(weight, bias).forward(&sum, &mut x);
        (x, cut, sum)
    }

    fn norm<'a>(&self, weight: &'a [f32], bias: &'a [f32]) -> Norm<'a> {
        Norm { kind: NormKind::Layer, eps: self.shape.eps, weight, bias }
    }

    /// Each patch's numbers in a row, channel by channel: (patches, width). What is left over at the right and at the
    /// bottom belongs to no patch.
    fn cut(&self, picture: &[f32], cut: &mut [f32]) {
        let ClipConfig { image_size: side, patch_size: patch, .. } = self.config;
        let (across, width) = (side / patch, self.config.patch_numbers());
        for (number, cut) in cut.chunks_exact_mut(width).enumerate() {
            let (top, left) = (number / across * patch, number % across * patch);
            for (line, cut) in cut.chunks_exact_mut(patch).enumerate() {
                let (channel, row) = (line / patch, top + line % patch);
                let at = (channel * side + row) * side + left;
                cut.copy_from_slice(&picture[at..at + patch]);
            }
        }
    }

    /// Adds the gradients of the embeddings, where they are trained.
    fn embedding_gradients(
        &self,
        parameters: &[Parameter],
        cut: &[f32],
        sum: &[f32],
        dx: &[f32],
        sums: &mut [Vec<f32>],
    ) {
        let Embeddings::Trained(parameter) = self.embeddings else { return };
        let (hidden, width) = (self.config.hidden_size, self.config.patch_numbers());
        let (patches, tokens) = (self.config.patches(), self.tokens());
        let input = self.numbers_of_input(parameters);
        let norm = self.norm(input.norm[0], input.norm[1]);
        let [of_patches, of_class, of_positions, of_weight, of_bias] = train::places(&self.config);
        let gradient = &mut sums[parameter];
        // Weight and bias lie side by side.
        let (dw, db) = gradient[of_weight.start..of_bias.end].split_at_mut(hidden);
        norm.backward_weight(sum, dx, dw, db);
        let mut d_sum = buffer(sum.len());
        norm.backward(sum, dx, &mut d_sum);
        let pictures = d_sum.chunks_exact(tokens * hidden).zip(cut.chunks_exact((patches * width).max(1)));
        for (d_sum, cut) in pictures {
            gradient[of_positions.clone()].iter_mut().zip(d_sum).for_each(|(d, x)| *d += x);
            gradient[of_class.clone()].iter_mut().zip(d_sum).for_each(|(d, x)| *d += x);
            let (dy, x) = (transposed(&d_sum[hidden..], hidden), rows(cut, width));
            let d_map = &mut gradient[of_patches.clone()];
            product((hidden, width, patches), 1.0, dy, x, d_map, width, Into::Added, Threads::All);
        }
    }
}
