//! SIGTERM: requests in flight may end, those that do not are ended, and everything is written.

use ferrogate_api::Outcome;

use crate::support::{Ledger, Rig, eventually};

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_process_leaves() {
    let rig = Rig::start("").await;
    let asked = rig.chat_stream("sim: delay_ms=100 tokens=6\nhello").open();
    let mut stream = asked.await;
    stream.event().await.unwrap();
    rig.gateway.terminate();
    eventually("it is draining", || async {
        let status = rig.gateway.status().await;
        (status.draining && !status.ready).then_some(())
    })
    .await;
    assert!(stream.events().await.pop().unwrap().is_done());
    let (code, stopped) = rig.gateway.left().await;
    assert_eq!(code, Some(0));
    let ledger = Ledger::open(&stopped.data_directory());
    let complete = "SELECT count(*) FROM metering_events WHERE outcome = 'complete'";
    assert_eq!(ledger.number(complete), 1);
}

#[tokio::test]
async fn a_stream_that_outlasts_the_grace_period_is_told_so_and_recorded() {
    for settle in ["batched", "before-last-byte"] {
        let rig = Rig::start(&format!(
            "[reliability]\ngraceful_shutdown_grace_period_secs = 1\n[storage]\nsettle = \"{settle}\""
        ))
        .await;
        for index in 0..20 {
            let answer = rig.chat(&format!("hello {index}")).send().await;
            answer.expect(200);
        }
        let message = "sim: delay_ms=5 fault=stall after=2 tokens=9\nhello";
        let mut stream = rig.chat_stream(message).open().await;
        rig.gateway.terminate();
        let events = stream.events().await;
        let last = events.last().unwrap();
        assert_eq!(last.json()["error"]["code"], "node_draining", "{last:?}");

        let (code, stopped) = rig.gateway.left().await;
        assert_eq!(code, Some(0));
        let directory = stopped.data_directory();
        Ledger::assert_intact(&directory);
        let ledger = Ledger::open(&directory);
        let count = |condition: &str| {
            ledger.number(&format!(
                "SELECT count(*) FROM metering_events WHERE {condition}"
            ))
        };
        assert_eq!(count("outcome = 'complete'"), 20, "{settle}");
        let cut = format!("outcome = '{}'", Outcome::TimeLimit.as_str());
        assert_eq!(count(&cut), 1, "{settle}");
        assert_eq!(ledger.number("SELECT count(*) FROM holds"), 0);
        assert_eq!(Ledger::request_logs(&directory), 21, "{settle}");
    }
}

#[tokio::test]
async fn an_idle_gateway_leaves_at_once_and_its_socket_is_free_again() {
    let rig = Rig::start("[reliability]\ngraceful_shutdown_grace_period_secs = 60").await;
    let begun = std::time::Instant::now();
    rig.gateway.terminate();
    let (code, stopped) = rig.gateway.left().await;
    assert_eq!(code, Some(0));
    assert!(begun.elapsed().as_secs() < 30);
    stopped.restart().await;
}

#[tokio::test]
async fn a_whole_answer_that_outlasts_the_grace_period_is_refused_and_metered() {
    let rig = Rig::start("[reliability]\ngraceful_shutdown_grace_period_secs = 1").await;
    let asking = tokio::spawn(rig.chat("sim: ttft_ms=60000").send());
    eventually("the provider is asked", || async {
        (rig.provider.count("in_flight").await == 1).then_some(())
    })
    .await;
    rig.gateway.terminate();
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["code"], "node_draining");
    let (code, stopped) = rig.gateway.left().await;
    assert_eq!(code, Some(0));
    let ledger = Ledger::open(&stopped.data_directory());
    let rows = "SELECT count(*) FROM metering_events WHERE outcome = 'time_limit'";
    assert_eq!(ledger.number(rows), 1);
}
