//! The authorization service: an answer to "whose key is this?" and "may they do that?", over HTTP.
//!
//! It stands beside the gateway as a process of its own (`ferrogate auth serve`, or `ferrogate-auth serve`) and shares
//! with it the wire types and nothing else, so that another service can stand in for it. What it knows is one YAML file
//! ([`Loaded`]), which becomes an immutable [`Authority`]; [`router()`] answers from it. Listening, signals and reading
//! the file again are the command's.

mod authority;
mod caller;
mod data;
mod respond;
mod router;
#[cfg(test)]
mod tests;
pub mod wire;

pub use authority::Authority;
pub use caller::CallerToken;
pub use data::{DataErrors, DataIssue, Loaded};
pub use router::{AuthServer, router};
