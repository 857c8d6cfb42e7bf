//! `inspect` and `adapter` on the small random models whose logits transformers and PEFT have computed.
//!
//! Tolerance for logits: 2e-4 as they stand, as for the engine itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::{fail, json, root, run, succeed, with_dataset};

fn golden(name: &str) -> String {
    root().join("crates/geneverse-model/tests/goldens").join(name).to_str().unwrap().to_owned()
}

fn nano() -> String {
    root().join("models/geneverse-nano").to_str().unwrap().to_owned()
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of four-byte and eight-byte numbers, as f32.
fn tensors(path: impl AsRef<Path>) -> Tensors {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name: &String| {
        let view = file.tensor(name).unwrap();
        let numbers: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::I32 => view.data().as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect(),
            Dtype::I64 => view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
            other => panic!("{name} is {other:?}"),
        };
        (name.clone(), (view.shape().to_vec(), numbers))
    };
    file.names().into_iter().map(|name| numbers(&name.to_owned())).collect()
}

fn ids(golden: &Tensors, name: &str) -> String {
    golden[name].1.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

/// Logits as the program writes them.
fn logits(folder: &Path, model: &str, adapter: Option<&str>, ids: &str) -> (Vec<usize>, Vec<f32>) {
    let mut args = vec!["inspect", "logits", "--model", model, "--ids", ids, "--out", "l.safetensors"];
    args.extend(adapter.iter().flat_map(|adapter| ["--adapter", adapter]));
    succeed(folder, &args);
    tensors(folder.join("l.safetensors")).remove("logits").unwrap()
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0f32, |most, x| most.max(x.abs()))
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    largest(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// Adapters, their bases, and where the golden logits and ids are.
const ADAPTERS: [(&str, &str, &str, &str, &str); 7] = [
    ("llama", "llama-adapter", "llama", "lora_logits", "llama"),
    ("llama", "llama-dora", "dora", "lora_logits", "llama"),
    ("llama", "llama-rslora", "methods", "rslora.logits", "llama"),
    ("llama", "llama-onelayer", "methods", "onelayer.logits", "llama"),
    ("gpt2", "gpt2-adapter", "gpt2", "lora_logits", "gpt2"),
    ("gpt2", "gpt2-dora", "methods", "gpt2_dora.logits", "gpt2"),
    ("llama3", "llama3-adapter", "llama3", "lora_logits", "llama3"),
];

#[test]
fn logits_and_merged_checkpoints_equal_the_goldens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (base, adapter, file, name, of_ids) in ADAPTERS {
        let ids = ids(&tensors(golden(&format!("{of_ids}.safetensors"))), "ids.1");
        let (dims, wanted) = &tensors(golden(&format!("{file}.safetensors")))[name];
        let (model, adapter_folder) = (golden(base), golden(adapter));
        let (found_dims, found) = logits(path, &model, Some(&adapter_folder), &ids);
        assert_eq!(found_dims, *dims, "{adapter}");
        let apart = difference(&found, wanted);
        assert!(apart <= 2e-4, "{adapter} differs by {apart}");

        let merge = |out: &str, more: &[&str]| {
            let args =
                ["adapter", "merge", "--model", &model, "--adapter", &adapter_folder, "--out", out, "--json"];
            json(&succeed(path, &[&args, more].concat()))["comparison"].clone()
        };
        let comparison = merge(&format!("{adapter}-f32"), &["--precision", "f32"]);
        assert_eq!(comparison["precision"], "float32");
        let (_, merged) = logits(path, &format!("{adapter}-f32"), None, &ids);
        let apart = difference(&merged, wanted);
        assert!(apart <= 2e-4, "{adapter}, merged as f32, differs by {apart}");

        let own = merge(&format!("{adapter}-own"), &[]);
        assert_eq!(own["precision"], if base == "llama3" { "bfloat16" } else { "float32" });
        let half = merge(&format!("{adapter}-f16"), &["--precision", "f16"]);
        for comparison in [&comparison, &own, &half] {
            let number = |key: &str| comparison[key].as_f64().unwrap();
            assert!(number("in_f32") <= 2e-4 * number("largest"), "{adapter}: {comparison}");
            assert!(number("written") <= number("allowed"), "{adapter}: {comparison}");
            // What is allowed must be able to tell the model from one without its adapter.
            assert!(number("allowed") < number("without_adapter"), "{adapter}: {comparison}");
        }
    }
    assert!(
        !fs::read_dir(path)
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".writing") })
    );
}

