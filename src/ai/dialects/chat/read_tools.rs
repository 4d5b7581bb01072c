//! What a request says about tools and about the shape of the answer: `tools`, `tool_choice`, the legacy `functions`
//! and `function_call`, and `response_format`.

use serde_json::Value;

use super::fields::{Fields, cannot_cross, note, wrong};
use super::wire::flat_format;
use crate::ai::conversation::{Conversation, OutputFormat, Tool, ToolChoice, ToolKind};
use crate::error::RequestError;

/// What a schema is called that the client gave no name.
const SCHEMA_NAME: &str = "response";

/// Reads every field about tools.
pub(super) fn read_tools(
    body: &mut Fields,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    for fields in body.objects("tools")? {
        read_tool(fields, conversation)?;
    }
    for fields in body.objects("functions")? {
        let tool = read_function(fields, conversation)?;
        conversation.tools.push(tool);
    }
    let choice = match body.value("tool_choice") {
        Some(choice) => read_choice("tool_choice", choice)?,
        None => match body.value("function_call") {
            Some(choice) => read_legacy_choice(choice)?,
            None => ToolChoice::Auto,
        },
    };
    conversation.tool_choice = choice;
    // Beside the modern fields these say nothing new.
    body.ignore(&["function_call"]);
    conversation.parallel_tool_calls = body.take("parallel_tool_calls", "a boolean")?;
    Ok(())
}

fn read_tool(mut fields: Fields, conversation: &mut Conversation) -> Result<(), RequestError> {
    let kind = fields.text("type")?;
    let tool = match kind.as_deref() {
        None | Some("function") => {
            let function = fields.needed_object("function")?;
            read_function(function, conversation)?
        }
        Some("custom") => {
            let mut custom = fields.needed_object("custom")?;
            Tool {
                name: custom.needed_text("name")?,
                description: custom.text("description")?,
                kind: ToolKind::Custom {
                    format: custom.value("format").map(flat_format),
                },
            }
        }
        // A tool that the provider runs itself, which another does not have.
        Some(hosted) => {
            note(&mut conversation.unread, format!("tools.{hosted}"));
            return Ok(());
        }
    };
    conversation.tools.push(tool);
    for name in fields.left() {
        note(&mut conversation.unread, format!("tools.{name}"));
    }
    Ok(())
}

fn read_function(
    mut fields: Fields,
    conversation: &mut Conversation,
) -> Result<Tool, RequestError> {
    let tool = Tool {
        name: fields.needed_text("name")?,
        description: fields.text("description")?,
        kind: ToolKind::Function {
            parameters: fields.value("parameters"),
            strict: fields.take("strict", "a boolean")?,
        },
    };
    for name in fields.left() {
        note(&mut conversation.unread, format!("tools.function.{name}"));
    }
    Ok(tool)
}

fn read_choice(path: &'static str, choice: Value) -> Result<ToolChoice, RequestError> {
    let mut fields = match choice {
        Value::String(word) => {
            return match word.as_str() {
                "auto" => Ok(ToolChoice::Auto),
                "none" => Ok(ToolChoice::None),
                // The second is what Mistral calls it.
                "required" | "any" => Ok(ToolChoice::Required),
                _ => Err(wrong(
                    path,
                    "must be `auto`, `none`, `required` or an object",
                )),
            };
        }
        other => Fields::of(path.to_owned(), other)?,
    };
    match fields.needed_text("type")?.as_str() {
        "allowed_tools" => read_allowed(fields.needed_object("allowed_tools")?),
        _ => Ok(ToolChoice::Named(named(fields)?)),
    }
}

/// The name in `{"type": "function", "function": {"name": …}}` or its `custom` twin. The type was taken already, or
/// is of no account: which of the two objects is there tells as much.
fn named(mut fields: Fields) -> Result<String, RequestError> {
    for kind in ["function", "custom"] {
        if let Some(mut inner) = fields.object(kind)? {
            return inner.needed_text("name");
        }
    }
    Err(cannot_cross(
        fields.path().to_owned(),
        "names a tool that only its own provider runs",
    ))
}

fn read_allowed(mut fields: Fields) -> Result<ToolChoice, RequestError> {
    let required = match fields.needed_text("mode")?.as_str() {
        "auto" => false,
        "required" => true,
        _ => {
            return Err(wrong(
                fields.path_of("mode"),
                "must be `auto` or `required`",
            ));
        }
    };
    let names: Result<Vec<String>, RequestError> =
        fields.objects("tools")?.into_iter().map(named).collect();
    Ok(ToolChoice::Allowed {
        names: names?,
        required,
    })
}

fn read_legacy_choice(choice: Value) -> Result<ToolChoice, RequestError> {
    match choice {
        Value::Object(_) => {
            let mut fields = Fields::of("function_call".to_owned(), choice)?;
            Ok(ToolChoice::Named(fields.needed_text("name")?))
        }
        word => read_choice("function_call", word),
    }
}

/// Reads `response_format`.
pub(super) fn read_format(body: &mut Fields) -> Result<OutputFormat, RequestError> {
    let Some(mut format) = body.object("response_format")? else {
        return Ok(OutputFormat::Text);
    };
    match format.needed_text("type")?.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => {
            let mut schema = format.needed_object("json_schema")?;
            Ok(OutputFormat::JsonSchema {
                name: schema
                    .text("name")?
                    .unwrap_or_else(|| SCHEMA_NAME.to_owned()),
                description: schema.text("description")?,
                strict: schema.take("strict", "a boolean")?,
                schema: schema
                    .value("schema")
                    .ok_or_else(|| wrong(schema.path_of("schema"), "is missing"))?,
            })
        }
        _ => Err(wrong(
            format.path_of("type"),
            "must be `text`, `json_object` or `json_schema`",
        )),
    }
}
