//! BioGPT's tokenizer: words as Moses has them, then BPE in which `</w>` ends a word (fastBPE).
//!
//! `vocab.json` gives each token's id; `merges.txt` two tokens to a line, best first, and how often the pair
//! occurred. The source is `BioGptTokenizer` of transformers, with the ids of which these agree. Special tokens of
//! the text are cut out before Moses sees it.

use std::collections::HashMap;
use std::path::Path;

use geneverse_data::stage::{FileError, atomic_write, write_json};
use serde_json::{Map, Value, json};
use std::io::Write;

use super::moses::{self, Mark};
use super::settings::{Roles, Settings};
use crate::error::{ModelError, Result};

/// The tokenizer, and what it writes: the files it was read from, and a configuration that names the class.
pub(super) struct BioGpt {
    ids: HashMap<String, u32>,
    tokens: HashMap<u32, String>,
    /// Of the pair's left token and its right one.
    ranks: HashMap<String, HashMap<String, usize>>,
    /// Found in text as they stand, the longest of those that begin at a place.
    added: Vec<Added>,
    unknown: String,
    files: [(&'static str, Vec<u8>); 2],
    config: Map<String, Value>,
}

struct Added {
    content: String,
    id: u32,
    special: bool,
}

impl Added {
    /// As `added_tokens_decoder` has it.
    fn listed(&self) -> (String, Value) {
        let Self { content, id, special } = self;
        let token = json!({
            "content": content, "lstrip": false, "rstrip": false, "single_word": false,
            "normalized": !special, "special": special,
        });
        (id.to_string(), token)
    }
}

/// A token's id and the byte of the text at which it begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    pub(super) id: u32,
    pub(super) start: usize,
}

/// As transformers names it.
pub(super) const CLASS: &str = "BioGptTokenizer";
const END_OF_WORD: &str = "</w>";

impl BioGpt {
    pub(super) fn read(folder: &Path, settings: &Settings) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| FileError::io(&path, "read", e)).map(|bytes| (path, bytes))
        };
        let (path, vocabulary) = read("vocab.json")?;
        let mut ids: HashMap<String, u32> = serde_json::from_slice(&vocabulary)
            .map_err(|e| FileError::whole(&path, format!("expected each token's id, as JSON: {e}")))?;
        let (merges_path, merges) = read("merges.txt")?;
        let text = std::str::from_utf8(&merges).map_err(|e| FileError::whole(&merges_path, e.to_string()))?;
        let mut ranks: HashMap<String, HashMap<String, usize>> = HashMap::new();
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        for (rank, line) in complete.split('\n').enumerate() {
            let mut tokens = line.split_whitespace();
            if let (Some(left), Some(right)) = (tokens.next(), tokens.next()) {
                ranks.entry(left.to_owned()).or_default().insert(right.to_owned(), rank);
            }
        }

        let own = |token: &str| Some(token.to_owned());
        let roles = settings.roles(Roles {
            bos_token: own("<s>"),
            eos_token: own("</s>"),
            unk_token: own("<unk>"),
            pad_token: own("<pad>"),
        });
        let added = added(&mut ids, settings, &roles, &path)?;
        let unknown = roles.unk_token.filter(|token| ids.contains_key(token)).ok_or_else(|| {
            let reason =
                "has no token for what is unknown, expected <unk> or tokenizer_config.json's unk_token";
            ModelError::Tokenizer { path: path.clone(), reason: reason.to_owned() }
        })?;
        let tokens = ids.iter().map(|(token, id)| (*id, token.clone())).collect();
        let mut config = settings.merged();
        config.insert("tokenizer_class".to_owned(), CLASS.into());
        config.insert("added_tokens_decoder".to_owned(), added.iter().map(Added::listed).collect());
        let files = [("vocab.json", vocabulary), ("merges.txt", merges)];
        Ok(Self { ids, tokens, ranks, added, unknown, files, config })
    }

    /// Writes `vocab.json`, `merges.txt` and `tokenizer_config.json`.
    pub(super) fn write(&self, folder: &Path) -> Result<(), FileError> {
        for (name, bytes) in &self.files {
            atomic_write(&folder.join(name), |out| out.write_all(bytes))?;
        }
        write_json(&folder.join("tokenizer_config.json"), &self.config)
    }

    pub(super) fn vocabulary(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.tokens.get(&id).cloned()
    }

    pub(super) fn encode(&self, text: &str) -> Vec<Placed> {
        let mut placed = Vec::new();
        let mut from = 0;
        let mut at = 0;
        while at < text.len() {
            let here = self.added.iter().filter(|added| text[at..].starts_with(&added.content));
            let Some(added) = here.max_by_key(|added| added.content.len()) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            self.plain(&text[from..at], from, &mut placed);
            placed.push(Placed { id: added.id, start: at });
            at += added.content.len();
            from = at;
        }
        self.plain(&text[from..], from, &mut placed);
        placed
    }

    /// Text of ids, without special tokens. An id without a token reads as the unknown one, as in transformers.
    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let special = |id: u32| self.added.iter().any(|added| added.special && added.id == id);
        let tokens = ids.iter().filter(|id| !special(**id));
        let joined: String = tokens
            .map(|id| self.tokens.get(id).unwrap_or(&self.unknown).replace(' ', "").replace(END_OF_WORD, " "))
            .collect();
        let words: Vec<&str> = joined.split_whitespace().collect();
        moses::detokenize(&words)
    }

    fn plain(&self, text: &str, offset: usize, placed: &mut Vec<Placed>) {
        let unknown = self.ids.get(&self.unknown);
        for word in moses::tokenize(text) {
            for (token, start) in self.pieces(&word) {
                let id = self.ids.get(&token).or(unknown);
                placed.extend(id.map(|id| Placed { id: *id, start: offset + start }));
            }
        }
    }

    /// A word's tokens: the best pair is joined wherever it stands, until no two neighbours are a pair.
    fn pieces(&self, word: &[Mark]) -> Vec<(String, usize)> {
        let mut pieces: Vec<(String, usize)> =
            word.iter().map(|mark| (mark.char.to_string(), mark.at)).collect();
        if let Some((last, _)) = pieces.last_mut() {
            last.push_str(END_OF_WORD);
        }
        loop {
            let rank = |at: usize| Some((*self.ranks.get(&pieces[at].0)?.get(&pieces[at + 1].0)?, at));
            let Some((_, best)) = (0..pieces.len().saturating_sub(1)).filter_map(rank).min() else {
                return pieces;
            };
            let (left, right) = (pieces[best].0.clone(), pieces[best + 1].0.clone());
            let mut joined: Vec<(String, usize)> = Vec::with_capacity(pieces.len());
            let mut rest = pieces.into_iter().peekable();
            while let Some((mut piece, at)) = rest.next() {
                if piece == left && rest.next_if(|(next, _)| *next == right).is_some() {
                    piece.push_str(&right);
                }
                joined.push((piece, at));
            }
            pieces = joined;
        }
    }
}

/// The special and added tokens with their ids; those that are not in the vocabulary go after it.
fn added(
    ids: &mut HashMap<String, u32>,
    settings: &Settings,
    roles: &Roles,
    path: &Path,
) -> Result<Vec<Added>> {
    let mut added = Vec::new();
    for (wanted, token) in settings.tokens(roles)? {
        let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let id = *ids.entry(token.content.clone()).or_insert(next);
        let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != id) {
            let content = &token.content;
            return Err(refuse(format!(
                "the added token {content:?} has id {wanted} in the files beside it and {id} after this vocabulary"
            )));
        }
        if token.single_word {
            let content = &token.content;
            return Err(refuse(format!(
                "the added token {content:?} has single_word, expected none with it"
            )));
        }
        added.push(Added { content: token.content, id, special: token.special });
    }
    added.sort_by_key(|token| token.id);
    Ok(added)
}
