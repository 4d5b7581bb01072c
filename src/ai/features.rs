//! What a request needs of a model, read from its body without understanding the rest of it.
//!
//! Asked for only where a model's `capabilities` name a feature: it is one more pass over the body.

use serde_json::Value;

use super::dialects::Dialect;
use super::routing::Features;

/// The features that a request in `dialect` uses. A body that is no JSON uses none.
pub(super) fn of_request(dialect: Dialect, body: &[u8]) -> Features {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Features::default();
    };
    let tools = body["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    let config = match &body["generationConfig"] {
        Value::Null => &body["generation_config"],
        config => config,
    };
    let (json, reasoning, messages) = match dialect {
        Dialect::Chat => (
            asks_for_json(&body["response_format"]),
            thinks(&body["reasoning_effort"]) || thinks(&body["reasoning"]["effort"]),
            &body["messages"],
        ),
        Dialect::Responses => (
            asks_for_json(&body["text"]["format"]),
            thinks(&body["reasoning"]["effort"]),
            &body["input"],
        ),
        Dialect::Messages => (
            asks_for_json(&body["output_config"]["format"])
                || asks_for_json(&body["output_format"]),
            thinks(&body["thinking"]["type"]) || thinks(&body["output_config"]["effort"]),
            &body["messages"],
        ),
        Dialect::Gemini => (
            config["responseMimeType"] == "application/json"
                || config["response_mime_type"] == "application/json",
            config.get("thinkingConfig").is_some_and(Value::is_object)
                || config.get("thinking_config").is_some_and(Value::is_object),
            &body["contents"],
        ),
        Dialect::Embeddings | Dialect::GeminiEmbeddings => return Features::default(),
    };
    Features {
        tools,
        vision: holds_image(messages),
        json,
        reasoning,
    }
}

fn asks_for_json(format: &Value) -> bool {
    format["type"]
        .as_str()
        .is_some_and(|kind| kind.starts_with("json"))
}

/// Whether an effort, or the type of a thinking switch, is one that thinks.
fn thinks(word: &Value) -> bool {
    word.as_str()
        .is_some_and(|word| !matches!(word, "none" | "disabled"))
}

/// Whether a picture stands anywhere in `value`, in the words of any of the dialects.
fn holds_image(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_image),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            if matches!(kind, Some("image" | "image_url" | "input_image")) {
                return true;
            }
            let is_image = |name: &str| {
                let data = fields.get(name);
                let mime = data.and_then(|data| data.get("mimeType").or(data.get("mime_type")));
                mime.and_then(Value::as_str)
                    .is_some_and(|mime| mime.starts_with("image/"))
            };
            ["inlineData", "inline_data", "fileData", "file_data"]
                .into_iter()
                .any(is_image)
                || fields.values().any(holds_image)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialects_way_of_asking_is_known() {
        let check = |dialect, body: &str, expected: [bool; 4]| {
            let found = of_request(dialect, body.as_bytes());
            let found = [found.tools, found.vision, found.json, found.reasoning];
            assert_eq!(found, expected, "{body}");
        };
        let none = [false; 4];
        check(
            Dialect::Chat,
            r#"{"messages":[{"content":"type: image"}],"tools":[]}"#,
            none,
        );
        check(
            Dialect::Chat,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}],"tools":[{}],
                "response_format":{"type":"json_schema"},"reasoning_effort":"low"}"#,
            [true; 4],
        );
        check(
            Dialect::Chat,
            r#"{"response_format":{"type":"text"},"reasoning_effort":"none"}"#,
            none,
        );
        check(
            Dialect::Responses,
            r#"{"input":[{"content":[{"type":"input_image"}]}],"tools":[{}],"text":{"format":{"type":"json_object"}},
                "reasoning":{"effort":"high"}}"#,
            [true; 4],
        );
        check(
            Dialect::Messages,
            r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image"}]}]}],"tools":[{}],
                "output_config":{"format":{"type":"json_schema"}},"thinking":{"type":"enabled"}}"#,
            [true; 4],
        );
        check(
            Dialect::Messages,
            r#"{"thinking":{"type":"disabled"}}"#,
            none,
        );
        check(
            Dialect::Gemini,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}],"tools":[{}],
                "generationConfig":{"responseMimeType":"application/json","thinkingConfig":{}}}"#,
            [true; 4],
        );
        check(
            Dialect::Gemini,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"application/pdf"}}]}]}"#,
            none,
        );
        check(Dialect::Embeddings, r#"{"input":"x","tools":[{}]}"#, none);
        check(Dialect::Chat, "not json", none);
    }
}
