//! One Llama decoder layer as one operation, with its backward pass written by hand.
//!
//! ```text
//! h = norm(x, n1);  q,k,v = h·Wqkv;  a = attention(rope(q), rope(k), v);  x2 = x + a·Wo
//! g = norm(x2, n2); y = x2 + (silu(g·Wgate) ⊙ g·Wup)·Wdown
//! ```
//!
//! The joined q, k, v and the joined gate, up are one product each. No gradient is computed for a frozen
//! weight. Kept for the backward pass: q,k,v after rotation, the attention's output and row sums, x2, gate
//! and up; the two norms and the activation are computed again where they are needed.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::attention::{self, Heads};
use super::lora::{self, Adaptation};
use super::matmul::{Into, Threads, product, rows, transposed};
use super::rope::{Rotation, Turn, rotate};
use super::{buffer, norm, slice, swiglu, view};
use crate::config::ModelConfig;

/// The sizes of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerShape {
    pub(crate) hidden: usize,
    pub(crate) inner: usize,
    pub(crate) heads: Heads,
    pub(crate) eps: f32,
}

/// The six weights, in the order in which a fully trained layer's flat vector holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// (hidden)
    InputNorm,
    /// (hidden)
    PostNorm,
    /// (query + key + value, hidden)
    QueryKeyValue,
    /// (hidden, query)
    Output,
    /// (gate + up, hidden)
    GateUp,
    /// (hidden, inner)
    Down,
}

impl Weight {
    pub(crate) const ALL: [Self; 6] =
        [Self::InputNorm, Self::PostNorm, Self::QueryKeyValue, Self::Output, Self::GateUp, Self::Down];

    /// Rows and columns; a norm is one row.
    pub(crate) fn shape(self, layer: &LayerShape) -> (usize, usize) {
        match self {
            Self::InputNorm | Self::PostNorm => (1, layer.hidden),
            Self::QueryKeyValue => (layer.heads.row(), layer.hidden),
            Self::Output => (layer.hidden, layer.heads.out()),
            Self::GateUp => (2 * layer.inner, layer.hidden),
            Self::Down => (layer.hidden, layer.inner),
        }
    }
}

impl LayerShape {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let (query, key_value) = (config.num_attention_heads, config.num_key_value_heads);
        let heads = Heads { query, key_value, dim: config.head_dim };
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        Self { hidden, inner, heads, eps: config.rms_norm_eps as f32 }
    }

    /// Where a weight lies in a fully trained layer's flat vector.
    pub(crate) fn place(&self, weight: Weight) -> Range<usize> {
        let mut start = 0;
        for each in Weight::ALL {
            let (rows, columns) = each.shape(self);
            if each == weight {
                return start..start + rows * columns;
            }
            start += rows * columns;
        }
        start..start
    }
}

/// What of a layer is trained, and so what its flat vector holds.
#[derive(Debug, Clone)]
pub(crate) enum Trained {
    /// Nothing; the flat vector is empty.
    Nothing,
    /// Low-rank matrices.
    Lora(Arc<lora::Layout>),
    /// Every weight; the flat vector holds them as [`LayerShape::place`] says.
    All,
}

/// The weights of a layer that are not in its flat vector, in the order of [`Weight::ALL`].
pub(crate) type Frozen = Arc<Vec<Tensor>>;

/// Borrowed weights.
struct Weights<'a> {
    input_norm: &'a [f32],
    post_norm: &'a [f32],
    qkv: &'a [f32],
    output: &'a [f32],
    gate_up: &'a [f32],
    down: &'a [f32],
}

/// The sequences of a pack.
#[derive(Debug, Clone)]
pub(crate) struct Lay {
    pub(crate) sequences: Vec<Range<usize>>,
    pub(crate) rotation: Rotation,
}

/// What the backward pass needs of the forward pass.
struct Saved {
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    log_sums: Vec<f32>,
    x2: Vec<f32>,
    gate_up: Vec<f32>,
    /// x·Aᵀ of the four groups.
    low: [Vec<f32>; 4],
}

/// The layer: x (n, hidden), flat (whatever is trained) → (n, hidden).
pub(crate) struct DecoderLayer {
    pub(crate) shape: LayerShape,
    pub(crate) trained: Trained,
    /// Empty where everything is trained.
    pub(crate) frozen: Frozen,
    pub(crate) lay: Arc<Lay>,
    /// Names this layer's dropout masks in this pass; `None` outside of training.
    pub(crate) mask: Option<u64>,
    /// Whether a gradient of `x` is wanted: not below the lowest trained parameter.
    pub(crate) want_dx: bool,
    saved: Mutex<Option<Saved>>,
}

