//! Configuration files, good and bad.

mod alerts;
mod document_schemas;
mod documents;
mod fingerprint;
mod managed;
mod managed_ai;
mod mcp_servers;
mod models;
mod no_panic;
mod policies;
mod prices;
mod provider_keys;
mod providers;
mod secrets;
mod shared;
mod tenants;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;

const EXAMPLE: &str = include_str!("../../../config/ferrogate.example.toml");

fn no_environment(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Loaded, ConfigErrors> {
    parse(text, "test.toml", &no_environment)
}

/// The messages of all errors, one a line.
fn errors(text: &str) -> String {
    read(text).map_or_else(|errors| errors.to_string(), |_| String::new())
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_file_in_config_loads() {
    for file in files("config", "toml") {
        let text = fs::read_to_string(&file).unwrap();
        if let Err(errors) = parse(&text, &file.display().to_string(), &no_environment) {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_seeds_examples_are_refused_for_nothing_but_what_is_not_yet_supported() {
    for file in files("tests/configs", "toml") {
        let text = fs::read_to_string(&file).unwrap();
        let parsed = parse(&text, "seed.toml", &no_environment);
        if file.ends_with("seed-openrouter.toml") {
            assert!(parsed.is_ok(), "{parsed:?}");
            continue;
        }
        let issues = parsed.unwrap_err().0;
        for issue in &issues {
            let later = issue.message.ends_with("is not yet supported");
            assert!(later, "{}: {issue}", file.display());
        }
        if file.ends_with("seed.toml") {
            let refused: Vec<_> = issues.iter().map(|issue| &*issue.key).collect();
            assert_eq!(refused, ["metering"]);
        }
    }
}

#[test]
fn a_bad_file_is_refused_with_all_its_errors_at_once() {
    for file in files("tests/configs/invalid", "toml") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let found = parse(&text, name, &no_environment).unwrap_err();
        let expected = fs::read_to_string(file.with_extension("txt")).unwrap_or_default();
        assert_eq!(format!("{found}\n"), expected, "{}", file.display());
        assert!(!expected.contains("hunter2") && !expected.contains("sk-this"));
    }
}

#[test]
fn an_empty_file_is_a_closed_gateway_on_loopback() {
    let Loaded { config, warnings } = read("").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.listen.unwrap().to_string(), "127.0.0.1:2019");
    assert!(config.admin.on_gateway);
    assert_eq!(config.storage.path, Path::new("./ferrogate-data"));
    assert_eq!(
        config.admin.socket,
        Path::new("./ferrogate-data/admin.sock")
    );
    assert_eq!(config.admin.list_max_limit, 1000);
    assert!(config.api_keys.is_empty() && config.routes.is_empty());
}

#[test]
fn the_example_becomes_what_it_says() {
    let config = read(EXAMPLE).unwrap().config;
    let price = config.models[0].price.unwrap();
    assert_eq!(price.input_micros_per_million, 150_000);
    assert_eq!(price.output_micros_per_million, 600_000);
    assert_eq!(config.models[0].provider, config.providers[0].name);
    assert_eq!(
        &*config.models[0].fallbacks[0].provider_model,
        "gpt-4.1-mini"
    );
    let key = &config.api_keys[0];
    assert_eq!((&*key.id, &*key.name), ("dev", "dev"));
    assert!(key.scopes.contains(&Scope::ResponsesCreate));
    assert_eq!(key.limits.requests_per_minute, Some(60));
    let budget = &key.limits.budgets[0];
    assert_eq!((&*budget.id, budget.amount), ("month-tokens", 1_000_000));
    assert!(config.cache.enabled && config.models[0].cache_enabled);
    assert!(!config.policies[0].enabled);
    assert_eq!(config.gateway_configs[0].cache_enabled, Some(false));
    assert_eq!(config.tenants[0].limits.budgets[0].amount, 250_000_000_000);
    let server = UpstreamUrl {
        tls: false,
        host: "127.0.0.1".into(),
        port: 9100,
        base_path: String::new(),
    };
    assert_eq!(config.upstreams[0].urls, [server]);
    assert_eq!(config.routes[0].path_prefixes, ["/proxy/httpbin"]);
}

#[test]
fn the_environment_fills_in_what_the_file_leaves_to_it() {
    let env = |name: &str| {
        let value = match name {
            "FERROGATE_LISTEN" => "0.0.0.0:80",
            "STATE_DIRECTORY" => "/var/lib/ferrogate:/var/lib/other",
            "OPENAI_API_KEY" => "sk-1",
            "CLIENT_KEY" => "fg_live_0123456789abcdefghijklmnop",
            "TEAM" => "blue",
            "EMPTY" => "",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let text = r#"
        listen = "127.0.0.1:8080"
        [[providers]]
        name = "a"
        base_url = "https://api.openai.com/v1/"
        api_key_env = "OPENAI_API_KEY"
        [[providers]]
        name = "b"
        base_url = "http://b"
        api_key_env = "EMPTY"
        [[api_keys]]
        id = "client"
        key_env = "CLIENT_KEY"
        [[upstreams]]
        name = "pool"
        urls = ["https://[::1]/base/", "http://B.example:81"]
        [[routes]]
        name = "route"
        upstream = "pool"
        [[routes.request_headers]]
        name = "x-team"
        value = "{env.TEAM}-{env.TEAM}"
    "#;
    let Loaded { config, warnings } = parse(text, "test.toml", &env).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    assert!(!config.admin.on_gateway, "the listener is public");
    assert_eq!(config.storage.path, Path::new("/var/lib/ferrogate"));
    assert_eq!(config.providers[0].base_url.path(), "/v1");
    let key = |env: &str, key: Option<&str>| ProviderKey {
        source: KeySource::Env(env.to_owned()),
        key: key.map(Secret::new),
    };
    let keys = [key("OPENAI_API_KEY", Some("sk-1"))];
    assert_eq!(config.providers[0].api_keys, keys);
    assert_eq!(config.providers[1].api_keys, [key("EMPTY", None)]);
    let [first, second] = config.upstreams[0].urls.as_slice() else {
        panic!("two servers");
    };
    assert_eq!(
        (&*first.host, first.port, &*first.base_path),
        ("::1", 443, "/base")
    );
    assert_eq!(
        (&*second.host, second.port, second.tls),
        ("b.example", 81, false)
    );
    let HeaderValue::Secret(team) = &config.routes[0].request_headers[0].value else {
        panic!("from the environment");
    };
    assert_eq!(team.expose(), "blue-blue");
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let unset =
        "test.toml:10:23: providers[1].api_key_env: the environment variable `EMPTY` is not set";
    assert_eq!(warnings, [unset]);
    let errors = parse("", "test.toml", &|_| Some("nowhere".into())).unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("FERROGATE_LISTEN: must be an address")
    );
}

#[test]
fn what_is_doubtful_is_a_warning() {
    let text = r#"
        listen = "0.0.0.0:8080"
        admin = { listen = "0.0.0.0:2019", on_gateway = true }
        limits = { trusted_proxies = ["0.0.0.0/0"] }
        providers = [{ name = "a", base_url = "http://a", api_key_env = "UNSET" }]
        api_keys = [{ id = "a", key = "dev-secret" }, { id = "b", key_env = "WEAK" }]
    "#;
    let env = |name: &str| (name == "WEAK").then(|| "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned());
    let warnings = parse(text, "t", &env).unwrap().warnings;
    let keys: Vec<_> = warnings.iter().map(|warning| &*warning.key).collect();
    let expected = [
        "admin.listen",
        "admin.on_gateway",
        "limits.trusted_proxies",
        "providers[0].api_key_env",
        "api_keys[0].key",
        "api_keys[0].key",
        "api_keys[1].key_env",
    ];
    assert_eq!(keys, expected, "{warnings:#?}");
    assert!(
        warnings
            .iter()
            .all(|warning| !warning.message.contains("dev-secret"))
    );
}

#[test]
fn the_admin_api_cannot_take_the_gateways_address() {
    for (text, taken) in [
        ("listen = '127.0.0.1:2019'", true),
        ("listen = '0.0.0.0:2019'", true),
        ("listen = '127.0.0.1:1'\nadmin.listen = '0.0.0.0:1'", true),
        ("listen = '127.0.0.2:2019'", false),
        (
            "listen = '127.0.0.1:0'\nadmin.listen = '127.0.0.1:0'",
            false,
        ),
        ("listen = '0.0.0.0:2019'\nadmin.listen = 'off'", false),
    ] {
        assert_eq!(errors(text).contains("is taken by"), taken, "{text}");
    }
    let long = format!("storage.path = '/{}'", "x".repeat(100));
    assert!(
        errors(&long).contains("a unix socket takes 107"),
        "{}",
        errors(&long)
    );
}

#[test]
fn a_lower_list_maximum_lowers_the_default_with_it() {
    let admin = read("storage.admin_list_max_limit = 50")
        .unwrap()
        .config
        .admin;
    assert_eq!((admin.list_default_limit, admin.list_max_limit), (50, 50));
}

#[test]
fn caddyfiles_unreadable_files_and_huge_files_are_refused_as_a_whole() {
    for name in ["Ferrogate/Caddyfile", "site.caddyfile"] {
        let errors = parse(":8080 {}", name, &no_environment).unwrap_err();
        let expected = format!("{name}: Caddyfile is not yet supported; write TOML");
        assert_eq!(errors.to_string(), expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ferrogate.toml");
    assert!(
        load(&file)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    fs::write(&file, "#".repeat((16 << 20) + 1)).unwrap();
    assert!(load(&file).unwrap_err().to_string().contains("larger than"));
    fs::write(&file, "[storage]\npath = 1").unwrap();
    let expected = format!(
        "{}:2:8: storage.path: must be a string, not an integer",
        file.display()
    );
    assert_eq!(load(&file).unwrap_err().to_string(), expected);
}
