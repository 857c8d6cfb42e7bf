//! The engine against Hugging Face: logits, every gradient, ten losses, greedy tokens, of a small random Llama.
//!
//! The goldens and the script that made them are in `tests/goldens`. Tolerances: logits 2e-4 as they stand;
//! gradients 1e-4 of the tensor's largest entry; losses 1e-4.

mod families;
mod llava;
mod llava_whole;
mod methods;
mod moe_llava;
mod qwen_vl;
mod tower;

use std::collections::HashMap;
use std::path::PathBuf;

use crate::adapter;
use crate::arch::decoder::Decoder;
use crate::batch::{Pack, Packing, Sequence};
use crate::config::generation::GenerationSettings;
use crate::generate::{Event, GenerateConfig, generate};
use crate::optim::{Optimizer, Settings, clip};
use crate::recipe::Recipe;
use crate::train::tests::quiet;
use crate::train::{Run, train};
use candle_core::{Device, Tensor};

pub(crate) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn tensors() -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden("llama.safetensors"), &Device::Cpu).unwrap()
}

fn ids(tensor: &Tensor) -> Vec<u32> {
    tensor.to_dtype(candle_core::DType::U32).unwrap().to_vec1().unwrap()
}

/// The golden's four sequences, everything but the first token trained.
fn sequences(golden: &HashMap<String, Tensor>) -> Vec<Sequence> {
    (0..4)
        .map(|i| {
            let ids = ids(&golden[&format!("ids.{i}")]);
            let labels = ids[1..].iter().map(|id| Some(*id)).chain([None]).collect();
            Sequence { ids, labels }
        })
        .collect()
}

fn largest(t: &Tensor) -> f32 {
    t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let difference = found.iter().zip(wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference <= tolerance, "{what} differs by {difference}, allowed {tolerance}");
}

#[test]
fn logits_equal_transformers() {
    let golden_tensors = tensors();
    let model = Decoder::read(&golden("llama")).unwrap();
    for i in 0..4 {
        let logits = model.logits(&ids(&golden_tensors[&format!("ids.{i}")])).unwrap();
        assert_close(
            &logits,
            &numbers(&golden_tensors[&format!("logits.{i}")]),
            2e-4,
            &format!("sequence {i}"),
        );
    }
    let adapted = Decoder::read(&golden("llama")).unwrap().with_adapter(&golden("llama-adapter")).unwrap();
    let wanted = numbers(&golden_tensors["lora_logits"]);
    let prompt = ids(&golden_tensors["ids.1"]);
    assert_close(&adapted.logits(&prompt).unwrap(), &wanted, 2e-4, "with the adapter");
    assert_close(&adapted.merged(None).logits(&prompt).unwrap(), &wanted, 2e-4, "merged");
}

/// Greedy answers to a golden's prompts equal those under `prefix`, and come token by token.
fn check_answers(
    model: &Decoder,
    golden: (&HashMap<String, Tensor>, &str),
    prompts: &[Vec<u32>],
    (repetition_penalty, no_repeat_ngram_size): (f32, usize),
) {
    for batch in [1, 3, 4] {
        let config = GenerateConfig {
            max_new_tokens: 24,
            batch,
            stop_ids: vec![2, 5],
            repetition_penalty,
            no_repeat_ngram_size,
            no_repeat_in_answer: 0,
        };
        let (mut answers, mut streamed) = (vec![Vec::new(); prompts.len()], vec![Vec::new(); prompts.len()]);
        generate(model, prompts, &config, &mut |event| {
            match event {
                Event::Token { prompt, id } => streamed[prompt].push(id),
                Event::Done(answer) => answers[answer.prompt] = answer.ids,
            }
            Ok(true)
        })
        .unwrap();
        let family = model.config().family.name();
        for (i, answer) in answers.iter().enumerate() {
            let mut wanted = ids(&golden.0[&format!("{}.{i}", golden.1)]);
            wanted.retain(|id| ![2, 3, 5].contains(id));
            assert_eq!(*answer, wanted, "{family}, {}, prompt {i} in batches of {batch}", golden.1);
        }
        assert_eq!(answers, streamed);
    }
}

fn prompts(golden: &HashMap<String, Tensor>) -> Vec<Vec<u32>> {
    (0..4).map(|i| ids(&golden[&format!("ids.{i}")])).collect()
}

#[test]
fn greedy_tokens_equal_transformers_in_any_batch() {
    let golden_tensors = tensors();
    let model = Decoder::read(&golden("llama")).unwrap();
    check_answers(&model, (&golden_tensors, "greedy"), &prompts(&golden_tensors), (1.0, 0));
}

