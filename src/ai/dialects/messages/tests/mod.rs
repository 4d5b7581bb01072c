//! Translation from and to this dialect, body by body and stream by stream.

mod answers;
mod counts;
mod reading;
mod reading_fields;
mod streams;
mod streams_read;
mod streams_written;
mod thinking;
mod writing;
mod writing_history;

use std::sync::Arc;

use serde_json::Value;

use crate::ai::conversation::{
    Conversation, Message, Opaque, OpaqueKind, Part, Role, Tool, ToolCall, ToolKind,
};
use crate::ai::dialects::{AnswerContext, Dialect, Quirks, Target};

/// A request of a client that speaks `dialect`, with one word of the user's.
fn conversation(dialect: Dialect) -> Conversation {
    let mut conversation = Conversation::new(dialect);
    conversation.messages = vec![user("hi")];
    conversation
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::Text(text.into())])
}

fn assistant(parts: Vec<Part>) -> Message {
    Message::new(Role::Assistant, parts)
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        custom: false,
        state: None,
    }
}

fn function(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        kind: ToolKind::Function {
            parameters: Some(serde_json::json!({"type": "object"})),
            strict: None,
        },
    }
}

fn custom(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        kind: ToolKind::Custom { format: None },
    }
}

fn opaque(origin: Dialect, kind: OpaqueKind, data: &str) -> Opaque {
    Opaque {
        origin,
        kind,
        data: data.into(),
        item_id: None,
    }
}

fn target(model: &str) -> Target<'_> {
    Target {
        model,
        stream: false,
        quirks: Quirks::default(),
        default_max_output_tokens: 4096,
    }
}

fn context(conversation: Conversation) -> Arc<AnswerContext> {
    Arc::new(AnswerContext {
        request_id: "0190-ab-cd".into(),
        created_unix: 7,
        model: "claude-test".into(),
        response_id: "resp_1".into(),
        wants_usage_event: false,
        conversation: Arc::new(conversation),
    })
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
