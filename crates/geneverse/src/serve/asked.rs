//! What a client asks for, as OpenAI's API has it: the fields of a request's JSON.
//!
//! A field that would change the answer and is not done here is refused by name. Others that are not known are left alone:
//! clients send many, and new ones every year.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use geneverse_data::dataset::PLACEHOLDER;
use geneverse_data::picture::Picture;
use geneverse_data::prompt::Turn;
use geneverse_eval::retriever::Recipe;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::generate::{AnswerConfig, Choice};
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::error::ApiError;
use crate::answer::local::guards;

/// Pictures of a request at most.
const PICTURES: usize = 8;

/// Pixels of all its pictures at most: a hundred times what any tower sees.
const PIXELS: usize = 32 << 20;

/// The weakest and the strongest repetition penalty.
const PENALTIES: std::ops::RangeInclusive<f64> = 0.01..=100.0;

/// The shares of all that is likely among which a token may be drawn.
const SHARES: std::ops::RangeInclusive<f64> = 0.001..=1.0;

/// At a lower temperature nothing but the likeliest token is ever drawn.
const COLDEST: f64 = 0.001;

/// The largest whole number that every program reads as it is written.
const LARGEST: i64 = 1 << 53;

/// A request's JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(ApiError::new(400, "the body is no JSON object")),
        Err(e) => Err(ApiError::new(400, format!("the body is no JSON: {e}"))),
    }
}

/// What is not done here, with the values that ask for nothing.
fn refuse_undone(map: &Map<String, Value>) -> Result<(), ApiError> {
    let undone: [(&str, &[Value]); 14] = [
        ("n", &[json!(1)]),
        ("best_of", &[json!(1)]),
        ("presence_penalty", &[json!(0), json!(0.0)]),
        ("frequency_penalty", &[json!(0), json!(0.0)]),
        ("logit_bias", &[json!({})]),
        ("logprobs", &[json!(false)]),
        ("top_logprobs", &[json!(0)]),
        ("echo", &[json!(false)]),
        ("suffix", &[json!("")]),
        ("tools", &[json!([])]),
        ("functions", &[json!([])]),
        ("tool_choice", &[json!("none"), json!("auto")]),
        ("response_format", &[json!({"type": "text"})]),
        ("modalities", &[json!(["text"])]),
    ];
    for (name, harmless) in undone {
        let found = map.get(name).filter(|value| !value.is_null() && !harmless.contains(value));
        if found.is_some() {
            return Err(ApiError::field(name, format!("{name} is not done by this server; leave it out")));
        }
    }
    Ok(())
}

/// How the answer is to be made.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Manner {
    pub(crate) model: Option<String>,
    max_tokens: Option<Whole>,
    max_completion_tokens: Option<Whole>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<Whole>,
    stop: Option<OneOrMore>,
    repetition_penalty: Option<f64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// How records are read with the question, of which the answer may say much again.
    #[serde(skip)]
    pub(crate) reads: Option<Recipe>,
}

/// A whole number, which JSON may write as `16` or as `16.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Whole(i64);

impl TryFrom<Number> for Whole {
    type Error = String;

    fn try_from(found: Number) -> Result<Self, String> {
        let written = found.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
        let whole = found.as_i64().or(written).filter(|whole| (-LARGEST..=LARGEST).contains(whole));
        whole.map(Self).ok_or_else(|| format!("{found} is found, expected a whole number of at most 2^53"))
    }
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// A text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn all(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

fn typed<T: for<'a> Deserialize<'a>>(map: &Map<String, Value>) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(map.clone())).map_err(|e| ApiError::new(400, e.to_string()))
}

impl Manner {
    pub(crate) fn of(map: &Map<String, Value>) -> Result<Self, ApiError> {
        refuse_undone(map)?;
        typed(map)
    }

