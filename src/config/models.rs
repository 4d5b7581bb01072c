//! `[[models]]`: the logical names clients ask for.

use std::sync::Arc;

use super::{names::Names, reader::Section, values::one_of};

/// One logical model.
#[derive(Debug, Clone)]
pub struct Model {
    /// `name`: what clients send.
    pub name: Arc<str>,
    /// `provider`: the name of a `[[providers]]` entry.
    pub provider: Arc<str>,
    /// `provider_model`: what the provider calls it.
    pub provider_model: Arc<str>,
    /// `capabilities`: empty means every endpoint. Endpoint words are enforced, feature words are kept for listing.
    pub capabilities: Vec<Capability>,
    /// `input_price_per_1m` and `output_price_per_1m`; both or neither.
    pub price: Option<Price>,
    /// `default_max_output_tokens`: what a hold assumes when the request names no maximum; default 4096.
    pub default_max_output_tokens: u64,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// A word of `capabilities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Chat completions and responses.
    Chat,
    Embeddings,
    Streaming,
    Tools,
    Vision,
    Json,
    Reasoning,
}

/// Prices in micro-units (10⁻⁶) of the currency per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input_micros_per_million: u64,
    pub output_micros_per_million: u64,
}

impl Model {
    pub(super) const LATER: &'static [&'static str] = &[
        "fallbacks",
        "routing_strategy",
        "visible_organization_ids",
        "visible_project_ids",
        "context_window",
        "cache_enabled",
    ];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        names: &mut Names,
        providers: &Names,
    ) -> Option<Self> {
        let name = names.claim(section, "name");
        let provider = providers.refer(section, "provider");
        let provider_model = section.required("provider_model", |text| match text {
            "" => Err("must not be empty".to_owned()),
            name => Ok(name.into()),
        });
        let capabilities =
            section.all_parsed("capabilities", |word| one_of(word, &Capability::WORDS));
        let price = Price::read(section);
        let default_max_output_tokens =
            section.number("default_max_output_tokens", 4096, 1..=100_000_000);
        let enabled = section.flag("enabled", true);
        Some(Self {
            name: name?,
            provider: provider?,
            provider_model: provider_model?,
            capabilities,
            price,
            default_max_output_tokens,
            enabled,
        })
    }
}

impl Capability {
    const WORDS: [(&'static str, Self); 7] = [
        ("chat", Self::Chat),
        ("embeddings", Self::Embeddings),
        ("streaming", Self::Streaming),
        ("tools", Self::Tools),
        ("vision", Self::Vision),
        ("json", Self::Json),
        ("reasoning", Self::Reasoning),
    ];
}

impl Price {
    /// An output price without an input price, or the other way round, would count half of a request as free.
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        const KEYS: [&str; 2] = ["input_price_per_1m", "output_price_per_1m"];
        let [input, output] = KEYS.map(|key| {
            let text = section.decimal_text(key)?;
            section.accept(&text.place, micros(&text.value))
        });
        for (key, other) in [(KEYS[0], KEYS[1]), (KEYS[1], KEYS[0])] {
            if section.has(key) && !section.has(other) {
                let place = section.place_of(key);
                section.error(&place, format!("`{other}` has to stand beside it"));
            }
        }
        Some(Self {
            input_micros_per_million: input?,
            output_micros_per_million: output?,
        })
    }
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
