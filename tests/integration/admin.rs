//! The admin API: who may use it, on which listener, and what its lists answer.

use std::os::unix::fs::PermissionsExt;

use ferrogate_api::{ApiKey, RequestLog};
use serde_json::Value;

use crate::support::{Gateway, KEY, Request, Rig, Target, eventually};

fn over_tcp(gateway: &Gateway, path: &str) -> Request {
    Request::new(Target::Tcp(gateway.admin_address()), "GET", path)
}

fn first_key(gateway: &Gateway) -> String {
    let path = gateway.data_directory().join("admin-key");
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_first_start_makes_an_admin_key_that_only_its_file_knows() {
    let rig = Rig::start("").await;
    let path = rig.gateway.data_directory().join("admin-key");
    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    let key = first_key(&rig.gateway);
    assert!(key.starts_with("fg_live_"));
    let logged = rig.gateway.logged();
    assert!(logged.contains(path.to_str().unwrap()), "{logged}");
    assert!(!logged.contains(&key), "the log tells where, never what");

    let status = over_tcp(&rig.gateway, "/admin/v1/status");
    let status = status.key(&key).send().await.expect(200).json();
    assert_eq!(status["service"], "ferrogate");
    assert_eq!(status["models"], 2);
    let keys = rig.gateway.admin("/admin/v1/api-keys").send().await;
    assert!(!keys.expect(200).text().contains(&key));

    // Another start makes no other key.
    let Rig { gateway, provider } = rig;
    let gateway = gateway.kill().await.restart().await;
    assert_eq!(first_key(&gateway), key);
    let rig = Rig { gateway, provider };
    let again = over_tcp(&rig.gateway, "/admin/v1/status").key(&key);
    again.send().await.expect(200);
    // It administers; it is no client's key.
    let chat = rig.chat("hello").key(&key).send().await;
    assert_eq!(chat.refusal(), (403, "scope_denied".into()));
}

#[tokio::test]
async fn the_socket_asks_for_no_key_and_tcp_asks_for_the_right_one() {
    let rig = Rig::start("").await;
    let check = async |request: Request, status: u16, code: &str| {
        assert_eq!(request.send().await.refusal(), (status, code.to_owned()));
    };
    for path in ["/admin/v1/status", "/metrics"] {
        rig.gateway.admin(path).send().await.expect(200);
        let ask = || over_tcp(&rig.gateway, path);
        check(ask(), 401, "missing_api_key").await;
        check(ask().key("wrong"), 401, "invalid_api_key").await;
        check(ask().key(KEY), 403, "scope_denied").await;
        let on_gateway = || rig.gateway.request("GET", path);
        check(on_gateway(), 401, "missing_api_key").await;
        check(on_gateway().key(KEY), 403, "scope_denied").await;
        let admin = first_key(&rig.gateway);
        on_gateway().key(&admin).send().await.expect(200);
    }
    let nowhere = rig.gateway.admin("/admin/v1/nothing");
    check(nowhere, 404, "route_not_found").await;
}

#[tokio::test]
async fn on_the_gateways_listener_only_this_machine_is_answered_and_only_directly() {
    let rig = Rig::start("").await;
    let admin = first_key(&rig.gateway);
    let ask = || rig.gateway.request("GET", "/admin/v1/status").key(&admin);
    ask().send().await.expect(200);
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-host", "gateway.example.com"),
        ("forwarded", "for=203.0.113.7"),
        ("via", "1.1 proxy"),
        ("host", "gateway.example.com"),
    ] {
        let refused = ask().header(name, value).send().await;
        assert_eq!(
            refused.refusal(),
            (403, "admin_not_public".into()),
            "{name}"
        );
    }

    let off = Gateway::start("[admin]\non_gateway = false").await;
    let hidden = off.request("GET", "/admin/v1/status").send().await;
    assert_eq!(hidden.refusal(), (404, "route_not_found".into()));
}