#[test]
fn ids_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |ids: &str| {
        let model = golden("llama");
        fail(folder.path(), &["inspect", "logits", "--model", &model, "--ids", ids, "--out", "l.safetensors"])
    };
    assert!(refused("1,97").contains("--ids: 97 is outside of the vocabulary"), "{}", refused("1,97"));
    assert!(refused("1,97").contains("from 0 to 96"));
    assert!(refused("").contains("it holds no token id"));
    assert!(refused("1,,3").contains("\"\" is no token id"));
    assert!(refused("1,-3").contains("\"-3\" is no token id"));
    assert!(!folder.path().join("l.safetensors").exists());
}

#[test]
fn adapters_of_another_base_are_refused_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (model, adapter, why) in [
        ("gpt2", "llama-adapter", "the target module \"down_proj\" is not in a gpt2 model"),
        ("qwen2", "llama-adapter", "made for another base model"),
        ("llama3", "llama-adapter", "made for another base model"),
    ] {
        let (model, adapter) = (golden(model), golden(adapter));
        let merge = fail(path, &["adapter", "merge", "--model", &model, "--adapter", &adapter, "--out", "m"]);
        assert!(merge.contains(why) && merge.contains("llama-adapter"), "{merge}");
        let inspect = fail(path, &["adapter", "inspect", &adapter, "--model", &model]);
        assert!(inspect.contains(why) && inspect.contains("does not fit"), "{inspect}");
    }
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    fs::create_dir(path.join("m")).unwrap();
    let (model, adapter) = (golden("llama"), golden("llama-adapter"));
    let error = fail(path, &["adapter", "merge", "--model", &model, "--adapter", &adapter, "--out", "m"]);
    assert!(error.contains("m: exists; choose another --out"), "{error}");
}

#[test]
fn a_merge_that_rounding_breaks_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("base")).unwrap();
    fs::copy(PathBuf::from(golden("llama")).join("config.json"), path.join("base/config.json")).unwrap();
    let mut bytes = fs::read(PathBuf::from(golden("llama")).join("model.safetensors")).unwrap();
    let norm = {
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("model.norm.weight").unwrap().data().as_ptr() as usize - bytes.as_ptr() as usize
    };
    // Larger than any number of f16, which has 65504 at most.
    bytes[norm..norm + 4].copy_from_slice(&1e6f32.to_le_bytes());
    fs::write(path.join("base/model.safetensors"), bytes).unwrap();
    let adapter = golden("llama-adapter");
    let merge = ["adapter", "merge", "--model", "base", "--adapter", &adapter, "--out", "merged"];
    let error = fail(path, &[&merge[..], &["--precision", "f16"]].concat());
    assert!(error.contains("written as float16") && error.contains("--precision f32"), "{error}");
    assert_eq!(fs::read_dir(path).unwrap().count(), 1, "only the base is here");
    succeed(path, &merge);
}

/// One of the adapter's matrices as 64-bit numbers: (rows, columns) and the numbers.
fn matrix(tensors: &Tensors, name: &str) -> (usize, usize, Vec<f64>) {
    let (dims, numbers) = &tensors[name];
    (dims[0], dims[1], numbers.iter().map(|x| f64::from(*x)).collect())
}

