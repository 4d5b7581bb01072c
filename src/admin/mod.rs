//! The admin API: what the gateway knows of itself, for operators, the console and Prometheus.
//!
//! One router for every listener that serves it; [`mod@router`] is the table of its endpoints. Around them stand three
//! layers: `respond` gives each answer its `x-request-id` and each error its envelope, `auth` finds out who is asking,
//! and asks at each endpoint whether they may. Writes go through [`crate::gateway`], which judges, commits and installs
//! them; nothing is changed here.

mod account_limits;
mod api_keys;
mod audit_events;
mod auth;
mod body;
mod budgets;
mod cache;
mod caller;
mod events;
mod gateway_configs;
mod key_scopes;
mod key_secrets;
mod ledger;
mod metering_events;
mod metrics;
mod path;
mod policies;
mod policies_dry_run;
mod process;
mod provider_health;
mod provider_models;
mod query;
mod request_logs;
mod resources;
mod respond;
mod router;
mod routes_explain;
mod status;
mod tenants;
#[cfg(test)]
mod tests;
mod usage_aggregates;

pub use router::router;
