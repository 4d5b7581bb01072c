//! What client libraries do in each of the four dialects: say something, read the answer, and send it back with what
//! the tools said. Bodies are plain JSON, so that a test sees and says whatever it likes beside that.

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::Event;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// A tool that the model asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Empty where the provider gave none.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

use Dialect::{Chat, Gemini, Messages, Responses};

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Chat => "chat",
            Responses => "responses",
            Messages => "messages",
            Gemini => "gemini",
        }
    }

    /// Where a request for `model` goes.
    pub(crate) fn path(self, model: &str, stream: bool) -> String {
        match self {
            Chat => "/v1/chat/completions".to_owned(),
            Responses => "/v1/responses".to_owned(),
            Messages => "/v1/messages".to_owned(),
            Gemini if stream => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Gemini => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// A body in which nothing is said yet.
    pub(crate) fn body(self, model: &str, stream: bool) -> Value {
        let mut body = json!({self.history(): []});
        if self != Gemini {
            body["model"] = model.into();
            body["stream"] = stream.into();
        }
        if self == Messages {
            body["max_tokens"] = 100.into();
        }
        body
    }

    /// The field with what was said so far.
    pub(crate) fn history(self) -> &'static str {
        match self {
            Chat | Messages => "messages",
            Responses => "input",
            Gemini => "contents",
        }
    }

    /// The user says `text`.
    pub(crate) fn say(self, body: &mut Value, text: &str) {
        let turn = match self {
            Gemini => json!({"role": "user", "parts": [{"text": text}]}),
            _ => json!({"role": "user", "content": text}),
        };
        self.push(body, turn);
    }

    pub(crate) fn push(self, body: &mut Value, turn: Value) {
        body[self.history()].as_array_mut().unwrap().push(turn);
    }

    /// All the text of an answer, without thoughts.
    pub(crate) fn text(self, answer: &Value) -> String {
        let texts = self
            .parts(answer)
            .into_iter()
            .filter_map(|part| match self {
                Chat => part["content"].as_str(),
                Responses if part["type"] == "message" => part["content"][0]["text"].as_str(),
                Responses => None,
                Gemini if part["thought"] == true => None,
                Messages | Gemini => part["text"].as_str(),
            });
        texts.collect()
    }

    /// The calls of an answer, in order.
    pub(crate) fn calls(self, answer: &Value) -> Vec<Call> {
        let parsed = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let call = |id: &Value, name: &Value, arguments: Value| Call {
            id: text(id),
            name: text(name),
            arguments,
        };
        let parts = self.parts(answer);
        match self {
            Chat => parts
                .iter()
                .filter_map(|part| part["tool_calls"].as_array())
                .flatten()
                .map(|one| {
                    let function = &one["function"];
                    call(
                        &one["id"],
                        &function["name"],
                        parsed(&function["arguments"]),
                    )
                })
                .collect(),
            Responses => parts
                .iter()
                .filter(|item| item["type"] == "function_call")
                .map(|item| call(&item["call_id"], &item["name"], parsed(&item["arguments"])))
                .collect(),
            Messages => parts
                .iter()
                .filter(|block| block["type"] == "tool_use")
                .map(|block| call(&block["id"], &block["name"], block["input"].clone()))
                .collect(),
            Gemini => parts
                .iter()
                .map(|part| &part["functionCall"])
                .filter(|call| call.is_object())
                .map(|one| call(&one["id"], &one["name"], one["args"].clone()))
                .collect(),
        }
    }

    /// Why the answer ended, in the dialect's own word.
    pub(crate) fn finish(self, answer: &Value) -> String {
        let word = match self {
            Chat => &answer["choices"][0]["finish_reason"],
            Responses => &answer["status"],
            Messages => &answer["stop_reason"],
            Gemini => &answer["candidates"][0]["finishReason"],
        };
        word.as_str().unwrap_or_default().to_owned()
    }

    /// What the answer says it used: input with what came from and went into a cache, output with thought, and these
    /// three.
    pub(crate) fn usage(self, answer: &Value) -> Tokens {
        let usage = match self {
            Gemini => &answer["usageMetadata"],
            _ => &answer["usage"],
        };
        let count = |pointer: &str| {
            usage
                .pointer(pointer)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        match self {
            Chat => Tokens {
                input: count("/prompt_tokens"),
                output: count("/completion_tokens"),
                cache_read: count("/prompt_tokens_details/cached_tokens"),
                cache_write: count("/prompt_tokens_details/cache_write_tokens"),
                reasoning: count("/completion_tokens_details/reasoning_tokens"),
            },
            Responses => Tokens {
                input: count("/input_tokens"),
                output: count("/output_tokens"),
                cache_read: count("/input_tokens_details/cached_tokens"),
                cache_write: count("/input_tokens_details/cache_write_tokens"),
                reasoning: count("/output_tokens_details/reasoning_tokens"),
            },
            // What was read from and written to a cache is no part of its input.
            Messages => {
                let (read, write) = (
                    count("/cache_read_input_tokens"),
                    count("/cache_creation_input_tokens"),
                );
                Tokens {
                    input: count("/input_tokens") + read + write,
                    output: count("/output_tokens"),
                    cache_read: read,
                    cache_write: write,
                    reasoning: count("/output_tokens_details/thinking_tokens"),
                }
            }
            // And thought no part of its candidates.
            Gemini => Tokens {
                input: count("/promptTokenCount"),
                output: count("/candidatesTokenCount") + count("/thoughtsTokenCount"),
                cache_read: count("/cachedContentTokenCount"),
                cache_write: 0,
                reasoning: count("/thoughtsTokenCount"),
            },
        }
    }

    /// The word of [`Dialect::finish`] for an answer that asks for tools.
    pub(crate) fn finish_with_calls(self) -> &'static str {
        match self {
            Chat => "tool_calls",
            Responses => "completed",
            Messages => "tool_use",
            Gemini => "STOP",
        }
    }

    /// What an answer consists of; a chat answer is one part.
    fn parts(self, answer: &Value) -> Vec<&Value> {
        let list = match self {
            Chat => return vec![&answer["choices"][0]["message"]],
            Responses => &answer["output"],
            Messages => &answer["content"],
            Gemini => &answer["candidates"][0]["content"]["parts"],
        };
        list.as_array().into_iter().flatten().collect()
    }

    /// Sends the answer back as part of the history, as the dialect's own libraries do: everything in it, but for chat,
    /// where what is no text and no call has no place.
    pub(crate) fn remember(self, body: &mut Value, answer: &Value) {
        match self {
            Chat => {
                let message = &answer["choices"][0]["message"];
                let mut turn = json!({"role": "assistant", "content": message["content"]});
                if message["tool_calls"].is_array() {
                    turn["tool_calls"] = message["tool_calls"].clone();
                }
                self.push(body, turn);
            }
            Responses => {
                for item in self.parts(answer) {
                    self.push(body, item.clone());
                }
            }
            Messages => self.push(
                body,
                json!({"role": "assistant", "content": answer["content"]}),
            ),
            Gemini => self.push(body, answer["candidates"][0]["content"].clone()),
        }
    }

    /// The tools answer: each with what stands beside its call.
    pub(crate) fn answer_calls(self, body: &mut Value, results: &[(Call, &str)]) {
        let results = results.iter();
        let turns: Vec<Value> = match self {
            Chat => results
                .map(|(call, text)| json!({"role": "tool", "tool_call_id": call.id, "content": text}))
                .collect(),
            Responses => results
                .map(|(call, text)| {
                    json!({"type": "function_call_output", "call_id": call.id, "output": text})
                })
                .collect(),
            Messages => {
                let blocks: Vec<Value> = results
                    .map(|(call, text)| {
                        json!({"type": "tool_result", "tool_use_id": call.id, "content": text})
                    })
                    .collect();
                vec![json!({"role": "user", "content": blocks})]
            }
            Gemini => {
                let parts: Vec<Value> = results
                    .map(|(call, text)| {
                        let mut response = json!({"name": call.name, "response": {"output": text}});
                        if !call.id.is_empty() {
                            response["id"] = call.id.clone().into();
                        }
                        json!({"functionResponse": response})
                    })
                    .collect();
                vec![json!({"role": "user", "parts": parts})]
            }
        };
        for turn in turns {
            self.push(body, turn);
        }
    }

    /// The whole answer of a stream, which must have ended properly.
    pub(crate) fn fold(self, events: &[Event]) -> Value {
        let events: Vec<&Event> = events.iter().filter(|event| !event.is_comment()).collect();
        match self {
            Chat => fold_chat(&events),
            Responses => fold_response(&events),
            Messages => fold_message(&events),
            Gemini => fold_contents(&events),
        }
    }
}

