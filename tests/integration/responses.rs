//! `POST /v1/responses`, streamed and not.

use ferrogate_api::{Outcome, UsageSource};
use serde_json::json;

use crate::support::{KEY, Rig};

#[tokio::test]
async fn responses_pass_byte_for_byte_and_are_metered() {
    let rig = Rig::start("").await;
    for body in [
        r#"{"model":"fast","input":"hello"}"#,
        r#"{"input":[{"role":"user","content":"hello"}], "instructions":"be brief","model":"fast"}"#,
        r#"{"model":"fast","input":"hello","stream":true}"#,
    ] {
        let through = rig.gateway.request("POST", "/v1/responses").key(KEY);
        let through = through.text(body).send().await.expect(200);
        let as_sent_on = body.replace("\"fast\"", "\"gpt-4o-mini\"");
        let direct = rig.provider.request("POST", "/v1/responses");
        let direct = direct.text(&as_sent_on).send().await.expect(200);
        assert_eq!(through.text(), direct.text());

        let [event] = &rig.gateway.events_of(through.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.outcome, Outcome::Complete);
        assert_eq!(&*event.endpoint, "responses");
        assert_eq!(event.usage_source, UsageSource::Provider);
        assert!(event.tokens.input > 0 && event.tokens.output > 0);
    }
    let usage = &rig.provider.stats().await["usage"];
    let events = rig.gateway.metering_events().await;
    // The simulator was asked twice for each: once through the gateway, once directly.
    let input: u64 = events.iter().map(|event| event.tokens.input).sum();
    let output: u64 = events.iter().map(|event| event.tokens.output).sum();
    assert_eq!(usage["input_tokens"], 2 * input);
    assert_eq!(usage["output_tokens"], 2 * output);
}

#[tokio::test]
async fn a_broken_responses_stream_ends_with_response_failed() {
    let rig = Rig::start("").await;
    let body = json!({"model": "fast", "stream": true, "input": "sim: delay_ms=5 tokens=9 fault=cut after=2\nhi"});
    let mut stream = rig.post("/v1/responses", &body).open().await;
    assert_eq!(stream.status, 200);
    let id = stream.header("x-request-id").to_owned();
    let events = stream.events().await;
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last.field("event"), "response.failed");
    let failed = last.json();
    assert_eq!(failed["type"], "response.failed");
    let response = &failed["response"];
    assert_eq!(response["status"], "failed");
    assert_eq!(response["id"], before[0].json()["response"]["id"]);
    assert_eq!(response["error"]["code"], "provider_protocol_error");
    let number = |event: &serde_json::Value| event["sequence_number"].as_u64().unwrap();
    let last_before = before.last().unwrap().json();
    assert_eq!(number(&failed), number(&last_before) + 1);

    let log = rig.gateway.log_of(&id).await;
    assert_eq!(log.outcome, Outcome::UpstreamCut);
    assert_eq!(log.usage_source, UsageSource::Partial);
}

#[tokio::test]
async fn a_responses_stream_that_dies_before_its_first_content_is_a_plain_error() {
    let rig = Rig::start("").await;
    let body = json!({"model": "fast", "stream": true, "input": "sim: cut=role\nhi"});
    let answer = rig.post("/v1/responses", &body).send().await;
    let expected = (502, "provider_protocol_error".into());
    assert_eq!(answer.refusal(), expected);
}

#[tokio::test]
async fn responses_have_a_scope_of_their_own_and_need_a_model_that_chats() {
    let rig = Rig::start(
        "[[api_keys]]\nid = \"chatter\"\nkey = \"chatter-secret\"\nscopes = [\"chat.completions\"]",
    )
    .await;
    let body = json!({"model": "fast", "input": "hello"});
    let chatter = rig.post("/v1/responses", &body).key("chatter-secret");
    assert_eq!(chatter.send().await.refusal(), (403, "scope_denied".into()));
    let body = json!({"model": "embed", "input": "hello"});
    let answer = rig.post("/v1/responses", &body).send().await;
    assert_eq!(answer.refusal(), (400, "capability_not_supported".into()));
    assert_eq!(rig.provider.count("calls").await, 0);
}
