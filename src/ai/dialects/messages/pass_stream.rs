//! Streams that pass through: which event is content, what has been used, and how the stream ends.

use std::borrow::Cow;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde::Deserialize;

use super::error::{failure, not_the_api};
use super::wire::Usage;
use crate::ai::dialects::Seen;
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// What a stream has told so far.
#[derive(Debug, Default)]
pub struct Stream {
    pub(in crate::ai) usage: Option<Tokens>,
    pub(in crate::ai) content_bytes: u64,
    reported: Usage,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    message: Option<Started>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
}

/// The pieces of text that a delta may hold; signatures are not what the model said.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    #[serde(borrow, default)]
    partial_json: Cow<'a, str>,
}

impl Stream {
    pub(in crate::ai) fn read(&mut self, event: &[u8]) -> Result<Seen, RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(Seen::Preamble);
        }
        let event: Event<'_> = serde_json::from_slice(&data).map_err(|_| {
            not_the_api("The provider's stream holds an event that is not one of the messages API.")
        })?;
        let started = event.message.and_then(|message| message.usage);
        if let Some(usage) = event.usage.or(started) {
            self.reported.update(usage);
            self.usage = self.reported.tokens();
        }
        Ok(match &*event.r#type {
            "content_block_delta" => {
                let bytes = event.delta.map_or(0, |delta| {
                    delta.text.len() + delta.thinking.len() + delta.partial_json.len()
                });
                self.content_bytes += u64::try_from(bytes).unwrap_or_default();
                Seen::Content
            }
            // Text and thoughts begin empty; other blocks say something with their first event.
            "content_block_start" => match event.content_block {
                Some(block) if !matches!(&*block.r#type, "text" | "thinking") => Seen::Content,
                _ => Seen::Preamble,
            },
            "message_delta" => Seen::Content,
            "message_stop" => Seen::Terminal,
            "error" => Seen::Failed(Box::new(failure(&data))),
            _ => Seen::Preamble,
        })
    }
}

/// The event that tells a client of this dialect that the stream broke.
pub(in crate::ai) fn error_event(error: &RequestError, request_id: &str) -> Bytes {
    super::error::error_event(error, request_id)
}

/// The usage of an answer that was not streamed; `None` where it reports none.
pub(in crate::ai) fn usage_of_answer(body: &[u8]) -> Option<Tokens> {
    serde_json::from_slice::<Started>(body)
        .ok()?
        .usage?
        .tokens()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn read(stream: &mut Stream, json: &str) -> Seen {
        stream
            .read(format!("event: x\ndata: {json}\n\n").as_bytes())
            .unwrap()
    }

    #[test]
    fn beginnings_are_preamble_and_what_the_model_says_is_content() {
        let check = |json: &str, expected: Seen| {
            assert_eq!(read(&mut Stream::default(), json), expected, "{json}");
        };
        check(
            r#"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1,"output_tokens":1}}}"#,
            Seen::Preamble,
        );
        check(r#"{"type":"ping"}"#, Seen::Preamble);
        check(r#"{"type":"something_new","delta":null}"#, Seen::Preamble);
        check(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            Seen::Preamble,
        );
        check(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            Seen::Preamble,
        );
        check(
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            Seen::Content,
        );
        check(
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            Seen::Content,
        );
        check(r#"{"type":"content_block_stop","index":0}"#, Seen::Preamble);
        check(
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            Seen::Content,
        );
        check(r#"{"type":"message_stop"}"#, Seen::Terminal);
    }

    #[test]
    fn usage_adds_up_over_the_stream_and_includes_the_cache() {
        let mut stream = Stream::default();
        read(
            &mut stream,
            r#"{"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}}"#,
        );
        assert_eq!(stream.usage.map(|u| (u.input, u.output)), Some((16, 1)));
        read(
            &mut stream,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
        );
        let usage = stream.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (16, 9, 4));
    }

    #[test]
    fn what_the_model_said_is_counted_for_an_estimate() {
        let mut stream = Stream::default();
        for delta in [
            r#"{"type":"text_delta","text":"äb"}"#,
            r#"{"type":"thinking_delta","thinking":"hm"}"#,
            r#"{"type":"input_json_delta","partial_json":"{\"a\""}"#,
            r#"{"type":"signature_delta","signature":"RXE="}"#,
        ] {
            let json = format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
            assert_eq!(read(&mut stream, &json), Seen::Content);
        }
        assert_eq!(stream.content_bytes, 3 + 2 + 4);
    }

    #[test]
    fn an_error_event_fails_the_stream_and_a_broken_one_is_a_protocol_error() {
        let seen = read(
            &mut Stream::default(),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        );
        assert!(
            matches!(&seen, Seen::Failed(error) if error.message == "Overloaded" && error.status() == 529),
            "{seen:?}"
        );
        let error = Stream::default().read(b"data: {\"ty\n\n").unwrap_err();
        assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
        assert_eq!(
            Stream::default().read(b": comment\n\n").unwrap(),
            Seen::Preamble
        );
    }

    #[test]
    fn an_error_event_is_named_and_shaped_as_sdks_expect() {
        let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
        let event = error_event(&error, "req-1");
        let text = std::str::from_utf8(&event).unwrap();
        let json = text.strip_prefix("event: error\ndata: ").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["type"], "error");
        assert_eq!(json["error"]["type"], "timeout_error");
        assert_eq!(json["error"]["code"], "provider_stalled");
        assert_eq!(json["request_id"], "req-1");
    }

    #[test]
    fn a_whole_answer_reports_its_usage() {
        let body = br#"{"type":"message","usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":4}}"#;
        let usage = usage_of_answer(body).unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (5, 4, 2));
        assert_eq!(usage_of_answer(br#"{"type":"error"}"#), None);
    }
}
