//! The writer against PyPI's `gguf`: bytes of a file, of blocks, names of tensors. The goldens and the script that made them
//! are in `tests/goldens`; what llama.cpp makes of whole files is in `benches/hand_over.py`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use geneverse_data::progress::Silent;
use proptest::prelude::*;
use serde::Deserialize;

use super::encode::Encoding;
use super::file::{ALIGNMENT, Info, Value, header, pad};
use super::*;
use crate::families::Family;
use crate::tokens::Tokenizer;

fn golden(name: &str) -> PathBuf {
    crate::goldens::golden(name)
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

fn settings(numbers: NumberType) -> Settings<'static> {
    Settings { numbers, name: "golden", chat_template: None, rule: None, text_only: false }
}

#[test]
fn a_file_is_the_same_to_the_byte() {
    let numbers: HashMap<String, Vec<f32>> = read("gguf/small.json");
    let texts = |list: &[&str]| Value::Texts(list.iter().map(|text| (*text).to_owned()).collect());
    let keys = [
        ("general.architecture", Value::Text("llama".into())),
        ("llama.block_count", Value::Whole(2)),
        ("llama.rope.freq_base", Value::Float(10_000.0)),
        ("tokenizer.ggml.add_bos_token", Value::Flag(true)),
        ("tokenizer.ggml.tokens", texts(&["<s>", "▁α", ""])),
        ("tokenizer.ggml.scores", Value::Floats(vec![0.0, -1.5])),
        ("tokenizer.ggml.token_type", Value::Wholes(vec![3, 1, -1])),
        ("llama.attention.sliding_window_pattern", Value::Flags(vec![true, false])),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let infos = [
        ("output_norm.weight", vec![5], Encoding::F32),
        ("token_embd.weight", vec![64, 3], Encoding::Q8_0),
        ("output.weight", vec![7, 3], Encoding::F16),
        ("blk.0.ffn_up.weight", vec![9, 2], Encoding::Bf16),
    ]
    .map(|(name, dims, encoding)| Info { name: name.to_owned(), dims, encoding });
    let mut found = header(&keys, &infos);
    for info in &infos {
        let mut bytes = vec![0; info.bytes()];
        info.encoding.rows(&numbers[&info.name], info.dims[0], &mut bytes).unwrap();
        found.extend(bytes);
        pad(info.bytes(), &mut found).unwrap();
    }
    let wanted = std::fs::read(golden("gguf/small.gguf")).unwrap();
    assert_eq!(found.len(), wanted.len());
    let apart = found.iter().zip(&wanted).position(|(a, b)| a != b);
    assert_eq!(apart, None);
}

#[derive(Deserialize)]
struct Blocks {
    numbers: Vec<Vec<f32>>,
    q8_0: Vec<String>,
    bf16: Vec<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn blocks_are_the_same_to_the_bit() {
    let Blocks { numbers, q8_0, bf16 } = read("gguf/blocks.json");
    for (encoding, wanted) in [(Encoding::Q8_0, q8_0), (Encoding::Bf16, bf16)] {
        for (row, wanted) in numbers.iter().zip(wanted) {
            let mut bytes = vec![0; encoding.row_bytes(64)];
            encoding.rows(row, 64, &mut bytes).unwrap();
            assert_eq!(hex(&bytes), wanted, "{encoding:?} of {row:?}");
        }
    }
}

#[test]
fn a_number_without_a_place_is_refused() {
    let mut row = vec![1.0; 64];
    row[40] = 70_000.0;
    let mut bytes = vec![0; 128];
    let error = Encoding::F16.rows(&row, 64, &mut bytes).unwrap_err();
    assert_eq!(error, "it holds 70000, which is not in the range of f16 (65504 on both sides)");
    assert_eq!(Encoding::Bf16.rows(&row, 64, &mut bytes), Ok(()));
    let mut bytes = vec![0; Encoding::Q8_0.row_bytes(64)];
    assert_eq!(Encoding::Q8_0.rows(&row, 64, &mut bytes), Ok(()));
    row[3] = f32::NAN;
    assert!(Encoding::Q8_0.rows(&row, 64, &mut bytes).unwrap_err().contains("NaN"));
}

proptest! {
    /// A number of a block differs from what it is read as by half a step at most, and by what the scale lost as f16.
    #[test]
    fn q8_0_rounds_to_the_nearest_step(block in prop::collection::vec(-1e3f32..1e3, 32)) {
        let mut bytes = vec![0; 34];
        Encoding::Q8_0.rows(&block, 32, &mut bytes).unwrap();
        let scale = half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
        let largest = block.iter().fold(0f32, |most, x| most.max(x.abs()));
        let allowed = scale / 2.0 + 127.0 * (scale - largest / 127.0).abs() + 1e-3 * scale;
        for (x, byte) in block.iter().zip(&bytes[2..]) {
            let apart = (x - scale * f32::from(*byte as i8)).abs();
            prop_assert!(apart <= allowed, "{x} is read {apart} apart, allowed {allowed}");
        }
    }

    /// Wherever names and keys end, the data begins at a multiple of 32 and so does every tensor.
    #[test]
    fn tensors_begin_where_they_should(key in ".{0,40}", names in prop::collection::vec("[a-z.]{1,30}", 1..6), columns in 1usize..70) {
        let info = |name: &String| Info { name: name.clone(), dims: vec![columns, 3], encoding: Encoding::F16 };
        let infos: Vec<Info> = names.iter().map(info).collect();
        let found = header(&[(key, Value::Text("x".repeat(columns)))], &infos);
        prop_assert_eq!(found.len() % ALIGNMENT, 0);
        let mut data = Vec::new();
        for info in &infos {
            prop_assert_eq!(data.len() % ALIGNMENT, 0);
            data.extend(vec![1; info.bytes()]);
            pad(info.bytes(), &mut data).unwrap();
        }
        // The place of the last tensor is the last thing of the header, before zeros.
        let place = (data.len() - infos[0].bytes().next_multiple_of(ALIGNMENT)) as u64;
        let end = found.windows(8).rposition(|eight| eight == place.to_le_bytes()).unwrap();
        prop_assert!(found.len() - end - 8 < ALIGNMENT + 8);
    }
}

#[test]
fn tensors_have_the_names_and_shapes_that_llama_cpp_gives_them() {
    let names: BTreeMap<String, BTreeMap<String, Vec<usize>>> = read("gguf/names.json");
    assert_eq!(names.len(), 10);
    for (family, mut wanted) in names {
        let decoder = Decoder::read(&golden(&family)).unwrap();
        let config = decoder.config();
        let described = architecture::describe(config, false, &golden(&family)).unwrap();
        let found: BTreeMap<String, Vec<usize>> =
            tensors::tensors(&decoder, &described).iter().map(|t| (t.name.clone(), t.dims())).collect();
        // What is written more than there is in the checkpoint.
        match config.family {
            Family::Llama if family == "llama3" => {
                wanted.insert("rope_freqs.weight".into(), vec![config.head_dim / 2])
            }
            Family::StableLm => {
                wanted.insert("output.weight".into(), vec![config.hidden_size, config.vocab_size])
            }
            _ => None,
        };
        if config.tie_word_embeddings && config.family != Family::StableLm {
            wanted.remove("output.weight");
        }
        assert_eq!(found, wanted, "{family}");
    }
}

/// Numbers of a tensor as they are written.
fn numbers_of(decoder: &Decoder, name: &str) -> Vec<f32> {
    let described = architecture::describe(decoder.config(), false, &golden("")).unwrap();
    let tensors = tensors::tensors(decoder, &described);
    let tensor = tensors.iter().find(|tensor| tensor.name == name).unwrap();
    let (mut whole, mut piece) = (Vec::new(), Vec::new());
    for row in 0..tensor.rows {
        tensor.source(decoder).rows(row..row + 1, &mut piece);
        whole.extend_from_slice(&piece);
    }
    whole
}

#[test]
fn halves_of_a_head_become_neighbours() {
    let decoder = Decoder::read(&golden("llama")).unwrap();
    let (head, hidden) = (decoder.config().head_dim, decoder.config().hidden_size);
    assert_eq!(head, 8);
    for (slot, name) in [
        (crate::ops::slots::Slot::Query, "blk.1.attn_q.weight"),
        (crate::ops::slots::Slot::Key, "blk.1.attn_k.weight"),
    ] {
        let old = decoder.weights(1).map(slot).unwrap().to_vec();
        let new = numbers_of(&decoder, name);
        for (row, numbers) in new.chunks_exact(hidden).enumerate() {
            let from = row / head * head + [0, 4, 1, 5, 2, 6, 3, 7][row % head];
            assert_eq!(numbers, &old[from * hidden..(from + 1) * hidden], "{name}, row {row}");
        }
    }
    let values = decoder.weights(1).map(crate::ops::slots::Slot::Value).unwrap().to_vec();
    assert_eq!(numbers_of(&decoder, "blk.1.attn_v.weight"), values);
}

#[test]
fn an_adapter_is_in_what_is_written() {
    for (base, adapter, name) in [
        ("llama", "llama-dora", "blk.1.attn_v.weight"),
        ("gpt2", "gpt2-adapter", "blk.1.attn_qkv.weight"),
        ("gpt2", "gpt2-dora", "blk.1.attn_qkv.weight"),
    ] {
        let read = || Decoder::read(&golden(base)).unwrap();
        let adapted = read().with_adapter(&golden(adapter)).unwrap();
        let found = numbers_of(&adapted, name);
        assert_eq!(found, numbers_of(&adapted.merged(None), name), "{adapter}");
        assert_ne!(found, numbers_of(&read(), name), "{adapter}");
    }
}

#[test]
fn norms_of_gemma_hold_one_more_and_gpt2_is_scaled_by_layer() {
    let gemma = Decoder::read(&golden("gemma")).unwrap();
    let norm = gemma.weights(0).vector(crate::ops::slots::Slot::InputNorm).to_vec();
    let more: Vec<f32> = norm.iter().map(|w| w + 1.0).collect();
    assert_eq!(numbers_of(&gemma, "blk.0.attn_norm.weight"), more);

    let gpt2 = Decoder::read(&golden("gpt2")).unwrap();
    assert!(gpt2.config().scale_by_layer);
    let weights = gpt2.weights(1);
    let [query, key] =
        [crate::ops::slots::Slot::QueryBias, crate::ops::slots::Slot::KeyBias].map(|s| weights.vector(s));
    let biases = numbers_of(&gpt2, "blk.1.attn_qkv.bias");
    let half: Vec<f32> = query.iter().map(|b| b * 0.5).collect();
    assert_eq!(&biases[..half.len()], half);
    assert_eq!(&biases[half.len()..half.len() + key.len()], key);
    // Row by row, the keys' rows begin where no query is.
    let keys = weights.map(crate::ops::slots::Slot::Key).unwrap().to_vec();
    let joined = numbers_of(&gpt2, "blk.1.attn_qkv.weight");
    assert_eq!(joined[keys.len()..2 * keys.len()], keys);
}

#[test]
fn what_llama_cpp_does_not_have_is_refused() {
    let refused = |name: &str, text_only: bool| {
        let config = crate::config::ModelConfig::read(&golden(name)).unwrap();
        architecture::describe(&config, text_only, &golden(name).join("config.json"))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let biogpt = refused("biogpt", false);
    assert!(
        biogpt.contains("biogpt/config.json: model_type is \"biogpt\"; expected a family that llama.cpp has"),
        "{biogpt}"
    );
    let llava = refused("llava", false);
    assert!(
        llava.contains("vision_config is that of a model that sees; expected a model that reads text only"),
        "{llava}"
    );
    assert!(llava.contains("--text-only writes the language model without its eyes"), "{llava}");

    let with = |name: &str, change: fn(&mut crate::config::ModelConfig)| {
        let mut config = crate::config::ModelConfig::read(&golden(name)).unwrap();
        change(&mut config);
        architecture::describe(&config, false, &golden(name)).map(|_| ()).unwrap_err().to_string()
    };
    let exact = with("gpt2", |config| config.activation = crate::config::Activation::Gelu);
    assert!(exact.contains("hidden_act is Gelu; expected the activation that llama.cpp has"), "{exact}");
    let untied = with("gemma", |config| config.tie_word_embeddings = false);
    assert!(untied.contains("tie_word_embeddings is false; expected true"), "{untied}");
}

#[test]
fn a_window_shortens_what_llama_cpp_is_told_to_read() {
    let config = crate::config::ModelConfig::read(&golden("mistral")).unwrap();
    let described = architecture::describe(&config, false, &golden("mistral")).unwrap();
    assert!(described.keys.contains(&("llama.context_length".into(), Value::Whole(8))));
    assert!(
        described.notes[0].contains("texts of up to 8 tokens are as in training"),
        "{:?}",
        described.notes
    );
    let gemma = crate::config::ModelConfig::read(&golden("gemma3_text")).unwrap();
    let described = architecture::describe(&gemma, false, &golden("gemma3_text")).unwrap();
    let pattern =
        ("gemma3.attention.sliding_window_pattern".into(), Value::Flags(vec![true, true, false, true]));
    assert!(described.keys.contains(&pattern));
}

fn nano() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/geneverse-nano")
}

fn told(folder: &Path, rule: Option<&str>) -> HashMap<String, Value> {
    let config = crate::config::ModelConfig::read(&nano()).unwrap();
    let told = tokenizer::keys(&Tokenizer::read(folder).unwrap(), &config, rule, folder).unwrap();
    told.keys
        .into_iter()
        .map(|(key, value)| (key.trim_start_matches("tokenizer.ggml.").to_owned(), value))
        .collect()
}

#[test]
fn tokenizers_are_told_by_kind() {
    let llama = told(&golden("tokenizers/llama"), None);
    assert_eq!(llama["model"], Value::Text("llama".into()));
    assert_eq!(llama["add_space_prefix"], Value::Flag(true));
    let (Value::Texts(texts), Value::Floats(scores), Value::Wholes(kinds)) =
        (&llama["tokens"], &llama["scores"], &llama["token_type"])
    else {
        panic!("{llama:?}")
    };
    assert_eq!((&*texts[0], kinds[0], &*texts[1], kinds[1]), ("<unk>", 2, "<s>", 3));
    let at = |text: &str| texts.iter().position(|t| t == text).unwrap();
    assert_eq!(kinds[at("<0x0A>")], 6);
    // A token that is merged of others has a better score than those that are merged of it.
    assert!(scores[at("▁t")] > scores[at("▁the")]);
    assert_eq!(kinds[texts.len() - 1], 5);

    assert_eq!(told(&golden("tokenizers/gemma"), None)["add_space_prefix"], Value::Flag(false));
    let gpt2 = told(&golden("tokenizers/gpt2"), None);
    assert_eq!((&gpt2["model"], &gpt2["pre"]), (&Value::Text("gpt2".into()), &Value::Text("gpt-2".into())));
    let own = told(&nano(), None);
    assert_eq!(own["pre"], Value::Text("bloom".into()));
    assert_eq!(own["bos_token_id"], Value::Whole(1));
    assert_eq!(own["add_bos_token"], Value::Flag(true));
    assert_eq!(told(&nano(), Some("qwen2"))["pre"], Value::Text("qwen2".into()));
}

#[test]
fn a_tokenizer_without_a_name_there_is_refused() {
    let config = crate::config::ModelConfig::read(&nano()).unwrap();
    let refused = |tokenizer: &Tokenizer| {
        tokenizer::keys(tokenizer, &config, None, Path::new("here")).map(|_| ()).unwrap_err().to_string()
    };
    let unigram = Tokenizer::read(&golden("tokenizers/unigram")).unwrap();
    assert_eq!(
        refused(&unigram),
        "here: its tokenizer is Unigram, expected BPE, of which llama.cpp has two kinds; serve the folder with \
         `geneverse serve` or vLLM"
    );
    let text = std::fs::read_to_string(nano().join("tokenizer.json")).unwrap();
    let other = text.replace("ENSG0{5}", "ENSG0{6}");
    let other = Tokenizer::from_bytes(other.as_bytes(), Path::new("tokenizer.json")).unwrap();
    let reason = refused(&other);
    assert!(
        reason
            .contains("which llama.cpp has under no name; name the nearest of llama.cpp's rules with --pre"),
        "{reason}"
    );
    let biogpt = Tokenizer::read(&golden("tokenizers/biogpt")).unwrap();
    assert!(refused(&biogpt).contains("BioGPT's tokenizer, which is of words, cannot be said in it"));
}

#[test]
fn a_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nano.gguf");
    let (decoder, tokenizer) = (Decoder::read(&nano()).unwrap(), Tokenizer::read(&nano()).unwrap());
    let write = |numbers: NumberType, go_on: bool| {
        write((&decoder, &tokenizer), &nano(), &path, &settings(numbers), &Silent, &|| go_on)
    };
    let stopped = write(NumberType::F16, false).unwrap_err().to_string();
    assert!(stopped.ends_with("nano.gguf: stopped; nothing was written"), "{stopped}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    for (numbers, bits) in [(NumberType::F32, 32.0), (NumberType::F16, 16.0), (NumberType::Q8_0, 8.5)] {
        let written = write(numbers, true).unwrap();
        assert_eq!(written.bytes as u64, path.metadata().unwrap().len());
        // The rows of 688 numbers that lead down are no whole number of blocks.
        let other = if numbers == NumberType::Q8_0 { 8 } else { 0 };
        assert_eq!(
            (written.architecture, written.parameters, written.other_type),
            ("llama", 6_852_864, other)
        );
        // Tokens and merges are the rest.
        let of_weights = written.parameters as f64 * bits / 8.0;
        assert!((written.bytes as f64 - of_weights).abs() < 2.5e6, "{written:?}");
    }
}

/// What llama.cpp makes of a text by these keys, without its special tokens: cuts by the rule `bloom`, merges, and letters
/// where what was merged is no token.
fn as_llama_cpp(text: &str, ranks: &HashMap<(&str, &str), usize>, ids: &HashMap<&str, u32>) -> Vec<u32> {
    let stops = |c: char| c.is_whitespace() || "(|.,!?…。，、।۔،)".contains(c);
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    let mut apart = String::new();
    while let Some(c) = chars.next() {
        let begins = c == ' ' && chars.peek().is_some_and(|next| !stops(*next));
        if stops(c) && !begins {
            apart.push(c);
            continue;
        }
        words.extend((!apart.is_empty()).then(|| std::mem::take(&mut apart)));
        let mut word = String::from(c);
        while let Some(next) = chars.next_if(|next| !stops(*next)) {
            word.push(next);
        }
        words.push(word);
    }
    words.extend((!apart.is_empty()).then_some(apart));

    let letter = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        byte => {
            let before = (0..byte).filter(|b| !matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)).count();
            char::from_u32(0x100 + before as u32).unwrap()
        }
    };
    let mut found = Vec::new();
    for word in words {
        let mut parts: Vec<String> = word.bytes().map(|byte| letter(byte).to_string()).collect();
        loop {
            let rank = |i: &usize| ranks.get(&(parts[*i].as_str(), parts[i + 1].as_str()));
            let best =
                (0..parts.len().saturating_sub(1)).filter(|i| rank(i).is_some()).min_by_key(|i| rank(i));
            let Some(best) = best else { break };
            let right = parts.remove(best + 1);
            parts[best].push_str(&right);
        }
        for part in parts {
            match ids.get(part.as_str()) {
                Some(id) => found.push(*id),
                // By bytes: a letter that is more than one is lost.
                None => found.extend(part.bytes().filter_map(|byte| {
                    let text = [byte];
                    ids.get(std::str::from_utf8(&text).ok()?)
                })),
            }
        }
    }
    found
}

