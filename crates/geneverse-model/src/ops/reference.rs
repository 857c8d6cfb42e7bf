//! The decoder layer in plain tensor operations: slow, short, and differentiated by candle itself.
//!
//! The oracle that [`super::layer`] is tested against, and what a device without kernels of ours would run.

use candle_core::{D, DType, Result, Tensor};

use super::layer::{Lay, LayerShape, Trained, Weight};
use super::lora::Layout;

/// RMSNorm of x (n, hidden).
pub(crate) fn rms_norm(x: &Tensor, w: &Tensor, eps: f32) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean_square + eps as f64)?.sqrt()?)?.broadcast_mul(w)
}

/// x (n, heads, dim) turned by the rotation.
fn rotate(x: &Tensor, lay: &Lay) -> Result<Tensor> {
    let (n, _, dim) = x.dims3()?;
    let half = dim / 2;
    let table = |t: &[f32]| Tensor::from_slice(t, (n, 1, half), x.device());
    let (cos, sin) = (table(&lay.rotation.cos)?, table(&lay.rotation.sin)?);
    let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Tensor::cat(&[first, second], 2)
}

/// 0 where a token may look, -∞ where it may not: (n, n).
fn mask(lay: &Lay, n: usize, like: &Tensor) -> Result<Tensor> {
    let mut mask = vec![f32::NEG_INFINITY; n * n];
    for sequence in &lay.sequences {
        for query in sequence.clone() {
            mask[query * n + sequence.start..=query * n + query].fill(0.0);
        }
    }
    Tensor::from_vec(mask, (1, n, n), like.device())
}

/// The layer: x (n, hidden), flat as `trained` says, frozen weights in the order of [`Weight::ALL`].
pub(crate) fn layer(
    shape: &LayerShape,
    trained: &Trained,
    frozen: &[Tensor],
    lay: &Lay,
    x: &Tensor,
    flat: &Tensor,
) -> Result<Tensor> {
    let weight = |w: Weight| -> Result<Tensor> {
        let (rows, columns) = w.shape(shape);
        let dims = if rows == 1 { vec![columns] } else { vec![rows, columns] };
        match trained {
            Trained::All => {
                let place = shape.place(w);
                flat.narrow(0, place.start, place.len())?.reshape(dims)
            }
            _ => frozen[w as usize].reshape(dims),
        }
    };
    let linear = |x: &Tensor, w: Weight, group: usize| -> Result<Tensor> {
        let y = x.matmul(&weight(w)?.t()?)?;
        match trained {
            Trained::Lora(layout) => y + adaptation(layout, group, w.shape(shape).0, x, flat)?,
            _ => Ok(y),
        }
    };
    let n = x.dim(0)?;
    let heads = shape.heads;
    let h = rms_norm(x, &weight(Weight::InputNorm)?, shape.eps)?;
    let qkv = linear(&h, Weight::QueryKeyValue, 0)?;
    let part = |first: usize, count: usize| {
        qkv.narrow(1, first * heads.dim, count * heads.dim)?.contiguous()?.reshape((n, count, heads.dim))
    };
    let q = rotate(&part(0, heads.query)?, lay)?.transpose(0, 1)?.contiguous()?;
    // Each key head serves a group of query heads: repeat it.
    let repeat = |x: Tensor| -> Result<Tensor> {
        let times = heads.query / heads.key_value;
        let x = x.transpose(0, 1)?.unsqueeze(1)?;
        x.repeat((1, times, 1, 1))?.reshape((heads.query, n, heads.dim))
    };
    let k = repeat(rotate(&part(heads.query, heads.key_value)?, lay)?)?;
    let v = repeat(part(heads.query + heads.key_value, heads.key_value)?)?;
    let scores = (q.matmul(&k.t()?)? / (heads.dim as f64).sqrt())?.broadcast_add(&mask(lay, n, x)?)?;
    let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
    let mixed = weights.matmul(&v)?.transpose(0, 1)?.contiguous()?.reshape((n, heads.out()))?;
    let x2 = (x + linear(&mixed, Weight::Output, 1)?)?;
    let h = rms_norm(&x2, &weight(Weight::PostNorm)?, shape.eps)?;
    let gate_up = linear(&h, Weight::GateUp, 2)?;
    let (gate, up) = (gate_up.narrow(1, 0, shape.inner)?, gate_up.narrow(1, shape.inner, shape.inner)?);
    let active = (gate.silu()? * up)?;
    x2 + linear(&active, Weight::Down, 3)?
}

