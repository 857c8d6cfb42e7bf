//! What a decoder layer is made of: its sizes, and the weights that stand in its slots.

use std::ops::Range;

use super::attention::Heads;
use super::experts::Experts;
use super::matmul::{Matrix, Slice, strided};
use crate::config::{Activation, ModelConfig, Norm, Positions};

/// A weight of a layer. A fully trained layer's flat vector holds those that it has in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// (hidden)
    InputNorm,
    /// (hidden)
    InputNormBias,
    /// (query heads · dim, hidden)
    Query,
    /// (key heads · dim, hidden)
    Key,
    /// (key heads · dim, hidden)
    Value,
    /// (query heads · dim)
    QueryBias,
    /// (key heads · dim)
    KeyBias,
    /// (key heads · dim)
    ValueBias,
    /// (dim)
    QueryNorm,
    /// (dim)
    KeyNorm,
    /// (hidden, query heads · dim)
    Output,
    /// (hidden)
    OutputBias,
    /// (hidden), after attention
    AttentionNorm,
    /// (hidden), before the feed-forward
    MlpInputNorm,
    /// (hidden)
    MlpInputNormBias,
    /// (inner, hidden)
    Gate,
    /// (inner, hidden)
    Up,
    /// (inner)
    GateBias,
    /// (inner)
    UpBias,
    /// (hidden, inner)
    Down,
    /// (hidden)
    DownBias,
    /// (hidden), after the feed-forward
    MlpNorm,
}

impl Slot {
    pub(crate) const ALL: [Self; 22] = [
        Self::InputNorm,
        Self::InputNormBias,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::QueryBias,
        Self::KeyBias,
        Self::ValueBias,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::Output,
        Self::OutputBias,
        Self::AttentionNorm,
        Self::MlpInputNorm,
        Self::MlpInputNormBias,
        Self::Gate,
        Self::Up,
        Self::GateBias,
        Self::UpBias,
        Self::Down,
        Self::DownBias,
        Self::MlpNorm,
    ];

    /// Linear maps; the others are vectors.
    pub(crate) fn is_matrix(self) -> bool {
        let matrices = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];
        matrices.contains(&self)
    }

    /// Biases, of maps and of norms.
    pub(crate) fn is_bias(self) -> bool {
        let norms = [Self::InputNormBias, Self::MlpInputNormBias];
        norms.contains(&self) || Self::ALL.into_iter().any(|slot| slot.bias() == Some(self))
    }

    /// The slot of a linear map's bias.
    pub(crate) fn bias(self) -> Option<Self> {
        Some(match self {
            Self::Query => Self::QueryBias,
            Self::Key => Self::KeyBias,
            Self::Value => Self::ValueBias,
            Self::Output => Self::OutputBias,
            Self::Gate => Self::GateBias,
            Self::Up => Self::UpBias,
            Self::Down => Self::DownBias,
            _ => return None,
        })
    }
}

/// Linear maps that read the same input and write side by side into one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Query, key and value.
    Qkv,
    /// The attention's output.
    Output,
    /// Gate (where there is one) and up.
    Up,
    /// Down.
    Down,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Qkv, Self::Output, Self::Up, Self::Down];

    pub(crate) fn slots(self) -> &'static [Slot] {
        match self {
            Self::Qkv => &[Slot::Query, Slot::Key, Slot::Value],
            Self::Output => &[Slot::Output],
            Self::Up => &[Slot::Gate, Slot::Up],
            Self::Down => &[Slot::Down],
        }
    }
}

/// The sizes of a layer, and what it computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerShape {
    pub(crate) hidden: usize,
    pub(crate) inner: usize,
    pub(crate) heads: Heads,
    pub(crate) norm: Norm,
    pub(crate) eps: f32,
    pub(crate) activation: Activation,
    pub(crate) gated: bool,
    /// Whether experts stand in the place of the feed-forward, which then has no slots.
    pub(crate) experts: bool,
    pub(crate) qkv_bias: bool,
    pub(crate) output_bias: bool,
    pub(crate) mlp_bias: bool,
    pub(crate) head_norms: bool,
    pub(crate) sandwich_norms: bool,
    /// Which of a pack's rotations turns queries and keys.
    pub(crate) rotation: Option<usize>,
}

