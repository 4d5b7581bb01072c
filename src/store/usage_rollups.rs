//! Sums over the ledger per minute, hour and day, for each key, model and provider.
//!
//! They are written in the transaction that writes the events, so that the sums and the rows never disagree.

use std::collections::HashMap;

use ferrogate_api::{MeteringEvent, Outcome, Tokens};
use rusqlite::{Connection, Error, params};

use super::columns;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Where a sum stops growing. Half of this much again still fits a column, so that a provider that reports nonsense
/// distorts its own sums but cannot make an addition overflow, which would fail every later batch.
const SUM_MAX: i64 = i64::MAX / 4;

/// Both sides of each addition lie within [`SUM_MAX`]; the result is brought back into it.
const UPSERT: &str = "INSERT INTO usage_rollups (
        span_ms, window_start_unix_ms, api_key_id, model, provider, requests, errors,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_nanos, unpriced_requests, cache_hits, saved_nanos
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
    ON CONFLICT (span_ms, window_start_unix_ms, api_key_id, model, provider) DO UPDATE SET
        requests           = requests + excluded.requests,
        errors             = errors + excluded.errors,
        input_tokens       = min(input_tokens + excluded.input_tokens, ?17),
        output_tokens      = min(output_tokens + excluded.output_tokens, ?17),
        cache_read_tokens  = min(cache_read_tokens + excluded.cache_read_tokens, ?17),
        cache_write_tokens = min(cache_write_tokens + excluded.cache_write_tokens, ?17),
        reasoning_tokens   = min(reasoning_tokens + excluded.reasoning_tokens, ?17),
        cost_nanos         = max(min(cost_nanos + excluded.cost_nanos, ?17), -?17),
        unpriced_requests  = unpriced_requests + excluded.unpriced_requests,
        cache_hits         = cache_hits + excluded.cache_hits,
        saved_nanos        = max(min(saved_nanos + excluded.saved_nanos, ?17), -?17)";

/// What one row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'e> {
    window_start_unix_ms: i64,
    api_key_id: &'e str,
    model: &'e str,
    provider: &'e str,
}

/// What one event counts as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) failed: bool,
    pub(super) cache_hit: bool,
    pub(super) tokens: Tokens,
    pub(super) cost_nanos: Option<i64>,
    pub(super) saved_nanos: Option<i64>,
}

impl Counted {
    fn of(event: &MeteringEvent) -> Self {
        Self {
            failed: is_failure(event.outcome, event.status),
            cache_hit: event.cache_hit,
            tokens: event.tokens,
            cost_nanos: event.cost_nanos,
            saved_nanos: event.saved_nanos,
        }
    }
}

/// Whether an event is one of the errors.
pub(super) fn is_failure(outcome: Outcome, status: u16) -> bool {
    outcome != Outcome::Complete || status >= 400
}

/// What a row holds, or a batch adds to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: i64,
    pub(super) errors: i64,
    pub(super) tokens: Tokens,
    pub(super) cost_nanos: i64,
    pub(super) unpriced_requests: i64,
    pub(super) cache_hits: i64,
    pub(super) saved_nanos: i64,
}

impl From<Counted> for Sums {
    /// An answer from the cache asked no provider: it counts on its own.
    fn from(event: Counted) -> Self {
        if event.cache_hit {
            return Self {
                cache_hits: 1,
                saved_nanos: event.saved_nanos.unwrap_or_default(),
                ..Self::default()
            };
        }
        Self {
            requests: 1,
            errors: i64::from(event.failed),
            tokens: event.tokens,
            cost_nanos: event.cost_nanos.unwrap_or_default(),
            unpriced_requests: i64::from(event.cost_nanos.is_none()),
            ..Self::default()
        }
    }
}

impl Sums {
    /// A correction of an attempt; the first one gives a price to an attempt that had none.
    pub(super) fn correction(amount_nanos: i64, gives_a_price: bool) -> Self {
        Self {
            cost_nanos: amount_nanos,
            unpriced_requests: -i64::from(gives_a_price),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.tokens += other.tokens;
        self.cost_nanos = self.cost_nanos.saturating_add(other.cost_nanos);
        self.unpriced_requests += other.unpriced_requests;
        self.cache_hits += other.cache_hits;
        self.saved_nanos = self.saved_nanos.saturating_add(other.saved_nanos);
    }

    /// As the columns hold them, in their order.
    pub(super) fn columns(&self) -> [i64; 11] {
        [
            self.requests,
            self.errors,
            within(self.tokens.input),
            within(self.tokens.output),
            within(self.tokens.cache_read),
            within(self.tokens.cache_write),
            within(self.tokens.reasoning),
            self.cost_nanos.clamp(-SUM_MAX, SUM_MAX),
            self.unpriced_requests,
            self.cache_hits,
            self.saved_nanos.clamp(-SUM_MAX, SUM_MAX),
        ]
    }
}

/// The names of [`Sums::columns`].
pub(super) const COLUMNS: [&str; 11] = [
    "requests",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nanos",
    "unpriced_requests",
    "cache_hits",
    "saved_nanos",
];

/// The sums of one batch, so that each row is written once however many events fall into it.
#[derive(Debug, Default)]
pub(super) struct Rollups<'e> {
    minutes: HashMap<Key<'e>, Sums>,
}

impl<'e> Rollups<'e> {
    pub(super) fn add(&mut self, event: &'e MeteringEvent) {
        self.add_sums(event, &Counted::of(event).into());
    }

    /// Adds to the windows that the event is in.
    pub(super) fn add_sums(&mut self, event: &'e MeteringEvent, sums: &Sums) {
        let key = Key {
            window_start_unix_ms: floor(event.occurred_at_unix_ms, MINUTE_MS),
            api_key_id: &event.api_key_id,
            model: &event.model,
            provider: &event.provider,
        };
        self.minutes.entry(key).or_default().add(sums);
    }

    pub(super) fn write(self, connection: &Connection) -> Result<(), Error> {
        if self.minutes.is_empty() {
            return Ok(());
        }
        let hours = coarser(&self.minutes, HOUR_MS);
        let days = coarser(&hours, DAY_MS);
        let mut upsert = connection.prepare_cached(UPSERT)?;
        for (span_ms, rows) in [
            (MINUTE_MS, &self.minutes),
            (HOUR_MS, &hours),
            (DAY_MS, &days),
        ] {
            for (key, sums) in rows {
                let [a, b, c, d, e, f, g, h, i, j, k] = sums.columns();
                upsert.execute(params![
                    span_ms,
                    key.window_start_unix_ms,
                    key.api_key_id,
                    key.model,
                    key.provider,
                    a,
                    b,
                    c,
                    d,
                    e,
                    f,
                    g,
                    h,
                    i,
                    j,
                    k,
                    SUM_MAX,
                ])?;
            }
        }
        Ok(())
    }
}

fn within(count: u64) -> i64 {
    columns::from_count(count).min(SUM_MAX)
}

fn coarser<'e>(finer: &HashMap<Key<'e>, Sums>, span_ms: i64) -> HashMap<Key<'e>, Sums> {
    let mut rows: HashMap<Key<'e>, Sums> = HashMap::new();
    for (key, sums) in finer {
        let key = Key {
            window_start_unix_ms: floor(key.window_start_unix_ms, span_ms),
            ..*key
        };
        rows.entry(key).or_default().add(sums);
    }
    rows
}

/// The start of the window that a time falls into.
pub(super) fn floor(unix_ms: i64, span_ms: i64) -> i64 {
    unix_ms.div_euclid(span_ms).saturating_mul(span_ms)
}
