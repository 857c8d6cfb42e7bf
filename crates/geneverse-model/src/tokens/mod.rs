//! Text to token ids and back, as the files beside a checkpoint say, or byte-level BPE trained on text.
//!
//! | file | tokenizer | module |
//! |---|---|---|
//! | `tokenizer.json` | any of the tokenizers library | here |
//! | `tokenizer.model` | SentencePiece: Llama, Vicuna, Mistral, Gemma | `sentencepiece` |
//! | `vocab.json`, `merges.txt` | byte-level BPE: GPT-2, BioMedLM | `byte_level` |
//! | `vocab.json`, `merges.txt` | BioGPT: Moses' words, then BPE | `biogpt`, `moses` |
//! | `tokenizer.json`, or `vocab.txt` | encoders: BERT's WordPiece and others | `sentence` |

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use geneverse_data::stage::{FileError, atomic_write, read_json, write_json};
use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, SplitDelimiterBehavior, TokenizerBuilder};

use self::biogpt::{BioGpt, Placed};
use self::settings::{Roles, Settings};
use crate::error::{ModelError, Result};

mod biogpt;
mod byte_level;
mod moses;
mod protobuf;
pub(crate) mod sentence;
mod sentencepiece;
mod settings;

/// The special tokens of a tokenizer trained here, with ids from 0.
///
/// The picture token and the eight after it mean nothing yet: room for later tasks without a new vocabulary.
const SPECIAL: [&str; 5] = ["<unk>", "<s>", "</s>", "<pad>", "<image>"];
const RESERVED: usize = 8;
/// What a tokenizer trained here never joins into one token.
///
/// Capitals and digits stand alone, and so does the blank before them: `GLI1` is `G`, `L`, `I`, `1` after a blank, after
/// a bracket and at the start of an answer alike. A small model that meets a symbol it has never seen can then repeat
/// it letter by letter; of tokens that depend on what stands before it cannot. The words written in capitals that every
/// record repeats are kept whole.
pub(crate) const PIECES: &str =
    r" ?(?:HGNC|NCBI|DNA|RNA)(?![A-Z0-9])|ENSG0{5}| ?[A-Z]?[a-z]+| ?[^\sA-Za-z0-9]+|[A-Z0-9]|\s";

/// Ids of the special tokens of a tokenizer trained here.
pub const BOS: u32 = 1;
/// End of sequence, see [`BOS`].
pub const EOS: u32 = 2;
/// Padding, distinct from end of sequence so that the end is learnt, see [`BOS`].
pub const PAD: u32 = 3;

/// A tokenizer.
pub struct Tokenizer {
    kind: Kind,
    roles: Roles,
}

enum Kind {
    Library(Box<Library>),
    BioGpt(Box<BioGpt>),
}

/// What the tokenizers library runs.
struct Library {
    inner: tokenizers::Tokenizer,
    /// Ids that decoding leaves out. The library does so by the tokens' text, and misses those that it normalises.
    special: HashSet<u32>,
    /// The file's text where it was read from a `tokenizer.json`.
    json: Option<String>,
}

impl Library {
    fn new(inner: tokenizers::Tokenizer, json: Option<String>) -> Box<Self> {
        let added = inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        Box::new(Self { inner, special, json })
    }
}

