//! `ferrogate profiles`: what a request chooses with `x-ferrogate-config`.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// Profiles, which the API calls gateway configs.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Profiles;

impl Resource for Profiles {
    const KIND: &'static Kind = &Kind {
        noun: "profile",
        path: "gateway-configs",
        id: Id::Field("id"),
        columns: &[
            column("ID", "id"),
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("KEYS", "api_key_ids"),
            column("MODEL", "model"),
            column("STRATEGY", "routing_strategy"),
            column("CACHE", "cache_enabled"),
            column("REVISION", "revision"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("id", "id", Reads::Text, "What x-ferrogate-config names"),
            field("name", "name", Reads::Text, "What people call it"),
            field(
                "keys",
                "api_key_ids",
                Reads::Texts,
                "The only keys that may choose it",
            ),
            field(
                "model",
                "model",
                Reads::Text,
                "The model that is used whatever the request names",
            ),
            field(
                "strategy",
                "routing_strategy",
                Reads::Text,
                "priority, weighted, lowest_cost, lowest_latency or balanced",
            ),
            field(
                "cache",
                "cache_enabled",
                Reads::Switch,
                "Whether the cache may answer",
            ),
            field(
                "cache-ttl-secs",
                "cache_ttl_secs",
                Reads::Number,
                "How long an answer is kept",
            ),
            field(
                "dispatch-timeout-secs",
                "provider_dispatch_timeout_secs",
                Reads::Number,
                "How long a provider may take to its first content",
            ),
            field(
                "response-timeout-secs",
                "provider_response_timeout_secs",
                Reads::Number,
                "How long a whole answer may take",
            ),
            field(
                "stream-timeout-secs",
                "provider_stream_timeout_secs",
                Reads::Number,
                "How long a stream may be silent",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