    pub(crate) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether a stream ends with what it has taken.
    pub(crate) fn tells_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }

    pub(crate) fn stops(&self) -> Vec<String> {
        self.stop.clone().map(OneOrMore::all).unwrap_or_default()
    }

    /// How the model makes the answer: greedily where no temperature is given, as everywhere in this program. `usual` is the
    /// longest answer where none is asked for, `most` the longest that may be asked for, and `room` what the prompt leaves of both.
    pub(crate) fn config(
        &self,
        settings: &GenerationSettings,
        (usual, most, room): (usize, usize, usize),
    ) -> Result<AnswerConfig, ApiError> {
        let longest = |name: &str, asked: Option<Whole>| match asked {
            None => Ok(None),
            Some(Whole(asked)) => {
                let fits = usize::try_from(asked).ok().filter(|asked| (1..=most).contains(asked));
                let message =
                    || format!("{name} is {asked}, expected 1 to {most}, which is this server's limit");
                fits.map(Some).ok_or_else(|| ApiError::field(name, message()))
            }
        };
        let older = longest("max_tokens", self.max_tokens)?;
        let max_new_tokens = match longest("max_completion_tokens", self.max_completion_tokens)?.or(older) {
            None => usual.min(most).min(room).max(1),
            // Many clients ask for more than a small model reads: the answer ends there, as it says.
            Some(asked) => asked.min(room.max(1)),
        };
        let repetition_penalty = self.repetition_penalty.unwrap_or(settings.repetition_penalty);
        if !PENALTIES.contains(&repetition_penalty) {
            let message =
                format!("repetition_penalty is {repetition_penalty}, expected 0.01 to 100; 1 is no penalty");
            return Err(ApiError::field("repetition_penalty", message));
        }
        let top_p = self.top_p.unwrap_or(1.0);
        if !SHARES.contains(&top_p) {
            return Err(ApiError::field("top_p", format!("top_p is {top_p}, expected 0.001 to 1")));
        }
        let choice = match self.temperature {
            Some(found) if !(0.0..=2.0).contains(&found) => {
                let message = format!("temperature is {found}, expected 0 (the likeliest token) to 2");
                return Err(ApiError::field("temperature", message));
            }
            Some(temperature) if temperature >= COLDEST => {
                let seed = self.seed.map_or(0, |Whole(seed)| seed.cast_unsigned());
                Choice::Drawn { temperature: temperature as f32, top_p: top_p as f32, seed }
            }
            _ => Choice::Likeliest,
        };
        let [no_repeat_ngram_size, no_repeat_in_answer] = guards(settings.no_repeat_ngram_size, self.reads);
        Ok(AnswerConfig {
            max_new_tokens,
            stop_ids: settings.stop_ids.clone(),
            repetition_penalty: repetition_penalty as f32,
            no_repeat_ngram_size,
            no_repeat_in_answer,
            choice,
        })
    }
}

/// A conversation and what it shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversation {
    pub(crate) system: String,
    pub(crate) turns: Vec<Turn>,
    pub(crate) question: String,
    /// What the assistant has said to it already; its answer goes on from there.
    pub(crate) begun: String,
    /// In the order of their places in the questions.
    pub(crate) pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    /// A text, or parts.
    content: Option<Value>,
}