/// s · (x · Aᵀ) · Bᵀ of a group's maps, side by side, zero where a map is not adapted: (n, width).
fn adaptation(layout: &Layout, group: usize, width: usize, x: &Tensor, flat: &Tensor) -> Result<Tensor> {
    let n = x.dim(0)?;
    let mut columns = Vec::new();
    let mut done = 0;
    for map in &layout.groups[group].maps {
        let matrix = |at: usize, rows: usize, columns: usize| {
            flat.narrow(0, at, rows * columns)?.reshape((rows, columns))
        };
        let a = matrix(map.a, layout.rank, map.inputs)?;
        let b = matrix(map.b, map.outputs, layout.rank)?;
        if map.column() > done {
            columns.push(Tensor::zeros((n, map.column() - done), DType::F32, x.device())?);
        }
        columns.push((x.matmul(&a.t()?)?.matmul(&b.t()?)? * layout.scale as f64)?);
        done = map.column() + map.outputs;
    }
    if width > done {
        columns.push(Tensor::zeros((n, width - done), DType::F32, x.device())?);
    }
    Tensor::cat(&columns, 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{Device, Var};

    use super::super::layer::DecoderLayer;
    use super::super::lora::{Layout, Linear};
    use super::super::rope::Rotation;
    use super::*;
    use crate::config::ModelConfig;
    use crate::rng::Rng;

    fn config(heads: usize, key_heads: usize, head_dim: usize, hidden: usize, inner: usize) -> ModelConfig {
        ModelConfig {
            hidden_size: hidden,
            intermediate_size: inner,
            num_hidden_layers: 1,
            num_attention_heads: heads,
            num_key_value_heads: key_heads,
            head_dim,
            vocab_size: 10,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            max_position_embeddings: 256,
            tie_word_embeddings: false,
            bos_token_id: None,
            eos_token_ids: vec![],
            pad_token_id: None,
        }
    }

    fn random(shape: &[usize], deviation: f32, rng: &mut Rng) -> Tensor {
        let n = shape.iter().product();
        let numbers: Vec<f32> = (0..n).map(|_| rng.normal(deviation)).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
    }

    fn difference(a: &Tensor, b: &Tensor) -> f32 {
        let scale = b.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap().max(1e-3);
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() / scale
    }

    /// Output and both gradients of the fused layer against the reference's, relative to the largest entry.
    fn check(config: &ModelConfig, trained: Trained, lengths: &[usize]) {
        let shape = LayerShape::new(config);
        let rng = &mut Rng::at(7, &[]);
        let mut starts = vec![0];
        lengths.iter().for_each(|len| starts.push(starts[starts.len() - 1] + len));
        let positions: Vec<u32> = lengths.iter().flat_map(|len| 0..*len as u32).collect();
        let n = positions.len();
        let sequences = starts.windows(2).map(|w| w[0]..w[1]).collect();
        let lay = Arc::new(Lay {
            sequences,
            rotation: Rotation::new(&positions, config.head_dim, config.rope_theta),
        });
        let frozen: Vec<Tensor> = Weight::ALL
            .iter()
            .map(|w| {
                let (rows, columns) = w.shape(&shape);
                random(&[rows, columns], 0.2, rng).reshape(if rows == 1 {
                    vec![columns]
                } else {
                    vec![rows, columns]
                })
            })
            .collect::<Result<_>>()
            .unwrap();
        let flat = match &trained {
            Trained::Nothing => random(&[1], 0.1, rng),
            Trained::Lora(layout) => random(&[layout.len], 0.1, rng),
            Trained::All => random(&[shape.place(Weight::Down).end], 0.2, rng),
        };
        let (x, flat) = (
            Var::from_tensor(&random(&[n, config.hidden_size], 1.0, rng)).unwrap(),
            Var::from_tensor(&flat).unwrap(),
        );
        let weights = random(&[n, config.hidden_size], 1.0, rng);

        let slow = layer(&shape, &trained, &frozen, &lay, &x, &flat).unwrap();
        let op = DecoderLayer::new(shape, trained.clone(), Arc::new(frozen), lay);
        let fast = x.apply_op2(&flat, op).unwrap();
        assert!(difference(&fast, &slow) < 2e-5, "output differs by {}", difference(&fast, &slow));
        let slow = (slow * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let fast = (fast * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        let dx = difference(fast.get(&x).unwrap(), slow.get(&x).unwrap());
        assert!(dx < 5e-5, "gradient of the input differs by {dx}");
        if !matches!(trained, Trained::Nothing) {
            let dw = difference(fast.get(&flat).unwrap(), slow.get(&flat).unwrap());
            assert!(dw < 5e-5, "gradient of the parameters differs by {dw}");
        }
    }

    #[test]
    fn the_fused_layer_equals_the_plain_one() {
        let square = config(4, 4, 8, 32, 48);
        let grouped = config(6, 2, 10, 28, 37);
        for config in [square, grouped] {
            for lengths in [&[1][..], &[70], &[3, 1, 130, 64], &[65, 2]] {
                check(&config, Trained::Nothing, lengths);
                check(&config, Trained::All, lengths);
                for targets in
                    [&Linear::ALL[..], &[Linear::Query, Linear::Value], &[Linear::Up, Linear::Output]]
                {
                    let layout = Layout::new(&config, targets, 3, 1.7, 0.0);
                    check(&config, Trained::Lora(Arc::new(layout)), lengths);
                }
            }
        }
    }
}
