//! The whole product from outside: the real executable on free ports, a real SQLite data directory, the simulator as
//! provider. One file for each noun; what they share is in `support`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed helper fails its test"
)]
#![expect(
    clippy::print_stderr,
    reason = "a test that fails shows what the process under test said"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test's own clients and connections need no draining"
)]

mod admin;
mod alerts;
mod api_keys;
mod auth_service;
mod backup;
mod bodies;
mod breaker;
mod budget_periods;
mod budgets;
mod cache;
mod chat;
mod client_departures;
mod cluster;
mod command_line;
mod config_lifecycle;
mod console;
mod crashes;
mod credentials;
mod dashboard;
mod demo;
mod docs;
mod doctor;
mod embeddings;
mod example;
mod explain;
mod fallbacks;
mod fault_matrix;
mod kill;
mod layering;
mod ledger;
mod ledger_verify;
mod live_feed;
mod managed_keys;
mod models;
mod models_api;
mod openapi;
mod operator_day;
mod overspend;
mod policies;
mod pricing;
mod profiles;
mod protocol;
mod provider_catalogue;
mod provider_failures;
mod providers_api;
mod reload;
mod responses;
mod routes;
mod routes_api;
mod routing;
mod sdk;
mod settings;
mod shutdown;
mod stored_responses;
mod streams;
mod support;
mod tenants;
mod timeseries;
mod translated_answers;
mod translation;
mod twins;
mod websockets;
