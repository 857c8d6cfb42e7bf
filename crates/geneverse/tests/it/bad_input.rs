//! What a user sees of broken input: one error that names the place, and nothing lost.

use std::fs;
use std::io::Write;

use super::{fail, root, run, succeed, train_args, with_dataset};

const HGNC: &str = "hgnc_id\tsymbol\tname\tlocus_type\tstatus\tlocation\nHGNC:4317\tGLI1\tGLI family zinc finger 1\t\
                    gene with protein product\tApproved\t12q13.3\nHGNC:1\n";

#[test]
fn broken_source_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("good.tsv"), HGNC).unwrap();
    let shown = succeed(path, &["genes", "import", "--out", "genes.db", "--hgnc", "good.tsv"]);
    assert!(shown.contains("1 skipped"), "a row with too few fields is counted: {shown}");
    let database = fs::read(path.join("genes.db")).unwrap();

    let refused = |file: &str| {
        let error = fail(path, &["genes", "import", "--out", "other.db", "--hgnc", file]);
        assert!(!path.join("other.db").exists());
        error
    };
    fs::write(path.join("column.tsv"), HGNC.replace("symbol", "simbol")).unwrap();
    let error = refused("column.tsv");
    assert!(error.contains("column.tsv") && error.contains("symbol"), "{error}");

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(HGNC.repeat(50).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    fs::write(path.join("short.tsv.gz"), &packed[..packed.len() / 2]).unwrap();
    let error = refused("short.tsv.gz");
    assert!(error.contains("short.tsv.gz") && error.contains("truncated"), "{error}");

    let error = fail(path, &["genes", "import", "--out", "genes.db", "--hgnc", "column.tsv"]);
    assert!(error.contains("genes.db: finished earlier with other inputs"), "{error}");
    assert_eq!(fs::read(path.join("genes.db")).unwrap(), database, "what is finished is not overwritten");

    let unknown = run(path, &["genes", "show", "GLI11"]);
    let said =
        String::from_utf8_lossy(&unknown.stderr).into_owned() + &String::from_utf8_lossy(&unknown.stdout);
    assert!(!unknown.status.success() && said.contains("GLI1"), "a near symbol is suggested: {said}");
}

#[test]
fn broken_recipes_and_data() {
    let folder = with_dataset();
    let path = folder.path();
    let base = format!("model.base={}", root().join("models/geneverse-nano").display());
    let recipe = root().join("recipes/tiny.toml");
    let recipe = recipe.to_str().unwrap();
    let refused = |settings: &[&str]| {
        let mut args = train_args(&base, recipe, &["--out", "run"]);
        settings.iter().for_each(|s| args.extend(["--set", s]));
        fail(path, &args)
    };
    let error = refused(&["optim.epocs=3"]);
    assert!(error.contains("tiny.toml") && error.contains("unknown field `epocs`"), "{error}");
    let error = refused(&["method.rank=0"]);
    assert!(error.contains("method.rank is 0, expected at least 1"), "{error}");
    let error = refused(&["run.device=tpu"]);
    assert!(error.contains("unknown variant `tpu`, expected `cpu` or `cuda`"), "{error}");
    if !cfg!(feature = "cuda") {
        let error = refused(&["run.device=cuda"]);
        assert!(error.contains("built without the `cuda` feature; `cargo install"), "{error}");
    }
    let error = refused(&["data.cutoff=4"]);
    assert!(error.contains("no token of") && error.contains("raise data.cutoff"), "{error}");
    let error = refused(&["data.train=nowhere.json"]);
    assert!(error.contains("nowhere.json"), "{error}");
    let error = refused(&["model.base=nowhere"]);
    assert!(error.contains("nowhere: no such folder"), "{error}");
    fs::write(path.join("half.json"), "[{\"instruction\": \"a\"").unwrap();
    let error = refused(&["data.train=half.json"]);
    assert!(error.contains("half.json"), "{error}");
    assert!(!path.join("run/adapter").exists());
}

#[test]
fn broken_model_folders() {
    let folder = with_dataset();
    let path = folder.path();
    let nano = root().join("models/geneverse-nano");
    let model = path.join("model");
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(&nano).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let generate = ["generate", "--model", "model", "--prompts", "dataset/test.json", "--out", "a.jsonl"];
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    let layers = json_number(&config, "num_hidden_layers");
    let change = |to: usize| {
        let from = format!("\"num_hidden_layers\": {layers}");
        assert!(config.contains(&from));
        let text = config.replace(&from, &format!("\"num_hidden_layers\": {to}"));
        fs::write(model.join("config.json"), text).unwrap();
        fail(path, &generate)
    };
    assert!(change(layers + 1).contains(&format!("model.layers.{layers}.input_layernorm.weight is missing")));
    assert!(change(layers - 1).contains("has no place in config.json"));
    fs::write(model.join("config.json"), config.replace("\"silu\"", "\"softplus\"")).unwrap();
    let error = fail(path, &generate);
    assert!(error.contains("config.json: hidden_act is \"softplus\"; expected \"silu\""), "{error}");
    assert!(!path.join("a.jsonl").exists());
}

fn json_number(text: &str, key: &str) -> usize {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value[key].as_u64().unwrap() as usize
}

#[test]
fn outputs_that_are_in_the_way() {
    let folder = with_dataset();
    let path = folder.path();
    let error = fail(path, &["dataset", "genes", "--db", "genes.db", "--out", "dataset", "--seed", "7"]);
    assert!(error.contains("dataset") && error.contains("choose another --out"), "{error}");
    let model = root().join("models/geneverse-nano");
    fs::write(path.join("mine.jsonl"), "mine").unwrap();
    let generate = [
        "generate",
        "--model",
        model.to_str().unwrap(),
        "--prompts",
        "dataset/test.json",
        "--out",
        "mine.jsonl",
    ];
    assert!(fail(path, &generate).contains("mine.jsonl: exists"));
    assert_eq!(fs::read_to_string(path.join("mine.jsonl")).unwrap(), "mine");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_costs_nothing() {
    let folder = with_dataset();
    let path = folder.path();
    let limited = |limit_kib: u32, args: &[&str]| {
        // A limit on the size of files stands in for a full disk: the write fails in the same place.
        let program = env!("CARGO_BIN_EXE_geneverse");
        let script = format!("trap '' XFSZ; ulimit -f {limit_kib}; exec \"$0\" \"$@\"");
        std::process::Command::new("bash")
            .args(["-c", &script, program])
            .args(args)
            .current_dir(path)
            .output()
            .unwrap()
    };
    let before = fs::read(path.join("genes.db")).unwrap();
    let records = root().join("data/genes.jsonl");
    let copy = path.join("records.jsonl");
    let text = fs::read_to_string(records).unwrap();
    fs::write(&copy, text.lines().take(250).map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let output = limited(64, &["genes", "import", "--records", "records.jsonl", "--out", "other.db"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("error: ") && !said.contains("panicked"), "{said}");
    assert!(!path.join("other.db").exists());
    assert_eq!(fs::read(path.join("genes.db")).unwrap(), before);
}
