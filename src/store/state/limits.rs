//! How long state is kept, and how much of it.

use std::time::Duration;

use ferrogate_api::RetentionLimits;

use crate::clock::millis;
use crate::config::Storage;

/// Where nothing is kept on disk, a conversation can go on for this long, as far as memory reaches.
const MEMORY_ONLY: Duration = Duration::from_secs(3_600);

/// How long something is kept, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    pub(super) ms: i64,
    pub(super) on_disk: bool,
}

impl Lifetime {
    pub(super) fn of(retention: Duration) -> Self {
        let on_disk = !retention.is_zero();
        let kept = if on_disk { retention } else { MEMORY_ONLY };
        Self {
            ms: millis(kept),
            on_disk,
        }
    }

    pub(super) fn expires_at(self, since_unix_ms: i64) -> i64 {
        since_unix_ms.saturating_add(self.ms)
    }

    /// What is from this time or before is past its retention.
    pub(super) fn outdated_at(self, now_unix_ms: i64) -> i64 {
        now_unix_ms.saturating_sub(self.ms)
    }

    /// The same for rows: all of them, where none is to be on the disk.
    pub(super) fn rows_outdated_at(self, now_unix_ms: i64) -> i64 {
        if self.on_disk {
            self.outdated_at(now_unix_ms)
        } else {
            i64::MAX
        }
    }
}

/// What `[storage]` says of state.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) responses: Lifetime,
    pub(super) reasoning: Lifetime,
    pub(super) file_max_bytes: u64,
    pub(super) entry_max_bytes: usize,
}

impl Limits {
    pub(super) fn shown(&self) -> RetentionLimits {
        RetentionLimits {
            age_ms: u64::try_from(self.responses.ms).ok(),
            records: None,
            bytes: Some(self.file_max_bytes),
        }
    }

    pub(super) fn of(storage: &Storage) -> Self {
        Self {
            responses: Lifetime::of(storage.response_retention),
            reasoning: Lifetime::of(storage.reasoning_retention),
            file_max_bytes: storage.state_max_bytes,
            entry_max_bytes: storage.state_entry_max_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_and_its_row_are_past_their_retention_at_the_same_moment() {
        let check = |retention_secs: u64, rows_outdated_at: i64, expires_at: i64| {
            let lifetime = Lifetime::of(Duration::from_secs(retention_secs));
            assert_eq!(lifetime.rows_outdated_at(10_000), rows_outdated_at);
            assert_eq!(lifetime.expires_at(10_000), expires_at);
            assert_eq!(lifetime.outdated_at(lifetime.expires_at(10_000)), 10_000);
        };
        check(1, 9_000, 11_000);
        check(3_600, -3_590_000, 3_610_000);
        // Nothing is to be on the disk.
        check(0, i64::MAX, 3_610_000);
    }
}
