//! What the program carries inside itself, so that the first run needs nothing else: gene records, a small base
//! model, and the recipe that the quickstart trains by.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use geneverse_data::stage::atomic_write;

/// The gene records, a JSON object a line; see `data/README.md`.
pub(crate) const RECORDS: &str = include_str!("../../../data/genes.jsonl");

/// The recipe of the quickstart.
pub(crate) const RECIPE: &str = include_str!("../../../recipes/quickstart.toml");

/// The recipes of the quickstarts that see.
pub(crate) const MARKER_RECIPE: &str = include_str!("../../../recipes/quickstart-marker.toml");
/// See [`MARKER_RECIPE`].
pub(crate) const PROTEIN_RECIPE: &str = include_str!("../../../recipes/quickstart-protein.toml");

/// How the base model is named.
pub(crate) const MODEL: &str = "geneverse-nano";

const MODEL_FILES: [(&str, &[u8]); 5] = [
    ("config.json", include_bytes!("../../../models/geneverse-nano/config.json")),
    ("generation_config.json", include_bytes!("../../../models/geneverse-nano/generation_config.json")),
    ("tokenizer.json", include_bytes!("../../../models/geneverse-nano/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../../models/geneverse-nano/tokenizer_config.json")),
    ("model.safetensors", include_bytes!("../../../models/geneverse-nano/model.safetensors")),
];

/// The paper's twenty test genes, kept out of every training here.
pub(crate) const PAPER_GENES: [&str; 20] = [
    "HEATR5B",
    "ZNF385A",
    "ZNF226",
    "IGKV2D-36",
    "RPL37P24",
    "FGF7",
    "LRRC7",
    "MIR6721",
    "SRD5A3",
    "MIR608",
    "EOGT",
    "CASP10",
    "CYCSP32",
    "HSPA1L",
    "SLC30A10",
    "GLI1",
    "RPS4XP1",
    "RPS27AP8",
    "CCL23",
    "ACSS3",
];

/// Writes the base model into a folder; files that are there already and equal are left alone.
pub(crate) fn write_model(folder: &Path) -> Result<()> {
    for (name, bytes) in MODEL_FILES {
        write_if_changed(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// Writes the records into a file; an equal one is left alone.
pub(crate) fn write_records(path: &Path) -> Result<()> {
    write_if_changed(path, RECORDS.as_bytes())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    atomic_write(path, |out| out.write_all(bytes))?;
    Ok(())
}
