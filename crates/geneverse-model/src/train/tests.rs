//! Early stopping, the best weights, how many checkpoints are kept, and what a loss that is no number is said to come from.

use std::path::{Path, PathBuf};

use geneverse_data::progress::Silent;
use serde_json::{Value, json};

use super::*;

static KEY: Value = Value::Null;

/// A run that says nothing and is never asked to stop.
pub(crate) fn quiet<'a>(recipe: &'a Recipe, folder: &'a Path) -> Run<'a> {
    Run {
        recipe,
        folder,
        key: &KEY,
        ignore_changes: false,
        names: &[],
        recompute: false,
        progress: &Silent,
        stop: &|| false,
    }
}

fn golden() -> Decoder {
    Decoder::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/llama")).unwrap()
}

/// Sequences of tokens that follow no rule, everything but the first token trained.
fn sequences(count: usize, place: u64) -> Vec<Sequence> {
    let mut rng = crate::rng::Rng::at(5, &[place]);
    let sequence = |number: usize| {
        let mut ids: Vec<u32> = rng.permutation(60).into_iter().map(|id| id as u32 + 4).collect();
        ids.truncate(9 + 3 * number);
        let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
        Sequence { ids, labels }
    };
    (0..count).map(sequence).collect()
}

fn recipe(changes: Value) -> Recipe {
    let mut recipe = json!({
        "model": {"base": "llama"},
        "data": {"train": "-", "validation": "-", "shuffle": false},
        "method": {"kind": "full"},
        "optim": {"batch_size": 4, "micro_batch": 2, "epochs": 30, "warmup_steps": 0, "learning_rate": 1e-2,
            "schedule": "constant"},
        "run": {"save_every": 1, "eval_every": 1},
    });
    for (section, keys) in changes.as_object().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            recipe[section][key] = value.clone();
        }
    }
    let recipe: Recipe = serde_json::from_value(recipe).unwrap();
    recipe.check().unwrap();
    recipe
}

fn checkpoints(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("checkpoints")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_stops_when_validation_no_longer_improves_and_keeps_the_best_weights() {
    let (examples, validation) = (sequences(4, 1), sequences(3, 2));
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(json!({"run": {"early_stopping": 2, "load_best": true, "keep": 3}}));
    let mut model = golden().train_all();
    let outcome = train(&mut model, &examples, &validation, &quiet(&recipe, folder.path())).unwrap();
    let best = outcome.best.unwrap();
    assert!(outcome.finished && outcome.stopped_early && outcome.steps < outcome.total_steps);
    assert_eq!(outcome.steps, best.step + 2);
    assert_eq!(evaluate(&Place::Cpu, &model, &validation, 2).unwrap(), best.eval_loss);
    let mut kept: Vec<String> = (0..3).map(|back| format!("step-{}", outcome.steps - back)).collect();
    kept.push("best.safetensors".to_owned());
    kept.sort();
    assert_eq!(checkpoints(folder.path()), kept);

    // The same steps without the best weights put back end somewhere else.
    let mut plain = recipe.clone();
    plain.run.load_best = false;
    let folder = tempfile::tempdir().unwrap();
    let mut last = golden().train_all();
    train(&mut last, &examples, &validation, &quiet(&plain, folder.path())).unwrap();
    assert!(evaluate(&Place::Cpu, &last, &validation, 2).unwrap() > best.eval_loss);
}

#[test]
fn numbers_that_are_not_finite_stop_the_run_and_name_the_examples() {
    let examples = sequences(4, 1);
    let names = ["a", "b", "c", "d"].map(String::from);
    let error = |recipe: &Recipe, model: &mut Decoder| {
        let folder = tempfile::tempdir().unwrap();
        let run = Run { names: &names, ..quiet(recipe, folder.path()) };
        train(model, &examples, &[], &run).unwrap_err().to_string()
    };
    let exploding = recipe(json!({"optim": {"learning_rate": 1e30}}));
    let said = error(&exploding, &mut golden().train_all());
    assert!(
        said.starts_with("step 2: the ") && said.contains(" in micro-batch 1 (examples a, b); "),
        "{said}"
    );
    assert!(said.ends_with("lower optim.learning_rate, or look at those examples"), "{said}");

    // An infinite weight that only the last example reads.
    let mut model = golden().train_all();
    let others = |token: &u32| examples[..3].iter().any(|e| e.ids.contains(token));
    let token = *examples[3].ids.iter().find(|token| !others(token)).unwrap() as usize;
    let hidden = model.config().hidden_size;
    let embedding = model.parameters_mut().iter_mut().find(|p| p.name == "embedding").unwrap();
    embedding.numbers[token * hidden] = f32::INFINITY;
    let said = error(&recipe(json!({})), &mut model);
    assert!(
        said.starts_with("step 1: the ") && said.contains(" in micro-batch 2 (examples c, d); "),
        "{said}"
    );
    assert!(said.contains("nothing has been trained yet"), "{said}");
}

#[test]
fn what_a_killed_process_left_half_done_is_removed() {
    let examples = sequences(4, 1);
    let recipe = recipe(json!({"optim": {"max_steps": 3}, "run": {"keep": 2}}));
    let folder = tempfile::tempdir().unwrap();
    for fragment in ["writing-9", "step-8"] {
        let path = folder.path().join("checkpoints").join(fragment);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("trained.safetensors"), b"half").unwrap();
    }
    fs::write(folder.path().join("metrics.jsonl"), "{\"step\": 1, \"loss\": 3.5}\n{\"step\": 2, \"lo")
        .unwrap();
    let outcome = train(&mut golden().train_all(), &examples, &[], &quiet(&recipe, folder.path())).unwrap();
    assert_eq!(outcome.steps, 3);
    assert_eq!(checkpoints(folder.path()), ["step-2", "step-3"]);
    let log = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
    let steps: Vec<u64> =
        log.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3]);
}

