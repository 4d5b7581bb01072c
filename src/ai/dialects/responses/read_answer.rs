//! A provider's whole response, read as an answer.

use serde_json::Value;

use super::ending::{Held, Response, protocol_error};
use super::wire::{Item, MessagePart};
use crate::ai::conversation::{Answer, Choice, Part, ToolCall, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

/// Reads a response object. What hosted tools did in it stays behind; what the model said of it crosses.
///
/// # Errors
/// `provider_protocol_error` where the body is no finished response; the provider's own failure where it tells of one.
pub(in crate::ai) fn read_answer(
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, RequestError> {
    let response: Response = serde_json::from_slice(body).map_err(|_| protocol_error("answer"))?;
    if let Some(error) = response.failure() {
        return Err(error);
    }
    if response.is_pending() {
        return Err(protocol_error("unfinished answer"));
    }
    let usage = response.tokens();
    let Some(output) = &response.output else {
        return Err(protocol_error("answer"));
    };
    let mut parts = Vec::new();
    for item in output {
        read_item(item.clone(), context, &mut parts)?;
    }
    let finish = response.finish(held(&parts));
    Ok(Answer {
        id: response.id,
        model: response.model,
        choices: vec![Choice { parts, finish }],
        usage,
    })
}

fn read_item(
    item: Value,
    context: &AnswerContext,
    parts: &mut Vec<Part>,
) -> Result<(), RequestError> {
    match Item::read(item).map_err(|_| protocol_error("output item"))? {
        Item::Message(content) => parts.extend(content.into_iter().filter_map(message_part)),
        Item::Reasoning(thought) => {
            parts.extend(thought.into_reasoning().into_iter().map(Part::Reasoning));
        }
        Item::Call(call) => {
            let call = call
                .into_tool_call()
                .ok_or_else(|| protocol_error("tool call"))?;
            parts.push(Part::ToolCall(turned_back(call, context)));
        }
        Item::Other => {}
    }
    Ok(())
}

/// Text or a refusal; an empty one says nothing.
fn message_part(part: MessagePart) -> Option<Part> {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    said(part.text)
        .map(Part::Text)
        .or_else(|| said(part.refusal).map(Part::Refusal))
}

/// A call of a function that stood in for a custom tool, as the call of that tool.
fn turned_back(mut call: ToolCall, context: &AnswerContext) -> ToolCall {
    if !call.custom && context.conversation.is_custom_tool(&call.name) {
        call.arguments = ToolKind::custom_input(&call.arguments);
        call.custom = true;
    }
    call
}

fn held(parts: &[Part]) -> Held {
    Held {
        call: parts.iter().any(|part| matches!(part, Part::ToolCall(_))),
        text: parts.iter().any(|part| matches!(part, Part::Text(_))),
        refusal: parts.iter().any(|part| matches!(part, Part::Refusal(_))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::ai::conversation::{Conversation, Finish, OpaqueKind, Tool};
    use crate::ai::dialects::Dialect;
    use crate::error::ErrorKind;

    fn context() -> AnswerContext {
        let mut conversation = Conversation::new(Dialect::Chat);
        conversation.tools.push(Tool {
            name: "patch".into(),
            description: None,
            kind: ToolKind::Custom { format: None },
        });
        AnswerContext {
            request_id: "0198-ab".into(),
            created_unix: 7,
            model: "m".into(),
            response_id: "resp_1".into(),
            wants_usage_event: false,
            conversation: Arc::new(conversation),
        }
    }

    fn read(response: Value) -> Result<Answer, RequestError> {
        read_answer(response.to_string().as_bytes(), &context())
    }

    #[test]
    fn every_kind_of_output_is_read_in_its_order() {
        let answer = read(json!({
            "id": "resp_9", "object": "response", "model": "gpt-x-1", "status": "completed", "new_field": [1],
            "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc"},
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                    {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation"}]},
                    {"type": "refusal", "refusal": "not that"},
                    {"type": "output_text", "text": "", "annotations": []},
                ]},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"},
                {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "f", "arguments": ""},
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_3", "name": "patch", "input": "*** x"},
                {"type": "function_call", "id": "fc_3", "call_id": "call_4", "name": "patch", "arguments": "{\"input\":\"*** y\"}"},
            ],
            "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14,
                "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}, "output_tokens_details": {"reasoning_tokens": 3}},
        }))
        .unwrap();
        assert_eq!(answer.id.as_deref(), Some("resp_9"));
        assert_eq!(answer.model.as_deref(), Some("gpt-x-1"));
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read), (9, 5, 4));
        assert_eq!((usage.cache_write, usage.reasoning), (2, 3));
        let [choice] = &*answer.choices else {
            panic!("one choice");
        };
        assert_eq!(choice.finish, Finish::ToolCalls);
        let called = |id: &str, name: &str, arguments: &str, custom| {
            Part::ToolCall(ToolCall {
                id: id.into(),
                name: name.into(),
                arguments: arguments.into(),
                custom,
                state: None,
            })
        };
        let [Part::Reasoning(reasoning), said @ ..] = &*choice.parts else {
            panic!("{choice:?}");
        };
        let state = reasoning.state.as_ref().unwrap();
        assert_eq!((&*reasoning.text, reasoning.summary), ("hm", true));
        assert_eq!(
            (state.kind, &*state.data, state.item_id.as_deref()),
            (OpaqueKind::Encrypted, "enc", Some("rs_1"))
        );
        assert_eq!(
            said,
            [
                Part::Text("Hello".into()),
                Part::Refusal("not that".into()),
                called("call_1", "f", "{\"a\":1}", false),
                called("call_2", "f", "{}", false),
                called("call_3", "patch", "*** x", true),
                called("call_4", "patch", "*** y", true),
            ]
        );
    }

    #[test]
    fn an_answer_that_was_cut_says_why() {
        let check = |reason: &str, expected: Finish| {
            let answer = read(json!({
                "status": "incomplete", "incomplete_details": {"reason": reason},
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hel"}]}],
            }))
            .unwrap();
            assert_eq!(answer.choices[0].finish, expected);
            assert_eq!(answer.usage, None);
        };
        check("max_output_tokens", Finish::Length);
        check("content_filter", Finish::ContentFilter);
    }

    #[test]
    fn a_failure_inside_an_answer_is_the_providers_and_what_is_no_response_a_protocol_error() {
        let check = |body: &str, kind: ErrorKind, status: u16| {
            let error = read_answer(body.as_bytes(), &context()).unwrap_err();
            assert_eq!((error.kind, error.status()), (kind, status), "{body}");
        };
        check(
            r#"{"status":"failed","output":[],"error":{"code":"server_error","message":"boom"}}"#,
            ErrorKind::ProviderError,
            502,
        );
        check(
            r#"{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"slow"}}"#,
            ErrorKind::ProviderError,
            429,
        );
        check(
            r#"{"error":{"code":"invalid_prompt","message":"no"}}"#,
            ErrorKind::ProviderError,
            400,
        );
        check(
            r#"{"status":"cancelled","output":[]}"#,
            ErrorKind::ProviderError,
            502,
        );
        for body in [
            "busy",
            "{}",
            r#"{"output":{}}"#,
            r#"{"status":"queued","output":[]}"#,
            r#"{"output":[{"type":"function_call","arguments":"{}"}]}"#,
            r#"{"output":[{"type":"message","content":"text"}]}"#,
        ] {
            check(body, ErrorKind::ProviderProtocolError, 502);
        }
    }
}
