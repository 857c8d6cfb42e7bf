//! Batched greedy decoding with a key/value cache.
//!
//! Prompts of any lengths are answered together with no padding: a prompt's keys and values lie in a cache of
//! its own, and when an answer is finished the next prompt takes its place. The products of a step are shared
//! by all answers under way; attention is each answer's own.

use rayon::prelude::*;

use crate::arch::decoder::Decoder;
use crate::arch::projector::PICTURE;
use crate::batch::{Pack, Packing, Sequence, places};
use crate::error::{ModelError, Result};
use crate::ops::attention::{self, Heads};
use crate::ops::layer::Lay;
use crate::ops::math::max;
use crate::ops::matmul::{Into, Threads, product, rows, transposed};
use crate::ops::{buffer, in_pool};

/// Prompt tokens that are read in one pass.
const PREFILL_TOKENS: usize = 2048;

/// How answers are made.
#[derive(Debug, Clone)]
pub struct GenerateConfig {
    /// Longest answer in tokens. One that reaches the model's last position ends there, whatever the others' lengths.
    pub max_new_tokens: usize,
    /// Answers under way at once.
    pub batch: usize,
    /// Tokens that end an answer and are not part of it.
    pub stop_ids: Vec<u32>,
    /// The logit of every token that is in question or answer is divided by it where it is positive, else multiplied
    /// by it (Keskar et al., 2019); above 0, 1 for no penalty. As transformers' `repetition_penalty`.
    pub repetition_penalty: f32,
    /// No run of so many tokens comes twice in question and answer together; 0 for no such guard. As transformers'
    /// `no_repeat_ngram_size`.
    pub no_repeat_ngram_size: usize,
}

/// A finished answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Which prompt it answers.
    pub prompt: usize,
    /// The answer's tokens.
    pub ids: Vec<u32>,
    /// Whether it ended by itself, not at the longest length.
    pub stopped: bool,
}

/// What happens on the way to the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An answer got its next token.
    Token {
        /// Which prompt is being answered.
        prompt: usize,
        /// The token.
        id: u32,
    },
    /// An answer is finished.
    Done(Generated),
}

/// Keys and values of one answer in one layer: (key heads, room, dim) each, so that a head reads what is its own from
/// one end to the other.
struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
    /// Tokens that there is room for.
    room: usize,
    /// Tokens in it.
    time: usize,
}

/// An answer under way.
struct Slot {
    prompt: usize,
    /// Tokens in the cache.
    len: usize,
    /// Where the next token stands: as far as there are tokens, or less far after pictures that take less room.
    position: u32,
    /// The token that comes next into the model.
    next: u32,
    /// Whether `next` has been told.
    told: bool,
    /// The question's tokens and the answer's, without `next`.
    history: Vec<u32>,
    /// Each of them once, where they are penalised.
    seen: Vec<u32>,
    /// How many of them are the question's.
    asked: usize,
    layers: Vec<Cache>,
}

impl Slot {
    /// Tokens that would complete a run of `length` tokens that has been before.
    fn repeating(&self, length: usize) -> Vec<u32> {
        let Some(start) = (self.history.len() + 1).checked_sub(length).filter(|_| length > 0) else {
            return Vec::new();
        };
        let last = &self.history[start..];
        let runs = self.history.windows(length).filter(|run| run.starts_with(last));
        runs.map(|run| run[length - 1]).filter(|id| *id < PICTURE).collect()
    }
}

