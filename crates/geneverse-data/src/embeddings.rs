//! Vectors of texts from an OpenAI-compatible endpoint, `POST …/v1/embeddings`.
//!
//! ```json
//! {"model": "m", "input": ["…", "…"], "encoding_format": "float"}
//! {"data": [{"index": 0, "embedding": [0.1, …]}, …], "usage": {"prompt_tokens": 9}}
//! ```
//!
//! Texts go in batches, several under way at once; vectors are kept in a file as they come, under the SHA-256 of model,
//! dimensions and text, so that an interrupted run goes on and nothing is paid for twice. A batch that the server
//! refuses is halved until the text is found that it does not take. A text without a word is not sent: its vector is
//! zero.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::endpoint::{Endpoint, Service, fault};
use crate::chat::{Address, ChatError, Key, reply};
use crate::http::Settings;
use crate::progress::Progress;
use crate::stage::{FileError, hash_bytes};
use crate::synthesize::cache::Cache;
use crate::texts::Text;

/// What vectors are asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The model's name at the endpoint.
    pub model: String,
    /// Numbers of a vector, for models that let one choose.
    pub dimensions: Option<u64>,
    /// Texts of a request.
    pub batch: usize,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Where vectors are kept.
    pub cache: PathBuf,
}

/// What asking came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Every text has its vector.
    Finished(Embedded),
    /// It was stopped; so many texts have theirs, and the same call goes on.
    Interrupted {
        /// Texts with a vector.
        done: usize,
    },
}

