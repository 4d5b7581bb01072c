//! Each dialect as a client library sees it.

use super::*;

#[tokio::test]
async fn a_chat_answer_echoes_the_prompt_and_is_the_same_every_time() {
    let mock = Mock::start();
    let answer = mock.chat("hello there").await;
    let json = answer.json();
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(
        answer.headers["x-request-id"]
            .to_str()
            .unwrap()
            .starts_with("req_")
    );
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "gpt-4o-mini");
    assert_eq!(
        json["choices"][0]["message"]["content"],
        "You said this: hello there"
    );
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["prompt_tokens"], 3 + 3 + 3 + 3);
    assert_eq!(json["usage"]["completion_tokens"], 5);
    assert_eq!(json["usage"]["total_tokens"], 17);
    assert_eq!(mock.chat("hello there").await.body, answer.body);
    assert_ne!(mock.chat("hello you").await.json()["id"], json["id"]);
    let bare = mock
        .post("/chat/completions", chat("gpt-4o-mini", "hello there"))
        .await;
    assert_eq!(bare.body, answer.body);
}

#[tokio::test]
async fn a_chat_stream_has_openais_order_of_chunks() {
    let mock = Mock::start();
    let answer = mock.chat_stream("hello there").await;
    assert_eq!(
        answer.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert!(answer.body.ends_with("data: [DONE]\n\n") && answer.whole);
    let events = answer.events();
    assert_eq!(
        events[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(answer.text(), "You said this: hello there");
    let finish = &events[events.len() - 2];
    assert_eq!(finish["choices"][0]["delta"], json!({}));
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(finish["usage"], Value::Null);
    let usage = &events[events.len() - 1];
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 5);

    let mut body = chat("gpt-4o-mini", "hello there");
    body["stream"] = true.into();
    let without = mock.post("/v1/chat/completions", body).await;
    assert!(!without.body.contains("\"usage\""), "{}", without.body);
}

#[tokio::test]
async fn choices_and_limits_are_honoured() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini", "one two three");
    body["n"] = 2.into();
    body["max_completion_tokens"] = 4.into();
    let json = mock.post("/v1/chat/completions", body.clone()).await.json();
    assert_eq!(json["choices"][1]["index"], 1);
    assert_eq!(
        json["choices"][1]["message"]["content"],
        "You said this: one"
    );
    assert_eq!(json["choices"][0]["finish_reason"], "length");
    assert_eq!(json["usage"]["completion_tokens"], 8);
    body["n"] = 0.into();
    assert_eq!(mock.post("/v1/chat/completions", body).await.status, 400);
}

#[tokio::test]
async fn tool_calls_are_streamed_in_pieces_that_make_the_whole() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini+fault=tools", "the weather in Łódź");
    body["tools"] = json!([
        {"type": "function", "function": {"name": "weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}},
        {"type": "function", "function": {"name": "clock"}},
    ]);
    let whole = mock.post("/v1/chat/completions", body.clone()).await.json();
    let calls = &whole["choices"][0]["message"]["tool_calls"];
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(calls[0]["function"]["name"], "weather");
    let arguments = calls[0]["function"]["arguments"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(parsed, json!({"city": "the weather in Łódź", "days": 7}));

    body["stream"] = true.into();
    let events = mock
        .post("/v1/chat/completions", body.clone())
        .await
        .events();
    let pieces: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0])
        .collect();
    let streamed: String = pieces
        .iter()
        .filter(|piece| piece["index"] == 0)
        .filter_map(|piece| piece["function"]["arguments"].as_str())
        .collect();
    assert_eq!(streamed, arguments);
    assert!(
        pieces
            .iter()
            .any(|piece| piece["function"]["name"] == "clock")
    );

    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "sunny"}));
    body["stream"] = false.into();
    let summed_up = mock.post("/v1/chat/completions", body).await.json();
    assert_eq!(summed_up["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_responses_stream_numbers_its_events_and_ends_with_the_whole_response() {
    let mock = Mock::start();
    let body = json!({"model": "gpt-4o-mini", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hello there"}]},
    ]});
    let whole = mock.post("/v1/responses", body.clone()).await.json();
    assert_eq!(
        whole["output"][0]["content"][0]["text"],
        "You said this: hello there"
    );
    assert_eq!(whole["usage"]["output_tokens"], 5);

    let mut streaming = body;
    streaming["stream"] = true.into();
    let answer = mock.post("/v1/responses", streaming).await;
    let events = answer.events();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
        assert!(answer.body.contains(&format!(
            "event: {}\ndata: ",
            event["type"].as_str().unwrap()
        )));
    }
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
        ]
    );
    assert_eq!(
        kinds[kinds.len() - 4..],
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let deltas: String = events
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(deltas, "You said this: hello there");
    let last = &events[events.len() - 1]["response"];
    assert_eq!(last["output"][0]["content"], whole["output"][0]["content"]);
    assert_eq!(last["usage"], whole["usage"]);
}

#[tokio::test]
async fn responses_call_tools_and_stop_at_a_limit() {
    let mock = Mock::start();
    let answer = mock
        .post(
            "/v1/responses",
            json!({"model": "m", "input": "sim: fault=tools\nfind it", "stream": true}),
        )
        .await;
    let events = answer.events();
    let done = events
        .iter()
        .find(|event| event["type"] == "response.function_call_arguments.done")
        .unwrap();
    assert_eq!(done["arguments"], "{\"query\":\"find it\"}");
    assert_eq!(
        events[events.len() - 1]["response"]["output"][0]["arguments"],
        done["arguments"]
    );

    let short = mock
        .post(
            "/v1/responses",
            json!({"model": "m", "input": "a long story", "max_output_tokens": 2}),
        )
        .await
        .json();
    assert_eq!(short["status"], "incomplete");
    assert_eq!(short["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn an_embedding_is_the_same_as_numbers_and_in_base64() {
    let mock = Mock::start();
    let mut body =
        json!({"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 8});
    let float = mock.post("/v1/embeddings", body.clone()).await.json();
    body["encoding_format"] = "base64".into();
    let base64 = mock.post("/v1/embeddings", body).await.json();
    for index in 0..2 {
        let numbers: Vec<f32> =
            serde_json::from_value(float["data"][index]["embedding"].clone()).unwrap();
        let bytes = STANDARD
            .decode(base64["data"][index]["embedding"].as_str().unwrap())
            .unwrap();
        let decoded: Vec<f32> = bytes
            .chunks(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, decoded);
        let length: f32 = numbers.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    assert_ne!(float["data"][0]["embedding"], float["data"][1]["embedding"]);
    assert_eq!(
        float["usage"],
        json!({"prompt_tokens": 2, "total_tokens": 2})
    );
    let none = mock
        .post("/v1/embeddings", json!({"model": "m", "input": []}))
        .await;
    assert_eq!(none.status, 400);
}
