//! `tokenizer.model`, SentencePiece's own file (Llama, Vicuna, Mistral, Gemma), as a tokenizer of the library.
//!
//! The file is a `ModelProto` (`sentencepiece_model.proto` of <https://github.com/google/sentencepiece>): pieces with
//! scores, and how the text was normalised before they were learnt. The tokenizer is the one that transformers
//! makes of it (`LlamaConverter` in `convert_slow_tokenizer.py`): BPE over the whole text, spaces written `▁`, a
//! character without a piece written as its bytes.
//!
//! SentencePiece has no list of merges: of the neighbours that together are a piece it joins those with the best
//! score, from the left. Every way to cut a piece into two pieces is therefore a merge, ranked by the piece's score.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, Tokenizer};

use super::protobuf::{Value, fields};
use super::settings::{self, ANOTHER_WAY, Roles, Settings};
use crate::error::{ModelError, Result};

/// What a piece is for. `UNUSED`, the sixth kind, is read as `Normal`, as transformers does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    Unknown,
    /// `<s>` and the like: never found in text by SentencePiece itself.
    Control,
    /// Always one token, whatever the scores say.
    UserDefined,
    /// `<0x0A>`: one byte of a character that has no piece.
    Byte,
}

#[derive(Debug)]
struct Piece {
    text: String,
    score: f32,
    kind: Kind,
}

/// The fields of a `ModelProto` that say how text is encoded, under their names there, with its defaults.
#[derive(Debug)]
struct Model {
    pieces: Vec<Piece>,
    model_type: i64,
    byte_fallback: bool,
    treat_whitespace_as_suffix: bool,
    bos_id: i64,
    eos_id: i64,
    pad_id: i64,
    /// The normaliser's name, and whether it has rules (`precompiled_charsmap`).
    normalizer: String,
    normalizer_rules: bool,
    /// Whether decoded text is changed by rules.
    denormalizer_rules: bool,
    add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
    escape_whitespaces: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            model_type: UNIGRAM,
            byte_fallback: false,
            treat_whitespace_as_suffix: false,
            bos_id: 1,
            eos_id: 2,
            pad_id: -1,
            normalizer: String::new(),
            normalizer_rules: false,
            denormalizer_rules: false,
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
            escape_whitespaces: true,
        }
    }
}

const UNIGRAM: i64 = 1;
const BYTE_PAIRS: i64 = 2;

/// Builds the tokenizer of a `tokenizer.model`, and says which tokens have which role.
///
/// `legacy: false` in `tokenizer_config.json` puts the first space only where the text begins, not after each
/// special token as well, and not before a text that begins with one; without the key it is as in the versions of
/// transformers before the key, which for text without special tokens is as SentencePiece has it.
pub(super) fn build(bytes: &[u8], path: &Path, settings: &Settings) -> Result<(Tokenizer, Roles)> {
    let refuse = |reason: String| ModelError::Tokenizer { path: path.to_owned(), reason };
    if bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.is_ascii() {
        return Err(refuse(format!(
            "looks like a tiktoken vocabulary, not like SentencePiece; {ANOTHER_WAY}"
        )));
    }
    let model = read(bytes).map_err(|reason| refuse(format!("not a SentencePiece model: {reason}")))?;
    check(&model).map_err(refuse)?;
    let library = |e: tokenizers::Error| refuse(e.to_string());

    let mut tokenizer = Tokenizer::new(encoder(&model).map_err(library)?);
    let prefix = settings.flag("add_prefix_space").unwrap_or(model.add_dummy_prefix);
    let legacy = settings.flag("legacy").unwrap_or(true);
    tokenizer.with_normalizer(normalizer(&model, prefix, legacy).map_err(library)?).map_err(library)?;
    if !legacy {
        let scheme = if prefix { PrependScheme::First } else { PrependScheme::Never };
        tokenizer.with_pre_tokenizer(Some(Metaspace::new('▁', scheme, false)));
    }
    tokenizer.with_decoder(Some(decoder(prefix).map_err(library)?));

    let piece = |id: i64| {
        let piece = model.pieces.get(usize::try_from(id).ok()?)?;
        (piece.kind != Kind::Normal).then(|| piece.text.clone())
    };
    let unknown = model.pieces.iter().find(|p| p.kind == Kind::Unknown);
    let roles = settings.roles(Roles {
        bos_token: piece(model.bos_id),
        eos_token: piece(model.eos_id),
        unk_token: unknown.map(|p| p.text.clone()),
        pad_token: piece(model.pad_id),
    });
    let own = model.pieces.iter().filter(|p| matches!(p.kind, Kind::Control | Kind::UserDefined));
    let mut tokens: Vec<(Option<u32>, AddedToken)> = own
        .map(|p| (None, AddedToken::from(p.text.as_str(), p.kind == Kind::Control).normalized(false)))
        .collect();
    // A control token stays as it is when the files merely give it a role: old ones call it `normalized`, with which
    // it would be found after a space only.
    let named = settings
        .tokens(&roles)?
        .into_iter()
        .filter(|(id, named)| id.is_some() || !tokens.iter().any(|(_, own)| own.content == named.content));
    let named: Vec<_> = named.collect();
    tokens.extend(named);
    settings::add(&mut tokenizer, tokens, path)?;
    frame(&mut tokenizer, &roles, settings).map_err(refuse)?;
    Ok((tokenizer, roles))
}

