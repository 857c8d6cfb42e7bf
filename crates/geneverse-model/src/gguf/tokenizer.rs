//! A tokenizer as llama.cpp reads it: the keys under `tokenizer.ggml`.
//!
//! llama.cpp has two kinds that are of use here. `llama` is SentencePiece's BPE: of the neighbours that together are a token
//! it joins those with the best score. A `tokenizer.json` has no scores but a list of merges, best first, so a
//! token's score is the place of the first merge that makes it, below zero. `gpt2` is BPE over bytes, and `pre` is the
//! name of the rule by which text is cut before anything is merged; llama.cpp knows rules by name only.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::Value as Json;

use super::file::Value;
use super::pieces;
use crate::config::ModelConfig;
use crate::error::{ModelError, Result};
use crate::tokens::{PIECES, Tokenizer};

/// What is told of a tokenizer, and what a user should know.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) keys: Vec<(String, Value)>,
    pub(super) notes: Vec<String>,
}

/// Kinds of tokens (`llama_token_type`).
mod kind {
    pub(super) const NORMAL: i32 = 1;
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const CONTROL: i32 = 3;
    pub(super) const USER_DEFINED: i32 = 4;
    pub(super) const UNUSED: i32 = 5;
    pub(super) const BYTE: i32 = 6;
}

/// Rules for cutting text as tokenizers have them, and llama.cpp's names of them.
const RULES: [(&str, &str); 5] = [
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "llama-bpe",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "qwen2",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "tekken",
    ),
    (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", "gpt-2"),
    (PIECES, pieces::RULE),
];

/// What the keys say of a model's tokenizer. `rule` overrides the name of the rule for cutting text; `folder` is for errors.
pub(super) fn keys(
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    rule: Option<&str>,
    folder: &Path,
) -> Result<Told> {
    let refuse = |reason: String| ModelError::Tokenizer { path: folder.to_owned(), reason };
    let json = tokenizer.json().map_err(|e| refuse(e.to_string()))?;
    let json: Json =
        serde_json::from_str(&json).map_err(|e| refuse(format!("its tokenizer is no JSON: {e}")))?;
    let (model, pre) = (&json["model"], &json["pre_tokenizer"]);
    let found = model["type"].as_str().unwrap_or("none");
    if found != "BPE" {
        let way = "serve the folder with `geneverse serve` or vLLM";
        return Err(refuse(format!(
            "its tokenizer is {found}, expected BPE, of which llama.cpp has two kinds; {way}"
        )));
    }
    let mut vocabulary = Vocabulary::read(&json, config.vocab_size).map_err(refuse)?;
    let mut told = Told::default();
    let bytes = steps(pre).iter().any(|step| step["type"] == "ByteLevel");
    if bytes {
        told.bytes(&json, &mut vocabulary, rule).map_err(refuse)?;
    } else if model["byte_fallback"] == true {
        told.pieces(&json, &vocabulary).map_err(refuse)?;
    } else {
        let reason = "its tokenizer is BPE neither over bytes nor with bytes for what it does not know; llama.cpp has no \
                      other kind";
        return Err(refuse(reason.to_owned()));
    }
    let Vocabulary { texts, kinds, .. } = vocabulary;
    told.key("tokens", Value::Texts(texts));
    told.key("token_type", Value::Wholes(kinds));
    told.special(tokenizer, config).map_err(refuse)?;
    Ok(told)
}

/// The tokens by their ids, as texts and kinds.
struct Vocabulary {
    texts: Vec<String>,
    kinds: Vec<i32>,
    merges: Vec<(String, String)>,
}

