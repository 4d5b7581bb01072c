//! The facets of one day in memory, for as long as the writer has its file open: every value that the day knows, and
//! what is not saved yet.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::{Facet, Place, Span, SpanSet};

/// A longer value has none of its own: nobody chooses it from a list, and the client decides how long it is.
const VALUE_BYTES_MAX: usize = 256;
/// Values without a place of their own share so many.
const SHARED: u32 = 256;

/// A value of a day, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ValueId(pub(super) u32);

impl ValueId {
    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

/// What a value is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Own(Arc<str>),
    /// One of [`SHARED`].
    Shared(u32),
}

/// Which of the shared places a value has that has none of its own: FNV-1a, which is the same in every version.
pub(super) fn shared_of(value: &str) -> u32 {
    let hash = value.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash % SHARED
}

/// One value of the day.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) facet: Facet,
    pub(super) name: Name,
    /// In the file and in memory together.
    pub(super) rows: u64,
    /// The same of its spans.
    pub(super) spans: SpanSet,
    /// Spans whose blocks are in the file, or some of them.
    pub(super) saved_spans: SpanSet,
    /// The file knows the value.
    pub(super) is_saved: bool,
}

/// What a span adds to a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) rows: u64,
    pub(super) blocks: RoaringBitmap,
}

/// What a span has in memory.
#[derive(Debug, Default)]
struct OpenSpan {
    parts: HashMap<ValueId, Part>,
}

/// What one slice of saving takes, see [`DayValues::unsaved`].
#[derive(Debug)]
pub(super) struct Unsaved {
    pub(super) parts: Vec<(ValueId, Part, Value)>,
    /// Values of other spans that the file must know before it knows later ones.
    pub(super) values: Vec<(ValueId, Value)>,
    /// Nothing of the span stays in memory.
    pub(super) is_last: bool,
}

/// The facets of one day.
#[derive(Debug)]
pub(super) struct DayValues {
    values_max: usize,
    /// Values of their own, for each facet.
    own: [HashMap<Arc<str>, ValueId>; Facet::COUNT],
    shared: HashMap<(Facet, u32), ValueId>,
    /// By their ids.
    values: Vec<Value>,
    open: BTreeMap<Span, OpenSpan>,
    /// The first value that the file may not know.
    saved_to: usize,
}

impl DayValues {
    /// Of what the file knows: values by their ids, without gaps.
    pub(super) fn new(values_max: usize, values: Vec<Value>) -> Self {
        let mut day = Self {
            values_max,
            own: Default::default(),
            shared: HashMap::new(),
            saved_to: values.len(),
            values: Vec::with_capacity(values.len()),
            open: BTreeMap::new(),
        };
        for value in values {
            day.add(value);
        }
        day
    }

    fn add(&mut self, value: Value) -> ValueId {
        let id = ValueId::at(self.values.len());
        match &value.name {
            Name::Own(text) => self.own[value.facet.index()].insert(Arc::clone(text), id),
            Name::Shared(number) => self.shared.insert((value.facet, *number), id),
        };
        self.values.push(value);
        id
    }

    /// Takes a span into memory, with nothing in it where it is not there yet.
    pub(super) fn open(&mut self, span: Span) {
        self.open.entry(span).or_default();
    }

    /// Adds a row's value. Its span is open.
    pub(super) fn note(&mut self, place: Place, facet: Facet, text: &str) {
        let id = self.id_of(facet, text);
        let Some(span) = self.open.get_mut(&place.span) else {
            return;
        };
        let part = span.parts.entry(id).or_default();
        part.rows += 1;
        part.blocks.insert(place.block);
        let value = &mut self.values[id.index()];
        value.rows += 1;
        value.spans.insert(place.span);
    }

    fn id_of(&mut self, facet: Facet, text: &str) -> ValueId {
        let own = &self.own[facet.index()];
        if let Some(id) = own.get(text) {
            return *id;
        }
        let name = if own.len() < self.values_max && text.len() <= VALUE_BYTES_MAX {
            Name::Own(text.into())
        } else {
            let number = shared_of(text);
            if let Some(id) = self.shared.get(&(facet, number)) {
                return *id;
            }
            Name::Shared(number)
        };
        self.add(Value {
            facet,
            name,
            rows: 0,
            spans: SpanSet::default(),
            saved_spans: SpanSet::default(),
            is_saved: false,
        })
    }

