//! What a verification found.

use std::fmt;

use ferrogate_api::Tokens;
use jiff::Timestamp;
use serde::Serialize;

/// How many differences are told one by one; all are counted.
const DIFFERENCES_LISTED: usize = 1_000;

/// What the ledger holds, and where it does not add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LedgerReport {
    /// This and the next: how many rows were reckoned.
    pub metering_events: u64,
    pub usage_rollups: u64,
    pub balances: u64,
    pub price_versions: u64,
    pub adjustments: u64,
    pub audit_events: u64,
    /// Events from before this time have left, or may leave: what they cost is in closings, and sums of windows that
    /// begin before it cannot be reckoned any more. Absent where none has left.
    pub kept_from_unix_ms: Option<i64>,
    /// The sums over all metering events.
    pub tokens: Tokens,
    /// With the corrections, in nano-units (10⁻⁹).
    pub cost_nanos: i64,
    pub cache_hits: u64,
    pub saved_nanos: i64,
    /// Events with a cost and no price beside it, as they were written before prices were kept: only their sums are
    /// verified.
    pub without_price_version: u64,
    /// Requests in flight, or orphans that the next start will charge. No difference.
    pub open_holds: OpenHolds,
    /// How many differences there are.
    pub differences_found: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// What requests in flight may still use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OpenHolds {
    pub requests: u64,
    pub tokens: u64,
    pub cost_nanos: i64,
}

/// One value that is not what the rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Table, row and column.
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl LedgerReport {
    /// Whether everything adds up.
    pub fn is_clean(&self) -> bool {
        self.differences_found == 0
    }

    pub(super) fn differ(
        &mut self,
        what: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.differences_found += 1;
        if self.differences.len() < DIFFERENCES_LISTED {
            self.differences.push(Difference {
                what: what.into(),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
}

/// A time for people; one that no calendar has as its milliseconds.
pub(super) fn time(unix_ms: i64) -> String {
    match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => time.to_string(),
        Err(_) => unix_ms.to_string(),
    }
}

/// An amount that may be absent.
pub(super) fn optional(amount: Option<i64>) -> String {
    amount.map_or_else(|| "none".to_owned(), |amount| amount.to_string())
}
