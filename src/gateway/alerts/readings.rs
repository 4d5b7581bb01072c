//! What the figures of rules are now. What several rules ask for is found out once; what none asks for, not at all.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use ferrogate_api::{AlertMetric, BreakerState, CredentialState, ProviderHealth};
use parking_lot::Mutex;

use super::state::Reading;
use crate::clock::millis;
use crate::config::{Alert, AlertBound, AlertScope, Quantity};
use crate::gateway::Gateway;
use crate::metering::watch::{Question, Sums, Times};

/// Below so much of a window there is no rate: one request would make thousands a minute.
const COVERED_MS_MIN: u64 = 1000;
/// No rule looks back further.
const WINDOW_MS_MAX: i64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;

/// What the rules have to know of how things stand.
struct Surroundings {
    now_unix_ms: i64,
    health: Vec<ProviderHealth>,
    queue: Option<Quantity>,
    database_bytes: u64,
    disk_free: Option<Quantity>,
    backup_age_ms: u64,
    retention_failed: usize,
}

/// What a rule asks of the requests; nothing where it is not about requests.
fn question(rule: &Alert) -> Option<Question> {
    let AlertScope {
        model,
        provider,
        api_key,
        account: _,
    } = rule.scope.clone();
    rule.metric.is_of_requests().then_some(Question {
        times: match rule.metric {
            AlertMetric::LatencyP95Ms => Times::Latency,
            AlertMetric::TtftP95Ms => Times::FirstContent,
            _ => Times::None,
        },
        window: rule.window,
        model,
        provider,
        api_key,
    })
}

/// One reading for each of `rules`, in their order. What they ask of requests is watched from now on, and nothing else.
pub(super) async fn take(
    gateway: &Gateway,
    dropped: &DroppedLogs,
    rules: &[Arc<Alert>],
) -> Vec<Reading> {
    let questions: Vec<_> = rules.iter().map(|rule| question(rule)).collect();
    let watch = &gateway.meter.watch;
    watch.ask(questions.iter().flatten());
    let surroundings = Surroundings::of(gateway, rules).await;
    dropped.look(
        gateway.store.status().logs_dropped,
        surroundings.now_unix_ms,
    );
    let readings = rules
        .iter()
        .zip(&questions)
        .map(|(rule, question)| match question {
            Some(question) => match watch.answer(question) {
                Some(sums) => of_requests(rule, &sums),
                None => Reading::default(),
            },
            None => {
                let value = surroundings.value(gateway, dropped, rule);
                judged(rule.bound, value, true)
            }
        });
    readings.collect()
}

fn of_requests(rule: &Alert, sums: &Sums) -> Reading {
    let covered_ms = Some(sums.covered_ms).filter(|covered| *covered >= COVERED_MS_MIN);
    let per = |count: u64, span_ms: u64| Quantity::ratio(count, span_ms, covered_ms?);
    let value = match rule.metric {
        AlertMetric::ErrorRatePercent => Quantity::ratio(sums.errors, 100, sums.requests),
        AlertMetric::RequestsPerMinute => per(sums.requests, 60_000),
        AlertMetric::TokensPerMinute => per(sums.tokens, 60_000),
        AlertMetric::RateLimitedPerMinute => per(sums.rate_limited, 60_000),
        // Nano-units, of which there are 10⁹ in one.
        AlertMetric::CostPerHour => covered_ms.and_then(|covered| {
            Quantity::ratio(sums.cost_nanos, 3600, covered.saturating_mul(1_000_000))
        }),
        _ => sums.p95_ms.map(Quantity::whole),
    };
    judged(rule.bound, value, sums.is_whole)
}

/// Too little is only what is too little in the whole window: a gateway that has just started has had no requests.
fn judged(bound: AlertBound, value: Option<Quantity>, is_whole: bool) -> Reading {
    let counts = match bound {
        AlertBound::Above(_) => true,
        AlertBound::Below(_) => is_whole,
    };
    Reading {
        value,
        holds: counts && value.is_some_and(|value| bound.is_met_by(value)),
    }
}

