//! What chat completions and responses have in common: parts, tools, the choice among them, output formats.

use serde::Deserialize;
use serde_json::Value;

use super::content;
use crate::simulator::{
    errors::Problem,
    heard::{Media, Output, Turn},
    reply::{OutputForm, Tool, ToolChoice},
};

/// A part of a message's content, of either API.
#[derive(Debug, Deserialize)]
pub struct Part {
    #[serde(default)]
    pub r#type: String,
    #[serde(default, deserialize_with = "content::nullable")]
    pub text: String,
    #[serde(default, deserialize_with = "content::nullable")]
    refusal: String,
    /// A string, or an object with the string in `url`.
    image_url: Option<Value>,
    input_audio: Option<Audio>,
    file: Option<File>,
    file_data: Option<String>,
    file_id: Option<String>,
    file_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Audio {
    data: String,
    format: String,
}

/// Chat completions keep a file's fields apart; responses have them in the part itself.
#[derive(Debug, Deserialize)]
struct File {
    file_data: Option<String>,
    file_id: Option<String>,
}

/// The content of a message.
pub type Content = content::Content<Part>;

impl Content {
    /// The first text in it.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts
                .iter()
                .find(|part| !part.text.is_empty())
                .map_or("", |part| &part.text),
        }
    }

    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Parts(parts) => parts.iter().map(|part| part.text.len()).sum(),
        }
    }

    /// Every part is one of `kinds`, and what it carries can be read.
    pub fn check(&self, kinds: &[&str], at: &str) -> Result<(), Problem> {
        let Self::Parts(parts) = self else {
            return Ok(());
        };
        for (index, part) in parts.iter().enumerate() {
            let at = format!("{at}[{index}]");
            if !kinds.contains(&part.r#type.as_str()) {
                let kinds = kinds.join("', '");
                let message = format!(
                    "Invalid value: '{}'. Supported values are: '{kinds}'.",
                    part.r#type
                );
                return Err(
                    Problem::invalid_at(format!("{at}.type"), message).with_code("invalid_value")
                );
            }
            part.media(&at)?;
        }
        Ok(())
    }

    pub fn hear(&self, turn: &mut Turn) {
        match self {
            Self::Text(text) => turn.say(text),
            Self::Parts(parts) => {
                for part in parts {
                    turn.say(&part.text);
                    turn.say(&part.refusal);
                }
            }
        }
        self.hear_media(turn);
    }

    /// What it carries beside text.
    pub fn hear_media(&self, turn: &mut Turn) {
        let Self::Parts(parts) = self else { return };
        for part in parts {
            match part.media("") {
                Ok(Some(media)) if part.is_image() => turn.images.push(media.to_string()),
                Ok(Some(media)) => turn.documents.push(media.to_string()),
                // What is broken was refused before anybody asks what was heard.
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// All texts, one by one.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::Parts(parts) => parts.iter().map(|part| part.text.clone()).collect(),
        }
    }
}

