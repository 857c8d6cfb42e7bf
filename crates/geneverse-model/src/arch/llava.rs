//! LLaVA (Liu et al., 2023, 2024): CLIP's tower, a projector, a decoder.
//!
//! The decoder with its projector is one [`Decoder`](super::decoder::Decoder); the tower is read by itself, when there are
//! pictures. A checkpoint's tensors have other names in every layout:
//!
//! | here | transformers' files | its modules since 4.52 | original |
//! |---|---|---|---|
//! | `model.…`, `lm_head.…` | `language_model.model.…`, `language_model.lm_head.…` | `model.language_model.…`, `lm_head.…` | `model.…`, `lm_head.…` |
//! | `multi_modal_projector.linear_1.…` | the same | `model.multi_modal_projector.linear_1.…` | `model.mm_projector.0.…` |
//! | `vision_tower.…` | `vision_tower.vision_model.…`, or without it | `model.vision_tower.…` | `model.vision_tower.vision_tower.vision_model.…`, or in another folder |
//!
//! Qwen2.5-VL's files have `model.…`, `lm_head.…` and `visual.…`, its modules `model.language_model.…` and `model.visual.…`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::clip::{Looked, Tower};
use super::decoder::Parameter;
use crate::checkpoint::Source;
use crate::config::ModelConfig;
use crate::config::vision::{Layout, Rows, VisionConfig};
use crate::error::{ModelError, Result};
use crate::ops::buffer;
use crate::weights::Numbers;

mod files;

pub use files::{TowerShape, new_llava};

/// What the names of the tower's tensors begin with.
pub(crate) const TOWER: &str = "vision_tower.";

/// The name by which a checkpoint's tensor is known here.
pub(crate) fn name(found: &str) -> String {
    // The longer ones first: each is a beginning of others.
    const BEGINNINGS: [(&str, &str); 16] = [
        ("model.language_model.", "model."),
        ("language_model.model.", "model."),
        ("language_model.lm_head.", "lm_head."),
        ("model.vision_tower.vision_tower.vision_model.", TOWER),
        ("model.vision_tower.vision_model.", TOWER),
        ("vision_tower.vision_model.", TOWER),
        ("model.vision_tower.", TOWER),
        ("model.image_tower.image_tower.vision_model.", TOWER),
        ("model.image_tower.vision_model.", TOWER),
        ("model.mm_projector.image_spatial_proj.0.", "multi_modal_projector.linear_1."),
        ("model.mm_projector.image_spatial_proj.2.", "multi_modal_projector.linear_2."),
        ("model.visual.", TOWER),
        ("visual.", TOWER),
        ("model.multi_modal_projector.", "multi_modal_projector."),
        ("model.mm_projector.0.", "multi_modal_projector.linear_1."),
        ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
    ];
    let known = BEGINNINGS.into_iter().find_map(|(there, here)| Some((here, found.strip_prefix(there)?)));
    known.map_or_else(|| found.to_owned(), |(here, rest)| format!("{here}{rest}"))
}

/// A tower that gives what LLaVA's projector takes.
pub struct Sight {
    pub(crate) tower: Tower,
    rows: Rows,
    /// (pictures, channels, side, side), of the pictures that it has been shown.
    pixels: Numbers,
}

impl Sight {
    /// Reads the tower of a LLaVA's folder, or of the folder that it names.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let Some(vision) = &config.vision else {
            let family = config.family.name();
            let reason =
                format!("this is a {family} that reads text only, and there are pictures; take a LLaVA");
            return Err(ModelError::tensors(folder, reason));
        };
        let VisionConfig { layout, tower: clip, layers, rows, .. } = &**vision;
        let mut source = Source::open(folder, "")?;
        source.rename(name);
        let tower = match layout {
            Layout::Original { tower, .. } if !source.has(&format!("{TOWER}embeddings.class_embedding")) => {
                Tower::read_folder(tower, clip, *layers)?
            }
            _ => Tower::read(&mut source, TOWER, clip, *layers)?,
        };
        Ok(Self { tower, rows: *rows, pixels: Numbers::new(Vec::new()) })
    }

    /// What the projector takes, (pictures · tokens, width), of pictures (pictures, channels, side, side).
    pub(crate) fn features(&self, pixels: &[f32]) -> Vec<f32> {
        let states = self.tower.forward(&[], pixels);
        match self.rows {
            Rows::All => states,
            Rows::Patches => {
                let hidden = self.tower.config.hidden_size;
                let pictures = states.chunks_exact(self.tower.tokens() * hidden);
                pictures.flat_map(|picture| &picture[hidden..]).copied().collect()
            }
        }
    }

    /// Pixels of a picture's side.
    pub(crate) fn side(&self) -> usize {
        self.tower.config.image_size
    }

    /// Shows it the pixels of pictures, in the place of those it has been shown before.
    pub(crate) fn show(&mut self, pixels: Numbers) {
        self.pixels = pixels;
    }

    /// Tokens of a picture.
    fn tokens(&self) -> usize {
        self.tower.config.patches() + usize::from(self.rows == Rows::All)
    }

    /// Numbers of a picture as it is shown: its pixels, and zeros up to a multiple of its tokens.
    fn record(&self) -> usize {
        self.tower.of_picture().next_multiple_of(self.tokens().max(1))
    }

    /// Rows of features that the pictures it has been shown have.
    pub(crate) fn shown(&self) -> usize {
        self.pixels.len() / self.record() * self.tokens()
    }

    /// The pixels of the pictures that these rows of features are of, each picture once, and for each row its place among the
    /// states that the tower then gives.
    pub(crate) fn pixels_of(&self, rows: &[usize]) -> (Vec<f32>, Vec<usize>) {
        let (tokens, of_picture) = (self.tokens(), self.tower.of_picture());
        // The class token's state comes first, whether it is taken or not.
        let first = self.tower.tokens() - tokens;
        let pictures: BTreeSet<usize> = rows.iter().map(|row| row / tokens).collect();
        let numbers: BTreeMap<usize, usize> = pictures.iter().enumerate().map(|(n, p)| (*p, n)).collect();
        let mut pixels = buffer(pictures.len() * of_picture);
        for (picture, pixels) in pictures.iter().zip(pixels.chunks_exact_mut(of_picture)) {
            let start = picture * self.record();
            self.pixels.slice().widen(start..start + of_picture, pixels);
        }
        let state = |row: &usize| numbers[&(row / tokens)] * self.tower.tokens() + first + row % tokens;
        (pixels, rows.iter().map(state).collect())
    }

    /// Adds the gradients of what is trained of the tower to `sums`, from those of the features (rows, width) that are these
    /// of its states.
    pub(crate) fn backward(
        &self,
        parameters: &[Parameter],
        (states, looked): (&[usize], Looked),
        d_features: &[f32],
        sums: &mut [Vec<f32>],
    ) {
        let width = self.tower.config.hidden_size;
        let mut dx = buffer(looked.pictures() * self.tower.tokens() * width);
        for (state, d) in states.iter().zip(d_features.chunks_exact(width)) {
            // Sequences that show the same picture add to the same state.
            dx[state * width..(state + 1) * width].iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
        }
        self.tower.backward(parameters, looked, dx, sums);
    }
}
