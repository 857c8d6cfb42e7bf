//! `vocab.json` and `merges.txt` as GPT-2 has them: BPE over bytes that are written as printable letters.
//!
//! `vocab.json` gives each token's id, `merges.txt` a pair of tokens to a line, best first, after an optional
//! `#version` line. The tokenizer is the one transformers makes of them (`GPT2Tokenizer`).

use std::path::Path;

use geneverse_data::stage::FileError;
use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::settings::{self, ANOTHER_WAY, Roles, Settings};
use crate::error::{ModelError, Result};

/// The classes whose tokenizers differ in name only. Qwen's, for one, splits text into words by other rules.
const CLASSES: [&str; 4] = ["GPT2Tokenizer", "CodeGenTokenizer", "PreTrainedTokenizer", "TokenizersBackend"];

/// Builds the tokenizer of the two files' contents, and says which tokens have which role.
pub(super) fn build(folder: &Path, settings: &Settings) -> Result<(Tokenizer, Roles)> {
    let vocabulary_path = folder.join("vocab.json");
    let refuse = |reason: String| ModelError::Tokenizer { path: vocabulary_path.clone(), reason };
    if let Some(class) = settings.class().filter(|class| !CLASSES.contains(class)) {
        return Err(ModelError::Tokenizer {
            path: settings.config_path.clone(),
            reason: format!(
                "tokenizer_class is {class}; of vocab.json with merges.txt those of GPT2Tokenizer and \
                 BioGptTokenizer are read, and {ANOTHER_WAY}"
            ),
        });
    }
    let vocabulary = vocabulary(&vocabulary_path)?;
    if !vocabulary.contains_key(SPACE) {
        return Err(refuse(format!(
            "has no {SPACE:?}, byte-level BPE's space; is it another kind of BPE? {ANOTHER_WAY}"
        )));
    }
    let merges = merges(&folder.join("merges.txt"), &vocabulary)?;

    let known = |token: &str| vocabulary.contains_key(token).then(|| token.to_owned());
    let roles = settings.roles(Roles {
        bos_token: known(END_OF_TEXT),
        eos_token: known(END_OF_TEXT),
        unk_token: known(END_OF_TEXT),
        pad_token: None,
    });
    let bpe =
        BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|e| refuse(e.to_string()))?;
    let mut tokenizer = Tokenizer::new(bpe);
    let prefix = settings.flag("add_prefix_space").unwrap_or(false);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(prefix, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::new(prefix, true, true)));
    settings::add(&mut tokenizer, settings.tokens(&roles)?, &vocabulary_path)?;
    Ok((tokenizer, roles))
}

/// GPT-2's only special token, which its files need not name.
const END_OF_TEXT: &str = "<|endoftext|>";

/// The letter that stands for the byte of a space.
const SPACE: &str = "Ġ";

fn vocabulary(path: &Path) -> Result<Vocab> {
    let bytes = std::fs::read(path).map_err(|e| FileError::io(path, "read", e))?;
    let listed: std::collections::HashMap<String, u32> = serde_json::from_slice(&bytes)
        .map_err(|e| FileError::whole(path, format!("expected each token's id, as JSON: {e}")))?;
    Ok(listed.into_iter().collect())
}

fn merges(path: &Path, vocabulary: &Vocab) -> Result<Merges> {
    let text = std::fs::read_to_string(path).map_err(|e| FileError::io(path, "read", e))?;
    let mut merges = Merges::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || (index == 0 && line.starts_with("#version")) {
            continue;
        }
        let pair = line.split_once(' ').filter(|(left, right)| {
            let joined = format!("{left}{right}");
            [*left, *right, joined.as_str()].iter().all(|token| vocabulary.contains_key(*token))
        });
        let (left, right) = pair.ok_or_else(|| {
            let reason = format!("{line:?} is not two tokens of vocab.json that join to a third");
            FileError::row(path, index + 1, reason)
        })?;
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}
