//! How often each value occurs, over days: what the facets endpoint answers.
//!
//! The counts of a day whose file is closed do not change, so they are kept, eight bytes a value: thirty days are added
//! up without a look into their files.

use std::{collections::BTreeMap, sync::Arc};

use ferrogate_api::{FacetCounts, FacetValue, FacetsTag, RequestLogFacets, RequestLogFacetsQuery};
use hashbrown::HashMap;

use super::{Facet, day_values::Name, live::Counts, saved};
use crate::store::{
    days::{DAY_MS, Day, DayFiles},
    listing::{Deadline, Position},
};

/// How many values are named where the query does not say.
const LIMIT_DEFAULT: usize = 20;
/// When so many names are kept, all of them are forgotten: those of days that are gone are never asked for again.
const NAMES_MAX: usize = 500_000;

/// A value's number among the names that are kept.
type NameId = u32;

/// The counts of closed days.
#[derive(Debug, Default)]
pub(super) struct Cache {
    names: [Names; Facet::COUNT],
    days: BTreeMap<Day, (u64, Arc<DayCounts>)>,
}

/// What the values of one facet are called.
#[derive(Debug, Default)]
struct Names {
    ids: HashMap<Arc<str>, NameId>,
    texts: Vec<Arc<str>>,
}

/// The counts of one day.
#[derive(Debug, Default)]
struct DayCounts {
    of: [Vec<(NameId, u64)>; Facet::COUNT],
    /// Of values that share a place.
    other: [u64; Facet::COUNT],
}

impl Names {
    fn id_of(&mut self, text: &str) -> NameId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = NameId::try_from(self.texts.len()).unwrap_or(NameId::MAX);
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }
}

impl Cache {
    /// Lets go of days that are gone, and of everything when the names have become too many.
    fn tidy(&mut self, files: &DayFiles) {
        self.days.retain(|day, _| files.has(*day));
        if self
            .names
            .iter()
            .map(|names| names.texts.len())
            .sum::<usize>()
            > NAMES_MAX
        {
            *self = Self::default();
        }
    }
}

impl DayCounts {
    fn add(
        &mut self,
        names: &mut [Names; Facet::COUNT],
        facet: Facet,
        (name, rows): (Option<&str>, u64),
    ) {
        let index = facet.index();
        match name {
            Some(text) => self.of[index].push((names[index].id_of(text), rows)),
            None => self.other[index] += rows,
        }
    }
}

/// Sums over several days, by the names' numbers.
#[derive(Debug, Default)]
struct Sums {
    of: [Vec<u64>; Facet::COUNT],
    other: [u64; Facet::COUNT],
}

impl Sums {
    fn add(&mut self, day: &DayCounts) {
        for (sums, counts) in self.of.iter_mut().zip(&day.of) {
            for (id, rows) in counts {
                let index = usize::try_from(*id).unwrap_or(usize::MAX);
                if index >= sums.len() {
                    sums.resize(index + 1, 0);
                }
                sums[index] += rows;
            }
        }
        for (sum, rows) in self.other.iter_mut().zip(day.other) {
            *sum += rows;
        }
    }
}

/// Adds up the days that the query touches, newest first; when `deadline` is over, with what there is.
pub(in crate::store) fn totals(
    files: &DayFiles,
    query: &RequestLogFacetsQuery,
    deadline: Deadline,
) -> RequestLogFacets {
    let oldest = Day::of(query.since.unwrap_or_default().max(0));
    let newest = match query.until {
        Some(until) => Day::of(until.saturating_sub(1)),
        None => Day::of(Position::END.unix_ms()),
    };
    let days = files.newest_first(newest, oldest);
    let mut cache = files.facets.cache.lock();
    cache.tidy(files);
    let mut sums = Sums::default();
    let mut complete = true;
    for (nth, day) in days.iter().enumerate() {
        if nth > 0 && deadline.is_over() {
            complete = false;
            break;
        }
        match counts_of(files, &mut cache, *day) {
            Some((counts, is_whole)) => {
                sums.add(&counts);
                complete &= is_whole;
            }
            None => complete = false,
        }
    }
    let limit = query.limit.map_or(LIMIT_DEFAULT, |limit| {
        usize::try_from(limit).unwrap_or(LIMIT_DEFAULT)
    });
    let facets = Facet::ALL
        .into_iter()
        .map(|facet| of_facet(facet, &cache.names[facet.index()], &sums, limit))
        .collect();
    RequestLogFacets {
        object: FacetsTag::Facets,
        since: days.last().map(|day| day.start_unix_ms()),
        until: days.first().map(|day| day.start_unix_ms() + DAY_MS),
        complete,
        facets,
    }
}

/// The counts of a day, and whether they are of all its rows.
fn counts_of(files: &DayFiles, cache: &mut Cache, day: Day) -> Option<(Arc<DayCounts>, bool)> {
    let (counts, is_whole) = files.facets.counts(day);
    let version = match counts {
        Counts::InMemory(facets) => {
            let mut counts = DayCounts::default();
            for (facet, values) in Facet::ALL.into_iter().zip(facets.iter()) {
                for (name, rows) in values {
                    let name = match name {
                        Name::Own(text) => Some(&**text),
                        Name::Shared(_) => None,
                    };
                    counts.add(&mut cache.names, facet, (name, *rows));
                }
            }
            return Some((Arc::new(counts), is_whole));
        }
        Counts::InFile(version) => version,
    };
    if let Some((of_version, counts)) = cache.days.get(&day)
        && *of_version == version
    {
        return Some((Arc::clone(counts), is_whole));
    }
    let mut counts = DayCounts::default();
    let read = files.read(day, |connection| {
        saved::each_count(connection, |facet, name, rows| {
            counts.add(&mut cache.names, facet, (name, rows));
        })
    });
    if let Err(error) = read {
        if files.has(day) {
            tracing::warn!(%day, error = ?error, "the facets of a day of request logs cannot be read");
        }
        return None;
    }
    let counts = Arc::new(counts);
    cache.days.insert(day, (version, Arc::clone(&counts)));
    Some((counts, is_whole))
}

fn of_facet(facet: Facet, names: &Names, sums: &Sums, limit: usize) -> FacetCounts {
    let mut counted: Vec<_> = names
        .texts
        .iter()
        .zip(&sums.of[facet.index()])
        .filter(|(_, rows)| **rows > 0)
        .collect();
    // Equally frequent ones by their names, so that two answers have the same order.
    let order = |(one, rows): &(&Arc<str>, &u64), (other, of_other): &(&Arc<str>, &u64)| {
        of_other.cmp(rows).then_with(|| one.cmp(other))
    };
    let rest = if counted.len() > limit {
        counted.select_nth_unstable_by(limit, order);
        counted.drain(limit..).map(|(_, rows)| *rows).sum()
    } else {
        0
    };
    counted.sort_unstable_by(order);
    let other = sums.other[facet.index()] + rest;
    FacetCounts {
        name: facet.name().to_owned(),
        values: counted
            .into_iter()
            .map(|(text, rows)| FacetValue {
                value: text.to_string(),
                count: *rows,
            })
            .collect(),
        other,
    }
}
