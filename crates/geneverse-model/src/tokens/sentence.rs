//! The tokenizers of encoders: a whole text to ids, with what stands before and after it, cut at a length.
//!
//! `tokenizer.json` is read as it is, but for lower-casing, accents and Chinese characters where `tokenizer_config.json`
//! says otherwise, and for its cutting and padding, which are another run's. A folder with BERT's `vocab.txt` alone (a
//! token a line, its id being the line's number from 0) gets the tokenizer that transformers makes of it: BERT's
//! normalisation, words and punctuation, WordPiece (Schuster & Nakajima, 2012), `[CLS]` before and `[SEP]` after.

use std::path::Path;

use geneverse_data::stage::FileError;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer, TruncationParams};

use super::settings::{ANOTHER_WAY, Settings};
use crate::error::{ModelError, Result};

/// The tokenizer of an encoder.
pub(crate) struct SentenceTokenizer {
    inner: Tokenizer,
    /// The longest text that the tokenizer's files foresee.
    longest: Option<usize>,
}

/// A text as an encoder reads it.
pub(crate) struct Encoded {
    pub(crate) ids: Vec<u32>,
    /// Whether tokens were cut off.
    pub(crate) cut: bool,
}

impl SentenceTokenizer {
    /// Reads `tokenizer.json`, else `vocab.txt`, of `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let settings = Settings::read(folder)?;
        let [json, vocabulary] = ["tokenizer.json", "vocab.txt"].map(|name| folder.join(name));
        let read = |path: &Path| std::fs::read(path).map_err(|e| FileError::io(path, "read", e));
        let refuse = |path: &Path, reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
        let mut inner = if json.exists() {
            let bytes = read(&json)?;
            Tokenizer::from_bytes(&bytes).map_err(|e| refuse(&json, e.to_string()))?
        } else if vocabulary.exists() {
            wordpiece(&read(&vocabulary)?, &vocabulary, &settings)?
        } else {
            let reason = format!(
                "has no tokenizer of an encoder, neither tokenizer.json nor vocab.txt; copy those of the model it comes \
                 from ({ANOTHER_WAY})"
            );
            return Err(refuse(folder, reason));
        };
        if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer() {
            let normalizer = overridden(normalizer, &settings);
            inner.with_normalizer(Some(normalizer)).map_err(|e| refuse(&json, e.to_string()))?;
        }
        inner.with_truncation(None).map_err(|e| refuse(&json, e.to_string()))?;
        inner.with_padding(None);
        Ok(Self { inner, longest: settings.size("model_max_length") })
    }

    /// The longest text that the tokenizer's files foresee, in tokens; some files have a number that means none.
    pub(crate) fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// Cuts texts at `longest` tokens, those around the text included.
    pub(crate) fn cut_at(&mut self, longest: usize) -> Result<()> {
        let refuse = |reason: String| ModelError::Run(reason);
        let around = self.inner.encode_fast("", true).map_err(|e| refuse(e.to_string()))?.len();
        if longest <= around {
            return Err(refuse(format!(
                "texts are to be cut at {longest} tokens, and the {around} around a text leave no room for it; expected \
                 at least {}",
                around + 1
            )));
        }
        let truncation = TruncationParams { max_length: longest, ..TruncationParams::default() };
        self.inner.with_truncation(Some(truncation)).map_err(|e| refuse(e.to_string()))?;
        Ok(())
    }

    /// A text's ids, with what stands before and after it.
    pub(crate) fn encode(&self, text: &str) -> Result<Encoded> {
        let encoding = self
            .inner
            .encode_fast(text, true)
            .map_err(|e| ModelError::Run(format!("cannot tokenise {text:.60?}: {e}")))?;
        Ok(Encoded { ids: encoding.get_ids().to_vec(), cut: !encoding.get_overflowing().is_empty() })
    }
}

/// A normaliser with what `tokenizer_config.json` says of it, which goes before `tokenizer.json` in transformers.
fn overridden(normalizer: &BertNormalizer, settings: &Settings) -> BertNormalizer {
    BertNormalizer::new(
        normalizer.clean_text,
        settings.flag("tokenize_chinese_chars").unwrap_or(normalizer.handle_chinese_chars),
        settings.flag("strip_accents").or(normalizer.strip_accents),
        settings.flag("do_lower_case").unwrap_or(normalizer.lowercase),
    )
}

