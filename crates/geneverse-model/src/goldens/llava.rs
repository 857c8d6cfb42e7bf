//! LLaVA against transformers and PEFT: the tower, logits, greedy tokens, gradients of adapters and projector, ten losses.
//!
//! The goldens were made by `tests/goldens/make_llava_goldens.py`. Tolerances: states of the tower and logits 5e-4 as they
//! stand, gradients 1e-4 of the tensor's largest entry, losses 1e-4.

use std::collections::BTreeMap;
use std::path::Path;

use geneverse_data::picture::Picture;
use serde_json::json;

use super::families::{compare_gradients, read, scalar};
use super::*;
use crate::adapter::LoraConfig;
use crate::checkpoint::{Entry, read_tensors, write_tensors};
use crate::config::ModelConfig;
use crate::pictures::tests::{PICTURES, picture_path};
use crate::pictures::{Album, Eyes, PictureFile, place_ids};
use crate::weights::Precision;

pub(super) const MODELS: [&str; 2] = ["llava", "llava_full"];

fn eyes(folder: &Path) -> Eyes {
    Eyes::read(folder, &ModelConfig::read(folder).unwrap()).unwrap()
}

/// The goldens' five pictures, looked at.
pub(super) fn album(folder: &Path) -> Album {
    let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
    Album::look(&eyes(folder), &shown, None, &geneverse_data::progress::Silent, &|| false).unwrap().unwrap()
}

fn image_token(config: &ModelConfig) -> u32 {
    match config.vision.as_ref().unwrap().layout {
        crate::config::vision::Layout::Transformers { image_token } => image_token,
        _ => 0,
    }
}

/// The golden's four sequences with pictures in their places.
pub(super) fn seeing(name: &str, album: &Album) -> Vec<Sequence> {
    let golden_tensors = read(name);
    let token = image_token(&ModelConfig::read(&golden(name)).unwrap());
    let picture = |number: &u32| album.ids(&picture_path(PICTURES[*number as usize])).unwrap();
    (0..4)
        .map(|i| {
            let pictures: Vec<_> =
                ids(&golden_tensors[&format!("pictures.{i}")]).iter().map(picture).collect();
            let ids = place_ids(&ids(&golden_tensors[&format!("ids.{i}")]), token, &pictures).unwrap();
            let labels: Vec<f32> =
                numbers(&golden_tensors[&format!("labels.{i}")].to_dtype(candle_core::DType::F32).unwrap());
            let labels = labels.into_iter().map(|label| (label >= 0.0).then_some(label as u32)).collect();
            Sequence { ids, labels }
        })
        .collect()
}

pub(super) fn model(folder: &Path, album: &Album) -> Decoder {
    let mut model = Decoder::read(folder).unwrap();
    model.show(album);
    model
}

#[test]
fn the_tower_sees_what_transformers_sees() {
    for name in MODELS {
        let golden_tensors = read(name);
        let eyes = eyes(&golden(name));
        // All of them at once: pictures must not see each other.
        let pixels: Vec<f32> =
            (0..5).flat_map(|p| numbers(&golden_tensors[&format!("pixels.{p}")])).collect();
        let found = eyes.features(&pixels);
        let each = eyes.tokens() * eyes.width();
        for (p, found) in found.chunks_exact(each).enumerate() {
            let wanted = numbers(&golden_tensors[&format!("tower.{p}")]);
            assert_close(found, &wanted, 5e-4, &format!("{name}, picture {p}"));
            // From the file, through the processor.
            let picture = Picture::read(&picture_path(PICTURES[p])).unwrap();
            assert_close(
                &eyes.look(vec![picture]).unwrap(),
                &wanted,
                5e-4,
                &format!("{name}, picture {p} as a file"),
            );
        }
    }
}

#[test]
fn logits_equal_transformers() {
    for name in MODELS {
        let golden_tensors = read(name);
        let album = album(&golden(name));
        let model = model(&golden(name), &album);
        for (i, sequence) in seeing(name, &album).iter().enumerate() {
            let wanted = numbers(&golden_tensors[&format!("logits.{i}")]);
            assert_close(
                &model.logits(&sequence.ids).unwrap(),
                &wanted,
                5e-4,
                &format!("{name}, sequence {i}"),
            );
        }
    }
}

