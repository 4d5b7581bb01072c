//! Profiles that a request chooses with `x-ferrogate-config`, and bodies that are logged.

use ferrogate_api::RequestLogDetail;
use serde_json::json;

use crate::support::{KEY, Request, Rig, chat_body};

const PROFILES: &str = r#"
    [[models]]
    name = "dear"
    provider = "openai"
    provider_model = "gpt-4.1"

    [[api_keys]]
    id = "other"
    key = "other-secret"

    [[gateway_configs]]
    id = "batch"
    model = "dear"
    api_key_ids = ["dev"]
    tags = { job = "nightly" }
    request_headers = { x-title = "Nightly job" }

    [[gateway_configs]]
    id = "hurried"
    provider_response_timeout_secs = 1

    [[gateway_configs]]
    id = "off"
    enabled = false
"#;

fn with(request: Request, profile: &str) -> Request {
    request.header("x-ferrogate-config", profile)
}

#[tokio::test]
async fn a_profile_chooses_the_model_and_adds_headers_and_tags() {
    let rig = Rig::start(PROFILES).await;
    let answer = with(rig.chat("hello"), "batch").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-model"), "gpt-4.1");
    let calls = rig.provider.calls().await;
    let [call] = &calls[..] else {
        panic!("one call: {calls:?}")
    };
    assert_eq!(call["model"], "gpt-4.1");
    assert_eq!(call["headers"]["x-title"], "Nightly job");
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.model.as_deref(), Some("dear"));
    assert_eq!(log.gateway_config_id.as_deref(), Some("batch"));
    assert_eq!(log.tags.unwrap()["job"], "nightly");
    // Without one it is as it was.
    let plain = rig.chat("hello").send().await.expect(200);
    assert_eq!(plain.header("x-ferrogate-model"), "gpt-4o-mini");
    let calls = rig.provider.calls().await;
    assert!(
        calls
            .iter()
            .filter(|call| !call["headers"]["x-title"].is_null())
            .count()
            == 1
    );
}

#[tokio::test]
async fn a_profile_that_is_not_there_or_not_for_the_key_refuses_before_anybody_is_asked() {
    let rig = Rig::start(PROFILES).await;
    let check = async |key: &str, profile: &str, status: u16, code: &str| {
        let request = rig.gateway.request("POST", "/v1/chat/completions");
        let request = request.key(key).json(&chat_body("hello"));
        let refused = with(request, profile).send().await;
        assert_eq!(refused.refusal(), (status, code.to_owned()), "{profile}");
    };
    check(KEY, "nobody's", 400, "gateway_config_not_found").await;
    check(KEY, "off", 400, "gateway_config_not_found").await;
    check("other-secret", "batch", 403, "gateway_config_not_allowed").await;
    assert_eq!(rig.provider.count("calls").await, 0);
    with(rig.chat("hello"), "").send().await.expect(200);
}

#[tokio::test]
async fn a_profiles_time_limit_holds_in_place_of_the_gateways() {
    let rig = Rig::start(PROFILES).await;
    let slow = rig.chat("sim: ttft_ms=60000\nhello");
    let refused = with(slow, "hurried").send().await;
    assert_eq!(refused.refusal(), (504, "provider_timeout".into()));
    assert!(refused.text().contains("within 1 s"), "{}", refused.text());
}

#[tokio::test]
async fn bodies_are_logged_where_the_telemetry_and_the_key_both_say_so() {
    let config = r#"
        log_bodies = true

        [telemetry]
        log_bodies = true
        log_body_max_bytes = 4096

        [[api_keys]]
        id = "other"
        key = "other-secret"
    "#;
    let rig = Rig::start(config).await;
    let of = async |request: Request| -> (String, RequestLogDetail) {
        let answer = request.send().await.expect(200);
        rig.gateway.log_of(answer.request_id()).await;
        let path = format!("/admin/v1/request-logs/{}", answer.request_id());
        let shown = rig.gateway.admin(&path).send().await.expect(200);
        (
            answer.text().to_owned(),
            serde_json::from_slice(&shown.body).unwrap(),
        )
    };
    let sent = chat_body("a word to be found again").to_string();
    for request in [
        rig.chat("a word to be found again"),
        rig.chat_stream("hello"),
    ] {
        let (answered, detail) = of(request).await;
        assert_eq!(detail.response_body.as_deref(), Some(&*answered));
        let logged = detail.request_body.unwrap();
        assert!(logged == sent || logged.contains("hello"), "{logged}");
    }
    let silent = rig.gateway.request("POST", "/v1/chat/completions");
    let silent = silent.key("other-secret").json(&json!({
        "model": "fast", "messages": [{"role": "user", "content": "not for the log"}],
    }));
    let (_, detail) = of(silent).await;
    assert_eq!((detail.request_body, detail.response_body), (None, None));
}
