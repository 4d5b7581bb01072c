//! What several files of this dialect share: ids, why an answer ended, data URLs, tool arguments, reasoning and its
//! state.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::ai::conversation::{Finish, Opaque, OpaqueKind, Reasoning};
use crate::ai::dialects::Dialect;

/// What every id of this dialect's answers begins with.
const ID_PREFIX: &str = "chatcmpl-";

/// The id of an answer: the provider's own, or one made of the request's.
pub(super) fn answer_id(provider: Option<&str>, request_id: &str) -> String {
    match provider.filter(|id| !id.is_empty()) {
        Some(id) if id.starts_with(ID_PREFIX) => id.to_owned(),
        Some(id) => format!("{ID_PREFIX}{id}"),
        None => format!("{ID_PREFIX}{}", request_id.replace('-', "")),
    }
}

/// What a choice has said, as far as it bears on why it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) calls: bool,
    pub(super) refusal: bool,
}

/// Why a choice ended, from its `finish_reason`; `None` where the provider says that it failed.
///
/// Servers say `stop` with calls in the answer, and `tool_calls` without any: what is there decides.
pub(super) fn finish_of(word: &str, spoken: Spoken) -> Option<Finish> {
    let finish = match word {
        // Compatible servers pass on what their engine calls the end of a turn.
        "" | "stop" | "eos" | "end_turn" => Finish::Stop,
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "length" | "max_tokens" => Finish::Length,
        "model_length" => Finish::ContextWindow,
        "stop_sequence" => Finish::StopSequence(None),
        "content_filter" | "sensitive" => Finish::ContentFilter,
        "error" | "insufficient_system_resource" | "network_error" => return None,
        other => Finish::Other(other.to_owned()),
    };
    Some(match finish {
        Finish::Stop if spoken.calls => Finish::ToolCalls,
        Finish::Stop | Finish::ToolCalls if spoken.refusal && !spoken.calls => Finish::Refusal,
        Finish::ToolCalls if !spoken.calls => Finish::Stop,
        finish => finish,
    })
}

/// The `finish_reason` of a choice.
///
/// This API has no word for a model that declines: it ends normally after the words of its refusal. Where there are
/// none, only `content_filter` tells the client why it got nothing.
pub(super) fn finish_word(finish: &Finish, spoken: Spoken) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Other(_) if spoken.calls => "tool_calls",
        Finish::Stop | Finish::StopSequence(_) | Finish::Other(_) => "stop",
        Finish::Length | Finish::ContextWindow => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Refusal if spoken.refusal => "stop",
        Finish::Refusal => "content_filter",
    }
}

/// What a text may be that stands where media is expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataUrl<'a> {
    /// Its type and its base64.
    Inline(&'a str, &'a str),
    /// A data URL that is not base64 or names no type.
    Broken,
    /// No data URL.
    Other,
}

impl<'a> DataUrl<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Self::Other;
        };
        if !scheme.eq_ignore_ascii_case("data") {
            return Self::Other;
        }
        let Some((head, base64)) = rest.split_once(',') else {
            return Self::Broken;
        };
        let mut words = head.split(';').map(str::trim);
        let mime_type = words.next().unwrap_or_default();
        let is_base64 = words.any(|word| word.eq_ignore_ascii_case("base64"));
        if is_base64 && mime_type.contains('/') {
            Self::Inline(mime_type, base64)
        } else {
            Self::Broken
        }
    }
}

