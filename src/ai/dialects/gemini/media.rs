//! Pictures, documents and sound: parts with `inlineData` or `fileData`, both directions.

use std::borrow::Cow;

use super::base64_text;
use super::fields::{untranslatable, wrong};
use super::wire::{Blob, FileData, Part as WirePart};
use crate::ai::conversation::{Conversation, Media, Part};
use crate::ai::dialects::{Dialect, Field, unsupported};
use crate::error::RequestError;

const CONTENTS: &str = "contents";

/// A file in a client's body.
pub(super) fn read_inline(blob: &Blob<'_>) -> Result<Part, RequestError> {
    let mime_type = base_type(&blob.mime_type);
    let base64 = base64_text::standard(&blob.data).into_owned();
    if let Some(format) = mime_type.strip_prefix("audio/") {
        return Ok(Part::Audio {
            data: base64,
            format: audio_format(format).to_owned(),
        });
    }
    let media = Media::Inline {
        mime_type: mime_type.clone(),
        base64,
    };
    part_of(media, Some(&mime_type))
}

/// A file that a client names.
pub(super) fn read_file(file: FileData<'_>) -> Result<Part, RequestError> {
    let mime_type = file.mime_type.as_deref().map(base_type);
    let uri = file.file_uri.into_owned();
    if uri.is_empty() {
        return Err(wrong(CONTENTS, "holds a `fileData` without a `fileUri`"));
    }
    let mime_type = mime_type.or_else(|| guessed_type(&uri).map(str::to_owned));
    let media = if is_fetched_by_anyone(&uri) {
        Media::Url(uri)
    } else {
        Media::FileId(uri)
    };
    part_of(media, mime_type.as_deref())
}

/// A picture or a document, by its type; without one, a document.
fn part_of(media: Media, mime_type: Option<&str>) -> Result<Part, RequestError> {
    let kind = mime_type.and_then(|mime_type| mime_type.split('/').next());
    match kind {
        Some("image") => Ok(Part::Image {
            media,
            detail: None,
        }),
        Some("video" | "audio") => Err(untranslatable(
            CONTENTS,
            "A video, or sound that is not in the body itself,",
        )),
        _ => Ok(Part::Document {
            media,
            file_name: None,
        }),
    }
}

/// Files uploaded to Google and its buckets are out of anybody else's reach.
fn is_fetched_by_anyone(uri: &str) -> bool {
    let on_web = uri.starts_with("https://") || uri.starts_with("http://");
    on_web && !uri.starts_with("https://generativelanguage.googleapis.com/")
}

/// `image/png; charset=x` as `image/png`, in lower case.
fn base_type(mime_type: &str) -> String {
    let base = mime_type.split(';').next().unwrap_or_default();
    base.trim().to_ascii_lowercase()
}

/// The name that other dialects have for a kind of sound.
fn audio_format(subtype: &str) -> &str {
    match subtype {
        "mpeg" | "mpeg3" | "x-mp3" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        "x-flac" => "flac",
        other => other,
    }
}

/// A picture, a document or sound for the provider; `None` for a part of another kind.
///
/// # Errors
/// `unsupported_parameter` for a file that was uploaded to another provider: only a client of this dialect names
/// Google's own.
pub(super) fn write<'c>(
    part: &'c Part,
    conversation: &Conversation,
) -> Result<Option<WirePart<'c>>, RequestError> {
    let (media, field) = match part {
        Part::Image { media, .. } => (media, Field::Image),
        Part::Document { media, .. } => (media, Field::Document),
        Part::Audio { data, format } => {
            return Ok(Some(inline(format!("audio/{format}").into(), data)));
        }
        _ => return Ok(None),
    };
    let named = |uri: &'c str| WirePart {
        file_data: Some(FileData {
            // The provider looks for itself where the address does not tell.
            mime_type: guessed_type(uri).map(Cow::Borrowed),
            file_uri: uri.into(),
        }),
        ..WirePart::default()
    };
    match media {
        Media::Inline { mime_type, base64 } => Ok(Some(inline(mime_type.into(), base64))),
        Media::Url(url) => Ok(Some(named(url))),
        Media::FileId(uri) if conversation.dialect == Dialect::Gemini => Ok(Some(named(uri))),
        Media::FileId(_) => Err(unsupported(
            conversation,
            field,
            "the file was uploaded to another provider",
        )),
    }
}