/// A checkpoint's tensors under other names, with another configuration.
fn rewritten(name: &str, folder: &Path, config: &serde_json::Value, rename: impl Fn(&str) -> Option<String>) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let from = golden(name).join("preprocessor_config.json");
    std::fs::copy(from, folder.join("preprocessor_config.json")).unwrap();
    let tensors = read_tensors(&golden(name).join("model.safetensors")).unwrap();
    let renamed: BTreeMap<String, _> =
        tensors.into_iter().filter_map(|(name, tensor)| Some((rename(&name)?, tensor))).collect();
    assert!(!renamed.is_empty());
    let fills: Vec<_> = renamed.values().map(|(_, numbers)| || numbers.clone()).collect();
    let entries: Vec<Entry<'_>> =
        (renamed.iter().zip(&fills)).map(|((name, (dims, _)), fill)| Entry { name, dims, fill }).collect();
    write_tensors(&folder.join("model.safetensors"), &entries, Precision::F32).unwrap();
}

fn config_of(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(golden(name).join("config.json")).unwrap()).unwrap()
}

/// The golden's model in the original layout, its tower in a folder of its own.
pub(super) fn original(folder: &Path, tower_inside: bool) -> std::path::PathBuf {
    let whole = config_of("llava");
    let mut config = whole["text_config"].clone();
    let fields = json!({"model_type": "llava", "mm_vision_tower": "openai/clip-tiny", "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch", "mm_hidden_size": 21,
        "mm_use_im_start_end": false, "mm_use_im_patch_token": false, "use_mm_proj": true});
    for (key, value) in fields.as_object().unwrap() {
        config[key] = value.clone();
    }
    let model = folder.join("llava-v1.5");
    rewritten("llava", &model, &config, |name| {
        let name =
            name.replace("language_model.model.", "model.").replace("language_model.lm_head", "lm_head");
        let name = name.replace("multi_modal_projector.linear_1", "model.mm_projector.0");
        let name = name.replace("multi_modal_projector.linear_2", "model.mm_projector.2");
        match name.strip_prefix("vision_tower.") {
            Some(rest) if tower_inside => {
                Some(format!("model.vision_tower.vision_tower.vision_model.{rest}"))
            }
            Some(_) => None,
            None => Some(name),
        }
    });
    tower_folder(folder);
    model
}

/// The golden's tower in a folder of its own.
pub(super) fn tower_folder(folder: &Path) {
    let mut tower = config_of("llava")["vision_config"].clone();
    tower["model_type"] = json!("clip_vision_model");
    rewritten(
        "llava",
        &folder.join("clip-tiny"),
        &json!({"model_type": "clip", "vision_config": tower}),
        |name| name.strip_prefix("vision_tower.").map(|rest| format!("vision_model.{rest}")),
    );
}

#[test]
fn every_layout_is_the_same_model() {
    let wanted = numbers(&read("llava")["logits.1"]);
    let check = |folder: &Path, what: &str| {
        let album = album(folder);
        let sequence = seeing("llava", &album).swap_remove(1);
        let found = model(folder, &album).logits(&sequence.ids).unwrap();
        assert_close(&found, &wanted, 5e-4, what);
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = config_of("llava");
    rewritten("llava", &path("modules"), &config, |name| {
        let name = name.replace("language_model.lm_head", "lm_head");
        let name = name.replace("language_model.model.", "model.language_model.");
        let name = name.replace("multi_modal_projector", "model.multi_modal_projector");
        Some(name.replace("vision_tower", "model.vision_tower"))
    });
    check(&path("modules"), "transformers' modules");
    rewritten("llava", &path("old"), &config, |name| {
        Some(name.replace("vision_tower.", "vision_tower.vision_model."))
    });
    check(&path("old"), "transformers before 4.52");
    check(&original(&path("apart"), false), "the original, its tower beside it");
    check(&original(&path("inside"), true), "the original, its tower in it");
}

#[test]
fn what_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = |folder: &Path| Decoder::read(folder).err().unwrap().to_string();
    let config = config_of("llava");
    rewritten("llava", &path("blind"), &config, |name| {
        (!name.contains("projector")).then(|| name.to_owned())
    });
    assert!(
        read(&path("blind")).contains("has no projector (multi_modal_projector.linear_1, or mm_projector.0")
    );
    rewritten("llava", &path("towerless"), &config, |name| {
        (!name.contains("tower")).then(|| name.to_owned())
    });
    let config_read = ModelConfig::read(&path("towerless")).unwrap();
    let error = Eyes::read(&path("towerless"), &config_read).err().unwrap().to_string();
    assert!(error.contains("tensor vision_tower.embeddings.patch_embedding.weight is missing"), "{error}");

    let lost = original(&path("lost"), false);
    std::fs::remove_dir_all(path("lost").join("clip-tiny")).unwrap();
    let error = read(&lost);
    assert!(
        error.contains(
            "mm_vision_tower is \"openai/clip-tiny\"; expected a folder with CLIP's tower; put it in"
        ),
        "{error}"
    );

    let changed = |field: &str, value: serde_json::Value| {
        let mut config = config_of("llava");
        config[field] = value;
        rewritten("llava", &path("changed"), &config, |name| Some(name.to_owned()));
        read(&path("changed"))
    };
    let error = changed("vision_feature_layer", json!(9));
    assert!(
        error.ends_with("vision_feature_layer is 9; expected from -4 to 3, for a tower of 3 layers"),
        "{error}"
    );
    let error = changed("vision_feature_layer", json!([-2, -1]));
    assert!(error.ends_with("vision_feature_layer is [-2,-1]; expected the number of one layer"), "{error}");
    let error = changed("vision_feature_select_strategy", json!("half"));
    assert!(error.ends_with("is \"half\"; expected \"default\" or \"full\""), "{error}");

    // A picture's token without the picture, and a text model with one.
    let album = album(&golden("llava"));
    let sequence = seeing("llava", &album).swap_remove(0);
    let blind = Decoder::read(&golden("llava")).unwrap();
    let error = blind.logits(&sequence.ids).unwrap_err().to_string();
    assert_eq!(
        error,
        "a prompt shows a picture, and the model has been shown 0 rows of pictures, not its own"
    );
    let error = Eyes::read(&golden("llama"), &ModelConfig::read(&golden("llama")).unwrap())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("this is a llama that reads text only, and there are pictures; take a LLaVA"),
        "{error}"
    );
}

