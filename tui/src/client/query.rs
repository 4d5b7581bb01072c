//! Writes a query struct as a URL's query string.

use serde::Serialize;
use serde_json::Value;

/// `?name=value&…` with every present field, or nothing at all.
pub fn query_string<Q: Serialize>(query: &Q) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    let Value::Object(fields) = serde_json::to_value(query)? else {
        return Ok(text);
    };
    for (name, value) in fields {
        let value = match value {
            Value::Null => continue,
            Value::String(value) => value,
            other => other.to_string(),
        };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&name);
        text.push('=');
        percent_encode(&value, &mut text);
    }
    Ok(text)
}

/// Appends `value` to `text`, with everything but unreserved characters encoded.
pub(super) fn percent_encode(value: &str, text: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use ferrogate_api::RequestLogQuery;

    use super::*;

    #[test]
    fn only_given_filters_are_sent_and_their_values_are_encoded() {
        assert_eq!(query_string(&RequestLogQuery::default()).unwrap(), "");
        let query = RequestLogQuery {
            status: Some(">=400".parse().unwrap()),
            model: Some("größe/mini & co".to_owned()),
            limit: Some(200),
            ..RequestLogQuery::default()
        };
        assert_eq!(
            query_string(&query).unwrap(),
            "?status=%3E%3D400&model=gr%C3%B6%C3%9Fe%2Fmini%20%26%20co&limit=200"
        );
    }
}
