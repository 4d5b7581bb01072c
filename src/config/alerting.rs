//! `[alerting]`: how the rules of `[[alerts]]` are evaluated, and how hard it is tried to tell somebody.

use std::time::Duration;

use super::reader::Section;

/// What holds for all alert rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerting {
    /// `alerts_max`: how many rules there may be, of the file and of the admin API together; default 200.
    pub alerts_max: usize,
    /// `interval_secs` between two evaluations; default 15.
    pub interval: Duration,
    /// `repeat_interval_secs`: how often a webhook is told again while its alert fires; default 14400. Zero: never.
    pub repeat_interval: Duration,
    /// `webhook_timeout_ms` of one call; default 5000.
    pub webhook_timeout: Duration,
    /// `webhook_max_retries` after a call that failed; default 3.
    pub webhook_max_retries: u32,
    /// `webhook_retry_backoff_ms` before the first of them, doubled for each further one; default 1000.
    pub webhook_retry_backoff: Duration,
}

impl Alerting {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            alerts_max: section.number("alerts_max", 200, 1..=10_000),
            interval: section.seconds("interval_secs", 15, 1..=3600),
            repeat_interval: section.seconds("repeat_interval_secs", 14_400, 0..=604_800),
            webhook_timeout: section.millis("webhook_timeout_ms", 5000, 1..=60_000),
            webhook_max_retries: section.number("webhook_max_retries", 3, 0..=10),
            webhook_retry_backoff: section.millis("webhook_retry_backoff_ms", 1000, 1..=60_000),
        }
    }

    /// What stands against so many rules, if anything does.
    pub(super) fn too_many(alerts: usize, alerts_max: usize) -> Option<String> {
        (alerts > alerts_max)
            .then(|| format!("there are {alerts}; `[alerting] alerts_max` allows {alerts_max}"))
    }
}
