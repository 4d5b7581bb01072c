//! Requests that pass through: the controls that the gateway reads, and the one thing it takes out.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::thoughts;
use crate::ai::dialects::json_object::{JsonObject, invalid};
use crate::error::RequestError;

/// The fields of a request that the gateway reads.
pub(in crate::ai) const FIELDS: &[&str] = &["model", "stream", "max_tokens"];

/// Whether it streams, and its ceiling on output tokens. Usage always comes in the stream.
pub(in crate::ai) fn controls(
    object: &JsonObject,
) -> Result<(bool, Option<u64>, bool), RequestError> {
    let stream = object.get("stream", "a boolean")?.unwrap_or(false);
    let ceiling = object.get("max_tokens", "a whole number")?;
    Ok((stream, ceiling, true))
}

/// The body without the thoughts of other providers, where it holds any; else `None`.
///
/// A client that talked to another provider before sends back what this gateway wrote for it: thinking blocks whose
/// signature is sealed state, or empty. Anthropic checks signatures and would refuse the whole request. Everything
/// else of the body stays byte for byte.
///
/// # Errors
/// `invalid_json` or `invalid_request` where the body is not what it must be.
pub(in crate::ai) fn without_foreign_thoughts(body: &Bytes) -> Result<Option<Bytes>, RequestError> {
    // Nearly every body ends here, after one quick pass.
    if !thoughts::may_hold_foreign(body) {
        return Ok(None);
    }
    let object = JsonObject::parse(body.clone(), &["messages"])?;
    let Some(raw) = object.raw("messages") else {
        return Ok(None);
    };
    let messages: Vec<&RawValue> =
        serde_json::from_slice(raw).map_err(|_| invalid("messages", "must be a list"))?;
    let mut removed = false;
    let mut kept: Vec<Cow<'_, str>> = Vec::with_capacity(messages.len());
    for message in messages {
        match cleaned(message) {
            Cleaned::Unchanged => kept.push(Cow::Borrowed(message.get())),
            Cleaned::Message(text) => {
                removed = true;
                kept.push(Cow::Owned(text));
            }
            Cleaned::Empty => removed = true,
        }
    }
    if !removed {
        return Ok(None);
    }
    let list = format!("[{}]", kept.join(","));
    Ok(Some(object.with(&[("messages", list.as_bytes())])))
}

enum Cleaned {
    Unchanged,
    Message(String),
    /// It held nothing else.
    Empty,
}

/// One message without its foreign thoughts. What is not shaped like a message is the provider's to judge.
fn cleaned(message: &RawValue) -> Cleaned {
    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
    }
    let Ok(Content { content: blocks }) = serde_json::from_str(message.get()) else {
        return Cleaned::Unchanged;
    };
    let own: Vec<&str> = blocks
        .iter()
        .filter(|block| !thoughts::is_foreign_block(block))
        .map(|block| block.get())
        .collect();
    if own.len() == blocks.len() {
        return Cleaned::Unchanged;
    }
    if own.is_empty() {
        return Cleaned::Empty;
    }
    let list = format!("[{}]", own.join(","));
    let whole = Bytes::copy_from_slice(message.get().as_bytes());
    let Ok(object) = JsonObject::parse(whole, &["content"]) else {
        return Cleaned::Unchanged;
    };
    let body = object.with(&[("content", list.as_bytes())]);
    Cleaned::Message(String::from_utf8_lossy(&body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::conversation::{Opaque, OpaqueKind};
    use crate::ai::dialects::Dialect;

    fn object(json: &str) -> JsonObject {
        JsonObject::parse(Bytes::copy_from_slice(json.as_bytes()), FIELDS).unwrap()
    }

    #[test]
    fn the_controls_are_read_and_usage_always_comes() {
        let read = |json: &str| controls(&object(json));
        assert_eq!(
            read(r#"{"model":"m","stream":true,"max_tokens":5}"#).unwrap(),
            (true, Some(5), true)
        );
        assert_eq!(read(r#"{"model":"m"}"#).unwrap(), (false, None, true));
        let error = read(r#"{"max_tokens":"5"}"#).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("max_tokens"));
    }

    #[test]
    fn foreign_thoughts_are_taken_out_and_nothing_else() {
        let sealed = Opaque {
            origin: Dialect::Responses,
            kind: OpaqueKind::Encrypted,
            data: "gAAA".into(),
            item_id: None,
        }
        .sealed();
        let body = format!(
            r#"{{"model" : "m", "messages":[ {{"role":"user","content":"hi"}}, {{"content":[{{"type":"thinking","thinking":"a","signature":"{sealed}"}}, {{"type":"text","text":"x"}}, {{"type":"thinking","thinking":"b","signature":"RXE="}}],"role":"assistant","extra":1}},{{"role":"assistant","content":[{{"type":"redacted_thinking","data":"{sealed}"}}]}} ], "temperature":0.50}}"#
        );
        let cleaned = without_foreign_thoughts(&Bytes::from(body))
            .unwrap()
            .unwrap();
        assert_eq!(
            std::str::from_utf8(&cleaned).unwrap(),
            r#"{"model" : "m", "messages":[{"role":"user","content":"hi"},{"content":[{"type":"text","text":"x"},{"type":"thinking","thinking":"b","signature":"RXE="}],"role":"assistant","extra":1}], "temperature":0.50}"#
        );
    }

    #[test]
    fn unsigned_thoughts_are_foreign_and_a_text_about_seals_is_not() {
        let unsigned = r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""},{"type":"text","text":"x"}]}]}"#;
        let cleaned = without_foreign_thoughts(&Bytes::from(unsigned)).unwrap();
        assert_eq!(
            cleaned.as_deref(),
            Some(
                &br#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"x"}]}]}"#[..]
            )
        );
        for body in [
            r#"{"messages":[{"role":"user","content":"\"fgs1.abc"}]}"#,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"fgs1.abc"}]}]}"#,
            r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"fgs1.","signature":"RXE="}]}]}"#,
            r#"{"model":"m"}"#,
        ] {
            let found = without_foreign_thoughts(&Bytes::from(body)).unwrap();
            assert_eq!(found, None, "{body}");
        }
    }
}