impl DecoderLayer {
    pub(crate) fn new(shape: LayerShape, trained: Trained, frozen: Frozen, lay: Arc<Lay>) -> Self {
        Self { shape, trained, frozen, lay, mask: None, want_dx: true, saved: Mutex::new(None) }
    }

    fn with_weights<R>(&self, flat: &[f32], f: impl FnOnce(&Weights<'_>) -> R) -> Result<R> {
        let place = |w| &flat[self.shape.place(w)];
        if let Trained::All = self.trained {
            return Ok(f(&Weights {
                input_norm: place(Weight::InputNorm),
                post_norm: place(Weight::PostNorm),
                qkv: place(Weight::QueryKeyValue),
                output: place(Weight::Output),
                gate_up: place(Weight::GateUp),
                down: place(Weight::Down),
            }));
        }
        let [input_norm, post_norm, qkv, output, gate_up, down] = self.frozen.as_slice() else {
            bail!("a decoder layer has six weights, found {}", self.frozen.len());
        };
        let (input_norm, post_norm, qkv) = (view(input_norm)?, view(post_norm)?, view(qkv)?);
        let (output, gate_up, down) = (view(output)?, view(gate_up)?, view(down)?);
        Ok(f(&Weights {
            input_norm: &input_norm,
            post_norm: &post_norm,
            qkv: &qkv,
            output: &output,
            gate_up: &gate_up,
            down: &down,
        }))
    }

    fn adaptation<'a>(&self, layout: &'a lora::Layout, group: usize) -> Adaptation<'a> {
        let mask = self.mask.filter(|_| layout.dropout > 0.0).map(|key| key.wrapping_add(group as u64));
        Adaptation { layout, group, mask }
    }

    /// y (n, stride) += the adaptation of x, where there is one.
    fn adapt(&self, group: usize, x: &[f32], flat: &[f32], y: &mut [f32], stride: usize) -> Vec<f32> {
        match &self.trained {
            Trained::Lora(layout) => {
                self.adaptation(layout, group).forward(x, y.len() / stride, flat, y, stride)
            }
            _ => Vec::new(),
        }
    }

    /// Rotated queries, keys and values of `x` (n, hidden), and x·Aᵀ.
    fn project(&self, x: &[f32], w: &Weights<'_>, flat: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (hidden, heads) = (self.shape.hidden, self.shape.heads);
        let (n, row) = (x.len() / hidden, heads.row());
        let mut h = buffer(x.len());
        norm::forward(x, w.input_norm, self.shape.eps, &mut h);
        let mut qkv = buffer(n * row);
        let (a, b) = (rows(&h, hidden), transposed(w.qkv, hidden));
        product((n, row, hidden), 1.0, a, b, &mut qkv, row, Into::Fresh, Threads::All);
        let low = self.adapt(0, &h, flat, &mut qkv, row);
        rotate(&mut qkv, row, heads.query + heads.key_value, &self.lay.rotation, Turn::Forward);
        (qkv, low)
    }

    /// Everything after attention: (y, x2, gate and up, x·Aᵀ of the last three groups).
    fn finish(&self, x: &[f32], mixed: &[f32], w: &Weights<'_>, flat: &[f32]) -> Finished {
        let (hidden, inner, all) = (self.shape.hidden, self.shape.inner, Threads::All);
        let (n, out) = (x.len() / hidden, self.shape.heads.out());
        let mut x2 = x.to_vec();
        let (a, b) = (rows(mixed, out), transposed(w.output, out));
        product((n, hidden, out), 1.0, a, b, &mut x2, hidden, Into::Added, all);
        let low_output = self.adapt(1, mixed, flat, &mut x2, hidden);
        let mut h = buffer(x.len());
        norm::forward(&x2, w.post_norm, self.shape.eps, &mut h);
        let mut gate_up = buffer(n * 2 * inner);
        let (a, b) = (rows(&h, hidden), transposed(w.gate_up, hidden));
        product((n, 2 * inner, hidden), 1.0, a, b, &mut gate_up, 2 * inner, Into::Fresh, all);
        let low_gate_up = self.adapt(2, &h, flat, &mut gate_up, 2 * inner);
        let mut active = buffer(n * inner);
        swiglu::forward(&gate_up, inner, &mut active);
        let mut y = x2.clone();
        let (a, b) = (rows(&active, inner), transposed(w.down, inner));
        product((n, hidden, inner), 1.0, a, b, &mut y, hidden, Into::Added, all);
        let low_down = self.adapt(3, &active, flat, &mut y, hidden);
        Finished { y, x2, gate_up, low: [low_output, low_gate_up, low_down] }
    }

    /// The forward pass outside of autograd: `attend` turns rotated q,k,v (n, row) into mixed values (n, query).
    pub(crate) fn infer(
        &self,
        x: &[f32],
        flat: &[f32],
        attend: impl FnOnce(&[f32]) -> Vec<f32>,
    ) -> Result<Vec<f32>> {
        self.with_weights(flat, |w| {
            let (qkv, _) = self.project(x, w, flat);
            let mixed = attend(&qkv);
            self.finish(x, &mixed, w, flat).y
        })
    }

    /// Gradients (of x where wanted, of flat) from `dy`.
    fn backward(
        &self,
        x: &[f32],
        flat: &[f32],
        saved: Saved,
        dy: &[f32],
        w: &Weights<'_>,
    ) -> (Option<Vec<f32>>, Vec<f32>) {
        let LayerShape { hidden, inner, heads, eps } = self.shape;
        let (n, row, out, all) = (x.len() / hidden, heads.row(), heads.out(), Threads::All);
        let Saved { qkv, mixed, log_sums, x2, gate_up, low } = saved;
        let mut d_flat = buffer(flat.len());
        let mut step = Backward { layer: self, flat, d_flat: &mut d_flat };

        // y = x2 + active · Wdown
        let mut d_active = buffer(n * inner);
        product(
            (n, inner, hidden),
            1.0,
            rows(dy, hidden),
            rows(w.down, inner),
            &mut d_active,
            inner,
            Into::Fresh,
            all,
        );
        if step.trains(3) {
            let mut active = buffer(n * inner);
            swiglu::forward(&gate_up, inner, &mut active);
            step.linear(3, Weight::Down, &active, &low[3], dy, hidden, Some(&mut d_active));
        }
        let mut d_gate_up = buffer(n * 2 * inner);
        swiglu::backward(&gate_up, inner, &d_active, &mut d_gate_up);
        drop((gate_up, d_active));

        // gate, up = norm(x2) · Wgate, Wup
        let mut dh = buffer(n * hidden);
        let (a, b) = (rows(&d_gate_up, 2 * inner), rows(w.gate_up, hidden));
        product((n, hidden, 2 * inner), 1.0, a, b, &mut dh, hidden, Into::Fresh, all);
        let mut h = buffer(n * hidden);
        if step.trains(2) {
            norm::forward(&x2, w.post_norm, eps, &mut h);
            step.linear(2, Weight::GateUp, &h, &low[2], &d_gate_up, 2 * inner, Some(&mut dh));
        }
        drop(d_gate_up);
        step.norm(Weight::PostNorm, &x2, &dh);
        let mut dx2 = buffer(n * hidden);
        norm::backward(&x2, w.post_norm, eps, &dh, Some(dy), &mut dx2);
        drop(x2);

        // x2 = x + mixed · Wo
        let mut d_mixed = buffer(n * out);
        product(
            (n, out, hidden),
            1.0,
            rows(&dx2, hidden),
            rows(w.output, out),
            &mut d_mixed,
            out,
            Into::Fresh,
            all,
        );
        step.linear(1, Weight::Output, &mixed, &low[1], &dx2, hidden, Some(&mut d_mixed));
        let mut d_qkv = buffer(n * row);
        attention::backward(&qkv, &self.lay.sequences, heads, &mixed, &log_sums, &d_mixed, &mut d_qkv);
        rotate(&mut d_qkv, row, heads.query + heads.key_value, &self.lay.rotation, Turn::Back);
        drop((qkv, mixed, d_mixed));

        // q, k, v = norm(x) · Wqkv
        let wanted = self.want_dx || matches!(self.trained, Trained::All);
        if wanted {
            let (a, b) = (rows(&d_qkv, row), rows(w.qkv, hidden));
            product((n, hidden, row), 1.0, a, b, &mut dh, hidden, Into::Fresh, all);
        }
        if step.trains(0) {
            norm::forward(x, w.input_norm, eps, &mut h);
            step.linear(0, Weight::QueryKeyValue, &h, &low[0], &d_qkv, row, wanted.then_some(&mut dh));
        }
        step.norm(Weight::InputNorm, x, &dh);
        let dx = self.want_dx.then(|| {
            let mut dx = buffer(n * hidden);
            norm::backward(x, w.input_norm, eps, &dh, Some(&dx2), &mut dx);
            dx
        });
        (dx, d_flat)
    }
}

