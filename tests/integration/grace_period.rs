//! What is left when the grace period is over is told so, and is on record like everything else.

use crate::support::{Ledger, Rig, eventually};

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
