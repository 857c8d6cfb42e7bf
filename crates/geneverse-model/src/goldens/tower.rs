//! Towers that are trained against transformers, PEFT and PyTorch: every gradient, ten losses, adapters on disk.
//!
//! The goldens were made by `tests/goldens/make_tower_goldens.py`, of the models, pictures and sequences of `llava.rs`, with
//! the same tolerances.

use std::path::Path;

use geneverse_data::progress::Silent;

use super::families::{check_losses, compare_gradients, read, scalar};
use super::llava::{MODELS, seeing};
use super::*;
use crate::adapter::{LoraConfig, OfTower};
use crate::arch::llava::{Sight, TowerShape, new_llava};
use crate::config::ModelConfig;
use crate::pictures::Colours;
use crate::pictures::tests::{PICTURES, picture_path};
use crate::pictures::{Album, Eyes, PictureFile};
use crate::recipe::Recipe;
use crate::train::{Run, train};
use crate::weights::Precision;

/// The pictures made ready for a tower that is trained.
fn pixels(folder: &Path) -> Album {
    let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
    let eyes = Eyes::read_processor(folder, &ModelConfig::read(folder).unwrap()).unwrap();
    Album::look(&eyes, &shown, None, &Silent, &|| false).unwrap().unwrap()
}

fn sight(folder: &Path) -> Sight {
    Sight::read(folder, &ModelConfig::read(folder).unwrap()).unwrap()
}

/// Every weight trained: language model, projector, tower.
fn whole(folder: &Path, rates: (f64, f64)) -> Decoder {
    let model = Decoder::read(folder).unwrap().train_all().train_projector(rates.0).unwrap();
    let mut model = model.train_tower(sight(folder), None, 0, rates.1);
    model.show(&pixels(folder));
    model
}

/// What is trained by its names in a checkpoint.
fn named_whole(model: &Decoder) -> Named {
    let mut named: Named = model
        .exports()
        .iter()
        .map(|export| (format!("language_model.{}", export.name), model.numbers(export)))
        .collect();
    let projector = adapter::named_projector(model).into_iter();
    let short = |name: String| name.trim_start_matches("base_model.model.model.").to_owned();
    named.extend(projector.map(|(name, _, numbers)| (short(name), numbers.to_vec())));
    let tower = adapter::named_tower(model).into_iter();
    named.extend(tower.map(|(name, _, numbers)| (short(name), numbers.to_vec())));
    named
}

#[test]
fn every_gradient_of_a_whole_llava_equals_pytorch() {
    for name in MODELS {
        let golden_tensors = read(&format!("{name}_tower"));
        let sequences = seeing(name, &pixels(&golden(name)));
        for packing in [None, Some(Packing::Apart), Some(Packing::Shared)] {
            let mut model = whole(&golden(name), (1.0, 1.0));
            model.recompute = packing == Some(Packing::Shared);
            let (_, found) = gradients(&model, &sequences, packing);
            put(&mut model, &found);
            let what = format!("{name}, {packing:?}");
            compare_gradients(&named_whole(&model), &golden_tensors, "whole.", &what);
        }
    }
}

#[test]
fn ten_losses_equal_pytorch_with_three_learning_rates() {
    for name in MODELS {
        let golden_tensors = read(&format!("{name}_tower"));
        let rate = |key: &str| scalar(&golden_tensors[key]);
        let lr = rate("lr");
        let mut model = whole(&golden(name), (rate("projector_lr") / lr, rate("tower_lr") / lr));
        let sequences = seeing(name, &pixels(&golden(name)));
        check_losses(&mut model, &sequences, &numbers(&golden_tensors["whole_losses"]), lr, 1.0);
    }
}

/// With PEFT's adapter of decoder, tower and projector.
fn adapted(name: &str) -> Decoder {
    let (base, folder) = (golden(name), golden(&format!("{name}-tower-adapter")));
    let lora = LoraConfig::read(&folder).unwrap();
    assert_eq!((lora.tower, lora.projector), (OfTower::LowRank, true));
    let model = Decoder::read(&base).unwrap().train_lora(&lora, 0).unwrap().train_projector(1.0).unwrap();
    let mut model = model.train_tower(sight(&base), Some(&lora), 0, 1.0).load_adapter(&folder).unwrap();
    model.show(&pixels(&base));
    model
}

