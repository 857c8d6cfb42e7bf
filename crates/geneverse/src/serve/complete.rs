//! `/v1/chat/completions` and `/v1/completions`: answers in OpenAI's shape, whole or as they come.

use std::sync::Arc;

use geneverse_eval::checked::{Checked, check};
use geneverse_model::serving::Figures;
use serde_json::{Map, Value, json};

use super::asked::{Conversation, Manner, OneOrMore, object};
use super::error::ApiError;
use super::hearing::{Hearing, Piece, Whole};
use super::http::{Body, Response};
use super::{App, Exchange, reading, unpoisoned};

/// Prompts of one request at most.
const PROMPTS: usize = 64;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Chat,
    Text,
}

/// What all parts of an answer say of it.
struct Frame {
    app: Arc<App>,
    form: Form,
    /// The question, where the answer is held against the database.
    check: Option<String>,
    id: String,
    created: u64,
    model: String,
}

/// Answers a chat.
pub(crate) fn chat(
    app: &Arc<App>,
    body: &[u8],
    exchange: &mut Exchange,
    hung_up: &dyn Fn() -> bool,
) -> Result<Response, ApiError> {
    let map = object(body)?;
    let mut manner = Manner::of(&map)?;
    let which = app.models.find(manner.model.as_deref())?;
    let frame = Frame::new(app, Form::Chat, which, exchange);
    let shows = map.get("messages").is_some_and(|messages| messages.to_string().contains("image_url"));
    let looking = shows.then(|| unpoisoned(app.looking.lock()));
    let conversation = Conversation::of(&map)?;
    let check = wants(app, &map, "check")?.then(|| conversation.question.clone());
    manner.reads = wants(app, &map, "retrieve")?.then(|| app.models.records(which).recipe);
    let prompt = match manner.reads {
        Some(_) => reading::prompt(app, which, conversation)?,
        None => app.models.prompt(which, conversation)?,
    };
    drop(looking);
    let hearing = Hearing::ask(app, which, prompt, (&manner, false), exchange.tokens.clone())?;
    exchange.prompt_tokens = hearing.prompt_tokens;
    answer(vec![hearing], Frame { check, ..frame }, &manner, hung_up)
}

/// What a request may ask of this server beyond OpenAI's API: that the answer is held against the database, that the records
/// of the genes in the question are read with it.
const OURS: [&str; 2] = ["check", "retrieve"];

/// Whether a request asks for one of them: `"geneverse": {"check": true}`.
fn wants(app: &App, map: &Map<String, Value>, which: &str) -> Result<bool, ApiError> {
    let Some(ours) = map.get("geneverse").filter(|ours| !ours.is_null()) else { return Ok(false) };
    let known = |ours: &Map<String, Value>| {
        ours.iter().all(|(key, value)| OURS.contains(&key.as_str()) && value.is_boolean())
    };
    match ours.as_object().filter(|ours| known(ours)) {
        Some(ours) if ours.values().any(|value| *value == true) && app.known.is_none() => {
            Err(ApiError::field("geneverse", "this server has no database to check by; start it with --db"))
        }
        Some(ours) => Ok(ours.get(which) == Some(&Value::Bool(true))),
        None => Err(ApiError::field("geneverse", "geneverse is expected to be {\"check\": true}")),
    }
}

/// Goes on with texts as they stand.
pub(crate) fn text(
    app: &Arc<App>,
    body: &[u8],
    exchange: &mut Exchange,
    hung_up: &dyn Fn() -> bool,
) -> Result<Response, ApiError> {
    let map = object(body)?;
    let manner = Manner::of(&map)?;
    let which = app.models.find(manner.model.as_deref())?;
    let frame = Frame::new(app, Form::Text, which, exchange);
    let prompts = prompts(&map)?;
    if manner.streams() && prompts.len() != 1 {
        return Err(ApiError::field("prompt", "one prompt at a time can be streamed"));
    }
    let mut hearings = Vec::with_capacity(prompts.len());
    for text in prompts {
        let prompt = app.models.encode(&text, Vec::new())?;
        let hearing = Hearing::ask(app, which, prompt, (&manner, true), exchange.tokens.clone())?;
        exchange.prompt_tokens += hearing.prompt_tokens;
        hearings.push(hearing);
    }
    answer(hearings, frame, &manner, hung_up)
}

fn prompts(map: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let found: Option<OneOrMore> =
        map.get("prompt").and_then(|value| serde_json::from_value(value.clone()).ok());
    let prompts = found.map(OneOrMore::all).unwrap_or_default();
    if let Some(place) = prompts.iter().position(String::is_empty) {
        let which = if prompts.len() == 1 { String::new() } else { format!("[{place}]") };
        return Err(ApiError::field("prompt", format!("prompt{which} is empty, expected a text")));
    }
    match prompts.len() {
        0 => Err(ApiError::field("prompt", "prompt is expected to be a text, or a list of texts")),
        1..=PROMPTS => Ok(prompts),
        many => {
            Err(ApiError::field("prompt", format!("there are {many} prompts, expected at most {PROMPTS}")))
        }
    }
}

