//! The prices that providers publish, as far as the executable knows them: `assets/prices/catalog.json`.
//!
//! A generator makes that file from a published data set; its README says which, and what is left out. What the
//! configuration says wins over it. A model that neither knows has no price, which is not a price of zero.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{LongContext, Price, ProviderKind, price_rules::Rule};

/// Prices by provider kind and model name.
#[derive(Debug, Deserialize)]
pub struct PriceCatalog<'c> {
    version: &'c str,
    #[serde(borrow)]
    providers: Vec<ProviderPrices<'c>>,
}

/// What the models of one provider kind cost; the first whose rule fits is meant.
#[derive(Debug, Deserialize)]
struct ProviderPrices<'c> {
    kind: &'c str,
    /// Kinds whose models this one offers too, at their prices.
    #[serde(borrow)]
    also: Vec<&'c str>,
    models: Vec<ModelPrices<'c>>,
}

/// A model without a price is named all the same: a looser rule further down must not give it another's.
#[derive(Debug, Deserialize)]
struct ModelPrices<'c> {
    #[serde(borrow, rename = "match")]
    rule: Rule<'c>,
    price: Option<Base>,
    long_context: Option<Above>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Base {
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Above {
    above: u64,
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

impl PriceCatalog<'static> {
    /// The catalog of this executable, read when it is first asked for.
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<PriceCatalog<'static>> = LazyLock::new(|| {
            PriceCatalog::parse(include_str!("../../assets/prices/catalog.json"))
                .expect("a test reads the same bytes")
        });
        &EMBEDDED
    }
}

impl<'c> PriceCatalog<'c> {
    fn parse(text: &'c str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The data set, its version, and the day whose prices these are.
    pub fn version(&self) -> &str {
        self.version
    }

    /// What a provider of this kind asks for a model under its own list prices. `None`: nobody knows.
    pub fn price(&self, kind: ProviderKind, provider_model: &str) -> Option<Price> {
        let name = provider_model.to_ascii_lowercase();
        // Gemini's resource name of a model is accepted in place of its id.
        let name = match kind {
            ProviderKind::Gemini => name.strip_prefix("models/").unwrap_or(&name),
            _ => &name,
        };
        let model = self
            .find(kind.as_str(), name)
            .or_else(|| self.find(kind.as_str(), &with_dashed_dates(name)))?;
        model.price()
    }

    fn find(&self, kind: &str, name: &str) -> Option<&ModelPrices<'c>> {
        let own = self.provider(kind)?;
        let others = own.also.iter().filter_map(|kind| self.provider(kind));
        std::iter::once(own)
            .chain(others)
            .flat_map(|provider| &provider.models)
            .find(|model| model.rule.fits(name))
    }

    fn provider(&self, kind: &str) -> Option<&ProviderPrices<'c>> {
        self.providers.iter().find(|provider| provider.kind == kind)
    }
}

impl ModelPrices<'_> {
    fn price(&self) -> Option<Price> {
        let base = self.price?;
        Some(Price {
            input_micros_per_million: base.input,
            output_micros_per_million: base.output,
            cache_read_micros_per_million: base.cache_read,
            cache_write_micros_per_million: base.cache_write,
            long_context: self.long_context.map(|long| LongContext {
                above_input_tokens: long.above,
                input_micros_per_million: long.input,
                output_micros_per_million: long.output,
                cache_read_micros_per_million: long.cache_read,
                cache_write_micros_per_million: long.cache_write,
            }),
        })
    }
}

/// `-20251211` as `-2025-12-11`: some write the date of a model's version in one word, which rules have in three.
fn with_dashed_dates(name: &str) -> String {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let part = dashed_date(part).unwrap_or_else(|| part.to_owned());
        format!("{before}-{part}")
    })
}

