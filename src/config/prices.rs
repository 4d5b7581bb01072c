//! What a candidate costs, as `[[models]]` and `[[models.fallbacks]]` say it.

use super::reader::Section;

/// Prices in micro-units (10⁻⁶) of the currency per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input_micros_per_million: u64,
    pub output_micros_per_million: u64,
    /// For input that was read from the provider's cache; `None`: the input price.
    pub cache_read_micros_per_million: Option<u64>,
    /// For input that was written to the provider's cache; `None`: the input price.
    pub cache_write_micros_per_million: Option<u64>,
    /// What a long request costs instead.
    pub long_context: Option<LongContext>,
}

/// The prices of a whole request whose input is over a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongContext {
    /// Input tokens, cached ones included, that still cost the ordinary price.
    pub above_input_tokens: u64,
    pub input_micros_per_million: u64,
    pub output_micros_per_million: u64,
    pub cache_read_micros_per_million: Option<u64>,
    pub cache_write_micros_per_million: Option<u64>,
}

impl Price {
    const BASE: [&'static str; 2] = ["input_price_per_1m", "output_price_per_1m"];
    const CACHE: [&'static str; 2] = ["cache_read_price_per_1m", "cache_write_price_per_1m"];

    /// Whether the table has a key of a price, usable or not.
    pub(super) fn is_written(section: &Section<'_, '_>) -> bool {
        let mut keys = Self::BASE.iter().chain(&Self::CACHE);
        keys.any(|key| section.has(key))
    }

    /// An output price without an input price, or the other way round, would count half of a request as free.
    pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let [input, output] = Self::BASE.map(|key| read_micros(section, key));
        let [cache_read, cache_write] = Self::CACHE.map(|key| read_micros(section, key));
        for key in Self::BASE.into_iter().chain(Self::CACHE) {
            for other in Self::BASE {
                if section.has(key) && !section.has(other) {
                    let place = section.place_of(key);
                    section.error(&place, format!("`{other}` has to stand beside it"));
                }
            }
        }
        Some(Self {
            input_micros_per_million: input?,
            output_micros_per_million: output?,
            cache_read_micros_per_million: cache_read,
            cache_write_micros_per_million: cache_write,
            long_context: None,
        })
    }
}

fn read_micros(section: &mut Section<'_, '_>, key: &'static str) -> Option<u64> {
    let text = section.decimal_text(key)?;
    section.accept(&text.place, micros(&text.value))
}

/// A decimal number in millionths, exactly.
fn micros(text: &str) -> Result<u64, String> {
    const PLACES: usize = 6;
    const MOST: u64 = 1_000_000_000;
    let malformed = || "must be a plain decimal number such as 0.15".to_owned();
    let out_of_range = || format!("must be from 0 to {MOST}, with at most {PLACES} decimal places");
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
    if fraction.len() > PLACES {
        return Err(out_of_range());
    }
    let micros = format!("{whole}{fraction:0<PLACES$}").parse::<u64>();
    micros
        .ok()
        .filter(|micros| *micros <= MOST * 1_000_000)
        .ok_or_else(out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_or_refused() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.15", Some(150_000)),
            ("0.600000000", Some(600_000)),
            ("2.5", Some(2_500_000)),
            ("15", Some(15_000_000)),
            ("+1.0", Some(1_000_000)),
            ("0.000001", Some(1)),
            ("1000000000", Some(1_000_000_000_000_000)),
            ("1000000000.000001", None),
            ("99999999999999999999999", None),
            ("0.0000001", None),
            ("-1", None),
            ("-0.1", None),
            ("1e3", None),
            ("1.5e-1", None),
            ("inf", None),
            ("nan", None),
            (".5", None),
            ("5.", None),
            ("0x10", None),
            ("1_000", None),
            ("$5", None),
            ("", None),
        ] {
            assert_eq!(micros(text).ok(), expected, "{text}");
        }
    }
}
