//! What readers and the writer share of the facets: the days whose facets are in memory, and the spans that are in
//! neither file nor memory. Every hold of the lock is short; no database is asked under it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ferrogate_api::RequestLog;
use parking_lot::Mutex;
use roaring::RoaringBitmap;
use rusqlite::{Connection, Error};

use super::{
    Facet, Place, Span, SpanSet,
    answer::Cache,
    candidates::Wanted,
    day_values::{DayValues, Name, Unsaved, Value, ValueId},
    each_value, saved,
};
use crate::ids::RequestId;
use crate::store::{days::Day, listing::Position};

/// A span is saved when requests are so much newer than its end: most of those that began in it have ended.
const GRACE_MS: i64 = 60_000;

/// How long a day is left alone whose facets could not be kept.
const REST: Duration = Duration::from_secs(600);

/// The facets of all days.
#[derive(Debug)]
pub(in crate::store) struct Facets {
    values_max: usize,
    days: Mutex<Days>,
    pub(super) cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Days {
    states: BTreeMap<Day, DayState>,
    /// The newest request that was noted: spans are over when time has gone on without them.
    newest_unix_ms: i64,
    /// The version of the day that changed last.
    version: u64,
}

#[derive(Debug, Default)]
struct DayState {
    /// Spans to be built from the rows.
    unknown: SpanSet,
    building: Option<Building>,
    /// Spans that are marked in the file, while the writer has it open.
    marked: SpanSet,
    /// The day's facets could not be kept, and are left alone for a while.
    rests_until: Option<Instant>,
    /// Present while the writer has the day's file open.
    values: Option<DayValues>,
    /// Changes with the facets in the file, and no day ever has the same again, nor one that is made anew.
    version: u64,
}

impl Days {
    fn state(&mut self, day: Day) -> &mut DayState {
        self.states.entry(day).or_default()
    }

    fn changed(&mut self, day: Day) -> &mut DayState {
        self.version += 1;
        let version = self.version;
        let state = self.state(day);
        state.version = version;
        state
    }
}

/// A span on its way from the rows into memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Building {
    pub(super) span: Span,
    /// Rows from here on have not been read yet.
    pub(super) next: Position,
}

impl DayState {
    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether a row of this id is noted now. What is not will be read when its span is built.
    fn takes(&self, id: RequestId, span: Span) -> bool {
        match self.building {
            Some(building) if building.span == span => Position::of(id) < building.next,
            Some(_) | None => !self.unknown.contains(span),
        }
    }
}

/// What the writer does next, a slice at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Task {
    Save(Span),
    Build(Span),
}

/// What is known of how many rows a day has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Rows {
    Are(u64),
    /// In the file, which has this version.
    InFile(u64),
    /// Some spans are still to be built.
    NotYet,
    /// They could not be, and it is not tried again soon.
    NotSoon,
}

/// The state of a day that a count begins with.
pub(super) enum Counts {
    InMemory(Box<[Vec<(Name, u64)>; Facet::COUNT]>),
    /// In the file, which has this version.
    InFile(u64),
}

impl Facets {
    pub(in crate::store) fn new(values_max: usize) -> Self {
        Self {
            values_max,
            days: Mutex::default(),
            cache: Mutex::default(),
        }
    }

    /// A day was found, with these spans marked.
    pub(in crate::store) fn found(&self, day: Day, gaps: SpanSet) {
        self.days.lock().changed(day).unknown = gaps;
    }

    /// Takes a day that is open for writing into memory.
    pub(in crate::store) fn load(
        &self,
        day: Day,
        connection: &mut Connection,
    ) -> Result<(), Error> {
        let is_loaded = |days: &Days| {
            days.states
                .get(&day)
                .is_some_and(|state| state.values.is_some())
        };
        if is_loaded(&self.days.lock()) {
            return Ok(());
        }
        let values = match saved::values(connection)? {
            Some(values) => values,
            None => {
                tracing::warn!(%day, "the facets of a day of request logs make no sense and are built anew");
                saved::reset(connection)?;
                Vec::new()
            }
        };
        let unknown = saved::gaps(connection)?;
        let mut days = self.days.lock();
        let state = days.changed(day);
        state.unknown = state.unknown.or(unknown);
        state.marked = unknown;
        state.values = Some(DayValues::new(self.values_max, values));
        Ok(())
    }

