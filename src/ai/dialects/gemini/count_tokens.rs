//! `countTokens`. <https://ai.google.dev/api/tokens>
//!
//! Its body is either `contents` alone or a whole request, `generateContentRequest`. Only the second one counts
//! instructions and tools, so that is what is written; both are read.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fields::Fields;
use super::model_family;
use super::read_request;
use super::write_request::{self, Request};
use crate::ai::conversation::Conversation;
use crate::ai::dialects::{Target, Written};
use crate::error::RequestError;

const REQUEST: &str = "generateContentRequest";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CountRequest<'c> {
    generate_content_request: Request<'c>,
}

/// Writes the body that counts a conversation.
///
/// # Errors
/// As `write_request`.
pub(in crate::ai) fn write_count_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    let (mut request, dropped) = write_request::build(conversation, target)?;
    request.model = Some(model_family::resource(target.model));
    let body = CountRequest {
        generate_content_request: request,
    };
    Ok(write_request::written(&body, dropped))
}

/// Reads a client's body.
///
/// # Errors
/// As `read_request`.
pub(in crate::ai) fn read_count_request(body: &[u8]) -> Result<Conversation, RequestError> {
    let mut fields = Fields::parse("", body)?;
    let whole = fields.take_raw(REQUEST);
    let Some(whole) = whole else {
        return read_request::read_fields(fields);
    };
    Fields::parse(REQUEST, whole.get().as_bytes())?;
    read_request::read_fields(Fields::parse("", whole.get().as_bytes())?)
}

/// The count in a provider's answer.
pub(in crate::ai) fn read_count_answer(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        total_tokens: u64,
    }
    let counted: Counted = serde_json::from_slice(body).ok()?;
    Some(counted.total_tokens)
}

/// The answer for a client.
pub(in crate::ai) fn write_count_answer(total: u64) -> Bytes {
    json!({"totalTokens": total}).to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::ai::conversation::{Message, Part, Role};
    use crate::ai::dialects::{Dialect, Quirks};

    #[test]
    fn everything_is_counted_and_reads_back() {
        let mut conversation = Conversation::new(Dialect::Messages);
        conversation.messages = vec![
            Message::new(Role::System, vec![Part::Text("s".into())]),
            Message::new(Role::User, vec![Part::Text("hi".into())]),
        ];
        let target = Target {
            model: "gemini-x",
            stream: false,
            quirks: Quirks::default(),
            default_max_output_tokens: 1,
        };
        let written = write_count_request(&conversation, &target).unwrap();
        let body: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(
            body,
            json!({"generateContentRequest": {
                "model": "models/gemini-x",
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                "systemInstruction": {"parts": [{"text": "s"}]},
            }})
        );
        let read = read_count_request(&written.body).unwrap();
        assert_eq!(read.messages, conversation.messages);
    }

    #[test]
    fn contents_alone_are_read_too_and_what_is_wrong_is_refused() {
        let read = read_count_request(br#"{"contents":[{"parts":[{"text":"hi"}]}]}"#).unwrap();
        assert_eq!(read.messages.len(), 1);
        for (body, param) in [
            ("{}", "contents"),
            (r#"{"generateContentRequest":{}}"#, "contents"),
            (r#"{"generate_content_request":7}"#, REQUEST),
        ] {
            let error = read_count_request(body.as_bytes()).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn the_count_is_read_as_it_is_written() {
        assert_eq!(read_count_answer(&write_count_answer(42)), Some(42));
        assert_eq!(
            read_count_answer(br#"{"totalTokens":7,"promptTokensDetails":[]}"#),
            Some(7)
        );
        assert_eq!(read_count_answer(b"{}"), None);
    }
}
