//! When a budget's period began and when it ends, by the calendar of its time zone.
//!
//! A day begins at its first instant, be it midnight or, where the clock is set forward over it, a later hour; so days
//! have 23 or 25 hours now and then, and a month ends when the next one's first day begins. A week begins on Monday. An
//! hour begins whenever the zone's clock shows a full hour. Periods follow one another without gap or overlap: one
//! that a clock set back shows again is not begun again.

use ferrogate_api::BudgetPeriod;
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

const HOUR_MS: i64 = 3_600_000;

/// One period, half-open, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start_unix_ms: i64,
    pub end_unix_ms: i64,
}

impl Span {
    /// The one period of a budget that never begins anew.
    pub(super) const TOTAL: Self = Self {
        start_unix_ms: 0,
        end_unix_ms: i64::MAX,
    };

    /// The period that `at_unix_ms` lies in.
    pub(super) fn around(at_unix_ms: i64, period: BudgetPeriod, zone: &TimeZone) -> Self {
        let limit = if at_unix_ms < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let at = Timestamp::from_millisecond(at_unix_ms).unwrap_or(limit);
        match period {
            BudgetPeriod::Hour => Self {
                start_unix_ms: hour_start(zone, at).as_millisecond(),
                end_unix_ms: hour_end(zone, at).as_millisecond(),
            },
            BudgetPeriod::Day | BudgetPeriod::Week | BudgetPeriod::Month => {
                Self::of_days(at, period, zone)
            }
            BudgetPeriod::Total => Self::TOTAL,
        }
    }

    /// When it ends, if it does.
    pub(super) fn end_if_any(self) -> Option<i64> {
        (self.end_unix_ms != i64::MAX).then_some(self.end_unix_ms)
    }

    fn of_days(at: Timestamp, period: BudgetPeriod, zone: &TimeZone) -> Self {
        let mut first = first_day(period, zone.to_datetime(at).date());
        loop {
            let next = day_after(period, first);
            let end = next.and_then(|day| day_start(zone, day));
            match (next, end) {
                // A clock that was set back across midnight shows a day that is over once more.
                (Some(next), Some(end)) if end <= at => first = next,
                _ => {
                    return Self {
                        start_unix_ms: day_start(zone, first)
                            .map_or(i64::MIN, Timestamp::as_millisecond),
                        end_unix_ms: end.map_or(i64::MAX, Timestamp::as_millisecond),
                    };
                }
            }
        }
    }
}

/// The first day of the period that `day` lies in.
fn first_day(period: BudgetPeriod, day: Date) -> Date {
    match period {
        BudgetPeriod::Month => day.first_of_month(),
        BudgetPeriod::Week => {
            let since_monday = i32::from(day.weekday().to_monday_zero_offset());
            day.checked_sub(since_monday.days()).unwrap_or(day)
        }
        BudgetPeriod::Hour | BudgetPeriod::Day | BudgetPeriod::Total => day,
    }
}

/// The first day of the next period; `None` at the end of time.
fn day_after(period: BudgetPeriod, first: Date) -> Option<Date> {
    let length = match period {
        BudgetPeriod::Month => 1.month(),
        BudgetPeriod::Week => 1.week(),
        BudgetPeriod::Hour | BudgetPeriod::Day | BudgetPeriod::Total => 1.day(),
    };
    first.checked_add(length).ok()
}

/// The first instant of a day. Of a midnight that comes twice it is the first; of one that is left out, the instant at
/// which it is left out.
fn day_start(zone: &TimeZone, day: Date) -> Option<Timestamp> {
    let midnight = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0));
    let in_gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let start = midnight.compatible().ok()?;
    // Inside a gap that is so much later than the gap's begin as the midnight was.
    Some(if in_gap {
        changed_since(zone, Timestamp::MIN, start).unwrap_or(start)
    } else {
        start
    })
}

/// The last instant up to `at` at which the zone's clock showed a full hour.
fn hour_start(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let mut from = at;
    loop {
        let full = moved(from, -since_full_hour(zone, from));
        match changed_since(zone, full, from) {
            // The clock was set within the hour: go on with what it showed before.
            Some(change) => from = moved(change, -1),
            None => return full,
        }
    }
}

/// The first instant after `at` at which the zone's clock shows a full hour.
fn hour_end(zone: &TimeZone, at: Timestamp) -> Timestamp {
    let mut from = at;
    loop {
        let full = moved(from, HOUR_MS - since_full_hour(zone, from));
        let change = zone
            .following(from)
            .next()
            .map(|change| change.timestamp())
            .filter(|change| *change <= full);
        match change {
            Some(change) if since_full_hour(zone, change) == 0 => return change,
            Some(change) => from = change,
            None => return full,
        }
    }
}

/// The last change of the zone's clock after `after` and up to `at`.
fn changed_since(zone: &TimeZone, after: Timestamp, at: Timestamp) -> Option<Timestamp> {
    let change = zone.preceding(moved(at, 1)).next()?.timestamp();
    (change > after).then_some(change)
}

/// How many milliseconds ago the zone's clock, had it not been set since, showed a full hour.
fn since_full_hour(zone: &TimeZone, at: Timestamp) -> i64 {
    let local_ms = at.as_millisecond() + i64::from(zone.to_offset(at).seconds()) * 1000;
    local_ms.rem_euclid(HOUR_MS)
}

fn moved(at: Timestamp, by_ms: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(by_ms))
        .unwrap_or(at)
}

#[cfg(test)]
mod tests;
