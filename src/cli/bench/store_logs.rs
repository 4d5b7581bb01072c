//! The month of request logs that `--store` begins with: made from a number, so that every run has the same.

use std::sync::Arc;

use ferrogate_api::{CacheStatus, Outcome, RequestLog, TenantContext, Tokens, UsageSource};

use super::setup::model_name;
use crate::clock::Clock;
use crate::ids::RequestId;

pub(super) const DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;

const MODELS: usize = 4;
const KEYS: u64 = 500;
const TEAMS: u64 = 60;
/// One request in [`RARE_EACH`] is of one of so many users of whom nobody else's requests are.
const RARE_USERS: u64 = 100;
const RARE_EACH: u64 = 1_000;

/// A provider that never fails, and how the other one does: every tenth of its requests.
pub(super) const PAIR_THAT_NEVER_MEETS: (&str, &str) = ("provider-0", "upstream_timeout");

/// One of the models, each of which every fourth request asks for: those that come in later too.
pub(super) fn model(number: usize) -> String {
    model_name(number % MODELS)
}

/// A user with one request in a hundred thousand.
pub(super) fn rare_user(number: usize) -> String {
    let number = u64::try_from(number).unwrap_or_default();
    format!("rare-{}", number % RARE_USERS)
}

/// So many logs, spread evenly over the days before the one of `now_unix_ms`.
pub(super) fn month(rows: u64, now_unix_ms: i64) -> impl Iterator<Item = RequestLog> {
    spread(rows, DAYS * DAY_MS, now_unix_ms)
}

/// So many on the day before.
pub(super) fn day(rows: u64, now_unix_ms: i64) -> impl Iterator<Item = RequestLog> {
    spread(rows, DAY_MS, now_unix_ms)
}

fn spread(rows: u64, length_ms: u64, now_unix_ms: i64) -> impl Iterator<Item = RequestLog> {
    let now = u64::try_from(now_unix_ms).unwrap_or_default();
    let begin = (now - now % DAY_MS).saturating_sub(length_ms);
    let mut maker = Maker::new();
    (0..rows).map(move |number| {
        let in_month = u128::from(length_ms) * u128::from(number) / u128::from(rows.max(1));
        let unix_ms = begin + u64::try_from(in_month).unwrap_or_default();
        maker.log(number, i64::try_from(unix_ms).unwrap_or_default())
    })
}

/// What logs share, so that making one costs little.
struct Maker {
    keys: Vec<Arc<str>>,
    tenants: Vec<Arc<TenantContext>>,
    rare: Vec<Arc<TenantContext>>,
    models: Vec<Arc<str>>,
    providers: [Arc<str>; 2],
    endpoint: Arc<str>,
    method: Arc<str>,
    error: Arc<str>,
}

impl Maker {
    fn new() -> Self {
        let named = |kind: &str, number: u64| -> Arc<str> { format!("{kind}-{number}").into() };
        let tenant = |team: u64, user: Arc<str>| {
            Arc::new(TenantContext {
                organization_id: Some(named("organization", team % 10)),
                team_id: Some(named("team", team)),
                project_id: Some(named("project", team * 3)),
                user_id: Some(user),
            })
        };
        Self {
            keys: (0..KEYS).map(|key| named("key", key)).collect(),
            tenants: (0..KEYS)
                .map(|key| tenant(key % TEAMS, named("user", key)))
                .collect(),
            rare: (0..RARE_USERS)
                .map(|user| tenant(user % TEAMS, named("rare", user)))
                .collect(),
            models: (0..MODELS).map(|number| model(number).into()).collect(),
            providers: ["provider-0".into(), "provider-1".into()],
            endpoint: "chat.completions".into(),
            method: "POST".into(),
            error: PAIR_THAT_NEVER_MEETS.1.into(),
        }
    }