fn inline<'c>(mime_type: Cow<'c, str>, base64: &'c str) -> WirePart<'c> {
    WirePart {
        inline_data: Some(Blob {
            mime_type,
            data: base64.into(),
        }),
        ..WirePart::default()
    }
}

/// What the end of an address says about the file.
fn guessed_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn blob(mime_type: &'static str, data: &'static str) -> Blob<'static> {
        Blob {
            mime_type: mime_type.into(),
            data: data.into(),
        }
    }

    fn file(mime_type: Option<&'static str>, uri: &'static str) -> FileData<'static> {
        FileData {
            mime_type: mime_type.map(Into::into),
            file_uri: uri.into(),
        }
    }

    #[test]
    fn a_file_in_the_body_is_what_its_type_says_in_the_standard_alphabet() {
        assert_eq!(
            read_inline(&blob("IMAGE/PNG; x=y", "-_8")).unwrap(),
            Part::Image {
                media: Media::Inline {
                    mime_type: "image/png".into(),
                    base64: "+/8=".into()
                },
                detail: None
            }
        );
        for (mime_type, expected) in [
            ("audio/mpeg", "mp3"),
            ("audio/wav", "wav"),
            ("audio/ogg", "ogg"),
        ] {
            let part = read_inline(&blob(mime_type, "QQ==")).unwrap();
            assert!(matches!(part, Part::Audio { format, .. } if format == expected));
        }
        let pdf = read_inline(&blob("application/pdf", "QQ==")).unwrap();
        assert!(matches!(pdf, Part::Document { .. }));
        let error = read_inline(&blob("video/mp4", "QQ==")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
    }

    #[test]
    fn an_address_is_public_or_the_providers_own() {
        let check = |mime_type, uri: &'static str, image: bool, public: bool| {
            let part = read_file(file(mime_type, uri)).unwrap();
            let (is_image, media) = match part {
                Part::Image { media, .. } => (true, media),
                Part::Document { media, .. } => (false, media),
                other => panic!("{other:?}"),
            };
            assert_eq!(is_image, image, "{uri}");
            assert_eq!(matches!(media, Media::Url(_)), public, "{uri}");
        };
        check(Some("image/png"), "https://example.org/a", true, true);
        check(None, "https://example.org/a.JPG?x=1", true, true);
        check(None, "https://example.org/a.b/c", false, true);
        check(Some("application/pdf"), "files/abc", false, false);
        check(Some("image/png"), "gs://bucket/a.png", true, false);
        check(
            Some("image/png"),
            "https://generativelanguage.googleapis.com/v1beta/files/x",
            true,
            false,
        );
        let error = read_file(file(None, "")).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("contents"));
    }

    #[test]
    fn each_place_of_a_file_is_written() {
        let conversation = Conversation::new(Dialect::Chat);
        let check = |part: Part, expected: serde_json::Value| {
            let written = write(&part, &conversation).unwrap().unwrap();
            assert_eq!(serde_json::to_value(written).unwrap(), expected);
        };
        let image = |media| Part::Image {
            media,
            detail: None,
        };
        check(
            image(Media::Inline {
                mime_type: "image/png".into(),
                base64: "QQ==".into(),
            }),
            serde_json::json!({"inlineData": {"mimeType": "image/png", "data": "QQ=="}}),
        );
        check(
            image(Media::Url("https://example.org/a.webp".into())),
            serde_json::json!({"fileData": {"mimeType": "image/webp", "fileUri": "https://example.org/a.webp"}}),
        );
        check(
            image(Media::Url("https://example.org/a".into())),
            serde_json::json!({"fileData": {"fileUri": "https://example.org/a"}}),
        );
        check(
            Part::Audio {
                data: "QQ==".into(),
                format: "wav".into(),
            },
            serde_json::json!({"inlineData": {"mimeType": "audio/wav", "data": "QQ=="}}),
        );
        let uploaded = image(Media::FileId("file-1".into()));
        let error = write(&uploaded, &conversation).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
        assert_eq!(error.param.as_deref(), Some("messages"));
        let own = image(Media::FileId("files/abc".into()));
        let written = write(&own, &Conversation::new(Dialect::Gemini))
            .unwrap()
            .unwrap();
        assert_eq!(
            serde_json::to_value(written).unwrap(),
            serde_json::json!({"fileData": {"fileUri": "files/abc"}})
        );
        assert!(
            write(&Part::Text("x".into()), &conversation)
                .unwrap()
                .is_none()
        );
    }
}
