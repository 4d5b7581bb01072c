//! `[[mcp_servers]]`: servers of the Model Context Protocol, whose tools a later version offers.
//!
//! An entry is kept, checked and shown; nothing connects to it yet, and whoever declares one is told so. Everything is
//! read as the version that connects will need it, so that no entry has to be written anew then.

mod selectors;
mod settings;

use std::{sync::Arc, time::Duration};

pub use self::{
    selectors::ToolSelector,
    settings::{McpSetting, SettingValue},
};

use super::{names::Names, reader::Section, url, values::one_of};

/// One server.
#[derive(Debug, Clone, PartialEq)]
pub struct McpServer {
    /// `name`: unique; its tools are called `<name>-<tool>`.
    pub name: Arc<str>,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `transport`, with what it needs.
    pub transport: McpTransport,
    /// `auth_type`; default `none`.
    pub auth_type: McpAuth,
    /// `tools_to_execute`: which of its tools may be run at all; empty means none.
    pub tools_to_execute: Vec<ToolSelector>,
    /// `tools_to_auto_execute`: which of them are run without asking.
    pub tools_to_auto_execute: Vec<ToolSelector>,
    /// `tool_include`: which of its tools are offered; empty means all.
    pub tool_include: Vec<ToolSelector>,
    /// `tool_regex`: more of them, in the same words, whatever the name says.
    pub tool_regex: Vec<ToolSelector>,
    /// `timeout_ms` of one call; default 30000.
    pub timeout: Duration,
    /// `health_ping_interval_secs`; default 10.
    pub health_ping_interval: Duration,
    /// `max_reconnect_attempts` in a row; default 5.
    pub max_reconnect_attempts: u32,
    /// `min_reconnect_backoff_secs` before the first of them; default 1.
    pub min_reconnect_backoff: Duration,
    /// `max_reconnect_backoff_secs`, up to which it is doubled; default 30.
    pub max_reconnect_backoff: Duration,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum McpTransport {
    /// `streamable_http`.
    StreamableHttp(McpEndpoint),
    /// `sse`: the older of the two over HTTP.
    Sse(McpEndpoint),
    /// `stdio`: a process of its own.
    Stdio(McpCommand),
}

/// A server of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct McpEndpoint {
    /// `url`: `http` or `https`, as it is written.
    pub url: http::Uri,
    /// `headers`: sent with every request.
    pub headers: Vec<McpSetting>,
    /// `tls.insecure_skip_verify`; default false.
    pub insecure_skip_verify: bool,
    /// `tls.ca_cert_path`: whose certificates are trusted; default the system's.
    pub ca_cert_path: Option<String>,
}

/// A server that is started.
#[derive(Debug, Clone, PartialEq)]
pub struct McpCommand {
    /// `command`.
    pub program: String,
    /// `args`.
    pub args: Vec<String>,
    /// `env`: variables that it gets besides the usual ones.
    pub env: Vec<McpSetting>,
}

/// A word of `auth_type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum McpAuth {
    #[default]
    None,
    Headers,
    OAuth,
    PerUserOAuth,
    PerUserHeaders,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TransportWord {
    StreamableHttp,
    Sse,
    Stdio,
}

const TRANSPORTS: [(&str, TransportWord); 3] = [
    ("streamable_http", TransportWord::StreamableHttp),
    ("sse", TransportWord::Sse),
    ("stdio", TransportWord::Stdio),
];

impl McpServer {
    pub(super) const LATER: &'static [&'static str] = &[];

    /// What everybody is told who declares a server.
    pub const NOT_CONNECTED: &'static str =
        "this version keeps and shows MCP servers, and does not connect to them yet";

    pub(super) fn read(section: &mut Section<'_, '_>, names: &mut Names) -> Option<Self> {
        let name = names.claim_mcp_server(section, "name");
        let enabled = section.flag("enabled", true);
        let transport = McpTransport::read(section);
        let auth_type = section.choice("auth_type", McpAuth::None, &McpAuth::WORDS);
        let [execute, auto_execute, include, regex] =
            ToolSelector::LISTS.map(|key| section.all_parsed(key, ToolSelector::parse));
        selectors::warn_of_idle(section, &execute, &auto_execute);
        let (min_reconnect_backoff, max_reconnect_backoff) = read_backoff(section);
        let server = Self {
            name: name.clone().unwrap_or_default(),
            enabled,
            transport: transport?,
            auth_type,
            tools_to_execute: execute,
            tools_to_auto_execute: auto_execute,
            tool_include: include,
            tool_regex: regex,
            timeout: section.millis("timeout_ms", 30_000, 1..=3_600_000),
            health_ping_interval: section.seconds("health_ping_interval_secs", 10, 1..=3600),
            max_reconnect_attempts: section.number("max_reconnect_attempts", 5, 1..=1000),
            min_reconnect_backoff,
            max_reconnect_backoff,
        };
        server.check_headers(section);
        let place = section.place();
        section.warn(&place, Self::NOT_CONNECTED);
        name.map(|_| server)
    }

    /// Where it is told that headers authenticate, there are some.
    fn check_headers(&self, section: &mut Section<'_, '_>) {
        let has_headers = match &self.transport {
            McpTransport::StreamableHttp(endpoint) | McpTransport::Sse(endpoint) => {
                !endpoint.headers.is_empty() || section.has("headers")
            }
            McpTransport::Stdio(_) => {
                if self.auth_type != McpAuth::None {
                    let place = section.place_of("auth_type");
                    section.error(
                        &place,
                        "has no meaning for `stdio`; give it what it needs in `env`",
                    );
                }
                return;
            }
        };
        if self.auth_type == McpAuth::Headers && !has_headers {
            let place = section.place_of("auth_type");
            section.error(&place, "is `headers`, and there are no `headers`");
        }
    }

    /// `streamable_http`, `sse` or `stdio`.
    pub fn transport_word(&self) -> &'static str {
        match self.transport {
            McpTransport::StreamableHttp(_) => "streamable_http",
            McpTransport::Sse(_) => "sse",
            McpTransport::Stdio(_) => "stdio",
        }
    }
}

