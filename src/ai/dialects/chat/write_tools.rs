//! What a request says about tools and about the shape of the answer.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::wire::nested_format;
use crate::ai::conversation::{Conversation, OutputFormat, Tool, ToolChoice, ToolKind};
use crate::ai::dialects::{Dropped, Field, Quirks, unsupported};
use crate::error::RequestError;

/// A tool, or the mention of one where only its name is written.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WrittenTool<'c> {
    Function { function: Function<'c> },
    Custom { custom: Custom<'c> },
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Function<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Cow<'c, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Custom<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'c, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum WrittenChoice<'c> {
    Word(&'static str),
    Named(WrittenTool<'c>),
    Allowed(Allowed<'c>),
}

#[derive(Debug, Serialize)]
pub(super) struct Allowed<'c> {
    r#type: &'static str,
    allowed_tools: AllowedTools<'c>,
}

#[derive(Debug, Serialize)]
struct AllowedTools<'c> {
    mode: &'static str,
    tools: Vec<WrittenTool<'c>>,
}

/// The tools, and which of them are to be called.
#[derive(Debug, Default)]
pub(super) struct WrittenTools<'c> {
    pub(super) tools: Vec<WrittenTool<'c>>,
    pub(super) choice: Option<WrittenChoice<'c>>,
    pub(super) parallel: Option<bool>,
}

/// Writes everything about tools.
///
/// # Errors
/// 400 where a call is demanded and no tool is left that could be called.
pub(super) fn write_tools<'c>(
    conversation: &'c Conversation,
    quirks: Quirks,
    dropped: &mut Dropped<'_>,
) -> Result<WrittenTools<'c>, RequestError> {
    let choice = &conversation.tool_choice;
    // A server without custom tools is taken to know no allowed ones either: the same is said by leaving out the rest.
    let offered = |tool: &&Tool| match choice {
        ToolChoice::Allowed { names, .. } if !quirks.custom_tools => names.contains(&tool.name),
        _ => true,
    };
    let tools: Vec<WrittenTool<'c>> = conversation
        .tools
        .iter()
        .filter(offered)
        .map(|tool| write_tool(tool, quirks, dropped))
        .collect();
    if tools.is_empty() {
        return match choice {
            ToolChoice::Auto | ToolChoice::None => Ok(WrittenTools::default()),
            ToolChoice::Allowed {
                required: false, ..
            } => Ok(WrittenTools::default()),
            ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { .. } => {
                Err(unsupported(
                    conversation,
                    Field::ToolChoice,
                    "it demands a call, and none of the tools it may call can be passed on",
                ))
            }
        };
    }
    let mention = |name: &'c str| mention(conversation, name, quirks);
    let mode = |required: bool| if required { "required" } else { "auto" };
    let choice = match choice {
        // What a provider does by itself.
        ToolChoice::Auto => None,
        ToolChoice::None => Some(WrittenChoice::Word("none")),
        ToolChoice::Required => Some(WrittenChoice::Word("required")),
        ToolChoice::Named(name) => Some(WrittenChoice::Named(mention(name))),
        ToolChoice::Allowed { names, required } if quirks.custom_tools => {
            Some(WrittenChoice::Allowed(Allowed {
                r#type: "allowed_tools",
                allowed_tools: AllowedTools {
                    mode: mode(*required),
                    tools: names.iter().map(|name| mention(name)).collect(),
                },
            }))
        }
        ToolChoice::Allowed { required, .. } => Some(WrittenChoice::Word(mode(*required))),
    };
    Ok(WrittenTools {
        tools,
        choice,
        parallel: conversation.parallel_tool_calls,
    })
}

fn write_tool<'c>(tool: &'c Tool, quirks: Quirks, dropped: &mut Dropped<'_>) -> WrittenTool<'c> {
    let (name, description) = (&*tool.name, tool.description.as_deref());
    let (parameters, strict) = match &tool.kind {
        ToolKind::Custom { format } if quirks.custom_tools => {
            return WrittenTool::Custom {
                custom: Custom {
                    name,
                    description,
                    format: format.as_ref().map(nested_format),
                },
            };
        }
        ToolKind::Custom { format } => {
            let grammar = format
                .as_ref()
                .is_some_and(|format| format.get("type").and_then(Value::as_str) != Some("text"));
            if grammar {
                dropped.field(Field::ToolGrammar);
            }
            (Cow::Owned(ToolKind::custom_schema()), None)
        }
        ToolKind::Function { parameters, strict } => {
            let parameters = match parameters {
                Some(parameters) => Cow::Borrowed(parameters),
                None => Cow::Owned(no_parameters(*strict)),
            };
            (parameters, *strict)
        }
    };
    WrittenTool::Function {
        function: Function {
            name,
            description,
            parameters: Some(parameters),
            strict,
        },
    }
}

/// The schema of a function without parameters: compatible servers want one, and a strict one has to rule out more.
fn no_parameters(strict: Option<bool>) -> Value {
    if strict == Some(true) {
        json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false})
    } else {
        json!({"type": "object", "properties": {}})
    }
}

fn mention<'c>(conversation: &Conversation, name: &'c str, quirks: Quirks) -> WrittenTool<'c> {
    if quirks.custom_tools && conversation.is_custom_tool(name) {
        WrittenTool::Custom {
            custom: Custom {
                name,
                ..Custom::default()
            },
        }
    } else {
        WrittenTool::Function {
            function: Function {
                name,
                ..Function::default()
            },
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WrittenFormat<'c> {
    JsonObject,
    JsonSchema { json_schema: Schema<'c> },
}

#[derive(Debug, Serialize)]
pub(super) struct Schema<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    schema: &'c Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// `response_format`; nothing for plain text.
pub(super) fn write_format(output: &OutputFormat) -> Option<WrittenFormat<'_>> {
    match output {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => Some(WrittenFormat::JsonObject),
        OutputFormat::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => Some(WrittenFormat::JsonSchema {
            json_schema: Schema {
                name,
                description: description.as_deref(),
                schema,
                strict: *strict,
            },
        }),
    }
}
