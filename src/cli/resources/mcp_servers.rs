//! `ferrogate mcp-servers`: entries for MCP servers.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// MCP servers.
#[derive(Debug, Clone)]
pub(in crate::cli) struct McpServers;

impl Resource for McpServers {
    const KIND: &'static Kind = &Kind {
        noun: "MCP server",
        path: "mcp-servers",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("TRANSPORT", "transport"),
            column("URL", "url"),
            column("TOOLS", "tools_to_execute"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field(
                "name",
                "name",
                Reads::Text,
                "What its tools' names begin with",
            ),
            field(
                "transport",
                "transport",
                Reads::Text,
                "streamable_http, sse or stdio",
            ),
            field("url", "url", Reads::Text, "Where it is"),
            field("auth-type", "auth_type", Reads::Text, "How it knows us"),
            field(
                "tools",
                "tools_to_execute",
                Reads::Texts,
                "The tools that may be executed",
            ),
            field(
                "auto-tools",
                "tools_to_auto_execute",
                Reads::Texts,
                "Those of them that are executed without asking",
            ),
            field(
                "include",
                "tool_include",
                Reads::Texts,
                "The tools that are shown at all",
            ),
            field(
                "timeout-ms",
                "timeout_ms",
                Reads::Number,
                "How long a call may take",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
