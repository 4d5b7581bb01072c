//! The blocks of a message's content: which there are, what they need, and what they carry.

use serde::Deserialize;
use serde_json::Value;

use super::{
    check::at,
    request::{Block, Content, Role},
};
use crate::simulator::{errors::Problem, heard::Media};

/// Blocks that the simulator takes without reading them.
const UNREAD: [&str; 16] = [
    "search_result",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "advisor_tool_result",
    "container_upload",
    "mcp_tool_use",
    "mcp_tool_result",
    "compaction",
    "tool_reference",
    "browser_state",
    "fallback",
];

/// What is wrong with a block of `role`'s message at `place`.
pub(super) fn check(block: &Block, role: Role, place: &str) -> Result<(), Problem> {
    let required = |field: &str, is_there: bool| {
        let place = format!("{place}.{}.{field}", block.r#type);
        if is_there {
            Ok(())
        } else {
            Err(at(&place, "Field required"))
        }
    };
    let only = |side: Role| {
        let message = format!(
            "`{}` blocks can only be in `{side:?}` messages",
            block.r#type
        );
        if role == side {
            Ok(())
        } else {
            Err(at(place, &message))
        }
    };
    match block.r#type.as_str() {
        "text" => {
            required("text", block.text.is_some())?;
            if block.text.as_deref().unwrap_or_default().is_empty() {
                return Err(at("messages", "text content blocks must be non-empty"));
            }
            Ok(())
        }
        "image" | "document" => media(block, place).map(|_| ()),
        "thinking" => {
            only(Role::Assistant)?;
            required("thinking", block.thinking.is_some())?;
            required("signature", block.signature.is_some())
        }
        "redacted_thinking" => {
            only(Role::Assistant)?;
            required("data", block.data.is_some())
        }
        "tool_use" => {
            only(Role::Assistant)?;
            required("id", block.id.is_some())?;
            required("name", block.name.is_some())?;
            required("input", block.input.is_some())?;
            let message = "String should match pattern '^[a-zA-Z0-9_-]+$'";
            let fits = |text: &Option<String>| is_name(text.as_deref().unwrap_or_default());
            if !fits(&block.id) {
                return Err(at(&format!("{place}.tool_use.id"), message));
            }
            if !fits(&block.name) {
                return Err(at(&format!("{place}.tool_use.name"), message));
            }
            Ok(())
        }
        "tool_result" => {
            only(Role::User)?;
            required("tool_use_id", block.tool_use_id.is_some())?;
            let Some(content) = &block.content else {
                return Ok(());
            };
            let content = Content::deserialize(content)
                .map_err(|error| at(&format!("{place}.tool_result.content"), &error.to_string()))?;
            for (position, inner) in content.blocks().iter().enumerate() {
                check(inner, role, &format!("{place}.content.{position}"))?;
            }
            Ok(())
        }
        kind if UNREAD.contains(&kind) => Ok(()),
        kind => {
            let message = format!(
                "Input tag '{kind}' found using 'type' does not match any of the expected tags"
            );
            Err(at(place, &message))
        }
    }
}

/// What an image or a document carries; nothing where it is text.
pub(super) fn media(block: &Block, place: &str) -> Result<Option<Media>, Problem> {
    let place = format!("{place}.{}.source", block.r#type);
    let source = block.source.as_ref();
    let source = source.ok_or_else(|| at(&place, "Field required"))?;
    let field = |name: &str| {
        let value = source.get(name).and_then(Value::as_str);
        value.ok_or_else(|| at(&format!("{place}.{name}"), "Field required"))
    };
    let known: &[&str] = match block.r#type.as_str() {
        "image" => &["image/jpeg", "image/png", "image/gif", "image/webp"],
        _ => &["application/pdf"],
    };
    match field("type")? {
        "base64" => {
            let mime = field("media_type")?;
            if !known.contains(&mime) {
                let known = known.join("', '");
                return Err(at(
                    &format!("{place}.base64.media_type"),
                    &format!("Input should be '{known}'"),
                ));
            }
            let media = Media::inline(mime, field("data")?);
            let message = "Invalid base64 data";
            media
                .map(Some)
                .ok_or_else(|| at(&format!("{place}.base64.data"), message))
        }
        "url" => Ok(Media::at(field("url")?, None)),
        "file" => Ok(Some(Media::Named {
            mime: None,
            name: format!("file:{}", field("file_id")?),
        })),
        "text" => Ok(Some(Media::Inline {
            mime: field("media_type")?.to_owned(),
            size_bytes: field("data")?.len(),
        })),
        "content" => Ok(None),
        kind => {
            let message = format!(
                "Input tag '{kind}' found using 'type' does not match any of the expected tags"
            );
            Err(at(&place, &message))
        }
    }
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'))
}
