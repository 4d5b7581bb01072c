//! Documents of the admin API, alone and beside the file.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::managed::*, *};

const FILE: &str = "
    providers = [{ name = 'a' }]
    models = [{ name = 'm', provider = 'a', provider_model = 'gpt-4o' }]
    tenants = [{ kind = 'organization', id = 'acme' }]
    [[api_keys]]
    id = 'file-key'
    key_hash = 'sha256:0000000000000000000000000000000000000000000000000000000000000001'
    organization_id = 'acme'
    [[policies]]
    name = 'file policy'
    effect = 'deny'
    api_key_ids = ['file-key']
    [[gateway_configs]]
    id = 'file-profile'
";

fn file() -> Config {
    read(FILE).unwrap().config
}

fn hash() -> String {
    format!("sha256:{}", "a".repeat(64))
}

/// A document that is read becomes what the same table of a file becomes.
#[test]
fn a_document_says_what_a_table_says() {
    let config = file();
    let known = Known::of(&config, ManagedNames::default());
    let hash = hash();
    let document = json!({
        "id": "k", "name": "Key \"one\"\n\\ \u{1f} 雪", "key_hash": hash,
        "previous_key_hashes": [{"hash": format!("sha256:{}", "b".repeat(64)), "expires_at_unix": 5}],
        "scopes": ["models.read"], "allowed_models": ["m", "mcp_tool:github-search"],
        "denied_providers": ["mcp:github"], "organization_id": "acme", "user_id": null,
        "request_limit_per_minute": 60, "monthly_token_budget": 1000,
        "budgets": [{"money": 2.5, "period": "day", "time_zone": "Europe/Berlin"},
            {"money": "0.000000001", "period": "hour", "id": null}],
        "cache_enabled": false, "log_bodies": true, "expires_at_unix": 253402300799_i64,
    });
    let key = read_api_key(&document, &known).unwrap();
    assert_eq!(key.name, "Key \"one\"\n\\ \u{1f} 雪");
    assert!(matches!(&key.secret, KeySecret::Hash(found) if *found == hash));
    assert_eq!(key.previous_hashes[0].expires_at_unix, 5);
    assert_eq!(key.scopes, [Scope::ModelsRead]);
    assert_eq!(*key.allowed_models[1], *"mcp_tool:github-search");
    assert_eq!(key.user_id, None);
    assert_eq!(key.limits.requests_per_minute, Some(60));
    let amounts: Vec<_> = key
        .limits
        .budgets
        .iter()
        .map(|budget| budget.amount)
        .collect();
    assert_eq!(amounts, [1000, 2_500_000_000, 1]);
    assert!(!key.cache_enabled && key.log_bodies);

    let tenant =
        json!({"kind": "user", "id": "ada", "parent": "team:nobody-yet", "concurrency_limit": 3});
    let tenant = read_tenant(&tenant).unwrap();
    assert_eq!(tenant.limits.concurrency, Some(3));
    let policy = json!({
        "name": "at night", "effect": "deny", "models": ["m"], "api_key_ids": ["another"],
        "when": {"hours": "22:00-06:00", "days": [], "time_zone": "UTC", "streaming": null},
    });
    let policy = read_policy(&policy, &known).unwrap();
    assert_eq!(policy.when.as_ref().unwrap().hours.unwrap().to_minute, 360);
    let profile = json!({
        "id": "x", "model": "m", "api_key_ids": ["another"], "tags": {"a": "1"},
        "request_headers": {"openai-beta": "b"},
    });
    assert_eq!(
        read_gateway_config(&profile, &known).unwrap().tags["a"],
        "1"
    );
}

/// Everything that is wrong with a key of these fields besides `id` and `key_hash`, one a line.
fn wrong(fields: Value) -> String {
    let mut document = json!({"id": "k", "key_hash": hash()});
    let object = document.as_object_mut().unwrap();
    object.extend(fields.as_object().unwrap().clone());
    refusal(&document)
}

