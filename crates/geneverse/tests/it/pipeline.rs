//! The stages one after another, run twice, interrupted and resumed.

use std::fs;

use super::{fail, geneverse, json, root, run, succeed, train_args, with_dataset};

#[test]
fn the_stages_make_what_the_next_ones_read() {
    let folder = with_dataset();
    let path = folder.path();
    let shown = succeed(path, &["genes", "show", "GLI1"]);
    for fact in ["GLI1", "HGNC:4317", "ENSG00000111087", "165220", "12q13"] {
        assert!(shown.contains(fact), "{fact} is not in\n{shown}");
    }
    let record = json(&succeed(path, &["genes", "show", "GLI1", "--json"]));
    assert_eq!(record["record"]["hgnc_id"].as_str().or(record["hgnc_id"].as_str()), Some("HGNC:4317"));

    let base = format!("model.base={}", root().join("models/geneverse-nano").display());
    let recipe = root().join("recipes/tiny.toml");
    let args = train_args(&base, recipe.to_str().unwrap(), &["--out", "run", "--json"]);
    let trained = json(&succeed(path, &args));
    assert_eq!(trained["outcome"]["steps"], 6);
    let again = json(&succeed(path, &args));
    assert_eq!(again["found_done"], true);
    let metrics = fs::read_to_string(path.join("run/metrics.jsonl")).unwrap();
    let first = json(metrics.lines().next().unwrap());
    for key in
        ["step", "epoch", "loss", "lr", "grad_norm", "tokens", "trained_tokens", "seconds", "peak_rss_mib"]
    {
        assert!(first.get(key).is_some(), "metrics.jsonl lacks {key}");
    }
    for file in
        ["recipe.toml", "manifest.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"]
    {
        assert!(path.join("run").join(file).exists(), "{file}");
    }

    let model = root().join("models/geneverse-nano");
    let generate = [
        "generate",
        "--model",
        model.to_str().unwrap(),
        "--adapter",
        "run/adapter",
        "--prompts",
        "dataset/test.json",
        "--max-new-tokens",
        "60",
        "--out",
        "run/answers.jsonl",
        "--json",
    ];
    assert_eq!(json(&succeed(path, &generate))["answers"], 2);
    assert_eq!(json(&succeed(path, &generate))["new_tokens"], 0, "a finished stage is not run again");
    let answers = fs::read_to_string(path.join("run/answers.jsonl")).unwrap();
    let answer = json(answers.lines().next().unwrap());
    for key in ["id", "task", "subject", "prompt", "answer", "reference", "model"] {
        assert!(answer.get(key).is_some(), "answers.jsonl lacks {key}");
    }

    succeed(
        path,
        &["postprocess", "--db", "genes.db", "run/answers.jsonl", "--out", "run/answers.clean.jsonl"],
    );
    for (answers, scores) in [("answers.jsonl", "scores.json"), ("answers.clean.jsonl", "scores.clean.json")]
    {
        let (answers, scores) = (format!("run/{answers}"), format!("run/{scores}"));
        let scores =
            json(&succeed(path, &["evaluate", &answers, "--db", "genes.db", "--out", &scores, "--json"]));
        for key in ["factual", "structural", "average", "bleu", "rouge1"] {
            assert!((0.0..=1.0).contains(&scores[key].as_f64().unwrap()), "{key}");
        }
        assert_eq!(scores["n"], 2);
    }
    succeed(path, &["report", "run", "--out", "report.html"]);
    let page = fs::read_to_string(path.join("report.html")).unwrap();
    assert!(page.contains("GLI1") && page.contains("<svg"));
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
    // The run's recipe led to the dataset: the questions are its test split.
    assert!(page.contains("<b>In the training data</b> (dataset, on which run was trained): of 2 questions"));
    assert!(page.contains("No model: the one most like the reference"));
    let printed = json(&succeed(path, &["report", "run", "--dataset", "dataset/train.json", "--json"]));
    assert_eq!((printed["rows"].as_u64(), printed["questions"].as_u64()), (Some(2), Some(2)));
    let refused = run(path, &["report", "run", "--dataset", "run"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success()
            && told.contains("run: found no training file, expected a dataset's folder"),
        "{told}"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_goes_on_to_the_same_adapter() {
    let folder = with_dataset();
    let path = folder.path();
    let base = format!("model.base={}", root().join("models/geneverse-nano").display());
    let recipe = root().join("recipes/tiny.toml");
    let recipe = recipe.to_str().unwrap();
    succeed(path, &train_args(&base, recipe, &["--out", "whole"]));

    let child = geneverse(path, &train_args(&base, recipe, &["--out", "parts"]))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let log = path.join("parts/metrics.jsonl");
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    while lines() < 1 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // SAFETY: the process is a child of this one that has not been waited for, so the id is its own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let status = child.wait().unwrap();
    if status.code() == Some(130) {
        assert!(!path.join("parts/manifest.json").exists());
        let refused = run(path, &train_args(&base, recipe, &["--out", "parts"]));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("add --resume to go on"));
    } else {
        assert!(status.success(), "{status}");
        eprintln!("the run was over before the interrupt came");
    }
    succeed(path, &train_args(&base, recipe, &["--out", "parts", "--resume"]));
    let adapter = |run: &str| fs::read(path.join(run).join("adapter/adapter_model.safetensors")).unwrap();
    assert_eq!(adapter("whole"), adapter("parts"));
}

#[test]
fn the_quickstart_runs_offline_and_finds_itself_done() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["quickstart", "--epochs", "1", "--questions", "3", "--json"];
    let summary = json(&succeed(folder.path(), &args));
    let splits = summary["splits"].as_array().unwrap();
    assert_eq!(splits.len(), 2);
    for split in splits {
        let rows = split["rows"].as_array().unwrap();
        let models: Vec<&str> = rows.iter().map(|row| row["model"].as_str().unwrap()).collect();
        assert_eq!(models, ["base", "finetuned", "finetuned + repaired"]);
        let repaired = &rows[2];
        if let Some(right) = repaired["identifiers_right"].as_f64() {
            assert_eq!(right, 1.0, "every identifier is right after repair");
        }
    }
    assert!(folder.path().join("geneverse-quickstart/report.html").exists());
    let adapter = folder.path().join("geneverse-quickstart/finetuned/adapter/adapter_model.safetensors");
    let written = fs::metadata(&adapter).unwrap().modified().unwrap();
    let again = json(&succeed(folder.path(), &args));
    assert_eq!(again["splits"], summary["splits"]);
    assert_eq!(fs::metadata(&adapter).unwrap().modified().unwrap(), written);
}

#[test]
fn help_is_complete_and_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 19] = [
        &[],
        &["quickstart"],
        &["genes", "fetch"],
        &["genes", "import"],
        &["genes", "search"],
        &["genes", "show"],
        &["dataset", "genes"],
        &["dataset", "inspect"],
        &["dataset", "text"],
        &["dataset", "synthesize"],
        &["train"],
        &["pretrain"],
        &["generate"],
        &["postprocess"],
        &["evaluate"],
        &["inspect", "perplexity"],
        &["report"],
        &["serve"],
        &["chat"],
    ];
    for command in commands {
        let help = succeed(folder.path(), &[command, &["--help"]].concat());
        assert!(help.contains("geneverse "), "{command:?}: {help}");
        assert!(command.is_empty() || help.contains("Example"), "{command:?} has no example:\n{help}");
    }
}

