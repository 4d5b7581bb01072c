//! `tools` and `toolConfig` of a client's request. <https://ai.google.dev/api/caching#Tool>

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, value::RawValue};

use super::fields::{Fields, wrong};
use super::schema;
use crate::ai::conversation::{Conversation, Tool, ToolChoice, ToolKind};
use crate::error::RequestError;

const TOOLS: &str = "tools";
const DECLARATIONS: &str = "tools.functionDeclarations";

/// Reads the functions; tools that Google runs itself have no place elsewhere and are named as left out.
///
/// # Errors
/// `invalid_request` naming `tools`.
pub(super) fn read_tools(
    raw: &RawValue,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let tools: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| wrong(TOOLS, "must be a list of tools"))?;
    let mut unread = BTreeSet::new();
    for tool in tools {
        let mut tool = Fields::parse(TOOLS, tool.get().as_bytes())?;
        let declarations: Vec<&RawValue> = tool
            .take("functionDeclarations", "a list of functions")?
            .unwrap_or_default();
        for declaration in declarations {
            let tool = read_declaration(declaration, &mut unread)?;
            conversation.tools.push(tool);
        }
        unread.extend(tool.rest());
    }
    conversation
        .unread
        .extend(unread.into_iter().map(Cow::Owned));
    Ok(())
}

fn read_declaration(raw: &RawValue, unread: &mut BTreeSet<String>) -> Result<Tool, RequestError> {
    let mut fields = Fields::parse(DECLARATIONS, raw.get().as_bytes())?;
    let name: Option<String> = fields.take("name", "a text")?;
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| wrong(DECLARATIONS, "must each have a `name`"))?;
    let description = fields.take("description", "a text")?;
    let json_schema: Option<Value> = fields.take("parametersJsonSchema", "a schema")?;
    let openapi: Option<Value> = fields.take("parameters", "a schema")?;
    // What the function gives back, and how it behaves in a live session.
    unread.extend(fields.rest());
    Ok(Tool {
        name,
        description,
        kind: ToolKind::Function {
            parameters: json_schema.or_else(|| openapi.map(schema::to_json_schema)),
            strict: None,
        },
    })
}

/// Reads which functions may or must be called.
///
/// # Errors
/// `invalid_request` naming the field.
pub(super) fn read_tool_config(
    mut config: Fields<'_>,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    const CALLING: &str = "toolConfig.functionCallingConfig";
    if let Some(mut calling) = config.take_object("functionCallingConfig", CALLING)? {
        let mode: Option<String> = calling.take("mode", "a text")?;
        let names: Vec<String> = calling
            .take("allowedFunctionNames", "a list of texts")?
            .unwrap_or_default();
        let mode = mode.unwrap_or_default().to_ascii_uppercase();
        conversation.tool_choice = match (&*mode, names.is_empty()) {
            ("NONE", _) => ToolChoice::None,
            ("ANY", true) => ToolChoice::Required,
            ("ANY", false) => one_or_some(names),
            ("" | "AUTO" | "MODE_UNSPECIFIED" | "VALIDATED", true) => ToolChoice::Auto,
            ("" | "AUTO" | "MODE_UNSPECIFIED" | "VALIDATED", false) => ToolChoice::Allowed {
                names,
                required: false,
            },
            _ => {
                return Err(wrong(
                    format!("{CALLING}.mode"),
                    "must be `AUTO`, `ANY`, `NONE` or `VALIDATED`",
                ));
            }
        };
        if mode == "VALIDATED" {
            // `AUTO` with arguments that are sure to match: elsewhere that is a promise of each tool's, with rules of
            // its own for the schema.
            conversation.unread.push(format!("{CALLING}.mode").into());
        }
        conversation.unread.extend(calling.rest().map(Cow::Owned));
    }
    conversation.unread.extend(config.rest().map(Cow::Owned));
    Ok(())
}

