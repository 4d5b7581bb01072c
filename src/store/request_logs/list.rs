//! Lists request logs from one end of time to the other, across days, looking only where the facets say that a row can
//! be. Every look is a read transaction of its own, of at most [`SCAN_ROWS`] rows.

use ferrogate_api::{Page, RequestLog, RequestLogQuery, RequestLogSort};
use roaring::RoaringBitmap;
use rusqlite::{Connection, Error, OptionalExtension, params_from_iter, types::Value};

use super::{COLUMNS, conditions::Conditions, request_log};
use crate::ids::RequestId;
use crate::store::{
    StoreError, columns,
    days::{Day, DayFiles},
    facets::Span,
    listing::{Deadline, IdRange, Position, SCAN_ROWS, limit_or_default},
};

/// Between the position of a cursor and the number of rows that are still to be passed over.
const OFFSET_MARK: char = '~';

/// Lists across days. Ends with the page it has and a cursor when `deadline` is over; a day that cannot be read is
/// reported and passed over.
pub(in crate::store) fn list(
    files: &DayFiles,
    query: &RequestLogQuery,
    deadline: Deadline,
) -> Result<Page<RequestLog>, StoreError> {
    let mut walk = Walk::new(files, query, deadline)?;
    for day in walk.days() {
        if walk.is_out_of_time() {
            return Ok(walk.page(Reached::OutOfTime));
        }
        let of_day = IdRange::of_time(day.start_unix_ms(), day.end_unix_ms());
        match files.read(day, |connection| walk.through_day(day, of_day, connection)) {
            Ok(Reached::End) => {}
            Ok(stop) => return Ok(walk.page(stop)),
            // It may have been dropped since its name was read.
            Err(error) if files.has(day) => {
                tracing::warn!(%day, error = ?error, "a day of request logs cannot be read and is passed over");
            }
            Err(_) => {}
        }
        walk.pass(of_day);
    }
    Ok(walk.page(Reached::End))
}

/// How far a walk came in what it was sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    End,
    PageFull,
    OutOfTime,
}

/// A listing under way.
struct Walk<'f> {
    files: &'f DayFiles,
    conditions: Conditions,
    order: RequestLogSort,
    /// What has not been looked at yet.
    left: IdRange,
    /// How many rows are still to be passed over.
    to_pass: usize,
    limit: usize,
    deadline: Deadline,
    /// A walk makes some progress, however little time it has: nothing was looked at or passed over yet.
    is_under_way: bool,
    found: Vec<RequestLog>,
}

impl<'f> Walk<'f> {
    fn new(
        files: &'f DayFiles,
        query: &RequestLogQuery,
        deadline: Deadline,
    ) -> Result<Self, StoreError> {
        let conditions = Conditions::of(query);
        let order = query.sort.unwrap_or_default();
        let mut left = IdRange::ALL.from(Position::start_of(query.since.unwrap_or_default()));
        if let Some(until) = query.until {
            left = left.below(Position::start_of(until));
        }
        if let Some(id) = conditions.only {
            left = left.and(IdRange::of(id));
        }
        let mut to_pass = query.offset.unwrap_or_default();
        if let Some(cursor) = &query.cursor {
            let position;
            (position, to_pass) = parse_cursor(cursor)?;
            left = match order {
                RequestLogSort::NewestFirst => left.below(position),
                RequestLogSort::OldestFirst => left.from(position.next()),
            };
        }
        Ok(Self {
            files,
            conditions,
            order,
            left,
            to_pass: usize::try_from(to_pass).unwrap_or(usize::MAX),
            limit: limit_or_default(query.limit),
            deadline,
            is_under_way: false,
            found: Vec::new(),
        })
    }

    /// The days that can hold what is left, in the order of the list.
    fn days(&self) -> Vec<Day> {
        if self.left.is_empty() {
            return Vec::new();
        }
        let newest = Day::of(self.left.end().previous().unix_ms());
        let oldest = Day::of(self.left.first().unix_ms());
        let mut days = self.files.newest_first(newest, oldest);
        if self.order == RequestLogSort::OldestFirst {
            days.reverse();
        }
        days
    }

    fn is_out_of_time(&self) -> bool {
        self.is_under_way && self.deadline.is_over()
    }

