//! The admin API: what the gateway knows of itself, for operators, the console and Prometheus.
//!
//! One router for every listener that serves it; [`mod@router`] is the table of its endpoints. Around them stand two
//! layers: `respond` gives each answer its `x-request-id` and each error its envelope, `auth` decides who may ask.

mod api_keys;
mod auth;
mod events;
mod metering_events;
mod metrics;
mod process;
mod provider_health;
mod provider_models;
mod query;
mod request_logs;
mod respond;
mod router;
mod routes_explain;
mod status;
#[cfg(test)]
mod tests;
mod usage_aggregates;

pub use router::router;
