//! The tools of a client's request, and which of them may or must be called.

use serde_json::{Map, Value};

use super::read_request::{Fields, note_unread, unsupported};
use crate::ai::conversation::{Conversation, Tool, ToolChoice, ToolKind};
use crate::ai::dialects::json_object::invalid;
use crate::error::RequestError;

const TOOLS: &str = "tools";
const TOOL_CHOICE: &str = "tool_choice";

/// Reads `tools`, `tool_choice` and `parallel_tool_calls`. A tool that a provider runs itself is named as not read.
///
/// # Errors
/// 400 naming the field.
pub(super) fn read(
    fields: &mut Fields,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let tools: Option<Vec<Map<String, Value>>> = fields.take(TOOLS, "a list of tools")?;
    for (index, tool) in tools.into_iter().flatten().enumerate() {
        if let Some(tool) = read_tool(tool, index, conversation)? {
            conversation.tools.push(tool);
        }
    }
    if let Some(choice) = fields.take(TOOL_CHOICE, "a word or an object")? {
        conversation.tool_choice = read_choice(choice, conversation)?;
    }
    conversation.parallel_tool_calls = fields.take("parallel_tool_calls", "a boolean")?;
    Ok(())
}

fn read_tool(
    mut tool: Map<String, Value>,
    index: usize,
    conversation: &mut Conversation,
) -> Result<Option<Tool>, RequestError> {
    let broken = |what: &str| {
        RequestError::new(
            crate::error::ErrorKind::InvalidRequest,
            format!("`tools[{index}]` must have {what}."),
        )
        .with_param(TOOLS)
    };
    let Some(Value::String(r#type)) = tool.remove("type") else {
        return Err(broken("a `type`"));
    };
    if !matches!(&*r#type, "function" | "custom") {
        note_unread(conversation, format!("tools.{type}"));
        return Ok(None);
    }
    let Some(Value::String(name)) = tool.remove("name").filter(|name| *name != "") else {
        return Err(broken("a `name`"));
    };
    let description = match tool.remove("description") {
        Some(Value::String(text)) => Some(text),
        None | Some(Value::Null) => None,
        Some(_) => return Err(broken("a `description` that is a text")),
    };
    let kind = if r#type == "custom" {
        ToolKind::Custom {
            format: tool.remove("format").filter(|format| !format.is_null()),
        }
    } else {
        ToolKind::Function {
            parameters: match tool.remove("parameters") {
                None | Some(Value::Null) => None,
                Some(schema @ Value::Object(_)) => Some(schema),
                Some(_) => return Err(broken("`parameters` that are a JSON schema")),
            },
            strict: tool.remove("strict").and_then(|strict| strict.as_bool()),
        }
    };
    for (field, value) in tool {
        // Said by leaving it out, too.
        if !matches!(value, Value::Null | Value::Bool(false)) {
            note_unread(conversation, format!("tools.{field}"));
        }
    }
    Ok(Some(Tool {
        name,
        description,
        kind,
    }))
}

fn read_choice(choice: Value, conversation: &mut Conversation) -> Result<ToolChoice, RequestError> {
    let object = match choice {
        Value::String(word) => {
            return match &*word {
                "auto" => Ok(ToolChoice::Auto),
                "none" => Ok(ToolChoice::None),
                "required" => Ok(ToolChoice::Required),
                _ => Err(malformed()),
            };
        }
        Value::Object(object) => object,
        _ => return Err(malformed()),
    };
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    match text("type") {
        Some("function" | "custom") => text("name")
            .map(|name| ToolChoice::Named(name.to_owned()))
            .ok_or_else(malformed),
        Some("allowed_tools") => allowed(&object, conversation),
        Some(_) => Err(unsupported(
            TOOL_CHOICE,
            "it forces a tool that only OpenAI runs",
        )),
        None => Err(malformed()),
    }
}

/// Those of the allowed tools that can be called; tools that a provider runs itself are not among the tools any more.
fn allowed(
    object: &Map<String, Value>,
    conversation: &mut Conversation,
) -> Result<ToolChoice, RequestError> {
    let required = match object.get("mode").and_then(Value::as_str) {
        Some("required") => true,
        Some("auto") => false,
        _ => return Err(malformed()),
    };
    let Some(Value::Array(tools)) = object.get("tools") else {
        return Err(malformed());
    };
    let mut names = Vec::new();
    for tool in tools {
        let text = |field: &str| tool.get(field).and_then(Value::as_str);
        match (text("type"), text("name")) {
            (Some("function" | "custom"), Some(name)) => names.push(name.to_owned()),
            (Some("function" | "custom") | None, _) => return Err(malformed()),
            (Some(hosted), _) => note_unread(conversation, format!("tools.{hosted}")),
        }
    }
    match (names.is_empty(), required) {
        (true, true) => Err(unsupported(
            TOOL_CHOICE,
            "it forces tools that only OpenAI runs",
        )),
        (true, false) => Ok(ToolChoice::None),
        (false, _) => Ok(ToolChoice::Allowed { names, required }),
    }
}

