//! What a sentence-transformers folder says besides its model: how a text's vector is made of its tokens' states.
//!
//! | file | says |
//! |---|---|
//! | `modules.json` | the modules in order: Transformer, Pooling, and Normalize where there is one |
//! | Pooling's `config.json` | `pooling_mode`, or one flag for each as older folders have it; several are put side by side |
//! | `sentence_bert_config.json` | `max_seq_length`; `do_lower_case` before tokenising |
//! | `config_sentence_transformers.json` | a text that goes before every other (`default_prompt_name`) |
//!
//! A folder without `modules.json` is pooled by the mean and not normalised, as sentence-transformers does.

use std::path::{Path, PathBuf};

use geneverse_data::stage::read_json;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::fields::Fields;
use crate::error::{ModelError, Result};

/// How the states of a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// The first token's.
    Cls,
    /// The largest of each number.
    Max,
    /// The mean.
    Mean,
    /// The sum over √n.
    MeanSqrtLen,
    /// The mean in which the token at place i counts i times, from 1.
    WeightedMean,
    /// The last token's.
    LastToken,
}

/// Names in sentence-transformers, in the order in which several are put side by side where flags name them.
const MODES: [(Pooling, &str, &str); 6] = [
    (Pooling::Cls, "cls", "pooling_mode_cls_token"),
    (Pooling::Max, "max", "pooling_mode_max_tokens"),
    (Pooling::Mean, "mean", "pooling_mode_mean_tokens"),
    (Pooling::MeanSqrtLen, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"),
    (Pooling::WeightedMean, "weightedmean", "pooling_mode_weightedmean_tokens"),
    (Pooling::LastToken, "lasttoken", "pooling_mode_lasttoken"),
];

/// A sentence-transformers folder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentenceFolder {
    /// Where the model lies.
    pub(crate) transformer: PathBuf,
    pub(crate) pooling: Vec<Pooling>,
    /// Whether vectors are brought to length 1.
    pub(crate) normalised: bool,
    /// The longest text in tokens.
    pub(crate) max_seq_length: Option<usize>,
    /// Whether texts are lower-cased before they are tokenised.
    pub(crate) lower: bool,
    /// What goes before every text.
    pub(crate) prompt: String,
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl SentenceFolder {
    /// Reads `folder`; `None` where it has no `modules.json`.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let Some(modules) = modules(folder)? else { return Ok(None) };
        let path = folder.join("modules.json");
        let refuse = |found: String, expected: &str| ModelError::Config {
            path: path.clone(),
            field: "type".into(),
            found,
            expected: expected.to_owned(),
        };
        let kinds: Vec<&str> =
            modules.iter().map(|m| m.kind.rsplit('.').next().unwrap_or_default()).collect();
        let normalised = match kinds.as_slice() {
            ["Transformer", "Pooling"] => false,
            ["Transformer", "Pooling", "Normalize"] => true,
            found => {
                return Err(refuse(
                    found.join(", "),
                    "Transformer, Pooling, and Normalize or nothing after them",
                ));
            }
        };
        let [transformer, pooling] = [&modules[0], &modules[1]].map(|module| folder.join(&module.path));
        let prompt = prompt(folder)?;
        let pooling = self::pooling(&pooling.join("config.json"), prompt.is_empty())?;
        let (max_seq_length, lower) = limits(&transformer)?;
        Ok(Some(Self { transformer, pooling, normalised, max_seq_length, lower, prompt }))
    }

    /// A folder that is no sentence-transformers folder.
    pub(crate) fn plain(folder: &Path) -> Result<Self> {
        let (max_seq_length, lower) = limits(folder)?;
        let (transformer, pooling) = (folder.to_owned(), vec![Pooling::Mean]);
        Ok(Self { transformer, pooling, normalised: false, max_seq_length, lower, prompt: String::new() })
    }
}

fn modules(folder: &Path) -> Result<Option<Vec<Module>>> {
    let path = folder.join("modules.json");
    Ok(if path.exists() { Some(read_json(&path)?) } else { None })
}

/// The file that says how states are pooled, where the folder has one.
pub(crate) fn pooling_file(folder: &Path) -> Result<Option<PathBuf>> {
    let modules = modules(folder)?.unwrap_or_default();
    let pooling = modules.iter().find(|module| module.kind.ends_with("Pooling"));
    Ok(pooling.map(|module| folder.join(&module.path).join("config.json")))
}

