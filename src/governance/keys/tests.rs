use ferrogate_api::{self as api, Origin, SecretKind};
use http::HeaderValue;

use super::*;
use crate::config::{Scope, Secret};

const NOW_MS: i64 = 1_767_225_600_000;

fn declared(id: &str, secret: KeySecret) -> config::ApiKey {
    config::ApiKey {
        id: id.into(),
        name: id.into(),
        secret,
        enabled: true,
        scopes: Scope::CLIENT.to_vec(),
        allowed_models: Vec::new(),
        denied_models: Vec::new(),
        allowed_providers: Vec::new(),
        denied_providers: Vec::new(),
        organization_id: None,
        project_id: None,
        request_limit_per_minute: None,
        expires_at_unix: None,
    }
}

fn inline(secret: &str) -> KeySecret {
    KeySecret::Inline(Secret::new(secret))
}

fn blake2b_of(secret: &str) -> String {
    KeyHash::Blake2b(hash::blake2b(secret.as_bytes())).to_string()
}

fn stored(id: &str, secret: &str) -> StoredApiKey {
    StoredApiKey {
        key: api::ApiKey {
            id: id.into(),
            name: id.into(),
            enabled: true,
            origin: Origin::Api,
            secret: SecretKind::Hash,
            scopes: vec!["admin.read".into(), "admin.write".into()],
            allowed_models: Vec::new(),
            denied_models: Vec::new(),
            allowed_providers: Vec::new(),
            denied_providers: Vec::new(),
            request_limit_per_minute: None,
            expires_at_unix: None,
        },
        secret_hash: hash::hash(secret),
    }
}

fn presenting(secret: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("x-api-key"),
        HeaderValue::from_str(secret).unwrap(),
    )])
}

#[test]
fn a_key_is_found_however_its_secret_was_given() {
    let keys = Keys::build(
        &[
            declared("inline", inline("one")),
            declared("env", KeySecret::Env(Secret::new("two"))),
            declared("sha256", KeySecret::Hash(hash::hash("three"))),
            declared("blake2b", KeySecret::Hash(blake2b_of("four"))),
        ],
        vec![stored("stored", "five")],
    )
    .unwrap();
    let check = |secret, id: &str| {
        let key = keys
            .authenticate(&presenting(secret), None, NOW_MS)
            .unwrap();
        assert_eq!(&**key.id(), id);
        assert_eq!(keys.get(id).unwrap().id(), key.id());
    };
    check("one", "inline");
    check("two", "env");
    check("three", "sha256");
    check("four", "blake2b");
    check("five", "stored");
    let ids: Vec<_> = keys.all().iter().map(|key| key.id().to_string()).collect();
    assert_eq!(ids, ["blake2b", "env", "inline", "sha256", "stored"]);
    assert!(keys.get("nobody").is_none());
}

#[test]
fn the_first_check_that_fails_decides_in_the_order_of_the_contract() {
    let with = |id: &str, enabled, expires_at_unix| config::ApiKey {
        enabled,
        expires_at_unix,
        ..declared(id, inline(id))
    };
    let past = Some(NOW_MS / 1000);
    let future = Some(NOW_MS / 1000 + 1);
    let keys = Keys::build(
        &[
            with("good", true, None),
            with("still-good", true, future),
            with("disabled", false, None),
            with("expired", true, past),
            with("disabled-and-expired", false, past),
        ],
        Vec::new(),
    )
    .unwrap();
    let check = |headers: HeaderMap, query, expected: Result<(), ErrorKind>| {
        let answer = keys.authenticate(&headers, query, NOW_MS);
        assert_eq!(
            answer.map(|_| ()).map_err(|error| error.kind),
            expected,
            "{headers:?}"
        );
    };
    check(HeaderMap::new(), None, Err(ErrorKind::MissingApiKey));
    check(
        HeaderMap::new(),
        Some("key=good"),
        Err(ErrorKind::ApiKeyInUrl),
    );
    check(presenting("unknown"), None, Err(ErrorKind::InvalidApiKey));
    check(
        presenting("unknown"),
        Some("key=good"),
        Err(ErrorKind::InvalidApiKey),
    );
    check(presenting("disabled"), None, Err(ErrorKind::ApiKeyDisabled));
    check(
        presenting("disabled-and-expired"),
        None,
        Err(ErrorKind::ApiKeyDisabled),
    );
    check(presenting("expired"), None, Err(ErrorKind::ApiKeyExpired));
    check(presenting("still-good"), None, Ok(()));
    check(presenting("good"), Some("key=other"), Ok(()));
}

#[test]
fn bytes_that_are_no_text_are_an_unknown_key() {
    let keys = Keys::build(&[declared("a", inline("a"))], Vec::new()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    let error = keys.authenticate(&headers, None, NOW_MS).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidApiKey);
}

#[test]
fn a_missing_scope_is_named() {
    let key = config::ApiKey {
        scopes: vec![Scope::ModelsRead],
        ..declared("reader", inline("r"))
    };
    let keys = Keys::build(&[key], vec![stored("admin", "a")]).unwrap();
    let reader = keys.get("reader").unwrap();
    assert_eq!(reader.require(Scope::ModelsRead), Ok(()));
    let error = reader.require(Scope::ChatCompletions).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ScopeDenied);
    assert!(error.message.contains("`chat.completions`"), "{error}");
    assert!(keys.get("admin").unwrap().has(Scope::AdminWrite));
    assert!(!keys.get("admin").unwrap().has(Scope::ModelsRead));
}

#[test]
fn empty_lists_allow_all_and_a_denial_wins() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| Arc::from(*name))
            .collect::<Vec<_>>()
    };
    let key = config::ApiKey {
        allowed_models: names(&["fast", "cheap", "old"]),
        denied_models: names(&["old"]),
        denied_providers: names(&["elsewhere"]),
        ..declared("listed", inline("l"))
    };
    let keys = Keys::build(&[key, declared("free", inline("f"))], Vec::new()).unwrap();
    let listed = keys.get("listed").unwrap();
    for (model, allowed) in [
        ("fast", true),
        ("cheap", true),
        ("old", false),
        ("other", false),
    ] {
        assert_eq!(listed.allows_model(model), allowed, "{model}");
    }
    assert!(listed.allows_provider("anyone"));
    assert!(!listed.allows_provider("elsewhere"));
    assert!(keys.get("free").unwrap().allows_model("anything"));
}

#[test]
fn a_set_with_a_fault_is_refused_as_a_whole() {
    let check = |declared: &[config::ApiKey], stored: Vec<StoredApiKey>, expected: &str| {
        let error = Keys::build(declared, stored).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let a = || declared("a", inline("a"));
    check(&[a()], vec![stored("a", "other")], "have the id `a`");
    check(
        &[a(), declared("a", inline("other"))],
        vec![],
        "have the id `a`",
    );
    check(
        &[a()],
        vec![stored("b", "a")],
        "`a` and `b` have the same secret",
    );
    check(
        &[a(), declared("b", KeySecret::Hash(hash::hash("a")))],
        vec![],
        "same secret",
    );
    check(
        &[a(), declared("b", KeySecret::Hash(blake2b_of("a")))],
        vec![],
        "same secret",
    );
    check(
        &[declared("c", KeySecret::Hash("sha256:zz".into()))],
        vec![],
        "hash of API key `c`",
    );
    let mut unknown_scope = stored("d", "d");
    unknown_scope.key.scopes.push("rule.the.world".into());
    check(&[], vec![unknown_scope], "`rule.the.world`");
}
