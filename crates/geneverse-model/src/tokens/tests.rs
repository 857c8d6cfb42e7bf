//! Tokenizers of every kind of files against transformers and SentencePiece (`tests/goldens/tokenizers`, made by
//! `make_tokenizer_goldens.py`): the ids of eighty tricky texts, and what they decode to. And what is refused.

use std::collections::HashMap;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const KINDS: [&str; 6] = ["llama", "vicuna", "gemma", "unigram", "gpt2", "biogpt"];

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers").join(name)
}

fn texts() -> Vec<String> {
    read_json(&golden("texts.json")).unwrap()
}

/// Of each text the ids, none where the reference has nothing to say, and decoded texts which are not the text.
#[derive(Deserialize)]
struct Expected {
    ids: Vec<Option<Vec<u32>>>,
    decoded: HashMap<usize, String>,
}

fn assert_as_expected(kind: &str, tokenizer: &Tokenizer) {
    let expected: Expected = read_json(&golden(kind).join("expected.json")).unwrap();
    let mut differ = Vec::new();
    for (index, text) in texts().iter().enumerate() {
        let Some(wanted) = &expected.ids[index] else { continue };
        let decoded_wanted = expected.decoded.get(&index).unwrap_or(text);
        let found = tokenizer.encode(text).unwrap();
        let decoded = tokenizer.decode(wanted).unwrap();
        if found != *wanted || decoded != *decoded_wanted {
            let words = |ids: &[u32]| ids.iter().map(|id| tokenizer.token(*id)).collect::<Vec<_>>();
            differ.push(format!(
                "{text:?}: {:?}, expected {:?}; decoded {decoded:?}, expected {decoded_wanted:?}",
                words(&found),
                words(wanted)
            ));
        }
    }
    assert!(differ.is_empty(), "{kind}: {} texts differ\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn ids_and_decoded_texts_are_those_of_the_reference_programs() {
    for kind in KINDS {
        assert_as_expected(kind, &Tokenizer::read(&golden(kind)).unwrap());
    }
}

#[test]
fn what_is_written_reads_back_the_same() {
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::read(&golden(kind)).unwrap();
        tokenizer.write(folder.path()).unwrap();
        assert_eq!(folder.path().join("tokenizer.json").exists(), kind != "biogpt");
        let again = Tokenizer::read(folder.path()).unwrap();
        assert_as_expected(kind, &again);
        assert_eq!(again.vocabulary(), tokenizer.vocabulary());
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tokenizer.write(first.path()).unwrap();
        again.write(second.path()).unwrap();
        for file in std::fs::read_dir(first.path()).unwrap() {
            let name = file.unwrap().file_name();
            let read = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(&name)).unwrap();
            assert_eq!(read(&first), read(&second), "{kind}: {name:?}");
        }
    }
}

#[test]
fn special_tokens_keep_their_ids_and_roles() {
    let read = |kind: &str| Tokenizer::read(&golden(kind)).unwrap();
    let vicuna = read("vicuna");
    assert_eq!(vicuna.vocabulary(), 402);
    assert_eq!(vicuna.token(400).as_deref(), Some("[PAD]"));
    assert_eq!(vicuna.roles.pad_token.as_deref(), Some("[PAD]"));
    assert_eq!(read("gemma").roles.bos_token.as_deref(), Some("<bos>"));
    let gpt2 = read("gpt2");
    assert_eq!(gpt2.roles.eos_token.as_deref(), Some("<|endoftext|>"));
    assert_eq!(gpt2.roles.pad_token.as_deref(), Some("[PAD]"));
    assert_eq!(gpt2.encode("<gene>").unwrap(), [gpt2.vocabulary() as u32 - 1]);
}

#[test]
fn a_prompt_and_its_answer_part_where_the_answer_begins() {
    for kind in KINDS {
        let tokenizer = Tokenizer::read(&golden(kind)).unwrap();
        for (prompt, answer) in [
            ("What does GLI1 (12q13.3) do?\n", "It's a zinc-finger protein; see β-catenin."),
            ("Name the gene's symbol: ", "\"GLI1\" [1]"),
            ("", "GLI1 is a gene."),
        ] {
            let (ids, of_prompt) = tokenizer.encode_pair(prompt, answer).unwrap();
            assert_eq!(ids, tokenizer.encode(&format!("{prompt}{answer}")).unwrap());
            let found = tokenizer.decode(&ids[of_prompt..]).unwrap();
            assert_eq!(found.trim(), tokenizer.decode(&tokenizer.encode(answer).unwrap()).unwrap(), "{kind}");
        }
    }
}

#[test]
fn words_and_text_are_those_of_moses() {
    let expected: Vec<(String, String)> = read_json(&golden("biogpt/words.json")).unwrap();
    for (text, (words, again)) in texts().iter().zip(&expected) {
        let found: Vec<String> =
            moses::tokenize(text).iter().map(|word| word.iter().map(|mark| mark.char).collect()).collect();
        assert_eq!(found.join(" "), *words, "{text:?}");
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(moses::detokenize(&found), *again, "{text:?}");
    }
}

