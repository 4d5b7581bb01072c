//! One request, answer or stream from one side to the other, as the gateway does it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde_json::Value;

use super::corpus::input;
use super::pretty;
use crate::ai::conversation::Conversation;
use crate::ai::dialects::{
    AnswerContext, Dialect, Framing, Quirks, Seen, StreamReader, Target, Translator, Written,
    convert, error_body,
};
use crate::ai::streaming::sse::Splitter;
use crate::error::{ErrorKind, RequestError};
use crate::routes::Surface;

pub(super) const REQUEST_ID: &str = "01980000-0000-7000-8000-000000000001";

/// Somebody who speaks a dialect.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) dialect: Dialect,
    /// What tells it from the main one of its dialect.
    pub(super) variant: Option<&'static str>,
    pub(super) model: &'static str,
    pub(super) quirks: Quirks,
}

const NO_QUIRKS: Quirks = Quirks {
    max_completion_tokens: false,
    developer_role: false,
    custom_tools: false,
};
const OPENAI: Quirks = Quirks {
    max_completion_tokens: true,
    developer_role: true,
    custom_tools: true,
};

const fn provider(dialect: Dialect, model: &'static str, quirks: Quirks) -> Provider {
    Provider {
        dialect,
        variant: None,
        model,
        quirks,
    }
}

const fn variant(variant: &'static str, provider: Provider) -> Provider {
    Provider {
        variant: Some(variant),
        ..provider
    }
}

/// The main provider of a dialect comes before its variants.
pub(super) static PROVIDERS: [Provider; 8] = [
    provider(Dialect::Chat, "gpt-5-mini", OPENAI),
    variant("compatible", provider(Dialect::Chat, "qwen3-8b", NO_QUIRKS)),
    provider(Dialect::Responses, "gpt-5-mini", OPENAI),
    variant(
        "compatible",
        provider(Dialect::Responses, "qwen3-8b", NO_QUIRKS),
    ),
    provider(Dialect::Messages, "claude-sonnet-4-5", NO_QUIRKS),
    variant(
        "adaptive",
        provider(Dialect::Messages, "claude-opus-4-8", NO_QUIRKS),
    ),
    provider(Dialect::Gemini, "gemini-2.5-pro", NO_QUIRKS),
    variant(
        "newer",
        provider(Dialect::Gemini, "gemini-3-pro-preview", NO_QUIRKS),
    ),
];

/// The main provider of each dialect.
pub(super) fn main_providers() -> impl Iterator<Item = &'static Provider> {
    let all = PROVIDERS.iter();
    all.filter(|provider| provider.variant.is_none())
}

/// Whose errors a client of `dialect` reads.
pub(super) fn surface(dialect: Dialect) -> Surface {
    match dialect {
        Dialect::Messages => Surface::Anthropic,
        Dialect::Gemini => Surface::Gemini,
        _ => Surface::OpenAi,
    }
}

pub(super) fn target<'p>(provider: &'p Provider, stream: bool) -> Target<'p> {
    Target {
        model: provider.model,
        stream,
        quirks: provider.quirks,
        default_max_output_tokens: 4096,
    }
}

/// What answers the request of the same scenario; where the client has none that can be read, its plainest.
pub(super) fn context(client: Dialect, provider: &Provider, scenario: &str) -> Arc<AnswerContext> {
    let read = |scenario: &str| {
        let body = input(client, "request", scenario)?;
        convert::read_request(client, &body).ok()
    };
    let conversation = read(scenario).or_else(|| read("text"));
    context_of(provider, conversation.expect("every client asks for text"))
}

pub(super) fn context_of(provider: &Provider, conversation: Conversation) -> Arc<AnswerContext> {
    Arc::new(AnswerContext {
        request_id: REQUEST_ID.to_owned(),
        created_unix: 1_760_000_000,
        model: provider.model.to_owned(),
        response_id: "resp_01980000000070008000000000000001".to_owned(),
        wants_usage_event: true,
        conversation: Arc::new(conversation),
    })
}

/// What became of a request.
pub(super) struct Sent {
    client: Dialect,
    result: Result<Written, RequestError>,
}

