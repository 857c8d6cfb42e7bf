//! Examples to token sequences with labels, and sequences to packs.
//!
//! A pack is several sequences laid end to end. Nothing is padded and no sequence sees another: attention and
//! positions are the sequence's own, so a pack's loss is the sum of its sequences' losses. Sequences that begin
//! alike, as questions do, share the rows of what they begin with, which is computed once.

mod places;

use std::ops::Range;

use geneverse_data::dataset::Example;
use geneverse_data::prompt::Template;
use serde::{Deserialize, Serialize};

use crate::arch::projector::PICTURE;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::attention::Tree;
use crate::ops::cross_entropy::Label;
use crate::ops::layer::Lay;
use crate::ops::rope::Rotation;
use crate::pictures::{Placed, Seen, asked, pair, prompt};
use crate::tokens::Tokenizer;
pub(crate) use places::{Place, places};

/// Token ids, and for each position the token it is trained to say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Begins with the begin-of-sequence token where the model has one.
    pub ids: Vec<u32>,
    /// `labels[i]` follows `ids[i]`; `None` where nothing is trained.
    pub labels: Vec<Option<u32>>,
}

impl Sequence {
    /// Number of positions with a label.
    pub fn trained(&self) -> usize {
        self.labels.iter().flatten().count()
    }
}

/// How examples become sequences.
#[derive(Debug, Clone, Copy)]
pub struct Encoding {
    /// The text around an instruction.
    pub template: Template,
    /// Longest sequence, in tokens.
    pub cutoff: usize,
    /// Whether the model is trained to say the prompt too.
    pub train_on_prompt: bool,
}

/// What the encoding of a data set came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EncodingReport {
    /// Sequences.
    pub sequences: usize,
    /// Tokens.
    pub tokens: usize,
    /// Tokens with a label.
    pub trained_tokens: usize,
    /// Longest sequence.
    pub longest: usize,
    /// Ids of examples cut at the cutoff, which lose the end of their answer.
    pub cut: Vec<String>,
}

impl EncodingReport {
    fn count(&mut self, sequence: &Sequence) {
        self.sequences += 1;
        self.tokens += sequence.ids.len();
        self.trained_tokens += sequence.trained();
        self.longest = self.longest.max(sequence.ids.len());
    }

    /// Share of tokens that are trained.
    pub fn trained_share(&self) -> f64 {
        self.trained_tokens as f64 / self.tokens.max(1) as f64
    }
}

/// Encodes instruction examples, with the pictures that have been `seen` where they show some. An end-of-sequence token
/// ends every answer that is not cut.
pub fn encode_examples(
    examples: &[Example],
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    encoding: &Encoding,
    seen: Option<Seen<'_>>,
) -> Result<(Vec<Sequence>, EncodingReport)> {
    let mut report = EncodingReport::default();
    let mut sequences = Vec::with_capacity(examples.len());
    for example in examples {
        let prompt = encoding.template.render(&asked(example), &example.input);
        let answer = format!("{}{}", encoding.template.before_answer(), example.output);
        let Placed { ids, of_prompt } = pair(example, (&prompt, &answer), tokenizer, config, seen)?;
        let (sequence, cut) = sequence(ids, of_prompt, config, encoding.cutoff, encoding.train_on_prompt);
        if cut {
            report.cut.push(example.id.clone());
        }
        report.count(&sequence);
        sequences.push(sequence);
    }
    if report.trained_tokens == 0 {
        let reason = match sequences.is_empty() {
            true => "the data holds no examples".to_owned(),
            false => format!(
                "no token of {} examples is trained: every prompt fills the cutoff of {} tokens; raise data.cutoff",
                sequences.len(),
                encoding.cutoff
            ),
        };
        return Err(ModelError::Run(reason));
    }
    Ok((sequences, report))
}

