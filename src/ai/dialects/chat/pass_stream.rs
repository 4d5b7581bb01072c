//! Chat streams: which chunk is content, which one carries usage, and whether the stream has said all it had to say.

use std::borrow::Cow;
use std::fmt;

use ferrogate_api::Tokens;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::failure::{NO_CHUNK, fault, protocol_error};
use crate::ai::dialects::{Seen, usage::Usage};
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// What a chat stream has told so far.
#[derive(Debug, Default)]
pub struct Stream {
    pub(in crate::ai) usage: Option<Tokens>,
    pub(in crate::ai) content_bytes: u64,
    /// A finish reason came; some compatible servers send no `[DONE]` after it.
    pub(in crate::ai) finished: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
    /// Moonshot's place for it.
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(default)]
    content: ContentBytes,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    /// Compatible servers stream reasoning under either name, and some under both.
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
}

/// How long the content is: a text, or, from Mistral's reasoning models, a list of parts.
#[derive(Default)]
struct ContentBytes(usize);

impl<'de> Deserialize<'de> for ContentBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counted;
        impl<'de> Visitor<'de> for Counted {
            type Value = ContentBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, parts or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<ContentBytes, E> {
                Ok(ContentBytes(text.len()))
            }

            fn visit_unit<E>(self) -> Result<ContentBytes, E> {
                Ok(ContentBytes(0))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<ContentBytes, A::Error> {
                let mut bytes = 0;
                while let Some(part) = parts.next_element::<ContentBytes>()? {
                    bytes += part.0;
                }
                Ok(ContentBytes(bytes))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut part: A) -> Result<ContentBytes, A::Error> {
                let mut bytes = 0;
                while let Some(name) = part.next_key::<Cow<'_, str>>()? {
                    if matches!(&*name, "text" | "thinking") {
                        bytes += part.next_value::<ContentBytes>()?.0;
                    } else {
                        part.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(ContentBytes(bytes))
            }
        }
        deserializer.deserialize_any(Counted)
    }
}

impl Delta<'_> {
    /// Bytes of what the model said; an empty text or list is none.
    fn content_bytes(&self) -> usize {
        let text = |text: &Option<Cow<'_, str>>| text.as_ref().map_or(0, |text| text.len());
        let raw = |raw: &Option<&RawValue>| {
            raw.map_or(0, |raw| match raw.get() {
                "null" | "[]" | "\"\"" | "{}" => 0,
                json => json.len(),
            })
        };
        self.content.0
            + text(&self.refusal)
            + raw(&self.reasoning_content).max(raw(&self.reasoning))
            + raw(&self.tool_calls)
            + raw(&self.function_call)
            + raw(&self.audio)
    }
}

