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
    messages.push(whole["choices"][0]["message"].clone());
    for call in calls.as_array().unwrap() {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"}));
    }
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

#[tokio::test]
async fn chat_calls_are_streamed_the_way_the_directive_says() {
    let mock = Mock::start();
    let ask = |words: &str| {
        let mut body = chat("gpt", &format!("sim: tools {words}\nfind it now"));
        body["stream"] = true.into();
        body["tools"] = json!([
            {"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}},
            {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}},
        ]);
        body
    };
    for (words, order) in [
        ("args=pieces", "0n0 0 1n1 1 "),
        ("args=whole", "0n1n"),
        ("args=end", "0n1n0 1 "),
        ("calls=interleaved", "0n1n0 1 0 1 "),
    ] {
        let events = mock.post("/v1/chat/completions", ask(words)).await.events();
        let mut seen = String::new();
        let mut arguments = [String::new(), String::new()];
        for event in &events {
            let call = &event["choices"][0]["delta"]["tool_calls"][0];
            let Some(index) = call["index"].as_u64() else {
                continue;
            };
            seen.push_str(&index.to_string());
            seen.push(if call.get("id").is_some() { 'n' } else { ' ' });
            let text = call["function"]["arguments"].as_str().unwrap();
            arguments[usize::try_from(index).unwrap()].push_str(text);
        }
        assert_eq!(seen, order, "{words}");
        assert_eq!(arguments[0], "{\"query\":\"find it now\"}", "{words}");
        assert_eq!(arguments[0], arguments[1], "{words}");
    }
    let mut body = ask("calls=after-text");
    body["stream"] = false.into();
    let both = mock.post("/v1/chat/completions", body).await.json();
    let message = &both["choices"][0]["message"];
    assert_eq!(message["content"], "Let me look.");
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn empty_lists_of_calls_and_refusals_are_told_as_compatible_providers_do() {
    let mock = Mock::start();
    let whole = mock.chat("sim: calls=empty\nhello").await.json();
    assert_eq!(whole["choices"][0]["message"]["tool_calls"], json!([]));
    let events = mock.chat_stream("sim: calls=empty\nhello").await.events();
    assert_eq!(events[1]["choices"][0]["delta"]["tool_calls"], json!([]));

    let refused = mock.chat("sim: refuse\nhello").await.json();
    let message = &refused["choices"][0]["message"];
    assert_eq!(message["refusal"], "I cannot help with that.");
    assert_eq!(
        (&message["content"], &refused["choices"][0]["finish_reason"]),
        (&Value::Null, &json!("stop"))
    );
    let events = mock.chat_stream("sim: refuse\nhello").await.events();
    assert_eq!(events[1]["choices"][0]["delta"], json!({"refusal": "I"}));
    for (words, reason) in [
        ("filter", "content_filter"),
        ("length", "length"),
        ("stop_sequence", "stop"),
    ] {
        let answer = mock.chat(&format!("sim: {words}\nhello")).await.json();
        assert_eq!(answer["choices"][0]["finish_reason"], reason);
    }
    let cached = mock.chat("sim: cached=7 cache-write=2\nhello").await.json();
    let details = &cached["usage"]["prompt_tokens_details"];
    assert_eq!(
        (&details["cached_tokens"], &details["cache_write_tokens"]),
        (&json!(7), &json!(2))
    );
}

#[tokio::test]
async fn a_chat_history_must_be_whole() {
    let mock = Mock::start();
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
    let user = json!({"role": "user", "content": "hi"});
    let image = |url: &str| json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]});
    for (messages, expected) in [
        (
            json!([user, result]),
            "must be a response to a preceeding message",
        ),
        (
            json!([user, call, user]),
            "did not have response messages: c",
        ),
        (json!([user, call]), "did not have response messages: c"),
        (
            json!([{"role": "model", "content": "x"}]),
            "Invalid value: 'model'",
        ),
        (
            json!([{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]),
            "Invalid value: 'input_text'",
        ),
        (json!([image("data:image/png;base64,%")]), "Expected a URL"),
        (json!([image("AAAA")]), "Expected a URL"),
    ] {
        let body = json!({"model": "gpt", "messages": messages});
        let answer = mock.post("/v1/chat/completions", body).await;
        assert_eq!(answer.status, 400, "{messages}");
        assert!(answer.message().contains(expected), "{}", answer.body);
    }
    let body = json!({"model": "gpt", "messages": [user, call, result, image("https://example.com/a.png")]});
    assert_eq!(mock.post("/v1/chat/completions", body).await.status, 200);
}

#[tokio::test]
async fn azure_takes_the_deployment_from_the_path_and_says_what_its_filters_think() {
    let mock = Mock::start();
    let path = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21";
    let body = json!({"messages": [{"role": "user", "content": "hello"}]});
    let whole = mock.post(path, body.clone()).await.json();
    assert_eq!(whole["model"], "my-gpt");
    assert_eq!(
        whole["choices"][0]["content_filter_results"]["hate"]["filtered"],
        false
    );
    let mut streaming = body.clone();
    streaming["stream"] = true.into();
    let events = mock.post(path, streaming).await.events();
    assert_eq!(
        (&events[0]["choices"], &events[0]["id"]),
        (&json!([]), &json!(""))
    );
    assert!(events[0]["prompt_filter_results"].is_array());
    assert_eq!(events[1]["choices"][0]["delta"]["role"], "assistant");

    let other = mock
        .post(&path.replace("my-gpt", "other"), body.clone())
        .await
        .json();
    assert_eq!(other["model"], "other");
    let unversioned = mock
        .post("/openai/deployments/my-gpt/chat/completions", body)
        .await;
    assert_eq!(
        (unversioned.status.as_u16(), unversioned.message()),
        (404, "Resource not found".into())
    );
    let v1 = mock
        .post("/openai/v1/chat/completions", chat("gpt", "hello"))
        .await;
    assert_eq!(v1.json()["model"], "gpt");
    let embedded = mock
        .post(
            "/openai/deployments/e/embeddings?api-version=1",
            json!({"input": "x"}),
        )
        .await;
    assert_eq!(embedded.json()["model"], "e");
    let faulty = mock
        .post(
            "/openai/deployments/gpt+fault=429/chat/completions?api-version=1",
            json!({"messages": [{"role": "user", "content": "x"}]}),
        )
        .await;
    assert_eq!(
        (faulty.status.as_u16(), &faulty.json()["error"]["code"]),
        (429, &json!("429"))
    );
}
