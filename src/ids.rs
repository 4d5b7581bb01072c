//! Identifiers of requests and traces: newtypes, how they are made and how they are written.

use std::fmt;

use uuid::Uuid;

use crate::clock::Clock;

/// A request's id: a UUIDv7, so that ids sort by start time and are unique across restarts and nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    pub fn new(clock: &Clock) -> Self {
        let unix_ms = u64::try_from(clock.unix_ms()).unwrap_or_default();
        let timestamp = uuid::Timestamp::from_unix(
            uuid::ContextV7::new(),
            unix_ms / 1000,
            u32::try_from(unix_ms % 1000).unwrap_or_default() * 1_000_000,
        );
        Self(Uuid::new_v7(timestamp))
    }

    /// Reads the hyphenated form; `None` when it is no UUIDv7.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (uuid.get_version_num() == 7).then_some(Self(uuid))
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Without hyphens, for ids that are made from it.
    pub fn simple(&self) -> String {
        self.0.simple().to_string()
    }

    /// When the request started, as its id says: milliseconds since the Unix epoch.
    pub fn unix_ms(&self) -> i64 {
        let bytes = self.0.as_bytes();
        bytes[..6]
            .iter()
            .fold(0, |ms, byte| (ms << 8) | i64::from(*byte))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_carries_its_time_and_reads_back() {
        let clock = Clock::manual(1_767_225_600_123);
        let id = RequestId::new(&clock);
        assert_eq!(id.unix_ms(), 1_767_225_600_123);
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert_eq!(RequestId::from_bytes(*id.as_bytes()), id);
        assert_eq!(RequestId::parse(&Uuid::nil().to_string()), None);
        assert_eq!(RequestId::parse("not-an-id"), None);
    }
}
