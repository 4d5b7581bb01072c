//! Times as operators write them: how long ago or how long from now, a date, or a time in RFC 3339.

use std::time::Duration;

use anyhow::{anyhow, bail};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::clock::Clock;

const UNITS: [(char, u64); 5] = [
    ('s', 1),
    ('m', 60),
    ('h', 3_600),
    ('d', 86_400),
    ('w', 604_800),
];

/// `90s`, `30m`, `2h`, `7d`, `2w`.
pub(super) fn duration(text: &str) -> anyhow::Result<Duration> {
    let wrong = || anyhow!("a length of time is expected, such as 90s, 30m, 2h, 7d or 2w");
    let last = text.chars().last().ok_or_else(wrong)?;
    let (_, secs) = UNITS
        .into_iter()
        .find(|(unit, _)| *unit == last)
        .ok_or_else(wrong)?;
    let digits = text.strip_suffix(last).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let secs = count.checked_mul(secs).ok_or_else(wrong)?;
    Ok(Duration::from_secs(secs))
}

/// A time in the past, in milliseconds since the epoch: `2h` is two hours ago.
pub(super) fn past_unix_ms(text: &str) -> anyhow::Result<i64> {
    let now = Clock::system().unix_ms();
    at(text, |ms| now.checked_sub(ms)).map(Timestamp::as_millisecond)
}

/// A time to come, in seconds since the epoch: `30d` is in thirty days.
pub(super) fn future_unix(text: &str) -> anyhow::Result<i64> {
    let now = Clock::system().unix_ms();
    let time = at(text, |ms| now.checked_add(ms))?;
    if time.as_millisecond() <= now {
        bail!("{time} is over");
    }
    Ok(time.as_second())
}

fn at(text: &str, from_now: impl Fn(i64) -> Option<i64>) -> anyhow::Result<Timestamp> {
    if let Ok(duration) = duration(text) {
        let ms = i64::try_from(duration.as_millis()).ok().and_then(from_now);
        let time = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        return time.ok_or_else(|| anyhow!("{text} is too long"));
    }
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    // A time without a zone could be anywhere; a date alone begins in UTC.
    let day = Date::strptime("%Y-%m-%d", text).map_err(|_| {
        anyhow!(
            "a time is expected: 90s, 30m, 2h, 7d, a date such as 2026-03-01, or one in RFC 3339 such as \
             2026-03-01T12:00:00Z"
        )
    })?;
    Ok(day.to_zoned(TimeZone::UTC)?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_one_unit() {
        let check = |text: &str, secs: Option<u64>| {
            let read = duration(text).ok().map(|duration| duration.as_secs());
            assert_eq!(read, secs, "{text}");
        };
        check("90s", Some(90));
        check("30m", Some(1800));
        check("2h", Some(7200));
        check("7d", Some(604_800));
        check("2w", Some(1_209_600));
        for wrong in [
            "",
            "h",
            "2",
            "-2h",
            "+2h",
            "2h30m",
            "1.5h",
            "2ü",
            "99999999999999999999w",
        ] {
            check(wrong, None);
        }
        assert_eq!(duration("9999999999999999999w").ok(), None);
    }

    #[test]
    fn a_time_lies_behind_or_ahead() {
        let now = Clock::system().unix_ms();
        let ago = past_unix_ms("2h").unwrap();
        assert!((now - 7_200_000 - ago).abs() < 10_000);
        let ahead = future_unix("30d").unwrap();
        assert!((now / 1000 + 2_592_000 - ahead).abs() < 10);
        assert_eq!(past_unix_ms("2026-01-01").unwrap(), 1_767_225_600_000);
        let zoned = past_unix_ms("2026-01-01T01:00:00+01:00").unwrap();
        assert_eq!(zoned, 1_767_225_600_000);
        let error = future_unix("2020-01-01").unwrap_err().to_string();
        assert_eq!(error, "2020-01-01T00:00:00Z is over");
        for wrong in ["yesterday", "2026-01-01T00:00:00", "9999999999w"] {
            assert!(past_unix_ms(wrong).is_err(), "{wrong}");
        }
    }
}
