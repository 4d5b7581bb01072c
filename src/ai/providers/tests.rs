use http::HeaderMap;

use super::*;
use crate::ai::request::Operation;

/// The one provider of a configuration, whose environment holds `FIRST` and `SECOND`.
fn provider(keys: &str) -> Provider {
    let text = format!("[[providers]]\nname = \"p\"\n{keys}\n");
    let env = |name: &str| match name {
        "FIRST" => Some("sk-first".to_owned()),
        "SECOND" => Some("sk-second".to_owned()),
        _ => None,
    };
    let loaded = config::parse(&text, "test.toml", &env).unwrap_or_else(|error| panic!("{error}"));
    Provider::build(&loaded.config.providers[0]).unwrap()
}

/// What `headers` gives for a call in `api`, sorted by name.
fn headers_of(provider: &Provider, api: Dialect) -> Vec<String> {
    let mut headers = HeaderMap::new();
    provider.headers(api, provider.credentials().first(), &mut headers);
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines
}

const AZURE: &str = "kind = \"azure\"\nbase_url = \"https://r.openai.azure.com\"";
const AZURE_V1: &str = "kind = \"azure\"\nbase_url = \"https://r.openai.azure.com/openai/v1/\"";
const COMPATIBLE: &str = "kind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9100\"";

#[test]
fn every_kind_is_called_where_its_api_lives() {
    use Dialect::{Chat, Embeddings, Gemini, GeminiEmbeddings, Messages, Responses};
    let check = |keys: &str, api, model: &str, expected: &str| {
        let provider = provider(keys);
        let target = provider.target(api, Operation::Generate, model, false);
        assert_eq!(target.as_deref(), Some(expected), "{keys}");
    };
    let openai = "kind = \"openai\"";
    check(openai, Chat, "gpt-x", "/v1/chat/completions");
    check(openai, Responses, "gpt-x", "/v1/responses");
    check(openai, Embeddings, "e", "/v1/embeddings");
    check(COMPATIBLE, Chat, "m", "/chat/completions");
    check(COMPATIBLE, Messages, "m", "/messages");
    check(
        "kind = \"openrouter\"",
        Chat,
        "a/b",
        "/api/v1/chat/completions",
    );
    check(
        "kind = \"openrouter\"",
        Responses,
        "a/b",
        "/api/v1/responses",
    );
    check("kind = \"xai\"", Chat, "grok", "/v1/chat/completions");
    check("kind = \"anthropic\"", Messages, "claude", "/v1/messages");
    check(
        "kind = \"anthropic\"",
        Chat,
        "claude",
        "/v1/chat/completions",
    );
    let dated = "?api-version=2024-10-21";
    let deployment = format!("/openai/deployments/my%20gpt%2F4/chat/completions{dated}");
    check(AZURE, Chat, "my gpt/4", &deployment);
    let embeddings = format!("/openai/deployments/e-3/embeddings{dated}");
    check(AZURE, Embeddings, "e-3", &embeddings);
    check(AZURE, Responses, "m", &format!("/openai/responses{dated}"));
    let with_openai = "kind = \"azure\"\nbase_url = \"https://r.openai.azure.com/openai\"\napi_version = \"2025-04-01-preview\"";
    check(
        with_openai,
        Chat,
        "d",
        "/openai/deployments/d/chat/completions?api-version=2025-04-01-preview",
    );
    check(AZURE_V1, Chat, "d", "/openai/v1/chat/completions");
    check(AZURE_V1, Responses, "d", "/openai/v1/responses");
    let preview = format!("{AZURE_V1}\napi_version = \"preview\"");
    check(
        &preview,
        Embeddings,
        "d",
        "/openai/v1/embeddings?api-version=preview",
    );
    let gemini = "kind = \"gemini\"";
    check(
        gemini,
        Gemini,
        "gemini-x",
        "/v1beta/models/gemini-x:generateContent",
    );
    check(
        gemini,
        Gemini,
        "models/gemini-x",
        "/v1beta/models/gemini-x:generateContent",
    );
    check(
        gemini,
        Gemini,
        "tunedModels/t",
        "/v1beta/tunedModels/t:generateContent",
    );
    check(
        gemini,
        Gemini,
        "a/b:c?d",
        "/v1beta/models/a%2Fb%3Ac%3Fd:generateContent",
    );
    check(
        gemini,
        GeminiEmbeddings,
        "e",
        "/v1beta/models/e:batchEmbedContents",
    );
}

