//! What people may see of a configuration: `…` in place of every secret.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{super::secret_words, values};

const MASK: &str = "…";
/// What stands in the place of a secret that is another one than before.
const CHANGED: &str = "… (changed)";
/// Secrets of keys that go on working for a while: how many there are is nobody's business either.
const PREVIOUS_KEY_HASHES: &str = "previous_key_hashes";

/// The address of a webhook: of many the path is the secret.
const WEBHOOK_URL: &str = "webhook_url";

/// A document of the admin API as people may see it.
pub fn masked(document: &Json) -> Json {
    match document {
        Json::Object(object) => values::json_of_table(&table(&values::table_of_json(object))),
        other => other.clone(),
    }
}

pub(super) fn table(table: &Table) -> Table {
    against(table, None)
}

/// The same, with secrets marked that `before` had otherwise.
pub(super) fn against(table: &Table, before: Option<&Table>) -> Table {
    let entries = table.iter();
    entries
        .map(|(key, value)| {
            let before = before.and_then(|before| before.get(key));
            (key.clone(), value_at(key, value, before))
        })
        .collect()
}

/// `before`: what stood here, if anything did.
fn value_at(key: &str, value: &Value, before: Option<&Value>) -> Value {
    if key == "redis_url" {
        return without_password(value, before);
    }
    if key == WEBHOOK_URL {
        return without_path(value, before);
    }
    if key == PREVIOUS_KEY_HASHES || (secret_words::is_secret_key(key) && !value.is_table()) {
        return mask(value, before);
    }
    match value {
        Value::Table(inner) => Value::Table(against(inner, before.and_then(Value::as_table))),
        Value::Array(items) => {
            let earlier = before.and_then(Value::as_array);
            let masked = items.iter().enumerate().map(|(index, item)| {
                let earlier = earlier.and_then(|earlier| earlier.get(index));
                value_at("", item, earlier)
            });
            Value::Array(masked.collect())
        }
        other => other.clone(),
    }
}

fn mask(value: &Value, before: Option<&Value>) -> Value {
    let is_other = before.is_some_and(|before| before != value);
    let mask = if is_other { CHANGED } else { MASK };
    Value::String(mask.to_owned())
}

/// Where Redis is may be seen; who may ask it may not.
fn without_password(value: &Value, before: Option<&Value>) -> Value {
    let parts = value.as_str().and_then(user_and_rest);
    match parts {
        Some((scheme, rest)) => {
            let mask = mask(value, before);
            let mask = mask.as_str().unwrap_or(MASK);
            Value::String(format!("{scheme}://{mask}@{rest}"))
        }
        None => value.clone(),
    }
}

/// Whom it is told to may be seen; where exactly may not.
fn without_path(value: &Value, before: Option<&Value>) -> Value {
    let split = value.as_str().and_then(|url| url.split_once("://"));
    let Some((scheme, rest)) = split else {
        return mask(value, before);
    };
    match rest.split_once(['/', '?']) {
        Some((authority, path)) if !path.is_empty() => {
            let mask = mask(value, before);
            let mask = mask.as_str().unwrap_or(MASK);
            Value::String(format!("{scheme}://{authority}/{mask}"))
        }
        Some(_) | None => value.clone(),
    }
}

/// The scheme of a URL with a user or a password, and what comes after them.
pub(super) fn user_and_rest(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let at = authority.rfind('@')?;
    Some((scheme, rest.get(at + 1..)?))
}