#[test]
fn an_adapter_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (model, adapter) = (golden("llama"), golden("llama-adapter"));
    let told = json(&succeed(folder.path(), &["adapter", "inspect", &adapter, "--model", &model, "--json"]));
    assert_eq!((told["method"].as_str(), told["rank"].as_u64()), (Some("LoRA"), Some(3)));
    assert_eq!((told["base"].as_str(), told["prompt"].as_str()), (Some("llama"), None));
    let scale = told["alpha"].as_f64().unwrap() / 3.0;
    assert!((told["scale"].as_f64().unwrap() - scale).abs() < 1e-12);

    let (weights, updates) = (
        tensors(PathBuf::from(&model).join("model.safetensors")),
        tensors(PathBuf::from(&adapter).join("adapter_model.safetensors")),
    );
    let parameters: usize = updates.values().map(|(_, numbers)| numbers.len()).sum();
    assert_eq!(told["parameters"].as_u64(), Some(parameters as u64));
    // The product formed, entry by entry, against the trace that the program sums.
    let (mut update, mut whole) = (0f64, 0f64);
    for layer in 0..2 {
        let module = format!("model.layers.{layer}.self_attn.q_proj");
        let (rank, inputs, a) = matrix(&updates, &format!("base_model.model.{module}.lora_A.weight"));
        let (outputs, _, b) = matrix(&updates, &format!("base_model.model.{module}.lora_B.weight"));
        for (row, column) in (0..outputs).flat_map(|row| (0..inputs).map(move |column| (row, column))) {
            let entry: f64 = (0..rank).map(|i| b[row * rank + i] * a[i * inputs + column]).sum();
            update += (scale * entry).powi(2);
        }
        let (_, numbers) = &weights[&format!("{module}.weight")];
        whole += numbers.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
    }
    let targets = told["targets"].as_array().unwrap();
    let target = targets.iter().find(|target| target["name"] == "self_attn.q_proj").unwrap();
    assert_eq!(target["layers"], 2);
    let near = |key: &str, wanted: f64| {
        let found = target[key].as_f64().unwrap();
        // Both are sums of 64-bit products of the same numbers.
        assert!((found - wanted).abs() <= 1e-9 * wanted, "{key} is {found}, expected {wanted}");
    };
    near("update", update.sqrt());
    near("relative", (update / whole).sqrt());

    for (adapter, method) in [("llama-rslora", "rsLoRA"), ("gpt2-dora", "DoRA")] {
        let shown = succeed(folder.path(), &["adapter", "inspect", &golden(adapter)]);
        assert!(shown.contains(&format!(": {method} of rank")), "{shown}");
    }
}

#[test]
fn an_exported_adapter_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let ids = ids(&tensors(golden("llama.safetensors")), "ids.1");
    for (base, adapter) in [("llama", "llama-dora"), ("llama", "llama-onelayer"), ("gpt2", "gpt2-adapter")] {
        let (model, adapter) = (golden(base), golden(adapter));
        // GPT-2's golden model has fewer tokens.
        let ids = if base == "gpt2" { "1,2,3" } else { ids.as_str() };
        let export = |out: &str, more: &[&str]| {
            let args = ["adapter", "export", "--adapter", &adapter, "--out", out, "--base", "my/base"];
            succeed(path, &[&args, more].concat());
        };
        let (out, half) = (format!("{base}{}", adapter.len()), format!("{base}{}-half", adapter.len()));
        export(&out, &[]);
        export(&half, &["--precision", "bf16", "--format", "peft"]);
        let config = fs::read_to_string(path.join(&out).join("adapter_config.json")).unwrap();
        let config = json(&config);
        assert_eq!(
            (&config["base_model_name_or_path"], &config["peft_type"]),
            (&"my/base".into(), &"LORA".into())
        );
        assert_eq!(config["fan_in_fan_out"], base == "gpt2");
        let (_, wanted) = logits(path, &model, Some(&adapter), ids);
        let (_, found) = logits(path, &model, Some(&out), ids);
        assert_eq!(found, wanted, "in f32 nothing is lost");
        let (_, found) = logits(path, &model, Some(&half), ids);
        // bf16 keeps 8 binary digits: each number is off by up to 2⁻⁹, and only the update's share of a logit is made
        // of such numbers.
        let apart = difference(&found, &wanted);
        assert!(apart > 0.0 && apart < 0.02 * largest(&wanted), "{adapter}: {apart}");
        let size =
            |folder: &str| fs::metadata(path.join(folder).join("adapter_model.safetensors")).unwrap().len();
        assert!(size(&half) < size(&out));
    }
}