fn one_or_some(names: Vec<String>) -> ToolChoice {
    match <[String; 1]>::try_from(names) {
        Ok([name]) => ToolChoice::Named(name),
        Err(names) => ToolChoice::Allowed {
            names,
            required: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ai::dialects::Dialect;

    fn tools(json: &str) -> Result<Conversation, RequestError> {
        let mut conversation = Conversation::new(Dialect::Gemini);
        read_tools(serde_json::from_str(json).unwrap(), &mut conversation)?;
        Ok(conversation)
    }

    fn choice(json: &str) -> Result<Conversation, RequestError> {
        let mut conversation = Conversation::new(Dialect::Gemini);
        read_tool_config(
            Fields::parse("toolConfig", json.as_bytes())?,
            &mut conversation,
        )?;
        Ok(conversation)
    }

    #[test]
    fn functions_are_read_with_either_schema_and_hosted_tools_are_told() {
        let conversation = tools(
            r#"[{"functionDeclarations":[
                {"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}},
                {"name":"g","parametersJsonSchema":{"type":"object"},"response":{"type":"STRING"}},
                {"name":"h","response":{"type":"STRING"}}]},
               {"googleSearch":{}},{"code_execution":{},"function_declarations":[{"name":"i"}]}]"#,
        )
        .unwrap();
        let parameters: Vec<_> = conversation
            .tools
            .iter()
            .map(|tool| match &tool.kind {
                ToolKind::Function {
                    parameters,
                    strict: None,
                } => (&*tool.name, parameters.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            parameters,
            [
                (
                    "f",
                    Some(json!({"type": "object", "properties": {"a": {"type": "string"}}}))
                ),
                ("g", Some(json!({"type": "object"}))),
                ("h", None),
                ("i", None),
            ]
        );
        assert_eq!(conversation.tools[0].description.as_deref(), Some("d"));
        assert_eq!(
            conversation.unread,
            [
                "tools.code_execution",
                "tools.functionDeclarations.response",
                "tools.googleSearch"
            ]
        );
    }

    #[test]
    fn every_mode_is_a_choice() {
        let check = |calling: &str, expected: ToolChoice| {
            let json = format!(r#"{{"functionCallingConfig":{calling}}}"#);
            assert_eq!(choice(&json).unwrap().tool_choice, expected, "{calling}");
        };
        let some = |required| ToolChoice::Allowed {
            names: vec!["f".into(), "g".into()],
            required,
        };
        check("{}", ToolChoice::Auto);
        check(r#"{"mode":"AUTO"}"#, ToolChoice::Auto);
        check(r#"{"mode":"none"}"#, ToolChoice::None);
        check(r#"{"mode":"ANY"}"#, ToolChoice::Required);
        check(
            r#"{"mode":"ANY","allowed_function_names":["f"]}"#,
            ToolChoice::Named("f".into()),
        );
        check(
            r#"{"mode":"ANY","allowedFunctionNames":["f","g"]}"#,
            some(true),
        );
        check(
            r#"{"mode":"VALIDATED","allowedFunctionNames":["f","g"]}"#,
            some(false),
        );
        check(
            r#"{"mode":"AUTO","allowedFunctionNames":["f","g"]}"#,
            some(false),
        );
        let validated =
            choice(r#"{"function_calling_config":{"mode":"VALIDATED"},"retrievalConfig":{}}"#)
                .unwrap();
        assert_eq!(
            validated.unread,
            [
                "toolConfig.functionCallingConfig.mode",
                "toolConfig.retrievalConfig"
            ]
        );
        let error = choice(r#"{"functionCallingConfig":{"mode":"SOMETIMES"}}"#).unwrap_err();
        assert_eq!(
            error.param.as_deref(),
            Some("toolConfig.functionCallingConfig.mode")
        );
    }

    #[test]
    fn what_is_no_tool_is_refused() {
        for (json, param) in [
            ("{}", TOOLS),
            ("[1]", TOOLS),
            (r#"[{"functionDeclarations":{}}]"#, DECLARATIONS),
            (
                r#"[{"functionDeclarations":[{"description":"d"}]}]"#,
                DECLARATIONS,
            ),
        ] {
            let error = tools(json).expect_err(json);
            assert_eq!(error.param.as_deref(), Some(param), "{json}");
        }
    }
}
