//! Responses that are kept, and what else only this dialect has.

use super::*;

const RESPONSES: &str = "/v1/responses";

#[tokio::test]
async fn a_response_is_kept_until_it_is_deleted() {
    let mock = Mock::start();
    for stream in [false, true] {
        let answer = mock.say(RESPONSES, stream, "hello").await;
        let made = if stream {
            answer.events().last().unwrap()["response"].clone()
        } else {
            answer.json()
        };
        let path = format!("{RESPONSES}/{}", made["id"].as_str().unwrap());
        assert_eq!(mock.send(Method::GET, &path, "").await.json(), made);
        let deleted = mock.send(Method::DELETE, &path, "").await.json();
        assert_eq!(
            deleted,
            json!({"id": made["id"], "object": "response", "deleted": true})
        );
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(mock.send(method, &path, "").await.status, 404);
        }
    }
    let unkept = json!({"model": "gpt", "input": "hello", "store": false});
    let id = mock.post(RESPONSES, unkept).await.json()["id"].clone();
    let path = format!("{RESPONSES}/{}", id.as_str().unwrap());
    assert_eq!(mock.send(Method::GET, &path, "").await.status, 404);
}

#[tokio::test]
async fn only_the_last_responses_are_kept() {
    let mock = Mock::with(Options {
        responses_max: 2,
        ..Options::default()
    });
    let mut paths = Vec::new();
    for prompt in ["one", "two", "three"] {
        let made = mock.say(RESPONSES, false, prompt).await.json();
        paths.push(format!("{RESPONSES}/{}", made["id"].as_str().unwrap()));
    }
    let found = async |path: &str| mock.send(Method::GET, path, "").await.status.as_u16();
    assert_eq!(
        [
            found(&paths[0]).await,
            found(&paths[1]).await,
            found(&paths[2]).await
        ],
        [404, 200, 200]
    );
}

#[tokio::test]
async fn a_conversation_goes_on_from_a_kept_response() {
    let mock = Mock::start();
    let first = mock
        .say(RESPONSES, false, "sim: tools reasoning=1\nthe weather")
        .await
        .json();
    let call = &first["output"][1];
    let going_on = |previous: &Value| {
        json!({"model": "gpt", "previous_response_id": previous, "input": [
            {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"},
            {"role": "user", "content": "sim: describe"},
        ]})
    };
    let answer = mock.post(RESPONSES, going_on(&first["id"])).await.json();
    let heard: Value =
        serde_json::from_str(answer["output"][0]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(heard["turns"].as_array().unwrap().len(), 3);
    assert_eq!(heard["turns"][1]["reasoning_state"], true);
    assert_eq!(heard["turns"][2]["tool_results"][0]["name"], "look_up");
    let missing = mock.post(RESPONSES, going_on(&json!("resp_0"))).await;
    assert_eq!(missing.status, 400);
    assert_eq!(
        missing.json()["error"]["code"],
        "previous_response_not_found"
    );
}

#[tokio::test]
async fn the_rules_are_enforced_and_tokens_are_counted() {
    let mock = Mock::start();
    let input = |items: Value| json!({"model": "gpt", "input": items});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let rows = [
        (
            json!({"model": "gpt"}),
            "Missing required parameter: 'input'",
        ),
        (
            input(json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}])),
            "Invalid value: 'text'",
        ),
        (
            input(json!([{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}])),
            "Invalid value: 'input_text'",
        ),
        (
            input(json!([{"role": "tool", "content": "x"}])),
            "'tool' is no supported value",
        ),
        (
            input(json!([{"type": "tool_use", "id": "x"}])),
            "'tool_use' is no supported value",
        ),
        (input(json!([output])), "No tool call found"),
        (input(json!([call])), "No tool output found"),
        (
            input(json!([{"type": "item_reference", "id": "msg_0"}])),
            "not found",
        ),
    ];
    for (body, expected) in rows {
        let answer = mock.post(RESPONSES, body.clone()).await;
        assert!(answer.status.is_client_error(), "{body}");
        assert!(
            answer.message().contains(expected),
            "{body}: {}",
            answer.body
        );
    }
    let asked = input(json!([call, output, {"role": "user", "content": "hello"}]));
    let usage = mock.post(RESPONSES, asked.clone()).await.json()["usage"].clone();
    let counted = mock.post("/v1/responses/input_tokens", asked).await.json();
    assert_eq!(
        counted,
        json!({"object": "response.input_tokens", "input_tokens": usage["input_tokens"]})
    );
}

#[tokio::test]
async fn a_refusal_is_a_part_and_a_filter_leaves_the_response_incomplete() {
    let mock = Mock::start();
    let whole = mock
        .say(RESPONSES, false, "sim: refuse\nhello")
        .await
        .json();
    let part = &whole["output"][0]["content"][0];
    assert_eq!(
        (&part["type"], &part["refusal"]),
        (&json!("refusal"), &json!("I cannot help with that."))
    );
    let events = mock
        .say(RESPONSES, true, "sim: refuse\nhello")
        .await
        .events();
    let deltas: String = events
        .iter()
        .filter(|event| event["type"] == "response.refusal.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(deltas, part["refusal"].as_str().unwrap());
    for (words, reason) in [
        ("filter", "content_filter"),
        ("length", "max_output_tokens"),
    ] {
        let whole = mock
            .say(RESPONSES, false, &format!("sim: {words}\nhello"))
            .await
            .json();
        assert_eq!(
            (&whole["status"], &whole["incomplete_details"]["reason"]),
            (&json!("incomplete"), &json!(reason))
        );
    }
}

#[tokio::test]
async fn calls_are_streamed_interleaved_and_at_the_end_and_custom_tools_take_text() {
    let mock = Mock::start();
    let ask = |words: &str| {
        json!({"model": "gpt", "stream": true, "input": format!("sim: tools {words}\nfind it"), "tools": [
            {"type": "function", "name": "search", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}},
            {"type": "custom", "name": "patch"}]})
    };
    let events = mock
        .post(RESPONSES, ask("calls=interleaved"))
        .await
        .events();
    let deltas: Vec<u64> = events
        .iter()
        .filter(|event| event.get("delta").is_some())
        .map(|event| event["output_index"].as_u64().unwrap())
        .collect();
    assert_eq!(deltas, [0, 1, 0]);
    let of_kind = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(
        of_kind("response.custom_tool_call_input.done")["input"],
        "find it"
    );
    assert_eq!(
        of_kind("response.function_call_arguments.done")["arguments"],
        "{\"query\":\"find it\"}"
    );
    let at_the_end = mock.post(RESPONSES, ask("args=end")).await.events();
    assert!(at_the_end.iter().all(|event| event.get("delta").is_none()));
    let last = &at_the_end.last().unwrap()["response"]["output"];
    assert_eq!(last[0]["arguments"], "{\"query\":\"find it\"}");
    assert_eq!(
        (&last[1]["type"], &last[1]["input"]),
        (&json!("custom_tool_call"), &json!("find it"))
    );
}
