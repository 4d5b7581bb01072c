//! `ferrogate tenants`: organizations, teams, projects and users.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// Organizations, teams, projects and users.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Tenants;

impl Resource for Tenants {
    const KIND: &'static Kind = &Kind {
        noun: "tenant",
        path: "tenants",
        id: Id::KindAndId,
        columns: &[
            column("KIND", "kind"),
            column("ID", "id"),
            column("NAME", "name"),
            column("PARENT", "parent"),
            column("ENABLED", "enabled"),
            column("RPM", "request_limit_per_minute"),
            column("TPM", "token_limit_per_minute"),
            column("CONCURRENCY", "concurrency_limit"),
            column("BUDGETS", "budgets"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field(
                "kind",
                "kind",
                Reads::Text,
                "organization, team, project or user",
            ),
            field("id", "id", Reads::Text, "Unique among those of its kind"),
            field("name", "name", Reads::Text, "What people call it"),
            field(
                "parent",
                "parent",
                Reads::Text,
                "What it is part of, such as organization:acme",
            ),
            field(
                "rpm",
                "request_limit_per_minute",
                Reads::Number,
                "Requests a minute, of all its keys together",
            ),
            field(
                "tpm",
                "token_limit_per_minute",
                Reads::Number,
                "Tokens a minute, of all its keys together",
            ),
            field(
                "concurrency",
                "concurrency_limit",
                Reads::Number,
                "Requests at once, of all its keys together",
            ),
            field(
                "budget",
                "budgets",
                Reads::TokenBudget,
                "Tokens for each hour, day, week, month, or in total; can be repeated",
            ),
            field(
                "money-budget",
                "budgets",
                Reads::MoneyBudget,
                "The same in money",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
