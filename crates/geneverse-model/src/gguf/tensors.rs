//! A decoder's tensors under llama.cpp's names, and their numbers as it wants them.
//!
//! Three things change on the way. Of Llama's queries and keys the rows of a head are put in another order, because
//! llama.cpp turns neighbours where transformers turns the halves of a head (`permute` in its `conversion/llama.py`).
//! Gemma's norms hold 1 + w. And a scale of the scores that llama.cpp has no key for is multiplied into the queries.
//!
//! A tensor is read, changed and written a few million numbers at a time: what is held of a base model is one such piece.

use std::ops::Range;

use super::architecture::{Described, turns_neighbours, usual_scale};
use crate::arch::decoder::Decoder;
use crate::config::{ModelConfig, Norm};
use crate::families::{Family, Top};
use crate::ops::slots::{Map, Slot};

/// A tensor of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Of one dimension, or else looked up by row and added: always f32.
    pub(super) exact: bool,
    pub(super) is_vector: bool,
    from: From,
    /// Rows of a head, where their order changes.
    turned: Option<usize>,
    added: f32,
    factor: f32,
}

/// Where a tensor's numbers come from.
#[derive(Debug, Clone, PartialEq)]
enum From {
    Top(Top),
    /// Slots of a layer, one under the other.
    Layer(usize, &'static [Slot]),
    Given(Vec<f32>),
}

/// All tensors of a decoder, in the order in which they are written.
pub(super) fn tensors(decoder: &Decoder, described: &Described) -> Vec<Tensor> {
    let config = decoder.config();
    let plain = |name: String, (rows, columns): (usize, usize), from: From| Tensor {
        name,
        rows,
        columns,
        exact: false,
        is_vector: false,
        from,
        turned: None,
        added: 0.0,
        factor: 1.0,
    };
    let plus_one = if config.norm == Norm::RmsPlusOne { 1.0 } else { 0.0 };
    let mut tensors = Vec::new();
    for top in Top::ALL {
        // llama.cpp's StableLM has to have an output layer.
        let size = match (top, config.family) {
            (Top::Head, Family::StableLm) => Some((config.vocab_size, config.hidden_size)),
            _ => Decoder::top_size(config, top),
        };
        let Some(size) = size else { continue };
        let mut tensor = plain(top_name(top).to_owned(), size, From::Top(top));
        tensor.is_vector = matches!(top, Top::Norm | Top::NormBias);
        tensor.exact = tensor.is_vector || top == Top::Positions;
        tensor.added = if top == Top::Norm { plus_one } else { 0.0 };
        tensors.push(tensor);
    }
    if let Some(factors) = &described.rope_factors {
        let from = From::Given(factors.clone());
        let tensor = plain("rope_freqs.weight".to_owned(), (1, factors.len()), from);
        tensors.push(Tensor { is_vector: true, exact: true, ..tensor });
    }
    for (number, layer) in decoder.layers.iter().enumerate() {
        for (slots, name) in layer_names(config.family) {
            let sizes: Vec<_> = slots.iter().filter_map(|slot| layer.shape.size(*slot)).collect();
            let Some(&(rows, columns)) = sizes.first() else { continue };
            let is_vector = !slots[0].is_matrix();
            let all = sizes.iter().map(|(rows, columns)| if is_vector { *columns } else { *rows }).sum();
            let size = if is_vector { (rows, all) } else { (all, columns) };
            let mut tensor = plain(format!("blk.{number}.{name}"), size, From::Layer(number, slots));
            (tensor.is_vector, tensor.exact) = (is_vector, is_vector);
            tensor.turned = turned(config, slots[0]);
            tensor.factor = factor(config, number, slots[0]);
            tensor.added = if is_norm(slots[0]) { plus_one } else { 0.0 };
            tensors.push(tensor);
        }
    }
    tensors
}

impl Tensor {
    /// Entries of a row first.
    pub(super) fn dims(&self) -> Vec<usize> {
        if self.is_vector { vec![self.columns] } else { vec![self.columns, self.rows] }
    }