    /// The places in which rows with this value are: its own, and the one that it may share.
    pub(super) fn find(&self, facet: Facet, text: &str) -> Vec<(ValueId, SpanSet)> {
        let own = self.own[facet.index()].get(text);
        let shared = self.shared.get(&(facet, shared_of(text)));
        own.into_iter()
            .chain(shared)
            .map(|id| (*id, self.values[id.index()].spans))
            .collect()
    }

    /// The places of all values of a facet whose name `matches`.
    pub(super) fn find_all(
        &self,
        facet: Facet,
        matches: impl Fn(&str) -> bool,
    ) -> Vec<(ValueId, SpanSet)> {
        let own = self.own[facet.index()].iter();
        let shared = self.shared.iter().filter(|((of, _), _)| *of == facet);
        own.filter(|(text, _)| matches(text))
            .map(|(_, id)| id)
            .chain(shared.map(|(_, id)| id))
            .map(|id| (*id, self.values[id.index()].spans))
            .collect()
    }

    /// What memory has of a value's blocks in a span.
    pub(super) fn blocks(&self, span: Span, id: ValueId) -> Option<RoaringBitmap> {
        let part = self.open.get(&span)?.parts.get(&id)?;
        Some(part.blocks.clone())
    }

    /// How many rows each value has.
    pub(super) fn counts(&self) -> [Vec<(Name, u64)>; Facet::COUNT] {
        let mut counts: [Vec<_>; Facet::COUNT] = Default::default();
        for value in self.values.iter().filter(|value| value.rows > 0) {
            counts[value.facet.index()].push((value.name.clone(), value.rows));
        }
        counts
    }

    /// How many rows there are: each has an outcome.
    pub(super) fn rows(&self) -> u64 {
        self.values
            .iter()
            .filter(|value| value.facet == Facet::Outcome)
            .map(|value| value.rows)
            .sum()
    }

    pub(super) fn open_spans(&self) -> SpanSet {
        let mut spans = SpanSet::default();
        for span in self.open.keys() {
            spans.insert(*span);
        }
        spans
    }

    /// The next `limit` values of a span to be saved, in the order of their ids.
    pub(super) fn unsaved(&self, span: Span, limit: usize) -> Unsaved {
        let Some(open) = self.open.get(&span) else {
            return Unsaved {
                parts: Vec::new(),
                values: Vec::new(),
                is_last: true,
            };
        };
        let mut ids: Vec<_> = open.parts.keys().copied().collect();
        ids.sort_unstable();
        let is_last = ids.len() <= limit;
        ids.truncate(limit);
        let known_to = ids.last().map_or(0, |id| id.index() + 1);
        let others = self.saved_to..known_to;
        Unsaved {
            parts: ids
                .iter()
                .map(|id| {
                    let part = open.parts.get(id).cloned().unwrap_or_default();
                    (*id, part, self.values[id.index()].clone())
                })
                .collect(),
            values: others
                .map(ValueId::at)
                .filter(|id| !open.parts.contains_key(id))
                .map(|id| (id, self.values[id.index()].clone()))
                .filter(|(_, value)| !value.is_saved)
                .collect(),
            is_last,
        }
    }

    /// That slice is committed.
    pub(super) fn saved(&mut self, span: Span, slice: &Unsaved) {
        for (id, _) in &slice.values {
            self.mark_saved(*id);
        }
        for (id, ..) in &slice.parts {
            self.mark_saved(*id);
            self.values[id.index()].saved_spans.insert(span);
            if let Some(open) = self.open.get_mut(&span) {
                open.parts.remove(id);
            }
        }
        if slice.is_last {
            self.open.remove(&span);
        }
    }

    fn mark_saved(&mut self, id: ValueId) {
        self.values[id.index()].is_saved = true;
        self.saved_to = self.saved_to.max(id.index() + 1);
    }

    /// Begins a span anew, of which the file had `saved`.
    pub(super) fn begin_anew(&mut self, span: Span, saved: &[(ValueId, u64)]) {
        let open = self.open.remove(&span).unwrap_or_default();
        for (id, part) in &open.parts {
            self.take_back(*id, part.rows);
            self.leave_span(*id, span);
        }
        for (id, rows) in saved {
            self.take_back(*id, *rows);
            self.leave_span(*id, span);
        }
        self.open(span);
    }