/// In any batch, with pictures and text mixed, with prompts that begin alike and differ only in their picture.
#[test]
fn greedy_tokens_equal_transformers_in_any_batch() {
    for name in MODELS {
        let golden_tensors = read(name);
        let album = album(&golden(name));
        let model = model(&golden(name), &album);
        let prompts: Vec<Vec<u32>> = seeing(name, &album).into_iter().map(|sequence| sequence.ids).collect();
        check_answers(&model, (&golden_tensors, "greedy"), &prompts, (1.0, 0));
        // Penalty and guard meet tokens that no logit belongs to.
        let config = GenerateConfig {
            max_new_tokens: 12,
            batch: 4,
            stop_ids: Vec::new(),
            repetition_penalty: 1.3,
            no_repeat_ngram_size: 2,
            no_repeat_in_answer: 0,
        };
        let mut answers = 0;
        generate(&model, &prompts, &config, &mut |event| {
            answers += usize::from(matches!(event, Event::Done(_)));
            Ok(true)
        })
        .unwrap();
        assert_eq!(answers, 4);
    }
}

/// The model with PEFT's adapter and the projector that came with it.
fn tuned(name: &str, album: &Album) -> Decoder {
    model(&golden(name), album).with_adapter(&golden(&format!("{name}-adapter"))).unwrap()
}

fn named_tuned(model: &Decoder) -> Named {
    let mut named = named_adapter(model);
    named.extend(
        adapter::named_projector(model).into_iter().map(|(name, _, numbers)| (name, numbers.to_vec())),
    );
    named
}

#[test]
fn adapters_of_peft_with_a_projector_give_its_logits_and_come_back() {
    for name in MODELS {
        let album = album(&golden(name));
        let wanted = numbers(&read(name)["tuned_logits"]);
        let sequence = seeing(name, &album).swap_remove(1);
        let adapted = tuned(name, &album);
        assert_close(&adapted.logits(&sequence.ids).unwrap(), &wanted, 5e-4, name);
        let lora = LoraConfig::read(&golden(&format!("{name}-adapter"))).unwrap();
        let written = tempfile::tempdir().unwrap();
        adapter::write_adapter(&adapted, &lora, written.path(), name).unwrap();
        let file = |folder: &Path| read_tensors(&folder.join("adapter_model.safetensors")).unwrap();
        assert_eq!(file(written.path()), file(&golden(&format!("{name}-adapter"))));
        let config: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(written.path().join("adapter_config.json")).unwrap(),
        )
        .unwrap();
        assert_eq!(config["modules_to_save"], json!(["multi_modal_projector"]));
        assert!(config["target_modules"].as_str().unwrap().starts_with(r".*language_model.*\.("), "{config}");
        let again = model(&golden(name), &album).with_adapter(written.path()).unwrap();
        assert_close(
            &again.logits(&sequence.ids).unwrap(),
            &adapted.logits(&sequence.ids).unwrap(),
            0.0,
            name,
        );
        assert_close(
            &again.merged(None).logits(&sequence.ids).unwrap(),
            &wanted,
            5e-4,
            &format!("{name}, merged"),
        );
        // By itself, and copied.
        let described = adapter::describe(written.path()).unwrap();
        assert_eq!(described.parameters, adapted.trained_len());
        let copy = tempfile::tempdir().unwrap();
        adapter::export(written.path(), copy.path(), (Precision::F32, adapter::Names::Kept), None).unwrap();
        assert_eq!(file(copy.path()), file(written.path()));
        assert_eq!(LoraConfig::read(copy.path()).unwrap(), LoraConfig::read(written.path()).unwrap());
    }
}