impl McpAuth {
    const WORDS: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("headers", Self::Headers),
        ("oauth", Self::OAuth),
        ("per_user_oauth", Self::PerUserOAuth),
        ("per_user_headers", Self::PerUserHeaders),
    ];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Headers => "headers",
            Self::OAuth => "oauth",
            Self::PerUserOAuth => "per_user_oauth",
            Self::PerUserHeaders => "per_user_headers",
        }
    }
}

impl McpTransport {
    /// Reads every key of every transport, and refuses those of the others.
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let word = section.required("transport", |word| one_of(word, &TRANSPORTS));
        let url = section.parsed("url", endpoint_url);
        let headers = McpSetting::read_headers(section);
        let (insecure_skip_verify, ca_cert_path) = section.section("tls", &[], read_tls);
        let program = section.parsed("command", program);
        let args = section.repeatable_texts("args");
        let env = McpSetting::read_env(section);
        let word = word?;
        let (needed, foreign) = match word {
            TransportWord::Stdio => ("command", ["url", "headers", "tls"]),
            TransportWord::StreamableHttp | TransportWord::Sse => {
                ("url", ["command", "args", "env"])
            }
        };
        refuse_foreign(section, word, &foreign);
        if !section.has(needed) {
            let place = section.place_of(needed);
            section.absence(&place, "is missing");
        }
        if word == TransportWord::Stdio {
            return Some(Self::Stdio(McpCommand {
                program: program?,
                args,
                env,
            }));
        }
        let endpoint = McpEndpoint {
            url: url?,
            headers,
            insecure_skip_verify,
            ca_cert_path,
        };
        Some(match word {
            TransportWord::Sse => Self::Sse(endpoint),
            TransportWord::StreamableHttp | TransportWord::Stdio => Self::StreamableHttp(endpoint),
        })
    }
}

/// A key that would be ignored is refused.
fn refuse_foreign(section: &mut Section<'_, '_>, word: TransportWord, foreign: &[&str]) {
    let word = TRANSPORTS.iter().find(|(_, known)| *known == word);
    let word = word.map(|(text, _)| *text).unwrap_or_default();
    for key in foreign {
        if section.has(key) {
            let place = section.place_of(key);
            section.error(&place, format!("is not for the transport `{word}`"));
        }
    }
}

fn read_tls(section: &mut Section<'_, '_>) -> (bool, Option<String>) {
    let insecure_skip_verify = section.flag("insecure_skip_verify", false);
    if insecure_skip_verify {
        let place = section.place_of("insecure_skip_verify");
        section.warn(
            &place,
            "whoever is on the way to the server can take its place",
        );
    }
    let ca_cert_path = section.parsed("ca_cert_path", |text| match text {
        "" => Err("must not be empty".to_owned()),
        path => Ok(path.to_owned()),
    });
    (insecure_skip_verify, ca_cert_path)
}

/// Unlike the base of a URL this is a whole one, whose last slash counts.
fn endpoint_url(text: &str) -> Result<http::Uri, String> {
    let base = url::base_url(text)?;
    Ok(text.parse().unwrap_or(base))
}

fn program(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("must be the path of a program".to_owned());
    }
    Ok(text.to_owned())
}

fn read_backoff(section: &mut Section<'_, '_>) -> (Duration, Duration) {
    let max = section.seconds("max_reconnect_backoff_secs", 30, 1..=3600);
    let min = section
        .seconds_if_set("min_reconnect_backoff_secs", 1..=3600)
        .unwrap_or(Duration::from_secs(1));
    if min > max {
        let place = section.place_of("min_reconnect_backoff_secs");
        section.error(&place, "must not be over `max_reconnect_backoff_secs`");
    }
    (min, max)
}
