//! Where the price of a candidate comes from, and what is said where there is none.

use super::*;

const CATALOG_PAGE: &str = include_str!("../../../assets/prices/README.md");
const REFERENCE: &str = include_str!("../../../docs/CONFIGURATION.md");

/// A file with one model of a provider of this kind.
fn file(kind: &str, provider_model: &str, keys: &str) -> String {
    format!(
        "pricing = {{ unknown = 'flag' }}
         providers = [{{ name = 'p', kind = '{kind}', base_url = 'http://p' }}]
         [[models]]
         name = 'm'
         provider = 'p'
         provider_model = '{provider_model}'
         {keys}"
    )
}

fn price(kind: &str, provider_model: &str, keys: &str) -> (Option<Price>, Vec<ConfigIssue>) {
    let loaded = read(&file(kind, provider_model, keys));
    let Loaded { config, warnings } = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    (config.models[0].price, warnings)
}

#[test]
fn a_price_in_the_file_wins_and_stands_alone() {
    let keys = "input_price_per_1m = '0.15'\noutput_price_per_1m = 0.60";
    let (found, warnings) = price("openai", "gpt-4o-mini", keys);
    let expected = Price {
        input_micros_per_million: 150_000,
        output_micros_per_million: 600_000,
        cache_read_micros_per_million: None,
        cache_write_micros_per_million: None,
        long_context: None,
    };
    assert_eq!(found, Some(expected));
    assert_eq!(warnings, []);
    let cached = format!("{keys}\ncache_read_price_per_1m = 0.075\ncache_write_price_per_1m = 0.2");
    let (found, _) = price("openai-compatible", "gpt-4o-mini", &cached);
    let expected = Price {
        cache_read_micros_per_million: Some(75_000),
        cache_write_micros_per_million: Some(200_000),
        ..expected
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn the_catalog_is_asked_for_what_the_file_does_not_price() {
    for (kind, name) in [
        (ProviderKind::OpenAi, "gpt-4o-mini"),
        (ProviderKind::Azure, "gpt-4o-mini"),
        (ProviderKind::Anthropic, "claude-sonnet-4-5"),
        (ProviderKind::Gemini, "gemini-2.5-pro"),
        (ProviderKind::OpenRouter, "openai/gpt-4o-mini"),
        (ProviderKind::Xai, "grok-4"),
    ] {
        let (found, warnings) = price(kind.as_str(), name, "");
        assert!(found.is_some(), "{name}");
        assert_eq!(found, PriceCatalog::embedded().price(kind, name));
        assert_eq!(warnings, [], "{name}");
    }
}

#[test]
fn a_candidate_that_nobody_knows_the_price_of_is_a_warning() {
    let (found, warnings) = price("openai-compatible", "gpt-4o-mini", "");
    assert_eq!(found, None, "whose server is it?");
    let expected = "test.toml:3:10: models[0]: model `m` has no price at provider `p`: its cost is recorded as unknown; \
                    set `input_price_per_1m` and `output_price_per_1m`";
    assert_eq!(warnings[0].to_string(), expected);
    let denied = file("openai-compatible", "gpt-4o-mini", "").replace("'flag'", "'deny'");
    let Loaded { config, warnings } = read(&denied).unwrap();
    assert_eq!(config.pricing.unknown, UnknownPrice::Deny);
    assert!(
        warnings[0]
            .message
            .contains("it is not asked, because `[pricing] unknown` is `deny`")
    );
    let off =
        file("openai-compatible", "x", "").replace("'http://p'", "'http://p', enabled = false");
    assert_eq!(read(&off).unwrap().warnings, []);
    let unreadable = file("nobodys", "x", "routing_strategy = 'lowest_cost'");
    assert!(!errors(&unreadable).contains("price"));
    for quiet in [
        "enabled = false",
        "enabled = false\nfallbacks = [{ provider = 'p', provider_model = 'x' }]",
        "input_price_per_1m = 0\noutput_price_per_1m = 0",
    ] {
        let (_, warnings) = price("openai-compatible", "gpt-4o-mini", quiet);
        assert_eq!(warnings, [], "{quiet}");
    }
    let fallback = "fallbacks = [{ provider = 'p', provider_model = 'no-such-model' }]";
    let (_, warnings) = price("openai", "gpt-4o-mini", fallback);
    assert_eq!(warnings[0].key, "models[0].fallbacks[0]");
}

#[test]
fn the_cheapest_is_not_chosen_among_unknown_prices() {
    let lowest = "routing_strategy = 'lowest_cost'";
    let found = errors(&file("openai-compatible", "gpt-4o-mini", lowest));
    assert!(
        found.contains("no price at provider `p`, which `lowest_cost` needs"),
        "{found}"
    );
    assert_eq!(errors(&file("openai", "gpt-4o-mini", lowest)), "");
    let fallback = |keys: &str| {
        let fallback = format!("{{ provider = 'p', provider_model = 'no-such-model', {keys} }}");
        let keys = format!("{lowest}\nfallbacks = [{fallback}]");
        errors(&file("openai", "gpt-4o-mini", &keys))
    };
    assert!(fallback("weight = 1").contains("models[0].fallbacks[0]: model `m` has no price"));
    assert_eq!(
        fallback("input_price_per_1m = 1, output_price_per_1m = 1"),
        ""
    );
    assert_eq!(fallback("enabled = false"), "");
}

#[test]
fn the_pages_name_the_catalog_that_is_in_use() {
    let catalog = PriceCatalog::embedded().version();
    let (source, date) = catalog.split_once(", ").unwrap();
    let (name, version) = source.split_once(' ').unwrap();
    for page in [CATALOG_PAGE, REFERENCE] {
        for fact in [name, version, date] {
            assert!(page.contains(fact), "{fact}");
        }
    }
    assert!(CATALOG_PAGE.contains(&format!("| Version | {version} |\n")));
}