impl LayerShape {
    pub(crate) fn new(config: &ModelConfig, layer: usize) -> Self {
        let window = config.windows.get(layer).copied().flatten();
        let by_layer = if config.scale_by_layer { (layer + 1) as f64 } else { 1.0 };
        let heads = Heads {
            query: config.num_attention_heads,
            key_value: config.num_key_value_heads,
            dim: config.head_dim,
            scale: (config.attention_scale / by_layer) as f32,
            cap: config.attention_cap.map(|cap| cap as f32),
            window,
            causal: true,
        };
        let rotation = match &config.positions {
            Positions::Rotary { local: Some(_), .. } if window.is_some() => Some(1),
            Positions::Rotary { .. } => Some(0),
            Positions::Learned { .. } => None,
        };
        Self {
            hidden: config.hidden_size,
            inner: config.intermediate_size,
            heads,
            norm: config.norm,
            eps: config.norm_eps as f32,
            activation: config.activation,
            gated: config.gated,
            experts: config.vision.as_ref().and_then(|v| v.experts.as_ref()).is_some_and(|e| e.of(layer) > 0),
            qkv_bias: config.bias.qkv,
            output_bias: config.bias.output,
            mlp_bias: config.bias.mlp,
            head_norms: config.head_norms,
            sandwich_norms: config.sandwich_norms,
            rotation,
        }
    }

    /// Rows and columns of a slot's weight, a vector being one row; `None` where the layer has no such weight.
    pub(crate) fn size(&self, slot: Slot) -> Option<(usize, usize)> {
        let (hidden, inner) = (self.hidden, self.inner);
        let (query, key) = (self.heads.out(), self.heads.key_value * self.heads.dim);
        let layer_norm = self.norm == Norm::Layer;
        let vector = |has: bool, width: usize| has.then_some((1, width));
        match slot {
            Slot::Gate | Slot::GateBias | Slot::Up | Slot::UpBias | Slot::Down | Slot::DownBias
                if self.experts =>
            {
                None
            }
            Slot::InputNorm | Slot::MlpInputNorm => Some((1, hidden)),
            Slot::InputNormBias | Slot::MlpInputNormBias => vector(layer_norm, hidden),
            Slot::Query => Some((query, hidden)),
            Slot::Key | Slot::Value => Some((key, hidden)),
            Slot::QueryBias => vector(self.qkv_bias, query),
            Slot::KeyBias | Slot::ValueBias => vector(self.qkv_bias, key),
            Slot::QueryNorm | Slot::KeyNorm => vector(self.head_norms, self.heads.dim),
            Slot::Output => Some((hidden, query)),
            Slot::OutputBias => vector(self.output_bias, hidden),
            Slot::AttentionNorm | Slot::MlpNorm => vector(self.sandwich_norms, hidden),
            Slot::Gate => self.gated.then_some((inner, hidden)),
            Slot::GateBias => vector(self.gated && self.mlp_bias, inner),
            Slot::Up => Some((inner, hidden)),
            Slot::UpBias => vector(self.mlp_bias, inner),
            Slot::Down => Some((hidden, inner)),
            Slot::DownBias => vector(self.mlp_bias, hidden),
        }
    }

    /// The slots that this layer has.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (Slot, usize, usize)> {
        Slot::ALL.into_iter().filter_map(|slot| self.size(slot).map(|(rows, columns)| (slot, rows, columns)))
    }

    /// Length of a fully trained layer's flat vector.
    pub(crate) fn len(&self) -> usize {
        self.slots().map(|(_, rows, columns)| rows * columns).sum()
    }

    /// Where a weight lies in a fully trained layer's flat vector; empty where the layer has none.
    pub(crate) fn place(&self, slot: Slot) -> Range<usize> {
        let before: usize = self
            .slots()
            .take_while(|(other, ..)| (*other as usize) < slot as usize)
            .map(|(_, rows, columns)| rows * columns)
            .sum();
        before..before + self.size(slot).map_or(0, |(rows, columns)| rows * columns)
    }

    /// Width of what a group reads.
    pub(crate) fn inputs(&self, group: Group) -> usize {
        match group {
            Group::Qkv | Group::Up => self.hidden,
            Group::Output => self.heads.out(),
            Group::Down => self.inner,
        }
    }

    /// Width of the row that a group writes.
    pub(crate) fn outputs(&self, group: Group) -> usize {
        group.slots().iter().filter_map(|slot| self.size(*slot)).map(|(rows, _)| rows).sum()
    }

    /// The first column of a slot in its group's row.
    pub(crate) fn column(&self, slot: Slot) -> usize {
        let before = |group: Group| -> usize {
            let slots = group.slots().iter().take_while(|other| **other != slot);
            slots.filter_map(|other| self.size(*other)).map(|(rows, _)| rows).sum()
        };
        Group::ALL.into_iter().find(|g| g.slots().contains(&slot)).map_or(0, before)
    }
}

