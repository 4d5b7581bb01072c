//! JSON that fits a JSON Schema, for structured output and for the arguments of tools.
//!
//! It knows what clients send: objects, arrays, scalars, enumerations, alternatives and references. It is no
//! validator, and a schema that nothing fits gets something all the same.

use serde_json::{Map, Value};

/// Schemas may refer to themselves; below this depth a value is as small as it can be.
const DEPTH_MAX: usize = 8;

/// The values of one answer in all, so that its memory has a bound.
const VALUES_MAX: usize = 2000;

/// Longer strings and arrays than this are not made, whatever a schema says.
const LENGTH_MAX: usize = 1000;

/// A value for `schema`; its strings say `words` wherever they are free to.
pub fn fit(schema: &Value, words: &str) -> Value {
    let mut maker = Maker {
        root: schema,
        words,
        left: VALUES_MAX,
    };
    maker.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    words: &'a str,
    left: usize,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        self.left = self.left.saturating_sub(1);
        if let Some(fixed) = fixed(schema) {
            return fixed;
        }
        for alternatives in ["anyOf", "oneOf", "allOf", "any_of"] {
            let alternatives = schema.get(alternatives).and_then(Value::as_array);
            let first = alternatives.and_then(|all| all.iter().find(|one| kind(one) != "null"));
            if let (Some(first), true) = (first, depth < DEPTH_MAX) {
                return self.value(first, depth + 1);
            }
        }
        match kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" | "number" => number(schema),
            "boolean" => Value::from(true),
            "null" => Value::Null,
            _ => self.string(schema).into(),
        }
    }

    /// Follows references to the root, as many as the depth allows.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..DEPTH_MAX {
            let reference = schema.get("$ref").and_then(Value::as_str);
            let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
            match pointer.and_then(|pointer| self.root.pointer(pointer)) {
                Some(referred) => schema = referred,
                None => break,
            }
        }
        schema
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
        let mut object = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            let depth_max = if is_required(name) {
                DEPTH_MAX * 2
            } else {
                DEPTH_MAX
            };
            if depth < depth_max && self.left > 0 {
                object.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &'a Value, depth: usize) -> Value {
        let asked = length(schema, "minItems").unwrap_or(1);
        let allowed = length(schema, "maxItems").unwrap_or(LENGTH_MAX);
        let count = asked.min(allowed).min(LENGTH_MAX);
        if depth >= DEPTH_MAX || self.left == 0 {
            return Value::Array(Vec::new());
        }
        match schema.get("items") {
            Some(items) => (0..count).map(|_| self.value(items, depth + 1)).collect(),
            None => Value::Array(Vec::new()),
        }
    }

    fn string(&self, schema: &Value) -> String {
        let format = schema.get("format").and_then(Value::as_str);
        let mut text = match format.unwrap_or_default() {
            "date-time" => "2026-01-01T00:00:00Z",
            "date" => "2026-01-01",
            "time" => "00:00:00Z",
            "email" => "someone@example.com",
            "uri" => "https://example.com/",
            "uuid" => "00000000-0000-4000-8000-000000000000",
            _ => self.words,
        }
        .to_owned();
        if let Some(longest) = length(schema, "maxLength") {
            text = text.chars().take(longest).collect();
        }
        let shortest = length(schema, "minLength").unwrap_or_default();
        let missing = shortest
            .min(LENGTH_MAX)
            .saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('.', missing));
        text
    }
}

fn fixed(schema: &Value) -> Option<Value> {
    if let Some(constant) = schema.get("const") {
        return Some(constant.clone());
    }
    let values = schema.get("enum").and_then(Value::as_array)?;
    values.first().cloned()
}

/// The type, in lower case: Gemini writes them in capitals. Of several, the first that is not null.
fn kind(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        _ => None,
    };
    match named {
        Some(name) => name.to_ascii_lowercase(),
        None if schema.get("properties").is_some() => "object".into(),
        None if schema.get("items").is_some() => "array".into(),
        None => "string".into(),
    }
}

/// Seven, unless the schema's bounds forbid it.
fn number(schema: &Value) -> Value {
    let bound = |name: &str| schema.get(name).filter(|value| value.is_number());
    let above = |bound: &&Value| bound.as_f64().is_some_and(|bound| bound > 7.0);
    let below = |bound: &&Value| bound.as_f64().is_some_and(|bound| bound < 7.0);
    bound("minimum")
        .filter(above)
        .or_else(|| bound("maximum").filter(below))
        .cloned()
        .unwrap_or_else(|| Value::from(7))
}

/// A length; Gemini writes them as strings.
fn length(schema: &Value, name: &str) -> Option<usize> {
    let value = schema.get(name)?;
    let number = value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_its_schema() {
        let check = |schema: Value, expected: Value| {
            assert_eq!(fit(&schema, "hi"), expected, "{schema}");
        };
        check(json!({"type": "string"}), json!("hi"));
        check(json!({"type": "STRING", "minLength": "4"}), json!("hi.."));
        check(json!({"type": "string", "maxLength": 1}), json!("h"));
        check(json!({"type": ["null", "integer"]}), json!(7));
        check(json!({"type": "number", "minimum": 9.5}), json!(9.5));
        check(json!({"type": "integer", "maximum": 3}), json!(3));
        check(json!({"enum": ["red", "blue"]}), json!("red"));
        check(json!({"const": 5}), json!(5));
        check(json!({"type": "boolean"}), json!(true));
        check(
            json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}),
            json!([true, true]),
        );
        check(
            json!({"properties": {"a": {"type": "null"}, "b": {"items": {"type": "string"}}}}),
            json!({"a": null, "b": ["hi"]}),
        );
        check(
            json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
            json!("hi"),
        );
        check(
            json!({"type": "object", "properties": {"at": {"$ref": "#/$defs/place"}},
                "$defs": {"place": {"type": "object", "properties": {"x": {"type": "integer"}}}}}),
            json!({"at": {"x": 7}}),
        );
    }

    #[test]
    fn a_schema_that_holds_itself_comes_to_an_end() {
        let schema = json!({
            "type": "object",
            "required": ["left", "right"],
            "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "more": {"type": "array", "items": {"$ref": "#"}}},
        });
        assert!(fit(&schema, "hi").to_string().len() < 1 << 20);
        let circle = json!({"$ref": "#"});
        assert_eq!(fit(&circle, "hi"), json!("hi"));
    }
}
