//! Other ways to finetune against PEFT: DoRA, rsLoRA, LoRA+, ranks by pattern, single layers, new blocks.
//!
//! The goldens were made by `tests/goldens/make_method_goldens.py`.

use super::families::{check_losses, compare_gradients, read, scalar};
use super::*;

fn adapted(base: &str, folder: &str) -> Decoder {
    Decoder::read(&golden(base)).unwrap().with_adapter(&golden(folder)).unwrap()
}

fn check_logits(model: &Decoder, wanted: &Tensor, base: &str, what: &str) {
    let prompt = ids(&read(base)["ids.1"]);
    assert_close(&model.logits(&prompt).unwrap(), &numbers(wanted), 2e-4, what);
}

#[test]
fn dora_equals_peft() {
    let golden_tensors = read("dora");
    let mut model = adapted("llama", "llama-dora");
    check_logits(&model, &golden_tensors["lora_logits"], "llama", "DoRA");
    let before = weights(&model);
    let sequences = sequences(&tensors());
    let (_, found) = gradients(&model, &sequences, Some(Packing::Shared));
    put(&mut model, &found);
    compare_gradients(&named_adapter(&model), &golden_tensors, "lora.", "DoRA");
    put(&mut model, &before);
    let (losses, lr) = (numbers(&golden_tensors["lora_losses"]), scalar(&golden_tensors["lora_lr"]));
    check_losses(&mut model, &sequences, &losses, lr, 1.0);
    check_logits(
        &adapted("llama", "llama-dora").merged(None),
        &golden_tensors["lora_logits"],
        "llama",
        "merged DoRA",
    );
}

#[test]
fn dora_of_maps_with_biases_equals_peft() {
    let golden_tensors = read("methods");
    for base in ["qwen2", "gpt2"] {
        let mut model = adapted(base, &format!("{base}-dora"));
        check_logits(&model, &golden_tensors[&format!("{base}_dora.logits")], base, base);
        let (_, found) = gradients(&model, &sequences(&read(base)), None);
        put(&mut model, &found);
        compare_gradients(&named_adapter(&model), &golden_tensors, &format!("{base}_dora.grad."), base);
        let merged = adapted(base, &format!("{base}-dora")).merged(None);
        check_logits(&merged, &golden_tensors[&format!("{base}_dora.logits")], base, "merged");
    }
}

#[test]
fn a_fresh_dora_changes_nothing() {
    let config = adapter::LoraConfig {
        dora: true,
        targets: vec!["all-linear".into()],
        ..adapter::LoraConfig::read(&golden("llama-adapter")).unwrap()
    };
    for base in ["llama", "gpt2"] {
        let model = Decoder::read(&golden(base)).unwrap();
        let wanted = model.logits(&[1, 7, 9]).unwrap();
        let found = model.train_lora(&config, 3).unwrap().logits(&[1, 7, 9]).unwrap();
        assert_close(&found, &wanted, 2e-5, base);
    }
}

#[test]
fn other_kinds_of_lora_equal_peft() {
    let golden_tensors = read("methods");
    let sequences = sequences(&tensors());
    let mut rslora = adapted("llama", "llama-rslora");
    check_logits(&rslora, &golden_tensors["rslora.logits"], "llama", "rsLoRA");
    let (losses, lr) = (numbers(&golden_tensors["rslora.losses"]), scalar(&golden_tensors["rslora.lr"]));
    check_losses(&mut rslora, &sequences, &losses, lr, 1.0);

    let patterned = adapted("llama", "llama-patterned");
    check_logits(&patterned, &golden_tensors["patterned.logits"], "llama", "ranks by pattern");
    let one_layer = adapted("llama", "llama-onelayer");
    check_logits(&one_layer, &golden_tensors["onelayer.logits"], "llama", "one layer");

    let mut plus = adapted("llama", "llama-adapter");
    let losses = numbers(&golden_tensors["loraplus.losses"]);
    let (lr, ratio) = (scalar(&golden_tensors["loraplus.lr"]), scalar(&golden_tensors["loraplus.ratio"]));
    check_losses(&mut plus, &sequences, &losses, lr, ratio);
}

#[test]
fn new_blocks_equal_pytorch() {
    let golden_tensors = read("methods");
    let base = Decoder::read(&golden("llama")).unwrap();
    let prompt = ids(&tensors()["ids.1"]);
    let before = base.logits(&prompt).unwrap();
    let mut model = base.expand(2).unwrap();
    assert_eq!(model.config().num_hidden_layers, 4);
    assert_close(&model.logits(&prompt).unwrap(), &before, 0.0, "new blocks change nothing at first");

    let sequences = sequences(&tensors());
    let fresh = weights(&model);
    let (_, found) = gradients(&model, &sequences, Some(Packing::Shared));
    put(&mut model, &found);
    let new = |name: &str| name.contains(".layers.1.") || name.contains(".layers.3.");
    let found = named_weights(&model).into_iter().filter(|(name, _)| new(name)).collect();
    compare_gradients(&found, &golden_tensors, "expand.", "new blocks");
    put(&mut model, &fresh);
    let (losses, lr) = (numbers(&golden_tensors["expand_losses"]), scalar(&golden_tensors["expand_lr"]));
    check_losses(&mut model, &sequences, &losses, lr, 1.0);

    // Written and read, it is a Llama of four layers.
    let folder = tempfile::tempdir().unwrap();
    model.write(folder.path(), crate::Precision::F32).unwrap();
    let again = Decoder::read(folder.path()).unwrap();
    assert_close(&again.logits(&prompt).unwrap(), &model.logits(&prompt).unwrap(), 0.0, "written and read");
    let error = Decoder::read(&golden("gemma2")).unwrap().expand(2).err().unwrap().to_string();
    assert!(error.contains("layers differ by their number"), "{error}");
}
