//! A client's request as the gateway reads it: the few fields it acts on, and the body as it came.

use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;

use super::conversation::{Conversation, holds_sealed};
use super::dialects::json_object::{JsonObject, invalid};
use super::dialects::{Dialect, Framing, chat, convert, embeddings, gemini, messages, responses};
use crate::error::RequestError;
use crate::metering::estimated_input_tokens;
use crate::routes::Endpoint;

/// What is wanted of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An answer, or vectors.
    Generate,
    /// How many tokens the request would be.
    CountTokens,
}

/// Where a request came to, and what it said besides its body.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    pub endpoint: Endpoint,
    /// The model, where the path names it.
    pub model: Option<&'r str>,
    pub query: Option<&'r str>,
}

impl Asked<'_> {
    pub fn dialect(&self) -> Dialect {
        match self.endpoint {
            Endpoint::ChatCompletions => Dialect::Chat,
            Endpoint::Responses => Dialect::Responses,
            Endpoint::Embeddings => Dialect::Embeddings,
            Endpoint::Messages | Endpoint::MessagesCountTokens => Dialect::Messages,
            Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::GeminiCountTokens => Dialect::Gemini,
        }
    }

    fn operation(&self) -> Operation {
        match self.endpoint {
            Endpoint::MessagesCountTokens | Endpoint::GeminiCountTokens => Operation::CountTokens,
            _ => Operation::Generate,
        }
    }

    /// Gemini's streams are one JSON array unless they are asked for as events.
    fn framing(&self) -> Framing {
        let events = self
            .query
            .is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
        if self.endpoint == Endpoint::StreamGenerateContent && !events {
            Framing::Array
        } else {
            Framing::Events
        }
    }
}

/// A client's request: the fields the gateway needs, the body kept as it came.
#[derive(Debug)]
pub struct AiRequest {
    pub dialect: Dialect,
    pub operation: Operation,
    pub model: String,
    pub stream: bool,
    pub framing: Framing,
    /// The client's own ceiling on output, over all choices.
    pub max_output_tokens: Option<u64>,
    /// The client asked for the usage event at the end of a chat stream.
    pub wants_usage_event: bool,
    /// Its bytes are not the client's own any more and mean nothing to a provider: see [`AiRequest::may_pass`].
    translated: bool,
    /// Reckoned when first asked for.
    input_tokens: OnceLock<u64>,
    object: JsonObject,
}

/// The fields of a request that decide how it is handled.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    stream: bool,
    max_output_tokens: Option<u64>,
    wants_usage_event: bool,
}

impl AiRequest {
    /// Reads a request body.
    ///
    /// # Errors
    /// `invalid_json`, `duplicate_json_key`, or `invalid_request` naming the field.
    pub fn parse(asked: &Asked<'_>, body: Bytes) -> Result<Self, RequestError> {
        let dialect = asked.dialect();
        let object = JsonObject::parse(
            body,
            match dialect {
                Dialect::Chat => chat::FIELDS,
                Dialect::Responses => responses::FIELDS,
                Dialect::Messages => messages::FIELDS,
                Dialect::Gemini => gemini::FIELDS,
                Dialect::Embeddings | Dialect::GeminiEmbeddings => embeddings::FIELDS,
            },
        )?;
        let model = match asked.model {
            Some(model) => model.strip_prefix("models/").unwrap_or(model).to_owned(),
            None => object
                .get::<String>("model", "a string")?
                .filter(|model| !model.is_empty())
                .ok_or_else(no_model)?,
        };
        let facts = Facts::read(dialect, &object)?;
        let operation = asked.operation();
        let generates = operation == Operation::Generate;
        Ok(Self {
            dialect,
            operation,
            model,
            stream: generates
                && (facts.stream || asked.endpoint == Endpoint::StreamGenerateContent),
            framing: asked.framing(),
            max_output_tokens: if generates {
                facts.max_output_tokens
            } else {
                Some(0)
            },
            wants_usage_event: facts.wants_usage_event,
            translated: false,
            input_tokens: OnceLock::new(),
            object,
        })
    }

    /// An estimate of the prompt's tokens; it takes a pass over the body, once.
    pub fn estimated_input_tokens(&self) -> u64 {
        *self
            .input_tokens
            .get_or_init(|| estimated_input_tokens(self.body()))
    }

    /// The same, never to pass as it is: something of the gateway's own has been put into it.
    #[must_use]
    pub fn translated(self) -> Self {
        Self {
            translated: true,
            ..self
        }
    }

    /// The body for a provider that speaks the client's dialect and calls the model `provider_model`.
    ///
    /// # Errors
    /// `invalid_request` when `stream_options` is no object.
    pub fn passing_body(&self, provider_model: &str) -> Result<Bytes, RequestError> {
        if self.dialect == Dialect::Gemini {
            return gemini::passing_body(&self.object, provider_model);
        }
        let model = Value::from(provider_model).to_string();
        if self.dialect == Dialect::Chat && self.stream && !self.wants_usage_event {
            let options = chat::options_with_usage(&self.object)?;
            return Ok(self.object.with(&[
                ("model", model.as_bytes()),
                ("stream_options", options.as_bytes()),
            ]));
        }
        let body = self.object.with(&[("model", model.as_bytes())]);
        if self.dialect == Dialect::Messages {
            // Thoughts of another provider's, from a turn that was answered elsewhere, would be refused.
            return Ok(messages::without_foreign_thoughts(&body)?.unwrap_or(body));
        }
        Ok(body)
    }

