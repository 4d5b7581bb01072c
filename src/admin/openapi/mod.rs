//! The OpenAPI 3.1 document of the admin API: what every endpoint takes and answers, for programs to read.
//!
//! What an endpoint is stands in [`operations`], one entry for each, beside the table of [`mod@super::router`] that says
//! who answers it; a test holds the two to the same endpoints. What bodies and answers are is derived from the wire
//! types ([`ferrogate_api`]), whose comments are the descriptions. Here they are put together:
//!
//! ```text
//! operations ── Endpoint ──┬── answers      which errors, with which headers
//!                          ├── parameters   its path, its query, the headers of writes
//!                          └── schemas      the types it names, and everything these name
//!                                └── tidy   what a derive cannot know: which fields are always there
//! ```
//!
//! The document is checked in as `docs/openapi/admin-api.openapi.json`. Endpoints that answer 501 are not in it.

mod answers;
mod compose;
mod endpoint;
mod information;
mod operations;
mod parameters;
mod resource;
mod schemas;
mod show;
mod tidy;

pub use compose::document;
pub(super) use show::show;

#[cfg(test)]
pub(super) use endpoint::Needs;
#[cfg(test)]
pub(super) use operations::all as endpoints;
