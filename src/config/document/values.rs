//! Values of the parser, of TOML and of JSON: the same in three forms.
//!
//! TOML and JSON can say the same as far as our settings go. Where they cannot: JSON's `null` is a key that is not
//! there, and a date is refused before it comes here.

use serde_json::{Map, Number, Value};
use toml::{
    Table, Value as Toml,
    de::{DeTable, DeValue},
};

/// The path of the first date in it.
pub(super) fn date_in(table: &DeTable<'_>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let key: &str = key.get_ref();
        date_at(value.get_ref()).map(|below| format!("{key}{below}"))
    })
}

fn date_at(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Datetime(_) => Some(String::new()),
        DeValue::Array(items) => (0..).zip(items.iter()).find_map(|(index, item)| {
            let index: usize = index;
            date_at(item.get_ref()).map(|below| format!("[{index}]{below}"))
        }),
        DeValue::Table(table) => date_in(table).map(|below| format!(".{below}")),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => None,
    }
}

pub(super) fn table_of(table: &DeTable<'_>) -> Table {
    let entries = table.iter();
    entries
        .map(|(key, value)| (key.get_ref().to_string(), toml_of(value.get_ref())))
        .collect()
}

fn toml_of(value: &DeValue<'_>) -> Toml {
    match value {
        DeValue::String(text) => Toml::String(text.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Toml::Integer(number),
            Err(_) => Toml::String(integer.to_string()),
        },
        DeValue::Float(float) => float_of(float.as_str()),
        DeValue::Boolean(flag) => Toml::Boolean(*flag),
        DeValue::Datetime(date) => Toml::String(date.to_string()),
        DeValue::Array(items) => {
            Toml::Array(items.iter().map(|item| toml_of(item.get_ref())).collect())
        }
        DeValue::Table(table) => Toml::Table(table_of(table)),
    }
}

/// A price is read digit by digit, and floating point has not so many. What it cannot hold exactly stays a text, which
/// every reader of a decimal number takes as well.
fn float_of(text: &str) -> Toml {
    let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
    match number {
        Some(number) if significant(&number.to_string()) == significant(text) => {
            Toml::Float(number)
        }
        _ => Toml::String(text.to_owned()),
    }
}

/// A plain decimal number without what does not count: a sign of nothing, and zeros at either end.
fn significant(text: &str) -> (&str, &str) {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    )
}

pub(super) fn json_of_table(table: &Table) -> Value {
    let entries = table.iter();
    Value::Object(
        entries
            .map(|(key, value)| (key.clone(), json_of(value)))
            .collect(),
    )
}

pub(super) fn json_of(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::String(text.clone()),
        Toml::Integer(number) => Value::Number((*number).into()),
        Toml::Float(number) => match Number::from_f64(*number) {
            Some(number) => Value::Number(number),
            None => Value::String(number.to_string()),
        },
        Toml::Boolean(flag) => Value::Bool(*flag),
        Toml::Datetime(date) => Value::String(date.to_string()),
        Toml::Array(items) => Value::Array(items.iter().map(json_of).collect()),
        Toml::Table(table) => json_of_table(table),
    }
}

pub(super) fn table_of_json(object: &Map<String, Value>) -> Table {
    let entries = object.iter();
    entries
        .filter_map(|(key, value)| Some((key.clone(), toml_of_json(value)?)))
        .collect()
}

/// `None` for `null`.
pub(super) fn toml_of_json(value: &Value) -> Option<Toml> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => Toml::Boolean(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Toml::Integer(number),
            (None, Some(float)) if !number.is_u64() => Toml::Float(float),
            (None, _) => Toml::String(number.to_string()),
        },
        Value::String(text) => Toml::String(text.clone()),
        Value::Array(items) => Toml::Array(items.iter().filter_map(toml_of_json).collect()),
        Value::Object(object) => Toml::Table(table_of_json(object)),
    })
}
