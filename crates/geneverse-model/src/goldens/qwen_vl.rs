//! Qwen2.5-VL against transformers and PEFT: the image processor, the tower, logits, greedy tokens, gradients, ten losses.
//!
//! The goldens were made by `tests/goldens/make_qwen_vl_goldens.py`. Tolerances: patches 1e-5 (a step of 1/255 is 0.0145
//! after the division), tokens of the tower and logits 5e-4 as they stand, gradients 1e-4 of the tensor's largest entry,
//! losses 1e-4.

use std::path::Path;

use geneverse_data::picture::{Channels, Picture};
use serde_json::json;

use super::families::{compare_gradients, read, scalar};
use super::*;
use crate::checkpoint::read_tensors;
use crate::config::ModelConfig;
use crate::pictures::tests::{PICTURES, picture_path};
use crate::pictures::{Album, Eyes, PictureFile, place_ids};
use crate::weights::Precision;

const NAME: &str = "qwen2_5_vl";

fn eyes() -> Eyes {
    Eyes::read(&golden(NAME), &ModelConfig::read(&golden(NAME)).unwrap()).unwrap()
}

fn album() -> Album {
    let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
    Album::look(&eyes(), &shown, None, &geneverse_data::progress::Silent, &|| false).unwrap().unwrap()
}

fn model(folder: &Path, album: &Album) -> Decoder {
    let mut model = Decoder::read(folder).unwrap();
    model.show(album);
    model
}

/// The golden's five sequences with pictures in their places.
fn seeing(album: &Album) -> Vec<Sequence> {
    let golden_tensors = read(NAME);
    let token = ModelConfig::read(&golden(NAME)).unwrap().vision.unwrap().image_token().unwrap();
    let picture = |number: &u32| album.ids(&picture_path(PICTURES[*number as usize])).unwrap();
    let sequence = |i: usize| {
        let pictures: Vec<_> = ids(&golden_tensors[&format!("pictures.{i}")]).iter().map(picture).collect();
        let ids = place_ids(&ids(&golden_tensors[&format!("ids.{i}")]), token, &pictures).unwrap();
        let labels = golden_tensors[&format!("labels.{i}")].to_dtype(candle_core::DType::F32).unwrap();
        let labels = numbers(&labels).into_iter().map(|label| (label >= 0.0).then_some(label as u32));
        Sequence { ids, labels: labels.collect() }
    };
    (0..5).map(sequence).collect()
}

#[test]
fn pictures_of_any_size_are_seen_as_transformers_sees_them() {
    let (golden_tensors, eyes) = (read(NAME), eyes());
    let album = album();
    for (p, picture) in PICTURES.iter().enumerate() {
        let read = || Picture::read(&picture_path(picture)).unwrap();
        let (patches, (down, across)) = eyes.patches(read()).unwrap();
        let grid = ids(&golden_tensors[&format!("grid.{p}")]);
        assert_eq!([2 * down as u32, 2 * across as u32], grid[..], "{picture}");
        assert_close(&patches, &numbers(&golden_tensors[&format!("patches.{p}")]), 1e-5, picture);
        let wanted = numbers(&golden_tensors[&format!("tower.{p}")]);
        assert_close(&eyes.look(vec![read()]).unwrap(), &wanted, 5e-4, picture);
        assert_eq!(album.ids(&picture_path(picture)).unwrap().len(), down * across);
    }
}

#[test]
fn logits_and_greedy_tokens_equal_transformers_in_any_batch() {
    let golden_tensors = read(NAME);
    let album = album();
    let model = model(&golden(NAME), &album);
    let sequences = seeing(&album);
    for (i, sequence) in sequences.iter().enumerate() {
        let wanted = numbers(&golden_tensors[&format!("logits.{i}")]);
        assert_close(&model.logits(&sequence.ids).unwrap(), &wanted, 5e-4, &format!("sequence {i}"));
    }
    let prompts: Vec<Vec<u32>> = sequences.into_iter().map(|sequence| sequence.ids).collect();
    check_answers(&model, (&golden_tensors, "greedy"), &prompts, (1.0, 0));
    // The same question, another picture: another answer.
    assert_ne!(ids(&golden_tensors["greedy.3"])[..8], ids(&golden_tensors["greedy.4"])[..8]);
}

#[test]
fn every_gradient_and_ten_losses_equal_pytorch() {
    let golden_tensors = read(NAME);
    let album = album();
    let sequences = seeing(&album);
    let tuned = || model(&golden(NAME), &album).with_adapter(&golden("qwen2_5_vl-adapter")).unwrap();
    for packing in [None, Some(Packing::Apart), Some(Packing::Padded), Some(Packing::Shared)] {
        let mut model = tuned();
        model.recompute = packing == Some(Packing::Shared);
        let (_, found) = gradients(&model, &sequences, packing);
        put(&mut model, &found);
        compare_gradients(&named_adapter(&model), &golden_tensors, "tuned.", &format!("{packing:?}"));
    }
    let mut model = tuned();
    let (wanted, lr) = (numbers(&golden_tensors["losses"]), scalar(&golden_tensors["lr"]));
    super::families::check_losses(&mut model, &sequences, &wanted, lr, 1.0);
}

