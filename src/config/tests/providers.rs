//! `[[providers]]`: what a kind brings along, and what it refuses.

use super::*;

/// The one provider of a file with these keys.
fn provider(keys: &str) -> Provider {
    let text = format!("[[providers]]\nname = 'p'\n{keys}");
    let loaded = read(&text).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.config.providers.into_iter().next().unwrap()
}

#[test]
fn a_kind_brings_its_address_its_apis_and_its_version() {
    use Api::{Chat, Embeddings, Gemini, Messages, Responses};
    let check = |kind: &str, base_url: &str, apis: &[Api], version: Option<&str>| {
        let provider = provider(&format!("kind = '{kind}'"));
        assert_eq!(provider.kind.as_str(), kind);
        assert_eq!(provider.base_url.to_string(), base_url, "{kind}");
        assert_eq!(provider.apis, apis, "{kind}");
        assert_eq!(provider.api_version.as_deref(), version, "{kind}");
        assert!(provider.enabled && provider.api_keys.is_empty());
    };
    let all = [Chat, Responses, Embeddings];
    check("openai", "https://api.openai.com/v1", &all, None);
    check("openrouter", "https://openrouter.ai/api/v1", &all, None);
    check("xai", "https://api.x.ai/v1", &[Chat, Responses], None);
    check(
        "anthropic",
        "https://api.anthropic.com/v1",
        &[Messages],
        Some("2023-06-01"),
    );
    check(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        &[Gemini, Embeddings],
        None,
    );
    assert_eq!(provider("").kind, ProviderKind::OpenAi);
}

#[test]
fn a_kind_without_a_public_address_needs_one_and_the_others_take_another() {
    for kind in ["openai-compatible", "azure", "azure-openai"] {
        let text = format!("[[providers]]\nname = 'p'\nkind = '{kind}'");
        let found = errors(&text);
        assert!(found.contains("base_url: is missing"), "{found}");
    }
    let own = provider("kind = 'anthropic'\nbase_url = 'http://127.0.0.1:9100/v1/'");
    assert_eq!(own.base_url.to_string(), "http://127.0.0.1:9100/v1");
    let old = provider("kind = 'grok'");
    assert_eq!(old.kind, ProviderKind::Xai);
}

#[test]
fn azure_has_responses_and_no_version_on_its_v1_endpoint() {
    let check = |path: &str, more: &str, responses: bool, version: Option<&str>| {
        let url = format!("https://me.openai.azure.com{path}");
        let provider = provider(&format!("kind = 'azure'\nbase_url = '{url}'\n{more}"));
        let found = provider.apis.contains(&Api::Responses);
        assert_eq!(found, responses, "{path} {more}");
        assert_eq!(provider.api_version.as_deref(), version, "{path} {more}");
    };
    check("", "", false, Some("2024-10-21"));
    check("/openai", "", false, Some("2024-10-21"));
    check("/openai/v1", "", true, None);
    check("/openai/v1/", "", true, None);
    let preview = "api_version = 'preview'";
    check("/openai/v1", preview, true, Some("preview"));
    check(
        "",
        "api_version = '2025-04-01-preview'",
        false,
        Some("2025-04-01-preview"),
    );
    check("", "apis = ['responses']", true, Some("2024-10-21"));
}

#[test]
fn apis_are_those_of_the_file_where_the_kind_has_them() {
    let provider = provider(
        "kind = 'openai-compatible'\nbase_url = 'http://a'\napis = ['messages', 'chat', 'responses']",
    );
    assert_eq!(
        provider.apis,
        [Api::Messages, Api::Chat, Api::Responses],
        "in their order"
    );
}

#[test]
fn several_keys_keep_their_order_and_each_unset_one_is_a_warning() {
    let text = "[[providers]]\nname = 'p'\napi_key_envs = ['FIRST', 'UNSET', 'LAST']";
    let env = |name: &str| (name != "UNSET").then(|| format!("key {name}"));
    let env =
        |name: &str| env(name).filter(|_| !name.starts_with("FERRO") && name != "STATE_DIRECTORY");
    let Loaded { config, warnings } = parse(text, "test.toml", &env).unwrap();
    let keys: Vec<_> = config.providers[0]
        .api_keys
        .iter()
        .map(|key| (key.source.clone(), key.key.as_ref().map(Secret::expose)))
        .collect();
    let expected = [
        ("FIRST", Some("key FIRST")),
        ("UNSET", None),
        ("LAST", Some("key LAST")),
    ];
    let expected = expected.map(|(name, key)| (KeySource::Env(name.to_owned()), key));
    assert_eq!(keys, expected);
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let unset =
        "test.toml:3:26: providers[0].api_key_envs[1]: the environment variable `UNSET` is not set";
    assert_eq!(warnings, [unset]);
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
    let text = "[[providers]]\nname = 'p'\napi_key_envs = ['GOOD', 'BAD']";
    let env = |name: &str| match name {
        "GOOD" => Some("sk-1".to_owned()),
        "BAD" => Some("hunter2\n".to_owned()),
        _ => None,
    };
    let errors = parse(text, "t", &env).unwrap_err().to_string();
    assert!(
        errors.starts_with("t:3:25: providers[0].api_key_envs[1]: `BAD` holds"),
        "{errors}"
    );
    assert!(!errors.contains("hunter2"));
}

#[test]
fn openrouters_headers_are_kept_as_they_are_written() {
    let provider = provider(
        "kind = 'openrouter'\nopenrouter_http_referer = 'https://example.com'\nopenrouter_x_title = 'An Example'",
    );
    assert_eq!(
        provider.openrouter_http_referer.as_deref(),
        Some("https://example.com")
    );
    assert_eq!(provider.openrouter_x_title.as_deref(), Some("An Example"));
}