fn append(text: &mut Value, piece: &Value) {
    if let Some(piece) = piece.as_str() {
        let whole = format!("{}{piece}", text.as_str().unwrap_or_default());
        *text = whole.into();
    }
}

fn fold_chat(events: &[&Event]) -> Value {
    let (last, chunks) = events.split_last().unwrap();
    assert!(last.is_done(), "{last:?}");
    let mut message = json!({"role": "assistant", "content": null});
    let mut finish = Value::Null;
    let mut usage = Value::Null;
    for chunk in chunks.iter().map(|event| event.json()) {
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        append(&mut message["content"], &choice["delta"]["content"]);
        for piece in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if message["tool_calls"].is_null() {
                message["tool_calls"] = json!([]);
            }
            let calls = message["tool_calls"].as_array_mut().unwrap();
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if index == calls.len() {
                assert!(
                    piece["id"].is_string(),
                    "a call begins with its id: {piece}"
                );
                calls.push(json!({"id": piece["id"], "type": "function", "function": {"name": piece["function"]["name"], "arguments": ""}}));
            }
            append(
                &mut calls[index]["function"]["arguments"],
                &piece["function"]["arguments"],
            );
        }
        if choice["finish_reason"].is_string() {
            finish = choice["finish_reason"].clone();
        }
    }
    json!({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})
}

