//! `adapter gguf` and what `adapter merge` hands over: the files, what they say, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{fail, root, succeed};

fn nano() -> String {
    root().join("models/geneverse-nano").to_str().unwrap().to_owned()
}

fn golden(name: &str) -> String {
    format!("{}/../geneverse-model/tests/goldens/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A golden checkpoint with a tokenizer beside it.
fn with_tokenizer(model: &str, tokenizer: &str, folder: &Path) {
    fs::create_dir(folder).unwrap();
    for source in [golden(model), golden(&format!("tokenizers/{tokenizer}"))] {
        for entry in fs::read_dir(source).unwrap() {
            let entry = entry.unwrap();
            let to = folder.join(entry.file_name());
            if !to.exists() {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}

#[test]
fn a_model_becomes_a_file_with_a_modelfile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let nano = nano();
    let gguf = |out: &str, more: &[&str]| {
        let args = ["adapter", "gguf", "--model", &nano, "--out", out, "--json"];
        crate::json(&succeed(path, &[&args, more].concat()))
    };
    let said = gguf("genes.gguf", &["--type", "q8_0", "--prompt", "plain"]);
    assert_eq!(said["written"]["architecture"], "llama");
    assert_eq!(said["prompt"], "plain");
    assert!(said["written"]["notes"][0].as_str().unwrap().contains("spells symbols"), "{said}");
    let bytes = fs::read(path.join("genes.gguf")).unwrap();
    assert_eq!(&bytes[..8], b"GGUF\x03\0\0\0");
    assert_eq!(said["written"]["bytes"], bytes.len());
    let contains = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(contains("tokenizer.chat_template") && contains("{{- bos_token -}}"));
    let modelfile = fs::read_to_string(path.join("genes.Modelfile")).unwrap();
    assert!(modelfile.contains("FROM ./genes.gguf\nTEMPLATE \"\"\"{{ $first := true }}"), "{modelfile}");
    assert!(
        modelfile.contains("PARAMETER temperature 0\nPARAMETER repeat_penalty 1\nPARAMETER num_ctx 2048\n")
    );
    assert!(path.join("genes.gguf.manifest.json").exists());

    // The base remembers no prompt and came with no template.
    let plain = succeed(path, &["adapter", "gguf", "--model", &nano, "--out", "base.gguf"]);
    assert!(plain.contains("base.gguf: llama, f16, 6,852,864 parameters in 74 tensors"), "{plain}");
    assert!(
        plain.contains("no chat template: it remembers none and came with none; --prompt alpaca"),
        "{plain}"
    );
    assert!(!fs::read_to_string(path.join("base.Modelfile")).unwrap().contains("TEMPLATE"));

    let again = fail(path, &["adapter", "gguf", "--model", &nano, "--out", "base.gguf"]);
    assert!(again.contains("base.gguf: exists; choose another --out or remove it"), "{again}");
    let unknown = fail(path, &["adapter", "gguf", "--model", &nano, "--out", "x.gguf", "--prompt", "other"]);
    assert!(unknown.contains("--prompt other: expected one of alpaca"), "{unknown}");
}

/// A tokenizer of 97 tokens, as many as the golden Llama has.
fn small_tokenizer() -> String {
    let token = |id: u32| match id {
        0 => "<unk>".to_owned(),
        1 => "<s>".to_owned(),
        2 => "</s>".to_owned(),
        id => char::from_u32(0x100 + id).unwrap().to_string(),
    };
    let vocabulary: serde_json::Map<String, Value> = (0..97).map(|id| (token(id), json!(id))).collect();
    json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []}
    })
    .to_string()
}

#[test]
fn an_adapter_is_asked_as_it_was_trained_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let copy = |from: &str, to: &str| {
        fs::create_dir(path.join(to)).unwrap();
        for entry in fs::read_dir(golden(from)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), path.join(to).join(entry.file_name())).unwrap();
        }
    };
    copy("llama", "base");
    copy("llama-adapter", "adapter");
    fs::write(path.join("base/tokenizer.json"), small_tokenizer()).unwrap();
    let own = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": "{{ messages }}"});
    fs::write(path.join("base/tokenizer_config.json"), own.to_string()).unwrap();

    let of = |adapter: &[&str], out: &str| {
        let args = ["adapter", "gguf", "--model", "base", "--out", out, "--type", "f32"];
        let said = succeed(path, &[&args, adapter].concat());
        (said, fs::read(path.join(out)).unwrap())
    };
    let (said, base) = of(&[], "base.gguf");
    assert!(said.contains("asked with the chat template that it came with"), "{said}");
    let prompt_hash = "7d5f";
    fs::write(
        path.join("adapter/geneverse.json"),
        json!({"prompt": "plain", "prompt_hash": prompt_hash}).to_string(),
    )
    .unwrap();
    let refused =
        fail(path, &["adapter", "gguf", "--model", "base", "--adapter", "adapter", "--out", "x.gguf"]);
    assert!(refused.contains("trained with another text of the template Plain"), "{refused}");
    fs::remove_file(path.join("adapter/geneverse.json")).unwrap();
    let (said, adapted) = of(&["--adapter", "adapter", "--prompt", "plain"], "adapted.gguf");
    assert!(said.contains("asked with the template \"plain\""), "{said}");
    assert!(base.windows(14).any(|text| text == b"{{ messages }}"));
    assert!(!adapted.windows(14).any(|text| text == b"{{ messages }}"));
    let weights = |file: &[u8]| file[file.len() - 10_000..].to_vec();
    assert_ne!(weights(&base), weights(&adapted));

    // The folder for other engines has the template where they look for it.
    let hash = geneverse_data::prompt::Template::Plain.hash();
    fs::write(
        path.join("adapter/geneverse.json"),
        json!({"prompt": "plain", "prompt_hash": hash}).to_string(),
    )
    .unwrap();
    succeed(path, &["adapter", "merge", "--model", "base", "--adapter", "adapter", "--out", "merged"]);
    let jinja = fs::read_to_string(path.join("merged/chat_template.jinja")).unwrap();
    assert_eq!(jinja, geneverse_data::prompt::Template::Plain.jinja(true));
    let config: Value =
        serde_json::from_slice(&fs::read(path.join("merged/tokenizer_config.json")).unwrap()).unwrap();
    assert_eq!((&config["chat_template"], &config["bos_token"]), (&json!(jinja), &json!("<s>")));
    for file in
        ["config.json", "model.safetensors", "tokenizer.json", "generation_config.json", "geneverse.json"]
    {
        assert!(path.join("merged").join(file).exists(), "{file}");
    }
}

#[test]
fn what_llama_cpp_does_not_have_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    with_tokenizer("biogpt", "biogpt", &path.join("biogpt"));
    let biogpt = fail(path, &["adapter", "gguf", "--model", "biogpt", "--out", "m.gguf"]);
    assert!(biogpt.contains("model_type is \"biogpt\"; expected a family that llama.cpp has"), "{biogpt}");
    with_tokenizer("llava", "gpt2", &path.join("llava"));
    let llava = fail(path, &["adapter", "gguf", "--model", "llava", "--out", "m.gguf"]);
    assert!(llava.contains("--text-only writes the language model without its eyes"), "{llava}");
    let files: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().all(|file| file.is_dir()), "{files:?}");
}