impl Stream {
    pub(in crate::ai) fn read(
        &mut self,
        event: &[u8],
        wants_usage_event: bool,
    ) -> Result<Seen, RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(Seen::Preamble);
        }
        if &*data == b"[DONE]" {
            return Ok(Seen::Terminal);
        }
        let chunk: Chunk<'_> =
            serde_json::from_slice(&data).map_err(|_| protocol_error(NO_CHUNK))?;
        if let Some(error) = chunk.error {
            return Ok(Seen::Failed(Box::new(fault(&error))));
        }
        let choices = chunk.choices.unwrap_or_default();
        let inner_usage = choices.iter().find_map(|choice| choice.usage);
        let reports_usage = chunk.usage.or(inner_usage).and_then(Usage::tokens);
        if reports_usage.is_some() {
            self.usage = reports_usage;
        }
        if choices.is_empty() && reports_usage.is_some() {
            return Ok(if wants_usage_event {
                Seen::Content
            } else {
                Seen::Hidden
            });
        }
        let mut content = false;
        for choice in &choices {
            let bytes = choice.delta.as_ref().map_or(0, Delta::content_bytes);
            self.content_bytes += u64::try_from(bytes).unwrap_or_default();
            // An empty one stands in every chunk of some servers.
            let reason = choice.finish_reason.map_or("null", RawValue::get);
            let finished = !matches!(reason, "null" | "\"\"");
            self.finished |= finished;
            content |= bytes > 0 || finished;
        }
        Ok(if content {
            Seen::Content
        } else {
            Seen::Preamble
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn read(stream: &mut Stream, data: &str) -> Seen {
        stream
            .read(format!("data: {data}\n\n").as_bytes(), false)
            .unwrap()
    }

    #[test]
    fn a_role_is_no_content_and_every_kind_of_delta_is() {
        let check = |delta: &str, expected: Seen| {
            let chunk = format!(
                r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}],"usage":null}}"#
            );
            assert_eq!(read(&mut Stream::default(), &chunk), expected, "{delta}");
        };
        check(r#"{"role":"assistant","content":""}"#, Seen::Preamble);
        check(
            r#"{"role":"assistant","content":"","tool_calls":[]}"#,
            Seen::Preamble,
        );
        check("{}", Seen::Preamble);
        check(r#"{"content":"a\nb"}"#, Seen::Content);
        check(r#"{"refusal":"no"}"#, Seen::Content);
        check(r#"{"reasoning_content":"hm"}"#, Seen::Content);
        check(r#"{"reasoning":"hm"}"#, Seen::Content);
        check(
            r#"{"reasoning":"hm","reasoning_content":"hm"}"#,
            Seen::Content,
        );
        check(r#"{"content":null}"#, Seen::Preamble);
        check(r#"{"content":[]}"#, Seen::Preamble);
        check(
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
            Seen::Content,
        );
        check(
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#,
            Seen::Content,
        );
    }

    #[test]
    fn usage_is_taken_and_its_own_event_hidden_unless_it_was_asked_for() {
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        let mut stream = Stream::default();
        assert_eq!(read(&mut stream, usage), Seen::Hidden);
        assert_eq!(stream.usage.map(|u| (u.input, u.output)), Some((3, 2)));
        let event = format!("data: {usage}\n\n");
        assert_eq!(
            Stream::default().read(event.as_bytes(), true).unwrap(),
            Seen::Content
        );
        // Usage on a chunk that says something else besides stays where it is.
        let both = r#"{"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        assert_eq!(read(&mut Stream::default(), both), Seen::Content);
    }

    #[test]
    fn what_is_said_is_counted_once_and_without_its_escapes() {
        let mut stream = Stream::default();
        for delta in [
            r#"{"content":"a\nb"}"#,
            r#"{"content":[{"type":"text","text":"cd"},{"type":"thinking","thinking":[{"text":"e"}]}]}"#,
        ] {
            let chunk = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
            assert_eq!(read(&mut stream, &chunk), Seen::Content);
        }
        assert_eq!(stream.content_bytes, 6);
    }

    #[test]
    fn an_empty_finish_reason_is_none() {
        let mut stream = Stream::default();
        let chunk = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#;
        assert_eq!(read(&mut stream, chunk), Seen::Content);
        assert!(!stream.finished);
    }

    #[test]
    fn usage_inside_a_choice_is_usage() {
        let mut stream = Stream::default();
        let chunk = r#"{"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":2}}]}"#;
        assert_eq!(read(&mut stream, chunk), Seen::Content);
        assert_eq!(stream.usage.map(|u| (u.input, u.output)), Some((3, 2)));
    }

    #[test]
    fn the_end_is_done_and_a_finish_reason_allows_an_end_without_it() {
        let mut stream = Stream::default();
        assert!(!stream.finished);
        let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(read(&mut stream, finish), Seen::Content);
        assert!(stream.finished);
        assert_eq!(read(&mut stream, "[DONE]"), Seen::Terminal);
        assert_eq!(stream.read(b": ping\n\n", false).unwrap(), Seen::Preamble);
    }

    #[test]
    fn an_error_object_fails_the_stream_and_a_broken_chunk_is_a_protocol_error() {
        let seen = read(
            &mut Stream::default(),
            r#"{"error":{"message":"overloaded"}}"#,
        );
        assert!(matches!(seen, Seen::Failed(error) if error.message == "overloaded"));
        let error = Stream::default()
            .read(b"data: {\"choi\n\n", false)
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
    }
}