#[test]
fn the_original_layout_keeps_its_projector_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let base = original(folder.path(), false);
    let album = album(&base);
    let lora =
        LoraConfig { within: None, projector: false, ..LoraConfig::read(&golden("llava-adapter")).unwrap() };
    let mut trained = model(&base, &album).train_lora(&lora, 1).unwrap().train_projector(1.0).unwrap();
    let some: Vec<Vec<f32>> = weights(&trained).iter().map(|w| vec![0.02; w.len()]).collect();
    put(&mut trained, &some);
    let written = folder.path().join("adapter");
    adapter::write_adapter(&trained, &lora, &written, "llava").unwrap();
    let names: Vec<String> =
        read_tensors(&written.join("non_lora_trainables.safetensors")).unwrap().into_keys().collect();
    assert_eq!(names[1], "base_model.model.model.mm_projector.0.weight");
    let tensors = read_tensors(&written.join("adapter_model.safetensors")).unwrap();
    assert!(
        tensors.keys().all(|name| name.starts_with("base_model.model.model.layers.")),
        "{:?}",
        tensors.keys()
    );
    let sequence = seeing("llava", &album).swap_remove(0);
    let again = model(&base, &album).with_adapter(&written).unwrap();
    assert_close(
        &again.logits(&sequence.ids).unwrap(),
        &trained.logits(&sequence.ids).unwrap(),
        0.0,
        "again",
    );

    std::fs::rename(written.join("non_lora_trainables.safetensors"), written.join("non_lora_trainables.bin"))
        .unwrap();
    let error = model(&base, &album).with_adapter(&written).err().unwrap().to_string();
    assert!(error.contains("holds LLaVA's projector as non_lora_trainables.bin, a pickle"), "{error}");
    // An adapter for another tower.
    let other =
        album_and_model("llava_full").with_adapter(&golden("llava-adapter")).err().unwrap().to_string();
    assert!(other.contains("made for another"), "{other}");
}

fn album_and_model(name: &str) -> Decoder {
    let album = album(&golden(name));
    model(&golden(name), &album)
}

#[test]
fn every_gradient_equals_pytorch() {
    for name in MODELS {
        let golden_tensors = read(name);
        let album = album(&golden(name));
        let sequences = seeing(name, &album);
        for packing in [None, Some(Packing::Apart), Some(Packing::Padded), Some(Packing::Shared)] {
            let mut model = tuned(name, &album);
            model.recompute = packing == Some(Packing::Shared);
            let (_, found) = gradients(&model, &sequences, packing);
            put(&mut model, &found);
            compare_gradients(
                &named_tuned(&model),
                &golden_tensors,
                "tuned.",
                &format!("{name}, {packing:?}"),
            );
        }
    }
}

#[test]
fn ten_losses_equal_pytorch_with_a_learning_rate_for_the_projector() {
    for name in MODELS {
        let golden_tensors = read(name);
        let album = album(&golden(name));
        let sequences = seeing(name, &album);
        let (lr, of_projector) = (scalar(&golden_tensors["lr"]), scalar(&golden_tensors["projector_lr"]));
        let mut model = tuned(name, &album);
        let parameter = model.projector.as_ref().unwrap().trained.unwrap();
        model.parameters_mut()[parameter].parts.iter_mut().for_each(|part| part.rate = of_projector / lr);
        let wanted = numbers(&golden_tensors["losses"]);
        super::families::check_losses(&mut model, &sequences, &wanted, lr, 1.0);
    }
}