fn answer(
    mut hearings: Vec<Hearing>,
    frame: Frame,
    manner: &Manner,
    hung_up: &dyn Fn() -> bool,
) -> Result<Response, ApiError> {
    if manner.streams()
        && let [_] = hearings[..]
        && let Some(hearing) = hearings.pop()
    {
        let stream = Stream { hearing, frame, usage: manner.tells_usage(), next: Next::Begin };
        return Ok(Response { status: 200, headers: Vec::new(), body: Body::Events(Box::new(stream)) });
    }
    let mut choices = Vec::new();
    let (mut prompt, mut reused, mut said, mut checked) = (0, 0, 0, None);
    for (index, hearing) in hearings.iter_mut().enumerate() {
        let Some(Whole { mut text, finish }) = hearing.whole(hung_up)? else {
            return Err(ApiError::new(408, "nobody listens any more"));
        };
        checked = frame.checked(&text);
        if let Some(Checked { text: repaired, .. }) = &checked {
            text.clone_from(repaired);
        }
        prompt += hearing.prompt_tokens;
        reused += hearing.reused;
        said += hearing.tokens();
        choices.push(frame.choice(index, &text, finish));
    }
    let mut whole = frame.value(false, json!(choices));
    whole["usage"] = usage((prompt, reused), said);
    if let Some(checked) = checked {
        whole["geneverse"] = json!(checked);
    }
    Ok(Response::json(200, &whole))
}

/// Tokens of a prompt, of which some had been read before, and of its answer.
fn usage((prompt, reused): (usize, usize), answer: usize) -> Value {
    json!({
        "prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": reused},
    })
}

impl Frame {
    fn new(app: &Arc<App>, form: Form, which: usize, exchange: &mut Exchange) -> Self {
        let model = app.models.names[which].clone();
        exchange.model = Some(model.clone());
        let Figures { asked, .. } = app.models.engine.figures();
        let kind = if form == Form::Chat { "chatcmpl" } else { "cmpl" };
        let number = app.next_number();
        let id = format!("{kind}-{asked}-{number}");
        Self { app: app.clone(), form, check: None, id, created: super::now(), model }
    }

    /// What the database says to an answer.
    fn checked(&self, answer: &str) -> Option<Checked> {
        let (question, known) = (self.check.as_ref()?, self.app.known.as_ref()?);
        Some(check(question, answer, &known.grader))
    }

    fn value(&self, part: bool, choices: Value) -> Value {
        let object = match (self.form, part) {
            (Form::Chat, true) => "chat.completion.chunk",
            (Form::Chat, false) => "chat.completion",
            (Form::Text, _) => "text_completion",
        };
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices})
    }

    fn choice(&self, index: usize, text: &str, finish: &str) -> Value {
        match self.form {
            Form::Chat => json!({
                "index": index, "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null, "finish_reason": finish,
            }),
            Form::Text => json!({"index": index, "text": text, "logprobs": null, "finish_reason": finish}),
        }
    }

    /// A part of a streamed answer.
    fn part(&self, delta: Value, finish: Option<&str>) -> String {
        let choice = match self.form {
            Form::Chat => json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}),
            Form::Text => {
                let text = delta.get("content").and_then(Value::as_str).unwrap_or_default();
                json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish})
            }
        };
        event(&self.value(true, json!([choice])))
    }
}

fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// A streamed answer.
struct Stream {
    hearing: Hearing,
    frame: Frame,
    usage: bool,
    next: Next,
}

/// What a streamed answer says next.
enum Next {
    Begin,
    Piece,
    Checked,
    Usage,
    Done,
    Nothing,
}

impl Iterator for Stream {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self.next {
            Next::Begin => {
                self.next = Next::Piece;
                let begin = || self.frame.part(json!({"role": "assistant", "content": ""}), None);
                // A text is not begun by anybody; what is empty is not sent.
                Some(if self.frame.form == Form::Chat { begin() } else { String::new() })
            }
            Next::Piece => Some(match self.hearing.next() {
                Ok(Piece::Text(text)) if text.is_empty() => String::new(),
                Ok(Piece::Text(text)) => self.frame.part(json!({"content": text}), None),
                // A comment: whoever has left is noticed by it.
                Ok(Piece::Waiting) => ": waiting\n\n".to_owned(),
                Ok(Piece::End(rest, finish)) => {
                    self.next = Next::Checked;
                    let rest = rest.trim_end();
                    let last = (!rest.is_empty()).then(|| self.frame.part(json!({"content": rest}), None));
                    last.unwrap_or_default() + &self.frame.part(json!({}), Some(finish))
                }
                Err(e) => {
                    self.next = Next::Nothing;
                    event(&e.value())
                }
            }),
            Next::Checked => {
                self.next = Next::Usage;
                let checked = self.hearing.text().ok().and_then(|text| self.frame.checked(&text));
                Some(checked.map_or_else(String::new, |checked| {
                    let mut value = self.frame.value(true, json!([]));
                    value["geneverse"] = json!(checked);
                    event(&value)
                }))
            }
            Next::Usage => {
                self.next = Next::Done;
                if !self.usage {
                    return Some(String::new());
                }
                let (mut value, hearing) = (self.frame.value(true, json!([])), &self.hearing);
                value["usage"] = usage((hearing.prompt_tokens, hearing.reused), hearing.tokens());
                Some(event(&value))
            }
            Next::Done => {
                self.next = Next::Nothing;
                Some("data: [DONE]\n\n".to_owned())
            }
            Next::Nothing => None,
        }
    }
}