/// The tokens around a text when transformers reads what is written from this tokenizer; encoding here adds none.
fn frame(tokenizer: &mut Tokenizer, roles: &Roles, settings: &Settings) -> Result<(), String> {
    let wanted = |key: &str, otherwise: bool| settings.flag(key).unwrap_or(otherwise);
    let bos = roles.bos_token.as_ref().filter(|_| wanted("add_bos_token", true));
    let eos = roles.eos_token.as_ref().filter(|_| wanted("add_eos_token", false));
    let text: Vec<&str> =
        [bos.map(String::as_str), Some("$A"), eos.map(String::as_str)].into_iter().flatten().collect();
    let special: Vec<(String, u32)> = [bos, eos]
        .into_iter()
        .flatten()
        .filter_map(|t| Some((t.clone(), tokenizer.token_to_id(t)?)))
        .collect();
    let template = TemplateProcessing::builder()
        .try_single(text)
        .and_then(|b| b.special_tokens(special).build().map_err(|e| e.to_string()))
        .map_err(|e| format!("the tokens around a text cannot be used: {e}"))?;
    tokenizer.with_post_processor(Some(template));
    Ok(())
}

fn encoder(model: &Model) -> tokenizers::Result<ModelWrapper> {
    let unknown = model.pieces.iter().position(|p| p.kind == Kind::Unknown);
    if model.model_type == UNIGRAM {
        let pieces = model.pieces.iter().map(|p| (p.text.clone(), f64::from(p.score))).collect();
        return Ok(Unigram::from(pieces, unknown, model.byte_fallback)?.into());
    }
    let vocabulary: Vocab = model.pieces.iter().zip(0..).map(|(p, id)| (p.text.clone(), id)).collect();
    let mut bpe = BPE::builder()
        .vocab_and_merges(vocabulary, merges(&model.pieces))
        .fuse_unk(true)
        .byte_fallback(model.byte_fallback);
    if let Some(unknown) = unknown {
        bpe = bpe.unk_token(model.pieces[unknown].text.clone());
    }
    Ok(bpe.build()?.into())
}

/// Every cut of a piece into two pieces, best score first. Among cuts of equal score those with the longer left
/// side come first, as in `generate_merges` of transformers: the library ranks merges, it cannot tie them.
fn merges(pieces: &[Piece]) -> Merges {
    let ids: HashMap<&str, usize> = pieces
        .iter()
        .enumerate()
        .filter(|(_, p)| matches!(p.kind, Kind::Normal | Kind::UserDefined))
        .map(|(id, p)| (p.text.as_str(), id))
        .collect();
    let mut cuts = Vec::new();
    for (&text, &id) in &ids {
        let length = text.chars().count();
        for (left, (at, _)) in text.char_indices().enumerate().skip(1) {
            let (head, tail) = text.split_at(at);
            if ids.contains_key(head) && ids.contains_key(tail) {
                cuts.push((pieces[id].score, left, length, id, head, tail));
            }
        }
    }
    cuts.sort_unstable_by(|a, b| {
        let right = |cut: &(f32, usize, usize, usize, &str, &str)| cut.2 - cut.1;
        b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(right(b).cmp(&right(a))).then(a.3.cmp(&b.3))
    });
    cuts.into_iter().map(|(.., head, tail)| (head.to_owned(), tail.to_owned())).collect()
}

fn normalizer(model: &Model, prefix: bool, legacy: bool) -> tokenizers::Result<Option<NormalizerWrapper>> {
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if model.remove_extra_whitespaces {
        let outer = ReplacePattern::Regex("^ +| +$".to_owned());
        let inner = ReplacePattern::Regex(" {2,}".to_owned());
        steps.push(Replace::new(outer, "")?.into());
        steps.push(Replace::new(inner, " ")?.into());
    }
    if legacy {
        if prefix {
            steps.push(Prepend::new("▁".to_owned()).into());
        }
        steps.push(Replace::new(" ", "▁")?.into());
    }
    Ok((!steps.is_empty()).then(|| Normalizers::new(steps).into()))
}

