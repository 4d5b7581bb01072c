//! `[[mcp_servers]]`: entries that are kept, checked and shown.

use std::time::Duration;

use super::*;

const SEED: &str = include_str!("../../../tests/configs/seed.toml");
const HTTP: &str = "name = 'm'\ntransport = 'sse'\nurl = 'https://m/mcp/'";
const STDIO: &str = "name = 'm'\ntransport = 'stdio'\ncommand = '/bin/m'";

/// The one server of these lines, and the warnings about it.
fn server(lines: &str) -> (Arc<McpServer>, Vec<String>) {
    let loaded = read(&format!("[[mcp_servers]]\n{lines}"));
    let Loaded {
        mut config,
        warnings,
    } = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    let warnings = warnings.into_iter().map(|warning| warning.message);
    (config.mcp_servers.remove(0), warnings.collect())
}

#[test]
fn the_seeds_server_is_kept_as_it_is_and_nobody_connects() {
    let (_, entry) = SEED.split_once("[[mcp_servers]]").unwrap();
    let (entry, _) = entry.split_once("[[policies]]").unwrap();
    let (server, warnings) = server(entry);
    let McpTransport::StreamableHttp(endpoint) = &server.transport else {
        panic!("{server:?}");
    };
    assert_eq!(endpoint.url.to_string(), "http://127.0.0.1:9000/mcp");
    let header = McpSetting {
        name: "authorization".to_owned(),
        value: SettingValue::Env("GITHUB_MCP_TOKEN".to_owned()),
    };
    assert_eq!(endpoint.headers, [header]);
    assert_eq!(
        (&*server.name, server.auth_type),
        ("github", McpAuth::Headers)
    );
    assert_eq!(server.timeout, Duration::from_secs(3));
    for list in [
        &server.tools_to_execute,
        &server.tools_to_auto_execute,
        &server.tool_include,
    ] {
        assert_eq!(*list, [ToolSelector::Exact("search".to_owned())]);
    }
    let unset = "the environment variable `GITHUB_MCP_TOKEN` is not set";
    assert_eq!(warnings, [McpServer::NOT_CONNECTED, unset]);
}