fn refusal(document: &Value) -> String {
    let known = Known::of(&file(), ManagedNames::default());
    let issues = read_api_key(document, &known).err().unwrap_or_default();
    let lines: Vec<_> = issues.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn everything_wrong_with_a_document_comes_at_once_with_its_path() {
    let document = json!({
        "id": "a b", "key_hsh": hash(), "scopes": ["admin.reed"], "allowed_models": ["n"],
        "budgets": [{"tokens": 0, "period": "day"}, {"tokens": 1.5, "period": "day"}],
    });
    let expected = "\
id: must be printable ASCII without spaces
key_hash: is missing
scopes[0]: must be one of `models.read`, `chat.completions`, `responses.create`, `messages.create`, `embeddings.create`, `tools.read`, `tools.execute`, `admin.read`, `admin.write`; did you mean `admin.read`?
allowed_models[0]: there is no model `n`; did you mean `m`?
budgets[0].tokens: must be from 1 to 1000000000000000
budgets[1].tokens: must be an integer, not a float
key_hsh: unknown key `key_hsh`; did you mean `key_hash`?";
    assert_eq!(refusal(&document), expected);
    assert_eq!(refusal(&json!([])), "must be an object");
    assert_eq!(
        wrong(json!({"scopes": [null]})),
        "must not have null in a list"
    );
    let deep = json!({"budgets": [[[[[[[[[[]]]]]]]]]]});
    assert!(wrong(deep).starts_with("must not be nested more than"));
    let injected = json!({"name": "\"\nlog_bodies = true\n#"});
    assert_eq!(wrong(injected), "");
    assert!(wrong(json!({"a\"]\nb": 1})).contains("unknown key"));
    assert!(wrong(json!({"request_limit_per_minute": u64::MAX})).contains("must be from 1 to"));
    assert!(wrong(json!({"request_limit_per_minute": 1e300})).contains("must be an integer"));
    assert!(wrong(json!({"request_limit_per_minute": "60"})).contains("must be an integer"));
    assert!(wrong(json!({"enabled": {"a": {}}})).contains("must be true or false, not a table"));
}

#[test]
fn a_document_holds_no_secret() {
    for key in ["key", "key_env"] {
        let found = wrong(json!({key: "hunter2-hunter2"}));
        let expected = format!("{key}: is for the configuration file alone; send a `key_hash`");
        assert_eq!(found, expected);
    }
    let twice =
        json!([{"hash": hash().to_uppercase().replace("SHA", "sha"), "expires_at_unix": 5}]);
    let found = wrong(json!({"previous_key_hashes": twice}));
    assert_eq!(
        found,
        "previous_key_hashes[0].hash: is in the document twice"
    );
    let header = json!({"id": "x", "request_headers": {"x-title": "{env.SECRET}"}});
    assert!(read_gateway_config(&header, &Known::of(&file(), ManagedNames::default())).is_err());
}

/// What these documents become beside the file.
#[derive(Default)]
struct Managed {
    tenants: Vec<Arc<Tenant>>,
    api_keys: Vec<Arc<ApiKey>>,
    policies: Vec<Arc<Policy>>,
    gateway_configs: Vec<Arc<GatewayConfig>>,
}

impl Managed {
    fn tenant(mut self, document: Value) -> Self {
        self.tenants.push(Arc::new(read_tenant(&document).unwrap()));
        self
    }

    fn key(mut self, id: &str, fields: Value) -> Self {
        let mut document = json!({"id": id, "key_hash": hash()});
        let object = document.as_object_mut().unwrap();
        object.extend(fields.as_object().unwrap().clone());
        let key = read_api_key(&document, &Known::of(&file(), ManagedNames::default())).unwrap();
        self.api_keys.push(Arc::new(key));
        self
    }

    fn policy(mut self, document: Value) -> Self {
        let policy = read_policy(&document, &Known::of(&file(), ManagedNames::default())).unwrap();
        self.policies.push(Arc::new(policy));
        self
    }

    fn profile(mut self, document: Value) -> Self {
        let profile =
            read_gateway_config(&document, &Known::of(&file(), ManagedNames::default())).unwrap();
        self.gateway_configs.push(Arc::new(profile));
        self
    }

    /// The issues beside the file, one a line.
    fn check(&self, expected: &[&str]) {
        let file = file();
        let resources = Resources {
            file: file.resources(),
            managed: ResourceSet {
                tenants: &self.tenants,
                api_keys: &self.api_keys,
                policies: &self.policies,
                gateway_configs: &self.gateway_configs,
                ..ResourceSet::default()
            },
        };
        let issues: Vec<_> = cross_check(&resources)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(issues, expected);
    }
}

#[test]
fn managed_resources_may_refer_to_the_file_and_to_each_other() {
    Managed::default().check(&[]);
    Managed::default()
        .tenant(json!({"kind": "team", "id": "blue", "parent": "organization:acme"}))
        .tenant(json!({"kind": "organization", "id": "globex"}))
        .key("managed", json!({"team_id": "blue"}))
        .policy(
            json!({"name": "p", "effect": "deny", "api_key_ids": ["managed", "file-key"],
            "organization_ids": ["globex", "acme"]}),
        )
        .profile(json!({"id": "x", "api_key_ids": ["managed", "file-key"]}))
        .check(&[]);
}

#[test]
fn what_is_missing_beside_the_file_is_named_by_its_resource() {
    Managed::default()
        .tenant(json!({"kind": "user", "id": "ada", "parent": "team:blue"}))
        .key("managed", json!({"organization_id": "acne", "team_id": "free"}))
        .policy(json!({"name": "my policy", "effect": "deny", "api_key_ids": ["managed", "gone"],
            "user_ids": ["ada", "bob"]}))
        .profile(json!({"id": "x", "api_key_ids": ["manage"]}))
        .check(&[
            "tenants[user:ada].parent: there is no team `blue`",
            "api_keys[managed].organization_id: there is no organization `acne`; did you mean `acme`?",
            "policies[my policy].user_ids[1]: there is no user `bob`",
            "policies[my policy].api_key_ids[1]: there is no key `gone`",
            "gateway_configs[x].api_key_ids[0]: there is no key `manage`; did you mean `managed`?",
        ]);
}

#[test]
fn a_new_parent_can_contradict_what_keys_say() {
    Managed::default()
        .tenant(json!({"kind": "organization", "id": "globex"}))
        .tenant(json!({"kind": "team", "id": "blue", "parent": "organization:globex"}))
        .key("managed", json!({"organization_id": "acme", "team_id": "blue"}))
        .check(&["api_keys[managed].organization_id: `team:blue` belongs to `organization:globex`, but this key to `organization:acme`"]);
}

#[test]
fn a_name_stands_on_one_side_only() {
    let message = "the configuration file declares one with this name";
    Managed::default()
        .tenant(json!({"kind": "organization", "id": "acme"}))
        .tenant(json!({"kind": "team", "id": "acme"}))
        .key("file-key", json!({}))
        .policy(json!({"name": "file policy", "effect": "deny"}))
        .profile(json!({"id": "file-profile"}))
        .check(&[
            &format!("tenants[organization:acme].id: {message}"),
            &format!("api_keys[file-key].id: {message}"),
            &format!("policies[file policy].name: {message}"),
            &format!("gateway_configs[file-profile].id: {message}"),
        ]);
}

proptest! {
    #[test]
    fn no_text_in_a_document_becomes_anything_but_that_text(name in any::<String>(), key in any::<String>()) {
        let found = read_tenant(&json!({"kind": "team", "id": "t", "name": name})).unwrap();
        prop_assert_eq!(found.name, name);
        let known = ["kind", "id", "name", "parent", "enabled", "budgets"];
        if !known.contains(&&*key) {
            let issues = read_tenant(&json!({"kind": "team", "id": "t", &*key: 1})).unwrap_err();
            prop_assert_eq!(issues.len(), 1);
        }
    }
}
