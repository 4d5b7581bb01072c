//! The dialects the benchmark speaks: where a request goes, what it says, and how an answer is recognised.
//!
//! All four ask the same: a system prompt, one question, a tool that may be called, two controls. So a difference
//! between two of them is not a difference between what was asked.

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

use super::prompt;

/// How many content events a stream has. They come at once.
pub(super) const CONTENT_EVENTS: usize = 200;

const SYSTEM: &str = "You answer questions about gateways, in one paragraph.";
const QUESTION: &str = "What does a gateway cost?";
const TOOL: &str = "look_up";
const TOOL_DOES: &str = "Looks a word up in the glossary.";
const OUTPUT_TOKENS_MAX: u32 = 1024;

/// An API, as clients and providers speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// A short question, answered whole.
    Short,
    /// The same, answered with [`CONTENT_EVENTS`] events that come at once.
    Stream,
    /// A prompt of a mebibyte, answered whole.
    Long,
}

impl Dialect {
    pub(super) const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
        }
    }

    /// A complete HTTP request.
    pub(super) fn request(self, model: &str, key: &str, ask: Ask) -> Bytes {
        let path = self.path(model, ask);
        let body = self.body(model, ask).to_string();
        let credential = match self {
            Self::Chat | Self::Responses => format!("authorization: Bearer {key}"),
            Self::Messages => format!("anthropic-version: 2023-06-01\r\nx-api-key: {key}"),
            Self::Gemini => format!("x-goog-api-key: {key}"),
        };
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\n\
             host: bench.test\r\n\
             {credential}\r\n\
             content-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into()
    }

    fn path(self, model: &str, ask: Ask) -> String {
        match (self, ask) {
            (Self::Chat, _) => "/v1/chat/completions".into(),
            (Self::Responses, _) => "/v1/responses".into(),
            (Self::Messages, _) => "/v1/messages".into(),
            (Self::Gemini, Ask::Stream) => {
                format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
            (Self::Gemini, Ask::Short | Ask::Long) => {
                format!("/v1beta/models/{model}:generateContent")
            }
        }
    }

    pub(super) fn body(self, model: &str, ask: Ask) -> Value {
        let prompt = match ask {
            Ask::Short => QUESTION.to_owned(),
            Ask::Stream => format!("sim: tokens={CONTENT_EVENTS}\n{QUESTION}"),
            Ask::Long => prompt::long(),
        };
        let mut body = self.question(model, &prompt);
        if ask == Ask::Stream && self != Self::Gemini {
            body["stream"] = true.into();
        }
        body
    }

    fn question(self, model: &str, prompt: &str) -> Value {
        let schema = json!({
            "type": "object",
            "properties": {"word": {"type": "string", "description": "The word"}},
            "required": ["word"],
        });
        match self {
            Self::Chat => json!({
                "model": model,
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": prompt},
                ],
                "max_tokens": OUTPUT_TOKENS_MAX,
                "temperature": 0.5,
                "tools": [{"type": "function", "function": {
                    "name": TOOL, "description": TOOL_DOES, "parameters": schema,
                }}],
            }),
            // Not stored: what a gateway keeps for later is another cost than what it translates now.
            Self::Responses => json!({
                "model": model,
                "instructions": SYSTEM,
                "input": [{"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": prompt},
                ]}],
                "max_output_tokens": OUTPUT_TOKENS_MAX,
                "temperature": 0.5,
                "tools": [{
                    "type": "function", "name": TOOL, "description": TOOL_DOES, "parameters": schema,
                }],
                "store": false,
            }),
            Self::Messages => json!({
                "model": model,
                "system": SYSTEM,
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": OUTPUT_TOKENS_MAX,
                "temperature": 0.5,
                "tools": [{"name": TOOL, "description": TOOL_DOES, "input_schema": schema}],
            }),
            Self::Gemini => json!({
                "systemInstruction": {"parts": [{"text": SYSTEM}]},
                "contents": [{"role": "user", "parts": [{"text": prompt}]}],
                "generationConfig": {"maxOutputTokens": OUTPUT_TOKENS_MAX, "temperature": 0.5},
                "tools": [{"functionDeclarations": [{
                    "name": TOOL, "description": TOOL_DOES, "parameters": schema,
                }]}],
            }),
        }
    }

    /// Whether the first content of a stream is among `bytes`.
    pub(super) fn has_content(self, bytes: &[u8]) -> bool {
        self.contents(bytes).next().is_some()
    }

    /// How many events with content are among `bytes`.
    pub(super) fn content_events(self, bytes: &[u8]) -> usize {
        self.contents(bytes).count()
    }

    /// Where texts begin that are not empty: streams open with an empty one.
    fn contents(self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        let marker: &[u8] = match self {
            Self::Chat => b"\"delta\":{\"content\":\"",
            Self::Responses => b"\"delta\":\"",
            Self::Messages | Self::Gemini => b"\"text\":\"",
        };
        memmem::find_iter(bytes, marker)
            .map(|found| found + marker.len())
            .filter(|text| bytes.get(*text).is_some_and(|first| *first != b'"'))
    }

    /// Whether a whole stream ends as it should, and not in an error.
    pub(super) fn ends_well(self, stream: &[u8]) -> bool {
        let closing: &[u8] = match self {
            Self::Chat => return stream.trim_ascii_end().ends_with(b"data: [DONE]"),
            Self::Responses => b"\"type\":\"response.completed\"",
            Self::Messages => b"\"type\":\"message_stop\"",
            // There is no event for it; the last chunk says why it is the last.
            Self::Gemini => b"\"finishReason\":\"STOP\"",
        };
        memmem::rfind(stream, closing).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_what_surrounds_it() {
        let check = |dialect: Dialect, stream: &str, expected: usize| {
            assert_eq!(
                dialect.content_events(stream.as_bytes()),
                expected,
                "{stream}"
            );
            assert_eq!(dialect.has_content(stream.as_bytes()), expected > 0);
        };
        check(
            Dialect::Chat,
            r#"{"delta":{"role":"assistant","content":""}} {"delta":{"content":"a"}} {"delta":{"content":"b"}}"#,
            2,
        );
        check(
            Dialect::Responses,
            r#"{"part":{"text":""}} {"delta":"a"} {"text":"a"}"#,
            1,
        );
        check(
            Dialect::Messages,
            r#"{"content_block":{"type":"text","text":""}} {"delta":{"type":"text_delta","text":"\""}}"#,
            1,
        );
        check(
            Dialect::Gemini,
            r#"{"parts":[{"text":""}]} {"parts":[{"text":"a"}]}"#,
            1,
        );
        // What is still to come may be content or not.
        check(Dialect::Gemini, r#"{"parts":[{"text":""#, 0);
    }

    #[test]
    fn an_end_is_told_from_an_error() {
        let check = |dialect: Dialect, stream: &str, expected: bool| {
            assert_eq!(dialect.ends_well(stream.as_bytes()), expected, "{stream}");
        };
        check(Dialect::Chat, "data: {}\n\ndata: [DONE]\n\n", true);
        check(Dialect::Chat, "data: {\"error\":{}}\n\n", false);
        check(
            Dialect::Responses,
            "data: {\"type\":\"response.completed\"}\n\n",
            true,
        );
        check(
            Dialect::Responses,
            "data: {\"type\":\"response.failed\"}\n\n",
            false,
        );
        check(
            Dialect::Messages,
            "data: {\"type\":\"message_stop\"}\n\n",
            true,
        );
        check(Dialect::Messages, "data: {\"type\":\"error\"}\n\n", false);
        check(Dialect::Gemini, "data: {\"finishReason\":\"STOP\"}", true);
        check(Dialect::Gemini, "data: {\"error\":{}}", false);
    }

    #[test]
    fn a_request_says_how_long_it_is_and_asks_as_it_should() {
        for dialect in Dialect::ALL {
            for ask in [Ask::Short, Ask::Stream, Ask::Long] {
                let request = dialect.request("m", "secret", ask);
                let text = String::from_utf8(request.to_vec()).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.contains(&format!("content-length: {}", body.len())));
                assert!(head.contains("secret"), "{head}");
                let asks_for_a_stream =
                    body.contains(r#""stream":true"#) || head.contains(":streamGenerate");
                assert_eq!(asks_for_a_stream, ask == Ask::Stream, "{dialect:?}");
                assert_eq!(body.len() > 1 << 20, ask == Ask::Long, "{dialect:?}");
                assert!(serde_json::from_str::<Value>(body).is_ok());
            }
        }
    }
}
