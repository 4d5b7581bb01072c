//! A provider's circuit breaker.
//!
//! ```text
//!          failure_threshold failures in a row          the cooldown has passed
//! closed ─────────────────────────────────────▶ open ─────────────────────────▶ half-open
//!   ▲                                            ▲          (on the next attempt)   │  │
//!   │                                            └─────────── a probe failed ───────┘  │
//!   └───────────────────────────── a probe was answered ───────────────────────────────┘
//! ```
//! Half-open lets so many probes in at a time and no more. What an attempt says that was let in before the breaker
//! opened, or a probe of an earlier half-open time, is no news and moves nothing.

use super::HealthOptions;

/// When a request that found every probe's place taken may come back: a probe has an answer soon.
const PROBED_RETRY_MS: i64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    phase: Phase,
    consecutive_failures: u32,
    /// Counts the times it was half-open.
    epoch: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Closed,
    Open {
        at_unix_ms: i64,
    },
    HalfOpen {
        opened_at_unix_ms: i64,
        probing: u32,
    },
}

/// A place among the probes; worth something in its own half-open time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe(u64);

impl Breaker {
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures
    }

    /// Until when an attempt would not be let in; `None` when it would be now.
    pub(super) fn shut_until(&self, now_unix_ms: i64, options: HealthOptions) -> Option<i64> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open { at_unix_ms } => {
                let waited = now_unix_ms.saturating_sub(at_unix_ms);
                // A clock that was set back must not keep it open for longer than it was to be.
                (0..options.cooldown_ms)
                    .contains(&waited)
                    .then(|| at_unix_ms.saturating_add(options.cooldown_ms))
            }
            Phase::HalfOpen { probing, .. } => (probing >= options.half_open_max)
                .then(|| now_unix_ms.saturating_add(PROBED_RETRY_MS)),
        }
    }

    /// Lets an attempt in, as a probe where the breaker is not closed.
    ///
    /// # Errors
    /// Until when it is shut.
    pub(super) fn enter(
        &mut self,
        now_unix_ms: i64,
        options: HealthOptions,
    ) -> Result<Option<Probe>, i64> {
        if let Some(until) = self.shut_until(now_unix_ms, options) {
            return Err(until);
        }
        let (opened_at_unix_ms, probing) = match self.phase {
            Phase::Closed => return Ok(None),
            Phase::Open { at_unix_ms } => {
                self.epoch = self.epoch.wrapping_add(1);
                (at_unix_ms, 0)
            }
            Phase::HalfOpen {
                opened_at_unix_ms,
                probing,
            } => (opened_at_unix_ms, probing),
        };
        self.phase = Phase::HalfOpen {
            opened_at_unix_ms,
            probing: probing + 1,
        };
        Ok(Some(Probe(self.epoch)))
    }

    /// A probe's answer has begun: the provider is back.
    pub(super) fn answering(&mut self, probe: Probe) {
        if self.is_current(probe) {
            self.phase = Phase::Closed;
            self.consecutive_failures = 0;
        }
    }

    /// An attempt was answered whole.
    pub(super) fn succeeded(&mut self, probe: Option<Probe>) {
        match probe {
            Some(probe) => self.answering(probe),
            None if self.phase == Phase::Closed => self.consecutive_failures = 0,
            None => (),
        }
    }

    /// An attempt failed by the provider's fault.
    pub(super) fn failed(
        &mut self,
        probe: Option<Probe>,
        now_unix_ms: i64,
        options: HealthOptions,
    ) {
        let opens = match probe {
            Some(probe) if self.is_current(probe) => true,
            _ if self.phase == Phase::Closed => {
                let failures = self.consecutive_failures.saturating_add(1);
                options.failure_threshold > 0 && failures >= options.failure_threshold
            }
            _ => return,
        };
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        if opens {
            self.phase = Phase::Open {
                at_unix_ms: now_unix_ms,
            };
        }
    }

    /// A probe ended without having found out anything.
    pub(super) fn give_back(&mut self, probe: Probe) {
        if !self.is_current(probe) {
            return;
        }
        if let Phase::HalfOpen { probing, .. } = &mut self.phase {
            *probing = probing.saturating_sub(1);
        }
    }

    fn is_current(&self, probe: Probe) -> bool {
        probe.0 == self.epoch && matches!(self.phase, Phase::HalfOpen { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: HealthOptions = HealthOptions {
        failure_threshold: 3,
        cooldown_ms: 10_000,
        half_open_max: 2,
        credential_retry_ms: 0,
    };

    /// A breaker that opened at `at`.
    fn open(at: i64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            assert_eq!(breaker.enter(at, OPTIONS), Ok(None));
            breaker.failed(None, at, OPTIONS);
        }
        breaker
    }

    #[test]
    fn it_opens_at_the_threshold_and_only_failures_in_a_row_count() {
        let mut breaker = Breaker::default();
        for result in ["fail", "fail", "ok", "fail", "fail"] {
            match result {
                "ok" => breaker.succeeded(None),
                _ => breaker.failed(None, 0, OPTIONS),
            }
        }
        assert_eq!(breaker.phase(), Phase::Closed);
        assert_eq!(breaker.shut_until(0, OPTIONS), None);
        breaker.failed(None, 7, OPTIONS);
        assert_eq!(breaker.phase(), Phase::Open { at_unix_ms: 7 });
        assert_eq!(breaker.enter(7, OPTIONS), Err(10_007));
        assert_eq!(breaker.enter(10_006, OPTIONS), Err(10_007));
    }

    #[test]
    fn after_the_cooldown_only_so_many_probes_are_let_in_at_a_time() {
        let mut breaker = open(0);
        assert_eq!(breaker.shut_until(10_000, OPTIONS), None);
        let first = breaker.enter(10_000, OPTIONS).unwrap().unwrap();
        let second = breaker.enter(10_000, OPTIONS).unwrap().unwrap();
        assert_eq!(breaker.enter(10_000, OPTIONS), Err(11_000));
        breaker.give_back(first);
        assert!(breaker.enter(10_001, OPTIONS).unwrap().is_some());
        assert!(breaker.enter(10_001, OPTIONS).is_err());
        breaker.answering(second);
        assert_eq!(breaker.phase(), Phase::Closed);
        assert_eq!(breaker.consecutive_failures(), 0);
        assert_eq!(breaker.enter(10_002, OPTIONS), Ok(None));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_for_a_whole_cooldown() {
        let mut breaker = open(0);
        let probe = breaker.enter(15_000, OPTIONS).unwrap();
        breaker.failed(probe, 15_500, OPTIONS);
        assert_eq!(breaker.phase(), Phase::Open { at_unix_ms: 15_500 });
        assert_eq!(breaker.enter(25_499, OPTIONS), Err(25_500));
        assert!(breaker.enter(25_500, OPTIONS).unwrap().is_some());
        assert_eq!(breaker.consecutive_failures(), 4);
    }

    #[test]
    fn old_news_moves_nothing() {
        // Let in while it was closed, heard of when it is open or half-open.
        let mut breaker = open(0);
        breaker.succeeded(None);
        breaker.failed(None, 5_000, OPTIONS);
        assert_eq!(breaker.phase(), Phase::Open { at_unix_ms: 0 });
        // A probe of an earlier half-open time.
        let old = breaker.enter(10_000, OPTIONS).unwrap().unwrap();
        let other = breaker.enter(10_000, OPTIONS).unwrap();
        breaker.failed(other, 10_000, OPTIONS);
        let current = breaker.enter(20_000, OPTIONS).unwrap().unwrap();
        breaker.answering(old);
        breaker.give_back(old);
        breaker.failed(Some(old), 20_000, OPTIONS);
        let half_open = Phase::HalfOpen {
            opened_at_unix_ms: 10_000,
            probing: 1,
        };
        assert_eq!(breaker.phase(), half_open);
        breaker.give_back(current);
        breaker.give_back(current);
        assert!(matches!(
            breaker.phase(),
            Phase::HalfOpen { probing: 0, .. }
        ));
    }

    #[test]
    fn a_threshold_of_nothing_switches_it_off() {
        let off = HealthOptions {
            failure_threshold: 0,
            ..OPTIONS
        };
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed(None, 0, off);
        }
        assert_eq!(breaker.enter(0, off), Ok(None));
        assert_eq!(breaker.consecutive_failures(), 100);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let mut breaker = open(1_000_000);
        assert!(breaker.enter(1_009_999, OPTIONS).is_err());
        assert!(breaker.enter(500_000, OPTIONS).unwrap().is_some());
    }
}
