//! Pictures from the command line to answers: a LLaVA of the bundled base model, a small random tower and a projector.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use super::{fail, json as parsed, root, succeed};

pub(super) fn golden(name: &str) -> PathBuf {
    root().join("crates/geneverse-model/tests/goldens").join(name)
}

fn picture(name: &str) -> String {
    let folder = root().join("crates/geneverse-data/tests/goldens/pictures");
    folder.join(name).to_str().unwrap().to_owned()
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// A tensor of a safetensors file, in f32 or as whole numbers.
fn tensor(path: &Path, name: &str) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let view = SafeTensors::deserialize(&bytes).unwrap();
    let view = view.tensor(name).unwrap();
    match view.dtype() {
        Dtype::I32 => view.data().as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect(),
        _ => numbers(view.data()),
    }
}

#[test]
fn logits_with_pictures_equal_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let model = golden("llava").to_str().unwrap().to_owned();
    let file = golden("llava.safetensors");
    let ids: Vec<String> = tensor(&file, "ids.1").iter().map(f32::to_string).collect();
    let wanted = tensor(&file, "logits.1");
    // Sequence 1 shows the third picture and then the second.
    let pictures = [picture("rgb.rgb.png"), picture("tall.rgb.png")];
    let logits = |ids: &str, images: &[String]| {
        let mut args = vec!["inspect", "logits", "--model", &model, "--ids", ids, "--out", "l.safetensors"];
        args.extend(images.iter().flat_map(|image| ["--image", image.as_str()]));
        args.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |ids: &str, images: &[String]| {
        let args = logits(ids, images);
        succeed(path, &args.iter().map(String::as_str).collect::<Vec<_>>());
        tensor(&path.join("l.safetensors"), "logits")
    };
    let whole = run(&ids.join(","), &pictures);
    // One placeholder for each picture.
    let mut short: Vec<&str> = Vec::new();
    for id in &ids {
        match id.as_str() {
            "90" if short.last() == Some(&"<image>") => {}
            "90" => short.push("<image>"),
            id => short.push(id),
        }
    }
    let short = short.join(",");
    assert!(short.matches("<image>").count() == 2, "{short}");
    for found in [whole, run(&short, &pictures)] {
        assert_eq!(found.len(), wanted.len());
        let most = found.iter().zip(&wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(most <= 5e-4, "{most}");
    }
    let refused = |ids: &str, images: &[String]| {
        let args = logits(ids, images);
        fail(path, &args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let error = refused(&short, &pictures[..1]);
    assert!(
        error.starts_with("--image: 1 pictures, and --ids has 2 places for them; expected as many <image>"),
        "{error}"
    );
    fs::write(path.join("page.png"), "<html>").unwrap();
    let error = refused("1,<image>,5", &["page.png".to_owned()]);
    assert!(error.contains("page.png: is no picture: it begins with the bytes 3c 68 74 6d 6c 3e"), "{error}");
    let nano = root().join("models/geneverse-nano").to_str().unwrap().to_owned();
    let args =
        ["inspect", "logits", "--model", &nano, "--ids", "1,<image>", "--image", &pictures[0], "--out", "l"];
    let error = fail(path, &args);
    assert!(
        error.contains("this is a llama that reads text only, and there are pictures; take a LLaVA"),
        "{error}"
    );
}

/// Tensors by name: type, dimensions, bytes.
pub(super) type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub(super) fn read(path: &Path) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let of = |(name, view): (String, TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    file.tensors().into_iter().map(of).collect()
}

pub(super) fn write(path: &Path, tensors: &Tensors) {
    let views = tensors.iter().map(|(name, (dtype, dims, bytes))| {
        (name.clone(), TensorView::new(*dtype, dims.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// A LLaVA in the original layout: the bundled base model, the golden's tower beside it, a projector of small numbers.
pub(super) fn seeing_nano(folder: &Path) {
    let nano = root().join("models/geneverse-nano");
    let (model, tower) = (folder.join("llava"), folder.join("tower"));
    fs::create_dir_all(&model).unwrap();
    fs::create_dir_all(&tower).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(nano.join(file), model.join(file)).unwrap();
    }
    let mut config: Value = parsed(&fs::read_to_string(nano.join("config.json")).unwrap());
    for (key, value) in [
        ("model_type", json!("llava_llama")),
        ("mm_vision_tower", json!("tower")),
        ("mm_projector_type", json!("mlp2x_gelu")),
        ("mm_hidden_size", json!(21)),
        ("image_aspect_ratio", json!("pad")),
    ] {
        config[key] = value;
    }
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    let mut tensors = read(&nano.join("model.safetensors"));
    let mut state = 1u32;
    let mut random = |count: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).flat_map(|_| (0.2 * next()).to_le_bytes()).collect()
    };
    for (name, dims) in [
        ("0.weight", vec![256, 21]),
        ("0.bias", vec![256]),
        ("2.weight", vec![256, 256]),
        ("2.bias", vec![256]),
    ] {
        let bytes = random(dims.iter().product());
        tensors.insert(format!("model.mm_projector.{name}"), (Dtype::F32, dims, bytes));
    }
    write(&model.join("model.safetensors"), &tensors);

    let seeing: Value = parsed(&fs::read_to_string(golden("llava/config.json")).unwrap());
    fs::write(tower.join("config.json"), json!({"vision_config": seeing["vision_config"]}).to_string())
        .unwrap();
    fs::copy(golden("llava/preprocessor_config.json"), tower.join("preprocessor_config.json")).unwrap();
    let of_tower = read(&golden("llava/model.safetensors"));
    let renamed = |(name, tensor): (String, _)| {
        Some((format!("vision_model.{}", name.strip_prefix("vision_tower.")?), tensor))
    };
    write(&tower.join("model.safetensors"), &of_tower.into_iter().filter_map(renamed).collect());
}

pub(super) const ANSWERS: [(&str, &str); 3] =
    [("wide", "a red kinase"), ("tall", "a blue receptor"), ("rgb", "a green channel")];

/// Questions that are the same but for their picture, and one without a picture.
pub(super) fn examples(folder: &Path) {
    fs::create_dir_all(folder.join("data/pictures")).unwrap();
    let mut rows = Vec::new();
    for (name, answer) in ANSWERS {
        fs::copy(picture(&format!("{name}.rgb.png")), folder.join(format!("data/pictures/{name}.png")))
            .unwrap();
        rows.push(
            json!({"id": name, "task": "protein", "subject": name, "image": format!("pictures/{name}.png"),
            "instruction": "What is the name of this protein?", "output": answer}),
        );
    }
    rows.push(json!({"id": "none", "task": "protein", "subject": "none", "instruction": "What is the name of this protein?",
        "output": "nothing is shown"}));
    fs::write(folder.join("data/train.json"), Value::Array(rows).to_string()).unwrap();
}

pub(super) const RECIPE: &str = r#"
[model]
base = "llava"
[data]
train = "data/train.json"
prompt = "llava"
[method]
rank = 8
alpha = 16
dropout = 0.0
targets = ["all-linear"]
[vision]
projector_learning_rate = 5e-3
[optim]
learning_rate = 5e-3
batch_size = 4
micro_batch = 4
epochs = 60
warmup_steps = 2
[run]
save_every = 20
"#;

#[test]
fn a_model_learns_to_tell_pictures_apart_and_answers_by_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    seeing_nano(path);
    examples(path);
    fs::write(path.join("see.toml"), RECIPE).unwrap();
    let shown = parsed(&succeed(path, &["inspect", "batch", "see.toml", "--json"]));
    let texts: Vec<&str> =
        shown["shown"].as_array().unwrap().iter().filter_map(|s| s["parts"][0]["text"].as_str()).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.ends_with("USER: <image>\nWhat is the name of this protein? ASSISTANT:")),
        "{texts:?}"
    );
    let memory = parsed(&succeed(path, &["inspect", "memory", "see.toml", "--json"]));
    assert!(memory["keep_peak"].as_u64().unwrap() > 0);

    succeed(path, &["train", "see.toml", "--out", "run"]);
    assert!(!path.join("run/features").exists());
    let resolved = fs::read_to_string(path.join("run/recipe.toml")).unwrap();
    assert!(resolved.contains("tower = \"frozen\""), "{resolved}");
    assert!(path.join("run/adapter/non_lora_trainables.safetensors").exists());
    let ask = |out: &str, prompts: &str, more: &[&str]| {
        let args =
            ["generate", "--model", "llava", "--adapter", "run/adapter", "--prompts", prompts, "--out", out];
        succeed(path, &[&args[..], &["--max-new-tokens", "16"], more].concat());
        let lines = fs::read_to_string(path.join(out)).unwrap();
        lines.lines().map(parsed).collect::<Vec<Value>>()
    };
    for batch in ["1", "4"] {
        let answers = ask(&format!("answers-{batch}.jsonl"), "data/train.json", &["--batch", batch]);
        for ((name, wanted), answer) in ANSWERS.iter().zip(&answers) {
            assert_eq!(answer["answer"], *wanted, "{name}, in batches of {batch}");
            assert_eq!(answer["image"], format!("data/pictures/{name}.png"));
        }
        assert_eq!(answers[3]["answer"], "nothing is shown");
        assert_eq!(answers[3].get("image"), None);
        assert!(!path.join(format!("answers-{batch}.jsonl.features")).exists());
    }
    // The pictures exchanged, the questions as they were: the answers go with the pictures.
    for (name, other) in [("wide", "tall"), ("tall", "rgb"), ("rgb", "wide")] {
        fs::copy(picture(&format!("{other}.rgb.png")), path.join(format!("data/pictures/{name}.png")))
            .unwrap();
    }
    let answers = ask("shuffled.jsonl", "data/train.json", &[]);
    let said: Vec<&str> = answers[..3].iter().map(|answer| answer["answer"].as_str().unwrap()).collect();
    assert_eq!(said, ["a blue receptor", "a green channel", "a red kinase"]);
    // Other pictures are other inputs: what was finished before is not passed off as their answers.
    let again = fail(
        path,
        &[
            "generate",
            "--model",
            "llava",
            "--adapter",
            "run/adapter",
            "--prompts",
            "data/train.json",
            "--out",
            "answers-1.jsonl",
            "--max-new-tokens",
            "16",
            "--batch",
            "1",
        ],
    );
    assert!(again.contains("inputs.pictures"), "{again}");
}

#[test]
fn what_does_not_fit_is_told_before_any_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    seeing_nano(path);
    examples(path);
    fs::write(path.join("see.toml"), RECIPE).unwrap();
    let refused = |set: &str| fail(path, &["train", "see.toml", "--out", "run", "--set", set]);
    let grown = fail(
        path,
        &["train", "see.toml", "--out", "run", "--set", "method.kind=expand", "--set", "method.blocks=2"],
    );
    assert_eq!(
        grown,
        "recipe: method.kind is \"expand\", expected \"lora\" or \"full\" for a model that sees pictures"
    );
    let nano = format!("model.base={}", root().join("models/geneverse-nano").display());
    let blind = refused(&nano);
    assert!(
        blind.starts_with("recipe: [vision] is there, and the base model is a llama that reads text only"),
        "{blind}"
    );
    let rate = refused("vision.projector_learning_rate=0");
    assert!(rate.contains("vision.projector_learning_rate is 0, expected a number above 0"), "{rate}");
    fs::write(path.join("data/pictures/tall.png"), "no picture").unwrap();
    let broken = refused("optim.epochs=1");
    assert!(
        broken.contains("data/pictures/tall.png: is no picture: it begins with the bytes 6e 6f"),
        "{broken}"
    );
    fs::remove_file(path.join("data/pictures/tall.png")).unwrap();
    let missing = refused("optim.epochs=1");
    assert!(missing.contains("data/pictures/tall.png"), "{missing}");
    assert!(!path.join("run/checkpoints").exists());
}
