//! Texts to vectors: by an encoder as sentence-transformers computes it, or by a decoder's states.
//!
//! | folder | a text's vector |
//! |---|---|
//! | encoder (BERT, RoBERTa), or any model with `modules.json` | pooled as its sentence-transformers files say |
//! | decoder, with an adapter or without | the mean of the states after the last norm, the begin token left out |
//!
//! Texts are packed end to end, so that nothing is computed for padding. An encoder's packs are shared out among threads,
//! each worked on by one; a decoder's are computed one after another by all. Neither changes a number.

mod sentence;

use std::ops::Range;
use std::path::{Path, PathBuf};

use geneverse_data::stage::read_json;
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::arch::bert::{Bert, BertConfig, MODEL_TYPES};
use crate::arch::decoder::Decoder;
use crate::batch::{Pack, Packing, Sequence};
use crate::config::fields::Fields;
use crate::error::{ModelError, Result};
use crate::families::Family;
use crate::tokens::Tokenizer;
use crate::tokens::sentence::{Encoded, SentenceTokenizer};
use sentence::{Pooling, SentenceFolder, pool};

/// Tokens of a pack. An encoder's rows of this many tokens, and what a layer makes of them, stay near the core; a product
/// of fewer rows would read the weights more often than it has to.
const PACK_TOKENS: usize = 512;
/// Of a decoder, whose products are larger and use all threads.
const DECODER_PACK_TOKENS: usize = 2048;

/// A model that makes vectors of texts.
pub struct Embedder {
    model: Model,
    tokens: Tokens,
    folder: SentenceFolder,
    longest: usize,
}

/// Where the model of a folder lies: in it, or where its `modules.json` says.
pub fn transformer_folder(folder: &Path) -> Result<PathBuf> {
    let sentences = SentenceFolder::read(folder)?;
    Ok(sentences.map_or_else(|| folder.to_owned(), |sentences| sentences.transformer))
}

/// The files of a folder besides the model's own that its vectors depend on; those that are there.
pub fn sentence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let transformer = transformer_folder(folder)?;
    let mut files: Vec<PathBuf> =
        ["vocab.txt", "sentence_bert_config.json"].map(|name| transformer.join(name)).into();
    files.extend(["modules.json", "config_sentence_transformers.json"].map(|name| folder.join(name)));
    files.extend(sentence::pooling_file(folder)?);
    files.retain(|file| file.exists());
    Ok(files)
}

enum Model {
    Encoder(Box<Bert>),
    Decoder(Box<Decoder>),
}

enum Tokens {
    /// With what its files put before and after a text.
    Sentence(Box<SentenceTokenizer>),
    /// The text's own tokens, after the begin token where there is one.
    Plain(Box<Tokenizer>, Option<u32>),
}

/// Vectors of texts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    /// (texts, width), one text after another.
    pub numbers: Vec<f32>,
    /// Tokens that were computed, those around the texts included.
    pub tokens: usize,
    /// Texts of which tokens were cut off.
    pub cut: Vec<usize>,
    /// Texts without a token, whose vector is zero.
    pub empty: Vec<usize>,
}

