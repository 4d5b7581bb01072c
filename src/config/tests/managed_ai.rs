//! Providers, models, pools, routes and MCP servers that the admin API made.

use serde_json::{Value, json};

use super::{super::managed::*, *};

const FILE: &str = "
    providers = [{ name = 'file', kind = 'openai' }, { name = 'own', kind = 'openai-compatible', base_url = 'http://o' }]
    models = [{ name = 'm', provider = 'file', provider_model = 'gpt-4o' }]
    upstreams = [{ name = 'pool', url = 'http://127.0.0.1:1' }]
    routes = [{ name = 'route', upstream = 'pool' }]
";

fn file() -> Config {
    read(FILE).unwrap().config
}

/// What is beside the file, as far as documents may name it.
fn known(file: &Config) -> Known {
    let names = ManagedNames {
        models: vec!["made-model"],
        providers: vec!["made", "gone"],
        upstreams: vec!["made-pool"],
    };
    let env = |name: &str| match name {
        "MADE_KEY" => Some("sk-made".to_owned()),
        "BROKEN" => Some("two\nlines".to_owned()),
        _ => None,
    };
    Known::of(file, names).with_environment(env)
}

/// Everything that is wrong with a document, one a line.
fn refusal<T>(read: fn(&Value, &Known) -> Result<T, Vec<ConfigIssue>>, document: Value) -> String {
    let issues = read(&document, &known(&file())).err().unwrap_or_default();
    let lines: Vec<_> = issues.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_document_says_what_a_table_of_the_file_says() {
    let file = file();
    let known = known(&file);
    let provider = json!({"name": "made", "kind": "anthropic", "api_key_env": "MADE_KEY", "api_version": null});
    let provider = read_provider(&provider, &known).unwrap();
    assert_eq!(provider.kind, ProviderKind::Anthropic);
    assert_eq!(provider.api_keys[0].key, Some(Secret::new("sk-made")));
    let model = json!({"name": "made-model", "provider": "file", "provider_model": "x",
        "input_price_per_1m": 0.000001, "output_price_per_1m": 2.0,
        "fallbacks": [{"provider": "made", "provider_model": "y"}]});
    let model = read_model(&model, &known).unwrap();
    assert_eq!(model.price.unwrap().input_micros_per_million, 1);
    assert_eq!(&*model.fallbacks[0].provider, "made");
    let upstream = json!({"name": "made-pool", "url": "http://127.0.0.1:2"});
    assert_eq!(read_upstream(&upstream, &known).unwrap().urls[0].port, 2);
    let route = json!({"name": "made-route", "upstream": "made-pool", "path_prefixes": ["/x"],
        "request_headers": [{"name": "x-key", "value": "{env.MADE_KEY}"}]});
    let route = read_route(&route, &known).unwrap();
    assert!(
        matches!(&route.request_headers[0].value, HeaderValue::Secret(secret) if secret.expose() == "sk-made")
    );
    let server = json!({"name": "files", "transport": "stdio", "command": "files"});
    assert_eq!(
        read_mcp_server(&server, &known).unwrap().transport_word(),
        "stdio"
    );
}

#[test]
fn a_document_is_refused_for_what_a_table_is_refused_for() {
    assert_eq!(
        refusal(read_provider, json!({"name": "p", "api_key": "hunter2"}))
            .split(':')
            .next(),
        Some("api_key")
    );
    assert_eq!(
        refusal(
            read_model,
            json!({"name": "n", "provider": "fil", "provider_model": "x"})
        ),
        "provider: there is no provider `fil`; did you mean `file`?"
    );
    assert_eq!(
        refusal(
            read_route,
            json!({"name": "r", "upstream": "poll", "path_prefixes": ["/admin/x"]})
        ),
        "upstream: there is no upstream `poll`; did you mean `pool`?\n\
         path_prefixes[0]: the gateway answers `/admin` and what lies below it itself, so this can never match"
    );
    assert_eq!(
        refusal(
            read_route,
            json!({"name": "r", "upstream": "pool",
            "request_headers": [{"name": "x", "value": "{env.UNSET}"}]})
        ),
        "request_headers[0].value: the environment variable `UNSET` is not set"
    );
    assert_eq!(
        refusal(read_upstream, json!({"name": "u"})),
        "needs `url` or `urls`"
    );
    assert_eq!(
        refusal(read_mcp_server, json!({"name": "m"})),
        "transport: is missing"
    );
}

/// What the database holds was accepted once. The environment of another day must not make it unreadable.
#[test]
fn a_managed_provider_without_its_key_is_still_one() {
    let known = known(&file());
    for (key, value) in [
        ("api_key_env", "UNSET"),
        ("api_key_env", "BROKEN"),
        ("api_key_file", "/nowhere"),
        ("api_key_credential", "nothing"),
    ] {
        let provider = read_provider(&json!({"name": "made", key: value}), &known).unwrap();
        assert_eq!(provider.api_keys[0].key, None, "{key} {value}");
    }
}

/// What these documents become beside the file.
#[derive(Default)]
struct Managed {
    providers: Vec<Arc<Provider>>,
    models: Vec<Arc<Model>>,
    upstreams: Vec<Arc<Upstream>>,
    routes: Vec<Arc<Route>>,
    mcp_servers: Vec<Arc<McpServer>>,
    api_keys: Vec<Arc<ApiKey>>,
    policies: Vec<Arc<Policy>>,
    gateway_configs: Vec<Arc<GatewayConfig>>,
}

impl Managed {
    fn with(mut self, section: &str, document: Value) -> Self {
        let known = &known(&file());
        let document = &document;
        match section {
            "providers" => self
                .providers
                .push(Arc::new(read_provider(document, known).unwrap())),
            "models" => self
                .models
                .push(Arc::new(read_model(document, known).unwrap())),
            "upstreams" => self
                .upstreams
                .push(Arc::new(read_upstream(document, known).unwrap())),
            "routes" => self
                .routes
                .push(Arc::new(read_route(document, known).unwrap())),
            "mcp_servers" => self
                .mcp_servers
                .push(Arc::new(read_mcp_server(document, known).unwrap())),
            "api_keys" => self
                .api_keys
                .push(Arc::new(read_api_key(document, known).unwrap())),
            "policies" => self
                .policies
                .push(Arc::new(read_policy(document, known).unwrap())),
            _ => self
                .gateway_configs
                .push(Arc::new(read_gateway_config(document, known).unwrap())),
        }
        self
    }

    /// The issues beside the file, one a line.
    fn check(&self, expected: &[&str]) {
        let file = file();
        let issues: Vec<_> = cross_check(&Resources {
            file: file.resources(),
            managed: ResourceSet {
                providers: &self.providers,
                models: &self.models,
                upstreams: &self.upstreams,
                routes: &self.routes,
                mcp_servers: &self.mcp_servers,
                api_keys: &self.api_keys,
                policies: &self.policies,
                gateway_configs: &self.gateway_configs,
                ..ResourceSet::default()
            },
        })
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(issues, expected);
    }

    fn effective(&self) -> Config {
        file().with_managed(&ManagedResources {
            providers: &self.providers,
            models: &self.models,
            upstreams: &self.upstreams,
            routes: &self.routes,
            mcp_servers: &self.mcp_servers,
        })
    }
}

fn key(fields: Value) -> Value {
    let mut document = json!({"id": "k", "key_hash": format!("sha256:{}", "a".repeat(64))});
    let object = document.as_object_mut().unwrap();
    object.extend(fields.as_object().unwrap().clone());
    document
}

#[test]
fn managed_resources_name_those_of_the_file_and_each_other() {
    Managed::default()
        .with("providers", json!({"name": "made"}))
        .with(
            "models",
            json!({"name": "made-model", "provider": "made", "provider_model": "gpt-4o",
            "fallbacks": [{"provider": "file", "provider_model": "gpt-4o"}]}),
        )
        .with("upstreams", json!({"name": "made-pool", "url": "http://u"}))
        .with("routes", json!({"name": "one", "upstream": "made-pool"}))
        .with("routes", json!({"name": "two", "upstream": "pool"}))
        .with(
            "mcp_servers",
            json!({"name": "s", "transport": "stdio", "command": "s"}),
        )
        .with(
            "api_keys",
            key(
                json!({"allowed_models": ["m", "made-model", "mcp_tool:s-x"],
            "denied_providers": ["file", "made", "mcp:s"]}),
            ),
        )
        .with(
            "policies",
            json!({"name": "p", "effect": "deny", "models": ["made-model"]}),
        )
        .with("gateway_configs", json!({"id": "g", "model": "made-model"}))
        .check(&[]);
}

/// After a deletion, or a reload of the file: each is named with who refers to it.
#[test]
fn what_is_no_longer_there_is_told_with_who_names_it() {
    Managed::default()
        .with("models", json!({"name": "made-model", "provider": "made", "provider_model": "x",
            "fallbacks": [{"provider": "file", "provider_model": "y"}, {"provider": "gone", "provider_model": "z"}]}))
        .with("routes", json!({"name": "r", "upstream": "made-pool"}))
        .check(&[
            "models[made-model].provider: there is no provider `made`",
            "models[made-model].fallbacks[1].provider: there is no provider `gone`",
            "routes[r].upstream: there is no upstream `made-pool`",
        ]);
    Managed::default()
        .with("api_keys", key(json!({"allowed_models": ["m", "made-model"], "denied_models": ["made-model"],
            "allowed_providers": ["made"], "denied_providers": ["mcp:s", "gone"]})))
        .with("policies", json!({"name": "p", "effect": "deny", "models": ["mcp_tool:s-x", "made-model"], "providers": ["gone"]}))
        .with("gateway_configs", json!({"id": "g", "model": "made-model"}))
        .check(&[
            "api_keys[k].allowed_models[1]: there is no model `made-model`",
            "api_keys[k].denied_models[0]: there is no model `made-model`",
            "api_keys[k].allowed_providers[0]: there is no provider `made`",
            "api_keys[k].denied_providers[1]: there is no provider `gone`",
            "policies[p].models[1]: there is no model `made-model`",
            "policies[p].providers[0]: there is no provider `gone`",
            "gateway_configs[g].model: there is no model `made-model`",
        ]);
}

#[test]
fn a_name_stands_in_the_file_or_in_the_database() {
    let message = "the configuration file declares one with this name";
    Managed::default()
        .with("providers", json!({"name": "file"}))
        .with(
            "models",
            json!({"name": "m", "provider": "file", "provider_model": "x"}),
        )
        .with("upstreams", json!({"name": "pool", "url": "http://u"}))
        .with("routes", json!({"name": "route", "upstream": "pool"}))
        .check(&[
            &format!("providers[file].name: {message}"),
            &format!("models[m].name: {message}"),
            &format!("upstreams[pool].name: {message}"),
            &format!("routes[route].name: {message}"),
        ]);
}

#[test]
fn the_cheapest_first_needs_a_price_of_everybody_who_may_be_asked() {
    let model = |fallback: Value| {
        json!({"name": "made-model", "provider": "file", "provider_model": "gpt-4o",
            "routing_strategy": "lowest_cost", "fallbacks": [fallback]})
    };
    let check = |fallback: Value, expected: &[&str]| {
        Managed::default()
            .with("models", model(fallback))
            .check(expected);
    };
    check(
        json!({"provider": "file", "provider_model": "gpt-4o-mini"}),
        &[],
    );
    check(
        json!({"provider": "own", "provider_model": "x", "input_price_per_1m": 1, "output_price_per_1m": 1}),
        &[],
    );
    check(
        json!({"provider": "own", "provider_model": "x", "enabled": false}),
        &[],
    );
    check(
        json!({"provider": "own", "provider_model": "x"}),
        &[
            "models[made-model].fallbacks[0].provider_model: model `made-model` has no price at provider `own`, \
           which `lowest_cost` needs; set `input_price_per_1m` and `output_price_per_1m`",
        ],
    );
}

#[test]
fn the_configuration_in_force_has_both_and_prices_them_together() {
    let config = Managed::default()
        .with("providers", json!({"name": "made", "kind": "openai"}))
        .with("models", json!({"name": "made-model", "provider": "made", "provider_model": "gpt-4o",
            "fallbacks": [{"provider": "own", "provider_model": "x"},
                {"provider": "file", "provider_model": "gpt-4o", "input_price_per_1m": 7, "output_price_per_1m": 7}]}))
        .with("routes", json!({"name": "a", "upstream": "pool"}))
        .with("mcp_servers", json!({"name": "s", "transport": "stdio", "command": "s"}))
        .effective();
    let file = file();
    let names: Vec<_> = config
        .providers
        .iter()
        .map(|provider| &*provider.name)
        .collect();
    assert_eq!(names, ["file", "own", "made"]);
    let routes: Vec<_> = config.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(routes, ["route", "a"], "those of the file are tried first");
    let [_, made] = config.models.as_slice() else {
        panic!("two models");
    };
    assert_eq!(
        made.price, file.models[0].price,
        "as the catalog has it for the same model"
    );
    assert!(made.price.is_some() && made.fallbacks[0].price.is_none());
    let own = made.fallbacks[1].price.unwrap();
    assert_eq!(own.input_micros_per_million, 7_000_000);
    assert_eq!(config.mcp_servers.len(), 1);
    assert_eq!(config.document.sha256_hex(), file.document.sha256_hex());
}