/// A part of a message.
enum Part<'a> {
    Text(&'a str),
    Picture(&'a str),
}

impl<'a> Part<'a> {
    fn of(part: &'a Value) -> Result<Self, String> {
        let text = |place: &str| part.pointer(place).and_then(Value::as_str);
        match text("/type") {
            Some("text") => text("/text").map(Self::Text).ok_or("has no text".to_owned()),
            Some("image_url") => {
                text("/image_url/url").map(Self::Picture).ok_or("has no image_url.url".to_owned())
            }
            _ => {
                let found =
                    part.get("type").map_or("no type".to_owned(), |found| format!("the type {found}"));
                Err(format!("has {found}, expected \"text\" or \"image_url\""))
            }
        }
    }
}

impl Conversation {
    /// A question after what was said before, with pictures before it.
    pub(crate) fn new(turns: Vec<Turn>, question: String, pictures: Vec<Picture>) -> Self {
        let places = format!("{PLACEHOLDER}\n").repeat(pictures.len());
        let turn = |Turn { question, answer }| Turn { question: plain(&question), answer: plain(&answer) };
        let turns = turns.into_iter().map(turn).collect();
        Self { turns, question: places + &plain(&question), pictures, ..Self::default() }
    }

    /// The messages of a chat: what the system says, wherever it stands, then a person and the assistant in turn. Several
    /// messages of one of them in a row are one; where the last word is the assistant's, the answer goes on from it.
    pub(crate) fn of(map: &Map<String, Value>) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Messages {
            messages: Vec<Message>,
        }
        let Messages { messages } = typed(map)?;
        if messages.is_empty() {
            return Err(ApiError::field("messages", "messages is empty, expected a user's at least"));
        }
        let add = |text: &mut Option<String>, more: String| {
            *text = Some(text.take().map_or(String::new(), |text| text + "\n\n") + &more);
        };
        let mut conversation = Self::default();
        let (mut system, mut question, mut answer) = (None, None, None);
        for (number, Message { role, content }) in messages.into_iter().enumerate() {
            let said = conversation.read(content, role == "user", number)?;
            match role.as_str() {
                "system" | "developer" => add(&mut system, said),
                "user" => {
                    if let Some(answer) = answer.take() {
                        let question = question.take().unwrap_or_default();
                        conversation.turns.push(Turn { question, answer });
                    }
                    add(&mut question, said);
                }
                "assistant" => add(&mut answer, said),
                role => {
                    let message = format!(
                        "messages[{number}] is of the role {role:?}, expected system, developer, user or assistant"
                    );
                    return Err(ApiError::field("messages", message));
                }
            }
        }
        let [system, question, begun] = [system, question, answer].map(Option::unwrap_or_default);
        Ok(Self { system, question, begun, ..conversation })
    }

    /// A message's text, with a place for each of its pictures.
    fn read(&mut self, content: Option<Value>, may_show: bool, number: usize) -> Result<String, ApiError> {
        let parts = match content {
            None => return Ok(String::new()),
            Some(Value::String(text)) => return Ok(plain(&text)),
            Some(Value::Array(parts)) => parts,
            Some(_) => {
                let message = format!("messages[{number}].content is neither a text nor a list of parts");
                return Err(ApiError::field("messages", message));
            }
        };
        let (mut shown, mut texts) = (String::new(), Vec::new());
        for (place, part) in parts.iter().enumerate() {
            let part = Part::of(part).map_err(|why| {
                ApiError::field("messages", format!("messages[{number}].content[{place}] {why}"))
            })?;
            match part {
                Part::Text(text) => texts.push(plain(text)),
                Part::Picture(url) if may_show => {
                    if self.pictures.len() == PICTURES {
                        let message = format!("there are more than {PICTURES} pictures");
                        return Err(ApiError::field("messages", message));
                    }
                    self.pictures.push(picture(url, number)?);
                    let pixels: usize = self.pictures.iter().map(|p| p.width * p.height).sum();
                    if pixels > PIXELS {
                        let message =
                            format!("the pictures have {pixels} pixels together, expected at most {PIXELS}");
                        return Err(ApiError::field("messages", message));
                    }
                    shown += &format!("{PLACEHOLDER}\n");
                }
                Part::Picture(_) => {
                    let message = format!("messages[{number}]: only a user shows pictures");
                    return Err(ApiError::field("messages", message));
                }
            }
        }
        // Pictures stand before the question, as in training.
        Ok(shown + &texts.join("\n"))
    }
}

/// A person's words never are a place for a picture.
fn plain(text: &str) -> String {
    text.replace(PLACEHOLDER, "< image >")
}

