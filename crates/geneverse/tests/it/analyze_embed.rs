//! `analyze embed` as a user meets it: files in, a NumPy array out, an interruption, and an endpoint.

use std::fs;
use std::path::Path;

use geneverse_data::embeddings::Packed;
use geneverse_data::stage::hash_bytes;
use serde_json::{Value, json as value};

use super::server::{Answer, Server};
use super::{fail, geneverse, json, root, succeed};

/// The small random encoder of the model crate's goldens.
fn encoder() -> String {
    root().join("crates/geneverse-model/tests/goldens/bert").display().to_string()
}

/// More texts than are kept at a time.
fn write_texts(folder: &Path, n: usize) {
    let words = ["kinase", "zinc finger", "receptor", "the pathway", "dna"];
    let line = |i: usize| format!("t{i}\ta {} binds {}\n", words[i % 5], words[i / 5 % 5]);
    fs::write(folder.join("texts.tsv"), (0..n).map(line).collect::<String>()).unwrap();
}

/// The numbers of a file in NumPy's format 1.0, by its own header.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(end % 64, 0);
    let header = String::from_utf8(bytes[10..end].to_vec()).unwrap();
    let (numbers, rest) = bytes[end..].as_chunks::<4>();
    assert!(rest.is_empty());
    (header.trim_end().to_owned(), numbers.iter().map(|x| f32::from_le_bytes(*x)).collect())
}

#[test]
fn texts_become_a_numpy_array_with_ids_and_a_finished_one_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long = "kinase ".repeat(100);
    fs::write(path.join("texts.tsv"), format!("id\ttext\nGLI1\ta zinc finger\nTP53\t{long}\nKDR\t\n"))
        .unwrap();
    let encoder = encoder();
    let args = ["analyze", "embed", "--model", &encoder, "--texts", "texts.tsv", "--out", "e.npy", "--json"];
    let told = json(&succeed(path, &args));
    assert_eq!((&told["texts"], &told["width"], &told["cut"]), (&3.into(), &24.into(), &value!(["TP53"])));
    let (header, numbers) = npy(&path.join("e.npy"));
    assert_eq!(header, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 24), }");
    for row in numbers.chunks_exact(24) {
        let length: f32 = row.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "the folder says that vectors have length 1: {length}");
    }
    assert_eq!(fs::read_to_string(path.join("e.npy.ids.txt")).unwrap(), "GLI1\nTP53\nKDR\n");
    let again = json(&succeed(path, &args));
    assert_eq!((&again["found_done"], &again["texts"]), (&true.into(), &3.into()));
    let other = [&args[..], &["--max-tokens", "9"]].concat();
    let error = fail(path, &other);
    assert!(error.contains("max_tokens: then null, now 9"), "{error}");
    // What the pooling file says is part of what was asked.
    let manifest = json(&fs::read_to_string(path.join("e.npy.manifest.json")).unwrap());
    let inputs = manifest["key"]["model"].as_object().unwrap();
    for file in ["1_Pooling/config.json", "modules.json", "model.safetensors", "tokenizer.json", "vocab.txt"]
    {
        assert!(inputs.contains_key(file), "{file}: {inputs:?}");
    }

    let nano = root().join("models/geneverse-nano").display().to_string();
    let states = ["analyze", "embed", "--model", &nano, "--texts", "texts.tsv", "--out", "s.npy", "--json"];
    let told = json(&succeed(path, &states));
    assert_eq!(told["empty"], value!(["KDR"]));
    assert!(told["by"].as_str().unwrap().starts_with("llama of "), "{told}");
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_texts(path, 600);
    let encoder = encoder();
    let args = ["analyze", "embed", "--model", &encoder, "--texts", "texts.tsv", "--json", "--out", "e.npy"];
    let whole = json(&succeed(path, &args));
    let bytes = fs::read(path.join("e.npy")).unwrap();
    let manifest = json(&fs::read_to_string(path.join("e.npy.manifest.json")).unwrap());
    assert!(!path.join("e.npy.part").exists());
    let (_, numbers) = npy(&path.join("e.npy"));
    let key = hash_bytes(manifest["key"].to_string().as_bytes());
    let chunk =
        |numbers: &[f32]| value!({"tokens": 1000, "cut": [], "empty": [], "numbers": Packed::of(numbers)});
    let resumed = |key: &str, first: Value, rest: &str| {
        for file in ["e.npy", "e.npy.manifest.json", "e.npy.ids.txt"] {
            fs::remove_file(path.join(file)).unwrap();
        }
        fs::write(path.join("e.npy.part"), format!("{key}\n{first}\n{rest}")).unwrap();
        let told = json(&succeed(path, &args));
        assert!(!path.join("e.npy.part").exists());
        (told["texts_now"].as_u64().unwrap(), fs::read(path.join("e.npy")).unwrap())
    };
    // A killed program leaves a torn line.
    let first = &numbers[..256 * 24];
    assert_eq!(resumed(&key, chunk(first), "{\"tokens\": 9, \"cu"), (600 - 256, bytes.clone()));
    // That what was kept is used shows where it is another's.
    let (_, marked) = resumed(&key, chunk(&vec![0.25; 256 * 24]), "");
    assert_ne!(marked, bytes);
    assert_eq!(marked[marked.len() - 344 * 24 * 4..], bytes[bytes.len() - 344 * 24 * 4..]);
    assert_eq!(resumed("another", chunk(first), ""), (600, bytes.clone()));
    assert_eq!(whole["texts_now"], 600);

    fs::remove_file(path.join("e.npy.manifest.json")).unwrap();
    let error = fail(path, &args);
    assert!(error.contains("e.npy: exists and was not finished by this program"), "{error}");
}

