//! Where one rule stands, and what follows from another look at its figure. No clock and no IO of its own.
//!
//! ```text
//!        holds                 held for `for_secs`
//!   ok ────────▶ pending ──────────────────────────▶ firing ──┐ holds: told again after `repeat_interval_secs`
//!   ▲ ▲            │ does not hold                    │   ▲────┘
//!   │ └────────────┘                                  │ does not hold, twice in a row
//!   └─────────────────────────────────────────────────┘
//! ```
//!
//! 1. With `for_secs = 0` a rule goes from ok to firing at once.
//! 2. A figure that cannot be measured does not hold: no requests, no error rate.
//! 3. Who has taken an alert on silences it until it was resolved, or for as long as they said. Whoever was told that it
//!    fires is told that it was resolved all the same, so that nothing stays open elsewhere; who was not is not.

use std::{sync::Arc, time::Duration};

use ferrogate_api::{AlertAcknowledgement, AlertDelivery, AlertState};
use serde_json::Number;

use crate::clock::millis;
use crate::config::{Alert, Quantity};

/// How a rule stands, as it is told. All of it is this node's own, and begins anew when the gateway starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertStatus {
    pub state: AlertState,
    /// When it came into this state; `None` before the first evaluation.
    pub since_unix_ms: Option<i64>,
    /// What the figure was at the last evaluation, where there was something to measure.
    pub value: Option<Number>,
    pub evaluated_at_unix_ms: Option<i64>,
    /// Who has taken it on, while it is silenced by that.
    pub acknowledged: Option<AlertAcknowledgement>,
    pub last_delivery: Option<AlertDelivery>,
}

/// One look at the figure of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// What it is; nothing where there is nothing to measure.
    pub(super) value: Option<Quantity>,
    /// Whether it is a bad one.
    pub(super) holds: bool,
}

/// What has changed, and whether the webhook is to hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Fired {
        tell: bool,
    },
    /// It still fires, and it is time to say so again.
    Repeated,
    Resolved {
        since_unix_ms: i64,
        tell: bool,
    },
}

/// A rule that is watched.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) rule: Arc<Alert>,
    phase: Phase,
    /// When it came into its phase; absent before the first evaluation.
    since_unix_ms: Option<i64>,
    value: Option<Quantity>,
    evaluated_at_unix_ms: Option<i64>,
    acknowledged: Option<AlertAcknowledgement>,
    /// When the webhook was last told that it fires, while it does.
    told_at_unix_ms: Option<i64>,
    /// Its silence has ended while it fired: it has to be told again.
    is_overdue: bool,
    pub(super) last_delivery: Option<AlertDelivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Ok,
    Pending,
    /// `clearing`: it did not hold the last time.
    Firing {
        clearing: bool,
    },
}

impl Standing {
    pub(super) fn new(rule: Arc<Alert>) -> Self {
        Self {
            rule,
            phase: Phase::Ok,
            since_unix_ms: None,
            value: None,
            evaluated_at_unix_ms: None,
            acknowledged: None,
            told_at_unix_ms: None,
            is_overdue: false,
            last_delivery: None,
        }
    }

    /// Goes on under the rule as it is now. False where it asks something else, so that nothing is known of it.
    pub(super) fn take_over(&mut self, rule: &Arc<Alert>) -> bool {
        let old = &self.rule;
        let same = old.metric == rule.metric
            && old.bound == rule.bound
            && old.window == rule.window
            && old.scope == rule.scope;
        if same {
            self.rule = Arc::clone(rule);
        }
        same
    }