#[test]
fn gradients_of_an_adapted_tower_equal_pytorch() {
    for name in MODELS {
        let golden_tensors = read(&format!("{name}_tower"));
        let sequences = seeing(name, &pixels(&golden(name)));
        let mut model = adapted(name);
        let (_, found) = gradients(&model, &sequences, Some(Packing::Apart));
        put(&mut model, &found);
        let mut named = named_adapter(&model);
        let others = adapter::named_projector(&model).into_iter().chain(adapter::named_tower(&model));
        named.extend(others.map(|(name, _, numbers)| (name, numbers.to_vec())));
        compare_gradients(&named, &golden_tensors, "adapted.", name);
    }
}

/// Read as a whole for asking, the tower by itself; and written again.
#[test]
fn an_adapter_of_peft_with_a_tower_gives_its_logits_and_comes_back() {
    for name in MODELS {
        let (base, folder) = (golden(name), golden(&format!("{name}-tower-adapter")));
        let wanted = numbers(&read(&format!("{name}_tower"))["adapted_logits"]);
        let asked = |folder: &Path, what: &str| {
            let config = ModelConfig::read(&base).unwrap();
            let eyes = Eyes::read(&base, &config).unwrap().with_adapter(folder).unwrap();
            let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
            let album = Album::look(&eyes, &shown, None, &Silent, &|| false).unwrap().unwrap();
            let mut model = Decoder::read(&base).unwrap().with_adapter(folder).unwrap().merged(None);
            model.show(&album);
            let sequence = seeing(name, &album).swap_remove(1);
            assert_close(&model.logits(&sequence.ids).unwrap(), &wanted, 5e-4, what);
        };
        asked(&folder, name);
        let written = tempfile::tempdir().unwrap();
        let lora = LoraConfig::read(&folder).unwrap();
        adapter::write_adapter(&adapted(name), &lora, written.path(), name).unwrap();
        assert_eq!(LoraConfig::read(written.path()).unwrap(), lora);
        asked(written.path(), "written again");
        let described = adapter::describe(written.path()).unwrap();
        assert!(described.updates.iter().any(|update| update.target == "vision_tower.mlp.fc2"));
    }
}

#[test]
fn a_whole_tower_goes_with_an_adapter_and_with_a_checkpoint() {
    let (base, album) = (golden("llava"), pixels(&golden("llava")));
    let sequence = seeing("llava", &album).swap_remove(0);
    let changed = |mut model: Decoder| {
        let some: Vec<Vec<f32>> =
            weights(&model).iter().map(|w| w.iter().map(|x| x * 1.1 + 0.01).collect()).collect();
        put(&mut model, &some);
        model
    };
    let logits_of = |model: &mut Decoder, eyes: Eyes| {
        let shown = PictureFile::all(PICTURES.map(picture_path)).unwrap();
        model.show(&Album::look(&eyes, &shown, None, &Silent, &|| false).unwrap().unwrap());
        model.logits(&sequence.ids).unwrap()
    };
    let config = ModelConfig::read(&base).unwrap();
    let folder = tempfile::tempdir().unwrap();

    let lora = LoraConfig::read(&golden("llava-adapter")).unwrap();
    let model = Decoder::read(&base).unwrap().train_lora(&lora, 1).unwrap().train_projector(1.0).unwrap();
    let mut model = changed(model.train_tower(sight(&base), None, 1, 1.0));
    model.show(&album);
    let written = folder.path().join("adapter");
    adapter::write_adapter(&model, &lora, &written, "llava").unwrap();
    assert_eq!(LoraConfig::read(&written).unwrap().tower, OfTower::Whole);
    let eyes = Eyes::read(&base, &config).unwrap().with_adapter(&written).unwrap();
    let mut again = Decoder::read(&base).unwrap().with_adapter(&written).unwrap();
    let wanted = model.logits(&sequence.ids).unwrap();
    assert_close(&logits_of(&mut again, eyes), &wanted, 1e-5, "adapter");

    let model = changed(whole(&base, (1.0, 1.0)));
    let written = folder.path().join("model");
    model.write_beside(&base, &written, Precision::F32).unwrap();
    let eyes = Eyes::read(&written, &ModelConfig::read(&written).unwrap()).unwrap();
    let wanted = model.logits(&sequence.ids).unwrap();
    assert_close(&logits_of(&mut Decoder::read(&written).unwrap(), eyes), &wanted, 1e-5, "checkpoint");
}

fn seeing_recipe(vision: &str, kind: &str) -> Recipe {
    let base = recipe(kind, 2, 1);
    let vision = serde_json::from_str(vision).unwrap();
    Recipe { vision: Some(vision), ..base }
}

