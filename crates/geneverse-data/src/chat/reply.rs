//! What servers send: answers, and errors in the shapes of OpenAI, vLLM, llama.cpp, Ollama and FastAPI.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an answer cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the question.
    pub prompt_tokens: u64,
    /// Tokens of the answer, hidden reasoning included.
    pub completion_tokens: u64,
}

/// An answer as the server gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatAnswer {
    /// The text; empty where there was none.
    pub text: String,
    /// Why it ended: `stop`, `length`, `content_filter`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// The words in which the model declined, where the server tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What it cost, where the server says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The model's name in the server's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether it came with reasoning in a field of its own; what that said is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reasoned: bool,
}

impl ChatAnswer {
    /// The text without `<think>…</think>`, trimmed, and whether there was such a block. A block that is never closed
    /// goes to the end; one that was opened in the prompt begins with the text.
    pub fn without_thoughts(&self) -> (String, bool) {
        let mut rest = self.text.as_str();
        let mut kept = String::new();
        let mut thought = false;
        for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
            let first_close = rest.find(close);
            if first_close.is_some_and(|at| rest.find(open).is_none_or(|opened| at < opened)) {
                rest = &rest[first_close.unwrap_or(0) + close.len()..];
                thought = true;
            }
        }
        loop {
            let opened = [("<think>", "</think>"), ("<thinking>", "</thinking>")]
                .into_iter()
                .filter_map(|(open, close)| Some((rest.find(open)?, open, close)))
                .min();
            let Some((at, open, close)) = opened else { break };
            thought = true;
            kept.push_str(&rest[..at]);
            let inside = &rest[at + open.len()..];
            rest = inside.find(close).map_or("", |end| &inside[end + close.len()..]);
        }
        kept.push_str(rest);
        (kept.trim().to_owned(), thought)
    }
}

/// Reads the answer out of a reply with status 200; an error says what stands there instead.
pub(super) fn answer(body: &str) -> Result<ChatAnswer, String> {
    let value: Value = serde_json::from_str(body).map_err(|_| not_json(body))?;
    let Some(choice) = value["choices"].get(0) else {
        return Err(match message(&value) {
            Some(message) => message,
            None => format!("found no \"choices\" in it: {}", start_of(body)),
        });
    };
    if let Some(message) = message(choice) {
        return Err(message);
    }
    let said = &choice["message"];
    let text_of = |value: &Value| value.as_str().map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned);
    let content = if said["content"].is_null() { &choice["text"] } else { &said["content"] };
    let count = |field: &str| value["usage"][field].as_u64();
    let usage = count("prompt_tokens").zip(count("completion_tokens"));
    Ok(ChatAnswer {
        text: content_text(content),
        finish: text_of(&choice["finish_reason"]),
        refusal: text_of(&said["refusal"]),
        usage: usage.map(|(prompt_tokens, completion_tokens)| Usage { prompt_tokens, completion_tokens }),
        model: text_of(&value["model"]),
        reasoned: text_of(&said["reasoning_content"]).or_else(|| text_of(&said["reasoning"])).is_some(),
    })
}

/// A content as text: a string, nothing, or a list of parts of which those with text count.
fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| match part {
                Value::String(text) => text.as_str(),
                other => other["text"].as_str().unwrap_or_default(),
            });
            texts.collect()
        }
        _ => String::new(),
    }
}

/// What a server said went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// In its words, or the start of what it sent.
    pub(crate) message: String,
    /// The parameter it objects to.
    pub(crate) parameter: Option<String>,
    /// Its code: `model_not_found`, `content_filter`.
    pub(crate) code: Option<String>,
}

/// Reads the body of a reply whose status says that something went wrong.
pub(super) fn fault(body: &str) -> Fault {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return Fault { message: not_json(body), ..Fault::default() };
    };
    let inner = if value["error"].is_object() { &value["error"] } else { &value };
    let text = |field: &str| inner[field].as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    Fault {
        message: message(&value).unwrap_or_else(|| start_of(body)),
        parameter: text("param"),
        code: text("code").or_else(|| text("type")),
    }
}

/// The message of an error object, in whichever shape.
pub(crate) fn message(value: &Value) -> Option<String> {
    let error = &value["error"];
    let detail = &value["detail"];
    let found = match (error, detail) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (Value::Object(_), _) => match error["message"].as_str() {
            Some(message) => message.to_owned(),
            None => error.to_string(),
        },
        (_, Value::Array(items)) => {
            let told = items.iter().map(|item| {
                let place = item["loc"].as_array().and_then(|loc| loc.last()).and_then(Value::as_str);
                format!("{}: {}", place.unwrap_or("request"), item["msg"].as_str().unwrap_or_default())
            });
            told.collect::<Vec<_>>().join("; ")
        }
        _ if value["object"] == "error" => value["message"].as_str()?.to_owned(),
        _ => return None,
    };
    Some(start_of(&found))
}

