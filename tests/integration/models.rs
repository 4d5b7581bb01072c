//! `GET /v1/models`: what a key may use.

use serde_json::json;

use crate::support::{KEY, Rig};

const KEYS: &str = r#"
    [[models]]
    name = "retired"
    provider = "openai"
    provider_model = "gpt-3"
    enabled = false

    [[api_keys]]
    id = "embedder"
    key = "embedder-secret"
    allowed_models = ["embed"]

    [[api_keys]]
    id = "elsewhere"
    key = "elsewhere-secret"
    denied_providers = ["openai"]

    [[api_keys]]
    id = "chatter"
    key = "chatter-secret"
    scopes = ["chat.completions"]
"#;

#[tokio::test]
async fn a_key_sees_the_models_it_may_use_and_no_others() {
    let rig = Rig::start(KEYS).await;
    let check = async |secret: &str, expected: &[&str]| {
        let answer = rig.gateway.request("GET", "/v1/models").key(secret);
        let list = answer.send().await.expect(200).json();
        assert_eq!(list["object"], "list");
        let data = list["data"].as_array().unwrap();
        let names: Vec<_> = data.iter().map(|model| &model["id"]).collect();
        assert_eq!(names, expected, "{secret}");
    };
    check(KEY, &["fast", "embed"]).await;
    check("embedder-secret", &["embed"]).await;
    check("elsewhere-secret", &[]).await;
    let chatter = rig
        .gateway
        .request("GET", "/v1/models")
        .key("chatter-secret");
    assert_eq!(chatter.send().await.refusal(), (403, "scope_denied".into()));
    assert_eq!(rig.provider.count("calls").await, 0);
}

#[tokio::test]
async fn one_model_is_shown_to_whoever_may_use_it() {
    let rig = Rig::start(KEYS).await;
    let show = async |secret: &str, name: &str| {
        let path = format!("/v1/models/{name}");
        rig.gateway.request("GET", &path).key(secret).send().await
    };
    let shown = show(KEY, "fast").await.expect(200).json();
    let expected = json!({"id": "fast", "object": "model", "created": 0, "owned_by": "openai"});
    assert_eq!(shown, expected);
    let refusal = async |secret, name| show(secret, name).await.refusal();
    assert_eq!(
        refusal(KEY, "no-such").await,
        (404, "model_not_found".into())
    );
    assert_eq!(
        refusal(KEY, "retired").await,
        (404, "model_disabled".into())
    );
    let not_allowed = refusal("embedder-secret", "fast").await;
    assert_eq!(not_allowed, (403, "model_not_allowed".into()));
}