/// BERT's tokenizer of the tokens in `vocab.txt`.
fn wordpiece(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Tokenizer> {
    let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
    let text = std::str::from_utf8(bytes).map_err(|e| refuse(format!("not text in UTF-8: {e}")))?;
    let vocabulary: Vec<(String, u32)> =
        text.lines().zip(0..).map(|(token, id)| (token.to_owned(), id)).collect();
    let id_of = |token: &str| -> Result<u32> {
        let found = vocabulary.iter().rev().find(|(known, _)| known == token).map(|(_, id)| *id);
        found.ok_or_else(|| {
            refuse(format!("has no line {token:?}, which a text's ids need; is it a WordPiece vocabulary?"))
        })
    };
    let named = |key: &str, otherwise: &str| settings.token(key).unwrap_or(otherwise).to_owned();
    let [unknown, cls, sep] = [("unk_token", "[UNK]"), ("cls_token", "[CLS]"), ("sep_token", "[SEP]")]
        .map(|(key, otherwise)| named(key, otherwise));
    id_of(&unknown)?;
    let (cls_id, sep_id) = (id_of(&cls)?, id_of(&sep)?);
    let others = [("pad_token", "[PAD]"), ("mask_token", "[MASK]")].map(|(key, other)| named(key, other));
    let special: Vec<AddedToken> = [&unknown, &cls, &sep]
        .into_iter()
        .chain(others.iter().filter(|token| id_of(token).is_ok()))
        .map(|token| AddedToken::from(token.as_str(), true))
        .collect();
    let model = WordPiece::builder().vocab(vocabulary.into_iter().collect::<Vocab>());
    let model = model.unk_token(unknown).build().map_err(|e| refuse(e.to_string()))?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::default()))
        .map_err(|e| refuse(e.to_string()))?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(BertProcessing::new((sep, sep_id), (cls, cls_id))));
    tokenizer.add_special_tokens(special).map_err(|e| refuse(e.to_string()))?;
    Ok(tokenizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ngene\nGene\nna\n##ive\nnaive\n.\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn ids(tokenizer: &SentenceTokenizer, text: &str) -> Vec<u32> {
        tokenizer.encode(text).unwrap().ids
    }

    #[test]
    fn a_vocabulary_alone_is_lower_cased_unless_the_configuration_says_otherwise() {
        let lower = folder(&[("vocab.txt", TOKENS)]);
        let lower = SentenceTokenizer::read(lower.path()).unwrap();
        assert_eq!(ids(&lower, "The Naïve\tGene.[MASK] x"), [2, 5, 10, 6, 11, 4, 1, 3]);
        let cased = folder(&[
            ("vocab.txt", TOKENS),
            ("tokenizer_config.json", r#"{"do_lower_case": false, "model_max_length": 7}"#),
        ]);
        let mut cased = SentenceTokenizer::read(cased.path()).unwrap();
        assert_eq!(ids(&cased, "the Naïve Gene"), [2, 5, 1, 7, 3]);
        assert_eq!(cased.longest(), Some(7));
        cased.cut_at(4).unwrap();
        let cut = cased.encode("the gene the gene").unwrap();
        assert_eq!((cut.ids.as_slice(), cut.cut), (&[2, 5, 6, 3][..], true));
        let whole = cased.encode("the gene").unwrap();
        assert_eq!((whole.ids.as_slice(), whole.cut), (&[2, 5, 6, 3][..], false));
        let error = cased.cut_at(2).unwrap_err().to_string();
        assert!(error.ends_with("the 2 around a text leave no room for it; expected at least 3"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |files: &[(&str, &str)]| {
            let folder = folder(files);
            let error = SentenceTokenizer::read(folder.path()).err().unwrap().to_string();
            error.replace(&folder.path().display().to_string(), "m")
        };
        assert!(
            error(&[]).starts_with("m: has no tokenizer of an encoder, neither tokenizer.json nor vocab.txt")
        );
        let found = error(&[("vocab.txt", "[PAD]\n[UNK]\n[CLS]\nthe\n")]);
        assert!(found.starts_with("m/vocab.txt: has no line \"[SEP]\", which a text's ids need"), "{found}");
        assert!(error(&[("tokenizer.json", "{")]).starts_with("m/tokenizer.json: "));
    }
}
