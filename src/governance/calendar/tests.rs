use super::*;

fn at(time: &str) -> i64 {
    let zoned: jiff::Zoned = time.parse().unwrap();
    zoned.timestamp().as_millisecond()
}

/// The period around `time` begins and ends at these times, and what lies before and after it lies in others.
fn check(period: BudgetPeriod, time: &str, start: &str, end: &str) {
    let zoned: jiff::Zoned = time.parse().unwrap();
    let zone = zoned.time_zone();
    let expected = Span {
        start_unix_ms: at(start),
        end_unix_ms: at(end),
    };
    for inside in [at(time), expected.start_unix_ms, expected.end_unix_ms - 1] {
        let span = Span::around(inside, period, zone);
        assert_eq!(span, expected, "{time}: {inside}");
        assert!(contains(span, inside));
    }
    let before = Span::around(expected.start_unix_ms - 1, period, zone);
    assert_eq!(before.end_unix_ms, expected.start_unix_ms, "{time}");
    let after = Span::around(expected.end_unix_ms, period, zone);
    assert_eq!(after.start_unix_ms, expected.end_unix_ms, "{time}");
}

fn contains(span: Span, at_unix_ms: i64) -> bool {
    (span.start_unix_ms..span.end_unix_ms).contains(&at_unix_ms)
}

fn hours(span: Span) -> i64 {
    (span.end_unix_ms - span.start_unix_ms) / HOUR_MS
}

#[test]
fn periods_follow_the_calendar() {
    use BudgetPeriod::{Day, Hour, Month, Week};
    let now = "2026-02-28T23:59:59.999Z[UTC]";
    check(
        Hour,
        now,
        "2026-02-28T23:00Z[UTC]",
        "2026-03-01T00:00Z[UTC]",
    );
    check(Day, now, "2026-02-28T00:00Z[UTC]", "2026-03-01T00:00Z[UTC]");
    check(
        Week,
        now,
        "2026-02-23T00:00Z[UTC]",
        "2026-03-02T00:00Z[UTC]",
    );
    check(
        Month,
        now,
        "2026-02-01T00:00Z[UTC]",
        "2026-03-01T00:00Z[UTC]",
    );
    check(
        Week,
        "2026-01-01T12:00Z[UTC]",
        "2025-12-29T00:00Z[UTC]",
        "2026-01-05T00:00Z[UTC]",
    );
    check(
        Month,
        "2026-12-31T12:00Z[UTC]",
        "2026-12-01T00:00Z[UTC]",
        "2027-01-01T00:00Z[UTC]",
    );
    check(
        Hour,
        "2026-01-01T12:10[Asia/Kathmandu]",
        "2026-01-01T12:00[Asia/Kathmandu]",
        "2026-01-01T13:00[Asia/Kathmandu]",
    );
    let total = Span::around(at(now), BudgetPeriod::Total, &TimeZone::UTC);
    assert_eq!((total, total.end_if_any()), (Span::TOTAL, None));
}

#[test]
fn days_have_the_hours_that_the_clocks_give_them() {
    let check = |day: &str, expected| {
        let noon = format!("{day}T12:00");
        for (zone, expected) in expected {
            let span = Span::around(
                at(&format!("{noon}[{zone}]")),
                BudgetPeriod::Day,
                &TimeZone::get(zone).unwrap(),
            );
            assert_eq!(hours(span), expected, "{day} {zone}");
        }
    };
    check(
        "2026-03-29",
        [("Europe/Berlin", 23), ("America/Sao_Paulo", 24)],
    );
    check("2026-10-25", [("Europe/Berlin", 25), ("UTC", 24)]);
    check(
        "2018-11-04",
        [("America/Sao_Paulo", 23), ("America/New_York", 25)],
    );
    check(
        "2018-02-17",
        [("America/Sao_Paulo", 25), ("Europe/Berlin", 24)],
    );
}

#[test]
fn a_day_without_a_midnight_begins_when_the_clock_is_set() {
    let day = BudgetPeriod::Day;
    check(
        day,
        "2018-11-04T12:00[America/Sao_Paulo]",
        "2018-11-04T01:00[America/Sao_Paulo]",
        "2018-11-05T00:00[America/Sao_Paulo]",
    );
    // Clocks went from 23:30 to 0:30, so that the new day began half past.
    check(
        day,
        "1919-03-31T12:00[America/Toronto]",
        "1919-03-31T00:30[America/Toronto]",
        "1919-04-01T00:00[America/Toronto]",
    );
    // Samoa left out a whole day.
    check(
        day,
        "2011-12-29T12:00[Pacific/Apia]",
        "2011-12-29T00:00[Pacific/Apia]",
        "2011-12-31T00:00[Pacific/Apia]",
    );
}