/// Penalty and guard come from the model's own file or from the flags, the same answers either way; what the file asks
/// for besides is told.
#[test]
fn generation_config_is_obeyed_and_flags_beat_it() {
    let folder = with_dataset();
    let path = folder.path();
    let model = path.join("model");
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(root().join("models/geneverse-nano")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let args = |out: &'static str, more: &[&'static str]| {
        let prompts = ["generate", "--model", "model", "--prompts", "dataset/test.json", "--name", "nano"];
        let length = ["--max-new-tokens", "40", "--prompt", "plain", "--limit", "2", "--out", out];
        [&prompts[..], &length, more].concat()
    };
    let answers = |out: &str| fs::read_to_string(path.join(out)).unwrap();
    // An end that is never said: answers that go on for long repeat themselves.
    fs::write(model.join("generation_config.json"), r#"{"eos_token_id": 5}"#).unwrap();
    succeed(path, &args("plain.jsonl", &[]));
    let controls = ["--repetition-penalty", "1.4", "--no-repeat-ngram-size", "2"];
    succeed(path, &args("flags.jsonl", &controls));
    let key = &json(&answers("flags.jsonl.manifest.json"))["key"];
    assert_eq!((&key["repetition_penalty"], &key["no_repeat_ngram_size"]), (&1.4.into(), &2.into()));
    assert_ne!(answers("flags.jsonl"), answers("plain.jsonl"));

    let config = r#"{"eos_token_id": 5, "repetition_penalty": 1.4, "no_repeat_ngram_size": 2, "do_sample": true,
        "temperature": 0.7}"#;
    fs::write(model.join("generation_config.json"), config).unwrap();
    let output = run(path, &args("file.jsonl", &[]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("do_sample asks for drawn tokens (temperature 0.7)").count(), 1, "{said}");
    assert_eq!(answers("file.jsonl"), answers("flags.jsonl"));
    let off = ["--repetition-penalty", "1", "--no-repeat-ngram-size", "0"];
    succeed(path, &args("off.jsonl", &off));
    assert_eq!(answers("off.jsonl"), answers("plain.jsonl"));
    let error = fail(path, &args("zero.jsonl", &["--repetition-penalty", "0"]));
    assert_eq!(error, "--repetition-penalty is 0, expected a number above 0; 1 is no penalty");
}
