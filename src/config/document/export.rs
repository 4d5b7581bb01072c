//! A configuration as one file that another gateway can be started with.
//!
//! 1. Settings stand as they were written, references such as `{env.NAME}` unresolved.
//! 2. Each list holds what the file declares and what the admin API made. It is sorted by name, but for policies and
//!    routes: of those the first one counts, so that they keep their order, the file's before the others.
//! 3. No secret stands in clear. A key's is written as its hash, a sealed one as it is. What can be neither, because it
//!    has to be said to somebody else, becomes the name of an environment variable.
//! 4. What was exported is exported the same: an empty gateway that is started with the text gives the text back.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::{
    super::{secret_words, variables},
    Document, canonical, mask, values,
};
use crate::secret_hash::KeyHash;

/// Where an exported address of Redis with a password is looked for.
const REDIS_URL_VARIABLE: &str = "FERROGATE_REDIS_URL";
/// Lists whose order means something.
const ORDERED: [&str; 2] = ["policies", "routes"];

/// What the file says and the admin API made: rows of the database, each with the section it belongs to.
pub fn export(document: &Document, rows: &[(&str, &Json)]) -> String {
    text_of(document.table().clone(), rows)
}

/// What the admin API made alone.
pub fn export_managed(rows: &[(&str, &Json)]) -> String {
    text_of(Table::new(), rows)
}

fn text_of(mut table: Table, rows: &[(&str, &Json)]) -> String {
    for (section, row) in rows {
        if let Some(row) = row.as_object() {
            let entry = Value::Table(values::table_of_json(row));
            let list = table
                .entry((*section).to_owned())
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(entry);
            }
        }
    }
    let mut table = without_clear_secrets(&table);
    for (section, list) in &mut table {
        let sorted = canonical::is_list(list) && !is_ordered(section);
        if let Some(list) = list.as_array_mut().filter(|_| sorted) {
            list.sort_by_cached_key(|entry| name_of(section, entry));
        }
    }
    canonical::text(&table)
}

/// Whether the order of a list means something.
pub(super) fn is_ordered(section: &str) -> bool {
    ORDERED.contains(&section)
}

/// What an entry of a list is called.
pub(super) fn name_of(section: &str, entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    match section {
        "tenants" => format!("{}:{}", text("kind"), text("id")),
        "api_keys" | "gateway_configs" => text("id").to_owned(),
        _ => text("name").to_owned(),
    }
}

/// The same without a secret that can be read.
pub(super) fn without_clear_secrets(table: &Table) -> Table {
    let mut table = table.clone();
    for key in entries_of(&mut table, "api_keys") {
        hash_secret(key);
    }
    for route in entries_of(&mut table, "routes") {
        take_credentials_out(route);
    }
    if let Some(cluster) = table.get_mut("cluster").and_then(Value::as_table_mut) {
        take_password_out(cluster);
    }
    table
}

fn entries_of<'t>(
    table: &'t mut Table,
    section: &str,
) -> impl Iterator<Item = &'t mut Table> + use<'t> {
    let list = table.get_mut(section).and_then(Value::as_array_mut);
    let entries = list.into_iter().flatten();
    entries.filter_map(Value::as_table_mut)
}

fn hash_secret(key: &mut Table) {
    if let Some(Value::String(secret)) = key.remove("key") {
        let hash = KeyHash::of(&secret).to_string();
        key.insert("key_hash".to_owned(), Value::String(hash));
    }
}

fn take_password_out(cluster: &mut Table) {
    let url = cluster.get("redis_url").and_then(Value::as_str);
    if url.and_then(mask::user_and_rest).is_some() {
        cluster.remove("redis_url");
        let variable = Value::String(REDIS_URL_VARIABLE.to_owned());
        cluster.insert("redis_url_env".to_owned(), variable);
    }
}

/// A credential that a route sets and that is written out.
fn take_credentials_out(route: &mut Table) {
    let route_name = route.get("name").and_then(Value::as_str);
    let route_name = route_name.unwrap_or_default().to_owned();
    for list in ["request_headers", "response_headers"] {
        for header in entries_of(route, list) {
            let text = |key: &str| header.get(key).and_then(Value::as_str).unwrap_or_default();
            let name = text("name");
            if secret_words::is_credential(name) && !variables::has_placeholder(text("value")) {
                let variable = variable_name(&["FERROGATE_ROUTE", &route_name, name]);
                let value = Value::String(format!("{{env.{variable}}}"));
                header.insert("value".to_owned(), value);
            }
        }
    }
}

fn variable_name(parts: &[&str]) -> String {
    let allowed = |character: char| match character.to_ascii_uppercase() {
        upper if upper.is_ascii_alphanumeric() => upper,
        _ => '_',
    };
    parts.join("_").chars().map(allowed).collect()
}
