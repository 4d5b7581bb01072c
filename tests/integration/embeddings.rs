//! `POST /v1/embeddings`.

use ferrogate_api::Outcome;
use serde_json::json;

use crate::support::{KEY, Rig};

#[tokio::test]
async fn embeddings_pass_byte_for_byte_and_are_metered() {
    let rig = Rig::start("").await;
    for body in [
        r#"{"model":"embed","input":"one"}"#,
        r#"{"input" : ["one","two"],"model" :"embed", "encoding_format":"base64"}"#,
    ] {
        let through = rig.gateway.request("POST", "/v1/embeddings").key(KEY);
        let through = through.text(body).send().await.expect(200);
        let as_sent_on = body.replace("\"embed\"", "\"text-embedding-3-small\"");
        let direct = rig.provider.request("POST", "/v1/embeddings");
        let direct = direct.text(&as_sent_on).send().await.expect(200);
        assert_eq!(through.body, direct.body);

        let usage = &through.json()["usage"];
        let [event] = &rig.gateway.events_of(through.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.outcome, Outcome::Complete);
        assert_eq!(&*event.endpoint, "embeddings");
        assert_eq!(usage["prompt_tokens"], event.tokens.input);
        assert_eq!(event.tokens.output, 0);
        // Two US cents for a million tokens, as the price catalog says of this model.
        let expected = i64::try_from(event.tokens.input * 20).unwrap();
        assert_eq!(event.cost_nanos, Some(expected));
    }
}

#[tokio::test]
async fn a_model_for_chat_makes_no_embeddings() {
    let rig = Rig::start("").await;
    let body = json!({"model": "fast", "input": "one"});
    let answer = rig.post("/v1/embeddings", &body).send().await;
    assert_eq!(answer.refusal(), (400, "capability_not_supported".into()));
    assert_eq!(rig.provider.count("calls").await, 0);
}
