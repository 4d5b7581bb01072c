//! Money as people write it: `"25.00"`. Everywhere else it is a whole number of nano-units (10⁻⁹).

const NANOS_PER_UNIT: i64 = 1_000_000_000;
const DECIMALS_MAX: usize = 9;

/// `12.5` for 12,500,000,000 nano-units: no more decimals than there are.
pub fn decimal_of_nanos(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let per_unit = NANOS_PER_UNIT.unsigned_abs();
    let (whole, rest) = (nanos / per_unit, nanos % per_unit);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let decimals = format!("{rest:09}");
    format!("{sign}{whole}.{}", decimals.trim_end_matches('0'))
}

/// The reverse, for amounts that are not negative. `None` for what is no such number, is finer than a nano-unit, or
/// does not fit.
pub fn nanos_of_decimal(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > DECIMALS_MAX {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let nanos: i64 = format!("{decimals:0<9}").parse().ok()?;
    whole.checked_mul(NANOS_PER_UNIT)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_as_it_is_read() {
        let check = |text: &str, nanos: i64| {
            assert_eq!(nanos_of_decimal(text), Some(nanos), "{text}");
            assert_eq!(decimal_of_nanos(nanos), text);
        };
        check("0", 0);
        check("25", 25_000_000_000);
        check("0.000000001", 1);
        check("12.5", 12_500_000_000);
        check("9223372036.854775807", i64::MAX);
        assert_eq!(nanos_of_decimal("25.00"), Some(25_000_000_000));
        assert_eq!(decimal_of_nanos(-1_500_000_000), "-1.5");
        assert_eq!(decimal_of_nanos(i64::MIN), "-9223372036.854775808");
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "1.0000000001",
            "9223372036.854775808",
            "99999999999999999999",
            "١",
        ] {
            assert_eq!(nanos_of_decimal(wrong), None, "{wrong}");
        }
    }
}