#[test]
fn the_first_micro_batch_is_shown_and_a_merged_model_keeps_its_prompt() {
    let folder = with_dataset();
    let path = folder.path();
    let base = format!("model.base={}", nano());
    let recipe = root().join("recipes/tiny.toml");
    let recipe = recipe.to_str().unwrap();
    let inspect = |more: &[&str]| {
        succeed(
            path,
            &[&["inspect", "batch", recipe, "--set", &base, "--set", "data.cutoff=120"], more].concat(),
        )
    };
    let batch = json(&inspect(&["--json"]));
    assert_eq!(batch["special"]["bos"], serde_json::json!({"id": 1, "text": "<s>"}));
    assert_eq!(batch["special"]["eos"][0]["text"], "</s>");
    assert_eq!(batch["special"]["pad"]["text"], "<pad>");
    let shown = batch["shown"].as_array().unwrap();
    assert_eq!((shown.len(), batch["sequences"].as_u64()), (2, Some(2)));
    let dataset = json(&fs::read_to_string(path.join("dataset/train.json")).unwrap());
    let mut tokens = 0;
    for sequence in shown {
        let examples = dataset.as_array().unwrap();
        let example = examples.iter().find(|e| e["id"] == sequence["example"]).unwrap();
        let parts = sequence["parts"].as_array().unwrap();
        assert_eq!(parts.len(), 2, "a question and an answer: {parts:?}");
        let text = |part: usize| parts[part]["text"].as_str().unwrap();
        assert_eq!((&parts[0]["trained"], &parts[1]["trained"]), (&false.into(), &true.into()));
        let (instruction, output) =
            (example["instruction"].as_str().unwrap(), example["output"].as_str().unwrap());
        assert_eq!(text(0), format!("<s>{instruction}\n"));
        let whole = match &sequence["cut"] {
            serde_json::Value::Null => text(1).to_owned(),
            cut => {
                assert_eq!(cut["kept"], 120);
                format!("{}{}", text(1), cut["lost"].as_str().unwrap())
            }
        };
        assert_eq!(whole, format!("{output}</s>"));
        tokens += sequence["tokens"].as_u64().unwrap();
    }
    let rows = |key: &str| batch["rows"][key].as_u64().unwrap();
    assert_eq!(rows("apart"), tokens);
    assert!(rows("shared") < rows("apart") && rows("apart") <= rows("padded"), "{}", batch["rows"]);
    let text = inspect(&["--limit", "1"]);
    assert!(text.contains("⟦") && text.contains("first micro-batch: 2 sequences"), "{text}");
    assert_eq!(text.matches('⟦').count(), 1, "one of two is shown: {text}");

    let steps = ["--set", "optim.max_steps=2"];
    succeed(path, &[&["train", recipe, "--set", &base, "--out", "run"], &steps[..]].concat());
    let told = succeed(path, &["adapter", "inspect", "run/adapter", "--model", &nano()]);
    assert!(told.contains("prompt      Plain") && told.contains("% of the weights'"), "{told}");
    let merge =
        ["adapter", "merge", "--model", &nano(), "--adapter", "run/adapter", "--out", "merged", "--json"];
    assert_eq!(json(&succeed(path, &merge))["comparison"]["precision"], "bfloat16");
    let read = |file: &str| fs::read(path.join("merged").join(file)).unwrap();
    for file in ["tokenizer.json", "generation_config.json"] {
        assert_eq!(read(file), fs::read(PathBuf::from(nano()).join(file)).unwrap(), "{file}");
    }
    // How it was asked in training is there for other engines too.
    let of = |folder: PathBuf| json(&fs::read_to_string(folder.join("tokenizer_config.json")).unwrap());
    let mut config = of(path.join("merged"));
    let template = config.as_object_mut().unwrap().remove("chat_template").unwrap();
    assert_eq!(config, of(PathBuf::from(nano())));
    assert_eq!(template.as_str().unwrap().as_bytes(), read("chat_template.jinja"));
    assert_eq!(read("geneverse.json"), fs::read(path.join("run/adapter/geneverse.json")).unwrap());
    let generate =
        ["generate", "--model", "merged", "--prompts", "dataset/test.json", "--max-new-tokens", "4"];
    succeed(path, &generate);
    let manifest = json(&fs::read_to_string(path.join("answers.jsonl.manifest.json")).unwrap());
    assert_eq!(manifest["key"]["prompt"], "plain");
}

