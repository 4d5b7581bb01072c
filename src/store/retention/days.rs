//! Which request logs leave, and when the bodies beside them do: by age, by what they take on the disk, by number.
//!
//! 1. Whole days leave as files. A day is dropped when all of it is too old, or when what is left without it is still as
//!    much as may be kept. Today's file stays.
//! 2. What is too much beyond that is deleted from the oldest day, oldest rows first, a slice at a time, to exactly the
//!    number that may be kept.
//! 3. Bodies leave before their logs do: a day of them at a time, in slices, and what they took is given back.

use std::collections::{BTreeMap, BTreeSet};

use super::{free_pages, outcome::StepOutcome};
use crate::config::Retention;
use crate::store::{
    StoreError, columns,
    day_writer::DayWriter,
    days::Day,
    facets::{self, Rows},
    request_bodies,
};

/// What may be kept; a number that is zero sets no limit.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct DayLimits {
    pub(in crate::store) days: u32,
    pub(in crate::store) records: u64,
    pub(in crate::store) max_bytes: u64,
    pub(in crate::store) body_days: u32,
    /// Rows that one slice deletes.
    pub(in crate::store) slice_rows: usize,
}

impl DayLimits {
    pub(in crate::store) fn of(retention: &Retention) -> Self {
        Self {
            days: retention.request_log_days,
            records: retention.request_log_records,
            max_bytes: retention.request_log_max_bytes,
            body_days: retention.body_days,
            slice_rows: retention.slice_rows,
        }
    }
}

/// The request logs' job. What it remembers is only there to be quick.
#[derive(Debug, Default)]
pub(in crate::store) struct LogRetention {
    /// Rows of days whose file is closed, and the version of their facets.
    rows: BTreeMap<Day, (u64, u64)>,
    /// A day of which rows were deleted, while there is room to be given back.
    loose: Option<Day>,
}

impl LogRetention {
    /// Does one slice of what there is to do.
    ///
    /// # Errors
    /// When a file cannot be removed or written.
    pub(in crate::store) fn step(
        &mut self,
        days: &mut DayWriter,
        now_unix_ms: i64,
        limits: &DayLimits,
    ) -> Result<StepOutcome, StoreError> {
        let all = days.files().oldest_first();
        self.rows.retain(|day, _| all.contains(day));
        let Some(oldest) = all.first().copied() else {
            return Ok(StepOutcome::last(0));
        };
        let is_alone = all.len() == 1;
        let first_kept = Day::of(now_unix_ms).earlier(limits.days);
        if limits.days > 0 && oldest < first_kept {
            return self.drop_day(days, oldest);
        }
        if limits.max_bytes > 0 && over_size(days, &all, limits.max_bytes)? {
            if is_alone {
                return self.delete_oldest(days, oldest, limits.slice_rows);
            }
            return self.drop_day(days, oldest);
        }
        let surplus = self.surplus(days, &all, limits.records);
        if surplus > 0 {
            if !is_alone
                && self
                    .rows_of(days, oldest)
                    .is_some_and(|rows| rows <= surplus)
            {
                return self.drop_day(days, oldest);
            }
            let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
            return self.delete_oldest(days, oldest, surplus.min(limits.slice_rows));
        }
        self.give_back(days)
    }

    /// How many rows there are too many; none as long as they are not counted.
    fn surplus(&mut self, days: &DayWriter, all: &[Day], records_max: u64) -> u64 {
        if records_max == 0 {
            return 0;
        }
        let rows = all.iter().map(|day| self.rows_of(days, *day));
        let total: Option<u64> = rows.sum();
        total.map_or(0, |total| total.saturating_sub(records_max))
    }

