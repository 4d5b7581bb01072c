//! A generateContent request, as it was understood.

use serde_json::{Map, Value};

use super::request::{Blob, Body, Content, FileData, FunctionResponse, Part};
use crate::simulator::{
    heard::{Heard, Media, Output, Role, ToolCall, ToolResult, Turn},
    reply::ToolChoice,
};

pub(super) fn hear(body: &Body, model: &str, stream: bool) -> Heard {
    let config = &body.generation_config;
    let thinking = &config.thinking_config;
    let json = config.response_mime_type.as_deref() == Some("application/json");
    let mut heard = Heard {
        model: model.to_owned(),
        tools: body.tools.iter().flat_map(tool_names).collect(),
        tool_choice: tool_choice(body).map(|(told, _)| told),
        output: match body.schema() {
            Some(_) => Output::JsonSchema,
            None if json => Output::JsonObject,
            None => Output::Text,
        },
        stop: config.stop_sequences.clone(),
        temperature: config.temperature,
        top_p: config.top_p,
        top_k: config.top_k,
        presence_penalty: config.presence_penalty,
        frequency_penalty: config.frequency_penalty,
        seed: config.seed,
        max_tokens: config.max_output_tokens,
        n: config.candidate_count,
        effort: thinking
            .thinking_level
            .as_deref()
            .map(str::to_ascii_lowercase),
        budget: thinking.thinking_budget,
        thoughts: thinking.include_thoughts,
        stream,
        ..Heard::default()
    };
    if let Some(system) = &body.system_instruction {
        heard.system.extend(system.texts().map(str::to_owned));
    }
    for content in &body.contents {
        hear_content(content, &mut heard);
    }
    heard
}

fn hear_content(content: &Content, heard: &mut Heard) {
    let role = if content.is_model() {
        Role::Assistant
    } else {
        Role::User
    };
    let turn = heard.turn(role);
    for part in &content.parts {
        hear_part(part, turn);
    }
}

fn hear_part(part: &Part, turn: &mut Turn) {
    turn.reasoning_state |= part.thought_signature.is_some();
    if let Some(text) = part.text.as_deref().filter(|_| !part.thought) {
        turn.say(text);
    }
    show(part.inline_data.as_ref(), part.file_data.as_ref(), turn);
    if let Some(call) = &part.function_call {
        turn.tool_calls.push(ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: Value::Object(call.args.clone()),
        });
    }
    if let Some(response) = &part.function_response {
        for part in &response.parts {
            show(part.inline_data.as_ref(), part.file_data.as_ref(), turn);
        }
        turn.tool_results.push(result(response));
    }
}

fn show(blob: Option<&Blob>, file: Option<&FileData>, turn: &mut Turn) {
    let inline = blob.and_then(|blob| Media::inline(&blob.mime_type, &blob.data));
    let named = file.map(|file| Media::Named {
        mime: file.mime_type.clone(),
        name: file.file_uri.clone(),
    });
    for media in inline.into_iter().chain(named) {
        turn.show(&media);
    }
}

/// By the API's reference, `output` holds what a function gave back and `error` what went wrong; without either, it
/// is all of it.
fn result(response: &FunctionResponse) -> ToolResult {
    let field = |name: &str| response.response.get(name);
    let (text, error) = match (field("error"), field("output")) {
        (Some(error), _) => (plain(error), true),
        (None, Some(output)) => (plain(output), false),
        (None, None) => (Value::Object(response.response.clone()).to_string(), false),
    };
    ToolResult {
        id: response.id.clone(),
        name: Some(response.name.clone()),
        text,
        error,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn tool_names(tool: &Map<String, Value>) -> Vec<String> {
    let named = |(kind, value): (&String, &Value)| match value.as_array() {
        Some(functions) => {
            let names = functions.iter().filter_map(|function| function.get("name"));
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        }
        None => vec![kind.clone()],
    };
    tool.iter().flat_map(named).collect()
}

/// The choice in words and in what it means for the answer.
pub(super) fn tool_choice(body: &Body) -> Option<(String, ToolChoice)> {
    let config = &body.tool_config.function_calling_config;
    let mode = config.mode.as_deref()?.to_ascii_uppercase();
    let names = config.allowed_function_names.as_slice();
    Some(match (mode.as_str(), names) {
        ("ANY", []) => ("required".into(), ToolChoice::Required),
        ("ANY", [name]) => (format!("tool:{name}"), ToolChoice::Named(name.clone())),
        ("ANY", [first, ..]) => {
            let told = format!("required:{}", names.join(","));
            (told, ToolChoice::Named(first.clone()))
        }
        ("NONE", _) => ("none".into(), ToolChoice::Free),
        (_, []) => ("auto".into(), ToolChoice::Free),
        (_, _) => (format!("auto:{}", names.join(",")), ToolChoice::Free),
    })
}
