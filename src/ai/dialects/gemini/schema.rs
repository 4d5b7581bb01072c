//! Gemini's `Schema`, a dialect of OpenAPI 3.0, as JSON Schema. <https://ai.google.dev/api/caching#Schema>
//!
//! Types are in upper case there, `nullable` stands for a second type, counts are written as texts, and the order of
//! properties has a field of its own: elsewhere the order in which they stand is the one they are written in. The other way is not needed: Gemini takes
//! JSON Schema as it is (`parametersJsonSchema`, `responseJsonSchema`).

use serde_json::{Map, Value};

use super::fields::camel_case;

/// The schema in JSON Schema's words. One that already speaks them comes back unchanged.
pub(super) fn to_json_schema(schema: Value) -> Value {
    let Value::Object(fields) = schema else {
        return schema;
    };
    let mut out = Map::with_capacity(fields.len());
    let mut nullable = false;
    let mut order = Value::Null;
    for (key, value) in fields {
        let key = keyword(key);
        match (key.as_str(), value) {
            ("nullable", Value::Bool(wanted)) => nullable = wanted,
            ("propertyOrdering", names) => order = names,
            ("nullable", _) => {}
            ("type", Value::String(word)) => {
                if word != "TYPE_UNSPECIFIED" {
                    out.insert(key, Value::String(word.to_ascii_lowercase()));
                }
            }
            // A list of words, which says no more than `enum` itself.
            ("format", Value::String(word)) if word == "enum" => {}
            ("example", value) => {
                out.insert("examples".into(), Value::Array(vec![value]));
            }
            ("properties" | "$defs" | "defs", Value::Object(named)) => {
                let named = named.into_iter();
                let named = named.map(|(name, schema)| (name, to_json_schema(schema)));
                let key = if key == "defs" { "$defs".into() } else { key };
                out.insert(key, Value::Object(named.collect()));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                let schemas = schemas.into_iter().map(to_json_schema);
                out.insert(key, Value::Array(schemas.collect()));
            }
            ("items" | "additionalProperties", value) => {
                out.insert(key, to_json_schema(value));
            }
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties",
                value,
            ) => {
                out.insert(key, number(value));
            }
            (_, value) => {
                out.insert(key, value);
            }
        }
    }
    if nullable {
        admit_null(&mut out);
    }
    if let Some(Value::Object(properties)) = out.get_mut("properties") {
        put_in_order(properties, &order);
    }
    Value::Object(out)
}

/// Puts the properties that `order` names first, in its order.
fn put_in_order(properties: &mut Map<String, Value>, order: &Value) {
    let Some(order) = order.as_array() else {
        return;
    };
    let mut all: Vec<(String, Value)> = std::mem::take(properties).into_iter().collect();
    all.sort_by_key(|(name, _)| {
        let at = order.iter().position(|named| named == name);
        at.unwrap_or(order.len())
    });
    properties.extend(all);
}

/// Google takes `any_of` for `anyOf`; keywords of JSON Schema have no underscores.
fn keyword(key: String) -> String {
    if key.contains('_') {
        camel_case(&key)
    } else {
        key
    }
}

/// `"5"` as 5: Google writes 64-bit counts as texts.
fn number(value: Value) -> Value {
    let parsed = value.as_str().and_then(|text| text.parse::<u64>().ok());
    parsed.map_or(value, Value::from)
}

fn admit_null(schema: &mut Map<String, Value>) {
    let null = || Value::String("null".into());
    if let Some(Value::Array(words)) = schema.get_mut("enum")
        && !words.contains(&Value::Null)
    {
        words.push(Value::Null);
    }
    if let Some(Value::String(word)) = schema.get("type") {
        let both = Value::Array(vec![Value::String(word.clone()), null()]);
        schema.insert("type".into(), both);
    } else if let Some(Value::Array(schemas)) = schema.get_mut("anyOf") {
        schemas.push(serde_json::json!({"type": "null"}));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_word_of_the_other_dialect_is_translated_at_every_depth() {
        let check = |schema: Value, expected: Value| {
            assert_eq!(to_json_schema(schema), expected);
        };
        check(
            json!({"type": "OBJECT", "properties": {
                "type": {"type": "STRING", "nullable": true},
                "any_of": {"any_of": [{"type": "INTEGER", "format": "int32"}, {"type": "NULL"}]},
                "list": {"type": "ARRAY", "items": {"type": "NUMBER"}, "minItems": "1", "max_items": 3},
             }, "required": ["type"], "propertyOrdering": ["list", "type"]}),
            json!({"type": "object", "properties": {
                "type": {"type": ["string", "null"]},
                "any_of": {"anyOf": [{"type": "integer", "format": "int32"}, {"type": "null"}]},
                "list": {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3},
             }, "required": ["type"]}),
        );
        check(
            json!({"type": "STRING", "format": "enum", "enum": ["a"], "nullable": true, "example": "a"}),
            json!({"type": ["string", "null"], "enum": ["a", null], "examples": ["a"]}),
        );
        check(
            json!({"anyOf": [{"type": "BOOLEAN"}], "nullable": true}),
            json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        );
        check(
            json!({"type": "TYPE_UNSPECIFIED", "additional_properties": {"type": "STRING"}, "nullable": false}),
            json!({"additionalProperties": {"type": "string"}}),
        );
    }

    #[test]
    fn properties_stand_in_the_order_that_was_asked_for() {
        let schema = to_json_schema(json!({"type": "OBJECT", "properties": {
            "answer": {}, "more": {}, "thoughts": {}, "last": {},
        }, "propertyOrdering": ["thoughts", "none", "answer"]}));
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["thoughts", "answer", "more", "last"]);
    }

    #[test]
    fn json_schema_stays_as_it_is() {
        let schema = json!({"$defs": {"a_b": {"type": "string"}}, "type": ["object", "null"], "additionalProperties": false,
            "properties": {"x": {"$ref": "#/$defs/a_b"}}, "enum": [1], "minLength": 2});
        assert_eq!(to_json_schema(schema.clone()), schema);
        assert_eq!(to_json_schema(json!(true)), json!(true));
    }
}