/// The last event repeats all that the others told; here it is held against them.
fn fold_response(events: &[&Event]) -> Value {
    let last = events.last().unwrap();
    assert_eq!(last.field("event"), "response.completed", "{last:?}");
    let mut said = String::new();
    let mut items = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let data = event.json();
        assert_eq!(data["sequence_number"], number, "{event:?}");
        assert_eq!(data["type"], event.field("event"));
        match event.field("event") {
            "response.output_text.delta" => said.push_str(data["delta"].as_str().unwrap()),
            "response.output_item.done" => {
                items.push((data["output_index"].as_u64(), data["item"].clone()));
            }
            _ => {}
        }
    }
    let response = last.json()["response"].clone();
    // Several may be open at once.
    items.sort_by_key(|(index, _)| *index);
    let items: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
    assert_eq!(response["output"], Value::from(items));
    assert_eq!(Responses.text(&response), said);
    response
}

fn fold_message(events: &[&Event]) -> Value {
    let mut message = Value::Null;
    for event in events {
        let data = event.json();
        assert_eq!(data["type"], event.field("event"));
        let index = data["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        match event.field("event") {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!(index, Some(blocks.len()), "blocks come in their order");
                let mut block = data["content_block"].clone();
                if block["type"] == "tool_use" {
                    block["input"] = "".into();
                }
                blocks.push(block);
            }
            "content_block_delta" => {
                let delta = &data["delta"];
                let block = &mut message["content"][index.unwrap()];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append(&mut block["text"], &delta["text"]),
                    "thinking_delta" => append(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => append(&mut block["input"], &delta["partial_json"]),
                    other => panic!("no delta: {other}"),
                }
            }
            "content_block_stop" => {
                let block = &mut message["content"][index.unwrap()];
                if let Some(input) = block["input"].as_str() {
                    let input = if input.is_empty() { "{}" } else { input };
                    block["input"] = serde_json::from_str(input).unwrap();
                }
            }
            "message_delta" => {
                message["stop_reason"] = data["delta"]["stop_reason"].clone();
                // It repeats what the first event told, or is all there is.
                for (name, count) in data["usage"].as_object().into_iter().flatten() {
                    message["usage"][name] = count.clone();
                }
            }
            "message_stop" | "ping" => {}
            other => panic!("no event: {other}"),
        }
    }
    assert_eq!(events.last().unwrap().field("event"), "message_stop");
    message
}

/// All parts of all chunks, as they came: that is what has to go back. Only plain text is joined.
fn fold_contents(events: &[&Event]) -> Value {
    let is_text = |part: &Value| {
        let fields = part.as_object().unwrap();
        fields.len() == 1 && fields.contains_key("text")
    };
    let mut parts: Vec<Value> = Vec::new();
    let mut whole = Value::Null;
    for chunk in events.iter().map(|event| event.json()) {
        assert!(chunk["error"].is_null(), "{chunk}");
        let of_chunk = &chunk["candidates"][0]["content"]["parts"];
        for part in of_chunk.as_array().into_iter().flatten() {
            match parts.last_mut() {
                Some(last) if is_text(last) && is_text(part) => {
                    append(&mut last["text"], &part["text"]);
                }
                _ if *part == json!({"text": ""}) => {}
                _ => parts.push(part.clone()),
            }
        }
        whole = chunk;
    }
    whole["candidates"][0]["content"] = json!({"role": "model", "parts": parts});
    whole
}