/// Answers `prompts` (token ids, begin-of-sequence included). `on_event` is called with each token and each finished
/// answer, in no set order of prompts; when it returns `false` the rest is left unanswered.
pub fn generate(
    model: &Decoder,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
    on_event: &mut dyn FnMut(Event) -> Result<bool>,
) -> Result<()> {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0) + config.max_new_tokens;
    if prompts.iter().any(Vec::is_empty) || config.batch == 0 || config.max_new_tokens == 0 {
        return Err(ModelError::Run(
            "generation needs prompts of at least one token, a batch and an answer length of at least 1"
                .into(),
        ));
    }
    if !(config.repetition_penalty > 0.0 && config.repetition_penalty.is_finite()) {
        let found = config.repetition_penalty;
        return Err(ModelError::Run(format!(
            "repetition_penalty is {found}, expected a number above 0; 1 is no penalty"
        )));
    }
    let mut waiting = prompts.iter().enumerate().peekable();
    let mut slots: Vec<Slot> = Vec::new();
    let engine = Engine { model, longest, config };
    loop {
        let mut fresh: Vec<(usize, &[u32])> = Vec::new();
        let mut tokens = 0;
        while slots.len() + fresh.len() < config.batch {
            let Some((_, ids)) = waiting.peek() else { break };
            if !fresh.is_empty() && tokens + ids.len() > PREFILL_TOKENS {
                break;
            }
            tokens += ids.len();
            fresh.extend(waiting.next().map(|(prompt, ids)| (prompt, ids.as_slice())));
        }
        if !fresh.is_empty() {
            slots.extend(in_pool(|| engine.read(&fresh))?);
        } else if slots.is_empty() {
            return Ok(());
        } else {
            in_pool(|| engine.step(&mut slots))?;
        }
        let mut index = 0;
        while index < slots.len() {
            let slot = &mut slots[index];
            let stopped = config.stop_ids.contains(&slot.next);
            let told = std::mem::replace(&mut slot.told, true);
            if !stopped && !told && !on_event(Event::Token { prompt: slot.prompt, id: slot.next })? {
                return Ok(());
            }
            let answered = slot.history.len() - slot.asked;
            let room = model.config().max_position_embeddings.saturating_sub(slot.asked);
            if stopped || answered + 1 >= config.max_new_tokens.min(room) {
                let slot = slots.swap_remove(index);
                let mut ids = slot.history[slot.asked..].to_vec();
                if !stopped {
                    ids.push(slot.next);
                }
                if !on_event(Event::Done(Generated { prompt: slot.prompt, ids, stopped }))? {
                    return Ok(());
                }
            } else {
                index += 1;
            }
        }
    }
}

struct Engine<'a> {
    model: &'a Decoder,
    /// Room in a cache.
    longest: usize,
    config: &'a GenerateConfig,
}