/// The error of reading a copy of `kind`'s files, changed by `change`.
fn refused(kind: &str, change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(golden(kind)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    change(folder.path());
    Tokenizer::read(folder.path()).err().unwrap().to_string()
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let with = |name: &'static str, contents: &'static str| {
        move |folder: &Path| std::fs::write(folder.join(name), contents).unwrap()
    };
    let error = refused("biogpt", |folder| std::fs::remove_file(folder.join("merges.txt")).unwrap());
    assert!(
        error.contains("neither tokenizer.json, nor tokenizer.model, nor vocab.json with merges.txt"),
        "{error}"
    );
    let error = refused("llama", with("tokenizer.model", "IQ== 0\nIg== 1\n"));
    assert!(error.contains("tokenizer.model: looks like a tiktoken vocabulary"), "{error}");
    let error = refused("llama", |folder| {
        let path = folder.join("tokenizer.model");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert!(error.contains("not a SentencePiece model") && error.contains("truncated?"), "{error}");
    // normalizer_spec { name: "nmt_nfkc" precompiled_charsmap: "x" }, and trainer_spec { model_type: WORD }: later
    // fields of a message go before earlier ones.
    let error = refused("llama", append(b"\x1a\x0d\x0a\x08nmt_nfkc\x12\x01x"));
    assert!(error.contains("normalizer_spec.precompiled_charsmap is that of \"nmt_nfkc\""), "{error}");
    assert!(error.contains("AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"), "{error}");
    let error = refused("llama", append(b"\x12\x02\x18\x03"));
    assert!(error.contains("trainer_spec.model_type is 3, expected 1 (unigram) or 2 (BPE)"), "{error}");
    let error = refused("llama", append(b"\x0a\x07\x0a\x05<unk>"));
    assert!(error.contains("piece 400 is \"<unk>\", which is empty or there twice"), "{error}");
    let error = refused("llama", with("added_tokens.json", r#"{"<gene>": 405}"#));
    assert!(error.contains("\"<gene>\" has id 405 in the files beside it and id 400"), "{error}");
    let error =
        refused("gpt2", with("tokenizer_config.json", r#"{"tokenizer_class": "Qwen2TokenizerFast"}"#));
    assert!(error.contains("tokenizer_config.json: tokenizer_class is Qwen2Tokenizer;"), "{error}");
    let error = refused("gpt2", with("merges.txt", "#version: 0.2\ne n\nh \u{e0}\n"));
    assert!(error.contains("merges.txt:3: \"h à\" is not two tokens of vocab.json"), "{error}");
    let error = refused("biogpt", with("config.json", r#"{"model_type": "gpt2"}"#));
    assert!(error.contains("vocab.json: has no \"Ġ\", byte-level BPE's space"), "{error}");
}

fn append(more: &'static [u8]) -> impl FnOnce(&Path) {
    move |folder| {
        let path = folder.join("tokenizer.model");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(more);
        std::fs::write(path, bytes).unwrap();
    }
}

/// Old files call special tokens `normalized`, which the library then decodes as `▁</s>` and takes for text.
#[test]
fn a_special_token_that_is_normalised_is_not_decoded() {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::read(&golden("llama")).unwrap().write(folder.path()).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut json: Value = read_json(&path).unwrap();
    for token in json["added_tokens"].as_array_mut().unwrap() {
        token["normalized"] = true.into();
    }
    write_json(&path, &json).unwrap();
    let tokenizer = Tokenizer::read(folder.path()).unwrap();
    let mut ids = tokenizer.encode("GLI1").unwrap();
    ids.push(EOS);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "GLI1");
    assert_eq!(tokenizer.token(EOS).as_deref(), Some("</s>"));
}

#[test]
fn spaces_at_the_ends_go_where_the_model_says_so() {
    let tokenizer = Tokenizer::read(&golden("unigram")).unwrap();
    let ids = |text: &str| tokenizer.encode(text).unwrap();
    assert_eq!(ids("  the   gene "), ids("the gene"));
    let tokenizer = Tokenizer::read(&golden("llama")).unwrap();
    assert_ne!(tokenizer.encode(" gene").unwrap(), tokenizer.encode("gene").unwrap());
}

#[test]
fn a_trained_tokenizer_gives_every_text_back() {
    let text = ["The official symbol of this gene is GLI1.", "HGNC:4317 — β-catenin, 12q13.3"];
    let tokenizer = Tokenizer::train(text.iter().copied(), 320).unwrap();
    for text in text.iter().chain(&["unseen: naïve\n\tΔ", ""]) {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), *text);
    }
    assert_eq!(tokenizer.token(BOS).as_deref(), Some("<s>"));
    assert_eq!(tokenizer.token(PAD).as_deref(), Some("<pad>"));
    let (ids, of_prompt) = tokenizer.encode_pair("Describe: ", "GLI1").unwrap();
    assert_eq!(
        tokenizer.decode(&ids[..of_prompt]).unwrap() + &tokenizer.decode(&ids[of_prompt..]).unwrap(),
        "Describe: GLI1"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_of_models_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..6000,
        place in 0usize..6000,
        byte: u8,
    ) {
        let path = Path::new("tokenizer.model");
        let _ = sentencepiece::build(&bytes, path, &Settings::default());
        let mut model = std::fs::read(golden("llama/tokenizer.model")).unwrap();
        let place = place % model.len();
        model[place] = byte;
        model.truncate(cut.max(place + 1));
        if let Ok((tokenizer, _)) = sentencepiece::build(&model, path, &Settings::default()) {
            tokenizer.encode("GLI1 is a gene", false).ok();
        }
    }

    #[test]
    fn no_text_makes_moses_panic(text in ".{0,60}", punctuated in "[a1 .,'\"`\\-DOTMULI]{0,40}") {
        for text in [text, punctuated] {
            let words: Vec<String> = moses::tokenize(&text)
                .iter()
                .map(|word| word.iter().map(|mark| mark.char).collect())
                .collect();
            moses::detokenize(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
