//! Lists of what [`super::usage_rollups`] sums up.
//!
//! A sum has no number of its own: its place in a list is what the list is sorted by, and then window, key, model and
//! provider, which no two have in common. A cursor is that place, so that a page goes on where the one before stopped
//! although sums grow in between. One that has grown past the place meanwhile is not shown again.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ferrogate_api::{Page, UsageAggregate, UsageAggregateQuery, UsageAggregateSort, Window};
use rusqlite::{Connection, Error, Row, params_from_iter, types::Value};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError, columns,
    listing::{Filter, limit_or_default},
    usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS, floor},
};

/// What every sum has, of one window or of all.
const OF_WINDOWS: &str = "SELECT * FROM usage_rollups WHERE span_ms = ?";
const OF_ALL: &str = "SELECT 0 AS window_start_unix_ms, api_key_id, model, provider,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens, sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_tokens) AS cache_write_tokens, sum(reasoning_tokens) AS reasoning_tokens,
        sum(cost_nanos) AS cost_nanos, sum(unpriced_requests) AS unpriced_requests,
        sum(cache_hits) AS cache_hits, sum(saved_nanos) AS saved_nanos
    FROM usage_rollups WHERE span_ms = ?";

/// The place of the last sum of a page.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    /// The order it is a place in.
    sort: UsageAggregateSort,
    window: Window,
    /// What the list is sorted by.
    by: i64,
    start: i64,
    key: String,
    model: String,
    provider: String,
}

/// A column to sort by, and which way.
#[derive(Debug, Clone, Copy)]
struct Order {
    expression: &'static str,
    descending: bool,
}

impl Store {
    /// Lists sums over the ledger. `since` takes in the whole window that it falls into; for [`Window::Total`], which
    /// adds up days, the whole UTC day. Of the query's tenants nothing is known here.
    ///
    /// # Errors
    /// For a cursor that no such list gave out, or when the disk fails.
    pub async fn usage_aggregates(
        &self,
        query: UsageAggregateQuery,
    ) -> Result<Page<UsageAggregate>, StoreError> {
        self.list_usage(query, None).await
    }

    /// The same, of these keys alone.
    ///
    /// # Errors
    /// As [`Store::usage_aggregates`].
    pub async fn usage_aggregates_of(
        &self,
        query: UsageAggregateQuery,
        keys: Vec<Arc<str>>,
    ) -> Result<Page<UsageAggregate>, StoreError> {
        self.list_usage(query, Some(keys)).await
    }

    async fn list_usage(
        &self,
        query: UsageAggregateQuery,
        keys: Option<Vec<Arc<str>>>,
    ) -> Result<Page<UsageAggregate>, StoreError> {
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            list(&connection, &query, keys.as_deref())
        })
        .await
    }
}

fn list(
    connection: &Connection,
    query: &UsageAggregateQuery,
    keys: Option<&[Arc<str>]>,
) -> Result<Page<UsageAggregate>, StoreError> {
    let sort = query.sort.unwrap_or_default();
    let last = match &query.cursor {
        Some(cursor) => Some(Last::parse(cursor, sort, query.window)?),
        None => None,
    };
    let limit = limit_or_default(query.limit);
    let mut rows = select(connection, query, (keys, last)).map_err(|source| StoreError::Read {
        what: "usage aggregates",
        source,
    })?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = rows.last().filter(|_| more).map(|(by, start, row)| {
        let last = Last {
            sort,
            window: query.window,
            by: *by,
            start: *start,
            key: row.api_key_id.to_string(),
            model: row.model.to_string(),
            provider: row.provider.to_string(),
        };
        last.cursor()
    });
    let data = rows.into_iter().map(|(_, _, row)| row);
    Ok(Page::new(data.collect(), cursor))
}