/// Tokens of an example's question, begin-of-sequence included, as a model is asked.
pub fn encode_prompt(
    example: &Example,
    template: Template,
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    seen: Option<Seen<'_>>,
) -> Result<Vec<u32>> {
    let text = template.render(&asked(example), &example.input);
    encode_rendered(example, &text, tokenizer, config, seen)
}

/// The same of a prompt that is rendered already, with a place for each of the pictures that `example` names.
pub fn encode_rendered(
    example: &Example,
    text: &str,
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    seen: Option<Seen<'_>>,
) -> Result<Vec<u32>> {
    let mut ids = prompt(example, text, tokenizer, config, seen)?;
    if config.bos_token_id.is_some() && ids.first() != config.bos_token_id.as_ref() {
        ids.splice(0..0, config.bos_token_id);
    }
    Ok(ids)
}

/// Encodes plain documents, every token trained; a long one becomes several sequences.
pub fn encode_documents<'a>(
    documents: impl Iterator<Item = &'a str>,
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    cutoff: usize,
) -> Result<(Vec<Sequence>, EncodingReport)> {
    let mut report = EncodingReport::default();
    let mut sequences = Vec::new();
    for document in documents {
        let mut ids = tokenizer.encode(document)?;
        ids.extend(config.eos_token_ids.first());
        for part in ids.chunks(cutoff.saturating_sub(1).max(1)) {
            let mut ids: Vec<u32> = config.bos_token_id.into_iter().collect();
            ids.extend_from_slice(part);
            let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
            let sequence = Sequence { ids, labels };
            report.count(&sequence);
            sequences.push(sequence);
        }
    }
    if report.trained_tokens == 0 {
        return Err(ModelError::Run("the text holds no tokens".to_owned()));
    }
    Ok((sequences, report))
}

/// Adds begin and end, cuts, and masks the prompt.
fn sequence(
    mut ids: Vec<u32>,
    mut of_prompt: usize,
    config: &ModelConfig,
    cutoff: usize,
    train_on_prompt: bool,
) -> (Sequence, bool) {
    if let Some(bos) = config.bos_token_id {
        // A prompt that already begins with it must not begin with it twice.
        if ids.first() != Some(&bos) {
            ids.insert(0, bos);
            of_prompt += 1;
        }
    }
    ids.extend(config.eos_token_ids.first());
    let cut = ids.len() > cutoff;
    ids.truncate(cutoff);
    let first = if train_on_prompt { 1 } else { of_prompt.max(1) };
    // A picture's rows are never said.
    let said = |next: usize| ids.get(next).copied().filter(|id| next >= first && *id < PICTURE);
    let labels = (1..=ids.len()).map(said).collect();
    (Sequence { ids, labels }, cut)
}

/// How sequences become a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Each lengthened to the longest (a multiple of 8), as the published recipe does; the loss is the same, only
    /// more is computed.
    Padded,
    /// End to end.
    Apart,
    /// End to end, and what several of them begin with, computed once.
    Shared,
}

/// A prefix shorter than this is not worth sharing: attention in two parts costs more than it saves.
const SHORTEST_PREFIX: usize = 8;

/// Several sequences laid end to end.
pub struct Pack {
    pub(crate) ids: Vec<u32>,
    pub(crate) positions: Vec<u32>,
    pub(crate) labels: Vec<Label>,
    pub(crate) lay: Lay,
    /// The rows that hold each sequence's tokens: those of the prefix that it shares, then its own.
    pub(crate) of_sequences: Vec<[Range<usize>; 2]>,
}