impl Embedder {
    /// Reads a checkpoint folder. Texts are cut at what the model can read, and at `longest` tokens where that is less.
    pub fn read(folder: &Path, adapter: Option<&Path>, longest: Option<usize>) -> Result<Self> {
        let sentences = SentenceFolder::read(folder)?;
        let transformer = sentences.as_ref().map_or(folder, |sentences| &sentences.transformer).to_owned();
        let path = transformer.join("config.json");
        let fields: Map<String, Value> = read_json(&path)?;
        let encoder = BertConfig::is_encoder(&fields);
        let fields = Fields::new(&fields, &path);
        if !encoder && Family::of(&fields).is_err() {
            let known = Family::ALL.map(Family::name);
            let known = format!("one of {}, {}", MODEL_TYPES.join(", "), known.join(", "));
            return Err(fields.refuse_value("model_type", known));
        }
        let model = match (encoder, adapter) {
            (true, None) => Model::Encoder(Box::new(Bert::read(&transformer)?)),
            (true, Some(adapter)) => {
                return Err(ModelError::Run(format!(
                    "{}: adapters are for decoders, and {} is an encoder",
                    adapter.display(),
                    folder.display()
                )));
            }
            (false, adapter) => {
                let mut decoder = Decoder::read(&transformer)?;
                if let Some(adapter) = adapter {
                    decoder = decoder.with_adapter(adapter)?.merged(None);
                }
                Model::Decoder(Box::new(decoder))
            }
        };
        let mut most = match &model {
            Model::Encoder(bert) => bert.config.longest(),
            Model::Decoder(decoder) => decoder.config().max_position_embeddings,
        };
        let tokens = match &model {
            Model::Decoder(decoder) if sentences.is_none() => {
                let tokenizer = Tokenizer::read(&transformer)?;
                Tokens::Plain(Box::new(tokenizer), decoder.config().bos_token_id)
            }
            _ => Tokens::Sentence(Box::new(SentenceTokenizer::read(&transformer)?)),
        };
        let sentences = match sentences {
            Some(sentences) => sentences,
            None => SentenceFolder::plain(folder)?,
        };
        // As sentence-transformers: its own file's length, else the tokenizer's, and never more than the model has.
        let foreseen = match &tokens {
            Tokens::Sentence(tokenizer) => sentences.max_seq_length.or(tokenizer.longest()),
            Tokens::Plain(..) => sentences.max_seq_length,
        };
        most = most.min(foreseen.unwrap_or(usize::MAX)).min(longest.unwrap_or(usize::MAX));
        let mut embedder = Self { model, tokens, folder: sentences, longest: most };
        match &mut embedder.tokens {
            Tokens::Sentence(tokenizer) => tokenizer.cut_at(most)?,
            Tokens::Plain(_, begin) if most <= usize::from(begin.is_some()) => {
                let reason = format!("texts are to be cut at {most} tokens, which leaves no room for a text");
                return Err(ModelError::Run(reason));
            }
            Tokens::Plain(..) => {}
        }
        Ok(embedder)
    }

    /// Numbers of a vector.
    pub fn width(&self) -> usize {
        self.hidden() * self.folder.pooling.len()
    }

    /// The longest text in tokens; longer ones are cut.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// What makes the vectors, for people to read.
    pub fn describe(&self) -> String {
        let (name, layers) = match &self.model {
            Model::Encoder(bert) => (bert.config.model_type, bert.config.num_hidden_layers),
            Model::Decoder(decoder) => (decoder.config().family.name(), decoder.config().num_hidden_layers),
        };
        let modes: Vec<&str> = self.folder.pooling.iter().map(|mode| mode.name()).collect();
        let normalised = if self.folder.normalised { ", normalised" } else { "" };
        format!(
            "{name} of {layers} layers, {} pooling{normalised}, texts of up to {} tokens",
            modes.join(" and "),
            self.longest
        )
    }

    fn hidden(&self) -> usize {
        match &self.model {
            Model::Encoder(bert) => bert.config.hidden_size,
            Model::Decoder(decoder) => decoder.config().hidden_size,
        }
    }

    /// Vectors of texts, in their order.
    pub fn embed(&self, texts: &[&str]) -> Result<Vectors> {
        let encoded: Vec<Encoded> =
            texts.par_iter().map(|text| self.encode(text)).collect::<Result<Vec<_>>>()?;
        let mut vectors = Vectors::default();
        for (text, Encoded { ids, cut }) in encoded.iter().enumerate() {
            vectors.tokens += ids.len();
            vectors.cut.extend(cut.then_some(text));
            vectors.empty.extend((ids.len() <= self.before()).then_some(text));
        }
        let most = match &self.model {
            Model::Encoder(_) => PACK_TOKENS,
            Model::Decoder(_) => DECODER_PACK_TOKENS,
        };
        let packs = packs(&encoded, most);
        vectors.numbers = match &self.model {
            Model::Encoder(bert) => {
                let of_packs = packs.into_par_iter().map(|pack| self.encoder_pack(bert, &encoded[pack]));
                of_packs.collect::<Result<Vec<_>>>()?.concat()
            }
            Model::Decoder(decoder) => {
                let of_packs = packs.into_iter().map(|pack| self.decoder_pack(decoder, &encoded[pack]));
                of_packs.collect::<Result<Vec<_>>>()?.concat()
            }
        };
        Ok(vectors)
    }

