//! Facets of the request logs: which values a field has on a day, how often, and when. With them a list under a filter
//! reads only the places where a row can match, and the choices beside it are counted without a walk.
//!
//! A day has 83 *spans* of 2^20 ms (17.5 minutes), a span has 65,536 *blocks* of 16 ms. For each value there is a count,
//! the set of spans it occurs in, and for each of these a bitmap of blocks. On a quiet gateway a block holds one row, at
//! 2,000 requests a second some thirty; that many are read to find one.
//!
//! ```text
//!   writer ─ note ─▶ the open spans, in memory ─ save ─▶ facet_values, facet_blocks of the day's file
//!                                 ▲ build, from the rows of a span that is in neither
//! ```
//!
//! 1. A row is noted before it is committed: whatever a reader can see is in the facets. They may say more than there is
//!    (a commit failed, a row was deleted), never less.
//! 2. What is in memory adds to what is in the file. A reader looks into memory first: what has left it by then is in
//!    the file already.
//! 3. The first row of a span marks it in `facet_gaps`, in its own transaction; the mark goes with the last slice that
//!    saves the span. A span that has the mark and is not in memory is *unknown*: lists read all of it, and the writer
//!    builds it again from the rows, in slices.
//! 4. `facet_values.rows` is always the sum of the saved `facet_blocks.rows`, so that a span can be taken back.
//! 5. A field has at most `facet_values_max` values of its own a day. Those that come later share a few, by a hash of
//!    their name: lists read more than they need, and counts call them others.

mod answer;
mod candidates;
mod day_values;
mod live;
mod removal;
mod saved;
mod upkeep;

pub(super) use answer::totals;
pub(super) use candidates::{Condition, Wanted};
pub(super) use live::{Facets, Rows};
pub(super) use removal::remove_oldest;
pub(super) use saved::{gaps, rows as saved_rows};
pub(super) use upkeep::{save_all, slice};

use ferrogate_api::RequestLog;
use rusqlite::{Error, Row};

use super::days::{DAY_MS, Day};
use super::listing::IdRange;

const BLOCK_BITS: u32 = 4;
const SPAN_BITS: u32 = 20;
const SPANS: u8 = 83;

/// A field that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Facet {
    Status,
    Model,
    Provider,
    Key,
    Organization,
    Team,
    Project,
    User,
    Endpoint,
    Outcome,
    ErrorCode,
    Stream,
}

impl Facet {
    pub(super) const COUNT: usize = 12;

    /// In the order of their declaration.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Status,
        Self::Model,
        Self::Provider,
        Self::Key,
        Self::Organization,
        Self::Team,
        Self::Project,
        Self::User,
        Self::Endpoint,
        Self::Outcome,
        Self::ErrorCode,
        Self::Stream,
    ];

    /// What the filter is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Key => "key",
            Self::Organization => "organization",
            Self::Team => "team",
            Self::Project => "project",
            Self::User => "user",
            Self::Endpoint => "endpoint",
            Self::Outcome => "outcome",
            Self::ErrorCode => "error_code",
            Self::Stream => "stream",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.name() == name)
    }

    fn index(self) -> usize {
        match self {
            Self::Status => 0,
            Self::Model => 1,
            Self::Provider => 2,
            Self::Key => 3,
            Self::Organization => 4,
            Self::Team => 5,
            Self::Project => 6,
            Self::User => 7,
            Self::Endpoint => 8,
            Self::Outcome => 9,
            Self::ErrorCode => 10,
            Self::Stream => 11,
        }
    }
}

/// What [`each_value_of_row`] reads, in the order of [`Facet::ALL`].
const COLUMNS: &str = "status, model, provider, api_key_id, organization_id, team_id, project_id, user_id, endpoint, \
    outcome, error_code, stream";

/// The values of a log.
fn each_value(log: &RequestLog, mut note: impl FnMut(Facet, &str)) {
    note(Facet::Status, Digits::of(log.status).as_str());
    let tenant = log.tenant.as_deref();
    let of_tenant = |pick: fn(&ferrogate_api::TenantContext) -> &Option<std::sync::Arc<str>>| {
        tenant.and_then(|tenant| pick(tenant).as_deref())
    };
    let texts = [
        (Facet::Model, log.model.as_deref()),
        (Facet::Provider, log.provider.as_deref()),
        (Facet::Key, log.api_key_id.as_deref()),
        (
            Facet::Organization,
            of_tenant(|tenant| &tenant.organization_id),
        ),
        (Facet::Team, of_tenant(|tenant| &tenant.team_id)),
        (Facet::Project, of_tenant(|tenant| &tenant.project_id)),
        (Facet::User, of_tenant(|tenant| &tenant.user_id)),
        (Facet::Endpoint, Some(&*log.endpoint)),
        (Facet::Outcome, Some(log.outcome.as_str())),
        (Facet::ErrorCode, log.error_code.as_deref()),
        (Facet::Stream, Some(truth(log.stream))),
    ];
    for (facet, text) in texts {
        if let Some(text) = text {
            note(facet, text);
        }
    }
}

