//! `budgets` of keys and tenants: how much may be spent in a calendar period.

use std::sync::Arc;

use ferrogate_api::{BudgetPeriod, BudgetUnit};
use jiff::tz::TimeZone;

use super::{
    decimals, names,
    reader::Section,
    time_zones::{self, Zone},
    values::one_of,
};

/// A sum of tokens or money for each period.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// `id`: unique in its account, and what top-ups refer to; default period and unit, such as `month-tokens`.
    pub id: Arc<str>,
    /// Which of `tokens` and `money` is set.
    pub unit: BudgetUnit,
    /// `tokens`, or `money` in nano-units; more than nothing.
    pub amount: i64,
    /// `period`: when it begins anew.
    pub period: BudgetPeriod,
    /// `time_zone`: whose calendar counts; default UTC.
    pub time_zone: TimeZone,
    pub time_zone_name: Arc<str>,
}

/// What is there of an account's budgets already.
#[derive(Default)]
struct Taken(Vec<Budget>);

impl Budget {
    const COUNT_MAX: usize = 16;
    /// Far from where a sum of them could leave an `i64`.
    const TOKENS: std::ops::RangeInclusive<i64> = 1..=1_000_000_000_000_000;

    /// Reads `monthly_token_budget`, which is a budget in short, and `budgets`.
    pub(super) fn read_all(section: &mut Section<'_, '_>) -> Vec<Self> {
        let mut taken = Taken::default();
        if let Some(amount) = section.number_if_set("monthly_token_budget", Self::TOKENS) {
            taken.0.push(Self {
                id: default_id(BudgetPeriod::Month, BudgetUnit::Tokens),
                unit: BudgetUnit::Tokens,
                amount,
                period: BudgetPeriod::Month,
                time_zone: TimeZone::UTC,
                time_zone_name: Zone::utc().name,
            });
        }
        section.sections("budgets", &[], |section| {
            let budget = Self::read(section)?;
            taken.add(section, budget);
            Some(())
        });
        if taken.0.len() > Self::COUNT_MAX {
            let place = section.place_of("budgets");
            section.error(&place, format!("must be at most {}", Self::COUNT_MAX));
        }
        taken.0
    }

    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        const PERIODS: [(&str, BudgetPeriod); 5] = [
            ("hour", BudgetPeriod::Hour),
            ("day", BudgetPeriod::Day),
            ("week", BudgetPeriod::Week),
            ("month", BudgetPeriod::Month),
            ("total", BudgetPeriod::Total),
        ];
        let id = section.parsed("id", names::id);
        let amount = read_amount(section);
        let period = section.required("period", |word| one_of(word, &PERIODS));
        let zone = section.parsed("time_zone", time_zones::parse);
        let unreadable = |key: &str, is_read: bool| section.has(key) && !is_read;
        if unreadable("id", id.is_some()) || unreadable("time_zone", zone.is_some()) {
            return None;
        }
        let zone = zone.unwrap_or_else(Zone::utc);
        if period == Some(BudgetPeriod::Total) && !zone.is_utc() {
            let place = section.place_of("time_zone");
            section.error(
                &place,
                "has no meaning for `total`, which never begins anew",
            );
        }
        let ((unit, amount), period) = (amount?, period?);
        Some(Self {
            id: id.unwrap_or_else(|| default_id(period, unit)),
            unit,
            amount,
            period,
            time_zone: zone.zone,
            time_zone_name: zone.name,
        })
    }
}

impl Taken {
    fn add(&mut self, section: &mut Section<'_, '_>, budget: Budget) {
        let same_span = |other: &&Budget| {
            (other.unit, other.period, &other.time_zone_name)
                == (budget.unit, budget.period, &budget.time_zone_name)
        };
        if let Some(other) = self.0.iter().find(same_span) {
            let place = section.place();
            let id = &other.id;
            section.error(
                &place,
                format!("`{id}` has the same unit, period and time zone; one of them is enough"),
            );
        } else if let Some(other) = self.0.iter().find(|other| other.id == budget.id) {
            let place = section.place_of("id");
            let id = &other.id;
            section.error(
                &place,
                format!("another budget has the id `{id}`; give one of them another `id`"),
            );
        } else {
            self.0.push(budget);
        }
    }
}

fn default_id(period: BudgetPeriod, unit: BudgetUnit) -> Arc<str> {
    format!("{}-{}", period.as_str(), unit.as_str()).into()
}

fn read_amount(section: &mut Section<'_, '_>) -> Option<(BudgetUnit, i64)> {
    let tokens = section.number_if_set("tokens", Budget::TOKENS);
    let money = section.decimal_text("money").and_then(|text| {
        let nanos = decimals::nanos(&text.value).and_then(|nanos| match nanos {
            0 => Err("must be more than 0".to_owned()),
            nanos => Ok(nanos),
        });
        section.accept(&text.place, nanos)
    });
    match (section.has("tokens"), section.has("money")) {
        (true, false) => tokens.map(|tokens| (BudgetUnit::Tokens, tokens)),
        (false, true) => money.map(|nanos| (BudgetUnit::Money, nanos)),
        (true, true) => {
            let place = section.place();
            section.error(&place, "takes only one of `tokens` and `money`");
            None
        }
        (false, false) => {
            let place = section.place();
            section.absence(&place, "needs one of `tokens` and `money`");
            None
        }
    }
}
