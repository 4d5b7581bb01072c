//! The ledger's rows: what each attempt at a provider used. Append-only.

use ferrogate_api::{AccountKind, MeteringEvent, MeteringEventQuery, Page, RequestLogSort};
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

/// Lists events by the start of their requests, as their ids say it, newest first unless the oldest are asked for.
///
/// A filter that matches little ends with the page it has and a cursor when `deadline` is over.
pub(super) fn list(
    connection: &Connection,
    query: &MeteringEventQuery,
    deadline: Deadline,
) -> Result<Page<MeteringEvent>, StoreError> {
    let limit = limit_or_default(query.limit);
    let Some(mut walk) = Walk::of(query)? else {
        return Ok(Page::new(Vec::new(), None));
    };
    let filter = filter_of(query);
    let mut events = Vec::new();
    loop {
        let wanted = limit + 1 - events.len();
        let chunk =
            scan(connection, &filter, &mut walk, wanted).map_err(|source| StoreError::Read {
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
        walk.go_on(scanned_to);
        if deadline.is_over() {
            return Ok(Page::partial(events, Some(walk.cursor(scanned_to))));
        }
    }
}

/// What is still to be looked at.
#[derive(Debug)]
struct Walk {
    newest_first: bool,
    /// The first place, itself among them.
    from: Position,
    /// The end, not among them.
    below: Position,
    /// Rows to pass over.
    offset: u32,
}

impl Walk {
    /// `None` where there is nothing between the two ends.
    fn of(query: &MeteringEventQuery) -> Result<Option<Self>, StoreError> {
        let mut walk = Self {
            newest_first: query.sort.unwrap_or_default() == RequestLogSort::NewestFirst,
            from: Position::start_of(query.since.unwrap_or_default()),
            below: query.until.map_or(Position::END, Position::start_of),
            offset: query.offset.unwrap_or_default(),
        };
        if let Some(cursor) = &query.cursor {
            let (place, offset) = match cursor.split_once('.') {
                None => (&**cursor, 0),
                Some((place, offset)) => {
                    let digits = offset.bytes().all(|byte| byte.is_ascii_digit());
                    let offset = offset.parse().ok().filter(|_| digits);
                    (place, offset.ok_or(StoreError::InvalidCursor)?)
                }
            };
            walk.offset = offset;
            let after = Position::parse(place)?;
            if walk.newest_first {
                walk.below = walk.below.min(after);
            } else {
                walk.from = walk.from.max(just_after(after));
            }
        }
        Ok((walk.from < walk.below).then_some(walk))
    }

    /// Past a chunk.
    fn go_on(&mut self, scanned_to: Position) {
        if self.newest_first {
            self.below = scanned_to;
        } else {
            self.from = just_after(scanned_to);
        }
    }

    /// Goes on after `scanned_to`, with what is left of the offset.
    fn cursor(&self, scanned_to: Position) -> String {
        match self.offset {
            0 => scanned_to.to_cursor(),
            offset => format!("{}.{offset}", scanned_to.to_cursor()),
        }
    }

    fn order(&self) -> &'static str {
        match self.newest_first {
            true => "ORDER BY request_id DESC, attempt DESC",
            false => "ORDER BY request_id, attempt",
        }
    }

    /// The values of [`RANGE`], up to the end of a chunk where there is one.
    fn range(&self, scanned_to: Option<Position>) -> [Value; 4] {
        let (from, below) = match scanned_to {
            None => (self.from, self.below),
            Some(last) if self.newest_first => (last, self.below),
            Some(last) => (self.from, just_after(last)),
        };
        [
            Value::Blob(from.id().to_vec()),
            Value::from(from.attempt()),
            Value::Blob(below.id().to_vec()),
            Value::from(below.attempt()),
        ]
    }
}

/// The place that follows in the order of the key.
fn just_after(position: Position) -> Position {
    position.with_attempt(position.attempt() + 1)
}

const RANGE: &str = "(request_id, attempt) >= (?, ?) AND (request_id, attempt) < (?, ?)";

fn filter_of(query: &MeteringEventQuery) -> Filter {
    let mut filter = Filter::default();
    filter.and("api_key_id = ?", query.key.clone());
    filter.and("model = ?", query.model.clone());
    filter.and("provider = ?", query.provider.clone());
    filter.and("organization_id = ?", query.organization.clone());
    filter.and("team_id = ?", query.team.clone());
    filter.and("project_id = ?", query.project.clone());
    filter.and("user_id = ?", query.user.clone());
    filter.and(
        "instr(lower(concat_ws(char(10), api_key_id, model, provider, provider_model, endpoint)), ?) > 0",
        query.q.as_ref().map(|text| text.to_ascii_lowercase()),
    );
    filter
}

/// Part of the table, read in one short transaction.
struct Chunk {
    events: Vec<MeteringEvent>,
    /// The last row of the chunk; `None` when there is no further one.
    scanned_to: Option<Position>,
}

fn scan(
    connection: &Connection,
    filter: &Filter,
    walk: &mut Walk,
    limit: usize,
) -> Result<Chunk, Error> {
    // Without a filter the limit alone keeps the chunk small.
    let scanned_to = if filter.is_empty() && walk.offset == 0 {
        None
    } else {
        boundary(connection, walk)?
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT * FROM metering_events WHERE {RANGE}{} {}",
        filter.conditions(),
        walk.order()
    ))?;
    let values = walk.range(scanned_to).into_iter().chain(filter.values());
    let mut rows = select.query(params_from_iter(values))?;
    let mut events = Vec::new();
    while events.len() < limit
        && let Some(row) = rows.next()?
    {
        if walk.offset > 0 {
            walk.offset -= 1;
        } else {
            events.push(event(row)?);
        }
    }
    Ok(Chunk { events, scanned_to })
}

