//! What the gateway needs to reach others: for now, their addresses.

mod dns;

pub use dns::Dns;
