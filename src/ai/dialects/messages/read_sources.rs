//! Blocks whose content is elsewhere or of another kind: pictures, documents, search results.
//!
//! A document of plain text, or of blocks, is read as that text and those blocks: it says the same, and every
//! provider can read it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::read_content::{Notes, Place, Wire, read_content};
use crate::ai::conversation::{Media, Part};
use crate::error::RequestError;

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
    file_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

/// A picture.
pub(super) fn read_image(wire: &Wire<'_>, place: Place) -> Result<Part, RequestError> {
    let source = source(wire.source, place)?;
    Ok(Part::Image {
        media: media(source, place, None)?,
        detail: None,
    })
}

fn source<'a>(raw: Option<&'a RawValue>, place: Place) -> Result<Source<'a>, RequestError> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .ok_or_else(|| place.invalid("must have an object with a type as its `source`"))
}

/// A picture's or a document's bytes, wherever they are. `mime_type` is what they are where the source does not say.
fn media(source: Source<'_>, place: Place, mime_type: Option<&str>) -> Result<Media, RequestError> {
    let mime_type = source.media_type.or(mime_type.map(str::to_owned));
    match (&*source.r#type, source.data, source.url, source.file_id) {
        ("base64", Some(base64), ..) => Ok(Media::Inline {
            mime_type: mime_type.ok_or_else(|| place.invalid("lacks `source.media_type`"))?,
            base64,
        }),
        ("url", _, Some(url), _) => Ok(Media::Url(url)),
        ("file", _, _, Some(file_id)) => Ok(Media::FileId(file_id)),
        _ => Err(place.invalid("has a `source` that this API does not know")),
    }
}

pub(super) fn read_document(
    wire: Wire<'_>,
    place: Place,
    notes: &mut Notes,
    out: &mut Vec<Part>,
) -> Result<(), RequestError> {
    let source = source(wire.source, place)?;
    let about = |parts: [Option<&str>; 2]| {
        let told: Vec<&str> = parts.into_iter().flatten().collect();
        (!told.is_empty()).then(|| Part::Text(told.join("\n")))
    };
    let title = wire.title.as_deref();
    let context = wire.context.as_deref();
    match (&*source.r#type, source.data.as_deref(), source.content) {
        ("text", Some(text), _) => {
            out.extend(about([title, context]));
            out.push(Part::Text(text.to_owned()));
        }
        ("content", _, Some(content)) => {
            out.extend(about([title, context]));
            out.extend(read_content(content, place, notes)?);
        }
        _ => {
            out.extend(about([None, context]));
            out.push(Part::Document {
                media: media(source, place, Some("application/pdf"))?,
                file_name: wire.title,
            });
        }
    }
    Ok(())
}

/// A search result is its title, where it is from, and its text.
pub(super) fn read_search_result(
    wire: &Wire<'_>,
    place: Place,
    notes: &mut Notes,
) -> Result<Part, RequestError> {
    let from: Option<String> = wire
        .source
        .and_then(|raw| serde_json::from_str(raw.get()).ok());
    let parts = match wire.content {
        Some(content) => read_content(content, place, notes)?,
        None => Vec::new(),
    };
    let head = [wire.title.as_deref(), from.as_deref()];
    let told = head.into_iter().flatten();
    let lines: Vec<&str> = told.chain(parts.iter().filter_map(Part::as_text)).collect();
    Ok(Part::Text(lines.join("\n")))
}