impl Engine<'_> {
    /// Reads prompts into new slots, each with the first token of its answer. What the prompts begin with alike is
    /// read once.
    fn read(&self, prompts: &[(usize, &[u32])]) -> Result<Vec<Slot>> {
        let config = self.model.config();
        let width = config.num_key_value_heads * config.head_dim;
        let sequences: Vec<Sequence> = prompts
            .iter()
            .map(|(_, ids)| Sequence { ids: ids.to_vec(), labels: vec![None; ids.len()] })
            .collect();
        // An expert takes so many tokens of a sequence: what sequences share would not be one's own.
        let experts = config.vision.as_ref().is_some_and(|vision| vision.experts.is_some());
        let packing = if experts { Packing::Apart } else { Packing::Shared };
        let pack = Pack::new(&sequences, config, packing);
        let mut slots: Vec<Slot> = Vec::new();
        for (prompt, tokens) in prompts {
            let layers = (0..config.num_hidden_layers).map(|_| Cache::new(width, self.longest)).collect();
            let (len, history) = (tokens.len(), tokens.to_vec());
            let mut seen = if self.penalises() { history.clone() } else { Vec::new() };
            // Rows of pictures are never said.
            seen.retain(|id| *id < PICTURE);
            seen.sort_unstable();
            seen.dedup();
            let position = places(tokens, config).map_or(len as u32, |(_, next)| next);
            slots.push(Slot {
                prompt: *prompt,
                len,
                position,
                next: 0,
                told: false,
                history,
                seen,
                asked: len,
                layers,
            });
        }
        let x = self.forward(&pack.ids, &pack.positions, &pack.lay, |layer, heads, qkv| {
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
        slots.iter_mut().zip(chosen).for_each(|(slot, next)| slot.next = next);
        Ok(slots)
    }

    /// Gives every slot its next token.
    fn step(&self, slots: &mut [Slot]) -> Result<()> {
        let ids: Vec<u32> = slots.iter().map(|slot| slot.next).collect();
        let positions: Vec<u32> = slots.iter().map(|slot| slot.position).collect();
        let lay = Lay::new(Vec::new(), &positions, self.model.config());
        let x = self.forward(&ids, &positions, &lay, |layer, heads, qkv| {
            for (slot, row) in slots.iter_mut().zip(qkv.chunks_exact(heads.row())) {
                slot.layers[layer].append(row, heads);
            }
            let caches: Vec<&Cache> = slots.iter().map(|slot| &slot.layers[layer]).collect();
            attend_cached(qkv, &caches, heads)
        })?;
        for slot in slots.iter_mut() {
            slot.history.push(slot.next);
            if self.penalises() && !slot.seen.contains(&slot.next) {
                slot.seen.push(slot.next);
            }
            slot.len += 1;
            slot.position += 1;
        }
        let chosen = self.choose(&x, slots);
        for (slot, next) in slots.iter_mut().zip(chosen) {
            (slot.next, slot.told) = (next, false);
        }
        Ok(())
    }

    /// Hidden states after the last layer: (n, hidden).
    fn forward(
        &self,
        ids: &[u32],
        positions: &[u32],
        lay: &Lay,
        mut attend: impl FnMut(usize, Heads, &[f32]) -> Vec<f32>,
    ) -> Result<Vec<f32>> {
        let mut x = self.model.embed(ids, positions)?;
        for number in 0..self.model.layers.len() {
            x = self.model.with_layer(number, None, |layer| {
                let heads = layer.shape.heads;
                layer.forward(&x, lay, |qkv| (attend(number, heads, qkv), Vec::new())).0
            });
        }
        Ok(x)
    }

    fn penalises(&self) -> bool {
        self.config.repetition_penalty != 1.0
    }

    /// The likeliest next token of each slot by its row of `x`, after penalties and guard; the first of equals.
    fn choose(&self, x: &[f32], slots: &[Slot]) -> Vec<u32> {
        let vocabulary = self.model.config().vocab_size;
        let mut h = buffer(x.len());
        self.model.final_norm().forward(x, &mut h);
        let mut logits = self.model.head().map_or_else(Vec::new, |head| head.logits(&h));
        let GenerateConfig { repetition_penalty: penalty, no_repeat_ngram_size, .. } = *self.config;
        let best = |(row, slot): (&mut [f32], &Slot)| {
            for id in &slot.seen {
                let logit = &mut row[*id as usize];
                *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
            }
            for id in slot.repeating(no_repeat_ngram_size) {
                row[id as usize] = f32::NEG_INFINITY;
            }
            let largest = max(row);
            row.iter().position(|x| *x == largest).unwrap_or(0) as u32
        };
        logits.par_chunks_exact_mut(vocabulary).zip(slots).map(best).collect()
    }
}

impl Cache {
    fn new(width: usize, room: usize) -> Self {
        Self { keys: buffer(width * room), values: buffer(width * room), room, time: 0 }
    }

    /// Takes the keys and values of rotated rows (n, row).
    fn append(&mut self, qkv: &[f32], heads: Heads) {
        let (dim, width) = (heads.dim, heads.key_value * heads.dim);
        for row in qkv.chunks_exact(heads.row()) {
            let (keys, values) = row[heads.out()..].split_at(width);
            for (place, numbers) in [(&mut self.keys, keys), (&mut self.values, values)] {
                for (head, numbers) in numbers.chunks_exact(dim).enumerate() {
                    let at = (head * self.room + self.time) * dim;
                    place[at..at + dim].copy_from_slice(numbers);
                }
            }
            self.time += 1;
        }
    }
}

/// Attention of one new token per cache, which already holds its own key: (n, query heads · dim).
fn attend_cached(qkv: &[f32], caches: &[&Cache], heads: Heads) -> Vec<f32> {
    let (dim, group) = (heads.dim, heads.query / heads.key_value);
    let mut out = buffer(caches.len() * heads.out());
    out.par_chunks_exact_mut(group * dim).enumerate().for_each(|(task, out)| {
        let (row, key_head) = (task / heads.key_value, task % heads.key_value);
        let Cache { keys, values, room, time } = caches[row];
        let earliest = heads.earliest(time - 1);
        let first = (key_head * room + earliest) * dim;
        let seen = time - earliest;
        let mut weights = buffer(group * seen);
        let at = row * heads.row() + key_head * group * dim;
        let (queries, one) = (rows(&qkv[at..at + group * dim], dim), Threads::One);
        let keys = transposed(&keys[first..], dim);
        product((group, seen, dim), 1.0, queries, keys, &mut weights, seen, Into::Fresh, one);
        weights.chunks_exact_mut(seen).for_each(|weights| {
            heads.softmax(weights);
        });
        let (weights, values) = (rows(&weights, seen), rows(&values[first..], dim));
        product((group, dim, seen), 1.0, weights, values, out, dim, Into::Fresh, one);
    });
    out
}
