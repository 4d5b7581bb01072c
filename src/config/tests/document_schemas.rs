//! What the API's OpenAPI document says of resources is what is read of them: the same keys, words, bounds and defaults.

use std::{collections::BTreeSet, fmt::Debug};

use ferrogate_api::{
    AlertDocument, ApiKeyDocument, BudgetDocument, GatewayConfigDocument, HeaderDocument,
    McpServerDocument, McpSettingDocument, McpTlsDocument, ModelDocument, ModelFallbackDocument,
    PolicyDocument, PolicyWhenDocument, ProviderDocument, RouteDocument, TenantDocument,
    UpstreamDocument,
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{
    super::{ConfigIssue, managed::*},
    documents::{everything_set, known_keys},
    read,
};

/// What the examples of the documents refer to.
const FILE: &str = "
    providers = [{ name = 'openai' }]
    upstreams = [{ name = 'files', url = 'http://127.0.0.1:1' }]
";

/// Everything that is wrong with a document, or what became of it.
type Read = fn(&Value, &Known) -> Result<String, Vec<ConfigIssue>>;

fn told<T: Debug>(read: Result<T, Vec<ConfigIssue>>) -> Result<String, Vec<ConfigIssue>> {
    read.map(|value| format!("{value:?}"))
}

/// A document as it is told, and what reads it.
struct Document {
    section: &'static str,
    schema: Value,
    schemas: Map<String, Value>,
    /// One that is read.
    example: Value,
    /// Puts one into the document that it is a part of.
    whole: fn(Value) -> Value,
    read: Read,
}

impl Document {
    fn of<D: ToSchema>(section: &'static str, read: Read) -> Self {
        let schema = serde_json::to_value(D::schema()).unwrap();
        let example = schema["examples"][0].clone();
        Self::part_of::<D>(section, (example, |document| document), read)
    }

    fn part_of<D: ToSchema>(
        section: &'static str,
        (example, whole): (Value, fn(Value) -> Value),
        read: Read,
    ) -> Self {
        let mut schemas = Vec::new();
        D::schemas(&mut schemas);
        let named = |(name, schema)| (name, serde_json::to_value::<_>(schema).unwrap());
        Self {
            section,
            schema: serde_json::to_value(D::schema()).unwrap(),
            schemas: schemas.into_iter().map(named).collect(),
            example,
            whole,
            read,
        }
    }

    fn properties(&self) -> &Map<String, Value> {
        self.schema["properties"].as_object().unwrap()
    }

    /// Reads the example with this key set, or without it.
    fn read_with(&self, key: &str, value: Option<Value>) -> Result<String, Vec<ConfigIssue>> {
        let known = Known::of(&read(FILE).unwrap().config, ManagedNames::default());
        let mut document = self.example.clone();
        let fields = document.as_object_mut().unwrap();
        fields.remove(key);
        if let Some(value) = value {
            fields.insert(key.to_owned(), value);
        }
        (self.read)(&(self.whole)(document), &known)
    }

    /// Whether something is said of this value that begins so.
    fn is_told(&self, key: &str, value: Value, beginning: &str) -> bool {
        let issues = self.read_with(key, Some(value)).err().unwrap_or_default();
        issues
            .iter()
            .any(|issue| issue.message.starts_with(beginning))
    }

    /// The schema that a property refers to, whether or not it may be null.
    fn resolved<'s>(&'s self, property: &'s Value) -> &'s Value {
        let choices = property["oneOf"].as_array();
        let reference = match choices {
            Some(choices) => choices.iter().find_map(|choice| choice["$ref"].as_str()),
            None => property["$ref"].as_str(),
        };
        let name = reference.and_then(|text| text.strip_prefix("#/components/schemas/"));
        name.map_or(property, |name| &self.schemas[name])
    }
}

fn documents() -> Vec<Document> {
    let tenant: fn(Value) -> Value =
        |budget| json!({"kind": "team", "id": "a", "budgets": [budget]});
    let policy: fn(Value) -> Value = |when| json!({"name": "a", "effect": "deny", "when": when});
    let model: fn(Value) -> Value = |fallback| json!({"name": "a", "provider": "openai", "provider_model": "b", "fallbacks": [fallback]});
    let route: fn(Value) -> Value = |header| {
        json!({"name": "a", "upstream": "files", "match_headers": [header.clone()],
            "request_headers": [header.clone()], "response_headers": [header]})
    };
    let headers: fn(Value) -> Value =
        |header| json!({"name": "a", "transport": "sse", "url": "http://a", "headers": [header]});
    let tls: fn(Value) -> Value =
        |tls| json!({"name": "a", "transport": "sse", "url": "http://a", "tls": tls});
    let env: fn(Value) -> Value =
        |setting| json!({"name": "a", "transport": "stdio", "command": "/a", "env": [setting]});
    let setting = json!({"name": "a", "value": "b"});
    let budget = json!({"tokens": 1, "period": "day"});
    let fallback = json!({"provider": "openai", "provider_model": "c"});
    vec![
        Document::of::<ApiKeyDocument>("api_keys", |document, known| {
            let mut document = document.clone();
            if document["key_hash"].is_null() {
                document["key_hash"] = format!("sha256:{}", "0".repeat(64)).into();
            }
            told(read_api_key(&document, known))
        }),
        Document::of::<TenantDocument>("tenants", |document, _| told(read_tenant(document))),
        Document::part_of::<BudgetDocument>("tenants.budgets", (budget, tenant), |document, _| {
            told(read_tenant(document))
        }),
        Document::of::<PolicyDocument>("policies", |document, known| {
            told(read_policy(document, known))
        }),
        Document::part_of::<PolicyWhenDocument>(
            "policies.when",
            (json!({"hours": "22:00-06:00"}), policy),
            |document, known| told(read_policy(document, known)),
        ),
        Document::of::<GatewayConfigDocument>("gateway_configs", |document, known| {
            told(read_gateway_config(document, known))
        }),
        Document::of::<ProviderDocument>("providers", |document, known| {
            told(read_provider(document, known))
        }),
        Document::of::<ModelDocument>("models", |document, known| {
            told(read_model(document, known))
        }),
        Document::part_of::<ModelFallbackDocument>(
            "models.fallbacks",
            (fallback, model),
            |document, known| told(read_model(document, known)),
        ),
        Document::of::<UpstreamDocument>("upstreams", |document, known| {
            told(read_upstream(document, known))
        }),
        Document::of::<RouteDocument>("routes", |document, known| {
            told(read_route(document, known))
        }),
        Document::part_of::<HeaderDocument>(
            "routes.request_headers",
            (setting.clone(), route),
            |document, known| told(read_route(document, known)),
        ),
        Document::of::<McpServerDocument>("mcp_servers", |document, known| {
            told(read_mcp_server(document, known))
        }),
        Document::part_of::<McpSettingDocument>(
            "mcp_servers.headers",
            (setting.clone(), headers),
            |document, known| told(read_mcp_server(document, known)),
        ),
        Document::part_of::<McpSettingDocument>(
            "mcp_servers.env",
            (setting, env),
            |document, known| told(read_mcp_server(document, known)),
        ),
        Document::part_of::<McpTlsDocument>(
            "mcp_servers.tls",
            (json!({}), tls),
            |document, known| told(read_mcp_server(document, known)),
        ),
        Document::of::<AlertDocument>("alerts", |document, known| {
            told(read_alert(document, known))
        }),
    ]
}

/// What the file may say and the API does not take, or the other way round.
const DIFFERENT: [(&str, &[&str], &[&str]); 5] = [
    ("api_keys", &["key", "key_env", "previous_key_hashes"], &[]),
    ("gateway_configs", &["revision"], &[]),
    ("providers", &["api_key_sealed"], &["api_key"]),
    ("mcp_servers.headers", &["value_sealed"], &[]),
    ("mcp_servers.env", &["value_sealed"], &[]),
];

#[test]
fn a_document_has_the_keys_that_are_read() {
    let known = known_keys(&everything_set());
    for document in documents() {
        let section = document.section;
        let mut expected: BTreeSet<&str> = known[section].iter().copied().collect();
        let different = DIFFERENT.iter().find(|(name, ..)| *name == section);
        if let Some((_, of_the_file, of_the_api)) = different {
            for key in *of_the_file {
                assert!(expected.remove(key), "{section}.{key}");
            }
            expected.extend(*of_the_api);
        }
        let told: BTreeSet<&str> = document.properties().keys().map(String::as_str).collect();
        assert_eq!(told, expected, "{section}");
        assert_eq!(document.schema["additionalProperties"], false, "{section}");
    }
}

#[test]
fn an_example_is_read_and_what_it_needs_is_needed() {
    for document in documents() {
        let section = document.section;
        let read = document.read_with("nothing", None);
        assert!(read.is_ok(), "{section}: {read:?}");
        let required = document.schema["required"].as_array();
        for key in required.into_iter().flatten() {
            let key = key.as_str().unwrap();
            assert!(document.read_with(key, None).is_err(), "{section}.{key}");
        }
    }
}

#[test]
fn a_number_is_taken_up_to_its_bounds_and_not_beyond() {
    let mut checked = 0;
    for document in documents() {
        for (key, property) in document.properties() {
            let (Some(least), Some(most)) =
                (property["minimum"].as_i64(), property["maximum"].as_i64())
            else {
                continue;
            };
            let is_refused = |value: i64| document.is_told(key, value.into(), "must be from");
            let place = format!("{}.{key}", document.section);
            assert!(!is_refused(least) && !is_refused(most), "{place}");
            assert!(is_refused(least - 1) && is_refused(most + 1), "{place}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn the_words_of_a_choice_are_known_and_no_others() {
    let mut checked = 0;
    for document in documents() {
        for (key, property) in document.properties() {
            let is_list = property["items"].is_object();
            let item = if is_list {
                &property["items"]
            } else {
                property
            };
            let Some(words) = document.resolved(item)["enum"].as_array() else {
                continue;
            };
            let sent = |word: &Value| match is_list {
                true => json!([word]),
                false => word.clone(),
            };
            let place = format!("{}.{key}", document.section);
            for word in words {
                assert!(
                    !document.is_told(key, sent(word), "must be one of"),
                    "{place} {word}"
                );
            }
            assert!(
                document.is_told(key, sent(&json!("nonsense")), "must be"),
                "{place}"
            );
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn a_default_is_what_counts_where_a_key_is_left_out() {
    let mut checked = 0;
    for document in documents() {
        for (key, property) in document.properties() {
            // A default stands beside a reference, too, and inside a choice of one and null.
            let inner = property["oneOf"].as_array().into_iter().flatten();
            let default = inner
                .chain([property])
                .find_map(|schema| schema.get("default"));
            let Some(default) = default else { continue };
            let without = document.read_with(key, None).unwrap();
            let with = document.read_with(key, Some(default.clone())).unwrap();
            assert_eq!(with, without, "{}.{key}", document.section);
            checked += 1;
        }
    }
    assert!(checked > 25, "{checked}");
}