/// Vectors of all texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// (texts, width), one text after another.
    pub numbers: Vec<f32>,
    /// Numbers of a vector.
    pub width: usize,
    /// Texts that were asked about in this run.
    pub asked: usize,
    /// Texts whose vectors were there already.
    pub cached: usize,
    /// Texts without a word, whose vector is zero.
    pub empty: Vec<usize>,
    /// Tokens that the server counted in this run, where it does.
    pub tokens: u64,
}

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingsError {
    /// The endpoint.
    #[error(transparent)]
    Endpoint(#[from] ChatError),
    /// A text that the endpoint does not take.
    #[error("text {id:?}: {source}; shorten it or leave it out")]
    Text {
        /// Its id.
        id: String,
        /// What the endpoint says.
        source: Box<ChatError>,
    },
    /// The file of vectors.
    #[error(transparent)]
    File(#[from] FileError),
    /// Vectors that do not belong together.
    #[error("{0}")]
    Widths(String),
}

/// Asks an endpoint for vectors. Threads may share one.
pub struct EmbeddingsClient {
    endpoint: Endpoint,
    /// The server was found not to know `encoding_format`.
    no_format: AtomicBool,
}

/// One request's vectors.
#[derive(Debug, PartialEq)]
struct Answered {
    vectors: Vec<Vec<f32>>,
    tokens: u64,
}

impl EmbeddingsClient {
    /// A client for the endpoint at `address`.
    pub fn new(settings: Settings, address: Address, key: Option<Key>) -> Result<Self, ChatError> {
        Ok(Self { endpoint: Endpoint::new(settings, address, key)?, no_format: AtomicBool::new(false) })
    }

    /// The vectors of a few texts, in one request.
    fn ask(&self, asking: &Asking, texts: &[&str], tell: &dyn Fn(&str)) -> Result<Answered, ChatError> {
        let mut reading = 0;
        loop {
            let mut body = json!({"model": asking.model, "input": texts});
            let with_format = !self.no_format.load(Ordering::SeqCst);
            if with_format {
                // Some servers send packed numbers unless they are told not to.
                body["encoding_format"] = "float".into();
            }
            if let Some(dimensions) = asking.dimensions {
                body["dimensions"] = dimensions.into();
            }
            let found = match self.endpoint.post(Service::Embeddings, &body, tell) {
                Ok(text) => match read(&text, texts.len()) {
                    Ok(answered) => return Ok(answered),
                    Err(found) => found,
                },
                Err(error) => {
                    let (fault, objects) = fault(&error).unwrap_or_default();
                    let named = fault.parameter.as_deref() == Some("encoding_format")
                        || fault.message.contains("encoding_format");
                    if objects && named && with_format {
                        self.no_format.store(true, Ordering::SeqCst);
                        continue;
                    }
                    let service = Service::Embeddings;
                    return Err(self.endpoint.refusal(error, &fault, service, &asking.model, tell));
                }
            };
            reading += 1;
            self.endpoint.wait_to_reread(reading, found, tell)?;
        }
    }

    /// The vectors of texts; a batch that is refused is halved until the text is found that is not taken.
    fn ask_each(
        &self,
        asking: &Asking,
        texts: &[&Text],
        tell: &dyn Fn(&str),
    ) -> Result<Answered, EmbeddingsError> {
        let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
        match self.ask(asking, &words, tell) {
            Ok(answered) => Ok(answered),
            Err(source @ ChatError::Refused { .. }) => match texts {
                [text] => Err(EmbeddingsError::Text { id: text.id.clone(), source: Box::new(source) }),
                texts => {
                    let (first, second) = texts.split_at(texts.len() / 2);
                    let mut answered = self.ask_each(asking, first, tell)?;
                    let second = self.ask_each(asking, second, tell)?;
                    answered.vectors.extend(second.vectors);
                    answered.tokens += second.tokens;
                    Ok(answered)
                }
            },
            Err(other) => Err(other.into()),
        }
    }

    /// The vectors of all texts, in their order, whatever the order in which they come.
    pub fn embed(
        &self,
        asking: &Asking,
        texts: &[Text],
        progress: &dyn Progress,
    ) -> Result<Ended, EmbeddingsError> {
        let key = |text: &Text| {
            let asked = json!({"model": asking.model, "dimensions": asking.dimensions, "text": text.text});
            hash_bytes(asked.to_string().as_bytes())
        };
        let keys: Vec<String> = texts.iter().map(key).collect();
        let empty: Vec<usize> = (0..texts.len()).filter(|text| texts[*text].text.trim().is_empty()).collect();
        let mut cache = Cache::<Packed>::read(&asking.cache)?;
        let here = |cache: &Cache<Packed>, text: usize| {
            empty.binary_search(&text).is_ok() || cache.get(&keys[text]).is_some()
        };
        if (0..texts.len()).any(|text| !here(&cache, text)) {
            cache.lock()?;
        }
        let missing: Vec<usize> = (0..texts.len()).filter(|text| !here(&cache, *text)).collect();
        progress.start(&format!("vectors ({})", asking.model), Some(texts.len() as u64), "texts");
        let mut done = texts.len() - missing.len();
        progress.set(done as u64);
        let mut tokens = 0;
        // The first batch goes alone: it finds out whether the endpoint is there, and what it does not know.
        let (first, rest) = missing.split_at(asking.batch.min(missing.len()));
        for (wave, concurrency) in [(first, 1), (rest, asking.concurrency)] {
            let outcome = self.wave(asking, texts, wave, concurrency, progress, |batch, answered| {
                tokens += answered.tokens;
                for (text, vector) in batch.iter().zip(answered.vectors) {
                    cache.keep(&keys[*text], &texts[*text].id, 0, Packed::of(&vector))?;
                }
                done += batch.len();
                progress.set(done as u64);
                Ok(())
            });
            match outcome {
                Ok(()) => {}
                Err(EmbeddingsError::Endpoint(ChatError::Stopped)) => {
                    progress.finish();
                    return Ok(Ended::Interrupted { done });
                }
                Err(error) => {
                    progress.finish();
                    return Err(error);
                }
            }
        }
        progress.finish();
        let (numbers, width) = collected(&cache, &keys, texts, &empty)?;
        let cached = texts.len() - missing.len() - empty.len();
        Ok(Ended::Finished(Embedded { numbers, width, asked: missing.len(), cached, empty, tokens }))
    }

    /// Asks about `wave` in batches, `concurrency` at once, and gives each batch's answer to `take` on this thread.
    fn wave(
        &self,
        asking: &Asking,
        texts: &[Text],
        wave: &[usize],
        concurrency: usize,
        progress: &dyn Progress,
        mut take: impl FnMut(&[usize], Answered) -> Result<(), FileError>,
    ) -> Result<(), EmbeddingsError> {
        enum Said<'w> {
            Words(String),
            Answer(&'w [usize], Result<Answered, EmbeddingsError>),
        }
        let waiting: Mutex<VecDeque<&[usize]>> = Mutex::new(wave.chunks(asking.batch.max(1)).collect());
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..concurrency.min(wave.len().div_ceil(asking.batch.max(1))) {
                let (send, waiting) = (send.clone(), &waiting);
                scope.spawn(move || {
                    let tell = |words: &str| drop(send.send(Said::Words(words.to_owned())));
                    loop {
                        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(batch) = next else { return };
                        let asked: Vec<&Text> = batch.iter().map(|text| &texts[*text]).collect();
                        let answer = self.ask_each(asking, &asked, &tell);
                        let failed = answer.is_err();
                        if send.send(Said::Answer(batch, answer)).is_err() || failed {
                            return;
                        }
                    }
                });
            }
            drop(send);
            let mut outcome = Ok(());
            for said in receive {
                let failed = match said {
                    Said::Words(words) => {
                        progress.note(&words);
                        continue;
                    }
                    // What is under way when another fails is still kept.
                    Said::Answer(batch, Ok(answered)) => {
                        take(batch, answered).map_err(EmbeddingsError::from).err()
                    }
                    Said::Answer(_, Err(error)) => Some(error),
                };
                if let (Some(error), true) = (failed, outcome.is_ok()) {
                    outcome = Err(error);
                    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                }
            }
            outcome
        })
    }
}

