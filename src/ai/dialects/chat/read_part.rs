//! One part of a message's content: text, a refusal, a picture, speech, a file.

use serde_json::Value;

use super::fields::{Fields, cannot_cross, wrong};
use super::wire::DataUrl;
use crate::ai::conversation::{Media, Part};
use crate::error::RequestError;

/// Reads a part; `type` says which kind it is.
pub(super) fn read_part(fields: &mut Fields) -> Result<Part, RequestError> {
    let kind = fields.needed_text("type")?;
    match kind.as_str() {
        "text" => Ok(Part::Text(fields.needed_text("text")?)),
        "refusal" => Ok(Part::Refusal(fields.needed_text("refusal")?)),
        "image_url" => read_image(fields),
        "input_audio" => {
            let mut audio = fields.needed_object("input_audio")?;
            Ok(Part::Audio {
                data: audio.needed_text("data")?,
                format: audio.needed_text("format")?,
            })
        }
        "file" => read_file(fields),
        _ => Err(cannot_cross(
            fields.path().to_owned(),
            "is a part that the gateway cannot put into another API; \
             it knows `text`, `image_url`, `input_audio`, `file` and `refusal`",
        )),
    }
}

fn read_image(fields: &mut Fields) -> Result<Part, RequestError> {
    let path = fields.path_of("image_url");
    let (url, detail) = match fields.value("image_url") {
        // Compatible servers take the URL alone.
        Some(Value::String(url)) => (url, None),
        Some(value) => {
            let mut image = Fields::of(path.clone(), value)?;
            (image.needed_text("url")?, image.text("detail")?)
        }
        None => return Err(wrong(path, "is missing; it must be an object")),
    };
    let media = match DataUrl::parse(&url) {
        DataUrl::Inline(mime_type, base64) => inline(mime_type, base64),
        DataUrl::Broken => {
            return Err(wrong(
                format!("{path}.url"),
                "must be a URL, or `data:<mime type>;base64,<data>`",
            ));
        }
        DataUrl::Other => Media::Url(url),
    };
    Ok(Part::Image { media, detail })
}

fn read_file(fields: &mut Fields) -> Result<Part, RequestError> {
    let mut file = fields.needed_object("file")?;
    let file_name = file.text("filename")?;
    let data_path = file.path_of("file_data");
    let media = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => match DataUrl::parse(&data) {
            DataUrl::Inline(mime_type, base64) => inline(mime_type, base64),
            DataUrl::Broken => {
                return Err(wrong(data_path, "must be `data:<mime type>;base64,<data>`"));
            }
            // OpenRouter takes a URL here.
            DataUrl::Other if data.starts_with("https://") || data.starts_with("http://") => {
                Media::Url(data)
            }
            // Base64 alone, as the API's reference has it; PDF is the one type that it takes.
            DataUrl::Other => inline("application/pdf", &data),
        },
        (None, Some(id)) => Media::FileId(id),
        (None, None) => {
            return Err(wrong(
                file.path().to_owned(),
                "must have `file_data` or `file_id`",
            ));
        }
    };
    Ok(Part::Document { media, file_name })
}

fn inline(mime_type: &str, base64: &str) -> Media {
    Media::Inline {
        mime_type: mime_type.to_owned(),
        base64: base64.to_owned(),
    }
}
