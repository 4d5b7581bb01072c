//! The ledger's rows: what each attempt at a provider used. Append-only.

use ferrogate_api::{AccountKind, MeteringEvent, MeteringEventQuery, Page};
use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, Row, params, params_from_iter,
    types::Value,
};

use super::{
    StoreError,
    balances::is_displaced,
    columns,
    listing::{Deadline, Filter, Position, SCAN_ROWS, limit_or_default},
};
use crate::ids::RequestId;

/// A row that is there already stays as it is: a batch that is written again counts nothing twice.
const INSERT: &str = "INSERT OR IGNORE INTO metering_events (
        request_id, attempt, occurred_at_unix_ms, api_key_id, endpoint, model, provider, provider_model,
        status, outcome, stream, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, usage_source, cost_nanos, organization_id, team_id, project_id, user_id,
        price_version, cache_hit, saved_nanos, displaced
    ) VALUES (
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24, ?25, ?26
    )";

/// The statement that adds a row, prepared once per batch.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached(INSERT).map(Self)
    }

    /// Whether the row is new. Its price is `price_version`, whatever the event says.
    pub(super) fn insert(
        &mut self,
        event: &MeteringEvent,
        price_version: Option<i64>,
    ) -> Result<bool, Error> {
        let Some(request_id) = RequestId::parse(&event.request_id) else {
            tracing::error!(request.id = %event.request_id, "a metering event without a request id cannot be kept");
            return Ok(false);
        };
        let tenant = |kind| columns::tenant_id(event.tenant.as_deref(), kind);
        let rows = self.0.execute(params![
            request_id.as_bytes(),
            event.attempt,
            event.occurred_at_unix_ms,
            event.api_key_id,
            event.endpoint,
            event.model,
            event.provider,
            event.provider_model,
            event.status,
            event.outcome.as_str(),
            event.stream,
            columns::from_count(event.tokens.input),
            columns::from_count(event.tokens.output),
            columns::from_count(event.tokens.cache_read),
            columns::from_count(event.tokens.cache_write),
            columns::from_count(event.tokens.reasoning),
            event.usage_source.as_str(),
            event.cost_nanos,
            tenant(AccountKind::Organization),
            tenant(AccountKind::Team),
            tenant(AccountKind::Project),
            tenant(AccountKind::User),
            price_version,
            event.cache_hit,
            event.saved_nanos,
            is_displaced(request_id, event.occurred_at_unix_ms),
        ])?;
        Ok(rows == 1)
    }
}

/// Lists events newest request first. `since` is the start of the request, as its id says.
///
/// A filter that matches little ends with the page it has and a cursor when `deadline` is over.
pub(super) fn list(
    connection: &Connection,
    query: &MeteringEventQuery,
    deadline: Deadline,
) -> Result<Page<MeteringEvent>, StoreError> {
    let limit = limit_or_default(query.limit);
    let mut below = match &query.cursor {
        Some(cursor) => Position::parse(cursor)?,
        None => Position::END,
    };
    let filter = filter_of(query);
    let mut events = Vec::new();
    loop {
        let chunk = scan(
            connection,
            &filter,
            (below, query.since),
            limit + 1 - events.len(),
        )
        .map_err(|source| StoreError::Read {
            what: "metering events",
            source,
        })?;
        events.extend(chunk.events);
        if events.len() > limit {
            events.truncate(limit);
            let cursor = events.last().and_then(position).map(Position::to_cursor);
            return Ok(Page::new(events, cursor));
        }
        let Some(scanned_to) = chunk.scanned_to else {
            return Ok(Page::new(events, None));
        };
        below = scanned_to;
        if deadline.is_over() {
            return Ok(Page::new(events, Some(below.to_cursor())));
        }
    }
}

fn filter_of(query: &MeteringEventQuery) -> Filter {
    let mut filter = Filter::default();
    filter.and("api_key_id = ?", query.key.clone());
    filter.and("model = ?", query.model.clone());
    filter.and("provider = ?", query.provider.clone());
    filter
}

/// Part of the table, read in one short transaction.
struct Chunk {
    events: Vec<MeteringEvent>,
    /// Where the next chunk begins; `None` when there is no further row.
    scanned_to: Option<Position>,
}

fn scan(
    connection: &Connection,
    filter: &Filter,
    (below, since): (Position, Option<i64>),
    limit: usize,
) -> Result<Chunk, Error> {
    let start = Position::start_of(since.unwrap_or_default());
    // Without a filter the limit alone keeps the chunk small.
    let scanned_to = if filter.is_empty() {
        None
    } else {
        boundary(connection, below, start)?
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT * FROM metering_events WHERE {RANGE}{} {NEWEST_FIRST} LIMIT ?",
        filter.conditions()
    ))?;
    let values = range(below, scanned_to.unwrap_or(start))
        .into_iter()
        .chain(filter.values())
        .chain([Value::from(i64::try_from(limit).unwrap_or(i64::MAX))]);
    let events = select
        .query_map(params_from_iter(values), event)?
        .collect::<Result<_, _>>()?;
    Ok(Chunk { events, scanned_to })
}

/// The last row that belongs to the chunk below `below`, if there are that many.
fn boundary(
    connection: &Connection,
    below: Position,
    start: Position,
) -> Result<Option<Position>, Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT request_id, attempt FROM metering_events WHERE {RANGE} {NEWEST_FIRST}
         LIMIT 1 OFFSET {SCAN_ROWS}"
    ))?;
    select
        .query_row(params_from_iter(range(below, start)), |row| {
            let id = columns::request_id(row, "request_id")?;
            Ok(Position::of(id).with_attempt(row.get("attempt")?))
        })
        .optional()
}

const RANGE: &str = "(request_id, attempt) < (?, ?) AND (request_id, attempt) >= (?, ?)";
const NEWEST_FIRST: &str = "ORDER BY request_id DESC, attempt DESC";

/// The values of [`RANGE`].
fn range(below: Position, from: Position) -> [Value; 4] {
    [
        Value::Blob(below.id().to_vec()),
        Value::from(below.attempt()),
        Value::Blob(from.id().to_vec()),
        Value::from(from.attempt()),
    ]
}

/// Reads all columns.
pub(super) fn event(row: &Row<'_>) -> Result<MeteringEvent, Error> {
    Ok(MeteringEvent {
        request_id: columns::request_id(row, "request_id")?.to_string(),
        attempt: row.get("attempt")?,
        occurred_at_unix_ms: row.get("occurred_at_unix_ms")?,
        api_key_id: row.get("api_key_id")?,
        tenant: columns::tenant(row)?,
        endpoint: row.get("endpoint")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        provider_model: row.get("provider_model")?,
        status: row.get("status")?,
        outcome: columns::outcome(row)?,
        stream: row.get("stream")?,
        tokens: columns::tokens(row)?,
        usage_source: columns::usage_source(row)?,
        cost_nanos: row.get("cost_nanos")?,
        price_version: row.get("price_version")?,
        cache_hit: row.get("cache_hit")?,
        saved_nanos: row.get("saved_nanos")?,
    })
}

fn position(event: &MeteringEvent) -> Option<Position> {
    let id = RequestId::parse(&event.request_id)?;
    Some(Position::of(id).with_attempt(i64::from(event.attempt)))
}
