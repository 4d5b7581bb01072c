//! The parts of the items of an `input`: text, images and files.

use std::borrow::Cow;

use serde::Serialize;

use crate::ai::conversation::{Conversation, Media, Part, Role};
use crate::ai::dialects::{Dialect, Field, unsupported};
use crate::error::RequestError;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum InputPart<'a> {
    InputText {
        text: &'a str,
    },
    InputImage {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    InputFile {
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
    },
    OutputText {
        text: &'a str,
        annotations: [(); 0],
    },
    Refusal {
        refusal: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
    ReasoningText {
        text: &'a str,
    },
}

/// Writes a part of what `role` said.
///
/// # Errors
/// 400 naming the client's field for a part that has no place here.
pub(super) fn part<'a>(
    conversation: &Conversation,
    part: &'a Part,
    role: Role,
) -> Result<InputPart<'a>, RequestError> {
    let by_assistant = role == Role::Assistant;
    let refuse = |field, why| Err(unsupported(conversation, field, why));
    match part {
        Part::Text(text) if by_assistant => Ok(InputPart::OutputText {
            text,
            annotations: [],
        }),
        Part::Text(text) => Ok(InputPart::InputText { text }),
        Part::Refusal(refusal) if by_assistant => Ok(InputPart::Refusal { refusal }),
        Part::Refusal(text) => Ok(InputPart::InputText { text }),
        Part::Image { .. } if by_assistant => refuse(
            Field::Image,
            "the responses API takes no images that an assistant sent",
        ),
        Part::Image { media, detail } => image(conversation, media, detail.as_deref()),
        Part::Document { .. } if by_assistant => refuse(
            Field::Document,
            "the responses API takes no files that an assistant sent",
        ),
        Part::Document { media, file_name } => document(conversation, media, file_name.as_deref()),
        Part::Audio { .. } => refuse(Field::Audio, "the responses API takes no audio"),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => refuse(
            Field::Messages,
            "a tool's result holds something that is neither text, nor image, nor file",
        ),
    }
}

fn image<'a>(
    conversation: &Conversation,
    media: &'a Media,
    detail: Option<&'a str>,
) -> Result<InputPart<'a>, RequestError> {
    let (image_url, file_id) = match media {
        Media::Url(url) => (Some(Cow::Borrowed(&**url)), None),
        Media::Inline { mime_type, base64 } => (Some(data_url(mime_type, base64).into()), None),
        Media::FileId(id) => (None, Some(uploaded(conversation, id, Field::Image)?)),
    };
    Ok(InputPart::InputImage {
        image_url,
        file_id,
        detail: detail.unwrap_or("auto"),
    })
}

fn document<'a>(
    conversation: &Conversation,
    media: &'a Media,
    file_name: Option<&'a str>,
) -> Result<InputPart<'a>, RequestError> {
    let mut filename = file_name.map(Cow::Borrowed);
    let (mut file_data, mut file_url, mut file_id) = (None, None, None);
    match media {
        Media::Url(url) => file_url = Some(&**url),
        Media::Inline { mime_type, base64 } => {
            file_data = Some(data_url(mime_type, base64));
            // Data is not accepted without.
            filename.get_or_insert_with(|| default_file_name(mime_type).into());
        }
        Media::FileId(id) => file_id = Some(uploaded(conversation, id, Field::Document)?),
    }
    Ok(InputPart::InputFile {
        filename: filename.filter(|_| file_data.is_some()),
        file_data,
        file_url,
        file_id,
    })
}

/// The id of a file that was uploaded to OpenAI; both of its APIs know it.
fn uploaded<'a>(
    conversation: &Conversation,
    id: &'a str,
    field: Field,
) -> Result<&'a str, RequestError> {
    match conversation.dialect {
        Dialect::Chat | Dialect::Responses => Ok(id),
        _ => Err(unsupported(
            conversation,
            field,
            "the file was uploaded to another provider",
        )),
    }
}

fn data_url(mime_type: &str, base64: &str) -> String {
    format!("data:{mime_type};base64,{base64}")
}

fn default_file_name(mime_type: &str) -> String {
    let extension = match mime_type {
        "text/plain" => "txt",
        "text/markdown" => "md",
        other => other.rsplit(['/', '+', '.']).next().unwrap_or(other),
    };
    format!("document.{extension}")
}
