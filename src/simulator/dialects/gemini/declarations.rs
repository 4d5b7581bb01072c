//! What Google refuses of the tools and schemas that a request declares.

use serde_json::Value;

use super::request::Body;
use crate::simulator::errors::Problem;

/// Names of a tool other than the list of functions, which tools that Google runs go by.
const HOSTED: [&str; 8] = [
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "googleMaps",
    "fileSearch",
    "computerUse",
    "mcpServers",
];

/// The names that Google's own form of a schema knows.
const SCHEMA: [&str; 24] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "prefixItems",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
];

const TYPES: [&str; 7] = [
    "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL",
];

/// Every tool is one that Google knows, and every function has a name and a schema that it can read.
pub(super) fn check(body: &Body) -> Result<(), Problem> {
    for (index, tool) in body.tools.iter().enumerate() {
        for name in tool.keys() {
            let known = matches!(
                name.as_str(),
                "functionDeclarations" | "function_declarations"
            ) || HOSTED.iter().any(|hosted| *hosted == camel(name));
            if !known {
                return Err(unknown(name, &format!("tools[{index}]")));
            }
        }
    }
    for (index, function) in body.functions().enumerate() {
        let place = format!("tools[0].function_declarations[{index}]");
        self::function(function, &place)?;
    }
    let allowed = &body
        .tool_config
        .function_calling_config
        .allowed_function_names;
    for name in allowed {
        if !body
            .functions()
            .any(|function| function.get("name") == Some(&Value::from(name.as_str())))
        {
            return Err(Problem::invalid(format!(
                "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: {name} is not \
                 among the declared functions\n"
            )));
        }
    }
    Ok(())
}

fn function(function: &Value, place: &str) -> Result<(), Problem> {
    let names = function
        .as_object()
        .into_iter()
        .flat_map(|function| function.keys());
    for name in names {
        let known = [
            "name",
            "description",
            "parameters",
            "parametersJsonSchema",
            "response",
            "responseJsonSchema",
            "behavior",
        ];
        if !known.contains(&camel(name).as_str()) {
            return Err(unknown(name, place));
        }
    }
    let name = function
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '-');
    if !begins || !name.chars().all(goes_on) || name.len() > 64 {
        return Err(Problem::invalid(format!(
            "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an \
             underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), \
             with a maximum length of 64.\n"
        )));
    }
    let own = function.get("parameters");
    let json = function
        .get("parametersJsonSchema")
        .or_else(|| function.get("parameters_json_schema"));
    match (own, json) {
        (Some(_), Some(_)) => Err(Problem::invalid(format!(
            "* GenerateContentRequest.{place}: only one of parameters and parameters_json_schema may be set\n"
        ))),
        (Some(schema), None) => self::schema(schema, &format!("{place}.parameters")),
        (None, _) => Ok(()),
    }
}

/// A schema in Google's own form, and the schemas inside it.
pub(super) fn schema(schema: &Value, place: &str) -> Result<(), Problem> {
    let Some(fields) = schema.as_object() else {
        return Err(Problem::invalid(format!(
            "Invalid value at '{place}' (type.googleapis.com/google.ai.generativelanguage.v1beta.Schema)"
        )));
    };
    for (name, value) in fields {
        let name = camel(name);
        if !SCHEMA.contains(&name.as_str()) {
            return Err(unknown(&name, place));
        }
        match (name.as_str(), value) {
            ("type", Value::String(kind))
                if TYPES.contains(&kind.to_ascii_uppercase().as_str()) => {}
            ("type", _) => {
                return Err(Problem::invalid(format!(
                    "Invalid value at '{place}.type' (type.googleapis.com/google.ai.generativelanguage.v1beta.Type), {value}"
                )));
            }
            ("items", items) => self::schema(items, &format!("{place}.items"))?,
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    self::schema(property, &format!("{place}.properties[{name}]"))?;
                }
            }
            ("anyOf", Value::Array(alternatives)) => {
                for alternative in alternatives {
                    self::schema(alternative, &format!("{place}.any_of"))?;
                }
            }
            ("enum", Value::Array(values)) if !values.iter().all(Value::is_string) => {
                return Err(Problem::invalid(format!(
                    "Invalid value at '{place}.enum' (TYPE_STRING)"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

fn unknown(name: &str, place: &str) -> Problem {
    Problem::invalid(format!(
        "Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
    ))
}

/// Google reads snake case as well.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(letters);
    }
    camel
}