fn malformed() -> RequestError {
    invalid(
        TOOL_CHOICE,
        "must be `auto`, `none`, `required`, or an object with a `type` and the tools that it names",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read_request::read_request;
    use super::*;
    use crate::error::ErrorKind;

    fn read(fields: Value) -> Result<Conversation, RequestError> {
        let mut body = json!({"model": "m", "input": "hi"});
        let Value::Object(fields) = fields else {
            panic!("an object");
        };
        body.as_object_mut().unwrap().extend(fields);
        read_request(body.to_string().as_bytes())
    }

    #[test]
    fn functions_and_custom_tools_are_read_and_hosted_ones_named() {
        let format = json!({"type": "grammar", "syntax": "lark", "definition": "start: \"x\""});
        let conversation = read(json!({"parallel_tool_calls": false, "tools": [
            {"type": "function", "name": "f", "description": "d", "strict": true, "parameters": {"type": "object"}},
            {"type": "function", "name": "g", "parameters": null, "strict": null, "defer_loading": true, "async": false},
            {"type": "custom", "name": "patch", "format": format},
            {"type": "web_search", "filters": {}},
            {"type": "web_search"},
            {"type": "namespace", "name": "crm", "description": "x", "tools": []},
            {"type": "odd\r\nheader: x"},
        ]}))
        .unwrap();
        assert_eq!(conversation.parallel_tool_calls, Some(false));
        assert_eq!(
            conversation.tools,
            [
                Tool {
                    name: "f".into(),
                    description: Some("d".into()),
                    kind: ToolKind::Function {
                        parameters: Some(json!({"type": "object"})),
                        strict: Some(true),
                    },
                },
                Tool {
                    name: "g".into(),
                    description: None,
                    kind: ToolKind::Function {
                        parameters: None,
                        strict: None,
                    },
                },
                Tool {
                    name: "patch".into(),
                    description: None,
                    kind: ToolKind::Custom {
                        format: Some(format),
                    },
                },
            ]
        );
        assert_eq!(
            conversation.unread,
            [
                "tools.defer_loading",
                "tools.web_search",
                "tools.namespace",
                "tools.odd__header__x"
            ]
        );
    }

    #[test]
    fn every_choice_is_read() {
        let check = |choice: Value, expected: ToolChoice| {
            let conversation = read(json!({"tool_choice": choice})).unwrap();
            assert_eq!(conversation.tool_choice, expected, "{choice}");
        };
        check(json!("auto"), ToolChoice::Auto);
        check(json!(null), ToolChoice::Auto);
        check(json!("none"), ToolChoice::None);
        check(json!("required"), ToolChoice::Required);
        let named = ToolChoice::Named("f".into());
        check(json!({"type": "function", "name": "f"}), named.clone());
        check(json!({"type": "custom", "name": "f"}), named);
        let allowed = |mode: &str, tools: Value| json!({"type": "allowed_tools", "mode": mode, "tools": tools});
        check(
            allowed(
                "required",
                json!([{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "x"}]),
            ),
            ToolChoice::Allowed {
                names: vec!["f".into()],
                required: true,
            },
        );
        check(
            allowed("auto", json!([{"type": "web_search"}])),
            ToolChoice::None,
        );
    }

    #[test]
    fn what_is_malformed_or_forces_a_hosted_tool_is_refused_by_name() {
        let check = |fields: Value, kind: ErrorKind, param: &str| {
            let error = read(fields.clone()).unwrap_err();
            assert_eq!(
                (error.kind, error.param.as_deref()),
                (kind, Some(param)),
                "{fields}"
            );
        };
        for choice in [
            json!({"type": "web_search_preview"}),
            json!({"type": "mcp", "server_label": "x"}),
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "image_generation"}]}),
        ] {
            check(
                json!({"tool_choice": choice}),
                ErrorKind::UnsupportedParameter,
                TOOL_CHOICE,
            );
        }
        for choice in [
            json!("any"),
            json!(7),
            json!({}),
            json!({"type": "function"}),
            json!({"type": "allowed_tools", "mode": "auto"}),
            json!({"type": "allowed_tools", "tools": []}),
        ] {
            check(
                json!({"tool_choice": choice}),
                ErrorKind::InvalidRequest,
                TOOL_CHOICE,
            );
        }
        for tools in [
            json!({}),
            json!(["f"]),
            json!([{"name": "f"}]),
            json!([{"type": "function"}]),
            json!([{"type": "function", "name": "f", "parameters": "x"}]),
            json!([{"type": "function", "name": "f", "description": 1}]),
            // The shape of the chat API.
            json!([{"type": "function", "function": {"name": "f"}}]),
        ] {
            check(json!({"tools": tools}), ErrorKind::InvalidRequest, TOOLS);
        }
        check(
            json!({"parallel_tool_calls": "no"}),
            ErrorKind::InvalidRequest,
            "parallel_tool_calls",
        );
    }
}