    /// What follows from another look.
    pub(super) fn step(
        &mut self,
        now_unix_ms: i64,
        reading: Reading,
        repeat: Duration,
    ) -> Option<Change> {
        self.value = reading.value;
        self.evaluated_at_unix_ms = Some(now_unix_ms);
        let since = *self.since_unix_ms.get_or_insert(now_unix_ms);
        self.end_silence(now_unix_ms);
        match (self.phase, reading.holds) {
            (Phase::Ok, false) => None,
            (Phase::Ok, true) if self.rule.lasting.is_zero() => Some(self.fire(now_unix_ms)),
            (Phase::Ok, true) => {
                self.enter(Phase::Pending, now_unix_ms);
                None
            }
            (Phase::Pending, false) => {
                self.calm_down(now_unix_ms);
                None
            }
            (Phase::Pending, true) => {
                let held = now_unix_ms.saturating_sub(since) >= millis(self.rule.lasting);
                held.then(|| self.fire(now_unix_ms))
            }
            (Phase::Firing { .. }, true) => {
                self.phase = Phase::Firing { clearing: false };
                self.repeat(now_unix_ms, repeat)
            }
            (Phase::Firing { clearing: false }, false) => {
                self.phase = Phase::Firing { clearing: true };
                None
            }
            (Phase::Firing { clearing: true }, false) => self.resolve(now_unix_ms),
        }
    }

    /// Ends an alarm whatever its figure is, because its rule is another one or gone.
    pub(super) fn resolve(&mut self, now_unix_ms: i64) -> Option<Change> {
        let Phase::Firing { .. } = self.phase else {
            return None;
        };
        let change = Change::Resolved {
            since_unix_ms: self.since_unix_ms.unwrap_or(now_unix_ms),
            tell: self.told_at_unix_ms.is_some(),
        };
        self.calm_down(now_unix_ms);
        Some(change)
    }

    /// Somebody takes it on. False while there is nothing to take on.
    pub(super) fn acknowledge(&mut self, by: AlertAcknowledgement) -> bool {
        if self.phase == Phase::Ok {
            return false;
        }
        self.acknowledged = Some(by);
        true
    }

    pub(super) fn is_firing(&self) -> bool {
        matches!(self.phase, Phase::Firing { .. })
    }

    /// Since when it fires.
    pub(super) fn firing_since_unix_ms(&self) -> Option<i64> {
        self.since_unix_ms.filter(|_| self.is_firing())
    }

    pub(super) fn value(&self) -> Option<Quantity> {
        self.value
    }

    pub(super) fn status(&self) -> AlertStatus {
        AlertStatus {
            state: match self.phase {
                Phase::Ok => AlertState::Ok,
                Phase::Pending => AlertState::Pending,
                Phase::Firing { .. } => AlertState::Firing,
            },
            since_unix_ms: self.since_unix_ms,
            value: self.value.map(Quantity::number),
            evaluated_at_unix_ms: self.evaluated_at_unix_ms,
            acknowledged: self.acknowledged.clone(),
            last_delivery: self.last_delivery.clone(),
        }
    }

    fn enter(&mut self, phase: Phase, now_unix_ms: i64) {
        self.phase = phase;
        self.since_unix_ms = Some(now_unix_ms);
    }

    fn fire(&mut self, now_unix_ms: i64) -> Change {
        self.enter(Phase::Firing { clearing: false }, now_unix_ms);
        let tell = self.acknowledged.is_none();
        self.told_at_unix_ms = tell.then_some(now_unix_ms);
        self.is_overdue = false;
        Change::Fired { tell }
    }

    fn repeat(&mut self, now_unix_ms: i64, repeat: Duration) -> Option<Change> {
        let is_due = self.told_at_unix_ms.is_some_and(|told| {
            !repeat.is_zero() && now_unix_ms.saturating_sub(told) >= millis(repeat)
        });
        if self.acknowledged.is_some() || !(is_due || self.is_overdue) {
            return None;
        }
        self.told_at_unix_ms = Some(now_unix_ms);
        self.is_overdue = false;
        Some(Change::Repeated)
    }

    fn calm_down(&mut self, now_unix_ms: i64) {
        self.enter(Phase::Ok, now_unix_ms);
        self.acknowledged = None;
        self.told_at_unix_ms = None;
        self.is_overdue = false;
    }

    fn end_silence(&mut self, now_unix_ms: i64) {
        let until = self
            .acknowledged
            .as_ref()
            .and_then(|by| by.silent_until_unix_ms);
        if until.is_some_and(|until| until <= now_unix_ms) {
            self.acknowledged = None;
            self.is_overdue = self.is_firing();
        }
    }
}
