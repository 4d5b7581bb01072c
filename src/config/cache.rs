//! `[cache]`: answers that are given again.

use std::time::Duration;

use super::reader::Section;

/// The cache of whole answers to equal requests.
#[derive(Debug, Clone)]
pub struct Cache {
    /// `enabled`; default false. Models, keys and profiles can only opt out.
    pub enabled: bool,
    /// `ttl_secs`: how long an answer is given again; default 300.
    pub ttl: Duration,
    /// `max_records`; default 1000.
    pub max_records: u64,
    /// `max_bytes` of all of them together; default 64 MiB.
    pub max_bytes: u64,
    /// `max_entry_bytes`: a larger answer is not kept; default 1 MiB.
    pub max_entry_bytes: u64,
    /// `scope`: who shares an answer; default `key`.
    pub scope: CacheScope,
    /// `persist`: also on disk, so that it outlives the process; default false.
    pub persist: bool,
    /// `single_flight_wait_ms`: how long a request waits for an equal one that is on its way already, before it asks
    /// by itself; default 10000. Zero: not at all.
    pub single_flight_wait: Duration,
}

/// Who shares cached answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheScope {
    /// Requests with the same key.
    Key,
    /// Keys of the same project. A key without a project shares with nobody.
    Project,
    /// Keys of the same organization. A key without one shares with nobody.
    Organization,
    /// All keys.
    Global,
}

impl Cache {
    pub(super) const LATER: &'static [&'static str] = &[];

    /// A profile's `cache_ttl_secs` has the same range.
    pub(super) const TTL_SECS: std::ops::RangeInclusive<u64> = 1..=31_536_000;

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        // There is one way to be equal. The key is there for the next one.
        section.choice("mode", (), &[("exact_match", ())]);
        let max_bytes = section.number("max_bytes", 64 << 20, 1 << 16..=1 << 40);
        let max_entry_bytes = section
            .number_if_set("max_entry_bytes", 1024..=1 << 30)
            .unwrap_or_else(|| max_bytes.min(1 << 20));
        if max_entry_bytes > max_bytes {
            let place = section.place_of("max_entry_bytes");
            section.error(&place, "must not be over `max_bytes`");
        }
        Self {
            enabled: section.flag("enabled", false),
            ttl: section.seconds("ttl_secs", 300, Self::TTL_SECS),
            max_records: section.number("max_records", 1000, 1..=100_000_000),
            max_bytes,
            max_entry_bytes,
            scope: section.choice("scope", CacheScope::Key, &CacheScope::WORDS),
            persist: section.flag("persist", false),
            single_flight_wait: section.millis("single_flight_wait_ms", 10_000, 0..=600_000),
        }
    }
}

impl CacheScope {
    const WORDS: [(&'static str, Self); 4] = [
        ("key", Self::Key),
        ("project", Self::Project),
        ("organization", Self::Organization),
        ("global", Self::Global),
    ];
}
