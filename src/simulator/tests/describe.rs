//! `sim: describe` tells the same of the same request, whatever dialect it came in.

use super::*;

const PROMPT: &str = "sim: describe\nwhat is this?";
const PNG: &str = "iVBORw0KGgo=";

/// One conversation with everything in it, in each dialect.
fn conversation(path: &str) -> (String, Value) {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let body = match path {
        MESSAGES => json!({
            "model": "m", "max_tokens": 50, "system": "Be brief.", "temperature": 0.5, "top_p": 0.9,
            "stop_sequences": ["END"],
            "tools": [{"name": "weather", "input_schema": schema}],
            "tool_choice": {"type": "auto"},
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
            "messages": [
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Łódź"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                    {"type": "text", "text": PROMPT},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}}]},
            ],
        }),
        GEMINI => json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "generationConfig": {"temperature": 0.5, "topP": 0.9, "maxOutputTokens": 50, "stopSequences": ["END"],
                "responseMimeType": "application/json", "responseJsonSchema": schema},
            "contents": [
                {"role": "user", "parts": [{"text": "first"}]},
                {"role": "model", "parts": [
                    {"text": "Looking."}, {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Łódź"}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "call_1", "name": "weather", "response": {"output": "sunny"}}},
                    {"text": PROMPT},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"inlineData": {"mimeType": "application/pdf", "data": PNG}}]},
            ],
        }),
        "/v1/responses" => json!({
            "model": "m", "max_output_tokens": 50, "instructions": "Be brief.", "temperature": 0.5, "top_p": 0.9,
            "tools": [{"type": "function", "name": "weather", "parameters": schema}],
            "tool_choice": "auto",
            "text": {"format": {"type": "json_schema", "name": "place", "schema": schema}},
            "input": [
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
                {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\": \"Łódź\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
                {"role": "user", "content": [
                    {"type": "input_text", "text": PROMPT},
                    {"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")},
                    {"type": "input_file", "filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PNG}")}]},
            ],
        }),
        _ => json!({
            "model": "m", "max_completion_tokens": 50, "temperature": 0.5, "top_p": 0.9, "stop": "END",
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}],
            "tool_choice": "auto",
            "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "Looking.", "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Łódź\"}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
                {"role": "user", "content": [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PNG}")}}]},
            ],
        }),
    };
    let path = if path == GEMINI {
        "/v1beta/models/m:generateContent"
    } else {
        path
    };
    (path.to_owned(), body)
}

