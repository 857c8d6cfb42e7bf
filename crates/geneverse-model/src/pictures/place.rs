//! Text with pictures to tokens: the tokens of each picture stand where `<image>` stands in the text.
//!
//! In transformers' layout `<image>` is a token of the tokenizer. In the original one it is none: the texts between the
//! pictures are tokenised each by itself.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use geneverse_data::dataset::{Example, PLACEHOLDER};

use super::Album;
use crate::config::ModelConfig;
use crate::config::vision::Layout;
use crate::error::{ModelError, Result};
use crate::tokens::Tokenizer;

/// What Qwen2.5-VL's chat template has where a picture comes.
const QWEN_PLACEHOLDER: &str = "<|vision_start|><|image_pad|><|vision_end|>";

/// The pictures of the examples of a file.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// What has been looked at.
    pub album: &'a Album,
    /// The file that the examples are from.
    pub file: &'a Path,
}

impl Seen<'_> {
    /// The tokens of each of an example's pictures.
    fn of(&self, example: &Example) -> Result<Vec<Range<u32>>> {
        let ids = |path: PathBuf| {
            let missing = || ModelError::Run(format!("{}: has not been looked at", path.display()));
            self.album.ids(&path).ok_or_else(missing)
        };
        example.picture_paths(self.file).into_iter().map(ids).collect()
    }
}

/// An example's question with a place for each of its pictures: before it, where it says no other.
pub(crate) fn asked(example: &Example) -> Cow<'_, str> {
    let Example { instruction, input, images, .. } = example;
    if images.is_empty() || instruction.contains(PLACEHOLDER) || input.contains(PLACEHOLDER) {
        return Cow::Borrowed(instruction);
    }
    Cow::Owned(format!("{PLACEHOLDER}\n").repeat(images.len()) + instruction)
}

/// What an example's question becomes.
pub(crate) struct Placed {
    pub(crate) ids: Vec<u32>,
    /// How many of them are the prompt's.
    pub(crate) of_prompt: usize,
}

/// Tokens of an example's prompt, as the template has made it, and of the answer after it.
pub(crate) fn pair(
    example: &Example,
    (prompt, answer): (&str, &str),
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    seen: Option<Seen<'_>>,
) -> Result<Placed> {
    let pictures = pictures(example, config, seen)?;
    if pictures.is_empty() {
        let (ids, of_prompt) = tokenizer.encode_pair(prompt, answer)?;
        return Ok(Placed { ids, of_prompt });
    }
    let place = |ids: &[u32], of_prompt: usize, token: u32| -> Result<Placed> {
        // A token that is said in the answer is no picture.
        let placed = place_ids(&ids[..of_prompt], token, &pictures);
        let mut placed = placed.map_err(|found| count(example, found, pictures.len()))?;
        let of_prompt_now = placed.len();
        placed.extend_from_slice(&ids[of_prompt..]);
        Ok(Placed { ids: placed, of_prompt: of_prompt_now })
    };
    let any_size = config.vision.as_ref().is_some_and(|vision| vision.any_size.is_some());
    let wrapped = any_size.then(|| prompt.replace(PLACEHOLDER, QWEN_PLACEHOLDER));
    let prompt = wrapped.as_deref().unwrap_or(prompt);
    match config.vision.as_ref().map(|vision| &vision.layout) {
        Some(Layout::Transformers { image_token }) => {
            let (ids, of_prompt) = tokenizer.encode_pair(prompt, answer)?;
            place(&ids, of_prompt, *image_token)
        }
        _ => {
            let pieces: Vec<&str> = prompt.split(PLACEHOLDER).collect();
            if pieces.len() != pictures.len() + 1 {
                return Err(count(example, pieces.len() - 1, pictures.len()));
            }
            let (last, before) = pieces.split_last().unwrap_or((&"", &[]));
            let mut ids = Vec::new();
            for (piece, picture) in before.iter().zip(&pictures) {
                ids.extend(tokenizer.encode(piece)?);
                ids.extend(picture.clone());
            }
            let (rest, of_rest) = tokenizer.encode_pair(last, answer)?;
            let of_prompt = ids.len() + of_rest;
            ids.extend(rest);
            Ok(Placed { ids, of_prompt })
        }
    }
}

/// Tokens of an example's prompt alone.
pub(crate) fn prompt(
    example: &Example,
    prompt: &str,
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    seen: Option<Seen<'_>>,
) -> Result<Vec<u32>> {
    pair(example, (prompt, ""), tokenizer, config, seen).map(|placed| placed.ids)
}

/// The tokens of an example's pictures; what cannot see them refuses them.
fn pictures(example: &Example, config: &ModelConfig, seen: Option<Seen<'_>>) -> Result<Vec<Range<u32>>> {
    if example.images.is_empty() {
        return Ok(Vec::new());
    }
    let id = &example.id;
    match (&config.vision, seen) {
        (None, _) => {
            let family = config.family.name();
            Err(ModelError::Run(format!(
                "example {id} shows a picture, and this is a {family} that reads text only; take a LLaVA"
            )))
        }
        (Some(_), None) => {
            Err(ModelError::Run(format!("example {id} shows a picture that has not been looked at")))
        }
        (Some(_), Some(seen)) => seen.of(example),
    }
}

fn count(example: &Example, places: usize, pictures: usize) -> ModelError {
    let id = &example.id;
    ModelError::Run(format!(
        "example {id} has {pictures} pictures and {places} places for them, expected as many `{PLACEHOLDER}` in its prompt; \
         in transformers' layout the tokenizer must know `{PLACEHOLDER}` as the token that config.json names"
    ))
}

/// Tokens with each picture's in the place of its placeholder: one `token` for each picture, or as many in a row as the
/// picture has tokens. `Err` is the number of places found.
pub fn place_ids(ids: &[u32], token: u32, pictures: &[Range<u32>]) -> Result<Vec<u32>, usize> {
    let places = ids.iter().filter(|id| **id == token).count();
    let whole: usize = pictures.iter().map(Range::len).sum();
    if places == whole && places != pictures.len() {
        let mut rows = pictures.iter().cloned().flatten();
        return Ok(ids
            .iter()
            .map(|id| if *id == token { rows.next().unwrap_or(*id) } else { *id })
            .collect());
    }
    if places != pictures.len() {
        return Err(places);
    }
    let mut pictures = pictures.iter().cloned();
    let mut placed = Vec::with_capacity(ids.len() + whole);
    for id in ids {
        match *id == token {
            true => placed.extend(pictures.next().unwrap_or(0..0)),
            false => placed.push(*id),
        }
    }
    Ok(placed)
}
