//! A whole answer for a client. <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

use std::borrow::Cow;

use bytes::Bytes;

use super::base64_text;
use super::usage::UsageMetadata;
use super::wire::{Blob, Candidate, Content, FunctionCall, MODEL, Part as WirePart, Response};
use super::{calls, finish, signature};
use crate::ai::conversation::{Answer, Choice, Finish, Media, Part, ToolCall};
use crate::ai::dialects::AnswerContext;

/// Writes an answer.
pub(in crate::ai) fn write_answer(answer: &Answer, context: &AnswerContext) -> Bytes {
    let response = Response {
        candidates: (0..)
            .zip(&answer.choices)
            .map(|(index, choice)| candidate(index, choice))
            .collect(),
        usage_metadata: answer.usage.map(UsageMetadata::from),
        model_version: Some(answer.model.as_deref().unwrap_or(&context.model).into()),
        response_id: Some(response_id(answer.id.as_deref(), context)),
        ..Response::default()
    };
    let body = serde_json::to_vec(&response);
    body.expect("plain structs with text keys are always JSON")
        .into()
}

/// The provider's own id, else the request's; this dialect's ids have no prefix.
pub(super) fn response_id<'a>(id: Option<&'a str>, context: &AnswerContext) -> Cow<'a, str> {
    match id {
        Some(id) => Cow::Borrowed(id),
        None => Cow::Owned(context.request_id.replace('-', "")),
    }
}

fn candidate(index: u32, choice: &Choice) -> Candidate<'_> {
    let mut parts = Vec::with_capacity(choice.parts.len());
    let mut broken = None;
    for part in &choice.parts {
        match part {
            Part::Text(text) | Part::Refusal(text) => parts.push(WirePart::text(text)),
            Part::Reasoning(reasoning) => parts.push(WirePart {
                thought: Some(true),
                thought_signature: signature::for_client(reasoning),
                ..WirePart::text(&reasoning.text)
            }),
            Part::ToolCall(call) => match call_part(call) {
                Some(part) => parts.push(part),
                None => broken = Some(call),
            },
            Part::Image {
                media: Media::Inline { mime_type, base64 },
                ..
            } => parts.push(WirePart {
                inline_data: Some(Blob {
                    mime_type: mime_type.into(),
                    data: base64_text::standard(base64),
                }),
                ..WirePart::default()
            }),
            // No model of ours answers in these.
            Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::ToolResult(_) => {}
        }
    }
    let (finish_reason, finish_message) = reason(&choice.finish, broken.map(|call| &*call.name));
    Candidate {
        content: Some(Content::new(MODEL, parts)),
        finish_reason: Some(finish_reason.into()),
        finish_message: finish_message.map(Cow::Owned),
        index: Some(index),
    }
}

/// A call as a part; `None` where its arguments are no object: half a call is none, as this dialect has it.
pub(super) fn call_part(call: &ToolCall) -> Option<WirePart<'_>> {
    Some(WirePart {
        function_call: Some(FunctionCall {
            id: Some(Cow::Borrowed(&call.id)),
            name: Cow::Borrowed(&call.name),
            args: Some(calls::object(call)?),
        }),
        thought_signature: call.state.as_ref().map(signature::call_for_client),
        ..WirePart::default()
    })
}

