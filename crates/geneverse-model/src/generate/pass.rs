//! The two passes through the model that answers are made of: one reads prompts, one takes every answer a token further.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::cache::{Cache, attend_cached};
use super::{AnswerConfig, Slot};
use crate::adapter::Adapter;
use crate::arch::decoder::Decoder;
use crate::batch::{Pack, Packing, Sequence, places};
use crate::error::Result;
use crate::ops::attention::{self, Heads};
use crate::ops::beside::Beside;
use crate::ops::buffer;
use crate::ops::layer::Lay;
use crate::ops::math::max;

/// A prompt that is to be answered, `of` whom it is.
pub(crate) struct Asked<'a, T> {
    pub(crate) of: T,
    pub(crate) ids: &'a [u32],
    /// Tokens of the prompt that are read later.
    pub(crate) later: usize,
    /// Which of the adapters answers; none is the model as it is.
    pub(crate) adapter: Option<usize>,
    pub(crate) config: Arc<AnswerConfig>,
}

/// A model at work, and the adapters that answers may ask for.
pub(crate) struct Passes<'a> {
    pub(crate) model: &'a Decoder,
    pub(crate) adapters: &'a [Adapter],
}

/// An adapter and the rows of a pass that it works on.
type Part = (usize, Range<usize>);

impl Passes<'_> {
    /// Reads prompts into new slots, each with the first token of its answer. What the prompts begin with alike is
    /// read once where all of them are asked of the same adapter.
    pub(crate) fn read<T: Send + Sync>(&self, prompts: Vec<Asked<'_, T>>) -> Result<Vec<Slot<T>>> {
        let config = self.model.config();
        let width = config.num_key_value_heads * config.head_dim;
        let sequences: Vec<Sequence> = prompts
            .iter()
            .map(|asked| Sequence { ids: asked.ids.to_vec(), labels: vec![None; asked.ids.len()] })
            .collect();
        // An expert takes so many tokens of a sequence: what sequences share would not be one's own.
        let experts = config.vision.as_ref().is_some_and(|vision| vision.experts.is_some());
        let same = prompts.windows(2).all(|pair| pair[0].adapter == pair[1].adapter);
        let packing = if experts || !same { Packing::Apart } else { Packing::Shared };
        let pack = Pack::new(&sequences, config, packing);
        let adapters = prompts.iter().map(|asked| asked.adapter);
        let parts = match same {
            true => parts(adapters.take(1).map(|adapter| (adapter, 0..pack.len()))),
            false => parts(adapters.zip(pack.of_sequences.iter().map(|[_, own]| own.clone()))),
        };
        let slot = |Asked { of, ids, later, adapter, config: how }: Asked<'_, T>| {
            let asked = ids.len() + later;
            let most = self.most(asked, &how);
            let layers = (0..config.num_hidden_layers).map(|_| Cache::new(width, asked + most)).collect();
            let position = places(ids, config).map_or(ids.len() as u32, |(_, next)| next);
            Slot::new(of, ids, (position, most), (how, adapter), layers)
        };
        let mut slots: Vec<Slot<T>> = prompts.into_iter().map(slot).collect();
        let x = self.forward((&pack.ids, &pack.positions), &pack.lay, &parts, |layer, heads, qkv| {
            for (slot, rows) in slots.iter_mut().zip(&pack.of_sequences) {
                for rows in rows {
                    slot.layers[layer].append(&qkv[rows.start * heads.row()..rows.end * heads.row()], heads);
                }
            }
            let n = qkv.len() / heads.row();
            let (mut mixed, mut log_sums) = (buffer(n * heads.out()), buffer(n * heads.query));
            attention::forward(qkv, &pack.lay.trees, heads, &mut mixed, &mut log_sums);
            mixed
        })?;
        let hidden = config.hidden_size;
        // The last token lies in the prefix where a prompt has nothing of its own.
        let ends =
            pack.of_sequences.iter().map(|[prefix, own]| if own.is_empty() { prefix.end } else { own.end });
        let last: Vec<f32> = ends.flat_map(|end| &x[(end - 1) * hidden..end * hidden]).copied().collect();
        let chosen = self.choose(&last, &slots);
        slots.iter_mut().zip(chosen).for_each(|(slot, next)| slot.take(next));
        Ok(slots)
    }

    /// Longest answer to so many tokens, as asked for and as the model has positions for.
    pub(crate) fn most(&self, asked: usize, how: &AnswerConfig) -> usize {
        how.max_new_tokens.min(self.model.config().max_position_embeddings.saturating_sub(asked))
    }

    /// A slot of whose prompt the first tokens, `asked.ids`, have been read before, by the same adapter: their keys and values
    /// are `layers`. The rest is to be read by [`Passes::extend`].
    pub(crate) fn resume<T>(&self, asked: Asked<'_, T>, layers: Vec<Cache>) -> Slot<T> {
        let Asked { of, ids, later, adapter, config } = asked;
        let most = self.most(ids.len() + later, &config);
        Slot::new(of, ids, (ids.len() as u32, most), (config, adapter), layers)
    }

    /// Reads more of a slot's prompt, after which the token that it has follows all of that. Not for experts, who would take
    /// other tokens of a piece than of the whole, and not for pictures.
    pub(crate) fn extend<T: Send + Sync>(&self, slot: &mut Slot<T>, ids: &[u32]) -> Result<()> {
        let (config, n) = (self.model.config(), ids.len());
        let positions: Vec<u32> = (slot.position..).take(n).collect();
        let lay = Lay::new(Vec::new(), &positions, config);
        let part: Vec<Part> = slot.adapter.map(|adapter| (adapter, 0..n)).into_iter().collect();
        let x = self.forward((ids, &positions), &lay, &part, |layer, heads, qkv| {
            let cache = &mut slot.layers[layer];
            let before = cache.time();
            cache.append(qkv, heads);
            let cache = &*cache;
            let seen: Vec<(&Cache, usize)> = (1..=n).map(|new| (cache, before + new)).collect();
            attend_cached(qkv, &seen, heads)
        })?;
        slot.lengthen(ids);
        let chosen = self.choose(&x[(n - 1) * config.hidden_size..], std::slice::from_ref(slot));
        chosen.into_iter().for_each(|next| slot.take(next));
        Ok(())
    }

    /// Gives every slot its next token. Slots of one adapter that lie side by side share its products.
    pub(crate) fn step<T: Send + Sync>(&self, slots: &mut [Slot<T>]) -> Result<()> {
        let ids: Vec<u32> = slots.iter().map(|slot| slot.next).collect();
        let positions: Vec<u32> = slots.iter().map(|slot| slot.position).collect();
        let lay = Lay::new(Vec::new(), &positions, self.model.config());
        let rows = slots.iter().enumerate().map(|(row, slot)| (slot.adapter, row..row + 1));
        let x = self.forward((&ids, &positions), &lay, &parts(rows), |layer, heads, qkv| {
            for (slot, row) in slots.iter_mut().zip(qkv.chunks_exact(heads.row())) {
                slot.layers[layer].append(row, heads);
            }
            let caches = slots.iter().map(|slot| &slot.layers[layer]);
            let caches: Vec<(&Cache, usize)> = caches.map(|cache| (cache, cache.time())).collect();
            attend_cached(qkv, &caches, heads)
        })?;
        slots.iter_mut().for_each(Slot::advance);
        let chosen = self.choose(&x, slots);
        slots.iter_mut().zip(chosen).for_each(|(slot, next)| slot.take(next));
        Ok(())
    }

    /// Hidden states after the last layer: (n, hidden).
    fn forward(
        &self,
        (ids, positions): (&[u32], &[u32]),
        lay: &Lay,
        parts: &[Part],
        mut attend: impl FnMut(usize, Heads, &[f32]) -> Vec<f32>,
    ) -> Result<Vec<f32>> {
        let mut x = self.model.embed(ids, positions)?;
        for number in 0..self.model.layers.len() {
            let of_part = |(adapter, rows): &Part| self.adapters[*adapter].beside(number, rows.clone());
            let beside: Vec<Beside<'_>> = parts.iter().filter_map(of_part).collect();
            x = self.model.with_layer_at(number, None, (&beside, None), |layer| {
                let heads = layer.shape.heads;
                layer.forward(&x, lay, |qkv| (attend(number, heads, qkv), Vec::new())).0
            });
        }
        Ok(x)
    }

    /// The next token of each slot by its row of `x`, after penalties and guard.
    fn choose<T: Send + Sync>(&self, x: &[f32], slots: &[Slot<T>]) -> Vec<u32> {
        let vocabulary = self.model.config().vocab_size;
        let mut h = buffer(x.len());
        self.model.final_norm().forward(x, &mut h);
        let mut logits = self.model.head().map_or_else(Vec::new, |head| head.logits(&h));
        let best = |(row, slot): (&mut [f32], &Slot<T>)| {
            let AnswerConfig { repetition_penalty: penalty, choice, .. } = &*slot.config;
            for id in &slot.seen {
                let logit = &mut row[*id as usize];
                *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
            }
            for id in slot.repeating() {
                row[id as usize] = f32::NEG_INFINITY;
            }
            choice.of(row, max(row), slot.said())
        };
        logits.par_chunks_exact_mut(vocabulary).zip(slots).map(best).collect()
    }
}

/// The rows of a pass that each adapter works on, one run after another.
fn parts(rows: impl Iterator<Item = (Option<usize>, Range<usize>)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (adapter, rows) in rows.filter_map(|(adapter, rows)| Some((adapter?, rows))) {
        match parts.last_mut() {
            Some((last, before)) if *last == adapter && before.end == rows.start => before.end = rows.end,
            _ => parts.push((adapter, rows)),
        }
    }
    parts
}