    /// Nothing of `range` is wanted any more, nor of what comes before it in the list.
    fn pass(&mut self, range: IdRange) {
        self.is_under_way = true;
        self.left = match self.order {
            RequestLogSort::NewestFirst => self.left.below(range.first()),
            RequestLogSort::OldestFirst => self.left.from(range.end()),
        };
    }

    fn through_day(
        &mut self,
        day: Day,
        of_day: IdRange,
        connection: &Connection,
    ) -> Result<Reached, Error> {
        if self.conditions.facets.is_empty() {
            return self.through(of_day, connection);
        }
        let facets = &self.files.facets;
        let candidates = facets.candidates(day, connection, &self.conditions.facets)?;
        let mut spans: Vec<Span> = candidates.spans().collect();
        if self.order == RequestLogSort::NewestFirst {
            spans.reverse();
        }
        for span in spans {
            let of_span = span.ids(day);
            if self.left.and(of_span).is_empty() {
                continue;
            }
            if self.is_out_of_time() {
                return Ok(Reached::OutOfTime);
            }
            let reached = match candidates.blocks(connection, span)? {
                Some(blocks) => self.through_blocks((day, span), blocks, connection)?,
                None => self.through(of_span, connection)?,
            };
            if reached != Reached::End {
                return Ok(reached);
            }
            self.pass(of_span);
        }
        Ok(Reached::End)
    }

    fn through_blocks(
        &mut self,
        (day, span): (Day, Span),
        blocks: RoaringBitmap,
        connection: &Connection,
    ) -> Result<Reached, Error> {
        for (first, last) in Runs::of(blocks, self.order) {
            let of_run = span.block_ids(day, first, last);
            if self.left.and(of_run).is_empty() {
                continue;
            }
            let reached = self.through(of_run, connection)?;
            if reached != Reached::End {
                return Ok(reached);
            }
            self.pass(of_run);
        }
        Ok(Reached::End)
    }

    /// Looks at every row of a range.
    fn through(&mut self, range: IdRange, connection: &Connection) -> Result<Reached, Error> {
        loop {
            if self.is_out_of_time() {
                return Ok(Reached::OutOfTime);
            }
            self.is_under_way = true;
            let left = self.left.and(range);
            let boundary = self.boundary(connection, left)?;
            let chunk = match boundary {
                Some(boundary) if self.order == RequestLogSort::NewestFirst => left.from(boundary),
                Some(boundary) => left.below(boundary.next()),
                None => left,
            };
            self.select(connection, chunk)?;
            if self.found.len() > self.limit {
                return Ok(Reached::PageFull);
            }
            if boundary.is_none() {
                return Ok(Reached::End);
            }
            self.pass(chunk);
        }
    }

    /// So many rows more, and there is one for the next page too.
    fn wanted(&self) -> usize {
        let of_page = self.limit.saturating_sub(self.found.len());
        self.to_pass.saturating_add(of_page).saturating_add(1)
    }

    /// Where the next chunk of `range` ends, with that row; `None` for where the range ends, and when what is wanted
    /// alone bounds it.
    fn boundary(&self, connection: &Connection, range: IdRange) -> Result<Option<Position>, Error> {
        let takes_every_row = self.conditions.rows.is_empty() && self.wanted() <= SCAN_ROWS;
        if takes_every_row || range.is_within_ms(SHORT_MS) {
            return Ok(None);
        }
        let mut select = connection.prepare_cached(&format!(
            "SELECT id FROM request_logs WHERE id >= ? AND id < ? ORDER BY id {} LIMIT 1 OFFSET {SCAN_ROWS}",
            self.direction(),
        ))?;
        select
            .query_row(params_from_iter(range.values()), |row| {
                columns::request_id(row, "id").map(Position::of)
            })
            .optional()
    }

