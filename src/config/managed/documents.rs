//! A JSON document as the text of a TOML table.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// Where JSON can be nested deeper than any of our tables, the rest is not read.
const DEPTH_MAX: usize = 8;

/// One `key = value` a line. A key that holds null is left out, as if it were not there: TOML has no null.
pub(super) fn toml(document: &Value) -> Result<String, String> {
    let object = document
        .as_object()
        .ok_or_else(|| "must be an object".to_owned())?;
    let mut text = String::with_capacity(512);
    for (key, value) in entries(object) {
        write_string(&mut text, key);
        text.push_str(" = ");
        write_value(&mut text, value, DEPTH_MAX)?;
        text.push('\n');
    }
    Ok(text)
}

fn entries(object: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.iter().filter(|(_, value)| !value.is_null())
}

fn write_value(text: &mut String, value: &Value, depth: usize) -> Result<(), String> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| format!("must not be nested more than {DEPTH_MAX} levels deep"))?;
    match value {
        Value::Null => return Err("must not have null in a list".to_owned()),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => write_string(text, string),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_value(text, item, depth)?;
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(object) => {
            text.push('{');
            for (index, (key, value)) in entries(object).enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push('=');
                write_value(text, value, depth)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

/// A fraction digit by digit: prices have no exponent. One that is whole still is no integer.
fn write_number(text: &mut String, number: &Number) {
    let float = number.as_f64().filter(|_| number.is_f64());
    // A `String` takes whatever is written to it.
    let _infallible = match float {
        Some(whole) if whole.fract() == 0.0 => write!(text, "{whole}.0"),
        Some(fraction) => write!(text, "{fraction}"),
        None => write!(text, "{number}"),
    };
}

/// A basic string: what may not stand in one is escaped.
fn write_string(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = string;
    while let Some((plain, character, after)) = split_at_special(rest) {
        text.push_str(plain);
        // A `String` takes whatever is written to it.
        let _infallible = write!(text, "\\u{:04x}", u32::from(character));
        rest = after;
    }
    text.push_str(rest);
    text.push('"');
}

/// What is before the first character that has to be escaped, that character, and what is after it.
fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    // All of them are ASCII, so that bytes can be looked at.
    let is_special = |byte: u8| byte.is_ascii_control() || byte == b'"' || byte == b'\\';
    let position = text.bytes().position(is_special)?;
    let (plain, rest) = text.split_at_checked(position)?;
    let mut rest = rest.chars();
    let character = rest.next()?;
    Some((plain, character, rest.as_str()))
}
