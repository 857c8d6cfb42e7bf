//! Text to token ids and back: `tokenizer.json`, and byte-level BPE trained on text.

use std::path::Path;

use geneverse_data::stage::{FileError, atomic_write, write_json};
use serde_json::json;
use std::io::Write;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, TokenizerBuilder};

use crate::error::{ModelError, Result};

/// The special tokens of a tokenizer trained here, with ids from 0.
///
/// The picture token and the eight after it mean nothing yet: room for later tasks without a new vocabulary.
const SPECIAL: [&str; 5] = ["<unk>", "<s>", "</s>", "<pad>", "<image>"];
const RESERVED: usize = 8;

/// Ids of the special tokens of a tokenizer trained here.
pub const BOS: u32 = 1;
/// End of sequence, see [`BOS`].
pub const EOS: u32 = 2;
/// Padding, distinct from end of sequence so that the end is learnt, see [`BOS`].
pub const PAD: u32 = 3;

/// A tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    json: String,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `folder`.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|e| FileError::io(&path, "read", e))?;
        Self::from_bytes(&bytes, &path)
    }

    /// Reads the bytes of a `tokenizer.json`; `path` is for errors.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
        let inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| refuse(e.to_string()))?;
        let json = String::from_utf8(bytes.to_vec()).map_err(|e| refuse(e.to_string()))?;
        Ok(Self { inner, json })
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
        let bytes = ByteLevel::new(false, true, true);
        let template = TemplateProcessing::builder()
            .try_single("<s> $A")
            .and_then(|b| b.special_tokens(vec![("<s>", BOS)]).build().map_err(|e| e.to_string()))
            .map_err(|e| ModelError::Run(format!("training the tokenizer failed: {e}")))?;
        let model = BPE::builder().unk_token("<unk>".into()).build().map_err(refuse)?;
        let mut tokenizer = TokenizerBuilder::<_, NormalizerWrapper, _, _, _>::new()
            .with_model(model)
            .with_normalizer(None)
            .with_pre_tokenizer(Some(bytes))
            .with_post_processor(Some(template))
            .with_decoder(Some(bytes))
            .build()
            .map_err(refuse)?;
        tokenizer.train(&mut trainer, documents.map(str::to_owned)).map_err(refuse)?;
        let json = tokenizer.to_string(true).map_err(refuse)?;
        Self::from_bytes(json.as_bytes(), Path::new("tokenizer.json"))
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` into `folder`, as transformers reads them.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        atomic_write(&folder.join("tokenizer.json"), |out| out.write_all(self.json.as_bytes()))?;
        let has = |token: &str| self.inner.token_to_id(token).map(|_| token.to_owned());
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": has("<s>"),
            "eos_token": has("</s>"),
            "unk_token": has("<unk>"),
            "pad_token": has("<pad>"),
            "clean_up_tokenization_spaces": false,
        });
        write_json(&folder.join("tokenizer_config.json"), &config)
    }

    /// Number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The token's text, as the vocabulary has it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Ids of a text, without special tokens around it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.encoding(text)?.get_ids().to_vec())
    }

    /// Ids of `prompt` followed by `answer`, and how many of them belong to the prompt.
    ///
    /// The two are encoded as one text, as the model will see them; a token that reaches over the border
    /// counts as the prompt's.
    pub fn encode_pair(&self, prompt: &str, answer: &str) -> Result<(Vec<u32>, usize)> {
        let encoding = self.encoding(&format!("{prompt}{answer}"))?;
        let of_prompt = encoding.get_offsets().iter().take_while(|(start, _)| *start < prompt.len()).count();
        Ok((encoding.get_ids().to_vec(), of_prompt))
    }

    fn encoding(&self, text: &str) -> Result<tokenizers::Encoding> {
        self.inner
            .encode(text, false)
            .map_err(|e| ModelError::Run(format!("cannot tokenise {text:.60?}: {e}")))
    }

    /// Text of ids, without special tokens.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|e| ModelError::Run(format!("cannot decode tokens: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trained_tokenizer_gives_every_text_back() {
        let text = ["The official symbol of this gene is GLI1.", "HGNC:4317 — β-catenin, 12q13.3"];
        let tokenizer = Tokenizer::train(text.iter().copied(), 320).unwrap();
        for text in text.iter().chain(&["unseen: naïve\n\tΔ", ""]) {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), *text);
        }
        assert_eq!(tokenizer.token(BOS).as_deref(), Some("<s>"));
        assert_eq!(tokenizer.token(PAD).as_deref(), Some("<pad>"));
        let (ids, of_prompt) = tokenizer.encode_pair("Describe: ", "GLI1").unwrap();
        assert_eq!(
            tokenizer.decode(&ids[..of_prompt]).unwrap() + &tokenizer.decode(&ids[of_prompt..]).unwrap(),
            "Describe: GLI1"
        );
    }
}
