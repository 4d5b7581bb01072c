//! What a message of a request says, as this dialect has it: one text, or parts.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};

use crate::ai::conversation::{Conversation, Media, Part};
use crate::ai::dialects::{Dialect, Field, unsupported};
use crate::error::RequestError;

/// Joins texts that stood in parts of their own. Many compatible servers take a single text alone.
pub(super) const BETWEEN_TEXTS: &str = "\n\n";

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'c> {
    Text(Cow<'c, str>),
    Parts(Vec<WrittenPart<'c>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WrittenPart<'c> {
    Text { text: Cow<'c, str> },
    ImageUrl { image_url: Image<'c> },
    InputAudio { input_audio: Audio<'c> },
    File { file: File<'c> },
}

#[derive(Debug, Serialize)]
pub(super) struct Image<'c> {
    url: Url<'c>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'c str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Audio<'c> {
    data: &'c str,
    format: &'c str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum File<'c> {
    Data {
        filename: &'c str,
        file_data: Url<'c>,
    },
    Id {
        file_id: &'c str,
    },
}

/// A URL, or a data URL that is put together only while it is written: pictures are large.
#[derive(Debug)]
pub(super) enum Url<'c> {
    Plain(&'c str),
    Data { mime_type: &'c str, base64: &'c str },
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(url) => serializer.serialize_str(url),
            Self::Data { mime_type, base64 } => {
                serializer.collect_str(&format_args!("data:{mime_type};base64,{base64}"))
            }
        }
    }
}

impl<'c> Content<'c> {
    /// One text where all parts are texts; `None` where there are no parts.
    pub(super) fn of(mut parts: Vec<WrittenPart<'c>>) -> Option<Self> {
        if parts.len() <= 1 {
            return parts.pop().map(|part| match part {
                WrittenPart::Text { text } => Self::Text(text),
                other => Self::Parts(vec![other]),
            });
        }
        let texts: Option<Vec<&str>> = parts.iter().map(WrittenPart::as_text).collect();
        Some(match texts {
            Some(texts) => Self::Text(texts.join(BETWEEN_TEXTS).into()),
            None => Self::Parts(parts),
        })
    }
}

impl<'c> WrittenPart<'c> {
    pub(super) fn text(text: impl Into<Cow<'c, str>>) -> Self {
        Self::Text { text: text.into() }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::ImageUrl { .. } | Self::InputAudio { .. } | Self::File { .. } => None,
        }
    }
}

/// One part of what somebody says; `None` for parts that are no content.
///
/// # Errors
/// 400 for media that a chat request has no place for.
pub(super) fn write_part<'c>(
    conversation: &Conversation,
    part: &'c Part,
) -> Result<Option<WrittenPart<'c>>, RequestError> {
    Ok(Some(match part {
        Part::Text(text) => WrittenPart::text(text),
        Part::Image { media, detail } => WrittenPart::ImageUrl {
            image_url: Image {
                url: image_url(conversation, media)?,
                detail: detail.as_deref(),
            },
        },
        Part::Document { media, file_name } => {
            write_document(conversation, media, file_name.as_deref())?
        }
        Part::Audio { data, format } => WrittenPart::InputAudio {
            input_audio: Audio { data, format },
        },
        // Said by a model before; in a chat without a place for it, it is what was said.
        Part::Refusal(text) => WrittenPart::text(text),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => return Ok(None),
    }))
}

fn image_url<'c>(conversation: &Conversation, media: &'c Media) -> Result<Url<'c>, RequestError> {
    match media {
        Media::Url(url) => Ok(Url::Plain(url)),
        Media::Inline { mime_type, base64 } => Ok(Url::Data { mime_type, base64 }),
        Media::FileId(_) => Err(unsupported(
            conversation,
            Field::Image,
            "its API takes pictures by URL or inline, not by the id of an uploaded file",
        )),
    }
}

fn write_document<'c>(
    conversation: &Conversation,
    media: &'c Media,
    file_name: Option<&'c str>,
) -> Result<WrittenPart<'c>, RequestError> {
    let refuse = |why| Err(unsupported(conversation, Field::Document, why));
    match media {
        Media::Inline { mime_type, base64 } if mime_type.starts_with("text/") => {
            // The API takes no text files; a text says the same.
            match STANDARD.decode(base64).map(String::from_utf8) {
                Ok(Ok(text)) => Ok(WrittenPart::text(match file_name {
                    Some(name) => format!("{name}:\n\n{text}"),
                    None => text,
                })),
                _ => refuse("a text document in it is no base64 of UTF-8"),
            }
        }
        Media::Inline { mime_type, base64 } => Ok(WrittenPart::File {
            file: File::Data {
                filename: file_name.unwrap_or(match &**mime_type {
                    "application/pdf" => "document.pdf",
                    _ => "document",
                }),
                file_data: Url::Data { mime_type, base64 },
            },
        }),
        // The ids of OpenAI's own two APIs are the same; those of others mean nothing here.
        Media::FileId(file_id)
            if matches!(conversation.dialect, Dialect::Chat | Dialect::Responses) =>
        {
            Ok(WrittenPart::File {
                file: File::Id { file_id },
            })
        }
        Media::FileId(_) => refuse("a document in it is the id of a file at another provider"),
        Media::Url(_) => refuse("its API takes documents inline, not by URL"),
    }
}
