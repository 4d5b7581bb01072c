//! A chat request, as it was understood.

use super::{Message, Request};
use crate::simulator::{
    dialects::open_ai::{self, Content},
    heard::{Heard, Role, ToolCall, ToolResult, arguments},
};

pub(super) fn hear(request: &Request) -> Heard {
    let mut heard = Heard {
        model: request.model.clone(),
        tools: request.tools.iter().map(open_ai::tool_name).collect(),
        tool_choice: request
            .tool_choice
            .as_ref()
            .map(|choice| open_ai::tool_choice(choice).0),
        parallel: request.parallel_tool_calls,
        output: (&open_ai::output(request.response_format.as_ref())).into(),
        stop: request.stops().to_vec(),
        temperature: request.temperature,
        top_p: request.top_p,
        top_k: request.top_k,
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        seed: request.seed,
        max_tokens: request.max_completion_tokens.or(request.max_tokens),
        n: request.n,
        effort: request.reasoning_effort.clone(),
        stream: request.stream,
        ..Heard::default()
    };
    for message in &request.messages {
        hear_message(message, &mut heard);
    }
    heard
}

fn hear_message(message: &Message, heard: &mut Heard) {
    let content = message.content.as_ref();
    match message.role.as_str() {
        "system" | "developer" => {
            heard
                .system
                .extend(content.map(Content::texts).unwrap_or_default());
        }
        "tool" => {
            let turn = heard.turn(Role::User);
            turn.tool_results.push(ToolResult {
                id: message.tool_call_id.clone(),
                name: None,
                text: content
                    .map(|content| content.texts().join("\n"))
                    .unwrap_or_default(),
                error: false,
            });
        }
        "assistant" => {
            let turn = heard.turn(Role::Assistant);
            if let Some(content) = content {
                content.hear(turn);
            }
            turn.say(message.refusal.as_deref().unwrap_or_default());
            turn.reasoning_state |= message.reasoning_content.is_some();
            for call in &message.tool_calls {
                let (name, arguments) = match (&call.function, &call.custom) {
                    (Some(function), _) => (&function.name, arguments(&function.arguments)),
                    (None, Some(custom)) => (&custom.name, custom.input.as_str().into()),
                    (None, None) => continue,
                };
                turn.tool_calls.push(ToolCall {
                    id: Some(call.id.clone()),
                    name: name.clone(),
                    arguments,
                });
            }
        }
        _ => {
            if let Some(content) = content {
                content.hear(heard.turn(Role::User));
            }
        }
    }
}