#[test]
fn streams_and_counts_have_a_place_of_their_own_where_the_api_has_one() {
    use Dialect::{Chat, Embeddings, Gemini, GeminiEmbeddings, Messages, Responses};
    let gemini = provider("kind = \"gemini\"");
    let anthropic = provider("kind = \"anthropic\"");
    let openai = provider("kind = \"openai\"");
    let stream = |provider: &Provider, api| provider.target(api, Operation::Generate, "m", true);
    let count = |provider: &Provider, api| provider.target(api, Operation::CountTokens, "m", false);
    assert_eq!(
        stream(&gemini, Gemini).unwrap(),
        "/v1beta/models/m:streamGenerateContent?alt=sse"
    );
    assert_eq!(stream(&anthropic, Messages).unwrap(), "/v1/messages");
    assert_eq!(stream(&openai, Chat).unwrap(), "/v1/chat/completions");
    assert_eq!(
        count(&gemini, Gemini).unwrap(),
        "/v1beta/models/m:countTokens"
    );
    assert_eq!(
        count(&anthropic, Messages).unwrap(),
        "/v1/messages/count_tokens"
    );
    for api in [Chat, Responses, Embeddings] {
        assert_eq!(count(&openai, api), None);
    }
    assert_eq!(count(&gemini, GeminiEmbeddings), None);
}

#[test]
fn a_kept_response_is_where_responses_are_made() {
    let check = |keys: &str, expected: &str| {
        assert_eq!(provider(keys).response_target("resp_1/2"), expected);
    };
    check("kind = \"openai\"", "/v1/responses/resp_1%2F2");
    check(AZURE_V1, "/openai/v1/responses/resp_1%2F2");
    check(AZURE, "/openai/responses/resp_1%2F2?api-version=2024-10-21");
}

#[test]
fn every_kind_lists_its_models_somewhere() {
    let check = |keys: &str, expected: &str| assert_eq!(provider(keys).models_target(), expected);
    check("kind = \"openai\"", "/v1/models");
    check(COMPATIBLE, "/models");
    check("kind = \"openrouter\"", "/api/v1/models");
    check("kind = \"xai\"", "/v1/models");
    check("kind = \"anthropic\"", "/v1/models?limit=1000");
    check("kind = \"gemini\"", "/v1beta/models?pageSize=1000");
    check(AZURE, "/openai/models?api-version=2024-10-21");
    check(AZURE_V1, "/openai/v1/models");
}

#[test]
fn every_kind_finds_its_key_where_it_looks_for_it() {
    use Dialect::{Chat, Gemini, GeminiEmbeddings, Messages, Responses};
    let check = |keys: &str, api, expected: &[&str]| {
        let provider = provider(&format!("{keys}\napi_key_env = \"FIRST\""));
        assert_eq!(headers_of(&provider, api), expected, "{keys}");
    };
    let bearer = "authorization: Bearer sk-first";
    check("kind = \"openai\"", Chat, &[bearer]);
    check("kind = \"openai\"", Responses, &[bearer]);
    check("kind = \"xai\"", Chat, &[bearer]);
    check(COMPATIBLE, Chat, &[bearer]);
    check(
        COMPATIBLE,
        Messages,
        &["anthropic-version: 2023-06-01", bearer],
    );
    check(AZURE, Chat, &["api-key: sk-first"]);
    check(AZURE_V1, Responses, &["api-key: sk-first"]);
    let anthropic = ["anthropic-version: 2023-06-01", "x-api-key: sk-first"];
    check("kind = \"anthropic\"", Messages, &anthropic);
    check("kind = \"anthropic\"", Chat, &[bearer]);
    check("kind = \"gemini\"", Gemini, &["x-goog-api-key: sk-first"]);
    check(
        "kind = \"gemini\"",
        GeminiEmbeddings,
        &["x-goog-api-key: sk-first"],
    );
    check(
        "kind = \"openrouter\"\nopenrouter_http_referer = \"https://a.example\"\nopenrouter_x_title = \"A\"",
        Chat,
        &[bearer, "http-referer: https://a.example", "x-title: A"],
    );
}

#[test]
fn a_version_of_anthropics_api_is_the_clients_then_the_operators() {
    let provider =
        provider("kind = \"anthropic\"\napi_version = \"2024-01-01\"\napi_key_env = \"FIRST\"");
    let version = |headers: HeaderMap| headers["anthropic-version"].clone();
    let mut headers = HeaderMap::new();
    provider.headers(Dialect::Messages, None, &mut headers);
    assert_eq!(version(headers), "2024-01-01");
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-version", HeaderValue::from_static("2025-01-01"));
    provider.headers(Dialect::Messages, None, &mut headers);
    assert_eq!(version(headers), "2025-01-01");
}

#[test]
fn keys_are_marked_as_secrets_and_never_printed() {
    for keys in [
        COMPATIBLE,
        AZURE,
        "kind = \"anthropic\"",
        "kind = \"gemini\"",
    ] {
        let provider = provider(&format!("{keys}\napi_key_env = \"FIRST\""));
        assert!(
            !format!("{provider:?}").contains("sk-first"),
            "{provider:?}"
        );
        let mut headers = HeaderMap::new();
        for api in Dialect::CONVERSING {
            provider.headers(api, provider.credentials().first(), &mut headers);
        }
        let secrets: Vec<_> = headers
            .values()
            .filter(|value| value.to_str().unwrap().contains("sk-first"))
            .collect();
        assert!(!secrets.is_empty());
        assert!(secrets.iter().all(|value| value.is_sensitive()));
    }
}