#[test]
fn a_checkpoint_of_another_recipe_is_gone_on_with_only_when_told_to() {
    let examples = sequences(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let (then, now) =
        (json!({"recipe": {"optim": {"epochs": 2}}}), json!({"recipe": {"optim": {"epochs": 4}}}));
    let short = recipe(json!({"optim": {"epochs": 2}}));
    let mut model = golden().train_all();
    train(&mut model, &examples, &[], &Run { key: &then, ..quiet(&short, folder.path()) }).unwrap();

    let long = recipe(json!({"optim": {"epochs": 4}}));
    let run = Run { key: &now, ..quiet(&long, folder.path()) };
    let refused = train(&mut golden().train_all(), &examples, &[], &run).unwrap_err().to_string();
    assert!(refused.contains("recipe.optim.epochs: then 2, now 4"), "{refused}");
    assert!(refused.contains("--ignore-changes"), "{refused}");
    let run = Run { ignore_changes: true, ..run };
    let outcome = train(&mut golden().train_all(), &examples, &[], &run).unwrap();
    assert_eq!(outcome.steps, 4);
    assert_eq!(outcome.changes, ["after step 2: recipe.optim.epochs: then 2, now 4"]);
    // From here on the checkpoint is one of the new recipe.
    let again =
        train(&mut golden().train_all(), &examples, &[], &Run { ignore_changes: false, ..run }).unwrap();
    assert_eq!(again.changes, outcome.changes);
}

#[test]
fn the_warm_up_is_a_count_or_a_share_of_the_steps() {
    let warmup = |optim: Value| {
        let mut recipe = recipe(json!({}));
        recipe.optim = serde_json::from_value(optim).unwrap();
        recipe.check().map(|()| recipe.optim.warmup(1218)).map_err(|e| e.to_string())
    };
    assert_eq!(warmup(json!({})), Ok(100));
    assert_eq!(warmup(json!({"warmup_steps": 7})), Ok(7));
    // Stanford Alpaca: 52,002 examples in batches of 128, three times.
    assert_eq!(warmup(json!({"warmup_ratio": 0.03})), Ok(37));
    let error = warmup(json!({"warmup_steps": 7, "warmup_ratio": 0.03})).unwrap_err();
    assert_eq!(error, "recipe: optim.warmup_steps is 7, expected no such key beside optim.warmup_ratio");
    assert!(warmup(json!({"warmup_ratio": 3.0})).unwrap_err().contains("a share of the steps, from 0 to 1"));
}
