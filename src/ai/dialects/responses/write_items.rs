//! The items of a response's output, as they are written: whole in an answer, and begun and done in a stream.
//!
//! State of another dialect travels sealed in `encrypted_content`. That of a call has no place at the call: it gets a
//! reasoning item of its own behind all other items, where a stream can write it without breaking into another. It is
//! sealed with the call's id as its `item_id`, by which `read_input` gives it back.

use serde::Serialize;

use crate::ai::conversation::{OpaqueKind, Part, Reasoning, ToolCall};
use crate::ai::dialects::{AnswerContext, Dialect};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

/// One item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputItem<'a> {
    Message {
        id: String,
        status: Status,
        content: Vec<ContentPart<'a>>,
        role: &'static str,
    },
    Reasoning {
        id: String,
        summary: Vec<ContentPart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<[ContentPart<'a>; 1]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<String>,
    },
    FunctionCall {
        id: String,
        status: Status,
        arguments: &'a str,
        call_id: &'a str,
        name: &'a str,
    },
    CustomToolCall {
        id: String,
        status: Status,
        call_id: &'a str,
        input: &'a str,
        name: &'a str,
    },
}

/// A part of an item.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ContentPart<'a> {
    OutputText {
        annotations: [(); 0],
        logprobs: [(); 0],
        text: &'a str,
    },
    Refusal {
        refusal: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
    ReasoningText {
        text: &'a str,
    },
}

impl<'a> ContentPart<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::OutputText {
            annotations: [],
            logprobs: [],
            text,
        }
    }

    /// A part of a message; `None` for what has no place in one.
    pub(super) fn of_message(part: &'a Part) -> Option<Self> {
        match part {
            Part::Text(text) => Some(Self::text(text)),
            Part::Refusal(refusal) => Some(Self::Refusal { refusal }),
            _ => None,
        }
    }

    pub(super) fn of_reasoning(reasoning: &'a Reasoning) -> Self {
        let text = &*reasoning.text;
        if reasoning.summary {
            Self::SummaryText { text }
        } else {
            Self::ReasoningText { text }
        }
    }

    /// The same part before anything has been said in it.
    pub(super) fn emptied(self) -> Self {
        match self {
            Self::OutputText { .. } => Self::text(""),
            Self::Refusal { .. } => Self::Refusal { refusal: "" },
            Self::SummaryText { .. } => Self::SummaryText { text: "" },
            Self::ReasoningText { .. } => Self::ReasoningText { text: "" },
        }
    }
}

impl<'a> OutputItem<'a> {
    pub(super) fn message(id: String, parts: &'a [Part], status: Status) -> Self {
        Self::Message {
            id,
            status,
            content: parts.iter().filter_map(ContentPart::of_message).collect(),
            role: "assistant",
        }
    }

    pub(super) fn reasoning(id: String, reasoning: &'a Reasoning) -> Self {
        let said = (!reasoning.text.is_empty()).then(|| ContentPart::of_reasoning(reasoning));
        let (summary, content) = match said {
            Some(part) if reasoning.summary => (vec![part], None),
            Some(part) => (Vec::new(), Some([part])),
            None => (Vec::new(), None),
        };
        Self::Reasoning {
            id,
            summary,
            content,
            encrypted_content: encrypted(reasoning),
        }
    }

    /// Reasoning that has begun.
    pub(super) fn reasoning_begun(id: String) -> Self {
        Self::Reasoning {
            id,
            summary: Vec::new(),
            content: None,
            encrypted_content: None,
        }
    }

    /// A call, with `arguments` instead of its own.
    pub(super) fn call(id: String, call: &'a ToolCall, arguments: &'a str, status: Status) -> Self {
        let (call_id, name) = (&*call.id, &*call.name);
        if call.custom {
            Self::CustomToolCall {
                id,
                status,
                call_id,
                input: arguments,
                name,
            }
        } else {
            Self::FunctionCall {
                id,
                status,
                arguments,
                call_id,
                name,
            }
        }
    }

