//! `[telemetry]`: which requests get a line, how it looks, and how much of a body is kept.

use std::time::Instant;

use ferrogate_api::RequestLogDetail;
use serde_json::Value;

use crate::support::{Rig, chat_body, eventually};

async fn asked(rig: &Rig) -> String {
    let answer = rig.chat("hello").send().await.expect(200);
    answer.request_id().to_owned()
}

async fn refused(rig: &Rig) -> String {
    let answer = rig.chat("hello").key("wrong").send().await.expect(401);
    answer.request_id().to_owned()
}

/// The line about a request of the access log, as soon as it is there.
async fn line_of(rig: &Rig, request_id: &str) -> String {
    eventually("the request has its line", || async {
        let logged = rig.gateway.logged();
        let line = logged.lines().find(|line| line.contains(request_id));
        line.map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn good_requests_have_a_line_where_all_are_wanted() {
    let rig = Rig::start("[telemetry]\naccess_log = \"all\"").await;
    let good = asked(&rig).await;
    line_of(&rig, &good).await;

    let rig = Rig::start("").await;
    let good = asked(&rig).await;
    // Whatever is written of the first one is written before the line of the second.
    let bad = refused(&rig).await;
    line_of(&rig, &bad).await;
    assert!(!rig.gateway.logged().contains(&good));
}

#[tokio::test]
async fn of_so_many_good_requests_one_has_a_line() {
    let rig =
        Rig::start("[telemetry]\naccess_log = \"sampled\"\naccess_log_sample_rate = 3\n").await;
    let mut good = Vec::new();
    for _ in 0..9 {
        good.push(asked(&rig).await);
    }
    let lines = || {
        let logged = rig.gateway.logged();
        good.iter().filter(|id| logged.contains(*id)).count()
    };
    eventually("a third of them has its line", || async {
        (lines() >= 3).then_some(())
    })
    .await;
    let bad = refused(&rig).await;
    line_of(&rig, &bad).await;
    assert_eq!(lines(), 3);
}

#[tokio::test]
async fn so_many_refusals_a_second_have_a_line_and_the_others_are_counted() {
    let config = "[telemetry]\naccess_log_error_rate_limit_per_sec = 1\n[limits]\nauth_failures_per_minute_max = 0";
    let rig = Rig::start(config).await;
    let begun = Instant::now();
    let mut bad = Vec::new();
    for _ in 0..40 {
        bad.push(refused(&rig).await);
    }
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    eventually("what was left out is told", || async {
        refused(&rig).await;
        let logged = rig.gateway.logged();
        logged
            .contains("were left out of the access log")
            .then_some(())
    })
    .await;
    let logged = rig.gateway.logged();
    let lines = bad.iter().filter(|id| logged.contains(*id));
    // A second begins in the middle of one of ours.
    assert!(lines.count() <= seconds + 2, "in {seconds} s: {logged}");
}

#[tokio::test]
async fn a_line_is_text_or_one_json_object() {
    for (format, is_json) in [("json", true), ("text", false)] {
        let config = format!("[telemetry]\naccess_log = \"all\"\nlog_format = \"{format}\"");
        let rig = Rig::start(&config).await;
        let id = asked(&rig).await;
        let line = line_of(&rig, &id).await;
        let read = serde_json::from_str::<Value>(&line);
        assert_eq!(read.is_ok(), is_json, "{line}");
        if let Ok(read) = read {
            assert_eq!(read["request.id"], id);
        }
    }
}

#[tokio::test]
async fn of_a_long_body_the_beginning_is_kept() {
    let config = "log_bodies = true\n[telemetry]\nlog_bodies = true\nlog_body_max_bytes = 256\n";
    let rig = Rig::start(config).await;
    let message = "a long story ".repeat(100);
    let answer = rig.chat(&message).send().await.expect(200);
    rig.gateway.log_of(answer.request_id()).await;
    let path = format!("/admin/v1/request-logs/{}", answer.request_id());
    let shown = rig.gateway.admin(&path).send().await.expect(200);
    let detail: RequestLogDetail = serde_json::from_slice(&shown.body).unwrap();
    let sent = chat_body(&message).to_string();
    for (kept, whole) in [
        (detail.request_body.unwrap(), sent.as_str()),
        (detail.response_body.unwrap(), answer.text()),
    ] {
        let (beginning, mark) = kept.split_once("… [cut: ").unwrap();
        assert_eq!(beginning.len(), 256, "{kept}");
        assert!(whole.starts_with(beginning), "{kept}");
        assert_eq!(mark, format!("256 of {} bytes]", whole.len()));
    }
}
