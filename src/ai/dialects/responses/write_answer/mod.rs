//! The response object that a client gets: whole, or at the beginning and the end of a stream. It has every field that
//! OpenAI's library demands, and repeats what the request said.

use std::sync::LazyLock;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use super::ending::{incomplete_reason, shown};
use super::write_items::{ItemIds, items};
use crate::ai::conversation::{Answer, Finish};
use crate::ai::dialects::AnswerContext;

/// Writes the first choice of an answer as a whole response.
pub(in crate::ai) fn write_answer(answer: &Answer, context: &AnswerContext) -> Bytes {
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let finish = shown(choice.map_or(&Finish::Stop, |choice| &choice.finish), parts);
    let cut = incomplete_reason(finish).is_some();
    let response = Response {
        state: State::Done(finish),
        output: items(parts, &ItemIds::new(context), cut),
        model: answer.model.as_deref(),
        usage: answer.usage,
        context,
    };
    let json = serde_json::to_vec(&response).expect("an answer is texts, numbers and JSON");
    json.into()
}

/// How far a response has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    InProgress,
    Done(&'a Finish),
    Failed { code: &'a str, message: &'a str },
}

/// A response object.
#[derive(Debug)]
pub(super) struct Response<'a, O> {
    pub(super) state: State<'a>,
    pub(super) output: O,
    /// The provider's own name for it.
    pub(super) model: Option<&'a str>,
    pub(super) usage: Option<Tokens>,
    pub(super) context: &'a AnswerContext,
}

/// What a response repeats of its request, and what it says where the request said nothing. `store` and `truncation`
/// are OpenAI's defaults.
static REPEATED: LazyLock<[(&str, Value); 20]> = LazyLock::new(|| {
    [
        ("background", json!(false)),
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("max_tool_calls", Value::Null),
        ("parallel_tool_calls", json!(true)),
        ("previous_response_id", Value::Null),
        ("prompt_cache_key", Value::Null),
        ("prompt_cache_retention", Value::Null),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("safety_identifier", Value::Null),
        ("service_tier", Value::Null),
        ("store", json!(true)),
        ("temperature", Value::Null),
        ("text", json!({"format": {"type": "text"}})),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_logprobs", Value::Null),
        ("top_p", Value::Null),
        ("truncation", json!("disabled")),
        ("user", Value::Null),
    ]
});

/// The names of the fields that a response repeats.
pub(super) fn repeated() -> impl Iterator<Item = &'static str> {
    REPEATED.iter().map(|(name, _)| *name).chain(["metadata"])
}

impl<O: Serialize> Serialize for Response<'_, O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (status, reason, error) = match self.state {
            State::InProgress => ("in_progress", None, None),
            State::Failed { code, message } => {
                let error = json!({"code": code, "message": message});
                ("failed", None, Some(error))
            }
            State::Done(finish) => match incomplete_reason(finish) {
                Some(reason) => ("incomplete", Some(json!({"reason": reason})), None),
                None => ("completed", None, None),
            },
        };
        let echo = &self.context.conversation.echo;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.context.response_id)?;
        map.serialize_entry("object", "response")?;
        map.serialize_entry("created_at", &self.context.created_unix)?;
        map.serialize_entry("status", status)?;
        map.serialize_entry("error", &error)?;
        map.serialize_entry("incomplete_details", &reason)?;
        map.serialize_entry("model", self.model.unwrap_or(&self.context.model))?;
        map.serialize_entry("output", &self.output)?;
        for (name, default) in &*REPEATED {
            map.serialize_entry(name, echo.get(*name).unwrap_or(default))?;
        }
        map.serialize_entry("metadata", &self.metadata())?;
        map.serialize_entry("usage", &self.usage.map(usage))?;
        map.end()
    }
}

impl<O> Response<'_, O> {
    /// A response that failed also names the request, for whoever looks for it in the gateway's log.
    fn metadata(&self) -> Value {
        let echo = self.context.conversation.echo.get("metadata");
        let mut metadata = echo.cloned().unwrap_or_else(|| json!({}));
        if let (State::Failed { .. }, Some(labels)) = (self.state, metadata.as_object_mut()) {
            let request_id = self.context.request_id.clone();
            labels.insert("ferrogate_request_id".to_owned(), request_id.into());
        }
        metadata
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.total(),
    })
}

#[cfg(test)]
mod tests;
