//! Estimates of tokens, for holds and for answers whose provider reports none.
//!
//! Four characters a token is the rule of thumb that OpenAI publishes for English text; an estimate is always marked
//! as one and never mixed with a provider's count.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

const CHARS_PER_TOKEN: u64 = 4;

/// Estimated input tokens of a request body: its text, without keys and without inlined files.
pub fn of_request(body: &[u8]) -> u64 {
    let chars = serde_json::from_slice::<Chars>(body).map_or(0, |chars| chars.0);
    chars.div_ceil(CHARS_PER_TOKEN)
}

/// Estimated tokens of `bytes` of generated text.
pub(super) fn of_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(CHARS_PER_TOKEN)
}

/// Counts the characters of every string value.
struct Chars(u64);

impl<'de> Deserialize<'de> for Chars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CharsVisitor)
    }
}

struct CharsVisitor;

impl<'de> Visitor<'de> for CharsVisitor {
    type Value = Chars;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Chars, E> {
        // An image in a data URL is not read as text; what it costs only its provider knows.
        let chars = if text.starts_with("data:") {
            0
        } else {
            text.chars().count()
        };
        Ok(Chars(u64::try_from(chars).unwrap_or(u64::MAX)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Chars, A::Error> {
        let mut sum = 0u64;
        while let Some(Chars(chars)) = seq.next_element()? {
            sum = sum.saturating_add(chars);
        }
        Ok(Chars(sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chars, A::Error> {
        let mut sum = 0u64;
        while let Some((IgnoredAny, Chars(chars))) = map.next_entry()? {
            sum = sum.saturating_add(chars);
        }
        Ok(Chars(sum))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Chars, E> {
        Ok(Chars(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Chars, E> {
        Ok(Chars(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Chars, E> {
        Ok(Chars(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Chars, E> {
        Ok(Chars(0))
    }

    fn visit_unit<E>(self) -> Result<Chars, E> {
        Ok(Chars(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_wherever_it_stands_and_files_are_not() {
        let check = |json: &str, tokens| assert_eq!(of_request(json.as_bytes()), tokens, "{json}");
        check(r#"{"messages":[{"content":"12345678"}]}"#, 2);
        check(r#"{"input":["abcd",null,true,1.5,-3,{"text":"éééé"}]}"#, 2);
        check(
            r#"{"image_url":"data:image/png;base64,AAAAAAAAAAAAAAAA"}"#,
            0,
        );
        check("not json", 0);
    }
}