#[test]
fn every_transport_brings_its_own_and_no_more() {
    let (sse, _) = server(&format!("{HTTP}\n[mcp_servers.tls]\nca_cert_path = '/ca'"));
    let McpTransport::Sse(endpoint) = &sse.transport else {
        panic!("{sse:?}");
    };
    assert_eq!(
        endpoint.url.to_string(),
        "https://m/mcp/",
        "its last slash counts"
    );
    assert_eq!(endpoint.ca_cert_path.as_deref(), Some("/ca"));
    let lines =
        format!("{STDIO}\nargs = ['-v', '-v']\nenv = [{{ name = 'Level', value = 'a b' }}]");
    let (stdio, warnings) = server(&lines);
    let McpTransport::Stdio(command) = &stdio.transport else {
        panic!("{stdio:?}");
    };
    assert_eq!((&*command.program, command.args.len()), ("/bin/m", 2));
    assert_eq!(command.env[0].value, SettingValue::Plain("a b".to_owned()));
    assert_eq!(stdio.transport_word(), "stdio");
    assert_eq!(warnings, [McpServer::NOT_CONNECTED]);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let check = |lines: &str, expected: &[&str]| {
        let found = errors(&format!("[[mcp_servers]]\n{lines}"));
        for part in expected {
            assert!(found.contains(part), "{part}\n{found}");
        }
        assert_eq!(found.lines().count(), expected.len(), "{found}");
        assert!(!found.contains("hunter2"), "{found}");
    };
    check(
        "name = 'a-b'\ntransport = 'http'",
        &[
            "name: must be 1 to 32 letters, digits and `_`",
            "transport: must be one of `streamable_http`, `sse`, `stdio`",
        ],
    );
    check("name = 'm'", &["transport: is missing"]);
    check("name = 'm'\ntransport = 'sse'", &["url: is missing"]);
    check(
        "name = 'm'\ntransport = 'stdio'\nurl = 'http://m'",
        &[
            "url: is not for the transport `stdio`",
            "command: is missing",
        ],
    );
    check(
        &format!("{HTTP}\nargs = []\nenv = []"),
        &[
            "args: is not for the transport `sse`",
            "env: is not for the transport `sse`",
        ],
    );
    check(
        "name = 'm'\ntransport = 'sse'\nurl = 'http://u:hunter2@m'",
        &["url: is no usable URL: it must not hold a user"],
    );
    check(
        &format!("{HTTP}\nauth_type = 'headers'"),
        &["auth_type: is `headers`, and there are no `headers`"],
    );
    check(
        &format!("{STDIO}\nauth_type = 'oauth'"),
        &["auth_type: has no meaning for `stdio`"],
    );
    check(
        &format!("{HTTP}\ntool_include = ['a b']\ntools = []"),
        &[
            "tool_include[0]: must be the name of a tool",
            "unknown key `tools`",
        ],
    );
    check(
        &format!("{HTTP}\nmin_reconnect_backoff_secs = 40"),
        &["must not be over `max_reconnect_backoff_secs`"],
    );
    let header = |rest: &str| format!("{HTTP}\nheaders = [{{ {rest} }}]");
    check(
        &header("name = 'Authorization', value = 'hunter2'"),
        &["headers[0].value: is a credential, which must not stand in the file"],
    );
    check(
        &header("name = 'x-team'"),
        &["headers[0]: needs exactly one of `value`"],
    );
    check(
        &header("name = 'x-team', value = 'a', value_env = 'B'"),
        &["headers[0]: needs exactly one of `value`"],
    );
    check(
        &header("name = 'x-team', value_env = 'hunter2'"),
        &["value_env: must be the name of an environment variable"],
    );
    check(
        &header("name = 'x-team', value_sealed = 'hunter2'"),
        &["value_sealed: must be what the admin API sealed"],
    );
    check(
        &header("name = 'x-team', value = '{env.A}'"),
        &["value: placeholders are only filled in where routes"],
    );
    check(
        &header("name = 'content-length', value = '1'"),
        &["name: is written by the gateway itself"],
    );
    check(
        &format!(
            "{HTTP}\nheaders = [{{ name = 'X', value = '1' }}, {{ name = 'x', value = '2' }}]"
        ),
        &["headers[1].name: is set twice"],
    );
    check(
        &format!("{STDIO}\nenv = [{{ name = 'GITHUB_TOKEN', value = 'hunter2' }}]"),
        &["env[0].value: is a credential"],
    );
    check(
        &format!("{STDIO}\nenv = [{{ name = 'A=B', value = '1' }}]"),
        &["env[0].name: must be the name of an environment variable"],
    );
    let twice = format!("{HTTP}\n[[mcp_servers]]\n{HTTP}");
    check(
        &twice,
        &["mcp_servers[1].name: another MCP server has this name, on line 2"],
    );
}

#[test]
fn what_is_doubtful_about_a_server_is_a_warning() {
    let check = |lines: &str, expected: &str| {
        let (_, warnings) = server(lines);
        assert!(
            warnings.iter().any(|warning| warning.contains(expected)),
            "{warnings:?}"
        );
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    };
    check(
        &format!("{HTTP}\ntools_to_execute = ['read_*']\ntools_to_auto_execute = ['*']"),
        "goes beyond `tools_to_execute`",
    );
    check(
        &format!("{HTTP}\ntools_to_auto_execute = ['a']"),
        "goes beyond `tools_to_execute`",
    );
    check(
        &format!("{HTTP}\n[mcp_servers.tls]\ninsecure_skip_verify = true"),
        "can take its place",
    );
    let fine =
        format!("{HTTP}\ntools_to_execute = ['read_*']\ntools_to_auto_execute = ['read_file']");
    assert_eq!(server(&fine).1, [McpServer::NOT_CONNECTED]);
}