impl Pack {
    /// Packs sequences.
    pub fn new<'a>(
        sequences: impl IntoIterator<Item = &'a Sequence>,
        config: &ModelConfig,
        packing: Packing,
    ) -> Self {
        let sequences: Vec<&Sequence> = sequences.into_iter().collect();
        let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(0).next_multiple_of(8);
        let pad = config.pad_token_id.or(config.eos_token_ids.first().copied()).unwrap_or(0);
        let mut pack = Rows::default();
        let placed: Vec<Option<(Vec<Place>, u32)>> =
            sequences.iter().map(|sequence| places(&sequence.ids, config)).collect();
        let place = |member: usize| placed[member].as_ref().map_or(&[][..], |(places, _)| places);
        let mut of_sequences = vec![[0..0, 0..0]; sequences.len()];
        for (prefix, members) in bundles(&sequences, packing) {
            if let Some(first) = members.first().filter(|_| prefix > 0) {
                pack.add(sequences[*first], place(*first), 0..prefix, members.len() as f32);
            }
            let stem = pack.ids.len() - prefix..pack.ids.len();
            let mut own = Vec::new();
            for member in members {
                let (sequence, start) = (sequences[member], pack.ids.len());
                pack.add(sequence, place(member), prefix..sequence.ids.len(), 1.0);
                if packing == Packing::Padded {
                    for position in sequence.ids.len()..longest {
                        pack.ids.push(pad);
                        pack.positions.push(position as u32);
                        // Nothing is asked of padding, wherever it stands.
                        pack.places.extend(placed[member].as_ref().map(|(_, next)| [*next; 3]));
                    }
                }
                of_sequences[member] = [stem.clone(), start..pack.ids.len()];
                own.push(start..pack.ids.len());
            }
            pack.trees.push(Tree { prefix: stem, members: own });
        }
        let Rows { ids, positions, places, labels, trees } = pack;
        let lay = match places.is_empty() {
            true => Lay::new(trees, &positions, config),
            false => Lay::in_space(trees, &places, config),
        };
        Self { ids, positions, labels, lay, of_sequences }
    }

    /// Number of tokens computed.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Lay {
    pub(crate) fn new(trees: Vec<Tree>, positions: &[u32], config: &ModelConfig) -> Self {
        let rotation = |rope| Rotation::new(positions, config.head_dim, rope);
        Self { trees, rotations: config.ropes().into_iter().map(rotation).collect() }
    }

    /// The same of tokens with three coordinates.
    fn in_space(trees: Vec<Tree>, places: &[Place], config: &ModelConfig) -> Self {
        let any = config.vision.as_ref().and_then(|vision| vision.any_size.as_ref());
        let sections = any.map_or([config.head_dim / 2, 0, 0], |any| any.sections);
        let rotation = |rope| Rotation::in_space(places, sections, config.head_dim, rope);
        Self { trees, rotations: config.ropes().into_iter().map(rotation).collect() }
    }
}

/// The rows of a pack as they are laid.
#[derive(Default)]
struct Rows {
    ids: Vec<u32>,
    positions: Vec<u32>,
    /// Empty where tokens are only counted.
    places: Vec<Place>,
    labels: Vec<Label>,
    trees: Vec<Tree>,
}

impl Rows {
    /// Tokens of a sequence that `count` sequences share.
    fn add(&mut self, sequence: &Sequence, places: &[Place], tokens: Range<usize>, count: f32) {
        for place in tokens {
            let row = self.ids.len();
            self.labels.extend(sequence.labels[place].map(|token| Label { row, token, count }));
            self.ids.push(sequence.ids[place]);
            self.positions.push(place as u32);
            self.places.extend(places.get(place));
        }
    }
}

/// Which sequences begin alike, tokens and labels, with the length of what they share; in the order of the first of
/// each. A sequence of its own shares nothing.
fn bundles(sequences: &[&Sequence], packing: Packing) -> Vec<(usize, Vec<usize>)> {
    if packing != Packing::Shared {
        return (0..sequences.len()).map(|alone| (0, vec![alone])).collect();
    }
    let mut bundles: Vec<(usize, Vec<usize>)> = Vec::new();
    for (place, sequence) in sequences.iter().enumerate() {
        let alike = bundles.iter_mut().find_map(|(shared, members)| {
            let common = common_prefix(sequences[members[0]], sequence).min(*shared);
            (common >= SHORTEST_PREFIX).then_some((shared, members, common))
        });
        match alike {
            Some((shared, members, common)) => {
                *shared = common;
                members.push(place);
            }
            None => bundles.push((sequence.ids.len(), vec![place])),
        }
    }
    for (shared, members) in &mut bundles {
        if members.len() == 1 {
            *shared = 0;
        }
    }
    bundles
}

