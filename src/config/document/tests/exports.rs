//! What is exported can be started with, and says the same again.

use std::collections::BTreeMap;

use super::*;

const EXAMPLE: &str = include_str!("../../../../config/ferrogate.example.toml");
const MINIMAL: &str = include_str!("../../../../config/minimal.toml");
const SEED: &str = include_str!("../../../../tests/configs/seed.toml");
const OPENROUTER: &str = include_str!("../../../../tests/configs/seed-openrouter.toml");

/// The seed's file without the section that a later version brings.
fn seed() -> String {
    let (before, after) = SEED.split_once("[metering]").unwrap();
    let rest = after.split_once("\n[storage]").unwrap().1;
    format!("{before}[storage]{rest}")
}

/// Exports file and rows, starts with the text, and exports again.
fn check_round_trip(file: &str, rows: &[(&str, Json)]) -> String {
    let rows: Vec<_> = rows.iter().map(|(section, row)| (*section, row)).collect();
    let first = export(&load(file).config.document, &rows);
    let started = load(&first).config;
    assert_eq!(export(&started.document, &[]), first);
    // Whatever the database holds can leave it as well.
    let managed = export_managed(&rows);
    assert_eq!(export(&document(&managed), &[]), managed);
    first
}

fn rows() -> Vec<(&'static str, Json)> {
    let sealed = format!("fgs1.{}", "A".repeat(80));
    let hash = format!("sha256:{}", "a".repeat(64));
    vec![
        (
            "providers",
            json!({"name": "zeta", "kind": "anthropic", "api_key_sealed": sealed}),
        ),
        (
            "providers",
            json!({"name": "alpha", "api_key_env": "ALPHA", "enabled": null}),
        ),
        (
            "models",
            json!({"name": "a-model", "provider": "zeta", "provider_model": "m",
            "input_price_per_1m": 0.000001, "output_price_per_1m": "0.60",
            "fallbacks": [{"provider": "alpha", "provider_model": "n"}]}),
        ),
        (
            "tenants",
            json!({"kind": "team", "id": "blue", "parent": "organization:globex"}),
        ),
        (
            "tenants",
            json!({"kind": "organization", "id": "globex",
            "budgets": [{"money": 2.5, "period": "day"}]}),
        ),
        (
            "api_keys",
            json!({"id": "made", "key_hash": hash, "team_id": "blue", "name": "say \"hi\"\n",
            "previous_key_hashes": [{"hash": format!("sha256:{}", "b".repeat(64)), "expires_at_unix": 5}]}),
        ),
        (
            "policies",
            json!({"name": "second", "effect": "deny", "models": ["a-model"]}),
        ),
        (
            "policies",
            json!({"name": "a third", "effect": "deny", "when": {"hours": "22:00-06:00"}}),
        ),
        (
            "gateway_configs",
            json!({"id": "p", "model": "a-model", "tags": {"a b": "x"}, "request_headers": {}}),
        ),
        (
            "upstreams",
            json!({"name": "pool", "urls": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}),
        ),
        (
            "routes",
            json!({"name": "made", "upstream": "pool", "path_prefixes": ["/made"],
            "request_headers": [{"name": "x-team", "value": "{env.TEAM}"}]}),
        ),
        (
            "mcp_servers",
            json!({"name": "files", "transport": "stdio", "command": "files",
            "args": ["-v", "-v"], "env": [{"name": "FILES_TOKEN", "value_sealed": sealed}]}),
        ),
        (
            "alerts",
            json!({"name": "slow", "metric": "latency_p95_ms", "above": 1500.5, "model": "a-model",
            "provider": "zeta", "webhook_url_env": "HOOK"}),
        ),
    ]
}

