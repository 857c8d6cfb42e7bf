//! The decoder layer in plain tensor operations: slow, short, and differentiated by candle itself, on any device
//! that candle knows.
//!
//! It is what runs on a device that has no kernels of ours (`arch/device.rs`), and the oracle that [`super::layer`]
//! is tested against.

use candle_core::{D, Device, Result, Tensor};

use super::attention::Heads;
use super::layer::{Lay, Trained};
use super::lora::{Adapted, Layout, masked};
use super::slots::{Group, LayerShape, Slot};
use crate::config::{Activation, Norm};

/// A layer at work on a pack. Its weights are found by slot: the frozen ones, or views of the flat vector that is
/// trained.
pub(crate) struct Reference<'a> {
    pub(crate) shape: &'a LayerShape,
    pub(crate) trained: &'a Trained,
    /// By [`Slot`]; all missing where everything is trained.
    pub(crate) frozen: &'a [Option<Tensor>],
    /// Whatever is trained; not looked at where nothing is.
    pub(crate) flat: &'a Tensor,
    /// Names the dropout masks, as in [`super::layer::Layer`].
    pub(crate) mask: Option<u64>,
}

/// What the layers of a pack share, on their device.
pub(crate) struct Tables {
    /// Cosines and sines (n, 1, dim / 2), as many as [`Lay`] has rotations.
    rotations: Vec<(Tensor, Tensor)>,
    /// For each way of looking that a layer has: 0 where a token may look, -∞ where it may not (1, n, n).
    masks: Vec<(Look, Tensor)>,
}

/// A layer's window, and whether it is causal.
type Look = (Option<usize>, bool);

impl Tables {
    /// The tables of `n` tokens for layers of these shapes.
    pub(crate) fn new<'a>(
        lay: &Lay,
        n: usize,
        shapes: impl IntoIterator<Item = &'a LayerShape>,
        device: &Device,
    ) -> Result<Self> {
        let rotation = |r: &super::rope::Rotation| {
            let table = |numbers: &[f32]| Tensor::from_slice(numbers, (n, 1, r.half), device);
            Ok((table(&r.cos)?, table(&r.sin)?))
        };
        let rotations = lay.rotations.iter().map(rotation).collect::<Result<_>>()?;
        let mut masks: Vec<(Look, Tensor)> = Vec::new();
        for LayerShape { heads, .. } in shapes {
            let look = (heads.window, heads.causal);
            if masks.iter().all(|(of, _)| *of != look) {
                let mask = mask(lay, n, heads.causal, |position| heads.earliest(position));
                masks.push((look, Tensor::from_vec(mask, (1, n, n), device)?));
            }
        }
        Ok(Self { rotations, masks })
    }

    fn mask(&self, heads: Heads) -> Result<&Tensor> {
        match self.masks.iter().find(|(of, _)| *of == (heads.window, heads.causal)) {
            Some((_, mask)) => Ok(mask),
            None => candle_core::bail!("no mask was made for a window of {:?} tokens", heads.window),
        }
    }
}

fn mask(lay: &Lay, n: usize, causal: bool, earliest: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut mask = vec![f32::NEG_INFINITY; n * n];
    for tree in &lay.trees {
        let stem = (tree.prefix.start..tree.prefix.start, tree.prefix.clone());
        let members = tree.members.iter().map(|own| (tree.prefix.clone(), own.clone()));
        for (prefix, own) in std::iter::once(stem).chain(members) {
            let rows: Vec<usize> = prefix.clone().chain(own.clone()).collect();
            for (position, query) in rows.iter().enumerate().skip(prefix.len()) {
                let end = if causal { position + 1 } else { rows.len() };
                for key in &rows[earliest(position)..end] {
                    mask[query * n + key] = 0.0;
                }
            }
        }
    }
    mask
}