/// Each sum with what it is sorted by and the start of its window.
fn select(
    connection: &Connection,
    query: &UsageAggregateQuery,
    (keys, last): (Option<&[Arc<str>]>, Option<Last>),
) -> Result<Vec<(i64, i64, UsageAggregate)>, Error> {
    let (span_ms, from, group) = match query.window {
        Window::Minute => (MINUTE_MS, OF_WINDOWS, ""),
        Window::Hour => (HOUR_MS, OF_WINDOWS, ""),
        Window::Day => (DAY_MS, OF_WINDOWS, ""),
        Window::Total => (DAY_MS, OF_ALL, "GROUP BY api_key_id, model, provider"),
    };
    let filter = filter_of(query, span_ms, keys);
    let order = Order::of(query.sort.unwrap_or_default());
    let (after, last) = order.after(last);
    let sql = format!(
        "SELECT *, {by} AS sorted_by FROM ({from}{conditions} {group}){after}
         ORDER BY {by} {way}, window_start_unix_ms, api_key_id, model, provider LIMIT ? OFFSET ?",
        by = order.expression,
        way = if order.descending { "DESC" } else { "ASC" },
        conditions = filter.conditions(),
    );
    let limit = limit_or_default(query.limit).saturating_add(1);
    let values = [Value::from(span_ms)]
        .into_iter()
        .chain(filter.values())
        .chain(last)
        .chain([
            Value::from(i64::try_from(limit).unwrap_or(i64::MAX)),
            Value::from(i64::from(query.offset.unwrap_or_default())),
        ]);
    let is_total = query.window == Window::Total;
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| {
            let start = row.get("window_start_unix_ms")?;
            let shown_start = Some(start).filter(|_| !is_total);
            Ok((row.get("sorted_by")?, start, aggregate(row, shown_start)?))
        })?
        .collect()
}

fn filter_of(query: &UsageAggregateQuery, span_ms: i64, keys: Option<&[Arc<str>]>) -> Filter {
    let mut filter = Filter::default();
    filter.and(
        "window_start_unix_ms >= ?",
        query.since.map(|since| floor(since, span_ms)),
    );
    filter.and("window_start_unix_ms < ?", query.until);
    filter.and("api_key_id = ?", query.key.clone());
    filter.and("model = ?", query.model.clone());
    filter.and("provider = ?", query.provider.clone());
    filter.and(
        "api_key_id IN (SELECT value FROM json_each(?))",
        keys.map(|keys| serde_json::json!(keys).to_string()),
    );
    filter.and(
        "instr(lower(concat_ws(char(10), api_key_id, model, provider)), ?) > 0",
        query.q.as_ref().map(|text| text.to_ascii_lowercase()),
    );
    filter
}

impl Order {
    fn of(sort: UsageAggregateSort) -> Self {
        let (expression, descending) = match sort {
            UsageAggregateSort::NewestFirst => ("window_start_unix_ms", true),
            UsageAggregateSort::OldestFirst => ("window_start_unix_ms", false),
            UsageAggregateSort::MostRequestsFirst => ("requests", true),
            UsageAggregateSort::FewestRequestsFirst => ("requests", false),
            UsageAggregateSort::MostTokensFirst => ("(input_tokens + output_tokens)", true),
            UsageAggregateSort::FewestTokensFirst => ("(input_tokens + output_tokens)", false),
            UsageAggregateSort::DearestFirst => ("cost_nanos", true),
            UsageAggregateSort::CheapestFirst => ("cost_nanos", false),
        };
        Self {
            expression,
            descending,
        }
    }

    /// The condition for what comes after `last`, and its values.
    fn after(self, last: Option<Last>) -> (String, Vec<Value>) {
        let Some(last) = last else {
            return (String::new(), Vec::new());
        };
        let by = self.expression;
        let way = if self.descending { "<" } else { ">" };
        // The first condition follows from the second; it is what an index can be used for.
        let condition = format!(
            " WHERE {by} {way}= ? AND ({by} {way} ?
                 OR (window_start_unix_ms, api_key_id, model, provider) > (?, ?, ?, ?))"
        );
        let values = vec![
            Value::from(last.by),
            Value::from(last.by),
            Value::from(last.start),
            Value::from(last.key),
            Value::from(last.model),
            Value::from(last.provider),
        ];
        (condition, values)
    }
}

impl Last {
    /// Names may hold anything, so that they travel encoded.
    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    fn parse(cursor: &str, sort: UsageAggregateSort, window: Window) -> Result<Self, StoreError> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let last: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        last.filter(|last| last.sort == sort && last.window == window)
            .ok_or(StoreError::InvalidCursor)
    }
}

fn aggregate(row: &Row<'_>, window_start_unix_ms: Option<i64>) -> Result<UsageAggregate, Error> {
    Ok(UsageAggregate {
        window_start_unix_ms,
        api_key_id: row.get("api_key_id")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        requests: columns::count(row, "requests")?,
        errors: columns::count(row, "errors")?,
        tokens: columns::tokens(row)?,
        cost_nanos: row.get("cost_nanos")?,
        unpriced_requests: columns::count(row, "unpriced_requests")?,
        cache_hits: columns::count(row, "cache_hits")?,
        saved_nanos: row.get("saved_nanos")?,
    })
}