/// Numbers as they are kept in a line of JSON: in f32, little-endian, in base64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packed(String);

impl Packed {
    /// Packs numbers.
    pub fn of(vector: &[f32]) -> Self {
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self(STANDARD.encode(bytes))
    }

    /// The numbers; `None` for what is no such text.
    pub fn numbers(&self) -> Option<Vec<f32>> {
        let bytes = STANDARD.decode(&self.0).ok()?;
        let (numbers, []) = bytes.as_chunks::<4>() else { return None };
        Some(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// The vectors of all texts from what is kept, and their width.
fn collected(
    cache: &Cache<Packed>,
    keys: &[String],
    texts: &[Text],
    empty: &[usize],
) -> Result<(Vec<f32>, usize), EmbeddingsError> {
    let mut vectors: Vec<Option<Vec<f32>>> = Vec::with_capacity(texts.len());
    let mut first: Option<(&str, usize)> = None;
    for (text, key) in texts.iter().zip(keys) {
        let vector = cache.get(key).and_then(Packed::numbers);
        if let Some(vector) = &vector {
            let (id, width) = *first.get_or_insert((&text.id, vector.len()));
            if width != vector.len() {
                return Err(EmbeddingsError::Widths(format!(
                    "the vector of {:?} has {} numbers, and that of {id:?} has {width}: the model's answers have changed; \
                     give another --cache",
                    text.id,
                    vector.len()
                )));
            }
        }
        vectors.push(vector);
    }
    let width = first.map_or(0, |(_, width)| width);
    for (index, vector) in vectors.iter().enumerate() {
        if vector.is_none() && empty.binary_search(&index).is_err() {
            let reason =
                format!("the vector kept for {:?} cannot be read; give another --cache", texts[index].id);
            return Err(EmbeddingsError::Widths(reason));
        }
    }
    if width == 0 {
        return Err(EmbeddingsError::Widths(
            "every text is empty: there is nothing to make a vector of".to_owned(),
        ));
    }
    Ok((vectors.into_iter().flat_map(|vector| vector.unwrap_or_else(|| vec![0.0; width])).collect(), width))
}

/// Reads the reply to a request of `texts` texts; an error says what stands there instead.
fn read(body: &str, texts: usize) -> Result<Answered, String> {
    let value: Value = serde_json::from_str(body).map_err(|_| reply::not_json(body))?;
    let Some(data) = value["data"].as_array() else {
        return Err(reply::message(&value)
            .unwrap_or_else(|| format!("found no \"data\" in it: {}", reply::start_of(body))));
    };
    let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); texts];
    for (place, item) in data.iter().enumerate() {
        let index =
            item["index"].as_u64().map_or(place, |index| usize::try_from(index).unwrap_or(usize::MAX));
        let Some(numbers) = item["embedding"].as_array() else {
            return Err(format!(
                "found {} as vector {index}, expected a list of numbers",
                kind(&item["embedding"])
            ));
        };
        let vector: Option<Vec<f32>> = numbers.iter().map(|x| x.as_f64().map(|x| x as f32)).collect();
        let vector = vector.filter(|vector| !vector.is_empty() && vector.iter().all(|x| x.is_finite()));
        let vector = vector.ok_or_else(|| format!("found no finite numbers in vector {index}"))?;
        match vectors.get_mut(index) {
            Some(place) if place.is_empty() => *place = vector,
            Some(_) => return Err(format!("found vector {index} twice")),
            None => return Err(format!("found a vector {index} for {texts} texts")),
        }
    }
    let found = vectors.iter().filter(|vector| !vector.is_empty()).count();
    if found < texts {
        return Err(format!("found {found} vectors for {texts} texts"));
    }
    if let Some(other) = vectors.iter().find(|vector| vector.len() != vectors[0].len()) {
        return Err(format!("found vectors of {} and of {} numbers", vectors[0].len(), other.len()));
    }
    Ok(Answered { vectors, tokens: value["usage"]["prompt_tokens"].as_u64().unwrap_or(0) })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::String(_) => "a text",
        Value::Object(_) => "an object",
        _ => "a single value",
    }
}

#[cfg(test)]
mod tests;
