//! Cleans what the gateway sends before anything of it can reach a terminal.
//!
//! A model name or a path is whatever a stranger sent. Control characters could drive the terminal, bidirectional
//! overrides could make a line read as another one, zero-width characters could hide a difference.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What stands where a character was taken out, so that the loss is seen.
const REPLACEMENT: char = '\u{FFFD}';

/// The text with every character replaced that a terminal or a reader could be tricked with.
pub fn clean(text: &str) -> Cow<'_, str> {
    replaced(text, is_unsafe)
}

/// The same for text of several lines: line ends and tabs stay.
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && c != '\t' && is_unsafe(c))
}

fn replaced(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().any(&is_unsafe) {
        let cleaned = text
            .chars()
            .map(|c| if is_unsafe(c) { REPLACEMENT } else { c })
            .collect();
        Cow::Owned(cleaned)
    } else {
        Cow::Borrowed(text)
    }
}

/// Decodes JSON with every string in it cleaned.
pub fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    // JSON forbids raw control characters, so without an escape, a DEL or a byte beyond ASCII there is nothing to
    // clean. That is nearly every answer, and it is decoded without a detour.
    let harmless = |byte: &u8| byte.is_ascii() && *byte != b'\\' && *byte != 0x7f;
    if json.iter().all(harmless) {
        return serde_json::from_slice(json);
    }
    let mut value: Value = serde_json::from_slice(json)?;
    clean_value(&mut value, clean);
    serde_json::from_value(value)
}

/// Cleans every string in `value`, names included; line ends and tabs stay.
pub fn clean_lines_of(value: &mut Value) {
    clean_value(value, clean_lines);
}

fn clean_value(value: &mut Value, clean: fn(&str) -> Cow<'_, str>) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(cleaned) = clean(text) {
                *text = cleaned;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean_value(item, clean)),
        Value::Object(fields) => {
            // A name is shown like any text, and can be a stranger's: that of a header, for example.
            if fields
                .keys()
                .any(|name| matches!(clean(name), Cow::Owned(_)))
            {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (clean(&name).into_owned(), value))
                    .collect();
            }
            fields
                .values_mut()
                .for_each(|value| clean_value(value, clean));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a terminal or a reader could be tricked with the character.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional embeddings, overrides, isolates and marks.
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Zero width: spaces, joiners, invisible operators, soft hyphen, byte order mark, tags.
            | '\u{00AD}' | '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}'
            | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_drive_a_terminal_or_fool_a_reader_is_replaced() {
        let check = |text: &str, expected: &str| assert_eq!(clean(text), expected, "{text:?}");
        check("gpt-4o mini", "gpt-4o mini");
        check("größe 数", "größe 数");
        check("\u{1b}]52;c;ZXZpbA\u{7}", "\u{FFFD}]52;c;ZXZpbA\u{FFFD}");
        check("a\r\nb\t", "a\u{FFFD}\u{FFFD}b\u{FFFD}");
        check("\u{9b}31m", "\u{FFFD}31m");
        check("x\u{202e}y\u{2066}z", "x\u{FFFD}y\u{FFFD}z");
        check("ze\u{200b}ro\u{feff}", "ze\u{FFFD}ro\u{FFFD}");
        check("del\u{7f}", "del\u{FFFD}");
    }

    #[test]
    fn strings_are_cleaned_at_any_depth_and_however_they_are_written() {
        for json in [
            r#"{"a":[{"b":"x\u001b[2J"}]}"#.as_bytes(),
            "{\"a\":[{\"b\":\"x\u{9b}[2J\"}]}".as_bytes(),
        ] {
            let value: Value = from_json(json).unwrap();
            assert_eq!(value["a"][0]["b"], "x\u{FFFD}[2J");
        }
        assert!(from_json::<Value>(b"{").is_err());
        let value: Value = from_json("{\"x\u{9b}\":1}".as_bytes()).unwrap();
        assert_eq!(value["x\u{FFFD}"], 1);
    }

    #[test]
    fn text_of_several_lines_keeps_its_lines() {
        assert_eq!(
            clean_lines("a = 1\n\tb\r\u{1b}"),
            "a = 1\n\tb\u{FFFD}\u{FFFD}"
        );
        let mut value = serde_json::json!({"text": "a\nb\u{7}"});
        clean_lines_of(&mut value);
        assert_eq!(value["text"], "a\nb\u{FFFD}");
    }
}
