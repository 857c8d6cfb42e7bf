//! The files of a base model that a stage's result depends on, by what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use geneverse_data::stage::{hash_bytes, hash_file, read_json};
use serde_json::Value;

/// Files of a checkpoint folder that say how text becomes tokens, and which tokens end an answer.
pub(crate) const TOKEN_FILES: [&str; 8] = [
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
];

/// Files that say what is computed.
const WEIGHT_FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "preprocessor_config.json",
    "processor_config.json",
];

/// From here on a file is known by samples: reading 14.5 GB takes longer than many a run's first step.
const LARGE: u64 = 1 << 30;

/// Of a large file, one byte in 64 is read: the first MiB of every 64, which has the header, and the last of all.
const SAMPLE: u64 = 1 << 20;
const EVERY: u64 = 64 << 20;

/// Names and hashes of a checkpoint folder's files, shards included.
pub(crate) fn model_inputs(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut names: BTreeSet<String> =
        TOKEN_FILES.into_iter().chain(WEIGHT_FILES).map(str::to_owned).collect();
    let index = folder.join("model.safetensors.index.json");
    if index.exists() && !folder.join("model.safetensors").exists() {
        let fields: Value = read_json(&index)?;
        let places = fields["weight_map"].as_object().into_iter().flat_map(|map| map.values());
        names.extend(places.filter_map(Value::as_str).map(str::to_owned));
    }
    let mut inputs = BTreeMap::new();
    for name in names {
        let path = folder.join(&name);
        if path.exists() {
            inputs.insert(name, fingerprint(&path, LARGE)?);
        }
    }
    Ok(inputs)
}

/// Names and hashes of an adapter's files.
pub(crate) fn adapter_inputs(adapter: &Path) -> Result<BTreeMap<String, String>> {
    let mut inputs = BTreeMap::new();
    for file in ["adapter_config.json", "adapter_model.safetensors", "non_lora_trainables.safetensors"] {
        let path = adapter.join(file);
        if path.exists() || file.starts_with("adapter") {
            inputs.insert(file.to_owned(), hash_file(&path)?);
        }
    }
    Ok(inputs)
}

/// The hash of a file, or of its length and samples where it has more than `large` bytes.
///
/// Name and time of change are left out, for a copy of a model is the same model. Training changes nearly every number
/// of a tensor, so another checkpoint of the same shape differs in any sample.
fn fingerprint(path: &Path, large: u64) -> Result<String> {
    let cannot = || format!("{}: cannot read", path.display());
    let length = path.metadata().with_context(cannot)?.len();
    if length <= large {
        return Ok(hash_file(path)?);
    }
    let mut file = File::open(path).with_context(cannot)?;
    let mut sampled = length.to_le_bytes().to_vec();
    let last = length.saturating_sub(SAMPLE);
    for start in (0..last).step_by(EVERY as usize).chain([last]) {
        file.seek(SeekFrom::Start(start)).with_context(cannot)?;
        (&mut file).take(SAMPLE).read_to_end(&mut sampled).with_context(cannot)?;
    }
    Ok(format!("sampled {}", hash_bytes(&sampled)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_matters_is_named_and_shards_are_too() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("config.json", "{}");
        write("tokenizer.model", "t");
        write("README.md", "r");
        write("a.safetensors", "1");
        write("b.safetensors", "2");
        write(
            "model.safetensors.index.json",
            r#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}"#,
        );
        let inputs = model_inputs(folder.path()).unwrap();
        let names: Vec<&str> = inputs.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "a.safetensors",
                "b.safetensors",
                "config.json",
                "model.safetensors.index.json",
                "tokenizer.model"
            ]
        );
        write("b.safetensors", "3");
        assert_ne!(model_inputs(folder.path()).unwrap()["b.safetensors"], inputs["b.safetensors"]);
    }

    #[test]
    fn a_large_file_is_known_by_length_and_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let print = |length: usize, change: Option<usize>| {
            let mut bytes = vec![7; length];
            change.iter().for_each(|at| bytes[*at] = 8);
            std::fs::write(&path, &bytes).unwrap();
            fingerprint(&path, 1 << 20).unwrap()
        };
        let plain = print(3 << 20, None);
        assert!(plain.starts_with("sampled "));
        assert_ne!(print((3 << 20) + 1, None), plain);
        assert_ne!(print(3 << 20, Some(1000)), plain, "the header");
        assert_ne!(print(3 << 20, Some((3 << 20) - 1)), plain, "the end");
        assert_eq!(print(3 << 20, None), plain, "whenever it was written");
        assert!(!print(1 << 20, None).starts_with("sampled "));
    }
}
