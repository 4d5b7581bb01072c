//! What the gateway needs to reach others: their addresses, and a client for those that are no providers.

mod dns;
mod http;

pub use self::http::{HttpClient, Roots};
pub use dns::Dns;
