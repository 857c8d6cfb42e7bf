//! Every family against transformers and PEFT: logits, greedy tokens, every gradient, ten losses.
//!
//! The goldens were made by `tests/goldens/make_family_goldens.py`. Tolerances as in the parent module; a gradient
//! that is zero but for rounding is compared on the scale of 1e-2.

use super::*;

const FAMILIES: [&str; 10] =
    ["llama3", "mistral", "gemma", "gemma2", "gemma3_text", "qwen2", "qwen3", "stablelm", "gpt2", "biogpt"];

pub(super) fn read(family: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden(&format!("{family}.safetensors")), &Device::Cpu).unwrap()
}

pub(super) fn scalar(tensor: &Tensor) -> f64 {
    numbers(tensor)[0].into()
}

pub(super) fn compare_gradients(found: &Named, golden: &HashMap<String, Tensor>, prefix: &str, what: &str) {
    assert!(found.len() > 4, "{what}: {} gradients", found.len());
    for (name, gradient) in found {
        let wanted = &golden[&format!("{prefix}{name}")];
        let scale = largest(wanted).max(1e-2);
        assert_close(gradient, &numbers(wanted), 1e-4 * scale, &format!("{what}: {name}"));
    }
    let wanted = golden.keys().filter(|key| key.starts_with(prefix) && key.ends_with("weight")).count();
    let compared = found.iter().filter(|(name, _)| name.ends_with("weight")).count();
    assert_eq!(compared, wanted, "{what}");
}

pub(super) fn check_losses(model: &mut Decoder, sequences: &[Sequence], wanted: &[f32], lr: f64, ratio: f64) {
    let mut optimizer =
        Optimizer::new(model.parameters(), Settings { lora_plus_ratio: ratio, ..Settings::default() });
    for (step, wanted) in wanted.iter().enumerate() {
        let (loss, mut gradients) = gradients(model, sequences, Some(Packing::Shared));
        assert!((loss - wanted).abs() < 1e-4, "step {step}: {loss} against {wanted}");
        clip(&mut gradients, 1.0);
        optimizer.step(model.parameters_mut(), &gradients, lr);
    }
}

#[test]
fn logits_equal_transformers() {
    for family in FAMILIES.into_iter().chain(["llama_linear"]) {
        let golden_tensors = read(family);
        let model = Decoder::read(&golden(family)).unwrap();
        for i in 0..4 {
            let logits = model.logits(&ids(&golden_tensors[&format!("ids.{i}")])).unwrap();
            let wanted = numbers(&golden_tensors[&format!("logits.{i}")]);
            assert_close(&logits, &wanted, 2e-4, &format!("{family}, sequence {i}"));
        }
    }
}

#[test]
fn greedy_tokens_equal_transformers() {
    for family in FAMILIES.into_iter().chain(["llama_linear"]) {
        let golden_tensors = read(family);
        let model = Decoder::read(&golden(family)).unwrap();
        check_answers(&model, (&golden_tensors, "greedy"), &prompts(&golden_tensors), (1.0, 0));
    }
}

#[test]
fn adapters_of_peft_give_its_logits() {
    for family in FAMILIES {
        let golden_tensors = read(family);
        let prompt = ids(&golden_tensors["ids.1"]);
        let wanted = numbers(&golden_tensors["lora_logits"]);
        let folder = golden(&format!("{family}-adapter"));
        let adapted = Decoder::read(&golden(family)).unwrap().with_adapter(&folder).unwrap();
        assert_close(&adapted.logits(&prompt).unwrap(), &wanted, 2e-4, family);

        // Written here and read again, and merged: the same.
        let written = tempfile::tempdir().unwrap();
        let config = adapter::LoraConfig::read(&folder).unwrap();
        adapter::write_adapter(&adapted, &config, written.path(), family).unwrap();
        let again = Decoder::read(&golden(family)).unwrap().with_adapter(written.path()).unwrap();
        assert_close(&again.logits(&prompt).unwrap(), &adapted.logits(&prompt).unwrap(), 0.0, family);
        let merged = adapted.merged(None);
        assert_close(&merged.logits(&prompt).unwrap(), &wanted, 2e-4, &format!("{family}, merged"));
        merged.write(written.path(), crate::Precision::F32).unwrap();
        let again = Decoder::read(written.path()).unwrap();
        // GPT-2's maps lie transposed in the file: the products add in another order.
        assert_close(&again.logits(&prompt).unwrap(), &merged.logits(&prompt).unwrap(), 2e-5, family);
    }
}