    /// The numbers that it is made of, an adapter's update included.
    pub(super) fn source<'a>(&'a self, decoder: &'a Decoder) -> Source<'a> {
        let parts = match &self.from {
            From::Top(top) => decoder.top(*top).map(Part::of).into_iter().collect(),
            From::Given(numbers) => vec![Part::Own(numbers.clone(), self.columns)],
            From::Layer(number, slots) => {
                let weights = decoder.weights(*number);
                let part = |slot: &Slot| match decoder.merged_map(*number, *slot) {
                    Some(numbers) => Some(Part::Own(numbers, self.columns)),
                    None => weights.map(*slot).map(Part::of),
                };
                slots.iter().filter_map(part).collect()
            }
        };
        Source { tensor: self, parts }
    }
}

/// A tensor's numbers where they lie.
pub(super) struct Source<'a> {
    tensor: &'a Tensor,
    parts: Vec<Part<'a>>,
}

/// Rows that lie together.
enum Part<'a> {
    Lying(Map<'a>),
    /// Numbers and the length of a row.
    Own(Vec<f32>, usize),
}

impl<'a> Part<'a> {
    fn of(map: Map<'a>) -> Self {
        // Columns that lie one after the other (GPT-2's) are turned as a whole: row by row would read everything anew.
        if map.in_stride == 1 { Self::Lying(map) } else { Self::Own(map.to_vec(), map.inputs) }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Lying(map) => map.outputs,
            Self::Own(numbers, columns) => numbers.len() / columns,
        }
    }

    fn read(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Lying(map) => {
                let first = row * map.out_stride;
                map.numbers.widen(first..first + map.inputs, out);
            }
            Self::Own(numbers, columns) => out.copy_from_slice(&numbers[row * columns..(row + 1) * columns]),
        }
    }
}

impl Source<'_> {
    /// Fills `out` with these rows of the tensor.
    pub(super) fn rows(&self, rows: Range<usize>, out: &mut Vec<f32>) {
        let Tensor { columns, is_vector, turned, added, factor, .. } = *self.tensor;
        let first = rows.start;
        out.clear();
        out.resize(rows.len() * columns, 0.0);
        if is_vector {
            // The biases of queries, keys and values are one vector.
            let mut rest = out.as_mut_slice();
            for part in &self.parts {
                let length = match part {
                    Part::Lying(map) => map.inputs,
                    Part::Own(numbers, _) => numbers.len(),
                };
                let (own, after) = rest.split_at_mut(length.min(rest.len()));
                part.read_vector(own);
                rest = after;
            }
            turn(out, turned);
        } else {
            for (row, out) in rows.zip(out.chunks_exact_mut(columns)) {
                let mut row = turned.map_or(row, |head| source_row(row, head));
                for part in &self.parts {
                    if row < part.rows() {
                        part.read(row, out);
                        break;
                    }
                    row -= part.rows();
                }
            }
        }
        if added != 0.0 {
            out.iter_mut().for_each(|x| *x += added);
        }
        if factor != 1.0 {
            // Queries come first, also where keys and values are in the same tensor.
            let scaled = self.scaled();
            let length = if is_vector { scaled } else { scaled.saturating_sub(first) * columns };
            out.iter_mut().take(length).for_each(|x| *x *= factor);
        }
    }

    /// How many rows, or numbers of a vector, are queries'.
    fn scaled(&self) -> usize {
        self.parts.first().map_or(0, |part| match part {
            Part::Lying(map) if self.tensor.is_vector => map.inputs,
            part => part.rows(),
        })
    }
}

impl Part<'_> {
    fn read_vector(&self, out: &mut [f32]) {
        match self {
            Self::Lying(map) => map.numbers.widen(0..map.inputs, out),
            Self::Own(numbers, _) => out.copy_from_slice(numbers),
        }
    }
}