    /// So many rows of a value are gone.
    pub(super) fn take_back(&mut self, id: ValueId, rows: u64) {
        if let Some(value) = self.values.get_mut(id.index()) {
            value.rows = value.rows.saturating_sub(rows);
        }
    }

    /// A value has no rows in a span any more.
    pub(super) fn leave_span(&mut self, id: ValueId, span: Span) {
        if let Some(value) = self.values.get_mut(id.index()) {
            value.spans.remove(span);
            value.saved_spans.remove(span);
        }
    }

    pub(super) fn value(&self, id: ValueId) -> Option<&Value> {
        self.values.get(id.index())
    }

    /// The place of one value alone, as its rows name it.
    pub(super) fn place_of(&self, facet: Facet, text: &str, span: Span) -> Option<ValueId> {
        self.find(facet, text)
            .into_iter()
            .find(|(_, spans)| spans.contains(span))
            .map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span(7);

    fn day(values_max: usize) -> DayValues {
        let mut day = DayValues::new(values_max, Vec::new());
        day.open(SPAN);
        day
    }

    fn at(block: u32) -> Place {
        Place { span: SPAN, block }
    }

    #[test]
    fn values_beyond_the_most_share_a_place_and_are_found_there() {
        let mut day = day(2);
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        for (block, text) in ["a", "b", "c", "a", &long].into_iter().enumerate() {
            day.note(at(u32::try_from(block).unwrap()), Facet::Model, text);
        }
        let blocks = |text: &str| {
            let places = day.find(Facet::Model, text);
            let mut all = RoaringBitmap::new();
            for (id, _) in places {
                all |= day.blocks(SPAN, id).unwrap();
            }
            all.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(blocks("a"), [0, 3]);
        assert_eq!(blocks("b"), [1]);
        assert_eq!(blocks("c"), [2]);
        assert_eq!(blocks(&long), [4]);
        assert!(day.find(Facet::Provider, "a").is_empty());
        let counts = &day.counts()[Facet::Model.index()];
        assert_eq!(counts.iter().map(|(_, rows)| rows).sum::<u64>(), 5);
        assert_eq!(counts.len(), 4);
    }

    #[test]
    fn a_span_is_saved_in_slices_and_the_file_never_knows_a_value_before_an_earlier_one() {
        let mut day = day(100);
        let other = Span(3);
        day.open(other);
        // Value 0 is of another span, which is saved later.
        day.note(
            Place {
                span: other,
                block: 0,
            },
            Facet::Model,
            "early",
        );
        for text in ["a", "b", "c"] {
            day.note(at(1), Facet::Model, text);
        }
        let first = day.unsaved(SPAN, 2);
        let ids = |slice: &Unsaved| slice.parts.iter().map(|(id, ..)| id.0).collect::<Vec<_>>();
        assert_eq!((ids(&first), first.is_last), (vec![1, 2], false));
        assert_eq!(first.values.len(), 1);
        day.saved(SPAN, &first);
        // What comes in between is in the last slice too.
        day.note(at(2), Facet::Model, "a");
        let last = day.unsaved(SPAN, 2);
        assert_eq!((ids(&last), last.is_last), (vec![1, 3], true));
        assert!(last.values.is_empty());
        day.saved(SPAN, &last);
        assert_eq!(day.open_spans(), SpanSet::of(other));
        assert!(day.unsaved(SPAN, 2).parts.is_empty());
    }

    #[test]
    fn a_span_begun_anew_counts_nothing() {
        let mut day = day(100);
        day.note(at(1), Facet::Model, "a");
        let slice = day.unsaved(SPAN, 10);
        day.saved(SPAN, &slice);
        day.open(SPAN);
        day.note(at(2), Facet::Model, "a");
        day.begin_anew(SPAN, &[(ValueId(0), 1)]);
        assert_eq!(day.counts(), <[Vec<_>; Facet::COUNT]>::default());
        assert_eq!(
            day.find(Facet::Model, "a"),
            [(ValueId(0), SpanSet::default())]
        );
        day.note(at(3), Facet::Model, "a");
        assert_eq!(day.counts()[Facet::Model.index()].len(), 1);
    }
}
