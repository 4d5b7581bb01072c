//! What has been counted and is not closed yet: the minutes that requests still end in, in memory.
//!
//! The writer thread counts into it and readers look into it, under one lock. For these minutes it is the whole truth:
//! their rows on the disk are copies. A minute is closed a few seconds after its end; a request whose record comes later
//! than that, because the writer was held up, counts in the oldest minute that is open.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use ferrogate_api::{CacheStatus, RequestLog};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{
    super::usage_rollups::{HOUR_MS, MINUTE_MS, floor},
    dimensions::{self, Dimensions},
    histogram::Histogram,
};
use crate::live::Verdict;

/// How long after its end a minute is still open.
const GRACE_MS: i64 = 5_000;
/// Where a sum stops growing; see the same of the ledger's sums.
const SUM_MAX: i64 = i64::MAX / 4;

/// What the requests of one combination came to in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) sums: Sums,
    pub(super) latency: Histogram,
    pub(super) ttft: Histogram,
    pub(super) overhead: Histogram,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) requests: i64,
    pub(super) errors: i64,
    pub(super) client_errors: i64,
    pub(super) rate_limited: i64,
    pub(super) cache_hits: i64,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) cost_nanos: i64,
}

impl Sums {
    pub(super) fn columns(&self) -> [i64; 8] {
        [
            self.requests,
            self.errors,
            self.client_errors,
            self.rate_limited,
            self.cache_hits,
            self.input_tokens,
            self.output_tokens,
            self.cost_nanos,
        ]
    }

    pub(super) fn from_columns(columns: [i64; 8]) -> Self {
        let [
            requests,
            errors,
            client_errors,
            rate_limited,
            cache_hits,
            input_tokens,
            output_tokens,
            cost_nanos,
        ] = columns;
        Self {
            requests,
            errors,
            client_errors,
            rate_limited,
            cache_hits,
            input_tokens,
            output_tokens,
            cost_nanos,
        }
    }

    fn add(&mut self, other: &Self) {
        let mut sums = self.columns();
        for (sum, more) in sums.iter_mut().zip(other.columns()) {
            *sum = sum.saturating_add(more).clamp(-SUM_MAX, SUM_MAX);
        }
        *self = Self::from_columns(sums);
    }
}

impl Cell {
    pub(super) fn merge(&mut self, other: &Self) {
        self.sums.add(&other.sums);
        self.latency.merge(&other.latency);
        self.ttft.merge(&other.ttft);
        self.overhead.merge(&other.overhead);
    }

    fn note(&mut self, log: &RequestLog) {
        let tokens = |count: u64| i64::try_from(count).unwrap_or(SUM_MAX);
        let verdict = Verdict::of(log);
        self.sums.add(&Sums {
            requests: 1,
            errors: i64::from(verdict == Verdict::ServerError),
            client_errors: i64::from(matches!(
                verdict,
                Verdict::ClientError | Verdict::RateLimited
            )),
            rate_limited: i64::from(verdict == Verdict::RateLimited),
            cache_hits: i64::from(log.cache == Some(CacheStatus::Hit)),
            input_tokens: tokens(log.tokens.input),
            output_tokens: tokens(log.tokens.output),
            cost_nanos: log.cost_nanos.unwrap_or_default(),
        });
        self.latency.record(log.duration_us);
        if let Some(ttft_us) = log.ttft_us {
            self.ttft.record(ttft_us);
        }
        if let Some(overhead_us) = log.overhead_us {
            self.overhead.record(overhead_us);
        }
    }
}

/// The minutes that are open.
#[derive(Debug)]
pub(in crate::store) struct Book {
    series_max: usize,
    hasher: DefaultHashBuilder,
    /// Places in `series`.
    known: HashTable<usize>,
    pub(super) series: Vec<Series>,
    /// Oldest first, none before `open_from`.
    pub(super) minutes: VecDeque<Minute>,
    /// Everything before it is closed. It never goes back.
    pub(super) open_from_unix_ms: i64,
    /// The hour in which it was last looked for combinations that are gone.
    hour_unix_ms: i64,
}

/// A combination of dimensions that was seen of late.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) dimensions: Arc<Dimensions>,
    /// Its row, once there is one.
    pub(super) id: Option<i64>,
    last_seen_unix_ms: i64,
}

#[derive(Debug)]
pub(super) struct Minute {
    pub(super) start_unix_ms: i64,
    /// By place in the book's `series`.
    pub(super) cells: Vec<Option<Box<Kept>>>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) cell: Cell,
    /// It is not on the disk as it is.
    pub(super) changed: bool,
}