impl Part {
    fn is_image(&self) -> bool {
        matches!(self.r#type.as_str(), "image_url" | "input_image")
    }

    /// What it carries beside text.
    fn media(&self, at: &str) -> Result<Option<Media>, Problem> {
        let broken = |field: &str, expected: &str| {
            let message = format!("Invalid '{at}.{field}'. Expected {expected}.");
            Problem::invalid_at(format!("{at}.{field}"), message).with_code("invalid_value")
        };
        let (data, id) = match &self.file {
            Some(file) => (&file.file_data, &file.file_id),
            None => (&self.file_data, &self.file_id),
        };
        if self.is_image() {
            let url = self.image_url.as_ref().and_then(|image| {
                let url = image.get("url").unwrap_or(image);
                url.as_str()
            });
            return match (url, id) {
                (Some(url), _) => {
                    let known = ["data:", "https://", "http://"];
                    let usable = known.iter().any(|scheme| url.starts_with(scheme));
                    let media = Media::at(url, None).filter(|_| usable);
                    let expected = "a URL, or a base64-encoded data URL with an image MIME type";
                    media.map(Some).ok_or_else(|| broken("image_url", expected))
                }
                (None, Some(id)) => Ok(Some(named(id))),
                (None, None) => Err(broken("image_url", "an image")),
            };
        }
        if let Some(audio) = &self.input_audio {
            let media = Media::inline(&format!("audio/{}", audio.format), &audio.data);
            return media
                .map(Some)
                .ok_or_else(|| broken("input_audio.data", "base64-encoded data"));
        }
        match (data, id, &self.file_url) {
            (Some(data), ..) => {
                let media = Media::at(data, None).filter(|_| data.starts_with("data:"));
                let expected = "a base64-encoded data URL (e.g. 'data:application/pdf;base64,…')";
                media.map(Some).ok_or_else(|| broken("file_data", expected))
            }
            (None, Some(id), _) => Ok(Some(named(id))),
            (None, None, Some(url)) => Ok(Media::at(url, None)),
            (None, None, None) => Ok(None),
        }
    }
}

fn named(id: &str) -> Media {
    Media::Named {
        mime: None,
        name: format!("file:{id}"),
    }
}

/// A tool that the simulated model can call; `None` for one that the provider runs.
pub fn tool(field: &Value) -> Option<Tool> {
    let custom = field.get("type").and_then(Value::as_str) == Some("custom");
    let function = field.get("function").or_else(|| field.get("custom"));
    let function = function.unwrap_or(field);
    Some(Tool {
        name: function.get("name")?.as_str()?.to_owned(),
        parameters: function.get("parameters").cloned().unwrap_or_default(),
        custom,
    })
}

/// Its name, or its type when the provider runs it.
pub fn tool_name(field: &Value) -> String {
    let kind = field.get("type").and_then(Value::as_str);
    tool(field).map_or_else(|| kind.unwrap_or_default().to_owned(), |tool| tool.name)
}

/// `tool_choice`, in words and in what it means for the answer.
pub fn tool_choice(field: &Value) -> (String, ToolChoice) {
    let kind = field.get("type").and_then(Value::as_str);
    match (field.as_str(), kind) {
        (Some("required"), _) => ("required".into(), ToolChoice::Required),
        (Some(word), _) => (word.to_owned(), ToolChoice::Free),
        (None, Some("allowed_tools")) => {
            let allowed = field.get("allowed_tools").unwrap_or(field);
            let mode = allowed.get("mode").and_then(Value::as_str);
            let mode = mode.unwrap_or("auto").to_owned();
            let tools = allowed.get("tools").and_then(Value::as_array);
            let names: Vec<String> = tools.into_iter().flatten().map(tool_name).collect();
            let meant = match names.first() {
                Some(first) if mode == "required" => ToolChoice::Named(first.clone()),
                _ => ToolChoice::Free,
            };
            (format!("{mode}:{}", names.join(",")), meant)
        }
        (None, _) => {
            let name = tool_name(field);
            (format!("tool:{name}"), ToolChoice::Named(name))
        }
    }
}

/// `response_format`, or `text.format`.
pub fn output(format: Option<&Value>) -> OutputForm {
    let kind = format.and_then(|format| format.get("type")?.as_str());
    match (kind, format) {
        (Some("json_object"), _) => OutputForm::JsonObject,
        (Some("json_schema"), Some(format)) => {
            let named = format.get("json_schema").unwrap_or(format);
            OutputForm::JsonSchema(named.get("schema").cloned().unwrap_or_default())
        }
        _ => OutputForm::Text,
    }
}

impl From<&OutputForm> for Output {
    fn from(form: &OutputForm) -> Self {
        match form {
            OutputForm::Text => Self::Text,
            OutputForm::JsonObject => Self::JsonObject,
            OutputForm::JsonSchema(_) => Self::JsonSchema,
        }
    }
}
