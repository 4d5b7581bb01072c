//! A client's request. <https://ai.google.dev/api/generate-content#request-body>

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{Fields, untranslatable, wrong};
use super::wire::Content;
use super::{read_config, read_contents, read_tools};
use crate::ai::conversation::{Conversation, Message, Part, Role};
use crate::ai::dialects::Dialect;
use crate::error::RequestError;

const CONTENTS: &str = "contents";
const INSTRUCTION: &str = "systemInstruction";

/// Reads a body for a provider of another dialect; the model and whether to stream are in the path.
///
/// # Errors
/// 400 naming the field that is wrong or cannot cross.
pub(in crate::ai) fn read_request(body: &[u8]) -> Result<Conversation, RequestError> {
    read_fields(Fields::parse("", body)?)
}

/// The same for a request whose top level is parsed already.
pub(super) fn read_fields(mut fields: Fields<'_>) -> Result<Conversation, RequestError> {
    let mut conversation = Conversation::new(Dialect::Gemini);
    refuse_what_stays_at_google(&mut fields)?;
    // The path names it; a body may repeat it.
    fields.take_raw("model");
    if let Some(raw) = fields.take_raw(INSTRUCTION) {
        let parts = read_instruction(raw)?;
        conversation
            .messages
            .push(Message::new(Role::System, parts));
    }
    let contents: Vec<Content<'_>> = fields
        .take(
            CONTENTS,
            "a list of contents whose parts have the API's types",
        )?
        .filter(|contents: &Vec<_>| !contents.is_empty())
        .ok_or_else(|| wrong(CONTENTS, "is missing or empty; send at least one content"))?;
    read_contents::read(contents, &mut conversation)?;
    if let Some(tools) = fields.take_raw("tools") {
        read_tools::read_tools(tools, &mut conversation)?;
    }
    if let Some(config) = fields.take_object("toolConfig", "toolConfig")? {
        read_tools::read_tool_config(config, &mut conversation)?;
    }
    if let Some(config) = fields.take_object("generationConfig", "generationConfig")? {
        read_config::read(config, &mut conversation)?;
    }
    if let Some(labels) = fields.take("labels", "an object of texts")? {
        conversation.controls.metadata = labels;
    }
    let tier: Option<String> = fields.take("serviceTier", "a text")?;
    conversation.controls.service_tier = tier.and_then(|tier| known_tier(&tier));
    // Safety settings, `store` (whether Google may keep a log) and what is new by then.
    conversation.unread.extend(fields.rest().map(Cow::Owned));
    Ok(conversation)
}

/// A tier in OpenAI's words, which conversations carry.
fn known_tier(tier: &str) -> Option<String> {
    match tier.to_ascii_lowercase().as_str() {
        "unspecified" => None,
        "standard" => Some("default".to_owned()),
        other => Some(other.to_owned()),
    }
}

/// What refers to something that only Google keeps: the answer would be one to another prompt without it.
fn refuse_what_stays_at_google(fields: &mut Fields<'_>) -> Result<(), RequestError> {
    if fields.take_raw("cachedContent").is_some() {
        return Err(untranslatable("cachedContent", "`cachedContent`"));
    }
    if fields.take_raw("continuationToken").is_some() {
        return Err(untranslatable("continuationToken", "`continuationToken`"));
    }
    Ok(())
}

/// The instructions: a content, or its text alone.
fn read_instruction(raw: &RawValue) -> Result<Vec<Part>, RequestError> {
    let expected = || {
        wrong(
            INSTRUCTION,
            "must be a content with parts of text, or a text",
        )
    };
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return Ok(vec![Part::Text(text)]);
    }
    let content: Content<'_> = serde_json::from_str(raw.get()).map_err(|_| expected())?;
    let parts = content.parts.into_iter();
    parts
        .map(|part| part.text.map(|text| Part::Text(text.into_owned())))
        .collect::<Option<Vec<Part>>>()
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn read(body: &str) -> Conversation {
        read_request(body.as_bytes()).unwrap()
    }

    #[test]
    fn instructions_come_first_in_any_shape_and_spelling() {
        for instruction in [
            r#""systemInstruction":"be brief""#,
            r#""systemInstruction":{"parts":[{"text":"be brief"}]}"#,
            r#""system_instruction":{"role":"user","parts":[{"text":"be brief"}]}"#,
        ] {
            let body = format!(r#"{{"contents":[{{"parts":[{{"text":"hi"}}]}}],{instruction}}}"#);
            let conversation = read(&body);
            assert_eq!(
                conversation.messages,
                [
                    Message::new(Role::System, vec![Part::Text("be brief".into())]),
                    Message::new(Role::User, vec![Part::Text("hi".into())]),
                ],
                "{body}"
            );
        }
    }

    #[test]
    fn what_has_no_place_is_told_and_labels_are_metadata() {
        let conversation = read(
            r#"{"model":"models/m","contents":[{"parts":[{"text":"hi"}]}],"safetySettings":[{"category":"x"}],"store":true,
            "labels":{"team":"a"},"serviceTier":"flex","brandNew":{}}"#,
        );
        let mut unread = conversation.unread;
        unread.sort();
        assert_eq!(unread, ["brandNew", "safetySettings", "store"]);
        assert_eq!(conversation.controls.metadata["team"], "a");
        for (tier, expected) in [
            ("flex", Some("flex")),
            ("PRIORITY", Some("priority")),
            ("standard", Some("default")),
            ("unspecified", None),
        ] {
            let body =
                format!(r#"{{"contents":[{{"parts":[{{"text":"hi"}}]}}],"serviceTier":"{tier}"}}"#);
            assert_eq!(
                read(&body).controls.service_tier.as_deref(),
                expected,
                "{tier}"
            );
        }
    }

    #[test]
    fn what_is_wrong_or_stays_at_google_is_refused_by_name() {
        let hi = r#""contents":[{"parts":[{"text":"hi"}]}]"#;
        for (body, kind, param) in [
            ("{}".to_owned(), ErrorKind::InvalidRequest, CONTENTS),
            (
                r#"{"contents":[]}"#.into(),
                ErrorKind::InvalidRequest,
                CONTENTS,
            ),
            (
                r#"{"contents":"hi"}"#.into(),
                ErrorKind::InvalidRequest,
                CONTENTS,
            ),
            (
                format!(r#"{{{hi},"cached_content":"cachedContents/1"}}"#),
                ErrorKind::UnsupportedParameter,
                "cachedContent",
            ),
            (
                format!(r#"{{{hi},"continuationToken":"x"}}"#),
                ErrorKind::UnsupportedParameter,
                "continuationToken",
            ),
            (
                format!(
                    r#"{{{hi},"systemInstruction":{{"parts":[{{"inlineData":{{"mimeType":"image/png","data":""}}}}]}}}}"#
                ),
                ErrorKind::InvalidRequest,
                INSTRUCTION,
            ),
            (
                format!(r#"{{{hi},"generationConfig":7}}"#),
                ErrorKind::InvalidRequest,
                "generationConfig",
            ),
            (
                format!(r#"{{{hi},{hi}}}"#),
                ErrorKind::DuplicateJsonKey,
                CONTENTS,
            ),
        ] {
            let error = read_request(body.as_bytes()).expect_err(&body);
            assert_eq!(error.kind, kind, "{body}");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
        let error = read_request(b"[]").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidJson);
    }
}