    fn log(&mut self, number: u64, unix_ms: i64) -> RequestLog {
        // Scattered, so that neighbours have little in common; the same in every run.
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let pick = |many: usize| usize::try_from(random).unwrap_or_default() % many.max(1);
        let is_rare = random % RARE_EACH == 7;
        let key = pick(self.keys.len());
        let tenant = if is_rare {
            let nth = usize::try_from(random / RARE_EACH).unwrap_or_default();
            &self.rare[nth % self.rare.len()]
        } else {
            &self.tenants[key]
        };
        let provider = usize::from(random.is_multiple_of(3));
        let fails = provider == 1 && random % 10 == 3;
        RequestLog {
            request_id: RequestId::new(&Clock::manual(unix_ms)).to_string(),
            trace_id: format!("{random:032x}"),
            started_at_unix_ms: unix_ms,
            duration_us: 400_000 + random % 900_000,
            ttft_us: Some(90_000 + random % 300_000),
            overhead_us: Some(60 + random % 90),
            method: Arc::clone(&self.method),
            path: "/v1/chat/completions".to_owned(),
            endpoint: Arc::clone(&self.endpoint),
            status: if fails { 504 } else { 200 },
            error_code: fails.then(|| Arc::clone(&self.error)),
            outcome: if fails {
                Outcome::UpstreamError
            } else {
                Outcome::Complete
            },
            stream: random.is_multiple_of(2),
            api_key_id: Some(Arc::clone(&self.keys[key])),
            tenant: Some(Arc::clone(tenant)),
            model: Some(Arc::clone(&self.models[pick(self.models.len())])),
            provider: Some(Arc::clone(&self.providers[provider])),
            provider_model: Some(Arc::clone(&self.models[pick(self.models.len())])),
            attempts: 1,
            tokens: Tokens {
                input: 200 + random % 3_000,
                output: random % 800,
                ..Tokens::default()
            },
            usage_source: UsageSource::Provider,
            cost_nanos: Some(i64::try_from(random % 9_000_000).unwrap_or_default()),
            estimated_tokens: Some(4_000),
            estimated_cost_nanos: Some(9_000_000),
            cache: Some(CacheStatus::Miss),
            request_bytes: 1_200 + random % 9_000,
            response_bytes: 600 + random % 4_000,
            client_address: Some(format!("192.0.2.{}", random % 250)),
            ..RequestLog::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_268_800_000;

    #[test]
    fn logs_fill_the_days_before_today_in_their_order() {
        let logs: Vec<_> = month(3_000, NOW).collect();
        assert_eq!(logs.len(), 3_000);
        assert!(logs.is_sorted_by_key(|log| log.started_at_unix_ms));
        let day_of = |log: &RequestLog| log.started_at_unix_ms / 86_400_000;
        let days: std::collections::BTreeSet<_> = logs.iter().map(day_of).collect();
        assert_eq!(days.len(), 30);
        assert_eq!(days.last(), Some(&(NOW / 86_400_000 - 1)));
        let one = day(100, NOW)
            .map(|log| day_of(&log))
            .collect::<std::collections::BTreeSet<_>>();
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn what_is_asked_for_is_there_and_as_rare_as_it_says() {
        let logs: Vec<_> = month(200_000, NOW).collect();
        let share =
            |matches: &dyn Fn(&RequestLog) -> bool| logs.iter().filter(|log| matches(log)).count();
        let user = |log: &RequestLog| {
            log.tenant
                .as_ref()
                .and_then(|tenant| tenant.user_id.clone())
        };
        let rare = share(&|log| user(log).is_some_and(|user| user.starts_with("rare-")));
        assert!((100..400).contains(&rare), "{rare}");
        let model = model(1);
        let model = share(&|log| log.model.as_deref() == Some(&model));
        assert!((40_000..60_000).contains(&model), "{model}");
        let (provider, error) = PAIR_THAT_NEVER_MEETS;
        let of_provider = share(&|log| log.provider.as_deref() == Some(provider));
        let with_error = share(&|log| log.error_code.as_deref() == Some(error));
        assert!(
            of_provider > 100_000 && with_error > 2_000,
            "{of_provider} {with_error}"
        );
        let both = share(&|log| {
            log.provider.as_deref() == Some(provider) && log.error_code.as_deref() == Some(error)
        });
        assert_eq!(both, 0);
    }
}
