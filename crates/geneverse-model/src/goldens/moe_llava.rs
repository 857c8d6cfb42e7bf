//! MoE-LLaVA against an implementation of its own in NumPy (`tests/goldens/make_moe_llava_goldens.py`): logits and greedy tokens,
//! with room for every token at its experts and without. Logits 5e-4 as they stand.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::families::read;
use super::llava::tower_folder;
use super::*;
use crate::adapter::LoraConfig;
use crate::checkpoint::read_tensors;
use crate::config::ModelConfig;
use crate::pictures::tests::{PICTURES, picture_path};
use crate::pictures::{Album, Eyes, PictureFile};

/// The golden's model beside its tower, with some fields of `moe` changed.
fn checkpoint(folder: &Path, changes: &[(&str, serde_json::Value)]) -> PathBuf {
    let model = folder.join("moe");
    std::fs::create_dir_all(&model).unwrap();
    let text = std::fs::read_to_string(golden("moe_llava/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    changes.iter().for_each(|(field, value)| config["moe"][*field] = value.clone());
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    std::fs::copy(golden("moe_llava/model.safetensors"), model.join("model.safetensors")).unwrap();
    tower_folder(folder);
    model
}

fn album(model: &Path) -> Album {
    let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
    let eyes = Eyes::read(model, &ModelConfig::read(model).unwrap()).unwrap();
    Album::look(&eyes, &shown, None, &geneverse_data::progress::Silent, &|| false).unwrap().unwrap()
}

fn decoder(folder: &Path, album: &Album) -> Decoder {
    let mut model = Decoder::read(folder).unwrap();
    model.show(album);
    model
}

/// The golden's four sequences with the rows of their pictures.
fn seeing(album: &Album) -> Vec<Vec<u32>> {
    let golden_tensors = read("moe_llava");
    let whole = |name: &str| -> Vec<i64> {
        golden_tensors[name].to_dtype(candle_core::DType::I64).unwrap().to_vec1().unwrap()
    };
    let sequence = |i: usize| {
        let pictures = whole(&format!("pictures.{i}")).into_iter();
        let mut rows = pictures.flat_map(|p| album.ids(&picture_path(PICTURES[p as usize])).unwrap());
        let ids = whole(&format!("ids.{i}")).into_iter();
        ids.map(|id| if id < 0 { rows.next().unwrap() } else { id as u32 }).collect()
    };
    (0..4).map(sequence).collect()
}

#[test]
fn logits_and_greedy_tokens_equal_an_implementation_from_the_paper() {
    let golden_tensors = read("moe_llava");
    let folder = tempfile::tempdir().unwrap();
    for (name, changes) in [("logits", vec![]), ("tight", vec![("eval_capacity_factor", json!(0.4))])] {
        let path = checkpoint(folder.path(), &changes);
        let album = album(&path);
        let model = decoder(&path, &album);
        for (i, ids) in seeing(&album).iter().enumerate() {
            let wanted = numbers(&golden_tensors[&format!("{name}.{i}")]);
            assert_close(&model.logits(ids).unwrap(), &wanted, 5e-4, &format!("{name}, sequence {i}"));
        }
    }
    let path = checkpoint(folder.path(), &[]);
    let album = album(&path);
    let model = decoder(&path, &album);
    let prompts = seeing(&album);
    for batch in [1, 3, 4] {
        let config = GenerateConfig {
            max_new_tokens: 16,
            batch,
            stop_ids: vec![2, 5],
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            no_repeat_in_answer: 0,
        };
        let mut answers = vec![Vec::new(); 4];
        generate(&model, &prompts, &config, &mut |event| {
            if let Event::Done(answer) = event {
                answers[answer.prompt] = answer.ids;
            }
            Ok(true)
        })
        .unwrap();
        for (i, answer) in answers.iter().enumerate() {
            let mut wanted = ids(&golden_tensors[&format!("greedy.{i}")]);
            wanted.retain(|id| ![2, 5].contains(id));
            assert_eq!(*answer, wanted, "prompt {i} in batches of {batch}");
        }
    }
    // Every expert and the router are a part of the model.
    let tensors = read_tensors(&path.join("model.safetensors")).unwrap();
    let all: usize = tensors.values().map(|(_, numbers)| numbers.len()).sum();
    assert_eq!(model.weights_len(), all);
    // The projector's two biases are few, and not counted.
    assert_eq!(model.frozen_bytes(), 4 * (all + album.numbers().len() - 2 * 32));
}

#[test]
fn what_is_not_run_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |field: &str, value: serde_json::Value| {
        let path = checkpoint(folder.path(), &[(field, value)]);
        Decoder::read(&path).err().unwrap().to_string()
    };
    let error = refused("top_k_experts", json!(1));
    assert!(error.ends_with("top_k_experts is 1; expected 2"), "{error}");
    let error = refused("use_residual", json!(true));
    assert!(error.ends_with("use_residual is true; expected nothing"), "{error}");
    let error = refused("num_experts", json!([4, 3, 2]));
    assert!(error.ends_with(
        "num_experts is [4,3,2]; expected one number, or one for each of 2 layers, each from 2 to 1024"
    ));
    let error = refused("moe_layers_idx", json!([0, 3]));
    assert!(error.ends_with("moe_layers_idx is 3; expected layers below 3"), "{error}");
    let error = refused("num_experts", json!([5, 3]));
    assert!(
        error.contains("layers.0.mlp.deepspeed_moe.experts.deepspeed_experts.4.gate_proj.weight is missing"),
        "{error}"
    );

    let path = checkpoint(folder.path(), &[]);
    let lora =
        LoraConfig { within: None, projector: false, ..LoraConfig::read(&golden("llava-adapter")).unwrap() };
    let error = Decoder::read(&path).unwrap().train_lora(&lora, 1).err().unwrap().to_string();
    assert!(
        error.starts_with("a decoder with experts is run as it is, and neither trained nor adapted"),
        "{error}"
    );
    let recipe: Recipe = recipe("lora", 2, 1);
    let error = recipe.for_model(&ModelConfig::read(&path).unwrap()).unwrap_err().to_string();
    assert_eq!(
        error,
        "recipe: model.base is a stablelm with experts, which is run and not trained, expected a LLaVA without experts"
    );
}