    /// Tokens before a text that are no part of it.
    fn before(&self) -> usize {
        match &self.tokens {
            Tokens::Sentence(_) => 0,
            Tokens::Plain(_, begin) => usize::from(begin.is_some()),
        }
    }

    fn encode(&self, text: &str) -> Result<Encoded> {
        let SentenceFolder { prompt, lower, .. } = &self.folder;
        let mut text = if prompt.is_empty() { text.to_owned() } else { format!("{prompt}{text}") };
        if *lower {
            text = text.to_lowercase();
        }
        match &self.tokens {
            Tokens::Sentence(tokenizer) => tokenizer.encode(&text),
            Tokens::Plain(tokenizer, begin) => {
                let mut ids = tokenizer.encode(&text)?;
                if begin.is_some() && ids.first() != begin.as_ref() {
                    ids.splice(0..0, *begin);
                }
                let cut = ids.len() > self.longest;
                ids.truncate(self.longest);
                Ok(Encoded { ids, cut })
            }
        }
    }

    /// Vectors of texts that lie in one pack, by an encoder.
    fn encoder_pack(&self, bert: &Bert, texts: &[Encoded]) -> Result<Vec<f32>> {
        let mut ids: Vec<u32> = Vec::new();
        let mut sequences = Vec::new();
        for text in texts {
            sequences.push(ids.len()..ids.len() + text.ids.len());
            ids.extend_from_slice(&text.ids);
        }
        let vocabulary = bert.config.vocab_size;
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            let reason = format!("token {id} is outside of the model's vocabulary of {vocabulary}");
            return Err(ModelError::Run(reason + "; is this the model's own tokenizer?"));
        }
        let states = bert.forward(&ids, &sequences);
        Ok(self.pooled(&states, &sequences.into_iter().map(|rows| [rows, 0..0]).collect::<Vec<_>>()))
    }

    /// Vectors of texts that lie in one pack, by a decoder; what texts begin with alike is computed once.
    fn decoder_pack(&self, decoder: &Decoder, texts: &[Encoded]) -> Result<Vec<f32>> {
        let sequence =
            |text: &Encoded| Sequence { ids: text.ids.clone(), labels: vec![None; text.ids.len()] };
        let sequences: Vec<Sequence> = texts.iter().map(sequence).collect();
        let pack = Pack::new(&sequences, decoder.config(), Packing::Shared);
        let states = if pack.is_empty() { Vec::new() } else { decoder.hidden(&pack)? };
        Ok(self.pooled(&states, &pack.of_sequences))
    }

    /// A vector for each text, whose tokens' states lie in two ranges of rows.
    fn pooled(&self, states: &[f32], texts: &[[Range<usize>; 2]]) -> Vec<f32> {
        let hidden = self.hidden();
        let of_text = |ranges: &[Range<usize>; 2]| {
            let rows = ranges.iter().cloned().flatten().skip(self.before());
            let rows: Vec<&[f32]> = rows.map(|row| &states[row * hidden..(row + 1) * hidden]).collect();
            pool(&rows, hidden, &self.folder.pooling, self.folder.normalised)
        };
        texts.iter().flat_map(of_text).collect()
    }
}

/// Texts one after another in packs of at most `most` tokens; a longer text has a pack of its own.
fn packs(texts: &[Encoded], most: usize) -> Vec<Range<usize>> {
    let mut packs: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (text, Encoded { ids, .. }) in texts.iter().enumerate() {
        match packs.last_mut() {
            Some(pack) if tokens + ids.len() <= most => {
                pack.end = text + 1;
                tokens += ids.len();
            }
            _ => {
                packs.push(text..text + 1);
                tokens = ids.len();
            }
        }
    }
    packs
}

impl Pooling {
    fn name(self) -> &'static str {
        match self {
            Self::Cls => "first-token",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::MeanSqrtLen => "mean-by-root",
            Self::WeightedMean => "weighted-mean",
            Self::LastToken => "last-token",
        }
    }
}

#[cfg(test)]
mod tests;
