//! Tools, and which of them may be called, as Anthropic takes them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ai::conversation::{Conversation, Part, Tool, ToolChoice, ToolKind};
use crate::ai::dialects::{Dropped, Field, unsupported};
use crate::error::RequestError;

#[derive(Debug, Serialize)]
pub(super) struct WrittenTool<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    input_schema: Cow<'c, Value>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct WrittenChoice<'c> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'c str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// `tools` and `tool_choice`.
///
/// # Errors
/// `unsupported_parameter` where a tool must be called that is not there.
pub(super) fn write_tools<'c>(
    conversation: &'c Conversation,
    dropped: &mut Dropped<'_>,
) -> Result<(Vec<WrittenTool<'c>>, Option<WrittenChoice<'c>>), RequestError> {
    let choice = &conversation.tool_choice;
    // There is no list of allowed tools; those that are not allowed are not shown.
    let allowed = |tool: &&Tool| match choice {
        ToolChoice::Allowed { names, .. } => names.contains(&tool.name),
        _ => true,
    };
    let shown: Vec<WrittenTool<'c>> = conversation
        .tools
        .iter()
        .filter(allowed)
        .map(|tool| write_tool(tool, dropped))
        .collect();
    let missing = match choice {
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => shown.is_empty(),
        ToolChoice::Named(name) => !shown.iter().any(|tool| tool.name == name),
        _ => false,
    };
    if missing {
        let why = "no function of the request is the tool that must be called";
        return Err(unsupported(conversation, Field::ToolChoice, why));
    }
    if shown.is_empty() {
        return Ok(tools_of_history(conversation));
    }
    let parallel = conversation.parallel_tool_calls;
    Ok((shown, write_choice(choice, parallel)))
}

fn write_tool<'c>(tool: &'c Tool, dropped: &mut Dropped<'_>) -> WrittenTool<'c> {
    let input_schema = match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            // Anthropic's strict mode takes a subset of schemas, on some models, for so many tools: a wish that
            // could turn into a refusal.
            if *strict == Some(true) {
                dropped.field(Field::ToolStrict);
            }
            match parameters {
                Some(schema @ Value::Object(map)) if map.contains_key("type") => {
                    Cow::Borrowed(schema)
                }
                // `type` must be there.
                Some(Value::Object(map)) => {
                    let mut map = map.clone();
                    map.insert("type".into(), json!("object"));
                    Cow::Owned(Value::Object(map))
                }
                _ => Cow::Owned(json!({"type": "object", "properties": {}})),
            }
        }
        ToolKind::Custom { format } => {
            let kind = format.as_ref().and_then(|format| format.get("type"));
            if kind.is_some_and(|kind| kind != "text") {
                dropped.field(Field::ToolGrammar);
            }
            Cow::Owned(ToolKind::custom_schema())
        }
    };
    WrittenTool {
        name: &tool.name,
        description: tool.description.as_deref().filter(|text| !text.is_empty()),
        input_schema,
    }
}

fn write_choice(choice: &ToolChoice, parallel: Option<bool>) -> Option<WrittenChoice<'_>> {
    let disable_parallel_tool_use = parallel == Some(false);
    let (r#type, name) = match choice {
        ToolChoice::None => {
            return Some(WrittenChoice {
                r#type: "none",
                name: None,
                disable_parallel_tool_use: false,
            });
        }
        ToolChoice::Auto
        | ToolChoice::Allowed {
            required: false, ..
        } => {
            if !disable_parallel_tool_use {
                return None;
            }
            ("auto", None)
        }
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(&**name)),
    };
    Some(WrittenChoice {
        r#type,
        name,
        disable_parallel_tool_use,
    })
}

/// A history with calls needs tools to go with it. Where the request has none, those of the history are declared and
/// forbidden.
fn tools_of_history(
    conversation: &Conversation,
) -> (Vec<WrittenTool<'_>>, Option<WrittenChoice<'_>>) {
    let mut tools: Vec<WrittenTool<'_>> = Vec::new();
    for part in conversation.parts() {
        if let Part::ToolCall(call) = part
            && !tools.iter().any(|tool| tool.name == call.name)
        {
            tools.push(WrittenTool {
                name: &call.name,
                description: None,
                input_schema: Cow::Owned(json!({"type": "object"})),
            });
        }
    }
    let choice = (!tools.is_empty()).then(|| write_choice(&ToolChoice::None, None));
    (tools, choice.flatten())
}
