//! What every list has in common: a position to go on from, a time limit, optional filters.
//!
//! A list is read in chunks of at most [`SCAN_ROWS`] rows, each in a read transaction of its own: a reader that keeps
//! one open stops the write-ahead log from being reused, and a rare filter must not keep it open for a whole walk.

use std::time::{Duration, Instant};

use rusqlite::types::Value;

use super::StoreError;
use crate::ids::RequestId;

/// How many rows are looked at in one read transaction, a few milliseconds' worth.
pub(super) const SCAN_ROWS: usize = 2_000;

/// The page size where the query names none.
const LIMIT_DEFAULT: usize = 100;

/// The bits of a UUIDv7 below its time.
const BITS_BELOW_TIME: u32 = 80;
const TIME_MAX_MS: u64 = (1 << 48) - 1;

pub(super) fn limit_or_default(limit: Option<u32>) -> usize {
    limit.map_or(LIMIT_DEFAULT, |limit| {
        usize::try_from(limit).unwrap_or(LIMIT_DEFAULT)
    })
}

/// When a list must answer with what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

/// A place in the order of ids (and attempts), where a list goes on: what lies below it comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    id: u128,
    attempt: u32,
}

impl Position {
    /// Above every row.
    pub(super) const END: Self = Self {
        id: u128::MAX,
        attempt: u32::MAX,
    };

    pub(super) fn of(id: RequestId) -> Self {
        Self {
            id: u128::from_be_bytes(*id.as_bytes()),
            attempt: 0,
        }
    }

    /// Below every request that started at `unix_ms` or later, above all others.
    pub(super) fn start_of(unix_ms: i64) -> Self {
        let unix_ms = u64::try_from(unix_ms).unwrap_or_default().min(TIME_MAX_MS);
        Self {
            id: u128::from(unix_ms) << BITS_BELOW_TIME,
            attempt: 0,
        }
    }

    pub(super) fn with_attempt(self, attempt: i64) -> Self {
        Self {
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            ..self
        }
    }

    pub(super) fn id(self) -> [u8; 16] {
        self.id.to_be_bytes()
    }

    /// Above this one by one id.
    pub(super) fn next(self) -> Self {
        Self {
            id: self.id.saturating_add(1),
            attempt: 0,
        }
    }

    /// Below this one by one id.
    pub(super) fn previous(self) -> Self {
        Self {
            id: self.id.saturating_sub(1),
            attempt: 0,
        }
    }

    pub(super) fn attempt(self) -> i64 {
        i64::from(self.attempt)
    }

    /// The time in the id.
    pub(super) fn unix_ms(self) -> i64 {
        i64::try_from(self.id >> BITS_BELOW_TIME).unwrap_or(i64::MAX)
    }

    /// Opaque to clients: the id in hexadecimal, and the attempt where there is one.
    pub(super) fn to_cursor(self) -> String {
        match self.attempt {
            0 => format!("{:032x}", self.id),
            attempt => format!("{:032x}-{attempt}", self.id),
        }
    }

    pub(super) fn parse(cursor: &str) -> Result<Self, StoreError> {
        let (id, attempt) = match cursor.split_once('-') {
            Some((id, attempt)) => (id, Some(attempt)),
            None => (cursor, None),
        };
        // Checked digit by digit, because `from_str_radix` takes a sign too.
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(StoreError::InvalidCursor);
        }
        let id = u128::from_str_radix(id, 16).map_err(|_| StoreError::InvalidCursor)?;
        let attempt = match attempt {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| StoreError::InvalidCursor)?
            }
            Some(_) => return Err(StoreError::InvalidCursor),
            None => 0,
        };
        Ok(Self { id, attempt })
    }
}

/// Ids from one on, up to but without another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdRange {
    low: u128,
    high: u128,
}

impl IdRange {
    pub(super) const ALL: Self = Self {
        low: 0,
        high: u128::MAX,
    };

    /// Requests that started at `from_unix_ms` or later, and before `to_unix_ms`.
    pub(super) fn of_time(from_unix_ms: i64, to_unix_ms: i64) -> Self {
        Self {
            low: Position::start_of(from_unix_ms).id,
            high: Position::start_of(to_unix_ms).id,
        }
    }