impl Surroundings {
    async fn of(gateway: &Gateway, rules: &[Arc<Alert>]) -> Self {
        let asks =
            |metrics: &[AlertMetric]| rules.iter().any(|rule| metrics.contains(&rule.metric));
        let now_unix_ms = gateway.clock.unix_ms();
        let snapshot = gateway.snapshot();
        let health = match asks(&[
            AlertMetric::ProviderCircuitOpen,
            AlertMetric::ProviderCredentialRefused,
        ]) {
            true => gateway.ai.health.view(&snapshot.rules.catalog, now_unix_ms),
            false => Vec::new(),
        };
        let disk_free = match asks(&[AlertMetric::DiskFreePercent]) {
            true => disk_free(snapshot.config.storage.path.clone()).await,
            false => None,
        };
        let backup_age_ms = match asks(&[AlertMetric::BackupAgeHours]) {
            true => backup_age_ms(gateway, now_unix_ms).await,
            false => 0,
        };
        let writer = gateway.store.status();
        let retention = gateway.store.retention_status();
        let failed = |outcome: &Option<String>| outcome.as_ref().is_some_and(|word| word != "ok");
        Self {
            now_unix_ms,
            health,
            queue: Quantity::ratio(writer.queue_used, 100, writer.queue_max),
            database_bytes: writer.database_bytes,
            disk_free,
            backup_age_ms,
            retention_failed: retention
                .iter()
                .filter(|job| failed(&job.last_outcome))
                .count(),
        }
    }

    fn value(&self, gateway: &Gateway, dropped: &DroppedLogs, rule: &Alert) -> Option<Quantity> {
        match rule.metric {
            AlertMetric::BudgetUsedPercent => budget_used(gateway, &rule.scope),
            AlertMetric::ProviderCircuitOpen => Some(self.count_providers(&rule.scope, |health| {
                // One that is being probed has not come back yet.
                let state = health.breaker.state;
                usize::from(matches!(state, BreakerState::Open | BreakerState::HalfOpen))
            })),
            AlertMetric::ProviderCredentialRefused => {
                Some(self.count_providers(&rule.scope, |health| {
                    let credentials = health.credentials.iter();
                    credentials
                        .filter(|credential| credential.state == CredentialState::Refused)
                        .count()
                }))
            }
            AlertMetric::WriterQueuePercent => self.queue,
            AlertMetric::LogsDropped => Some(Quantity::whole(
                dropped.within(rule.window, self.now_unix_ms),
            )),
            AlertMetric::DatabaseBytes => Some(Quantity::whole(self.database_bytes)),
            AlertMetric::DiskFreePercent => self.disk_free,
            AlertMetric::BackupAgeHours => Quantity::ratio(self.backup_age_ms, 1, HOUR_MS),
            AlertMetric::RetentionFailed => Some(whole(self.retention_failed)),
            AlertMetric::ErrorRatePercent
            | AlertMetric::RequestsPerMinute
            | AlertMetric::LatencyP95Ms
            | AlertMetric::TtftP95Ms
            | AlertMetric::TokensPerMinute
            | AlertMetric::CostPerHour
            | AlertMetric::RateLimitedPerMinute => None,
        }
    }

    fn count_providers(
        &self,
        scope: &AlertScope,
        count: impl Fn(&ProviderHealth) -> usize,
    ) -> Quantity {
        let wanted = scope.provider.as_ref();
        let asked = self
            .health
            .iter()
            .filter(|health| wanted.is_none_or(|wanted| *wanted == health.provider));
        whole(asked.map(count).sum())
    }
}

fn whole(count: usize) -> Quantity {
    Quantity::whole(u64::try_from(count).unwrap_or(u64::MAX))
}

/// That of the budget which is used up the furthest.
fn budget_used(gateway: &Gateway, scope: &AlertScope) -> Option<Quantity> {
    let positive = |amount: i64| u64::try_from(amount).unwrap_or_default();
    gateway
        .budgets(scope.account.as_ref())
        .iter()
        .filter_map(|budget| Quantity::ratio(positive(budget.used), 100, positive(budget.limit)))
        .max()
}

