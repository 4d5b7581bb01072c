//! What each job may keep.

use ferrogate_api::RetentionLimits;

use crate::config::Retention;
use crate::store::usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS};

/// How much of one kind of row stays. Without a bound everything does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) age_ms: Option<i64>,
    pub(super) records: Option<u64>,
}

impl Keep {
    fn of(days: u32, records: u64) -> Self {
        Self {
            age_ms: (days > 0).then(|| i64::from(days) * DAY_MS),
            records: (records > 0).then_some(records),
        }
    }

    pub(super) fn request_logs(limits: &Retention) -> Self {
        Self::of(limits.request_log_days, limits.request_log_records)
    }

    pub(super) fn request_bodies(limits: &Retention) -> Self {
        Self::of(limits.body_days, 0)
    }

    pub(super) fn metering_events(limits: &Retention) -> Self {
        Self::of(limits.billing_event_days, limits.billing_event_records)
    }

    pub(super) fn audit_events(limits: &Retention) -> Self {
        Self::of(limits.audit_event_days, limits.audit_event_records)
    }

    pub(super) fn config_revisions(limits: &Retention) -> Self {
        Self::of(0, limits.config_revision_records)
    }

    /// Of rollups with this span. Whole days stay for ever: they are few, and tell how it was.
    pub(super) fn rollups(limits: &Retention, span_ms: i64) -> Self {
        if span_ms <= MINUTE_MS {
            Self::of(limits.usage_rollup_minute_days, 0)
        } else if span_ms <= HOUR_MS {
            Self::of(limits.usage_rollup_hour_days, 0)
        } else {
            Self::default()
        }
    }

    pub(super) fn is_unbounded(self) -> bool {
        self == Self::default()
    }

    /// From when on everything stays, by age alone.
    pub(super) fn oldest_unix_ms(self, now_unix_ms: i64) -> Option<i64> {
        self.age_ms.map(|age_ms| now_unix_ms.saturating_sub(age_ms))
    }

    pub(super) fn limits(self) -> RetentionLimits {
        RetentionLimits {
            age_ms: self.age_ms.and_then(|age_ms| u64::try_from(age_ms).ok()),
            records: self.records,
            bytes: None,
        }
    }
}
