//! `ferrogate models`: logical models.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// Logical models.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Models;

impl Resource for Models {
    const KIND: &'static Kind = &Kind {
        noun: "model",
        path: "models",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("PROVIDER", "provider"),
            column("PROVIDER MODEL", "provider_model"),
            column("STRATEGY", "routing_strategy"),
            column("PRIORITY", "priority"),
            column("WEIGHT", "weight"),
            column("CONTEXT", "context_window"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What clients ask for"),
            field("provider", "provider", Reads::Text, "Who answers first"),
            field(
                "provider-model",
                "provider_model",
                Reads::Text,
                "What the provider calls it",
            ),
            field(
                "capabilities",
                "capabilities",
                Reads::Texts,
                "chat, embeddings, streaming, tools, vision, json, reasoning",
            ),
            field(
                "strategy",
                "routing_strategy",
                Reads::Text,
                "priority, weighted, lowest_cost, lowest_latency or balanced",
            ),
            field(
                "priority",
                "priority",
                Reads::Number,
                "The smallest is tried first",
            ),
            field(
                "weight",
                "weight",
                Reads::Number,
                "Its share among those of equal priority",
            ),
            field(
                "context-window",
                "context_window",
                Reads::Number,
                "The most tokens that a prompt may have",
            ),
            field(
                "max-output-tokens",
                "default_max_output_tokens",
                Reads::Number,
                "What is held for an answer where the request names no maximum",
            ),
            field(
                "visible-organizations",
                "visible_organization_ids",
                Reads::Texts,
                "Whose keys alone may use it",
            ),
            field(
                "visible-projects",
                "visible_project_ids",
                Reads::Texts,
                "Whose keys alone may use it",
            ),
            field(
                "cache",
                "cache_enabled",
                Reads::Switch,
                "Whether the cache may answer for it",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