/// Away from the threads that answer requests: a file system over a network may take its time.
async fn disk_free(directory: PathBuf) -> Option<Quantity> {
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&directory)).await;
    match asked {
        Ok(Ok(space)) => Quantity::ratio(space.f_bavail, 100, space.f_blocks),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the file system of the data directory cannot be asked");
            None
        }
        Err(error) => {
            tracing::debug!(%error, "nobody came to ask the file system");
            None
        }
    }
}

/// Backups that cannot be listed are none: who relies on them has to hear of it.
async fn backup_age_ms(gateway: &Gateway, now_unix_ms: i64) -> u64 {
    let backups = match gateway.store.backups().await {
        Ok(backups) => backups,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "the backups cannot be listed");
            Vec::new()
        }
    };
    let newest = backups.iter().map(|backup| backup.created_at_unix_ms).max();
    let since = newest.unwrap_or(gateway.started_at_unix_ms);
    u64::try_from(now_unix_ms.saturating_sub(since)).unwrap_or_default()
}

/// How many request logs were lost until when, as often as that was looked at and was more.
#[derive(Debug, Default)]
pub(super) struct DroppedLogs(Mutex<VecDeque<(i64, u64)>>);

impl DroppedLogs {
    fn look(&self, total: u64, now_unix_ms: i64) {
        let mut seen = self.0.lock();
        let is_news = seen.back().is_none_or(|(_, last)| *last != total);
        if is_news {
            seen.push_back((now_unix_ms, total));
        }
        // One that is too old stays: what was known when the window begins.
        let too_old = now_unix_ms.saturating_sub(WINDOW_MS_MAX);
        while seen.get(1).is_some_and(|(at, _)| *at < too_old) {
            seen.pop_front();
        }
    }

    fn within(&self, window: Duration, now_unix_ms: i64) -> u64 {
        let window_ms = millis(window);
        let from = now_unix_ms.saturating_sub(window_ms);
        let seen = self.0.lock();
        let (Some((_, first)), Some((_, last))) = (seen.front(), seen.back()) else {
            return 0;
        };
        let before = seen.iter().rev().find(|(at, _)| *at <= from);
        last.saturating_sub(before.map_or(*first, |(_, total)| *total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_logs_are_counted_within_the_window() {
        let dropped = DroppedLogs::default();
        let minute = Duration::from_secs(60);
        let within = |at| dropped.within(minute, at);
        assert_eq!(within(0), 0);
        // Those of before nobody looked are nobody's.
        dropped.look(7, 0);
        assert_eq!(within(0), 0);
        dropped.look(7, 10_000);
        dropped.look(9, 20_000);
        dropped.look(12, 30_000);
        assert_eq!(within(30_000), 5);
        assert_eq!(within(79_999), 5);
        assert_eq!(within(80_000), 3);
        assert_eq!(within(90_000), 0);
        dropped.look(13, WINDOW_MS_MAX + 40_000);
        assert_eq!(within(WINDOW_MS_MAX + 40_000), 1);
        assert_eq!(dropped.0.lock().len(), 2);
    }

    #[test]
    fn too_little_is_judged_by_a_whole_window_alone() {
        let check = |bound, is_whole, expected| {
            let reading = judged(bound, Some(Quantity::whole(3)), is_whole);
            assert_eq!(reading.holds, expected, "{bound:?} {is_whole}");
        };
        check(AlertBound::Above(Quantity::whole(2)), false, true);
        check(AlertBound::Above(Quantity::whole(3)), true, false);
        check(AlertBound::Below(Quantity::whole(4)), false, false);
        check(AlertBound::Below(Quantity::whole(4)), true, true);
        let nothing = judged(AlertBound::Below(Quantity::whole(4)), None, true);
        assert_eq!(nothing, Reading::default());
    }
}
