//! What a derive cannot know, put right in the finished document.
//!
//! - A derive takes what is optional in Rust for what may be missing. Answers have every field, `null` where there is
//!   nothing; the few that are left out are in [`LEFT_OUT`]. What a default is when an answer is *read* is no matter of
//!   its schema.
//! - An empty parameter of a query is an error, and numbers are read into types that have an end.
//! - A comment is broken into lines and may link to code; a description is neither.
//! - What is said of a field that refers to a schema or is `null` is said of the field.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Fields of answers that are left out where there is nothing to say.
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("AuditReport", &["expected_seq"]),
    ("Backup", &["omitted"]),
    ("Budget", &["money", "tokens"]),
    ("NewApiKey", &["secret"]),
    ("RequestLogDetail", &["request_body", "response_body"]),
    ("RetentionLimits", &["age_ms", "bytes", "records"]),
];

const SCHEMAS: &str = "#/components/schemas/";

pub(super) fn tidy(document: &mut Value) {
    complete_answers(document);
    bound_requests(document);
    tidy_all(document);
}

/// Requires every field of every schema that only answers have.
fn complete_answers(document: &mut Value) {
    let requests = below_requests(document);
    let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (name, schema) in schemas {
        if requests.contains(name) {
            continue;
        }
        let left_out = LEFT_OUT.iter().find(|(known, _)| known == name);
        let left_out = left_out.map_or(&[][..], |(_, fields)| fields);
        complete(schema, left_out);
    }
}

fn complete(schema: &mut Value, left_out: &[&str]) {
    if let Some(parts) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        for part in parts {
            complete(part, left_out);
        }
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for property in properties.values_mut() {
        if let Some(property) = property.as_object_mut() {
            property.shift_remove("default");
        }
    }
    let required: Vec<Value> = properties
        .keys()
        .filter(|name| !left_out.contains(&name.as_str()))
        .map(|name| json!(name))
        .collect();
    if let Some(object) = schema.as_object_mut() {
        match required.is_empty() {
            true => object.shift_remove("required"),
            false => object.insert("required".to_owned(), required.into()),
        };
    }
}

/// The names of the schemas that requests are made of.
fn below_requests(document: &Value) -> BTreeSet<String> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut waiting: Vec<&Value> = paths
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .flat_map(|operation| [operation.get("requestBody"), operation.get("parameters")])
        .flatten()
        .collect();
    let mut found = BTreeSet::new();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                if let Some(name) = reference.and_then(|text| text.strip_prefix(SCHEMAS))
                    && found.insert(name.to_owned())
                {
                    waiting.extend(document.pointer(&format!("/components/schemas/{name}")));
                }
                waiting.extend(fields.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

fn tidy_all(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = prose(text);
            }
            lift_description(fields);
            for (name, field) in fields.iter_mut() {
                if !matches!(name.as_str(), "example" | "examples" | "default") {
                    tidy_all(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy_all),
        _ => {}
    }
}

/// Lines become sentences, and links to code the code.
fn prose(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect();
    paragraphs
        .join("\n\n")
        .replace("[`", "`")
        .replace("`]", "`")
}

/// `oneOf` of something and `null`: the description belongs beside it.
fn lift_description(fields: &mut Map<String, Value>) {
    if fields.contains_key("description") {
        return;
    }
    let Some(Value::Array(choices)) = fields.get_mut("oneOf") else {
        return;
    };
    let is_null = |choice: &Value| choice.get("type").and_then(Value::as_str) == Some("null");
    if choices.len() != 2 || !choices.iter().any(is_null) {
        return;
    }
    let mut lifted = None;
    for choice in choices.iter_mut().filter_map(Value::as_object_mut) {
        if choice.contains_key("$ref") {
            lifted = choice.shift_remove("description").or(lifted);
        }
    }
    if let Some(description) = lifted {
        fields.insert("description".to_owned(), description);
    }
}

/// Bounds what requests hold by the types that it is read into.
fn bound_requests(document: &mut Value) {
    let requests = below_requests(document);
    if let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        for (_, schema) in schemas
            .iter_mut()
            .filter(|(name, _)| requests.contains(name.as_str()))
        {
            bound_all(schema);
        }
    }
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return;
    };
    let operations = paths
        .values_mut()
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations {
        let parameters = operation
            .get_mut("parameters")
            .and_then(Value::as_array_mut);
        parameters.into_iter().flatten().for_each(bound_parameter);
    }
}

fn bound_parameter(parameter: &mut Value) {
    let is = |name: &str, text: &str| parameter.get(name).and_then(Value::as_str) == Some(text);
    let (is_query, is_limit) = (is("in", "query"), is("name", "limit"));
    lift_from_schema(parameter);
    let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) else {
        return;
    };
    if is_query && schema.get("type") == Some(&json!("string")) {
        let says_more = ["enum", "pattern"]
            .iter()
            .any(|key| schema.contains_key(*key));
        if !says_more {
            schema.insert("minLength".to_owned(), json!(1));
        }
    }
    if is_limit {
        schema.insert("minimum".to_owned(), json!(1));
    }
    bound(schema);
}

