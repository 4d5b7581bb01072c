//! Decimal numbers, read exactly: amounts of money are never floating point.

/// A decimal number that is not negative, in units of its last of `places` decimal places; at most `most` whole ones.
pub(super) fn fixed_point(text: &str, places: usize, most: u64) -> Result<u64, String> {
    let malformed = || "must be a plain decimal number such as 0.15".to_owned();
    let out_of_range = || format!("must be from 0 to {most}, with at most {places} decimal places");
    if text.starts_with('-') {
        return Err(out_of_range());
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(malformed());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places {
        return Err(out_of_range());
    }
    let scaled = format!("{whole}{fraction:0<places$}").parse::<u128>();
    let scale = (0..places).fold(1_u128, |scale, _| scale * 10);
    scaled
        .ok()
        .filter(|scaled| *scaled <= u128::from(most) * scale)
        .and_then(|scaled| u64::try_from(scaled).ok())
        .ok_or_else(out_of_range)
}

/// An amount of money in nano-units (10⁻⁹).
pub(super) fn nanos(text: &str) -> Result<i64, String> {
    const MOST: u64 = 1_000_000_000;
    fixed_point(text, 9, MOST).map(|nanos| i64::try_from(nanos).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_are_exact_or_refused() {
        let check = |text: &str, expected: Option<u64>| {
            let found = fixed_point(text, 6, 1_000_000_000);
            assert_eq!(found.ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("0.15", Some(150_000));
        check("0.600000000", Some(600_000));
        check("2.5", Some(2_500_000));
        check("15", Some(15_000_000));
        check("+1.0", Some(1_000_000));
        check("0.000001", Some(1));
        check("1000000000", Some(1_000_000_000_000_000));
        check("1000000000.000001", None);
        check("99999999999999999999999", None);
        check(&"9".repeat(400), None);
        check("0.0000001", None);
        check("-1", None);
        check("-0.1", None);
        check("1e3", None);
        check("1.5e-1", None);
        check("inf", None);
        check("nan", None);
        check(".5", None);
        check("5.", None);
        check("0x10", None);
        check("1_000", None);
        check("$5", None);
        check("", None);
    }

    #[test]
    fn money_has_nine_places() {
        for (text, expected) in [
            ("25.00", Some(25_000_000_000)),
            ("0.000000001", Some(1)),
            ("0.0000000001", None),
            ("1000000000", Some(1_000_000_000_000_000_000)),
            ("1000000000.1", None),
        ] {
            assert_eq!(nanos(text).ok(), expected, "{text}");
        }
    }
}
