//! Responses that are kept: `previous_response_id`, `GET` and `DELETE /v1/responses/{id}`, whether the gateway keeps
//! them (for providers that speak chat alone) or the provider that made them.

use serde_json::{Value, json};

use crate::support::{Answer, KEY, Provider, Request, Rig};

/// Four models: `chatty`, whose provider speaks chat alone; `native`, whose provider keeps responses itself; `moving`,
/// with two such providers of which the first fails once; `both`, which falls back from chat to responses.
async fn rig() -> Rig {
    let provider = Provider::start().await;
    let base_url = provider.base_url();
    let mut config = String::new();
    for (name, apis) in [
        ("chat", "chat"),
        ("keeper", "responses"),
        ("keeper-too", "responses"),
    ] {
        config.push_str(&format!(
            r#"
            [[providers]]
            name = "{name}"
            kind = "openai-compatible"
            base_url = "{base_url}"
            api_key_env = "PROVIDER_KEY"
            apis = ["{apis}"]
            "#
        ));
    }
    config.push_str(
        r#"
        [[models]]
        name = "chatty"
        provider = "chat"
        provider_model = "m"

        [[models]]
        name = "native"
        provider = "keeper"
        provider_model = "m"

        [[models]]
        name = "moving"
        provider = "keeper"
        provider_model = "first+fault=503,times=1"
        [[models.fallbacks]]
        provider = "keeper-too"
        provider_model = "second"

        [[models]]
        name = "both"
        provider = "chat"
        provider_model = "first+fault=503"
        [[models.fallbacks]]
        provider = "keeper-too"
        provider_model = "second"

        [[api_keys]]
        id = "stranger"
        key = "stranger-secret"
        "#,
    );
    Rig::start_with(provider, &config).await
}

/// A turn that goes on from `previous`, if there is one.
fn turn(rig: &Rig, model: &str, input: &str, previous: Option<&str>) -> Request {
    let body = json!({"model": model, "input": input, "previous_response_id": previous});
    rig.post("/v1/responses", &body)
}

fn kept(rig: &Rig, method: &str, id: &str) -> Request {
    rig.gateway
        .request(method, &format!("/v1/responses/{id}"))
        .key(KEY)
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// All the text of a response.
fn said(response: &Value) -> String {
    let items = response["output"].as_array().unwrap();
    let parts = items
        .iter()
        .filter(|item| item["type"] == "message")
        .filter_map(|item| item["content"].as_array())
        .flatten();
    parts.filter_map(|part| part["text"].as_str()).collect()
}

/// What the provider heard, of an answer to `sim: describe`: who said what.
fn heard(response: &Value) -> Vec<(String, String)> {
    let heard: Value = serde_json::from_str(&said(response)).unwrap();
    let turns = heard["turns"].as_array().unwrap();
    let text = |turn: &Value, name: &str| turn[name].as_str().unwrap().to_owned();
    turns
        .iter()
        .map(|turn| (text(turn, "role"), text(turn, "text")))
        .collect()
}

const DESCRIBE: &str = "sim: describe\nand now?";

fn expected(turns: &[(&str, &str)]) -> Vec<(String, String)> {
    turns
        .iter()
        .map(|(role, text)| ((*role).to_owned(), (*text).to_owned()))
        .collect()
}

const THREE_TURNS: [(&str, &str); 3] = [
    ("user", "hello"),
    ("assistant", "You said this: hello"),
    ("user", DESCRIBE),
];

#[tokio::test]
async fn a_conversation_goes_on_at_a_provider_that_keeps_nothing() {
    let rig = rig().await;
    let first = json!({"model": "chatty", "input": "hello", "instructions": "be brief"});
    let first = rig.post("/v1/responses", &first).send().await.expect(200);
    assert!(id(&first).starts_with("resp_"));
    assert_eq!(first.json()["store"], true);
    // At once, and again from the same point.
    for _ in 0..2 {
        let second = turn(&rig, "chatty", DESCRIBE, Some(&id(&first)))
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(heard(&second), expected(&THREE_TURNS));
        assert_eq!(second["previous_response_id"], id(&first));
        let heard: Value = serde_json::from_str(&said(&second)).unwrap();
        // Instructions are for one request; they are not part of what is kept.
        assert_eq!(heard["system"], json!([]));
    }
    let third = turn(&rig, "chatty", "more", Some(&id(&first)))
        .send()
        .await
        .expect(200);
    let fourth = turn(&rig, "chatty", DESCRIBE, Some(&id(&third)))
        .send()
        .await
        .expect(200);
    assert_eq!(heard(&fourth.json()).len(), 5);
}

#[tokio::test]
async fn what_is_kept_outlives_the_gateway() {
    let rig = rig().await;
    let first = turn(&rig, "chatty", "hello", None).send().await.expect(200);
    let Rig { gateway, provider } = rig;
    gateway.terminate();
    let (_, stopped) = gateway.left().await;
    let rig = Rig {
        gateway: stopped.restart().await,
        provider,
    };
    let shown = kept(&rig, "GET", &id(&first)).send().await.expect(200);
    assert_eq!(shown.json(), first.json());
    let second = turn(&rig, "chatty", DESCRIBE, Some(&id(&first)))
        .send()
        .await
        .expect(200);
    assert_eq!(heard(&second.json()), expected(&THREE_TURNS));
}

#[tokio::test]
async fn a_streamed_response_is_kept_before_its_last_event() {
    let rig = rig().await;
    let body = json!({"model": "chatty", "input": "hello", "stream": true});
    let mut stream = rig.post("/v1/responses", &body).open().await;
    let events = stream.events().await;
    let completed = events.last().unwrap();
    assert_eq!(completed.field("event"), "response.completed");
    let response = completed.json()["response"].clone();
    let id = response["id"].as_str().unwrap();
    let shown = kept(&rig, "GET", id).send().await.expect(200);
    assert_eq!(said(&shown.json()), said(&response));
    let second = turn(&rig, "chatty", DESCRIBE, Some(id))
        .send()
        .await
        .expect(200);
    assert_eq!(heard(&second.json()), expected(&THREE_TURNS));

    // What broke off is nothing to go on from.
    let body = json!({"model": "chatty", "stream": true, "input": "sim: tokens=9 fault=cut after=2\nhello"});
    let events = rig.post("/v1/responses", &body).open().await.events().await;
    let failed = events.last().unwrap();
    assert_eq!(failed.field("event"), "response.failed");
    let id = failed.json()["response"]["id"].as_str().unwrap().to_owned();
    kept(&rig, "GET", &id).send().await.expect(404);
}

#[tokio::test]
async fn tool_calls_and_their_reasoning_go_on_too() {
    let rig = rig().await;
    let tools = json!([
        {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
        {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}},
    ]);
    for model in ["chatty", "native"] {
        let body =
            json!({"model": model, "tools": tools, "input": "sim: reasoning=2 tools\nhello"});
        let first = rig.post("/v1/responses", &body).send().await.expect(200);
        let answer = first.json();
        let items = answer["output"].as_array().unwrap();
        let calls: Vec<_> = items
            .iter()
            .filter(|item| item["type"] == "function_call")
            .collect();
        assert_eq!(calls.len(), 2, "{answer}");
        let results: Vec<_> = calls
            .iter()
            .map(|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}))
            .collect();
        let body = json!({"model": model, "tools": tools, "input": results, "previous_response_id": id(&first)});
        let second = rig.post("/v1/responses", &body).send().await.expect(200);
        let text = said(&second.json());
        assert!(text.starts_with("The tools answered:"), "{model}: {text}");
    }
}

