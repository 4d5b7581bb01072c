use ferrogate_api::AccountKind;
use http::HeaderValue;

use super::*;
use crate::config::{AccountLimits, PreviousHash, Scope, Secret as Text};
use crate::secret_hash::hash;

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
        previous_hashes: Vec::new(),
        organization_id: None,
        team_id: None,
        project_id: None,
        user_id: None,
        limits: AccountLimits::default(),
        cache_enabled: true,
        log_bodies: false,
        expires_at_unix: None,
    }
}

fn inline(secret: &str) -> KeySecret {
    KeySecret::Inline(Text::new(secret))
}

fn blake2b_of(secret: &str) -> String {
    KeyHash::Blake2b(secret_hash::blake2b(secret.as_bytes())).to_string()
}

fn built(declared: &[config::ApiKey]) -> Result<Keys, KeysError> {
    let specs = declared
        .iter()
        .map(|key| KeySpec::of(&Arc::new(key.clone())));
    Keys::build(specs)
}

fn presenting(secret: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("x-api-key"),
        HeaderValue::from_str(secret).unwrap(),
    )])
}

#[test]
fn a_key_is_found_however_its_secret_was_given() {
    let keys = built(&[
        declared("inline", inline("one")),
        declared("env", KeySecret::Env(Text::new("two"))),
        declared("sha256", KeySecret::Hash(hash("three"))),
        declared("blake2b", KeySecret::Hash(blake2b_of("four"))),
    ])
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
    let ids: Vec<_> = keys.all().iter().map(|key| key.id().to_string()).collect();
    assert_eq!(ids, ["blake2b", "env", "inline", "sha256"]);
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
    let keys = built(&[
        with("good", true, None),
        with("still-good", true, future),
        with("disabled", false, None),
        with("expired", true, past),
        with("disabled-and-expired", false, past),
    ])
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
    let keys = built(&[declared("a", inline("a"))]).unwrap();
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
    let admin = config::ApiKey {
        scopes: vec![Scope::AdminWrite],
        ..declared("admin", inline("a"))
    };
    let keys = built(&[key, admin]).unwrap();
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
    let keys = built(&[key, declared("free", inline("f"))]).unwrap();
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
    let check = |declared: &[config::ApiKey], expected: &str| {
        let error = built(declared).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let a = || declared("a", inline("a"));
    check(&[a(), declared("a", inline("other"))], "have the id `a`");
    check(
        &[a(), declared("b", inline("a"))],
        "`a` and `b` have the same secret",
    );
    check(
        &[a(), declared("b", KeySecret::Hash(hash("a")))],
        "same secret",
    );
    check(
        &[a(), declared("b", KeySecret::Hash(blake2b_of("a")))],
        "same secret",
    );
    check(
        &[declared("c", KeySecret::Hash("sha256:zz".into()))],
        "hash of API key `c`",
    );
    let replaced = config::ApiKey {
        previous_hashes: vec![PreviousHash {
            hash: hash("a"),
            expires_at_unix: i64::MAX,
        }],
        ..declared("d", inline("d"))
    };
    check(&[a(), replaced], "`a` and `d` have the same secret");
}

#[test]
fn a_replaced_secret_opens_its_key_until_its_time_is_over() {
    let end = NOW_MS / 1000;
    let key = config::ApiKey {
        previous_hashes: vec![PreviousHash {
            hash: hash("old"),
            expires_at_unix: end,
        }],
        ..declared("rolled", inline("new"))
    };
    let keys = built(&[key]).unwrap();
    let check = |secret, now_ms, expected: Result<(), ErrorKind>| {
        let answer = keys.authenticate(&presenting(secret), None, now_ms);
        assert_eq!(
            answer.map(|_| ()).map_err(|error| error.kind),
            expected,
            "{secret}"
        );
    };
    check("old", NOW_MS - 1, Ok(()));
    check("old", NOW_MS, Err(ErrorKind::ApiKeyExpired));
    check("new", NOW_MS, Ok(()));
}

#[test]
fn a_tenant_that_is_switched_off_stops_its_keys_and_is_named() {
    let mut spec = KeySpec::of(&Arc::new(declared("k", inline("k"))));
    spec.belongs.disabled_by = Some(AccountRef {
        kind: AccountKind::Team,
        id: "blue".into(),
    });
    let keys = Keys::build([spec]).unwrap();
    let error = keys
        .authenticate(&presenting("k"), None, NOW_MS)
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::TenantDisabled);
    assert!(error.message.contains("team `blue`"), "{error}");
}
