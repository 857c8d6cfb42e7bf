//! LLaVA as a whole: every gradient of its language model and projector, and checkpoints that are written, merged and read.
//!
//! The golden of the gradients was made by `tests/goldens/make_llava_whole_goldens.py`; a merged model is held against PEFT's
//! logits with the adapter beside it. Tolerances as in the module of the parts.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::families::{compare_gradients, read, scalar};
use super::llava::{MODELS, album, model, original, seeing};
use super::*;
use crate::adapter::LoraConfig;
use crate::checkpoint::read_tensors;
use crate::weights::Precision;

#[test]
fn every_gradient_and_ten_losses_of_the_whole_model_equal_pytorch() {
    let golden_tensors = read("llava_whole");
    let album = album(&golden("llava"));
    let sequences = seeing("llava", &album);
    let (lr, of_projector) = (scalar(&golden_tensors["lr"]), scalar(&golden_tensors["projector_lr"]));
    let whole = || model(&golden("llava"), &album).train_all().train_projector(of_projector / lr).unwrap();
    for packing in [None, Some(Packing::Apart), Some(Packing::Shared)] {
        let mut model = whole();
        let (_, found) = gradients(&model, &sequences, packing);
        put(&mut model, &found);
        let mut named = named_weights(&model);
        named.extend(
            adapter::named_projector(&model)
                .into_iter()
                .map(|(name, _, numbers)| (name.replace("base_model.model.model.", ""), numbers.to_vec())),
        );
        compare_gradients(&named, &golden_tensors, "whole.", &format!("{packing:?}"));
    }
    let mut trained = whole();
    let wanted = numbers(&golden_tensors["losses"]);
    super::families::check_losses(&mut trained, &sequences, &wanted, lr, 1.0);
    // Written and read, it is what was trained, and transformers' files have just these tensors.
    let folder = tempfile::tempdir().unwrap();
    trained.write_beside(&golden("llava"), folder.path(), Precision::F32).unwrap();
    let ids = &sequences[1].ids;
    assert_close(
        &model(folder.path(), &album).logits(ids).unwrap(),
        &trained.logits(ids).unwrap(),
        0.0,
        "written and read",
    );
    same_tensors(&golden("llava"), folder.path());
}

/// Two checkpoints have tensors of the same names and shapes, and the same tower.
fn same_tensors(one: &Path, other: &Path) {
    let [one, other] = [one, other].map(|folder| read_tensors(&folder.join("model.safetensors")).unwrap());
    let shapes = |tensors: &BTreeMap<String, crate::checkpoint::Read>| -> Vec<(String, Vec<usize>)> {
        tensors.iter().map(|(name, (dims, _))| (name.clone(), dims.clone())).collect()
    };
    assert_eq!(shapes(&one), shapes(&other));
    for (name, tensor) in one.iter().filter(|(name, _)| name.contains("vision_tower")) {
        assert_eq!(*tensor, other[name], "{name}");
    }
}

#[test]
fn a_merged_llava_says_what_base_and_adapter_say_in_both_layouts() {
    let whole = tempfile::tempdir().unwrap();
    let path = |name: &str| whole.path().join(name);
    for name in MODELS {
        let out = path(name);
        std::fs::create_dir(&out).unwrap();
        let merged =
            crate::merge::merge(&golden(name), &golden(&format!("{name}-adapter")), &out, None).unwrap();
        assert!(merged.probe > 30 && merged.written <= 2e-4 * merged.largest, "{merged:?}");
        assert!(merged.without_adapter > 0.01, "{merged:?}");
        same_tensors(&golden(name), &out);
        // With pictures, through the checkpoint's own tower and processor: PEFT's logits.
        let album = album(&out);
        let sequence = seeing(name, &album).swap_remove(1);
        let found = model(&out, &album).logits(&sequence.ids).unwrap();
        assert_close(&found, &numbers(&read(name)["tuned_logits"]), 5e-4, name);
        let fields = |folder: &Path| -> serde_json::Value {
            serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap()
        };
        let (before, after) = (fields(&golden(name)), fields(&out));
        assert_eq!(before["text_config"]["hidden_size"], after["text_config"]["hidden_size"]);
        assert_eq!((&after["model_type"], &after["torch_dtype"]), (&json!("llava"), &json!("float32")));
        // In 16 bits.
        let half = path(&format!("{name}-half"));
        std::fs::create_dir(&half).unwrap();
        let adapter = golden(&format!("{name}-adapter"));
        crate::merge::merge(&golden(name), &adapter, &half, Some(Precision::Bf16)).unwrap();
    }
    // The original layout: the adapter under its names, the tower in a folder beside the checkpoint.
    let base = original(whole.path(), false);
    let adapter = path("adapter");
    std::fs::create_dir(&adapter).unwrap();
    let names = (Precision::F32, adapter::Names::Original);
    let told = adapter::export(&golden("llava-adapter"), &adapter, names, None).unwrap();
    let apart = read_tensors(&adapter.join("non_lora_trainables.safetensors")).unwrap();
    assert_eq!(apart.keys().next().unwrap(), "base_model.model.model.mm_projector.0.bias");
    assert_eq!(adapter::describe(&adapter).unwrap().parameters, told.parameters);
    let out = path("elsewhere/merged");
    std::fs::create_dir_all(&out).unwrap();
    crate::merge::merge(&base, &adapter, &out, None).unwrap();
    same_tensors(&base, &out);
    std::fs::rename(path("clip-tiny"), path("gone")).unwrap();
    let album = album(&out);
    let sequence = seeing("llava", &album).swap_remove(1);
    let found = model(&out, &album).logits(&sequence.ids).unwrap();
    assert_close(&found, &numbers(&read("llava")["tuned_logits"]), 5e-4, "the original layout");
    // And back to transformers' names: the file that PEFT wrote.
    let back = path("back");
    std::fs::create_dir(&back).unwrap();
    adapter::export(&adapter, &back, (Precision::F32, adapter::Names::Transformers), None).unwrap();
    let file = |folder: &Path| read_tensors(&folder.join("adapter_model.safetensors")).unwrap();
    assert_eq!(file(&back), file(&golden("llava-adapter")));
    assert!(LoraConfig::read(&back).unwrap().projector);
}
