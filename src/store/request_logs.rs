//! Request logs: one row for every request that the gateway answered, in the file of the UTC day in its id.

use std::{collections::BTreeMap, sync::Arc};

use ferrogate_api::{
    AccountKind, CacheStatus, Page, RequestLog, RequestLogDetail, RequestLogQuery,
};
use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, Row, params, params_from_iter,
    types::{Type, Value},
};

use super::{
    StoreError, columns,
    days::{Day, DayFiles},
    decision_traces,
    listing::{Deadline, Filter, Position, SCAN_ROWS, limit_or_default},
    request_bodies,
};
use crate::ids::RequestId;

/// A row that is there already stays as it is, so that a batch can be written again.
const INSERT: &str = "INSERT OR IGNORE INTO request_logs (
        id, client_request_id, trace_id, started_at_unix_ms, duration_us, ttft_us, overhead_us, method, path,
        endpoint, status, error_code, outcome, stream, api_key_id, model, provider, provider_model, attempts,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, usage_source,
        cost_nanos, request_bytes, response_bytes, client_address, organization_id, team_id, project_id,
        user_id, estimated_tokens, estimated_cost_nanos, cache, saved_nanos, gateway_config_id,
        gateway_config_revision, tags, policy
    ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41
    )";

/// The statement that adds a row, prepared once per batch.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached(INSERT).map(Self)
    }

    pub(super) fn insert(&mut self, id: RequestId, log: &RequestLog) -> Result<(), Error> {
        let tenant = |kind| columns::tenant_id(log.tenant.as_deref(), kind);
        self.0.execute(params![
            id.as_bytes(),
            log.client_request_id,
            log.trace_id,
            log.started_at_unix_ms,
            columns::from_count(log.duration_us),
            log.ttft_us.map(columns::from_count),
            log.overhead_us.map(columns::from_count),
            log.method,
            log.path,
            log.endpoint,
            log.status,
            log.error_code,
            log.outcome.as_str(),
            log.stream,
            log.api_key_id,
            log.model,
            log.provider,
            log.provider_model,
            log.attempts,
            columns::from_count(log.tokens.input),
            columns::from_count(log.tokens.output),
            columns::from_count(log.tokens.cache_read),
            columns::from_count(log.tokens.cache_write),
            columns::from_count(log.tokens.reasoning),
            log.usage_source.as_str(),
            log.cost_nanos,
            columns::from_count(log.request_bytes),
            columns::from_count(log.response_bytes),
            log.client_address,
            tenant(AccountKind::Organization),
            tenant(AccountKind::Team),
            tenant(AccountKind::Project),
            tenant(AccountKind::User),
            log.estimated_tokens.map(columns::from_count),
            log.estimated_cost_nanos,
            log.cache.map(CacheStatus::as_str),
            log.saved_nanos,
            log.gateway_config_id,
            log.gateway_config_revision,
            tags_json(log)?,
            log.policy,
        ])?;
        Ok(())
    }
}