#[test]
fn a_provider_is_spoken_to_in_the_clients_dialect_or_the_best_it_has() {
    use Dialect::{Chat, Embeddings, Gemini, GeminiEmbeddings, Messages, Responses};
    let check = |keys: &str, client, expected: Option<Dialect>| {
        assert_eq!(
            provider(keys).api_for(client),
            expected,
            "{keys} {client:?}"
        );
    };
    check("kind = \"openai\"", Chat, Some(Chat));
    check("kind = \"openai\"", Responses, Some(Responses));
    check("kind = \"openai\"", Messages, Some(Responses));
    check("kind = \"openai\"", Embeddings, Some(Embeddings));
    check(COMPATIBLE, Gemini, Some(Chat));
    check(AZURE, Responses, Some(Chat));
    check(AZURE_V1, Gemini, Some(Responses));
    check("kind = \"anthropic\"", Chat, Some(Messages));
    check("kind = \"anthropic\"", Embeddings, None);
    check("kind = \"xai\"", Embeddings, None);
    check("kind = \"gemini\"", Responses, Some(Gemini));
    check("kind = \"gemini\"", Embeddings, Some(GeminiEmbeddings));
    let chat_only = format!("{COMPATIBLE}\napis = [\"chat\"]");
    check(&chat_only, Responses, Some(Chat));
    check(&chat_only, Embeddings, None);
    let embeddings_only = format!("{COMPATIBLE}\napis = [\"embeddings\"]");
    check(&embeddings_only, Chat, None);
    let messages_too = format!("{COMPATIBLE}\napis = [\"chat\", \"messages\"]");
    check(&messages_too, Responses, Some(Messages));
}

#[test]
fn quirks_are_the_kinds_own() {
    let check = |keys: &str, api, expected: [bool; 3]| {
        let quirks = provider(keys).quirks(api);
        let found = [
            quirks.max_completion_tokens,
            quirks.developer_role,
            quirks.custom_tools,
        ];
        assert_eq!(found, expected, "{keys}");
    };
    check("kind = \"openai\"", Dialect::Chat, [true, true, true]);
    check(AZURE_V1, Dialect::Responses, [true, true, true]);
    check(AZURE, Dialect::Chat, [true, false, false]);
    check("kind = \"openrouter\"", Dialect::Chat, [true, false, false]);
    check("kind = \"xai\"", Dialect::Responses, [true, false, false]);
    check(COMPATIBLE, Dialect::Chat, [false, false, false]);
    check(
        "kind = \"anthropic\"",
        Dialect::Messages,
        [false, false, false],
    );
}

#[test]
fn a_credential_is_the_same_for_the_same_key_in_the_same_variable() {
    let of = |keys: &str| provider(&format!("{COMPATIBLE}\n{keys}"));
    let both = of("api_key_envs = [\"FIRST\", \"UNSET\", \"SECOND\"]");
    let indexes: Vec<u32> = both.credentials().iter().map(|key| key.index).collect();
    assert_eq!(indexes, [1, 3]);
    assert_eq!(both.missing_keys()[0].index, 2);
    let unset = KeySource::Env("UNSET".to_owned());
    assert_eq!(both.missing_keys()[0].source, unset);
    let alone = of("api_key_env = \"FIRST\"");
    assert_eq!(alone.credentials()[0].id, both.credentials()[0].id);
    assert_ne!(alone.credentials()[0].id, both.credentials()[1].id);
    let renewed = config::ProviderKey {
        source: KeySource::Env("FIRST".to_owned()),
        key: Some(config::Secret::new("sk-renewed")),
    };
    let loaded = config::parse(
        &format!("[[providers]]\nname = \"p\"\n{COMPATIBLE}\n"),
        "test.toml",
        &|_| None,
    );
    let mut config = loaded.unwrap().config.providers.remove(0);
    config.api_keys = vec![renewed];
    let renewed = Provider::build(&config).unwrap();
    assert_ne!(alone.credentials()[0].id, renewed.credentials()[0].id);
}

#[test]
fn an_address_is_taken_apart_as_connections_need_it() {
    let check = |url: &str, host: &str, port, tls, authority: &str| {
        let provider = provider(&format!(
            "kind = \"openai-compatible\"\nbase_url = \"{url}\""
        ));
        assert_eq!(provider.host, host);
        assert_eq!((provider.port, provider.tls), (port, tls));
        assert_eq!(provider.authority, authority);
    };
    check(
        "https://api.example/v1",
        "api.example",
        443,
        true,
        "api.example",
    );
    check("http://a.example", "a.example", 80, false, "a.example");
    check("http://[::1]:9100/x", "::1", 9100, false, "[::1]:9100");
}