#[test]
fn guarded_and_penalised_answers_equal_transformers() {
    let model = Decoder::read(&golden("llama")).unwrap();
    let golden = families::read("guard");
    for length in [1, 2, 3] {
        let prefix = format!("greedy.{length}");
        check_answers(&model, (&golden, &prefix), &prompts(&tensors()), (1.0, length));
    }
    for (length, penalty) in [(0, 0.8), (0, 1.2), (0, 5.0), (2, 1.2), (3, 0.8)] {
        let prefix = format!("greedy.{length}.{penalty:.1}");
        check_answers(&model, (&golden, &prefix), &prompts(&tensors()), (penalty, length));
    }
    let config = GenerateConfig {
        max_new_tokens: 1,
        batch: 1,
        stop_ids: Vec::new(),
        repetition_penalty: 0.0,
        no_repeat_ngram_size: 0,
        no_repeat_in_answer: 0,
    };
    let error = generate(&model, &[vec![4]], &config, &mut |_| Ok(true)).unwrap_err().to_string();
    assert_eq!(error, "repetition_penalty is 0, expected a number above 0; 1 is no penalty");
}

#[test]
fn an_answer_ends_at_the_last_position_and_a_longer_question_beside_it_changes_nothing() {
    let model = Decoder::read(&golden("llama")).unwrap();
    let room = model.config().max_position_embeddings;
    let long: Vec<u32> = (0..room as u32 - 3).map(|i| 6 + i % 50).collect();
    let config = GenerateConfig {
        max_new_tokens: 24,
        batch: 2,
        stop_ids: Vec::new(),
        repetition_penalty: 1.0,
        no_repeat_ngram_size: 0,
        no_repeat_in_answer: 0,
    };
    let answers = |prompts: &[Vec<u32>]| {
        let mut answers = vec![(0, true); prompts.len()];
        generate(&model, prompts, &config, &mut |event| {
            if let Event::Done(answer) = event {
                answers[answer.prompt] = (answer.ids.len(), answer.stopped);
            }
            Ok(true)
        })
        .unwrap();
        answers
    };
    assert_eq!(answers(&[vec![1, 7, 9], long]), [(24, false), (3, false)]);
    assert_eq!(answers(&[vec![1, 7, 9]]), [(24, false)]);
}

/// Gradients of the golden batch, as one pack or as one pack per sequence.
fn gradients(model: &Decoder, sequences: &[Sequence], packing: Option<Packing>) -> (f32, Vec<Vec<f32>>) {
    let trained = sequences.iter().map(Sequence::trained).sum();
    let mut sums: Vec<Vec<f32>> = model.parameters().iter().map(|p| vec![0.0; p.numbers.len()]).collect();
    let mut loss = 0.0;
    for micro in sequences.chunks(if packing.is_some() { sequences.len() } else { 1 }) {
        let pack = Pack::new(micro, model.config(), packing.unwrap_or(Packing::Apart));
        loss += model.gradients(&pack, trained, 1, &mut sums).unwrap();
    }
    (loss as f32, sums)
}

/// Puts gradients in the place of the parameters, so that they can be read under a checkpoint's names.
fn put(model: &mut Decoder, gradients: &[Vec<f32>]) {
    for (parameter, gradient) in model.parameters_mut().iter_mut().zip(gradients) {
        parameter.numbers.clone_from(gradient);
    }
}

type Named = Vec<(String, Vec<f32>)>;

fn named_weights(model: &Decoder) -> Named {
    model.exports().into_iter().map(|export| (export.name.clone(), model.numbers(&export))).collect()
}

fn named_adapter(model: &Decoder) -> Named {
    adapter::named_tensors(model).into_iter().map(|(name, _, numbers)| (name, numbers.to_vec())).collect()
}

fn check_gradients(model: &mut Decoder, prefix: &str, named: impl Fn(&Decoder) -> Named) {
    let golden = tensors();
    let sequences = sequences(&golden);
    let ways = [
        (None, false),
        (Some(Packing::Apart), false),
        (Some(Packing::Padded), false),
        (Some(Packing::Shared), true),
    ];
    for (packing, recompute) in ways {
        model.recompute = recompute;
        let (_, gradients) = gradients(model, &sequences, packing);
        let before = weights(model);
        put(model, &gradients);
        let found = named(model);
        assert!(found.len() > 8);
        for (name, gradient) in found {
            let wanted = &golden[&format!("{prefix}{name}")];
            assert_close(&gradient, &numbers(wanted), 1e-4 * largest(wanted).max(1e-3), &name);
        }
        put(model, &before);
    }
}

