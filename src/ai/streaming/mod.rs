//! Streams: cutting bytes into events, and passing events on.

pub mod relay;
pub mod sse;
