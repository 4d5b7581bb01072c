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
