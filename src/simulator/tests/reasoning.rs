//! Reasoning state that comes back: whole, it passes; missing, altered or swapped, it does not.

use super::*;

const TWO: &str = "sim: tools reasoning=2\nthe weather";

/// The follow-up to a message: its content and the results of its tools.
fn follow_up(content: &Value) -> Value {
    let results: Vec<Value> = content
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}))
        .collect();
    json!({"model": "claude", "max_tokens": 1000, "messages": [
        {"role": "user", "content": TWO},
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ]})
}

#[tokio::test]
async fn anthropics_signature_must_come_back_unaltered() {
    let mock = Mock::start();
    let first = mock.say(MESSAGES, false, TWO).await.json();
    let content = &first["content"];
    let other = mock
        .say(MESSAGES, false, "sim: tools reasoning=2\nother")
        .await
        .json();
    let status = async |content: &Value| {
        mock.post(MESSAGES, follow_up(content))
            .await
            .status
            .as_u16()
    };
    assert_eq!(status(content).await, 200);

    let mut altered = content.clone();
    altered[0]["thinking"] = "I never thought".into();
    assert_eq!(status(&altered).await, 400);
    let missing = json!([content[1]]);
    let refused = mock.post(MESSAGES, follow_up(&missing)).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("Expected `thinking`"),
        "{}",
        refused.body
    );
    let swapped = json!([other["content"][0], content[1]]);
    assert_eq!(status(&swapped).await, 400);

    let unmarked = json!([{"type": "tool_use", "id": "call_1", "name": "look_up", "input": {}}]);
    assert_eq!(status(&unmarked).await, 200);
    let mut strict = follow_up(&unmarked);
    strict["messages"][0]["content"] = "sim: strict-state\nthe weather".into();
    assert_eq!(mock.post(MESSAGES, strict).await.status, 400);

    let redacted = mock
        .say(MESSAGES, false, "sim: tools reasoning=2 redacted\nx")
        .await
        .json();
    assert_eq!(redacted["content"][0]["type"], "redacted_thinking");
    assert_eq!(status(&redacted["content"]).await, 200);
    let mut altered = redacted["content"].clone();
    altered[0]["data"] = "AAAA".into();
    assert_eq!(status(&altered).await, 400);
}

#[tokio::test]
async fn geminis_signature_must_stand_on_its_call() {
    let mock = Mock::start();
    let method = format!("{GEMINI}:generateContent");
    let first = mock.say(GEMINI, false, TWO).await.json();
    let part = first["candidates"][0]["content"]["parts"][0].clone();
    assert!(part["thoughtSignature"].is_string());
    let status = async |part: &Value| {
        let body = json!({"contents": [
            {"role": "user", "parts": [{"text": TWO}]},
            {"role": "model", "parts": [part]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look_up", "response": {"output": "sunny"}}}]},
        ]});
        mock.post(&method, body).await.status.as_u16()
    };
    assert_eq!(status(&part).await, 200);
    let url_safe = |signature: &str| signature.replace('+', "-").replace('/', "_");
    let with = |signature: Value| {
        let mut part = part.clone();
        part["thoughtSignature"] = signature;
        part
    };
    let signature = part["thoughtSignature"].as_str().unwrap();
    assert_eq!(status(&with(url_safe(signature).into())).await, 200);
    assert_eq!(
        status(&with("skip_thought_signature_validator".into())).await,
        200
    );
    let encoded = STANDARD.encode("skip_thought_signature_validator");
    assert_eq!(status(&with(encoded.into())).await, 200);
    assert_eq!(status(&with(Value::Null)).await, 400);
    assert_eq!(status(&with("AAAA".into())).await, 400);
    let mut altered = part.clone();
    altered["functionCall"]["args"]["query"] = "other".into();
    assert_eq!(status(&altered).await, 400);
}

#[tokio::test]
async fn reasoning_items_must_come_back_with_their_calls() {
    let mock = Mock::start();
    let asked = json!({"model": "gpt", "input": TWO, "store": false,
        "reasoning": {"effort": "low", "summary": "auto"}});
    let first = mock.post("/v1/responses", asked.clone()).await.json();
    let output = &first["output"];
    assert_eq!(output[0]["summary"][0]["text"], "Thinking about:");
    let answer_to = async |items: Vec<&Value>| {
        let mut input = vec![json!({"role": "user", "content": TWO})];
        input.extend(items.into_iter().cloned());
        let result = json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "sunny"});
        input.push(result);
        let mut body = asked.clone();
        body["input"] = input.into();
        mock.post("/v1/responses", body).await
    };
    assert_eq!(answer_to(vec![&output[0], &output[1]]).await.status, 200);
    let missing = answer_to(vec![&output[1]]).await;
    assert_eq!(missing.status, 400);
    assert!(
        missing
            .message()
            .contains("without its required 'reasoning' item")
    );
    let mut altered = output[0].clone();
    altered["encrypted_content"] = "AAAA".into();
    let refused = answer_to(vec![&altered, &output[1]]).await;
    assert_eq!(refused.json()["error"]["code"], "invalid_encrypted_content");
    let mut bare = output[0].clone();
    bare.as_object_mut().unwrap().remove("encrypted_content");
    assert_eq!(answer_to(vec![&bare, &output[1]]).await.status, 404);

    let mut plain = asked.clone();
    plain.as_object_mut().unwrap().remove("reasoning");
    let quiet = mock.post("/v1/responses", plain).await.json();
    assert_eq!(quiet["output"][0]["summary"], json!([]));
    // Its state comes by default.
    assert!(quiet["output"][0]["encrypted_content"].is_string());
}

#[tokio::test]
async fn reasoning_is_streamed_before_the_answer() {
    let mock = Mock::start();
    let chat = mock
        .say("/v1/chat/completions", true, "sim: reasoning=3\nhello")
        .await;
    let thought: String = chat
        .events()
        .iter()
        .filter_map(|event| {
            event["choices"][0]["delta"]["reasoning_content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(thought, "Thinking about: hello");
    let whole = mock.chat("sim: reasoning=3\nhello").await.json();
    assert_eq!(
        whole["choices"][0]["message"]["reasoning_content"],
        "Thinking about: hello"
    );
    assert_eq!(
        whole["usage"]["completion_tokens_details"]["reasoning_tokens"],
        3
    );

    let body = json!({"model": "gpt", "input": "sim: reasoning=3\nhello", "stream": true, "reasoning": {"summary": "auto"}});
    let events = mock.post("/v1/responses", body).await.events();
    let named = |name: &str| {
        events
            .iter()
            .position(|event| event["type"] == name)
            .unwrap()
    };
    assert!(named("response.reasoning_summary_text.delta") < named("response.output_text.delta"));
    let done = &events[named("response.reasoning_summary_text.done")];
    assert_eq!(done["text"], "Thinking about: hello");
    let message = &events[named("response.output_text.done")];
    assert_eq!(message["output_index"], 1);
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][0]["summary"][0]["text"], done["text"]);
}
