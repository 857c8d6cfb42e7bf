//! Examples to token sequences with labels, and sequences to packs.
//!
//! A pack is several sequences laid end to end. Nothing is padded and no sequence sees another: attention and
//! positions are the sequence's own, so a pack's loss is the sum of its sequences' losses.

use std::sync::Arc;

use geneverse_data::dataset::Example;
use geneverse_data::prompt::Template;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::ops::layer::Lay;
use crate::ops::rope::Rotation;
use crate::tokens::Tokenizer;

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

/// Encodes instruction examples. An end-of-sequence token ends every answer that is not cut.
pub fn encode_examples(
    examples: &[Example],
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    encoding: &Encoding,
) -> Result<(Vec<Sequence>, EncodingReport)> {
    let mut report = EncodingReport::default();
    let mut sequences = Vec::with_capacity(examples.len());
    for example in examples {
        let prompt = encoding.template.render(&example.instruction, &example.input);
        let (ids, of_prompt) = tokenizer.encode_pair(&prompt, &example.output)?;
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
    let labels = (1..=ids.len()).map(|next| ids.get(next).copied().filter(|_| next >= first)).collect();
    (Sequence { ids, labels }, cut)
}

/// Several sequences laid end to end.
pub struct Pack {
    pub(crate) ids: Vec<u32>,
    pub(crate) labels: Vec<Option<u32>>,
    pub(crate) lay: Arc<Lay>,
}

impl Pack {
    /// Packs sequences. With `padding` each is lengthened to the longest (a multiple of 8), as the published
    /// recipe does; the loss is the same, only more is computed.
    pub fn new<'a>(
        sequences: impl IntoIterator<Item = &'a Sequence>,
        config: &ModelConfig,
        padding: bool,
    ) -> Self {
        let sequences: Vec<&Sequence> = sequences.into_iter().collect();
        let longest = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(0).next_multiple_of(8);
        let pad = config.pad_token_id.or(config.eos_token_ids.first().copied()).unwrap_or(0);
        let (mut ids, mut labels, mut places, mut positions) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for sequence in sequences {
            let start = ids.len();
            ids.extend_from_slice(&sequence.ids);
            labels.extend_from_slice(&sequence.labels);
            if padding {
                ids.resize(start + longest, pad);
                labels.resize(start + longest, None);
            }
            positions.extend(0..(ids.len() - start) as u32);
            places.push(start..ids.len());
        }
        let rotation = Rotation::new(&positions, config.head_dim, config.rope_theta);
        Self { ids, labels, lay: Arc::new(Lay { sequences: places, rotation }) }
    }

    /// Number of tokens, padding included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        ModelConfig {
            hidden_size: 8,
            intermediate_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            num_key_value_heads: 1,
            head_dim: 8,
            vocab_size: 300,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            max_position_embeddings: 64,
            tie_word_embeddings: true,
            bos_token_id: Some(1),
            eos_token_ids: vec![2],
            pad_token_id: Some(3),
        }
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
}
