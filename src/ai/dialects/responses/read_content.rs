//! What stands inside the items of a client's `input`, and how an item that cannot be read is refused.

use serde::Deserialize;
use serde_json::Value;

use super::wire::plain;
use crate::ai::conversation::{Media, Part};
use crate::error::{ErrorKind, RequestError};

/// What is wrong with an item, before it is known which one it is.
pub(super) enum Problem {
    /// Completes "must be".
    Expected(&'static str),
    /// A kind of item or part that no other dialect has.
    Unknown(String),
    /// A reference to something that was kept.
    Reference,
}

impl Problem {
    /// The refusal, now that the place is known.
    pub(super) fn at(self, place: std::fmt::Arguments<'_>) -> RequestError {
        let (kind, message) = match self {
            Self::Expected(expected) => (
                ErrorKind::InvalidRequest,
                format!("`{place}` must be {expected}."),
            ),
            Self::Unknown(r#type) => (
                ErrorKind::UnsupportedParameter,
                format!(
                    "`{place}` holds a `{type}`, which only a provider that speaks the responses API can read. \
                     Leave it out, or ask for a model whose provider can."
                ),
            ),
            Self::Reference => (
                ErrorKind::UnsupportedParameter,
                format!(
                    "`{place}` refers to an item that the provider of this model does not keep. \
                     Send the item itself, or `previous_response_id`."
                ),
            ),
        };
        RequestError::new(kind, message).with_param("input")
    }
}

/// Reads a text or a list of parts.
pub(super) fn read_content(content: Value) -> Result<Vec<Part>, Problem> {
    match content {
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(parts) => parts.into_iter().map(read_part).collect(),
        Value::Null => Ok(Vec::new()),
        _ => Err(Problem::Expected("a text or a list of parts")),
    }
}

/// Any part; a field that a kind does not have is not there.
#[derive(Deserialize)]
struct ContentPart {
    r#type: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    image_url: Option<String>,
    #[serde(default)]
    file_id: Option<String>,
    #[serde(default)]
    file_url: Option<String>,
    #[serde(default)]
    file_data: Option<String>,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    input_audio: Option<InputAudio>,
}

#[derive(Deserialize)]
struct InputAudio {
    data: String,
    format: String,
}

fn read_part(part: Value) -> Result<Part, Problem> {
    let r#type = plain(part.get("type").cloned());
    if !matches!(
        &*r#type,
        "input_text" | "output_text" | "refusal" | "input_image" | "input_file" | "input_audio"
    ) {
        return Err(match r#type.is_empty() {
            true => Problem::Expected("a list of parts that have a `type`"),
            false => Problem::Unknown(r#type),
        });
    }
    let part: ContentPart = serde_json::from_value(part)
        .map_err(|_| Problem::Expected("a list of parts whose fields are texts"))?;
    match &*part.r#type {
        "refusal" => part
            .refusal
            .map(Part::Refusal)
            .ok_or(Problem::Expected("a refusal with `refusal`")),
        "input_image" => Ok(Part::Image {
            media: part
                .image_url
                .map(media)
                .or(part.file_id.map(Media::FileId))
                .ok_or(Problem::Expected("an image with `image_url` or `file_id`"))?,
            detail: part.detail,
        }),
        "input_file" => Ok(Part::Document {
            media: part
                .file_data
                .map(|data| file_data(data, part.filename.as_deref()))
                .or(part.file_url.map(media))
                .or(part.file_id.map(Media::FileId))
                .ok_or(Problem::Expected(
                    "a file with `file_data`, `file_url` or `file_id`",
                ))?,
            file_name: part.filename,
        }),
        "input_audio" => part
            .input_audio
            .map(|audio| Part::Audio {
                data: audio.data,
                format: audio.format,
            })
            .ok_or(Problem::Expected("audio with `input_audio`")),
        _ => part
            .text
            .map(Part::Text)
            .ok_or(Problem::Expected("a part with a `text`")),
    }
}

/// A URL, or what a data URL holds.
fn media(url: String) -> Media {
    let inline = url.strip_prefix("data:").and_then(|rest| {
        let (head, base64) = rest.split_once(',')?;
        let mime_type = head.strip_suffix(";base64")?.split(';').next()?;
        Some(Media::Inline {
            mime_type: mime_type.to_owned(),
            base64: base64.to_owned(),
        })
    });
    inline.unwrap_or(Media::Url(url))
}

/// A file's data: a data URL, or base64 alone, whose kind then only the name can tell.
fn file_data(data: String, file_name: Option<&str>) -> Media {
    if data.starts_with("data:") {
        return media(data);
    }
    Media::Inline {
        mime_type: mime_type(file_name).to_owned(),
        base64: data,
    }
}

fn mime_type(file_name: Option<&str>) -> &'static str {
    let extension = file_name.and_then(|name| name.rsplit_once('.'));
    let extension = extension.map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        // The one kind that this field was made for.
        None | Some("pdf") => "application/pdf",
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some(_) => "application/octet-stream",
    }
}
