//! Backups as an operator makes them: while clients come and go, through the API and by the command, from a gateway that
//! runs and from the disk; what is restored adds up, and what was there is kept.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use ferrogate_api::{AuditReport, Backup, BackupReport, Page, RetentionJob};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{Ended, Rig, eventually, ferrogate};

const CLIENTS: u64 = 4;
const ANSWERS_MIN: u64 = 40;

/// A command that asks no gateway.
async fn on_disk(arguments: &[&str]) -> Ended {
    Ended::of(ferrogate(arguments), "").await
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_made_under_load_restores_into_a_ledger_that_adds_up() {
    let pace = "[backup]\npages_per_step = 4\nstep_interval_ms = 1\n";
    let rig = Arc::new(Rig::start(pace).await);
    let (answers, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (rig, answers, stop) = (Arc::clone(&rig), Arc::clone(&answers), Arc::clone(&stop));
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                rig.chat("sim: usage=random tokens=4\nhello")
                    .send()
                    .await
                    .expect(200);
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let enough = |count: u64| {
        let answers = Arc::clone(&answers);
        eventually("clients are answered", move || {
            let enough = answers.load(Ordering::Relaxed) >= count;
            std::future::ready(enough.then_some(()))
        })
    };
    enough(ANSWERS_MIN).await;
    let made = rig
        .gateway
        .command(&[
            "backup",
            "create",
            "--include-request-logs",
            "--reason",
            "before the fair",
            "-o",
            "json",
        ])
        .await;
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let made: Backup = serde_json::from_value(json_of(&made)).unwrap();
    enough(answers.load(Ordering::Relaxed) + 10).await;
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let rig = Arc::into_inner(rig).unwrap();

    assert!(
        made.rows["metering_events"] > 0 && made.rows["request_logs"] > 0,
        "{made:?}"
    );
    assert_eq!(made.reason, "before the fair");
    assert!(made.config_sha256.is_some());
    let listed: Page<Backup> = serde_json::from_value(rig.gateway.shown("backups").await).unwrap();
    assert_eq!(listed.data, std::slice::from_ref(&made));
    let path = format!("backups/{}/verify", made.name);
    let verified = rig.gateway.made("POST", &path, &json!({})).await;
    let report: BackupReport = serde_json::from_slice(&verified.body).unwrap();
    assert!(report.ok, "{report:#?}");
    let audited = rig.gateway.shown("audit-events?action=backup.create").await;
    assert_eq!(
        audited["data"][0]["target"],
        format!("backup:{}", made.name)
    );
    assert_eq!(
        rig.gateway
            .change("GET", "backups/nothing", &json!({}))
            .send()
            .await
            .status,
        404
    );

    let events = rig.gateway.metering_events().await.len();
    let data = rig.gateway.data_directory();
    let backups = data.join("backups");
    let running = on_disk(&["backup", "restore", &made.name, "--data-dir", text(&data)]).await;
    assert_eq!(running.code, Some(1));
    assert!(
        running
            .stderr
            .contains("another process has the data directory"),
        "{}",
        running.stderr
    );
    let stopped = rig.gateway.kill().await;

    let other = TempDir::new().unwrap();
    let to = other.path().join("data");
    let restored = on_disk(&[
        "backup",
        "restore",
        &made.name,
        "--dir",
        text(&backups),
        "--to",
        text(&to),
    ])
    .await;
    assert_eq!(
        restored.code,
        Some(0),
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    let ledger = on_disk(&["ledger", "verify", "--json", "--data-dir", text(&to)]).await;
    assert_eq!(ledger.code, Some(0), "{}", ledger.stdout);
    assert_eq!(
        json_of(&ledger)["metering_events"],
        made.rows["metering_events"]
    );

    // In its own place too: the newer ledger is moved away and not lost.
    let in_place = on_disk(&[
        "backup",
        "restore",
        &made.name,
        "--data-dir",
        text(&data),
        "-o",
        "json",
    ])
    .await;
    assert_eq!(
        in_place.code,
        Some(0),
        "{}{}",
        in_place.stdout,
        in_place.stderr
    );
    let aside = json_of(&in_place)["moved_to"].as_str().unwrap().to_owned();
    let old = on_disk(&["ledger", "verify", "--json", "--data-dir", &aside]).await;
    assert_eq!(old.code, Some(0), "{}", old.stdout);
    assert!(json_of(&old)["metering_events"].as_u64().unwrap() >= u64::try_from(events).unwrap());
    let gateway = stopped.restart().await;
    let events = u64::try_from(gateway.metering_events().await.len()).unwrap();
    assert!(
        (made.rows["metering_events"]..=made.rows["metering_events"] + CLIENTS).contains(&events)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_listed_pruned_and_made_without_a_gateway_too_and_damage_has_an_exit_code() {
    let rig = Rig::start("[backup]\nkeep = 2").await;
    rig.chat("hello").send().await.expect(200);
    for _ in 0..3 {
        rig.gateway
            .made("POST", "backups", &json!({"reason": "again"}))
            .await;
    }
    let data = rig.gateway.data_directory();
    let listed = on_disk(&["backup", "list", "--data-dir", text(&data), "-o", "json"]).await;
    let listed: Vec<Backup> = serde_json::from_value(json_of(&listed)).unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let unnamed = rig
        .gateway
        .change("POST", "backups:prune", &json!({"keep": 0}))
        .send()
        .await;
    assert_eq!(unnamed.status, 400);
    // Whose data it is, it is that gateway which is asked.
    let made = on_disk(&["backup", "create", "--data-dir", text(&data)]).await;
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    assert!(!made.stderr.contains("from the disk"), "{}", made.stderr);
    let _directory = rig.gateway.kill().await;

    let made = on_disk(&["backup", "create", "--offline", "--data-dir", text(&data)]).await;
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let pruned = on_disk(&[
        "backup",
        "prune",
        "--keep",
        "1",
        "--data-dir",
        text(&data),
        "-o",
        "json",
    ])
    .await;
    assert_eq!(json_of(&pruned)["deleted"].as_array().unwrap().len(), 2);
    let left = on_disk(&["backup", "list", "--data-dir", text(&data), "-o", "json"]).await;
    let left: Vec<Backup> = serde_json::from_value(json_of(&left)).unwrap();
    let whole = data.join("backups").join(&left[0].name);
    let sound = on_disk(&["backup", "verify", text(&whole)]).await;
    assert_eq!(sound.code, Some(0), "{}", sound.stdout);
    let mut bytes = fs::read(whole.join("ferrogate.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(whole.join("ferrogate.db"), bytes).unwrap();
    let damaged = on_disk(&["backup", "verify", text(&whole)]).await;
    assert_eq!(damaged.code, Some(1));
    assert!(
        damaged.stdout.contains("BAD  ferrogate.db: bytes"),
        "{}",
        damaged.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_kept_in_bounds_and_stays_whole_from_a_head_that_was_noted() {
    let config = "[storage]\naudit_event_retention_records = 4\nretention_interval_secs = 1";
    let rig = Rig::start(config).await;
    let verified = async |expect_head: Option<&str>| -> AuditReport {
        let body = json!({"expect_head": expect_head});
        let answer = rig.gateway.made("POST", "audit:verify", &body).await;
        serde_json::from_slice(&answer.body).unwrap()
    };
    for number in 0..10 {
        let tenant = json!({"kind": "organization", "id": format!("org-{number}")});
        rig.gateway.made("POST", "tenants", &tenant).await;
    }
    let noted = verified(None).await.head_hash.unwrap();
    let job = eventually("the oldest rows have left", || async {
        let page: Page<RetentionJob> =
            serde_json::from_value(rig.gateway.shown("retention").await).unwrap();
        let job = page.data.into_iter().find(|job| job.name == "audit_events");
        job.filter(|job| job.removed_total >= 6 && !job.running)
    })
    .await;
    assert_eq!(job.last_outcome.as_deref(), Some("ok"));
    let report = verified(Some(&noted)).await;
    assert!(
        report.ok && report.rows <= 4 && report.anchor_seq.is_some(),
        "{report:?}"
    );
    let wrong = rig
        .gateway
        .change("POST", "audit:verify", &json!({"expect_head": "abc"}));
    assert_eq!(wrong.send().await.status, 400);

    let data = rig.gateway.data_directory();
    let arguments = [
        "audit",
        "verify",
        "--data-dir",
        text(&data),
        "--expect-head",
        &*noted,
    ];
    let whole = on_disk(&arguments).await;
    assert_eq!(whole.code, Some(0), "{}{}", whole.stdout, whole.stderr);
    let other = "0".repeat(64);
    let unknown = on_disk(&[
        "audit",
        "verify",
        "--data-dir",
        text(&data),
        "--expect-head",
        &other,
    ])
    .await;
    assert_eq!(
        unknown.code,
        Some(1),
        "{}{}",
        unknown.stdout,
        unknown.stderr
    );
    let nowhere = on_disk(&["audit", "verify", "--data-dir", "/nowhere/at/all"]).await;
    assert_eq!(
        nowhere.code,
        Some(2),
        "{}{}",
        nowhere.stdout,
        nowhere.stderr
    );
}