impl Book {
    pub(super) fn new(series_max: usize, open_from_unix_ms: i64) -> Self {
        Self {
            series_max,
            hasher: DefaultHashBuilder::default(),
            known: HashTable::new(),
            series: Vec::new(),
            minutes: VecDeque::new(),
            open_from_unix_ms: floor(open_from_unix_ms, MINUTE_MS),
            hour_unix_ms: floor(open_from_unix_ms, HOUR_MS),
        }
    }

    /// Counts a request that ended. Of a combination that is known it allocates nothing, but for the first of a minute.
    pub(super) fn note(&mut self, log: &RequestLog) {
        let took_ms = i64::try_from(log.duration_us / 1000).unwrap_or_default();
        let ended_unix_ms = log.started_at_unix_ms.saturating_add(took_ms);
        let start = floor(ended_unix_ms, MINUTE_MS).max(self.open_from_unix_ms);
        let place = self.place_of(dimensions::of(log), start, self.series_max);
        let kept = self.kept(start, place);
        kept.cell.note(log);
        kept.changed = true;
    }

    /// Puts in what an earlier run of the process has written of an open minute.
    pub(super) fn restore(&mut self, start: i64, series: (i64, Dimensions), cell: Cell) {
        let (id, dimensions) = series;
        let borrowed = dimensions.0.each_ref().map(|text| &**text);
        // It has a row of its own, whether there is room for it or not.
        let place = self.place_of(borrowed, start, usize::MAX);
        self.series[place].id = Some(id);
        self.kept(start, place).cell.merge(&cell);
    }

    fn kept(&mut self, start: i64, place: usize) -> &mut Kept {
        let at = self
            .minutes
            .iter()
            .rposition(|minute| minute.start_unix_ms <= start);
        let index = match at {
            Some(index) if self.minutes[index].start_unix_ms == start => index,
            before => {
                let index = before.map_or(0, |before| before + 1);
                let minute = Minute {
                    start_unix_ms: start,
                    cells: Vec::new(),
                };
                self.minutes.insert(index, minute);
                index
            }
        };
        let cells = &mut self.minutes[index].cells;
        if cells.len() <= place {
            cells.resize_with(place + 1, || None);
        }
        cells[place].get_or_insert_default()
    }

    /// Where a combination stands; that of the rest where there is no room for another one.
    fn place_of(
        &mut self,
        dimensions: dimensions::Borrowed<'_>,
        now_unix_ms: i64,
        max: usize,
    ) -> usize {
        let hash = self.hash(dimensions);
        let found = self
            .known
            .find(hash, |place| self.series[*place].dimensions.is(dimensions))
            .copied();
        if let Some(place) = found {
            self.series[place].last_seen_unix_ms = now_unix_ms;
            return place;
        }
        if floor(now_unix_ms, HOUR_MS) > self.hour_unix_ms {
            self.hour_unix_ms = floor(now_unix_ms, HOUR_MS);
            self.forget_idle(now_unix_ms - HOUR_MS);
        }
        let is_rest = dimensions[0].is_empty();
        if self.series.len() >= max && !is_rest {
            return self.place_of([""; 8], now_unix_ms, max);
        }
        self.series.push(Series {
            dimensions: Arc::new(Dimensions::owned(dimensions)),
            id: None,
            last_seen_unix_ms: now_unix_ms,
        });
        let place = self.series.len() - 1;
        self.enter(hash, place);
        place
    }

    fn enter(&mut self, hash: u64, place: usize) {
        let (series, hasher) = (&self.series, &self.hasher);
        self.known.insert_unique(hash, place, |place| {
            let dimensions = &series[*place].dimensions.0;
            hash_of(hasher, dimensions.each_ref().map(|text| &**text))
        });
    }

    fn hash(&self, dimensions: dimensions::Borrowed<'_>) -> u64 {
        hash_of(&self.hasher, dimensions)
    }

    /// Makes room: combinations that nobody has used since then, and that no open minute counts, are let go of.
    fn forget_idle(&mut self, since_unix_ms: i64) {
        let counted = |place: usize| {
            let mut minutes = self.minutes.iter();
            minutes.any(|minute| minute.cells.get(place).is_some_and(Option::is_some))
        };
        let stays: Vec<bool> = self
            .series
            .iter()
            .enumerate()
            .map(|(place, series)| series.last_seen_unix_ms >= since_unix_ms || counted(place))
            .collect();
        let keep = |place: &mut usize| {
            let stays = stays.get(*place).copied().unwrap_or(true);
            *place += 1;
            stays
        };
        let mut place = 0;
        self.series.retain(|_| keep(&mut place));
        for minute in &mut self.minutes {
            let mut place = 0;
            minute.cells.retain(|_| keep(&mut place));
        }
        self.known.clear();
        for place in 0..self.series.len() {
            let dimensions = Arc::clone(&self.series[place].dimensions);
            let hash = self.hash(dimensions.0.each_ref().map(|text| &**text));
            self.enter(hash, place);
        }
    }