#[test]
fn an_export_starts_an_empty_gateway_which_exports_the_same() {
    for file in [EXAMPLE, MINIMAL, &seed(), OPENROUTER, ""] {
        check_round_trip(file, &[]);
    }
    let mut rows = rows();
    // A tag's name is a word; the row is here for its odd key alone.
    rows.retain(|(section, _)| *section != "gateway_configs");
    let text = check_round_trip(&seed(), &rows);
    let config = load(&text).config;
    let mut providers: Vec<_> = config
        .providers
        .iter()
        .map(|provider| &*provider.name)
        .collect();
    assert_eq!(providers, ["alpha", "openai", "zeta"]);
    providers.sort_unstable();
    assert!(config.has_sealed_keys());
    assert_eq!(config.models.len(), 2);
    assert_eq!(config.models[0].price.unwrap().input_micros_per_million, 1);
    assert_eq!(config.api_keys[1].previous_hashes.len(), 1);
}

#[test]
fn lists_are_sorted_but_for_those_whose_order_means_something() {
    let text = check_round_trip(
        "upstreams = [{ name = 'z', url = 'http://a' }, { name = 'b', url = 'http://a' }]\n\
         routes = [{ name = 'z', upstream = 'z' }, { name = 'b', upstream = 'b' }]",
        &[
            ("routes", json!({"name": "a", "upstream": "b"})),
            ("upstreams", json!({"name": "c", "url": "http://c"})),
        ],
    );
    let names = |section: &str| -> Vec<String> {
        let entries = document(&text).entries(section).into_iter();
        entries
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("upstreams"), ["b", "c", "z"]);
    assert_eq!(names("routes"), ["z", "b", "a"]);
}

#[test]
fn an_export_is_laid_out_for_people() {
    let text = check_round_trip(
        "listen = '127.0.0.1:1'\n[cache]\nttl_secs = 5\n[admin]\nlisten = 'off'",
        &[
            (
                "models",
                json!({"name": "m", "provider": "p", "provider_model": "x",
            "fallbacks": [{"provider": "p", "provider_model": "y"}]}),
            ),
            ("providers", json!({"name": "p"})),
        ],
    );
    let expected = "\
listen = \"127.0.0.1:1\"

[admin]
listen = \"off\"

[cache]
ttl_secs = 5

[[providers]]
name = \"p\"

[[models]]
name = \"m\"
provider = \"p\"
provider_model = \"x\"

[[models.fallbacks]]
provider = \"p\"
provider_model = \"y\"
";
    assert_eq!(text, expected);
}

/// One secret of every kind that a file can hold in clear.
const SECRETS: &str = "
    [cluster]
    redis_url = 'redis://user:hunter2@host:6379/0'
    [[providers]]
    name = 'p'
    [[api_keys]]
    id = 'a'
    key = 'hunter2-hunter2'
    [[upstreams]]
    name = 'u'
    url = 'http://u'
    [[routes]]
    name = 'r 1'
    upstream = 'u'
    [[routes.request_headers]]
    name = 'Authorization'
    value = 'Bearer hunter2'
    [[routes.request_headers]]
    name = 'x-token'
    value = 'Bearer {env.TOKEN}'
    [[routes.request_headers]]
    name = 'x-team'
    value = 'blue'
    [[routes.response_headers]]
    name = 'set-cookie'
    value = 'session=hunter2'
";

#[test]
fn no_secret_stands_in_an_export_in_clear() {
    let text = SECRETS.replace("r 1", "r-1");
    let exported = check_round_trip(&text, &rows_of_secrets());
    assert!(!exported.contains("hunter2"), "{exported}");
    for kept in [
        "redis_url_env = \"FERROGATE_REDIS_URL\"",
        "value = \"{env.FERROGATE_ROUTE_R_1_AUTHORIZATION}\"",
        "value = \"{env.FERROGATE_ROUTE_R_1_SET_COOKIE}\"",
        "value = \"Bearer {env.TOKEN}\"",
        "value = \"blue\"",
        "key_hash = \"sha256:",
    ] {
        assert!(exported.contains(kept), "{kept}\n{exported}");
    }
    let plain = "[cluster]\nredis_url = 'redis://host:6379'";
    assert!(check_round_trip(plain, &[]).contains("redis://host:6379"));
}