/// What was heard, from the answer's text.
fn heard(path: &str, answer: &Answer) -> Value {
    let json = answer.json();
    let text = match path {
        MESSAGES => json["content"][0]["text"].as_str(),
        GEMINI => json["candidates"][0]["content"]["parts"][0]["text"].as_str(),
        "/v1/responses" => json["output"][0]["content"][0]["text"].as_str(),
        _ => json["choices"][0]["message"]["content"].as_str(),
    };
    let text = text.unwrap_or_else(|| panic!("{path}: {json}"));
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn the_same_conversation_is_heard_alike_in_every_dialect() {
    let mock = Mock::start();
    let expected = json!({
        "model": "m",
        "system": ["Be brief."],
        "turns": [
            {"role": "user", "text": "first", "images": [], "documents": [], "tool_calls": [], "tool_results": [], "reasoning_state": false},
            {"role": "assistant", "text": "Looking.", "images": [], "documents": [],
                "tool_calls": [{"id": "call_1", "name": "weather", "arguments": {"city": "Łódź"}}], "tool_results": [], "reasoning_state": false},
            {"role": "user", "text": PROMPT, "images": ["image/png 8 bytes"], "documents": ["application/pdf 8 bytes"], "tool_calls": [],
                "tool_results": [{"id": "call_1", "name": "weather", "text": "sunny", "error": false}], "reasoning_state": false},
        ],
        "tools": ["weather"], "tool_choice": "auto", "parallel": null, "output": "json_schema", "stop": ["END"],
        "temperature": 0.5, "top_p": 0.9, "top_k": null, "presence_penalty": null, "frequency_penalty": null, "seed": null,
        "max_tokens": 50, "n": null, "effort": null, "budget": null, "thoughts": null, "stream": false,
    });
    for path in ["/v1/chat/completions", "/v1/responses", MESSAGES, GEMINI] {
        let (target, body) = conversation(path);
        let answer = mock.post(&target, body).await;
        let mut heard = heard(path, &answer);
        if path == "/v1/responses" {
            // Responses have no stop sequences.
            heard["stop"] = json!(["END"]);
        }
        assert_eq!(heard, expected, "{path}");
    }
}

#[tokio::test]
async fn how_hard_to_think_and_whom_to_call_is_told_in_one_way() {
    let mock = Mock::start();
    let check = async |path: &str, more: Value, field: &str, expected: Value| {
        let (target, mut body) = said(path, false, PROMPT);
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = mock.post(&target, body).await;
        assert_eq!(heard(path, &answer)[field], expected, "{path} {more}");
    };
    let chat = "/v1/chat/completions";
    let tools = json!([{"type": "function", "function": {"name": "a"}}, {"type": "custom", "custom": {"name": "b"}}]);
    check(
        chat,
        json!({"reasoning_effort": "high"}),
        "effort",
        json!("high"),
    )
    .await;
    check(chat, json!({"tools": tools}), "tools", json!(["a", "b"])).await;
    check(
        chat,
        json!({"tools": tools, "tool_choice": "required"}),
        "tool_choice",
        json!("required"),
    )
    .await;
    let named = json!({"type": "function", "function": {"name": "a"}});
    check(
        chat,
        json!({"tools": tools, "tool_choice": named}),
        "tool_choice",
        json!("tool:a"),
    )
    .await;
    check(
        chat,
        json!({"parallel_tool_calls": false}),
        "parallel",
        json!(false),
    )
    .await;
    check(
        chat,
        json!({"response_format": {"type": "json_object"}}),
        "output",
        json!("json_object"),
    )
    .await;
    let responses = "/v1/responses";
    check(
        responses,
        json!({"reasoning": {"effort": "low", "summary": "auto"}}),
        "thoughts",
        json!(true),
    )
    .await;
    check(
        responses,
        json!({"tools": [{"type": "web_search"}]}),
        "tools",
        json!(["web_search"]),
    )
    .await;
    let allowed = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "a"}]});
    check(
        responses,
        json!({"tool_choice": allowed}),
        "tool_choice",
        json!("required:a"),
    )
    .await;
    let thinking = json!({"type": "enabled", "budget_tokens": 2048});
    check(
        MESSAGES,
        json!({"thinking": thinking, "max_tokens": 4000}),
        "budget",
        json!(2048),
    )
    .await;
    check(
        MESSAGES,
        json!({"thinking": {"type": "adaptive"}}),
        "budget",
        json!(-1),
    )
    .await;
    check(
        MESSAGES,
        json!({"thinking": {"type": "disabled"}}),
        "budget",
        json!(0),
    )
    .await;
    check(
        MESSAGES,
        json!({"output_config": {"effort": "max"}}),
        "effort",
        json!("max"),
    )
    .await;
    let tools = json!([{"name": "a", "input_schema": {"type": "object"}}, {"type": "web_search_20250305", "name": "web_search"}]);
    check(
        MESSAGES,
        json!({"tools": tools}),
        "tools",
        json!(["a", "web_search_20250305"]),
    )
    .await;
    let choice = json!({"type": "any", "disable_parallel_tool_use": true});
    check(
        MESSAGES,
        json!({"tools": tools, "tool_choice": choice}),
        "parallel",
        json!(false),
    )
    .await;
    check(
        MESSAGES,
        json!({"tools": tools, "tool_choice": choice}),
        "tool_choice",
        json!("required"),
    )
    .await;
    let config = json!({"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": true}, "topK": 5, "seed": 3});
    check(
        GEMINI,
        json!({"generationConfig": config}),
        "effort",
        json!("high"),
    )
    .await;
    check(
        GEMINI,
        json!({"generationConfig": config}),
        "thoughts",
        json!(true),
    )
    .await;
    check(
        GEMINI,
        json!({"generationConfig": config}),
        "top_k",
        json!(5.0),
    )
    .await;
    check(
        GEMINI,
        json!({"tools": [{"googleSearch": {}}]}),
        "tools",
        json!(["googleSearch"]),
    )
    .await;
}

#[tokio::test]
async fn a_description_is_streamed_whole_whatever_the_limit() {
    let mock = Mock::start();
    let mut body = chat("m", PROMPT);
    body["max_tokens"] = 1.into();
    body["stream"] = true.into();
    let answer = mock.post("/v1/chat/completions", body).await;
    let heard: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(
        (&heard["max_tokens"], &heard["stream"]),
        (&json!(1), &json!(true))
    );
}
