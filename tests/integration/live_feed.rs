//! `GET /admin/v1/events`: what is going on right now.

use serde_json::Value;

use crate::support::{Opened, Rig};

/// The next event of this name; the others are passed over.
async fn next(feed: &mut Opened, name: &str) -> Value {
    loop {
        let event = feed.event().await.unwrap();
        if event.field("event") == name {
            return event.json();
        }
    }
}

#[tokio::test]
async fn the_feed_tells_of_every_request_that_ends_and_of_every_second() {
    let rig = Rig::start("").await;
    let mut feed = rig.gateway.admin("/admin/v1/events").open().await;
    assert_eq!(feed.status, 200);
    assert!(feed.header("content-type").starts_with("text/event-stream"));

    let answer = rig.chat("hello").send().await.expect(200);
    let finished = next(&mut feed, "finished").await;
    assert_eq!(finished["request_id"], answer.request_id());
    assert_eq!(finished["status"], 200);
    assert_eq!(finished["model"], "fast");
    let usage = &answer.json()["usage"];
    assert_eq!(finished["tokens"]["input"], usage["prompt_tokens"]);

    let second = loop {
        let second = next(&mut feed, "second").await;
        if second["requests"] != 0 {
            break second;
        }
    };
    assert_eq!(second["requests"], 1);
    assert_eq!(second["output_tokens"], usage["completion_tokens"]);

    let stream = rig.chat_stream("sim: delay_ms=5 tokens=9 fault=stall after=2\nhello");
    let stream = stream.open().await;
    let in_flight = loop {
        let in_flight = next(&mut feed, "in_flight").await;
        if in_flight["total"] != 0 {
            break in_flight;
        }
    };
    let request = &in_flight["requests"][0];
    assert_eq!(request["request_id"], stream.header("x-request-id"));
    assert_eq!(request["phase"], "answering");
    assert_eq!(request["api_key_id"], "dev");
    drop(stream);
    let finished = next(&mut feed, "finished").await;
    assert_eq!(finished["outcome"], "client_gone");

    // The feed is no reason to stay.
    rig.gateway.terminate();
    while feed.event().await.is_some() {}
    assert_eq!(rig.gateway.left().await.0, Some(0));
}

#[tokio::test]
async fn a_reader_is_told_what_it_asks_for_and_what_it_has_missed() {
    let rig = Rig::start("[reliability]\nprovider_circuit_breaker_failure_threshold = 1\nprovider_dispatch_max_retries = 0").await;
    let everything = "/admin/v1/events?topics=requests,health,alerts,audit,logs,config";
    let mut feed = rig.gateway.admin(everything).open().await;
    rig.chat("hello").send().await.expect(200);
    let finished = loop {
        let event = feed.event().await.unwrap();
        if event.field("event") == "finished" {
            break event;
        }
    };
    let id = finished.field("id").to_owned();
    assert!(id.contains('-'), "{finished:?}");
    drop(feed);

    // Nobody listens now.
    rig.chat("sim: fault=503\nhello").send().await.expect(503);
    rig.gateway.request_logs().await;
    let mut feed = rig
        .gateway
        .admin("/admin/v1/events?topics=requests,health&errors_only=true")
        .header("last-event-id", &id)
        .open()
        .await;
    let mut names = Vec::new();
    while !(names.contains(&"finished".to_owned()) && names.contains(&"breaker_changed".to_owned()))
    {
        let event = feed.event().await.unwrap();
        if event.field("event") == "breaker_changed" {
            let change = event.json();
            assert_eq!(
                (&change["provider"], &change["to"]),
                (&"openai".into(), &"open".into())
            );
        }
        names.push(event.field("event").to_owned());
    }
    assert!(!names.contains(&"skipped".to_owned()), "{names:?}");

    let mut feed = rig
        .gateway
        .admin("/admin/v1/events?topics=audit")
        .header("last-event-id", "1-1")
        .open()
        .await;
    let skipped = next(&mut feed, "skipped").await;
    assert_eq!(
        (&skipped["count"], &skipped["reason"]),
        (&0.into(), &"restarted".into())
    );

    for (query, param) in [
        ("topics=weather", "topics"),
        ("level=loud", "level"),
        ("status=x", "status"),
    ] {
        let path = format!("/admin/v1/events?{query}");
        let answer = rig.gateway.admin(&path).send().await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_request".to_owned()),
            "{query}"
        );
        assert_eq!(answer.json()["error"]["param"], param);
    }
}

#[tokio::test]
async fn what_is_noted_and_logged_is_told() {
    let rig = Rig::start("").await;
    let mut feed = rig
        .gateway
        .admin("/admin/v1/events?topics=audit,logs&level=info")
        .open()
        .await;
    let stream = rig.chat_stream("sim: delay_ms=5 tokens=9 fault=stall after=2\nhello");
    let stream = stream.open().await;
    let id = stream.header("x-request-id");
    let target = crate::support::Target::Unix(rig.gateway.admin_socket());
    let path = format!("/admin/v1/requests/in-flight/{id}");
    crate::support::Request::new(target, "DELETE", &path)
        .send()
        .await
        .expect(200);
    let (mut audit, mut log) = (None, None);
    while audit.is_none() || log.is_none() {
        let event = feed.event().await.unwrap();
        match event.field("event") {
            "audit" => audit = Some(event.json()),
            // The access log's line about the request that was ended.
            "log" if event.data().contains(id) => log = Some(event.json()),
            _ => {}
        }
    }
    let (audit, log) = (audit.unwrap(), log.unwrap());
    assert_eq!(audit["action"], "request.kill");
    assert_eq!(audit["target"], format!("request:{id}"));
    assert!(audit["id"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    assert_eq!(log["level"], "warn");
    assert_eq!(log["fields"]["outcome"], "killed");
}