fn rows_of_secrets() -> Vec<(&'static str, Json)> {
    vec![(
        "routes",
        json!({"name": "made", "upstream": "u",
            "request_headers": [{"name": "x-api-key", "value": "hunter2"}]}),
    )]
}

#[test]
fn an_exported_key_opens_to_the_same_secret() {
    let text = check_round_trip("api_keys = [{ id = 'a', key = 'dev-secret' }]", &[]);
    let hash = crate::secret_hash::KeyHash::of("dev-secret").to_string();
    assert!(text.contains(&format!("key_hash = \"{hash}\"")), "{text}");
}

#[test]
fn what_people_see_has_no_secret_at_all() {
    let sealed = format!("fgs1.{}", "A".repeat(80));
    let text = format!(
        "{SECRETS}
        [[api_keys.previous_key_hashes]]
        hash = 'hunter2'
        [[mcp_servers]]
        name = 'm'
        headers = [{{ name = 'x', value_sealed = '{sealed}' }}, {{ name = 'y', value_env = 'Y' }}]
        [metering]
        export_token = 'hunter2'
        token_env = 'TOKEN'
        "
    );
    let document = document(&text);
    let (shown, json) = (document.masked_text(), document.masked_json());
    for shown in [&shown, &json.to_string()] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("fgs1."),
            "{shown}"
        );
    }
    assert_eq!(json["cluster"]["redis_url"], "redis://…@host:6379/0");
    assert_eq!(json["api_keys"][0]["key"], "…");
    assert_eq!(json["api_keys"][0]["previous_key_hashes"], "…");
    assert_eq!(
        json["routes"][0]["request_headers"][2],
        json!({"name": "x-team", "value": "…"})
    );
    assert_eq!(json["mcp_servers"][0]["headers"][1]["value_env"], "Y");
    assert_eq!(json["metering"]["token_env"], "TOKEN");
    assert_eq!(Document::parse(&shown).unwrap().masked_json(), json);
    let row = json!({"id": "a", "key_hash": "h", "previous_key_hashes": ["h"], "name": "n"});
    let expected = json!({"id": "a", "key_hash": "…", "previous_key_hashes": "…", "name": "n"});
    assert_eq!(masked(&row), expected);
}

/// Names, each used once.
fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-zA-Z0-9._/:-]{1,12}", 0..6)
        .prop_map(|names| names.into_iter().collect())
        .prop_shuffle()
}

proptest! {
    // Each case reads two whole files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_managed_rows_come_back_as_they_were(
        names in names(),
        texts in prop::collection::vec(any::<String>(), 6),
        prices in prop::collection::vec(0..10_000_000_u64, 6),
        flags in prop::collection::vec(any::<bool>(), 6),
    ) {
        let mut rows = Vec::new();
        let mut written = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            let (text, flag) = (&texts[index], flags[index]);
            let micros = i32::try_from(prices[index]).unwrap();
            let price = f64::from(micros) / 1e6;
            rows.push(("providers", json!({"name": name, "enabled": flag})));
            rows.push(("tenants", json!({"kind": "user", "id": name, "name": text})));
            rows.push(("api_keys", json!({"id": name, "user_id": name, "name": text,
                "key_hash": format!("sha256:{index:064}"), "expires_at_unix": 1 + prices[index]})));
            rows.push(("models", json!({"name": name, "provider": name, "provider_model": format!("m{text}"),
                "input_price_per_1m": price, "output_price_per_1m": 1})));
            written.insert(name.clone(), (text.clone(), prices[index]));
        }
        let text = check_round_trip(&seed(), &rows);
        let config = load(&text).config;
        for (name, (text, micros)) in written {
            let tenant = config.tenants.iter().find(|tenant| *tenant.id == *name).unwrap();
            prop_assert_eq!(&tenant.name, &text);
            let model = config.models.iter().find(|model| *model.name == *name).unwrap();
            prop_assert_eq!(&*model.provider_model, &*format!("m{text}"));
            prop_assert_eq!(model.price.unwrap().input_micros_per_million, micros);
        }
    }
}
