//! Training as a user meets it: what is said before the first step, what is refused, and what survives a kill.

use std::fs;
use std::path::Path;

use super::{fail, geneverse, json, root, run, succeed, train_args, with_dataset};

fn settings() -> (String, String) {
    let base = format!("model.base={}", root().join("models/geneverse-nano").display());
    (base, root().join("recipes/tiny.toml").display().to_string())
}

/// What a run says on standard error.
fn said(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_run_says_what_it_will_do_and_refuses_what_cannot_work() {
    let folder = with_dataset();
    let path = folder.path();
    let (base, recipe) = settings();
    let with = |more: &[&'static str]| train_args(&base, &recipe, more);

    let shown = said(path, &with(&["--out", "run", "--set", "data.cutoff=128"]));
    for words in [
        "% trained",
        "begin <s> (1), end </s> (2), padding <pad> (3)",
        "trained between ⟦ and ⟧: <s>",
        "are cut at data.cutoff and lose the end of their answer (",
        "6 steps, ",
        "of what padding would",
        "predicted at the peak",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    assert!(!shown.contains("exactly one begin token"), "{shown}");
    assert!(!shown.contains("do not end with a trained end token"), "{shown}");
    let manifest = json(&fs::read_to_string(path.join("run/manifest.json")).unwrap());
    let cut = manifest["facts"]["data"]["cut"].as_array().unwrap().len();
    assert!(cut > 5 && shown.contains(&format!("warning: {cut} examples")), "{cut}: {shown}");

    let table = json(&succeed(path, &["inspect", "memory", &recipe, "--set", &base, "--json"]));
    assert!(table["keep_peak"].as_u64() >= table["recompute_peak"].as_u64());
    assert!(!cfg!(target_os = "linux") || table["available"].as_u64() > Some(0));
    let forced = with(&["--out", "again", "--set", "run.recompute=true", "--set", "optim.max_steps=1"]);
    let shown = said(path, &forced);
    assert!(shown.contains("as run.recompute says"), "{shown}");
}

#[test]
fn whether_activations_are_kept_changes_nothing_in_the_result() {
    let folder = with_dataset();
    let path = folder.path();
    let (base, recipe) = settings();
    for (out, keep) in [("kept", "run.recompute=false"), ("again", "run.recompute=true")] {
        succeed(path, &train_args(&base, &recipe, &["--out", out, "--set", keep]));
    }
    let adapter = |run: &str| fs::read(path.join(run).join("adapter/adapter_model.safetensors")).unwrap();
    assert_eq!(adapter("kept"), adapter("again"));
    let again = json(&succeed(path, &train_args(&base, &recipe, &["--out", "kept", "--json"])));
    assert_eq!(again["found_done"], true, "it is no part of the key");
}

#[cfg(unix)]
#[test]
fn a_run_killed_anywhere_goes_on_to_the_same_adapter() {
    let folder = with_dataset();
    let path = folder.path();
    let (base, recipe) = settings();
    let run = |out: &'static str| {
        train_args(&base, &recipe, &["--out", out, "--set", "run.save_every=1", "--set", "run.keep=1"])
    };
    succeed(path, &run("whole"));

    let log = path.join("parts/metrics.jsonl");
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let mut killed = 0;
    // Right after a step is logged its checkpoint is being written; a little later it may be, or be renamed.
    for (after, milliseconds) in [(1, 0), (2, 1), (3, 3), (4, 6), (5, 10)] {
        let mut child = geneverse(path, &[&run("parts")[..], &["--resume", "--quiet"]].concat())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while lines() < after && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // The standard library's kill is SIGKILL.
        child.kill().unwrap();
        let status = child.wait().unwrap();
        killed += usize::from(!status.success());
        assert!(status.success() || !path.join("parts/manifest.json").exists());
    }
    assert!(killed >= 2, "only {killed} of five processes were killed before they were done");
    succeed(path, &[&run("parts")[..], &["--resume"]].concat());
    let adapter = |run: &str| fs::read(path.join(run).join("adapter/adapter_model.safetensors")).unwrap();
    assert_eq!(adapter("whole"), adapter("parts"));
    let steps: Vec<u64> =
        fs::read_to_string(&log).unwrap().lines().map(|line| json(line)["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
    assert!(!path.join("parts/checkpoints").exists());
}

#[cfg(unix)]
#[test]
fn a_changed_recipe_is_refused_until_told_otherwise() {
    let folder = with_dataset();
    let path = folder.path();
    let (base, recipe) = settings();
    let args = train_args(&base, &recipe, &["--out", "run", "--set", "run.save_every=1"]);
    let mut child = geneverse(path, &args).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !path.join("run/checkpoints/step-1/state.json").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!path.join("run/manifest.json").exists(), "the run was over before it could be killed");

    let changed = [&args[..], &["--set", "optim.learning_rate=5e-4", "--resume"]].concat();
    let written = fs::read(path.join("run/recipe.toml")).unwrap();
    let error = fail(path, &changed);
    assert!(error.contains("recipe.optim.learning_rate: then 0.001, now 0.0005"), "{error}");
    assert!(error.contains("--ignore-changes"), "{error}");
    assert_eq!(fs::read(path.join("run/recipe.toml")).unwrap(), written, "what was refused leaves no trace");
    succeed(path, &[&changed[..], &["--ignore-changes"]].concat());
    let manifest = json(&fs::read_to_string(path.join("run/manifest.json")).unwrap());
    let changes = manifest["facts"]["outcome"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(changes[0].as_str().unwrap().contains("learning_rate: then 0.001, now 0.0005"), "{changes:?}");
}

#[test]
fn a_model_trained_whole_keeps_the_ends_of_answers_of_its_base() {
    let folder = with_dataset();
    let path = folder.path();
    let base = path.join("base");
    fs::create_dir(&base).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(root().join("models/geneverse-nano").join(file), base.join(file)).unwrap();
    }
    let generation = "{\"eos_token_id\": [2, 17], \"temperature\": 0.6}";
    fs::write(base.join("generation_config.json"), generation).unwrap();
    let (_, recipe) = settings();
    let method = ["--set", "method.kind=full", "--set", "optim.max_steps=1"];
    let args = train_args("model.base=base", &recipe, &[&["--out", "run"], &method[..]].concat());
    succeed(path, &args);
    assert_eq!(fs::read_to_string(path.join("run/model/generation_config.json")).unwrap(), generation);
    for file in
        ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "geneverse.json"]
    {
        assert!(path.join("run/model").join(file).exists(), "{file}");
    }
    let manifest = json(&fs::read_to_string(path.join("run/manifest.json")).unwrap());
    let inputs = manifest["key"]["inputs"].as_object().unwrap();
    for file in ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors", "train"] {
        assert!(inputs.contains_key(file), "{file}: {inputs:?}");
    }
}

#[test]
fn an_adapter_remembers_how_records_stood_beside_its_questions() {
    let folder = with_dataset();
    let path = folder.path();
    let (base, recipe) = settings();
    let context =
        ["dataset", "context", "dataset", "--db", "genes.db", "--out", "read", "--retrieve", "symbol"];
    succeed(path, &[&context[..], &["--context", "320"]].concat());
    let records = |out: &str, data: &str| {
        let more = ["--out", out, "--set", "optim.max_steps=1", "--set", data];
        succeed(path, &train_args(&base, &recipe, &more));
        let asking = fs::read_to_string(path.join(out).join("adapter/geneverse.json")).unwrap();
        json(&asking).get("records").cloned()
    };
    assert_eq!(records("alone", "data.train=dataset/train.json"), None);
    let wanted = serde_json::json!({"recipe": "symbol", "chunk": 512, "context": 320});
    assert_eq!(records("reading", "data.train=read/train.json"), Some(wanted));
}

/// Every recipe is read, and its first line is the command that runs it.
#[test]
fn every_recipe_is_one_that_can_be_launched() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("recipes")).unwrap() {
        let path = entry.unwrap().path();
        // Tables and sweeps are for `geneverse experiment`.
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let stem = name.strip_suffix(".toml").unwrap();
        let train = format!("# geneverse train recipes/{name} --out runs/{stem}");
        let pretrain = format!("# geneverse pretrain recipes/{name} --out runs/{stem}");
        let quickstart = match stem.strip_prefix("quickstart-") {
            Some(task) => format!("# geneverse quickstart --task {task}"),
            None => "# geneverse quickstart".to_owned(),
        };
        let by_quickstart = stem.starts_with("quickstart") && first == quickstart;
        assert!(first == train || first == pretrain || by_quickstart, "{name} begins with {first:?}");
        // What a recipe names is not here; what it says is read before that is looked for.
        let command = if first == pretrain { "pretrain" } else { "train" };
        let error = fail(folder.path(), &[command, path.to_str().unwrap(), "--out", "run"]);
        assert!(error.contains("no such folder") || error.contains("cannot read"), "{name}: {error}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen} recipes");
}