fn decoder(prefix: bool) -> tokenizers::Result<DecoderWrapper> {
    let mut steps: Vec<DecoderWrapper> =
        vec![Replace::new("▁", " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    Ok(Decoders::new(steps).into())
}

/// Refuses by name what would be encoded otherwise than SentencePiece does.
fn check(model: &Model) -> Result<(), String> {
    let Model { pieces, model_type, normalizer, .. } = model;
    let found = if *model_type != UNIGRAM && *model_type != BYTE_PAIRS {
        format!("trainer_spec.model_type is {model_type}, expected 1 (unigram) or 2 (BPE)")
    } else if model.treat_whitespace_as_suffix {
        "trainer_spec.treat_whitespace_as_suffix is true, expected false".to_owned()
    } else if model.normalizer_rules {
        format!("normalizer_spec.precompiled_charsmap is that of {normalizer:?}, expected none (identity)")
    } else if model.denormalizer_rules {
        "denormalizer_spec.precompiled_charsmap has rules, expected none".to_owned()
    } else if !model.escape_whitespaces {
        "normalizer_spec.escape_whitespaces is false, expected true".to_owned()
    } else {
        let mut seen = HashSet::new();
        return match pieces.iter().position(|p| p.text.is_empty() || !seen.insert(p.text.as_str())) {
            Some(id) => Err(format!("piece {id} is {:?}, which is empty or there twice", pieces[id].text)),
            None if pieces.is_empty() => Err("it has no pieces".to_owned()),
            None => Ok(()),
        };
    };
    Err(format!("{found}; {ANOTHER_WAY}"))
}

fn read(bytes: &[u8]) -> Result<Model, String> {
    let mut model = Model::default();
    for (number, value) in fields(bytes)? {
        let Some(message) = value.bytes() else { continue };
        match number {
            1 => model.pieces.push(piece(message).map_err(|e| format!("piece {}: {e}", model.pieces.len()))?),
            2 => model.trainer_spec(message).map_err(|e| format!("trainer_spec: {e}"))?,
            3 => model.normalizer_spec(message).map_err(|e| format!("normalizer_spec: {e}"))?,
            5 => {
                let rules = fields(message).map_err(|e| format!("denormalizer_spec: {e}"))?;
                model.denormalizer_rules = rules.into_iter().any(has_rules);
            }
            _ => {}
        }
    }
    Ok(model)
}

fn has_rules((number, value): (u64, Value)) -> bool {
    number == 2 && value.bytes().is_some_and(|rules| !rules.is_empty())
}

fn piece(message: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: Kind::Normal };
    for (number, value) in fields(message)? {
        match number {
            1 => {
                let text = value.bytes().unwrap_or_default();
                piece.text = String::from_utf8(text.to_vec()).map_err(|e| e.to_string())?;
            }
            2 => piece.score = value.float().ok_or("its score is not a float")?,
            3 => {
                piece.kind = match value.integer() {
                    Some(1 | 5) => Kind::Normal,
                    Some(2) => Kind::Unknown,
                    Some(3) => Kind::Control,
                    Some(4) => Kind::UserDefined,
                    Some(6) => Kind::Byte,
                    other => return Err(format!("its type is {other:?}, expected 1 to 6")),
                }
            }
            _ => {}
        }
    }
    Ok(piece)
}

impl Model {
    fn trainer_spec(&mut self, message: &[u8]) -> Result<(), String> {
        for (number, value) in fields(message)? {
            match number {
                3 => self.model_type = value.integer().unwrap_or(self.model_type),
                24 => self.treat_whitespace_as_suffix = value.flag().unwrap_or_default(),
                35 => self.byte_fallback = value.flag().unwrap_or_default(),
                41 => self.bos_id = value.integer().unwrap_or(self.bos_id),
                42 => self.eos_id = value.integer().unwrap_or(self.eos_id),
                43 => self.pad_id = value.integer().unwrap_or(self.pad_id),
                _ => {}
            }
        }
        Ok(())
    }

    fn normalizer_spec(&mut self, message: &[u8]) -> Result<(), String> {
        for (number, value) in fields(message)? {
            match number {
                1 => {
                    self.normalizer = String::from_utf8_lossy(value.bytes().unwrap_or_default()).into_owned();
                }
                3 => self.add_dummy_prefix = value.flag().unwrap_or(true),
                4 => self.remove_extra_whitespaces = value.flag().unwrap_or(true),
                5 => self.escape_whitespaces = value.flag().unwrap_or(true),
                _ => self.normalizer_rules |= has_rules((number, value)),
            }
        }
        Ok(())
    }
}
