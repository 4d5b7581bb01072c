//! Content blocks as they are written, to a provider in a history and to a client in an answer.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ai::conversation::ToolKind;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
    },
    Image {
        source: Source<'a>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 {
        media_type: &'a str,
        data: &'a str,
    },
    Url {
        url: &'a str,
    },
    /// Plain text in a document.
    Text {
        media_type: &'static str,
        data: String,
    },
}

impl<'a> Block<'a> {
    /// A text block; `None` for one that says nothing, which Anthropic refuses.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        (!text.trim().is_empty()).then_some(Self::Text { text })
    }

    pub(super) fn is_tool_result(&self) -> bool {
        matches!(self, Self::ToolResult { .. })
    }

    pub(super) fn is_said(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::ToolUse { .. })
    }

    pub(super) fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::RedactedThinking { .. })
    }
}

/// The input of a call: its arguments, which must be a JSON object; none at all are the empty one. `None` where they
/// are something else.
pub(super) fn input(arguments: &str, custom: bool) -> Option<Cow<'_, RawValue>> {
    let owned = |json: String| RawValue::from_string(json).ok().map(Cow::Owned);
    if custom {
        return owned(ToolKind::custom_arguments(arguments));
    }
    if arguments.trim().is_empty() {
        return owned("{}".to_owned());
    }
    let raw: &RawValue = serde_json::from_str(arguments).ok()?;
    raw.get().starts_with('{').then_some(Cow::Borrowed(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_or_nothing() {
        let check = |arguments: &str, custom: bool, expected: Option<&str>| {
            let found = input(arguments, custom);
            assert_eq!(found.as_deref().map(RawValue::get), expected, "{arguments}");
        };
        check(r#" {"a": [1]} "#, false, Some(r#"{"a": [1]}"#));
        check("", false, Some("{}"));
        check(" \n", false, Some("{}"));
        check("[1]", false, None);
        check("null", false, None);
        check(r#"{"a":"#, false, None);
        check("say \"x\"", true, Some(r#"{"input":"say \"x\""}"#));
    }
}
