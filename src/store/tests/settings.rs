//! Settings of `[storage]` that nothing outside the store can see: how the disk is written, and how much is open at a
//! time.

use std::collections::BTreeSet;

use futures_util::poll;

use super::*;
use crate::store::{
    connection::open_writer, day_writer::DayWriter, days::DayFiles, migrations::Schema,
};

#[test]
fn what_a_commit_survives_is_as_it_is_told() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ferrogate.db");
    let check = |durability, expected: i64| {
        let connection = open_writer(&path, Schema::Ledger, durability).unwrap();
        let synchronous: i64 = connection
            .query_row("PRAGMA synchronous", [], |row| row.get(0))
            .unwrap();
        assert_eq!(synchronous, expected, "{durability:?}");
    };
    // NORMAL and FULL, in SQLite's own numbers.
    check(Durability::ProcessCrash, 1);
    check(Durability::PowerLoss, 2);
}

#[tokio::test]
async fn so_many_lists_are_read_at_a_time_and_no_more() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.read_connections = 2;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    let (begun, begins) = std::sync::mpsc::channel();
    let mut ends = Vec::new();
    let mut reads = Vec::new();
    for number in 0..3 {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let begun = begun.clone();
        ends.push(end);
        reads.push(Box::pin(store.read(move |_| {
            begun.send(number).unwrap();
            // An error says that it is to end.
            assert!(ended.recv().is_err());
            Ok(number)
        })));
    }
    for read in &mut reads {
        assert!(poll!(read.as_mut()).is_pending());
    }
    let mut running = [begins.recv().unwrap(), begins.recv().unwrap()];
    running.sort_unstable();
    assert_eq!(running, [0, 1]);
    assert_eq!(store.0.readers.turns.available_permits(), 0);
    let mut third = reads.pop().unwrap();
    assert!(poll!(third.as_mut()).is_pending());
    drop(ends.remove(0));
    assert_eq!(reads.remove(0).await.unwrap(), 0);
    // Its turn is the third's.
    assert!(poll!(third.as_mut()).is_pending());
    assert_eq!(begins.recv().unwrap(), 2);
    drop(ends);
    assert_eq!(third.await.unwrap(), 2);
    assert_eq!(reads.remove(0).await.unwrap(), 1);
}

/// The day files that this process has open.
fn open_days(directory: &Path) -> BTreeSet<String> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let files = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    files
        .filter(|file| file.starts_with(directory))
        .filter_map(|file| file.file_name()?.to_str().map(str::to_owned))
        .filter(|name| name.ends_with(".db"))
        .collect()
}

#[test]
fn so_many_days_stay_open_for_reading_and_no_more() {
    let check = |open_max: usize, expected: usize| {
        let directory = TempDir::new().unwrap();
        let mut storage = storage(directory.path());
        storage.open_day_files_max = open_max;
        let files = Arc::new(DayFiles::open(&storage).unwrap());
        let mut writer = DayWriter::new(Arc::clone(&files));
        for day in 0..3 {
            let log = log(id_at(NOON + day * DAY_MS));
            assert_eq!(writer.write(&[record(log)]), 0);
        }
        writer.finish();
        drop(writer);
        assert_eq!(open_days(directory.path()).len(), 0);
        for day in files.oldest_first() {
            let rows: i64 = files
                .read(day, |connection| {
                    connection.query_row("SELECT count(*) FROM request_logs", [], |row| row.get(0))
                })
                .unwrap();
            assert_eq!(rows, 1);
        }
        assert_eq!(open_days(directory.path()).len(), expected, "{open_max}");
    };
    check(0, 0);
    check(1, 1);
    check(2, 2);
    check(9, 3);
}
