//! Models that see, from the command line: a whole LLaVA finetuned, merged and exported, and a Qwen2.5-VL.

use std::fs;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::{Value, json};

use super::vision::{ANSWERS, RECIPE, examples, golden, read, seeing_nano, write};
use super::{fail, json as parsed, root, succeed};

fn answers(path: &Path, model: &str, adapter: Option<&str>, out: &str) -> Vec<String> {
    let mut args = vec!["generate", "--model", model, "--prompts", "data/train.json", "--out", out];
    args.extend(["--max-new-tokens", "16"]);
    args.extend(adapter.iter().flat_map(|adapter| ["--adapter", adapter]));
    succeed(path, &args);
    let lines = fs::read_to_string(path.join(out)).unwrap();
    lines.lines().map(|line| parsed(line)["answer"].as_str().unwrap().to_owned()).collect()
}

fn expected() -> Vec<String> {
    ANSWERS.iter().map(|(_, answer)| *answer).chain(["nothing is shown"]).map(str::to_owned).collect()
}

#[test]
fn a_llava_is_trained_as_a_whole_and_an_adapter_merged_into_it_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    seeing_nano(path);
    examples(path);
    fs::write(path.join("see.toml"), RECIPE.replace("epochs = 60", "epochs = 24")).unwrap();
    // Features outlive the run and are found by the next one.
    let kept = "vision.features=features";
    succeed(path, &["train", "see.toml", "--out", "run", "--set", kept]);
    let files = || fs::read_dir(path.join("features")).unwrap().count();
    assert_eq!(files(), 3);
    let merge = ["adapter", "merge", "--model", "llava", "--adapter", "run/adapter", "--out", "merged"];
    let merged = parsed(&succeed(path, &[&merge[..], &["--json"]].concat()));
    assert!(
        merged["comparison"]["written"].as_f64().unwrap() < merged["comparison"]["allowed"].as_f64().unwrap()
    );
    // The tower came along.
    fs::rename(path.join("tower"), path.join("gone")).unwrap();
    assert_eq!(answers(path, "merged", None, "merged.jsonl"), expected());
    fs::rename(path.join("gone"), path.join("tower")).unwrap();

    let export = ["adapter", "export", "--adapter", "run/adapter", "--out", "exported", "--format", "llava"];
    succeed(path, &export);
    assert!(path.join("exported/non_lora_trainables.safetensors").exists());
    let there = ["adapter", "export", "--adapter", "exported", "--out", "there", "--format", "transformers"];
    succeed(path, &there);
    let names = read(&path.join("there/adapter_model.safetensors"));
    assert!(names.contains_key("base_model.model.model.multi_modal_projector.linear_1.weight"));
    assert!(!path.join("there/non_lora_trainables.safetensors").exists());

    // All of the language model and the projector; the tower as it was.
    let whole = ["method.kind=full", "optim.learning_rate=5e-4", "vision.projector_learning_rate=5e-4"];
    let mut args = vec!["train", "see.toml", "--out", "whole", "--set", kept, "--set", "optim.epochs=16"];
    args.extend(whole.iter().flat_map(|set| ["--set", set]));
    let recipe = fs::read_to_string(path.join("see.toml")).unwrap();
    let lora = ["rank = 8\n", "alpha = 16\n", "dropout = 0.0\n", "targets = [\"all-linear\"]\n"];
    let recipe = lora.iter().fold(recipe, |text, line| text.replace(line, ""));
    fs::write(path.join("see.toml"), recipe).unwrap();
    succeed(path, &args);
    assert_eq!(files(), 3);
    assert_eq!(answers(path, "whole/model", None, "whole.jsonl"), expected());
}