impl Sent {
    pub(super) fn of(client: Dialect, provider: &Provider, scenario: &str, body: &[u8]) -> Self {
        let target = target(provider, scenario == "streamed");
        let result = convert::read_request(client, body)
            .and_then(|read| convert::write_request(provider.dialect, &read, &target));
        Self::new(client, result)
    }

    pub(super) fn new(client: Dialect, result: Result<Written, RequestError>) -> Self {
        Self { client, result }
    }

    /// The same for every provider that is sent the same.
    pub(super) fn without_model(&self, provider: &Provider) -> String {
        let named = format!("\"model\": \"{}\"", provider.model);
        self.to_string().replace(&named, "")
    }
}

/// `{"dropped": …, "sent": …}`, or the refusal.
impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(written) => {
                let dropped = Value::from_iter(written.dropped.iter().map(|name| &**name));
                let sent = std::str::from_utf8(&written.body).unwrap();
                let json = format!("{{\"dropped\":{dropped},\"sent\":{sent}}}");
                f.write_str(&pretty::json(json.as_bytes()))
            }
            Err(error) => f.write_str(&refusal(self.client, error)),
        }
    }
}

/// An error as the client is answered.
pub(super) fn refusal(client: Dialect, error: &RequestError) -> String {
    let answered = error_body(surface(client), error, REQUEST_ID);
    pretty::json(error_of(error, &answered).as_bytes())
}

pub(super) fn error_of(error: &RequestError, answered: &Value) -> String {
    let status = error.status();
    match error.retry_after {
        None => format!("{{\"status\":{status},\"answered\":{answered}}}"),
        Some(wait) => format!(
            "{{\"status\":{status},\"retry_after_s\":{},\"answered\":{answered}}}",
            wait.as_secs()
        ),
    }
}

/// What a stream came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) bytes: Vec<u8>,
    pub(super) usage: Option<Tokens>,
    pub(super) content_bytes: u64,
    /// How it ended.
    pub(super) end: &'static str,
}

impl Got {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }
}

/// A reader for the stream of `scenario` from `provider` to `client`.
pub(super) fn translating(
    context: &Arc<AnswerContext>,
    (client, provider): (Dialect, Dialect),
    framing: Framing,
) -> StreamReader {
    let translator = Translator::new(provider, client, context, false);
    StreamReader::translating(translator, client, framing)
}

/// Translates a stream that arrives in these pieces.
pub(super) fn run<'b>(
    client: Dialect,
    provider: &Provider,
    scenario: &str,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Got {
    let context = context(client, provider, scenario);
    let reader = translating(&context, (client, provider.dialect), Framing::Events);
    relay(reader, scenario, pieces)
}

/// Relays a stream that arrives in these pieces, up to its end, and ends it as the gateway would.
pub(super) fn relay<'b>(
    mut reader: StreamReader,
    scenario: &str,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Got {
    let mut got = Got::default();
    let mut splitter = Splitter::default();
    for piece in pieces {
        splitter.push(Bytes::copy_from_slice(piece));
        while let Some(event) = splitter.next_event() {
            let (seen, out) = match reader.read(event) {
                Ok(read) => read,
                Err(error) => {
                    got.bytes.extend(reader.error_event(&error, REQUEST_ID));
                    return got.ended(&reader, "error");
                }
            };
            got.bytes.extend(out);
            match seen {
                Seen::Terminal => return got.ended(&reader, "terminal"),
                Seen::Failed(_) => return got.ended(&reader, "failed"),
                Seen::Preamble | Seen::Content | Seen::Hidden => {}
            }
        }
    }
    if reader.may_end_here() {
        got.bytes.extend(reader.close());
        return got.ended(&reader, "closed");
    }
    let error = if scenario == "stalled" {
        got.bytes.extend(reader.keepalive());
        let message = "The provider sent nothing for 120 s.";
        RequestError::new(ErrorKind::ProviderStalled, message)
    } else {
        let message = "The provider's stream was cut before it was complete.";
        RequestError::new(ErrorKind::ProviderProtocolError, message)
    };
    got.bytes.extend(reader.error_event(&error, REQUEST_ID));
    got.ended(&reader, "broken")
}

impl Got {
    fn ended(mut self, reader: &StreamReader, end: &'static str) -> Self {
        self.usage = reader.usage();
        self.content_bytes = reader.content_bytes();
        self.end = end;
        self
    }
}