/// The rule of a tokenizer trained here, said with merges: symbols are spelt as in training, and nearly every text is the same.
#[test]
fn symbols_are_spelt_by_merges() {
    let keys = told(&nano(), None);
    let (Value::Texts(tokens), Value::Texts(merges)) = (&keys["tokens"], &keys["merges"]) else {
        panic!("{keys:?}")
    };
    let ids: HashMap<&str, u32> = tokens.iter().zip(0..).map(|(text, id)| (text.as_str(), id)).collect();
    let ranks: HashMap<(&str, &str), usize> =
        merges.iter().zip(0..).map(|(merge, rank)| (merge.split_once(' ').unwrap(), rank)).collect();
    let tokenizer = Tokenizer::read(&nano()).unwrap();
    for text in [
        "Summarise the function of gene: GLI1. Then of F8, H2AX, DNAH5 (RNASE1), C9orf72 and HLA-DRB1;",
        "HGNC:1100, NCBI 672 and ENSG00000012048. ENSG00000000003 DNA, mRNA; X-linked RNA-binding cDNA",
        "### Instruction:\nWhat is TP53?\n\n### Response:\nTP53 (tumor protein p53) The GENE A1BG-AS1",
    ] {
        assert_eq!(as_llama_cpp(text, &ranks, &ids), tokenizer.encode(text).unwrap(), "{text}");
    }
    // What merges do not say.
    assert_ne!(as_llama_cpp("factor X is", &ranks, &ids), tokenizer.encode("factor X is").unwrap());

    let records = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/summaries.jsonl");
    let (mut texts, mut same) = (0, 0);
    for line in std::fs::read_to_string(records).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let is_same = |text: &str| as_llama_cpp(text, &ranks, &ids) == tokenizer.encode(text).unwrap();
        let question = format!(
            "Please summarize the major function of gene: {}. Use it.",
            record["symbol"].as_str().unwrap()
        );
        assert!(is_same(&question), "{question}");
        texts += 1;
        same += usize::from(is_same(record["summary"].as_str().unwrap()));
    }
    // The others have a lone capital: "T cells", "A mutation". 191 of 299 by llama.cpp itself.
    assert!(texts > 200 && same * 100 >= texts * 60, "{same} of {texts} records are the same");
}
