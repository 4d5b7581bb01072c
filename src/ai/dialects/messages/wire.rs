//! What answers and streams of this dialect share: blocks, usage, stop reasons, ids.

use ferrogate_api::Tokens;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ai::conversation::Finish;
use crate::ai::dialects::AnswerContext;

/// A content block of an answer, or the beginning of one in a stream. One that this gateway does not know comes from a
/// tool it did not ask for, and is passed over.
#[derive(Deserialize)]
pub(super) struct AnswerBlock {
    pub(super) r#type: String,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) data: Option<String>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) input: Option<Box<RawValue>>,
}

/// A `usage` object. `input_tokens` leaves out what was read from the cache or written to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

impl Usage {
    /// Takes the counts of a later event. They are cumulative: what it names replaces, what it leaves out stays.
    pub(super) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_creation_input_tokens = later
            .cache_creation_input_tokens
            .or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later
            .cache_read_input_tokens
            .or(self.cache_read_input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    /// The counts; `None` where the object names neither input nor output, which is no report at all.
    pub(super) fn tokens(self) -> Option<Tokens> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let cache_read = self.cache_read_input_tokens.unwrap_or_default();
        let cache_write = self.cache_creation_input_tokens.unwrap_or_default();
        let fresh = self.input_tokens.unwrap_or_default();
        let details = self.output_tokens_details.unwrap_or_default();
        Some(Tokens {
            // Saturating: providers may say anything.
            input: fresh.saturating_add(cache_read).saturating_add(cache_write),
            output: self.output_tokens.unwrap_or_default(),
            cache_read,
            cache_write,
            reasoning: details.thinking_tokens.unwrap_or_default(),
        })
    }
}

/// A `usage` object for a client, with the fields its SDKs' types promise.
#[derive(Debug, Serialize)]
pub(super) struct WrittenUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<WrittenDetails>,
    server_tool_use: Option<()>,
}

#[derive(Debug, Serialize)]
struct WrittenDetails {
    thinking_tokens: u64,
}

impl From<Tokens> for WrittenUsage {
    fn from(tokens: Tokens) -> Self {
        let cached = tokens.cache_read.saturating_add(tokens.cache_write);
        Self {
            input_tokens: tokens.input.saturating_sub(cached),
            cache_creation_input_tokens: tokens.cache_write,
            cache_read_input_tokens: tokens.cache_read,
            output_tokens: tokens.output,
            output_tokens_details: (tokens.reasoning > 0).then_some(WrittenDetails {
                thinking_tokens: tokens.reasoning,
            }),
            server_tool_use: None,
        }
    }
}

/// What a `stop_reason` means. `pause_turn` has no counterpart: the model wants to go on after a hosted tool.
pub(super) fn finish(stop_reason: &str, stop_sequence: Option<String>) -> Finish {
    match stop_reason {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(stop_sequence),
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal,
        "model_context_window_exceeded" => Finish::ContextWindow,
        other => Finish::Other(other.to_owned()),
    }
}

/// What else of an answer bears on its stop reason.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    pub(super) refused: bool,
    pub(super) called: bool,
}

/// The `stop_reason` and `stop_sequence` to write.
///
/// Clients of this dialect run tools when, and only when, the reason is `tool_use`: an answer with calls that a
/// provider ended with a plain stop says so, and one without calls never does.
pub(super) fn stop_reason(finish: &Finish, said: Said) -> (&'static str, Option<&str>) {
    match finish {
        _ if said.refused => ("refusal", None),
        Finish::Length => ("max_tokens", None),
        Finish::ContextWindow => ("model_context_window_exceeded", None),
        Finish::ContentFilter | Finish::Refusal => ("refusal", None),
        Finish::StopSequence(sequence) => ("stop_sequence", sequence.as_deref()),
        Finish::Other(word) if word == "pause_turn" => ("pause_turn", None),
        Finish::Stop | Finish::ToolCalls | Finish::Other(_) if said.called => ("tool_use", None),
        Finish::Stop | Finish::ToolCalls | Finish::Other(_) => ("end_turn", None),
    }
}

