//! Status, metrics and the live feed.

use std::time::Duration;

use super::*;
use crate::live::Started;

#[tokio::test]
async fn the_status_tells_of_process_writer_and_configuration() {
    let admin = Admin::start().await;
    let _in_flight = admin.gateway.live.begin(start(&admin.gateway));
    let (_, status) = admin.get("/admin/v1/status").await;
    for (field, expected) in [
        ("service", json!("ferrogate")),
        ("ready", json!(true)),
        ("providers", json!(1)),
        ("models", json!(1)),
        ("api_keys", json!(3)),
        ("in_flight", json!(1)),
        ("started_at_unix_ms", json!(NOW_MS)),
    ] {
        assert_eq!(status[field], expected, "{field}");
    }
    for field in ["pid", "rss_bytes", "open_fds", "threads"] {
        assert!(
            status["process"][field].as_u64().unwrap() > 0,
            "{field}: {status}"
        );
    }
    assert!(status["writer"]["database_bytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn metrics_are_prometheus_text_with_the_writers_figures() {
    let admin = Admin::start().await;
    admin.record(200, "fast").await;
    let _in_flight = admin.gateway.live.begin(start(&admin.gateway));
    let answer = admin.send(from(ROOT, "/metrics")).await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = text(answer).await;
    assert!(
        text.contains("\nferrogate_requests_in_flight 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nferrogate_writer_records_written_total 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn the_feed_streams_named_events_and_ends_with_the_gateway() {
    let admin = Admin::start().await;
    let answer = admin.send(from(ROOT, "/admin/v1/events")).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();

    let entry = admin.gateway.live.begin(start(&admin.gateway));
    let id = RequestId::new(&admin.gateway.clock).to_string();
    let (log, _) = metered(&id, 200, "fast");
    entry.finish(|| Arc::new(log.clone()));
    admin.gateway.live.tick();

    let finished = piece(&mut body).await;
    let line = |name: &str| finished.lines().find_map(|line| line.strip_prefix(name));
    assert_eq!(line("event: "), Some("finished"));
    let id = line("id: ").unwrap();
    assert!(id.starts_with(&format!("{NOW_MS:x}-")), "{id}");
    assert_eq!(
        serde_json::from_str::<RequestLog>(line("data: ").unwrap()).unwrap(),
        log
    );
    assert!(finished.ends_with("\n\n"));
    assert!(piece(&mut body).await.contains("event: second\n"));
    assert!(piece(&mut body).await.contains("event: in_flight\n"));

    let (status, refused) = admin.get("/admin/v1/events").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused["error"]["code"], "too_many_connections");

    admin.gateway.tasks.drain().await;
    assert!(body.frame().await.is_none(), "the stream ends");
    drop(body);
    assert!(
        admin.gateway.live.subscribe().is_ok(),
        "its place is free again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_sends_comments() {
    let admin = Admin::start().await;
    let mut body = admin.send(from(ROOT, "/admin/v1/events")).await.into_body();
    let before = tokio::time::Instant::now();
    assert!(piece(&mut body).await.starts_with(':'));
    assert_eq!(
        before.elapsed().as_secs(),
        Duration::from_secs(15).as_secs()
    );
}

fn start(gateway: &Gateway) -> Started {
    Started {
        id: RequestId::new(&gateway.clock),
        method: "GET".into(),
        path: "/v1/models".into(),
        endpoint: "models".into(),
    }
}

async fn piece(body: &mut Body) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}