/// Rows of the pack that sequences would become, and of its longest tree, without making it.
pub(crate) fn rows(sequences: &[&Sequence], packing: Packing) -> (usize, usize) {
    let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(0).next_multiple_of(8);
    let of = |(prefix, members): &(usize, Vec<usize>)| match packing {
        Packing::Padded => longest * members.len(),
        _ => prefix + members.iter().map(|member| sequences[*member].ids.len() - prefix).sum::<usize>(),
    };
    let trees: Vec<usize> = bundles(sequences, packing).iter().map(of).collect();
    (trees.iter().sum(), trees.into_iter().max().unwrap_or(0))
}

fn common_prefix(a: &Sequence, b: &Sequence) -> usize {
    let pairs = a.ids.iter().zip(&a.labels).zip(b.ids.iter().zip(&b.labels));
    pairs.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        let sizes = serde_json::json!({"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 1, "vocab_size": 300, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3});
        crate::families::new_llama(sizes.as_object().unwrap()).unwrap()
    }

    #[test]
    fn the_answer_and_its_end_are_trained_and_the_prompt_is_not() {
        let (masked, cut) = sequence(vec![10, 11, 12, 20, 21], 3, &config(), 64, false);
        assert_eq!(masked.ids, [1, 10, 11, 12, 20, 21, 2]);
        assert_eq!(masked.labels, [None, None, None, Some(20), Some(21), Some(2), None]);
        assert!(!cut);
        let (all, _) = sequence(vec![10, 11, 12, 20, 21], 3, &config(), 64, true);
        assert_eq!(all.labels, [Some(10), Some(11), Some(12), Some(20), Some(21), Some(2), None]);
        let (short, cut) = sequence(vec![10, 11, 12, 20, 21], 3, &config(), 4, false);
        assert_eq!((short.trained(), cut), (0, true));
        let (twice, _) = sequence(vec![1, 10, 20], 2, &config(), 64, false);
        assert_eq!(twice.ids, [1, 10, 20, 2]);
    }

    #[test]
    fn what_sequences_begin_with_is_laid_once() {
        let sequence = |ids: &[u32]| {
            let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
            Sequence { ids: ids.to_vec(), labels }
        };
        let begin: Vec<u32> = (10..20).collect();
        let a = sequence(&[&begin[..], &[30, 31]].concat());
        let b = sequence(&[50, 51, 52]);
        let c = sequence(&[&begin[..], &[40]].concat());
        let pack = Pack::new([&a, &b, &c], &config(), Packing::Shared);
        // The tenth token is followed by 30 in one and by 40 in the other: each has it to itself.
        assert_eq!(
            pack.lay.trees,
            [Tree { prefix: 0..9, members: vec![9..12, 12..14] }, Tree::alone(14..17)]
        );
        assert_eq!(pack.of_sequences, [[0..9, 9..12], [14..14, 14..17], [0..9, 12..14]]);
        assert_eq!(pack.ids[9..], [19, 30, 31, 19, 40, 50, 51, 52]);
        assert_eq!(pack.positions[9..], [9, 10, 11, 9, 10, 0, 1, 2]);
        let counts: f32 = pack.labels.iter().map(|label| label.count).sum();
        assert_eq!(counts as usize, a.trained() + b.trained() + c.trained());
        assert_eq!(Pack::new([&a, &b, &c], &config(), Packing::Apart).len(), 26);
        assert_eq!(Pack::new([&a, &b, &c], &config(), Packing::Padded).len(), 48);
        let counted = |packing| rows(&[&a, &b, &c], packing);
        assert_eq!(counted(Packing::Shared), (17, 14));
        assert_eq!(counted(Packing::Apart), (26, 12));
        assert_eq!(counted(Packing::Padded), (48, 16));
    }
}