impl Vocabulary {
    fn read(json: &Json, size: usize) -> Result<Self, String> {
        let mut texts: Vec<String> = (0..size).map(|id| format!("[PAD{id}]")).collect();
        let mut kinds = vec![kind::UNUSED; size];
        let mut put = |id: u64, text: &str, kind: i32| -> Result<(), String> {
            let place = usize::try_from(id).ok().filter(|id| *id < size);
            let place = place.ok_or_else(|| {
                format!(
                    "its token {text:?} has the id {id}, expected less than config.json's vocab_size {size}"
                )
            })?;
            texts[place] = text.to_owned();
            kinds[place] = kind;
            Ok(())
        };
        let unknown = json["model"]["unk_token"].as_str();
        let fallback = json["model"]["byte_fallback"] == true;
        for (text, id) in json["model"]["vocab"].as_object().into_iter().flatten() {
            let kind = match text.as_str() {
                text if fallback && Some(text) == unknown => kind::UNKNOWN,
                text if fallback && is_byte(text) => kind::BYTE,
                _ => kind::NORMAL,
            };
            put(id.as_u64().unwrap_or(u64::MAX), text, kind)?;
        }
        for token in json["added_tokens"].as_array().into_iter().flatten() {
            let text = token["content"].as_str().unwrap_or_default();
            let (kind, text) = match token["special"] == true {
                true if Some(text) == unknown && fallback => (kind::UNKNOWN, text.to_owned()),
                true => (kind::CONTROL, text.to_owned()),
                // Such tokens are looked for in the text itself, where a space is a space.
                false => (kind::USER_DEFINED, text.replace('▁', " ")),
            };
            put(token["id"].as_u64().unwrap_or(u64::MAX), &text, kind)?;
        }
        let mut seen = HashSet::new();
        for (id, text) in texts.iter().enumerate() {
            if text.is_empty() || !seen.insert(text.as_str()) {
                return Err(format!(
                    "its token {id} is {text:?}, which is empty or there twice; llama.cpp reads neither"
                ));
            }
        }
        let pair = |merge: &Json| match merge {
            Json::String(text) => text.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())),
            merge => Some((merge.get(0)?.as_str()?.to_owned(), merge.get(1)?.as_str()?.to_owned())),
        };
        let merges = json["model"]["merges"].as_array().into_iter().flatten().map(pair).collect();
        Ok(Self { texts, kinds, merges: Option::unwrap_or_default(merges) })
    }

    /// Each token's score for SentencePiece: the place of the first merge that makes it.
    fn scores(&self) -> Vec<f32> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (left, right) in &self.merges {
            let next = places.len();
            places.entry(format!("{left}{right}")).or_insert(next);
        }
        let score = |text: &String| places.get(text).map_or(-(places.len() as f32), |place| -(*place as f32));
        self.texts.iter().map(score).collect()
    }
}

/// `<0x0A>`
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The steps of a pre-tokenizer or normaliser that may be a sequence.
fn steps(step: &Json) -> Vec<&Json> {
    match ["pretokenizers", "normalizers"].into_iter().find_map(|key| step[key].as_array()) {
        Some(steps) => steps.iter().collect(),
        None if step.is_null() => Vec::new(),
        None => vec![step],
    }
}

impl Told {
    fn key(&mut self, key: &str, value: Value) {
        self.keys.push((format!("tokenizer.ggml.{key}"), value));
    }

    /// SentencePiece's BPE.
    fn pieces(&mut self, json: &Json, vocabulary: &Vocabulary) -> Result<(), String> {
        let mut prefix = false;
        for step in steps(&json["normalizer"]) {
            match step["type"].as_str() {
                Some("Prepend") if step["prepend"] == "▁" => prefix = true,
                Some("Replace") if step["pattern"]["String"] == " " && step["content"] == "▁" => {}
                Some("Replace") => self.notes.push(
                    "its tokenizer takes out superfluous spaces, llama.cpp does not: give it text without them".into(),
                ),
                _ => return Err(format!("its normaliser does {step}, which llama.cpp does not")),
            }
        }
        for step in steps(&json["pre_tokenizer"]) {
            match step["type"].as_str() {
                Some("Metaspace") => {
                    prefix = step["prepend_scheme"] != "never";
                    if step["prepend_scheme"] == "first" {
                        self.notes.push(
                            "its tokenizer puts a space before the first word of a text, llama.cpp after each special \
                             token too, and before a space: only where such stand in the text do ids differ"
                                .into(),
                        );
                    }
                }
                // Where spaces have become ▁ there is nothing to cut at.
                Some("Split") if step["pattern"]["String"] == " " => {}
                _ => return Err(format!("its pre-tokenizer does {step}, which llama.cpp does not")),
            }
        }
        self.key("model", Value::Text("llama".into()));
        self.key("pre", Value::Text("default".into()));
        self.key("scores", Value::Floats(vocabulary.scores()));
        self.key("add_space_prefix", Value::Flag(prefix));
        Ok(())
    }