/// What is said of a schema that was written by hand is said of the parameter.
fn lift_from_schema(parameter: &mut Value) {
    let Some(fields) = parameter.as_object_mut() else {
        return;
    };
    let schema = fields.get_mut("schema").and_then(Value::as_object_mut);
    let lifted = schema.and_then(|schema| schema.shift_remove("description"));
    if let Some(description) = lifted
        && !fields.contains_key("description")
    {
        fields.insert("description".to_owned(), description);
    }
}

fn bound_all(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            bound(fields);
            fields.values_mut().for_each(bound_all);
        }
        Value::Array(items) => items.iter_mut().for_each(bound_all),
        _ => {}
    }
}

fn bound(schema: &mut Map<String, Value>) {
    let format = schema.get("format").and_then(Value::as_str);
    let is_unsigned = schema.get("minimum") == Some(&json!(0));
    let is_positive = schema.contains_key("minimum");
    let (least, most) = match (format, is_unsigned) {
        (Some("int32"), _) if is_positive => (json!(1), json!(u32::MAX)),
        (Some("int32"), _) => (json!(i32::MIN), json!(i32::MAX)),
        (Some("int64"), true) => (json!(0), json!(u64::MAX)),
        (Some("int64"), false) => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    for (key, bound) in [("minimum", least), ("maximum", most)] {
        if !schema.contains_key(key) {
            schema.insert(key.to_owned(), bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_becomes_a_description() {
        let check = |comment: &str, expected: &str| assert_eq!(prose(comment), expected);
        check("One\nsentence.", "One sentence.");
        check("One.\n\nTwo\nlines.", "One.\n\nTwo lines.");
        check("See [`Event::name`].", "See `Event::name`.");
    }

    #[test]
    fn what_is_said_of_a_reference_is_said_of_the_field() {
        let mut field =
            json!({"oneOf": [{"$ref": "#/a", "description": "An a."}, {"type": "null"}]});
        tidy_all(&mut field);
        let expected =
            json!({"oneOf": [{"$ref": "#/a"}, {"type": "null"}], "description": "An a."});
        assert_eq!(field, expected);
    }

    #[test]
    fn answers_have_every_field_and_requests_what_they_say() {
        let schema = || json!({"type": "object", "properties": {"a": {"default": 1}, "b": {}}});
        let named = |name: &str| json!({"schema": {"$ref": format!("{SCHEMAS}{name}")}});
        let mut document = json!({
            "paths": {"/": {"post": {
                "parameters": [],
                "requestBody": {"content": {"application/json": named("Asked")}},
                "responses": {"200": {"content": {"application/json": named("Budget")}}},
            }}},
            "components": {"schemas": {"Asked": schema(), "Told": schema(), "Budget": {"properties": {"tokens": {}}}}},
        });
        tidy(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Asked"], schema());
        assert_eq!(schemas["Told"]["required"], json!(["a", "b"]));
        assert_eq!(schemas["Told"]["properties"]["a"], json!({}));
        assert_eq!(schemas["Budget"]["required"], Value::Null);
    }

    #[test]
    fn parameters_of_a_query_are_never_empty_and_limits_are_above_0() {
        let check = |name: &str, schema: Value, expected: Value| {
            let mut parameter = json!({"in": "query", "name": name, "schema": schema});
            bound_parameter(&mut parameter);
            assert_eq!(parameter["schema"], expected);
        };
        let text = json!({"type": "string"});
        check("q", text, json!({"type": "string", "minLength": 1}));
        let word = json!({"type": "string", "enum": ["a"]});
        check("kind", word.clone(), word);
        check(
            "limit",
            json!({"type": "integer", "format": "int32", "minimum": 0}),
            json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": u32::MAX}),
        );
        check(
            "stream",
            json!({"type": "boolean"}),
            json!({"type": "boolean"}),
        );
    }

    #[test]
    fn numbers_have_the_ends_of_their_types_unless_they_have_narrower_ones() {
        let check = |schema: Value, least: Value, most: Value| {
            let mut fields = schema.as_object().unwrap().clone();
            bound(&mut fields);
            assert_eq!((&fields["minimum"], &fields["maximum"]), (&least, &most));
        };
        let signed = json!({"type": "integer", "format": "int64"});
        check(signed, json!(i64::MIN), json!(i64::MAX));
        let unsigned = json!({"type": "integer", "format": "int64", "minimum": 0});
        check(unsigned, json!(0), json!(u64::MAX));
        let positive = json!({"type": "integer", "format": "int64", "minimum": 1});
        check(positive, json!(1), json!(i64::MAX));
        let small = json!({"type": "integer", "format": "int32", "minimum": 0});
        check(small, json!(0), json!(u32::MAX));
        let narrow = json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": 9});
        check(narrow, json!(1), json!(9));
    }
}
