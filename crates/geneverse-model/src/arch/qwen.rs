//! Qwen2.5-VL's vision tower (Bai et al., 2025): a transformer over the patches of a picture of any size.
//!
//! ```text
//! x = patches · W
//! for each layer:  x = x + attention(norm(x));  x = x + (silu(norm(x)·Wg + b) ⊙ (norm(x)·Wu + b))·Wd + b
//! token = gelu([norm(x) of a square of patches] · W1 + b) · W2 + b
//! ```
//!
//! Queries and keys turn with the patch's row (the first half of the angles) and column (the second). In most layers a patch
//! sees its window only: the patches are laid out window by window, and a window is a tree of a pack by itself, so the
//! decoder's layer (`ops/layer.rs`) computes it. Weights stay in the mapped file. Names are those of transformers.

use crate::checkpoint::Source;
use crate::config::qwen::{AnySize, EPS};
use crate::config::vision::{CHANNELS, ClipConfig};
use crate::config::{Activation, Norm as NormKind};
use crate::error::Result;
use crate::families::Stored;
use crate::ops::activation::Between;
use crate::ops::attention::Tree;
use crate::ops::buffer;
use crate::ops::layer::{Lay, Layer, Trained};
use crate::ops::matmul::{Into, Threads, product, rows};
use crate::ops::norm::Norm;
use crate::ops::rope::Rotation;
use crate::ops::slots::{LayerShape, Slot, Weights};
use crate::weights::Held;

/// A tower.
pub(crate) struct QwenTower {
    any: AnySize,
    config: ClipConfig,
    shape: LayerShape,
    /// (hidden, channels · frames · side · side)
    patches: Held,
    /// By [`Slot`].
    layers: Vec<Vec<Option<Held>>>,
    /// (hidden)
    norm: Vec<f32>,
    /// The merger's two maps and their biases: (merged, merged), (out, merged), `merged` being hidden · merge².
    maps: [(Held, Vec<f32>); 2],
}

impl QwenTower {
    /// Takes the tensors whose names begin with `prefix`; tokens are `out` wide.
    pub(crate) fn read(
        source: &mut Source,
        prefix: &str,
        (config, any): (&ClipConfig, &AnySize),
        out: usize,
    ) -> Result<Self> {
        let (shape, hidden, side) = (config.any_size_layer(), config.hidden_size, config.patch_size);
        let patches = source.take_flattened(
            &format!("{prefix}patch_embed.proj.weight"),
            &[hidden, CHANNELS, any.frames, side, side],
        )?;
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let mut held = vec![None; Slot::ALL.len()];
            for (slot, rows, columns) in shape.slots() {
                let (name, part) = name(slot);
                let name = format!("{prefix}blocks.{number}.{name}");
                let stored = Stored { name, transposed: false, part };
                held[slot as usize] = Some(source.take(&stored, rows, columns, !slot.is_matrix())?);
            }
            layers.push(held);
        }
        let merged = hidden * any.merge * any.merge;
        let mut take = |name: &str, rows: usize, columns: usize, vector: bool| {
            source.take(&Stored::whole(format!("{prefix}merger.{name}")), rows, columns, vector)
        };
        let norm = take("ln_q.weight", 1, hidden, true)?.to_vec();
        let maps = [
            (take("mlp.0.weight", merged, merged, false)?, take("mlp.0.bias", 1, merged, true)?.to_vec()),
            (take("mlp.2.weight", out, merged, false)?, take("mlp.2.bias", 1, out, true)?.to_vec()),
        ];
        Ok(Self { any: any.clone(), config: config.clone(), shape, patches, layers, norm, maps })
    }

    /// The tokens of a picture, (down · across, out), from its patches (4 · down · across, numbers of a patch where `merge`
    /// is 2), those of a token one after another.
    pub(crate) fn forward(&self, patches: &[f32], (down, across): (usize, usize)) -> Vec<f32> {
        let (hidden, width, unit) = (self.config.hidden_size, self.width(), self.any.merge * self.any.merge);
        let n = down * across * unit;
        let mut plain = buffer(n * hidden);
        let map = self.patches.map().forward();
        product(
            (n, hidden, width),
            1.0,
            rows(patches, width),
            map,
            &mut plain,
            hidden,
            Into::Fresh,
            Threads::All,
        );
        let (order, windows) = self.windows(down, across);
        let mut x = buffer(n * hidden);
        for (to, from) in x.chunks_exact_mut(unit * hidden).zip(&order) {
            to.copy_from_slice(&plain[from * unit * hidden..(from + 1) * unit * hidden]);
        }
        drop(plain);
        let rotations = vec![self.rotation(&order, across)];
        let windows = Lay { trees: windows, rotations: rotations.clone() };
        let whole = Lay { trees: vec![Tree::alone(0..n)], rotations };
        for (number, held) in self.layers.iter().enumerate() {
            let weights = Weights::new(&self.shape, |slot| Some(held[slot as usize].as_ref()?.map()));
            let (shape, trained) = (&self.shape, &Trained::Nothing);
            let layer =
                Layer { shape, weights: &weights, trained, flat: &[], mask: None, beside: &[], wanted: None };
            let lay = if self.any.whole.contains(&number) { &whole } else { &windows };
            x = layer.forward_pack(&x, lay).0;
        }
        let norm = Norm { kind: NormKind::Rms, eps: EPS as f32, weight: &self.norm, bias: &[] };
        let mut h = buffer(x.len());
        norm.forward(&x, &mut h);
        drop(x);
        let inner = linear(&self.maps[0], &h);
        let mut active = buffer(inner.len());
        Between { activation: Activation::Gelu, gated: false, width: unit * hidden }
            .forward(&inner, &mut active);
        let tokens = linear(&self.maps[1], &active);
        let out = tokens.len() / order.len().max(1);
        let mut sorted = buffer(tokens.len());
        for (token, to) in tokens.chunks_exact(out.max(1)).zip(&order) {
            sorted[to * out..(to + 1) * out].copy_from_slice(token);
        }
        sorted
    }

    /// Numbers of a patch.
    fn width(&self) -> usize {
        self.config.patch_numbers() * self.any.frames
    }

    /// The tokens of a picture in the order of its windows, and the windows' patches.
    fn windows(&self, down: usize, across: usize) -> (Vec<usize>, Vec<Tree>) {
        let (window, unit) = (self.any.window, self.any.merge * self.any.merge);
        let (mut order, mut trees) = (Vec::with_capacity(down * across), Vec::new());
        for top in (0..down).step_by(window) {
            for left in (0..across).step_by(window) {
                let first = order.len();
                for row in top..down.min(top + window) {
                    order.extend((left..across.min(left + window)).map(|column| row * across + column));
                }
                trees.push(Tree::alone(first * unit..order.len() * unit));
            }
        }
        (order, trees)
    }

    /// The rotation of the patches of tokens in this order.
    fn rotation(&self, order: &[usize], across: usize) -> Rotation {
        let (merge, quarter) = (self.any.merge, self.shape.heads.dim / 4);
        let frequency = |i: usize| 1.0 / (self.any.theta as f32).powf(2.0 * i as f32 / (2 * quarter) as f32);
        let frequencies: Vec<f32> = (0..quarter).map(frequency).collect();
        let mut angles = Vec::with_capacity(order.len() * merge * merge * 2 * quarter);
        for token in order {
            for patch in 0..merge * merge {
                let place = [token / across * merge + patch / merge, token % across * merge + patch % merge];
                angles.extend(place.iter().flat_map(|at| frequencies.iter().map(move |f| *at as f32 * f)));
            }
        }
        let of = |turn: fn(f32) -> f32| angles.iter().map(|angle| turn(*angle)).collect();
        Rotation { cos: of(f32::cos), sin: of(f32::sin), half: 2 * quarter, head_dim: 4 * quarter }
    }
}