#[test]
fn a_resumed_run_with_a_tower_equals_an_uninterrupted_one_to_the_bit() {
    let base = golden("llava");
    let sequences = seeing("llava", &pixels(&base));
    let recipe = seeing_recipe(r#"{"tower": "trained", "tower_learning_rate": 1e-3}"#, "lora");
    let fresh = || {
        let lora = recipe.lora().unwrap().unwrap();
        let model = Decoder::read(&base).unwrap().train_lora(&lora, 3).unwrap().train_projector(0.3).unwrap();
        let mut model = model.train_tower(sight(&base), None, 3, recipe.tower_rate().unwrap());
        model.show(&pixels(&base));
        model
    };
    let run = |folder: &Path, model: &mut Decoder, stop: &dyn Fn() -> bool| {
        let run = Run { stop, ..quiet(&recipe, folder) };
        train(model, &sequences, &sequences[..1], &run).unwrap()
    };
    let whole = tempfile::tempdir().unwrap();
    let mut straight = fresh();
    assert!(run(whole.path(), &mut straight, &|| false).finished);
    let parts = tempfile::tempdir().unwrap();
    let resumed = loop {
        let asked = std::cell::Cell::new(0);
        let mut model = fresh();
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() == 6
        };
        if run(parts.path(), &mut model, &stop).finished {
            break model;
        }
    };
    assert_eq!(weights(&straight), weights(&resumed));
    assert_ne!(weights(&straight), weights(&fresh()));
}

#[test]
fn a_tower_is_trained_by_the_recipe_or_the_recipe_is_refused() {
    let config = ModelConfig::read(&golden("llava")).unwrap();
    let rate = |vision: &str| {
        let recipe = seeing_recipe(vision, "lora").for_model(&config).unwrap();
        recipe.tower_rate().map(|rate| rate * recipe.optim.learning_rate)
    };
    assert_eq!(rate("{}"), None);
    assert!((rate(r#"{"tower": "trained"}"#).unwrap() - 2e-6).abs() < 1e-12);
    let lora = seeing_recipe("{}", "lora").optim.learning_rate;
    assert!((rate(r#"{"tower": "adapted"}"#).unwrap() - lora).abs() < 1e-12);
    let error = |vision: &str, kind: &str| {
        let recipe = seeing_recipe(vision, kind);
        recipe.check().and_then(|()| recipe.for_model(&config)).unwrap_err().to_string()
    };
    assert_eq!(
        error(r#"{"tower_learning_rate": 1e-3}"#, "lora"),
        "recipe: vision.tower_learning_rate is 0.001, expected no such key while vision.tower is \"frozen\"; \"adapted\" and \
         \"trained\" train it"
    );
    assert_eq!(
        error(r#"{"tower": "trained", "tower_learning_rate": -1.0}"#, "lora"),
        "recipe: vision.tower_learning_rate is -1, expected a number above 0"
    );
    assert_eq!(
        error(r#"{"tower": "adapted"}"#, "full"),
        "recipe: vision.tower is \"adapted\", expected \"frozen\" or \"trained\" without method.kind = \"lora\""
    );
}

#[test]
fn a_new_llava_sees_and_says_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/geneverse-nano");
    let shape =
        TowerShape { image_size: 32, patch_size: 8, hidden: 24, layers: 2, heads: 3, intermediate: 40 };
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    new_llava(&base, &shape, &Colours::default(), 5, &one).unwrap();
    new_llava(&base, &shape, &Colours::default(), 5, &two).unwrap();
    let bytes = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(bytes(&one), bytes(&two));
    let album = super::llava::album(&one);
    let mut model = Decoder::read(&one).unwrap();
    model.show(&album);
    let logits = |picture: usize| {
        let ids: Vec<u32> =
            [1].into_iter().chain(album.ids(&picture_path(PICTURES[picture])).unwrap()).collect();
        assert_eq!(ids.len(), 17);
        model.logits(&ids).unwrap()
    };
    let difference = logits(0).iter().zip(&logits(1)).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference > 0.1, "another picture changes nothing: {difference}");
    // The text model is as it was.
    let text = Decoder::read(&base).unwrap();
    assert_close(&model.logits(&[1, 40, 50]).unwrap(), &text.logits(&[1, 40, 50]).unwrap(), 2e-4, "text");
    let again = new_llava(&one, &shape, &Colours::default(), 5, &folder.path().join("three"))
        .unwrap_err()
        .to_string();
    assert!(again.contains("is a LLaVA already; expected a model that reads text only"), "{again}");
}