fn tags_json(log: &RequestLog) -> Result<Option<String>, Error> {
    let json = log.tags.as_ref().map(serde_json::to_string).transpose();
    json.map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// Finds one request with everything that is kept of it; its id says in which file.
pub(super) fn get(files: &DayFiles, id: RequestId) -> Result<Option<RequestLogDetail>, StoreError> {
    let day = Day::of(id.unix_ms());
    if !files.has(day) {
        return Ok(None);
    }
    files.read(day, |connection| {
        let log = connection
            .prepare_cached("SELECT * FROM request_logs WHERE id = ?1")?
            .query_row([id.as_bytes()], request_log)
            .optional()?;
        let Some(log) = log else { return Ok(None) };
        let routing = decision_traces::get(connection, id)?;
        let [request_body, response_body] = request_bodies::get(connection, id)?;
        Ok(Some(RequestLogDetail {
            log,
            routing,
            request_body,
            response_body,
        }))
    })
}

/// Lists newest first, across days. Ends with the page it has and a cursor when `deadline` is over; a day that cannot
/// be read is reported and passed over.
pub(super) fn list(
    files: &DayFiles,
    query: &RequestLogQuery,
    deadline: Deadline,
) -> Result<Page<RequestLog>, StoreError> {
    let mut walk = Walk::new(query, deadline)?;
    let newest = Day::of(walk.below.unix_ms());
    let oldest = Day::of(walk.start.unix_ms());
    for day in files.newest_first(newest, oldest) {
        match files.read(day, |connection| walk.through_day(connection)) {
            Ok(Reached::EndOfDay) => {}
            Ok(Reached::Stop(cursor)) => return Ok(Page::new(walk.found, cursor)),
            Err(error) => {
                tracing::warn!(%day, error = ?error, "a day of request logs cannot be read and is passed over");
            }
        }
        walk.below = Position::start_of(day.start_unix_ms());
    }
    Ok(Page::new(walk.found, None))
}

/// How far a walk came in one day's file.
enum Reached {
    EndOfDay,
    /// The page is full, or time is up; the next page goes on from the cursor.
    Stop(Option<String>),
}

/// A listing on its way from the newest row down.
struct Walk {
    rows: Rows,
    /// Everything from here up has been looked at.
    below: Position,
    /// The end: no row below it is wanted.
    start: Position,
    limit: usize,
    deadline: Deadline,
    /// Set by the first chunk: a walk makes some progress, however little time it has.
    under_way: bool,
    found: Vec<RequestLog>,
}

impl Walk {
    fn new(query: &RequestLogQuery, deadline: Deadline) -> Result<Self, StoreError> {
        Ok(Self {
            rows: Rows::of(query),
            below: match &query.cursor {
                Some(cursor) => Position::parse(cursor)?,
                None => Position::END,
            },
            start: Position::start_of(query.since.unwrap_or_default()),
            limit: limit_or_default(query.limit),
            deadline,
            under_way: false,
            found: Vec::new(),
        })
    }

    fn through_day(&mut self, connection: &Connection) -> Result<Reached, Error> {
        loop {
            if self.under_way && self.deadline.is_over() {
                return Ok(Reached::Stop(Some(self.below.to_cursor())));
            }
            self.under_way = true;
            let scanned_to = self.rows.boundary(connection, self.below, self.start)?;
            let from = scanned_to.unwrap_or(self.start);
            // One more than the page holds tells whether there is a next page.
            let wanted = self.limit + 1 - self.found.len();
            let rows = self.rows.select(connection, (self.below, from), wanted)?;
            self.found.extend(rows);
            if self.found.len() > self.limit {
                self.found.truncate(self.limit);
                return Ok(Reached::Stop(self.found.last().and_then(cursor)));
            }
            match scanned_to {
                Some(scanned_to) => self.below = scanned_to,
                None => return Ok(Reached::EndOfDay),
            }
        }
    }
}

fn cursor(log: &RequestLog) -> Option<String> {
    RequestId::parse(&log.request_id).map(|id| Position::of(id).to_cursor())
}

/// Which rows are wanted, and through which index they are walked.
struct Rows {
    /// The table, with the index that is walked. Named rather than left to the planner: without statistics, which a
    /// file that is written all day does not have, it takes the partial index for no better than the table.
    table: &'static str,
    /// The condition that the index answers; a chunk counts the rows for which it holds.
    indexed: Filter,
    /// The other conditions, tried on each of these rows.
    tried: Filter,
}

impl Rows {
    fn of(query: &RequestLogQuery) -> Self {
        let mut indexed = Filter::default();
        let mut tried = Filter::default();
        let errors_only = query.status.is_some_and(|status| status.min >= 400);
        let table = if query.key.is_some() {
            indexed.and("api_key_id = ?", query.key.clone());
            "request_logs INDEXED BY request_logs_by_key"
        } else if errors_only {
            indexed.always("status >= 400");
            "request_logs INDEXED BY request_logs_errors"
        } else {
            "request_logs"
        };
        tried.and("status >= ?", query.status.map(|status| status.min));
        tried.and("status <= ?", query.status.map(|status| status.max));
        tried.and("model = ?", query.model.clone());
        tried.and("provider = ?", query.provider.clone());
        tried.and("organization_id = ?", query.organization.clone());
        tried.and("team_id = ?", query.team.clone());
        tried.and("project_id = ?", query.project.clone());
        tried.and("user_id = ?", query.user.clone());
        Self {
            table,
            indexed,
            tried,
        }
    }

    /// Where the chunk below `below` ends; `None` when it reaches `start`, or when the page limit alone bounds it.
    fn boundary(
        &self,
        connection: &Connection,
        below: Position,
        start: Position,
    ) -> Result<Option<Position>, Error> {
        if self.tried.is_empty() {
            return Ok(None);
        }
        let mut select = connection.prepare_cached(&format!(
            "SELECT id FROM {} WHERE id < ? AND id >= ?{} ORDER BY id DESC LIMIT 1 OFFSET {SCAN_ROWS}",
            self.table,
            self.indexed.conditions(),
        ))?;
        let values = range(below, start).into_iter().chain(self.indexed.values());
        select
            .query_row(params_from_iter(values), |row| {
                columns::request_id(row, "id").map(Position::of)
            })
            .optional()
    }

    fn select(
        &self,
        connection: &Connection,
        (below, from): (Position, Position),
        limit: usize,
    ) -> Result<Vec<RequestLog>, Error> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT * FROM {} WHERE id < ? AND id >= ?{}{} ORDER BY id DESC LIMIT ?",
            self.table,
            self.indexed.conditions(),
            self.tried.conditions(),
        ))?;
        let values = range(below, from)
            .into_iter()
            .chain(self.indexed.values())
            .chain(self.tried.values())
            .chain([Value::from(i64::try_from(limit).unwrap_or(i64::MAX))]);
        select
            .query_map(params_from_iter(values), request_log)?
            .collect()
    }
}