#[tokio::test]
async fn request_logs_are_found_by_what_they_say_newest_first_and_page_by_page() {
    let rig = Rig::start("[[api_keys]]\nid = \"other\"\nkey = \"other-secret\"").await;
    let mut ids = Vec::new();
    for index in 0..12 {
        let request = match index % 4 {
            0 => rig.chat("hello"),
            1 => rig.chat("sim: fault=500"),
            2 => rig.post(
                "/v1/embeddings",
                &serde_json::json!({"model": "embed", "input": "x"}),
            ),
            _ => rig.chat("hello").key("other-secret"),
        };
        let answer = request.send().await;
        ids.push(answer.request_id().to_owned());
    }
    let stranger = rig.chat("hello").key("wrong").send().await;
    ids.push(stranger.request_id().to_owned());
    ids.reverse();
    for id in &ids {
        rig.gateway.log_of(id).await;
    }

    let found = async |filter: &str| -> Vec<String> {
        // A small page, so that every list is put together from several.
        let path = format!("/admin/v1/request-logs?limit=2{filter}");
        let logs: Vec<RequestLog> = rig.gateway.list(&path).await;
        logs.into_iter().map(|log| log.request_id).collect()
    };
    assert_eq!(found("").await, ids);
    assert_eq!(found("&status=500").await.len(), 3);
    assert_eq!(found("&status=4xx").await, ids[..1]);
    assert_eq!(found("&status=%3E%3D400").await.len(), 4);
    assert_eq!(found("&model=embed").await.len(), 3);
    assert_eq!(found("&key=other").await.len(), 3);
    assert_eq!(found("&provider=openai").await.len(), 12);
    assert_eq!(found("&key=dev&status=2xx&model=fast").await.len(), 3);
    assert_eq!(found("&model=no-such").await.len(), 0);
    let middle = rig.gateway.log_of(&ids[6]).await.started_at_unix_ms;
    let since = found(&format!("&since={middle}")).await;
    assert!(since.len() >= 7 && since == ids[..since.len()], "{since:?}");

    for wrong in [
        "status=lots",
        "limit=0",
        "cursor=x",
        "since=now",
        "colour=red",
    ] {
        let path = format!("/admin/v1/request-logs?{wrong}");
        let answer = rig.gateway.admin(&path).send().await;
        assert_eq!(answer.status, 400, "{wrong}");
        let param = wrong.split('=').next().unwrap();
        assert_eq!(answer.json()["error"]["param"], param);
    }
    let unknown = rig
        .gateway
        .admin("/admin/v1/request-logs/00000000-0000-7000-8000-000000000000");
    assert_eq!(unknown.send().await.refusal().0, 404);
}

#[tokio::test]
async fn keys_are_listed_without_their_secrets() {
    let rig = Rig::start("").await;
    let keys: Vec<ApiKey> = rig.gateway.list("/admin/v1/api-keys?limit=1").await;
    let ids: Vec<_> = keys.iter().map(|key| &*key.id).collect();
    assert_eq!(ids, ["admin", "dev"]);
    let shown = rig.gateway.admin("/admin/v1/api-keys/dev").send().await;
    let shown = shown.expect(200);
    assert!(!shown.text().contains(KEY));
    assert_eq!(shown.json()["scopes"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let rig = Rig::start("").await;
    let answer = rig.chat("hello").send().await.expect(200);
    let usage: Value = answer.json()["usage"].clone();
    rig.chat_stream("hello").send().await.expect(200);
    rig.chat("hello").key("wrong").send().await.expect(401);
    let metrics = eventually("the writer's figures are up to date", || async {
        let metrics = rig.gateway.admin("/metrics").send().await.expect(200);
        let written = rig.gateway.status().await.writer.records_written;
        (written >= 3).then_some(metrics)
    })
    .await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let number_of = |name: &str, labels: &[&str]| -> f64 {
        metrics
            .text()
            .lines()
            .filter(|line| {
                line.starts_with(name) && labels.iter().all(|label| line.contains(label))
            })
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    let requests = |labels: &[&str]| number_of("ferrogate_requests_total", labels);
    assert_eq!(requests(&["status=\"200\""]), 2.0, "{}", metrics.text());
    assert_eq!(requests(&["status=\"401\""]), 1.0);
    let input = usage["prompt_tokens"].as_f64().unwrap();
    let tokens = number_of("ferrogate_tokens_total", &["input"]);
    assert_eq!(tokens, 2.0 * input);
    for name in [
        "ferrogate_request_duration_seconds_bucket",
        "ferrogate_time_to_first_token_seconds_bucket",
        "ferrogate_writer_queue",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.text().contains(name), "{name}: {}", metrics.text());
    }
}