/// The values of a row whose columns from `first` on are [`COLUMNS`].
fn each_value_of_row(
    row: &Row<'_>,
    first: usize,
    mut note: impl FnMut(Facet, &str),
) -> Result<(), Error> {
    for (column, facet) in (first..).zip(Facet::ALL) {
        match facet {
            Facet::Status => note(facet, Digits::of(row.get(column)?).as_str()),
            Facet::Stream => note(facet, truth(row.get(column)?)),
            Facet::Model
            | Facet::Provider
            | Facet::Key
            | Facet::Organization
            | Facet::Team
            | Facet::Project
            | Facet::User
            | Facet::Endpoint
            | Facet::Outcome
            | Facet::ErrorCode => {
                if let Some(text) = row.get_ref(column)?.as_str_or_null()? {
                    note(facet, text);
                }
            }
        }
    }
    Ok(())
}

/// How a truth value is called as a value of a facet.
pub(super) fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// A status code as text, made without an allocation: the writer does it for every request.
struct Digits {
    bytes: [u8; 5],
    from: usize,
}

impl Digits {
    fn of(number: u16) -> Self {
        let mut digits = Self {
            bytes: *b"00000",
            from: 5,
        };
        let mut rest = number;
        while digits.from > 0 && (rest > 0 || digits.from == 5) {
            digits.from -= 1;
            digits.bytes[digits.from] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        digits
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[self.from..]).unwrap_or_default()
    }
}

/// One of the 83 pieces of a day in which facets are saved and built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span(u8);

impl Span {
    /// The ids of the span that `day` has of it.
    pub(super) fn ids(self, day: Day) -> IdRange {
        self.block_ids(day, 0, u32::MAX)
    }

    /// The ids of the blocks from `first` to `last`, with both.
    pub(super) fn block_ids(self, day: Day, first: u32, last: u32) -> IdRange {
        let start = day.start_unix_ms() + (i64::from(self.0) << SPAN_BITS);
        let span_end = (start + (1 << SPAN_BITS)).min(day.start_unix_ms() + DAY_MS);
        let end = start + ((i64::from(last) + 1) << BLOCK_BITS);
        IdRange::of_time(start + (i64::from(first) << BLOCK_BITS), end.min(span_end))
    }

    fn end_unix_ms(self, day: Day) -> i64 {
        day.start_unix_ms() + ((i64::from(self.0) + 1) << SPAN_BITS)
    }
}

/// Where a time of day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    span: Span,
    block: u32,
}

impl Place {
    fn of(unix_ms: i64) -> Self {
        let in_day = unix_ms.rem_euclid(DAY_MS);
        let in_span = in_day & ((1 << SPAN_BITS) - 1);
        Self {
            span: Span(u8::try_from(in_day >> SPAN_BITS).unwrap_or(SPANS - 1)),
            block: u32::try_from(in_span >> BLOCK_BITS).unwrap_or_default(),
        }
    }
}

/// Spans of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SpanSet(u128);

impl SpanSet {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn of(span: Span) -> Self {
        Self(1 << span.0)
    }

    fn contains(self, span: Span) -> bool {
        !self.and(Self::of(span)).is_empty()
    }

    fn insert(&mut self, span: Span) {
        *self = self.or(Self::of(span));
    }

    fn remove(&mut self, span: Span) {
        self.0 &= !Self::of(span).0;
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn newest(self) -> Option<Span> {
        self.iter().next_back()
    }

    /// Oldest first.
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Span> {
        (0..SPANS)
            .map(Span)
            .filter(move |span| self.contains(*span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_facet_is_found_by_its_name_and_its_place() {
        for (index, facet) in Facet::ALL.into_iter().enumerate() {
            assert_eq!(facet.index(), index);
            assert_eq!(Facet::parse(facet.name()), Some(facet));
        }
        assert_eq!(COLUMNS.split(", ").count(), Facet::COUNT);
    }

    #[test]
    fn a_status_is_written_as_its_digits() {
        for number in [0, 7, 99, 100, 200, 599, 999, 65_535] {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn the_blocks_of_a_day_cover_every_millisecond_of_it_once() {
        let day = Day::of(1_767_268_800_000);
        let check = |in_day: i64, span: u8, block: u32| {
            let unix_ms = day.start_unix_ms() + in_day;
            let place = Place::of(unix_ms);
            assert_eq!((place.span.0, place.block), (span, block), "{in_day}");
            let ids = place.span.block_ids(day, block, block);
            let of_ms = IdRange::of_time(unix_ms, unix_ms + 1);
            assert_eq!(ids.and(of_ms), of_ms, "{in_day}");
            assert_eq!(place.span.ids(day).and(ids), ids, "{in_day}");
        };
        check(0, 0, 0);
        check(15, 0, 0);
        check(16, 0, 1);
        check((1 << 20) - 1, 0, 65_535);
        check(1 << 20, 1, 0);
        check(DAY_MS - 1, 82, 26_047);
        let last = Span(82).ids(day);
        let next_day = IdRange::of_time(day.start_unix_ms() + DAY_MS, i64::MAX);
        assert!(last.and(next_day).is_empty());
    }

    #[test]
    fn a_set_of_spans_gives_back_what_was_put_in() {
        let mut set = SpanSet::default();
        for number in [82, 0, 41] {
            set.insert(Span(number));
        }
        set.remove(Span(41));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Span(0), Span(82)]);
        assert_eq!(set.newest(), Some(Span(82)));
        assert_eq!(SpanSet::default().newest(), None);
    }
}