fn range(below: Position, from: Position) -> [Value; 2] {
    [below, from].map(|position| Value::Blob(position.id().to_vec()))
}

fn request_log(row: &Row<'_>) -> Result<RequestLog, Error> {
    Ok(RequestLog {
        request_id: columns::request_id(row, "id")?.to_string(),
        client_request_id: row.get("client_request_id")?,
        trace_id: row.get("trace_id")?,
        started_at_unix_ms: row.get("started_at_unix_ms")?,
        duration_us: columns::count(row, "duration_us")?,
        ttft_us: columns::optional_count(row, "ttft_us")?,
        overhead_us: columns::optional_count(row, "overhead_us")?,
        method: row.get("method")?,
        path: row.get("path")?,
        endpoint: row.get("endpoint")?,
        status: row.get("status")?,
        error_code: row.get("error_code")?,
        outcome: columns::outcome(row)?,
        stream: row.get("stream")?,
        api_key_id: row.get("api_key_id")?,
        tenant: columns::tenant(row)?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        provider_model: row.get("provider_model")?,
        attempts: row.get("attempts")?,
        tokens: columns::tokens(row)?,
        usage_source: columns::usage_source(row)?,
        cost_nanos: row.get("cost_nanos")?,
        estimated_tokens: columns::optional_count(row, "estimated_tokens")?,
        estimated_cost_nanos: row.get("estimated_cost_nanos")?,
        cache: columns::optional_name(row, "cache", CacheStatus::parse)?,
        saved_nanos: row.get("saved_nanos")?,
        gateway_config_id: row.get("gateway_config_id")?,
        gateway_config_revision: row.get("gateway_config_revision")?,
        tags: tags(row)?,
        policy: row.get("policy")?,
        request_bytes: columns::count(row, "request_bytes")?,
        response_bytes: columns::count(row, "response_bytes")?,
        client_address: row.get("client_address")?,
    })
}

fn tags(row: &Row<'_>) -> Result<Option<Arc<BTreeMap<String, String>>>, Error> {
    let index = row.as_ref().column_index("tags")?;
    let json = row.get_ref(index)?.as_str_or_null()?;
    json.map(serde_json::from_str)
        .transpose()
        .map_err(|error| Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}
