//! The lists of models, in three shapes. They are for show: any model name is answered.

use http::Uri;
use serde_json::{Value, json};

use super::{CREATED_AT, CREATED_UNIX};
use crate::simulator::{
    errors::Problem,
    route::{Route, Surface, argument},
};

const OPEN_AI: [&str; 4] = [
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-5-mini",
    "text-embedding-3-small",
];
const ANTHROPIC: [&str; 3] = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"];
const GEMINI: [&str; 3] = ["gemini-2.5-pro", "gemini-2.5-flash", "gemini-embedding-001"];

/// The list, or the one that the path names.
///
/// # Errors
/// There is none of that name.
pub fn answer(route: &Route, uri: &Uri) -> Result<Value, Problem> {
    let known: &[&str] = match route.surface {
        Surface::OpenAi | Surface::Azure => &OPEN_AI,
        Surface::Anthropic => &ANTHROPIC,
        Surface::Gemini => &GEMINI,
    };
    match (&route.item, route.surface) {
        (Some(id), surface) if known.contains(&id.as_str()) => Ok(model(id, surface)),
        (Some(id), Surface::OpenAi | Surface::Azure) => Err(Problem::NotFound {
            message: format!("The model '{id}' does not exist."),
            code: Some("model_not_found"),
        }),
        (Some(id), Surface::Anthropic) => Err(not_found(format!("model: {id}"))),
        (Some(id), Surface::Gemini) => Err(not_found(format!(
            "models/{id} is not found for API version v1beta."
        ))),
        (None, Surface::OpenAi | Surface::Azure) => {
            let data: Vec<Value> = known.iter().map(|id| model(id, route.surface)).collect();
            Ok(json!({"object": "list", "data": data}))
        }
        (None, Surface::Anthropic) => Ok(anthropic_page(uri)),
        (None, Surface::Gemini) => Ok(gemini_page(uri)),
    }
}

fn not_found(message: String) -> Problem {
    Problem::NotFound {
        message,
        code: None,
    }
}

/// A page of Anthropic's list, behind `after_id`.
fn anthropic_page(uri: &Uri) -> Value {
    let after = argument(uri, "after_id");
    let first = after
        .and_then(|after| ANTHROPIC.iter().position(|id| *id == after))
        .map_or(0, |index| index + 1);
    let (page, has_more) = page(&ANTHROPIC, first, argument(uri, "limit"));
    let data: Vec<Value> = page
        .iter()
        .map(|id| model(id, Surface::Anthropic))
        .collect();
    json!({"data": data, "has_more": has_more, "first_id": page.first(), "last_id": page.last()})
}

/// A page of Gemini's list; the token of the next one is where it begins.
fn gemini_page(uri: &Uri) -> Value {
    let first = argument(uri, "pageToken").and_then(|token| token.parse().ok());
    let first = first.unwrap_or_default();
    let (page, has_more) = page(&GEMINI, first, argument(uri, "pageSize"));
    let models: Vec<Value> = page.iter().map(|id| model(id, Surface::Gemini)).collect();
    let mut list = json!({"models": models});
    if has_more {
        list["nextPageToken"] = (first + page.len()).to_string().into();
    }
    list
}

fn page<'a>(all: &'a [&'a str], first: usize, size: Option<String>) -> (&'a [&'a str], bool) {
    let size = size.and_then(|size| size.parse().ok());
    let rest = all.get(first..).unwrap_or_default();
    let count = size.unwrap_or(rest.len()).clamp(1, rest.len().max(1));
    (&rest[..count.min(rest.len())], rest.len() > count)
}

fn model(id: &str, surface: Surface) -> Value {
    match surface {
        Surface::OpenAi | Surface::Azure => json!({
            "id": id, "object": "model", "created": CREATED_UNIX, "owned_by": "simulator",
        }),
        Surface::Anthropic => json!({
            "type": "model", "id": id, "display_name": id, "created_at": CREATED_AT, "lifecycle": "active",
            "max_input_tokens": 200_000, "max_tokens": 64_000,
        }),
        Surface::Gemini => {
            let methods: &[&str] = if id.contains("embedding") {
                &["embedContent", "batchEmbedContents", "countTokens"]
            } else {
                &["generateContent", "streamGenerateContent", "countTokens"]
            };
            json!({
                "name": format!("models/{id}"), "version": "001", "displayName": id,
                "description": "A simulated model.", "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                "supportedGenerationMethods": methods, "temperature": 1.0, "topP": 0.95, "topK": 64,
                "maxTemperature": 2.0, "thinking": true,
            })
        }
    }
}