fn dashed_date(part: &str) -> Option<String> {
    let (year, rest) = part.split_at_checked(4)?;
    let (month, rest) = rest.split_at_checked(2)?;
    let (day, rest) = rest.split_at_checked(2)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = year.starts_with("20")
        && digits(year)
        && digits(month)
        && digits(day)
        && ("01"..="12").contains(&month)
        && ("01"..="31").contains(&day);
    let ends = rest.is_empty() || rest.starts_with(':');
    (is_date && ends).then(|| format!("{year}-{month}-{day}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executables_catalog_knows_every_kind_that_publishes_prices() {
        let catalog = PriceCatalog::parse(include_str!("../../assets/prices/catalog.json"));
        let catalog = catalog.unwrap();
        assert_eq!(catalog.version(), PriceCatalog::embedded().version());
        for kind in ProviderKind::ALL {
            let own = catalog.provider(kind.as_str());
            if kind == ProviderKind::OpenAiCompatible {
                assert!(own.is_none(), "whose prices would these be?");
                continue;
            }
            let own = own.unwrap();
            assert!(own.models.iter().any(|model| model.price.is_some()));
            assert!(own.also.iter().all(|kind| catalog.provider(kind).is_some()));
            for model in &own.models {
                assert!(model.long_context.is_none() || model.price.is_some());
            }
        }
    }

    #[test]
    fn the_price_of_a_well_known_model_is_found_under_each_of_its_names() {
        let catalog = PriceCatalog::embedded();
        let check = |kind, name: &str, same_as: (ProviderKind, &str)| {
            let price = catalog.price(kind, name);
            assert!(price.is_some(), "{name}");
            assert_eq!(price, catalog.price(same_as.0, same_as.1), "{name}");
        };
        let openai = (ProviderKind::OpenAi, "gpt-4o-mini");
        check(ProviderKind::OpenAi, "GPT-4o-mini", openai);
        check(ProviderKind::OpenAi, "gpt-4o-mini-2024-07-18", openai);
        check(ProviderKind::OpenAi, "gpt-4o-mini-20240718", openai);
        check(ProviderKind::Azure, "gpt-4o-mini", openai);
        check(ProviderKind::OpenRouter, "openai/gpt-4o-mini", openai);
        let gemini = (ProviderKind::Gemini, "gemini-2.5-pro");
        check(ProviderKind::Gemini, "models/gemini-2.5-pro", gemini);
        let anthropic = (ProviderKind::Anthropic, "claude-sonnet-4-5");
        check(
            ProviderKind::Anthropic,
            "claude-sonnet-4-5-20250929",
            anthropic,
        );
        let pro = catalog.price(gemini.0, gemini.1).unwrap();
        let long = pro.long_context.unwrap();
        assert_eq!(long.above_input_tokens, 200_000);
        assert!(long.input_micros_per_million > pro.input_micros_per_million);
        assert!(pro.cache_read_micros_per_million < Some(pro.input_micros_per_million));
    }

    #[test]
    fn nobodys_model_and_a_compatible_servers_model_have_no_price() {
        let catalog = PriceCatalog::embedded();
        for (kind, name) in [
            (ProviderKind::OpenAi, "no-such-model"),
            (ProviderKind::OpenAi, ""),
            (ProviderKind::OpenAiCompatible, "gpt-4o-mini"),
            (ProviderKind::Anthropic, "gpt-4o-mini"),
            (ProviderKind::OpenRouter, "gpt-4o-mini+fault=cut"),
        ] {
            assert_eq!(catalog.price(kind, name), None, "{name}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_even_without_a_price() {
        let catalog = PriceCatalog::parse(
            r#"{"version": "v", "providers": [
                {"kind": "openai", "also": [], "models": [
                    {"id": "image", "match": {"equals": ["a-image"]}, "unpriced": "output is no text"},
                    {"id": "a", "match": {"starts_with": ["a-"]}, "price": {"input": 1, "output": 2}}
                ]},
                {"kind": "azure", "also": ["openai"], "models": [
                    {"id": "a", "match": {"equals": ["a-1"]}, "price": {"input": 3, "output": 4, "cache_read": 5},
                     "long_context": {"above": 6, "input": 7, "output": 8, "cache_write": 9}}
                ]}
            ]}"#,
        )
        .unwrap();
        let check = |kind, name, input| {
            let price = catalog.price(kind, name);
            assert_eq!(
                price.map(|price| price.input_micros_per_million),
                input,
                "{name}"
            );
        };
        check(ProviderKind::OpenAi, "a-1", Some(1));
        check(ProviderKind::OpenAi, "a-image", None);
        check(ProviderKind::Azure, "a-1", Some(3));
        check(ProviderKind::Azure, "a-2", Some(1));
        check(ProviderKind::Azure, "a-image", None);
        check(ProviderKind::Azure, "b", None);
        let own = catalog.price(ProviderKind::Azure, "A-1").unwrap();
        assert_eq!(own.cache_read_micros_per_million, Some(5));
        assert_eq!(own.cache_write_micros_per_million, None);
        let long = LongContext {
            above_input_tokens: 6,
            input_micros_per_million: 7,
            output_micros_per_million: 8,
            cache_read_micros_per_million: None,
            cache_write_micros_per_million: Some(9),
        };
        assert_eq!(own.long_context, Some(long));
    }

    #[test]
    fn dates_in_one_word_are_taken_apart() {
        for (name, expected) in [
            ("gpt-5.2-20251211", "gpt-5.2-2025-12-11"),
            ("a-20251211:free", "a-2025-12-11:free"),
            ("a-20251211-b", "a-2025-12-11-b"),
            ("20251211", "20251211"),
            ("a-20251311", "a-20251311"),
            ("a-20251200", "a-20251200"),
            ("a-202512110", "a-202512110"),
            ("a-19991231", "a-19991231"),
            ("a-ééé-", "a-ééé-"),
        ] {
            assert_eq!(with_dashed_dates(name), expected);
        }
    }
}
