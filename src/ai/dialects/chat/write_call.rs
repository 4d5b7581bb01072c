//! A tool call as requests and answers of this dialect hold it, whole or as a piece of a stream.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::ai::conversation::{ToolCall, ToolKind};

/// One call. In a stream the first piece has everything but the arguments, and the others have nothing but them.
#[derive(Debug, Default, Serialize)]
pub(super) struct WrittenCall<'a> {
    /// Its place among the calls; in streams alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Custom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct Custom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: Cow<'a, str>,
}

impl<'a> WrittenCall<'a> {
    /// A call as it stands in a message. Where `as_custom` is not given to a custom one, it is a call to the function
    /// that stands in for its tool.
    pub(super) fn whole(call: &'a ToolCall, as_custom: bool) -> Self {
        let arguments = if call.custom && !as_custom {
            Cow::Owned(ToolKind::custom_arguments(&call.arguments))
        } else if call.arguments.is_empty() && !as_custom {
            Cow::Borrowed("{}")
        } else {
            Cow::Borrowed(&*call.arguments)
        };
        Self {
            id: Some(&call.id),
            kind: Some(kind(as_custom)),
            ..Self::said(Some(&call.name), arguments, as_custom)
        }
    }

    /// The beginning of the call number `index`.
    pub(super) fn first_piece(index: u32, (id, name): (&'a str, &'a str), custom: bool) -> Self {
        Self {
            index: Some(index),
            id: Some(id),
            kind: Some(kind(custom)),
            ..Self::said(Some(name), Cow::Borrowed(""), custom)
        }
    }

    /// More of the arguments of the call number `index`.
    pub(super) fn next_piece(index: u32, arguments: &'a str, custom: bool) -> Self {
        Self {
            index: Some(index),
            ..Self::said(None, Cow::Borrowed(arguments), custom)
        }
    }

    fn said(name: Option<&'a str>, text: Cow<'a, str>, custom: bool) -> Self {
        if custom {
            Self {
                custom: Some(Custom { name, input: text }),
                ..Self::default()
            }
        } else {
            let arguments = text;
            Self {
                function: Some(Function { name, arguments }),
                ..Self::default()
            }
        }
    }
}

fn kind(custom: bool) -> &'static str {
    if custom { "custom" } else { "function" }
}
