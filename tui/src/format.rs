//! Numbers, times and money as the console writes them: short, of a steady width, never by floating point.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `812`, `1.9k`, `21.7k`, `610k`, `1.2M`.
pub fn count(value: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    match UNITS.iter().find(|(unit, _)| value >= *unit) {
        None => value.to_string(),
        Some((unit, letter)) if value / unit >= 100 => format!("{}{letter}", value / unit),
        Some((unit, letter)) => match value % unit / (unit / 10) {
            0 => format!("{}{letter}", value / unit),
            tenths => format!("{}.{tenths}{letter}", value / unit),
        },
    }
}

/// `24,910`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds of a duration in microseconds: `0.3`, `9.1`, `612`, `104s`.
pub fn millis(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{}", us / 1_000, us % 1_000 / 100),
        10_000..100_000_000 => (us / 1_000).to_string(),
        _ => format!("{}s", us / 1_000_000),
    }
}

/// The same for the scale of a chart, in four columns: `0`, `0.5`, `500`, `1.5s`.
pub fn millis_short(us: u64) -> String {
    match us {
        0 => "0".to_owned(),
        1..1_000_000 => match millis(us) {
            text if text.ends_with(".0") => text.trim_end_matches(".0").to_owned(),
            text => text,
        },
        1_000_000..10_000_000 if us % 1_000_000 >= 100_000 => {
            format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000)
        }
        _ => format!("{}s", us / 1_000_000),
    }
}

/// A duration in microseconds with its unit: `42 µs`, `9.1 ms`, `612 ms`, `4.85 s`, `2 m 05 s`.
pub fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", millis(us)),
        1_000_000..60_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        _ => age(i64::try_from(us / 1_000).unwrap_or(i64::MAX)),
    }
}

/// A rate of thousandths per second: `0`, `3.2`, `412`, `21.7k`.
pub fn rate(milli: u64) -> String {
    match milli {
        0 => "0".to_owned(),
        1..10_000 => format!("{}.{}", milli / 1_000, milli % 1_000 / 100),
        _ => count(milli / 1_000),
    }
}

/// `part` of `whole` in percent: `0 %`, `0.8 %`, `31 %`.
pub fn percent(part: u64, whole: u64) -> String {
    let per_mille = part.saturating_mul(1_000).checked_div(whole).unwrap_or(0);
    match per_mille {
        0 if part > 0 => "<0.1 %".to_owned(),
        0 => "0 %".to_owned(),
        1..100 => format!("{}.{} %", per_mille / 10, per_mille % 10),
        _ => format!("{} %", per_mille / 10),
    }
}

/// `512 B`, `4.0 KiB`, `61 MiB`, `1.2 GiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match UNITS.iter().find(|(unit, _)| value >= *unit) {
        None => format!("{value} B"),
        Some((unit, name)) if value / unit >= 10 => format!("{} {name}", value / unit),
        Some((unit, name)) => format!("{}.{} {name}", value / unit, value % unit * 10 / unit),
    }
}

/// How long ago or how long for, in milliseconds: `0 s`, `51 s`, `3 m 20 s`, `2 h 04 m`, `12 d 4 h`.
pub fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} m {:02} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {:02} m", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The same with parts of a second, for what has just begun: `420 ms`, `3.1 s`, `51 s`.
pub fn fine_age(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms => age(ms),
    }
}

/// The time of day in UTC: `12:04:31`.
pub fn time_of_day(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1_000).rem_euclid(86_400);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// The time of day in UTC with milliseconds: `12:04:31.204`.
pub fn time_of_day_ms(unix_ms: i64) -> String {
    format!("{}.{:03}", time_of_day(unix_ms), unix_ms.rem_euclid(1_000))
}

/// The date in UTC: `2026-08-23`.
pub fn date(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms)
        .map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

/// Money with five decimals below one unit and two from there on: `$0.02102`, `$4.12`, `$1,870.00`.
pub fn money(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let units = nanos / 1_000_000_000;
    let rest = nanos % 1_000_000_000;
    match (units, rest) {
        (0, 0) => "$0".to_owned(),
        (0, 1..10_000) => format!("{sign}<$0.00001"),
        (0, _) => format!("{sign}$0.{:05}", rest / 10_000),
        _ => format!("{sign}${}.{:02}", grouped(units), rest / 10_000_000),
    }
}

/// The text cut to `width` columns, with an ellipsis where something is missing.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns + 1 > width {
            break;
        }
        used += columns;
        fitted.push(c);
    }
    if width > 0 {
        fitted.push('…');
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_rounded_up_into_a_lie() {
        let check = |actual: String, expected: &str| assert_eq!(actual, expected);
        check(count(999), "999");
        check(count(1_949), "1.9k");
        check(count(999_999), "999k");
        check(count(1_250_000), "1.2M");
        check(count(50_000), "50k");
        check(millis_short(1_500_000), "1.5s");
        check(millis_short(3_000_000), "3s");
        check(millis_short(500_000), "500");
        check(fine_age(3_120), "3.1 s");
        check(grouped(24_910), "24,910");
        check(grouped(100), "100");
        check(grouped(1_234_567), "1,234,567");
        check(millis(340), "0.3");
        check(millis(612_400), "612");
        check(millis(104_000_000), "104s");
        check(duration(42), "42 µs");
        check(duration(4_849_000), "4.84 s");
        check(duration(125_000_000), "2 m 05 s");
        check(rate(3_250), "3.2");
        check(rate(412_000), "412");
        check(percent(8, 1_000), "0.8 %");
        check(percent(1, 100_000), "<0.1 %");
        check(percent(0, 0), "0 %");
        check(bytes(64_225_280), "61 MiB");
        check(bytes(1_300_000_000), "1.2 GiB");
        check(age(7_440_000), "2 h 04 m");
        check(time_of_day_ms(1_787_486_671_204), "12:04:31.204");
        check(date(1_787_486_671_204), "2026-08-23");
        check(money(21_020_000), "$0.02102");
        check(money(4_120_000_000), "$4.12");
        check(money(1), "<$0.00001");
        check(money(0), "$0");
    }

    #[test]
    fn a_long_text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(fit("fast-chat", 9), "fast-chat");
        assert_eq!(fit("fast-chat", 6), "fast-…");
        assert_eq!(fit("模型模型", 5), "模型…");
        assert_eq!(fit("模型", 0), "");
    }
}
