//! Sums over the ledger per minute, hour and day, for each key, model and provider.
//!
//! They are written in the transaction that writes the events, so that the sums and the rows never disagree.

use std::collections::HashMap;

use ferrogate_api::{
    MeteringEvent, Outcome, Page, Tokens, UsageAggregate, UsageAggregateQuery, Window,
};
use rusqlite::{Connection, Error, Row, params, params_from_iter, types::Value};

use super::{
    StoreError, columns,
    listing::{Filter, limit_or_default},
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Where a sum stops growing. Half of this much again still fits a column, so that a provider that reports nonsense
/// distorts its own sums but cannot make an addition overflow, which would fail every later batch.
const SUM_MAX: i64 = i64::MAX / 4;

/// Both sides of each addition lie within [`SUM_MAX`]; the result is brought back into it.
const UPSERT: &str = "INSERT INTO usage_rollups (
        span_ms, window_start_unix_ms, api_key_id, model, provider, requests, errors,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_nanos, unpriced_requests
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (span_ms, window_start_unix_ms, api_key_id, model, provider) DO UPDATE SET
        requests           = requests + excluded.requests,
        errors             = errors + excluded.errors,
        input_tokens       = min(input_tokens + excluded.input_tokens, ?15),
        output_tokens      = min(output_tokens + excluded.output_tokens, ?15),
        cache_read_tokens  = min(cache_read_tokens + excluded.cache_read_tokens, ?15),
        cache_write_tokens = min(cache_write_tokens + excluded.cache_write_tokens, ?15),
        reasoning_tokens   = min(reasoning_tokens + excluded.reasoning_tokens, ?15),
        cost_nanos         = max(min(cost_nanos + excluded.cost_nanos, ?15), -?15),
        unpriced_requests  = unpriced_requests + excluded.unpriced_requests";

/// What one row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'e> {
    window_start_unix_ms: i64,
    api_key_id: &'e str,
    model: &'e str,
    provider: &'e str,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    requests: i64,
    errors: i64,
    tokens: Tokens,
    cost_nanos: i64,
    unpriced_requests: i64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.tokens = Tokens {
            input: self.tokens.input.saturating_add(other.tokens.input),
            output: self.tokens.output.saturating_add(other.tokens.output),
            cache_read: self
                .tokens
                .cache_read
                .saturating_add(other.tokens.cache_read),
            cache_write: self
                .tokens
                .cache_write
                .saturating_add(other.tokens.cache_write),
            reasoning: self.tokens.reasoning.saturating_add(other.tokens.reasoning),
        };
        self.cost_nanos = self.cost_nanos.saturating_add(other.cost_nanos);
        self.unpriced_requests += other.unpriced_requests;
    }
}

/// The sums of one batch, so that each row is written once however many events fall into it.
#[derive(Debug, Default)]
pub(super) struct Rollups<'e> {
    minutes: HashMap<Key<'e>, Sums>,
}

impl<'e> Rollups<'e> {
    pub(super) fn add(&mut self, event: &'e MeteringEvent) {
        let key = Key {
            window_start_unix_ms: floor(event.occurred_at_unix_ms, MINUTE_MS),
            api_key_id: &event.api_key_id,
            model: &event.model,
            provider: &event.provider,
        };
        let failed = event.outcome != Outcome::Complete || event.status >= 400;
        self.minutes.entry(key).or_default().add(&Sums {
            requests: 1,
            errors: i64::from(failed),
            tokens: event.tokens,
            cost_nanos: event.cost_nanos.unwrap_or_default(),
            unpriced_requests: i64::from(event.cost_nanos.is_none()),
        });
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
                upsert.execute(params![
                    span_ms,
                    key.window_start_unix_ms,
                    key.api_key_id,
                    key.model,
                    key.provider,
                    sums.requests,
                    sums.errors,
                    within(sums.tokens.input),
                    within(sums.tokens.output),
                    within(sums.tokens.cache_read),
                    within(sums.tokens.cache_write),
                    within(sums.tokens.reasoning),
                    sums.cost_nanos.clamp(-SUM_MAX, SUM_MAX),
                    sums.unpriced_requests,
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

fn floor(unix_ms: i64, span_ms: i64) -> i64 {
    unix_ms.div_euclid(span_ms) * span_ms
}

/// Lists sums, newest window first. `since` takes in the whole window that it falls into; for [`Window::Total`],
/// which adds up days, the whole UTC day.
pub(super) fn list(
    connection: &Connection,
    query: &UsageAggregateQuery,
) -> Result<Page<UsageAggregate>, StoreError> {
    select(connection, query)
        .map(|rows| Page::new(rows, None))
        .map_err(|source| StoreError::Read {
            what: "usage aggregates",
            source,
        })
}

fn select(
    connection: &Connection,
    query: &UsageAggregateQuery,
) -> Result<Vec<UsageAggregate>, Error> {
    let span_ms = match query.window {
        Window::Minute => MINUTE_MS,
        Window::Hour => HOUR_MS,
        Window::Day | Window::Total => DAY_MS,
    };
    let mut filter = Filter::default();
    filter.and(
        "window_start_unix_ms >= ?",
        query.since.map(|since| floor(since, span_ms)),
    );
    filter.and("api_key_id = ?", query.key.clone());
    filter.and("model = ?", query.model.clone());
    filter.and("provider = ?", query.provider.clone());
    let conditions = filter.conditions();
    let sql = if query.window == Window::Total {
        format!(
            "SELECT NULL AS window_start_unix_ms, api_key_id, model, provider,
                 sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
                 sum(output_tokens) AS output_tokens, sum(cache_read_tokens) AS cache_read_tokens,
                 sum(cache_write_tokens) AS cache_write_tokens, sum(reasoning_tokens) AS reasoning_tokens,
                 sum(cost_nanos) AS cost_nanos, sum(unpriced_requests) AS unpriced_requests
             FROM usage_rollups WHERE span_ms = ?{conditions}
             GROUP BY api_key_id, model, provider
             ORDER BY api_key_id, model, provider LIMIT ?"
        )
    } else {
        format!(
            "SELECT * FROM usage_rollups WHERE span_ms = ?{conditions}
             ORDER BY window_start_unix_ms DESC, api_key_id, model, provider LIMIT ?"
        )
    };
    let limit = i64::try_from(limit_or_default(query.limit)).unwrap_or(i64::MAX);
    let values = [Value::from(span_ms)]
        .into_iter()
        .chain(filter.values())
        .chain([Value::from(limit)]);
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), aggregate)?
        .collect()
}

fn aggregate(row: &Row<'_>) -> Result<UsageAggregate, Error> {
    Ok(UsageAggregate {
        window_start_unix_ms: row.get("window_start_unix_ms")?,
        api_key_id: row.get("api_key_id")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        requests: columns::count(row, "requests")?,
        errors: columns::count(row, "errors")?,
        tokens: columns::tokens(row)?,
        cost_nanos: row.get("cost_nanos")?,
        unpriced_requests: columns::count(row, "unpriced_requests")?,
    })
}
