//! Where in a day the rows can be that fulfil all conditions of a list.

use ferrogate_api::StatusFilter;
use roaring::RoaringBitmap;
use rusqlite::{Connection, Error};

use super::{Facet, Span, SpanSet, day_values::ValueId, live::Facets, saved};
use crate::store::days::Day;

/// A facet and the value that a list wants of it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Condition {
    pub(in crate::store) facet: Facet,
    pub(in crate::store) wanted: Wanted,
}

/// Which values are wanted.
#[derive(Debug, Clone)]
pub(in crate::store) enum Wanted {
    Exactly(String),
    Status(StatusFilter),
}

impl Wanted {
    /// Whether a value of the status facet is among those that a filter wants.
    pub(super) fn matches(filter: StatusFilter, value: &str) -> bool {
        value
            .parse()
            .is_ok_and(|status: u16| filter.matches(status))
    }
}

/// The places of a day in which rows can be that fulfil all of some conditions.
#[derive(Debug)]
pub(in crate::store) struct Candidates<'f> {
    facets: &'f Facets,
    day: Day,
    /// Spans of which nothing is known.
    unknown: SpanSet,
    /// Spans in which each condition is fulfilled somewhere.
    spans: SpanSet,
    /// For each condition, the values that fulfil it.
    places: Vec<Vec<(ValueId, SpanSet)>>,
}

impl Facets {
    /// Where in `day` rows can be that fulfil all `conditions`.
    pub(in crate::store) fn candidates(
        &self,
        day: Day,
        connection: &Connection,
        conditions: &[Condition],
    ) -> Result<Candidates<'_>, Error> {
        // Asked before and after, because a span may become known in between, or the other way round.
        let unknown = self.unknown(day);
        let mut places = Vec::with_capacity(conditions.len());
        let mut spans = SpanSet(u128::MAX);
        for Condition { facet, wanted } in conditions {
            // Memory first: what leaves it is in the file by then.
            let found = match self.find(day, *facet, wanted) {
                Some(found) => found,
                None => match wanted {
                    Wanted::Exactly(text) => saved::find(connection, *facet, text)?,
                    Wanted::Status(status) => {
                        saved::find_all(connection, *facet, |text| Wanted::matches(*status, text))?
                    }
                },
            };
            let of_condition = found
                .iter()
                .fold(SpanSet::default(), |all, (_, spans)| all.or(*spans));
            spans = spans.and(of_condition);
            places.push(found);
        }
        // The rarest first: it empties the others soonest.
        places.sort_by_key(|found| {
            found
                .iter()
                .map(|(_, spans)| spans.0.count_ones())
                .sum::<u32>()
        });
        Ok(Candidates {
            facets: self,
            day,
            unknown: unknown.or(self.unknown(day)),
            spans,
            places,
        })
    }
}

impl Candidates<'_> {
    /// The spans to look into, oldest first.
    pub(in crate::store) fn spans(&self) -> impl DoubleEndedIterator<Item = Span> + use<> {
        self.spans.or(self.unknown).iter()
    }

    /// The blocks of a span to look into; `None` for all of them.
    pub(in crate::store) fn blocks(
        &self,
        connection: &Connection,
        span: Span,
    ) -> Result<Option<RoaringBitmap>, Error> {
        let mut all: Option<RoaringBitmap> = None;
        for places in &self.places {
            let Some(any) = self.any_of(connection, span, places)? else {
                return Ok(None);
            };
            let both = match all {
                Some(all) => all & any,
                None => any,
            };
            if both.is_empty() && !self.is_unknown(span) {
                return Ok(Some(both));
            }
            all = Some(both);
        }
        if self.is_unknown(span) {
            return Ok(None);
        }
        Ok(all)
    }

    fn is_unknown(&self, span: Span) -> bool {
        self.unknown
            .or(self.facets.unknown(self.day))
            .contains(span)
    }

    /// The blocks in which one of the values occurs; `None` where one cannot be found that should be there.
    fn any_of(
        &self,
        connection: &Connection,
        span: Span,
        places: &[(ValueId, SpanSet)],
    ) -> Result<Option<RoaringBitmap>, Error> {
        let mut any = RoaringBitmap::new();
        for (id, _) in places.iter().filter(|(_, spans)| spans.contains(span)) {
            let in_memory = self.facets.blocks(self.day, span, *id);
            let in_file = saved::blocks(connection, span, *id)?;
            if in_memory.is_none() && in_file.is_none() {
                return Ok(None);
            }
            for blocks in [in_memory, in_file].into_iter().flatten() {
                any |= blocks;
            }
        }
        Ok(Some(any))
    }
}
