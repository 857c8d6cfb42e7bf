//! What looks at pictures: a processor and a tower, of one size or of any.

use std::path::Path;

use geneverse_data::picture::Picture;

use super::Processor;
use super::fitted::Fitted;
use crate::arch::llava::{self, Sight};
use crate::arch::qwen::QwenTower;
use crate::checkpoint::Source;
use crate::config::ModelConfig;
use crate::config::fields::Fields;
use crate::config::vision::CHANNELS;
use crate::error::Result;

/// What makes features of a picture.
pub struct Eyes {
    kind: Kind,
    width: usize,
}

enum Kind {
    /// Every picture becomes as many tokens.
    OneSize { processor: Processor, sight: Box<Sight>, tokens: usize },
    /// The same for a tower that is trained: a picture is only made ready. Its numbers are spread over its tokens, zeros at the
    /// end where they do not come out even.
    Ready { processor: Processor, side: usize, tokens: usize },
    /// A picture becomes as many tokens as it is large.
    AnySize { fitted: Fitted, tower: Box<QwenTower> },
}

/// What is seen of a picture: its features, row after row, and how they lie.
pub(crate) struct Glance {
    /// (down · across, width)
    pub(crate) features: Vec<f32>,
    pub(crate) down: usize,
    pub(crate) across: usize,
}

impl Eyes {
    /// Reads the processor and the tower of a model that sees.
    pub fn read(folder: &Path, config: &ModelConfig) -> Result<Self> {
        if let Some(vision) = &config.vision
            && let Some(any) = &vision.any_size
        {
            let (map, path, _) = Processor::fields(folder, config)?;
            let fitted = Fitted::from_fields(&Fields::new(&map, &path), vision.tower.patch_size, any)?;
            let mut source = Source::open(folder, "")?;
            source.rename(llava::name);
            let out = config.hidden_size;
            let tower = Box::new(QwenTower::read(&mut source, llava::TOWER, (&vision.tower, any), out)?);
            return Ok(Self { kind: Kind::AnySize { fitted, tower }, width: out });
        }
        let sight = Box::new(Sight::read(folder, config)?);
        let vision = config.vision.as_ref();
        let tokens = vision.map_or(0, |vision| vision.tokens());
        let width = vision.map_or(0, |vision| vision.tower.hidden_size);
        let processor = Processor::read(folder, config)?;
        Ok(Self { kind: Kind::OneSize { processor, sight, tokens }, width })
    }

    /// Reads the processor alone, for a LLaVA whose tower is trained.
    pub fn read_processor(folder: &Path, config: &ModelConfig) -> Result<Self> {
        let processor = Processor::read(folder, config)?;
        let vision = config.vision.as_ref();
        let (tokens, side) = vision.map_or((1, 0), |vision| (vision.tokens(), vision.tower.image_size));
        let width = (CHANNELS * side.pow(2)).div_ceil(tokens.max(1));
        Ok(Self { kind: Kind::Ready { processor, side, tokens }, width })
    }

    /// Puts what an adapter has for the tower into it.
    pub fn with_adapter(mut self, adapter: &Path) -> Result<Self> {
        if let Kind::OneSize { processor, sight, tokens } = self.kind {
            let sight = Box::new(sight.with_adapter(adapter)?);
            self.kind = Kind::OneSize { processor, sight, tokens };
        }
        Ok(self)
    }

    /// Numbers of a token's features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What is seen of each picture.
    pub(crate) fn glances(&self, pictures: Vec<Picture>) -> Result<Vec<Glance>> {
        match &self.kind {
            Kind::OneSize { processor, sight, tokens } => {
                let mut pixels = Vec::new();
                for picture in pictures {
                    pixels.extend(processor.prepare(picture, sight.side())?);
                }
                let all = sight.features(&pixels);
                let of = |features: &[f32]| Glance { features: features.to_vec(), down: 1, across: *tokens };
                Ok(all.chunks_exact((tokens * self.width).max(1)).map(of).collect())
            }
            Kind::Ready { processor, side, tokens } => {
                let glance = |picture| {
                    let mut features = processor.prepare(picture, *side)?;
                    features.resize(tokens * self.width, 0.0);
                    Ok(Glance { features, down: 1, across: *tokens })
                };
                pictures.into_iter().map(glance).collect()
            }
            Kind::AnySize { fitted, tower } => {
                let glance = |picture| {
                    let (patches, (down, across)) = fitted.prepare(picture)?;
                    Ok(Glance { features: tower.forward(&patches, (down, across)), down, across })
                };
                pictures.into_iter().map(glance).collect()
            }
        }
    }

    /// Features of pictures: (tokens of all pictures, width).
    pub fn look(&self, pictures: Vec<Picture>) -> Result<Vec<f32>> {
        Ok(self.glances(pictures)?.into_iter().flat_map(|glance| glance.features).collect())
    }

    /// Features of pictures that are ready: (pictures, channels, side, side).
    #[cfg(test)]
    pub(crate) fn features(&self, pixels: &[f32]) -> Vec<f32> {
        match &self.kind {
            Kind::OneSize { sight, .. } => sight.features(pixels),
            Kind::Ready { .. } | Kind::AnySize { .. } => Vec::new(),
        }
    }

    /// Tokens that every picture becomes.
    #[cfg(test)]
    pub(crate) fn tokens(&self) -> usize {
        match &self.kind {
            Kind::OneSize { tokens, .. } | Kind::Ready { tokens, .. } => *tokens,
            Kind::AnySize { .. } => 0,
        }
    }

    /// A picture's patches, of a model that sees pictures of any size.
    #[cfg(test)]
    pub(crate) fn patches(&self, picture: Picture) -> Result<(Vec<f32>, (usize, usize))> {
        match &self.kind {
            Kind::OneSize { .. } | Kind::Ready { .. } => Ok((Vec::new(), (0, 0))),
            Kind::AnySize { fitted, .. } => fitted.prepare(picture),
        }
    }
}