/// The finish reason, and words for it. An answer with a call that had to be left out because the model wrote it
/// badly has a reason of its own; one that was cut off says so.
pub(super) fn reason(finish: &Finish, broken_call: Option<&str>) -> (&'static str, Option<String>) {
    match (finish, broken_call) {
        (Finish::Stop | Finish::ToolCalls | Finish::Other(_), Some(name)) => (
            finish::MALFORMED_FUNCTION_CALL,
            Some(format!(
                "The model called `{name}` with arguments that are not a JSON object."
            )),
        ),
        _ => (finish::write(finish), None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferrogate_api::Tokens;
    use serde_json::{Value, json};

    use super::*;
    use crate::ai::conversation::{Conversation, Opaque, OpaqueKind, Reasoning};
    use crate::ai::dialects::Dialect;

    fn write(answer: &Answer) -> Value {
        let context = AnswerContext {
            request_id: "a-b".into(),
            created_unix: 0,
            model: "asked".into(),
            response_id: String::new(),
            wants_usage_event: false,
            conversation: Arc::new(Conversation::new(Dialect::Gemini)),
        };
        serde_json::from_slice(&write_answer(answer, &context)).unwrap()
    }

    fn of(parts: Vec<Part>, finish: Finish) -> Answer {
        Answer {
            choices: vec![Choice { parts, finish }],
            ..Answer::default()
        }
    }

    fn call(arguments: &str, custom: bool) -> Part {
        Part::ToolCall(ToolCall {
            id: "c".into(),
            name: "f".into(),
            arguments: arguments.into(),
            custom,
            state: None,
        })
    }

    #[test]
    fn an_answer_is_a_candidate_for_each_choice() {
        let answer = Answer {
            id: Some("chatcmpl-1".into()),
            model: Some("gpt-x".into()),
            choices: vec![
                Choice {
                    parts: vec![Part::Text("a".into()), Part::Refusal("b".into())],
                    finish: Finish::Length,
                },
                Choice {
                    parts: vec![],
                    finish: Finish::ContentFilter,
                },
            ],
            usage: Some(Tokens {
                input: 3,
                output: 7,
                cache_read: 1,
                cache_write: 0,
                reasoning: 5,
            }),
        };
        assert_eq!(
            write(&answer),
            json!({
                "candidates": [
                    {"content": {"role": "model", "parts": [{"text": "a"}, {"text": "b"}]}, "finishReason": "MAX_TOKENS", "index": 0},
                    {"content": {"role": "model"}, "finishReason": "SAFETY", "index": 1},
                ],
                "usageMetadata": {"promptTokenCount": 3, "cachedContentTokenCount": 1, "candidatesTokenCount": 2,
                    "thoughtsTokenCount": 5, "totalTokenCount": 10},
                "modelVersion": "gpt-x", "responseId": "chatcmpl-1",
            })
        );
        let bare = write(&of(vec![], Finish::Stop));
        assert_eq!(bare["responseId"], "ab");
        assert_eq!(bare["modelVersion"], "asked");
        assert_eq!(bare.get("usageMetadata"), None);
    }

    #[test]
    fn calls_are_whole_objects() {
        let answer = of(
            vec![
                call(r#"{"a":1}"#, false),
                call("text", true),
                call("", false),
            ],
            Finish::ToolCalls,
        );
        let written = write(&answer);
        let candidate = &written["candidates"][0];
        assert_eq!(candidate["finishReason"], "STOP");
        let of = |args: Value| json!({"functionCall": {"id": "c", "name": "f", "args": args}});
        assert_eq!(
            candidate["content"]["parts"],
            json!([
                of(json!({"a": 1})),
                of(json!({"input": "text"})),
                of(json!({}))
            ])
        );
    }

    #[test]
    fn half_a_call_is_none_and_the_reason_says_so() {
        for (finish, reason, explained) in [
            (Finish::ToolCalls, "MALFORMED_FUNCTION_CALL", true),
            (Finish::Length, "MAX_TOKENS", false),
        ] {
            let written = write(&of(
                vec![Part::Text("x".into()), call("{\"a\":", false)],
                finish,
            ));
            let candidate = &written["candidates"][0];
            assert_eq!(candidate["content"]["parts"], json!([{"text": "x"}]));
            assert_eq!(candidate["finishReason"], reason);
            assert_eq!(candidate.get("finishMessage").is_some(), explained);
        }
    }

    #[test]
    fn reasoning_is_a_thought_whose_seal_can_be_decoded() {
        let reasoning = Reasoning {
            text: "hm".into(),
            summary: false,
            state: Some(Opaque {
                origin: Dialect::Messages,
                kind: OpaqueKind::Signature,
                data: "sig".into(),
                item_id: None,
            }),
        };
        let shown = Reasoning {
            state: None,
            ..reasoning.clone()
        };
        let written = write(&of(
            vec![Part::Reasoning(shown), Part::Reasoning(reasoning.clone())],
            Finish::Stop,
        ));
        let parts = &written["candidates"][0]["content"]["parts"];
        assert_eq!(parts[0], json!({"text": "hm", "thought": true}));
        let seal = parts[1]["thoughtSignature"].as_str().unwrap();
        assert_eq!(signature::unsealed(seal), Some(reasoning));
    }
}
