//! Anthropic's dialect, and its rules.

use super::*;

fn ask(content: Value) -> Value {
    json!({"model": "claude", "max_tokens": 1000, "messages": [{"role": "user", "content": content}]})
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_says_the_same_whole_and_streamed() {
    let mock = Mock::start();
    let prompt = "sim: reasoning=3 cached=10 cache_write=5\nhello there";
    let answer = mock.say(MESSAGES, false, prompt).await;
    let whole = answer.json();
    assert!(answer.headers.contains_key("request-id"));
    assert_eq!(whole["type"], "message");
    assert_eq!(
        whole["content"][0]["thinking"], "Thinking about: hello",
        "{whole}"
    );
    assert_eq!(whole["content"][1]["text"], "You said this: hello there");
    assert_eq!(whole["stop_reason"], "end_turn");
    let usage = &whole["usage"];
    let counts = [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "output_tokens",
    ];
    // The directive is part of the prompt that is paid for: 3 tokens and its 52 bytes.
    assert_eq!(
        counts.map(|name| usage[name].as_u64()),
        [16, 10, 5, 8].map(Some)
    );
    assert_eq!(usage["output_tokens_details"]["thinking_tokens"], 3);

    let streamed = mock.say(MESSAGES, true, prompt).await;
    let events = streamed.events();
    for event in &events {
        let name = format!("event: {}\ndata: ", event["type"].as_str().unwrap());
        assert!(streamed.body.contains(&name));
    }
    let kinds = kinds(&events);
    assert_eq!(kinds[..3], ["message_start", "ping", "content_block_start"]);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["content_block_stop", "message_delta", "message_stop"]
    );
    let pieces = |field: &str| -> String {
        let deltas = events
            .iter()
            .filter_map(|event| event["delta"][field].as_str());
        deltas.collect()
    };
    assert_eq!(pieces("thinking"), whole["content"][0]["thinking"]);
    // Signatures differ from answer to answer.
    assert!(!pieces("signature").is_empty());
    assert_eq!(pieces("text"), whole["content"][1]["text"]);
    let started = &events[0]["message"]["usage"];
    assert_eq!(
        (&started["input_tokens"], &started["output_tokens"]),
        (&json!(16), &json!(1))
    );
    let end = &events[events.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "end_turn");
    assert_eq!(end["usage"]["output_tokens"], 8);
}

#[tokio::test]
async fn tools_are_used_in_pieces_whole_and_in_parallel() {
    let mock = Mock::start();
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}});
    for (args, deltas) in [("pieces", 3), ("whole", 2), ("end", 2)] {
        let mut body = ask(json!(format!("sim: tools args={args}\nŁódź today")));
        body["tools"] = json!([tool("weather"), tool("clock")]);
        let whole = mock.post(MESSAGES, body.clone()).await.json();
        assert_eq!(whole["stop_reason"], "tool_use");
        assert_eq!(whole["content"][1]["name"], "clock");
        let input = &whole["content"][0]["input"];
        assert_eq!(input, &json!({"city": "Łódź today"}));
        body["stream"] = true.into();
        let events = mock.post(MESSAGES, body).await.events();
        let first: Vec<&str> = events
            .iter()
            .filter(|event| event["index"] == 0)
            .filter_map(|event| event["delta"]["partial_json"].as_str())
            .collect();
        assert_eq!(first.len(), deltas, "{args}");
        assert_eq!(
            &serde_json::from_str::<Value>(&first.concat()).unwrap(),
            input
        );
        let opened: Vec<&Value> = events
            .iter()
            .filter(|event| event["type"] == "content_block_start")
            .map(|event| &event["content_block"]["name"])
            .collect();
        assert_eq!(opened, ["weather", "clock"]);
    }
}