#[test]
fn every_gradient_equals_pytorch() {
    for family in FAMILIES {
        let golden_tensors = read(family);
        let sequences = sequences(&golden_tensors);
        let adapter = golden(&format!("{family}-adapter"));
        for packing in [None, Some(Packing::Apart), Some(Packing::Shared)] {
            let mut full = Decoder::read(&golden(family)).unwrap().train_all();
            let (_, found) = gradients(&full, &sequences, packing);
            put(&mut full, &found);
            compare_gradients(&named_weights(&full), &golden_tensors, "full.", &format!("{family}, full"));

            let mut lora = Decoder::read(&golden(family)).unwrap().with_adapter(&adapter).unwrap();
            let (_, found) = gradients(&lora, &sequences, packing);
            put(&mut lora, &found);
            compare_gradients(&named_adapter(&lora), &golden_tensors, "lora.", &format!("{family}, LoRA"));
        }
    }
}

/// Along a direction that leans on every entry of the gradient by another weight, the loss rises as the gradient says.
#[test]
fn gradients_equal_finite_differences() {
    for family in FAMILIES.into_iter().chain(["llama"]) {
        let sequences = sequences(&read(family));
        let pack =
            || Pack::new(&sequences, Decoder::read(&golden(family)).unwrap().config(), Packing::Shared);
        let trained = sequences.iter().map(Sequence::trained).sum();
        let full = Decoder::read(&golden(family)).unwrap().train_all();
        let lora = Decoder::read(&golden(family)).unwrap();
        let lora = lora.with_adapter(&golden(&format!("{family}-adapter"))).unwrap();
        for mut model in [full, lora] {
            let (_, found) = gradients(&model, &sequences, Some(Packing::Shared));
            let at = weights(&model);
            let length = crate::optim::norm(&found) as f32;
            let lean = |i: usize| 0.5 + (i % 7) as f32 / 6.0;
            let slope: f64 = (found.iter().flatten().enumerate())
                .map(|(i, g)| f64::from(*g) * f64::from(*g * lean(i) / length))
                .sum();
            let mut moved = |by: f32| {
                let mut there = at.clone();
                for (i, (x, g)) in there.iter_mut().flatten().zip(found.iter().flatten()).enumerate() {
                    *x += by * g * lean(i) / length;
                }
                put(&mut model, &there);
                model.loss(&pack(), trained).unwrap()
            };
            let step = 2e-3;
            let difference = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            let off = (difference / slope - 1.0).abs();
            assert!(off < 1e-2, "{family}: the loss rises by {difference}, the gradient says {slope}");
        }
    }
}

#[test]
fn ten_losses_equal_pytorch() {
    for family in FAMILIES {
        let golden_tensors = read(family);
        let sequences = sequences(&golden_tensors);
        let mut full = Decoder::read(&golden(family)).unwrap().train_all();
        let (wanted, lr) = (numbers(&golden_tensors["full_losses"]), scalar(&golden_tensors["full_lr"]));
        check_losses(&mut full, &sequences, &wanted, lr, 1.0);
        let folder = golden(&format!("{family}-adapter"));
        let mut lora = Decoder::read(&golden(family)).unwrap().with_adapter(&folder).unwrap();
        let (wanted, lr) = (numbers(&golden_tensors["lora_losses"]), scalar(&golden_tensors["lora_lr"]));
        check_losses(&mut lora, &sequences, &wanted, lr, 1.0);
    }
}

#[test]
fn a_sequence_longer_than_the_table_of_positions_is_refused() {
    let model = Decoder::read(&golden("gpt2")).unwrap();
    let error = model.logits(&[7; 71]).unwrap_err().to_string();
    assert!(error.contains("more than the 70 tokens"), "{error}");
    let error = model.logits(&[93]).unwrap_err().to_string();
    assert!(error.contains("token 93 is outside of the model's vocabulary of 93"), "{error}");
}
