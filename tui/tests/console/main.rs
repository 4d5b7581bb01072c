//! The console from outside: its screens as text, its client against a small server, its bytes without colour.

#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

mod client;
mod fixture;
mod interaction;
mod screens;
mod server;
mod terminal_bytes;
