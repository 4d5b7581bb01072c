//! What became known of a provider, for those who want to hear of it at once: its breaker moved, or one of its
//! credentials was left aside or taken again.

use std::{fmt, sync::Arc};

use ferrogate_api::{BreakerChanged, BreakerState, CredentialChanged, CredentialState};

use super::breaker::Phase;
use crate::clock::Clock;
use crate::live::Live;

/// What became known of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthChange {
    Breaker {
        provider: Arc<str>,
        from: BreakerState,
        to: BreakerState,
        consecutive_failures: u32,
    },
    Credential {
        provider: Arc<str>,
        /// Its place in the file, from 1.
        index: u32,
        state: CredentialState,
        until_unix_ms: Option<i64>,
    },
}

/// Who hears of changes. It is called after the lock is released, by the attempt that showed them: it must not wait.
#[derive(Clone)]
pub struct HealthSink(Arc<dyn Fn(HealthChange) + Send + Sync>);

impl HealthSink {
    pub fn new(sink: impl Fn(HealthChange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Tells the live feed.
    pub fn live(live: &Live, clock: &Clock) -> Self {
        let (live, clock) = (live.clone(), clock.clone());
        Self::new(move |change| {
            let at_unix_ms = clock.unix_ms();
            match change {
                HealthChange::Breaker {
                    provider,
                    from,
                    to,
                    consecutive_failures,
                } => live.breaker_changed(BreakerChanged {
                    at_unix_ms,
                    provider,
                    from,
                    to,
                    consecutive_failures,
                }),
                HealthChange::Credential {
                    provider,
                    index,
                    state,
                    until_unix_ms,
                } => live.credential_changed(CredentialChanged {
                    at_unix_ms,
                    provider,
                    index,
                    state,
                    until_unix_ms,
                }),
            }
        })
    }

    pub(super) fn tell(&self, change: HealthChange) {
        (self.0)(change);
    }
}

impl fmt::Debug for HealthSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HealthSink")
    }
}

/// Where a breaker stood before something was said of its provider, and where it stands now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) from: Phase,
    pub(super) to: Phase,
    pub(super) consecutive_failures: u32,
}

impl Moved {
    /// `None` where it stands as it stood: another probe is no change.
    pub(super) fn change(self, provider: &Arc<str>) -> Option<HealthChange> {
        let (from, to) = (state_of(self.from), state_of(self.to));
        (from != to).then(|| HealthChange::Breaker {
            provider: Arc::clone(provider),
            from,
            to,
            consecutive_failures: self.consecutive_failures,
        })
    }
}

fn state_of(phase: Phase) -> BreakerState {
    match phase {
        Phase::Closed => BreakerState::Closed,
        Phase::Open { .. } => BreakerState::Open,
        Phase::HalfOpen { .. } => BreakerState::HalfOpen,
    }
}