/// x · W + b
fn linear((map, bias): &(Held, Vec<f32>), x: &[f32]) -> Vec<f32> {
    let map = map.map();
    let (inputs, outputs) = (map.inputs, map.outputs);
    let n = x.len() / inputs.max(1);
    let mut y = buffer(n * outputs);
    product(
        (n, outputs, inputs),
        1.0,
        rows(x, inputs),
        map.forward(),
        &mut y,
        outputs,
        Into::Fresh,
        Threads::All,
    );
    for row in y.chunks_exact_mut(outputs) {
        row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
    }
    y
}

/// A slot's name below its block, and which of how many parts of the tensor it is. Slots that the tower has no use for have
/// none.
fn name(slot: Slot) -> (&'static str, (usize, usize)) {
    let whole = (0, 1);
    match slot {
        Slot::InputNorm => ("norm1.weight", whole),
        Slot::Query => ("attn.qkv.weight", (0, 3)),
        Slot::Key => ("attn.qkv.weight", (1, 3)),
        Slot::Value => ("attn.qkv.weight", (2, 3)),
        Slot::QueryBias => ("attn.qkv.bias", (0, 3)),
        Slot::KeyBias => ("attn.qkv.bias", (1, 3)),
        Slot::ValueBias => ("attn.qkv.bias", (2, 3)),
        Slot::Output => ("attn.proj.weight", whole),
        Slot::OutputBias => ("attn.proj.bias", whole),
        Slot::MlpInputNorm => ("norm2.weight", whole),
        Slot::Gate => ("mlp.gate_proj.weight", whole),
        Slot::GateBias => ("mlp.gate_proj.bias", whole),
        Slot::Up => ("mlp.up_proj.weight", whole),
        Slot::UpBias => ("mlp.up_proj.bias", whole),
        Slot::Down => ("mlp.down_proj.weight", whole),
        Slot::DownBias => ("mlp.down_proj.bias", whole),
        _ => ("", whole),
    }
}
