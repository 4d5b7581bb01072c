//! Google's dialect, and its rules.

use super::*;

fn ask(parts: Value) -> Value {
    json!({"contents": [{"role": "user", "parts": parts}]})
}

fn path(method: &str) -> String {
    format!("{GEMINI}:{method}")
}

/// The texts of the first candidate, thoughts and answer.
fn texts(responses: &[Value], thought: bool) -> String {
    responses
        .iter()
        .flat_map(|response| {
            response["candidates"][0]["content"]["parts"]
                .as_array()
                .cloned()
        })
        .flatten()
        .filter(|part| (part["thought"] == true) == thought)
        .filter_map(|part| part["text"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn an_answer_says_the_same_whole_as_events_and_as_an_array() {
    let mock = Mock::start();
    let mut body = ask(json!([{"text": "sim: reasoning=3 cached=10\nhello there"}]));
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let whole = mock
        .post(&path("generateContent"), body.clone())
        .await
        .json();
    let responses = [whole.clone()];
    assert_eq!(texts(&responses, false), "You said this: hello there");
    assert_eq!(texts(&responses, true), "Thinking about: hello");
    assert_eq!(whole["candidates"][0]["finishReason"], "STOP");
    assert_eq!(whole["modelVersion"], "gemini-2.5-flash");
    let usage = &whole["usageMetadata"];
    let counts = [
        "promptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    ];
    assert_eq!(
        counts.map(|name| usage[name].as_u64()),
        [23, 10, 5, 3, 31].map(Some),
        "{usage}"
    );

    let events = mock
        .post(&path("streamGenerateContent?alt=sse"), body.clone())
        .await;
    assert_eq!(
        events.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert!(!events.body.contains("[DONE]"));
    let events = events.events();
    let array = mock.post(&path("streamGenerateContent"), body).await;
    assert_eq!(array.headers["content-type"], "application/json");
    let array: Vec<Value> = serde_json::from_str(&array.body).unwrap();
    for responses in [events, array] {
        assert_eq!(texts(&responses, false), "You said this: hello there");
        assert_eq!(texts(&responses, true), "Thinking about: hello");
        let (last, before) = responses.split_last().unwrap();
        assert_eq!(&last["usageMetadata"], usage);
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert!(last["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_string());
        assert!(
            before
                .iter()
                .all(|chunk| chunk["candidates"][0].get("finishReason").is_none())
        );
    }
    let hidden = mock
        .say(GEMINI, false, "sim: reasoning=3\nhello")
        .await
        .json();
    assert_eq!(texts(&[hidden], true), "");
}

#[tokio::test]
async fn functions_are_called_with_and_without_ids() {
    let mock = Mock::start();
    let declared = json!([{"functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}}}},
        {"name": "clock"},
    ]}]);
    for (words, with_ids) in [("tools", true), ("tools calls=no-ids", false)] {
        let mut body = ask(json!([{"text": format!("sim: {words}\nŁódź")}]));
        body["tools"] = declared.clone();
        let answer = mock.post(&path("generateContent"), body).await.json();
        let parts = answer["candidates"][0]["content"]["parts"]
            .as_array()
            .unwrap();
        assert_eq!(parts.len(), 2);
        let call = &parts[0]["functionCall"];
        assert_eq!(call["args"], json!({"city": "Łódź", "days": 7}));
        assert_eq!(call.get("id").is_some(), with_ids);
        assert_eq!(parts[0].get("thoughtSignature"), None);
    }
    let mut body = ask(json!([{"text": "which?"}]));
    body["tools"] = declared;
    body["toolConfig"] =
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}});
    let forced = mock
        .post(&path("generateContent"), body.clone())
        .await
        .json();
    assert_eq!(
        forced["candidates"][0]["content"]["parts"][0]["functionCall"]["name"],
        "clock"
    );
    let turn = forced["candidates"][0]["content"].clone();
    let contents = body["contents"].as_array_mut().unwrap();
    contents.push(turn);
    contents.push(json!({"role": "user", "parts": [{"functionResponse": {"name": "clock", "response": {"output": "noon"}}}]}));
    let summed_up = mock.post(&path("generateContent"), body).await.json();
    assert_eq!(texts(&[summed_up], false), "The tools answered: which?");
}

#[tokio::test]
async fn output_fits_its_schema_and_candidates_are_as_many_as_asked() {
    let mock = Mock::start();
    let mut body = ask(json!([{"text": "a place"}]));
    body["generationConfig"] = json!({"candidateCount": 2, "responseMimeType": "application/json", "responseSchema": {
        "type": "OBJECT", "properties": {"kind": {"type": "STRING", "enum": ["park"]}, "stars": {"type": "NUMBER"}}}});
    let answer = mock.post(&path("generateContent"), body).await.json();
    assert_eq!(answer["candidates"][1]["index"], 1);
    let parsed: Value = serde_json::from_str(&texts(std::slice::from_ref(&answer), false)).unwrap();
    assert_eq!(parsed, json!({"kind": "park", "stars": 7}));
}

#[tokio::test]
async fn each_reason_to_stop_has_its_name() {
    let mock = Mock::start();
    for (words, reason) in [
        ("refuse", "SAFETY"),
        ("filter", "PROHIBITED_CONTENT"),
        ("length", "MAX_TOKENS"),
        ("stop_sequence", "STOP"),
    ] {
        let prompt = format!("sim: {words}\nhello");
        let whole = mock.say(GEMINI, false, &prompt).await.json();
        assert_eq!(whole["candidates"][0]["finishReason"], reason);
        assert_eq!(
            whole["candidates"][0].get("content").is_none(),
            reason == "SAFETY"
        );
        let events = mock.say(GEMINI, true, &prompt).await.events();
        assert_eq!(
            events.last().unwrap()["candidates"][0]["finishReason"],
            reason
        );
    }
    for stream in [false, true] {
        let blocked = mock.say(GEMINI, stream, "sim: filter=prompt\nhello").await;
        let blocked = if stream {
            blocked.events()[0].clone()
        } else {
            blocked.json()
        };
        assert_eq!(
            blocked["promptFeedback"]["blockReason"],
            "PROHIBITED_CONTENT"
        );
        assert_eq!(blocked.get("candidates"), None);
    }
}

#[tokio::test]
async fn the_rules_are_enforced() {
    let mock = Mock::start();
    let call = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let result = json!({"functionResponse": {"name": "f", "response": {}}});
    let user = json!({"role": "user", "parts": [{"text": "hi"}]});
    let history = |contents: Value| json!({"contents": contents});
    let with = |field: &str, value: Value| {
        let mut body = ask(json!([{"text": "hi"}]));
        body[field] = value;
        body
    };
    let declaring = |function: Value| with("tools", json!([{"functionDeclarations": [function]}]));
    let rows = [
        (
            with("model_name", json!("x")),
            "Unknown name \"model_name\"",
        ),
        (with("contents", json!([])), "contents is not specified"),
        (ask(json!([])), "must not be empty"),
        (ask(json!([{}])), "required oneof field 'data'"),
        (
            ask(json!([{"text": "x", "inlineData": {"mimeType": "image/png", "data": ""}}])),
            "already set",
        ),
        (
            ask(json!([{"inlineData": {"mimeType": "image/png", "data": "%"}}])),
            "Base64 decoding failed",
        ),
        (
            ask(json!([{"type": "text", "text": "x"}])),
            "Unknown name \"type\"",
        ),
        (
            history(json!([{"role": "assistant", "parts": [{"text": "x"}]}])),
            "valid role: user, model",
        ),
        (
            history(json!([user, call])),
            "number of function response parts",
        ),
        (
            history(json!([user, call, {"role": "user", "parts": [result, result]}])),
            "number of function response parts",
        ),
        (
            history(json!([{"role": "user", "parts": [result]}])),
            "immediately after a function call turn",
        ),
        (
            history(json!([call, {"role": "user", "parts": [result]}])),
            "function call turn comes immediately after",
        ),
        (
            with("generationConfig", json!({"max_tokens": 5})),
            "Unknown name \"max_tokens\"",
        ),
        (
            with(
                "generationConfig",
                json!({"responseSchema": {"type": "OBJECT"}}),
            ),
            "response_mime_type",
        ),
        (
            with(
                "generationConfig",
                json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}),
            ),
            "only one of thinking budget",
        ),
        (
            declaring(
                json!({"name": "f", "parameters": {"type": "object", "additionalProperties": false}}),
            ),
            "additionalProperties",
        ),
        (
            declaring(
                json!({"name": "f", "parameters": {"type": "object", "properties": {"a": {"$ref": "#"}}}}),
            ),
            "$ref",
        ),
        (declaring(json!({"name": "1f"})), "Invalid function name"),
        (
            declaring(json!({"name": "f", "input_schema": {}})),
            "Unknown name \"input_schema\"",
        ),
    ];
    for (body, expected) in rows {
        let answer = mock.post(&path("generateContent"), body.clone()).await;
        let json = answer.json();
        assert_eq!(answer.status, 400, "{body}: {json}");
        assert_eq!(
            (&json["error"]["code"], &json["error"]["status"]),
            (&json!(400), &json!("INVALID_ARGUMENT"))
        );
        assert!(answer.message().contains(expected), "{body}: {json}");
    }
    let lenient = json!({"contents": [{"parts": [{"text": "hi"}]}], "generation_config": {"max_output_tokens": 2}});
    let snake = mock.post(&path("generateContent"), lenient).await.json();
    assert_eq!(snake["candidates"][0]["finishReason"], "MAX_TOKENS");
    let wrapped = mock.post(&path("streamGenerateContent"), json!({})).await;
    assert_eq!(wrapped.json()[0]["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn tokens_are_counted_and_texts_are_embedded() {
    let mock = Mock::start();
    let body = ask(json!([{"text": "hello there"}]));
    let answered = mock
        .post(&path("generateContent"), body.clone())
        .await
        .json();
    let tokens = &answered["usageMetadata"]["promptTokenCount"];
    let counted = mock.post(&path("countTokens"), body.clone()).await.json();
    assert_eq!(&counted["totalTokens"], tokens);
    let nested = json!({"generateContentRequest": body});
    assert_eq!(
        &mock.post(&path("countTokens"), nested).await.json()["totalTokens"],
        tokens
    );

    let single = |text: &str| json!({"model": "models/e", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8});
    let batch = mock
        .post(
            "/v1beta/models/e:batchEmbedContents",
            json!({"requests": [single("one"), single("two")]}),
        )
        .await
        .json();
    let one = mock
        .post("/v1/models/e:embedContent", single("one"))
        .await
        .json();
    assert_eq!(batch["embeddings"][0], one["embedding"]);
    assert_ne!(batch["embeddings"][1], one["embedding"]);
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn models_are_listed_in_pages() {
    let mock = Mock::start();
    let list = |path: &'static str| mock.send(Method::GET, path, "");
    let first = list("/v1beta/models?pageSize=2").await.json();
    assert_eq!(first["models"].as_array().unwrap().len(), 2);
    assert_eq!(first["nextPageToken"], "2");
    let rest = list("/v1beta/models?pageSize=2&pageToken=2").await.json();
    assert_eq!(rest.get("nextPageToken"), None);
    assert_eq!(
        rest["models"][0]["supportedGenerationMethods"][0],
        "embedContent"
    );
    assert_eq!(
        list("/v1beta/models/gemini-2.5-pro").await.json()["name"],
        "models/gemini-2.5-pro"
    );
    let missing = list("/v1beta/models/gpt").await;
    assert_eq!(
        (missing.status.as_u16(), &missing.json()["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    let v1 = mock
        .send_with(
            (Method::GET, "/v1/models"),
            &[("x-goog-api-key", "k")],
            Value::Null,
        )
        .await;
    assert!(v1.json()["models"].is_array());
}
