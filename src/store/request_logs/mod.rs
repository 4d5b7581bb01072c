//! Request logs: one row for every request that the gateway answered, in the file of the UTC day in its id.

mod conditions;
mod list;

pub(super) use list::list;

use std::sync::{Arc, OnceLock};

use ferrogate_api::{
    AccountKind, CacheStatus, Outcome, RequestLog, RequestLogDetail, TenantContext, Tokens,
    UsageSource,
};
use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, Row, params,
    types::{FromSql, Type},
};
use serde::de::DeserializeOwned;

use super::{
    StoreError, columns,
    days::{Day, DayFiles},
    decision_traces, request_bodies,
};
use crate::ids::RequestId;

/// All columns, in the order in which they are written and read.
const COLUMNS: &str = "id, client_request_id, trace_id, started_at_unix_ms, duration_us, ttft_us, overhead_us, method, \
    path, endpoint, status, error_code, outcome, stream, api_key_id, model, provider, provider_model, attempts, \
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, usage_source, cost_nanos, \
    request_bytes, response_bytes, client_address, organization_id, team_id, project_id, user_id, estimated_tokens, \
    estimated_cost_nanos, cache, saved_nanos, gateway_config_id, gateway_config_revision, tags, policy";
const COLUMN_COUNT: usize = 41;

/// Put together once: it is asked for with every batch.
static INSERT: OnceLock<String> = OnceLock::new();

/// The statement that adds a row, prepared once per batch.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        // A row that is there already stays as it is, so that a batch can be written again.
        let insert = INSERT.get_or_init(|| {
            let values = vec!["?"; COLUMN_COUNT].join(", ");
            format!("INSERT OR IGNORE INTO request_logs ({COLUMNS}) VALUES ({values})")
        });
        connection.prepare_cached(insert).map(Self)
    }

    /// Says whether the row is new.
    pub(super) fn insert(&mut self, id: RequestId, log: &RequestLog) -> Result<bool, Error> {
        let tenant = |kind| columns::tenant_id(log.tenant.as_deref(), kind);
        let inserted = self.0.execute(params![
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
        Ok(inserted > 0)
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
            .prepare_cached(&format!("SELECT {COLUMNS} FROM request_logs WHERE id = ?1"))?
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

/// Reads a row of [`COLUMNS`], one cell after the other: to find each by its name would take longer than all the rest.
fn request_log(row: &Row<'_>) -> Result<RequestLog, Error> {
    let mut cells = Cells { row, next: 0 };
    let mut log = RequestLog {
        request_id: RequestId::from_bytes(cells.get()?).to_string(),
        client_request_id: cells.get()?,
        trace_id: cells.get()?,
        started_at_unix_ms: cells.get()?,
        duration_us: cells.count()?,
        ttft_us: cells.optional_count()?,
        overhead_us: cells.optional_count()?,
        method: cells.get()?,
        path: cells.get()?,
        endpoint: cells.get()?,
        status: cells.get()?,
        error_code: cells.get()?,
        outcome: cells.named(Outcome::parse)?,
        stream: cells.get()?,
        api_key_id: cells.get()?,
        model: cells.get()?,
        provider: cells.get()?,
        provider_model: cells.get()?,
        attempts: cells.get()?,
        tokens: Tokens {
            input: cells.count()?,
            output: cells.count()?,
            cache_read: cells.count()?,
            cache_write: cells.count()?,
            reasoning: cells.count()?,
        },
        usage_source: cells.named(UsageSource::parse)?,
        cost_nanos: cells.get()?,
        request_bytes: cells.count()?,
        response_bytes: cells.count()?,
        client_address: cells.get()?,
        ..RequestLog::default()
    };
    let tenant = TenantContext {
        organization_id: cells.get()?,
        team_id: cells.get()?,
        project_id: cells.get()?,
        user_id: cells.get()?,
    };
    log.tenant = (!tenant.is_empty()).then(|| Arc::new(tenant));
    log.estimated_tokens = cells.optional_count()?;
    log.estimated_cost_nanos = cells.get()?;
    log.cache = cells.optional_name(CacheStatus::parse)?;
    log.saved_nanos = cells.get()?;
    log.gateway_config_id = cells.get()?;
    log.gateway_config_revision = cells.get()?;
    log.tags = cells.json()?;
    log.policy = cells.get()?;
    Ok(log)
}

/// The cells of a row, from the first on.
struct Cells<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r> Cells<'r, '_> {
    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn get<T: FromSql>(&mut self) -> Result<T, Error> {
        let index = self.step();
        self.row.get(index)
    }

    fn text(&mut self) -> Result<Option<&'r str>, Error> {
        let index = self.step();
        Ok(self.row.get_ref(index)?.as_str_or_null()?)
    }

    fn optional_count(&mut self) -> Result<Option<u64>, Error> {
        let value: Option<i64> = self.get()?;
        Ok(value.map(|count| u64::try_from(count).unwrap_or_default()))
    }

    fn count(&mut self) -> Result<u64, Error> {
        Ok(self.optional_count()?.unwrap_or_default())
    }

    /// A name that must be one of ours, where there is one.
    fn optional_name<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let name = self.text()?;
        name.map(|name| parse(name).ok_or_else(|| self.invalid()))
            .transpose()
    }

    fn named<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<T, Error> {
        let value = self.optional_name(parse)?;
        value.ok_or_else(|| self.invalid())
    }

    fn json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let json = self.text()?.map(serde_json::from_str).transpose();
        json.map_err(|error| {
            Error::FromSqlConversionFailure(self.next - 1, Type::Text, Box::new(error))
        })
    }

    /// What the cell that was read last makes wrong.
    fn invalid(&self) -> Error {
        Error::InvalidColumnType(self.next - 1, "request_logs".to_owned(), Type::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_columns_as_values() {
        assert_eq!(COLUMNS.split(", ").count(), COLUMN_COUNT);
    }
}
