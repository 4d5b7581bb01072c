//! Pictures and documents as Anthropic takes them.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::blocks::{Block, Source};
use crate::ai::conversation::{Conversation, Media};
use crate::ai::dialects::{Field, unsupported};
use crate::error::RequestError;

const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

pub(super) fn image<'c>(
    media: &'c Media,
    conversation: &Conversation,
) -> Result<Block<'c>, RequestError> {
    let refuse = |why| Err(unsupported(conversation, Field::Image, why));
    let source = match media {
        Media::Url(url) => Source::Url { url },
        Media::Inline { mime_type, base64 } => Source::Base64 {
            media_type: match mime_type.to_ascii_lowercase().as_str() {
                // Not a registered type, and often written.
                "image/jpg" => "image/jpeg",
                written => match IMAGES.iter().find(|known| **known == written) {
                    Some(known) => known,
                    None => {
                        return refuse("Anthropic's API takes JPEG, PNG, GIF and WebP pictures");
                    }
                },
            },
            data: base64,
        },
        Media::FileId(_) => return refuse("a file that was uploaded elsewhere is not known there"),
    };
    Ok(Block::Image { source })
}

pub(super) fn document<'c>(
    media: &'c Media,
    title: Option<&'c str>,
    conversation: &Conversation,
) -> Result<Block<'c>, RequestError> {
    let refuse = |why| Err(unsupported(conversation, Field::Document, why));
    let source = match media {
        Media::Url(url) => Source::Url { url },
        Media::Inline { mime_type, base64 } if mime_type == "application/pdf" => Source::Base64 {
            media_type: mime_type,
            data: base64,
        },
        Media::Inline { base64, .. } => {
            let text = STANDARD.decode(base64).ok();
            match text.and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(data) => Source::Text {
                    media_type: "text/plain",
                    data,
                },
                None => {
                    return refuse("Anthropic's API reads documents that are PDF or plain text");
                }
            }
        }
        Media::FileId(_) => return refuse("a file that was uploaded elsewhere is not known there"),
    };
    Ok(Block::Document { source, title })
}