    /// The writer closes a day's file; what was not saved is to be built again.
    pub(in crate::store) fn unload(&self, day: Day) {
        let mut days = self.days.lock();
        let state = days.changed(day);
        if let Some(values) = state.values.take() {
            state.unknown = state.unknown.or(values.open_spans());
        }
        state.building = None;
        state.marked = SpanSet::default();
    }

    /// A day is gone.
    pub(in crate::store) fn forget(&self, day: Day) {
        self.days.lock().states.remove(&day);
    }

    /// Takes in rows that are about to be committed, and marks the spans that begin with them in the same transaction.
    /// Should that fail, [`Facets::unload`] is to be called.
    pub(in crate::store) fn note<'l>(
        &self,
        day: Day,
        logs: impl Iterator<Item = (RequestId, &'l RequestLog)>,
        transaction: &Connection,
    ) -> Result<(), Error> {
        for span in self.take_in(day, logs).iter() {
            saved::mark(transaction, span)?;
        }
        Ok(())
    }

    fn take_in<'l>(
        &self,
        day: Day,
        logs: impl Iterator<Item = (RequestId, &'l RequestLog)>,
    ) -> SpanSet {
        let mut to_mark = SpanSet::default();
        let mut days = self.days.lock();
        let Days {
            states,
            newest_unix_ms,
            version: _,
        } = &mut *days;
        let Some(state) = states.get_mut(&day) else {
            return to_mark;
        };
        for (id, log) in logs {
            let place = Place::of(id.unix_ms());
            *newest_unix_ms = id.unix_ms().max(*newest_unix_ms);
            if !state.marked.contains(place.span) {
                state.marked.insert(place.span);
                to_mark.insert(place.span);
            }
            if !state.takes(id, place.span) {
                continue;
            }
            let Some(values) = state.values.as_mut() else {
                continue;
            };
            values.open(place.span);
            each_value(log, |facet, text| values.note(place, facet, text));
        }
        to_mark
    }

    /// What there is to do, newest day first: saving comes before building, because it empties memory.
    pub(in crate::store) fn task(&self) -> Option<(Day, Task)> {
        let days = self.days.lock();
        let over = days.newest_unix_ms.saturating_sub(GRACE_MS);
        let newest_first = || days.states.iter().rev();
        let save = newest_first().find_map(|(day, state)| {
            let open = state.values.as_ref()?.open_spans();
            let span = open
                .iter()
                .filter(|span| !state.unknown.contains(*span))
                .find(|span| span.end_unix_ms(*day) <= over)?;
            Some((*day, Task::Save(span)))
        });
        save.or_else(|| {
            newest_first()
                .filter(|(_, state)| !state.rests())
                .find_map(|(day, state)| Some((*day, Task::Build(state.unknown.newest()?))))
        })
    }

    /// A day's facets could not be kept.
    pub(in crate::store) fn let_rest(&self, day: Day) {
        self.days.lock().state(day).rests_until = Some(Instant::now() + REST);
    }

    /// Spans of a day that only memory knows.
    pub(super) fn open_spans(&self, day: Day) -> SpanSet {
        self.with(day, |state| {
            let open = state.values.as_ref().map(DayValues::open_spans);
            SpanSet(open.unwrap_or_default().0 & !state.unknown.0)
        })
    }

    /// How many rows a day has, or where that stands.
    pub(in crate::store) fn rows(&self, day: Day) -> Rows {
        self.with(day, |state| match &state.values {
            _ if state.rests() => Rows::NotSoon,
            _ if !state.unknown.is_empty() => Rows::NotYet,
            Some(values) => Rows::Are(values.rows()),
            None => Rows::InFile(state.version),
        })
    }

    pub(super) fn unsaved(&self, day: Day, span: Span, limit: usize) -> Option<Unsaved> {
        self.with(day, |state| {
            let values = state.values.as_ref()?;
            Some(values.unsaved(span, limit))
        })
    }

