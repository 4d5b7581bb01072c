//! `ferrogate explain`, `ferrogate simulate` and the endpoints behind them: why a request went where it went, and where
//! one would go.

use ferrogate_api::{Explanation, RequestLogDetail};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::support::{Ended, KEY, Rig, Target, first_then_second, routed, routed_body};

async fn explained(rig: &Rig, request_id: &str) -> String {
    rig.gateway.log_of(request_id).await;
    let ended = rig.gateway.command(&["explain", request_id]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

/// `ferrogate simulate` of `body`, with more arguments.
async fn simulated(rig: &Rig, body: &Value, arguments: &[&str]) -> Ended {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body.to_string()).unwrap();
    let mut all = vec!["simulate", file.path().to_str().unwrap()];
    all.extend(arguments);
    rig.gateway.command(&all).await
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_request_that_fell_back_is_explained_attempt_by_attempt() {
    let rig = routed(&first_then_second("first+fault=503"), "").await;
    let answer = rig.routed("hello").send().await.expect(200);
    let text = explained(&rig, answer.request_id()).await;
    assert_says(
        &text,
        &[
            answer.request_id(),
            "POST /v1/chat/completions  complete",
            "key dev  model routed  answered by two (second)",
            "2 attempts, status 200, ",
            "model routed by priority, asked in chat, about ",
            "  1  one/first+fault=503 over chat: first by priority 0 (priority 0, about 0.",
            "  2  two/second over chat: then by priority 100 (priority 100, about 0.",
            "attempts\n  1  one/first+fault=503 at ",
            "503, credential 1; went on to the next candidate: the provider answered 503",
            "200, credential 1; answered",
        ],
    );
}

#[tokio::test]
async fn an_explanation_is_what_was_written_down_then_and_survives_a_restart() {
    let rig = routed(&first_then_second("first+fault=503"), "").await;
    let answer = rig.routed("hello").send().await.expect(200);
    let before = explained(&rig, answer.request_id()).await;
    let Rig { gateway, provider } = rig;
    gateway.terminate();
    let (_, stopped) = gateway.left().await;
    let gateway = stopped.restart().await;
    let rig = Rig { gateway, provider };
    assert_eq!(explained(&rig, answer.request_id()).await, before);

    let ended = rig
        .gateway
        .command(&["explain", answer.request_id(), "--json"])
        .await;
    let detail: RequestLogDetail = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(detail.log.request_id, answer.request_id());
    let trace = detail.routing.unwrap();
    assert_eq!((trace.candidates.len(), trace.attempts.len()), (2, 2));
    assert!(trace.attempts[0].duration_us > 0);
    assert!(trace.attempts[1].began_us >= trace.attempts[0].duration_us);
}

#[tokio::test]
async fn requests_that_needed_no_decision_say_so() {
    let rig = Rig::start("").await;
    let answered = rig.chat("hello").send().await.expect(200);
    let text = explained(&rig, answered.request_id()).await;
    assert_says(
        &text,
        &[
            "1 attempts, status 200",
            "There was one candidate, and it answered at the first attempt.",
        ],
    );

    let failed = rig.chat("sim: fault=503").send().await;
    let text = explained(&rig, failed.request_id()).await;
    assert_says(
        &text,
        &[
            "status 503",
            "provider_error",
            "gave up: the provider answered 503",
        ],
    );

    let refused = rig.chat("hello").key("no-such-key").send().await;
    let text = explained(&rig, refused.request_id()).await;
    assert_says(
        &text,
        &["status 401", "invalid_api_key", "No provider was asked."],
    );
}

#[tokio::test]
async fn a_request_that_nobody_may_answer_tells_why_each_was_passed_over() {
    let model = r#"
        provider = "one"
        provider_model = "first"
        context_window = 10
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
        enabled = false
    "#;
    let rig = routed(model, "").await;
    let answer = rig.routed(&"word ".repeat(100)).send().await;
    assert_eq!(answer.refusal(), (400, "context_length_exceeded".into()));
    let text = explained(&rig, answer.request_id()).await;
    assert_says(
        &text,
        &[
            "0 attempts, status 400",
            "  -  one/first over chat: passed over: about ",
            "do not fit into its window of 10",
            "  -  two/second over chat: passed over: it is switched off",
        ],
    );
}

#[tokio::test]
async fn what_cannot_be_explained_ends_with_an_error() {
    let rig = Rig::start("").await;
    let unknown = "01a20797-6f4b-760b-82c2-152ee284374f";
    for id in [unknown, "nonsense"] {
        let ended = rig.gateway.command(&["explain", id]).await;
        assert_eq!(ended.code, Some(1));
        assert_eq!(ended.stdout, "");
        assert_says(&ended.stderr, &[id]);
    }
}

#[tokio::test]
async fn a_simulation_asks_nobody_and_leaves_nothing_behind() {
    let rig = routed(&first_then_second("first"), "").await;
    let ended = simulated(&rig, &routed_body("hello"), &["--key", "dev"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_says(
        &ended.stdout,
        &[
            "model routed by priority, asked in chat, about ",
            "  1  one/first over chat: first by priority 0",
            "  2  two/second over chat: then by priority 100",
            "It would be sent.",
        ],
    );
    // Another dialect, and a model that the path names.
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let path = "/v1beta/models/routed:streamGenerateContent";
    let ended = simulated(&rig, &gemini, &["--key", "dev", "--path", path]).await;
    assert_says(
        &ended.stdout,
        &[
            "asked in gemini",
            "one/first over chat",
            "It would be sent.",
        ],
    );
    // A model with one candidate is explained too.
    let mut body = routed_body("hello");
    body["model"] = "fast".into();
    let ended = simulated(&rig, &body, &["--key", "dev", "--json"]).await;
    let explained: Explanation = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(explained.refusal, None);
    assert_eq!(
        explained.routing.unwrap().candidates[0].reason,
        "the only candidate"
    );

    assert_eq!(rig.provider.count("calls").await, 0);
    assert_eq!(rig.gateway.request_logs().await, []);
    assert_eq!(rig.gateway.metering_events().await, []);
}

#[tokio::test]
async fn a_simulation_knows_what_is_known_of_the_providers() {
    let config = "[reliability]\nprovider_circuit_breaker_failure_threshold = 1\n\
        provider_circuit_breaker_cooldown_secs = 600\n";
    let rig = routed(&first_then_second("first+fault=503"), config).await;
    rig.routed("hello").send().await.expect(200);
    let ended = simulated(&rig, &routed_body("hello"), &["--key", "dev"]).await;
    assert_says(
        &ended.stdout,
        &[
            "  1  two/second over chat: ",
            "  -  one/first+fault=503 over chat: passed over: the circuit breaker is open for another ",
            "100.0 % failed",
        ],
    );
    assert_eq!(rig.provider.count("calls").await, 2);
}

#[tokio::test]
async fn a_simulated_refusal_is_the_one_that_the_request_would_get() {
    let keys = r#"
        [[api_keys]]
        id = "narrow"
        key = "narrow-secret"
        scopes = ["responses.create"]
        allowed_models = ["fast"]
    "#;
    let rig = routed(&first_then_second("first"), keys).await;
    let check = async |body: &Value, path: &str, key: (&str, &str)| {
        let (id, secret) = key;
        let ended = simulated(&rig, body, &["--key", id, "--path", path, "--json"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let explained: Explanation = serde_json::from_str(&ended.stdout).unwrap();
        let refusal = explained.refusal.unwrap();
        let answer = rig.post(path, body).key(secret).send().await;
        let told = answer.json()["error"].clone();
        assert_eq!(told["code"], refusal.code);
        assert_eq!(told["message"], refusal.message);
        assert_eq!(told["param"], json!(refusal.param));
    };
    let dev = ("dev", KEY);
    let narrow = ("narrow", "narrow-secret");
    let mut body = routed_body("hello");
    check(&body, "/v1/chat/completions", narrow).await;
    check(
        &json!({"model": "routed", "input": "hello"}),
        "/v1/responses",
        narrow,
    )
    .await;
    body["model"] = "no-such".into();
    check(&body, "/v1/chat/completions", dev).await;
    check(&json!({"messages": []}), "/v1/chat/completions", dev).await;
    let background = json!({"model": "routed", "input": "hello", "background": true});
    check(&background, "/v1/responses", dev).await;
    assert_eq!(rig.provider.count("calls").await, 0);
}

#[tokio::test]
async fn what_cannot_be_simulated_ends_with_an_error() {
    let rig = Rig::start("").await;
    let body = routed_body("hello");
    let ended = simulated(&rig, &body, &["--key", "nobody"]).await;
    assert_eq!(ended.code, Some(1));
    assert_says(&ended.stderr, &["nobody"]);
    let ended = simulated(&rig, &body, &["--key", "dev", "--path", "/v1/models"]).await;
    assert_eq!(ended.code, Some(1));
    assert_says(&ended.stderr, &["path"]);
    let ended = rig
        .gateway
        .command(&["simulate", "/no/such/file.json", "--key", "dev"])
        .await;
    assert_eq!(ended.code, Some(1));
    assert_says(&ended.stderr, &["/no/such/file.json"]);
}

#[tokio::test]
async fn a_simulation_over_tcp_needs_a_key_that_may_read() {
    let keys = r#"
        [[api_keys]]
        id = "reader"
        key = "reader-secret"
        scopes = ["admin.read"]
    "#;
    let rig = Rig::start(keys).await;
    let ask = |secret: &str| {
        let address = Target::Tcp(rig.gateway.admin_address());
        let body = json!({"key": "dev", "body": {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}});
        crate::support::Request::new(address, "POST", "/admin/v1/routes:explain")
            .key(secret)
            .json(&body)
    };
    assert_eq!(ask(KEY).send().await.refusal().0, 403);
    let explained = ask("reader-secret").send().await.expect(200).json();
    assert_eq!(explained["refusal"], Value::Null);
    assert_eq!(explained["routing"]["candidates"][0]["provider"], "openai");
}