/// The picture of a `data:` URL. This server asks no other for one.
fn picture(url: &str, number: usize) -> Result<Picture, ApiError> {
    let refuse = |why: String| ApiError::field("messages", format!("messages[{number}]: {why}"));
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let Some((_, data)) = data.filter(|(kind, _)| kind.ends_with(";base64")) else {
        let begin: String = url.chars().take(12).collect();
        return Err(refuse(format!(
            "the picture's address begins with {begin:?}, expected data:image/png;base64,…: none is fetched"
        )));
    };
    let bytes = STANDARD.decode(data.trim()).map_err(|e| refuse(format!("the picture is no base64: {e}")))?;
    Picture::from_bytes(&bytes).map_err(|why| refuse(format!("the picture cannot be read: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use geneverse_data::picture::Channels;

    fn map(value: Value) -> Map<String, Value> {
        object(value.to_string().as_bytes()).unwrap()
    }

    fn messages(value: Value) -> Result<Conversation, String> {
        Conversation::of(&map(json!({"messages": value}))).map_err(|e| e.message)
    }

    #[test]
    fn messages_become_a_conversation() {
        let found = messages(json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is GLI1?"},
            {"role": "assistant", "content": "A gene."},
            {"role": "user", "content": [{"type": "text", "text": "And <image> GLI2?"}]},
            {"role": "user", "content": "Say more."},
        ]));
        let turns = vec![Turn { question: "What is GLI1?".into(), answer: "A gene.".into() }];
        let question = "And < image > GLI2?\n\nSay more.".to_owned();
        let wanted = Conversation { system: "Be brief.".into(), turns, question, ..Conversation::default() };
        assert_eq!(found, Ok(wanted));
        // The last word is the assistant's, and nobody asked at first.
        let found = messages(json!([
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "GLI1?"},
            {"role": "developer", "content": "Be brief."},
            {"role": "assistant", "content": "A gene of"},
        ]));
        let turns = vec![Turn { question: String::new(), answer: "Hello.".into() }];
        let (question, begun) = ("GLI1?".into(), "A gene of".into());
        assert_eq!(
            found,
            Ok(Conversation { system: "Be brief.".into(), turns, question, begun, pictures: Vec::new() })
        );
    }

    #[test]
    fn pictures_come_as_data_and_are_never_fetched() {
        let drawn = Picture::filled(3, 2, Channels::Rgb, [1, 2, 3, 0]);
        let url = format!("data:image/png;base64,{}", STANDARD.encode(drawn.to_png().unwrap()));
        let shown = |url: &str| {
            messages(json!([{"role": "user", "content": [
                {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]}]))
        };
        let found = shown(&url).unwrap();
        assert_eq!((found.question.as_str(), found.pictures), ("<image>\nWhat is this?", vec![drawn]));
        assert_eq!(
            shown("http://example.org/a.png").unwrap_err(),
            "messages[0]: the picture's address begins with \"http://examp\", expected data:image/png;base64,…: none is \
             fetched"
        );
        assert!(
            shown("data:image/png;base64,AAAA")
                .unwrap_err()
                .starts_with("messages[0]: the picture cannot be read: ")
        );
        assert!(
            shown("data:image/png;base64,_")
                .unwrap_err()
                .starts_with("messages[0]: the picture is no base64: ")
        );
    }

    #[test]
    fn messages_of_nobody_are_refused() {
        let user = json!({"role": "user", "content": "a"});
        assert_eq!(
            messages(json!([user, {"role": "tool", "content": "x"}])),
            Err("messages[1] is of the role \"tool\", expected system, developer, user or assistant"
                .to_owned())
        );
        assert_eq!(messages(json!([])), Err("messages is empty, expected a user's at least".to_owned()));
        assert_eq!(messages(json!([{"role": "user"}])), Ok(Conversation::default()));
    }

    #[test]
    fn parts_are_told_from_what_is_none() {
        let refused = |content: Value| {
            let found =
                messages(json!([{"role": "user", "content": "a"}, {"role": "user", "content": content}]));
            found.unwrap_err().strip_prefix("messages[1].content").unwrap().to_owned()
        };
        assert_eq!(refused(json!(3)), " is neither a text nor a list of parts");
        let text = json!({"type": "text", "text": ""});
        let kinds = "expected \"text\" or \"image_url\"";
        assert_eq!(refused(json!([text, {"type": 0, "text": ""}])), format!("[1] has the type 0, {kinds}"));
        assert_eq!(refused(json!([{"type": "sound"}])), format!("[0] has the type \"sound\", {kinds}"));
        assert_eq!(refused(json!(["a"])), format!("[0] has no type, {kinds}"));
        assert_eq!(refused(json!([{"type": "text", "text": 3}])), "[0] has no text");
        assert_eq!(refused(json!([{"type": "image_url", "image_url": "a"}])), "[0] has no image_url.url");
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let refused = |value: Value| Manner::of(&map(value)).err().map(|e| (e.param, e.message));
        let tools =
            Some((Some("tools".to_owned()), "tools is not done by this server; leave it out".to_owned()));
        assert_eq!(refused(json!({"tools": [{"type": "function"}]})), tools);
        assert_eq!(refused(json!({"n": 2})).unwrap().0.as_deref(), Some("n"));
        assert_eq!(
            refused(json!({"n": 1, "tools": [], "user": "me", "store": true, "logprobs": null})),
            None
        );
        assert_eq!(object(b"[1]").unwrap_err().message, "the body is no JSON object");
        assert!(object(b"{").unwrap_err().message.starts_with("the body is no JSON: "));
    }

    #[test]
    fn answers_are_greedy_unless_a_temperature_is_asked_for() {
        let settings = GenerationSettings {
            stop_ids: vec![2],
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            ignored: Vec::new(),
        };
        let config = |value: Value| {
            let manner = Manner::of(&map(value)).unwrap();
            manner.config(&settings, (100, 200, 50)).map_err(|e| e.message)
        };
        let usual = config(json!({})).unwrap();
        assert_eq!((usual.max_new_tokens, usual.choice), (50, Choice::Likeliest), "what the prompt leaves");
        assert_eq!(config(json!({"max_tokens": 7, "temperature": 0})).unwrap().max_new_tokens, 7);
        assert_eq!(config(json!({"max_completion_tokens": 9, "max_tokens": 7})).unwrap().max_new_tokens, 9);
        assert_eq!(config(json!({"max_tokens": 7.0})).unwrap().max_new_tokens, 7);
        assert_eq!(config(json!({"max_tokens": 200})).unwrap().max_new_tokens, 50, "what the prompt leaves");
        for far in [json!(9_007_199_254_740_993_u64), json!(-9_223_372_036_854_775_808_i64), json!(1e300)] {
            assert!(Manner::of(&map(json!({"seed": far}))).is_err(), "{far}");
        }
        assert!(
            Manner::of(&map(json!({"max_tokens": 7.5})))
                .unwrap_err()
                .message
                .starts_with("7.5 is found, expected")
        );
        let strong = "repetition_penalty is 101, expected 0.01 to 100; 1 is no penalty";
        assert_eq!(config(json!({"repetition_penalty": 101})), Err(strong.to_owned()));
        let drawn = config(json!({"temperature": 0.5, "top_p": 0.9, "seed": 3})).unwrap().choice;
        assert_eq!(drawn, Choice::Drawn { temperature: 0.5, top_p: 0.9, seed: 3 });
        let most = "max_tokens is 201, expected 1 to 200, which is this server's limit";
        assert_eq!(config(json!({"max_tokens": 201})), Err(most.to_owned()));
        let none = "max_tokens is 0, expected 1 to 200, which is this server's limit";
        assert_eq!(config(json!({"max_tokens": 0, "max_completion_tokens": 7})), Err(none.to_owned()));
        let hot = "temperature is 3, expected 0 (the likeliest token) to 2";
        assert_eq!(config(json!({"temperature": 3})), Err(hot.to_owned()));
        assert_eq!(config(json!({"temperature": 1e-320})).unwrap().choice, Choice::Likeliest);
        for top_p in [json!(0), json!(1.5), json!(1e-320)] {
            let expected = format!("top_p is {}, expected 0.001 to 1", top_p.as_f64().unwrap());
            assert_eq!(
                config(json!({"top_p": top_p})),
                Err(expected),
                "whether or not a temperature is given"
            );
        }
    }
}
