//! FerroGate: an API and AI gateway for one host. The map of the crate, lowest layer first.
//!
//! A module imports only from the lines above its own; `tests/integration/layering.rs` holds it.

// The admin API's wire types, shared with the console.
pub use ferrogate_api as api;

// The time, replaceable in tests.
pub mod clock;
// The one error a client sees.
pub mod error;
// Request ids.
pub mod ids;
// Who is at the other end of an admin connection.
pub mod peer;
// Secrets at rest, under the master key.
pub mod sealing;
// Hashes of client secrets.
pub mod secret_hash;
// Named background tasks and threads.
pub mod tasks;

// What the operator wrote, checked and resolved.
pub mod config;
// The authorization service: `ferrogate auth serve`.
pub mod auth_service;
// A provider to play against.
pub mod simulator;

// Requests in flight and the feed of live events.
pub mod live;
// Metrics, logs, trace context.
pub mod observability;

// Names to addresses, for everything that goes out.
pub mod outbound;

// What several nodes share: identity, counters in Redis, resources in a file.
pub mod cluster;
// The embedded databases: the only SQL.
pub mod store;

// Answers that were given before.
pub mod cache;
// May this request run?
pub mod governance;
// One record for every request.
pub mod metering;
// Host, method, path and headers to a target; upstream pools.
pub mod routes;

// AI requests.
pub mod ai;

// Everything wired together.
pub mod gateway;

// The admin API.
pub mod admin;
// The Pingora side of the data plane.
pub mod proxy;

// The process.
pub mod server;

// The command line.
pub mod cli;