    pub(super) fn saved(&self, day: Day, span: Span, slice: &Unsaved) {
        self.change(day, |state| {
            if slice.is_last {
                state.marked.remove(span);
            }
            if let Some(values) = &mut state.values {
                values.saved(span, slice);
            }
        });
    }

    /// The values of these ids, for who writes to the file.
    pub(super) fn values_of<T>(&self, day: Day, ids: &[(ValueId, T)]) -> Vec<Option<Value>> {
        self.with(day, |state| {
            let values = state.values.as_ref();
            ids.iter()
                .map(|(id, _)| values?.value(*id).cloned())
                .collect()
        })
    }

    /// The place of a value in a span.
    pub(super) fn place_of(
        &self,
        day: Day,
        span: Span,
        (facet, text): (Facet, &str),
    ) -> Option<ValueId> {
        self.with(day, |state| {
            state.values.as_ref()?.place_of(facet, text, span)
        })
    }

    /// Rows were deleted from the file: so many of each value, and where that was the last one in a span.
    pub(super) fn removed(
        &self,
        day: Day,
        rows: &BTreeMap<ValueId, u64>,
        left: &[(ValueId, Span)],
    ) {
        self.change(day, |state| {
            let Some(values) = &mut state.values else {
                return;
            };
            for (id, rows) in rows {
                values.take_back(*id, *rows);
            }
            for (id, span) in left {
                values.leave_span(*id, *span);
            }
        });
    }

    pub(super) fn building(&self, day: Day) -> Option<Building> {
        self.with(day, |state| state.building)
    }

    /// A span was taken out of the file, where it had these rows, and is built from its first row on.
    pub(super) fn begin_building(&self, day: Day, building: Building, had: &[(ValueId, u64)]) {
        self.change(day, |state| {
            state.building = Some(building);
            state.marked.insert(building.span);
            if let Some(values) = &mut state.values {
                values.begin_anew(building.span, had);
            }
        });
    }

    /// Takes in a value of a row that was read.
    pub(super) fn note_value(&self, day: Day, place: Place, (facet, text): (Facet, &str)) {
        self.with(day, |state| {
            if let Some(values) = &mut state.values {
                values.note(place, facet, text);
            }
        });
    }

    /// The rows before `next` are read; `ended`: that was all of them.
    pub(super) fn built_to(&self, day: Day, span: Span, (next, ended): (Position, bool)) {
        self.with(day, |state| {
            state.building = Some(Building { span, next });
            if ended {
                state.building = None;
                state.unknown.remove(span);
            }
        });
    }

    /// Where rows with the wanted value are, for a day in memory; `None` when the file is to be asked.
    pub(super) fn find(
        &self,
        day: Day,
        facet: Facet,
        wanted: &Wanted,
    ) -> Option<Vec<(ValueId, SpanSet)>> {
        self.with(day, |state| {
            let values = state.values.as_ref()?;
            Some(match wanted {
                Wanted::Exactly(text) => values.find(facet, text),
                Wanted::Status(status) => {
                    values.find_all(facet, |text| Wanted::matches(*status, text))
                }
            })
        })
    }

    pub(super) fn unknown(&self, day: Day) -> SpanSet {
        self.with(day, |state| state.unknown)
    }

    pub(super) fn blocks(&self, day: Day, span: Span, id: ValueId) -> Option<RoaringBitmap> {
        self.with(day, |state| state.values.as_ref()?.blocks(span, id))
    }

    /// How often each value of a day occurs, and whether that is all of the day.
    pub(super) fn counts(&self, day: Day) -> (Counts, bool) {
        self.with(day, |state| {
            let counts = match &state.values {
                Some(values) => Counts::InMemory(Box::new(values.counts())),
                None => Counts::InFile(state.version),
            };
            (counts, state.unknown.is_empty())
        })
    }

    fn change(&self, day: Day, change: impl FnOnce(&mut DayState)) {
        change(self.days.lock().changed(day));
    }

    fn with<T>(&self, day: Day, look: impl FnOnce(&mut DayState) -> T) -> T {
        let mut days = self.days.lock();
        match days.states.get_mut(&day) {
            Some(state) => look(state),
            None => look(&mut DayState::default()),
        }
    }
}
