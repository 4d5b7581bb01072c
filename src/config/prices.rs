//! What a candidate costs, as `[[models]]` and `[[models.fallbacks]]` say it.

use super::{decimals::fixed_point, reader::Section};

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
    section.accept(&text.place, fixed_point(&text.value, 6, 1_000_000_000))
}
