//! `ferrogate upstreams`: pools of servers that requests are passed on to.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// Pools of servers.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Upstreams;

impl Resource for Upstreams {
    const KIND: &'static Kind = &Kind {
        noun: "upstream",
        path: "upstreams",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("URLS", "urls"),
            column("FAILURES MAX", "health_failures_max"),
            column("COOLDOWN", "health_cooldown_secs"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What routes call it"),
            field(
                "urls",
                "urls",
                Reads::Texts,
                "Its servers, such as http://10.0.0.1:8080",
            ),
            field(
                "connect-timeout-ms",
                "connect_timeout_ms",
                Reads::Number,
                "How long a connection may take to come about",
            ),
            field(
                "read-timeout-secs",
                "read_timeout_secs",
                Reads::Number,
                "How long a server may be silent",
            ),
            field(
                "write-timeout-secs",
                "write_timeout_secs",
                Reads::Number,
                "How long a server may take nothing",
            ),
            field(
                "idle-timeout-secs",
                "idle_timeout_secs",
                Reads::Number,
                "How long an unused connection is kept",
            ),
            field(
                "failures-max",
                "health_failures_max",
                Reads::Number,
                "Failures in a row that take a server out",
            ),
            field(
                "cooldown-secs",
                "health_cooldown_secs",
                Reads::Number,
                "For how long it is out",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