    /// Closes the minutes that are over; what was counted in them stays until [`Book::let_go`].
    pub(super) fn close(&mut self, now_unix_ms: i64) {
        let open_from = floor(now_unix_ms - GRACE_MS, MINUTE_MS);
        self.open_from_unix_ms = self.open_from_unix_ms.max(open_from);
    }

    /// Lets go of the minutes before `unix_ms`, which are on the disk as they are.
    pub(super) fn let_go(&mut self, unix_ms: i64) {
        self.minutes
            .retain(|minute| minute.start_unix_ms >= unix_ms);
    }
}

fn hash_of(hasher: &DefaultHashBuilder, dimensions: dimensions::Borrowed<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    for text in dimensions {
        text.hash(&mut state);
    }
    state.finish()
}

/// The first minute that is open at this time.
pub(super) fn open_from(now_unix_ms: i64) -> i64 {
    floor(now_unix_ms - GRACE_MS, MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000;

    fn log(key: &str, ended_unix_ms: i64) -> RequestLog {
        RequestLog {
            started_at_unix_ms: ended_unix_ms - 20,
            duration_us: 20_000,
            endpoint: "chat.completions".into(),
            api_key_id: Some(key.into()),
            status: 200,
            ..RequestLog::default()
        }
    }

    fn requests(book: &Book) -> Vec<(i64, Vec<i64>)> {
        let cells = |minute: &Minute| {
            let kept = minute.cells.iter();
            kept.map(|kept| kept.as_ref().map_or(0, |kept| kept.cell.sums.requests))
                .collect()
        };
        let minutes = book.minutes.iter();
        minutes
            .map(|minute| ((minute.start_unix_ms - NOON) / MINUTE_MS, cells(minute)))
            .collect()
    }

    #[test]
    fn a_request_counts_in_the_minute_in_which_it_ended() {
        let mut book = Book::new(10, NOON);
        for (key, second) in [("a", 61), ("a", 0), ("b", 59), ("a", 60), ("b", 130)] {
            book.note(&log(key, NOON + second * 1000));
        }
        assert_eq!(
            requests(&book),
            [(0, vec![1, 1]), (1, vec![2]), (2, vec![0, 1])]
        );
    }

    #[test]
    fn what_comes_late_counts_in_the_oldest_open_minute() {
        let mut book = Book::new(10, NOON);
        book.close(NOON + 64_999);
        book.note(&log("a", NOON + 1));
        assert_eq!(requests(&book), [(0, vec![1])]);
        book.close(NOON + 65_000);
        book.note(&log("a", NOON + 1));
        assert_eq!(requests(&book), [(0, vec![1]), (1, vec![1])]);
        // A clock that is set back opens nothing again.
        book.close(NOON - 600_000);
        book.note(&log("a", NOON - 600_000));
        assert_eq!(requests(&book), [(0, vec![1]), (1, vec![2])]);
        book.let_go(NOON + MINUTE_MS);
        assert_eq!(requests(&book), [(1, vec![2])]);
    }

    #[test]
    fn beyond_so_many_combinations_the_rest_is_one() {
        let mut book = Book::new(2, NOON);
        for key in ["a", "b", "c", "d", "a"] {
            book.note(&log(key, NOON));
        }
        assert_eq!(requests(&book), [(0, vec![2, 1, 2])]);
        assert!(book.series[2].dimensions.is_rest());
    }

    #[test]
    fn room_is_made_of_what_was_not_seen_for_an_hour() {
        let mut book = Book::new(2, NOON);
        book.note(&log("a", NOON));
        book.note(&log("b", NOON + HOUR_MS));
        book.close(NOON + HOUR_MS + 2 * MINUTE_MS);
        book.let_go(NOON + HOUR_MS + MINUTE_MS);
        book.note(&log("b", NOON + 2 * HOUR_MS));
        // The first newcomer of an hour clears up.
        book.note(&log("c", NOON + 2 * HOUR_MS));
        let keys: Vec<_> = book
            .series
            .iter()
            .map(|series| &*series.dimensions.0[1])
            .collect();
        assert_eq!(keys, ["b", "c"]);
        book.note(&log("b", NOON + 2 * HOUR_MS));
        assert_eq!(requests(&book).last(), Some(&(120, vec![2, 1])));
    }

    #[test]
    fn counting_a_known_combination_takes_well_under_a_microsecond_of_work() {
        // What can be held in a test: it finds its place again and makes no new one.
        let mut book = Book::new(10, NOON);
        let one = log("a", NOON);
        for _ in 0..10_000 {
            book.note(&one);
        }
        assert_eq!((book.series.len(), book.minutes.len()), (1, 1));
        assert_eq!(requests(&book), [(0, vec![10_000])]);
    }
}
