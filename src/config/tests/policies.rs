//! Policies, and the profiles that requests choose.

use std::time::Duration;

use jiff::civil::Weekday;

use super::*;

fn policy(keys: &str) -> (Arc<Policy>, Vec<ConfigIssue>) {
    let text = format!("[[policies]]\nname = 'p'\neffect = 'deny'\n{keys}");
    let loaded = read(&text).unwrap_or_else(|errors| panic!("{errors}"));
    (Arc::clone(&loaded.config.policies[0]), loaded.warnings)
}

#[test]
fn a_policy_of_nothing_denies_everything_which_is_worth_a_warning() {
    let (plain, warnings) = policy("");
    assert!(plain.enabled && plain.when.is_none());
    assert_eq!(&*plain.code, "policy_denied");
    assert_eq!(plain.message, "A policy denies this request.");
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert_eq!(
        (&*warning.key, &*warning.message),
        ("policies[0]", "denies every request")
    );
    for narrower in [
        "enabled = false",
        "user_ids = ['ada']",
        "models = ['mcp_tool:github-search']",
        "providers = ['mcp:github']",
        "when = { streaming = true }",
    ] {
        assert_eq!(policy(narrower).1, [], "{narrower}");
    }
}

#[test]
fn a_condition_is_what_it_says() {
    let (policy, _) = policy(
        "[policies.when]
        hours = '22:00-06:00'
        days = ['fri', 'sat']
        time_zone = 'America/New_York'
        estimated_tokens_above = 0
        estimated_cost_above = '0.50'
        streaming = false",
    );
    let when = policy.when.as_ref().unwrap();
    let hours = HourRange {
        from_minute: 22 * 60,
        to_minute: 6 * 60,
    };
    assert_eq!(when.hours, Some(hours));
    assert_eq!(when.days, [Weekday::Friday, Weekday::Saturday]);
    assert_eq!(when.time_zone.iana_name(), Some("America/New_York"));
    assert_eq!(when.estimated_tokens_above, Some(0));
    assert_eq!(when.estimated_cost_above_nanos, Some(500_000_000));
    assert_eq!(when.streaming, Some(false));
}

fn profile(keys: &str) -> Arc<GatewayConfig> {
    let text = format!(
        "providers = [{{ name = 'a' }}]\nmodels = [{{ name = 'm', provider = 'a', provider_model = 'gpt-4o' }}]
        [[gateway_configs]]\nid = 'x'\n{keys}"
    );
    let loaded = read(&text).unwrap_or_else(|errors| panic!("{errors}"));
    Arc::clone(&loaded.config.gateway_configs[0])
}

#[test]
fn a_profile_changes_nothing_but_what_it_names() {
    let plain = profile("");
    assert_eq!(
        (&*plain.name, plain.revision, plain.enabled),
        ("x", 1, true)
    );
    let expected = GatewayConfig {
        id: "x".into(),
        name: "Agents".into(),
        enabled: false,
        revision: 7,
        api_key_ids: Vec::new(),
        cache_enabled: Some(false),
        cache_ttl: Some(Duration::from_secs(60)),
        model: Some("m".into()),
        routing_strategy: Some(RoutingStrategy::LowestCost),
        provider_dispatch_timeout: Some(Duration::from_secs(1)),
        provider_response_timeout: Some(Duration::from_secs(2)),
        provider_stream_timeout: Some(Duration::from_secs(3)),
        tags: [("team".to_owned(), "blue".to_owned())].into(),
        request_headers: vec![(
            http::HeaderName::from_static("x-title"),
            http::HeaderValue::from_static("An agent"),
        )],
    };
    let found = profile(
        "name = 'Agents'
        enabled = false
        revision = 7
        cache_enabled = false
        cache_ttl_secs = 60
        model = 'm'
        routing_strategy = 'lowest_cost'
        provider_dispatch_timeout_secs = 1
        provider_response_timeout_secs = 2
        provider_stream_timeout_secs = 3
        tags = { team = 'blue' }
        request_headers = { X-Title = 'An agent' }",
    );
    assert_eq!(*found, expected);
    let unchanged = GatewayConfig {
        name: "x".into(),
        enabled: true,
        revision: 1,
        cache_enabled: None,
        cache_ttl: None,
        model: None,
        routing_strategy: None,
        provider_dispatch_timeout: None,
        provider_response_timeout: None,
        provider_stream_timeout: None,
        tags: [].into(),
        request_headers: Vec::new(),
        ..expected
    };
    assert_eq!(*plain, unchanged);
}

#[test]
fn the_operator_decides_which_headers_a_profile_may_set() {
    let set = "[[gateway_configs]]\nid = 'x'\nrequest_headers = { x-team = 'blue' }";
    assert!(errors(set).contains("is not in `[limits] gateway_config_request_headers`"));
    let allowed = format!("limits.gateway_config_request_headers = ['X-Team']\n{set}");
    assert_eq!(errors(&allowed), "");
    let default = "[[gateway_configs]]\nid = 'x'\nrequest_headers = { anthropic-beta = 'b' }";
    assert_eq!(errors(default), "");
    let none = format!("limits.gateway_config_request_headers = []\n{default}");
    assert!(errors(&none).contains("is not in `[limits]"));
}