/// The row of transformers' order that stands at `row` in llama.cpp's, heads being of so many rows: its first half
/// at even places, its second at odd ones.
fn source_row(row: usize, head: usize) -> usize {
    let (first, place) = (row / head * head, row % head);
    first + place % 2 * (head / 2) + place / 2
}

/// The same for a vector.
fn turn(numbers: &mut [f32], head: Option<usize>) {
    let Some(head) = head else { return };
    let old = numbers.to_vec();
    numbers.iter_mut().enumerate().for_each(|(row, x)| *x = old[source_row(row, head)]);
}

fn turned(config: &ModelConfig, slot: Slot) -> Option<usize> {
    let rotated = matches!(slot, Slot::Query | Slot::Key | Slot::QueryBias | Slot::KeyBias);
    (rotated && turns_neighbours(config.family)).then_some(config.head_dim)
}

/// What the queries of a layer are multiplied by so that llama.cpp's scores are the model's. Where heads are normed that
/// would be lost on the way, and the norm's weight is multiplied.
fn factor(config: &ModelConfig, layer: usize, slot: Slot) -> f32 {
    let here = match slot {
        Slot::QueryNorm => true,
        Slot::Query | Slot::QueryBias => !config.head_norms,
        _ => false,
    };
    let by_layer = if config.scale_by_layer { (layer + 1) as f64 } else { 1.0 };
    let factor = config.attention_scale / usual_scale(config) / by_layer;
    if here && (factor - 1.0).abs() > 1e-6 { factor as f32 } else { 1.0 }
}

fn is_norm(slot: Slot) -> bool {
    let norms = [Slot::InputNorm, Slot::MlpInputNorm, Slot::AttentionNorm, Slot::MlpNorm];
    norms.contains(&slot) || matches!(slot, Slot::QueryNorm | Slot::KeyNorm)
}

fn top_name(top: Top) -> &'static str {
    match top {
        Top::Embedding => "token_embd.weight",
        Top::Positions => "position_embd.weight",
        Top::Norm => "output_norm.weight",
        Top::NormBias => "output_norm.bias",
        Top::Head => "output.weight",
    }
}

/// The tensors of a layer by their names below it.
fn layer_names(family: Family) -> Vec<(&'static [Slot], &'static str)> {
    use Slot::{Key, KeyBias, Query, QueryBias, Value, ValueBias};
    let mut names: Vec<(&'static [Slot], &'static str)> =
        vec![(&[Slot::InputNorm], "attn_norm.weight"), (&[Slot::InputNormBias], "attn_norm.bias")];
    match family {
        Family::Gpt2 => {
            names.push((&[Query, Key, Value], "attn_qkv.weight"));
            names.push((&[QueryBias, KeyBias, ValueBias], "attn_qkv.bias"));
        }
        _ => names.extend([
            (&[Query] as &'static [Slot], "attn_q.weight"),
            (&[QueryBias], "attn_q.bias"),
            (&[Key], "attn_k.weight"),
            (&[KeyBias], "attn_k.bias"),
            (&[Value], "attn_v.weight"),
            (&[ValueBias], "attn_v.bias"),
        ]),
    }
    names.extend([
        (&[Slot::QueryNorm] as &'static [Slot], "attn_q_norm.weight"),
        (&[Slot::KeyNorm], "attn_k_norm.weight"),
        (&[Slot::Output], "attn_output.weight"),
        (&[Slot::OutputBias], "attn_output.bias"),
        (&[Slot::AttentionNorm], "post_attention_norm.weight"),
        (&[Slot::MlpInputNorm], "ffn_norm.weight"),
        (&[Slot::MlpInputNormBias], "ffn_norm.bias"),
        (&[Slot::Gate], "ffn_gate.weight"),
        (&[Slot::GateBias], "ffn_gate.bias"),
        (&[Slot::Up], "ffn_up.weight"),
        (&[Slot::UpBias], "ffn_up.bias"),
        (&[Slot::Down], "ffn_down.weight"),
        (&[Slot::DownBias], "ffn_down.bias"),
        (&[Slot::MlpNorm], "post_ffw_norm.weight"),
    ]);
    names
}
