//! `[governance]`: when the gateway speaks up about budgets.

use super::reader::Section;

/// What budgets report.
#[derive(Debug, Clone)]
pub struct Governance {
    /// `budget_thresholds_percent`: parts of a budget whose spending is announced, ascending; default 50, 80 and 100.
    pub budget_thresholds_percent: Vec<u8>,
}

impl Governance {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            budget_thresholds_percent: read_thresholds(section),
        }
    }
}

fn read_thresholds(section: &mut Section<'_, '_>) -> Vec<u8> {
    const KEY: &str = "budget_thresholds_percent";
    const COUNT_MAX: usize = 10;
    let mut percents = section.numbers(KEY, 1..=100);
    if !section.has(KEY) {
        return vec![50, 80, 100];
    }
    let place = section.place_of(KEY);
    if percents.len() > COUNT_MAX {
        section.error(&place, format!("must be at most {COUNT_MAX}"));
    }
    percents.sort_unstable();
    percents.dedup();
    percents
}