    /// Whether bytes may pass to a provider of the same dialect as they are. State that another provider handed out,
    /// and the gateway sealed for this client to carry, must not.
    pub fn may_pass(&self) -> bool {
        match self.dialect {
            Dialect::Responses | Dialect::Gemini => !self.translated && !holds_sealed(self.body()),
            _ => true,
        }
    }

    /// The request in no dialect.
    ///
    /// # Errors
    /// 400 naming the field that is wrong or cannot cross.
    pub fn conversation(&self) -> Result<Conversation, RequestError> {
        match (self.dialect, self.operation) {
            (Dialect::Gemini, Operation::CountTokens) => gemini::read_count_request(self.body()),
            (dialect, _) => convert::read_request(dialect, self.body()),
        }
    }

    /// The response that a responses request goes on from.
    ///
    /// # Errors
    /// `invalid_request` when it is no string.
    pub fn previous_response_id(&self) -> Result<Option<String>, RequestError> {
        match self.dialect {
            Dialect::Responses => self
                .object
                .get("previous_response_id", "the id of a response"),
            _ => Ok(None),
        }
    }

    /// Whether a responses request wants its answer kept, which is that API's default.
    ///
    /// # Errors
    /// `invalid_request` when it is no boolean.
    pub fn wants_store(&self) -> Result<bool, RequestError> {
        match self.dialect {
            Dialect::Responses => Ok(self.object.get("store", "a boolean")?.unwrap_or(true)),
            _ => Ok(false),
        }
    }

    /// The body as the client sent it.
    pub fn body(&self) -> &Bytes {
        self.object.body()
    }
}

impl Facts {
    fn read(dialect: Dialect, object: &JsonObject) -> Result<Self, RequestError> {
        let (stream, max_output_tokens, wants_usage_event) = match dialect {
            Dialect::Chat => chat::controls(object)?,
            Dialect::Responses => responses::controls(object)?,
            Dialect::Messages => messages::controls(object)?,
            Dialect::Gemini => (false, gemini::controls(object)?, true),
            Dialect::Embeddings | Dialect::GeminiEmbeddings => (false, Some(0), false),
        };
        Ok(Self {
            stream,
            max_output_tokens,
            wants_usage_event,
        })
    }
}

fn no_model() -> RequestError {
    invalid(
        "model",
        "is missing; GET /v1/models lists the models this key may use",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Asked<'static> = Asked {
        endpoint: Endpoint::ChatCompletions,
        model: None,
        query: None,
    };

    fn parse(body: &'static str) -> Result<AiRequest, RequestError> {
        AiRequest::parse(&CHAT, Bytes::from_static(body.as_bytes()))
    }

    fn sent(body: &'static str) -> String {
        let request = parse(body).unwrap();
        let bytes = request.passing_body("real").unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn usage_is_asked_for_on_streams_alone_and_the_rest_is_untouched() {
        assert_eq!(
            sent(r#"{"model":"m","messages":[ ]}"#),
            r#"{"model":"real","messages":[ ]}"#
        );
        assert_eq!(
            sent(r#"{"model":"m","stream":true}"#),
            r#"{"model":"real","stream":true,"stream_options":{"include_usage":true}}"#
        );
        assert_eq!(
            sent(r#"{"stream_options":null,"stream":true,"model":"m"}"#),
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"real"}"#
        );
        assert_eq!(
            sent(r#"{"stream_options":{"include_obfuscation":false},"stream":true,"model":"m"}"#),
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true,"model":"real"}"#
        );
        let asked = r#"{"stream_options":{"include_usage":true},"stream":true,"model":"real"}"#;
        assert_eq!(sent(asked), asked);
    }

    #[test]
    fn wrong_controls_are_refused_by_name() {
        for (body, param) in [
            (r#"{"messages":[]}"#, "model"),
            (r#"{"model":""}"#, "model"),
            (r#"{"model":1}"#, "model"),
            (r#"{"model":"m","stream":"yes"}"#, "stream"),
            (r#"{"model":"m","max_tokens":-1}"#, "max_tokens"),
            (r#"{"model":"m","stream_options":7}"#, "stream_options"),
            (
                r#"{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}"#,
                "stream_options",
            ),
        ] {
            let error = parse(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn the_output_ceiling_counts_every_choice() {
        let body = r#"{"model":"m","max_tokens":5,"max_completion_tokens":10,"n":3}"#;
        let request = parse(body).unwrap();
        assert_eq!(request.max_output_tokens, Some(30));
    }
}