#[test]
fn a_picture_is_looked_at_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let twice = folder.path().join("copy.png");
    std::fs::copy(picture_path("wide.rgb"), &twice).unwrap();
    let paths = [picture_path("wide.rgb"), picture_path("tall.rgb"), twice.clone(), picture_path("rgb.rgb")];
    let shown = PictureFile::all(paths.clone()).unwrap();
    let eyes = eyes(&golden("llava"));
    let kept_in = folder.path().join("kept");
    std::fs::create_dir(&kept_in).unwrap();
    let look = |key: &serde_json::Value, shown: &[PictureFile], stop: &dyn Fn() -> bool| {
        let kept = crate::pictures::Kept { folder: &kept_in, key };
        Album::look(&eyes, shown, Some(&kept), &geneverse_data::progress::Silent, stop).unwrap()
    };
    let key = json!({"tower": "a"});
    assert!(look(&key, &shown, &|| true).is_none());
    let first = look(&key, &shown, &|| false).unwrap();
    assert_eq!(first.ids(&paths[0]), first.ids(&twice));
    assert_ne!(first.ids(&paths[0]), first.ids(&paths[1]));
    let files = || {
        let entries = std::fs::read_dir(&kept_in).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "f32")).collect::<Vec<_>>()
    };
    let file = files().swap_remove(0);
    let index = file.with_extension("jsonl");
    let lines = std::fs::read_to_string(&index).unwrap();
    assert_eq!(lines.lines().count(), 3);
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes.len(), 4 * 3 * eyes.tokens() * eyes.width());
    // Cut in the middle of the last picture, as by a process that was killed: the rest is used, and made whole.
    std::fs::write(&file, &bytes[..bytes.len() - 100]).unwrap();
    let asked = std::cell::Cell::new(0);
    let again = look(&key, &shown, &|| {
        asked.set(asked.get() + 1);
        false
    });
    assert_eq!(asked.get(), 1);
    assert_eq!(again.unwrap().numbers().to_vec(), first.numbers().to_vec());
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(std::fs::read_to_string(&index).unwrap(), lines);
    // Killed between the numbers and their line, or in the middle of the line.
    std::fs::write(&index, &lines[..lines.len() - 20]).unwrap();
    assert_eq!(look(&key, &shown, &|| false).unwrap().numbers().to_vec(), first.numbers().to_vec());
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    // Other pictures find those that are there, and are added to them.
    let more = PictureFile::all([picture_path("pixel.rgb"), picture_path("tall.rgb")]).unwrap();
    let both = look(&key, &more, &|| false).unwrap();
    assert_eq!(both.ids(&paths[1]), first.ids(&paths[1]));
    assert_eq!(std::fs::read(&file).unwrap().len(), bytes.len() / 3 * 4);
    // Two runs do not write into each other's features.
    let held = std::fs::File::open(&index).unwrap();
    held.lock().unwrap();
    let kept = crate::pictures::Kept { folder: &kept_in, key: &key };
    let error = Album::look(&eyes, &shown, Some(&kept), &geneverse_data::progress::Silent, &|| false);
    assert!(error.err().unwrap().to_string().contains("another run is looking at pictures into this file"));
    drop(held);
    // Found whole, nothing is looked at; of another tower nothing is used.
    assert!(look(&key, &shown, &|| panic!("asked")).is_some());
    assert!(look(&json!({"tower": "b"}), &shown, &|| true).is_none());
    assert_eq!(files().len(), 2);
    let in_memory = album(&golden("llava"));
    assert_eq!(in_memory.numbers().to_vec().len(), 5 * eyes.tokens() * eyes.width());
}

#[test]
fn a_resumed_run_with_pictures_equals_an_uninterrupted_one_to_the_bit() {
    let album = album(&golden("llava"));
    let sequences = seeing("llava", &album);
    let recipe = recipe("lora", 2, 1);
    let fresh = || {
        let lora = recipe.lora().unwrap().unwrap();
        model(&golden("llava"), &album).train_lora(&lora, 3).unwrap().train_projector(0.3).unwrap()
    };
    let run = |folder: &Path, model: &mut Decoder, stop: &dyn Fn() -> bool| {
        let run = Run { stop, ..quiet(&recipe, folder) };
        train(model, &sequences, &sequences[..1], &run).unwrap()
    };
    let whole = tempfile::tempdir().unwrap();
    let mut straight = fresh();
    assert!(run(whole.path(), &mut straight, &|| false).finished);
    let parts = tempfile::tempdir().unwrap();
    let mut processes = 0;
    let resumed = loop {
        let asked = std::cell::Cell::new(0);
        let mut model = fresh();
        processes += 1;
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() == 6
        };
        if run(parts.path(), &mut model, &stop).finished {
            break model;
        }
    };
    assert!(processes >= 3);
    assert_eq!(weights(&straight), weights(&resumed));
    assert_ne!(weights(&straight), weights(&fresh()));
}