    /// BPE over bytes.
    fn bytes(&mut self, json: &Json, vocabulary: &mut Vocabulary, asked: Option<&str>) -> Result<(), String> {
        for step in steps(&json["normalizer"]) {
            match step["type"].as_str() {
                Some("NFC") => self.notes.push(
                    "its tokenizer composes accents (NFC), llama.cpp does not: give it composed text".into(),
                ),
                _ => return Err(format!("its normaliser does {step}, which llama.cpp does not")),
            }
        }
        let rule = match asked {
            Some(rule) => {
                self.notes
                    .push(format!("text is cut by llama.cpp's rule {rule:?}, as asked: compare token ids"));
                rule
            }
            None => rule(json)?,
        };
        if rule == pieces::RULE && asked.is_none() {
            vocabulary.write_pieces();
            self.notes.push(pieces::NOTE.to_owned());
        }
        let merges = vocabulary.merges.iter().map(|(left, right)| format!("{left} {right}"));
        self.key("model", Value::Text("gpt2".into()));
        self.key("pre", Value::Text(rule.to_owned()));
        self.key("merges", Value::Texts(merges.collect()));
        Ok(())
    }

    /// The tokens that have a role, as this program uses them.
    fn special(&mut self, tokenizer: &Tokenizer, config: &ModelConfig) -> Result<(), String> {
        let (bos, pad) = (config.bos_token_id, config.pad_token_id);
        let named = |name: Option<&str>| {
            let name = name?;
            (0..config.vocab_size as u32).find(|id| tokenizer.token(*id).is_some_and(|token| token == name))
        };
        let mut ends = config.eos_token_ids.clone();
        ends.extend(ends.is_empty().then(|| named(tokenizer.end())).flatten());
        if ends.is_empty() {
            return Err(
                "neither config.json nor the tokenizer names the token that ends a text (eos_token_id), and \
                        llama.cpp would take another one for it"
                    .to_owned(),
            );
        }
        let unknown = named(tokenizer.unknown());
        for (key, id) in [
            ("bos_token_id", bos),
            ("eos_token_id", ends.first().copied()),
            ("eot_token_id", ends.get(1).copied()),
            ("eom_token_id", ends.get(2).copied()),
            ("unknown_token_id", unknown),
            ("padding_token_id", pad),
        ] {
            if let Some(id) = id {
                self.key(key, Value::Whole(id));
            }
        }
        self.key("add_bos_token", Value::Flag(bos.is_some()));
        self.key("add_eos_token", Value::Flag(false));
        Ok(())
    }
}

impl Vocabulary {
    /// Writes the rules of a tokenizer trained here as merges.
    fn write_pieces(&mut self) {
        let known: HashMap<&str, usize> =
            self.texts.iter().zip(0..).map(|(text, id)| (text.as_str(), id)).collect();
        let (merges, hidden) = pieces::merges(&self.merges, &known);
        for id in hidden {
            self.texts[id] = format!("[PAD{id}]");
            self.kinds[id] = kind::UNUSED;
        }
        self.merges = merges;
    }
}

/// llama.cpp's name of the rule by which text is cut.
fn rule(json: &Json) -> Result<&'static str, String> {
    let pre = &json["pre_tokenizer"];
    let ignores_merges = json["model"]["ignore_merges"] == true;
    let way = "name the nearest of llama.cpp's rules with --pre (\"gpt-2\", \"llama-bpe\", \"qwen2\", …), with which token \
               ids may differ, or serve the folder with `geneverse serve` or vLLM";
    let steps = steps(pre);
    let by_itself = |step: &Json| step["use_regex"] != false;
    let found = match steps.as_slice() {
        [bytes] if by_itself(bytes) => Some("gpt-2"),
        [digits, bytes]
            if digits["type"] == "Digits" && digits["individual_digits"] == true && by_itself(bytes) =>
        {
            Some("smollm")
        }
        [split, bytes] if split["behavior"] == "Isolated" && !by_itself(bytes) => {
            let pattern = split["pattern"]["Regex"].as_str().unwrap_or_default();
            RULES.into_iter().find(|(rule, _)| *rule == pattern).map(|(_, name)| name)
        }
        _ => None,
    };
    let prefix = steps.iter().any(|step| step["add_prefix_space"] == true);
    match found {
        // The same cuts, but whole words that are tokens are merged like others.
        Some("llama-bpe") if !ignores_merges => Ok("smaug-bpe"),
        Some(rule) if !prefix => Ok(rule),
        Some(_) => {
            Err(format!("its pre-tokenizer puts a space before the first word, llama.cpp does not; {way}"))
        }
        None => Err(format!("its pre-tokenizer is {pre}, which llama.cpp has under no name; {way}")),
    }
}
