//! Other bases in the layouts in which they are published: asked as transformers asks them, and finetuned.
//!
//! The checkpoints and what is expected of them were made by `geneverse-model/tests/goldens/make_base_goldens.py`.

use std::fs;
use std::path::{Path, PathBuf};

use geneverse_data::dataset::Example;
use geneverse_data::prompt::Template;
use geneverse_model::batch::encode_prompt;
use geneverse_model::config::ModelConfig;
use geneverse_model::tokens::Tokenizer;
use serde_json::{Value, json};

use super::{json as parsed, root, succeed};

const BASES: [(&str, &str); 4] = [
    ("biomedlm", "biomedlm-lora"),
    ("biogpt", "biogpt-lora"),
    ("biomistral", "biomistral-lora"),
    ("llama_pro", "llama-pro-lora"),
];

fn goldens() -> PathBuf {
    root().join("crates/geneverse-model/tests/goldens/bases")
}

fn expected() -> Value {
    parsed(&fs::read_to_string(goldens().join("expected.json")).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(parsed).collect()
}

/// Each base's folder, its recipe, and what is expected of it, with a folder to work in.
fn each(work: impl Fn(&Path, (&str, &str), &Value)) {
    let expected = expected();
    for names in BASES {
        let folder = tempfile::tempdir().unwrap();
        work(folder.path(), names, &expected["bases"][names.0]);
    }
}

/// Writes a list of what `row` makes of each of `all`.
fn write(path: &Path, all: &Value, row: impl Fn(usize, &Value) -> Value) {
    let rows: Vec<Value> = all.as_array().unwrap().iter().enumerate().map(|(i, one)| row(i, one)).collect();
    fs::write(path, json!(rows).to_string()).unwrap();
}

#[test]
fn every_base_says_what_transformers_says_and_stops_where_it_stops() {
    let longest = expected()["longest"].to_string();
    each(|path, (base, _), golden| {
        let asked = golden["asked"].as_array().unwrap();
        write(
            &path.join("questions.json"),
            &golden["asked"],
            |number, one| json!({"id": number.to_string(), "instruction": one["question"], "input": "", "output": "?"}),
        );
        let model = goldens().join(base);
        let (tokenizer, config) = (Tokenizer::read(&model).unwrap(), ModelConfig::read(&model).unwrap());
        let template: Template = serde_json::from_value(golden["template"].clone()).unwrap();
        let model = model.display().to_string();
        let args =
            ["generate", "--model", &model, "--prompt", golden["template"].as_str().unwrap(), "--prompts"];
        let more = ["questions.json", "--max-new-tokens", &longest, "--out", "answers.jsonl"];
        succeed(path, &[&args[..], &more].concat());
        let answers = lines(&fs::read_to_string(path.join("answers.jsonl")).unwrap());
        assert_eq!(answers.len(), asked.len(), "{base}");
        for (number, one) in asked.iter().enumerate() {
            let id = json!(number.to_string());
            let answer = answers.iter().find(|line| line["id"] == id).unwrap();
            let what = format!("{base}: {}", one["question"]);
            let example =
                Example { instruction: one["question"].as_str().unwrap().to_owned(), ..Example::default() };
            let ids = encode_prompt(&example, template, &tokenizer, &config, None).unwrap();
            assert_eq!(json!(ids), one["ids"], "{what}");
            // One that went on where transformers stops would say more, and one that stopped before it less.
            let said: Vec<u32> = serde_json::from_value(one["said"].clone()).unwrap();
            assert_eq!(answer["answer"], tokenizer.decode(&said).unwrap().trim(), "{what}");
        }
    });
}

#[test]
fn a_recipe_of_each_base_trains_from_transformers_loss_downwards() {
    let examples = expected()["examples"].clone();
    each(|path, (base, recipe), golden| {
        write(
            &path.join("train.json"),
            &examples,
            |_, pair| json!({"instruction": pair[0], "input": "", "output": pair[1]}),
        );
        let recipe = root().join(format!("recipes/{recipe}.toml")).display().to_string();
        let model = format!("model.base={}", goldens().join(base).display());
        let prompt = format!("data.prompt={}", golden["template"].as_str().unwrap());
        let settings = [
            "data.train=train.json",
            "data.validation=train.json",
            "data.train_on_prompt=false",
            "data.cutoff=128",
            "optim.learning_rate=1e-2",
            "optim.warmup_steps=0",
            "optim.batch_size=4",
            "optim.epochs=8",
            "method.dropout=0.0",
            "run.eval_every=4",
            "run.save_every=8",
            "run.load_best=false",
            &model,
            &prompt,
        ];
        let mut args = vec!["train", &recipe, "--out", "run"];
        settings.iter().for_each(|setting| args.extend(["--set", setting]));
        succeed(path, &args);
        let metrics = lines(&fs::read_to_string(path.join("run/metrics.jsonl")).unwrap());
        let losses: Vec<f64> = metrics.iter().filter_map(|line| line["loss"].as_f64()).collect();
        let first = golden["loss"].as_f64().unwrap();
        assert!(
            (losses[0] - first).abs() < 1e-3,
            "{base}: the first loss is {}, transformers' {first}",
            losses[0]
        );
        assert!(losses[losses.len() - 1] < first - 0.1, "{base}: {losses:?}");
        fs::write(
            path.join("questions.json"),
            json!([{"id": "1", "instruction": "What is GLI1?", "input": "", "output": "?"}]).to_string(),
        )
        .unwrap();
        let model = goldens().join(base).display().to_string();
        // The prompt is the one that it was trained with.
        let args = ["generate", "--model", &model, "--adapter", "run/adapter", "--prompts", "questions.json"];
        succeed(path, &[&args[..], &["--max-new-tokens", "4", "--out", "answers.jsonl"]].concat());
        assert!(!fs::read_to_string(path.join("answers.jsonl")).unwrap().is_empty());
    });
}
