//! `/admin/v1/mcp-servers` and `/{name}`: servers of the Model Context Protocol, kept and checked and not connected to
//! yet. Credentials in `headers` and `env` are sealed before anybody else sees them, and no answer has them again.

use std::{borrow::Cow, time::Duration};

use ferrogate_api::{McpServer, McpServerFilter, McpSetting, McpTls};
use serde_json::{Map, Value};

use super::{
    listing::SortKey,
    query::Parameters,
    resources::{
        AdminResource, ByName, Entry, Viewing, Write, entries, invalid_resource, is, take_enabled,
        take_origin,
    },
};
use crate::config::{self, McpTransport, Secret, SettingValue, ToolSelector};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

const TRANSPORTS: [&str; 3] = ["streamable_http", "sse", "stdio"];
/// The lists in which secrets can stand.
const SETTINGS: [&str; 2] = ["headers", "env"];
const SEALED: &str = "value_sealed";

/// `[[mcp_servers]]`.
pub(super) struct McpServers;

type Found<'s> = Entry<'s, &'s config::McpServer>;

impl AdminResource for McpServers {
    const KIND: ResourceKind = ResourceKind::McpServer;
    const NOUN: &'static str = "MCP server";
    const SORTS: &'static [&'static str] = &["name", "transport", "created_at", "updated_at"];

    type Name = ByName;
    type Value<'s> = &'s config::McpServer;
    type View = McpServer;
    type Filter = McpServerFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let file = snapshot.file.mcp_servers.iter().map(|server| &**server);
        let managed = &snapshot.managed.mcp_servers;
        entries(file, managed, |server| Cow::Borrowed(&*server.name))
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> McpServer {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<McpServerFilter, RequestError> {
        Ok(McpServerFilter {
            transport: parameters
                .take_word("transport", &TRANSPORTS.map(|word| (word, word)))?
                .map(ToOwned::to_owned),
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &McpServerFilter, entry: &Found<'_>) -> bool {
        let server = entry.value;
        is(filter.transport.as_deref(), server.transport_word())
            && is(filter.enabled, server.enabled)
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        vec![match &entry.value.transport {
            McpTransport::StreamableHttp(endpoint) | McpTransport::Sse(endpoint) => {
                endpoint.url.host().unwrap_or_default()
            }
            McpTransport::Stdio(command) => &command.program,
        }]
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "transport" => SortKey::from(entry.value.transport_word()),
            _ => SortKey::Nothing,
        }
    }

    fn prepare(
        document: &mut Map<String, Value>,
        before: Option<&Found<'_>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        let before = before.and_then(|entry| entry.stored);
        let seal = |setting: &str, secret: &Secret| {
            write.gateway.seal_mcp_setting(write.name, setting, secret)
        };
        for list in SETTINGS {
            let known = before.and_then(|row| row.document.get(list));
            seal_settings(document, list, known, &seal)?;
        }
        Ok(())
    }
}

/// What seals a secret of one setting.
type Seal<'s> = dyn Fn(&str, &Secret) -> Result<String, RequestError> + 's;

/// Seals what stands for a credential, and keeps what was sealed where a setting comes without a value.
fn seal_settings(
    document: &mut Map<String, Value>,
    list: &'static str,
    known: Option<&Value>,
    seal: &Seal<'_>,
) -> Result<(), RequestError> {
    let settings = document.get_mut(list).and_then(Value::as_array_mut);
    for setting in settings.into_iter().flatten() {
        // What is no table, or has no name, is refused later.
        let Some(setting) = setting.as_object_mut() else {
            continue;
        };
        if setting.contains_key(SEALED) {
            return Err(invalid_resource(
                list,
                "holds `value_sealed`, which the gateway makes: send the secret as `value`",
            ));
        }
        let Some(name) = setting.get("name").and_then(Value::as_str) else {
            continue;
        };
        let name = name.to_owned();
        let is_credential = config::is_credential(&name);
        match setting.get("value") {
            Some(Value::String(text)) if is_credential => {
                let secret = Secret::new(text.as_str());
                setting.remove("value");
                setting.insert(SEALED.to_owned(), seal(&name, &secret)?.into());
            }
            None if !setting.contains_key("value_env") => {
                if let Some(sealed) = sealed_of(known, &name) {
                    setting.insert(SEALED.to_owned(), sealed.clone());
                }
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// What was sealed of a setting before.
fn sealed_of<'k>(known: Option<&'k Value>, name: &str) -> Option<&'k Value> {
    let mut settings = known?.as_array()?.iter();
    let is_it = |setting: &&Value| {
        let its = setting.get("name").and_then(Value::as_str);
        its.is_some_and(|its| its.eq_ignore_ascii_case(name))
    };
    settings.find(is_it)?.get(SEALED)
}

fn view(entry: &Found<'_>) -> McpServer {
    let server = entry.value;
    let declared = entry.declared();
    let (endpoint, command) = match &server.transport {
        McpTransport::StreamableHttp(endpoint) | McpTransport::Sse(endpoint) => {
            (Some(endpoint), None)
        }
        McpTransport::Stdio(command) => (None, Some(command)),
    };
    let secs = |time: Duration| time.as_secs();
    McpServer {
        object: McpServers::KIND.as_str().into(),
        name: server.name.clone(),
        enabled: server.enabled,
        transport: server.transport_word().to_owned(),
        url: endpoint.map(|endpoint| endpoint.url.to_string()),
        headers: endpoint.map_or_else(Vec::new, |endpoint| settings(&endpoint.headers)),
        tls: endpoint.map(|endpoint| McpTls {
            insecure_skip_verify: endpoint.insecure_skip_verify,
            ca_cert_path: endpoint.ca_cert_path.clone(),
        }),
        command: command.map(|command| command.program.clone()),
        args: command.map_or_else(Vec::new, |command| command.args.clone()),
        env: command.map_or_else(Vec::new, |command| settings(&command.env)),
        auth_type: server.auth_type.as_str().to_owned(),
        tools_to_execute: selectors(&server.tools_to_execute),
        tools_to_auto_execute: selectors(&server.tools_to_auto_execute),
        tool_include: selectors(&server.tool_include),
        tool_regex: selectors(&server.tool_regex),
        timeout_ms: u64::try_from(server.timeout.as_millis()).unwrap_or(u64::MAX),
        health_ping_interval_secs: secs(server.health_ping_interval),
        max_reconnect_attempts: server.max_reconnect_attempts,
        min_reconnect_backoff_secs: secs(server.min_reconnect_backoff),
        max_reconnect_backoff_secs: secs(server.max_reconnect_backoff),
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

fn settings(settings: &[config::McpSetting]) -> Vec<McpSetting> {
    settings.iter().map(setting).collect()
}

fn setting(setting: &config::McpSetting) -> McpSetting {
    let (value, value_env, sealed) = match &setting.value {
        SettingValue::Plain(value) => (Some(value.clone()), None, false),
        SettingValue::Env(variable) => (None, Some(variable.clone()), false),
        SettingValue::Sealed(_) => (None, None, true),
    };
    McpSetting {
        name: setting.name.clone(),
        value,
        value_env,
        sealed,
    }
}

/// As the configuration would say them.
fn selectors(selectors: &[ToolSelector]) -> Vec<String> {
    selectors
        .iter()
        .map(|selector| match selector {
            ToolSelector::All => "*".to_owned(),
            ToolSelector::Exact(name) => name.clone(),
            ToolSelector::Prefix(beginning) => format!("{beginning}*"),
            ToolSelector::Part(part) => format!("/{part}/"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sealed(body: &Value, known: Option<&Value>) -> Result<Value, RequestError> {
        let mut document = body.as_object().unwrap().clone();
        let seal =
            |name: &str, secret: &Secret| Ok(format!("sealed {name} {}", secret.expose().len()));
        seal_settings(&mut document, "headers", known, &seal)?;
        Ok(document["headers"].clone())
    }

    #[test]
    fn credentials_are_sealed_and_the_others_stay() {
        let body = json!({"headers": [
            {"name": "Authorization", "value": "Bearer 1"},
            {"name": "x-team", "value": "blue"},
            {"name": "x-api-key", "value_env": "KEY"},
            {"name": "authorization", "value": 7},
            "nonsense",
        ]});
        assert_eq!(
            sealed(&body, None).unwrap(),
            json!([
                {"name": "Authorization", "value_sealed": "sealed Authorization 8"},
                {"name": "x-team", "value": "blue"},
                {"name": "x-api-key", "value_env": "KEY"},
                {"name": "authorization", "value": 7},
                "nonsense",
            ])
        );
    }

    #[test]
    fn what_was_sealed_stays_where_nothing_takes_its_place() {
        let known = json!([{"name": "Authorization", "value_sealed": "fgs1.a"}]);
        let check = |setting: Value, expected: Value| {
            let after = sealed(&json!({"headers": [setting]}), Some(&known)).unwrap();
            assert_eq!(after[0], expected);
        };
        check(
            json!({"name": "authorization"}),
            json!({"name": "authorization", "value_sealed": "fgs1.a"}),
        );
        check(
            json!({"name": "authorization", "value_env": "KEY"}),
            json!({"name": "authorization", "value_env": "KEY"}),
        );
        check(
            json!({"name": "authorization", "value": "new"}),
            json!({"name": "authorization", "value_sealed": "sealed authorization 3"}),
        );
        check(json!({"name": "x-api-key"}), json!({"name": "x-api-key"}));
        let own = json!({"headers": [{"name": "authorization", "value_sealed": "fgs1.b"}]});
        assert!(sealed(&own, Some(&known)).is_err());
    }

    #[test]
    fn selectors_are_told_as_they_were_declared() {
        let told = selectors(&[
            ToolSelector::All,
            ToolSelector::Exact("search".to_owned()),
            ToolSelector::Prefix("read_".to_owned()),
            ToolSelector::Part("code".to_owned()),
        ]);
        assert_eq!(told, ["*", "search", "read_*", "/code/"]);
    }
}
