//! Servers of the Model Context Protocol as the admin API shows them: kept and checked, not connected to yet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{McpTransport, Origin};

/// One server, without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpServer {
    /// `mcp_server`.
    pub object: Arc<str>,
    /// Its tools are called `<name>-<tool>`.
    pub name: Arc<str>,
    /// False: it is left alone.
    pub enabled: bool,
    /// `streamable_http`, `sse` or `stdio`.
    pub transport: String,
    /// Of a server in the network.
    pub url: Option<String>,
    /// Sent with every request to a server in the network.
    pub headers: Vec<McpSetting>,
    /// How a server in the network is trusted; absent for `stdio`.
    pub tls: Option<McpTls>,
    /// The program of a `stdio` server.
    pub command: Option<String>,
    /// What the program is started with.
    pub args: Vec<String>,
    /// Variables that the program gets beside the usual ones.
    pub env: Vec<McpSetting>,
    /// `none`, `headers`, `oauth`, `per_user_oauth` or `per_user_headers`.
    pub auth_type: String,
    /// Which of its tools may be run at all: names, `*`, `beginning*` or `/part/`; empty: none.
    pub tools_to_execute: Vec<String>,
    /// Which of these are run without asking.
    pub tools_to_auto_execute: Vec<String>,
    /// Which of its tools are offered; empty: all.
    pub tool_include: Vec<String>,
    /// More of them.
    pub tool_regex: Vec<String>,
    /// Milliseconds that one call may take.
    pub timeout_ms: u64,
    /// Seconds between two looks whether it is there.
    pub health_ping_interval_secs: u64,
    /// So many attempts in a row to connect again.
    pub max_reconnect_attempts: u32,
    /// Seconds before the first attempt to connect again.
    pub min_reconnect_backoff_secs: u64,
    /// Seconds up to which that is doubled.
    pub max_reconnect_backoff_secs: u64,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// A header, or a variable of the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpSetting {
    /// What it is called.
    pub name: String,
    /// Absent where it comes from elsewhere or is a secret.
    pub value: Option<String>,
    /// The environment variable that holds it.
    pub value_env: Option<String>,
    /// Whether it lies in the database under the master key.
    pub sealed: bool,
}

/// How the certificate of a server is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpTls {
    /// True: any certificate will do.
    pub insecure_skip_verify: bool,
    /// Whose certificates are trusted; absent: the system's.
    pub ca_cert_path: Option<String>,
}

/// Which servers to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct McpServerFilter {
    /// `streamable_http`, `sse` or `stdio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<McpTransport>)]
    pub transport: Option<String>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