    /// `None` while they are being counted.
    fn rows_of(&mut self, days: &DayWriter, day: Day) -> Option<u64> {
        let version = match days.files().facets.rows(day) {
            Rows::Are(rows) => return Some(rows),
            Rows::InFile(version) => version,
            Rows::NotYet => return None,
            // A damaged day must not keep all others for ever.
            Rows::NotSoon => return Some(0),
        };
        if let Some((of_version, rows)) = self.rows.get(&day)
            && *of_version == version
        {
            return Some(*rows);
        }
        let rows = match days.files().read(day, facets::saved_rows) {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%day, error = ?error, "the rows of a day of request logs cannot be counted");
                0
            }
        };
        self.rows.insert(day, (version, rows));
        Some(rows)
    }

    fn drop_day(&mut self, days: &mut DayWriter, day: Day) -> Result<StepOutcome, StoreError> {
        // A day that cannot be counted is dropped all the same.
        let rows = self.rows_of(days, day).unwrap_or_default();
        days.drop_day(day)?;
        tracing::info!(%day, rows, "a day of request logs was dropped");
        Ok(StepOutcome::more(rows))
    }

    fn delete_oldest(
        &mut self,
        days: &mut DayWriter,
        day: Day,
        limit: usize,
    ) -> Result<StepOutcome, StoreError> {
        // Of a day that is not counted no row can be taken off.
        if self.rows_of(days, day).is_none_or(|rows| rows == 0) {
            return Ok(StepOutcome::last(0));
        }
        let rows = days.remove_oldest(day, limit)?;
        self.loose = Some(day);
        Ok(StepOutcome::more(rows))
    }

    /// Today's free pages are used again; those of a day that is over never would be.
    fn give_back(&mut self, days: &mut DayWriter) -> Result<StepOutcome, StoreError> {
        let Some(day) = self.loose.filter(|day| days.files().has(*day)) else {
            return Ok(StepOutcome::last(0));
        };
        let connection = days.connection(day)?;
        if free_pages::give_back(connection).map_err(failed)? {
            return Ok(StepOutcome::more(0));
        }
        self.loose = None;
        Ok(StepOutcome::last(0))
    }
}

/// Whether the files take more than they may: the last of them by what is used of it, because it uses again what is free.
fn over_size(days: &mut DayWriter, all: &[Day], max_bytes: u64) -> Result<bool, StoreError> {
    let Some((newest, others)) = all.split_last() else {
        return Ok(false);
    };
    let files = days.files();
    let bytes = others
        .iter()
        .fold(0_u64, |sum, day| sum.saturating_add(files.size_bytes(*day)));
    let of_newest = match files.read(*newest, free_pages::used_bytes) {
        Ok(bytes) => bytes,
        Err(_) => files.size_bytes(*newest),
    };
    Ok(bytes.saturating_add(of_newest) > max_bytes)
}

/// The bodies' job.
#[derive(Debug, Default)]
pub(in crate::store) struct BodyRetention {
    /// Days without bodies to which none will come any more.
    without: BTreeSet<Day>,
    /// A day whose bodies are deleted, while there is room to be given back.
    loose: Option<Day>,
}

impl BodyRetention {
    /// Does one slice of what there is to do.
    ///
    /// # Errors
    /// When a day cannot be written.
    pub(in crate::store) fn step(
        &mut self,
        days: &mut DayWriter,
        now_unix_ms: i64,
        limits: &DayLimits,
    ) -> Result<StepOutcome, StoreError> {
        let all = days.files().oldest_first();
        self.without.retain(|day| all.contains(day));
        if let Some(day) = self.loose.filter(|day| all.contains(day)) {
            let connection = days.connection(day)?;
            if free_pages::give_back(connection).map_err(failed)? {
                return Ok(StepOutcome::more(0));
            }
            self.loose = None;
        }
        if limits.body_days == 0 {
            return Ok(StepOutcome::last(0));
        }
        let first_kept = Day::of(now_unix_ms).earlier(limits.body_days);
        for day in all.into_iter().take_while(|day| *day < first_kept) {
            if self.without.contains(&day) {
                continue;
            }
            let exist = days.files().read(day, request_bodies::exist);
            if let Err(error) = &exist {
                tracing::warn!(%day, error = ?error, "the bodies of a day cannot be read and stay with it");
            }
            if !exist.unwrap_or_default() {
                self.without.insert(day);
                continue;
            }
            let (removed, is_last) =
                request_bodies::remove(days.connection(day)?).map_err(failed)?;
            if is_last {
                self.loose = Some(day);
            }
            return Ok(StepOutcome::more(columns::length(removed)));
        }
        Ok(StepOutcome::last(0))
    }
}

fn failed(source: rusqlite::Error) -> StoreError {
    StoreError::Commit(std::sync::Arc::new(source))
}
