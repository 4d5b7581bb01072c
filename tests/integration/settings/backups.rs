//! `[backup]`: where backups lie, what is in them, and when they are made.

use std::time::{Duration, Instant};

use ferrogate_api::{Backup, Page};
use serde_json::json;

use crate::support::{Gateway, Rig, eventually};

async fn make(gateway: &Gateway) -> Backup {
    let made = gateway.made("POST", "backups", &json!({})).await;
    serde_json::from_slice(&made.body).unwrap()
}

#[tokio::test]
async fn backups_lie_where_they_are_told_to_and_hold_what_they_are_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    let config = format!("[backup]\npath = {elsewhere:?}\ninclude_request_logs = true");
    let rig = Rig::start(&config).await;
    let answer = rig.chat("hello").send().await.expect(200);
    rig.gateway.log_of(answer.request_id()).await;
    let made = make(&rig.gateway).await;
    assert!(elsewhere.join(&made.name).join("manifest.json").exists());
    assert!(!rig.gateway.data_directory().join("backups").exists());
    assert!(made.rows["request_logs"] > 0, "{made:?}");

    let rig = Rig::start("").await;
    let answer = rig.chat("hello").send().await.expect(200);
    rig.gateway.log_of(answer.request_id()).await;
    let made = make(&rig.gateway).await;
    let beside = rig.gateway.data_directory().join("backups");
    assert!(beside.join(&made.name).exists());
    assert!(
        !made.rows.contains_key("request_logs") || made.rows["request_logs"] == 0,
        "{made:?}"
    );
}

#[tokio::test]
async fn a_backup_is_made_when_it_is_due() {
    let rig = Rig::start("[backup]\ninterval_hours = 1").await;
    let made = eventually("the first one is made", || async {
        let page = rig.gateway.shown("backups").await;
        let page: Page<Backup> = serde_json::from_value(page).unwrap();
        page.data.into_iter().next()
    })
    .await;
    assert_eq!(made.reason, "scheduled");
}

#[tokio::test]
async fn a_backup_takes_as_many_steps_as_its_pages_need_with_a_pause_after_each() {
    const PAGES: u64 = 4;
    const PAUSE: Duration = Duration::from_millis(100);
    const PAGE_BYTES: u64 = 4096;
    let rig = Rig::start(&format!(
        "[backup]\npages_per_step = {PAGES}\nstep_interval_ms = {}",
        PAUSE.as_millis()
    ))
    .await;
    let begun = Instant::now();
    let made = make(&rig.gateway).await;
    let took = begun.elapsed();
    let ledger = made.files.iter().find(|file| file.name == "ferrogate.db");
    let pages = ledger.unwrap().size_bytes / PAGE_BYTES;
    let pauses = u32::try_from(pages.div_ceil(PAGES)).unwrap() - 1;
    assert!(pauses >= 3, "{pages} pages");
    assert!(took >= PAUSE * pauses, "{pages} pages in {took:?}");
}
