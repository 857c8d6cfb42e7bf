//! Errors in the shape that OpenAI's clients read: `{"error": {"message", "type", "param", "code"}}`.

use geneverse_model::serving::Refused;
use serde_json::json;

use super::http::Response;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: Option<&'static str>,
    /// The field of the request that is to blame.
    pub(crate) param: Option<String>,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: None, param: None, message: message.into() }
    }

    /// A field that makes no sense.
    pub(crate) fn field(name: &str, message: impl Into<String>) -> Self {
        Self { param: Some(name.to_owned()), ..Self::new(400, message) }
    }

    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What a model that is not served is answered with.
    pub(crate) fn no_model(name: &str, known: &[String]) -> Self {
        let message = format!("the model {name:?} is not served here; there are {}", known.join(", "));
        Self { status: 404, ..Self::field("model", message) }.coded("model_not_found")
    }

    fn kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 | 405 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    pub(crate) fn value(&self) -> serde_json::Value {
        let Self { status: _, code, param, message } = self;
        json!({"error": {"message": message, "type": self.kind(), "param": param, "code": code}})
    }

    pub(crate) fn response(&self) -> Response {
        let mut response = Response::json(self.status, &self.value());
        match self.status {
            401 => response.headers.push(("WWW-Authenticate", "Bearer".to_owned())),
            // Clients wait so long before they ask again.
            429 | 503 => response.headers.push(("Retry-After", "1".to_owned())),
            _ => {}
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Full { .. } => Self::new(429, message).coded("queue_full"),
            Refused::Closed => Self::new(503, message),
            // A question that is too long by itself no shorter answer helps.
            Refused::TooLong { prompt, room, .. } if prompt >= room => {
                Self::new(400, message).coded("context_length_exceeded")
            }
            Refused::TooLong { .. } => Self::field("max_tokens", message).coded("context_length_exceeded"),
            Refused::TooLarge { .. } => Self::field("max_tokens", message),
            Refused::Invalid(_) => Self::new(400, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_openais_shape() {
        let error = ApiError::from(Refused::TooLong { prompt: 9, answer: 8, room: 10 });
        assert_eq!(error.status, 400);
        assert_eq!(
            error.value(),
            json!({"error": {
                "message": "the prompt has 9 tokens and the answer may have 8, and the model reads 10 together",
                "type": "invalid_request_error", "param": "max_tokens", "code": "context_length_exceeded",
            }})
        );
        let question = ApiError::from(Refused::TooLong { prompt: 10, answer: 1, room: 10 });
        assert_eq!(question.value()["error"]["param"], json!(null));
        assert_eq!(question.value()["error"]["code"], "context_length_exceeded");
        let full = ApiError::from(Refused::Full { waiting: 3 });
        assert_eq!(full.response().headers, [("Retry-After", "1".to_owned())]);
        assert_eq!(full.value()["error"]["type"], "rate_limit_error");
        let unknown = ApiError::no_model("gpt-4", &["nano".to_owned(), "lora".to_owned()]);
        assert_eq!((unknown.status, unknown.code), (404, Some("model_not_found")));
        assert_eq!(unknown.message, "the model \"gpt-4\" is not served here; there are nano, lora");
    }
}
