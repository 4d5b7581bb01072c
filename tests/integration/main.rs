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
mod api_keys;
mod bodies;
mod chat;
mod client_departures;
mod command_line;
mod console;
mod crashes;
mod demo;
mod docs;
mod embeddings;
mod example;
mod layering;
mod ledger;
mod live_feed;
mod models;
mod protocol;
mod provider_failures;
mod responses;
mod routes;
mod sdk;
mod shutdown;
mod streams;
mod support;
mod websockets;