#[test]
fn adapters_of_peft_come_back_and_are_merged() {
    let album = album();
    let sequence = seeing(&album).swap_remove(1);
    let wanted = numbers(&read(NAME)["tuned_logits"]);
    let adapter_folder = golden("qwen2_5_vl-adapter");
    let adapted = model(&golden(NAME), &album).with_adapter(&adapter_folder).unwrap();
    assert_close(&adapted.logits(&sequence.ids).unwrap(), &wanted, 5e-4, "adapted");
    let folder = tempfile::tempdir().unwrap();
    let lora = adapter::LoraConfig::read(&adapter_folder).unwrap();
    adapter::write_adapter(&adapted, &lora, folder.path(), NAME).unwrap();
    let file = |folder: &Path| read_tensors(&folder.join("adapter_model.safetensors")).unwrap();
    assert_eq!(file(folder.path()), file(&adapter_folder));
    let error = model(&golden(NAME), &album).train_projector(1.0).err().unwrap().to_string();
    assert_eq!(error, "a projector is to be trained, and this model has none apart from its tower");

    let out = tempfile::tempdir().unwrap();
    crate::merge::merge(&golden(NAME), &adapter_folder, out.path(), None).unwrap();
    let [before, after] = [golden(NAME).as_path(), out.path()]
        .map(|folder| read_tensors(&folder.join("model.safetensors")).unwrap());
    assert!(before.keys().eq(after.keys()));
    assert_eq!(before["visual.merger.ln_q.weight"], after["visual.merger.ln_q.weight"]);
    assert_close(&model(out.path(), &album).logits(&sequence.ids).unwrap(), &wanted, 5e-4, "merged");
    let half = tempfile::tempdir().unwrap();
    crate::merge::merge(&golden(NAME), &adapter_folder, half.path(), Some(Precision::Bf16)).unwrap();
}

#[test]
fn what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden(NAME).join("config.json")).unwrap();
    let changed = |part: &str, field: &str, value: serde_json::Value| {
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        config[part][field] = value;
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        ModelConfig::read(folder.path()).unwrap_err().to_string()
    };
    let error = changed("vision_config", "out_hidden_size", json!(40));
    assert!(error.ends_with("out_hidden_size is 40; expected the decoder's hidden_size"), "{error}");
    let error = changed("vision_config", "window_size", json!(9));
    assert!(
        error.ends_with("window_size is 9; expected at least patch_size times spatial_merge_size"),
        "{error}"
    );
    let error = changed("vision_config", "num_heads", json!(4));
    assert!(error.contains("num_heads is 4; expected a divisor of hidden_size"), "{error}");
    let error = changed(
        "text_config",
        "rope_parameters",
        json!({"rope_type": "default", "mrope_section": [3, 3, 3]}),
    );
    assert!(
        error.ends_with(
            "mrope_section is [3,3,3]; expected three numbers that together are 6, half of a head"
        )
    );

    let eyes = eyes();
    let line = Picture::filled(9000, 20, Channels::Rgb, [1, 2, 3, 0]);
    let error = eyes.look(vec![line]).unwrap_err().to_string();
    assert!(
        error.contains("a picture of 9000 × 20 pixels: the longer side is 450 times the other"),
        "{error}"
    );
    // An adapter with matrices of the tower, and one for another base.
    let error = Decoder::read(&golden("qwen2")).unwrap().with_adapter(&golden("qwen2_5_vl-adapter"));
    assert!(error.is_err());
    let error =
        model(&golden(NAME), &album()).with_adapter(&golden("llava-adapter")).err().unwrap().to_string();
    assert!(error.contains("has none apart from its tower"), "{error}");
    // A checkpoint without its tower.
    for file in ["config.json", "preprocessor_config.json"] {
        std::fs::copy(golden(NAME).join(file), folder.path().join(file)).unwrap();
    }
    let tensors = read_tensors(&golden(NAME).join("model.safetensors")).unwrap();
    let kept: Vec<_> = tensors.into_iter().filter(|(name, _)| !name.starts_with("visual.merger")).collect();
    let fills: Vec<_> = kept.iter().map(|(_, (_, numbers))| || numbers.clone()).collect();
    let entries: Vec<crate::checkpoint::Entry<'_>> = (kept.iter().zip(&fills))
        .map(|((name, (dims, _)), fill)| crate::checkpoint::Entry { name, dims, fill })
        .collect();
    crate::checkpoint::write_tensors(&folder.path().join("model.safetensors"), &entries, Precision::F32)
        .unwrap();
    let config = ModelConfig::read(folder.path()).unwrap();
    let error = Eyes::read(folder.path(), &config).err().unwrap().to_string();
    assert!(error.contains("tensor vision_tower.merger.ln_q.weight is missing"), "{error}");
}