/// The last row of the chunk that comes next, if there are that many.
fn boundary(connection: &Connection, walk: &Walk) -> Result<Option<Position>, Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT request_id, attempt FROM metering_events WHERE {RANGE} {} LIMIT 1 OFFSET {SCAN_ROWS}",
        walk.order()
    ))?;
    select
        .query_row(params_from_iter(walk.range(None)), |row| {
            let id = columns::request_id(row, "request_id")?;
            Ok(Position::of(id).with_attempt(row.get("attempt")?))
        })
        .optional()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(query: MeteringEventQuery) -> Option<Walk> {
        Walk::of(&query).unwrap()
    }

    #[test]
    fn a_cursor_goes_on_in_either_direction_and_keeps_to_the_time_asked_for() {
        let place = Position::start_of(5).with_attempt(2);
        let with_cursor = |sort| MeteringEventQuery {
            cursor: Some(place.to_cursor()),
            since: Some(1),
            until: Some(9),
            sort: Some(sort),
            ..MeteringEventQuery::default()
        };
        let down = walk(with_cursor(RequestLogSort::NewestFirst)).unwrap();
        assert_eq!((down.from, down.below), (Position::start_of(1), place));
        let up = walk(with_cursor(RequestLogSort::OldestFirst)).unwrap();
        let next = Position::start_of(5).with_attempt(3);
        assert_eq!((up.from, up.below), (next, Position::start_of(9)));
        let nothing = MeteringEventQuery {
            until: Some(1),
            since: Some(1),
            ..MeteringEventQuery::default()
        };
        assert!(walk(nothing).is_none());
    }

    #[test]
    fn what_is_left_of_an_offset_travels_with_the_cursor() {
        let place = Position::start_of(5);
        let with = |cursor: String| MeteringEventQuery {
            cursor: Some(cursor),
            ..MeteringEventQuery::default()
        };
        let offset = MeteringEventQuery {
            offset: Some(7),
            ..MeteringEventQuery::default()
        };
        let cursor = walk(offset).unwrap().cursor(place);
        let again = walk(with(cursor)).unwrap();
        assert_eq!((again.below, again.offset), (place, 7));
        assert_eq!(again.cursor(place), format!("{}.7", place.to_cursor()));
        for wrong in ["", ".", ".+1", ".x", ".99999999999"] {
            let query = with(format!("{}{wrong}", place.to_cursor()));
            assert_eq!(Walk::of(&query).is_ok(), wrong.is_empty(), "{wrong}");
        }
    }
}