#[test]
fn a_midnight_that_comes_twice_begins_one_day() {
    // Clocks went back from one o'clock to midnight.
    check(
        BudgetPeriod::Day,
        "2026-11-01T12:00[America/Havana]",
        "2026-11-01T00:00-04:00[America/Havana]",
        "2026-11-02T00:00[America/Havana]",
    );
    // From one minute past midnight to an hour before: the old date was there again, and the new day went on.
    let day = BudgetPeriod::Day;
    check(
        day,
        "2006-10-29T12:00[America/St_Johns]",
        "2006-10-29T00:00-02:30[America/St_Johns]",
        "2006-10-30T00:00[America/St_Johns]",
    );
    let again = at("2006-10-28T23:30-03:30[America/St_Johns]");
    let span = Span::around(again, day, &TimeZone::get("America/St_Johns").unwrap());
    assert_eq!(
        span.start_unix_ms,
        at("2006-10-29T00:00-02:30[America/St_Johns]")
    );
}

#[test]
fn an_hour_begins_whenever_the_clock_shows_a_full_one() {
    let hour = BudgetPeriod::Hour;
    let (summer, winter) = ("+02:00[Europe/Berlin]", "+01:00[Europe/Berlin]");
    check(
        hour,
        &format!("2026-10-25T02:30{summer}"),
        &format!("2026-10-25T02:00{summer}"),
        &format!("2026-10-25T02:00{winter}"),
    );
    check(
        hour,
        &format!("2026-10-25T02:30{winter}"),
        &format!("2026-10-25T02:00{winter}"),
        &format!("2026-10-25T03:00{winter}"),
    );
    check(
        hour,
        &format!("2026-03-29T01:30{winter}"),
        &format!("2026-03-29T01:00{winter}"),
        &format!("2026-03-29T03:00{summer}"),
    );
    // Set by half an hour, the clock shows no full hour for an hour and a half.
    let (summer, winter) = ("+11:00[Australia/Lord_Howe]", "+10:30[Australia/Lord_Howe]");
    for inside in [
        format!("2026-04-05T01:50{summer}"),
        format!("2026-04-05T01:50{winter}"),
    ] {
        check(
            hour,
            &inside,
            &format!("2026-04-05T01:00{summer}"),
            &format!("2026-04-05T02:00{winter}"),
        );
    }
    check(
        hour,
        &format!("2025-10-05T02:40{summer}"),
        &format!("2025-10-05T01:00{winter}"),
        &format!("2025-10-05T03:00{summer}"),
    );
}

#[test]
fn periods_lie_side_by_side_through_years_of_changing_clocks() {
    for zone in [
        "Europe/Berlin",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
    ] {
        let zone = TimeZone::get(zone).unwrap();
        for period in [
            BudgetPeriod::Hour,
            BudgetPeriod::Day,
            BudgetPeriod::Week,
            BudgetPeriod::Month,
        ] {
            let mut now = at("2005-12-31T23:00Z[UTC]");
            let end = if period == BudgetPeriod::Hour {
                now + 500 * 24 * HOUR_MS
            } else {
                at("2027-01-01T00:00Z[UTC]")
            };
            while now < end {
                let span = Span::around(now, period, &zone);
                assert!(contains(span, now), "{period:?} {now}");
                let next = Span::around(span.end_unix_ms, period, &zone);
                assert_eq!(next.start_unix_ms, span.end_unix_ms, "{period:?} {now}");
                now = span.end_unix_ms;
            }
        }
    }
}

#[test]
fn the_ends_of_time_have_periods_too() {
    for period in BudgetPeriod::ALL {
        for now in [i64::MIN, -1, 0, i64::MAX - 1] {
            let span = Span::around(now, period, &TimeZone::get("Europe/Berlin").unwrap());
            assert!(span.start_unix_ms < span.end_unix_ms, "{period:?} {now}");
        }
    }
}