impl Tokenizer {
    /// Reads the first of `tokenizer.json`, `tokenizer.model` and `vocab.json` with `merges.txt` that `folder` has.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |path: &Path| std::fs::read(path).map_err(|e| FileError::io(path, "read", e));
        let [json, model, vocabulary, merges] =
            ["tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"].map(|name| folder.join(name));
        let settings = Settings::read(folder)?;
        if json.exists() {
            let tokenizer = Self::from_bytes(&read(&json)?, &json)?;
            let roles = settings.roles(tokenizer.roles);
            return Ok(Self { roles, ..tokenizer });
        }
        let (inner, roles) = if model.exists() {
            sentencepiece::build(&read(&model)?, &model, &settings)?
        } else if !vocabulary.exists() || !merges.exists() {
            let reason = "has no tokenizer: neither tokenizer.json, nor tokenizer.model, nor vocab.json with \
                          merges.txt; copy those of the model it comes from";
            return Err(ModelError::Tokenizer { path: folder.to_owned(), reason: reason.to_owned() });
        } else if is_biogpt(folder, &settings)? {
            let kind = Kind::BioGpt(Box::new(BioGpt::read(folder, &settings)?));
            return Ok(Self { kind, roles: Roles::default() });
        } else {
            byte_level::build(folder, &settings)?
        };
        Ok(Self { kind: Kind::Library(Library::new(inner, None)), roles })
    }

    /// Reads the bytes of a `tokenizer.json`; `path` is for errors.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| refuse(e.to_string()))?;
        let json = String::from_utf8(bytes.to_vec()).map_err(|e| refuse(e.to_string()))?;
        let has = |token: &str| inner.token_to_id(token).map(|_| token.to_owned());
        let roles = Roles {
            bos_token: has("<s>"),
            eos_token: has("</s>"),
            unk_token: has("<unk>"),
            pad_token: has("<pad>"),
        };
        Ok(Self { kind: Kind::Library(Library::new(inner, Some(json))), roles })
    }

    /// Trains byte-level BPE of `vocabulary` tokens on documents.
    pub fn train<'a>(documents: impl Iterator<Item = &'a str> + Send, vocabulary: usize) -> Result<Self> {
        let refuse = |e: tokenizers::Error| ModelError::Run(format!("training the tokenizer failed: {e}"));
        let mut special: Vec<String> = SPECIAL.iter().map(|t| (*t).to_owned()).collect();
        special.extend((0..RESERVED).map(|i| format!("<reserved_{i}>")));
        let mut trainer = BpeTrainerBuilder::new()
            .vocab_size(vocabulary)
            .show_progress(false)
            .special_tokens(special.iter().map(|t| AddedToken::from(t.as_str(), true)).collect())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let pieces = SplitPattern::Regex(PIECES.to_owned());
        let pieces = Split::new(pieces, SplitDelimiterBehavior::Isolated, false).map_err(refuse)?;
        let bytes = ByteLevel::new(false, true, false);
        let split: Vec<PreTokenizerWrapper> = vec![pieces.into(), bytes.into()];
        let template = TemplateProcessing::builder()
            .try_single("<s> $A")
            .and_then(|b| b.special_tokens(vec![("<s>", BOS)]).build().map_err(|e| e.to_string()))
            .map_err(|e| ModelError::Run(format!("training the tokenizer failed: {e}")))?;
        let model = BPE::builder().unk_token("<unk>".into()).build().map_err(refuse)?;
        let mut tokenizer = TokenizerBuilder::<_, NormalizerWrapper, _, _, _>::new()
            .with_model(model)
            .with_normalizer(None)
            .with_pre_tokenizer(Some(Sequence::new(split)))
            .with_post_processor(Some(template))
            .with_decoder(Some(bytes))
            .build()
            .map_err(refuse)?;
        tokenizer.train(&mut trainer, documents.map(str::to_owned)).map_err(refuse)?;
        let json = tokenizer.to_string(true).map_err(refuse)?;
        Self::from_bytes(json.as_bytes(), Path::new("tokenizer.json"))
    }

    /// Writes the tokenizer into `folder`, as [`Tokenizer::read`] and transformers read it: BioGPT's as its own
    /// files, every other as `tokenizer.json` with a `tokenizer_config.json`.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join("tokenizer.json");
        if let Kind::BioGpt(biogpt) = &self.kind {
            return biogpt.write(folder);
        }
        let json = self.json()?;
        atomic_write(&path, |out| out.write_all(json.as_bytes()))?;
        let Roles { bos_token, eos_token, unk_token, pad_token } = &self.roles;
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": bos_token,
            "eos_token": eos_token,
            "unk_token": unk_token,
            "pad_token": pad_token,
            "clean_up_tokenization_spaces": false,
        });
        write_json(&folder.join("tokenizer_config.json"), &config)
    }

    /// The tokenizer as a `tokenizer.json` has it. BioGPT's has no such form.
    pub(crate) fn json(&self) -> Result<Cow<'_, str>, FileError> {
        let path = Path::new("tokenizer.json");
        match &self.kind {
            Kind::BioGpt(_) => {
                Err(FileError::whole(path, "BioGPT's tokenizer, which is of words, cannot be said in it"))
            }
            Kind::Library(library) => match &library.json {
                Some(json) => Ok(Cow::Borrowed(json)),
                None => {
                    let written = library.inner.to_string(true);
                    Ok(Cow::Owned(
                        written.map_err(|e| FileError::whole(path, format!("cannot be written: {e}")))?,
                    ))
                }
            },
        }
    }

    /// The token that ends a text, where the tokenizer's files name one.
    pub(crate) fn end(&self) -> Option<&str> {
        self.roles.eos_token.as_deref()
    }

    /// The token for what is not known, where the tokenizer's files name one.
    pub(crate) fn unknown(&self) -> Option<&str> {
        self.roles.unk_token.as_deref()
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        match &self.kind {
            Kind::Library(library) => library.inner.get_vocab_size(true),
            Kind::BioGpt(biogpt) => biogpt.vocabulary(),
        }
    }

    /// The token's text, as the vocabulary has it.
    pub fn token(&self, id: u32) -> Option<String> {
        match &self.kind {
            Kind::Library(library) => {
                let added = library.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id);
                added.map(|token| token.content.clone()).or_else(|| library.inner.id_to_token(id))
            }
            Kind::BioGpt(biogpt) => biogpt.token(id),
        }
    }

    /// Ids of a text, without special tokens around it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.placed(text)?.into_iter().map(|token| token.id).collect())
    }

    /// Ids of `prompt` followed by `answer`, and how many of them belong to the prompt.
    ///
    /// The two are encoded as one text, as the model will see them; a token that reaches over the border
    /// counts as the prompt's.
    pub fn encode_pair(&self, prompt: &str, answer: &str) -> Result<(Vec<u32>, usize)> {
        let tokens = self.placed(&format!("{prompt}{answer}"))?;
        let of_prompt = tokens.iter().take_while(|token| token.start < prompt.len()).count();
        Ok((tokens.into_iter().map(|token| token.id).collect(), of_prompt))
    }

    fn placed(&self, text: &str) -> Result<Vec<Placed>> {
        let inner = match &self.kind {
            Kind::Library(library) => &library.inner,
            Kind::BioGpt(biogpt) => return Ok(biogpt.encode(text)),
        };
        let encoding = inner
            .encode(text, false)
            .map_err(|e| ModelError::Run(format!("cannot tokenise {text:.60?}: {e}")))?;
        let starts = encoding.get_offsets().iter().map(|(start, _)| *start);
        Ok(encoding.get_ids().iter().zip(starts).map(|(id, start)| Placed { id: *id, start }).collect())
    }

    /// Text of ids, without special tokens.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        match &self.kind {
            Kind::Library(library) => {
                let Library { inner, special, .. } = &**library;
                let ids: Vec<u32> = ids.iter().copied().filter(|id| !special.contains(id)).collect();
                inner.decode(&ids, true).map_err(|e| ModelError::Run(format!("cannot decode tokens: {e}")))
            }
            Kind::BioGpt(biogpt) => Ok(biogpt.decode(ids)),
        }
    }
}

/// Whether `vocab.json` and `merges.txt` are BioGPT's: its folder need not name the tokenizer, only the model.
fn is_biogpt(folder: &Path, settings: &Settings) -> Result<bool> {
    if let Some(class) = settings.class() {
        return Ok(class == biogpt::CLASS);
    }
    let path = folder.join("config.json");
    let config: Value = if path.exists() { read_json(&path)? } else { Value::Null };
    Ok(config["model_type"] == "biogpt")
}

#[cfg(test)]
mod tests;