/// The norm of the last dimension of x.
pub(crate) fn norm(
    kind: Norm,
    eps: f32,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Tensor> {
    let weight = if kind == Norm::RmsPlusOne { &(weight + 1.0)? } else { weight };
    let x = match kind {
        Norm::Layer => &x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        Norm::Rms | Norm::RmsPlusOne => x,
    };
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    let y = x.broadcast_div(&(mean_square + f64::from(eps))?.sqrt()?)?.broadcast_mul(weight)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// cap · tanh(x / cap), where there is a cap.
pub(crate) fn capped(x: Tensor, cap: Option<f32>) -> Result<Tensor> {
    match cap.map(f64::from) {
        Some(cap) => (x / cap)?.tanh()? * cap,
        None => Ok(x),
    }
}

impl Reference<'_> {
    /// A matrix (rows, columns) or a vector (columns).
    fn weight(&self, slot: Slot) -> Result<Option<Tensor>> {
        let Some((rows, columns)) = self.shape.size(slot) else { return Ok(None) };
        let dims = if slot.is_matrix() { vec![rows, columns] } else { vec![columns] };
        let tensor = match self.trained {
            Trained::All => {
                let place = self.shape.place(slot);
                Some(self.flat.narrow(0, place.start, place.len())?)
            }
            _ => self.frozen[slot as usize].clone(),
        };
        tensor.map(|tensor| tensor.reshape(dims)).transpose()
    }

    /// The norm of a slot over the last dimension of x; x as it is where the layer has no such norm.
    fn norm(&self, x: &Tensor, slot: Slot, bias: Option<Slot>) -> Result<Tensor> {
        let Some(weight) = self.weight(slot)? else { return Ok(x.clone()) };
        let bias = bias.map(|bias| self.weight(bias)).transpose()?.flatten();
        norm(self.shape.norm, self.shape.eps, x, &weight, bias.as_ref())
    }

    /// A group's maps of x, side by side: (n, outputs).
    fn group(&self, group: Group, x: &Tensor) -> Result<Tensor> {
        let mut columns = Vec::new();
        for slot in group.slots() {
            let Some(weight) = self.weight(*slot)? else { continue };
            columns.push(x.matmul(&weight.t()?)?);
        }
        let mut y = Tensor::cat(&columns, 1)?;
        if let Trained::Lora(layout) = self.trained {
            let x = &self.dropped(group, layout, x)?;
            for map in layout.maps().filter(|map| group.slots().contains(&map.target.slots[0])) {
                y = self.adapted(map, x, &y)?;
            }
        }
        let mut at = 0;
        for slot in group.slots() {
            let Some((rows, _)) = self.shape.size(*slot) else { continue };
            if let Some(bias) = slot.bias().map(|bias| self.weight(bias)).transpose()?.flatten() {
                let width = y.dim(1)?;
                let own = bias.pad_with_zeros(0, at, width - at - rows)?;
                y = y.broadcast_add(&own)?;
            }
            at += rows;
        }
        Ok(y)
    }

    /// x with the share dropped that the fused layer drops: the mask is made on the CPU.
    fn dropped(&self, group: Group, layout: &Layout, x: &Tensor) -> Result<Tensor> {
        let Some(key) = self.mask.filter(|_| layout.dropout > 0.0) else { return Ok(x.clone()) };
        let kept = masked(&vec![1.0; x.elem_count()], key.wrapping_add(group as u64), layout.dropout);
        x * Tensor::from_vec(kept, x.shape(), x.device())?
    }

    /// y with s · (x · Aᵀ) · Bᵀ added in the map's columns, and those scaled with DoRA.
    fn adapted(&self, map: &Adapted, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let part = |place: &std::ops::Range<usize>| self.flat.narrow(0, place.start, place.len());
        let a = part(&map.a)?.reshape((map.rank, map.inputs))?;
        let b = part(&map.b)?.reshape((map.outputs, map.rank))?;
        let update = (x.matmul(&a.t()?)?.matmul(&b.t()?)? * f64::from(map.scale))?;
        let mut own = (y.narrow(1, map.column, map.outputs)? + update)?;
        if let Some(magnitude) = &map.magnitude {
            let mut weights = Vec::new();
            for slot in map.target.slots {
                weights.extend(self.weight(*slot)?);
            }
            let whole = (Tensor::cat(&weights, 0)? + (b.matmul(&a)? * f64::from(map.scale))?)?;
            // Held constant in the backward pass, as in PEFT.
            let norms = whole.sqr()?.sum(1)?.sqrt()?.detach();
            own = own.broadcast_mul(&(part(magnitude)? / norms)?)?;
        }
        let rest = map.column + map.outputs;
        let after = y.dim(1)? - rest;
        let mut columns = vec![own];
        if map.column > 0 {
            columns.insert(0, y.narrow(1, 0, map.column)?);
        }
        if after > 0 {
            columns.push(y.narrow(1, rest, after)?);
        }
        Tensor::cat(&columns, 1)
    }

    /// x (n, heads, dim) turned by the rotation.
    fn rotate(&self, x: &Tensor, tables: &Tables) -> Result<Tensor> {
        let Some((cos, sin)) = self.shape.rotation.map(|r| &tables.rotations[r]) else {
            return Ok(x.clone());
        };
        let (half, dim) = (cos.dim(2)?, x.dim(2)?);
        let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let first = (a.broadcast_mul(cos)? - b.broadcast_mul(sin)?)?;
        let second = (b.broadcast_mul(cos)? + a.broadcast_mul(sin)?)?;
        // What does not turn.
        let rest = x.narrow(2, 2 * half, dim - 2 * half)?;
        if 2 * half == dim {
            Tensor::cat(&[first, second], 2)
        } else {
            Tensor::cat(&[first, second, rest], 2)
        }
    }

    fn activation(&self, x: &Tensor) -> Result<Tensor> {
        match self.shape.activation {
            Activation::Silu => x.silu(),
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluTanh => x.gelu(),
            Activation::QuickGelu => x.affine(1.702, 0.0)?.silu()? / 1.702,
        }
    }

    /// The layer: x (n, hidden) → (n, hidden).
    pub(crate) fn layer(&self, x: &Tensor, tables: &Tables) -> Result<Tensor> {
        let (n, heads) = (x.dim(0)?, self.shape.heads);
        let h = self.norm(x, Slot::InputNorm, Some(Slot::InputNormBias))?;
        let qkv = self.group(Group::Qkv, &h)?;
        let part = |first: usize, count: usize| {
            qkv.narrow(1, first * heads.dim, count * heads.dim)?.contiguous()?.reshape((n, count, heads.dim))
        };
        let q = self.norm(&part(0, heads.query)?, Slot::QueryNorm, None)?;
        let k = self.norm(&part(heads.query, heads.key_value)?, Slot::KeyNorm, None)?;
        let q = self.rotate(&q, tables)?.transpose(0, 1)?.contiguous()?;
        // Each key head serves a group of query heads: repeat it.
        let repeat = |x: Tensor| -> Result<Tensor> {
            let times = heads.query / heads.key_value;
            let x = x.transpose(0, 1)?.unsqueeze(1)?;
            x.repeat((1, times, 1, 1))?.reshape((heads.query, n, heads.dim))
        };
        let k = repeat(self.rotate(&k, tables)?)?;
        let v = repeat(part(heads.query + heads.key_value, heads.key_value)?)?;
        let scores = capped((q.matmul(&k.t()?)? * f64::from(heads.scale))?, heads.cap)?;
        let scores = scores.broadcast_add(tables.mask(heads)?)?;
        let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        let mixed = weights.matmul(&v)?.transpose(0, 1)?.contiguous()?.reshape((n, heads.out()))?;
        let attended = self.norm(&self.group(Group::Output, &mixed)?, Slot::AttentionNorm, None)?;
        let x2 = (x + attended)?;
        let h = self.norm(&x2, Slot::MlpInputNorm, Some(Slot::MlpInputNormBias))?;
        let up = self.group(Group::Up, &h)?;
        let active = if self.shape.gated {
            let inner = self.shape.inner;
            (self.activation(&up.narrow(1, 0, inner)?)? * up.narrow(1, inner, inner)?)?
        } else {
            self.activation(&up)?
        };
        x2 + self.norm(&self.group(Group::Down, &active)?, Slot::MlpNorm, None)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{DType, Var};

    use super::super::attention::{Heads, Tree};
    use super::super::layer::Layer;
    use super::super::lora::Update;
    use super::super::matmul::Slice;
    use super::super::rope::Rotation;
    use super::super::slots::{Map, Weights};
    use super::*;
    use crate::config::{Rope, RopeScaling};
    use crate::families::{Family, Target};
    use crate::rng::Rng;

    /// Llama's layer with grouped heads and odd sizes.
    fn llama() -> LayerShape {
        let heads =
            Heads { query: 6, key_value: 2, dim: 10, scale: 0.3, cap: None, window: None, causal: true };
        LayerShape {
            hidden: 28,
            inner: 37,
            heads,
            norm: Norm::Rms,
            eps: 1e-5,
            activation: Activation::Silu,
            gated: true,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            head_norms: false,
            sandwich_norms: false,
            experts: false,
            rotation: Some(0),
        }
    }

    /// Everything that a family may have, in three layers.
    fn shapes() -> Vec<(LayerShape, Family)> {
        let square =
            Heads { query: 4, key_value: 4, dim: 8, scale: 0.4, cap: None, window: None, causal: true };
        let gpt2 = LayerShape {
            hidden: 32,
            inner: 48,
            heads: square,
            norm: Norm::Layer,
            activation: Activation::GeluTanh,
            gated: false,
            qkv_bias: true,
            output_bias: true,
            mlp_bias: true,
            rotation: None,
            ..llama()
        };
        let capped = Heads { cap: Some(1.5), window: Some(5), ..llama().heads };
        let gemma = LayerShape {
            heads: Heads { key_value: 1, ..capped },
            norm: Norm::RmsPlusOne,
            activation: Activation::Gelu,
            head_norms: true,
            sandwich_norms: true,
            ..llama()
        };
        let windowed = Heads { window: Some(70), ..llama().heads };
        let qwen =
            LayerShape { heads: windowed, qkv_bias: true, head_norms: true, mlp_bias: true, ..llama() };
        vec![(llama(), Family::Llama), (gpt2, Family::Gpt2), (gemma, Family::Gemma3), (qwen, Family::Qwen3)]
    }

    fn random(n: usize, deviation: f32, rng: &mut Rng) -> Vec<f32> {
        (0..n).map(|_| rng.normal(deviation)).collect()
    }

    fn tensor(numbers: &[f32], dims: &[usize]) -> Tensor {
        Tensor::from_slice(numbers, dims, &Device::Cpu).unwrap()
    }

    fn assert_close(found: &[f32], wanted: &Tensor, what: &str) {
        let wanted: Vec<f32> = wanted.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(found.len(), wanted.len(), "{what}");
        let largest = wanted.iter().fold(1e-3f32, |a, b| a.max(b.abs()));
        for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let difference = (found - wanted).abs() / largest;
            assert!(difference < 5e-5, "{what}, number {i}: {found} against {wanted}, largest {largest}");
        }
    }

    /// Output and both gradients of the fused layer against the reference's, relative to the largest entry.
    fn check(shape: &LayerShape, trained: &Trained, trees: &[Tree], positions: &[u32], what: &str) {
        let rng = &mut Rng::at(7, &[]);
        let n = positions.len();
        let rope = Rope { theta: 10_000.0, width: None, scaling: RopeScaling::None };
        let lay =
            Lay { trees: trees.to_vec(), rotations: vec![Rotation::new(positions, shape.heads.dim, &rope)] };
        let held: Vec<Option<Vec<f32>>> =
            Slot::ALL.map(|slot| shape.size(slot).map(|(r, c)| random(r * c, 0.3, rng))).to_vec();
        let flat = match trained {
            Trained::Nothing => Vec::new(),
            Trained::Lora(layout) => random(layout.len, 0.2, rng),
            Trained::All => random(shape.len(), 0.3, rng),
        };
        let (x, upstream) = (random(n * shape.hidden, 1.0, rng), random(n * shape.hidden, 1.0, rng));

        let frozen: Vec<Option<Tensor>> =
            held.iter().map(|w| w.as_ref().map(|w| tensor(w, &[w.len()]))).collect();
        let slow_x = Var::from_tensor(&tensor(&x, &[n, shape.hidden])).unwrap();
        let slow_flat = if flat.is_empty() { vec![0.0] } else { flat.clone() };
        let slow_flat = Var::from_tensor(&tensor(&slow_flat, &[slow_flat.len()])).unwrap();
        let reference = Reference { shape, trained, frozen: &frozen, flat: &slow_flat, mask: Some(5) };
        let tables = Tables::new(&lay, n, [shape], &Device::Cpu).unwrap();
        let slow = reference.layer(&slow_x, &tables).unwrap();
        let along = (&slow * &tensor(&upstream, &[n, shape.hidden])).unwrap().sum_all().unwrap();
        let slow_gradients = along.backward().unwrap();

        let weights = match trained {
            Trained::All => Weights::of_flat(shape, &flat),
            _ => Weights::new(shape, |slot| {
                let (outputs, inputs) = shape.size(slot)?;
                let numbers = Slice::F32(held[slot as usize].as_deref()?);
                Some(Map { numbers, outputs, inputs, out_stride: inputs, in_stride: 1 })
            }),
        };
        let layer = Layer {
            shape,
            weights: &weights,
            trained,
            flat: &flat,
            mask: Some(5),
            beside: &[],
            wanted: None,
        };
        let (y, saved) = layer.forward_pack(&x, &lay);
        assert_close(&y, &slow, &format!("{what}: output"));
        let mut d_flat = vec![0.0; flat.len()];
        let dx = layer.backward(&x, &lay, saved, upstream.clone(), true, &mut d_flat).unwrap();
        assert_close(&dx, slow_gradients.get(&slow_x).unwrap(), &format!("{what}: gradient of the input"));
        if let Trained::Nothing = trained {
            return;
        }
        let wanted = slow_gradients.get(&slow_flat).unwrap();
        assert_close(&d_flat, wanted, &format!("{what}: gradient of what is trained"));
        // What is below the lowest trained layer asks for less and gets the same.
        let mut again = vec![0.0; flat.len()];
        let (_, saved) = layer.forward_pack(&x, &lay);
        assert!(layer.backward(&x, &lay, saved, upstream.clone(), false, &mut again).is_none());
        assert_close(&again, wanted, &format!("{what}: without a gradient of the input"));
        check_some_rows(&layer, &x, &lay, &y, &upstream, what);
    }

    /// Where only some rows are wanted, outputs and gradients are those of a loss that sees no others.
    fn check_some_rows(layer: &Layer<'_>, x: &[f32], lay: &Lay, y: &[f32], upstream: &[f32], what: &str) {
        let hidden = layer.shape.hidden;
        let rows: Vec<usize> = (0..x.len() / hidden).filter(|row| row % 3 == 0 || row % 7 == 2).collect();
        let pick = |of: &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|row| of[row * hidden..(row + 1) * hidden].to_vec()).collect()
        };
        let mut seen = vec![0.0; upstream.len()];
        for row in &rows {
            let row = row * hidden..(row + 1) * hidden;
            seen[row.clone()].copy_from_slice(&upstream[row]);
        }
        let gradients = |layer: &Layer<'_>, dy: Vec<f32>| {
            let (y, saved) = layer.forward_pack(x, lay);
            let mut d_flat = vec![0.0; layer.flat.len()];
            let dx = layer.backward(x, lay, saved, dy, true, &mut d_flat).unwrap();
            (y, dx, d_flat)
        };
        let (_, dx, d_flat) = gradients(layer, seen);
        let some = Layer { wanted: Some(&rows), ..*layer };
        let (found_y, found_dx, found_flat) = gradients(&some, pick(upstream));
        let close = |found: &[f32], wanted: Vec<f32>, part: &str| {
            let wanted = tensor(&wanted, &[wanted.len()]);
            assert_close(found, &wanted, &format!("{what}, some rows: {part}"));
        };
        close(&found_y, pick(y), "output");
        close(&found_dx, dx, "gradient of the input");
        close(&found_flat, d_flat, "gradient of what is trained");
    }

    fn lora(
        shape: &LayerShape,
        family: Family,
        (magnitude, dropout): (bool, f32),
        some: impl Fn(&Target) -> bool,
    ) -> Trained {
        let update = |target: &Target| {
            // Ranks and scales differ from map to map.
            let rank = 2 + target.path.len() % 3;
            some(target).then_some(Update { rank, scale: 1.7 - rank as f32 * 0.1, magnitude })
        };
        Trained::Lora(Arc::new(Layout::new(shape, family.targets(), dropout, update)))
    }

    #[test]
    fn the_fused_layer_equals_the_plain_one() {
        for (shape, family) in shapes() {
            let ways = [
                ("nothing", Trained::Nothing),
                ("all", Trained::All),
                ("lora on all maps", lora(&shape, family, (false, 0.0), |_| true)),
                ("lora on two maps", lora(&shape, family, (false, 0.0), |t| t.path.len() % 2 == 0)),
                ("dora", lora(&shape, family, (true, 0.0), |_| true)),
                ("dora with dropout", lora(&shape, family, (true, 0.2), |_| true)),
            ];
            for (name, trained) in &ways {
                for lengths in [&[1][..], &[70], &[3, 1, 130, 64]] {
                    let mut start = 0;
                    let mut alone = |len: &usize| {
                        start += len;
                        Tree::alone(start - len..start)
                    };
                    let trees: Vec<Tree> = lengths.iter().map(&mut alone).collect();
                    let positions: Vec<u32> = lengths.iter().flat_map(|len| 0..*len as u32).collect();
                    check(&shape, trained, &trees, &positions, &format!("{family:?}, {name}, {lengths:?}"));
                }
                // A prefix of 66 tokens with three branches, one of them empty, and a sequence by itself.
                let trees =
                    [Tree { prefix: 0..66, members: vec![66..68, 68..68, 68..99] }, Tree::alone(99..104)];
                let positions: Vec<u32> = (0..66).chain(66..68).chain(66..97).chain(0..5).collect();
                check(&shape, trained, &trees, &positions, &format!("{family:?}, {name}, a tree"));
            }
        }
    }

    /// A layer in which every token sees every other of its picture, as CLIP's.
    #[test]
    fn a_layer_that_is_not_causal_equals_the_plain_one() {
        let (gpt2, family) = shapes().swap_remove(1);
        let heads = Heads { causal: false, ..gpt2.heads };
        let shape = LayerShape { heads, activation: Activation::QuickGelu, ..gpt2 };
        let trees = [Tree::alone(0..1), Tree::alone(1..131), Tree::alone(131..196)];
        let positions: Vec<u32> = (0..196).collect();
        for (name, trained) in [
            ("nothing", Trained::Nothing),
            ("all", Trained::All),
            ("lora", lora(&shape, family, (false, 0.1), |_| true)),
        ] {
            check(&shape, &trained, &trees, &positions, &format!("not causal, {name}"));
        }
    }
}
