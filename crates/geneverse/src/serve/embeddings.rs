//! `/v1/embeddings`: texts as vectors, by a model of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::asked::{OneOrMore, object};
use super::error::ApiError;
use super::http::Response;
use super::{App, Exchange, unpoisoned};

/// Texts of one request at most, as OpenAI has it.
const TEXTS: usize = 2048;

/// Makes vectors of texts.
pub(crate) fn embed(app: &App, body: &[u8], exchange: &mut Exchange) -> Result<Response, ApiError> {
    let map = object(body)?;
    let Some((name, embedder)) = &app.embedder else {
        return Err(ApiError::new(404, "this server makes no vectors; start it with --embedder")
            .coded("model_not_found"));
    };
    if let Some(asked) = map.get("model").and_then(Value::as_str).filter(|asked| asked != name) {
        return Err(ApiError::no_model(asked, std::slice::from_ref(name)));
    }
    if map.get("dimensions").is_some_and(|value| !value.is_null()) {
        return Err(ApiError::field("dimensions", "dimensions is not done by this server; leave it out"));
    }
    let packed = match map.get("encoding_format").and_then(Value::as_str) {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message = format!("encoding_format is {other:?}, expected \"float\" or \"base64\"");
            return Err(ApiError::field("encoding_format", message));
        }
    };
    let texts: Option<OneOrMore> =
        map.get("input").and_then(|value| serde_json::from_value(value.clone()).ok());
    let texts = texts.map(OneOrMore::all).unwrap_or_default();
    if texts.is_empty() || texts.len() > TEXTS || texts.iter().any(String::is_empty) {
        let message = format!("input is expected to be a text, or 1 to {TEXTS} texts, none of them empty");
        return Err(ApiError::field("input", message));
    }
    exchange.model = Some(name.clone());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedder = unpoisoned(embedder.lock());
    let vectors = embedder.embed(&texts).map_err(|e| ApiError::new(400, e.to_string()))?;
    let width = embedder.width().max(1);
    drop(embedder);
    exchange.prompt_tokens = vectors.tokens;
    let of = |(index, vector): (usize, &[f32])| {
        let vector = match packed {
            false => json!(vector),
            true => json!(STANDARD.encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())),
        };
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let data: Vec<Value> = vectors.numbers.chunks_exact(width).enumerate().map(of).collect();
    let usage = json!({"prompt_tokens": vectors.tokens, "total_tokens": vectors.tokens});
    Ok(Response::json(200, &json!({"object": "list", "data": data, "model": name, "usage": usage})))
}