/// Arguments as JSON text. Some servers and clients send the object itself, and nothing means an empty one.
pub(super) fn arguments_text(arguments: Option<Value>) -> String {
    match arguments {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        None | Some(Value::Null | Value::String(_)) => "{}".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// Reasoning that came as plain text and goes back as plain text.
pub(super) fn thoughts(text: String) -> Reasoning {
    Reasoning {
        text,
        summary: false,
        state: Some(plain_state()),
    }
}

/// Says that the text beside it is to come back, and is all there is.
pub(super) fn plain_state() -> Opaque {
    Opaque {
        origin: Dialect::Chat,
        kind: OpaqueKind::Text,
        data: String::new(),
        item_id: None,
    }
}

/// A tool call's `extra_content` as its state: Gemini's chat API keeps its thought signatures there.
pub(super) fn call_state(extra_content: &Value) -> Opaque {
    Opaque {
        origin: Dialect::Chat,
        kind: OpaqueKind::Signature,
        data: extra_content.to_string(),
        item_id: None,
    }
}

/// The `extra_content` that [`call_state`] was made of; `None` for the state of another dialect.
pub(super) fn extra_content(state: &Opaque) -> Option<Value> {
    if state.origin != Dialect::Chat {
        return None;
    }
    serde_json::from_str(&state.data).ok()
}

/// The grammar of a custom tool as responses requests have it, flat; conversations carry it so.
pub(super) fn flat_format(format: Value) -> Value {
    match format {
        Value::Object(mut map) => {
            if let Some(Value::Object(grammar)) = map.remove("grammar") {
                map.extend(grammar);
            }
            Value::Object(map)
        }
        other => other,
    }
}

/// The same as chat requests have it, one level deeper.
pub(super) fn nested_format(format: &Value) -> Cow<'_, Value> {
    let flat = format
        .as_object()
        .filter(|map| map.contains_key("definition"));
    match flat {
        Some(map) => {
            let grammar: Map<String, Value> = map
                .iter()
                .filter(|(name, _)| *name != "type")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            Cow::Owned(json!({"type": "grammar", "grammar": grammar}))
        }
        None => Cow::Borrowed(format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Spoken = Spoken {
        calls: false,
        refusal: false,
    };
    const CALLS: Spoken = Spoken {
        calls: true,
        refusal: false,
    };
    const REFUSAL: Spoken = Spoken {
        calls: false,
        refusal: true,
    };

    #[test]
    fn each_word_for_an_end_is_read_with_what_was_said() {
        let check = |word: &str, spoken, expected: Option<Finish>| {
            assert_eq!(finish_of(word, spoken), expected, "{word} {spoken:?}");
        };
        check("stop", NOTHING, Some(Finish::Stop));
        check("stop", CALLS, Some(Finish::ToolCalls));
        check("stop", REFUSAL, Some(Finish::Refusal));
        check("", NOTHING, Some(Finish::Stop));
        check("eos", NOTHING, Some(Finish::Stop));
        check("end_turn", CALLS, Some(Finish::ToolCalls));
        check("tool_calls", CALLS, Some(Finish::ToolCalls));
        check("tool_calls", NOTHING, Some(Finish::Stop));
        check("tool_calls", REFUSAL, Some(Finish::Refusal));
        check("function_call", CALLS, Some(Finish::ToolCalls));
        check("length", NOTHING, Some(Finish::Length));
        check("length", CALLS, Some(Finish::Length));
        check("max_tokens", NOTHING, Some(Finish::Length));
        check("model_length", NOTHING, Some(Finish::ContextWindow));
        check("stop_sequence", NOTHING, Some(Finish::StopSequence(None)));
        check("content_filter", NOTHING, Some(Finish::ContentFilter));
        check("content_filter", REFUSAL, Some(Finish::ContentFilter));
        check("sensitive", NOTHING, Some(Finish::ContentFilter));
        check("moon", NOTHING, Some(Finish::Other("moon".into())));
        check("error", NOTHING, None);
        check("insufficient_system_resource", CALLS, None);
    }

    #[test]
    fn each_end_has_a_word() {
        let check = |finish: Finish, spoken, expected: &str| {
            assert_eq!(finish_word(&finish, spoken), expected, "{finish:?}");
        };
        check(Finish::Stop, NOTHING, "stop");
        check(Finish::Stop, CALLS, "tool_calls");
        check(Finish::StopSequence(Some("END".into())), NOTHING, "stop");
        check(Finish::Length, CALLS, "length");
        check(Finish::ContextWindow, NOTHING, "length");
        check(Finish::ToolCalls, CALLS, "tool_calls");
        check(Finish::ContentFilter, NOTHING, "content_filter");
        check(Finish::Refusal, REFUSAL, "stop");
        check(Finish::Refusal, NOTHING, "content_filter");
        check(Finish::Other("pause_turn".into()), NOTHING, "stop");
    }

    #[test]
    fn only_base64_with_a_type_is_inline() {
        let inline = DataUrl::Inline;
        let check = |text: &str, expected: DataUrl<'_>| {
            assert_eq!(DataUrl::parse(text), expected, "{text}");
        };
        check("data:image/png;base64,aGk=", inline("image/png", "aGk="));
        check(
            "DATA:image/png;charset=utf-8;BASE64,aGk=",
            inline("image/png", "aGk="),
        );
        check("data:text/plain,hello", DataUrl::Broken);
        check("data:;base64,aGk=", DataUrl::Broken);
        check("data:image/png;base64", DataUrl::Broken);
        check("https://example.com/a,b", DataUrl::Other);
        check("aGk=", DataUrl::Other);
    }

    #[test]
    fn an_answers_id_has_the_prefix_once() {
        let request = "0197-ab-cd";
        assert_eq!(answer_id(Some("chatcmpl-7"), request), "chatcmpl-7");
        assert_eq!(answer_id(Some("msg_7"), request), "chatcmpl-msg_7");
        assert_eq!(answer_id(Some(""), request), "chatcmpl-0197abcd");
        assert_eq!(answer_id(None, request), "chatcmpl-0197abcd");
    }

    #[test]
    fn arguments_become_text_whatever_they_came_as() {
        let check = |value: Option<Value>, expected: &str| {
            assert_eq!(arguments_text(value), expected);
        };
        check(Some(json!("{\"a\": 1}")), "{\"a\": 1}");
        check(Some(json!({"a": 1})), "{\"a\":1}");
        check(Some(json!(" ")), "{}");
        check(Some(Value::Null), "{}");
        check(None, "{}");
    }

    #[test]
    fn a_grammar_is_carried_flat_and_written_nested() {
        let nested =
            json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}});
        let flat = json!({"type": "grammar", "syntax": "lark", "definition": "start: A"});
        assert_eq!(flat_format(nested.clone()), flat);
        assert_eq!(*nested_format(&flat), nested);
        let text = json!({"type": "text"});
        assert_eq!(flat_format(text.clone()), text);
        assert_eq!(*nested_format(&text), text);
    }
}
