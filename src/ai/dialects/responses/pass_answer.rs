//! Responses answers that pass through: the id of a whole one, and streams: typed events with a sequence number,
//! closed by exactly one of `response.completed`, `response.incomplete` and `response.failed`.

use std::borrow::Cow;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde::Deserialize;
use serde_json::json;

use super::ending::failure;
use crate::ai::dialects::{Seen, error, usage::Usage};
use crate::ai::streaming::sse;
use crate::error::{ErrorKind, RequestError};

/// What a responses stream has told so far.
#[derive(Debug, Default)]
pub struct Stream {
    pub(in crate::ai) usage: Option<Tokens>,
    pub(in crate::ai) content_bytes: u64,
    sequence_number: u64,
    /// Of the response that is being made, as its first event named it.
    id: Option<String>,
    model: Option<String>,
    created_at: Option<serde_json::Number>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    sequence_number: Option<u64>,
    #[serde(borrow, default)]
    delta: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    created_at: Option<serde_json::Number>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    error: Option<Fault<'a>>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

impl Stream {
    pub(in crate::ai) fn read(&mut self, event: &[u8]) -> Result<Seen, RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(Seen::Preamble);
        }
        let event: Event<'_> = serde_json::from_slice(&data).map_err(|_| {
            RequestError::new(
                ErrorKind::ProviderProtocolError,
                "The provider's stream holds an event that is not one of the responses API.",
            )
        })?;
        if let Some(number) = event.sequence_number {
            self.sequence_number = number;
        }
        if let Some(response) = &event.response {
            self.note(response);
        }
        Ok(match &*event.r#type {
            "response.completed" | "response.incomplete" => Seen::Terminal,
            "response.failed" => {
                let fault = event.response.and_then(|response| response.error);
                let (code, message) =
                    fault.map_or((None, None), |fault| (fault.code, fault.message));
                Seen::Failed(Box::new(failure(502, code.as_deref(), message.as_deref())))
            }
            "error" => {
                let (code, message) = (event.code.as_deref(), event.message.as_deref());
                Seen::Failed(Box::new(failure(502, code, message)))
            }
            name if name.ends_with(".delta") => {
                let bytes = event.delta.map_or(0, |delta| delta.get().len());
                self.content_bytes += u64::try_from(bytes).unwrap_or_default();
                Seen::Content
            }
            _ => Seen::Preamble,
        })
    }

    /// The id of the response that is being made, once its first event has named it.
    pub(in crate::ai) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn note(&mut self, response: &Response<'_>) {
        if self.id.is_none() {
            self.id = response.id.as_deref().map(str::to_owned);
            self.model = response.model.as_deref().map(str::to_owned);
            self.created_at = response.created_at.clone();
        }
        if let Some(tokens) = response.usage.and_then(Usage::tokens) {
            self.usage = Some(tokens);
        }
    }

    /// `response.failed`, which is what clients of this API end on; some ignore a plain `error` event.
    pub(in crate::ai) fn failed_event(&self, error: &RequestError, request_id: &str) -> Bytes {
        let detail = error.openai_body(request_id).error;
        error::event(
            Some("response.failed"),
            &json!({
                "type": "response.failed",
                "sequence_number": self.sequence_number + 1,
                "response": {
                    "id": self.id.as_deref().unwrap_or(request_id),
                    "object": "response",
                    "created_at": self.created_at.clone().unwrap_or_else(|| 0.into()),
                    "model": self.model.as_deref().unwrap_or_default(),
                    "status": "failed",
                    "error": {"code": detail.code, "message": detail.message},
                    "incomplete_details": null,
                    "output": [],
                    "parallel_tool_calls": true,
                    "tool_choice": "auto",
                    "tools": [],
                    "metadata": {"ferrogate_request_id": request_id},
                },
            }),
        )
    }
}

/// The id of a whole answer; `None` for a body that is no response.
pub(in crate::ai) fn id_of_answer(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        id: String,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    Some(answer.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &mut Stream, json: &str) -> Seen {
        stream
            .read(format!("event: x\ndata: {json}\n\n").as_bytes())
            .unwrap()
    }

    #[test]
    fn deltas_are_content_and_the_closing_events_close() {
        let mut stream = Stream::default();
        let created = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"m","created_at":7,"usage":null}}"#;
        assert_eq!(read(&mut stream, created), Seen::Preamble);
        let delta = r#"{"type":"response.output_text.delta","sequence_number":4,"delta":"hi"}"#;
        assert_eq!(read(&mut stream, delta), Seen::Content);
        let done = r#"{"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","usage":{"input_tokens":3,"output_tokens":1}}}"#;
        assert_eq!(read(&mut stream, done), Seen::Terminal);
        assert_eq!(stream.usage.map(|u| (u.input, u.output)), Some((3, 1)));
        assert_eq!(stream.id(), Some("resp_1"));
    }

    #[test]
    fn the_id_of_an_answer_is_found_and_that_of_another_body_is_not() {
        let check = |body: &str, expected: Option<&str>| {
            let found = id_of_answer(body.as_bytes());
            assert_eq!(found.as_deref(), expected, "{body}");
        };
        check(
            r#"{"output":[],"id":"resp_1","object":"response"}"#,
            Some("resp_1"),
        );
        check(r#"{"id":null}"#, None);
        check(r#"{"error":{"message":"no"}}"#, None);
        check("busy", None);
    }

    #[test]
    fn both_ways_a_provider_fails_are_seen() {
        let failed = r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"boom"}}}"#;
        let error = r#"{"type":"error","code":"server_error","message":"boom","param":null}"#;
        for json in [failed, error] {
            let seen = read(&mut Stream::default(), json);
            assert!(
                matches!(&seen, Seen::Failed(e) if e.message == "boom"),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn a_broken_stream_ends_in_response_failed_with_the_next_number() {
        let mut stream = Stream::default();
        read(
            &mut stream,
            r#"{"type":"response.created","sequence_number":5,"response":{"id":"resp_1","model":"m","created_at":7}}"#,
        );
        let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
        let event = stream.failed_event(&error, "req-1");
        let text = std::str::from_utf8(&event).unwrap();
        let data = text.strip_prefix("event: response.failed\ndata: ").unwrap();
        let json: serde_json::Value = serde_json::from_str(data.trim_end()).unwrap();
        assert_eq!(json["sequence_number"], 6);
        assert_eq!(json["response"]["id"], "resp_1");
        assert_eq!(json["response"]["error"]["code"], "provider_stalled");
    }
}