/// A text that the n-gram model was counted on it foresees; random weights know nothing but the vocabulary's size.
#[test]
fn perplexity_is_told_beside_an_n_gram_model_and_random_weights() {
    let folder = tempfile::tempdir().unwrap();
    let line = "GLI1 is a protein-coding gene. It encodes a transcription factor of Hedgehog signaling.\n";
    fs::write(folder.path().join("text.txt"), line.repeat(3) + "\n").unwrap();
    let nano = nano();
    let args = ["inspect", "perplexity", "--model", &nano, "--text", "text.txt"];
    let more = ["--ngram-text", "text.txt", "--untrained", "--json"];
    let told = json(&succeed(folder.path(), &[&args[..], &more].concat()));
    let loss = |row: usize| told["rows"][row]["loss"].as_f64().unwrap();
    assert_eq!((&told["documents"], &told["characters"]), (&3.into(), &(3 * (line.len() - 1)).into()));
    let perplexity = told["rows"][0]["perplexity"].as_f64().unwrap();
    assert!((perplexity.ln() - loss(0)).abs() < 1e-9);
    assert!(loss(1) < 1.0, "the n-gram model has read this text: {}", loss(1));
    assert!((loss(2) - 4096f64.ln()).abs() < 0.3, "random weights: {}", loss(2));
    assert!(loss(0) < loss(2) - 3.0, "the model has learnt: {}", loss(0));

    let wrong = fail(folder.path(), &[&args[..], &["--ngram-order", "6"]].concat());
    assert_eq!(wrong, "--ngram-order is 6, expected 1 to 5");
}

/// The same seed shows the same documents, another seed others; a document's own words follow beside the model's.
#[test]
fn continuations_are_of_documents_that_the_seed_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..40)
        .map(|n| format!("Gene number {n} has the official full name zinc finger protein {n} of family {n}."))
        .collect();
    fs::write(folder.path().join("text.txt"), lines.join("\n") + "\ntoo short\n").unwrap();
    let nano = nano();
    let args = ["inspect", "continuations", "--model", &nano, "--text", "text.txt", "--count", "3"];
    let more = ["--words", "8", "--max-new-tokens", "6", "--json", "--seed"];
    let told = |seed: &str| json(&succeed(folder.path(), &[&args[..], &more, &[seed]].concat()));
    let first = told("1");
    assert_eq!(first, told("1"));
    let chosen = |told: &Value| -> Vec<u64> {
        told.as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect()
    };
    assert_eq!(chosen(&first).len(), 3);
    assert_ne!(chosen(&first), chosen(&told("2")));
    for row in first.as_array().unwrap() {
        let document = &lines[row["line"].as_u64().unwrap() as usize - 1];
        let [given, rest, model] = ["given", "text", "model"].map(|key| row[key].as_str().unwrap());
        assert_eq!(format!("{given}{rest}"), *document);
        assert_eq!(given.split(' ').count(), 8);
        assert!(!model.trim().is_empty());
    }
    let wrong = fail(folder.path(), &[&args[..], &["--words", "99"]].concat());
    assert!(wrong.starts_with("text.txt: found no line of more than 99 words"), "{wrong}");
}

#[test]
fn help_of_inspect_and_adapter_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        ["inspect", "logits"],
        ["inspect", "batch"],
        ["inspect", "memory"],
        ["inspect", "continuations"],
        ["adapter", "inspect"],
        ["adapter", "merge"],
        ["adapter", "export"],
    ] {
        let help = succeed(folder.path(), &[&command[..], &["--help"]].concat());
        assert!(help.contains("Example:\n  geneverse "), "{command:?}: {help}");
    }
    let format =
        run(folder.path(), &["adapter", "export", "--format", "gguf", "--adapter", "a", "--out", "b"]);
    assert!(String::from_utf8_lossy(&format.stderr).contains("possible values: peft"));
}