    /// The reasoning item that carries a call's state; `None` for a call without.
    pub(super) fn state_of_call(id: String, call: &ToolCall) -> Option<Self> {
        let mut state = call.state.clone()?;
        state.item_id = Some(call.id.clone());
        Some(Self::Reasoning {
            id,
            summary: Vec::new(),
            content: None,
            encrypted_content: Some(state.sealed()),
        })
    }
}

/// A call's arguments as they are shown when it is done: a function that was given none got the empty object.
pub(super) fn arguments_done(call: &ToolCall) -> &str {
    if call.arguments.is_empty() && !call.custom {
        "{}"
    } else {
        &call.arguments
    }
}

/// This dialect's own state as it came, another's sealed. Thoughts that are wanted back as they are need no more than
/// themselves.
fn encrypted(reasoning: &Reasoning) -> Option<String> {
    let state = reasoning.state.as_ref()?;
    match (state.origin, state.kind) {
        (Dialect::Responses, OpaqueKind::Encrypted | OpaqueKind::Signature) => {
            Some(state.data.clone())
        }
        (Dialect::Responses, OpaqueKind::Text) => None,
        _ => reasoning.sealed(),
    }
}

/// Makes the ids of one answer's items, which no provider gave: the same for the same place in the same answer.
#[derive(Debug, Clone)]
pub(super) struct ItemIds(String);

impl ItemIds {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let digits = context.request_id.chars();
        Self(digits.filter(char::is_ascii_hexdigit).collect())
    }

    pub(super) fn message(&self, index: usize) -> String {
        format!("msg_{}_{index}", self.0)
    }

    pub(super) fn reasoning(&self, index: usize) -> String {
        format!("rs_{}_{index}", self.0)
    }

    pub(super) fn call(&self, index: usize, call: &ToolCall) -> String {
        let prefix = if call.custom { "ctc" } else { "fc" };
        format!("{prefix}_{}_{index}", self.0)
    }
}

/// Every item of one choice. The last is where an incomplete answer was cut.
pub(super) fn items<'a>(parts: &'a [Part], ids: &ItemIds, cut: bool) -> Vec<OutputItem<'a>> {
    let last = parts.iter().rposition(is_shown).unwrap_or_default();
    let status = |end: usize| match cut && end == last {
        true => Status::Incomplete,
        false => Status::Completed,
    };
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let start = at;
        at += 1;
        match part {
            Part::Text(_) | Part::Refusal(_) => {
                while parts.get(at).is_some_and(is_said) {
                    at += 1;
                }
                let said = parts.get(start..at).unwrap_or_default();
                let id = ids.message(items.len());
                items.push(OutputItem::message(id, said, status(at - 1)));
            }
            Part::Reasoning(reasoning) => {
                let own = reasoning.state.as_ref();
                let own = own.filter(|state| state.origin == Dialect::Responses);
                let id = own.and_then(|state| state.item_id.clone());
                let id = id.unwrap_or_else(|| ids.reasoning(items.len()));
                items.push(OutputItem::reasoning(id, reasoning));
            }
            Part::ToolCall(call) => {
                let id = ids.call(items.len(), call);
                items.push(OutputItem::call(
                    id,
                    call,
                    arguments_done(call),
                    status(start),
                ));
            }
            // No model answers with these in a conversation.
            Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::ToolResult(_) => {}
        }
    }
    for part in parts {
        if let Part::ToolCall(call) = part {
            let id = ids.reasoning(items.len());
            items.extend(OutputItem::state_of_call(id, call));
        }
    }
    items
}

fn is_said(part: &Part) -> bool {
    matches!(part, Part::Text(_) | Part::Refusal(_))
}

fn is_shown(part: &Part) -> bool {
    is_said(part) || matches!(part, Part::Reasoning(_) | Part::ToolCall(_))
}
