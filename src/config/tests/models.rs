//! `[[models]]` with their fallbacks, and who sees them.

use std::sync::Arc;

use super::*;

const PROVIDERS: &str = "
    providers = [
        { name = 'a' },
        { name = 'b', kind = 'anthropic' },
        { name = 'c', kind = 'openai-compatible', base_url = 'http://c' },
    ]
";

/// The first model of a file that has the providers above.
fn model(keys: &str) -> Model {
    let loaded = read(&file(keys)).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.config.models.into_iter().next().unwrap()
}

fn file(keys: &str) -> String {
    format!(
        "{PROVIDERS}\n[[models]]\nname = 'm'\nprovider = 'a'\nprovider_model = 'gpt-4o'\n{keys}"
    )
}

#[test]
fn a_model_alone_is_its_only_candidate() {
    let model = model("");
    assert_eq!(model.routing_strategy, RoutingStrategy::Priority);
    assert_eq!((model.priority, model.weight), (0, 1));
    assert_eq!(model.context_window, None);
    assert_eq!(model.default_max_output_tokens, 4096);
    assert!(model.fallbacks.is_empty() && model.capabilities.is_empty());
    assert!(model.visible_organization_ids.is_empty() && model.visible_project_ids.is_empty());
}

#[test]
fn fallbacks_are_read_as_tables_and_inline() {
    let tables = "
        [[models.fallbacks]]
        provider = 'b'
        provider_model = 'claude-sonnet-4-5'
        capabilities = ['chat', 'vision']
        context_window = 200000
        default_max_output_tokens = 64000
        priority = 7
        weight = 3
        [[models.fallbacks]]
        provider = 'c'
        provider_model = 'x'
        input_price_per_1m = 1
        output_price_per_1m = '2.5'
        cache_read_price_per_1m = 0.1
        enabled = false
    ";
    let inline = "fallbacks = [
        { provider = 'b', provider_model = 'claude-sonnet-4-5', capabilities = ['chat', 'vision'],
          context_window = 200000, default_max_output_tokens = 64000, priority = 7, weight = 3 },
        { provider = 'c', provider_model = 'x', input_price_per_1m = 1, output_price_per_1m = '2.5',
          cache_read_price_per_1m = 0.1, enabled = false },
    ]";
    for keys in [tables, inline] {
        let [first, second] = model(keys).fallbacks.try_into().unwrap();
        assert_eq!(
            (&*first.provider, &*first.provider_model),
            ("b", "claude-sonnet-4-5")
        );
        let capabilities = Some(vec![Capability::Chat, Capability::Vision]);
        assert_eq!(first.capabilities, capabilities);
        assert_eq!(first.context_window, Some(200_000));
        assert_eq!(first.default_max_output_tokens, Some(64_000));
        assert_eq!((first.priority, first.weight, first.enabled), (7, 3, true));
        assert_eq!(second.capabilities, None);
        assert_eq!(second.default_max_output_tokens, None);
        assert_eq!(
            (second.priority, second.weight, second.enabled),
            (100, 1, false)
        );
        let price = Price {
            input_micros_per_million: 1_000_000,
            output_micros_per_million: 2_500_000,
            cache_read_micros_per_million: Some(100_000),
            cache_write_micros_per_million: None,
            long_context: None,
        };
        assert_eq!(second.price, Some(price));
    }
}

#[test]
fn fallbacks_come_after_their_model_unless_weights_spread_over_all() {
    for strategy in RoutingStrategy::ALL {
        let name = strategy.as_str();
        let fallback = "fallbacks = [{ provider = 'b', provider_model = 'claude-sonnet-4-5' }]";
        let model = model(&format!("routing_strategy = '{name}'\n{fallback}"));
        assert_eq!(model.routing_strategy, strategy);
        let expected = if strategy == RoutingStrategy::Weighted {
            0
        } else {
            100
        };
        assert_eq!(model.fallbacks[0].priority, expected, "{name}");
    }
}

#[test]
fn a_candidate_that_is_named_twice_is_a_warning() {
    let twice = "fallbacks = [{ provider = 'a', provider_model = 'gpt-4.1' }, { provider = 'a', provider_model = 'gpt-4o' }]";
    let warnings = read(&file(twice)).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].key, "models[0].fallbacks");
    assert_eq!(
        warnings[0].message,
        "`gpt-4o` of provider `a` is named twice"
    );
}

#[test]
fn more_fallbacks_than_anybody_tries_are_refused() {
    let fallbacks = |count: u32| {
        let one = |index| format!("{{ provider = 'c', provider_model = 'm{index}' }}");
        let all: Vec<_> = (0..count).map(one).collect();
        file(&format!("fallbacks = [{}]", all.join(", ")))
    };
    assert_eq!(errors(&fallbacks(32)), "");
    assert!(errors(&fallbacks(33)).ends_with("models[0].fallbacks: must be at most 32"));
}

#[test]
fn models_and_keys_name_organizations_and_projects() {
    let model =
        model("visible_organization_ids = ['acme', 'other']\nvisible_project_ids = ['search']");
    let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&model.visible_organization_ids), ["acme", "other"]);
    assert_eq!(names(&model.visible_project_ids), ["search"]);
    let text = "
        api_keys = [
            { id = 'a', key = 'a-secret', organization_id = 'acme', project_id = 'search' },
            { id = 'b', key = 'b-secret' },
        ]
    ";
    let keys = read(text).unwrap().config.api_keys;
    assert_eq!(keys[0].organization_id.as_deref(), Some("acme"));
    assert_eq!(keys[0].project_id.as_deref(), Some("search"));
    assert_eq!(
        (&keys[1].organization_id, &keys[1].project_id),
        (&None, &None)
    );
}