#[test]
fn every_gradient_equals_pytorch() {
    let mut full = Decoder::read(&golden("llama")).unwrap().train_all();
    check_gradients(&mut full, "full.", named_weights);
    let mut lora = Decoder::read(&golden("llama")).unwrap().with_adapter(&golden("llama-adapter")).unwrap();
    check_gradients(&mut lora, "lora.", named_adapter);
}

#[test]
fn ten_losses_equal_pytorch() {
    let golden_tensors = tensors();
    let sequences = sequences(&golden_tensors);
    let full = Decoder::read(&golden("llama")).unwrap().train_all();
    let lora = Decoder::read(&golden("llama")).unwrap().with_adapter(&golden("llama-adapter")).unwrap();
    for (mut model, name) in [(full, "full_losses"), (lora, "lora_losses")] {
        let mut optimizer = Optimizer::new(model.parameters(), Settings::default());
        let wanted: Vec<f32> = golden_tensors[name].to_vec1().unwrap();
        for (step, wanted) in wanted.iter().enumerate() {
            let (loss, mut gradients) = gradients(&model, &sequences, Some(Packing::Shared));
            assert!((loss - wanted).abs() < 1e-4, "{name}, step {step}: {loss} against {wanted}");
            clip(&mut gradients, 1.0);
            optimizer.step(model.parameters_mut(), &gradients, 1e-2);
        }
    }
}

fn recipe(kind: &str, batch: usize, micro: usize) -> Recipe {
    let text = serde_json::json!({
        "model": {"base": "llama"},
        "data": {"train": "-"},
        "method": {"kind": kind, "dropout": 0.1, "targets": ["q_proj", "v_proj", "up_proj"]},
        "optim": {"batch_size": batch, "micro_batch": micro, "epochs": 4, "warmup_steps": 2, "learning_rate": 1e-2},
        "run": {"save_every": 1, "eval_every": 1, "load_best": false},
    });
    let recipe: Recipe = serde_json::from_value(text).unwrap();
    recipe.check().unwrap();
    recipe
}

fn fresh(kind: &str) -> Decoder {
    let model = Decoder::read(&golden("llama")).unwrap();
    match kind {
        "full" => model.train_all(),
        _ => model.train_lora(&recipe("lora", 1, 1).lora().unwrap().unwrap(), 3).unwrap(),
    }
}