/// The id of a message for a client: the provider's own under this dialect's prefix, else one made from the request's.
pub(super) fn message_id(own: Option<&str>, context: &AnswerContext) -> String {
    match own.filter(|id| !id.is_empty()) {
        Some(id) if id.starts_with("msg_") => id.to_owned(),
        Some(id) => format!("msg_{id}"),
        None => format!("msg_{}", context.request_id.replace('-', "")),
    }
}

/// The model that an answer names.
pub(super) fn model_name<'a>(own: Option<&'a str>, context: &'a AnswerContext) -> &'a str {
    own.filter(|model| !model.is_empty())
        .unwrap_or(&context.model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_includes_the_cache_here_and_leaves_it_out_on_the_wire() {
        let json = r#"{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":7,"output_tokens_details":{"thinking_tokens":4}}"#;
        let usage: Usage = serde_json::from_str(json).unwrap();
        let tokens = usage.tokens().unwrap();
        assert_eq!(
            tokens,
            Tokens {
                input: 18,
                output: 7,
                cache_read: 5,
                cache_write: 3,
                reasoning: 4
            }
        );
        let written = serde_json::to_string(&WrittenUsage::from(tokens)).unwrap();
        let again: Usage = serde_json::from_str(&written).unwrap();
        assert_eq!(again.tokens(), Some(tokens));
        assert_eq!(
            serde_json::from_str::<Usage>("{}").unwrap().tokens(),
            None,
            "no report is not zero"
        );
    }

    #[test]
    fn later_counts_replace_and_what_they_leave_out_stays() {
        let mut usage: Usage = serde_json::from_str(
            r#"{"input_tokens":10,"cache_read_input_tokens":2,"output_tokens":1}"#,
        )
        .unwrap();
        usage.update(serde_json::from_str(r#"{"output_tokens":9}"#).unwrap());
        let tokens = usage.tokens().unwrap();
        assert_eq!((tokens.input, tokens.output, tokens.cache_read), (12, 9, 2));
        usage.update(serde_json::from_str(r#"{"input_tokens":20,"output_tokens":11}"#).unwrap());
        let tokens = usage.tokens().unwrap();
        assert_eq!((tokens.input, tokens.output), (22, 11));
    }

    #[test]
    fn every_stop_reason_is_read() {
        let check = |word: &str, expected: Finish| {
            assert_eq!(finish(word, Some("END".into())), expected, "{word}");
        };
        check("end_turn", Finish::Stop);
        check("stop_sequence", Finish::StopSequence(Some("END".into())));
        check("max_tokens", Finish::Length);
        check("tool_use", Finish::ToolCalls);
        check("refusal", Finish::Refusal);
        check("model_context_window_exceeded", Finish::ContextWindow);
        check("pause_turn", Finish::Other("pause_turn".into()));
        check("something_new", Finish::Other("something_new".into()));
    }

    #[test]
    fn every_finish_is_written() {
        let plain = Said::default();
        let called = Said {
            called: true,
            ..plain
        };
        let refused = Said {
            refused: true,
            ..plain
        };
        let check = |finish: Finish, said: Said, expected: (&str, Option<&str>)| {
            assert_eq!(stop_reason(&finish, said), expected, "{finish:?} {said:?}");
        };
        check(Finish::Stop, plain, ("end_turn", None));
        check(Finish::Stop, called, ("tool_use", None));
        check(Finish::Stop, refused, ("refusal", None));
        check(
            Finish::StopSequence(Some("END".into())),
            plain,
            ("stop_sequence", Some("END")),
        );
        check(Finish::StopSequence(None), plain, ("stop_sequence", None));
        check(Finish::Length, called, ("max_tokens", None));
        check(
            Finish::ContextWindow,
            plain,
            ("model_context_window_exceeded", None),
        );
        check(Finish::ToolCalls, called, ("tool_use", None));
        check(Finish::ToolCalls, plain, ("end_turn", None));
        check(Finish::ContentFilter, plain, ("refusal", None));
        check(Finish::Refusal, plain, ("refusal", None));
        check(
            Finish::Other("pause_turn".into()),
            plain,
            ("pause_turn", None),
        );
        check(Finish::Other("odd".into()), plain, ("end_turn", None));
    }
}