struct Finished {
    y: Vec<f32>,
    x2: Vec<f32>,
    gate_up: Vec<f32>,
    low: [Vec<f32>; 3],
}

/// The trained side of a backward pass: gradients into the flat vector.
struct Backward<'a> {
    layer: &'a DecoderLayer,
    flat: &'a [f32],
    d_flat: &'a mut [f32],
}

impl Backward<'_> {
    /// Whether anything of this group has a gradient.
    fn trains(&self, group: usize) -> bool {
        match &self.layer.trained {
            Trained::Nothing => false,
            Trained::Lora(layout) => !layout.groups[group].maps.is_empty(),
            Trained::All => true,
        }
    }

    /// Gradients of a linear map's trained part, and what flows through an adapter into `dx`.
    #[allow(clippy::too_many_arguments, reason = "a backward pass takes what the forward pass took and gave")]
    fn linear(
        &mut self,
        group: usize,
        weight: Weight,
        x: &[f32],
        low: &[f32],
        dy: &[f32],
        stride: usize,
        dx: Option<&mut Vec<f32>>,
    ) {
        match &self.layer.trained {
            Trained::Nothing => {}
            Trained::Lora(layout) => {
                let (n, dx) = (dy.len() / stride, dx.map(Vec::as_mut_slice));
                self.layer.adaptation(layout, group).backward(
                    x,
                    n,
                    self.flat,
                    low,
                    dy,
                    stride,
                    self.d_flat,
                    dx,
                );
            }
            Trained::All => {
                let (m, k) = weight.shape(&self.layer.shape);
                let dw = &mut self.d_flat[self.layer.shape.place(weight)];
                let n = dy.len() / stride;
                product((m, k, n), 1.0, transposed(dy, stride), rows(x, k), dw, k, Into::Fresh, Threads::All);
            }
        }
    }

    fn norm(&mut self, weight: Weight, x: &[f32], dy: &[f32]) {
        if let Trained::All = self.layer.trained {
            let place = self.layer.shape.place(weight);
            norm::backward_weight(x, self.layer.shape.eps, dy, &mut self.d_flat[place]);
        }
    }
}

