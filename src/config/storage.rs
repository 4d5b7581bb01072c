//! `[storage]`: the data directory and how hard it is written.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use super::reader::Section;

const BODY_DAYS: u32 = 7;

/// The embedded databases.
#[derive(Debug, Clone)]
pub struct Storage {
    /// `path`: the data directory; default systemd's `STATE_DIRECTORY`, else `./ferrogate-data`.
    pub path: PathBuf,
    /// `settle`: when a request counts as recorded; default `batched`.
    pub settle: Settle,
    /// `durability`: what a committed row survives; default `process-crash`.
    pub durability: Durability,
    /// `queue_max_records`: records that wait for the writer or belong to requests in flight; default 16384.
    pub queue_max_records: usize,
    /// `batch_max_records` of one transaction; default 1000.
    pub batch_max_records: usize,
    /// `batch_linger_ms`: how long a batch waits for more when nobody waits for it; default 20.
    pub batch_linger: Duration,
    /// `read_connections` of the pool that lists read from, and as many for `state.db`; default 4.
    pub read_connections: u32,
    /// `list_time_limit_ms`: a listing that takes longer answers with what it has and a cursor; default 1000.
    pub list_time_limit: Duration,
    /// `open_day_files_max`: day files kept open for reading; default 40, enough for a month and a few.
    pub open_day_files_max: usize,
    /// `traffic_series_max`: combinations of endpoint, key, tenants, model and provider that charts tell apart at a time;
    /// default 20000.
    pub traffic_series_max: usize,
    /// `facet_values_max`: the values of one field (keys, models, …) that one day's request logs tell apart; default 10000.
    pub facet_values_max: usize,
    /// `*_retention_*` of everything but `state.db`.
    pub retention: Retention,
    /// `response_retention_days`: how long a response can be fetched and gone on from; default 30. Zero keeps none on
    /// disk.
    pub response_retention: Duration,
    /// `reasoning_retention_hours`: how long reasoning state waits for the next turn; default 72. Zero keeps none on
    /// disk.
    pub reasoning_retention: Duration,
    /// `state_max_bytes` of `state.db`, above which the oldest rows leave; default 1 GiB.
    pub state_max_bytes: u64,
    /// `state_memory_max_bytes`: recent state, and what waits to be written; default 32 MiB.
    pub state_memory_max_bytes: usize,
    /// `state_entry_max_bytes`: a larger response or reasoning state is not kept; default 8 MiB.
    pub state_entry_max_bytes: usize,
}

/// How long what happened is kept. A number that is zero sets no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `retention_interval_secs`: how often it is looked for what must go; default 60.
    pub interval: Duration,
    /// `retention_slice_rows`: rows that are deleted in one transaction; default 500.
    pub slice_rows: usize,
    /// `request_log_retention_records`; default 0.
    pub request_log_records: u64,
    /// `request_log_retention_days`: whole UTC days before today; default 30.
    pub request_log_days: u32,
    /// `request_log_retention_max_bytes` of all day files together; default 0.
    pub request_log_max_bytes: u64,
    /// `body_retention_days` of what clients sent and were sent; default 7, and never over the log's.
    pub body_days: u32,
    /// `audit_event_retention_records`; default 0.
    pub audit_event_records: u64,
    /// `audit_event_retention_days`; default 0.
    pub audit_event_days: u32,
    /// `billing_event_retention_records`; default 0.
    pub billing_event_records: u64,
    /// `billing_event_retention_days`; default 0.
    pub billing_event_days: u32,
    /// `usage_rollup_minute_retention_days`; default 3.
    pub usage_rollup_minute_days: u32,
    /// `usage_rollup_hour_retention_days`; default 400.
    pub usage_rollup_hour_days: u32,
    /// `config_revision_retention_records`; default 1000.
    pub config_revision_records: u64,
}

/// When a request counts as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// With the next batch. A killed process loses at most that batch.
    Batched,
    /// Before the client gets the last byte: no answer that a client saw complete is ever missing.
    BeforeLastByte,
}

/// What a committed row survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The process being killed (`synchronous = NORMAL`).
    ProcessCrash,
    /// The machine losing power (`synchronous = FULL`), at one fsync a batch.
    PowerLoss,
}

