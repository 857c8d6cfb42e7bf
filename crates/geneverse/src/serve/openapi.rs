//! `/openapi.json`: what this server does, as an OpenAPI document (3.2, which can say what the events of a stream are).
//!
//! The document is written by hand (`openapi.json`) for a server that has everything. What this one lacks is taken out, so that
//! whatever the document allows is answered: pictures where the model reads text only, vectors without an embedder, genes
//! without a database.

use serde_json::{Value, json};

use super::App;

/// Of a server with everything.
const WHOLE: &str = include_str!("openapi.json");

/// The document of this server.
pub(crate) fn document(app: &App) -> Value {
    let mut document: Value = serde_json::from_str(WHOLE).unwrap_or_default();
    if app.embedder.is_none() {
        remove(&mut document, "/paths", "/v1/embeddings");
        remove(&mut document, "/components/schemas", "VectorRequest");
        remove(&mut document, "/components/schemas", "VectorAnswer");
    }
    if app.known.is_none() {
        remove(&mut document, "/paths", "/genes/{symbol}");
        remove(&mut document, "/components/schemas", "Gene");
        remove(&mut document, "/components/schemas/ChatRequest/properties", "geneverse");
        remove(&mut document, "/components/schemas/ChatAnswer/properties", "geneverse");
        remove(&mut document, "/components/schemas/ChatPart/properties", "geneverse");
    }
    if !app.models.sees() {
        remove(&mut document, "/components/schemas", "Picture");
        let parts = "/components/schemas/Asked/properties/content/anyOf/1/items";
        if let Some(parts) = document.pointer_mut(parts) {
            *parts = json!({"$ref": "#/components/schemas/Text"});
        }
    }
    for schema in ["ChatRequest", "TextRequest"] {
        for name in ["max_tokens", "max_completion_tokens"] {
            let place = format!("/components/schemas/{schema}/properties/{name}");
            if let Some(field) = document.pointer_mut(&place) {
                field["maximum"] = json!(app.most_tokens);
            }
        }
    }
    document
}

fn remove(document: &mut Value, place: &str, name: &str) {
    if let Some(map) = document.pointer_mut(place).and_then(Value::as_object_mut) {
        map.remove(name);
    }
}
