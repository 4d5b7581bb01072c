//! Fills a data directory with request logs of the past, and drops a day of them, for who measures what that costs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::RequestLog;

use super::{
    StoreError,
    connection::Checkpoint,
    day_writer::DayWriter,
    days::{DAY_MS, DayFiles},
    lock::DirectoryLock,
    retention::days::{DayLimits, LogRetention},
    slot::Record,
};
use crate::config::Storage;

/// Rows of one transaction.
const BATCH: usize = 5_000;

/// Writes logs into the files of their days, as the writer of a gateway does; gives how many were written. They come day
/// by day, oldest first.
///
/// # Errors
/// When another process has the directory open, or the disk fails.
pub fn fill_request_logs(
    storage: &Storage,
    logs: impl IntoIterator<Item = RequestLog>,
) -> Result<u64, StoreError> {
    let _lock = DirectoryLock::acquire(&storage.path)?;
    let mut writer = DayWriter::new(Arc::new(DayFiles::open(storage)?));
    let mut written = 0;
    let mut logs = logs.into_iter();
    loop {
        let batch: Vec<_> = logs
            .by_ref()
            .take(BATCH)
            .map(|log| Record {
                log: Some(Box::new(log)),
                ..Record::default()
            })
            .collect();
        if batch.is_empty() {
            break;
        }
        let dropped = writer.write(&batch);
        written += super::columns::length(batch.len()).saturating_sub(dropped);
        writer.work();
        writer.checkpoint(Checkpoint::Passive);
    }
    writer.finish();
    Ok(written)
}

/// Drops the oldest day of request logs as retention does when its time has come; gives how many rows that were, and how
/// long it took.
///
/// # Errors
/// When another process has the directory open, there is no day, or its files cannot be removed.
pub fn drop_oldest_request_logs(storage: &Storage) -> Result<(u64, Duration), StoreError> {
    let _lock = DirectoryLock::acquire(&storage.path)?;
    let files = Arc::new(DayFiles::open(storage)?);
    let oldest = files.oldest_first().first().copied();
    let mut writer = DayWriter::new(files);
    let limits = DayLimits {
        days: 1,
        ..DayLimits::of(&storage.retention)
    };
    let two_days_later = oldest.map_or(0, |day| day.end_unix_ms() + DAY_MS);
    let begun = Instant::now();
    let outcome = LogRetention::default().step(&mut writer, two_days_later, &limits)?;
    Ok((outcome.removed, begun.elapsed()))
}