#[tokio::test]
async fn what_the_client_forces_is_done() {
    let mock = Mock::start();
    let mut body = ask(json!("find it"));
    body["tools"] = json!([
        {"name": "one", "input_schema": {"type": "object"}},
        {"name": "two", "input_schema": {"type": "object"}},
    ]);
    body["tool_choice"] = json!({"type": "tool", "name": "two"});
    let named = mock.post(MESSAGES, body.clone()).await.json();
    assert_eq!(named["content"].as_array().unwrap().len(), 1);
    assert_eq!(named["content"][0]["name"], "two");
    body["tool_choice"] = json!({"type": "any", "disable_parallel_tool_use": true});
    let any = mock.post(MESSAGES, body).await.json();
    assert_eq!(any["content"].as_array().unwrap().len(), 1);
    let mut body = ask(json!("a place"));
    body["output_config"] = json!({"format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"name": {"type": "string"}, "open": {"type": "boolean"}}}}});
    let fitting = mock.post(MESSAGES, body).await.json();
    let text = fitting["content"][0]["text"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parsed, json!({"name": "a place", "open": true}));
}

#[tokio::test]
async fn each_reason_to_stop_has_its_name() {
    let mock = Mock::start();
    for (words, reason, sequence) in [
        ("refuse", "refusal", json!(null)),
        ("filter", "refusal", json!(null)),
        ("length", "max_tokens", json!(null)),
        ("stop-sequence", "stop_sequence", json!("END")),
    ] {
        let mut body = ask(json!(format!("sim: {words}\nhello")));
        body["stop_sequences"] = json!(["END"]);
        let whole = mock.post(MESSAGES, body.clone()).await.json();
        assert_eq!(
            (&whole["stop_reason"], &whole["stop_sequence"]),
            (&json!(reason), &sequence)
        );
        body["stream"] = true.into();
        let events = mock.post(MESSAGES, body).await.events();
        let end = &events[events.len() - 2]["delta"];
        assert_eq!(
            (&end["stop_reason"], &end["stop_sequence"]),
            (&json!(reason), &sequence)
        );
        assert_eq!(end["stop_details"], whole["stop_details"]);
    }
    let mut body = ask(json!("a long story about it"));
    body["max_tokens"] = 2.into();
    assert_eq!(
        mock.post(MESSAGES, body).await.json()["stop_reason"],
        "max_tokens"
    );
}

#[tokio::test]
async fn the_rules_are_enforced() {
    let mock = Mock::start();
    let tool_use = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"});
    let history =
        |messages: Value| json!({"model": "claude", "max_tokens": 9, "messages": messages});
    let with = |field: &str, value: Value| {
        let mut body = ask(json!("hi"));
        body[field] = value;
        body
    };
    let rows = [
        (
            with("max_tokens", Value::Null),
            "max_tokens: Field required",
        ),
        (with("n", json!(1)), "n: Extra inputs are not permitted"),
        (with("temperature", json!(1.5)), "temperature: range: 0..1"),
        (
            with("messages", json!([])),
            "at least one message is required",
        ),
        (
            with("tools", json!([{"name": "f", "parameters": {}}])),
            "Extra inputs are not permitted",
        ),
        (
            with("tools", json!([{"name": "f", "input_schema": {}}])),
            "input_schema.type: Field required",
        ),
        (
            with("tool_choice", json!({"type": "auto"})),
            "may only be specified while providing `tools`",
        ),
        (
            with("tool_choice", json!({"type": "function"})),
            "unknown variant `function`",
        ),
        (
            with("thinking", json!({"type": "enabled", "budget_tokens": 10})),
            "greater than or equal to 1024",
        ),
        (
            with(
                "thinking",
                json!({"type": "enabled", "budget_tokens": 2000}),
            ),
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            ask(json!([{"type": "text", "text": ""}])),
            "text content blocks must be non-empty",
        ),
        (
            ask(json!([{"type": "image_url", "text": "x"}])),
            "Input tag 'image_url'",
        ),
        (
            ask(json!([{"type": "text", "text": "x", "image_url": {}}])),
            "image_url: Extra inputs are not permitted",
        ),
        (
            ask(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%"}}]),
            ),
            "Invalid base64 data",
        ),
        (
            ask(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": ""}}]),
            ),
            "media_type: Input should be",
        ),
        (ask(json!("")), "all messages must have non-empty content"),
        (
            history(json!([{"role": "user", "content": [result]}])),
            "unexpected `tool_use_id` found",
        ),
        (
            history(
                json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [tool_use]}, {"role": "user", "content": "so?"}]),
            ),
            "`tool_use` ids were found without `tool_result`",
        ),
        (
            history(json!([{"role": "tool", "content": "hi"}])),
            "unknown variant `tool`",
        ),
    ];
    for (body, expected) in rows {
        let answer = mock.post(MESSAGES, body.clone()).await;
        let json = answer.json();
        assert_eq!(answer.status, 400, "{body}: {json}");
        assert_eq!(json["error"]["type"], "invalid_request_error");
        assert_eq!(
            json["request_id"],
            answer.headers["request-id"].to_str().unwrap()
        );
        assert!(answer.message().contains(expected), "{body}: {json}");
    }
    let unversioned = mock
        .send_with(
            (Method::POST, MESSAGES),
            &[("x-api-key", "k")],
            ask(json!("hi")),
        )
        .await;
    assert!(unversioned.message().contains("anthropic-version"));
}

#[tokio::test]
async fn tokens_are_counted_and_models_are_listed() {
    let mock = Mock::start();
    let mut body = ask(json!("hello there"));
    let counting = mock.post("/v1/messages/count_tokens", body.clone()).await;
    assert!(counting.message().contains("max_tokens: Extra inputs"));
    let answered = mock.post(MESSAGES, body.clone()).await.json();
    body.as_object_mut().unwrap().remove("max_tokens");
    let counted = mock.post("/v1/messages/count_tokens", body).await.json();
    assert_eq!(
        counted,
        json!({"input_tokens": answered["usage"]["input_tokens"]})
    );

    let headers = [("anthropic-version", "2023-06-01")];
    let list = |path: &'static str| mock.send_with((Method::GET, path), &headers, Value::Null);
    let first = list("/v1/models?limit=2").await.json();
    assert_eq!(first["has_more"], true);
    assert_eq!(first["last_id"], first["data"][1]["id"]);
    let rest = list("/v1/models?limit=2&after_id=claude-sonnet-4-5")
        .await
        .json();
    assert_eq!(
        (&rest["has_more"], &rest["data"][0]["id"]),
        (&json!(false), &json!("claude-haiku-4-5"))
    );
    assert_eq!(
        list("/v1/models/claude-haiku-4-5").await.json()["type"],
        "model"
    );
    let missing = list("/v1/models/gpt-4o").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["type"]),
        (404, &json!("not_found_error"))
    );
}
