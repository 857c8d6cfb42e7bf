//! The pictures of a command's examples: part of a stage's key, and looked at before the model reads.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use geneverse_data::dataset::Example;
use geneverse_data::stage::hash_bytes;
use geneverse_model::Decoder;
use geneverse_model::config::ModelConfig;
use geneverse_model::config::vision::Layout;
use geneverse_model::pictures::{Album, Eyes, Kept, PictureFile};
use geneverse_model::recipe::Recipe;
use serde_json::json;

use crate::inputs::{adapter_inputs, model_inputs};
use crate::stop;
use crate::ui::Ui;

/// The pictures that the examples of files show.
pub(crate) fn shown<'a>(
    sets: impl IntoIterator<Item = (&'a Path, &'a [Example])>,
) -> Result<Vec<PictureFile>> {
    let of = |(file, examples): (&'a Path, &'a [Example])| {
        examples.iter().flat_map(move |example| example.picture_paths(file))
    };
    Ok(PictureFile::all(sets.into_iter().flat_map(of))?)
}

/// Adds what a stage depends on for its pictures: their bytes, and a tower that lies in a folder of its own.
pub(crate) fn add_inputs(
    config: &ModelConfig,
    shown: &[PictureFile],
    inputs: &mut BTreeMap<String, String>,
) -> Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    // By the order of their paths, which stand in the examples' file.
    let hashes: Vec<&str> = shown.iter().map(|shown| shown.hash.as_str()).collect();
    inputs.insert("pictures".to_owned(), hash_bytes(hashes.join("\n").as_bytes()));
    add_tower(config, inputs)
}

/// Adds the files of a tower that lies in a folder of its own.
fn add_tower(config: &ModelConfig, inputs: &mut BTreeMap<String, String>) -> Result<()> {
    if let Some(Layout::Original { tower, .. }) = config.vision.as_ref().map(|vision| &vision.layout) {
        let of_tower = model_inputs(tower)?;
        inputs.extend(of_tower.into_iter().map(|(name, hash)| (format!("tower/{name}"), hash)));
    }
    Ok(())
}

/// Looks at pictures with the tower of the model in `folder`, and shows the model what it sees; in `kept` that lies for the
/// next time.
pub(crate) fn look(
    folder: &Path,
    through: Through<'_>,
    model: &mut Decoder,
    shown: &[PictureFile],
    kept: Option<&Path>,
    ui: &Ui,
) -> Result<Looked> {
    if shown.is_empty() {
        return Ok(Looked::Nothing);
    }
    let config = model.config();
    let mut inputs = model_inputs(folder)?;
    add_tower(config, &mut inputs)?;
    let eyes = match through {
        Through::Tower(None) => Eyes::read(folder, config)?,
        Through::Tower(Some(adapter)) => {
            inputs.extend(adapter_inputs(adapter)?);
            Eyes::read(folder, config)?.with_adapter(adapter)?
        }
        Through::Processor => {
            inputs.insert("tower".to_owned(), "trained".to_owned());
            Eyes::read_processor(folder, config)?
        }
    };
    let key = json!(inputs);
    let kept = kept.map(|folder| Kept { folder, key: &key });
    stop::listen();
    Ok(match Album::look(&eyes, shown, kept.as_ref(), ui, &stop::asked)? {
        None => Looked::Stopped,
        Some(album) => {
            model.show(&album);
            Looked::At(album)
        }
    })
}

/// What pictures are looked at with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Through<'a> {
    /// The model's tower, with what an adapter has for it.
    Tower(Option<&'a Path>),
    /// The processor only: the tower is trained with the decoder, which is shown pixels.
    Processor,
}

impl Through<'_> {
    /// As a recipe has it.
    pub(crate) fn of(recipe: &Recipe) -> Self {
        if recipe.tower_rate().is_some() { Self::Processor } else { Self::Tower(None) }
    }
}

/// What came of looking.
pub(crate) enum Looked {
    /// There were no pictures.
    Nothing,
    /// All of them.
    At(Album),
    /// The user has asked to stop.
    Stopped,
}

impl Looked {
    /// The pictures, where there are some.
    pub(crate) fn album(&self) -> Option<&Album> {
        match self {
            Self::At(album) => Some(album),
            Self::Nothing | Self::Stopped => None,
        }
    }
}