impl CustomOp2 for DecoderLayer {
    fn name(&self) -> &'static str {
        "decoder-layer"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        flat: &CpuStorage,
        lf: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, flat) = (slice(x, lx)?, slice(flat, lf)?);
        let heads = self.shape.heads;
        let n = x.len() / self.shape.hidden;
        let y = self.with_weights(flat, |w| {
            let (qkv, low_qkv) = self.project(x, w, flat);
            let (mut mixed, mut log_sums) = (buffer(n * heads.out()), buffer(n * heads.query));
            attention::forward(&qkv, &self.lay.sequences, heads, &mut mixed, &mut log_sums);
            let Finished { y, x2, gate_up, low: [low_output, low_gate_up, low_down] } =
                self.finish(x, &mixed, w, flat);
            let low = [low_qkv, low_output, low_gate_up, low_down];
            if let Ok(mut place) = self.saved.lock() {
                *place = Some(Saved { qkv, mixed, log_sums, x2, gate_up, low });
            }
            y
        })?;
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        xt: &Tensor,
        ft: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(saved) = self.saved.lock().ok().and_then(|mut s| s.take()) else {
            bail!("the gradient of a decoder layer was asked for twice");
        };
        let dy = dy.contiguous()?;
        let (x, flat, dy) = (view(xt)?, view(ft)?, view(&dy)?);
        let (dx, d_flat) = self.with_weights(&flat, |w| self.backward(&x, &flat, saved, &dy, w))?;
        let dx = dx.map(|dx| Tensor::from_vec(dx, xt.shape(), xt.device())).transpose()?;
        Ok((dx, Some(Tensor::from_vec(d_flat, ft.shape(), ft.device())?)))
    }
}
