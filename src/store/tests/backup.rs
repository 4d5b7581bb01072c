//! Backups: they finish under load and hold one moment, a killed one leaves nothing that looks like one, and what is
//! restored is what was there.

use std::os::unix::fs::PermissionsExt;

use ferrogate_api::Backup;

use super::{changes::audit, *};
use crate::config;
use crate::store::{
    BackupRequest, create_backup, list_backups, migrations::Schema, restore_backup, verify,
    verify_backup,
};
use crate::tasks::Tasks;

fn request(include_request_logs: bool) -> BackupRequest {
    BackupRequest {
        include_request_logs,
        reason: "a test".to_owned(),
        config_sha256: Some("ab".repeat(32)),
    }
}

/// Small steps, so that there are many.
fn in_small_steps(directory: &Path) -> config::Backup {
    config::Backup {
        pages_per_step: 2,
        step_interval: Duration::from_millis(1),
        ..config::Backup::of(directory)
    }
}

async fn fill(store: &Store, requests: i64) {
    for number in 0..requests {
        let id = id_at(NOON + number);
        let slot = store.reserve().await.unwrap();
        end(slot, log(id), vec![event(id)]);
    }
    store.audit(audit("tenant.update", "a")).await.unwrap();
    store.flush().await.unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_ends_while_the_same_thread_commits_and_holds_one_moment_of_it() {
    let directory = TempDir::new().unwrap();
    let data = directory.path();
    let clock = Clock::manual(NOON);
    let store = Store::open_with_backups(&storage(data), &in_small_steps(data), clock).unwrap();
    fill(&store, 3_000).await;
    let making = {
        let store = store.clone();
        Tasks::default().spawn("backup", async move { store.backup(request(true)).await })
    };
    let mut during = 0;
    while !making.is_finished() {
        let id = id_at(NOON + 10_000 + during);
        let mut slot = store.reserve().await.unwrap();
        commit(&mut slot, vec![event(id)]).await.unwrap();
        slot.finish(record(log(id)));
        during += 1;
    }
    let backup: Backup = making.await.unwrap().unwrap();
    assert!(during > 0, "nothing was committed beside it");
    assert_eq!(backup.name, "20260101T120000Z");
    assert_eq!(backup.rows["audit_events"], 1);
    let events = backup.rows["metering_events"];
    assert!((3_000..=3_000 + u64::try_from(during).unwrap()).contains(&events));
    assert!(backup.rows["request_logs"] >= 3_000);

    let whole = data.join("backups").join(&backup.name);
    let files = ["ferrogate.db", "manifest.json", "requests-2026-01-01.db"];
    assert_eq!(names(&whole), files);
    for (path, mode) in [
        (whole.clone(), 0o700),
        (whole.join(files[0]), 0o600),
        (whole.join(files[1]), 0o600),
    ] {
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
    let report = verify_backup(&whole).unwrap();
    assert!(report.ok, "{report:#?}");
    assert_eq!(names(&data.join("backups")), [&*backup.name]);
    // The first so many of all commits, with every sum that belongs to them.
    let moment = TempDir::new().unwrap();
    restore_backup(&whole, moment.path(), &Clock::manual(NOON)).unwrap();
    let ledger = verify(moment.path(), cost_of).unwrap();
    assert_eq!(
        (ledger.metering_events, ledger.differences),
        (events, vec![])
    );
    let copy = raw(&moment.path().join("ferrogate.db"));
    let later = i64::try_from(events).unwrap() - 3_000;
    let newest: Option<i64> = copy
        .query_row(
            "SELECT max(occurred_at_unix_ms) FROM metering_events",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let expected = if later == 0 {
        NOON + 2_999
    } else {
        NOON + 10_000 + later - 1
    };
    assert_eq!(newest, Some(expected));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backup_is_made_at_a_time_and_none_is_left_by_a_store_that_closes() {
    let directory = TempDir::new().unwrap();
    let data = directory.path();
    let slow = config::Backup {
        pages_per_step: 1,
        step_interval: Duration::from_millis(100),
        ..config::Backup::of(data)
    };
    let store = Store::open_with_backups(&storage(data), &slow, Clock::manual(NOON)).unwrap();
    fill(&store, 1_000).await;
    let first = {
        let store = store.clone();
        Tasks::default().spawn("backup", async move { store.backup(request(false)).await })
    };
    let partial = data.join("backups/20260101T120000Z.partial/ferrogate.db");
    for _ in 0..1_000_000 {
        if partial.exists() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let second = store.backup(request(false)).await;
    assert!(
        matches!(second, Err(StoreError::BackupRunning)),
        "{second:?}"
    );
    assert_eq!(store.backups().await.unwrap(), []);
    store.close().await.unwrap();
    let first = first.await.unwrap();
    assert!(matches!(first, Err(StoreError::Closed)), "{first:?}");
    assert_eq!(names(&data.join("backups")), [] as [&str; 0]);
}

#[tokio::test]
async fn what_a_killed_process_left_is_no_backup_and_goes_with_the_next_one() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fill(&store, 10).await;
    let backups = directory.path().join("backups");
    for left in ["20251231T120000Z.partial", ".trial-abc", "20251231T120000Z"] {
        fs::create_dir_all(backups.join(left)).unwrap();
        fs::write(backups.join(left).join("ferrogate.db"), "x").unwrap();
    }
    fs::write(backups.join("20251231T120000Z.partial/manifest.json"), "{}").unwrap();
    assert_eq!(store.backups().await.unwrap(), []);
    let first = store.backup(request(false)).await.unwrap();
    let second = store.backup(request(false)).await.unwrap();
    assert_eq!(second.name, format!("{}-2", first.name));
    // A folder without a manifest may be anybody's.
    assert_eq!(
        names(&backups),
        [
            "20251231T120000Z".to_owned(),
            first.name.clone(),
            second.name.clone()
        ]
    );
    let found = store.backups().await.unwrap();
    assert_eq!(found, [second, first.clone()]);
    assert!(!store.delete_backup("../backups".to_owned()).await.unwrap());
    assert!(store.delete_backup(first.name.clone()).await.unwrap());
    assert!(!store.delete_backup(first.name.clone()).await.unwrap());
    assert_eq!(store.find_backup(first.name).await.unwrap(), None);
    store.close().await.unwrap();
}

#[tokio::test]
async fn pruning_keeps_the_newest_and_the_way_back_before_a_migration() {
    let directory = TempDir::new().unwrap();
    let clock = Clock::manual(NOON);
    let store = Store::open(&storage(directory.path()), clock.clone()).unwrap();
    let is_due = async || {
        let interval = Duration::from_secs(2);
        store.backup_is_due(interval).await.unwrap()
    };
    assert!(is_due().await);
    for _ in 0..4 {
        store.backup(request(false)).await.unwrap();
        clock.advance_ms(1_000);
        assert!(!is_due().await);
    }
    clock.advance_ms(1_000);
    assert!(is_due().await);
    let backups = directory.path().join("backups");
    fs::rename(
        backups.join("20260101T120000Z"),
        backups.join("before-migration-V3-20260101T120000Z"),
    )
    .unwrap();
    let deleted = store.prune_backups(2).await.unwrap();
    assert_eq!(deleted, ["20260101T120001Z"]);
    let left = [
        "20260101T120002Z",
        "20260101T120003Z",
        "before-migration-V3-20260101T120000Z",
    ];
    assert_eq!(names(&backups), left);
    let elsewhere = directory.path().join("elsewhere");
    store.configure_backups(&config::Backup {
        path: elsewhere.clone(),
        ..config::Backup::of(directory.path())
    });
    let made = store.backup(request(false)).await.unwrap();
    assert_eq!(names(&elsewhere), [made.name]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn every_kind_of_damage_to_a_backup_is_found_and_keeps_it_from_being_restored() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fill(&store, 200).await;
    let backup = store.backup(request(true)).await.unwrap();
    store.close().await.unwrap();
    let whole = directory.path().join("backups").join(&backup.name);
    let check = |what: &str, damage: &dyn Fn(&Path)| {
        let place = TempDir::new().unwrap();
        let copy = place.path().join("b");
        fs::create_dir(&copy).unwrap();
        for name in names(&whole) {
            fs::copy(whole.join(&name), copy.join(&name)).unwrap();
        }
        damage(&copy);
        let report = verify_backup(&copy).unwrap();
        let wrong: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
        assert!(
            !report.ok && wrong.iter().any(|check| check.what.contains(what)),
            "{what}: {report:#?}"
        );
        let data = TempDir::new().unwrap();
        fs::write(data.path().join("ferrogate.db"), "what was there").unwrap();
        let refused = restore_backup(&copy, data.path(), &Clock::manual(NOON));
        assert!(
            matches!(refused, Err(StoreError::UnsoundBackup { .. })),
            "{refused:?}"
        );
        assert_eq!(names(data.path()), ["ferrogate.db", "ferrogate.lock"]);
        assert_eq!(names(place.path()), ["b"]);
    };
    /// Alters the copy and makes its manifest agree, as somebody would who knows how.
    fn rewrite(copy: &Path, sql: &str) {
        let path = copy.join("ferrogate.db");
        let connection = raw(&path);
        connection
            .execute_batch("PRAGMA journal_mode = DELETE")
            .unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0);
        drop(connection);
        use sha2::{Digest, Sha256};
        let bytes = fs::read(&path).unwrap();
        let sha256: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut manifest: Backup =
            serde_json::from_slice(&fs::read(copy.join("manifest.json")).unwrap()).unwrap();
        manifest.files[0].sha256 = sha256;
        manifest.files[0].size_bytes = u64::try_from(bytes.len()).unwrap();
        fs::write(
            copy.join("manifest.json"),
            serde_json::to_vec(&manifest).unwrap(),
        )
        .unwrap();
    }
    check("manifest", &|copy| {
        fs::write(copy.join("manifest.json"), "{").unwrap();
    });
    check("manifest", &|copy| {
        let text = fs::read_to_string(copy.join("manifest.json")).unwrap();
        fs::write(
            copy.join("manifest.json"),
            text.replace("\"format\": 1", "\"format\": 2"),
        )
        .unwrap();
    });
    check("ferrogate.db: bytes", &|copy| {
        fs::remove_file(copy.join("ferrogate.db")).unwrap();
    });
    check("ferrogate.db: bytes", &|copy| {
        let mut bytes = fs::read(copy.join("ferrogate.db")).unwrap();
        bytes[9_000] ^= 1;
        fs::write(copy.join("ferrogate.db"), bytes).unwrap();
    });
    check("requests-2026-01-01.db: bytes", &|copy| {
        fs::write(copy.join("requests-2026-01-01.db"), "").unwrap();
    });
    check("rows", &|copy| {
        rewrite(copy, "DELETE FROM metering_events WHERE attempt = 1");
    });
    check("audit log", &|copy| {
        rewrite(copy, "UPDATE audit_events SET actor = 'nobody'");
    });
    check("schema", &|copy| {
        rewrite(
            copy,
            "INSERT INTO refinery_schema_history VALUES (999, 'later', '', '')",
        );
    });
}

#[tokio::test]
async fn a_restore_moves_the_old_aside_and_what_it_brings_is_what_was_there() {
    let directory = TempDir::new().unwrap();
    let data = directory.path();
    let clock = Clock::manual(NOON);
    let store = open(&directory);
    fill(&store, 50).await;
    let backup = store.backup(request(true)).await.unwrap();
    let whole = data.join("backups").join(&backup.name);
    let in_use = restore_backup(&whole, data, &clock);
    assert!(
        matches!(in_use, Err(StoreError::InUse { .. })),
        "{in_use:?}"
    );
    fill(&store, 80).await;
    store.close().await.unwrap();
    drop(store);

    let restored = restore_backup(&whole, data, &clock).unwrap();
    assert_eq!(restored.moved, ["ferrogate.db", "requests-2026-01-01.db"]);
    let aside = restored.moved_to.unwrap();
    assert_eq!(
        aside.file_name().unwrap(),
        "before-restore-20260101T120000Z"
    );
    assert_eq!(names(&aside), restored.moved);
    assert!(
        !names(data).iter().any(|name| name.starts_with("restore")),
        "{:?}",
        names(data)
    );
    let report = verify(data, cost_of).unwrap();
    assert_eq!((report.metering_events, report.differences), (50, vec![]));
    assert_eq!(verify(&aside, cost_of).unwrap().metering_events, 130);
    let store = open(&directory);
    let page = store
        .request_logs(ferrogate_api::RequestLogQuery::default())
        .await
        .unwrap();
    assert_eq!(page.data.len(), 50);
    store.close().await.unwrap();
    drop(store);

    // Killed half-way: no gateway begins an empty ledger, and one more restore goes on.
    fs::write(data.join("restore-under-way"), "").unwrap();
    fs::remove_file(data.join("ferrogate.db")).unwrap();
    let refused = Store::open(&storage(data), clock.clone());
    assert!(matches!(
        refused,
        Err(StoreError::RestoreInterrupted { .. })
    ));
    restore_backup(&whole, data, &clock).unwrap();
    let store = open(&directory);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_nobody_has_open_is_copied_with_what_its_write_ahead_log_holds() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fill(&store, 40).await;
    let busy = create_backup(
        directory.path(),
        &directory.path().join("backups"),
        &request(true),
        &Clock::manual(NOON),
    );
    assert!(matches!(busy, Err(StoreError::InUse { .. })), "{busy:?}");
    let killed = as_if_killed(&directory);
    let before = names(killed.path());
    let to = TempDir::new().unwrap();
    let backup = create_backup(
        killed.path(),
        to.path(),
        &request(true),
        &Clock::manual(NOON),
    )
    .unwrap();
    assert_eq!(names(killed.path()), before);
    assert_eq!(
        (backup.rows["metering_events"], backup.rows["request_logs"]),
        (40, 40)
    );
    assert_eq!(
        list_backups(to.path()).unwrap(),
        std::slice::from_ref(&backup)
    );
    assert!(verify_backup(&to.path().join(&backup.name)).unwrap().ok);
    store.close().await.unwrap();
}

/// A ledger as an earlier version left it.
fn older(directory: &Path, version: i32) -> Connection {
    fs::create_dir_all(directory).unwrap();
    let mut connection = Connection::open_with_flags(
        directory.join("ferrogate.db"),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )
    .unwrap();
    let runner = Schema::Ledger.runner();
    runner
        .set_target(refinery::Target::Version(version))
        .run(&mut connection)
        .unwrap();
    connection
}

#[tokio::test]
async fn a_migration_backs_up_first_or_does_not_happen() {
    let directory = TempDir::new().unwrap();
    let data = directory.path();
    let connection = older(data, 2);
    connection
        .execute("INSERT INTO key_activity VALUES ('a', 1)", [])
        .unwrap();
    drop(connection);
    fs::write(data.join("backups"), "in the way").unwrap();
    let refused = Store::open(&storage(data), Clock::manual(NOON)).unwrap_err();
    assert!(
        matches!(refused, StoreError::BackupBeforeMigration { .. }),
        "{refused:?}"
    );
    let version = |path: &Path| -> i64 {
        raw(path)
            .query_row(
                "SELECT max(version) FROM refinery_schema_history",
                [],
                |row| row.get(0),
            )
            .unwrap()
    };
    assert_eq!(version(&data.join("ferrogate.db")), 2);

    fs::remove_file(data.join("backups")).unwrap();
    let store = Store::open(&storage(data), Clock::manual(NOON)).unwrap();
    let known = Schema::Ledger.known_version();
    let backups = store.backups().await.unwrap();
    let expected = format!("before-migration-V{known}-20260101T120000Z");
    assert_eq!(backups.len(), 1);
    assert_eq!(backups[0].name, expected);
    assert_eq!(backups[0].schemas["ferrogate"], 2);
    store.close().await.unwrap();
    drop(store);
    let whole = data.join("backups").join(&expected);
    assert!(
        verify_backup(&whole).unwrap().ok,
        "{:#?}",
        verify_backup(&whole)
    );
    // A start that has nothing to change makes none, and neither does a new directory.
    let store = Store::open(&storage(data), Clock::manual(NOON)).unwrap();
    assert_eq!(store.backups().await.unwrap().len(), 1);
    store.close().await.unwrap();
    let new = TempDir::new().unwrap();
    let store = open(&new);
    assert_eq!(store.backups().await.unwrap(), []);
    store.close().await.unwrap();
}