#[tokio::test]
async fn a_kept_response_is_shown_until_it_is_deleted() {
    for model in ["chatty", "native"] {
        let rig = rig().await;
        let first = turn(&rig, model, "hello", None).send().await.expect(200);
        let id = id(&first);
        let shown = kept(&rig, "GET", &id).send().await.expect(200);
        assert_eq!(shown.json(), first.json(), "{model}");
        let deleted = kept(&rig, "DELETE", &id).send().await.expect(200).json();
        assert_eq!(
            (&deleted["id"], &deleted["deleted"]),
            (&json!(id), &json!(true))
        );
        for method in ["GET", "DELETE"] {
            let answer = kept(&rig, method, &id).send().await;
            assert_eq!(
                answer.refusal(),
                (404, "resource_not_found".into()),
                "{model}"
            );
        }
        let next = turn(&rig, model, "and now?", Some(&id)).send().await;
        assert_eq!(
            next.refusal(),
            (400, "previous_response_not_found".into()),
            "{model}"
        );
        assert_eq!(next.json()["error"]["param"], "previous_response_id");
    }
}

#[tokio::test]
async fn another_key_finds_nothing() {
    for model in ["chatty", "native"] {
        let rig = rig().await;
        let first = turn(&rig, model, "hello", None).send().await.expect(200);
        let id = id(&first);
        let calls = rig.provider.count("calls").await;
        for method in ["GET", "DELETE"] {
            let answer = kept(&rig, method, &id).key("stranger-secret").send().await;
            assert_eq!(
                answer.refusal(),
                (404, "resource_not_found".into()),
                "{model}"
            );
        }
        let next = turn(&rig, model, "and now?", Some(&id))
            .key("stranger-secret")
            .send()
            .await;
        assert_eq!(
            next.refusal(),
            (400, "previous_response_not_found".into()),
            "{model}"
        );
        // Nor may the provider be asked, whose account they share.
        assert_eq!(rig.provider.count("calls").await, calls);
        kept(&rig, "GET", &id).send().await.expect(200);
    }
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_not() {
    let rig = rig().await;
    for model in ["chatty", "native"] {
        let body = json!({"model": model, "input": "hello", "store": false});
        let first = rig.post("/v1/responses", &body).send().await.expect(200);
        kept(&rig, "GET", &id(&first)).send().await.expect(404);
        let next = turn(&rig, model, "and now?", Some(&id(&first)))
            .send()
            .await;
        assert_eq!(
            next.refusal(),
            (400, "previous_response_not_found".into()),
            "{model}"
        );
    }
    kept(&rig, "GET", "resp_of_nobody").send().await.expect(404);
}

#[tokio::test]
async fn a_provider_that_keeps_responses_is_asked_for_them_with_the_gateways_credential() {
    let rig = rig().await;
    let first = turn(&rig, "native", "hello", None).send().await.expect(200);
    let id = id(&first);
    kept(&rig, "GET", &id).send().await.expect(200);
    kept(&rig, "DELETE", &id).send().await.expect(200);
    let calls = rig.provider.calls().await;
    let path = format!("/v1/responses/{id}");
    for (call, method) in calls[1..].iter().zip(["GET", "DELETE"]) {
        assert_eq!(
            (&call["method"], &call["path"]),
            (&json!(method), &json!(path))
        );
        assert_eq!(
            call["credential"],
            json!({"header": "authorization", "last_four": "0001"})
        );
    }
    let log = kept(&rig, "GET", &id).send().await;
    let log = rig.gateway.log_of(log.request_id()).await;
    assert_eq!((log.status, log.attempts), (404, 0));
}

#[tokio::test]
async fn the_next_turn_goes_to_the_provider_that_keeps_the_last_one() {
    let rig = rig().await;
    let first = turn(&rig, "moving", "hello", None).send().await.expect(200);
    assert_eq!(first.header("x-ferrogate-provider"), "keeper-too");
    // By now the first candidate would answer; it has nothing to go on from.
    let second = turn(&rig, "moving", DESCRIBE, Some(&id(&first)))
        .send()
        .await
        .expect(200);
    assert_eq!(second.header("x-ferrogate-provider"), "keeper-too");
    assert_eq!(second.header("x-ferrogate-attempts"), "1");
    assert_eq!(heard(&second.json()), expected(&THREE_TURNS));
    let trace = rig.gateway.routing_of(second.request_id()).await;
    let passed_over = trace
        .candidates
        .iter()
        .find(|one| &*one.provider == "keeper")
        .unwrap();
    assert_eq!(
        passed_over.reason,
        "passed over: the request is bound to provider `keeper-too`"
    );
    let other = turn(&rig, "moving", "hello", None).send().await.expect(200);
    assert_eq!(other.header("x-ferrogate-provider"), "keeper");

    let elsewhere = turn(&rig, "chatty", "and now?", Some(&id(&first)))
        .send()
        .await;
    assert_eq!(elsewhere.refusal(), (400, "invalid_request".into()));
    assert_eq!(elsewhere.json()["error"]["param"], "model");
}

#[tokio::test]
async fn what_the_gateway_keeps_goes_on_at_any_provider() {
    let rig = rig().await;
    let first = turn(&rig, "chatty", "hello", None).send().await.expect(200);
    let second = turn(&rig, "native", DESCRIBE, Some(&id(&first)))
        .send()
        .await
        .expect(200);
    assert_eq!(heard(&second.json()), expected(&THREE_TURNS));
    // The first candidate speaks chat and fails; the second would keep responses, but not this one.
    let third = turn(&rig, "both", DESCRIBE, Some(&id(&first)))
        .send()
        .await
        .expect(200);
    assert_eq!(third.header("x-ferrogate-provider"), "keeper-too");
    assert_eq!(third.header("x-ferrogate-attempts"), "2");
    assert_eq!(heard(&third.json()), expected(&THREE_TURNS));
}

#[tokio::test]
async fn an_item_of_a_kept_answer_can_be_named_instead_of_sent_again() {
    let rig = rig().await;
    let first = turn(&rig, "chatty", "sim: tokens=2\nhello", None)
        .send()
        .await
        .expect(200);
    let item = first.json()["output"][0]["id"].as_str().unwrap().to_owned();
    let words = said(&first.json());
    let again = |key: &'static str| {
        let body = json!({"model": "chatty", "store": false, "input": [
            {"role": "user", "content": "hello"},
            {"type": "item_reference", "id": item},
            {"role": "user", "content": DESCRIBE},
        ]});
        let request = rig.gateway.request("POST", "/v1/responses");
        request.key(key).json(&body)
    };
    let answer = again(KEY).send().await.expect(200);
    assert_eq!(
        heard(&answer.json()),
        expected(&[("user", "hello"), ("assistant", &words), ("user", DESCRIBE)])
    );
    // Who did not get the answer finds nothing in it.
    let refused = again("stranger-secret").send().await;
    assert_eq!(refused.refusal(), (400, "unsupported_parameter".into()));
}
