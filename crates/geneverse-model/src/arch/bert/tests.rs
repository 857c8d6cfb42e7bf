//! The encoder against transformers, on the small random models of `tests/goldens` (`make_bert_goldens.py`).
//!
//! States are compared to 2e-5 as they stand: they are normalised, and so about 1. Weights in 16 bits are compared with
//! transformers' f32 on the same rounded weights.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::Precision;
use crate::checkpoint::{Entry, read_tensors, write_tensors};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn ids(name: &str) -> BTreeMap<String, Vec<u32>> {
    let tensors = candle_core::safetensors::load(golden(name), &candle_core::Device::Cpu).unwrap();
    let of_ids = tensors.into_iter().filter(|(name, _)| name.starts_with("ids."));
    let as_u32 =
        |tensor: candle_core::Tensor| tensor.to_dtype(candle_core::DType::U32).unwrap().to_vec1().unwrap();
    of_ids.map(|(name, tensor)| (name["ids.".len()..].to_owned(), as_u32(tensor))).collect()
}

/// The golden's tensors but its ids, which are whole numbers.
fn wanted(name: &str) -> BTreeMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(golden(name), &candle_core::Device::Cpu).unwrap();
    let floats = tensors.into_iter().filter(|(name, _)| !name.starts_with("ids."));
    floats.map(|(name, tensor)| (name, tensor.flatten_all().unwrap().to_vec1().unwrap())).collect()
}

/// All sequences in one pack, and each alone.
fn check(bert: &Bert, file: &str, prefix: &str) {
    let (ids, wanted) = (ids(file), wanted(file));
    let mut pack = Vec::new();
    let mut sequences = Vec::new();
    for ids in ids.values() {
        sequences.push(pack.len()..pack.len() + ids.len());
        pack.extend_from_slice(ids);
    }
    let together = bert.forward(&pack, &sequences);
    let hidden = bert.config.hidden_size;
    assert!(ids.len() > 2);
    for ((name, ids), rows) in ids.iter().zip(sequences) {
        let alone = bert.forward(ids, std::slice::from_ref(&(0..ids.len())));
        let wanted = &wanted[&format!("{prefix}.{name}")];
        for found in [&together[rows.start * hidden..rows.end * hidden], &alone] {
            assert_eq!(found.len(), wanted.len());
            let difference = found.iter().zip(wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(difference < 2e-5, "{file}, {prefix}.{name} differs by {difference}");
        }
    }
}

#[test]
fn states_equal_transformers() {
    check(&Bert::read(&golden("bert")).unwrap(), "bert.safetensors", "states");
    check(&Bert::read(&golden("roberta")).unwrap(), "roberta.safetensors", "states");
}

/// A copy of the golden's folder whose tensors have been changed.
fn rewritten(precision: Precision, rename: impl Fn(&str) -> Option<String>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden("bert/config.json"), folder.path().join("config.json")).unwrap();
    let tensors = read_tensors(&golden("bert/model.safetensors")).unwrap();
    let tensors: Vec<_> = tensors
        .into_iter()
        .filter_map(|(name, (dims, numbers))| Some((rename(&name)?, dims, numbers)))
        .collect();
    let fills: Vec<_> = tensors.iter().map(|(_, _, numbers)| || numbers.clone()).collect();
    let entries: Vec<Entry<'_>> =
        (tensors.iter().zip(&fills)).map(|((name, dims, _), fill)| Entry { name, dims, fill }).collect();
    write_tensors(&folder.path().join("model.safetensors"), &entries, precision).unwrap();
    folder
}

#[test]
fn weights_in_16_bits_and_under_older_names_are_read() {
    let rounded = rewritten(Precision::Bf16, |name| Some(name.to_owned()));
    check(&Bert::read(rounded.path()).unwrap(), "bert.safetensors", "states16");
    let older = rewritten(Precision::F32, |name| {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        Some(format!("bert.{name}"))
    });
    check(&Bert::read(older.path()).unwrap(), "bert.safetensors", "states");
}

#[test]
fn tensors_that_are_missing_or_too_many_are_named() {
    let error = |rename: &dyn Fn(&str) -> Option<String>| {
        let folder = rewritten(Precision::F32, rename);
        Bert::read(folder.path()).err().unwrap().to_string()
    };
    let missing = error(&|name| (!name.contains("layer.1.output.dense.bias")).then(|| name.to_owned()));
    assert!(missing.ends_with("tensor bert.encoder.layer.1.output.dense.bias is missing"), "{missing}");
    let pooler = |name: &str| name.replace("encoder.layer.1", "encoder.layer.7");
    assert!(
        error(&|name| Some(pooler(name)))
            .contains("bert.encoder.layer.1.attention.self.query.weight is missing")
    );
    let surplus = rewritten(Precision::F32, |name| {
        Some(if name == "pooler.dense.bias" { "encoder.extra".to_owned() } else { name.to_owned() })
    });
    let surplus = Bert::read(surplus.path()).err().unwrap().to_string();
    assert!(surplus.ends_with("tensor encoder.extra has no place in config.json (0 more)"), "{surplus}");
}

#[test]
fn what_changes_the_arithmetic_is_refused_by_name() {
    let with = |field: &str, value: Value| {
        let mut fields = json!({"model_type": "bert", "hidden_size": 24, "intermediate_size": 40,
            "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 101});
        fields[field] = value;
        let path = PathBuf::from("m/config.json");
        BertConfig::from_fields(&Fields::new(fields.as_object().unwrap(), &path)).map_err(|e| e.to_string())
    };
    let plain = with("type_vocab_size", json!(2)).unwrap();
    assert_eq!((plain.longest(), plain.layer_norm_eps, plain.activation), (512, 1e-12, Activation::Gelu));
    let roberta = with("model_type", json!("roberta")).unwrap();
    assert_eq!((roberta.first_position, roberta.longest()), (2, 510));
    for (field, value, expected) in [
        ("model_type", json!("mpnet"), "model_type is \"mpnet\"; expected one of bert, roberta, "),
        ("position_embedding_type", json!("relative_key"), "is \"relative_key\"; expected \"absolute\""),
        ("hidden_act", json!("relu"), "hidden_act is \"relu\"; expected \"silu\", \"gelu\""),
        ("is_decoder", json!(true), "is_decoder is true; expected false"),
        ("num_attention_heads", json!(5), "num_attention_heads is 5; expected a divisor of hidden_size"),
        ("vocab_size", json!(0), "vocab_size is 0; expected a number from 1 to"),
        ("quantization_config", json!({"bits": 4}), "quantization_config is {\"bits\":4}; expected nothing"),
    ] {
        let error = with(field, value).unwrap_err();
        assert!(error.starts_with("m/config.json: ") && error.contains(expected), "{error}");
    }
}
