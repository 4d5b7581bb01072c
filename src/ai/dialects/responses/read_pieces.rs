//! The events of a response stream as they are framed, and what kinds of pieces they hold.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::ending::Response;
use crate::ai::conversation::{Delta, Event};

/// An event, as far as it is read; a field that its kind does not have is not there.
#[derive(Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) output_index: Option<u64>,
    #[serde(borrow, default)]
    pub(super) item_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) content_index: Option<u64>,
    #[serde(default)]
    pub(super) summary_index: Option<u64>,
    #[serde(default)]
    pub(super) delta: Option<Value>,
    #[serde(default)]
    pub(super) text: Option<Value>,
    #[serde(default)]
    pub(super) refusal: Option<Value>,
    #[serde(default)]
    pub(super) arguments: Option<Value>,
    #[serde(default)]
    pub(super) input: Option<Value>,
    #[serde(default)]
    pub(super) item: Option<Value>,
    #[serde(default)]
    pub(super) response: Option<Response>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    #[serde(default)]
    pub(super) code: Option<Value>,
    #[serde(default)]
    pub(super) message: Option<Value>,
}

/// What kind of thing is said in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Text,
    Refusal,
    Summary,
    Thought,
}

/// A part: its kind, the output index of its item, and its own index in it.
pub(super) type Place = (Channel, u64, u64);

impl Channel {
    /// A piece of this kind.
    pub(super) fn delta(self, text: String) -> Delta {
        match self {
            Self::Text => Delta::Text(text),
            Self::Refusal => Delta::Refusal(text),
            Self::Summary | Self::Thought => Delta::Reasoning {
                text,
                summary: self == Self::Summary,
            },
        }
    }
}

/// Whether what comes next goes on in the same kind of piece, yet as a paragraph of its own: another message, or
/// another part of a thought. Parts of one message are one text.
pub(super) fn parted(last: Place, next: Place) -> bool {
    let thought = matches!(next.0, Channel::Summary | Channel::Thought);
    last.0 == next.0 && (last.1 != next.1 || (thought && last.2 != next.2))
}

/// Responses have one choice.
pub(super) fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}