/// `admin_list_default_limit` (default 100) and `admin_list_max_limit` (default 1000), which [`super::Admin`] carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListBounds {
    pub(super) default_limit: u32,
    pub(super) max_limit: u32,
}

impl Storage {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> (Self, ListBounds) {
        let queue_max_records = section.number("queue_max_records", 16_384, 64..=1 << 24);
        let batch_max_records = section
            .number_if_set("batch_max_records", 1..=100_000)
            .unwrap_or_else(|| queue_max_records.min(1000));
        let state_memory_max_bytes =
            section.number("state_memory_max_bytes", 32 << 20, 1 << 20..=1 << 40);
        let state_entry_max_bytes = section
            .number_if_set("state_entry_max_bytes", 1024..=1 << 28)
            .unwrap_or_else(|| state_memory_max_bytes.min(8 << 20));
        let days = section.number("response_retention_days", 30, 0..=3650);
        let hours = section.number("reasoning_retention_hours", 72, 0..=87_600);
        let storage = Self {
            path: read_path(section),
            settle: section.choice("settle", Settle::Batched, &Settle::WORDS),
            durability: section.choice("durability", Durability::ProcessCrash, &Durability::WORDS),
            queue_max_records,
            batch_max_records,
            batch_linger: section.millis("batch_linger_ms", 20, 1..=10_000),
            read_connections: section.number("read_connections", 4, 1..=64),
            list_time_limit: section.millis("list_time_limit_ms", 1000, 10..=60_000),
            open_day_files_max: section.number("open_day_files_max", 40, 1..=512),
            facet_values_max: section.number("facet_values_max", 10_000, 100..=1_000_000),
            retention: Retention::read(section),
            traffic_series_max: section.number("traffic_series_max", 20_000, 100..=1_000_000),
            response_retention: Duration::from_secs(days * 24 * 3600),
            reasoning_retention: Duration::from_secs(hours * 3600),
            state_max_bytes: section.number("state_max_bytes", 1 << 30, 1 << 20..=1 << 50),
            state_memory_max_bytes,
            state_entry_max_bytes,
        };
        if storage.batch_max_records > storage.queue_max_records {
            let place = section.place_of("batch_max_records");
            section.error(&place, "must not be over `queue_max_records`");
        }
        if storage.state_entry_max_bytes > storage.state_memory_max_bytes {
            let place = section.place_of("state_entry_max_bytes");
            section.error(&place, "must not be over `state_memory_max_bytes`");
        }
        (storage, ListBounds::read(section))
    }
}

impl Retention {
    const DAYS: RangeInclusive<u32> = 0..=36_500;
    const RECORDS: RangeInclusive<u64> = 0..=1 << 40;

    fn read(section: &mut Section<'_, '_>) -> Self {
        let request_log_days = section.number("request_log_retention_days", 30, Self::DAYS);
        Self {
            interval: section.seconds("retention_interval_secs", 60, 1..=86_400),
            slice_rows: section.number("retention_slice_rows", 500, 1..=10_000),
            request_log_records: section.number("request_log_retention_records", 0, Self::RECORDS),
            request_log_days,
            request_log_max_bytes: section.number(
                "request_log_retention_max_bytes",
                0,
                0..=1 << 50,
            ),
            body_days: Self::read_body_days(section, request_log_days),
            audit_event_records: section.number("audit_event_retention_records", 0, Self::RECORDS),
            audit_event_days: section.number("audit_event_retention_days", 0, Self::DAYS),
            billing_event_records: section.number(
                "billing_event_retention_records",
                0,
                Self::RECORDS,
            ),
            billing_event_days: section.number("billing_event_retention_days", 0, Self::DAYS),
            usage_rollup_minute_days: section.number(
                "usage_rollup_minute_retention_days",
                3,
                Self::DAYS,
            ),
            usage_rollup_hour_days: section.number(
                "usage_rollup_hour_retention_days",
                400,
                Self::DAYS,
            ),
            config_revision_records: section.number(
                "config_revision_retention_records",
                1000,
                Self::RECORDS,
            ),
        }
    }

    /// A body is in the file of its log, and goes with it at the latest.
    fn read_body_days(section: &mut Section<'_, '_>, log_days: u32) -> u32 {
        let default = match log_days {
            0 => BODY_DAYS,
            days => days.min(BODY_DAYS),
        };
        let days = section
            .number_if_set("body_retention_days", Self::DAYS)
            .unwrap_or(default);
        if log_days > 0 && days > log_days {
            let place = section.place_of("body_retention_days");
            section.error(&place, "must not be over `request_log_retention_days`");
        }
        days
    }
}