    fn select(&mut self, connection: &Connection, range: IdRange) -> Result<(), Error> {
        let mut select = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM request_logs WHERE id >= ? AND id < ?{} ORDER BY id {} LIMIT ?",
            self.conditions.rows.conditions(),
            self.direction(),
        ))?;
        let values = range
            .values()
            .into_iter()
            .chain(self.conditions.rows.values())
            .chain([Value::from(
                i64::try_from(self.wanted()).unwrap_or(i64::MAX),
            )]);
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            match self.to_pass.checked_sub(1) {
                Some(left) => self.to_pass = left,
                None => self.found.push(request_log(row)?),
            }
        }
        Ok(())
    }

    fn direction(&self) -> &'static str {
        match self.order {
            RequestLogSort::NewestFirst => "DESC",
            RequestLogSort::OldestFirst => "ASC",
        }
    }

    fn page(mut self, reached: Reached) -> Page<RequestLog> {
        if self.found.len() > self.limit {
            self.found.truncate(self.limit);
            let last = self.found.last().and_then(position);
            return Page::new(self.found, last.map(Position::to_cursor));
        }
        if reached != Reached::OutOfTime {
            return Page::new(self.found, None);
        }
        let here = match self.order {
            RequestLogSort::NewestFirst => self.left.end(),
            RequestLogSort::OldestFirst => self.left.first().previous(),
        };
        let mut cursor = here.to_cursor();
        if self.to_pass > 0 {
            cursor = format!("{cursor}{OFFSET_MARK}{}", self.to_pass);
        }
        Page::partial(self.found, Some(cursor))
    }
}

/// A range this short holds no more rows than a chunk may, however busy the gateway is.
const SHORT_MS: u64 = 64;

fn position(log: &RequestLog) -> Option<Position> {
    RequestId::parse(&log.request_id).map(Position::of)
}

/// A position, and after the mark how many rows are still to be passed over.
fn parse_cursor(cursor: &str) -> Result<(Position, u32), StoreError> {
    let Some((position, to_pass)) = cursor.split_once(OFFSET_MARK) else {
        return Ok((Position::parse(cursor)?, 0));
    };
    let is_number = to_pass.bytes().all(|byte| byte.is_ascii_digit());
    match to_pass.parse() {
        Ok(to_pass) if is_number => Ok((Position::parse(position)?, to_pass)),
        Ok(_) | Err(_) => Err(StoreError::InvalidCursor),
    }
}

/// Neighbouring blocks together: the first and the last of them.
struct Runs {
    blocks: roaring::bitmap::IntoIter,
    order: RequestLogSort,
    /// The block that ended the run before.
    next: Option<u32>,
}

impl Runs {
    fn of(blocks: RoaringBitmap, order: RequestLogSort) -> Self {
        let mut runs = Self {
            blocks: blocks.into_iter(),
            order,
            next: None,
        };
        runs.next = runs.next_block();
        runs
    }

    fn next_block(&mut self) -> Option<u32> {
        match self.order {
            RequestLogSort::NewestFirst => self.blocks.next_back(),
            RequestLogSort::OldestFirst => self.blocks.next(),
        }
    }
}

impl Iterator for Runs {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        let begin = self.next?;
        let mut end = begin;
        loop {
            self.next = self.next_block();
            match self.next {
                Some(block) if block.abs_diff(end) == 1 => end = block,
                Some(_) | None => return Some((begin.min(end), begin.max(end))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_walked_in_runs_from_either_end() {
        let blocks: RoaringBitmap = [1, 2, 3, 7, 9, 10].into_iter().collect();
        let runs = |order| Runs::of(blocks.clone(), order).collect::<Vec<_>>();
        let oldest_first = [(1, 3), (7, 7), (9, 10)];
        assert_eq!(runs(RequestLogSort::OldestFirst), oldest_first);
        let mut newest_first = oldest_first;
        newest_first.reverse();
        assert_eq!(runs(RequestLogSort::NewestFirst), newest_first);
        assert_eq!(
            Runs::of(RoaringBitmap::new(), RequestLogSort::NewestFirst).count(),
            0
        );
    }

    #[test]
    fn a_cursor_may_say_how_many_rows_are_still_to_be_passed_over() {
        let position = Position::start_of(1_767_225_600_000).to_cursor();
        let check = |text: &str, to_pass: Option<u32>| {
            let read = parse_cursor(&format!("{position}{text}"));
            assert_eq!(read.ok().map(|(_, to_pass)| to_pass), to_pass, "{text}");
        };
        check("", Some(0));
        check("~0", Some(0));
        check("~17", Some(17));
        for wrong in ["~", "~+1", "~x", "~99999999999", "~1~2"] {
            check(wrong, None);
        }
    }
}
