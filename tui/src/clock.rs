//! The time of day, asked in one place. Everything else is told the time by a message.

/// Milliseconds since the Unix epoch (UTC).
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the console that asks the system for the time of day"
)]
pub fn unix_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