/// A borrowed linear map: element (output, input) lies at `output · out_stride + input · in_stride`.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) numbers: Slice<'a>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) out_stride: usize,
    pub(crate) in_stride: usize,
}

impl<'a> Map<'a> {
    /// As the right factor of `x · Wᵀ`: (inputs, outputs).
    pub(crate) fn forward(self) -> Matrix<'a> {
        strided(self.numbers, self.in_stride, self.out_stride)
    }

    /// The matrix (outputs, inputs) row after row, in f32.
    pub(crate) fn to_vec(self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.outputs * self.inputs];
        if self.in_stride == 1 {
            for (output, row) in numbers.chunks_exact_mut(self.inputs).enumerate() {
                self.numbers.widen(output * self.out_stride..output * self.out_stride + self.inputs, row);
            }
        } else {
            let mut column = vec![0.0; self.outputs];
            for input in 0..self.inputs {
                let first = input * self.in_stride;
                self.numbers.widen(first..first + self.outputs, &mut column);
                column.iter().enumerate().for_each(|(output, x)| numbers[output * self.inputs + input] = *x);
            }
        }
        numbers
    }

    /// As the right factor of `dy · W`: (outputs, inputs).
    pub(crate) fn backward(self) -> Matrix<'a> {
        strided(self.numbers, self.out_stride, self.in_stride)
    }
}

/// The borrowed weights of a layer, by slot.
pub(crate) struct Weights<'a> {
    slots: [Option<Map<'a>>; Slot::ALL.len()],
    /// What stands in the place of the feed-forward.
    pub(crate) experts: Option<&'a Experts>,
}

impl<'a> Weights<'a> {
    /// Takes what `find` has for each slot of the layer.
    pub(crate) fn new(shape: &LayerShape, find: impl Fn(Slot) -> Option<Map<'a>>) -> Self {
        let mut slots = [None; Slot::ALL.len()];
        shape.slots().for_each(|(slot, ..)| slots[slot as usize] = find(slot));
        Self { slots, experts: None }
    }

    /// The weights in a fully trained layer's flat vector.
    pub(crate) fn of_flat(shape: &LayerShape, flat: &'a [f32]) -> Self {
        Self::new(shape, |slot| {
            let (outputs, inputs) = shape.size(slot)?;
            let numbers = Slice::F32(&flat[shape.place(slot)]);
            Some(Map { numbers, outputs, inputs, out_stride: inputs, in_stride: 1 })
        })
    }

    /// A linear map, where the layer has it.
    pub(crate) fn map(&self, slot: Slot) -> Option<Map<'a>> {
        self.slots[slot as usize]
    }

    /// The linear maps of a group, each with the column in the group's row where its outputs begin.
    pub(crate) fn maps(&self, shape: &LayerShape, group: Group) -> impl Iterator<Item = (Map<'a>, usize)> {
        let place = move |slot: &Slot| self.map(*slot).map(|map| (map, shape.column(*slot)));
        group.slots().iter().filter_map(place)
    }

    /// A vector, which is always held in f32; empty where the layer has none.
    pub(crate) fn vector(&self, slot: Slot) -> &'a [f32] {
        match self.slots[slot as usize] {
            Some(Map { numbers: Slice::F32(numbers), .. }) => numbers,
            _ => &[],
        }
    }
}
