//! `tools` and `toolConfig` of a request for a provider. <https://ai.google.dev/api/caching#Tool>

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use crate::ai::conversation::{Conversation, Tool, ToolChoice, ToolKind};
use crate::ai::dialects::{Dropped, Field, unsupported};
use crate::error::RequestError;

/// One entry of `tools`: all functions are in one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tools<'c> {
    function_declarations: Vec<FunctionDeclaration<'c>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionDeclaration<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'c str>,
    /// Full JSON Schema; `parameters` would be the dialect of OpenAPI.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Cow<'c, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'c> {
    function_calling_config: FunctionCallingConfig<'c>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig<'c> {
    mode: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed_function_names: &'c [String],
}

/// The tools; empty where there are none. What a function cannot promise here is noted in `dropped`.
pub(super) fn tools<'c>(
    conversation: &'c Conversation,
    dropped: &mut Dropped<'_>,
) -> Vec<Tools<'c>> {
    if conversation.parallel_tool_calls == Some(false) {
        dropped.field(Field::ParallelToolCalls);
    }
    if conversation.tools.is_empty() {
        return Vec::new();
    }
    let tools = conversation.tools.iter();
    let function_declarations = tools.map(|tool| declaration(tool, dropped)).collect();
    vec![Tools {
        function_declarations,
    }]
}

fn declaration<'c>(tool: &'c Tool, dropped: &mut Dropped<'_>) -> FunctionDeclaration<'c> {
    let parameters_json_schema = match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            if *strict == Some(true) {
                dropped.field(Field::ToolStrict);
            }
            parameters.as_ref().map(Cow::Borrowed)
        }
        ToolKind::Custom { format } => {
            let kind = format.as_ref().and_then(|format| format.get("type"));
            if format.is_some() && kind.and_then(Value::as_str) != Some("text") {
                dropped.field(Field::ToolGrammar);
            }
            Some(Cow::Owned(ToolKind::custom_schema()))
        }
    };
    FunctionDeclaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema,
    }
}

/// A call can be demanded where every tool is one that another provider runs itself.
///
/// # Errors
/// `unsupported_parameter`: without the demand the answer would be another one.
pub(super) fn refuse_a_call_to_nothing(conversation: &Conversation) -> Result<(), RequestError> {
    let demanded = matches!(
        conversation.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }
    );
    if demanded && conversation.tools.is_empty() {
        let why = "it demands a call, and none of the tools can be passed on";
        return Err(unsupported(conversation, Field::ToolChoice, why));
    }
    Ok(())
}

/// Which functions may or must be called; without functions, and for the default, nothing.
pub(super) fn tool_config(conversation: &Conversation) -> Option<ToolConfig<'_>> {
    if conversation.tools.is_empty() {
        return None;
    }
    let (mode, allowed_function_names): (_, &[String]) = match &conversation.tool_choice {
        ToolChoice::Auto => return None,
        ToolChoice::None => ("NONE", &[]),
        ToolChoice::Required => ("ANY", &[]),
        ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
        ToolChoice::Allowed {
            names,
            required: true,
        } => ("ANY", names),
        // `AUTO` takes no names.
        ToolChoice::Allowed {
            names,
            required: false,
        } => ("VALIDATED", names),
    };
    Some(ToolConfig {
        function_calling_config: FunctionCallingConfig {
            mode,
            allowed_function_names,
        },
    })
}