#[test]
fn an_endpoint_is_asked_in_batches_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_texts(path, 7);
    let server = Server::new(|seen, _| {
        assert_eq!(seen.header("authorization"), Some("Bearer sk-1"));
        let body = json(&seen.text());
        let inputs = body["input"].as_array().unwrap();
        let item =
            |(i, text): (usize, &Value)| value!({"index": i, "embedding": [text.as_str().unwrap().len(), 1]});
        let data: Vec<Value> = inputs.iter().enumerate().map(item).collect();
        Answer::new(200, value!({"data": data, "usage": {"prompt_tokens": 5}}).to_string())
    });
    let url = server.url("/v1");
    let args = |out: &'static str, cache: &'static str| {
        let args = ["analyze", "embed", "--endpoint", &url, "--endpoint-model", "m", "--texts", "texts.tsv"];
        let more = ["--batch", "3", "--out", out, "--cache", cache, "--json"];
        [&args[..], &more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let ask = |out: &'static str, cache: &'static str| {
        let args = args(out, cache);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = geneverse(path, &args).env("OPENAI_API_KEY", "sk-1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        json(&String::from_utf8(output.stdout).unwrap())
    };
    let told = ask("a.npy", "kept.jsonl");
    assert_eq!((&told["texts"], &told["width"], &told["tokens"]), (&7.into(), &2.into(), &15.into()));
    assert_eq!(server.seen().len(), 3);
    let (header, numbers) = npy(&path.join("a.npy"));
    assert!(header.contains("'shape': (7, 2)"), "{header}");
    let lengths = fs::read_to_string(path.join("texts.tsv")).unwrap();
    let lengths = lengths.lines().map(|line| line.split_once('\t').unwrap().1.len() as f32);
    assert_eq!(numbers, lengths.flat_map(|length| [length, 1.0]).collect::<Vec<f32>>());
    assert_eq!(ask("b.npy", "kept.jsonl")["texts_now"], 0);
    assert_eq!(server.seen().len(), 3, "what was paid for is not asked again");
    assert_eq!(fs::read(path.join("a.npy")).unwrap(), fs::read(path.join("b.npy")).unwrap());
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_texts(path, 3);
    let encoder = encoder();
    let embed = |more: &[&str]| fail(path, &[&["analyze", "embed"][..], more].concat());
    let model = ["--model", &encoder, "--texts", "texts.tsv"];
    let error = embed(&[&model[..], &["--out", "e.csv"]].concat());
    assert_eq!(error, "--out e.csv: expected a name that ends in .npy, NumPy's format");
    let error = embed(&[&model[..], &["--max-tokens", "2"]].concat());
    assert!(error.contains("expected at least 3"), "{error}");
    let error = embed(&["--model", "nowhere", "--texts", "texts.tsv"]);
    assert!(error.contains("nowhere: no such folder"), "{error}");
    let error = embed(&["--endpoint", "localhost", "--endpoint-model", "m", "--texts", "texts.tsv"]);
    assert!(error.starts_with("--endpoint: found no http://"), "{error}");
    let help = succeed(path, &["analyze", "embed", "--help"]);
    assert!(help.contains("Examples:\n  geneverse analyze embed"), "{help}");
}
