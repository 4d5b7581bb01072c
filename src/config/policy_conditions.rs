//! `when` of `[[policies]]`: a policy that is not always in force.

use jiff::{civil::Weekday, tz::TimeZone};

use super::{
    decimals,
    reader::Section,
    time_zones::{self, Zone},
    values::one_of,
};

/// All that is set has to hold; at least one thing is.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCondition {
    /// `hours` of the day, such as `22:00-06:00`.
    pub hours: Option<HourRange>,
    /// `days` of the week; empty means all. Hours after midnight belong to the day on which their range began.
    pub days: Vec<Weekday>,
    /// `time_zone` of hours and days; default UTC.
    pub time_zone: TimeZone,
    /// `estimated_tokens_above`: before a request is sent, input and output together.
    pub estimated_tokens_above: Option<u64>,
    /// `estimated_cost_above`, in nano-units.
    pub estimated_cost_above_nanos: Option<i64>,
    /// `streaming`: only requests that stream, or only those that do not.
    pub streaming: Option<bool>,
}

/// A part of the day in minutes since midnight: from the first, up to and without the last. Where it ends before it
/// begins, it goes over midnight; the two are never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourRange {
    pub from_minute: u16,
    pub to_minute: u16,
}

impl PolicyCondition {
    /// Reads `when`, if it is there.
    pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let is_set = section.has_table("when");
        let condition = section.section("when", &[], |section| {
            let condition = Self {
                hours: section.parsed("hours", HourRange::parse),
                days: section.all_parsed("days", |word| one_of(word, &DAYS)),
                time_zone: read_zone(section),
                estimated_tokens_above: section
                    .number_if_set("estimated_tokens_above", 0..=1_000_000_000_000),
                estimated_cost_above_nanos: section
                    .decimal_text("estimated_cost_above")
                    .and_then(|text| section.accept(&text.place, decimals::nanos(&text.value))),
                streaming: section.flag_if_set("streaming"),
            };
            if is_set {
                refuse_nothing(section);
            }
            condition
        });
        is_set.then_some(condition)
    }
}

fn read_zone(section: &mut Section<'_, '_>) -> TimeZone {
    let zone = section
        .parsed("time_zone", time_zones::parse)
        .unwrap_or_else(Zone::utc);
    if !zone.is_utc() && !section.has("hours") && !section.has("days") {
        let place = section.place_of("time_zone");
        section.error(&place, "has no meaning without `hours` or `days`");
    }
    zone.zone
}

/// A condition that asks for nothing would make a policy that is always in force.
fn refuse_nothing(section: &mut Section<'_, '_>) {
    const CONDITIONS: [&str; 5] = [
        "hours",
        "days",
        "estimated_tokens_above",
        "estimated_cost_above",
        "streaming",
    ];
    let asks = |key: &&str| section.has(key) && !section.is_empty_array(key);
    if !CONDITIONS.iter().any(asks) {
        let place = section.place();
        let list: Vec<_> = CONDITIONS.iter().map(|key| format!("`{key}`")).collect();
        section.absence(&place, format!("needs at least one of {}", list.join(", ")));
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The word of the file for a day of the week.
pub fn day_word(day: Weekday) -> &'static str {
    let named = DAYS.iter().find(|(_, known)| *known == day);
    named.map_or("", |(word, _)| word)
}

impl HourRange {
    const DAY: u16 = 24 * 60;

    fn parse(text: &str) -> Result<Self, String> {
        let range = text
            .split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        let (from_minute, to_minute) = range
            .filter(|(from, _)| *from < Self::DAY)
            .ok_or("must be two times of the day, such as `22:00-06:00`")?;
        if from_minute == to_minute {
            return Err("must not end when it begins; leave it out for the whole day".to_owned());
        }
        Ok(Self {
            from_minute,
            to_minute,
        })
    }
}

/// `06:30` in minutes, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= HourRange::DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_two_different_times_of_the_day() {
        let check = |text: &str, expected: Option<(u16, u16)>| {
            let found = HourRange::parse(text).ok();
            let found = found.map(|range| (range.from_minute, range.to_minute));
            assert_eq!(found, expected, "{text}");
        };
        check("09:00-17:30", Some((540, 1050)));
        check("22:00-06:00", Some((1320, 360)));
        check("00:00-24:00", Some((0, 1440)));
        check("23:59-00:00", Some((1439, 0)));
        check("09:00-09:00", None);
        check("24:00-01:00", None);
        check("09:60-10:00", None);
        check("25:00-26:00", None);
        check("9:00-10:00", None);
        check("+9:00-10:00", None);
        check("09:00", None);
        check("09-10", None);
        check("09:00 - 10:00", None);
        check("", None);
    }
}