fn weights(model: &Decoder) -> Vec<Vec<f32>> {
    model.parameters().iter().map(|p| p.numbers.clone()).collect()
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_to_the_bit() {
    let sequences = sequences(&tensors());
    for kind in ["lora", "full"] {
        let recipe = recipe(kind, 2, 1);
        let run = |folder: &std::path::Path, model: &mut Decoder, stop: &dyn Fn() -> bool| {
            let run = Run { stop, ..quiet(&recipe, folder) };
            train(model, &sequences, &sequences[..1], &run).unwrap()
        };
        let whole = tempfile::tempdir().unwrap();
        let mut model = fresh(kind);
        assert!(run(whole.path(), &mut model, &|| false).finished);

        let parts = tempfile::tempdir().unwrap();
        let mut processes = 0;
        let resumed = loop {
            // Asked to stop at the sixth micro-batch: in the middle of a step.
            let asked = std::cell::Cell::new(0);
            let mut model = fresh(kind);
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
        assert_eq!(weights(&model), weights(&resumed), "{kind}");
        let log = |folder: &std::path::Path| {
            let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
            let mut lines: Vec<serde_json::Value> =
                text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            for line in &mut lines {
                let line = line.as_object_mut().unwrap();
                line.remove("seconds");
                line.remove("peak_rss_mib");
            }
            lines
        };
        assert_eq!(log(whole.path()), log(parts.path()));
    }
}

#[test]
fn accumulated_and_padded_batches_equal_whole_and_packed_ones() {
    let sequences = sequences(&tensors());
    let mut losses = Vec::new();
    for (micro, pack) in [(4, true), (2, true), (1, true), (4, false)] {
        let mut recipe = recipe("full", 4, micro);
        recipe.data.pack = pack;
        let folder = tempfile::tempdir().unwrap();
        let mut model = fresh("full");
        let run = quiet(&recipe, folder.path());
        let outcome = train(&mut model, &sequences, &[], &run).unwrap();
        losses.push(outcome.last_loss);
    }
    for loss in &losses[1..] {
        assert!((loss - losses[0]).abs() < 1e-4, "{losses:?}");
    }
}

#[test]
fn a_fresh_adapter_changes_nothing_and_a_written_one_comes_back() {
    let prompt = ids(&tensors()["ids.1"]);
    let base = Decoder::read(&golden("llama")).unwrap().logits(&prompt).unwrap();
    let mut model = fresh("lora");
    assert_close(&model.logits(&prompt).unwrap(), &base, 0.0, "a fresh adapter");

    let lora = recipe("lora", 1, 1).lora().unwrap().unwrap();
    let constant: Vec<Vec<f32>> = weights(&model).iter().map(|w| vec![0.03; w.len()]).collect();
    put(&mut model, &constant);
    let folder = tempfile::tempdir().unwrap();
    adapter::write_adapter(&model, &lora, folder.path(), "base").unwrap();
    let again = Decoder::read(&golden("llama")).unwrap().with_adapter(folder.path()).unwrap();
    assert_close(&again.logits(&prompt).unwrap(), &model.logits(&prompt).unwrap(), 0.0, "a written adapter");

    let full = fresh("full");
    full.write(folder.path(), crate::Precision::F32).unwrap();
    let again = Decoder::read(folder.path()).unwrap();
    assert_close(&again.logits(&prompt).unwrap(), &base, 0.0, "a written checkpoint");
}

#[test]
fn wrong_tensors_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "generation_config.json", "model.safetensors"] {
        std::fs::copy(golden("llama").join(file), folder.path().join(file)).unwrap();
    }
    let change = |from: &str, to: &str| {
        let path = folder.path().join("config.json");
        let text = std::fs::read_to_string(golden("llama/config.json")).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        Decoder::read(folder.path()).err().unwrap().to_string()
    };
    let error = change("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert!(error.contains("tensor model.layers.2.input_layernorm.weight is missing"), "{error}");
    let error = change("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    assert!(error.contains("tensor model.layers.1."), "{error}");
    assert!(error.contains("has no place in config.json"), "{error}");
    let error = change("\"intermediate_size\": 56", "\"intermediate_size\": 57");
    assert!(error.contains("has shape [56, 42], expected [57, 42]"), "{error}");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let error = Decoder::read(folder.path()).err().unwrap().to_string();
    assert!(error.contains("neither model.safetensors nor"), "{error}");
}

#[test]
fn the_bundled_model_reads_as_transformers_reads_it() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/geneverse-nano");
    let golden = candle_core::safetensors::load(golden("nano.safetensors"), &Device::Cpu).unwrap();
    let wanted = ids(&golden["ids"]);
    let tokenizer = crate::tokens::Tokenizer::read(&folder).unwrap();
    let model = Decoder::read(&folder).unwrap();
    let text = "The official symbol of this gene is GLI1; see HGNC:4317 (β-catenin).";
    let mut found: Vec<u32> = model.config().bos_token_id.into_iter().collect();
    found.extend(tokenizer.encode(text).unwrap());
    assert_eq!(found, wanted);

    let columns: Vec<u32> = (0..model.config().vocab_size as u32).step_by(16).collect();
    let logits = model.logits(&wanted).unwrap();
    let rows = logits.chunks_exact(model.config().vocab_size);
    let logits: Vec<f32> = rows.flat_map(|row| columns.iter().map(|c| row[*c as usize])).collect();
    assert_close(&logits, &numbers(&golden["logits"]), 2e-4, "the bundled model");

    let settings = GenerationSettings::read(&folder, model.config()).unwrap();
    assert_eq!(settings.ignored, [""; 0]);
    let GenerationSettings { stop_ids, repetition_penalty, no_repeat_ngram_size, .. } = settings;
    let config = GenerateConfig {
        max_new_tokens: 24,
        batch: 1,
        stop_ids: stop_ids.clone(),
        repetition_penalty: repetition_penalty as f32,
        no_repeat_ngram_size,
        no_repeat_in_answer: 0,
    };
    let mut answer = Vec::new();
    generate(&model, &[wanted], &config, &mut |event| {
        if let Event::Done(generated) = event {
            answer = generated.ids;
        }
        Ok(true)
    })
    .unwrap();
    let mut greedy = ids(&golden["greedy"]);
    greedy.retain(|id| !stop_ids.contains(id));
    assert_eq!(answer, greedy);
}
