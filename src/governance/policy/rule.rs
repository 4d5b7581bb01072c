//! One rule: its lists and its condition against one request.

use std::sync::Arc;

use jiff::{
    Timestamp,
    civil::{DateTime, Weekday},
    tz::TimeZone,
};

use super::{Subject, index::Selector};
use crate::config::{HourRange, Policy, PolicyCondition};

/// A policy that is in force.
#[derive(Debug)]
pub(super) struct Rule {
    policy: Arc<Policy>,
    /// The lists that the index has not looked at, sorted.
    lists: Box<[List]>,
    condition: Option<Condition>,
}

#[derive(Debug)]
struct List {
    selector: Selector,
    names: Box<[Arc<str>]>,
}

#[derive(Debug)]
struct Condition {
    when: When,
    tokens_above: Option<u64>,
    cost_above_nanos: Option<i64>,
    stream: Option<bool>,
}

/// The part of a condition that is about the time.
#[derive(Debug)]
struct When {
    hours: Option<HourRange>,
    /// Empty: all.
    days: Vec<Weekday>,
    /// Which of the [`Zones`].
    zone_number: usize,
    zone: TimeZone,
}

/// The time zones of a configuration, each once.
#[derive(Debug, Default)]
pub(super) struct Zones(Vec<TimeZone>);

/// A request's time, looked up in a zone when a rule first asks.
#[derive(Debug)]
pub(super) struct Moment {
    at: Timestamp,
    /// The last one of each remainder of its zone's number: few configurations have more zones than this has places.
    local: [Option<(usize, DateTime)>; LOCAL_TIMES],
}

const LOCAL_TIMES: usize = 4;

impl Rule {
    /// `indexed` is the list by which the rule is found.
    pub(super) fn new(policy: &Arc<Policy>, indexed: Option<Selector>, zones: &mut Zones) -> Self {
        let lists = Selector::ALL
            .into_iter()
            .filter(|selector| Some(*selector) != indexed)
            .filter_map(|selector| {
                let mut names = selector.names(policy).to_vec();
                names.sort();
                (!names.is_empty()).then(|| List {
                    selector,
                    names: names.into(),
                })
            })
            .collect();
        Self {
            policy: Arc::clone(policy),
            lists,
            condition: policy.when.as_ref().map(|when| Condition::new(when, zones)),
        }
    }

    pub(super) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    pub(super) fn needs_estimate(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| {
            condition.tokens_above.is_some() || condition.cost_above_nanos.is_some()
        })
    }

    /// Whether the lists that the index has not looked at are met, and the condition.
    pub(super) fn is_met(&self, subject: &Subject<'_>, moment: &mut Moment) -> bool {
        self.lists.iter().all(|list| list.is_met(subject))
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(subject, moment))
    }
}

impl List {
    fn is_met(&self, subject: &Subject<'_>) -> bool {
        self.selector.name_of(subject).is_some_and(|name| {
            self.names
                .binary_search_by(|listed| listed.as_ref().cmp(name))
                .is_ok()
        })
    }
}

impl Condition {
    fn new(condition: &PolicyCondition, zones: &mut Zones) -> Self {
        Self {
            when: When {
                hours: condition.hours,
                days: condition.days.clone(),
                zone_number: zones.number_of(&condition.time_zone),
                zone: condition.time_zone.clone(),
            },
            tokens_above: condition.estimated_tokens_above,
            cost_above_nanos: condition.estimated_cost_above_nanos,
            stream: condition.streaming,
        }
    }

    /// The cheap questions first.
    fn holds(&self, subject: &Subject<'_>, moment: &mut Moment) -> bool {
        self.stream.is_none_or(|stream| stream == subject.stream)
            && self
                .tokens_above
                .is_none_or(|bound| subject.estimated_tokens > bound)
            && self
                .cost_above_nanos
                .is_none_or(|bound| subject.estimated_cost_nanos.is_none_or(|cost| cost > bound))
            && self.when.holds(moment)
    }
}

impl When {
    /// Hours after midnight belong to the day on which their range began: Friday's night ends on Saturday morning.
    fn holds(&self, moment: &mut Moment) -> bool {
        if self.hours.is_none() && self.days.is_empty() {
            return true;
        }
        let now = moment.local(self);
        let began = match self.hours {
            None => Some(now.weekday()),
            Some(hours) => day_of_range(hours, now),
        };
        began.is_some_and(|day| self.days.is_empty() || self.days.contains(&day))
    }
}

/// The day on which the range began that `now` lies in.
fn day_of_range(hours: HourRange, now: DateTime) -> Option<Weekday> {
    let HourRange {
        from_minute: from,
        to_minute: to,
    } = hours;
    let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
    let (from, to) = (i32::from(from), i32::from(to));
    if from < to {
        return (from..to).contains(&minute).then(|| now.weekday());
    }
    if minute >= from {
        Some(now.weekday())
    } else {
        (minute < to).then(|| now.weekday().previous())
    }
}

impl Zones {
    fn number_of(&mut self, zone: &TimeZone) -> usize {
        let known = self.0.iter().position(|known| known == zone);
        known.unwrap_or_else(|| {
            self.0.push(zone.clone());
            self.0.len() - 1
        })
    }
}

impl Moment {
    pub(super) fn new(unix_ms: i64) -> Self {
        Self {
            at: Timestamp::from_millisecond(unix_ms).unwrap_or_default(),
            local: [None; LOCAL_TIMES],
        }
    }

    fn local(&mut self, when: &When) -> DateTime {
        let place = &mut self.local[when.zone_number % LOCAL_TIMES];
        match place {
            Some((number, local)) if *number == when.zone_number => *local,
            _ => {
                let local = when.zone.to_datetime(self.at);
                *place = Some((when.zone_number, local));
                local
            }
        }
    }
}
