//! What a client asks for, as OpenAI's API has it: the fields of a request's JSON.
//!
//! A field that would change the answer and is not done here is refused by name. Others that are not known are left alone:
//! clients send many, and new ones every year.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use geneverse_data::dataset::PLACEHOLDER;
use geneverse_data::picture::Picture;
use geneverse_data::prompt::Turn;
use geneverse_model::config::generation::GenerationSettings;
use geneverse_model::generate::{AnswerConfig, Choice};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;

/// Pictures of a request at most.
const PICTURES: usize = 8;

/// Pixels of all its pictures at most: a hundred times what any tower sees.
const PIXELS: usize = 32 << 20;

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
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<i64>,
    stop: Option<OneOrMore>,
    repetition_penalty: Option<f64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
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
    /// longest answer where none is asked for, within the `room` that the prompt leaves; `most` the longest that may be.
    pub(crate) fn config(
        &self,
        settings: &GenerationSettings,
        (usual, most, room): (usize, usize, usize),
    ) -> Result<AnswerConfig, ApiError> {
        let asked = self.max_completion_tokens.or(self.max_tokens);
        if let Some(asked) = asked.filter(|asked| *asked > most || *asked == 0) {
            let message =
                format!("max_tokens is {asked}, expected 1 to {most}, which is this server's limit");
            return Err(ApiError::field("max_tokens", message));
        }
        let max_new_tokens = asked.unwrap_or_else(|| usual.min(most).min(room).max(1));
        let choice = match self.temperature {
            None | Some(0.0) => Choice::Likeliest,
            Some(found) if !(found > 0.0 && found <= 2.0) => {
                let message = format!("temperature is {found}, expected 0 (the likeliest token) to 2");
                return Err(ApiError::field("temperature", message));
            }
            Some(temperature) => {
                let top_p = self.top_p.unwrap_or(1.0);
                if !(top_p > 0.0 && top_p <= 1.0) {
                    let message = format!("top_p is {top_p}, expected a number above 0 and at most 1");
                    return Err(ApiError::field("top_p", message));
                }
                let seed = self.seed.unwrap_or(0).cast_unsigned();
                Choice::Drawn { temperature: temperature as f32, top_p: top_p as f32, seed }
            }
        };
        Ok(AnswerConfig {
            max_new_tokens,
            stop_ids: settings.stop_ids.clone(),
            repetition_penalty: self.repetition_penalty.unwrap_or(settings.repetition_penalty) as f32,
            no_repeat_ngram_size: settings.no_repeat_ngram_size,
            no_repeat_in_answer: 0,
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
    /// In the order of their places in the questions.
    pub(crate) pictures: Vec<Picture>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Deserialize)]
struct ImageUrl {
    url: String,
}

impl Conversation {
    /// A question after what was said before, with pictures before it.
    pub(crate) fn new(turns: Vec<Turn>, question: String, pictures: Vec<Picture>) -> Self {
        let places = format!("{PLACEHOLDER}\n").repeat(pictures.len());
        let turn = |Turn { question, answer }| Turn { question: plain(&question), answer: plain(&answer) };
        let turns = turns.into_iter().map(turn).collect();
        Self { system: String::new(), turns, question: places + &plain(&question), pictures }
    }

    /// The messages of a chat. They begin with what the system says, if it says anything; then a person and the assistant
    /// speak in turn, and the last word is the person's.
    pub(crate) fn of(map: &Map<String, Value>) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Messages {
            messages: Vec<Message>,
        }
        let refuse = |message: String| Err(ApiError::field("messages", message));
        let Messages { messages } = typed(map)?;
        let mut conversation = Self::default();
        let mut asked: Option<String> = None;
        for (number, Message { role, content }) in messages.into_iter().enumerate() {
            let said = conversation.read(content, role == "user", number)?;
            match (role.as_str(), asked.take()) {
                ("system" | "developer", None) if conversation.turns.is_empty() => {
                    let between = if conversation.system.is_empty() { "" } else { "\n\n" };
                    conversation.system += &(between.to_owned() + &said);
                }
                ("user", before) => {
                    // Several messages of a person in a row are one.
                    asked = Some(before.map_or(String::new(), |before| before + "\n\n") + &said);
                }
                ("assistant", Some(question)) => conversation.turns.push(Turn { question, answer: said }),
                (role, _) => {
                    let expected = "expected a system message at most, then user and assistant in turn";
                    return refuse(format!("messages[{number}] is of the role {role:?}; {expected}"));
                }
            }
        }
        match asked {
            Some(question) if !question.trim().is_empty() => Ok(Self { question, ..conversation }),
            Some(_) => refuse("the last message is empty".to_owned()),
            None => refuse("the last message is to be the user's".to_owned()),
        }
    }

    /// A message's text, with a place for each of its pictures.
    fn read(&mut self, content: Option<Content>, may_show: bool, number: usize) -> Result<String, ApiError> {
        let parts = match content {
            None => return Ok(String::new()),
            Some(Content::Text(text)) => return Ok(plain(&text)),
            Some(Content::Parts(parts)) => parts,
        };
        let (mut shown, mut texts) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text } => texts.push(plain(&text)),
                Part::ImageUrl { image_url: ImageUrl { url } } if may_show => {
                    if self.pictures.len() == PICTURES {
                        let message = format!("there are more than {PICTURES} pictures");
                        return Err(ApiError::field("messages", message));
                    }
                    self.pictures.push(picture(&url, number)?);
                    let pixels: usize = self.pictures.iter().map(|p| p.width * p.height).sum();
                    if pixels > PIXELS {
                        let message =
                            format!("the pictures have {pixels} pixels together, expected at most {PIXELS}");
                        return Err(ApiError::field("messages", message));
                    }
                    shown += &format!("{PLACEHOLDER}\n");
                }
                Part::ImageUrl { .. } => {
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
        let pictures = Vec::new();
        assert_eq!(found, Ok(Conversation { system: "Be brief.".into(), turns, question, pictures }));
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
    fn messages_out_of_turn_are_refused() {
        let expected = "expected a system message at most, then user and assistant in turn";
        assert_eq!(
            messages(json!([{"role": "assistant", "content": "Hi"}])),
            Err(format!("messages[0] is of the role \"assistant\"; {expected}"))
        );
        let user = json!({"role": "user", "content": "a"});
        assert_eq!(
            messages(json!([user, {"role": "tool", "content": "x"}])),
            Err(format!("messages[1] is of the role \"tool\"; {expected}"))
        );
        assert_eq!(
            messages(json!([user, {"role": "assistant", "content": "b"}])),
            Err("the last message is to be the user's".to_owned())
        );
        assert_eq!(messages(json!([{"role": "user"}])), Err("the last message is empty".to_owned()));
        assert_eq!(messages(json!([])), Err("the last message is to be the user's".to_owned()));
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
        let drawn = config(json!({"temperature": 0.5, "top_p": 0.9, "seed": 3})).unwrap().choice;
        assert_eq!(drawn, Choice::Drawn { temperature: 0.5, top_p: 0.9, seed: 3 });
        let most = "max_tokens is 201, expected 1 to 200, which is this server's limit";
        assert_eq!(config(json!({"max_tokens": 201})), Err(most.to_owned()));
        let hot = "temperature is 3, expected 0 (the likeliest token) to 2";
        assert_eq!(config(json!({"temperature": 3})), Err(hot.to_owned()));
        assert!(config(json!({"temperature": 1, "top_p": 0})).is_err());
    }
}
