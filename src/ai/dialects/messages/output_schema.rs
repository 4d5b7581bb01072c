//! A JSON schema for structured output, as Anthropic's API takes it: a subset of the language.
//!
//! Keywords it does not know are refused with a 400, so they move into the description, where the model reads them;
//! an object that does not say whether it is open is closed, as the API demands. An object that the client declared
//! open stays so: closing it would forbid what was asked for, and the refusal is the honest answer.
//! <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>

use serde_json::{Map, Value};

/// Keywords that are passed on as they are.
const KEPT: [&str; 9] = [
    "$ref",
    "type",
    "enum",
    "const",
    "title",
    "description",
    "default",
    "required",
    "additionalProperties",
];

/// Formats of strings that the API knows.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// `schema` within the subset.
pub(super) fn output_schema(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema.clone();
    };
    let mut written = Map::new();
    let mut told = Vec::new();
    for (keyword, value) in schema {
        match &**keyword {
            "properties" | "$defs" | "definitions" => {
                written.insert(keyword.clone(), each(value));
            }
            "items" => {
                written.insert(keyword.clone(), output_schema(value));
            }
            "anyOf" | "allOf" => {
                written.insert(keyword.clone(), each(value));
            }
            // "Exactly one" is "any" to a generator: it writes what fits one of them.
            "oneOf" => {
                written.insert("anyOf".into(), each(value));
            }
            "format" if value.as_str().is_some_and(|word| FORMATS.contains(&word)) => {
                written.insert(keyword.clone(), value.clone());
            }
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => {
                written.insert(keyword.clone(), value.clone());
            }
            // Names for the schema itself; they constrain nothing.
            "$schema" | "$id" | "$comment" => {}
            known if KEPT.contains(&known) => {
                written.insert(keyword.clone(), value.clone());
            }
            _ => told.push(format!("{keyword}: {value}")),
        }
    }
    let is_object = schema.get("type").is_some_and(|kind| kind == "object");
    if is_object && !written.contains_key("additionalProperties") {
        written.insert("additionalProperties".into(), Value::Bool(false));
    }
    if !told.is_empty() {
        let told = format!("{{{}}}", told.join(", "));
        let description = match written.get("description").and_then(Value::as_str) {
            Some(own) => format!("{own}\n\n{told}"),
            None => told,
        };
        written.insert("description".into(), Value::String(description));
    }
    Value::Object(written)
}

/// Every schema of a list, or of a map by name.
fn each(schemas: &Value) -> Value {
    match schemas {
        Value::Array(list) => list.iter().map(output_schema).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, schema)| (name.clone(), output_schema(schema)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_keywords_become_words_and_objects_are_closed() {
        let check = |schema: Value, expected: Value| {
            assert_eq!(output_schema(&schema), expected, "{schema}");
        };
        check(
            json!({"$schema": "x", "type": "object", "properties": {
                "age": {"type": "integer", "minimum": 0, "description": "In years."},
                "when": {"type": "string", "format": "date"},
                "code": {"type": "string", "format": "regex", "maxLength": 3},
                "tags": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 4},
            }, "required": ["age"]}),
            json!({"type": "object", "additionalProperties": false, "properties": {
                "age": {"type": "integer", "description": "In years.\n\n{minimum: 0}"},
                "when": {"type": "string", "format": "date"},
                "code": {"type": "string", "description": "{format: \"regex\", maxLength: 3}"},
                "tags": {"type": "array", "items": {"type": "object", "additionalProperties": false},
                    "minItems": 1, "description": "{maxItems: 4}"},
            }, "required": ["age"]}),
        );
        check(
            json!({"oneOf": [{"$ref": "#/$defs/A"}, {"type": ["string", "null"]}],
                "$defs": {"A": {"type": "object", "properties": {}}}}),
            json!({"anyOf": [{"$ref": "#/$defs/A"}, {"type": ["string", "null"]}],
                "$defs": {"A": {"type": "object", "properties": {}, "additionalProperties": false}}}),
        );
        let open = json!({"type": "object", "additionalProperties": {"type": "string"}});
        check(open.clone(), open);
        check(json!(true), json!(true));
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword() {
        let schema = json!({"type": "object", "additionalProperties": false,
            "properties": {"pattern": {"type": "string"}, "minimum": {"type": "number"}}});
        assert_eq!(output_schema(&schema), schema);
    }
}
