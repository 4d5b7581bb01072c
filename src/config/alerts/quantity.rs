//! What alert rules compare: numbers of anything, exact to a millionth.

use std::{fmt, time::Duration};

use serde_json::Number;

use super::super::decimals;

/// Millionths of whatever a metric counts: percent, milliseconds, bytes, money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u64);

const MILLIONTHS: u64 = 1_000_000;
const PLACES: usize = 6;
/// Ten terabytes are enough for a ledger, and fit in millionths.
const MOST: u64 = 10_000_000_000_000;

impl Quantity {
    /// So many whole ones.
    pub fn whole(count: u64) -> Self {
        Self(count.saturating_mul(MILLIONTHS))
    }

    /// `part * factor / whole`; nothing where there is no whole.
    pub fn ratio(part: u64, factor: u64, whole: u64) -> Option<Self> {
        let scaled = u128::from(part) * u128::from(factor);
        let scaled = scaled.saturating_mul(u128::from(MILLIONTHS));
        let found = scaled.checked_div(u128::from(whole))?;
        Some(Self(u64::try_from(found).unwrap_or(u64::MAX)))
    }

    /// A plain decimal number.
    ///
    /// # Errors
    /// What it must be.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        decimals::fixed_point(text, PLACES, MOST).map(Self)
    }

    /// The number in JSON: an integer where it is whole.
    pub fn number(self) -> Number {
        let float = Duration::from_micros(self.0).as_secs_f64();
        match Number::from_f64(float) {
            Some(number) if !self.0.is_multiple_of(MILLIONTHS) => number,
            Some(_) | None => Number::from(self.0 / MILLIONTHS),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / MILLIONTHS, self.0 % MILLIONTHS);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{rest:06}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_read_and_told_to_the_millionth() {
        let check = |text: &str, display: &str, number: &str| {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!(quantity.to_string(), display);
            assert_eq!(quantity.number().to_string(), number);
        };
        check("0", "0", "0");
        check("5.50", "5.5", "5.5");
        check("0.000001", "0.000001", "1e-6");
        check("99.999999", "99.999999", "99.999999");
        check("10000000000000", "10000000000000", "10000000000000");
        for wrong in ["-1", "1e3", "5%", "", "0.0000001", "10000000000001"] {
            assert!(Quantity::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_ratio_is_exact_and_has_a_whole() {
        assert_eq!(Quantity::ratio(1, 100, 3).unwrap().to_string(), "33.333333");
        assert_eq!(Quantity::ratio(5, 100, 5), Some(Quantity::whole(100)));
        assert_eq!(Quantity::ratio(1, 100, 0), None);
        assert_eq!(
            Quantity::ratio(u64::MAX, u64::MAX, 1),
            Some(Quantity(u64::MAX))
        );
    }
}