/// `max_seq_length` and `do_lower_case` of `sentence_bert_config.json`, where it is.
fn limits(transformer: &Path) -> Result<(Option<usize>, bool)> {
    let path = transformer.join("sentence_bert_config.json");
    let map: Map<String, Value> = if path.exists() { read_json(&path)? } else { Map::new() };
    let fields = Fields::new(&map, &path);
    Ok((fields.size("max_seq_length")?, fields.flag("do_lower_case")?.unwrap_or(false)))
}

/// The ways of pooling that a file names. `whole` says that no prompt goes before texts.
fn pooling(path: &Path, whole: bool) -> Result<Vec<Pooling>> {
    let map: Map<String, Value> = read_json(path)?;
    let fields = Fields::new(&map, path);
    if !whole {
        fields.only("include_prompt", true)?;
    }
    let known = || MODES.map(|(_, name, _)| name).join(", ");
    let of_name = |name: &Value| {
        let found = MODES.iter().find(|(_, known, _)| name.as_str() == Some(known));
        found
            .map(|(mode, ..)| *mode)
            .ok_or_else(|| fields.refuse_value("pooling_mode", format!("one of {}", known())))
    };
    match fields.get("pooling_mode") {
        Some(Value::Array(names)) if !names.is_empty() => names.iter().map(of_name).collect(),
        Some(name) => Ok(vec![of_name(name)?]),
        None => {
            let mut modes = Vec::new();
            for (mode, _, flag) in MODES {
                if fields.flag(flag)?.unwrap_or(false) {
                    modes.push(mode);
                }
            }
            Ok(if modes.is_empty() { vec![Pooling::Mean] } else { modes })
        }
    }
}

/// What goes before every text.
fn prompt(folder: &Path) -> Result<String> {
    let path = folder.join("config_sentence_transformers.json");
    let map: Map<String, Value> = if path.exists() { read_json(&path)? } else { Map::new() };
    let fields = Fields::new(&map, &path);
    let Some(name) = fields.text("default_prompt_name")? else { return Ok(String::new()) };
    let prompts = fields.object("prompts")?;
    let prompt = prompts.map(|prompts| prompts.text(name)).transpose()?.flatten();
    let prompt =
        prompt.ok_or_else(|| fields.refuse_value("default_prompt_name", "the name of one of prompts"))?;
    Ok(prompt.to_owned())
}

/// One vector of the states of a text's tokens, in every way of `modes` one after another; zero where there are none.
pub(crate) fn pool(states: &[&[f32]], width: usize, modes: &[Pooling], normalised: bool) -> Vec<f32> {
    let mut vector = vec![0.0; width * modes.len()];
    let n = states.len() as f32;
    for (mode, out) in modes.iter().zip(vector.chunks_exact_mut(width.max(1))) {
        let mut sum = |weight: &dyn Fn(usize) -> f32| {
            for (place, state) in states.iter().enumerate() {
                let weight = weight(place);
                out.iter_mut().zip(*state).for_each(|(sum, x)| *sum += weight * x);
            }
        };
        let divisor = match mode {
            Pooling::Cls => {
                states.first().iter().for_each(|state| out.copy_from_slice(state));
                1.0
            }
            Pooling::LastToken => {
                states.last().iter().for_each(|state| out.copy_from_slice(state));
                1.0
            }
            Pooling::Max => {
                states.first().iter().for_each(|state| out.copy_from_slice(state));
                for state in states {
                    out.iter_mut().zip(*state).for_each(|(largest, x)| *largest = largest.max(*x));
                }
                1.0
            }
            Pooling::Mean => {
                sum(&|_| 1.0);
                n
            }
            Pooling::MeanSqrtLen => {
                sum(&|_| 1.0);
                n.sqrt()
            }
            Pooling::WeightedMean => {
                sum(&|place| (place + 1) as f32);
                n * (n + 1.0) / 2.0
            }
        };
        if divisor > 0.0 {
            out.iter_mut().for_each(|x| *x /= divisor);
        }
    }
    if normalised {
        let square: f64 = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        // As torch.nn.functional.normalize: a vector of zeros stays one.
        let length = square.sqrt().max(1e-12);
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    vector
}
