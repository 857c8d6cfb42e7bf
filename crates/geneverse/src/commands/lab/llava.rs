//! `lab llava`: a text model with a small tower that has seen nothing yet.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use geneverse_data::dataset::read_examples;
use geneverse_data::stage::{atomic_write, hash_bytes};
use geneverse_model::pictures::Colours;
use geneverse_model::{Decoder, TowerShape, new_llava};
use serde_json::json;

use crate::commands::train::thousands;
use crate::config::model_folder;
use crate::ui::Ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Writes a checkpoint in transformers' layout (llava-hf): the text model as it is, and a CLIP tower and a projector of random \
weights. It sees nothing before it is trained, with vision.tower = \"trained\" in the recipe. A tower learns much sooner where \
pictures are centred and scaled by their own colours (--pictures). The same seed gives the same bytes.

Example:
  geneverse lab llava --base models/geneverse-nano --image-size 64 --patch-size 16 --pictures dataset/train.json \
    --out small-llava")]
pub(crate) struct LlavaArgs {
    /// The text model's checkpoint folder; its tokenizer must know `<image>`
    #[arg(long, value_name = "DIR")]
    base: String,
    /// The folder to write; there must be nothing of that name
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    tower: TowerArgs,
    /// Centre and scale pictures by the colours of this dataset's [default: around grey, black −1, white 1]
    #[arg(long, value_name = "FILE")]
    pictures: Option<PathBuf>,
    /// Chooses the random weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The sizes of a new tower.
#[derive(Debug, Clone, Args)]
pub(crate) struct TowerArgs {
    /// Pixels of a picture's side
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) image_size: usize,
    /// Pixels of a patch's side; a picture becomes (image size / patch size)² tokens
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) patch_size: usize,
    /// The tower's width
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) hidden: usize,
    /// The tower's layers
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) layers: usize,
    /// Heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) heads: usize,
}

impl TowerArgs {
    fn shape(&self) -> TowerShape {
        let Self { image_size, patch_size, hidden, layers, heads } = *self;
        TowerShape { image_size, patch_size, hidden, layers, heads, intermediate: 4 * hidden }
    }
}

pub(super) fn run(args: &LlavaArgs, ui: &Ui) -> Result<ExitCode> {
    let LlavaArgs { base, out, tower, pictures, seed } = args;
    if out.exists() {
        bail!("{}: exists; choose another --out or remove it", out.display());
    }
    let colours = pictures.as_deref().map(|file| colours_of(file, tower)).transpose()?.unwrap_or_default();
    make(&model_folder(base)?, tower, &colours, *seed, out)?;
    let (decoder, patches) = (Decoder::read(out)?, (tower.image_size / tower.patch_size.max(1)).pow(2));
    let parameters = decoder.weights_len();
    let told = json!({"out": out, "picture_tokens": patches, "parameters_without_tower": parameters});
    ui.result(&told, || {
        let parameters = thousands(parameters);
        format!("{}: {patches} tokens a picture, {parameters} parameters without the tower", out.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The colours of a dataset's pictures, as a tower gets them.
pub(crate) fn colours_of(file: &Path, tower: &TowerArgs) -> Result<Colours> {
    let examples = read_examples(file)?;
    let files: BTreeSet<PathBuf> = examples.iter().flat_map(|example| example.picture_paths(file)).collect();
    if files.is_empty() {
        bail!("{}: its examples show no picture; leave --pictures out, or name another", file.display());
    }
    Ok(Colours::of(&files.into_iter().collect::<Vec<_>>(), tower.image_size)?)
}

/// Makes a LLaVA beside its place and renames it in; one that was made of the same is left alone.
pub(crate) fn make(base: &Path, tower: &TowerArgs, colours: &Colours, seed: u64, out: &Path) -> Result<()> {
    let shape = tower.shape();
    let inputs = json!({
        "base": crate::inputs::model_inputs(base)?, "tower": format!("{shape:?}"), "colours": format!("{colours:?}"),
        "seed": seed,
    });
    let key = hash_bytes(inputs.to_string().as_bytes());
    let mark = out.join(MADE_OF);
    if fs::read_to_string(&mark).is_ok_and(|there| there.trim() == key) {
        return Ok(());
    }
    if out.exists() {
        bail!(
            "{}: was made of another base or with other sizes; choose another folder or remove it",
            out.display()
        );
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".writing");
    let beside = out.with_file_name(name);
    if beside.exists() {
        fs::remove_dir_all(&beside).with_context(|| format!("{}: cannot remove", beside.display()))?;
    }
    new_llava(base, &shape, colours, seed, &beside)?;
    let generation = base.join("generation_config.json");
    if generation.exists() {
        let bytes =
            fs::read(&generation).with_context(|| format!("{}: cannot read", generation.display()))?;
        atomic_write(&beside.join("generation_config.json"), |file| file.write_all(&bytes))?;
    }
    atomic_write(&beside.join(MADE_OF), |file| writeln!(file, "{key}"))?;
    fs::rename(&beside, out).with_context(|| format!("{}: cannot rename", out.display()))
}

/// The hash of what a LLaVA was made of.
const MADE_OF: &str = "made-of";