/// A Qwen2.5-VL of the bundled base model and the golden's tower, in the layout of files from before transformers 4.52.
fn seeing_qwen(folder: &Path) {
    let nano = root().join("models/geneverse-nano");
    let model = folder.join("qwen");
    fs::create_dir_all(&model).unwrap();
    let mut tokenizer = fs::read_to_string(nano.join("tokenizer.json")).unwrap();
    let marks = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|im_start|>", "<|im_end|>"];
    for (number, mark) in marks.iter().enumerate() {
        tokenizer = tokenizer.replace(&format!("<reserved_{number}>"), mark);
    }
    fs::write(model.join("tokenizer.json"), tokenizer).unwrap();
    let golden_config: Value = parsed(&fs::read_to_string(golden("qwen2_5_vl/config.json")).unwrap());
    let mut config: Value = parsed(&fs::read_to_string(nano.join("config.json")).unwrap());
    let mut vision = golden_config["vision_config"].clone();
    vision["out_hidden_size"] = json!(256);
    for (key, value) in [
        ("model_type", json!("qwen2_5_vl")),
        ("vision_config", vision),
        ("image_token_id", json!(7)),
        ("rope_scaling", json!({"type": "mrope", "mrope_section": [6, 5, 5]})),
    ] {
        config[key] = value;
    }
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    fs::copy(golden("qwen2_5_vl/preprocessor_config.json"), model.join("preprocessor_config.json")).unwrap();
    let mut tensors = read(&nano.join("model.safetensors"));
    for layer in 0..8 {
        for (map, width) in [("q", 256), ("k", 128), ("v", 128)] {
            let name = format!("model.layers.{layer}.self_attn.{map}_proj.bias");
            tensors.insert(name, (Dtype::F32, vec![width], vec![0; 4 * width]));
        }
    }
    let of_tower = read(&golden("qwen2_5_vl/model.safetensors")).into_iter();
    tensors.extend(of_tower.filter(|(name, _)| name.starts_with("visual.")));
    let spread = |count: usize| -> Vec<u8> {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 1000.0 - 0.5;
        (0..count).flat_map(|i| (0.1 * number(i)).to_le_bytes()).collect()
    };
    tensors.insert("visual.merger.mlp.2.weight".into(), (Dtype::F32, vec![256, 96], spread(256 * 96)));
    tensors.insert("visual.merger.mlp.2.bias".into(), (Dtype::F32, vec![256], spread(256)));
    write(&model.join("model.safetensors"), &tensors);
}

#[test]
fn a_qwen_vl_learns_to_tell_pictures_of_any_size_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    seeing_qwen(path);
    examples(path);
    let recipe = RECIPE
        .replace("base = \"llava\"", "base = \"qwen\"")
        .replace("epochs = 60", "epochs = 24")
        .replace("prompt = \"llava\"", "prompt = \"qwen\"");
    let trained_projector = recipe.clone();
    let recipe = recipe.replace("[vision]\nprojector_learning_rate = 5e-3\n", "");
    fs::write(path.join("see.toml"), &recipe).unwrap();
    let shown = parsed(&succeed(path, &["inspect", "batch", "see.toml", "--json"]));
    let texts: Vec<&str> =
        shown["shown"].as_array().unwrap().iter().filter_map(|s| s["parts"][0]["text"].as_str()).collect();
    let asked = "<|im_start|>user\n<|vision_start|><image><|vision_end|>\nWhat is the name of this protein?<|im_end|>\n\
                 <|im_start|>assistant\n";
    assert!(texts.iter().any(|text| text.ends_with(asked)), "{texts:?}");
    assert!(
        parsed(&succeed(path, &["inspect", "memory", "see.toml", "--json"]))["keep_peak"].as_u64().unwrap()
            > 0
    );
    succeed(path, &["train", "see.toml", "--out", "run"]);
    assert_eq!(answers(path, "qwen", Some("run/adapter"), "answers.jsonl"), expected());
    let merge = ["adapter", "merge", "--model", "qwen", "--adapter", "run/adapter", "--out", "merged"];
    succeed(path, &merge);
    assert_eq!(answers(path, "merged", None, "merged.jsonl"), expected());

    fs::write(path.join("other.toml"), trained_projector).unwrap();
    let error = fail(path, &["train", "other.toml", "--out", "other"]);
    assert_eq!(
        error,
        "recipe: vision.projector is \"full\", expected \"frozen\": this model has no projector apart from its tower"
    );
    // What is wrong with the data is told before any training.
    let rows = fs::read_to_string(path.join("data/train.json")).unwrap();
    fs::write(path.join("data/train.json"), rows.replace("What is", "<image> <image> What is")).unwrap();
    let error = fail(path, &["train", "see.toml", "--out", "counted"]);
    assert!(error.contains("the question has 2 × `<image>` and the row names 1 pictures"), "{error}");
    fs::write(path.join("data/train.json"), rows).unwrap();
    fs::write(path.join("data/pictures/tall.png"), "no picture").unwrap();
    let error = fail(path, &["train", "see.toml", "--out", "broken"]);
    assert!(
        error.contains("data/pictures/tall.png: is no picture: it begins with the bytes 6e 6f"),
        "{error}"
    );
    assert!(!path.join("broken/checkpoints").exists());
}