/// What a body is that is not JSON: a web page is told by its title.
pub(crate) fn not_json(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    if lower.contains("<html") || lower.trim_start().starts_with("<!doctype html") {
        let title = lower.find("<title>").map(|at| at + "<title>".len()).and_then(|at| {
            let end = lower[at..].find("</title>")? + at;
            Some(body[at..end].trim().to_owned())
        });
        let title = title.map(|title| format!(" ({})", start_of(&title))).unwrap_or_default();
        return format!("found a web page{title}, expected JSON");
    }
    match body.trim() {
        "" => "found nothing, expected JSON".to_owned(),
        other => format!("found what is not JSON: {}", start_of(other)),
    }
}

/// The first line, or what of it fits into a message.
pub(crate) fn start_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// The names of the models in a reply to `GET /models`; Ollama's own list too.
pub(super) fn models(body: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let list = value["data"].as_array().or_else(|| value["models"].as_array());
    let name = |model: &Value| model["id"].as_str().or_else(|| model["name"].as_str()).map(str::to_owned);
    list.into_iter().flatten().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_read_as_servers_give_them() {
        let read = |message: Value| {
            answer(&json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string()).unwrap()
        };
        assert_eq!(read(json!({"content": "GLI1 is."})).text, "GLI1 is.");
        assert_eq!(read(json!({"content": null, "refusal": "No."})).refusal.as_deref(), Some("No."));
        let parts =
            json!({"content": [{"type": "text", "text": "GLI1 "}, {"type": "image"}, {"text": "is."}]});
        assert_eq!(read(parts).text, "GLI1 is.");
        let reasoned = read(json!({"content": "A.", "reasoning_content": "Hm."}));
        assert!(reasoned.reasoned && reasoned.usage.is_none());
        let whole = json!({"model": "m", "choices": [{"message": {"content": "A."}, "finish_reason": "length"}],
                           "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
        let whole = answer(&whole.to_string()).unwrap();
        assert_eq!(whole.usage, Some(Usage { prompt_tokens: 3, completion_tokens: 2 }));
        assert_eq!((whole.model.as_deref(), whole.finish.as_deref()), (Some("m"), Some("length")));
    }

    #[test]
    fn thoughts_go_wherever_they_stand() {
        let strip = |text: &str| ChatAnswer { text: text.into(), ..ChatAnswer::default() }.without_thoughts();
        assert_eq!(strip("GLI1 is."), ("GLI1 is.".to_owned(), false));
        assert_eq!(strip("<think>\nHm.\n</think>\n\nGLI1 is."), ("GLI1 is.".to_owned(), true));
        assert_eq!(strip("Hm.</think> GLI1 is."), ("GLI1 is.".to_owned(), true));
        assert_eq!(strip("<think>Hm, and then"), (String::new(), true));
        assert_eq!(strip("A <think>x</think>B<think>y</think>."), ("A B.".to_owned(), true));
    }

    #[test]
    fn errors_of_every_shape_give_their_message() {
        let openai =
            json!({"error": {"message": "no such model", "param": "model", "code": "model_not_found"}});
        let found = fault(&openai.to_string());
        assert_eq!(found.message, "no such model");
        assert_eq!(
            (found.parameter.as_deref(), found.code.as_deref()),
            (Some("model"), Some("model_not_found"))
        );
        let vllm = json!({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400});
        assert_eq!(fault(&vllm.to_string()).message, "too long");
        let llama_cpp =
            json!({"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}});
        assert_eq!(fault(&llama_cpp.to_string()).message, "File Not Found");
        assert_eq!(fault(r#"{"error":"model 'x' not found"}"#).message, "model 'x' not found");
        assert_eq!(fault(r#"{"detail":"Not Found"}"#).message, "Not Found");
        let fastapi = json!({"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]});
        assert_eq!(fault(&fastapi.to_string()).message, "seed: extra fields not permitted");
        let page = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>";
        assert_eq!(fault(page).message, "found a web page (502 Bad Gateway), expected JSON");
        assert_eq!(answer(page).unwrap_err(), "found a web page (502 Bad Gateway), expected JSON");
        assert_eq!(answer("").unwrap_err(), "found nothing, expected JSON");
        assert_eq!(answer(r#"{"error":{"message":"busy"}}"#).unwrap_err(), "busy");
        assert!(answer("{\"choices\": [{\"mess").unwrap_err().starts_with("found what is not JSON"));
        assert!(answer(r#"{"choices":[]}"#).unwrap_err().starts_with("found no \"choices\""));
    }

    #[test]
    fn lists_of_models_are_read() {
        assert_eq!(models(r#"{"data":[{"id":"a"},{"id":"b"}]}"#), ["a", "b"]);
        assert_eq!(models(r#"{"models":[{"name":"c"}]}"#), ["c"]);
        assert_eq!(models("<html>"), Vec::<String>::new());
    }
}
