//! `[[mcp_servers]]`.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{BaseUrl, McpAuth, McpTransport, VariableName};

/// A server of the Model Context Protocol. It is kept and checked; this version does not connect to it yet.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "tickets",
    "transport": "streamable_http",
    "url": "https://mcp.example.com/tickets",
    "tools_to_execute": ["read_*"]
})))]
pub struct McpServerDocument {
    /// Its tools are called `<name>-<tool>`; unique among MCP servers.
    #[schema(pattern = "^[A-Za-z0-9_]{1,32}$", examples("tickets"))]
    pub name: String,
    /// False: it is left alone.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// How it is reached.
    pub transport: McpTransport,
    /// Where a server in the network is. `stdio` has none.
    pub url: Option<BaseUrl>,
    /// Sent with every request to a server in the network. `stdio` has none.
    #[schema(max_items = 64)]
    pub headers: Option<Vec<McpSettingDocument>>,
    /// How the certificate of a server in the network is checked. `stdio` has none.
    pub tls: Option<McpTlsDocument>,
    /// The program of a `stdio` server. The others have none.
    #[schema(
        min_length = 1,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
        examples("/usr/bin/mcp-files")
    )]
    pub command: Option<String>,
    /// What the program is started with.
    pub args: Option<Vec<String>>,
    /// Environment variables that the program gets beside the usual ones.
    #[schema(max_items = 64)]
    pub env: Option<Vec<McpSettingDocument>>,
    /// How it knows who asks.
    #[schema(default = "none")]
    pub auth_type: Option<McpAuth>,
    /// Which of its tools may be run at all; empty: none.
    pub tools_to_execute: Option<BTreeSet<ToolSelector>>,
    /// Which of these are run without asking.
    pub tools_to_auto_execute: Option<BTreeSet<ToolSelector>>,
    /// Which of its tools are offered; empty: all.
    pub tool_include: Option<BTreeSet<ToolSelector>>,
    /// More of them.
    pub tool_regex: Option<BTreeSet<ToolSelector>>,
    /// Milliseconds that one call may take.
    #[schema(minimum = 1, maximum = 3_600_000, default = 30_000)]
    pub timeout_ms: Option<u64>,
    /// Seconds between two looks whether it is there.
    #[schema(minimum = 1, maximum = 3600, default = 10)]
    pub health_ping_interval_secs: Option<u64>,
    /// So many attempts in a row to connect again.
    #[schema(minimum = 1, maximum = 1000, default = 5)]
    pub max_reconnect_attempts: Option<u32>,
    /// Seconds before the first of them.
    #[schema(minimum = 1, maximum = 3600, default = 1)]
    pub min_reconnect_backoff_secs: Option<u64>,
    /// Seconds up to which that is doubled.
    #[schema(minimum = 1, maximum = 3600, default = 30)]
    pub max_reconnect_backoff_secs: Option<u64>,
}

/// A header, or an environment variable. One of `value` and `value_env` says what it holds; with neither, a credential
/// that was sealed before stays.
#[derive(Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct McpSettingDocument {
    /// What it is called.
    #[schema(min_length = 1, examples("authorization"))]
    pub name: String,
    /// What it holds. A credential, by its name, is sealed under the gateway's master key and never shown again.
    pub value: Option<String>,
    /// The environment variable of the gateway that holds it.
    pub value_env: Option<VariableName>,
}

// By hand: without what may be a secret.
impl std::fmt::Debug for McpSettingDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpSettingDocument")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How the certificate of a server is checked.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct McpTlsDocument {
    /// True: any certificate will do, and whoever is on the way can take the server's place.
    #[schema(default = false)]
    pub insecure_skip_verify: Option<bool>,
    /// A file with the certificates that are trusted; left out: the system's.
    #[schema(min_length = 1)]
    pub ca_cert_path: Option<String>,
}

/// Tools of a server: a name, `*` for all, a beginning such as `read_*`, or a part of a name such as `/search/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(
    pattern = "^(\\*|[A-Za-z0-9_.-]{1,128}\\*?|/[A-Za-z0-9_.-]{1,128}/)$",
    examples("read_*")
)]
pub struct ToolSelector(pub String);
