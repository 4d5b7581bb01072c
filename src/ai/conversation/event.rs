//! The events of a streamed answer.
//!
//! ```text
//! Started ─▶ (Delta | Usage)* ─▶ Finished for each choice ─▶ Usage? ─▶ Ended
//!                 └────────────────── Failed, from anywhere, and nothing after it
//! ```
//!
//! A provider that closes a stream without an event of its own (Gemini, some compatible servers) gives no `Ended`:
//! its reader says that the stream may end there, and the writer is told to close.

use ferrogate_api::Tokens;

use super::{Finish, Opaque};
use crate::error::RequestError;

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The provider has begun; nothing has been said yet. At most once, before everything else.
    Started {
        id: Option<String>,
        model: Option<String>,
    },
    Delta {
        choice: u32,
        delta: Delta,
    },
    /// What has been used so far; a later one replaces it.
    Usage(Tokens),
    Finished {
        choice: u32,
        finish: Finish,
    },
    /// The provider's own closing event came.
    Ended,
    /// The provider reports that it failed.
    Failed(Box<RequestError>),
}

/// A piece of what one choice says. Text, reasoning and refusals go on until another kind of piece comes; calls are
/// told apart by their index and may come interleaved.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    Text(String),
    Refusal(String),
    Reasoning {
        text: String,
        summary: bool,
    },
    /// Ends the reasoning so far and belongs to it; without any before it, it stands alone.
    ReasoningState(Opaque),
    /// A call begins. Calls are numbered from 0 in the order they begin; text does not count.
    ToolCall {
        index: u32,
        id: String,
        name: String,
        custom: bool,
    },
    /// More of a call's arguments; a provider that sends them whole gives one.
    Arguments {
        index: u32,
        text: String,
    },
    /// See `ToolCall::state`.
    ToolCallState {
        index: u32,
        state: Opaque,
    },
}

impl Delta {
    /// Bytes of what the model said, for estimates.
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Refusal(text) => text.len(),
            Self::Reasoning { text, .. } | Self::Arguments { text, .. } => text.len(),
            Self::ToolCall { name, .. } => name.len(),
            Self::ReasoningState(_) | Self::ToolCallState { .. } => 0,
        }
    }
}
