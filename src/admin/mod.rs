//! The admin API: what the gateway knows of itself, for operators, the console and Prometheus.
//!
//! One router for every listener that serves it; [`mod@router`] is the table of its endpoints. Around them stand three
//! layers: `respond` gives each answer its `x-request-id` and each error its envelope, `auth` finds out who is asking,
//! and asks at each endpoint whether they may. Writes go through [`crate::gateway`], which judges, commits and installs
//! them; nothing is changed here.

mod account_limits;
mod alerts;
mod api_keys;
mod audit_events;
mod audit_verify;
mod auth;
mod backups;
mod body;
mod budgets;
mod cache;
mod caller;
mod config;
mod config_revisions;
mod dashboard;
mod drain;
mod events;
mod gateway_configs;
mod idempotency;
mod in_flight;
mod key_grant;
mod key_secrets;
mod ledger;
mod listing;
mod may_write;
mod mcp_servers;
mod metering_events;
mod metrics;
mod models;
mod not_yet;
mod openapi;
mod path;
mod policies;
mod policies_dry_run;
mod policy_selectors;
mod preconditions;
mod process;
mod provider_health;
mod provider_models;
mod providers;
mod query;
mod rate_limits;
mod realm;
mod refusals;
mod request_log_facets;
mod request_logs;
mod resources;
mod respond;
mod retention;
mod router;
mod routes;
mod routes_explain;
mod security_headers;
mod status;
mod tenants;
#[cfg(test)]
mod tests;
mod timeseries;
mod upstreams;
mod usage_aggregates;

pub use backups::back_up_when_due;
pub use openapi::document as openapi_document;
pub use refusals::flush as flush_refusals;
pub use router::router;
