//! One text for one content: sections in a fixed order, keys by name, nothing left to whoever wrote it.

use toml::{Table, Value};

/// Settings first, then lists in the order in which one refers to another.
const SECTIONS: [&str; 24] = [
    "admin",
    "limits",
    "telemetry",
    "storage",
    "backup",
    "secrets",
    "cache",
    "reliability",
    "pricing",
    "governance",
    "auth_service",
    "cluster",
    "alerting",
    "metering",
    "providers",
    "models",
    "tenants",
    "api_keys",
    "policies",
    "gateway_configs",
    "upstreams",
    "routes",
    "mcp_servers",
    "alerts",
];

/// The keys of the top level: those before the first section, then sections in their order, then what we do not know.
pub(super) fn in_order(table: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, value)| (is_section(value), position(key), (*key).clone()));
    entries.into_iter()
}

fn position(key: &str) -> usize {
    let found = SECTIONS.iter().position(|section| *section == key);
    found.unwrap_or(SECTIONS.len())
}

pub(super) fn is_section(value: &Value) -> bool {
    value.is_table() || is_list(value)
}

/// A list of tables.
pub(super) fn is_list(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_table))
}

/// The text of a table.
pub(super) fn text(table: &Table) -> String {
    let mut text = String::new();
    for (key, value) in in_order(table) {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        let section = toml::to_string(&alone)
            .expect("a table of strings, numbers, booleans, lists and tables can be written");
        if !text.is_empty() && is_section(value) {
            text.push('\n');
        }
        text.push_str(section.trim_start_matches('\n'));
    }
    text
}