    /// One id alone.
    pub(super) fn of(id: RequestId) -> Self {
        let position = Position::of(id);
        Self::ALL.from(position).below(position.next())
    }

    pub(super) fn is_empty(self) -> bool {
        self.low >= self.high
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
    }

    /// Without what lies below `position`.
    pub(super) fn from(self, position: Position) -> Self {
        Self {
            low: self.low.max(position.id),
            ..self
        }
    }

    /// Without `position` and what lies above it.
    pub(super) fn below(self, position: Position) -> Self {
        Self {
            high: self.high.min(position.id),
            ..self
        }
    }

    /// Whether it spans so many milliseconds at most.
    pub(super) fn is_within_ms(self, ms: u64) -> bool {
        self.end().unix_ms().saturating_sub(self.first().unix_ms())
            <= i64::try_from(ms).unwrap_or(i64::MAX)
    }

    pub(super) fn first(self) -> Position {
        Position {
            id: self.low,
            attempt: 0,
        }
    }

    /// The first position that is not in it any more.
    pub(super) fn end(self) -> Position {
        Position {
            id: self.high,
            attempt: 0,
        }
    }

    /// Both ends as column values.
    pub(super) fn values(self) -> [Value; 2] {
        [self.low, self.high].map(|id| Value::Blob(id.to_be_bytes().to_vec()))
    }
}

/// The conditions of a query that were given, and their values in the same order.
#[derive(Debug, Default)]
pub(super) struct Filter {
    conditions: String,
    values: Vec<Value>,
}

impl Filter {
    /// Adds `condition`, which holds one `?`, where there is a value for it.
    pub(super) fn and(&mut self, condition: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.always(condition);
            self.values.push(value.into());
        }
    }

    /// Adds `condition`, which holds as many `?` as there are values.
    pub(super) fn and_all(
        &mut self,
        condition: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) {
        self.always(condition);
        self.values.extend(values);
    }

    /// Adds a condition that needs no value.
    pub(super) fn always(&mut self, condition: &'static str) {
        self.conditions.push_str(" AND ");
        self.conditions.push_str(condition);
    }

    /// Begins with ` AND `, or is empty.
    pub(super) fn conditions(&self) -> &str {
        &self.conditions
    }

    pub(super) fn values(&self) -> impl Iterator<Item = Value> + use<'_> {
        self.values.iter().cloned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_is_refused() {
        for position in [
            Position::END,
            Position::start_of(1_767_225_600_000),
            Position::start_of(1).with_attempt(3),
        ] {
            let cursor = position.to_cursor();
            assert_eq!(Position::parse(&cursor).unwrap(), position, "{cursor}");
        }
        let id = "0".repeat(32);
        for wrong in [
            "",
            "abc",
            "+0000000000000000000000000000001",
            &format!("{id}-"),
            &format!("{id}-+1"),
            &format!("{id}-99999999999"),
            &format!("{id}0"),
            &"é".repeat(16),
        ] {
            assert!(Position::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_holds_its_first_id_and_not_its_end() {
        let day = IdRange::of_time(1_000, 2_000);
        assert_eq!(day.first(), Position::start_of(1_000));
        assert_eq!(day.end(), Position::start_of(2_000));
        assert_eq!(day.below(day.first().next()).end(), day.first().next());
        assert!(day.below(day.first()).is_empty());
        assert!(day.from(day.end()).is_empty());
        assert!(!day.from(day.end().previous()).is_empty());
        assert_eq!(day.and(IdRange::ALL), day);
        assert!(day.and(IdRange::of_time(2_000, 3_000)).is_empty());
    }

    #[test]
    fn a_position_keeps_its_time_within_what_an_id_can_say() {
        assert_eq!(Position::start_of(123).unix_ms(), 123);
        assert_eq!(Position::start_of(-1).unix_ms(), 0);
        assert!(Position::start_of(i64::MAX) < Position::END);
    }
}