impl ListBounds {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let max_limit = section.number("admin_list_max_limit", 1000, 1..=10_000);
        let default_limit = section
            .number_if_set("admin_list_default_limit", 1..=10_000)
            .unwrap_or_else(|| max_limit.min(100));
        if default_limit > max_limit {
            let place = section.place_of("admin_list_default_limit");
            section.error(&place, "must not be over `admin_list_max_limit`");
        }
        Self {
            default_limit,
            max_limit,
        }
    }
}

impl Settle {
    const WORDS: [(&'static str, Self); 2] = [
        ("batched", Self::Batched),
        ("before-last-byte", Self::BeforeLastByte),
    ];
}

impl Durability {
    const WORDS: [(&'static str, Self); 2] = [
        ("process-crash", Self::ProcessCrash),
        ("power-loss", Self::PowerLoss),
    ];
}

/// systemd lists several state directories with colons between them; the first one is ours.
fn read_path(section: &mut Section<'_, '_>) -> PathBuf {
    let path = section.parsed("path", |text| match text {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    });
    path.unwrap_or_else(|| {
        let state = section.variable("STATE_DIRECTORY");
        let first = state.as_deref().and_then(|list| list.split(':').next());
        PathBuf::from(first.unwrap_or("./ferrogate-data"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigErrors, Loaded, parse};

    fn read(storage: &str) -> Result<Loaded, ConfigErrors> {
        let text = format!("[storage]\n{storage}");
        parse(&text, "test.toml", &|_| None)
    }

    #[test]
    fn an_entry_of_state_fits_into_its_memory() {
        let check = |text: &str, memory: usize, entry: usize| {
            let storage = read(text).unwrap().config.storage;
            let bounds = (
                storage.state_memory_max_bytes,
                storage.state_entry_max_bytes,
            );
            assert_eq!(bounds, (memory, entry), "{text}");
        };
        check("", 32 << 20, 8 << 20);
        check("state_memory_max_bytes = 2000000", 2_000_000, 2_000_000);
        check("state_entry_max_bytes = 33554432", 32 << 20, 32 << 20);
        let errors = read("state_entry_max_bytes = 33554433").unwrap_err();
        assert!(
            errors
                .to_string()
                .contains("must not be over `state_memory_max_bytes`"),
            "{errors}"
        );
    }

    #[test]
    fn bodies_go_with_their_log_at_the_latest() {
        let check = |text: &str, logs: u32, bodies: u32| {
            let retention = read(text).unwrap().config.storage.retention;
            let days = (retention.request_log_days, retention.body_days);
            assert_eq!(days, (logs, bodies), "{text}");
        };
        check("", 30, 7);
        check("request_log_retention_days = 3", 3, 3);
        check("request_log_retention_days = 0", 0, 7);
        check("body_retention_days = 30", 30, 30);
        check("body_retention_days = 0", 30, 0);
        check(
            "request_log_retention_days = 0\nbody_retention_days = 90",
            0,
            90,
        );
        let errors = read("body_retention_days = 31").unwrap_err().to_string();
        assert!(
            errors.contains("must not be over `request_log_retention_days`"),
            "{errors}"
        );
    }

    #[test]
    fn limits_of_records_are_read() {
        let text = "request_log_retention_records = 10000\naudit_event_retention_records = 20000\n\
                    billing_event_retention_records = 30000";
        let retention = read(text).unwrap().config.storage.retention;
        let records = [
            retention.request_log_records,
            retention.audit_event_records,
            retention.billing_event_records,
        ];
        assert_eq!(records, [10_000, 20_000, 30_000]);
        assert!(read("request_log_retention_records = -1").is_err());
    }

    #[test]
    fn a_retention_of_nothing_is_not_a_mistake() {
        let text = "response_retention_days = 0\nreasoning_retention_hours = 0";
        let storage = read(text).unwrap().config.storage;
        assert!(storage.response_retention.is_zero());
        assert!(storage.reasoning_retention.is_zero());
        assert!(read("response_retention_days = 3651").is_err());
        assert!(read("response_retention_days = -1").is_err());
    }
}
