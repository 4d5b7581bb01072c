//! Settings of the configuration file, each shown to change what the gateway does, where no test about something else
//! shows it already; and the table in `docs/OPERATIONS.md` that has all of them.
//!
//! Every test here fails where its setting is read and not used: what it waits for comes by the setting alone, or comes
//! so much later by the default that the wait gives up.

mod accounts;
mod admin;
mod alerts;
mod backups;
mod cache;
mod cluster;
mod limits;
mod mcp_servers;
mod models;
mod profiles;
mod reliability;
mod secrets;
mod storage;
mod table;
mod telemetry;
mod upstreams;
